/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * SpOT: a speculative offset for a translation that no TLB has ("Enhancing and Exploiting Contiguity for Fast
 * Memory Virtualization", ISCA'20).
 *
 *     load at PC misses all TLBs ──┬──> table: PC ──> offset, rights, confidence ──> pa' = va + offset, go on
 *                                  └──> walk, nobody waits ──> pa:   pa == pa'  the walk was hidden
 *                                                                    pa != pa'  pipeline flush, as if not guessed
 *
 *     entry  | PC | offset pa - va | rights | confidence 0..max |      sets x ways, set = PC mod sets
 *
 * An instruction walks through one mapping for long, and an operating system that keeps mappings contiguous (CA
 * paging) gives a whole run one offset. The offset is that of the final translation: of a walk in two dimensions
 * too.
 *
 *   guess   the PC has an entry whose confidence is at least `predict`, and whose rights allow the access
 *   learn   the walk has found the same offset: confidence + 1, up to `max`; another one: - 1, and at 0 the entry
 * takes the new offset with confidence `initial` No entry: the least recently used of those with confidence 0, or
 * an empty one, is taken; none: nothing is learnt. Only pages that are marked contiguous (EMT_ATTR_CONTIG) get into
 * the table, so that others do not displace what can be predicted
 *
 * Where from: 32 entries, 4 ways, 2-bit counters that begin at 1, a guess from 2 on, a replacement at 0 only are
 * those of Virtuoso (github.com/CMU-SAFARI/Virtuoso), which quotes the paper's pages 7 and 8. That an entry at 0
 * takes the new offset is ours: otherwise it would be stuck while no other PC asks for its place.
 *
 * Entries carry no ASID: what another process left is at worst a wrong guess, and the walk catches it. Instruction
 * fetches are not guessed. What a wrong path leaves in the data caches is not modelled.
 */
#ifndef EMT_HW_SPOT_H
#define EMT_HW_SPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "emt/driver.h"
#include "machine/config.h"

struct spot_entry {
    uint64_t pc;     /* valid when used */
    uint64_t offset; /* pa - va, modulo 2^64 */
    uint64_t stamp;  /* of the last use */
    uint8_t confidence;
    bool used, write;
};

struct spot {
    struct cfg_spot cfg;
    struct spot_entry *entry; /* sets * ways */
    uint32_t sets;
    uint64_t clock;
};

/* -EINVAL: entries do not divide by ways. -ENOMEM. */
int spot_init(struct spot *, const struct cfg_spot *);
void spot_fini(struct spot *);

/* A guess of va's physical address for a load, or for a store. false: none. Changes nothing. */
bool spot_guess(const struct spot *, uint64_t pc, uint64_t va, bool store, uint64_t *pa);
/* What the walk found, not a fault. */
void spot_learn(struct spot *, uint64_t pc, const struct emt_walk *);

#endif
