/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Redundant memory mappings ("Redundant Memory Mappings for Fast Access to Large Memories", ISCA'15):
 * radix/format.h, and beside it a range table for each address space.
 *
 *   leaf       58 RANGE: the page belongs to a range of the table (a hint: it may be out of date)
 *   CR3        word 0 of the registers, as radix has it
 *   CR-RT      word 1: physical address of the root of the range table
 *
 * The range table is a B-tree with nodes of 4 KiB. A slot has 32 bytes, the header takes the first:
 *
 *              63 ............ 32 | 31 .. 16 | 15 .. 0
 *   header     version            | level    | slots in use              words 1..3: 0
 *   slot of a leaf (level 0)        first byte | last byte | offset | rights
 *   slot of another node            first byte | node      | 0      | 0
 *
 *   offset     physical - virtual address, modulo 2^64
 *   rights     as a present leaf of level 1 has them: RW, US, PWT, PCD, D, PAT, G, PK, NX. D: each page is dirty
 *   first      of an inner slot: exactly that of the first slot of its node
 *
 * Slots are sorted. A version is odd while its node is being changed: a walker that finds it odd, or another one
 * after its search than before, has found nothing.
 */
#ifndef EMT_MMU_RMM_FORMAT_H
#define EMT_MMU_RMM_FORMAT_H

#include "mmu/radix/format.h"

#define RMM_LEAF_RANGE (1ull << 58)

#define RMM_SLOT_WORDS 4u
#define RMM_SLOT_BYTES (8u * RMM_SLOT_WORDS)
#define RMM_SLOTS      (unsigned)(EMT_PAGE_BYTES / RMM_SLOT_BYTES - 1)
#define RMM_DEPTH      6u /* levels of the B-tree at most: half full, 64^6 ranges */

enum { RMM_FIRST, RMM_LAST, RMM_OFFSET, RMM_RIGHTS }; /* words of a leaf's slot */
enum { RMM_NODE = 1 };                                /* of another slot */

#define RMM_ROOT_TABLE 1 /* word of emt_root */

static inline unsigned rmm_slots(uint64_t header) {
    return header & 0xffff;
}

static inline unsigned rmm_level(uint64_t header) {
    return header >> 16 & 0xffff;
}

static inline uint64_t rmm_version(uint64_t header) {
    return header >> 32;
}

static inline uint64_t rmm_header(uint64_t version, unsigned level, unsigned slots) {
    return version << 32 | (uint64_t)level << 16 | slots;
}

static inline uint64_t rmm_slot_pa(uint64_t node, unsigned slot) {
    return node + RMM_SLOT_BYTES * (slot + 1);
}

#endif
