/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt check: the conformance kit, over any or all architectures. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "check/costs.h"
#include "cli/cli.h"
#include "machine/settings.h"

#define DEFAULT_OPS 200000

static void help(FILE *out) {
    fprintf(
        out,
        "usage: emt check [--ops N] [--seed S] [--only PART] [ARCH...]\n"
        "       emt check ARCH --replay FILE\n"
        "       emt check --costs [--json FILE] [ARCH...]\n\n"
        "Proves architectures: random operations against an oracle, walks, flushes, allocation failures, walkers\n"
        "in other threads. Without ARCH, all that there are (emt list mmus).\n"
        "  --ops N        random operations of the first part, as 200000 or 10M; the others take a share of it.\n"
        "                 Default %d\n"
        "  --seed S       another choice of random operations; default 1\n"
        "  --only PART    sequences, basic, flushes, memory or threads; may be repeated\n"
        "  --replay FILE  run a program that an earlier report printed, in this process; - is standard input\n"
        "  --costs        instead: what each operation costs, beside radix4; --json FILE writes it as JSON (-: "
        "standard\n"
        "                 output, without the table)\n"
        "  --no-shrink    report the first failing program as it is, without making it short\n"
        "  --in-process   no process of its own for each program, for a debugger\n\n"
        "Exit status: 0 all is well, 1 something was found, 2 a call that makes no sense.\n",
        DEFAULT_OPS);
}

struct arguments {
    struct check_options options;
    const char *replay, *json;
    bool costs;
};

static int parse_number(const char *name, const char *text, uint64_t *out) {
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 0);
    uint64_t factor = *end == 'K' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    if (errno || end == text || text[0] == '-' || end[factor > 1] || *out > ~0ull / factor)
        return cli_error(CLI_USAGE, "check: %s %s: a number is wanted, such as 200000 or 10M", name, text);
    *out *= factor;
    return CLI_OK;
}

static int parse_part(const char *text, unsigned *parts) {
    const char *names[CHECK_PARTS];

    for (unsigned i = 0; i < CHECK_PARTS; i++) {
        names[i] = check_part_name((enum check_part)i);
        if (strcmp(text, names[i]) == 0) {
            *parts |= 1u << i;
            return CLI_OK;
        }
    }
    const char *near = settings_nearest(text, names, CHECK_PARTS);
    return cli_error(CLI_USAGE, "check: there is no part '%s'%s%s%s; see emt check --help", text,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}

/* 0, or an exit status + 1. */
static int parse(int argc, char **argv, struct arguments *a) {
    enum { OPS = 256, SEED, ONLY, REPLAY, NO_SHRINK, IN_PROCESS, COSTS_ONLY, JSON };
    static const struct option options[] = {
        {"ops", required_argument, NULL, OPS},
        {"seed", required_argument, NULL, SEED},
        {"only", required_argument, NULL, ONLY},
        {"replay", required_argument, NULL, REPLAY},
        {"no-shrink", no_argument, NULL, NO_SHRINK},
        {"in-process", no_argument, NULL, IN_PROCESS},
        {"costs", no_argument, NULL, COSTS_ONLY},
        {"json", required_argument, NULL, JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, status = CLI_OK;

    optind = 1;
    opterr = 0;
    while (!status && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == OPS)
            status = parse_number("--ops", optarg, &a->options.ops);
        else if (option == SEED)
            status = parse_number("--seed", optarg, &a->options.seed);
        else if (option == ONLY)
            status = parse_part(optarg, &a->options.parts);
        else if (option == REPLAY)
            a->replay = optarg;
        else if (option == COSTS_ONLY)
            a->costs = true;
        else if (option == JSON)
            a->json = optarg;
        else if (option == NO_SHRINK)
            a->options.no_shrink = true;
        else if (option == IN_PROCESS)
            a->options.in_process = true;
        else if (option == 'h')
            return help(stdout), CLI_OK + 1;
        else
            status = cli_error(CLI_USAGE,
                               option == ':' ? "check: %s needs a value; see emt check --help"
                                             : "check: there is no option %s; see emt check --help",
                               argv[optind - 1]);
    }
    return status ? status + 1 : 0;
}

static const struct emt_arch *find(const char *name) {
    const struct emt_arch *arch = emt_arch_find(name);

    if (!arch)
        cli_error(CLI_USAGE, "check: there is no architecture '%s'; see emt list mmus", name);
    return arch;
}

static int replay(const struct emt_arch *arch, const char *path) {
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char why[256] = "";

    if (!in)
        return cli_error(CLI_USAGE, "check: %s: %s", path, strerror(errno));
    int err = check_replay(arch, in, stdout, why);
    if (in != stdin)
        fclose(in);
    if (err < 0)
        return cli_error(CLI_USAGE, "check: %s: %s", path, why[0] ? why : strerror(-err));
    return err ? CLI_FAILED : CLI_OK;
}

/* radix4 first, and then those that were asked for. */
static int costs(const struct emt_arch *const *wanted, unsigned n, const char *json) {
    struct costs *all = calloc(n + 1, sizeof(*all));
    int status = CLI_OK;
    unsigned k = 0;

    if (!all)
        return cli_error(CLI_FAILED, "check: %s", strerror(ENOMEM));
    for (unsigned i = 0; i <= n; i++) {
        const struct emt_arch *arch = i ? wanted[i - 1] : emt_arch_find("radix4");
        if (i && strcmp(arch->name, "radix4") == 0)
            continue;
        int err = costs_measure(arch, &all[k++]);
        if (err)
            status = cli_error(CLI_FAILED, "check: %s: the scene was not played to its end: %s; see emt check %s",
                               arch->name, strerror(-err), arch->name);
    }
    if (!json || strcmp(json, "-") != 0)
        costs_print(stdout, all, k);
    FILE *out = !json ? NULL : strcmp(json, "-") == 0 ? stdout : fopen(json, "w");
    if (out)
        costs_json(out, all, k);
    if ((json && !out) || (out && out != stdout && fclose(out)) || fflush(stdout))
        status = cli_error(CLI_FAILED, "check: %s: %s", json ? json : "standard output", strerror(errno));
    free(all);
    return status;
}

static int check_one(const struct emt_arch *arch, const struct check_options *options, bool *failed) {
    struct check_report report;
    int err = check_arch(arch, options, &report);

    if (err)
        return cli_error(CLI_FAILED, "check: %s: %s", arch->name, strerror(-err));
    check_report_print(stdout, arch, &report);
    fflush(stdout);
    *failed |= report.failed;
    check_report_fini(&report);
    return CLI_OK;
}

int cmd_check(int argc, char **argv) {
    struct arguments a = {.options = {.ops = DEFAULT_OPS, .seed = 1}};
    bool failed = false;
    int status = parse(argc, argv, &a);

    if (status)
        return status - 1;
    if (!a.options.parts)
        a.options.parts = (1u << CHECK_PARTS) - 1;
    if (isatty(STDERR_FILENO))
        a.options.progress = stderr;
    if (argc - optind > CLI_MAX_MACHINES)
        return cli_error(CLI_USAGE, "check: more than %d architectures", CLI_MAX_MACHINES);
    for (int i = optind; i < argc; i++)
        if (!find(argv[i]))
            return CLI_USAGE;
    if (a.json && !a.costs)
        return cli_error(CLI_USAGE, "check: --json goes with --costs");
    if (a.replay)
        return argc - optind == 1 ? replay(find(argv[optind]), a.replay)
                                  : cli_error(CLI_USAGE, "check: --replay takes one architecture");
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);
    const struct emt_arch *named[CLI_MAX_MACHINES];
    if (optind < argc) {
        for (n = 0; (int)n < argc - optind; n++)
            named[n] = find(argv[optind + (int)n]);
        all = named;
    }
    if (a.costs)
        return costs(all, n, a.json);
    a.options.of = n;
    for (unsigned i = 0; !status && i < n; i++) {
        a.options.number = i + 1;
        status = check_one(all[i], &a.options, &failed);
    }
    return status ? status : failed ? CLI_FAILED : CLI_OK;
}
