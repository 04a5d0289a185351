/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks: the port through which an architecture's walker reads physical memory, and what it costs.
 *
 *     cycles = mmu_caches.hit_cycles                     once, when caches are looked up before the first read
 *            + for each group of fetches the slowest     parallel reads wait for the last
 *            + for each update of A or D a cache write   with data caches; the line was read just before
 *
 * With mmu.parallel_reads=answer the group that ends a walk costs the read that held the entry: what the others
 * would have said does not matter any more. A group without an answer still costs its slowest.
 *
 * A read in the background is made and counted, but nobody waits for it. Each read goes through the data caches
 * (entering at caches.walk_level) or, without them, costs caches.flat_ref_cycles.
 *
 * With mmu_caches.kind=pwc a read of an upper entry costs mmu_caches.hit_cycles for the lookup of its level, and
 * only a miss goes on to memory. Reads that a cache answered are no references.
 *
 * With a second dimension (mmu_set_second()) each read and update first waits for the translation of its address,
 * and so does the address that the walk found.
 *
 * With mmu.software_tlb there is no walker: what it would read, the handler of a trap reads, one after the other,
 * as the operating system's data.
 *
 *     cycles = mmu.software_tlb_cycles
 *            + os.cpi * (mmu.software_tlb_instructions + references * mmu.software_tlb_ref_instructions)
 *            + for each reference what it takes longer than a hit in L1
 */
#include "core/mm.h"
#include "hw/mmu_private.h"

struct port {
    struct emt_port ops; /* first: the walker's pointer is ours */
    struct mmu *mmu;
    uint32_t cycles;
    uint32_t instructions;       /* of the handler */
    uint64_t last_pa, last_word; /* pwc: the entry that was read last */
};

static bool in_memory(const struct emt_host *host, uint64_t pa, unsigned words) {
    uint64_t bytes = 8ull * words;
    return words >= 1 && words <= 8 && !(pa & 7) && pa < host->phys_bytes && bytes <= host->phys_bytes - pa;
}

static int read_words(const struct emt_host *host, struct emt_fetch *f) {
    if (!in_memory(host, f->pa, f->words))
        return -EFAULT;
    emt_host_read_line(host, f->pa, f->words, f->data);
    return 0;
}

/* One reference: made, counted, and what it took. */
static inline __attribute__((always_inline)) int refer(struct mmu *m, struct emt_fetch *f, enum cache_user user,
                                                       uint32_t *cycles) {
    uint64_t pa = f->pa;
    uint32_t before = 0;
    int err = read_words(m->host, f);
    if (err)
        return err;
    if (__builtin_expect(m->second != NULL, 0) && !mmu_second_address(m, &pa, EMT_LOAD, &before)) {
        m->violation_cycles = before;
        return -EAGAIN;
    }
    struct cache_answer a = {m->cfg->flat_ref_cycles, CACHE_MEMORY};
    if (m->data_caches)
        a = cache_access(m->data_caches, pa, false, user);
    m->stats.walk_refs++;
    m->stats.walk_refs_served[a.served]++;
    *cycles = before + a.cycles;
    return 0;
}

static bool exchange(struct mmu *m, uint64_t pa, uint64_t expected, uint64_t desired) {
    return __atomic_compare_exchange_n(emt_host_word(m->host, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* ---- a walker in hardware ---- */

/* One more read that is waited for, together with those `waited` before it. */
static inline void wait_for(struct read_group *g, unsigned *waited, const struct emt_fetch *f, uint32_t cycles) {
    if (f->background)
        return;
    if (*waited == 0 || cycles > g->slowest)
        g->slowest = cycles;
    if (*waited < GROUP_READS) {
        g->read[*waited].pa = f->pa;
        g->read[*waited].bytes = 8u * f->words;
        g->read[*waited].cycles = cycles;
        g->n = ++*waited;
    }
}

/* How much sooner than the slowest of the last group the answer was there, if the machine goes on with it. */
static uint32_t ahead(const struct mmu *m, const struct emt_walk *w) {
    const struct read_group *g = &m->group;
    if (m->cfg->parallel_reads != CFG_ANSWER || w->fault || !w->entry)
        return 0;
    for (unsigned i = 0; i < g->n; i++)
        if (w->entry - g->read[i].pa < g->read[i].bytes)
            return g->slowest - g->read[i].cycles;
    return 0;
}

static int port_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct port *p = (struct port *)ops;
    uint32_t cycles;
    unsigned waited = 0;
    for (unsigned i = 0; i < n; i++) {
        int err = refer(p->mmu, &f[i], CACHE_WALK, &cycles);
        if (err)
            return err;
        wait_for(&p->mmu->group, &waited, &f[i], cycles);
    }
    p->cycles += waited ? p->mmu->group.slowest : 0;
    return 0;
}

static bool port_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct port *p = (struct port *)ops;
    uint64_t at = pa;
    if (!in_memory(p->mmu->host, pa, 1))
        return false;
    /* After a violation the walker reads the entry again, and that read ends the walk. */
    if (p->mmu->second && !mmu_second_address(p->mmu, &at, EMT_STORE, &p->cycles))
        return false;
    if (p->mmu->data_caches)
        p->cycles += cache_access(p->mmu->data_caches, at, true, CACHE_WALK).cycles;
    return exchange(p->mmu, pa, expected, desired);
}

static bool look_up(struct mmu *m, unsigned place, uint16_t asid, uint64_t key, uint64_t value[2]) {
    bool hit = mmu_cache_get(&m->cache[place], asid, key, value);
    m->stats.mmu_cache_hits[place] += hit;
    m->stats.mmu_cache_misses[place] += !hit;
    return hit;
}

static bool port_cache_get(struct emt_port *ops, unsigned cache, uint64_t key, uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (cache >= m->ncache || !m->cache[cache].entry)
        return false;
    return look_up(m, cache, m->asid, key, value);
}

static void port_cache_put(struct emt_port *ops, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (cache < m->ncache && m->cache[cache].entry)
        mmu_cache_put(&m->cache[cache], m->asid, key, value);
}

static void port_range_put(struct emt_port *ops, const struct emt_range *range) {
    struct mmu *m = ((struct port *)ops)->mmu;
    m->stats.range_fills++;
    range_tlb_put(m->range_tlb, m->asid, range);
}

static bool is_upper(const struct mmu *m, unsigned cache) {
    return cache < m->ncache && m->arch->walker->caches[cache].upper;
}

/* ---- utc: the upper levels share a structure, their numbers are part of the tag ---- */

/* Above the bits of any key, so that sets are chosen by addresses. */
#define UTC_LEVEL_SHIFT 58

static bool utc_get(struct emt_port *ops, unsigned cache, uint64_t key, uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (!is_upper(m, cache))
        return port_cache_get(ops, cache, key, value);
    return m->cache[m->cache_at[cache]].entry &&
           look_up(m, m->cache_at[cache], m->asid, key | (uint64_t)cache << UTC_LEVEL_SHIFT, value);
}

static void utc_put(struct emt_port *ops, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct mmu *m = ((struct port *)ops)->mmu;
    if (!is_upper(m, cache))
        port_cache_put(ops, cache, key, value);
    else if (m->cache[m->cache_at[cache]].entry)
        mmu_cache_put(&m->cache[m->cache_at[cache]], m->asid, key | (uint64_t)cache << UTC_LEVEL_SHIFT, value);
}

/* ---- pwc: in front of each read of an upper entry; any ASID, tagged by where the entry lies ---- */

#define PWC_FIRST_LEVEL 2
#define PWC_NONE        CFG_MMU_CACHES

/* The place of the cache for entries of this level; PWC_NONE: there is none. */
static unsigned pwc_place(const struct mmu *m, unsigned level) {
    unsigned cache = level - PWC_FIRST_LEVEL;
    if (level < PWC_FIRST_LEVEL || !is_upper(m, cache) || !m->cache[m->cache_at[cache]].entry)
        return PWC_NONE;
    return m->cache_at[cache];
}

static int pwc_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct port *p = (struct port *)ops;
    struct mmu *m = p->mmu;
    unsigned waited = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned place = f[i].words == 1 ? pwc_place(m, f[i].level) : PWC_NONE;
        uint64_t value[EMT_MMU_CACHE_WORDS];
        uint32_t cycles = place == PWC_NONE ? 0 : m->cfg->mmu_cache_cycles, reference = 0;
        if (place != PWC_NONE && look_up(m, place, 0, f[i].pa / 8, value)) {
            f[i].data[0] = value[0];
        } else {
            int err = refer(m, &f[i], CACHE_WALK, &reference);
            if (err)
                return err;
        }
        wait_for(&m->group, &waited, &f[i], cycles + reference);
        p->last_pa = f[i].pa;
        p->last_word = f[i].data[0];
    }
    p->cycles += waited ? m->group.slowest : 0;
    return 0;
}

/* An entry that memory no longer holds goes: else the walker would read it again and again. */
static bool pwc_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct port *p = (struct port *)ops;
    bool done = port_update(ops, pa, expected, desired);
    if (done && p->last_pa == pa)
        p->last_word = desired;
    for (unsigned i = 0; i < p->mmu->ncache && !done; i++)
        if (is_upper(p->mmu, i))
            mmu_cache_drop_keys(&p->mmu->cache[i], 0, pa / 8, pa / 8);
    return done;
}

static bool pwc_get(struct emt_port *ops, unsigned cache, uint64_t key, uint64_t value[2]) {
    return !is_upper(((struct port *)ops)->mmu, cache) && port_cache_get(ops, cache, key, value);
}

/* The walker has found its last read worth keeping: the entry itself is kept, not what the walker makes of it. */
static void pwc_put(struct emt_port *ops, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct port *p = (struct port *)ops;
    struct mmu *m = p->mmu;
    if (!is_upper(m, cache))
        port_cache_put(ops, cache, key, value);
    else if (m->cache[m->cache_at[cache]].entry)
        mmu_cache_put(&m->cache[m->cache_at[cache]], 0, p->last_pa / 8,
                      (uint64_t[EMT_MMU_CACHE_WORDS]){p->last_word});
}

/* ---- software ---- */

/* What a hit in L1 takes is part of an instruction. */
static uint32_t stall(const struct mmu *m, uint32_t cycles) {
    if (!m->data_caches)
        return cycles;
    return cycles > m->cfg->l1d.hit_cycles ? cycles - m->cfg->l1d.hit_cycles : 0;
}

static int handler_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct port *p = (struct port *)ops;
    for (unsigned i = 0; i < n; i++) {
        uint32_t cycles;
        int err = refer(p->mmu, &f[i], CACHE_OS, &cycles);
        if (err)
            return err;
        p->cycles += stall(p->mmu, cycles);
        p->instructions += p->mmu->cfg->software_tlb_ref_instructions;
    }
    return 0;
}

static bool handler_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct port *p = (struct port *)ops;
    struct mmu *m = p->mmu;
    if (!in_memory(m->host, pa, 1))
        return false;
    if (m->data_caches)
        p->cycles += stall(m, cache_access(m->data_caches, pa, true, CACHE_OS).cycles);
    p->instructions += m->cfg->software_tlb_ref_instructions;
    m->stats.handler_writes++;
    return exchange(m, pa, expected, desired);
}

static void handler_end(struct port *p) {
    const struct emt_config *cfg = p->mmu->cfg;
    p->instructions += cfg->software_tlb_instructions;
    p->cycles += cfg->software_tlb_cycles + (uint32_t)(p->instructions * cfg->os.cpi + 0.5);
    p->mmu->stats.handler_instructions += p->instructions;
}

/* ---- a walk ---- */

static void choose_port(struct mmu *m) {
    m->port = (struct emt_port){.fetch = port_fetch, .update = port_update};
    if (m->cfg->software_tlb)
        m->port = (struct emt_port){.fetch = handler_fetch, .update = handler_update};
    if (!m->has_caches)
        return;
    switch (m->cfg->mmu_cache_kind) {
    case CFG_PWC:
        m->port = (struct emt_port){pwc_fetch, pwc_update, pwc_get, pwc_put};
        break;
    case CFG_UTC:
        m->port = (struct emt_port){port_fetch, port_update, utc_get, utc_put};
        break;
    case CFG_PSC:
    case CFG_NO_MMU_CACHES:
        m->port = (struct emt_port){port_fetch, port_update, port_cache_get, port_cache_put};
        break;
    }
}

void mmu_walk_init(struct mmu *m) {
    choose_port(m);
    if (m->range_tlb)
        m->port.range_put = port_range_put;
}

/* Who only looks: at these tables, of this memory. */
struct peek_port {
    struct emt_port ops;
    const struct emt_host *host;
};

static int peek_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    int err = 0;
    for (unsigned i = 0; i < n && !err; i++)
        err = read_words(((struct peek_port *)ops)->host, &f[i]);
    return err;
}

/* The first read that a walk over many pages does not find in the caches of our host: a leaf table's, or a group of
   reads in a hash table. It is asked for, and there the walk ends. */
static int expect_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    const struct emt_host *host = ((struct peek_port *)ops)->host;

    if (n == 1 && f->level > 1)
        return read_words(host, f);
    for (unsigned i = 0; i < n; i++)
        if (in_memory(host, f[i].pa, f[i].words))
            __builtin_prefetch(host->phys + f[i].pa, 1);
    return -EAGAIN;
}

struct emt_access mmu_access_of(uint64_t va, unsigned type) {
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

/* Tables that lead outside of memory: an address that this processor reserves. Or the second dimension is at fault.
 */
static void failed_walk(const struct mmu *m, unsigned type, struct emt_walk *w) {
    *w = (struct emt_walk){.fault = true, .code = EMT_PF_PRESENT | EMT_PF_RSVD | EMT_PF_USER};
    w->code |= type == EMT_STORE ? EMT_PF_WRITE : type == EMT_FETCH ? EMT_PF_FETCH : 0;
    if (m->violated)
        w->code = MMU_VIOLATION;
}

uint32_t mmu_walk(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *w) {
    struct emt_access access = mmu_access_of(va, type);
    struct port p = {.ops = m->port, .mmu = m, .cycles = m->lookup_cycles};
    m->toc.valid = 0;
    m->violated = false;
    m->violation_cycles = 0;
    m->second_page.bytes = 0;
    m->group.n = 0;
    if (m->arch->walker->walk(m->arch, &m->root, &access, &p.ops, w) < 0) {
        failed_walk(m, type, w);
        p.cycles += m->violation_cycles;
    } else {
        p.cycles -= ahead(m, w);
        if (m->second && !w->fault)
            mmu_second_page(m, va, type, w, &p.cycles);
    }
    if (__builtin_expect(m->cfg->software_tlb, 0))
        handler_end(&p);
    m->stats.walks++;
    m->stats.walk_faults += w->fault && !m->violated;
    m->stats.walk_cycles += p.cycles;
    hw_histogram_add(&m->stats.walk_latency, p.cycles);
    return p.cycles;
}

int mmu_peek_tables(const struct emt_arch *arch, const struct emt_host *host, const struct emt_root *root,
                    uint64_t va, unsigned type, struct emt_walk *out) {
    struct emt_access access = mmu_access_of(va, type);
    struct peek_port p = {.ops = {.fetch = peek_fetch}, .host = host};
    access.peek = true;
    return arch->walker->walk(arch, root, &access, &p.ops, out);
}

void mmu_expect(const struct mmu *m, uint64_t va) {
    struct emt_access access = mmu_access_of(va, EMT_LOAD);
    struct peek_port p = {.ops = {.fetch = expect_fetch}, .host = m->host};
    struct emt_walk w;

    access.peek = true;
    m->arch->walker->walk(m->arch, &m->root, &access, &p.ops, &w);
}

int mmu_peek(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *out) {
    struct emt_walk h;
    int err = mmu_peek_tables(m->arch, m->host, &m->root, va, type, out);
    if (err || out->fault || !m->second)
        return err;
    err = mmu_peek(m->second, out->pa + (va - out->va), type, &h);
    if (!err && h.fault)
        *out = (struct emt_walk){.fault = true, .code = MMU_VIOLATION, .va = va};
    else if (!err)
        mmu_compose(out, va, &h);
    return err;
}
