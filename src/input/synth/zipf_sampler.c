/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Zipf ranks by rejection-inversion: see the header for source and idea. */
#include "input/synth/zipf_sampler.h"

#include <math.h>

#include "input/synth/random.h"

/* H(x) = (x^q - 1) / q, the integral of x^-theta from 1; ln x for q = 0. */
static double integral(const struct zipf *z, double x) {
    double t = z->q * log(x);

    return fabs(t) < 1e-8 ? log(x) * (1 + t / 2) : expm1(t) / z->q;
}

static double inverse(const struct zipf *z, double u) {
    double t = z->q * u;

    if (fabs(t) > 1e-3)
        return exp(log(1 + t) / z->q);
    return fabs(t) > 1e-8 ? exp(log1p(t) / z->q) : exp(u * (1 - t / 2));
}

static double bar(const struct zipf *z, double k) {
    return exp(-z->theta * log(k));
}

void zipf_init(struct zipf *z, uint64_t n, double theta) {
    z->n = (double)n;
    z->theta = theta;
    z->q = 1 - theta;
    z->h_first = integral(z, 1.5) - 1;
    z->h_last = integral(z, z->n + 0.5);
    z->squeeze = 2 - inverse(z, integral(z, 2.5) - bar(z, 2));
}

uint64_t zipf_next(const struct zipf *z, uint64_t *rng) {
    for (;;) {
        double u = z->h_last + random_unit(rng) * (z->h_first - z->h_last);
        double x = inverse(z, u), k = floor(x + 0.5);

        k = k < 1 ? 1 : k > z->n ? z->n : k;
        if (k - x <= z->squeeze || u >= integral(z, k + 0.5) - bar(z, k))
            return (uint64_t)k;
    }
}
