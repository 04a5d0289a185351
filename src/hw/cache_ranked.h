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
 *
 * An L1D also has a word for each set outside of it, the front: a copy of the word of the line used last, for
 * cache_l1_hit(). Its dirty bit is the one that counts; it goes back when another line becomes the last one.
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

/* The front's word goes back into its way: the one of rank 0. */
static inline void ranked_put_front_back(const struct cache *c, uint64_t set, uint64_t *word) {
    word[ranked_first(_mm_cmpeq_epi8(ranked_load(c->ranks[set].rank), _mm_setzero_si128()))] = c->front[set];
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

/* The line of this way is used. Returns its word, which is the front if there is one. */
static inline uint64_t *ranked_use(const struct cache *c, uint64_t set, unsigned way, bool front) {
    /* 16 bytes from [15 - way] on are 0 but for the one of the way */
    static const uint8_t window[31] __attribute__((aligned(32))) = {[15] = 0xff};
    struct cache_ranks *r = &c->ranks[set];
    uint64_t *word = c->word + set * c->stride, *used = &word[way];

    if (front) {
        ranked_put_front_back(c, set, word);
        c->front[set] = *used;
        used = &c->front[set];
    }
    ranked_touch(r, _mm_loadu_si128((const __m128i *)(const void *)(window + 15 - way)),
                 _mm_set1_epi8((char)r->rank[way]));
    return used;
}

/* As cache_plain_find(). */
static inline uint64_t *ranked_find(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash,
                                    bool front) {
    for (unsigned ways = ranked_ways(c, set, hash); ways; ways &= ways - 1) {
        unsigned way = (unsigned)__builtin_ctz(ways);
        if (__builtin_expect(cache_word_is(c->word[set * c->stride + way], line), 1))
            return ranked_use(c, set, way, front);
    }
    return NULL;
}

/* As cache_plain_fill(). */
static inline uint64_t ranked_fill(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash, bool dirty,
                                   bool front) {
    struct cache_ranks *r = &c->ranks[set];
    uint64_t *word = c->word + set * c->stride, old;
    __m128i oldest = _mm_set1_epi8((char)(c->ways - 1)), mask = _mm_cmpeq_epi8(ranked_load(r->rank), oldest);
    unsigned way = ranked_first(mask);

    if (front) {
        ranked_put_front_back(c, set, word);
        c->front[set] = cache_word(line, dirty);
    }
    old = word[way];
    word[way] = cache_word(line, dirty);
    ranked_store(r->tag, _mm_or_si128(_mm_and_si128(mask, hash), _mm_andnot_si128(mask, ranked_load(r->tag))));
    ranked_touch(r, mask, oldest);
    return old;
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

static inline uint64_t *ranked_use(const struct cache *c, uint64_t set, unsigned way, bool front) {
    (void)c, (void)set, (void)way, (void)front;
    return NULL;
}

static inline uint64_t *ranked_find(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash,
                                    bool front) {
    (void)c, (void)set, (void)line, (void)hash, (void)front;
    return NULL;
}

static inline uint64_t ranked_fill(const struct cache *c, uint64_t set, uint64_t line, cache_hash hash, bool dirty,
                                   bool front) {
    (void)c, (void)set, (void)line, (void)hash, (void)dirty, (void)front;
    return 0;
}

#endif
#endif
