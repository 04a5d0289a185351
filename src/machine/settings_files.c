/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where machine files are: in each folder of EMT_MACHINES (a list with colons), in the source tree that this was
 * built from, and where they were installed. The first folder that has a name wins.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/paths.h" /* written by meson: EMT_SOURCE_MACHINES, EMT_DATADIR */
#include "machine/settings.h"
#include "machine/settings_private.h"

#define FILE_LIMIT (1u << 20)
#define SUFFIX     ".yaml"

int setting_read_file(const char *path, char **text, size_t *bytes, char *why, size_t why_bytes) {
    struct stat st;
    ssize_t n = 0;
    size_t have = 0;
    char *data = NULL;
    /* Not to wait for a writer when the path is a pipe's. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

    if (fd < 0 || fstat(fd, &st)) {
        err = -errno;
        snprintf(why, why_bytes, "%s: cannot be read: %s", path, strerror(-err));
        goto out;
    }
    err = -EINVAL;
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_bytes, "%s: is not a regular file; a machine file is", path);
        goto out;
    }
    data = malloc(FILE_LIMIT + 1);
    if (!data) {
        err = -ENOMEM;
        snprintf(why, why_bytes, "%s: out of memory", path);
        goto out;
    }
    while (have <= FILE_LIMIT && (n = read(fd, data + have, FILE_LIMIT + 1 - have)) > 0)
        have += (size_t)n;
    if (n < 0) {
        err = -errno;
        snprintf(why, why_bytes, "%s: cannot be read: %s", path, strerror(-err));
    } else if (have > FILE_LIMIT) {
        snprintf(why, why_bytes, "%s: is larger than 1 MiB, the limit for machine files", path);
    } else {
        *text = data;
        *bytes = have;
        data = NULL;
        err = 0;
    }
out:
    free(data);
    if (fd >= 0)
        close(fd);
    return err;
}

/* ---- names ----------------------------------------------------------------------------------------------- */

struct found_file {
    char *name, *path;
};

struct found_files {
    struct found_file *file;
    unsigned n;
};

static void free_found(struct found_files *f) {
    for (unsigned i = 0; i < f->n; i++) {
        free(f->file[i].name);
        free(f->file[i].path);
    }
    free(f->file);
}

static int add_found(struct found_files *f, const char *folder, const char *file) {
    size_t stem = strlen(file) - strlen(SUFFIX);
    struct found_file *more, one = {strndup(file, stem), NULL};

    for (unsigned i = 0; one.name && i < f->n; i++)
        if (!strcmp(f->file[i].name, one.name)) {
            free(one.name);
            return 0;
        }
    if (!one.name || asprintf(&one.path, "%s/%s", folder, file) < 0) {
        free(one.name);
        return -ENOMEM;
    }
    more = realloc(f->file, (f->n + 1) * sizeof *more);
    if (!more) {
        free(one.name);
        free(one.path);
        return -ENOMEM;
    }
    f->file = more;
    f->file[f->n++] = one;
    return 0;
}

static int scan_folder(struct found_files *f, const char *folder) {
    DIR *dir = opendir(folder);
    struct dirent *d;
    int err = 0;

    while (dir && !err && (d = readdir(dir))) {
        size_t n = strlen(d->d_name);
        if (n > strlen(SUFFIX) && d->d_name[0] != '.' && !strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX))
            err = add_found(f, folder, d->d_name);
    }
    if (dir)
        closedir(dir);
    return err;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct found_file *)a)->name, ((const struct found_file *)b)->name);
}

static int scan(struct found_files *f) {
    const char *env = getenv("EMT_MACHINES");
    char *list = NULL, *rest, *folder;
    int err;

    f->file = NULL;
    f->n = 0;
    if (asprintf(&list, "%s:%s:%s", env ? env : "", EMT_SOURCE_MACHINES, EMT_DATADIR "/machines") < 0)
        return -ENOMEM;
    rest = list;
    err = 0;
    while (!err && (folder = strsep(&rest, ":")))
        if (*folder)
            err = scan_folder(f, folder);
    free(list);
    if (f->n)
        qsort(f->file, f->n, sizeof *f->file, by_name);
    return err;
}

static void unknown_machine(const struct found_files *f, const char *machine, char *why, size_t bytes) {
    const char **names = calloc(f->n + 1, sizeof *names), *near = NULL;
    char shown[SETTING_VALUE];
    size_t n;

    for (unsigned i = 0; names && i < f->n; i++)
        names[i] = f->file[i].name;
    if (names)
        near = settings_nearest(machine, names, f->n);
    n = (size_t)snprintf(why, bytes, "unknown machine \"%s\"%s%s%s", setting_quote(machine, strlen(machine), shown),
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : ";");
    if (n < bytes)
        n += (size_t)snprintf(why + n, bytes - n, " %shere are%s", near ? "T" : "t",
                              f->n ? ":" : " no machine files");
    for (unsigned i = 0; i < f->n && n < bytes; i++)
        n += (size_t)snprintf(why + n, bytes - n, "%s %s", i ? "," : "", f->file[i].name);
    free(names);
}

static bool is_path(const char *machine) {
    size_t n = strlen(machine);

    return strchr(machine, '/') || (n > 5 && !strcmp(machine + n - 5, SUFFIX)) ||
           (n > 4 && !strcmp(machine + n - 4, ".yml"));
}

int setting_machine_path(const char *machine, char **path, char *why, size_t bytes) {
    struct found_files f;
    int err;

    *path = NULL;
    if (is_path(machine)) {
        *path = strdup(machine);
        if (!*path)
            snprintf(why, bytes, "out of memory");
        return *path ? 0 : -ENOMEM;
    }
    err = scan(&f);
    for (unsigned i = 0; !err && !*path && i < f.n; i++)
        if (!strcmp(f.file[i].name, machine)) {
            *path = strdup(f.file[i].path);
            err = *path ? 0 : -ENOMEM;
        }
    if (err) {
        snprintf(why, bytes, "out of memory");
    } else if (!*path) {
        unknown_machine(&f, machine, why, bytes);
        err = -ENOENT;
    }
    free_found(&f);
    return err;
}

unsigned settings_machines(void (*each)(void *ctx, const char *name, const char *about, const char *path),
                           void *ctx) {
    struct found_files f;
    struct emt_config *cfg = malloc(sizeof *cfg);
    char why[1024];
    unsigned n;

    scan(&f); /* without memory: what was found */
    n = f.n;
    for (unsigned i = 0; cfg && i < n; i++) {
        int err = settings_load(cfg, f.file[i].path, why, sizeof why);
        each(ctx, f.file[i].name, err ? why : cfg->about, f.file[i].path);
    }
    free_found(&f);
    free(cfg);
    return n;
}
