/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Coalesced entries: reach in closed forms, what is coalesced and what is not, and the structure against a naive
 * one. */
#include "hw/coalesc.h"
#include "world.h"

#define DATA (P | RW | US | A | D)

static struct mmu *coalescing(struct world *w, uint32_t entries, uint32_t ways, uint32_t k) {
    world_init(w);
    world_tlb(w, 1, CFG_TLB_DATA, CFG_PAGE_4K, entries, ways)->coalesce = k;
    return world_mmu(w, 0, NULL, NULL);
}

static void end(struct world *w, struct mmu *m) {
    mmu_free(m);
    world_fini(w);
}

static uint64_t lap(struct mmu *m, unsigned pages, uint64_t pa, int64_t step) {
    const uint64_t before = m->stats.walks;

    for (unsigned i = 0; i < pages; i++)
        world_access(m, GIB + 4096ull * i, EMT_LOAD, pa + (uint64_t)(step * i));
    return m->stats.walks - before;
}

/* n entries of k pages reach n * k contiguous pages, with a walk for each k; one group more, and LRU holds nothing.
 */
static void reach_of_contiguous_memory(void **state) {
    (void)state;
    for (uint32_t k = 1; k <= 8; k *= 2) {
        struct world w;
        struct mmu *m = coalescing(&w, 16, 0, k);

        world_map_pages(&w, 1, GIB, 64 * MIB + 5 * 4096, 16 * k + k, DATA); /* frames need not be aligned */
        assert_int_equal(lap(m, 16 * k, 64 * MIB + 5 * 4096, 4096), 16);
        assert_int_equal(lap(m, 16 * k, 64 * MIB + 5 * 4096, 4096), 0);
        assert_int_equal(lap(m, 17 * k, 64 * MIB + 5 * 4096, 4096), 17 - 16);
        assert_int_equal(lap(m, 17 * k, 64 * MIB + 5 * 4096, 4096), 17);
        end(&w, m);
    }
}

/* No two pages at the same distance: the reach is that of plain entries. */
static void reach_of_scattered_memory(void **state) {
    struct world w;
    struct mmu *m = coalescing(&w, 16, 0, 4);

    (void)state;
    for (unsigned i = 0; i < 17; i++)
        world_map(&w, 1, GIB + 4096ull * i, 64 * MIB - 4096ull * i, 1, DATA);
    assert_int_equal(lap(m, 16, 64 * MIB, -4096), 16);
    assert_int_equal(lap(m, 16, 64 * MIB, -4096), 0);
    assert_int_equal(lap(m, 17, 64 * MIB, -4096), 1);
    assert_int_equal(lap(m, 17, 64 * MIB, -4096), 17);
    end(&w, m);
}

/* Of the same four: equal attributes, accessed, the same distance; others are beside it. */
static void what_is_coalesced(void **state) {
    static const struct {
        uint64_t flags, moved;
        bool together;
    } neighbour[] = {
        {DATA, 0, true},       {DATA & ~A, 0, false},      {DATA & ~D, 0, false},      {DATA & ~RW, 0, false},
        {DATA | NX, 0, false}, {DATA | G, 0, false},       {DATA | 0x18ull, 0, false}, {DATA, 4096, false},
        {0, 0, false},         {DATA | 0x800ull, 0, true}, /* the contiguity bit is a hint: no attribute of a
                                                              translation */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(neighbour) / sizeof(neighbour[0]); i++) {
        struct world w;
        struct mmu *m = coalescing(&w, 16, 4, 4);

        world_map(&w, 1, GIB, 64 * MIB, 1, DATA);
        world_map(&w, 1, GIB + 4096, 64 * MIB + 4096 + neighbour[i].moved, 1, neighbour[i].flags);
        assert_true(world_access(m, GIB, EMT_LOAD, 64 * MIB));
        if (neighbour[i].flags) {
            assert_int_equal(world_access(m, GIB + 4096, EMT_LOAD, 64 * MIB + 4096 + neighbour[i].moved),
                             !neighbour[i].together);
            assert_false(world_access(m, GIB, EMT_LOAD, 64 * MIB));
        }
        end(&w, m);
    }
}

/* A page of it is invalidated: the whole entry goes. A store to a clean one as well, and comes back alone. */
static void invalidation(void **state) {
    struct world w;
    struct mmu *m = coalescing(&w, 16, 4, 4);

    (void)state;
    world_map_pages(&w, 1, GIB, 64 * MIB, 4, DATA & ~D);
    assert_int_equal(lap(m, 4, 64 * MIB, 4096), 1);
    world_flush(m, 1, EMT_FLUSH_RANGE, GIB + 2 * 4096, 4096);
    assert_int_equal(lap(m, 4, 64 * MIB, 4096), 1);
    assert_true(world_access(m, GIB + 4096, EMT_STORE, 64 * MIB + 4096));
    assert_int_equal(*world_entry(&w, 1, GIB + 4096, 1) & D, D);
    assert_false(world_access(m, GIB + 4096, EMT_STORE, 64 * MIB + 4096));
    assert_true(world_access(m, GIB, EMT_LOAD, 64 * MIB)); /* the three that are clean, together */
    assert_false(world_access(m, GIB + 2 * 4096, EMT_LOAD, 64 * MIB + 2 * 4096));
    assert_false(world_access(m, GIB + 4096, EMT_STORE, 64 * MIB + 4096));
    end(&w, m);
}

/* Level 2 of eight pages, level 1 of four: one walk for eight, and a hit in level 2 brings four. Large pages too.
 */
static void two_levels(void **state) {
    struct world w;

    (void)state;
    world_init(&w);
    world_tlb(&w, 1, CFG_TLB_DATA, CFG_PAGE_4K | CFG_PAGE_2M, 4, 0)->coalesce = 4;
    world_tlb(&w, 2, CFG_TLB_DATA, CFG_PAGE_4K | CFG_PAGE_2M, 64, 4)->coalesce = 8;
    struct mmu *m = world_mmu(&w, 0, NULL, NULL);
    world_map_pages(&w, 1, GIB, 64 * MIB, 64, DATA);
    world_map(&w, 1, 2 * GIB, 512 * MIB, 2, DATA);
    assert_int_equal(lap(m, 64, 64 * MIB, 4096), 8);
    const uint64_t cycles = m->stats.tlb_cycles;
    assert_int_equal(lap(m, 64, 64 * MIB, 4096), 0);
    assert_int_equal(m->stats.tlb_cycles - cycles, 7 * 16); /* 16 groups of four do not stay in four entries */
    assert_true(world_access(m, 2 * GIB + 8192, EMT_LOAD, 512 * MIB + 8192));
    assert_false(world_access(m, 2 * GIB + MIB, EMT_STORE, 512 * MIB + MIB));
    world_flush(m, 1, EMT_FLUSH_RANGE, 2 * GIB + 4096, 4096);
    assert_true(world_access(m, 2 * GIB + MIB, EMT_STORE, 512 * MIB + MIB));
    end(&w, m);
}

/* ---- against a naive one ---- */

#define ENTRIES 12u
#define WAYS    3u
#define K       4u

struct naive {
    uint64_t group, delta, used; /* used 0: empty */
    unsigned asid, valid;
};

static struct naive *naive_find(struct naive *n, unsigned asid, uint64_t page) {
    for (unsigned i = 0; i < ENTRIES; i++)
        if (n[i].used && n[i].asid == asid && n[i].group == page / K && n[i].valid >> page % K & 1)
            return n + i;
    return NULL;
}

static void naive_insert(struct naive *n, unsigned asid, uint64_t page, unsigned valid, uint64_t delta,
                         uint64_t now) {
    struct naive *set = n + page / K % (ENTRIES / WAYS) * WAYS, *e = set;

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].used && set[i].asid == asid && set[i].group == page / K && set[i].valid & valid)
            set[i].used = 0;
    for (unsigned i = 0; i < WAYS; i++)
        e = set[i].used < e->used ? set + i : e;
    *e = (struct naive){page / K, delta, now, asid, valid};
}

static void against_naive(void **state) {
    const struct cfg_tlb cfg = {.level = 1, .pages = CFG_PAGE_4K, .entries = ENTRIES, .ways = WAYS};
    struct naive n[ENTRIES] = {{0}};
    uint64_t random = 11, hits = 0;
    struct tlb t;

    (void)state;
    assert_int_equal(tlb_init(&t, &cfg, 0, 1), 0);
    assert_int_equal(coalesc_init(&t, K), 0);
    for (uint64_t now = 1; now < 300000; now++) {
        const unsigned asid = 1 + (unsigned)hw_random_below(&random, 2);
        const uint64_t page = skewed(&random, 7), va = page << 12, key = tlb_key(tlb_asid_key((uint16_t)asid), va);

        if (hw_random_below(&random, 40) == 0) {
            const uint64_t last = va + (hw_random_below(&random, 3) ? 4095 : 5 * 4096 - 1);
            coalesc_drop_range(&t, (uint16_t)asid, va, last);
            for (uint64_t p = page; p <= last >> 12; p++)
                for (struct naive *e; (e = naive_find(n, asid, p));)
                    e->used = 0;
            continue;
        }
        struct tlb_entry old, *e = coalesc_find(&t, key);
        struct naive *expected = naive_find(n, asid, page);
        assert_int_equal(e != NULL, expected != NULL);
        if (e) {
            assert_int_equal(tlb_pa(e, va) - va, expected->delta);
            tlb_touch(&t, e);
            expected->used = now;
            hits++;
            continue;
        }
        const unsigned valid = (unsigned)hw_random_below(&random, 16) | 1u << page % K;
        const uint64_t delta = hw_random_below(&random, 100) << 12;
        const unsigned shift = page % COALESC_MAX & ~(K - 1);
        coalesc_insert(&t, key, TLB_4K, valid << shift, va + delta, false, &old);
        naive_insert(n, asid, page, valid, delta, now);
        assert_int_equal(coalesc_run(&t, coalesc_find(&t, key)), valid << shift);
    }
    assert_true(hits > 30000);
    tlb_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reach_of_contiguous_memory),
        cmocka_unit_test(reach_of_scattered_memory),
        cmocka_unit_test(what_is_coalesced),
        cmocka_unit_test(invalidation),
        cmocka_unit_test(two_levels),
        cmocka_unit_test(against_naive),
    };

    return cmocka_run_group_tests_name("coalesc", tests, NULL, NULL);
}
