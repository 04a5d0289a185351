/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What frames_free() is going to read, asked for while others are being freed. The frames of a program that went
 * over its memory at random lie scattered, and each of these is a wait for the memory of the host otherwise:
 *
 *     step 0   the bits of the frame's block, and where the records of its neighbourhood are
 *          1   its record; its buddy's is beside it
 *          2   the buddy is free: it will leave its list, so the same of its two neighbours there
 *          3   and their records
 *
 * Only hints: any of it may have changed by then.
 */
#include "os/frames_private.h"

static void want(const void *p) {
    __builtin_prefetch(p, 1);
}

static void want_split(const struct frames *f, uint64_t pfn) {
    const struct block *b = block_of(f, pfn);
    const unsigned g = pfn % BLOCK_FRAMES / GROUP_FRAMES;

    if (b->state != BLOCK_SPLIT)
        return;
    const struct split *s = split_of(f, b);
    want(&s->free[g]);
    want(&s->head[g]);
    want(&s->group[g]);
}

static void want_record(const struct frames *f, uint64_t pfn) {
    want(record_of(f, pfn));
}

/* The list neighbours of a single free frame go to `step`. */
static void neighbours(const struct frames *f, uint64_t pfn, void (*step)(const struct frames *, uint64_t)) {
    const struct block *b = block_of(f, pfn);

    if (b->state != BLOCK_SPLIT || !piece_is_free(f, split_of(f, b), pfn % BLOCK_FRAMES, 0))
        return;
    const union record *r = record_of(f, pfn);
    if (r->link.next)
        step(f, r->link.next - 1);
    if (link_prev(r))
        step(f, link_prev(r) - 1);
}

void frames_soon(const struct frames *f, uint64_t pfn, unsigned step) {
    switch (step) {
    case 0:
        want_split(f, pfn);
        break;
    case 1:
        want_record(f, pfn);
        break;
    case 2:
        neighbours(f, pfn ^ 1, want_split);
        break;
    default:
        neighbours(f, pfn ^ 1, want_record);
    }
}
