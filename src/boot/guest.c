/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The emulator: its arguments, its process, and what its end means. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/boot.h"
#include "cli/cli.h"

#define MAX_ARGUMENTS 96

struct arguments {
    char **v;
    unsigned n;
    bool bad;
};

static __attribute__((format(printf, 2, 3))) void put(struct arguments *a, const char *format, ...) {
    va_list args;

    if (a->n + 1 >= MAX_ARGUMENTS) {
        a->bad = true;
        return;
    }
    va_start(args, format);
    a->bad |= vasprintf(&a->v[a->n], format, args) < 0;
    va_end(args);
    a->n += !a->bad;
}

/* "-flag value" */
#define PUT2(a, flag, ...) (put((a), "%s", (flag)), put((a), __VA_ARGS__))

/* A port of the guest's virtio-serial device, at the other end of a socket. */
static void port(struct arguments *a, const char *name, int fd) {
    PUT2(a, "-chardev", "socket,id=%s,fd=%d", name, fd);
    PUT2(a, "-device", "virtserialport,chardev=%s,name=emt.%s", name, name);
}

static void processor(struct arguments *a, const struct boot_options *opt) {
    /* Firmware and devices that would only cost time, or make it depend on the host, are off. */
    PUT2(a, "-machine", "pc,smm=off,vmport=off,hpet=off,graphics=off,usb=off");
    PUT2(a, "-accel", "tcg,thread=%s", opt->measure || opt->icount ? "single" : "multi");
    PUT2(a, "-cpu", "max,la57=%s,emt-paging=%s", strcmp(opt->mmu, "radix5") == 0 ? "on" : "off",
         opt->walker == BOOT_WALKER_EMT ? "on" : "off");
    PUT2(a, "-smp", "%u", opt->cpus);
    PUT2(a, "-m", "%lluM", (unsigned long long)(opt->memory_bytes >> 20));
    if (opt->icount) {
        PUT2(a, "-icount", "shift=0,sleep=off");
        PUT2(a, "-rtc", "base=2024-01-01,clock=vm");
    }
}

char **boot_arguments(const struct boot_options *opt, const struct boot_parts *parts,
                      const struct boot_wires *far) {
    struct arguments a = {.v = calloc(MAX_ARGUMENTS, sizeof(char *))};
    const bool conventional = boot_conventional(opt);

    if (!a.v)
        return NULL;
    put(&a, "%s", parts->qemu);
    PUT2(&a, "-L", "%s", parts->firmware);
    put(&a, "-no-user-config");
    put(&a, "-nodefaults");
    put(&a, "-no-reboot");
    PUT2(&a, "-display", "none");
    processor(&a, opt);
    PUT2(&a, "-kernel", "%s", parts->kernel);
    PUT2(&a, "-initrd", "%s", parts->image);
    PUT2(&a, "-append",
         "console=ttyS0 panic=-1 nokaslr norandmaps mitigations=off no_timer_check tsc=reliable "
         "random.trust_cpu=on%s%s%s%s%s",
         conventional ? "" : " emt=", conventional ? "" : opt->mmu, opt->verbose ? "" : " quiet",
         opt->append ? " " : "", opt->append ? opt->append : "");
    PUT2(&a, "-chardev", "socket,id=console,fd=%d", far->console);
    PUT2(&a, "-serial", "chardev:console");
    PUT2(&a, "-device", "virtio-serial-pci");
    port(&a, "ctl", far->control);
    port(&a, "stdin", far->in);
    port(&a, "stdout", far->out);
    port(&a, "stderr", far->err);
    if (opt->disk) {
        PUT2(&a, "-drive", "file=%s,format=raw,if=none,id=disk", opt->disk);
        PUT2(&a, "-device", "virtio-blk-pci,drive=disk");
    }
    if (opt->gdb)
        PUT2(&a, "-gdb", "unix:%s,server=on,wait=off", opt->gdb);
    if (opt->monitor)
        PUT2(&a, "-monitor", "unix:%s,server=on,wait=off", opt->monitor);
    if (opt->measure)
        PUT2(&a, "-plugin", "file=%s,run=%s/measure", parts->plugin, parts->run);
    if (a.bad) {
        boot_free_arguments(a.v);
        return NULL;
    }
    return a.v;
}

void boot_free_arguments(char **argv) {
    for (unsigned i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

static void close_wires(struct boot_wires *w) {
    int *fd[] = {&w->in, &w->out, &w->err, &w->console, &w->control};

    for (unsigned i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
        if (*fd[i] >= 0)
            close(*fd[i]);
        *fd[i] = -1;
    }
}

/* Both ends of each wire; the far ones are inherited by the emulator. */
static int make_wires(struct boot_wires *near, struct boot_wires *far) {
    int *n[] = {&near->in, &near->out, &near->err, &near->console, &near->control};
    int *f[] = {&far->in, &far->out, &far->err, &far->console, &far->control};

    *near = *far = (struct boot_wires){-1, -1, -1, -1, -1};
    for (unsigned i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
        int fd[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
            return cli_error(CLI_FAILED, "boot: no socket: %s", strerror(errno));
        *n[i] = fd[0];
        *f[i] = fd[1];
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
    }
    return CLI_OK;
}

static void become_emulator(char **argv, const struct boot_wires *far, const char *log) {
    const int keep[] = {far->in, far->out, far->err, far->console, far->control};
    int null = open("/dev/null", O_RDWR), out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* Ctrl-C is for emt, which ends the guest */
    for (unsigned i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
        fcntl(keep[i], F_SETFD, 0);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* The first line of what the emulator said. */
static void first_line(const char *path, char *out, size_t bytes) {
    FILE *f = fopen(path, "re");

    out[0] = '\0';
    if (f && !fgets(out, (int)bytes, f))
        out[0] = '\0';
    if (f)
        fclose(f);
    out[strcspn(out, "\n")] = '\0';
}

static void last_lines(const struct boot_watch *w) {
    const unsigned room = sizeof(w->last) / sizeof(w->last[0]);

    for (unsigned i = w->lines > room ? w->lines - room : 0; i < w->lines; i++)
        fprintf(stderr, "  | %s\n", w->last[i % room]);
}

/* What to tell the user, and emt's exit status. */
static int conclude(const struct boot_options *opt, enum boot_end end, const struct boot_watch *w,
                    const char *log) {
    char said[256];

    switch (end) {
    case BOOT_EXITED:
        return w->status;
    case BOOT_INTERRUPT:
        return 130; /* 128 + SIGINT, as shells have it */
    case BOOT_TIMEOUT:
        cli_error(0, "boot: the guest was stopped after %u seconds%s; --time SECONDS gives it more",
                  opt->limit_seconds, w->running ? "" : ", before it ran the command");
        last_lines(w);
        return BOOT_STATUS_TIMEOUT;
    case BOOT_PANIC:
        cli_error(0, "boot: the guest's kernel panicked: %s", w->panic);
        last_lines(w);
        return BOOT_STATUS_DIED;
    case BOOT_DIED:
        break;
    }
    first_line(log, said, sizeof(said));
    cli_error(0, "boot: the emulator ended before the guest did%s%s", said[0] ? ": " : "", said);
    last_lines(w);
    return BOOT_STATUS_DIED;
}

int boot_guest(const struct boot_options *opt, const struct boot_parts *parts) {
    struct boot_wires near, far;
    struct boot_watch watch = {0};
    char log[PATH_MAX + 16];
    int status = make_wires(&near, &far);
    char **argv = status ? NULL : boot_arguments(opt, parts, &far);

    snprintf(log, sizeof(log), "%s/qemu.log", parts->run);
    if (!status && !argv)
        status = cli_error(CLI_FAILED, "boot: out of memory");
    if (status)
        goto out;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become_emulator(argv, &far, log);
    if (pid < 0) {
        status = cli_error(CLI_FAILED, "boot: no process: %s", strerror(errno));
        goto out;
    }
    close_wires(&far);
    enum boot_end end = boot_relay(opt, &near, pid, &watch);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    status = conclude(opt, end, &watch, log);
out:
    close_wires(&near);
    close_wires(&far);
    boot_free_arguments(argv);
    return status;
}
