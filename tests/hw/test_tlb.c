/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One TLB against a plain model, in many geometries; MMU caches likewise; the choice of victims. */
#include "world.h"

#include <stdio.h>

#include "naive.h"

static const struct geometry {
    unsigned entries, ways;
} geometries[] = {
    {1, 1}, {16, 0}, {48, 0}, {64, 4}, {1536, 12}, {1280, 5}, {3, 1}, {12, 4}, {21, 7}, {96, 6}, {5, 5},
};
#define GEOMETRIES (sizeof(geometries) / sizeof(geometries[0]))

/* One access to a TLB: find or insert. */
static bool use(struct tlb *t, uint16_t asid, uint64_t vpn) {
    uint64_t key = tlb_key(tlb_asid_key(asid), vpn << 12);
    struct tlb_entry old, *e = tlb_find(t, key);
    if (e) {
        tlb_touch(t, e);
        return true;
    }
    tlb_insert(t, key, TLB_4K, vpn << 12, false, &old);
    return false;
}

static void compare(const struct geometry *g, enum cfg_replacement policy, unsigned bits, bool flat) {
    struct cfg_tlb cfg = {.level = 1, .pages = CFG_PAGE_4K, .entries = g->entries, .ways = g->ways};
    struct tlb t;
    struct naive n;
    uint64_t random = 42, old, hits = 0;
    bool dirty;
    cfg.replacement = policy;
    assert_int_equal(tlb_init(&t, &cfg, 0, 7), 0);
    naive_init(&n, g->entries, t.ways, policy);
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t vpn = flat ? hw_random(&random) >> (64 - bits) : skewed(&random, bits);
        uint16_t asid = (uint16_t)(hw_random_below(&random, 4) == 0);
        bool hit = use(&t, asid, vpn);
        hits += hit;
        assert_int_equal(hit, naive_use(&n, vpn, vpn << 1 | asid, false, &old, &dirty));
        if (i % 16 == 0) { /* dropped entries keep their place in the order of ages, but go first */
            tlb_drop_range(&t, asid, vpn << 12, (vpn << 12) + 1);
            naive_drop(&n, vpn, vpn << 1 | asid);
        }
    }
    assert_int_equal(t.clock - t.fills, hits);
    free(n.set);
    tlb_fini(&t);
}

static void lru_is_exact(void **state) {
    (void)state;
    for (unsigned i = 0; i < GEOMETRIES; i++) {
        compare(&geometries[i], CFG_LRU, geometries[i].entries > 100 ? 12 : 6, true);
        compare(&geometries[i], CFG_LRU, 14, false);
    }
}

static void plru_is_a_tree(void **state) {
    (void)state;
    for (unsigned i = 0; i < GEOMETRIES; i++) {
        compare(&geometries[i], CFG_PLRU, geometries[i].entries > 100 ? 12 : 6, true);
        compare(&geometries[i], CFG_PLRU, 14, false);
    }
}

/* Stack property: what hits in a fully associative LRU TLB of n entries hits in one of n + 1 too. */
static void lru_is_a_stack(void **state) {
    struct tlb t[20];
    uint64_t random = 3;
    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        struct cfg_tlb cfg = {.level = 1, .pages = CFG_PAGE_4K, .entries = n + 1};
        assert_int_equal(tlb_init(&t[n], &cfg, 0, 0), 0);
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t vpn = skewed(&random, 6);
        bool smaller = false;
        for (unsigned n = 0; n < 20; n++) {
            bool hit = use(&t[n], 1, vpn);
            assert_true(hit || !smaller);
            smaller = hit;
        }
    }
    for (unsigned n = 0; n < 20; n++)
        tlb_fini(&t[n]);
}

/* Random: n + k pages in turn through n entries. LRU never hits; random does, by its seed, the same each time. */
static void random_is_seeded(void **state) {
    uint64_t hits[3] = {0};
    (void)state;
    for (unsigned run = 0; run < 3; run++) {
        struct cfg_tlb cfg = {.level = 1, .pages = CFG_PAGE_4K, .entries = 64, .replacement = CFG_RANDOM};
        struct tlb t;
        assert_int_equal(tlb_init(&t, &cfg, 0, run == 2 ? 99 : 5), 0);
        for (unsigned i = 0; i < 72 * 400; i++)
            hits[run] += use(&t, 1, i % 72);
        tlb_fini(&t);
    }
    assert_int_equal(hits[0], hits[1]);
    assert_int_not_equal(hits[0], hits[2]);
    /* A page comes back after 71 others, of which a share q misses: it survives with (1 - 1/64)^(71 q) = 1 - q, so
       q is about 0.20. */
    double missed = 1 - (double)hits[0] / (72 * 400);
    assert_true(missed > 0.17 && missed < 0.24);
}

static void impossible_geometries(void **state) {
    struct tlb t;
    (void)state;
    struct cfg_tlb cfg = {.entries = 1000, .ways = 12};
    assert_int_equal(tlb_init(&t, &cfg, 0, 0), -EINVAL);
    cfg = (struct cfg_tlb){.entries = 0};
    assert_int_equal(tlb_init(&t, &cfg, 0, 0), -EINVAL);
}

/* Every size, ASIDs up to the largest, both halves of the address space: what goes in comes out. */
static void entries_say_what_they_are(void **state) {
    static const uint64_t vas[] = {0,
                                   0x7fffffffffffull,
                                   0xffff800000000000ull,
                                   0xffffffffffffffffull,
                                   0x00ffffffffffffffull,
                                   0xff00000000000000ull,
                                   0x5c8315cc2016ull};
    static const uint16_t asids[] = {0, 1, 0x7f, 0x80, 0xfff, 0xffff};
    struct cfg_tlb cfg = {.level = 1, .pages = 7, .entries = 12, .ways = 4};
    struct tlb t;
    struct tlb_entry old;
    (void)state;
    assert_int_equal(tlb_init(&t, &cfg, 3, 0), 0);
    for (unsigned v = 0; v < 7; v++)
        for (unsigned a = 0; a < 6; a++)
            for (unsigned class = 0; class < TLB_CLASSES; class ++)
                for (unsigned global = 0; global < 2; global++) {
                    uint64_t bytes = 1ull << tlb_class_shift(class), key = tlb_key(tlb_asid_key(asids[a]), vas[v]);
                    struct tlb_entry *e = tlb_insert(&t, key, class, 5 * GIB | TLB_WRITE, global, &old);
                    assert_int_equal(tlb_va(e), vas[v] & -bytes);
                    assert_int_equal(tlb_bytes(e), bytes);
                    assert_int_equal(tlb_pa(e, vas[v]), 5 * GIB + (vas[v] & (bytes - 1)));
                    assert_int_equal(tlb_asid_of(e), asids[a]);
                    assert_int_equal(tlb_is_global(e), global);
                    assert_int_equal(e->frame & TLB_INDEX, 3);
                    assert_ptr_equal(tlb_find(&t, key), e);
                    assert_ptr_equal(tlb_find(&t, tlb_key(tlb_asid_key(asids[a] ^ 0x8001), vas[v])),
                                     global ? e : NULL);
                    assert_null(tlb_find(&t, tlb_key(tlb_asid_key(asids[a]), vas[v] ^ bytes)));
                    tlb_drop_range(&t, asids[a], vas[v], vas[v]);
                    assert_null(tlb_find(&t, key));
                    assert_int_equal(t.live[0] + t.live[1] + t.live[2], 0);
                }
    tlb_fini(&t);
}

/* A range drops exactly what it touches, looked up page by page or entry by entry. */
static void ranges(void **state) {
    struct cfg_tlb cfg = {.level = 2, .pages = 3, .entries = 1280, .ways = 5};
    struct tlb t;
    struct tlb_entry old;
    uint64_t random = 9;
    (void)state;
    assert_int_equal(tlb_init(&t, &cfg, 0, 0), 0);
    for (unsigned round = 0; round < 300; round++) {
        tlb_drop_all(&t, true);
        for (unsigned i = 0; i < 128; i++) {
            tlb_insert(&t, tlb_key(tlb_asid_key(1), i * 4096ull), TLB_4K, 0, false, &old);
            tlb_insert(&t, tlb_key(tlb_asid_key(2), i * 4096ull), TLB_4K, 0, false, &old);
            if (i > 0)
                tlb_insert(&t, tlb_key(tlb_asid_key(1), i * 2 * MIB), TLB_2M, 0, i % 2, &old);
        }
        uint64_t from = skewed(&random, 28), last = from + skewed(&random, 28);
        tlb_drop_range(&t, 1, from, last);
        for (uint64_t i = 0; i < 128; i++) {
            bool hit4k = i * 4096 <= last && from <= i * 4096 + 4095;
            bool hit2m = i * 2 * MIB <= last && from <= i * 2 * MIB + 2 * MIB - 1;
            assert_int_equal(!tlb_find(&t, tlb_key(tlb_asid_key(1), i * 4096)), hit4k);
            assert_non_null(tlb_find(&t, tlb_key(tlb_asid_key(2), i * 4096)));
            if (i > 0)
                assert_int_equal(!tlb_find(&t, tlb_key(tlb_asid_key(1), i * 2 * MIB)), hit2m);
        }
    }
    /* a global entry goes with its address, whoever asks: from a short range and from a long one */
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        tlb_insert(&t, tlb_key(tlb_asid_key(3), GIB), TLB_4K, 0, true, &old);
        tlb_drop_asid(&t, 3);
        assert_non_null(tlb_find(&t, tlb_key(tlb_asid_key(1), GIB)));
        tlb_drop_range(&t, 1, GIB, GIB + (is_long ? 1ull << 40 : 1));
        assert_null(tlb_find(&t, tlb_key(tlb_asid_key(1), GIB)));
    }
    tlb_drop_range(&t, 1, 0, ~0ull);
    tlb_drop_asid(&t, 2);
    assert_int_equal(t.live[0] + t.live[1] + t.live[2], 0);
    tlb_fini(&t);
}

static void mmu_caches(void **state) {
    (void)state;
    for (unsigned policy = CFG_LRU; policy <= CFG_PLRU; policy++)
        for (unsigned i = 0; i < GEOMETRIES; i++) {
            struct cfg_mmu_cache cfg = {.entries = geometries[i].entries, .ways = geometries[i].ways};
            struct mmu_cache c;
            struct naive n;
            uint64_t random = 1, old, value[2] = {0}, got[2];
            bool dirty;
            cfg.replacement = (enum cfg_replacement)policy;
            assert_int_equal(mmu_cache_init(&c, &cfg, 1), 0);
            naive_init(&n, cfg.entries, c.ways, cfg.replacement);
            for (unsigned k = 0; k < 10000; k++) {
                uint64_t key = skewed(&random, 12);
                uint16_t asid = (uint16_t)hw_random_below(&random, 2);
                bool hit = mmu_cache_get(&c, asid, key, got);
                assert_int_equal(hit, naive_use(&n, key, key << 1 | asid, false, &old, &dirty));
                value[0] = key * 3 + asid;
                value[1] = ~key;
                assert_true(!hit || (got[0] == value[0] && got[1] == value[1]));
                if (!hit)
                    mmu_cache_put(&c, asid, key, value);
            }
            mmu_cache_drop_keys(&c, 0, 1, 2);
            mmu_cache_drop_asid(&c, 1);
            for (uint64_t key = 0; key < 4096; key++) {
                assert_false(mmu_cache_get(&c, 1, key, got));
                assert_int_equal(mmu_cache_get(&c, 0, key, got),
                                 key != 1 && key != 2 && naive_way(&n, key, key << 1) >= 0);
            }
            free(n.set);
            mmu_cache_fini(&c);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_is_exact),
        cmocka_unit_test(plru_is_a_tree),
        cmocka_unit_test(lru_is_a_stack),
        cmocka_unit_test(random_is_seeded),
        cmocka_unit_test(impossible_geometries),
        cmocka_unit_test(entries_say_what_they_are),
        cmocka_unit_test(ranges),
        cmocka_unit_test(mmu_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
