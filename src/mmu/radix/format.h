/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * x86-64 paging structures, 4 or 5 levels, as they lie in memory.
 *
 *           63  62..59  58..52  51 ................ 12  11..9   8   7   6   5   4    3   2   1   0
 *          +---+-------+-------+----------------------+-------+---+---+---+---+----+----+---+---+---+
 *   table  |NX |   -   |   -   | table          51..12|   -   | - | 0 | - | A |PCD |PWT |US |RW | 1 |
 *   1 GiB  |NX |  PK   | soft  | frame 51..30 0.. PAT |C, soft| G | 1 | D | A |PCD |PWT |US |RW | 1 |
 *   2 MiB  |NX |  PK   | soft  | frame 51..21 0.. PAT |C, soft| G | 1 | D | A |PCD |PWT |US |RW | 1 |
 *   4 KiB  |NX |  PK   | soft  | frame          51..12|C, soft| G |PAT| D | A |PCD |PWT |US |RW | 1 |
 *          +---+-------+-------+----------------------+-------+---+---+---+---+----+----+---+---+---+
 *   none   |NX |  PK   | soft  | ~frame               |C, soft| 1 |as above, but P:              | 0 |
 *   swap   | type 63..59 | ~offset                58..9       | 0   0   0   0   0    0   0   0   0 |
 *          +-------------+------------------------------------+-------------------------------------+
 *   void   | 0                                                                                      |
 *
 *   -     ignored by hardware (and 0 as this driver writes them)
 *   PAT   bit 7 of a 4 KiB leaf, bit 12 of a larger one; "0..": must be zero
 *   none  a page that hardware may not use although its frame is known, such as Linux's PROT_NONE
 *   C     bit 11, ours: the page belongs to a large contiguous run. x86-64 leaves 11..9 to software (SDM vol. 3,
 *         tables 4-16, 4-18, 4-20: 11 is ignored in ordinary paging); hardware that predicts (hw/spot.h) may read it.
 *         Of the three it is the one that Linux uses only with CONFIG_MEM_SOFT_DIRTY; those in 58..52 are taken
 *         by the tags and folds of formats that share this one
 *   ~     inverted, so that a processor that speculates past P = 0 (L1TF) finds no memory there
 *
 * Levels are counted from the leaves: 1 is the PT, 2 the PD, 3 the PDPT, 4 the PML4, 5 the PML5; a level is
 * indexed by nine bits of the address, and leaves are on levels 1 to 3.
 *
 * Sources: Intel SDM vol. 3, 4.5 (entries), 4.6.2 (protection keys), 4.9 (PAT); Linux 6.1,
 * arch/x86/include/asm/pgtable_64.h and pgtable-invert.h (facts: where swap type and offset lie, what is inverted).
 */
#ifndef EMT_MMU_RADIX_FORMAT_H
#define EMT_MMU_RADIX_FORMAT_H

#include "emt/types.h"

/* name, first bit, width */
#define RADIX_FIELDS(F)                                                                                            \
    F(P, 0, 1)            /* present */                                                                            \
    F(RW, 1, 1)           /* may be written */                                                                     \
    F(US, 2, 1)           /* user mode may use it */                                                               \
    F(PWT, 3, 1)          /* bit 0 of the cache mode */                                                            \
    F(PCD, 4, 1)          /* bit 1 of the cache mode */                                                            \
    F(A, 5, 1)            /* accessed */                                                                           \
    F(D, 6, 1)            /* dirty; leaves only */                                                                 \
    F(PS, 7, 1)           /* a leaf, on levels 2 and 3; reserved above */                                          \
    F(PAT_SMALL, 7, 1)    /* bit 2 of the cache mode, level 1 */                                                   \
    F(PAT_LARGE, 12, 1)   /* bit 2 of the cache mode, levels 2 and 3 */                                            \
    F(G, 8, 1)            /* global; leaves only */                                                                \
    F(NONE, 8, 1)         /* with P = 0: a page without access */                                                  \
    F(SOFT_LOW, 9, 2)     /* the OS's */                                                                           \
    F(CONTIG, 11, 1)      /* of a large contiguous run */                                                          \
    F(FRAME, 12, 40)      /* of a table or a page */                                                               \
    F(SOFT_HIGH, 52, 7)   /* the OS's */                                                                           \
    F(PK, 59, 4)          /* protection key; leaves only */                                                        \
    F(NX, 63, 1)          /* may not be executed */                                                                \
    F(SWAP_OFFSET, 9, 50) /* inverted */                                                                           \
    F(SWAP_TYPE, 59, 5)

enum {
#define RADIX_FIELD(name, first, width) RADIX_##name##_FIRST = first, RADIX_##name##_WIDTH = width,
    RADIX_FIELDS(RADIX_FIELD)
#undef RADIX_FIELD
};

#define RADIX_MASK(name) ((~0ull >> (64 - RADIX_##name##_WIDTH)) << RADIX_##name##_FIRST)
/* The value of a field, and an entry with another value in it; the value must fit. */
#define RADIX_GET(entry, name)      (((entry)&RADIX_MASK(name)) >> RADIX_##name##_FIRST)
#define RADIX_PUT(entry, name, val) (((entry) & ~RADIX_MASK(name)) | ((uint64_t)(val) << RADIX_##name##_FIRST))

#define RADIX_MAX_LEVELS  5
#define RADIX_LEAF_LEVELS 3 /* pages are on levels 1..3: 4 KiB, 2 MiB, 1 GiB */
#define RADIX_INDEX_BITS  9
#define RADIX_ENTRIES     (1u << RADIX_INDEX_BITS)
#define RADIX_PA_BITS     52 /* the widest that the format holds */
#define RADIX_PCID_BITS   12

_Static_assert(RADIX_ENTRIES * sizeof(uint64_t) == EMT_PAGE_BYTES, "a table is one page");
_Static_assert(RADIX_FRAME_FIRST == EMT_PAGE_SHIFT && RADIX_FRAME_FIRST + RADIX_FRAME_WIDTH == RADIX_PA_BITS,
               "the frame field is a physical address with the page offset cut off");
_Static_assert((RADIX_MASK(SWAP_OFFSET) & RADIX_MASK(SWAP_TYPE)) == 0 &&
                   (RADIX_MASK(SWAP_OFFSET) | RADIX_MASK(SWAP_TYPE)) == ~0ull << RADIX_SWAP_OFFSET_FIRST,
               "a swap entry fills all bits from 9 up");
_Static_assert(((RADIX_MASK(SWAP_OFFSET) | RADIX_MASK(SWAP_TYPE)) &
                (RADIX_MASK(P) | RADIX_MASK(PS) | RADIX_MASK(NONE) | RADIX_MASK(A) | RADIX_MASK(D))) == 0,
               "a swap entry looks neither present, nor large, nor like a page without access");
_Static_assert((RADIX_MASK(SOFT_LOW) | RADIX_MASK(CONTIG) | RADIX_MASK(FRAME) | RADIX_MASK(SOFT_HIGH) |
                RADIX_MASK(PK) | RADIX_MASK(NX)) == ~0ull << RADIX_SOFT_LOW_FIRST,
               "above bit 8 a leaf has no gap");

/* ---- levels and addresses ---- */

/* log2 of the bytes that one entry of a level stands for. */
static inline unsigned radix_shift(unsigned level) {
    return EMT_PAGE_SHIFT + RADIX_INDEX_BITS * (level - 1);
}

static inline uint64_t radix_bytes(unsigned level) {
    return 1ull << radix_shift(level);
}

/* Level of the leaf that maps so many bytes, 0: none does. */
static inline unsigned radix_leaf_level(uint64_t bytes) {
    for (unsigned level = 1; level <= RADIX_LEAF_LEVELS; level++)
        if (bytes == radix_bytes(level))
            return level;
    return 0;
}

static inline unsigned radix_index(uint64_t va, unsigned level) {
    return va >> radix_shift(level) & (RADIX_ENTRIES - 1);
}

/* The physical address of the entry that decides about va in a table. */
static inline uint64_t radix_slot(uint64_t table, uint64_t va, unsigned level) {
    return table + sizeof(uint64_t) * radix_index(va, level);
}

/* Bits of a virtual address; those above repeat the highest. */
static inline unsigned radix_va_bits(unsigned levels) {
    return radix_shift(levels + 1);
}

static inline bool radix_canonical(uint64_t va, unsigned levels) {
    uint64_t above = va >> (radix_va_bits(levels) - 1);

    return above == 0 || above == ~0ull >> (radix_va_bits(levels) - 1);
}

/* ---- entries ---- */

static inline bool radix_is_table(uint64_t entry, unsigned level) {
    return level > 1 && (entry & (RADIX_MASK(P) | RADIX_MASK(PS))) == RADIX_MASK(P);
}

static inline bool radix_is_swap(uint64_t entry) {
    return entry && !(entry & (RADIX_MASK(P) | RADIX_MASK(NONE)));
}

/* Where the table or the page of a present entry begins. */
static inline uint64_t radix_table_pa(uint64_t entry) {
    return entry & RADIX_MASK(FRAME);
}

static inline uint64_t radix_frame_mask(unsigned level) {
    return RADIX_MASK(FRAME) & ~(radix_bytes(level) - 1);
}

static inline uint64_t radix_leaf_pa(uint64_t entry, unsigned level) {
    return entry & radix_frame_mask(level);
}

/* The frame of a leaf: that of a page without access lies inverted. */
static inline uint64_t radix_leaf_pfn(uint64_t entry, unsigned level) {
    uint64_t inverted = entry & RADIX_MASK(P) ? 0 : RADIX_MASK(FRAME);

    return radix_leaf_pa(entry ^ inverted, level) >> EMT_PAGE_SHIFT;
}

/* Swap entries as the interface has them, type << 50 | offset. Nothing else fits into one. */
static inline uint64_t radix_swap_encode(uint64_t swap) {
    return RADIX_PUT(~swap << RADIX_SWAP_OFFSET_FIRST, SWAP_TYPE, swap >> RADIX_SWAP_OFFSET_WIDTH);
}

static inline uint64_t radix_swap_decode(uint64_t entry) {
    return RADIX_GET(entry, SWAP_TYPE) << RADIX_SWAP_OFFSET_WIDTH | RADIX_GET(~entry, SWAP_OFFSET);
}

/* The OS's bits, which lie in two places. */
#define RADIX_SOFT_BITS (RADIX_SOFT_LOW_WIDTH + RADIX_SOFT_HIGH_WIDTH)

static inline uint64_t radix_soft(uint64_t entry) {
    return RADIX_GET(entry, SOFT_HIGH) << RADIX_SOFT_LOW_WIDTH | RADIX_GET(entry, SOFT_LOW);
}

static inline uint64_t radix_put_soft(uint64_t entry, uint64_t soft) {
    entry = RADIX_PUT(entry, SOFT_LOW, soft & ((1u << RADIX_SOFT_LOW_WIDTH) - 1));
    return RADIX_PUT(entry, SOFT_HIGH, soft >> RADIX_SOFT_LOW_WIDTH);
}

/* PAT:PCD:PWT (SDM vol. 3, table 4-12). */
static inline unsigned radix_cache_mode(uint64_t entry, unsigned level) {
    uint64_t pat = level == 1 ? RADIX_GET(entry, PAT_SMALL) : RADIX_GET(entry, PAT_LARGE);

    return (unsigned)(pat << 2 | RADIX_GET(entry, PCD) << 1 | RADIX_GET(entry, PWT));
}

static inline uint64_t radix_put_cache_mode(uint64_t entry, unsigned level, uint64_t mode) {
    entry = RADIX_PUT(entry, PWT, mode & 1);
    entry = RADIX_PUT(entry, PCD, mode >> 1 & 1);
    return level == 1 ? RADIX_PUT(entry, PAT_SMALL, mode >> 2) : RADIX_PUT(entry, PAT_LARGE, mode >> 2);
}

/* Bits that must be zero in a present entry: pa_bits is what the processor has, nx its EFER.NXE. */
static inline uint64_t radix_reserved(uint64_t entry, unsigned level, unsigned pa_bits, bool nx) {
    uint64_t mask = RADIX_MASK(FRAME) & ~0ull << pa_bits;

    if (!nx)
        mask |= RADIX_MASK(NX);
    if (level > RADIX_LEAF_LEVELS)
        mask |= RADIX_MASK(PS);
    else if (level > 1 && (entry & RADIX_MASK(PS)))
        mask |= (radix_bytes(level) - 1) & RADIX_MASK(FRAME) & ~RADIX_MASK(PAT_LARGE);
    return entry & mask;
}

#endif
