/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Elastic cuckoo page tables as they lie in memory ("Elastic Cuckoo Page Tables", ASPLOS'20, sections 3 to 6).
 *
 * Five tables for each address space, each of d ways (2 for the last two), each way an array of 64-byte lines:
 *
 *              48-bit address     47                                                          12      0
 *   PTE        line 32 KiB        |                    tag, 33 bits               | entry |  offset   |
 *   PMD        line 16 MiB        |            tag, 24 bits       | entry |          offset           |
 *   PUD        line  8 GiB        |    tag, 15 bits  | entry |              offset                    |
 *   PMD-CWT    line  1 GiB        |        tag, 18 bits     |  section of 16 MiB  |     offset        |
 *   PUD-CWT    line 512 GiB       | tag, 9 |  section of 8 GiB    |           offset                  |
 *
 * A line of PTE, PMD or PUD: eight entries; bits that x86-64 leaves to software hold the tag of the line, cut into
 * pieces of 5, 3 or 2 bits, and in the last entry the number of entries that are not void. 0: there is no line.
 *
 *           63  62..59  58..55   56/54/53..52  51 ............. 12  11..9  8   7   6   5   4   3   2   1   0
 *          +---+-------+--------+-------------+------------------+------+----+---+---+---+---+---+---+---+---+
 *   page   |NX |  PK   |(count) | tag piece   | frame            |C,soft| G  |PAT| D | A |PCD|PWT|US |RW | 1 |
 *   none   |NX |  PK   |(count) | tag piece   | frame            |C,soft| 1  |as above, but P:           | 0 |
 *   swap   | type 63..59 count  | tag piece   | offset 51..9            | 0  | 0   0   0   0   0   0   0 | 0 |
 *   below  | 0         |(count) | tag piece   | 0                | lines| 0  | 0   0   0   0   0   0   1 | 0 |
 *   void   | 0         |(count) | tag piece   | 0                                                          |
 *          +-----------+--------+-------------+-----------------------------------------------------------+
 *
 *   C       bit 11, ours: the page belongs to a large contiguous run (radix/format.h)
 *   none    a page that hardware may not use although its frame is known, such as Linux's PROT_NONE
 *   below   PMD only, ours: no page of 2 MiB, but `lines` (1..64, at the frame's place) lines of the PTE table lie
 * in these 2 MiB. Hardware sees an entry that is not present. README.md says what it is good for.
 *
 * A line of a CWT: 64 section headers as bit planes, a word for each bit of a header; bit i belongs to section i.
 *
 *   word  0          1         2         3 and 4           5, 6   7
 *        | has 4K  | has 2M  | has 1G  | way of the line |  0   | 63: valid | tag |
 *
 * The way is that of the section's line in the PMD (PUD) table while it has pages of 2 MiB (1 GiB).
 *
 * Order of writes: word 7 of a line says whether there is one. It is written last when a line comes and first when
 * it goes, so that a walker, which reads a line as a whole, never matches half a tag.
 */
#ifndef EMT_MMU_ECPT_FORMAT_H
#define EMT_MMU_ECPT_FORMAT_H

#include "emt/types.h"

/* name, first bit, width */
#define ECPT_FIELDS(F)                                                                                             \
    F(P, 0, 1)            /* present */                                                                            \
    F(RW, 1, 1)           /* may be written */                                                                     \
    F(BELOW, 1, 1)        /* with P = 0 and no NONE: lines of the PTE table lie below */                           \
    F(US, 2, 1)           /* user mode may use it */                                                               \
    F(CACHE_LOW, 3, 2)    /* PCD:PWT, the low bits of the cache mode */                                            \
    F(A, 5, 1)            /* accessed */                                                                           \
    F(D, 6, 1)            /* dirty */                                                                              \
    F(PAT, 7, 1)          /* high bit of the cache mode; x86-64's size bit says nothing here */                    \
    F(G, 8, 1)            /* global */                                                                             \
    F(NONE, 8, 1)         /* with P = 0: a page without access */                                                  \
    F(SOFT, 9, 2)         /* the OS's */                                                                           \
    F(CONTIG, 11, 1)      /* of a large contiguous run */                                                          \
    F(FRAME, 12, 40)      /* of the page */                                                                        \
    F(TAG, 52, 5)         /* a piece of the line's tag */                                                          \
    F(COUNT, 55, 4)       /* in the last entry: how many are not void; bits 55, 56 are no tag piece there */       \
    F(LINE, 52, 7)        /* both: what belongs to the line and not to the object */                               \
    F(PK, 59, 4)          /* protection key */                                                                     \
    F(NX, 63, 1)          /* may not be executed */                                                                \
    F(SWAP_OFFSET, 9, 43) /* of a swap entry */                                                                    \
    F(SWAP_TYPE, 59, 5)

enum {
#define ECPT_FIELD(name, first, width) ECPT_##name##_FIRST = first, ECPT_##name##_WIDTH = width,
    ECPT_FIELDS(ECPT_FIELD)
#undef ECPT_FIELD
};

#define ECPT_MASK(name) ((~0ull >> (64 - ECPT_##name##_WIDTH)) << ECPT_##name##_FIRST)
/* The value of a field, and an entry with another value in it; the value must fit. */
#define ECPT_GET(entry, name)      (((entry)&ECPT_MASK(name)) >> ECPT_##name##_FIRST)
#define ECPT_PUT(entry, name, val) (((entry) & ~ECPT_MASK(name)) | ((uint64_t)(val) << ECPT_##name##_FIRST))
/* What of an entry is the object's. */
#define ECPT_OBJECT(entry) ((entry) & ~ECPT_MASK(LINE))

#define ECPT_VA_BITS    48
#define ECPT_PA_BITS    52
#define ECPT_PCID_BITS  12
#define ECPT_WORDS      8u /* of a line */
#define ECPT_LINE_BYTES (8 * ECPT_WORDS)
#define ECPT_GATE       7u /* the word that says whether there is a line */
#define ECPT_MAX_WAYS   4u /* ASPLOS'20: two bits of a section header name the way */
#define ECPT_CWT_WAYS   2u

_Static_assert((ECPT_MASK(SWAP_OFFSET) | ECPT_MASK(SWAP_TYPE) | ECPT_MASK(LINE)) == ~0ull << ECPT_SWAP_OFFSET_FIRST,
               "a swap entry fills all bits from 9 up but the line's");
_Static_assert((ECPT_MASK(TAG) | ECPT_MASK(COUNT)) == ECPT_MASK(LINE), "tag and count are all that is the line's");

enum ecpt_table { ECPT_PTE, ECPT_PMD, ECPT_PUD, ECPT_PMD_CWT, ECPT_PUD_CWT, ECPT_TABLES };
#define ECPT_SIZES 3 /* tables that hold entries; table number = number of the page size */

/* log2 of the bytes that a line, an entry or a section stands for. */
static inline unsigned ecpt_line_shift(enum ecpt_table t) {
    static const uint8_t shift[ECPT_TABLES] = {15, 24, 33, 30, 39};
    return shift[t];
}

static inline unsigned ecpt_entry_shift(enum ecpt_table t) {
    static const uint8_t shift[ECPT_TABLES] = {12, 21, 30, 24, 33};
    return shift[t];
}

/* Which line of a table an address belongs to: its tag. */
static inline uint64_t ecpt_key(enum ecpt_table t, uint64_t va) {
    return (va & (~0ull >> (64 - ECPT_VA_BITS))) >> ecpt_line_shift(t);
}

/* Which of the eight entries. */
static inline unsigned ecpt_index(enum ecpt_table t, uint64_t va) {
    return va >> ecpt_entry_shift(t) & (ECPT_WORDS - 1);
}

/* Which of the 64 sections. */
static inline unsigned ecpt_section(enum ecpt_table cwt, uint64_t va) {
    return va >> ecpt_entry_shift(cwt) & 63;
}

static inline bool ecpt_canonical(uint64_t va) {
    uint64_t above = va >> (ECPT_VA_BITS - 1);

    return above == 0 || above == ~0ull >> (ECPT_VA_BITS - 1);
}

/* ---- lines ---- */

#define ECPT_CWT_VALID (1ull << 63)

/* Bits of a tag in each entry: 7 x 5 for 33, 8 x 3 for 24, 8 x 2 for 15 (ASPLOS'20, section 6). */
static inline unsigned ecpt_tag_width(enum ecpt_table t) {
    static const uint8_t width[ECPT_SIZES] = {5, 3, 2};
    return width[t];
}

/* Of all entries' words, what belongs to the tag. */
static inline uint64_t ecpt_tag_mask(enum ecpt_table t, unsigned word) {
    if (t >= ECPT_SIZES)
        return word == ECPT_GATE ? ~0ull : 0;
    if (t == ECPT_PTE && word == ECPT_GATE)
        return 0;
    return ((1ull << ecpt_tag_width(t)) - 1) << ECPT_TAG_FIRST;
}

/* What ecpt_tag_mask() must see in this word of the line with this tag. */
static inline uint64_t ecpt_tag_piece(enum ecpt_table t, unsigned word, uint64_t key) {
    if (t >= ECPT_SIZES)
        return word == ECPT_GATE ? key | ECPT_CWT_VALID : 0;
    return (key >> word * ecpt_tag_width(t) << ECPT_TAG_FIRST) & ecpt_tag_mask(t, word);
}

/* By its word 7: is there a line? */
static inline bool ecpt_is_line(enum ecpt_table t, uint64_t gate) {
    return t < ECPT_SIZES ? ECPT_GET(gate, COUNT) != 0 : gate >> 63;
}

/* The tag of a line. */
static inline uint64_t ecpt_line_key(enum ecpt_table t, const uint64_t line[ECPT_WORDS]) {
    uint64_t key = 0;

    if (t >= ECPT_SIZES)
        return line[ECPT_GATE] & ~ECPT_CWT_VALID;
    for (unsigned i = 0; i < ECPT_WORDS; i++)
        key |= (line[i] & ecpt_tag_mask(t, i)) >> ECPT_TAG_FIRST << i * ecpt_tag_width(t);
    return key;
}

static inline bool ecpt_line_is(enum ecpt_table t, const uint64_t line[ECPT_WORDS], uint64_t key) {
    return ecpt_is_line(t, line[ECPT_GATE]) && ecpt_line_key(t, line) == key;
}

/* Words of a CWT line: the planes of has-4K, -2M, -1G (= number of the page size), and of the way's bits. */
enum { ECPT_CWT_HAS, ECPT_CWT_WAY = 3, ECPT_CWT_PLANES = 5 };

/* The header of a section: a bit for each page size, and the way. */
struct ecpt_header {
    uint8_t has, way;
};

static inline struct ecpt_header ecpt_header(const uint64_t line[ECPT_CWT_PLANES], unsigned section) {
    unsigned bit[ECPT_CWT_PLANES];

    for (unsigned i = 0; i < ECPT_CWT_PLANES; i++)
        bit[i] = line[i] >> section & 1;
    return (struct ecpt_header){(uint8_t)(bit[0] | bit[1] << 1 | bit[2] << 2), (uint8_t)(bit[3] | bit[4] << 1)};
}

/* ---- entries ---- */

static inline bool ecpt_is_below(uint64_t entry) {
    return (entry & (ECPT_MASK(P) | ECPT_MASK(NONE) | ECPT_MASK(BELOW))) == ECPT_MASK(BELOW);
}

/* An object: a page or a swap entry. */
static inline bool ecpt_is_object(uint64_t entry) {
    return ECPT_OBJECT(entry) && !ecpt_is_below(entry);
}

static inline bool ecpt_is_swap(uint64_t entry) {
    return ecpt_is_object(entry) && !(entry & (ECPT_MASK(P) | ECPT_MASK(NONE)));
}

/* The frame field of a page: what lies below its size must be zero. */
static inline uint64_t ecpt_frame_mask(enum ecpt_table t) {
    return ECPT_MASK(FRAME) & (~0ull << ecpt_entry_shift(t));
}

static inline unsigned ecpt_cache_mode(uint64_t entry) {
    return (unsigned)(ECPT_GET(entry, PAT) << 2 | ECPT_GET(entry, CACHE_LOW));
}

/* emt_arch.param[0] is the number of ways, [1] bits of a physical address; by which factor a table grows; begin as
   large as the paper; family of hash functions. */
enum { ECPT_PARAM_GROWTH = 2, ECPT_PARAM_PAPER, ECPT_PARAM_HASH };

/* ---- hash functions ---- */

enum { ECPT_HASH_CRC, ECPT_HASH_MURMUR }; /* families */

/*
 * CRC-64 of the tag's five bytes, by nibbles. Which polynomial the paper uses is not published; ours are ECMA-182
 * (bank 0) and Jones's (bank 1), both reflected. A CRC is linear: with other start values the same tags would
 * collide in every way; so the ways of a bank take different bits of one value, and old and new tables different
 * polynomials.
 */
static inline uint64_t ecpt_crc64(unsigned bank, uint64_t key) {
    static const uint64_t table[2][16] = {
        {0x0000000000000000ull, 0x7d9ba13851336649ull, 0xfb374270a266cc92ull, 0x86ace348f355aadbull,
         0x64b62bcaebc387a1ull, 0x192d8af2baf0e1e8ull, 0x9f8169ba49a54b33ull, 0xe21ac88218962d7aull,
         0xc96c5795d7870f42ull, 0xb4f7f6ad86b4690bull, 0x325b15e575e1c3d0ull, 0x4fc0b4dd24d2a599ull,
         0xadda7c5f3c4488e3ull, 0xd041dd676d77eeaaull, 0x56ed3e2f9e224471ull, 0x2b769f17cf112238ull},
        {0x0000000000000000ull, 0x7d08ff3b88be6f81ull, 0xfa11fe77117cdf02ull, 0x8719014c99c2b083ull,
         0xdf7adabd7a6e2d6full, 0xa2722586f2d042eeull, 0x256b24ca6b12f26dull, 0x5863dbf1e3ac9decull,
         0x95ac9329ac4bc9b5ull, 0xe8a46c1224f5a634ull, 0x6fbd6d5ebd3716b7ull, 0x12b5926535897936ull,
         0x4ad64994d625e4daull, 0x37deb6af5e9b8b5bull, 0xb0c7b7e3c7593bd8ull, 0xcdcf48d84fe75459ull}};
    uint64_t crc = ~0ull;

    for (unsigned i = 0; i < 10; i++, key >>= 4)
        crc = crc >> 4 ^ table[bank][(crc ^ key) & 15];
    return crc;
}

/* MurmurHash3's 64-bit finaliser (A. Appleby, public domain), over the tag and the function's number. */
static inline uint64_t ecpt_murmur(unsigned function, uint64_t key) {
    uint64_t h = key + (function + 1) * 0x9e3779b97f4a7c15ull;

    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 33;
}

/* What the ways of a bank have in common, made once for a tag: the hash function's long part, where it has one. */
static inline uint64_t ecpt_digest(uint64_t family, unsigned bank, uint64_t key) {
    return family == ECPT_HASH_MURMUR ? key : ecpt_crc64(bank, key);
}

/* 64 bits, of which the low ones choose a line. Bank: which of two sets of functions. */
static inline uint64_t ecpt_hash(uint64_t family, unsigned bank, unsigned way, uint64_t digest) {
    if (family == ECPT_HASH_MURMUR)
        return ecpt_murmur(bank * ECPT_MAX_WAYS + way, digest);
    const unsigned turn = 64 / ECPT_MAX_WAYS * way;
    return turn ? digest >> turn | digest << (64 - turn) : digest;
}

/* ---- registers ---- */

/*
 * The root registers: for each table and way the array, during a resize the new array too, and the rehash pointer
 * P: lines of the old array below it have moved. An array is its physical address | bank of hash functions << 8 |
 * log2 of its lines; 0: none.
 *
 *   word  10 x table  + 0..3: arrays    + 4..7: new arrays    + 8, 9: P of ways 0, 1 and 2, 3, 32 bits each
 *   word  50          PCID
 *   word  51          page sizes in use, a bit for each table of entries: others are not probed
 */
#define ECPT_REGISTERS     10u
#define ECPT_ROOT_PCID     (ECPT_TABLES * ECPT_REGISTERS)
#define ECPT_ROOT_SIZES    (ECPT_ROOT_PCID + 1)
#define ECPT_MIN_LOG_LINES 6u /* a frame */

static inline uint64_t ecpt_array(uint64_t pa, unsigned bank, unsigned log_lines) {
    return pa | bank << 8 | log_lines;
}

static inline uint64_t ecpt_array_pa(uint64_t array) {
    return array & ~(EMT_PAGE_BYTES - 1);
}

static inline unsigned ecpt_array_log(uint64_t array) {
    return array & 0xff;
}

static inline uint64_t ecpt_array_lines(uint64_t array) {
    return array ? 1ull << ecpt_array_log(array) : 0;
}

static inline unsigned ecpt_array_bank(uint64_t array) {
    return array >> 8 & 1;
}

/* Which line of an array a tag belongs to; the digest is that of the array's bank. */
static inline uint64_t ecpt_array_slot(uint64_t array, uint64_t family, unsigned way, uint64_t digest) {
    return ecpt_hash(family, ecpt_array_bank(array), way, digest) & (ecpt_array_lines(array) - 1);
}

#endif
