/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Operations on ranges and huge pages: lock, then the driver's own way or the architecture-neutral default, which
 * is written with the basic functions and the cursor alone.
 */
#include "core/dispatch.h"

/* ---- locks ---- */

void emt_range_lock(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    if (CUSTOM(tdb->svc, range_lock))
        CUSTOM(tdb->svc, range_lock)(tdb, va, bytes);
    else
        emt_lock(&tdb->lock);
}

void emt_range_unlock(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    if (CUSTOM(tdb->svc, range_unlock))
        CUSTOM(tdb->svc, range_unlock)(tdb, va, bytes);
    else
        emt_unlock(&tdb->lock);
}

/* ---- unmap, protect, age ---- */

static int default_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                         struct emt_gather *g) {
    struct emt_cursor c;
    int err = emt_cursor_open(&c, tdb, va, va + bytes, g);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        err = emt_cursor_erase(&c);
        if (!err && gone)
            gone(ctx, &c.obj);
    }
    emt_cursor_close(&c);
    return err;
}

int emt_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                    struct emt_gather *g) {
    if (!CUSTOM(tdb->svc, range_unmap))
        return default_unmap(tdb, va, bytes, gone, ctx, g);
    emt_range_lock(tdb, va, bytes);
    int err = CUSTOM(tdb->svc, range_unmap)(tdb, va, bytes, gone, ctx, g);
    emt_range_unlock(tdb, va, bytes);
    return err;
}

/* The object with other permissions; everything else, A and D included, stays. */
static int with_prot(const struct emt_tsvc *svc, struct emt_tobj *o, unsigned prot) {
    int err = emt_tobj_set(svc, o, EMT_ATTR_WRITE, (prot & EMT_PROT_WRITE) != 0);

    if (!err)
        err = emt_tobj_set(svc, o, EMT_ATTR_EXEC, (prot & EMT_PROT_EXEC) != 0);
    if (!err)
        err = emt_tobj_set(svc, o, EMT_ATTR_USER, (prot & EMT_PROT_USER) != 0);
    return err;
}

static int default_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    struct emt_cursor c;
    int err = emt_cursor_open(&c, tdb, va, va + bytes, g);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        struct emt_tobj o = c.obj;

        if (!emt_tobj_get(tdb->svc, &o, EMT_ATTR_PRESENT))
            continue;
        err = with_prot(tdb->svc, &o, prot);
        if (!err && !emt_tobj_same(tdb->svc, &o, &c.obj))
            err = emt_cursor_change(&c, &o);
    }
    emt_cursor_close(&c);
    return err;
}

int emt_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    if (!CUSTOM(tdb->svc, range_protect))
        return default_protect(tdb, va, bytes, prot, g);
    emt_range_lock(tdb, va, bytes);
    int err = CUSTOM(tdb->svc, range_protect)(tdb, va, bytes, prot, g);
    emt_range_unlock(tdb, va, bytes);
    return err;
}

static int default_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                       struct emt_gather *g) {
    struct emt_cursor c;
    int err = emt_cursor_open(&c, tdb, va, va + bytes, g);

    if (err)
        return err;
    while (emt_cursor_next(&c)) {
        if (!emt_tobj_get(tdb->svc, &c.obj, EMT_ATTR_PRESENT))
            continue;
        int ad = emt_tdb_test_clear(tdb, c.obj.va, mask);
        if (ad <= 0)
            continue;
        emt_gather_object(g, &c.obj);
        aged(ctx, &c.obj, (unsigned)ad);
    }
    emt_cursor_close(&c);
    return 0;
}

int emt_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                  struct emt_gather *g) {
    if (!CUSTOM(tdb->svc, range_age))
        return default_age(tdb, va, bytes, mask, aged, ctx, g);
    emt_range_lock(tdb, va, bytes);
    int err = CUSTOM(tdb->svc, range_age)(tdb, va, bytes, mask, aged, ctx, g);
    emt_range_unlock(tdb, va, bytes);
    return err;
}

bool emt_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct emt_cursor c;
    bool empty;

    if (CUSTOM(tdb->svc, range_void)) {
        emt_range_lock(tdb, va, bytes);
        empty = CUSTOM(tdb->svc, range_void)(tdb, va, bytes);
        emt_range_unlock(tdb, va, bytes);
        return empty;
    }
    if (emt_cursor_open(&c, tdb, va, va + bytes, NULL))
        return false;
    empty = !emt_cursor_next(&c);
    emt_cursor_close(&c);
    return empty;
}

/* ---- copy for fork, move for mremap ---- */

static int default_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                        void *ctx, struct emt_gather *src_gather) {
    struct emt_cursor c;
    int err = emt_cursor_open(&c, src, va, va + bytes, src_gather);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        struct emt_tobj from = c.obj, to = c.obj;
        int verdict = copy(ctx, &from, &to);

        if (verdict < 0)
            err = verdict;
        if (verdict <= 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if (!emt_tobj_same(src->svc, &from, &c.obj))
            err = emt_cursor_change(&c, &from);
        if (!err)
            err = emt_tdb_update(dst, &to);
    }
    emt_cursor_close(&c);
    return err;
}

int emt_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                   void *ctx, struct emt_gather *src_gather) {
    /* The destination is a new address space that nobody else knows: its lock is free. */
    emt_range_lock(dst, va, bytes);
    int err;
    if (CUSTOM(src->svc, range_copy)) {
        emt_range_lock(src, va, bytes);
        err = CUSTOM(src->svc, range_copy)(dst, src, va, bytes, copy, ctx, src_gather);
        emt_range_unlock(src, va, bytes);
    } else {
        err = default_copy(dst, src, va, bytes, copy, ctx, src_gather);
    }
    emt_range_unlock(dst, va, bytes);
    return err;
}

/* A moved object: the same frame and attributes at another address. */
static int moved(const struct emt_tsvc *svc, const struct emt_tobj *o, uint64_t va, struct emt_tobj *out) {
    static const enum emt_attr kept[] = {EMT_ATTR_WRITE,    EMT_ATTR_EXEC,  EMT_ATTR_USER,  EMT_ATTR_GLOBAL,
                                         EMT_ATTR_ACCESSED, EMT_ATTR_DIRTY, EMT_ATTR_CACHE, EMT_ATTR_PKEY,
                                         EMT_ATTR_SOFT,     EMT_ATTR_CONTIG};
    uint64_t swap = emt_tobj_get(svc, o, EMT_ATTR_SWAP);

    if (swap)
        return emt_tobj_init_swap(svc, out, va, o->bytes, swap);
    int err = emt_tobj_init(svc, out, va, emt_tobj_get(svc, o, EMT_ATTR_PFN), o->bytes, 0);
    for (unsigned i = 0; !err && i < sizeof(kept) / sizeof(kept[0]); i++)
        err = emt_tobj_set(svc, out, kept[i], emt_tobj_get(svc, o, kept[i]));
    if (!err && !emt_tobj_get(svc, o, EMT_ATTR_PRESENT))
        err = emt_tobj_set(svc, out, EMT_ATTR_PRESENT, 0);
    return err;
}

/*
 * One object of the destination back to where it came from. In a hash table others may stand in its old place by
 * now, and memory for a larger one is what lacks. Then it gives up its new place first, which may be what they
 * need; and if that does not help, it has that again.
 */
static bool one_back(struct emt_tdb *tdb, struct emt_tobj *o, uint64_t va, struct emt_gather *g) {
    struct emt_tobj back;

    if (moved(tdb->svc, o, va, &back))
        return false;
    if (!emt_tdb_put_back(tdb, &back, g))
        return !emt_tdb_remove(tdb, o->va, o);
    if (emt_tdb_remove(tdb, o->va, o))
        return false;
    if (!moved(tdb->svc, o, va, &back) && !emt_tdb_put_back(tdb, &back, g))
        return true;
    emt_tdb_put_back(tdb, o, g);
    return false;
}

/*
 * Undo for a move that ran out of memory half way: whatever reached the destination goes back, the last first, so
 * that tables go through the states from which they came and need no more than they had. What finds its place taken
 * waits until others have left theirs.
 */
static void move_back(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    struct emt_tobj o;
    unsigned stuck, done;

    emt_range_lock(tdb, to, bytes);
    do {
        stuck = done = 0;
        for (uint64_t at = to + bytes; at > to;) {
            const bool found = emt_tdb_find(tdb, at - 1, &o) == 0;
            const uint64_t first = o.va > to ? o.va : to;

            if (found && one_back(tdb, &o, first - to + from, g))
                done++;
            else
                stuck += found;
            at = first;
        }
    } while (stuck && done);
    emt_range_unlock(tdb, to, bytes);
    if (tdb->svc->host->nfreed)
        g->tables = true;
}

static unsigned ad_of(const struct emt_tsvc *svc, const struct emt_tobj *o) {
    return (emt_tobj_get(svc, o, EMT_ATTR_ACCESSED) ? EMT_AGE_ACCESSED : 0) |
           (emt_tobj_get(svc, o, EMT_ATTR_DIRTY) ? EMT_AGE_DIRTY : 0);
}

/*
 * An object also gets these of A and D. Hardware may be setting others in it: so it goes, with what there is, and
 * comes back, as in emt_cursor_change().
 */
static int add_ad(struct emt_tdb *tdb, uint64_t va, unsigned ad, struct emt_gather *g) {
    struct emt_tobj o;
    int err = emt_tdb_remove(tdb, va, &o);

    if (err)
        return err;
    if (ad & EMT_AGE_ACCESSED)
        err = emt_tobj_set(tdb->svc, &o, EMT_ATTR_ACCESSED, 1);
    if (!err && ad & EMT_AGE_DIRTY)
        err = emt_tobj_set(tdb->svc, &o, EMT_ATTR_DIRTY, 1);
    if (tdb->svc->host->nfreed)
        g->tables = true;
    int back = emt_tdb_put_back(tdb, &o, g);
    return err ? err : back;
}

/*
 * The destination gets each object before the source loses it, so that running out of memory loses none. What
 * hardware does until then is in the object that the source gives up; what it does at the destination, which it can
 * reach from the first moment on, stays there.
 */
static int default_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    struct emt_cursor c;
    struct emt_tobj o;
    int err = emt_cursor_open(&c, tdb, from, from + bytes, g);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        err = moved(tdb->svc, &c.obj, c.obj.va - from + to, &o);
        if (!err)
            err = emt_tdb_update(tdb, &o);
        if (!err)
            err = emt_cursor_erase(&c);
        const unsigned more = err ? 0 : ad_of(tdb->svc, &c.obj) & ~ad_of(tdb->svc, &o);
        if (more)
            err = add_ad(tdb, o.va, more, g);
    }
    emt_cursor_close(&c);
    if (err)
        move_back(tdb, from, to, bytes, g);
    return err;
}

int emt_range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    if (!CUSTOM(tdb->svc, range_move))
        return default_move(tdb, from, to, bytes, g);
    uint64_t lo = from < to ? from : to, hi = from < to ? to : from;
    emt_range_lock(tdb, lo, hi + bytes - lo);
    int err = CUSTOM(tdb->svc, range_move)(tdb, from, to, bytes, g);
    emt_range_unlock(tdb, lo, hi + bytes - lo);
    return err;
}
