/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt record: an input, written to a trace file with its mappings and OS events. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static void help(FILE *out) {
    fprintf(out,
            "usage: emt record -o FILE [--limit N] [--children simulate|ignore] INPUT\n\n"
            "Writes accesses, instruction fetches, mappings and OS events of INPUT to FILE, compressed and with\n"
            "checksums; every command reads it back with --trace FILE.\n\n"
            "INPUT:  -- PROGRAM ARG...  |  --workload NAME[:key=value,...]  |  --trace FILE\n"
            "  --limit N             stop after about N loads and stores (20M, 1.5G): at the end of a block\n"
            "  --children WHAT       a live program's children: simulate (default) or ignore\n"
            "  --quiet               no summary at the end\n");
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static uint64_t count_accesses(const struct ev_block *b) {
    uint64_t n = 0;

    for (uint32_t i = 0; i < b->words; i++) {
        unsigned kind = b->word[i] & EV_KIND_MASK;
        if (kind == EV_EVENT)
            i += ev_operands(b->word[i]);
        else if (kind != EV_FETCH) {
            n++;
            i += (b->word[i] & EV_HAS_PC) != 0;
        }
    }
    return n;
}

/* Copy blocks until the end. Returns 0, or an exit status. */
static int copy(struct ev_source *source, struct recorder *rec, const struct cli_options *opt, uint64_t *accesses,
                bool *cut) {
    const struct ev_block *b;
    char why[512];
    int more;

    while ((more = source->next(source, &b)) > 0) {
        int err = recorder_write(rec, b, why, sizeof(why));

        *accesses += count_accesses(b);
        source->release(source, b);
        if (err)
            return cli_error(CLI_FAILED, "%s", why);
        if (interrupted || (opt->limit && *accesses >= opt->limit)) {
            *cut = true;
            return 0;
        }
    }
    if (more < 0)
        return cli_error(CLI_FAILED, "%s", source->error);
    return 0;
}

/* Recording a trace onto itself would empty it before it is read. */
static bool same_file(const char *a, const char *b) {
    struct stat sa, sb;

    return a && b && stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int cmd_record(int argc, char **argv) {
    struct cli_options opt;
    struct recorder *rec;
    char why[512] = "";
    uint64_t accesses = 0;
    bool cut = false;
    int stop = cli_parse(&opt, argc, argv, "record", help);

    if (stop)
        return stop - 1;
    if (!opt.output)
        return cli_error(CLI_USAGE, "record: no -o FILE; see emt record --help");
    if (same_file(opt.output, opt.trace))
        return cli_error(CLI_USAGE, "record: %s is the input as well; give the recording another name", opt.output);
    struct ev_source *source = cli_open_input(&opt);
    if (!source)
        return CLI_USAGE;
    if (recorder_open(&rec, opt.output, source->what, why, sizeof(why))) {
        if (opt.program)
            live_stop(source, false);
        source->close(source);
        return cli_error(CLI_FAILED, "%s", why);
    }
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    source->want_pc = true;
    int status = copy(source, rec, &opt, &accesses, &cut);
    if (opt.program && (cut || status))
        live_stop(source, cut && !interrupted);
    if (opt.program)
        live_wait(source);
    int program = source->exit_status;
    if (recorder_close(rec, cut || status, why, sizeof(why)) && !status)
        status = cli_error(CLI_FAILED, "%s", why);
    if (!status && !opt.quiet)
        fprintf(stderr, "emt: %s: %.1f M loads and stores recorded%s\n", opt.output, (double)accesses / 1e6,
                cut ? ", cut short" : "");
    source->close(source);
    return status ? status : program;
}
