/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A set-associative array written the plain way, as an independent second opinion: LRU is a list in order of use,
 * PLRU a tree of explicit bits in a heap (children of node n: 2n and 2n + 1), empty ways are filled from way 0 up.
 */
#ifndef EMT_TESTS_HW_NAIVE_H
#define EMT_TESTS_HW_NAIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "machine/config.h"

#define NAIVE_WAYS 128
#define NAIVE_NONE (~0ull)

struct naive_set {
    uint64_t key[NAIVE_WAYS]; /* by way */
    bool dirty[NAIVE_WAYS];
    unsigned order[NAIVE_WAYS]; /* ways, the last used one first */
    bool bit[4 * NAIVE_WAYS];   /* true: the victim is on the right */
};

struct naive {
    enum cfg_replacement policy;
    unsigned sets, ways;
    struct naive_set *set;
    uint64_t writebacks;
};

static inline void naive_init(struct naive *n, unsigned entries, unsigned ways, enum cfg_replacement policy) {
    *n = (struct naive){policy, entries / ways, ways, calloc(entries / ways, sizeof(struct naive_set)), 0};
    for (unsigned s = 0; s < n->sets; s++)
        for (unsigned w = 0; w < ways; w++) {
            n->set[s].key[w] = NAIVE_NONE;
            n->set[s].order[w] = w;
        }
}

static inline void naive_touch(struct naive *n, struct naive_set *s, unsigned way) {
    unsigned at = 0, node = 1, lo = 0, hi = n->ways;
    while (s->order[at] != way)
        at++;
    memmove(&s->order[1], &s->order[0], at * sizeof(s->order[0]));
    s->order[0] = way;
    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo + 1) / 2;
        s->bit[node] = way < mid;
        node = 2 * node + (way >= mid);
        if (way < mid)
            hi = mid;
        else
            lo = mid;
    }
}

static inline unsigned naive_victim(const struct naive *n, const struct naive_set *s) {
    unsigned node = 1, lo = 0, hi = n->ways;
    for (unsigned w = 0; w < n->ways; w++)
        if (s->key[w] == NAIVE_NONE)
            return w;
    if (n->policy == CFG_LRU)
        return s->order[n->ways - 1];
    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo + 1) / 2;
        bool right = s->bit[node];
        node = 2 * node + right;
        if (right)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Way of a key in its set, or -1. */
static inline int naive_way(const struct naive *n, uint64_t number, uint64_t key) {
    const struct naive_set *s = &n->set[number % n->sets];
    for (unsigned w = 0; w < n->ways; w++)
        if (s->key[w] == key)
            return (int)w;
    return -1;
}

/* Use `key`, whose set is number % sets. true: hit. *old gets what went, NAIVE_NONE: nothing, *old_dirty its state.
 */
static inline bool naive_use(struct naive *n, uint64_t number, uint64_t key, bool write, uint64_t *old,
                             bool *old_dirty) {
    struct naive_set *s = &n->set[number % n->sets];
    int way = naive_way(n, number, key);
    bool hit = way >= 0;
    *old = NAIVE_NONE;
    *old_dirty = false;
    if (!hit) {
        way = (int)naive_victim(n, s);
        *old = s->key[way];
        *old_dirty = s->dirty[way] && *old != NAIVE_NONE;
        s->key[way] = key;
        s->dirty[way] = false;
    }
    s->dirty[way] |= write;
    naive_touch(n, s, (unsigned)way);
    return hit;
}

static inline void naive_drop(struct naive *n, uint64_t number, uint64_t key) {
    int way = naive_way(n, number, key);
    if (way >= 0)
        n->set[number % n->sets].key[way] = NAIVE_NONE;
}

#endif
