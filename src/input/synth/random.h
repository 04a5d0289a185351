/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Seeded randomness: a generator, and a permutation of 0..n-1 that needs no memory.
 *
 * Generator: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA'14).
 *
 * Permutation: a Feistel network (Luby, Rackoff 1988) of four rounds over the fewest bits that hold n numbers;
 * a result >= n is fed in again ("cycle walking": Black, Rogaway, CT-RSA 2002), on average less than twice.
 *
 *      i = [ left | right ]      left  ^= F0(right)     each line can be undone by itself,
 *                                right ^= F1(left)      whatever F is: so the whole is a bijection,
 *                                left  ^= F2(right)     also when the halves differ in width
 *                                right ^= F3(left)
 */
#ifndef EMT_SYNTH_RANDOM_H
#define EMT_SYNTH_RANDOM_H

#include <stdint.h>

#define SPLITMIX_STEP 0x9e3779b97f4a7c15ull

static inline uint64_t mix64(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline uint64_t random_next(uint64_t *state) {
    return mix64(*state += SPLITMIX_STEP);
}

/* A number below n, from 64 random bits. */
static inline uint64_t random_scale(uint64_t bits, uint64_t n) {
    return (uint64_t)((unsigned __int128)bits * n >> 64);
}

/* A number in [0, 1), 53 bits. */
static inline double random_unit(uint64_t *state) {
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

struct perm {
    uint64_t n;
    uint64_t left_mask, right_mask;
    unsigned right_bits;
    uint64_t key[4]; /* odd */
};

static inline void perm_init(struct perm *p, uint64_t n, uint64_t seed) {
    unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;

    p->n = n;
    p->right_bits = bits / 2;
    p->right_mask = (1ull << p->right_bits) - 1;
    p->left_mask = (1ull << (bits - p->right_bits)) - 1;
    for (int i = 0; i < 4; i++)
        p->key[i] = random_next(&seed) | 1;
}

static inline uint64_t perm_round(uint64_t half, uint64_t key) {
    uint64_t h = (half + 1) * key;

    return (h ^ h >> 32) * 0xd6e8feb86659fd93ull >> 32;
}

/* Where number i goes; i < n. */
static inline uint64_t perm_forward(const struct perm *p, uint64_t i) {
    do {
        uint64_t left = i >> p->right_bits, right = i & p->right_mask;

        left ^= perm_round(right, p->key[0]) & p->left_mask;
        right ^= perm_round(left, p->key[1]) & p->right_mask;
        left ^= perm_round(right, p->key[2]) & p->left_mask;
        right ^= perm_round(left, p->key[3]) & p->right_mask;
        i = left << p->right_bits | right;
    } while (i >= p->n);
    return i;
}

/* Which number came here: perm_forward(p, perm_inverse(p, i)) == i. */
static inline uint64_t perm_inverse(const struct perm *p, uint64_t i) {
    do {
        uint64_t left = i >> p->right_bits, right = i & p->right_mask;

        right ^= perm_round(left, p->key[3]) & p->right_mask;
        left ^= perm_round(right, p->key[2]) & p->left_mask;
        right ^= perm_round(left, p->key[1]) & p->right_mask;
        left ^= perm_round(right, p->key[0]) & p->left_mask;
        i = left << p->right_bits | right;
    } while (i >= p->n);
    return i;
}

#endif
