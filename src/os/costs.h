/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the OS's routines cost, in instructions, table accesses not included: those are counted as the driver makes
 * them. Each figure is a setting (os.cost.NAME); its default and where that comes from stand in one table.
 */
#ifndef EMT_OS_COSTS_H
#define EMT_OS_COSTS_H

#include <stdint.h>

enum os_cost {
    OS_COST_FAULT,        /* a page fault: entry, checks, exit */
    OS_COST_SYSCALL,      /* a system call: entry, checks, exit */
    OS_COST_VMA_FIND,     /* find the VMA of an address */
    OS_COST_VMA_CHANGE,   /* insert, remove, split, merge or resize one VMA */
    OS_COST_FRAME_ALLOC,  /* one allocation of frames, whatever its order */
    OS_COST_FRAME_FREE,   /* one freed */
    OS_COST_PAGE_ADD,     /* book-keeping of one page newly mapped */
    OS_COST_PAGE_REMOVE,  /* book-keeping of one page unmapped */
    OS_COST_PAGE_CHANGE,  /* one entry with a new protection, or moved, or aged */
    OS_COST_PAGE_FORK,    /* one entry copied to a child */
    OS_COST_CLEAR_KIB,    /* clear 1 KiB of memory */
    OS_COST_COPY_KIB,     /* copy 1 KiB of memory */
    OS_COST_CACHE_FIND,   /* look one page up in the page cache */
    OS_COST_CACHE_FILL,   /* one page new in the page cache, its data's way from storage not included */
    OS_COST_PROCESS_NEW,  /* fork and exec: what is not memory management */
    OS_COST_PROCESS_END,  /* exit: what is not memory management */
    OS_COST_SCAN_PAGE,    /* khugepaged looks at one page */
    OS_COST_COLLAPSE,     /* khugepaged replaces a range, copying not included */
    OS_COST_SPLIT,        /* a huge page becomes small ones, entries not included */
    OS_COST_SIGNAL,       /* deliver a signal for a bad access */
    OS_COST_SHOOTDOWN,    /* initiator's work for one round of IPIs */
    OS_COST_SWITCH,       /* switch between address spaces */
    OS_COST_PLACE_TARGET, /* a placement policy finds the target of a fault: record, arithmetic, tests */
    OS_COST_PLACE_SEARCH, /* it looks for a cluster or a large block */
    OS_COST_MAP_UPDATE,   /* a block enters or leaves the contiguity map */
    OS_COST_MIGRATE,      /* move a page: isolate, unmap, map; copy, entries and flush not included */
    OS_COST_RECLAIM_SCAN, /* reclaim looks at one page: isolate, judge, put back */
    OS_COST_RECLAIM_PAGE, /* reclaim takes one page: out of its cache, into a batch to be freed */
    OS_COST_RMAP,         /* one mapping of a frame found through its object's VMAs */
    OS_COST_SWAP_SLOT,    /* a swap slot allocated or freed */
    OS_COST_SWAP_FIND,    /* one look into the swap cache */
    OS_COST_IO,           /* one request to a block device: submitted and completed */
    OS_COST_KSWAPD,       /* kswapd wakes and sleeps */
    OS_COSTS
};

struct os_cost_info {
    const char *name;      /* os.cost.NAME */
    uint32_t instructions; /* default */
    const char *source;    /* where it was measured, or "estimate: ..." */
};

extern const struct os_cost_info os_cost_table[];
extern const unsigned os_cost_count;

#endif
