/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Ordered sets (hw/cache_ordered.h) with AVX2: a set is one register or two. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define SETS_TARGET __attribute__((target("avx2,bmi")))

static inline __attribute__((always_inline)) SETS_TARGET __m256i load(const uint32_t *eight) {
    return _mm256_load_si256((const __m256i *)(const void *)eight);
}

static inline __attribute__((always_inline)) SETS_TARGET void store(uint32_t *eight, __m256i v) {
    _mm256_store_si256((__m256i *)(void *)eight, v);
}

static inline __attribute__((always_inline)) SETS_TARGET uint32_t find8(const uint32_t *set, uint32_t tag) {
    __m256i dirty = _mm256_set1_epi32(INT32_MIN), equal;
    equal = _mm256_cmpeq_epi32(_mm256_or_si256(load(set), dirty), _mm256_set1_epi32((int)tag | INT32_MIN));
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
}

static inline __attribute__((always_inline)) SETS_TARGET uint32_t ordered_find(const uint32_t *set, unsigned places,
                                                                               uint32_t tag) {
    return places == 8 ? find8(set, tag) : find8(set, tag) | find8(set + 8, tag) << 8;
}

/* Eight places one on, the last to the first. */
static inline __attribute__((always_inline)) SETS_TARGET __m256i turn(__m256i v) {
    return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6));
}

static inline __attribute__((always_inline)) SETS_TARGET void ordered_move(uint32_t *set, unsigned places,
                                                                           uint32_t at, uint32_t tag) {
    /* eight from [15 - place] on are all ones up to the place */
    static const int32_t window[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int32_t *moves = window + 15 - __builtin_ctz(at);
    __m256i low = load(set), turned = turn(low), first = _mm256_castsi128_si256(_mm_cvtsi32_si128((int)tag));

    if (places == 16) {
        __m256i high = load(set + 8), on = _mm256_blend_epi32(turn(high), turned, 1);
        store(set + 8,
              _mm256_blendv_epi8(high, on, _mm256_loadu_si256((const __m256i *)(const void *)(moves + 8))));
    }
    turned = _mm256_blend_epi32(turned, first, 1);
    store(set, _mm256_blendv_epi8(low, turned, _mm256_loadu_si256((const __m256i *)(const void *)moves)));
}

#include "hw/cache_ordered.h"

const struct cache_sets cache_sets_avx2 = {use, pass};
#endif
