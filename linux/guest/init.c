/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's first process: mounts what programs expect, runs one command, tells its host how that ended, and
 * switches the machine off.
 *
 *     host ──stdin──> port emt.stdin  ──> COMMAND ──> port emt.stdout ──> host
 *                                                └──> port emt.stderr ──> host
 *          <──────────────────────────────────────── port emt.ctl: "run\n", "exit 0\n" or "error ...\n"
 *
 * The command comes in /emt/argv, one word after another, each ended by a 0. Without words: a shell on ttyS0.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mark.h"

#define WORDS_MAX 4096
#define BYTES_MAX (128 * 1024)

static void say(int ctl, const char *format, ...) {
    char line[512];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (write(ctl, line, (size_t)n) != n)
        fprintf(stderr, "emt-init: %s", line);
}

static void file_systems(void) {
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/tmp", 01777);
    mkdir("/mnt", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mkdir("/dev/shm", 01777);
    mount("devpts", "/dev/pts", "devpts", 0, NULL);
    mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
    mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
    /* A disk that the user named. */
    if (access("/dev/vda", F_OK) == 0 && mount("/dev/vda", "/mnt", "ext4", 0, NULL))
        fprintf(stderr, "emt-init: the disk cannot be mounted on /mnt as ext4: %s\n", strerror(errno));
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
}

static void loopback(void) {
    struct ifreq ifr = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (s < 0)
        return;
    if (ioctl(s, SIOCGIFFLAGS, &ifr) == 0) {
        ifr.ifr_flags |= IFF_UP;
        ioctl(s, SIOCSIFFLAGS, &ifr);
    }
    close(s);
}

/* The device file of a virtio-serial port, by its name; -1: there is none. */
static int open_port(const char *name, int flags) {
    DIR *d = opendir("/sys/class/virtio-ports");
    struct dirent *e;
    int fd = -1;

    while (d && fd < 0 && (e = readdir(d))) {
        char path[512], is[64] = "";
        snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        if (fgets(is, sizeof(is), f) && (is[strcspn(is, "\n")] = 0, strcmp(is, name) == 0)) {
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            fd = open(path, flags | O_CLOEXEC);
        }
        fclose(f);
    }
    if (d)
        closedir(d);
    return fd;
}

/* The words of the command; argv ends with a NULL. */
static int read_words(char *argv[WORDS_MAX + 1]) {
    static char text[BYTES_MAX + 1];
    int fd = open("/emt/argv", O_RDONLY | O_CLOEXEC), n = 0;
    size_t have = 0;
    ssize_t got;

    if (fd < 0)
        return 0;
    while (have < BYTES_MAX && (got = read(fd, text + have, BYTES_MAX - have)) > 0)
        have += (size_t)got;
    close(fd);
    for (char *p = text; p < text + have && n < WORDS_MAX; p += strlen(p) + 1)
        argv[n++] = p;
    argv[n] = NULL;
    return n;
}

static void child(char **argv, int in, int out, int err) {
    setsid();
    if (in >= 0)
        dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execvp(argv[0], argv);
    dprintf(2, "emt: the guest has no program %s (%s); bring it along with --add\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static void shell(void) {
    char *argv[] = {"sh", "-l", NULL};
    int tty = open("/dev/ttyS0", O_RDWR | O_NOCTTY);

    setsid();
    if (tty >= 0) {
        dup2(tty, 0);
        dup2(tty, 1);
        dup2(tty, 2);
        ioctl(0, TIOCSCTTY, 1);
    }
    printf("a shell in the guest; `exit` ends it\n");
    fflush(stdout);
    execv("/bin/sh", argv);
    _exit(127);
}

/* Wait for the command; orphans are ours as well. */
static int wait_for(pid_t pid) {
    int status;

    for (;;) {
        pid_t gone = wait(&status);
        if (gone == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (gone < 0 && errno != EINTR)
            return 255;
    }
}

int main(void) {
    static char *argv[WORDS_MAX + 1];

    file_systems();
    loopback();
    sethostname("emt", 3);
    setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("TERM", getenv("TERM") ? getenv("TERM") : "vt100", 1);
    if (chdir("/root"))
        return 1;
    int ctl = open_port("emt.ctl", O_RDWR), in = open_port("emt.stdin", O_RDONLY);
    int out = open_port("emt.stdout", O_WRONLY), err = open_port("emt.stderr", O_WRONLY);
    int words = read_words(argv);
    say(ctl, "run\n");
    /* Regions that the command marks itself take the place of this one. */
    emt_mark(EMT_MARK_BEGIN, "command");
    pid_t pid = fork();
    if (pid == 0) {
        if (words)
            child(argv, in, out, err);
        shell();
    }
    int status = pid < 0 ? 255 : wait_for(pid);
    emt_mark(EMT_MARK_END, "command");
    close(out);
    close(err);
    sync();
    say(ctl, "exit %d\n", status);
    sync();
    reboot(RB_AUTOBOOT);
    return 0;
}
