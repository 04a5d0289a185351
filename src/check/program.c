/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Programs: run, printed, read. */
#include "check/program.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMPARE_ALL_EVERY 1000
/* CPU time: more than any program of sound tables takes, under a sanitizer too. Whoever sleeps for ever gets more.
 */
#define HANG_SECONDS 120
#define SLEEP_FACTOR 20

/* ---- a process of its own ---- */

void *shared_new(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void shared_free(void *shared, size_t bytes) {
    if (shared)
        munmap(shared, bytes);
}

bool isolated(void (*fn)(void *ctx, void *shared), void *ctx, void *shared, unsigned seconds, char *why,
              size_t room) {
    int status;

    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        snprintf(why, room, "no process could be made for it");
        return false;
    }
    if (child == 0) {
        /* A test framework's handlers would go on with the next test, in the child. */
        static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGPROF};
        const struct itimerval cpu = {.it_value.tv_sec = seconds};
        for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
            signal(fatal[i], SIG_DFL);
        setitimer(ITIMER_PROF, &cpu, NULL);
        alarm(seconds * SLEEP_FACTOR);
        fn(ctx, shared);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        snprintf(why, room, "it hangs: not done after %u seconds of CPU time", seconds);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(why, room, "it hangs: asleep for %u seconds", seconds * SLEEP_FACTOR);
    else if (WIFSIGNALED(status))
        snprintf(why, room, "it crashes: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(why, room, "it ends with status %d", WEXITSTATUS(status));
    return false;
}

/* ---- one operation, with each of its allocations failing in turn ---- */

static bool with_failures(struct world *w, const struct op *op) {
    for (uint64_t at = 1;; at++) {
        w->host.fail_at = at;
        const bool fine = execute(w, op);
        w->host.fail_at = 0;
        if (!fine)
            return false;
        if (!w->enomem)
            return true;
        /* Nothing has changed: seen without the failure, too. */
        if (at % 4 == 1 && !compare_all(w))
            return false;
        /* A table that must be contiguous cannot grow while larger pieces are refused. */
        if (at > 600 && w->frames.refuse_order)
            return compare_all(w);
        if (at > 5000)
            return world_fail(w, "error", "%s fails for want of memory, however much it gets", op_name(op->kind));
    }
}

static void run(void *ctx, void *shared) {
    const struct program *p = ctx;
    struct verdict *v = shared;
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        return;
    bool fine = world_init(w, &p->setup) == 0;
    for (size_t i = 0; fine && i < p->n; i++) {
        v->at = i + 1;
        fine = p->setup.fail_all ? with_failures(w, &p->op[i]) : execute(w, &p->op[i]);
        if (fine && (i + 1) % COMPARE_ALL_EVERY == 0)
            fine = compare_all(w);
    }
    if (fine) {
        v->at = p->n + 1;
        fine = compare_all(w) && world_end(w);
    }
    v->finding = w->finding;
    v->stats = w->stats;
    world_fini(w);
    free(w);
}

void verdict_of(void (*fn)(void *ctx, void *verdict), void *ctx, bool isolate, struct verdict *out) {
    struct verdict *v = isolate ? shared_new(sizeof(*v)) : NULL;
    char why[128];

    *out = (struct verdict){0};
    if (!v) {
        fn(ctx, out);
        return;
    }
    if (!isolated(fn, ctx, v, HANG_SECONDS, why, sizeof(why))) {
        const bool hangs = strstr(why, "hangs");
        v->finding.found = true;
        snprintf(v->finding.kind, sizeof(v->finding.kind), hangs ? "hang" : "crash");
        snprintf(v->finding.text, sizeof(v->finding.text), "%s", why);
    }
    *out = *v;
    shared_free(v, sizeof(*v));
}

void program_run(const struct program *p, bool isolate, struct verdict *out) {
    verdict_of(run, (void *)(uintptr_t)p, isolate, out);
}

/* ---- text ---- */

void program_print(FILE *out, const struct program *p, const struct verdict *v) {
    fprintf(out, "setup spaces=%u basic=%d watch=%d fail=%d refuse=%u\n", p->setup.spaces, p->setup.basic_only,
            p->setup.watch, p->setup.fail_all, p->setup.refuse_order);
    for (size_t i = 0; i < p->n; i++)
        op_print(out, &p->op[i]);
    if (v && v->at <= p->n)
        fprintf(out, "# fails at operation %" PRIu64 "\n", v->at);
    else if (v)
        fprintf(out, "# fails when all is compared and destroyed in the end\n");
}

static int read_setup(struct program *p, const char *line, char why[256]) {
    int basic, watch, fail;

    if (sscanf(line, "setup spaces=%u basic=%d watch=%d fail=%d refuse=%u", &p->setup.spaces, &basic, &watch, &fail,
               &p->setup.refuse_order) != 5 ||
        !p->setup.spaces || p->setup.spaces > WORLD_DBS) {
        snprintf(why, 256,
                 "line 1: 'setup spaces=N basic=0 watch=0 fail=0 refuse=0' is expected first, with 1 to %d "
                 "spaces",
                 WORLD_DBS);
        return -EINVAL;
    }
    p->setup.basic_only = basic;
    p->setup.watch = watch;
    p->setup.fail_all = fail;
    return 0;
}

int program_read(struct program *p, FILE *in, char why[256]) {
    char line[1024], reason[128];
    size_t room = 0;

    *p = (struct program){0};
    for (unsigned number = 1; fgets(line, sizeof(line), in); number++) {
        if (line[0] == '#')
            continue;
        if (!p->setup.spaces) {
            if (read_setup(p, line, why))
                return -EINVAL;
            continue;
        }
        if (p->n == room) {
            room = room ? 2 * room : 64;
            struct op *more = realloc(p->op, room * sizeof(*more));
            if (!more)
                return -ENOMEM;
            p->op = more;
        }
        int got = op_parse(line, &p->op[p->n], reason);
        if (got < 0) {
            snprintf(why, 256, "line %u: %s", number, reason);
            return got;
        }
        p->n += (size_t)got;
    }
    if (p->setup.spaces)
        return 0;
    snprintf(why, 256, "it is empty");
    return -EINVAL;
}
