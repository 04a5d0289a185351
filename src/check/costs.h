/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What each operation costs a driver: for `emt check --costs`. */
#ifndef EMT_CHECK_COSTS_H
#define EMT_CHECK_COSTS_H

#include <stdio.h>

#include "core/mm.h"

enum cost {
    COST_FIND,
    COST_FIND_VOID,
    COST_MAP_NEXT,
    COST_MAP_RANDOM,
    COST_REMOVE,
    COST_ITERATE,
    COST_PROTECT,
    COST_AGE,
    COST_COPY,
    COST_MOVE,
    COST_UNMAP,
    COST_VOID,
    COST_VOID_NEAR,
    COST_VOID_DEFAULT,
    COST_VOID_BASIC,
    COST_VOID_PAGES,
    COST_MAP_HUGE,
    COST_SPLIT,
    COST_COLLAPSE,
    COST_DESTROY,
    COSTS
};

struct cost_row {
    bool known;
    double reads, writes, instructions; /* words, words, instructions: means of one operation */
};

struct costs {
    const char *name;
    struct cost_row row[COSTS];
};

const char *cost_name(enum cost cost);
/* Negative: the scene could not be played to its end; what was measured until then stands. */
int costs_measure(const struct emt_arch *arch, struct costs *out);
void costs_print(FILE *out, const struct costs *costs, unsigned n);
void costs_json(FILE *out, const struct costs *costs, unsigned n);

#endif
