/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Placement: which physical frames stand behind which virtual addresses, beyond what the buddy allocator happens to
 * give. A policy is a struct of functions, chosen once by os.placement; the default policy is none at all. What
 * an architecture requires of its frames (emt_tdb_place()) comes first.
 *
 *     page_alloc() ──> architecture's candidates? ──> policy->frame() ──> buddy allocator
 *     mmap, brk, mprotect, mremap ──> policy->mapped()
 *     os_tick() ──> policy->tick()
 *
 * All policies keep the same thing: for each VMA a few records "from this address on, page number minus frame
 * number is so much". A VMA placed in one piece has one. Pages of the page cache have one such offset for each
 * file.
 */
#ifndef EMT_OS_PLACEMENT_H
#define EMT_OS_PLACEMENT_H

#include "os/os.h"

struct vma;

/* From `start` on, up to the next record: frame = page - offset. */
struct place_record {
    uint64_t start;
    int64_t offset;     /* in pages */
    uint64_t pages;     /* placed so far, huge ones counted as what they hold */
    uint64_t low, high; /* page numbers of the first and the last of them */
};

/* At most so many for a VMA, the oldest goes first (artifact of ISCA'20). */
#define PLACE_RECORDS 64
struct place_records {
    unsigned n, next; /* `next` is the one that goes when all are there */
    struct place_record rec[PLACE_RECORDS];
};

struct placement {
    const char *name;
    /* Frames for va, 2^order of them, allocated; FRAME_NONE: take what the buddy allocator gives. v holds va. May
       be NULL. */
    uint64_t (*frame)(struct os_process *p, struct vma *v, uint64_t va, unsigned order, enum os_use use);
    /* [start, end) was mapped or may be accessed now. May be NULL. */
    void (*mapped)(struct os_process *p, uint64_t start, uint64_t end);
    /* Background work that is due when so many instructions have retired. May be NULL. */
    void (*tick)(struct os *os, uint64_t instructions);
};

extern const struct placement placement_ca, placement_eager, placement_ranger;

/* What the OS keeps for its policy; os->place. */
struct place_state {
    const struct placement *policy; /* NULL: the default, the buddy allocator alone */
    bool keep_records;              /* a huge page gathers what is there: no new placement for it */
    bool filling;                   /* memory that nobody has touched is being filled in */
    uint64_t contig_pfn;            /* the frame given last, when it belongs to a large run; FRAME_NONE */
    uint64_t map_updates;           /* of the contiguity map, paid for so far */
    uint64_t next_tick;             /* instructions */
    uint32_t tick_process;          /* where background work goes on */
    uint64_t tick_va;
    struct {
        struct os_process *p; /* NULL: nothing to mark */
        uint64_t start, end;
        int64_t offset;
    } mark; /* pages that have just become part of a large run */
};

/* ---- for the rest of the OS; all of them do nothing under the default policy ---- */

int placement_init(struct os *os);
/* As placement.frame; FRAME_NONE also when no VMA holds va. */
uint64_t placement_frame(struct os_process *p, uint64_t va, unsigned order, enum os_use use);
/* Pay for what allocating or freeing did to the contiguity map. */
void placement_charge(struct os *os);
void placement_mapped(struct os_process *p, uint64_t start, uint64_t end);
void placement_tick(struct os *os, uint64_t instructions);
/* A fault is over, no cursor is open: set EMT_ATTR_CONTIG where a run has become large. */
void placement_mark(struct os *os);
/* Records of a part of a VMA that is a VMA of its own now, `shift` bytes further; of two VMAs that became one. */
void placement_copy(struct vma *to, const struct vma *from, int64_t shift);
void placement_join(struct vma *to, const struct vma *from);
void placement_free(struct vma *v);

/* ---- for the policies ---- */

/* The record for va: the nearest that starts at or below it, else the nearest above. NULL: none. *end: where the
   next one begins, or the VMA ends. */
struct place_record *placement_record(const struct vma *v, uint64_t va, uint64_t *end);
/* Add one. NULL: no host memory. */
struct place_record *placement_add(struct vma *v, uint64_t start, int64_t offset);
/* Count frames placed by a record, and see whether its run has become large. */
void placement_placed(struct os_process *p, const struct vma *v, struct place_record *r, uint64_t pfn,
                      unsigned order);

#endif
