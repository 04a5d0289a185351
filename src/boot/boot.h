/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * emt boot: a real Linux on an emulated MMU of ours.
 *
 *     cmd_boot.c ──> options ──> prepare.c ──> qemu/build, linux/build, linux/image     (what is cached is not
 * made) │
 *                                   v
 *                                guest.c ──> qemu-system-x86_64 ──> Linux ──> init ──> COMMAND
 *                                   ^               │ sockets
 *                                   └── relay.c <───┘ stdin, stdout, stderr, console, control
 */
#ifndef EMT_BOOT_BOOT_H
#define EMT_BOOT_BOOT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>

#define BOOT_MAX_ADDS 64
#define BOOT_MAX_SETS 64
#define BOOT_MAX_CPUS 64

enum boot_kernel { BOOT_VANILLA, BOOT_EMT };
enum boot_walker { BOOT_WALKER_EMT, BOOT_WALKER_QEMU };

struct boot_options {
    const char *mmu; /* name of an architecture */
    enum boot_kernel kernel;
    enum boot_walker walker; /* of long-mode paging: ours, or QEMU's own to compare with */
    unsigned cpus;
    uint64_t memory_bytes;
    const char *machine; /* measured: which hardware */
    const char *set[BOOT_MAX_SETS];
    unsigned nset;
    bool measure, icount, verbose, quiet;
    bool build_only;
    const char *json, *folded;
    const char *add[BOOT_MAX_ADDS];
    unsigned nadd;
    const char *disk;
    const char *linux_source, *qemu_source; /* trees of the user's; NULL: the distribution's */
    const char *append;                     /* to the kernel's command line */
    const char *gdb, *monitor;              /* sockets to make for a debugger and for people; NULL: none */
    unsigned limit_seconds;                 /* 0: none */
    char **command;                         /* argv, or NULL: a shell */
    char line[512];                         /* this command line, for the results */
};

/* Tables that an unmodified kernel writes. */
static inline bool boot_conventional(const struct boot_options *opt) {
    return strcmp(opt->mmu, "radix4") == 0 || strcmp(opt->mmu, "radix5") == 0;
}

/*
 * Options of `emt boot`. 0, or an exit status + 1 (so that --help can end with 0) after a message.
 * The strings in *opt are argv's.
 */
int boot_parse(struct boot_options *opt, int argc, char **argv);

/* What a boot needs, made or found; all paths absolute. */
struct boot_parts {
    char qemu[PATH_MAX], firmware[PATH_MAX]; /* program; its folder */
    char kernel[PATH_MAX], symbols[PATH_MAX];
    char plugin[PATH_MAX]; /* of a measured run */
    char run[PATH_MAX];    /* a folder of this run alone, removed by boot_discard() */
    char image[PATH_MAX];
};

/* Build or find everything. 0, or an exit status after a message. */
int boot_prepare(const struct boot_options *opt, struct boot_parts *parts);
void boot_discard(struct boot_parts *parts);
/* Is there memory for the guest? 0, or an exit status after a message. `free_bytes`: what the host has. */
int boot_check_memory(uint64_t wanted_bytes, uint64_t free_bytes);

/* What the plugin is to do, into the run's folder; and what it has written, to where the user wants it. 0, or an
   exit status after a message. */
int boot_describe_measurement(const struct boot_options *opt, struct boot_parts *parts);
int boot_deliver_measurement(const struct boot_options *opt, const struct boot_parts *parts);

/* How a guest ended. */
enum boot_end {
    BOOT_EXITED,   /* the command ended: status */
    BOOT_TIMEOUT,  /* the time limit */
    BOOT_PANIC,    /* the kernel gave up */
    BOOT_DIED,     /* the emulator ended without a word of the guest */
    BOOT_INTERRUPT /* the user */
};
#define BOOT_STATUS_TIMEOUT 124 /* as timeout(1) has it */
#define BOOT_STATUS_DIED    125

/* Sockets to the guest; -1: none. */
struct boot_wires {
    int in, out, err, console, control;
};

/* What the console and the control port said. */
struct boot_watch {
    bool running, ended, panicked;
    int status;
    char panic[160]; /* the line that says why */
    char line[512];  /* of the console, not finished yet */
    char control[512];
    char last[8][160]; /* last lines of the console */
    unsigned lines;
};

/* Look at what came from the console, or from the control port. */
void boot_watch_console(struct boot_watch *w, const char *text, size_t bytes);
void boot_watch_control(struct boot_watch *w, const char *text, size_t bytes);

/* Copy between terminal and guest until it ends. Kills `qemu` when time is up. Closes the wires. */
enum boot_end boot_relay(const struct boot_options *opt, struct boot_wires *wires, int qemu, struct boot_watch *w);

/* The emulator's argument vector: strings of its own. NULL: no memory. Freed by boot_free_arguments(). */
char **boot_arguments(const struct boot_options *opt, const struct boot_parts *parts, const struct boot_wires *far);
void boot_free_arguments(char **argv);

/* Run the guest; returns emt's exit status. */
int boot_guest(const struct boot_options *opt, const struct boot_parts *parts);

#endif
