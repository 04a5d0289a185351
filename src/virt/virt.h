/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is below a guest: a host with an OS and an architecture of its own, in which the virtual machine is a
 * process with one VMA, the guest's physical memory.
 *
 *     program ─> guest OS ─> guest's tables ─┐                 nested   hardware walks both (hw/mmu_second.c)
 *                                            ├─ gVA ─> hPA     shadow   hardware walks a third database, which the
 *     VM process of the host OS ─> its tables┘                          hypervisor makes from both
 *
 * The guest's memory is a struct emt_host whose addresses are guest-physical: its table's bytes are kept there, by
 * guest-physical address, whichever host frame is behind them. The time of each access is that of the host frame.
 *
 * Who backs what. A frame of the host is behind a page of the guest once it is touched: by a program, by a walk, or
 * by the guest OS, which clears and copies pages and writes tables. Each first touch is a violation: a VM exit, and
 * a page fault of the host OS.
 */
#ifndef EMT_VIRT_VIRT_H
#define EMT_VIRT_VIRT_H

#include "hw/mmu.h"
#include "os/os.h"

/* Why the guest was left. Each call is a VM exit, but for VIRT_SYNC, which is work within one. */
enum virt_op {
    VIRT_VIOLATION,    /* no host frame, or one that may not be written yet */
    VIRT_SHADOW_FAULT, /* shadow: any page fault */
    VIRT_TABLE_WRITE,  /* shadow: a write to a protected table */
    VIRT_INVALIDATE,   /* shadow: INVLPG */
    VIRT_ROOT,         /* shadow: a load of the root register, or a flush of all */
    VIRT_SYNC,         /* shadow: entries compared with the guest's; no exit of its own */
    VIRT_KICK,         /* another virtual CPU, to flush what it caches after a change in the host */
    VIRT_BALLOON,      /* pages given back by the guest */
    VIRT_OPS
};
extern const char *const virt_op_name[VIRT_OPS]; /* as in the results */

struct virt_stats {
    struct os_op_stats op[VIRT_OPS];
    uint64_t guest_faults; /* shadow: of VIRT_SHADOW_FAULT, those that were the guest's own */
    uint64_t shadow_fills, shadow_drops;
    uint64_t unsyncs;      /* tables that became writable for the guest */
    uint64_t host_changes; /* flushes of the host's mappings of guest memory */
    uint64_t balloon_pages;
};

/* With shadow tables hardware's ASIDs are the guest's and so many more: the host has some of its own. */
#define VIRT_SHADOW_ASIDS 1

struct virt;

/* What virt_new() puts together; pointers stay the caller's and outlive the result. */
struct virt_parts {
    const struct emt_config *guest, *host; /* as settings_side() gives them */
    struct emt_host *memory;               /* the guest's */
    const unsigned *current;               /* the core that runs */
};

/* -EINVAL, -ENOENT, -ENOMEM, with a line in why. */
int virt_new(struct virt **out, const struct virt_parts *parts, char *why, size_t why_bytes);
void virt_free(struct virt *);

/* What hardware walks first, from which description: with nested tables the guest's, with shadow tables the host's.
 */
const struct emt_config *virt_walked_config(const struct virt *);
const struct emt_arch *virt_walked_arch(const struct virt *);
struct emt_host *virt_walked_memory(struct virt *);
/* A core's MMU is made: it gets its second dimension, if it has one. `caches` may be NULL. -ENOMEM. */
int virt_add_core(struct virt *, unsigned core, struct mmu *, struct cache_core *caches);
/* All cores are there. -ENOMEM. */
int virt_start(struct virt *);

/* ---- what the guest does; all of it on *parts->current ---- */

/* The guest's OS accesses a word of its tables; returns where it is in host memory. */
uint64_t virt_table_access(struct virt *, uint64_t gpa, bool write);
/* It clears or copies memory. */
void virt_touch(struct virt *, uint64_t gpa, uint64_t bytes, bool write);
/* Shadow: root registers are loaded or changed; cached translations are flushed, on all cores (returns single
   invalidations, 0: a whole flush). */
void virt_load_root(struct virt *, unsigned cpu, uint16_t asid, const struct emt_root *);
void virt_update_root(struct virt *, unsigned cpu, const struct emt_root *);
unsigned virt_flush(struct virt *, uint16_t asid, const struct emt_flush *);
/* A translation ended in a fault (its bits in `fault`). 0: the hypervisor has removed the cause, try again. 1: it
   is the guest's own. -ENOMEM: the host is out of memory. */
int virt_fault(struct virt *, uint64_t va, unsigned type, uint32_t fault);
/* Background work of host and balloon that is due. */
void virt_tick(struct virt *, struct os *guest, uint64_t instructions);
/* Why the machine cannot go on, or NULL: the host has no memory for what the guest touched. */
const char *virt_trouble(const struct virt *);

/* ---- what is true: for the checker (hw/checker.h) ---- */

int virt_truth(void *virt, struct mmu *, uint64_t va, struct emt_walk *out);
uint64_t virt_truth_writes(void *virt);
/* Where a guest-physical address is now, by the host's database; -ENOENT: nowhere yet. Charges nothing. */
int virt_find(struct virt *, uint64_t gpa, struct emt_walk *out);

/* ---- results ---- */

const struct virt_stats *virt_stats_of(const struct virt *);
void virt_reset_stats(struct virt *);
struct os *virt_os(struct virt *);
struct os_process *virt_process(struct virt *);
const struct emt_host *virt_memory(const struct virt *);
const struct emt_config *virt_config(const struct virt *);
/* The second dimension of a core, or NULL. */
const struct mmu *virt_second(const struct virt *, unsigned core);
/* Cycles of exits, and of what the hypervisor does in them; the host OS's own are in os_stats_of(virt_os()). */
double virt_cycles(const struct virt *);

#endif
