/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A machine is put together from its description, and taken apart. */
#include "machine/machine_private.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- what the OS and the drivers ask of the hardware ---- */

/* A table access by the OS: through the data caches of the core it runs on. What a hit in the first level takes is
   part of an instruction; without data caches nothing is added. */
uint64_t machine_table_cycles(struct machine *m, uint64_t pa, bool write) {
    struct core *c = &m->core[m->current];

    if (!c->caches)
        return 0;
    uint32_t cycles = cache_access(c->caches, pa, write, CACHE_OS).cycles;
    return cycles > m->cfg.l1d.hit_cycles ? cycles - m->cfg.l1d.hit_cycles : 0;
}

static uint64_t table_access(void *hw, uint64_t pa, bool write) {
    return machine_table_cycles(hw, pa, write);
}

/*
 * Invalidate on every core at once. IPIs are charged for the cores that run this address space now; a core that
 * only holds tagged entries of it is cleaned for free (Linux does it when the address space comes back, by
 * generation).
 */
void machine_charge_flush(struct machine *m, const struct emt_flush *f, unsigned local) {
    unsigned targets = 0;

    for (unsigned i = 0; i < m->cfg.core.count; i++)
        targets += i != m->current && (f->kind == EMT_FLUSH_ALL || emt_tsvc_current(&m->svc, i) == f->tdb);
    os_charge_cycles(m->os, OS_OPS, (uint64_t)(local ? local : 1) * m->cfg.core.invlpg_cycles);
    if (targets)
        os_charge_cycles(m->os, OS_SHOOTDOWN,
                         m->cfg.core.ipi_cycles + (uint64_t)targets * m->cfg.core.ipi_target_cycles);
}

static void flush(void *hw, const struct emt_flush *f) {
    struct machine *m = hw;
    uint16_t asid = f->tdb ? f->tdb->asid : 0;
    unsigned local = 0;

    for (unsigned i = 0; i < m->cfg.core.count; i++) {
        unsigned single = mmu_flush(m->core[i].mmu, asid, f);

        if (i == m->current)
            local = single;
    }
    machine_charge_flush(m, f, local);
}

static void load_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    struct machine *m = hw;

    mmu_load_root(m->core[cpu].mmu, asid, root);
}

/* A register of the own core is written by the instructions that the driver reports; of another, by an interrupt.
 */
static void update_root(void *hw, unsigned cpu, const struct emt_root *root) {
    struct machine *m = hw;

    mmu_update_root(m->core[cpu].mmu, root);
    if (cpu != m->current)
        os_charge_cycles(m->os, OS_SHOOTDOWN, m->cfg.core.ipi_cycles + m->cfg.core.ipi_target_cycles);
}

/* What time it is for devices: cycles of the cores so far, shared out among those that have run. */
uint64_t machine_now(void *hw) {
    const struct machine *m = hw;
    const struct os_stats *os = os_stats_of(m->os);
    double cycles = 0;
    unsigned cores = 0;

    for (unsigned i = 0; i < m->cfg.core.count; i++) {
        struct core_timing_result t;

        timing_result(&m->core[i].timing, 0, &t);
        cycles += (double)m->core[i].instructions * m->cfg.core.base_cpi + t.data + t.translation;
        cores += m->core[i].instructions != 0;
    }
    for (unsigned op = 0; op < OS_OPS; op++)
        cycles += (double)os->op[op].instructions * m->cfg.os.cpi + (double)os->op[op].stall_cycles +
                  (double)os->op[op].extra_cycles;
    return (uint64_t)(cycles / (cores ? cores : 1));
}

/* ---- making and ending ---- */

static int explain(char *why, size_t bytes, int err, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int explain(char *why, size_t bytes, int err, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(why, bytes, format, args);
    va_end(args);
    return err;
}

/* What the hardware is: of a virtual machine, what it walks first, and the host's memory. */
struct parts {
    const struct emt_config *walked, *memory;
    const struct emt_arch *arch;
    struct emt_host *host;
};

static struct parts parts_of(struct machine *m) {
    if (!m->virt)
        return (struct parts){&m->cfg, &m->cfg, m->arch, &m->host};
    return (struct parts){virt_walked_config(m->virt), virt_config(m->virt), virt_walked_arch(m->virt),
                          virt_walked_memory(m->virt)};
}

static int make_cores(struct machine *m) {
    const struct emt_config *cfg = &m->cfg;
    struct parts parts = parts_of(m);
    int err = mmu_shared_new(&m->mmu_shared, cfg);

    if (!err && cfg->caches_enabled)
        err = cache_system_new(&m->caches, parts.memory);
    for (unsigned i = 0; !err && i < cfg->core.count; i++) {
        struct core *c = &m->core[i];

        c->caches = m->caches ? cache_system_core(m->caches, i) : NULL;
        timing_init(&c->timing, cfg);
        if (c->caches)
            cache_core_timing(c->caches, &c->timing);
        err = mmu_new(&c->mmu, i, parts.walked, parts.arch, parts.host, m->mmu_shared, c->caches);
        if (!err && m->virt)
            err = virt_add_core(m->virt, i, c->mmu, c->caches);
    }
    if (!err && cfg->check_translations)
        err = checker_new(&m->checker);
    if (!err && m->checker && m->virt)
        checker_set_truth(m->checker, &(struct checker_truth){virt_truth, virt_truth_writes, m->virt});
    return err;
}

/* Hardware that restricts pages to groups of frames needs some. */
static int check_places(const struct machine *m, char *why, size_t why_bytes) {
    struct emt_place_group group[EMT_PLACE_GROUPS];
    const unsigned n = emt_tsvc_place_groups(&m->svc, group);

    for (unsigned i = 0; i < n; i++)
        if (!group[i].groups)
            return explain(
                why, why_bytes, -EINVAL,
                "memory.unmovable is %g of %llu MiB of memory, in whole 4 MiB: no frame is left for the pages of "
                "%s; make it smaller, or memory.bytes larger",
                m->cfg.memory.unmovable, (unsigned long long)(m->cfg.memory.bytes >> 20), m->cfg.mmu);
    return 0;
}

int machine_new(struct machine **out, const struct emt_config *cfg, char *why, size_t why_bytes) {
    struct machine *m = calloc(1, sizeof(*m));

    *out = NULL;
    if (!m)
        return explain(why, why_bytes, -ENOMEM, "out of memory for a machine");
    m->cfg = m->told = *cfg;
    m->counting = true;
    m->map_unknown = true;
    m->sample_every = cfg->os.contiguity_every;
    m->next_sample = m->sample_every ? m->sample_every : ~0ull;
    bool virtual = cfg->virt.mode != CFG_NATIVE;
    int err = virtual ? machine_virt_sides(m, why, why_bytes) : 0;
    if (err)
        goto fail;
    m->arch = emt_arch_find(m->cfg.mmu);
    if (!m->arch) {
        err = explain(why, why_bytes, -ENOENT, "there is no architecture '%s'; see emt list mmus", m->cfg.mmu);
        goto fail;
    }
    err = emt_host_init(&m->host, m->cfg.memory.bytes);
    if (err) {
        explain(why, why_bytes, err,
                "this system does not give out %llu GiB of address space for simulated memory; "
                "make memory.bytes smaller",
                (unsigned long long)(m->cfg.memory.bytes >> 30));
        goto fail;
    }
    err = virtual ? machine_virt_new(m, why, why_bytes) : 0;
    if (err)
        goto fail;
    m->host.unmovable_frames = (uint64_t)(m->cfg.memory.unmovable * (double)emt_host_frames(&m->host));
    err = emt_tsvc_init(&m->svc, m->arch, &m->host, cfg->basic_only);
    if (!err && check_places(m, why, why_bytes)) {
        err = -EINVAL;
        goto fail;
    }
    if (!err)
        err = os_new(&m->os, &m->cfg, &m->svc);
    if (!err)
        err = make_cores(m);
    if (err) {
        explain(why, why_bytes, err, "out of memory for a machine");
        goto fail;
    }
    m->host.table_access = table_access;
    m->host.flush = flush;
    m->host.load_root = load_root;
    m->host.update_root = update_root;
    m->host.hw = m;
    os_set_clock(m->os, machine_now, m);
    if (m->virt) {
        machine_virt_connect(m);
        err = virt_start(m->virt);
    }
    if (err) {
        explain(why, why_bytes, err, "out of memory for a machine");
        goto fail;
    }
    machine_window(m, 0, 0);
    *out = m;
    return 0;
fail:
    machine_free(m);
    return err;
}

void machine_free(struct machine *m) {
    if (!m)
        return;
    /* From here on nobody is interested in time. */
    m->host.table_access = NULL;
    m->host.touch = NULL;
    m->host.flush = NULL;
    m->host.load_root = NULL;
    m->host.update_root = NULL;
    os_free(m->os);
    for (unsigned i = 0; i < m->cfg.core.count; i++)
        mmu_free(m->core[i].mmu);
    virt_free(m->virt);
    mmu_shared_free(m->mmu_shared);
    cache_system_free(m->caches);
    checker_free(m->checker);
    if (m->svc.arch)
        emt_tsvc_fini(&m->svc);
    if (m->host.phys)
        emt_host_fini(&m->host);
    free(m);
}

/* ---- the window of statistics ---- */

void machine_window(struct machine *m, uint64_t skip, uint64_t limit) {
    m->skip = skip;
    m->limit = limit;
    m->counting = skip == 0;
    m->stop_at = skip ? skip : limit ? limit : ~0ull;
}

uint64_t machine_instructions(const struct machine *m) {
    uint64_t sum = 0;

    for (unsigned i = 0; i < m->cfg.core.count; i++)
        sum += m->core[i].instructions;
    return sum;
}

void machine_begin_counting(struct machine *m) {
    for (unsigned i = 0; i < m->cfg.core.count; i++) {
        mmu_reset_stats(m->core[i].mmu);
        timing_reset(&m->core[i].timing);
    }
    if (m->caches)
        cache_system_reset_counts(m->caches);
    os_reset_stats(m->os);
    if (m->virt)
        virt_reset_stats(m->virt);
    m->stores = m->fetches = 0;
    m->accesses_before = m->accesses;
    m->instructions_before = machine_instructions(m);
    m->counting = true;
    m->stop_at = m->limit ? m->skip + m->limit : ~0ull;
}

bool machine_done(const struct machine *m) {
    return __atomic_load_n(&m->done, __ATOMIC_RELAXED);
}

bool machine_wants_pc(const struct machine *m) {
    return m->cfg.predictor != CFG_NO_PREDICTOR;
}

uint64_t machine_accesses(const struct machine *m) {
    return __atomic_load_n(&m->shown, __ATOMIC_RELAXED);
}

const char *machine_trouble(const struct machine *m) {
    return m->trouble[0] ? m->trouble : NULL;
}
