/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The HTML report: web/page.html, in which @@NAME@@ is replaced by what the function of that name writes. Tables
 * are written here, so that they can be read without JavaScript; charts are drawn in the browser by web/page.js
 * from the same results, which stand in the page as JSON.
 *
 * Everything from a result file is a stranger's text: it goes through put_text() in HTML and put_json() in scripts.
 */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/output.h"
#include "report/read.h"
#include "report/sheet.h"
#include "report/web.h"

#define SERIES 8 /* colours for results: .s0 to .s7 in page.css */

struct page {
    FILE *out;
    const json_t *results;
    struct sheet sheet;
    char emt[64];       /* the version that wrote the results */
    unsigned different; /* settings that are not the same in all */
    int err;
};

static void put(struct page *p, const char *html) {
    fputs(html, p->out);
}

static void put_text(struct page *p, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '<':
            put(p, "&lt;");
            break;
        case '>':
            put(p, "&gt;");
            break;
        case '&':
            put(p, "&amp;");
            break;
        case '"':
            put(p, "&quot;");
            break;
        case '\'':
            put(p, "&#39;");
            break;
        default:
            fputc(*text, p->out);
        }
    }
}

/* ---- head ---- */

static void put_title(struct page *p) {
    put_text(p, result_text(json_array_get(p->results, 0), "input"));
}

static void put_machine(struct page *p) {
    const json_t *first = json_array_get(p->results, 0);
    const char *about = result_text(first, "about");
    char count[UNITS_TEXT];

    put_text(p, result_text(first, "machine"));
    if (*about) {
        put(p, " (");
        put_text(p, about);
        put(p, ")");
    }
    units_text(count, UNIT_COUNT, result_number(first, "instructions"));
    fprintf(p->out, " · %s instructions", count);
    units_text(count, UNIT_COUNT, result_number(first, "accesses"));
    fprintf(p->out, " · %s loads and stores", count);
}

static void put_emt(struct page *p) {
    put_text(p, p->emt);
}

static void put_column_name(struct page *p, unsigned c) {
    const struct sheet_column *column = &p->sheet.column[c];

    fprintf(p->out, "<i class=\"swatch s%u\"></i>", c % SERIES);
    put_text(p, column->mmu);
    if (column->differs[0]) {
        put(p, "<small>");
        put_text(p, column->differs);
        put(p, "</small>");
    }
}

/* ---- a card for each result ---- */

static void put_share(struct page *p, const json_t *result, const char *path, const char *name) {
    double total = result_number(result, "cycles.total");
    char share[UNITS_TEXT];

    units_text(share, UNIT_PERCENT, total > 0 ? result_number(result, path) / total : NAN);
    fprintf(p->out, "<li><b>%s</b> %s</li>", share, name);
}

static void put_cards(struct page *p) {
    double base = result_number(json_array_get(p->results, 0), "cycles.total");

    for (unsigned c = 0; c < p->sheet.columns; c++) {
        const json_t *result = json_array_get(p->results, c);
        double total = result_number(result, "cycles.total");
        char ratio[UNITS_TEXT], cycles[UNITS_TEXT];

        units_text(cycles, UNIT_COUNT, total);
        units_ratio(ratio, base > 0 ? total / base : NAN);
        put(p, "<article class=\"card\"><h2>");
        put_column_name(p, c);
        if (c == 0)
            fprintf(p->out, "</h2><p class=\"big\">%s <span>cycles · baseline</span></p><ul>", cycles);
        else
            fprintf(p->out, "</h2><p class=\"big\">%s <span>the cycles · %s</span></p><ul>", *ratio ? ratio : "-",
                    cycles);
        put_share(p, result, "cycles.translation", "translation");
        put_share(p, result, "cycles.os", "operating system");
        put(p, "</ul></article>\n");
    }
}

/* ---- notes ---- */

static void put_note(void *ctx, enum sheet_note_kind kind, const char *text) {
    static const char *const class[] = {[NOTE_FINE] = "fine", [NOTE_PLAIN] = "plain", [NOTE_WRONG] = "wrong"};
    struct page *p = ctx;

    fprintf(p->out, "<li class=\"%s\">", class[kind]);
    put_text(p, text);
    put(p, "</li>\n");
}

static void put_notes(struct page *p) {
    sheet_notes(&p->sheet, p->results, put_note, p);
}

/* ---- the table of figures ---- */

static void put_heads(struct page *p, const char *corner) {
    fprintf(p->out, "<thead><tr><th scope=\"col\">%s</th>", corner);
    for (unsigned c = 0; c < p->sheet.columns; c++) {
        put(p, "<th scope=\"col\">");
        put_column_name(p, c);
        put(p, "</th>");
    }
    put(p, "</tr></thead>\n");
}

static void put_cell(struct page *p, const struct sheet_row *row, unsigned c) {
    char value[UNITS_TEXT], ratio[UNITS_TEXT];
    double r = sheet_ratio(row, c);
    const char *verdict = fabs(r - 1) <= 0.01                       ? "same"
                          : (r < 1) == (row->better == BETTER_LESS) ? "better"
                                                                    : "worse";

    units_text(value, row->unit, row->value[c]);
    units_ratio(ratio, r);
    put(p, "<td");
    if (isfinite(row->value[c]))
        fprintf(p->out, " title=\"%.12g\"", row->value[c]);
    fprintf(p->out, ">%s", value);
    if (c) { /* empty or not: it keeps the values of a column under each other */
        fprintf(p->out, " <small class=\"%s\">", *ratio ? verdict : "same");
        put_text(p, ratio);
        put(p, "</small>");
    }
    put(p, "</td>");
}

static void put_figures(struct page *p) {
    const char *group = "";

    put_heads(p, "");
    for (unsigned i = 0; i < p->sheet.rows; i++) {
        const struct sheet_row *row = &p->sheet.row[i];
        bool nested = row->label[0] == ' ';

        if (strcmp(group, row->group) != 0) {
            fprintf(p->out, "%s<tbody><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%u\">%s</th></tr>\n",
                    *group ? "</tbody>" : "", p->sheet.columns + 1, row->group);
            group = row->group;
        }
        fprintf(p->out, "<tr><th scope=\"row\" title=\"%s\"%s>%s</th>", row->help,
                nested ? " class=\"nested\"" : "", row->label + strspn(row->label, " "));
        for (unsigned c = 0; c < p->sheet.columns; c++)
            put_cell(p, row, c);
        put(p, "</tr>\n");
    }
    put(p, "</tbody>\n");
}

/* ---- settings ---- */

static const char *setting(const struct page *p, unsigned c, const char *path) {
    return json_string_value(json_object_get(json_object_get(json_array_get(p->results, c), "settings"), path));
}

static bool setting_differs(const struct page *p, const char *path) {
    const char *first = setting(p, 0, path);

    for (unsigned c = 1; c < p->sheet.columns; c++) {
        const char *value = setting(p, c, path);

        if (!first != !value || (first && strcmp(first, value) != 0))
            return true;
    }
    return false;
}

/* In the machine of any result. */
static bool setting_assumed(const struct page *p, const char *path) {
    const json_t *result, *one;
    size_t c, i;

    json_array_foreach(p->results, c, result) {
        json_array_foreach(json_object_get(result, "assumed"), i, one) {
            if (strcmp(json_string_value(one), path) == 0)
                return true;
        }
    }
    return false;
}

static void put_setting(struct page *p, const char *path) {
    fprintf(p->out, "<tr%s><th scope=\"row\">", setting_differs(p, path) ? " class=\"differs\"" : "");
    put_text(p, path);
    if (setting_assumed(p, path))
        put(p, " <em title=\"nobody published this figure\">assumed</em>");
    put(p, "</th>");
    for (unsigned c = 0; c < p->sheet.columns; c++) {
        const char *value = setting(p, c, path);

        put(p, "<td>");
        put_text(p, value ? value : "-");
        put(p, "</td>");
    }
    put(p, "</tr>\n");
}

/* All paths that any result has, each once, those of the first result first. */
static void each_setting(struct page *p, void (*each)(struct page *, const char *path)) {
    for (unsigned c = 0; c < p->sheet.columns; c++) {
        const char *path;
        json_t *value;

        json_object_foreach(json_object_get(json_array_get(p->results, c), "settings"), path, value) {
            bool seen = false;

            for (unsigned before = 0; !seen && before < c; before++)
                seen = setting(p, before, path);
            if (!seen)
                each(p, path);
        }
    }
}

static void put_settings(struct page *p) {
    put_heads(p, "setting");
    put(p, "<tbody>\n");
    each_setting(p, put_setting);
    put(p, "</tbody>\n");
}

static void count_different(struct page *p, const char *path) {
    p->different += setting_differs(p, path);
}

static void put_different(struct page *p) {
    p->different = 0;
    each_setting(p, count_different);
    fprintf(p->out, "%u", p->different);
}

/* ---- how to repeat it ---- */

static void put_commands(struct page *p) {
    const char *last = "";

    for (unsigned c = 0; c < p->sheet.columns; c++) {
        const char *command = result_text(json_array_get(p->results, c), "command");

        if (c && strcmp(command, last) == 0)
            continue;
        put(p, "<div class=\"command\"><pre><code>");
        put_text(p, command);
        put(p, "</code></pre><button type=\"button\" class=\"needs-js copy\">Copy</button></div>\n");
        last = command;
    }
}

/* ---- data and code ---- */

/* In JSON text '<' occurs in strings only, where \u003c means the same: no "</script>" or "<!--" can stand there.
 */
static int put_escaped(const char *text, size_t bytes, void *ctx) {
    FILE *out = ctx;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '<')
            fputs("\\u003c", out);
        else
            fputc(text[i], out);
    }
    return 0;
}

static void put_data(struct page *p) {
    json_t *names = json_array(), *all;

    for (unsigned c = 0; c < p->sheet.columns; c++) {
        const struct sheet_column *column = &p->sheet.column[c];

        json_array_append_new(names, json_pack("[s,s?]", column->mmu, column->differs));
    }
    all = json_pack("{s:o,s:O}", "names", names, "results", (json_t *)p->results);
    if (json_dump_callback(all, put_escaped, p->out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12)) !=
        0)
        p->err = -ENOMEM;
    json_decref(all);
}

static void put_css(struct page *p) {
    put(p, (const char *)web_css);
}

static void put_chart(struct page *p) {
    put(p, (const char *)web_chart);
}

static void put_js(struct page *p) {
    put(p, (const char *)web_js);
}

/* ---- the template ---- */

static const struct {
    const char *name;
    void (*put)(struct page *);
} places[] = {{"TITLE", put_title},      {"MACHINE", put_machine},   {"EMT", put_emt},
              {"CARDS", put_cards},      {"NOTES", put_notes},       {"FIGURES", put_figures},
              {"DATA", put_data},        {"SETTINGS", put_settings}, {"DIFFERENT", put_different},
              {"CSS", put_css},          {"CHART", put_chart},       {"JS", put_js},
              {"COMMANDS", put_commands}};

static void put_place(struct page *p, const char *name, size_t bytes) {
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strlen(places[i].name) == bytes && strncmp(places[i].name, name, bytes) == 0)
            places[i].put(p);
}

static void put_page(struct page *p) {
    const char *at = (const char *)web_page, *mark;

    while ((mark = strstr(at, "@@"))) {
        const char *end = strstr(mark + 2, "@@");

        if (!end)
            break;
        fwrite(at, 1, (size_t)(mark - at), p->out);
        put_place(p, mark + 2, (size_t)(end - mark - 2));
        at = end + 2;
    }
    put(p, at);
}

/* All results of all files, in order; *emt gets the version that wrote the first. */
static int read_all(json_t **out, char *const paths[], unsigned n, char emt[64], char *why, size_t bytes) {
    json_t *all = json_array();
    int err = 0;

    for (unsigned i = 0; !err && i < n; i++) {
        json_t *document;

        err = results_read(&document, paths[i], why, bytes);
        if (err)
            break;
        if (i == 0)
            snprintf(emt, 64, "%s", json_string_value(json_object_get(document, "emt")));
        if (json_array_extend(all, json_object_get(document, "results")) != 0) {
            snprintf(why, bytes, "%s: out of memory", paths[i]);
            err = -ENOMEM;
        }
        json_decref(document);
    }
    if (!err && json_array_size(all) == 0) {
        snprintf(why, bytes, "no result file was given");
        err = -EINVAL;
    }
    if (err)
        json_decref(all);
    else
        *out = all;
    return err;
}

int report_page(FILE *out, const json_t *results, const char *emt) {
    struct page p = {.out = out, .results = results};
    int err = sheet_new(&p.sheet, results);

    if (err)
        return err;
    snprintf(p.emt, sizeof(p.emt), "%s", emt);
    put_page(&p);
    sheet_free(&p.sheet);
    return p.err;
}

int report_html(const char *path, char *const json_paths[], unsigned n, char *why, size_t bytes) {
    json_t *results = NULL;
    struct output out;
    char emt[64] = "";
    int err = read_all(&results, json_paths, n, emt, why, bytes);

    if (err)
        return err;
    err = output_open(&out, path, why, bytes);
    if (!err) {
        err = report_page(out.file, results, emt);
        if (err)
            snprintf(why, bytes, "cannot write %s: out of memory", path);
        err = output_close(&out, err, why, bytes);
    }
    json_decref(results);
    return err;
}
