/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Page faults, as Linux's mm/memory.c decides them:
 *
 *     VMA? ── no ──> a stack that may grow? ── no ──> SIGSEGV
 *      │ yes
 *     allowed? ── no ──> SIGSEGV;   beyond the end of the file? ──> SIGBUS
 *      │
 *     object there? ── yes ──> write to a read-only one: reuse or copy;  else spurious
 *      │ no
 *     private anonymous: huge page, zero page (reads) or a cleared page
 *     file, shared:      the page cache's frame, with its neighbours;  private write: a copy of it
 *
 * Reading ahead: a page that is not in the cache brings the whole window of fault-around with it. What programs map
 * is taken to be in memory: storage takes time for pages that reclaim has taken, and for all with os.file.cold.
 */
#include "os/reclaim.h"

struct fault {
    struct os_process *p;
    struct os *os;
    struct vma *v;
    uint64_t va; /* of the page */
    unsigned type;
    bool write;
    enum os_op op;
    uint64_t next;               /* behind what is mapped now */
    uint64_t old_pfn, old_bytes; /* a mapping that was replaced: to be put after the flush */
};

/* ---- the VMA ---- */

/* The VMA of an address; a stack is extended down to it (Linux's expand_stack). */
static struct vma *find_or_grow(struct os_process *p, uint64_t va) {
    struct vma *v = vma_find(&p->vmas, va);

    account_cost(p->os, OS_COST_VMA_FIND, 1);
    if (!v || v->start <= va)
        return v;
    if (!(v->flags & VMA_GROWSDOWN) || v->end - va > max_u64(p->os->cfg.os.stack_bytes, v->end - v->start))
        return NULL;
    if (v->prev && v->prev->prot && !(v->prev->flags & VMA_GROWSDOWN) && va - v->prev->end < VMA_GUARD_BYTES)
        return NULL;
    account_cost(p->os, OS_COST_VMA_CHANGE, 1);
    v->offset -= v->start - va;
    vma_resize(&p->vmas, v, va, v->end);
    return v;
}

static bool allowed(const struct vma *v, unsigned type) {
    if (type == EMT_STORE)
        return v->prot & ABI_PROT_WRITE;
    if (type == EMT_FETCH)
        return v->prot & ABI_PROT_EXEC;
    return v->prot != ABI_PROT_NONE; /* x86 cannot forbid reading what may be written or executed */
}

/* ---- the page cache ---- */

static void fill_from_storage(struct os *os, uint64_t pfn, struct os_file *f, uint64_t page) {
    emt_host_touch(os->host, pfn << EMT_PAGE_SHIFT, PAGE, true);
    if (os->content)
        content_set(os, pfn, PAGE, disk_content(os, f, page));
}

/* Bring one page into the cache; what the file's index says of it now is `known`. No device has been asked yet. */
static uint64_t cache_fill(struct os_process *p, const struct vma *v, uint64_t va, uint64_t known) {
    struct os *os = p->os;
    struct os_file *f = v->file;
    uint64_t page = vma_page(v, va);
    uint64_t pfn = page_alloc(p, va, PAGE, OS_USE_FILE);

    if (pfn == FRAME_NONE)
        return FRAME_NONE;
    if (file_set_page(f, page, pfn)) {
        page_free(os, pfn);
        return FRAME_NONE;
    }
    frames_of(os->frames, pfn)->owner = f->serial << 40 | (page & ((1ull << 40) - 1));
    account_cost(os, OS_COST_CACHE_FILL, 1);
    if (os->reclaim)
        reclaim_filled(os, pfn, f, known);
    if (!f->id || known == FILE_HOLE)
        page_clear(os, pfn, PAGE);
    else
        fill_from_storage(os, pfn, f, page);
    return pfn;
}

/* The aligned window around va within the VMA and the file. */
static void window(const struct os *os, const struct vma *v, uint64_t va, uint64_t *start, uint64_t *end) {
    uint64_t bytes = max_u64(os->cfg.os.fault_around_pages, 1) * PAGE;
    uint64_t file_end = v->start + (round_up(v->file->bytes, PAGE) - v->offset); /* va is below: no wrap */

    *start = max_u64(va - va % bytes, v->start);
    *end = min_u64(va - va % bytes + bytes, v->end);
    if (file_end > v->start)
        *end = min_u64(*end, file_end);
}

/* Pages that were filled around one that was missing, and must be read now. */
struct reading {
    uint64_t va, known[512];
    unsigned n;
};

/* Ask the device, run by run. What cannot be read leaves the cache again. -EIO: `wanted` is among it. */
static int read_filled(struct os_process *p, const struct vma *v, const struct reading *rd, uint64_t wanted) {
    struct os *os = p->os;
    struct os_file *f = v->file;
    int err = 0;

    for (unsigned i = 0, k; i < rd->n; i = k) {
        k = i + 1;
        if (rd->known[i] == 0 || !reclaim_must_read(os, rd->known[i]))
            continue;
        while (k < rd->n && rd->known[k] != 0 && reclaim_must_read(os, rd->known[k]))
            k++;
        uint64_t page = vma_page(v, rd->va + i * PAGE);
        if (!reclaim_io(os, false, f->serial << 40 | page, k - i, false))
            continue;
        for (unsigned j = i; j < k; j++) {
            page_free(os, file_page(f, page + j - i));
            file_set_page(f, page + j - i, rd->known[j]);
            if (rd->va + j * PAGE == wanted)
                err = -EIO;
        }
    }
    return err;
}

uint64_t fault_cache_page(struct os_process *p, const struct vma *v, uint64_t va, int *err) {
    uint64_t known = file_page(v->file, vma_page(v, va)), end;
    struct reading rd;

    account_cost(p->os, OS_COST_CACHE_FIND, 1);
    *err = -ENOMEM;
    if (known < FILE_MAX_CACHED)
        return known;
    if (file_is_swap(known))
        return swapin_shmem(p, v, va, err);
    uint64_t pfn = cache_fill(p, v, va, known);
    if (pfn == FRAME_NONE || known == FILE_HOLE || !v->file->id)
        return pfn;
    window(p->os, v, va, &rd.va, &end);
    for (rd.n = 0; rd.n < 512 && rd.va + rd.n * PAGE < end; rd.n++) {
        uint64_t at = rd.va + rd.n * PAGE, here = at == va ? known : file_page(v->file, vma_page(v, at));

        rd.known[rd.n] = at == va ? known : 0;
        if (at == va || (here != FILE_NONE && !file_is_evicted(here)))
            continue;
        if (!reclaim_allows(p, 1) || cache_fill(p, v, at, here) == FRAME_NONE)
            continue; /* only reading ahead */
        rd.known[rd.n] = here;
    }
    if (p->os->reclaim && read_filled(p, v, &rd, va)) {
        *err = -EIO;
        return FRAME_NONE;
    }
    return pfn;
}

/* ---- nothing mapped ---- */

static uint64_t owner_key(const struct os_process *p, const struct vma *v, uint64_t va) {
    return vma_page(v, va) << 20 | (p->family & 0xfffff);
}

/* A private page: cleared, or a copy of `from`. */
static int map_private(struct fault *f, struct emt_cursor *c, uint64_t from) {
    uint64_t pfn = page_alloc(f->p, f->va, PAGE, OS_USE_4K);

    if (pfn == FRAME_NONE)
        return -ENOMEM;
    frames_of(f->os->frames, pfn)->owner = owner_key(f->p, f->v, f->va);
    if (from == FRAME_NONE)
        page_clear(f->os, pfn, PAGE);
    else
        page_copy(f->os, pfn, from, PAGE);
    int err = page_map(f->p, c, f->v, f->va, pfn, PAGE, (f->v->prot & ABI_PROT_WRITE) != 0);
    if (err) {
        page_free(f->os, pfn);
        return err;
    }
    f->v->anon = true;
    return 0;
}

static int map_anonymous(struct fault *f, struct emt_cursor *c) {
    struct os *os = f->os;

    f->op = OS_FAULT_ANON;
    if (f->write || !os->cfg.os.zero_page)
        return map_private(f, c, FRAME_NONE);
    f->op = OS_FAULT_ZERO;
    if (os->zero_pfn == FRAME_NONE) {
        os->zero_pfn = page_alloc_anywhere(f->p, f->va, PAGE, OS_USE_4K);
        if (os->zero_pfn == FRAME_NONE)
            return -ENOMEM;
        page_clear(os, os->zero_pfn, PAGE);
        reclaim_never(os, os->zero_pfn);
    }
    return page_map(f->p, c, f->v, f->va, os->zero_pfn, PAGE, false);
}

/* Map what the cache has around va (Linux's do_fault_around). Whatever fails is left for its own fault. */
static void map_around(struct fault *f, struct emt_cursor *c, bool writable) {
    for (uint64_t va = c->start; va < c->end; va += PAGE) {
        uint64_t pfn = va == f->va ? FILE_NONE : file_page(f->v->file, vma_page(f->v, va));

        if (pfn < FILE_MAX_CACHED && !emt_cursor_seek(c, va) && page_map(f->p, c, f->v, va, pfn, PAGE, writable))
            return;
    }
}

static int map_file(struct fault *f, struct emt_cursor *c) {
    int err;
    uint64_t pfn = fault_cache_page(f->p, f->v, f->va, &err);
    bool shared = !vma_private(f->v);

    f->op = OS_FAULT_FILE;
    if (pfn == FRAME_NONE)
        return err;
    if (f->write && !shared) {
        f->op = OS_FAULT_COW;
        return map_private(f, c, pfn);
    }
    /* A file system wants to know of the first write to a page, shmem does not. */
    bool writable = f->write || (shared && !f->v->file->id && (f->v->prot & ABI_PROT_WRITE));
    err = page_map(f->p, c, f->v, f->va, pfn, PAGE, writable);
    if (!err && !f->write)
        map_around(f, c, writable);
    return err;
}

/* ---- something mapped ---- */

/* Same frame, more rights. */
static int allow(struct fault *f, struct emt_cursor *c, bool write) {
    struct emt_tobj o = c->obj;
    unsigned prot = page_prot(f->v, write);
    int err = emt_tobj_set(f->os->svc, &o, EMT_ATTR_WRITE, (prot & EMT_PROT_WRITE) != 0);

    if (!err)
        err = emt_tobj_set(f->os->svc, &o, EMT_ATTR_EXEC, (prot & EMT_PROT_EXEC) != 0);
    if (!err)
        err = emt_tobj_set(f->os->svc, &o, EMT_ATTR_USER, 1);
    if (err)
        return err;
    emt_tobj_set(f->os->svc, &o, EMT_ATTR_ACCESSED, 1);
    if (f->write)
        emt_tobj_set(f->os->svc, &o, EMT_ATTR_DIRTY, 1);
    account_cost(f->os, OS_COST_PAGE_CHANGE, 1);
    return emt_cursor_set(c, &o);
}

/* A write to a read-only object of a VMA that may be written. -EAGAIN: split the huge page first. */
static int write_protected(struct fault *f, struct emt_cursor *c) {
    uint64_t pfn = tobj(f->os, &c->obj, EMT_ATTR_PFN), bytes = c->obj.bytes;

    f->op = OS_FAULT_COW;
    if (!vma_private(f->v)) {
        f->op = OS_FAULT_FILE;
        return allow(f, c, true);
    }
    if (page_exclusive(f->os, pfn, bytes))
        return allow(f, c, true); /* the last one to map it keeps it */
    if (bytes > PAGE)
        return -EAGAIN;
    int err = map_private(f, c, page_is_zero(f->os, pfn) ? FRAME_NONE : pfn);
    if (err)
        return err;
    page_count_mapped(f->os, PAGE, -1);
    account_cost(f->os, OS_COST_PAGE_REMOVE, 1);
    f->old_pfn = pfn;
    f->old_bytes = PAGE;
    return 0;
}

static int handle_present(struct fault *f, struct emt_cursor *c) {
    const struct emt_tobj *o = &c->obj;
    bool writable = tobj(f->os, o, EMT_ATTR_WRITE);

    if (!tobj(f->os, o, EMT_ATTR_PRESENT)) {
        f->op = OS_FAULT_SWAP;
        return swapin_fault(f->p, c, f->v, f->va, f->write);
    }
    if (f->write && !writable)
        return write_protected(f, c);
    f->op = OS_FAULT_SPURIOUS;
    if (!tobj(f->os, o, EMT_ATTR_USER) || (f->type == EMT_FETCH && !tobj(f->os, o, EMT_ATTR_EXEC)))
        return allow(f, c, writable);
    /* Another core was faster, or a TLB had an entry from before more was allowed, or only hardware has lost it. */
    emt_tdb_refill(&f->p->tdb, f->va);
    return 0;
}

/* ---- the whole ---- */

/* The range to lock, and whether a huge page is worth asking for. */
static bool fault_range(const struct fault *f, uint64_t *start, uint64_t *end) {
    const struct os *os = f->os;
    const struct vma *v = f->v;

    *start = f->va;
    *end = f->va + PAGE;
    if (v->file) {
        if (!f->write)
            window(os, v, f->va, start, end);
        return false;
    }
    uint64_t base = round_down(f->va, max_u64(os->huge_bytes, 1));
    if (!os->huge_bytes || !os->cfg.os.thp_on_fault || !thp_allowed(os, v) || base < v->start ||
        v->end - base < os->huge_bytes || !emt_huge_possible(&f->p->tdb, base, os->huge_bytes))
        return false;
    *start = base;
    *end = base + os->huge_bytes;
    return true;
}

/* Is the whole locked range void? The cursor found nothing at va; often that says it already. */
static bool range_is_void(struct fault *f, struct emt_cursor *c, uint64_t start, uint64_t end, int *err) {
    if (c->obj.va <= start && c->obj.va + c->obj.bytes >= end)
        return true;
    emt_cursor_close(c);
    bool empty = emt_range_void(&f->p->tdb, start, end - start);
    *err = emt_cursor_open(c, &f->p->tdb, start, end, NULL);
    return empty;
}

/* One attempt. -ENOMEM: nothing was done, and nothing is locked. */
static int fault_once(struct fault *f) {
    struct emt_cursor c;
    uint64_t start, end;
    bool huge = fault_range(f, &start, &end);
    int err = emt_cursor_open(&c, &f->p->tdb, start, end, NULL);

    if (err)
        return err;
    f->old_pfn = FRAME_NONE;
    if (emt_cursor_seek(&c, f->va)) {
        err = handle_present(f, &c);
    } else if (f->v->file) {
        err = map_file(f, &c);
    } else {
        bool all = huge && range_is_void(f, &c, start, end, &err);
        if (err)
            return err; /* not open any more */
        err = all ? thp_fault(f->p, &c, f->v, f->va, f->write, &f->op) : 1;
        if (err > 0) {
            emt_cursor_seek(&c, f->va);
            err = map_anonymous(f, &c);
        }
    }
    f->next = f->va + PAGE;
    if (!err && c.found && c.obj.va <= f->va && f->va < c.obj.va + c.obj.bytes)
        f->next = c.obj.va + c.obj.bytes;
    emt_cursor_close(&c);
    if (f->old_pfn != FRAME_NONE)
        page_put(f->os, f->old_pfn, f->old_bytes);
    return err;
}

/* Attempts, each with the memory that the last one wanted; those that failed are not charged: the kernel asks for
   memory before it begins. */
static int fault_attempts(struct fault *f) {
    struct account saved;
    unsigned tries = 0;
    int err;

    if (!f->os->reclaim)
        return fault_once(f);
    for (;;) {
        account_save(f->os, &saved);
        err = fault_once(f);
        if (err != -ENOMEM)
            return err;
        account_restore(f->os, &saved);
        err = reclaim_again(f->p, &tries);
        if (err)
            return err;
    }
}

int fault_handle(struct os_process *p, uint64_t va, unsigned type, enum os_op *op, uint64_t *next) {
    struct fault f = {.p = p,
                      .os = p->os,
                      .va = round_down(va, PAGE),
                      .type = type,
                      .write = type == EMT_STORE,
                      .op = OS_FAULT_BAD};
    unsigned tries = 0;
    int err;

    *op = OS_FAULT_BAD;
    err = reclaim_before(p, 1);
    if (err)
        return err;
    f.v = f.va < p->os->user_top ? find_or_grow(p, f.va) : NULL;
    if (!f.v || !allowed(f.v, type)) {
        p->os->stats.segv++;
        return -EFAULT;
    }
    if (f.v->file && vma_page(f.v, f.va) >= round_up(f.v->file->bytes, PAGE) >> EMT_PAGE_SHIFT)
        return -EFBIG;
    do {
        err = fault_attempts(&f);
        if (err == -EAGAIN) {
            err = thp_split(p, f.va);
            if (err == -ENOMEM)
                err = reclaim_again(p, &tries);
            err = err ? err : -EAGAIN;
        }
    } while (err == -EAGAIN);
    if (p->os->place.mark.p)
        placement_mark(p->os);
    *op = f.op;
    *next = f.next;
    if (err == -ENOMEM)
        p->os->stats.out_of_memory++;
    return err;
}

int fault_populate(struct os_process *p, uint64_t start, uint64_t end, bool write) {
    enum os_op op;
    int err = 0;

    for (uint64_t va = start, next = va; va < end && !err; va = next)
        err = fault_handle(p, va, write ? EMT_STORE : EMT_LOAD, &op, &next);
    return err;
}

int os_fault(struct os_process *p, unsigned core, uint64_t va, unsigned type, uint32_t code) {
    struct os *os = p->os;
    enum os_op op;
    uint64_t next;

    (void)code; /* the tables and the VMA say it all: the code may be stale by now */
    os->node = (int)(core * os->cfg.memory.nodes / max_u64(os->cfg.core.count, 1));
    account_begin(os, OS_FAULT_BAD);
    account_cost(os, OS_COST_FAULT, 1);
    int err = fault_handle(p, va, type, &op, &next);
    if (err)
        account_cost(os, OS_COST_SIGNAL, 1);
    account_as(os, op);
    os->stats.op[op].extra_cycles += os->cfg.core.fault_cycles;
    account_end(os);
    return err;
}
