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
#include "hw/cache_ranked.h"

static inline bool plain_access(struct cache *c, uint64_t set, uint64_t op, uint64_t *old) {
    uint64_t *found = cache_plain_find(c, set, op >> 2);
    if (found)
        *found |= op & CACHE_DIRTY;
    else
        *old = cache_plain_fill(c, set, op >> 2, op & CACHE_DIRTY);
    return found;
}

/* One level does its operations. `first`: they are the accesses themselves; below, what is dirty is a write-back.
 */
static inline __attribute__((always_inline)) void pass(struct cache *c, const struct cache_ops *in,
                                                       struct cache_ops *out, uint32_t *cycles, bool first,
                                                       bool ranked) {
    const struct cache here = *c; /* what no store can change, for the compiler */
    uint64_t set[CACHE_AHEAD] = {0}, old = 0;
    unsigned n = 0, accesses = 0, writebacks = 0, count = in->n;

    for (unsigned i = 0; !first && i < CACHE_AHEAD; i++) {
        set[i] = cache_set_of(&here, in->word[i] >> 2);
        cache_prefetch(&here, set[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t op = in->word[i], at = first ? cache_set_of(&here, op >> 2) : set[i % CACHE_AHEAD];
        unsigned access = first ? i : in->access[i], accessed = first || !(op & CACHE_DIRTY);

        if (!first) {
            cycles[access] = here.hit_cycles;
            /* beyond the end these are operations of long ago: of no use, no harm */
            set[i % CACHE_AHEAD] = cache_set_of(&here, in->word[i + CACHE_AHEAD] >> 2);
            cache_prefetch(&here, set[i % CACHE_AHEAD]);
        }
        unsigned miss = !(ranked ? ranked_access(&here, at, op, &old) : plain_access(c, at, op, &old));
        /* no branch: the host cannot predict what misses */
        out->word[n] = op & ~CACHE_DIRTY;
        out->access[n] = (uint16_t)access;
        n += miss & accessed;
        accesses += accessed;
        unsigned dirty = miss & (unsigned)(old >> 1);
        out->word[n] = old;
        out->access[n] = CACHE_NOBODY;
        n += dirty;
        writebacks += dirty;
    }
    out->n = n;
    c->counts.misses[CACHE_DATA] += n - writebacks;
    c->counts.hits[CACHE_DATA] += accesses - (n - writebacks);
    c->counts.writebacks += writebacks;
}

static void do_level(struct cache *c, const struct cache_ops *in, struct cache_ops *out, uint32_t *cycles,
                     bool first) {
    if (!c->ranks)
        pass(c, in, out, cycles, first, false);
    else if (first)
        pass(c, in, out, cycles, true, true);
    else
        pass(c, in, out, cycles, false, true);
}

/* What these accesses took, in the order of the program. */
static void account(struct cache_core *core, const struct cache_ops *ops) {
    struct core_timing t = *core->timing;

    for (unsigned i = 0; i < ops->n; i++) {
        uint64_t when = core->when[ops->access[i]];
        timing_data(&t, when >> 1, core->cycles[ops->access[i]] - core->l1_cycles, when & 1);
    }
    *core->timing = t;
}

void cache_drain_queue(struct cache_core *core) {
    struct cache_ops *ops = core->ops;
    unsigned level;

    if (core->front_hits)
        core->cache[0]->counts.hits[CACHE_DATA] += core->front_hits;
    core->front_hits = 0;
    if (core->cache[0] && core->cache[0]->level != CACHE_L1)
        for (unsigned i = 0; i < ops->n; i++)
            core->cycles[i] = core->cache[0]->hit_cycles;
    for (level = 0; core->cache[level]; level++)
        do_level(core->cache[level], &ops[level], &ops[level + 1], core->cycles, level == 0);
    for (unsigned i = 0; i < ops[level].n; i++)
        core->cycles[ops[level].access[i]] = cache_memory_cycles(core, ops[level].word[i] >> 2 << core->line_shift);
    core->cycles[CACHE_NOBODY] = core->l1_cycles;
    if (core->timing)
        account(core, core->cache[0] && core->cache[0]->level == CACHE_L1 ? &ops[1] : &ops[0]);
    ops->n = 0;
}
