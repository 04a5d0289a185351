/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kit's random numbers: splitmix64 (Steele, Lea, Flood, OOPSLA'14): any seed is a good one. */
#ifndef EMT_CHECK_RANDOM_H
#define EMT_CHECK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t check_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n - 1. */
static inline uint64_t check_below(uint64_t *state, uint64_t n) {
    return (uint64_t)((unsigned __int128)check_random(state) * n >> 64);
}

/* True once in n. */
static inline bool check_one_in(uint64_t *state, uint64_t n) {
    return check_below(state, n) == 0;
}

#endif
