/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reads result files (docs/results.md) back, checked against the schema: what comes out may be trusted in its
 * shape. */
#ifndef EMT_REPORT_READ_H
#define EMT_REPORT_READ_H

#include <jansson.h>

/* The document in a file. 0, or negative with a line in why; *out is a new reference. */
int results_read(json_t **out, const char *path, char *why, size_t bytes);
/* The same from memory; `name` is what messages call it. */
int results_parse(json_t **out, const char *text, size_t text_bytes, const char *name, char *why, size_t bytes);

#endif
