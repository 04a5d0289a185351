/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a failing program to a short one that fails in the same way. */
#include "check/program.h"

#include <stdlib.h>

/* A bound, so that it ends in good time also where each run is slow: a crash that takes long, a hang. */
#define MOST_RUNS 3000

struct shrink {
    struct program *best;
    struct verdict *verdict;
    bool isolate;
    unsigned runs;
};

/* Is `n` operations from `op` a program that fails likewise? Then it is the best so far. */
static bool attempt(struct shrink *s, const struct op *op, size_t n) {
    struct program p = {.setup = s->best->setup, .op = (struct op *)(uintptr_t)op, .n = n};
    struct verdict v;

    if (s->runs++ > MOST_RUNS)
        return false;
    program_run(&p, s->isolate, &v);
    if (!v.finding.found || strcmp(v.finding.kind, s->verdict->finding.kind) != 0)
        return false;
    *s->verdict = v;
    if (v.at < n)
        n = v.at; /* what follows the failure is not needed */
    memmove(s->best->op, op, n * sizeof(*op));
    s->best->n = n;
    return true;
}

/* Try to leave out each of the pieces of `piece` operations. */
static bool leave_out(struct shrink *s, size_t piece, struct op *scratch) {
    bool any = false;

    for (size_t from = s->best->n; from > 0;) {
        const size_t begin = from > piece ? from - piece : 0, n = s->best->n;

        memcpy(scratch, s->best->op, begin * sizeof(*scratch));
        memcpy(scratch + begin, s->best->op + from, (n - from) * sizeof(*scratch));
        any |= attempt(s, scratch, n - (from - begin));
        from = begin < s->best->n ? begin : s->best->n;
    }
    return any;
}

void program_shrink(struct program *p, bool isolate, struct verdict *v) {
    struct shrink s = {.best = p, .verdict = v, .isolate = isolate};
    struct op *scratch = malloc((p->n + 1) * sizeof(*scratch));

    if (!scratch || strcmp(v->finding.kind, "hang") == 0)
        goto out;
    if (v->at < p->n)
        p->n = v->at;
    for (size_t piece = p->n / 2 + 1; piece >= 1;) {
        bool any = leave_out(&s, piece, scratch);
        if (piece == 1 && !any)
            break;
        piece = piece > 1 ? piece / 2 : 1;
    }
out:
    free(scratch);
}
