/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ranges and segments: closed forms. What hardware is told is right is the conformance kit's to prove; here, that
 * it is told enough: every run is found in a range table of many nodes, a range TLB of n entries covers n runs,
 * nothing in a segment walks, and what the OS pays for it is small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <sys/mman.h>

#include "emt/emt.h"
#include "mmu/anchor/format.h"
#include "mmu/rmm/format.h"
#include "support/sim.h"

#define PAGE EMT_PAGE_BYTES
#define MIB  (1ull << 20)

/* ---- the range table, through the interface ---- */

static struct emt_range told; /* by the last walk; last < va: nothing */

static void on_range(struct emt_port *port, const struct emt_range *r) {
    (void)port;
    told = *r;
}

static void map(struct sim *s, struct emt_tdb *tdb, uint64_t va, uint64_t pfn) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&s->svc, &o, va, pfn, PAGE, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tobj_set(&s->svc, &o, EMT_ATTR_ACCESSED, 1), 0);
    assert_int_equal(emt_tobj_set(&s->svc, &o, EMT_ATTR_DIRTY, 1), 0);
    assert_int_equal(emt_tdb_update(tdb, &o), 0);
}

static void unmap(struct emt_tdb *tdb, uint64_t va) {
    struct emt_tobj old;

    assert_int_equal(emt_tdb_remove(tdb, va, &old), 0);
}

/* A load at va: what it tells of a range. */
static void ask(struct sim *s, struct emt_tdb *tdb, uint64_t va) {
    const struct emt_access a = {.va = va, .type = EMT_LOAD, .user = true, .nx = true};
    struct emt_walk w;

    told = (struct emt_range){.va = 1};
    s->port.port.range_put = on_range;
    assert_int_equal(sim_walk(s, tdb, &a, &w), 0);
    assert_false(w.fault);
}

static void expect(struct sim *s, struct emt_tdb *tdb, uint64_t va, uint64_t first, uint64_t pages) {
    ask(s, tdb, va);
    assert_int_equal(told.va, first);
    assert_int_equal(told.last, first + pages * PAGE - 1);
}

#define RUNS       3000u
#define RUN_PAGES  8u
#define RUN_VA(i)  (0x10000000ull + (uint64_t)(i)*64 * PAGE)
#define RUN_PFN(i) (0x100000ull + (uint64_t)(i)*32)

static void map_run(struct sim *s, struct emt_tdb *tdb, unsigned i) {
    for (unsigned page = 0; page < RUN_PAGES; page++)
        map(s, tdb, RUN_VA(i) + page * PAGE, RUN_PFN(i) + page);
}

static void shuffle(unsigned *order, unsigned n, uint64_t *random) {
    for (unsigned i = 0; i < n; i++)
        order[i] = i;
    for (unsigned i = n; i > 1; i--) {
        const unsigned k = (unsigned)(sim_random(random) % i), swapped = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swapped;
    }
}

/* 3000 ranges need 24 leaves and more: all are found, in whatever order they came, and as others go. */
static void many_ranges(void **state) {
    unsigned order[RUNS];
    uint64_t random = 5;
    struct sim s;
    struct emt_tdb tdb;

    (void)state;
    sim_open(&s, emt_arch_find("rmm"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    const uint64_t empty = emt_tdb_table_bytes(&tdb);
    shuffle(order, RUNS, &random);
    for (unsigned i = 0; i < RUNS; i++)
        map_run(&s, &tdb, order[i]);
    for (unsigned i = 0; i < RUNS; i++)
        expect(&s, &tdb, RUN_VA(i) + i % RUN_PAGES * PAGE + 8, RUN_VA(i), RUN_PAGES);
    shuffle(order, RUNS, &random);
    for (unsigned i = 0; i < RUNS; i++) {
        for (unsigned page = 0; page < RUN_PAGES; page++)
            unmap(&tdb, RUN_VA(order[i]) + page * PAGE);
        if (i + 1 < RUNS)
            expect(&s, &tdb, RUN_VA(order[i + 1]), RUN_VA(order[i + 1]), RUN_PAGES);
    }
    assert_int_equal(emt_tdb_table_bytes(&tdb), empty);
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

/* Whatever the order in which pages come, a run is one range in the end; and no range is shorter than 8 pages. */
static void any_order(void **state) {
    enum { PAGES = 200 };
    unsigned order[PAGES];
    uint64_t random = 9;

    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct sim s;
        struct emt_tdb tdb;

        sim_open(&s, emt_arch_find("rmm"), round & 1);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
        shuffle(order, PAGES, &random);
        for (unsigned i = 0; i < PAGES; i++) {
            map(&s, &tdb, RUN_VA(0) + order[i] * PAGE, RUN_PFN(0) + order[i]);
            ask(&s, &tdb, RUN_VA(0) + order[i] * PAGE);
            assert_true(told.last < told.va || told.last - told.va + 1 >= RUN_PAGES * PAGE);
        }
        for (unsigned i = 0; i < PAGES; i += 17)
            expect(&s, &tdb, RUN_VA(0) + i * PAGE, RUN_VA(0), PAGES);
        /* Out of the middle: two are left. Other rights: a range of its own. */
        unmap(&tdb, RUN_VA(0) + 50 * PAGE);
        expect(&s, &tdb, RUN_VA(0), RUN_VA(0), 50);
        expect(&s, &tdb, RUN_VA(0) + 51 * PAGE, RUN_VA(0) + 51 * PAGE, PAGES - 51);
        struct emt_gather g;
        emt_gather_init(&g);
        assert_int_equal(emt_range_protect(&tdb, RUN_VA(0) + 100 * PAGE, 50 * PAGE, EMT_PROT_USER, &g), 0);
        emt_gather_flush(&tdb, &g);
        expect(&s, &tdb, RUN_VA(0) + 120 * PAGE, RUN_VA(0) + 100 * PAGE, 50);
        assert_false(told.write);
        expect(&s, &tdb, RUN_VA(0) + 60 * PAGE, RUN_VA(0) + 51 * PAGE, 49);
        expect(&s, &tdb, RUN_VA(0) + 199 * PAGE, RUN_VA(0) + 150 * PAGE, 50);
        emt_tdb_destroy(&tdb);
        sim_close(&s);
    }
}

/* A search reads the node's header twice and one slot of each halving: at most 2 + 7 in a node of 127. */
static void reads_of_a_search(void **state) {
    struct sim s;
    struct emt_tdb tdb;

    (void)state;
    sim_open(&s, emt_arch_find("rmm"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    for (unsigned i = 0; i < RMM_SLOTS; i++)
        map_run(&s, &tdb, i);
    unsigned most = 0;
    for (unsigned i = 0; i < RMM_SLOTS; i++) {
        sim_port_reset(&s, false);
        expect(&s, &tdb, RUN_VA(i), RUN_VA(i), RUN_PAGES);
        assert_true(s.port.log[4].background && !s.port.log[3].background);
        most = s.port.fetches > most ? s.port.fetches : most;
    }
    assert_int_equal(most, 4 + 2 + 7);
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

/* The distance that covers runs of n aligned pages with the fewest entries is n; of one long run, the longest. */
static void anchor_distance(void **state) {
    static const struct {
        unsigned run, runs, log;
    } forms[] = {{8, 256, 3}, {32, 64, 5}, {64, 32, 6}, {512, 4, 9}, {2048, 1, 11}};

    (void)state;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct sim s;
        struct emt_tdb tdb;
        struct emt_root root;
        const uint64_t stride = 3 * forms[i].run * PAGE; /* so that twice the distance does not fit */

        sim_open(&s, emt_arch_find("anchor"), i & 1);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
        for (unsigned run = 0; run < forms[i].runs; run++)
            for (unsigned page = 0; page < forms[i].run; page++)
                map(&s, &tdb, (4096ull << 12) + run * stride + page * PAGE, 0x100000 + run * 5000ull + page);
        emt_tdb_root(&tdb, &root);
        assert_int_equal(root.word[ANCHOR_ROOT_LOG], forms[i].log);
        for (unsigned run = 0; run < forms[i].runs; run++) {
            const uint64_t first = (4096ull << 12) + run * stride;
            expect(&s, &tdb, first + (run * 7 + 3) % forms[i].run * PAGE, first, forms[i].run);
        }
        unmap(&tdb, 4096ull << 12); /* the anchor itself: then nothing is told of the rest */
        ask(&s, &tdb, (4096ull << 12) + PAGE);
        assert_true(told.last < told.va);
        emt_tdb_destroy(&tdb);
        sim_close(&s);
    }
}

/* ---- machines ---- */

static struct emt *machine(const char *mmu, const char *more) {
    const char *const settings[] = {"os.thp.enabled=never",
                                    "memory.bytes=256M",
                                    "check.translations=true",
                                    "caches.enabled=false",
                                    "tlb.l1d_4k.entries=4",
                                    "tlb.l1d_4k.ways=4",
                                    "tlb.l2=none",
                                    more,
                                    NULL};
    char why[512] = "";
    struct emt *emt = emt_new("default", mmu, settings, why, sizeof(why));

    if (!emt)
        fail_msg("%s", why);
    return emt;
}

static int64_t figure(struct emt *emt, const char *group, const char *key) {
    char *text = emt_results_json(emt);
    json_t *document = json_loads(text, 0, NULL);
    const json_t *value = json_array_get(json_object_get(document, "results"), 0);

    value = json_object_get(json_object_get(value, group), key);
    assert_true(json_is_integer(value));
    const int64_t n = json_integer_value(value);
    json_decref(document);
    free(text);
    return n;
}

static void touch(struct emt *emt, uint64_t va, enum emt_kind kind) {
    struct emt_answer a;

    assert_int_equal(emt_access(emt, 1, 0, va, 1, kind, &a), 0);
}

#define REGION_PAGES 64u
static uint64_t region(struct emt *emt, unsigned i) {
    uint64_t va = 0x7e0000000000ull + i * 16 * MIB;

    assert_int_equal(emt_mmap(emt, 1, &va, REGION_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED),
                     0);
    for (unsigned page = 0; page < REGION_PAGES; page++)
        touch(emt, va + page * PAGE, EMT_KIND_STORE);
    return va;
}

/* n runs in turn: as many entries hold them all, and nothing walks; one entry less and LRU holds none of them. */
static void range_tlb_reach(void **state) {
    enum { RUNS_IN_TURN = 12, LAPS = 50 };

    (void)state;
    for (unsigned entries = RUNS_IN_TURN - 1; entries <= RUNS_IN_TURN; entries++) {
        char setting[64];
        uint64_t va[RUNS_IN_TURN];

        snprintf(setting, sizeof(setting), "mmu.range_tlb.entries=%u", entries);
        struct emt *emt = machine("rmm", setting);
        for (unsigned i = 0; i < RUNS_IN_TURN; i++)
            va[i] = region(emt, i);
        for (unsigned i = 0; i < RUNS_IN_TURN; i++)
            touch(emt, va[i], EMT_KIND_LOAD);
        const int64_t walks = figure(emt, "walks", "count"), hits = figure(emt, "ranges", "hits");
        for (unsigned lap = 0; lap < LAPS; lap++)
            for (unsigned i = 0; i < RUNS_IN_TURN; i++)
                touch(emt, va[i] + (lap * 7 + 1) % REGION_PAGES * PAGE, EMT_KIND_STORE);
        const bool all = entries == RUNS_IN_TURN;
        assert_int_equal(figure(emt, "walks", "count") - walks, all ? 0 : LAPS * RUNS_IN_TURN);
        assert_int_equal(figure(emt, "ranges", "hits") - hits, all ? LAPS * RUNS_IN_TURN : 0);
        assert_int_equal(figure(emt, "checker", "wrong"), 0);
        emt_free(emt);
    }
}

/* Nothing in a segment walks, and nothing in it needs a TLB entry; what is outside does. */
static void segment_never_walks(void **state) {
    struct emt *emt = machine("segment", NULL);
    uint64_t va = 0x7e0000000000ull, random = 1;
    const unsigned pages = 4096, accesses = 20000;

    (void)state;
    assert_int_equal(emt_mmap(emt, 1, &va, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
    for (unsigned page = 0; page < pages; page++)
        touch(emt, va + page * PAGE, EMT_KIND_STORE);
    const int64_t walks = figure(emt, "walks", "count"), hits = figure(emt, "ranges", "segment_hits");
    for (unsigned i = 0; i < accesses; i++)
        touch(emt, va + sim_random(&random) % (pages * PAGE), i % 3 ? EMT_KIND_LOAD : EMT_KIND_STORE);
    assert_int_equal(figure(emt, "walks", "count"), walks);
    assert_int_equal(figure(emt, "ranges", "segment_hits") - hits, accesses);
    const uint64_t other = region(emt, 100);
    const int64_t before = figure(emt, "walks", "count");
    for (unsigned i = 0; i < 3 * REGION_PAGES; i++)
        touch(emt, other + i % REGION_PAGES * PAGE, EMT_KIND_LOAD);
    assert_int_equal(figure(emt, "walks", "count") - before, 3 * REGION_PAGES);
    /* A hole in the middle: the larger side stays. */
    assert_int_equal(emt_munmap(emt, 1, va + pages / 4 * PAGE, PAGE), 0);
    const int64_t now = figure(emt, "walks", "count");
    for (unsigned i = 0; i < 100; i++)
        touch(emt, va + (pages / 4 + 1 + i) * PAGE, EMT_KIND_LOAD);
    assert_int_equal(figure(emt, "walks", "count"), now);
    touch(emt, va, EMT_KIND_LOAD);
    assert_int_equal(figure(emt, "walks", "count"), now + 1);
    assert_int_equal(figure(emt, "checker", "wrong"), 0);
    emt_free(emt);
}

/* Memory that is allocated and mapped when it is asked for: nothing but the first access to a range walks. */
static void eager_paging(void **state) {
    const unsigned pages = 8192, accesses = 5000;

    (void)state;
    static const char *const mmu[] = {"segment", "rmm", "anchor"};

    for (unsigned k = 0; k < 3; k++) {
        struct emt *emt = machine(mmu[k], "os.placement=eager");
        uint64_t va = 0x7e0000000000ull, random = 2;

        assert_int_equal(emt_mmap(emt, 1, &va, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
        for (unsigned i = 0; i < accesses; i++)
            touch(emt, va + sim_random(&random) % (pages * PAGE), i % 3 ? EMT_KIND_LOAD : EMT_KIND_STORE);
        assert_true(figure(emt, "walks", "count") <= k); /* one range; two anchors of 4096 pages, or one of 8192 */
        if (k)
            assert_true(figure(emt, "ranges", "hits") > accesses / 2 && figure(emt, "ranges", "fills") <= k);
        else
            assert_int_equal(figure(emt, "ranges", "segment_hits"), accesses);
        assert_int_equal(figure(emt, "checker", "wrong"), 0);
        emt_free(emt);
    }
}

/* What a page that comes costs the OS: table reads and writes beyond radix4's, by one run of many pages. */
static void price_of_ranges(void **state) {
    enum { PAGES = 4000 };
    uint64_t reads[2], writes[2];

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct sim s;
        struct emt_tdb tdb;

        sim_open(&s, emt_arch_find(k ? "rmm" : "radix4"), false);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
        reads[k] = s.host.table_reads;
        writes[k] = s.host.table_writes;
        for (unsigned i = 0; i < PAGES; i++)
            map(&s, &tdb, RUN_VA(0) + i * PAGE, RUN_PFN(0) + i);
        reads[k] = s.host.table_reads - reads[k];
        writes[k] = s.host.table_writes - writes[k];
        emt_tdb_destroy(&tdb);
        sim_close(&s);
    }
    print_message("4 KiB pages in a run, table reads and writes a page: radix4 %.3f %.3f, rmm %.3f %.3f\n",
                  (double)reads[0] / PAGES, (double)writes[0] / PAGES, (double)reads[1] / PAGES,
                  (double)writes[1] / PAGES);
    /* One write: the end of the range. One read: is the next page there? Few more for the first 8. */
    assert_in_range(writes[1] - writes[0], PAGES - 8, PAGES + 40);
    assert_in_range(reads[1] - reads[0], PAGES - 8, PAGES + 120);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_ranges),         cmocka_unit_test(any_order),
        cmocka_unit_test(reads_of_a_search),   cmocka_unit_test(range_tlb_reach),
        cmocka_unit_test(segment_never_walks), cmocka_unit_test(price_of_ranges),
        cmocka_unit_test(eager_paging),        cmocka_unit_test(anchor_distance),
    };

    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
