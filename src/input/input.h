/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The inputs: each opens a source of blocks. On error 0 < bytes of a line for the user stand in `why`. */
#ifndef EMT_INPUT_INPUT_H
#define EMT_INPUT_INPUT_H

#include <stdio.h>

#include "input/event.h"

/* -- live: an unmodified x86-64 Linux program under QEMU's user-mode emulator -- */
enum live_children { LIVE_CHILDREN_SIMULATE, LIVE_CHILDREN_IGNORE };
struct live_options {
    enum live_children children;
    const char *qemu; /* path of qemu-x86_64, NULL: found in PATH */
};
int live_open(struct ev_source **out, char *const argv[], const struct live_options *opt, char *why, size_t bytes);
/* End the program early (Ctrl-C, --limit): it goes on unobserved when `detach`, else it gets SIGTERM. */
void live_stop(struct ev_source *, bool detach);
/* Waits until the program has ended, which after live_stop(detach) may take long; its exit status. close() waits
 * too. */
int live_wait(struct ev_source *);

/* -- synthetic: "gups:bytes=1T,accesses=100M,seed=1" -- */
int workload_open(struct ev_source **out, const char *spec, char *why, size_t bytes);
/* How much data a workload has, without code and stack. -EINVAL or -ENOMEM, with a line in why. */
int workload_footprint(const char *spec, uint64_t *data_bytes, char *why, size_t bytes);
/* Name, meaning, keys with defaults, one block of text each. */
void workload_list(FILE *out);
/* Names, for messages and completion; NULL-terminated. */
const char *const *workload_names(void);

/* -- traces: ChampSim (raw, .xz, .gz), Valgrind lackey text, and our own; recognised by content, then name -- */
int trace_open(struct ev_source **out, const char *path, char *why, size_t bytes);

/* -- recording: our own format (docs/trace-format.md) -- */
struct recorder;
int recorder_open(struct recorder **out, const char *path, const char *what, char *why, size_t bytes);
int recorder_write(struct recorder *, const struct ev_block *, char *why, size_t bytes);
/* Finishes the file; negative when it could not be written whole. `cut_short`: marked as not complete. */
int recorder_close(struct recorder *, bool cut_short, char *why, size_t bytes);

#endif
