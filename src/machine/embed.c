/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* libemt's public face (emt/emt.h): the machine, one access at a time. */
#include "emt/emt.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "machine/machine_private.h"
#include "machine/settings.h"
#include "report/json.h"

struct emt {
    struct machine *machine;
    uint64_t pc;
    char error[512];
};

static int failed(struct emt *emt, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int failed(struct emt *emt, int err, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(emt->error, sizeof(emt->error), format, args);
    va_end(args);
    return err;
}

static int configure(struct emt_config *cfg, const char *machine, const char *mmu, const char *const settings[],
                     char *why, size_t bytes) {
    settings_defaults(cfg);
    int err = settings_load(cfg, machine ? machine : "default", why, bytes);
    if (!err && mmu)
        snprintf(cfg->mmu, sizeof(cfg->mmu), "%s", mmu);
    unsigned n = 0;
    while (settings && settings[n])
        n++;
    return err ? err : settings_apply(cfg, settings, n, why, bytes);
}

struct emt *emt_new(const char *machine, const char *mmu, const char *const settings[], char *why,
                    size_t why_bytes) {
    struct emt *emt = calloc(1, sizeof(*emt));
    struct emt_config *cfg = malloc(sizeof(*cfg));
    char unused[512];

    if (!why) {
        why = unused;
        why_bytes = sizeof(unused);
    }
    if (!emt || !cfg)
        snprintf(why, why_bytes, "out of memory");
    else if (!configure(cfg, machine, mmu, settings, why, why_bytes) &&
             !machine_new(&emt->machine, cfg, why, why_bytes)) {
        emt->machine->map_unknown = false; /* the embedder is told instead */
        free(cfg);
        return emt;
    }
    free(cfg);
    free(emt);
    return NULL;
}

void emt_free(struct emt *emt) {
    if (!emt)
        return;
    machine_free(emt->machine);
    free(emt);
}

const char *emt_error(const struct emt *emt) {
    return emt->error;
}

/* The process runs on the thread's core from now on. */
static int enter(struct emt *emt, uint32_t process, uint32_t thread, struct os_process **p) {
    int err = machine_dispatch(emt->machine, process, thread);

    if (err)
        return failed(emt, err, "no simulated memory for process %u", process);
    *p = os_process_find(emt->machine->os, process);
    return 0;
}

/* A call that is an event of the inner loop as well: the same code does it. */
static int event(struct emt *emt, uint32_t process, enum ev_event event, const uint64_t *operand) {
    struct os_process *p = NULL;
    int err = enter(emt, process, 0, &p);

    if (!err)
        err = machine_event(emt->machine, p, event, operand);
    if (!err && machine_trouble(emt->machine))
        err = failed(emt, -ENOMEM, "%s", machine_trouble(emt->machine));
    return err;
}

int emt_mmap(struct emt *emt, uint32_t process, uint64_t *addr, uint64_t bytes, int prot, int flags) {
    struct os_process *p = NULL;
    int err = enter(emt, process, 0, &p);

    if (!err)
        err = os_mmap(p, addr, bytes, prot, flags | MAP_ANONYMOUS, 0, 0);
    return err ? failed(emt, err, "mmap of %llu bytes failed", (unsigned long long)bytes) : 0;
}

int emt_munmap(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes) {
    return event(emt, process, EV_MUNMAP, (const uint64_t[]){addr, bytes});
}

int emt_mprotect(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes, int prot) {
    return event(emt, process, EV_MPROTECT, (const uint64_t[]){addr, bytes, (uint64_t)prot});
}

int emt_madvise(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes, int advice) {
    return event(emt, process, EV_MADVISE, (const uint64_t[]){addr, bytes, (uint64_t)advice});
}

int emt_fork(struct emt *emt, uint32_t process, uint32_t child) {
    return event(emt, process, EV_FORK, (const uint64_t[]){child});
}

int emt_exit(struct emt *emt, uint32_t process) {
    return event(emt, process, EV_EXIT, NULL);
}

static double cycles_of(const struct os_stats *s, double cpi) {
    double sum = 0;

    for (unsigned op = 0; op < OS_OPS; op++)
        sum +=
            (double)s->op[op].instructions * cpi + (double)s->op[op].stall_cycles + (double)s->op[op].extra_cycles;
    return sum;
}

/* With those of a hypervisor and its host, if there are any. */
static double os_cycles(const struct machine *m) {
    double sum = cycles_of(os_stats_of(m->os), m->cfg.os.cpi);

    if (m->virt)
        sum += virt_cycles(m->virt) + cycles_of(os_stats_of(virt_os(m->virt)), virt_config(m->virt)->os.cpi);
    return sum;
}

/* The part of an access that lies in one page; the first-level hit needs no more than the inline path. */
static int access_piece(struct machine *m, uint64_t pc, uint64_t va, enum emt_kind kind, uint64_t *pa,
                        struct emt_answer *answer) {
    struct core *c = &m->core[m->current];

    if (mmu_translate_fast(c->mmu, va, kind, pa))
        return 0;
    c->mmu->pc = pc;
    double before = os_cycles(m);
    int err = machine_slow(m, c, va, kind, pa);
    answer->translation_cycles += m->slow.cycles;
    answer->faults += m->slow.faults;
    answer->os_cycles += (uint32_t)(os_cycles(m) - before);
    return err;
}

int emt_access(struct emt *emt, uint32_t process, uint32_t thread, uint64_t va, unsigned bytes, enum emt_kind kind,
               struct emt_answer *answer) {
    struct machine *m = emt->machine;
    struct os_process *p = NULL;
    uint64_t second, end = va + bytes - 1;
    int err = enter(emt, process, thread, &p);

    *answer = (struct emt_answer){0};
    if (err)
        return err;
    if (bytes < 1 || bytes > 64 || (unsigned)kind > EMT_KIND_FETCH)
        return failed(emt, -EINVAL, "an access of %u bytes of kind %d: 1 to 64 bytes and kind 0 to 2", bytes,
                      (int)kind);
    machine_count(m, kind);
    err = access_piece(m, emt->pc, va, kind, &answer->pa, answer);
    if (!err)
        machine_data(m, answer->pa, kind);
    if (!err && (va ^ end) >> EMT_PAGE_SHIFT) {
        err = access_piece(m, emt->pc, end & ~(EMT_PAGE_BYTES - 1), kind, &second, answer);
        if (!err)
            machine_data(m, second, kind);
    }
    if (!err)
        return 0;
    return failed(emt, err, "access to 0x%llx: %s", (unsigned long long)va,
                  machine_trouble(m) ? machine_trouble(m) : "no mapping allows it");
}

void emt_pc(struct emt *emt, uint64_t pc) {
    emt->pc = pc;
}

int emt_retire(struct emt *emt, uint32_t thread, uint64_t instructions) {
    struct machine *m = emt->machine;

    m->core[thread % m->cfg.core.count].instructions += instructions;
    os_tick(m->os, machine_instructions(m));
    if (m->virt)
        virt_tick(m->virt, m->os, machine_instructions(m));
    return 0;
}

char *emt_results_json(struct emt *emt) {
    struct emt_result *r = malloc(sizeof(*r));
    char *text = NULL;

    if (r) {
        machine_result(emt->machine, r);
        snprintf(r->label, sizeof(r->label), "%s", r->cfg.mmu);
        snprintf(r->input, sizeof(r->input), "embedded");
        json_t *document = result_document((const struct emt_result *const[]){r}, 1);
        text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(RESULT_REAL_DIGITS)) : NULL;
        json_decref(document);
    }
    free(r);
    return text;
}
