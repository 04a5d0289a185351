/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Inside of struct measure. */
#ifndef EMT_BOOT_MEASURE_PRIVATE_H
#define EMT_BOOT_MEASURE_PRIVATE_H

#include "boot/measure.h"
#include "hw/cache_private.h"
#include "hw/checker.h"
#include "hw/core_timing.h"
#include "hw/mmu_private.h"

#define MEASURE_SUSPICIONS 256
/* How long a flush may take to reach a CPU, in instructions of the whole machine. QEMU gives each of several CPUs a
   turn of up to some 10^5 instructions (assumed: seen under -accel tcg,thread=single); on one CPU, a kernel's own
   access between change and flush must be over after a system call's worth of work (assumed). */
#define MEASURE_GRACE     20000000
#define MEASURE_GRACE_ONE 2000000

/* What one mode did. */
struct measure_part {
    struct mmu_stats mmu;
    struct mmu_tlb_counts tlb[CFG_TLBS];
    uint64_t instructions, loads, stores, fetches, page_faults;
    uint64_t root_loads, roots_kept, page_flushes, asid_flushes, full_flushes, suspicions;
};

struct measure_cpu {
    struct mmu *mmu; /* NULL: it does not translate, or not yet */
    struct cache_core *caches;
    struct core_timing timing[2]; /* user, kernel */
    uint64_t instructions;
    uint16_t asid;
    const struct emt_arch *upper; /* as in struct measure_root */
    struct emt_root upper_root;
    struct mmu_stats settled; /* charged to a mode already */
    struct mmu_tlb_counts tlb[CFG_TLBS];
};

struct measure_arch {
    struct emt_arch arch; /* first: what the model sees */
    const struct emt_arch *real;
    struct measure *m;
};

struct measure_suspicion {
    uint64_t page, since;
    unsigned cpu;
    uint16_t asid;
    char words[256];
};

struct measure {
    struct emt_config cfg;
    struct emt_host host;
    struct measure_arch arch;
    struct emt_walker_ops walker;
    struct mmu_shared *shared;
    struct cache_system *caches;
    struct checker *checker; /* NULL: off */
    uint64_t *table;         /* a bit for each frame: a walker has read from it */
    unsigned cpus, running;
    bool kernel; /* mode of the CPU that runs */
    uint64_t retired;
    struct measure_cpu cpu[CFG_MAX_CORES];
    struct measure_part part[2]; /* user, kernel */

    struct measure_suspicion suspicion[MEASURE_SUSPICIONS];
    unsigned suspicions;
    uint64_t grace, findings;
    char first[256];

    char name[64];
    bool in_region;
    struct emt_result *region[MEASURE_REGIONS];
    unsigned regions;
};

/* Everything up to now is charged. */
void measure_settle(struct measure *m, uint64_t retired);
/* measure_result.c: what has been charged since the region began. */
void measure_fill(struct measure *m, struct emt_result *r);

#endif
