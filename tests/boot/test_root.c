/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The root descriptor: what is encoded is decoded, and what is none is refused, word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "emt/hardware.h"

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
    return *state;
}

static void round_trip(void **state) {
    uint64_t random = 7;
    (void)state;

    for (unsigned words = 0; words <= EMT_ROOT_WORDS; words++) {
        uint64_t desc[EMT_ROOT_DESC_WORDS], upper, wanted = next(&random);
        const unsigned arch = 1 + next(&random) % 0xffff;
        struct emt_root root, back;

        for (unsigned i = 0; i < EMT_ROOT_WORDS; i++)
            root.word[i] = next(&random);
        emt_root_encode(desc, arch, words, wanted, &root);
        assert_int_equal(emt_root_decode(desc, arch, &upper, &back), 0);
        assert_int_equal(upper, wanted);
        for (unsigned i = 0; i < EMT_ROOT_WORDS; i++)
            assert_int_equal(back.word[i], i < words ? root.word[i] : 0);
        assert_int_equal(emt_root_decode(desc, arch ^ 1, &upper, &back), -EINVAL);
    }
}

/* A bit that is not the content's, in any word, makes it no descriptor. */
static void refuses(void **state) {
    const unsigned arch = 3, words = 9;
    uint64_t good[EMT_ROOT_DESC_WORDS], desc[EMT_ROOT_DESC_WORDS], upper;
    struct emt_root root = {.word = {1, 2, 3}}, back;
    (void)state;

    emt_root_encode(good, arch, words, 0, &root);
    for (unsigned w = 0; w < EMT_ROOT_DESC_WORDS; w++)
        for (unsigned bit = 0; bit < 64; bit++) {
            const bool content =
                w == EMT_ROOT_DESC_UPPER || (w >= EMT_ROOT_DESC_FIRST && w < EMT_ROOT_DESC_FIRST + words);
            /* Other numbers of words: more than 52 is refused, less leaves content where 0 must be. */
            const bool count = w == 0 && bit >= 16 && bit < 32;

            memcpy(desc, good, sizeof(desc));
            desc[w] ^= 1ull << bit;
            if (!content && !count)
                assert_int_equal(emt_root_decode(desc, arch, &upper, &back), -EINVAL);
        }
    emt_root_encode(desc, arch, words, 0, &root);
    desc[0] += (uint64_t)(EMT_ROOT_WORDS - words + 1) << 16;
    assert_int_equal(emt_root_decode(desc, arch, &upper, &back), -EINVAL);
    memcpy(desc, good, sizeof(desc));
    desc[0] -= (uint64_t)(words - 2) << 16;
    assert_int_equal(emt_root_decode(desc, arch, &upper, &back), -EINVAL);
}

/* A manual's numbers do not change by accident. */
static void layout(void **state) {
    uint64_t desc[EMT_ROOT_DESC_WORDS];
    struct emt_root root = {.word = {0x1111, 0x2222}};
    (void)state;

    emt_root_encode(desc, 5, 2, 0xabc000, &root);
    assert_int_equal(desc[0], 0x52544d4500020005ull);
    assert_memory_equal((char *)desc + 4, "EMTR", 4);
    assert_int_equal(desc[1], 0xabc000);
    assert_int_equal(desc[8], 0x1111);
    assert_int_equal(desc[9], 0x2222);
    assert_int_equal(desc[10], 0);
    assert_int_equal(EMT_CPUID_LEAF, 0x454d5400u);
    assert_int_equal(EMT_MSR_RELOAD, 0x454d5402u);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refuses),
                                       cmocka_unit_test(layout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
