/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Choice of the way to replace: hw/replacement.h. */
#include "hw/replacement.h"

static uint64_t newest_stamp(const uint64_t *stamp, unsigned stride, unsigned ways) {
    uint64_t newest = 0;
    for (unsigned way = 0; way < ways; way++)
        if (stamp[way * stride] > newest)
            newest = stamp[way * stride];
    return newest;
}

static unsigned tree_victim(const uint64_t *stamp, unsigned stride, unsigned ways) {
    unsigned first = 0;
    while (ways > 1) {
        unsigned left = (ways + 1) / 2;
        const uint64_t *half = stamp + first * stride;
        if (newest_stamp(half, stride, left) <= newest_stamp(half + left * stride, stride, ways - left)) {
            ways = left;
        } else {
            first += left;
            ways -= left;
        }
    }
    return first;
}

unsigned hw_other_victim(enum cfg_replacement policy, const uint64_t *stamp, unsigned stride, unsigned ways,
                         uint64_t *random) {
    return policy == CFG_PLRU ? tree_victim(stamp, stride, ways) : hw_random_below(random, ways);
}
