/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a driver needs from around it. One source, three hosts: the simulator (src/core/host_sim.h), Linux, and
 * a freestanding build that leaves these to whoever links it. Walkers need only their port (emt/driver.h).
 *
 * Table memory is touched through the read, write and compare-exchange below and through nothing else: in the
 * simulator they count and charge, in Linux they are READ_ONCE() and kin.
 */
#ifndef EMT_HOST_H
#define EMT_HOST_H

#include "emt/driver.h"

#if defined(EMT_HOST_LINUX)
#include "emt_host_linux.h"
#elif defined(EMT_FREESTANDING)

/* 2^order zeroed frames for tables of tdb, aligned to their size. EMT_NO_PA: none left. */
uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned order);
/* Give frames back. The host keeps them untouched until the flush that is owed for them has been done. */
void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned order);

/* Frames of physical memory: those that can be allocated have numbers below. */
uint64_t emt_host_frames(const struct emt_host *host);
/* The lowest of them, which the OS keeps for tables and what else cannot move, where an architecture restricts the
   frames of pages: places lie above. 0: it keeps none. */
uint64_t emt_host_unmovable(const struct emt_host *host);

/* One aligned 8-byte word: atomic; write has release order, read has acquire order. */
uint64_t emt_table_read(struct emt_host *host, uint64_t pa);
void emt_table_write(struct emt_host *host, uint64_t pa, uint64_t value);
/* Compare and exchange; returns what was there before. */
uint64_t emt_table_cmpxchg(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired);

/* A word of state for each frame of a table, which hardware never reads (Linux: a field of struct page). The
   driver's from allocation to freeing; its first value is anything. */
uint32_t *emt_table_note(struct emt_host *host, uint64_t pa);

/* The driver's own state, not tables: zeroed; NULL when there is none. */
void *emt_state_alloc(struct emt_host *host, size_t bytes);
void emt_state_free(struct emt_host *host, void *state);

/* Drop cached translations on every CPU concerned; returns when done. */
void emt_host_flush(struct emt_host *host, const struct emt_flush *flush);
/* Load the root registers of a CPU. `asid` tags what it caches from now on. */
void emt_host_load_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root);
/* Root registers of a CPU change while its address space stays: a table has grown or moved. Nothing that the CPU
   has cached is dropped; when this returns, no walker of the CPU uses the old values any more. */
void emt_host_update_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root);

/* Instructions of driver code beyond its table accesses (hashing, kicks), for the account of OS work. */
void emt_host_work(struct emt_host *host, unsigned instructions);

void emt_lock(uint32_t *lock);
void emt_unlock(uint32_t *lock);

#else
#include "core/host_sim.h"
#endif

/* log2 of a power of two. */
static inline unsigned emt_log2(uint64_t power_of_two) {
    return (unsigned)__builtin_ctzll(power_of_two);
}

#endif
