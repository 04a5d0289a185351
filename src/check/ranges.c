/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ranges that hardware is told of (struct emt_range), by a walk or by registers: whatever they claim must be so for
 * each page that lies in them.
 */
#include <inttypes.h>

#include "check/world.h"

static bool wrong(struct world *w, unsigned db, const struct emt_range *r, const struct object *o, uint64_t va,
                  const char *who, const char *what) {
    char want[256] = "nothing there";

    if (o)
        object_describe(o, want, sizeof(want));
    return world_fail(w, "range",
                      "%s says of db %u that 0x%" PRIx64 " to 0x%" PRIx64 " lie at pfn 0x%" PRIx64 " r%s%s%s%s%s "
                      "cache %u pkey %u; at 0x%" PRIx64 ": %s\n    the object %s",
                      who, db, r->va, r->last, r->pa >> EMT_PAGE_SHIFT, r->write ? "w" : "", r->exec ? "x" : "",
                      r->user ? " user" : "", r->global ? " global" : "", r->dirty ? " D" : "", r->cache_mode,
                      r->pkey, va, what, want);
}

bool range_check(struct world *w, unsigned db, const struct emt_range *r, const char *who) {
    const struct traits *t = w->traits;

    if (r->last < r->va)
        return true;
    if (r->va & (EMT_PAGE_BYTES - 1) || (r->last + 1) & (EMT_PAGE_BYTES - 1) || r->pa & (EMT_PAGE_BYTES - 1))
        return wrong(w, db, r, NULL, r->va, who, "a range consists of whole pages");
    for (uint64_t va = r->va;;) {
        const struct object *o = oracle_find(&w->space[db].oracle, va);
        if (!o || o->state != OBJECT_PRESENT)
            return wrong(w, db, r, o, va, who, "no present object");
        if ((o->pfn << EMT_PAGE_SHIFT) + (va - o->va) != r->pa + (va - r->va))
            return wrong(w, db, r, o, va, who, "another frame");
        if (o->write != r->write || o->exec != r->exec || o->user != r->user)
            return wrong(w, db, r, o, va, who, "other permissions");
        if ((t->global && o->global != r->global) || (t->cache_max && o->cache != r->cache_mode) ||
            (t->pkey_max && o->pkey != r->pkey))
            return wrong(w, db, r, o, va, who, "other attributes");
        if ((t->dirty && r->dirty && !o->dirty) || (t->accessed && !o->accessed && !o->maybe_accessed))
            return wrong(w, db, r, o, va, who, "a page that hardware would have to mark");
        if (object_last(o) >= r->last)
            return true;
        va = object_last(o) + 1;
    }
}

bool segment_check(struct world *w, unsigned db) {
    struct emt_range r = {.va = 1};
    struct emt_root root;

    if (!w->arch->walker->segment || !w->space[db].live)
        return true;
    emt_tdb_root(&w->space[db].tdb, &root);
    w->arch->walker->segment(&root, &r);
    return range_check(w, db, &r, "the segment");
}

/* A walk that changes nothing, since A is set, but tells of the range around va. */
bool range_around(struct world *w, unsigned db, uint64_t va, struct emt_range *r) {
    const struct object *o = canonical(w->traits, va) ? oracle_find(&w->space[db].oracle, va) : NULL;

    *r = (struct emt_range){.va = 1};
    if (!w->arch->walker->ranges || !o || o->state != OBJECT_PRESENT || !o->accessed || o->maybe_accessed)
        return true;
    return walk_range(w, db, &(struct emt_access){.va = va, .type = EMT_LOAD, .user = o->user, .nx = true}, r);
}
