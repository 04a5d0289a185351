/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kit's memory: frames for tables, watched. A frame that comes back is filled with poison and is the first to
 * be given out again, so that whoever still follows a pointer to it is caught at once:
 *
 *     never used ──alloc──> table ──free (after the flush)──> poisoned ──alloc──> table ...
 *
 * What is watched: a frame freed twice or never allocated, a write by the driver outside of table frames, a write
 * into a frame after it was given back, a walker that reads outside of table frames.
 */
#ifndef EMT_CHECK_FRAMES_H
#define EMT_CHECK_FRAMES_H

#include "core/mm.h"

#define FRAMES_ORDERS 19 /* up to 1 GiB */

struct frames_list {
    uint64_t *pa;
    size_t n, room;
};

struct frames {
    struct emt_host *host;
    uint64_t next, end; /* physical addresses: [next, end) was never given out */
    uint8_t *state;     /* by frame: FRAME_ below */
    struct frames_list free[FRAMES_ORDERS];
    uint64_t used_bytes;
    /* Allocations of this order or larger fail, but for as many as have been given back since; 0: none does. */
    unsigned refuse_order;
    uint64_t returned[FRAMES_ORDERS];
    char wrong[192]; /* the first misuse, in words; "" */
    /* Called before a frame that walkers in other threads may still read is poisoned; NULL without threads. */
    void (*wait_readers)(void *);
    void *readers;
};

enum { FRAME_UNUSED, FRAME_FREE, FRAME_TABLE, FRAME_HEAD /* + order: the first frame of an allocation */ };

/* Memory for tables is [first, end) of host's, in bytes. Sets the host's frame callbacks. -ENOMEM. */
int frames_init(struct frames *f, struct emt_host *host, uint64_t first, uint64_t end);
void frames_fini(struct frames *f);

/* Is the word part of a table now? */
static inline bool frames_is_table(const struct frames *f, uint64_t pa) {
    return pa < f->host->phys_bytes && f->state[pa >> EMT_PAGE_SHIFT] >= FRAME_TABLE;
}
/* Set refuse_order. Who gives a piece back can have it again: nobody else takes any. */
void frames_refuse(struct frames *f, unsigned order);
/* Note the first misuse. */
void frames_wrong(struct frames *f, const char *what, uint64_t pa);
/* For host->table_access. */
void frames_touched(struct frames *f, uint64_t pa, bool write);
/* Look into all frames that were given back for writes since. */
void frames_sweep(struct frames *f);

#endif
