/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The trace readers against any bytes: the first one selects the reader (0: by content). Whatever they deliver must
   keep the rules of event.h. As bytes with a right checksum are never found by chance, bit 3 of the first byte
   makes a whole recording of our own format of them: two bytes say how many words and items it has, the rest is one
   block's data. */
#include <stdlib.h>

#include "input/trace/emt_format.h"
#include "input/trace/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_block(const struct ev_block *b) {
    if (!b->words || b->words > EV_BLOCK_WORDS)
        abort();
    for (uint32_t i = 0; i < b->words; i++) {
        uint64_t word = b->word[i];

        if ((word & EV_KIND_MASK) == EV_EVENT) {
            if (ev_kind_of(word) >= EV_COUNT || ev_operands(word) != ev_operand_count[ev_kind_of(word)])
                abort();
            i += ev_operands(word);
        } else if ((word & EV_KIND_MASK) <= EV_STORE && word & EV_HAS_PC) {
            i++;
        }
        if (i >= b->words)
            abort();
    }
}

/* A recording whose only block decompresses to `data`; *size is its size. */
static uint8_t *recording_of(const uint8_t *data, size_t *size) {
    size_t n = *size - 2 < EMT_ENCODED_MAX ? *size - 2 : EMT_ENCODED_MAX, frame;
    uint8_t *file = calloc(1, EMT_HEADER_BYTES + EMT_BLOCK_BYTES + EMT_FRAME_MAX), *block = file + EMT_HEADER_BYTES;

    memcpy(file, EMT_MAGIC, 8);
    emt_put32(file + 8, EMT_FORMAT_VERSION);
    emt_put32(file + 20, emt_crc(0, file, 20));
    frame = ZSTD_compress(block + EMT_BLOCK_BYTES, EMT_FRAME_MAX, data + 2, n, 1);
    memcpy(block, EMT_BLOCK, 4);
    emt_put32(block + 12, data[0]);
    emt_put32(block + 16, data[1]);
    emt_put32(block + 20, (uint32_t)n);
    emt_put32(block + 24, (uint32_t)frame);
    emt_put32(block + 28, emt_crc(0, block + EMT_BLOCK_BYTES, frame));
    emt_put32(block + 36, emt_crc(0, block, 36));
    *size = EMT_HEADER_BYTES + EMT_BLOCK_BYTES + frame;
    return file;
}

static int open_as(unsigned which, struct ev_source **s, FILE *f, char *why, size_t bytes) {
    static trace_opener *const opener[] = {champsim_open, lackey_open, native_open};
    struct stream *in;

    if (which == 0)
        return trace_open_file(s, f, "fuzz", why, bytes);
    in = stream_open(f, "fuzz");
    return in ? opener[which - 1](s, in, why, bytes) : -1;
}

static void read_all(struct ev_source *s) {
    const struct ev_block *b;
    int err;

    while ((err = s->next(s, &b)) > 0) {
        check_block(b);
        s->release(s, b);
    }
    if (err < 0 && !s->error[0])
        abort();
    s->close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t first, *made = NULL;
    struct ev_source *s;
    char why[512] = "";
    FILE *f;

    if (size < 4)
        return 0;
    first = *data++;
    size--;
    if (first & 8)
        data = made = recording_of(data, &size);
    f = fmemopen((void *)data, size, "rb");
    if (f && !open_as(first & 3, &s, f, why, sizeof(why))) {
        s->want_pc = first & 4;
        read_all(s);
    }
    free(made);
    return 0;
}
