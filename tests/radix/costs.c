/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the OS pays, in table accesses: the figures of src/mmu/radix/README.md, held. A compare-exchange is both. */
#include "support/sim.h"

#define VA  0x40000000ull
#define TWO (2ull << 20)

struct cost {
    uint64_t reads, writes;
};

static struct sim sim;
static struct emt_tdb tdb;

static void check(const struct cost *before, uint64_t reads, uint64_t writes) {
    assert_int_equal(sim.host.table_reads - before->reads, reads);
    assert_int_equal(sim.host.table_writes - before->writes, writes);
}

static struct cost now(void) {
    return (struct cost){sim.host.table_reads, sim.host.table_writes};
}

static void map(uint64_t va, uint64_t pfn, uint64_t bytes) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&sim.svc, &o, va, pfn, bytes, EMT_PROT_WRITE), 0);
    assert_int_equal(emt_tdb_update(&tdb, &o), 0);
}

static void costs(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations */
#endif
    (void)state;
    for (unsigned basic = 0; basic < 2; basic++) {
        struct emt_gather g;
        struct emt_cursor c;
        struct emt_tobj o;
        struct cost t;

        sim_open(&sim, emt_arch_find("radix4"), basic);
        assert_int_equal(emt_tdb_create(&tdb, &sim.svc, 1), 0);
        emt_gather_init(&g);
        t = now();
        map(VA, 1, 4096);
        check(&t, 1, 4); /* three tables were missing */
        for (unsigned i = 1; i < 512; i++)
            map(VA + i * 4096, i + 1, 4096);
        t = now();
        assert_int_equal(emt_tdb_find(&tdb, VA, &o), 0);
        check(&t, 4, 0);
        t = now();
        assert_int_equal(emt_tdb_remove(&tdb, VA + 4096, &o), 0);
        check(&t, 6, 1);
        t = now();
        map(VA + 4096, 2, 4096);
        check(&t, 4, 1);
        t = now();
        assert_int_equal(emt_cursor_open(&c, &tdb, VA, VA + TWO, &g), 0);
        while (emt_cursor_next(&c))
            ;
        emt_cursor_close(&c);
        check(&t, basic ? 2048 : 515, 0);
        t = now();
        assert_int_equal(emt_range_protect(&tdb, VA, TWO, 0, &g), 0);
        /* default: found, removed with a look at a neighbour, found again, stored */
        check(&t, basic ? 7168 : 515 + 512, basic ? 1024 : 512);
        map(VA + TWO, 1024, TWO); /* so that the PD stays */
        t = now();
        assert_int_equal(emt_range_unmap(&tdb, VA, TWO, NULL, NULL, &g), 0);
        check(&t, basic ? 5631 : 515 + 512 + 1, 513);
        for (unsigned i = 0; i < 512; i++)
            map(VA + i * 4096, i + 1, 4096);
        t = now();
        assert_int_equal(emt_tobj_init(&sim.svc, &o, VA, 512, TWO, 0), 0);
        assert_int_equal(emt_huge_collapse(&tdb, &o, &g), 0);
        check(&t, basic ? 7685 : 5, basic ? 514 : 1);
        t = now();
        assert_int_equal(emt_huge_split(&tdb, VA, 4096, &g), 0);
        check(&t, basic ? 2058 : 4, basic ? 514 : 513);
        t = now();
        assert_true(emt_range_void(&tdb, 1ull << 40, 1ull << 30));
        check(&t, 1, 0);
        emt_gather_flush(&tdb, &g);
        emt_tdb_destroy(&tdb);
        sim_close(&sim);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(costs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
