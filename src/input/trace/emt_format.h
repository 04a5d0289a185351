/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Our own trace format, .emt, version 1 (docs/trace-format.md). All numbers are little-endian.
 *
 *      file     [ header | text ] [ block header | zstd frame ]... [ trailer ]
 *
 *      header    0 magic (8)        8 version (4)     12 0 (4)       16 bytes of text (4)   20 CRC-32 of 0..19 and
 * text block     0 "EBLK"           4 process         8 thread       12 words               16 items 20 encoded
 * bytes   24 frame's bytes  28 frame's CRC  32 0                   36 CRC-32 of 0..35 trailer   0 "EEND" 4 flags 8
 * blocks (8)   16 words (8)           24 accesses (8) 32 instructions (8)                  40 0            44
 * CRC-32 of 0..43
 *
 * A frame decodes to `items` tags, one byte each, followed by the numbers. An item is one word of an ev_block with
 * what belongs to it; its tag is the word's low 7 bits, and its numbers are LEB128:
 *
 *      load, store, fetch   zigzag(address - the one before of the same kind)     and if tag has EV_HAS_PC:
 *                           zigzag(PC - the PC before)
 *      event                word >> 7, then each operand
 *
 * "Before" starts at 0 in each block, so that blocks can be decoded alone.
 */
#ifndef EMT_TRACE_EMT_FORMAT_H
#define EMT_TRACE_EMT_FORMAT_H

#include <stdint.h>
#include <string.h>
#include <endian.h>
#include <zlib.h>
#include <zstd.h>

#include "input/event.h"

#define EMT_MAGIC                                                                                                  \
    "\x89"                                                                                                         \
    "EMT\r\n\x1a\n" /* as PNG's: shows when a transfer spoilt line ends or bit 7 */
#define EMT_FORMAT_VERSION 1
#define EMT_BLOCK          "EBLK"
#define EMT_END            "EEND"

#define EMT_CUT_SHORT 1u /* trailer: the recording was ended early */
#define EMT_HAS_PCS   2u

enum { EMT_HEADER_BYTES = 24, EMT_BLOCK_BYTES = 40, EMT_TRAILER_BYTES = 48, EMT_TEXT_MAX = 65536 };
/* An item is a tag and at most one number of 10 bytes a word. */
#define EMT_ENCODED_MAX (EV_BLOCK_WORDS * 11)
#define EMT_FRAME_MAX   ZSTD_COMPRESSBOUND(EMT_ENCODED_MAX)

static inline uint32_t emt_get32(const uint8_t *at) {
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return le32toh(v);
}
static inline uint64_t emt_get64(const uint8_t *at) {
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return le64toh(v);
}
static inline void emt_put32(uint8_t *at, uint32_t v) {
    v = htole32(v);
    memcpy(at, &v, sizeof(v));
}
static inline void emt_put64(uint8_t *at, uint64_t v) {
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}
static inline uint32_t emt_crc(uint32_t crc, const void *at, size_t n) {
    return (uint32_t)crc32(crc, at, (uInt)n);
}

/* What the trailer counts. */
struct emt_totals {
    uint64_t blocks, words, accesses, instructions;
    uint32_t flags;
};

#endif
