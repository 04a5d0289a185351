/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware's side: what a walk must find for an object of the oracle, by the rules of x86 (SDM vol. 3, 4.6 and
 * 4.7), and whether the walker, or a TLB in front of it, does.
 */
#include <inttypes.h>

#include "check/world.h"

struct port {
    struct emt_port ops; /* first: the walker's pointer is ours */
    struct world *w;
    unsigned db;
    bool wrote;
    struct emt_range range; /* the walk has told of it */
};

static int port_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct world *w = ((struct port *)ops)->w;

    for (unsigned i = 0; i < n; i++) {
        if (f[i].words < 1 || f[i].words > 8 || f[i].pa & 7)
            return world_fail(w, "walker", "it fetches %u words at 0x%" PRIx64, f[i].words, f[i].pa), -EFAULT;
        if (!frames_is_table(&w->frames, f[i].pa) || !frames_is_table(&w->frames, f[i].pa + 8 * f[i].words - 8))
            return world_fail(w, "walker", "it reads at 0x%" PRIx64 ", which is in no table now", f[i].pa), -EFAULT;
        for (unsigned k = 0; k < f[i].words; k++)
            f[i].data[k] = __atomic_load_n(emt_host_word(&w->host, f[i].pa + 8 * k), __ATOMIC_ACQUIRE);
    }
    return 0;
}

static bool port_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct port *p = (struct port *)ops;

    p->wrote = true;
    if (pa & 7 || !frames_is_table(&p->w->frames, pa))
        return world_fail(p->w, "walker", "it writes at 0x%" PRIx64 ", which is in no table now", pa), true;
    return __atomic_compare_exchange_n(emt_host_word(&p->w->host, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void port_range_put(struct emt_port *ops, const struct emt_range *range) {
    struct port *p = (struct port *)ops;

    p->range = *range;
    range_check(p->w, p->db, range, "a walk");
}

/* ---- what is right ---- */

static bool rights_deny(const struct object *o, const struct emt_access *a) {
    if (a->user && !o->user)
        return true;
    if (!a->user && o->user && (a->type == EMT_FETCH ? a->smep : a->smap))
        return true;
    if (a->type == EMT_STORE)
        return !o->write && (a->user || a->write_protect);
    return a->type == EMT_FETCH && a->nx && !o->exec;
}

static bool key_denies(const struct object *o, const struct emt_access *a) {
    const unsigned key = a->pkru >> (2 * o->pkey) & 3;

    if (!a->pke || !o->user || a->type == EMT_FETCH)
        return false;
    return (key & 1) || ((key & 2) && a->type == EMT_STORE && (a->user || a->write_protect));
}

/* The bits of an error code that must be there; PK is left out. */
static uint32_t fault_code(const struct object *o, const struct emt_access *a) {
    return (o && o->state == OBJECT_PRESENT ? EMT_PF_PRESENT : 0) | (a->type == EMT_STORE ? EMT_PF_WRITE : 0) |
           (a->user ? EMT_PF_USER : 0) | (a->type == EMT_FETCH && (a->nx || a->smep) ? EMT_PF_FETCH : 0);
}

static void describe_access(const struct emt_access *a, unsigned db, char text[160]) {
    static const char *const types[] = {"load", "store", "fetch"};

    snprintf(text, 160, "%s at 0x%" PRIx64 " in db %u, %s mode%s%s%s%s%s", types[a->type % 3], a->va, db,
             a->user ? "user" : "supervisor", a->write_protect ? ", WP" : "", a->smep ? ", SMEP" : "",
             a->smap ? ", SMAP" : "", a->pke ? ", PKE" : "", a->peek ? ", a peek" : "");
}

static bool wrong(struct world *w, const struct emt_access *a, unsigned db, const struct object *o,
                  const struct emt_walk *is, const char *what) {
    char access[160], want[256] = "nothing there", got[200];

    describe_access(a, db, access);
    if (o)
        object_describe(o, want, sizeof(want));
    if (is->fault)
        snprintf(got, sizeof(got), "a fault, error code 0x%x", is->code);
    else
        snprintf(got, sizeof(got),
                 "page 0x%" PRIx64 " of 0x%" PRIx64 " bytes at pfn 0x%" PRIx64 " r%s%s%s%s%s cache %u "
                 "pkey %u%s",
                 is->va, is->bytes, is->pa >> EMT_PAGE_SHIFT, is->write ? "w" : "", is->exec ? "x" : "",
                 is->user ? " user" : "", is->global ? " global" : "", is->dirty ? " D" : "", is->cache_mode,
                 is->pkey, is->contig ? " C" : "");
    return world_fail(w, "walk", "%s: %s\n    the object %s\n    the walk  %s", access, what, want, got);
}

static bool check_fault(struct world *w, unsigned db, const struct emt_access *a, const struct object *o,
                        const struct emt_walk *is, bool key) {
    if (!is->fault)
        return wrong(w, a, db, o, is, "it must fault, and does not");
    if (!canonical(w->traits, a->va))
        return true;
    const uint32_t code = is->code & ~EMT_PF_PK, expected = fault_code(o, a);
    if (code != expected) {
        char what[80];
        snprintf(what, sizeof(what), "the error code must be 0x%x", expected | (key ? EMT_PF_PK : 0));
        return wrong(w, a, db, o, is, what);
    }
    if (!!(is->code & EMT_PF_PK) != key && !(o && rights_deny(o, a)))
        return wrong(w, a, db, o, is, "the error code's PK bit is wrong");
    return true;
}

static bool check_page(struct world *w, unsigned db, const struct emt_access *a, const struct object *o,
                       const struct emt_walk *is) {
    const struct traits *t = w->traits;

    if (is->fault)
        return wrong(w, a, db, o, is, "it must not fault");
    if (is->va != o->va || is->bytes != o->bytes)
        return wrong(w, a, db, o, is, "wrong page or size");
    if (is->pa != (o->pfn << EMT_PAGE_SHIFT) + (is->va - o->va))
        return wrong(w, a, db, o, is, "wrong frame");
    if (is->write != o->write || is->exec != o->exec || is->user != o->user)
        return wrong(w, a, db, o, is, "wrong permissions");
    if ((t->global && is->global != o->global) || (t->cache_max && is->cache_mode != o->cache) ||
        (t->pkey_max && is->pkey != o->pkey) || (t->contig && is->contig != o->contig))
        return wrong(w, a, db, o, is, "wrong attributes");
    const bool dirty = o->dirty || (!a->peek && t->caps.accessed_dirty && a->type == EMT_STORE);
    /* A large page may stand in several entries: a load that finds a clean one is right, and costs the next store a
       walk. */
    const bool may_be_clean = !a->peek && a->type != EMT_STORE && is->bytes > EMT_PAGE_BYTES;
    if (t->caps.accessed_dirty && is->dirty != dirty && !(may_be_clean && !is->dirty))
        return wrong(w, a, db, o, is, "wrong D");
    return true;
}

static int translate(struct world *w, unsigned db, const struct emt_access *a, struct emt_walk *is, bool *wrote,
                     struct emt_range *range) {
    struct port port = {.ops = {.fetch = port_fetch, .update = port_update, .range_put = port_range_put},
                        .w = w,
                        .db = db,
                        .range = {.va = 1}};
    struct emt_root root;

    emt_tdb_root(&w->space[db].tdb, &root);
    *is = (struct emt_walk){0};
    int err = w->arch->walker->walk(w->arch, &root, a, &port.ops, is);
    /* Where tables are a cache of others, a fault asks for the object, as an OS answers it. */
    if (!err && is->fault && !(is->code & EMT_PF_PRESENT) && !emt_tdb_refill(&w->space[db].tdb, a->va)) {
        emt_tdb_root(&w->space[db].tdb, &root);
        *is = (struct emt_walk){0};
        err = w->arch->walker->walk(w->arch, &root, a, &port.ops, is);
    }
    w->stats.walks++;
    *wrote = port.wrote;
    *range = port.range;
    return err;
}

bool walk_range(struct world *w, unsigned db, const struct emt_access *a, struct emt_range *r) {
    struct emt_walk is;
    bool wrote;
    int err = translate(w, db, a, &is, &wrote, r);

    if (w->finding.found)
        return false;
    if (err)
        return world_fail(w, "walker", "a walk for 0x%" PRIx64 " in db %u ends with error %d", a->va, db, -err);
    if (!is.fault && r->last >= r->va && (a->va < r->va || a->va > r->last))
        return world_fail(w, "range", "a walk for 0x%" PRIx64 " in db %u tells of a range that is elsewhere", a->va,
                          db);
    return true;
}

bool walk_check(struct world *w, unsigned db, const struct emt_access *a) {
    struct object *o = oracle_find(&w->space[db].oracle, a->va);
    struct emt_walk is;
    struct emt_range range;
    bool wrote;
    int err = translate(w, db, a, &is, &wrote, &range);

    if (w->finding.found)
        return false;
    if (err)
        return world_fail(w, "walker", "a walk for 0x%" PRIx64 " in db %u ends with error %d", a->va, db, -err);
    if (a->peek && wrote)
        return wrong(w, a, db, o, &is, "a peek wrote to the tables");
    const bool present = o && o->state == OBJECT_PRESENT, key = present && key_denies(o, a);
    if (!present || key || rights_deny(o, a))
        return check_fault(w, db, a, o, &is, key);
    if (!check_page(w, db, a, o, &is))
        return false;
    if (!a->peek && w->traits->caps.accessed_dirty) {
        o->accessed = true;
        o->maybe_accessed = false;
        o->dirty |= a->type == EMT_STORE;
    }
    return true;
}

bool tlb_check(struct world *w, uint64_t va, unsigned type) {
    struct emt_tdb *current = emt_tsvc_current(&w->svc, 0);
    struct emt_access a = {.va = va,
                           .type = (uint8_t)type,
                           .user = true,
                           .write_protect = true,
                           .smep = true,
                           .smap = true,
                           .nx = true};
    struct mmu_translation t;

    if (!w->mmu || !current || !canonical(w->traits, va))
        return true;
    const unsigned db =
        (unsigned)((struct space *)(void *)((char *)current - offsetof(struct space, tdb)) - w->space);
    struct object *o = oracle_find(&w->space[db].oracle, va);
    mmu_translate(w->mmu, va, type, &t);
    if (t.fault && !(t.fault & EMT_PF_PRESENT) && !emt_tdb_refill(current, va))
        mmu_translate(w->mmu, va, type, &t);
    w->stats.tlb_accesses++;
    if (!checker_check(w->checker, w->mmu, current->asid, va, type, &t))
        return world_fail(w, "flush", "a stale translation: %s", checker_last_finding(w->checker));
    const bool allowed = o && o->state == OBJECT_PRESENT && !rights_deny(o, &a);
    if (allowed == !t.fault && (!allowed || t.pa == (o->pfn << EMT_PAGE_SHIFT) + (va - o->va))) {
        if (allowed && w->traits->caps.accessed_dirty) {
            o->dirty |= type == EMT_STORE;
            o->maybe_accessed |= !o->accessed;
        }
        return true;
    }
    struct emt_walk is = {.fault = t.fault, .code = t.fault & ~MMU_FAULT, .pa = t.pa, .va = va};
    return wrong(w, &a, db, o, &is, "the MMU, its caches included, says otherwise");
}
