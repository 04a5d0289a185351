/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Horizon LRU (ASPLOS'23, in the order of its patch for Linux) over the bitmap memory, with exact times of use: for
 * the steady state of utilisation. The OS's own is in src/os; this one has no page tables, no devices and no time.
 */
#ifndef EMT_BENCH_MOSAIC_HORIZON_H
#define EMT_BENCH_MOSAIC_HORIZON_H

#include "mosaic/memory.h"

struct horizon {
    struct memory *m;
    uint32_t *page_of;  /* by frame: page + 1; 0: free */
    uint32_t *used_at;  /* by frame: clock of its last use */
    uint32_t *frame_of; /* by page: frame + 1; 0: not resident */
    uint64_t frames, pages;
    uint32_t clock, horizon;
    uint64_t swapped; /* pages that had to leave */
};

static inline int horizon_init(struct horizon *h, struct memory *m, uint64_t pages) {
    *h = (struct horizon){.m = m, .frames = m->first + m->frames, .pages = pages};
    h->page_of = memory_of_host(h->frames * sizeof(*h->page_of));
    h->used_at = memory_of_host(h->frames * sizeof(*h->used_at));
    h->frame_of = memory_of_host(pages * sizeof(*h->frame_of));
    return h->page_of && h->used_at && h->frame_of ? 0 : -ENOMEM;
}

static inline void horizon_fini(struct horizon *h) {
    memory_to_host(h->page_of, h->frames * sizeof(*h->page_of));
    memory_to_host(h->used_at, h->frames * sizeof(*h->used_at));
    memory_to_host(h->frame_of, h->pages * sizeof(*h->frame_of));
}

/* Where a page lies; EMT_NO_PA: it does not. */
static inline uint64_t horizon_frame(const struct horizon *h, uint64_t page) {
    return h->frame_of[page] ? h->frame_of[page] - 1ull : EMT_NO_PA;
}

/* A page that will be used soon, and, when that has come, its frame: into the host's caches. */
static inline void horizon_prefetch(const struct horizon *h, uint64_t page) {
    __builtin_prefetch(&h->frame_of[page]);
}

static inline void horizon_prefetch_frame(const struct horizon *h, uint64_t page) {
    if (h->frame_of[page])
        __builtin_prefetch(&h->used_at[h->frame_of[page] - 1ull], 1);
}

static inline void horizon_evict(struct horizon *h, uint64_t pfn) {
    h->frame_of[h->page_of[pfn] - 1] = 0;
    h->page_of[pfn] = 0;
    memory_give(h->m, pfn);
    h->swapped++;
}

/* The page of [pfn, pfn + n) that was used longest ago; all are in use. */
static inline uint64_t horizon_oldest(const struct horizon *h, uint64_t pfn, uint64_t n, uint64_t best) {
    for (uint64_t i = pfn; i < pfn + n; i++)
        if (h->page_of[i] && (best == EMT_NO_PA || h->used_at[i] < h->used_at[best]))
            best = i;
    return best;
}

/* Frames that are free or hold a ghost: a page used before the horizon. */
static inline unsigned horizon_not_live(void *ctx, uint64_t pfn, unsigned n) {
    const struct horizon *h = ctx;
    unsigned count = 0;

    for (uint64_t i = pfn; i < pfn + n; i++)
        count += !h->page_of[i] || h->used_at[i] < h->horizon;
    return count;
}

/* The frame to evict for a page for which `place` was the answer, none of its frames being free. */
static inline uint64_t horizon_victim(struct horizon *h, uint64_t page, const struct emt_place *place) {
    struct emt_place live;
    uint64_t victim = EMT_NO_PA;
    const struct emt_place_query q = {.va = page << EMT_PAGE_SHIFT,
                                      .bytes = EMT_PAGE_BYTES,
                                      .asid = h->m->tdb.asid,
                                      .node = -1,
                                      .free_frames = horizon_not_live,
                                      .ctx = h};

    emt_tdb_place(&h->m->tdb, &q, &live); /* now the back yards are in the order of their live pages */
    if (horizon_not_live(h, live.run[1].pfn, MOSAIC_BACK))
        return horizon_oldest(h, live.run[1].pfn, MOSAIC_BACK, EMT_NO_PA);
    for (unsigned i = 0; i < place->runs; i++)
        victim = horizon_oldest(h, place->run[i].pfn, place->run[i].frames, victim);
    if (h->used_at[victim] > h->horizon)
        h->horizon = h->used_at[victim];
    return victim;
}

/* An access to a page, which is brought in if need be. true: there was a conflict. */
static inline bool horizon_use(struct horizon *h, uint64_t page) {
    struct emt_place place;
    uint64_t pfn = horizon_frame(h, page), victim;
    bool conflict = false;

    h->clock++;
    if (pfn != EMT_NO_PA) {
        h->used_at[pfn] = h->clock;
        return false;
    }
    memory_ask(h->m, page, &place);
    if (!memory_free_in(h->m, place.run[0].pfn, MOSAIC_FRONT)) {
        victim = horizon_oldest(h, place.run[0].pfn, MOSAIC_FRONT, EMT_NO_PA);
        if (h->used_at[victim] < h->horizon) {
            horizon_evict(h, victim);
        } else if (!memory_free_in(h->m, place.run[1].pfn, MOSAIC_BACK)) {
            conflict = true;
            horizon_evict(h, horizon_victim(h, page, &place));
        }
    }
    pfn = memory_take_first(h->m, &place);
    h->page_of[pfn] = (uint32_t)page + 1;
    h->frame_of[page] = (uint32_t)pfn + 1;
    h->used_at[pfn] = h->clock;
    return conflict;
}

#endif
