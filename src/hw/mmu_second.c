/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Two dimensions: what a guest's tables call physical is translated once more, by a second MMU, whose TLB is the
 * nested TLB and whose MMU caches are the host's.
 *
 *                    guest tables, levels 4..1            then the page
 *     gVA ──> [gL4] ─────> [gL3] ─────> [gL2] ─────> [gL1] ─────> gPA
 *              │  ^         │  ^         │  ^         │  ^         │
 *         gPA  v  │ read    v  │         v  │         v  │         v
 *             nested TLB, or the host's tables, levels 4..1       hPA
 *
 * With g and h references in either dimension alone, a cold walk makes (g + 1) * (h + 1) - 1 of them: 24 for 4 by 4
 * levels, 35 for 5 by 5, 8 for 2 by 2.
 *
 * A read of the guest's walker is a load in the second dimension, its setting of A or D a store, and the
 * translation of the page an access of the program's kind. Reads that the guest's walker makes in parallel wait for
 * the slowest sum of both.
 */
#include "hw/mmu_private.h"

/* What ranges and registers of the first dimension say is no address of memory: they are not asked, and the tables
   that they go with, which are complete, are walked. */
void mmu_set_second(struct mmu *m, struct mmu *second) {
    m->second = second;
    mmu_ranges_fini(m);
    m->range_tlb = NULL;
    m->port.range_put = NULL;
}

struct mmu_violation mmu_violation(const struct mmu *m) {
    return m->violation;
}

/* false: the second dimension does not allow it; the first such access is kept, for it ends the walk. */
static bool translate(struct mmu *m, uint64_t pa, unsigned type, struct emt_walk *page, uint32_t *cycles) {
    struct mmu_translation t;

    if (m->violated)
        return false;
    mmu_translate_page(m->second, pa, type, &t, page);
    *cycles += t.cycles;
    if (!t.fault)
        return true;
    m->violated = true;
    m->violation = (struct mmu_violation){pa, type};
    m->stats.violations++;
    return false;
}

bool mmu_second_address(struct mmu *m, uint64_t *pa, unsigned type, uint32_t *cycles) {
    struct emt_walk *page = &m->second_page;
    bool there = page->bytes && page->va <= *pa && *pa - page->va < page->bytes;

    /* An entry that was just read is written where it is. */
    if ((type != EMT_STORE || !there || !page->write || !page->dirty) && !translate(m, *pa, type, page, cycles))
        return false;
    *pa = page->pa + (*pa - page->va);
    return true;
}

void mmu_compose(struct emt_walk *w, uint64_t va, const struct emt_walk *h) {
    uint64_t pa = w->pa + (va - w->va);
    uint64_t before = va - w->va < pa - h->va ? va - w->va : pa - h->va;
    uint64_t behind = w->bytes - (va - w->va), limit = h->bytes - (pa - h->va);

    w->va = va - before;
    w->pa = h->pa + (pa - h->va) - before;
    w->bytes = before + (behind < limit ? behind : limit);
    w->write &= h->write;
    w->exec &= h->exec;
    w->dirty &= h->dirty;
    w->contig &= h->contig;
    w->accessed &= h->accessed;
}

void mmu_second_page(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *w, uint32_t *cycles) {
    uint64_t bytes = w->bytes;
    struct emt_walk h;

    if (!translate(m, w->pa + (va - w->va), type, &h, cycles)) {
        *w = (struct emt_walk){.fault = true, .code = MMU_VIOLATION, .va = va};
        return;
    }
    mmu_compose(w, va, &h);
    m->stats.splintered += w->bytes < bytes;
}
