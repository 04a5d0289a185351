/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Writes our own trace format; emt_format.h has its layout. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/input.h"
#include "input/trace/emt_format.h"

#define ZSTD_LEVEL 3

struct recorder {
    FILE *file;
    char *path;
    ZSTD_CCtx *zstd;
    struct emt_totals totals;
    int error; /* of the first failure; it was reported then */
    uint8_t tags[EV_BLOCK_WORDS];
    uint8_t numbers[EMT_ENCODED_MAX];
    uint8_t encoded[EMT_ENCODED_MAX];
    uint8_t frame[EMT_FRAME_MAX];
};

/* Reports a failure once and takes the partial file away, unless it is a device or pipe. */
static int fail(struct recorder *r, int err, char *why, size_t bytes) {
    struct stat st;

    r->error = err;
    snprintf(why, bytes, "cannot write %s: %s", r->path, strerror(-err));
    if (fstat(fileno(r->file), &st) == 0 && S_ISREG(st.st_mode) && unlink(r->path) == 0)
        snprintf(why, bytes, "cannot write %s: %s; the partial file was removed", r->path, strerror(-err));
    return err;
}

static int put(struct recorder *r, const void *at, size_t n, char *why, size_t bytes) {
    errno = 0;
    if (fwrite(at, 1, n, r->file) == n)
        return 0;
    return fail(r, errno ? -errno : -EIO, why, bytes);
}

static int put_header(struct recorder *r, const char *text, char *why, size_t bytes) {
    uint8_t header[EMT_HEADER_BYTES] = EMT_MAGIC;
    size_t n = strnlen(text, EMT_TEXT_MAX);
    uint32_t crc;
    int err;

    emt_put32(header + 8, EMT_FORMAT_VERSION);
    emt_put32(header + 16, (uint32_t)n);
    crc = emt_crc(emt_crc(0, header, 20), text, n);
    emt_put32(header + 20, crc);
    err = put(r, header, sizeof(header), why, bytes);
    return err ? err : put(r, text, n, why, bytes);
}

static void free_recorder(struct recorder *r) {
    ZSTD_freeCCtx(r->zstd);
    if (r->file)
        fclose(r->file);
    free(r->path);
    free(r);
}

int recorder_open(struct recorder **out, const char *path, const char *what, char *why, size_t bytes) {
    struct recorder *r = calloc(1, sizeof(*r));
    int err = -ENOMEM;

    if (!r) {
        snprintf(why, bytes, "cannot record: out of memory");
        return err;
    }
    r->path = strdup(path);
    r->zstd = ZSTD_createCCtx();
    if (!r->path || !r->zstd) {
        snprintf(why, bytes, "cannot record: out of memory");
        goto failed;
    }
    ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_checksumFlag, 1);
    r->file = fopen(path, "wbe");
    if (!r->file) {
        err = -errno;
        snprintf(why, bytes, "cannot create %s: %s", path, strerror(-err));
        goto failed;
    }
    err = put_header(r, what, why, bytes);
    if (err)
        goto failed;
    *out = r;
    return 0;
failed:
    free_recorder(r);
    return err;
}

static uint8_t *put_number(uint8_t *at, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)v | 0x80;
    *at++ = (uint8_t)v;
    return at;
}

static uint8_t *put_delta(uint8_t *at, uint64_t v, uint64_t *last) {
    uint64_t delta = v - *last;

    *last = v;
    return put_number(at, delta << 1 ^ (uint64_t)((int64_t)delta >> 63));
}

/* Tags and numbers of a block; *items of them, *end behind the last number. False: an item is cut in two. */
static bool encode(struct recorder *r, const struct ev_block *b, uint32_t *items, uint8_t **end) {
    const uint64_t *w = b->word, *words_end = w + b->words;
    uint64_t last[3] = {0}, last_pc = 0;
    uint8_t *number = r->numbers;

    for (*items = 0; w < words_end; ++*items) {
        uint64_t word = *w++;
        unsigned kind = word & EV_KIND_MASK;

        r->tags[*items] = word & 0x7f;
        if (kind == EV_EVENT) {
            unsigned n = ev_operands(word);

            if (ev_kind_of(word) >= EV_COUNT || n != ev_operand_count[ev_kind_of(word)] || words_end - w < n)
                return false;
            number = put_number(number, word >> EV_ADDRESS_SHIFT);
            while (n--)
                number = put_number(number, *w++);
            continue;
        }
        number = put_delta(number, ev_address(word), &last[kind]);
        if (kind == EV_FETCH) {
            r->totals.instructions += ev_instructions(word);
            continue;
        }
        r->totals.accesses++;
        if (word & EV_HAS_PC) {
            if (w == words_end)
                return false;
            number = put_delta(number, *w++, &last_pc);
            r->totals.flags |= EMT_HAS_PCS;
        }
    }
    *end = number;
    return true;
}

static int put_block(struct recorder *r, const struct ev_block *b, uint32_t items, size_t encoded, size_t frame,
                     char *why, size_t bytes) {
    uint8_t header[EMT_BLOCK_BYTES] = EMT_BLOCK;
    int err;

    emt_put32(header + 4, b->process);
    emt_put32(header + 8, b->thread);
    emt_put32(header + 12, b->words);
    emt_put32(header + 16, items);
    emt_put32(header + 20, (uint32_t)encoded);
    emt_put32(header + 24, (uint32_t)frame);
    emt_put32(header + 28, emt_crc(0, r->frame, frame));
    emt_put32(header + 36, emt_crc(0, header, 36));
    err = put(r, header, sizeof(header), why, bytes);
    return err ? err : put(r, r->frame, frame, why, bytes);
}

int recorder_write(struct recorder *r, const struct ev_block *b, char *why, size_t bytes) {
    uint32_t items;
    uint8_t *end;
    size_t encoded, frame;

    if (bytes)
        why[0] = '\0';
    if (r->error || !b->words)
        return r->error;
    if (b->words > EV_BLOCK_WORDS || !encode(r, b, &items, &end))
        return fail(r, -EINVAL, why, bytes);
    encoded = items + (size_t)(end - r->numbers);
    memcpy(r->encoded, r->tags, items);
    memcpy(r->encoded + items, r->numbers, (size_t)(end - r->numbers));
    frame = ZSTD_compress2(r->zstd, r->frame, sizeof(r->frame), r->encoded, encoded);
    if (ZSTD_isError(frame))
        return fail(r, -ENOMEM, why, bytes);
    r->totals.blocks++;
    r->totals.words += b->words;
    return put_block(r, b, items, encoded, frame, why, bytes);
}

static int put_trailer(struct recorder *r, char *why, size_t bytes) {
    uint8_t trailer[EMT_TRAILER_BYTES] = EMT_END;

    emt_put32(trailer + 4, r->totals.flags);
    emt_put64(trailer + 8, r->totals.blocks);
    emt_put64(trailer + 16, r->totals.words);
    emt_put64(trailer + 24, r->totals.accesses);
    emt_put64(trailer + 32, r->totals.instructions);
    emt_put32(trailer + 44, emt_crc(0, trailer, 44));
    return put(r, trailer, sizeof(trailer), why, bytes);
}

int recorder_close(struct recorder *r, bool cut_short, char *why, size_t bytes) {
    int err = r->error;

    if (bytes)
        why[0] = '\0';
    if (!err) {
        r->totals.flags |= cut_short ? EMT_CUT_SHORT : 0;
        err = put_trailer(r, why, bytes);
    }
    if (!err && fflush(r->file))
        err = fail(r, -errno, why, bytes);
    free_recorder(r);
    return err;
}
