/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs a program live, throws its blocks away, and prints what went by: the cost of the plugin and the ring alone.
 *     drop [--count] PROGRAM ARG...      --count: look at each word, and check accesses against the mappings
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/live/checker.h"

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
    char why[512];
    struct ev_source *source;
    struct live_options opt = {0};
    bool count = argc > 1 && strcmp(argv[1], "--count") == 0;
    if (argc < 2 + count) {
        fprintf(stderr, "usage: drop [--count] PROGRAM ARG...\n");
        return 2;
    }
    if (live_open(&source, argv + 1 + count, &opt, why, sizeof(why)) != 0) {
        fprintf(stderr, "drop: %s\n", why);
        return 2;
    }
    struct checker *c = checker_new();
    const struct ev_block *b;
    uint64_t blocks = 0, words = 0;
    int more;
    while ((more = source->next(source, &b)) == 1) {
        blocks++;
        words += b->words;
        if (count)
            checker_block(c, b);
        source->release(source, b);
    }
    fprintf(stderr, "drop: %llu blocks, %llu words, status %d%s%s\n", (unsigned long long)blocks,
            (unsigned long long)words, source->exit_status, source->note[0] ? "; " : "", source->note);
    struct rusage emulator, own;
    getrusage(RUSAGE_CHILDREN, &emulator);
    getrusage(RUSAGE_SELF, &own);
    fprintf(stderr, "drop: CPU seconds: emulator %.2f + %.2f system, reader %.2f + %.2f\n",
            seconds(emulator.ru_utime), seconds(emulator.ru_stime), seconds(own.ru_utime), seconds(own.ru_stime));
    if (more < 0)
        fprintf(stderr, "drop: %s\n", source->error);
    if (count)
        checker_print(c, stderr);
    checker_free(c);
    source->close(source);
    return 0;
}
