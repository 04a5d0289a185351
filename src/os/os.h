/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The simulated operating system's memory management: address spaces made of VMAs, demand paging, a page cache,
 * fork with copy-on-write, huge pages, a buddy allocator. It knows no architecture: tables are touched only through
 * core/mm.h. Its work is counted by operation, in instructions (os/costs.h) and table accesses.
 *
 * Not thread safe: one machine, one thread. Protections, mmap flags and advice are Linux's values on x86-64.
 */
#ifndef EMT_OS_OS_H
#define EMT_OS_OS_H

#include "core/mm.h"
#include "machine/config.h"

struct os;
struct os_process;

/* Operations that the account distinguishes. */
enum os_op {
    OS_FAULT_ANON,
    OS_FAULT_HUGE,
    OS_FAULT_ZERO,
    OS_FAULT_FILE,
    OS_FAULT_COW,
    OS_FAULT_SWAP, /* of a private page in swap */
    OS_FAULT_SPURIOUS,
    OS_FAULT_BAD,
    OS_MMAP,
    OS_MUNMAP,
    OS_MPROTECT,
    OS_MREMAP,
    OS_BRK,
    OS_MADVISE,
    OS_FORK,
    OS_EXIT,
    OS_EXEC,
    OS_KHUGEPAGED,
    OS_RANGER, /* translation ranger's daemon */
    OS_SHOOTDOWN,
    OS_SWITCH,
    OS_KSWAPD,     /* reclaim in the background */
    OS_RECLAIM,    /* by a fault or a call that found no memory */
    OS_BALLOON,
    OS_TLB_REFILL, /* of a software-managed TLB; counted by the MMU, its cycles are translation */
    OS_OPS
};
extern const char *const os_op_name[OS_OPS]; /* "fault_anon", ... as in the results */

struct os_op_stats {
    uint64_t calls, instructions, table_reads, table_writes, stall_cycles;
    uint64_t extra_cycles; /* exception entry, IPIs, invalidations: cycles that are no instructions */
};

/* What the placement policy did; all zero under the default one. */
struct os_place_stats {
    uint64_t hits;                      /* allocations that got the frames they were to have */
    uint64_t busy, outside, other_node; /* that did not, since these were not free, no memory, another node's */
    uint64_t placements, replaced;      /* searches for a cluster; of these, after a busy target */
    uint64_t no_cluster;                /* of these, with no block of the largest order free */
    uint64_t eager_bytes;               /* allocated when mapped */
    uint64_t migrated_bytes, exchanged_bytes; /* by ranger */
    uint64_t unmovable_pages;                 /* it had to leave, each time it looked */
};

/* What a block device did. Cycles are the core's. */
struct os_device_stats {
    uint64_t reads, writes; /* requests */
    uint64_t read_bytes, write_bytes;
    uint64_t busy_cycles, wait_cycles; /* the device's time; somebody waited */
    uint64_t errors;
};

struct os_reclaim_stats {
    uint64_t kswapd, direct;              /* times that it ran */
    uint64_t scanned, rotated, reclaimed; /* pages looked at, kept since used, taken; private and file together */
    uint64_t reclaimed_anon, reclaimed_file;
    uint64_t refaults, activated;         /* pages that came back; of them, soon enough to be kept */
    uint64_t written_back;                /* file pages */
    uint64_t discarded;                   /* after MADV_FREE */
    uint64_t swapped_out, swapped_in;     /* pages written to and read from swap, ahead included */
    uint64_t swap_cached;                 /* faults that found their page in the swap cache */
    uint64_t read_ahead, read_ahead_used; /* pages */
    uint64_t swap_used_bytes, swap_peak_bytes;
    uint64_t limit_hits;                /* faults that had to reclaim because of os.limit.bytes */
    uint64_t conflicts, ghosts_evicted; /* horizon: no free frame among the candidates; places taken from ghosts */
    uint64_t oom_kills, oom_last;       /* and the last victim's id */
    struct os_device_stats swap, file;
};

struct os_stats {
    struct os_op_stats op[OS_OPS];
    struct os_place_stats place;
    struct os_reclaim_stats reclaim;
    uint64_t pages_zeroed_bytes, pages_copied_bytes;
    uint64_t huge_splits, huge_collapses, huge_fallbacks;
    uint64_t out_of_memory;   /* faults that found no frame */
    uint64_t segv;            /* faults outside any VMA, or against its protection */
    uint64_t mapped_bytes[3]; /* now, by page size 4K, 2M, 1G */
    uint64_t resident_peak_bytes;
};

/* `svc` is initialised and has no database yet; from now on its tables' frames come from this OS, which must be
   freed after all use of the service but before emt_tsvc_fini() and emt_host_fini(). -ENOMEM, and what frames_new()
   says. */
int os_new(struct os **out, const struct emt_config *cfg, struct emt_tsvc *svc);
void os_free(struct os *);
const struct os_stats *os_stats_of(const struct os *);
/* Peak of table bytes and the like go on; counters of operations start again. */
void os_reset_stats(struct os *);

/* A new, empty address space. -ENOMEM, -EEXIST, -EAGAIN: no free ASID. */
int os_process_new(struct os *, uint32_t id, struct os_process **out);
/* NULL when there is none. */
struct os_process *os_process_find(struct os *, uint32_t id);
struct emt_tdb *os_process_tdb(struct os_process *);
/* Unmap everything and free the address space. */
void os_exit(struct os_process *);
void os_exec(struct os_process *);
int os_fork(struct os_process *parent, uint32_t child_id, struct os_process **child);

/*
 * Files are numbers > 0; their page cache lives as long as the OS. Called again with another size: a shorter file
 * loses the pages beyond its end, in every mapping; a longer one has them again as they were at first. -EINVAL,
 * -ENOMEM.
 */
int os_file(struct os *, uint64_t file, uint64_t bytes);

/*
 * The calls of the program. Addresses are page aligned (else -EINVAL), lengths are rounded up. With MAP_FIXED, or
 * an addr other than 0 that is free, the mapping is made there; else the OS chooses and returns the address in
 * *addr.
 */
/* -EINVAL, -EEXIST (FIXED_NOREPLACE), -ENOMEM (no room, or no memory), -EBADF (no such file), -EOVERFLOW (offset).
   MAP_HUGETLB means huge pages whatever os.thp says, small ones when there are none: there is no pool. */
int os_mmap(struct os_process *, uint64_t *addr, uint64_t bytes, int prot, int flags, uint64_t file,
            uint64_t offset);
int os_munmap(struct os_process *, uint64_t addr, uint64_t bytes);
int os_mprotect(struct os_process *, uint64_t addr, uint64_t bytes, int prot);
/* flags: MREMAP_MAYMOVE, _FIXED, _DONTUNMAP; *addr in: wanted (with FIXED), out: where it is */
int os_mremap(struct os_process *, uint64_t old, uint64_t old_bytes, uint64_t *addr, uint64_t bytes, int flags);
int os_brk(struct os_process *, uint64_t end);
int os_madvise(struct os_process *, uint64_t addr, uint64_t bytes, int advice);
/* The stack: grows down from `low` by up to cfg->os.stack_bytes below `end`. */
int os_stack(struct os_process *, uint64_t low, uint64_t end);

/*
 * A page fault on `core`. 0: try again. -EFAULT: SIGSEGV. -EFBIG: SIGBUS, beyond the end of a file. -EIO: SIGBUS,
 * the page cannot be read; the next fault tries again. -ENOMEM: out of memory, and nobody was killed. -ESRCH: the
 * OOM killer has ended the process: it has no memory any more and every call returns this, but os_exit() is still
 * due.
 */
int os_fault(struct os_process *, unsigned core, uint64_t va, unsigned type, uint32_t code);
/* Account for a switch of `core` to this process, and switch the service. */
int os_switch(struct os_process *, unsigned core);
/* Background work (khugepaged) that is due when `instructions` have retired in all. */
void os_tick(struct os *, uint64_t instructions);
/*
 * A balloon: up to `frames` free frames are taken from the OS, which no longer uses them, and their numbers put
 * into `pfn` in ascending order; returns how many. deflate gives them back.
 */
uint64_t os_balloon_inflate(struct os *, uint64_t *pfn, uint64_t frames);
void os_balloon_deflate(struct os *, const uint64_t *pfn, uint64_t frames);
/*
 * Cycles that hardware spent for the OS, on the account of `op`; OS_OPS: of the operation now running. With
 * OS_SHOOTDOWN it counts one shootdown and the initiator's instructions too. The OS itself charges
 * core.fault_cycles for each fault and core.switch_cycles for each switch: IPIs and INVLPG come through here.
 */
void os_charge_cycles(struct os *, enum os_op, uint64_t cycles);

/* What time it is, in cycles of the core that runs; for devices. Without, time passes only while somebody waits. */
void os_set_clock(struct os *, uint64_t (*now)(void *ctx), void *ctx);
/* Processes that the OOM killer has not ended. */
uint64_t os_alive(const struct os *);
/* Test: the n-th request from now to a device fails, and each `every` one after it; 0: never, 0: no other. */
void os_fail_io(struct os *, uint64_t nth, uint64_t every);

/*
 * Test and checking: which content a page shows. Kept only after os_track_content(). A content is a 64-bit name: 0
 * zero page; a file's page: os_content_file(); anything else: what os_store() wrote.
 */
void os_track_content(struct os *);
uint64_t os_content_file(uint64_t file, uint64_t page);
/* Content seen at va through the tables; -EFAULT when not mapped. */
int os_content(struct os_process *, uint64_t va, uint64_t *content);
/* The same, and, where private memory is in swap, what the slot or the swap cache holds. */
int os_content_kept(struct os_process *, uint64_t va, uint64_t *content);
/* As if the program stored `content`; faults in what it must. */
int os_store(struct os_process *, uint64_t va, uint64_t content);
/* Every invariant of frames, VMAs and tables; 0, or a negative value after printing what is wrong to stderr. */
int os_verify(struct os *);

/* A picture of physical memory: `cells` cells of equal size, for each the bytes by use. */
enum os_use { OS_USE_FREE, OS_USE_4K, OS_USE_2M, OS_USE_1G, OS_USE_FILE, OS_USE_TABLE, OS_USE_OCCUPIED, OS_USES };
extern const char *const os_use_name[OS_USES];
struct os_cell {
    uint64_t bytes[OS_USES];
};
void os_memory_map(const struct os *, struct os_cell *cells, unsigned n);
/* Free blocks by order 0..10, all nodes; and the unusable free space index at `order` (Gorman, 0..1). */
void os_free_blocks(const struct os *, uint64_t count[11]);
double os_fragmentation(const struct os *, unsigned order);
/* Where hardware restricts frames to groups: a kind of group, and how many have 0, 1, ... of their frames in use.
   Returns how many kinds there are; 0: pages may lie anywhere. */
struct os_places {
    struct emt_place_group group;
    uint64_t used[EMT_PLACE_GROUP_FRAMES + 1];
};
unsigned os_places(const struct os *, struct os_places out[EMT_PLACE_GROUPS]);
/*
 * How contiguous what a process has resident is: the fewest mappings that cover 90, 99 and 100 % of it, when a
 * mapping is what the view says. The ideal is not what is mapped: an offline best fit that knew from the start how
 * much of each VMA would be touched, into the free clusters, of any alignment, that memory had at boot.
 */
enum os_view {
    OS_VIEW_RANGE,  /* contiguous in virtual and physical memory, any length and alignment (RMM's ranges) */
    OS_VIEW_VMA,    /* a VMA, whatever lies behind it: what direct segments would need at best */
    OS_VIEW_ANCHOR, /* a TLB entry of hybrid coalescing (ISCA'17): aligned anchors, else 2 MiB and 4 KiB pages */
    OS_VIEW_OFFSET, /* all that has one offset of virtual to physical, holes or not: what SpOT predicts by */
    OS_VIEW_IDEAL,
    OS_VIEWS
};
extern const char *const os_view_name[OS_VIEWS]; /* "range", ... as in the results */
#define OS_SHARES  3                             /* 90, 99, 100 % */
#define OS_LONGEST 8

struct os_contiguity {
    uint64_t resident_bytes, runs, runs_99, longest_bytes;
    uint64_t touched_bytes;                 /* of it, in objects that were accessed; 0: hardware does not tell */
    uint64_t mappings[OS_VIEWS][OS_SHARES]; /* 0: not known, there were too many runs */
    uint64_t anchor_pages;                  /* the anchor distance with the fewest entries in all */
    uint64_t longest[OS_LONGEST];           /* bytes of the longest runs, descending */
};
void os_contiguity(struct os_process *, struct os_contiguity *);
/* Of a guest's process in host memory: what the guest's OS calls frames is the memory of process `below` of another
   OS, from its address 0 on. NULL: as os_contiguity(). */
void os_contiguity_through(struct os_process *, struct os_process *below, struct os_contiguity *);

/* The same memory as in os_memory_map(), coloured by run: for each cell the rank, from 1 on, of the run that has
   most of it; OS_RUN_SMALL: of a run beyond the longest OS_RUN_RANKS; 0: nothing of this process. */
#define OS_RUN_RANKS 254
#define OS_RUN_SMALL 255
void os_run_map(struct os_process *, uint8_t *rank, unsigned n);

#endif
