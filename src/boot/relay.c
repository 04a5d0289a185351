/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Between the user and the guest: five wires, a clock, and the eyes that see a panic.
 *
 *     stdin  ──> wires.in       stdout <── wires.out      stderr <── wires.err      (with a COMMAND)
 *     terminal <──> wires.console                                                   (a shell)
 *     wires.control: "run", "exit N"
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "boot/boot.h"

#define ESCAPE_KEY 0x1d /* Ctrl-] */
#define GRACE_MS   3000 /* for the emulator to end, once the guest has said that it does */

/* ---- what the guest says ---- */

static void console_line(struct boot_watch *w) {
    const char *panic = strstr(w->line, "Kernel panic - not syncing: ");
    const unsigned room = sizeof(w->last) / sizeof(w->last[0]);

    w->line[strcspn(w->line, "\r")] = '\0';
    if (panic && !w->panicked) {
        w->panicked = true;
        snprintf(w->panic, sizeof(w->panic), "%.150s", panic + strlen("Kernel panic - not syncing: "));
    }
    if (w->line[0])
        snprintf(w->last[w->lines++ % room], sizeof(w->last[0]), "%.150s", w->line);
    w->line[0] = '\0';
}

void boot_watch_console(struct boot_watch *w, const char *text, size_t bytes) {
    size_t length = strlen(w->line);

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n' || length + 1 == sizeof(w->line)) {
            console_line(w);
            length = 0;
        }
        if (text[i] != '\n' && text[i] != '\0') {
            w->line[length++] = text[i];
            w->line[length] = '\0';
        }
    }
}

void boot_watch_control(struct boot_watch *w, const char *text, size_t bytes) {
    size_t length = strlen(w->control);

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n') {
            if (text[i] && length + 1 < sizeof(w->control))
                w->control[length++] = text[i];
            w->control[length] = '\0';
            continue;
        }
        int status;
        if (strcmp(w->control, "run") == 0)
            w->running = true;
        if (sscanf(w->control, "exit %d", &status) == 1 && status >= 0 && status <= 255) {
            w->ended = true;
            w->status = status;
        }
        w->control[length = 0] = '\0';
    }
}

/* ---- the terminal ---- */

/* A signal handler has no other way to reach the loop. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

static bool raw_terminal(struct termios *before) {
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, before))
        return false;
    raw = *before;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* ---- copying ---- */

/* All of it; waits for a slow reader. false: nobody reads any more. */
static bool write_all(int fd, const char *text, size_t bytes) {
    while (bytes) {
        ssize_t n = write(fd, text, bytes);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, 100);
            if (interrupted)
                return false;
            continue;
        }
        if (n < 0)
            return false;
        text += n;
        bytes -= (size_t)n;
    }
    return true;
}

static void shut(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

struct relay {
    const struct boot_options *opt;
    struct boot_wires *w;
    struct boot_watch *watch;
    int input; /* where the user's input goes: one of the wires, or -1 */
    bool shell, escaped;
};

/* From the guest; false: that wire has ended. */
static bool from_guest(struct relay *r, int *fd) {
    char text[16384];
    ssize_t n = read(*fd, text, sizeof(text));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        shut(fd);
        return false;
    }
    if (fd == &r->w->control) {
        boot_watch_control(r->watch, text, (size_t)n);
    } else if (fd == &r->w->console) {
        boot_watch_console(r->watch, text, (size_t)n);
        if (r->shell)
            write_all(STDOUT_FILENO, text, (size_t)n);
        else if (r->opt->verbose)
            write_all(STDERR_FILENO, text, (size_t)n);
    } else {
        write_all(fd == &r->w->err ? STDERR_FILENO : STDOUT_FILENO, text, (size_t)n);
    }
    return true;
}

static void from_user(struct relay *r, bool terminal) {
    char text[4096];
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const char *escape = n > 0 && r->shell && terminal ? memchr(text, ESCAPE_KEY, (size_t)n) : NULL;
    if (escape) {
        r->escaped = true;
        return;
    }
    if (n <= 0 || !write_all(r->input, text, (size_t)n)) {
        if (r->input == r->w->in)
            shut(&r->w->in);
        else if (n == 0)
            write_all(r->input, "\x04", 1); /* a shell ends at the end of its input */
        r->input = -1;
    }
}

static int64_t now_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One turn: wait for something, at most until `deadline`. */
static void turn(struct relay *r, int64_t deadline_ms, bool terminal) {
    int *fds[] = {&r->w->out, &r->w->err, &r->w->console, &r->w->control};
    const unsigned n = sizeof(fds) / sizeof(fds[0]);
    struct pollfd p[sizeof(fds) / sizeof(fds[0]) + 1];
    int64_t left = deadline_ms - now_ms();

    for (unsigned i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = *fds[i], .events = POLLIN};
    /* A shell hears nothing before it runs; a command's input waits in the pipe. */
    p[n] = (struct pollfd){.fd = r->input >= 0 && r->watch->running ? STDIN_FILENO : -1, .events = POLLIN};
    if (poll(p, n + 1, left < 0 ? 0 : left > 500 ? 500 : (int)left) <= 0)
        return;
    for (unsigned i = 0; i < n; i++)
        if (p[i].revents)
            from_guest(r, fds[i]);
    if (p[n].revents)
        from_user(r, terminal);
}

/* May we read the terminal without being stopped for it? */
static bool may_read_input(void) {
    return !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) == getpgrp();
}

enum boot_end boot_relay(const struct boot_options *opt, struct boot_wires *wires, int qemu, struct boot_watch *w) {
    struct relay r = {.opt = opt, .w = wires, .watch = w, .shell = !opt->command};
    struct sigaction act = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN}, old_int, old_term, old_pipe;
    struct termios before;
    const int64_t limit = opt->limit_seconds ? now_ms() + 1000ll * opt->limit_seconds : INT64_MAX / 2;
    int64_t ended_at = 0;
    enum boot_end end = BOOT_DIED;

    r.input = may_read_input() ? (r.shell ? wires->console : wires->in) : -1;
    interrupted = 0;
    sigaction(SIGINT, &act, &old_int);
    sigaction(SIGTERM, &act, &old_term);
    sigaction(SIGPIPE, &ignore, &old_pipe);
    const bool terminal = r.shell && isatty(STDIN_FILENO) && raw_terminal(&before);
    while (wires->out >= 0 || wires->err >= 0 || wires->console >= 0 || wires->control >= 0) {
        const int64_t time = now_ms();

        if (w->ended && !ended_at)
            ended_at = time;
        if (interrupted || r.escaped || time >= limit || (ended_at && time > ended_at + GRACE_MS)) {
            end = w->ended ? BOOT_EXITED : interrupted || r.escaped ? BOOT_INTERRUPT : BOOT_TIMEOUT;
            kill(qemu, SIGKILL);
            break;
        }
        turn(&r, limit, terminal);
    }
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigaction(SIGPIPE, &old_pipe, NULL);
    if (end == BOOT_DIED && w->ended)
        end = BOOT_EXITED;
    return end == BOOT_DIED && w->panicked ? BOOT_PANIC : end;
}
