/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Anchors ("Hybrid TLB Coalescing: Improving TLB Translation Coverage under Diverse Fragmented Memory Allocations",
 * ISCA'17): radix/format.h, and in every N-th entry of 4 KiB how many pages are contiguous from it on.
 *
 *   page    0 (anchor)  1  2 ... 7 | 8 ...        N (anchor) ...
 *   line   [58..57 of each of eight entries: 16 bits]
 *
 *            15    14     13 .......... 0
 *          |valid| dirty | pages - 1     |    bits 2i+1..2i are in entry i; valid when all eight pages are present
 *
 *   pages   contiguous from the anchor on, with equal rights; at least 8, at most N
 *   dirty   each of them is
 *
 *   CR3     word 0 of the registers, as radix has it
 *   N       word 1: log2 of the anchor distance in pages, 3 to 14
 */
#ifndef EMT_MMU_ANCHOR_FORMAT_H
#define EMT_MMU_ANCHOR_FORMAT_H

#include "mmu/radix/format.h"

#define ANCHOR_FIRST     57
#define ANCHOR_LEAF_BITS (3ull << ANCHOR_FIRST)
#define ANCHOR_WORDS     8u /* entries of a line, and the fewest pages that an anchor tells of */
#define ANCHOR_VALID     0x8000u
#define ANCHOR_DIRTY     0x4000u
#define ANCHOR_PAGES     0x3fffu
#define ANCHOR_LOG_MIN   3u
#define ANCHOR_LOG_MAX   14u

#define ANCHOR_ROOT_LOG 1 /* word of emt_root */

/* What the entries of a line say together, 0: nothing. */
static inline unsigned anchor_value(const uint64_t line[ANCHOR_WORDS]) {
    unsigned value = 0;

    if (!RADIX_GET(line[ANCHOR_WORDS - 1], P))
        return 0;
    for (unsigned i = 0; i < ANCHOR_WORDS; i++)
        value |= (unsigned)(line[i] >> ANCHOR_FIRST & 3) << 2 * i;
    return value & ANCHOR_VALID ? value : 0;
}

/* An entry with its part of the value. */
static inline uint64_t anchor_entry(uint64_t entry, unsigned value, unsigned i) {
    return (entry & ~ANCHOR_LEAF_BITS) | (uint64_t)(value >> 2 * i & 3) << ANCHOR_FIRST;
}

static inline uint64_t anchor_pages(unsigned value) {
    return value ? (value & ANCHOR_PAGES) + 1 : 0;
}

/* The anchor in front of an address. */
static inline uint64_t anchor_of(uint64_t va, unsigned log) {
    return va & ~((EMT_PAGE_BYTES << log) - 1);
}

#endif
