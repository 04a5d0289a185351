/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* In the MMU of the simulator: a group costs one reference's time, that of the slowest or of the answer; background
 * fetches none; walk caches keep headers. */
#include "support/sim.h"

#include "hw/cache.h"
#include "hw/mmu.h"

#define VA 0x5c8300000000ull

static void map(struct sim *s, struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&s->svc, &o, va, 1 << 18, bytes, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(tdb, &o), 0);
}

struct world {
    struct sim s;
    struct emt_config cfg;
    struct emt_tdb tdb;
    struct mmu *m;
};

static void begin(struct world *w) {
    w->cfg = (struct emt_config){
        .core.count = 1, .flat_ref_cycles = 10, .walk_level = 1, .os.asids = true, .memory.nodes = 1, .seed = 1};
    sim_open(&w->s, emt_arch_find("ecpt"), false);
    w->cfg.tlb[0] = (struct cfg_tlb){.name = "l1",
                                     .level = 1,
                                     .holds = CFG_TLB_DATA | CFG_TLB_INSTRUCTION,
                                     .pages = CFG_PAGE_4K | CFG_PAGE_2M | CFG_PAGE_1G,
                                     .entries = 1,
                                     .ways = 1};
    w->cfg.ntlb = 1;
    w->cfg.mmu_cache[0] = (struct cfg_mmu_cache){.name = "cwc-pmd", .entries = 16};
    w->cfg.mmu_cache[1] = (struct cfg_mmu_cache){.name = "cwc-pud", .entries = 2};
    w->cfg.nmmu_cache = 2;
    assert_int_equal(emt_tdb_create(&w->tdb, &w->s.svc, 1), 0);
}

/* To be called when everything is mapped. */
static void make_mmu(struct world *w, struct cache_core *caches) {
    struct emt_root root;

    assert_int_equal(mmu_new(&w->m, 0, &w->cfg, w->s.svc.arch, &w->s.host, NULL, caches), 0);
    emt_tdb_root(&w->tdb, &root);
    mmu_load_root(w->m, 1, &root);
}

static void end(struct world *w) {
    mmu_free(w->m);
    emt_tdb_destroy(&w->tdb);
    sim_close(&w->s);
}

static void groups(void **state) {
    struct mmu_translation t;
    struct world w;

    (void)state;
    begin(&w);
    map(&w.s, &w.tdb, VA, 1 << 21);
    map(&w.s, &w.tdb, VA + (63 << 24), 1 << 21); /* the last section of the same line of the PMD-CWT */
    make_mmu(&w, NULL);

    mmu_translate(w.m, VA, EMT_LOAD, &t); /* complete: 3 at once; 4 in the background */
    assert_int_equal(t.fault, 0);
    assert_int_equal(mmu_stats_of(w.m)->walk_cycles, 10);
    assert_int_equal(mmu_stats_of(w.m)->walk_refs, 3 + 4);
    mmu_translate(w.m, VA + (63 << 24), EMT_LOAD, &t); /* direct: the header comes from the cache, way included */
    assert_int_equal(t.fault, 0);
    assert_int_equal(mmu_stats_of(w.m)->walk_cycles, 20);
    assert_int_equal(mmu_stats_of(w.m)->walk_refs, 3 + 4 + 1);
    end(&w);
}

/* A size walk whose answer lies in the cache, while both other lines come from memory, and then one that ends in a
   fault: what it takes. */
static void time_of_a_group(enum cfg_parallel_reads waits_for, uint64_t found, uint64_t fault) {
    const uint32_t lookup = 1;
    struct cache_system *caches;
    struct mmu_translation t;
    struct emt_walk peek;
    struct world w;

    begin(&w);
    w.cfg.parallel_reads = waits_for;
    w.cfg.mmu_cache_cycles = lookup;
    w.cfg.l1d = (struct cfg_cache){.bytes = 32 << 10, .ways = 8, .line_bytes = 64, .hit_cycles = 2};
    w.cfg.memory.local_cycles = 100;
    w.cfg.memory.bytes = w.s.host.phys_bytes;
    map(&w.s, &w.tdb, VA, 1 << 12);
    assert_int_equal(cache_system_new(&caches, &w.cfg), 0);
    make_mmu(&w, cache_system_core(caches, 0));

    assert_int_equal(mmu_peek(w.m, VA, EMT_LOAD, &peek), 0);
    cache_access(cache_system_core(caches, 0), peek.entry, false, CACHE_DATA);
    mmu_translate(w.m, VA, EMT_LOAD, &t);
    assert_int_equal(t.fault, 0);
    /* A is set in the line that was read: a hit. */
    assert_int_equal(mmu_stats_of(w.m)->walk_cycles, lookup + found + 2);
    assert_int_equal(mmu_stats_of(w.m)->walk_refs, 3 + 4);
    mmu_translate(w.m, VA + (1ull << 40), EMT_LOAD, &t);
    assert_true(t.fault);
    assert_int_equal(mmu_stats_of(w.m)->walk_cycles, lookup + found + 2 + lookup + fault);
    end(&w);
    cache_system_free(caches);
}

static void answers(void **state) {
    (void)state;
    /* A hit takes 2, memory 100 more. Before a fault everything is read twice, the second time from the cache. */
    time_of_a_group(CFG_SLOWEST, 102, 102 + 2);
    time_of_a_group(CFG_ANSWER, 2, 102 + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups), cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
