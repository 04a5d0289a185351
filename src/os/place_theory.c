/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "os/place_theory.h"

#include <assert.h>
#include <string.h>

void place_theory_init(struct place_theory *t, const struct emt_place_group *group, unsigned kinds) {
    memset(t, 0, sizeof(*t));
    t->kinds = kinds;
    for (unsigned k = 0; k < kinds; k++) {
        assert(group[k].choices <= EMT_PLACE_CHOICES && group[k].frames <= EMT_PLACE_GROUP_FRAMES);
        t->group[k] = group[k];
        for (unsigned j = 0; j < group[k].choices; j++)
            t->y[k][j][0] = 1;
    }
}

/* Returns the pages that find all their groups full. y[..][frames + 1] is 0: nothing has more than all. */
static double pour(struct place_theory *t, unsigned kind, double pages) {
    const unsigned parts = t->group[kind].choices, frames = t->group[kind].frames;
    double more[EMT_PLACE_CHOICES][EMT_PLACE_GROUP_FRAMES + 2], full = pages;
    double(*y)[EMT_PLACE_GROUP_FRAMES + 2] = t->y[kind];

    for (unsigned j = 0; j < parts; j++) {
        full *= y[j][frames];
        for (unsigned i = 0; i < frames; i++) {
            double p = y[j][i] - y[j][i + 1];
            for (unsigned other = 0; other < parts; other++)
                p *= other == j ? 1 : other > j ? y[other][i + 1] : y[other][i];
            more[j][i + 1] = parts * p * pages;
        }
    }
    for (unsigned j = 0; j < parts; j++)
        for (unsigned i = 1; i <= frames; i++)
            y[j][i] += more[j][i];
    return full;
}

double place_theory_pour(struct place_theory *t, double pages) {
    for (unsigned k = 0; k < t->kinds; k++) {
        pages = pour(t, k, pages);
        if (k + 1 < t->kinds)
            pages *= (double)t->group[k].groups / (double)t->group[k + 1].groups;
    }
    return t->kinds ? pages * (double)t->group[t->kinds - 1].groups / (double)t->group[0].groups : pages;
}

void place_theory_shares(const struct place_theory *t, unsigned kind, double *share) {
    const unsigned parts = t->group[kind].choices, frames = t->group[kind].frames;

    for (unsigned i = 0; i <= frames; i++) {
        share[i] = 0;
        for (unsigned j = 0; j < parts; j++)
            share[i] += (t->y[kind][j][i] - t->y[kind][j][i + 1]) / parts;
    }
}
