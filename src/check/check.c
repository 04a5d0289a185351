/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The parts, one after the other, and what they report. */
#include "check/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "check/directed.h"
#include "check/generate.h"
#include "check/program.h"
#include "check/threads.h"

static const char *const part_names[CHECK_PARTS] = {"sequences", "basic", "flushes", "memory", "threads"};

const char *check_part_name(enum check_part part) {
    return part_names[part];
}

/* How much of options->ops a part takes, and how long its programs are. */
static const struct {
    unsigned divide, program;
} shares[CHECK_PARTS] = {
    [CHECK_SEQUENCES] = {1, 20000}, [CHECK_BASIC] = {4, 20000},  [CHECK_FLUSHES] = {4, 12000},
    [CHECK_MEMORY] = {20, 500},     [CHECK_THREADS] = {4, 5000},
};

struct session {
    const struct emt_arch *arch;
    const struct check_options *options;
    struct check_report *report;
    struct traits traits;
    FILE *text;
};

static void found(struct session *s, enum check_part part, const struct finding *f) {
    s->report->part[part].failed = true;
    if (!s->report->failed)
        snprintf(s->report->kind, sizeof(s->report->kind), "%s", f->kind);
    s->report->failed = true;
    fprintf(s->text, "%s: %s: %s: %s\n", s->arch->name, part_names[part], f->kind, f->text);
}

/* A program of its own seed: everything about it follows from seed, part and number. */
static int make_program(const struct session *s, enum check_part part, uint64_t number, uint64_t n,
                        struct program *p) {
    uint64_t seed = s->options->seed ^ (uint64_t)part << 56 ^ number << 32;
    struct generator g;

    check_random(&seed);
    *p = (struct program){.n = n, .op = calloc(n, sizeof(*p->op))};
    if (!p->op)
        return -ENOMEM;
    p->setup = (struct world_setup){.arch = s->arch,
                                    .traits = &s->traits,
                                    .spaces = 1 + (unsigned)(number % WORLD_DBS),
                                    .basic_only = part == CHECK_BASIC,
                                    .watch = part == CHECK_FLUSHES,
                                    .fail_all = part == CHECK_MEMORY};
    if (part == CHECK_FLUSHES || part == CHECK_MEMORY)
        p->setup.basic_only = number % 4 == 3;
    if (part == CHECK_MEMORY && number % 3 == 2)
        p->setup.refuse_order = 1 + (unsigned)check_below(&seed, 9);
    generator_init(&g, &s->traits, seed, p->setup.spaces, part != CHECK_FLUSHES || p->setup.spaces == 1);
    for (uint64_t i = 0; i < n; i++)
        generate(&g, &p->op[i]);
    return 0;
}

static void explain(struct session *s, enum check_part part, struct program *p, struct verdict *v) {
    const size_t before = p->n;

    if (!s->options->no_shrink)
        program_shrink(p, !s->options->in_process, v);
    found(s, part, &v->finding);
    fprintf(s->text,
            "  the program, shrunk from %zu to %zu operations; it replays with emt check %s --replay FILE:\n\n",
            before, p->n, s->arch->name);
    program_print(s->text, p, v);
    fputc('\n', s->text);
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* "ecpt (3 of 27) sequences   37 %, 4.1 M operations/min, 1:32 left": a line that is written over itself. */
static void progress(const struct session *s, enum check_part part, uint64_t done, uint64_t all, double seconds) {
    const struct check_options *o = s->options;

    if (!o->progress)
        return;
    fprintf(o->progress, "\r\033[K%s", s->arch->name);
    if (o->of > 1)
        fprintf(o->progress, " (%u of %u)", o->number, o->of);
    fprintf(o->progress, " %-10s %2u %%", part_names[part], (unsigned)(done * 100 / all));
    if (seconds > 0.5) {
        const unsigned left = (unsigned)(seconds * (double)(all - done) / (double)done + 0.5);
        fprintf(o->progress, ", %.1f M operations/min, %u:%02u left", (double)done / seconds * 60e-6, left / 60,
                left % 60);
    }
    fflush(o->progress);
}

static void add(struct check_part_report *r, const struct world_stats *stats) {
    r->ops += stats->ops;
    r->walks += stats->walks;
    r->tlb_accesses += stats->tlb_accesses;
    r->failed_allocations += stats->failed_allocations;
}

static void run_directed(struct session *s) {
    struct verdict v;

    directed_run(s->arch, &s->traits, s->options->seed, !s->options->in_process, &v);
    if (v.finding.found)
        found(s, CHECK_SEQUENCES, &v.finding);
    add(&s->report->part[CHECK_SEQUENCES], &v.stats);
}

static int run_part(struct session *s, enum check_part part) {
    struct check_part_report *r = &s->report->part[part];
    const uint64_t all = s->options->ops / shares[part].divide + 1;
    const double begin = now();

    r->ran = true;
    if (part == CHECK_SEQUENCES)
        run_directed(s);
    for (uint64_t done = 0, number = 0; done < all && !r->failed; number++) {
        const uint64_t n = all - done < shares[part].program ? all - done : shares[part].program;
        struct program p;
        struct verdict v;

        if (part == CHECK_THREADS) {
            threads_run(s->arch, &s->traits, s->options->seed + number, n, number & 1, !s->options->in_process, &v);
            r->races += v.stats.walks;
            if (v.finding.found)
                found(s, part, &v.finding);
        } else {
            if (make_program(s, part, number, n, &p))
                return -ENOMEM;
            program_run(&p, !s->options->in_process, &v);
            if (v.finding.found)
                explain(s, part, &p, &v);
            free(p.op);
        }
        add(r, &v.stats);
        done += n;
        progress(s, part, done, all, now() - begin);
    }
    return 0;
}

/* ---- asking what it can, in a process of its own ---- */

struct answer {
    struct traits traits;
    struct finding finding;
};

static void ask(void *ctx, void *shared) {
    struct answer *a = shared;

    traits_ask(&a->traits, ctx, &a->finding);
}

static int ask_traits(struct session *s) {
    struct answer *a = shared_new(sizeof(*a));
    char why[128];

    if (!a)
        return -ENOMEM;
    if (!isolated(ask, (void *)(uintptr_t)s->arch, a, 30, why, sizeof(why))) {
        a->finding.found = true;
        snprintf(a->finding.kind, sizeof(a->finding.kind), "crash");
        snprintf(a->finding.text, sizeof(a->finding.text), "asked what it can do: %s", why);
    }
    if (!a->finding.found)
        s->traits = a->traits;
    else {
        enum check_part first = (enum check_part)__builtin_ctz(s->options->parts);
        s->report->part[first].ran = true;
        found(s, first, &a->finding);
    }
    shared_free(a, sizeof(*a));
    return 0;
}

int check_arch(const struct emt_arch *arch, const struct check_options *options, struct check_report *report) {
    struct session s = {.arch = arch, .options = options, .report = report};
    size_t bytes;

    *report = (struct check_report){0};
    s.text = open_memstream(&report->text, &bytes);
    if (!s.text)
        return -ENOMEM;
    int err = ask_traits(&s);
    for (unsigned part = 0; !err && s.traits.nsizes && part < CHECK_PARTS; part++)
        if (options->parts & 1u << part)
            err = run_part(&s, part);
    if (options->progress)
        fputs("\r\033[K", options->progress);
    if (fclose(s.text))
        err = -ENOMEM;
    return err;
}

void check_report_fini(struct check_report *report) {
    free(report->text);
    report->text = NULL;
}
