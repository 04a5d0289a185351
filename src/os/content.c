/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a page shows: a name of 64 bits for each frame, moved along when the OS clears and copies. For tests. */
#include <stdlib.h>

#include "os/reclaim.h"

void os_track_content(struct os *os) {
    if (!os->content)
        os->content = calloc(frames_total(os->frames), sizeof(*os->content));
}

uint64_t os_content_file(uint64_t file, uint64_t page) {
    uint64_t z = (file << 44) ^ page;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull; /* splitmix64's mix: one to one */
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (z ^ z >> 31) | 1ull << 63; /* never 0, and apart from small numbers that tests store */
}

void content_set(struct os *os, uint64_t pfn, uint64_t bytes, uint64_t content) {
    if (!os->content)
        return;
    for (uint64_t i = 0; i < bytes >> EMT_PAGE_SHIFT; i++)
        os->content[pfn + i] = content;
}

void content_copy(struct os *os, uint64_t dst, uint64_t src, uint64_t bytes) {
    if (!os->content)
        return;
    for (uint64_t i = 0; i < bytes >> EMT_PAGE_SHIFT; i++)
        os->content[dst + i] = os->content[src + i];
}

void content_swap(struct os *os, uint64_t a, uint64_t b, uint64_t bytes) {
    for (uint64_t i = 0; os->content && i < bytes >> EMT_PAGE_SHIFT; i++) {
        uint64_t was = os->content[a + i];
        os->content[a + i] = os->content[b + i];
        os->content[b + i] = was;
    }
}

void os_peek_begin(const struct os *os, struct os_peek *peek) {
    peek->saved = *os->host;
    os->host->table_access = NULL;
}

void os_peek_end(const struct os *os, const struct os_peek *peek) {
    os->host->table_access = peek->saved.table_access;
    os->host->table_reads = peek->saved.table_reads;
    os->host->table_writes = peek->saved.table_writes;
    os->host->work_instructions = peek->saved.work_instructions;
    os->host->stall_cycles = peek->saved.stall_cycles;
}

/* The object that user mode may use at va. */
static bool find_usable(struct os_process *p, uint64_t va, bool write, struct emt_tobj *o) {
    struct os_peek peek;

    os_peek_begin(p->os, &peek);
    emt_range_lock(&p->tdb, round_down(va, PAGE), PAGE);
    bool found = emt_tdb_find(&p->tdb, va, o) == 0 && tobj(p->os, o, EMT_ATTR_PRESENT) &&
                 tobj(p->os, o, EMT_ATTR_USER) && (!write || tobj(p->os, o, EMT_ATTR_WRITE));
    emt_range_unlock(&p->tdb, round_down(va, PAGE), PAGE);
    os_peek_end(p->os, &peek);
    return found;
}

/* What hardware does when it stores. */
static void set_used(struct os_process *p, struct emt_tobj *o) {
    struct os_peek peek;

    if (tobj(p->os, o, EMT_ATTR_ACCESSED) && tobj(p->os, o, EMT_ATTR_DIRTY))
        return;
    os_peek_begin(p->os, &peek);
    emt_range_lock(&p->tdb, o->va, o->bytes);
    emt_tobj_set(p->os->svc, o, EMT_ATTR_ACCESSED, 1);
    emt_tobj_set(p->os->svc, o, EMT_ATTR_DIRTY, 1);
    emt_tdb_update(&p->tdb, o);
    emt_range_unlock(&p->tdb, o->va, o->bytes);
    os_peek_end(p->os, &peek);
}

static uint64_t frame_at(const struct os *os, const struct emt_tobj *o, uint64_t va) {
    return tobj(os, o, EMT_ATTR_PFN) + ((va - o->va) >> EMT_PAGE_SHIFT);
}

int os_content(struct os_process *p, uint64_t va, uint64_t *content) {
    struct emt_tobj o;

    if (!p->os->content || !find_usable(p, va, false, &o))
        return -EFAULT;
    *content = p->os->content[frame_at(p->os, &o, va)];
    return 0;
}

int os_content_kept(struct os_process *p, uint64_t va, uint64_t *content) {
    struct emt_tobj o;
    struct os_peek peek;

    if (!os_content(p, va, content))
        return 0;
    if (!p->os->content || !p->os->reclaim)
        return -EFAULT;
    os_peek_begin(p->os, &peek);
    uint64_t slot = emt_tdb_find(&p->tdb, va, &o) ? SWAP_NONE : tobj(p->os, &o, EMT_ATTR_SWAP);
    os_peek_end(p->os, &peek);
    if (slot == SWAP_NONE)
        return -EFAULT;
    const struct swap *s = &p->os->reclaim->swap;
    *content = s->cached[slot] ? p->os->content[s->cached[slot] - 1] : s->content[slot];
    return 0;
}

int os_store(struct os_process *p, uint64_t va, uint64_t content) {
    struct emt_tobj o;

    if (!p->os->content)
        return -EINVAL;
    /* A fault may split a huge page first, or map what the next one copies: never more than a few. */
    for (int tries = 0; tries < 8; tries++) {
        if (find_usable(p, va, true, &o)) {
            set_used(p, &o);
            p->os->content[frame_at(p->os, &o, va)] = content;
            return 0;
        }
        int err = os_fault(p, 0, va, EMT_STORE, EMT_PF_WRITE | EMT_PF_USER);
        if (err)
            return err;
    }
    return -ELOOP;
}
