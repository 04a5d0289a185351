/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One operation: through the interface, in the oracle, and then all comparisons around it. With TLBs looking on,
 * the pages concerned are used before it, so that there is something to be forgotten, and after it.
 */
#include "check/execute.h"

bool result(struct world *w, int err, int expected) {
    if (err == -ENOMEM && expected != -ENOMEM && world_may_fail(w)) {
        w->enomem = true;
        w->stats.failed_allocations++;
        return true;
    }
    if (err == expected)
        return true;
    return world_fail(w, "error", "%s returns %s, and %s is expected", op_name(w->op->kind), error_name(err),
                      error_name(expected));
}

bool range_of(struct world *w, unsigned db, uint64_t va, uint64_t bytes, struct outcome *out) {
    struct oracle *o = &w->space[db].oracle;
    const struct object *first, *last;

    *out = (struct outcome){.va = va, .last = va + (bytes - 1)};
    if (!range_valid(w->traits, va, bytes))
        return false;
    first = oracle_find(o, out->va);
    last = oracle_find(o, out->last);
    if (first)
        out->va = first->va;
    if (last)
        out->last = object_last(last);
    return true;
}

static bool access_op(struct world *w, const struct op *op, struct outcome *out) {
    const struct emt_access a = {.va = op->at.va,
                                 .type = op->type,
                                 .user = op->control & OP_USER,
                                 .write_protect = op->control & OP_WP,
                                 .smep = op->control & OP_SMEP,
                                 .smap = op->control & OP_SMAP,
                                 .nx = op->control & OP_NX,
                                 .pke = op->control & OP_PKE,
                                 .pkru = op->pkru};

    out->va = op->at.va & -EMT_PAGE_BYTES;
    out->last = out->va + EMT_PAGE_BYTES - 1;
    /* With TLBs in front A may be set already there: the walker alone is the other part's. */
    return w->mmu ? tlb_check(w, a.va, a.type) : walk_check(w, op->db, &a);
}

static bool renew(struct world *w, const struct op *op) {
    /* Global translations outlive their database in the TLBs, as a kernel's would. */
    if (w->mmu && w->nspaces == 1)
        emt_tsvc_flush(&w->svc, &(struct emt_flush){.kind = EMT_FLUSH_ALL, .tables = true});
    space_destroy(w, op->db);
    if (!world_frames_fine(w))
        return false;
    return result(w, space_create(w, op->db), 0);
}

static bool dispatch(struct world *w, const struct op *op, struct outcome *out) {
    switch (op->kind) {
    case OP_UNMAP:
    case OP_PROTECT:
    case OP_COPY:
    case OP_MOVE:
    case OP_AGE:
    case OP_VOID:
        return execute_range(w, op, out);
    case OP_ITERATE:
        return execute_iterate(w, op, out);
    case OP_ACCESS:
        return access_op(w, op, out);
    case OP_SWITCH:
        out->nothing = true;
        return result(w, emt_tsvc_switch(&w->svc, 0, &w->space[op->db].tdb), 0);
    case OP_SCARCE:
        out->nothing = true;
        frames_refuse(&w->frames, op->mask);
        return true;
    case OP_RENEW:
        out->nothing = true;
        return renew(w, op);
    default:
        return execute_object(w, op, out);
    }
}

/* ---- TLBs ---- */

static void heat(struct world *w, uint64_t va) {
    w->hot[w->nhot++ % (sizeof(w->hot) / sizeof(w->hot[0]))] = va;
}

/* Use the pages that the operation is about to change. */
static bool use_before(struct world *w, const struct op *op) {
    const uint64_t va = op->at.va, last = va + (op->at.bytes ? op->at.bytes - 1 : 0);
    const uint64_t inside = va + check_below(&w->random, (last - va) / EMT_PAGE_BYTES + 1) * EMT_PAGE_BYTES;
    const unsigned type = (unsigned)(check_random(&w->random) & 3) % 3;

    if (emt_tsvc_current(&w->svc, 0) != &w->space[op->db].tdb &&
        !result(w, emt_tsvc_switch(&w->svc, 0, &w->space[op->db].tdb), 0))
        return false;
    heat(w, va);
    heat(w, last);
    return tlb_check(w, va, type) && tlb_check(w, last, type) && tlb_check(w, inside, EMT_STORE);
}

static bool use_after(struct world *w, const struct op *op, const struct outcome *out) {
    const uint64_t inside =
        out->va + check_below(&w->random, (out->last - out->va) / EMT_PAGE_BYTES + 1) * EMT_PAGE_BYTES;
    const uint64_t near[] = {out->va,
                             out->last,
                             inside,
                             out->va - 1,
                             out->last + 1,
                             op->at.va,
                             op->at.va + (op->at.bytes ? op->at.bytes - 1 : 0)};

    for (unsigned i = 0; i < sizeof(near) / sizeof(near[0]); i++)
        if (!tlb_check(w, near[i], (unsigned)(check_random(&w->random) & 3) % 3))
            return false;
    for (unsigned i = 0; i < 6; i++)
        if (!tlb_check(w, w->hot[check_below(&w->random, sizeof(w->hot) / sizeof(w->hot[0]))], EMT_LOAD))
            return false;
    return true;
}

bool execute(struct world *w, const struct op *op) {
    struct outcome out = {0};

    w->op = op;
    w->op_number++;
    w->enomem = false;
    w->random = op->at.va ^ op->at.pfn << 20 ^ op->kind; /* the same whatever came before */
    if (op->db >= w->nspaces || (op->kind != OP_RENEW && op->kind != OP_SCARCE && !w->space[op->db].live))
        return true;
    w->stats.ops++;
    if (w->mmu && op->kind != OP_SWITCH && op->kind != OP_RENEW && op->kind != OP_SCARCE && !use_before(w, op))
        return false;
    if (!dispatch(w, op, &out) || !world_frames_fine(w))
        return false;
    if (w->checker && !out.nothing)
        checker_note(w->checker, w->space[op->db].tdb.asid, out.va, out.last - out.va + 1, op_name(op->kind),
                     w->op_number);
    if (out.nothing)
        return true;
    if (w->mmu && !use_after(w, op, &out))
        return false;
    return compare_around(w, op->db, out.va, out.last);
}
