/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reads our own trace format; emt_format.h has its layout. Nothing in the file is believed before it was checked:
 * lengths against their limits, bytes against their CRC, decoded words against the rules of event.h, the whole
 * against the trailer.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "input/trace/emt_format.h"
#include "input/trace/trace.h"

struct native {
    struct ev_source pub;
    struct stream *in;
    struct block_pool *pool;
    ZSTD_DCtx *zstd;
    char *what;
    struct emt_totals totals; /* of what was read so far */
    uint64_t expected_words;  /* by the trailer; 0: not known */
    int ended;                /* 1: the end; negative: after an error */
    uint8_t frame[EMT_FRAME_MAX], encoded[EMT_ENCODED_MAX];
};

bool native_is(const uint8_t *at, size_t have) {
    return have >= 8 && !memcmp(at, EMT_MAGIC, 8);
}

static int fail(struct native *n, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct native *n, int err, const char *format, ...) {
    int at = snprintf(n->pub.error, sizeof(n->pub.error), "%s: ", stream_name(n->in));
    va_list args;

    va_start(args, format);
    if (at > 0 && (size_t)at < sizeof(n->pub.error))
        vsnprintf(n->pub.error + at, sizeof(n->pub.error) - (size_t)at, format, args);
    va_end(args);
    return n->ended = err;
}

static const char next_block[] = "a block's header";

/* Exactly `bytes`, or an error that says where what was cut off. */
static int take(struct native *n, void *buffer, size_t bytes, const char *what) {
    uint64_t at = stream_offset(n->in);
    ssize_t got = stream_read(n->in, buffer, bytes);

    if (got == (ssize_t)bytes)
        return 0;
    if (got < 0 || *stream_error(n->in)) {
        snprintf(n->pub.error, sizeof(n->pub.error), "%s", stream_error(n->in));
        return n->ended = got < 0 ? (int)got : -EIO;
    }
    if (got == 0 && what == next_block)
        return fail(n, -EPIPE, "truncated: ends at byte %llu, after %llu whole blocks, without a trailer",
                    (unsigned long long)at, (unsigned long long)n->totals.blocks);
    return fail(n, -EPIPE, "truncated: %s at byte %llu, after %llu whole blocks, has only %zd of %zu bytes", what,
                (unsigned long long)at, (unsigned long long)n->totals.blocks, got, bytes);
}

static int corrupt(struct native *n, uint64_t at, const char *what) {
    return fail(n, -EILSEQ, "corrupt: block %llu (at byte %llu): %s", (unsigned long long)n->totals.blocks + 1,
                (unsigned long long)at, what);
}

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static inline uint64_t get_number(struct cursor *c) {
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (c->at == c->end)
            break;
        byte = *c->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    c->bad = true;
    return 0;
}

static inline uint64_t get_delta(struct cursor *c, uint64_t *last) {
    uint64_t v = get_number(c);

    return *last += v >> 1 ^ -(v & 1);
}

/* The operands of an event; false when there is no such event or no room. */
static bool decode_event(struct cursor *numbers, uint8_t tag, uint64_t **at, const uint64_t *end) {
    uint64_t word = get_number(numbers) << EV_ADDRESS_SHIFT | tag;
    unsigned operands = ev_operands(word);

    if (ev_kind_of(word) >= EV_COUNT || operands != ev_operand_count[ev_kind_of(word)] || end - *at < 1 + operands)
        return false;
    *(*at)++ = word;
    while (operands--)
        *(*at)++ = get_number(numbers);
    return true;
}

/* Items to words. What is wrong, or NULL. PCs that nobody wants are left out. */
static const char *decode(struct native *n, struct ev_block *block, uint32_t words, uint32_t items, size_t bytes) {
    struct cursor numbers = {n->encoded + items, n->encoded + bytes, false};
    uint64_t last[3] = {0}, last_pc = 0, *at = block->word, *end = at + words;
    uint32_t dropped = 0;

    for (uint32_t i = 0; i < items; i++) {
        uint8_t tag = n->encoded[i];
        unsigned kind = tag & EV_KIND_MASK;

        if (tag > 0x7f)
            return "an unknown tag";
        if (kind == EV_EVENT) {
            if (!decode_event(&numbers, tag, &at, end))
                return "an unknown event, or more words than announced";
            continue;
        }
        if (end - at < 1 + (kind != EV_FETCH && tag & EV_HAS_PC))
            return "more words than announced";
        *at++ = get_delta(&numbers, &last[kind]) << EV_ADDRESS_SHIFT | tag;
        if (kind == EV_FETCH) {
            n->totals.instructions += ev_instructions(at[-1]);
            continue;
        }
        n->totals.accesses++;
        if (tag & EV_HAS_PC) {
            uint64_t pc = get_delta(&numbers, &last_pc);

            if (n->pub.want_pc) {
                *at++ = pc;
            } else {
                at[-1] &= ~(uint64_t)EV_HAS_PC;
                dropped++;
                end--;
            }
        }
    }
    if (numbers.bad || numbers.at != numbers.end || at != end)
        return "its numbers do not match its items";
    block->words = words - dropped;
    return NULL;
}

static int read_block(struct native *n, struct ev_block *block, uint64_t at, const uint8_t *header) {
    uint32_t words = emt_get32(header + 12), items = emt_get32(header + 16);
    uint32_t encoded = emt_get32(header + 20), frame = emt_get32(header + 24);
    const char *wrong;
    size_t got;
    int err;

    if (emt_crc(0, header, 36) != emt_get32(header + 36))
        return corrupt(n, at, "its header's checksum is wrong");
    if (!words || words > EV_BLOCK_WORDS || items > words || encoded > EMT_ENCODED_MAX || items > encoded ||
        frame > EMT_FRAME_MAX)
        return corrupt(n, at, "its lengths are impossible");
    err = take(n, n->frame, frame, "a block's data");
    if (err)
        return err;
    if (emt_crc(0, n->frame, frame) != emt_get32(header + 28))
        return corrupt(n, at, "its data's checksum is wrong");
    got = ZSTD_decompressDCtx(n->zstd, n->encoded, encoded, n->frame, frame);
    if (ZSTD_isError(got) || got != encoded)
        return corrupt(n, at, "its data cannot be decompressed");
    wrong = decode(n, block, words, items, encoded);
    if (wrong)
        return corrupt(n, at, wrong);
    block->process = emt_get32(header + 4);
    block->thread = emt_get32(header + 8);
    n->totals.blocks++;
    n->totals.words += words;
    return 1;
}

static void parse_trailer(const uint8_t *trailer, struct emt_totals *t) {
    t->flags = emt_get32(trailer + 4);
    t->blocks = emt_get64(trailer + 8);
    t->words = emt_get64(trailer + 16);
    t->accesses = emt_get64(trailer + 24);
    t->instructions = emt_get64(trailer + 32);
}

static int read_trailer(struct native *n, uint64_t at, const uint8_t *trailer) {
    struct emt_totals t;
    size_t have;

    parse_trailer(trailer, &t);
    if (emt_crc(0, trailer, 44) != emt_get32(trailer + 44))
        return fail(n, -EILSEQ, "corrupt: the trailer's checksum is wrong (at byte %llu)", (unsigned long long)at);
    if (t.blocks != n->totals.blocks || t.words != n->totals.words || t.accesses != n->totals.accesses ||
        t.instructions != n->totals.instructions)
        return fail(n, -EILSEQ,
                    "corrupt: the trailer counts %llu blocks and %llu words, the file has %llu and %llu",
                    (unsigned long long)t.blocks, (unsigned long long)t.words, (unsigned long long)n->totals.blocks,
                    (unsigned long long)n->totals.words);
    stream_peek(n->in, 1, &have);
    if (have)
        return fail(n, -EILSEQ, "corrupt: something follows the trailer (at byte %llu)",
                    (unsigned long long)stream_offset(n->in));
    n->ended = 1;
    return 0;
}

static int native_next(struct ev_source *pub, const struct ev_block **out) {
    struct native *n = (struct native *)pub;
    uint8_t header[EMT_TRAILER_BYTES];
    uint64_t at = stream_offset(n->in);
    struct ev_block *block;
    int err;

    if (n->ended)
        return n->ended < 0 ? n->ended : 0;
    err = take(n, header, EMT_BLOCK_BYTES, next_block);
    if (err)
        return err;
    if (!memcmp(header, EMT_END, 4)) {
        err = take(n, header + EMT_BLOCK_BYTES, EMT_TRAILER_BYTES - EMT_BLOCK_BYTES, "the trailer");
        return err ? err : read_trailer(n, at, header);
    }
    if (memcmp(header, EMT_BLOCK, 4))
        return corrupt(n, at, "its mark is wrong");
    block = block_pool_get(n->pool);
    if (!block)
        return fail(n, -ENOMEM, "out of memory");
    err = read_block(n, block, at, header);
    if (err < 0)
        block_pool_put(n->pool, block);
    else
        *out = block;
    return err;
}

static void native_release(struct ev_source *pub, const struct ev_block *block) {
    block_pool_put(((struct native *)pub)->pool, block);
}

static void native_close(struct ev_source *pub) {
    struct native *n = (struct native *)pub;

    ZSTD_freeDCtx(n->zstd);
    block_pool_free(n->pool);
    stream_close(n->in);
    free(n->what);
    free(n);
}

static double native_progress(const struct ev_source *pub) {
    const struct native *n = (const struct native *)pub;

    if (n->expected_words)
        return (double)n->totals.words / (double)n->expected_words;
    return stream_progress(n->in);
}

static int read_header(struct native *n, char **text) {
    uint8_t header[EMT_HEADER_BYTES];
    uint32_t bytes;
    int err = take(n, header, sizeof(header), "the header");

    if (err)
        return err;
    if (!native_is(header, sizeof(header)))
        return fail(n, -EILSEQ, "not an emt recording (wrong first bytes)");
    if (emt_get32(header + 8) != EMT_FORMAT_VERSION)
        return fail(n, -ENOTSUP, "recorded in version %u of the format; this emt reads version %d",
                    emt_get32(header + 8), EMT_FORMAT_VERSION);
    bytes = emt_get32(header + 16);
    if (bytes > EMT_TEXT_MAX)
        return fail(n, -EILSEQ, "corrupt: the header's text has impossible %u bytes", bytes);
    *text = calloc(1, bytes + 1ul);
    if (!*text)
        return fail(n, -ENOMEM, "out of memory");
    err = take(n, *text, bytes, "the header's text");
    if (err)
        return err;
    if (emt_crc(emt_crc(0, header, 20), *text, bytes) != emt_get32(header + 20))
        return fail(n, -EILSEQ, "corrupt: the header's checksum is wrong");
    return 0;
}

/* What the source is called; and the expected size from the trailer, where it can be read beforehand. */
static int describe(struct native *n, const char *text) {
    uint8_t trailer[EMT_TRAILER_BYTES];
    struct emt_totals t = {0};
    const char *note = "";

    if (!stream_tail(n->in, trailer, sizeof(trailer)) && !memcmp(trailer, EMT_END, 4) &&
        emt_crc(0, trailer, 44) == emt_get32(trailer + 44))
        parse_trailer(trailer, &t);
    n->expected_words = t.words;
    if (t.flags & EMT_CUT_SHORT)
        note = ", cut short when recorded";
    if (asprintf(&n->what, "%s (%s%s)", stream_name(n->in), text, note) < 0) {
        n->what = NULL;
        return fail(n, -ENOMEM, "out of memory");
    }
    return 0;
}

int native_open(struct ev_source **out, struct stream *in, char *why, size_t bytes) {
    struct native *n = calloc(1, sizeof(*n));
    char *text = NULL;
    int err;

    if (!n) {
        snprintf(why, bytes, "%s: out of memory", stream_name(in));
        stream_close(in);
        return -ENOMEM;
    }
    n->in = in;
    n->pool = block_pool_new();
    n->zstd = ZSTD_createDCtx();
    err = n->pool && n->zstd ? read_header(n, &text) : fail(n, -ENOMEM, "out of memory");
    if (!err)
        err = describe(n, text);
    free(text);
    if (err) {
        snprintf(why, bytes, "%s", n->pub.error);
        native_close(&n->pub);
        return err;
    }
    n->pub = (struct ev_source){.next = native_next,
                                .release = native_release,
                                .close = native_close,
                                .progress = native_progress,
                                .what = n->what};
    *out = &n->pub;
    return 0;
}
