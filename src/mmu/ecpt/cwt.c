/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Cuckoo walk tables (ASPLOS'20, section 5): which page sizes exist in a section, and in which way the section's
 * line is. Software writes them, hardware takes them as hints that may be out of date: it never faults by a hint
 * alone. For the driver they are exact.
 *
 * They change only when the first page of a size comes to a section or the last one leaves, and when a line with
 * huge pages changes its way.
 */
#include "mmu/ecpt/table.h"

enum { PMD_CWTS_PER_SECTION = 8 }; /* lines of 1 GiB in a PUD-CWT's section of 8 GiB */

static uint64_t plane(struct ecpt *e, uint64_t line, unsigned word) {
    return emt_table_read(ecpt_host(e), line + 8 * word);
}

/* One bit of a plane; a store only when it changes, which is returned. */
static bool put_bit(struct ecpt *e, uint64_t line, unsigned word, unsigned section, bool on) {
    const uint64_t old = plane(e, line, word), now = (old & ~(1ull << section)) | (uint64_t)on << section;

    if (now != old)
        emt_table_write(ecpt_host(e), line + 8 * word, now);
    return now != old;
}

/* One more or one less section with pages of a size: hardware probes only tables of sizes in use. */
static void count_section(struct ecpt *e, enum ecpt_table cwt, unsigned size, bool on) {
    if ((cwt == ECPT_PMD_CWT) != (size < ECPT_PUD))
        return; /* the other table counts it */
    e->sections[size] += on ? 1 : -1ull;
    if (e->sections[size] == on)
        ecpt_load(e, 1);
}

static void put_way(struct ecpt *e, uint64_t line, unsigned section, unsigned way) {
    put_bit(e, line, ECPT_CWT_WAY, section, way & 1);
    put_bit(e, line, ECPT_CWT_WAY + 1, section, way >> 1 & 1);
}

/* Is the way of this size's lines in the headers of this table? */
static bool has_way(enum ecpt_table cwt, unsigned size) {
    return size == (cwt == ECPT_PMD_CWT ? ECPT_PMD : ECPT_PUD);
}

static int turn_on(struct ecpt *e, enum ecpt_table cwt, unsigned size, uint64_t va, unsigned way) {
    const uint64_t key = ecpt_key(cwt, va);
    const unsigned section = ecpt_section(cwt, va);
    struct ecpt_place at = ecpt_find(e, cwt, key);

    if (at.pa == EMT_NO_PA) {
        uint64_t line[ECPT_WORDS] = {0};

        line[ECPT_CWT_HAS + size] = 1ull << section;
        if (has_way(cwt, size)) {
            line[ECPT_CWT_WAY] = (uint64_t)(way & 1) << section;
            line[ECPT_CWT_WAY + 1] = (uint64_t)(way >> 1 & 1) << section;
        }
        line[ECPT_GATE] = ecpt_tag_piece(cwt, ECPT_GATE, key);
        int err = ecpt_insert(e, cwt, key, line, &at);
        if (!err)
            count_section(e, cwt, size, true);
        return err;
    }
    if (has_way(cwt, size))
        put_way(e, at.pa, section, way);
    if (put_bit(e, at.pa, ECPT_CWT_HAS + size, section, true))
        count_section(e, cwt, size, true);
    return 0;
}

/* Returns the plane of the size as it is afterwards. A line without any bit goes. */
static uint64_t turn_off(struct ecpt *e, enum ecpt_table cwt, unsigned size, uint64_t va) {
    const struct ecpt_place at = ecpt_find(e, cwt, ecpt_key(cwt, va));
    uint64_t left, any = 0;

    if (at.pa == EMT_NO_PA)
        return 0;
    if (put_bit(e, at.pa, ECPT_CWT_HAS + size, ecpt_section(cwt, va), false))
        count_section(e, cwt, size, false);
    left = plane(e, at.pa, ECPT_CWT_HAS + size);
    for (unsigned i = 0; i < ECPT_SIZES && !left; i++)
        any |= plane(e, at.pa, ECPT_CWT_HAS + i);
    if (!left && !any) {
        emt_table_write(ecpt_host(e), at.pa + 8 * ECPT_GATE, 0);
        ecpt_removed(e, cwt, at.pa);
    }
    return left;
}

/* Does any of the eight PMD-CWT lines of a PUD-CWT's section have pages of this size? */
static bool any_in_8g(struct ecpt *e, unsigned size, uint64_t va) {
    const uint64_t first = ecpt_key(ECPT_PMD_CWT, va) & ~(uint64_t)(PMD_CWTS_PER_SECTION - 1);

    for (unsigned i = 0; i < PMD_CWTS_PER_SECTION; i++) {
        const struct ecpt_place at = ecpt_find(e, ECPT_PMD_CWT, first + i);
        if (at.pa != EMT_NO_PA && plane(e, at.pa, ECPT_CWT_HAS + size))
            return true;
    }
    return false;
}

int ecpt_cwt_set(struct ecpt *e, unsigned size, uint64_t va, unsigned way, bool on) {
    if (!on) {
        if (size < ECPT_PUD && (turn_off(e, ECPT_PMD_CWT, size, va) || any_in_8g(e, size, va)))
            return 0;
        turn_off(e, ECPT_PUD_CWT, size, va);
        return 0;
    }
    int err = size < ECPT_PUD ? turn_on(e, ECPT_PMD_CWT, size, va, way) : 0;
    if (err)
        return err;
    err = turn_on(e, ECPT_PUD_CWT, size, va, way);
    if (err && size < ECPT_PUD)
        turn_off(e, ECPT_PMD_CWT, size, va);
    return err;
}

void ecpt_cwt_moved(struct ecpt *e, enum ecpt_table t, uint64_t key, unsigned way) {
    if (t != ECPT_PMD && t != ECPT_PUD)
        return;
    const enum ecpt_table cwt = t == ECPT_PMD ? ECPT_PMD_CWT : ECPT_PUD_CWT;
    const uint64_t va = key << ecpt_line_shift(t);
    const struct ecpt_place at = ecpt_find(e, cwt, ecpt_key(cwt, va));
    const unsigned section = ecpt_section(cwt, va);

    if (at.pa != EMT_NO_PA && plane(e, at.pa, ECPT_CWT_HAS + t) >> section & 1)
        put_way(e, at.pa, section, way);
}

uint64_t ecpt_cwt_void(struct ecpt *e, uint64_t va) {
    if (!e->set[ECPT_PUD_CWT].lines)
        return 1ull << (ECPT_VA_BITS - 1);
    const struct ecpt_place pud = ecpt_find(e, ECPT_PUD_CWT, ecpt_key(ECPT_PUD_CWT, va));
    if (pud.pa == EMT_NO_PA)
        return 1ull << ecpt_line_shift(ECPT_PUD_CWT);
    uint64_t has = 0;
    for (unsigned i = 0; i < ECPT_SIZES; i++)
        has |= plane(e, pud.pa, ECPT_CWT_HAS + i);
    if (!(has >> ecpt_section(ECPT_PUD_CWT, va) & 1))
        return 1ull << ecpt_entry_shift(ECPT_PUD_CWT);
    return 1ull << (ecpt_cwt_below_1g(e, va) ? ecpt_entry_shift(ECPT_PMD_CWT) : ecpt_line_shift(ECPT_PMD_CWT));
}

bool ecpt_cwt_below_1g(struct ecpt *e, uint64_t va) {
    return ecpt_find(e, ECPT_PMD_CWT, ecpt_key(ECPT_PMD_CWT, va)).pa != EMT_NO_PA;
}
