/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Frames behind mappings: placed, counted, cleared, copied, given back.
 *
 * struct frame, as the OS uses it:
 *   maps   how many objects map it. A huge allocation counts huge objects; once any of them is split, its 512
 * frames have a record each, and an object that is still huge counts once in every one of them. owner  private
 * memory: index << 20 | family, where index is vma_page(): all mappings are found among the VMAs of the family's
 * processes that show this index. File pages: serial << 40 | page.
 */
#include "os/reclaim.h"

/* ---- allocation ---- */

static unsigned count_free(void *ctx, uint64_t pfn, unsigned n) {
    const struct os *os = ctx;

    return frames_free_in(os->frames, pfn, n);
}

uint64_t page_alloc_in_run(struct os *os, const struct emt_place *place, unsigned run, unsigned order,
                           enum os_use use) {
    uint64_t n = 1ull << order, first = round_up(place->run[run].pfn, n);
    uint64_t end = place->run[run].pfn + place->run[run].frames, pieces = end > first ? (end - first) / n : 0;

    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t pfn = first + (place->turn + i) % pieces * n;
        uint64_t got = frames_alloc_at(os->frames, pfn, order, FRAME_MOVABLE, use);
        if (got != FRAME_NONE)
            return got;
    }
    return FRAME_NONE;
}

/* A free aligned piece of the first run that has one. */
static uint64_t from_candidates(struct os *os, const struct emt_place *place, unsigned order, enum os_use use) {
    uint64_t pfn = FRAME_NONE;

    for (unsigned i = 0; i < place->runs && pfn == FRAME_NONE; i++)
        pfn = page_alloc_in_run(os, place, i, order, use);
    return pfn;
}

/* What the architecture says of the frames for va. false: nothing. true: *pfn is its answer, which may be that
   there are none. */
static bool alloc_by_architecture(struct os_process *p, uint64_t va, unsigned order, enum os_use use,
                                  uint64_t *pfn) {
    struct os *os = p->os;
    struct emt_place place;
    struct emt_place_query query = {.va = va,
                                    .bytes = PAGE << order,
                                    .asid = p->tdb.asid,
                                    .node = os->node,
                                    .free_frames = count_free,
                                    .ctx = os};

    emt_tdb_place(&p->tdb, &query, &place);
    *pfn = FRAME_NONE;
    if (place.kind == EMT_PLACE_ANY)
        return false;
    if (place.kind == EMT_PLACE_REQUIRE && order == 0 && os->reclaim && os->reclaim->horizon) {
        *pfn = reclaim_place(os, &place, use);
        return true;
    }
    *pfn = from_candidates(os, &place, order, use);
    if (*pfn == FRAME_NONE && place.kind == EMT_PLACE_REQUIRE && order == 0 && os->reclaim) {
        os->reclaim->conflict = true;
        os->stats.reclaim.conflicts++;
    }
    return *pfn != FRAME_NONE || place.kind == EMT_PLACE_REQUIRE;
}

/* The architecture first, then the placement policy, then whatever is free. */
static uint64_t alloc_placed(struct os_process *p, uint64_t va, unsigned order, enum os_use use) {
    struct os *os = p->os;
    uint64_t pfn = FRAME_NONE;

    if (os->caps.places && alloc_by_architecture(p, va, order, use, &pfn))
        return pfn;
    if (os->place.policy)
        pfn = placement_frame(p, va, order, use);
    if (pfn == FRAME_NONE)
        pfn = frames_alloc(os->frames, order, os->node, FRAME_MOVABLE, use);
    placement_charge(os);
    return pfn;
}

static uint64_t allocated(struct os *os, uint64_t pfn, unsigned order, bool limited) {
    if (pfn == FRAME_NONE)
        return FRAME_NONE;
    os->user_frames += 1ull << order;
    os->stats.resident_peak_bytes = max_u64(os->stats.resident_peak_bytes, os->user_frames * PAGE);
    if (os->reclaim)
        reclaim_added(os, pfn, limited);
    return pfn;
}

uint64_t page_alloc(struct os_process *p, uint64_t va, uint64_t bytes, enum os_use use) {
    struct os *os = p->os;
    unsigned order = emt_log2(bytes) - EMT_PAGE_SHIFT;

    account_cost(os, OS_COST_FRAME_ALLOC, 1);
    uint64_t pfn = os->caps.places || os->place.policy
                       ? alloc_placed(p, va, order, use)
                       : frames_alloc(os->frames, order, os->node, FRAME_MOVABLE, use);
    return allocated(os, pfn, order, p->limited);
}

uint64_t page_alloc_anywhere(struct os_process *p, uint64_t va, uint64_t bytes, enum os_use use) {
    struct os *os = p->os;
    unsigned order = emt_log2(bytes) - EMT_PAGE_SHIFT;
    uint64_t pfn;

    account_cost(os, OS_COST_FRAME_ALLOC, 1);
    if (!os->caps.places || !alloc_by_architecture(p, va, order, use, &pfn))
        pfn = frames_alloc(os->frames, order, os->node, FRAME_MOVABLE, use);
    placement_charge(os);
    return allocated(os, pfn, order, p->limited);
}

uint64_t page_alloc_at(struct os *os, uint64_t pfn, unsigned order, enum os_use use, bool limited) {
    account_cost(os, OS_COST_FRAME_ALLOC, 1);
    pfn = frames_alloc_at(os->frames, pfn, order, FRAME_MOVABLE, use);
    placement_charge(os);
    return allocated(os, pfn, order, limited);
}

void page_free(struct os *os, uint64_t pfn) {
    struct frame *f = frames_of(os->frames, pfn);
    unsigned order = f->order;

    account_cost(os, OS_COST_FRAME_FREE, 1);
    content_set(os, pfn, PAGE << order, CONTENT_FREED);
    os->user_frames -= 1ull << order;
    if (os->reclaim)
        reclaim_forget(os, pfn, f);
    frames_free(os->frames, pfn);
    placement_charge(os);
}

void page_clear(struct os *os, uint64_t pfn, uint64_t bytes) {
    account_cost(os, OS_COST_CLEAR_KIB, bytes >> 10);
    os->stats.pages_zeroed_bytes += bytes;
    emt_host_touch(os->host, pfn << EMT_PAGE_SHIFT, bytes, true);
    content_set(os, pfn, bytes, 0);
}

void page_copy(struct os *os, uint64_t dst, uint64_t src, uint64_t bytes) {
    account_cost(os, OS_COST_COPY_KIB, bytes >> 10);
    os->stats.pages_copied_bytes += bytes;
    emt_host_touch(os->host, src << EMT_PAGE_SHIFT, bytes, false);
    emt_host_touch(os->host, dst << EMT_PAGE_SHIFT, bytes, true);
    content_copy(os, dst, src, bytes);
}

void page_swap(struct os *os, uint64_t a, uint64_t b, uint64_t bytes) {
    account_cost(os, OS_COST_COPY_KIB, 2 * bytes >> 10);
    os->stats.pages_copied_bytes += 2 * bytes;
    content_swap(os, a, b, bytes);
}

/* ---- who maps a frame ---- */

bool page_is_zero(const struct os *os, uint64_t pfn) {
    return pfn == os->zero_pfn ||
           (os->huge_zero_pfn != FRAME_NONE && round_down(pfn, 1ull << os->huge_order) == os->huge_zero_pfn);
}

/* Does an entry for swap somewhere show what this frame shows? */
static bool also_in_swap(const struct os *os, uint64_t pfn, const struct frame *f) {
    const struct reclaim *r = os->reclaim;

    return (f->flags & FRAME_CACHED) && r->swap.count[r->swap.slot[pfn]];
}

/* Is the mapping of `bytes` at pfn counted in one record, or in one for each frame? */
static bool one_record(const struct os *os, uint64_t pfn, uint64_t bytes) {
    return bytes == PAGE || frames_of(os->frames, frames_head(os->frames, pfn))->order != 0;
}

void page_get(struct os *os, uint64_t pfn, uint64_t bytes) {
    if (page_is_zero(os, pfn))
        return;
    uint64_t n = one_record(os, pfn, bytes) ? 1 : bytes >> EMT_PAGE_SHIFT;
    for (uint64_t i = 0; i < n; i++)
        frames_of(os->frames, pfn + i)->maps++;
}

/* `dirty`: the mapping that went was, and a file's page must remember it. */
static void put(struct os *os, uint64_t pfn, uint64_t bytes, bool dirty) {
    if (page_is_zero(os, pfn))
        return;
    uint64_t n = one_record(os, pfn, bytes) ? 1 : bytes >> EMT_PAGE_SHIFT;
    for (uint64_t i = 0; i < n; i++) {
        struct frame *f = frames_of(os->frames, pfn + i);
        if (dirty && f->use == OS_USE_FILE)
            f->flags |= FRAME_DIRTY;
        if (--f->maps == 0 && f->use != OS_USE_FILE && !also_in_swap(os, pfn + i, f))
            page_free(os, pfn + i);
    }
}

void page_put(struct os *os, uint64_t pfn, uint64_t bytes) {
    put(os, pfn, bytes, false);
}

bool page_exclusive(const struct os *os, uint64_t pfn, uint64_t bytes) {
    if (page_is_zero(os, pfn) || !one_record(os, pfn, bytes))
        return false;
    const struct frame *f = frames_of(os->frames, pfn);
    return f->maps == 1 && f->use != OS_USE_FILE && !also_in_swap(os, pfn, f);
}

void page_count_mapped(struct os *os, uint64_t bytes, int64_t n) {
    unsigned size = bytes < 1ull << EMT_SHIFT_2M ? 0 : bytes < 1ull << EMT_SHIFT_1G ? 1 : 2;

    os->stats.mapped_bytes[size] += (uint64_t)n * bytes;
}

/* ---- mapping ---- */

unsigned page_prot(const struct vma *v, bool write) {
    /* No access at all: present for the kernel only. What may be touched at all may be read, as on x86. */
    if (!v->prot)
        return 0;
    return EMT_PROT_USER | (write ? EMT_PROT_WRITE : 0) | (v->prot & ABI_PROT_EXEC ? EMT_PROT_EXEC : 0);
}

int page_map(struct os_process *p, struct emt_cursor *c, const struct vma *v, uint64_t va, uint64_t pfn,
             uint64_t bytes, bool write) {
    struct os *os = p->os;
    struct emt_tobj o;
    int err = emt_tobj_init(os->svc, &o, va, pfn, bytes, page_prot(v, write));

    if (err)
        return err;
    /* As Linux does: the access that faulted will set them anyway. What cannot say them has none. */
    const bool untouched = os->place.filling && !os->caps.ranges; /* what uses a range marks no page in it */
    emt_tobj_set(os->svc, &o, EMT_ATTR_ACCESSED, !untouched);
    if (write && !untouched)
        emt_tobj_set(os->svc, &o, EMT_ATTR_DIRTY, 1);
    if (os->place.contig_pfn == pfn)
        emt_tobj_set(os->svc, &o, EMT_ATTR_CONTIG, 1); /* a hint: what cannot say it goes without */
    err = emt_cursor_set(c, &o);
    if (err)
        return err;
    page_get(os, pfn, bytes);
    page_count_mapped(os, bytes, 1);
    account_cost(os, OS_COST_PAGE_ADD, 1);
    return 0;
}

/* What waits for a flush: pfn << 6, dirty, order. */
#define PENDING_DIRTY 0x20u

/* An object was removed. Its frame waits for the flush. */
static void gone(void *ctx, const struct emt_tobj *old) {
    struct os *os = ctx;
    uint64_t what = emt_log2(old->bytes) - EMT_PAGE_SHIFT;

    account_cost(os, OS_COST_PAGE_REMOVE, 1);
    if (os->reclaim && os->reclaim->swap.used && !tobj(os, old, EMT_ATTR_PRESENT)) {
        swap_drop(os, tobj(os, old, EMT_ATTR_SWAP));
        return;
    }
    if (os->reclaim && old->bytes == PAGE && tobj(os, old, EMT_ATTR_DIRTY))
        what |= PENDING_DIRTY;
    page_count_mapped(os, old->bytes, -1);
    os->pending[os->npending++] = tobj(os, old, EMT_ATTR_PFN) << 6 | what;
}

/* How many others are put between two steps of a frame that is to be put. */
#define SOON 8

/* Entry i of what waits is put next: the host may fetch what those behind it will need. */
static void put_soon(const struct os *os, uint64_t i) {
    for (unsigned step = 0; step < FRAMES_SOON_STEPS; step++) {
        const uint64_t at = i + (uint64_t)SOON * (FRAMES_SOON_STEPS - step);

        if (at >= os->npending)
            continue;
        const uint64_t pfn = os->pending[at] >> 6;
        frames_soon(os->frames, pfn, step);
        if (os->reclaim && step == 0)
            __builtin_prefetch(lru_at(os->reclaim->entry, pfn), 1);
    }
}

/* The mappings that are gone are flushed: their frames are put. */
static void put_pending(struct os *os) {
    for (uint64_t i = 0; i < os->npending; i++) {
        const uint64_t what = os->pending[i];

        put_soon(os, i);
        put(os, what >> 6, PAGE << (what & (PENDING_DIRTY - 1)), what & PENDING_DIRTY);
    }
    os->npending = 0;
}

int page_zap(struct os_process *p, uint64_t start, uint64_t end) {
    struct os *os = p->os;
    int err = 0;

    /* A piece has at most ZAP_BYTES / PAGE objects, for which `pending` has room. */
    for (uint64_t va = start, stop; va < end && !err; va = stop) {
        struct emt_gather g;

        stop = min_u64(round_down(va, ZAP_BYTES) + ZAP_BYTES, end);
        emt_gather_init(&g);
        err = emt_range_unmap(&p->tdb, va, stop - va, gone, os, &g);
        emt_gather_flush(&p->tdb, &g);
        put_pending(os);
    }
    return err;
}
