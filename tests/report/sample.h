/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Results made by hand, plausible and all different, for the tests of the report and to look at it. */
#ifndef EMT_TESTS_REPORT_SAMPLE_H
#define EMT_TESTS_REPORT_SAMPLE_H

#include "report/result.h"

#define SAMPLES 4

/* 0: radix4, 1: radix5, 2 and 3: the same with huge pages. Any number: variants of these. */
void sample_result(struct emt_result *r, unsigned which);
/* n of them; free() each and the array. */
struct emt_result **sample_results(unsigned n);
void sample_free(struct emt_result **results, unsigned n);
#endif
