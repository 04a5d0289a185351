/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What one machine's run came to. Counters are exact; cycles are computed from them once, at the end (so that
 * results are the same bytes whatever ran in parallel). docs/results.md documents each field for users.
 */
#ifndef EMT_REPORT_RESULT_H
#define EMT_REPORT_RESULT_H

#include "hw/mmu.h"
#include "machine/config.h"
#include "os/os.h"
#include "virt/virt.h"
#include "report/guest.h"

#define RESULT_CELLS 1024

struct result_tlb {
    char name[CFG_NAME];
    uint32_t level, entries, ways;
    uint64_t hits, misses, evictions;
    uint64_t sub_misses; /* of mosaic pages: misses where the entry was there, without the page */
};

struct result_mmu_cache {
    char name[CFG_NAME];
    uint32_t entries;
    uint64_t hits, misses;
};

struct result_cache {
    char name[CFG_NAME];
    uint64_t data_hits, data_misses, walk_hits, walk_misses, os_hits, os_misses;
};

struct result_checker {
    bool on;
    uint64_t checked, wrong;
    char first[256]; /* the first finding, in words */
};

/* os.contiguity_every: how contiguous the first process was after so many loads and stores. */
struct result_sample {
    uint64_t accesses, resident_bytes, longest_bytes;
    uint64_t ranges[OS_SHARES];
};
#define RESULT_SAMPLES 128

/* Groups of frames to which hardware restricts pages, and the shares that theory expects when so many pages came one
   after the other and none left. */
struct result_places {
    struct os_places found;
    double expected[EMT_PLACE_GROUP_FRAMES + 1];
};

/* What is below a guest. All zero natively: mode is CFG_NATIVE. */
struct result_virt {
    enum cfg_virt_mode mode;
    struct emt_config guest, host; /* each side's description */
    struct virt_stats stats;
    struct mmu_stats second;                           /* nested: of the host's dimension, sum over cores */
    uint64_t guest_refs;                               /* nested: of the guest's dimension */
    struct result_tlb nested_tlb;                      /* entries 0: none */
    struct result_mmu_cache mmu_cache[CFG_MMU_CACHES]; /* nested: the host's */
    uint32_t nmmu_cache;
    struct os_stats os; /* the host's */
    uint64_t os_instructions, table_bytes, table_bytes_peak;
    struct os_contiguity contiguity; /* of the guest's memory in the host's */
    double fragmentation;
    double cycles_exits, cycles_guest_os, cycles_host_os; /* together cycles_os of the result */
};

struct emt_result {
    struct emt_config cfg;
    char label[64];    /* what sets this result apart from its neighbours: "radix4", "radix4 always" */
    char input[256];   /* what ran */
    char command[512]; /* that repeats it */
    bool cut_short;    /* stopped by the user, by --limit, or by a program that died */
    char why_cut[512];
    int exit_status; /* of a live program */

    uint64_t instructions, loads, stores, fetches; /* accesses == loads + stores */
    uint64_t unknown_accesses;                     /* to memory no mapping was seen for; the OS mapped it then */
    uint64_t processes, threads, left_by_exec;

    struct result_tlb tlb[CFG_TLBS];
    uint32_t ntlb;
    struct result_mmu_cache mmu_cache[CFG_MMU_CACHES];
    uint32_t nmmu_cache;
    struct mmu_stats mmu;              /* sum over cores */
    uint64_t segment_hits;             /* accesses that a direct segment translated */
    struct emt_stat driver[EMT_STATS]; /* what the MMU driver counts of itself */
    uint32_t ndriver;
    struct result_cache cache[3];
    uint32_t ncache;

    struct os_stats os;
    uint64_t table_bytes, table_bytes_peak;
    uint64_t os_instructions;
    struct result_virt virt;

    double cycles_user, cycles_data, cycles_translation, cycles_os, cycles_total;
    double ipc; /* the program's instructions by all cycles: OS instructions do not count */

    struct os_cell cell[RESULT_CELLS];
    struct os_contiguity contiguity;
    uint8_t run_of_cell[RESULT_CELLS]; /* os_run_map() */
    struct result_sample sample[RESULT_SAMPLES];
    uint32_t nsample;
    uint64_t free_blocks[11];
    double fragmentation;
    struct result_places places[EMT_PLACE_GROUPS];
    uint32_t nplaces;

    struct result_checker checker;
    struct result_guest guest;
};

#endif
