/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * madvise. What each advice does here:
 *
 *   DONTNEED             unmaps; private pages are gone, shared ones stay in their file
 *   FREE                 the pages stay, clean and old, until reclaim takes them; what is in swap stays there
 *   REMOVE               a hole in the shared file: its pages are gone for everyone and read as zeroes
 *   HUGEPAGE, NOHUGEPAGE for later faults and khugepaged;   COLLAPSE   huge pages now
 *   WILLNEED             files: into the page cache;   POPULATE_READ, POPULATE_WRITE   faults beforehand
 *   DONTFORK, DOFORK, WIPEONFORK, KEEPONFORK   for fork
 *   NORMAL, RANDOM, SEQUENTIAL, MERGEABLE, UNMERGEABLE, DONTDUMP, DODUMP, COLD, PAGEOUT   accepted, no effect
 */
#include "os/reclaim.h"

static void aged(void *ctx, const struct emt_tobj *old, unsigned ad) {
    struct os *os = ctx;

    account_cost(os, OS_COST_PAGE_CHANGE, 1);
    if (os->reclaim && (ad & EMT_AGE_DIRTY))
        reclaim_lazyfree(os, old);
}

/* Ends of a range that must not lie within a huge page. */
static int split_ends(struct os_process *p, uint64_t start, uint64_t end) {
    int err = thp_split_across(p, start);

    return err ? err : thp_split_across(p, end);
}

static int advise_free(struct os_process *p, const struct vma *v, uint64_t start, uint64_t end) {
    struct emt_gather g;

    if (v->file)
        return -EINVAL;
    int err = split_ends(p, start, end);
    if (err)
        return err;
    emt_gather_init(&g);
    err = emt_range_age(&p->tdb, start, end - start, EMT_AGE_ACCESSED | EMT_AGE_DIRTY, aged, p->os, &g);
    emt_gather_flush(&p->tdb, &g);
    return err;
}

static int advise_collapse(struct os_process *p, const struct vma *v, uint64_t start, uint64_t end) {
    uint64_t huge = p->os->huge_bytes;
    unsigned looked;
    int err = 0;

    if (!huge || v->file || v->flags & VMA_NOHUGE)
        return -EINVAL;
    for (uint64_t base = round_up(start, huge); base < end && end - base >= huge; base += huge) {
        if (!emt_huge_possible(&p->tdb, base, huge))
            return -EINVAL;
        int one = thp_collapse(p, v, base, true, &looked);
        err = err ? err : one;
    }
    return err;
}

/* VMA flags. */
static int advise_flags(struct os_process *p, struct vma *v, uint64_t start, uint64_t end, uint32_t set,
                        uint32_t clear) {
    if ((v->flags & ~clear) == v->flags && (v->flags | set) == v->flags)
        return 0;
    int err = space_split(p, start);
    if (!err)
        err = space_split(p, end);
    if (err)
        return err;
    v = vma_at(&p->vmas, start);
    v->flags = (v->flags & ~clear) | set;
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    space_merge(p, v);
    return 0;
}

static int advise_willneed(struct os_process *p, const struct vma *v, uint64_t start, uint64_t end) {
    int err;

    if (!v->file || !v->file->id)
        return 0;
    for (uint64_t va = start; va < end && vma_page(v, va) * PAGE < v->file->bytes; va += PAGE)
        if (!reclaim_allows(p, 1) || fault_cache_page(p, v, va, &err) == FRAME_NONE)
            return 0; /* only advice */
    return 0;
}

static int advise_remove(struct os_process *p, const struct vma *v, uint64_t start, uint64_t end) {
    if (!v->file || vma_private(v) || !(v->prot & ABI_PROT_WRITE))
        return -EINVAL;
    uint64_t first = vma_page(v, start), last = first + ((end - start) >> EMT_PAGE_SHIFT);
    int err = os_file_drop(p->os, v->file, first, last, false);
    /* The data of a numbered file are gone as well. */
    for (uint64_t page = first; v->file->id && page < last && page * PAGE < v->file->bytes && !err; page++)
        err = file_set_page(v->file, page, FILE_HOLE);
    return err;
}

/* One VMA's part of the range. */
static int advise_vma(struct os_process *p, struct vma *v, uint64_t start, uint64_t end, int advice) {
    int err;

    switch (advice) {
    case ABI_MADV_DONTNEED:
    case ABI_MADV_DONTNEED_LOCKED:
        err = split_ends(p, start, end);
        return err ? err : page_zap(p, start, end);
    case ABI_MADV_FREE:
        return advise_free(p, v, start, end);
    case ABI_MADV_REMOVE:
        return advise_remove(p, v, start, end);
    case ABI_MADV_HUGEPAGE:
        return advise_flags(p, v, start, end, VMA_HUGE, VMA_NOHUGE);
    case ABI_MADV_NOHUGEPAGE:
        return advise_flags(p, v, start, end, VMA_NOHUGE, VMA_HUGE);
    case ABI_MADV_COLLAPSE:
        return advise_collapse(p, v, start, end);
    case ABI_MADV_WILLNEED:
        return advise_willneed(p, v, start, end);
    case ABI_MADV_POPULATE_READ:
        return fault_populate(p, start, end, false);
    case ABI_MADV_POPULATE_WRITE:
        return fault_populate(p, start, end, true);
    case ABI_MADV_DONTFORK:
        return advise_flags(p, v, start, end, VMA_DONTFORK, 0);
    case ABI_MADV_DOFORK:
        return advise_flags(p, v, start, end, 0, VMA_DONTFORK);
    case ABI_MADV_WIPEONFORK:
        return v->file ? -EINVAL : advise_flags(p, v, start, end, VMA_WIPEONFORK, 0);
    case ABI_MADV_KEEPONFORK:
        return advise_flags(p, v, start, end, 0, VMA_WIPEONFORK);
    default:
        return 0;
    }
}

static bool known(int advice) {
    return (advice >= ABI_MADV_NORMAL && advice <= ABI_MADV_DONTNEED) ||
           (advice >= ABI_MADV_FREE && advice <= ABI_MADV_COLLAPSE);
}

/* Every VMA in the range; holes are skipped, and then reported. */
static int advise(struct os_process *p, uint64_t start, uint64_t end, int advice) {
    bool hole = false;
    int err = 0;

    account_cost(p->os, OS_COST_VMA_FIND, 1);
    for (uint64_t at = start, stop; at < end && !err; at = stop) {
        struct vma *v = vma_find(&p->vmas, at);

        if (!v || v->start >= end) {
            hole = true;
            break;
        }
        hole |= v->start > at;
        at = max_u64(at, v->start);
        stop = min_u64(v->end, end);
        err = advise_vma(p, v, at, stop, advice);
    }
    return err ? err : hole ? -ENOMEM : 0;
}

int os_madvise(struct os_process *p, uint64_t addr, uint64_t bytes, int advice) {
    int err = -EINVAL;

    account_begin(p->os, OS_MADVISE);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int dead = reclaim_before(p, 1);
    unsigned tries = 0;
    if (dead)
        err = dead;
    else if (known(advice) && !(addr & (PAGE - 1)))
        do
            err = space_range_ok(p->os, addr, &bytes) ? advise(p, addr, addr + bytes, advice) : -ENOMEM;
        while (err == -ENOMEM && reclaim_more(p, &tries));
    account_end(p->os);
    return err;
}
