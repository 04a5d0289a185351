/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Contiguous memory beyond the buddy allocator's largest order: some architectures want a table in one piece of
 * many megabytes. A run of free blocks of order 10 is looked for from the node's beginning and taken block by
 * block; each stays an allocation of its own in the buddy's eyes. Nothing is migrated to make room, so fragmented
 * memory refuses.
 */
#include "os/frames_private.h"

/* The lowest aligned run of `frames` free frames that begins in [from, to). */
static uint64_t find_run(const struct frames *f, uint64_t from, uint64_t to, uint64_t frames) {
    for (uint64_t run = (from + frames - 1) & ~(frames - 1); run < to && run + frames <= f->total; run += frames) {
        uint64_t pfn = run;

        while (pfn < run + frames && frames_free_in(f, pfn, PAIR_FRAMES) == PAIR_FRAMES)
            pfn += PAIR_FRAMES;
        if (pfn == run + frames)
            return run;
    }
    return FRAME_NONE;
}

uint64_t frames_alloc_large(struct frames *f, unsigned order, int node, enum os_use use) {
    const uint64_t near = node < 0 || (unsigned)node >= f->nodes ? 0 : (unsigned)node * f->node_frames;

    if (order <= FRAMES_MAX_ORDER || order >= 34 || f->total >> order == 0)
        return FRAME_NONE;
    uint64_t run = find_run(f, near, f->total, 1ull << order);
    if (run == FRAME_NONE)
        run = find_run(f, 0, near, 1ull << order);
    for (uint64_t i = 0; run != FRAME_NONE && i < 1ull << order; i += PAIR_FRAMES) {
        uint64_t pfn = frames_alloc_at(f, run + i, FRAMES_MAX_ORDER, FRAME_UNMOVABLE, use);
        assert(pfn == run + i); /* it was free a moment ago */
        (void)pfn;
    }
    return run;
}

void frames_free_large(struct frames *f, uint64_t pfn, unsigned order) {
    for (uint64_t i = 0; i < 1ull << order; i += PAIR_FRAMES)
        frames_free(f, pfn + i);
}
