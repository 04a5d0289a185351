/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A file that appears whole or not at all: written beside its place under another name and renamed at the end.
 * What is no regular file (a pipe, /dev/stdout) is written in place; "-" is standard output.
 */
#ifndef EMT_REPORT_OUTPUT_H
#define EMT_REPORT_OUTPUT_H

#include <stdio.h>

struct output {
    FILE *file;
    char *path; /* for messages, and to rename to; NULL: nothing to rename */
    char *temporary;
};

/* 0, or negative errno with a line in why; then there is nothing to close. */
int output_open(struct output *, const char *path, char *why, size_t bytes);
/* Ends the file: renames it into place, or, when `err` is not 0 or the disk was full, removes it. Returns err, or
   the first error of its own with a line in why. */
int output_close(struct output *, int err, char *why, size_t bytes);

#endif
