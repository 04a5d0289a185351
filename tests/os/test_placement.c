/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Placement policies, the contiguity map and the measures of contiguity: closed forms, and the map against a naive
   one. Random OS calls under every policy: test_oracle.c. */
#include "os_world.h"

#include <stdio.h>
#include <string.h>

#include "os/contig.h"
#include "os/contiguity.h"

#define HUGE   (2 * MIB)
#define BLOCKS 300u

static void init(struct os_world *w, uint64_t memory_bytes, enum cfg_placement placement, bool thp) {
    world_init(w, memory_bytes);
    w->cfg.os.placement = placement;
    w->cfg.os.thp = thp ? CFG_THP_ALWAYS : CFG_THP_NEVER;
    w->cfg.os.contig_pages = 32;
    w->cfg.os.ca_split_order = 10;
    w->cfg.os.ca_replace_order = 9;
    w->cfg.os.eager_max_order = 12;
    w->cfg.os.ranger_every_instructions = 1000;
    w->cfg.os.ranger_pages = 1 << 20;
}

static void start(struct os_world *w, uint64_t memory_bytes, enum cfg_placement placement, bool thp) {
    init(w, memory_bytes, placement, thp);
    world_start(w);
}

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void touch(struct os_world *w, uint64_t va) {
    assert_int_equal(os_fault(w->p, 0, va, EMT_STORE, 0), 0);
}

static uint64_t frame_of(struct os_world *w, uint64_t va) {
    struct emt_tobj o;

    assert_int_equal(emt_tdb_find(&w->p->tdb, va, &o), 0);
    return tobj(w->os, &o, EMT_ATTR_PFN) + ((va - o.va) >> EMT_PAGE_SHIFT);
}

static bool marked(struct os_world *w, uint64_t va) {
    struct emt_tobj o;

    assert_int_equal(emt_tdb_find(&w->p->tdb, va, &o), 0);
    return tobj(w->os, &o, EMT_ATTR_CONTIG);
}

static struct os_contiguity measure(struct os_world *w) {
    struct os_contiguity c;

    os_contiguity(w->p, &c);
    return c;
}

/* ---- the contiguity map ---- */

/* As contig_place() is documented, by looking at every block. */
static bool naive_place(const bool *is_free, unsigned *rover, unsigned want, unsigned *at, unsigned *n) {
    unsigned best = 0, best_at = 0;

    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = turn ? 0 : *rover, run = 0; i < BLOCKS; i++) {
            run = is_free[i] ? run + 1 : 0;
            if (run == want) {
                *at = i + 1 - want;
                *n = want;
                *rover = (i + 1) % BLOCKS;
                return true;
            }
        }
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = turn ? 0 : *rover, run = 0; i < (turn ? *rover : BLOCKS); i++) {
            run = is_free[i] ? run + 1 : 0;
            if (run > best) {
                best = run;
                best_at = i + 1 - run;
            }
        }
    *at = best_at;
    *n = best;
    if (best)
        *rover = (best_at + best) % BLOCKS;
    return best > 0;
}

static void map_against_naive(void **state) {
    bool is_free[BLOCKS];
    struct contig *m;
    uint64_t rng = 5;
    unsigned rover = 0;

    (void)state;
    memset(is_free, 1, sizeof(is_free));
    assert_int_equal(contig_new(&m, BLOCKS), 0);
    for (unsigned step = 0; step < 40000; step++) {
        unsigned b = (unsigned)(next_random(&rng) % BLOCKS), from = (unsigned)(next_random(&rng) % BLOCKS), at, n;
        uint64_t block = 0, blocks = 0;

        is_free[b] = next_random(&rng) % 100 < (step / 4000 % 2 ? 90u : 30u);
        contig_set(m, b, is_free[b]);
        for (at = from; at < BLOCKS && !is_free[at]; at++)
            ;
        for (n = 0; at + n < BLOCKS && is_free[at + n]; n++)
            ;
        assert_int_equal(contig_next(m, from, &block, &blocks), at < BLOCKS);
        if (at < BLOCKS) {
            assert_int_equal(block, at);
            assert_int_equal(blocks, n);
        }
        unsigned want = 1 + (unsigned)(next_random(&rng) % 20);
        bool found = naive_place(is_free, &rover, want, &at, &n);
        assert_int_equal(contig_place(m, want, &block, &blocks), found);
        if (found) {
            assert_int_equal(block, at);
            assert_int_equal(blocks, n);
        }
    }
    assert_int_equal(contig_updates(m), 40000);
    contig_free(m);
}

/* ---- CA paging ---- */

/* Whatever the order of first touches, a VMA is one run; the default allocator makes as many as there are pages. */
static void ca_any_order(void **state) {
    (void)state;
    for (unsigned policy = CFG_PLACEMENT_DEFAULT; policy <= CFG_PLACEMENT_CA; policy++) {
        struct os_world w;
        unsigned pages = 1000;

        start(&w, 64 * MIB, policy, false);
        world_map(w.p, AT, pages * PAGE, RW, ANON, 0);
        for (unsigned i = 0; i < pages; i++) /* 617 and 1000 have no common factor */
            touch(&w, AT + i * 617 % pages * PAGE);
        struct os_contiguity c = measure(&w);
        assert_int_equal(c.resident_bytes, pages * PAGE);
        assert_int_equal(c.runs, policy == CFG_PLACEMENT_CA ? 1 : pages);
        if (policy == CFG_PLACEMENT_CA)
            assert_int_equal(c.mappings[OS_VIEW_OFFSET][2], 1);
        assert_int_equal(c.mappings[OS_VIEW_VMA][2], 1);
        assert_int_equal(c.mappings[OS_VIEW_IDEAL][2], 1);
        assert_int_equal(w.os->stats.place.placements, policy == CFG_PLACEMENT_CA ? 1 : 0);
        world_end(&w);
    }
}

/* The same pages are resident as under the default policy, none more, and faults cost a few percent more. */
static void ca_cost(void **state) {
    uint64_t instructions[2][2], frames[2][2];

    (void)state;
    for (unsigned thp = 0; thp < 2; thp++) {
        for (unsigned policy = CFG_PLACEMENT_DEFAULT; policy <= CFG_PLACEMENT_CA; policy++) {
            struct os_world w;
            uint64_t rng = 3;

            start(&w, 256 * MIB, policy, thp);
            world_map(w.p, AT, 64 * MIB, RW, ANON, 0);
            for (unsigned i = 0; i < 3000; i++) {
                uint64_t va = AT + next_random(&rng) % (64 * MIB) / PAGE * PAGE;
                struct emt_tobj o;
                if (emt_tdb_find(&w.p->tdb, va, &o))
                    touch(&w, va);
            }
            const struct os_op_stats *op = w.os->stats.op;
            instructions[thp][policy] = op[OS_FAULT_ANON].instructions + op[OS_FAULT_HUGE].instructions;
            frames[thp][policy] = w.os->user_frames;
            world_end(&w);
        }
        assert_int_equal(frames[thp][0], frames[thp][1]);
        printf("instructions of faults, %s pages: default %llu, ca %llu: %+.2f %%\n", thp ? "huge" : "small",
               (unsigned long long)instructions[thp][0], (unsigned long long)instructions[thp][1],
               100.0 * (double)instructions[thp][1] / (double)instructions[thp][0] - 100);
        assert_true(instructions[thp][1] >= instructions[thp][0]);
        assert_true(instructions[thp][1] * 100 <= instructions[thp][0] * 105);
    }
}

/* Next fit: VMAs that grow by turns do not meet. */
static void ca_by_turns(void **state) {
    struct os_world w;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_CA, false);
    for (unsigned v = 0; v < 4; v++)
        world_map(w.p, AT + v * 64 * MIB, 6 * MIB, RW, ANON, 0);
    for (uint64_t at = 0; at < 6 * MIB; at += PAGE)
        for (unsigned v = 0; v < 4; v++)
            touch(&w, AT + v * 64 * MIB + at);
    assert_int_equal(measure(&w).runs, 4);
    assert_int_equal(w.os->stats.place.busy, 0);
    world_end(&w);
}

/* Small free pieces, as memory in use has: without them the buddy allocator would take the frames next to the last
   target. */
static void leave_pieces(struct os_world *w) {
    uint64_t pfn = frames_alloc(w->os->frames, 0, 0, FRAME_MOVABLE, OS_USE_OCCUPIED);

    for (unsigned i = 1; i < 64; i++)
        assert_int_equal(frames_alloc_at(w->os->frames, pfn + i, 0, FRAME_MOVABLE, OS_USE_OCCUPIED), pfn + i);
    for (unsigned i = 0; i < 64; i += 2)
        frames_free(w->os->frames, pfn + i);
    w->os->reserved_frames += 32;
}

/* A small page whose target is busy gets another frame; the run goes on behind it with the same offset. */
static void ca_busy_small(void **state) {
    struct os_world w;

    (void)state;
    start(&w, 64 * MIB, CFG_PLACEMENT_CA, false);
    leave_pieces(&w);
    world_map(w.p, AT, 100 * PAGE, RW, ANON, 0);
    touch(&w, AT);
    uint64_t first = frame_of(&w, AT);
    assert_int_equal(frames_alloc_target(w.os->frames, first + 50, 0, FRAME_MOVABLE, OS_USE_OCCUPIED), first + 50);
    w.os->reserved_frames++;
    world_touch(w.p, AT, 100 * PAGE, EMT_STORE);
    assert_int_equal(frame_of(&w, AT + 99 * PAGE), first + 99);
    assert_int_not_equal(frame_of(&w, AT + 50 * PAGE), first + 50);
    struct os_contiguity c = measure(&w);
    assert_int_equal(c.runs, 3);
    assert_int_equal(c.mappings[OS_VIEW_OFFSET][2], 2);
    assert_int_equal(w.os->stats.place.busy, 1);
    assert_int_equal(w.os->stats.place.placements, 1);
    world_end(&w);
}

/* A huge page whose target is busy places the rest of the VMA anew: two runs. */
static void ca_busy_huge(void **state) {
    struct os_world w;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_CA, true);
    world_map(w.p, AT, 32 * MIB, RW, ANON, 0);
    touch(&w, AT);
    uint64_t first = frame_of(&w, AT), hole = first + 5 * (HUGE / PAGE) + 7;
    assert_int_equal(frames_alloc_at(w.os->frames, hole, 0, FRAME_MOVABLE, OS_USE_OCCUPIED), hole);
    w.os->reserved_frames++;
    world_touch(w.p, AT, 32 * MIB, EMT_STORE);
    struct os_contiguity c = measure(&w);
    assert_int_equal(c.runs, 2);
    assert_int_equal(c.longest_bytes, 11 * HUGE);
    assert_int_equal(calls(&w, OS_FAULT_HUGE), 16);
    assert_int_equal(w.os->stats.place.replaced, 1);
    world_end(&w);
}

/* Records go with their VMA: what is moved goes on where it was, what is divided and joined too. */
static void ca_records_follow(void **state) {
    struct os_world w;
    uint64_t to = AT + 512 * MIB;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_CA, false);
    world_map(w.p, AT, 8 * MIB, RW, ANON, 0);
    world_touch(w.p, AT, MIB, EMT_STORE);
    uint64_t first = frame_of(&w, AT);
    assert_int_equal(os_mprotect(w.p, AT + 2 * MIB, MIB, ABI_PROT_READ), 0); /* in three */
    touch(&w, AT + 4 * MIB);
    assert_int_equal(frame_of(&w, AT + 4 * MIB), first + 4 * MIB / PAGE);
    assert_int_equal(os_mprotect(w.p, AT + 2 * MIB, MIB, RW), 0); /* in one again */
    touch(&w, AT + 2 * MIB);
    assert_int_equal(frame_of(&w, AT + 2 * MIB), first + 2 * MIB / PAGE);
    assert_int_equal(os_mremap(w.p, AT, 8 * MIB, &to, 8 * MIB, ABI_MREMAP_MAYMOVE | ABI_MREMAP_FIXED), 0);
    touch(&w, to + 6 * MIB);
    assert_int_equal(frame_of(&w, to + 6 * MIB), first + 6 * MIB / PAGE);
    assert_int_equal(w.os->stats.place.placements, 1);
    world_end(&w);
}

/* Pages of the cache lie as the file does, whichever VMA reads them first; a child's copies make a run of their
 * own. */
static void ca_files_and_fork(void **state) {
    struct os_process *child;
    struct os_world w;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_CA, false);
    assert_int_equal(os_file(w.os, 1, 4 * MIB), 0);
    world_map(w.p, AT, 4 * MIB, RW, ABI_MAP_SHARED, 1);
    for (uint64_t at = 4 * MIB; at; at -= 64 << 10) /* from its end; each brings its window of 64 KiB */
        assert_int_equal(os_fault(w.p, 0, AT + at - PAGE, EMT_LOAD, 0), 0);
    assert_int_equal(measure(&w).runs, 1);

    world_map(w.p, AT + 64 * MIB, MIB, RW, ANON, 0);
    world_touch(w.p, AT + 64 * MIB, MIB, EMT_STORE);
    assert_int_equal(os_fork(w.p, 2, &child), 0);
    world_touch(child, AT + 64 * MIB, MIB, EMT_STORE);
    struct os_contiguity c;
    os_contiguity(child, &c);
    assert_int_equal(c.runs, 1);
    assert_int_equal(c.resident_bytes, MIB);
    world_end(&w);
}

/* Pages of a run are marked when it has become large, those before too; hardware that predicts may use them. */
static void ca_marks(void **state) {
    struct os_world w;

    (void)state;
    start(&w, 64 * MIB, CFG_PLACEMENT_CA, false);
    world_map(w.p, AT, MIB, RW, ANON, 0);
    world_touch(w.p, AT, 31 * PAGE, EMT_STORE);
    for (unsigned i = 0; i < 31; i++)
        assert_false(marked(&w, AT + i * PAGE));
    touch(&w, AT + 200 * PAGE); /* a hole does not matter: the offset is one */
    for (unsigned i = 0; i < 31; i++)
        assert_true(marked(&w, AT + i * PAGE));
    assert_true(marked(&w, AT + 200 * PAGE));
    touch(&w, AT + 100 * PAGE);
    assert_true(marked(&w, AT + 100 * PAGE));
    world_end(&w);
}

/* What the architecture requires comes first. */
static void architecture_wins(void **state) {
    struct os_world w;

    (void)state;
    init(&w, 64 * MIB, CFG_PLACEMENT_CA, false);
    w.arch = emt_arch_find("mosaic:4");
    if (!w.arch)
        skip();
    world_start(&w);
    world_map(w.p, AT, MIB, RW, ANON, 0);
    world_touch(w.p, AT, MIB, EMT_STORE);
    assert_int_equal(w.os->stats.place.hits, 0);
    world_end(&w);
}

/* Each frame that the architecture lets pages have is in one group, and in use or not. */
static void groups_of_places(void **state) {
    struct os_places places[EMT_PLACE_GROUPS];
    uint64_t frames = 0, used = 0;
    struct os_world w;

    (void)state;
    init(&w, 64 * MIB, CFG_PLACEMENT_DEFAULT, false);
    w.arch = emt_arch_find("mosaic:4");
    if (!w.arch)
        skip();
    world_start(&w);
    world_map(w.p, AT, 32 * MIB, RW, ANON, 0);
    world_touch(w.p, AT, 32 * MIB, EMT_STORE);
    assert_int_equal(os_places(w.os, places), 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct emt_place_group *g = &places[i].group;
        uint64_t groups = 0;
        for (unsigned n = 0; n <= g->frames; n++) {
            groups += places[i].used[n];
            used += places[i].used[n] * n;
        }
        assert_int_equal(groups, g->groups);
        frames += g->groups * g->frames;
    }
    assert_int_equal(frames, 64 * MIB / PAGE); /* nothing is kept for tables here */
    assert_int_equal(used, 32 * MIB / PAGE + w.os->table_frames);
    world_end(&w);
    start(&w, 64 * MIB, CFG_PLACEMENT_CA, false);
    assert_int_equal(os_places(w.os, places), 0);
    world_end(&w);
}

/* ---- the rivals ---- */

static void eager_bloat(void **state) {
    struct os_world w;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_EAGER, true);
    world_map(w.p, AT, 11 * MIB + 3 * PAGE, RW, ANON, 0);
    struct os_contiguity c = measure(&w);
    assert_int_equal(c.resident_bytes, 11 * MIB + 3 * PAGE); /* nothing was touched */
    assert_int_equal(c.touched_bytes, 0);
    assert_int_equal(w.os->stats.place.eager_bytes, c.resident_bytes);
    assert_int_equal(calls(&w, OS_FAULT_HUGE) + calls(&w, OS_FAULT_ANON), 0);
    assert_true(c.runs <= 3);
    assert_int_equal(w.os->stats.place.placements, 5);          /* 8 MiB, 2 MiB, 1 MiB, two pages, one */
    world_map(w.p, AT + 64 * MIB, MIB, ABI_PROT_NONE, ANON, 0); /* reserved, not asked for */
    assert_int_equal(measure(&w).resident_bytes, c.resident_bytes);
    assert_int_equal(os_mprotect(w.p, AT + 64 * MIB, MIB, RW), 0);
    assert_int_equal(measure(&w).resident_bytes, c.resident_bytes + MIB);
    world_end(&w);
}

static void count_flush(void *hw, const struct emt_flush *f) {
    (void)f;
    ++*(unsigned *)hw;
}

/* Two VMAs whose pages alternate in memory become a run each; contents stay (checked by os_content()), each page
   that moves is copied and flushed. */
static void ranger_moves(void **state) {
    struct os_world w;
    unsigned flushes = 0;
    uint64_t content;

    (void)state;
    start(&w, 64 * MIB, CFG_PLACEMENT_RANGER, false);
    w.host.hw = &flushes;
    w.host.flush = count_flush;
    world_map(w.p, AT, MIB, RW, ANON, 0);
    world_map(w.p, AT + 32 * MIB, MIB, RW, ANON, 0);
    for (uint64_t at = 0; at < MIB; at += PAGE) {
        assert_int_equal(os_store(w.p, AT + at, 1000 + at), 0);
        assert_int_equal(os_store(w.p, AT + 32 * MIB + at, 5000000 + at), 0);
    }
    assert_int_equal(measure(&w).runs, 512);
    uint64_t before = w.os->user_frames;
    flushes = 0;
    os_tick(w.os, 2000);
    os_tick(w.os, 4000);
    assert_int_equal(measure(&w).runs, 2);
    assert_int_equal(w.os->user_frames, before);
    const struct os_place_stats *s = &w.os->stats.place;
    uint64_t moves = (s->migrated_bytes + 2 * s->exchanged_bytes) / PAGE;
    assert_true(moves >= 256);
    assert_int_equal(flushes, moves);
    assert_int_equal(w.os->stats.pages_copied_bytes, moves * PAGE);
    assert_true(w.os->stats.op[OS_RANGER].instructions >= moves * w.cfg.os.cost[OS_COST_MIGRATE]);
    for (uint64_t at = 0; at < MIB; at += PAGE) {
        assert_int_equal(os_content(w.p, AT + at, &content), 0);
        assert_int_equal(content, 1000 + at);
        assert_int_equal(os_content(w.p, AT + 32 * MIB + at, &content), 0);
        assert_int_equal(content, 5000000 + at);
    }
    w.host.flush = NULL;
    world_end(&w);
}

/* ---- fragmented memory ---- */

static void fragmented(void **state) {
    (void)state;
    for (unsigned quarter = 0; quarter < 4; quarter++) {
        uint64_t runs[4], ideal = 0;

        for (unsigned policy = CFG_PLACEMENT_DEFAULT; policy <= CFG_PLACEMENT_RANGER; policy++) {
            struct os_world w;
            uint64_t rng = 1;

            init(&w, 512 * MIB, policy, true);
            w.cfg.memory.fragmented = quarter / 4.0;
            w.cfg.memory.occupied = 0.5;
            w.cfg.memory.seed = 1;
            world_start(&w);
            world_map(w.p, AT, 64 * MIB, RW, ANON, 0);
            for (unsigned i = 0; i < 400; i++) {
                uint64_t va = AT + next_random(&rng) % (64 * MIB) / PAGE * PAGE;
                struct emt_tobj o;
                if (emt_tdb_find(&w.p->tdb, va, &o))
                    touch(&w, va);
            }
            world_touch(w.p, AT, 64 * MIB, EMT_STORE);
            os_tick(w.os, 2000);
            struct os_contiguity c = measure(&w);
            assert_int_equal(c.resident_bytes, 64 * MIB);
            runs[policy] = c.mappings[OS_VIEW_RANGE][1];
            ideal = c.mappings[OS_VIEW_IDEAL][1];
            assert_true(runs[policy] >= ideal);
            world_end(&w); /* frames agree, none is lost */
        }
        printf("fragmented %.2f: 99 %% in default %llu, ca %llu, eager %llu, ranger %llu, ideal %llu\n",
               quarter / 4.0, (unsigned long long)runs[0], (unsigned long long)runs[1], (unsigned long long)runs[2],
               (unsigned long long)runs[3], (unsigned long long)ideal);
        assert_true(runs[CFG_PLACEMENT_CA] <= runs[CFG_PLACEMENT_DEFAULT]);
        if (!quarter)
            assert_int_equal(runs[CFG_PLACEMENT_CA], 1);
    }
}

/* ---- measures ---- */

/* Shares are counted in whole mappings, largest first. */
static void shares(void **state) {
    struct sizes s = {0};
    uint64_t n[OS_SHARES];

    (void)state;
    assert_true(sizes_add(&s, 10 * PAGE, 5) && sizes_add(&s, 100 * PAGE, 9) && sizes_add(&s, PAGE, 50));
    assert_true(sizes_add(&s, 7, 0));
    sizes_cover(&s, n); /* 1000 pages */
    assert_int_equal(n[0], 9);
    assert_int_equal(n[1], 9 + 5 + 40);
    assert_int_equal(n[2], 9 + 5 + 50);
    free(s.size);
}

static void views(void **state) {
    struct os_world w;
    struct os_contiguity c;

    (void)state;
    start(&w, 128 * MIB, CFG_PLACEMENT_CA, false);
    world_map(w.p, AT, 8 * MIB, RW, ANON, 0);
    for (unsigned i = 0; i < 64; i++) /* every second page: no two are neighbours, all have one offset */
        touch(&w, AT + 2 * i * PAGE);
    c = measure(&w);
    assert_int_equal(c.runs, 64);
    assert_int_equal(c.mappings[OS_VIEW_RANGE][0], 58); /* 57.6 */
    assert_int_equal(c.mappings[OS_VIEW_OFFSET][2], 1);
    assert_int_equal(c.mappings[OS_VIEW_ANCHOR][2], 64);
    assert_int_equal(c.mappings[OS_VIEW_VMA][2], 1);
    world_touch(w.p, AT, 8 * MIB, EMT_STORE); /* 2048 pages, aligned to 2^16 */
    c = measure(&w);
    assert_int_equal(c.runs, 1);
    assert_int_equal(c.longest[0], 8 * MIB);
    assert_int_equal(c.longest[1], 0);
    assert_int_equal(c.mappings[OS_VIEW_ANCHOR][2], 1);
    assert_int_equal(c.anchor_pages, 2048);
    assert_int_equal(c.touched_bytes, 8 * MIB);
    /* One page fewer at the beginning: with distance n, n - 1 pages before the first anchor and 2048 / n - 1
       anchors: 94 for 32 and 64. */
    assert_int_equal(os_munmap(w.p, AT, PAGE), 0);
    c = measure(&w);
    assert_int_equal(c.runs, 1);
    assert_int_equal(c.mappings[OS_VIEW_ANCHOR][2], 94);

    uint8_t rank[32];
    os_run_map(w.p, rank, 32);
    unsigned painted = 0;
    for (unsigned i = 0; i < 32; i++)
        painted += rank[i] == 1;
    assert_int_equal(painted, 2); /* 8 of 128 MiB, 4 MiB a cell */
    world_end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_against_naive),
        cmocka_unit_test(ca_any_order),
        cmocka_unit_test(ca_cost),
        cmocka_unit_test(ca_by_turns),
        cmocka_unit_test(ca_busy_small),
        cmocka_unit_test(ca_busy_huge),
        cmocka_unit_test(ca_records_follow),
        cmocka_unit_test(ca_files_and_fork),
        cmocka_unit_test(ca_marks),
        cmocka_unit_test(architecture_wins),
        cmocka_unit_test(groups_of_places),
        cmocka_unit_test(eager_bloat),
        cmocka_unit_test(ranger_moves),
        cmocka_unit_test(fragmented),
        cmocka_unit_test(shares),
        cmocka_unit_test(views),
    };
    return cmocka_run_group_tests_name("os/placement", tests, NULL, NULL);
}
