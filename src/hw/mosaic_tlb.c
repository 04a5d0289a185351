/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A TLB of mosaic pages: hw/mosaic_tlb.h says how an entry looks. */
#include "hw/mosaic_tlb.h"

#include <errno.h>
#include <stdlib.h>

#include "hw/replacement.h"

/* ---- sets and pages ---- */

static unsigned arity(const struct mosaic_tlb *x) {
    return 1u << x->shift;
}

static unsigned page_of(const struct mosaic_tlb *x, uint64_t key) {
    return key & (arity(x) - 1);
}

static uint64_t first_of_set(const struct tlb *t, uint64_t key) {
    const uint64_t number = (key & TLB_VPN_MASK) >> t->mosaic->shift;

    return (t->set_mask || t->sets == 1 ? number & t->set_mask : number % t->sets) * t->ways;
}

static struct tlb_entry *slot_of(const struct tlb *t, uint64_t i, unsigned page) {
    return &t->entry[(i << t->mosaic->shift) + page];
}

static bool matches(const struct mosaic_entry *e, uint64_t key) {
    return ((e->tag ^ key) & e->mask) == 0;
}

/* The tag of a mosaic page, or of a page that has an entry to itself. */
static uint64_t mask_of(const struct mosaic_tlb *x, bool codes, bool global) {
    return ~(codes ? (uint64_t)arity(x) - 1 : 0) & ~(global ? TLB_ASID_MASK : 0);
}

static bool is_single(const struct mosaic_tlb *x, const struct mosaic_entry *e) {
    return x->shift && (e->mask & 1);
}

/* For the functions that ask an entry for its address. */
static struct tlb_entry as_entry(const struct mosaic_entry *e) {
    return (struct tlb_entry){.tag = e->tag, .mask = e->mask};
}

/* ---- the latest use ---- */

static uint64_t latest_use(const struct tlb *t, uint64_t i) {
    const struct mosaic_entry *e = &t->mosaic->entry[i];
    uint64_t latest = e->base;

    for (uint64_t bits = e->opened; bits; bits &= bits - 1) {
        const uint64_t stamp = slot_of(t, i, (unsigned)__builtin_ctzll(bits))->stamp;
        latest = stamp > latest ? stamp : latest;
    }
    return latest;
}

static void close_slots(struct tlb *t, uint64_t i, uint64_t which) {
    struct mosaic_entry *e = &t->mosaic->entry[i];

    e->base = latest_use(t, i);
    for (uint64_t bits = e->opened & which; bits; bits &= bits - 1)
        slot_of(t, i, (unsigned)__builtin_ctzll(bits))->tag = 0;
    e->opened &= ~which;
}

/* ---- who goes ---- */

static uint64_t known_at(const struct tlb *t, uint64_t first, const uint32_t *heap, uint64_t at) {
    return t->mosaic->entry[first + heap[at]].known;
}

static void sift_down(const struct tlb *t, uint64_t first, uint32_t *heap) {
    for (uint64_t at = 0, child; (child = 2 * at + 1) < t->ways; at = child) {
        if (child + 1 < t->ways && known_at(t, first, heap, child + 1) < known_at(t, first, heap, child))
            child++;
        if (known_at(t, first, heap, at) <= known_at(t, first, heap, child))
            return;
        const uint32_t way = heap[at];
        heap[at] = heap[child];
        heap[child] = way;
    }
}

/*
 * The least recently used of a large set. `known` is no later than the latest use, and the heap's top is the
 * earliest of all: once what is known of the top is its latest use, no other was used earlier. Each step but the
 * last tells of an entry that was used since it was last looked at.
 */
static uint64_t lru_of_heap(struct tlb *t, uint64_t first) {
    uint32_t *heap = t->mosaic->heap + first;

    for (;;) {
        struct mosaic_entry *e = &t->mosaic->entry[first + heap[0]];
        const uint64_t latest = latest_use(t, first + heap[0]);
        if (e->known == latest)
            return first + heap[0];
        e->known = latest;
        sift_down(t, first, heap);
    }
}

static uint64_t victim(struct tlb *t, uint64_t first) {
    if (t->mosaic->heap)
        return lru_of_heap(t, first);
    for (unsigned way = 0; way < t->ways && t->replacement != CFG_RANDOM; way++)
        t->mosaic->stamp[way] = latest_use(t, first + way);
    return first + hw_victim(t->replacement, t->mosaic->stamp, 1, t->ways, &t->random);
}

/* ---- beginning and end ---- */

int mosaic_tlb_init(struct tlb *t, unsigned pages, const struct emt_arch *arch) {
    struct mosaic_tlb *x = calloc(1, sizeof(*x));
    const uint64_t slots = t->entries * pages;
    struct tlb_entry *slot = calloc(slots, sizeof(*slot));

    if (!x || !slot) {
        free(x);
        free(slot);
        return -ENOMEM;
    }
    free(t->entry);
    t->entry = slot;
    t->mosaic = x;
    x->shift = (unsigned)__builtin_ctz(pages);
    x->arch = arch;
    x->entry = calloc(t->entries, sizeof(*x->entry));
    x->code = calloc(slots, 1);
    x->stamp = calloc(t->ways, sizeof(*x->stamp));
    const bool heap = t->replacement == CFG_LRU && t->ways > TLB_WHOLE_SET;
    x->heap = heap ? malloc(t->entries * sizeof(*x->heap)) : NULL;
    if (!x->entry || !x->code || !x->stamp || (heap && !x->heap))
        return -ENOMEM; /* tlb_fini() frees */
    for (uint64_t i = 0; i < slots; i++)
        slot[i].mask = ~0ull;
    for (uint64_t i = 0; i < t->entries; i++) {
        x->entry[i].mask = ~0ull;
        if (heap)
            x->heap[i] = (uint32_t)(i % t->ways);
    }
    return 0;
}

void mosaic_tlb_fini(struct tlb *t) {
    if (!t->mosaic)
        return;
    free(t->mosaic->entry);
    free(t->mosaic->code);
    free(t->mosaic->stamp);
    free(t->mosaic->heap);
    free(t->mosaic);
    t->mosaic = NULL;
}

/* ---- to find ---- */

/* Put a page into its slot. */
static struct tlb_entry *open_slot(struct tlb *t, uint64_t i, uint64_t key, uint64_t frame) {
    struct mosaic_entry *e = &t->mosaic->entry[i];
    const unsigned page = page_of(t->mosaic, key);
    struct tlb_entry *slot = slot_of(t, i, page);

    slot->tag = key;
    slot->mask = mask_of(t->mosaic, false, !(e->mask & TLB_ASID_MASK));
    slot->frame = frame | t->index; /* class 4 KiB is 0 */
    slot->stamp = 0;
    e->opened |= 1ull << page;
    return slot;
}

static struct tlb_entry *slot_for(struct tlb *t, uint64_t i, uint64_t key, const struct emt_root *root) {
    const struct mosaic_tlb *x = t->mosaic;
    const struct mosaic_entry *e = &x->entry[i];
    const unsigned page = page_of(x, key);

    if (e->opened >> page & 1)
        return slot_of(t, i, page);
    const uint64_t va = (uint64_t)((int64_t)(key << (64 - TLB_VPN_BITS)) >> (64 - TLB_VPN_BITS - 12)) & ~0xfffull;
    const uint64_t pa = x->arch->walker->toc_frame(x->arch, root, va, x->code[(i << x->shift) + page]);
    return open_slot(t, i, key, pa | e->flags | (e->dirty >> page & 1 ? TLB_DIRTY : 0));
}

struct tlb_entry *mosaic_tlb_find(struct tlb *t, uint64_t key, const struct emt_root *root) {
    const uint64_t first = first_of_set(t, key);

    for (uint64_t i = first; i < first + t->ways; i++)
        if (matches(&t->mosaic->entry[i], key) && t->mosaic->entry[i].valid >> page_of(t->mosaic, key) & 1)
            return slot_for(t, i, key, root);
    return NULL;
}

struct mosaic_codes mosaic_tlb_codes(const struct tlb *t, const struct tlb_entry *slot) {
    const struct mosaic_tlb *x = t->mosaic;
    const uint64_t i = (uint64_t)(slot - t->entry) >> x->shift;
    const struct mosaic_entry *e = &x->entry[i];

    if (!x->shift || is_single(x, e))
        return (struct mosaic_codes){0};
    return (struct mosaic_codes){e->valid, e->dirty, x->code + (i << x->shift)};
}

/* ---- to fill ---- */

static void forget(struct tlb *t, uint64_t i) {
    struct mosaic_entry *e = &t->mosaic->entry[i];

    close_slots(t, i, ~0ull);
    e->tag = 0;
    e->mask = ~0ull;
    e->valid = 0;
    t->live[TLB_4K]--;
    t->used--;
}

/* An entry for this tag: the one that has it, or an empty one, or the victim's. */
static uint64_t entry_for(struct tlb *t, uint64_t key, uint64_t mask, struct tlb_entry *old) {
    struct mosaic_tlb *x = t->mosaic;
    const uint64_t first = first_of_set(t, key), none = ~0ull;
    uint64_t empty = none;

    for (uint64_t i = first; i < first + t->ways; i++) {
        const struct mosaic_entry *e = &x->entry[i];
        if (e->tag && e->mask == mask && matches(e, key)) {
            x->sub_misses++;
            close_slots(t, i, ~0ull);
            return i;
        }
        if (!e->tag && empty == none)
            empty = i;
    }
    if (empty == none) {
        empty = victim(t, first);
        *old = as_entry(&x->entry[empty]);
        t->evictions++;
        forget(t, empty);
    }
    t->live[TLB_4K]++;
    t->used++;
    return empty;
}

struct tlb_entry *mosaic_tlb_insert(struct tlb *t, uint64_t key, const struct mosaic_codes *codes, uint64_t frame,
                                    bool global, struct tlb_entry *old) {
    struct mosaic_tlb *x = t->mosaic;
    const bool compressed = codes->code && (codes->valid >> page_of(x, key) & 1);
    const uint64_t mask = mask_of(x, compressed, global);

    old->tag = 0;
    const uint64_t i = entry_for(t, key, mask, old);
    struct mosaic_entry *e = &x->entry[i];
    e->tag = key & (mask | TLB_ASID_MASK);
    e->mask = mask;
    e->flags = frame & (TLB_WRITE | TLB_EXEC);
    e->valid = compressed ? codes->valid : 1ull << page_of(x, key);
    e->dirty = compressed ? codes->dirty : 0;
    for (unsigned page = 0; compressed && page < arity(x); page++)
        x->code[(i << x->shift) + page] = codes->code[page];
    struct tlb_entry *slot = open_slot(t, i, key, frame);
    t->fills++;
    tlb_touch(t, slot);
    return slot;
}

/* ---- to drop ---- */

static void drop_pages(struct tlb *t, uint64_t i, uint64_t pages) {
    struct mosaic_entry *e = &t->mosaic->entry[i];

    close_slots(t, i, pages);
    e->valid &= ~pages;
    if (!e->valid)
        forget(t, i);
}

void mosaic_tlb_drop(struct tlb *t, struct tlb_entry *slot) {
    const uint64_t at = (uint64_t)(slot - t->entry);

    drop_pages(t, at >> t->mosaic->shift, 1ull << page_of(t->mosaic, at));
}

/* Those pages of an entry that lie in [va, last]. */
static uint64_t pages_in(const struct tlb *t, const struct mosaic_entry *e, uint64_t va, uint64_t last) {
    const struct tlb_entry tag = as_entry(e);
    const unsigned n = is_single(t->mosaic, e) ? 1 : arity(t->mosaic);
    const uint64_t first = tlb_va(&tag);
    uint64_t pages = 0;

    for (unsigned i = 0; i < n; i++)
        if (first + i * EMT_PAGE_BYTES <= last && va <= first + i * EMT_PAGE_BYTES + (EMT_PAGE_BYTES - 1))
            pages |= 1ull << (n == 1 ? page_of(t->mosaic, e->tag) : i);
    return pages;
}

static void drop_in_range(struct tlb *t, uint64_t i, uint16_t asid, uint64_t va, uint64_t last) {
    const struct mosaic_entry *e = &t->mosaic->entry[i];
    const struct tlb_entry tag = as_entry(e);

    if (!e->tag || (!tlb_is_global(&tag) && tlb_asid_of(&tag) != asid))
        return;
    const uint64_t pages = pages_in(t, e, va, last) & e->valid;
    if (pages)
        drop_pages(t, i, pages);
}

/* Few mosaic pages: look into the set of each. Many: at each entry once. */
void mosaic_tlb_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last) {
    const unsigned shift = EMT_PAGE_SHIFT + t->mosaic->shift;
    const uint64_t asid_key = tlb_asid_key(asid), pages = (last >> shift) - (va >> shift) + 1;

    if (pages >= t->sets) {
        for (uint64_t i = 0; i < t->entries; i++)
            drop_in_range(t, i, asid, va, last);
        return;
    }
    for (uint64_t page = va >> shift; t->used && page <= last >> shift; page++) {
        const uint64_t first = first_of_set(t, tlb_key(asid_key, page << shift));
        for (unsigned way = 0; way < t->ways; way++)
            drop_in_range(t, first + way, asid, va, last);
    }
}

void mosaic_tlb_drop_asid(struct tlb *t, uint16_t asid) {
    for (uint64_t i = 0; i < t->entries; i++) {
        const struct tlb_entry tag = as_entry(&t->mosaic->entry[i]);
        if (tag.tag && !tlb_is_global(&tag) && tlb_asid_of(&tag) == asid)
            forget(t, i);
    }
}

void mosaic_tlb_drop_all(struct tlb *t, bool globals_too) {
    for (uint64_t i = 0; i < t->entries; i++) {
        const struct tlb_entry tag = as_entry(&t->mosaic->entry[i]);
        if (tag.tag && (globals_too || !tlb_is_global(&tag)))
            forget(t, i);
    }
}
