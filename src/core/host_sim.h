/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The simulator's version of emt/host.h. Simulated physical memory is one sparse mapping of the host: a table
 * frame at physical address pa lies at host->phys + pa, and only frames that hold tables ever cost host memory.
 */
#ifndef EMT_CORE_HOST_SIM_H
#define EMT_CORE_HOST_SIM_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "emt/driver.h"

/* Table frames given back by a driver and kept until the flush that is owed for them. */
struct emt_host_freed {
    uint64_t pa;
    unsigned order;
};

struct emt_host {
    uint8_t *phys;             /* simulated physical memory, only touched where tables are */
    uint64_t phys_bytes;       /* its size */
    uint64_t unmovable_frames; /* see emt_host_unmovable(); set before tsvc_init() */
    uint32_t *notes;           /* one for each frame, only touched where a driver keeps one */
    uint16_t *crowd;           /* frames with tables in each 2 MiB; CROWDED: many, behind a huge page of the host */
    bool short_lived;          /* ends before a huge page that was made would pay */

    /* The OS's work on tables, counted here, charged through `table_access`. */
    uint64_t table_reads, table_writes; /* words */
    uint64_t work_instructions;         /* from emt_host_work() */
    uint64_t stall_cycles;              /* what table_access added up */
    uint64_t table_bytes, table_bytes_peak;

    /* Frames for tables; set by the OS model. alloc returns EMT_NO_PA when memory is exhausted. */
    uint64_t (*frame_alloc)(void *os, unsigned order);
    void (*frame_free)(void *os, uint64_t pa, unsigned order);
    void *os;

    /* Hardware; set by the machine, each may be NULL. table_access returns the cycles it stalled. */
    uint64_t (*table_access)(void *hw, uint64_t pa, bool write);
    /* Memory that the OS itself clears, copies or has read in. NULL: it is simply there. */
    void (*touch)(void *hw, uint64_t pa, uint64_t bytes, bool write);
    void (*flush)(void *hw, const struct emt_flush *);
    void (*load_root)(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *);
    void (*update_root)(void *hw, unsigned cpu, const struct emt_root *); /* NULL: load_root is called */
    void *hw;

    /* Test: the n-th table or state allocation from now fails, and later ones, until a table has gone back to the
       OS, which counts as one more that may succeed for each of its frames, or state has been freed; 0: none fails.
       What memory refuses does not count. */
    uint64_t fail_at;

    struct emt_host_freed *freed;
    size_t nfreed, freed_room;
};

/* Reserve `phys_bytes` of simulated memory. -ENOMEM. */
int emt_host_init(struct emt_host *host, uint64_t phys_bytes);
void emt_host_fini(struct emt_host *host);

/* Frames whose flush has been done go back to the OS; called by tsvc flushes. */
void emt_host_release_freed(struct emt_host *host);

uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned order);
void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned order);
void *emt_state_alloc(struct emt_host *host, size_t bytes);
void emt_state_free(struct emt_host *host, void *state);

static inline uint64_t *emt_host_word(const struct emt_host *host, uint64_t pa) {
    assert((pa & 7) == 0 && pa < host->phys_bytes);
    return (uint64_t *)(void *)(host->phys + pa);
}

/* What hardware reads in one piece, up to a line of eight words: read until two readings agree. */
static inline void emt_host_read_line(const struct emt_host *host, uint64_t pa, unsigned words, uint64_t *data) {
    const uint64_t *at = emt_host_word(host, pa);
    uint64_t differ = words > 1;

    for (unsigned i = 0; i < words; i++)
        data[i] = __atomic_load_n(&at[i], __ATOMIC_ACQUIRE);
    while (differ) {
        differ = 0;
        for (unsigned i = 0; i < words; i++) {
            const uint64_t again = __atomic_load_n(&at[i], __ATOMIC_ACQUIRE);
            differ |= again ^ data[i];
            data[i] = again;
        }
    }
}

static inline void emt_host_charge(struct emt_host *host, uint64_t pa, bool write) {
    if (host->table_access)
        host->stall_cycles += host->table_access(host->hw, pa, write);
}

static inline void emt_host_touch(struct emt_host *host, uint64_t pa, uint64_t bytes, bool write) {
    if (host->touch)
        host->touch(host->hw, pa, bytes, write);
}

static inline uint64_t emt_table_read(struct emt_host *host, uint64_t pa) {
    host->table_reads++;
    emt_host_charge(host, pa, false);
    return __atomic_load_n(emt_host_word(host, pa), __ATOMIC_ACQUIRE);
}

static inline void emt_table_write(struct emt_host *host, uint64_t pa, uint64_t value) {
    host->table_writes++;
    emt_host_charge(host, pa, true);
    __atomic_store_n(emt_host_word(host, pa), value, __ATOMIC_RELEASE);
}

static inline uint64_t emt_table_cmpxchg(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired) {
    host->table_reads++;
    host->table_writes++;
    emt_host_charge(host, pa, true);
    __atomic_compare_exchange_n(emt_host_word(host, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    return expected;
}

static inline uint64_t emt_host_unmovable(const struct emt_host *host) {
    return host->unmovable_frames;
}

static inline uint64_t emt_host_frames(const struct emt_host *host) {
    return host->phys_bytes >> EMT_PAGE_SHIFT;
}

static inline uint32_t *emt_table_note(struct emt_host *host, uint64_t pa) {
    assert(pa < host->phys_bytes);
    return &host->notes[pa >> EMT_PAGE_SHIFT];
}

static inline void emt_host_flush(struct emt_host *host, const struct emt_flush *flush) {
    if (host->flush)
        host->flush(host->hw, flush);
}

static inline void emt_host_load_root(struct emt_host *host, unsigned cpu, uint16_t asid,
                                      const struct emt_root *root) {
    if (host->load_root)
        host->load_root(host->hw, cpu, asid, root);
}

static inline void emt_host_update_root(struct emt_host *host, unsigned cpu, uint16_t asid,
                                        const struct emt_root *root) {
    if (host->update_root)
        host->update_root(host->hw, cpu, root);
    else
        emt_host_load_root(host, cpu, asid, root);
}

static inline void emt_host_work(struct emt_host *host, unsigned instructions) {
    host->work_instructions += instructions;
}

static inline void emt_lock(uint32_t *lock) {
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(lock, __ATOMIC_RELAXED))
            ;
}

static inline void emt_unlock(uint32_t *lock) {
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
