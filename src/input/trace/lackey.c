/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The text that `valgrind --tool=lackey --trace-mem=yes --log-file=FILE PROGRAM` writes (Valgrind manual,
 * "Lackey"):
 *
 *      ==1234== a message of Valgrind's: skipped
 *      I  0401ab70,3          instruction at a hexadecimal address, bytes
 *       L 1fff000488,8        load
 *       S 1fff000628,8        store
 *       M 0421d3c0,4          modify: load, then store
 */
#include <errno.h>
#include <string.h>

#include "input/trace/trace.h"

enum { ADDRESS_AT = 3, SIZE_MAX_BYTES = 4096 };

static bool is_message(const char *line, size_t n) {
    return n >= 2 && line[0] == line[1] && (line[0] == '=' || line[0] == '-' || line[0] == '*');
}

static bool is_access(const char *line, size_t n) {
    return n > ADDRESS_AT && line[2] == ' ' &&
           ((line[0] == 'I' && line[1] == ' ') || (line[0] == ' ' && line[1] && strchr("LSM", line[1])));
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "0401ab70,3" up to the end of the line. */
static bool parse_place(const char *at, const char *end, uint64_t *va, unsigned *size) {
    const char *start = at;

    for (*va = 0; at < end && hex_digit(*at) >= 0 && at - start < 16; at++)
        *va = *va << 4 | (unsigned)hex_digit(*at);
    if (at == start || at == end || *at++ != ',' || at == end)
        return false;
    for (*size = 0; at < end && *at >= '0' && *at <= '9' && *size <= SIZE_MAX_BYTES; at++)
        *size = *size * 10 + (unsigned)(*at - '0');
    if (at < end && *at == '\r')
        at++;
    return at == end && *size > 0 && *size <= SIZE_MAX_BYTES && foreign_valid(*va) && foreign_valid(*va + *size);
}

static int fail_line(struct foreign *f, int err, const char *what) {
    snprintf(f->pub.error, sizeof(f->pub.error), "%s:%llu: %s", f->pub.what, (unsigned long long)f->records + 1,
             what);
    return err;
}

static int fail_read(struct foreign *f, int err) {
    if (*stream_error(f->in)) {
        snprintf(f->pub.error, sizeof(f->pub.error), "%s", stream_error(f->in));
        return err;
    }
    return fail_line(f, err,
                     err == -EMSGSIZE ? "the line is longer than 4096 bytes: not lackey's text"
                                      : "truncated: the last line has no end");
}

static int read_line(struct foreign *f) {
    const char *line;
    size_t n;
    uint64_t va;
    unsigned size;
    int err = stream_line(f->in, &line, &n);

    if (err == 0)
        return 0;
    if (err < 0)
        return fail_read(f, err);
    if (n == 0 || is_message(line, n)) {
        f->records++;
        return 1;
    }
    if (!is_access(line, n) || !parse_place(line + ADDRESS_AT, line + n, &va, &size))
        return fail_line(f, -EINVAL,
                         "not a line of lackey's: 'I  ADDR,SIZE' or ' L ADDR,SIZE' (or S, M), address in hex");
    f->records++;
    if (line[0] == 'I') {
        foreign_instruction(f, va);
        f->pc = va;
        return 1;
    }
    if (line[1] != 'S')
        foreign_access(f, false, va, size, false, f->pc);
    if (line[1] != 'L')
        foreign_access(f, true, va, size, false, f->pc);
    return 1;
}

/* The first line that is no message decides; messages alone will do. */
bool lackey_is(const uint8_t *at, size_t have) {
    const char *line = (const char *)at, *end = line + have;

    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((newline ? newline : end) - line);

        if (n && !is_message(line, n))
            return is_access(line, n);
        if (!newline)
            return n >= 2;
        line = newline + 1;
    }
    return have >= 2;
}

int lackey_open(struct ev_source **out, struct stream *in, char *why, size_t bytes) {
    return foreign_open(out, in, read_line, why, bytes);
}
