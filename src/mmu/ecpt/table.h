/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the driver: elastic cuckoo tables of 64-byte lines (table.c) and the cuckoo walk tables kept in two of
 * them (cwt.c). Caller holds the lock of the database.
 */
#ifndef EMT_MMU_ECPT_TABLE_H
#define EMT_MMU_ECPT_TABLE_H

#include "emt/host.h"
#include "mmu/ecpt/format.h"

/* One way. While no resize is under way there is no new array, and P is 0. */
struct ecpt_way {
    uint64_t array, fresh; /* as in the registers; 0: none */
    uint64_t p;            /* lines of the old array below it are in the new one */
    uint64_t p_loaded;     /* what walkers know of it: between the two lies a batch that is being moved */
};

struct ecpt_set {
    enum ecpt_table table;
    unsigned ways, min_log;
    struct ecpt_way way[ECPT_MAX_WAYS];
    bool resizing;
    bool hidden;        /* no register leads to it yet */
    uint64_t lines;     /* that it holds */
    uint64_t old_lines; /* of them, in old arrays while a resize is under way */
    uint32_t owed;      /* rehash steps */
    uint32_t patience;  /* do not ask for memory again for so many times */
    uint32_t moves;     /* changes whenever a line may have moved or gone */
    uint64_t inserts, kicks, rehashed, upsizes, downsizes, rebuilds; /* for tests */
};

struct ecpt {
    struct emt_tdb *tdb;
    uint64_t random;               /* chooses ways; begins with a constant */
    bool moving;                   /* a range: its objects stand twice for a while */
    uint64_t sections[ECPT_SIZES]; /* that have pages of a size, by the walk table that knows best */
    struct ecpt_set set[ECPT_TABLES];
};

/* Where a line is. pa EMT_NO_PA: nowhere. */
struct ecpt_place {
    uint64_t pa;
    unsigned way;
};

/*
 * Instructions beyond table accesses. Estimates: a step of a table-driven CRC-64 is five instructions a byte, the
 * finaliser twelve in all; a way's register choice and compare eight; a kick draws a way and keeps its path; a
 * register is one WRMSR with its operands.
 */
enum {
    ECPT_COST_CRC = 25,
    ECPT_COST_MURMUR = 12,
    ECPT_COST_WAY = 8,
    ECPT_COST_KICK = 15,
    ECPT_COST_REGISTER = 4,
};

#define ECPT_MAX_KICKS 32 /* ASPLOS'20: MAX_ATTEMPTS */

static inline struct ecpt *ecpt_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

static inline struct emt_host *ecpt_host(const struct ecpt *e) {
    return e->tdb->svc->host;
}

void ecpt_set_init(struct ecpt_set *s, enum ecpt_table table, unsigned ways, unsigned min_log);
void ecpt_set_fini(struct ecpt *e, struct ecpt_set *s);

struct ecpt_place ecpt_find(struct ecpt *e, enum ecpt_table t, uint64_t key);
/* Put a line that is in no way yet; its tag must be `key`. -ENOMEM: nothing changed. Lines may move. */
int ecpt_insert(struct ecpt *e, enum ecpt_table t, uint64_t key, const uint64_t line[ECPT_WORDS],
                struct ecpt_place *at);
/* Hardware set A or D in an entry that goes: its copy at pa, which stays, gets them. */
void ecpt_merge(struct emt_host *host, uint64_t pa, uint64_t gone);
/* The line at pa has just become none by its word 7. Lines may move. */
void ecpt_removed(struct ecpt *e, enum ecpt_table t, uint64_t pa);
/* Everything into new arrays of 2^log lines at once, for when a gradual resize is stuck. false: no memory. */
bool ecpt_rebuild(struct ecpt *e, enum ecpt_table t, unsigned log);

/* `changed` registers have other values: every CPU in this address space gets them. */
void ecpt_load(const struct ecpt *e, unsigned changed);
/* All registers as they are now. */
void ecpt_root(const struct ecpt *e, struct emt_root *root);

/* ---- cuckoo walk tables (cwt.c) ---- */

/* Pages of size number `size` exist in the section around va from now on, in `way` of their table, or exist no
   more. -ENOMEM: nothing changed; never when `on` is false. */
int ecpt_cwt_set(struct ecpt *e, unsigned size, uint64_t va, unsigned way, bool on);
/* A line of the PMD or PUD table is in another way now. */
void ecpt_cwt_moved(struct ecpt *e, enum ecpt_table t, uint64_t key, unsigned way);
/* The largest aligned block around va that is certainly void, by the CWTs; 0: they do not know one. */
uint64_t ecpt_cwt_void(struct ecpt *e, uint64_t va);
/* Is there a page of 4 KiB or 2 MiB in the 1 GiB around va? */
bool ecpt_cwt_below_1g(struct ecpt *e, uint64_t va);

/* ---- entries (entries.c) ---- */

/*
 * Where somebody stands: the lines of the PTE and PMD tables that were found last. All zero: nowhere. What has
 * moved since is noticed.
 */
struct ecpt_near {
    uint64_t line[2]; /* physical address | way << 1 | 1; 0: none */
    uint64_t key[2];
    uint32_t moves[2];
};

/* The entry that decides about an address: an object, or a void as large as is known for certain. */
struct ecpt_slot {
    enum ecpt_table table;
    uint64_t line; /* EMT_NO_PA: the void has no line */
    uint64_t word; /* the entry as it lies there, the line's bits too; 0 for a void without a line */
    uint64_t va, bytes;
};

static inline bool ecpt_slot_object(const struct ecpt_slot *s) {
    return ecpt_is_object(s->word);
}

static inline uint64_t ecpt_slot_pa(const struct ecpt_slot *s) {
    return s->line + 8 * ecpt_index(s->table, s->va);
}

struct emt_tobj ecpt_slot_tobj(const struct ecpt_slot *s);
/* The table for pages of so many bytes; ECPT_TABLES: there are none. */
enum ecpt_table ecpt_table_of(uint64_t bytes);
/* The table in which an object may stand; ECPT_TABLES: it may not. */
enum ecpt_table ecpt_object_table(const struct emt_tobj *o);

struct ecpt_slot ecpt_look(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va);
uint64_t ecpt_line_at(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va);
unsigned ecpt_line_way(const struct ecpt_near *near, enum ecpt_table t);
/* As the functions of the driver without `ecpt_`. */
int ecpt_update(struct emt_tdb *tdb, struct ecpt_near *near, const struct emt_tobj *o);
/* A page of 1 GiB, whatever of smaller pages is there. -ENOMEM. */
int ecpt_insert_over(struct emt_tdb *tdb, struct ecpt_near *near, const struct emt_tobj *o);
int ecpt_remove(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va, struct emt_tobj *old);
unsigned ecpt_test_clear(struct emt_tdb *tdb, const struct ecpt_slot *s, unsigned mask);

/* Exchange the object by another (0: by a void, which the caller then counts); s->word gets what was there at last.
   A and D that hardware sets meanwhile go into the new one. */
void ecpt_replace(struct emt_tdb *tdb, struct ecpt_slot *s, uint64_t object);
/* `n` objects of a line have become void: count them, and take along what ends with them. Lines may move. */
void ecpt_count_gone(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va, uint64_t line,
                     unsigned n);
/* Does one of the line's entries hold an object, or (below) lines of the PTE table? */
bool ecpt_line_has(struct emt_tdb *tdb, uint64_t line, bool below);
/* An empty line but for its tag: no entry counted. */
void ecpt_line_new(enum ecpt_table t, uint64_t key, uint64_t line[ECPT_WORDS]);

/* ---- ranges and huge pages (ranges.c) ---- */

int ecpt_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                     struct emt_gather *g);
int ecpt_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g);
int ecpt_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                    void *ctx, struct emt_gather *src_gather);
int ecpt_range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g);
int ecpt_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                   struct emt_gather *g);
bool ecpt_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);
int ecpt_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g);
int ecpt_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g);

/* ---- objects (driver.c) ---- */

uint64_t ecpt_with_prot(uint64_t object, unsigned prot);
/* Piece number i, of the size of table `to`, of a page in table `from`. */
uint64_t ecpt_piece(uint64_t object, enum ecpt_table from, enum ecpt_table to, uint64_t i);

#endif
