/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Address spaces begin and end: new, fork, exec, exit.
 *
 * fork copies the entries of VMAs that may map private pages, and only those, as Linux does: what is only in the
 * page cache will be found there by a fault. Private frames become read-only in both; a write then copies one, or
 * keeps it when the other has gone.
 */
#include <stdlib.h>

#include "os/reclaim.h"

/* ---- processes ---- */

static int asid_take(struct os *os, uint16_t *asid) {
    for (uint32_t i = 1; i < os->asid_limit; i++)
        if (!(os->asid_used[i / 8] >> i % 8 & 1)) {
            os->asid_used[i / 8] |= (uint8_t)(1u << i % 8);
            *asid = (uint16_t)i;
            return 0;
        }
    return -EAGAIN;
}

static void asid_give(struct os *os, uint16_t asid) {
    os->asid_used[asid / 8] &= (uint8_t) ~(1u << asid % 8);
}

/* Index of the first process whose id is not below `id`. */
static uint64_t place_of(const struct os *os, uint32_t id) {
    uint64_t lo = 0, hi = os->nprocess;

    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (os->process[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct os_process *os_process_find(struct os *os, uint32_t id) {
    uint64_t at = place_of(os, id);

    return at < os->nprocess && os->process[at]->id == id ? os->process[at] : NULL;
}

static int enlist(struct os *os, struct os_process *p) {
    if (os->nprocess == os->process_room) {
        uint64_t room = os->process_room ? os->process_room * 2 : 16;
        struct os_process **more = realloc(os->process, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        os->process = more;
        os->process_room = room;
    }
    uint64_t at = place_of(os, p->id);
    for (uint64_t i = os->nprocess++; i > at; i--)
        os->process[i] = os->process[i - 1];
    os->process[at] = p;
    return 0;
}

int os_process_new(struct os *os, uint32_t id, struct os_process **out) {
    uint16_t asid;

    if (os_process_find(os, id))
        return -EEXIST;
    int err = asid_take(os, &asid);
    if (err)
        return err;
    struct os_process *p = calloc(1, sizeof(*p));
    err = p ? emt_tdb_create(&p->tdb, os->svc, asid) : -ENOMEM;
    if (err)
        goto fail;
    p->os = os;
    p->id = p->family = id;
    p->limited = id == os->cfg.os.limit_process;
    err = enlist(os, p);
    if (!err) {
        *out = p;
        return 0;
    }
    emt_tdb_destroy(&p->tdb);
fail:
    free(p);
    asid_give(os, asid);
    return err;
}

struct emt_tdb *os_process_tdb(struct os_process *p) {
    return &p->tdb;
}

/* ---- the end ---- */

/* Unmap everything. */
void os_drop_space(struct os_process *p) {
    if (p->os->place.mark.p == p)
        p->os->place.mark.p = NULL; /* a collapse left it for the next fault */
    while (p->vmas.first) {
        struct vma *v = p->vmas.first;

        /* A driver that cannot even unmap has lost the frames: os_verify() will say so. */
        page_zap(p, v->start, v->end);
        space_vma_delete(p, v);
    }
    p->brk_start = p->brk_end = 0;
}

static void end_process(struct os_process *p) {
    struct os *os = p->os;
    uint64_t at = place_of(os, p->id);

    os_drop_space(p);
    emt_tdb_destroy(&p->tdb);
    asid_give(os, p->tdb.asid);
    os->nprocess--;
    for (; at < os->nprocess; at++)
        os->process[at] = os->process[at + 1];
    free(p);
}

void os_exit(struct os_process *p) {
    struct os *os = p->os;

    account_begin(os, OS_EXIT);
    account_cost(os, OS_COST_PROCESS_END, 1);
    end_process(p);
    account_end(os);
}

void os_exec(struct os_process *p) {
    account_begin(p->os, OS_EXEC);
    account_cost(p->os, OS_COST_PROCESS_NEW, 1);
    os_drop_space(p);
    p->family = p->id;
    account_end(p->os);
}

/* ---- fork ---- */

struct copying {
    struct os *os;
    struct emt_tobj last; /* counted for the child; bytes 0: none */
};

static int copy_object(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    struct copying *k = ctx;
    struct os *os = k->os;

    if (!tobj(os, src, EMT_ATTR_PRESENT)) { /* both have it in swap, and the first to write gets a copy */
        *dst = *src;
        swap_get(&os->reclaim->swap, tobj(os, dst, EMT_ATTR_SWAP));
        account_cost(os, OS_COST_PAGE_FORK, 1);
        k->last = *dst;
        return 1;
    }
    /* Also what is read-only already: an object that may be written must be exclusive, whoever writes next. */
    int err = emt_tobj_set(os->svc, src, EMT_ATTR_WRITE, 0);
    if (err)
        return err;
    *dst = *src;
    emt_tobj_set(os->svc, dst, EMT_ATTR_ACCESSED, 0); /* the child has not used it */
    page_get(os, tobj(os, dst, EMT_ATTR_PFN), dst->bytes);
    page_count_mapped(os, dst->bytes, 1);
    account_cost(os, OS_COST_PAGE_FORK, 1);
    k->last = *dst;
    return 1;
}

static int copy_pages(struct os_process *child, struct os_process *parent, const struct vma *v,
                      struct emt_gather *g) {
    struct copying k = {.os = parent->os};
    struct emt_tobj o;
    int err = emt_range_copy(&child->tdb, &parent->tdb, v->start, v->end - v->start, copy_object, &k, g);

    /* The last one was counted, and may not have got its place in the child's tables. */
    if (err && k.last.bytes && emt_tdb_find(&child->tdb, k.last.va, &o)) {
        if (!tobj(k.os, &k.last, EMT_ATTR_PRESENT)) {
            swap_drop(k.os, tobj(k.os, &k.last, EMT_ATTR_SWAP));
            return err;
        }
        page_count_mapped(k.os, k.last.bytes, -1);
        page_put(k.os, tobj(k.os, &k.last, EMT_ATTR_PFN), k.last.bytes);
    }
    return err;
}

static int copy_space(struct os_process *child, struct os_process *parent, struct emt_gather *g) {
    child->brk_start = parent->brk_start;
    child->brk_end = parent->brk_end;
    child->family = parent->family;
    child->limited = parent->limited;
    for (struct vma *v = parent->vmas.first; v; v = v->next) {
        if (v->flags & VMA_DONTFORK)
            continue;
        struct vma *copy = space_vma_new(v, v->start, v->end);
        if (!copy)
            return -ENOMEM;
        vma_insert(&child->vmas, copy);
        account_cost(parent->os, OS_COST_VMA_CHANGE, 1);
        if (v->flags & VMA_WIPEONFORK)
            copy->anon = false;
        if (!copy->anon)
            continue;
        int err = copy_pages(child, parent, v, g);
        if (err)
            return err;
    }
    return 0;
}

static int fork_once(struct os_process *parent, uint32_t child_id, struct os_process **out) {
    struct os_process *child;
    struct emt_gather g;
    int err = os_process_new(parent->os, child_id, &child);

    if (err)
        return err;
    emt_gather_init(&g);
    err = copy_space(child, parent, &g);
    emt_gather_flush(&parent->tdb, &g);
    if (err)
        end_process(child); /* what became read-only in the parent is made writable again by its faults */
    else
        *out = child;
    return err;
}

int os_fork(struct os_process *parent, uint32_t child_id, struct os_process **out) {
    struct os *os = parent->os;
    unsigned tries = 0;

    account_begin(os, OS_FORK);
    account_cost(os, OS_COST_PROCESS_NEW, 1);
    int err = reclaim_before(parent, 1);
    if (!err)
        do
            err = fork_once(parent, child_id, out);
        while (err == -ENOMEM && reclaim_more(parent, &tries));
    account_end(os);
    return err;
}

int os_switch(struct os_process *p, unsigned core) {
    struct os *os = p->os;

    if (emt_tsvc_current(os->svc, core) == &p->tdb)
        return 0;
    account_begin(os, OS_SWITCH);
    account_cost(os, OS_COST_SWITCH, 1);
    int err = emt_tsvc_switch(os->svc, core, &p->tdb);
    os->stats.op[OS_SWITCH].extra_cycles += os->cfg.core.switch_cycles;
    account_end(os);
    return err;
}
