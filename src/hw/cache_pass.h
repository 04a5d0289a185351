/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a cache does with a list of operations. A file that says how sets are kept defines
 *
 *     SETS_TARGET                     attribute of functions that use the host's extensions
 *     sets_use(c, places, word, &old) as `use` of struct cache_sets; `places`: c->stride, or 0 for any
 *     sets_prefetch(c, word)          asks the host for the set where the line may be
 *
 * and then includes this for sets_pass(), which is inlined for each sort of cache.
 */
#include "hw/cache_private.h"

/* No branch: the host can predict neither what misses nor what is dirty. `l1`: an L1D. */
static inline __attribute__((always_inline)) SETS_TARGET void sets_pass(struct cache *c, const struct cache_ops *in,
                                                                        struct cache_ops *out, uint32_t *cycles,
                                                                        unsigned places, bool l1, bool mask) {
    struct cache here = *c; /* what no store can change, for the compiler */
    here.reciprocal = mask ? 0 : c->reciprocal;
    here.low_mask = mask ? 0 : c->low_mask;
    const uint64_t *word = in->word, *end = in->word + in->n;
    uint64_t *to = out->word;
    uint64_t writebacks = 0;

    for (; word < end; word++) {
        uint64_t old;
        if (!l1) { /* whose hits take no time, and whose sets are always near */
            cycles[cache_word_access(*word)] = here.hit_cycles;
            /* beyond the end these are operations of long ago: of no use, no harm */
            sets_prefetch(&here, word[CACHE_AHEAD]);
        }
        uint64_t miss = !sets_use(&here, places, *word, &old), dirty = miss & old / CACHE_DIRTY;
        *to = *word & ~CACHE_DIRTY;
        to += l1 ? miss : miss & ~*word / CACHE_WRITE_BACK;
        *to = old;
        to += dirty;
        writebacks += dirty;
    }
    out->n = (uint32_t)(to - out->word);
    out->writebacks = (uint32_t)writebacks;
    here.counts.misses[CACHE_DATA] += out->n - writebacks;
    here.counts.hits[CACHE_DATA] += in->n - in->writebacks - (out->n - writebacks);
    here.counts.writebacks += writebacks;
    c->counts = here.counts;
    c->random = here.random;
    c->clock = here.clock;
}
