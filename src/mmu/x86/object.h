/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Translation objects whose raw[0] is an x86-64 leaf entry (radix/format.h), for every driver whose tables hold
 * such leaves, whatever else they look like. An architecture that uses these has in emt_arch.param[0] its number of
 * levels (12 + 9 * levels bits of address) and in param[1] the bits of a physical address.
 */
#ifndef EMT_MMU_X86_OBJECT_H
#define EMT_MMU_X86_OBJECT_H

#include "emt/driver.h"
#include "mmu/radix/format.h"

/* The functions of the same names in emt_driver_ops. */
uint64_t x86_tobj_get(const struct emt_tobj *, enum emt_attr);
int x86_tobj_set(struct emt_tobj *, enum emt_attr, uint64_t value);
int x86_tobj_init(const struct emt_tsvc *, struct emt_tobj *, uint64_t va, uint64_t pfn, uint64_t bytes,
                  unsigned prot);
bool x86_tobj_same(const struct emt_tobj *, const struct emt_tobj *);

/* An entry with other permissions. */
uint64_t x86_with_prot(uint64_t entry, unsigned prot);

/* Piece number i of a leaf of `level`, as a leaf of the level below. Swap entries' pieces lie side by side. */
uint64_t x86_leaf_piece(uint64_t entry, unsigned level, unsigned i);

/*
 * May a TLB that knows `old` do what `now` forbids, or find another page? A right that is only in `now` costs it at
 * worst one fault (SDM vol. 3, 4.10.4.3).
 */
bool x86_needs_flush(uint64_t old, uint64_t now, unsigned level);

/* Level of an object that may stand in tables, 0: it may not. */
unsigned x86_object_level(const struct emt_tsvc *, const struct emt_tobj *);

/* A and D in an entry, by EMT_AGE_ mask; and back. */
static inline uint64_t x86_age_bits(unsigned mask) {
    return (mask & EMT_AGE_ACCESSED ? RADIX_MASK(A) : 0) | (mask & EMT_AGE_DIRTY ? RADIX_MASK(D) : 0);
}

static inline unsigned x86_age_mask(uint64_t bits) {
    return (bits & RADIX_MASK(A) ? EMT_AGE_ACCESSED : 0) | (bits & RADIX_MASK(D) ? EMT_AGE_DIRTY : 0);
}

/* Owe a flush of [va, va + bytes), an object of that size. */
void x86_gather(struct emt_gather *, uint64_t va, uint64_t bytes);

#endif
