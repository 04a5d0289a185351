/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Bits of lines and tags, hash functions against their definitions, attributes. */
#include "support/sim.h"

#include "mmu/ecpt/format.h"

/* Bit by bit, as a CRC is defined. */
static uint64_t crc(uint64_t polynomial, uint64_t key) {
    uint64_t r = ~0ull;

    for (unsigned byte = 0; byte < 5; byte++) {
        r ^= key >> 8 * byte & 0xff;
        for (unsigned bit = 0; bit < 8; bit++)
            r = r >> 1 ^ (r & 1 ? polynomial : 0);
    }
    return r;
}

static void crc_tables(void **state) {
    uint64_t random = 1;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const uint64_t key = sim_random(&random) >> 24;
        assert_int_equal(ecpt_crc64(0, key), crc(0xc96c5795d7870f42ull, key)); /* ECMA-182, reflected */
        assert_int_equal(ecpt_crc64(1, key), crc(0x95ac9329ac4bc9b5ull, key)); /* Jones, reflected */
    }
}

static void tags(void **state) {
    uint64_t random = 2, line[ECPT_WORDS];

    (void)state;
    for (enum ecpt_table t = 0; t < ECPT_TABLES; t++)
        for (unsigned i = 0; i < 1000; i++) {
            const uint64_t key = ecpt_key(t, sim_random(&random));
            for (unsigned k = 0; k < ECPT_WORDS; k++)
                line[k] = ecpt_tag_piece(t, k, key);
            assert_int_equal(ecpt_line_key(t, line), key);
            assert_int_equal(ecpt_is_line(t, line[ECPT_GATE]), t >= ECPT_SIZES); /* no entry is counted yet */
            for (unsigned k = 0; k < ECPT_WORDS && t < ECPT_SIZES; k++)
                assert_int_equal(line[k] & ~ECPT_MASK(LINE), 0);
        }
    /* 33, 24, 15 bits: ASPLOS'20 */
    assert_int_equal(ECPT_VA_BITS - ecpt_line_shift(ECPT_PTE), 33);
    assert_int_equal(ECPT_VA_BITS - ecpt_line_shift(ECPT_PMD), 24);
    assert_int_equal(ECPT_VA_BITS - ecpt_line_shift(ECPT_PUD), 15);
}

static uint64_t hash(unsigned family, unsigned function, uint64_t key) {
    const unsigned bank = function / ECPT_MAX_WAYS;

    return ecpt_hash(family, bank, function % ECPT_MAX_WAYS, ecpt_digest(family, bank, key));
}

/* Ways of a bank, and banks, must not agree about which tags collide: of n pairs in one way, 1/lines in another. */
static void independence(void **state) {
    const unsigned mask = 1023;

    (void)state;
    for (unsigned family = ECPT_HASH_CRC; family <= ECPT_HASH_MURMUR; family++)
        for (unsigned f = 0; f < 8; f++)
            for (unsigned g = 0; g < 8; g++) {
                unsigned same = 0, both = 0;
                uint64_t random = 3;

                for (unsigned i = 0; i < 400000 && g != f; i++) {
                    const uint64_t a = sim_random(&random) >> 31, b = sim_random(&random) >> 31;
                    if ((hash(family, f, a) ^ hash(family, f, b)) & mask)
                        continue;
                    same++;
                    both += !((hash(family, g, a) ^ hash(family, g, b)) & mask);
                }
                assert_true(both <= 8); /* about 400 pairs, 0.4 expected */
                assert_true(g == f || same > 200);
            }
}

static void attributes(void **state) {
    struct emt_tobj o, n;
    struct sim s;

    (void)state;
    sim_open(&s, emt_arch_find("ecpt"), false);
    assert_int_equal(emt_tobj_init(&s.svc, &o, 0x200000, 512, 1 << 21, EMT_PROT_WRITE), 0);
    assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SOFT, 3), 0);
    assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SOFT, 4), -EINVAL); /* the tag is there */
    assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PKEY, 15), 0);
    assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PFN, 513), -EINVAL);
    assert_int_equal(o.raw[0] & ECPT_MASK(LINE), 0);
    n = o;
    assert_int_equal(emt_tobj_set(&s.svc, &n, EMT_ATTR_SWAP, 31ull << 50 | ((1ull << 43) - 1)), 0);
    assert_int_equal(n.raw[0] & ECPT_MASK(LINE), 0);
    assert_int_equal(emt_tobj_get(&s.svc, &n, EMT_ATTR_SWAP), 31ull << 50 | ((1ull << 43) - 1));
    assert_int_equal(emt_tobj_set(&s.svc, &n, EMT_ATTR_SWAP, 1ull << 43), -EINVAL);
    sim_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_tables),
        cmocka_unit_test(tags),
        cmocka_unit_test(independence),
        cmocka_unit_test(attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
