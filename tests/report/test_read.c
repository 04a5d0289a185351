/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The schema check word by word, and what is said about files that are no results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/json.h"
#include "report/read.h"
#include "report/schema.h"
#include "sample.h"

#define DEFINITIONS "\"definitions\":{\"n\":{\"type\":\"integer\"},\"loop\":{\"$ref\":\"#/definitions/loop\"}}"

static const struct {
    const char *schema, *value, *why; /* NULL: fits */
} cases[] = {
    {"{\"type\":\"integer\"}", "1", NULL},
    {"{\"type\":\"integer\"}", "1.5", "the document: should be of type integer, is number"},
    {"{\"type\":\"number\"}", "1", NULL},
    {"{\"type\":\"number\"}", "\"1\"", "the document: should be of type number, is string"},
    {"{\"type\":[\"number\",\"null\"]}", "null", NULL},
    {"{\"type\":[\"number\",\"null\"]}", "true", "the document: should be of type number or null, is boolean"},
    {"{\"const\":\"a\"}", "\"a\"", NULL},
    {"{\"const\":\"a\"}", "\"b\"", "the document: should be \"a\", is \"b\""},
    {"{\"const\":\"a\"}", "[]", "the document: should be \"a\", is of type array"},
    {"{\"minimum\":0}", "0", NULL},
    {"{\"minimum\":0}", "-1", "the document: should be at least 0, is -1"},
    {"{\"maximum\":1}", "1.5", "the document: should be at most 1, is 1.5"},
    {"{\"minItems\":1}", "[]", "the document: should have at least 1 items, has 0"},
    {"{\"maxItems\":1}", "[1,2]", "the document: should have at most 1 items, has 2"},
    {"{\"required\":[\"a\"]}", "{\"a\":1}", NULL},
    {"{\"required\":[\"a\"]}", "{\"b\":1}", "the document: the key \"a\" is missing"},
    {"{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"a\":null,\"b\":1}", NULL},
    {"{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"a\":1}", "a: should be of type null, is integer"},
    {"{\"additionalProperties\":{\"type\":\"null\"}}", "{\"x\":1}", "x: should be of type null, is integer"},
    {"{\"items\":{\"properties\":{\"a\":{\"items\":{\"type\":\"null\"}}}}}", "[{\"a\":[null,0]}]",
     "[0].a[1]: should be of type null, is integer"},
    {"{\"$ref\":\"#/definitions/n\"," DEFINITIONS "}", "1", NULL},
    {"{\"$ref\":\"#/definitions/n\"," DEFINITIONS "}", "{}", "the document: should be of type integer, is object"},
    {"{\"$ref\":\"#/definitions/loop\"," DEFINITIONS "}", "1", "the document: is nested too deeply"},
    {"{\"$ref\":\"#/definitions/none\"," DEFINITIONS "}", "1", "the document: the schema has no such definition"},
    {"{\"pattern\":\".*\"}", "1", "the document: the schema has a word that is not understood: pattern"},
};

static void test_schema_words(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *schema = json_loads(cases[i].schema, 0, NULL);
        json_t *value = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        char why[256] = "";
        int err = schema_check(schema, value, why, sizeof(why));

        assert_non_null(schema);
        assert_non_null(value);
        assert_int_equal(err, cases[i].why ? -EINVAL : 0);
        assert_string_equal(why, cases[i].why ? cases[i].why : "");
        json_decref(schema);
        json_decref(value);
    }
}

static void refuses(const char *text, const char *wanted) {
    json_t *document = NULL;
    char why[512] = "";

    assert_int_equal(results_parse(&document, text, strlen(text), "a.json", why, sizeof(why)), -EINVAL);
    assert_null(document);
    if (!strstr(why, wanted) || strchr(why, '\n'))
        fail_msg("said: %s\nwanted: %s", why, wanted);
}

static void test_not_results(void **state) {
    (void)state;
    refuses("", "a.json:1:1: not a result file of emt: ");
    refuses("{\n  \"schema\": }", "a.json:2:13: not a result file of emt: ");
    refuses("[]", "a.json: not a result file of emt --json: the document: should be of type object, is array");
    refuses("{}", "the document: the key \"schema\" is missing");
    refuses("{\"schema\":\"emt-result-9\",\"emt\":\"9\",\"results\":[]}",
            "schema: should be \"emt-result-1\", is \"emt-result-9\"");
    refuses("{\"schema\":\"emt-result-1\",\"emt\":\"0\",\"results\":[]}",
            "results: should have at least 1 items, has 0");
    refuses("{\"schema\":\"emt-result-1\",\"emt\":\"0\",\"results\":[{}]}",
            "results[0]: the key \"mmu\" is missing");
    refuses("{\"schema\":\"x\\ny\\u001b[2J\",\"emt\":\"0\",\"results\":[]}", "is \"x?y?[2J\"");
    refuses("{\"a\":1,\"a\":2}", "duplicate");
    refuses("{\"a\":99999999999999999999}", "too big integer");
}

/* Take any key away, at any depth, or change its type: it is noticed, unless the schema leaves it open. */
static void spoil(json_t *document, json_t *part, unsigned depth) {
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(part, next, key, value) {
        char *text, why[512], name[64];
        json_t *kept = json_incref(value), *out = NULL;

        snprintf(name, sizeof(name), "%s", key);
        json_object_set_new(part, name, json_pack("{s:[]}", "odd"));
        text = json_dumps(document, 0);
        if (results_parse(&out, text, strlen(text), "spoilt", why, sizeof(why)) == 0 && !json_is_object(kept))
            fail_msg("%s with another type was accepted", name);
        json_decref(out);
        free(text);
        json_object_set(part, name, kept);
        if (depth < 4)
            spoil(document, kept, depth + 1);
        json_decref(kept);
    }
}

static void test_each_key_counts(void **state) {
    struct emt_result r;
    const struct emt_result *one = &r;
    json_t *document, *result, *value;
    const char *key;

    (void)state;
    sample_result(&r, 0);
    document = result_document(&one, 1);
    result = json_array_get(json_object_get(document, "results"), 0);
    spoil(document, result, 0);
    json_object_foreach(result, key, value) {
        json_t *without = json_copy(result), *list = json_pack("[O]", without);
        json_t *other = json_copy(document);
        char *text, wanted[128];

        json_object_del(without, key);
        json_object_set_new(other, "results", list);
        text = json_dumps(other, 0);
        snprintf(wanted, sizeof(wanted), "results[0]: the key \"%s\" is missing", key);
        refuses(text, wanted);
        free(text);
        json_decref(other);
        json_decref(without);
    }
    json_decref(document);
}

static void test_files(void **state) {
    char why[512], path[] = "/tmp/emt-read-XXXXXX";
    json_t *document;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(results_read(&document, path, why, sizeof(why)), -EINVAL);
    assert_non_null(strstr(why, ":1:1: not a result file of emt: "));
    unlink(path);
    assert_int_equal(results_read(&document, path, why, sizeof(why)), -ENOENT);
    assert_non_null(strstr(why, "cannot read /tmp/emt-read-"));
    assert_int_equal(results_read(&document, "/tmp", why, sizeof(why)), -EISDIR);
    assert_string_equal(why, "cannot read /tmp: Is a directory");
    assert_int_equal(results_read(&document, "/dev/zero", why, sizeof(why)), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_words),
        cmocka_unit_test(test_not_results),
        cmocka_unit_test(test_each_key_counts),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
