/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A hashed page table, as simple as one can be. The table is an array of 64-byte lines; a page's line is chosen by
 * a hash of its number, and when that line is full the next one is tried. An entry is one word, so that each store
 * changes a whole translation at once:
 *
 *      63                36 35                  9  8..7  6   5   4   3   2   1   0
 *     +--------------------+---------------------+------+---+---+---+---+---+---+---+
 *     |   frame (28 bits)  | page number (27)    | soft | D | A | U | X | W | P |use|
 *     +--------------------+---------------------+------+---+---+---+---+---+---+---+
 *
 * All zero: never used, the search ends. GONE: was used, the search goes on.
 */
#ifndef EMT_TUTORIAL_FORMAT_H
#define EMT_TUTORIAL_FORMAT_H

#include "emt/types.h"

#define HASH_USED       (1ull << 0)
#define HASH_P          (1ull << 1)
#define HASH_W          (1ull << 2)
#define HASH_X          (1ull << 3)
#define HASH_U          (1ull << 4)
#define HASH_A          (1ull << 5)
#define HASH_D          (1ull << 6)
#define HASH_SOFT_SHIFT 7
#define HASH_SOFT_BITS  2
#define HASH_TAG_SHIFT  9
#define HASH_TAG_BITS   27
#define HASH_PFN_SHIFT  36
#define HASH_PFN_BITS   28
#define HASH_GONE       HASH_P /* without HASH_USED */

#define HASH_VA_BITS    (HASH_TAG_BITS + EMT_PAGE_SHIFT)
#define HASH_PA_BITS    (HASH_PFN_BITS + EMT_PAGE_SHIFT)
#define HASH_LINE_WORDS 8
#define HASH_LINE_BYTES 64

_Static_assert(HASH_PFN_SHIFT == HASH_TAG_SHIFT + HASH_TAG_BITS, "fields touch");
_Static_assert(HASH_PFN_SHIFT + HASH_PFN_BITS == 64, "an entry is one word");

/* What identifies the page of an address: an entry with these bits under HASH_KEY_MASK is its. */
#define HASH_KEY_MASK ((((1ull << HASH_TAG_BITS) - 1) << HASH_TAG_SHIFT) | HASH_USED)

static inline uint64_t hash_key(uint64_t va) {
    return ((va >> EMT_PAGE_SHIFT << HASH_TAG_SHIFT) & HASH_KEY_MASK) | HASH_USED;
}

static inline bool hash_canonical(uint64_t va) {
    return (uint64_t)((int64_t)(va << (64 - HASH_VA_BITS)) >> (64 - HASH_VA_BITS)) == va;
}

/* The root register: the table's address, and in the low bits log2 of its pages. */
static inline uint64_t hash_lines(uint64_t root) {
    return (EMT_PAGE_BYTES / HASH_LINE_BYTES) << (root & 0xfff);
}

/* The first line to look at; then the next, and after the last the first one. */
static inline uint64_t hash_line(uint64_t root, uint64_t va) {
    return (hash_key(va) * 0x9e3779b97f4a7c15u >> 32) & (hash_lines(root) - 1); /* Knuth's golden ratio */
}

static inline uint64_t hash_line_pa(uint64_t root, uint64_t line) {
    return (root & ~0xfffull) + (line & (hash_lines(root) - 1)) * HASH_LINE_BYTES;
}

#endif
