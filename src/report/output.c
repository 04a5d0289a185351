/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Files that appear whole or not at all; see output.h. */
#include "report/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(char *why, size_t bytes, const char *path, int err) {
    snprintf(why, bytes, "cannot write %s: %s", path, strerror(-err));
    return err;
}

static void forget(struct output *o) {
    free(o->path);
    free(o->temporary);
    *o = (struct output){0};
}

/* A new file beside o->path, with the permissions that a plain open would have given it. */
static int open_beside(struct output *o, const struct stat *old) {
    size_t bytes = strlen(o->path) + sizeof(".XXXXXX");
    mode_t mask = umask(0);
    int fd, err;

    umask(mask);
    o->temporary = malloc(bytes);
    if (!o->temporary)
        return -ENOMEM;
    snprintf(o->temporary, bytes, "%s.XXXXXX", o->path);
    fd = mkstemp(o->temporary);
    if (fd < 0) {
        err = -errno;
        free(o->temporary);
        o->temporary = NULL;
        return err;
    }
    if (fchmod(fd, old ? old->st_mode & 0777 : 0666 & ~mask) == 0)
        o->file = fdopen(fd, "w");
    if (o->file)
        return 0;
    err = -errno;
    close(fd);
    unlink(o->temporary);
    return err;
}

int output_open(struct output *o, const char *path, char *why, size_t bytes) {
    struct stat st;
    bool there;
    int err = 0;

    *o = (struct output){0};
    if (strcmp(path, "-") == 0) {
        o->file = stdout;
        o->path = strdup("standard output");
        if (o->path)
            return 0;
        return say(why, bytes, path, -ENOMEM);
    }
    there = stat(path, &st) == 0;
    /* Through a symbolic link to the file itself, so that the link survives. */
    o->path = there ? realpath(path, NULL) : strdup(path);
    if (!o->path) {
        err = -errno;
    } else if (there && S_ISDIR(st.st_mode)) {
        err = -EISDIR;
    } else if (there && !S_ISREG(st.st_mode)) {
        o->file = fopen(path, "w");
        err = o->file ? 0 : -errno;
    } else {
        err = open_beside(o, there ? &st : NULL);
    }
    if (!err)
        return 0;
    forget(o);
    return say(why, bytes, path, err);
}

int output_close(struct output *o, int err, char *why, size_t bytes) {
    bool failed = ferror(o->file);
    int own = 0;

    errno = 0;
    if (o->file == stdout)
        failed |= fflush(stdout) != 0;
    else
        failed |= fclose(o->file) != 0;
    if (failed)
        own = errno ? -errno : -EIO;
    if (!err && !own && o->temporary && rename(o->temporary, o->path) != 0)
        own = -errno;
    if ((err || own) && o->temporary)
        unlink(o->temporary);
    if (!err && own)
        err = say(why, bytes, o->path, own);
    forget(o);
    return err;
}
