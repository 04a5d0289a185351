/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a driver of mosaic pages knows of each 2 MiB of an address space: the page table beside the ToCs, if there
 * is one. Hardware finds that through links; for pages that hardware must not find (swapped out, without access) a
 * ToC has no room, and this is the only way. An array with open addressing, in the driver's own state; a key is
 * removed by moving back those behind it (D. Knuth, TAOCP vol. 3, 6.4, algorithm R).
 */
#include "mmu/mosaic/tables.h"

#define FIRST_ROOM 16u
#define LOOK_UP    12u /* instructions of one look-up: estimate, hash and two probes */
#define VA_MASK    (~0ull >> 16)

static uint64_t key_of(uint64_t va) {
    return ((va & VA_MASK) >> MOSAIC_SIDE_SHIFT) + 1;
}

static uint64_t home(const struct mosaic_db *db, uint64_t key) {
    return x86_hash(key) & (db->regions - 1);
}

/* The place of a key, or the empty one where it would be. */
static uint64_t place_of(const struct mosaic_db *db, uint64_t key) {
    uint64_t i = home(db, key);

    while (db->region[i].key && db->region[i].key != key)
        i = (i + 1) & (db->regions - 1);
    return i;
}

struct mosaic_region *mosaic_region_find(const struct emt_tdb *tdb, uint64_t va) {
    const struct mosaic_db *db = mosaic_db_of(tdb);

    emt_host_work(mosaic_host(tdb), LOOK_UP);
    if (!db->regions)
        return NULL;
    struct mosaic_region *r = &db->region[place_of(db, key_of(va))];
    return r->key ? r : NULL;
}

/* At most two thirds full. */
static bool grow(const struct emt_tdb *tdb) {
    struct mosaic_db *db = mosaic_db_of(tdb);
    struct mosaic_db bigger = *db;

    if (3 * (db->used + 1) <= 2 * db->regions)
        return true;
    bigger.regions = db->regions ? 2 * db->regions : FIRST_ROOM;
    bigger.region = emt_state_alloc(mosaic_host(tdb), bigger.regions * sizeof(*bigger.region));
    if (!bigger.region)
        return false;
    for (uint64_t i = 0; i < db->regions; i++)
        if (db->region[i].key)
            bigger.region[place_of(&bigger, db->region[i].key)] = db->region[i];
    emt_state_free(mosaic_host(tdb), db->region);
    *db = bigger;
    return true;
}

struct mosaic_region *mosaic_region_get(const struct emt_tdb *tdb, uint64_t va) {
    struct mosaic_db *db = mosaic_db_of(tdb);
    struct mosaic_region *r = mosaic_region_find(tdb, va);

    if (r || !grow(tdb))
        return r;
    r = &db->region[place_of(db, key_of(va))];
    *r = (struct mosaic_region){.key = key_of(va), .pt = EMT_NO_PA};
    db->used++;
    return r;
}

void mosaic_region_settle(const struct emt_tdb *tdb, struct mosaic_region *r) {
    struct mosaic_db *db = mosaic_db_of(tdb);
    const uint64_t mask = db->regions - 1;

    if (r->users || r->words || r->pt != EMT_NO_PA)
        return;
    uint64_t hole = (uint64_t)(r - db->region);
    for (uint64_t i = (hole + 1) & mask; db->region[i].key; i = (i + 1) & mask) {
        /* It may move into the hole when its home is not behind it. */
        if (((i - home(db, db->region[i].key)) & mask) < ((i - hole) & mask))
            continue;
        db->region[hole] = db->region[i];
        hole = i;
    }
    db->region[hole] = (struct mosaic_region){0};
    db->used--;
}

int mosaic_side_hold(struct emt_tdb *tdb, uint64_t va) {
    struct mosaic_region *r = mosaic_region_get(tdb, va);

    if (!r)
        return -ENOMEM;
    if (r->pt == EMT_NO_PA)
        r->pt = emt_table_alloc(tdb, 0);
    if (r->pt == EMT_NO_PA) {
        mosaic_region_settle(tdb, r);
        return -ENOMEM;
    }
    r->users++;
    return 0;
}

void mosaic_side_drop(struct emt_tdb *tdb, uint64_t va) {
    struct mosaic_region *r = mosaic_region_find(tdb, va);

    if (--r->users)
        return;
    emt_table_free(tdb, r->pt, 0);
    r->pt = EMT_NO_PA;
    mosaic_region_settle(tdb, r);
}

void mosaic_region_sweep(const struct emt_tdb *tdb, uint64_t v, uint64_t *lo, uint64_t *hi) {
    const struct mosaic_db *db = mosaic_db_of(tdb);

    emt_host_work(mosaic_host(tdb), (unsigned)db->regions * 4);
    for (uint64_t i = 0; i < db->regions; i++) {
        const uint64_t first = (db->region[i].key - 1) << MOSAIC_SIDE_SHIFT,
                       end = first + (1ull << MOSAIC_SIDE_SHIFT);
        if (!db->region[i].key)
            continue;
        if (end <= v && end > *lo)
            *lo = end;
        if (first > v && first < *hi)
            *hi = first;
    }
}

void mosaic_regions_free(struct emt_tdb *tdb) {
    struct mosaic_db *db = mosaic_db_of(tdb);

    for (uint64_t i = 0; i < db->regions; i++)
        if (db->region[i].key && db->region[i].pt != EMT_NO_PA)
            emt_table_free(tdb, db->region[i].pt, 0);
    emt_state_free(mosaic_host(tdb), db->region);
    db->region = NULL;
    db->regions = db->used = 0;
}
