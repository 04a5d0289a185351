/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A program: a setup and a list of operations. It runs in a process of its own, so that a driver that crashes or
 * hangs is one more finding, and may be shrunk like any other.
 */
#ifndef EMT_CHECK_PROGRAM_H
#define EMT_CHECK_PROGRAM_H

#include "check/world.h"

struct program {
    struct world_setup setup;
    struct op *op; /* owned */
    size_t n;
};

struct verdict {
    struct finding finding;
    uint64_t at; /* operations that began: the last one failed; n + 1: the end did */
    struct world_stats stats;
};

/* Run `fn(ctx, shared)` in a child with `room` bytes of shared memory, zeroed before; a crash or more than
   `seconds` give a message in `why`. false: it did not end as it should. */
bool isolated(void (*fn)(void *ctx, void *shared), void *ctx, void *shared, unsigned seconds, char *why,
              size_t room);
/* Shared memory for isolated(); NULL: none. */
void *shared_new(size_t bytes);
void shared_free(void *shared, size_t bytes);

/* fn(ctx, verdict), in a process of its own if `isolate`: then a crash or a hang becomes the finding. */
void verdict_of(void (*fn)(void *ctx, void *verdict), void *ctx, bool isolate, struct verdict *out);
/* Run it. `isolate` false: in this process, for a debugger. */
void program_run(const struct program *p, bool isolate, struct verdict *out);
/*
 * Make a failing program short: operations are left out as long as it still fails in the same way (delta debugging,
 * Zeller and Hildebrandt, TSE 2002). *v becomes the short one's verdict.
 */
void program_shrink(struct program *p, bool isolate, struct verdict *v);
void program_print(FILE *out, const struct program *p, const struct verdict *v);
/* Read what program_print() wrote. -EINVAL: why, with the line. setup.arch is not set. */
int program_read(struct program *p, FILE *in, char why[256]);

#endif
