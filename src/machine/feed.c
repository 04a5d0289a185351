/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The inner loop: words of a block become translations, cache accesses and OS events. One source for several
 * versions (packed or plain words, with and without data caches, with and without the checker), so that each pays
 * only for what it does.
 */
#include "hw/cache_private.h"
#include "machine/machine_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGE_MASK (EMT_PAGE_BYTES - 1)
/* A fault that the OS resolves is followed by success; more than these in a row for one access are a bug. In two
   dimensions each read of a walk may be the first to its page. */
#define MAX_FAULTS 32

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

/* A virtual machine's fault: the hypervisor's (0, or an error), or the guest's own (1). */
static int leave_guest(struct machine *m, uint64_t va, unsigned type, uint32_t fault) {
    int err = virt_fault(m->virt, va, type, fault);

    if (virt_trouble(m->virt))
        trouble(m, virt_trouble(m->virt), va);
    return err;
}

/* The answer to a fault. Not 0: the access does not happen. */
static int resolve(struct machine *m, struct core *c, uint64_t va, unsigned type, uint32_t fault) {
    int err = m->virt ? leave_guest(m, va, type, fault) : 1;

    if (err <= 0)
        return err;
    m->slow.faults++;
    err = os_fault(c->running, m->current, va, type, fault & ~MMU_FAULT);
    if (m->checker && !err)
        checker_note(m->checker, machine_asid(m, c->running), va & ~PAGE_MASK, EMT_PAGE_BYTES, "page fault",
                     m->accesses);
    if (err == -EFAULT && m->map_unknown && map_unknown(m, c, va))
        return 0;
    if (err == -ESRCH && os_alive(m->os) == 0)
        trouble(m,
                "the simulated machine ran out of memory and killed the program; give it more with memory.bytes, "
                "os.swap.bytes or os.limit.bytes",
                va);
    if (err == -ENOMEM)
        trouble(m, "the simulated machine ran out of memory; give it more with memory.bytes", va);
    return err;
}

int machine_slow(struct machine *m, struct core *c, uint64_t va, unsigned type, uint64_t *pa) {
    struct mmu_translation t;

    m->slow = (struct slow_path){0};
    for (unsigned i = 0; i < MAX_FAULTS; i++) {
        mmu_translate_slow(c->mmu, va, type, &t);
        if (t.walked && m->cfg.software_tlb)
            timing_trap(&c->timing, t.cycles);
        else if (t.cycles)
            timing_walk(&c->timing, t.cycles);
        if (t.flush_cycles)
            timing_trap(&c->timing, t.flush_cycles);
        m->slow.cycles += t.cycles + t.flush_cycles;
        if (m->checker)
            checker_check(m->checker, c->mmu, c->mmu->asid, va, type, &t);
        if (!t.fault) {
            *pa = t.pa;
            return 0;
        }
        int err = resolve(m, c, va, type, t.fault);
        if (err)
            return err;
    }
    trouble(m, "an access faults again and again: a bug of the architecture's driver or walker, or of emt", va);
    return -EFAULT;
}

void machine_count(struct machine *m, unsigned type) {
    m->accesses += type != EMT_FETCH;
    m->stores += type == EMT_STORE;
    m->fetches += type == EMT_FETCH;
}

void machine_data(struct machine *m, uint64_t pa, unsigned type) {
    if (m->caches && type != EMT_FETCH) {
        struct core *c = &m->core[m->current];

        cache_queue(c->caches, pa, type == EMT_STORE, c->instructions, false);
        cache_drain(c->caches);
    }
}

/* What a version of feed() is made for. Constants: all that depends on them is decided by the compiler. */
struct feed_kind {
    bool caches, check;
    bool edge;   /* statistics begin or end somewhere in this block, so each access has to look */
    bool packed; /* the block is */
};

/* Tables of this size lie outside of our host's caches; with a walk for one access in so many of the last block it
   is worth while to look ahead. */
#define LARGE_TABLES_BYTES (16ull << 20)
#define WALKS_SHIFT        3
#define AHEAD              32 /* words */
#define AHEAD_MORE         4  /* one of so many is an access: the others are fetches, PCs, or an event */

/* A walk is due, and soon another: our host may fetch meanwhile what that one reads. For the simulated machine it
   is as if nothing had been done, so it does no harm to take an operand for an access. */
static void expect_ahead(const struct core *c, const uint64_t *next, bool packed) {
    if (!next)
        return;
    for (unsigned i = AHEAD; i < AHEAD + AHEAD_MORE && next + i < c->expect_end; i++) {
        if ((next[i] & EV_KIND_MASK) > EV_STORE)
            continue;
        mmu_expect(c->mmu, packed ? ev_packed_address(next[i]) : ev_address(next[i]));
        return;
    }
}

/* One piece of an access that lies in one page. The word behind `w` is its PC when w says so. */
static inline __attribute__((always_inline)) void piece(struct machine *m, struct core *c, uint64_t va,
                                                        unsigned type, bool dependent, const struct feed_kind k,
                                                        uint64_t w, const uint64_t *next) {
    uint64_t pa;

    if (__builtin_expect(!mmu_translate_fast(c->mmu, va, type, k.caches || k.check ? &pa : NULL), 0)) {
        expect_ahead(c, next, k.packed);
        c->mmu->pc = w & EV_HAS_PC ? *next : 0;
        if (machine_slow(m, c, va, type, &pa))
            return;
    } else if (k.check) {
        checker_check(m->checker, c->mmu, c->mmu->asid, va, type, &(struct mmu_translation){.pa = pa});
    }
    if (k.caches)
        cache_queue(c->caches, pa, type == EMT_STORE, c->instructions, dependent);
}

/* A load or store; one that crosses into the next page is two translations. */
static inline __attribute__((always_inline)) void access_word(struct machine *m, struct core *c, uint64_t w,
                                                              const uint64_t *next, const struct feed_kind k) {
    uint64_t va = k.packed ? ev_packed_address(w) : ev_address(w), last = va + ev_size_bytes(w) - 1;
    unsigned type = w & EV_STORE;
    bool dependent = !k.packed && w & EV_DEPENDENT;

    piece(m, c, va, type, dependent, k, w, next);
    if (__builtin_expect((va ^ last) >> EMT_PAGE_SHIFT, 0))
        piece(m, c, last & ~PAGE_MASK, type, dependent, k, w, next);
}

/* Instructions are fetched at va: looked up where that is another page than before, or was changed since. */
static inline void fetch_word(struct machine *m, struct core *c, uint64_t va, const struct feed_kind k) {
    if (c->code_page == (va & ~PAGE_MASK))
        return;
    c->code_page = va & ~PAGE_MASK;
    m->fetches++;
    piece(m, c, va, EMT_FETCH, false, (const struct feed_kind){.check = k.check}, 0, NULL);
}

/* At stop_at: statistics begin, or the limit is reached. true: stop. */
static bool window_edge(struct machine *m) {
    if (m->accesses < m->stop_at)
        return false;
    if (!m->counting) {
        if (m->caches)
            cache_drain(m->core[m->current].caches);
        machine_begin_counting(m);
        if (m->accesses < m->stop_at)
            return false;
    }
    __atomic_store_n(&m->done, true, __ATOMIC_RELAXED);
    return true;
}

/* An OS event at w[-1]. Returns how many words it took, or a negative errno value. */
static int event(struct machine *m, struct core *c, uint64_t word, const uint64_t *w, const uint64_t *end) {
    unsigned n = ev_operands(word);

    if (ev_kind_of(word) >= EV_COUNT || n != ev_operand_count[ev_kind_of(word)] || n > (size_t)(end - w))
        return -EBADMSG;
    int err = machine_event(m, c->running, ev_kind_of(word), w);
    return err ? err : (int)n;
}

/* Words until the end of the block, or until the process is gone: what its thread still had to say goes with it. */
static inline __attribute__((always_inline)) int feed(struct machine *m, struct core *c, const struct ev_block *b,
                                                      const struct feed_kind k) {
    const uint64_t *w = b->word, *end = b->word + b->words;
    const uint64_t before = c->instructions - b->retired_from;
    uint64_t retired = b->retired_from;

    while (w < end) {
        uint64_t word = *w++;
        unsigned kind = word & EV_KIND_MASK;

        if (kind <= EV_STORE) {
            if (k.packed && (k.caches || k.edge)) {
                retired += ev_retired_since(word, retired);
                c->instructions = before + retired;
            }
            if (k.edge && window_edge(m))
                return 0;
            m->accesses++;
            m->stores += kind;
            access_word(m, c, word, w, k);
            w += (word & EV_HAS_PC) != 0;
        } else if (kind == EV_FETCH) {
            c->instructions += k.packed ? 0 : ev_instructions(word);
            fetch_word(m, c, k.packed ? ev_packed_address(word) : ev_address(word), k);
        } else {
            int n = event(m, c, word, w, end);
            if (n < 0)
                return n;
            w += n;
            c->code_page = CODE_NOWHERE;
            if (!c->running || m->done)
                break;
        }
    }
    if (k.packed)
        c->instructions = before + b->retired_to;
    return 0;
}

#define FEED(caches, check, edge, packed) feed(m, c, b, (const struct feed_kind){caches, check, edge, packed})

/* The version of feed() for this machine and block. */
static int feed_block(struct machine *m, struct core *c, const struct ev_block *b) {
    bool check = m->checker != NULL;

    if (m->stop_at - m->accesses <= b->words) {
        if (b->packed)
            return m->caches ? FEED(true, check, true, true) : FEED(false, check, true, true);
        return m->caches ? FEED(true, check, true, false) : FEED(false, check, true, false);
    }
    if (b->packed) {
        if (check)
            return m->caches ? FEED(true, true, false, true) : FEED(false, true, false, true);
        return m->caches ? FEED(true, false, false, true) : FEED(false, false, false, true);
    }
    if (check)
        return m->caches ? FEED(true, true, false, false) : FEED(false, true, false, false);
    return m->caches ? FEED(true, false, false, false) : FEED(false, false, false, false);
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
        m->core[core].code_page = CODE_NOWHERE;
    }
    if (thread >= m->threads)
        m->threads = thread + 1;
    return err;
}

/* What happens below a guest meanwhile; and whether the host had memory for what the guest's OS did. */
static void host_tick(struct machine *m) {
    virt_tick(m->virt, m->os, machine_instructions(m));
    if (virt_trouble(m->virt))
        trouble(m, virt_trouble(m->virt), 0);
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
    const uint64_t walks = c->mmu->stats.walks;
    const bool expecting = c->walks_of_block > b->words >> WALKS_SHIFT && m->host.table_bytes > LARGE_TABLES_BYTES;
    c->expect_end = expecting && !m->virt ? b->word + b->words : NULL;
    err = feed_block(m, c, b);
    c->walks_of_block = c->mmu->stats.walks - walks;
    if (c->caches)
        cache_drain(c->caches);
    os_tick(m->os, machine_instructions(m));
    if (m->virt)
        host_tick(m);
    if (__builtin_expect(m->accesses >= m->next_sample, 0))
        machine_take_sample(m);
    __atomic_store_n(&m->shown, m->accesses, __ATOMIC_RELAXED);
    return err;
}
