/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A small program for the tests of live runs: its first argument says what it does. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define AREA ((char *)0x700000000000)

extern char **environ;

static char *map_at(void *at, size_t bytes, int flags, int fd) {
    char *p = mmap(at, bytes, PROT_READ | PROT_WRITE, flags | (at ? MAP_FIXED : 0), fd, 0);
    if (p == MAP_FAILED)
        exit(90);
    return p;
}

/* One store to each of 1000 new pages, one load from each of the first 500. */
static int touch(void) {
    volatile char *p = map_at(AREA, 1000 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (unsigned i = 0; i < 1000; i++)
        p[i * PAGE] = 1;
    for (unsigned i = 0; i < 500; i++)
        (void)p[i * PAGE];
    munmap((void *)p, 1000 * PAGE);
    return 0;
}

static void *thread_body(void *argument) {
    volatile char *area = argument;
    for (unsigned round = 0; round < 20; round++) {
        volatile char *p = map_at(NULL, 64 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        for (unsigned i = 0; i < 64; i++)
            p[i * PAGE] = 1;
        for (unsigned i = 0; i < 100; i++)
            area[i * PAGE]++;
        munmap((void *)p, 64 * PAGE); /* the next round, or another thread, gets these addresses again */
    }
    return NULL;
}

/* Four threads that map and unmap all the time, and store to 100 pages of the shared area 20 times each. */
static int threads(void) {
    pthread_t t[4];
    char *area = map_at(AREA, 4 * 100 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, thread_body, area + i * 100 * PAGE);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    return 0;
}

/* A tree of processes: each stores to its copy of the area once, depth first. */
static int forks(unsigned depth, volatile char *area) {
    area[depth * PAGE] = 1;
    for (unsigned i = 0; i < 2 && depth > 0; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(forks(depth - 1, area));
        int status;
        waitpid(child, &status, 0);
        if (status != 0)
            return 1;
    }
    return 0;
}

static int spawn(void) {
    pid_t child;
    char *argv[] = {"true", NULL};
    if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) != 0)
        return 91;
    waitpid(child, NULL, 0);
    child = vfork();
    if (child == 0) {
        execl("/nowhere/at/all", "x", (char *)NULL);
        _exit(7);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* Growing, shrinking, moving, protecting; a file and a segment. */
static int mappings(void) {
    char *p = map_at(NULL, 16 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(p, 1, 16 * PAGE);
    p = mremap(p, 16 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    memset(p, 2, 64 * PAGE);
    p = mremap(p, 64 * PAGE, 8 * PAGE, 0);
    p = mremap(p, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AREA);
    memset(p, 3, 8 * PAGE);
    mprotect(p, 4 * PAGE, PROT_READ);
    madvise(p + 4 * PAGE, 4 * PAGE, MADV_DONTNEED);
    munmap(p + 2 * PAGE, PAGE);
    munmap((char *)1, 5); /* fails */
    char *old = sbrk(0), *heap = sbrk(10 * PAGE);
    memset(heap, 1, 10 * PAGE);
    brk(old);
    int fd = memfd_create("x", 0);
    if (ftruncate(fd, 3 * PAGE) != 0)
        return 92;
    char *file = map_at(NULL, 3 * PAGE, MAP_SHARED, fd);
    if (ftruncate(fd, 5 * PAGE) != 0)
        return 93;
    memset(file, 1, 3 * PAGE);
    int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
    char *segment = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    if (segment == (char *)-1)
        return 94;
    memset(segment, 1, 3 * PAGE);
    shmdt(segment);
    return 0;
}

/* 4096 bytes with one instruction. */
static int rep(void) {
    char *p = map_at(AREA, 2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    uint64_t count = PAGE;
    char *to = p;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(1) : "memory");
    return 0;
}

/* A store that arrives, then a signal nobody handles. */
static int crash(int number) {
    volatile char *p = map_at(AREA, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    p[0] = 1;
    kill(getpid(), number);
    pause();
    return 0;
}

static int child_killed(void) {
    pid_t child = fork();
    if (child == 0) {
        volatile char *p = map_at(AREA, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        p[0] = 1;
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    return 5;
}

/* More than the ring holds; then a file says that the end was reached. */
static int work(const char *path) {
    volatile char *p = map_at(AREA, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (unsigned i = 0; i < 1000000; i++)
        p[0]++;
    return creat(path, 0600) < 0;
}

static _Noreturn void endless(void) {
    volatile char *p = map_at(AREA, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (;;)
        p[0]++;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "touch") == 0)
        return touch();
    if (strcmp(what, "threads") == 0)
        return threads();
    if (strcmp(what, "forks") == 0)
        return forks(4, map_at(AREA, 5 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
    if (strcmp(what, "spawn") == 0)
        return spawn();
    if (strcmp(what, "mappings") == 0)
        return mappings();
    if (strcmp(what, "rep") == 0)
        return rep();
    if (strcmp(what, "signal") == 0)
        return crash(atoi(argv[2]));
    if (strcmp(what, "child-killed") == 0)
        return child_killed();
    if (strcmp(what, "work") == 0)
        return work(argv[2]);
    if (strcmp(what, "endless") == 0)
        endless();
    if (strcmp(what, "exit") == 0)
        return atoi(argv[2]);
    return 99;
}
