/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Ordered sets (hw/cache_ordered.h) on any host: four places at a time with SSE2, else one; and which host does
   better. */
#define SETS_TARGET

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>

static inline __m128i load(const void *four) {
    return _mm_loadu_si128((const __m128i *)four);
}

static inline uint32_t ordered_find(const uint32_t *set, unsigned places, uint32_t tag) {
    __m128i dirty = _mm_set1_epi32(INT32_MIN), line = _mm_or_si128(_mm_set1_epi32((int)tag), dirty), equal[4] = {0};
    for (unsigned i = 0; i < places / 4; i++)
        equal[i] = _mm_cmpeq_epi32(_mm_or_si128(load(set + 4 * i), dirty), line);
    equal[0] = _mm_packs_epi32(equal[0], equal[1]); /* true is -1 in any width */
    equal[2] = _mm_packs_epi32(equal[2], equal[3]);
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal[0], equal[2]));
}

static inline void ordered_move(uint32_t *set, unsigned places, uint32_t at, uint32_t tag) {
    /* from [15 - place] on: all ones up to the place */
    static const int32_t window[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int32_t *moves = window + 15 - __builtin_ctz(at);
    __m128i before = _mm_cvtsi32_si128((int)tag);

    for (unsigned i = 0; i < places; i += 4) {
        __m128i four = load(set + i), mask = load(moves + i), on = _mm_or_si128(_mm_slli_si128(four, 4), before);
        before = _mm_srli_si128(four, 12);
        on = _mm_or_si128(_mm_and_si128(mask, on), _mm_andnot_si128(mask, four));
        _mm_storeu_si128((__m128i *)(void *)(set + i), on);
    }
}

#else

static inline uint32_t ordered_find(const uint32_t *set, unsigned places, uint32_t tag) {
    uint32_t found = 0;
    for (unsigned i = 0; i < places; i++)
        found |= (uint32_t) !((set[i] ^ tag) << 1) << i;
    return found;
}

static inline void ordered_move(uint32_t *set, unsigned places, uint32_t at, uint32_t tag) {
    uint32_t moves = at ^ (at - 1);
    for (unsigned i = places - 1; i; i--)
        set[i] = set[i - (moves >> i & 1)];
    set[0] = tag;
}

#endif

#include "hw/cache_ordered.h"

const struct cache_sets cache_sets_ordered = {use, pass};

const struct cache_sets *cache_sets_of_host(unsigned number) {
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
    const struct cache_sets *can[2] = {avx2 ? &cache_sets_avx2 : &cache_sets_ordered,
                                       avx2 ? &cache_sets_ordered : NULL};
    return number < 2 ? can[number] : NULL;
#else
    return number ? NULL : &cache_sets_ordered;
#endif
}
