/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Data caches against a plain model of three levels; latencies by level and node; the queue. */
#include "world.h"

#include "hw/cache_private.h"
#include "naive.h"

#define LINE 64

static struct emt_config config(unsigned l1_bytes, unsigned l1_ways, unsigned l2_bytes, unsigned l2_ways,
                                unsigned llc_bytes, unsigned llc_ways, enum cfg_replacement policy) {
    struct emt_config cfg = {0};
    cfg.core.count = 2;
    cfg.walk_level = 1;
    cfg.l1d = (struct cfg_cache){l1_bytes, l1_ways, LINE, 4, policy, false};
    cfg.l2 = (struct cfg_cache){l2_bytes, l2_ways, LINE, 14, policy, false};
    cfg.llc = (struct cfg_cache){llc_bytes, llc_ways, LINE, 54, policy, true};
    cfg.memory.bytes = 4 * GIB;
    cfg.memory.nodes = 2;
    cfg.memory.local_cycles = 146;
    cfg.memory.remote_cycles = 246;
    cfg.seed = 1;
    return cfg;
}

/* The plain model of one core: a miss fills each level, a dirty victim goes to the next level. */
struct model {
    struct naive level[3];
    uint64_t hits[3], misses[3];
};

static void model_fill(struct model *m, unsigned level, uint64_t line, bool write, unsigned *served);

static void model_victim(struct model *m, unsigned level, uint64_t old, bool dirty) {
    uint64_t next;
    bool next_dirty;
    if (old == NAIVE_NONE || !dirty)
        return;
    m->level[level].writebacks++;
    if (level == 2)
        return;
    naive_use(&m->level[level + 1], old, old, true, &next, &next_dirty);
    model_victim(m, level + 1, next, next_dirty);
}

static void model_fill(struct model *m, unsigned level, uint64_t line, bool write, unsigned *served) {
    uint64_t old;
    bool dirty;
    *served = level;
    if (level == 3)
        return;
    if (naive_way(&m->level[level], line, line) >= 0) {
        m->hits[level]++;
        naive_use(&m->level[level], line, line, write, &old, &dirty);
        return;
    }
    m->misses[level]++;
    model_fill(m, level + 1, line, false, served);
    naive_use(&m->level[level], line, line, write, &old, &dirty);
    model_victim(m, level, old, dirty);
}

static void compare(struct emt_config cfg) {
    static const uint32_t cycles[4] = {4, 14, 54, 200};
    const struct cfg_cache *levels[3] = {&cfg.l1d, &cfg.l2, &cfg.llc};
    struct cache_system *s;
    struct model m = {0};
    uint64_t random = 5;
    assert_int_equal(cache_system_new(&s, &cfg), 0);
    for (unsigned l = 0; l < 3; l++)
        naive_init(&m.level[l], (unsigned)(levels[l]->bytes / LINE), levels[l]->ways, levels[l]->replacement);
    struct cache_core *core = cache_system_core(s, 0);
    for (unsigned i = 0; i < 150000; i++) {
        uint64_t pa = i % 3 ? skewed(&random, 22) : hw_random(&random) >> (64 - 20);
        bool write = hw_random_below(&random, 3) == 0;
        unsigned served;
        model_fill(&m, 0, pa / LINE, write, &served);
        struct cache_answer a = cache_access(core, pa, write, CACHE_DATA);
        assert_int_equal(a.served, served);
        assert_int_equal(a.cycles, cycles[served]);
    }
    for (unsigned l = 0; l < 3; l++) {
        struct cache_counts c;
        cache_system_counts(s, l, &c);
        assert_int_equal(c.hits[CACHE_DATA], m.hits[l]);
        assert_int_equal(c.misses[CACHE_DATA], m.misses[l]);
        assert_int_equal(c.writebacks, m.level[l].writebacks);
        assert_true(c.hits[CACHE_DATA] > 0 && c.writebacks > 0);
        free(m.level[l].set);
    }
    cache_system_free(s);
}

static void like_the_plain_model(void **state) {
    (void)state;
    for (unsigned policy = CFG_LRU; policy <= CFG_PLRU; policy++) {
        compare(config(4 * KIB, 8, 32 * KIB, 16, 88 * KIB, 11, (enum cfg_replacement)policy));
        compare(config(3 * KIB, 12, 20 * KIB, 5, 7 * 3 * KIB, 7, (enum cfg_replacement)policy));
        compare(config(3 * 4 * LINE, 4, 64 * 64, 64, 5 * 11 * 64 * LINE, 11, (enum cfg_replacement)policy));
        compare(config(LINE, 1, 2 * LINE, 2, 3 * LINE, 3, (enum cfg_replacement)policy));
    }
}

static void same_counts(const struct cache_system *a, const struct cache_system *b) {
    for (unsigned level = 0; level < 3; level++) {
        struct cache_counts x, y;
        cache_system_counts(a, level, &x);
        cache_system_counts(b, level, &y);
        assert_memory_equal(&x, &y, sizeof(x));
        assert_true(x.hits[CACHE_DATA] && x.misses[CACHE_DATA] && x.writebacks);
        assert_true(level == 0 || x.misses[CACHE_WALK]);
    }
}

/* Ordered sets give what plain ones give, access by access: two cores, walks among the data, a shared last level.
 */
static void ordered_against_plain(struct emt_config cfg, const struct cache_sets *kind, unsigned accesses) {
    struct cache_system *ordered, *plain;
    uint64_t random = 7;
    assert_int_equal(cache_system_new_with(&ordered, &cfg, kind), 0);
    assert_int_equal(cache_system_new_with(&plain, &cfg, &cache_sets_plain), 0);
    for (unsigned i = 0; i < accesses; i++) {
        uint64_t draw = hw_random(&random);
        uint64_t pa = i % 3 ? skewed(&random, 22) : draw >> (64 - 20);
        enum cache_user user = draw % 16 == 0 ? CACHE_WALK : draw % 64 == 1 ? CACHE_OS : CACHE_DATA;
        bool write = (draw >> 8) % 3 == 0;
        struct cache_core *a = cache_system_core(ordered, draw >> 16 & 1),
                          *b = cache_system_core(plain, draw >> 16 & 1);
        pa += (draw >> 20 & 1) * (cfg.memory.bytes - 8 * MIB); /* all bits of a line's number count */
        struct cache_answer x = cache_access(a, pa, write, user), y = cache_access(b, pa, write, user);
        assert_int_equal(x.served, y.served);
        assert_int_equal(x.cycles, y.cycles);
    }
    same_counts(ordered, plain);
    cache_system_free(ordered);
    cache_system_free(plain);
}

static void ordered_kind(const struct cache_sets *kind) {
    static const struct {
        unsigned sets[3], ways[3]; /* L1D, L2, LLC */
    } shape[] = {
        {{8, 32, 128}, {8, 16, 11}}, {{64, 64, 512}, {8, 4, 16}},  {{3, 40, 77}, {12, 8, 11}},
        {{64, 100, 640}, {1, 2, 1}}, {{16, 64, 1000}, {2, 1, 12}}, {{1, 1, 1}, {16, 16, 16}},
        {{4, 7, 96}, {5, 12, 20}},   {{8, 16, 24}, {16, 15, 13}},
    };
    for (unsigned i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
        const unsigned *sets = shape[i].sets, *ways = shape[i].ways;
        struct emt_config cfg = config(sets[0] * ways[0] * LINE, ways[0], sets[1] * ways[1] * LINE, ways[1],
                                       sets[2] * ways[2] * LINE, ways[2], CFG_LRU);
        ordered_against_plain(cfg, kind, 200000);
        cfg.memory.bytes = 256 * GIB; /* tags do not hold all of a line's number: two bits are left over */
        ordered_against_plain(cfg, kind, 100000);
        cfg.walk_level = 2;
        cfg.l2.replacement = CFG_PLRU; /* a plain level between ordered ones */
        ordered_against_plain(cfg, kind, 50000);
        cfg.l2.replacement = CFG_LRU;
        cfg.l1d.replacement = CFG_RANDOM;
        ordered_against_plain(cfg, kind, 50000);
    }
}

static void ordered_like_plain(void **state) {
    (void)state;
    unsigned kinds = 0;
    for (; cache_sets_of_host(kinds); kinds++)
        ordered_kind(cache_sets_of_host(kinds));
    assert_true(kinds > 0);
}

static const struct cache_sets *sets_of_level(const struct emt_config *cfg, unsigned level) {
    struct cache_system *s;
    assert_int_equal(cache_system_new(&s, cfg), 0);
    const struct cache_sets *how = cache_system_core(s, 0)->cache[level]->how;
    cache_system_free(s);
    return how;
}

/* What is ordered, and what cannot be. */
static void which_sets(void **state) {
    (void)state;
    const struct cache_sets *best = cache_sets_of_host(0);
    struct emt_config cfg = config(32 * KIB, 8, MIB, 16, 20 * 32 * KIB, 20, CFG_LRU);
    assert_ptr_equal(sets_of_level(&cfg, 0), best);
    assert_ptr_equal(sets_of_level(&cfg, 1), best);
    assert_ptr_equal(sets_of_level(&cfg, 2), &cache_sets_plain); /* 20 ways */
    cfg.l2.replacement = CFG_PLRU;
    assert_ptr_equal(sets_of_level(&cfg, 1), &cache_sets_plain);
    cfg.l2.replacement = CFG_LRU;
    cfg.memory.bytes = 4096 * GIB; /* 2^36 lines, 6 bits more than tags take: 64 sets will do, 32 would not */
    assert_ptr_equal(sets_of_level(&cfg, 0), best);
    cfg.l1d.bytes = 16 * KIB;
    assert_ptr_equal(sets_of_level(&cfg, 0), &cache_sets_plain);
    assert_ptr_equal(sets_of_level(&cfg, 1), best);
}

/* One access to both systems; queued in the first if it is a load or store of the program. */
struct pair {
    struct cache_system *queued, *now;
    struct core_timing heard[2], told[2];
    uint32_t l1_cycles;
};

static void one_access(struct pair *p, unsigned core, uint64_t pa, uint64_t draw, uint64_t instruction) {
    struct cache_core *a = cache_system_core(p->queued, core), *b = cache_system_core(p->now, core);
    enum cache_user user = draw % 64 == 0 ? CACHE_WALK : draw % 256 == 1 ? CACHE_OS : CACHE_DATA;
    bool write = (draw >> 8) % 3 == 0, dependent = (draw >> 12) % 4 == 0;
    struct cache_answer y = cache_access(b, pa, write, user);
    if (user == CACHE_DATA) {
        cache_queue(a, pa, write, instruction, dependent);
        timing_data(&p->told[core], instruction, y.cycles - p->l1_cycles, dependent);
        return;
    }
    struct cache_answer x = cache_access(a, pa, write, user);
    assert_int_equal(x.served, y.served);
    assert_int_equal(x.cycles, y.cycles);
    assert_memory_equal(&p->heard[core], &p->told[core], sizeof(p->heard[core]));
}

/* Every line of every set: what an access answers, and pushes out. */
static void same_lines(struct pair *p) {
    for (uint64_t pa = 0; pa < 4 * MIB; pa += LINE) {
        struct cache_answer x = cache_access(cache_system_core(p->queued, 0), pa, false, CACHE_OS),
                            y = cache_access(cache_system_core(p->now, 0), pa, false, CACHE_OS);
        assert_int_equal(x.served, y.served);
    }
}

/*
 * Accesses that wait in a queue come to what they come to at once, with plain sets: contents, counts, time. Blocks
 * of accesses of one core and then of another, walks and OS accesses in between, now and then counts that begin
 * again.
 */
static void queued_with(struct emt_config cfg, unsigned blocks, const struct cache_sets *kind) {
    struct pair p = {.l1_cycles = cfg.l1d.bytes ? cfg.l1d.hit_cycles : 0};
    uint64_t random = 11, instruction[2] = {0};
    cfg.core.rob_instructions = 64;
    cfg.core.data_hidden = 0.1;
    cfg.core.data_overlap = 0.7;
    assert_int_equal(cache_system_new_with(&p.queued, &cfg, kind), 0);
    assert_int_equal(cache_system_new_with(&p.now, &cfg, &cache_sets_plain), 0);
    for (unsigned core = 0; core < 2; core++) {
        timing_init(&p.heard[core], &cfg);
        timing_init(&p.told[core], &cfg);
        cache_core_timing(cache_system_core(p.queued, core), &p.heard[core]);
    }
    for (unsigned block = 0; block < blocks; block++) {
        unsigned core = hw_random_below(&random, 2), n = hw_random_below(&random, 1500);
        for (unsigned i = 0; i < n; i++) {
            uint64_t draw = hw_random(&random), pa = i % 3 ? skewed(&random, 22) : draw >> (64 - 20);
            instruction[core] += draw >> 16 & 7;
            /* in one block of four, nothing ends the queue before it is full */
            one_access(&p, core, i % 8 ? pa : pa + 3 * GIB, block % 4 ? draw : draw | 2, instruction[core]);
        }
        cache_drain(cache_system_core(p.queued, core));
        assert_memory_equal(&p.heard[core], &p.told[core], sizeof(p.heard[core]));
        for (unsigned level = 0; level < 3; level++) {
            struct cache_counts x, y;
            cache_system_counts(p.queued, level, &x);
            cache_system_counts(p.now, level, &y);
            assert_memory_equal(&x, &y, sizeof(x));
        }
        if (block % 64 == 5) {
            cache_system_reset_counts(p.queued);
            cache_system_reset_counts(p.now);
        }
    }
    same_lines(&p);
    assert_true(p.heard[0].data > 0);
    cache_system_free(p.queued);
    cache_system_free(p.now);
}

static void queued_like_immediate(struct emt_config cfg, unsigned blocks) {
    for (unsigned i = 0; cache_sets_of_host(i) && (i == 0 || cfg.l1d.replacement == CFG_LRU); i++)
        queued_with(cfg, blocks, cache_sets_of_host(i));
}

static void queue(void **state) {
    (void)state;
    struct emt_config cfg;
    for (unsigned policy = CFG_LRU; policy <= CFG_PLRU; policy++) {
        queued_like_immediate(config(4 * KIB, 8, 32 * KIB, 16, 88 * KIB, 11, (enum cfg_replacement)policy), 400);
        queued_like_immediate(config(3 * KIB, 12, 20 * KIB, 5, 7 * 3 * KIB, 7, (enum cfg_replacement)policy), 200);
        queued_like_immediate(config(LINE, 1, 2 * LINE, 2, 3 * LINE, 3, (enum cfg_replacement)policy), 100);
        queued_like_immediate(config(32 * KIB, 8, MIB, 16, 11 * MIB, 11, (enum cfg_replacement)policy), 100);
    }
    cfg = config(32 * KIB, 8, 32 * KIB, 16, 88 * KIB, 11, CFG_LRU);
    cfg.memory.bytes = 256 * GIB; /* lines of more bits than tags have */
    queued_like_immediate(cfg, 200);
    for (unsigned there = 0; there < 8; there++) { /* levels that are left out */
        cfg = config(4 * KIB, 8, 32 * KIB, 16, 88 * KIB, 11, CFG_LRU);
        cfg.walk_level = 2;
        cfg.l1d.bytes = there & 1 ? cfg.l1d.bytes : 0;
        cfg.l2.bytes = there & 2 ? cfg.l2.bytes : 0;
        cfg.llc.bytes = there & 4 ? cfg.llc.bytes : 0;
        queued_like_immediate(cfg, 100);
        cfg.l2.replacement = CFG_PLRU;
        cfg.l2.hit_cycles = cfg.l1d.hit_cycles; /* a miss that takes no longer than a hit */
        queued_like_immediate(cfg, 100);
    }
}

/* A line's word and back, and its set by a rounded reciprocal, at the ends of all ranges. */
static void set_numbers(void **state) {
    (void)state;
    uint64_t random = 3;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t sets = 2 + (hw_random(&random) >> (33 + hw_random_below(&random, 30)));
        unsigned low = hw_random_below(&random, CACHE_MAX_LOW + 1), bits = 31 + low;
        uint64_t line = hw_random(&random) >> (64 - bits) >> hw_random_below(&random, 30);
        struct cache c = {.sets = sets, .reciprocal = (uint64_t)(((unsigned __int128)1 << 64) / sets), .low = low};
        line = i % 4 == 1                  ? line - line % sets
               : i % 4 == 2 && line / sets ? line - line % sets - 1
               : i % 4 == 3                ? (1ull << bits) - 1 - i
                                           : line;
        struct cache_core core = {.turn = 6 + low, .line_mask = (CACHE_DIRTY << (6 + low)) - LINE};
        uint64_t word = cache_word(&core, line * LINE + i % LINE, i % 2),
                 others = (uint64_t)i << 32 & ((2ull * CACHE_NOBODY - 1) << CACHE_ACCESS_SHIFT);
        assert_int_equal(cache_line(word | others, low), line);
        assert_int_equal(cache_set_of(&c, word | others), line % sets);
        assert_int_equal(word & CACHE_DIRTY, i % 2 ? CACHE_DIRTY : 0);
    }
}

/* LRU over a loop larger than the cache: closed forms. */
static void loops(void **state) {
    (void)state;
    struct emt_config cfg = config(32 * KIB, 8, MIB, 16, 22 * MIB, 11, CFG_LRU);
    for (unsigned policy = CFG_LRU; policy <= CFG_RANDOM; policy++) {
        cfg.l1d.replacement = (enum cfg_replacement)policy;
        struct cache_system *s;
        struct cache_counts c;
        assert_int_equal(cache_system_new(&s, &cfg), 0);
        struct cache_core *core = cache_system_core(s, 0);
        for (unsigned round = 0; round < 20; round++)
            for (uint64_t pa = 0; pa < 36 * KIB; pa += LINE) /* 9 lines for each set of 8 ways */
                cache_access(core, pa, false, CACHE_DATA);
        cache_system_counts(s, 0, &c);
        assert_int_equal(c.hits[CACHE_DATA] + c.misses[CACHE_DATA], 20 * 576);
        if (policy == CFG_LRU)
            assert_int_equal(c.hits[CACHE_DATA], 0);
        if (policy == CFG_RANDOM)
            assert_true(c.hits[CACHE_DATA] > 20 * 576 / 2);
        cache_system_counts(s, 2, &c);
        assert_int_equal(c.misses[CACHE_DATA], 576);
        cache_system_reset_counts(s);
        cache_system_counts(s, 0, &c);
        assert_int_equal(c.hits[CACHE_DATA] + c.misses[CACHE_DATA], 0);
        cache_system_free(s);
    }
}

static void latencies(void **state) {
    struct cache_system *s;
    struct cache_answer a;
    (void)state;
    struct emt_config cfg = config(32 * KIB, 8, MIB, 16, 27 * MIB + MIB / 2, 11, CFG_LRU); /* 40960 sets */
    cfg.walk_level = 2;
    assert_int_equal(cache_system_new(&s, &cfg), 0);
    struct cache_core *core[2] = {cache_system_core(s, 0), cache_system_core(s, 1)};
    a = cache_access(core[0], 0, false, CACHE_DATA);
    assert_int_equal(a.cycles, 54 + 146);
    a = cache_access(core[1], 64, false, CACHE_DATA); /* core 1 is on node 1, this memory on node 0 */
    assert_int_equal(a.cycles, 54 + 246);
    a = cache_access(core[1], 3 * GIB, false, CACHE_OS);
    assert_int_equal(a.cycles, 54 + 146);
    a = cache_access(core[1], 0, false, CACHE_DATA); /* the last level is shared */
    assert_int_equal(a.served, CACHE_LLC);
    a = cache_access(core[0], 0, false, CACHE_WALK); /* enters at L2 */
    assert_int_equal(a.served, CACHE_L2);
    assert_int_equal(a.cycles, 14);
    a = cache_access(core[0], 4096, false, CACHE_WALK);
    assert_int_equal(a.cycles, 200);
    a = cache_access(core[0], 4096, false, CACHE_DATA); /* the walk did not fill L1 */
    assert_int_equal(a.served, CACHE_L2);
    cache_system_free(s);

    cfg.l2.bytes = cfg.llc.bytes = 0; /* L1 alone */
    assert_int_equal(cache_system_new(&s, &cfg), 0);
    a = cache_access(cache_system_core(s, 0), 0, true, CACHE_DATA);
    assert_int_equal(a.cycles, 4 + 146);
    a = cache_access(cache_system_core(s, 0), 0, false, CACHE_WALK); /* no cache where it enters */
    assert_int_equal(a.served, CACHE_MEMORY);
    cache_system_free(s);
    cfg.l1d.bytes = 0; /* memory alone */
    assert_int_equal(cache_system_new(&s, &cfg), 0);
    a = cache_access(cache_system_core(s, 0), 0, false, CACHE_DATA);
    assert_int_equal(a.cycles, 146);
    cache_system_free(s);
}

static void impossible_caches(void **state) {
    struct cache_system *s;
    (void)state;
    struct emt_config cfg = config(33 * KIB + 1, 8, MIB, 16, 22 * MIB, 11, CFG_LRU);
    assert_int_equal(cache_system_new(&s, &cfg), -EINVAL);
    cfg = config(32 * KIB, 8, MIB, 16, 22 * MIB, 11, CFG_LRU);
    cfg.l2.line_bytes = 128;
    assert_int_equal(cache_system_new(&s, &cfg), -EINVAL);
    cfg.l2.line_bytes = 96;
    assert_int_equal(cache_system_new(&s, &cfg), -EINVAL);
    cfg = config(32 * KIB, 0, MIB, 16, 22 * MIB, 11, CFG_LRU);
    assert_int_equal(cache_system_new(&s, &cfg), -EINVAL);
    cfg = config(128 * LINE, 128, MIB, 16, 22 * MIB, 11, CFG_PLRU);
    assert_int_equal(cache_system_new(&s, &cfg), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_the_plain_model),
        cmocka_unit_test(ordered_like_plain),
        cmocka_unit_test(which_sets),
        cmocka_unit_test(queue),
        cmocka_unit_test(set_numbers),
        cmocka_unit_test(loops),
        cmocka_unit_test(latencies),
        cmocka_unit_test(impossible_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
