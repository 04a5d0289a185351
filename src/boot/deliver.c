/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Between emt and its plugin in the emulator: a description one way, results the other, in the run's folder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/paths.h"
#include "cli/cli.h"
#include "machine/settings.h"

/* Beside this program in a build folder, or where it is installed. */
static int find_plugin(char out[PATH_MAX]) {
    char self[PATH_MAX - 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(out, PATH_MAX, "%s/src/boot/plugin/emt-boot-plugin.so", self);
        if (access(out, R_OK) == 0)
            return CLI_OK;
    }
    snprintf(out, PATH_MAX, "%s", EMT_BOOT_PLUGIN);
    if (access(out, R_OK) == 0)
        return CLI_OK;
    out[0] = '\0';
    return cli_error(CLI_FAILED, "--measure: there is no %s; emt is not built or not installed as a whole",
                     EMT_BOOT_PLUGIN);
}

/* What is wrong with the machine is said before anything boots. */
static int check_machine(const struct boot_options *opt) {
    struct emt_config *cfg = malloc(sizeof(*cfg));
    char why[1024];
    int status = CLI_OK;

    if (!cfg)
        return cli_error(CLI_FAILED, "out of memory");
    settings_defaults(cfg);
    if (settings_load(cfg, opt->machine ? opt->machine : "default", why, sizeof(why)) ||
        settings_apply(cfg, opt->set, opt->nset, why, sizeof(why)))
        status = cli_error(CLI_USAGE, "%s", why);
    else if (opt->cpus > CFG_MAX_CORES)
        status = cli_error(CLI_USAGE, "--smp %u: up to %d CPUs can be measured", opt->cpus, CFG_MAX_CORES);
    else if (cfg->software_tlb || cfg->predictor != CFG_NO_PREDICTOR)
        status = cli_error(CLI_USAGE, "--measure: %s of this machine is not modelled under a guest",
                           cfg->software_tlb ? "mmu.software_tlb" : "mmu.predictor");
    free(cfg);
    return status;
}

int boot_describe_measurement(const struct boot_options *opt, struct boot_parts *parts) {
    char path[PATH_MAX + 16], machine[PATH_MAX];
    int status = find_plugin(parts->plugin);

    if (!status)
        status = check_machine(opt);
    if (status) {
        parts->plugin[0] = '\0';
        return status;
    }
    snprintf(path, sizeof(path), "%s/measure", parts->run);
    FILE *f = fopen(path, "we");
    if (!f)
        return cli_error(CLI_FAILED, "boot: %s cannot be written: %s", path, strerror(errno));
    /* A file keeps its meaning if the emulator should run elsewhere. */
    const char *name = opt->machine ? opt->machine : "default";
    fprintf(f, "machine=%s\n", strchr(name, '/') && realpath(name, machine) ? machine : name);
    for (unsigned i = 0; i < opt->nset; i++)
        fprintf(f, "set=%s\n", opt->set[i]);
    fprintf(f, "cpus=%u\nprofile=1\nsymbols=%s\n", opt->cpus, parts->symbols);
    fprintf(f, "json=%s/result.json\ntable=%s/table\nfolded=%s/folded\n", parts->run, parts->run, parts->run);
    fprintf(f, "input=");
    for (char **word = opt->command; *word; word++)
        fprintf(f, "%s%s", word == opt->command ? "" : " ", *word);
    fprintf(f, "\ncommand=%s\n", opt->line);
    return fclose(f) ? cli_error(CLI_FAILED, "boot: %s cannot be written: %s", path, strerror(errno)) : CLI_OK;
}

/* One of the plugin's files to a path, "-" or a stream. */
static int copy(const struct boot_parts *parts, const char *name, const char *path, FILE *stream) {
    char from[PATH_MAX + 16], text[16384];
    size_t n;

    snprintf(from, sizeof(from), "%s/%s", parts->run, name);
    FILE *in = fopen(from, "re"), *out = stream;
    if (!in)
        return cli_error(CLI_FAILED, "boot: there are no results: the guest ended before it was measured");
    if (!out)
        out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    while (out && (n = fread(text, 1, sizeof(text), in)) > 0)
        fwrite(text, 1, n, out);
    bool bad = !out || ferror(in) || fflush(out) || ferror(out);
    fclose(in);
    if (out && out != stdout && out != stream)
        bad |= fclose(out) != 0;
    return bad ? cli_error(CLI_FAILED, "%s cannot be written: %s", path, strerror(errno)) : CLI_OK;
}

int boot_deliver_measurement(const struct boot_options *opt, const struct boot_parts *parts) {
    int status = opt->quiet ? CLI_OK : copy(parts, "table", "the table", stderr);

    if (!status && opt->json)
        status = copy(parts, "result.json", opt->json, NULL);
    if (!status && opt->folded)
        status = copy(parts, "folded", opt->folded, NULL);
    return status;
}
