/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* --set path=value: one assignment, and all of a command line with the blame for what does not fit together. */
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

/* The path of an assignment; -EINVAL without "=" or when too long. */
static int split(const char *assignment, char path[SETTING_PATH], const char **value) {
    size_t n = strcspn(assignment, "=");

    if (!assignment[n] || n == 0 || n >= SETTING_PATH)
        return -EINVAL;
    memcpy(path, assignment, n);
    path[n] = '\0';
    *value = assignment + n + 1;
    return 0;
}

/* tlb.NAME=none, tlb=none */
static int remove_entry(struct emt_config *cfg, const char *path, const char *value, char *why, size_t bytes) {
    const struct setting_map *map = setting_map_of(path);
    char name[CFG_NAME], shown[SETTING_VALUE];
    bool named = setting_map_name(path, name);

    if (named && !setting_map_entry(cfg, map, name)) {
        setting_unknown(cfg, path, why, bytes);
        return -ENOENT;
    }
    if (strcmp(value, "none")) {
        snprintf(why, bytes, "%s is a group of settings, not a value such as \"%s\"; only none removes it", path,
                 setting_quote(value, strlen(value), shown));
        return -EINVAL;
    }
    return setting_map_remove(cfg, map, named ? name : NULL);
}

int setting_assign(struct emt_config *cfg, const char *path, const char *value, char *why, size_t bytes) {
    const char *rest;
    enum cfg_side side = setting_side_of(path, &rest);
    const struct setting *row;
    struct setting_names names;
    size_t n;

    if (side < CFG_SIDES)
        return setting_side_set(cfg, side, rest, value, why, bytes);
    void *field = setting_field(cfg, path, &row);
    if (field) {
        int err = setting_parse(row, path, value, field, why, bytes);
        if (!err)
            setting_lines_remove(cfg->assumed, path);
        return err;
    }
    if (setting_is_group(path) && setting_map_of(path))
        return remove_entry(cfg, path, value, why, bytes);
    if (!setting_is_group(path)) {
        setting_unknown(cfg, path, why, bytes);
        return -ENOENT;
    }
    setting_children(cfg, path, &names);
    n = (size_t)snprintf(why, bytes, "%s is a group of settings; set one of:", path);
    for (unsigned i = 0; i < names.n && n < bytes; i++)
        n += (size_t)snprintf(why + n, bytes - n, "%s %s.%s", i ? "," : "", path, names.name[i]);
    return -EINVAL;
}

static void in_assignment(const char *assignment, const char *text, char *why, size_t bytes) {
    char shown[SETTING_VALUE];

    snprintf(why, bytes, "--set %s: %s", setting_quote(assignment, strlen(assignment), shown), text);
}

int settings_set(struct emt_config *cfg, const char *assignment, char *why, size_t why_bytes) {
    char path[SETTING_PATH], text[512];
    const char *value;
    int err = split(assignment, path, &value);

    if (err)
        snprintf(text, sizeof text,
                 "expected PATH=VALUE, such as core.count=4; `emt list settings` shows all paths");
    else
        err = setting_assign(cfg, path, value, text, sizeof text);
    if (err)
        in_assignment(assignment, text, why, why_bytes);
    return err;
}

/* Did this assignment touch the path, or what it lies in? */
static bool touches(const char *assignment, const char *path) {
    size_t n = strcspn(assignment, "=");

    return *path && !strncmp(assignment, path, n) && (path[n] == '\0' || path[n] == '.');
}

/* The last assignment to one of the guilty paths, or to something below them (tlb.l1d=none for "tlb"). */
static const char *culprit(const struct setting_problem *p, const char *const *assignments, unsigned n) {
    for (unsigned k = 0; k < 3; k++)
        for (unsigned i = n; i-- > 0;)
            if (touches(assignments[i], p->path[k]))
                return assignments[i];
    for (unsigned i = n; i-- > 0;)
        if (!strncmp(assignments[i], p->path[0], strlen(p->path[0])))
            return assignments[i];
    return NULL;
}

int settings_apply(struct emt_config *cfg, const char *const *assignments, unsigned n, char *why,
                   size_t why_bytes) {
    struct setting_problem p;
    const char *guilty;
    int err;

    for (unsigned i = 0; i < n; i++) {
        err = settings_set(cfg, assignments[i], why, why_bytes);
        if (err)
            return err;
    }
    err = setting_check(cfg, &p);
    if (!err)
        return 0;
    guilty = culprit(&p, assignments, n);
    if (guilty)
        in_assignment(guilty, p.text, why, why_bytes);
    else
        snprintf(why, why_bytes, "%s", p.text);
    return err;
}
