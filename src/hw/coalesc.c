/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Coalesced TLB entries: hw/coalesc.h. A "row" is an entry of the hardware, k entries of ours. */
#include "hw/coalesc.h"

#include <errno.h>
#include <stdlib.h>

#include "hw/replacement.h"

static unsigned pages_of(const struct tlb *t) {
    return 1u << t->group_shift;
}

static struct tlb_entry *row(const struct tlb *t, uint64_t number) {
    return t->entry + (number << t->group_shift);
}

static struct tlb_entry *row_of(const struct tlb *t, const struct tlb_entry *e) {
    return row(t, (uint64_t)(e - t->entry) >> t->group_shift);
}

/* Room for the last uses of a set's rows, behind the entries. */
static uint64_t *stamps(const struct tlb *t) {
    return (uint64_t *)(void *)row(t, t->entries);
}

/* The number of the first row of the set. */
static uint64_t set_of(const struct tlb *t, uint64_t key, unsigned class) {
    uint64_t page = (key & TLB_VPN_MASK) >> (tlb_class_shift(class) - 12);

    return (class ? page : page >> t->group_shift) % t->sets * t->ways;
}

/* Where in its row the page of a key stands. */
static unsigned place(const struct tlb *t, uint64_t key, unsigned class) {
    return class ? 0 : key & (pages_of(t) - 1);
}

/* One of the row's valid entries; NULL: the row is empty. */
static struct tlb_entry *first(const struct tlb *t, struct tlb_entry *r) {
    for (unsigned i = 0; i < pages_of(t); i++)
        if (r[i].tag)
            return r + i;
    return NULL;
}

int coalesc_init(struct tlb *t, unsigned k) {
    if (!k || k > COALESC_MAX || k & (k - 1))
        return -EINVAL;
    t->group_shift = (uint8_t)__builtin_ctz(k);
    free(t->entry);
    t->entry = calloc(1, (t->entries << t->group_shift) * sizeof(*t->entry) + t->ways * sizeof(uint64_t));
    if (!t->entry)
        return -ENOMEM;
    for (uint64_t i = 0; i < t->entries << t->group_shift; i++)
        t->entry[i].mask = ~0ull;
    return 0;
}

struct tlb_entry *coalesc_find(const struct tlb *t, uint64_t key) {
    for (unsigned class = 0; class < TLB_CLASSES; class ++) {
        if (!t->live[class])
            continue;
        struct tlb_entry *e = row(t, set_of(t, key, class)) + place(t, key, class);
        for (unsigned way = 0; way < t->ways; way++, e += pages_of(t))
            if (tlb_match(e, key) && tlb_class_of(e) == class)
                return e;
    }
    return NULL;
}

unsigned coalesc_run(const struct tlb *t, const struct tlb_entry *e) {
    const struct tlb_entry *r = row_of(t, e);
    const unsigned shift = e->tag & (COALESC_MAX - 1) & ~(pages_of(t) - 1);
    unsigned run = 0;

    for (unsigned i = 0; i < pages_of(t); i++)
        run |= (r[i].tag != 0) << i;
    return run << shift;
}

void coalesc_drop(struct tlb *t, struct tlb_entry *e) {
    struct tlb_entry *r = row_of(t, e);

    t->live[tlb_class_of(first(t, r))]--;
    t->used--;
    for (unsigned i = 0; i < pages_of(t); i++)
        r[i].tag = 0;
}

/* The row to take for a key: an empty one, or the victim, which leaves. */
static struct tlb_entry *make_room(struct tlb *t, uint64_t set, struct tlb_entry *old) {
    uint64_t *used = stamps(t);

    old->tag = 0;
    for (unsigned way = 0; way < t->ways; way++) {
        struct tlb_entry *r = row(t, set + way);
        if (!first(t, r))
            return r;
        used[way] = 0;
        for (unsigned i = 0; i < pages_of(t); i++)
            used[way] = r[i].tag && r[i].stamp > used[way] ? r[i].stamp : used[way];
    }
    struct tlb_entry *r = row(t, set + hw_victim(t->replacement, used, 1, t->ways, &t->random));
    *old = *first(t, r);
    if (!tlb_class_of(old))
        old->mask &= ~(uint64_t)(pages_of(t) - 1);
    t->evictions++;
    coalesc_drop(t, first(t, r));
    return r;
}

struct tlb_entry *coalesc_insert(struct tlb *t, uint64_t key, unsigned class, unsigned run, uint64_t frame,
                                 bool global, struct tlb_entry *old) {
    const unsigned k = pages_of(t), own = place(t, key, class);
    const unsigned valid = class ? 1 : (run >> ((key & (COALESC_MAX - 1)) - own) & ((1u << k) - 1)) | 1u << own;
    const uint64_t set = set_of(t, key, class);

    for (unsigned way = 0; !class && way < t->ways; way++) {
        struct tlb_entry *r = row(t, set + way);
        for (unsigned i = 0; i < k; i++)
            if (valid >> i & 1 && r[i].tag && !tlb_class_of(r + i) && tlb_match(r + i, (key - own) + i)) {
                coalesc_drop(t, r + i);
                break;
            }
    }
    struct tlb_entry *r = make_room(t, set, old);
    for (unsigned i = 0; i < k; i++) {
        r[i].stamp = 0;
        if (!(valid >> i & 1))
            continue;
        r[i].tag = (key - own) + i;
        r[i].mask = ~((1ull << (tlb_class_shift(class) - 12)) - 1) & ~(global ? TLB_ASID_MASK : 0);
        r[i].frame = (frame + ((uint64_t)i - own) * 4096) | (uint64_t) class << TLB_CLASS_SHIFT | t->index;
    }
    if (class)
        r[0].tag = key;
    t->live[class]++;
    t->used++;
    t->fills++;
    tlb_touch(t, r + own);
    return r + own;
}

/* ---- invalidations ---- */

static bool touches(const struct tlb_entry *e, uint16_t asid, uint64_t va, uint64_t last) {
    return e->tag && (tlb_is_global(e) || tlb_asid_of(e) == asid) && tlb_va(e) <= last &&
           va <= tlb_va(e) + (tlb_bytes(e) - 1);
}

/* One page: its set alone. */
static void drop_page(struct tlb *t, uint16_t asid, uint64_t va) {
    const uint64_t key = tlb_key(tlb_asid_key(asid), va);

    for (unsigned class = 0; class < TLB_CLASSES; class ++) {
        const uint64_t set = set_of(t, key, class);
        for (unsigned way = 0; t->live[class] && way < t->ways; way++) {
            struct tlb_entry *e = row(t, set + way) + place(t, key, class);
            if (tlb_match(e, key) && tlb_class_of(e) == class)
                coalesc_drop(t, e);
        }
    }
}

void coalesc_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last) {
    if (!t->used)
        return;
    if ((va ^ last) < 4096) {
        drop_page(t, asid, va);
        return;
    }
    for (struct tlb_entry *e = t->entry, *end = row(t, t->entries); e < end; e++)
        if (touches(e, asid, va, last))
            coalesc_drop(t, e);
}

void coalesc_drop_asid(struct tlb *t, uint16_t asid) {
    for (struct tlb_entry *e = t->entry, *end = row(t, t->entries); e < end; e++)
        if (e->tag && !tlb_is_global(e) && tlb_asid_of(e) == asid)
            coalesc_drop(t, e);
}

void coalesc_drop_all(struct tlb *t, bool globals_too) {
    for (struct tlb_entry *e = t->entry, *end = row(t, t->entries); e < end; e++)
        if (e->tag && (globals_too || !tlb_is_global(e)))
            coalesc_drop(t, e);
}
