/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Seeded random sequences of OS calls against the model of contents, on every kind of machine that matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "oracle.h"

#define BYTES 20000

static const struct oracle_setup setups[] = {
    {"radix4", false, true, CFG_THP_NEVER, 256 << 20, 1, 16, 64},
    {"radix4", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64},
    {"radix4", false, false, CFG_THP_ALWAYS, 256 << 20, 2, 1, 64},
    {"radix4", false, true, CFG_THP_MADVISE, 256 << 20, 2, 16, 64},
    {"radix4", true, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64},
    {"radix4", true, false, CFG_THP_NEVER, 256 << 20, 1, 4, 64},
    {"mosaic:4", false, true, CFG_THP_NEVER, 256 << 20, 1, 16, 64},
    {"mosaic:32-hashed", false, true, CFG_THP_NEVER, 256 << 20, 2, 16, 64},
    {"radix5", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64},
    {"radix5", true, true, CFG_THP_MADVISE, 256 << 20, 1, 16, 64},
    /* so little memory that it runs out */
    {"radix4", false, true, CFG_THP_ALWAYS, 12 << 20, 1, 16, 64},
    {"radix4", false, true, CFG_THP_NEVER, 8 << 20, 1, 16, 64},
    {"radix4", true, true, CFG_THP_ALWAYS, 8 << 20, 1, 16, 64},
    {"mosaic:4", false, true, CFG_THP_ALWAYS, 12 << 20, 1, 16, 64},
    {"radix5", false, false, CFG_THP_ALWAYS, 4 << 20, 1, 16, 64},
    /* every placement policy; with little memory, on two nodes, and where the architecture chooses frames too */
    {"radix4", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64, CFG_PLACEMENT_CA},
    {"radix4", false, false, CFG_THP_NEVER, 256 << 20, 2, 16, 64, CFG_PLACEMENT_CA},
    {"radix4", true, true, CFG_THP_ALWAYS, 12 << 20, 1, 16, 64, CFG_PLACEMENT_CA},
    {"ecpt", false, true, CFG_THP_ALWAYS, 512 << 20, 1, 16, 64, CFG_PLACEMENT_CA},
    {"radix4", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64, CFG_PLACEMENT_EAGER},
    {"radix4", false, true, CFG_THP_NEVER, 256 << 20, 2, 16, 64, CFG_PLACEMENT_EAGER},
    {"radix4", false, true, CFG_THP_ALWAYS, 12 << 20, 1, 16, 64, CFG_PLACEMENT_EAGER},
    {"radix4", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64, CFG_PLACEMENT_RANGER},
    {"radix4", false, true, CFG_THP_NEVER, 256 << 20, 2, 16, 64, CFG_PLACEMENT_RANGER},
    {"radix4", false, true, CFG_THP_MADVISE, 12 << 20, 1, 16, 64, CFG_PLACEMENT_RANGER},
    {"hashed", false, true, CFG_THP_ALWAYS, 256 << 20, 1, 16, 64, CFG_PLACEMENT_RANGER},
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

    uint64_t most = s->placement == CFG_PLACEMENT_DEFAULT ? 3 : 1;

    for (uint64_t k = 0; k < (seeds ? strtoull(seeds, NULL, 0) : most); k++) {
        uint64_t seed = (from ? strtoull(from, NULL, 0) : 1) + k;
        struct oracle_counts c;

        oracle_calls_of(seed, bytes, BYTES);
        if (oracle_run(s, bytes, BYTES, &c))
            fail_msg("seed %llu", (unsigned long long)seed);
        sum.calls += c.calls;
        sum.stores += c.stores;
        sum.out_of_memory += c.out_of_memory;
        sum.huge_faults += c.huge_faults;
        sum.splits += c.splits;
        sum.collapses += c.collapses;
        sum.copies += c.copies;
        sum.placed += c.placed;
        sum.moved += c.moved;
    }
    printf(
        "%llu calls, %llu stores, %llu out of memory, %llu huge faults, %llu splits, %llu collapses, %llu copies\n",
        (unsigned long long)sum.calls, (unsigned long long)sum.stores, (unsigned long long)sum.out_of_memory,
        (unsigned long long)sum.huge_faults, (unsigned long long)sum.splits, (unsigned long long)sum.collapses,
        (unsigned long long)sum.copies);
    if (s->placement != CFG_PLACEMENT_DEFAULT)
        printf("%llu placed, %llu bytes moved\n", (unsigned long long)sum.placed, (unsigned long long)sum.moved);
    /* The sequences reach what they are for. */
    bool roomy = s->memory_bytes >= 32 << 20; /* where it runs out, a seed may leave little to place */
    if (s->placement == CFG_PLACEMENT_RANGER)
        assert_true(sum.moved > (roomy ? 1 << 20 : 0));
    else if (s->placement != CFG_PLACEMENT_DEFAULT)
        assert_true(sum.placed > (roomy ? 100 : 0));
    assert_true(sum.calls > 500 && sum.stores > 5000 && sum.copies > 100);
    if (s->memory_bytes < 32 << 20)
        assert_true(sum.out_of_memory > 10);
    else if (s->placement == CFG_PLACEMENT_EAGER) /* most pages are there before they are touched */
        assert_true(s->thp == CFG_THP_NEVER || sum.splits > 10);
    else if (s->thp != CFG_THP_NEVER)
        assert_true(sum.huge_faults > 20 && sum.splits > 10 && sum.collapses > 5);
}

int main(void) {
    struct CMUnitTest tests[sizeof(setups) / sizeof(setups[0])];
    unsigned n = sizeof(setups) / sizeof(setups[0]);

    for (unsigned i = 0; i < n; i++)
        tests[i] =
            (struct CMUnitTest){.name = setups[i].arch, .test_func = run, .initial_state = (void *)&setups[i]};
    return _cmocka_run_group_tests("os/oracle", tests, n, NULL, NULL);
}
