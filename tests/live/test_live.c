/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Live programs: what arrives from guest.c, of which all is known, and from real ones, which must stay in their
 * mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/live/checker.h"

#define AREA       0x700000000000ull
#define AREA_BYTES (1000 * 4096ull)

struct outcome {
    struct checker *checker;
    uint64_t area_loads, area_stores, accesses_with_pc;
    uint64_t stores_at[1000]; /* by page of the area */
    unsigned left_by_exec;
    int status, error;
    char note[512], message[512];
};

static const char *guest(void) {
    return getenv("EMT_TEST_GUEST") ? getenv("EMT_TEST_GUEST") : "tests/live/guest";
}

static void count_in_area(struct checker *c, uint32_t process, uint32_t thread, uint64_t word) {
    struct outcome *o = c->context;
    uint64_t at = ev_address(word) - AREA;
    (void)process;
    (void)thread;
    o->accesses_with_pc += (word & EV_HAS_PC) != 0;
    if (at >= AREA_BYTES)
        return;
    if ((word & EV_KIND_MASK) == EV_STORE) {
        o->area_stores++;
        o->stores_at[at / 4096]++;
    } else {
        o->area_loads++;
    }
}

struct run {
    struct live_options options;
    bool want_pc;
    unsigned kill_after_blocks; /* the emulator gets SIGKILL */
    unsigned stop_after_blocks; /* live_stop */
    bool detach;
};

static pid_t child_of_mine(void) {
    char path[64];
    int pid = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    if (f) {
        if (fscanf(f, "%d", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    return pid;
}

static struct outcome *run_with(const struct run *r, char *const argv[]) {
    struct outcome *o = calloc(1, sizeof(*o));
    struct ev_source *source;
    const struct ev_block *b;
    unsigned blocks = 0;
    assert_non_null(o);
    o->checker = checker_new();
    o->checker->context = o;
    o->checker->on_access = count_in_area;
    o->error = live_open(&source, argv, &r->options, o->message, sizeof(o->message));
    if (o->error)
        return o;
    source->want_pc = r->want_pc;
    while ((o->error = source->next(source, &b)) == 1) {
        checker_block(o->checker, b);
        source->release(source, b);
        blocks++;
        if (blocks == r->kill_after_blocks)
            kill(child_of_mine(), SIGKILL);
        if (blocks == r->stop_after_blocks)
            live_stop(source, r->detach);
    }
    o->status = live_wait(source);
    o->left_by_exec = source->left_by_exec;
    memcpy(o->note, source->note, sizeof(o->note));
    if (o->error)
        memcpy(o->message, source->error, sizeof(o->message));
    source->close(source);
    return o;
}

static struct outcome *run(const char *what, const char *argument) {
    struct run r = {0};
    return run_with(&r, (char *[]){(char *)guest(), (char *)what, (char *)argument, NULL});
}

static void done(struct outcome *o) {
    checker_free(o->checker);
    free(o);
}

static void assert_clean(const struct outcome *o) {
    const struct checker *c = o->checker;
    if (o->error || c->bad_words || c->outside || c->forbidden || c->fetch_outside) {
        print_message("%s\n", o->message);
        checker_print(c, stderr);
    }
    assert_int_equal(o->error, 0);
    assert_int_equal(c->bad_words, 0);
    assert_int_equal(c->outside, 0);
    assert_int_equal(c->forbidden, 0);
    assert_int_equal(c->fetch_outside, 0);
}

static void test_touch(void **state) {
    (void)state;
    struct outcome *o = run("touch", NULL);
    assert_clean(o);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->area_stores, 1000);
    assert_int_equal(o->area_loads, 500);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(o->stores_at[i], 1);
    assert_int_equal(o->checker->events[EV_STACK], 1);
    assert_int_equal(o->checker->events[EV_EXIT], 1);
    assert_string_equal(o->note, "");
    done(o);
}

static void test_threads(void **state) {
    (void)state;
    struct outcome *o = run("threads", NULL);
    assert_clean(o);
    assert_int_equal(o->checker->events[EV_THREAD], 4);
    assert_int_equal(o->checker->threads, 5);
    assert_int_equal(o->area_stores, 4 * 100 * 20);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(o->stores_at[i], 20);
    done(o);
}

static void test_forks(void **state) {
    (void)state;
    struct outcome *o = run("forks", NULL);
    assert_clean(o);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->checker->events[EV_FORK], 2 + 4 + 8 + 16);
    assert_int_equal(o->checker->events[EV_EXIT], 31);
    assert_int_equal(o->area_stores, 31);
    assert_int_equal(o->stores_at[0], 16);
    assert_int_equal(o->checker->threads, 31);
    done(o);

    struct run ignore = {.options = {.children = LIVE_CHILDREN_IGNORE}};
    o = run_with(&ignore, (char *[]){(char *)guest(), "forks", NULL});
    assert_clean(o);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->checker->events[EV_FORK], 0);
    assert_int_equal(o->area_stores, 1);
    done(o);
}

/* vfork's children borrow their parent's memory: threads, not copies. */
static void test_spawn(void **state) {
    (void)state;
    struct outcome *o = run("spawn", NULL);
    assert_clean(o);
    assert_int_equal(o->status, 7);
    assert_int_equal(o->checker->events[EV_FORK], 0);
    assert_int_equal(o->checker->events[EV_THREAD], 2);
    assert_int_equal(o->left_by_exec, 1);
    assert_string_equal(o->note, "1 program was started by exec and ran natively: true");
    done(o);
}

static void test_exec_after_fork(void **state) {
    (void)state;
    struct run r = {0};
    struct outcome *o = run_with(&r, (char *[]){"/bin/sh", "-c", "/bin/true & wait; exit 3", NULL});
    assert_clean(o);
    assert_int_equal(o->status, 3);
    assert_int_equal(o->checker->events[EV_FORK], 1);
    assert_int_equal(o->checker->events[EV_EXEC], 1);
    assert_int_equal(o->checker->events[EV_EXIT], 2);
    done(o);
    o = run_with(&r, (char *[]){"/bin/sh", "-c", "exec /bin/sh -c 'exit 9'", NULL});
    assert_clean(o);
    assert_int_equal(o->status, 9);
    assert_int_equal(o->left_by_exec, 1);
    done(o);
}

static void test_mappings(void **state) {
    (void)state;
    struct outcome *o = run("mappings", NULL);
    assert_clean(o);
    assert_int_equal(o->status, 0);
    assert_int_equal(o->checker->events[EV_MREMAP], 3);
    assert_int_equal(o->checker->events[EV_MADVISE], 1);
    assert_true(o->checker->events[EV_BRK] >= 3);
    done(o);
}

/* How many instructions more the guest runs for one repeated string instruction than for none. */
static int64_t instructions_of_rep(void) {
    struct outcome *o = run("rep", NULL), *plain = run("exit", "0");
    assert_clean(o);
    assert_int_equal(o->area_stores, 4096);
    assert_int_equal(o->stores_at[0], 4096);
    int64_t more = (int64_t)o->checker->instructions - (int64_t)plain->checker->instructions;
    done(o);
    done(plain);
    return more;
}

static void test_repeated_string(void **state) {
    (void)state;
    int64_t more = 0;
    /* 4096 rounds are one instruction. On a loaded machine the two runs were once seen to differ by more; why is
       not known, so it is said, and measured again. */
    for (unsigned i = 0; i < 3; i++) {
        more = instructions_of_rep();
        if (more > -2000 && more < 2000)
            return;
        print_message("rep: %" PRId64 " instructions more than without\n", more);
    }
    fail_msg("4096 rounds took %" PRId64 " instructions", more);
}

static void test_statuses(void **state) {
    (void)state;
    static const char *const number[] = {"11", "9", "6"};
    for (size_t i = 0; i < 3; i++) {
        struct outcome *o = run("signal", number[i]);
        assert_clean(o);
        assert_int_equal(o->status, 128 + atoi(number[i]));
        assert_int_equal(o->area_stores, 1); /* what was written before the end is kept */
        assert_int_equal(o->checker->events[EV_EXIT], 1);
        done(o);
    }
    struct outcome *o = run("exit", "42");
    assert_clean(o);
    assert_int_equal(o->status, 42);
    done(o);
    o = run("child-killed", NULL);
    assert_clean(o);
    assert_int_equal(o->status, 5);
    assert_int_equal(o->area_stores, 1);
    assert_int_equal(o->checker->events[EV_EXIT], 2);
    done(o);
}

static void test_killed_emulator(void **state) {
    (void)state;
    for (unsigned blocks = 1; blocks < 30; blocks += 7) {
        struct run r = {.kill_after_blocks = blocks};
        struct outcome *o = run_with(&r, (char *[]){(char *)guest(), "endless", NULL});
        assert_clean(o);
        assert_int_equal(o->status, 128 + SIGKILL);
        assert_int_equal(o->checker->events[EV_EXIT], 1);
        done(o);
    }
}

static void test_stop(void **state) {
    (void)state;
    struct run r = {.stop_after_blocks = 20};
    struct outcome *o = run_with(&r, (char *[]){(char *)guest(), "endless", NULL});
    assert_int_equal(o->error, 0);
    assert_int_equal(o->status, 128 + SIGTERM);
    done(o);
    r.detach = true;
    r.stop_after_blocks = 1;
    o = run_with(&r, (char *[]){(char *)guest(), "mappings", NULL});
    assert_int_equal(o->error, 0);
    assert_int_equal(o->status, 0); /* went on to its end */
    done(o);
}

/* The reader dies: the program must not wait for it. */
static void test_killed_reader(void **state) {
    (void)state;
    char path[] = "/tmp/emt-live-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    pid_t reader = fork();
    if (reader == 0) {
        struct live_options opt = {0};
        struct ev_source *source;
        const struct ev_block *b;
        char why[512], *argv[] = {(char *)guest(), "work", path, NULL};
        if (live_open(&source, argv, &opt, why, sizeof(why)) == 0)
            source->next(source, &b);
        kill(getpid(), SIGKILL);
    }
    waitpid(reader, NULL, 0);
    bool arrived = false;
    for (unsigned i = 0; i < 200 && !arrived; i++) {
        usleep(50000);
        arrived = access(path, F_OK) == 0;
    }
    assert_true(arrived);
    unlink(path);
}

/* Addresses, times and process numbers make small differences. */
static void assert_near(uint64_t a, uint64_t b) {
    assert_true(a < b + b / 100 && b < a + a / 100);
}

static void test_with_pc(void **state) {
    (void)state;
    struct outcome *o = run("touch", NULL);
    struct run pc = {.want_pc = true};
    struct outcome *p = run_with(&pc, (char *[]){(char *)guest(), "touch", NULL});
    assert_clean(p);
    assert_int_equal(p->area_stores, 1000);
    assert_near(p->checker->instructions, o->checker->instructions);
    /* all but what the loader wrote */
    assert_true(p->accesses_with_pc + 16 > p->checker->loads + p->checker->stores);
    done(o);
    done(p);
}

static void test_real_programs(void **state) {
    (void)state;
    char *const programs[][6] = {
        {"true", NULL},
        {"sqlite3", ":memory:", "create table t(a); insert into t values(1),(2); select sum(a) from t;", NULL},
        {"sort", "-o", "/dev/null", "/etc/passwd", NULL},
        {"/usr/bin/python3", "-c", "print(sum(range(1000)))", NULL},
    };
    struct run r = {0};
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct outcome *o = run_with(&r, programs[i]);
        if (o->error == -ENOENT) {
            print_message("%s is not installed: left out\n", programs[i][0]);
            done(o);
            continue;
        }
        assert_clean(o);
        assert_int_equal(o->status, 0);
        done(o);
    }
}

static void write_file(const char *path, const void *data, size_t bytes, mode_t mode) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, bytes), (ssize_t)bytes);
    fchmod(fd, mode);
    close(fd);
}

static void assert_refused(const char *path, const char *part) {
    struct run r = {0};
    struct outcome *o = run_with(&r, (char *[]){(char *)path, NULL});
    if (o->error >= 0 || !strstr(o->message, part))
        print_message("%s: got \"%s\", expected \"%s\"\n", path, o->message, part);
    assert_true(o->error < 0);
    assert_non_null(strstr(o->message, part));
    assert_null(strchr(o->message, '\n'));
    done(o);
}

static void test_refusals(void **state) {
    (void)state;
    char folder[] = "/tmp/emt-live-XXXXXX", path[64];
    unsigned char header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 62, [32] = 64, [54] = 56, [56] = 1};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/program", folder);

    assert_refused("no-such-program-here", "no such program in PATH");
    assert_refused("/no/such/file", "no such file");
    assert_refused("/tmp", "is a folder");
    assert_refused("", "no program");
    write_file(path, "hello", 5, 0600);
    if (geteuid() != 0 || access(path, X_OK) != 0)
        assert_refused(path, "not executable");
    write_file(path, "hello", 5, 0700);
    assert_refused(path, "neither an ELF file nor");
    write_file(path, "", 0, 0700);
    assert_refused(path, "neither an ELF file nor");
    write_file(path, "#!\n", 3, 0700);
    assert_refused(path, "names no interpreter");
    write_file(path, "#! /no/such/interpreter -x\n", 27, 0700);
    assert_refused(path, "/no/such/interpreter cannot be run");
    char loop[80];
    write_file(path, loop, (size_t)snprintf(loop, sizeof(loop), "#!%s\n", path), 0700);
    assert_refused(path, "more than 4 deep");
    write_file(path, header, 40, 0700);
    assert_refused(path, "truncated");
    write_file(path, header, 64, 0700);
    assert_refused(path, "truncated or damaged");
    header[16] = 1;
    write_file(path, header, 64, 0700);
    assert_refused(path, "object file");
    header[16] = 3;
    header[18] = 183;
    write_file(path, header, 64, 0700);
    assert_refused(path, "aarch64");
    header[4] = 1;
    header[18] = 3;
    write_file(path, header, 64, 0700);
    assert_refused(path, "32-bit x86");
    unlink(path);
    rmdir(folder);
}

static void test_script(void **state) {
    (void)state;
    char path[] = "/tmp/emt-live-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "#!/bin/sh -e\ntest \"$1\" = one || exit 1\nfalse\nexit 2\n", 52, 0700);
    struct run r = {0};
    struct outcome *o = run_with(&r, (char *[]){path, "one", NULL});
    assert_clean(o);
    assert_int_equal(o->status, 1);
    done(o);
    unlink(path);
}

/* Emulators that will not do, played by scripts. */
static void test_emulators(void **state) {
    (void)state;
    char path[] = "/tmp/emt-live-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    static const struct {
        const char *script, *part;
    } emulator[] = {
        {"#!/bin/sh\necho qemu-x86_64 version 10.0.2\n", "without TCG plugins"},
        {"#!/bin/sh\necho hello\n", "does not say its version"},
        {"#!/bin/sh\necho 'qemu-x86_64 version 5.0.0'\necho '-plugin x'\n", "too old"},
    };
    for (size_t i = 0; i < sizeof(emulator) / sizeof(emulator[0]); i++) {
        write_file(path, emulator[i].script, strlen(emulator[i].script), 0700);
        struct run r = {.options = {.qemu = path}};
        struct outcome *o = run_with(&r, (char *[]){"/bin/true", NULL});
        assert_true(o->error < 0);
        assert_non_null(strstr(o->message, emulator[i].part));
        done(o);
    }
    struct run r = {.options = {.qemu = "no-qemu-here"}};
    struct outcome *o = run_with(&r, (char *[]){"/bin/true", NULL});
    assert_non_null(strstr(o->message, "apt install qemu-user"));
    done(o);
    /* accepts the plugin, but ends before it loads it */
    const char *liar = "#!/bin/sh\ncase $1 in --version) echo 'qemu version 7.2';; -h) echo; echo '-plugin x';; "
                       "*) exit 6;; esac\n";
    write_file(path, liar, strlen(liar), 0700);
    r.options.qemu = path;
    o = run_with(&r, (char *[]){"/bin/true", NULL});
    assert_int_equal(o->error, -EIO);
    assert_non_null(strstr(o->message, "ended with status 6"));
    done(o);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_touch),           cmocka_unit_test(test_threads),
        cmocka_unit_test(test_forks),           cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_exec_after_fork), cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_repeated_string), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_killed_emulator), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_killed_reader),   cmocka_unit_test(test_with_pc),
        cmocka_unit_test(test_real_programs),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_script),          cmocka_unit_test(test_emulators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
