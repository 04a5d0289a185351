/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A whole MMU over x86-64 tables: two levels of TLBs, walks and what they cost, A and D bits, flushes, several
 * cores. */
#include "world.h"

#define DATA  CFG_TLB_DATA
#define FETCH CFG_TLB_INSTRUCTION
#define USER  (P | RW | US)

static int setup(void **state) {
    static struct world w;
    world_init(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    world_fini(*state);
    return 0;
}

/* n entries, LRU: n pages in turn miss once each; n + 1 pages miss always. */
static void pages_in_turn(void **state) {
    struct world *w = *state;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 48, 0);
    world_map_pages(w, 1, 0x10000000, 256 * MIB, 49, USER);
    for (unsigned extra = 0; extra < 2; extra++) {
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        for (unsigned round = 0; round < 10; round++)
            for (unsigned i = 0; i < 48 + extra; i++)
                world_access(m, 0x10000000 + i * 4096 + 5, EMT_LOAD, 256 * MIB + i * 4096 + 5);
        struct mmu_tlb_counts c = world_counts(m, 0);
        assert_int_equal(c.misses, extra ? 490 : 48);
        assert_int_equal(c.hits, extra ? 0 : 432);
        assert_int_equal(c.evictions, extra ? 490 - 48 : 0);
        assert_int_equal(mmu_stats_of(m)->walks, c.misses);
        mmu_reset_stats(m);
        assert_int_equal(world_counts(m, 0).hits + world_counts(m, 0).misses, 0);
        mmu_free(m);
    }
}

static void second_level(void **state) {
    struct world *w = *state;
    struct mmu_translation t;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 4, 0);
    world_tlb(w, 2, DATA | FETCH, CFG_PAGE_4K | CFG_PAGE_2M, 1536, 12);
    world_map_pages(w, 1, 0, 256 * MIB, 16, USER);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    for (unsigned i = 0; i < 32; i++) {
        mmu_translate(m, i % 16 * 4096, EMT_LOAD, &t);
        assert_int_equal(t.walked, i < 16);
        assert_int_equal(t.cycles, i < 16 ? 40 : 7);
    }
    assert_int_equal(mmu_stats_of(m)->tlb_cycles, 16 * 7);
    assert_int_equal(world_counts(m, 0).misses, 32);
    assert_int_equal(world_counts(m, 1).hits, 16);
    assert_int_equal(world_counts(m, 1).misses, 16);
    /* a fetch shares level 2; there is no first level for it */
    mmu_translate(m, 0x123, EMT_FETCH, &t);
    assert_false(t.walked);
    assert_int_equal(t.pa, 256 * MIB + 0x123);
    assert_int_equal(world_counts(m, 1).hits, 17);
    mmu_free(m);
}

/* References of a cold walk by page size, and with paging-structure caches. */
static void walk_references(void **state) {
    struct world *w = *state;
    const uint64_t va4k = 0x40000000, va2m = 0x80000000, va1g = 0xc0000000;
    for (unsigned i = 0; i < 8; i++)
        world_map(w, 1, va4k + i * 4096, 256 * MIB + i * 4096, 1, USER);
    world_map(w, 1, va2m, 512 * MIB, 2, USER);
    world_map(w, 1, va1g, 1 * GIB, 3, USER);
    struct mmu *m = world_mmu(w, 0, NULL, NULL); /* no TLB at all: each access walks */
    const struct mmu_stats *s = mmu_stats_of(m);
    world_access(m, va4k, EMT_LOAD, 256 * MIB);
    assert_int_equal(s->walk_refs, 4);
    world_access(m, va2m + 0x12345, EMT_LOAD, 512 * MIB + 0x12345);
    assert_int_equal(s->walk_refs, 4 + 3);
    world_access(m, va1g + 0x1234567, EMT_LOAD, GIB + 0x1234567);
    assert_int_equal(s->walk_refs, 4 + 3 + 2);
    assert_int_equal(s->walk_cycles, 90);
    assert_int_equal(s->walk_refs_served[CACHE_MEMORY], 9);
    assert_int_equal(hw_percentile(&s->walk_latency, 50), 30);
    assert_int_equal(hw_percentile(&s->walk_latency, 99), 40);
    mmu_free(m);

    world_mmu_cache(w, "pde", 4);
    world_mmu_cache(w, "pml4e", 2);
    world_mmu_cache(w, "not-of-this-architecture", 2);
    w->cfg.mmu_cache_cycles = 1;
    m = world_mmu(w, 0, NULL, NULL);
    s = mmu_stats_of(m);
    for (unsigned i = 0; i < 8; i++)
        world_access(m, va4k + i * 4096, EMT_LOAD, 256 * MIB + i * 4096);
    assert_int_equal(s->walk_refs, 4 + 7 * 1); /* behind a cached PDE one reference is left */
    assert_int_equal(s->walk_cycles, 8 * 1 + 11 * 10);
    assert_int_equal(s->mmu_cache_hits[0], 7);
    world_access(m, va2m, EMT_LOAD, 512 * MIB);
    assert_int_equal(s->walk_refs,
                     11 + 2); /* behind the PML4E: no PDPTE cache in this machine, PDPTE and PDE are read */
    /* one INVLPG, of any address: all upper levels of this ASID are gone, not of others */
    mmu_load_root(m, 2, &w->root[1]);
    world_access(m, va4k, EMT_LOAD, 256 * MIB);
    assert_int_equal(s->walk_refs, 13 + 4);
    world_flush(m, 1, EMT_FLUSH_RANGE, 0x7000, 4096);
    world_access(m, va4k, EMT_LOAD, 256 * MIB);
    assert_int_equal(s->walk_refs, 17 + 1);
    mmu_load_root(m, 1, &w->root[1]);
    world_access(m, va4k, EMT_LOAD, 256 * MIB);
    assert_int_equal(s->walk_refs, 18 + 4);
    mmu_free(m);
}

/* Through data caches: cold, each reference goes to memory; warm, it costs what the level that has it costs. */
static void walks_through_caches(void **state) {
    struct world *w = *state;
    struct cache_system *caches;
    struct mmu_translation t;
    w->cfg.l1d = (struct cfg_cache){.bytes = 32 * KIB, .ways = 8, .line_bytes = 64, .hit_cycles = 4};
    w->cfg.l2 = (struct cfg_cache){.bytes = MIB, .ways = 16, .line_bytes = 64, .hit_cycles = 14};
    w->cfg.llc =
        (struct cfg_cache){.bytes = 22 * MIB, .ways = 11, .line_bytes = 64, .hit_cycles = 54, .shared = true};
    w->cfg.memory.local_cycles = 146;
    world_map(w, 1, 0x40000000, 256 * MIB, 1, USER | A);
    for (unsigned level = 1; level <= 2; level++) {
        w->cfg.walk_level = level;
        assert_int_equal(cache_system_new(&caches, &w->cfg), 0);
        struct mmu *m = world_mmu(w, 0, NULL, cache_system_core(caches, 0));
        mmu_translate(m, 0x40000000, EMT_LOAD, &t);
        assert_int_equal(t.cycles, 4 * 200);
        mmu_translate(m, 0x40000000, EMT_LOAD, &t);
        assert_int_equal(t.cycles, 4 * (level == 1 ? 4 : 14));
        assert_int_equal(mmu_stats_of(m)->walk_refs_served[level - 1], 4);
        assert_int_equal(mmu_stats_of(m)->walk_refs_served[CACHE_MEMORY], 4);
        struct cache_counts l2;
        cache_system_counts(caches, 1, &l2);
        assert_int_equal(l2.misses[CACHE_WALK], 4);
        mmu_free(m);
        cache_system_free(caches);
    }
}

/* x86: the first store to a clean page walks again and sets D; a fault comes from the tables. */
static void accessed_and_dirty(void **state) {
    struct world *w = *state;
    struct mmu_translation t;
    const uint64_t va = 0x5000;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 16, 4);
    world_tlb(w, 2, DATA, CFG_PAGE_4K, 64, 4);
    world_map(w, 1, va, 256 * MIB, 1, USER);
    uint64_t *pte = world_entry(w, 1, va, 1);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    assert_true(world_access(m, va, EMT_LOAD, 256 * MIB));
    assert_int_equal(*pte & (A | D), A);
    assert_false(world_access(m, va, EMT_LOAD, 256 * MIB));
    assert_true(world_access(m, va, EMT_STORE, 256 * MIB));
    assert_int_equal(*pte & (A | D), A | D);
    assert_false(world_access(m, va, EMT_STORE, 256 * MIB));
    assert_int_equal(mmu_stats_of(m)->walks, 2);
    *pte &= ~A; /* no flush: hardware does not notice */
    assert_false(world_access(m, va, EMT_STORE, 256 * MIB));
    assert_int_equal(*pte & A, 0);

    /* read-only: the entry is dropped, the walk faults, and every time again */
    world_map(w, 1, va, 256 * MIB, 1, P | US | NX);
    world_flush(m, 1, EMT_FLUSH_RANGE, va, 4096);
    assert_true(world_access(m, va, EMT_LOAD, 256 * MIB));
    for (unsigned i = 0; i < 2; i++) {
        mmu_translate(m, va, EMT_STORE, &t);
        assert_int_equal(t.fault, MMU_FAULT | EMT_PF_PRESENT | EMT_PF_WRITE | EMT_PF_USER);
    }
    mmu_translate(m, va, EMT_FETCH, &t);
    assert_int_equal(t.fault, MMU_FAULT | EMT_PF_PRESENT | EMT_PF_FETCH | EMT_PF_USER);
    /* raised without a flush: the stale entry asks the tables before it denies */
    assert_true(world_access(m, va, EMT_LOAD, 256 * MIB));
    world_map(w, 1, va, 256 * MIB, 1, USER);
    assert_true(world_access(m, va, EMT_STORE, 256 * MIB));
    mmu_translate(m, 0x999000, EMT_LOAD, &t);
    assert_int_equal(t.fault, MMU_FAULT | EMT_PF_USER);
    assert_int_equal(mmu_stats_of(m)->walk_faults, 4);
    /* tables that lead out of memory */
    *world_entry(w, 1, va, 2) = (1ull << 45) | P | RW | US | A;
    mmu_translate(m, va + 4096, EMT_LOAD, &t);
    assert_int_equal(t.fault, MMU_FAULT | EMT_PF_PRESENT | EMT_PF_RSVD | EMT_PF_USER);
    mmu_free(m);
}

/* A page larger than any first-level TLB holds is kept in pieces. */
static void smashed(void **state) {
    struct world *w = *state;
    world_tlb(w, 1, FETCH, CFG_PAGE_4K, 16, 0);
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 16, 0);
    world_tlb(w, 1, DATA, CFG_PAGE_2M, 8, 0);
    world_tlb(w, 2, DATA | FETCH, CFG_PAGE_4K | CFG_PAGE_2M, 64, 4);
    world_map(w, 1, 0, GIB, 3, USER);
    world_map(w, 1, GIB, 2 * GIB, 2, USER);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    /* 1 GiB data: pieces of 2 MiB in both levels */
    assert_true(world_access(m, 5 * MIB, EMT_LOAD, GIB + 5 * MIB));
    assert_false(world_access(m, 4 * MIB + 3, EMT_LOAD, GIB + 4 * MIB + 3));
    assert_true(world_access(m, 6 * MIB, EMT_LOAD, GIB + 6 * MIB));
    assert_int_equal(m->l1[2].live[TLB_2M], 2);
    assert_int_equal(m->l2[0].live[TLB_2M], 2);
    /* 2 MiB fetched: whole in level 2, 4 KiB in level 1 */
    assert_true(world_access(m, GIB, EMT_FETCH, 2 * GIB));
    assert_false(world_access(m, GIB + 4096, EMT_FETCH, 2 * GIB + 4096));
    assert_int_equal(m->l1[0].live[TLB_4K], 2);
    assert_int_equal(m->l2[0].live[TLB_2M], 3);
    assert_int_equal(world_counts(m, 3).hits, 1);
    /* one flush of an address inside takes all pieces that touch it */
    world_flush(m, 1, EMT_FLUSH_RANGE, GIB, 2 * MIB);
    assert_int_equal(m->l1[0].live[TLB_4K], 0);
    assert_int_equal(m->l2[0].live[TLB_2M], 2);
    mmu_free(m);
}

/* 1 GiB pages held by level 1 and not by level 2: not put there. */
static void not_held_by_level_two(void **state) {
    struct world *w = *state;
    world_tlb(w, 1, DATA, 7, 1, 0);
    world_tlb(w, 2, DATA, CFG_PAGE_4K | CFG_PAGE_2M, 64, 4);
    world_map(w, 1, 0, GIB, 3, USER);
    world_map(w, 1, GIB, 2 * GIB, 2, USER);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(world_access(m, 0, EMT_LOAD, GIB));
        assert_int_equal(world_access(m, GIB, EMT_LOAD, 2 * GIB), i == 0);
    }
    struct mmu_tlb_counts l1 = world_counts(m, 0), l2 = world_counts(m, 1);
    assert_int_equal(l1.hits + l1.misses, 8);
    assert_int_equal(l2.hits + l2.misses, l1.misses);
    assert_int_equal(l2.hits, 3);
    mmu_free(m);
}

static void inclusive(void **state) {
    struct world *w = *state;
    world_map_pages(w, 1, 0, 256 * MIB, 8, USER);
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 8, 0);
    struct cfg_tlb *l2 = world_tlb(w, 2, DATA, CFG_PAGE_4K, 4, 0);
    for (unsigned on = 0; on < 2; on++) {
        l2->inclusive = on;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        for (unsigned i = 0; i < 8; i++)
            world_access(m, i * 4096, EMT_LOAD, 256 * MIB + i * 4096);
        assert_int_equal(m->l1[0].live[TLB_4K], on ? 4 : 8);
        assert_int_equal(world_access(m, 0, EMT_LOAD, 256 * MIB), on);
        mmu_free(m);
    }
}

static void shared_between_cores(void **state) {
    struct world *w = *state;
    struct mmu_shared *shared;
    world_map_pages(w, 1, 0, 256 * MIB, 8, USER);
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 8, 0);
    struct cfg_tlb *l2 = world_tlb(w, 2, DATA, CFG_PAGE_4K, 4, 0);
    l2->shared = l2->inclusive = true;
    assert_int_equal(mmu_shared_new(&shared, &w->cfg), 0);
    struct mmu *a = world_mmu(w, 0, shared, NULL), *b = world_mmu(w, 1, shared, NULL), *none;
    assert_true(world_access(a, 0, EMT_LOAD, 256 * MIB));
    assert_false(world_access(b, 0, EMT_LOAD, 256 * MIB)); /* from the other core's walk */
    for (unsigned i = 1; i < 5; i++)
        world_access(b, i * 4096, EMT_LOAD, 256 * MIB + i * 4096);
    assert_int_equal(a->l1[0].live[TLB_4K], 0); /* evicted by core 1, dropped from core 0's level 1 */
    assert_int_equal(world_counts(a, 1).hits, 1);
    assert_int_equal(world_counts(b, 1).hits, 0); /* counted once, with core 0 */
    assert_int_equal(mmu_new(&none, 0, &w->cfg, w->arch, &w->host, NULL, NULL), -EINVAL);
    mmu_free(a);
    mmu_free(b);
    mmu_shared_free(shared);
}

static void address_spaces(void **state) {
    struct world *w = *state;
    const uint64_t global = 0x100000;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 16, 0);
    world_tlb(w, 2, DATA, CFG_PAGE_4K, 64, 4);
    for (unsigned as = 1; as < 3; as++) {
        world_map(w, as, 0, as * 256 * MIB, 1, USER);
        world_map(w, as, global, GIB, 1, USER | G);
    }
    for (unsigned asids = 0; asids < 2; asids++) {
        w->cfg.os.asids = asids;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        for (unsigned i = 0; i < 4; i++) {
            unsigned as = 1 + i % 2;
            mmu_load_root(m, (uint16_t)as, &w->root[as]);
            assert_int_equal(world_access(m, 0, EMT_LOAD, as * 256 * MIB), !asids || i < 2);
            assert_int_equal(world_access(m, global, EMT_LOAD, GIB), i == 0);
        }
        mmu_free(m);
    }
}

static void flushes(void **state) {
    struct world *w = *state;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 16, 0);
    world_tlb(w, 2, DATA, CFG_PAGE_4K, 64, 4);
    world_map_pages(w, 1, 0, 256 * MIB, 4, USER);
    world_map(w, 1, 0x100000, GIB, 1, USER | G);
    world_map_pages(w, 2, 0, 512 * MIB, 4, USER);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    static const struct {
        struct emt_flush f;
        uint16_t asid;
        unsigned singles;
        bool page0, page3, global, other; /* walk again */
    } cases[] = {
        {{EMT_FLUSH_RANGE, NULL, 0, 4096, 4096, false}, 1, 1, true, false, false, false},
        {{EMT_FLUSH_RANGE, NULL, 4096, 8192, 4096, false}, 1, 2, false, false, false, false},
        {{EMT_FLUSH_RANGE, NULL, 0, 2 * MIB, 2 * MIB, false}, 1, 1, true, true, true, false},
        {{EMT_FLUSH_RANGE, NULL, 0, 1ull << 56, 4096, false}, 1, ~0u, true, true, true, false},
        {{EMT_FLUSH_RANGE, NULL, 4096, 0, 4096, false}, 1, 0, false, false, false, false},
        {{EMT_FLUSH_RANGE, NULL, 0, 4096, 4096, false}, 2, 1, false, false, false, true},
        {{EMT_FLUSH_ASID, NULL, 0, 0, 0, false}, 1, 0, true, true, false, false},
        {{EMT_FLUSH_ASID, NULL, 0, 0, 0, false}, 2, 0, false, false, false, true},
        {{EMT_FLUSH_ALL, NULL, 0, 0, 0, true}, 0, 0, true, true, true, true},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned check = 0; check < 2; check++) {
            mmu_load_root(m, 2, &w->root[2]);
            assert_int_equal(world_access(m, 0, EMT_LOAD, 512 * MIB) && check, check && cases[i].other);
            mmu_load_root(m, 1, &w->root[1]);
            assert_int_equal(world_access(m, 0, EMT_LOAD, 256 * MIB) && check, check && cases[i].page0);
            assert_int_equal(world_access(m, 0x3000, EMT_LOAD, 256 * MIB + 0x3000) && check,
                             check && cases[i].page3);
            assert_int_equal(world_access(m, 0x100000, EMT_LOAD, GIB) && check, check && cases[i].global);
            if (!check)
                assert_int_equal(mmu_flush(m, cases[i].asid, &cases[i].f), cases[i].singles);
        }
    assert_int_equal(mmu_stats_of(m)->flushes, 3);
    mmu_free(m);
}

/* The hint changes nothing but the time of the simulation. */
/* Nothing but the host's caches may tell that a walk was expected: of mapped pages, of voids, of tables that lead
   outside of memory. */
static void expected_or_not(void **state) {
    struct world *w = *state;
    struct mmu_stats before;

    world_mmu_cache(w, "pde", 4);
    world_map_pages(w, 1, 0, 256 * MIB, 4, USER & ~A);
    world_map(w, 1, 512 * GIB, 64ull << 40, 2, USER);
    *world_entry(w, 1, 1ull << 40, 2) = 64ull << 40 | P | RW | US | A;
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    before = *mmu_stats_of(m);
    for (uint64_t va = 0; va < 1ull << 48; va = va ? 2 * va : 4096)
        mmu_expect(m, va);
    mmu_expect(m, ~0ull);
    assert_memory_equal(mmu_stats_of(m), &before, sizeof(before));
    assert_int_equal(*world_entry(w, 1, 4096, 1) & A, 0);
    assert_true(world_access(m, 4096, EMT_LOAD, 256 * MIB + 4096));
    assert_int_equal(mmu_stats_of(m)->walk_refs, 4);
    mmu_free(m);
}

static void hint_changes_nothing(void **state) {
    struct world *w = *state;
    uint64_t random = 77;
    world_tlb(w, 1, DATA, CFG_PAGE_4K, 64, 4)->replacement = CFG_PLRU;
    world_tlb(w, 1, DATA, CFG_PAGE_2M, 9, 3)->replacement = CFG_RANDOM;
    world_tlb(w, 1, FETCH, CFG_PAGE_4K, 48, 0);
    struct cfg_tlb *l2 = world_tlb(w, 2, DATA | FETCH, CFG_PAGE_4K | CFG_PAGE_2M, 180, 5);
    l2->inclusive = true;
    world_mmu_cache(w, "pde", 4);
    for (unsigned as = 1; as < 4; as++)
        for (unsigned i = 0; i < 1024; i++) {
            world_map(w, as, i * 4096, 256 * MIB * as + i * 4096, 1, i % 7 ? USER : P | US);
            if (i < 64)
                world_map(w, as, GIB + i * 2 * MIB, GIB * 2 + i * 2 * MIB, 2, USER | (i % 5 ? 0 : G));
        }
    struct mmu *m[2] = {world_mmu(w, 0, NULL, NULL), world_mmu(w, 0, NULL, NULL)};
    m[1]->no_hint = true;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t va = hw_random_below(&random, 5) ? skewed(&random, 22) : GIB + skewed(&random, 27);
        unsigned kind = (unsigned)hw_random_below(&random, 8);
        unsigned type = kind < 5 ? EMT_LOAD : kind < 7 ? EMT_STORE : EMT_FETCH;
        struct emt_flush f = {
            .kind = EMT_FLUSH_RANGE, .va = va & ~0xfffull, .bytes = 4096ull << skewed(&random, 6)};
        uint16_t asid = (uint16_t)(1 + hw_random_below(&random, 3));
        unsigned event = hw_random_below(&random, 500);
        struct mmu_translation t[2];
        uint64_t accessed = *world_entry(w, m[0]->asid, va, va < GIB ? 1 : 2);
        for (unsigned k = 0; k < 2; k++) {
            *world_entry(w, m[0]->asid, va, va < GIB ? 1 : 2) = accessed; /* both see the same A and D */
            mmu_translate(m[k], va, type, &t[k]);
            if (event < 4)
                mmu_flush(m[k], asid, &f);
            if (event == 4)
                world_flush(m[k], asid, EMT_FLUSH_ASID, 0, 0);
        }
        if (event == 5) {
            mmu_load_root(m[0], asid, &w->root[asid]);
            mmu_load_root(m[1], asid, &w->root[asid]);
        }
        assert_int_equal(t[0].fault, t[1].fault);
        assert_int_equal(t[0].walked, t[1].walked);
        assert_int_equal(t[0].cycles, t[1].cycles);
        assert_true(t[0].fault || t[0].pa == t[1].pa);
    }
    assert_memory_equal(&m[0]->stats, &m[1]->stats, sizeof(m[0]->stats));
    for (unsigned i = 0; i < w->cfg.ntlb; i++) {
        struct mmu_tlb_counts c[2] = {world_counts(m[0], i), world_counts(m[1], i)};
        assert_memory_equal(&c[0], &c[1], sizeof(c[0]));
        assert_true(c[0].hits > 0 && c[0].misses > 0);
    }
    mmu_free(m[0]);
    mmu_free(m[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(second_level, setup, teardown),
        cmocka_unit_test_setup_teardown(walk_references, setup, teardown),
        cmocka_unit_test_setup_teardown(walks_through_caches, setup, teardown),
        cmocka_unit_test_setup_teardown(accessed_and_dirty, setup, teardown),
        cmocka_unit_test_setup_teardown(smashed, setup, teardown),
        cmocka_unit_test_setup_teardown(not_held_by_level_two, setup, teardown),
        cmocka_unit_test_setup_teardown(inclusive, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_between_cores, setup, teardown),
        cmocka_unit_test_setup_teardown(address_spaces, setup, teardown),
        cmocka_unit_test_setup_teardown(flushes, setup, teardown),
        cmocka_unit_test_setup_teardown(expected_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(hint_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
