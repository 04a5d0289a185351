/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The oracle's random OS calls with so little memory that reclaim runs all the time: no page is lost, none comes
   back from the dead, whatever the policy, the architecture and the device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracle.h"

#define BYTES 12000
#define MIB   (1ull << 20)

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

#define COMMON .zero_page = true, .nodes = 1, .fault_around_pages = 16, .verify_every = 16

static const struct oracle_setup setups[] = {
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .thp = CFG_THP_ALWAYS,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_HDD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .thp = CFG_THP_ALWAYS,
     .basic_only = true,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_CXL,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix5",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_CXL,
     COMMON},
    {.arch = "ecpt",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "hashed",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "inverted",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    /* few frames for each page; frames by a policy; pages that move */
    {.arch = "mosaic:4",
     .memory_bytes = 8 * MIB,
     .reclaim = CFG_RECLAIM_AUTO,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "mosaic:32-hashed",
     .memory_bytes = 8 * MIB,
     .reclaim = CFG_RECLAIM_AUTO,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     .fail_every = 5,
     COMMON},
    {.arch = "mosaic:4",
     .memory_bytes = 8 * MIB,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "mosaic:8",
     .memory_bytes = 8 * MIB,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .placement = CFG_PLACEMENT_CA,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .placement = CFG_PLACEMENT_RANGER,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .placement = CFG_PLACEMENT_EAGER,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    /* devices that fail, a limit, and swap that is too small: somebody is killed */
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     .fail_every = 7,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 8 * MIB,
     .thp = CFG_THP_ALWAYS,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 128 * MIB,
     .device = CFG_DEVICE_SSD,
     .fail_every = 3,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 64 * MIB,
     .thp = CFG_THP_ALWAYS,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 128 * MIB,
     .limit_bytes = 2 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_LRU,
     .swap_bytes = 1 * MIB,
     .device = CFG_DEVICE_SSD,
     COMMON},
    {.arch = "radix4",
     .memory_bytes = 4 * MIB,
     .reclaim = CFG_RECLAIM_GENERATIONS,
     .swap_bytes = 0,
     .device = CFG_DEVICE_SSD,
     COMMON},
};

static void run(void **state) {
    const struct oracle_setup *s = *state;
#ifdef EMT_BASIC_ONLY
    if (strstr(s->arch, "hashed"))
        skip(); /* its default ranges look at each page of the holes in an address space: hours */
#endif
    struct oracle_counts sum = {0};
    static uint8_t bytes[BYTES];
    const char *seeds = getenv("ORACLE_SEEDS"), *from = getenv("ORACLE_FROM");

    for (uint64_t k = 0; k < (seeds ? strtoull(seeds, NULL, 0) : 2); k++) {
        uint64_t seed = (from ? strtoull(from, NULL, 0) : 1) + k, rng = seed;
        struct oracle_counts c;

        for (unsigned i = 0; i < BYTES; i++)
            bytes[i] = (uint8_t)(next(&rng) >> 32);
        if (oracle_run(s, bytes, BYTES, &c))
            fail_msg("seed %llu", (unsigned long long)seed);
        for (unsigned i = 0; i < sizeof(c) / sizeof(uint64_t); i++)
            ((uint64_t *)(void *)&sum)[i] += ((const uint64_t *)(const void *)&c)[i];
    }
    printf("%llu calls, %llu out, %llu in, %llu refaults, %llu written back, %llu discarded, %llu errors, %llu "
           "killed, %llu splits\n",
           (unsigned long long)sum.calls, (unsigned long long)sum.swapped_out, (unsigned long long)sum.swapped_in,
           (unsigned long long)sum.refaults, (unsigned long long)sum.written_back,
           (unsigned long long)sum.discarded, (unsigned long long)sum.io_errors, (unsigned long long)sum.killed,
           (unsigned long long)sum.splits);
    /* The sequences reach what they are for. */
    assert_true(sum.calls > 200);
    if (s->swap_bytes > 8 * MIB)
        assert_true(sum.swapped_out > 500 && sum.swapped_in > 50);
    else
        assert_true(sum.killed > 0);
    if (s->fail_every)
        assert_true(sum.io_errors > 5);
}

int main(void) {
    struct CMUnitTest tests[sizeof(setups) / sizeof(setups[0])];
    unsigned n = sizeof(setups) / sizeof(setups[0]);

    for (unsigned i = 0; i < n; i++)
        tests[i] =
            (struct CMUnitTest){.name = setups[i].arch, .test_func = run, .initial_state = (void *)&setups[i]};
    return _cmocka_run_group_tests("os/pressure", tests, n, NULL, NULL);
}
