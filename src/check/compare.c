/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Does the database hold what the oracle says? Asked of find, of the cursor and of the walker. */
#include <inttypes.h>

#include "check/world.h"

#define KIB 1024ull
#define MIB (1024 * KIB)

bool canonical(const struct traits *t, uint64_t va) {
    const unsigned unused = 64u - t->caps.va_bits;

    return (uint64_t)((int64_t)(va << unused) >> unused) == va;
}

bool range_valid(const struct traits *t, uint64_t va, uint64_t bytes) {
    const uint64_t last = va + (bytes - 1);

    return bytes && last >= va && last < -EMT_PAGE_BYTES && canonical(t, va) && canonical(t, last) &&
           (va >> 63 == last >> 63);
}

static bool check_void(struct world *w, unsigned db, uint64_t va, const struct emt_tobj *t, const char *who) {
    if (t->va > va || va - t->va >= t->bytes || t->bytes & (EMT_PAGE_BYTES - 1) || t->va & (EMT_PAGE_BYTES - 1))
        return world_fail(w, "void",
                          "%s in db %u at 0x%" PRIx64 " finds nothing, and tells a void from 0x%" PRIx64
                          " of 0x%" PRIx64 " bytes, which is no void of whole pages around it",
                          who, db, va, t->va, t->bytes);
    if (oracle_overlaps(&w->space[db].oracle, t->va, t->va + (t->bytes - 1)))
        return world_fail(w, "void",
                          "%s in db %u at 0x%" PRIx64 " tells a void from 0x%" PRIx64 " of 0x%" PRIx64
                          " bytes, but there is an object in it",
                          who, db, va, t->va, t->bytes);
    return true;
}

bool compare_find(struct world *w, unsigned db, uint64_t va) {
    struct space *s = &w->space[db];
    struct object *expected = oracle_find(&s->oracle, va);
    struct emt_tobj t = {0};
    char text[256];

    if (!canonical(w->traits, va))
        return true;
    int err = emt_tdb_find(&s->tdb, va, &t);
    w->stats.finds++;
    if (!err && expected)
        return object_check(w, expected, &t, "tdb_find in db %u at 0x%" PRIx64, db, va);
    if (err == -ENOENT && !expected)
        return check_void(w, db, va, &t, "tdb_find");
    if (expected) {
        object_describe(expected, text, sizeof(text));
        return world_fail(w, "lost", "tdb_find in db %u at 0x%" PRIx64 " returns %s\n    expected %s", db, va,
                          error_name(err), text);
    }
    struct object is;
    object_from_tobj(w, &t, &is);
    object_describe(&is, text, sizeof(text));
    return world_fail(w, "surplus",
                      "tdb_find in db %u at 0x%" PRIx64 "\n    expected nothing (-ENOENT)\n    found    "
                      "%s, %s",
                      db, va, error_name(err), text);
}

/* With the cursor open: what next gives, compared one by one with the oracle. */
static bool iterate(struct world *w, unsigned db, struct emt_cursor *c, uint64_t va, uint64_t last) {
    struct oracle *o = &w->space[db].oracle;
    size_t i = oracle_from(o, va);
    char text[256];

    while (emt_cursor_next(c)) {
        if (i == o->n || o->object[i].va > last) {
            struct object is;
            object_from_tobj(w, &c->obj, &is);
            object_describe(&is, text, sizeof(text));
            return world_fail(w, "surplus",
                              "a cursor over db %u, [0x%" PRIx64 ", 0x%" PRIx64
                              "]\n    expected no further object\n"
                              "    found    %s",
                              db, va, last, text);
        }
        if (!object_check(w, &o->object[i], &c->obj, "a cursor over db %u, [0x%" PRIx64 ", 0x%" PRIx64 "],", db, va,
                          last))
            return false;
        i++;
    }
    if (i == o->n || o->object[i].va > last)
        return true;
    object_describe(&o->object[i], text, sizeof(text));
    return world_fail(w, "lost",
                      "a cursor over db %u, [0x%" PRIx64 ", 0x%" PRIx64 "]\n    expected %s\n    found    the end",
                      db, va, last, text);
}

bool compare_range(struct world *w, unsigned db, uint64_t va, uint64_t last) {
    struct emt_cursor c;
    int err = emt_cursor_open(&c, &w->space[db].tdb, va, last + 1, NULL);

    if (err)
        return world_fail(w, "error", "opening a cursor: %s", error_name(err));
    bool fine = iterate(w, db, &c, va, last);
    emt_cursor_close(&c);
    w->stats.finds++;
    return fine;
}

/* An access chosen by the world's random numbers; only looks. */
bool compare_walk(struct world *w, unsigned db, uint64_t va) {
    const uint64_t r = check_random(&w->random);
    struct emt_access a = {.va = va | (r >> 52 & 0xff8),
                           .type = (uint8_t)(r % 3),
                           .user = r >> 8 & 3, /* more often than not */
                           .write_protect = r >> 10 & 3,
                           .smep = r >> 12 & 1,
                           .smap = r >> 13 & 1,
                           .nx = true,
                           .pke = w->traits->pkey_max && !(r >> 14 & 3),
                           .pkru = (uint32_t)(r >> 20),
                           .peek = true};

    return walk_check(w, db, &a);
}

static bool compare_at(struct world *w, unsigned db, uint64_t va) {
    struct emt_range unused;

    return compare_find(w, db, va) && compare_walk(w, db, va) && range_around(w, db, va, &unused);
}

/* The part of [va - margin, last + margin] that a cursor may be opened over. */
static bool compare_near(struct world *w, unsigned db, uint64_t va, uint64_t last, uint64_t margin) {
    uint64_t lo = va - margin, hi = last + margin;

    if (lo > va || !canonical(w->traits, lo))
        lo = va;
    if (hi < last || hi >= -EMT_PAGE_BYTES || !canonical(w->traits, hi))
        hi = last;
    return compare_range(w, db, lo, hi);
}

bool compare_around(struct world *w, unsigned db, uint64_t va, uint64_t last) {
    const uint64_t span = last - va, margin = 4 * EMT_PAGE_BYTES;
    const uint64_t inside = va + check_below(&w->random, span / EMT_PAGE_BYTES + 1) * EMT_PAGE_BYTES;
    bool fine = compare_at(w, db, va) && compare_at(w, db, last) && compare_at(w, db, inside) &&
                compare_at(w, db, va - EMT_PAGE_BYTES) && compare_at(w, db, last + 1) && segment_check(w, db);

    if (!fine)
        return false;
    /* Reading a large range whole costs time: it is done for a part of them, the ends always. */
    if (span < 256 * KIB || check_one_in(&w->random, span < 8 * MIB ? 8 : w->traits->void_is_known ? 32 : 2048))
        return compare_near(w, db, va, last, margin);
    return compare_near(w, db, va, va + margin - 1, margin) &&
           compare_near(w, db, last - (margin - 1), last, margin);
}

/* Each object at both ends, and the void on both sides of it. */
static bool compare_objects(struct world *w, unsigned db) {
    struct oracle *o = &w->space[db].oracle;

    for (size_t i = 0; i < o->n; i++) {
        const uint64_t va = o->object[i].va, last = object_last(&o->object[i]);
        if (!compare_at(w, db, va) || (last - va >= EMT_PAGE_BYTES && !compare_at(w, db, last)))
            return false;
        if (i == 0 || object_last(&o->object[i - 1]) != va - 1)
            if (!compare_at(w, db, va - 1))
                return false;
        if (i + 1 == o->n || o->object[i + 1].va != last + 1)
            if (!compare_at(w, db, last + 1))
                return false;
    }
    return true;
}

/* Runs of objects with small gaps between them, each by one cursor. */
static bool compare_runs(struct world *w, unsigned db) {
    struct oracle *o = &w->space[db].oracle;
    const uint64_t gap = w->traits->void_is_known ? 64 * MIB : MIB;

    for (size_t i = 0, end; i < o->n; i = end) {
        for (end = i + 1; end < o->n; end++)
            if (o->object[end].va - object_last(&o->object[end - 1]) > gap)
                break;
        if (!compare_near(w, db, o->object[i].va, object_last(&o->object[end - 1]), 16 * EMT_PAGE_BYTES))
            return false;
    }
    return true;
}

bool compare_all(struct world *w) {
    for (unsigned db = 0; db < w->nspaces; db++)
        if (w->space[db].live && (!compare_objects(w, db) || !compare_runs(w, db)))
            return false;
    return world_frames_fine(w);
}
