/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are taken away while they are cached: a kernel that forgets to flush leaves old translations behind.
 *     stale ROUNDS     says "ready", waits for a line, then takes pages away so often; prints how many reads were
 * stale
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGES 16
#define BYTES 4096ul

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 1;
    volatile char *p = mmap(NULL, PAGES * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned stale = 0;

    if (p == MAP_FAILED)
        return 1;
    puts("ready");
    fflush(stdout);
    getchar();
    for (int r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < PAGES; i++)
            p[i * BYTES] = 1;
        if (madvise((void *)p, PAGES * BYTES, MADV_DONTNEED))
            return 1;
        for (unsigned i = 0; i < PAGES; i++)
            stale += p[i * BYTES] != 0; /* must be a new page of zeros */
    }
    printf("%u stale\n", stale);
    return 0;
}
