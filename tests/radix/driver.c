/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The radix driver against a plain list of objects, under random operations: with its customizations, and with the
 * basic functions alone. After each operation all three must tell the same, and the tables must be exactly those
 * that the objects need.
 */
#include "support/sim.h"
#include "mmu/radix/format.h"

#define WINDOWS 5
#define OBJECTS 8192
#define GONE    8192
#define MODES   2 /* 0: customized, 1: basic functions only */

/* ---- the oracle: objects in no order ---- */

struct object {
    uint64_t va, bytes;
    uint64_t attr[EMT_ATTR_COUNT];
};

struct world {
    struct sim sim[MODES];
    struct emt_tdb tdb[MODES];
    struct object obj[OBJECTS];
    unsigned n, levels;
    uint64_t random;
    uint64_t window[WINDOWS]; /* each of two 2 MiB pages around a boundary, or of the 1 GiB before it */
};

static uint64_t rnd(struct world *w, uint64_t below) {
    return sim_random(&w->random) % below;
}

static struct object *at(struct world *w, uint64_t va) {
    for (unsigned i = 0; i < w->n; i++)
        if (va - w->obj[i].va < w->obj[i].bytes)
            return &w->obj[i];
    return NULL;
}

static bool overlaps(const struct object *o, uint64_t va, uint64_t bytes) {
    return va - o->va < o->bytes || o->va - va < bytes;
}

static bool any_in(struct world *w, uint64_t va, uint64_t bytes) {
    for (unsigned i = 0; i < w->n; i++)
        if (overlaps(&w->obj[i], va, bytes))
            return true;
    return false;
}

static void forget(struct world *w, struct object *o) {
    *o = w->obj[--w->n];
}

static void learn(struct world *w, struct object o) {
    assert_true(w->n < OBJECTS);
    w->obj[w->n++] = o;
}

static struct object object_of(const struct emt_tsvc *svc, const struct emt_tobj *t) {
    struct object o = {.va = t->va, .bytes = t->bytes};

    for (unsigned a = 0; a < EMT_ATTR_COUNT; a++)
        o.attr[a] = emt_tobj_get(svc, t, a);
    return o;
}

static bool same(const struct object *a, const struct object *b) {
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Table pages that the objects need: one for each prefix of their addresses, and the root. */
static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t tables_needed(struct world *w) {
    static uint64_t prefix[OBJECTS];
    uint64_t sum = 1;

    for (unsigned level = 1; level < w->levels; level++) {
        unsigned n = 0;
        for (unsigned i = 0; i < w->n; i++)
            if (w->obj[i].bytes < radix_bytes(level + 1))
                prefix[n++] = w->obj[i].va >> radix_shift(level + 1);
        qsort(prefix, n, sizeof(prefix[0]), by_value);
        for (unsigned i = 0; i < n; i++)
            sum += i == 0 || prefix[i] != prefix[i - 1];
    }
    return sum;
}

/* ---- comparing ---- */

/* A database holds what the oracle holds, in both canonical halves (all but the last page, which none uses). */
static void check_objects(struct world *w, struct emt_tdb *tdb) {
    const uint64_t half = 1ull << (radix_va_bits(w->levels) - 1);
    const uint64_t range[][2] = {{0, half}, {-half, ~0xfffull}};
    unsigned n = 0;

    for (unsigned i = 0; i < 2; i++) {
        struct emt_cursor c;
        assert_int_equal(emt_cursor_open(&c, tdb, range[i][0], range[i][1], NULL), 0);
        while (emt_cursor_next(&c)) {
            struct object is = object_of(tdb->svc, &c.obj), *should = at(w, is.va);
            assert_true(should && same(&is, should));
            n++;
        }
        emt_cursor_close(&c);
    }
    assert_int_equal(n, w->n);
}

static void check_all(struct world *w) {
    for (unsigned m = 0; m < MODES; m++) {
        struct emt_tdb *tdb = &w->tdb[m];

        check_objects(w, tdb);
        assert_int_equal(emt_tdb_table_bytes(tdb), tables_needed(w) * EMT_PAGE_BYTES);
        assert_int_equal(w->sim[m].host.nfreed, 0);
    }
}

/* What an operation owes; paid here, and compared. */
static void settle(struct world *w, struct emt_gather g[MODES], uint64_t bytes_before, bool exact) {
    for (unsigned m = 0; m < MODES; m++) {
        if (w->tdb[m].table_bytes < bytes_before)
            assert_true(g[m].tables);
        if (exact) {
            assert_int_equal(g[m].lo, g[MODES - 1].lo);
            assert_int_equal(g[m].hi, g[MODES - 1].hi);
            assert_int_equal(g[m].stride, g[MODES - 1].stride);
            assert_true(g[m].tables <= g[MODES - 1].tables); /* the default may free a table only to take it anew */
        } else if (g[MODES - 1].lo < g[MODES - 1].hi) {
            assert_true(g[m].lo <= g[MODES - 1].lo && g[m].hi >= g[MODES - 1].hi);
            assert_true(g[m].stride <= g[MODES - 1].stride);
        }
        if (m < MODES - 1)
            continue;
        for (unsigned i = 0; i < MODES; i++) {
            emt_gather_flush(&w->tdb[i], &g[i]);
            emt_host_release_freed(&w->sim[i].host);
        }
    }
}

static void gathers(struct emt_gather g[MODES]) {
    for (unsigned m = 0; m < MODES; m++)
        emt_gather_init(&g[m]);
}

/* ---- random things ---- */

static uint64_t random_va(struct world *w) {
    /* Around the boundary in the middle: the last and the first pages meet most. */
    uint64_t base = w->window[rnd(w, WINDOWS)], off = rnd(w, 4) ? rnd(w, 48) + 488 : rnd(w, 1024);

    return base + off * EMT_PAGE_BYTES;
}

static uint64_t random_bytes(struct world *w) {
    uint64_t r = rnd(w, 100);

    return r < 80 ? radix_bytes(1) : r < 98 ? radix_bytes(2) : radix_bytes(3);
}

/* The same random object for both services. */
static void random_object(struct world *w, uint64_t va, uint64_t bytes, struct emt_tobj out[MODES]) {
    const unsigned prot = (unsigned)rnd(w, 16) & ~(rnd(w, 4) ? EMT_PROT_GLOBAL : 0);
    const uint64_t pfn = rnd(w, 1 << 20) * (bytes >> 12), soft = rnd(w, 512), key = rnd(w, 16), cache = rnd(w, 8);
    const unsigned kind = (unsigned)rnd(w, 8);
    const uint64_t swap = rnd(w, 32) << 50 | (rnd(w, 1ull << 40) + 1);

    for (unsigned m = 0; m < MODES; m++) {
        const struct emt_tsvc *svc = &w->sim[m].svc;
        if (kind == 0) {
            assert_int_equal(emt_tobj_init_swap(svc, &out[m], va, bytes, swap), 0);
            continue;
        }
        assert_int_equal(emt_tobj_init(svc, &out[m], va, pfn, bytes, prot), 0);
        assert_int_equal(emt_tobj_set(svc, &out[m], EMT_ATTR_SOFT, soft), 0);
        assert_int_equal(emt_tobj_set(svc, &out[m], EMT_ATTR_CONTIG, pfn & 1), 0);
        assert_int_equal(emt_tobj_set(svc, &out[m], EMT_ATTR_PKEY, key), 0);
        assert_int_equal(emt_tobj_set(svc, &out[m], EMT_ATTR_CACHE, cache), 0);
        if (kind == 1)
            assert_int_equal(emt_tobj_set(svc, &out[m], EMT_ATTR_PRESENT, 0), prot & EMT_PROT_GLOBAL ? -EINVAL : 0);
    }
}

/* A random range that no object crosses. */
static void random_range(struct world *w, uint64_t *va, uint64_t *bytes) {
    uint64_t lo = random_va(w), hi = lo + (rnd(w, 3) ? rnd(w, 600) : 1) * EMT_PAGE_BYTES;

    if (hi <= lo)
        hi = lo + EMT_PAGE_BYTES;
    for (unsigned i = 0; i < w->n; i++) {
        const struct object *o = &w->obj[i];
        if (lo - o->va < o->bytes)
            lo = o->va;
        if (hi - 1 - o->va < o->bytes)
            hi = o->va + o->bytes;
    }
    *va = lo;
    *bytes = hi - lo;
}

/* ---- the operations; each on both databases and on the oracle ---- */

static void do_update(struct world *w) {
    const uint64_t bytes = random_bytes(w), va = random_va(w) & ~(bytes - 1);
    struct emt_tobj t[MODES];
    struct object *old = at(w, va);
    const bool replaces = old && old->va == va && old->bytes == bytes;
    const int expect = !replaces && any_in(w, va, bytes) ? -EEXIST : 0;

    random_object(w, va, bytes, t);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_tdb_update(&w->tdb[m], &t[m]), expect);
    if (expect)
        return;
    if (replaces)
        forget(w, old);
    learn(w, object_of(&w->sim[0].svc, &t[0]));
}

static void do_remove(struct world *w) {
    const uint64_t va = random_va(w);
    struct object *should = at(w, va), is;
    struct emt_tobj t;

    for (unsigned m = 0; m < MODES; m++) {
        assert_int_equal(emt_tdb_remove(&w->tdb[m], va, &t), should ? 0 : -ENOENT);
        if (should) {
            is = object_of(&w->sim[m].svc, &t);
            assert_true(same(&is, should));
        }
        emt_host_release_freed(&w->sim[m].host);
    }
    if (should)
        forget(w, should);
}

static void do_find(struct world *w) {
    const uint64_t va = random_va(w) + rnd(w, 4096);
    const struct object *should = at(w, va);
    struct emt_tobj t[MODES];

    for (unsigned m = 0; m < MODES; m++) {
        assert_int_equal(emt_tdb_find(&w->tdb[m], va, &t[m]), should ? 0 : -ENOENT);
        struct object is = object_of(&w->sim[m].svc, &t[m]);
        if (should) {
            assert_true(same(&is, should));
            continue;
        }
        assert_true(va - is.va < is.bytes && (is.bytes & (is.bytes - 1)) == 0 && (is.va & (is.bytes - 1)) == 0);
        assert_false(any_in(w, is.va, is.bytes));
        /* As large as the missing subtree: the next larger block holds something, or is the whole. */
        const uint64_t up = is.bytes << RADIX_INDEX_BITS;
        if (is.bytes < radix_bytes(w->levels))
            assert_true(any_in(w, is.va & ~(up - 1), up));
    }
}

static void do_test_clear(struct world *w) {
    const uint64_t va = random_va(w);
    const unsigned mask = (unsigned)rnd(w, 4);
    struct object *o = at(w, va);
    int expect = -ENOENT;

    if (o) {
        expect = (mask & EMT_AGE_ACCESSED && o->attr[EMT_ATTR_ACCESSED] ? EMT_AGE_ACCESSED : 0) |
                 (mask & EMT_AGE_DIRTY && o->attr[EMT_ATTR_DIRTY] ? EMT_AGE_DIRTY : 0);
        o->attr[EMT_ATTR_ACCESSED] &= !(mask & EMT_AGE_ACCESSED);
        o->attr[EMT_ATTR_DIRTY] &= !(mask & EMT_AGE_DIRTY);
    }
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_tdb_test_clear(&w->tdb[m], va, mask), expect);
}

/* Hardware uses the tables: the walker must find what the oracle knows, and sets A and D. */
static void do_walk(struct world *w) {
    const struct emt_access a = {.va = random_va(w) + rnd(w, 4096),
                                 .type = (uint8_t)rnd(w, 3),
                                 .user = rnd(w, 2),
                                 .write_protect = true,
                                 .nx = true};
    struct object *o = at(w, a.va);
    bool ok = o && o->attr[EMT_ATTR_PRESENT] && (!a.user || o->attr[EMT_ATTR_USER]);

    ok = ok && (a.type != EMT_STORE || o->attr[EMT_ATTR_WRITE]) && (a.type != EMT_FETCH || o->attr[EMT_ATTR_EXEC]);
    for (unsigned m = 0; m < MODES; m++) {
        struct emt_walk out;
        assert_int_equal(sim_walk(&w->sim[m], &w->tdb[m], &a, &out), 0);
        assert_int_equal(out.fault, !ok);
        if (!ok)
            continue;
        assert_true(out.va == o->va && out.bytes == o->bytes && out.pa == o->attr[EMT_ATTR_PFN] << 12);
        assert_true(out.global == o->attr[EMT_ATTR_GLOBAL] && out.pkey == o->attr[EMT_ATTR_PKEY]);
        assert_true(out.cache_mode == o->attr[EMT_ATTR_CACHE] && out.contig == o->attr[EMT_ATTR_CONTIG]);
    }
    if (ok) {
        o->attr[EMT_ATTR_ACCESSED] = 1;
        o->attr[EMT_ATTR_DIRTY] |= a.type == EMT_STORE;
    }
}

struct trail {
    const struct emt_tsvc *svc;
    unsigned n;
    struct object seen[GONE];
    unsigned what[GONE];
};

static void trail_add(struct trail *t, const struct emt_tobj *o, unsigned what) {
    assert_true(t->n < GONE);
    t->seen[t->n] = object_of(t->svc, o);
    t->what[t->n++] = what;
}

static void on_gone(void *ctx, const struct emt_tobj *old) {
    trail_add(ctx, old, 0);
}

static void on_aged(void *ctx, const struct emt_tobj *old, unsigned ad) {
    trail_add(ctx, old, ad);
}

/* Both modes told the same, in the same order: that of addresses. */
static struct trail *trails(struct world *w) {
    static struct trail t[MODES];

    for (unsigned m = 0; m < MODES; m++) {
        t[m].svc = &w->sim[m].svc;
        t[m].n = 0;
    }
    return t;
}

static void check_trails(const struct trail *t) {
    assert_int_equal(t[0].n, t[1].n);
    assert_memory_equal(t[0].seen, t[1].seen, t[0].n * sizeof(t[0].seen[0]));
    assert_memory_equal(t[0].what, t[1].what, t[0].n * sizeof(t[0].what[0]));
    for (unsigned i = 1; i < t[0].n; i++)
        assert_true(t[0].seen[i - 1].va < t[0].seen[i].va);
}

static void do_unmap(struct world *w) {
    struct trail *t = trails(w);
    struct emt_gather g[MODES];
    uint64_t va, bytes, before = w->tdb[0].table_bytes;
    unsigned n = 0;

    random_range(w, &va, &bytes);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_range_unmap(&w->tdb[m], va, bytes, on_gone, &t[m], &g[m]), 0);
    check_trails(t);
    for (unsigned i = 0; i < t[0].n; i++)
        assert_true(same(&t[0].seen[i], at(w, t[0].seen[i].va)));
    for (unsigned i = 0; i < w->n;)
        if (overlaps(&w->obj[i], va, bytes)) {
            forget(w, &w->obj[i]);
            n++;
        } else {
            i++;
        }
    assert_int_equal(t[0].n, n);
    settle(w, g, before, true);
}

static void do_protect(struct world *w) {
    struct emt_gather g[MODES];
    const unsigned prot = (unsigned)rnd(w, 8);
    uint64_t va, bytes;

    random_range(w, &va, &bytes);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_range_protect(&w->tdb[m], va, bytes, prot, &g[m]), 0);
    for (unsigned i = 0; i < w->n; i++) {
        uint64_t *attr = w->obj[i].attr;
        if (!overlaps(&w->obj[i], va, bytes) || !attr[EMT_ATTR_PRESENT])
            continue;
        attr[EMT_ATTR_WRITE] = (prot & EMT_PROT_WRITE) != 0;
        attr[EMT_ATTR_EXEC] = (prot & EMT_PROT_EXEC) != 0;
        attr[EMT_ATTR_USER] = (prot & EMT_PROT_USER) != 0;
    }
    settle(w, g, 0, true);
}

static void do_age(struct world *w) {
    struct trail *t = trails(w);
    struct emt_gather g[MODES];
    const unsigned mask = 1 + (unsigned)rnd(w, 3);
    uint64_t va, bytes;

    random_range(w, &va, &bytes);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_range_age(&w->tdb[m], va, bytes, mask, on_aged, &t[m], &g[m]), 0);
    check_trails(t);
    unsigned n = 0;
    for (unsigned i = 0; i < w->n; i++) {
        uint64_t *attr = w->obj[i].attr;
        if (!overlaps(&w->obj[i], va, bytes) || !attr[EMT_ATTR_PRESENT])
            continue;
        n += (mask & EMT_AGE_ACCESSED && attr[EMT_ATTR_ACCESSED]) || (mask & EMT_AGE_DIRTY && attr[EMT_ATTR_DIRTY]);
        attr[EMT_ATTR_ACCESSED] &= !(mask & EMT_AGE_ACCESSED);
        attr[EMT_ATTR_DIRTY] &= !(mask & EMT_AGE_DIRTY);
    }
    assert_int_equal(t[0].n, n);
    settle(w, g, 0, true);
}

/* As a fork does it: write-protect the source, skip what has no access. */
static int on_copy(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    struct trail *t = ctx;

    trail_add(t, src, 0);
    if (!emt_tobj_get(t->svc, src, EMT_ATTR_PRESENT) && !emt_tobj_get(t->svc, src, EMT_ATTR_SWAP))
        return 0;
    if (emt_tobj_get(t->svc, src, EMT_ATTR_WRITE)) {
        emt_tobj_set(t->svc, src, EMT_ATTR_WRITE, 0);
        *dst = *src;
    }
    return 1;
}

static void do_copy(struct world *w) {
    static struct world child; /* its oracle only */
    struct trail *t = trails(w);
    struct emt_gather g[MODES];
    struct emt_tdb dst[MODES];
    uint64_t va, bytes;

    random_range(w, &va, &bytes);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++) {
        assert_int_equal(emt_tdb_create(&dst[m], &w->sim[m].svc, 9), 0);
        assert_int_equal(emt_range_copy(&dst[m], &w->tdb[m], va, bytes, on_copy, &t[m], &g[m]), 0);
    }
    check_trails(t);
    child.n = 0;
    child.levels = w->levels;
    for (unsigned i = 0; i < w->n; i++) {
        struct object *o = &w->obj[i];
        if (!overlaps(o, va, bytes) || (!o->attr[EMT_ATTR_PRESENT] && !o->attr[EMT_ATTR_SWAP]))
            continue;
        o->attr[EMT_ATTR_WRITE] = 0;
        learn(&child, *o);
    }
    for (unsigned m = 0; m < MODES; m++) {
        check_objects(&child, &dst[m]);
        assert_int_equal(dst[m].table_bytes, tables_needed(&child) * EMT_PAGE_BYTES);
        emt_tdb_destroy(&dst[m]);
        assert_int_equal(dst[m].table_bytes, 0);
    }
    settle(w, g, 0, true);
}

static void do_void(struct world *w) {
    const uint64_t va = random_va(w), bytes = (1 + rnd(w, 600)) * EMT_PAGE_BYTES;
    const bool expect = !any_in(w, va, bytes);

    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_range_void(&w->tdb[m], va, bytes), expect);
}

static void do_collapse(struct world *w) {
    const uint64_t bytes = rnd(w, 20) ? radix_bytes(2) : radix_bytes(3), va = random_va(w) & ~(bytes - 1);
    uint64_t before = w->tdb[0].table_bytes;
    struct emt_gather g[MODES];
    struct emt_tobj t[MODES];
    const struct object *there = at(w, va);

    if (there && there->bytes > bytes)
        return; /* must be split before */
    random_object(w, va, bytes, t);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_huge_collapse(&w->tdb[m], &t[m], &g[m]), 0);
    for (unsigned i = 0; i < w->n;)
        if (overlaps(&w->obj[i], va, bytes))
            forget(w, &w->obj[i]);
        else
            i++;
    learn(w, object_of(&w->sim[0].svc, &t[0]));
    settle(w, g, before, false);
}

static void do_split(struct world *w) {
    const uint64_t va = random_va(w);
    struct object *o = at(w, va), whole;
    struct emt_gather g[MODES];
    uint64_t bytes = rnd(w, 3) ? radix_bytes(1) : radix_bytes(2);

    if (o && o->bytes == radix_bytes(3))
        bytes = radix_bytes(2); /* 262144 pieces in a list are too many; deep_split() does that */
    if (o && o->bytes > bytes && (w->n + 512 > OBJECTS || o->attr[EMT_ATTR_SWAP]))
        return; /* swap: the default does not keep it; swap_split() */
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_huge_split(&w->tdb[m], va, bytes, &g[m]), o ? 0 : -ENOENT);
    if (o && o->bytes > bytes) {
        whole = *o;
        forget(w, o);
        for (uint64_t off = 0; off < whole.bytes; off += bytes) {
            struct object piece = whole;
            piece.va += off;
            piece.bytes = bytes;
            piece.attr[EMT_ATTR_PFN] += off >> 12;
            learn(w, piece);
        }
    }
    settle(w, g, 0, true);
}

/* Walk over a range with a cursor and change what is met, and what is not. */
static void do_cursor(struct world *w) {
    struct emt_gather g[MODES];
    struct emt_cursor c[MODES];
    uint64_t va, bytes, before = w->tdb[0].table_bytes;

    random_range(w, &va, &bytes);
    gathers(g);
    for (unsigned m = 0; m < MODES; m++)
        assert_int_equal(emt_cursor_open(&c[m], &w->tdb[m], va, va + bytes, &g[m]), 0);
    for (;;) {
        struct emt_tobj t[MODES];
        const bool more = emt_cursor_next(&c[0]);
        assert_int_equal(emt_cursor_next(&c[1]), more);
        if (!more)
            break;
        struct object *o = at(w, c[0].obj.va);
        assert_true(o && c[1].obj.va == o->va);
        const unsigned what = (unsigned)rnd(w, 3);
        if (what == 0)
            random_object(w, o->va, o->bytes, t);
        for (unsigned m = 0; m < MODES && what < 2; m++) {
            struct object is = object_of(&w->sim[m].svc, &c[m].obj);
            assert_true(same(&is, o));
            assert_int_equal(what ? emt_cursor_erase(&c[m]) : emt_cursor_set(&c[m], &t[m]), 0);
        }
        if (what == 0)
            *o = object_of(&w->sim[0].svc, &t[0]);
        else if (what == 1)
            forget(w, o);
        if (what == 1 && rnd(w, 2) && w->n < OBJECTS) {
            /* Back into the void it left, which may have lost its table. */
            const uint64_t there = c[0].obj.va;
            random_object(w, there, radix_bytes(1), t);
            for (unsigned m = 0; m < MODES; m++)
                assert_int_equal(emt_cursor_set(&c[m], &t[m]), 0);
            learn(w, object_of(&w->sim[0].svc, &t[0]));
        }
    }
    for (unsigned m = 0; m < MODES; m++)
        emt_cursor_close(&c[m]);
    settle(w, g, before, false);
}

/* ---- runs ---- */

static struct world *world_new(unsigned levels, uint64_t seed) {
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->levels = levels;
    w->random = seed;
    for (unsigned m = 0; m < MODES; m++) {
        sim_open(&w->sim[m], emt_arch_find(levels == 4 ? "radix4" : "radix5"), m == 1);
        assert_int_equal(emt_tdb_create(&w->tdb[m], &w->sim[m].svc, 3), 0);
    }
    /* Each window is 4 MiB, with a boundary in its middle. */
    const uint64_t half = 1ull << (radix_va_bits(levels) - 1), mid = radix_bytes(2);
    w->window[0] = radix_bytes(4) - mid;     /* end of a PT, of a PD and of a PDPT */
    w->window[1] = radix_bytes(3) * 3 - mid; /* end of a PT and of a PD */
    w->window[2] = half - 2 * mid;           /* the last 4 MiB below the canonical edge */
    w->window[3] = -half;                    /* the first above it */
    w->window[4] = levels == 5 ? radix_bytes(5) - mid : -2 * radix_bytes(3) - mid;
    return w;
}

static void world_free(struct world *w) {
    for (unsigned m = 0; m < MODES; m++) {
        emt_tdb_destroy(&w->tdb[m]);
        assert_int_equal(w->tdb[m].table_bytes, 0);
        sim_close(&w->sim[m]);
    }
    free(w);
}

static void random_operations(void **state) {
    /* Often: what fills and empties. */
    static void (*const ops[])(struct world *) = {do_update, do_update,  do_update,   do_update, do_remove,
                                                  do_find,   do_walk,    do_walk,     do_walk,   do_unmap,
                                                  do_unmap,  do_protect, do_age,      do_copy,   do_void,
                                                  do_cursor, do_split,   do_collapse, do_update, do_test_clear};
    const unsigned rounds = 6000;
    (void)state;

    for (unsigned levels = 4; levels <= 5; levels++) {
        struct world *w = world_new(levels, levels);
        uint64_t filled = 0;
        for (unsigned i = 0; i < rounds; i++) {
            ops[rnd(w, sizeof(ops) / sizeof(ops[0]))](w);
            if (i % 16 == 0 || i + 1 == rounds)
                check_all(w);
            filled += w->n;
        }
        assert_true(filled / rounds > 50); /* the run was about something */
        world_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
