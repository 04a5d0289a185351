/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The translation checker finds each kind of wrong entry, and nothing where hardware may differ from the tables. */
#include "world.h"

#include "hw/checker.h"
#include "report/result.h"

#define USER (P | RW | US)
#define VA   0x7f0000123000ull
#define PA   (256 * MIB)

struct checked {
    struct world w;
    struct mmu *m;
    struct checker *c;
};

static int setup(void **state) {
    static struct checked s;
    world_init(&s.w);
    world_tlb(&s.w, 1, CFG_TLB_DATA | CFG_TLB_INSTRUCTION, 3, 64, 4);
    world_map(&s.w, 1, VA, PA, 1, USER);
    s.m = world_mmu(&s.w, 0, NULL, NULL);
    assert_int_equal(checker_new(&s.c), 0);
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    struct checked *s = *state;
    checker_free(s->c);
    mmu_free(s->m);
    world_fini(&s->w);
    return 0;
}

static bool access_ok(struct checked *s, uint64_t va, unsigned type) {
    struct mmu_translation t;
    mmu_translate(s->m, va, type, &t);
    return checker_check(s->c, s->m, s->m->asid, va, type, &t);
}

static struct result_checker result(const struct checked *s) {
    struct result_checker r = {0};
    checker_result(s->c, &r);
    return r;
}

/* A page moves and nobody flushes: reported with its address and the last change of its mapping. */
static void missing_flush(void **state) {
    struct checked *s = *state;
    for (unsigned i = 0; i < 10; i++)
        assert_true(access_ok(s, VA + 8, i % 2 ? EMT_STORE : EMT_LOAD));
    checker_note(s->c, 1, VA - 100 * 4096, 200 * 4096, "mmap", 500);
    checker_note(s->c, 1, VA, 4096, "fault", 1000);
    checker_note(s->c, 1, VA & -GIB, GIB, "mremap", 1234567);
    checker_note(s->c, 2, VA & -GIB, GIB, "munmap", 1234568); /* another address space */
    world_map(&s->w, 1, VA, PA + 4096, 1, USER | D);
    assert_false(access_ok(s, VA + 8, EMT_LOAD));
    struct result_checker r = result(s);
    assert_int_equal(r.checked, 11);
    assert_int_equal(r.wrong, 1);
    assert_string_equal(r.first,
                        "asid 1 va 0x7f0000123008: TLB says pa 0x10000008 rwx dirty, tables say pa 0x10001008 "
                        "rwx dirty; last change: mremap at instruction 1234567");
    checker_note(s->c, 1, VA, 4096, "munmap", 2000000);
    world_map(&s->w, 1, VA, 0, 1, 0);
    assert_false(access_ok(s, VA + 8, EMT_STORE));
    assert_non_null(strstr(checker_last_finding(s->c), "tables say not mapped; last change: munmap at"));
    assert_int_equal(result(s).wrong, 2);
    assert_string_equal(result(s).first, r.first);
    /* with the flush all is well again */
    world_flush(s->m, 1, EMT_FLUSH_RANGE, VA, 4096);
    assert_true(access_ok(s, VA + 8, EMT_STORE)); /* it faults */
    assert_int_equal(result(s).wrong, 2);
}

/* Each kind: old PTE in the TLB (loaded by an access of `type`), new PTE in the tables, right or wrong. */
static void kinds(void **state) {
    struct checked *s = *state;
    static const struct {
        uint64_t before, after;
        unsigned type;
        bool right;
    } cases[] = {
        {USER, USER, EMT_LOAD, true},
        {USER | NX, USER, EMT_LOAD, true}, /* the entry allows less */
        {P | US, USER, EMT_LOAD, true},
        {USER, USER | NX | A, EMT_LOAD, false}, /* it allows more */
        {USER, P | US | A, EMT_LOAD, false},
        {USER, P | RW | A, EMT_LOAD, false},
        {USER, 0, EMT_LOAD, false},
        {USER | A, USER, EMT_LOAD, true}, /* A cleared without a flush */
        {USER | A, USER | A | D, EMT_LOAD, true},
        {USER | A | D, USER | A, EMT_LOAD, false}, /* D cleared without a flush */
        {USER, USER | A, EMT_STORE, false},        /* D cleared after a store set it */
        {USER, USER | A | D, EMT_STORE, true},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_map(&s->w, 1, VA, PA, 1, cases[i].before);
        world_flush(s->m, 1, EMT_FLUSH_RANGE, VA, 4096);
        assert_true(access_ok(s, VA, cases[i].type));
        assert_true(access_ok(s, VA, cases[i].type));
        world_map(&s->w, 1, VA, PA, 1, cases[i].after);
        assert_int_equal(access_ok(s, VA, cases[i].type), cases[i].right);
    }
    /* every one without a note says so */
    assert_non_null(strstr(result(s).first, "last change: none noted"));
}

/* A walk that goes wrong behind a stale upper-level entry is found too. */
static void stale_upper_level(void **state) {
    struct checked *s = *state;
    mmu_free(s->m);
    world_mmu_cache(&s->w, "pde", 4);
    s->m = world_mmu(&s->w, 0, NULL, NULL);
    world_map(&s->w, 1, VA + 4096, PA + 4096, 1, USER);
    assert_true(access_ok(s, VA, EMT_LOAD));
    *world_entry(&s->w, 1, VA, 2) = 0; /* a new table takes the old one's place, no flush */
    world_map(&s->w, 1, VA + 4096, GIB, 1, USER);
    assert_false(access_ok(s, VA + 4096, EMT_LOAD));
    assert_non_null(strstr(checker_last_finding(s->c), "walk says pa 0x10001000"));
}

/* The journal is bounded: the newest changes are kept, and what was displaced is admitted. */
static void journal_is_bounded(void **state) {
    struct checked *s = *state;
    assert_true(access_ok(s, VA, EMT_LOAD));
    checker_note(s->c, 1, VA & -GIB, GIB, "munmap", 1);
    for (uint64_t i = 0; i < 5000; i++)
        checker_note(s->c, 1, i * GIB, GIB, "mmap", 2 + i);
    world_map(&s->w, 1, VA, 0, 1, 0);
    assert_false(access_ok(s, VA, EMT_LOAD));
    assert_non_null(strstr(checker_last_finding(s->c), "last change: no longer in the journal"));
    for (uint64_t i = 0; i < 100000; i++)
        checker_note(s->c, 1, i * 4096, 4096, "fault", 10000 + i);
    checker_note(s->c, 1, VA, 4096, "munmap", 7);
    assert_false(access_ok(s, VA, EMT_LOAD));
    assert_non_null(strstr(checker_last_finding(s->c), "last change: munmap at instruction 7"));
    checker_note(s->c, 1, 0, 1ull << 56, "exit", 9);
    assert_false(access_ok(s, VA, EMT_LOAD));
    assert_non_null(strstr(checker_last_finding(s->c), "last change: exit at instruction 9"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(missing_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_upper_level, setup, teardown),
        cmocka_unit_test_setup_teardown(journal_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
