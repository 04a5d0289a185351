/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory management as a program sees it: what must hold on every kernel and every MMU. Each check is a function
 * that returns NULL, or what was wrong. Prints one line for each, and "all ok"; runs in a guest of `emt boot`.
 *
 *     memory [NAME]...      all, or those of these names
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB  1024ul
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)
#define TIB  (1024 * GIB)
#define PAGE (4 * KIB)
#define HUGE (2 * MIB)

#define REQUIRE(condition, text)                                                                                   \
    do {                                                                                                           \
        if (!(condition))                                                                                          \
            return text;                                                                                           \
    } while (0)

static char *map_at(uintptr_t va, size_t bytes) {
    void *p = mmap((void *)va, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (va ? MAP_FIXED_NOREPLACE : 0), -1, 0);

    if (p == MAP_FAILED || (va && p != (void *)va)) {
        fprintf(stderr, "memory: mmap of %zu bytes at %#lx: %s\n", bytes, (unsigned long)va, strerror(errno));
        exit(1);
    }
    return p;
}

/* Memory whose address is a multiple of `align`; never unmapped as a whole. */
static char *map_aligned(size_t bytes, size_t align) {
    const uintptr_t p = (uintptr_t)map_at(0, bytes + align);

    return (char *)((p + align - 1) & ~(align - 1));
}

/* Page n of a region gets a word that only it has. */
static uint64_t mark(uint64_t seed, size_t page) {
    return (seed + page + 1) * 0x9e3779b97f4a7c15ull;
}

static void fill(char *p, size_t bytes, uint64_t seed) {
    for (size_t i = 0; i < bytes; i += PAGE)
        *(volatile uint64_t *)(p + i) = mark(seed, i / PAGE);
}

static bool holds(const char *p, size_t bytes, uint64_t seed) {
    for (size_t i = 0; i < bytes; i += PAGE)
        if (*(const volatile uint64_t *)(p + i) != mark(seed, i / PAGE))
            return false;
    return true;
}

static bool is_zero(const char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += PAGE)
        if (*(const volatile uint64_t *)(p + i))
            return false;
    return true;
}

/* The number behind NAME in a file of /proc; -1: there is none. */
static long number_in(const char *file, const char *name) {
    char line[256];
    long n = -1;
    FILE *f = fopen(file, "re");

    while (f && n < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            n = atol(line + strlen(name));
    if (f)
        fclose(f);
    return n;
}

/* Run f in a child; true: it returned true. */
static bool in_child(bool (*f)(void *), void *of) {
    int status;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(f(of) ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static sigjmp_buf on_fault;

static void fault(int signal) {
    siglongjmp(on_fault, signal);
}

/* Does an access raise SIGSEGV or SIGBUS? */
static bool faults(char *p, bool store) {
    if (sigsetjmp(on_fault, 1))
        return true;
    if (store)
        *(volatile char *)p = 1;
    else
        (void)*(volatile char *)p;
    return false;
}

static uint64_t pagemap(const char *p) {
    uint64_t entry = 0;
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)p / PAGE * 8)) != 8)
        entry = 0;
    close(fd);
    return entry;
}

/* ---- checks ---- */

static const char *anonymous(void) {
    const size_t bytes = 40 * MIB;
    char *p = map_at(0, bytes);

    REQUIRE(is_zero(p, bytes), "new memory is not zero");
    fill(p, bytes, 1);
    REQUIRE(holds(p, bytes, 1), "memory changes by itself");
    madvise(p, bytes / 2, MADV_DONTNEED);
    REQUIRE(is_zero(p, bytes / 2) && holds(p + bytes / 2, bytes / 2, 1 + bytes / 2 / PAGE),
            "MADV_DONTNEED drops what it should not, or does not drop what it should");
    munmap(p, bytes);
    REQUIRE(faults(p, false), "unmapped memory can be read");
    return NULL;
}

/* One page in each of many places, far from each other, so that each needs tables of its own; and they go again. */
static const char *sparse(void) {
    const long before = number_in("/proc/self/status", "VmPTE:");
    const size_t far[] = {GIB, 64 * GIB, 512 * GIB, TIB};

    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 1; k <= 12; k++)
            fill(map_at(16 * TIB + k * far[i], 3 * PAGE), 3 * PAGE, k);
        for (unsigned k = 1; k <= 12; k++)
            REQUIRE(holds((char *)(16 * TIB + k * far[i]), 3 * PAGE, k), "a page far away is another one");
        for (unsigned k = 1; k <= 12; k++)
            munmap((char *)(16 * TIB + k * far[i]), 3 * PAGE);
    }
    const long after = number_in("/proc/self/status", "VmPTE:");
    REQUIRE(after <= before + 8, "page tables of unmapped memory stay");
    return NULL;
}

static bool child_writes(void *of) {
    if (!holds(of, 8 * MIB, 1))
        return false;
    fill(of, 4 * MIB, 2);
    return holds(of, 4 * MIB, 2) && holds((char *)of + 4 * MIB, 4 * MIB, 1 + 1024);
}

static const char *copy_on_write(void) {
    char *p = map_at(0, 8 * MIB);

    fill(p, 8 * MIB, 1);
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(in_child(child_writes, p), "a child finds other memory than its parent had");
        REQUIRE(holds(p, 8 * MIB, 1), "a child writes into its parent");
    }
    return NULL;
}

static bool grandchildren(void *of) {
    return in_child(child_writes, of) && holds(of, 8 * MIB, 1);
}

static const char *fork_chain(void) {
    char *p = map_aligned(8 * MIB, HUGE);

    madvise(p, 4 * MIB, MADV_HUGEPAGE);
    fill(p, 8 * MIB, 1);
    for (unsigned i = 0; i < 4; i++)
        REQUIRE(in_child(grandchildren, p) && holds(p, 8 * MIB, 1), "grandchildren and their parents mix");
    return NULL;
}

static const char *protection(void) {
    const size_t bytes = 6 * MIB;
    char *p = map_aligned(bytes, HUGE);

    for (int huge = 0; huge < 2; huge++) {
        madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        fill(p, bytes, 1);
        for (unsigned i = 0; i < 20; i++) {
            char *at = p + HUGE + i * 5 * PAGE;
            mprotect(at, 2 * PAGE, PROT_READ);
            REQUIRE(faults(at, true) && !faults(at, false), "PROT_READ is not what it says");
            mprotect(at, 2 * PAGE, PROT_NONE);
            REQUIRE(faults(at + PAGE, false), "PROT_NONE is not what it says");
            mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE);
        }
        REQUIRE(holds(p, bytes, 1), "mprotect changes what is in memory");
        madvise(p, bytes, MADV_DONTNEED);
    }
    return NULL;
}

static const char *protection_keys(void) {
    const int key = pkey_alloc(0, 0);
    char *p = map_at(0, 2 * PAGE);

    if (key < 0)
        return NULL; /* this processor has none */
    fill(p, 2 * PAGE, 1);
    pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, key);
    pkey_set(key, PKEY_DISABLE_WRITE);
    bool stops = !faults(p, false) && !faults(p + PAGE, true) && faults(p, true);
    pkey_set(key, 0); /* the jump out of the handler has left its own rights */
    stops = stops && !faults(p, true);
    pkey_free(key);
    REQUIRE(stops, "a protection key does not stop a store, or stops more");
    return NULL;
}

/* To the same offset within 2 MiB and within 1 GiB, where tables may move as wholes, and elsewhere. */
static const char *moves(void) {
    const size_t offsets[] = {0, 0, 3 * PAGE, HUGE, GIB, GIB + PAGE}, bytes = 5 * MIB;

    for (unsigned i = 0; i < 6; i++) {
        char *from = map_at(20 * TIB, bytes), *to = (char *)(24 * TIB + offsets[i]);
        if (i == 1)
            madvise(from, bytes, MADV_HUGEPAGE);
        fill(from, bytes, i);
        REQUIRE(mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap fails");
        REQUIRE(holds(to, bytes, i) && faults(from, false), "mremap loses what was there, or leaves it");
        char *grown = mremap(to, bytes, 3 * bytes, MREMAP_MAYMOVE);
        REQUIRE(grown != MAP_FAILED && holds(grown, bytes, i) && is_zero(grown + bytes, 2 * bytes),
                "mremap does not grow a mapping rightly");
        munmap(grown, 3 * bytes);
    }
    return NULL;
}

static const char *move_giant(void) {
    char *from = map_at(28 * TIB, 3 * GIB), *to = (char *)(30 * TIB);

    for (unsigned i = 0; i < 96; i++)
        fill(from + i * 32 * MIB, 2 * PAGE, i);
    REQUIRE(mremap(from, 3 * GIB, 3 * GIB, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap of 3 GiB fails");
    for (unsigned i = 0; i < 96; i++)
        REQUIRE(holds(to + i * 32 * MIB, 2 * PAGE, i), "mremap of 3 GiB loses pages");
    munmap(to, 3 * GIB);
    return NULL;
}

static const char *huge_pages(void) {
    char *p = map_aligned(8 * MIB, HUGE);

    madvise(p, 8 * MIB, MADV_HUGEPAGE);
    fill(p, 8 * MIB, 1);
    printf("  huge: %ld KiB of 8192\n", number_in("/proc/self/smaps_rollup", "AnonHugePages:"));
    munmap(p + 2 * MIB + 64 * KIB, PAGE); /* splits one */
    mprotect(p + 5 * MIB, PAGE, PROT_READ);
    REQUIRE(holds(p, 2 * MIB + 64 * KIB, 1) && holds(p + 3 * MIB, 5 * MIB, 1 + 3 * 256), "a split changes memory");
    REQUIRE(faults(p + 2 * MIB + 64 * KIB, false) && faults(p + 5 * MIB, true), "a split forgets what it was for");
    madvise(p + 6 * MIB, MIB, MADV_DONTNEED);
    REQUIRE(is_zero(p + 6 * MIB, MIB) && holds(p + 7 * MIB, MIB, 1 + 7 * 256), "half of a huge page goes wrongly");
    return NULL;
}

/* khugepaged's work, asked for. */
static const char *collapse(void) {
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
    char *p = map_aligned(4 * MIB, HUGE);

    madvise(p, 4 * MIB, MADV_NOHUGEPAGE);
    fill(p, 4 * MIB, 1);
    madvise(p, 4 * MIB, MADV_HUGEPAGE);
    const int err = madvise(p, 4 * MIB, MADV_COLLAPSE) ? errno : 0;
    printf("  collapse: %s\n", err ? strerror(err) : "done");
    REQUIRE(holds(p, 4 * MIB, 1), "MADV_COLLAPSE changes memory");
    return NULL;
}

static bool child_shares(void *of) {
    const bool mine = holds(of, 3 * MIB, 1);

    fill(of, 3 * MIB, 2);
    return mine;
}

static const char *shared(void) {
    const int fd = memfd_create("memory", 0);
    char *p, *again;

    REQUIRE(fd >= 0 && ftruncate(fd, 3 * MIB) == 0, "no memfd");
    p = mmap(NULL, 3 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    again = mmap(NULL, 3 * MIB, PROT_READ, MAP_SHARED, fd, 0);
    fill(p, 3 * MIB, 1);
    REQUIRE(holds(again, 3 * MIB, 1), "two mappings of a file differ");
    REQUIRE(in_child(child_shares, p) && holds(again, 3 * MIB, 2), "shared memory is not shared");
    REQUIRE(ftruncate(fd, MIB) == 0 && faults(p + 2 * MIB, false) && holds(p, MIB, 2), "truncation is not seen");
    munmap(p, 3 * MIB);
    munmap(again, 3 * MIB);
    close(fd);
    return NULL;
}

static const char *whole_files(void) {
    static char text[64 * 1024];
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = read(fd, text, sizeof(text));
    char *p = mmap(NULL, sizeof(text), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    REQUIRE(bytes == sizeof(text) && p != MAP_FAILED && memcmp(p, text, sizeof(text)) == 0,
            "a mapped file has other contents than a read one");
    p[5 * PAGE] ^= 1;
    REQUIRE(pread(fd, text, 1, 5 * PAGE) == 1 && (text[0] ^ 1) == p[5 * PAGE], "a private store reaches the file");
    munmap(p, sizeof(text));
    close(fd);
    return NULL;
}

static const char *residence(void) {
    unsigned char in[16];
    char *p = map_at(0, 16 * PAGE);

    *(volatile char *)(p + 3 * PAGE) = 1;
    *(volatile char *)(p + 9 * PAGE) = 1;
    REQUIRE(mincore(p, 16 * PAGE, in) == 0, "mincore fails");
    for (unsigned i = 0; i < 16; i++)
        REQUIRE((in[i] & 1) == (i == 3 || i == 9), "mincore tells lies");
    REQUIRE(mlock(p, 16 * PAGE) == 0 && mincore(p, 16 * PAGE, in) == 0 && (in[0] & 1),
            "mlock does not bring pages");
    REQUIRE(pagemap(p + 3 * PAGE) >> 63, "pagemap does not know a page that is there");
    munmap(p, 16 * PAGE);
    return NULL;
}

static bool child_reads(void *of) {
    uint64_t there = 0;
    struct iovec local = {&there, 8}, remote = {of, 8};

    return process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == 8 && there == mark(7, 0) &&
           (there = 99, process_vm_writev(getppid(), &local, 1, &remote, 1, 0) == 8);
}

static const char *other_processes(void) {
    char *p = map_at(0, PAGE);

    fill(p, PAGE, 7);
    REQUIRE(in_child(child_reads, p) && *(uint64_t *)p == 99, "process_vm_readv or _writev go elsewhere");
    return NULL;
}

/* Threads that map, fill, check and unmap beside each other: tables come and go under walkers. */
static void *churn(void *of) {
    const uintptr_t id = (uintptr_t)of;

    for (unsigned i = 0; i < 150; i++) {
        const size_t bytes = (1 + (i * 37 + id * 11) % 700) * PAGE;
        char *p = map_at(i % 3 ? 0 : 40 * TIB + id * TIB + i * GIB, bytes);
        fill(p, bytes, id * 1000 + i);
        if (i % 4 == 0)
            mprotect(p, bytes, PROT_READ);
        if (!holds(p, bytes, id * 1000 + i))
            return "threads find each other's pages";
        munmap(p, bytes);
    }
    return NULL;
}

static const char *threads(void) {
    pthread_t t[4];
    void *wrong = NULL, *got;

    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, (void *)i);
    for (unsigned i = 0; i < 4; i++)
        if (pthread_join(t[i], &got) == 0 && got)
            wrong = got;
    return wrong;
}

static const char *page_out(void) {
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
    char *p = map_aligned(8 * MIB, HUGE);

    madvise(p, 4 * MIB, MADV_HUGEPAGE);
    fill(p, 8 * MIB, 1);
    REQUIRE(madvise(p, 8 * MIB, MADV_PAGEOUT) == 0, "MADV_PAGEOUT fails");
    printf("  swapped: %ld KiB of 8192\n", number_in("/proc/self/status", "VmSwap:"));
    REQUIRE(in_child(child_writes, p), "a child's swap is wrong");
    REQUIRE(holds(p, 8 * MIB, 1), "what was swapped comes back wrongly");
    return NULL;
}

static const struct {
    const char *name;
    const char *(*check)(void);
} checks[] = {
    {"anonymous", anonymous},
    {"sparse", sparse},
    {"copy-on-write", copy_on_write},
    {"fork-chain", fork_chain},
    {"protection", protection},
    {"protection-keys", protection_keys},
    {"moves", moves},
    {"move-giant", move_giant},
    {"huge-pages", huge_pages},
    {"collapse", collapse},
    {"shared", shared},
    {"files", whole_files},
    {"residence", residence},
    {"other-processes", other_processes},
    {"threads", threads},
    {"page-out", page_out},
};

static bool wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv) {
    unsigned bad = 0, n = 0;

    signal(SIGSEGV, fault);
    signal(SIGBUS, fault);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
        if (!wanted(checks[i].name, argc, argv))
            continue;
        const char *why = checks[i].check();
        printf("%s %s%s%s\n", why ? "FAIL" : "ok  ", checks[i].name, why ? ": " : "", why ? why : "");
        bad += why != NULL;
        n++;
    }
    if (n && !bad)
        puts("all ok");
    return !n || bad;
}
