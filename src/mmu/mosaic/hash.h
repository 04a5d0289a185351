/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a page may lie (ASPLOS'23, Iceberg hashing): memory is a row of buckets of 64 frames, the first 56 of them
 * front yard, the last 8 back yard.
 *
 *     any bucket             a bucket of each sixth of the row
 *     [56 front | ........]  [......... | 8] [......... | 8] ...                56 + 6 * 8 = 104 frames
 *      hash 0                 hash 1          hash 2
 *
 * Tabulation hashing: for each byte of (ASID, page number) a table of 256 random words of 32 bits. Hash 0 is the
 * exclusive or of the words that the bytes choose; hash k that of the words k places further on, in the same
 * tables. A bucket is the 32-bit number's place in the row, or in its sixth: the hash times the buckets there,
 * without the lower 32 bits (how the paper's circuit reduces it is not known to us).
 *
 * That choice k has a sixth of its own is the artifact's (its patch for Linux), where the published utilisation was
 * measured: with equal yards the later one taken it is Voecking's "always go left" (J. ACM 2003), which keeps the
 * fullest yards emptier than six choices over all of the row would: 98.05 against 97.5 % at the first conflict.
 */
#ifndef EMT_MMU_MOSAIC_HASH_H
#define EMT_MMU_MOSAIC_HASH_H

#include "emt/types.h"

#define MOSAIC_BUCKET_FRAMES 64u
#define MOSAIC_FRONT         56u
#define MOSAIC_BACK          8u
#define MOSAIC_CHOICES       6u
#define MOSAIC_CANDIDATES    (MOSAIC_FRONT + MOSAIC_CHOICES * MOSAIC_BACK)
#define MOSAIC_NO_PAGE       0x7fu
#define MOSAIC_BACK_BIT      0x40u
#define MOSAIC_HASH_BYTES    7 /* 36 bits of page number in five, 16 of ASID in two */

/* Instructions of one hash in software: for each byte a shift, a mask with its addition, a load with its exclusive
   or. Counted, not measured. */
#define MOSAIC_HASH_INSTRUCTIONS (MOSAIC_HASH_BYTES * 4)

_Static_assert(MOSAIC_FRONT + MOSAIC_BACK == MOSAIC_BUCKET_FRAMES, "a bucket is its two yards");
_Static_assert((MOSAIC_BACK_BIT | MOSAIC_CHOICES << 3 | (MOSAIC_BACK - 1)) < MOSAIC_NO_PAGE && MOSAIC_FRONT < 64,
               "no frame has the code of none");

typedef uint32_t mosaic_tables[MOSAIC_HASH_BYTES][256];

extern const mosaic_tables mosaic_random; /* hash.c; fixed, as in hardware */

struct mosaic_memory {
    uint64_t first_pfn;
    uint32_t buckets;
};

static inline uint64_t mosaic_key(uint16_t asid, uint64_t va) {
    return (va & (~0ull >> (64 - 48))) >> EMT_PAGE_SHIFT | (uint64_t)asid << 40;
}

static inline uint32_t mosaic_hash(const mosaic_tables t, uint64_t key, unsigned k) {
    uint32_t h = 0;

    for (unsigned b = 0; b < MOSAIC_HASH_BYTES; b++)
        h ^= t[b][((key >> 8 * b) + k) & 0xff];
    return h;
}

/* Where the sixth of choice k + 1 begins. */
static inline uint32_t mosaic_sixth(const struct mosaic_memory *m, unsigned k) {
    return (uint32_t)((uint64_t)m->buckets * k / MOSAIC_CHOICES);
}

/* The bucket that a hash chooses for choice k. */
static inline uint32_t mosaic_place_of(const struct mosaic_memory *m, uint32_t hash, unsigned k) {
    const uint32_t first = k ? mosaic_sixth(m, k - 1) : 0, end = k ? mosaic_sixth(m, k) : m->buckets;

    return first + (uint32_t)((uint64_t)hash * (end - first) >> 32);
}

static inline uint32_t mosaic_bucket(const mosaic_tables t, const struct mosaic_memory *m, uint64_t key,
                                     unsigned k) {
    return mosaic_place_of(m, mosaic_hash(t, key, k), k);
}

/* The frame that a CPFN names, for the page of `key`. */
static inline uint64_t mosaic_frame(const mosaic_tables t, const struct mosaic_memory *m, uint64_t key,
                                    unsigned cpfn) {
    const unsigned k = cpfn & MOSAIC_BACK_BIT ? cpfn >> 3 & 7 : 0;
    const unsigned slot = k ? MOSAIC_FRONT + (cpfn & (MOSAIC_BACK - 1)) : cpfn;

    return m->first_pfn + (uint64_t)mosaic_bucket(t, m, key, k) * MOSAIC_BUCKET_FRAMES + slot;
}

/* The CPFN of a frame; MOSAIC_NO_PAGE: it is no candidate. */
static inline unsigned mosaic_compress(const mosaic_tables t, const struct mosaic_memory *m, uint64_t key,
                                       uint64_t pfn) {
    const uint64_t at = pfn - m->first_pfn, bucket = at / MOSAIC_BUCKET_FRAMES;
    const unsigned slot = at % MOSAIC_BUCKET_FRAMES;
    unsigned k = 0;

    if (pfn < m->first_pfn || bucket >= m->buckets)
        return MOSAIC_NO_PAGE;
    if (slot >= MOSAIC_FRONT)
        for (k = 1; k < MOSAIC_CHOICES && bucket >= mosaic_sixth(m, k);)
            k++;
    if (mosaic_bucket(t, m, key, k) != bucket)
        return MOSAIC_NO_PAGE;
    return k ? MOSAIC_BACK_BIT | k << 3 | (slot - MOSAIC_FRONT) : slot;
}

#endif
