/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* OS calls, decoded from bytes, in the OS and in the model. */
#include <string.h>

#include "oracle_model.h"

/* ---- input ---- */

static unsigned byte(struct world *w) {
    return w->at < w->end ? *w->at++ : 0;
}
static unsigned below(struct world *w, unsigned n) {
    unsigned lo = byte(w);

    return (lo | byte(w) << 8) % n;
}

/* A range of pages: small, up to a huge page, or anything; often aligned like a huge page. */
static void pick_range(struct world *w, unsigned *first, unsigned *count) {
    static const unsigned most[] = {4, 40, 512, PAGES};
    unsigned kind = byte(w);

    *first = below(w, PAGES);
    *count = 1 + below(w, most[kind & 3]);
    if (kind & 0x80) {
        *first &= ~511u;
        if (kind & 0x40)
            *count = kind & 0x20 ? 512 : 1024;
    }
    if (*count > PAGES - *first)
        *count = PAGES - *first;
}

static struct process *pick_process(struct world *w) {
    struct process *pr = &w->process[byte(w) % PROCESSES];

    return pr->p ? pr : &w->process[0];
}

/* ---- calls ---- */

static void call_mmap(struct world *w, struct process *pr) {
    static const int prots[] = {3, 3, 1, 0, 7, 2, 3, 5};
    unsigned first, count, kind = byte(w), file = kind >> 4 & 3;
    int prot = prots[byte(w) & 7], flags = ABI_MAP_FIXED | (kind & 1 ? ABI_MAP_SHARED : ABI_MAP_PRIVATE);
    uint64_t index = 0, addr;
    struct object *o = NULL;

    pick_range(w, &first, &count);
    if (file < FILES) {
        o = w->file[file];
        index = below(w, 64);
    } else {
        flags |= ABI_MAP_ANONYMOUS;
    }
    if ((kind & 0x0e) == 0x0e)
        flags |= ABI_MAP_POPULATE;
    addr = va_of(first);
    int got = os_mmap(pr->p, &addr, count * PAGE, prot, flags, o ? o->file : 0, index * PAGE);
    if (got == -ENOMEM) {
        model_resync(w, pr, first, count);
        return;
    }
    if (got || addr != va_of(first)) {
        model_fail(w, pr, first, "mmap returned %d", got);
        return;
    }
    if (!o && (kind & 1))
        o = model_object(w, 0, count);
    for (unsigned i = 0; i < count; i++)
        pr->page[first + i] =
            (struct page){.mapped = true, .shared = kind & 1, .prot = prot, .object = o, .index = index + i};
    if (flags & ABI_MAP_POPULATE)
        model_resync(w, pr, first, count);
}

/* Private memory that huge pages fit into, which random ranges alone rarely are. */
static void call_arrange(struct world *w, struct process *pr) {
    unsigned kind = byte(w), first = (kind & 3) * 512, count = kind & 4 && first < 1536 ? 1024 : 512;
    uint64_t addr = va_of(first);
    int got = os_mmap(pr->p, &addr, count * PAGE, ABI_PROT_READ | ABI_PROT_WRITE,
                      ABI_MAP_FIXED | ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0, 0);

    if (got == -ENOMEM) {
        model_resync(w, pr, first, count);
        return;
    }
    if (got)
        model_fail(w, pr, first, "mmap returned %d", got);
    for (unsigned i = first; i < first + count; i++)
        pr->page[i] = (struct page){.mapped = true, .prot = ABI_PROT_READ | ABI_PROT_WRITE};
    got = os_madvise(pr->p, addr, count * PAGE, kind & 8 ? ABI_MADV_HUGEPAGE : ABI_MADV_NOHUGEPAGE);
    for (unsigned i = first; i < first + count && !w->bad && (kind & 16); i += 1 + (kind >> 5) * 8)
        model_store(w, pr, i);
    if (!(kind & 8))
        os_madvise(pr->p, addr, count * PAGE, ABI_MADV_HUGEPAGE); /* for khugepaged */
}

static void call_munmap(struct world *w, struct process *pr) {
    unsigned first, count;

    pick_range(w, &first, &count);
    int got = os_munmap(pr->p, va_of(first), count * PAGE);
    if (got == -ENOMEM)
        model_resync(w, pr, first, count);
    else if (got)
        model_fail(w, pr, first, "munmap returned %d", got);
    else
        model_forget_range(pr, first, count);
}

static void call_mprotect(struct world *w, struct process *pr) {
    static const int prots[] = {3, 1, 0, 7, 5, 3, 2, 4};
    unsigned first, count, i;
    int prot = prots[byte(w) & 7];

    pick_range(w, &first, &count);
    int got = os_mprotect(pr->p, va_of(first), count * PAGE, prot);
    for (i = first; i < first + count && pr->page[i].mapped; i++)
        ;
    bool hole = i < first + count;
    if (got == -ENOMEM && !hole) {
        w->counts.out_of_memory++;
        model_resync(w, pr, first, count);
    } else if (got == -ENOMEM) {
        model_resync(w, pr, first, i - first); /* the hole, or no memory before it */
    } else if (got || hole) {
        model_fail(w, pr, first, "mprotect returned %d", got);
    } else {
        for (i = first; i < first + count; i++)
            pr->page[i].prot = prot;
    }
}

/* The effect on one page; an error stops at its VMA. */
static int advise_page(struct page *pg, int advice, bool reclaim) {
    switch (advice) {
    case ABI_MADV_DONTNEED:
        pg->own = false;
        return 0;
    case ABI_MADV_FREE:
        pg->lazy |= reclaim && pg->own && !pg->object;
        return pg->object ? -EINVAL : 0;
    case ABI_MADV_REMOVE:
        if (!pg->shared || !(pg->prot & ABI_PROT_WRITE))
            return -EINVAL;
        if (pg->index < pg->object->pages)
            pg->object->content[pg->index] = 0;
        return 0;
    case ABI_MADV_WIPEONFORK:
        if (pg->object)
            return -EINVAL;
        pg->wipe = true;
        return 0;
    case ABI_MADV_KEEPONFORK:
        pg->wipe = false;
        return 0;
    case ABI_MADV_DONTFORK:
    case ABI_MADV_DOFORK:
        pg->dontfork = advice == ABI_MADV_DONTFORK;
        return 0;
    default:
        return 0;
    }
}

static void call_madvise(struct world *w, struct process *pr) {
    static const int advices[] = {
        ABI_MADV_DONTNEED,      ABI_MADV_DONTNEED,       ABI_MADV_HUGEPAGE,   ABI_MADV_NOHUGEPAGE,
        ABI_MADV_FREE,          ABI_MADV_REMOVE,         ABI_MADV_WIPEONFORK, ABI_MADV_KEEPONFORK,
        ABI_MADV_DONTFORK,      ABI_MADV_DOFORK,         ABI_MADV_COLLAPSE,   ABI_MADV_COLLAPSE,
        ABI_MADV_POPULATE_READ, ABI_MADV_POPULATE_WRITE, ABI_MADV_WILLNEED,   ABI_MADV_COLD};
    unsigned first, count;
    int advice = advices[byte(w) & 15], want = 0;
    bool hole = false,
         lax = advice == ABI_MADV_COLLAPSE || advice == ABI_MADV_POPULATE_READ || advice == ABI_MADV_POPULATE_WRITE;

    pick_range(w, &first, &count);
    int got = os_madvise(pr->p, va_of(first), count * PAGE, advice);
    for (unsigned i = first; i < first + count && !want; i++) {
        if (pr->page[i].mapped && !(got == -ENOMEM && advice == ABI_MADV_DONTNEED))
            want = advise_page(&pr->page[i], advice, w->setup->reclaim != CFG_RECLAIM_NONE);
        hole |= !pr->page[i].mapped;
    }
    if (got == -ENOMEM && !want && !hole)
        w->counts.out_of_memory++;
    if (got == -ENOMEM || got == -EIO || advice == ABI_MADV_POPULATE_WRITE)
        model_resync(w, pr, first, count); /* a hole does not stop it, no memory does */
    else if (!lax && got != (want ? want : hole ? -ENOMEM : 0))
        model_fail(w, pr, first, "madvise(%d) returned %d", advice, got);
}

static void move_pages(struct process *pr, unsigned from, unsigned old, unsigned to, unsigned count, int flags) {
    struct page like = pr->page[from];

    for (unsigned i = 0; i < count; i++) {
        struct page pg = i < old ? pr->page[from + i] : like;
        if (i >= old) {
            pg.own = false;
            pg.index = like.index + i;
        }
        pr->page[to + i] = pg;
    }
    for (unsigned i = 0; i < old && to != from; i++) {
        if (flags & ABI_MREMAP_DONTUNMAP)
            pr->page[from + i].own = false;
        else
            model_forget(&pr->page[from + i]);
    }
    for (unsigned i = count; i < old && to == from; i++)
        model_forget(&pr->page[from + i]);
}

static void call_mremap(struct world *w, struct process *pr) {
    unsigned first, old, to, count, kind = byte(w);
    int flags = 0;

    pick_range(w, &first, &old);
    to = first;
    if (kind & 1) {
        pick_range(w, &to, &count);
        flags = ABI_MREMAP_MAYMOVE | ABI_MREMAP_FIXED;
        if (kind & 4)
            count = old < PAGES - to ? old : PAGES - to;
        if ((kind & 2) && count == old)
            flags |= ABI_MREMAP_DONTUNMAP;
    } else {
        count = 1 + below(w, PAGES - first);
    }
    uint64_t addr = va_of(to);
    int got = os_mremap(pr->p, va_of(first), old * PAGE, &addr, count * PAGE, flags);
    if (got == -EFAULT)
        return; /* not one VMA: the model knows of none */
    if (got == -ENOMEM) {
        model_resync(w, pr, first, old);
        model_resync(w, pr, to, count);
        return;
    }
    bool overlap = (kind & 1) && to < first + old && first < to + count;
    if (got != (overlap ? -EINVAL : 0)) {
        model_fail(w, pr, first, "mremap returned %d", got);
        return;
    }
    for (unsigned i = 0; i < old && !got; i++)
        if (!pr->page[first + i].mapped)
            model_fail(w, pr, first + i, "mremap moved what is not mapped");
    if (!got && addr != va_of(to))
        model_fail(w, pr, first, "mremap went elsewhere");
    if (!got)
        move_pages(pr, first, old, to, count, flags);
}

static void call_brk(struct world *w, struct process *pr) {
    unsigned to = HEAP - 8 + below(w, PAGES - HEAP + 8);
    bool room = to >= HEAP;

    for (unsigned i = pr->brk; i < to; i++)
        room &= !pr->page[i].mapped;
    int got = os_brk(pr->p, va_of(to));
    if (got == -ENOMEM) {
        if (room)
            model_resync(w, pr, HEAP, PAGES - HEAP);
        return;
    }
    if (got || !room) {
        model_fail(w, pr, to, "brk returned %d", got);
        return;
    }
    for (unsigned i = pr->brk; i < to; i++)
        pr->page[i] = (struct page){.mapped = true, .prot = ABI_PROT_READ | ABI_PROT_WRITE};
    for (unsigned i = to; i < pr->brk; i++)
        model_forget(&pr->page[i]);
    pr->brk = to;
}

static void call_fork(struct world *w, struct process *pr) {
    struct process *child = &w->process[byte(w) % PROCESSES];

    if (child->p)
        return;
    int got = os_fork(pr->p, w->next_id++, &child->p);
    if (got == -ENOMEM) {
        child->p = NULL;
        w->counts.out_of_memory++;
        return;
    }
    if (got) {
        model_fail(w, pr, 0, "fork returned %d", got);
        return;
    }
    child->brk = pr->brk;
    memcpy(child->page, pr->page, sizeof(pr->page));
    for (unsigned i = 0; i < PAGES; i++) {
        struct page *pg = &child->page[i];
        if (pg->dontfork)
            model_forget(pg);
        else if (pg->wipe)
            pg->own = false;
    }
}

static void call_exit(struct world *w, struct process *pr) {
    if (pr == &w->process[0])
        return;
    os_exit(pr->p);
    pr->p = NULL;
}

static void call_truncate(struct world *w) {
    struct object *o = w->file[byte(w) % FILES];
    unsigned pages = below(w, 600);
    uint64_t bytes = pages * PAGE - (pages && (byte(w) & 1) ? 1000 : 0);

    if (os_file(w->os, o->file, bytes)) {
        model_fail(w, NULL, 0, "os_file returned an error");
        return;
    }
    o->pages = pages;
    for (unsigned i = pages; i < 2 * PAGES; i++)
        o->content[i] = os_content_file(o->file, i);
    for (unsigned n = 0; n < PROCESSES; n++)
        for (unsigned i = 0; i < PAGES; i++)
            if (w->process[n].page[i].object == o && w->process[n].page[i].index >= pages)
                w->process[n].page[i].own = false;
}

void model_call(struct world *w) {
    unsigned op = byte(w) & 31, step = 1 + (byte(w) & 15), first, count;
    struct process *pr = pick_process(w);

    switch (op) {
    case 0:
    case 1:
    case 2:
        call_mmap(w, pr);
        break;
    case 3:
        call_arrange(w, pr);
        break;
    case 4:
        call_munmap(w, pr);
        break;
    case 5:
    case 6:
        call_mprotect(w, pr);
        break;
    case 7:
    case 8:
    case 9:
        call_madvise(w, pr);
        break;
    case 10:
    case 11:
        call_mremap(w, pr);
        break;
    case 12:
    case 13:
        call_brk(w, pr);
        break;
    case 14:
    case 15:
        call_fork(w, pr);
        break;
    case 16:
        call_exit(w, pr);
        break;
    case 17:
        if (byte(w) < 32) {
            os_exec(pr->p);
            model_start(pr);
        }
        break;
    case 18:
        os_tick(w->os, w->now += 1000 + below(w, 5000));
        break;
    case 19:
        call_truncate(w);
        break;
    case 20:
    case 21:
    case 22:
        pick_range(w, &first, &count);
        for (unsigned i = first; i < first + count && !w->bad; i += step)
            model_load(w, pr, i);
        break;
    case 23:
        os_switch(pr->p, 0);
        w->fail_at = 1 + (step & 7); /* table memory ends during the next call */
        break;
    default:
        pick_range(w, &first, &count);
        for (unsigned i = first; i < first + count && !w->bad; i += step)
            model_store(w, pr, i);
    }
}
