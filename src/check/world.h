/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A world in which a sequence runs: the architecture under test with watched memory, a few address spaces, the
 * oracle's opinion of each, and, when wanted, TLBs and MMU caches that look on.
 */
#ifndef EMT_CHECK_WORLD_H
#define EMT_CHECK_WORLD_H

#include "check/frames.h"
#include "check/op.h"
#include "check/random.h"
#include "hw/checker.h"

#define WORLD_DBS 4

/* Simulated memory: tables below, pages above. An architecture with an entry for each frame must hold both. */
#define WORLD_PHYS_BYTES  (4ull << 30)
#define WORLD_TABLES_PA   (1ull << 20)
#define WORLD_PAGES_PFN   (2ull << 30 >> EMT_PAGE_SHIFT)
#define WORLD_PAGES_COUNT (2ull << 30 >> EMT_PAGE_SHIFT)

/* What an architecture can say, found out by asking it. */
struct traits {
    struct emt_caps caps;
    uint64_t sizes[8]; /* page sizes, ascending, as far as the kit's memory has room for such a page */
    unsigned nsizes;
    uint64_t pfn_end; /* frames below it may back a page; more than the kit's memory has, where the format can */
    uint32_t soft_max;
    uint8_t cache_max, pkey_max;
    bool write, exec, user, global; /* can be both 0 and 1 */
    bool none;                      /* has objects that are not present and keep their frame */
    uint64_t swap_sizes;            /* as caps.page_sizes */
    bool accessed, dirty, contig;   /* can be stored */
    struct object base;             /* what a plain page reads as: the value of what cannot be both */
    bool restricted;                /* caps.places, and refuses other frames than those */
    bool void_is_known;             /* an empty database is void in large pieces: scans are cheap */
};

struct space {
    struct emt_tdb tdb;
    struct oracle oracle;
    bool live;
};

/* What went wrong. `kind` classifies it: a sequence is shrunk as long as it fails with the same. */
struct finding {
    bool found;
    char kind[24];
    char text[1400];
};

/* What a driver's object means is a function of the object: asked once, remembered by its bits. */
#define DECODED_LOG   12
#define DECODED_SLOTS (1u << DECODED_LOG)
struct decoded {
    struct emt_tobj obj; /* bytes 0: none yet */
    struct object is;
};

struct world_stats {
    uint64_t ops, walks, finds, tlb_accesses, failed_allocations;
};

struct world {
    const struct emt_arch *arch;
    const struct traits *traits;
    struct emt_host host;
    struct frames frames;
    struct emt_tsvc svc;
    struct space space[WORLD_DBS];
    unsigned nspaces;
    uint16_t next_asid;
    uint64_t random; /* which addresses are looked at: reset for each operation, so that none depends on others */

    struct emt_config cfg;
    struct mmu *mmu; /* NULL: nobody looks on */
    struct checker *checker;

    uint64_t hot[32]; /* addresses that TLBs may know */
    unsigned nhot;

    bool fail_all; /* every allocation of every operation fails once */
    bool enomem;   /* the last operation ended with -ENOMEM */
    const struct op *op;
    uint64_t op_number;
    struct decoded decoded[DECODED_SLOTS];
    struct finding finding;
    struct world_stats stats;
};

struct world_setup {
    const struct emt_arch *arch;
    const struct traits *traits;
    unsigned spaces;
    bool basic_only, watch, fail_all;
    unsigned refuse_order; /* as in struct frames */
};

/* Ask the architecture what it can say. Negative: it cannot even begin; *finding says why. */
int traits_ask(struct traits *t, const struct emt_arch *arch, struct finding *finding);

/* Negative: w->finding says what was wrong. world_fini() also after a failure. */
int world_init(struct world *w, const struct world_setup *setup);
/* Destroy everything; false: something was left behind. */
bool world_end(struct world *w);
void world_fini(struct world *w);

/* Note a finding (the first counts); returns false. */
bool world_fail(struct world *w, const char *kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "-ENOMEM" and kin, for people. */
const char *error_name(int err);
/* Turn misuse of frames into a finding. */
bool world_frames_fine(struct world *w);
/* May the driver run out of memory now? */
bool world_may_fail(const struct world *w);

int space_create(struct world *w, unsigned db);
void space_destroy(struct world *w, unsigned db);

/* ---- objects (objects.c) ---- */

/* The driver's form of an object. A refusal is a finding. */
bool object_to_tobj(struct world *w, const struct object *o, struct emt_tobj *out);
void object_from_tobj(const struct world *w, const struct emt_tobj *t, struct object *out);
/* Does the driver say what the oracle says? Adopts A where that is uncertain. */
bool object_same(struct world *w, struct object *expected, const struct emt_tobj *t);
/* Note that it does not; the words say who showed the object. */
bool object_wrong(struct world *w, const struct object *expected, const struct emt_tobj *t, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Both; the words are made only when something is wrong. */
#define object_check(w, expected, t, ...) (object_same(w, expected, t) || object_wrong(w, expected, t, __VA_ARGS__))
void object_describe(const struct object *o, char *text, size_t room);

/* ---- comparisons (compare.c) ---- */

bool compare_find(struct world *w, unsigned db, uint64_t va);
bool compare_walk(struct world *w, unsigned db, uint64_t va);
/* By cursor, all of [va, last]. */
bool compare_range(struct world *w, unsigned db, uint64_t va, uint64_t last);
/* Everything that is visible near [va, last]. */
bool compare_around(struct world *w, unsigned db, uint64_t va, uint64_t last);
bool compare_all(struct world *w);
bool canonical(const struct traits *t, uint64_t va);
/* Is [va, va + bytes) an address range that operations may name? The last page is not: its end is no number. */
bool range_valid(const struct traits *t, uint64_t va, uint64_t bytes);

/* One access by the walker. `access` says which; peek: with no effect on tables. */
bool walk_check(struct world *w, unsigned db, const struct emt_access *access);
/* One access through the TLBs, of the address space that CPU 0 is in. */
bool tlb_check(struct world *w, uint64_t va, unsigned type);

/* ---- ranges (ranges.c) ---- */

/* Is what `who` says of a range so, for each page in it? */
bool range_check(struct world *w, unsigned db, const struct emt_range *r, const char *who);
/* The registers' segment. */
bool segment_check(struct world *w, unsigned db);
/* *r: what a walk for va tells of a range, and checks; last < va: nothing. */
bool range_around(struct world *w, unsigned db, uint64_t va, struct emt_range *r);
/* walk.c: a walk of which only the range counts. */
bool walk_range(struct world *w, unsigned db, const struct emt_access *access, struct emt_range *r);

/* ---- execution (execute.c) ---- */

/* One operation with all comparisons around it. */
bool execute(struct world *w, const struct op *op);

#endif
