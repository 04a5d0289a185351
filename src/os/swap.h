/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Swap: slots of 4 KiB on one device, who refers to each, and the swap cache, which is both directions of one
 * relation:
 *
 *     tables, shmem files ── count ──> slot <── cached ── frame      cached: the frame shows what the slot holds,
 * or something newer that only this frame has
 *
 * Invariant: a cached frame whose slot somebody else still refers to (count > 0) is not newer than the slot, and
 * nobody may write to it.
 *
 * Host memory: 12 bytes for each slot and 4 for each frame, in sparse mappings: only what was used costs.
 */
#ifndef EMT_OS_SWAP_H
#define EMT_OS_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#define SWAP_NONE    0   /* no slot has this number */
#define SWAP_CLUSTER 256 /* slots given out in a row where they are free (Linux's SWAPFILE_CLUSTER) */

struct swap {
    uint64_t slots; /* including number 0, which is not one; 0: no swap */
    uint64_t used;
    uint64_t next, end; /* the rest of the cluster that slots come from now */
    uint16_t *cluster;  /* used slots in each */
    uint64_t clusters, cluster_hint;
    uint32_t *count;  /* of a slot: entries in tables and files that refer to it */
    uint32_t *cached; /* of a slot: pfn + 1 */
    uint32_t *shadow; /* of a slot: when its page was evicted */
    uint32_t *slot;   /* of a frame: the slot that it is cached for */
    uint64_t frames;
    uint64_t *content; /* of a slot, for tests */
};

/* 0 or -ENOMEM. */
int swap_init(struct swap *s, uint64_t bytes, uint64_t frames);
void swap_fini(struct swap *s);
/* A free slot, counted by nobody; SWAP_NONE: full. It must get a count or a frame before anything else is
   allocated, or swap_free(). */
uint64_t swap_alloc(struct swap *s);
void swap_free(struct swap *s, uint64_t slot);
void swap_get(struct swap *s, uint64_t slot);
/* One reference less. Returns true when none is left and no frame is cached: the slot is free. */
bool swap_put(struct swap *s, uint64_t slot);
void swap_cache(struct swap *s, uint64_t slot, uint64_t pfn);
/* The frame is no longer cached; frees the slot when nobody refers to it. */
void swap_uncache(struct swap *s, uint64_t pfn);
static inline bool swap_in_use(const struct swap *s, uint64_t slot) {
    return slot < s->slots && (s->count[slot] || s->cached[slot]);
}
static inline bool swap_half_full(const struct swap *s) {
    return s->used * 2 > s->slots;
}

#endif
