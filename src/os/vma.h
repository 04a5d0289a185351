/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Virtual memory areas of one address space, in order: a treap by start address (its shape depends on nothing but
 * the order of calls) that is also a doubly linked list, and knows the largest gap below each subtree, so that both
 * "which VMA holds this address" and "where is the highest room for n bytes" take logarithmic time.
 */
#ifndef EMT_OS_VMA_H
#define EMT_OS_VMA_H

#include <stdbool.h>
#include <stdint.h>

struct os_file;
struct place_records;

#define VMA_SHARED     0x01u
#define VMA_GROWSDOWN  0x02u
#define VMA_HUGE       0x04u /* MADV_HUGEPAGE */
#define VMA_NOHUGE     0x08u /* MADV_NOHUGEPAGE */
#define VMA_HUGETLB    0x10u /* MAP_HUGETLB */
#define VMA_DONTFORK   0x20u
#define VMA_WIPEONFORK 0x40u

/* Linux keeps this many bytes free below a stack (stack_guard_gap, 256 pages). */
#define VMA_GUARD_BYTES (256ull << 12)

struct vma {
    uint64_t start, end;
    /*
     * Which page of its object an address shows: (va - start + offset) >> 12. For private anonymous memory the
     * offset is the address of creation and stays when the VMA is moved, as Linux's vm_pgoff does, so that a
     * frame's owner key still finds its mappings.
     */
    uint64_t offset;
    struct os_file *file;        /* NULL: private anonymous memory; holds a reference */
    uint32_t prot;               /* ABI_PROT_ */
    uint32_t flags;              /* VMA_ */
    struct place_records *place; /* os/placement.h; NULL: none yet */
    bool anon;                   /* may map private pages: they exist nowhere else, so fork must copy */

    struct vma *prev, *next;
    struct vma *left, *right;
    uint64_t max_gap; /* in this subtree */
    uint32_t priority;
};

struct vma_tree {
    struct vma *root, *first, *last;
    struct vma *recent; /* found last */
    uint64_t count;
    uint64_t seed;
};

/* First VMA that ends above va, or NULL. */
struct vma *vma_find(struct vma_tree *t, uint64_t va);
/* The VMA that holds va, or NULL. */
struct vma *vma_at(struct vma_tree *t, uint64_t va);
/* First VMA that overlaps [start, end), or NULL. */
struct vma *vma_overlap(struct vma_tree *t, uint64_t start, uint64_t end);
/* v must overlap none. The tree does not own it. */
void vma_insert(struct vma_tree *t, struct vma *v);
void vma_remove(struct vma_tree *t, struct vma *v);
/* New ends, between the neighbours. */
void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end);
/* Highest start of `bytes` free bytes in [low, high), guard gaps respected; 0: there is no room. */
uint64_t vma_room(const struct vma_tree *t, uint64_t bytes, uint64_t low, uint64_t high);
/* Order, list and gaps are right; 0, or -1 after a line on stderr. */
int vma_verify(const struct vma_tree *t);

#endif
