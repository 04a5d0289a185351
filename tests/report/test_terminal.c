/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The table on the terminal: it fits, it shows every result beside the baseline, it says what must be said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report/units.h"
#include "sample.h"

static void terminal_is(const char *columns, const char *locale) {
    setenv("COLUMNS", columns, 1);
    setenv("LC_ALL", locale, 1);
}

static char *table(struct emt_result **r, unsigned n, bool color) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    report_terminal(out, (const struct emt_result *const *)r, n, color);
    fclose(out);
    return text;
}

static unsigned characters(const char *line, size_t bytes) {
    unsigned n = 0;

    for (size_t i = 0; i < bytes; i++)
        n += (line[i] & 0xc0) != 0x80;
    return n;
}

static unsigned widest(const char *text) {
    unsigned most = 0;

    for (size_t bytes; *text; text += bytes + 1) {
        unsigned n;

        bytes = strcspn(text, "\n");
        n = characters(text, bytes);
        most = n > most ? n : most;
        assert_true(bytes == 0 || text[bytes - 1] != ' ');
    }
    return most;
}

static unsigned count(const char *text, const char *what) {
    unsigned n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void test_units(void **state) {
    static const struct {
        enum unit unit;
        double value;
        const char *text;
    } cases[] = {
        {UNIT_COUNT, 0, "0"},
        {UNIT_COUNT, 9999, "9999"},
        {UNIT_COUNT, 10000, "10.00k"},
        {UNIT_COUNT, 12345, "12.35k"},
        {UNIT_COUNT, 999949, "999.9k"},
        {UNIT_COUNT, 999990, "1.000M"},
        {UNIT_COUNT, 1.5e9, "1.500G"},
        {UNIT_COUNT, 9.2e18, "9.200E"},
        {UNIT_COUNT, NAN, "-"},
        {UNIT_BYTES, 512, "512B"},
        {UNIT_BYTES, 4096, "4.00KiB"},
        {UNIT_BYTES, 1048575, "1.00MiB"},
        {UNIT_BYTES, 17179869184.0, "16.0GiB"},
        {UNIT_CYCLES, 73.16, "73.2"},
        {UNIT_PERCENT, 0.4167, "41.7%"},
        {UNIT_FIXED, 1.2345, "1.23"},
        {UNIT_FIXED, 12.345, "12.3"},
        {UNIT_FIXED, 123.45, "123"},
        {UNIT_FIXED, INFINITY, "-"},
        {UNIT_FIXED, -1, "-"},
    };
    char text[UNITS_TEXT];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        units_text(text, cases[i].unit, cases[i].value);
        assert_string_equal(text, cases[i].text);
    }
    for (double v = 1e-3; v < 1e19; v *= 1.0173) { /* the columns of the table count on it */
        units_text(text, UNIT_COUNT, v);
        assert_true(strlen(text) <= 6);
        units_text(text, UNIT_BYTES, v);
        assert_true(strlen(text) <= 8);
        units_text(text, UNIT_FIXED, v);
        assert_true(strlen(text) <= 6);
        units_ratio(text, v);
        assert_true(strlen(text) <= 6);
    }
    units_ratio(text, 0.985);
    assert_string_equal(text, "0.98x");
    units_ratio(text, 0.0012);
    assert_string_equal(text, "0.001x");
    units_ratio(text, 1e-5);
    assert_string_equal(text, "<.001x");
    units_ratio(text, 0);
    assert_string_equal(text, "0.00x");
    units_ratio(text, NAN);
    assert_string_equal(text, "");
}

static void test_fits(void **state) {
    struct emt_result **r = sample_results(12);

    (void)state;
    for (unsigned columns = 60; columns <= 220; columns += 20) {
        char width[8];

        snprintf(width, sizeof(width), "%u", columns);
        for (unsigned n = 1; n <= 12; n++) {
            terminal_is(width, n & 1 ? "C.UTF-8" : "C");
            char *text = table(r, n, false);

            assert_true(widest(text) <= columns);
            free(text);
        }
    }
    sample_free(r, 12);
}

/* Up to four results stand side by side in 80 columns; more go into blocks, each with the baseline. */
static void test_blocks(void **state) {
    struct emt_result **r = sample_results(12);
    char *text;

    (void)state;
    for (unsigned n = 1; n <= 12; n++) {
        unsigned others = n - 1, blocks = others <= 3 ? 1 : (others + 2) / 3;

        terminal_is("80", "C.UTF-8");
        text = table(r, n, false);
        assert_int_equal(count(text, "\n  walks  "), blocks);
        assert_int_equal(count(text, "Where the cycles went"), 1);
        free(text);
    }
    terminal_is("140", "C.UTF-8");
    text = table(r, 7, false);
    assert_int_equal(count(text, "\n  walks  "), 1);
    free(text);
    sample_free(r, 12);
}

static void test_structure(void **state) {
    static const char *const wanted[] = {
        "sqlite3 :memory: '.read bench.sql' on skylake-sp\n",
        "      [1] radix4      [2] radix5      [3] radix4      [4] radix5\n",
        "  enabled=always  enabled=always\n",
        "\nRun\n",
        "\nCycles\n",
        "\nTranslation\n",
        "\nOperating system\n",
        "\nMemory\n",
        "\n  instructions           412.3M   412.3M          412.3M          412.3M\n",
        "\n  references/walk          1.31     1.42  1.08x     1.11  0.85x     1.22  0.93x\n",
        "\n    anonymous            48.21k   48.21k  1.00x     3120  0.06x     3120  0.06x\n",
        "\n[3] radix4: os.thp.enabled=always\n",
        "checker: 950.0M translations compared with the tables, none wrong\n",
    };
    struct emt_result **r = sample_results(4);
    char *text;

    (void)state;
    terminal_is("80", "C.UTF-8");
    text = table(r, 4, false);
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!strstr(text, wanted[i]))
            fail_msg("not in the table: %s\n%s", wanted[i], text);
    }
    assert_null(strstr(text, "\033"));
    assert_null(strstr(text, "  bad  ")); /* a kind of fault that never happened */
    free(text);
    /* Alike in all settings: no numbers before the names. */
    terminal_is("80", "C.UTF-8");
    text = table(r, 2, false);
    assert_non_null(strstr(text, "\n                         radix4          radix5\n"));
    free(text);
    sample_free(r, 4);
}

/* The bar's parts end where their cycles do: 10 characters a tenth each. */
static void test_bars(void **state) {
    struct emt_result **r = sample_results(2);
    char *text;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        r[i]->cycles_user = 400;
        r[i]->cycles_data = 300;
        r[i]->cycles_translation = 200;
        r[i]->cycles_os = 100;
        r[i]->cycles_total = 1000;
    }
    r[1]->cycles_user = r[1]->cycles_data = r[1]->cycles_os = 0;
    r[1]->cycles_total = r[1]->cycles_translation = 500;
    terminal_is("84", "C"); /* 22 for the name, 30 for the bar, 32 for the shares */
    text = table(r, 2, false);
    assert_non_null(strstr(text, "Where the cycles went"));
    assert_non_null(strstr(text, " uuuuuuuuuuuudddddddddttttttooo   40.0%   30.0%   20.0%   10.0%\n"));
    assert_non_null(strstr(text, " ttttttttttttttt                   0.0%    0.0%  100.0%    0.0%\n"));
    free(text);
    sample_free(r, 2);
}

static void test_notes(void **state) {
    struct emt_result **r = sample_results(2);
    char *text;

    (void)state;
    terminal_is("200", "C");
    r[0]->cut_short = r[1]->cut_short = true;
    strcpy(r[0]->why_cut, "--limit 5M");
    strcpy(r[1]->why_cut, "--limit 5M");
    r[0]->left_by_exec = r[1]->left_by_exec = 2;
    r[1]->os.out_of_memory = 1;
    r[1]->checker.wrong = 3;
    strcpy(r[1]->checker.first, "0x7f001000 gave frame 5, the tables say 6");
    text = table(r, 2, true);
    assert_int_equal(count(text, "cut short (--limit 5M)"), 1); /* once: it is one pass */
    assert_non_null(strstr(text, "12 accesses to memory of which no mapping was seen"));
    assert_non_null(strstr(text, "2 programs left by exec"));
    assert_non_null(strstr(text, "radix5: 1 fault found no free frame"));
    assert_non_null(strstr(text, "\033[31m\033[1mradix5: checker: 3 of 237498145 translations WRONG; the first: "
                                 "0x7f001000 gave frame 5, the tables say 6\n"));
    assert_null(strstr(text, "none wrong"));
    free(text);
    strcpy(r[1]->why_cut, "the program crashed"); /* now each says its own */
    r[1]->checker.wrong = 0;
    r[0]->checker.on = r[1]->checker.on = false;
    text = table(r, 2, false);
    assert_non_null(strstr(text, "\nradix4: cut short (--limit 5M)"));
    assert_non_null(strstr(text, "\nradix5: cut short (the program crashed)"));
    assert_non_null(strstr(text, "checker: off"));
    free(text);
    sample_free(r, 2);
}

/* Without data caches "from memory" would say nothing. */
static void test_no_caches(void **state) {
    struct emt_result **r = sample_results(2);
    char *text;

    (void)state;
    terminal_is("200", "C");
    r[0]->ncache = r[1]->ncache = 0;
    text = table(r, 2, false);
    assert_null(strstr(text, "refs from memory"));
    assert_non_null(strstr(text, "data caches: off in 2 of 2 results (caches.enabled)"));
    free(text);
    sample_free(r, 2);
}

static void test_estimates(void **state) {
    struct emt_result **r = sample_results(1);
    char *text;

    (void)state;
    terminal_is("200", "C");
    text = table(r, 1, false);
    assert_non_null(strstr(text, "cost figures are estimates (emt list settings"));
    free(text);
    for (unsigned i = 0; i < CFG_COSTS; i++)
        r[0]->cfg.os.cost[i] += 1;
    text = table(r, 1, false);
    assert_null(strstr(text, "are estimates"));
    free(text);
    sample_free(r, 1);
}

/* Nothing a program is called may steer the terminal. */
static void test_hostile_names(void **state) {
    struct emt_result **r = sample_results(1);
    char *text;

    (void)state;
    strcpy(r[0]->input, "\033[2J\007 evil \xc3\xa4 name");
    terminal_is("80", "C");
    text = table(r, 1, false);
    assert_non_null(strstr(text, "?[2J? evil ? name on"));
    assert_null(strpbrk(text, "\033\007"));
    for (const char *p = text; *p; p++)
        assert_true((unsigned char)*p < 0x80);
    free(text);
    terminal_is("80", "de_DE.utf8");
    text = table(r, 1, false);
    assert_non_null(strstr(text, "evil \xc3\xa4 name"));
    free(text);
    memset(r[0]->input, 'x', sizeof(r[0]->input) - 1);
    text = table(r, 1, false);
    assert_true(widest(text) <= 80);
    free(text);
    sample_free(r, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),     cmocka_unit_test(test_fits),      cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_structure), cmocka_unit_test(test_bars),      cmocka_unit_test(test_notes),
        cmocka_unit_test(test_estimates), cmocka_unit_test(test_no_caches), cmocka_unit_test(test_hostile_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
