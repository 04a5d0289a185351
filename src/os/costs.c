/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table of instruction costs. Nobody has published a split of Linux's memory management by routine: these are
 * estimates that together meet the one figure there is, a mean page fault of 2,552 cycles (1.27 us; one study of an
 * unmodified kernel, weak evidence):
 *
 *     fault 250 + vma_find 60 + frame_alloc 200 + page_add 300 + clear 4 x 64 + 4..8 table accesses
 *     = about 1,070 instructions; with the exception itself (core.fault_cycles) and an OS CPI above 1, 2,000 to
 * 2,600
 */
#include "os/costs.h"

#include "machine/config.h"

const struct os_cost_info os_cost_table[OS_COSTS] = {
    [OS_COST_FAULT] = {"fault", 250, "estimate: share of a mean Linux fault of 2,552 cycles"},
    [OS_COST_SYSCALL] = {"syscall", 200, "estimate: entry, dispatch and locks; the work itself is counted apart"},
    [OS_COST_VMA_FIND] = {"vma_find", 60, "estimate: a tree of 3 to 5 levels, about 15 instructions each"},
    [OS_COST_VMA_CHANGE] = {"vma_change", 400, "estimate: allocation of a VMA, two tree updates, accounting"},
    [OS_COST_FRAME_ALLOC] = {"frame_alloc", 200, "estimate: share of a mean Linux fault of 2,552 cycles"},
    [OS_COST_FRAME_FREE] = {"frame_free", 100, "estimate: half of frame_alloc, since frees are batched"},
    [OS_COST_PAGE_ADD] = {"page_add", 300, "estimate: rmap, LRU, memory cgroup; share of a mean Linux fault"},
    [OS_COST_PAGE_REMOVE] = {"page_remove", 80, "estimate: rmap and counters of one entry in a batched unmap"},
    [OS_COST_PAGE_CHANGE] = {"page_change", 25, "estimate: loop body that reads, changes, writes one entry"},
    [OS_COST_PAGE_FORK] = {"page_fork", 60, "estimate: loop body with rmap and write protection of one entry"},
    [OS_COST_CLEAR_KIB] = {"clear_kib", 64,
                           "estimate: 16 bytes an instruction; rep stosb stores 32 a cycle to cache, 4 to memory"},
    [OS_COST_COPY_KIB] = {"copy_kib", 96, "estimate: 1.5 times clear_kib, since it reads as well"},
    [OS_COST_CACHE_FIND] = {"cache_find", 80, "estimate: a tree of 2 to 4 levels, about 20 instructions each"},
    [OS_COST_CACHE_FILL] = {"cache_fill", 500, "estimate: insertion, LRU, file system; storage takes no time here"},
    [OS_COST_PROCESS_NEW] = {"process_new", 30000, "estimate: fork of an empty process takes tens of microseconds"},
    [OS_COST_PROCESS_END] = {"process_end", 15000, "estimate: half of process_new"},
    [OS_COST_SCAN_PAGE] = {"scan_page", 30, "estimate: loop body that tests about ten conditions of one entry"},
    [OS_COST_COLLAPSE] = {"collapse", 2000, "estimate: locks, isolation and accounting of 512 pages in batches"},
    [OS_COST_SPLIT] = {"split", 1500, "estimate: locks and the map counts of 512 pages in batches"},
    [OS_COST_SIGNAL] = {"signal", 1500, "estimate: a signal frame built and a handler entered"},
    [OS_COST_SHOOTDOWN] = {"shootdown", 300, "estimate: mask of CPUs, queue of calls; the wait is core.ipi_cycles"},
    [OS_COST_PLACE_TARGET] =
        {"place_target", 40,
         "estimate: a record and five tests; our own code takes 157, counted by callgrind with its statistics"},
    [OS_COST_PLACE_SEARCH] = {"place_search", 300, "estimate: a list or tree of clusters, with its lock"},
    [OS_COST_MAP_UPDATE] = {"map_update", 40, "estimate: one list entry changes its length, is cut, merged or new"},
    [OS_COST_MIGRATE] = {"migrate", 1500, "estimate: isolation, rmap, migration entry and LRU of one page"},
    [OS_COST_SWITCH] = {"switch", 300, "estimate: address-space part of a context switch; not the scheduler"},
    [OS_COST_RECLAIM_SCAN] = {"reclaim_scan", 150, "estimate: list work and about thirty tests of one page"},
    [OS_COST_RECLAIM_PAGE] = {"reclaim_page", 400, "estimate: two locks, a cache's removal, cgroup, batch of 32"},
    [OS_COST_RMAP] = {"rmap", 120, "estimate: an interval tree of 2 to 4 levels and the page-table lock"},
    [OS_COST_SWAP_SLOT] = {"swap_slot", 100, "estimate: per-CPU cache of slots refilled in batches of 64"},
    [OS_COST_SWAP_FIND] = {"swap_find", 80, "estimate: as cache_find"},
    [OS_COST_IO] = {"io", 3000, "estimate: block layer and driver, submission and interrupt, 1 to 2 us"},
    [OS_COST_KSWAPD] = {"kswapd", 3000, "estimate: two context switches and the zone checks"},
};
const unsigned os_cost_count = OS_COSTS;

_Static_assert((int)OS_COSTS <= (int)CFG_COSTS, "each cost has its place in emt_config.os.cost");
