/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The inverted table: chains against theory for each ratio of anchors to frames, aliases, what a process costs that
 * ends; after every single write to tables, a walk for pages that nobody touches.
 */
#include <math.h>

#include "support/watch.h"
#include "mmu/inverted/table.h"

#define VA 0x5c8315c00000ull

static struct world world;

static struct inverted *table(const struct world *w) {
    return w->sim.svc.priv;
}

/*
 * n objects on A anchors: an object has (n - 1) / A others in its chain, half of them before it in the mean; so a
 * search takes the anchor and 1 + (n - 1) / 2A entries. The sum over random chains varies by less than the bound
 * here.
 */
static void chains(void **state) {
    static const struct {
        const char *arch;
        double anchors_per_frame;
    } variants[] = {{"inverted", 1}, {"inverted:hat2x", 2}, {"inverted:hat-half", 0.5}};
    const unsigned n = 400000, walks = 50000;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = &world;
        const double anchors = variants[i].anchors_per_frame * (double)(SIM_PHYS_BYTES >> 12);
        uint64_t random = 5, fetches = 0;
        begin(w, variants[i].arch);
        for (unsigned k = 0; k < n; k++)
            map(w, VA + k * K4, k + 1000, K4);
        for (unsigned k = 0; k < walks; k++)
            fetches += refs(w, VA + sim_random(&random) % n * K4) - 1;
        const double theory = 1 + (n - 1) / (2 * anchors), is = (double)fetches / walks;
        print_message("%s: %.3f objects an anchor: %.3f entries a search, theory %.3f\n", variants[i].arch,
                      n / anchors, is, theory);
        assert_true(fabs(is / theory - 1) < 0.01);
        assert_int_equal(table(w)->aliases, 0);
        end(w);
    }
}

static void references(void **state) {
    struct world *w = &world;

    (void)state;
    begin(w, "inverted");
    map(w, VA, 5, K4);
    assert_int_equal(refs(w, VA), 2); /* the anchor, the entry */
    map(w, VA + M2, 512, M2);
    assert_true(refs(w, VA) <= 4); /* two chains, side by side */
    assert_true(refs(w, VA + M2) <= 4);
    end(w);
}

/* One frame, many mappings: in two databases, at three addresses, and behind a huge page. */
static void aliases(void **state) {
    struct world *w = &world;
    struct emt_tdb other;
    struct emt_tobj o;

    (void)state;
    begin(w, "inverted");
    assert_int_equal(emt_tdb_create(&other, &w->sim.svc, 2), 0);
    const uint64_t empty = w->sim.host.table_bytes;
    for (unsigned i = 0; i < 3; i++)
        map(w, VA + i * 77 * K4, 512, K4);
    map(w, VA + G1, 512, M2);
    assert_int_equal(emt_tobj_init(&w->sim.svc, &o, VA, 512, K4, PROT), 0);
    assert_int_equal(emt_tdb_update(&other, &o), 0);
    assert_int_equal(table(w)->aliases, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(walk(w, VA + i * 77 * K4, EMT_LOAD, true).pa, M2);
    assert_int_equal(walk(w, VA + G1 + 1234, EMT_LOAD, true).pa, M2);
    /* D belongs to a mapping, not to the frame. */
    walk(w, VA + 77 * K4, EMT_STORE, false);
    assert_int_equal(emt_tdb_find(&w->tdb, VA, &o), 0);
    assert_int_equal(emt_tobj_get(&w->sim.svc, &o, EMT_ATTR_DIRTY), 0);
    assert_int_equal(emt_tdb_find(&w->tdb, VA + 77 * K4, &o), 0);
    assert_int_equal(emt_tobj_get(&w->sim.svc, &o, EMT_ATTR_DIRTY), 1);
    /* The first goes, who has the frame's own entry; the others stay. */
    assert_int_equal(emt_tdb_remove(&w->tdb, VA, &o), 0);
    assert_true(walk(w, VA, EMT_LOAD, true).fault);
    assert_int_equal(walk(w, VA + 77 * K4, EMT_LOAD, true).pa, M2);
    /* A swap entry, and a frame that is no memory, have aliases too. */
    assert_int_equal(emt_tobj_init_swap(&w->sim.svc, &o, VA, K4, 1234), 0);
    assert_int_equal(emt_tdb_update(&w->tdb, &o), 0);
    map(w, VA + 3 * G1, 1ull << 36, K4);
    assert_int_equal(walk(w, VA + 3 * G1, EMT_LOAD, true).pa, 1ull << 48);
    emt_tdb_destroy(&other);
    unmap(w, VA, 4 * G1);
    emt_host_release_freed(&w->sim.host);
    assert_int_equal(table(w)->aliases, 0);
    assert_int_equal(w->sim.host.table_bytes, empty);
    end(w);
}

/* A process that ends reads its own entries and their chains, not the machine's. */
static void exit_is_local(void **state) {
    struct world *w = &world;
    struct emt_tdb other;
    struct emt_tobj o;

    (void)state;
    begin(w, "inverted");
    assert_int_equal(emt_tdb_create(&other, &w->sim.svc, 2), 0);
    for (unsigned i = 0; i < 100000; i++)
        map(w, VA + i * K4, 1000 + i, K4);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(emt_tobj_init(&w->sim.svc, &o, i * G1, 200000 + i, K4, PROT), 0);
        assert_int_equal(emt_tdb_update(&other, &o), 0);
    }
    const uint64_t before = w->sim.host.table_reads;
    emt_tdb_destroy(&other);
    assert_true(w->sim.host.table_reads - before < 10 * 20);
    end(w);
}

static void neighbours(void **state) {
    struct world *w = &world;
    struct emt_gather g;
    struct emt_tobj o;

    (void)state;
    begin(w, "inverted:hat-half");
    for (unsigned k = 0; k < 32; k++) {
        map(w, VA + G1 + k * K4, 100 + k % 20, K4); /* some are aliases */
        keep(w, VA + G1 + k * K4, (100 + k % 20) * K4);
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
        assert_int_equal(emt_tobj_init(&w->sim.svc, &o, VA + 5 * M2, 11 << 9, M2, PROT), 0);
        assert_int_equal(emt_huge_collapse(&w->tdb, &o, &g), 0);
        emt_gather_flush(&w->tdb, &g);
        unmap(w, VA + 5 * M2, M2);
    }
    assert_true(w->looks > 2000);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),    cmocka_unit_test(chains),     cmocka_unit_test(aliases),
        cmocka_unit_test(exit_is_local), cmocka_unit_test(neighbours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
