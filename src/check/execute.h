/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the files that execute operations share. */
#ifndef EMT_CHECK_EXECUTE_H
#define EMT_CHECK_EXECUTE_H

#include "check/world.h"

/* What an operation did; the comparisons follow it. */
struct outcome {
    uint64_t va, last; /* touched, in op->db */
    bool nothing;      /* the operation makes no sense in this state: nothing was done */
};

/* The range that an operation names, widened to the objects that cross its ends. false: it is none. */
bool range_of(struct world *w, unsigned db, uint64_t va, uint64_t bytes, struct outcome *out);
/* Compare an error with what is expected. -ENOMEM sets w->enomem instead, if memory is scarce. */
bool result(struct world *w, int err, int expected);
/* Remove everything in the range of db, as the OS does before it maps something else. */
bool clear_range(struct world *w, unsigned db, uint64_t va, uint64_t last);

/* One function for each group of operations; false: a finding. */
bool execute_object(struct world *w, const struct op *op, struct outcome *out);  /* execute_object.c */
bool execute_range(struct world *w, const struct op *op, struct outcome *out);   /* execute_range.c */
bool execute_iterate(struct world *w, const struct op *op, struct outcome *out); /* execute_iterate.c */

#endif
