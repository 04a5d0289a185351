/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An independent, slow reader of a stream of blocks: keeps the mappings of each process as the events announce
 * them, and checks that each load and store lies in one that permits it.
 */
#ifndef EMT_TESTS_LIVE_CHECKER_H
#define EMT_TESTS_LIVE_CHECKER_H

#include "input/input.h"

struct checker_area {
    uint64_t start, end, file;
    int prot;
    bool stack;
};

struct checker_process {
    bool live;
    unsigned areas, capacity;
    struct checker_area *area; /* sorted, disjoint */
    uint64_t heap_start, heap_end;
    uint64_t last_start, last_end; /* an area hit before; reset when anything changes */
    int last_prot;
};

#define CHECKER_PROCESSES 512
#define CHECKER_OUTSIDE   64

struct checker {
    struct checker_process process[CHECKER_PROCESSES];
    uint64_t loads, stores, instructions, events[EV_COUNT], sizes[8];
    uint64_t bad_words;     /* malformed */
    uint64_t outside;       /* accesses in no mapping */
    uint64_t forbidden;     /* in one that does not permit them */
    uint64_t fetch_outside; /* fetch words likewise */
    unsigned samples;
    uint64_t sample[CHECKER_OUTSIDE];
    uint32_t sample_process[CHECKER_OUTSIDE];
    unsigned threads; /* highest number + 1 */
    unsigned max_live;
    /* Set by a test: counts the stores to [watch_start, watch_end), and those at the same offset twice. */
    uint64_t watch_bytes, watch_stores, watch_loads, watch_repeated, watch_foreign;
    void (*on_event)(struct checker *, uint32_t process, uint32_t thread, enum ev_event, const uint64_t *operand);
    void *context;
    /* Every load and store, when set. */
    void (*on_access)(struct checker *, uint32_t process, uint32_t thread, uint64_t word);
};

struct checker *checker_new(void);
void checker_free(struct checker *);
void checker_block(struct checker *, const struct ev_block *);
void checker_print(const struct checker *, FILE *);
/* The area of an address, or NULL. */
const struct checker_area *checker_find(const struct checker_process *, uint64_t va);

#endif
