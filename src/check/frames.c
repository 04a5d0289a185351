/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Watched frames for tables: frames.h tells what is watched. */
#include "check/frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Looks present to x86-like formats, and leads outside of the kit's memory when it is followed. */
#define POISON 0xa5a5a5a5a5a5a5a5ull

void frames_wrong(struct frames *f, const char *what, uint64_t pa) {
    if (!f->wrong[0])
        snprintf(f->wrong, sizeof(f->wrong), "%s: physical address 0x%" PRIx64, what, pa);
}

#define PAGE_WORDS (EMT_PAGE_BYTES / 8)

static void poison(struct frames *f, uint64_t pa) {
    uint64_t *word = emt_host_word(f->host, pa);

    for (unsigned i = 0; i < PAGE_WORDS; i++)
        word[i] = POISON;
}

static bool page_is(struct frames *f, uint64_t pa, uint64_t expected) {
    const uint64_t *word = emt_host_word(f->host, pa);
    uint64_t differ = 0;

    for (unsigned i = 0; i < PAGE_WORDS; i++)
        differ |= word[i] ^ expected;
    return !differ;
}

/* Of a large table, what was only read is the host's page of zeros: writing to it would cost the host a page. */
static void poison_used(struct frames *f, uint64_t pa) {
    if (!page_is(f, pa, 0))
        poison(f, pa);
}

/* All poison still; or all zero, if the page was so when its frame came back. */
static void verify_poison(struct frames *f, uint64_t pa) {
    if (!page_is(f, pa, *emt_host_word(f->host, pa) ? POISON : 0))
        frames_wrong(f, "a table frame was written after it was given back", pa);
}

/*
 * Pages of an allocation that cost the host memory. Of large tables most were never touched, and to touch them all
 * takes longer than everything else that a program does.
 */
#define LARGE_ORDER 5
#define BATCH_PAGES 512u

static void each_page(struct frames *f, uint64_t pa, unsigned order, void (*fn)(struct frames *, uint64_t)) {
    unsigned char touched[BATCH_PAGES];

    for (uint64_t left = 1ull << order, n; left; left -= n, pa += n * EMT_PAGE_BYTES) {
        n = left < BATCH_PAGES ? left : BATCH_PAGES;
        if (order < LARGE_ORDER || mincore(f->host->phys + pa, n * EMT_PAGE_BYTES, touched))
            memset(touched, 1, n);
        for (uint64_t i = 0; i < n; i++)
            if (touched[i] & 1)
                fn(f, pa + i * EMT_PAGE_BYTES);
    }
}

static void mark(struct frames *f, uint64_t pa, unsigned order, unsigned head, unsigned rest) {
    uint8_t *state = f->state + (pa >> EMT_PAGE_SHIFT);

    memset(state, (int)rest, (size_t)1 << order);
    state[0] = (uint8_t)head;
}

static uint64_t frame_alloc(void *os, unsigned order) {
    struct frames *f = os;
    const uint64_t bytes = EMT_PAGE_BYTES << order;
    uint64_t pa;

    const bool scarce = f->refuse_order && order >= f->refuse_order;

    if (order >= FRAMES_ORDERS || (scarce && !f->returned[order]))
        return EMT_NO_PA;
    if (f->free[order].n) {
        pa = f->free[order].pa[--f->free[order].n];
        each_page(f, pa, order, verify_poison);
    } else {
        pa = (f->next + bytes - 1) & ~(bytes - 1);
        if (pa + bytes > f->end)
            return EMT_NO_PA;
        f->next = pa + bytes;
    }
    if (scarce)
        f->returned[order]--;
    mark(f, pa, order, FRAME_HEAD + order, FRAME_TABLE);
    f->used_bytes += bytes;
    return pa;
}

static void frame_free(void *os, uint64_t pa, unsigned order) {
    struct frames *f = os;

    if (order >= FRAMES_ORDERS || pa >= f->host->phys_bytes ||
        f->state[pa >> EMT_PAGE_SHIFT] != FRAME_HEAD + order) {
        frames_wrong(f, "freed, but not allocated as such: a double free?", pa);
        return;
    }
    if (f->wait_readers)
        f->wait_readers(f->readers);
    mark(f, pa, order, FRAME_FREE, FRAME_FREE);
    each_page(f, pa, order, order < LARGE_ORDER ? poison : poison_used);
    f->used_bytes -= EMT_PAGE_BYTES << order;
    f->returned[order]++;
    struct frames_list *list = &f->free[order];
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        uint64_t *more = realloc(list->pa, room * sizeof(*more));
        if (!more)
            return; /* the frame is not used again: no harm */
        list->pa = more;
        list->room = room;
    }
    list->pa[list->n++] = pa;
}

void frames_refuse(struct frames *f, unsigned order) {
    f->refuse_order = order;
    memset(f->returned, 0, sizeof(f->returned));
}

void frames_touched(struct frames *f, uint64_t pa, bool write) {
    if (!frames_is_table(f, pa))
        frames_wrong(f, write ? "the driver wrote outside of its tables" : "the driver read outside of its tables",
                     pa);
}

void frames_sweep(struct frames *f) {
    for (unsigned order = 0; order < FRAMES_ORDERS; order++)
        for (size_t i = 0; i < f->free[order].n; i++)
            each_page(f, f->free[order].pa[i], order, verify_poison);
}

int frames_init(struct frames *f, struct emt_host *host, uint64_t first, uint64_t end) {
    *f = (struct frames){.host = host, .next = first, .end = end};
    f->state = calloc(host->phys_bytes >> EMT_PAGE_SHIFT, 1);
    if (!f->state)
        return -ENOMEM;
    host->frame_alloc = frame_alloc;
    host->frame_free = frame_free;
    host->os = f;
    return 0;
}

void frames_fini(struct frames *f) {
    for (unsigned order = 0; order < FRAMES_ORDERS; order++)
        free(f->free[order].pa);
    free(f->state);
    memset(f, 0, sizeof(*f));
}
