/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Cases that are made on purpose, before the random ones. */
#include "check/directed.h"

#include <inttypes.h>
#include <stdlib.h>

struct request {
    const struct emt_arch *arch;
    const struct traits *traits;
    uint64_t seed;
};

#define ROUNDS 5000

/* Setting one attribute changes that one and no other; what is refused changes nothing. */
static bool set_one(struct world *w, struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    const struct emt_tobj before = *o;
    const int err = emt_tobj_set(&w->svc, o, attr, value);

    if (!err && emt_tobj_get(&w->svc, o, attr) != value)
        return world_fail(w, "tobj", "attribute %d is set to 0x%" PRIx64 ", and reads as 0x%" PRIx64, attr, value,
                          emt_tobj_get(&w->svc, o, attr));
    for (int other = 0; other < EMT_ATTR_COUNT; other++) {
        const uint64_t was = emt_tobj_get(&w->svc, &before, other), is = emt_tobj_get(&w->svc, o, other);
        if (was != is && (err || other != (int)attr))
            return world_fail(w, "tobj",
                              "setting attribute %d to 0x%" PRIx64 "%s changes attribute %d from 0x%" PRIx64
                              " to 0x%" PRIx64 " (numbers of enum emt_attr)",
                              attr, value, err ? ", refused," : "", other, was, is);
    }
    return true;
}

static bool attributes(struct world *w, uint64_t seed) {
    static const enum emt_attr kept[] = {EMT_ATTR_PFN,      EMT_ATTR_WRITE, EMT_ATTR_EXEC,  EMT_ATTR_USER,
                                         EMT_ATTR_GLOBAL,   EMT_ATTR_CACHE, EMT_ATTR_PKEY,  EMT_ATTR_SOFT,
                                         EMT_ATTR_ACCESSED, EMT_ATTR_DIRTY, EMT_ATTR_CONTIG};
    const struct traits *t = w->traits;

    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t bytes = t->sizes[check_below(&seed, t->nsizes)], pages = bytes >> EMT_PAGE_SHIFT;
        struct object o = t->base;
        struct emt_tobj obj, other;

        o.va = check_below(&seed, 1u << 20) * bytes & ((1ull << (t->caps.va_bits - 1)) - 1);
        o.bytes = bytes;
        o.pfn = (WORLD_PAGES_PFN + check_below(&seed, WORLD_PAGES_COUNT)) & -pages;
        if (!object_to_tobj(w, &o, &obj))
            return false;
        for (unsigned i = 0; i < 8; i++) {
            const enum emt_attr attr = kept[check_below(&seed, sizeof(kept) / sizeof(kept[0]))];
            const uint64_t value = attr == EMT_ATTR_PFN ? check_random(&seed) >> 12 & (t->pfn_end - 1) & -pages
                                                        : check_random(&seed) >> check_below(&seed, 63) & 0xffff;
            other = obj;
            const bool flag = (attr < EMT_ATTR_CACHE && attr != EMT_ATTR_PFN) || attr == EMT_ATTR_CONTIG;
            if (!set_one(w, &obj, attr, flag ? value & 1 : value))
                return false;
            const bool ad = attr == EMT_ATTR_ACCESSED || attr == EMT_ATTR_DIRTY;
            const bool same = ad || emt_tobj_get(&w->svc, &obj, attr) == emt_tobj_get(&w->svc, &other, attr);
            if (emt_tobj_same(&w->svc, &obj, &other) != same)
                return world_fail(w, "tobj", "tobj_same says %d of objects that differ%s in attribute %d", !same,
                                  same ? " at most" : "", attr);
        }
    }
    return true;
}

/* The largest page into the smallest, at once: whole subtrees of tables. */
static bool deep_split(struct world *w) {
    const struct traits *t = w->traits;
    const uint64_t bytes = t->sizes[t->nsizes - 1], small = t->sizes[0], va = 8 * bytes;
    struct emt_tdb *tdb = &w->space[0].tdb;
    struct object o = t->base;
    struct emt_gather g;
    struct emt_tobj obj;

    o.va = va;
    o.bytes = bytes;
    o.dirty = t->dirty;
    o.pfn = WORLD_PAGES_PFN;
    if (t->restricted || bytes == small || !emt_huge_possible(tdb, va, bytes))
        return true;
    if (!object_to_tobj(w, &o, &obj))
        return false;
    int err = emt_tdb_update(tdb, &obj);
    emt_gather_init(&g);
    err = err ? err : emt_huge_split(tdb, va, small, &g);
    emt_gather_flush(tdb, &g);
    if (err)
        return world_fail(w, "error", "splitting 0x%" PRIx64 " bytes into 4 KiB pages: %s", bytes, error_name(err));
    oracle_put(&w->space[0].oracle, &o);
    oracle_split(&w->space[0].oracle, va, small);
    return compare_range(w, 0, va, va + (bytes - 1)) && compare_around(w, 0, va, va + (bytes - 1));
}

/* What hardware knows of a run of pages from `va` on: by a walk, or by registers. */
static bool known_range(struct world *w, uint64_t va, struct emt_range *r) {
    struct emt_root root;

    if (!range_around(w, 0, va, r) || !segment_check(w, 0))
        return false;
    if (w->arch->walker->segment) {
        emt_tdb_root(&w->space[0].tdb, &root);
        w->arch->walker->segment(&root, r);
    }
    return true;
}

#define RUN_PAGES 64u

/*
 * Pages that follow each other in both memories, in an order that leaves no gap for long, must become a range of
 * all of them; without the page in the middle none may reach over it, and the ends must be ranges still.
 */
static bool make_range(struct world *w) {
    const struct traits *t = w->traits;
    const uint64_t va = 16ull << EMT_SHIFT_1G, last = va + RUN_PAGES * EMT_PAGE_BYTES - 1;
    const uint64_t middle = va + RUN_PAGES / 2 * EMT_PAGE_BYTES;
    struct emt_tdb *tdb = &w->space[0].tdb;
    struct emt_range r;
    struct emt_tobj obj;

    if (!t->caps.ranges || !t->accessed || !t->dirty)
        return true;
    for (unsigned i = 0; i < RUN_PAGES; i++) {
        struct object o = t->base;
        o.va = va + (i ^ 1) * EMT_PAGE_BYTES;
        o.pfn = WORLD_PAGES_PFN + 1000 + (i ^ 1);
        o.accessed = o.dirty = true;
        if (!object_to_tobj(w, &o, &obj))
            return false;
        int err = emt_tdb_update(tdb, &obj);
        if (err)
            return world_fail(w, "error", "a page of 4 KiB at 0x%" PRIx64 ": %s", o.va, error_name(err));
        oracle_put(&w->space[0].oracle, &o);
    }
    if (!known_range(w, middle, &r))
        return false;
    if (r.va != va || r.last != last)
        return world_fail(w, "range", "%u contiguous pages at 0x%" PRIx64 " are no range that hardware knows",
                          RUN_PAGES, va);
    int err = emt_tdb_remove(tdb, middle, &obj);
    if (err)
        return world_fail(w, "error", "removing 0x%" PRIx64 ": %s", middle, error_name(err));
    emt_tsvc_flush(&w->svc,
                   &(struct emt_flush){.kind = EMT_FLUSH_RANGE, .tdb = tdb, .va = middle, .bytes = EMT_PAGE_BYTES});
    oracle_remove(&w->space[0].oracle, middle, middle + EMT_PAGE_BYTES - 1);
    if (!known_range(w, va, &r))
        return false;
    if (r.last < r.va)
        return world_fail(w, "range", "of a range of %u pages without one in the middle nothing is left",
                          RUN_PAGES);
    return compare_range(w, 0, va, last) && compare_around(w, 0, va, last);
}

static void run(void *ctx, void *shared) {
    const struct request *q = ctx;
    struct verdict *v = shared;
    struct world *w = calloc(1, sizeof(*w));
    const struct op none = {.kind = OP_SPLIT};

    if (!w)
        return;
    w->op = &none;
    if (world_init(w, &(struct world_setup){.arch = q->arch, .traits = q->traits, .spaces = 1}) == 0 &&
        attributes(w, q->seed) && deep_split(w) && make_range(w))
        world_end(w);
    v->finding = w->finding;
    v->stats = w->stats;
    world_fini(w);
    free(w);
}

void directed_run(const struct emt_arch *arch, const struct traits *t, uint64_t seed, bool isolate,
                  struct verdict *out) {
    struct request q = {.arch = arch, .traits = t, .seed = seed};

    verdict_of(run, &q, isolate, out);
}
