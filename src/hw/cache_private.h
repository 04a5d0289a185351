/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How data caches keep their lines, and the queue that a core's loads and stores wait in: hw/cache_queue.c.
 *
 * An operation on a cache is one word; what it pushes out is one too.
 *
 *      63   64-low           41       32  31   30                    0
 *     +-------------+-------+-----------+-----+-----------------------+
 *     | line's low  |   0   |  access   |dirty| the line's other bits |
 *     +-------------+-------+-----------+-----+-----------------------+
 *
 * The line is physical address / line size. `low` is 0 as long as 31 bits hold all lines of memory: less than
 * 128 GiB with lines of 64 bytes. `access` is whose operation it is: a number in the queue, or CACHE_NOBODY for a
 * write-back.
 *
 * Sets are kept in one of two ways, which give the same results. LRU with up to 16 ways has "ordered" sets
 * (hw/cache_ordered.h): the host's vector instructions find a line and make it the one used last without a loop or
 * a branch. Everything else has plain sets (hw/cache_plain.c), which tests compare the ordered ones with.
 */
#ifndef EMT_HW_CACHE_PRIVATE_H
#define EMT_HW_CACHE_PRIVATE_H

#include "hw/cache.h"
#include "hw/core_timing.h"

#define CACHE_QUEUE  512         /* accesses that may wait */
#define CACHE_AHEAD  8           /* operations between asking the host for a set and using it */
#define CACHE_NOBODY CACHE_QUEUE /* whose operation a write-back is */

#define CACHE_DIRTY_SHIFT  31
#define CACHE_DIRTY        (1ull << CACHE_DIRTY_SHIFT)
#define CACHE_TAG          (CACHE_DIRTY - 1) /* the line's bits but the low ones */
#define CACHE_ACCESS_SHIFT 32
#define CACHE_WRITE_BACK   ((uint64_t)CACHE_NOBODY << CACHE_ACCESS_SHIFT)
#define CACHE_MAX_LOW      22

#define CACHE_ORDERED_WAYS 16
#define CACHE_NO_LINE      0x7fffffffu /* hw/cache_ordered.h */

/* What a level is asked to do, in order. */
struct cache_ops {
    uint32_t n, writebacks;
    /* In the next level, an access's look-up becomes at most two operations and a write-back one. A few more: words
       are written before it is known whether they count, and read ahead. */
    uint64_t word[4 * CACHE_QUEUE + CACHE_AHEAD];
};

struct cache;

/* How a cache keeps its sets. */
struct cache_sets {
    /* Use the line: find it, or put it in the place of the one that is to go; a store and a write-back make it
       dirty. true: it was there. false: *old is what was pushed out, as a write-back if it is dirty; if it is not,
       anything that is not dirty. */
    bool (*use)(struct cache *c, uint64_t word, uint64_t *old);
    /* All operations of `in`, and what they ask of the next level. cycles[access] becomes hit_cycles, but not in
       an L1D. */
    void (*pass)(struct cache *c, const struct cache_ops *in, struct cache_ops *out, uint32_t *cycles);
};

extern const struct cache_sets cache_sets_plain, cache_sets_ordered;
#if defined(__x86_64__)
extern const struct cache_sets cache_sets_avx2;
#endif
/* The kinds of ordered sets that this host can do, the best first. NULL: that were all. */
const struct cache_sets *cache_sets_of_host(unsigned number);

struct cache {
    const struct cache_sets *how;
    uint32_t *tag;   /* of ordered sets: sets * stride */
    uint64_t *word;  /* of plain sets: sets * stride */
    uint64_t *front; /* of an L1D, else NULL: see struct cache_core */
    uint64_t sets;
    uint64_t set_mask;   /* sets - 1 */
    uint64_t reciprocal; /* 2^64 / sets, rounded down; 0: word & set_mask is the set */
    uint64_t low_mask;   /* the line's low bits in a word */
    uint32_t low, ways, stride, hit_cycles;
    enum cache_served level;
    enum cfg_replacement replacement;
    uint64_t random, clock; /* of plain sets; clock: LRU's time */
    struct cache_counts counts;
};

struct cache_core {
    uint32_t turn, low; /* turn: what cache_word() turns addresses by */
    uint64_t line_mask; /* the bits of an address that make a word */
    /* By set of the L1D: the line that is used last when all that waits has happened; dirty: surely so. `no_front`
       is all ones without an L1D, or with sets that are no power of two: nothing is kept then. */
    uint64_t *front, front_mask, no_front, nothing;
    uint64_t front_hits;            /* were not even queued, and are not yet in the L1D's counts */
    struct core_timing *timing;     /* who hears how long queued accesses took; NULL: nobody */
    uint32_t line_shift, l1_cycles; /* l1_cycles: 0 without an L1D */
    struct cache *cache[4];         /* those that are there, from the top down; then NULL: memory */
    unsigned enter[CACHE_USERS];    /* index into `cache` */
    uint32_t memory_cycles[2];      /* local, remote: round trip */
    uint64_t node_bytes;
    unsigned node, nodes;

    /* ops[0] is the queue, ops[i] what cache[i - 1] makes of it. */
    struct cache_ops ops[4];
    uint64_t when[CACHE_QUEUE + 1];   /* of an access: retired instructions << 1 | dependent */
    uint32_t cycles[CACHE_QUEUE + 1]; /* that it takes, if it misses the L1D */
};

static inline uint64_t cache_turn_right(uint64_t bits, unsigned by) {
    return bits >> (by & 63) | bits << (-by & 63);
}

static inline uint64_t cache_word(const struct cache_core *core, uint64_t pa, bool write) {
    return cache_turn_right(pa & core->line_mask, core->turn) | (uint64_t)write << CACHE_DIRTY_SHIFT;
}

static inline uint64_t cache_line(uint64_t word, unsigned low) {
    uint64_t bits = word & (CACHE_TAG | ~0ull << (64 - CACHE_MAX_LOW));
    return cache_turn_right(bits, -low);
}

static inline unsigned cache_word_access(uint64_t word) {
    return word >> CACHE_ACCESS_SHIFT & (2 * CACHE_NOBODY - 1);
}

/* The line's number modulo the number of sets. */
static inline uint64_t cache_set_of(const struct cache *c, uint64_t word) {
    if (__builtin_expect(!c->reciprocal, 1))
        return word & c->set_mask;
    /* The rounded reciprocal's quotient is the true one or one less. */
    uint64_t line = cache_line(word, c->low);
    uint64_t quotient = (uint64_t)((unsigned __int128)line * c->reciprocal >> 64), rest = line - quotient * c->sets;
    return rest >= c->sets ? rest - c->sets : rest;
}

static inline uint32_t cache_memory_cycles(const struct cache_core *core, uint64_t pa) {
    uint64_t node = core->nodes > 1 ? pa / core->node_bytes : 0;
    if (node >= core->nodes)
        node = core->nodes - 1;
    return core->memory_cycles[node != core->node];
}

/* Words of a plain set; those of one that has never been used are 0. */
uint32_t cache_plain_stride(const struct cfg_cache *cfg);

/* cache_system_new() with this kind of sets where they can be ordered. */
int cache_system_new_with(struct cache_system **out, const struct emt_config *cfg,
                          const struct cache_sets *ordered);

static inline uint64_t *cache_front(const struct cache_core *c, uint64_t pa) {
    return &c->front[pa >> c->line_shift & c->front_mask];
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
    uint64_t word = cache_word(c, pa, write), *front = cache_front(c, pa);
    if (!((*front - word) & ~CACHE_DIRTY)) { /* the same, or dirty where this is clean */
        c->front_hits++;                     /* a hit in the line used last changes nothing */
        return;
    }
    uint32_t n = c->ops[0].n;
    *front = word | c->no_front;
    c->ops[0].word[n] = word | (uint64_t)n << CACHE_ACCESS_SHIFT;
    c->when[n] = instruction << 1 | dependent;
    c->ops[0].n = ++n;
    if (__builtin_expect(n == CACHE_QUEUE, 0))
        cache_drain_queue(c);
}

#endif
