/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Operations on ranges: unmap, protect, copy, move, age, void. */
#include <inttypes.h>

#include "check/execute.h"

static uint64_t bytes_of(const struct outcome *r) {
    return r->last - r->va + 1;
}

/* What a callback of a range operation checks against. */
struct visit {
    struct world *w;
    const struct op *op;
    struct oracle *from, *to;
    bool fine;
};

/* The object that a callback is shown must be one of the oracle's. NULL: it is not, and that is a finding. */
static struct object *shown(struct visit *v, const struct emt_tobj *t) {
    struct object *o = oracle_find(v->from, t->va);
    const char *name = v->op ? op_name(v->op->kind) : "unmap";

    if (!o || o->gone) {
        v->fine = world_fail(
            v->w, "surplus",
            "what %s shows its caller: there is no object at 0x%" PRIx64 ", or it was shown before", name, t->va);
        return NULL;
    }
    v->fine = v->fine && object_check(v->w, o, t, "what %s shows its caller", name);
    return v->fine ? o : NULL;
}

/* ---- unmap ---- */

static void gone(void *ctx, const struct emt_tobj *old) {
    struct visit *v = ctx;
    struct object *o = shown(v, old);

    if (o)
        o->gone = true;
}

static bool unmap(struct world *w, unsigned db, const struct op *op, uint64_t va, uint64_t last) {
    struct space *s = &w->space[db];
    struct visit v = {.w = w, .op = op, .from = &s->oracle, .fine = true};
    struct emt_gather g;

    emt_gather_init(&g);
    int err = emt_range_unmap(&s->tdb, va, last - va + 1, gone, &v, &g);
    emt_gather_flush(&s->tdb, &g);
    if (!v.fine || !result(w, err, 0))
        return false;
    oracle_sweep(&s->oracle, va, last);
    if (err || !oracle_overlaps(&s->oracle, va, last))
        return true;
    const struct object *o = &s->oracle.object[oracle_from(&s->oracle, va)];
    return world_fail(w, "lost",
                      "range_unmap of db %u, [0x%" PRIx64 ", 0x%" PRIx64 "], did not show the object at 0x%" PRIx64,
                      db, va, last, o->va);
}

bool clear_range(struct world *w, unsigned db, uint64_t va, uint64_t last) {
    struct outcome r;

    return range_of(w, db, va, last - va + 1, &r) && unmap(w, db, NULL, r.va, r.last);
}

/* ---- protect ---- */

static void set_rights(struct object *o, const struct object *rights) {
    o->write = rights->write;
    o->exec = rights->exec;
    o->user = rights->user;
}

/* Without memory a protection stops anywhere: each object has all of its old rights or all of the new ones. */
static void half_protected(struct world *w, const struct op *op, const struct outcome *r) {
    struct space *s = &w->space[op->db];
    struct emt_tobj t;

    for (size_t i = oracle_from(&s->oracle, r->va); i < s->oracle.n && s->oracle.object[i].va <= r->last; i++) {
        struct object *o = &s->oracle.object[i], is;
        if (o->state != OBJECT_PRESENT || emt_tdb_find(&s->tdb, o->va, &t))
            continue;
        object_from_tobj(w, &t, &is);
        if (is.write == op->at.write && is.exec == op->at.exec && is.user == op->at.user)
            set_rights(o, &is);
    }
}

static bool protect(struct world *w, const struct op *op, const struct outcome *r) {
    struct space *s = &w->space[op->db];
    const unsigned prot =
        (op->at.write ? EMT_PROT_WRITE : 0) | (op->at.exec ? EMT_PROT_EXEC : 0) | (op->at.user ? EMT_PROT_USER : 0);
    struct emt_gather g;

    emt_gather_init(&g);
    int err = emt_range_protect(&s->tdb, r->va, bytes_of(r), prot, &g);
    emt_gather_flush(&s->tdb, &g);
    if (!result(w, err, 0))
        return false;
    if (err) {
        half_protected(w, op, r);
        return true;
    }
    for (size_t i = oracle_from(&s->oracle, r->va); i < s->oracle.n && s->oracle.object[i].va <= r->last; i++)
        if (s->oracle.object[i].state == OBJECT_PRESENT)
            set_rights(&s->oracle.object[i], &op->at);
    return true;
}

/* ---- copy ---- */

/* What the copying of an object shall do: op's seed decides, and the address. */
enum { COPY_SKIP = 1, COPY_PROTECT = 6, COPY_YOUNG = 8 };

static unsigned choice(const struct op *op, uint64_t va) {
    uint64_t state = op->seed ^ va;

    return (unsigned)check_random(&state) & ((check_random(&state) & 7) ? ~(unsigned)COPY_SKIP : ~0u);
}

static int copied(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    struct visit *v = ctx;
    const struct emt_tsvc *svc = &v->w->svc;
    struct object *o = shown(v, src);
    int err = 0;

    if (!o)
        return -EFAULT;
    const unsigned how = choice(v->op, o->va);
    if (how & COPY_SKIP)
        return 0;
    struct object copy = *o;
    if (o->state == OBJECT_PRESENT && how & COPY_PROTECT && o->write && v->w->traits->write) {
        err = emt_tobj_set(svc, src, EMT_ATTR_WRITE, 0);
        if (!err)
            err = emt_tobj_set(svc, dst, EMT_ATTR_WRITE, 0);
        o->write = copy.write = false;
    }
    if (!err && o->state == OBJECT_PRESENT && how & COPY_YOUNG && v->w->traits->accessed) {
        err = emt_tobj_set(svc, dst, EMT_ATTR_ACCESSED, 0);
        copy.accessed = false;
    }
    copy.maybe_accessed &= copy.accessed;
    oracle_put(v->to, &copy);
    if (err)
        v->fine =
            world_fail(v->w, "tobj", "tobj_set refused, with error %d, while copying 0x%" PRIx64, -err, o->va);
    return err ? err : 1;
}

/* Without memory a copy stops anywhere: the OS gives the copy up. Source objects may have lost W, nothing else. */
static bool give_up_copy(struct world *w, const struct op *op, const struct outcome *r, struct oracle *shadow) {
    struct space *from = &w->space[op->db], *to = &w->space[op->db2];
    struct emt_tobj t;
    struct emt_gather g;

    for (size_t i = oracle_from(&from->oracle, r->va); i < from->oracle.n && from->oracle.object[i].va <= r->last;
         i++) {
        struct object *o = &from->oracle.object[i];
        if (emt_tdb_find(&from->tdb, o->va, &t) == 0 && o->state == OBJECT_PRESENT)
            o->write = emt_tobj_get(&w->svc, &t, EMT_ATTR_WRITE);
    }
    oracle_fini(shadow);
    emt_gather_init(&g);
    int err = emt_range_unmap(&to->tdb, r->va, bytes_of(r), NULL, NULL, &g);
    emt_gather_flush(&to->tdb, &g);
    return result(w, err, 0);
}

static bool copy(struct world *w, const struct op *op, struct outcome *r) {
    struct space *from = &w->space[op->db], *to = &w->space[op->db2];
    struct visit v = {.w = w, .op = op, .from = &from->oracle, .to = &to->oracle, .fine = true};
    struct emt_gather g;

    if (op->db2 >= w->nspaces || !to->live || to == from || w->traits->restricted) {
        r->nothing = true;
        return true;
    }
    if (!clear_range(w, op->db2, r->va, r->last) || w->enomem)
        return w->enomem;
    struct oracle put = {0};
    v.to = &put;
    emt_gather_init(&g);
    int err = emt_range_copy(&to->tdb, &from->tdb, r->va, bytes_of(r), copied, &v, &g);
    emt_gather_flush(&from->tdb, &g);
    if (!v.fine || !result(w, err, 0)) {
        oracle_fini(&put);
        return false;
    }
    if (err)
        return give_up_copy(w, op, r, &put);
    for (size_t i = 0; i < put.n; i++)
        oracle_put(&to->oracle, &put.object[i]);
    oracle_fini(&put);
    return compare_around(w, op->db2, r->va, r->last);
}

/* ---- move ---- */

/* Where a range can go: as near to op->to as the largest of its objects allows. */
static bool destination(struct world *w, const struct op *op, const struct outcome *r, uint64_t *to) {
    struct oracle *o = &w->space[op->db].oracle;
    uint64_t largest = EMT_PAGE_BYTES;

    for (size_t i = oracle_from(o, r->va); i < o->n && o->object[i].va <= r->last; i++)
        if (o->object[i].bytes > largest)
            largest = o->object[i].bytes;
    *to = r->va + (op->to - r->va) / largest * largest;
    const uint64_t last = *to + (bytes_of(r) - 1);
    return range_valid(w->traits, *to, bytes_of(r)) && (last < r->va || *to > r->last);
}

static bool move(struct world *w, const struct op *op, struct outcome *r) {
    struct space *s = &w->space[op->db];
    struct emt_gather g;
    uint64_t to;

    if (w->traits->restricted || !destination(w, op, r, &to)) {
        r->nothing = true;
        return true;
    }
    if (!clear_range(w, op->db, to, to + (bytes_of(r) - 1)) || w->enomem)
        return w->enomem;
    emt_gather_init(&g);
    int err = emt_range_move(&s->tdb, r->va, to, bytes_of(r), &g);
    emt_gather_flush(&s->tdb, &g);
    if (!result(w, err, 0))
        return false;
    if (!err) {
        struct oracle moved = {0};
        for (size_t i = oracle_from(&s->oracle, r->va); i < s->oracle.n && s->oracle.object[i].va <= r->last; i++) {
            struct object o = s->oracle.object[i];
            o.va += to - r->va;
            oracle_put(&moved, &o);
        }
        oracle_remove(&s->oracle, r->va, r->last);
        for (size_t i = 0; i < moved.n; i++)
            oracle_put(&s->oracle, &moved.object[i]);
        oracle_fini(&moved);
    }
    return compare_around(w, op->db, to, to + (bytes_of(r) - 1));
}

/* ---- age ---- */

static void aged(void *ctx, const struct emt_tobj *old, unsigned ad) {
    struct visit *v = ctx;
    struct object *o = shown(v, old);

    if (!o)
        return;
    const unsigned is = (o->accessed ? EMT_AGE_ACCESSED : 0) | (o->dirty ? EMT_AGE_DIRTY : 0);
    if (ad != (is & v->op->mask) || !ad || o->state != OBJECT_PRESENT)
        v->fine = world_fail(v->w, "age",
                             "range_age with mask %u says %u of the object at 0x%" PRIx64
                             ", which has %u (1: accessed, 2: dirty)",
                             v->op->mask, ad, o->va, is);
    if (ad & EMT_AGE_ACCESSED)
        o->accessed = o->maybe_accessed = false;
    if (ad & EMT_AGE_DIRTY)
        o->dirty = false;
}

static bool age(struct world *w, const struct op *op, const struct outcome *r) {
    struct space *s = &w->space[op->db];
    struct visit v = {.w = w, .op = op, .from = &s->oracle, .fine = true};
    struct emt_gather g;

    emt_gather_init(&g);
    int err = emt_range_age(&s->tdb, r->va, bytes_of(r), op->mask, aged, &v, &g);
    emt_gather_flush(&s->tdb, &g);
    if (!v.fine || !result(w, err, 0))
        return false;
    for (size_t i = oracle_from(&s->oracle, r->va); i < s->oracle.n && s->oracle.object[i].va <= r->last; i++) {
        struct object *o = &s->oracle.object[i];
        const bool accessed = o->accessed && !o->maybe_accessed;
        if (o->state != OBJECT_PRESENT)
            continue;
        if ((op->mask & EMT_AGE_ACCESSED && accessed) || (op->mask & EMT_AGE_DIRTY && o->dirty))
            return world_fail(w, "age",
                              "range_age with mask %u passes over the object at 0x%" PRIx64 ", which was used",
                              op->mask, o->va);
        if (op->mask & EMT_AGE_ACCESSED)
            o->accessed = o->maybe_accessed = false;
    }
    return true;
}

static bool is_void(struct world *w, const struct op *op, const struct outcome *r) {
    struct space *s = &w->space[op->db];
    const bool expected = !oracle_overlaps(&s->oracle, r->va, r->last);
    const bool is = emt_range_void(&s->tdb, r->va, bytes_of(r));

    return is == expected ||
           world_fail(w, "void", "range_void of db %u, [0x%" PRIx64 ", 0x%" PRIx64 "] says %s", op->db, r->va,
                      r->last, is ? "void, and there is an object" : "not void, and there is no object");
}

bool execute_range(struct world *w, const struct op *op, struct outcome *out) {
    /* Only void may cut through objects. */
    const bool exact = op->kind == OP_VOID && range_valid(w->traits, op->at.va, op->at.bytes);

    if (exact)
        *out = (struct outcome){.va = op->at.va, .last = object_last(&op->at)};
    else if (!range_of(w, op->db, op->at.va, op->at.bytes, out)) {
        out->nothing = true;
        return true;
    }
    switch (op->kind) {
    case OP_UNMAP:
        return unmap(w, op->db, op, out->va, out->last);
    case OP_PROTECT:
        return protect(w, op, out);
    case OP_COPY:
        return copy(w, op, out);
    case OP_MOVE:
        return move(w, op, out);
    case OP_AGE:
        return age(w, op, out);
    default:
        return is_void(w, op, out);
    }
}
