/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What an MMU knows of ranges: the range TLB beside level 2 (hw/range_tlb.h), and the registers of a direct segment
 * in front of everything:
 *
 *     va ──> base <= va <= limit? ──yes──> va + offset          at the time of the L1 lookup: costs nothing
 *                └no──> L1 TLBs ...
 *
 * ("Efficient Virtual Memory for Big Memory Servers", ISCA'13). An address of the segment never uses a TLB entry.
 * So that such a hit costs the host as little as one in a TLB, the hints point to entries that stand for pieces of
 * the segment; they belong to no TLB and say nothing that the registers do not say.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/mmu_private.h"

static uint64_t flags_of(const struct emt_range *r) {
    return (r->write ? TLB_WRITE : 0) | (r->write && r->dirty ? TLB_DIRTY : 0) | (r->exec ? TLB_EXEC : 0);
}

bool mmu_range_allows(const struct emt_range *r, unsigned type, uint64_t *flags) {
    const uint64_t needs = mmu_needs(type);

    *flags = flags_of(r);
    return r->user && (*flags & needs) == needs;
}

int mmu_ranges_init(struct mmu *m) {
    m->has_segment = m->arch->walker->segment != NULL;
    m->segment.range = (struct emt_range){.va = 1}; /* none */
    m->l1[MMU_SEGMENT_TLB].index = MMU_SEGMENT_TLB;
    for (unsigned i = 0; i < MMU_HINTS; i++)
        m->segment.entry[i].mask = ~0ull;
    if (!m->arch->walker->ranges || m->cfg->software_tlb || !m->cfg->range_tlb_entries)
        return 0;
    m->range_tlb = calloc(1, sizeof(*m->range_tlb));
    return m->range_tlb ? range_tlb_init(m->range_tlb, m->cfg->range_tlb_entries, m->cfg->range_tlb_ways) : -ENOMEM;
}

void mmu_ranges_fini(struct mmu *m) {
    if (m->range_tlb)
        range_tlb_fini(m->range_tlb);
    free(m->range_tlb);
}

/* ---- the segment ---- */

static bool holds(const struct emt_range *now, const struct emt_range *old) {
    if (old->last < old->va)
        return true;
    return now->va <= old->va && now->last >= old->last && now->pa - now->va == old->pa - old->va &&
           flags_of(now) == flags_of(old) && now->user == old->user;
}

/* Other registers. What the hints' entries say stays right only while the segment does nothing but grow. */
void mmu_segment_load(struct mmu *m, bool switched) {
    const struct emt_range old = m->segment.range;

    if (m->range_tlb && m->arch->walker->range_shift)
        m->range_tlb->shift = m->arch->walker->range_shift(&m->root);
    if (!m->arch->walker->segment)
        return;
    m->arch->walker->segment(&m->root, &m->segment.range);
    if (!switched && holds(&m->segment.range, &old))
        return;
    for (unsigned i = 0; i < MMU_HINTS; i++)
        m->segment.entry[i].tag = 0;
}

bool mmu_segment_hit(struct mmu *m, uint64_t va, unsigned type, uint64_t *pa) {
    const struct emt_range *r = &m->segment.range;
    uint64_t flags;

    if (va < r->va || va > r->last || type == EMT_FETCH || !mmu_range_allows(r, type, &flags))
        return false;
    *pa = r->pa + (va - r->va);
    struct tlb_entry *e = &m->segment.entry[mmu_hint_of(va)];
    *e = (struct tlb_entry){
        .tag = tlb_key(m->asid_key, va), .mask = ~0ull, .frame = (*pa & ~0xfffull) | flags | MMU_SEGMENT_TLB};
    if (!m->no_hint)
        m->hint[MMU_DATA][mmu_hint_of(va)] = e;
    tlb_touch(&m->l1[MMU_SEGMENT_TLB], e);
    return true;
}

uint64_t mmu_segment_hits(const struct mmu *m) {
    return m->l1[MMU_SEGMENT_TLB].clock;
}
