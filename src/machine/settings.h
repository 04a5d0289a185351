/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Machine files and --set: one table of settings (path, type, unit, range, meaning) serves the YAML reader, the
 * command line, `emt list settings`, shell completion and docs/machine-files.md.
 *
 * Messages name place, value and remedy:
 *     machines/my.yaml:14:11: tlb.l2.ways is 12, but 1000 entries do not divide by it; the nearest are 996 and 1008
 */
#ifndef EMT_MACHINE_SETTINGS_H
#define EMT_MACHINE_SETTINGS_H

#include <stdio.h>

#include "machine/config.h"

/* Built-in defaults: no TLB, no MMU cache; every scalar has its documented default. */
void settings_defaults(struct emt_config *cfg);
/* `machine`: a name (looked up in the folders of EMT_MACHINES, the source tree's and the installed one) or a path
   of a YAML file. The file is checked as settings_check() does. 0, or negative with a line in why. */
int settings_load(struct emt_config *cfg, const char *machine, char *why, size_t why_bytes);
/* One "path=value". May be called after settings_load(); settings_check() must follow the last one. */
int settings_set(struct emt_config *cfg, const char *assignment, char *why, size_t why_bytes);
/* All of them in order, then settings_check(); what it finds names the assignment that is to blame. */
int settings_apply(struct emt_config *cfg, const char *const *assignments, unsigned n, char *why, size_t why_bytes);
/* A machine file that is in memory; `file` is what messages call it. */
int settings_load_memory(struct emt_config *cfg, const char *text, size_t bytes, const char *file, char *why,
                         size_t why_bytes);
/* Everything that needs more than one field: geometry, sizes, at least one TLB. */
int settings_check(const struct emt_config *cfg, char *why, size_t why_bytes);

/* A machine as one side of its virtual machine has it: settings without prefix hold for both, guest.PATH and
   host.PATH for one. 0, or negative with a line in why. */
int settings_side(const struct emt_config *cfg, enum cfg_side side, struct emt_config *out, char *why,
                  size_t why_bytes);

/* For people and scripts. */
void settings_list(FILE *out);
/* Writes the settings of cfg as a YAML file that settings_load() reads back to an equal cfg. */
void settings_dump(const struct emt_config *cfg, FILE *out);
/* Each setting of cfg in the order of `emt list settings`, as settings_set() would take it: path and value as text.
   Both live only during the call. Results carry them, so that they can be repeated. */
void settings_each(const struct emt_config *cfg, void (*each)(void *ctx, const char *path, const char *value),
                   void *ctx);
/* Name and one-line description of each machine file found; returns how many there are. */
unsigned settings_machines(void (*each)(void *ctx, const char *name, const char *about, const char *path),
                           void *ctx);

/* "4K", "1.5G", "16TiB" to bytes (powers of 1024). -EINVAL, -ERANGE. */
int settings_parse_bytes(const char *text, uint64_t *bytes);
/* The candidate nearest to `word` (edit distance), or NULL when none is near. */
const char *settings_nearest(const char *word, const char *const *candidates, unsigned n);

#endif
