/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What one simulated access costs on the host: the inline hit paths, the searches behind them, walks, the checker.
 * Prints nanoseconds an access. Arguments: one case's name, and how many accesses (for callgrind or perf).
 *
 *     meson compile -C build bench-hw && build/tests/hw/bench-hw
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/mm.h"
#include "hw/cache_private.h"
#include "hw/checker.h"
#include "hw/core_timing.h"
#include "hw/mmu_private.h"
#include "hw/replacement.h"

#define ADDRESSES (1u << 16)

struct bench {
    struct emt_config cfg;
    struct emt_host host;
    struct mmu *mmu;
    struct cache_system *caches;
    struct checker *checker;
    uint64_t va[ADDRESSES];
    uint64_t sum; /* keeps results alive */
};

static void add_tlb(struct emt_config *cfg, uint32_t level, uint32_t pages, uint32_t entries, uint32_t ways) {
    struct cfg_tlb *t = &cfg->tlb[cfg->ntlb++];
    *t = (struct cfg_tlb){.level = level, .holds = 3, .pages = pages, .entries = entries, .ways = ways};
    t->hit_cycles = 7;
}

/* Skylake-SP's data side: facts are in machines/skylake-sp.yaml. */
static void configure(struct emt_config *cfg) {
    cfg->core.count = 1;
    cfg->core.rob_instructions = 224;
    add_tlb(cfg, 1, CFG_PAGE_4K, 64, 4);
    add_tlb(cfg, 1, CFG_PAGE_2M, 32, 4);
    add_tlb(cfg, 1, CFG_PAGE_1G, 4, 4);
    add_tlb(cfg, 2, CFG_PAGE_4K | CFG_PAGE_2M, 1536, 12);
    cfg->l1d = (struct cfg_cache){32 << 10, 8, 64, 4, CFG_LRU, false};
    cfg->l2 = (struct cfg_cache){1 << 20, 16, 64, 14, CFG_LRU, false};
    cfg->llc = (struct cfg_cache){22 << 20, 11, 64, 54, CFG_LRU, true};
    cfg->memory.bytes = 1ull << 30;
    cfg->memory.nodes = 1;
    cfg->walk_level = 1;
    cfg->os.asids = true;
}

/* Identity-mapped 4 KiB pages over 256 MiB, tables from 512 MiB up, written as x86-64 has them. */
static void write_tables(struct emt_host *host, struct emt_root *root) {
    const uint64_t flags = 0x67; /* P, RW, US, A, D */
    uint64_t pml4 = 512ull << 20, pdpt = pml4 + 4096, pd = pml4 + 8192, pt = pml4 + 12288;
    *emt_host_word(host, pml4) = pdpt | flags;
    *emt_host_word(host, pdpt) = pd | flags;
    for (uint64_t i = 0; i < 128; i++)
        *emt_host_word(host, pd + 8 * i) = (pt + 4096 * i) | flags;
    for (uint64_t i = 0; i < 128 * 512; i++)
        *emt_host_word(host, pt + 8 * i) = 4096 * i | flags;
    root->word[0] = pml4;
}

/* Random addresses among `pages` pages, or `lines` lines of each. */
static void fill_addresses(struct bench *b, unsigned pages, unsigned lines) {
    uint64_t random = 1;
    for (unsigned i = 0; i < ADDRESSES; i++)
        b->va[i] = hw_random_below(&random, pages) * 4096ull + hw_random_below(&random, lines) * 64ull;
}

static void translate_loads(struct bench *b, uint64_t n) {
    struct mmu_translation t;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t va = b->va[i % ADDRESSES];
        if (!mmu_translate_fast(b->mmu, va, EMT_LOAD, NULL))
            mmu_translate(b->mmu, va, EMT_LOAD, &t);
    }
}

static void translate_stores(struct bench *b, uint64_t n) {
    struct mmu_translation t;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t va = b->va[i % ADDRESSES];
        if (!mmu_translate_fast(b->mmu, va, EMT_STORE, &t.pa))
            mmu_translate(b->mmu, va, EMT_STORE, &t);
        b->sum += t.pa;
    }
}

static void translate_checked(struct bench *b, uint64_t n) {
    struct mmu_translation t;
    for (uint64_t i = 0; i < n; i++) {
        mmu_translate(b->mmu, b->va[i % ADDRESSES], EMT_LOAD, &t);
        checker_check(b->checker, b->mmu, 1, b->va[i % ADDRESSES], EMT_LOAD, &t);
    }
}

static void cache_loads(struct bench *b, uint64_t n) {
    struct cache_core *core = cache_system_core(b->caches, 0);
    for (uint64_t i = 0; i < n; i++)
        cache_queue(core, b->va[i % ADDRESSES], false, i, false);
    cache_drain(core);
}

/* As a search of a graph: an array of 4-byte neighbours from front to back, and for each a look at a random one's
   state: half of the loads go where the L1D seldom has them. With the time they take. */
static void graph_loads(struct bench *b, uint64_t n) {
    struct cache_core *core = cache_system_core(b->caches, 0);
    struct core_timing timing;
    timing_init(&timing, &b->cfg);
    cache_core_timing(core, &timing);
    for (uint64_t i = 0; i < n; i++)
        cache_queue(core, i % 2 ? b->va[i % ADDRESSES] : (512ull << 20) + i * 2 % (256ull << 20), false, 3 * i,
                    i % 2);
    cache_drain(core);
    cache_core_timing(core, NULL);
    b->sum += timing.data;
}

/* As a machine does it: translate, look the line up, account for a miss. */
static void everything(struct bench *b, uint64_t n) {
    struct cache_core *core = cache_system_core(b->caches, 0);
    struct core_timing timing;
    struct mmu_translation t = {0};
    timing_init(&timing, &b->cfg);
    cache_core_timing(core, &timing);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t va = b->va[i % ADDRESSES];
        if (!mmu_translate_fast(b->mmu, va, EMT_LOAD, &t.pa)) {
            mmu_translate(b->mmu, va, EMT_LOAD, &t);
            timing_walk(&timing, t.cycles);
        }
        cache_queue(core, t.pa, false, 3 * i, false);
    }
    cache_drain(core);
    cache_core_timing(core, NULL);
    b->sum += timing.data;
}

static const struct bench_case {
    const char *name;
    void (*run)(struct bench *, uint64_t n);
    unsigned pages, lines;
} cases[] = {
    {"load-tlb-hit", translate_loads, 16, 64},
    {"store-tlb-hit", translate_stores, 16, 64},
    {"l1-tlb-64-pages", translate_loads, 64, 64},
    {"l2-tlb-1000-pages", translate_loads, 1000, 64},
    {"walk-60000-pages", translate_loads, 60000, 64},
    {"checked-tlb-hit", translate_checked, 16, 64},
    {"checked-walk", translate_checked, 60000, 64},
    {"l1d-last-line-of-set", cache_loads, 1, 64},
    {"l1d-any-way", cache_loads, 8, 64},
    {"l2-cache", cache_loads, 200, 64},
    {"llc", cache_loads, 4000, 64},
    {"memory", cache_loads, 60000, 64},
    {"graph-search", graph_loads, 512, 64},
    {"everything-l1", everything, 8, 8},
    {"everything-l2", everything, 200, 64},
};

static int run(struct bench *b, const struct bench_case *c, uint64_t n) {
    struct emt_root root = {{0}};
    struct timespec from, to;
    if (!n)
        n = c->pages > 1000 ? 4000000 : 20000000;
    if (emt_host_init(&b->host, 1ull << 30) || cache_system_new(&b->caches, &b->cfg) ||
        mmu_new(&b->mmu, 0, &b->cfg, emt_arch_find("radix4"), &b->host, NULL, cache_system_core(b->caches, 0)) ||
        checker_new(&b->checker))
        return 1;
    write_tables(&b->host, &root);
    mmu_load_root(b->mmu, 1, &root);
    fill_addresses(b, c->pages, c->lines);
    c->run(b, ADDRESSES);
    clock_gettime(CLOCK_MONOTONIC, &from);
    c->run(b, n);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    printf("%-22s %7.2f ns\n", c->name, ns / (double)n);
    checker_free(b->checker);
    mmu_free(b->mmu);
    cache_system_free(b->caches);
    emt_host_fini(&b->host);
    return 0;
}

int main(int argc, char **argv) {
    static struct bench b;
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    configure(&b.cfg);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if ((argc < 2 || strcmp(argv[1], cases[i].name) == 0) && run(&b, &cases[i], n)) {
            fprintf(stderr, "bench-hw: out of memory\n");
            return 1;
        }
    return b.sum == 1; /* never: the sum is used */
}
