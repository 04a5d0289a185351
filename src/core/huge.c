/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Huge pages: may one stand here, collapse into one, split one. */
#include "core/dispatch.h"

bool emt_huge_possible(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct emt_caps caps;

    if (CUSTOM(tdb->svc, huge_possible))
        return CUSTOM(tdb->svc, huge_possible)(tdb, va, bytes);
    emt_tsvc_caps(tdb->svc, &caps);
    return (caps.page_sizes & bytes) && (va & (bytes - 1)) == 0;
}

/* Erase all under the cursor's range; saved[] gets what was there, A and D final. */
static int erase_all(struct emt_cursor *c, struct emt_tobj *saved, size_t *n) {
    int err = 0;

    c->va = c->start;
    for (*n = 0; emt_cursor_next(c); (*n)++) {
        err = emt_cursor_erase(c);
        if (err)
            break;
        saved[*n] = c->obj;
    }
    return err;
}

/*
 * What was there is kept until the huge object stands, and comes back when there is no memory for its tables: there
 * is room for what has just been removed, the last first (emt_tdb_put_back()).
 */
static int default_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    struct emt_tobj *saved = NULL;
    struct emt_cursor c;
    size_t n = 0;
    int err = emt_cursor_open(&c, tdb, huge->va, huge->va + huge->bytes, g);

    if (err)
        return err;
    while (emt_cursor_next(&c))
        n++;
    if (n && !(saved = emt_state_alloc(tdb->svc->host, n * sizeof(*saved))))
        err = -ENOMEM;
    if (!err && n)
        err = erase_all(&c, saved, &n);
    if (!err)
        err = emt_cursor_set(&c, huge);
    while (err && saved && n-- > 0)
        emt_tdb_put_back(tdb, &saved[n], g);
    emt_cursor_close(&c);
    if (saved)
        emt_state_free(tdb->svc->host, saved);
    return err;
}

int emt_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    if (!CUSTOM(tdb->svc, huge_collapse))
        return default_collapse(tdb, huge, g);
    emt_range_lock(tdb, huge->va, huge->bytes);
    int err = CUSTOM(tdb->svc, huge_collapse)(tdb, huge, g);
    emt_range_unlock(tdb, huge->va, huge->bytes);
    return err;
}

/* Piece number i of a huge object, with all its attributes. */
static int piece(const struct emt_tsvc *svc, const struct emt_tobj *huge, uint64_t bytes, uint64_t i,
                 struct emt_tobj *out) {
    static const enum emt_attr kept[] = {EMT_ATTR_WRITE,    EMT_ATTR_EXEC,  EMT_ATTR_USER,  EMT_ATTR_GLOBAL,
                                         EMT_ATTR_ACCESSED, EMT_ATTR_DIRTY, EMT_ATTR_CACHE, EMT_ATTR_PKEY,
                                         EMT_ATTR_SOFT,     EMT_ATTR_CONTIG};
    const uint64_t swap = emt_tobj_get(svc, huge, EMT_ATTR_SWAP);

    /* The pieces' slots of a huge page in swap lie side by side. */
    if (swap)
        return emt_tobj_init_swap(svc, out, huge->va + i * bytes, bytes, swap + i * (bytes >> EMT_PAGE_SHIFT));
    uint64_t pfn = emt_tobj_get(svc, huge, EMT_ATTR_PFN);
    int err = emt_tobj_init(svc, out, huge->va + i * bytes, pfn + i * (bytes >> EMT_PAGE_SHIFT), bytes, 0);

    for (unsigned k = 0; !err && k < sizeof(kept) / sizeof(kept[0]); k++)
        err = emt_tobj_set(svc, out, kept[k], emt_tobj_get(svc, huge, kept[k]));
    if (!err && !emt_tobj_get(svc, huge, EMT_ATTR_PRESENT))
        err = emt_tobj_set(svc, out, EMT_ATTR_PRESENT, 0);
    return err;
}

static int default_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    struct emt_tobj huge, small;
    struct emt_cursor c;
    int err = emt_tdb_find(tdb, va, &huge);

    if (err)
        return err;
    if (huge.bytes <= bytes)
        return 0;
    err = emt_cursor_open(&c, tdb, huge.va, huge.va + huge.bytes, g);
    if (err)
        return err;
    err = emt_cursor_seek(&c, va) ? emt_cursor_erase(&c) : -ENOENT;
    huge = c.obj; /* with the final A and D */
    for (uint64_t i = 0; !err && i < huge.bytes / bytes; i++) {
        err = piece(tdb->svc, &huge, bytes, i, &small);
        if (!err)
            err = emt_tdb_update(tdb, &small);
    }
    if (err && err != -ENOENT) {
        c.va = huge.va;
        while (emt_cursor_next(&c))
            emt_cursor_erase(&c);
        emt_tdb_put_back(tdb, &huge, g);
    }
    emt_cursor_close(&c);
    return err;
}

int emt_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    /* The size of what stands there is not known before the lock is held: lock the largest that may. */
    const uint64_t largest = 1ull << EMT_SHIFT_1G;

    if (!CUSTOM(tdb->svc, huge_split))
        return default_split(tdb, va, bytes, g);
    emt_range_lock(tdb, va & ~(largest - 1), largest);
    int err = CUSTOM(tdb->svc, huge_split)(tdb, va, bytes, g);
    emt_range_unlock(tdb, va & ~(largest - 1), largest);
    return err;
}
