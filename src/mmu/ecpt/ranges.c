/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ranges and huge pages. One walk over a range serves all range functions: within a line it steps by pointer, from
 * line to line by hashing, over what the PMD table and the walk tables know as void in one step.
 */
#include "mmu/ecpt/table.h"

enum { LINES_2M = 64, LINES_1G = 64 }; /* PTE lines in 2 MiB; PMD lines in 1 GiB */

/*
 *     struct span w = span_of(tdb, va, bytes);
 *     while (span_next(&w))
 *         ... w.slot ...
 *
 * Who makes objects void adds to `gone`; they are counted when the walk leaves the line, of the PTE table: there
 * all slots of its 32 KiB are the line's. In the other tables, at once.
 */
struct span {
    struct emt_tdb *tdb;
    uint64_t next, last; /* inclusive: a range may end at the top of the address space */
    bool done;
    unsigned gone;
    struct ecpt_near near;
    struct ecpt_slot slot;
};

static struct span span_of(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return (struct span){.tdb = tdb, .next = va, .last = va + bytes - 1, .done = bytes == 0};
}

static void span_leave(struct span *w) {
    if (w->gone)
        ecpt_count_gone(w->tdb, &w->near, w->slot.table, w->slot.va, w->slot.line, w->gone);
    w->gone = 0;
}

static bool span_next(struct span *w) {
    for (;;) {
        if (w->gone && (w->done || w->slot.table != ECPT_PTE ||
                        ecpt_key(w->slot.table, w->next) != ecpt_key(w->slot.table, w->slot.va)))
            span_leave(w);
        if (w->done)
            return false;
        w->slot = ecpt_look(w->tdb, &w->near, w->next);
        w->next = w->slot.va + w->slot.bytes;
        w->done = w->next - 1 >= w->last;
        if (ecpt_slot_object(&w->slot))
            return true;
    }
}

static void gather(struct emt_gather *g, const struct ecpt_slot *s) {
    if (s->va < g->lo)
        g->lo = s->va;
    if (s->va + s->bytes > g->hi)
        g->hi = s->va + s->bytes;
    if (s->bytes < g->stride)
        g->stride = s->bytes;
}

int ecpt_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                     struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        ecpt_replace(tdb, &w.slot, 0);
        w.gone++;
        if (w.slot.word & ECPT_MASK(P))
            gather(g, &w.slot);
        const struct emt_tobj old = ecpt_slot_tobj(&w.slot);
        if (gone)
            gone(ctx, &old);
    }
    return 0;
}

/*
 * May a TLB that knows `old` do what `now` forbids, or find another page? A right that is only in `now` costs it at
 * worst one fault (SDM vol. 3, 4.10.4.3).
 */
static bool needs_flush(uint64_t old, uint64_t now) {
    const uint64_t granted = ECPT_MASK(RW) | ECPT_MASK(US) | ECPT_MASK(D);
    const uint64_t exact = ECPT_MASK(FRAME) | ECPT_MASK(G) | ECPT_MASK(PK) | ECPT_MASK(PAT) | ECPT_MASK(CACHE_LOW);

    if (!(old & ECPT_MASK(P)))
        return false;
    return !(now & ECPT_MASK(P)) || (old & ~now & granted) || (now & ~old & ECPT_MASK(NX)) || ((old ^ now) & exact);
}

int ecpt_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const uint64_t old = ECPT_OBJECT(w.slot.word), now = ecpt_with_prot(old, prot);

        if (!(old & ECPT_MASK(P)) || now == old)
            continue;
        if (needs_flush(old, now))
            gather(g, &w.slot);
        ecpt_replace(tdb, &w.slot, now);
    }
    return 0;
}

int ecpt_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                    void *ctx, struct emt_gather *src_gather) {
    const uint64_t ad = ECPT_MASK(A) | ECPT_MASK(D);
    struct span w = span_of(src, va, bytes);
    struct ecpt_near near = {.line = {0}};

    while (span_next(&w)) {
        const struct emt_tobj old = ecpt_slot_tobj(&w.slot);
        struct emt_tobj from = old, to = old;
        int err = copy(ctx, &from, &to);

        if (err < 0)
            return err;
        if (err == 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if ((from.raw[0] ^ old.raw[0]) & ~ad || from.va != old.va || from.bytes != old.bytes) {
            if (from.va != old.va || ecpt_object_table(&from) != w.slot.table)
                return -EINVAL;
            if (needs_flush(old.raw[0], from.raw[0]))
                gather(src_gather, &w.slot);
            ecpt_replace(src, &w.slot, from.raw[0]);
        }
        err = ecpt_update(dst, &near, &to);
        if (err)
            return err;
    }
    return 0;
}

/* The objects of a range go. Each has a copy at `to`, which gets what hardware noted in it until then. */
static void leave(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    struct span w = span_of(tdb, from, bytes);
    struct ecpt_near near = {.line = {0}};

    while (span_next(&w)) {
        ecpt_replace(tdb, &w.slot, 0);
        w.gone++;
        if (w.slot.word & ECPT_MASK(P))
            gather(g, &w.slot);
        const struct ecpt_slot copy = ecpt_look(tdb, &near, w.slot.va - from + to);
        const uint64_t ad = w.slot.word & ~copy.word & (ECPT_MASK(A) | ECPT_MASK(D));
        if (ad && !ecpt_is_swap(ECPT_OBJECT(copy.word)))
            ecpt_merge(tdb->svc->host, ecpt_slot_pa(&copy), ad);
    }
}

/*
 * All copies first: that may need memory, and when there is none they go again, which needs none. (One by one would
 * not do: others may have been kicked to where an object was, and then it does not get back.) While both are there
 * the tables are fuller than they will be: they do not grow before they must.
 */
int ecpt_range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    struct ecpt *e = ecpt_of(tdb);
    struct span w = span_of(tdb, from, bytes);
    struct ecpt_near near = {.line = {0}};
    uint64_t reached_bytes = 0;
    int err = 0;

    e->moving = true;
    while (!err && span_next(&w)) {
        struct emt_tobj o = ecpt_slot_tobj(&w.slot);

        reached_bytes = o.va - from;
        o.va += to - from;
        err = o.va & (o.bytes - 1) || !ecpt_canonical(o.va) ? -EINVAL : ecpt_update(tdb, &near, &o);
    }
    e->moving = false;
    if (err)
        leave(tdb, to, from, reached_bytes, g);
    else
        leave(tdb, from, to, bytes, g);
    return err;
}

int ecpt_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                   struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const struct emt_tobj old = ecpt_slot_tobj(&w.slot);
        const unsigned ad = w.slot.word & ECPT_MASK(P) ? ecpt_test_clear(tdb, &w.slot, mask) : 0;

        if (!ad)
            continue;
        gather(g, &w.slot);
        aged(ctx, &old, ad);
    }
    return 0;
}

/*
 * The question before every huge page fault. The PMD table's entry answers it for 2 MiB: a page, lines below, or a
 * void; the PTE table is not asked unless only a part of the 2 MiB is in question.
 */
bool ecpt_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    const uint64_t block = 1ull << EMT_SHIFT_2M, section = 1ull << ecpt_line_shift(ECPT_PMD);
    struct span w = span_of(tdb, va, bytes);

    while (!w.done) {
        const uint64_t base = w.next & ~(block - 1);
        const bool whole = base == w.next && w.last - base >= block - 1;

        if (whole && ecpt_line_at(tdb, &w.near, ECPT_PMD, base) != EMT_NO_PA) {
            const uint64_t word = emt_table_read(tdb->svc->host, ecpt_line_at(tdb, &w.near, ECPT_PMD, base) +
                                                                     8 * ecpt_index(ECPT_PMD, base));
            if (ECPT_OBJECT(word))
                return false;
            w.next = base + block;
        } else if (whole && !ecpt_of(tdb)->set[ECPT_PUD].lines && (base ^ w.last) < section) {
            return true; /* no line for these 16 MiB, and no page of 1 GiB anywhere */
        } else {
            w.slot = ecpt_look(tdb, &w.near, w.next);
            if (ecpt_slot_object(&w.slot))
                return false;
            w.next = w.slot.va + w.slot.bytes;
        }
        w.done = w.next - 1 >= w.last;
    }
    return true;
}

/* ---- huge pages ---- */

/* The lines of the PTE table in the 2 MiB at va go, and nothing else: the PMD table does not count them any more.
 */
static void erase_lines(struct emt_tdb *tdb, uint64_t va) {
    struct ecpt *e = ecpt_of(tdb);
    struct emt_host *host = tdb->svc->host;

    for (unsigned i = 0; i < LINES_2M && e->set[ECPT_PTE].lines; i++) {
        const uint64_t at = va + ((uint64_t)i << ecpt_line_shift(ECPT_PTE));
        const struct ecpt_place line = ecpt_find(e, ECPT_PTE, ecpt_key(ECPT_PTE, at));

        if (line.pa == EMT_NO_PA)
            continue;
        emt_table_write(host, line.pa + 8 * ECPT_GATE, 0);
        ecpt_removed(e, ECPT_PTE, line.pa);
    }
}

/* All of 4 KiB and 2 MiB in the 1 GiB at va goes. */
static void erase_1g(struct emt_tdb *tdb, uint64_t va) {
    struct ecpt *e = ecpt_of(tdb);

    for (unsigned i = 0; i < LINES_1G; i++) {
        const uint64_t at = va + ((uint64_t)i << ecpt_line_shift(ECPT_PMD));
        const struct ecpt_place line = ecpt_find(e, ECPT_PMD, ecpt_key(ECPT_PMD, at));
        bool below = false, pages = false;

        if (line.pa == EMT_NO_PA)
            continue;
        for (unsigned k = 0; k < ECPT_WORDS; k++) {
            const uint64_t word = emt_table_read(tdb->svc->host, line.pa + 8 * k);
            pages |= ecpt_is_object(word);
            below |= ecpt_is_below(word);
            if (ecpt_is_below(word))
                erase_lines(tdb, at + ((uint64_t)k << EMT_SHIFT_2M));
        }
        emt_table_write(tdb->svc->host, line.pa + 8 * ECPT_GATE, 0);
        ecpt_removed(e, ECPT_PMD, line.pa);
        if (below)
            ecpt_cwt_set(e, ECPT_PTE, at, 0, false);
        if (pages)
            ecpt_cwt_set(e, ECPT_PMD, at, 0, false);
    }
}

/* A page of 2 MiB takes the place of the entry that counted the lines below it: no memory is needed. */
static void collapse_2m(struct emt_tdb *tdb, struct ecpt_near *near, const struct emt_tobj *huge) {
    struct ecpt *e = ecpt_of(tdb);
    const uint64_t line = ecpt_line_at(tdb, near, ECPT_PMD, huge->va);
    const uint64_t pa = line + 8 * ecpt_index(ECPT_PMD, huge->va);
    const uint64_t word = emt_table_read(tdb->svc->host, pa);

    ecpt_cwt_set(e, ECPT_PMD, huge->va, ecpt_line_way(near, ECPT_PMD), true); /* has a line there: cannot fail */
    emt_table_write(tdb->svc->host, pa, huge->raw[0] | (word & ECPT_MASK(LINE)));
    erase_lines(tdb, huge->va);
    if (!ecpt_line_has(tdb, line, true))
        ecpt_cwt_set(e, ECPT_PTE, huge->va, 0, false);
}

/*
 * The huge page comes first, then the small ones go; between the two a walker finds the one or the other. It needs
 * memory only for a page of 1 GiB, before anything has changed.
 */
int ecpt_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    const enum ecpt_table t = ecpt_object_table(huge);
    struct ecpt_near near = {.line = {0}};

    if (t == ECPT_TABLES)
        return -EINVAL;
    struct ecpt_slot s = ecpt_look(tdb, &near, huge->va);
    int err = ecpt_update(tdb, &near, huge);
    if (err != -EEXIST) {
        if (!err && s.word & ECPT_MASK(P))
            gather(g, &s);
        return err;
    }
    if (s.bytes > huge->bytes)
        return err;
    if (t == ECPT_PMD) {
        collapse_2m(tdb, &near, huge);
    } else {
        err = ecpt_insert_over(tdb, &near, huge);
        if (err)
            return err;
        erase_1g(tdb, huge->va);
    }
    s = (struct ecpt_slot){.va = huge->va, .bytes = huge->bytes};
    gather(g, &s);
    g->stride = EMT_PAGE_BYTES;
    return 0;
}

/* Eight pieces of a page of table `from`, from number `first` on, as a line of `to` at va. */
static int piece_line(struct ecpt *e, uint64_t object, enum ecpt_table from, enum ecpt_table to, uint64_t va,
                      uint64_t first, struct ecpt_place *at) {
    uint64_t line[ECPT_WORDS];

    ecpt_line_new(to, ecpt_key(to, va), line);
    for (unsigned k = 0; k < ECPT_WORDS; k++)
        line[k] |= ecpt_piece(object, from, to, first + k);
    line[ECPT_GATE] += (uint64_t)ECPT_WORDS << ECPT_COUNT_FIRST;
    return ecpt_insert(e, to, ecpt_key(to, va), line, at);
}

/* The pieces of 4 KiB of the 2 MiB at va, which are number `first` and so on of the page. */
static int pieces_2m(struct ecpt *e, uint64_t object, enum ecpt_table from, uint64_t va, uint64_t first) {
    struct ecpt_place at;
    int err = 0;

    for (unsigned i = 0; i < LINES_2M && !err; i++)
        err = piece_line(e, object, from, ECPT_PTE, va + ((uint64_t)i << ecpt_line_shift(ECPT_PTE)),
                         first + i * ECPT_WORDS, &at);
    return err;
}

/* The pieces of 16 MiB of a page of 1 GiB. Whatever has been done when memory runs out, erase_1g() finds. */
static int pieces_16m(struct ecpt *e, uint64_t object, enum ecpt_table to, uint64_t va, uint64_t offset) {
    uint64_t line[ECPT_WORDS];
    struct ecpt_place at;
    int err = ecpt_cwt_set(e, to, va, 0, true);

    if (err)
        return err;
    if (to == ECPT_PMD) {
        err = piece_line(e, object, ECPT_PUD, ECPT_PMD, va, offset >> EMT_SHIFT_2M, &at);
    } else {
        ecpt_line_new(ECPT_PMD, ecpt_key(ECPT_PMD, va), line);
        for (unsigned k = 0; k < ECPT_WORDS; k++)
            line[k] |= ECPT_MASK(BELOW) | (uint64_t)LINES_2M << ECPT_FRAME_FIRST;
        line[ECPT_GATE] += (uint64_t)ECPT_WORDS << ECPT_COUNT_FIRST;
        err = ecpt_insert(e, ECPT_PMD, ecpt_key(ECPT_PMD, va), line, &at);
    }
    if (err) {
        ecpt_cwt_set(e, to, va, 0, false);
        return err;
    }
    ecpt_cwt_moved(e, ECPT_PMD, ecpt_key(ECPT_PMD, va), at.way);
    for (unsigned k = 0; k < ECPT_WORDS && to == ECPT_PTE && !err; k++) {
        const uint64_t in = (uint64_t)k << EMT_SHIFT_2M;
        err = pieces_2m(e, object, ECPT_PUD, va + in, (offset + in) >> EMT_PAGE_SHIFT);
    }
    return err;
}

static int pieces_1g(struct emt_tdb *tdb, uint64_t object, enum ecpt_table to, uint64_t va) {
    const uint64_t step = 1ull << ecpt_line_shift(ECPT_PMD);
    int err = 0;

    for (unsigned i = 0; i < LINES_1G && !err; i++)
        err = pieces_16m(ecpt_of(tdb), object, to, va + i * step, i * step);
    if (err)
        erase_1g(tdb, va);
    return err;
}

/* A or D came to the huge page after its pieces were made: all of them get it. */
static void pieces_add(struct emt_tdb *tdb, const struct ecpt_slot *s, uint64_t ad, enum ecpt_table to) {
    const uint64_t bytes = 1ull << ecpt_entry_shift(to);
    struct ecpt_near near = {.line = {0}};

    for (uint64_t va = s->va; ad && va - s->va < s->bytes; va += bytes)
        ecpt_merge(tdb->svc->host, ecpt_line_at(tdb, &near, to, va) + 8 * ecpt_index(to, va), ad);
}

/*
 * The pieces come first, while the huge page is still there: a walker finds the one or the other, of the same
 * frame. Then the huge entry goes; what hardware noted in it meanwhile is added to the pieces. On -ENOMEM the
 * pieces go.
 */
int ecpt_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    struct ecpt *e = ecpt_of(tdb);
    const enum ecpt_table to = ecpt_table_of(bytes);
    struct ecpt_near near = {.line = {0}};
    struct ecpt_slot s = ecpt_look(tdb, &near, va);

    if (!ecpt_slot_object(&s))
        return -ENOENT;
    if (s.bytes <= bytes)
        return 0;
    if (to == ECPT_TABLES)
        return -EINVAL;
    const uint64_t object = ECPT_OBJECT(s.word);
    if (s.table == ECPT_PMD) {
        int err = pieces_2m(e, object, ECPT_PMD, s.va, 0);
        if (err) {
            erase_lines(tdb, s.va);
            return err;
        }
        ecpt_cwt_set(e, ECPT_PTE, s.va, 0, true); /* has a line there: cannot fail */
        ecpt_replace(tdb, &s, ECPT_MASK(BELOW) | (uint64_t)LINES_2M << ECPT_FRAME_FIRST);
        if (!ecpt_line_has(tdb, s.line, false))
            ecpt_cwt_set(e, ECPT_PMD, s.va, 0, false);
    } else {
        int err = pieces_1g(tdb, object, to, s.va);
        if (err)
            return err;
        ecpt_replace(tdb, &s, 0);
        ecpt_count_gone(tdb, &near, ECPT_PUD, s.va, s.line, 1);
    }
    pieces_add(tdb, &s, s.word & ~object & (ECPT_MASK(A) | ECPT_MASK(D)), to);
    if (s.word & ECPT_MASK(P))
        gather(g, &s);
    return 0;
}
