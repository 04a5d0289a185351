/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Opens a trace: what it is follows from its content, after decompression, and where that leaves doubt from its
 * name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "input/trace/trace.h"

/* Does the name, less the suffix of a compressor, end like this or have it inside? */
static bool is_named(const char *name, const char *suffix, const char *part) {
    static const char *const compressors[] = {".gz", ".xz", ".zst"};
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t n = strlen(base), k = strlen(suffix);

    for (unsigned i = 0; i < 3; i++) {
        size_t c = strlen(compressors[i]);

        if (n > c && !strcasecmp(base + n - c, compressors[i])) {
            n -= c;
            break;
        }
    }
    return (n >= k && !strncasecmp(base + n - k, suffix, k)) || (part && strstr(base, part));
}

static trace_opener *recognise(const char *name, const uint8_t *at, size_t have) {
    if (native_is(at, have))
        return native_open;
    if (lackey_is(at, have))
        return lackey_open;
    if (is_named(name, ".emt", NULL))
        return native_open;
    if (is_named(name, ".lackey", "lackey"))
        return lackey_open;
    if (is_named(name, ".champsim", "champsim") || is_named(name, ".champsimtrace", NULL) || champsim_is(at, have))
        return champsim_open;
    return NULL;
}

int trace_open_file(struct ev_source **out, FILE *f, const char *name, char *why, size_t bytes) {
    struct stream *in = stream_open(f, name);
    trace_opener *opener;
    const uint8_t *at;
    size_t have;
    int err = -EINVAL;

    if (!in) {
        snprintf(why, bytes, "%s: out of memory", name);
        return -ENOMEM;
    }
    at = stream_peek(in, STREAM_PEEK_MAX, &have);
    if (!have && *stream_error(in)) {
        snprintf(why, bytes, "%s", stream_error(in));
        err = -EIO;
    } else if (!have) {
        snprintf(why, bytes, "%s: the file is empty", name);
    } else if ((opener = recognise(name, at, have))) {
        return opener(out, in, why, bytes);
    } else {
        snprintf(
            why, bytes,
            "%s: not a trace that emt knows: its own (.emt), Valgrind lackey's text, ChampSim's 64-byte records",
            name);
    }
    stream_close(in);
    return err;
}

int trace_open(struct ev_source **out, const char *path, char *why, size_t bytes) {
    FILE *f = fopen(path, "rbe");
    struct stat st;
    int err = 0;

    if (!f || fstat(fileno(f), &st))
        err = -errno;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    if (!err)
        return trace_open_file(out, f, path, why, bytes);
    snprintf(why, bytes, "cannot open %s: %s", path, strerror(-err));
    if (f)
        fclose(f);
    return err;
}
