/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A walker sets A and D between the driver's read of a leaf and its store: no operation may lose them. */
#include "support/sim.h"

#define VA 0x40000000ull
#define AD 0x60ull

/* Plays the walker: sets A and D in the first present leaf that the driver is about to write. */
struct walker {
    struct emt_host *host;
    bool armed;
};

static uint64_t before_access(void *hw, uint64_t pa, bool write) {
    struct walker *w = hw;
    uint64_t *word = emt_host_word(w->host, pa);

    if (write && w->armed && (*word & 1)) {
        *word |= AD;
        w->armed = false;
    }
    return 0;
}

static void remember(void *ctx, const struct emt_tobj *old) {
    *(struct emt_tobj *)ctx = *old;
}

static void remember_aged(void *ctx, const struct emt_tobj *old, unsigned ad) {
    (void)ad;
    remember(ctx, old);
}

static int protect(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    emt_tobj_set(ctx, src, EMT_ATTR_WRITE, 0);
    *dst = *src;
    return 1;
}

static unsigned ad_of(const struct emt_tsvc *svc, const struct emt_tobj *o) {
    return (emt_tobj_get(svc, o, EMT_ATTR_ACCESSED) ? EMT_AGE_ACCESSED : 0) |
           (emt_tobj_get(svc, o, EMT_ATTR_DIRTY) ? EMT_AGE_DIRTY : 0);
}

enum operation { PROTECT, COPY, SPLIT, UNMAP, REMOVE, TEST_CLEAR, AGE, OPERATIONS };

static void run(enum operation op, uint64_t bytes, bool basic_only) {
    const unsigned both = EMT_AGE_ACCESSED | EMT_AGE_DIRTY;
    struct emt_tdb tdb, other;
    struct emt_tobj o;
    struct emt_gather g;
    struct sim s;

    sim_open(&s, emt_arch_find("radix4"), basic_only);
    struct walker w = {.host = &s.host};
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    assert_int_equal(emt_tdb_create(&other, &s.svc, 2), 0);
    /* A is there already: an operation that looks for A alone has something to write. */
    assert_int_equal(emt_tobj_init(&s.svc, &o, VA, 512, bytes, EMT_PROT_WRITE), 0);
    assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_ACCESSED, 1), 0);
    assert_int_equal(emt_tdb_update(&tdb, &o), 0);
    emt_gather_init(&g);
    s.host.table_access = before_access;
    s.host.hw = &w;
    w.armed = true;

    bool stays = op <= SPLIT;
    if (op == PROTECT)
        assert_int_equal(emt_range_protect(&tdb, VA, bytes, 0, &g), 0);
    else if (op == COPY)
        assert_int_equal(emt_range_copy(&other, &tdb, VA, bytes, protect, &s.svc, &g), 0);
    else if (op == SPLIT)
        assert_int_equal(emt_huge_split(&tdb, VA, bytes >> 9, &g), 0);
    else if (op == UNMAP)
        assert_int_equal(emt_range_unmap(&tdb, VA, bytes, remember, &o, &g), 0);
    else if (op == REMOVE)
        assert_int_equal(emt_tdb_remove(&tdb, VA, &o), 0);
    else if (op == TEST_CLEAR)
        assert_int_equal(emt_tdb_test_clear(&tdb, VA, both), both);
    else
        assert_int_equal(emt_range_age(&tdb, VA, bytes, EMT_AGE_ACCESSED, remember_aged, &o, &g), 0);
    assert_false(w.armed);
    s.host.table_access = NULL;
    if (stays)
        assert_int_equal(emt_tdb_find(&tdb, VA + bytes - 1, &o), 0);
    if (stays || op == UNMAP || op == REMOVE)
        assert_int_equal(ad_of(&s.svc, &o), both);
    if (op == AGE) { /* asked for A only: D has to stay */
        assert_int_equal(emt_tdb_find(&tdb, VA, &o), 0);
        assert_int_equal(ad_of(&s.svc, &o), EMT_AGE_DIRTY);
    }
    emt_gather_flush(&tdb, &g);
    emt_tdb_destroy(&tdb);
    emt_tdb_destroy(&other);
    sim_close(&s);
}

static void all(bool basic_only) {
    for (unsigned op = 0; op < OPERATIONS; op++) {
        if (op != SPLIT)
            run(op, 4096, basic_only);
        run(op, 2ull << 20, basic_only);
    }
}

static void races(void **state) {
    (void)state;
    all(false);
}

/* The architecture-neutral defaults, too. */
static void defaults(void **state) {
    (void)state;
    all(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(races), cmocka_unit_test(defaults)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
