/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt list: what there is to choose from. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/mm.h"
#include "machine/settings.h"

static void help(FILE *out) {
    fprintf(out, "usage: emt list [mmus|machines|workloads|settings]\n\n"
                 "  mmus       translation architectures, for --mmu\n"
                 "  machines   machine descriptions, for --machine\n"
                 "  workloads  synthetic workloads with their keys, for --workload\n"
                 "  settings   every setting with type, unit, range, default and meaning, for --set\n\n"
                 "Without a word, the first three.\n");
}

static void list_mmus(void) {
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);

    for (unsigned i = 0; i < n; i++)
        printf("  %-18s %s\n", all[i]->name, all[i]->summary);
}

static void print_machine(void *ctx, const char *name, const char *about, const char *path) {
    (void)ctx;
    (void)path;
    printf("  %-18s %s\n", name, about);
}

int cmd_list(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    bool all = what[0] == '\0';

    if (argc > 2)
        return cli_error(CLI_USAGE, "list: one word at most; see emt list --help");
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
        help(stdout);
        return CLI_OK;
    }
    static const char *const words[] = {"mmus", "machines", "workloads", "settings"};
    bool known = all;
    for (unsigned i = 0; i < 4; i++)
        known |= strcmp(what, words[i]) == 0;
    if (!known) {
        const char *near = settings_nearest(what, words, 4);
        return cli_error(CLI_USAGE,
                         "list: there are no '%s'%s%s%s; it is one of mmus, machines, workloads, settings", what,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (all)
        puts("mmus:");
    if (all || strcmp(what, "mmus") == 0)
        list_mmus();
    if (all)
        puts("machines:");
    if (all || strcmp(what, "machines") == 0)
        settings_machines(print_machine, NULL);
    if (all)
        puts("workloads:");
    if (all || strcmp(what, "workloads") == 0)
        workload_list(stdout);
    if (strcmp(what, "settings") == 0)
        settings_list(stdout);
    if (fflush(stdout) || ferror(stdout))
        return cli_error(CLI_FAILED, "standard output: cannot be written");
    return CLI_OK;
}
