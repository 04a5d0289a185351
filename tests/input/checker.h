/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reads a source to its end and checks what every source must keep: whole items, known events, and that each access
   and fetch lies in a mapping that was announced before. */
#ifndef EMT_TESTS_CHECKER_H
#define EMT_TESTS_CHECKER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "input/input.h"

struct vma {
    uint64_t base, end;
    unsigned prot;
};

struct checker {
    struct vma *vma;
    unsigned vmas, threads;
    uint64_t blocks, words, loads, stores, instructions, dependent, pcs, hash;
    /* Called for each load and store; `vma` is its index in order of announcement. May be NULL. */
    void (*each)(struct checker *, uint64_t word, uint64_t pc, unsigned vma);
    void *ctx;
};

static inline void add_vma(struct checker *c, uint64_t base, uint64_t bytes, unsigned prot) {
    assert_int_equal(base % 4096, 0);
    assert_int_equal(bytes % 4096, 0);
    assert_true(bytes > 0 && base + bytes > base);
    for (unsigned i = 0; i < c->vmas; i++)
        assert_true(base >= c->vma[i].end || base + bytes <= c->vma[i].base);
    if ((c->vmas & (c->vmas - 1)) == 0)
        c->vma = realloc(c->vma, sizeof(*c->vma) * (c->vmas ? 2 * c->vmas : 1));
    assert_non_null(c->vma);
    c->vma[c->vmas++] = (struct vma){base, base + bytes, prot};
}

/* The mapping of [va, va + bytes); the last may go on in the next mapping. */
static inline unsigned find_vma(const struct checker *c, uint64_t va, unsigned bytes, unsigned prot) {
    unsigned first = c->vmas, last = c->vmas;

    for (unsigned i = 0; i < c->vmas; i++) {
        if (va >= c->vma[i].base && va < c->vma[i].end)
            first = i;
        if (va + bytes - 1 >= c->vma[i].base && va + bytes - 1 < c->vma[i].end)
            last = i;
    }
    if (first == c->vmas || last == c->vmas)
        fail_msg("0x%llx (%u bytes) lies in no mapping", (unsigned long long)va, bytes);
    if ((c->vma[first].prot & prot) != prot)
        fail_msg("0x%llx: mapping does not allow %u", (unsigned long long)va, prot);
    return first;
}

static inline void check_event(struct checker *c, const struct ev_block *b, const uint64_t *at) {
    unsigned n = ev_operands(*at);
    enum ev_event event = ev_kind_of(*at);

    assert_true(event > EV_NONE && event < EV_COUNT);
    assert_int_equal(n, ev_operand_count[event]);
    assert_true(at + n < b->word + b->words);
    if (event == EV_MMAP)
        add_vma(c, at[1], at[2], (unsigned)at[3]);
    if (event == EV_STACK)
        add_vma(c, at[1], at[2] - at[1], PROT_READ | PROT_WRITE);
    if (event == EV_THREAD)
        assert_int_equal(at[1], c->threads++);
}

static inline void check_block(struct checker *c, const struct ev_block *b, bool pcs) {
    assert_in_range(b->words, 1, EV_BLOCK_WORDS);
    assert_int_equal(b->process, 1);
    for (uint32_t i = 0; i < b->words; i++) {
        uint64_t word = b->word[i], pc = 0;

        c->hash = (c->hash ^ word ^ b->thread) * 0x100000001b3ull;
        switch (word & EV_KIND_MASK) {
        case EV_EVENT:
            check_event(c, b, &b->word[i]);
            i += ev_operands(word);
            continue;
        case EV_FETCH:
            c->instructions += ev_instructions(word);
            find_vma(c, ev_address(word), 1, PROT_EXEC);
            assert_int_equal(ev_address(word) >> 12, (ev_address(word) + ev_instructions(word) - 1) >> 12);
            continue;
        }
        assert_int_equal((word & EV_HAS_PC) != 0, pcs);
        if (word & EV_HAS_PC) {
            pc = b->word[++i];
            assert_true(i < b->words);
            find_vma(c, pc, 1, PROT_EXEC);
            c->pcs++;
            c->hash = (c->hash ^ pc) * 0x100000001b3ull;
        }
        c->dependent += (word & EV_DEPENDENT) != 0;
        *((word & EV_KIND_MASK) == EV_LOAD ? &c->loads : &c->stores) += 1;
        unsigned vma = find_vma(c, ev_address(word), ev_size_bytes(word),
                                (word & EV_KIND_MASK) == EV_LOAD ? PROT_READ : PROT_WRITE);
        if (c->each)
            c->each(c, word, pc, vma);
    }
    assert_true(b->thread < c->threads);
    c->words += b->words;
    c->blocks++;
}

/* To the end of the source: what its last next() returned. Closes it. */
static inline int check_source(struct ev_source *s, struct checker *c, char *error, size_t bytes) {
    const struct ev_block *b;
    int err;

    c->threads = 1;
    while ((err = s->next(s, &b)) > 0) {
        check_block(c, b, s->want_pc);
        s->release(s, b);
    }
    assert_int_equal(s->next(s, &b), err); /* stays so */
    if (error)
        snprintf(error, bytes, "%s", s->error);
    assert_int_equal(err < 0, s->error[0] != '\0');
    s->close(s);
    free(c->vma);
    c->vma = NULL;
    return err;
}

static inline struct checker check_workload(const char *spec, bool pcs,
                                            void (*each)(struct checker *, uint64_t, uint64_t, unsigned),
                                            void *ctx) {
    struct checker c = {.each = each, .ctx = ctx};
    struct ev_source *s;
    char why[512] = "";

    if (workload_open(&s, spec, why, sizeof(why)))
        fail_msg("%s: %s", spec, why);
    s->want_pc = pcs;
    assert_int_equal(check_source(s, &c, why, sizeof(why)), 0);
    return c;
}

#endif
