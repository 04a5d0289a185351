/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Transparent huge pages: mapped on a fault, collapsed by khugepaged, split when a part of one must change. Only
 * private anonymous memory has them, as in Linux without the mount options of shmem. A read fault maps one huge
 * page of zeroes; a write to it splits it and gives the small page a frame, as Linux 6.1 does.
 *
 * What differs from Linux: a huge page that loses a part is split at once and that part's frames are free at once
 * (Linux splits the mapping, and the page itself only under memory pressure).
 */
#include <stdlib.h>

#include "os/reclaim.h"

bool thp_allowed(const struct os *os, const struct vma *v) {
    if (v->file || v->flags & VMA_NOHUGE)
        return false;
    if (v->flags & VMA_HUGETLB)
        return true;
    return os->cfg.os.thp == CFG_THP_ALWAYS || (os->cfg.os.thp == CFG_THP_MADVISE && (v->flags & VMA_HUGE));
}

/* ---- on a fault ---- */

static uint64_t huge_zero(struct os_process *p, uint64_t va) {
    struct os *os = p->os;

    if (os->huge_zero_pfn == FRAME_NONE) {
        uint64_t pfn = page_alloc_anywhere(p, va, os->huge_bytes, OS_USE_2M);
        if (pfn == FRAME_NONE)
            return FRAME_NONE;
        page_clear(os, pfn, os->huge_bytes);
        reclaim_never(os, pfn);
        os->huge_zero_pfn = pfn;
    }
    return os->huge_zero_pfn;
}

int thp_fault(struct os_process *p, struct emt_cursor *c, struct vma *v, uint64_t va, bool write, enum os_op *op) {
    struct os *os = p->os;
    uint64_t base = round_down(va, os->huge_bytes);
    bool zero = !write && os->cfg.os.zero_page;
    bool room = reclaim_allows(p, os->huge_bytes >> EMT_PAGE_SHIFT); /* nothing is reclaimed for a huge page */
    uint64_t pfn = FRAME_NONE;

    if (room || (zero && os->huge_zero_pfn != FRAME_NONE))
        pfn = zero ? huge_zero(p, base) : page_alloc(p, base, os->huge_bytes, OS_USE_2M);

    if (pfn == FRAME_NONE) {
        os->stats.huge_fallbacks++;
        return 1;
    }
    if (!zero) {
        frames_of(os->frames, pfn)->owner = vma_page(v, base) << 20 | (p->family & 0xfffff);
        page_clear(os, pfn, os->huge_bytes);
    }
    if (page_map(p, c, v, base, pfn, os->huge_bytes, !zero && (v->prot & ABI_PROT_WRITE))) {
        if (!zero)
            page_free(os, pfn);
        os->stats.huge_fallbacks++;
        return 1;
    }
    if (!zero)
        v->anon = true;
    *op = zero ? OS_FAULT_ZERO : OS_FAULT_HUGE;
    return 0;
}

/* ---- split ---- */

/* The object that answers for va; bytes 0: none. */
static struct emt_tobj object_at(struct os_process *p, uint64_t va) {
    struct emt_tobj o;

    emt_range_lock(&p->tdb, va, PAGE);
    if (emt_tdb_find(&p->tdb, va, &o))
        o.bytes = 0;
    emt_range_unlock(&p->tdb, va, PAGE);
    return o;
}

/* One huge allocation becomes small ones, each with its own owner. Other huge mappings of it stay as they are. */
static int split_frames(struct os *os, uint64_t pfn, uint64_t n) {
    if (page_is_zero(os, pfn) || frames_of(os->frames, frames_head(os->frames, pfn))->order == 0)
        return 0;
    if (os->reclaim)
        reclaim_split_begin(os, pfn);
    int err = frames_split(os->frames, pfn);
    if (err)
        return err;
    for (uint64_t i = 0; i < n; i++) {
        struct frame *f = frames_of(os->frames, pfn + i);
        f->use = OS_USE_4K;
        f->owner += i << 20;
    }
    if (os->reclaim)
        reclaim_split_end(os, pfn, n);
    return 0;
}

static int split_object(struct os_process *p, const struct emt_tobj *o) {
    struct os *os = p->os;
    uint64_t n = o->bytes >> EMT_PAGE_SHIFT;
    struct emt_gather g;
    int err = split_frames(os, tobj(os, o, EMT_ATTR_PFN), n);

    if (err)
        return err;
    emt_gather_init(&g);
    err = emt_huge_split(&p->tdb, o->va, PAGE, &g);
    emt_gather_flush(&p->tdb, &g);
    if (err)
        return err;
    page_count_mapped(os, o->bytes, -1);
    page_count_mapped(os, PAGE, (int64_t)n);
    account_cost(os, OS_COST_SPLIT, 1);
    os->stats.huge_splits++;
    return 0;
}

int thp_split(struct os_process *p, uint64_t va) {
    struct emt_tobj o = object_at(p, va);

    return o.bytes > PAGE ? split_object(p, &o) : 0;
}

int thp_split_across(struct os_process *p, uint64_t at) {
    if (!p->os->huge_bytes || !(at & (p->os->huge_bytes - 1)))
        return 0;
    struct emt_tobj o = object_at(p, at);
    return o.bytes > PAGE && o.va < at ? split_object(p, &o) : 0;
}

/* ---- collapse ---- */

/* What a range holds, as far as collapsing it matters. */
struct scan {
    unsigned pages, none, accessed, writable;
    bool huge, unfit;
    struct emt_tobj *old; /* its objects */
};

static void scan_range(struct os_process *p, uint64_t base, struct scan *s) {
    struct os *os = p->os;
    struct emt_cursor c;
    unsigned all = 1u << os->huge_order;

    s->unfit = emt_cursor_open(&c, &p->tdb, base, base + os->huge_bytes, NULL) != 0;
    if (s->unfit)
        return;
    while (emt_cursor_next(&c)) {
        uint64_t pfn = tobj(os, &c.obj, EMT_ATTR_PFN);

        if (c.obj.bytes != PAGE) {
            s->huge = true;
            break;
        }
        s->old[s->pages++] = c.obj;
        if (!tobj(os, &c.obj, EMT_ATTR_PRESENT)) { /* in swap */
            s->unfit = true;
            break;
        }
        if (page_is_zero(os, pfn)) {
            s->none++;
            continue;
        }
        s->accessed += tobj(os, &c.obj, EMT_ATTR_ACCESSED) != 0;
        s->writable += tobj(os, &c.obj, EMT_ATTR_WRITE) != 0;
        if (!page_exclusive(os, pfn, PAGE)) {
            s->unfit = true;
            break;
        }
    }
    emt_cursor_close(&c);
    s->none += all - s->pages;
}

/* Contents of the old pages, and zeroes between them. */
static void fill_huge(struct os *os, uint64_t pfn, uint64_t base, const struct scan *s) {
    uint64_t next = base;

    for (unsigned i = 0; i < s->pages; i++) {
        const struct emt_tobj *o = &s->old[i];
        uint64_t from = tobj(os, o, EMT_ATTR_PFN);

        if (page_is_zero(os, from))
            continue;
        if (o->va > next)
            page_clear(os, pfn + ((next - base) >> EMT_PAGE_SHIFT), o->va - next);
        page_copy(os, pfn + ((o->va - base) >> EMT_PAGE_SHIFT), from, PAGE);
        next = o->va + PAGE;
    }
    if (next < base + os->huge_bytes)
        page_clear(os, pfn + ((next - base) >> EMT_PAGE_SHIFT), base + os->huge_bytes - next);
}

/* A collapse that ran out of table memory may have removed some objects: their tables are free again by now. */
static void restore(struct os_process *p, uint64_t base, const struct scan *s) {
    struct emt_tobj now;

    emt_range_lock(&p->tdb, base, p->os->huge_bytes);
    for (unsigned i = 0; i < s->pages; i++)
        if (emt_tdb_find(&p->tdb, s->old[i].va, &now))
            emt_tdb_update(&p->tdb, &s->old[i]);
    emt_range_unlock(&p->tdb, base, p->os->huge_bytes);
}

/* Put the huge object in place of the small ones, whose frames go. */
static int replace(struct os_process *p, const struct vma *v, uint64_t base, uint64_t pfn, const struct scan *s) {
    struct os *os = p->os;
    struct emt_tobj huge;
    struct emt_gather g;
    int err =
        emt_tobj_init(os->svc, &huge, base, pfn, os->huge_bytes, page_prot(v, (v->prot & ABI_PROT_WRITE) != 0));

    if (err)
        return err;
    emt_tobj_set(os->svc, &huge, EMT_ATTR_ACCESSED, 1);
    if (v->prot & ABI_PROT_WRITE)
        emt_tobj_set(os->svc, &huge, EMT_ATTR_DIRTY, 1);
    emt_gather_init(&g);
    err = emt_huge_collapse(&p->tdb, &huge, &g);
    emt_gather_flush(&p->tdb, &g);
    if (err) {
        restore(p, base, s);
        return err;
    }
    page_get(os, pfn, os->huge_bytes);
    page_count_mapped(os, os->huge_bytes, 1);
    page_count_mapped(os, PAGE, -(int64_t)s->pages);
    for (unsigned i = 0; i < s->pages; i++)
        page_put(os, tobj(os, &s->old[i], EMT_ATTR_PFN), PAGE);
    return 0;
}

int thp_collapse(struct os_process *p, const struct vma *v, uint64_t base, bool eager, unsigned *looked) {
    struct os *os = p->os;
    unsigned all = 1u << os->huge_order, most_none = min_u64(os->cfg.os.max_ptes_none, all - 1);
    struct scan s = {.old = malloc(all * sizeof(*s.old))};
    int err = -EAGAIN;

    if (!s.old)
        return -ENOMEM;
    scan_range(p, base, &s);
    *looked = s.pages ? s.pages : 1;
    account_cost(os, OS_COST_SCAN_PAGE, *looked);
    if (s.huge && !s.unfit)
        err = 0;
    if (s.huge || s.unfit || s.none == all || (!eager && (s.none > most_none || !s.accessed || !s.writable)))
        goto out;
    os->node = frames_node(os->frames, tobj(os, &s.old[0], EMT_ATTR_PFN));
    err = -ENOMEM;
    uint64_t pfn = FRAME_NONE;
    os->place.keep_records = true;
    if (reclaim_allows(p, all))
        pfn = page_alloc(p, base, os->huge_bytes, OS_USE_2M);
    os->place.keep_records = false;
    if (pfn == FRAME_NONE)
        goto out;
    frames_of(os->frames, pfn)->owner = vma_page(v, base) << 20 | (p->family & 0xfffff);
    fill_huge(os, pfn, base, &s);
    account_cost(os, OS_COST_COLLAPSE, 1);
    err = replace(p, v, base, pfn, &s);
    if (err)
        page_free(os, pfn);
    else
        os->stats.huge_collapses++;
out:
    free(s.old);
    return err;
}

/* ---- khugepaged ---- */

/* The next aligned range at or after (scan_process, scan_va); a full round ends with NULL. */
static struct os_process *next_candidate(struct os *os, struct vma **v, uint64_t *base) {
    for (uint64_t i = 0; i < os->nprocess; i++) {
        struct os_process *p = os->process[i];

        if (p->id < os->scan_process)
            continue;
        uint64_t from = p->id == os->scan_process ? os->scan_va : 0;
        for (*v = vma_find(&p->vmas, from); *v; *v = (*v)->next) {
            *base = round_up(max_u64((*v)->start, from), os->huge_bytes);
            if ((*v)->anon && (*v)->prot && thp_allowed(os, *v) && *base < (*v)->end &&
                (*v)->end - *base >= os->huge_bytes && emt_huge_possible(&p->tdb, *base, os->huge_bytes))
                return p;
        }
    }
    return NULL;
}

/* One waking of khugepaged. Returns whether there was anything to look at. */
static bool scan_once(struct os *os) {
    uint64_t budget = os->cfg.os.scan_pages;
    unsigned restarts = 0;
    bool any = false;

    account_begin(os, OS_KHUGEPAGED);
    while (budget) {
        struct vma *v;
        uint64_t base;
        unsigned looked = 1;
        struct os_process *p = next_candidate(os, &v, &base);

        if (!p) {
            os->scan_process = 0;
            os->scan_va = 0;
            if (restarts++)
                break; /* once around is enough */
            continue;
        }
        any = true;
        os->scan_process = p->id;
        os->scan_va = base + os->huge_bytes;
        if (emt_range_void(&p->tdb, base, os->huge_bytes))
            account_cost(os, OS_COST_SCAN_PAGE, 1);
        else
            thp_collapse(p, v, base, false, &looked); /* what does not fit now is looked at again next time */
        budget -= min_u64(budget, looked);
    }
    account_end(os);
    return any;
}

void os_tick(struct os *os, uint64_t instructions) {
    uint64_t period = os->cfg.os.scan_every_instructions;

    placement_tick(os, instructions);
    reclaim_tick(os, instructions);
    if (!os->cfg.os.khugepaged || !os->huge_bytes || !period)
        return;
    if (!os->next_scan)
        os->next_scan = period;
    while (os->next_scan <= instructions) {
        os->next_scan += period;
        if (!scan_once(os) && os->next_scan <= instructions)
            os->next_scan += (instructions - os->next_scan) / period * period; /* asleep */
    }
}
