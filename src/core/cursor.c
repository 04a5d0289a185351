/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The cursor over a locked range. The default finds every object anew through the basic functions; a driver that
 * customizes cursor_find and kin steps through its tables instead. What the caller sees is the same.
 */
#include "core/dispatch.h"

int emt_cursor_open(struct emt_cursor *c, struct emt_tdb *tdb, uint64_t start, uint64_t end,
                    struct emt_gather *gather) {
    *c = (struct emt_cursor){.tdb = tdb, .start = start, .end = end, .va = start};
    emt_gather_init(&c->own);
    c->owns_gather = gather == NULL;
    c->gather = gather ? gather : &c->own;
    emt_range_lock(tdb, start, end - start);
    int err = CUSTOM(tdb->svc, cursor_open) ? CUSTOM(tdb->svc, cursor_open)(c) : 0;
    if (err)
        emt_range_unlock(tdb, start, end - start);
    return err;
}

void emt_cursor_close(struct emt_cursor *c) {
    if (CUSTOM(c->tdb->svc, cursor_close))
        CUSTOM(c->tdb->svc, cursor_close)(c);
    if (c->owns_gather)
        emt_gather_flush(c->tdb, &c->own);
    emt_range_unlock(c->tdb, c->start, c->end - c->start);
}

static int find(struct emt_cursor *c) {
    if (CUSTOM(c->tdb->svc, cursor_find))
        return CUSTOM(c->tdb->svc, cursor_find)(c);
    return emt_tdb_find(c->tdb, c->va, &c->obj);
}

bool emt_cursor_seek(struct emt_cursor *c, uint64_t va) {
    c->va = va;
    c->found = find(c) == 0;
    return c->found;
}

bool emt_cursor_next(struct emt_cursor *c) {
    /* Invariant: nothing in [start, va) is left to visit. c->va may wrap to 0 behind the last address. */
    while (c->va >= c->start && c->va < c->end) {
        bool found = emt_cursor_seek(c, c->va);

        c->va = c->obj.va + c->obj.bytes;
        if (found)
            return true;
    }
    c->found = false;
    return false;
}

/*
 * Does replacing `old` by `o` leave something in a TLB that must go? Not when old was not present, and not when o
 * only allows more: then a stale entry causes at worst one spurious fault. (Intel SDM vol. 3, 4.10.4.3.)
 */
static bool needs_flush(const struct emt_tsvc *svc, const struct emt_tobj *old, const struct emt_tobj *o) {
    static const enum emt_attr rights[] = {EMT_ATTR_WRITE, EMT_ATTR_EXEC, EMT_ATTR_USER, EMT_ATTR_DIRTY};
    static const enum emt_attr exact[] = {EMT_ATTR_PFN, EMT_ATTR_GLOBAL, EMT_ATTR_CACHE, EMT_ATTR_PKEY};

    if (!emt_tobj_get(svc, old, EMT_ATTR_PRESENT))
        return false;
    if (!emt_tobj_get(svc, o, EMT_ATTR_PRESENT) || old->va != o->va || old->bytes != o->bytes)
        return true;
    for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
        if (emt_tobj_get(svc, old, rights[i]) > emt_tobj_get(svc, o, rights[i]))
            return true;
    for (unsigned i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
        if (emt_tobj_get(svc, old, exact[i]) != emt_tobj_get(svc, o, exact[i]))
            return true;
    return false;
}

static int update(struct emt_cursor *c, const struct emt_tobj *o) {
    return CUSTOM(c->tdb->svc, cursor_set) ? CUSTOM(c->tdb->svc, cursor_set)(c, o) : emt_tdb_update(c->tdb, o);
}

int emt_cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    const struct emt_tsvc *svc = c->tdb->svc;
    struct emt_tobj old = c->obj;
    bool had = c->found && old.va <= o->va && o->va < old.va + old.bytes;

    /* The void that was found, or what was erased, says that nothing is there: a page fault's way. */
    bool none = !c->found && old.bytes && old.va <= o->va && o->va + o->bytes <= old.va + old.bytes;

    if (!had && !none) {
        /* The caller may set where it has not looked. */
        uint64_t va = c->va;
        had = emt_cursor_seek(c, o->va);
        old = c->obj;
        c->va = va;
    }
    int err = update(c, o);
    if (err)
        return err;
    if (had && needs_flush(svc, &old, o))
        emt_gather_object(c->gather, &old);
    c->obj = *o;
    c->found = true;
    return 0;
}

/* Without a flush for the object itself. */
static int erase(struct emt_cursor *c, struct emt_tobj *old) {
    const struct emt_tsvc *svc = c->tdb->svc;
    int err =
        CUSTOM(svc, cursor_erase) ? CUSTOM(svc, cursor_erase)(c, old) : emt_tdb_remove(c->tdb, c->obj.va, old);

    /* A driver may have freed a table that is now empty: upper-level caches can hold it until the flush. */
    if (!err && svc->host->nfreed)
        c->gather->tables = true;
    return err;
}

int emt_cursor_erase(struct emt_cursor *c) {
    struct emt_tobj old;

    if (!c->found)
        return -ENOENT;
    int err = erase(c, &old);
    if (err)
        return err;
    if (emt_tobj_get(c->tdb->svc, &old, EMT_ATTR_PRESENT))
        emt_gather_object(c->gather, &old);
    c->obj = old;
    c->found = false;
    return 0;
}

/* Can hardware still set anything in this object? D only where W allows stores (an OS runs with CR0.WP set). */
static bool settled(const struct emt_tsvc *svc, const struct emt_tobj *o) {
    return emt_tobj_get(svc, o, EMT_ATTR_ACCESSED) &&
           (emt_tobj_get(svc, o, EMT_ATTR_DIRTY) || !emt_tobj_get(svc, o, EMT_ATTR_WRITE));
}

/* What hardware has set in `old` becomes part of *o. */
static int take_over(const struct emt_tsvc *svc, const struct emt_tobj *old, const struct emt_tobj *read,
                     struct emt_tobj *o) {
    static const enum emt_attr ad[] = {EMT_ATTR_ACCESSED, EMT_ATTR_DIRTY};
    int err = 0;

    for (unsigned i = 0; i < 2 && !err; i++)
        if (emt_tobj_get(svc, old, ad[i]) && !emt_tobj_get(svc, read, ad[i]))
            err = emt_tobj_set(svc, o, ad[i], 1);
    return err;
}

/*
 * Of the basic functions only a removal says what hardware did until the end. So the object goes, and comes back
 * changed, as by Linux's ptep_modify_prot_start() and _commit(); other CPUs that use it in between fault, and find
 * it after this CPU's lock. It comes back where it was: when that wants a table that the removal has freed, a flush
 * returns it. When the change itself wants memory that there is not, it comes back as it was.
 */
int emt_cursor_change(struct emt_cursor *c, struct emt_tobj *o) {
    const struct emt_tsvc *svc = c->tdb->svc;
    const struct emt_tobj read = c->obj;
    struct emt_tobj old;

    if (!c->found || read.va != o->va || read.bytes != o->bytes)
        return -EINVAL;
    if (!emt_tobj_get(svc, &read, EMT_ATTR_PRESENT) || settled(svc, &read))
        return emt_cursor_set(c, o);
    int err = erase(c, &old);
    if (err)
        return err;
    err = take_over(svc, &old, &read, o);
    if (err)
        *o = old;
    if (update(c, o) && emt_tdb_put_back(c->tdb, o, c->gather)) {
        *o = old;
        emt_tdb_put_back(c->tdb, &old, c->gather); /* there is room for what was there */
        err = -ENOMEM;
    }
    if (needs_flush(svc, &old, o))
        emt_gather_object(c->gather, &old);
    c->obj = *o;
    c->found = true;
    return err;
}
