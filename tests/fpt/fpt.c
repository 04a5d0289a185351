/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Flattened page tables: cold references in closed form, table bytes, the fallback where no 2 MiB are free and the
 * way back from it, copies of large pages and their A and D bits; and after every single write that the driver
 * makes to tables, a walk for pages that nobody touches.
 */
#include "support/watch.h"
#include "mmu/fpt/format.h"
#include "mmu/tree/tree.h"

#define VA 0x5c8315c00000ull

static const struct tree_stats *stats(const struct world *w) {
    return w->sim.svc.priv;
}

/* ---- closed forms ---- */

static const struct {
    const char *arch;
    unsigned refs[3];  /* of a page of 4 KiB, 2 MiB and 1 GiB, each alone in its region */
    unsigned plain[3]; /* the same where no 2 MiB of memory are free */
    uint64_t kib;      /* tables of one 4 KiB page */
} forms[] = {
    {"radix4", {4, 3, 2}, {4, 3, 2}, 16},
    {"fpt:l4l3-l2l1", {2, 2, 1}, {4, 3, 2}, 2048 + 2048},
    {"fpt:l3l2", {3, 2, 2}, {4, 3, 2}, 4 + 2048 + 4},
    {"fpt:l4l3", {3, 2, 1}, {4, 3, 2}, 2048 + 4 + 4},
    {"fpt5:l5l4-l3l2", {3, 2, 2}, {5, 4, 3}, 2048 + 2048 + 4},
    {"fpt5:l4l3-l2l1", {3, 3, 2}, {5, 4, 3}, 4 + 2048 + 2048},
};

static void cold_references(void **state) {
    static const uint64_t size[3] = {K4, M2, G1};

    (void)state;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        for (unsigned fragmented = 0; fragmented < 2; fragmented++)
            for (unsigned k = 0; k < 3; k++) {
                struct world w;
                begin(&w, forms[i].arch);
                if (fragmented) {
                    emt_tdb_destroy(&w.tdb);
                    w.fragmented = true;
                    assert_int_equal(emt_tdb_create(&w.tdb, &w.sim.svc, 1), 0);
                }
                map(&w, VA & ~(size[k] - 1), 1 << 18, size[k]);
                assert_int_equal(refs(&w, VA), fragmented ? forms[i].plain[k] : forms[i].refs[k]);
                if (!fragmented && k == 0)
                    assert_int_equal(emt_tdb_table_bytes(&w.tdb), forms[i].kib << 10);
                end(&w);
            }
}

/* 8 GiB of 4 KiB pages: the paper's example has 4106 tables of 4 KiB, or 9 nodes of 2 MiB. */
static void bytes_for_8_gib(void **state) {
    static const struct {
        const char *arch;
        uint64_t bytes;
    } want[] = {{"radix4", (4096 + 8 + 1 + 1) * K4}, {"fpt:l4l3-l2l1", 9 * M2}};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        begin(&w, want[i].arch);
        for (uint64_t va = 0; va < 8 * G1; va += M2)
            map(&w, va, va >> 12, K4); /* one page in each table says as much as all 512 */
        assert_int_equal(emt_tdb_table_bytes(&w.tdb), want[i].bytes);
        unmap(&w, 0, 8 * G1);
        assert_int_equal(emt_tdb_table_bytes(&w.tdb), i ? M2 : K4);
        end(&w);
    }
}

/* The walker reads nodes of three levels too, although no driver makes them. */
static void three_levels_in_a_node(void **state) {
    struct world w;
    struct emt_root root;
    struct emt_walk out;
    const struct emt_access a = {.va = VA, .user = true};

    (void)state;
    begin(&w, "fpt:l3l2");
    emt_tdb_root(&w.tdb, &root);
    const uint64_t giant = 2 * G1; /* of the simulated memory, which nothing else uses */
    *emt_host_word(&w.sim.host, (root.word[0] & ~0xfffull) + 8 * (VA >> 39)) = giant | 7 | 2ull << TREE_FOLD_FIRST;
    *emt_host_word(&w.sim.host, giant + 8 * (VA >> 12 & ((1 << 27) - 1))) = 0x12345007;
    assert_int_equal(w.sim.svc.arch->walker->walk(w.sim.svc.arch, &root, &a, &w.sim.port.port, &out), 0);
    assert_false(out.fault);
    assert_int_equal(out.pa, 0x12345000);
    assert_int_equal(w.sim.port.fetches, 2);
    /* A fold that leads below the last level is a reserved bit. */
    *emt_host_word(&w.sim.host, (root.word[0] & ~0xfffull) + 8 * (VA >> 39)) = giant | 7 | 3ull << TREE_FOLD_FIRST;
    assert_int_equal(w.sim.svc.arch->walker->walk(w.sim.svc.arch, &root, &a, &w.sim.port.port, &out), 0);
    assert_true(out.fault && out.code == (EMT_PF_PRESENT | EMT_PF_USER | EMT_PF_RSVD));
    *emt_host_word(&w.sim.host, (root.word[0] & ~0xfffull) + 8 * (VA >> 39)) = 0;
    end(&w);
}

/* ---- large pages among small ones ---- */

static void copies(void **state) {
    struct world w;
    struct emt_tobj o;

    (void)state;
    begin(&w, "fpt:l4l3-l2l1");
    map(&w, VA + 8 * M2, 77, K4); /* first: this GiB is flattened */
    map(&w, VA, 512, M2);
    assert_int_equal(refs(&w, VA + 300 * K4), 2);
    assert_int_equal(emt_tdb_find(&w.tdb, VA + 5 * K4, &o), 0);
    assert_int_equal(o.bytes, M2);
    assert_int_equal(emt_tdb_test_clear(&w.tdb, VA, EMT_AGE_ACCESSED), EMT_AGE_ACCESSED);
    /* A store far from the first copy makes the object dirty, and only once. */
    struct emt_walk out = walk(&w, VA + 300 * K4, EMT_STORE, false);
    assert_true(!out.fault && out.dirty && out.bytes == M2 && out.pa == M2);
    assert_true(walk(&w, VA, EMT_LOAD, true).dirty);
    assert_int_equal(emt_tdb_find(&w.tdb, VA, &o), 0);
    assert_int_equal(emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY), 1);
    const uint64_t reads = w.sim.host.table_reads;
    assert_int_equal(emt_tdb_test_clear(&w.tdb, VA, EMT_AGE_ACCESSED | EMT_AGE_DIRTY),
                     EMT_AGE_ACCESSED | EMT_AGE_DIRTY);
    assert_true(w.sim.host.table_reads - reads >= 512);
    assert_int_equal(emt_tdb_test_clear(&w.tdb, VA, EMT_AGE_ACCESSED | EMT_AGE_DIRTY), 0);
    assert_false(walk(&w, VA + 300 * K4, EMT_LOAD, true).dirty);
    /* Removal returns what any copy has. */
    walk(&w, VA + 17 * K4, EMT_STORE, false);
    assert_int_equal(emt_tdb_remove(&w.tdb, VA + M2 - 1, &o), 0);
    assert_int_equal(emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY), 1);
    assert_true(walk(&w, VA + 300 * K4, EMT_LOAD, true).fault);
    end(&w);
}

/* A GiB whose first page is large is not flattened; nor later, while it has many of them. */
static void large_pages_first(void **state) {
    struct world w;

    (void)state;
    begin(&w, "fpt:l4l3-l2l1");
    for (unsigned i = 0; i < 100; i++)
        map(&w, (VA & ~(G1 - 1)) + i * M2, (i + 1) << 9, M2);
    for (unsigned i = 0; i < 100; i++)
        map(&w, (VA & ~(G1 - 1)) + (i + 100) * M2, i + 1, K4);
    assert_int_equal(stats(&w)->refolded, 0);
    assert_int_equal(refs(&w, VA & ~(G1 - 1)), 2);              /* PML4+PDPT, PD */
    assert_int_equal(refs(&w, (VA & ~(G1 - 1)) + 150 * M2), 3); /* and a PT */
    end(&w);
}

/* ---- fallback and recovery, under the eyes of a walker ---- */

static void recover(const char *arch, unsigned before, unsigned after) {
    struct world w;
    struct emt_tobj o;

    begin(&w, arch);
    emt_tdb_destroy(&w.tdb);
    w.fragmented = true;
    const uint64_t folded = stats(&w)->folded;
    assert_int_equal(emt_tdb_create(&w.tdb, &w.sim.svc, 1), 0);
    w.looking = true;
    for (unsigned i = 0; i < 20; i++) {
        map(&w, VA + i * M2, 1000 + i, K4);
        keep(&w, VA + i * M2, (1000 + i) * K4);
    }
    map(&w, VA + 60 * M2, 60 << 9, M2);
    keep(&w, VA + 60 * M2 + 123456, (60ull << 21) + 123456);
    assert_true(stats(&w)->fallback > 0 && stats(&w)->folded == folded);
    assert_int_equal(refs(&w, VA), before);
    /* A and D from before must survive. */
    walk(&w, VA + 3 * M2, EMT_STORE, false);
    walk(&w, VA + 60 * M2 + 99999, EMT_STORE, false);
    w.fragmented = false;
    for (unsigned i = 20; i < 58; i++) {
        map(&w, VA + i * M2, 1000 + i, K4);
        keep(&w, VA + i * M2, (1000 + i) * K4);
    }
    assert_true(stats(&w)->refolded > 0);
    assert_true(w.looks > 100);
    assert_int_equal(refs(&w, VA), after);
    w.looking = false;
    assert_int_equal(emt_tdb_find(&w.tdb, VA + 3 * M2, &o), 0);
    assert_int_equal(emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY), 1);
    assert_int_equal(emt_tdb_find(&w.tdb, VA + 4 * M2, &o), 0);
    assert_int_equal(emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY), 0);
    assert_int_equal(emt_tdb_find(&w.tdb, VA + 60 * M2, &o), 0);
    assert_true(o.bytes == M2 && emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY));
    /* What is live of tables is what the objects need: nothing of the old nodes is left. */
    emt_host_release_freed(&w.sim.host);
    assert_int_equal(w.sim.live * K4, emt_tdb_table_bytes(&w.tdb));
    end(&w);
}

static void recovery(void **state) {
    (void)state;
    recover("fpt:l4l3-l2l1", 4, 3); /* the lower fold first; the root at the next chance */
    recover("fpt:l3l2", 4, 3);
    recover("fpt5:l4l3-l2l1", 5, 4);
}

/* A walker sets D in an old node after that was copied, just before the link is changed: the bit must arrive. */
static uint64_t set_dirty_late(void *hw, uint64_t pa, bool write) {
    struct world *w = hw;

    if (write && pa == w->live[0].va)
        *emt_host_word(&w->sim.host, w->live[0].pa) |= RADIX_MASK(A) | RADIX_MASK(D);
    return 0;
}

static void late_dirty(void **state) {
    struct world w;
    struct emt_tobj o;

    (void)state;
    begin(&w, "fpt:l4l3-l2l1");
    w.fragmented = true;
    for (unsigned i = 0; i < 10; i++)
        map(&w, VA + i * M2, 1000 + i, K4);
    sim_port_reset(&w.sim, false);
    walk(&w, VA, EMT_LOAD, true);
    assert_int_equal(w.sim.port.fetches, 3);                               /* PML4+PDPT, PD, PT */
    w.live[0] = (struct live){w.sim.port.log[0].pa, w.sim.port.log[2].pa}; /* the link, and the leaf in the PT */
    w.sim.host.table_access = set_dirty_late;
    w.fragmented = false;
    for (unsigned i = 10; i < 40; i++)
        map(&w, VA + i * M2, 1000 + i, K4);
    assert_int_equal(stats(&w)->refolded, 1);
    w.sim.host.table_access = NULL;
    assert_int_equal(refs(&w, VA), 2);
    assert_int_equal(emt_tdb_find(&w.tdb, VA, &o), 0);
    assert_int_equal(emt_tobj_get(&w.sim.svc, &o, EMT_ATTR_DIRTY), 1);
    end(&w);
}

/* ---- every operation, under the eyes of a walker ---- */

static void neighbours(void **state) {
    static const char *const archs[] = {"fpt:l4l3-l2l1", "fpt:l3l2", "fpt:l4l3", "fpt5:l5l4-l3l2"};

    (void)state;
    for (unsigned i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
        struct world w;
        struct emt_gather g;
        struct emt_tobj o;
        begin(&w, archs[i]);
        for (unsigned k = 0; k < 8; k++) {
            map(&w, VA + k * M2 + k * K4, 100 + k, K4);
            keep(&w, VA + k * M2 + k * K4, (100 + k) * K4);
        }
        w.looking = true;
        map(&w, VA + 9 * M2, 9 << 9, M2);
        emt_gather_init(&g);
        assert_int_equal(emt_huge_split(&w.tdb, VA + 9 * M2, K4, &g), 0);
        assert_int_equal(emt_range_protect(&w.tdb, VA + 9 * M2, M2, EMT_PROT_USER, &g), 0);
        assert_int_equal(emt_tobj_init(&w.sim.svc, &o, VA + 9 * M2, 9 << 9, M2, PROT), 0);
        assert_int_equal(emt_huge_collapse(&w.tdb, &o, &g), 0);
        assert_int_equal(emt_range_move(&w.tdb, VA + 9 * M2, VA + 2 * G1, M2, &g), 0);
        emt_gather_flush(&w.tdb, &g);
        unmap(&w, VA + 2 * G1, M2);
        assert_true(w.looks > 512);
        end(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_references),
        cmocka_unit_test(bytes_for_8_gib),
        cmocka_unit_test(three_levels_in_a_node),
        cmocka_unit_test(copies),
        cmocka_unit_test(large_pages_first),
        cmocka_unit_test(recovery),
        cmocka_unit_test(late_dirty),
        cmocka_unit_test(neighbours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
