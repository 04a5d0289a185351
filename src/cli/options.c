/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Options that run, compare and record share, and opening the input they name. */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "machine/settings.h"

int cli_error(int status, const char *format, ...) {
    va_list args;

    fputs("emt: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

enum {
    OPT_MACHINE = 256,
    OPT_MMU,
    OPT_GUEST,
    OPT_HOST,
    OPT_SET,
    OPT_VARY,
    OPT_JSON,
    OPT_LIMIT,
    OPT_SKIP,
    OPT_THREADS,
    OPT_WORKLOAD,
    OPT_TRACE,
    OPT_CHILDREN,
    OPT_QEMU,
    OPT_QUIET,
};

static const struct option options[] = {
    {"machine", required_argument, NULL, OPT_MACHINE},
    {"mmu", required_argument, NULL, OPT_MMU},
    {"guest", required_argument, NULL, OPT_GUEST},
    {"host", required_argument, NULL, OPT_HOST},
    {"set", required_argument, NULL, OPT_SET},
    {"vary", required_argument, NULL, OPT_VARY},
    {"json", required_argument, NULL, OPT_JSON},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"skip", required_argument, NULL, OPT_SKIP},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"workload", required_argument, NULL, OPT_WORKLOAD},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"children", required_argument, NULL, OPT_CHILDREN},
    {"qemu", required_argument, NULL, OPT_QEMU},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* "100", "2.5M", "1G": a count, powers of 1000. */
static int parse_count(const char *name, const char *text, uint64_t *out) {
    char *end;
    double value = strtod(text, &end);
    static const struct {
        char suffix;
        double factor;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'G', 1e9}, {'T', 1e12}};

    if (end != text && *end)
        for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (*end == units[i].suffix && end[1] == '\0') {
                value *= units[i].factor;
                end++;
                break;
            }
    if (end == text || *end || !(value >= 0) || value > 9e18) {
        cli_error(CLI_USAGE, "--%s %s: a number of accesses is wanted, such as 500000, 20M or 1.5G", name, text);
        return -EINVAL;
    }
    *out = (uint64_t)value;
    return 0;
}

static int parse_children(const char *text, enum live_children *out) {
    if (strcmp(text, "simulate") == 0)
        *out = LIVE_CHILDREN_SIMULATE;
    else if (strcmp(text, "ignore") == 0)
        *out = LIVE_CHILDREN_IGNORE;
    else {
        cli_error(CLI_USAGE, "--children %s: it is 'simulate' or 'ignore'", text);
        return -EINVAL;
    }
    return 0;
}

static int add(const char **list, unsigned *n, unsigned room, const char *name, const char *value) {
    if (*n == room) {
        cli_error(CLI_USAGE, "more than %u times --%s", room, name);
        return -EINVAL;
    }
    list[(*n)++] = value;
    return 0;
}

static int parse_threads(const char *text, unsigned *out) {
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end || n < 1 || n > 256) {
        cli_error(CLI_USAGE, "--threads %s: a number from 1 to 256 is wanted", text);
        return -EINVAL;
    }
    *out = (unsigned)n;
    return 0;
}

static int take(struct cli_options *opt, int option, const char *value) {
    switch (option) {
    case OPT_MACHINE:
        opt->machine = value;
        return 0;
    case OPT_MMU:
        opt->mmu = value;
        return 0;
    case OPT_GUEST:
        if (opt->mmu)
            return cli_error(-EINVAL, "--guest %s: the guest's architecture was given already", value);
        opt->mmu = opt->guest = value;
        return 0;
    case OPT_HOST:
        opt->host = value;
        return 0;
    case OPT_SET:
        return add(opt->set, &opt->nset, CLI_MAX_SETS, "set", value);
    case OPT_VARY:
        return add(opt->vary, &opt->nvary, CLI_MAX_VARY, "vary", value);
    case OPT_JSON:
        opt->json = value;
        return 0;
    case 'o':
        opt->output = value;
        return 0;
    case OPT_LIMIT:
        return parse_count("limit", value, &opt->limit);
    case OPT_SKIP:
        return parse_count("skip", value, &opt->skip);
    case OPT_THREADS:
        return parse_threads(value, &opt->threads);
    case OPT_WORKLOAD:
        opt->workload = value;
        return 0;
    case OPT_TRACE:
        opt->trace = value;
        return 0;
    case OPT_CHILDREN:
        return parse_children(value, &opt->live.children);
    case OPT_QEMU:
        opt->live.qemu = value;
        return 0;
    case OPT_QUIET:
        opt->quiet = true;
        return 0;
    default:
        return -EINVAL;
    }
}

/* Does this word of the command line leave the results as they are? Then they do not name it. *words: with its
 * value. */
static bool leaves_results_alone(const char *word, int *words) {
    static const struct {
        const char *name;
        int words;
    } outputs[] = {{"--json", 2}, {"--threads", 2}, {"--output", 2}, {"-o", 2}, {"--quiet", 1}};

    for (unsigned i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        size_t n = strlen(outputs[i].name);

        *words = outputs[i].words;
        if (strcmp(word, outputs[i].name) == 0)
            return true;
        *words = 1;
        if (strncmp(word, outputs[i].name, n) == 0 && word[n] == '=')
            return true;
    }
    return false;
}

/* One word as one would type it: with other than plain characters it is quoted. */
static void quote_word(FILE *f, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,:/@%";
    bool simple = word[0] && strspn(word, plain) == strlen(word);

    fputs(simple ? " " : " '", f);
    for (const char *p = word; *p; p++)
        fputs(*p == '\'' ? "'\\''" : (char[]){*p, 0}, f);
    if (!simple)
        fputc('\'', f);
}

/* The command line that repeats the result, without what only says where it goes or how fast. */
static void quote_command(struct cli_options *opt, int argc, char **argv) {
    FILE *f = fmemopen(opt->command, sizeof(opt->command), "w");
    bool program = false;
    int words;

    if (!f)
        return;
    fputs("emt", f);
    for (int i = 0; i < argc; i += words) {
        words = 1;
        program |= strcmp(argv[i], "--") == 0;
        if (program || !leaves_results_alone(argv[i], &words))
            quote_word(f, argv[i]);
    }
    fclose(f);
    opt->command[sizeof(opt->command) - 1] = '\0';
}

int cli_parse(struct cli_options *opt, int argc, char **argv, const char *command, void (*help)(FILE *)) {
    int option;

    *opt = (struct cli_options){.live.children = LIVE_CHILDREN_SIMULATE};
    quote_command(opt, argc, argv);
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:o:h", options, NULL)) != -1) {
        if (option == 'h') {
            help(stdout);
            return CLI_OK + 1;
        }
        if (option == ':')
            return cli_error(CLI_USAGE, "%s: %s needs a value; see emt %s --help", command, argv[optind - 1],
                             command) +
                   1;
        if (option == '?') {
            const char *names[sizeof(options) / sizeof(options[0])];
            unsigned n = 0;
            for (const struct option *o = options; o->name; o++)
                names[n++] = o->name;
            const char *word = argv[optind - 1];
            const char *near = settings_nearest(word + strspn(word, "-"), names, n);
            return cli_error(CLI_USAGE, "%s: there is no option %s%s%s%s; see emt %s --help", command, word,
                             near ? "; did you mean --" : "", near ? near : "", near ? "?" : "", command) +
                   1;
        }
        if (take(opt, option, optarg))
            return CLI_USAGE + 1;
    }
    if (opt->guest && !opt->host)
        return cli_error(CLI_USAGE, "%s: --guest %s needs the host's architecture too, as in --host radix4",
                         command, opt->guest) +
               1;
    if (optind < argc) {
        if (strcmp(argv[optind - 1], "--") != 0)
            return cli_error(CLI_USAGE, "%s: what is '%s'? A program goes behind --, as in: emt %s -- %s", command,
                             argv[optind], command, argv[optind]) +
                   1;
        opt->program = argv + optind;
    }
    return 0;
}

struct ev_source *cli_open_input(const struct cli_options *opt) {
    struct ev_source *source = NULL;
    char why[1024] = "";
    int inputs = !!opt->program + !!opt->workload + !!opt->trace;
    int err;

    if (inputs != 1) {
        cli_error(CLI_USAGE,
                  inputs
                      ? "more than one input; choose one of -- PROGRAM, --workload NAME, --trace FILE"
                      : "no input; give one of -- PROGRAM ARG..., --workload NAME[:key=value,...], --trace FILE");
        return NULL;
    }
    if (opt->program)
        err = live_open(&source, opt->program, &opt->live, why, sizeof(why));
    else if (opt->workload)
        err = workload_open(&source, opt->workload, why, sizeof(why));
    else
        err = trace_open(&source, opt->trace, why, sizeof(why));
    if (err) {
        cli_error(CLI_USAGE, "%s", why);
        return NULL;
    }
    return source;
}
