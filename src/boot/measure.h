/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A guest measured while it runs: its accesses, address spaces and invalidations go into the models of hw/, which
 * walk the guest's own tables.
 *
 *     QEMU-EMT ──> plugin.c ──> measure_block(), measure_access(), measure_event()
 *                                    │
 *                     struct mmu of each CPU ──> walker ──> guest memory, as it is at this moment
 *                                    │
 *                  charged to user or kernel, whoever runs ──> regions ──> struct emt_result
 *
 * Models look and never touch: A and D bits are the emulated processor's to set. Nothing here is thread-safe: QEMU
 * runs all CPUs in one thread when it is measured, so what one CPU does is seen by the next in order.
 *
 * The checker. An access that a TLB answers otherwise than the tables would is what a missing flush leads to, but
 * also what Linux allows between the change of an entry and the flush: another CPU goes on until the interrupt
 * reaches it. So it is first a suspicion; the flush that covers it, on that CPU, within `grace` instructions of the
 * machine clears it, and without one it is a finding. On one CPU there is no interrupt to wait for, and an access
 * by user mode is a finding at once.
 */
#ifndef EMT_BOOT_MEASURE_H
#define EMT_BOOT_MEASURE_H

#include "machine/config.h"
#include "report/result.h"

#define MEASURE_REGIONS 32

/* What a CPU translates by at the moment. */
struct measure_root {
    const struct emt_arch *arch; /* NULL: no paging of long mode */
    uint16_t asid;               /* PCID */
    bool kept;                   /* the guest said that what is cached of it stays */
    struct emt_root root;
    const struct emt_arch *upper; /* translates addresses with bit 63 (EMT_CTL_SPLIT); NULL: arch does */
    struct emt_root upper_root;
};

enum measure_flush { MEASURE_PAGE, MEASURE_ASID, MEASURE_NOT_GLOBAL, MEASURE_ALL };

struct measure;

/*
 * `phys`: guest memory, linear from physical address 0; the caller's. `cpus`: of the guest; cfg->core.count is
 * overruled by it. -ENOMEM, -EINVAL with a line in why.
 */
int measure_new(struct measure **out, const struct emt_config *cfg, unsigned cpus, uint8_t *phys,
                uint64_t phys_bytes, char *why, size_t why_bytes);
void measure_free(struct measure *);

/* A CPU's root registers; the first call switches its model on. Nothing is dropped. -ENOMEM; -ENOTSUP: the two
   architectures of a CPU do not have the same MMU caches, so that one model could do for both. */
int measure_root(struct measure *, unsigned cpu, const struct measure_root *);
/* `va` with MEASURE_PAGE. Global entries go with MEASURE_ALL, and with MEASURE_PAGE of the CPU's own ASID. */
void measure_flush(struct measure *, unsigned cpu, enum measure_flush what, uint16_t asid, uint64_t va);

/* A block of code is about to run: `retired` instructions have been, by all CPUs since the start. */
void measure_block(struct measure *, unsigned cpu, uint64_t va, bool kernel, uint64_t retired);
/* An access that was made. */
void measure_access(struct measure *, unsigned cpu, uint64_t va, unsigned bytes, bool store);
/* A page fault is about to be raised for this access. */
void measure_fault(struct measure *, unsigned cpu, uint64_t va, unsigned type);

/* Regions: begin counts from 0; one that begins inside another ends it, unsaid. */
void measure_begin(struct measure *, const char *name, uint64_t retired);
/* false: no such region has begun. `profile` goes into its result. */
bool measure_end(struct measure *, const char *name, uint64_t retired, const struct result_profile *profile);

/* The results: a region each, labels are their names; without regions, the whole run. Sets *n. NULL: no memory.
   The caller frees the array, not what is in it. */
struct emt_result *measure_results(struct measure *, unsigned *n, uint64_t retired);

#endif
