/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whole machines with each kind of MMU cache, and with a software-managed TLB: random system calls and accesses in
 * which tables come and go, under the translation checker; what is not to differ does not; where the time goes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <sys/mman.h>

#include "emt/emt.h"
#include "hw/replacement.h"

#define MIB       (1ull << 20)
#define BASE      0x7e0000000000ull
#define REGIONS   6
#define PROCESSES 3

static const char *const kinds[] = {"mmu_caches.kind=psc", "mmu_caches.kind=pwc", "mmu_caches.kind=utc",
                                    "mmu_caches.kind=none", "mmu.software_tlb=true"};
#define KINDS    (sizeof(kinds) / sizeof(kinds[0]))
#define SOFTWARE (KINDS - 1)

static struct emt *machine(const char *mmu, const char *kind, const char *more) {
    const char *const settings[] = {kind,
                                    "core.count=2",
                                    "memory.bytes=256M",
                                    "check.translations=true",
                                    "tlb.l1d.entries=8",
                                    "tlb.l2.entries=24",
                                    more,
                                    NULL};
    char why[256] = "";
    struct emt *emt = emt_new("dmt-asplos24", mmu, settings, why, sizeof(why));

    if (!emt)
        fail_msg("%s", why);
    return emt;
}

static double number(const json_t *document, const char *group, const char *key) {
    const json_t *result = json_array_get(json_object_get(document, "results"), 0);
    const json_t *value = json_object_get(json_object_get(result, group), key);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

static json_t *results(struct emt *emt) {
    char *text = emt_results_json(emt);
    json_t *document = json_loads(text, 0, NULL);

    assert_non_null(document);
    free(text);
    return document;
}

/* Regions are 512 GiB, 1 GiB, 2 MiB or 64 KiB apart, so that tables of every level stand alone. */
static uint64_t region(unsigned i) {
    static const uint64_t apart[] = {0, 1ull << 39, 1ull << 30, 1ull << 21, 1ull << 16, 5ull << 30};
    return BASE + apart[i];
}

struct tally {
    uint64_t cycles, faults, hash;
};

static void random_access(struct emt *emt, uint64_t *random, struct tally *t) {
    uint32_t process = 1 + (uint32_t)hw_random_below(random, PROCESSES);
    uint64_t va = region((unsigned)hw_random_below(random, REGIONS)) + hw_random_below(random, 4 * MIB);
    enum emt_kind kind = hw_random_below(random, 3) ? EMT_KIND_LOAD : EMT_KIND_STORE;
    struct emt_answer a = {0};
    int err = emt_access(emt, process, process % 2, va, 1, kind, &a);

    assert_true(err == 0 || err == -EFAULT);
    t->cycles += a.translation_cycles;
    t->faults += a.faults;
    t->hash = (t->hash ^ (err ? 1 : a.pa)) * 0x9e3779b97f4a7c15ull;
}

static void random_call(struct emt *emt, uint64_t *random) {
    uint32_t process = 1 + (uint32_t)hw_random_below(random, PROCESSES);
    uint64_t va = region((unsigned)hw_random_below(random, REGIONS));
    uint64_t bytes = 4096 + (hw_random_below(random, 4 * MIB) & ~4095ull);

    switch (hw_random_below(random, 8)) {
    case 0:
    case 1:
        emt_munmap(emt, process, va, 4 * MIB);
        break;
    case 2:
    case 3:
        emt_mmap(emt, process, &va, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
        break;
    case 4:
        emt_munmap(emt, process, va, bytes);
        break;
    case 5:
        emt_mprotect(emt, process, va, bytes, hw_random_below(random, 2) ? PROT_READ : PROT_READ | PROT_WRITE);
        break;
    case 6:
        emt_madvise(emt, process, va, bytes, MADV_DONTNEED);
        break;
    default:
        if (!hw_random_below(random, 4)) {
            uint32_t child = 1 + process % PROCESSES;
            emt_exit(emt, child);
            emt_fork(emt, process, child);
        }
    }
}

static struct tally exercise(struct emt *emt, unsigned rounds) {
    struct tally t = {0};
    uint64_t random = 42;

    for (unsigned i = 0; i < rounds; i++) {
        random_call(emt, &random);
        for (unsigned k = 0; k < 30; k++)
            random_access(emt, &random, &t);
    }
    return t;
}

/* The checker finds nothing, and the program saw the same frames and faults under every kind. */
static void checked(void **state) {
    static const char *const mmus[] = {"radix4", "radix5", "fpt:l4l3-l2l1", "fpt:l3l2", /* trees */
                                       "ecpt",   "hashed", "inverted"};
    const unsigned trees = 4;
    static const char *const thp[] = {"os.thp.enabled=never", "os.thp.enabled=always"};

    (void)state;
    for (unsigned i = 0; i < 2 * sizeof(mmus) / sizeof(mmus[0]); i++) {
        struct tally first = {0};
        for (unsigned k = 0; k < KINDS; k++) {
            struct emt *emt = machine(mmus[i / 2], kinds[k], thp[i % 2]);
            struct tally t = exercise(emt, 400);
            json_t *r = results(emt);

            if (number(r, "checker", "wrong") != 0)
                fail_msg(
                    "%s %s: %s", mmus[i / 2], kinds[k],
                    json_string_value(json_object_get(
                        json_object_get(json_array_get(json_object_get(r, "results"), 0), "checker"), "first")));
            assert_true(number(r, "checker", "checked") > 1000);
            if (k == 0)
                first = t;
            assert_int_equal(t.hash, first.hash);
            assert_int_equal(t.faults, first.faults);
            /* no kind concerns what keeps no upper levels, as ECPT's walk caches */
            if (i / 2 >= trees && k != SOFTWARE)
                assert_int_equal(t.cycles, first.cycles);
            else if (k)
                assert_int_not_equal(t.cycles, first.cycles);
            json_decref(r);
            emt_free(emt);
        }
    }
}

/* The handler's time is translation, all of it and once. Without level 2, translations are walks alone. */
static void time_of_the_handler(void **state) {
    struct emt *emt = machine("radix4", "mmu.software_tlb=true", "tlb.l2=none");
    json_t *r;
    const json_t *refill;
    double instructions;

    (void)state;
    exercise(emt, 100);
    r = results(emt);
    refill = json_object_get(
        json_object_get(json_object_get(json_array_get(json_object_get(r, "results"), 0), "os"), "by_operation"),
        "tlb_refill");
    assert_true(number(r, "cycles", "translation") == number(r, "walks", "cycles"));
    instructions = 6 * number(r, "walks", "count") +
                   4 * (number(r, "walks", "refs") + json_number_value(json_object_get(refill, "table_writes")));
    assert_true(number(r, "walks", "handler_instructions") == instructions);
    assert_true(json_number_value(json_object_get(refill, "instructions")) == instructions);
    assert_true(json_number_value(json_object_get(refill, "calls")) == number(r, "walks", "count"));
    assert_true(json_number_value(json_object_get(refill, "table_reads")) == number(r, "walks", "refs"));
    assert_true(json_number_value(json_object_get(refill, "cycles")) == 0);
    assert_true(number(r, "os", "instructions") > instructions);
    assert_true(number(r, "os", "cycles") == number(r, "cycles", "os"));
    json_decref(r);
    emt_free(emt);
}

/* A kind that no cache of the machine could be. */
static void nothing_to_be(void **state) {
    const char *const settings[] = {"mmu_caches=none", "mmu_caches.kind=utc", NULL};
    char why[256] = "";

    (void)state;
    assert_null(emt_new("dmt-asplos24", "radix4", settings, why, sizeof(why)));
    assert_non_null(strstr(why, "mmu_caches.utc.entries"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checked),
        cmocka_unit_test(time_of_the_handler),
        cmocka_unit_test(nothing_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
