/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The lines of a report, and the replay of a program. */
#include <inttypes.h>
#include <stdlib.h>

#include "check/check.h"
#include "check/program.h"

/* 1234567 as 1,234,567. */
static const char *grouped(uint64_t n, char text[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, n), k = 0;

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[k++] = ',';
        text[k++] = digits[i];
    }
    text[k] = '\0';
    return text;
}

static void print_part(FILE *out, const char *name, enum check_part part, const struct check_part_report *r) {
    char a[32], b[32];

    fprintf(out, "%-14s %-10s %12s operations, ", name, check_part_name(part), grouped(r->ops, a));
    if (part == CHECK_THREADS)
        fprintf(out, "%s walks beside them", grouped(r->races, b));
    else if (part == CHECK_FLUSHES)
        fprintf(out, "%s TLB accesses", grouped(r->tlb_accesses, b));
    else if (part == CHECK_MEMORY)
        fprintf(out, "%s failed allocations", grouped(r->failed_allocations, b));
    else
        fprintf(out, "%s walks", grouped(r->walks, b));
    fprintf(out, " ... %s\n", r->failed ? "FAILED" : "ok");
}

void check_report_print(FILE *out, const struct emt_arch *arch, const struct check_report *report) {
    for (unsigned part = 0; part < CHECK_PARTS; part++)
        if (report->part[part].ran)
            print_part(out, arch->name, (enum check_part)part, &report->part[part]);
    if (report->text && report->text[0])
        fprintf(out, "\n%s", report->text);
}

int check_replay(const struct emt_arch *arch, FILE *program, FILE *out, char why[256]) {
    struct traits traits;
    struct program p;
    struct verdict v = {0};
    int err = program_read(&p, program, why);

    if (err)
        goto out;
    err = traits_ask(&traits, arch, &v.finding);
    if (!err) {
        p.setup.arch = arch;
        p.setup.traits = &traits;
        program_run(&p, false, &v);
    }
    err = v.finding.found;
    if (err) {
        fprintf(out, "%s: %s: %s\n", arch->name, v.finding.kind, v.finding.text);
        if (v.at && v.at <= p.n) {
            fprintf(out, "  at operation %" PRIu64 ": ", v.at);
            op_print(out, &p.op[v.at - 1]);
        }
    } else {
        fprintf(out, "%s: %zu operations ... ok\n", arch->name, p.n);
    }
out:
    free(p.op);
    return err;
}
