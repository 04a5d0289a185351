/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How a set of a data cache lies in memory, and the queue that a core's loads and stores wait in: hw/cache_queue.c.
 *
 * One word a line: its number, and two flags.
 *
 *      63                                   2   1     0
 *     +---------------------------------------+-----+-----+
 *     | physical address / line size          |dirty|valid|
 *     +---------------------------------------+-----+-----+
 *
 * Sets are kept in one of two ways, which give the same results. LRU with up to 16 ways has "ranked" sets
 * (hw/cache_ranked.h), everything else, and a host without SSE2, plain ones (hw/cache_plain.c).
 */
#ifndef EMT_HW_CACHE_PRIVATE_H
#define EMT_HW_CACHE_PRIVATE_H

#include "hw/cache.h"
#include "hw/core_timing.h"

#define CACHE_VALID 1ull
#define CACHE_DIRTY 2ull

#define CACHE_RANKED_WAYS 16

/* What a ranked set is searched by and what says which line goes; hw/cache_ranked.h. */
struct cache_ranks {
    uint8_t tag[CACHE_RANKED_WAYS]; /* a hash of each way's line */
    uint8_t rank[CACHE_RANKED_WAYS];
} __attribute__((aligned(32))); /* in one line of the host's cache */

struct cache {
    uint64_t *word;            /* sets * stride */
    uint64_t *front;           /* of an L1D, else NULL: see struct cache_core */
    struct cache_ranks *ranks; /* by set; NULL: plain sets */
    uint64_t sets, set_mask;   /* set_mask: sets - 1 when that is a mask, else 0 */
    uint64_t reciprocal;       /* 2^64 / sets, rounded down; for a set_mask of 0 */
    uint32_t ways, stride;
    uint32_t ways_mask; /* of ranked sets: a bit for each way */
    uint32_t hit_cycles;
    enum cache_served level;
    enum cfg_replacement replacement;
    uint64_t random, clock; /* of plain sets; clock: LRU's time */
    struct cache_counts counts;
};

#define CACHE_QUEUE  512         /* accesses that may wait */
#define CACHE_AHEAD  8           /* operations between asking the host for a set and using it */
#define CACHE_NOBODY CACHE_QUEUE /* whose operation a write-back is */

/* What a level is asked to do, in order. */
struct cache_ops {
    uint32_t n;
    /* In the next level, an access's look-up becomes at most two operations and a write-back one. A few more: words
       are written before it is known whether they count, and read ahead. */
    uint16_t access[4 * CACHE_QUEUE + CACHE_AHEAD]; /* number in the queue; CACHE_NOBODY: write-back */
    uint64_t word[4 * CACHE_QUEUE + CACHE_AHEAD];   /* cache_word() of the line: what it becomes if it is filled */
};

struct cache_core {
    uint32_t line_shift, l1_cycles; /* l1_cycles: 0 without an L1D */
    struct core_timing *timing;     /* who hears how long queued accesses took; NULL: nobody */
    /* By set of the L1D: the line that is used last when all that waits has happened; dirty: surely so. `keep` is 0
       without an L1D, or with sets that are no power of two: nothing is kept then. */
    uint64_t *front, front_mask, keep, nothing;
    uint64_t front_hits;         /* were not even queued, and are not yet in the L1D's counts */
    struct cache *cache[4];      /* those that are there, from the top down; then NULL: memory */
    unsigned enter[CACHE_USERS]; /* index into `cache` */
    uint32_t memory_cycles[2];   /* local, remote: round trip */
    uint64_t node_bytes;
    unsigned node, nodes;

    /* ops[0] is the queue, ops[i] what cache[i - 1] makes of it. */
    struct cache_ops ops[4];
    uint64_t when[CACHE_QUEUE + 1];   /* of an access: retired instructions << 1 | dependent */
    uint32_t cycles[CACHE_QUEUE + 1]; /* that it takes; of the first cache's hits only without an L1D */
};

static inline uint64_t cache_word(uint64_t line, bool dirty) {
    return line << 2 | (dirty ? CACHE_DIRTY : 0) | CACHE_VALID;
}

static inline bool cache_word_is(uint64_t word, uint64_t line) {
    return (word & ~CACHE_DIRTY) == cache_word(line, false);
}

/* The line's number modulo the number of sets. */
static inline uint64_t cache_set_of(const struct cache *c, uint64_t line) {
    if (__builtin_expect(c->set_mask || c->sets == 1, 1))
        return line & c->set_mask;
    /* The rounded reciprocal's quotient is the true one or one less. */
    uint64_t quotient = (uint64_t)((unsigned __int128)line * c->reciprocal >> 64), rest = line - quotient * c->sets;
    return rest >= c->sets ? rest - c->sets : rest;
}

/* Ask the host for a set: what it is searched by, and the first 16 words. Always inlined: GCC drops the call of a
   function that does nothing else. */
static inline __attribute__((always_inline)) void cache_prefetch(const struct cache *c, uint64_t set) {
    const uint64_t *word = c->word + set * c->stride;
    if (c->ranks)
        __builtin_prefetch(&c->ranks[set], 1);
    __builtin_prefetch(word, 1);
    __builtin_prefetch(word + (c->stride < 16 ? c->stride : 16) - 1, 1);
}

static inline uint32_t cache_memory_cycles(const struct cache_core *core, uint64_t pa) {
    uint64_t node = core->nodes > 1 ? pa / core->node_bytes : 0;
    if (node >= core->nodes)
        node = core->nodes - 1;
    return core->memory_cycles[node != core->node];
}

/* Plain sets (cache_plain.c): the words of a set that has never been used are 0. */
uint32_t cache_plain_stride(const struct cfg_cache *cfg);
/* Look the line up and, when it is there, make it the one used last. Returns its word, whose dirty bit may be set
   until the next use of the cache; NULL: miss. */
uint64_t *cache_plain_find(struct cache *c, uint64_t set, uint64_t line);
/* Put a line that is not there; returns the word of what it pushed out, 0: nothing. */
uint64_t cache_plain_fill(struct cache *c, uint64_t set, uint64_t line, bool dirty);

/* cache_system_new() with plain sets only: what tests compare ranked ones with. */
int cache_system_new_plain(struct cache_system **out, const struct emt_config *cfg);

static inline uint64_t *cache_front(const struct cache_core *c, uint64_t line) {
    return &c->front[line & c->front_mask];
}

/* cache_queue.c: let the accesses that wait happen. */
void cache_drain_queue(struct cache_core *c);

static inline void cache_drain(struct cache_core *c) {
    if (c->ops[0].n || c->front_hits)
        cache_drain_queue(c);
}

/*
 * A load or store of the program that happens later, though before anything else happens to this core's caches:
 * cache_access() and cache_system_counts() see to that. Before another core's accesses, and before the timing is
 * looked at, cache_drain(). `instruction`, `dependent`: timing_data().
 */
static inline void cache_queue(struct cache_core *c, uint64_t pa, bool write, uint64_t instruction,
                               bool dependent) {
    uint64_t word = cache_word(pa >> c->line_shift, write), *front = cache_front(c, pa >> c->line_shift);
    if ((*front | CACHE_DIRTY) == (word | CACHE_DIRTY) && *front >= word) {
        c->front_hits++; /* a hit in the line used last changes nothing */
        return;
    }
    uint32_t n = c->ops[0].n;
    *front = word & c->keep;
    c->ops[0].word[n] = word;
    c->when[n] = instruction << 1 | dependent;
    c->ops[0].n = ++n;
    if (__builtin_expect(n == CACHE_QUEUE, 0))
        cache_drain_queue(c);
}

#endif
