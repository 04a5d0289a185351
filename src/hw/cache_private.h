/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How a set of a data cache lies in memory, and the inline path of the commonest access: a hit in the line of an
 * L1D set that was used last.
 *
 * One word a line: its number, and two flags.
 *
 *      63                                   2   1     0
 *     +---------------------------------------+-----+-----+
 *     | physical address / line size          |dirty|valid|
 *     +---------------------------------------+-----+-----+
 *
 * The first word of a set is always the line used last, so that a second use of it changes no order and costs one
 * compare.
 *
 *     LRU      [0 .. ways - 1] the lines, [ways .. 2 * ways - 1] the times of their last use
 *     random   [0 .. ways - 1] the lines
 *     PLRU     [0] a copy of the line used last (its dirty bit is the one that counts), [1 .. ways] the ways,
 *              [ways + 1] the tree's bits, [ways + 2] which way [0] is
 *
 * With LRU and random a line that is used changes places with the first: in which way of the hardware a line lies
 * cannot be seen from outside.
 */
#ifndef EMT_HW_CACHE_PRIVATE_H
#define EMT_HW_CACHE_PRIVATE_H

#include "hw/cache.h"

#define CACHE_VALID 1ull
#define CACHE_DIRTY 2ull

struct cache {
    uint64_t *word;          /* sets * stride */
    uint64_t sets, set_mask; /* set_mask: sets - 1 when that is a mask, else 0 */
    uint32_t ways, stride;
    uint32_t hit_cycles;
    enum cfg_replacement replacement;
    uint64_t random, clock; /* clock: LRU's time */
    struct cache_counts counts;
};

struct cache_core {
    /* of the L1D; without one, or with sets that are no power of two, a word that matches nothing */
    uint64_t *l1_word, l1_set_mask;
    uint32_t l1_stride, line_shift;
    uint64_t l1_hits[CACHE_USERS]; /* by the inline path; the others are in the cache's own counts */
    uint64_t nothing;

    struct cache *level[3];    /* NULL: absent */
    unsigned top, walk_top;    /* level where accesses and walks enter; 3: memory */
    uint32_t memory_cycles[2]; /* local, remote: round trip */
    uint64_t node_bytes;
    unsigned node, nodes;
};

/*
 * A hit on the line of its L1D set that was used last. false: cache_access() must do it; nothing has changed then.
 * Pass constants for `write` and `user`.
 */
static inline bool cache_l1_hit(struct cache_core *c, uint64_t pa, bool write, enum cache_user user) {
    uint64_t line = pa >> c->line_shift;
    uint64_t *first = c->l1_word + (line & c->l1_set_mask) * c->l1_stride;
    if (__builtin_expect((*first & ~CACHE_DIRTY) != (line << 2 | CACHE_VALID), 0))
        return false;
    if (write)
        *first |= CACHE_DIRTY;
    c->l1_hits[user]++;
    return true;
}

static inline bool cache_data_hit(struct cache_core *c, uint64_t pa, bool write) {
    return cache_l1_hit(c, pa, write, CACHE_DATA);
}

#endif
