/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt boot: a real Linux on an emulated MMU of ours. */
#include "boot/boot.h"
#include "cli/cli.h"

#include <stdlib.h>

int cmd_boot(int argc, char **argv) {
    struct boot_options *opt = calloc(1, sizeof(*opt));
    struct boot_parts *parts = calloc(1, sizeof(*parts));
    int status = CLI_FAILED;

    if (!opt || !parts) {
        cli_error(CLI_FAILED, "out of memory");
        goto out;
    }
    int stop = boot_parse(opt, argc, argv);
    if (stop) {
        status = stop - 1;
        goto out;
    }
    status = boot_prepare(opt, parts);
    if (!status && opt->measure)
        status = boot_describe_measurement(opt, parts);
    if (!status && !opt->build_only)
        status = boot_guest(opt, parts);
    /* An ended guest has results, whatever its command's status. */
    if (opt->measure && !opt->build_only && parts->plugin[0]) {
        int delivered = boot_deliver_measurement(opt, parts);
        status = status ? status : delivered;
    }
    boot_discard(parts);
out:
    free(parts);
    free(opt);
    return status;
}
