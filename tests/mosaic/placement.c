/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where pages of mosaic memory may lie: codes and frames, the order of yards, and how full memory gets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "mosaic/memory.h"

#define GIB (1ull << 30)

/* Each of the 104 codes names a frame of its own, which has that code again. */
static void codes_name_frames(void **state) {
    const struct mosaic_memory memory = {1024, 1000};
    uint64_t random = 1;

    (void)state;
    for (unsigned n = 0; n < 2000; n++) {
        const uint64_t key = mosaic_key((uint16_t)hw_random(&random), hw_random(&random));
        unsigned codes = 0;
        for (unsigned code = 0; code < 128; code++) {
            const bool back = code & MOSAIC_BACK_BIT;
            const unsigned k = code >> 3 & 7;
            if (back ? k < 1 || k > MOSAIC_CHOICES : code >= MOSAIC_FRONT)
                continue;
            codes++;
            const uint64_t pfn = mosaic_frame(mosaic_random, &memory, key, code);
            assert_in_range(pfn, 1024, 1024 + 64 * 1000 - 1);
            assert_int_equal((pfn - 1024) % 64 >= MOSAIC_FRONT, back);
            assert_int_equal(mosaic_compress(mosaic_random, &memory, key, pfn), code);
        }
        assert_int_equal(codes, MOSAIC_CANDIDATES);
        assert_int_equal(mosaic_compress(mosaic_random, &memory, key, 1023), MOSAIC_NO_PAGE);
        assert_int_equal(mosaic_compress(mosaic_random, &memory, key, 1024 + 64 * 1000), MOSAIC_NO_PAGE);
    }
}

/* Over all pages each bucket is named as often as chance has it: the sum of squares is that of a chi-square. */
static void hashes_are_even(void **state) {
    const struct mosaic_memory memory = {0, 4096};
    static uint32_t hits[4096];
    const double pages = 1 << 20;

    (void)state;
    for (unsigned k = 0; k <= MOSAIC_CHOICES; k++) {
        double chi = 0;
        memset(hits, 0, sizeof(hits));
        for (uint64_t page = 0; page < 1 << 20; page++)
            hits[mosaic_bucket(mosaic_random, &memory, mosaic_key(7, (0x7f00000 + page) << 12), k)]++;
        const unsigned first = k ? mosaic_sixth(&memory, k - 1) : 0, end = k ? mosaic_sixth(&memory, k) : 4096;
        const double n = end - first, mean = pages / n;
        for (unsigned i = first; i < end; i++)
            chi += (hits[i] - mean) * (hits[i] - mean) / mean;
        /* n - 1 degrees of freedom. Dense pages make it smaller, not larger. */
        assert_true(chi < n - 1 + 6 * sqrt(2 * (n - 1)));
    }
}

static void front_first_then_the_emptiest(void **state) {
    struct memory m;
    struct emt_place p;
    uint64_t random = 5;

    (void)state;
    assert_int_equal(memory_init(&m, GIB / 4, 3), 0);
    for (uint64_t page = 0; page < m.frames * 95 / 100; page++) {
        memory_ask(&m, page, &p);
        assert_int_equal(p.kind, EMT_PLACE_REQUIRE);
        assert_int_equal(p.runs, 7);
        assert_int_equal(p.run[0].frames, MOSAIC_FRONT);
        for (unsigned i = 1; i < 7; i++) {
            assert_int_equal(p.run[i].frames, MOSAIC_BACK);
            assert_int_equal((p.run[i].pfn - m.first) % 64, MOSAIC_FRONT);
            if (i > 1)
                assert_true(memory_free_in(&m, p.run[i].pfn, 8) <= memory_free_in(&m, p.run[i - 1].pfn, 8));
        }
        const bool room = memory_free_in(&m, p.run[0].pfn, MOSAIC_FRONT);
        const uint64_t pfn = memory_take_first(&m, &p);
        if (room)
            assert_true(pfn - p.run[0].pfn < MOSAIC_FRONT);
        else
            assert_true(pfn - p.run[1].pfn < MOSAIC_BACK);
        if (hw_random_below(&random, 8) == 0)
            memory_give(&m, pfn);
    }
    /* A page that is larger has no place. */
    struct emt_place_query q = {.va = 0, .bytes = 2 << 20, .free_frames = memory_free_in, .ctx = &m};
    emt_tdb_place(&m.tdb, &q, &p);
    assert_int_equal(p.kind, EMT_PLACE_REQUIRE);
    assert_int_equal(p.runs, 0);
    memory_fini(&m);
}

/* ASPLOS'23, table 3: 98.00 to 98.07 % of 4 GiB are in use when the first page finds no place. */
static void first_conflict(void **state) {
    double sum = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct memory m;
        assert_int_equal(memory_init(&m, 4 * GIB, seed), 0);
        for (uint64_t page = 0; memory_place(&m, page) != EMT_NO_PA; page++)
            ;
        const double share = (double)m.used / (double)m.frames;
        assert_true(share > 0.979 && share < 0.982);
        sum += share;
        memory_fini(&m);
    }
    printf("first conflict at %.2f %%\n", sum / 4 * 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_name_frames),
        cmocka_unit_test(hashes_are_even),
        cmocka_unit_test(front_first_then_the_emptiest),
        cmocka_unit_test(first_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
