/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt run and emt compare: machines under an input. Both are one session; compare has more machines in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/mm.h"
#include "machine/settings.h"
#include "report/report.h"

static void help_common(FILE *out) {
    fprintf(out,
            "INPUT:\n"
            "  -- PROGRAM ARG...         an unmodified x86-64 Linux program, simulated while it runs\n"
            "  --workload NAME[:key=value,...]\n"
            "                            a synthetic workload; see emt list workloads\n"
            "  --trace FILE              a trace: ChampSim (raw, .xz, .gz), Valgrind lackey, or emt record's\n\n"
            "MACHINE:\n"
            "  --machine M               a machine's name (emt list machines) or a YAML file; default: default\n"
            "  --set path=value          change one setting (emt list settings); may be repeated\n"
            "  --guest A --host B        a virtual machine: guest with architecture A, host with B, nested tables\n"
            "                            (--set virt.mode=shadow: shadow tables); guest.PATH and host.PATH set one "
            "side\n\n"
            "  --limit N                 stop after N loads and stores (20M, 1.5G); a live program goes on alone\n"
            "  --skip N                  statistics start after N loads and stores\n"
            "  --json FILE               write the results as JSON too (- is standard output)\n"
            "  --threads N               simulating threads; the results do not depend on it\n"
            "  --children WHAT           a live program's children: simulate (default) or ignore\n"
            "  --qemu PATH               the qemu-x86_64 to use for live programs\n"
            "  --quiet                   no progress line and no table\n\n"
            "The table goes to standard output, for a live program to standard error. The exit status is the\n"
            "program's own; 1 when the simulation failed, 2 when it was asked for in a way that makes no sense.\n"
            "Ctrl-C ends the run early; what was simulated until then is reported.\n");
}

static void help_run(FILE *out) {
    fprintf(out, "usage: emt run [--mmu A] [--machine M] [--set path=value]... [--json FILE] INPUT\n\n"
                 "Simulates one machine, with architecture A (emt list mmus), under INPUT.\n\n");
    help_common(out);
}

static void help_compare(FILE *out) {
    fprintf(out, "usage: emt compare --mmu A,B,... [--vary path=value,value...] [--machine M] ... INPUT\n\n"
                 "Simulates one machine for each architecture in one pass over INPUT; the first is the baseline.\n"
                 "--vary makes one of each for every value too, as in --vary os.thp.enabled=never,always\n\n");
    help_common(out);
}

static void help_contiguity(FILE *out) {
    fprintf(out,
            "usage: emt contiguity [--mmu A] [--vary path=value,value...] [--machine M] ... INPUT\n\n"
            "How contiguous physical memory is in the end under each placement policy: how many mappings cover\n"
            "90, 99 and 100 %% of what the first process has resident. Runs one machine for each policy, unless\n"
            "--vary os.placement=... names some; another --vary multiplies them, as in\n"
            "    emt contiguity --vary memory.fragmented=0,0.5 --workload gups:bytes=1G\n"
            "--set os.contiguity_every=N records it over time, for emt report.\n\n");
    help_common(out);
}

/* All policies, unless the command line says which. */
static void vary_policies(struct cli_options *opt) {
    static const char path[] = "os.placement=";

    for (unsigned i = 0; i < opt->nvary; i++)
        if (!strncmp(opt->vary[i], path, sizeof(path) - 1))
            return;
    for (unsigned i = 0; i < opt->nset; i++)
        if (!strncmp(opt->set[i], path, sizeof(path) - 1))
            return;
    if (opt->nvary < CLI_MAX_VARY)
        opt->vary[opt->nvary++] = "os.placement=default,eager,ranger,ca";
}

/* The architecture, the host's, and what varies. */
#define RUN_AXES (2 + CLI_MAX_VARY)

/* One choice on an axis of the comparison: an architecture, or a value of a setting that varies. */
struct axis {
    char *text;       /* copy that the pointers below point into */
    const char *path; /* "mmu", or the setting */
    const char *value[CLI_MAX_MACHINES];
    unsigned values;
};

static int axis_init(struct axis *a, const char *path, const char *values) {
    char *save;

    *a = (struct axis){.text = strdup(values), .path = path};
    if (!a->text)
        return -ENOMEM;
    if (!values[0])
        a->value[a->values++] = a->text;
    for (char *v = strtok_r(a->text, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
        if (a->values == CLI_MAX_MACHINES)
            return -E2BIG;
        a->value[a->values++] = v;
    }
    return a->values ? 0 : -EINVAL;
}

static int choose_mmu(struct emt_config *cfg, const char *name) {
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);
    const char *names[64];

    if (emt_arch_find(name)) {
        snprintf(cfg->mmu, sizeof(cfg->mmu), "%s", name);
        return 0;
    }
    for (unsigned i = 0; i < n && i < 64; i++)
        names[i] = all[i]->name;
    const char *near = settings_nearest(name, names, n < 64 ? n : 64);
    cli_error(CLI_USAGE, "--mmu %s: there is no such architecture%s%s%s; see emt list mmus", name,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return -ENOENT;
}

/* The description of machine number `index` of the product of all axes, and what to call it. */
static int describe(const struct cli_options *opt, const struct axis *axes, unsigned naxes, unsigned index,
                    struct emt_config *cfg, char label[64]) {
    char why[1024], varied[RUN_AXES][256], rest[64];
    const char *assignment[1 + CLI_MAX_SETS + RUN_AXES];
    const char *mmu = NULL;
    unsigned n = 0;

    settings_defaults(cfg);
    if (settings_load(cfg, opt->machine ? opt->machine : "default", why, sizeof(why)))
        return cli_error(-EINVAL, "%s", why);
    if (opt->host)
        assignment[n++] = "virt.mode=nested"; /* unless the user says what kind */
    for (unsigned i = 0; i < opt->nset; i++)
        assignment[n++] = opt->set[i];
    label[0] = '\0';
    for (unsigned i = naxes; i-- > 0; index /= axes[i].values) {
        const char *value = axes[i].value[index % axes[i].values];

        if (i == 0) {
            mmu = value;
        } else {
            snprintf(varied[i - 1], sizeof(varied[0]), "%s=%s", axes[i].path, value);
            assignment[n++] = varied[i - 1];
        }
        snprintf(rest, sizeof(rest), "%s", label);
        snprintf(label, 64, "%.30s%s%.30s", value[0] ? value : cfg->mmu, rest[0] ? " " : "", rest);
    }
    if (settings_apply(cfg, assignment, n, why, sizeof(why)))
        return cli_error(-EINVAL, "%s", why);
    return mmu[0] ? choose_mmu(cfg, mmu) : 0;
}

struct run {
    bool contiguity; /* emt contiguity */
    struct cli_options opt;
    struct session session;
    char label[CLI_MAX_MACHINES][64];
    struct axis axes[RUN_AXES];
    unsigned naxes;
};

static int add_host_axis(struct run *r) {
    char *path = strdup("host.mmu.name");

    if (path && !axis_init(&r->axes[r->naxes++], path, r->opt.host))
        return 0;
    free(path);
    r->axes[r->naxes - 1].path = NULL;
    return cli_error(-EINVAL, "--host %s: a list of 1 to %d architectures is wanted", r->opt.host,
                     CLI_MAX_MACHINES);
}

/* The axes of the comparison: --mmu first, then --host and each --vary. */
static int make_axes(struct run *r, bool several) {
    /* Without --mmu a single machine has the one that its description names. */
    const char *mmu = r->opt.mmu ? r->opt.mmu : "";

    if (several && !mmu[0] && !r->contiguity)
        return cli_error(-EINVAL, "compare: no --mmu A,B,...; see emt list mmus");
    if (!several && (strchr(mmu, ',') || (r->opt.host && strchr(r->opt.host, ',')) || r->opt.nvary))
        return cli_error(-EINVAL, "run: one machine only; several are compared by emt compare");
    if (axis_init(&r->axes[r->naxes++], "mmu", mmu))
        return cli_error(-EINVAL, "--mmu %s: a list of 1 to %d architectures is wanted", mmu, CLI_MAX_MACHINES);
    if (r->opt.host && add_host_axis(r))
        return -EINVAL;
    for (unsigned i = 0; i < r->opt.nvary; i++) {
        char *path = strdup(r->opt.vary[i]);
        char *equals = path ? strchr(path, '=') : NULL;

        if (!equals) {
            cli_error(CLI_USAGE, "--vary %s: path=value,value... is wanted", r->opt.vary[i]);
            free(path);
            return -EINVAL;
        }
        *equals = '\0';
        if (axis_init(&r->axes[r->naxes++], path, equals + 1))
            return cli_error(-EINVAL, "--vary %s: path=value,value... is wanted", r->opt.vary[i]);
    }
    return 0;
}

/* memory.ratio: memory as a multiple of what the workload needs, in whole 4 MiB for each node. */
static int size_memory(const struct cli_options *opt, struct emt_config *cfg) {
    const uint64_t unit = (4ull << 20) * cfg->memory.nodes;
    uint64_t data_bytes;
    char why[512] = "";

    if (cfg->memory.ratio <= 0)
        return 0;
    if (!opt->workload)
        return cli_error(-EINVAL,
                         "memory.ratio is %g, but how much memory this input needs is not known beforehand; "
                         "give memory.bytes, or os.limit.bytes, or a --workload",
                         cfg->memory.ratio);
    if (workload_footprint(opt->workload, &data_bytes, why, sizeof(why)))
        return cli_error(-EINVAL, "%s", why);
    double want = (double)data_bytes * cfg->memory.ratio / (double)unit;
    if (want > (double)((64ull << 40) / unit))
        return cli_error(-EINVAL, "memory.ratio is %g: more than 64 TiB of memory", cfg->memory.ratio);
    uint64_t units = (uint64_t)want + ((double)(uint64_t)want < want);
    cfg->memory.bytes = units * unit < 16ull << 20 ? 16ull << 20 : units * unit;
    return 0;
}

static int make_machines(struct run *r) {
    struct emt_config *cfg = malloc(sizeof(*cfg));
    unsigned n = 1;
    int err = cfg ? 0 : -ENOMEM;
    char why[512];

    for (unsigned i = 0; i < r->naxes; i++)
        n *= r->axes[i].values;
    if (n > CLI_MAX_MACHINES)
        err = cli_error(-E2BIG, "%u machines in one run; %d is the most", n, CLI_MAX_MACHINES);
    for (unsigned i = 0; !err && i < n; i++) {
        err = describe(&r->opt, r->axes, r->naxes, i, cfg, r->label[i]);
        if (!err)
            err = size_memory(&r->opt, cfg);
        if (err)
            break;
        err = machine_new(&r->session.machine[i], cfg, why, sizeof(why));
        if (err) {
            cli_error(CLI_USAGE, "%s", why);
            break;
        }
        r->session.machines++;
        machine_window(r->session.machine[i], r->opt.skip, r->opt.limit);
    }
    free(cfg);
    return err;
}

/* Why the run ended before its input did; "" when it did not. */
static void why_cut(const struct run *r, const struct ev_source *source, const struct machine *m, char *out,
                    size_t bytes) {
    if (r->session.interrupted)
        snprintf(out, bytes, "interrupted");
    else if (r->session.error[0])
        snprintf(out, bytes, "%s", r->session.error);
    else if (machine_trouble(m))
        snprintf(out, bytes, "%s", machine_trouble(m));
    else if (machine_done(m))
        snprintf(out, bytes, "--limit reached");
    else if (source->exit_status > 128)
        snprintf(out, bytes, "the program was ended by signal %d", source->exit_status - 128);
}

static int report(const struct run *r, const struct ev_source *source) {
    struct emt_result *results = calloc(r->session.machines, sizeof(*results));
    const struct emt_result *list[CLI_MAX_MACHINES];
    char why[512];
    int status = CLI_OK;

    if (!results)
        return cli_error(CLI_FAILED, "out of memory for the results");
    for (unsigned i = 0; i < r->session.machines; i++) {
        struct emt_result *e = &results[i];

        machine_result(r->session.machine[i], e);
        snprintf(e->label, sizeof(e->label), "%s", r->label[i]);
        snprintf(e->input, sizeof(e->input), "%s", source->what);
        snprintf(e->command, sizeof(e->command), "%s", r->opt.command);
        why_cut(r, source, r->session.machine[i], e->why_cut, sizeof(e->why_cut));
        e->cut_short = e->why_cut[0] != '\0';
        e->exit_status = source->exit_status;
        list[i] = e;
    }
    for (unsigned i = 0; i < r->session.machines; i++)
        if (machine_trouble(r->session.machine[i]))
            status = cli_error(CLI_FAILED, "%s: %s", results[i].label, results[i].why_cut);
    FILE *out = r->opt.program ? stderr : stdout;
    if (!r->opt.quiet && r->contiguity)
        cli_contiguity_table(out, list, r->session.machines);
    else if (!r->opt.quiet)
        report_terminal(out, list, r->session.machines, isatty(fileno(out)));
    if (fflush(out) || ferror(out))
        status = cli_error(CLI_FAILED, "the table cannot be written: %s", strerror(errno));
    if (r->opt.json && report_json(r->opt.json, list, r->session.machines, why, sizeof(why)))
        status = cli_error(CLI_FAILED, "%s", why);
    free(results);
    return status;
}

/* Open the input, run, report. Returns the exit status. */
static int simulate(struct run *r) {
    struct ev_source *source = cli_open_input(&r->opt);

    if (!source)
        return CLI_USAGE;
    r->session.source = source;
    for (unsigned i = 0; i < r->session.machines; i++)
        source->want_pc |= machine_wants_pc(r->session.machine[i]);
    r->session.threads = r->opt.threads;
    r->session.limit = r->opt.limit ? r->opt.limit + r->opt.skip : 0;
    r->session.quiet = r->opt.quiet;
    int err = session_run(&r->session);
    bool early = r->session.interrupted || r->session.all_done || err;
    if (r->opt.program && early)
        live_stop(source, !r->session.interrupted);
    /* A program that goes on alone is not waited for until its figures are out. */
    if (r->opt.program && !early)
        live_wait(source);
    int status = report(r, source);
    if (r->opt.program && early)
        live_wait(source);
    if (source->note[0] && !r->opt.quiet)
        fprintf(stderr, "emt: %s\n", source->note);
    if (err)
        status = cli_error(CLI_FAILED, "%s", r->session.error);
    if (!status)
        status = source->exit_status;
    source->close(source);
    return status;
}

static int run(int argc, char **argv, const char *command, void (*help)(FILE *)) {
    struct run *r = calloc(1, sizeof(*r));
    int status = CLI_USAGE;

    if (!r)
        return cli_error(CLI_FAILED, "out of memory");
    int stop = cli_parse(&r->opt, argc, argv, command, help);
    r->contiguity = help == help_contiguity;
    if (r->contiguity)
        vary_policies(&r->opt);
    if (stop)
        status = stop - 1;
    else if (!make_axes(r, help != help_run) && !make_machines(r))
        status = simulate(r);
    for (unsigned i = 0; i < r->session.machines; i++)
        machine_free(r->session.machine[i]);
    for (unsigned i = 0; i < r->naxes; i++) {
        free(r->axes[i].text);
        if (i > 0)
            free((char *)r->axes[i].path);
    }
    free(r);
    return status;
}

int cmd_run(int argc, char **argv) {
    return run(argc, argv, "run", help_run);
}

int cmd_contiguity(int argc, char **argv) {
    return run(argc, argv, "contiguity", help_contiguity);
}

int cmd_compare(int argc, char **argv) {
    return run(argc, argv, "compare", help_compare);
}
