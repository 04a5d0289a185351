/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reclaim: what leaves memory when it is short, and how it comes back. Who does what:
 *
 *     reclaim.c          watermarks, kswapd, direct reclaim, limits, OOM: when, and how much
 *     reclaim_lru.c      policy: active and inactive lists       reclaim_gens.c   policy: generations
 *     reclaim_horizon.c  policy: ghosts, where frames are restricted
 *     evict.c            one frame leaves      rmap.c   who maps it      swapin.c   a page comes back
 *     swap.c, device.c   slots, the swap cache, the device's time
 *
 * Rules. Reclaim runs only where nothing is locked and nobody holds an object, a cursor or a VMA's inside: before a
 * fault or a call begins to work (reclaim_before) and when it has given up for want of memory and will begin anew
 * (reclaim_again). A frame is on a list from page_alloc() to page_free(). With os.reclaim.policy=none there is no
 * struct reclaim, and each hook is one test of a pointer.
 */
#ifndef EMT_OS_RECLAIM_H
#define EMT_OS_RECLAIM_H

#include "os/account.h"
#include "os/device.h"
#include "os/internal.h"
#include "os/lru.h"
#include "os/swap.h"

/* frame.flags */
#define FRAME_LISTED     0x0001u /* on a list (Horizon LRU: has a stamp) */
#define FRAME_ACTIVE     0x0002u
#define FRAME_SWAPBACKED 0x0004u /* private memory or shmem: goes to swap, not to a file */
#define FRAME_REFERENCED 0x0008u /* was found used once on the inactive list */
#define FRAME_WORKINGSET 0x0010u /* was active before it was last evicted or deactivated */
#define FRAME_CACHED     0x0020u /* in the swap cache */
#define FRAME_DIRTY      0x0040u /* newer than its slot or file, though no table says so any more */
#define FRAME_HOLE       0x0080u /* a page of a hole: when clean, it is one again */
#define FRAME_LAZYFREE   0x0100u /* MADV_FREE: when clean, its content may go */
#define FRAME_LIMITED    0x0200u /* counted against os.limit.bytes */
#define FRAME_AHEAD      0x0400u /* was read ahead and not used yet */
#define FRAME_GEN_SHIFT  12      /* two bits: its generation modulo 4 */

/* One mapping of a frame, as rmap_find() leaves it. */
struct rmap {
    struct os_process *p;
    const struct vma *v;
    uint64_t va;            /* of the frame */
    uint64_t bytes;         /* of the object that maps it */
    bool dirty, exec, file; /* by the table (or written without hardware that says so); VMA's rights and kind */
};

#define GENS 4

/* The lists of one group of processes: [file] is 0 for what goes to swap, 1 for what goes to files. */
struct lruvec {
    struct lru_list list[2][2]; /* [file][active] */
    uint64_t cost[2];           /* of reclaiming each kind, lately */
    uint64_t age;               /* evictions and activations so far: the clock of refaults */
    uint64_t seen_activated[2], activated[2];

    struct lru_list gen[GENS][2]; /* [sequence number % 4][file] */
    uint64_t min_seq[2], max_seq;
    uint64_t refaulted[2], evicted[2], mean_refaulted[2], mean_total[2];

    uint64_t pages; /* 4 KiB pages on its lists */
};

/* How a frame comes to its list. */
enum reclaim_join {
    JOIN_YOUNG, /* faulted in, or used again */
    JOIN_AHEAD, /* read ahead */
    JOIN_OLD,   /* a piece of a huge page that is about to be evicted */
};

struct reclaim_policy {
    /* A frame that is on no list joins one; f is its record, as everywhere. */
    void (*add)(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f, enum reclaim_join how);
    void (*del)(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f);
    /* Take up to `want` pages; `priority` 12..0: how large a part of memory may be looked at. Returns how many. */
    uint64_t (*shrink)(struct os *os, struct lruvec *l, uint64_t want, int priority);
    /* A page whose shadow says when it was evicted is back, on no list yet: mark its record. */
    void (*refault)(struct os *os, struct lruvec *l, struct frame *f, uint32_t shadow);
};
extern const struct reclaim_policy reclaim_lru, reclaim_gens, reclaim_horizon;

struct reclaim {
    const struct reclaim_policy *policy;
    union lru_entry *entry; /* by frame: lru_at() */
    uint64_t frames;
    struct lruvec vec[2]; /* 1: of the processes with a limit */
    uint64_t min, low, high;
    uint64_t calm;        /* with so much free memory and more nothing need be done: low, or with a limit never */
    uint64_t limit_pages; /* ~0: none */
    unsigned kswapd_failures;
    bool hardware_dirty;

    struct swap swap;
    struct device swap_device, file_device;
    bool swap_immediate;
    unsigned ahead_hits, ahead_last; /* Linux's adaptive window */
    uint64_t last_slot;
    uint64_t (*now)(void *ctx);
    void *now_ctx;
    uint64_t waited; /* the clock when there is no other */
    uint64_t fail_at, fail_every;

    struct rmap *map; /* of the last rmap_find() */
    uint64_t nmap, map_room;

    /* Horizon LRU */
    bool horizon;
    uint32_t clock, horizon_stamp; /* allocations; the highest stamp ever evicted for want of a ghost */
    uint64_t victim;               /* page_alloc() found no frame, and this one should go: FRAME_NONE: none */
    uint64_t next_scan, hand, random;
    bool conflict;  /* page_alloc() found no free frame among the candidates */
    bool whole_old; /* the huge frame that is being split was on no list: its pieces are old */

    uint64_t *disk; /* tests: what written-back pages of files hold, as (file, page, content) */
    uint64_t ndisk, disk_room;
};

/* ---- reclaim.c ---- */

/* As os->cfg says; os->reclaim stays NULL when there is none. -ENOMEM, -EINVAL after a line on stderr. */
int reclaim_new(struct os *os);
void reclaim_free(struct os *os);
/* Before a fault or call that may need `pages`: background work that is due, and direct reclaim when below the
   lowest watermark or at the limit. 0; -ESRCH: p was killed. */
int reclaim_before_slow(struct os_process *p, uint64_t pages);
/* It failed for want of memory: 0: try again; -ENOMEM: there is nothing more to gain; -ESRCH: p was killed. `tries`
   begins with 0. */
int reclaim_again(struct os_process *p, unsigned *tries);
/* The same for a call whose -ENOMEM may have other reasons: true: memory is short and some was freed; nobody is
   killed. */
bool reclaim_more(struct os_process *p, unsigned *tries);
/* May so many pages be had without reclaim? For what is only an advantage: huge pages, reading ahead. */
bool reclaim_allows_slow(const struct os_process *p, uint64_t pages);
/* page_alloc() and page_free() have, or will have, this frame. */
void reclaim_added(struct os *os, uint64_t pfn, bool limited);
void reclaim_forget(struct os *os, uint64_t pfn, struct frame *f);
/* MADV_FREE has cleared what tables knew of writes to this object. */
void reclaim_lazyfree(struct os *os, const struct emt_tobj *old);
/* Kept for good: the pages of zeroes. */
void reclaim_never(struct os *os, uint64_t pfn);
/* A frame that caches a page of a file from now on, of which the index knew `known`. */
void reclaim_filled(struct os *os, uint64_t pfn, const struct os_file *file, uint64_t known);
/* Does a page of which the index knew this take a device's time? */
bool reclaim_must_read(const struct os *os, uint64_t known);
/* A huge allocation is about to be split; and has been. */
void reclaim_split_begin(struct os *os, uint64_t pfn);
void reclaim_split_end(struct os *os, uint64_t pfn, uint64_t n);
/* The records of two frames, each mapped once, change places: before, and after. */
void reclaim_exchange(struct os *os, uint64_t a, uint64_t b, bool before);
void reclaim_tick(struct os *os, uint64_t instructions);
static inline struct lruvec *reclaim_vec(struct os *os, const struct frame *f) {
    return &os->reclaim->vec[(f->flags & FRAME_LIMITED) != 0];
}
/* On which list it is, or belongs. */
static inline unsigned reclaim_is_file(const struct frame *f) {
    return !(f->flags & FRAME_SWAPBACKED);
}
static inline uint64_t reclaim_pages(const struct frame *f) {
    return 1ull << f->order;
}
static inline bool reclaim_can_swap(const struct os *os) {
    const struct swap *s = &os->reclaim->swap;
    return s->slots && s->used + 1 < s->slots;
}
static inline int reclaim_before(struct os_process *p, uint64_t pages) {
    const struct reclaim *r = p->os->reclaim;
    if (!r || (frames_free_total(p->os->frames) >= r->calm + pages && !p->killed))
        return 0;
    return reclaim_before_slow(p, pages);
}
static inline bool reclaim_allows(const struct os_process *p, uint64_t pages) {
    return !p->os->reclaim || reclaim_allows_slow(p, pages);
}

/* ---- reclaim_horizon.c ---- */

/* The frame for a page that must live among these candidates. FRAME_NONE: r->victim must go first, or none can. */
uint64_t reclaim_place(struct os *os, const struct emt_place *place, enum os_use use);
void reclaim_horizon_tick(struct os *os, uint64_t instructions);

/* ---- rmap.c ---- */

/* All mappings of the frame into os->reclaim->map. false: not all were found (out of host memory). */
bool rmap_find(struct os *os, uint64_t pfn, const struct frame *f);
/* How many of them were accessed since last time; clears that. *exec: one of them may execute a file. */
unsigned rmap_referenced(struct os *os, uint64_t pfn, const struct frame *f, bool *exec);
/* Take the mapping away, and leave a swap entry for `slot` behind, unless that is SWAP_NONE. Flushes. -ENOMEM:
   nothing has changed. */
int rmap_unmap(struct os *os, const struct rmap *m, uint64_t pfn, uint64_t slot);
/* The file of a cached page. NULL: it has gone. */
struct os_file *rmap_file(const struct os *os, const struct frame *f, uint64_t *page);

/* ---- evict.c ---- */

enum evicted {
    EVICT_DONE,   /* its frame is free */
    EVICT_SPLIT,  /* it was huge: its pieces are on the lists now */
    EVICT_FAILED, /* no slot, a device error, no memory for a table: it is where it was */
};
/* The frame is on no list; unless EVICT_DONE, the caller puts it on one (EVICT_SPLIT: not). */
enum evicted evict(struct os *os, uint64_t pfn);
/* The same for a frame that is on a list; puts it back by itself. */
enum evicted evict_listed(struct os *os, uint64_t pfn);

/* ---- swapin.c ---- */

/* The page in `slot`: its frame, in the swap cache. FRAME_NONE and *err: -ENOMEM, -EIO. */
uint64_t swapin_page(struct os_process *p, const struct vma *v, uint64_t va, uint64_t slot, int *err);
/* The private page of the swap entry under the cursor becomes mapped. -ENOMEM, -EIO. */
int swapin_fault(struct os_process *p, struct emt_cursor *c, const struct vma *v, uint64_t va, bool write);
/* The page of shared memory that va shows, which is in swap, is in its file's cache again. FRAME_NONE and *err. */
uint64_t swapin_shmem(struct os_process *p, const struct vma *v, uint64_t va, int *err);
/* One entry for the slot has gone. */
void swap_drop(struct os *os, uint64_t slot);
/* Wait for a read of `pages` pages, or queue a write. -EIO. */
int reclaim_io(struct os *os, bool swap, uint64_t at, unsigned pages, bool write);
/* What a page of a numbered file shows when it is read. For tests. */
uint64_t disk_content(const struct os *os, const struct os_file *f, uint64_t page);
void disk_write(struct os *os, const struct os_file *f, uint64_t page, uint64_t content);
/* Pages from `first` on have never been written. */
void disk_forget(struct os *os, const struct os_file *f, uint64_t first);

#endif
