/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Entries of the three tables: find, insert, replace, remove one.
 *
 * Which size answers for an address? Invariants, whenever nobody is inside of the driver:
 *   - one entry at most of all sizes answers for an address;
 *   - an entry of the PMD table that holds no 2 MiB page counts the lines of the PTE table in its 2 MiB ("below"),
 * so there is a PMD line wherever there is anything of 4 KiB or 2 MiB;
 *   - the walk tables' presence bits are exact.
 * So a line of the PTE table says all about its 32 KiB, one of the PMD table says of its 16 MiB what is void, and
 * the walk tables answer for what has neither. A range of 2 MiB is void when one entry is.
 *
 * An entry comes by one store, the line's count after it; a line comes by table.c. Only hardware's A and D run
 * beside.
 */
#include "mmu/ecpt/table.h"

enum ecpt_table ecpt_table_of(uint64_t bytes) {
    for (enum ecpt_table t = ECPT_PTE; t < ECPT_SIZES; t++)
        if (bytes == 1ull << ecpt_entry_shift(t))
            return t;
    return ECPT_TABLES;
}

enum ecpt_table ecpt_object_table(const struct emt_tobj *o) {
    if (o->va & (o->bytes - 1) || !ecpt_canonical(o->va) || !ecpt_is_object(o->raw[0]) ||
        o->raw[0] & ECPT_MASK(LINE))
        return ECPT_TABLES;
    return ecpt_table_of(o->bytes);
}

struct emt_tobj ecpt_slot_tobj(const struct ecpt_slot *s) {
    return (struct emt_tobj){
        .va = s->va, .bytes = s->bytes, .raw = {ecpt_slot_object(s) ? ECPT_OBJECT(s->word) : 0}};
}

/* ---- finding ---- */

static bool near_has(const struct ecpt *e, const struct ecpt_near *near, enum ecpt_table t, uint64_t va) {
    return near->line[t] && near->key[t] == ecpt_key(t, va) && near->moves[t] == e->set[t].moves;
}

static uint64_t near_line(const struct ecpt_near *near, enum ecpt_table t) {
    return near->line[t] & ~(uint64_t)(ECPT_LINE_BYTES - 1);
}

unsigned ecpt_line_way(const struct ecpt_near *near, enum ecpt_table t) {
    return near->line[t] >> 1 & (ECPT_MAX_WAYS - 1);
}

static void near_put(const struct ecpt *e, struct ecpt_near *near, enum ecpt_table t, uint64_t key,
                     const struct ecpt_place *at) {
    near->line[t] = at->pa | at->way << 1 | 1;
    near->key[t] = key;
    near->moves[t] = e->set[t].moves;
}

/* The line of the PTE or PMD table around va; EMT_NO_PA. */
uint64_t ecpt_line_at(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va) {
    struct ecpt *e = ecpt_of(tdb);

    if (!near_has(e, near, t, va)) {
        const struct ecpt_place at = ecpt_find(e, t, ecpt_key(t, va));
        if (at.pa == EMT_NO_PA)
            return EMT_NO_PA;
        near_put(e, near, t, ecpt_key(t, va), &at);
    }
    return near_line(near, t);
}

static struct ecpt_slot slot_at(struct emt_tdb *tdb, enum ecpt_table t, uint64_t line, uint64_t va) {
    const uint64_t bytes = 1ull << ecpt_entry_shift(t);
    const uint64_t word = emt_table_read(tdb->svc->host, line + 8 * ecpt_index(t, va));

    return (struct ecpt_slot){t, line, word, va & ~(bytes - 1), bytes};
}

static struct ecpt_slot nothing(enum ecpt_table t, uint64_t va, uint64_t bytes) {
    return (struct ecpt_slot){t, EMT_NO_PA, 0, va & ~(bytes - 1), bytes};
}

/* The largest aligned block around va without a canonical address. */
static struct ecpt_slot hole(uint64_t va) {
    uint64_t bytes = 1ull << (ECPT_VA_BITS - 1);

    /* A block of twice the size has some when it begins at 0 or ends at the top. */
    while ((va & ~(2 * bytes - 1)) && (va | (2 * bytes - 1)) != ~0ull)
        bytes *= 2;
    return nothing(ECPT_TABLES, va, bytes);
}

/* Where there is no line of the PTE table. */
static struct ecpt_slot look_above(struct emt_tdb *tdb, uint64_t va) {
    struct ecpt *e = ecpt_of(tdb);
    const struct ecpt_place at = ecpt_find(e, ECPT_PUD, ecpt_key(ECPT_PUD, va));

    if (at.pa != EMT_NO_PA) {
        const struct ecpt_slot s = slot_at(tdb, ECPT_PUD, at.pa, va);
        if (ecpt_slot_object(&s))
            return s;
    }
    return nothing(ECPT_TABLES, va, ecpt_cwt_void(e, va));
}

struct ecpt_slot ecpt_look(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va) {
    const struct ecpt *e = ecpt_of(tdb);
    uint64_t line;

    if (!ecpt_canonical(va))
        return hole(va);
    if (near_has(e, near, ECPT_PTE, va))
        return slot_at(tdb, ECPT_PTE, near_line(near, ECPT_PTE), va);
    /* The line at hand says which of its 2 MiB are void. */
    if (near_has(e, near, ECPT_PMD, va)) {
        const struct ecpt_slot s = slot_at(tdb, ECPT_PMD, near_line(near, ECPT_PMD), va);
        if (!ecpt_is_below(s.word))
            return s;
    }
    line = ecpt_line_at(tdb, near, ECPT_PTE, va);
    if (line != EMT_NO_PA)
        return slot_at(tdb, ECPT_PTE, line, va);
    line = ecpt_line_at(tdb, near, ECPT_PMD, va);
    if (line == EMT_NO_PA)
        return look_above(tdb, va);
    const struct ecpt_slot s = slot_at(tdb, ECPT_PMD, line, va);
    return ecpt_is_below(s.word) ? nothing(ECPT_PTE, va, 1ull << ecpt_line_shift(ECPT_PTE)) : s;
}

/* ---- lines ---- */

void ecpt_line_new(enum ecpt_table t, uint64_t key, uint64_t line[ECPT_WORDS]) {
    for (unsigned i = 0; i < ECPT_WORDS; i++)
        line[i] = ecpt_tag_piece(t, i, key);
}

bool ecpt_line_has(struct emt_tdb *tdb, uint64_t line, bool below) {
    for (unsigned i = 0; i < ECPT_WORDS; i++) {
        const uint64_t word = emt_table_read(tdb->svc->host, line + 8 * i);
        if (below ? ecpt_is_below(word) : ecpt_is_object(word))
            return true;
    }
    return false;
}

/* Add to the count of a line; returns it. Hardware may set A or D in the same word. */
static unsigned count_add(struct emt_tdb *tdb, uint64_t line, int n) {
    const uint64_t pa = line + 8 * ECPT_GATE;
    uint64_t word = emt_table_read(tdb->svc->host, pa), now, found;

    while (now = word + ((uint64_t)(int64_t)n << ECPT_COUNT_FIRST),
           (found = emt_table_cmpxchg(tdb->svc->host, pa, word, now)) != word)
        word = found;
    return (unsigned)ECPT_GET(now, COUNT);
}

/* Store an entry that is no page yet: hardware leaves it alone. Returns what was there. */
static uint64_t entry_store(struct emt_tdb *tdb, enum ecpt_table t, uint64_t line, uint64_t va, uint64_t entry) {
    const uint64_t pa = line + 8 * ecpt_index(t, va), old = emt_table_read(tdb->svc->host, pa);

    emt_table_write(tdb->svc->host, pa, entry | (old & ECPT_MASK(LINE)));
    return ECPT_OBJECT(old);
}

/* A line with one entry. */
static int line_insert(struct emt_tdb *tdb, enum ecpt_table t, uint64_t va, uint64_t entry, struct ecpt_near *near,
                       struct ecpt_place *at) {
    const uint64_t key = ecpt_key(t, va);
    uint64_t line[ECPT_WORDS];

    ecpt_line_new(t, key, line);
    line[ecpt_index(t, va)] |= entry;
    line[ECPT_GATE] += 1ull << ECPT_COUNT_FIRST;
    int err = ecpt_insert(ecpt_of(tdb), t, key, line, at);
    if (!err && t <= ECPT_PMD)
        near_put(ecpt_of(tdb), near, t, key, at);
    return err;
}

/* ---- lines of the PTE table, counted in the PMD table ---- */

static int below_add(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va) {
    struct ecpt *e = ecpt_of(tdb);
    const uint64_t line = ecpt_line_at(tdb, near, ECPT_PMD, va);
    const uint64_t one = ECPT_MASK(BELOW) | 1ull << ECPT_FRAME_FIRST;
    struct ecpt_place at;
    int err;

    if (line == EMT_NO_PA) {
        err = ecpt_cwt_set(e, ECPT_PTE, va, 0, true);
        if (err)
            return err;
        err = line_insert(tdb, ECPT_PMD, va, one, near, &at);
        if (err)
            ecpt_cwt_set(e, ECPT_PTE, va, 0, false);
        return err;
    }
    const struct ecpt_slot s = slot_at(tdb, ECPT_PMD, line, va);
    if (ecpt_is_below(s.word)) {
        entry_store(tdb, ECPT_PMD, line, va, ECPT_OBJECT(s.word) + (1ull << ECPT_FRAME_FIRST));
        return 0;
    }
    if (!ecpt_line_has(tdb, line, true)) {
        err = ecpt_cwt_set(e, ECPT_PTE, va, 0, true);
        if (err)
            return err;
    }
    entry_store(tdb, ECPT_PMD, line, va, one);
    count_add(tdb, line, 1);
    return 0;
}

static void below_sub(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va) {
    const uint64_t line = ecpt_line_at(tdb, near, ECPT_PMD, va);
    const struct ecpt_slot s = slot_at(tdb, ECPT_PMD, line, va);
    const uint64_t lines = ECPT_GET(s.word, FRAME) - 1;

    if (lines) {
        entry_store(tdb, ECPT_PMD, line, va, ECPT_PUT(ECPT_OBJECT(s.word), FRAME, lines));
        return;
    }
    entry_store(tdb, ECPT_PMD, line, va, 0);
    if (!ecpt_line_has(tdb, line, true))
        ecpt_cwt_set(ecpt_of(tdb), ECPT_PTE, va, 0, false);
    if (count_add(tdb, line, -1) == 0)
        ecpt_removed(ecpt_of(tdb), ECPT_PMD, line);
}

/* ---- coming ---- */

/* A line for its first object. What may want memory comes before the object is there for walkers. */
static int first_of_line(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va,
                         uint64_t object) {
    struct ecpt *e = ecpt_of(tdb);
    struct ecpt_place at;
    int err = t == ECPT_PTE ? below_add(tdb, near, va) : ecpt_cwt_set(e, t, va, 0, true);

    if (err)
        return err;
    err = line_insert(tdb, t, va, object, near, &at);
    if (err && t == ECPT_PTE)
        below_sub(tdb, near, va);
    else if (err)
        ecpt_cwt_set(e, t, va, 0, false);
    else if (t != ECPT_PTE)
        ecpt_cwt_moved(e, t, ecpt_key(t, va), at.way);
    return err;
}

static int insert(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va, uint64_t object) {
    struct ecpt *e = ecpt_of(tdb);
    struct ecpt_place at = {.pa = EMT_NO_PA};

    if (t == ECPT_PUD) {
        at = ecpt_find(e, t, ecpt_key(t, va));
    } else {
        at.pa = ecpt_line_at(tdb, near, t, va);
        at.way = ecpt_line_way(near, t);
    }
    if (at.pa == EMT_NO_PA)
        return first_of_line(tdb, near, t, va, object);
    if (t != ECPT_PTE && !ecpt_line_has(tdb, at.pa, false)) {
        int err = ecpt_cwt_set(e, t, va, at.way, true);
        if (err)
            return err;
    }
    entry_store(tdb, t, at.pa, va, object);
    count_add(tdb, at.pa, 1);
    return 0;
}

int ecpt_update(struct emt_tdb *tdb, struct ecpt_near *near, const struct emt_tobj *o) {
    const enum ecpt_table t = ecpt_object_table(o);

    if (t == ECPT_TABLES)
        return -EINVAL;
    const struct ecpt_slot s = ecpt_look(tdb, near, o->va);
    if (ecpt_slot_object(&s)) {
        if (s.table != t)
            return -EEXIST;
        emt_table_write(tdb->svc->host, ecpt_slot_pa(&s), o->raw[0] | (s.word & ECPT_MASK(LINE)));
        return 0;
    }
    if (s.bytes < o->bytes && (t == ECPT_PMD || ecpt_cwt_below_1g(ecpt_of(tdb), o->va)))
        return -EEXIST;
    return insert(tdb, near, t, o->va, o->raw[0]);
}

int ecpt_insert_over(struct emt_tdb *tdb, struct ecpt_near *near, const struct emt_tobj *o) {
    return insert(tdb, near, ECPT_PUD, o->va, o->raw[0]);
}

/* ---- changing and going ---- */

void ecpt_replace(struct emt_tdb *tdb, struct ecpt_slot *s, uint64_t object) {
    const uint64_t ad = ecpt_is_object(object) ? ECPT_MASK(A) | ECPT_MASK(D) : 0;
    uint64_t found;

    for (;;) {
        const uint64_t now = object | (s->word & ECPT_MASK(LINE));
        found = emt_table_cmpxchg(tdb->svc->host, ecpt_slot_pa(s), s->word, now);
        if (found == s->word)
            return;
        object |= found & ~s->word & ad;
        s->word = found;
    }
}

void ecpt_count_gone(struct emt_tdb *tdb, struct ecpt_near *near, enum ecpt_table t, uint64_t va, uint64_t line,
                     unsigned n) {
    struct ecpt *e = ecpt_of(tdb);
    const bool last = t != ECPT_PTE && !ecpt_line_has(tdb, line, false);

    if (count_add(tdb, line, -(int)n) == 0) {
        ecpt_removed(e, t, line);
        if (t == ECPT_PTE)
            below_sub(tdb, near, va);
    }
    if (last)
        ecpt_cwt_set(e, t, va, 0, false);
}

int ecpt_remove(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va, struct emt_tobj *old) {
    struct ecpt_slot s = ecpt_look(tdb, near, va);

    if (!ecpt_slot_object(&s))
        return -ENOENT;
    ecpt_replace(tdb, &s, 0);
    *old = ecpt_slot_tobj(&s);
    ecpt_count_gone(tdb, near, s.table, s.va, s.line, 1);
    return 0;
}

unsigned ecpt_test_clear(struct emt_tdb *tdb, const struct ecpt_slot *s, unsigned mask) {
    const uint64_t bits = ecpt_is_swap(s->word) ? 0
                                                : (mask & EMT_AGE_ACCESSED ? ECPT_MASK(A) : 0) |
                                                      (mask & EMT_AGE_DIRTY ? ECPT_MASK(D) : 0);
    uint64_t word = s->word;

    while (word & bits) {
        const uint64_t found = emt_table_cmpxchg(tdb->svc->host, ecpt_slot_pa(s), word, word & ~bits);
        if (found == word)
            break;
        word = found;
    }
    return (word & bits & ECPT_MASK(A) ? EMT_AGE_ACCESSED : 0) | (word & bits & ECPT_MASK(D) ? EMT_AGE_DIRTY : 0);
}
