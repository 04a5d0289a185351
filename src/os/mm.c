/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* VMAs come, go and change: mmap, munmap, mprotect, brk and the stack. */
#include <stdlib.h>

#include "os/reclaim.h"

/* ---- one VMA ---- */

/* A VMA with the attributes of `like`, for a part of it or for a place where it moves. NULL: out of memory. */
struct vma *space_vma_new(const struct vma *like, uint64_t start, uint64_t end) {
    struct vma *v = malloc(sizeof(*v));

    if (!v)
        return NULL;
    *v = *like;
    v->start = start;
    v->end = end;
    v->place = NULL;
    if (v->file)
        v->file->refs++;
    return v;
}

void space_vma_delete(struct os_process *p, struct vma *v) {
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    vma_remove(&p->vmas, v);
    if (v->file)
        os_file_put(p->os, v->file);
    placement_free(v);
    free(v);
}

int space_split(struct os_process *p, uint64_t at) {
    struct vma *v = vma_at(&p->vmas, at);

    if (!v || v->start == at)
        return 0;
    int err = thp_split_across(p, at); /* no object belongs to two VMAs */
    if (err)
        return err;
    struct vma *upper = space_vma_new(v, at, v->end);
    if (!upper)
        return -ENOMEM;
    upper->offset = v->offset + (at - v->start);
    placement_copy(upper, v, 0);
    vma_resize(&p->vmas, v, v->start, at);
    vma_insert(&p->vmas, upper);
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    return 0;
}

static bool joins(const struct vma *low, const struct vma *high) {
    return low && high && low->end == high->start && low->prot == high->prot && low->flags == high->flags &&
           low->file == high->file && low->offset + (low->end - low->start) == high->offset;
}

static struct vma *join(struct os_process *p, struct vma *low, struct vma *high) {
    uint64_t end = high->end;

    low->anon |= high->anon;
    placement_join(low, high);
    space_vma_delete(p, high);
    vma_resize(&p->vmas, low, low->start, end);
    return low;
}

struct vma *space_merge(struct os_process *p, struct vma *v) {
    if (joins(v->prev, v))
        v = join(p, v->prev, v);
    if (joins(v, v->next))
        v = join(p, v, v->next);
    return v;
}

/* ---- where there is room ---- */

bool space_range_ok(const struct os *os, uint64_t addr, uint64_t *bytes) {
    if ((addr & (PAGE - 1)) || *bytes > os->user_top || addr > os->user_top)
        return false;
    *bytes = round_up(*bytes, PAGE);
    return *bytes <= os->user_top - addr;
}

bool space_free(struct os_process *p, uint64_t start, uint64_t bytes) {
    struct vma *v = vma_find(&p->vmas, start);

    if (bytes > p->os->user_top || start > p->os->user_top - bytes)
        return false;
    return !v || start + bytes + (v->flags & VMA_GROWSDOWN ? VMA_GUARD_BYTES : 0) <= v->start;
}

uint64_t space_room(struct os_process *p, uint64_t hint, uint64_t bytes) {
    const uint64_t low = 0x10000; /* Linux's mmap_min_addr */
    const uint64_t classic_top = (1ull << 47) - PAGE;
    struct os *os = p->os;
    /* More than 47 bits only for those who ask for it, as Linux does with five levels. */
    uint64_t top = hint > classic_top ? os->user_top : min_u64(os->user_top, classic_top);
    uint64_t va = hint > classic_top ? 0 : vma_room(&p->vmas, bytes, low, os->mmap_top);

    return va ? va : vma_room(&p->vmas, bytes, low, top);
}

/* ---- munmap ---- */

int space_unmap(struct os_process *p, uint64_t start, uint64_t end) {
    struct vma *v = vma_overlap(&p->vmas, start, end);
    int err = 0;

    account_cost(p->os, OS_COST_VMA_FIND, 1);
    if (!v)
        return 0;
    err = space_split(p, start);
    if (!err)
        err = space_split(p, end);
    while (!err && (v = vma_overlap(&p->vmas, start, end))) {
        err = page_zap(p, v->start, v->end);
        if (!err)
            space_vma_delete(p, v);
    }
    return err;
}

int os_munmap(struct os_process *p, uint64_t addr, uint64_t bytes) {
    int err = -EINVAL;

    account_begin(p->os, OS_MUNMAP);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int dead = reclaim_before(p, 1);
    unsigned tries = 0;
    if (dead)
        err = dead;
    else if (bytes && space_range_ok(p->os, addr, &bytes))
        do
            err = space_unmap(p, addr, addr + bytes);
        while (err == -ENOMEM && reclaim_more(p, &tries));
    account_end(p->os);
    return err;
}

/* ---- mmap ---- */

struct mapping {
    uint64_t addr, bytes, file, offset;
    int prot, flags;
};

static int check_mmap(const struct os *os, const struct mapping *m, uint64_t *bytes) {
    int type = m->flags & ABI_MAP_TYPE;

    if (!m->bytes || (m->offset & (PAGE - 1)) ||
        (type != ABI_MAP_PRIVATE && type != ABI_MAP_SHARED && type != ABI_MAP_SHARED_VALIDATE))
        return -EINVAL;
    if (*bytes > os->user_top)
        return -ENOMEM;
    *bytes = round_up(*bytes, PAGE);
    if (m->offset + *bytes < m->offset || (m->offset + *bytes) >> 60)
        return -EOVERFLOW;
    if ((m->flags & (ABI_MAP_FIXED | ABI_MAP_FIXED_NOREPLACE)) && (m->addr & (PAGE - 1)))
        return -EINVAL;
    if ((m->flags & ABI_MAP_HUGETLB) && (!os->huge_bytes || *bytes % os->huge_bytes))
        return -EINVAL;
    return 0;
}

/* Where the mapping goes. What is there is not yet touched. */
static int choose_address(struct os_process *p, const struct mapping *m, uint64_t bytes, uint64_t *va) {
    uint64_t hint = round_up(m->addr, PAGE);

    if (m->flags & (ABI_MAP_FIXED | ABI_MAP_FIXED_NOREPLACE)) {
        *va = m->addr;
        if (m->addr > p->os->user_top - bytes)
            return -ENOMEM;
        if ((m->flags & ABI_MAP_FIXED_NOREPLACE) && vma_overlap(&p->vmas, m->addr, m->addr + bytes))
            return -EEXIST;
        return 0;
    }
    *va = hint;
    if (hint && space_free(p, hint, bytes))
        return 0;
    *va = space_room(p, hint, bytes);
    return *va ? 0 : -ENOMEM;
}

/* The file behind the mapping, with a reference for it; NULL for private anonymous memory. */
static int choose_file(struct os *os, const struct mapping *m, uint64_t bytes, struct os_file **file) {
    bool shared = (m->flags & ABI_MAP_TYPE) != ABI_MAP_PRIVATE;

    *file = NULL;
    if (m->flags & ABI_MAP_ANONYMOUS) {
        if (!shared)
            return 0;
        *file = filecache_new(&os->files, 0, bytes);
        return *file ? 0 : -ENOMEM;
    }
    *file = m->file ? filecache_find(&os->files, m->file) : NULL;
    if (!*file)
        return -EBADF;
    (*file)->refs++;
    return 0;
}

static int map(struct os_process *p, const struct mapping *m, uint64_t *at) {
    struct os *os = p->os;
    struct vma new = {.prot = (uint32_t)m->prot & ABI_PROT_MASK}, *v = NULL;
    uint64_t bytes = m->bytes, va;
    int err = check_mmap(os, m, &bytes);

    if (!err)
        err = choose_address(p, m, bytes, &va);
    if (err)
        return err;
    err = choose_file(os, m, bytes, &new.file);
    if (err)
        return err;
    bool private_anonymous = !new.file;
    new.offset = private_anonymous ? va : m->flags &ABI_MAP_ANONYMOUS ? 0 : m->offset;
    new.flags = ((m->flags & ABI_MAP_TYPE) == ABI_MAP_PRIVATE ? 0 : VMA_SHARED) |
                (private_anonymous && (m->flags & ABI_MAP_GROWSDOWN) ? VMA_GROWSDOWN : 0) |
                (private_anonymous && (m->flags & ABI_MAP_HUGETLB) ? VMA_HUGETLB : 0);
    v = space_vma_new(&new, va, va + bytes); /* takes a reference of its own */
    err = v ? space_unmap(p, va, va + bytes) : -ENOMEM;
    if (err) {
        if (v && v->file)
            os_file_put(os, v->file);
        free(v);
    } else {
        vma_insert(&p->vmas, v);
        account_cost(os, OS_COST_VMA_CHANGE, 1);
        v = space_merge(p, v);
        *at = va;
        /* As Linux: a mapping that cannot be filled now is filled by faults, or fails then. */
        if ((m->flags & (ABI_MAP_POPULATE | ABI_MAP_LOCKED)) && v->prot)
            fault_populate(p, va, va + bytes, vma_private(v) && (v->prot & ABI_PROT_WRITE));
        placement_mapped(p, va, va + bytes);
    }
    if (new.file)
        os_file_put(os, new.file);
    return err;
}

int os_mmap(struct os_process *p, uint64_t *addr, uint64_t bytes, int prot, int flags, uint64_t file,
            uint64_t offset) {
    struct mapping m = {
        .addr = *addr, .bytes = bytes, .file = file, .offset = offset, .prot = prot, .flags = flags};

    account_begin(p->os, OS_MMAP);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int err = reclaim_before(p, 1);
    unsigned tries = 0;
    if (!err)
        do
            err = map(p, &m, addr);
        while (err == -ENOMEM && reclaim_more(p, &tries));
    account_end(p->os);
    return err;
}

/* ---- mprotect ---- */

/* Private pages that nobody else maps may be written at once, without a fault for each (Linux since 6.0). */
static int let_write(struct os_process *p, struct vma *v, struct emt_gather *g) {
    struct os *os = p->os;
    struct emt_cursor c;
    int err = emt_cursor_open(&c, &p->tdb, v->start, v->end, g);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        struct emt_tobj o = c.obj;

        if (!tobj(os, &o, EMT_ATTR_PRESENT) || !page_exclusive(os, tobj(os, &o, EMT_ATTR_PFN), o.bytes))
            continue;
        err = emt_tobj_set(os->svc, &o, EMT_ATTR_WRITE, 1);
        if (!err)
            err = emt_cursor_set(&c, &o);
    }
    emt_cursor_close(&c);
    return err;
}

/* A whole VMA gets another protection, its objects with it. */
static int protect_vma(struct os_process *p, struct vma *v, uint32_t prot) {
    struct emt_gather g;
    uint32_t old = v->prot;
    bool shmem = v->file && !v->file->id && !vma_private(v);
    uint64_t writes = account_writes(p->os);

    v->prot = prot;
    emt_gather_init(&g);
    /* Whatever may be shared, by copy-on-write or through the page cache, becomes writable by a fault only. */
    int err =
        emt_range_protect(&p->tdb, v->start, v->end - v->start, page_prot(v, shmem && (prot & ABI_PROT_WRITE)), &g);
    if (!err && (prot & ABI_PROT_WRITE) && v->anon)
        err = let_write(p, v, &g);
    emt_gather_flush(&p->tdb, &g);
    account_cost(p->os, OS_COST_PAGE_CHANGE, account_writes(p->os) - writes);
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    if (err) {
        /* Back to the old rights where the new ones were reached; what may be written, faults will find out. When
           there is no memory for that either, some pages have these, some those, and none more than the VMA. */
        v->prot = old;
        if (emt_range_protect(&p->tdb, v->start, v->end - v->start, page_prot(v, false), &g))
            v->prot |= prot;
        emt_gather_flush(&p->tdb, &g);
    }
    return err;
}

static int protect(struct os_process *p, uint64_t start, uint64_t end, uint32_t prot) {
    uint64_t at = start;
    int err = 0;

    account_cost(p->os, OS_COST_VMA_FIND, 1);
    while (!err && at < end) {
        struct vma *v = vma_at(&p->vmas, at);

        if (!v)
            return -ENOMEM; /* what came before the hole is done, as in Linux */
        uint64_t stop = min_u64(v->end, end);
        if (v->prot != prot) {
            err = space_split(p, at);
            if (!err)
                err = space_split(p, stop);
            if (!err) {
                v = vma_at(&p->vmas, at);
                err = protect_vma(p, v, prot);
            }
        }
        if (!err)
            space_merge(p, v);
        at = stop;
    }
    return err;
}

int os_mprotect(struct os_process *p, uint64_t addr, uint64_t bytes, int prot) {
    int err = -EINVAL;

    account_begin(p->os, OS_MPROTECT);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int dead = reclaim_before(p, 1);
    unsigned tries = 0;
    if (dead)
        err = dead;
    else if (!(addr & (PAGE - 1)))
        do
            err = space_range_ok(p->os, addr, &bytes)
                      ? protect(p, addr, addr + bytes, (uint32_t)prot & ABI_PROT_MASK)
                      : -ENOMEM;
        while (err == -ENOMEM && reclaim_more(p, &tries));
    if (!err)
        placement_mapped(p, addr, addr + bytes);
    account_end(p->os);
    return err;
}

/* ---- heap and stack ---- */

static int add_anonymous(struct os_process *p, uint64_t start, uint64_t end, uint32_t flags) {
    struct vma like = {.prot = ABI_PROT_READ | ABI_PROT_WRITE, .flags = flags, .offset = start};
    struct vma *v = space_vma_new(&like, start, end);

    if (!v)
        return -ENOMEM;
    vma_insert(&p->vmas, v);
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    space_merge(p, v);
    return 0;
}

static int set_brk(struct os_process *p, uint64_t end) {
    int err = 0;

    if (end > p->os->user_top)
        return -ENOMEM;
    end = round_up(end, PAGE);
    if (!p->brk_start) {
        p->brk_start = p->brk_end = end;
        return 0;
    }
    if (end < p->brk_start)
        return -ENOMEM;
    if (end < p->brk_end) {
        err = space_unmap(p, end, p->brk_end);
    } else if (end > p->brk_end) {
        if (!space_free(p, p->brk_end, end - p->brk_end))
            return -ENOMEM;
        err = add_anonymous(p, p->brk_end, end, 0);
    }
    if (!err && end > p->brk_end)
        placement_mapped(p, p->brk_end, end);
    if (!err)
        p->brk_end = end;
    return err;
}

int os_brk(struct os_process *p, uint64_t end) {
    account_begin(p->os, OS_BRK);
    account_cost(p->os, OS_COST_SYSCALL, 1);
    int err = reclaim_before(p, 1);
    unsigned tries = 0;
    if (!err)
        do
            err = set_brk(p, end);
        while (err == -ENOMEM && reclaim_more(p, &tries));
    account_end(p->os);
    return err;
}

int os_stack(struct os_process *p, uint64_t low, uint64_t end) {
    int err = p->killed ? -ESRCH : 0;

    if (err)
        return err;
    low = round_down(low, PAGE);
    if (end > p->os->user_top || low >= end)
        return -EINVAL;
    end = round_up(end, PAGE);
    struct vma *v = vma_overlap(&p->vmas, low, end);
    if (v && v->start <= low && v->end >= end && (v->flags & VMA_GROWSDOWN))
        return 0; /* it has grown there already */
    if (v)
        return -EEXIST;
    account_begin(p->os, OS_MMAP);
    err = add_anonymous(p, low, end, VMA_GROWSDOWN);
    if (!err)
        placement_mapped(p, low, end);
    account_end(p->os);
    return err;
}
