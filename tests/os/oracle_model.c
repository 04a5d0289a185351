/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The model of contents, and what the OS says beside it: oracle_model.h. */
#include "oracle_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_fail(struct world *w, const struct process *pr, unsigned page, const char *format, ...) {
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

void model_on_flush(void *hw, const struct emt_flush *f) {
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

void model_tlb_check(struct world *w) {
    for (unsigned i = 0; i < TLB; i++) {
        const struct tlb_entry *e = &w->tlb[i];
        struct emt_tobj o;

        if (!e->tdb)
            continue;
        if (emt_tdb_find(&e->p->tdb, e->va, &o) || !tobj(w->os, &o, EMT_ATTR_PRESENT) ||
            !tobj(w->os, &o, EMT_ATTR_USER) || (e->write && !tobj(w->os, &o, EMT_ATTR_WRITE)) ||
            tobj(w->os, &o, EMT_ATTR_PFN) + ((e->va - o.va) >> EMT_PAGE_SHIFT) != e->pfn) {
            model_fail(w, NULL, (unsigned)((e->va - ARENA) >> EMT_PAGE_SHIFT),
                       "a TLB would be stale: a flush is missing");
            return;
        }
    }
}

/* ---- contents ---- */

uint64_t model_content(const struct page *pg) {
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

void model_forget(struct page *pg) {
    memset(pg, 0, sizeof(*pg));
}

void model_forget_range(struct process *pr, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; i++)
        model_forget(&pr->page[i]);
}

/* A call ran out of memory half way, or did what it could: which of its effects are there? */
void model_resync(struct world *w, struct process *pr, unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count && i < PAGES; i++) {
        struct page *pg = &pr->page[i];
        struct vma *v = vma_at(&pr->p->vmas, va_of(i));
        struct emt_tobj o;

        if (!v) {
            model_forget(pg);
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
            pg->content = model_content(pg); /* a copy that no store asked for: populated */
        pg->own = there;
    }
}

struct object *model_object(struct world *w, uint64_t file, uint64_t pages) {
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

void model_start(struct process *pr) {
    model_forget_range(pr, 0, PAGES);
    pr->brk = HEAP;
    os_brk(pr->p, va_of(HEAP));
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

void model_store(struct world *w, struct process *pr, unsigned i) {
    struct page *pg = &pr->page[i];
    uint64_t content = ++w->next_content;
    int want = expected_error(pg, ABI_PROT_WRITE), got = os_store(pr->p, va_of(i), content);

    w->counts.stores++;
    if (!want && excused(w, got))
        return;
    if (got != want) {
        model_fail(w, pr, i, "store returned %d, expected %d", got, want);
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

void model_load(struct world *w, struct process *pr, unsigned i) {
    struct page *pg = &pr->page[i];
    int want = expected_error(pg, 0), got = 0;
    uint64_t content = 0;

    w->counts.loads++;
    if (os_content(pr->p, va_of(i), &content)) {
        got = os_fault(pr->p, 0, va_of(i), EMT_LOAD, EMT_PF_USER);
        if (!want && excused(w, got))
            return;
        if (!got && os_content(pr->p, va_of(i), &content))
            model_fail(w, pr, i, "nothing is mapped after a fault");
    }
    if (!got && pg->lazy && content == 0)
        discarded(pg);
    if (got != want)
        model_fail(w, pr, i, "load returned %d, expected %d", got, want);
    else if (!got && content != model_content(pg))
        model_fail(w, pr, i, "shows %" PRIx64 ", expected %" PRIx64, content, model_content(pg));
    else if (!got)
        tlb_fill(w, pr->p, va_of(i), false);
}

/* Everything that is mapped shows what it must, without a fault; private contents are there. */
void model_check(struct world *w) {
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
                    model_fail(w, pr, i, "a private page is lost");
                continue;
            }
            if (!pg->mapped || (!pg->prot && !os_content(pr->p, va_of(i), &content)) || beyond_end(pg))
                model_fail(w, pr, i, "is mapped, and must not be");
            else if (content != model_content(pg))
                model_fail(w, pr, i, "shows %" PRIx64 ", expected %" PRIx64, content, model_content(pg));
        }
    }
    if (!w->bad && os_verify(w->os))
        model_fail(w, NULL, 0, "os_verify() failed");
}
