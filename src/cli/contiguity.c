/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The table of emt contiguity. What the columns mean: docs/contiguity.md. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "report/units.h"

#define LABEL 24

static const char *const policy[] = {[CFG_PLACEMENT_DEFAULT] = "default",
                                     [CFG_PLACEMENT_CA] = "ca",
                                     [CFG_PLACEMENT_EAGER] = "eager",
                                     [CFG_PLACEMENT_RANGER] = "ranger"};

static void put(FILE *out, unsigned width, enum unit unit, double value) {
    char text[UNITS_TEXT];

    units_text(text, unit, value);
    fprintf(out, " %*s", (int)width, text);
}

/* A count of mappings; none of something is not known. */
static void put_mappings(FILE *out, unsigned width, const struct os_contiguity *c, enum os_view view,
                         unsigned share) {
    put(out, width, UNIT_COUNT, c->mappings[view][0] ? (double)c->mappings[view][share] : NAN);
}

static void put_result(FILE *out, const struct emt_result *r) {
    const struct os_contiguity *c = &r->contiguity;
    char label[96];

    /* The label has every value that varies; on its own it is the policy. */
    snprintf(label, sizeof(label), "%s", strchr(r->label, ' ') ? r->label : policy[r->cfg.os.placement]);
    fprintf(out, "%-*.*s", LABEL, LABEL, label);
    put(out, 9, UNIT_BYTES, (double)c->resident_bytes);
    put(out, 9, UNIT_BYTES, c->touched_bytes ? (double)(c->resident_bytes - c->touched_bytes) : NAN);
    for (unsigned share = 0; share < OS_SHARES; share++)
        put_mappings(out, 7, c, OS_VIEW_RANGE, share);
    put_mappings(out, 7, c, OS_VIEW_IDEAL, 1);
    put_mappings(out, 7, c, OS_VIEW_OFFSET, 1);
    put_mappings(out, 7, c, OS_VIEW_ANCHOR, 1);
    put_mappings(out, 5, c, OS_VIEW_VMA, 1);
    put(out, 9, UNIT_BYTES, (double)c->longest_bytes);
    put(out, 7, UNIT_COUNT, (double)r->os_instructions);
    fputc('\n', out);
}

void cli_contiguity_table(FILE *out, const struct emt_result *const *results, unsigned n) {
    fprintf(out, "%s on %s\n\n", results[0]->input, results[0]->cfg.name);
    fprintf(out, "%-*s %9s %9s %23s %7s %7s %7s %5s %9s %7s\n", LABEL, "", "", "", "------- ranges -------",
            "ideal", "offsets", "anchors", "VMAs", "longest", "OS");
    fprintf(out, "%-*s %9s %9s %7s %7s %7s %7s %7s %7s %5s %9s %7s\n", LABEL, "", "resident", "untouched", "90 %",
            "99 %", "100 %", "99 %", "99 %", "99 %", "99 %", "run", "instr.");
    for (unsigned i = 0; i < n; i++)
        put_result(out, results[i]);
}
