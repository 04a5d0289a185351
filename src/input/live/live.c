/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The source of blocks that is a live program: starts the emulator with our plugin, hands on what arrives in the
 * ring, and keeps an eye on the processes: those that are killed, and those that go on natively after execve,
 * cannot say goodbye themselves.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "input/input.h"
#include "input/live/launch.h"
#include "input/live/packed.h"
#include "input/live/ring.h"
#include "input/pool.h"

#define IDLE_MS              64 /* after waits of 1, 2, 4, ... ms in vain */
#define BLOCKS_BETWEEN_LOOKS 256u
#define EXEC_NAMES           8u
#define KILL_AFTER_MS        5000 /* a program that ignores SIGTERM */

extern char **environ;

struct live_source {
    struct ev_source source;
    struct ring *ring;
    int ring_fd;
    pid_t child;
    bool started, reaped;
    _Atomic bool stopped, terminated;
    struct launch_program program;
    struct launch_qemu qemu;
    char qemu_exe[PATH_MAX]; /* as /proc/PID/exe shows it */
    unsigned blocks_since_look;
    int idle_ms;
    unsigned exec_names;
    char exec_name[EXEC_NAMES][32];
    char what[64];

    /* For a reader that does not take packed blocks: the one that is being unpacked, and blocks for what comes out.
     */
    const struct ev_block *packed;
    struct unpacker *unpacker;
    struct block_pool *pool;
};

/* -- the end of processes -- */

static void reap(struct live_source *l, bool wait) {
    int status;
    if (!l->started || l->reaped)
        return;
    pid_t pid;
    do
        pid = waitpid(l->child, &status, wait ? 0 : WNOHANG);
    while (pid < 0 && errno == EINTR && wait);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    l->reaped = true;
    if (pid == l->child)
        l->source.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void remember_exec(struct live_source *l, const char *name) {
    l->source.left_by_exec++;
    for (unsigned i = 0; i < l->exec_names; i++)
        if (strcmp(l->exec_name[i], name) == 0)
            return;
    if (l->exec_names < EXEC_NAMES)
        snprintf(l->exec_name[l->exec_names++], sizeof(l->exec_name[0]), "%s", name);
}

static bool runs_something_else(const struct live_source *l, pid_t pid) {
    char link[64], exe[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(link, exe, sizeof(exe) - 1);
    if (n < 0)
        return true; /* a set-uid program, or already gone */
    exe[n] = 0;
    return strcmp(exe, l->qemu_exe) != 0;
}

/* Says in the place of a process that it has left the simulation. */
static void say_goodbye(struct live_source *l, const struct ring_process *p, bool exec) {
    if (p->borrows)
        return; /* the address space is its parent's */
    struct ev_block *b = ring_take(l->ring, p, p->thread);
    if (!b)
        return;
    if (exec)
        b->word[b->words++] = ev_event(EV_EXEC, 0);
    b->word[b->words++] = ev_event(EV_EXIT, 0);
    ring_append(l->ring, b);
}

/* Looks after all processes; the number of those that still are in the simulation. */
static unsigned look_at_processes(struct live_source *l) {
    struct ring *r = l->ring;
    unsigned alive = 0;
    reap(l, false);
    for (unsigned i = 0; i < RING_PROCESSES; i++) {
        struct ring_process *p = &r->process[i];
        uint32_t state = atomic_load(&p->state);
        if (state == RING_NO_PROCESS)
            continue;
        bool gone = p->pid == l->child ? l->reaped : ring_pid_gone(p->pid);
        if (state == RING_ENDED) {
            ring_recover(r, p, false);
        } else if (state == RING_EXECING && (gone || runs_something_else(l, p->pid))) {
            remember_exec(l, p->exec);
            atomic_fetch_sub(&r->execing, 1);
            ring_recover(r, p, true);
            say_goodbye(l, p, true);
        } else if (state == RING_RUNNING && gone) {
            ring_recover(r, p, true);
            say_goodbye(l, p, false);
        } else if (!(state == RING_FORKING && gone)) {
            alive++;
            continue;
        }
        atomic_store(&p->state, RING_NO_PROCESS);
    }
    return alive;
}

/* -- the start -- */

static void double_commas(char *out, size_t bytes, const char *path) {
    size_t n = 0;
    for (; *path && n + 2 < bytes; path++) {
        out[n++] = *path;
        if (*path == ',')
            out[n++] = ','; /* QEMU's way to write one comma in an option */
    }
    out[n] = 0;
}

static int start(struct live_source *l) {
    char plugin[2 * PATH_MAX], option[2 * PATH_MAX + 32];
    double_commas(plugin, sizeof(plugin), l->qemu.plugin);
    snprintf(option, sizeof(option), "file=%s,fd=%d", plugin, l->ring_fd);
    size_t arguments = 0;
    while (l->program.argv[arguments])
        arguments++;
    /* -seed: the random bytes that a program finds in its auxiliary vector are the same each time */
    char *head[] = {l->qemu.path, "-seed", "1", "-plugin", option, "-0", l->program.argv[0], l->program.path};
    size_t heads = sizeof(head) / sizeof(head[0]);
    char **argv = calloc(heads + arguments + 1, sizeof(*argv));
    if (!argv)
        return -ENOMEM;
    memcpy(argv, head, sizeof(head));
    memcpy(argv + heads, l->program.argv + 1, (arguments - 1) * sizeof(*argv));
    l->ring->want_pc = l->source.want_pc;

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, l->ring_fd, l->ring_fd); /* clears close-on-exec there */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int error = -posix_spawn(&l->child, l->qemu.path, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(argv);
    l->started = error == 0;
    l->idle_ms = 1;
    return error;
}

/* -- the source -- */

static void append_note(struct live_source *l, const char *text) {
    size_t n = strlen(l->source.note);
    snprintf(l->source.note + n, sizeof(l->source.note) - n, "%s%s", n ? "; " : "", text);
}

static void write_note(struct live_source *l) {
    char text[400];
    struct ring *r = l->ring;
    l->source.note[0] = 0;
    if (l->source.left_by_exec > 0) {
        int n = snprintf(text, sizeof(text), "%u %s started by exec and ran natively: ", l->source.left_by_exec,
                         l->source.left_by_exec == 1 ? "program was" : "programs were");
        for (unsigned i = 0; i < l->exec_names; i++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", i ? ", " : "", l->exec_name[i]);
        if (l->exec_names == EXEC_NAMES)
            snprintf(text + n, sizeof(text) - (size_t)n, ", ...");
        append_note(l, text);
    }
    const struct {
        unsigned count;
        const char *what;
    } lost[] = {{atomic_load(&r->unobserved_threads), "%u times a thread was not observed: too many at once"},
                {atomic_load(&r->unobserved_processes), "%u processes were not observed: too many at once"},
                {atomic_load(&r->unnumbered_files), "%u mappings of files count as anonymous: too many files"}};
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        if (lost[i].count == 0)
            continue;
        snprintf(text, sizeof(text), lost[i].what, lost[i].count);
        append_note(l, text);
    }
    if (atomic_load(&r->image_incomplete))
        append_note(l, "a part of the program's initial memory was not recognised");
}

/* All processes have left and nothing is published any more: what remains is the exit status. */
static int end_of_input(struct live_source *l) {
    while (!l->reaped && !l->stopped) {
        reap(l, false);
        struct timespec t = {0, 1000000};
        if (!l->reaped)
            nanosleep(&t, NULL);
    }
    write_note(l);
    if (l->reaped && !atomic_load(&l->ring->installed)) {
        snprintf(l->source.error, sizeof(l->source.error), "%.200s ended with status %d before it started %.200s",
                 l->qemu.path, l->source.exit_status, l->program.path);
        return -EIO;
    }
    return 0;
}

static int next_packed(struct ev_source *source, const struct ev_block **out) {
    struct live_source *l = (struct live_source *)source;
    int error = l->started ? 0 : start(l);
    if (error) {
        snprintf(source->error, sizeof(source->error), "%.300s cannot be started: %s", l->qemu.path,
                 strerror(-error));
        return error;
    }
    while (!l->stopped) {
        bool execing = atomic_load(&l->ring->execing) > 0;
        if (++l->blocks_since_look >= BLOCKS_BETWEEN_LOOKS || execing) {
            l->blocks_since_look = 0;
            look_at_processes(l);
        }
        *out = ring_next(l->ring, 0);
        if (!*out)
            *out = ring_next(l->ring, execing ? 1 : l->idle_ms);
        if (*out) {
            l->idle_ms = 1;
            return 1;
        }
        l->idle_ms = l->idle_ms < IDLE_MS ? 2 * l->idle_ms : IDLE_MS;
        /* Asked first: the plugin enters its process before it says so. The other way round it could do both in
           between, and none would seem to be alive. */
        bool installed = atomic_load(&l->ring->installed);
        unsigned alive = look_at_processes(l);
        if (alive == 0 && (installed || l->reaped) && atomic_load(&l->ring->fifo_count) == 0)
            return end_of_input(l);
    }
    write_note(l);
    return 0;
}

/* As next_packed(), with plain words. */
static int next_plain(struct live_source *l, const struct ev_block **out) {
    struct ev_block *plain = block_pool_get(l->pool);
    int more = plain ? 1 : -ENOMEM;
    while (more > 0 && !(l->packed && unpacker_next(l->unpacker, plain))) {
        if (l->packed)
            ring_release(l->ring, l->packed);
        l->packed = NULL;
        more = next_packed(&l->source, &l->packed);
        if (more > 0)
            more = unpacker_begin(l->unpacker, l->packed) ? -ENOMEM : 1;
    }
    if (more == -ENOMEM)
        snprintf(l->source.error, sizeof(l->source.error), "not enough memory");
    if (more <= 0 && plain)
        block_pool_put(l->pool, plain);
    *out = plain;
    return more;
}

static int live_next(struct ev_source *source, const struct ev_block **out) {
    return source->take_packed ? next_packed(source, out) : next_plain((struct live_source *)source, out);
}

static void live_release(struct ev_source *source, const struct ev_block *b) {
    struct live_source *l = (struct live_source *)source;
    if (source->take_packed)
        ring_release(l->ring, b);
    else
        block_pool_put(l->pool, b);
}

static double live_progress(const struct ev_source *source) {
    (void)source;
    return -1;
}

void live_stop(struct ev_source *source, bool detach) {
    struct live_source *l = (struct live_source *)source;
    l->stopped = true;
    ring_detach(l->ring);
    if (!detach && l->started && !l->reaped) {
        l->terminated = true;
        kill(l->child, SIGTERM);
    }
}

int live_wait(struct ev_source *source) {
    struct live_source *l = (struct live_source *)source;
    for (int ms = 0; l->started && !l->reaped; ms++) {
        if (!l->terminated || ms > KILL_AFTER_MS) {
            if (l->terminated)
                kill(l->child, SIGKILL);
            reap(l, true);
            break;
        }
        reap(l, false);
        struct timespec t = {0, 1000000};
        if (!l->reaped)
            nanosleep(&t, NULL);
    }
    return source->exit_status;
}

static void live_close(struct ev_source *source) {
    struct live_source *l = (struct live_source *)source;
    ring_detach(l->ring);
    live_wait(source);
    ring_unmap(l->ring);
    close(l->ring_fd);
    unpacker_free(l->unpacker);
    block_pool_free(l->pool);
    launch_free(&l->program);
    free(l);
}

int live_open(struct ev_source **out, char *const argv[], const struct live_options *opt, char *why, size_t bytes) {
    struct live_source *l = calloc(1, sizeof(*l));
    if (!l) {
        snprintf(why, bytes, "not enough memory");
        return -ENOMEM;
    }
    int error = launch_resolve(&l->program, argv, why, bytes);
    if (!error)
        error = launch_find_qemu(&l->qemu, opt->qemu, why, bytes);
    if (!error && !realpath(l->qemu.path, l->qemu_exe))
        snprintf(l->qemu_exe, sizeof(l->qemu_exe), "%s", l->qemu.path);
    l->unpacker = unpacker_new();
    l->pool = block_pool_new();
    if (!error && (!l->unpacker || !l->pool)) {
        error = -ENOMEM;
        snprintf(why, bytes, "not enough memory");
    }
    if (!error) {
        error = ring_create(&l->ring, &l->ring_fd);
        if (error)
            snprintf(why, bytes, "no shared memory for the emulator: %s", strerror(-error));
    }
    if (error) {
        unpacker_free(l->unpacker);
        block_pool_free(l->pool);
        launch_free(&l->program);
        free(l);
        return error;
    }
    snprintf(l->ring->program, sizeof(l->ring->program), "%s", l->program.path);
    l->ring->ignore_children = opt->children == LIVE_CHILDREN_IGNORE;
    const char *slash = strrchr(argv[0], '/');
    snprintf(l->what, sizeof(l->what), "%s", slash ? slash + 1 : argv[0]);
    l->source = (struct ev_source){.next = live_next,
                                   .release = live_release,
                                   .close = live_close,
                                   .progress = live_progress,
                                   .what = l->what};
    *out = &l->source;
    return 0;
}
