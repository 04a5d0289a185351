/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Contiguous frames beyond the buddy allocator's largest order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "os/frames.h"

static struct frames *make(uint64_t bytes, uint32_t nodes) {
    struct emt_config cfg;
    struct frames *f;

    memset(&cfg, 0, sizeof(cfg));
    cfg.memory.bytes = bytes;
    cfg.memory.nodes = nodes;
    assert_int_equal(frames_new(&f, &cfg), 0);
    return f;
}

static void runs(void **state) {
    struct frames *f = make(64ull << 20, 1);
    const uint64_t all = frames_free_total(f);

    (void)state;
    /* A frame in the first 16 MiB: the run lies behind them. */
    const uint64_t one = frames_alloc_at(f, 1000, 0, FRAME_MOVABLE, OS_USE_4K);
    assert_int_equal(one, 1000);
    const uint64_t run = frames_alloc_large(f, 12, 0, OS_USE_TABLE);
    assert_int_equal(run, 4096);
    assert_int_equal(frames_free_in(f, run, 4096), 0);
    assert_int_equal(frames_verify(f), 0);
    assert_int_equal(frames_alloc_large(f, 13, 0, OS_USE_TABLE), 8192);
    assert_int_equal(frames_alloc_large(f, 12, 0, OS_USE_TABLE), FRAME_NONE); /* 15.99 MiB are left */
    assert_int_equal(frames_alloc_large(f, 33, 0, OS_USE_TABLE), FRAME_NONE);
    frames_free_large(f, 4096, 12);
    frames_free_large(f, 8192, 13);
    frames_free(f, one);
    assert_int_equal(frames_free_total(f), all);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

static void nodes(void **state) {
    struct frames *f = make(64ull << 20, 2);

    (void)state;
    assert_int_equal(frames_alloc_large(f, 12, 1, OS_USE_TABLE), 8192);
    assert_int_equal(frames_alloc_large(f, 12, 1, OS_USE_TABLE), 12288);
    assert_int_equal(frames_alloc_large(f, 12, 1, OS_USE_TABLE), 0); /* the other node */
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs), cmocka_unit_test(nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
