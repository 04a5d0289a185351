/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What theory says of the first conflict. In all schemes conflicts are rare and nearly independent: with L(u)
 * expected until utilisation u, the first comes later than u with probability exp(-L(u)), and in the mean at the
 * integral of that. L is a sum over insertions of the chance that all that a page may have is taken:
 *
 *   random        one frame: u
 *   sets of w     the set has w pages already: Poisson(w u) >= w
 *   Iceberg       front yard full: Poisson(64 u) >= 56; then all six back yards are: the product of the shares of
 * full yards of each sixth (os/place_theory.h)
 */
#ifndef EMT_BENCH_MOSAIC_THEORY_H
#define EMT_BENCH_MOSAIC_THEORY_H

#include <math.h>

#include "mmu/mosaic/hash.h"
#include "os/place_theory.h"

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

static inline struct theory theory_iceberg(double buckets) {
    static const struct emt_place_group yards[] = {{.frames = MOSAIC_FRONT, .choices = 1, .groups = 1},
                                                   {.frames = MOSAIC_BACK, .choices = MOSAIC_CHOICES, .groups = 1}};
    const double pages = (double)MOSAIC_BUCKET_FRAMES / THEORY_STEPS;
    double expected = 0, share[MOSAIC_BACK + 1];
    struct place_theory places;
    struct theory t = {0};
    bool noted = false;

    place_theory_init(&places, yards, 2);
    for (unsigned i = 0; i < THEORY_STEPS; i++) {
        expected += buckets * place_theory_pour(&places, pages);
        t.first_conflict += exp(-expected) / THEORY_STEPS;
        if (noted || expected <= 0.5)
            continue;
        noted = true;
        place_theory_shares(&places, 1, share);
        for (unsigned k = MOSAIC_BACK + 1; k-- > 0;)
            t.tail[k] = share[k] + (k < MOSAIC_BACK ? t.tail[k + 1] : 0);
    }
    return t;
}

#endif
