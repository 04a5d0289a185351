/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The queue of a core's loads and stores: level by level instead of access by access.
 *
 * What is in a level depends only on the sequence of its own operations: looking up a line, which fills it on a
 * miss, and writing one back. Nothing is ever asked back from below but the time. So the first cache can take all
 * accesses that wait, the second what the first made of them, and so on:
 *
 *     access          L1D                 L2                     LLC
 *     load a          miss, old v dirty   look up a: hit
 *                                         write back v: not      write back w
 *                                         there, old w dirty
 *     load b          miss                look up b: miss        look up b: hit
 *
 * Each level sees its operations in the same order as if each access had been done to its end before the next: the
 * look-up of an access, and then the write-back of what it pushed out. What is gained is the host's time: it can
 * ask for the sets of the operations to come long before it needs them.
 *
 * A hit in the line of its L1D set that is used last does not even wait: it changes nothing, and which line that is
 * (`front`) follows from the accesses alone, not from what hits.
 */
#include "hw/cache_private.h"

/* What these accesses took, in the order of the program. */
static void account(struct cache_core *core, const struct cache_ops *ops) {
    struct core_timing t = *core->timing;

    for (unsigned i = 0; i < ops->n; i++) {
        unsigned access = cache_word_access(ops->word[i]); /* write-backs take no time */
        uint64_t when = core->when[access];
        timing_data(&t, when >> 1, core->cycles[access] - core->l1_cycles, when & 1);
    }
    *core->timing = t;
}

void cache_drain_queue(struct cache_core *core) {
    struct cache_ops *ops = core->ops;
    unsigned level;

    if (core->front_hits)
        core->cache[0]->counts.hits[CACHE_DATA] += core->front_hits;
    core->front_hits = 0;
    for (level = 0; core->cache[level]; level++)
        core->cache[level]->how->pass(core->cache[level], &ops[level], &ops[level + 1], core->cycles);
    for (unsigned i = 0; i < ops[level].n; i++) {
        uint64_t word = ops[level].word[i];
        core->cycles[cache_word_access(word)] =
            cache_memory_cycles(core, cache_line(word, core->low) << core->line_shift);
    }
    core->cycles[CACHE_NOBODY] = core->l1_cycles;
    if (core->timing)
        account(core, core->cache[0] && core->cache[0]->level == CACHE_L1 ? &ops[1] : &ops[0]);
    ops->n = 0;
}
