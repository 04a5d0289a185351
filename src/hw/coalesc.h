/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Coalesced TLB entries: one entry for up to k neighbouring pages of 4 KiB that are contiguous in physical memory
 * too ("CoLT: Coalesced Large-Reach TLBs", MICRO'12; the set-associative variant, CoLT-SA).
 *
 *     va     | group = page / k    | page in it | offset |          set = group mod sets
 *     entry  | tag: ASID, group | base frame | rights | valid, a bit for each of k pages |
 *
 *     walk ──> line of 8 entries:  [7][6][5][4] [3][2][1][0]      k = 4: those of the same four that lie at the
 * same └──── coalesced ──┘      distance and have the same attributes
 *
 * Nothing is read for it: the walk's last line holds the neighbours (emt_walker_ops.line_pages). Neighbours whose A
 * is clear are left out, as hardware may only cache what was accessed. Invalidating a page drops the whole entry.
 *
 * Here an entry is a row of k ordinary entries (struct tlb_entry), one for each page that is valid, so that hints
 * point at the page's and a hit costs what it does in any TLB. An entry was last used when the latest of them was.
 * Larger pages take an entry each, not coalesced.
 */
#ifndef EMT_HW_COALESC_H
#define EMT_HW_COALESC_H

#include "hw/tlb.h"

#define COALESC_MAX 8u /* pages of an entry: what a line of the tables holds */

/* Make a TLB that has no entries yet one of k pages an entry, a power of two up to COALESC_MAX. -EINVAL, -ENOMEM.
 */
int coalesc_init(struct tlb *t, unsigned k);

/* The page's own entry that answers for key, or NULL. Not a use. */
struct tlb_entry *coalesc_find(const struct tlb *t, uint64_t key);
/* Pages of the key's aligned eight that its entry holds, bit i for the i-th. */
unsigned coalesc_run(const struct tlb *t, const struct tlb_entry *e);
/*
 * As tlb_insert(). `run`: pages of the key's aligned eight that lie at the same distance and have the same flags;
 * it counts for pages of 4 KiB. Entries that hold one of them go. *old stands for all pages of the evicted entry.
 */
struct tlb_entry *coalesc_insert(struct tlb *t, uint64_t key, unsigned class, unsigned run, uint64_t frame,
                                 bool global, struct tlb_entry *old);

/* As tlb_drop() and its kin; a whole entry each. */
void coalesc_drop(struct tlb *t, struct tlb_entry *e);
void coalesc_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last);
void coalesc_drop_asid(struct tlb *t, uint16_t asid);
void coalesc_drop_all(struct tlb *t, bool globals_too);

#endif
