/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Decompressing reader:   FILE -> in[] -> decoder of the format -> out[] -> read, peek, line
 *
 * An error is kept until all bytes that were decoded before it have been read.
 */
#include "input/trace/stream.h"

#include <errno.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define BUFFER_BYTES 65536
#define XZ_MEMORY    (1ull << 30) /* xz -9 needs 65 MiB */

enum format { PLAIN, GZIP, XZ, ZSTD };

struct stream {
    FILE *file;
    char *name;
    off_t file_bytes; /* negative: not known */
    enum format format;
    z_stream gz;
    lzma_stream xz;
    ZSTD_DStream *zstd;
    bool between;         /* gzip, zstd: no frame is begun */
    bool input_end, done; /* nothing more in the file; nothing more in out[] than stands there */
    int error;            /* negative: to be delivered when out[] is empty */
    char message[320];
    size_t in_at, in_end, out_at, out_end;
    uint64_t in_offset, out_offset; /* of in_at in the file (as read so far); of out_at after decompression */
    uint8_t in[BUFFER_BYTES], out[BUFFER_BYTES + STREAM_PEEK_MAX];
};

static int fail(struct stream *s, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct stream *s, int err, const char *format, ...) {
    int n = snprintf(s->message, sizeof(s->message), "%s: ", s->name);
    va_list args;

    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof(s->message))
        vsnprintf(s->message + n, sizeof(s->message) - (size_t)n, format, args);
    va_end(args);
    s->error = err;
    return err;
}

/* More input, when in[] is empty. */
static int refill(struct stream *s) {
    if (s->in_at < s->in_end || s->input_end)
        return 0;
    s->in_at = 0;
    s->in_end = fread(s->in, 1, sizeof(s->in), s->file);
    if (s->in_end < sizeof(s->in)) {
        if (ferror(s->file))
            return fail(s, -EIO, "cannot read: %s", strerror(errno ? errno : EIO));
        s->input_end = true;
    }
    return 0;
}

static int fail_corrupt(struct stream *s) {
    return fail(s, -EILSEQ, "the compressed data is corrupt near byte %llu", (unsigned long long)s->in_offset);
}

/* Each decoder takes from in[], appends to out[] and says 1 when its data may end here, 0 when not, or fails. */
static int decode_plain(struct stream *s, size_t room) {
    size_t n = s->in_end - s->in_at;

    n = n < room ? n : room;
    memcpy(s->out + s->out_end, s->in + s->in_at, n);
    s->in_at += n;
    s->out_end += n;
    return 1;
}

static int decode_gzip(struct stream *s, size_t room) {
    int z;

    if (s->between && s->in_at == s->in_end)
        return 1;
    if (s->between)
        inflateReset(&s->gz);
    s->gz.next_in = s->in + s->in_at;
    s->gz.avail_in = (uInt)(s->in_end - s->in_at);
    s->gz.next_out = s->out + s->out_end;
    s->gz.avail_out = (uInt)room;
    z = inflate(&s->gz, Z_NO_FLUSH);
    s->in_at = s->in_end - s->gz.avail_in;
    s->out_end += room - s->gz.avail_out;
    s->between = z == Z_STREAM_END;
    if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
        return fail_corrupt(s);
    return s->between;
}

static int decode_xz(struct stream *s, size_t room) {
    lzma_ret z;

    s->xz.next_in = s->in + s->in_at;
    s->xz.avail_in = s->in_end - s->in_at;
    s->xz.next_out = s->out + s->out_end;
    s->xz.avail_out = room;
    z = lzma_code(&s->xz, s->input_end ? LZMA_FINISH : LZMA_RUN);
    s->in_at = s->in_end - s->xz.avail_in;
    s->out_end += room - s->xz.avail_out;
    if (z == LZMA_MEMLIMIT_ERROR)
        return fail(s, -ENOMEM, "decompression needs more than 1 GiB of memory");
    if (z != LZMA_OK && z != LZMA_STREAM_END && z != LZMA_BUF_ERROR)
        return fail_corrupt(s);
    return z == LZMA_STREAM_END;
}

static int decode_zstd(struct stream *s, size_t room) {
    ZSTD_inBuffer in = {s->in, s->in_end, s->in_at};
    ZSTD_outBuffer out = {s->out + s->out_end, room, 0};
    size_t left;

    if (s->between && s->in_at == s->in_end)
        return 1;
    left = ZSTD_decompressStream(s->zstd, &out, &in);
    s->in_at = in.pos;
    s->out_end += out.pos;
    if (ZSTD_isError(left))
        return fail_corrupt(s);
    s->between = left == 0;
    return s->between;
}

/* Appends to out[] until it holds at least n bytes, or nothing more comes. */
static void fill(struct stream *s, size_t n) {
    static int (*const decode[])(struct stream *, size_t) = {decode_plain, decode_gzip, decode_xz, decode_zstd};

    if (s->out_end - s->out_at >= n)
        return;
    memmove(s->out, s->out + s->out_at, s->out_end - s->out_at);
    s->out_end -= s->out_at;
    s->out_at = 0;
    while (s->out_end < n && !s->done && !s->error) {
        size_t before_in, before_out = s->out_end;
        int may_end;

        if (refill(s))
            return;
        before_in = s->in_at;
        may_end = decode[s->format](s, sizeof(s->out) - s->out_end);
        s->in_offset += s->in_at - before_in;
        if (may_end < 0 || !s->input_end || s->in_at < s->in_end)
            continue;
        if (may_end)
            s->done = true;
        else if (s->out_end == before_out)
            fail(s, -EPIPE, "the compressed data ends early, after byte %llu", (unsigned long long)s->in_offset);
    }
}

static int start_decoder(struct stream *s) {
    size_t n = s->in_end;

    if (n >= 3 && !memcmp(s->in, "\x1f\x8b\x08", 3)) {
        s->format = GZIP;
        return inflateInit2(&s->gz, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
    }
    if (n >= 6 && !memcmp(s->in,
                          "\xfd"
                          "7zXZ\0",
                          6)) {
        s->format = XZ;
        return lzma_stream_decoder(&s->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK ? 0 : -ENOMEM;
    }
    if (n >= 4 && !memcmp(s->in, "\x28\xb5\x2f\xfd", 4)) {
        s->format = ZSTD;
        s->zstd = ZSTD_createDStream();
        return s->zstd && !ZSTD_isError(ZSTD_initDStream(s->zstd)) ? 0 : -ENOMEM;
    }
    return 0;
}

static void find_size(struct stream *s) {
    s->file_bytes = -1;
    if (fseeko(s->file, 0, SEEK_END) == 0) {
        s->file_bytes = ftello(s->file);
        rewind(s->file);
    }
}

struct stream *stream_open(FILE *f, const char *name) {
    struct stream *s = calloc(1, sizeof(*s));

    if (!s) {
        fclose(f);
        return NULL;
    }
    s->file = f;
    s->name = strdup(name);
    find_size(s);
    if (!s->name || (refill(s) == 0 && start_decoder(s))) {
        stream_close(s);
        return NULL;
    }
    return s;
}

void stream_close(struct stream *s) {
    if (!s)
        return;
    if (s->format == GZIP)
        inflateEnd(&s->gz);
    if (s->format == XZ)
        lzma_end(&s->xz);
    ZSTD_freeDStream(s->zstd);
    fclose(s->file);
    free(s->name);
    free(s);
}

const uint8_t *stream_peek(struct stream *s, size_t n, size_t *have) {
    fill(s, n);
    *have = s->out_end - s->out_at;
    *have = *have < n ? *have : n;
    return s->out + s->out_at;
}

void stream_skip(struct stream *s, size_t n) {
    s->out_at += n;
    s->out_offset += n;
}

ssize_t stream_read(struct stream *s, void *buffer, size_t n) {
    size_t done = 0;

    while (done < n) {
        size_t have;
        const uint8_t *from = stream_peek(s, 1, &have);

        have = s->out_end - s->out_at;
        if (!have)
            break;
        have = have < n - done ? have : n - done;
        memcpy((uint8_t *)buffer + done, from, have);
        stream_skip(s, have);
        done += have;
    }
    return done || !s->error ? (ssize_t)done : s->error;
}

int stream_line(struct stream *s, const char **line, size_t *bytes) {
    size_t have = s->out_end - s->out_at;
    const char *at = (const char *)s->out + s->out_at, *end = memchr(at, '\n', have);

    if (!end) {
        at = (const char *)stream_peek(s, STREAM_PEEK_MAX, &have);
        end = memchr(at, '\n', have);
    }
    if (!end && have == STREAM_PEEK_MAX)
        return -EMSGSIZE;
    if (!end && s->error)
        return s->error;
    if (!end)
        return have ? -EPIPE : 0;
    *line = at;
    *bytes = (size_t)(end - at);
    stream_skip(s, *bytes + 1);
    return 1;
}

const char *stream_error(const struct stream *s) {
    return s->message;
}

const char *stream_name(const struct stream *s) {
    return s->name;
}

uint64_t stream_offset(const struct stream *s) {
    return s->out_offset;
}

double stream_progress(const struct stream *s) {
    if (s->file_bytes <= 0)
        return -1;
    if (s->format == PLAIN)
        return (double)s->out_offset / (double)s->file_bytes;
    return (double)s->in_offset / (double)s->file_bytes;
}

int stream_tail(struct stream *s, void *buffer, size_t n) {
    off_t at = ftello(s->file);
    int err = -EIO;

    if (s->format != PLAIN || at < 0 || s->file_bytes < (off_t)n)
        return -ENOTSUP;
    if (fseeko(s->file, s->file_bytes - (off_t)n, SEEK_SET) == 0 && fread(buffer, 1, n, s->file) == n)
        err = 0;
    clearerr(s->file);
    return fseeko(s->file, at, SEEK_SET) ? -EIO : err;
}
