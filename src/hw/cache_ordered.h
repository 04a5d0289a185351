/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ordered sets: LRU with up to 16 ways, so that a set is a vector or a few of the host. Its lines stand in the
 * order of their last use, 32 bits each, in 8 or 16 places of which the first `ways` are used.
 *
 *       31   30             0         place 0                        ways - 1
 *     +-----+----------------+      +---------+------+-- --+------+---------+-- --+
 *     |dirty| as in cache.h's|      |used last|      |     |      |the next | none|
 *     |     | words          |      |         |      |     |      |to go    |     |
 *     +-----+----------------+      +---------+------+-- --+------+---------+-- --+
 *
 * A line that is found at place p moves to place 0, and those before it one place on. A line that is not there is
 * put into place 0 and all move on, over the last one: the same as if it had been found in the last place. So a
 * hit and a miss are the same few instructions without a branch, which matters since the host cannot predict which
 * it will be. An empty place holds a line that does not exist, CACHE_NO_LINE; those are at the end, and go first.
 * The line's low bits need no place: they are the same for all lines of a set.
 *
 * A file that includes this has defined SETS_TARGET (hw/cache_pass.h) and
 *
 *     uint32_t ordered_find(const uint32_t *set, unsigned places, uint32_t tag)
 *     void ordered_move(uint32_t *set, unsigned places, uint32_t at, uint32_t tag)
 *
 * the first of which returns a bit for each place that holds this line, dirty or not; the second puts the tag into
 * place 0, and what is in the places before that of the lowest bit of `at` one on.
 */
#include "hw/cache_private.h"

static inline __attribute__((always_inline)) SETS_TARGET bool sets_use(struct cache *c, unsigned places,
                                                                       uint64_t word, uint64_t *old) {
    uint32_t *set = c->tag + cache_set_of(c, word) * places, tag = (uint32_t)word;
    uint32_t found = ordered_find(set, places, tag), at = found | 1u << (c->ways - 1);
    uint32_t miss = !found, was = set[__builtin_ctz(at)];

    ordered_move(set, places, at, tag | (was & (miss - 1)));
    *old = was | CACHE_WRITE_BACK | (word & c->low_mask);
    return !miss;
}

/* Always inlined: GCC drops the call of a function that does nothing else. */
static inline __attribute__((always_inline)) SETS_TARGET void sets_prefetch(const struct cache *c, uint64_t word) {
    __builtin_prefetch(c->tag + cache_set_of(c, word) * c->stride, 1);
}

#include "hw/cache_pass.h"

static SETS_TARGET bool use(struct cache *c, uint64_t word, uint64_t *old) {
    return c->stride == 8 ? sets_use(c, 8, word, old) : sets_use(c, 16, word, old);
}

static SETS_TARGET void pass(struct cache *c, const struct cache_ops *in, struct cache_ops *out, uint32_t *cycles) {
    bool mask = !c->reciprocal;
    if (c->stride == 8 && mask && c->level == CACHE_L1)
        sets_pass(c, in, out, cycles, 8, true, true);
    else if (c->stride == 8 && mask)
        sets_pass(c, in, out, cycles, 8, false, true);
    else if (mask)
        sets_pass(c, in, out, cycles, 16, false, true);
    else
        sets_pass(c, in, out, cycles, c->stride, false, false);
}
