/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Bytes of a trace, decompressed on the way: plain, gzip, xz or zstd, recognised by their first bytes. */
#ifndef EMT_TRACE_STREAM_H
#define EMT_TRACE_STREAM_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The longest line, and the most that stream_peek() can show. */
#define STREAM_PEEK_MAX 4096

struct stream;

/* Takes over `f`, also when it fails (NULL: out of memory). `name` is for messages and copied. */
struct stream *stream_open(FILE *f, const char *name);
void stream_close(struct stream *);
/* Up to n bytes, fewer only at the end. Negative errno: what came before the error has been delivered. */
ssize_t stream_read(struct stream *, void *buffer, size_t n);
/* The next bytes without consuming them; *have < n only at the end or before an error. */
const uint8_t *stream_peek(struct stream *, size_t n, size_t *have);
void stream_skip(struct stream *, size_t n);
/* The next line without its newline, consumed: 1, 0 at the end, -EMSGSIZE too long, -EPIPE cut off, or a read
 * error. */
int stream_line(struct stream *, const char **line, size_t *bytes);
/* After a negative result: one line for people. */
const char *stream_error(const struct stream *);
const char *stream_name(const struct stream *);
/* Bytes consumed, after decompression. */
uint64_t stream_offset(const struct stream *);
/* 0..1 of the file read, negative when its size is not known. */
double stream_progress(const struct stream *);
/* The last n bytes of an uncompressed regular file; -ENOTSUP for others. */
int stream_tail(struct stream *, void *buffer, size_t n);

#endif
