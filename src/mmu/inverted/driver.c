/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of an inverted page table: objects of address spaces in the one table of the system. Chains and
 * entries: table.c; which addresses have objects at all: regions.c.
 *
 * Locks: the default range lock of a database, and inside of it the table's own lock, as chains mix databases; so
 * only walkers run beside a function of table.c.
 */
#include "mmu/inverted/regions.h"
#include "mmu/inverted/table.h"
#include "mmu/x86/object.h"
#include "mmu/x86/service.h"

#define AD (RADIX_MASK(A) | RADIX_MASK(D))

extern const struct emt_walker_ops inverted_walker; /* walker.c */

static struct emt_host *host_of(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

static struct regions *regions_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

/* ---- to find ---- */

/* Where an object is, or (entry 0) the void around an address. */
struct slot {
    uint64_t va, bytes;
    uint64_t tag, entry, pte;
    unsigned size;
};

static struct emt_tobj slot_tobj(const struct slot *s) {
    return (struct emt_tobj){.va = s->va, .bytes = s->bytes, .raw = {s->pte}};
}

/* The largest aligned block around va within [lo, hi], on one side of the canonical hole. */
static struct slot void_slot(uint64_t va, uint64_t lo, uint64_t hi) {
    const uint64_t half = 1ull << (radix_va_bits(INVERTED_LEVELS) - 1);
    uint64_t bytes = EMT_PAGE_BYTES;

    while (bytes < half && (va & ~(2 * bytes - 1)) >= lo && (va | (2 * bytes - 1)) <= hi)
        bytes *= 2;
    return (struct slot){.va = va & ~(bytes - 1), .bytes = bytes};
}

static struct slot slot_of(const struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    const unsigned size = radix_leaf_level(bytes) - 1;
    struct slot s = {.va = va & ~(bytes - 1), .bytes = bytes, .size = size};

    s.tag = inverted_tag(tdb->asid, va, size);
    s.entry = inverted_lookup(inverted_of(tdb), s.tag);
    s.pte = s.entry ? inverted_read(inverted_of(tdb), s.entry, INVERTED_PTE) : 0;
    return s;
}

static struct slot find(const struct emt_tdb *tdb, uint64_t va) {
    uint64_t lo = va, hi = va;

    if (!radix_canonical(va, INVERTED_LEVELS))
        return void_slot(va, va, va);
    const uint64_t bytes = regions_look(regions_of(tdb), host_of(tdb), va, &lo, &hi);
    return bytes ? slot_of(tdb, va, bytes) : void_slot(va, lo, hi);
}

/* ---- to change ---- */

/* Root registers say which sizes are in use, and where the anchors are; on every CPU. */
static void load_roots(const struct inverted *t) {
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++) {
        const struct emt_tdb *tdb = t->svc->current[cpu];
        struct emt_root root = {{0}};

        if (!tdb)
            continue;
        t->svc->arch->driver->tdb_root(tdb, &root);
        emt_host_update_root(t->svc->host, cpu, tdb->asid, &root);
    }
}

/* Put an entry where nothing of its size is. */
static int put(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, uint64_t pte) {
    const unsigned size = radix_leaf_level(bytes) - 1;
    struct inverted *t = inverted_of(tdb);

    emt_lock(&t->lock);
    int err = inverted_link(t, inverted_tag(tdb->asid, va, size), pte);
    if (!err && t->objects[size] == 1)
        load_roots(t);
    emt_unlock(&t->lock);
    return err;
}

/* Remove an object that was read before: s->pte says in the end what A and D were. */
static void take(struct emt_tdb *tdb, struct slot *s) {
    struct inverted *t = inverted_of(tdb);
    const uint64_t pa = s->entry + sizeof(uint64_t) * INVERTED_PTE;
    uint64_t found;

    emt_lock(&t->lock);
    while ((found = emt_table_cmpxchg(host_of(tdb), pa, s->pte, 0)) != s->pte)
        s->pte = found;
    inverted_unlink(t, s->tag, s->entry, s->pte);
    if (!t->objects[s->size])
        load_roots(t);
    emt_unlock(&t->lock);
}

/* Other attributes for the same frame. A walker may have set A or D since: s->pte gets them, and so does the new.
 */
static void replace(struct emt_tdb *tdb, struct slot *s, uint64_t pte) {
    const uint64_t pa = s->entry + sizeof(uint64_t) * INVERTED_PTE;
    uint64_t found;

    while ((found = emt_table_cmpxchg(host_of(tdb), pa, s->pte, pte)) != s->pte) {
        pte |= found & ~s->pte & AD;
        s->pte = found;
    }
}

static unsigned test_clear(struct emt_tdb *tdb, const struct slot *s, unsigned mask) {
    const uint64_t bits = radix_is_swap(s->pte) ? 0 : x86_age_bits(mask);
    const uint64_t pa = s->entry + sizeof(uint64_t) * INVERTED_PTE;
    uint64_t pte = s->pte;

    while (pte & bits) {
        const uint64_t found = emt_table_cmpxchg(host_of(tdb), pa, pte, pte & ~bits);
        if (found == pte)
            break;
        pte = found;
    }
    return x86_age_mask(pte & bits);
}

/* A new object over an old one of the same size. When it has another frame, it has another entry: the new one comes
   first, at the head of the chain, so that a walker finds one of the two. */
static int renew(struct emt_tdb *tdb, struct slot *s, uint64_t pte) {
    if (inverted_same_entry(s->pte, pte, s->size)) {
        emt_table_write(host_of(tdb), s->entry + sizeof(uint64_t) * INVERTED_PTE, pte);
        return 0;
    }
    int err = put(tdb, s->va, s->bytes, pte);
    if (!err)
        take(tdb, s);
    return err;
}

static bool is_void(const struct emt_tdb *tdb, uint64_t va, uint64_t last) {
    while (va <= last) {
        uint64_t lo = va, hi = va;
        if (regions_look(regions_of(tdb), host_of(tdb), va, &lo, &hi))
            return false;
        if (hi >= last)
            return true;
        va = hi + 1;
    }
    return true;
}

/* ---- basic: database ---- */

static int tdb_create(struct emt_tdb *tdb) {
    tdb->priv = emt_state_alloc(host_of(tdb), sizeof(struct regions));
    if (!tdb->priv)
        return -ENOMEM;
    int err = inverted_get(inverted_of(tdb));
    if (err)
        emt_state_free(host_of(tdb), tdb->priv);
    return err;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    const struct slot s = find(tdb, va);

    *out = slot_tobj(&s);
    return s.entry ? 0 : -ENOENT;
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    if (!x86_object_level(tdb->svc, o))
        return -EINVAL;
    struct slot s = find(tdb, o->va);
    if (s.entry)
        return s.bytes == o->bytes ? renew(tdb, &s, o->raw[0]) : -EEXIST;
    if (!is_void(tdb, o->va, o->va + o->bytes - 1))
        return -EEXIST;
    int err = regions_add(regions_of(tdb), host_of(tdb), o->va, o->bytes);
    if (err)
        return err;
    err = put(tdb, o->va, o->bytes, o->raw[0]);
    if (err)
        regions_remove(regions_of(tdb), host_of(tdb), o->va);
    return err;
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    struct slot s = find(tdb, va);

    if (!s.entry)
        return -ENOENT;
    take(tdb, &s);
    regions_remove(regions_of(tdb), host_of(tdb), s.va);
    *old = slot_tobj(&s);
    return 0;
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const struct slot s = find(tdb, va);

    return s.entry ? (int)test_clear(tdb, &s, mask) : -ENOENT;
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    const struct inverted *t = inverted_of(tdb);

    root->word[0] = t->anchors;
    root->word[1] = tdb->asid;
    for (unsigned size = 0; size < INVERTED_SIZES; size++)
        root->word[2] |= (uint64_t)(t->objects[size] != 0) << size;
}

/* ---- basic: service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    struct inverted *t = emt_state_alloc(svc->host, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->svc = svc;
    t->shared.svc = svc;
    svc->priv = t;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    emt_state_free(svc->host, svc->priv);
    svc->priv = NULL;
}

static int tsvc_boot(struct emt_tsvc *svc) {
    return inverted_get(svc->priv);
}

static void tsvc_shutdown(struct emt_tsvc *svc) {
    inverted_put(svc->priv);
}

static uint64_t table_bytes(const struct emt_tdb *tdb) {
    return inverted_of(tdb)->shared.table_bytes;
}

static unsigned stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]) {
    const struct inverted *t = svc->priv;

    out[0] = (struct emt_stat){"objects", t->objects[0] + t->objects[1] + t->objects[2]};
    out[1] = (struct emt_stat){"aliases", t->aliases};
    out[2] = (struct emt_stat){"aliases_peak", t->aliases_peak};
    return 3;
}

/* ---- customized: ranges ---- */

/* The objects of [next, last] in order. */
struct span {
    struct emt_tdb *tdb;
    uint64_t next, last;
    bool done;
    struct slot slot;
};

static struct span span_of(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return (struct span){.tdb = tdb, .next = va, .last = va + bytes - 1, .done = bytes == 0};
}

static bool span_next(struct span *w) {
    while (!w->done) {
        w->slot = find(w->tdb, w->next);
        w->next = w->slot.va + w->slot.bytes;
        w->done = w->next - 1 >= w->last;
        if (w->slot.entry)
            return true;
    }
    return false;
}

static int range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                       struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        take(tdb, &w.slot);
        regions_remove(regions_of(tdb), host_of(tdb), w.slot.va);
        if (RADIX_GET(w.slot.pte, P))
            x86_gather(g, w.slot.va, w.slot.bytes);
        const struct emt_tobj old = slot_tobj(&w.slot);
        if (gone)
            gone(ctx, &old);
    }
    g->tables = true; /* pages of entries may have gone */
    return 0;
}

/* A database that goes: its own objects, by its regions; nobody else's. */
static void tdb_destroy(struct emt_tdb *tdb) {
    struct regions *r = regions_of(tdb);
    struct emt_tobj old;

    while (r->n) {
        const struct region *g = r->at[r->n - 1];
        for (unsigned page = 0; page < 512 && r->n && r->at[r->n - 1] == g; page++)
            tdb_remove(tdb, g->start + page * EMT_PAGE_BYTES, &old);
    }
    regions_free(r, host_of(tdb));
    emt_state_free(host_of(tdb), tdb->priv);
    tdb->priv = NULL;
    inverted_put(inverted_of(tdb));
}

static int range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        const uint64_t now = x86_with_prot(w.slot.pte, prot);
        if (!RADIX_GET(w.slot.pte, P) || now == w.slot.pte)
            continue;
        if (x86_needs_flush(w.slot.pte, now, w.slot.size + 1))
            x86_gather(g, w.slot.va, w.slot.bytes);
        replace(tdb, &w.slot, now);
    }
    return 0;
}

static int range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                      void *ctx, struct emt_gather *src_gather) {
    for (struct span w = span_of(src, va, bytes); span_next(&w);) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        struct emt_tobj from = old, to = old;
        int err = copy(ctx, &from, &to);

        if (err < 0)
            return err;
        if (err == 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if (!x86_tobj_same(&from, &old)) {
            if (from.va != old.va || from.bytes != old.bytes || !x86_object_level(src->svc, &from))
                return -EINVAL;
            if (x86_needs_flush(old.raw[0], from.raw[0], w.slot.size + 1))
                x86_gather(src_gather, w.slot.va, w.slot.bytes);
            if (inverted_same_entry(w.slot.pte, from.raw[0], w.slot.size))
                replace(src, &w.slot, from.raw[0]);
            else if ((err = renew(src, &w.slot, from.raw[0])))
                return err;
        }
        err = tdb_update(dst, &to);
        if (err)
            return err;
    }
    return 0;
}

static int range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                     struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        const unsigned ad = RADIX_GET(w.slot.pte, P) ? test_clear(tdb, &w.slot, mask) : 0;

        if (!ad)
            continue;
        x86_gather(g, w.slot.va, w.slot.bytes);
        aged(ctx, &old, ad);
    }
    return 0;
}

static bool range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return is_void(tdb, va, va + bytes - 1);
}

/* ---- customized: what moves ---- */

/* Undo for a move that got no memory for its regions: objects of [va, at) are known at `to`, too. */
static void forget_moved(struct emt_tdb *tdb, uint64_t va, uint64_t at, uint64_t to) {
    for (struct span w = span_of(tdb, va, at - va); span_next(&w);)
        regions_remove(regions_of(tdb), host_of(tdb), w.slot.va - va + to);
}

/*
 * An entry stays where it is, since it is its frame's: it goes from one chain to the other. In between a walker
 * finds nothing at either address.
 */
static int range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    struct inverted *t = inverted_of(tdb);

    if (!is_void(tdb, to, to + bytes - 1))
        return -EEXIST;
    for (struct span w = span_of(tdb, from, bytes); span_next(&w);)
        if (regions_add(regions_of(tdb), host_of(tdb), w.slot.va - from + to, w.slot.bytes)) {
            forget_moved(tdb, from, w.slot.va, to);
            return -ENOMEM;
        }
    for (struct span w = span_of(tdb, from, bytes); span_next(&w);) {
        struct slot *s = &w.slot;
        replace(tdb, s, 0);
        emt_lock(&t->lock);
        inverted_relink(t, s->tag, s->entry, inverted_tag(tdb->asid, s->va - from + to, s->size), s->pte);
        emt_unlock(&t->lock);
        regions_remove(regions_of(tdb), host_of(tdb), s->va);
        if (RADIX_GET(s->pte, P))
            x86_gather(g, s->va, s->bytes);
    }
    return 0;
}

/*
 * A walk follows chains of several sizes, and what moves from one to the other between its reads could escape it.
 * So what is new comes first; then a flush, after which no walk is under way that began before; and then the old
 * goes.
 */
static void let_walks_end(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, uint64_t stride) {
    emt_host_flush(
        host_of(tdb),
        &(struct emt_flush){.kind = EMT_FLUSH_RANGE, .tdb = tdb, .va = va, .bytes = bytes, .stride = stride});
}

static int huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    const uint64_t last = huge->va + (huge->bytes - 1);

    if (!x86_object_level(tdb->svc, huge))
        return -EINVAL;
    const struct slot s = find(tdb, huge->va);
    const bool simple = s.bytes >= huge->bytes || is_void(tdb, huge->va, last);
    int err = simple ? tdb_update(tdb, huge) : put(tdb, huge->va, huge->bytes, huge->raw[0]);
    if (err)
        return err;
    x86_gather(g, huge->va, huge->bytes);
    g->stride = EMT_PAGE_BYTES;
    g->tables = true;
    if (simple)
        return 0;
    let_walks_end(tdb, huge->va, huge->bytes, EMT_PAGE_BYTES);
    for (struct span w = span_of(tdb, huge->va, huge->bytes); span_next(&w);)
        take(tdb, &w.slot);
    regions_join(regions_of(tdb), host_of(tdb), huge->va, huge->bytes);
    return 0;
}

/* Piece number i, of so many levels lower, of a leaf of `level`. */
static uint64_t piece(uint64_t pte, unsigned level, unsigned lower, uint64_t i) {
    for (unsigned l = 0; l < lower; l++)
        pte = x86_leaf_piece(pte, level - l, i >> RADIX_INDEX_BITS * (lower - l - 1) & (RADIX_ENTRIES - 1));
    return pte;
}

/* The first n pieces of this size go again. */
static void take_pieces(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, uint64_t n) {
    while (n-- > 0) {
        struct slot s = slot_of(tdb, va + n * bytes, bytes);
        take(tdb, &s);
    }
}

static int huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    const unsigned level = radix_leaf_level(bytes);
    struct slot huge = find(tdb, va);

    if (!huge.entry)
        return -ENOENT;
    if (huge.bytes <= bytes)
        return 0;
    if (!level)
        return -EINVAL;
    const uint64_t n = huge.bytes / bytes, pte = huge.pte;
    int err = 0;
    for (uint64_t i = 0; i < n && !err; i++) {
        err = put(tdb, huge.va + i * bytes, bytes, piece(pte, huge.size + 1, huge.size + 1 - level, i));
        if (err)
            take_pieces(tdb, huge.va, bytes, i);
    }
    if (err)
        return err;
    err = regions_split(regions_of(tdb), host_of(tdb), huge.va, bytes);
    if (err) {
        take_pieces(tdb, huge.va, bytes, n);
        return err;
    }
    let_walks_end(tdb, huge.va, huge.bytes, huge.bytes);
    take(tdb, &huge);
    const uint64_t late = RADIX_GET(pte, P) ? huge.pte & ~pte & AD : 0;
    for (uint64_t i = 0; i < n && late; i++) {
        struct slot s = slot_of(tdb, huge.va + i * bytes, bytes);
        replace(tdb, &s, s.pte | late);
    }
    if (RADIX_GET(pte, P))
        x86_gather(g, huge.va, huge.bytes);
    g->tables = true;
    return 0;
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops inverted_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = x86_tobj_set,
    .tobj_init = x86_tobj_init,
    .tobj_same = x86_tobj_same,
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_find = tdb_find,
    .tdb_update = tdb_update,
    .tdb_remove = tdb_remove,
    .tdb_test_clear = tdb_test_clear,
    .tdb_root = tdb_root,
    .tsvc_init = tsvc_init,
    .tsvc_fini = tsvc_fini,
    .tsvc_caps = x86_tsvc_caps,
    .tsvc_switch = x86_tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .tsvc_boot = tsvc_boot,
    .tsvc_shutdown = tsvc_shutdown,
    .range_unmap = range_unmap,
    .range_protect = range_protect,
    .range_copy = range_copy,
    .range_age = range_age,
    .range_void = range_void,
    .range_move = range_move,
    .huge_collapse = huge_collapse,
    .huge_split = huge_split,
    .stats = stats,
    .table_bytes = table_bytes,
};

/* param[2]: log2 of anchors for each frame, signed. */
#define INVERTED(id, registered, text, ratio)                                                                      \
    extern const struct emt_arch id;                                                                               \
    const struct emt_arch id = {                                                                                   \
        .name = registered,                                                                                        \
        .summary = text,                                                                                           \
        .driver = &inverted_driver,                                                                                \
        .walker = &inverted_walker,                                                                                \
        .param = {INVERTED_LEVELS, RADIX_PA_BITS, (uint64_t)(int64_t)(ratio)},                                     \
    }

INVERTED(emt_inverted, "inverted", "one inverted table with chains, and an anchor for each frame", 0);
INVERTED(emt_inverted_hat2x, "inverted:hat2x", "the same with two anchors for each frame", 1);
INVERTED(emt_inverted_hat_half, "inverted:hat-half", "the same with an anchor for two frames", -1);
