/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reads result files; see read.h. */
#include "report/read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/schema.h"
#include "report/web.h"

/* A stranger's text may stand in a message: it stays one line, and steers no terminal. */
static void make_one_line(char *why) {
    for (; *why; why++)
        if ((unsigned char)*why < 0x20 || *why == 0x7f)
            *why = '?';
}

/* Takes over `document` (NULL: it could not be parsed, as `error` says). */
static int checked(json_t **out, json_t *document, const json_error_t *error, const char *name, char *why,
                   size_t bytes) {
    json_t *schema;
    char what[400];
    int err;

    *out = NULL;
    if (!document) {
        snprintf(why, bytes, "%s:%d:%d: not a result file of emt: %s", name, error->line > 0 ? error->line : 1,
                 error->column > 0 ? error->column : 1, error->text);
        make_one_line(why);
        return -EINVAL;
    }
    schema = json_loadb((const char *)web_schema, web_schema_bytes, 0, NULL);
    if (!schema) {
        snprintf(why, bytes, "%s: out of memory", name);
        err = -ENOMEM;
    } else {
        err = schema_check(schema, document, what, sizeof(what));
        if (err) {
            snprintf(why, bytes, "%s: not a result file of emt --json: %s", name, what);
            make_one_line(why);
        }
    }
    json_decref(schema);
    if (err)
        json_decref(document);
    else
        *out = document;
    return err;
}

int results_parse(json_t **out, const char *text, size_t text_bytes, const char *name, char *why, size_t bytes) {
    json_error_t error;

    return checked(out, json_loadb(text, text_bytes, JSON_REJECT_DUPLICATES, &error), &error, name, why, bytes);
}

int results_read(json_t **out, const char *path, char *why, size_t bytes) {
    FILE *f = fopen(path, "r");
    json_error_t error;
    json_t *document;
    int err;

    *out = NULL;
    if (!f) {
        err = -errno;
        snprintf(why, bytes, "cannot read %s: %s", path, strerror(-err));
        return err;
    }
    document = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    if (!document && ferror(f)) {
        err = errno == EISDIR ? -EISDIR : -EIO;
        snprintf(why, bytes, "cannot read %s: %s", path, strerror(-err));
    } else {
        err = checked(out, document, &error, path, why, bytes);
    }
    fclose(f);
    return err;
}
