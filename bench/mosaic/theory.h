/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What theory says of the first conflict. In all schemes conflicts are rare and nearly independent: with L(u)
 * expected until utilisation u, the first comes later than u with probability exp(-L(u)), and in the mean at the
 * integral of that. L is a sum over insertions of the chance that all that a page may have is taken:
 *
 *   random        one frame: u
 *   sets of w     the set has w pages already: Poisson(w u) >= w
 *   Iceberg       front yard full: Poisson(64 u) >= 56; then all six back yards are: the product of the shares of
 * full yards of each sixth, from the differential equations of asymmetric tie-breaking (M. Mitzenmacher, B.
 *                 Voecking: "The Asymptotics of Selecting the Shortest of Two, Improved", 1999)
 */
#ifndef EMT_BENCH_MOSAIC_THEORY_H
#define EMT_BENCH_MOSAIC_THEORY_H

#include <math.h>

#include "mmu/mosaic/hash.h"

#define THEORY_STEPS 20000

struct theory {
    double first_conflict;        /* utilisation, in the mean */
    double tail[MOSAIC_BACK + 1]; /* share of back yards that have at least i pages then */
};

/* P(X >= n), X of Poisson's distribution. */
static inline double theory_poisson_tail(double mean, unsigned n) {
    double p = exp(-mean), below = 0;

    for (unsigned i = 0; i < n; i++) {
        below += p;
        p *= mean / (i + 1);
    }
    return below < 1 ? 1 - below : 0;
}

static inline double theory_random(double frames) {
    double expected = 0, mean = 0;

    for (double i = 0; i < frames && expected < 40; i++) {
        mean += exp(-expected) / frames;
        expected += i / frames;
    }
    return mean;
}

static inline double theory_sets(double frames, unsigned ways) {
    double expected = 0, mean = 0;

    for (unsigned i = 0; i < THEORY_STEPS; i++) {
        const double u = (i + 0.5) / THEORY_STEPS;
        expected += frames / THEORY_STEPS * theory_poisson_tail(ways * u, ways);
        mean += exp(-expected) / THEORY_STEPS;
    }
    return mean;
}

/* So many pages for each bucket come to the back yards; y[j][i]: of sixth j, the share with at least i pages. A
   page goes to the yard of sixth j if those of later sixths have more, and of earlier ones not fewer. */
static inline void theory_pour(double y[MOSAIC_CHOICES][MOSAIC_BACK + 1], double pages) {
    double more[MOSAIC_CHOICES][MOSAIC_BACK + 1] = {{0}};

    for (unsigned j = 0; j < MOSAIC_CHOICES; j++)
        for (unsigned i = 0; i < MOSAIC_BACK; i++) {
            double p = y[j][i] - y[j][i + 1];
            for (unsigned other = 0; other < MOSAIC_CHOICES; other++)
                p *= other == j ? 1 : other > j ? y[other][i + 1] : y[other][i];
            more[j][i + 1] = MOSAIC_CHOICES * p * pages;
        }
    for (unsigned j = 0; j < MOSAIC_CHOICES; j++)
        for (unsigned i = 1; i <= MOSAIC_BACK; i++)
            y[j][i] += more[j][i];
}

static inline struct theory theory_iceberg(double buckets) {
    double y[MOSAIC_CHOICES][MOSAIC_BACK + 1] = {{0}}, expected = 0;
    const double pages = (double)MOSAIC_BUCKET_FRAMES / THEORY_STEPS;
    struct theory t = {0};
    bool noted = false;

    for (unsigned j = 0; j < MOSAIC_CHOICES; j++)
        y[j][0] = 1;
    for (unsigned i = 0; i < THEORY_STEPS; i++) {
        const double u = (i + 0.5) / THEORY_STEPS;
        const double over = pages * theory_poisson_tail(MOSAIC_BUCKET_FRAMES * u, MOSAIC_FRONT);
        double full = 1;
        theory_pour(y, over);
        for (unsigned j = 0; j < MOSAIC_CHOICES; j++)
            full *= y[j][MOSAIC_BACK];
        expected += buckets * over * full;
        t.first_conflict += exp(-expected) / THEORY_STEPS;
        if (!noted && expected > 0.5)
            for (unsigned k = 0; k <= MOSAIC_BACK; k++) {
                for (unsigned j = 0; j < MOSAIC_CHOICES; j++)
                    t.tail[k] += y[j][k] / MOSAIC_CHOICES;
                noted = true;
            }
    }
    return t;
}

#endif
