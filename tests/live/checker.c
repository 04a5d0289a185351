/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The reader of checker.h: mappings as a sorted array, changed by cutting and inserting. */
#include "tests/live/checker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_REACH (8u << 20) /* how far below its lowest page a stack may grow at most */

struct checker *checker_new(void) {
    struct checker *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->process[1].live = true;
    return c;
}

void checker_free(struct checker *c) {
    for (unsigned i = 0; i < CHECKER_PROCESSES; i++)
        free(c->process[i].area);
    free(c);
}

const struct checker_area *checker_find(const struct checker_process *p, uint64_t va) {
    unsigned low = 0, high = p->areas;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (p->area[middle].end <= va)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == p->areas)
        return NULL;
    const struct checker_area *a = &p->area[low];
    uint64_t reach = a->stack ? STACK_REACH : 0;
    return va >= a->start - reach ? a : NULL;
}

static void insert_at(struct checker_process *p, unsigned at, struct checker_area a) {
    if (p->areas == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 64;
        p->area = realloc(p->area, p->capacity * sizeof(*p->area));
        if (!p->area)
            abort();
    }
    memmove(p->area + at + 1, p->area + at, (p->areas - at) * sizeof(*p->area));
    p->area[at] = a;
    p->areas++;
}

/* Makes start and end borders of areas. */
static void cut(struct checker_process *p, uint64_t border) {
    for (unsigned i = 0; i < p->areas; i++) {
        struct checker_area *a = &p->area[i];
        if (a->start < border && border < a->end) {
            struct checker_area upper = *a;
            a->end = border;
            upper.start = border;
            insert_at(p, i + 1, upper);
            return;
        }
    }
}

static void remove_range(struct checker_process *p, uint64_t start, uint64_t end) {
    cut(p, start);
    cut(p, end);
    unsigned kept = 0;
    for (unsigned i = 0; i < p->areas; i++)
        if (p->area[i].start < start || p->area[i].start >= end)
            p->area[kept++] = p->area[i];
    p->areas = kept;
}

static void add(struct checker_process *p, struct checker_area a) {
    if (a.end <= a.start)
        return;
    remove_range(p, a.start, a.end);
    unsigned at = 0;
    while (at < p->areas && p->area[at].start < a.start)
        at++;
    insert_at(p, at, a);
}

static void protect(struct checker_process *p, uint64_t start, uint64_t end, int prot) {
    cut(p, start);
    cut(p, end);
    for (unsigned i = 0; i < p->areas; i++)
        if (p->area[i].start >= start && p->area[i].end <= end)
            p->area[i].prot = prot;
}

static void move(struct checker_process *p, const uint64_t *o) {
    const struct checker_area *old = checker_find(p, o[0]);
    struct checker_area a = {o[2], o[2] + o[3], old ? old->file : 0, old ? old->prot : 0, false};
    if (!old)
        return;
    remove_range(p, o[0], o[0] + o[1]);
    add(p, a);
}

static void set_heap(struct checker_process *p, uint64_t end) {
    if (p->heap_start == 0) {
        p->heap_start = p->heap_end = end;
        return;
    }
    uint64_t old = (p->heap_end + 4095) & ~4095ull, new = (end + 4095) & ~4095ull;
    if (new > old)
        add(p, (struct checker_area){old, new, 0, PROT_READ | PROT_WRITE, false});
    else
        remove_range(p, new, old);
    p->heap_end = end;
}

static void fork_process(struct checker *c, struct checker_process *parent, uint64_t child) {
    if (child >= CHECKER_PROCESSES) {
        c->bad_words++;
        return;
    }
    struct checker_process *p = &c->process[child];
    c->bad_words += p->live; /* a number is given once */
    *p = *parent;
    p->area = malloc((parent->areas + 1) * sizeof(*p->area));
    if (!p->area)
        abort();
    p->capacity = parent->areas + 1;
    memcpy(p->area, parent->area, parent->areas * sizeof(*p->area));
    unsigned live = 0;
    for (unsigned i = 0; i < CHECKER_PROCESSES; i++)
        live += c->process[i].live;
    if (live > c->max_live)
        c->max_live = live;
}

static void event(struct checker *c, const struct ev_block *b, enum ev_event e, const uint64_t *o) {
    struct checker_process *p = &c->process[b->process];
    c->events[e]++;
    p->last_end = 0;
    switch (e) {
    case EV_MMAP:
        add(p, (struct checker_area){o[0], o[0] + o[1], o[4], (int)o[2], false});
        break;
    case EV_MUNMAP:
        remove_range(p, o[0], o[0] + o[1]);
        break;
    case EV_MPROTECT:
        protect(p, o[0], o[0] + o[1], (int)o[2]);
        break;
    case EV_MREMAP:
        move(p, o);
        break;
    case EV_BRK:
        set_heap(p, o[0]);
        break;
    case EV_STACK:
        add(p, (struct checker_area){o[0], o[1], 0, PROT_READ | PROT_WRITE, true});
        break;
    case EV_FORK:
        fork_process(c, p, o[0]);
        break;
    case EV_EXEC:
        p->areas = 0;
        break;
    case EV_EXIT:
        p->live = false;
        break;
    default:
        break;
    }
    if (c->on_event)
        c->on_event(c, b->process, b->thread, e, o);
}

static void outside(struct checker *c, const struct ev_block *b, uint64_t va, uint64_t *counter) {
    if (c->samples < CHECKER_OUTSIDE) {
        c->sample[c->samples] = va;
        c->sample_process[c->samples++] = b->process;
    }
    ++*counter;
}

static void access(struct checker *c, const struct ev_block *b, uint64_t word) {
    struct checker_process *p = &c->process[b->process];
    uint64_t va = ev_address(word);
    bool store = (word & EV_KIND_MASK) == EV_STORE;
    *(store ? &c->stores : &c->loads) += 1;
    c->sizes[word >> EV_SIZE_SHIFT & 7]++;
    if (c->on_access)
        c->on_access(c, b->process, b->thread, word);
    if (va < p->last_start || va >= p->last_end) {
        const struct checker_area *a = checker_find(p, va);
        if (!a) {
            outside(c, b, va, &c->outside);
            return;
        }
        p->last_start = a->stack ? a->start - STACK_REACH : a->start;
        p->last_end = a->end;
        p->last_prot = a->prot;
    }
    if (!(p->last_prot & (store ? PROT_WRITE : PROT_READ)))
        outside(c, b, va, &c->forbidden);
}

void checker_block(struct checker *c, const struct ev_block *b) {
    if (b->process == 0 || b->process >= CHECKER_PROCESSES || !c->process[b->process].live || b->words == 0 ||
        b->words > EV_BLOCK_WORDS) {
        c->bad_words++;
        return;
    }
    if (b->thread >= c->threads)
        c->threads = b->thread + 1;
    for (uint32_t i = 0; i < b->words; i++) {
        uint64_t w = b->word[i];
        switch (w & EV_KIND_MASK) {
        case EV_FETCH:
            c->instructions += ev_instructions(w);
            const struct checker_area *a = checker_find(&c->process[b->process], ev_address(w));
            if (!a || !(a->prot & PROT_EXEC))
                outside(c, b, ev_address(w), &c->fetch_outside);
            break;
        case EV_EVENT:
            if (ev_kind_of(w) == EV_NONE || ev_kind_of(w) >= EV_COUNT ||
                ev_operands(w) != ev_operand_count[ev_kind_of(w)] || i + ev_operands(w) >= b->words) {
                c->bad_words++;
                return;
            }
            event(c, b, ev_kind_of(w), b->word + i + 1);
            i += ev_operands(w);
            break;
        default:
            access(c, b, w);
            if (w & EV_HAS_PC)
                c->bad_words += ++i >= b->words;
        }
    }
}

void checker_print(const struct checker *c, FILE *out) {
    static const char *const name[EV_COUNT] = {"",      "mmap", "munmap", "mprotect", "mremap", "brk",  "madvise",
                                               "stack", "file", "fork",   "thread",   "exec",   "exit", "mark"};
    fprintf(out, "%" PRIu64 " instructions, %" PRIu64 " loads, %" PRIu64 " stores, %u threads\n", c->instructions,
            c->loads, c->stores, c->threads);
    for (unsigned e = 1; e < EV_COUNT; e++)
        if (c->events[e])
            fprintf(out, "%s %" PRIu64 "  ", name[e], c->events[e]);
    fprintf(out,
            "\nmalformed %" PRIu64 ", accesses outside %" PRIu64 ", forbidden %" PRIu64 ", fetches outside %" PRIu64
            "\n",
            c->bad_words, c->outside, c->forbidden, c->fetch_outside);
    for (unsigned i = 0; i < c->samples; i++)
        fprintf(out, "  process %u at %#" PRIx64 "\n", c->sample_process[i], c->sample[i]);
}
