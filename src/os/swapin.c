/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A page comes back from swap, with its neighbours:
 *
 *     cluster   the aligned window of slots around it, as they lie on the device: where seeks cost
 *     vma       the window of addresses around it, as tables name their slots: where they do not
 *
 * The window is Linux's: as large as os.swap.readahead_pages when the last one's pages were used, else half of what
 * it was, down to none. Devices as fast as memory read one page. What was read ahead waits in the swap cache, on
 * the inactive list. Requests for adjacent slots are one request.
 */
#include <stdlib.h>
#include <string.h>

#include "os/reclaim.h"

/* ---- devices ---- */

/* Somebody waits: the operation that runs pays. */
static void wait_for(struct os *os, uint64_t cycles) {
    os->reclaim->waited += cycles;
    os_charge_cycles(os, OS_OPS, cycles);
}

/* A test's hook: is this the request that must fail? */
static bool must_fail(struct reclaim *r) {
    if (!r->fail_at || --r->fail_at)
        return false;
    r->fail_at = r->fail_every;
    return true;
}

int reclaim_io(struct os *os, bool swap, uint64_t at, unsigned pages, bool write) {
    struct reclaim *r = os->reclaim;
    struct device *d = swap ? &r->swap_device : &r->file_device;
    uint64_t now = r->now ? r->now(r->now_ctx) + os->account.extra : r->waited;

    account_cost(os, OS_COST_IO, 1);
    wait_for(os, device_io(d, now, at, pages, write));
    if (must_fail(r)) {
        d->stats->errors++;
        return -EIO;
    }
    return device_fails(d) ? -EIO : 0;
}

/* ---- what files hold, for tests ---- */

/* Index of (file, page) in r->disk, or r->ndisk. Tests have few pages. */
static uint64_t disk_place(const struct reclaim *r, const struct os_file *f, uint64_t page) {
    for (uint64_t i = 0; i < r->ndisk; i++)
        if (r->disk[3 * i] == f->serial && r->disk[3 * i + 1] == page)
            return i;
    return r->ndisk;
}

uint64_t disk_content(const struct os *os, const struct os_file *f, uint64_t page) {
    const struct reclaim *r = os->reclaim;
    uint64_t i = r ? disk_place(r, f, page) : 0;

    return r && i < r->ndisk ? r->disk[3 * i + 2] : os_content_file(f->id, page);
}

void disk_write(struct os *os, const struct os_file *f, uint64_t page, uint64_t content) {
    struct reclaim *r = os->reclaim;
    uint64_t i = disk_place(r, f, page);

    if (i == r->disk_room) {
        uint64_t room = r->disk_room ? r->disk_room * 2 : 64;
        uint64_t *more = realloc(r->disk, room * 3 * sizeof(*more));
        if (!more)
            abort(); /* a test's own book-keeping */
        r->disk = more;
        r->disk_room = room;
    }
    r->ndisk += i == r->ndisk;
    memcpy(&r->disk[3 * i], (uint64_t[]){f->serial, page, content}, 3 * sizeof(uint64_t));
}

void disk_forget(struct os *os, const struct os_file *f, uint64_t first) {
    struct reclaim *r = os->reclaim;
    uint64_t n = 0;

    for (uint64_t i = 0; r && i < r->ndisk; i++)
        if (r->disk[3 * i] != f->serial || r->disk[3 * i + 1] < first)
            memmove(&r->disk[3 * n++], &r->disk[3 * i], 3 * sizeof(uint64_t));
    if (r)
        r->ndisk = n;
}

/* ---- reading ahead ---- */

/* How many pages around the one that is wanted, itself included; a power of two (Linux's __swapin_nr_pages). */
static unsigned window_pages(struct os *os, uint64_t slot) {
    struct reclaim *r = os->reclaim;
    unsigned most = os->cfg.os.swap.readahead_pages, hits = r->ahead_hits, pages = 4;

    if (most <= 1 || r->swap_immediate)
        return 1;
    if (hits == 0 && slot != r->last_slot + 1 && slot + 1 != r->last_slot)
        pages = 1;
    else if (hits)
        while (pages < hits + 2)
            pages *= 2;
    if (pages > most)
        pages = most;
    if (pages < r->ahead_last / 2)
        pages = r->ahead_last / 2;
    r->ahead_hits = 0;
    r->ahead_last = pages;
    r->last_slot = slot;
    return pages;
}

/* The slot of the page at va, when it is private and out: SWAP_NONE otherwise. The cursor of the fault is open
   elsewhere in the same range lock: basic lookups only. */
static uint64_t slot_at(struct os_process *p, uint64_t va) {
    struct emt_tobj o;

    if (emt_tdb_find(&p->tdb, va, &o) || tobj(p->os, &o, EMT_ATTR_PRESENT))
        return SWAP_NONE;
    return tobj(p->os, &o, EMT_ATTR_SWAP);
}

/* The wanted slot and what to read with it, in ascending order of slots. */
static unsigned choose(struct os_process *p, const struct vma *v, uint64_t va, uint64_t slot, uint64_t out[64]) {
    struct os *os = p->os;
    const struct reclaim *r = os->reclaim;
    unsigned pages = window_pages(os, slot), n = 0;
    bool by_vma = os->cfg.os.swap.readahead == CFG_READAHEAD_VMA ||
                  (os->cfg.os.swap.readahead == CFG_READAHEAD_AUTO && !r->swap_device.timing.seek_ns);

    if (by_vma && !vma_private(v)) /* no table names what belongs to a file */
        pages = 1;
    for (unsigned i = 0; i < pages; i++) {
        uint64_t at;

        if (by_vma) {
            uint64_t start = round_down(va >> EMT_PAGE_SHIFT, pages) + i;
            at = start << EMT_PAGE_SHIFT >= v->start && start << EMT_PAGE_SHIFT < v->end
                     ? slot_at(p, start << EMT_PAGE_SHIFT)
                     : SWAP_NONE;
        } else {
            at = (slot & ~(uint64_t)(pages - 1)) + i;
        }
        if (at == slot || (at != SWAP_NONE && at < r->swap.slots && r->swap.count[at] && !r->swap.cached[at]))
            out[n++] = at;
    }
    if (pages == 1)
        out[0] = slot, n = 1;
    for (unsigned i = 1; i < n; i++) /* insertion: addresses' slots are nearly in order */
        for (unsigned k = i; k && out[k] < out[k - 1]; k--) {
            uint64_t t = out[k];
            out[k] = out[k - 1];
            out[k - 1] = t;
        }
    return n;
}

/* ---- one page, and those with it ---- */

/* A frame for a slot's page, in the swap cache. FRAME_NONE. */
static uint64_t new_page(struct os_process *p, uint64_t va, uint64_t slot, bool ahead) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;
    uint64_t pfn = page_alloc(p, va, PAGE, OS_USE_4K);

    if (pfn == FRAME_NONE)
        return FRAME_NONE;
    struct frame *f = frames_of(os->frames, pfn);
    swap_cache(&r->swap, slot, pfn);
    f->flags |= FRAME_CACHED | (ahead ? FRAME_AHEAD : 0);
    if (os->content)
        content_set(os, pfn, PAGE, r->swap.content[slot]);
    account_cost(os, OS_COST_CACHE_FILL, 1);
    struct lruvec *l = reclaim_vec(os, f);
    r->policy->del(os, l, pfn, f);
    if (!ahead)
        r->policy->refault(os, l, f, r->swap.shadow[slot]);
    r->policy->add(os, l, pfn, f, ahead ? JOIN_AHEAD : JOIN_YOUNG);
    os->stats.reclaim.swapped_in++;
    os->stats.reclaim.read_ahead += ahead;
    return pfn;
}

static void drop(struct os *os, uint64_t pfn) {
    os->stats.reclaim.swapped_in--;
    os->stats.reclaim.read_ahead -= (frames_of(os->frames, pfn)->flags & FRAME_AHEAD) != 0;
    page_free(os, pfn);
}

static uint64_t read_in(struct os_process *p, const struct vma *v, uint64_t va, uint64_t slot, int *err) {
    struct os *os = p->os;
    uint64_t slots[64], pfns[64], wanted = FRAME_NONE;
    unsigned n = choose(p, v, va, slot, slots);

    /* Restricted frames depend on the address, which is known of one page only. */
    if (os->caps.places)
        slots[0] = slot, n = 1;
    *err = -ENOMEM;
    wanted = new_page(p, va, slot, false);
    if (wanted == FRAME_NONE)
        return FRAME_NONE;
    for (unsigned i = 0; i < n; i++)
        pfns[i] = slots[i] == slot ? wanted : reclaim_allows(p, 1) ? new_page(p, va, slots[i], true) : FRAME_NONE;
    for (unsigned i = 0, k; i < n; i = k) {
        k = i + 1;
        if (pfns[i] == FRAME_NONE)
            continue;
        while (k < n && slots[k] == slots[k - 1] + 1 && pfns[k] != FRAME_NONE)
            k++;
        if (reclaim_io(os, true, slots[i], k - i, false) == 0)
            continue;
        for (unsigned j = i; j < k; j++) { /* nothing came of this request */
            if (slots[j] == slot) {
                wanted = FRAME_NONE;
                *err = -EIO;
            }
            drop(os, pfns[j]);
        }
    }
    return wanted;
}

uint64_t swapin_page(struct os_process *p, const struct vma *v, uint64_t va, uint64_t slot, int *err) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;

    account_cost(os, OS_COST_SWAP_FIND, 1);
    if (!r->swap.cached[slot])
        return read_in(p, v, va, slot, err);
    uint64_t pfn = r->swap.cached[slot] - 1;
    struct frame *f = frames_of(os->frames, pfn);
    os->stats.reclaim.swap_cached++;
    if (f->flags & FRAME_AHEAD) {
        f->flags &= (uint16_t)~FRAME_AHEAD;
        r->ahead_hits++;
        os->stats.reclaim.read_ahead_used++;
    }
    return pfn;
}

/* Nobody else has the content: no slot is needed, and the page may be written to. */
static void leave_cache(struct os *os, uint64_t pfn, struct frame *f) {
    swap_uncache(&os->reclaim->swap, pfn);
    f->flags &= (uint16_t)~FRAME_CACHED;
    account_cost(os, OS_COST_SWAP_SLOT, 1);
}

/* A write to a page that others still have in swap, or mapped: a copy for this mapping. */
static int map_copy(struct os_process *p, struct emt_cursor *c, const struct vma *v, uint64_t va, uint64_t from) {
    struct os *os = p->os;
    uint64_t pfn = page_alloc(p, va, PAGE, OS_USE_4K);

    if (pfn == FRAME_NONE)
        return -ENOMEM;
    frames_of(os->frames, pfn)->owner = frames_of(os->frames, from)->owner;
    page_copy(os, pfn, from, PAGE);
    int err = page_map(p, c, v, va, pfn, PAGE, true);
    if (err)
        page_free(os, pfn);
    return err;
}

int swapin_fault(struct os_process *p, struct emt_cursor *c, const struct vma *v, uint64_t va, bool write) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;
    uint64_t slot = tobj(os, &c->obj, EMT_ATTR_SWAP);
    int err;
    uint64_t pfn = swapin_page(p, v, va, slot, &err);

    if (pfn == FRAME_NONE)
        return err;
    struct frame *f = frames_of(os->frames, pfn);
    f->owner = vma_page(v, va) << 20 | (p->family & 0xfffff);
    bool copy = write && (f->maps || r->swap.count[slot] > 1);
    emt_cursor_seek(c, va); /* what was read ahead was looked for by other means */
    err = copy ? map_copy(p, c, v, va, pfn) : page_map(p, c, v, va, pfn, PAGE, write);
    if (err)
        return err;
    swap_put(&r->swap, slot); /* the frame keeps it */
    if (!r->swap.count[slot] && f->maps == 1 && (write || r->swap_immediate || swap_half_full(&r->swap)))
        leave_cache(os, pfn, f);
    return 0;
}

uint64_t swapin_shmem(struct os_process *p, const struct vma *v, uint64_t va, int *err) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;
    uint64_t page = vma_page(v, va), slot = file_page(v->file, page) & ~FILE_SWAP;
    uint64_t pfn = swapin_page(p, v, va, slot, err);

    if (pfn == FRAME_NONE)
        return FRAME_NONE;
    struct frame *f = frames_of(os->frames, pfn);
    r->swap.count[slot] = 0;
    leave_cache(os, pfn, f);
    f->use = OS_USE_FILE;
    f->owner = v->file->serial << 40 | (page & ((1ull << 40) - 1));
    file_set_page(v->file, page, pfn); /* has its leaf: cannot fail */
    return pfn;
}

void swap_drop(struct os *os, uint64_t slot) {
    struct swap *s = &os->reclaim->swap;

    account_cost(os, OS_COST_SWAP_SLOT, 1);
    if (s->cached[slot] && s->count[slot] == 1) {
        uint64_t pfn = s->cached[slot] - 1;

        swap_put(s, slot);
        if (!frames_of(os->frames, pfn)->maps)
            page_free(os, pfn);
    } else {
        swap_put(s, slot);
    }
    os->stats.reclaim.swap_used_bytes = s->used * PAGE;
}
