/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A small part of the opcode maps of x86-64 (Intel SDM volume 2, appendix A): what compilers use most. */
#include "input/live/decode.h"

#include <stdbool.h>

/* Of a ModRM operand: no access when it names a register. */
static enum decode_accesses operand(uint8_t modrm) {
    return modrm >> 6 == 3 ? DECODE_NONE : DECODE_ONE;
}

/* Likewise, when memory would be read and then written. */
static enum decode_accesses modified_operand(uint8_t modrm) {
    return modrm >> 6 == 3 ? DECODE_NONE : DECODE_UNKNOWN;
}

static enum decode_accesses two_byte_opcode(uint8_t op, uint8_t modrm, bool repeat) {
    if (op == 0x10 || op == 0x11) /* movss, movsd; without a prefix 16 bytes */
        return repeat ? operand(modrm) : DECODE_UNKNOWN;
    if (op == 0x1e || op == 0x1f) /* endbr64, nop */
        return DECODE_NONE;
    if (repeat)
        return DECODE_UNKNOWN;
    if (op >= 0x80 && op <= 0x8f) /* jcc */
        return DECODE_NONE;
    bool one = (op >= 0x40 && op <= 0x4f) || (op >= 0x90 && op <= 0x9f) || op == 0xaf || op == 0xb6 || op == 0xb7 ||
               op == 0xbe || op == 0xbf; /* cmov, setcc, imul, movzx, movsx */
    return one ? operand(modrm) : DECODE_UNKNOWN;
}

static enum decode_accesses group(uint8_t op, uint8_t modrm) {
    unsigned which = modrm >> 3 & 7;
    switch (op) {
    case 0x80: /* add or adc sbb and sub xor cmp with an immediate */
    case 0x81:
    case 0x83:
        return which == 7 ? operand(modrm) : modified_operand(modrm);
    case 0xc0: /* shifts */
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return modified_operand(modrm);
    case 0xc6: /* mov */
    case 0xc7:
        return which == 0 ? operand(modrm) : DECODE_UNKNOWN;
    case 0xf6: /* test, not, neg, mul, div */
    case 0xf7:
        return which == 2 || which == 3 ? modified_operand(modrm) : operand(modrm);
    case 0xff: /* inc dec call . jmp . push */
        if (which < 2)
            return modified_operand(modrm);
        if (which == 2)
            return modrm >> 6 == 3 ? DECODE_ONE : DECODE_UNKNOWN;
        return which == 4 ? operand(modrm) : DECODE_UNKNOWN;
    }
    return DECODE_UNKNOWN;
}

enum decode_accesses decode_accesses(const uint8_t *byte, size_t bytes) {
    size_t i = 0;
    bool repeat = false;
    for (; i < bytes; i++) {
        uint8_t b = byte[i];
        if (b == 0xf2 || b == 0xf3)
            repeat = true;
        else if ((b & 0xf0) != 0x40 && b != 0x66 && b != 0x64 && b != 0x65)
            break;
    }
    uint8_t op = i < bytes ? byte[i] : 0xf0, next = i + 1 < bytes ? byte[i + 1] : 0;
    if (op == 0x0f)
        return i + 2 < bytes ? two_byte_opcode(next, i + 2 < bytes ? byte[i + 2] : 0, repeat) : DECODE_UNKNOWN;
    if (repeat)
        return DECODE_UNKNOWN;
    if (op < 0x40 && (op & 7) < 6) {
        if ((op & 7) >= 4) /* with an immediate */
            return DECODE_NONE;
        bool writes_operand = !(op & 2) && op < 0x38; /* 38..3b: cmp */
        return writes_operand ? modified_operand(next) : operand(next);
    }
    if (op >= 0x50 && op <= 0x5f) /* push, pop */
        return DECODE_ONE;
    if ((op >= 0x70 && op <= 0x7f) || op == 0xe9 || op == 0xeb) /* jumps */
        return DECODE_NONE;
    if (op == 0x8d || (op >= 0x90 && op <= 0x99) || op == 0xa8 || op == 0xa9 || (op >= 0xb0 && op <= 0xbf))
        return DECODE_NONE; /* lea; xchg with rax, nop, cdq; test; mov: with registers and immediates */
    if (op == 0x63 || op == 0x69 || op == 0x6b || op == 0x84 || op == 0x85 || (op >= 0x88 && op <= 0x8b))
        return operand(next);     /* movsxd, imul, test, mov */
    if (op == 0xc3 || op == 0xe8) /* ret, call */
        return DECODE_ONE;
    return group(op, next);
}
