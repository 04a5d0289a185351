/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Core timing in closed forms; the latency histogram. */
#include "world.h"

#include "hw/core_timing.h"

static struct core_timing timing(double hidden, double overlap, double walk_hidden) {
    struct emt_config cfg = {0};
    struct core_timing t;
    cfg.core.base_cpi = 0.25;
    cfg.core.rob_instructions = 224;
    cfg.core.data_hidden = hidden;
    cfg.core.data_overlap = overlap;
    cfg.core.walk_hidden = walk_hidden;
    timing_init(&t, &cfg);
    return t;
}

static struct core_timing_result result(const struct core_timing *t, uint64_t instructions) {
    struct core_timing_result r;
    timing_result(t, instructions, &r);
    return r;
}

/* Isolated: n * L * (1 - hidden), from the very first instruction on. */
static void isolated_misses(void **state) {
    (void)state;
    struct core_timing t = timing(0.25, 1, 0.5);
    for (uint64_t i = 0; i < 100; i++) {
        timing_data(&t, i * 224, 196, false);
        timing_data(&t, i * 224 + 100, 0, false); /* a hit leads no group */
    }
    assert_true(result(&t, 40000).data == 100 * 196 * 0.75);
    assert_true(result(&t, 40000).user == 10000);
    assert_true(result(&t, 40000).translation == 0);
}

/* n in one window, all of latency L: L + (n - 1) * L * (1 - overlap), times (1 - hidden). */
static void misses_in_one_window(void **state) {
    (void)state;
    struct core_timing t = timing(0, 1, 0);
    for (uint64_t i = 0; i < 224; i++)
        timing_data(&t, 1000 + i, 196, false);
    assert_true(result(&t, 0).data == 196);
    timing_data(&t, 1000 + 224, 196, false); /* beyond the reorder buffer: a new group */
    assert_true(result(&t, 0).data == 2 * 196);

    t = timing(0.5, 0.75, 0);
    for (uint64_t i = 0; i < 10; i++)
        timing_data(&t, 5000 + i, 200, false);
    assert_true(result(&t, 0).data == 0.5 * (200 + 9 * 200 * 0.25));
}

/* Only what exceeds the longest so far is exposed: the group costs its longest. */
static void unequal_misses(void **state) {
    static const unsigned latency[] = {10, 50, 40, 196, 10, 100};
    (void)state;
    struct core_timing t = timing(0, 1, 0);
    for (unsigned i = 0; i < 6; i++)
        timing_data(&t, 9000 + i, latency[i], false);
    assert_true(result(&t, 0).data == 196);
    t = timing(0, 0, 0); /* no overlap: their sum */
    for (unsigned i = 0; i < 6; i++)
        timing_data(&t, 9000 + i, latency[i], false);
    assert_true(result(&t, 0).data == 10 + 50 + 40 + 196 + 10 + 100);
}

/* Dependent: a chain never overlaps; what follows may overlap with its last link. */
static void dependent_misses(void **state) {
    (void)state;
    struct core_timing t = timing(0, 1, 0);
    for (uint64_t i = 0; i < 50; i++)
        timing_data(&t, i, 196, true);
    assert_true(result(&t, 0).data == 50 * 196);
    timing_data(&t, 51, 196, false);
    assert_true(result(&t, 0).data == 50 * 196);
}

static void translations(void **state) {
    (void)state;
    struct core_timing t = timing(0, 0, 0.125);
    timing_walk(&t, 7);
    timing_walk(&t, 801);
    assert_true(result(&t, 0).translation == 808 * 0.875);
    timing_reset(&t);
    assert_true(result(&t, 0).translation == 0);
}

static void histogram(void **state) {
    struct hw_histogram h = {0}, sum = {0};
    (void)state;
    assert_int_equal(hw_percentile(&h, 50), 0);
    for (unsigned v = 1; v <= 100; v++)
        hw_histogram_add(&h, v);
    assert_int_equal(h.count, 100);
    assert_int_equal(h.sum, 5050);
    assert_int_equal(hw_percentile(&h, 0), 1);
    assert_int_equal(hw_percentile(&h, 1), 1);
    assert_int_equal(hw_percentile(&h, 25), 25);
    assert_int_equal(hw_percentile(&h, 31), 31);
    assert_int_equal(hw_percentile(&h, 50), 50);
    assert_int_equal(hw_percentile(&h, 51), 50); /* 50 and 51 share a bucket */
    assert_int_equal(hw_percentile(&h, 100), 100);
    hw_histogram_merge(&sum, &h);
    hw_histogram_merge(&sum, &h);
    assert_int_equal(sum.count, 200);
    assert_int_equal(hw_percentile(&sum, 25), 25);

    for (unsigned b = 0; b < HW_HISTOGRAM_BUCKETS; b++) { /* buckets follow each other without a gap */
        assert_int_equal(hw_bucket_of(hw_bucket_low(b)), b);
        if (b > 0)
            assert_int_equal(hw_bucket_of(hw_bucket_low(b) - 1), b - 1);
    }
    assert_int_equal(hw_bucket_of(~0ull), HW_HISTOGRAM_BUCKETS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isolated_misses), cmocka_unit_test(misses_in_one_window),
        cmocka_unit_test(unequal_misses),  cmocka_unit_test(dependent_misses),
        cmocka_unit_test(translations),    cmocka_unit_test(histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
