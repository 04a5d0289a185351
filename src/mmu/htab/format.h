/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A hashed page table in groups, as PowerPC's HTAB (64-bit form): one for the whole system, and a cache: what the
 * OS knows for sure is in its own tables, a tree in the format of radix/format.h, which hardware never reads.
 *
 *     group  | PTE 0 | PTE 1 | ... | PTE 7 |     128 bytes; hash -> primary group, ~hash -> secondary group
 *
 *   PTE, 16 bytes
 *   word 0   63 ............... 28 | 27 ....... 12 | 11 .. 4 | 3 2  | 1 | 0
 *            VA[47:12]             | ASID          | 0       | size | H | valid      H: in its secondary group
 *   word 1   the entry, as radix/format.h has it. 0: it is just going
 *
 *   hash     VSID[38:0] ^ (page number within the segment of 256 MiB)
 *   VSID     (ASID << 20 | segment) * 12538073 mod (2^36 - 1)        Linux 6.1, arch/powerpc, mmu-hash.h
 *
 * PowerPC has the ASID and segment behind a segment table, leaves out of the PTE what the hash implies, and has
 * other flags at other places. Hash, group and two-step search are its own.
 *
 * A leaf of the OS's tree says in bits that x86-64 leaves to software where its copy is, as Linux's _PAGE_HASHPTE
 * does:
 *
 *   58 HASHED | 57 SECONDARY | 56..54 PTE of the group | 53..52 and 10..9 the OS's four bits
 *
 * Registers:  word 0  table | log2 of its groups;  word 1  ASID;  word 2  bit n: pages of size n were in use
 */
#ifndef EMT_MMU_HTAB_FORMAT_H
#define EMT_MMU_HTAB_FORMAT_H

#include "mmu/radix/format.h"

#define HTAB_SIZES       3u
#define HTAB_LEVELS      4u
#define HTAB_PTES        8u
#define HTAB_PTE_BYTES   16u
#define HTAB_GROUP_BYTES (HTAB_PTES * HTAB_PTE_BYTES)
#define HTAB_LINE_WORDS  8u
#define HTAB_SEGMENT     28
#define HTAB_VSID_PRIME  12538073ull

#define HTAB_VALID     1ull
#define HTAB_SECONDARY 2ull

/* Bits of a leaf in the OS's tree. */
#define HTAB_LEAF_HASHED    (1ull << 58)
#define HTAB_LEAF_SECONDARY (1ull << 57)
#define HTAB_LEAF_PTE_FIRST 54
#define HTAB_LEAF_BITS      (31ull << HTAB_LEAF_PTE_FIRST)
#define HTAB_SOFT_BITS      (RADIX_SOFT_BITS - 5)

_Static_assert(HTAB_GROUP_BYTES == 128, "a group is two lines");

static inline uint64_t htab_page(uint64_t va, unsigned size) {
    return va & (~0ull >> 16) & ~(radix_bytes(size + 1) - 1);
}

/* Word 0 without H. */
static inline uint64_t htab_tag(uint16_t asid, uint64_t va, unsigned size) {
    return htab_page(va, size) >> EMT_PAGE_SHIFT << 28 | (uint64_t)asid << 12 | size << 2 | HTAB_VALID;
}

static inline uint64_t htab_hash(uint16_t asid, uint64_t va, unsigned size) {
    const uint64_t page = htab_page(va, size), proto = (uint64_t)asid << 20 | page >> HTAB_SEGMENT;
    const uint64_t vsid = proto * HTAB_VSID_PRIME % ((1ull << 36) - 1);

    return vsid ^ (page & ((1ull << HTAB_SEGMENT) - 1)) >> radix_shift(size + 1);
}

/* Group of a hash; table: physical address | log2 of the groups. */
static inline uint64_t htab_group(uint64_t table, uint64_t hash, bool secondary) {
    const uint64_t mask = (1ull << (table & (EMT_PAGE_BYTES - 1))) - 1;

    return (table & ~(EMT_PAGE_BYTES - 1)) + HTAB_GROUP_BYTES * ((secondary ? ~hash : hash) & mask);
}

#endif
