/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks: the port through which an architecture's walker reads physical memory, and what it costs.
 *
 *     cycles = mmu_caches.hit_cycles                     once, when the machine has any of them
 *            + for each group of fetches the slowest     parallel reads wait for the last
 *            + for each update of A or D a cache write   with data caches; the line was read just before
 *
 * A read in the background is made and counted, but nobody waits for it.
 *
 * Each read goes through the data caches (entering at caches.walk_level) or, without them, costs
 * caches.flat_ref_cycles.
 */
#include "core/mm.h"
#include "hw/mmu_private.h"

struct port {
    struct emt_port ops; /* first: the walker's pointer is ours */
    struct mmu *mmu;
    uint32_t cycles;
};

static bool in_memory(const struct mmu *m, uint64_t pa, unsigned words) {
    uint64_t bytes = 8ull * words;
    return words >= 1 && words <= 8 && !(pa & 7) && pa < m->host->phys_bytes && bytes <= m->host->phys_bytes - pa;
}

static int read_words(struct mmu *m, struct emt_fetch *f) {
    if (!in_memory(m, f->pa, f->words))
        return -EFAULT;
    emt_host_read_line(m->host, f->pa, f->words, f->data);
    return 0;
}

static int port_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct port *p = (struct port *)ops;
    struct mmu *m = p->mmu;
    uint32_t slowest = 0;
    for (unsigned i = 0; i < n; i++) {
        int err = read_words(m, &f[i]);
        if (err)
            return err;
        struct cache_answer a = {m->cfg->flat_ref_cycles, CACHE_MEMORY};
        if (m->data_caches)
            a = cache_access(m->data_caches, f[i].pa, false, CACHE_WALK);
        if (a.cycles > slowest && !f[i].background)
            slowest = a.cycles;
        m->stats.walk_refs++;
        m->stats.walk_refs_served[a.served]++;
    }
    p->cycles += slowest;
    return 0;
}

static bool port_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct port *p = (struct port *)ops;
    if (!in_memory(p->mmu, pa, 1))
        return false;
    if (p->mmu->data_caches)
        p->cycles += cache_access(p->mmu->data_caches, pa, true, CACHE_WALK).cycles;
    return __atomic_compare_exchange_n(emt_host_word(p->mmu->host, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static bool port_cache_get(struct emt_port *ops, unsigned cache, uint64_t key, uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (cache >= m->ncache || !m->cache[cache].entry)
        return false;
    bool hit = mmu_cache_get(&m->cache[cache], m->asid, key, value);
    m->stats.mmu_cache_hits[cache] += hit;
    m->stats.mmu_cache_misses[cache] += !hit;
    return hit;
}

static void port_cache_put(struct emt_port *ops, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (cache < m->ncache && m->cache[cache].entry)
        mmu_cache_put(&m->cache[cache], m->asid, key, value);
}

static int peek_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    int err = 0;
    for (unsigned i = 0; i < n && !err; i++)
        err = read_words(((struct port *)ops)->mmu, &f[i]);
    return err;
}

/* An ordinary Linux program: user mode, and the control bits that Linux sets; no protection keys in use. */
static struct emt_access access_of(uint64_t va, unsigned type) {
    return (struct emt_access){
        .va = va,
        .type = (uint8_t)type,
        .user = true,
        .write_protect = true,
        .smep = true,
        .smap = true,
        .nx = true,
    };
}

uint32_t mmu_walk(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *w) {
    struct emt_access access = access_of(va, type);
    struct port p = {.ops = {.fetch = port_fetch, .update = port_update}, .mmu = m};
    if (m->has_caches) {
        p.ops.cache_get = port_cache_get;
        p.ops.cache_put = port_cache_put;
        p.cycles = m->cfg->mmu_cache_cycles;
    }
    if (m->arch->walker->walk(m->arch, &m->root, &access, &p.ops, w) < 0) {
        /* Tables that lead outside of memory: an address that this processor reserves. */
        *w = (struct emt_walk){.fault = true, .code = EMT_PF_PRESENT | EMT_PF_RSVD | EMT_PF_USER};
        w->code |= type == EMT_STORE ? EMT_PF_WRITE : type == EMT_FETCH ? EMT_PF_FETCH : 0;
    }
    m->stats.walks++;
    m->stats.walk_faults += w->fault;
    m->stats.walk_cycles += p.cycles;
    hw_histogram_add(&m->stats.walk_latency, p.cycles);
    return p.cycles;
}

int mmu_peek(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *out) {
    struct emt_access access = access_of(va, type);
    struct port p = {.ops = {.fetch = peek_fetch}, .mmu = m};
    access.peek = true;
    return m->arch->walker->walk(m->arch, &m->root, &access, &p.ops, out);
}
