/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Random operations. Addresses come from a few windows around places where a table may begin or end, so that
 * operations meet each other's objects all the time.
 */
#ifndef EMT_CHECK_GENERATE_H
#define EMT_CHECK_GENERATE_H

#include "check/world.h"

#define WINDOWS 4

struct generator {
    const struct traits *traits;
    uint64_t random;
    unsigned spaces;
    uint64_t window[WINDOWS]; /* their middles */
    bool globals;
};

/* `globals`: objects may be global. An OS maps those alike everywhere: wrong with several spaces and TLBs. */
void generator_init(struct generator *g, const struct traits *t, uint64_t seed, unsigned spaces, bool globals);
void generate(struct generator *g, struct op *op);

#endif
