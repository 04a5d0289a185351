/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kinds of MMU caches: closed forms of what a walk reads and waits for, models written the plain way, what
 * invalidations drop. And the miss handler of a software-managed TLB.
 */
#include "naive.h"
#include "world.h"

#define USER (P | RW | US)
#define VA   0x40000000ull
#define PA   (256 * MIB)
#define REF  10 /* cycles, world_init() */

static int setup(void **state) {
    static struct world w;
    world_init(&w);
    w.cfg.mmu_cache_cycles = 1;
    world_map_pages(&w, 1, VA, PA, 8, USER | A | D);
    world_map(&w, 1, VA + 2 * MIB, PA + 2 * MIB, 1, USER | A | D);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    world_fini(*state);
    return 0;
}

static void sizes(struct world *w, uint32_t each) {
    world_mmu_cache(w, "pde", each);
    world_mmu_cache(w, "pdpte", each);
    world_mmu_cache(w, "pml4e", each);
}

/* There is no TLB: each access walks. What this one took. */
static void walk_takes(struct mmu *m, uint64_t va, unsigned refs, unsigned cycles) {
    const struct mmu_stats *s = mmu_stats_of(m);
    uint64_t before = s->walk_refs;
    struct mmu_translation t;
    mmu_translate(m, va, EMT_LOAD, &t);
    assert_int_equal(t.fault, 0);
    assert_true(t.walked);
    assert_int_equal(s->walk_refs - before, refs);
    assert_int_equal(t.cycles, cycles);
}

/* A cold walk, then warm ones behind the same PDE. */
static void cold_and_warm(void **state) {
    struct world *w = *state;
    static const struct {
        enum cfg_mmu_cache_kind kind;
        const char *name; /* of the first cache */
        unsigned cold_cycles, warm_refs, warm_cycles;
        unsigned hits;
    } cases[] = {
        {CFG_PSC, "pde", 1 + 4 * REF, 1, 1 + REF, 7},
        {CFG_UTC, "utc", 1 + 4 * REF, 1, 1 + REF, 7},
        {CFG_PWC, "pde", 3 + 4 * REF, 1, 3 + REF, 7 * 3}, /* three levels in sequence */
        {CFG_NO_MMU_CACHES, "pde", 4 * REF, 4, 4 * REF, 0},
    };
    sizes(w, 4);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w->cfg.mmu_cache_kind = cases[i].kind;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        const char *name;
        uint32_t entries;
        uint64_t hits = 0;
        walk_takes(m, VA, 4, cases[i].cold_cycles);
        for (unsigned k = 1; k < 8; k++)
            walk_takes(m, VA + 4096 * k, cases[i].warm_refs, cases[i].warm_cycles);
        assert_true(mmu_cache_info(m, 0, &name, &entries));
        assert_string_equal(name, cases[i].name);
        assert_int_equal(entries, i == 1 ? 12 : i == 3 ? 0 : 4); /* utc: as many as it replaces */
        for (unsigned k = 0; k < CFG_MMU_CACHES; k++)
            hits += mmu_stats_of(m)->mmu_cache_hits[k];
        assert_int_equal(hits, cases[i].hits);
        mmu_free(m);
    }
}

/* Levels compete for a unified structure. */
static void unified_small(void **state) {
    struct world *w = *state;
    struct mmu *m;
    sizes(w, 4);
    world_mmu_cache(w, "utc", 1);
    w->cfg.mmu_cache_kind = CFG_UTC;
    m = world_mmu(w, 0, NULL, NULL);
    walk_takes(m, VA, 4, 1 + 4 * REF); /* the PDE comes last, and stays */
    walk_takes(m, VA, 1, 1 + REF);
    for (unsigned i = 1; i < 5; i++) /* another PDE each time */
        walk_takes(m, VA + i % 2 * 2 * MIB, 4, 1 + 4 * REF);
    mmu_free(m);

    w->cfg.mmu_cache[3].entries = 3;
    m = world_mmu(w, 0, NULL, NULL);
    walk_takes(m, VA, 4, 1 + 4 * REF);           /* PML4E, PDPTE, PDE */
    walk_takes(m, VA + 2 * MIB, 2, 1 + 2 * REF); /* behind the PDPTE; the PML4E, not used, makes room */
    walk_takes(m, VA, 1, 1 + REF);
    walk_takes(m, VA + 2 * MIB, 1, 1 + REF);
    mmu_free(m);
}

/* One page-walk cache for three levels: three entries hold a path, two in turn hold nothing of it. */
static void one_page_walk_cache(void **state) {
    struct world *w = *state;
    sizes(w, 4);
    world_mmu_cache(w, "pwc", 0);
    w->cfg.mmu_cache_kind = CFG_PWC;
    for (unsigned n = 2; n <= 3; n++) {
        w->cfg.mmu_cache[3].entries = n;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        walk_takes(m, VA, 4, 3 + 4 * REF);
        for (unsigned i = 0; i < 4; i++)
            walk_takes(m, VA, n == 3 ? 1 : 4, 3 + (n == 3 ? 1 : 4) * REF);
        assert_int_equal(mmu_stats_of(m)->mmu_cache_hits[0], n == 3 ? 12 : 0);
        assert_int_equal(mmu_stats_of(m)->mmu_cache_hits[0] + mmu_stats_of(m)->mmu_cache_misses[0], 15);
        mmu_free(m);
    }
}

/* What leads to no table is looked for and never kept: a 2 MiB page, an entry that is not there. */
static void not_kept(void **state) {
    struct world *w = *state;
    struct mmu_translation t;
    const uint64_t huge = VA + 4 * MIB, none = VA + 6 * MIB;
    sizes(w, 4);
    world_map(w, 1, huge, PA + 4 * MIB, 2, USER | A | D);
    w->cfg.mmu_cache_kind = CFG_PWC;
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    walk_takes(m, huge, 3, 3 + 3 * REF);
    for (unsigned i = 0; i < 3; i++)
        walk_takes(m, huge, 1, 3 + REF);
    *world_entry(w, 1, none, 2) = 0x7000; /* a swap entry of 2 MiB, say */
    mmu_translate(m, none, EMT_LOAD, &t);
    assert_true(t.fault & MMU_FAULT);
    world_map(w, 1, none, PA + 6 * MIB, 2, USER | A | D); /* present now: needs no flush */
    walk_takes(m, none, 1, 3 + REF);
    mmu_free(m);
}

/* The walker sets A in an upper entry and keeps it so; a copy without A would be updated in vain. */
static void accessed_above(void **state) {
    struct world *w = *state;
    sizes(w, 4);
    for (unsigned kind = CFG_PSC; kind <= CFG_NO_MMU_CACHES; kind++) {
        uint64_t *pde = world_entry(w, 1, VA, 2);
        w->cfg.mmu_cache_kind = kind;
        *pde &= ~A;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        world_access(m, VA, EMT_LOAD, PA);
        assert_true(*pde & A);
        *pde &= ~A; /* an OS looks who uses it, and does not flush */
        world_access(m, VA, EMT_LOAD, PA);
        assert_int_equal(*pde & A, kind == CFG_NO_MMU_CACHES ? A : 0);
        *pde |= A;
        mmu_free(m);
    }
}

/* Invalidations. A stale entry leads to the old table until one comes. */
static void invalidations(void **state) {
    struct world *w = *state;
    sizes(w, 4);
    for (unsigned kind = CFG_PSC; kind <= CFG_UTC; kind++) {
        bool pwc = kind == CFG_PWC;
        unsigned lookup = pwc ? 3 : 1;
        w->cfg.mmu_cache_kind = kind;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        walk_takes(m, VA, 4, lookup + 4 * REF);
        mmu_load_root(m, 2, &w->root[1]); /* the same tables with another ASID: physical tags know them */
        walk_takes(m, VA, pwc ? 1 : 4, lookup + (pwc ? 1 : 4) * REF);
        world_flush(m, 1, EMT_FLUSH_RANGE, 1ull << 40, 4096); /* an address far away, another ASID */
        walk_takes(m, VA, pwc ? 4 : 1, lookup + (pwc ? 4 : 1) * REF);
        world_flush(m, 3, EMT_FLUSH_ASID, 0, 0);
        walk_takes(m, VA, pwc ? 4 : 1, lookup + (pwc ? 4 : 1) * REF);
        uint64_t *pde = world_entry(w, 2 - 1, VA, 2), old = *pde, table = world_table(w);
        *pde = table | P | RW | US | A;
        world_map(w, 1, VA, GIB, 1, USER | A | D);
        world_access(m, VA, EMT_LOAD, PA);
        world_flush(m, 2, EMT_FLUSH_RANGE, VA, 4096);
        world_access(m, VA, EMT_LOAD, GIB);
        *pde = old;
        world_access(m, VA, EMT_LOAD, GIB);
        world_flush(m, 0, EMT_FLUSH_ALL, 0, 0);
        world_access(m, VA, EMT_LOAD, PA);
        w->cfg.os.asids = false;
        mmu_load_root(m, 1, &w->root[1]);
        walk_takes(m, VA, 4, lookup + 4 * REF);
        w->cfg.os.asids = true;
        mmu_free(m);
    }
}

/* ---- models ---- */

#define ADDRESSES 512

static uint64_t address(unsigned i) {
    return (uint64_t)(i & 1) << 39 | (uint64_t)(i >> 1 & 3) << 30 | (uint64_t)(i >> 3 & 31) << 21 |
           (uint64_t)(i >> 8 & 1) << 12;
}

static void forget(struct naive *n) {
    struct naive empty;
    naive_init(&empty, n->sets * n->ways, n->ways, n->policy);
    memcpy(n->set, empty.set, n->sets * sizeof(*n->set));
    free(empty.set);
}

static uint64_t entry_pa(struct world *w, unsigned as, uint64_t va, unsigned level) {
    return (uint64_t)((char *)world_entry(w, as, va, level) - (char *)emt_host_word(&w->host, 0));
}

/* References of one walk by the model of page-walk caches; each level's own. */
static unsigned model_pwc(struct naive n[3], struct world *w, unsigned as, uint64_t va) {
    unsigned refs = 1;
    for (unsigned level = 4; level >= 2; level--) {
        uint64_t key = entry_pa(w, as, va, level) / 8, old;
        bool dirty;
        refs += !naive_use(&n[level - 2], key, key, false, &old, &dirty);
    }
    return refs;
}

static unsigned model_utc(struct naive *n, unsigned as, uint64_t va) {
    uint64_t old;
    bool dirty;
    unsigned hit = 5;
    for (unsigned level = 4; level >= 2; level--) {
        uint64_t number = va >> (12 + 9 * (level - 1));
        if (naive_way(n, number, (uint64_t)as << 50 | (uint64_t)level << 60 | number) >= 0)
            hit = level;
    }
    for (unsigned level = hit < 5 ? hit : 4; level >= 2; level--) {
        uint64_t number = va >> (12 + 9 * (level - 1));
        naive_use(n, number, (uint64_t)as << 50 | (uint64_t)level << 60 | number, false, &old, &dirty);
    }
    return hit == 5 ? 4 : hit - 1;
}

static void forget_asid(struct naive *n, unsigned as) {
    for (unsigned s = 0; s < n->sets; s++)
        for (unsigned way = 0; way < n->ways; way++)
            if (n->set[s].key[way] != NAIVE_NONE && (n->set[s].key[way] >> 50 & 0x3ff) == as)
                n->set[s].key[way] = NAIVE_NONE;
}

static void against_models(void **state) {
    struct world *w = *state;
    uint64_t random = 5;
    sizes(w, 8);
    world_mmu_cache(w, "utc", 16);
    for (unsigned i = 0; i < 4; i++)
        w->cfg.mmu_cache[i].ways = 4;
    for (unsigned as = 1; as < 3; as++)
        for (unsigned i = 0; i < ADDRESSES; i++)
            world_map(w, as, address(i), PA + 4096 * i, 1, USER | A | D);
    for (unsigned kind = CFG_PWC; kind <= CFG_UTC; kind++) {
        struct naive pwc[3], utc;
        w->cfg.mmu_cache_kind = kind;
        struct mmu *m = world_mmu(w, 0, NULL, NULL);
        uint64_t different = 0;
        for (unsigned k = 0; k < 3; k++)
            naive_init(&pwc[k], 8, 4, CFG_LRU);
        naive_init(&utc, 16, 4, CFG_LRU);
        for (unsigned i = 0; i < 100000; i++) {
            unsigned as = m->asid, event = (unsigned)hw_random_below(&random, 1000);
            uint64_t va = address((unsigned)skewed(&random, 9));
            unsigned refs = kind == CFG_PWC ? model_pwc(pwc, w, as, va) : model_utc(&utc, as, va);
            walk_takes(m, va, refs, refs * REF + (kind == CFG_PWC ? 3 : 1));
            different |= 1u << refs;
            if (event < 20)
                mmu_load_root(m, (uint16_t)(3 - as), &w->root[3 - as]);
            if (event >= 20 && event < 23) {
                world_flush(m, 1, EMT_FLUSH_RANGE, va, 4096);
                forget_asid(&utc, 1);
            }
            if (event == 23) {
                world_flush(m, 0, EMT_FLUSH_ALL, 0, 0);
                forget(&utc);
            }
            for (unsigned k = 0; k < 3 && event >= 20 && event < 24; k++)
                forget(&pwc[k]);
        }
        assert_int_equal(different, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4); /* all there can be */
        mmu_free(m);
        for (unsigned k = 0; k < 3; k++)
            free(pwc[k].set);
        free(utc.set);
    }
}

/* ---- a software-managed TLB ---- */

static void software(struct world *w) {
    w->cfg.software_tlb = true;
    w->cfg.software_tlb_cycles = 50;
    w->cfg.software_tlb_instructions = 6;
    w->cfg.software_tlb_ref_instructions = 4;
    w->cfg.os.cpi = 1.5;
}

static void handler(void **state) {
    struct world *w = *state;
    struct mmu_translation t;
    const unsigned instructions = 6 + 4 * 4, cycles = 50 + instructions * 3 / 2 + 4 * REF;
    sizes(w, 4);
    software(w);
    struct mmu *m = world_mmu(w, 0, NULL, NULL);
    const struct mmu_stats *s = mmu_stats_of(m);
    walk_takes(m, VA, 4, cycles);
    walk_takes(m, VA, 4, cycles); /* no MMU cache helps it */
    assert_int_equal(s->handler_instructions, 2 * instructions);
    assert_int_equal(s->handler_writes, 0);
    *world_entry(w, 1, VA, 1) &= ~(A | D);
    mmu_translate(m, VA, EMT_STORE, &t); /* and sets A and D: one write more */
    assert_int_equal(*world_entry(w, 1, VA, 1) & (A | D), A | D);
    assert_int_equal(t.cycles, cycles + 4 * 3 / 2);
    assert_int_equal(s->handler_writes, 1);
    mmu_translate(m, VA + GIB, EMT_LOAD, &t); /* not there: as far as the handler got */
    assert_true(t.fault & MMU_FAULT);
    assert_int_equal(t.cycles, 50 + (6 + 2 * 4) * 3 / 2 + 2 * REF);
    mmu_free(m);
}

/* Its reads are the OS's data: they enter at L1, whose hits are part of an instruction. */
static void handler_through_caches(void **state) {
    struct world *w = *state;
    struct cache_system *caches;
    struct cache_counts l1;
    w->cfg.l1d = (struct cfg_cache){.bytes = 32 * KIB, .ways = 8, .line_bytes = 64, .hit_cycles = 4};
    w->cfg.l2 = (struct cfg_cache){.bytes = MIB, .ways = 16, .line_bytes = 64, .hit_cycles = 14};
    w->cfg.memory.local_cycles = 200;
    w->cfg.walk_level = 2;
    software(w);
    assert_int_equal(cache_system_new(&caches, &w->cfg), 0);
    struct mmu *m = world_mmu(w, 0, NULL, cache_system_core(caches, 0));
    const unsigned instructions = 6 + 4 * 4;
    walk_takes(m, VA, 4, 50 + instructions * 3 / 2 + 4 * (14 + 200 - 4));
    walk_takes(m, VA, 4, 50 + instructions * 3 / 2);
    assert_int_equal(mmu_stats_of(m)->walk_refs_served[CACHE_L1], 4);
    cache_system_counts(caches, 0, &l1);
    assert_int_equal(l1.hits[CACHE_OS], 4);
    assert_int_equal(l1.misses[CACHE_OS], 4);
    assert_int_equal(l1.hits[CACHE_WALK] + l1.misses[CACHE_WALK], 0);
    mmu_free(m);
    cache_system_free(caches);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cold_and_warm, setup, teardown),
        cmocka_unit_test_setup_teardown(unified_small, setup, teardown),
        cmocka_unit_test_setup_teardown(one_page_walk_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(accessed_above, setup, teardown),
        cmocka_unit_test_setup_teardown(invalidations, setup, teardown),
        cmocka_unit_test_setup_teardown(against_models, setup, teardown),
        cmocka_unit_test_setup_teardown(handler, setup, teardown),
        cmocka_unit_test_setup_teardown(handler_through_caches, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
