/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What must be said besides the figures: was it cut short, was anything wrong, what is only an estimate. */
#include <math.h>
#include <stdarg.h>

#include "report/sheet.h"

struct notes {
    sheet_note_fn note;
    void *ctx;
};

__attribute__((format(printf, 3, 4))) static void say(const struct notes *n, enum sheet_note_kind kind,
                                                      const char *format, ...) {
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    n->note(n->ctx, kind, text);
}

/* "3 programs" */
static const char *counted(char *text, size_t bytes, double n, const char *one, const char *many) {
    char count[UNITS_TEXT];

    units_text(count, UNIT_COUNT, n);
    snprintf(text, bytes, "%s %s", count, n == 1 ? one : many);
    return text;
}

/* What concerns the run, and is the same in all results of one pass. */
static void about_run(const struct notes *n, const json_t *r, const char *who) {
    double unknown = result_number(r, "unknown_accesses"), left = result_number(r, "left_by_exec");
    double status = result_number(r, "exit_status");
    char count[64];

    if (json_is_true(json_object_get(r, "cut_short")))
        say(n, NOTE_PLAIN, "%scut short (%s): the figures are those of the part that was simulated", who,
            result_text(r, "why_cut"));
    if (status > 0)
        say(n, NOTE_PLAIN, "%sthe program ended with status %.0f", who, status);
    if (unknown > 0)
        say(n, NOTE_PLAIN, "%s%s to memory of which no mapping was seen; the OS mapped it at that moment", who,
            counted(count, sizeof(count), unknown, "access", "accesses"));
    if (left > 0)
        say(n, NOTE_PLAIN, "%s%s by exec; what ran after that was not simulated", who,
            counted(count, sizeof(count), left, "program left", "programs left"));
}

/* What concerns one machine. */
static void about_machine(const struct notes *n, const json_t *r, const char *who) {
    double oom = result_number(r, "os.out_of_memory"), segv = result_number(r, "os.segv");
    double wrong = result_number(r, "checker.wrong"), checked = result_number(r, "checker.checked");
    char count[64];

    if (oom > 0)
        say(n, NOTE_WRONG, "%s%s found no free frame: memory.bytes is too small for this input", who,
            counted(count, sizeof(count), oom, "fault", "faults"));
    double killed = result_number(r, "os.reclaim.oom_kills"),
           errors = result_number(r, "os.reclaim.swap_device.errors");
    if (killed > 0)
        say(n, NOTE_WRONG,
            "%s%s killed because memory and swap were full: what it did after that was not simulated", who,
            counted(count, sizeof(count), killed, "program was", "programs were"));
    if (errors > 0)
        say(n, NOTE_PLAIN, "%s%s of the swap device; a page that could not be read is a SIGBUS to the program", who,
            counted(count, sizeof(count), errors, "error", "errors"));
    if (segv > 0)
        say(n, NOTE_PLAIN, "%s%s outside any mapping or against its protection", who,
            counted(count, sizeof(count), segv, "fault", "faults"));
    if (wrong > 0)
        say(n, NOTE_WRONG, "%schecker: %.0f of %.0f translations WRONG; the first: %s", who, wrong, checked,
            result_text(r, "checker.first"));
}

static bool same_number(const json_t *a, const json_t *b, const char *path) {
    return result_number(a, path) == result_number(b, path);
}

static bool same_run(const json_t *results) {
    static const char *const path[] = {"unknown_accesses", "left_by_exec", "exit_status", "accesses"};
    const json_t *first = json_array_get(results, 0);

    for (size_t c = 1; c < json_array_size(results); c++) {
        const json_t *r = json_array_get(results, c);

        for (unsigned i = 0; i < sizeof(path) / sizeof(path[0]); i++)
            if (!same_number(first, r, path[i]))
                return false;
        if (!json_equal(json_object_get(first, "why_cut"), json_object_get(r, "why_cut")))
            return false;
    }
    return true;
}

static void about_checker(const struct notes *n, const json_t *results) {
    double checked = 0;
    size_t off = 0, wrong = 0, all = json_array_size(results);
    char count[64];

    for (size_t c = 0; c < all; c++) {
        const json_t *r = json_array_get(results, c);

        off += !json_is_true(json_object_get(json_object_get(r, "checker"), "on"));
        wrong += result_number(r, "checker.wrong") > 0;
        checked += result_number(r, "checker.checked");
    }
    if (!wrong && off < all)
        say(n, NOTE_FINE, "checker: %s compared with the tables, none wrong",
            counted(count, sizeof(count), checked, "translation", "translations"));
    if (off == all)
        say(n, NOTE_PLAIN,
            "checker: off (--set check.translations=true compares each translation with the tables)");
    else if (off)
        say(n, NOTE_PLAIN, "checker: off in %zu of %zu results", off, all);
}

static void about_caches(const struct notes *n, const json_t *results) {
    size_t off = 0, all = json_array_size(results);
    const json_t *r;
    size_t c;

    json_array_foreach(results, c, r) off += json_array_size(json_object_get(r, "caches")) == 0;
    if (off)
        say(n, NOTE_PLAIN,
            "data caches: off in %zu of %zu %s (caches.enabled): there data cost nothing and each "
            "reference of a walk costs caches.flat_ref_cycles",
            off, all, all == 1 ? "result" : "results");
}

static void about_estimates(const struct notes *n, const json_t *results) {
    const json_t *r = json_array_get(results, 0);
    double all = result_number(r, "os.cost_figures"), estimates = result_number(r, "os.cost_estimates");
    size_t assumed = json_array_size(json_object_get(r, "assumed"));

    if (assumed)
        say(n, NOTE_PLAIN, "machine: %zu of its %zu settings are assumed, since nobody published them", assumed,
            json_object_size(json_object_get(r, "settings")));

    if (json_object_get(r, "guest"))
        return; /* its kernel's instructions are counted */
    if (estimates > 0)
        say(n, NOTE_PLAIN, "OS costs: %.0f of %.0f cost figures are estimates (emt list settings says from what)",
            estimates, all);
}

void sheet_notes(const struct sheet *s, const json_t *results, sheet_note_fn note, void *ctx) {
    struct notes n = {note, ctx};
    bool once = same_run(results);

    for (unsigned c = 0; c < s->columns; c++) {
        const json_t *r = json_array_get(results, c);
        char who[256] = "";

        if (s->columns > 1)
            snprintf(who, sizeof(who), "%s%s%s: ", s->column[c].mmu, s->column[c].differs[0] ? " " : "",
                     s->column[c].differs);
        if (c == 0 || !once)
            about_run(&n, r, once ? "" : who);
        about_machine(&n, r, who);
    }
    about_checker(&n, results);
    about_caches(&n, results);
    about_estimates(&n, results);
}
