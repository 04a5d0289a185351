/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Translation ranger: Yan et al., "Translation Ranger: Operating System Support for Contiguity-Aware TLBs",
 * ISCA'19. Frames come from the buddy allocator as ever; a daemon then moves them together. Each VMA of private
 * memory has an anchor, an address and a frame, and the page at `va` belongs into frame(anchor) + (va - anchor):
 *
 *     target frame free            migrate: copy, map, flush, free the old frame
 *     target frame another page's  exchange: both contents, both mappings, two flushes
 *     anything else                the page stays where it is, and the run has a hole
 *
 * What can be moved: private pages that one mapping has; not the page cache, tables, shared pages, or a part of a
 * huge page. The anchor of a VMA is chosen like the first placement of CA paging, next fit over free clusters; the
 * paper's daemon anchors at the frame of the first page, but then two VMAs soon want the same frames. The daemon's
 * work counts as if it ran on the program's core (as khugepaged's does).
 */
#include <stdlib.h>

#include "os/contig.h"
#include "os/reclaim.h"

#define BATCH        512u
#define BLOCK_FRAMES (1ull << FRAMES_MAX_ORDER)

/* A mapping that is to point to other frames. */
struct moving {
    struct os_process *p;
    struct emt_tobj o;
    uint64_t pfn;
};

/* ---- moving ---- */

/* The mapping gets frames `to`; flushes. The mapping counts are the caller's. */
static int remap(struct os *os, const struct moving *m, uint64_t to, bool contig) {
    struct emt_tobj o = m->o;
    struct emt_cursor c;
    int err = emt_tobj_set(os->svc, &o, EMT_ATTR_PFN, to);

    if (!err)
        err = emt_cursor_open(&c, &m->p->tdb, o.va, o.va + o.bytes, NULL);
    if (err)
        return err;
    emt_tobj_set(os->svc, &o, EMT_ATTR_CONTIG, contig); /* -EINVAL: the architecture cannot say it */
    if (!emt_cursor_seek(&c, o.va) || c.obj.bytes != o.bytes || tobj(os, &c.obj, EMT_ATTR_PFN) != m->pfn)
        err = -EAGAIN;
    else
        err = emt_cursor_set(&c, &o);
    emt_cursor_close(&c);
    return err;
}

static bool migrate(struct os *os, const struct moving *m, uint64_t to, bool contig) {
    unsigned order = emt_log2(m->o.bytes) - EMT_PAGE_SHIFT;
    struct frame *old = frames_of(os->frames, m->pfn);
    uint64_t pfn = page_alloc_at(os, to, order, old->use, old->flags & FRAME_LIMITED);

    if (pfn == FRAME_NONE)
        return false;
    account_cost(os, OS_COST_MIGRATE, 1);
    frames_of(os->frames, pfn)->owner = old->owner;
    page_copy(os, pfn, m->pfn, m->o.bytes);
    if (remap(os, m, pfn, contig)) {
        page_free(os, pfn);
        return false;
    }
    page_get(os, pfn, m->o.bytes);
    page_put(os, m->pfn, m->o.bytes);
    os->stats.place.migrated_bytes += m->o.bytes;
    return true;
}

/* Is the page at va, frame pfn, where its VMA's anchor wants it? */
static bool in_place(const struct vma *v, uint64_t va, uint64_t pfn) {
    uint64_t end;
    const struct place_record *r = placement_record(v, va, &end);

    return r && (int64_t)(va >> EMT_PAGE_SHIFT) - (int64_t)pfn == r->offset;
}

/* The only mapping of a private frame, which may go elsewhere. false: it is not that simple, or it belongs there:
   two VMAs whose places overlap would drive each other out for ever. */
static bool find_owner(struct os *os, uint64_t pfn, uint64_t bytes, struct moving *out) {
    const struct frame *f = frames_of(os->frames, pfn);

    if (!f || f->order != emt_log2(bytes) - EMT_PAGE_SHIFT || (f->use != OS_USE_4K && f->use != OS_USE_2M) ||
        !page_exclusive(os, pfn, bytes))
        return false;
    for (uint64_t i = 0; i < os->nprocess; i++) {
        struct os_process *p = os->process[i];

        if ((p->family & 0xfffff) != (f->owner & 0xfffff))
            continue;
        for (const struct vma *v = p->vmas.first; v; v = v->next) {
            uint64_t at = (f->owner >> 20) - vma_page(v, v->start);

            if (!vma_private(v) || at >= (v->end - v->start) >> EMT_PAGE_SHIFT)
                continue;
            *out = (struct moving){.p = p, .pfn = pfn};
            emt_range_lock(&p->tdb, v->start + at * PAGE, PAGE);
            bool found = emt_tdb_find(&p->tdb, v->start + at * PAGE, &out->o) == 0 &&
                         tobj(os, &out->o, EMT_ATTR_PRESENT) && tobj(os, &out->o, EMT_ATTR_PFN) == pfn &&
                         out->o.bytes == bytes;
            emt_range_unlock(&p->tdb, v->start + at * PAGE, PAGE);
            if (found)
                return !in_place(v, out->o.va, pfn);
        }
    }
    return false;
}

static bool exchange(struct os *os, const struct moving *m, uint64_t to, bool contig) {
    struct moving other;

    if (!find_owner(os, to, m->o.bytes, &other))
        return false;
    account_cost(os, OS_COST_MIGRATE, 2);
    if (remap(os, m, to, contig))
        return false;
    if (remap(os, &other, m->pfn, false)) {
        struct moving back = {.p = m->p, .o = m->o, .pfn = to};
        emt_tobj_set(os->svc, &back.o, EMT_ATTR_PFN, to);
        remap(os, &back, m->pfn, false);
        return false;
    }
    if (os->reclaim)
        reclaim_exchange(os, m->pfn, to, true);
    struct frame *a = frames_of(os->frames, m->pfn), *b = frames_of(os->frames, to), was = *a;
    *a = *b; /* use and order are equal */
    *b = was;
    if (os->reclaim)
        reclaim_exchange(os, m->pfn, to, false);
    page_swap(os, m->pfn, to, m->o.bytes);
    os->stats.place.exchanged_bytes += m->o.bytes;
    return true;
}

/* ---- the daemon ---- */

static struct place_record *anchor_of(struct os *os, struct vma *v) {
    uint64_t end, block, blocks, from = round_down(v->start, max_u64(os->huge_bytes, PAGE));
    struct place_record *r = placement_record(v, v->start, &end);

    if (r)
        return r;
    struct contig *map = frames_contig_of(os->frames, os->node);
    account_cost(os, OS_COST_PLACE_SEARCH, 1);
    if (!contig_place(map, (((v->end - from) >> EMT_PAGE_SHIFT) + BLOCK_FRAMES - 1) / BLOCK_FRAMES, &block,
                      &blocks)) {
        os->stats.place.no_cluster++;
        return NULL;
    }
    os->stats.place.placements++;
    uint64_t pfn = frames_node_start(os->frames, os->node) + block * BLOCK_FRAMES;
    return placement_add(v, v->start, (int64_t)(from >> EMT_PAGE_SHIFT) - (int64_t)pfn);
}

/* Is it still where it was? An exchange since may have moved it, into place perhaps. */
static bool refresh(struct os *os, struct moving *m, int64_t offset) {
    uint64_t va = m->o.va;

    emt_range_lock(&m->p->tdb, va, PAGE);
    bool found = emt_tdb_find(&m->p->tdb, va, &m->o) == 0 && m->o.va == va && tobj(os, &m->o, EMT_ATTR_PRESENT);
    emt_range_unlock(&m->p->tdb, va, PAGE);
    if (!found)
        return false;
    m->pfn = tobj(os, &m->o, EMT_ATTR_PFN);
    return (int64_t)(va >> EMT_PAGE_SHIFT) - (int64_t)m->pfn != offset;
}

static void move(struct os *os, struct place_record *r, struct moving *m) {
    if (!refresh(os, m, r->offset))
        return;
    int64_t to = (int64_t)(m->o.va >> EMT_PAGE_SHIFT) - r->offset;
    uint64_t n = m->o.bytes >> EMT_PAGE_SHIFT;
    const struct frame *f = frames_of(os->frames, m->pfn);
    bool contig = os->cfg.os.contig_pages && r->pages + n >= os->cfg.os.contig_pages;

    /* A huge mapping of frames that were split once has a record for each. */
    if (to < 0 || (uint64_t)to + n > frames_total(os->frames) || (uint64_t)to & (n - 1) || !f ||
        f->use == OS_USE_FILE || f->order != emt_log2(n) || !page_exclusive(os, m->pfn, m->o.bytes) ||
        !(migrate(os, m, (uint64_t)to, contig) || exchange(os, m, (uint64_t)to, contig))) {
        os->stats.place.unmovable_pages += n;
        return;
    }
    r->pages += n;
}

/* Pages of [va, end) that are not where they belong; at most BATCH. *next: where to go on. Returns pages looked at.
 */
static uint64_t collect(struct os_process *p, const struct place_record *r, uint64_t va, uint64_t end,
                        struct moving *list, unsigned *n, uint64_t *next) {
    struct os *os = p->os;
    struct emt_cursor c;
    uint64_t looked = 0;

    *n = 0;
    *next = end;
    if (emt_cursor_open(&c, &p->tdb, va, end, NULL))
        return 0;
    while (*n < BATCH && emt_cursor_next(&c)) {
        uint64_t pfn = tobj(os, &c.obj, EMT_ATTR_PFN);

        looked++;
        account_cost(os, OS_COST_SCAN_PAGE, 1);
        if (tobj(os, &c.obj, EMT_ATTR_PRESENT) && !page_is_zero(os, pfn) &&
            (int64_t)(c.obj.va >> EMT_PAGE_SHIFT) - (int64_t)pfn != r->offset)
            list[(*n)++] = (struct moving){.p = p, .o = c.obj, .pfn = pfn};
        *next = c.obj.va + c.obj.bytes;
    }
    if (*n < BATCH)
        *next = end;
    emt_cursor_close(&c);
    return looked;
}

/* The next VMA with private memory at or after (tick_process, tick_va); NULL: once around. */
static struct os_process *next_vma(struct os *os, struct vma **v) {
    struct place_state *s = &os->place;

    for (uint64_t i = 0; i < os->nprocess; i++) {
        struct os_process *p = os->process[i];

        if (p->id < s->tick_process)
            continue;
        for (*v = vma_find(&p->vmas, p->id == s->tick_process ? s->tick_va : 0); *v; *v = (*v)->next)
            if ((*v)->anon && !(*v)->file)
                return p;
    }
    return NULL;
}

/* One waking of the daemon: as many objects as it may look at, or once through everything. */
static void wake(struct os *os, struct moving *list) {
    struct place_state *s = &os->place;
    uint64_t budget = os->cfg.os.ranger_pages;

    account_begin(os, OS_RANGER);
    while (budget) {
        struct vma *v;
        struct os_process *p = next_vma(os, &v);
        unsigned n;

        if (!p) {
            s->tick_process = 0;
            s->tick_va = 0;
            break;
        }
        uint64_t start = p->id == s->tick_process ? max_u64(v->start, s->tick_va) : v->start, next = v->end;
        struct place_record *r = anchor_of(os, v);
        uint64_t looked = r ? collect(p, r, start, v->end, list, &n, &next) : 0;
        for (unsigned i = 0; r && i < n; i++)
            move(os, r, &list[i]);
        s->tick_process = p->id;
        s->tick_va = next;
        budget -= min_u64(budget, max_u64(looked, 1));
    }
    account_end(os);
}

static void ranger_tick(struct os *os, uint64_t instructions) {
    struct place_state *s = &os->place;
    uint64_t period = os->cfg.os.ranger_every_instructions;

    if (os->caps.places) /* frames are the architecture's choice */
        return;
    if (!s->next_tick)
        s->next_tick = period;
    if (s->next_tick > instructions)
        return;
    struct moving *list = malloc(BATCH * sizeof(*list));
    if (list) {
        wake(os, list);
        free(list);
    }
    s->next_tick = instructions - instructions % period + period;
}

const struct placement placement_ranger = {.name = "ranger", .tick = ranger_tick};
