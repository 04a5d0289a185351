/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* emt report: an HTML page of results. */
#include "cli/cli.h"
#include "report/report.h"

#include <string.h>

static void help(FILE *out) {
    fprintf(out,
            "usage: emt report -o FILE.html RESULT.json...\n\n"
            "Puts the results of `emt run --json` and `emt compare --json` side by side in one HTML file that\n"
            "needs nothing from outside. The first result is the baseline.\n");
}

int cmd_report(int argc, char **argv) {
    const char *output = NULL;
    char why[1024] = "";
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(stdout);
            return CLI_OK;
        }
        if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc)
            output = argv[++i];
        else
            return cli_error(CLI_USAGE, "report: '%s' is no option, or lacks its value; see emt report --help",
                             argv[i]);
    }
    if (!output || i == argc)
        return cli_error(CLI_USAGE, "report: %s; the usage is emt report -o FILE.html RESULT.json...",
                         output ? "no result is named" : "no -o FILE.html");
    if (report_html(output, argv + i, (unsigned)(argc - i), why, sizeof(why)))
        return cli_error(CLI_FAILED, "%s", why);
    return CLI_OK;
}
