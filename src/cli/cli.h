/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the commands share: options, opening an input, exit statuses, the run of a session. */
#ifndef EMT_CLI_CLI_H
#define EMT_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "input/event.h"
#include "input/input.h"
#include "machine/machine.h"

/* Exit statuses of `emt` itself; `emt run -- PROGRAM` ends with the program's own when nothing of ours failed. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_MAX_MACHINES 32
#define CLI_MAX_SETS     64
#define CLI_MAX_VARY     4

struct cli_options {
    const char *machine;
    const char *mmu; /* one name, or with `compare` several, separated by commas; --guest is another word for it */
    const char *guest; /* what --guest said */
    const char *host;  /* likewise: the architecture of the host of a virtual machine */
    const char *set[CLI_MAX_SETS];
    unsigned nset;
    const char *vary[CLI_MAX_VARY];
    unsigned nvary;
    const char *json, *output;
    const char *workload, *trace;
    char **program; /* argv of a live program, or NULL */
    uint64_t limit, skip;
    unsigned threads; /* simulating threads; 0: as many as machines and CPUs allow */
    bool quiet;
    struct live_options live;
    char command[512]; /* this command line, for the results */
};

/* "emt: " and a message on stderr; returns `status`. */
int cli_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parse what run, compare and record have in common. 0, or an exit status + 1 (so that --help can end with 0). */
int cli_parse(struct cli_options *opt, int argc, char **argv, const char *command, void (*help)(FILE *));
/* Open the input that the options name. NULL after a message. */
struct ev_source *cli_open_input(const struct cli_options *opt);

/* A session: one source, any number of machines, each sees every block in order. */
struct session {
    struct ev_source *source;
    struct machine *machine[CLI_MAX_MACHINES];
    unsigned machines;
    unsigned threads;
    uint64_t limit; /* for the progress line; the machines know theirs */
    bool quiet;
    /* out */
    bool interrupted; /* Ctrl-C */
    bool all_done;    /* every machine reached its limit */
    char error[512];  /* of the source or of a machine; "" when none */
};
/* 0, or negative when the input was bad; what was simulated until then stands either way. */
int session_run(struct session *s);

/* emt contiguity's table: a line for each result. */
void cli_contiguity_table(FILE *out, const struct emt_result *const *results, unsigned n);

/* The commands. */
int cmd_contiguity(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_new_mmu(int argc, char **argv);
int cmd_boot(int argc, char **argv);

#endif
