/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a measured guest's kernel did, beside what a result says of its user mode. */
#ifndef EMT_REPORT_GUEST_H
#define EMT_REPORT_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define RESULT_FUNCTIONS   40
#define RESULT_STACK_SHARE 5000 /* a stack in the results has at least one in so many of the instructions */

/* Groups of operations that a kernel profile adds up to. */
enum result_operation {
    RESULT_PAGE_FAULT,
    RESULT_MMAP,
    RESULT_MUNMAP,
    RESULT_FORK,
    RESULT_EXEC,
    RESULT_EXIT,
    RESULT_KHUGEPAGED,
    RESULT_RECLAIM,
    RESULT_OTHER,
    RESULT_OPERATIONS
};

/* Exact instructions of a kernel, where they went. */
struct result_profile {
    bool on;
    uint64_t instructions[RESULT_OPERATIONS], entries[RESULT_OPERATIONS];
    struct {
        char name[64];
        uint64_t instructions;    /* in the function itself */
    } function[RESULT_FUNCTIONS]; /* the largest, in order */
    unsigned functions;
    char *stacks; /* folded: "a;b;c count" a line, without those under RESULT_STACK_SHARE; on the heap, or NULL */
};

struct result_guest {
    bool on;                                       /* the result is of a guest, with a kernel of its own */
    uint64_t instructions, loads, stores, fetches; /* in kernel mode */
    uint64_t tlb_hits[2], tlb_misses[2];           /* level 1, level 2 */
    uint64_t walks, walk_refs, walk_cycles;
    double cycles_base, cycles_data, cycles_translation; /* cpi * instructions, data stalls, walks */
    uint64_t page_faults[2];                             /* raised in user mode, in kernel mode */
    uint64_t root_loads, roots_kept;                     /* writes to CR3; of them with what is cached kept */
    uint64_t page_flushes, asid_flushes, full_flushes;
    uint64_t suspicions; /* TLB entries used between the change of the tables and the flush */
    struct result_profile profile;
};

#endif
