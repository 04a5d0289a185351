/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the counters of a machine come to. */
#include <stdio.h>
#include <string.h>

#include "hw/mosaic_tlb.h"
#include "machine/machine_private.h"
#include "os/place_theory.h"

/* What hardware sees of it: with a hypervisor, guest-virtual in host-physical memory. */
static void contiguity(struct machine *m, struct os_process *p, struct os_contiguity *out) {
    os_contiguity_through(p, m->virt ? virt_process(m->virt) : NULL, out);
}

/* As many pages as there are, in the steps of a differential equation. */
#define THEORY_STEPS 4000

static uint32_t places(const struct os *os, struct result_places out[EMT_PLACE_GROUPS]) {
    struct os_places found[EMT_PLACE_GROUPS];
    struct emt_place_group group[EMT_PLACE_GROUPS];
    struct place_theory theory;
    const unsigned n = os_places(os, found);
    double pages = 0;

    for (unsigned i = 0; i < n; i++) {
        group[i] = found[i].group;
        for (unsigned used = 0; used <= group[i].frames; used++)
            pages += (double)found[i].used[used] * used;
    }
    place_theory_init(&theory, group, n);
    for (unsigned i = 0; n && i < THEORY_STEPS; i++)
        place_theory_pour(&theory, pages / (double)group[0].groups / THEORY_STEPS);
    for (unsigned i = 0; i < n; i++) {
        out[i].found = found[i];
        place_theory_shares(&theory, i, out[i].expected);
    }
    return n;
}

void machine_take_picture(struct machine *m, struct os_process *p) {
    struct machine_picture *pic = &m->picture;

    if (pic->taken)
        return;
    pic->taken = true;
    os_memory_map(m->os, pic->cell, RESULT_CELLS);
    os_free_blocks(m->os, pic->free_blocks);
    pic->fragmentation = os_fragmentation(m->os, 9);
    pic->nplaces = places(m->os, pic->places);
    if (p) {
        contiguity(m, p, &pic->contiguity);
        os_run_map(p, pic->run_of_cell, RESULT_CELLS);
    }
}

void machine_take_sample(struct machine *m) {
    struct os_process *p = os_process_find(m->os, 1);
    struct os_contiguity c;

    while (m->next_sample <= m->accesses)
        m->next_sample += m->sample_every;
    if (!p)
        return;
    contiguity(m, p, &c);
    struct result_sample s = {
        .accesses = m->accesses, .resident_bytes = c.resident_bytes, .longest_bytes = c.longest_bytes};
    memcpy(s.ranges, c.mappings[OS_VIEW_RANGE], sizeof(s.ranges));
    m->sample[m->nsample++] = s;
    if (m->nsample < RESULT_SAMPLES)
        return;
    m->nsample /= 2;
    for (unsigned i = 0; i < m->nsample; i++)
        m->sample[i] = m->sample[2 * i + 1];
    m->sample_every *= 2;
    m->next_sample = m->accesses + m->sample_every;
}

static void add_mmu_stats(struct mmu_stats *sum, const struct mmu_stats *s) {
    /* Both structs are counters through and through. */
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)s;

    _Static_assert(sizeof(*s) % sizeof(uint64_t) == 0, "only 64-bit counters");
    for (size_t i = 0; i < sizeof(*s) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

static void tlb_results(const struct machine *m, struct emt_result *r) {
    r->ntlb = m->cfg.ntlb;
    for (unsigned t = 0; t < r->ntlb; t++) {
        const struct cfg_tlb *cfg = &m->cfg.tlb[t];
        struct result_tlb *out = &r->tlb[t];

        memcpy(out->name, cfg->name, sizeof(out->name));
        out->level = cfg->level;
        out->entries = cfg->entries;
        out->ways = cfg->ways;
        for (unsigned i = 0; i < m->cfg.core.count; i++) {
            const struct tlb *tlb = m->core[i].mmu->by_config[t];

            out->hits += tlb->clock - tlb->fills;
            out->misses += tlb->misses;
            out->evictions += tlb->evictions;
            out->sub_misses += tlb->mosaic ? tlb->mosaic->sub_misses : 0;
            if (cfg->shared)
                break;
        }
    }
}

/* Returns how many there are. */
static uint32_t mmu_cache_results(const struct mmu *mmu, const struct mmu_stats *sum,
                                  struct result_mmu_cache list[CFG_MMU_CACHES]) {
    const char *name;
    uint32_t entries, n = 0;

    for (unsigned i = 0; mmu_cache_info(mmu, i, &name, &entries); i++) {
        struct result_mmu_cache *out = &list[n];

        if (!name)
            continue;
        n++;
        snprintf(out->name, sizeof(out->name), "%s", name);
        out->entries = entries;
        out->hits = sum->mmu_cache_hits[i];
        out->misses = sum->mmu_cache_misses[i];
    }
    return n;
}

void machine_cache_results(const struct cache_system *caches, struct emt_result *r) {
    static const char *const names[] = {"l1d", "l2", "llc"};

    r->ncache = caches ? 3 : 0;
    for (unsigned i = 0; i < r->ncache; i++) {
        struct cache_counts n;

        cache_system_counts(caches, i, &n);
        snprintf(r->cache[i].name, sizeof(r->cache[i].name), "%s", names[i]);
        r->cache[i].data_hits = n.hits[CACHE_DATA];
        r->cache[i].data_misses = n.misses[CACHE_DATA];
        r->cache[i].walk_hits = n.hits[CACHE_WALK];
        r->cache[i].walk_misses = n.misses[CACHE_WALK];
        r->cache[i].os_hits = n.hits[CACHE_OS];
        r->cache[i].os_misses = n.misses[CACHE_OS];
    }
}

static double os_cycles(const struct os_stats *s, double cpi, uint64_t *instructions) {
    uint64_t rest = 0;

    *instructions = 0;
    for (unsigned op = 0; op < OS_OPS; op++) {
        *instructions += s->op[op].instructions;
        rest += s->op[op].stall_cycles + s->op[op].extra_cycles;
    }
    return (double)*instructions * cpi + (double)rest;
}

/* The host's dimension of walks: references of a walk are those of both. */
static void nested_results(const struct machine *m, struct emt_result *r) {
    struct result_virt *out = &r->virt;
    struct mmu_tlb_counts tlb = {0};

    for (unsigned i = 0; i < m->cfg.core.count; i++) {
        const struct mmu *second = virt_second(m->virt, i);

        add_mmu_stats(&out->second, mmu_stats_of(second));
        if (m->cfg.virt.nested_tlb_entries)
            mmu_tlb_counts(second, 0, &tlb);
    }
    out->nested_tlb = (struct result_tlb){.name = "nested",
                                          .level = 2,
                                          .entries = m->cfg.virt.nested_tlb_entries,
                                          .ways = m->cfg.virt.nested_tlb_ways,
                                          .hits = tlb.hits,
                                          .misses = tlb.misses,
                                          .evictions = tlb.evictions};
    out->nmmu_cache = mmu_cache_results(virt_second(m->virt, 0), &out->second, out->mmu_cache);
    out->guest_refs = r->mmu.walk_refs;
    r->mmu.walk_refs += out->second.walk_refs;
    for (unsigned i = 0; i < 4; i++)
        r->mmu.walk_refs_served[i] += out->second.walk_refs_served[i];
}

static void virt_results(struct machine *m, struct emt_result *r) {
    struct result_virt *out = &r->virt;

    out->mode = m->told.virt.mode;
    out->guest = m->cfg;
    out->host = *virt_config(m->virt);
    out->stats = *virt_stats_of(m->virt);
    out->os = *os_stats_of(virt_os(m->virt));
    out->table_bytes = virt_memory(m->virt)->table_bytes;
    out->table_bytes_peak = virt_memory(m->virt)->table_bytes_peak;
    out->fragmentation = os_fragmentation(virt_os(m->virt), 9);
    os_contiguity(virt_process(m->virt), &out->contiguity);
    if (out->mode == CFG_NESTED)
        nested_results(m, r);
    out->cycles_exits = virt_cycles(m->virt);
    out->cycles_host_os = os_cycles(&out->os, out->host.os.cpi, &out->os_instructions);
}

/* L1 hits of data accesses that the inline path answered are not counted there: they are what is left over. */
static void cycles(const struct machine *m, struct emt_result *r) {
    for (unsigned i = 0; i < m->cfg.core.count; i++) {
        struct core_timing_result t;

        timing_result(&m->core[i].timing, 0, &t);
        r->cycles_data += t.data;
        r->cycles_translation += t.translation;
    }
    r->cycles_user = (double)r->instructions * m->cfg.core.base_cpi;
    r->virt.cycles_guest_os = os_cycles(&r->os, m->cfg.os.cpi, &r->os_instructions);
    r->cycles_os = r->virt.cycles_guest_os + r->virt.cycles_exits + r->virt.cycles_host_os;
    r->cycles_total = r->cycles_user + r->cycles_data + r->cycles_translation + r->cycles_os;
    r->ipc = r->cycles_total > 0 ? (double)r->instructions / r->cycles_total : 0;
}

/* The handler of a software-managed TLB is OS work, but its time is part of the translations: no cycles here. */
static void tlb_refills(const struct machine *m, struct emt_result *r) {
    if (!m->cfg.software_tlb)
        return;
    r->os.op[OS_TLB_REFILL] = (struct os_op_stats){.calls = r->mmu.walks,
                                                   .instructions = r->mmu.handler_instructions,
                                                   .table_reads = r->mmu.walk_refs,
                                                   .table_writes = r->mmu.handler_writes};
    r->os_instructions += r->mmu.handler_instructions;
}

static void picture(struct machine *m, struct emt_result *r) {
    machine_take_picture(m, os_process_find(m->os, 1));
    memcpy(r->cell, m->picture.cell, sizeof(r->cell));
    memcpy(r->free_blocks, m->picture.free_blocks, sizeof(r->free_blocks));
    r->contiguity = m->picture.contiguity;
    memcpy(r->run_of_cell, m->picture.run_of_cell, sizeof(r->run_of_cell));
    memcpy(r->sample, m->sample, sizeof(r->sample));
    r->nsample = m->nsample;
    r->fragmentation = m->picture.fragmentation;
    memcpy(r->places, m->picture.places, sizeof(r->places));
    r->nplaces = m->picture.nplaces;
}

void machine_result(struct machine *m, struct emt_result *r) {
    memset(r, 0, sizeof(*r));
    r->cfg = m->told;
    r->instructions = machine_instructions(m) - m->instructions_before;
    r->loads = m->accesses - m->accesses_before - m->stores;
    r->stores = m->stores;
    r->fetches = m->fetches;
    r->unknown_accesses = m->unknown_accesses;
    r->processes = m->processes;
    r->threads = m->threads;
    r->left_by_exec = m->left_by_exec;
    for (unsigned i = 0; i < m->cfg.core.count; i++)
        add_mmu_stats(&r->mmu, mmu_stats_of(m->core[i].mmu));
    for (unsigned i = 0; i < m->cfg.core.count; i++)
        r->segment_hits += mmu_segment_hits(m->core[i].mmu);
    tlb_results(m, r);
    r->nmmu_cache = mmu_cache_results(m->core[0].mmu, &r->mmu, r->mmu_cache);
    if (m->virt)
        virt_results(m, r);
    r->ndriver = emt_tsvc_stats(&m->svc, r->driver);
    machine_cache_results(m->caches, r);
    r->os = *os_stats_of(m->os);
    r->table_bytes = m->host.table_bytes;
    r->table_bytes_peak = m->host.table_bytes_peak;
    cycles(m, r);
    tlb_refills(m, r);
    picture(m, r);
    r->checker.on = m->checker != NULL;
    if (m->checker)
        checker_result(m->checker, &r->checker);
}
