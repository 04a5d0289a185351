/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table on the terminal: a row for each figure, a column for each result, the first one the baseline.
 *
 *     | label 22            | base 9 | value 8 ratio 7 | value 8 ratio 7 | ...        four results in 80 columns
 *
 * More results than fit go into further blocks, each with the baseline again. Under the figures: a bar for each
 * result of where its cycles went, then what must be said besides.
 */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/json.h"
#include "report/sheet.h"

#define LABEL       22
#define BASE        9
#define OTHER       16
#define MIN_COLUMNS (LABEL + BASE + OTHER + 2)

#define PLAIN "\033[0m"
#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define RED   "\033[31m"
#define GREEN "\033[32m"

struct terminal {
    FILE *out;
    unsigned width;
    bool color, utf8;
};

/* ---- what kind of terminal ---- */

static unsigned terminal_width(FILE *out) {
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
    struct winsize size;

    if (width <= 0 && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width <= 0)
        width = 80;
    return width < MIN_COLUMNS ? MIN_COLUMNS : width > 1000 ? 1000 : (unsigned)width;
}

/* As setlocale() would decide, but without changing the process's locale. */
static bool locale_is_utf8(void) {
    static const char *const variable[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (unsigned i = 0; i < 3; i++) {
        const char *value = getenv(variable[i]), *codeset;

        if (!value || !*value)
            continue;
        codeset = strchr(value, '.');
        return codeset && (strncasecmp(codeset, ".utf-8", 6) == 0 || strncasecmp(codeset, ".utf8", 5) == 0);
    }
    return false;
}

static const char *ansi(const struct terminal *t, const char *code) {
    return t->color ? code : "";
}

/* ---- text that may come from a file or a command line: nothing in it may steer the terminal ---- */

/* Prints at most `width` characters, cut with '~', filled with blanks up to `fill`. */
static void put_text(const struct terminal *t, const char *text, unsigned width, unsigned fill) {
    unsigned all = 0, n = 0;

    for (const char *p = text; *p; p++)
        all += (*p & 0xc0) != 0x80;
    for (const char *p = text; *p; p++) {
        bool starts = (*p & 0xc0) != 0x80;

        n += starts;
        if (all > width && n >= width && starts) {
            fputc('~', t->out);
            break;
        }
        if ((unsigned char)*p < 0x20 || *p == 0x7f || ((*p & 0x80) && !t->utf8)) {
            if (starts)
                fputc('?', t->out);
        } else {
            fputc(*p, t->out);
        }
    }
    for (; n < fill; n++)
        fputc(' ', t->out);
}

/* Words wrapped at the width, further lines indented by two. */
static void put_wrapped(const struct terminal *t, const char *text) {
    unsigned used = 0;

    while (*text) {
        size_t bytes = strcspn(text, " ");
        char word[512];
        unsigned length = 0;

        snprintf(word, sizeof(word), "%.*s", (int)bytes, text);
        for (const char *p = word; *p; p++)
            length += (*p & 0xc0) != 0x80;
        if (used && used + 1 + length > t->width) {
            fprintf(t->out, "\n ");
            used = 1;
        }
        if (used) {
            fputc(' ', t->out);
            used++;
        }
        length = length < t->width - used ? length : t->width - used;
        put_text(t, word, length, 0);
        used += length;
        text += bytes + (text[bytes] == ' ');
    }
    fputc('\n', t->out);
}

static void put_rule(const struct terminal *t) {
    fputs(ansi(t, DIM), t->out);
    for (unsigned i = 0; i < t->width; i++)
        fputs(t->utf8 ? "─" : "-", t->out);
    fprintf(t->out, "%s\n", ansi(t, PLAIN));
}

/* ---- the figures ---- */

/* Green where it is better than the baseline by 1 % or more, red where it is worse, faint where it is the same. */
static const char *verdict(const struct terminal *t, const struct sheet_row *row, double ratio) {
    bool less = ratio<0.99, more = ratio> 1.01;

    if (!less && !more)
        return ansi(t, DIM);
    return ansi(t, less == (row->better == BETTER_LESS) ? GREEN : RED);
}

static void put_row(const struct terminal *t, const struct sheet_row *row, unsigned first, unsigned end) {
    char value[UNITS_TEXT], ratio[UNITS_TEXT];

    fputs("  ", t->out);
    put_text(t, row->label, LABEL - 2, LABEL - 2);
    units_text(value, row->unit, row->value[0]);
    fprintf(t->out, "%*s", BASE, value);
    for (unsigned c = first; c < end; c++) {
        double r = sheet_ratio(row, c);

        units_text(value, row->unit, row->value[c]);
        units_ratio(ratio, r);
        fprintf(t->out, "%*s", BASE, value);
        if (ratio[0])
            fprintf(t->out, " %s%6s%s", verdict(t, row, r), ratio, ansi(t, PLAIN));
        else if (c + 1 < end)
            fprintf(t->out, "%*s", OTHER - BASE, "");
    }
    fputc('\n', t->out);
}

/* "os.thp.enabled=always" where there is room for "enabled=always" only. */
static const char *shortened(const char *differs, unsigned width) {
    const char *end = differs + strcspn(differs, "="), *dot;

    while (strlen(differs) > width && (dot = memchr(differs, '.', (size_t)(end - differs))))
        differs = dot + 1;
    return differs;
}

/* Some results differ in more than their architecture: then columns are numbered, and explained further down. */
static bool numbered(const struct sheet *s) {
    for (unsigned c = 0; c < s->columns; c++)
        if (s->column[c].differs[0])
            return true;
    return false;
}

#define NAME 88
static const char *column_name(char name[NAME], const struct sheet *s, unsigned c) {
    if (numbered(s))
        snprintf(name, NAME, "[%u] %s", c + 1, s->column[c].mmu);
    else
        snprintf(name, NAME, "%s", s->column[c].mmu);
    return name;
}

/* The columns' names, right-aligned over their values; under them what is different in their settings. */
static void put_heads(const struct terminal *t, const struct sheet *s, unsigned first, unsigned end) {
    for (unsigned line = 0; line < (numbered(s) ? 2u : 1u); line++) {
        /* The baseline's name may begin in the column of labels, which is empty here. */
        unsigned blanks = LABEL - 2;

        fputs(ansi(t, line ? DIM : BOLD), t->out);
        for (unsigned i = 0; i <= end - first; i++) {
            unsigned c = i ? first + i - 1 : 0, room = i ? OTHER - 1 : BASE + 1, length = 0;
            char name[NAME];
            const char *text = line ? shortened(s->column[c].differs, room) : column_name(name, s, c);

            for (const char *p = text; *p; p++)
                length += (*p & 0xc0) != 0x80;
            length = length < room ? length : room;
            blanks += room + 1 - length;
            if (length) {
                fprintf(t->out, "%*s", (int)blanks, "");
                put_text(t, text, room, 0);
                blanks = 0;
            }
        }
        fprintf(t->out, "%s\n", ansi(t, PLAIN));
    }
}

/* Columns first..end-1, with the baseline before them. */
static void put_block(const struct terminal *t, const struct sheet *s, unsigned first, unsigned end) {
    const char *group = "";

    put_heads(t, s, first, end);
    put_rule(t);
    for (unsigned i = 0; i < s->rows; i++) {
        if (strcmp(group, s->row[i].group) != 0) {
            group = s->row[i].group;
            fprintf(t->out, "%s%s%s\n", ansi(t, BOLD), group, ansi(t, PLAIN));
        }
        put_row(t, &s->row[i], first, end);
    }
    fputc('\n', t->out);
}

/* ---- where the cycles went ---- */

static const struct part {
    const char *path, *name, *glyph, *letter, *color;
} parts[] = {
    {"cycles.user", "user", "█", "u", "\033[34m"},
    {"cycles.data", "data", "▓", "d", "\033[36m"},
    {"cycles.translation", "trans", "▒", "t", "\033[33m"},
    {"cycles.os", "OS", "░", "o", "\033[35m"},
};
#define PARTS 4
#define SHARE 8 /* characters for one share behind the bar */

/* One bar: its length by the total of the longest, its parts by their cycles, rounded so that they end together. */
static void put_bar(const struct terminal *t, const json_t *result, double cycles_per_cell, unsigned room) {
    double sum = 0;
    unsigned cells = 0;

    for (unsigned p = 0; p < PARTS; p++) {
        double cycles = result_number(result, parts[p].path), end;

        sum += cycles > 0 ? cycles : 0;
        end = round(sum / cycles_per_cell);
        fputs(ansi(t, parts[p].color), t->out);
        for (; cells < room && cells < end; cells++)
            fputs(t->utf8 ? parts[p].glyph : parts[p].letter, t->out);
    }
    fprintf(t->out, "%s%*s", ansi(t, PLAIN), (int)(room - cells), "");
}

static void put_shares(const struct terminal *t, const json_t *result) {
    double total = result_number(result, "cycles.total");

    for (unsigned p = 0; p < PARTS; p++) {
        double cycles = result_number(result, parts[p].path);
        char share[UNITS_TEXT];

        units_text(share, UNIT_PERCENT, total > 0 ? cycles / total : NAN);
        fprintf(t->out, "%*s", SHARE, share);
    }
    fputc('\n', t->out);
}

static void put_bars(const struct terminal *t, const struct sheet *s, const json_t *results) {
    unsigned room = t->width - LABEL - PARTS * SHARE;
    double longest = 0;

    if (t->width < LABEL + PARTS * SHARE + 10)
        return;
    room = room > 100 ? 100 : room;
    for (unsigned c = 0; c < s->columns; c++)
        longest = fmax(longest, result_number(json_array_get(results, c), "cycles.total"));
    if (!(longest > 0))
        return;
    fprintf(t->out, "%s%-*s%s", ansi(t, BOLD), (int)(LABEL + room), "Where the cycles went", ansi(t, PLAIN));
    for (unsigned p = 0; p < PARTS; p++) {
        fprintf(t->out, "%*s%s%s%s %s", (int)(SHARE - 2 - strlen(parts[p].name)), "", ansi(t, parts[p].color),
                t->utf8 ? parts[p].glyph : parts[p].letter, ansi(t, PLAIN), parts[p].name);
    }
    fputc('\n', t->out);
    for (unsigned c = 0; c < s->columns; c++) {
        char name[NAME];

        fputs("  ", t->out);
        put_text(t, column_name(name, s, c), LABEL - 3, LABEL - 2);
        put_bar(t, json_array_get(results, c), longest / room, room);
        put_shares(t, json_array_get(results, c));
    }
    fputc('\n', t->out);
}

/* ---- notes ---- */

static void put_note(void *ctx, enum sheet_note_kind kind, const char *text) {
    const struct terminal *t = ctx;

    fputs(ansi(t, kind == NOTE_WRONG ? RED BOLD : kind == NOTE_FINE ? GREEN : ""), t->out);
    put_wrapped(t, text);
    fputs(ansi(t, PLAIN), t->out);
}

/* Over a column there is room for a few letters of what is different only. */
static void put_differences(const struct terminal *t, const struct sheet *s) {
    for (unsigned c = 0; c < s->columns; c++) {
        char name[NAME], line[NAME + 200];

        if (!s->column[c].differs[0])
            continue;
        snprintf(line, sizeof(line), "%s: %s", column_name(name, s, c), s->column[c].differs);
        put_wrapped(t, line);
    }
}

/* ---- all of it ---- */

static void put_title(const struct terminal *t, const json_t *first) {
    char title[512];

    snprintf(title, sizeof(title), "%s on %s", result_text(first, "input"), result_text(first, "machine"));
    fputs(ansi(t, BOLD), t->out);
    put_wrapped(t, title);
    fprintf(t->out, "%s\n", ansi(t, PLAIN));
}

static void put_all(const struct terminal *t, const struct sheet *s, const json_t *results) {
    unsigned fit = (t->width - LABEL - BASE) / OTHER, first = 1;

    put_title(t, json_array_get(results, 0));
    do {
        unsigned end = s->columns - first < fit ? s->columns : first + fit;

        put_block(t, s, first, end);
        first = end;
    } while (first < s->columns);
    put_bars(t, s, results);
    put_differences(t, s);
    sheet_notes(s, results, put_note, (void *)t);
}

void report_terminal(FILE *out, const struct emt_result *const *results, unsigned n, bool color) {
    struct terminal t = {.out = out, .width = terminal_width(out), .color = color, .utf8 = locale_is_utf8()};
    json_t *document = n ? result_document(results, n) : NULL;
    const json_t *all = json_object_get(document, "results");
    struct sheet s;

    if (!n)
        return;
    if (!document || sheet_new(&s, all) != 0) {
        fprintf(out, "emt: no memory left to print the results\n");
    } else {
        put_all(&t, &s, all);
        sheet_free(&s);
    }
    json_decref(document);
}
