/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Options of emt boot, and what of them makes no sense together. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot/boot.h"
#include "cli/cli.h"
#include "core/mm.h"
#include "machine/settings.h"

#define MEMORY_LEAST    (128ull << 20)
#define MEMORY_DEFAULT  (1ull << 30)
#define MEASURED_MOST   (3ull << 30)
#define LIMIT_DEFAULT_S 600

static void help(FILE *out) {
    fprintf(
        out,
        "usage: emt boot [--mmu A] [--smp N] [--memory SIZE] [--add FILE[:PATH]]... [-- COMMAND ARG...]\n\n"
        "Boots a real Linux 6.1 on an emulated processor whose page tables are walked by the walker of\n"
        "architecture A, and runs COMMAND in it; without one, a shell (Ctrl-] ends the guest). The first time\n"
        "it gets and builds QEMU and Linux, which takes some minutes; after that it starts at once.\n\n"
        "  --mmu A             radix4 (default) or radix5: an unmodified kernel knows these alone\n"
        "  --kernel K          vanilla (default); emt: patched, so that it runs on architectures it has a driver "
        "for\n"
        "  --smp N             CPUs; default 1\n"
        "  --memory SIZE       the guest's memory, such as 512M or 4G; default 1G\n"
        "  --add FILE[:PATH]   put a file or folder into the guest, by default under the path that it has here;\n"
        "                      a program brings its libraries along. May be repeated\n"
        "  --disk IMAGE        an ext4 file system image, mounted on /mnt\n"
        "  --time SECONDS      the guest is stopped after so long (status 124); default 600, for a shell never\n"
        "  --icount            one instruction takes one nanosecond: the guest's time does not depend on the host\n"
        "  --walker W          emt (default), or qemu: QEMU's own walker, to compare with\n"
        "  --append WORDS      add to the kernel's command line\n"
        "  --verbose           show the kernel's messages\n"
        "  --gdb SOCKET        a debugger may attach: gdb -ex 'target remote SOCKET'\n"
        "  --monitor SOCKET    QEMU's monitor, for info tlb and info mem: socat - UNIX:SOCKET\n"
        "  --linux-source TREE, --qemu-source TREE\n"
        "                      build these instead of the distribution's sources (Linux 6.1, QEMU 7.2)\n"
        "  --build-only        get and build all that is needed, and boot nothing\n\n"
        "  --measure           feed every access of user and kernel into the machine's models while it runs\n"
        "  --machine M, --set path=value\n"
        "                      which machine, as in emt run\n"
        "  --json FILE         write the results as JSON too (- is standard output)\n"
        "  --folded FILE       write the kernel's stacks with their instructions, one a line (flame graphs)\n"
        "  --quiet             no table\n\n"
        "What is built is kept in $EMT_CACHE, $XDG_CACHE_HOME/emt or ~/.cache/emt. COMMAND's output goes to\n"
        "standard output and standard error, and its exit status is that of emt boot; 124: time limit, 125: the\n"
        "kernel panicked or the emulator ended, 1: it could not be started, 2: it makes no sense.\n");
}

enum {
    OPT_MMU = 256,
    OPT_KERNEL,
    OPT_SMP,
    OPT_MEMORY,
    OPT_ADD,
    OPT_DISK,
    OPT_TIME,
    OPT_ICOUNT,
    OPT_WALKER,
    OPT_APPEND,
    OPT_VERBOSE,
    OPT_GDB,
    OPT_MONITOR,
    OPT_LINUX,
    OPT_QEMU,
    OPT_BUILD_ONLY,
    OPT_MEASURE,
    OPT_MACHINE,
    OPT_SET,
    OPT_JSON,
    OPT_FOLDED,
    OPT_QUIET,
};

static const struct option options[] = {
    {"mmu", required_argument, NULL, OPT_MMU},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"smp", required_argument, NULL, OPT_SMP},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"add", required_argument, NULL, OPT_ADD},
    {"disk", required_argument, NULL, OPT_DISK},
    {"time", required_argument, NULL, OPT_TIME},
    {"icount", no_argument, NULL, OPT_ICOUNT},
    {"walker", required_argument, NULL, OPT_WALKER},
    {"append", required_argument, NULL, OPT_APPEND},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"gdb", required_argument, NULL, OPT_GDB},
    {"monitor", required_argument, NULL, OPT_MONITOR},
    {"linux-source", required_argument, NULL, OPT_LINUX},
    {"qemu-source", required_argument, NULL, OPT_QEMU},
    {"build-only", no_argument, NULL, OPT_BUILD_ONLY},
    {"measure", no_argument, NULL, OPT_MEASURE},
    {"machine", required_argument, NULL, OPT_MACHINE},
    {"set", required_argument, NULL, OPT_SET},
    {"json", required_argument, NULL, OPT_JSON},
    {"folded", required_argument, NULL, OPT_FOLDED},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A number in a range; -EINVAL after a message. */
static int parse_number(const char *name, const char *text, unsigned least, unsigned most, unsigned *out) {
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (end == text || *end || text[0] == '-' || n < least || n > most) {
        cli_error(CLI_USAGE, "--%s %s: a number from %u to %u is wanted", name, text, least, most);
        return -EINVAL;
    }
    *out = (unsigned)n;
    return 0;
}

static int parse_memory(const char *text, uint64_t *out) {
    if (settings_parse_bytes(text, out) || *out % (1u << 20)) {
        cli_error(CLI_USAGE, "--memory %s: a size in whole MiB is wanted, such as 512M or 4G", text);
        return -EINVAL;
    }
    if (*out < MEMORY_LEAST) {
        cli_error(CLI_USAGE, "--memory %s: the guest does not boot with less than 128M", text);
        return -EINVAL;
    }
    return 0;
}

/* One of two words; -EINVAL after a message. */
static int parse_word(const char *name, const char *text, const char *first, const char *second, unsigned *out) {
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
        cli_error(CLI_USAGE, "--%s %s: it is '%s' or '%s'", name, text, first, second);
        return -EINVAL;
    }
    *out = strcmp(text, second) == 0;
    return 0;
}

static int take_source(const char *name, const char *text, const char **out) {
    if (access(text, R_OK | X_OK) != 0) {
        cli_error(CLI_USAGE, "--%s %s: %s", name, text, strerror(errno));
        return -EINVAL;
    }
    *out = text;
    return 0;
}

/* A comma would begin another of QEMU's options. */
static int take_socket(const char *name, const char *text, const char **out) {
    struct sockaddr_un address;

    if (!text[0] || strchr(text, ',') || strlen(text) >= sizeof(address.sun_path)) {
        cli_error(CLI_USAGE, "--%s %s: the path of a socket is wanted, up to %zu characters, without a comma", name,
                  text, sizeof(address.sun_path) - 1);
        return -EINVAL;
    }
    *out = text;
    return 0;
}

static int take(struct boot_options *opt, int option, const char *value) {
    unsigned word = 0;
    int err = 0;

    switch (option) {
    case OPT_MMU:
        opt->mmu = value;
        return 0;
    case OPT_KERNEL:
        err = parse_word("kernel", value, "vanilla", "emt", &word);
        opt->kernel = word ? BOOT_EMT : BOOT_VANILLA;
        return err;
    case OPT_SMP:
        return parse_number("smp", value, 1, BOOT_MAX_CPUS, &opt->cpus);
    case OPT_MEMORY:
        return parse_memory(value, &opt->memory_bytes);
    case OPT_ADD:
        if (opt->nadd == BOOT_MAX_ADDS) {
            cli_error(CLI_USAGE, "more than %d times --add", BOOT_MAX_ADDS);
            return -EINVAL;
        }
        opt->add[opt->nadd++] = value;
        return 0;
    case OPT_DISK:
        opt->disk = value;
        return 0;
    case OPT_TIME:
        return parse_number("time", value, 1, 1000000, &opt->limit_seconds);
    case OPT_ICOUNT:
        opt->icount = true;
        return 0;
    case OPT_WALKER:
        err = parse_word("walker", value, "emt", "qemu", &word);
        opt->walker = word ? BOOT_WALKER_QEMU : BOOT_WALKER_EMT;
        return err;
    case OPT_APPEND:
        opt->append = value;
        return 0;
    case OPT_VERBOSE:
        opt->verbose = true;
        return 0;
    case OPT_GDB:
        return take_socket("gdb", value, &opt->gdb);
    case OPT_MONITOR:
        return take_socket("monitor", value, &opt->monitor);
    case OPT_LINUX:
        return take_source("linux-source", value, &opt->linux_source);
    case OPT_QEMU:
        return take_source("qemu-source", value, &opt->qemu_source);
    case OPT_MEASURE:
        opt->measure = true;
        return 0;
    case OPT_MACHINE:
        opt->machine = value;
        return 0;
    case OPT_SET:
        if (opt->nset == BOOT_MAX_SETS) {
            cli_error(CLI_USAGE, "more than %d times --set", BOOT_MAX_SETS);
            return -EINVAL;
        }
        opt->set[opt->nset++] = value;
        return 0;
    case OPT_JSON:
        opt->json = value;
        return 0;
    case OPT_FOLDED:
        opt->folded = value;
        return 0;
    case OPT_QUIET:
        opt->quiet = true;
        return 0;
    case OPT_BUILD_ONLY:
        opt->build_only = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int check_mmu(const struct boot_options *opt) {
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);
    const char *names[64];

    if (!emt_arch_find(opt->mmu)) {
        for (unsigned i = 0; i < n && i < 64; i++)
            names[i] = all[i]->name;
        const char *near = settings_nearest(opt->mmu, names, n < 64 ? n : 64);
        return cli_error(CLI_USAGE, "--mmu %s: there is no such architecture%s%s%s; see emt list mmus", opt->mmu,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (opt->kernel == BOOT_VANILLA && !boot_conventional(opt))
        return cli_error(
            CLI_USAGE,
            "--mmu %s: an unmodified kernel writes radix tables alone; take --mmu radix4 or radix5, or "
            "--kernel emt",
            opt->mmu);
    return CLI_OK;
}

static int check_measurement(const struct boot_options *opt) {
    const char *only = opt->json      ? "json"
                       : opt->folded  ? "folded"
                       : opt->machine ? "machine"
                       : opt->nset    ? "set"
                                      : NULL;
    if (only && !opt->measure)
        return cli_error(CLI_USAGE, "--%s says how to measure; add --measure", only);
    if (opt->measure && !opt->command)
        return cli_error(CLI_USAGE, "--measure: what? A command goes behind --, as in: emt boot --measure -- ls");
    if (opt->measure && opt->memory_bytes > MEASURED_MOST)
        return cli_error(CLI_USAGE,
                         "--measure: a guest of up to 3G, whose memory lies in one piece, can be measured");
    if (opt->measure && opt->walker == BOOT_WALKER_QEMU)
        return cli_error(CLI_USAGE, "--walker qemu is to compare with; it is not measured");
    return CLI_OK;
}

/* What goes together? */
static int check(const struct boot_options *opt) {
    int status = check_measurement(opt);

    if (status)
        return status;
    if (opt->icount && opt->cpus > 1)
        return cli_error(CLI_USAGE, "--icount: one CPU only, not --smp %u", opt->cpus);
    if (opt->disk && access(opt->disk, R_OK | W_OK) != 0)
        return cli_error(CLI_USAGE, "--disk %s: %s", opt->disk, strerror(errno));
    for (unsigned i = 0; i < opt->nadd; i++) {
        char file[PATH_MAX];

        snprintf(file, sizeof(file), "%.*s", (int)strcspn(opt->add[i], ":"), opt->add[i]);
        if (access(file, R_OK) != 0)
            return cli_error(CLI_USAGE, "--add %s: %s: %s", opt->add[i], file, strerror(errno));
    }
    return check_mmu(opt);
}

static int unknown(const char *word) {
    const char *names[sizeof(options) / sizeof(options[0])];
    unsigned n = 0;

    for (const struct option *o = options; o->name; o++)
        names[n++] = o->name;
    const char *near = settings_nearest(word + strspn(word, "-"), names, n);
    return cli_error(CLI_USAGE, "boot: there is no option %s%s%s%s; see emt boot --help", word,
                     near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

int boot_parse(struct boot_options *opt, int argc, char **argv) {
    int option;

    *opt = (struct boot_options){.mmu = "radix4", .cpus = 1, .memory_bytes = MEMORY_DEFAULT};
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        if (option == 'h') {
            help(stdout);
            return CLI_OK + 1;
        }
        if (option == ':')
            return cli_error(CLI_USAGE, "boot: %s needs a value; see emt boot --help", argv[optind - 1]) + 1;
        if (option == '?')
            return unknown(argv[optind - 1]) + 1;
        if (take(opt, option, optarg))
            return CLI_USAGE + 1;
    }
    if (optind < argc) {
        if (strcmp(argv[optind - 1], "--") != 0)
            return cli_error(CLI_USAGE, "boot: what is '%s'? A command goes behind --, as in: emt boot -- %s",
                             argv[optind], argv[optind]) +
                   1;
        opt->command = argv + optind;
        if (!opt->limit_seconds)
            opt->limit_seconds = LIMIT_DEFAULT_S;
    }
    int status = check(opt);
    return status ? status + 1 : 0;
}
