/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What each kind of walk reads: closed forms with and without cuckoo walk caches. */
#include "support/sim.h"

#include "mmu/ecpt/format.h"

#define VA (0x5c8300000000ull)

struct world {
    struct sim s;
    struct emt_tdb tdb;
};

static void begin(struct world *w, const char *arch) {
    sim_open(&w->s, emt_arch_find(arch), false);
    assert_int_equal(emt_tdb_create(&w->tdb, &w->s.svc, 1), 0);
}

static void end(struct world *w) {
    emt_tdb_destroy(&w->tdb);
    sim_close(&w->s);
}

static void map(struct world *w, uint64_t va, uint64_t bytes) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&w->s.svc, &o, va, 1 << 18, bytes, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(&w->tdb, &o), 0);
}

/* Reads of a walk, those in the background apart. */
struct reads {
    unsigned waited, background;
};

static struct reads walk(struct world *w, uint64_t va, bool found) {
    const struct emt_access a = {.va = va, .user = true, .write_protect = true, .nx = true};
    struct emt_walk out;
    struct reads r = {0, 0};

    w->s.port.fetches = 0;
    assert_int_equal(sim_walk(&w->s, &w->tdb, &a, &out), 0);
    assert_int_equal(out.fault, !found);
    for (unsigned i = 0; i < w->s.port.fetches && i < SIM_LOG; i++)
        if (w->s.port.log[i].background)
            r.background++;
    r.waited = w->s.port.fetches - r.background;
    return r;
}

/* Without caches: the ways of every size that the process uses, in one group. */
static void complete(const char *arch, unsigned ways) {
    struct world w;

    begin(&w, arch);
    assert_int_equal(walk(&w, VA, false).waited, 0); /* nothing is mapped, nothing is read */
    map(&w, VA, 1 << 12);
    assert_int_equal(walk(&w, VA, true).waited, ways);
    assert_int_equal(walk(&w, VA + 4096, false).waited, 2 * ways); /* a fault: looked for twice */
    map(&w, VA + (1 << 21), 1 << 21);
    assert_int_equal(walk(&w, VA, true).waited, 2 * ways);
    assert_int_equal(walk(&w, VA + (1 << 21), true).waited, 2 * ways);
    map(&w, VA + (1ull << 30), 1 << 30);
    assert_int_equal(walk(&w, VA + (1ull << 30), true).waited, 3 * ways);
    assert_int_equal(walk(&w, VA, true).waited, 3 * ways);
    end(&w);
    /* Huge pages alone */
    begin(&w, arch);
    map(&w, VA, 1 << 21);
    assert_int_equal(walk(&w, VA, true).waited, ways);
    end(&w);
}

static void complete_walks(void **state) {
    (void)state;
    complete("ecpt", 3);
    complete("ecpt:2way", 2);
    complete("ecpt:murmur", 3);
}

/* With caches that know the section. Background reads: the ways of one walk table, or of both. */
static void guided_walks(void **state) {
    struct world w;
    struct reads r;

    (void)state;
    begin(&w, "ecpt");
    map(&w, VA, 1 << 12);
    map(&w, VA + (16 << 20), 1 << 21);
    map(&w, VA + (32 << 20), 1 << 12);
    map(&w, VA + (34 << 20), 1 << 21);
    sim_port_reset(&w.s, true);
    r = walk(&w, VA, true); /* both caches miss: complete, and both lines fetched */
    assert_int_equal(r.waited, 6);
    assert_int_equal(r.background, 2 * ECPT_CWT_WAYS);
    r = walk(&w, VA, true); /* size walk */
    assert_int_equal(r.waited, 3);
    assert_int_equal(r.background, 0);
    assert_int_equal(walk(&w, VA + (16 << 20), true).waited, 1); /* direct walk */
    assert_int_equal(walk(&w, VA + (32 << 20), true).waited, 4); /* partial walk: direct and size */
    assert_int_equal(walk(&w, VA + (34 << 20), true).waited, 4);

    /* Another 1 GiB: the PUD-CWC knows its 8 GiB, as having both sizes; the PMD-CWT's line comes afterwards. */
    map(&w, VA + (1ull << 30), 1 << 21);
    r = walk(&w, VA + (1ull << 30), true);
    assert_int_equal(r.waited, 6);
    assert_int_equal(r.background, ECPT_CWT_WAYS);
    r = walk(&w, VA + (1ull << 30), true);
    assert_int_equal(r.waited, 1);
    assert_int_equal(r.background, 0);
    end(&w);
}

/* 8 GiB of 4 KiB pages alone: the PUD-CWC is enough, nothing else is fetched. */
static void pud_cwc_alone(void **state) {
    struct world w;
    struct reads r;

    (void)state;
    begin(&w, "ecpt");
    map(&w, VA, 1 << 12);
    map(&w, VA + (3ull << 30), 1 << 12);
    sim_port_reset(&w.s, true);
    walk(&w, VA, true);
    r = walk(&w, VA + (3ull << 30), true);
    assert_int_equal(r.waited, 3);
    assert_int_equal(r.background, 0);
    end(&w);
}

/* A hint is out of date: everything else is probed before a fault, and the lines are fetched anew. */
static void stale_hints(void **state) {
    struct world w;
    struct reads r;

    (void)state;
    begin(&w, "ecpt");
    map(&w, VA, 1 << 21);
    sim_port_reset(&w.s, true);
    walk(&w, VA, true);
    map(&w, VA + (64 << 20), 1 << 12);
    r = walk(&w, VA + (64 << 20), true); /* the section was void when its header was cached */
    assert_int_equal(r.waited, 6);
    assert_int_equal(r.background, 2 * ECPT_CWT_WAYS);
    assert_int_equal(walk(&w, VA + (64 << 20), true).waited, 3);
    /* The way in the header is wrong: the lines in its place, then the rest. */
    map(&w, VA + (80 << 20), 1 << 21);
    walk(&w, VA + (80 << 20), true);
    assert_int_equal(walk(&w, VA + (80 << 20), true).waited, 1);
    for (unsigned i = 0; i < 200; i++) /* grows, and moves lines */
        map(&w, VA + (1ull << 36) + ((uint64_t)i << 24), 1 << 21);
    r = walk(&w, VA + (80 << 20), true);
    assert_true(r.waited == 1 || (r.waited <= 6 && r.background == 2 * ECPT_CWT_WAYS));
    assert_int_equal(walk(&w, VA + (80 << 20), true).waited, 1);
    end(&w);
}

/* "Is this 2 MiB range void?": one line of the PMD table answers, whatever is around. */
static void void_is_cheap(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations */
#endif
    struct world w;

    (void)state;
    begin(&w, "ecpt");
    for (unsigned i = 0; i < 512; i++)
        map(&w, VA + (2 << 20) + 4096 * i, 1 << 12);
    uint64_t reads = w.s.host.table_reads;
    assert_false(emt_range_void(&w.tdb, VA + (2 << 20), 1 << 21));
    assert_true(emt_range_void(&w.tdb, VA, 1 << 21));
    assert_true(emt_range_void(&w.tdb, VA + (4 << 20), 1 << 21));
    print_message("three questions, %llu reads\n", (unsigned long long)(w.s.host.table_reads - reads));
    assert_true(w.s.host.table_reads - reads <= 3 * (2 * 2 + 8 + 1)); /* two other lines, this one, the entry */
    reads = w.s.host.table_reads;
    assert_true(emt_range_void(&w.tdb, VA + (64 << 20), 1 << 21)); /* no line there: three words 7 and a little */
    assert_true(w.s.host.table_reads - reads <= 6);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_walks), cmocka_unit_test(guided_walks),  cmocka_unit_test(pud_cwc_alone),
        cmocka_unit_test(stale_hints),    cmocka_unit_test(void_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
