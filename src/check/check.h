/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The conformance kit: proves an architecture with nothing from its author but the interface of emt/driver.h.
 *
 *     part        what it does
 *     ----------  -------------------------------------------------------------------------------------------------
 *     sequences   random operations against an oracle; the walker finds what the driver put
 *     basic       the same with basic functions only: same results
 *     flushes     the same with TLBs and MMU caches that look on: no stale translation after its flush
 *     memory      the same with each allocation failing in turn: clean error, state unchanged, no leak
 *     threads     walkers in other threads while the driver changes tables
 *     costs       table reads, writes and instructions of each operation (a table, no verdict)
 */
#ifndef EMT_CHECK_CHECK_H
#define EMT_CHECK_CHECK_H

#include <stdio.h>

#include "core/mm.h"

enum check_part { CHECK_SEQUENCES, CHECK_BASIC, CHECK_FLUSHES, CHECK_MEMORY, CHECK_THREADS, CHECK_PARTS };

const char *check_part_name(enum check_part part);

struct check_options {
    uint64_t ops; /* random operations of the sequences; the other parts take a share of it */
    uint64_t seed;
    unsigned parts;  /* mask of 1 << enum check_part */
    bool in_process; /* no process of its own for each program: for a debugger */
    bool no_shrink;
    FILE *progress;      /* a terminal, or NULL */
    unsigned number, of; /* for progress: which of how many architectures; 0: it is alone */
};

struct check_part_report {
    bool ran, failed;
    uint64_t ops, walks, tlb_accesses, failed_allocations;
    uint64_t races; /* threads: walks beside a changing driver */
};

struct check_report {
    struct check_part_report part[CHECK_PARTS];
    bool failed;
    char kind[24]; /* of the first finding */
    char *text;    /* the findings in words, each with its program; malloc'd, NULL: none */
};

/* Check one architecture. 0: it ran, report->failed tells how. Negative: the kit itself could not (memory). */
int check_arch(const struct emt_arch *arch, const struct check_options *options, struct check_report *report);
void check_report_fini(struct check_report *report);
/* One line a part. */
void check_report_print(FILE *out, const struct emt_arch *arch, const struct check_report *report);

/* Run a program of the kit's text form. 0: it passes; 1: it fails, and `out` tells how; -EINVAL: why. */
int check_replay(const struct emt_arch *arch, FILE *program, FILE *out, char why[256]);

#endif
