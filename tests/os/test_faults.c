/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Faults, where their number can be said beforehand: demand paging, copy-on-write, files, huge pages, no memory. */
#include "os_world.h"

static void small_pages(void **state) {
    enum { N = 1000 };
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, N * PAGE, RW, ANON, 0);
    assert_int_equal(world_touch(w.p, AT, N * PAGE, EMT_STORE), N);
    const struct os_stats *s = os_stats_of(w.os);
    assert_int_equal(calls(&w, OS_FAULT_ANON), N);
    assert_int_equal(s->pages_zeroed_bytes, N * PAGE);
    assert_int_equal(s->mapped_bytes[0], N * PAGE);
    assert_int_equal(s->resident_peak_bytes, N * PAGE);
    assert_int_equal(s->op[OS_FAULT_ANON].extra_cycles, N * 1000);
    /* The sum of the costs, exactly; driver work beyond table accesses is none in radix. */
    const uint32_t *c = w.cfg.os.cost;
    uint64_t tables = s->op[OS_FAULT_ANON].instructions -
                      N * (uint64_t)(c[OS_COST_FAULT] + c[OS_COST_VMA_FIND] + c[OS_COST_FRAME_ALLOC] +
                                     c[OS_COST_PAGE_ADD] + 4 * c[OS_COST_CLEAR_KIB]);
    assert_int_equal(tables, 4 * c[OS_COST_FRAME_ALLOC]); /* 2 PTs, a PD, a PDPT */
    assert_true(s->op[OS_FAULT_ANON].table_writes >= N && s->op[OS_FAULT_ANON].table_reads >= N);
    assert_int_equal(os_fault(w.p, 0, AT, EMT_STORE, 0), 0);
    assert_int_equal(calls(&w, OS_FAULT_SPURIOUS), 1);
    os_exit(w.p);
    assert_int_equal(s->mapped_bytes[0], 0);
    assert_int_equal(w.os->user_frames + w.os->table_frames, 0);
    world_end(&w);
}

static void zero_page(void **state) {
    enum { N = 600 };
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, N * PAGE, RW, ANON, 0);
    assert_int_equal(world_touch(w.p, AT, N * PAGE, EMT_LOAD), N);
    assert_int_equal(calls(&w, OS_FAULT_ZERO), N);
    assert_int_equal(w.os->user_frames, 1); /* one frame for all */
    assert_int_equal(world_touch(w.p, AT, 10 * PAGE, EMT_STORE), 10);
    assert_int_equal(calls(&w, OS_FAULT_COW), 10);
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, 0); /* zeroes are cleared, not copied */
    assert_int_equal(w.os->user_frames, 11);
    world_end(&w);

    world_init(&w, 64 * MIB);
    w.cfg.os.zero_page = false;
    world_start(&w);
    world_map(w.p, AT, N * PAGE, RW, ANON, 0);
    world_touch(w.p, AT, N * PAGE, EMT_LOAD);
    assert_int_equal(calls(&w, OS_FAULT_ANON), N);
    assert_int_equal(world_touch(w.p, AT, N * PAGE, EMT_STORE), 0); /* mapped writable at once */
    world_end(&w);
}

static void fork_copies_what_is_written(void **state) {
    enum { N = 500, K = 77 };
    struct os_process *child;
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, N * PAGE, RW, ANON, 0);
    world_touch(w.p, AT, N * PAGE, EMT_STORE);
    assert_int_equal(os_fork(w.p, 2, &child), 0);
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, 0);
    assert_int_equal(w.os->user_frames, N);
    assert_int_equal(world_touch(child, AT, K * PAGE, EMT_STORE), K);
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, K * PAGE);
    /* The parent is now the only one to map those K: no copy. The others it shares: a copy. */
    assert_int_equal(world_touch(w.p, AT, (K + 5) * PAGE, EMT_STORE), K + 5);
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, (K + 5) * PAGE);
    os_exit(child);
    assert_int_equal(world_touch(w.p, AT, N * PAGE, EMT_STORE), N - K - 5);
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, (K + 5) * PAGE);
    assert_int_equal(w.os->user_frames, N);
    world_end(&w);
}

static void files(void **state) {
    static const unsigned around[] = {1, 4, 16, 64};
    enum { N = 128 };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct os_world w;
        uint64_t content;

        world_init(&w, 64 * MIB);
        w.cfg.os.fault_around_pages = around[i];
        world_start(&w);
        assert_int_equal(os_file(w.os, 5, (N - 1) * PAGE + 1), 0);
        world_map(w.p, AT, (N + 4) * PAGE, RW, ABI_MAP_PRIVATE, 5);
        assert_int_equal(world_touch(w.p, AT, N * PAGE, EMT_LOAD), N / around[i]);
        assert_int_equal(calls(&w, OS_FAULT_FILE), N / around[i]);
        assert_int_equal(w.os->user_frames, N);
        assert_int_equal(os_content(w.p, AT + 3 * PAGE, &content), 0);
        assert_int_equal(content, os_content_file(5, 3));
        assert_int_equal(os_fault(w.p, 0, AT + N * PAGE, EMT_LOAD, 0), -EFBIG); /* SIGBUS */
        /* A private copy; a second, shared mapping sees the file as it was. */
        assert_int_equal(os_store(w.p, AT + 3 * PAGE, 42), 0);
        world_map(w.p, AT + MIB, N * PAGE, RW, ABI_MAP_SHARED, 5);
        assert_int_equal(os_fault(w.p, 0, AT + MIB + 3 * PAGE, EMT_LOAD, 0), 0);
        assert_int_equal(os_content(w.p, AT + MIB + 3 * PAGE, &content), 0);
        assert_int_equal(content, os_content_file(5, 3));
        /* Shorter: pages beyond the end are gone, private copies too. */
        assert_int_equal(os_file(w.os, 5, 2 * PAGE), 0);
        assert_int_equal(os_content(w.p, AT + 3 * PAGE, &content), -EFAULT);
        assert_int_equal(os_fault(w.p, 0, AT + 3 * PAGE, EMT_LOAD, 0), -EFBIG);
        assert_int_equal(w.os->user_frames, 2);
        world_end(&w);
    }
}

static void protections(void **state) {
    static const struct {
        int prot;
        int load, store, fetch;
    } rows[] = {
        {ABI_PROT_NONE, -EFAULT, -EFAULT, -EFAULT},
        {ABI_PROT_READ, 0, -EFAULT, -EFAULT},
        {ABI_PROT_WRITE, 0, 0, -EFAULT},
        {ABI_PROT_EXEC, 0, -EFAULT, 0},
        {RW, 0, 0, -EFAULT},
        {RW | ABI_PROT_EXEC, 0, 0, 0},
    };
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned touched = 0; touched < 2; touched++) {
            world_map(w.p, AT, PAGE, touched ? RW : rows[i].prot, ANON, 0);
            if (touched) {
                assert_int_equal(os_store(w.p, AT, 5), 0);
                assert_int_equal(os_mprotect(w.p, AT, PAGE, rows[i].prot), 0);
                assert_int_equal(os_verify(w.os), 0);
            }
            assert_int_equal(os_fault(w.p, 0, AT, EMT_LOAD, 0), rows[i].load);
            assert_int_equal(os_fault(w.p, 0, AT, EMT_STORE, 0), rows[i].store);
            assert_int_equal(os_fault(w.p, 0, AT, EMT_FETCH, 0), rows[i].fetch);
        }
    assert_int_equal(os_fault(w.p, 0, AT + 5 * PAGE, EMT_LOAD, 0), -EFAULT);
    assert_int_equal(os_fault(w.p, 0, ~0ull, EMT_LOAD, 0), -EFAULT);
    /* Private memory that nobody shares is writable again without a fault. */
    world_map(w.p, AT, 8 * PAGE, RW, ANON, 0);
    world_touch(w.p, AT, 8 * PAGE, EMT_STORE);
    assert_int_equal(os_mprotect(w.p, AT, 8 * PAGE, ABI_PROT_READ), 0);
    assert_int_equal(os_mprotect(w.p, AT, 8 * PAGE, RW), 0);
    assert_int_equal(world_touch(w.p, AT, 8 * PAGE, EMT_STORE), 0);
    world_end(&w);
}

#define HUGE (2 * MIB)

static void huge_pages(void **state) {
    struct os_process *child;
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    w.cfg.os.thp = CFG_THP_ALWAYS;
    world_start(&w);
    const struct os_stats *s = os_stats_of(w.os);
    world_map(w.p, AT, 8 * HUGE, RW, ANON, 0);
    assert_int_equal(world_touch(w.p, AT, 8 * HUGE, EMT_STORE), 8); /* bytes / 2 MiB */
    assert_int_equal(s->mapped_bytes[1], 8 * HUGE);
    /* A range that is not all in the VMA gets small pages. */
    world_map(w.p, AT + 64 * MIB + PAGE, HUGE, RW, ANON, 0);
    assert_int_equal(world_touch(w.p, AT + 64 * MIB + PAGE, HUGE, EMT_STORE), 512);
    /* Partial munmap: one split, 512 small pages less those that go. */
    assert_int_equal(os_munmap(w.p, AT + HUGE / 2, PAGE), 0);
    assert_int_equal(s->huge_splits, 1);
    assert_int_equal(s->mapped_bytes[1], 7 * HUGE);
    assert_int_equal(s->mapped_bytes[0], HUGE - PAGE + HUGE);
    /* Partial mprotect. */
    assert_int_equal(os_mprotect(w.p, AT + HUGE, PAGE, ABI_PROT_READ), 0);
    assert_int_equal(s->huge_splits, 2);
    /* Whole ones stay whole. */
    assert_int_equal(os_mprotect(w.p, AT + 2 * HUGE, 2 * HUGE, ABI_PROT_READ), 0);
    assert_int_equal(os_mprotect(w.p, AT + 2 * HUGE, 2 * HUGE, RW), 0);
    assert_int_equal(s->huge_splits, 2);
    assert_int_equal(world_touch(w.p, AT + 2 * HUGE, 2 * HUGE, EMT_STORE), 0);
    /* fork shares them; a write splits and copies 4 KiB, and the last owner keeps what it has. */
    assert_int_equal(os_fork(w.p, 2, &child), 0);
    assert_int_equal(world_touch(child, AT + 4 * HUGE, PAGE, EMT_STORE), 1);
    assert_int_equal(s->huge_splits, 3);
    assert_int_equal(s->pages_copied_bytes, PAGE);
    os_exit(child);
    assert_int_equal(world_touch(w.p, AT + 5 * HUGE, HUGE, EMT_STORE), 1);
    assert_int_equal(s->huge_splits, 3);
    world_end(&w);
}

static void huge_zero_page(void **state) {
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    w.cfg.os.thp = CFG_THP_ALWAYS;
    world_start(&w);
    world_map(w.p, AT, 4 * HUGE, RW, ANON, 0);
    assert_int_equal(world_touch(w.p, AT, 4 * HUGE, EMT_LOAD), 4);
    assert_int_equal(w.os->user_frames, 512);
    assert_int_equal(world_touch(w.p, AT, PAGE, EMT_STORE), 1);
    assert_int_equal(w.os->user_frames, 513);
    assert_int_equal(os_stats_of(w.os)->mapped_bytes[0], HUGE);
    world_end(&w);
}

static void khugepaged(void **state) {
    struct os_world w;
    uint64_t content;

    (void)state;
    world_init(&w, 64 * MIB);
    w.cfg.os.thp = CFG_THP_ALWAYS;
    w.cfg.os.thp_on_fault = false;
    w.cfg.os.khugepaged = true;
    w.cfg.os.max_ptes_none = 100;
    world_start(&w);
    const struct os_stats *s = os_stats_of(w.os);
    world_map(w.p, AT, 4 * HUGE, RW, ANON, 0);
    world_touch(w.p, AT, HUGE - 100 * PAGE, EMT_STORE);        /* exactly as many holes as allowed */
    world_touch(w.p, AT + HUGE, HUGE - 101 * PAGE, EMT_STORE); /* one too many */
    assert_int_equal(os_store(w.p, AT + 7 * PAGE, 99), 0);
    os_tick(w.os, 999);
    assert_int_equal(calls(&w, OS_KHUGEPAGED), 0);
    os_tick(w.os, 1000);
    assert_int_equal(s->huge_collapses, 1);
    assert_int_equal(s->mapped_bytes[1], HUGE);
    assert_int_equal(s->pages_copied_bytes, HUGE - 100 * PAGE);
    assert_int_equal(os_content(w.p, AT + 7 * PAGE, &content), 0);
    assert_int_equal(content, 99);
    assert_int_equal(os_content(w.p, AT + 500 * PAGE, &content), 0); /* a hole is now zeroes */
    assert_int_equal(content, 0);
    assert_int_equal(os_madvise(w.p, AT, 4 * HUGE, ABI_MADV_COLLAPSE), -EAGAIN); /* ranges with nothing in them */
    assert_int_equal(s->huge_collapses, 2);
    world_end(&w);
}

static void out_of_memory(void **state) {
    static const bool basic[] = {false, true};
    static const enum cfg_thp thp[] = {CFG_THP_NEVER, CFG_THP_ALWAYS};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct os_world w;
        uint64_t va = AT;

        world_init(&w, 64 * MIB);
        w.cfg.basic_only = basic[i & 1];
        w.cfg.os.thp = thp[i >> 1];
        world_start(&w);
        world_map(w.p, AT, 128 * MIB, RW, ANON, 0);
        while (os_fault(w.p, 0, va, EMT_STORE, 0) == 0)
            va += PAGE;
        assert_true(va - AT > 60 * MIB && va - AT < 64 * MIB);
        assert_int_equal(os_stats_of(w.os)->out_of_memory, 1);
        assert_int_equal(os_fault(w.p, 0, va, EMT_STORE, 0), -ENOMEM);
        assert_int_equal(os_verify(w.os), 0);
        assert_int_equal(os_munmap(w.p, AT, 4 * MIB), 0);
        assert_int_equal(os_fault(w.p, 0, va, EMT_STORE, 0), 0);
        world_end(&w);
    }
}

static void numa_nodes(void **state) {
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    w.cfg.core.count = 4;
    w.cfg.memory.nodes = 2;
    world_start(&w);
    world_map(w.p, AT, 64 * PAGE, RW, ANON, 0);
    for (unsigned i = 0; i < 64; i++) {
        struct emt_tobj o;
        unsigned core = i % 4;

        assert_int_equal(os_fault(w.p, core, AT + i * PAGE, EMT_STORE, 0), 0);
        assert_int_equal(emt_tdb_find(&w.p->tdb, AT + i * PAGE, &o), 0);
        assert_int_equal(frames_node(w.os->frames, tobj(w.os, &o, EMT_ATTR_PFN)), core / 2);
    }
    world_end(&w);
}

static void contiguity(void **state) {
    struct os_contiguity c;
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    os_contiguity(w.p, &c);
    assert_int_equal(c.runs, 0);
    world_map(w.p, AT, 256 * PAGE, RW, ANON, 0);
    world_map(w.p, AT + 64 * MIB, 2 * PAGE, RW, ANON, 0);
    world_touch(w.p, AT, 256 * PAGE, EMT_STORE); /* fresh memory comes in ascending order */
    world_touch(w.p, AT + 64 * MIB, 2 * PAGE, EMT_STORE);
    os_contiguity(w.p, &c);
    assert_int_equal(c.resident_bytes, 258 * PAGE);
    assert_true(c.runs >= 2 && c.runs_99 == c.runs - 1);
    uint64_t runs = c.runs;
    assert_int_equal(os_munmap(w.p, AT + 128 * PAGE, PAGE), 0); /* cuts a run in two */
    os_contiguity(w.p, &c);
    assert_int_equal(c.runs, runs + 1);
    assert_int_equal(c.resident_bytes, 257 * PAGE);
    world_end(&w);
}

/* ---- an architecture that restricts frames: radix4, where page n may have frames 8 * (n % 64) and the next 7 ----
 */

static int place_kind;

static void picky_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    emt_arch_find("radix4")->driver->tsvc_caps(svc, caps);
    caps->places = true;
}

static void picky_place(struct emt_tdb *tdb, const struct emt_place_query *q, struct emt_place *out) {
    (void)tdb;
    out->kind = place_kind;
    out->runs = 1;
    out->run[0].pfn = 8192 + 8 * (q->va / PAGE % 64);
    out->run[0].frames = 8;
    assert_true(q->free_frames(q->ctx, out->run[0].pfn, 8) <= 8);
}

static void placement(void **state) {
    struct emt_driver_ops ops = *emt_arch_find("radix4")->driver;
    struct emt_arch arch = *emt_arch_find("radix4");
    struct os_world w;

    (void)state;
    ops.tsvc_caps = picky_caps;
    ops.place = picky_place;
    arch.driver = &ops;
    for (place_kind = EMT_PLACE_PREFER; place_kind <= EMT_PLACE_REQUIRE; place_kind++) {
        world_init(&w, 64 * MIB);
        w.arch = &arch;
        world_start(&w);
        world_map(w.p, AT, 1024 * PAGE, RW, ANON, 0);
        for (unsigned i = 0; i < 9; i++) { /* nine pages that want the same eight frames */
            uint64_t va = AT + (3 + 64 * i) * PAGE;
            struct emt_tobj o;
            int got = os_fault(w.p, 0, va, EMT_STORE, 0);

            assert_int_equal(got, i == 8 && place_kind == EMT_PLACE_REQUIRE ? -ENOMEM : 0);
            if (got)
                continue;
            assert_int_equal(emt_tdb_find(&w.p->tdb, va, &o), 0);
            uint64_t pfn = tobj(w.os, &o, EMT_ATTR_PFN);
            assert_int_equal(pfn / 8 == 1024 + 3, i < 8);
        }
        world_end(&w);
    }
}

static void accounts(void **state) {
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    const struct os_stats *s = os_stats_of(w.os);
    world_map(w.p, AT, 2 * HUGE, RW, ANON | ABI_MAP_HUGETLB, 0); /* huge although os.thp says never */
    assert_int_equal(world_touch(w.p, AT, 2 * HUGE, EMT_STORE), 2);
    assert_int_equal(os_switch(w.p, 0), 0);
    assert_int_equal(os_switch(w.p, 0), 0); /* is there already: free */
    assert_int_equal(s->op[OS_SWITCH].calls, 1);
    assert_int_equal(s->op[OS_SWITCH].extra_cycles, 200);
    os_charge_cycles(w.os, OS_SHOOTDOWN, 500);
    os_charge_cycles(w.os, OS_SHOOTDOWN, 700);
    assert_int_equal(s->op[OS_SHOOTDOWN].calls, 2);
    assert_int_equal(s->op[OS_SHOOTDOWN].extra_cycles, 1200);
    assert_int_equal(s->op[OS_SHOOTDOWN].instructions, 2 * w.cfg.os.cost[OS_COST_SHOOTDOWN]);
    os_reset_stats(w.os);
    assert_int_equal(s->op[OS_FAULT_HUGE].calls + s->op[OS_MMAP].calls, 0);
    assert_int_equal(s->mapped_bytes[1], 2 * HUGE);
    assert_int_equal(s->resident_peak_bytes, 2 * HUGE);
    /* Looking is not charged. */
    uint64_t reads = w.host.table_reads, content;
    struct os_contiguity c;
    os_contiguity(w.p, &c);
    assert_int_equal(os_content(w.p, AT, &content), 0);
    assert_int_equal(os_verify(w.os), 0);
    assert_int_equal(w.host.table_reads, reads);
    /* Every operation and cost has a name. */
    for (unsigned i = 0; i < OS_OPS; i++)
        assert_non_null(os_op_name[i]);
    for (unsigned i = 0; i < os_cost_count; i++)
        assert_true(os_cost_table[i].name && os_cost_table[i].instructions && os_cost_table[i].source);
    world_end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_pages),
        cmocka_unit_test(zero_page),
        cmocka_unit_test(fork_copies_what_is_written),
        cmocka_unit_test(files),
        cmocka_unit_test(protections),
        cmocka_unit_test(huge_pages),
        cmocka_unit_test(huge_zero_page),
        cmocka_unit_test(khugepaged),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(numa_nodes),
        cmocka_unit_test(contiguity),
        cmocka_unit_test(placement),
        cmocka_unit_test(accounts),
    };
    return cmocka_run_group_tests_name("os/faults", tests, NULL, NULL);
}
