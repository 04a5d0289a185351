/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Data caches: L1 and L2 of a core, the last level shared, memory behind. Tags only. Inclusive of nothing, write
 * back, write allocate. Data, walker and OS use the same arrays and are counted apart. The set is the line's number
 * modulo the number of sets, which need not be a power of two.
 *
 * Left out: coherence between the cores' private caches (a store does not take the line from other cores),
 * prefetch, bandwidth, and the time of write-backs.
 */
#ifndef EMT_HW_CACHE_H
#define EMT_HW_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/config.h"

enum cache_user { CACHE_DATA, CACHE_WALK, CACHE_OS, CACHE_USERS };
enum cache_served { CACHE_L1, CACHE_L2, CACHE_LLC, CACHE_MEMORY };

struct cache_counts {
    uint64_t hits[CACHE_USERS], misses[CACHE_USERS];
    uint64_t writebacks; /* dirty lines that left this level */
};

struct cache_system; /* all cores' caches and memory timing */
struct cache_core;   /* one core's view of it */
struct core_timing;

/* -EINVAL: a size does not divide by ways * line_bytes, lines differ in size or are no power of two, or a PLRU
   cache has more than 64 ways. -ENOMEM. */
int cache_system_new(struct cache_system **out, const struct emt_config *cfg);
void cache_system_free(struct cache_system *);
struct cache_core *cache_system_core(struct cache_system *, unsigned core);
/* Who hears how long this core's queued loads and stores took (hw/cache_private.h). */
void cache_core_timing(struct cache_core *, struct core_timing *);
/* Sum over cores of level 0..2 (L1D, L2, LLC). */
void cache_system_counts(const struct cache_system *, unsigned level, struct cache_counts *);
void cache_system_reset_counts(struct cache_system *);

struct cache_answer {
    uint32_t cycles; /* round trip from the level where it entered */
    uint8_t served;  /* enum cache_served */
};
/* One line; pa: below cfg->memory.bytes. CACHE_WALK enters at cfg->walk_level, the others at L1. `cycles` of an L1
 * hit is l1d.hit_cycles. */
struct cache_answer cache_access(struct cache_core *, uint64_t pa, bool write, enum cache_user user);

#endif
