/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Shows the reports of made-up results: make_sample N FILE.json [FILE.html]; the table goes to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/report.h"
#include "sample.h"

int main(int argc, char **argv) {
    unsigned n = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    struct emt_result **r;
    char why[512] = "";
    int err;

    if (n < 1 || n > 64) {
        fprintf(stderr, "usage: make_sample N FILE.json [FILE.html]\n");
        return 2;
    }
    r = sample_results(n);
    report_terminal(stdout, (const struct emt_result *const *)r, n, isatty(1) || getenv("FORCE_COLOR"));
    err = report_json(argv[2], (const struct emt_result *const *)r, n, why, sizeof(why));
    if (!err && argc > 3)
        err = report_html(argv[3], &argv[2], 1, why, sizeof(why));
    if (err)
        fprintf(stderr, "make_sample: %s\n", why);
    sample_free(r, n);
    return err ? 1 : 0;
}
