/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The interval model's beginning and end: hw/core_timing.h. */
#include "hw/core_timing.h"

static uint32_t exposed(double hidden) {
    return (uint32_t)((1.0 - hidden) * TIMING_ONE + 0.5);
}

void timing_init(struct core_timing *t, const struct emt_config *cfg) {
    *t = (struct core_timing){
        .rob_instructions = cfg->core.rob_instructions,
        .isolated = exposed(cfg->core.data_hidden),
        .overlapped = exposed(cfg->core.data_hidden) * exposed(cfg->core.data_overlap) / TIMING_ONE,
        .walk = exposed(cfg->core.walk_hidden),
        .base_cpi = cfg->core.base_cpi,
    };
    t->leader = (uint64_t)0 - t->rob_instructions; /* no group yet: instruction 0 is beyond its window */
}

void timing_reset(struct core_timing *t) {
    t->data = t->translation = 0;
}

void timing_result(const struct core_timing *t, uint64_t instructions, struct core_timing_result *r) {
    r->user = (double)instructions * t->base_cpi;
    r->data = (double)t->data / TIMING_ONE;
    r->translation = (double)t->translation / TIMING_ONE;
}
