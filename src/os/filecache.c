/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Files, and which frame caches which page: see filecache.h. */
#include "os/filecache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_SHIFT 9
#define LEAF_PAGES (1u << LEAF_SHIFT)

/* Place of `id` in by_id, or where it belongs. */
static uint64_t place_of(const struct filecache *fc, uint64_t id) {
    uint64_t lo = 0, hi = fc->nfiles;

    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (fc->by_id[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct os_file *filecache_find(const struct filecache *fc, uint64_t id) {
    uint64_t at = place_of(fc, id);

    return at < fc->nfiles && fc->by_id[at]->id == id ? fc->by_id[at] : NULL;
}

static int number(struct filecache *fc, struct os_file *f) {
    if (fc->nfiles == fc->room) {
        uint64_t room = fc->room ? fc->room * 2 : 16;
        struct os_file **more = realloc(fc->by_id, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        fc->by_id = more;
        fc->room = room;
    }
    uint64_t at = place_of(fc, f->id);
    memmove(&fc->by_id[at + 1], &fc->by_id[at], (fc->nfiles - at) * sizeof(*fc->by_id));
    fc->by_id[at] = f;
    fc->nfiles++;
    return 0;
}

struct os_file *filecache_new(struct filecache *fc, uint64_t id, uint64_t bytes) {
    struct os_file *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->id = id;
    f->bytes = bytes;
    f->refs = 1;
    if (id && number(fc, f)) {
        free(f);
        return NULL;
    }
    f->serial = ++fc->serial;
    f->next = fc->first;
    if (f->next)
        f->next->prev = f;
    fc->first = f;
    return f;
}

void filecache_delete(struct filecache *fc, struct os_file *f) {
    if (f->id) {
        uint64_t at = place_of(fc, f->id);
        memmove(&fc->by_id[at], &fc->by_id[at + 1], (--fc->nfiles - at) * sizeof(*fc->by_id));
    }
    *(f->prev ? &f->prev->next : &fc->first) = f->next;
    if (f->next)
        f->next->prev = f->prev;
    for (uint64_t i = 0; i < f->leaf_room; i++)
        free(f->leaf[i].slot);
    free(f->leaf);
    free(f);
}

/* Where `chunk` is, or the free place where it would be. The table is never full. */
static struct file_leaf *leaf_at(struct file_leaf *leaf, uint64_t room, uint64_t chunk) {
    uint64_t i = (chunk * 0x9e3779b97f4a7c15ull >> 32) & (room - 1);

    while (leaf[i].slot && leaf[i].chunk != chunk)
        i = (i + 1) & (room - 1);
    return &leaf[i];
}

uint64_t file_page(const struct os_file *f, uint64_t page) {
    if (!f->leaf_room)
        return FILE_NONE;
    const struct file_leaf *l = leaf_at(f->leaf, f->leaf_room, page >> LEAF_SHIFT);
    return l->slot ? l->slot[page & (LEAF_PAGES - 1)] : FILE_NONE;
}

static int grow(struct os_file *f) {
    uint64_t room = f->leaf_room ? f->leaf_room * 2 : 8;
    struct file_leaf *leaf = calloc(room, sizeof(*leaf));

    if (!leaf)
        return -ENOMEM;
    for (uint64_t i = 0; i < f->leaf_room; i++)
        if (f->leaf[i].slot)
            *leaf_at(leaf, room, f->leaf[i].chunk) = f->leaf[i];
    free(f->leaf);
    f->leaf = leaf;
    f->leaf_room = room;
    return 0;
}

int file_set_page(struct os_file *f, uint64_t page, uint64_t value) {
    struct file_leaf *l = f->leaf_room ? leaf_at(f->leaf, f->leaf_room, page >> LEAF_SHIFT) : NULL;

    if (!l || !l->slot) {
        if (f->leaves * 2 >= f->leaf_room && grow(f))
            return -ENOMEM;
        l = leaf_at(f->leaf, f->leaf_room, page >> LEAF_SHIFT);
        l->slot = malloc(LEAF_PAGES * sizeof(*l->slot));
        if (!l->slot)
            return -ENOMEM;
        memset(l->slot, 0xff, LEAF_PAGES * sizeof(*l->slot)); /* FILE_NONE */
        l->chunk = page >> LEAF_SHIFT;
        f->leaves++;
    }
    uint64_t *slot = &l->slot[page & (LEAF_PAGES - 1)];
    f->cached_pages += (value < FILE_MAX_CACHED) - (*slot < FILE_MAX_CACHED);
    *slot = value;
    return 0;
}

void file_forget(struct os_file *f, uint64_t first) {
    for (uint64_t i = 0; i < f->leaf_room; i++)
        for (unsigned k = 0; f->leaf[i].slot && k < LEAF_PAGES; k++)
            if ((f->leaf[i].chunk << LEAF_SHIFT) + k >= first)
                f->leaf[i].slot[k] = FILE_NONE;
}

/* Values in [low, high). */
static void each_value(struct os_file *f, uint64_t first, uint64_t end, uint64_t low, uint64_t high,
                       void (*each)(void *ctx, struct os_file *f, uint64_t page, uint64_t value), void *ctx) {
    for (uint64_t i = 0; i < f->leaf_room; i++) {
        const struct file_leaf *l = &f->leaf[i];
        uint64_t page = l->chunk << LEAF_SHIFT;

        if (!l->slot || page + LEAF_PAGES <= first || page >= end)
            continue;
        for (unsigned k = 0; k < LEAF_PAGES; k++)
            if (page + k >= first && page + k < end && l->slot[k] >= low && l->slot[k] < high)
                each(ctx, f, page + k, l->slot[k]);
    }
}

void file_each_page(struct os_file *f, uint64_t first, uint64_t end,
                    void (*each)(void *ctx, struct os_file *f, uint64_t page, uint64_t pfn), void *ctx) {
    each_value(f, first, end, 0, FILE_MAX_CACHED, each, ctx);
}

void file_each_swapped(struct os_file *f, uint64_t first, uint64_t end,
                       void (*each)(void *ctx, struct os_file *f, uint64_t page, uint64_t value), void *ctx) {
    each_value(f, first, end, FILE_SWAP, FILE_EVICTED, each, ctx);
}
