/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What all placement policies share: records of VMAs, and the mark on pages of large runs. See placement.h. */
#include "os/placement.h"

#include <stdlib.h>
#include <string.h>

#include "os/contig.h"
#include "os/internal.h"

int placement_init(struct os *os) {
    static const struct placement *const policies[] = {[CFG_PLACEMENT_DEFAULT] = NULL,
                                                       [CFG_PLACEMENT_CA] = &placement_ca,
                                                       [CFG_PLACEMENT_EAGER] = &placement_eager,
                                                       [CFG_PLACEMENT_RANGER] = &placement_ranger};

    os->place.policy = policies[os->cfg.os.placement];
    os->place.contig_pfn = FRAME_NONE;
    return os->place.policy ? frames_contig(os->frames) : 0;
}

uint64_t placement_frame(struct os_process *p, uint64_t va, unsigned order, enum os_use use) {
    struct os *os = p->os;

    os->place.contig_pfn = FRAME_NONE;
    if (!os->place.policy->frame)
        return FRAME_NONE;
    struct vma *v = vma_at(&p->vmas, va);
    return v ? os->place.policy->frame(p, v, va, order, use) : FRAME_NONE;
}

void placement_charge(struct os *os) {
    uint64_t sum = 0;

    if (!os->place.policy)
        return;
    for (unsigned n = 0; n < os->cfg.memory.nodes; n++)
        sum += contig_updates(frames_contig_of(os->frames, (int)n));
    account_cost(os, OS_COST_MAP_UPDATE, sum - os->place.map_updates);
    os->place.map_updates = sum;
}

void placement_mapped(struct os_process *p, uint64_t start, uint64_t end) {
    if (p->os->place.policy && p->os->place.policy->mapped)
        p->os->place.policy->mapped(p, start, end);
}

void placement_tick(struct os *os, uint64_t instructions) {
    if (os->place.policy && os->place.policy->tick)
        os->place.policy->tick(os, instructions);
}

/* ---- records ---- */

struct place_record *placement_record(const struct vma *v, uint64_t va, uint64_t *end) {
    struct place_record *below = NULL, *above = NULL;

    for (unsigned i = 0; v->place && i < v->place->n; i++) {
        struct place_record *r = &v->place->rec[i];

        if (r->start <= va && (!below || r->start > below->start))
            below = r;
        else if (r->start > va && (!above || r->start < above->start))
            above = r;
    }
    *end = above && above->start < v->end ? above->start : v->end;
    return below ? below : above;
}

struct place_record *placement_add(struct vma *v, uint64_t start, int64_t offset) {
    if (!v->place)
        v->place = calloc(1, sizeof(*v->place));
    if (!v->place)
        return NULL;
    struct place_records *all = v->place;
    struct place_record *r = &all->rec[all->next];
    all->next = (all->next + 1) % PLACE_RECORDS;
    all->n += all->n < PLACE_RECORDS;
    *r = (struct place_record){.start = start, .offset = offset};
    return r;
}

static void carry(struct vma *to, const struct place_record *r, int64_t shift) {
    int64_t pages = shift >> EMT_PAGE_SHIFT;
    struct place_record *copy = placement_add(to, r->start + (uint64_t)shift, r->offset + pages);

    if (!copy)
        return;
    copy->pages = r->pages;
    copy->low = r->low + (uint64_t)pages;
    copy->high = r->high + (uint64_t)pages;
}

void placement_copy(struct vma *to, const struct vma *from, int64_t shift) {
    for (unsigned i = 0; from->place && i < from->place->n; i++)
        carry(to, &from->place->rec[i], shift);
}

void placement_join(struct vma *to, const struct vma *from) {
    for (unsigned i = 0; from->place && i < from->place->n; i++) {
        const struct place_record *r = &from->place->rec[i];
        bool known = false;

        /* Halves of one VMA have the same records. */
        for (unsigned k = 0; to->place && k < to->place->n && !known; k++)
            known = to->place->rec[k].start == r->start && to->place->rec[k].offset == r->offset;
        if (!known)
            carry(to, r, 0);
    }
}

void placement_free(struct vma *v) {
    free(v->place);
    v->place = NULL;
}

/* ---- large runs ---- */

/*
 * What has one offset is one run to hardware that predicts offsets, holes or not (SpOT). When the pages of a record
 * have become as many as the threshold, those mapped before are marked too.
 */
void placement_placed(struct os_process *p, const struct vma *v, struct place_record *r, uint64_t pfn,
                      unsigned order) {
    struct place_state *s = &p->os->place;
    uint64_t n = 1ull << order, before = r->pages, least = p->os->cfg.os.contig_pages;
    uint64_t page = (uint64_t)((int64_t)pfn + r->offset);

    r->low = before ? min_u64(r->low, page) : page;
    r->high = before ? max_u64(r->high, page + n - 1) : page + n - 1;
    r->pages += n;
    if (!least || r->pages < least)
        return;
    s->contig_pfn = pfn;
    if (before && before < least) {
        s->mark.p = p;
        s->mark.start = max_u64(v->start, r->low << EMT_PAGE_SHIFT);
        s->mark.end = min_u64(v->end, (r->high + 1) << EMT_PAGE_SHIFT);
        s->mark.offset = r->offset;
    }
}

void placement_mark(struct os *os) {
    struct place_state *s = &os->place;
    struct os_process *p = s->mark.p;
    struct emt_cursor c;

    s->mark.p = NULL;
    if (!p || emt_cursor_open(&c, &p->tdb, s->mark.start, s->mark.end, NULL))
        return;
    while (emt_cursor_next(&c)) {
        struct emt_tobj o = c.obj;
        uint64_t pfn = tobj(os, &o, EMT_ATTR_PFN);

        if (!tobj(os, &o, EMT_ATTR_PRESENT) || tobj(os, &o, EMT_ATTR_CONTIG) ||
            (int64_t)(o.va >> EMT_PAGE_SHIFT) - (int64_t)pfn != s->mark.offset)
            continue;
        account_cost(os, OS_COST_PAGE_CHANGE, 1);
        if (emt_tobj_set(os->svc, &o, EMT_ATTR_CONTIG, 1) || emt_cursor_set(&c, &o))
            break; /* only a hint */
    }
    emt_cursor_close(&c);
}
