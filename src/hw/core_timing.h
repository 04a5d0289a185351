/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Core timing: an interval model. A core retires at its base rate, interrupted by miss events, each of which adds
 * what it exposes (Eyerman, Eeckhout, Karkhanis, Smith, "A Mechanistic Performance Model for Superscalar
 * Out-of-Order Processors", TOCS 2009).
 *
 *     cycles = instructions * base_cpi + data + translation
 *
 * Data. A data access at instruction i misses L1 and takes L cycles longer than a hit. Misses form groups: a
 * group's leader was at instruction g, and the longest latency in it so far is M.
 *
 *   leads a new group when it is dependent (its address comes from the load before), or i - g >= rob_instructions,
 * or there is no group yet: exposes  L * (1 - data_hidden);                          g = i, M = L joins the group
 * otherwise, since it was issued under the leader, which blocks the reorder buffer: exposes  min(L, M) * (1 -
 * data_hidden) * (1 - data_overlap)
 *                + max(L - M, 0) * (1 - data_hidden);              M = max(L, M)
 *
 * With data_overlap 1 a group costs its longest latency once, which is the paper's overlapped long-latency miss:
 * the later miss ends later by the time it was dispatched later, and that time is in the base rate already. So only
 * latencies are compared here, not ends. The window is anchored at the leader and does not slide: nothing beyond
 * rob_instructions behind it can have entered the reorder buffer while it was outstanding.
 *
 * Translation. A second-level TLB hit or a walk of C cycles exposes C * (1 - walk_hidden); the handler of a
 * software-managed TLB all of C.
 *
 * The sums are integers, in 1/1024 of a cycle (1 - data_overlap and its kin are rounded to that, products are
 * truncated): their order cannot change a result. Doubles come in at the end.
 */
#ifndef EMT_HW_CORE_TIMING_H
#define EMT_HW_CORE_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/config.h"

#define TIMING_ONE 1024u /* one cycle, or a factor of one */

struct core_timing {
    uint64_t leader;  /* instruction count at the group's leader */
    uint32_t longest; /* latency in the group so far, cycles */
    uint32_t rob_instructions;
    uint32_t isolated;          /* share that is exposed, in 1/1024: of a leader, */
    uint32_t overlapped;        /* of what is in a group's shadow, */
    uint32_t walk;              /* and of translations */
    uint64_t data, translation; /* 1/1024 cycles */
    double base_cpi;
};

struct core_timing_result {
    double user, data, translation; /* cycles */
};

void timing_init(struct core_timing *t, const struct emt_config *cfg);
/* Counts start again; the group goes on. */
void timing_reset(struct core_timing *t);
void timing_result(const struct core_timing *t, uint64_t instructions, struct core_timing_result *r);

/* A data access. `latency`: cycles beyond an L1 hit, 0: it was one; `instruction`: retired by this core so far. */
static inline void timing_data(struct core_timing *t, uint64_t instruction, unsigned latency, bool dependent) {
    if (!latency)
        return;
    if (dependent || instruction - t->leader >= t->rob_instructions) {
        t->leader = instruction;
        t->longest = latency;
        t->data += (uint64_t)latency * t->isolated;
        return;
    }
    unsigned excess = latency > t->longest ? latency - t->longest : 0;
    t->longest += excess;
    t->data += (uint64_t)(latency - excess) * t->overlapped + (uint64_t)excess * t->isolated;
}

/* A trap that software answers: the pipeline is empty, nothing is hidden. */
static inline void timing_trap(struct core_timing *t, unsigned cycles) {
    t->translation += (uint64_t)cycles * TIMING_ONE;
}

/* `cycles` of mmu_translation: a walk, or a hit in a second-level TLB. */
static inline void timing_walk(struct core_timing *t, unsigned cycles) {
    t->translation += (uint64_t)cycles * t->walk;
}

#endif
