/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A tree of page tables: operations on ranges, customized. mmu/tree/tree.h. */
#include "mmu/tree/tree.h"

/*
 * The one walk over a range, which all range functions share. It gives the objects of [first, last] in order:
 * within a table by one read for each entry, over a missing subtree in one step.
 *
 *     struct span w = span_of(tdb, va, bytes);
 *     while (span_next(&w))
 *         ... w.slot ...
 */
struct span {
    struct emt_tdb *tdb;
    uint64_t first, last; /* inclusive: a range may end at the top of the address space */
    uint64_t next;        /* nothing in [first, next) is left to visit */
    bool started, done;
    bool erases; /* the user removes all that it gets: free the tables that became void when leaving them */
    bool freed;  /* some table was */
    struct tree_path path;
    struct tree_slot slot;
};

static struct span span_of(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return (struct span){.tdb = tdb, .first = va, .last = va + bytes - 1, .next = va, .done = bytes == 0};
}

/* The tables that the next step leaves are those below level `top`. */
static void span_leave(struct span *w) {
    const unsigned levels = tree_levels(w->tdb);
    unsigned top = w->done ? levels : w->path.low;

    while (top < levels && (w->next ^ w->path.va) >> radix_shift(top + 1))
        top++;
    if (tree_prune(w->tdb, &w->path, w->first, w->next - 1, top))
        w->freed = true;
}

static bool span_next(struct span *w) {
    for (;;) {
        if (w->erases && w->started)
            span_leave(w);
        if (w->done)
            return false;
        w->slot = tree_descend(w->tdb, &w->path, w->next);
        w->started = true;
        w->next = w->slot.va + w->slot.bytes;
        w->done = w->next - 1 >= w->last;
        if (w->slot.entry)
            return true;
    }
}

int tree_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                     struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    w.erases = true;
    while (span_next(&w)) {
        tree_slot_replace(tdb, &w.slot, 0);
        if (w.slot.entry & RADIX_MASK(P))
            x86_gather(g, w.slot.va, w.slot.bytes);
        const struct emt_tobj old = tree_slot_tobj(&w.slot);
        if (gone)
            gone(ctx, &old);
    }
    if (w.freed)
        g->tables = true;
    return 0;
}

int tree_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const uint64_t now = x86_with_prot(w.slot.entry, prot);
        if (!(w.slot.entry & RADIX_MASK(P)) || now == w.slot.entry)
            continue;
        if (x86_needs_flush(w.slot.entry, now, w.slot.level))
            x86_gather(g, w.slot.va, w.slot.bytes);
        tree_slot_replace(tdb, &w.slot, now);
    }
    return 0;
}

int tree_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                    void *ctx, struct emt_gather *src_gather) {
    struct span w = span_of(src, va, bytes);
    struct tree_path to_path = {0};

    while (span_next(&w)) {
        const struct emt_tobj old = tree_slot_tobj(&w.slot);
        struct emt_tobj from = old, to = old;
        int err = copy(ctx, &from, &to);

        if (err < 0)
            return err;
        if (err == 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if (!x86_tobj_same(&from, &old)) {
            if (from.va != old.va || x86_object_level(src->svc, &from) != w.slot.level)
                return -EINVAL;
            if (x86_needs_flush(old.raw[0], from.raw[0], w.slot.level))
                x86_gather(src_gather, w.slot.va, w.slot.bytes);
            tree_slot_replace(src, &w.slot, from.raw[0]);
        }
        err = tree_update(dst, &to_path, &to);
        if (err)
            return err;
    }
    return 0;
}

int tree_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                   struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const struct emt_tobj old = tree_slot_tobj(&w.slot);
        const unsigned ad = w.slot.entry & RADIX_MASK(P) ? tree_slot_test_clear(tdb, &w.slot, mask) : 0;

        if (!ad)
            continue;
        x86_gather(g, w.slot.va, w.slot.bytes);
        aged(ctx, &old, ad);
    }
    return 0;
}

bool tree_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct span w = span_of(tdb, va, bytes);

    return !span_next(&w);
}
