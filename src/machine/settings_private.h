/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of settings share: the table, paths, values, and problems that know their place. */
#ifndef EMT_MACHINE_SETTINGS_PRIVATE_H
#define EMT_MACHINE_SETTINGS_PRIVATE_H

#include <errno.h>
#include <stddef.h>

#include "machine/config.h"

#define SETTING_PATH  96 /* longest path, with its NUL */
#define SETTING_VALUE 64

enum setting_type {
    SETTING_BOOL,
    SETTING_U32,
    SETTING_U64,
    SETTING_BYTES,
    SETTING_NUMBER, /* double, at most 9 digits behind the point */
    SETTING_ENUM,   /* one word of a list */
    SETTING_SET,    /* one or more words, as a mask */
    SETTING_NAME
};

struct setting_word {
    const char *name;
    uint32_t value;
};

/*
 * One row. A path with `*` stands for every entry of a named map: its offset counts from the entry. Ranges and
 * defaults are text, read by the same code as users' values.
 */
struct setting {
    const char *path;
    enum setting_type type;
    const char *unit; /* "" where the type says it */
    const char *min, *max;
    const char *fallback; /* default */
    const char *source;   /* of the default; begins with "assumed" when nobody published it; "" where moot */
    const char *meaning;
    size_t offset;
    const struct setting_word *words; /* ends with a NULL name */
};

extern const struct setting setting_table[];
extern const unsigned setting_count;

/* Compares segment by segment, `*` with any; returns what is left of the pattern, or NULL when they differ. */
const char *setting_path_rest(const char *pattern, const char *path);
const struct setting *setting_find(const char *path);
/* path is above settings, as "core" or "tlb.l2" */
bool setting_is_group(const char *path);

/* tlb and mmu_caches: maps whose names the description chooses. */
struct setting_map {
    const char *path;
    size_t offset, stride, count_offset;
    uint32_t capacity;
};
const struct setting_map *setting_map_of(const char *path); /* the map that path is in, or NULL */
/* Name of the map entry in path; false when path is the map itself or there is no room. */
bool setting_map_name(const char *path, char name[CFG_NAME]);
uint32_t setting_map_count(const struct emt_config *, const struct setting_map *);
const char *setting_map_entry_name(const struct emt_config *, const struct setting_map *, uint32_t i);
/* NULL when there is none. */
void *setting_map_entry(struct emt_config *, const struct setting_map *, const char *name);
/* With defaults; -ENOSPC. */
int setting_map_add(struct emt_config *, const struct setting_map *, const char *name);
/* One entry, or all when name is NULL. -ENOENT. */
int setting_map_remove(struct emt_config *, const struct setting_map *, const char *name);

/* Where the value of `path` lies in cfg; NULL when path names no setting, or no entry this machine has. */
void *setting_field(struct emt_config *cfg, const char *path, const struct setting **row);
/* The names that may follow `group` ("" is the root); returns how many. */
#define SETTING_CHILDREN 160
struct setting_names {
    const char *name[SETTING_CHILDREN];
    unsigned n;
    char store[SETTING_CHILDREN][CFG_NAME];
};
void setting_children(const struct emt_config *cfg, const char *group, struct setting_names *);
/* A line on a path that names nothing: the nearest right one, or what there is. */
void setting_unknown(const struct emt_config *cfg, const char *path, char *why, size_t bytes);

/* Text to value; *field changes only on success. On error why says which path, what was expected. */
int setting_parse(const struct setting *, const char *path, const char *text, void *field, char *why, size_t bytes);
/* What setting_parse() reads back to the same value. */
void setting_format(const struct setting *, const void *field, char out[SETTING_VALUE]);
/* "a whole number from 1 to 64 cores" */
void setting_expected(const struct setting *, char *out, size_t bytes);
void setting_format_bytes(uint64_t bytes, char out[SETTING_VALUE]);

/* Text for a message: control characters and what is too long are replaced. Returns out. */
const char *setting_quote(const char *text, size_t length, char out[SETTING_VALUE]);

/* Lists of lines in a fixed array. -ENOSPC when it does not fit. */
int setting_lines_add(char *list, size_t bytes, const char *line);
void setting_lines_remove(char *list, const char *line);

/* guest.PATH and host.PATH (settings_sides.c). The side, and PATH in *rest; CFG_SIDES: the path names none. */
extern const char *const setting_side_name[CFG_SIDES];
enum cfg_side setting_side_of(const char *path, const char **rest);
int setting_side_set(struct emt_config *cfg, enum cfg_side side, const char *rest, const char *value, char *why,
                     size_t bytes);
/* One assignment without its "--set": path, value. */
int setting_assign(struct emt_config *cfg, const char *path, const char *value, char *why, size_t bytes);

/* A finding of the checks: the paths it is about, the most guilty first, and the line without its place. */
struct setting_problem {
    char path[3][SETTING_PATH];
    char text[400];
};
/* 0 or -EINVAL */
int setting_check(const struct emt_config *cfg, struct setting_problem *);

/* Finds machine files. *path is malloc()ed. -ENOENT with a line (the nearest name, and all names) in why. */
int setting_machine_path(const char *machine, char **path, char *why, size_t bytes);
/* The whole of a regular file of at most 1 MiB. */
int setting_read_file(const char *path, char **text, size_t *bytes, char *why, size_t why_bytes);

#endif
