/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers as people read them; see units.h. */
#include "report/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Four digits: 1.235, 12.35, 123.5. A value that would round up to `base` goes to the next unit. */
static void scaled(char *text, double value, double base, const char *const *unit, unsigned units,
                   unsigned digits) {
    unsigned i = 0;
    int behind;

    while (i + 1 < units && value >= base - 0.05) {
        value /= base;
        i++;
    }
    behind = (int)digits - (value < 9.9995 ? 1 : value < 99.995 ? 2 : value < 999.95 ? 3 : 4);
    snprintf(text, UNITS_TEXT, "%.*f%s", i && behind > 0 ? behind : 0, value, unit[i]);
}

void units_text(char text[UNITS_TEXT], enum unit unit, double value) {
    static const char *const thousand[] = {"", "k", "M", "G", "T", "P", "E"};
    static const char *const binary[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    if (!isfinite(value) || value < 0 || value > 1e21) {
        strcpy(text, "-");
        return;
    }
    switch (unit) {
    case UNIT_COUNT:
        if (value < 9999.5)
            snprintf(text, UNITS_TEXT, "%.0f", value);
        else
            scaled(text, value, 1000, thousand, 7, 4);
        break;
    case UNIT_BYTES:
        scaled(text, value, 1024, binary, 7, 3);
        break;
    case UNIT_CYCLES:
        if (value < 999.95)
            units_text(text, UNIT_FIXED, value);
        else
            units_text(text, UNIT_COUNT, value);
        break;
    case UNIT_PERCENT:
        snprintf(text, UNITS_TEXT, "%.1f%%", value * 100);
        break;
    case UNIT_FIXED:
        if (value < 9999.5)
            snprintf(text, UNITS_TEXT, "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
        else
            units_text(text, UNIT_COUNT, value);
        break;
    }
}

void units_ratio(char text[UNITS_TEXT], double ratio) {
    if (!isfinite(ratio) || ratio < 0)
        text[0] = '\0';
    else if (ratio > 0 && ratio < 0.0005)
        strcpy(text, "<.001x");
    else if (ratio > 0 && ratio < 0.0095)
        snprintf(text, UNITS_TEXT, "%.3fx", ratio);
    else if (ratio < 9.995)
        snprintf(text, UNITS_TEXT, "%.2fx", ratio);
    else if (ratio < 99.95)
        snprintf(text, UNITS_TEXT, "%.1fx", ratio);
    else if (ratio < 9999.5)
        snprintf(text, UNITS_TEXT, "%.0fx", ratio);
    else
        strcpy(text, ">9999x");
}
