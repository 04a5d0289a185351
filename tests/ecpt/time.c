/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* In the MMU of the simulator: a group costs one reference's time, background fetches none; walk caches keep
 * headers. */
#include "support/sim.h"

#include "hw/mmu.h"

#define VA 0x5c8300000000ull

static void map(struct sim *s, struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&s->svc, &o, va, 1 << 18, bytes, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(tdb, &o), 0);
}

static void groups(void **state) {
    struct emt_config cfg = {.core.count = 1, .flat_ref_cycles = 10, .walk_level = 1, .os.asids = true, .seed = 1};
    struct emt_tdb tdb;
    struct emt_root root;
    struct mmu_translation t;
    struct mmu *m;
    struct sim s;

    (void)state;
    sim_open(&s, emt_arch_find("ecpt"), false);
    cfg.tlb[0] = (struct cfg_tlb){.name = "l1",
                                  .level = 1,
                                  .holds = CFG_TLB_DATA | CFG_TLB_INSTRUCTION,
                                  .pages = CFG_PAGE_4K | CFG_PAGE_2M | CFG_PAGE_1G,
                                  .entries = 1,
                                  .ways = 1};
    cfg.ntlb = 1;
    cfg.mmu_cache[0] = (struct cfg_mmu_cache){.name = "cwc-pmd", .entries = 16};
    cfg.mmu_cache[1] = (struct cfg_mmu_cache){.name = "cwc-pud", .entries = 2};
    cfg.nmmu_cache = 2;
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    map(&s, &tdb, VA, 1 << 21);
    map(&s, &tdb, VA + (63 << 24), 1 << 21); /* the last section of the same line of the PMD-CWT */
    assert_int_equal(mmu_new(&m, 0, &cfg, s.svc.arch, &s.host, NULL, NULL), 0);
    emt_tdb_root(&tdb, &root);
    mmu_load_root(m, 1, &root);

    mmu_translate(m, VA, EMT_LOAD, &t); /* complete: 3 at once; 4 in the background */
    assert_int_equal(t.fault, 0);
    assert_int_equal(mmu_stats_of(m)->walk_cycles, 10);
    assert_int_equal(mmu_stats_of(m)->walk_refs, 3 + 4);
    mmu_translate(m, VA + (63 << 24), EMT_LOAD, &t); /* direct: the header comes from the cache, way included */
    assert_int_equal(t.fault, 0);
    assert_int_equal(mmu_stats_of(m)->walk_cycles, 20);
    assert_int_equal(mmu_stats_of(m)->walk_refs, 3 + 4 + 1);
    mmu_free(m);
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
