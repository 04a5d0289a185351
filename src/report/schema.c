/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A walk over schema and value together; see schema.h. */
#include "report/schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 32 /* a schema may refer to itself */

struct walk {
    const json_t *definitions;
    char path[256]; /* where in the value: results[0].walks.count */
    unsigned depth;
    char *why;
    size_t bytes;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct walk *w, const char *format, ...) {
    int used = snprintf(w->why, w->bytes, "%s: ", w->path[0] ? w->path : "the document");
    va_list args;

    va_start(args, format);
    if (used > 0 && (size_t)used < w->bytes)
        vsnprintf(w->why + used, w->bytes - (size_t)used, format, args);
    va_end(args);
    return -EINVAL;
}

static int check(struct walk *w, const json_t *schema, const json_t *value);

/* Checks a part of a value, with its place in w->path meanwhile. */
static int check_part(struct walk *w, const json_t *schema, const json_t *part, const char *key, size_t index) {
    size_t used = strlen(w->path);
    int err;

    if (key)
        snprintf(w->path + used, sizeof(w->path) - used, "%s%s", used ? "." : "", key);
    else
        snprintf(w->path + used, sizeof(w->path) - used, "[%zu]", index);
    err = check(w, schema, part);
    w->path[used] = '\0';
    return err;
}

static const char *type_of(const json_t *value) {
    static const char *const name[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};

    return name[json_typeof(value)];
}

static bool is_type(const json_t *value, const json_t *type) {
    const char *name = json_string_value(type);

    return name && (strcmp(name, type_of(value)) == 0 || (strcmp(name, "number") == 0 && json_is_integer(value)));
}

static int check_type(struct walk *w, const json_t *type, const json_t *value) {
    char wanted[80] = "";
    const json_t *one;
    size_t i;

    if (json_is_string(type))
        return is_type(value, type)
                   ? 0
                   : wrong(w, "should be of type %s, is %s", json_string_value(type), type_of(value));
    json_array_foreach(type, i, one) {
        size_t used = strlen(wanted);

        if (is_type(value, one))
            return 0;
        snprintf(wanted + used, sizeof(wanted) - used, "%s%s", used ? " or " : "", json_string_value(one));
    }
    return wrong(w, "should be of type %s, is %s", wanted, type_of(value));
}

static int check_required(struct walk *w, const json_t *required, const json_t *value) {
    const json_t *key;
    size_t i;

    json_array_foreach(required, i, key) {
        if (json_is_object(value) && !json_object_get(value, json_string_value(key)))
            return wrong(w, "the key \"%s\" is missing", json_string_value(key));
    }
    return 0;
}

static int check_properties(struct walk *w, const json_t *schema, const json_t *value) {
    const json_t *known = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *part;

    json_object_foreach((json_t *)value, key, part) {
        const json_t *sub = json_object_get(known, key);
        int err = 0;

        if (sub || others)
            err = check_part(w, sub ? sub : others, part, key, 0);
        if (err)
            return err;
    }
    return 0;
}

static int check_items(struct walk *w, const json_t *items, const json_t *value) {
    const json_t *part;
    size_t i;

    json_array_foreach(value, i, part) {
        int err = check_part(w, items, part, NULL, i);

        if (err)
            return err;
    }
    return 0;
}

static int check_const(struct walk *w, const json_t *wanted, const json_t *value) {
    if (json_equal(wanted, value))
        return 0;
    if (json_is_string(value))
        return wrong(w, "should be \"%s\", is \"%.40s\"", json_string_value(wanted), json_string_value(value));
    return wrong(w, "should be \"%s\", is of type %s", json_string_value(wanted), type_of(value));
}

static int check_limit(struct walk *w, const char *word, const json_t *limit, const json_t *value) {
    double bound = json_number_value(limit), v = json_number_value(value);
    size_t items = json_array_size(value);

    if (strcmp(word, "minimum") == 0 && json_is_number(value) && v < bound)
        return wrong(w, "should be at least %g, is %g", bound, v);
    if (strcmp(word, "maximum") == 0 && json_is_number(value) && v > bound)
        return wrong(w, "should be at most %g, is %g", bound, v);
    if (strcmp(word, "minItems") == 0 && json_is_array(value) && (double)items < bound)
        return wrong(w, "should have at least %g items, has %zu", bound, items);
    if (strcmp(word, "maxItems") == 0 && json_is_array(value) && (double)items > bound)
        return wrong(w, "should have at most %g items, has %zu", bound, items);
    return 0;
}

static const json_t *definition(const struct walk *w, const json_t *reference) {
    const char *text = json_string_value(reference), *prefix = "#/definitions/";

    if (!text || strncmp(text, prefix, strlen(prefix)) != 0)
        return NULL;
    return json_object_get(w->definitions, text + strlen(prefix));
}

static int check_word(struct walk *w, const char *word, const json_t *schema, const json_t *what,
                      const json_t *value) {
    static const char *const limits[] = {"minimum", "maximum", "minItems", "maxItems"};
    static const char *const ignored[] = {"$schema", "$id", "title", "description", "definitions"};

    if (strcmp(word, "type") == 0)
        return check_type(w, what, value);
    if (strcmp(word, "required") == 0)
        return check_required(w, what, value);
    if (strcmp(word, "properties") == 0 || strcmp(word, "additionalProperties") == 0)
        return json_is_object(value) ? check_properties(w, schema, value) : 0;
    if (strcmp(word, "items") == 0)
        return check_items(w, what, value);
    if (strcmp(word, "const") == 0)
        return check_const(w, what, value);
    if (strcmp(word, "$ref") == 0)
        return check(w, definition(w, what), value);
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (strcmp(word, limits[i]) == 0)
            return check_limit(w, word, what, value);
    for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (strcmp(word, ignored[i]) == 0)
            return 0;
    return wrong(w, "the schema has a word that is not understood: %s", word);
}

static int check(struct walk *w, const json_t *schema, const json_t *value) {
    const char *word;
    json_t *what;
    int err = 0;

    if (!json_is_object(schema))
        return wrong(w, "the schema has no such definition");
    if (w->depth == MAX_DEPTH)
        return wrong(w, "is nested too deeply");
    w->depth++;
    json_object_foreach((json_t *)schema, word, what) {
        err = check_word(w, word, schema, what, value);
        if (err)
            break;
    }
    w->depth--;
    return err;
}

int schema_check(const json_t *schema, const json_t *value, char *why, size_t bytes) {
    struct walk w = {.definitions = json_object_get(schema, "definitions"), .why = why, .bytes = bytes};

    return check(&w, schema, value);
}
