/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Checks a JSON value against a JSON Schema. Of draft-07 it knows what docs/results.schema.json uses: type, const,
 * required, properties, additionalProperties (a schema), items (one schema), minItems, maxItems, minimum, maximum
 * and $ref to #/definitions/NAME. A schema that uses another word is refused: nothing goes unchecked in silence.
 */
#ifndef EMT_REPORT_SCHEMA_H
#define EMT_REPORT_SCHEMA_H

#include <jansson.h>

/* 0, or -EINVAL with a line in why: where in the value, and what is wrong. */
int schema_check(const json_t *schema, const json_t *value, char *why, size_t bytes);

#endif
