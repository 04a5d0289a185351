/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The figures that people read, as rows and columns: the terminal and the HTML report both print this sheet. It is
 * made from result objects as they stand in the JSON (docs/results.md), which must outlive it.
 */
#ifndef EMT_REPORT_SHEET_H
#define EMT_REPORT_SHEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "report/units.h"

enum sheet_better { BETTER_NEITHER, BETTER_LESS, BETTER_MORE };

struct sheet_row {
    const char *group; /* heading under which it stands */
    const char *label;
    const char *help; /* one sentence, without a full stop */
    enum unit unit;
    enum sheet_better better; /* BETTER_NEITHER: no ratio is shown */
    double *value;            /* one for each column; NaN: this result has none */
};

struct sheet_column {
    char mmu[72];      /* "radix4", or "radix4 on ecpt" */
    char differs[160]; /* settings other than in the first column: "os.thp.enabled=always", or "" */
};

struct sheet {
    struct sheet_row *row;
    struct sheet_column *column;
    unsigned rows, columns;
};

/* 0 or -ENOMEM. Rows in which no result has a value are left out. */
int sheet_new(struct sheet *s, const json_t *results);
void sheet_free(struct sheet *s);
/* To the value of the first column; NaN where there is no ratio to show. */
double sheet_ratio(const struct sheet_row *row, unsigned column);

/* What must be said besides the figures. */
enum sheet_note_kind { NOTE_FINE, NOTE_PLAIN, NOTE_WRONG };
typedef void (*sheet_note_fn)(void *ctx, enum sheet_note_kind kind, const char *text);
void sheet_notes(const struct sheet *s, const json_t *results, sheet_note_fn note, void *ctx);

/* The number at a path such as "walks.refs" or "tlb.0.misses"; NaN when there is none. */
double result_number(const json_t *result, const char *path);
/* The string at that path; "" when there is none. */
const char *result_text(const json_t *result, const char *path);

#endif
