/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ChampSim's traces: one record of 64 bytes an instruction, little-endian, without header (struct input_instr in
 * inc/trace_instruction.h, https://github.com/ChampSim/ChampSim):
 *
 *      0          8         9       10              12            16                      32                 64
 *      | ip (8)   | branch  | taken | written       | read        | stored to             | loaded from       |
 *      |          | (1)     | (1)   | registers (2) | regs (4)    | (2 addresses)         | (4 addresses)     |
 *
 * An address or register of 0 is none. Sizes are not recorded: accesses are taken as one byte, so that none crosses
 * a page which did not. A load that reads a register which the latest load wrote counts as dependent on it.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "input/trace/trace.h"

enum { RECORD = 64, WRITTEN = 10, READ = 12, STORES = 16, LOADS = 32 };
/* ChampSim's numbers of the stack pointer, flags and instruction pointer: as sources they say nothing of an
 * address. */
enum { REG_STACK = 6, REG_FLAGS = 25, REG_IP = 26 };

static uint64_t le64(const uint8_t *at) {
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return le64toh(v);
}

static bool is_set(const struct foreign *f, uint8_t reg) {
    return f->loaded[reg / 64] >> reg % 64 & 1;
}

/* Does the instruction read what the latest load wrote? */
static bool reads_loaded(const struct foreign *f, const uint8_t *record) {
    for (int i = 0; i < 4; i++) {
        uint8_t reg = record[READ + i];

        if (reg && reg != REG_STACK && reg != REG_FLAGS && reg != REG_IP && is_set(f, reg))
            return true;
    }
    return false;
}

/* What it writes is now a loaded value, or is one no longer. */
static void note_written(struct foreign *f, const uint8_t *record, bool load) {
    if (load)
        memset(f->loaded, 0, sizeof(f->loaded));
    for (int i = 0; i < 2; i++) {
        uint8_t reg = record[WRITTEN + i];

        if (load)
            f->loaded[reg / 64] |= 1ull << reg % 64;
        else
            f->loaded[reg / 64] &= ~(1ull << reg % 64);
    }
}

static int bad_record(struct foreign *f, const char *what, uint64_t value) {
    snprintf(f->pub.error, sizeof(f->pub.error),
             "%s: record %llu (byte %llu): %s 0x%llx is impossible: not a ChampSim trace, or corrupt", f->pub.what,
             (unsigned long long)f->records, (unsigned long long)((f->records - 1) * RECORD), what,
             (unsigned long long)value);
    return -EILSEQ;
}

static int check_record(struct foreign *f, const uint8_t *record) {
    if (record[8] > 1)
        return bad_record(f, "the branch mark", record[8]);
    if (record[9] > 1)
        return bad_record(f, "the branch-taken mark", record[9]);
    if (!foreign_valid(le64(record)))
        return bad_record(f, "the instruction's address", le64(record));
    for (int i = STORES; i < RECORD; i += 8)
        if (!foreign_valid(le64(record + i)))
            return bad_record(f, "the data's address", le64(record + i));
    return 0;
}

static int read_record(struct foreign *f) {
    uint8_t record[RECORD];
    ssize_t n = stream_read(f->in, record, sizeof(record));
    bool load = false, dependent;
    uint64_t ip, va;
    int err;

    if (n == 0)
        return 0;
    if (n < 0) {
        snprintf(f->pub.error, sizeof(f->pub.error), "%s", stream_error(f->in));
        return (int)n;
    }
    f->records++;
    if (n < RECORD) {
        snprintf(f->pub.error, sizeof(f->pub.error),
                 "%s: truncated: record %llu (byte %llu) has only %zd of %d bytes", f->pub.what,
                 (unsigned long long)f->records, (unsigned long long)((f->records - 1) * RECORD), n, RECORD);
        return -EPIPE;
    }
    err = check_record(f, record);
    if (err)
        return err;
    ip = le64(record);
    foreign_instruction(f, ip);
    dependent = reads_loaded(f, record);
    for (int i = LOADS; i < RECORD; i += 8) {
        va = le64(record + i);
        if (!va)
            continue;
        foreign_access(f, false, va, 1, dependent && !load, ip);
        load = true;
    }
    for (int i = STORES; i < LOADS; i += 8)
        if ((va = le64(record + i)))
            foreign_access(f, true, va, 1, false, ip);
    note_written(f, record, load);
    return 1;
}

bool champsim_is(const uint8_t *at, size_t have) {
    if (have < RECORD)
        return false;
    for (; have >= RECORD; at += RECORD, have -= RECORD) {
        if (!le64(at) || at[8] > 1 || at[9] > 1)
            return false;
        for (int i = 0; i < RECORD; i += i ? 8 : STORES)
            if (!foreign_valid(le64(at + i)))
                return false;
    }
    return true;
}

int champsim_open(struct ev_source **out, struct stream *in, char *why, size_t bytes) {
    return foreign_open(out, in, read_record, why, bytes);
}
