/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mremap: shrink, grow in place, or move. Moving takes the table entries along, not the data:
 *
 *     old [####------]          1. VMAs end at the range's ends, huge pages that cannot move whole are split
 *           \  emt_range_move   2. the new VMA exists before the first entry moves
 *     new     [####------..]    3. the old VMA goes, or stays empty (MREMAP_DONTUNMAP)
 */
#include <stdlib.h>

#include "os/reclaim.h"

struct remap {
    struct os_process *p;
    uint64_t old, old_bytes, new, bytes;
    int flags;
};

/* Huge objects move whole only to an address that is as aligned as theirs. */
static int split_misaligned(struct os_process *p, uint64_t from, uint64_t to, uint64_t bytes) {
    uint64_t huge = p->os->huge_bytes;
    int err = 0;

    if (!huge || !((from ^ to) & (huge - 1)))
        return 0;
    for (uint64_t va = round_up(from, huge); !err && va < from + bytes; va += huge)
        err = thp_split(p, va);
    return err;
}

/* Entries go to the new VMA; on an error all are where they were. */
static int move_entries(const struct remap *r, uint64_t bytes) {
    struct emt_tdb *tdb = &r->p->tdb;
    uint64_t writes = account_writes(r->p->os);
    struct emt_gather g;

    emt_gather_init(&g);
    int err = emt_range_move(tdb, r->old, r->new, bytes, &g);
    emt_gather_flush(tdb, &g);
    if (err && !emt_range_void(tdb, r->new, bytes)) {
        /* Some could not go back before the flush returned the tables' frames. */
        emt_range_move(tdb, r->new, r->old, bytes, &g);
        emt_gather_flush(tdb, &g);
    }
    account_cost(r->p->os, OS_COST_PAGE_CHANGE, account_writes(r->p->os) - writes);
    return err;
}

static int move(const struct remap *r, struct vma *v) {
    struct os_process *p = r->p;
    int err = space_split(p, r->old);

    if (!err)
        err = space_split(p, r->old + r->old_bytes);
    if (!err)
        err = split_misaligned(p, r->old, r->new, r->old_bytes);
    if (err)
        return err;
    v = vma_at(&p->vmas, r->old);
    struct vma *new = space_vma_new(v, r->new, r->new + r->bytes);
    if (!new)
        return -ENOMEM;
    if (!v->file && !v->anon)
        new->offset = r->new; /* no page has a key yet: as if mapped here, so that it can merge */
    placement_copy(new, v, (int64_t)(r->new - r->old));
    vma_insert(&p->vmas, new);
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    err = move_entries(r, r->old_bytes); /* shrunk before, if it gets shorter */
    if (err) {
        space_vma_delete(p, new);
        space_merge(p, v);
        return err;
    }
    if (r->flags & ABI_MREMAP_DONTUNMAP)
        v->anon = false;
    else
        space_vma_delete(p, v);
    space_merge(p, new);
    return 0;
}

/* Longer, where it is? */
static bool grow(const struct remap *r, struct vma *v) {
    uint64_t end = r->old + r->bytes;

    if (v->end != r->old + r->old_bytes || end < r->old || !space_free(r->p, v->end, end - v->end))
        return false;
    vma_resize(&r->p->vmas, v, v->start, end);
    account_cost(r->p->os, OS_COST_VMA_CHANGE, 1);
    space_merge(r->p, v);
    return true;
}

/* Old length 0: a second mapping of the same shared pages. */
static int duplicate(const struct remap *r, struct vma *v) {
    if (vma_private(v))
        return -EINVAL;
    struct vma *new = space_vma_new(v, r->new, r->new + r->bytes);
    if (!new)
        return -ENOMEM;
    new->offset = v->offset + (r->old - v->start);
    vma_insert(&r->p->vmas, new);
    account_cost(r->p->os, OS_COST_VMA_CHANGE, 1);
    space_merge(r->p, new);
    return 0;
}

static int check(const struct remap *r) {
    const struct os *os = r->p->os;
    uint64_t top = os->user_top;

    if ((r->flags & ~(ABI_MREMAP_MAYMOVE | ABI_MREMAP_FIXED | ABI_MREMAP_DONTUNMAP)) || (r->old & (PAGE - 1)) ||
        !r->bytes || r->bytes > top || r->old_bytes > top || r->old > top - r->old_bytes)
        return -EINVAL;
    if ((r->flags & (ABI_MREMAP_FIXED | ABI_MREMAP_DONTUNMAP)) && !(r->flags & ABI_MREMAP_MAYMOVE))
        return -EINVAL;
    if ((r->flags & ABI_MREMAP_DONTUNMAP) && r->old_bytes != r->bytes)
        return -EINVAL;
    if (!(r->flags & ABI_MREMAP_FIXED))
        return 0;
    if ((r->new &(PAGE - 1)) || r->new > top - r->bytes ||
        (r->new < r->old + r->old_bytes && r->old < r->new + r->bytes))
        return -EINVAL;
    return 0;
}

static int remap(struct remap *r) {
    struct os_process *p = r->p;
    bool fixed = r->flags & ABI_MREMAP_FIXED;
    int err = check(r);

    if (err)
        return err;
    account_cost(p->os, OS_COST_VMA_FIND, 1);
    struct vma *v = vma_at(&p->vmas, r->old);
    if (!v || v->end < r->old + r->old_bytes)
        return -EFAULT;
    if (fixed) {
        err = space_unmap(p, r->new, r->new + r->bytes);
        if (err)
            return err;
    }
    if (r->bytes < r->old_bytes) {
        err = space_unmap(p, r->old + r->bytes, r->old + r->old_bytes);
        if (err)
            return err;
        r->old_bytes = r->bytes;
    }
    v = vma_at(&p->vmas, r->old);
    if (!v)
        return -EFAULT; /* the target was the source, which is gone */
    if (!fixed && !(r->flags & ABI_MREMAP_DONTUNMAP) && r->old_bytes) {
        if (r->bytes == r->old_bytes || grow(r, v)) {
            r->new = r->old;
            return 0;
        }
    }
    if (!(r->flags & ABI_MREMAP_MAYMOVE))
        return -ENOMEM;
    if (!fixed)
        r->new = space_room(p, 0, r->bytes);
    if (!r->new && !fixed)
        return -ENOMEM;
    return r->old_bytes ? move(r, v) : duplicate(r, v);
}

int os_mremap(struct os_process *p, uint64_t old, uint64_t old_bytes, uint64_t *addr, uint64_t bytes, int flags) {
    struct remap r = {.p = p,
                      .old = old,
                      .old_bytes = old_bytes > p->os->user_top ? old_bytes : round_up(old_bytes, PAGE),
                      .new = *addr,
                      .bytes = bytes > p->os->user_top ? bytes : round_up(bytes, PAGE),
                      .flags = flags};

    account_begin(p->os, OS_MREMAP);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int err = reclaim_before(p, 1);
    unsigned tries = 0;
    if (!err)
        do
            err = remap(&r); /* goes on with what is left to do */
        while (err == -ENOMEM && reclaim_more(p, &tries));
    if (!err)
        placement_mapped(p, r.new, r.new + r.bytes);
    account_end(p->os);
    if (!err)
        *addr = r.new;
    return err;
}
