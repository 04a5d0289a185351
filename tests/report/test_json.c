/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Results as JSON: every figure arrives, exactly, in the documented shape, and the same bytes come out each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/histogram.h"
#include "report/json.h"
#include "report/read.h"
#include "report/report.h"
#include "report/schema.h"
#include "report/sheet.h"
#include "report/web.h"
#include "sample.h"

static json_t *document_of(const struct emt_result *r) {
    json_t *document = result_document(&r, 1);

    assert_non_null(document);
    return document;
}

static char *text_of(const struct emt_result *const *r, unsigned n) {
    json_t *document = result_document(r, n);
    char *text = json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(RESULT_REAL_DIGITS));

    json_decref(document);
    assert_non_null(text);
    return text;
}

static uint64_t integer(const json_t *document, const char *path) {
    const json_t *value = json_array_get(json_object_get(document, "results"), 0);
    char copy[128], *save, *key;

    snprintf(copy, sizeof(copy), "%s", path);
    for (key = strtok_r(copy, ".", &save); key; key = strtok_r(NULL, ".", &save))
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10)) : json_object_get(value, key);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", path);
    return (uint64_t)json_integer_value(value);
}

static void test_schema(void **state) {
    json_t *schema = json_loadb((const char *)web_schema, web_schema_bytes, 0, NULL);
    char why[512] = "";

    (void)state;
    assert_non_null(schema);
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct emt_result r;
        json_t *document;

        sample_result(&r, i);
        document = document_of(&r);
        if (schema_check(schema, document, why, sizeof(why)) != 0)
            fail_msg("%s", why);
        json_decref(document);
    }
    json_decref(schema);
}

/* Each key that is written stands in the schema: nothing undocumented. */
static void all_known(const json_t *root, const json_t *schema, const json_t *value, const char *where) {
    const json_t *reference = json_object_get(schema, "$ref"), *part;
    const char *key;
    size_t i;

    if (reference)
        schema =
            json_object_get(json_object_get(root, "definitions"), strrchr(json_string_value(reference), '/') + 1);
    assert_non_null(json_object_get(schema, "description"));
    json_object_foreach((json_t *)value, key, part) {
        const json_t *sub = json_object_get(json_object_get(schema, "properties"), key);

        if (!sub)
            sub = json_object_get(schema, "additionalProperties");
        if (!sub)
            fail_msg("%s: \"%s\" is not in the schema", where, key);
        if (!json_object_get(sub, "$ref"))
            assert_non_null(json_object_get(sub, "type") ? sub : json_object_get(sub, "const"));
        if (json_is_object(part) || json_is_array(part))
            all_known(root, sub, part, key);
    }
    json_array_foreach(value, i, part) {
        if (json_is_object(part))
            all_known(root, json_object_get(schema, "items"), part, where);
    }
}

static void test_documented(void **state) {
    json_t *schema = json_loadb((const char *)web_schema, web_schema_bytes, 0, NULL);
    struct emt_result r;
    json_t *document;

    (void)state;
    sample_result(&r, 3);
    document = document_of(&r);
    all_known(schema, schema, document, "document");
    json_decref(document);
    json_decref(schema);
}

static void test_exact(void **state) {
    struct emt_result r;
    json_t *document;
    uint64_t misses = 0;

    (void)state;
    sample_result(&r, 1);
    r.instructions = (1ull << 62) + 1;
    r.stores = INT64_MAX;
    r.loads = 0;
    r.fetches = UINT64_MAX; /* no counter comes here; it must not turn negative */
    document = document_of(&r);
    assert_int_equal(integer(document, "instructions"), r.instructions);
    assert_int_equal(integer(document, "accesses"), INT64_MAX);
    assert_int_equal(integer(document, "fetches"), INT64_MAX);
    for (unsigned i = 0; i < r.ntlb; i++)
        misses += r.tlb[i].level == 1 ? r.tlb[i].misses : 0;
    assert_int_equal(integer(document, "tlb.0.misses"), misses);
    assert_int_equal(integer(document, "tlb.0.hits"), r.tlb[0].hits + r.tlb[1].hits + r.tlb[2].hits);
    assert_int_equal(integer(document, "tlb.1.hits"), r.tlb[3].hits);
    assert_int_equal(integer(document, "tlb.1.misses"), r.mmu.walks);
    assert_int_equal(integer(document, "tlb.0.structures.1.entries"), 32);
    assert_int_equal(integer(document, "mmu_caches.2.misses"), r.mmu_cache[2].misses);
    assert_int_equal(integer(document, "walks.refs_served.llc"), r.mmu.walk_refs_served[2]);
    assert_int_equal(integer(document, "caches.1.walk.hits"), r.cache[1].walk_hits);
    assert_int_equal(integer(document, "os.faults.cow"), r.os.op[OS_FAULT_COW].calls);
    assert_int_equal(integer(document, "os.by_operation.shootdown.extra_cycles"),
                     r.os.op[OS_SHOOTDOWN].extra_cycles);
    assert_int_equal(integer(document, "os.table_bytes_peak"), r.table_bytes_peak);
    assert_int_equal(integer(document, "memory.free_blocks.10"), r.free_blocks[10]);
    assert_int_equal(integer(document, "memory.contiguity.runs_99"), r.contiguity.runs_99);
    assert_int_equal(integer(document, "checker.checked"), r.checker.checked);
    json_decref(document);
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* Through the text, as a reader gets it. */
static void test_sums(void **state) {
    static const char *const fault[] = {"anon", "huge", "zero", "file", "cow", "swap", "spurious", "bad"};

    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct emt_result r;
        const struct emt_result *one = &r;
        double faults = 0, operations = 0, walks = 0;
        const json_t *result, *part;
        const char *key;
        json_t *document;
        char *text, why[256];
        size_t b;

        sample_result(&r, i);
        text = text_of(&one, 1);
        assert_int_equal(results_parse(&document, text, strlen(text), "sample", why, sizeof(why)), 0);
        result = json_array_get(json_object_get(document, "results"), 0);
        assert_true(near(result_number(result, "cycles.total"),
                         result_number(result, "cycles.user") + result_number(result, "cycles.data") +
                             result_number(result, "cycles.translation") + result_number(result, "cycles.os")));
        for (unsigned k = 0; k < 8; k++) {
            char path[64];

            snprintf(path, sizeof(path), "os.faults.%s", fault[k]);
            faults += result_number(result, path);
        }
        assert_true(faults == result_number(result, "os.faults.total"));
        json_object_foreach(json_object_get(json_object_get(result, "os"), "by_operation"), key, part) operations +=
            result_number(part, "cycles");
        assert_true(near(operations, result_number(result, "cycles.os")));
        assert_true(near(operations, result_number(result, "os.cycles")));
        json_array_foreach(json_object_get(json_object_get(json_object_get(result, "walks"), "latency"), "buckets"),
                           b, part) walks += result_number(part, "count");
        assert_true(walks == result_number(result, "walks.count"));
        json_decref(document);
        free(text);
    }
}

/* The map comes back cell by cell. */
static void test_map(void **state) {
    struct emt_result r;
    const json_t *run;
    json_t *document;
    size_t i, cell = 0;

    (void)state;
    sample_result(&r, 2);
    document = document_of(&r);
    json_array_foreach(
        json_object_get(json_object_get(json_array_get(json_object_get(document, "results"), 0), "memory"), "map"),
        i, run) {
        for (json_int_t n = json_integer_value(json_object_get(run, "cells")); n > 0; n--, cell++)
            for (unsigned use = 0; use < OS_USES; use++)
                assert_int_equal(json_integer_value(json_object_get(run, os_use_name[use])),
                                 r.cell[cell].bytes[use]);
    }
    assert_int_equal(cell, RESULT_CELLS);
    assert_true(i < RESULT_CELLS);
    json_decref(document);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* p50 and p99 in the results against a sorted list: in the bucket of the exact value, which is at most 1/16 wide.
 */
static void test_percentiles(void **state) {
    enum { MOST = 2000 };
    static uint64_t value[MOST];
    uint64_t seed = 42;

    (void)state;
    for (unsigned n = 1; n <= MOST; n = n * 3 + 1) {
        struct emt_result r;
        json_t *document;

        sample_result(&r, 0);
        memset(&r.mmu.walk_latency, 0, sizeof(r.mmu.walk_latency));
        for (unsigned i = 0; i < n; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            value[i] = (seed >> 33) % (1u << (seed >> 60));
            hw_histogram_add(&r.mmu.walk_latency, value[i]);
        }
        qsort(value, n, sizeof(*value), by_value);
        document = document_of(&r);
        for (unsigned percent = 50; percent <= 99; percent += 49) {
            uint64_t exact = value[(n * percent + 99) / 100 - 1];
            uint64_t said = integer(document, percent == 50 ? "walks.latency.p50" : "walks.latency.p99");

            assert_true(said <= exact && exact - said <= exact / 16);
        }
        json_decref(document);
    }
}

/* Nothing ran: no division by zero, no NaN, still a valid document. */
static void test_empty(void **state) {
    struct emt_result *r = calloc(1, sizeof(*r));
    const struct emt_result *one = r;
    json_t *document;
    char *text, why[256];

    (void)state;
    assert_non_null(r);
    r->ipc = NAN;
    r->fragmentation = INFINITY;
    text = text_of(&one, 1);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    if (results_parse(&document, text, strlen(text), "empty", why, sizeof(why)) != 0)
        fail_msg("%s", why);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(document, "results"), 0), "ipc")));
    json_decref(document);
    free(text);
    free(r);
}

/* A command line is bytes; JSON is UTF-8. */
static void test_stray_bytes(void **state) {
    static const char *const command[] = {"emt run -- caf\xe9", "emt run -- a\xc3",
                                          "emt run -- \xff\xfe \"q\" \\ \x01"};
    static const char *const wanted[] = {"emt run -- caf", "emt run -- a", "emt run -- ?? \"q\" \\ \x01"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct emt_result r;
        json_t *document;

        sample_result(&r, 0);
        snprintf(r.command, sizeof(r.command), "%s", command[i]);
        document = document_of(&r);
        assert_string_equal(result_text(json_array_get(json_object_get(document, "results"), 0), "command"),
                            wanted[i]);
        json_decref(document);
    }
}

static char *slurp(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 4 << 20);

    assert_non_null(f);
    assert_non_null(text);
    *bytes = fread(text, 1, (4 << 20) - 1, f);
    fclose(f);
    return text;
}

static void test_same_bytes(void **state) {
    struct emt_result **r = sample_results(SAMPLES);
    char directory[] = "/tmp/emt-json-XXXXXX", a[64], b[64], why[256], *first, *second;
    size_t n, m;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(a, sizeof(a), "%s/a.json", directory);
    snprintf(b, sizeof(b), "%s/b.json", directory);
    assert_int_equal(report_json(a, (const struct emt_result *const *)r, SAMPLES, why, sizeof(why)), 0);
    assert_int_equal(report_json(b, (const struct emt_result *const *)r, SAMPLES, why, sizeof(why)), 0);
    assert_int_equal(report_json(b, (const struct emt_result *const *)r, SAMPLES, why, sizeof(why)), 0);
    first = slurp(a, &n);
    second = slurp(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    assert_int_equal(first[n - 1], '\n');
    free(first);
    free(second);
    unlink(a);
    unlink(b);
    assert_int_equal(rmdir(directory), 0); /* no temporary file stayed */
    sample_free(r, SAMPLES);
}

/* Devices are written, not replaced; what cannot be written is said in one line. */
static void test_outputs(void **state) {
    struct emt_result **r = sample_results(1);
    const struct emt_result *const *one = (const struct emt_result *const *)r;
    struct stat st;
    char why[256] = "";

    (void)state;
    assert_int_equal(report_json("/dev/null", one, 1, why, sizeof(why)), 0);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(report_json("/dev/full", one, 1, why, sizeof(why)), -ENOSPC);
    assert_string_equal(why, "cannot write /dev/full: No space left on device");
    assert_int_equal(report_json("/tmp", one, 1, why, sizeof(why)), -EISDIR);
    assert_string_equal(why, "cannot write /tmp: Is a directory");
    assert_int_equal(report_json("/nonexistent/a.json", one, 1, why, sizeof(why)), -ENOENT);
    assert_string_equal(why, "cannot write /nonexistent/a.json: No such file or directory");
    sample_free(r, 1);
}

/* A link stays a link, permissions stay as they were. */
static void test_replaces_content_only(void **state) {
    struct emt_result **r = sample_results(1);
    char directory[] = "/tmp/emt-json-XXXXXX", file[64], link[64], why[256];
    struct stat st;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/file", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    f = fopen(file, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(file, 0640), 0);
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(report_json(link, (const struct emt_result *const *)r, 1, why, sizeof(why)), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_true(st.st_size > 1000);
    unlink(link);
    unlink(file);
    assert_int_equal(rmdir(directory), 0);
    sample_free(r, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_documented),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_stray_bytes),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_replaces_content_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
