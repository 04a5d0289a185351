/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A hashed page table with clustered, compacted entries and open addressing ("Hash, Don't Cache (the Page Table)",
 * SIGMETRICS'16; clusters: Talluri, Hill, Khalidi, SOSP'95). For each page size an array of 64-byte buckets:
 *
 *              48-bit address     47                                                          12      0
 *   4 KiB      bucket 32 KiB      |                    tag, 33 bits               | entry |  offset   |
 *   2 MiB      bucket 16 MiB      |            tag, 24 bits       | entry |          offset           |
 *   1 GiB      bucket  8 GiB      |    tag, 15 bits  | entry |              offset                    |
 *
 *   bucket     | entry 0 | entry 1 | ... | entry 7 |      home: hash(tag) mod buckets, then the next ...
 *
 * Entries are those of radix/format.h, but for five bits that x86-64 leaves to software:
 *
 *   bits 56..52     of entries 0..6: five bits each of the tag, low ones first
 *                   of entry 7: what the bucket is, see below
 *   bits 58..57     0; 1 in swap entries
 *   soft 10..9      the OS's two bits; 11 is CONTIG, as radix has it
 *   swap            offset 43 bits (51..9), inverted; type 63..59
 *   void            0 but for bits 56..52
 *
 *   empty           never used, or nothing behind it needs it: here a search ends
 *   used            has the tag that its entries say, and an entry that is not void
 *   grave           had one: a search goes on. May be used again
 *
 * Order of writes: entry 7 is written last when a bucket comes and first when it goes. So a walker, which reads a
 * bucket as a whole, never matches half a tag.
 */
#ifndef EMT_MMU_HASHED_FORMAT_H
#define EMT_MMU_HASHED_FORMAT_H

#include "mmu/radix/format.h"
#include "mmu/x86/hash.h"

#define HASHED_SIZES        3u /* number n: pages on level n + 1 */
#define HASHED_LEVELS       4u /* of an x86-64 tree with as many bits of address */
#define HASHED_WORDS        8u
#define HASHED_BUCKET_BYTES 64u
#define HASHED_STATE_WORD   7u
#define HASHED_TAG_FIRST    52
#define HASHED_TAG_WIDTH    5
#define HASHED_TAG_MASK     (((1ull << HASHED_TAG_WIDTH) - 1) << HASHED_TAG_FIRST)
#define HASHED_SOFT_BITS    RADIX_SOFT_LOW_WIDTH
#define HASHED_SWAP_BITS    (HASHED_TAG_FIRST - RADIX_SWAP_OFFSET_FIRST)

/* What bits 56..52 of entry 7 say. */
enum { HASHED_EMPTY, HASHED_USED, HASHED_GRAVE };

_Static_assert(HASHED_STATE_WORD *HASHED_TAG_WIDTH >= 48 - 15, "seven pieces hold the longest tag");
_Static_assert(HASHED_WORDS * sizeof(uint64_t) == HASHED_BUCKET_BYTES, "a bucket is a line");

/* ---- addresses ---- */

static inline unsigned hashed_entry_shift(unsigned size) {
    return radix_shift(size + 1);
}

static inline unsigned hashed_bucket_shift(unsigned size) {
    return hashed_entry_shift(size) + 3;
}

/* The tag: which bucket an address belongs to. */
static inline uint64_t hashed_tag(unsigned size, uint64_t va) {
    return (va & (~0ull >> (64 - 48))) >> hashed_bucket_shift(size);
}

static inline unsigned hashed_index(unsigned size, uint64_t va) {
    return va >> hashed_entry_shift(size) & (HASHED_WORDS - 1);
}

/* ---- tables: physical address | log2 of the buckets; 0: there is none ---- */

#define HASHED_MIN_LOG 6u /* a frame */

static inline uint64_t hashed_table_pa(uint64_t table) {
    return table & ~(EMT_PAGE_BYTES - 1);
}

static inline unsigned hashed_table_log(uint64_t table) {
    return table & (EMT_PAGE_BYTES - 1);
}

static inline uint64_t hashed_buckets(uint64_t table) {
    return table ? 1ull << hashed_table_log(table) : 0;
}

/* Where the search for a tag begins; bucket number i comes after number i - 1, the first after the last. */
static inline uint64_t hashed_home(uint64_t table, uint64_t tag) {
    return x86_hash(tag) & (hashed_buckets(table) - 1);
}

static inline uint64_t hashed_bucket_pa(uint64_t table, uint64_t number) {
    return hashed_table_pa(table) + HASHED_BUCKET_BYTES * (number & (hashed_buckets(table) - 1));
}

/* ---- words of a bucket ---- */

static inline uint64_t hashed_piece(uint64_t tag, unsigned word) {
    return word == HASHED_STATE_WORD ? (uint64_t)HASHED_USED << HASHED_TAG_FIRST
                                     : (tag >> HASHED_TAG_WIDTH * word << HASHED_TAG_FIRST) & HASHED_TAG_MASK;
}

static inline unsigned hashed_state(uint64_t state_word) {
    return (state_word & HASHED_TAG_MASK) >> HASHED_TAG_FIRST;
}

/* The entry that a word holds, in radix's format, and the word for an entry. */
static inline uint64_t hashed_entry(uint64_t word) {
    const uint64_t entry = word & ~HASHED_TAG_MASK;

    return radix_is_swap(entry) ? entry | HASHED_TAG_MASK : entry;
}

static inline uint64_t hashed_word(uint64_t entry, uint64_t piece) {
    return (entry & ~HASHED_TAG_MASK) | piece;
}

#endif
