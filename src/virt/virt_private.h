/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of virt/ share.
 *
 *     virt.c     the host, what is behind guest memory, its changes     nested.c        the second dimension of
 * walks shadow.c   shadow tables                                          shadow_pages.c  which tables and frames
 * they show balloon.c  memory that the guest gives back
 */
#ifndef EMT_VIRT_VIRT_PRIVATE_H
#define EMT_VIRT_VIRT_PRIVATE_H

#include "virt/virt.h"

/* Where the hypervisor has found a page of the guest last; out of date when the epoch is another. */
#define VIRT_MEMO_SLOTS 1024
struct virt_memo {
    uint64_t epoch;
    struct emt_walk page;
};

struct virt_core {
    struct mmu *mmu;
    struct mmu *second; /* NULL with shadow tables */
    struct cache_core *caches;
    struct shadow_space *space; /* that the core runs */
};

/* One address space of the guest, as hardware sees it. */
struct shadow_space {
    struct emt_tdb tdb;   /* gVA -> hPA, in tables of the host */
    uint16_t asid;        /* the guest's */
    struct emt_root root; /* the guest's */
    struct shadow_space *next;
};

/* An entry of a shadow table that shows a frame of the guest. It may be gone by now: who uses it looks. */
struct shadow_use {
    struct shadow_use *next;
    struct shadow_space *space;
    uint64_t va, gpa, bytes;
};

struct shadow {
    struct shadow_space *spaces;
    uint8_t *table;          /* by guest frame: enum shadow_table */
    struct shadow_use **use; /* by 2 MiB of guest memory, of entries that begin there */
    uint64_t frames, chunks;
    uint64_t *unsync; /* frames that are SHADOW_UNSYNC */
    uint64_t nunsync, unsync_room;
    /* Changes of host mappings that shadow tables have not followed yet. */
    struct {
        uint64_t gpa, bytes;
    } * pending;
    unsigned npending, room;
};

/* Work of the host's OS within an operation of the hypervisor: it has its own account. */
struct virt_inner {
    uint64_t reads, writes, stalls, work;
};

struct virt {
    struct emt_config guest_cfg, cfg, second_cfg; /* cfg: the host's */
    struct emt_host *memory;                      /* the guest's */
    const struct emt_arch *guest_arch, *arch;
    const unsigned *current;

    struct emt_host host;
    struct emt_tsvc svc;
    struct os *os;
    struct os_process *vm;

    struct virt_core core[CFG_MAX_CORES];
    struct shadow shadow;

    uint64_t epoch; /* of memo: one for each change of a host mapping */
    struct virt_memo memo[VIRT_MEMO_SLOTS];

    uint64_t *balloon, balloon_pages, balloon_room, next_balloon;
    struct virt_stats stats;
    struct virt_inner inner;
    const char *trouble;
};

static inline bool virt_shadowed(const struct virt *v) {
    return v->cfg.virt.mode == CFG_SHADOW;
}

/* ---- virt.c ---- */

/* An operation of the hypervisor begins (an exit, unless `exits` is false) and ends: table accesses in between are
   its own. They do not nest. */
struct virt_account {
    enum virt_op op;
    uint64_t reads, writes, stalls, work;
};
struct virt_account virt_begin(struct virt *v, enum virt_op op);
void virt_end(struct virt *v, const struct virt_account *a, uint64_t instructions);
/* The host's answer to an access that its tables do not allow; `exits`: the guest was left for it. */
int virt_host_fault(struct virt *v, uint64_t gpa, unsigned type, bool exits);
/* The page that is behind gpa, made if need be. <0: out of memory; v->trouble says so. */
int virt_back(struct virt *v, uint64_t gpa, unsigned type, bool exits, struct emt_walk *page);
int virt_out_of_memory(struct virt *v);
/* One access to a word by software on the current core; returns the cycles it stalls. */
uint64_t virt_word_access(struct virt *v, uint64_t hpa, bool write);

/* ---- nested.c ---- */

int nested_add_core(struct virt *v, unsigned core);
int nested_start(struct virt *v);

/* ---- shadow.c ---- */

int shadow_init(struct virt *v);
void shadow_fini(struct virt *v);
int shadow_fault(struct virt *v, uint64_t va, unsigned type);
int shadow_truth(struct virt *v, struct mmu *m, uint64_t va, struct emt_walk *out);
/* Shadow tables follow the changes of host mappings. */
void shadow_settle(struct virt *v);

/* ---- shadow_pages.c ---- */

/* What a frame of the guest is to shadow tables. A table whose leaf entries the hypervisor has used is protected;
   the first write makes it writable, until all is synchronized. A table of an upper level stays protected. */
enum shadow_table { SHADOW_NO_TABLE, SHADOW_LEAF, SHADOW_UPPER, SHADOW_UNSYNC };

int shadow_pages_init(struct virt *v);
void shadow_pages_fini(struct virt *v);
/* The guest writes a word of its tables, or (data) memory that may have been a table. */
void shadow_write(struct virt *v, uint64_t gpa, bool data);
/* All tables that became writable are protected again. */
void shadow_protect(struct virt *v);
/* An entry shows [gpa, gpa + bytes) at va. -ENOMEM. */
int shadow_use_add(struct virt *v, struct shadow_space *space, uint64_t va, uint64_t gpa, uint64_t bytes);
/* Takes out, one by one, the uses that touch [gpa, gpa + bytes), into *use; false: none is left. */
bool shadow_use_take(struct virt *v, uint64_t gpa, uint64_t bytes, struct shadow_use *use);
/* The host's mapping of a range changed: remembered for shadow_settle(). */
void shadow_host_changed(struct virt *v, uint64_t gpa, uint64_t bytes);

#endif
