/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The range TLB of redundant memory mappings (ISCA'15): a few entries, fully associative, each for a stretch of any
 * length that is contiguous in physical memory too.
 *
 *     va ──> L1 TLBs ──miss──┬──> L2 TLBs ───────┬──hit──> fill L1
 *                            └──> range TLB ─────┘         (a page of 4 KiB around the address)
 *                                       ^        └─both miss──> walk ··> range table, in the background ··┐
 *                                       └·······················································─────────┘
 *
 *     entry  | ASID | first | last | physical - virtual | rights |     two comparators each: first <= va <= last
 *
 * It is asked only after a miss in level 1, at the same time as level 2: its comparators are too slow for level 1.
 * An invalidation of any address in a range drops the whole entry.
 *
 * Ranges that lie in aligned blocks (anchors, ISCA'17) may choose a set by their block: then there are sets and
 * ways.
 */
#ifndef EMT_HW_RANGE_TLB_H
#define EMT_HW_RANGE_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "emt/driver.h"
#include "machine/config.h"

struct range_tlb_entry {
    struct emt_range range;
    uint64_t stamp;
    uint16_t asid;
    bool used;
};

struct range_tlb {
    struct range_tlb_entry *entry;
    uint32_t entries, ways; /* ways: of a set, when blocks choose sets */
    unsigned shift;         /* log2 of a block's bytes; 0: one set of all entries */
    uint64_t clock;
};

/* ways 0: fully associative. -EINVAL, -ENOMEM. */
int range_tlb_init(struct range_tlb *, uint32_t entries, uint32_t ways);
void range_tlb_fini(struct range_tlb *);

/* The range around va, or NULL; valid until the next change. Counts as a use. */
const struct emt_range *range_tlb_find(struct range_tlb *, uint16_t asid, uint64_t va);
/* Replaces what overlaps it; else the least recently used entry. */
void range_tlb_put(struct range_tlb *, uint16_t asid, const struct emt_range *);

/* All entries that touch [va, last], of the ASID or global. */
void range_tlb_drop_range(struct range_tlb *, uint16_t asid, uint64_t va, uint64_t last);
/* All of the ASID but global ones. */
void range_tlb_drop_asid(struct range_tlb *, uint16_t asid);
void range_tlb_drop_all(struct range_tlb *, bool globals_too);

#endif
