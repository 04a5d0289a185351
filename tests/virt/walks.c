/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Closed forms: references of two-dimensional and shadow walks, exits, splintered pages, what a nested TLB saves.
 */
#include "world.h"

#define PAGES 64

/* Nothing is cached between two walks but the page that was used last. */
#define TLBS                                                                                                       \
    "tlb.l1d_4k.entries=1", "tlb.l1d_4k.ways=0", "tlb.l1d_2m=none", "tlb.l1d_1g=none", "tlb.l2=none",              \
        "tlb.l2_1g=none", "mmu_caches=none"
static const char *const cold[] = {TLBS, "virt.nested_tlb.entries=0", NULL};

/* References of each walk, once all is mapped, accessed and dirty. */
static double refs_of(const char *guest, const char *host, const char *mode, const char *const *more) {
    struct world w;

    world_open(&w, guest, host, mode, more);
    put_mmap(&w, AREA, 4 * MIB);
    for (unsigned i = 0; i < 1024; i++)
        put(&w, ev_store(AREA + i * PAGE, 3));
    run(&w);
    machine_begin_counting(w.m);
    for (unsigned i = 0; i < PAGES; i++)
        put(&w, ev_load(AREA + i * 16 * PAGE, 3));
    run(&w);
    struct emt_result *r = result_of(&w);
    assert_int_equal(r->mmu.walks, PAGES);
    assert_int_equal(r->mmu.walk_faults, 0);
    assert_int_equal(r->mmu.violations, 0);
    assert_int_equal(r->checker.wrong, 0);
    assert_int_equal(r->mmu.walk_refs_served[0] + r->mmu.walk_refs_served[1] + r->mmu.walk_refs_served[2] +
                         r->mmu.walk_refs_served[3],
                     r->mmu.walk_refs);
    double refs = (double)r->mmu.walk_refs / (double)r->mmu.walks;
    free(r);
    world_close(&w);
    return refs;
}

static void cold_references_are_g_plus_1_by_h_plus_1_less_1(void **state) {
    (void)state;
    static const struct {
        const char *guest, *host, *mode;
        double refs;
    } forms[] = {
        {"radix4", "radix4", "nested", 24},
        {"radix5", "radix5", "nested", 35},
        {"radix5", "radix4", "nested", 29},
        {"radix4", "radix5", "nested", 29},
        {"fpt:l4l3-l2l1", "fpt:l4l3-l2l1", "nested", 8},
        {"radix4", "fpt:l4l3-l2l1", "nested", 14},
        {"fpt:l4l3-l2l1", "radix4", "nested", 14},
        {"fpt:l3l2", "radix4", "nested", 19},
        {"radix4", "radix4", "shadow", 4},
        {"radix5", "radix4", "shadow", 4},
        {"radix4", "radix5", "shadow", 5},
        {"ecpt", "radix4", "shadow", 4},
        {"radix4", "fpt:l4l3-l2l1", "shadow", 2},
    };
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        double refs = refs_of(forms[i].guest, forms[i].host, forms[i].mode, cold);

        if (refs != forms[i].refs)
            fail_msg("%s on %s, %s: %g references", forms[i].guest, forms[i].host, forms[i].mode, refs);
    }
}

static void huge_pages_save_the_last_level_of_their_side(void **state) {
    (void)state;
    const char *settings[] = {TLBS, "virt.nested_tlb.entries=0", NULL, NULL};
    const char **last = &settings[sizeof(settings) / sizeof(settings[0]) - 2];

    *last = "host.os.thp.enabled=always";
    assert_true(refs_of("radix4", "radix4", "nested", settings) == 5 * 4 - 1);
    *last = "guest.os.thp.enabled=always";
    assert_true(refs_of("radix4", "radix4", "nested", settings) == 4 * 5 - 1);
    *last = "os.thp.enabled=always";
    assert_true(refs_of("radix4", "radix4", "nested", settings) == 4 * 4 - 1);
    assert_true(refs_of("radix4", "radix4", "shadow", settings) == 3);
    /* the shadow's page is the smaller of both */
    *last = "guest.os.thp.enabled=always";
    assert_true(refs_of("radix4", "radix4", "shadow", settings) == 4);
}

/* A nested TLB that holds all that a walk needs leaves the guest's references only. */
static void a_nested_tlb_leaves_the_guests_references(void **state) {
    (void)state;
    static const char *const tables_fit[] = {TLBS, "virt.nested_tlb.entries=4096", NULL};
    assert_true(refs_of("radix4", "radix4", "nested", tables_fit) == 4);
}

static void entries_hold_the_smaller_page(void **state) {
    (void)state;
    static const char *const guest_huge[] = {"guest.os.thp.enabled=always", NULL};
    static const char *const both_huge[] = {"os.thp.enabled=always", NULL};
    for (unsigned both = 0; both < 2; both++) {
        struct world w;

        world_open(&w, "radix4", "radix4", "nested", both ? both_huge : guest_huge);
        put_mmap(&w, AREA, 4 * MIB);
        for (unsigned i = 0; i < 1024; i++)
            put(&w, ev_store(AREA + i * PAGE, 3));
        run(&w);
        struct emt_result *r = result_of(&w);
        assert_int_equal(r->os.op[OS_FAULT_HUGE].calls, 2);
        assert_int_equal(r->mmu.splintered, both ? 0 : 1024);
        assert_int_equal(r->mmu.walks - r->mmu.walk_faults - r->mmu.violations, both ? 2 : 1024);
        assert_int_equal(r->checker.wrong, 0);
        free(r);
        world_close(&w);
    }
}

/* Each frame of the guest that is touched is one violation, guest tables among them; and then no more. */
static void each_first_touch_is_one_violation(void **state) {
    (void)state;
    struct world w;

    world_open(&w, "radix4", "radix4", "nested", NULL);
    put_mmap(&w, AREA, 4 * MIB);
    for (unsigned i = 0; i < 1024; i++)
        put(&w, ev_store(AREA + i * PAGE, 3));
    run(&w);
    struct emt_result *r = result_of(&w);
    uint64_t frames = 1024 + r->table_bytes / PAGE;
    assert_int_equal(r->virt.stats.op[VIRT_VIOLATION].calls, frames);
    assert_int_equal(r->virt.os.mapped_bytes[0], frames * PAGE);
    assert_int_equal(r->virt.stats.host_changes, 0);
    assert_true(r->virt.cycles_exits == (double)frames * r->cfg.virt.exit_cycles);
    assert_true(r->cycles_os == r->virt.cycles_guest_os + r->virt.cycles_exits + r->virt.cycles_host_os);
    free(r);
    world_close(&w);
}

/* Memory that is only read maps the host's page of zeroes first; the write is a second violation, and a change. */
static void a_page_of_zeroes_is_replaced_under_the_guest(void **state) {
    (void)state;
    struct world w;
    uint64_t gpa = 100 * MIB, pa;
    struct emt_walk page;

    world_open(&w, "radix4", "radix4", "nested", NULL);
    put_mmap(&w, AREA, PAGE);
    put(&w, ev_store(AREA, 3));
    run(&w);
    virt_touch(w.m->virt, gpa, 8, false);
    assert_int_equal(virt_find(w.m->virt, gpa, &page), 0);
    assert_false(page.write);
    pa = page.pa;
    virt_touch(w.m->virt, gpa, 8, true);
    assert_int_equal(virt_find(w.m->virt, gpa, &page), 0);
    assert_true(page.write && page.pa != pa);
    assert_int_equal(virt_stats_of(w.m->virt)->host_changes, 1);
    world_close(&w);
}

/* Runs of guest-virtual in host-physical memory are cut by either side. */
static void contiguity_is_of_both_dimensions(void **state) {
    (void)state;
    struct world w;
    struct os_contiguity c;

    world_open(&w, "radix4", "radix4", "nested", NULL);
    put_mmap(&w, AREA, 64 * PAGE);
    for (unsigned i = 0; i < 64; i++)
        put(&w, ev_store(AREA + i * PAGE, 3));
    run(&w);
    struct os_process *p = os_process_find(w.m->os, 1), *vm = virt_process(w.m->virt);
    os_contiguity(p, &c);
    uint64_t guest = c.runs;
    os_contiguity_through(p, vm, &c);
    assert_true(c.runs >= guest);
    assert_int_equal(c.resident_bytes, 64 * PAGE);
    uint64_t runs = c.runs;
    /* One page in the middle gets another frame of the host: a piece before it, the page, a piece behind it. */
    struct emt_walk page;
    uint64_t va = AREA + 40 * PAGE;
    assert_int_equal(mmu_peek_tables(w.m->arch, &w.m->host, &w.m->core[0].mmu->root, va, EMT_LOAD, &page), 0);
    host_drops(&w, page.pa + (va - page.va), PAGE);
    os_contiguity_through(p, vm, &c);
    assert_int_equal(c.resident_bytes, 63 * PAGE);
    assert_true(c.runs > runs);
    os_contiguity(p, &c);
    assert_int_equal(c.runs, guest);
    world_close(&w);
}

/* A change in the host that nobody flushes is found by the checker, and one that is flushed is no finding. */
static void a_forgotten_flush_is_found(void **state) {
    (void)state;
    for (unsigned forget = 0; forget < 2; forget++) {
        struct world w;
        struct emt_walk page;

        world_open(&w, "radix4", "radix4", "nested", NULL);
        put_mmap(&w, AREA, 16 * PAGE);
        for (unsigned i = 0; i < 16; i++)
            put(&w, ev_store(AREA + i * PAGE, 3));
        run(&w);
        assert_int_equal(mmu_peek_tables(w.m->arch, &w.m->host, &w.m->core[0].mmu->root, AREA, EMT_LOAD, &page), 0);
        struct emt_host *host = (struct emt_host *)virt_memory(w.m->virt);
        void (*flush)(void *, const struct emt_flush *) = host->flush;
        host->flush = forget ? NULL : flush;
        host_drops(&w, page.pa, PAGE);
        host->flush = flush;
        put(&w, ev_store(AREA, 3));
        run(&w);
        struct emt_result *r = result_of(&w);
        assert_int_equal(r->checker.wrong, forget);
        free(r);
        world_close(&w);
    }
}

/* Exits of shadow tables: a fault for each page twice (the guest's own, and the entry that is missing then), the
   first write to each leaf table that is in use, every write to an upper one, INVLPG for each page that is
   unmapped. */
static void shadow_tables_cost_exits(void **state) {
    (void)state;
    struct world w;

    world_open(&w, "radix4", "radix4", "shadow", NULL);
    put_mmap(&w, AREA, 32 * PAGE);
    for (unsigned i = 0; i < 32; i++)
        put(&w, ev_store(AREA + i * PAGE, 3));
    run(&w);
    struct emt_result *r = result_of(&w);
    assert_int_equal(r->virt.stats.op[VIRT_SHADOW_FAULT].calls, 2 * 32);
    assert_int_equal(r->virt.stats.guest_faults, 32);
    assert_int_equal(r->virt.stats.shadow_fills, 32);
    assert_int_equal(r->virt.stats.op[VIRT_TABLE_WRITE].calls,
                     2); /* the root, protected since the first fault; the leaf */
    assert_int_equal(r->virt.stats.unsyncs, 1);
    assert_int_equal(r->virt.stats.op[VIRT_INVALIDATE].calls, 0);
    free(r);
    put_event(&w, EV_MUNMAP, 2, (const uint64_t[]){AREA, 20 * PAGE});
    run(&w);
    r = result_of(&w);
    assert_int_equal(r->virt.stats.op[VIRT_INVALIDATE].calls, 20);
    assert_int_equal(r->virt.stats.shadow_drops, 20);
    assert_int_equal(r->checker.wrong, 0);
    free(r);
    world_close(&w);
}

static void the_host_running_out_of_memory_is_said(void **state) {
    (void)state;
    static const char *const tiny[] = {"host.memory.bytes=16M", NULL};
    struct world w;

    world_open(&w, "radix4", "radix4", "nested", tiny);
    put_mmap(&w, AREA, 64 * MIB);
    for (unsigned i = 0; i < 2000; i++)
        put(&w, ev_store(AREA + i * PAGE, 3));
    for (unsigned i = 0; i < 10 && !machine_done(w.m); i++) {
        assert_int_equal(machine_feed(w.m, w.b), 0);
        w.b->words = 0;
        for (unsigned k = 0; k < 2000; k++)
            put(&w, ev_store(AREA + (2000ull * (i + 1) + k) * PAGE, 3));
    }
    assert_true(machine_done(w.m));
    assert_non_null(strstr(machine_trouble(w.m), "host.memory.bytes"));
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_references_are_g_plus_1_by_h_plus_1_less_1),
        cmocka_unit_test(huge_pages_save_the_last_level_of_their_side),
        cmocka_unit_test(a_nested_tlb_leaves_the_guests_references),
        cmocka_unit_test(entries_hold_the_smaller_page),
        cmocka_unit_test(each_first_touch_is_one_violation),
        cmocka_unit_test(a_page_of_zeroes_is_replaced_under_the_guest),
        cmocka_unit_test(contiguity_is_of_both_dimensions),
        cmocka_unit_test(a_forgotten_flush_is_found),
        cmocka_unit_test(shadow_tables_cost_exits),
        cmocka_unit_test(the_host_running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
