/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A guest of a few frames: its tables are walked and left alone, and a flush that its kernel forgets is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/measure_private.h"
#include "core/mm.h"
#include "machine/settings.h"

#define P      0x01ull
#define RW     0x02ull
#define US     0x04ull
#define A      0x20ull
#define D      0x40ull
#define G      0x100ull
#define FRAMES 64
#define USER   0x00007f0000001000ull
#define KERNEL 0xffff888000002000ull

struct guest {
    _Alignas(4096) uint64_t word[FRAMES * 512];
    struct measure *m;
    uint64_t next_table, retired;
};

static uint64_t *slot(struct guest *g, uint64_t root, uint64_t va) {
    uint64_t table = root;

    for (unsigned level = 4; level > 1; level--) {
        uint64_t *e = &g->word[table / 8 + (va >> (12 + 9 * (level - 1)) & 511)];
        if (!*e) {
            *e = g->next_table | P | RW | US | A;
            g->next_table += 4096;
        }
        table = *e & 0xffffffffff000ull;
    }
    return &g->word[table / 8 + (va >> 12 & 511)];
}

/* A PTE is written by a store of the guest's kernel, which we see. */
static void kernel_writes(struct guest *g, unsigned cpu, uint64_t *pte, uint64_t value) {
    const uint64_t pa = (uint64_t)((uint8_t *)pte - (uint8_t *)g->word);

    *pte = value;
    measure_block(g->m, cpu, KERNEL, true, g->retired += 10);
    measure_access(g->m, cpu, 0xffff880000000000ull + pa, 8, true);
}

static void user_loads(struct guest *g, unsigned cpu, uint64_t va) {
    measure_block(g->m, cpu, USER, false, g->retired += 10);
    measure_access(g->m, cpu, va, 8, false);
}

static struct guest *start(unsigned cpus) {
    struct guest *g = aligned_alloc(4096, sizeof(*g));
    struct emt_config *cfg = calloc(1, sizeof(*cfg));
    char why[256];
    const char *set[] = {"check.translations=true"};

    assert_non_null(g);
    memset(g, 0, sizeof(*g));
    g->next_table = 3 * 4096;
    settings_defaults(cfg);
    assert_int_equal(settings_load(cfg, "default", why, sizeof(why)), 0);
    assert_int_equal(settings_apply(cfg, set, 1, why, sizeof(why)), 0);
    assert_int_equal(measure_new(&g->m, cfg, cpus, (uint8_t *)g->word, sizeof(g->word), why, sizeof(why)), 0);
    free(cfg);
    for (uint64_t root = 4096; root <= 8192; root += 4096) {
        *slot(g, root, USER) = 40 * 4096 | P | US | RW | A | D;
        *slot(g, root, USER + 4096) = 41 * 4096 | P | US | RW | A | D;
        *slot(g, root, KERNEL) = 42 * 4096 | P | RW | A | D | G;
        /* All of memory, as Linux's direct map. */
        for (uint64_t pa = 0; pa < sizeof(g->word); pa += 4096)
            *slot(g, root, 0xffff880000000000ull + pa) = pa | P | RW | A | D | G;
    }
    assert_true(g->next_table < 40 * 4096);
    for (unsigned i = 0; i < cpus; i++)
        measure_root(g->m, i, &(struct measure_root){emt_arch_find("radix4"), 1, false, {{4096}}});
    return g;
}

static void stop(struct guest *g) {
    measure_free(g->m);
    free(g);
}

static struct emt_result *results(struct guest *g) {
    unsigned n;
    struct emt_result *all = measure_results(g->m, &n, g->retired);

    assert_non_null(all);
    assert_int_equal(n, 1);
    return all;
}

static void splits_user_and_kernel(void **state) {
    struct guest *g = start(1);
    (void)state;

    for (unsigned i = 0; i < 5; i++)
        user_loads(g, 0, USER + 8 * i);
    measure_block(g->m, 0, KERNEL, true, g->retired += 10);
    measure_access(g->m, 0, KERNEL, 8, true);
    measure_access(g->m, 0, KERNEL + 8, 8, false);
    measure_access(g->m, 0, USER + 4096 - 4, 8, false); /* over the edge of a page */
    measure_fault(g->m, 0, 0x5000, EMT_LOAD);
    struct emt_result *r = results(g);
    assert_int_equal(r->loads, 5);
    assert_int_equal(r->stores, 0);
    /* Each block's instructions are known when the next one begins: the first 10 ran before any block. */
    assert_int_equal(r->instructions, 10 + 5 * 10);
    assert_int_equal(r->guest.instructions, 0);
    assert_int_equal(r->mmu.walks, 1); /* the fetch: the loads find it in the second level, which is for both */
    assert_int_equal(r->guest.loads, 2);
    assert_int_equal(r->guest.stores, 1);
    assert_int_equal(r->guest.page_faults[0], 0);
    assert_int_equal(r->guest.page_faults[1], 1);
    /* KERNEL, the second page of USER, the fault. */
    assert_int_equal(r->guest.walks, 3);
    assert_int_equal(r->checker.wrong, 0);
    free(r);
    stop(g);
}

/* Whatever is measured, the guest's memory stays as it is. */
static void looks_and_does_not_touch(void **state) {
    struct guest *g = start(1);
    uint64_t *pte = slot(g, 4096, USER);
    (void)state;

    *pte &= ~(A | D);
    uint64_t *copy = malloc(sizeof(g->word));
    memcpy(copy, g->word, sizeof(g->word));
    user_loads(g, 0, USER);
    measure_access(g->m, 0, USER, 8, true);
    measure_block(g->m, 0, KERNEL, true, g->retired += 10);
    measure_access(g->m, 0, KERNEL, 8, true);
    assert_memory_equal(copy, g->word, sizeof(g->word));
    free(copy);
    stop(g);
}

static uint64_t wrong(struct guest *g) {
    struct emt_result *r = results(g);
    uint64_t n = r->checker.wrong;

    if (n)
        assert_non_null(strstr(r->checker.first, "0x7f0000002000"));
    free(r);
    return n;
}

/* The kernel takes a page away; then user mode reads it. */
static void finds_a_missing_flush(void **state) {
    (void)state;
    for (unsigned flush = 0; flush < 4; flush++) {
        struct guest *g = start(1);
        uint64_t *pte = slot(g, 4096, USER + 4096);

        user_loads(g, 0, USER + 4096);
        kernel_writes(g, 0, pte, 0);
        if (flush == 1)
            measure_flush(g->m, 0, MEASURE_PAGE, 1, USER + 4096);
        if (flush == 2)
            measure_flush(g->m, 0, MEASURE_ASID, 1, 0);
        if (flush == 3)
            measure_flush(g->m, 0, MEASURE_PAGE, 1, USER); /* of the wrong page */
        user_loads(g, 0, USER + 4096);
        assert_int_equal(wrong(g), flush == 0 || flush == 3);
        stop(g);
    }
}

/* A write to CR3 that keeps what is cached flushes nothing; other PCIDs are other entries. */
static void keeps_tagged_entries(void **state) {
    struct guest *g = start(1);
    const struct emt_arch *arch = emt_arch_find("radix4");
    (void)state;

    user_loads(g, 0, USER + 4096);
    kernel_writes(g, 0, slot(g, 4096, USER + 4096), 0);
    measure_root(g->m, 0, &(struct measure_root){arch, 2, true, {{8192}}});
    user_loads(g, 0, USER + 4096); /* another address space: its own entry, and its own tables */
    measure_flush(g->m, 0, MEASURE_ASID, 2, 0);
    measure_root(g->m, 0, &(struct measure_root){arch, 1, true, {{4096}}});
    assert_int_equal(g->m->findings, 0);
    user_loads(g, 0, USER + 4096); /* back, and the stale entry with it */
    struct emt_result *r = results(g);
    assert_int_equal(r->checker.wrong, 1);
    assert_int_equal(r->guest.root_loads, 3);
    assert_int_equal(r->guest.roots_kept, 2);
    free(r);
    stop(g);
}

/* A conventional kernel half beside another architecture: each half by its own tables. */
static void walks_two_architectures(void **state) {
    const struct emt_arch *fpt = emt_arch_find("fpt:l3l2"), *radix = emt_arch_find("radix4");
    struct guest *g = start(1);
    (void)state;

    /* Of the other root the lower half is empty, and of this one the upper: nothing is found by the wrong one. */
    uint64_t *lower = &g->word[2 * 4096 / 8], *upper = &g->word[4096 / 8];
    memset(lower, 0, 2048);
    memset(upper + 256, 0, 2048);
    measure_root(g->m, 0, &(struct measure_root){fpt, 1, false, {{4096}}, radix, {{8192}}});
    user_loads(g, 0, USER + 4096);
    measure_block(g->m, 0, KERNEL, true, g->retired += 10);
    measure_access(g->m, 0, KERNEL, 8, true);
    struct emt_result *r = results(g);
    assert_int_equal(r->mmu.walks, 2);
    assert_int_equal(r->guest.walks, 1);
    assert_int_equal(r->mmu.walk_faults + g->m->part[1].mmu.walk_faults, 0);
    assert_int_equal(measure_root(g->m, 0, &(struct measure_root){emt_arch_find("ecpt"), 1, .upper = radix}),
                     -ENOTSUP);
    free(r);
    stop(g);
}

/* Another CPU may use the old entry until the interrupt reaches it, but not for ever. */
static void waits_for_the_shootdown(void **state) {
    (void)state;
    for (unsigned late = 0; late < 3; late++) {
        struct guest *g = start(2);

        user_loads(g, 1, USER + 4096);
        kernel_writes(g, 0, slot(g, 4096, USER + 4096), 0);
        user_loads(g, 1, USER + 4096);
        assert_int_equal(g->m->suspicions, 1);
        assert_int_equal(g->m->findings, 0);
        if (late == 1)
            user_loads(g, 0, g->retired += MEASURE_GRACE + 1);
        if (late < 2)
            measure_flush(g->m, 1, MEASURE_PAGE, 1, USER + 4096);
        else
            g->retired += MEASURE_GRACE + 1;
        assert_int_equal(wrong(g), late > 0);
        stop(g);
    }
}

static void regions(void **state) {
    struct guest *g = start(1);
    struct result_profile profile = {.on = true, .instructions = {7}};
    unsigned n;
    (void)state;

    user_loads(g, 0, USER);
    measure_begin(g->m, "outer", g->retired);
    user_loads(g, 0, USER);
    measure_begin(g->m, "one", g->retired);
    for (unsigned i = 0; i < 3; i++)
        user_loads(g, 0, USER);
    assert_false(measure_end(g->m, "two", g->retired, &profile));
    assert_true(measure_end(g->m, "one", g->retired, &profile));
    assert_false(measure_end(g->m, "outer", g->retired, &profile));
    measure_begin(g->m, "two", g->retired);
    assert_true(measure_end(g->m, "two", g->retired, &profile));
    struct emt_result *r = measure_results(g->m, &n, g->retired);
    assert_int_equal(n, 2);
    assert_string_equal(r[0].label, "one");
    assert_int_equal(r[0].loads, 3);
    assert_int_equal(r[0].instructions, 30);
    assert_int_equal(r[0].guest.profile.instructions[0], 7);
    assert_int_equal(r[1].loads, 0);
    free(r);
    stop(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_user_and_kernel),
        cmocka_unit_test(looks_and_does_not_touch),
        cmocka_unit_test(finds_a_missing_flush),
        cmocka_unit_test(keeps_tagged_entries),
        cmocka_unit_test(walks_two_architectures),
        cmocka_unit_test(waits_for_the_shootdown),
        cmocka_unit_test(regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
