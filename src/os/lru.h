/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lists of user frames in order of their use, for whoever must choose what leaves memory. Eight bytes for each
 * frame, in a sparse mapping: what was never allocated costs nothing. A list is touched when a frame is allocated,
 * freed or looked at by reclaim, and never by an access.
 */
#ifndef EMT_OS_LRU_H
#define EMT_OS_LRU_H

#include <stdint.h>

#include "os/frames.h"

/* A frame on a list, or, with Horizon LRU, which has no lists, what is known of its use. */
union lru_entry {
    struct {
        uint32_t next, prev; /* pfn + 1; 0: none */
    } link;
    struct {
        uint32_t stamp;  /* of its last use that was seen, in allocations */
        int16_t freq;    /* running mean of how often it was found used; 0 and more: hot */
        uint8_t history; /* one bit for each scan: was it used? The last scan is bit 0 */
        uint8_t unused;
    } use;
};
_Static_assert(sizeof(union lru_entry) == 8, "one for each frame of the machine");

/* 32 bits name a frame: memory that is larger than this has no reclaim. */
#define LRU_MAX_FRAMES 0xfffffffeull

/*
 * Where a frame's entry is, from `e` on. Those of frames at multiples of 2 MiB lie side by side in front of e: one
 * of ours for each page of 2 MiB would else be all that is used of 4 KiB of the host.
 */
#define LRU_HEAD_FRAMES 512
static inline union lru_entry *lru_at(union lru_entry *e, uint64_t pfn) {
    return pfn % LRU_HEAD_FRAMES ? e + pfn : e - 1 - pfn / LRU_HEAD_FRAMES;
}
/* Entries in front of e, for so many frames. */
static inline uint64_t lru_heads(uint64_t frames) {
    return frames / LRU_HEAD_FRAMES + 1;
}

struct lru_list {
    uint32_t first, last; /* pfn + 1; the first was added last */
    uint64_t pages;       /* of 4 KiB: an allocation of 2 MiB counts 512 */
};

void lru_add(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages);
void lru_add_tail(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages);
void lru_del(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages);

#endif
