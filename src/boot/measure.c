/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A guest measured while it runs: boot/measure.h. */
#include "boot/measure_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MASK (EMT_PAGE_BYTES - 1)

/* ---- the walker, as the guest's processor has it ---- */

/* A port between walker and model: remembers where tables are, and leaves them as they are. */
struct between {
    struct emt_port ops; /* first: the walker's pointer is ours */
    struct emt_port *model;
    struct measure *m;
};

static int between_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct between *b = (struct between *)ops;

    for (unsigned i = 0; i < n; i++)
        if (f[i].pa < b->m->host.phys_bytes)
            b->m->table[f[i].pa >> EMT_PAGE_SHIFT >> 6] |= 1ull << (f[i].pa >> EMT_PAGE_SHIFT & 63);
    return b->model->fetch(b->model, f, n);
}

/* The emulated processor has set A and D already, or will. Here it takes time and changes nothing. */
static bool between_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct between *b = (struct between *)ops;

    (void)desired;
    b->model->update(b->model, pa, expected, expected);
    return true;
}

static bool between_get(struct emt_port *ops, unsigned cache, uint64_t key, uint64_t value[2]) {
    struct between *b = (struct between *)ops;

    return b->model->cache_get(b->model, cache, key, value);
}

static void between_put(struct emt_port *ops, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct between *b = (struct between *)ops;

    b->model->cache_put(b->model, cache, key, value);
}

static int measured_walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *access,
                         struct emt_port *port, struct emt_walk *out) {
    const struct measure_arch *mine = (const struct measure_arch *)arch;
    const struct measure_cpu *c = &mine->m->cpu[mine->m->running];
    struct between b = {.ops = {between_fetch, between_update}, .model = port, .m = mine->m};
    struct emt_access a = *access;

    /* The emulated processor has checked the rights, EFLAGS.AC and keys included. */
    /* Descriptor tables are read for user mode as a supervisor would (SDM vol. 3, 4.6, implicit accesses). */
    a.user = !mine->m->kernel && !(a.va >> 63);
    a.smap = a.smep = false;
    if (port->cache_get)
        b.ops.cache_get = between_get, b.ops.cache_put = between_put;
    if (c->upper && a.va >> 63)
        return c->upper->walker->walk(c->upper, &c->upper_root, &a, &b.ops, out);
    return mine->real->walker->walk(mine->real, root, &a, &b.ops, out);
}

/* Can walks of both go through one set of MMU caches? Their keys are addresses, so entries cannot be confused. */
static bool same_caches(const struct emt_walker_ops *a, const struct emt_walker_ops *b) {
    bool same = a->ncaches >= b->ncaches;

    for (unsigned i = 0; same && i < b->ncaches; i++)
        same = a->caches[i].key_shift == b->caches[i].key_shift && a->caches[i].upper == b->caches[i].upper;
    return same;
}

static void wrap(struct measure *m, const struct emt_arch *real) {
    m->walker = *real->walker;
    m->walker.walk = measured_walk;
    m->arch = (struct measure_arch){.arch = *real, .real = real, .m = m};
    m->arch.arch.walker = &m->walker;
}

/* ---- who runs ---- */

/* What has been counted since the last time belongs to the mode that has run. */
static void settle(struct measure *m, struct measure_cpu *c) {
    struct measure_part *part = &m->part[m->kernel];
    const struct mmu_stats *now = c->mmu ? mmu_stats_of(c->mmu) : NULL;
    uint64_t *to = (uint64_t *)(void *)&part->mmu, *last = (uint64_t *)(void *)&c->settled;
    const uint64_t *from = (const uint64_t *)(const void *)now;

    if (!now)
        return;
    if (c->caches)
        cache_drain(c->caches);
    for (size_t i = 0; i < sizeof(*now) / sizeof(uint64_t); i++) {
        to[i] += from[i] - last[i];
        last[i] = from[i];
    }
    for (unsigned t = 0; t < m->cfg.ntlb; t++) {
        struct mmu_tlb_counts n = {0}, *before = &c->tlb[t];

        mmu_tlb_counts(c->mmu, t, &n);
        part->tlb[t].hits += n.hits - before->hits;
        part->tlb[t].misses += n.misses - before->misses;
        part->tlb[t].evictions += n.evictions - before->evictions;
        *before = n;
    }
}

static void run_as(struct measure *m, unsigned cpu, bool kernel) {
    settle(m, &m->cpu[m->running]);
    m->running = cpu;
    m->kernel = kernel;
}

/* Instructions since the last block were that block's. */
static void retire(struct measure *m, uint64_t retired) {
    m->part[m->kernel].instructions += retired - m->retired;
    m->cpu[m->running].instructions += retired - m->retired;
    m->retired = retired;
}

/* ---- the checker ---- */

static void judge(struct measure *m, unsigned i) {
    struct measure_suspicion *s = &m->suspicion[i];

    if (m->findings++ == 0)
        memcpy(m->first, s->words, sizeof(m->first));
    *s = m->suspicion[--m->suspicions];
}

/* Suspicions that no flush has cleared in time. */
static void judge_old(struct measure *m) {
    for (unsigned i = 0; i < m->suspicions;)
        if (m->retired - m->suspicion[i].since > m->grace)
            judge(m, i);
        else
            i++;
}

static void suspect(struct measure *m, unsigned cpu, uint64_t va) {
    const uint64_t page = va & ~PAGE_MASK;
    const uint16_t asid = m->cpu[cpu].asid;

    for (unsigned i = 0; i < m->suspicions; i++)
        if (m->suspicion[i].page == page && m->suspicion[i].cpu == cpu && m->suspicion[i].asid == asid)
            return;
    m->part[m->kernel].suspicions++;
    if (m->suspicions == MEASURE_SUSPICIONS)
        judge_old(m);
    if (m->suspicions == MEASURE_SUSPICIONS)
        judge(m, 0);
    struct measure_suspicion *s = &m->suspicion[m->suspicions++];
    *s = (struct measure_suspicion){.page = page, .cpu = cpu, .asid = asid, .since = m->retired};
    snprintf(s->words, sizeof(s->words), "CPU %u, %s mode: %.200s", cpu, m->kernel ? "kernel" : "user",
             checker_last_finding(m->checker));
    if (m->cpus == 1 && !m->kernel)
        judge(m, m->suspicions - 1);
}

static void clear_suspicions(struct measure *m, unsigned cpu, enum measure_flush what, uint16_t asid, uint64_t va) {
    for (unsigned i = 0; i < m->suspicions;) {
        const struct measure_suspicion *s = &m->suspicion[i];
        bool covered = what >= MEASURE_NOT_GLOBAL || s->asid == asid || (s->page >> 63 && what == MEASURE_PAGE);

        if (what == MEASURE_PAGE)
            covered &= s->page >> EMT_SHIFT_2M == va >> EMT_SHIFT_2M; /* an INVLPG drops a whole large page */
        if (s->cpu == cpu && covered)
            m->suspicion[i] = m->suspicion[--m->suspicions];
        else
            i++;
    }
}

/* ---- accesses ---- */

/* A store to a frame from which walkers have read: what the checker remembers of tables is out of date. */
static inline void note_store(struct measure *m, uint64_t pa) {
    if (pa < m->host.phys_bytes && m->table[pa >> EMT_PAGE_SHIFT >> 6] >> (pa >> EMT_PAGE_SHIFT & 63) & 1)
        m->host.table_writes++;
}

static void data(struct measure *m, struct measure_cpu *c, uint64_t pa, bool store) {
    if (!c->caches || pa >= m->host.phys_bytes)
        return; /* a device: not cached, and its time is not modelled */
    if (!m->kernel) {
        cache_queue(c->caches, pa, store, c->instructions, false);
        return;
    }
    uint32_t cycles = cache_access(c->caches, pa, store, CACHE_OS).cycles;
    timing_data(&c->timing[1], c->instructions, cycles > m->cfg.l1d.hit_cycles ? cycles - m->cfg.l1d.hit_cycles : 0,
                false);
}

/* One access in one page. */
static void piece(struct measure *m, unsigned cpu, uint64_t va, unsigned type) {
    struct measure_cpu *c = &m->cpu[cpu];
    struct mmu_translation t = {0};

    if (!mmu_translate_fast(c->mmu, va, type, &t.pa)) {
        mmu_translate(c->mmu, va, type, &t);
        if (t.cycles)
            timing_walk(&c->timing[m->kernel], t.cycles);
    }
    if (m->checker && !checker_check(m->checker, c->mmu, c->asid, va, type, &t))
        suspect(m, cpu, va);
    if (t.fault || type == EMT_FETCH)
        return;
    data(m, c, t.pa, type == EMT_STORE);
    if (type == EMT_STORE && m->kernel)
        note_store(m, t.pa);
}

void measure_block(struct measure *m, unsigned cpu, uint64_t va, bool kernel, uint64_t retired) {
    retire(m, retired);
    if (m->suspicions)
        judge_old(m);
    if (cpu != m->running || kernel != m->kernel)
        run_as(m, cpu, kernel);
    if (!m->cpu[cpu].mmu)
        return;
    m->part[kernel].fetches++;
    piece(m, cpu, va, EMT_FETCH);
}

void measure_access(struct measure *m, unsigned cpu, uint64_t va, unsigned bytes, bool store) {
    const uint64_t last = va + bytes - 1;
    const unsigned type = store ? EMT_STORE : EMT_LOAD;

    if (!m->cpu[cpu].mmu)
        return;
    if (store)
        m->part[m->kernel].stores++;
    else
        m->part[m->kernel].loads++;
    piece(m, cpu, va, type);
    if ((va ^ last) >> EMT_PAGE_SHIFT)
        piece(m, cpu, last & ~PAGE_MASK, type);
}

void measure_fault(struct measure *m, unsigned cpu, uint64_t va, unsigned type) {
    m->part[m->kernel].page_faults++;
    /* Hardware walked before it raised the fault. */
    if (m->cpu[cpu].mmu)
        piece(m, cpu, va, type);
}

/* ---- address spaces ---- */

/* The first time, or another architecture (the kernel's boot code goes from four levels to five): a new model. */
static int start(struct measure *m, unsigned cpu, const struct emt_arch *arch) {
    struct measure_cpu *c = &m->cpu[cpu];

    if (c->mmu && m->arch.real == arch)
        return 0;
    mmu_free(c->mmu);
    c->mmu = NULL;
    memset(&c->settled, 0, sizeof(c->settled));
    memset(c->tlb, 0, sizeof(c->tlb));
    wrap(m, arch);
    snprintf(m->cfg.mmu, sizeof(m->cfg.mmu), "%s", arch->name);
    return mmu_new(&c->mmu, cpu, &m->cfg, &m->arch.arch, &m->host, m->shared, c->caches);
}

int measure_root(struct measure *m, unsigned cpu, const struct measure_root *root) {
    struct measure_cpu *c = &m->cpu[cpu];

    if (!root->arch) {
        mmu_free(c->mmu);
        c->mmu = NULL;
        memset(&c->settled, 0, sizeof(c->settled));
        memset(c->tlb, 0, sizeof(c->tlb));
        return 0;
    }
    if (root->upper && !same_caches(root->arch->walker, root->upper->walker))
        return -ENOTSUP;
    int err = start(m, cpu, root->arch);
    if (err)
        return err;
    c->asid = root->asid;
    c->upper = root->upper;
    c->upper_root = root->upper_root;
    mmu_load_root(c->mmu, root->asid, &root->root);
    if (m->checker)
        checker_forget(m->checker);
    m->part[1].root_loads++;
    m->part[1].roots_kept += root->kept;
    return 0;
}

void measure_flush(struct measure *m, unsigned cpu, enum measure_flush what, uint16_t asid, uint64_t va) {
    struct measure_cpu *c = &m->cpu[cpu];
    struct emt_flush f = {.kind = EMT_FLUSH_ALL, .tables = true};

    if (m->suspicions)
        clear_suspicions(m, cpu, what, asid, va);
    if (!c->mmu)
        return;
    switch (what) {
    case MEASURE_PAGE:
        f = (struct emt_flush){EMT_FLUSH_RANGE, .va = va & ~PAGE_MASK, .bytes = EMT_PAGE_BYTES, .tables = true};
        m->part[1].page_flushes++;
        break;
    case MEASURE_ASID:
        f.kind = EMT_FLUSH_ASID;
        m->part[1].asid_flushes++;
        break;
    case MEASURE_NOT_GLOBAL:
        /* INVPCID type 3. Linux does not use it; dropping global entries too is what the rules allow. */
    case MEASURE_ALL:
        m->part[1].full_flushes++;
        break;
    }
    mmu_flush(c->mmu, asid, &f);
}

/* ---- making and ending ---- */

static int make_cpus(struct measure *m) {
    int err = mmu_shared_new(&m->shared, &m->cfg);

    if (!err && m->cfg.caches_enabled)
        err = cache_system_new(&m->caches, &m->cfg);
    for (unsigned i = 0; !err && i < m->cpus; i++) {
        struct measure_cpu *c = &m->cpu[i];

        timing_init(&c->timing[0], &m->cfg);
        timing_init(&c->timing[1], &m->cfg);
        c->caches = m->caches ? cache_system_core(m->caches, i) : NULL;
        if (c->caches)
            cache_core_timing(c->caches, &c->timing[0]);
    }
    if (!err && m->cfg.check_translations)
        err = checker_new(&m->checker);
    return err;
}

int measure_new(struct measure **out, const struct emt_config *cfg, unsigned cpus, uint8_t *phys,
                uint64_t phys_bytes, char *why, size_t why_bytes) {
    struct measure *m = calloc(1, sizeof(*m));
    int err = m ? 0 : -ENOMEM;

    *out = NULL;
    if (cpus > CFG_MAX_CORES) {
        snprintf(why, why_bytes, "%u CPUs; %d is the most that is measured", cpus, CFG_MAX_CORES);
        free(m);
        return -EINVAL;
    }
    if (m) {
        m->cfg = *cfg;
        m->cfg.core.count = m->cpus = cpus;
        m->cfg.memory.bytes = phys_bytes;
        m->cfg.os.asids = true; /* the guest says when what is dropped */
        m->host = (struct emt_host){.phys = phys, .phys_bytes = phys_bytes};
        m->grace = cpus > 1 ? MEASURE_GRACE : MEASURE_GRACE_ONE;
        m->table = calloc((phys_bytes >> EMT_PAGE_SHIFT >> 6) + 1, sizeof(*m->table));
        err = m->table ? make_cpus(m) : -ENOMEM;
    }
    if (err) {
        snprintf(why, why_bytes, err == -ENOMEM ? "out of memory for the models" : "the machine makes no sense");
        measure_free(m);
        return err;
    }
    *out = m;
    return 0;
}

void measure_free(struct measure *m) {
    if (!m)
        return;
    for (unsigned i = 0; i < m->cpus; i++)
        mmu_free(m->cpu[i].mmu);
    mmu_shared_free(m->shared);
    cache_system_free(m->caches);
    checker_free(m->checker);
    free(m->table);
    free(m);
}

/* ---- regions ---- */

void measure_settle(struct measure *m, uint64_t retired) {
    retire(m, retired);
    for (unsigned i = 0; i < m->cpus; i++)
        settle(m, &m->cpu[i]);
    judge_old(m);
}

void measure_begin(struct measure *m, const char *name, uint64_t retired) {
    measure_settle(m, retired);
    memset(m->part, 0, sizeof(m->part));
    for (unsigned i = 0; i < m->cpus; i++) {
        timing_reset(&m->cpu[i].timing[0]);
        timing_reset(&m->cpu[i].timing[1]);
    }
    if (m->caches)
        cache_system_reset_counts(m->caches);
    snprintf(m->name, sizeof(m->name), "%s", name);
    m->in_region = true;
}

bool measure_end(struct measure *m, const char *name, uint64_t retired, const struct result_profile *profile) {
    struct emt_result *r;

    if (!m->in_region || strcmp(name, m->name) != 0 || m->regions == MEASURE_REGIONS)
        return false;
    measure_settle(m, retired);
    m->in_region = false;
    r = malloc(sizeof(*r));
    if (!r)
        return false;
    measure_fill(m, r);
    r->guest.profile = *profile;
    m->region[m->regions++] = r;
    return true;
}
