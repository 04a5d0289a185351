/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One TLB: hw/tlb.h says how an entry looks. */
#include "hw/tlb.h"

#include <errno.h>
#include <stdlib.h>

#include "hw/coalesc.h"
#include "hw/mosaic_tlb.h"

int tlb_init(struct tlb *t, const struct cfg_tlb *cfg, uint8_t index, uint64_t seed) {
    uint32_t ways = cfg->ways ? cfg->ways : cfg->entries;
    *t = (struct tlb){0};
    if (!ways || cfg->entries % ways)
        return -EINVAL;
    t->ways = ways;
    t->sets = cfg->entries / ways;
    t->set_mask = (t->sets & (t->sets - 1)) == 0 ? t->sets - 1 : 0;
    t->pages = cfg->pages;
    t->holds = cfg->holds;
    t->hit_cycles = cfg->hit_cycles;
    t->replacement = cfg->replacement;
    t->inclusive = cfg->inclusive;
    t->index = index & TLB_INDEX;
    t->entries = cfg->entries;
    t->random = seed;
    t->entry = calloc(cfg->entries, sizeof(*t->entry));
    if (!t->entry)
        return -ENOMEM;
    for (uint32_t i = 0; i < cfg->entries; i++)
        t->entry[i].mask = ~0ull;
    return 0;
}

void tlb_fini(struct tlb *t) {
    mosaic_tlb_fini(t);
    free(t->entry);
    t->entry = NULL;
}

/* Few pages: look each up. Many: look at each entry once. Never more work than the TLB is large. */
void tlb_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last) {
    if (t->mosaic) {
        mosaic_tlb_drop_range(t, asid, va, last);
        return;
    }
    if (t->group_shift) {
        coalesc_drop_range(t, asid, va, last);
        return;
    }
    uint64_t asid_key = tlb_asid_key(asid), probes = 0;
    for (unsigned class = 0; class < TLB_CLASSES; class ++)
        if (t->live[class])
            probes += (last >> tlb_class_shift(class)) - (va >> tlb_class_shift(class)) + 1;
    if (probes >= t->sets) {
        for (struct tlb_entry *e = t->entry, *end = e + t->sets * t->ways; e < end; e++)
            if (e->tag && (tlb_is_global(e) || tlb_asid_of(e) == asid) && tlb_va(e) <= last &&
                va <= tlb_va(e) + (tlb_bytes(e) - 1))
                tlb_drop(t, e);
        return;
    }
    for (unsigned class = 0; class < TLB_CLASSES; class ++) {
        unsigned shift = tlb_class_shift(class);
        for (uint64_t page = va >> shift; t->live[class] && page <= last >> shift; page++) {
            uint64_t key = tlb_key(asid_key, page << shift);
            struct tlb_entry *set = tlb_set_of(t, key, class);
            for (unsigned way = 0; way < t->ways; way++)
                if (tlb_match(set + way, key) && tlb_class_of(set + way) == class)
                    tlb_drop(t, set + way);
        }
    }
}

void tlb_drop_asid(struct tlb *t, uint16_t asid) {
    if (t->mosaic) {
        mosaic_tlb_drop_asid(t, asid);
        return;
    }
    if (t->group_shift) {
        coalesc_drop_asid(t, asid);
        return;
    }
    for (struct tlb_entry *e = t->entry, *end = e + t->sets * t->ways; e < end; e++)
        if (e->tag && !tlb_is_global(e) && tlb_asid_of(e) == asid)
            tlb_drop(t, e);
}

void tlb_drop_all(struct tlb *t, bool globals_too) {
    if (t->mosaic) {
        mosaic_tlb_drop_all(t, globals_too);
        return;
    }
    if (t->group_shift) {
        coalesc_drop_all(t, globals_too);
        return;
    }
    for (struct tlb_entry *e = t->entry, *end = e + t->sets * t->ways; e < end; e++)
        if (e->tag && (globals_too || !tlb_is_global(e)))
            tlb_drop(t, e);
}

void tlb_reset_counts(struct tlb *t) {
    t->fills = t->clock;
    t->misses = t->evictions = 0;
    if (t->mosaic)
        t->mosaic->sub_misses = 0;
}
