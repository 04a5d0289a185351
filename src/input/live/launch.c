/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Finds the program, its script's interpreter, the emulator and the plugin for it. */
#include "input/live/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "input/live/elf.h"
#include "input/live/paths.h"

#define SCRIPT_DEPTH_MAX 4   /* as Linux (fs/exec.c) */
#define SCRIPT_LINE_MAX  256 /* BINPRM_BUF_SIZE */

extern char **environ;

/* Can this file be executed? 0 or a negative errno value. */
static int executable(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    return access(path, X_OK) == 0 ? 0 : -errno;
}

/* As a shell: a name with a slash is a path, else the folders of PATH are searched. */
static int find_in_path(const char *name, char *out, size_t bytes) {
    if (strchr(name, '/')) {
        snprintf(out, bytes, "%s", name);
        return executable(name);
    }
    const char *folders = getenv("PATH");
    int found = -ENOENT;
    for (const char *p = folders ? folders : "/usr/local/bin:/usr/bin:/bin"; found != 0; p++) {
        size_t length = strcspn(p, ":");
        if ((size_t)snprintf(out, bytes, "%.*s/%s", length ? (int)length : 1, length ? p : ".", name) < bytes) {
            int error = executable(out);
            if (error != -ENOENT && error != -ENOTDIR)
                found = error;
        }
        p += length;
        if (*p == 0)
            break;
    }
    return found;
}

static int cannot_run(const char *name, int error, char *why, size_t bytes) {
    if (error == -ENOENT && !strchr(name, '/'))
        snprintf(why, bytes, "%s: no such program in PATH", name);
    else if (error == -ENOENT)
        snprintf(why, bytes, "%s: no such file", name);
    else if (error == -EISDIR)
        snprintf(why, bytes, "%s: is a folder, not a program", name);
    else if (error == -EACCES)
        snprintf(why, bytes, "%s: not executable; if it is a program: chmod +x", name);
    else
        snprintf(why, bytes, "%s: %s", name, strerror(-error));
    return error;
}

/* The interpreter and its one argument, when the file starts with #!; 0: it does not, 1: it does. */
static int read_script_line(const char *path, char *line, char **interpreter, char **argument, char *why,
                            size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        snprintf(why, bytes, "%s: cannot be read: %s", path, strerror(-error));
        return error;
    }
    ssize_t got = read(fd, line, SCRIPT_LINE_MAX - 1);
    close(fd);
    if (got < 2 || line[0] != '#' || line[1] != '!')
        return 0;
    line[got] = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *end = line + strlen(line); end > line + 2 && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r');)
        *--end = 0;
    *interpreter = line + 2 + strspn(line + 2, " \t");
    *argument = *interpreter + strcspn(*interpreter, " \t");
    if (**argument) {
        *(*argument)++ = 0;
        *argument += strspn(*argument, " \t");
    }
    if (**interpreter == 0) {
        snprintf(why, bytes, "%s: its #! line names no interpreter", path);
        return -ENOEXEC;
    }
    return 1;
}

static void free_strings(char **v) {
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

/* A copy of `prefix` (NULL-terminated) and then `rest`; NULL when there is no memory. */
static char **copy_strings(char *const prefix[], char *const rest[]) {
    size_t n = 0, at = 0;
    for (size_t i = 0; prefix[i]; i++)
        n++;
    for (size_t i = 0; rest[i]; i++)
        n++;
    char **copy = calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; copy && prefix[i]; i++)
        copy[at++] = strdup(prefix[i]);
    for (size_t i = 0; copy && rest[i]; i++)
        copy[at++] = strdup(rest[i]);
    for (size_t i = 0; copy && i < n; i++)
        if (!copy[i]) {
            free_strings(copy); /* up to the first that failed */
            return NULL;
        }
    return copy;
}

/* Replaces the script by its interpreter: INTERPRETER [ARGUMENT] SCRIPT ARGUMENTS... */
static int apply_script(struct launch_program *p, char *interpreter, char *argument, char *why, size_t bytes) {
    char *prefix[4] = {interpreter, p->path, NULL, NULL};
    if (argument[0]) {
        prefix[1] = argument;
        prefix[2] = p->path;
    }
    char **argv = copy_strings(prefix, p->argv[0] ? p->argv + 1 : p->argv);
    if (!argv) {
        snprintf(why, bytes, "%s: not enough memory", p->path);
        return -ENOMEM;
    }
    free_strings(p->argv);
    p->argv = argv;
    return 0;
}

int launch_resolve(struct launch_program *out, char *const argv[], char *why, size_t bytes) {
    char line[SCRIPT_LINE_MAX], script[PATH_MAX], *interpreter = NULL, *argument = NULL;
    struct elf_program elf;
    memset(out, 0, sizeof(*out));
    if (!argv[0] || !argv[0][0]) {
        snprintf(why, bytes, "no program to run: give it after --");
        return -EINVAL;
    }
    int error = find_in_path(argv[0], out->path, sizeof(out->path));
    if (error)
        return cannot_run(argv[0], error, why, bytes);
    out->argv = copy_strings((char *const[]){NULL}, argv);
    if (!out->argv) {
        snprintf(why, bytes, "%s: not enough memory", argv[0]);
        return -ENOMEM;
    }
    for (int depth = 0;; depth++) {
        int is_script = read_script_line(out->path, line, &interpreter, &argument, why, bytes);
        if (is_script < 0)
            return is_script;
        if (is_script == 0)
            break;
        if (depth == SCRIPT_DEPTH_MAX) {
            snprintf(why, bytes, "%s: a script whose interpreter is a script, more than %d deep", argv[0],
                     SCRIPT_DEPTH_MAX);
            return -ELOOP;
        }
        snprintf(script, sizeof(script), "%s", out->path);
        error = executable(interpreter);
        if (error) {
            snprintf(why, bytes, "%s: its interpreter %s cannot be run: %s", script, interpreter, strerror(-error));
            return error;
        }
        error = apply_script(out, interpreter, argument, why, bytes);
        if (error)
            return error;
        snprintf(out->path, sizeof(out->path), "%s", interpreter);
    }
    error = elf_read(out->path, &elf, why, bytes);
    if (error == 0 && elf.interpreter[0] && access(elf.interpreter, R_OK) != 0) {
        error = -errno;
        snprintf(why, bytes, "%s: its dynamic loader %s cannot be read: %s", out->path, elf.interpreter,
                 strerror(-error));
    }
    return error;
}

void launch_free(struct launch_program *p) {
    free_strings(p->argv);
    p->argv = NULL;
}

/* -- the emulator -- */

/* What `path argument` prints on its standard output, up to bytes - 1. */
static int output_of(const char *path, const char *argument, char *out, size_t bytes) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0)
        return -errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    char *argv[] = {(char *)path, (char *)argument, NULL};
    int error = -posix_spawn(&pid, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fd[1]);
    size_t n = 0;
    char rest[512];
    ssize_t got;
    while (!error) {
        bool full = n + 1 >= bytes;
        got = full ? read(fd[0], rest, sizeof(rest)) : read(fd[0], out + n, bytes - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += full ? 0 : (size_t)got;
    }
    out[n] = 0;
    close(fd[0]);
    while (!error && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

/* An installed plugin, or that of the build folder of the running command or test; EMT_PLUGIN_DIR says otherwise.
 */
static int find_plugin(int abi, char *out, size_t bytes, char *why, size_t why_bytes) {
    char exe[PATH_MAX], name[32];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[length > 0 ? length : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    snprintf(name, sizeof(name), "emt-plugin-%d.so", abi);
    const char *environment = getenv("EMT_PLUGIN_DIR");
    if (environment) {
        if ((size_t)snprintf(out, bytes, "%s/%s", environment, name) < bytes && access(out, R_OK) == 0)
            return 0;
        snprintf(why, why_bytes, "%s/%s cannot be read (EMT_PLUGIN_DIR is set)", environment, name);
        return -ENOENT;
    }
    static const char *const beside[] = {"/src/input/live", "/../../src/input/live", "/../" EMT_LIBDIR "/emt"};
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
        if ((size_t)snprintf(out, bytes, "%s%s/%s", exe, beside[i], name) < bytes && access(out, R_OK) == 0)
            return 0;
    if ((size_t)snprintf(out, bytes, "%s/%s", EMT_PLUGIN_DIR, name) < bytes && access(out, R_OK) == 0)
        return 0;
    snprintf(why, why_bytes, "emt's plugin for QEMU, %s, is not in %s: is emt installed whole?", name,
             EMT_PLUGIN_DIR);
    return -ENOENT;
}

int launch_find_qemu(struct launch_qemu *out, const char *name, char *why, size_t bytes) {
    char text[16384];
    memset(out, 0, sizeof(*out));
    int error = find_in_path(name ? name : "qemu-x86_64", out->path, sizeof(out->path));
    if (error) {
        snprintf(why, bytes, "%s: %s; on Debian and Ubuntu: apt install qemu-user", name ? name : "qemu-x86_64",
                 error == -ENOENT ? "not found, but live programs run under QEMU" : strerror(-error));
        return error;
    }
    error = output_of(out->path, "--version", text, sizeof(text));
    const char *version = strstr(text, "version ");
    if (error || !version || sscanf(version, "version %d.%d", &out->major, &out->minor) != 2) {
        snprintf(why, bytes, "%s: does not say its version: is it QEMU's user emulator?", out->path);
        return error ? error : -ENOEXEC;
    }
    error = output_of(out->path, "-h", text, sizeof(text));
    if (error || !strstr(text, "\n-plugin ")) {
        snprintf(why, bytes,
                 "%s (%d.%d): was built without TCG plugins; Debian 12's qemu-user package (7.2) has them",
                 out->path, out->major, out->minor);
        return error ? error : -ENOTSUP;
    }
    if (out->major < 6) {
        snprintf(why, bytes, "%s: version %d.%d is too old; 7.2 or newer is needed", out->path, out->major,
                 out->minor);
        return -ENOTSUP;
    }
    /* QEMU 9.0 raised the lowest version of the plugin interface that it accepts from 0 to 2 */
    return find_plugin(out->major >= 9 ? 2 : 1, out->plugin, sizeof(out->plugin), why, bytes);
}
