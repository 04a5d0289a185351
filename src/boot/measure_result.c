/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a measured guest's counters come to. The result's own fields are user mode's; `guest` is the kernel. */
#include "boot/measure_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

static void tlb_results(const struct measure *m, struct emt_result *r) {
    r->ntlb = m->cfg.ntlb;
    for (unsigned t = 0; t < r->ntlb; t++) {
        const struct cfg_tlb *cfg = &m->cfg.tlb[t];
        struct result_tlb *out = &r->tlb[t];
        const unsigned level = cfg->level >= 2;

        memcpy(out->name, cfg->name, sizeof(out->name));
        out->level = cfg->level;
        out->entries = cfg->entries;
        out->ways = cfg->ways;
        out->hits = m->part[0].tlb[t].hits;
        out->misses = m->part[0].tlb[t].misses;
        out->evictions = m->part[0].tlb[t].evictions;
        r->guest.tlb_hits[level] += m->part[1].tlb[t].hits;
        r->guest.tlb_misses[level] += m->part[1].tlb[t].misses;
    }
}

static void mmu_cache_results(const struct measure *m, struct emt_result *r) {
    const struct mmu *mmu = m->cpu[0].mmu;
    const char *name;
    uint32_t entries;

    for (unsigned i = 0; mmu && mmu_cache_info(mmu, i, &name, &entries); i++) {
        struct result_mmu_cache *out = &r->mmu_cache[r->nmmu_cache];

        if (!name)
            continue;
        r->nmmu_cache++;
        snprintf(out->name, sizeof(out->name), "%s", name);
        out->entries = entries;
        out->hits = m->part[0].mmu.mmu_cache_hits[i];
        out->misses = m->part[0].mmu.mmu_cache_misses[i];
    }
}

/* All of the kernel's cycles are the OS's. */
static void cycles(const struct measure *m, struct emt_result *r) {
    for (unsigned i = 0; i < m->cpus; i++) {
        struct core_timing_result t;

        timing_result(&m->cpu[i].timing[0], 0, &t);
        r->cycles_data += t.data;
        r->cycles_translation += t.translation;
        timing_result(&m->cpu[i].timing[1], 0, &t);
        r->guest.cycles_data += t.data;
        r->guest.cycles_translation += t.translation;
    }
    r->guest.cycles_base = (double)r->guest.instructions * m->cfg.os.cpi;
    r->cycles_user = (double)r->instructions * m->cfg.core.base_cpi;
    r->cycles_os = r->guest.cycles_base + r->guest.cycles_data + r->guest.cycles_translation;
    r->cycles_total = r->cycles_user + r->cycles_data + r->cycles_translation + r->cycles_os;
    r->ipc = r->cycles_total > 0 ? (double)r->instructions / r->cycles_total : 0;
}

static void kernel(const struct measure_part *p, const struct measure_part *user, struct result_guest *g) {
    g->on = true;
    g->instructions = p->instructions;
    g->loads = p->loads;
    g->stores = p->stores;
    g->fetches = p->fetches;
    g->walks = p->mmu.walks;
    g->walk_refs = p->mmu.walk_refs;
    g->walk_cycles = p->mmu.walk_cycles;
    g->page_faults[0] = user->page_faults;
    g->page_faults[1] = p->page_faults;
    g->root_loads = p->root_loads;
    g->roots_kept = p->roots_kept;
    g->page_flushes = p->page_flushes;
    g->asid_flushes = p->asid_flushes;
    g->full_flushes = p->full_flushes;
    g->suspicions = p->suspicions + user->suspicions;
}

void measure_fill(struct measure *m, struct emt_result *r) {
    const struct measure_part *user = &m->part[0];

    memset(r, 0, sizeof(*r));
    r->cfg = m->cfg;
    snprintf(r->label, sizeof(r->label), "%s", m->name);
    r->instructions = user->instructions;
    r->loads = user->loads;
    r->stores = user->stores;
    r->fetches = user->fetches;
    r->mmu = user->mmu;
    kernel(&m->part[1], user, &r->guest);
    r->os_instructions = r->guest.instructions;
    tlb_results(m, r);
    mmu_cache_results(m, r);
    machine_cache_results(m->caches, r);
    cycles(m, r);
    r->checker.on = m->checker != NULL;
    if (m->checker)
        checker_result(m->checker, &r->checker);
    r->checker.wrong = m->findings;
    memcpy(r->checker.first, m->first, sizeof(r->checker.first));
}

struct emt_result *measure_results(struct measure *m, unsigned *n, uint64_t retired) {
    measure_settle(m, retired);
    *n = m->regions ? m->regions : 1;
    struct emt_result *all = calloc(*n, sizeof(*all));

    if (!all)
        return NULL;
    for (unsigned i = 0; i < m->regions; i++) {
        all[i] = *m->region[i];
        free(m->region[i]);
    }
    if (!m->regions)
        measure_fill(m, &all[0]);
    m->regions = 0;
    return all;
}
