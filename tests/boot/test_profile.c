/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stacks of a kernel that is written down here: every instruction is charged to where it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "boot/profile.h"

static const char symbols[] = "ffffffff81000000 T _text\n"
                              "ffffffff81000100 T entry\n"
                              "ffffffff81000200 T __x64_sys_mmap\n"
                              "ffffffff81000300 t helper\n"
                              "ffffffff81000400 T tail\n"
                              "ffffffff81000500 T asm_exc_page_fault\n"
                              "ffffffff81000600 T exc_page_fault\n"
                              "ffffffff81000700 T switch_to\n"
                              "ffffffff81000800 D data\n"
                              "ffffffff81000900 T do_exit\n";
enum { ENTRY = 1, MMAP, HELPER, TAIL, ASM_FAULT, FAULT, SWITCH, EXIT = 9 };
#define STACK_1 0xffffc90000004000ull
#define STACK_2 0xffffc90000008000ull

struct run {
    struct profile *p;
    uint64_t retired;
};

static unsigned function(const struct run *r, unsigned number) {
    return profile_function(r->p, 0xffffffff81000000ull + 0x100 * number + 0x10);
}

/* A block of `n` instructions in a function; 0: in user mode. What it ends with comes next. */
static void block(struct run *r, unsigned where, unsigned n) {
    profile_block(r->p, 0, where != 0, where ? function(r, where) : 0, r->retired);
    r->retired += n;
}

static struct run start(void) {
    char path[] = "/tmp/emt-profile.XXXXXX", why[256];
    struct run r = {.retired = 0};
    int fd = mkstemp(path);

    assert_true(write(fd, symbols, sizeof(symbols) - 1) == sizeof(symbols) - 1);
    close(fd);
    assert_int_equal(profile_new(&r.p, path, 1, why, sizeof(why)), 0);
    unlink(path);
    return r;
}

/* The folded stacks, sorted by nothing: each line must be there, and no other. */
static void expect(struct run *r, unsigned n, const char *const lines[]) {
    char *text;
    size_t bytes;
    unsigned found = 0;

    block(r, 0, 0);
    FILE *f = open_memstream(&text, &bytes);
    assert_int_equal(profile_folded(r->p, f), 0);
    fclose(f);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), found++) {
        bool known = false;
        for (unsigned i = 0; i < n; i++)
            known |= strcmp(line, lines[i]) == 0;
        if (!known)
            fail_msg("not expected: %s", line);
    }
    assert_int_equal(found, n);
    free(text);
    profile_free(r->p);
}

static void calls_and_returns(void **state) {
    struct run r = start();
    (void)state;

    block(&r, 0, 1000);
    block(&r, ENTRY, 3);
    profile_call(r.p, 0, STACK_1 + 0x3f00);
    block(&r, MMAP, 5);
    for (unsigned i = 0; i < 3; i++) {
        profile_call(r.p, 0, STACK_1 + 0x3e00);
        block(&r, HELPER, 7);
        profile_return(r.p, 0, STACK_1 + 0x3e00);
        block(&r, MMAP, 11);
    }
    profile_return(r.p, 0, STACK_1 + 0x3f00);
    block(&r, ENTRY, 2);
    const char *const lines[] = {"entry 5", "entry;__x64_sys_mmap 38", "entry;__x64_sys_mmap;helper 21"};
    struct result_profile out;
    block(&r, 0, 0);
    profile_operations(r.p, &out);
    assert_int_equal(out.instructions[RESULT_MMAP], 59);
    assert_non_null(strstr(out.stacks, "entry;__x64_sys_mmap;helper 21\n"));
    free(out.stacks);
    assert_int_equal(out.entries[RESULT_MMAP], 1);
    assert_int_equal(out.instructions[RESULT_OTHER], 5);
    assert_string_equal(out.function[0].name, "__x64_sys_mmap");
    assert_int_equal(out.function[0].instructions, 38);
    expect(&r, 3, lines);
}

static void tail_calls(void **state) {
    struct run r = start();
    (void)state;

    block(&r, ENTRY, 1);
    profile_call(r.p, 0, STACK_1 + 0x3f00);
    block(&r, HELPER, 2);
    block(&r, TAIL, 4); /* by a jump */
    profile_return(r.p, 0, STACK_1 + 0x3f00);
    block(&r, ENTRY, 8);
    const char *const lines[] = {"entry 9", "entry;helper 2", "entry;tail 4"};
    expect(&r, 3, lines);
}

/* A page fault in the kernel's own copy, and one of user mode. */
static void exceptions(void **state) {
    struct run r = start();
    struct result_profile out;
    (void)state;

    block(&r, ENTRY, 1);
    profile_call(r.p, 0, STACK_1 + 0x3f00);
    block(&r, HELPER, 2);
    block(&r, ASM_FAULT, 4);
    profile_call(r.p, 0, STACK_1 + 0x3d00);
    block(&r, FAULT, 8);
    profile_return(r.p, 0, STACK_1 + 0x3d00);
    block(&r, ASM_FAULT, 16);
    profile_iret(r.p, 0);
    block(&r, HELPER, 32);
    profile_return(r.p, 0, STACK_1 + 0x3f00);
    block(&r, ENTRY, 64);
    block(&r, 0, 100);
    block(&r, ASM_FAULT, 128);
    block(&r, 0, 0);
    profile_operations(r.p, &out);
    assert_int_equal(out.instructions[RESULT_PAGE_FAULT], 4 + 8 + 16 + 128);
    assert_int_equal(out.entries[RESULT_PAGE_FAULT], 2);
    free(out.stacks);
    const char *const lines[] = {"entry 65", "entry;helper 34", "entry;helper;asm_exc_page_fault 20",
                                 "entry;helper;asm_exc_page_fault;exc_page_fault 8", "asm_exc_page_fault 128"};
    expect(&r, 5, lines);
}

/* Two tasks on two stacks: each goes on where it was. */
static void context_switches(void **state) {
    struct run r = start();
    (void)state;

    block(&r, ENTRY, 1);
    profile_call(r.p, 0, STACK_1 + 0x3f00);
    block(&r, MMAP, 2);
    profile_call(r.p, 0, STACK_1 + 0x3e00);
    block(&r, SWITCH, 4);
    block(&r, 0, 0); /* user mode of another task, which is on its own stack then */
    block(&r, ENTRY, 8);
    profile_call(r.p, 0, STACK_2 + 0x3f00);
    block(&r, EXIT, 16);
    profile_call(r.p, 0, STACK_2 + 0x3e00);
    block(&r, SWITCH, 32);
    profile_return(r.p, 0, STACK_1 + 0x3e00); /* the stack pointer is the first task's */
    block(&r, MMAP, 64);
    profile_return(r.p, 0, STACK_1 + 0x3f00);
    block(&r, ENTRY, 128);
    const char *const lines[] = {"entry 137", "entry;__x64_sys_mmap 66", "entry;__x64_sys_mmap;switch_to 4",
                                 "entry;do_exit 16", "entry;do_exit;switch_to 32"};
    expect(&r, 5, lines);
}

/* Whatever comes, nothing is lost: all lines together are all instructions in the kernel. */
static void nothing_is_lost(void **state) {
    struct run r = start();
    uint64_t random = 3, kernel = 0, sum = 0;
    struct result_profile out;
    (void)state;

    for (unsigned i = 0; i < 200000; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
        const uint64_t what = random >> 33;
        const unsigned n = (unsigned)(what % 17);
        const uint64_t slot = STACK_1 + ((what >> 8) % 4) * 0x4000 + ((what >> 12) % 0x7ff) * 8;

        if (what % 5 == 0)
            profile_call(r.p, 0, slot);
        else if (what % 5 == 1)
            profile_return(r.p, 0, slot);
        else if (what % 5 == 2)
            profile_iret(r.p, 0);
        const unsigned where = (unsigned)((what >> 4) % 8);
        block(&r, where, n);
        kernel += where ? n : 0;
    }
    block(&r, 0, 0);
    profile_operations(r.p, &out);
    for (unsigned i = 0; i < RESULT_OPERATIONS; i++)
        sum += out.instructions[i];
    assert_int_equal(sum, kernel);
    free(out.stacks);
    profile_reset(r.p);
    profile_operations(r.p, &out);
    assert_int_equal(out.functions, 0);
    free(out.stacks);
    profile_free(r.p);
}

static void no_symbols(void **state) {
    struct profile *p;
    char why[256] = "";
    (void)state;

    assert_true(profile_new(&p, "/no/such/map", 1, why, sizeof(why)) < 0);
    assert_non_null(strstr(why, "/no/such/map"));
    assert_true(profile_new(&p, "/dev/null", 1, why, sizeof(why)) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_returns), cmocka_unit_test(tail_calls),      cmocka_unit_test(exceptions),
        cmocka_unit_test(context_switches),  cmocka_unit_test(nothing_is_lost), cmocka_unit_test(no_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
