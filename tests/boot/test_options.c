/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt boot: what it is asked for, what it asks of the emulator, and what it hears from the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "boot/boot.h"

#define WORDS 16

/* The exit status that these words lead to, -1: they make sense. */
static int parse(struct boot_options *opt, const char *line) {
    static char text[512];
    static char *argv[WORDS];
    int argc = 0;

    snprintf(text, sizeof(text), "boot %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return boot_parse(opt, argc, argv) - 1;
}

static void makes_sense(void **state) {
    struct boot_options opt;
    (void)state;

    assert_int_equal(parse(&opt, ""), -1);
    assert_string_equal(opt.mmu, "radix4");
    assert_int_equal(opt.cpus, 1);
    assert_null(opt.command);
    assert_int_equal(opt.limit_seconds, 0);
    assert_int_equal(parse(&opt, "--mmu radix5 --smp 4 --memory 2G --time 30 --walker qemu -- ls -l /"), -1);
    assert_string_equal(opt.mmu, "radix5");
    assert_int_equal(opt.cpus, 4);
    assert_int_equal(opt.memory_bytes, 2ull << 30);
    assert_int_equal(opt.limit_seconds, 30);
    assert_int_equal(opt.walker, BOOT_WALKER_QEMU);
    assert_string_equal(opt.command[0], "ls");
    assert_string_equal(opt.command[2], "/");
    assert_int_equal(parse(&opt, "--kernel emt --mmu fpt:l3l2 -- true"), -1);
    assert_int_equal(opt.kernel, BOOT_EMT);
    assert_int_equal(parse(&opt, "-- true"), -1);
    assert_true(opt.limit_seconds > 0); /* a command that hangs ends */
}

static void makes_none(void **state) {
    static const char *const bad[] = {
        "--mmu radix6",
        "--mmu ecpt",
        "--kernel bsd",
        "--smp 0",
        "--smp 65",
        "--smp -1",
        "--smp two",
        "--memory 1",
        "--memory 64M",
        "--memory lots",
        "--memory 1G5",
        "--time 0",
        "--walker mine",
        "--disk /no/image",
        "--add /no/file",
        "--add /no/file:/etc",
        "--icount --smp 2",
        "--no-such-option",
        "--smp",
        "uname -a",
        "--linux-source /no",
        "--qemu-source /no",
        "--memory 512000001",
        "--gdb /tmp/a,b",
        "--monitor",
    };
    struct boot_options opt;
    (void)state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        print_message("emt boot %s: ", bad[i]);
        fflush(stdout);
        assert_int_equal(parse(&opt, bad[i]), 2);
    }
    assert_int_equal(parse(&opt, "--help"), 0);
}

static bool has(char **argv, const char *flag, const char *part) {
    for (unsigned i = 0; argv[i] && argv[i + 1]; i++)
        if (strcmp(argv[i], flag) == 0 && strstr(argv[i + 1], part))
            return true;
    return false;
}

static void asks_the_emulator(void **state) {
    struct boot_parts parts = {.qemu = "/x/qemu", .firmware = "/x", .kernel = "/x/bzImage", .image = "/x/cpio"};
    struct boot_wires far = {3, 4, 5, 6, 7};
    struct boot_options opt;
    (void)state;

    parse(&opt, "--mmu radix5 --smp 3 --memory 768M --append debug --walker qemu -- true");
    char **argv = boot_arguments(&opt, &parts, &far);
    assert_non_null(argv);
    assert_string_equal(argv[0], "/x/qemu");
    assert_true(has(argv, "-cpu", "la57=on"));
    assert_true(has(argv, "-cpu", "emt-paging=off"));
    assert_true(has(argv, "-smp", "3"));
    assert_true(has(argv, "-m", "768M"));
    assert_true(has(argv, "-append", " debug"));
    assert_true(has(argv, "-accel", "thread=multi"));
    assert_true(has(argv, "-chardev", "id=stdout,fd=4"));
    assert_false(has(argv, "-drive", "file"));
    boot_free_arguments(argv);
    parse(&opt, "--gdb /tmp/g --monitor /tmp/m -- true");
    argv = boot_arguments(&opt, &parts, &far);
    assert_true(has(argv, "-gdb", "unix:/tmp/g,server=on,wait=off"));
    assert_true(has(argv, "-monitor", "unix:/tmp/m,server=on,wait=off"));
    boot_free_arguments(argv);
    parse(&opt, "--icount -- true");
    argv = boot_arguments(&opt, &parts, &far);
    assert_true(has(argv, "-cpu", "la57=off"));
    assert_true(has(argv, "-cpu", "emt-paging=on"));
    assert_true(has(argv, "-icount", "shift=0"));
    assert_true(has(argv, "-accel", "thread=single"));
    boot_free_arguments(argv);
}

static void tells_how_much_memory(void **state) {
    (void)state;
    assert_int_equal(boot_check_memory(1ull << 30, 2ull << 30), 0);
    assert_int_equal(boot_check_memory(1ull << 30, 1ull << 30), 1);
    assert_int_equal(boot_check_memory(1ull << 30, ~0ull), 0);
}

/* The same text in pieces of every size says the same. */
static void hears_the_guest(void **state) {
    static const char console[] =
        "[    1.0] all is well\r\n[    2.0] Kernel panic - not syncing: VFS: no root\r\nend\r\n";
    static const char control[] = "run\nexit 42\n";
    (void)state;

    for (size_t piece = 1; piece < sizeof(console); piece++) {
        struct boot_watch w = {0};

        for (size_t i = 0; i < sizeof(console) - 1; i += piece)
            boot_watch_console(&w, console + i, piece < sizeof(console) - 1 - i ? piece : sizeof(console) - 1 - i);
        assert_true(w.panicked);
        assert_string_equal(w.panic, "VFS: no root");
        assert_int_equal(w.lines, 3);
        assert_string_equal(w.last[2], "end");
        for (size_t i = 0; i < sizeof(control) - 1; i += piece)
            boot_watch_control(&w, control + i, piece < sizeof(control) - 1 - i ? piece : sizeof(control) - 1 - i);
        assert_true(w.running);
        assert_true(w.ended);
        assert_int_equal(w.status, 42);
    }
}

/* Nothing that a guest sends makes us write beyond our buffers, or believe in an end that is none. */
static void hears_nonsense(void **state) {
    struct boot_watch w = {0};
    uint64_t random = 1;
    char text[257];
    (void)state;

    for (unsigned turn = 0; turn < 2000; turn++) {
        for (unsigned i = 0; i < sizeof(text); i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
            text[i] = (char)(random >> 56);
        }
        boot_watch_console(&w, text, sizeof(text));
        boot_watch_control(&w, text, sizeof(text));
    }
    boot_watch_control(&w, "\nexit 256\nexit -1\nexit\nexit x\n", 31);
    assert_false(w.ended);
    assert_false(w.panicked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_sense),       cmocka_unit_test(makes_none),
        cmocka_unit_test(asks_the_emulator), cmocka_unit_test(tells_how_much_memory),
        cmocka_unit_test(hears_the_guest),   cmocka_unit_test(hears_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
