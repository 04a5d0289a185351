/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Random OS calls against a model of contents: see oracle.h. */
#include "oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/reclaim.h"

#define ARENA     0x40000000ull /* aligned to 1 GiB */
#define PAGES     2048u         /* 8 MiB: four huge pages */
#define HEAP      1700u         /* where each process's heap begins */
#define PROCESSES 4
#define FILES     3
#define TLB       64

/* What several processes may share: a file, or shared anonymous memory. */
struct object {
    uint64_t content[2 * PAGES]; /* as the page cache shows it */
    uint64_t pages;              /* beyond: SIGBUS */
    uint64_t file;               /* 0: anonymous */
    struct object *next;
};

struct page {
    bool mapped, shared, own; /* own: `content` is private to this page */
    bool lazy;                /* MADV_FREE: may be zeroes as well, until the next store */
    bool dontfork, wipe;
    int prot;
    struct object *object; /* NULL: private anonymous */
    uint64_t index;        /* page of the object */
    uint64_t content;
};

struct process {
    struct os_process *p;
    uint32_t brk; /* page */
    struct page page[PAGES];
};

struct tlb_entry {
    const struct emt_tdb *tdb; /* NULL: empty */
    struct os_process *p;
    uint64_t va, pfn;
    bool write;
};

struct world {
    const struct oracle_setup *setup;
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_config cfg;
    struct os *os;
    struct process process[PROCESSES];
    struct object *objects;
    struct object *file[FILES];
    struct tlb_entry tlb[TLB];
    uint32_t next_id;
    uint64_t next_content, now, fail_at;
    uint64_t boot_tables; /* frames that the service keeps from boot to shutdown */
    const uint8_t *at, *end;
    struct oracle_counts counts;
    bool bad;
};

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

static uint64_t va_of(unsigned page) {
    return ARENA + (uint64_t)page * PAGE;
}

__attribute__((format(printf, 4, 5))) static void fail(struct world *w, const struct process *pr, unsigned page,
                                                       const char *format, ...) {
    va_list ap;

    if (pr && pr->p && pr->p->killed)
        return; /* whatever it was about is no more */
    fprintf(stderr, "oracle: call %" PRIu64 ", process %ld, page %u: ", w->counts.calls,
            pr ? (long)(pr - w->process) : -1L, page);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    w->bad = true;
}

/* ---- the TLB that only flushes clear ---- */

static void on_flush(void *hw, const struct emt_flush *f) {
    struct world *w = hw;

    for (unsigned i = 0; i < TLB; i++) {
        struct tlb_entry *e = &w->tlb[i];
        bool mine = f->kind == EMT_FLUSH_ALL || (f->tdb == e->tdb && f->kind == EMT_FLUSH_ASID) ||
                    (f->tdb == e->tdb && e->va + PAGE > f->va && e->va < f->va + f->bytes);
        if (mine)
            e->tdb = NULL;
    }
}

static void tlb_fill(struct world *w, struct os_process *p, uint64_t va, bool write) {
    struct emt_tobj o;

    if (emt_tdb_find(&p->tdb, va, &o))
        return;
    w->tlb[(va >> EMT_PAGE_SHIFT) % TLB] =
        (struct tlb_entry){.tdb = &p->tdb,
                           .p = p,
                           .va = va,
                           .pfn = tobj(w->os, &o, EMT_ATTR_PFN) + ((va - o.va) >> EMT_PAGE_SHIFT),
                           .write = write};
}

static void tlb_check(struct world *w) {
    for (unsigned i = 0; i < TLB; i++) {
        const struct tlb_entry *e = &w->tlb[i];
        struct emt_tobj o;

        if (!e->tdb)
            continue;
        if (emt_tdb_find(&e->p->tdb, e->va, &o) || !tobj(w->os, &o, EMT_ATTR_PRESENT) ||
            !tobj(w->os, &o, EMT_ATTR_USER) || (e->write && !tobj(w->os, &o, EMT_ATTR_WRITE)) ||
            tobj(w->os, &o, EMT_ATTR_PFN) + ((e->va - o.va) >> EMT_PAGE_SHIFT) != e->pfn) {
            fail(w, NULL, (unsigned)((e->va - ARENA) >> EMT_PAGE_SHIFT),
                 "a TLB would be stale: a flush is missing");
            return;
        }
    }
}

/* ---- the model ---- */

static uint64_t expected(const struct page *pg) {
    if (pg->own)
        return pg->content;
    return pg->object ? pg->object->content[pg->index] : 0;
}

static bool beyond_end(const struct page *pg) {
    return pg->object && pg->index >= pg->object->pages;
}

/* Reclaim has taken what MADV_FREE gave up. */
static void discarded(struct page *pg) {
    pg->own = pg->lazy = false;
}

static void forget(struct page *pg) {
    memset(pg, 0, sizeof(*pg));
}

static void forget_range(struct process *pr, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; i++)
        forget(&pr->page[i]);
}

/* A call ran out of memory half way, or did what it could: which of its effects are there? */
static void resync(struct world *w, struct process *pr, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count && i < PAGES; i++) {
        struct page *pg = &pr->page[i];
        struct vma *v = vma_at(&pr->p->vmas, va_of(i));
        struct emt_tobj o;

        if (!v) {
            forget(pg);
            continue;
        }
        pg->prot = (int)v->prot;
        pg->wipe = v->flags & VMA_WIPEONFORK;
        pg->dontfork = v->flags & VMA_DONTFORK;
        bool there = emt_tdb_find(&pr->p->tdb, va_of(i), &o) == 0;
        uint64_t pfn = there ? tobj(w->os, &o, EMT_ATTR_PFN) : 0;
        there = there && (!tobj(w->os, &o, EMT_ATTR_PRESENT) ||
                          (!page_is_zero(w->os, pfn) &&
                           frames_of(w->os->frames, frames_head(w->os->frames, pfn))->use != OS_USE_FILE));
        if (there && !pg->own)
            pg->content = expected(pg); /* a copy that no store asked for: populated */
        pg->own = there;
    }
}

static struct object *new_object(struct world *w, uint64_t file, uint64_t pages) {
    struct object *o = calloc(1, sizeof(*o));

    if (!o)
        abort();
    o->file = file;
    o->pages = pages;
    for (unsigned i = 0; file && i < 2 * PAGES; i++)
        o->content[i] = os_content_file(file, i);
    o->next = w->objects;
    w->objects = o;
    return o;
}

/* ---- accesses ---- */

/* Not the program's fault: no memory, no process any more, a device error. What was there is still there. */
static bool excused(struct world *w, int got) {
    w->counts.out_of_memory += got == -ENOMEM;
    w->counts.io_errors += got == -EIO;
    return got == -ENOMEM || got == -ESRCH || (got == -EIO && w->setup->fail_every);
}

static int expected_error(const struct page *pg, int need) {
    if (!pg->mapped || !pg->prot || (pg->prot & need) != need)
        return -EFAULT;
    return beyond_end(pg) ? -EFBIG : 0;
}

static void store(struct world *w, struct process *pr, unsigned i) {
    struct page *pg = &pr->page[i];
    uint64_t content = ++w->next_content;
    int want = expected_error(pg, ABI_PROT_WRITE), got = os_store(pr->p, va_of(i), content);

    w->counts.stores++;
    if (!want && excused(w, got))
        return;
    if (got != want) {
        fail(w, pr, i, "store returned %d, expected %d", got, want);
        return;
    }
    if (got)
        return;
    tlb_fill(w, pr->p, va_of(i), true);
    pg->lazy = false;
    if (pg->shared) {
        pg->object->content[pg->index] = content;
    } else {
        pg->own = true;
        pg->content = content;
    }
}

static void load(struct world *w, struct process *pr, unsigned i) {
    struct page *pg = &pr->page[i];
    int want = expected_error(pg, 0), got = 0;
    uint64_t content = 0;

    w->counts.loads++;
    if (os_content(pr->p, va_of(i), &content)) {
        got = os_fault(pr->p, 0, va_of(i), EMT_LOAD, EMT_PF_USER);
        if (!want && excused(w, got))
            return;
        if (!got && os_content(pr->p, va_of(i), &content))
            fail(w, pr, i, "nothing is mapped after a fault");
    }
    if (!got && pg->lazy && content == 0)
        discarded(pg);
    if (got != want)
        fail(w, pr, i, "load returned %d, expected %d", got, want);
    else if (!got && content != expected(pg))
        fail(w, pr, i, "shows %" PRIx64 ", expected %" PRIx64, content, expected(pg));
    else if (!got)
        tlb_fill(w, pr->p, va_of(i), false);
}

/* Everything that is mapped shows what it must, without a fault; private contents are there. */
static void check_all(struct world *w) {
    for (unsigned n = 0; n < PROCESSES && !w->bad; n++) {
        struct process *pr = &w->process[n];

        for (unsigned i = 0; pr->p && i < PAGES && !w->bad; i++) {
            struct page *pg = &pr->page[i];
            uint64_t content;
            bool there = os_content_kept(pr->p, va_of(i), &content) == 0;

            if (pg->lazy && (!there || content == 0))
                discarded(pg);
            if (!there) {
                if (pg->own && pg->prot)
                    fail(w, pr, i, "a private page is lost");
                continue;
            }
            if (!pg->mapped || (!pg->prot && !os_content(pr->p, va_of(i), &content)) || beyond_end(pg))
                fail(w, pr, i, "is mapped, and must not be");
            else if (content != expected(pg))
                fail(w, pr, i, "shows %" PRIx64 ", expected %" PRIx64, content, expected(pg));
        }
    }
    if (!w->bad && os_verify(w->os))
        fail(w, NULL, 0, "os_verify() failed");
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
        resync(w, pr, first, count);
        return;
    }
    if (got || addr != va_of(first)) {
        fail(w, pr, first, "mmap returned %d", got);
        return;
    }
    if (!o && (kind & 1))
        o = new_object(w, 0, count);
    for (unsigned i = 0; i < count; i++)
        pr->page[first + i] =
            (struct page){.mapped = true, .shared = kind & 1, .prot = prot, .object = o, .index = index + i};
    if (flags & ABI_MAP_POPULATE)
        resync(w, pr, first, count);
}

/* Private memory that huge pages fit into, which random ranges alone rarely are. */
static void call_arrange(struct world *w, struct process *pr) {
    unsigned kind = byte(w), first = (kind & 3) * 512, count = kind & 4 && first < 1536 ? 1024 : 512;
    uint64_t addr = va_of(first);
    int got = os_mmap(pr->p, &addr, count * PAGE, ABI_PROT_READ | ABI_PROT_WRITE,
                      ABI_MAP_FIXED | ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0, 0);

    if (got == -ENOMEM) {
        resync(w, pr, first, count);
        return;
    }
    if (got)
        fail(w, pr, first, "mmap returned %d", got);
    for (unsigned i = first; i < first + count; i++)
        pr->page[i] = (struct page){.mapped = true, .prot = ABI_PROT_READ | ABI_PROT_WRITE};
    got = os_madvise(pr->p, addr, count * PAGE, kind & 8 ? ABI_MADV_HUGEPAGE : ABI_MADV_NOHUGEPAGE);
    for (unsigned i = first; i < first + count && !w->bad && (kind & 16); i += 1 + (kind >> 5) * 8)
        store(w, pr, i);
    if (!(kind & 8))
        os_madvise(pr->p, addr, count * PAGE, ABI_MADV_HUGEPAGE); /* for khugepaged */
}

static void call_munmap(struct world *w, struct process *pr) {
    unsigned first, count;

    pick_range(w, &first, &count);
    int got = os_munmap(pr->p, va_of(first), count * PAGE);
    if (got == -ENOMEM)
        resync(w, pr, first, count);
    else if (got)
        fail(w, pr, first, "munmap returned %d", got);
    else
        forget_range(pr, first, count);
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
        resync(w, pr, first, count);
    } else if (got == -ENOMEM) {
        resync(w, pr, first, i - first); /* the hole, or no memory before it */
    } else if (got || hole) {
        fail(w, pr, first, "mprotect returned %d", got);
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
        resync(w, pr, first, count); /* a hole does not stop it, no memory does */
    else if (!lax && got != (want ? want : hole ? -ENOMEM : 0))
        fail(w, pr, first, "madvise(%d) returned %d", advice, got);
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
            forget(&pr->page[from + i]);
    }
    for (unsigned i = count; i < old && to == from; i++)
        forget(&pr->page[from + i]);
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
        resync(w, pr, first, old);
        resync(w, pr, to, count);
        return;
    }
    bool overlap = (kind & 1) && to < first + old && first < to + count;
    if (got != (overlap ? -EINVAL : 0)) {
        fail(w, pr, first, "mremap returned %d", got);
        return;
    }
    for (unsigned i = 0; i < old && !got; i++)
        if (!pr->page[first + i].mapped)
            fail(w, pr, first + i, "mremap moved what is not mapped");
    if (!got && addr != va_of(to))
        fail(w, pr, first, "mremap went elsewhere");
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
            resync(w, pr, HEAP, PAGES - HEAP);
        return;
    }
    if (got || !room) {
        fail(w, pr, to, "brk returned %d", got);
        return;
    }
    for (unsigned i = pr->brk; i < to; i++)
        pr->page[i] = (struct page){.mapped = true, .prot = ABI_PROT_READ | ABI_PROT_WRITE};
    for (unsigned i = to; i < pr->brk; i++)
        forget(&pr->page[i]);
    pr->brk = to;
}

static void start_process(struct world *w, struct process *pr) {
    forget_range(pr, 0, PAGES);
    pr->brk = HEAP;
    os_brk(pr->p, va_of(HEAP));
    (void)w;
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
        fail(w, pr, 0, "fork returned %d", got);
        return;
    }
    child->brk = pr->brk;
    memcpy(child->page, pr->page, sizeof(pr->page));
    for (unsigned i = 0; i < PAGES; i++) {
        struct page *pg = &child->page[i];
        if (pg->dontfork)
            forget(pg);
        else if (pg->wipe)
            pg->own = false;
    }
}

/* Whom the OOM killer has ended is waited for; the first one comes again. */
static void bury(struct world *w) {
    for (unsigned n = 0; n < PROCESSES; n++) {
        struct process *pr = &w->process[n];

        if (!pr->p || !pr->p->killed)
            continue;
        w->counts.killed++;
        os_exit(pr->p);
        pr->p = NULL;
        if (n == 0 && os_process_new(w->os, w->next_id++, &pr->p))
            abort();
        if (n == 0)
            start_process(w, pr);
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
        fail(w, NULL, 0, "os_file returned an error");
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

static void one_call(struct world *w) {
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
            start_process(w, pr);
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
            load(w, pr, i);
        break;
    case 23:
        os_switch(pr->p, 0);
        w->fail_at = 1 + (step & 7); /* table memory ends during the next call */
        break;
    default:
        pick_range(w, &first, &count);
        for (unsigned i = first; i < first + count && !w->bad; i += step)
            store(w, pr, i);
    }
}

/* ---- the whole ---- */

static void configure(struct world *w) {
    struct emt_config *c = &w->cfg;

    c->core.count = 2;
    c->memory.bytes = w->setup->memory_bytes;
    c->memory.nodes = w->setup->nodes;
    c->os.thp = w->setup->thp;
    c->os.thp_on_fault = c->os.khugepaged = true;
    c->os.scan_every_instructions = 1000;
    c->os.scan_pages = 1024;
    c->os.max_ptes_none = 511;
    c->os.zero_page = w->setup->zero_page;
    c->os.fault_around_pages = w->setup->fault_around_pages;
    c->os.stack_bytes = 8 << 20;
    c->os.placement = w->setup->placement;
    c->os.contig_pages = 8;
    c->os.ca_split_order = 10;
    c->os.ca_replace_order = 9;
    c->os.eager_max_order = 12;
    c->os.ranger_every_instructions = 2000;
    c->os.ranger_pages = 4000;
    c->os.reclaim.policy = w->setup->reclaim;
    c->os.reclaim.swappiness = 60;
    c->os.reclaim.watermark_scale = 10;
    c->os.reclaim.scan_every_instructions = 1000;
    c->os.swap.bytes = w->setup->swap_bytes;
    c->os.swap.timing.device = w->setup->device;
    c->os.swap.readahead_pages = 8;
    c->os.limit_bytes = w->setup->limit_bytes;
    c->os.limit_process = 1;
    c->core.frequency_mhz = 2000;
    for (unsigned i = 0; i < os_cost_count; i++)
        c->os.cost[i] = os_cost_table[i].instructions;
}

static bool open_world(struct world *w) {
    static const unsigned pages[FILES] = {600, 64, 11};

    configure(w);
    if (emt_host_init(&w->host, w->setup->memory_bytes))
        return false;
    w->host.unmovable_frames = emt_host_frames(&w->host) / 16; /* tables of mosaic pages need a place */
    if (emt_tsvc_init(&w->svc, w->setup->own_arch ? w->setup->own_arch : emt_arch_find(w->setup->arch), &w->host,
                      w->setup->basic_only) ||
        os_new(&w->os, &w->cfg, &w->svc))
        return false;
    w->boot_tables = w->os->table_frames;
    w->host.flush = on_flush;
    w->host.hw = w;
    os_track_content(w->os);
    os_fail_io(w->os, w->setup->fail_every, w->setup->fail_every);
    for (unsigned i = 0; i < FILES; i++) {
        w->file[i] = new_object(w, i + 1, pages[i]);
        os_file(w->os, i + 1, pages[i] * PAGE - 100);
    }
    w->next_id = 2;
    if (os_process_new(w->os, 1, &w->process[0].p))
        return false;
    start_process(w, &w->process[0]);
    return true;
}

static void close_world(struct world *w) {
    uint64_t left = w->os->reserved_frames;
    const struct os_stats *s = os_stats_of(w->os);

    w->counts.huge_faults = s->op[OS_FAULT_HUGE].calls;
    w->counts.splits = s->huge_splits;
    w->counts.collapses = s->huge_collapses;
    w->counts.copies = s->pages_copied_bytes / PAGE;
    w->counts.placed = s->place.hits;
    w->counts.moved = s->place.migrated_bytes + s->place.exchanged_bytes;
    w->counts.swapped_out = s->reclaim.swapped_out;
    w->counts.swapped_in = s->reclaim.swapped_in;
    w->counts.refaults = s->reclaim.refaults;
    w->counts.written_back = s->reclaim.written_back;
    w->counts.discarded = s->reclaim.discarded;
    w->counts.conflicts = s->reclaim.conflicts;
    w->counts.ghosts = s->reclaim.ghosts_evicted;
    for (unsigned n = 0; n < PROCESSES; n++)
        if (w->process[n].p)
            os_exit(w->process[n].p);
    if (!w->bad && (os_verify(w->os) || w->os->table_frames != w->boot_tables))
        fail(w, NULL, 0, "after all processes ended %" PRIu64 " table frames remain",
             w->os->table_frames - w->boot_tables);
    (void)left;
    os_free(w->os);
    emt_tsvc_fini(&w->svc);
    emt_host_fini(&w->host);
    while (w->objects) {
        struct object *o = w->objects;
        w->objects = o->next;
        free(o);
    }
}

int oracle_run(const struct oracle_setup *setup, const uint8_t *bytes, size_t n, struct oracle_counts *counts) {
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->setup = setup;
    w->at = bytes;
    w->end = bytes + n;
    if (!open_world(w)) {
        fprintf(stderr, "oracle: cannot set up\n");
        abort();
    }
    while (w->at < w->end && !w->bad) {
        w->host.fail_at = w->fail_at;
        w->fail_at = 0;
        one_call(w);
        w->host.fail_at = 0;
        w->counts.calls++;
        bury(w);
        if (!w->bad)
            tlb_check(w);
        if (!w->bad && w->counts.calls % setup->verify_every == 0)
            check_all(w);
    }
    if (!w->bad)
        check_all(w);
    for (unsigned k = 0; k < PROCESSES; k++)
        for (unsigned i = 0; i < PAGES && w->process[k].p && !w->bad; i++)
            load(w, &w->process[k], i);
    bury(w);
    if (!w->bad)
        check_all(w);
    bool bad = w->bad;
    close_world(w);
    bad |= w->bad;
    if (counts)
        *counts = w->counts;
    free(w);
    return bad ? -1 : 0;
}
