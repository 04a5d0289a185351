/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers as people read them. Each writes at most UNITS_TEXT bytes; NaN is "-". */
#ifndef EMT_REPORT_UNITS_H
#define EMT_REPORT_UNITS_H

#define UNITS_TEXT 16

enum unit {
    UNIT_COUNT,   /* 9999, 12.35k, 1.235G: at most 6 characters */
    UNIT_BYTES,   /* 512B, 4.00KiB, 1.50TiB: at most 8 characters */
    UNIT_CYCLES,  /* as a count, but with two digits behind the point below 1000 */
    UNIT_PERCENT, /* a share 0..1: 12.3% */
    UNIT_FIXED    /* 0.85, 12.3 */
};

void units_text(char text[UNITS_TEXT], enum unit unit, double value);
/* A ratio to the baseline: 1.05x. NaN is "". */
void units_ratio(char text[UNITS_TEXT], double ratio);

#endif
