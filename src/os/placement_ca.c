/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Contiguity-aware (CA) paging: Alverti et al., "Enhancing and Exploiting Contiguity for Fast Memory
 * Virtualization", ISCA'20, and its artifact, a Linux 4.19. Demand paging as ever, but a fault steers the frame
 * that it takes:
 *
 *     VMA      [----a----------b-------------]      first fault, at a: place the whole VMA (next fit over clusters
 * of
 *              \_offset A____/ \_offset B___/        free memory): offset A. Only a's page is taken.
 *     memory   ...[====A=====x]....[===B====]...    b's target frame is busy, x: place what is still unmapped, from
 * b to the next record or the VMA's end: offset B
 *
 * Only a fault for a huge page places anew; a small page whose target is busy gets any frame and leaves no trace
 * (os.ca.replace_order). A copy on write takes the same way. Pages of the page cache have one offset for each file,
 * which a busy target replaces.
 *
 * Where we differ from the artifact: what is left of a block out of which a target was taken goes to the end of the
 * free lists, or the buddy allocator would give strays the very next targets; a VMA is placed so that its huge
 * pages fall on aligned frames at once (there, a misaligned target is rounded up at the fault); small pages may by
 * default take their targets out of free blocks of the largest order too (os.ca.split_order; there, only up to
 * order 9); the page cache does not reserve the rest of a 2 MiB block for its file. A forked child starts without
 * records (there, it copies its parent's, whose targets are all busy).
 */
#include "os/contig.h"
#include "os/internal.h"

#define BLOCK_FRAMES (1ull << FRAMES_MAX_ORDER)

/* The frame where `pages` would go: next fit, or the largest cluster. FRAME_NONE: nothing of the largest order is
   free. */
static uint64_t place(struct os *os, uint64_t pages) {
    struct contig *map = frames_contig_of(os->frames, os->node);
    uint64_t block, blocks;

    account_cost(os, OS_COST_PLACE_SEARCH, 1);
    os->stats.place.placements++;
    if (!contig_place(map, round_up(pages, BLOCK_FRAMES) / BLOCK_FRAMES, &block, &blocks)) {
        os->stats.place.no_cluster++;
        return FRAME_NONE;
    }
    return frames_node_start(os->frames, os->node) + block * BLOCK_FRAMES;
}

/* The target frames, if they can be had; else counts why not. */
static uint64_t take(struct os *os, int64_t target, unsigned order, enum os_use use) {
    struct os_place_stats *s = &os->stats.place;

    if (target < 0 || (uint64_t)target >= frames_total(os->frames)) {
        s->outside++;
        return FRAME_NONE;
    }
    if (frames_node(os->frames, (uint64_t)target) != os->node) {
        s->other_node++;
        return FRAME_NONE;
    }
    bool busy = order == 0 && os->cfg.os.ca_split_order < FRAMES_MAX_ORDER &&
                frames_free_order(os->frames, (uint64_t)target) > (int)os->cfg.os.ca_split_order;
    uint64_t pfn = busy ? FRAME_NONE : frames_alloc_target(os->frames, (uint64_t)target, order, FRAME_MOVABLE, use);
    if (pfn == FRAME_NONE)
        s->busy++;
    else
        s->hits++;
    return pfn;
}

/* A record for what is unmapped from `va` to `end`, all of it from `from` on counted. NULL: nothing is free. */
static struct place_record *new_record(struct os *os, struct vma *v, uint64_t from, uint64_t va, uint64_t end) {
    uint64_t pfn = place(os, (end - from) >> EMT_PAGE_SHIFT);

    if (pfn == FRAME_NONE)
        return NULL;
    return placement_add(v, va, (int64_t)(from >> EMT_PAGE_SHIFT) - (int64_t)pfn);
}

/* A frame for a page of the cache. */
static uint64_t file_frame(struct os *os, struct vma *v, uint64_t va, enum os_use use) {
    struct os_file *f = v->file;
    uint64_t page = vma_page(v, va), pages = round_up(f->bytes, PAGE) >> EMT_PAGE_SHIFT;

    for (unsigned again = 0; again < 2; again++) {
        if (f->placed) {
            uint64_t pfn = take(os, (int64_t)page - f->place_offset, 0, use);
            if (pfn != FRAME_NONE || again)
                return pfn;
        }
        /* First the whole file, then what comes from this page on. */
        uint64_t from = f->placed || pages <= page ? page : 0, pfn = place(os, max_u64(pages, page + 1) - from);
        f->placed = pfn != FRAME_NONE;
        f->place_offset = (int64_t)from - (int64_t)pfn;
        if (!f->placed)
            return FRAME_NONE;
    }
    return FRAME_NONE;
}

static uint64_t ca_frame(struct os_process *p, struct vma *v, uint64_t va, unsigned order, enum os_use use) {
    struct os *os = p->os;
    uint64_t end, page = va >> EMT_PAGE_SHIFT;

    account_cost(os, OS_COST_PLACE_TARGET, 1);
    if (use == OS_USE_FILE)
        return file_frame(os, v, va, use);
    struct place_record *r = placement_record(v, va, &end);
    bool fresh = !r;
    if (fresh)
        r = new_record(os, v, round_down(v->start, max_u64(os->huge_bytes, PAGE)), va, v->end);
    if (!r)
        return FRAME_NONE;

    int64_t target = (int64_t)page - r->offset, aligned = target;
    if (target > 0)
        aligned = (int64_t)round_up((uint64_t)target, 1ull << order);
    uint64_t pfn = take(os, aligned, order, use);
    if (pfn == FRAME_NONE && order >= os->cfg.os.ca_replace_order && !os->place.keep_records) {
        os->stats.place.replaced++;
        r = new_record(os, v, va, va, end);
        pfn = r ? take(os, (int64_t)page - r->offset, order, use) : FRAME_NONE;
    } else if (pfn != FRAME_NONE && aligned != target) {
        r = placement_add(v, va, (int64_t)page - aligned); /* VMAs that moved may be misaligned */
    }
    if (pfn != FRAME_NONE && r)
        placement_placed(p, v, r, pfn, order);
    return pfn;
}

const struct placement placement_ca = {.name = "ca", .frame = ca_frame};
