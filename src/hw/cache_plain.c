/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets of a data cache the plain way: every replacement policy, any number of ways. Words of a set:
 *
 *     LRU      [0 .. ways - 1] the lines, [ways .. 2 * ways - 1] the times of their last use
 *     random   [0 .. ways - 1] the lines
 *     PLRU     [0] a copy of the line used last (its dirty bit is the one that counts), [1 .. ways] the ways,
 *              [ways + 1] the tree's bits, [ways + 2] which way [0] is
 *
 * The first word of a set is always the line used last, so that a second use of it changes no order and costs one
 * compare. With LRU and random a line that is used changes places with the first: in which way of
 * the hardware a line lies cannot be seen from outside.
 */
#include "hw/cache_private.h"

#include <stddef.h>

#include "hw/replacement.h"

/* A line's word here: nothing is 0. */
#define VALID 1ull
#define DIRTY 2ull

static inline uint64_t plain_word(uint64_t line, bool dirty) {
    return line << 2 | (dirty ? DIRTY : 0) | VALID;
}

uint32_t cache_plain_stride(const struct cfg_cache *cfg) {
    return cfg->ways + (cfg->replacement == CFG_PLRU ? 3 : cfg->replacement == CFG_LRU ? cfg->ways : 0);
}

/* Point the tree's bits on the way's path away from it. Node n parts the ways below n from the others; a node over
   k ways puts ceil(k / 2) of them on the left, as in hw/replacement.h. */
static void tree_touch(uint64_t *tree, unsigned ways, unsigned way) {
    for (unsigned first = 0, n = ways; n > 1;) {
        unsigned left = (n + 1) / 2, node = first + left;
        if (way < node) {
            *tree |= 1ull << node;
            n = left;
        } else {
            *tree &= ~(1ull << node);
            first = node;
            n -= left;
        }
    }
}

static unsigned tree_victim(uint64_t tree, unsigned ways) {
    unsigned first = 0;
    for (unsigned n = ways; n > 1;) {
        unsigned left = (n + 1) / 2;
        bool right = tree >> (first + left) & 1;
        first += right ? left : 0;
        n = right ? n - left : left;
    }
    return first;
}

/* PLRU: make this way the one used last, and give the former one its dirty bit back. */
static void plru_front(const struct cache *c, uint64_t *set, unsigned way) {
    uint64_t *tree = &set[c->ways + 1], *front = &set[c->ways + 2];
    if (set[0])
        set[1 + *front] = set[0];
    set[0] = set[1 + way];
    *front = way;
    tree_touch(tree, c->ways, way);
}

/* Where the line is, or `ways`. No early exit: the host would mispredict it, which costs more than all the
 * compares. */
static inline unsigned search(const uint64_t *tag, unsigned ways, uint64_t line) {
    uint64_t word = plain_word(line, true);
    unsigned found = ways;
    for (unsigned way = 0; way < ways; way++)
        found = (tag[way] | DIRTY) == word ? way : found;
    return found;
}

/* LRU and random: the line of this way becomes the first word, the first one takes its place. */
static inline void swap_front(struct cache *c, uint64_t *set, unsigned way, uint64_t word) {
    set[way] = set[0];
    set[0] = word;
    if (c->replacement == CFG_LRU) {
        uint64_t *stamp = set + c->ways;
        stamp[way] = stamp[0];
        stamp[0] = ++c->clock;
    }
}

/* Look the line up and, when it is there, make it the one used last: the set's first word. */
static bool find(struct cache *c, uint64_t *set, uint64_t line) {
    bool plru = c->replacement == CFG_PLRU;
    unsigned way = search(set + plru, c->ways, line);
    if (__builtin_expect(way == c->ways, 0))
        return false;
    if (__builtin_expect(plru, 0))
        plru_front(c, set, way);
    else
        swap_front(c, set, way, set[way]);
    return true;
}

static uint64_t plru_fill(struct cache *c, uint64_t *set, uint64_t word) {
    unsigned way = 0;
    if (set[0])
        set[1 + set[c->ways + 2]] = set[0]; /* its dirty bit, should it be the one to go */
    while (way < c->ways && set[1 + way])
        way++;
    if (way == c->ways)
        way = tree_victim(set[c->ways + 1], c->ways);
    uint64_t old = set[1 + way];
    set[1 + way] = word;
    set[0] = 0;
    plru_front(c, set, way);
    return old;
}

/* Put a line that is not there; returns the word of what it pushed out, 0: nothing. */
static uint64_t fill(struct cache *c, uint64_t *set, uint64_t word) {
    uint64_t old;
    unsigned way = 0;
    if (c->replacement == CFG_PLRU)
        return plru_fill(c, set, word);
    if (c->replacement == CFG_LRU)
        way = hw_victim(CFG_LRU, set + c->ways, 1, c->ways, NULL); /* an empty one has stamp 0 */
    else if (set[c->ways - 1])
        way = hw_random_below(&c->random, c->ways);
    else
        while (set[way])
            way++;
    old = set[way];
    swap_front(c, set, way, word);
    return old;
}

static inline bool sets_use(struct cache *c, unsigned places, uint64_t word, uint64_t *old) {
    uint64_t line = cache_line(word, c->low), *set = c->word + cache_set_of(c, word) * c->stride;
    bool dirty = word & CACHE_DIRTY;
    (void)places;
    if (find(c, set, line)) {
        *set |= dirty ? DIRTY : 0;
        *old = 0;
        return true;
    }
    uint64_t out = fill(c, set, plain_word(line, dirty));
    line = out >> 2;
    *old = CACHE_WRITE_BACK | (line >> c->low & CACHE_TAG) | (line << -c->low % 64 & c->low_mask) |
           (out & DIRTY ? CACHE_DIRTY : 0);
    return false;
}

/* The first 16 words. */
static inline __attribute__((always_inline)) void sets_prefetch(const struct cache *c, uint64_t word) {
    const uint64_t *set = c->word + cache_set_of(c, word) * c->stride;
    __builtin_prefetch(set, 1);
    __builtin_prefetch(set + (c->stride < 16 ? c->stride : 16) - 1, 1);
}

#define SETS_TARGET
#include "hw/cache_pass.h"

static bool use(struct cache *c, uint64_t word, uint64_t *old) {
    return sets_use(c, 0, word, old);
}

static void pass(struct cache *c, const struct cache_ops *in, struct cache_ops *out, uint32_t *cycles) {
    sets_pass(c, in, out, cycles, 0, c->level == CACHE_L1, false);
}

const struct cache_sets cache_sets_plain = {use, pass};
