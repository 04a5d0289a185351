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

#define SETUP(name, memory_mib, policy, swap_mib, kind, ...)                                                       \
    {                                                                                                              \
        .arch = name, .memory_bytes = (memory_mib)*MIB, .reclaim = CFG_RECLAIM_##policy,                           \
        .swap_bytes = (swap_mib)*MIB, .device = CFG_DEVICE_##kind, .zero_page = true, .nodes = 1,                  \
        .fault_around_pages = 16, .verify_every = 16, __VA_ARGS__                                                  \
    }

static const struct oracle_setup setups[] = {
    SETUP("radix4", 4, LRU, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("radix4", 4, LRU, 128, HDD, .thp = CFG_THP_ALWAYS),
    SETUP("radix4", 4, LRU, 128, CXL, .thp = CFG_THP_ALWAYS, .basic_only = true),
    SETUP("radix4", 4, GENERATIONS, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("radix5", 8, GENERATIONS, 128, CXL, .thp = CFG_THP_ALWAYS),
    SETUP("ecpt", 8, LRU, 128, SSD, .thp = CFG_THP_ALWAYS),
    SETUP("hashed", 4, LRU, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("inverted", 4, GENERATIONS, 128, SSD, .thp = CFG_THP_NEVER),
    /* few frames for each page; frames by a policy; pages that move */
    SETUP("mosaic:4", 8, AUTO, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("mosaic:32-hashed", 8, AUTO, 128, SSD, .fail_every = 5),
    SETUP("mosaic:4", 8, LRU, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("mosaic:8", 8, GENERATIONS, 128, SSD, .thp = CFG_THP_NEVER),
    SETUP("radix4", 8, LRU, 128, SSD, .thp = CFG_THP_ALWAYS, .placement = CFG_PLACEMENT_CA),
    SETUP("radix4", 8, GENERATIONS, 128, SSD, .thp = CFG_THP_ALWAYS, .placement = CFG_PLACEMENT_RANGER),
    SETUP("radix4", 8, LRU, 128, SSD, .thp = CFG_THP_ALWAYS, .placement = CFG_PLACEMENT_EAGER),
    /* devices that fail, a limit, and swap that is too small: somebody is killed */
    SETUP("radix4", 4, LRU, 128, SSD, .fail_every = 7),
    SETUP("radix4", 8, GENERATIONS, 128, SSD, .thp = CFG_THP_ALWAYS, .fail_every = 3),
    SETUP("radix4", 64, LRU, 128, SSD, .thp = CFG_THP_ALWAYS, .limit_bytes = 2 * MIB),
    SETUP("radix4", 4, LRU, 1, SSD, .thp = CFG_THP_NEVER),
    SETUP("radix4", 4, GENERATIONS, 0, SSD, .thp = CFG_THP_NEVER),
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
        uint64_t seed = (from ? strtoull(from, NULL, 0) : 1) + k;
        struct oracle_counts c;

        oracle_calls_of(seed, bytes, BYTES);
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
