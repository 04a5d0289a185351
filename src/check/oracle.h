/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The oracle: what an address space holds, as a plain sorted array of plain objects. It knows no architecture, and
 * it is simple enough to be believed.
 */
#ifndef EMT_CHECK_ORACLE_H
#define EMT_CHECK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum object_state { OBJECT_PRESENT, OBJECT_NONE /* has a frame, no access */, OBJECT_SWAP };

struct object {
    uint64_t va, bytes;
    uint64_t pfn, swap; /* the one that the state has; the other is 0 */
    uint32_t soft;
    uint8_t state; /* enum object_state */
    uint8_t cache, pkey;
    bool write, exec, user, global, accessed, dirty, contig;
    bool maybe_accessed; /* a TLB may have answered: A is 0 or 1 */
    bool gone;           /* only while a range is unmapped: it was shown to whoever asked for it */
};

struct oracle {
    struct object *object; /* by va, none overlaps */
    size_t n, room;
    size_t last; /* the answer before: most questions are about a place near the one before */
};

void oracle_fini(struct oracle *o);
/* Index of the first object that ends behind va: the one that answers for va, if it begins at or before it. */
size_t oracle_from(struct oracle *o, uint64_t va);
/* The object that answers for va, or NULL; valid until the next change. */
struct object *oracle_find(struct oracle *o, uint64_t va);
/* Does any object overlap [va, last]? */
bool oracle_overlaps(struct oracle *o, uint64_t va, uint64_t last);
/* Put an object where none is, or in place of one of the same address and size. */
void oracle_put(struct oracle *o, const struct object *object);
/* Remove all that overlaps [va, last]. */
void oracle_remove(struct oracle *o, uint64_t va, uint64_t last);
/* Remove those of [va, last] that are gone. */
void oracle_sweep(struct oracle *o, uint64_t va, uint64_t last);
/* The object that answers for va, which is there, becomes pieces of `bytes`. */
void oracle_split(struct oracle *o, uint64_t va, uint64_t bytes);

static inline uint64_t object_last(const struct object *o) {
    return o->va + (o->bytes - 1);
}

#endif
