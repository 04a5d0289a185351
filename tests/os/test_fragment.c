/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fragmentation made beforehand: the closed form of the index, the degree asked for, the limit, and that a seed
 * always gives the same frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/frames.h"

#define GIB (1ull << 30)

static struct frames *frames(uint64_t bytes, unsigned nodes) {
    struct emt_config cfg = {.memory = {.bytes = bytes, .nodes = nodes}};
    struct frames *f;
    assert_int_equal(frames_new(&f, &cfg), 0);
    return f;
}

/* One frame in each of k out of N blocks: k 511 / (k 511 + (N - k) 512). */
static void closed_form(void **unused) {
    (void)unused;
    struct frames *f = frames(GIB, 1);
    double n = 512;
    assert_true(frames_fragmentation(f, 9) == 0);
    for (unsigned k = 1; k <= 512; k++) {
        uint64_t block = (k - 1) * 77 % 512; /* 77 is odd: each block once */
        assert_true(frames_alloc_at(f, block * 512 + k % 512, 0, FRAME_MOVABLE, OS_USE_OCCUPIED) != FRAME_NONE);
        double expected = k * 511.0 / (k * 511.0 + (n - k) * 512.0);
        assert_true(fabs(frames_fragmentation(f, 9) - expected) < 1e-12);
    }
    assert_true(frames_fragmentation(f, 0) == 0);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

static void degrees(void **unused) {
    (void)unused;
    static const double wanted[] = {0, .25, .5, .75, .95, 1};
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct frames *f = frames(GIB, 1 + i % 2);
        double got = frames_fragment(f, wanted[i], 1, 0, 42);
        assert_true(fabs(got - wanted[i]) <= 0.5 / 512 + 1e-9);
        assert_true(got == frames_fragmentation(f, 9));
        /* huge pages that can be had are those the index promises, no more, no fewer */
        uint64_t huge = 0, free = frames_free_total(f);
        while (frames_alloc(f, 9, 0, FRAME_MOVABLE, OS_USE_2M) != FRAME_NONE)
            huge++;
        assert_int_equal(huge, llround((1 - got) * (double)free / 512));
        assert_int_equal(frames_verify(f), 0);
        /* few frames are lost: 3.5 of 512 on average, in the blocks concerned */
        double lost = 1 - (double)free / (double)frames_total(f);
        assert_true(lost <= wanted[i] * 5 / 512);
        frames_free_all(f);
    }
}

/* Free runs of single frames up to 1 MiB; 3.5 frames taken in each block (the mean of 400 such draws: +-0.3). */
static void runs_vary(void **unused) {
    (void)unused;
    struct frames *f = frames(GIB, 1);
    frames_fragment(f, .75, .1, 0, 1);
    uint64_t count[FRAMES_MAX_ORDER + 1];
    frames_free_blocks(f, count);
    for (unsigned o = 0; o < 9; o++)
        assert_true(count[o] > 100);
    uint64_t blocks = 512 - count[9] - 2 * count[10], taken = frames_total(f) - frames_free_total(f);
    assert_true((double)taken / (double)blocks > 2.5 && (double)taken / (double)blocks < 4.5);
    frames_free_all(f);
}

static void limit(void **unused) {
    (void)unused;
    /* nothing may be taken */
    struct frames *f = frames(GIB, 1);
    assert_true(frames_fragment(f, .5, 0, 0, 1) == 0);
    assert_int_equal(frames_free_total(f), frames_total(f));
    /* exactly one frame for each block that .5 needs */
    uint64_t total = frames_total(f);
    double got = frames_fragment(f, .5, 258.0 / (double)total, 0, 1);
    assert_true(fabs(got - .5) < .01);
    assert_true(total - frames_free_total(f) <= 258);
    frames_free_all(f);
    /* too little: as far as it goes */
    f = frames(GIB, 1);
    got = frames_fragment(f, .5, 100.0 / (double)total, 0, 1);
    assert_int_equal(total - frames_free_total(f), 100);
    assert_true(fabs(got - 100 * 511.0 / (100 * 511.0 + 412 * 512.0)) < 1e-9);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

/* A number that depends on which frames are taken and in which order the free ones come. */
static uint64_t fingerprint(uint64_t seed) {
    struct frames *f = frames(GIB, 2);
    frames_fragment(f, .6, .5, 0, seed);
    uint64_t h = 0, pfn;
    while ((pfn = frames_alloc(f, 0, 1, FRAME_MOVABLE, OS_USE_4K)) != FRAME_NONE)
        h = (h ^ pfn) * 0x100000001b3;
    frames_free_all(f);
    return h;
}

static void deterministic(void **unused) {
    (void)unused;
    assert_true(fingerprint(5) == fingerprint(5));
    assert_true(fingerprint(5) != fingerprint(6));
}

/* Memory that is partly in use already; a second call goes on from where the first stopped. */
static void in_use_before(void **unused) {
    (void)unused;
    struct frames *f = frames(GIB, 1);
    for (unsigned i = 0; i < 100; i++) {
        frames_alloc(f, 9, 0, FRAME_MOVABLE, OS_USE_2M);
        frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE);
    }
    assert_true(fabs(frames_fragment(f, .3, 1, 0, 9) - .3) < .01);
    assert_true(fabs(frames_fragment(f, .8, 1, 0, 10) - .8) < .01);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

static void terabyte(void **unused) {
    (void)unused;
    struct frames *f = frames(1024 * GIB, 2);
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_true(fabs(frames_fragment(f, .5, .1, 0, 3) - .5) < 1e-4);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    print_message("1 TiB to 0.5: %.2f s\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
    frames_free_all(f);
}

/* In aligned pieces: what is between them stays whole. */
static void in_pieces(void **state) {
    const uint64_t piece = 64 << 20;
    struct emt_config cfg = {.memory = {.bytes = 1ull << 30, .nodes = 1}};
    struct frames *f;
    unsigned touched = 0;

    (void)state;
    assert_int_equal(frames_new(&f, &cfg), 0);
    assert_true(fabs(frames_fragment(f, .5, 1, piece, 7) - .5) < .01);
    for (uint64_t at = 0; at < cfg.memory.bytes; at += piece) {
        unsigned frames = (unsigned)(piece / EMT_PAGE_BYTES), holey = 0;
        for (unsigned i = 0; i < frames; i += 512)
            holey += frames_free_in(f, at / EMT_PAGE_BYTES + i, 512) != 512;
        touched += holey != 0;
    }
    assert_in_range(touched, 8, 9); /* of 16 */
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces),     cmocka_unit_test(closed_form), cmocka_unit_test(degrees),
        cmocka_unit_test(runs_vary),     cmocka_unit_test(limit),       cmocka_unit_test(deterministic),
        cmocka_unit_test(in_use_before), cmocka_unit_test(terabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
