/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which way of a full set goes: one function for TLBs and MMU caches, whose entries carry the time of their last
 * use (a stamp; a counter that grows with each use; 0: never used).
 *
 * LRU takes the oldest stamp. Tree PLRU needs no tree: a node's bit points away from the half that was used last,
 * so it points to the half whose newest stamp is the older one (left when neither was ever used). With a number of
 * ways that is no power of two, each node splits its n ways into ceil(n / 2) on the left and the rest on the right.
 */
#ifndef EMT_HW_REPLACEMENT_H
#define EMT_HW_REPLACEMENT_H

#include <stdint.h>

#include "machine/config.h"

/* splitmix64 (Steele, Lea, Flood, OOPSLA'14): the state is the seed. */
static inline uint64_t hw_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A number below n < 2^32. */
static inline unsigned hw_random_below(uint64_t *state, uint32_t n) {
    return (unsigned)((hw_random(state) >> 32) * n >> 32);
}

/* hw_victim() of the policies but LRU. */
unsigned hw_other_victim(enum cfg_replacement policy, const uint64_t *stamp, unsigned stride, unsigned ways,
                         uint64_t *random);

/* The way to replace; the stamps of the `ways` entries lie `stride` words apart. */
static inline unsigned hw_victim(enum cfg_replacement policy, const uint64_t *stamp, unsigned stride, unsigned ways,
                                 uint64_t *random) {
    unsigned best = 0;
    uint64_t age = stamp[0];
    if (policy != CFG_LRU)
        return hw_other_victim(policy, stamp, stride, ways, random);
    for (unsigned way = 1; way < ways; way++) {
        uint64_t other = stamp[way * stride];
        best = other < age ? way : best;
        age = other < age ? other : age;
    }
    return best;
}

#endif
