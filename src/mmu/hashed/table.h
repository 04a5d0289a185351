/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tables of one database: buckets that come and go, growth and shrinking. format.h has the picture.
 *
 *     tdb->word[size]               the table of a page size; 0 while it has no object of that size
 *     tdb->word[HASHED_GENERATION]  changes whenever a bucket comes, goes or moves: what was found may be elsewhere
 */
#ifndef EMT_MMU_HASHED_TABLE_H
#define EMT_MMU_HASHED_TABLE_H

#include "emt/host.h"
#include "mmu/hashed/format.h"

enum { HASHED_GENERATION = HASHED_SIZES };

struct hashed_counts {
    uint64_t used;  /* buckets that have an object */
    uint64_t taken; /* and those that are not empty: with the graves */
};

/* What tdb->priv points to, or what stands first there: mosaic pages keep their words in such a table too. */
struct hashed_state {
    struct hashed_counts size[HASHED_SIZES];
    uint64_t walker_bits; /* of an entry: those that walkers set */
};

static inline struct hashed_state *hashed_state_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

static inline uint64_t hashed_read(const struct emt_tdb *tdb, uint64_t pa) {
    return emt_table_read(tdb->svc->host, pa);
}

/* The bucket of a tag; EMT_NO_PA: there is none. */
uint64_t hashed_lookup(const struct emt_tdb *tdb, unsigned size, uint64_t tag);
/* The tag of a bucket that is used. */
uint64_t hashed_bucket_tag(const struct emt_tdb *tdb, uint64_t bucket);
/* A bucket for a tag that has none, with these entries, not all void. -ENOMEM: nothing changed. */
int hashed_insert(struct emt_tdb *tdb, unsigned size, uint64_t tag, const uint64_t entry[HASHED_WORDS]);
/* So many more buckets will not fail for want of memory, if none are retired meanwhile. -ENOMEM. */
int hashed_reserve(struct emt_tdb *tdb, unsigned size, uint64_t buckets);
/* The last entry of a bucket has gone; so does the bucket, and perhaps its table. */
void hashed_retire(struct emt_tdb *tdb, unsigned size, uint64_t bucket);

/* The buckets of tags first, first + 1, ... first + tags - 1, in any order: by a search for each, or over the whole
   table where that is less. Buckets may be retired meanwhile. EMT_NO_PA: no more. */
struct hashed_scan {
    uint64_t table, at;
    bool by_tag;
};
uint64_t hashed_next(const struct emt_tdb *tdb, unsigned size, uint64_t first, uint64_t tags,
                     struct hashed_scan *scan);

void hashed_free_all(struct emt_tdb *tdb);

#endif
