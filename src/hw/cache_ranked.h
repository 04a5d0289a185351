/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A set of a data cache with LRU and up to 16 ways, so that an access costs the host a few instructions: no loop
 * over ways, and a miss does not look at the lines at all.
 *
 *     struct cache_ranks, 32 bytes a set             struct cache.word, 8 bytes a line
 *     +---------------------+---------------------+  +------+------+-- --+------+
 *     | hash of each way's  | how many ways were  |  | way 0| way 1|     |      |
 *     | line, 16 * 8 bits   | used since, 16 * 8  |  +------+------+-- --+------+
 *     +---------------------+---------------------+
 *
 * One compare of 16 bytes with the hash gives the ways where the line may be; its word says whether it is. The
 * ranks are a permutation of 0 (used last) to ways - 1 (the victim); ways that do not exist have rank 127. At the
 * start the lowest way has the highest rank: empty ways are filled from 0 up, before anything is pushed out.
 */
#ifndef EMT_HW_CACHE_RANKED_H
#define EMT_HW_CACHE_RANKED_H

#include "hw/cache_private.h"

#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>

#define CACHE_HAS_RANKED 1
#define CACHE_NO_WAY     127

typedef __m128i cache_hash;

/* The hash of a line, 16 times: the upper byte of a product with 2^64 / golden ratio (Knuth, TAOCP 3, 6.4), which
   depends on all bits of the line. */
static inline cache_hash ranked_hash(uint64_t line) {
    return _mm_set1_epi8((char)(line * 0x9e3779b97f4a7c15u >> 56));
}

static inline __m128i ranked_load(const uint8_t *bytes) {
    return _mm_load_si128((const __m128i *)(const void *)bytes);
}

static inline void ranked_store(uint8_t *bytes, __m128i v) {
    _mm_store_si128((__m128i *)(void *)bytes, v);
}

static inline unsigned ranked_first(__m128i mask) {
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(mask));
}

static inline void ranked_init(struct cache *c) {
    for (uint64_t set = 0; set < c->sets; set++)
        for (unsigned way = 0; way < CACHE_RANKED_WAYS; way++)
            c->ranks[set].rank[way] = (uint8_t)(way < c->ways ? c->ways - 1 - way : CACHE_NO_WAY);
}

/* This way (all ones in `mask`), whose rank is `rank`, is used: those that were used after it grow older. */
static inline void ranked_touch(struct cache_ranks *r, __m128i mask, __m128i rank) {
    __m128i ranks = ranked_load(r->rank);
    ranks = _mm_sub_epi8(ranks, _mm_cmplt_epi8(ranks, rank)); /* true is -1 */
    ranked_store(r->rank, _mm_andnot_si128(mask, ranks));
}

/* A bit for each way where the line may be: about one in 256 other lines has the same hash. */
static inline unsigned ranked_ways(const struct cache *c, uint64_t set, cache_hash hash) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(ranked_load(c->ranks[set].tag), hash)) & c->ways_mask;
}

/* All ones in this way's byte, else 0. */
static inline __m128i ranked_mask(unsigned way) {
    /* 16 bytes from [15 - way] on are 0 but for the one of the way */
    static const uint8_t window[31] __attribute__((aligned(32))) = {[15] = 0xff};
    return _mm_loadu_si128((const __m128i *)(const void *)(window + 15 - way));
}

/* The line of this way is used. Returns its word. */
static inline uint64_t *ranked_use(const struct cache *c, uint64_t set, unsigned way) {
    struct cache_ranks *r = &c->ranks[set];
    ranked_touch(r, ranked_mask(way), _mm_set1_epi8((char)r->rank[way]));
    return &c->word[set * c->stride + way];
}

/* As cache_plain_find(). */
static inline uint64_t *ranked_find(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash) {
    for (unsigned ways = ranked_ways(c, set, hash); ways; ways &= ways - 1) {
        unsigned way = (unsigned)__builtin_ctz(ways);
        if (__builtin_expect(cache_word_is(c->word[set * c->stride + way], line), 1))
            return ranked_use(c, set, way);
    }
    return NULL;
}

/* As cache_plain_fill(). */
static inline uint64_t ranked_fill(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash,
                                   bool dirty) {
    struct cache_ranks *r = &c->ranks[set];
    __m128i oldest = _mm_set1_epi8((char)(c->ways - 1)), mask = _mm_cmpeq_epi8(ranked_load(r->rank), oldest);
    uint64_t *word = &c->word[set * c->stride + ranked_first(mask)], old = *word;

    *word = cache_word(line, dirty);
    ranked_store(r->tag, _mm_or_si128(_mm_and_si128(mask, hash), _mm_andnot_si128(mask, ranked_load(r->tag))));
    ranked_touch(r, mask, oldest);
    return old;
}

/* A byte, 16 times: shorter than making it. */
#define ROW(n)                                                                                                     \
    { n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n }
static const uint8_t spread[16][16]
    __attribute__((aligned(16))) = {ROW(0), ROW(1), ROW(2),  ROW(3),  ROW(4),  ROW(5),  ROW(6),  ROW(7),
                                    ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15)};

/*
 * Find the line of `op`, a cache_word(), and use it, or fill it: true: it was there. *old is the word that was in
 * its place. Hits and misses take the same path, since the host cannot predict which it will be; only a line with
 * another's hash takes another one.
 */
static inline __attribute__((always_inline)) bool ranked_access(const struct cache *c, uint64_t set, uint64_t op,
                                                                uint64_t *old) {
    struct cache_ranks *r = &c->ranks[set];
    uint64_t *words = c->word + set * c->stride;
    cache_hash hash = ranked_hash(op >> 2);
    __m128i tags = ranked_load(r->tag), ranks = ranked_load(r->rank), mask;
    unsigned may = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, hash)) & c->ways_mask;
    unsigned oldest = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(ranks, _mm_set1_epi8((char)(c->ways - 1)))) << 16;
    unsigned way = (unsigned)__builtin_ctz(may | oldest) % 16;
    uint64_t word = words[way];
    bool hit = !((word ^ op) & ~CACHE_DIRTY);

    unsigned others = may & ((unsigned)hit - 1u); /* a line with the same hash is not it, perhaps the next one is */
    __asm__("" : "+r"(others));                   /* one branch that is seldom taken, not two */
    if (__builtin_expect(others != 0, 0)) {
        do {
            may &= may - 1;
            way = (unsigned)__builtin_ctz(may | oldest) % 16;
            word = words[way];
            hit = !((word ^ op) & ~CACHE_DIRTY);
        } while (!hit && may);
    }
    *old = word;
    words[way] = op | (word & CACHE_DIRTY & -(uint64_t)hit);
    mask = ranked_mask(way);
    ranked_store(r->tag, _mm_or_si128(_mm_and_si128(mask, hash), _mm_andnot_si128(mask, tags)));
    ranks = _mm_sub_epi8(ranks, _mm_cmplt_epi8(ranks, ranked_load(spread[r->rank[way]])));
    ranked_store(r->rank, _mm_andnot_si128(mask, ranks));
    return hit;
}

#else /* no cache is ranked: only the names are needed */

#define CACHE_HAS_RANKED 0

typedef char cache_hash;

static inline cache_hash ranked_hash(uint64_t line) {
    (void)line;
    return 0;
}

static inline void ranked_init(struct cache *c) {
    (void)c;
}

static inline unsigned ranked_ways(const struct cache *c, uint64_t set, cache_hash hash) {
    (void)c, (void)set, (void)hash;
    return 0;
}

static inline uint64_t *ranked_use(const struct cache *c, uint64_t set, unsigned way) {
    (void)c, (void)set, (void)way;
    return NULL;
}

static inline uint64_t *ranked_find(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash) {
    (void)c, (void)set, (void)line, (void)hash;
    return NULL;
}

static inline uint64_t ranked_fill(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash,
                                   bool dirty) {
    (void)c, (void)set, (void)line, (void)hash, (void)dirty;
    return 0;
}

static inline bool ranked_access(const struct cache *c, uint64_t set, uint64_t op, uint64_t *old) {
    (void)c, (void)set, (void)op;
    *old = 0;
    return false;
}

#endif
#endif
