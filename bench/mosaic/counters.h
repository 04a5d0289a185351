/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * First conflicts in terabytes. Until then no page leaves, so it is enough to know how many frames of each yard are
 * taken: two bytes a bucket, 8 MiB for 1 TiB, which the host's caches hold. Hashes and the choice among back yards
 * are those of the architecture's `place` (mmu/mosaic/driver.c); tests/mosaic/placement.c compares the two bucket
 * by bucket.
 */
#ifndef EMT_BENCH_MOSAIC_COUNTERS_H
#define EMT_BENCH_MOSAIC_COUNTERS_H

#include "mosaic/memory.h"

#define COUNTERS_ROW 256 /* pages that differ in the hash's lowest byte only */

struct counters {
    const mosaic_tables *random;
    struct mosaic_memory memory;
    uint16_t asid;
    uint8_t *front, *back; /* frames taken, by bucket */
    uint64_t used;
};

static inline int counters_init(struct counters *c, const struct memory *m) {
    const struct mosaic_service *s = m->svc.priv;

    *c = (struct counters){.random = s->random, .memory = s->memory, .asid = m->tdb.asid};
    c->front = memory_of_host(c->memory.buckets);
    c->back = memory_of_host(c->memory.buckets);
    return c->front && c->back ? 0 : -ENOMEM;
}

static inline void counters_fini(struct counters *c) {
    memory_to_host(c->front, c->memory.buckets);
    memory_to_host(c->back, c->memory.buckets);
}

/* The emptiest of the six back yards; of equal ones the later choice. `row`, `low`: the hashes without their lowest
   byte, and that byte. */
static inline uint32_t counters_yard(const struct counters *c, const uint32_t *row, unsigned low) {
    uint32_t best = 0;
    unsigned least = MOSAIC_BACK;

    for (unsigned k = 1; k <= MOSAIC_CHOICES; k++) {
        const uint32_t at = mosaic_place_of(&c->memory, row[k] ^ (*c->random)[0][(low + k) & 0xff], k);
        if (k == 1 || c->back[at] <= least) {
            least = c->back[at];
            best = at;
        }
    }
    return best;
}

/* Pages from `page`, a multiple of COUNTERS_ROW, one after another. false: a conflict. */
static inline bool counters_place_row(struct counters *c, uint64_t page) {
    const uint64_t key = mosaic_key(c->asid, page << EMT_PAGE_SHIFT);
    uint32_t row[MOSAIC_CHOICES + 1];

    for (unsigned k = 0; k <= MOSAIC_CHOICES; k++)
        row[k] = mosaic_hash(*c->random, key, k) ^ (*c->random)[0][k];
    for (unsigned low = 0; low < COUNTERS_ROW; low++) {
        uint8_t *n = &c->front[mosaic_place_of(&c->memory, row[0] ^ (*c->random)[0][low], 0)];
        if (*n == MOSAIC_FRONT) {
            n = &c->back[counters_yard(c, row, low)];
            if (*n == MOSAIC_BACK)
                return false;
        }
        ++*n;
        c->used++;
    }
    return true;
}

#endif
