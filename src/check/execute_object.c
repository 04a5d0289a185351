/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Operations on one object: map, set, remove, erase, test-clear, collapse, split. */
#include <inttypes.h>

#include "check/execute.h"

static unsigned all_free(void *ctx, uint64_t pfn, unsigned n) {
    (void)ctx;
    (void)pfn;
    return n;
}

/* Where frames are restricted, take one of those that are allowed; op's own number chooses. Where others will do
   too, one in four is any frame. */
static void place(struct world *w, unsigned db, struct object *o) {
    struct emt_place_query q = {
        .va = o->va, .bytes = o->bytes, .asid = w->space[db].tdb.asid, .node = -1, .free_frames = all_free};
    struct emt_place where;

    if (!w->traits->caps.places || o->state == OBJECT_SWAP || (!w->traits->restricted && o->pfn / 64 % 4 == 0))
        return;
    emt_tdb_place(&w->space[db].tdb, &q, &where);
    if (where.kind != EMT_PLACE_REQUIRE || !where.runs)
        return;
    const unsigned run = (unsigned)(o->pfn % where.runs);
    const uint64_t pages = o->bytes >> EMT_PAGE_SHIFT, pieces = where.run[run].frames / pages;
    if (pieces)
        o->pfn = where.run[run].pfn + o->pfn / where.runs % pieces * pages;
}

/* Is `o` to be refused, since objects of other sizes are in the way? */
static int expected_of_map(struct oracle *oracle, const struct object *o) {
    const struct object *there = oracle_find(oracle, o->va);

    if (there && there->va == o->va && there->bytes == o->bytes)
        return 0;
    return oracle_overlaps(oracle, o->va, object_last(o)) ? -EEXIST : 0;
}

static bool map(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    struct object o = op->at;
    struct emt_gather g;
    struct emt_cursor c;
    struct emt_tobj t;

    if (!range_valid(w->traits, o.va, o.bytes) || !emt_huge_possible(&s->tdb, o.va, o.bytes)) {
        out->nothing = true;
        return true;
    }
    out->va = o.va;
    out->last = object_last(&o);
    place(w, op->db, &o);
    if (!object_to_tobj(w, &o, &t))
        return false;
    const int expected = expected_of_map(&s->oracle, &o);
    const struct object *old = oracle_find(&s->oracle, o.va);
    emt_gather_init(&g);
    int err;
    if (op->kind == OP_SET) {
        err = emt_cursor_open(&c, &s->tdb, o.va, o.va + o.bytes, &g);
        if (!err) {
            err = emt_cursor_set(&c, &t);
            emt_cursor_close(&c);
        }
    } else {
        emt_range_lock(&s->tdb, o.va, o.bytes);
        err = emt_tdb_update(&s->tdb, &t);
        emt_range_unlock(&s->tdb, o.va, o.bytes);
        if (!err && old && old->state == OBJECT_PRESENT)
            emt_gather_add(&g, o.va, o.bytes);
    }
    emt_gather_flush(&s->tdb, &g);
    if (!result(w, err, expected))
        return false;
    if (!err)
        oracle_put(&s->oracle, &o);
    return true;
}

static bool removed(struct world *w, const struct op *op, int err, const struct emt_tobj *t) {
    struct oracle *oracle = &w->space[op->db].oracle;
    struct object *o = oracle_find(oracle, op->at.va);

    if (!result(w, err, o ? 0 : -ENOENT))
        return false;
    if (err)
        return true;
    if (!object_check(w, o, t, "what %s took away", op_name(op->kind)))
        return false;
    oracle_remove(oracle, o->va, object_last(o));
    return true;
}

/* By tdb_remove. */
static bool remove_one(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    struct emt_gather g;
    struct emt_tobj t = {0};

    emt_gather_init(&g);
    emt_range_lock(&s->tdb, out->va, out->last + 1 - out->va);
    int err = emt_tdb_remove(&s->tdb, op->at.va, &t);
    emt_range_unlock(&s->tdb, out->va, out->last + 1 - out->va);
    if (!err) {
        emt_gather_add(&g, t.va, t.bytes);
        g.tables = w->host.nfreed > 0;
    }
    emt_gather_flush(&s->tdb, &g);
    return removed(w, op, err, &t);
}

static bool erase_one(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    struct emt_cursor c;
    int err = emt_cursor_open(&c, &s->tdb, out->va, out->last + 1, NULL);

    if (err)
        return result(w, err, 0);
    err = emt_cursor_seek(&c, op->at.va) ? emt_cursor_erase(&c) : -ENOENT;
    const struct emt_tobj t = c.obj;
    emt_cursor_close(&c);
    return removed(w, op, err, &t);
}

static bool test_clear(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    struct object *o = oracle_find(&s->oracle, op->at.va);
    struct emt_gather g;

    emt_gather_init(&g);
    emt_range_lock(&s->tdb, out->va, out->last + 1 - out->va);
    int ad = emt_tdb_test_clear(&s->tdb, op->at.va, op->mask);
    emt_range_unlock(&s->tdb, out->va, out->last + 1 - out->va);
    if (o)
        emt_gather_add(&g, o->va, o->bytes);
    emt_gather_flush(&s->tdb, &g);
    if (!o || ad < 0)
        return result(w, ad < 0 ? ad : 0, o ? 0 : -ENOENT);
    unsigned expected = (o->accessed ? EMT_AGE_ACCESSED : 0) | (o->dirty ? EMT_AGE_DIRTY : 0);
    if (o->maybe_accessed)
        expected |= (unsigned)ad & EMT_AGE_ACCESSED;
    expected &= op->mask;
    if ((unsigned)ad != expected)
        return world_fail(w, "test-clear",
                          "tdb_test_clear with mask %u at 0x%" PRIx64 "\n    expected %u\n"
                          "    found    %d  (1: accessed, 2: dirty)",
                          op->mask, op->at.va, expected, ad);
    if (op->mask & EMT_AGE_ACCESSED)
        o->accessed = o->maybe_accessed = false;
    if (op->mask & EMT_AGE_DIRTY)
        o->dirty = false;
    return true;
}

static bool collapse(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    struct object o = op->at;
    struct emt_gather g;
    struct emt_tobj t;

    const struct object *there = oracle_find(&s->oracle, o.va);
    if (!range_valid(w->traits, o.va, o.bytes) || !emt_huge_possible(&s->tdb, o.va, o.bytes) ||
        (there && there->bytes > o.bytes)) {
        out->nothing = true;
        return true;
    }
    out->va = o.va;
    out->last = object_last(&o);
    place(w, op->db, &o);
    if (!object_to_tobj(w, &o, &t))
        return false;
    emt_gather_init(&g);
    int err = emt_huge_collapse(&s->tdb, &t, &g);
    emt_gather_flush(&s->tdb, &g);
    if (!result(w, err, 0))
        return false;
    if (!err) {
        oracle_remove(&s->oracle, o.va, object_last(&o));
        oracle_put(&s->oracle, &o);
    }
    return true;
}

/* The most pieces of one split in a sequence; what makes more is tried on its own. */
#define MOST_PIECES 512

static bool split(struct world *w, const struct op *op, struct outcome *out) {
    struct space *s = &w->space[op->db];
    const struct object *there = oracle_find(&s->oracle, op->at.va);
    struct emt_gather g;

    if (there && (there->bytes / op->at.bytes > MOST_PIECES ||
                  (there->state == OBJECT_SWAP && !(w->traits->swap_sizes & op->at.bytes)))) {
        out->nothing = true;
        return true;
    }
    emt_gather_init(&g);
    int err = emt_huge_split(&s->tdb, op->at.va, op->at.bytes, &g);
    emt_gather_flush(&s->tdb, &g);
    if (!result(w, err, there ? 0 : -ENOENT))
        return false;
    if (err || there->bytes <= op->at.bytes)
        return true;
    oracle_split(&s->oracle, op->at.va, op->at.bytes);
    return true;
}

bool execute_object(struct world *w, const struct op *op, struct outcome *out) {
    const struct object *there = oracle_find(&w->space[op->db].oracle, op->at.va);

    /* Most concern the object that is there, or one page of void. */
    out->va = there ? there->va : op->at.va & -EMT_PAGE_BYTES;
    out->last = there ? object_last(there) : out->va + EMT_PAGE_BYTES - 1;
    if (!range_valid(w->traits, out->va, 1)) {
        out->nothing = true;
        return true;
    }
    switch (op->kind) {
    case OP_MAP:
    case OP_SET:
        return map(w, op, out);
    case OP_REMOVE:
        return remove_one(w, op, out);
    case OP_ERASE:
        return erase_one(w, op, out);
    case OP_TEST_CLEAR:
        return test_clear(w, op, out);
    case OP_COLLAPSE:
        return collapse(w, op, out);
    default:
        return split(w, op, out);
    }
}
