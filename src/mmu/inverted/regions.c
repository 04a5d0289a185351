/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Regions of an address space that have objects: mmu/inverted/regions.h. */
#include "mmu/inverted/regions.h"

#define REGION (1ull << EMT_SHIFT_2M)

/* Instructions of one step of a search, estimate: load, compare, two branches, arithmetic. */
#define STEP_INSTRUCTIONS 6

/* Number of regions that begin at or before va. */
static size_t upper(const struct regions *r, struct emt_host *host, uint64_t va) {
    size_t lo = 0, hi = r->n;
    unsigned steps = 1;

    for (; lo < hi; steps++) {
        const size_t mid = lo + (hi - lo) / 2;
        if (r->at[mid]->start <= va)
            lo = mid + 1;
        else
            hi = mid;
    }
    emt_host_work(host, steps * STEP_INSTRUCTIONS);
    return lo;
}

static uint64_t last_of(const struct region *g) {
    return g->start + (g->bytes ? g->bytes : REGION) - 1;
}

static unsigned page_of(uint64_t va) {
    return va >> EMT_PAGE_SHIFT & 511;
}

static bool has_page(const struct region *g, unsigned page) {
    return g->map[page / 64] >> page % 64 & 1;
}

/* The next page from `page` on, which is one itself, in a map of 512; -1: none. */
static int page_from(const uint64_t map[8], unsigned page) {
    uint64_t word = map[page / 64] >> page % 64 << page % 64;

    for (unsigned i = page / 64; i < 8; word = ++i < 8 ? map[i] : 0)
        if (word)
            return (int)(64 * i) + __builtin_ctzll(word);
    return -1;
}

/* The last one up to `page`. */
static int page_to(const uint64_t map[8], unsigned page) {
    uint64_t word = map[page / 64] << (63 - page % 64) >> (63 - page % 64);

    for (int i = (int)page / 64; i >= 0; word = --i >= 0 ? map[i] : 0)
        if (word)
            return 64 * i + 63 - __builtin_clzll(word);
    return -1;
}

/* The void around a page of a region: up to its neighbours there. */
static void void_in(const struct region *g, unsigned page, uint64_t *lo, uint64_t *hi) {
    const int before = page_to(g->map, page), behind = page_from(g->map, page);

    if (before >= 0)
        *lo = g->start + ((uint64_t)before + 1) * EMT_PAGE_BYTES;
    if (behind >= 0)
        *hi = g->start + (uint64_t)behind * EMT_PAGE_BYTES - 1;
}

uint64_t regions_look(const struct regions *r, struct emt_host *host, uint64_t va, uint64_t *lo, uint64_t *hi) {
    const size_t i = upper(r, host, va);
    const struct region *g = i > 0 && va <= last_of(r->at[i - 1]) ? r->at[i - 1] : NULL;

    if (g && (g->bytes || has_page(g, page_of(va))))
        return g->bytes ? g->bytes : EMT_PAGE_BYTES;
    /* As far as the neighbours' regions: what is between is more than enough to know. */
    *lo = g ? g->start : i > 0 ? last_of(r->at[i - 1]) + 1 : 0;
    *hi = g ? last_of(g) : i < r->n ? r->at[i]->start - 1 : ~0ull;
    if (g)
        void_in(g, page_of(va), lo, hi);
    return 0;
}

/* Room for n more. */
static int grow(struct regions *r, struct emt_host *host, size_t n) {
    size_t room = r->room ? r->room : 16;

    if (r->n + n <= r->room)
        return 0;
    while (room < r->n + n)
        room *= 2;
    struct region **more = emt_state_alloc(host, room * sizeof(struct region *));
    if (!more)
        return -ENOMEM;
    for (size_t i = 0; i < r->n; i++)
        more[i] = r->at[i];
    emt_state_free(host, r->at);
    r->at = more;
    r->room = room;
    return 0;
}

/* A region that went is kept for the next one: what an operation took away it must be able to bring back, without
   memory, when it fails in the middle. */
static struct region *take_region(struct regions *r, struct emt_host *host) {
    struct region *g = r->spare;

    if (!g)
        return emt_state_alloc(host, sizeof(*g));
    r->spare = g->next_spare;
    *g = (struct region){0};
    return g;
}

static void keep_region(struct regions *r, struct region *g) {
    g->next_spare = r->spare;
    r->spare = g;
}

static void open_gap(struct regions *r, size_t i, size_t n) {
    for (size_t k = r->n; k-- > i;)
        r->at[k + n] = r->at[k];
    r->n += n;
}

static void close_gap(struct regions *r, size_t i, size_t n) {
    r->n -= n;
    for (size_t k = i; k < r->n; k++)
        r->at[k] = r->at[k + n];
}

int regions_add(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes) {
    size_t i = upper(r, host, va);
    struct region *g = i > 0 && va <= last_of(r->at[i - 1]) ? r->at[i - 1] : NULL;

    if (!g) {
        if (grow(r, host, 1))
            return -ENOMEM;
        g = take_region(r, host);
        if (!g)
            return -ENOMEM;
        g->start = va & ~(REGION - 1);
        open_gap(r, i, 1);
        r->at[i] = g;
    }
    if (bytes > EMT_PAGE_BYTES)
        g->bytes = bytes;
    else
        g->map[page_of(va) / 64] |= 1ull << page_of(va) % 64;
    return 0;
}

void regions_remove(struct regions *r, struct emt_host *host, uint64_t va) {
    const size_t i = upper(r, host, va) - 1;
    struct region *g = r->at[i];
    uint64_t any = 0;

    if (g->bytes)
        g->bytes = 0;
    else
        g->map[page_of(va) / 64] &= ~(1ull << page_of(va) % 64);
    for (unsigned k = 0; k < 8; k++)
        any |= g->map[k];
    if (any)
        return;
    close_gap(r, i, 1);
    keep_region(r, g);
}

/* A region in pieces of this size. */
static void fill(struct region *g, uint64_t start, uint64_t bytes) {
    *g = (struct region){.start = start, .bytes = bytes > EMT_PAGE_BYTES ? bytes : 0};
    for (unsigned i = 0; i < 8 && !g->bytes; i++)
        g->map[i] = ~0ull;
}

int regions_split(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes) {
    const size_t i = upper(r, host, va) - 1;
    struct region *g = r->at[i];
    const uint64_t start = g->start;
    const size_t n = g->bytes / REGION;

    if (grow(r, host, n - 1))
        return -ENOMEM;
    open_gap(r, i + 1, n - 1);
    for (size_t k = 1; k < n; k++) {
        r->at[i + k] = take_region(r, host);
        if (r->at[i + k])
            continue;
        for (size_t j = 1; j < k; j++)
            keep_region(r, r->at[i + j]);
        close_gap(r, i + 1, n - 1);
        return -ENOMEM;
    }
    for (size_t k = 0; k < n; k++)
        fill(r->at[i + k], start + k * REGION, bytes);
    return 0;
}

void regions_join(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes) {
    size_t end = upper(r, host, va + (bytes - 1)), first = end;

    while (first > 0 && r->at[first - 1]->start >= va)
        first--;
    for (size_t k = first + 1; k < end; k++)
        keep_region(r, r->at[k]);
    fill(r->at[first], va, bytes);
    close_gap(r, first + 1, end - first - 1);
}

void regions_free(struct regions *r, struct emt_host *host) {
    while (r->n)
        keep_region(r, r->at[--r->n]);
    for (struct region *g = r->spare, *next; g; g = next) {
        next = g->next_spare;
        emt_state_free(host, g);
    }
    emt_state_free(host, r->at);
    *r = (struct regions){0};
}
