/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A tree of page tables whose driver also keeps runs: stretches of addresses that are contiguous in physical memory
 * too, from which hardware has a shorter way than the walk (a range table, a segment's registers, ...). The tables
 * stay complete; what is known of runs is redundant, made by the driver from the pages that it is told of, and the
 * operating system need not know that there are any.
 *
 *     interface ──> functions below ──> mmu/tree                     tables
 *                        │
 *                        └──> runs_gone(), runs_come(), ...          what is kept of runs
 *
 * Included by a driver, which has these four, static:
 *
 *   runs_gone(tdb, va, bytes)          pages of this stretch will change or go, or have lost A or D: no run may
 * claim them any more when it returns. May be called where nothing is runs_come(tdb, slot)             a present
 * page stands in the slot now: it may join a run runs_protect(tdb, va, bytes, prot) all that is present in this
 * stretch will get these permissions runs_bits(tdb, object)             bits of RUNS_BITS to store with a new
 * object: what runs_come() would have to add
 *
 * and RUNS_BITS, a mask of bits of a leaf that the driver keeps for itself, at the upper end of RADIX_SOFT_HIGH.
 * Both before and after each call that changes it, what is kept of runs says nothing that the tables do not: a run
 * shrinks before its pages change, and grows after they came.
 *
 * Which pages may be in a run: present, with A set, since hardware that uses a run sets neither A nor D in its
 * pages; all with the same rights, and D alike (runs_rights()). Clearing A or D takes a page out.
 */
#ifndef EMT_MMU_TREE_RUNS_H
#define EMT_MMU_TREE_RUNS_H

#include "mmu/tree/tree.h"

#define RUNS_SOFT_BITS (RADIX_SOFT_BITS - (unsigned)__builtin_popcountll(RUNS_BITS))
#define RUNS_AD        (RADIX_MASK(A) | RADIX_MASK(D))

static uint64_t runs_bits(struct emt_tdb *tdb, const struct emt_tobj *o);
static void runs_gone(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);
static void runs_come(struct emt_tdb *tdb, const struct tree_slot *s);
static void runs_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot);

/* ---- pages ---- */

/* What all pages of a run have alike, as a leaf of level 1 says it; 0: a page that no run takes. */
static inline uint64_t runs_rights(uint64_t entry, unsigned level) {
    const uint64_t kept = RADIX_MASK(P) | RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(D) | RADIX_MASK(G) |
                          RADIX_MASK(PK) | RADIX_MASK(NX);

    if (!RADIX_GET(entry, P) || !RADIX_GET(entry, A))
        return 0;
    return radix_put_cache_mode(entry & kept, 1, radix_cache_mode(entry, level));
}

static inline uint64_t runs_offset(const struct tree_slot *s) {
    return radix_leaf_pa(s->entry, s->level) - s->va;
}

/* ---- translation objects: without the driver's bits ---- */

static inline uint64_t runs_plain(uint64_t entry) {
    return radix_is_swap(entry) ? entry : entry & ~(uint64_t)RUNS_BITS;
}

static uint64_t runs_tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    const struct emt_tobj plain = {.va = o->va, .bytes = o->bytes, .raw = {runs_plain(o->raw[0])}};

    return x86_tobj_get(&plain, attr);
}

static int runs_tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    if (attr == EMT_ATTR_SOFT && value >> RUNS_SOFT_BITS)
        return -EINVAL;
    o->raw[0] = runs_plain(o->raw[0]);
    return x86_tobj_set(o, attr, value);
}

static bool runs_tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    const struct emt_tobj x = {.va = a->va, .bytes = a->bytes, .raw = {runs_plain(a->raw[0])}};
    const struct emt_tobj y = {.va = b->va, .bytes = b->bytes, .raw = {runs_plain(b->raw[0])}};

    return x86_tobj_same(&x, &y);
}

static void runs_tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    x86_tsvc_caps(svc, caps);
    caps->soft_bits = (uint8_t)RUNS_SOFT_BITS;
    caps->ranges = true;
}

/* ---- single objects ---- */

static int runs_update(struct emt_tdb *tdb, struct tree_path *path, const struct emt_tobj *o) {
    struct emt_tobj marked = *o;

    if (!x86_object_level(tdb->svc, o))
        return -EINVAL;
    runs_gone(tdb, o->va, o->bytes);
    marked.raw[0] = runs_plain(o->raw[0]);
    if (RADIX_GET(marked.raw[0], P))
        marked.raw[0] |= runs_bits(tdb, &marked);
    int err = tree_update(tdb, path, &marked);
    if (!err && RADIX_GET(marked.raw[0], P)) {
        const unsigned level = radix_leaf_level(o->bytes);
        runs_come(tdb, &(struct tree_slot){
                           .entry = marked.raw[0], .va = o->va, .bytes = o->bytes, .level = level, .low = level});
    }
    return err;
}

static int runs_tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return runs_update(tdb, &(struct tree_path){0}, o);
}

static int runs_cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return runs_update(c->tdb, tree_cursor_path(c), o);
}

static int runs_tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    int err = tree_tdb_find(tdb, va, old);

    if (err)
        return err;
    runs_gone(tdb, old->va, old->bytes);
    return tree_tdb_remove(tdb, va, old);
}

static int runs_cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    runs_gone(c->tdb, c->obj.va, c->obj.bytes);
    return tree_cursor_erase(c, old);
}

static int runs_tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    struct emt_tobj o;
    int ad = tree_tdb_find(tdb, va, &o);

    if (!ad)
        ad = tree_tdb_test_clear(tdb, va, mask);
    if (ad > 0)
        runs_gone(tdb, o.va, o.bytes);
    return ad;
}

/* ---- ranges ---- */

/* What is present in a stretch joins runs again. */
static void runs_rescan(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct tree_path path = {0};

    for (uint64_t at = va, last = va + (bytes - 1); bytes;) {
        const struct tree_slot s = tree_descend(tdb, &path, at);
        if (RADIX_GET(s.entry, P))
            runs_come(tdb, &s);
        at = s.va + s.bytes;
        if (at - 1 >= last || !at)
            break;
    }
}

static int runs_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                            struct emt_gather *g) {
    runs_gone(tdb, va, bytes);
    return tree_range_unmap(tdb, va, bytes, gone, ctx, g);
}

static int runs_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot,
                              struct emt_gather *g) {
    runs_protect(tdb, va, bytes, prot);
    return tree_range_protect(tdb, va, bytes, prot, g);
}

struct runs_copy {
    emt_copy_fn copy;
    void *ctx;
    struct emt_tdb *src;
    bool changed;
};

static int runs_copy_one(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    struct runs_copy *c = ctx;
    const struct emt_tobj old = *src;
    const int verdict = c->copy(c->ctx, src, dst);

    if (verdict <= 0)
        return verdict;
    if (src->raw[0] != old.raw[0]) {
        runs_gone(c->src, old.va, old.bytes);
        c->changed = true;
    }
    dst->raw[0] = runs_plain(dst->raw[0]);
    return verdict;
}

static int runs_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                           void *ctx, struct emt_gather *src_gather) {
    struct runs_copy c = {copy, ctx, src, false};
    int err = tree_range_copy(dst, src, va, bytes, runs_copy_one, &c, src_gather);

    if (c.changed)
        runs_rescan(src, va, bytes);
    runs_rescan(dst, va, bytes);
    return err;
}

struct runs_age {
    emt_aged_fn aged;
    void *ctx;
    struct emt_tdb *tdb;
};

/* The flush comes after this: until then hardware may use what it knew, as with any A or D that is cleared. */
static void runs_aged(void *ctx, const struct emt_tobj *old, unsigned ad) {
    const struct runs_age *a = ctx;

    runs_gone(a->tdb, old->va, old->bytes);
    a->aged(a->ctx, old, ad);
}

static int runs_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged,
                          void *ctx, struct emt_gather *g) {
    return tree_range_age(tdb, va, bytes, mask, runs_aged, &(struct runs_age){aged, ctx, tdb}, g);
}

/* To split a page changes no translation: the pieces stay in the run, with the driver's bits. */
static int runs_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    struct emt_tobj plain = *huge;

    plain.raw[0] = runs_plain(huge->raw[0]);
    runs_gone(tdb, huge->va, huge->bytes);
    int err = tree_huge_collapse(tdb, &plain, g);
    runs_rescan(tdb, huge->va, huge->bytes);
    return err;
}

/* Members of emt_driver_ops; create, destroy, root and switch are the driver's own. */
#define RUNS_DRIVER_OPS(protect, split)                                                                            \
    .tobj_get = runs_tobj_get, .tobj_set = runs_tobj_set, .tobj_init = x86_tobj_init, .tobj_same = runs_tobj_same, \
    .tdb_find = tree_tdb_find, .tdb_update = runs_tdb_update, .tdb_remove = runs_tdb_remove,                       \
    .tdb_test_clear = runs_tdb_test_clear, .tsvc_init = x86_tsvc_init, .tsvc_fini = x86_tsvc_fini,                 \
    .tsvc_caps = runs_tsvc_caps, .tsvc_flush = x86_tsvc_flush,                                                     \
    .cursor_find = tree_cursor_find, .cursor_set = runs_cursor_set, .cursor_erase = runs_cursor_erase,             \
    .range_unmap = runs_range_unmap, .range_protect = protect, .range_copy = runs_range_copy,                      \
    .range_age = runs_range_age, .range_void = tree_range_void, .huge_collapse = runs_huge_collapse,               \
    .huge_split = split

#endif
