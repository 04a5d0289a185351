/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the OS side of mosaic pages is made of, one file each. The picture of a word is in format.h.
 *
 *     driver.c     the interface: objects, places, cursors
 *     group.c      the four pages of a word: compressed, linked, beside; how one becomes the other
 *     regions.c    which 2 MiB have a page table beside, and how many words use it
 *     nodes.c      where words are: in a radix tree
 *     buckets.c    or in a hashed table
 *
 * Locks: the default range lock, one for the whole database; so only walkers run beside a function of this folder.
 */
#ifndef EMT_MMU_MOSAIC_TABLES_H
#define EMT_MMU_MOSAIC_TABLES_H

#include "emt/host.h"
#include "mmu/hashed/table.h"
#include "mmu/mosaic/format.h"
#include "mmu/x86/object.h"

/* tdb->word[]: the root node, or the table; changes when words may be elsewhere. */
enum { MOSAIC_TABLE = 0, MOSAIC_GENERATION = HASHED_GENERATION };

struct mosaic_service { /* svc->priv */
    struct mosaic_memory memory;
    const mosaic_tables *random; /* mosaic_random; a bench of the placement may have others */
    uint64_t front, back;        /* pages that were mapped in either yard */
    uint64_t conventional;       /* and in a frame that is no candidate, or with attributes of their own */
    uint64_t conflicts;          /* asked for a place when none of the 104 was free */
};

struct mosaic_region {
    uint64_t key;   /* number of the region + 1; 0: empty */
    uint64_t pt;    /* the page table beside; EMT_NO_PA: none */
    uint32_t users; /* words that use it */
    uint32_t words; /* hashed table: words that are not void */
};

struct mosaic_db { /* tdb->priv */
    struct hashed_state hashed;
    struct mosaic_region *region; /* open addressing */
    uint64_t regions, used;
};

/* Where a search stopped: a cursor keeps one. All zero: nowhere. Of no use when the generation has changed. */
struct mosaic_place {
    uint64_t generation;
    uint64_t key1, at; /* number + 1 of the node or bucket that was found last, and where it lies */
    uint64_t misses;   /* hashed: regions where nothing is */
    uint64_t lo, hi;   /* hashed: nothing is there; addresses without their sign */
};
_Static_assert(sizeof(struct mosaic_place) == sizeof(((struct emt_cursor *)NULL)->drv), "a cursor keeps a place");

/* The word that answers for an address. */
struct mosaic_group {
    uint64_t va; /* of its first page */
    uint64_t pa; /* EMT_NO_PA: there is no room for it yet */
    uint64_t raw;
    uint64_t void_bytes; /* of the aligned void around, when it is void */
};

static inline struct mosaic_service *mosaic_service_of(const struct emt_tdb *tdb) {
    return tdb->svc->priv;
}

static inline struct mosaic_db *mosaic_db_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

static inline struct emt_host *mosaic_host(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

/* ---- where words are: nodes.c, buckets.c ---- */

struct mosaic_table_ops {
    int (*create)(struct emt_tdb *);
    void (*destroy)(struct emt_tdb *);
    void (*find)(const struct emt_tdb *, struct mosaic_place *, uint64_t va, struct mosaic_group *out);
    /* Store into a word that is void, or not there yet. -ENOMEM: nothing changed. */
    int (*put)(struct emt_tdb *, uint64_t va, uint64_t word);
    /* A word has become void. */
    void (*gone)(struct emt_tdb *, uint64_t va, uint64_t pa);
};

extern const struct mosaic_table_ops mosaic_nodes, mosaic_buckets;

static inline const struct mosaic_table_ops *mosaic_table(const struct emt_tdb *tdb) {
    return tdb->svc->arch->param[MOSAIC_PARAM_TABLE] == MOSAIC_HASHED ? &mosaic_buckets : &mosaic_nodes;
}

/* ---- regions.c ---- */

struct mosaic_region *mosaic_region_find(const struct emt_tdb *tdb, uint64_t va);
/* Makes it if need be; NULL: no memory. Valid until the next call. */
struct mosaic_region *mosaic_region_get(const struct emt_tdb *tdb, uint64_t va);
/* Forget it when nothing is in it any more. */
void mosaic_region_settle(const struct emt_tdb *tdb, struct mosaic_region *);
/* One more word uses the page table beside, which is made if need be. -ENOMEM. */
int mosaic_side_hold(struct emt_tdb *tdb, uint64_t va);
/* One less. Its four leaves are zero. */
void mosaic_side_drop(struct emt_tdb *tdb, uint64_t va);
/* The largest void [*lo, *hi) around v, an address without its sign in a region that is not there, within these. */
void mosaic_region_sweep(const struct emt_tdb *tdb, uint64_t v, uint64_t *lo, uint64_t *hi);
void mosaic_regions_free(struct emt_tdb *tdb);

/* ---- group.c: one page of a word ---- */

/* The leaf of the page at va, in the format of radix/format.h; 0: nothing. */
uint64_t mosaic_read(const struct emt_tdb *tdb, const struct mosaic_group *g, uint64_t va);
/* Replace it by another, not 0. -ENOMEM: nothing changed. The group is not to be used any more. */
int mosaic_write(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va, uint64_t leaf);
/* Remove it; returns what was there in the end. Nor after this. */
uint64_t mosaic_remove(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va);
/* Read and clear A, D (EMT_AGE_ mask). */
unsigned mosaic_test_clear(const struct emt_tdb *tdb, const struct mosaic_group *g, uint64_t va, unsigned mask);

#endif
