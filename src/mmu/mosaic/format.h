/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Mosaic pages ("Mosaic Pages: Big TLB Reach with Small Pages", ASPLOS'23). A mosaic page is a number (the arity:
 * 4, 8, 16, 32, 64) of consecutive virtual pages of 4 KiB, each in a frame of its own choice out of 104. Which of
 * them is told by seven bits, the compressed physical frame number (CPFN); the CPFNs of a mosaic page are its table
 * of contents (ToC), which one walk reads and one TLB entry holds.
 *
 * Physical memory (mosaic/hash.h): buckets of 64 frames, 56 front yard and 8 back yard.
 *
 *     CPFN    6    5 ........ 0
 *           | 0 |  front slot  |   0..55, in the bucket that hash 0 names
 *           | 1 | k 5..3 | 2..0|   k = 1..6: slot 0..7 in the back yard that hash k names
 *           | 1111111          |   not mapped
 *
 * Four pages share a word of 8 bytes, which looks like an x86-64 leaf with four CPFNs where the frame was; a mosaic
 * page of arity a is a / 4 words side by side:
 *
 *           63  62..59 58..57 56..52 51..48  47 ......... 12   11..9   8   7   6    5    4    3   2   1   0
 *          +---+------+------+------+------+-----------------+-------+---+---+----+----+----+----+---+---+---+
 *   ToC    |NX |  PK  |  0   | tag  |  0   | 3 | 2 | 1 | 0   | soft  | 0 |PAT|SIDE| 0  |PCD |PWT |US |RW | 1 |
 *   link   | 0 |  0   |  0   | tag  |       PT               |   0   | 0 | 0 | 0  | 1  | 0  | 0  | 0 | 0 | 1 |
 *   side   | 0 |  0   |  0   | tag  |  0   |       0         |   0   | 0 | 0 | 1  | 0  | 0  | 0  | 0 | 0 | 0 |
 *   void   | 0 |  0   |  0   | tag  |  0   |       0                                                  | 0 |
 *          +---+------+------+------+------+-----------------+-------+---+---+----+----+----+----+---+---+---+
 *   field i, nine bits from 12 + 9 i:   | D | A | CPFN |
 *
 *   ToC    the attributes hold for all pages of the word that have a CPFN
 *   link   none of the four is compressed: PT is an ordinary page table, of 512 leaves in the format of
 *          radix/format.h for these 2 MiB. So for a page in a frame that is no candidate (shared memory that
 * another address space has placed, the zero page, a device), or with attributes of its own SIDE   that page table
 * has an entry for a page without CPFN: swapped out, or without access. Hardware ignores it side   all of what
 * there is, is there tag    of the hashed table only (hashed/format.h); else 0
 *
 * A bit of A and of D for each page, as reclaim needs them (the paper's OS reads them from ordinary entries). The
 * other attributes are for each mosaic page in the paper; here the walker puts those pages into one TLB entry that
 * agree with the page asked for.
 *
 * The radix tree: nodes of 512 words of 8 bytes; those above the ToCs are radix/format.h's links.
 *
 *      47     41 40       32 31       23 22          14 13  12 11      0
 *     +---------+-----------+-----------+--------------+------+---------+     arity 4; of arity a the lowest
 *     |  PML4   |   PDPT    |    PD     |     ToC      | page | offset  |     log2(a / 4) bits of the index lie
 *     +---------+-----------+-----------+--------------+------+---------+     within a ToC
 */
#ifndef EMT_MMU_MOSAIC_FORMAT_H
#define EMT_MMU_MOSAIC_FORMAT_H

#include "emt/driver.h"
#include "mmu/hashed/format.h"
#include "mmu/mosaic/hash.h"

#define MOSAIC_LEVELS      4u
#define MOSAIC_VA_LEVELS   4u /* of an x86-64 tree with as many bits of address */
#define MOSAIC_WORD_PAGES  4u
#define MOSAIC_WORD_SHIFT  14 /* log2 of the bytes that a word translates */
#define MOSAIC_SIDE_SHIFT  21 /* and a page table beside */
#define MOSAIC_MAX_ARITY   64u
#define MOSAIC_SOFT_BITS   RADIX_SOFT_LOW_WIDTH
#define MOSAIC_LINK        (1ull << 5)
#define MOSAIC_SIDE        (1ull << 6)
#define MOSAIC_FIELD_FIRST 12
#define MOSAIC_FIELD_WIDTH 9
#define MOSAIC_FIELD_MASK  0x1ffull
#define MOSAIC_CPFN_MASK   0x7full
#define MOSAIC_A           0x80ull
#define MOSAIC_D           0x100ull

/* Attributes at the places that they have in a leaf of 4 KiB. */
#define MOSAIC_ATTRS                                                                                               \
    (RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(PWT) | RADIX_MASK(PCD) | RADIX_MASK(PAT_SMALL) |                 \
     RADIX_MASK(SOFT_LOW) | RADIX_MASK(CONTIG) | RADIX_MASK(PK) | RADIX_MASK(NX))
#define MOSAIC_FIELDS (((1ull << MOSAIC_WORD_PAGES * MOSAIC_FIELD_WIDTH) - 1) << MOSAIC_FIELD_FIRST)
/* One bit pattern in each of the four fields. */
#define MOSAIC_EACH(field)                                                                                         \
    (((field) | (field) << MOSAIC_FIELD_WIDTH | (field) << 2 * MOSAIC_FIELD_WIDTH |                                \
      (field) << 3 * MOSAIC_FIELD_WIDTH)                                                                           \
     << MOSAIC_FIELD_FIRST)
#define MOSAIC_NO_PAGES MOSAIC_EACH(MOSAIC_CPFN_MASK)
#define MOSAIC_RESERVED                                                                                            \
    (~(MOSAIC_ATTRS | MOSAIC_FIELDS | MOSAIC_LINK | MOSAIC_SIDE | HASHED_TAG_MASK | RADIX_MASK(P)))

_Static_assert(MOSAIC_FIELD_FIRST + MOSAIC_WORD_PAGES * MOSAIC_FIELD_WIDTH == 48, "four fields are 36 bits");
_Static_assert((MOSAIC_ATTRS & (MOSAIC_FIELDS | MOSAIC_LINK | MOSAIC_SIDE | HASHED_TAG_MASK)) == 0,
               "what a word says more than a leaf has places of its own");

/* What the root registers hold. */
enum {
    MOSAIC_ROOT_TABLE,   /* radix: the root's address; hashed: address | log2 of the buckets of the table */
    MOSAIC_ROOT_FIRST,   /* memory in which pages are placed: its first frame */
    MOSAIC_ROOT_BUCKETS, /* and its length */
    MOSAIC_ROOT_ASID,    /* goes into the hash */
};

/* emt_arch.param[0] and [1] are those of mmu/x86. */
enum { MOSAIC_PARAM_ARITY = 2, MOSAIC_PARAM_TABLE = 3 };
enum { MOSAIC_RADIX, MOSAIC_HASHED }; /* the second */

static inline struct mosaic_memory mosaic_root_memory(const struct emt_root *root) {
    return (struct mosaic_memory){root->word[MOSAIC_ROOT_FIRST], (uint32_t)root->word[MOSAIC_ROOT_BUCKETS]};
}

/* ---- words ---- */

static inline unsigned mosaic_sub(uint64_t va) {
    return va >> EMT_PAGE_SHIFT & (MOSAIC_WORD_PAGES - 1);
}

static inline uint64_t mosaic_plain(uint64_t raw) {
    return raw & ~HASHED_TAG_MASK;
}

static inline bool mosaic_is_toc(uint64_t word) {
    return (word & (RADIX_MASK(P) | MOSAIC_LINK)) == RADIX_MASK(P);
}

static inline unsigned mosaic_field_shift(unsigned sub) {
    return MOSAIC_FIELD_FIRST + MOSAIC_FIELD_WIDTH * sub;
}

static inline uint64_t mosaic_field(uint64_t word, unsigned sub) {
    return word >> mosaic_field_shift(sub) & MOSAIC_FIELD_MASK;
}

static inline unsigned mosaic_cpfn(uint64_t word, unsigned sub) {
    return mosaic_field(word, sub) & MOSAIC_CPFN_MASK;
}

/* The leaf that a field stands for, in a frame. */
static inline uint64_t mosaic_leaf(uint64_t word, unsigned sub, uint64_t pfn) {
    const uint64_t field = mosaic_field(word, sub);

    return (word & MOSAIC_ATTRS) | pfn << EMT_PAGE_SHIFT | RADIX_MASK(P) | (field & MOSAIC_A ? RADIX_MASK(A) : 0) |
           (field & MOSAIC_D ? RADIX_MASK(D) : 0);
}

/* ---- the radix tree ---- */

static inline unsigned mosaic_shift(unsigned level) {
    return MOSAIC_WORD_SHIFT + RADIX_INDEX_BITS * (level - 1);
}

static inline unsigned mosaic_index(uint64_t va, unsigned level) {
    const uint64_t v = va & (~0ull >> (64 - 48));

    return v >> mosaic_shift(level) & (RADIX_ENTRIES - 1);
}

/* ---- the hashed table: hashed/format.h's, with eight words in a bucket: 32 pages ---- */

#define MOSAIC_BUCKET_SHIFT (MOSAIC_WORD_SHIFT + 3)

static inline uint64_t mosaic_tag(uint64_t va) {
    return (va & (~0ull >> (64 - 48))) >> MOSAIC_BUCKET_SHIFT;
}

static inline unsigned mosaic_bucket_index(uint64_t va) {
    return va >> MOSAIC_WORD_SHIFT & (HASHED_WORDS - 1);
}

#endif
