/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The HTML page: one file, closed in itself, that no text in a result can break out of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "report/report.h"
#include "sample.h"

static char directory[] = "/tmp/emt-html-XXXXXX";

static char *in_directory(char path[64], const char *name) {
    snprintf(path, 64, "%s/%s", directory, name);
    return path;
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    char path[512];
    DIR *d = opendir(directory);
    struct dirent *e;

    (void)state;
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    return rmdir(directory);
}

static char *slurp(const char *path) {
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 8 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (8 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static void write_results(const char *path, struct emt_result **r, unsigned n) {
    char why[256] = "";

    if (report_json(path, (const struct emt_result *const *)r, n, why, sizeof(why)) != 0)
        fail_msg("%s", why);
}

/* The page of these results. */
static char *page_of(struct emt_result **r, unsigned n) {
    char json[64], html[64], why[256] = "", *paths[] = {json};

    write_results(in_directory(json, "r.json"), r, n);
    if (report_html(in_directory(html, "r.html"), paths, 1, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    return slurp(html);
}

static unsigned count(const char *text, const char *what) {
    unsigned n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* No address but those in the licence comments of the library; no attribute or style that could load anything. */
static void test_no_outside_reference(void **state) {
    static const char *const forbidden[] = {"src=",    "href=",     "url(",       "@import",    "sourceMappingURL",
                                            "<link",   "<img",      "<iframe",    "fetch(",     "XMLHttpRequest",
                                            "import(", "WebSocket", "sendBeacon", "EventSource"};
    static const char *const licence[] = {"https://www.chartjs.org", "https://github.com/kurkle/color#readme"};
    struct emt_result **r = sample_results(4);
    char *text = page_of(r, 4);

    (void)state;
    for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (strstr(text, forbidden[i]))
            fail_msg("the page has %.60s", strstr(text, forbidden[i]));
    for (const char *at = text; (at = strstr(at, "://")); at++) {
        bool fine = false;

        for (unsigned i = 0; i < 2; i++)
            fine |= at - text > 5 && strncmp(at - 5, licence[i], strlen(licence[i])) == 0;
        if (!fine)
            fail_msg("the page has %.60s", at - 5);
    }
    assert_non_null(strstr(text, "default-src 'none'"));
    free(text);
    sample_free(r, 4);
}

/* Template filled, three scripts closed, data readable: what the browser gets is what was in the results. */
static void test_whole(void **state) {
    struct emt_result **r = sample_results(4);
    char *text = page_of(r, 4), *data, *end;
    json_t *json;

    (void)state;
    assert_null(strstr(text, "@@"));
    assert_int_equal(count(text, "<script"), 3);
    assert_int_equal(count(text, "</script>"), 3);
    assert_int_equal(count(text, "<article class=\"card\">"), 4);
    assert_int_equal(count(text, "<section"), count(text, "</section>"));
    assert_int_equal(count(text, "<tbody>"), count(text, "</tbody>"));
    assert_int_equal(count(text, "<tr"), count(text, "</tr>"));
    assert_int_equal(count(text, "<td"), count(text, "</td>"));
    data = strstr(text, "id=\"data\">");
    assert_non_null(data);
    data += strlen("id=\"data\">");
    end = strstr(data, "</script>");
    json = json_loadb(data, (size_t)(end - data), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "results")), 4);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(json, "results"), 2), "stores")),
        r[2]->stores);
    json_decref(json);
    free(text);
    sample_free(r, 4);
}

/* Without JavaScript: figures, ratios, settings, the one that differs, the command. */
static void test_readable_without_scripts(void **state) {
    static const char *const wanted[] = {
        "<h1>sqlite3 :memory: &#39;.read bench.sql&#39;</h1>",
        ">references/walk</th><td title=\"1.309",
        ">1.31</td>",
        ">1.42 <small class=\"worse\">1.08x</small></td>",
        "<small class=\"better\">0.85x</small>",
        "<tr class=\"differs\"><th scope=\"row\">os.thp.enabled</th><td>never</td><td>never</td><td>always</td>",
        "All settings (2 not the same in all results)", /* mmu is the other */
        "emt compare --machine skylake-sp --mmu radix4,radix5 -- sqlite3 :memory: &#39;.read bench.sql&#39;",
        "none wrong",
        "os.cpi <em title=\"nobody published this figure\">assumed</em>",
    };
    struct emt_result **r = sample_results(4);
    char *text = page_of(r, 4);

    (void)state;
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!strstr(text, wanted[i]))
            fail_msg("not in the page: %s", wanted[i]);
    free(text);
    sample_free(r, 4);
}

static void test_hostile_strings(void **state) {
    static const char evil[] = "</script><script>alert(1)</script><!--<b onx=\"'&";
    struct emt_result **r = sample_results(2);
    char *text;

    (void)state;
    snprintf(r[0]->input, sizeof(r[0]->input), "%s", evil);
    snprintf(r[0]->command, sizeof(r[0]->command), "%s @@JS@@", evil);
    snprintf(r[0]->cfg.about, sizeof(r[0]->cfg.about), "%s", evil);
    snprintf(r[1]->cfg.mmu, sizeof(r[1]->cfg.mmu), "<i>'\"&");
    r[1]->checker.wrong = 1;
    snprintf(r[1]->checker.first, sizeof(r[1]->checker.first), "%s", evil);
    text = page_of(r, 2);
    assert_int_equal(count(text, "<script"), 3);
    assert_int_equal(count(text, "</script>"), 3);
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "<b onx"));
    assert_null(strstr(text, "<i>'"));
    assert_null(strstr(text, "<!--<b"));
    assert_int_equal(count(text, "&lt;/script&gt;"), count(text, "&lt;script&gt;") * 2);
    assert_int_equal(count(text, "\"use strict\";\n  const data"), 1); /* @@JS@@ in a result is text */
    free(text);
    sample_free(r, 2);
}

/* Two files, two results each: side by side, in order. */
static void test_several_files(void **state) {
    struct emt_result **r = sample_results(4);
    char a[64], b[64], html[64], why[256] = "", *paths[] = {a, b}, *text;

    (void)state;
    write_results(in_directory(a, "a.json"), r, 2);
    write_results(in_directory(b, "b.json"), r + 2, 2);
    assert_int_equal(report_html(in_directory(html, "ab.html"), paths, 2, why, sizeof(why)), 0);
    text = slurp(html);
    char *together = page_of(r, 4);

    assert_string_equal(text, together);
    free(text);
    free(together);
    sample_free(r, 4);
}

static void cannot(const char *html, char *const paths[], unsigned n, const char *wanted) {
    char why[512] = "";

    assert_true(report_html(html, paths, n, why, sizeof(why)) < 0);
    if (!strstr(why, wanted) || strchr(why, '\n'))
        fail_msg("said: %s\nwanted: %s", why, wanted);
}

static unsigned files(void) {
    DIR *d = opendir(directory);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* One line that names the file; no page, nor part of one; an older page stays. */
static void test_errors(void **state) {
    struct emt_result **r = sample_results(1);
    char good[64], bad[64], none[64], html[64], *both[] = {good, bad}, *missing[] = {none}, *fine[] = {good}, *text;
    unsigned before;
    FILE *f;

    (void)state;
    write_results(in_directory(good, "good.json"), r, 1);
    f = fopen(in_directory(bad, "bad.json"), "w");
    assert_non_null(f);
    fputs("{\"schema\":\"emt-result-1\",\"emt\":\"0\",\"results\":[{\"mmu\":5}]}", f);
    fclose(f);
    in_directory(none, "none.json");
    f = fopen(in_directory(html, "old.html"), "w");
    assert_non_null(f);
    fputs("old", f);
    fclose(f);
    before = files();
    cannot(html, both, 2, "bad.json: not a result file of emt --json: results[0]");
    cannot(html, missing, 1, "none.json: No such file or directory");
    cannot(html, fine, 0, "no result file was given");
    cannot("/dev/full", fine, 1, "cannot write /dev/full: No space left on device");
    cannot("/nonexistent/x.html", fine, 1, "cannot write /nonexistent/x.html: No such file or directory");
    assert_int_equal(files(), before);
    text = slurp(html);
    assert_string_equal(text, "old");
    free(text);
    sample_free(r, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_outside_reference),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_readable_without_scripts),
        cmocka_unit_test(test_hostile_strings),
        cmocka_unit_test(test_several_files),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
