/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How fast an input delivers blocks: bench-input WORKLOAD-SPEC... (a name that starts with "./" or "/": a trace).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "input/input.h"

static double cpu_seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int measure(const char *name) {
    struct ev_source *source;
    const struct ev_block *block;
    char why[256];
    uint64_t accesses = 0, words = 0;
    double start = cpu_seconds(), seconds;
    int err;

    err = *name == '.' || *name == '/' ? trace_open(&source, name, why, sizeof(why))
                                       : workload_open(&source, name, why, sizeof(why));
    if (err) {
        fprintf(stderr, "bench-input: %s\n", why);
        return 1;
    }
    while ((err = source->next(source, &block)) > 0) {
        words += block->words;
        for (uint32_t i = 0; i < block->words; i++) {
            accesses += (block->word[i] & EV_KIND_MASK) <= EV_STORE;
            if ((block->word[i] & EV_KIND_MASK) == EV_EVENT)
                i += ev_operands(block->word[i]);
        }
        source->release(source, block);
    }
    if (err)
        fprintf(stderr, "bench-input: %s\n", source->error);
    seconds = cpu_seconds() - start;
    printf("%-60s %12llu accesses  %7.1f M/s  %5.2f words each\n", name, (unsigned long long)accesses,
           (double)accesses / seconds / 1e6, (double)words / (double)(accesses ? accesses : 1));
    source->close(source);
    return err != 0;
}

int main(int argc, char **argv) {
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= measure(argv[i]);
    return failed;
}
