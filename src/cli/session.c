/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One source, several machines:
 *
 *     source ──> main thread ──> window of batches ──> workers ──> machines 0, 1, 2, ...
 *
 * A batch is a few blocks, so that a machine's tables stay in the host's caches for some time. A worker takes the
 * next batch to the machine that is furthest behind. Each machine sees every block in order, so results do not
 * depend on the number of workers or who did what. When the last machine has seen a batch, its blocks go back to
 * their source. With one thread, or one machine, the main thread feeds the machines itself.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 32 /* batches in flight: so that machines of unequal speed keep all workers busy */
#define BATCH  4  /* blocks */

struct batch {
    const struct ev_block *block[BATCH];
    unsigned blocks;
    unsigned users; /* machines that have not seen it yet; 0: free */
};

struct shared {
    struct session *s;
    unsigned workers;
    struct batch filling; /* of the main thread */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch batch[WINDOW];
    uint64_t produced;
    uint64_t seen[CLI_MAX_MACHINES]; /* batches by each machine */
    bool busy[CLI_MAX_MACHINES];     /* some worker is at it */
    bool ended;
    int err;
};

struct worker {
    struct shared *sh;
    unsigned number;
    pthread_t thread;
};

/* Ctrl-C only sets this; a signal handler has no other way to reach the loop. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static int feed(struct session *s, const struct ev_block *b) {
    for (unsigned m = 0; m < s->machines; m++) {
        int err = machine_feed(s->machine[m], b);
        if (err)
            return err;
    }
    return 0;
}

/* The machine to work on, of those that nobody works on: the one furthest behind; -1: none. */
static int choose(const struct shared *sh, unsigned worker) {
    int best = -1;

    for (unsigned m = 0; m < sh->s->machines; m++) {
        if (sh->busy[m] || sh->seen[m] == sh->produced)
            continue;
        if (best < 0 || sh->seen[m] < sh->seen[best] ||
            (sh->seen[m] == sh->seen[best] && m % sh->workers == worker))
            best = (int)m;
    }
    return best;
}

static bool all_seen(const struct shared *sh) {
    for (unsigned m = 0; m < sh->s->machines; m++)
        if (sh->seen[m] != sh->produced)
            return false;
    return true;
}

/* One batch for one machine. Called with the lock held, which is given back meanwhile. */
static void serve(struct shared *sh, unsigned m) {
    struct batch *batch = &sh->batch[sh->seen[m] % WINDOW];
    int err = 0;

    sh->busy[m] = true;
    pthread_mutex_unlock(&sh->lock);
    for (unsigned i = 0; i < batch->blocks && !err; i++)
        err = machine_feed(sh->s->machine[m], batch->block[i]);
    pthread_mutex_lock(&sh->lock);
    if (err && !sh->err)
        sh->err = err;
    sh->busy[m] = false;
    sh->seen[m]++;
    if (--batch->users > 0)
        return;
    for (unsigned i = 0; i < batch->blocks; i++)
        sh->s->source->release(sh->s->source, batch->block[i]);
    pthread_cond_broadcast(&sh->changed);
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct shared *sh = w->sh;

    pthread_mutex_lock(&sh->lock);
    while (!sh->ended || !all_seen(sh)) {
        int m = choose(sh, w->number);

        if (m >= 0)
            serve(sh, (unsigned)m);
        else
            pthread_cond_wait(&sh->changed, &sh->lock);
    }
    pthread_cond_broadcast(&sh->changed);
    pthread_mutex_unlock(&sh->lock);
    return NULL;
}

/* Hand what was collected to the workers; waits while the window is full. */
static int hand_out(struct shared *sh) {
    pthread_mutex_lock(&sh->lock);
    struct batch *batch = &sh->batch[sh->produced % WINDOW];
    while (batch->users)
        pthread_cond_wait(&sh->changed, &sh->lock);
    if (sh->filling.blocks > 0) {
        *batch = sh->filling;
        batch->users = sh->s->machines;
        sh->filling.blocks = 0;
        sh->produced++;
        pthread_cond_broadcast(&sh->changed);
    }
    int err = sh->err;
    pthread_mutex_unlock(&sh->lock);
    return err;
}

/* A block for every machine. */
static int spread(struct shared *sh, const struct ev_block *b) {
    int err = 0;

    if (!sh->workers) {
        err = feed(sh->s, b);
        sh->s->source->release(sh->s->source, b);
        return err;
    }
    sh->filling.block[sh->filling.blocks++] = b;
    return sh->filling.blocks == BATCH ? hand_out(sh) : 0;
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* "  152.3 M accesses, 48.1 M/s, 1:05 left": a line that is written over itself. */
static void progress(const struct session *s, double since, bool last) {
    uint64_t accesses = machine_accesses(s->machine[0]);
    double seconds = now() - since;
    double done = s->limit ? (double)accesses / (double)s->limit : s->source->progress(s->source);

    if (last) {
        fputs("\r\033[K", stderr);
        return;
    }
    fprintf(stderr, "\r\033[K%s: %.1f M accesses, %.1f M/s", s->source->what, (double)accesses / 1e6,
            (double)accesses / 1e6 / seconds);
    if (done > 0.001 && done <= 1) {
        unsigned left = (unsigned)(seconds / done * (1 - done) + 0.5);
        fprintf(stderr, ", %.0f %%, %u:%02u left", done * 100, left / 60, left % 60);
    }
    fflush(stderr);
}

static bool all_done(const struct session *s) {
    for (unsigned m = 0; m < s->machines; m++)
        if (!machine_done(s->machine[m]))
            return false;
    return s->machines > 0;
}

/* Pull blocks until the end, Ctrl-C, an error, or until every machine has had enough. */
static int pull(struct session *s, struct shared *sh) {
    bool show = !s->quiet && isatty(STDERR_FILENO);
    double start = now(), shown = start;
    int err = 0;

    for (uint64_t n = 0; !err; n++) {
        const struct ev_block *b;

        if (interrupted) {
            s->interrupted = true;
            break;
        }
        err = s->source->next(s->source, &b);
        if (err <= 0)
            break;
        err = spread(sh, b);
        /* With workers this reads counters that move; it only decides when to stop pulling. */
        if (all_done(s)) {
            s->all_done = true;
            break;
        }
        if (show && n % 64 == 0 && now() - shown > 0.25) {
            shown = now();
            progress(s, start, false);
        }
    }
    if (show && shown > start)
        progress(s, start, true);
    int last = sh->workers ? hand_out(sh) : 0;
    return err ? err : last;
}

/* As many workers as the host lets us have: fewer are slower, not wrong. Their number is fixed before any runs. */
static void start_workers(struct shared *sh, struct worker *workers, unsigned wanted) {
    pthread_mutex_lock(&sh->lock);
    for (unsigned i = 0; i < wanted; i++) {
        workers[i] = (struct worker){.sh = sh, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            break;
        sh->workers = i + 1;
    }
    pthread_mutex_unlock(&sh->lock);
}

int session_run(struct session *s) {
    struct shared sh = {.s = s, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct worker workers[CLI_MAX_MACHINES];
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = s->threads ? s->threads : cpus;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    s->source->take_packed = true;
    /* With one thread, or one machine, the main thread simulates. */
    if (threads > 1 && s->machines > 1)
        start_workers(&sh, workers, threads < s->machines ? threads : s->machines);
    int err = pull(s, &sh);
    pthread_mutex_lock(&sh.lock);
    sh.ended = true;
    pthread_cond_broadcast(&sh.changed);
    pthread_mutex_unlock(&sh.lock);
    for (unsigned i = 0; i < sh.workers; i++)
        pthread_join(workers[i].thread, NULL);
    sigaction(SIGINT, &before, NULL);
    if (!err)
        err = sh.err;
    if (err && !s->error[0])
        snprintf(s->error, sizeof(s->error), "%s",
                 s->source->error[0] ? s->source->error : "the input holds a block that makes no sense");
    return err;
}
