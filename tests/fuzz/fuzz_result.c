/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libFuzzer target over the reader of result files and the page made from them. The input is tried twice: as a
 * file, and as an object that is laid over a valid result, so that small inputs reach what lies behind the schema.
 * A refusal is one line; what is accepted gives a page in which each script ends where it should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/json.h"
#include "report/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static unsigned count(const char *text, const char *what) {
    unsigned n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void try_page(const json_t *document) {
    const json_t *results = json_object_get(document, "results");
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    must(report_page(f, results, json_string_value(json_object_get(document, "emt"))) == 0, "no page");
    fclose(f);
    must(count(text, "<script") == 3 && count(text, "</script") == 3, "a result broke out of its place");
    free(text);
}

static void try_file(const char *text, size_t size) {
    char why[512] = "";
    json_t *document;

    if (results_parse(&document, text, size, "fuzz.json", why, sizeof(why)) != 0) {
        must(*why && !strchr(why, '\n'), "a refusal without its line");
        return;
    }
    try_page(document);
    json_decref(document);
}

/* The input over the valid result of a machine that did nothing. */
static void try_over(const char *text, size_t size) {
    static struct emt_result zero;
    const struct emt_result *one = &zero;
    json_t *over = json_loadb(text, size, JSON_ALLOW_NUL, NULL), *document;
    char *all;

    if (!json_is_object(over)) {
        json_decref(over);
        return;
    }
    document = result_document(&one, 1);
    json_object_update_recursive(json_array_get(json_object_get(document, "results"), 0), over);
    all = json_dumps(document, 0);
    if (all)
        try_file(all, strlen(all));
    free(all);
    json_decref(document);
    json_decref(over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_file((const char *)data, size);
    try_over((const char *)data, size);
    return 0;
}
