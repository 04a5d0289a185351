/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of os/ share. Who does what:
 *
 *     os.c       the OS itself, processes by number, files by number, pictures of memory
 *     mm.c       mmap, munmap, mprotect, brk, stack        mremap.c, madvise.c   what they say
 *     fault.c    page faults                               thp.c                 huge pages
 *     fork.c     fork, exec, exit                          pages.c               frames behind mappings
 *     account.c  which operation pays                      content.c             what a page shows, for tests
 *     placement*.c  which frames: policies                 contig.c              free clusters
 *
 * Rules. An error leaves everything consistent: os_verify() holds after every call, whatever it returned. A frame
 * that was unmapped is given back after the flush, never before. emt_cursor locks its range: no emt_range or
 * emt_huge function is called while one is open.
 */
#ifndef EMT_OS_INTERNAL_H
#define EMT_OS_INTERNAL_H

#include "os/abi.h"
#include "os/account.h"
#include "os/filecache.h"
#include "os/frames.h"
#include "os/os.h"
#include "os/placement.h"
#include "os/vma.h"

struct sizes;

struct os_process {
    struct os *os;
    uint32_t id;
    uint32_t family; /* the id of the first ancestor: with a page's index the owner key of private frames */
    struct emt_tdb tdb;
    struct vma_tree vmas;
    uint64_t brk_start, brk_end; /* 0: none yet */
    bool limited;                /* os.limit.bytes counts its memory */
    bool killed;                 /* by the OOM killer: has no memory any more, waits for os_exit() */
};

struct os {
    struct emt_config cfg;
    struct emt_tsvc *svc;
    struct emt_host *host;
    struct emt_caps caps;
    struct frames *frames;

    struct os_process **process; /* ascending by id */
    uint64_t nprocess, process_room;
    uint8_t asid_used[65536 / 8];
    uint32_t asid_limit;
    struct filecache files;

    uint64_t huge_bytes; /* the second smallest page size; 0: none that the frame allocator can serve */
    unsigned huge_order;
    uint64_t user_top; /* first address that programs cannot have */
    uint64_t mmap_top; /* mmap chooses below */
    int node;          /* of the core that runs: frames come from here first */

    uint64_t zero_pfn, huge_zero_pfn; /* FRAME_NONE until first used */

    struct os_stats stats;
    struct account account;
    struct place_state place;
    /* Every frame is free, reserved, a table's, or the user's: os_verify() adds them up. */
    uint64_t reserved_frames, table_frames, user_frames;
    bool booted; /* emt_tsvc_boot() is done */

    uint64_t *pending; /* frames unmapped whose flush is still owed: PFN << 6 | dirty << 5 | log2 of their number */
    uint64_t npending;

    uint64_t next_scan; /* khugepaged: instructions at which it runs next, and where it goes on */
    uint32_t scan_process;
    uint64_t scan_va;

    struct sizes *boot_clusters; /* free runs of frames when memory was new (os/contiguity.h) */
    struct reclaim *reclaim;     /* NULL: none */
    uint64_t *content;           /* by frame; NULL: not tracked */
};

#define PAGE      EMT_PAGE_BYTES
#define ZAP_BYTES (1ull << EMT_SHIFT_1G) /* unmapped between two flushes, at most */

static inline uint64_t round_down(uint64_t v, uint64_t unit) {
    return v & ~(unit - 1);
}
static inline uint64_t round_up(uint64_t v, uint64_t unit) {
    return (v + unit - 1) & ~(unit - 1);
}
static inline uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}
static inline uint64_t tobj(const struct os *os, const struct emt_tobj *o, enum emt_attr a) {
    return emt_tobj_get(os->svc, o, a);
}
/* Page of a VMA's object that va shows. */
static inline uint64_t vma_page(const struct vma *v, uint64_t va) {
    return (va - v->start + v->offset) >> EMT_PAGE_SHIFT;
}
static inline bool vma_private(const struct vma *v) {
    return !(v->flags & VMA_SHARED);
}

/* ---- pages.c: frames behind mappings ---- */

/* A frame, or a run of them, for va: placement asked, charged to the account. FRAME_NONE. */
uint64_t page_alloc(struct os_process *p, uint64_t va, uint64_t bytes, enum os_use use);
/* The same, but no placement policy is asked: for what no VMA owns, as pages of zeroes. */
uint64_t page_alloc_anywhere(struct os_process *p, uint64_t va, uint64_t bytes, enum os_use use);
/* A free aligned piece of one run of candidates, from its turn on. FRAME_NONE. */
uint64_t page_alloc_in_run(struct os *os, const struct emt_place *place, unsigned run, unsigned order,
                           enum os_use use);
/* Exactly these frames. FRAME_NONE: they are not all free. `limited`: os.limit.bytes counts them. */
uint64_t page_alloc_at(struct os *os, uint64_t pfn, unsigned order, enum os_use use, bool limited);
/* Give back an allocation that nothing maps. */
void page_free(struct os *os, uint64_t pfn);
void page_clear(struct os *os, uint64_t pfn, uint64_t bytes);
void page_copy(struct os *os, uint64_t dst, uint64_t src, uint64_t bytes);
/* Contents of two allocations of equal size change places. */
void page_swap(struct os *os, uint64_t a, uint64_t b, uint64_t bytes);
/* One of the frames that show zeroes to everyone: not counted, never written. */
bool page_is_zero(const struct os *os, uint64_t pfn);
/* One mapping of `bytes` more or less; the last one of private memory frees. */
void page_get(struct os *os, uint64_t pfn, uint64_t bytes);
void page_put(struct os *os, uint64_t pfn, uint64_t bytes);
/* Private and mapped once: this mapping may write to it. */
bool page_exclusive(const struct os *os, uint64_t pfn, uint64_t bytes);
/* The permissions of a mapping in v. */
unsigned page_prot(const struct vma *v, bool write);
/* Map [va, va + bytes) to pfn, accessed (and dirty, if writable); counts the mapping. -ENOMEM: nothing changed. */
int page_map(struct os_process *p, struct emt_cursor *c, const struct vma *v, uint64_t va, uint64_t pfn,
             uint64_t bytes, bool write);
/* Unmap [start, end) of whatever VMAs; huge objects that cross an end must be split before. Flushes. */
int page_zap(struct os_process *p, uint64_t start, uint64_t end);
/* Account for mappings by size. */
void page_count_mapped(struct os *os, uint64_t bytes, int64_t n);

/* ---- fault.c ---- */

/* Make va usable for an access of this type; *op says what it took. *next gets the address behind what is mapped
   now. Errors as os_fault(). */
int fault_handle(struct os_process *p, uint64_t va, unsigned type, enum os_op *op, uint64_t *next);
/* Fault in [start, end) beforehand. The first error stops it. */
int fault_populate(struct os_process *p, uint64_t start, uint64_t end, bool write);
/* The frame that caches a page of a file, read in if need be; FRAME_NONE and *err: -ENOMEM, -EIO. */
uint64_t fault_cache_page(struct os_process *p, const struct vma *v, uint64_t va, int *err);

/* ---- fork.c ---- */

/* Unmap everything. */
void os_drop_space(struct os_process *p);

/* ---- thp.c ---- */

/* May this VMA have huge pages, by the settings and its advice? */
bool thp_allowed(const struct os *os, const struct vma *v);
/* A huge page for the fault at va, under a cursor over the aligned range that found nothing there. 1: no, use small
   pages; *op as for fault_handle(). */
int thp_fault(struct os_process *p, struct emt_cursor *c, struct vma *v, uint64_t va, bool write, enum os_op *op);
/* Split the huge object that answers for va, if there is one. -ENOMEM. */
int thp_split(struct os_process *p, uint64_t va);
/* Split a huge object that crosses `at`: before half of it is changed. -ENOMEM. */
int thp_split_across(struct os_process *p, uint64_t at);
/* Replace [base, base + huge) by one huge page. `eager`: MADV_COLLAPSE, whatever the limits of khugepaged say.
   0: done or already huge; -EAGAIN: not fit for it; -ENOMEM. *looked: pages looked at. */
int thp_collapse(struct os_process *p, const struct vma *v, uint64_t base, bool eager, unsigned *looked);

/* ---- mm.c: VMAs ---- */

struct vma *space_vma_new(const struct vma *like, uint64_t start, uint64_t end);
/* Takes the VMA out of its process and frees it; its pages are gone. */
void space_vma_delete(struct os_process *p, struct vma *v);
/* VMAs end and begin at `at`. -ENOMEM. */
int space_split(struct os_process *p, uint64_t at);
/* Join v with equal neighbours; returns what holds it now. */
struct vma *space_merge(struct os_process *p, struct vma *v);
/* munmap without its checks. */
int space_unmap(struct os_process *p, uint64_t start, uint64_t end);
/* A free address for `bytes`; 0: none. `hint` decides how high it may be. */
uint64_t space_room(struct os_process *p, uint64_t hint, uint64_t bytes);
/* May [start, start + bytes) be mapped without touching anything, guard gaps included? */
bool space_free(struct os_process *p, uint64_t start, uint64_t bytes);
/* Is [addr, addr + bytes) page aligned at its start and within what programs may have? Rounds *bytes up. */
bool space_range_ok(const struct os *os, uint64_t addr, uint64_t *bytes);

/* ---- os.c ---- */

void os_file_put(struct os *os, struct os_file *f);
/* Drop cached pages [first, end) and every mapping of them. `private_too`: private copies as well. */
int os_file_drop(struct os *os, struct os_file *f, uint64_t first, uint64_t end, bool private_too);

/* ---- content.c ---- */

void content_set(struct os *os, uint64_t pfn, uint64_t bytes, uint64_t content);
void content_copy(struct os *os, uint64_t dst, uint64_t src, uint64_t bytes);

void content_swap(struct os *os, uint64_t a, uint64_t b, uint64_t bytes);

#define CONTENT_FREED 0xdeadfeedull /* what a freed frame shows: nobody must ever see it */

/* Look at tables without being charged, counted or seen by the data caches. */
struct os_peek {
    struct emt_host saved;
};
void os_peek_begin(const struct os *os, struct os_peek *peek);
void os_peek_end(const struct os *os, const struct os_peek *peek);

#endif
