/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The command `emt`: finds the sub-command and hands over. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "machine/settings.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {"run", cmd_run, "simulate one machine under a program, a workload or a trace"},
    {"compare", cmd_compare, "simulate several machines in one pass and put them side by side"},
    {"contiguity", cmd_contiguity, "how contiguous physical memory is under each placement policy"},
    {"explain", cmd_explain, "show every step of a page-table walk"},
    {"list", cmd_list, "list the architectures, machines, workloads or settings there are"},
    {"record", cmd_record, "write an input to a compact trace file"},
    {"report", cmd_report, "make an HTML page of results"},
    {"check", cmd_check, "prove architectures: the conformance kit"},
    {"new-mmu", cmd_new_mmu, "begin an architecture"},
    {"boot", cmd_boot, "boot a real Linux on an emulated MMU"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *out) {
    fprintf(out, "usage: emt COMMAND ...\n\n"
                 "What address translation costs, in hardware and in the operating system.\n\n");
    for (unsigned i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\n  emt COMMAND --help    the options of a command\n"
                 "  emt --version\n\n"
                 "A first look:  emt compare --mmu radix4,radix5 -- ls -l /usr/bin\n");
}

int main(int argc, char **argv) {
    const char *names[COMMANDS];

    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("emt " EMT_VERSION);
        return CLI_OK;
    }
    for (unsigned i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    const char *near = settings_nearest(argv[1], names, COMMANDS);
    return cli_error(CLI_USAGE, "there is no command '%s'%s%s%s; see emt --help", argv[1],
                     near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}
