/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Would the random sequences of test_pressure.c see a mistake in reclaim? The linker puts the functions below
 * between the files of src/os (--wrap); one at a time they do what a wrong one would: each mistake must be seen,
 * whatever the policy, and nothing when nothing is wrong.
 *
 * Who leaves though it was used, and what is written though it is clean, is no loss of contents; so evict() here
 * looks at the tables once more.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "oracle.h"
#include "os/reclaim.h"

#define BYTES 12000
#define SEEDS 4
#define MIB   (1ull << 20)

enum bug {
    NONE,
    DIRTY_TABLE,
    DIRTY_UNMAPPED,
    DIRTY_LAZY,
    CLEAN_WRITTEN,
    CHILD_MISSED,
    YOUNG,
    FLUSH,
    ENTRY_LOST,
    ENTRY_WRONG,
    WRITE_ERROR,
    FILE_OFFSET,
    FILE_INDEX,
    FILE_TRUNCATED,
    SHMEM_LOST,
    SLOT_TWICE,
    SLOT_FREED_TWICE,
    SLOT_KEPT,
    FORK_SLOT,
    CACHE_WRITTEN,
    CACHE_STALE,
    FREED_LISTED,
    ZERO_PAGE,
    PIECES,
    BUGS
};

/* Bits: on which of the setups below. */
enum {
    ON_LRU = 1,
    ON_GENS = 2,
    ON_HORIZON = 4,
    ON_HUGE = 8,
    ON_ERRORS = 16,
    ON_ALL = ON_LRU | ON_GENS | ON_HORIZON
};
#define SETUPS 5

static const struct {
    const char *name;
    unsigned setups;
} bug_of[BUGS] = {
    [NONE] = {"nothing", ON_ALL | ON_HUGE | ON_ERRORS},
    [DIRTY_TABLE] = {"the dirty bit of a table is not looked at", ON_ALL},
    [DIRTY_UNMAPPED] = {"what a table knew of writes is forgotten when it is unmapped", ON_ALL},
    [DIRTY_LAZY] = {"a page given up with MADV_FREE goes although it was written again", ON_LRU},
    [CLEAN_WRITTEN] = {"what is clean is written", ON_LRU | ON_GENS},
    [CHILD_MISSED] = {"the reverse map misses one of several mappings", ON_ALL},
    [YOUNG] = {"the accessed bit is not looked at", ON_LRU | ON_GENS},
    [FLUSH] = {"no TLB is flushed before a page leaves", ON_ALL},
    [ENTRY_LOST] = {"no swap entry is left behind", ON_ALL},
    [ENTRY_WRONG] = {"the swap entry names the next slot", ON_ALL},
    [WRITE_ERROR] = {"an error of the device at a write is dropped", ON_ERRORS},
    [FILE_OFFSET] = {"a file's page is written back to the next one's place", ON_ALL},
    [FILE_INDEX] = {"the index of a file keeps the frame of a page that left", ON_ALL},
    [FILE_TRUNCATED] = {"what was written back stays when a file is cut", ON_ALL},
    [SHMEM_LOST] = {"shared memory forgets its slot", ON_ALL},
    [SLOT_TWICE] = {"a slot in use is given out again", ON_ALL},
    [SLOT_FREED_TWICE] = {"a slot is freed twice", ON_ALL},
    [SLOT_KEPT] = {"a slot is not freed when its entry goes", ON_ALL},
    [FORK_SLOT] = {"fork does not count a swap entry", ON_ALL},
    [CACHE_WRITTEN] = {"a page in the swap cache is written to although others have its slot", ON_ALL},
    [CACHE_STALE] = {"a freed frame stays in the swap cache", ON_ALL},
    [FREED_LISTED] = {"a freed frame stays on its list", ON_LRU | ON_GENS},
    [ZERO_PAGE] = {"the page of zeroes is on the lists", ON_ALL},
    [PIECES] = {"pieces of a huge page join no list", ON_HUGE},
};

static const char *const setup_name[SETUPS] = {"lru", "generations", "horizon", "huge pages", "errors"};

#define SETUP(of, mib, ...)                                                                                        \
    {                                                                                                              \
        .arch = of, .memory_bytes = (mib)*MIB, .swap_bytes = 128 * MIB, .device = CFG_DEVICE_SSD,                  \
        .zero_page = true, .nodes = 1, .fault_around_pages = 16, .verify_every = 4, __VA_ARGS__                    \
    }

static const struct oracle_setup setup_of[SETUPS] = {
    SETUP("radix4", 4, .reclaim = CFG_RECLAIM_LRU),
    SETUP("radix4", 4, .reclaim = CFG_RECLAIM_GENERATIONS),
    SETUP("mosaic:4", 8, .reclaim = CFG_RECLAIM_AUTO),
    SETUP("radix4", 8, .reclaim = CFG_RECLAIM_LRU, .thp = CFG_THP_ALWAYS),
    SETUP("radix4", 4, .reclaim = CFG_RECLAIM_LRU, .fail_every = 5),
};

/* Of this process; a test forks one for each run. */
static struct {
    enum bug bug;
    uint64_t done;        /* how often it went wrong */
    uint64_t slot;        /* that was given out last */
    uint64_t failed_slot; /* whose write failed, and nobody heard of it */
    bool failed_file;
    bool clean; /* the page that leaves need not be written */
    void (*flush)(void *hw, const struct emt_flush *f);
} planted;

static bool wrong(enum bug bug, bool now) {
    bool yes = planted.bug == bug && now;

    planted.done += yes;
    return yes;
}

/* ---- reverse mappings ---- */

bool __real_rmap_find(struct os *os, uint64_t pfn, const struct frame *f);
bool __wrap_rmap_find(struct os *os, uint64_t pfn, const struct frame *f);
bool __wrap_rmap_find(struct os *os, uint64_t pfn, const struct frame *f) {
    struct reclaim *r = os->reclaim;

    if (wrong(DIRTY_UNMAPPED, f->flags & FRAME_DIRTY))
        frames_of(os->frames, pfn)->flags &= (uint16_t)~FRAME_DIRTY;
    bool found = __real_rmap_find(os, pfn, f);
    for (uint64_t i = 0; i < r->nmap; i++)
        if (wrong(DIRTY_TABLE, r->map[i].dirty) || wrong(DIRTY_LAZY, r->map[i].dirty && f->flags & FRAME_LAZYFREE))
            r->map[i].dirty = false;
        else if (wrong(CLEAN_WRITTEN, !r->map[i].dirty))
            r->map[i].dirty = true;
    r->nmap -= wrong(CHILD_MISSED, found && r->nmap > 1);
    return found;
}

unsigned __real_rmap_referenced(struct os *os, uint64_t pfn, const struct frame *f, bool *exec);
unsigned __wrap_rmap_referenced(struct os *os, uint64_t pfn, const struct frame *f, bool *exec);
unsigned __wrap_rmap_referenced(struct os *os, uint64_t pfn, const struct frame *f, bool *exec) {
    *exec = false;
    return wrong(YOUNG, true) ? 0 : __real_rmap_referenced(os, pfn, f, exec);
}

static void no_flush(void *hw, const struct emt_flush *f) {
    (void)hw;
    (void)f;
}

int __real_rmap_unmap(struct os *os, const struct rmap *m, uint64_t pfn, uint64_t slot);
int __wrap_rmap_unmap(struct os *os, const struct rmap *m, uint64_t pfn, uint64_t slot);
int __wrap_rmap_unmap(struct os *os, const struct rmap *m, uint64_t pfn, uint64_t slot) {
    if (wrong(FLUSH, true)) {
        planted.flush = os->host->flush;
        os->host->flush = no_flush;
    }
    int err = __real_rmap_unmap(os, m, pfn, wrong(ENTRY_LOST, slot != SWAP_NONE) ? SWAP_NONE : slot);
    if (planted.bug == FLUSH)
        os->host->flush = planted.flush;
    if (slot != SWAP_NONE && slot == planted.failed_slot)
        os->reclaim->swap.content[slot] = ~0ull; /* as the device has it: nothing that was ever there */
    return err;
}

int __real_emt_tobj_init_swap(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t bytes,
                              uint64_t swap);
int __wrap_emt_tobj_init_swap(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t bytes,
                              uint64_t swap);
int __wrap_emt_tobj_init_swap(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t bytes,
                              uint64_t swap) {
    return __real_emt_tobj_init_swap(svc, o, va, bytes, swap + wrong(ENTRY_WRONG, true));
}

static void seen_wrong(uint64_t pfn, const char *what) {
    fprintf(stderr, "oracle: frame or place %llu %s\n", (unsigned long long)pfn, what);
    abort();
}

/* Not a mistake, but a look: what the policy chose must not have been used since it was looked at; and is its
   content where it goes already? */
enum evicted __real_evict(struct os *os, uint64_t pfn);
enum evicted __wrap_evict(struct os *os, uint64_t pfn);
enum evicted __wrap_evict(struct os *os, uint64_t pfn) {
    const struct reclaim *r = os->reclaim;
    const struct frame *f = frames_of(os->frames, pfn);
    struct emt_tobj o;

    planted.clean = !(f->flags & FRAME_DIRTY) && (f->flags & FRAME_CACHED || !(f->flags & FRAME_SWAPBACKED));
    __real_rmap_find(os, pfn, f);
    for (uint64_t i = 0; i < r->nmap; i++) {
        planted.clean &= !r->map[i].dirty;
        if (emt_tdb_find(&r->map[i].p->tdb, r->map[i].va, &o) == 0 && tobj(os, &o, EMT_ATTR_ACCESSED))
            seen_wrong(pfn, "leaves, and it was used");
    }
    enum evicted done = __real_evict(os, pfn);
    planted.clean = false;
    return done;
}

/* ---- devices and files ---- */

int __real_reclaim_io(struct os *os, bool swap, uint64_t at, unsigned pages, bool write);
int __wrap_reclaim_io(struct os *os, bool swap, uint64_t at, unsigned pages, bool write);
int __wrap_reclaim_io(struct os *os, bool swap, uint64_t at, unsigned pages, bool write) {
    int err = __real_reclaim_io(os, swap, at, pages, write);

    if (write && planted.clean)
        seen_wrong(at, "is written, and it is clean"); /* its slot or owner */
    planted.failed_slot = SWAP_NONE;
    planted.failed_file = false;
    if (!wrong(WRITE_ERROR, err && write))
        return err;
    planted.failed_slot = swap ? at : SWAP_NONE;
    planted.failed_file = !swap;
    return 0;
}

void __real_disk_write(struct os *os, const struct os_file *f, uint64_t page, uint64_t content);
void __wrap_disk_write(struct os *os, const struct os_file *f, uint64_t page, uint64_t content);
void __wrap_disk_write(struct os *os, const struct os_file *f, uint64_t page, uint64_t content) {
    if (!planted.failed_file)
        __real_disk_write(os, f, page + wrong(FILE_OFFSET, true), content);
}

void __real_disk_forget(struct os *os, const struct os_file *f, uint64_t first);
void __wrap_disk_forget(struct os *os, const struct os_file *f, uint64_t first);
void __wrap_disk_forget(struct os *os, const struct os_file *f, uint64_t first) {
    if (!wrong(FILE_TRUNCATED, true))
        __real_disk_forget(os, f, first);
}

int __real_file_set_page(struct os_file *f, uint64_t page, uint64_t value);
int __wrap_file_set_page(struct os_file *f, uint64_t page, uint64_t value);
int __wrap_file_set_page(struct os_file *f, uint64_t page, uint64_t value) {
    if (wrong(FILE_INDEX, file_is_evicted(value)))
        return 0;
    return __real_file_set_page(f, page, wrong(SHMEM_LOST, file_is_swap(value)) ? FILE_NONE : value);
}

/* ---- slots and the swap cache ---- */

uint64_t __real_swap_alloc(struct swap *s);
uint64_t __wrap_swap_alloc(struct swap *s);
uint64_t __wrap_swap_alloc(struct swap *s) {
    uint64_t slot = __real_swap_alloc(s), last = planted.slot;

    if (wrong(SLOT_TWICE, slot != SWAP_NONE && last != SWAP_NONE && swap_in_use(s, last))) {
        swap_free(s, slot);
        return last;
    }
    planted.slot = slot;
    return slot;
}

bool __real_swap_put(struct swap *s, uint64_t slot);
bool __wrap_swap_put(struct swap *s, uint64_t slot);
bool __wrap_swap_put(struct swap *s, uint64_t slot) {
    bool freed = __real_swap_put(s, slot);

    if (wrong(SLOT_FREED_TWICE, freed))
        swap_free(s, slot);
    return freed;
}

void __real_swap_drop(struct os *os, uint64_t slot);
void __wrap_swap_drop(struct os *os, uint64_t slot);
void __wrap_swap_drop(struct os *os, uint64_t slot) {
    if (wrong(SLOT_FREED_TWICE, !os->reclaim->swap.cached[slot] && os->reclaim->swap.count[slot] == 1)) {
        __real_swap_drop(os, slot);
        swap_free(&os->reclaim->swap, slot);
    } else if (!wrong(SLOT_KEPT, true)) {
        __real_swap_drop(os, slot);
    }
}

void __real_swap_get(struct swap *s, uint64_t slot);
void __wrap_swap_get(struct swap *s, uint64_t slot);
void __wrap_swap_get(struct swap *s, uint64_t slot) {
    if (!wrong(FORK_SLOT, true))
        __real_swap_get(s, slot);
}

bool __real_page_exclusive(const struct os *os, uint64_t pfn, uint64_t bytes);
bool __wrap_page_exclusive(const struct os *os, uint64_t pfn, uint64_t bytes);
bool __wrap_page_exclusive(const struct os *os, uint64_t pfn, uint64_t bytes) {
    const struct frame *f = frames_of(os->frames, pfn);
    bool alone = __real_page_exclusive(os, pfn, bytes);

    return alone || wrong(CACHE_WRITTEN, f && f->maps == 1 && f->use == OS_USE_4K && f->flags & FRAME_CACHED);
}

void __real_swap_uncache(struct swap *s, uint64_t pfn);
void __wrap_swap_uncache(struct swap *s, uint64_t pfn);
void __wrap_swap_uncache(struct swap *s, uint64_t pfn) {
    if (!wrong(CACHE_STALE, true))
        __real_swap_uncache(s, pfn);
}

/* ---- lists ---- */

void __real_reclaim_forget(struct os *os, uint64_t pfn, struct frame *f);
void __wrap_reclaim_forget(struct os *os, uint64_t pfn, struct frame *f);
void __wrap_reclaim_forget(struct os *os, uint64_t pfn, struct frame *f) {
    if (!wrong(FREED_LISTED, f->flags & FRAME_LISTED))
        __real_reclaim_forget(os, pfn, f);
}

void __real_reclaim_never(struct os *os, uint64_t pfn);
void __wrap_reclaim_never(struct os *os, uint64_t pfn);
void __wrap_reclaim_never(struct os *os, uint64_t pfn) {
    if (!wrong(ZERO_PAGE, true))
        __real_reclaim_never(os, pfn);
}

void __real_reclaim_split_end(struct os *os, uint64_t pfn, uint64_t n);
void __wrap_reclaim_split_end(struct os *os, uint64_t pfn, uint64_t n);
void __wrap_reclaim_split_end(struct os *os, uint64_t pfn, uint64_t n) {
    if (!wrong(PIECES, true))
        __real_reclaim_split_end(os, pfn, n);
}

/* ---- runs ---- */

enum seen { PASSED, SEEN, NEVER_CAME = 77 }; /* exit statuses; all others are SEEN, as a sanitizer's 1 */

/* The line that says what the oracle saw, or the last one: an assertion's. */
static void first_report(FILE *log, char *line, size_t room) {
    char next[400];

    snprintf(line, room, "stopped without a word");
    rewind(log);
    while (fgets(next, sizeof(next), log)) {
        next[strcspn(next, "\n")] = 0;
        snprintf(line, room, "%s", next);
        if (!strncmp(next, "oracle: ", 8))
            return;
    }
}

/* A process of its own: what is wrong may also end in an assertion, or go round for ever. */
static enum seen sequence(const struct oracle_setup *setup, enum bug bug, uint64_t seed, char *line, size_t room) {
    static uint8_t bytes[BYTES];
    FILE *log = tmpfile();
    int status;

    assert_non_null(log);
    oracle_calls_of(seed, bytes, BYTES);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(log), STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka's handlers would go on with the next test, here */
        signal(SIGSEGV, SIG_DFL);
        alarm(60);
        planted.bug = bug;
        int err = oracle_run(setup, bytes, BYTES, NULL);
        _exit(err ? SEEN : planted.done || bug == NONE ? PASSED : NEVER_CAME);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    first_report(log, line, room);
    fclose(log);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == PASSED || WEXITSTATUS(status) == NEVER_CAME))
        return (enum seen)WEXITSTATUS(status);
    return SEEN;
}

static void planted_in(unsigned i, enum bug bug) {
    enum seen seen = NEVER_CAME, last = NEVER_CAME;
    char line[400];
    uint64_t seed;

    for (seed = 1; seed <= SEEDS && last != SEEN; seed++) {
        last = sequence(&setup_of[i], bug, seed, line, sizeof(line));
        seen = last == NEVER_CAME ? seen : last;
    }
    if (bug == NONE && seen == SEEN)
        fail_msg("%s: wrong, and nothing was planted: %s", setup_name[i], line);
    if (bug != NONE && seen != SEEN)
        fail_msg("%s: %s: %s", setup_name[i], bug_of[bug].name,
                 seen == PASSED ? "nobody saw it" : "the sequences never came to it");
    if (bug != NONE)
        printf("%s: %s: sequence %u, %s\n", setup_name[i], bug_of[bug].name, (unsigned)seed - 1, line);
}

static void each_is_seen(void **state) {
    const enum bug bug = (enum bug)(uintptr_t)*state;

    for (unsigned i = 0; i < SETUPS; i++)
        if (bug_of[bug].setups >> i & 1)
            planted_in(i, bug);
}

int main(void) {
    struct CMUnitTest tests[BUGS];

    for (unsigned i = 0; i < BUGS; i++)
        tests[i] = (struct CMUnitTest){
            .name = bug_of[i].name, .test_func = each_is_seen, .initial_state = (void *)(uintptr_t)i};
    return _cmocka_run_group_tests("os/planted-reclaim", tests, BUGS, NULL, NULL);
}
