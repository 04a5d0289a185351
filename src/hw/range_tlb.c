/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The range TLB: hw/range_tlb.h. */
#include "hw/range_tlb.h"

#include <stdlib.h>

int range_tlb_init(struct range_tlb *t, uint32_t entries, uint32_t ways) {
    *t = (struct range_tlb){.entries = entries, .ways = ways ? ways : entries};
    if (t->ways && entries % t->ways)
        return -EINVAL;
    t->entry = calloc(entries ? entries : 1, sizeof(*t->entry));
    return t->entry ? 0 : -ENOMEM;
}

void range_tlb_fini(struct range_tlb *t) {
    free(t->entry);
    t->entry = NULL;
}

/* The set of an address: [*first, *end). */
static struct range_tlb_entry *set_of(const struct range_tlb *t, uint64_t va, struct range_tlb_entry **end) {
    struct range_tlb_entry *first = t->entry;

    *end = first + t->entries;
    if (!t->shift || t->ways == t->entries)
        return first;
    first += (va >> t->shift) % (t->entries / t->ways) * t->ways;
    *end = first + t->ways;
    return first;
}

static bool answers(const struct range_tlb_entry *e, uint16_t asid) {
    return e->used && (e->asid == asid || e->range.global);
}

const struct emt_range *range_tlb_find(struct range_tlb *t, uint16_t asid, uint64_t va) {
    struct range_tlb_entry *end;

    for (struct range_tlb_entry *e = set_of(t, va, &end); e < end; e++) {
        if (answers(e, asid) && e->range.va <= va && va <= e->range.last) {
            e->stamp = ++t->clock;
            return &e->range;
        }
    }
    return NULL;
}

void range_tlb_put(struct range_tlb *t, uint16_t asid, const struct emt_range *range) {
    struct range_tlb_entry *end, *first = set_of(t, range->va, &end), *victim = first;

    if (!t->entries || range->last < range->va)
        return;
    range_tlb_drop_range(t, asid, range->va, range->last);
    for (struct range_tlb_entry *e = first; e < end && victim->used; e++)
        if (!e->used || e->stamp < victim->stamp)
            victim = e;
    *victim = (struct range_tlb_entry){.range = *range, .stamp = ++t->clock, .asid = asid, .used = true};
}

void range_tlb_drop_range(struct range_tlb *t, uint16_t asid, uint64_t va, uint64_t last) {
    for (struct range_tlb_entry *e = t->entry, *end = e + t->entries; e < end; e++)
        if (answers(e, asid) && e->range.va <= last && va <= e->range.last)
            e->used = false;
}

void range_tlb_drop_asid(struct range_tlb *t, uint16_t asid) {
    for (struct range_tlb_entry *e = t->entry, *end = e + t->entries; e < end; e++)
        if (e->asid == asid && !e->range.global)
            e->used = false;
}

void range_tlb_drop_all(struct range_tlb *t, bool globals_too) {
    for (struct range_tlb_entry *e = t->entry, *end = e + t->entries; e < end; e++)
        if (globals_too || !e->range.global)
            e->used = false;
}
