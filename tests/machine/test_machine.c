/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The machine fed by hand: windows of statistics, faults that nobody can resolve, blocks that make no sense,
 * processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emt/emt.h"
#include "machine/machine.h"
#include "machine/settings.h"

#define AREA  0x7f0000000000ull
#define PAGE  4096ull
#define PAGES 512ull

static struct machine *new_machine(const char *const *settings, unsigned n) {
    struct emt_config *cfg = calloc(1, sizeof(*cfg));
    struct machine *m = NULL;
    char why[1024] = "";

    settings_defaults(cfg);
    if (settings_load(cfg, "skylake-sp", why, sizeof(why)) || settings_apply(cfg, settings, n, why, sizeof(why)) ||
        machine_new(&m, cfg, why, sizeof(why)))
        fail_msg("%s", why);
    free(cfg);
    return m;
}

static void put(struct ev_block *b, uint64_t word) {
    b->word[b->words++] = word;
}

static void put_mmap(struct ev_block *b, uint64_t addr, uint64_t bytes) {
    put(b, ev_event(EV_MMAP, 6));
    put(b, addr);
    put(b, bytes);
    put(b, PROT_READ | PROT_WRITE);
    put(b, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    put(b, 0);
    put(b, 0);
}

/* A block of process 1 that maps the area and stores once to each of its pages. */
static struct ev_block *touch_block(void) {
    struct ev_block *b = calloc(1, sizeof(*b));

    b->process = 1;
    put_mmap(b, AREA, PAGES * PAGE);
    for (uint64_t i = 0; i < PAGES; i++)
        put(b, ev_store(AREA + i * PAGE, 3));
    return b;
}

static struct emt_result *result_of(struct machine *m) {
    struct emt_result *r = calloc(1, sizeof(*r));

    machine_result(m, r);
    return r;
}

static const char *const small_pages[] = {"os.thp.enabled=never", "memory.bytes=64M", "check.translations=true"};

static void one_fault_and_one_walk_more_for_each_page(void **state) {
    (void)state;
    struct machine *m = new_machine(small_pages, 3);
    struct ev_block *b = touch_block();

    assert_int_equal(machine_feed(m, b), 0);
    struct emt_result *r = result_of(m);
    assert_int_equal(r->stores, PAGES);
    assert_int_equal(r->loads, 0);
    assert_int_equal(r->os.op[OS_FAULT_ANON].calls, PAGES);
    /* one that faults, one that finds the page */
    assert_int_equal(r->mmu.walks, 2 * PAGES);
    assert_int_equal(r->mmu.walk_faults, PAGES);
    assert_int_equal(r->checker.wrong, 0);
    assert_true(r->checker.checked >= PAGES);
    /* leaf tables: one for each 2 MiB, and the three above */
    assert_int_equal(r->table_bytes, 4 * PAGE);
    free(r);
    free(b);
    machine_free(m);
}

static void statistics_begin_and_end_where_asked(void **state) {
    (void)state;
    for (unsigned skip = 0; skip < 3; skip++) {
        struct machine *m = new_machine(small_pages, 3);
        struct ev_block *b = touch_block();

        machine_window(m, skip * 100, 150);
        assert_int_equal(machine_feed(m, b), 0);
        assert_true(machine_done(m));
        struct emt_result *r = result_of(m);
        assert_int_equal(r->stores, 150);
        assert_int_equal(r->os.op[OS_FAULT_ANON].calls, 150);
        assert_int_equal(machine_feed(m, b), 0); /* ignored */
        assert_int_equal(machine_accesses(m), skip * 100 + 150);
        free(r);
        free(b);
        machine_free(m);
    }
}

static void memory_that_nobody_mapped_is_counted(void **state) {
    (void)state;
    struct machine *m = new_machine(small_pages, 3);
    struct ev_block *b = calloc(1, sizeof(*b));

    b->process = 1;
    put(b, ev_load(AREA, 3));
    put(b, ev_load(AREA + 8, 3));
    put(b, ev_load(AREA + 9 * PAGE, 0));
    assert_int_equal(machine_feed(m, b), 0);
    struct emt_result *r = result_of(m);
    assert_int_equal(r->unknown_accesses, 2);
    free(r);
    free(b);
    machine_free(m);
}

static void an_access_across_a_page_is_two_translations(void **state) {
    (void)state;
    struct machine *m = new_machine(small_pages, 3);
    struct ev_block *b = calloc(1, sizeof(*b));

    b->process = 1;
    put_mmap(b, AREA, 2 * PAGE);
    put(b, ev_store(AREA + PAGE - 4, 3));
    assert_int_equal(machine_feed(m, b), 0);
    struct emt_result *r = result_of(m);
    assert_int_equal(r->stores, 1);
    assert_int_equal(r->os.op[OS_FAULT_ANON].calls, 2);
    free(r);
    free(b);
    machine_free(m);
}

static void out_of_memory_ends_the_machine_with_a_reason(void **state) {
    (void)state;
    static const char *const tiny[] = {"os.thp.enabled=never", "memory.bytes=16M"};
    struct machine *m = new_machine(tiny, 2);
    struct ev_block *b = calloc(1, sizeof(*b));

    b->process = 1;
    put_mmap(b, AREA, 64 << 20);
    for (uint64_t i = 0; i < 5000; i++)
        put(b, ev_store(AREA + i * PAGE, 3));
    assert_int_equal(machine_feed(m, b), 0);
    assert_true(machine_done(m));
    assert_non_null(strstr(machine_trouble(m), "memory.bytes"));
    free(b);
    machine_free(m);
}

static void senseless_blocks_are_refused(void **state) {
    (void)state;
    static const uint64_t bad[][2] = {
        {0xffull << EV_ADDRESS_SHIFT | EV_EVENT, 0},                        /* no such event */
        {(uint64_t)EV_BRK << EV_ADDRESS_SHIFT | 3ull << 15 | EV_EVENT, 0},  /* operands it does not have */
        {(uint64_t)EV_MMAP << EV_ADDRESS_SHIFT | 6ull << 15 | EV_EVENT, 0}, /* operands that are not there */
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct machine *m = new_machine(small_pages, 3);
        struct ev_block *b = calloc(1, sizeof(*b));

        b->process = 1;
        put(b, bad[i][0]);
        assert_int_equal(machine_feed(m, b), -EBADMSG);
        b->words = EV_BLOCK_WORDS + 1;
        assert_int_equal(machine_feed(m, b), -EBADMSG);
        free(b);
        machine_free(m);
    }
}

/* Fork, writes in both, exit of both: every copy is made once, and all memory comes back. */
static void a_child_goes_on_in_its_own_space(void **state) {
    (void)state;
    struct machine *m = new_machine(small_pages, 3);
    struct ev_block *b = touch_block();

    put(b, ev_event(EV_FORK, 1));
    put(b, 2);
    for (uint64_t i = 0; i < 10; i++)
        put(b, ev_store(AREA + i * PAGE, 3));
    assert_int_equal(machine_feed(m, b), 0);
    b->process = 2;
    b->thread = 1;
    b->words = 0;
    for (uint64_t i = 0; i < 30; i++)
        put(b, ev_store(AREA + i * PAGE, 3));
    put(b, ev_event(EV_EXIT, 0));
    assert_int_equal(machine_feed(m, b), 0);
    struct emt_result *r = result_of(m);
    /* the parent copies 10; the child takes those over and copies the 20 others */
    assert_int_equal(r->os.op[OS_FAULT_COW].calls, 40);
    assert_int_equal(r->os.pages_copied_bytes, 30 * PAGE);
    assert_int_equal(r->processes, 2);
    assert_int_equal(r->checker.wrong, 0);
    free(r);
    b->process = 1;
    b->thread = 0;
    b->words = 0;
    put(b, ev_event(EV_EXIT, 0));
    assert_int_equal(machine_feed(m, b), 0);
    r = result_of(m);
    assert_int_equal(r->table_bytes, 0);
    assert_int_equal(r->os.mapped_bytes[0], 0);
    free(r);
    free(b);
    machine_free(m);
}

static void libemt_answers_each_access(void **state) {
    (void)state;
    char why[512];
    static const char *const settings[] = {"os.thp.enabled=never", "memory.bytes=64M", NULL};
    struct emt_answer a;
    uint64_t addr = 0;

    assert_null(emt_new("no-such-machine", NULL, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "no-such-machine"));
    struct emt *emt = emt_new("skylake-sp", "radix4", settings, why, sizeof(why));
    assert_non_null(emt);
    assert_int_equal(emt_mmap(emt, 1, &addr, PAGE, PROT_READ, MAP_PRIVATE), 0);
    assert_int_equal(emt_access(emt, 1, 0, addr + 5, 4, EMT_KIND_LOAD, &a), 0);
    assert_int_equal(a.faults, 1);
    assert_int_equal(a.pa % PAGE, 5);
    assert_true(a.translation_cycles > 0 && a.os_cycles > 0);
    assert_int_equal(emt_access(emt, 1, 0, addr, 4, EMT_KIND_LOAD, &a), 0);
    assert_true(a.translation_cycles == 0 && a.faults == 0);
    assert_int_equal(emt_access(emt, 1, 0, addr, 4, EMT_KIND_STORE, &a), -EFAULT);
    assert_true(emt_error(emt)[0]);
    assert_int_equal(emt_munmap(emt, 1, addr, PAGE), 0);
    assert_int_equal(emt_access(emt, 1, 0, addr, 4, EMT_KIND_LOAD, &a), -EFAULT);
    char *json = emt_results_json(emt);
    assert_non_null(strstr(json, "\"mmu\": \"radix4\""));
    free(json);
    emt_free(emt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fault_and_one_walk_more_for_each_page),
        cmocka_unit_test(statistics_begin_and_end_where_asked),
        cmocka_unit_test(memory_that_nobody_mapped_is_counted),
        cmocka_unit_test(an_access_across_a_page_is_two_translations),
        cmocka_unit_test(out_of_memory_ends_the_machine_with_a_reason),
        cmocka_unit_test(senseless_blocks_are_refused),
        cmocka_unit_test(a_child_goes_on_in_its_own_space),
        cmocka_unit_test(libemt_answers_each_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
