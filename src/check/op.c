/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Operations as text. One table of fields serves printing and parsing. */
#include "check/op.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[OP_KINDS] = {
    [OP_MAP] = "map",           [OP_SET] = "set",       [OP_REMOVE] = "remove",         [OP_ERASE] = "erase",
    [OP_UNMAP] = "unmap",       [OP_COPY] = "copy",     [OP_PROTECT] = "protect",       [OP_MOVE] = "move",
    [OP_AGE] = "age",           [OP_VOID] = "void",     [OP_ITERATE] = "iterate",       [OP_SPLIT] = "split",
    [OP_COLLAPSE] = "collapse", [OP_ACCESS] = "access", [OP_TEST_CLEAR] = "test-clear", [OP_SWITCH] = "switch",
    [OP_RENEW] = "renew",       [OP_SCARCE] = "scarce",
};

#define FIELD(name, member)                                                                                        \
    { name, offsetof(struct op, member), sizeof(((struct op *)0)->member) }
static const struct {
    const char *name;
    size_t offset, bytes;
} fields[] = {
    FIELD("db", db),          FIELD("db2", db2),         FIELD("va", at.va),
    FIELD("bytes", at.bytes), FIELD("to", to),           FIELD("pfn", at.pfn),
    FIELD("swap", at.swap),   FIELD("state", at.state),  FIELD("write", at.write),
    FIELD("exec", at.exec),   FIELD("user", at.user),    FIELD("global", at.global),
    FIELD("a", at.accessed),  FIELD("d", at.dirty),      FIELD("cache", at.cache),
    FIELD("pkey", at.pkey),   FIELD("soft", at.soft),    FIELD("mask", mask),
    FIELD("type", type),      FIELD("control", control), FIELD("contig", at.contig),
    FIELD("pkru", pkru),      FIELD("seed", seed),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

const char *op_name(unsigned kind) {
    return kind < OP_KINDS ? names[kind] : "?";
}

void op_print(FILE *out, const struct op *op) {
    fprintf(out, "%s db=%u", op_name(op->kind), op->db);
    for (unsigned i = 1; i < FIELDS; i++) {
        uint64_t value = 0; /* little endian, as all hosts that run this */
        memcpy(&value, (const char *)op + fields[i].offset, fields[i].bytes);
        if (value)
            fprintf(out, value < 10 ? " %s=%" PRIu64 : " %s=0x%" PRIx64, fields[i].name, value);
    }
    fputc('\n', out);
}

static int set_field(struct op *op, char *word, char why[128]) {
    char *value = strchr(word, '='), *end;

    if (value)
        *value++ = '\0';
    for (unsigned i = 0; value && i < FIELDS; i++) {
        if (strcmp(word, fields[i].name) != 0)
            continue;
        errno = 0;
        uint64_t number = strtoull(value, &end, 0);
        if (errno || end == value || *end || (fields[i].bytes < 8 && number >> (8 * fields[i].bytes))) {
            snprintf(why, 128, "'%.40s' is no value for %s", value, word);
            return -EINVAL;
        }
        memcpy((char *)op + fields[i].offset, &number, fields[i].bytes);
        return 0;
    }
    snprintf(why, 128, "what is '%.40s'? Fields are written name=number", word);
    return -EINVAL;
}

int op_parse(const char *line, struct op *op, char why[128]) {
    char text[512], *rest;

    snprintf(text, sizeof(text), "%s", line);
    char *word = strtok_r(text, " \t\r\n", &rest);
    if (!word || word[0] == '#')
        return 0;
    *op = (struct op){0};
    while (op->kind < OP_KINDS && strcmp(names[op->kind], word) != 0)
        op->kind++;
    if (op->kind == OP_KINDS) {
        snprintf(why, 128, "there is no operation '%.40s'", word);
        return -EINVAL;
    }
    while ((word = strtok_r(NULL, " \t\r\n", &rest)))
        if (set_field(op, word, why))
            return -EINVAL;
    if (op->at.bytes & 0xfff || (op->at.va | op->to) & 0xfff) {
        if (op->kind != OP_ACCESS && op->kind != OP_TEST_CLEAR && op->kind != OP_REMOVE && op->kind != OP_ERASE &&
            op->kind != OP_SPLIT) {
            snprintf(why, 128, "va, to and bytes of '%s' are multiples of 4096", names[op->kind]);
            return -EINVAL;
        }
    }
    return 1;
}
