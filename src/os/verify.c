/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every invariant of the OS, checked from the outside in:
 *
 *   VMAs      ordered, apart, the tree and its gaps right
 *   objects   within VMAs, never more rights than their VMA; writable private memory is mapped once
 *   frames    as many mappings as the record says; the frame of a file's page is the one in the page cache
 *   swap      as many entries refer to a slot as it says; a cached frame shows what its slot holds
 *   lists     every frame of the user's is on the list that its record says, once
 *   sums      every frame is free, reserved, a table's or the user's; the user's are all mapped or cached
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/reclaim.h"

struct verify {
    struct os *os;
    uint32_t *maps;  /* found, by the frame that has the record */
    uint32_t *slots; /* entries found, by slot; NULL: no swap */
    uint64_t frames; /* the user's, found */
    uint64_t mapped_bytes[3];
    int wrong;
};

static void wrong(struct verify *k, const struct os_process *p, uint64_t va, const char *what) {
    if (p)
        fprintf(stderr, "emt: os: process %" PRIu32 ", 0x%" PRIx64 ": %s\n", p->id, va, what);
    else
        fprintf(stderr, "emt: os: frame 0x%" PRIx64 ": %s\n", va, what);
    k->wrong++;
}

/* Count one mapping of each frame record behind an object. */
static void count(struct verify *k, struct os_process *p, const struct emt_tobj *o, uint64_t pfn) {
    struct frames *frames = k->os->frames;
    uint64_t n = o->bytes >> EMT_PAGE_SHIFT, step;

    for (uint64_t i = 0; i < n; i += step) {
        uint64_t head = frames_head(frames, pfn + i);
        if (head == FRAME_NONE) {
            wrong(k, p, o->va, "maps a free frame");
            return;
        }
        step = 1ull << frames_of(frames, head)->order;
        if (step > 1 && (head != pfn || step != n)) {
            wrong(k, p, o->va, "maps a part of a huge frame");
            return;
        }
        if (!k->maps[head]++)
            k->frames += step;
    }
}

static void check_frame(struct verify *k, struct os_process *p, const struct vma *v, const struct emt_tobj *o,
                        uint64_t pfn) {
    const struct frame *f = frames_of(k->os->frames, frames_head(k->os->frames, pfn));
    bool writable = tobj(k->os, o, EMT_ATTR_WRITE);

    if (f->use == OS_USE_FILE) {
        if (!v->file || file_page(v->file, vma_page(v, o->va)) != pfn)
            wrong(k, p, o->va, "maps a page of the cache that is another file's or page's");
        if (vma_private(v) && writable)
            wrong(k, p, o->va, "may write to the page cache through a private mapping");
        return;
    }
    if (f->use != OS_USE_4K && f->use != OS_USE_2M)
        wrong(k, p, o->va, "maps a frame that is not the user's");
    if (!vma_private(v))
        wrong(k, p, o->va, "maps private memory in a shared VMA");
    if (!v->anon)
        wrong(k, p, o->va, "maps private memory, but its VMA says that it has none");
    if (writable && !page_exclusive(k->os, pfn, o->bytes)) {
        bool split = o->bytes > PAGE && f->order == 0; /* its frames are counted one by one */
        for (uint64_t i = 0; split && i < o->bytes >> EMT_PAGE_SHIFT; i++)
            split = frames_of(k->os->frames, pfn + i)->maps == 1;
        if (!split)
            wrong(k, p, o->va, "may write to memory that another mapping shares");
    }
}

static void check_swapped(struct verify *k, struct os_process *p, const struct vma *v, const struct emt_tobj *o) {
    uint64_t slot = tobj(k->os, o, EMT_ATTR_SWAP);

    if (!v)
        wrong(k, p, o->va, "in swap outside of the VMAs");
    else if (!k->slots || slot == SWAP_NONE || slot >= k->os->reclaim->swap.slots)
        wrong(k, p, o->va, "an entry for a slot that does not exist");
    else if (!v->anon || !vma_private(v))
        wrong(k, p, o->va, "a swap entry where no private memory is");
    else
        k->slots[slot]++;
}

static void check_object(struct verify *k, struct os_process *p, const struct emt_tobj *o) {
    struct os *os = k->os;
    const struct vma *v = vma_at(&p->vmas, o->va);
    uint64_t pfn = tobj(os, o, EMT_ATTR_PFN);

    if (!tobj(os, o, EMT_ATTR_PRESENT)) {
        check_swapped(k, p, v, o);
        return;
    }
    k->mapped_bytes[o->bytes < 1ull << EMT_SHIFT_2M ? 0 : o->bytes < 1ull << EMT_SHIFT_1G ? 1 : 2] += o->bytes;
    if (!v || v->end < o->va + o->bytes) {
        wrong(k, p, o->va, "mapped outside of the VMAs");
        return;
    }
    if (tobj(os, o, EMT_ATTR_WRITE) && !(v->prot & ABI_PROT_WRITE))
        wrong(k, p, o->va, "may be written, its VMA may not");
    if (tobj(os, o, EMT_ATTR_EXEC) && tobj(os, o, EMT_ATTR_USER) && !(v->prot & ABI_PROT_EXEC))
        wrong(k, p, o->va, "may be executed, its VMA may not");
    if (tobj(os, o, EMT_ATTR_USER) && !v->prot)
        wrong(k, p, o->va, "may be read, its VMA may not");
    if (page_is_zero(os, pfn)) {
        if (tobj(os, o, EMT_ATTR_WRITE) || v->file)
            wrong(k, p, o->va, "may write to the page of zeroes");
        return;
    }
    if (frames_head(os->frames, pfn) != FRAME_NONE)
        check_frame(k, p, v, o, pfn);
    count(k, p, o, pfn);
}

static void check_process(struct verify *k, struct os_process *p) {
    struct emt_cursor c;

    if (vma_verify(&p->vmas))
        k->wrong++;
    if (emt_cursor_open(&c, &p->tdb, 0, k->os->user_top, NULL)) {
        wrong(k, p, 0, "its tables cannot be read");
        return;
    }
    while (emt_cursor_next(&c))
        check_object(k, p, &c.obj);
    emt_cursor_close(&c);
}

static void check_cached(void *ctx, struct os_file *f, uint64_t page, uint64_t pfn) {
    struct verify *k = ctx;
    const struct frame *r = frames_of(k->os->frames, pfn);

    (void)f;
    (void)page;
    if (!r || r->use != OS_USE_FILE)
        wrong(k, NULL, pfn, "in the page cache, but not allocated for it");
    else if (!k->maps[pfn])
        k->frames++;
}

static void check_file_slot(void *ctx, struct os_file *f, uint64_t page, uint64_t value) {
    struct verify *k = ctx;

    (void)page;
    if (f->id || !k->slots || (value & ~FILE_SWAP) >= k->os->reclaim->swap.slots)
        wrong(k, NULL, value, "a file's page in a slot that does not exist");
    else
        k->slots[value & ~FILE_SWAP]++;
}

/* Slots, and frames in the swap cache that nothing maps. */
static void check_swap(struct verify *k) {
    const struct swap *s = &k->os->reclaim->swap;
    uint64_t used = 0;

    for (uint64_t slot = 1; k->slots && slot < s->slots; slot++) {
        uint64_t pfn = s->cached[slot] - 1ull;
        const struct frame *f = s->cached[slot] ? frames_of(k->os->frames, pfn) : NULL;

        used += swap_in_use(s, slot);
        if (k->slots[slot] != s->count[slot])
            wrong(k, NULL, slot, "is a slot with more or fewer entries than it says");
        if (!s->cached[slot])
            continue;
        if (!f || !(f->flags & FRAME_CACHED) || s->slot[pfn] != slot) {
            wrong(k, NULL, pfn, "not in the swap cache, but a slot says so");
            continue;
        }
        if (s->count[slot] && k->os->content && k->os->content[pfn] != s->content[slot])
            wrong(k, NULL, pfn, "shows something else than its slot");
        if (!k->maps[pfn])
            k->frames++;
        if (!k->maps[pfn] && !s->count[slot])
            wrong(k, NULL, pfn, "in the swap cache for nobody");
    }
    if (s->slots && used != s->used)
        wrong(k, NULL, used, "slots are in use, swap says otherwise");
}

/* Follow every list, or count what has a stamp. */
static void check_lists(struct verify *k) {
    const struct reclaim *r = k->os->reclaim;
    uint64_t pages = 0, listed = 0;

    for (uint64_t pfn = 0; pfn < r->frames; pfn++) {
        const struct frame *f = frames_of(k->os->frames, pfn);
        if (f && f->flags & FRAME_LISTED)
            listed += 1ull << f->order;
        if (f && f->flags & FRAME_LISTED && f->use == OS_USE_TABLE)
            wrong(k, NULL, pfn, "a table's, and on a list");
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct lruvec *l = &r->vec[i];
        const struct lru_list *lists[4 + 2 * GENS];
        unsigned n = 0;

        for (unsigned j = 0; j < 4; j++)
            lists[n++] = &l->list[j / 2][j % 2];
        for (unsigned j = 0; j < 2 * GENS; j++)
            lists[n++] = &l->gen[j / 2][j % 2];
        for (unsigned j = 0; j < n && !r->horizon; j++)
            for (uint32_t at = lists[j]->first; at; at = lru_at(r->entry, at - 1)->link.next) {
                const struct frame *f = frames_of(k->os->frames, at - 1ull);
                if (!f || !(f->flags & FRAME_LISTED) || ((f->flags & FRAME_LIMITED) != 0) != (i == 1)) {
                    wrong(k, NULL, at - 1ull, "on a list where it does not belong");
                    break;
                }
                pages += 1ull << f->order;
            }
        pages += r->horizon ? l->pages : 0;
    }
    if (pages != listed)
        wrong(k, NULL, listed, "pages say that they are listed, the lists have others");
    if (listed != k->frames)
        wrong(k, NULL, listed, "pages are listed, others of the user's could never leave");
}

static void check_sums(struct verify *k) {
    struct os *os = k->os;
    uint64_t used = frames_total(os->frames) - frames_free_total(os->frames);

    k->frames += os->zero_pfn != FRAME_NONE;
    k->frames += os->huge_zero_pfn != FRAME_NONE ? 1ull << os->huge_order : 0;
    if (k->frames != os->user_frames) {
        fprintf(stderr, "emt: os: %" PRIu64 " frames are mapped or cached, %" PRIu64 " were allocated for it\n",
                k->frames, os->user_frames);
        k->wrong++;
    }
    if (used != os->reserved_frames + os->table_frames + os->user_frames) {
        fprintf(stderr,
                "emt: os: %" PRIu64 " frames in use, but %" PRIu64 " reserved, %" PRIu64 " for tables, %" PRIu64
                " for users\n",
                used, os->reserved_frames, os->table_frames, os->user_frames);
        k->wrong++;
    }
    for (unsigned i = 0; i < 3; i++)
        if (k->mapped_bytes[i] != os->stats.mapped_bytes[i]) {
            fprintf(stderr, "emt: os: %" PRIu64 " bytes are mapped with page size %u, statistics say %" PRIu64 "\n",
                    k->mapped_bytes[i], i, os->stats.mapped_bytes[i]);
            k->wrong++;
        }
    for (uint64_t pfn = 0; pfn < frames_total(os->frames); pfn++) {
        const struct frame *f = k->maps[pfn] ? frames_of(os->frames, pfn) : NULL;
        if (f && f->maps != k->maps[pfn])
            wrong(k, NULL, pfn, "mapped more or less often than its record says");
    }
}

int os_verify(struct os *os) {
    struct verify k = {.os = os, .maps = calloc(frames_total(os->frames), sizeof(*k.maps))};
    struct os_peek peek;

    if (!k.maps)
        return -ENOMEM;
    if (os->reclaim && os->reclaim->swap.slots)
        k.slots = calloc(os->reclaim->swap.slots, sizeof(*k.slots));
    os_peek_begin(os, &peek);
    if (frames_verify(os->frames))
        k.wrong++;
    for (uint64_t i = 0; i < os->nprocess; i++)
        check_process(&k, os->process[i]);
    for (struct os_file *f = os->files.first; f; f = f->next)
        file_each_page(f, 0, ~0ull, check_cached, &k);
    for (struct os_file *f = os->files.first; f; f = f->next)
        file_each_swapped(f, 0, ~0ull, check_file_slot, &k);
    if (os->reclaim) {
        check_swap(&k);
        check_lists(&k);
    }
    check_sums(&k);
    os_peek_end(os, &peek);
    free(k.maps);
    free(k.slots);
    return k.wrong ? -EINVAL : 0;
}
