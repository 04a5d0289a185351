/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The inner loop: words of a block become translations, cache accesses and OS events. One source for four versions
 * (with and without data caches, with and without the checker), so that each pays only for what it does.
 */
#include "hw/cache_private.h"
#include "machine/machine_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGE_MASK (EMT_PAGE_BYTES - 1)
/* A fault that the OS resolves is followed by success; more than these in a row for one access are a bug. */
#define MAX_FAULTS 8

static void trouble(struct machine *m, const char *what, uint64_t va) {
    if (!m->trouble[0])
        snprintf(m->trouble, sizeof(m->trouble), "%s (at 0x%" PRIx64 ", after %" PRIu64 " accesses)", what, va,
                 m->accesses);
    __atomic_store_n(&m->done, true, __ATOMIC_RELAXED);
}

/* Memory that a program uses though no mapping of it was seen: mapped here, counted, and said in the result. */
static bool map_unknown(struct machine *m, struct core *c, uint64_t va) {
    uint64_t addr = va & ~PAGE_MASK;

    if (os_mmap(c->running, &addr, EMT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0, 0))
        return false;
    m->unknown_accesses++;
    return true;
}

/* The OS's answer to a fault. Not 0: the access does not happen. */
static int resolve(struct machine *m, struct core *c, uint64_t va, unsigned type, uint32_t code) {
    int err = os_fault(c->running, m->current, va, type, code);

    if (m->checker && !err)
        checker_note(m->checker, os_process_tdb(c->running)->asid, va & ~PAGE_MASK, EMT_PAGE_BYTES, "page fault",
                     m->accesses);
    if (err == -EFAULT && m->map_unknown && map_unknown(m, c, va))
        return 0;
    if (err == -ENOMEM)
        trouble(m, "the simulated machine ran out of memory; give it more with memory.bytes", va);
    if (err)
        m->lost_accesses++;
    return err;
}

int machine_slow(struct machine *m, struct core *c, uint64_t va, unsigned type, uint64_t *pa) {
    struct mmu_translation t;

    m->slow = (struct slow_path){0};
    for (unsigned i = 0; i < MAX_FAULTS; i++) {
        mmu_translate(c->mmu, va, type, &t);
        if (t.cycles)
            timing_walk(&c->timing, t.cycles);
        m->slow.cycles += t.cycles;
        if (m->checker)
            checker_check(m->checker, c->mmu, c->mmu->asid, va, type, &t);
        if (!t.fault) {
            *pa = t.pa;
            return 0;
        }
        m->slow.faults++;
        int err = resolve(m, c, va, type, t.fault & ~MMU_FAULT);
        if (err)
            return err;
    }
    trouble(m, "an access faults again and again: a bug of the architecture's driver or walker, or of emt", va);
    return -EFAULT;
}

static inline __attribute__((always_inline)) void data(struct machine *m, struct core *c, uint64_t pa, bool store,
                                                       bool dependent) {
    if (cache_data_hit(c->caches, pa, store))
        return;
    struct cache_answer a = cache_access(c->caches, pa, store, CACHE_DATA);
    timing_data(&c->timing, c->instructions, a.cycles - m->cfg.l1d.hit_cycles, dependent);
}

void machine_count(struct machine *m, unsigned type) {
    m->accesses += type != EMT_FETCH;
    *(type == EMT_LOAD ? &m->loads : type == EMT_STORE ? &m->stores : &m->fetches) += 1;
}

void machine_data(struct machine *m, uint64_t pa, unsigned type) {
    if (m->caches && type != EMT_FETCH)
        data(m, &m->core[m->current], pa, type == EMT_STORE, false);
}

/* One piece of an access that lies in one page. */
static inline __attribute__((always_inline)) void piece(struct machine *m, struct core *c, uint64_t va,
                                                        unsigned type, bool dependent, bool caches, bool check) {
    uint64_t pa;

    if (__builtin_expect(!mmu_translate_fast(c->mmu, va, type, &pa), 0)) {
        if (machine_slow(m, c, va, type, &pa))
            return;
    } else if (check) {
        checker_check(m->checker, c->mmu, c->mmu->asid, va, type, &(struct mmu_translation){.pa = pa});
    }
    if (caches && type != EMT_FETCH)
        data(m, c, pa, type == EMT_STORE, dependent);
}

/* A load or store; one that crosses into the next page is two translations. */
static inline __attribute__((always_inline)) void access_word(struct machine *m, struct core *c, uint64_t w,
                                                              unsigned type, bool caches, bool check) {
    uint64_t va = ev_address(w);
    unsigned last = (unsigned)(va & PAGE_MASK) + ev_size_bytes(w) - 1;

    piece(m, c, va, type, w & EV_DEPENDENT, caches, check);
    if (__builtin_expect(last > PAGE_MASK, 0))
        piece(m, c, (va | PAGE_MASK) + 1, type, w & EV_DEPENDENT, caches, check);
}

/* At stop_at: statistics begin, or the limit is reached. true: stop. */
static bool window_edge(struct machine *m) {
    if (!m->counting) {
        machine_begin_counting(m);
        if (m->accesses < m->stop_at)
            return false;
    }
    __atomic_store_n(&m->done, true, __ATOMIC_RELAXED);
    return true;
}

static inline __attribute__((always_inline)) int feed(struct machine *m, struct core *c, const struct ev_block *b,
                                                      bool caches, bool check) {
    const uint64_t *w = b->word, *end = b->word + b->words;

    while (w < end && !m->done) {
        uint64_t word = *w++;

        switch (word & EV_KIND_MASK) {
        case EV_LOAD:
        case EV_STORE:
            if (__builtin_expect(m->accesses == m->stop_at, 0) && window_edge(m))
                return 0;
            m->accesses++;
            if (word & EV_STORE) {
                m->stores++;
                access_word(m, c, word, EMT_STORE, caches, check);
            } else {
                m->loads++;
                access_word(m, c, word, EMT_LOAD, caches, check);
            }
            w += (word & EV_HAS_PC) != 0;
            break;
        case EV_FETCH:
            c->instructions += ev_instructions(word);
            m->fetches++;
            piece(m, c, ev_address(word), EMT_FETCH, false, false, check);
            break;
        default: {
            unsigned n = ev_operands(word);
            if (ev_kind_of(word) >= EV_COUNT || n != ev_operand_count[ev_kind_of(word)] || n > (size_t)(end - w))
                return -EBADMSG;
            int err = machine_event(m, c->running, ev_kind_of(word), w);
            if (err)
                return err;
            w += n;
            if (!c->running)
                return 0; /* the process is gone, and with it what its thread still had to say */
        }
        }
    }
    return 0;
}

int machine_dispatch(struct machine *m, uint32_t process, uint32_t thread) {
    unsigned core = thread % m->cfg.core.count;
    struct os_process *p = os_process_find(m->os, process);
    int err = 0;

    m->current = core;
    if (!p) {
        err = os_process_new(m->os, process, &p);
        m->processes++;
    }
    if (!err && m->core[core].running != p) {
        err = os_switch(p, core);
        m->core[core].running = p;
    }
    if (thread >= m->threads)
        m->threads = thread + 1;
    return err;
}

int machine_feed(struct machine *m, const struct ev_block *b) {
    if (m->done || b->words == 0)
        return 0;
    if (b->words > EV_BLOCK_WORDS)
        return -EBADMSG;
    int err = machine_dispatch(m, b->process, b->thread);
    if (err == -ENOMEM) {
        trouble(m, "the simulated machine has no memory for another process; give it more with memory.bytes", 0);
        return 0;
    }
    if (err)
        return err;
    struct core *c = &m->core[m->current];
    if (m->caches)
        err = m->checker ? feed(m, c, b, true, true) : feed(m, c, b, true, false);
    else
        err = m->checker ? feed(m, c, b, false, true) : feed(m, c, b, false, false);
    os_tick(m->os, machine_instructions(m));
    __atomic_store_n(&m->shown, m->accesses, __ATOMIC_RELAXED);
    return err;
}
