/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Exact Zipf-distributed ranks 1..n with P(k) proportional to k^-theta, for any n and theta >= 0, in constant time
 * and memory: W. Hoermann, G. Derflinger: "Rejection-inversion to generate variates from monotone discrete
 * distributions", ACM TOMACS 6(3), 1996.
 *
 * The histogram of k^-theta lies under the curve x^-theta where that is convex: a point under the curve is drawn by
 * inverting its integral H, rounded to the rank k, and rejected when it lies above the bar of k.
 */
#ifndef EMT_SYNTH_ZIPF_SAMPLER_H
#define EMT_SYNTH_ZIPF_SAMPLER_H

#include <stdint.h>

struct zipf {
    double n, theta, q; /* q = 1 - theta */
    double h_first, h_last, squeeze;
};

void zipf_init(struct zipf *z, uint64_t n, double theta);
uint64_t zipf_next(const struct zipf *z, uint64_t *rng);

#endif
