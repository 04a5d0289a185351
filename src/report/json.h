/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Results as JSON values; the format is docs/results.md, its schema docs/results.schema.json. */
#ifndef EMT_REPORT_JSON_H
#define EMT_REPORT_JSON_H

#include <jansson.h>

#include "report/result.h"

#define RESULT_SCHEMA "emt-result-1"
/* 12 significant digits: sums of parts agree with their total within 1e-9. */
#define RESULT_REAL_DIGITS 12

/* The whole document for n results: a new reference, or NULL when out of memory. */
json_t *result_document(const struct emt_result *const *results, unsigned n);

#endif
