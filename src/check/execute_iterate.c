/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A cursor over a range that changes objects as it goes: next, seek, set and erase mixed. */
#include <inttypes.h>

#include "check/execute.h"

struct tour {
    struct world *w;
    const struct op *op;
    struct emt_cursor c;
    struct outcome *range;
    int err;
};

static struct oracle *oracle_of(const struct tour *t) {
    return &t->w->space[t->op->db].oracle;
}

/* Set through the cursor, and in the oracle. */
static bool set(struct tour *t, const struct object *o) {
    struct emt_tobj obj;

    if (!object_to_tobj(t->w, o, &obj))
        return false;
    t->err = emt_cursor_set(&t->c, &obj);
    if (!result(t->w, t->err, 0))
        return false;
    if (!t->err)
        oracle_put(oracle_of(t), o);
    return true;
}

static bool change(struct tour *t, struct object *o, uint64_t random) {
    struct object other = *o;

    if (o->state != OBJECT_PRESENT || t->w->traits->restricted)
        return true;
    if (random & 1 && t->w->traits->write)
        other.write = !other.write;
    else if (random & 2 && t->w->traits->dirty)
        other.dirty = !other.dirty;
    else if (random & 4)
        other.pfn ^= other.bytes >> EMT_PAGE_SHIFT; /* its neighbour: aligned, and in memory as well */
    else if (t->w->traits->soft_max)
        other.soft ^= 1;
    other.maybe_accessed = false;
    return set(t, &other);
}

static bool erase(struct tour *t, struct object *o) {
    t->err = emt_cursor_erase(&t->c);
    if (!result(t->w, t->err, 0))
        return false;
    if (t->err)
        return true;
    if (!object_check(t->w, o, &t->c.obj, "what a cursor erased"))
        return false;
    oracle_remove(oracle_of(t), o->va, object_last(o));
    return true;
}

/* Fill a page of void behind the object. */
static bool fill(struct tour *t, const struct object *o, uint64_t random) {
    struct object page = t->w->traits->base;

    page.va = object_last(o) + 1;
    page.pfn = WORLD_PAGES_PFN + random % WORLD_PAGES_COUNT;
    if (t->w->traits->restricted || page.va > t->range->last || oracle_overlaps(oracle_of(t), page.va, page.va))
        return true;
    return set(t, &page);
}

/* Look elsewhere in the range and come back. */
static bool look_aside(struct tour *t, uint64_t random) {
    const uint64_t va = t->range->va + random % (t->range->last - t->range->va + 1), here = t->c.va;
    struct object *o = oracle_find(oracle_of(t), va);
    const bool found = emt_cursor_seek(&t->c, va);

    if (found != !!o)
        return world_fail(t->w, "cursor", "a cursor's seek to 0x%" PRIx64 " in db %u finds %s", va, t->op->db,
                          found ? "an object where none is" : "nothing where an object is");
    if (o && !object_check(t->w, o, &t->c.obj, "a cursor's seek"))
        return false;
    t->c.va = here;
    return true;
}

static bool visit(struct tour *t, struct object *o) {
    uint64_t state = t->op->seed ^ o->va;
    const uint64_t random = check_random(&state);

    switch (random >> 60) {
    case 0:
    case 1:
    case 2:
        return erase(t, o);
    case 3:
    case 4:
    case 5:
        return change(t, o, random);
    case 6:
        return fill(t, o, random >> 8);
    case 7:
    case 8:
        return look_aside(t, random >> 8);
    default:
        return true;
    }
}

static bool tour(struct tour *t) {
    struct oracle *oracle = oracle_of(t);
    uint64_t next = t->range->va;
    char text[256];

    while (!t->err && emt_cursor_next(&t->c)) {
        struct object *o = oracle_find(oracle, t->c.obj.va);
        const size_t i = oracle_from(oracle, next);

        if (!o || &oracle->object[i] != o) {
            if (i < oracle->n)
                object_describe(&oracle->object[i], text, sizeof(text));
            return world_fail(t->w, "cursor",
                              "a cursor that changes objects as it goes comes to 0x%" PRIx64 "\n    expected %s",
                              t->c.obj.va, i < oracle->n ? text : "the end");
        }
        if (!object_check(t->w, o, &t->c.obj, "a cursor that changes objects as it goes"))
            return false;
        next = object_last(o) + 1;
        if (!visit(t, o))
            return false;
    }
    const size_t i = oracle_from(oracle, next);
    if (t->err || next > t->range->last || i == oracle->n || oracle->object[i].va > t->range->last)
        return true;
    object_describe(&oracle->object[i], text, sizeof(text));
    return world_fail(t->w, "cursor", "a cursor that changes objects as it goes comes to the end\n    expected %s",
                      text);
}

bool execute_iterate(struct world *w, const struct op *op, struct outcome *out) {
    struct tour t = {.w = w, .op = op, .range = out};
    struct emt_gather g;

    if (!range_of(w, op->db, op->at.va, op->at.bytes, out)) {
        out->nothing = true;
        return true;
    }
    emt_gather_init(&g);
    int err = emt_cursor_open(&t.c, &w->space[op->db].tdb, out->va, out->last + 1, &g);
    if (err)
        return result(w, err, 0);
    bool fine = tour(&t);
    emt_cursor_close(&t.c);
    emt_gather_flush(&w->space[op->db].tdb, &g);
    return fine;
}
