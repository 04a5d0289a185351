/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Eager paging: Karakostas et al., "Redundant Memory Mappings for Fast Access to Large Memories", ISCA'15. Private
 * writable memory gets its frames when it is mapped, not when it is touched, in free blocks that are as large as
 * possible: powers of two, aligned, the largest first. What the program never touches is allocated all the same.
 *
 *     mmap(11 MiB)   [8 MiB block][2 MiB][1 MiB]
 *
 * The pages of a block are mapped by the way of MAP_POPULATE, a page at a time, without A and D: hardware sets them
 * at the first touch, so that the bloat can be measured. Hardware with ranges marks nothing (emt_caps.ranges):
 * there both are set beforehand. Files stay on demand.
 */
#include "os/internal.h"

/* Free frames on the node of the core that runs, else on any. */
static uint64_t find_block(const struct os *os, unsigned order) {
    uint64_t pfn = frames_peek(os->frames, order, os->node);

    for (unsigned n = 0; pfn == FRAME_NONE && n < os->cfg.memory.nodes; n++)
        pfn = frames_peek(os->frames, order, (int)n);
    return pfn;
}

/* One block for what begins at va, [va, end) being unmapped; *cap: the largest order that may still be found.
   Returns where the block ends, or 0: no memory. */
static uint64_t place_block(struct os *os, struct vma *v, uint64_t va, uint64_t end, unsigned *cap) {
    uint64_t stop = end;

    /* Huge pages need aligned addresses: what comes before is filled in smaller pieces. */
    if (os->huge_bytes && thp_allowed(os, v) && va & (os->huge_bytes - 1))
        stop = min_u64(stop, round_up(va, os->huge_bytes));
    unsigned order = 63 - (unsigned)__builtin_clzll((stop - va) >> EMT_PAGE_SHIFT);
    account_cost(os, OS_COST_PLACE_SEARCH, 1);
    for (order = order < *cap ? order : *cap;; order--) {
        uint64_t pfn = find_block(os, order);

        if (pfn != FRAME_NONE) {
            os->stats.place.placements++;
            if (!placement_add(v, va, (int64_t)(va >> EMT_PAGE_SHIFT) - (int64_t)pfn))
                return 0;
            return va + (PAGE << order);
        }
        *cap = order ? order - 1 : 0; /* while we only allocate, none will appear */
        if (!order)
            return 0;
    }
}

/* Linux keeps a part of memory free for its own needs; without, tables could not be had (assumed: 1/64). */
static bool enough(const struct os *os) {
    return frames_free_total(os->frames) > frames_total(os->frames) / 64;
}

static void fill(struct os_process *p, struct vma *v, uint64_t start, uint64_t end) {
    struct os *os = p->os;
    unsigned cap = os->cfg.os.eager_max_order;

    for (uint64_t va = start, stop; va < end && enough(os); va = stop) {
        stop = place_block(os, v, va, end, &cap);
        if (!stop || fault_populate(p, va, stop, true))
            return; /* the rest comes on demand, or fails then */
    }
}

static void eager_mapped(struct os_process *p, uint64_t start, uint64_t end) {
    struct os *os = p->os;

    if (os->place.filling)
        return;
    os->place.filling = true;
    for (struct vma *v = vma_overlap(&p->vmas, start, end); v && v->start < end; v = v->next)
        if (!v->file && v->prot & ABI_PROT_WRITE) {
            fill(p, v, max_u64(v->start, start), min_u64(v->end, end));
            if (p->killed)
                break; /* and v is gone */
        }
    os->place.filling = false;
}

static uint64_t eager_frame(struct os_process *p, struct vma *v, uint64_t va, unsigned order, enum os_use use) {
    struct os *os = p->os;
    uint64_t end, page = va >> EMT_PAGE_SHIFT;
    struct place_record *r = use == OS_USE_FILE ? NULL : placement_record(v, va, &end);
    int64_t target = r ? (int64_t)page - r->offset : -1;
    uint64_t pfn =
        target < 0 ? FRAME_NONE : frames_alloc_at(os->frames, (uint64_t)target, order, FRAME_MOVABLE, use);

    if (pfn == FRAME_NONE) {
        os->stats.place.busy += r != NULL;
        return FRAME_NONE;
    }
    os->stats.place.hits++;
    os->stats.place.eager_bytes += os->place.filling ? PAGE << order : 0;
    placement_placed(p, v, r, pfn, order);
    return pfn;
}

const struct placement placement_eager = {.name = "eager", .frame = eager_frame, .mapped = eager_mapped};
