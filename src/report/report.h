/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Results for people and programs. The JSON schema is docs/results.schema.json, in words docs/results.md. */
#ifndef EMT_REPORT_REPORT_H
#define EMT_REPORT_REPORT_H

#include <stdio.h>

#include "report/result.h"

/* A table; with n > 1 the first is the baseline and ratios stand beside. `color`: ANSI colours. */
void report_terminal(FILE *out, const struct emt_result *const *results, unsigned n, bool color);
/* One JSON document for all. 0 or negative errno (with a line in why). path "-" is standard output. */
int report_json(const char *path, const struct emt_result *const *results, unsigned n, char *why, size_t bytes);
/* One HTML file with no outside reference, from JSON files of report_json(). */
int report_html(const char *path, char *const json_paths[], unsigned n, char *why, size_t bytes);

#endif
