/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reverse mapping: from a frame to the tables that map it, without a list for each frame.
 *
 *     frame.owner ──> private: index, family      ──> processes of the family ─┐
 *                └──> file: serial, page          ──> all processes           ─┴─> VMAs that show this page ──>
 * tables
 *
 * As in Linux, what comes out are addresses where the frame may be mapped; the tables say whether it is. The search
 * ends when as many mappings are found as the record counts. Private memory is looked for where it was created
 * first: for most pages that is the one place.
 */
#include <stdlib.h>

#include "os/reclaim.h"

#define INDEX_MASK ((1ull << 44) - 1) /* what the key keeps of a private page's index */

/* The object that maps pfn at va, if one does. */
static bool maps(struct os_process *p, uint64_t va, uint64_t pfn, struct emt_tobj *o) {
    struct os *os = p->os;

    account_cost(os, OS_COST_RMAP, 1);
    emt_range_lock(&p->tdb, va, PAGE);
    bool found = emt_tdb_find(&p->tdb, va, o) == 0 && tobj(os, o, EMT_ATTR_PRESENT) &&
                 tobj(os, o, EMT_ATTR_PFN) + ((va - o->va) >> EMT_PAGE_SHIFT) == pfn;
    emt_range_unlock(&p->tdb, va, PAGE);
    return found;
}

/* false: host memory ran out. */
static bool look(struct os_process *p, const struct vma *v, uint64_t va, uint64_t pfn) {
    struct reclaim *r = p->os->reclaim;
    struct emt_tobj o;

    if (!maps(p, va, pfn, &o))
        return true;
    if (r->nmap == r->map_room) {
        uint64_t room = r->map_room ? r->map_room * 2 : 16;
        struct rmap *more = realloc(r->map, room * sizeof(*more));
        if (!more)
            return false;
        r->map = more;
        r->map_room = room;
    }
    bool dirty = tobj(p->os, &o, EMT_ATTR_DIRTY) || (!r->hardware_dirty && tobj(p->os, &o, EMT_ATTR_WRITE));
    r->map[r->nmap++] = (struct rmap){.p = p,
                                      .v = v,
                                      .va = va,
                                      .bytes = o.bytes,
                                      .dirty = dirty,
                                      .exec = (v->prot & ABI_PROT_EXEC) != 0,
                                      .file = v->file != NULL};
    return true;
}

static bool find_private(struct os_process *p, uint64_t pfn, const struct frame *f) {
    const struct reclaim *r = p->os->reclaim;
    uint64_t index = f->owner >> 20;
    struct vma *first = vma_at(&p->vmas, index << EMT_PAGE_SHIFT);

    if (first && vma_private(first) && (vma_page(first, index << EMT_PAGE_SHIFT) & INDEX_MASK) == index) {
        if (!look(p, first, index << EMT_PAGE_SHIFT, pfn))
            return false;
    } else {
        first = NULL;
    }
    for (struct vma *v = p->vmas.first; v && r->nmap < f->maps; v = v->next) {
        uint64_t at = (index - vma_page(v, v->start)) & INDEX_MASK;

        if (v != first && vma_private(v) && at < (v->end - v->start) >> EMT_PAGE_SHIFT &&
            !look(p, v, v->start + at * PAGE, pfn))
            return false;
    }
    return true;
}

static bool find_cached(struct os_process *p, uint64_t pfn, const struct frame *f, const struct os_file *file,
                        uint64_t page) {
    for (struct vma *v = p->vmas.first; v && p->os->reclaim->nmap < f->maps; v = v->next) {
        uint64_t at = page - vma_page(v, v->start);

        if (v->file == file && at < (v->end - v->start) >> EMT_PAGE_SHIFT && !look(p, v, v->start + at * PAGE, pfn))
            return false;
    }
    return true;
}

struct os_file *rmap_file(const struct os *os, const struct frame *f, uint64_t *page) {
    uint64_t serial = f->owner >> 40;

    *page = f->owner & ((1ull << 40) - 1);
    for (struct os_file *file = os->files.first; file; file = file->next)
        if (file->serial == serial)
            return file;
    return NULL;
}

bool rmap_find(struct os *os, uint64_t pfn, const struct frame *f) {
    struct reclaim *r = os->reclaim;
    struct os_file *file = NULL;
    uint64_t page = 0;

    r->nmap = 0;
    if (f->use == OS_USE_FILE && !(file = rmap_file(os, f, &page)))
        return false;
    for (uint64_t i = 0; i < os->nprocess && r->nmap < f->maps; i++) {
        struct os_process *p = os->process[i];
        bool ok = true;

        if (file)
            ok = find_cached(p, pfn, f, file, page);
        else if ((p->family & 0xfffff) == (f->owner & 0xfffff))
            ok = find_private(p, pfn, f);
        if (!ok)
            return false;
    }
    return r->nmap == f->maps;
}

/* As Linux on x86: no flush. A TLB that still holds the page does not say so, and the page looks unused. */
unsigned rmap_referenced(struct os *os, uint64_t pfn, const struct frame *f, bool *exec) {
    struct reclaim *r = os->reclaim;
    unsigned n = 0;

    *exec = false;
    rmap_find(os, pfn, f);
    for (uint64_t i = 0; i < r->nmap; i++) {
        const struct rmap *m = &r->map[i];

        emt_range_lock(&m->p->tdb, m->va, PAGE);
        bool used = emt_tdb_test_clear(&m->p->tdb, m->va, EMT_AGE_ACCESSED) > 0;
        emt_range_unlock(&m->p->tdb, m->va, PAGE);
        n += used;
        *exec |= used && m->exec && m->file;
    }
    return n;
}

int rmap_unmap(struct os *os, const struct rmap *m, uint64_t pfn, uint64_t slot) {
    struct emt_cursor c;
    struct emt_tobj o;
    int err = slot == SWAP_NONE ? 0 : emt_tobj_init_swap(os->svc, &o, m->va, PAGE, slot);

    if (!err)
        err = emt_cursor_open(&c, &m->p->tdb, m->va, m->va + PAGE, NULL);
    if (err)
        return err;
    if (!emt_cursor_seek(&c, m->va) || tobj(os, &c.obj, EMT_ATTR_PFN) != pfn)
        err = -EFAULT;
    else
        err = slot == SWAP_NONE ? emt_cursor_erase(&c) : emt_cursor_set(&c, &o);
    emt_cursor_close(&c); /* flushes */
    if (err)
        return err;
    page_count_mapped(os, PAGE, -1);
    account_cost(os, OS_COST_PAGE_REMOVE, 1);
    return 0;
}
