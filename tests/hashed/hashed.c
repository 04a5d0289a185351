/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Clustered hashed tables: references in closed form, probes against the theory of linear probing, growth with and
 * without memory; after every single write to tables, a walk for pages that nobody touches.
 */
#include <math.h>

#include "support/watch.h"
#include "mmu/hashed/table.h"

#define VA 0x5c8315c00000ull

static struct world world;

static uint64_t buckets(const struct world *w) {
    return hashed_buckets(w->tdb.word[0]);
}

/* One reference for a page whose cluster is at home; all page sizes are asked at once. */
static void references(void **state) {
    struct world *w = &world;

    (void)state;
    begin(w, "hashed");
    assert_int_equal(emt_tdb_table_bytes(&w->tdb), 0);
    map(w, VA, 1, K4);
    assert_int_equal(refs(w, VA), 1);
    assert_int_equal(emt_tdb_table_bytes(&w->tdb), K4);
    for (unsigned i = 1; i < 8; i++) /* the cluster has one bucket */
        map(w, VA + i * K4, 1 + i, K4);
    assert_int_equal(hashed_state_of(&w->tdb)->size[0].used, 1);
    map(w, VA + M2, 512, M2);
    assert_int_equal(refs(w, VA), 2);
    assert_int_equal(refs(w, VA + M2), 2);
    assert_int_equal(emt_tdb_table_bytes(&w->tdb), 2 * K4);
    unmap(w, VA, 4 * M2);
    assert_int_equal(emt_tdb_table_bytes(&w->tdb), 0);
    end(w);
}

static uint64_t random_cluster(uint64_t *random) {
    return sim_random(random) >> 22 & ~(8 * K4 - 1);
}

/* Knuth, vol. 3, 6.4: a search that succeeds takes (1 + 1 / (1 - load)) / 2 probes in the mean. */
static void probes(void **state) {
    static const double loads[] = {0.35, 0.45, 0.55};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = &world;
        uint64_t random = 7, fetches = 0, n = 0;
        begin(w, "hashed");
        for (; buckets(w) < 1 << 16 || (double)n < loads[i] * (double)buckets(w); n++)
            map(w, random_cluster(&random), 1, K4);
        random = 7;
        for (uint64_t k = 0; k < n; k++)
            fetches += refs(w, random_cluster(&random));
        const double load = (double)n / (double)buckets(w), theory = (1 + 1 / (1 - load)) / 2;
        print_message("load %.3f: %.3f probes, theory %.3f\n", load, (double)fetches / (double)n, theory);
        assert_true(fabs((double)fetches / (double)n / theory - 1) < 0.02);
        end(w);
    }
}

/* No larger piece of memory: the table fills up, then says so; nothing is lost, and what goes makes room. */
static void full(void **state) {
    struct world *w = &world;
    struct emt_tobj o;
    unsigned n = 0;

    (void)state;
    begin(w, "hashed");
    w->fragmented = true;
    for (;; n++) {
        assert_int_equal(emt_tobj_init(&w->sim.svc, &o, VA + n * 8 * K4, n, K4, PROT), 0);
        if (emt_tdb_update(&w->tdb, &o))
            break;
    }
    assert_int_equal(n, 63); /* of 64 buckets one is empty: there each search ends */
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(walk(w, VA + i * 8 * K4, EMT_LOAD, true).pa, i * K4);
    assert_true(walk(w, VA + n * 8 * K4, EMT_LOAD, true).fault);
    assert_int_equal(emt_tdb_remove(&w->tdb, VA, &o), 0);
    map(w, VA + n * 8 * K4, n, K4);
    w->fragmented = false;
    map(w, VA, 0, K4);
    assert_true(buckets(w) > 64);
    for (unsigned i = 0; i <= n; i++)
        assert_int_equal(walk(w, VA + i * 8 * K4, EMT_LOAD, true).pa, i * K4);
    end(w);
}

/* A walker sets D in the old array after its bucket was copied: the bit must arrive in the new one. */
static uint64_t set_dirty_late(void *hw, uint64_t pa, bool write) {
    struct world *w = hw;

    if (write && w->nlive && pa >= w->live[0].va) { /* the new array is being written */
        *emt_host_word(&w->sim.host, w->live[0].pa) |= RADIX_MASK(A) | RADIX_MASK(D);
        w->looks++;
    }
    return 0;
}

static void late_dirty(void **state) {
    struct world *w = &world;
    struct emt_tobj o;

    (void)state;
    begin(w, "hashed");
    for (unsigned i = 0; i < 38; i++)
        map(w, VA + i * 8 * K4, i, K4);
    const uint64_t bucket = hashed_lookup(&w->tdb, 0, hashed_tag(0, VA));
    w->live[0] = (struct live){w->sim.next, bucket}; /* the next array has memory that was never used */
    w->nlive = 1;
    w->sim.host.table_access = set_dirty_late;
    map(w, VA + 38 * 8 * K4, 38, K4);
    w->sim.host.table_access = NULL;
    assert_true(buckets(w) == 128 && w->looks > 0);
    assert_int_equal(emt_tdb_find(&w->tdb, VA, &o), 0);
    assert_int_equal(emt_tobj_get(&w->sim.svc, &o, EMT_ATTR_DIRTY), 1);
    end(w);
}

/* To unmap a large range with little in it costs what is in the table, not what is in the range. */
static void sparse_range(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations; the reduced build is about radix */
#endif
    struct world *w = &world;

    (void)state;
    begin(w, "hashed");
    for (unsigned i = 0; i < 20; i++)
        map(w, i * 3 * G1, i, K4);
    const uint64_t before = w->sim.host.table_reads;
    unmap(w, 0, 64 * G1);
    assert_true(w->sim.host.table_reads - before < 20000); /* 64 GiB are two million clusters */
    assert_int_equal(emt_tdb_table_bytes(&w->tdb), 0);
    end(w);
}

static void neighbours(void **state) {
    struct world *w = &world;
    struct emt_gather g;
    struct emt_tobj o;
    uint64_t random = 3;

    (void)state;
    begin(w, "hashed");
    for (unsigned k = 0; k < 16; k++) {
        map(w, VA + G1 + k * 8 * K4, 100 + k, K4);
        keep(w, VA + G1 + k * 8 * K4, (100 + k) * K4);
    }
    map(w, VA + 3 * G1, 512, M2);
    keep(w, VA + 3 * G1 + 77, M2 + 77);
    w->looking = true;
    emt_gather_init(&g);
    for (unsigned round = 0; round < 3; round++) {
        map(w, VA, 9 << 9, M2);
        assert_int_equal(emt_huge_split(&w->tdb, VA, K4, &g), 0);
        assert_int_equal(emt_range_protect(&w->tdb, VA, M2, EMT_PROT_USER, &g), 0);
        assert_int_equal(emt_range_move(&w->tdb, VA, VA + 5 * M2, M2, &g), 0);
        assert_int_equal(emt_tobj_init(&w->sim.svc, &o, VA + 5 * M2, 9 << 9, M2, PROT), 0);
        assert_int_equal(emt_huge_collapse(&w->tdb, &o, &g), 0);
        for (unsigned i = 0; i < 300; i++) /* grows */
            map(w, (sim_random(&random) & 0xffff) << 15, i, K4);
        emt_gather_flush(&w->tdb, &g);
        unmap(w, 0, 4 * G1); /* and shrinks */
        unmap(w, VA + 5 * M2, M2);
    }
    assert_true(w->looks > 2000);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references), cmocka_unit_test(probes),       cmocka_unit_test(full),
        cmocka_unit_test(late_dirty), cmocka_unit_test(sparse_range), cmocka_unit_test(neighbours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
