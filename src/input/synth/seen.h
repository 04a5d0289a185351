/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A set of numbers with open addressing that never grows: vertices that a search discovered. */
#ifndef EMT_SYNTH_SEEN_H
#define EMT_SYNTH_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "input/synth/random.h"

struct seen {
    uint64_t *slot; /* number + 1; 0: free */
    uint64_t mask;
};

/* Room for `most` numbers, at most half full. */
static inline bool seen_init(struct seen *s, uint64_t most) {
    s->mask = 1;
    while (s->mask < 2 * most)
        s->mask *= 2;
    s->slot = calloc(s->mask, sizeof(*s->slot));
    s->mask--;
    return s->slot != NULL;
}
static inline uint64_t *seen_slot(const struct seen *s, uint64_t number) {
    uint64_t i = (number * 0x9e3779b97f4a7c15ull >> 20) & s->mask;

    while (s->slot[i] && s->slot[i] != number + 1)
        i = (i + 1) & s->mask;
    return &s->slot[i];
}
static inline void seen_prefetch(const struct seen *s, uint64_t number) {
    __builtin_prefetch(&s->slot[(number * 0x9e3779b97f4a7c15ull >> 20) & s->mask]);
}

#endif
