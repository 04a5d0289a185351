/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Would the random sequences of test_oracle.c see a frame that is used twice, or one that is lost? The linker puts
 * the functions below between the OS and the frame allocator (--wrap), and they do now and then what a wrong
 * placement policy would: each policy must be caught, and must pass when nothing is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "oracle.h"
#include "os/frames.h"

#define BYTES 20000
#define EVERY 40 /* the first of so many allocations goes wrong, and the next so many */

enum bug {
    NONE,
    TWICE,   /* an allocation gives a frame that somebody has */
    DROPPED, /* it takes a frame, and says that there was none */
    KEPT,    /* a frame that is given back stays allocated */
    BUGS
};
static const char *const bug_name[BUGS] = {"nothing", "a frame used twice", "a frame taken and dropped",
                                           "a frame never given back"};

/* Of this process; a test forks one for each bug. */
static struct {
    enum bug bug;
    enum cfg_placement policy; /* whose allocations go wrong */
    unsigned calls;
    uint64_t last; /* the frame that was given last */
} planted;

uint64_t __real_frames_alloc(struct frames *f, unsigned order, int node, enum frame_mobility m, enum os_use use);
uint64_t __real_frames_alloc_at(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                enum os_use use);
uint64_t __real_frames_alloc_target(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                    enum os_use use);
void __real_frames_free(struct frames *f, uint64_t pfn);
uint64_t __wrap_frames_alloc(struct frames *f, unsigned order, int node, enum frame_mobility m, enum os_use use);
uint64_t __wrap_frames_alloc_at(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                enum os_use use);
uint64_t __wrap_frames_alloc_target(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                    enum os_use use);
void __wrap_frames_free(struct frames *f, uint64_t pfn);

/* What an allocation that came to `pfn` answers. */
static uint64_t answer(struct frames *f, uint64_t pfn, unsigned order, enum os_use use) {
    uint64_t last = planted.last;

    if (order || use != OS_USE_4K || pfn == FRAME_NONE)
        return pfn;
    bool wrong = ++planted.calls % EVERY == 0;
    if (wrong && planted.bug == DROPPED)
        return FRAME_NONE;
    if (wrong && planted.bug == TWICE && last != FRAME_NONE && frames_head(f, last) == last &&
        frames_of(f, last)->use == OS_USE_4K) {
        __real_frames_free(f, pfn);
        return last;
    }
    planted.last = pfn;
    return pfn;
}

uint64_t __wrap_frames_alloc(struct frames *f, unsigned order, int node, enum frame_mobility m, enum os_use use) {
    uint64_t pfn = __real_frames_alloc(f, order, node, m, use);

    return planted.policy == CFG_PLACEMENT_DEFAULT ? answer(f, pfn, order, use) : pfn;
}

/* Eager paging takes frames in this way, and the daemon of ranger. */
uint64_t __wrap_frames_alloc_at(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                enum os_use use) {
    uint64_t got = __real_frames_alloc_at(f, pfn, order, m, use);

    return planted.policy == CFG_PLACEMENT_EAGER || planted.policy == CFG_PLACEMENT_RANGER
               ? answer(f, got, order, use)
               : got;
}

uint64_t __wrap_frames_alloc_target(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                                    enum os_use use) {
    uint64_t got = __real_frames_alloc_target(f, pfn, order, m, use);

    return planted.policy == CFG_PLACEMENT_CA ? answer(f, got, order, use) : got;
}

void __wrap_frames_free(struct frames *f, uint64_t pfn) {
    if (planted.bug == KEPT && frames_of(f, pfn)->use == OS_USE_4K && ++planted.calls % EVERY == 0)
        return;
    __real_frames_free(f, pfn);
}

/* A process of its own: what is wrong may also end in an assertion. Returns its wait status. */
static int sequence(enum cfg_placement policy, enum bug bug) {
    const struct oracle_setup setup = {.arch = "radix4",
                                       .zero_page = true,
                                       .thp = CFG_THP_NEVER,
                                       .memory_bytes = 64 << 20,
                                       .nodes = 1,
                                       .fault_around_pages = 16,
                                       .verify_every = bug ? 1 : 64,
                                       .placement = policy};
    static uint8_t bytes[BYTES];
    int status;

    oracle_calls_of(1, bytes, BYTES);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        planted.bug = bug;
        planted.policy = policy;
        planted.last = FRAME_NONE;
        _exit(oracle_run(&setup, bytes, BYTES, NULL) ? 1 : planted.calls < EVERY && bug ? 2 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void caught(void **state) {
    static const char *const name[] = {[CFG_PLACEMENT_DEFAULT] = "default",
                                       [CFG_PLACEMENT_CA] = "ca",
                                       [CFG_PLACEMENT_EAGER] = "eager",
                                       [CFG_PLACEMENT_RANGER] = "ranger"};
    const enum cfg_placement *policy = *state;

    for (enum bug bug = NONE; bug < BUGS; bug++) {
        int status = sequence(*policy, bug);

        if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
            fail_msg("%s, %s: the sequence never came to it", name[*policy], bug_name[bug]);
        if (bug == NONE && (!WIFEXITED(status) || WEXITSTATUS(status)))
            fail_msg("%s: wrong, and nothing was planted", name[*policy]);
        if (bug != NONE && WIFEXITED(status) && !WEXITSTATUS(status))
            fail_msg("%s: %s, and nobody saw it", name[*policy], bug_name[bug]);
        if (bug != NONE)
            printf("%s: %s: %s\n", name[*policy], bug_name[bug],
                   WIFSIGNALED(status) ? "an assertion stopped it" : "the checks saw it");
    }
}

int main(void) {
    static enum cfg_placement policy[] = {CFG_PLACEMENT_DEFAULT, CFG_PLACEMENT_CA, CFG_PLACEMENT_EAGER,
                                          CFG_PLACEMENT_RANGER};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(caught, &policy[0]),
        cmocka_unit_test_prestate(caught, &policy[1]),
        cmocka_unit_test_prestate(caught, &policy[2]),
        cmocka_unit_test_prestate(caught, &policy[3]),
    };

    return cmocka_run_group_tests_name("os/planted", tests, NULL, NULL);
}
