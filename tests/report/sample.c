/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Results made by hand; see sample.h. Sums agree as in a real one: tests check that they survive. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/histogram.h"
#include "machine/settings.h"

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void sample_tlbs(struct emt_result *r, uint64_t walks, bool huge) {
    static const struct {
        const char *name;
        uint32_t level, entries, ways;
    } shape[] = {{"l1d-4k", 1, 64, 4}, {"l1d-2m", 1, 32, 4}, {"l1i", 1, 128, 8}, {"l2", 2, 1536, 12}};

    r->ntlb = 4;
    for (unsigned i = 0; i < r->ntlb; i++) {
        struct result_tlb *t = &r->tlb[i];

        snprintf(t->name, sizeof(t->name), "%s", shape[i].name);
        t->level = shape[i].level;
        t->entries = shape[i].entries;
        t->ways = shape[i].ways;
    }
    r->tlb[0].hits = huge ? 41207331 : 148220117;
    r->tlb[1].hits = huge ? 109733218 : 211002;
    r->tlb[2].hits = 88123456;
    r->tlb[3].hits = huge ? 811223 : 2410233;
    r->tlb[2].misses = 40113;
    r->tlb[1].misses = huge ? 700301 : 0;
    r->tlb[0].misses = r->tlb[3].hits + walks - r->tlb[1].misses - r->tlb[2].misses;
    r->tlb[3].misses = walks;
    for (unsigned i = 0; i < r->ntlb; i++)
        r->tlb[i].evictions = r->tlb[i].misses * 9 / 10;
}

static void sample_walks(struct emt_result *r, uint64_t walks, double refs_per_walk, uint64_t *state) {
    struct mmu_stats *m = &r->mmu;

    for (uint64_t done = 0, times; done < walks; done += times) {
        uint64_t kind = next_random(state) % 100, cycles = 6 + next_random(state) % 20;

        if (kind > 60)
            cycles += 40 + next_random(state) % 30;
        if (kind > 85)
            cycles += 190 + next_random(state) % 60;
        if (kind > 97)
            cycles += 260 + next_random(state) % 400;
        times = walks - done < 997 ? walks - done : 997;
        for (uint64_t i = 0; i < times; i++)
            hw_histogram_add(&m->walk_latency, cycles);
    }
    m->walks = walks;
    m->walk_cycles = m->walk_latency.sum;
    m->walk_faults = 51333;
    m->walk_refs = (uint64_t)(refs_per_walk * (double)walks);
    m->walk_refs_served[0] = m->walk_refs * 55 / 100;
    m->walk_refs_served[1] = m->walk_refs * 22 / 100;
    m->walk_refs_served[2] = m->walk_refs * 14 / 100;
    m->walk_refs_served[3] =
        m->walk_refs - m->walk_refs_served[0] - m->walk_refs_served[1] - m->walk_refs_served[2];
    m->tlb_cycles = r->tlb[3].hits * 7;
    m->invalidations = 2210;
    m->flushes = 41;
    r->nmmu_cache = 3;
    for (unsigned i = 0; i < r->nmmu_cache; i++) {
        static const char *const name[] = {"pde", "pdpte", "pml4e"};
        struct result_mmu_cache *c = &r->mmu_cache[i];

        snprintf(c->name, sizeof(c->name), "%s", name[i]);
        c->entries = 32u >> (2 * i);
        c->misses = walks * (i + 1) / 9;
        c->hits = walks - c->misses;
    }
}

static void sample_caches(struct emt_result *r) {
    static const char *const name[] = {"l1d", "l2", "llc"};
    uint64_t data = r->loads + r->stores;

    r->ncache = 3;
    for (unsigned i = 0; i < 3; i++) {
        struct result_cache *c = &r->cache[i];

        snprintf(c->name, sizeof(c->name), "%s", name[i]);
        c->data_misses = data / (20u << i);
        c->data_hits = data - c->data_misses;
        data = c->data_misses;
        c->walk_hits = r->mmu.walk_refs_served[i];
        c->walk_misses = r->mmu.walk_refs / (2 + i);
        c->os_hits = 80123 / (i + 1);
        c->os_misses = 1713 / (i + 1);
    }
}

static void sample_os(struct emt_result *r, bool huge) {
    static const uint64_t calls[2][OS_OPS] = {
        {48211, 0, 2117, 611, 3390, 0, 12, 0, 184, 91, 66, 4, 31, 9, 2, 3, 1, 0, 230, 12},
        {3120, 87, 190, 611, 402, 0, 3, 0, 184, 91, 66, 4, 31, 9, 2, 3, 1, 14, 88, 12}};

    for (unsigned i = 0; i < OS_OPS; i++) {
        struct os_op_stats *s = &r->os.op[i];

        s->calls = calls[huge][i];
        s->instructions = s->calls * (i == OS_FAULT_HUGE ? 33400 : i == OS_FORK ? 81000 : 810 + 37 * i);
        s->table_reads = s->calls * 4;
        s->table_writes = s->calls * 2;
        s->stall_cycles = s->calls * 23;
        s->extra_cycles = i <= OS_FAULT_BAD ? s->calls * 400 : i == OS_SHOOTDOWN ? s->calls * 3900 : 0;
        r->os_instructions += s->instructions;
        r->cycles_os += (double)s->instructions * r->cfg.os.cpi + (double)s->stall_cycles + (double)s->extra_cycles;
    }
    r->os.pages_zeroed_bytes = r->os.op[OS_FAULT_ANON].calls * 4096 + r->os.op[OS_FAULT_HUGE].calls * (2 << 20);
    r->os.pages_copied_bytes = r->os.op[OS_FAULT_COW].calls * 4096;
    r->os.huge_splits = huge ? 5 : 0;
    r->os.huge_collapses = huge ? 14 : 0;
    r->os.huge_fallbacks = huge ? 2 : 0;
    r->os.mapped_bytes[0] = (r->os.op[OS_FAULT_ANON].calls + r->os.op[OS_FAULT_FILE].calls) * 4096;
    r->os.mapped_bytes[1] = r->os.op[OS_FAULT_HUGE].calls * (2 << 20);
    r->os.resident_peak_bytes = r->os.mapped_bytes[0] + r->os.mapped_bytes[1] + (3 << 20);
}

static void sample_memory(struct emt_result *r, bool huge, uint64_t *state) {
    uint64_t cell_bytes = r->cfg.memory.bytes / RESULT_CELLS;

    for (unsigned i = 0; i < RESULT_CELLS; i++) {
        uint64_t *b = r->cell[i].bytes, left = cell_bytes;

        if (i < 8) {
            left -= b[OS_USE_TABLE] = (cell_bytes / 8) * (8 - i);
        } else if (i % 97 == 0) {
            left -= b[OS_USE_OCCUPIED] = cell_bytes / 4;
        }
        if (i >= 8 && i < (huge ? 180u : 120u)) {
            uint64_t used = left / 4096 * (next_random(state) % 100) / 100 * 4096;

            if (huge && i > 40)
                used = b[OS_USE_2M] = left / (2 << 20) * (2 << 20);
            else
                b[OS_USE_4K] = used;
            left -= used;
        }
        if (i >= 300 && i < 330) {
            b[OS_USE_FILE] = left / 2;
            left -= b[OS_USE_FILE];
        }
        b[OS_USE_FREE] = left;
    }
    for (unsigned i = 0; i < 11; i++)
        r->free_blocks[i] = i == 10 ? 3500 : next_random(state) % (huge ? 40 : 90);
    r->fragmentation = huge ? 0.0213 : 0.0874;
    r->contiguity = (struct os_contiguity){.resident_bytes = r->os.mapped_bytes[0] + r->os.mapped_bytes[1],
                                           .runs = huge ? 402 : 3811,
                                           .runs_99 = huge ? 118 : 2904,
                                           .longest_bytes = huge ? 38u << 20 : 5u << 20,
                                           .touched_bytes = r->os.mapped_bytes[0],
                                           .mappings = {[OS_VIEW_RANGE] = {60, huge ? 118 : 2904, 3811},
                                                        [OS_VIEW_VMA] = {1, 3, 31},
                                                        [OS_VIEW_OFFSET] = {50, 90, 300},
                                                        [OS_VIEW_IDEAL] = {2, 4, 32}},
                                           .longest = {huge ? 38u << 20 : 5u << 20, 4u << 20}};
    for (unsigned i = 0; i < RESULT_CELLS; i++)
        r->run_of_cell[i] = (uint8_t)(i < 40 ? 0 : i < 300 ? 1 + i / 60 : i < 800 ? OS_RUN_SMALL : 0);
    if (huge)
        r->places[r->nplaces++] =
            (struct result_places){.found = {.group = {.name = "yards", .groups = 100, .frames = 4, .choices = 2},
                                             .used = {1, 9, 40, 40, 10}},
                                   .expected = {0.01, 0.1, 0.39, 0.39, 0.11}};
    for (r->nsample = 0; huge && r->nsample < 3; r->nsample++)
        r->sample[r->nsample] = (struct result_sample){.accesses = 1000 + r->nsample,
                                                       .resident_bytes = 1u << 20,
                                                       .longest_bytes = 1u << 18,
                                                       .ranges = {1, 2, 3 + r->nsample}};
}

void sample_result(struct emt_result *r, unsigned which) {
    bool five = which & 1, huge = which & 2;
    uint64_t state = which * 1001 + 7, walks = (huge ? 96120 : 1210455) + which * 31;

    memset(r, 0, sizeof(*r));
    settings_defaults(&r->cfg);
    snprintf(r->cfg.name, sizeof(r->cfg.name), "skylake-sp");
    snprintf(r->cfg.about, sizeof(r->cfg.about), "Intel Xeon, Skylake-SP");
    snprintf(r->cfg.mmu, sizeof(r->cfg.mmu), five ? "radix5" : "radix4");
    snprintf(r->cfg.sources, sizeof(r->cfg.sources), "TLBs: a manual\ncaches: a paper");
    snprintf(r->cfg.assumed, sizeof(r->cfg.assumed), "core.rob_instructions\nos.cpi");
    r->cfg.os.thp = huge ? CFG_THP_ALWAYS : CFG_THP_NEVER;
    r->cfg.memory.bytes = 16ull << 30;
    snprintf(r->input, sizeof(r->input), "sqlite3 :memory: '.read bench.sql'");
    snprintf(r->command, sizeof(r->command),
             "emt compare --machine skylake-sp --mmu radix4,radix5 -- sqlite3 :memory: '.read bench.sql'");
    r->instructions = 412334551;
    r->loads = 101223344;
    r->stores = 48112233;
    r->fetches = 88163569;
    r->unknown_accesses = 12;
    r->processes = 1;
    r->threads = 1;
    sample_tlbs(r, walks, huge);
    sample_walks(r, walks, (five ? 1.42 : 1.31) - (huge ? 0.2 : 0), &state);
    sample_caches(r);
    sample_os(r, huge);
    r->table_bytes = (huge ? 212992 : 1654784) + (five ? 4096 : 0);
    r->table_bytes_peak = r->table_bytes + 40960;
    sample_memory(r, huge, &state);
    r->cycles_user = (double)r->instructions * 0.35;
    r->cycles_data = 60123456.5;
    r->cycles_translation = 0.7 * (double)r->mmu.walk_cycles + (double)r->mmu.tlb_cycles;
    r->cycles_total = r->cycles_user + r->cycles_data + r->cycles_translation + r->cycles_os;
    r->ipc = (double)r->instructions / r->cycles_total;
    r->checker = (struct result_checker){.on = true, .checked = 237498146 - which};
}

struct emt_result **sample_results(unsigned n) {
    struct emt_result **all = calloc(n, sizeof(*all));

    for (unsigned i = 0; all && i < n; i++) {
        all[i] = malloc(sizeof(*all[i]));
        if (all[i])
            sample_result(all[i], i);
    }
    return all;
}

void sample_free(struct emt_result **results, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        free(results[i]);
    free(results);
}
