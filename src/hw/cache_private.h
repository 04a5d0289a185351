/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How a set of a data cache lies in memory, and the inline path of the commonest access: a hit in the line of an
 * L1D set that was used last.
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
    uint64_t *front;           /* of a ranked L1D: the word of the line used last in each set; else NULL */
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

struct cache_core {
    /* of the L1D; without one, or with sets that are no power of two, a word that matches nothing */
    uint64_t *l1_word, l1_set_mask;
    uint32_t l1_stride, line_shift;
    uint64_t l1_hits[CACHE_USERS]; /* by the inline path; the others are in the cache's own counts */
    uint64_t nothing;

    struct cache *cache[4];      /* those that are there, from the top down; then NULL: memory */
    unsigned enter[CACHE_USERS]; /* index into `cache` */
    uint32_t memory_cycles[2];   /* local, remote: round trip */
    uint64_t node_bytes;
    unsigned node, nodes;
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

/* Plain sets (cache_plain.c): the words of a set that has never been used are 0. */
uint32_t cache_plain_stride(const struct cfg_cache *cfg);
/* Look the line up and, when it is there, make it the one used last. Returns its word, whose dirty bit may be set
   until the next use of the cache; NULL: miss. */
uint64_t *cache_plain_find(struct cache *c, uint64_t set, uint64_t line);
/* Put a line that is not there; returns the word of what it pushed out, 0: nothing. */
uint64_t cache_plain_fill(struct cache *c, uint64_t set, uint64_t line, bool dirty);

/* cache_system_new() with plain sets only: what tests compare ranked ones with. */
int cache_system_new_plain(struct cache_system **out, const struct emt_config *cfg);

/*
 * A hit on the line of its L1D set that was used last. false: cache_access() must do it; nothing has changed then.
 * Pass constants for `write` and `user`.
 */
static inline bool cache_l1_hit(struct cache_core *c, uint64_t pa, bool write, enum cache_user user) {
    uint64_t line = pa >> c->line_shift;
    uint64_t *first = c->l1_word + (line & c->l1_set_mask) * c->l1_stride;
    if (__builtin_expect(!cache_word_is(*first, line), 0))
        return false;
    *first |= write ? CACHE_DIRTY : 0;
    c->l1_hits[user]++;
    return true;
}

static inline bool cache_data_hit(struct cache_core *c, uint64_t pa, bool write) {
    return cache_l1_hit(c, pa, write, CACHE_DATA);
}

#endif
