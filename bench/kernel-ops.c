/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What operations of a kernel cost, in the manner of LEBench ("An Analysis of Performance Evolution of Linux's Core
 * Operations", SOSP'19). Under QEMU with -icount shift=0 the time-stamp counter counts instructions, one for each,
 * of user and kernel; so what is printed is exact: "NAME TICKS", the fewest ticks of some rounds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define ROUNDS 20
#define KIB    1024ul
#define MIB    (1024 * KIB)
#define PAGE   (4 * KIB)

static void die(const char *what) {
    fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *map(size_t bytes, int flags) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static void touch(char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += PAGE)
        p[i] = 1;
}

static int pair[2];

/* Each operation runs once: what it measures lies between two reads of the counter, the rest is around them. */
#define MEASURE(what)                                                                                              \
    ({                                                                                                             \
        const uint64_t begin_ = __rdtsc();                                                                         \
        what;                                                                                                      \
        __rdtsc() - begin_;                                                                                        \
    })

static uint64_t op_getppid(size_t n) {
    (void)n;
    return MEASURE(syscall(SYS_getppid));
}

static uint64_t op_mmap(size_t bytes) {
    void *p;
    const uint64_t t = MEASURE(p = map(bytes, 0));

    munmap(p, bytes);
    return t;
}

static uint64_t op_populate(size_t bytes) {
    void *p;
    const uint64_t t = MEASURE(p = map(bytes, MAP_POPULATE));

    munmap(p, bytes);
    return t;
}

static uint64_t op_munmap(size_t bytes) {
    char *p = map(bytes, 0);

    touch(p, bytes);
    return MEASURE(munmap(p, bytes));
}

static uint64_t op_fault(size_t bytes) {
    char *p = map(bytes, 0);
    const uint64_t t = MEASURE(touch(p, bytes));

    munmap(p, bytes);
    return t;
}

static uint64_t op_fault_huge(size_t bytes) {
    char *p = map(2 * bytes, 0), *aligned = (char *)(((uintptr_t)p + bytes - 1) & ~(bytes - 1));

    madvise(aligned, bytes, MADV_HUGEPAGE);
    const uint64_t t = MEASURE(*aligned = 1);
    munmap(p, 2 * bytes);
    return t;
}

static uint64_t op_fault_file(size_t bytes) {
    const int fd = memfd_create("ops", 0);

    if (fd < 0 || ftruncate(fd, (off_t)bytes))
        die("memfd");
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const uint64_t t = MEASURE(touch(p, bytes));
    munmap(p, bytes);
    close(fd);
    return t;
}

static uint64_t with_pages(size_t bytes, int (*f)(char *, size_t)) {
    char *p = map(bytes, 0);

    touch(p, bytes);
    const uint64_t t = MEASURE(if (f(p, bytes)) die("operation"));
    munmap(p, bytes);
    return t;
}

static int protect(char *p, size_t bytes) {
    return mprotect(p, bytes, PROT_READ);
}
static int dontneed(char *p, size_t bytes) {
    return madvise(p, bytes, MADV_DONTNEED);
}
static int lock(char *p, size_t bytes) {
    return mlock(p, bytes);
}
static int incore(char *p, size_t bytes) {
    static unsigned char v[64 * MIB / PAGE];
    return mincore(p, bytes, v);
}
static int move(char *p, size_t bytes) {
    char *to = map(bytes, 0);
    if (mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
        return -1;
    return munmap(to, bytes);
}

static uint64_t op_mprotect(size_t n) {
    return with_pages(n, protect);
}
static uint64_t op_dontneed(size_t n) {
    return with_pages(n, dontneed);
}
static uint64_t op_mlock(size_t n) {
    return with_pages(n, lock);
}
static uint64_t op_mincore(size_t n) {
    return with_pages(n, incore);
}
static uint64_t op_mremap(size_t n) {
    return with_pages(n, move);
}

static uint64_t op_fork(size_t bytes) {
    char *p = bytes ? map(bytes, 0) : NULL;
    int status;
    pid_t pid;

    if (p)
        touch(p, bytes);
    const uint64_t t = MEASURE({
        pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, &status, 0);
    });
    if (p)
        munmap(p, bytes);
    return t;
}

static uint64_t op_cow(size_t bytes) {
    char *p = map(bytes, 0);
    int go[2];
    char c;

    touch(p, bytes);
    if (pipe(go))
        die("pipe");
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        _exit(read(go[0], &c, 1) != 0);
    }
    close(go[0]);
    const uint64_t t = MEASURE(touch(p, bytes));
    close(go[1]);
    waitpid(pid, NULL, 0);
    munmap(p, bytes);
    return t;
}

static void *nothing(void *arg) {
    return arg;
}

static uint64_t op_thread(size_t n) {
    pthread_t t;

    (void)n;
    return MEASURE({
        pthread_create(&t, NULL, nothing, NULL);
        pthread_join(t, NULL);
    });
}

/* There and back between two processes, or two threads of one page table. */
static uint64_t op_switch(size_t n) {
    int there[2], back[2];
    char c = 0;

    (void)n;
    if (pipe(there) || pipe(back))
        die("pipe");
    const pid_t pid = fork();
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &c, 1) == 1)
            if (write(back[1], &c, 1) != 1)
                break;
        _exit(0);
    }
    for (int i = 0; i < 2; i++) /* warm */
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
            die("pipe");
    const uint64_t t = MEASURE(if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) die("pipe"));
    close(there[0]), close(there[1]), close(back[0]), close(back[1]);
    waitpid(pid, NULL, 0);
    return t;
}

static char *buffer; /* of the largest transfer */

static uint64_t op_send(size_t bytes) {
    const uint64_t t = MEASURE(if (send(pair[0], buffer, bytes, 0) != (ssize_t)bytes) die("send"));

    if (recv(pair[1], buffer, bytes, MSG_WAITALL) != (ssize_t)bytes)
        die("recv");
    return t;
}

static uint64_t op_recv(size_t bytes) {
    if (send(pair[0], buffer, bytes, 0) != (ssize_t)bytes)
        die("send");
    return MEASURE(if (recv(pair[1], buffer, bytes, MSG_WAITALL) != (ssize_t)bytes) die("recv"));
}

static int file = -1;

static uint64_t op_write(size_t bytes) {
    return MEASURE(if (pwrite(file, buffer, bytes, 0) != (ssize_t)bytes) die("write"));
}

static uint64_t op_read(size_t bytes) {
    return MEASURE(if (pread(file, buffer, bytes, 0) != (ssize_t)bytes) die("read"));
}

static uint64_t op_poll(size_t n) {
    static struct pollfd fds[1000];

    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = pair[i & 1], .events = POLLIN};
    return MEASURE(poll(fds, n, 0));
}

static uint64_t op_select(size_t n) {
    struct timeval none = {0, 0};
    fd_set set;

    FD_ZERO(&set);
    for (size_t i = 0; i < n && i < 16; i++)
        FD_SET(i, &set);
    return MEASURE(select((int)n, &set, NULL, NULL, &none));
}

static uint64_t op_epoll(size_t n) {
    struct epoll_event e = {.events = EPOLLOUT}, out[8];
    const int ep = epoll_create1(0);

    for (size_t i = 0; i < n && i < 2; i++)
        epoll_ctl(ep, EPOLL_CTL_ADD, pair[i], &e);
    const uint64_t t = MEASURE(epoll_wait(ep, out, 8, 0));
    close(ep);
    return t;
}

static uint64_t op_vm_readv(size_t bytes) {
    struct iovec to = {buffer, bytes}, from = {buffer + bytes, bytes};

    return MEASURE(if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)bytes) die("process_vm_readv"));
}

static uint64_t op_smaps(size_t n) {
    static char text[256 * KIB];
    const int fd = open("/proc/self/smaps", O_RDONLY);

    (void)n;
    const uint64_t t = MEASURE(while (read(fd, text, sizeof(text)) > 0));
    close(fd);
    return t;
}

static const struct {
    const char *name;
    uint64_t (*run)(size_t);
    size_t n;
} ops[] = {
    {"getppid", op_getppid, 0},
    {"switch", op_switch, 0},
    {"mmap.4K", op_mmap, PAGE},
    {"mmap.64M", op_mmap, 64 * MIB},
    {"populate.64K", op_populate, 64 * KIB},
    {"populate.4M", op_populate, 4 * MIB},
    {"munmap.4K", op_munmap, PAGE},
    {"munmap.4M", op_munmap, 4 * MIB},
    {"fault.4K", op_fault, PAGE},
    {"fault.4M", op_fault, 4 * MIB},
    {"fault.huge", op_fault_huge, 2 * MIB},
    {"fault.shared.4M", op_fault_file, 4 * MIB},
    {"mprotect.4K", op_mprotect, PAGE},
    {"mprotect.4M", op_mprotect, 4 * MIB},
    {"dontneed.4M", op_dontneed, 4 * MIB},
    {"mlock.4M", op_mlock, 4 * MIB},
    {"mincore.4M", op_mincore, 4 * MIB},
    {"mremap.4K", op_mremap, PAGE},
    {"mremap.4M", op_mremap, 4 * MIB},
    {"fork", op_fork, 0},
    {"fork.16M", op_fork, 16 * MIB},
    {"cow.4M", op_cow, 4 * MIB},
    {"thread", op_thread, 0},
    {"send.1", op_send, 1},
    {"send.64K", op_send, 64 * KIB},
    {"recv.1", op_recv, 1},
    {"recv.64K", op_recv, 64 * KIB},
    {"write.4K", op_write, PAGE},
    {"write.1M", op_write, MIB},
    {"read.4K", op_read, PAGE},
    {"read.1M", op_read, MIB},
    {"poll.10", op_poll, 10},
    {"poll.1000", op_poll, 1000},
    {"select.10", op_select, 10},
    {"select.1000", op_select, 1000},
    {"epoll", op_epoll, 2},
    {"vm_readv.64K", op_vm_readv, 64 * KIB},
    {"smaps", op_smaps, 0},
};

int main(void) {
    int size = 4 * (int)MIB;

    buffer = map(4 * MIB, MAP_POPULATE);
    file = memfd_create("file", 0);
    if (file < 0 || write(file, buffer, MIB) != (ssize_t)MIB)
        die("file");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        die("socketpair");
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        uint64_t best = UINT64_MAX;
        for (int round = 0; round < ROUNDS; round++) {
            const uint64_t t = ops[i].run(ops[i].n);
            if (t < best)
                best = t;
        }
        printf("%-16s %llu\n", ops[i].name, (unsigned long long)best);
        fflush(stdout);
    }
    return 0;
}
