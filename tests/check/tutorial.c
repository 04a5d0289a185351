/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What docs/writing-an-mmu.md leads to passes the kit, all parts of it. Prints the report. */
#include <stdlib.h>

#include "check/check.h"

#ifndef ARCH
#define ARCH emt_tutorial
#endif

extern const struct emt_arch ARCH;

int main(int argc, char **argv) {
    const struct check_options options = {
        .ops = argc > 1 ? strtoull(argv[1], NULL, 0) : 40000, .seed = 1, .parts = (1u << CHECK_PARTS) - 1};
    struct check_report report;
    int err = check_arch(&ARCH, &options, &report);

    if (err)
        return 2;
    check_report_print(stdout, &ARCH, &report);
    check_report_fini(&report);
    return report.failed;
}
