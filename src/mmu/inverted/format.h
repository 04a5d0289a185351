/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An inverted page table with a hash anchor table: one table for the whole system.
 *
 *     (ASID, page number, size) ── hash ──> anchor ──> entry ──> entry ──> 0
 *
 *   anchor table   2^n words: the physical address of the first entry of a chain; 0: none
 *   entries        of 32 bytes: one for each frame of memory, and aliases, for what no frame's own entry can say
 *
 *   word 0, tag    63 ............... 28 | 27 ....... 12 | 11 .. 3 | 2 1  | 0
 *                  VA[47:12]             | ASID          | 0       | size | valid
 *   word 1         the entry, as radix/format.h has it. In a frame's own entry the frame field says nothing new
 *   word 2         physical address of the next entry of the chain; 0: the last one
 *   word 3         0
 *
 * size: 0, 1, 2 for 4 KiB, 2 MiB, 1 GiB. Hardware follows one chain for each size that is in use.
 *
 * An entry that was taken out of a chain may soon be part of another one. So a walker that meets a tag which does
 * not belong to its own chain begins anew.
 *
 * Registers:  word 0  anchor table | log2 of its anchors
 *             word 1  ASID
 *             word 2  bit n: pages of size n are in use
 */
#ifndef EMT_MMU_INVERTED_FORMAT_H
#define EMT_MMU_INVERTED_FORMAT_H

#include "mmu/radix/format.h"
#include "mmu/x86/hash.h"

#define INVERTED_SIZES       3u
#define INVERTED_LEVELS      4u /* of an x86-64 tree with as many bits of address */
#define INVERTED_WORDS       4u
#define INVERTED_ENTRY_BYTES 32u
#define INVERTED_PER_PAGE    (EMT_PAGE_BYTES / INVERTED_ENTRY_BYTES)

enum { INVERTED_TAG, INVERTED_PTE, INVERTED_NEXT };

_Static_assert(INVERTED_WORDS * sizeof(uint64_t) == INVERTED_ENTRY_BYTES, "half a line");

/* The level of a size's leaf. */
static inline unsigned inverted_level(unsigned size) {
    return size + 1;
}

static inline uint64_t inverted_tag(uint16_t asid, uint64_t va, unsigned size) {
    const uint64_t page = (va & (~0ull >> 16) & ~(radix_bytes(inverted_level(size)) - 1)) >> EMT_PAGE_SHIFT;

    return page << 28 | (uint64_t)asid << 12 | size << 1 | 1;
}

static inline uint64_t inverted_anchor_pa(uint64_t anchors, uint64_t tag) {
    const uint64_t mask = (1ull << (anchors & (EMT_PAGE_BYTES - 1))) - 1;

    return (anchors & ~(EMT_PAGE_BYTES - 1)) + sizeof(uint64_t) * (x86_hash(tag) & mask);
}

#endif
