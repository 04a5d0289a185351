/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Words of mosaic pages in a hashed table: that of mmu/hashed, whose buckets of eight words are 32 pages here. The
 * records of regions tell which 2 MiB have none at all, so that scans need not ask for each bucket.
 */
#include "mmu/mosaic/tables.h"

#define SIZE    0 /* number of the one table, as mmu/hashed counts */
#define VA_MASK (~0ull >> 16)
#define HALF    (1ull << 47) /* addresses with the same highest bit */

static int create(struct emt_tdb *tdb) {
    struct hashed_state *state = &mosaic_db_of(tdb)->hashed;

    state->walker_bits = MOSAIC_EACH(MOSAIC_A | MOSAIC_D);
    return 0;
}

static void destroy(struct emt_tdb *tdb) {
    hashed_free_all(tdb);
}

/* Nothing is in the region of va: how far does that reach? Asked often enough, all regions are looked at. */
static void find_void(const struct emt_tdb *tdb, struct mosaic_place *at, uint64_t va, struct mosaic_group *out) {
    const uint64_t v = va & VA_MASK;
    uint64_t bytes = 1ull << MOSAIC_SIDE_SHIFT;

    if (++at->misses > mosaic_db_of(tdb)->regions) {
        at->misses = 0;
        at->lo = v & HALF;
        at->hi = at->lo + HALF;
        mosaic_region_sweep(tdb, v, &at->lo, &at->hi);
    }
    while (bytes < HALF && (v & ~(2 * bytes - 1)) >= at->lo && (v & ~(2 * bytes - 1)) + 2 * bytes <= at->hi)
        bytes *= 2;
    out->void_bytes = bytes;
}

static void find(const struct emt_tdb *tdb, struct mosaic_place *at, uint64_t va, struct mosaic_group *out) {
    const uint64_t key1 = mosaic_tag(va) + 1;

    *out = (struct mosaic_group){.va = va & ~((1ull << MOSAIC_WORD_SHIFT) - 1), .pa = EMT_NO_PA};
    if (at->generation != tdb->word[MOSAIC_GENERATION])
        *at = (struct mosaic_place){.generation = tdb->word[MOSAIC_GENERATION]};
    if (at->key1 != key1) {
        const struct mosaic_region *r = mosaic_region_find(tdb, va);
        if (!r || !r->words) {
            find_void(tdb, at, va, out);
            return;
        }
        at->key1 = key1;
        at->at = hashed_lookup(tdb, SIZE, mosaic_tag(va));
    }
    out->void_bytes = 1ull << MOSAIC_BUCKET_SHIFT;
    if (at->at == EMT_NO_PA)
        return;
    out->pa = at->at + sizeof(uint64_t) * mosaic_bucket_index(va);
    out->raw = hashed_read(tdb, out->pa);
    out->void_bytes = 1ull << MOSAIC_WORD_SHIFT;
}

static int put(struct emt_tdb *tdb, uint64_t va, uint64_t word) {
    struct mosaic_region *r = mosaic_region_get(tdb, va);
    uint64_t words[HASHED_WORDS] = {0};
    int err = 0;

    if (!r)
        return -ENOMEM;
    const uint64_t bucket = r->words ? hashed_lookup(tdb, SIZE, mosaic_tag(va)) : EMT_NO_PA;
    const uint64_t pa = bucket + sizeof(word) * mosaic_bucket_index(va);
    if (bucket != EMT_NO_PA) {
        emt_table_write(mosaic_host(tdb), pa, word | (hashed_read(tdb, pa) & HASHED_TAG_MASK));
    } else {
        words[mosaic_bucket_index(va)] = word;
        err = hashed_insert(tdb, SIZE, mosaic_tag(va), words);
    }
    r->words += !err;
    /* A region that has just begun changes what voids are known. */
    tdb->word[MOSAIC_GENERATION] += r->words == 1;
    mosaic_region_settle(tdb, r);
    return err;
}

static void gone(struct emt_tdb *tdb, uint64_t va, uint64_t pa) {
    struct mosaic_region *r = mosaic_region_find(tdb, va);
    const uint64_t bucket = pa & ~(uint64_t)(HASHED_BUCKET_BYTES - 1);

    r->words--;
    mosaic_region_settle(tdb, r);
    for (unsigned i = 0; i < HASHED_WORDS; i++)
        if (mosaic_plain(hashed_read(tdb, bucket + sizeof(uint64_t) * i)))
            return;
    hashed_retire(tdb, SIZE, bucket);
}

const struct mosaic_table_ops mosaic_buckets = {create, destroy, find, put, gone};
