/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a command while free memory is in pieces: takes PERCENT of what is free, page by page, gives every second
 * page back, and keeps the rest until the command has ended. The driver of flattened tables then finds fewer pieces
 * of 2 MiB.
 *
 *     fragment PERCENT COMMAND...
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

static unsigned long free_kib(void) {
    char line[128];
    unsigned long n = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemFree: %lu", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

int main(int argc, char **argv) {
    int status;

    if (argc < 3)
        return 2;
    const size_t whole = strtoul(argv[1], NULL, 10) * 1024, kib = free_kib();
    const size_t bytes = (kib > whole ? kib - whole : 0) * 1024 / PAGE * PAGE;
    char *p = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        perror("fragment");
        return 1;
    }
    madvise(p, bytes + PAGE, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < bytes; i += PAGE)
        p[i] = 1;
    for (size_t i = 0; i < bytes; i += 2 * PAGE)
        madvise(p + i, PAGE, MADV_DONTNEED);
    const pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
