/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hashed groups: references in closed form, a table so small that it must evict, what hardware set in a victim,
 * and the conformance kit on that small table.
 */
#include "support/watch.h"
#include "check/check.h"
#include "mmu/htab/format.h"

#define VA 0x5c8315c00000ull

extern const struct emt_arch emt_htab;

static struct world world;

/* 32 groups in all, 256 PTEs. */
static struct emt_arch small_arch(void) {
    struct emt_arch arch = emt_htab;

    arch.param[3] = 20;
    return arch;
}

/* How many lines a group search reads: two of the primary group, or those and two of the secondary one. */
static void references(void **state) {
    const struct emt_arch arch = small_arch();
    struct world *w = &world;
    unsigned primary = 0, secondary = 0;

    (void)state;
    begin_arch(w, &arch);
    for (unsigned i = 0; i < 150; i++)
        map(w, VA + i * K4, i, K4);
    for (unsigned i = 0; i < 150; i++) {
        const unsigned n = refs(w, VA + i * K4);
        primary += n == 2;
        secondary += n == 4;
    }
    assert_int_equal(primary + secondary, 150);
    assert_true(primary > 120);
    end(w);
}

/* 1000 pages in 256 places: each is found when the OS is asked, and D of each is known in the end. */
static void evictions(void **state) {
    const struct emt_arch arch = small_arch();
    struct world *w = &world;
    struct emt_tobj o;
    unsigned faults = 0;

    (void)state;
    begin_arch(w, &arch);
    for (unsigned i = 0; i < 1000; i++)
        map(w, VA + i * 3 * K4, i, K4);
    for (unsigned i = 0; i < 1000; i++) {
        struct emt_walk out;
        const struct emt_access a = {.va = VA + i * 3 * K4, .user = true, .peek = true};
        assert_int_equal(sim_walk(&w->sim, &w->tdb, &a, &out), 0);
        faults += out.fault;
    }
    assert_true(faults >= 1000 - 256);
    for (unsigned i = 0; i < 1000; i++) {
        const struct emt_walk out = walk(w, VA + i * 3 * K4, i % 2 ? EMT_STORE : EMT_LOAD, false);
        assert_true(!out.fault && out.pa == i * K4);
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(emt_tdb_find(&w->tdb, VA + i * 3 * K4, &o), 0);
        assert_int_equal(emt_tobj_get(&w->sim.svc, &o, EMT_ATTR_ACCESSED), 1);
        assert_int_equal(emt_tobj_get(&w->sim.svc, &o, EMT_ATTR_DIRTY), i % 2);
    }
    end(w);
}

static void kit(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations; the reduced build is about radix */
#endif
    const struct emt_arch arch = small_arch();
    const struct check_options options = {.ops = 20000,
                                          .seed = 1,
                                          .parts = 1u << CHECK_SEQUENCES | 1u << CHECK_FLUSHES | 1u << CHECK_MEMORY,
                                          .no_shrink = true};
    struct check_report report;

    (void)state;
    assert_int_equal(check_arch(&arch, &options, &report), 0);
    if (report.failed)
        print_message("%s\n", report.text);
    assert_false(report.failed);
    check_report_fini(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(evictions),
        cmocka_unit_test(kit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
