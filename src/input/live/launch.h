/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is to be run, and with what: found out before anything starts, so that errors are ours and clear. */
#ifndef EMT_INPUT_LIVE_LAUNCH_H
#define EMT_INPUT_LIVE_LAUNCH_H

#include <limits.h>
#include <stddef.h>

/* The program as the kernel would run it. `argv` belongs to this struct: free it with launch_free. */
struct launch_program {
    char path[PATH_MAX]; /* an ELF file; for a script its interpreter */
    char **argv;         /* argv[0] is what the program sees as its name */
};

/* Finds argv[0] in PATH like a shell, and follows #! lines. Negative errno value with a line in `why`. */
int launch_resolve(struct launch_program *out, char *const argv[], char *why, size_t bytes);
void launch_free(struct launch_program *);

struct launch_qemu {
    char path[PATH_MAX];
    char plugin[PATH_MAX]; /* the one of ours with the emulator's plugin interface */
    int major, minor;
};

/* Finds the emulator (`name` may be NULL: qemu-x86_64 in PATH), asks for its version, chooses the plugin. */
int launch_find_qemu(struct launch_qemu *out, const char *name, char *why, size_t bytes);

#endif
