/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sequences of OS calls, decoded from bytes, on several processes, against an independent model of contents: for
 * each page of each process, which name must it show? A test feeds seeded random bytes, a fuzzer its own.
 *
 * The model keeps pages in flat arrays and knows nothing of VMAs, tables, frames, sharing or huge pages. It does
 * not predict out of memory: when a call says so, what the call had done by then is read back. A small TLB, which
 * only the OS's flushes clear, must never disagree with the tables.
 */
#ifndef EMT_TESTS_OS_ORACLE_H
#define EMT_TESTS_OS_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "machine/config.h"

struct oracle_setup {
    const char *arch;
    bool basic_only, zero_page;
    enum cfg_thp thp;
    uint64_t memory_bytes;
    uint32_t nodes, fault_around_pages;
    unsigned verify_every; /* calls between two checks of everything */
    enum cfg_placement placement;
    /* Pressure: who leaves, where to, a limit for the first process, one device request in so many that fails. */
    enum cfg_reclaim reclaim;
    uint64_t swap_bytes, limit_bytes;
    enum cfg_device device;
    unsigned fail_every;
    const struct emt_arch *own_arch; /* instead of `arch` */
};

struct oracle_counts {
    uint64_t placed, moved; /* allocations that got the frame the policy wanted; bytes that ranger moved */
    uint64_t calls, stores, loads, out_of_memory, huge_faults, splits, collapses, copies;
    uint64_t swapped_out, swapped_in, refaults, written_back, discarded, io_errors, killed, conflicts, ghosts;
};

/* Calls at random, the same ones for the same seed. */
void oracle_calls_of(uint64_t seed, uint8_t *bytes, size_t n);

/* 0, or -1 after a line on stderr that says what was expected. `counts` may be NULL. */
int oracle_run(const struct oracle_setup *setup, const uint8_t *bytes, size_t n, struct oracle_counts *counts);

#endif
