/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One frame leaves memory. In this order, so that an error leaves everything as it was:
 *
 *     who maps it?  ──>  huge: split, and the pieces take their turn later
 *     what must be kept?  private memory, shmem: a slot, written unless the slot's copy is still good
 *                         a file's page: written back when dirty          MADV_FREE and clean: nothing
 *     written?      ──>  no: it stays, dirty as before
 *     unmap everywhere (each mapping is flushed), swap entries or voids in its place
 *     the frame is free
 */
#include "os/reclaim.h"

static bool dirty(const struct os *os, const struct frame *f) {
    const struct reclaim *r = os->reclaim;
    bool d = f->flags & FRAME_DIRTY;

    for (uint64_t i = 0; i < r->nmap; i++)
        d |= r->map[i].dirty;
    return d;
}

/* Huge objects become small ones. true: that was all that can be done now. */
static bool split_huge(struct os *os, uint64_t pfn, const struct frame *f, enum evicted *result) {
    struct reclaim *r = os->reclaim;
    bool huge_frame = f->order > 0;

    for (uint64_t i = 0; i < r->nmap; i++) {
        if (r->map[i].bytes == PAGE)
            continue;
        bool failed = thp_split(r->map[i].p, r->map[i].va) != 0;
        if (huge_frame || failed) {
            /* The frames may be apart though the object is still whole. */
            *result = huge_frame && frames_of(os->frames, pfn)->order == 0 ? EVICT_SPLIT : EVICT_FAILED;
            return true;
        }
        r->map[i].bytes = PAGE;
    }
    return false;
}

/* All mappings go; swap entries for `slot` come in their place. Returns how many went. */
static uint64_t unmap_all(struct os *os, uint64_t pfn, struct frame *f, uint64_t slot) {
    struct reclaim *r = os->reclaim;
    uint64_t n = 0;

    while (n < r->nmap && rmap_unmap(os, &r->map[n], pfn, slot) == 0)
        n++;
    f->maps -= (uint32_t)n;
    return n;
}

static void count_taken(struct os *os, const struct frame *f) {
    struct os_reclaim_stats *s = &os->stats.reclaim;

    s->reclaimed++;
    *(f->flags & FRAME_SWAPBACKED ? &s->reclaimed_anon : &s->reclaimed_file) += 1;
    account_cost(os, OS_COST_RECLAIM_PAGE, 1);
}

/* When it leaves: the clock of its lists, with what it was. */
static uint32_t shadow(struct os *os, const struct frame *f) {
    struct lruvec *l = reclaim_vec(os, f);

    l->evicted[reclaim_is_file(f)]++;
    return (uint32_t)(l->age++ << 1 | ((f->flags & FRAME_WORKINGSET) != 0));
}

/* The slot that holds the frame's content afterwards; SWAP_NONE: it cannot be had. *fresh: it was not its before.
 */
static uint64_t write_to_swap(struct os *os, uint64_t pfn, const struct frame *f, bool *fresh) {
    struct reclaim *r = os->reclaim;
    bool cached = f->flags & FRAME_CACHED;
    uint64_t slot = cached ? r->swap.slot[pfn] : swap_alloc(&r->swap);

    *fresh = !cached;
    account_cost(os, OS_COST_SWAP_SLOT, !cached);
    if (slot == SWAP_NONE)
        return SWAP_NONE;
    if (!cached || dirty(os, f)) {
        if (reclaim_io(os, true, slot, 1, true)) {
            if (!cached)
                swap_free(&r->swap, slot);
            return SWAP_NONE;
        }
        os->stats.reclaim.swapped_out++;
        if (os->content)
            r->swap.content[slot] = os->content[pfn];
    }
    os->stats.reclaim.swap_used_bytes = r->swap.used * PAGE;
    os->stats.reclaim.swap_peak_bytes = max_u64(os->stats.reclaim.swap_peak_bytes, r->swap.used * PAGE);
    return slot;
}

static enum evicted evict_private(struct os *os, uint64_t pfn, struct frame *f) {
    struct reclaim *r = os->reclaim;
    bool fresh, lazy = (f->flags & FRAME_LAZYFREE) && !(f->flags & FRAME_CACHED);

    if (lazy && !dirty(os, f)) {
        if (unmap_all(os, pfn, f, SWAP_NONE) < r->nmap)
            return EVICT_FAILED;
        os->stats.reclaim.discarded++;
        count_taken(os, f);
        page_free(os, pfn);
        return EVICT_DONE;
    }
    f->flags &= (uint16_t)~FRAME_LAZYFREE; /* used again: no longer free */
    uint64_t slot = write_to_swap(os, pfn, f, &fresh);
    if (slot == SWAP_NONE)
        return EVICT_FAILED;
    uint64_t gone = unmap_all(os, pfn, f, slot), all = r->nmap;
    r->swap.count[slot] += (uint32_t)gone;
    if (gone < all) {
        /* No table memory for an entry. What was written stays good: several mappings may not write to it. */
        if (fresh && gone == 0) {
            swap_free(&r->swap, slot);
            return EVICT_FAILED;
        }
        if (fresh)
            swap_cache(&r->swap, slot, pfn);
        f->flags |= FRAME_CACHED;
        if (all > 1)
            f->flags &= (uint16_t)~FRAME_DIRTY;
        return EVICT_FAILED;
    }
    r->swap.shadow[slot] = shadow(os, f);
    count_taken(os, f);
    page_free(os, pfn); /* leaves the swap cache, too */
    return EVICT_DONE;
}

static enum evicted evict_shmem(struct os *os, uint64_t pfn, struct frame *f, struct os_file *file, uint64_t page) {
    struct reclaim *r = os->reclaim;
    bool fresh;
    uint64_t slot = write_to_swap(os, pfn, f, &fresh);

    if (slot == SWAP_NONE)
        return EVICT_FAILED;
    if (unmap_all(os, pfn, f, SWAP_NONE) < r->nmap) {
        swap_free(&r->swap, slot);
        return EVICT_FAILED;
    }
    r->swap.count[slot] = 1;
    r->swap.shadow[slot] = shadow(os, f);
    file_set_page(file, page, FILE_SWAP | slot); /* has its leaf: cannot fail */
    count_taken(os, f);
    page_free(os, pfn);
    return EVICT_DONE;
}

static enum evicted evict_file(struct os *os, uint64_t pfn, struct frame *f, struct os_file *file, uint64_t page) {
    struct reclaim *r = os->reclaim;
    bool write = dirty(os, f);

    if (write) {
        if (reclaim_io(os, false, f->owner, 1, true))
            return EVICT_FAILED;
        os->stats.reclaim.written_back++;
        if (os->content)
            disk_write(os, file, page, os->content[pfn]);
    }
    if (unmap_all(os, pfn, f, SWAP_NONE) < r->nmap) {
        /* Those that went took their dirty bits with them. */
        f->flags |= write ? FRAME_DIRTY : 0;
        return EVICT_FAILED;
    }
    bool hole = (f->flags & FRAME_HOLE) && !write;
    file_set_page(file, page, hole ? FILE_HOLE : FILE_EVICTED | shadow(os, f));
    count_taken(os, f);
    page_free(os, pfn);
    return EVICT_DONE;
}

enum evicted evict(struct os *os, uint64_t pfn) {
    struct frame *f = frames_of(os->frames, pfn);
    enum evicted result;
    uint64_t page;

    if (!rmap_find(os, pfn, f))
        return EVICT_FAILED;
    if (split_huge(os, pfn, f, &result))
        return result;
    if (f->use != OS_USE_FILE)
        return evict_private(os, pfn, f);
    struct os_file *file = rmap_file(os, f, &page);
    return file->id ? evict_file(os, pfn, f, file, page) : evict_shmem(os, pfn, f, file, page);
}

enum evicted evict_listed(struct os *os, uint64_t pfn) {
    struct frame *f = frames_of(os->frames, pfn);
    struct reclaim *r = os->reclaim;
    struct lruvec *l = reclaim_vec(os, f);

    r->policy->del(os, l, pfn, f);
    enum evicted result = evict(os, pfn);
    if (result == EVICT_FAILED)
        r->policy->add(os, l, pfn, frames_of(os->frames, pfn), JOIN_YOUNG);
    return result;
}
