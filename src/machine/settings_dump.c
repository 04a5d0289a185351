/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Settings for people and programs: the table, each value, and a machine file that reads back to the same machine.
 */
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"
#include "os/costs.h"

typedef void each_fn(void *ctx, const char *path, const char *value);

static void one(const struct emt_config *cfg, const char *path, each_fn *each, void *ctx) {
    const struct setting *row;
    char value[SETTING_VALUE];
    const void *field = setting_field((struct emt_config *)cfg, path, &row);

    if (!field)
        return;
    setting_format(row, field, value);
    each(ctx, path, value);
}

/* The rows of a map stand together in the table: entry by entry, all rows of each. */
static unsigned map_rows(const struct emt_config *cfg, const struct setting_map *map, unsigned first, each_fn *each,
                         void *ctx) {
    char path[SETTING_PATH];
    unsigned end = first;

    while (end < setting_count && strchr(setting_table[end].path, '*') &&
           setting_map_of(setting_table[end].path) == map)
        end++;
    for (uint32_t e = 0; e < setting_map_count(cfg, map); e++)
        for (unsigned i = first; i < end; i++) {
            snprintf(path, sizeof path, "%s.%s.%s", map->path, setting_map_entry_name(cfg, map, e),
                     setting_table[i].path + strlen(map->path) + 3);
            one(cfg, path, each, ctx);
        }
    return end - 1;
}

static void each_of_side(const struct emt_config *cfg, enum cfg_side side, each_fn *each, void *ctx) {
    char path[SETTING_PATH + 8], value[CFG_SIDE_TEXT];

    for (const char *at = cfg->side[side]; *at;) {
        size_t n = strcspn(at, "\n"), equals = strcspn(at, "=");

        snprintf(path, sizeof path, "%s.%.*s", setting_side_name[side], (int)equals, at);
        snprintf(value, sizeof value, "%.*s", (int)(n - equals - 1), at + equals + 1);
        each(ctx, path, value);
        at += n + (at[n] == '\n');
    }
}

void settings_each(const struct emt_config *cfg, each_fn *each, void *ctx) {
    char path[SETTING_PATH];

    for (unsigned i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        const struct setting_map *map = setting_map_of(s->path);
        if (!strchr(s->path, '*')) {
            one(cfg, s->path, each, ctx);
        } else if (map) {
            i = map_rows(cfg, map, i, each, ctx);
        } else {
            for (unsigned c = 0; c < os_cost_count; c++) {
                snprintf(path, sizeof path, "%.*s%s", (int)strlen(s->path) - 1, s->path, os_cost_table[c].name);
                one(cfg, path, each, ctx);
            }
        }
    }
    for (enum cfg_side side = 0; side < CFG_SIDES; side++)
        each_of_side(cfg, side, each, ctx);
}

void settings_list(FILE *out) {
    char expected[160];

    for (unsigned i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        setting_expected(s, expected, sizeof expected);
        fprintf(out, "%s\n    %s\n    %s", s->path, s->meaning, expected);
        if (*s->fallback)
            fprintf(out, "; default %s", s->fallback);
        if (*s->source)
            fprintf(out, " (%s)", s->source);
        fputc('\n', out);
    }
    fprintf(out, "\nguest.PATH, host.PATH\n    mmu.name, mmu.basic_only, mmu_caches.*, memory.* and os.* of one "
                 "side of a virtual "
                 "machine alone;\n    without prefix they hold for both\n");
    fprintf(out, "\nThe routines of os.cost.*, with default and source:\n");
    for (unsigned i = 0; i < os_cost_count; i++)
        fprintf(out, "os.cost.%s\n    %u instructions (%s)\n", os_cost_table[i].name, os_cost_table[i].instructions,
                os_cost_table[i].source);
}

/* ---- a machine file -------------------------------------------------------------------------------------- */

struct dump {
    FILE *out;
    char group[SETTING_PATH]; /* of the last line */
};

/* Opens the groups in which this path differs from the last one, then writes its own line. */
static void dump_one(void *ctx, const char *path, const char *value) {
    struct dump *d = ctx;
    size_t at = 0, n, depth = 0;

    for (; path[at + (n = strcspn(path + at, "."))]; at += n + 1, depth++) {
        if (!strncmp(d->group, path, at + n + 1))
            continue;
        fprintf(d->out, "%*s%.*s:\n", (int)(2 * depth), "", (int)n, path + at);
        memcpy(d->group, path, at + n + 1);
        d->group[at + n + 1] = '\0';
    }
    d->group[at] = '\0';
    fprintf(d->out, "%*s%s: %s\n", (int)(2 * depth), "", path + at, value);
}

/* Single quotes: only a quote needs care, as texts hold no line breaks. */
static void dump_text(FILE *out, const char *text, size_t n) {
    fputc('\'', out);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\'')
            fputc('\'', out);
        fputc(text[i], out);
    }
    fputs("'\n", out);
}

static void dump_lines(FILE *out, const char *key, const char *lines) {
    if (!*lines)
        return;
    fprintf(out, "%s:\n", key);
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        fputs("  - ", out);
        dump_text(out, lines, n);
        lines += n + (lines[n] == '\n');
    }
}

void settings_dump(const struct emt_config *cfg, FILE *out) {
    struct dump d = {.out = out};

    fputs("name: ", out);
    dump_text(out, cfg->name, strlen(cfg->name));
    fputs("about: ", out);
    dump_text(out, cfg->about, strlen(cfg->about));
    settings_each(cfg, dump_one, &d);
    dump_lines(out, "sources", cfg->sources);
    dump_lines(out, "assumed", cfg->assumed);
}
