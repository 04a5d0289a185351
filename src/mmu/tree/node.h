/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Nodes of a tree in which one or more levels of x86-64 paging share a node ("folded" or flattened).
 *
 *     fold 0    512 entries                 4 KiB    9 bits of the address     radix knows only these
 *     fold 1    512 * 512 entries           2 MiB   18 bits
 *     fold 2    512 * 512 * 512 entries     1 GiB   27 bits                    only walkers know these
 *
 * A node's level is that of its entries: a PD and PT in one node have level 1. What leads to a node says how it is
 * folded: an entry in bits 58..57 (FOLD), which radix ignores. In a folded node a page larger than one entry stands
 * in all entries that it covers, and there FOLD is the number of levels that the page is above the node's: 1 in
 * each of the 512 copies of a 2 MiB page among 4 KiB pages. Swap entries have no such bits to spare, and say it
 * in 2..1.
 *
 *     link   | FOLD: levels folded into the node it leads to
 *     leaf   | FOLD: levels above that of the node; 0 in nodes that are not folded, where the bits are the OS's
 *
 * A node is written down as its physical address | its fold.
 */
#ifndef EMT_MMU_TREE_NODE_H
#define EMT_MMU_TREE_NODE_H

#include "mmu/radix/format.h"

#define TREE_FOLD_FIRST      57
#define TREE_FOLD_WIDTH      2
#define TREE_FOLD_SWAP_FIRST 1 /* in swap entries */
#define TREE_FOLD_MASK       ((1ull << TREE_FOLD_WIDTH) - 1)

_Static_assert(TREE_FOLD_FIRST + TREE_FOLD_WIDTH == RADIX_SOFT_HIGH_FIRST + RADIX_SOFT_HIGH_WIDTH,
               "FOLD takes the highest of the OS's bits");
_Static_assert(TREE_FOLD_SWAP_FIRST + TREE_FOLD_WIDTH <= RADIX_PS_FIRST, "a marked swap entry stays one");

static inline unsigned tree_fold(uint64_t node) {
    return node & TREE_FOLD_MASK;
}

static inline uint64_t tree_node_pa(uint64_t node) {
    return node & ~(EMT_PAGE_BYTES - 1);
}

/* The node to which a link leads. */
static inline uint64_t tree_node_of(uint64_t link) {
    return radix_table_pa(link) | (link >> TREE_FOLD_FIRST & TREE_FOLD_MASK);
}

static inline unsigned tree_entries(uint64_t node) {
    return 1u << RADIX_INDEX_BITS * (tree_fold(node) + 1);
}

/* Frames of a node: 2^order. */
static inline unsigned tree_order(uint64_t node) {
    return RADIX_INDEX_BITS * tree_fold(node);
}

static inline unsigned tree_index(uint64_t node, uint64_t va, unsigned level) {
    return va >> radix_shift(level) & (tree_entries(node) - 1);
}

static inline uint64_t tree_slot_pa(uint64_t node, uint64_t va, unsigned level) {
    return tree_node_pa(node) + sizeof(uint64_t) * tree_index(node, va, level);
}

/* What a leaf in a folded node is above the node's level. */
static inline unsigned tree_leaf_rise(uint64_t entry) {
    return entry >> (radix_is_swap(entry) ? TREE_FOLD_SWAP_FIRST : TREE_FOLD_FIRST) & TREE_FOLD_MASK;
}

static inline uint64_t tree_leaf_mark(uint64_t entry, unsigned rise) {
    return entry | (uint64_t)rise << (radix_is_swap(entry) ? TREE_FOLD_SWAP_FIRST : TREE_FOLD_FIRST);
}

static inline uint64_t tree_leaf_plain(uint64_t entry) {
    return entry & ~(TREE_FOLD_MASK << (radix_is_swap(entry) ? TREE_FOLD_SWAP_FIRST : TREE_FOLD_FIRST));
}

#endif
