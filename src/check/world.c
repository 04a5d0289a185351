/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Worlds: made, ended and searched for what was left behind. */
#include "check/world.h"

#include <inttypes.h>
#include <stdarg.h>

bool world_fail(struct world *w, const char *kind, const char *format, ...) {
    va_list args;

    if (w->finding.found)
        return false;
    w->finding.found = true;
    snprintf(w->finding.kind, sizeof(w->finding.kind), "%s", kind);
    va_start(args, format);
    vsnprintf(w->finding.text, sizeof(w->finding.text), format, args);
    va_end(args);
    return false;
}

const char *error_name(int err) {
    static const struct {
        int err;
        const char *name;
    } names[] = {{0, "success"},       {-ENOENT, "-ENOENT"},
                 {-EEXIST, "-EEXIST"}, {-ENOMEM, "-ENOMEM"},
                 {-EINVAL, "-EINVAL"}, {-EAGAIN, "-EAGAIN"},
                 {-EFAULT, "-EFAULT"}, {-ENOTSUP, "-ENOTSUP, as if it were not written yet"}};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].err == err)
            return names[i].name;
    return err < 0 ? "another error" : "a positive number";
}

bool world_frames_fine(struct world *w) {
    return !w->frames.wrong[0] || world_fail(w, "table-frames", "%s", w->frames.wrong);
}

bool world_may_fail(const struct world *w) {
    return w->host.fail_at || w->frames.refuse_order;
}

/* ---- the hardware that looks on ---- */

static uint64_t on_table_access(void *hw, uint64_t pa, bool write) {
    frames_touched(&((struct world *)hw)->frames, pa, write);
    return 0;
}

static void on_flush(void *hw, const struct emt_flush *flush) {
    struct world *w = hw;

    if (w->mmu)
        mmu_flush(w->mmu, flush->tdb ? flush->tdb->asid : 0, flush);
}

static void on_load_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    struct world *w = hw;

    if (w->mmu && cpu == 0)
        mmu_load_root(w->mmu, asid, root);
}

static void on_update_root(void *hw, unsigned cpu, const struct emt_root *root) {
    struct world *w = hw;

    if (w->mmu && cpu == 0)
        mmu_update_root(w->mmu, root);
}

/* Small TLBs of two levels for all sizes, and small caches of whatever the architecture brings. */
static int watch(struct world *w) {
    struct emt_config *cfg = &w->cfg;
    const uint32_t all = CFG_PAGE_4K | CFG_PAGE_2M | CFG_PAGE_1G;

    cfg->core.count = 1;
    cfg->flat_ref_cycles = 1;
    cfg->walk_level = 1;
    cfg->os.asids = w->traits->caps.asid_bits > 0;
    cfg->memory.bytes = WORLD_PHYS_BYTES;
    cfg->memory.nodes = 1;
    cfg->seed = 1;
    cfg->tlb[0] = (struct cfg_tlb){.name = "l1",
                                   .level = 1,
                                   .holds = CFG_TLB_DATA | CFG_TLB_INSTRUCTION,
                                   .pages = all,
                                   .entries = 16,
                                   .ways = 4,
                                   .mosaic = true};
    cfg->tlb[1] = (struct cfg_tlb){.name = "l2",
                                   .level = 2,
                                   .holds = CFG_TLB_DATA | CFG_TLB_INSTRUCTION,
                                   .pages = all,
                                   .entries = 96,
                                   .ways = 6,
                                   .hit_cycles = 1,
                                   .mosaic = true};
    cfg->ntlb = 2;
    /* One level with entries of several pages, one without. */
    cfg->tlb[0].coalesce = 4;
    cfg->range_tlb_entries = 4;
    cfg->range_tlb_cycles = 1;
    for (unsigned i = 0; i < w->arch->walker->ncaches && i < CFG_MMU_CACHES; i++) {
        cfg->mmu_cache[i] = (struct cfg_mmu_cache){.entries = 8};
        snprintf(cfg->mmu_cache[i].name, CFG_NAME, "%s", w->arch->walker->caches[i].name);
        cfg->nmmu_cache = i + 1;
    }
    int err = checker_new(&w->checker);
    return err ? err : mmu_new(&w->mmu, 0, cfg, w->arch, &w->host, NULL, NULL);
}

/* ---- address spaces ---- */

int space_create(struct world *w, unsigned db) {
    struct space *s = &w->space[db];
    const unsigned bits = w->traits->caps.asid_bits;

    do
        w->next_asid++;
    while (bits && bits < 16 && !(w->next_asid & ((1u << bits) - 1)));
    int err = emt_tdb_create(&s->tdb, &w->svc, bits ? w->next_asid & (uint16_t)((1u << bits) - 1) : 1);
    s->live = err == 0;
    return err;
}

void space_destroy(struct world *w, unsigned db) {
    struct space *s = &w->space[db];

    if (!s->live)
        return;
    emt_tdb_destroy(&s->tdb);
    oracle_fini(&s->oracle);
    s->live = false;
}

/* ---- from the beginning to the end ---- */

static int begin(struct world *w, const struct world_setup *setup) {
    int err = emt_tsvc_init(&w->svc, w->arch, &w->host, setup->basic_only);

    if (err)
        return err;
    for (unsigned db = 0; db < w->nspaces; db++) {
        err = space_create(w, db);
        if (!err)
            continue;
        while (db-- > 0)
            space_destroy(w, db);
        emt_tsvc_fini(&w->svc);
        return err;
    }
    return 0;
}

static bool nothing_left(struct world *w) {
    emt_host_release_freed(&w->host);
    if (w->host.table_bytes || w->frames.used_bytes)
        return world_fail(w, "leak", "all databases are destroyed, and %" PRIu64 " bytes of tables are left",
                          w->frames.used_bytes);
    frames_sweep(&w->frames);
    return world_frames_fine(w);
}

/* Begin with the first allocation failing, with the second, ... until all is there. */
static int begin_failing(struct world *w, const struct world_setup *setup) {
    for (uint64_t at = 1;; at++) {
        w->host.fail_at = at;
        int err = begin(w, setup);
        w->host.fail_at = 0;
        if (!err)
            return 0;
        w->stats.failed_allocations++;
        if (err != -ENOMEM || at > 1000) {
            world_fail(w, "error", "creating a database, with allocation %" PRIu64 " failing: %s", at,
                       error_name(err));
            return err;
        }
        if (!nothing_left(w))
            return -ENOMEM;
    }
}

int world_init(struct world *w, const struct world_setup *setup) {
    *w = (struct world){
        .arch = setup->arch, .traits = setup->traits, .nspaces = setup->spaces, .fail_all = setup->fail_all};
    int err = emt_host_init(&w->host, WORLD_PHYS_BYTES);
    if (!err)
        err = frames_init(&w->frames, &w->host, WORLD_TABLES_PA, WORLD_PAGES_PFN << EMT_PAGE_SHIFT);
    if (err) {
        world_fail(w, "kit", "no memory for the kit itself");
        return err;
    }
    w->host.hw = w;
    w->host.short_lived = true;
    w->host.table_access = on_table_access;
    w->host.flush = on_flush;
    w->host.load_root = on_load_root;
    w->host.update_root = on_update_root;
    if (setup->watch && (err = watch(w))) {
        world_fail(w, "kit", "the MMU that looks on could not be made: error %d", -err);
        return err;
    }
    err = setup->fail_all ? begin_failing(w, setup) : begin(w, setup);
    if (err)
        world_fail(w, "error", "tsvc_init or tdb_create returns %s", error_name(err));
    frames_refuse(&w->frames, setup->refuse_order);
    return err;
}

bool world_end(struct world *w) {
    for (unsigned db = 0; db < w->nspaces; db++) {
        struct space *s = &w->space[db];
        if (!s->live)
            continue;
        space_destroy(w, db);
    }
    emt_tsvc_fini(&w->svc);
    return nothing_left(w);
}

void world_fini(struct world *w) {
    if (w->frames.host)
        emt_host_release_freed(&w->host); /* a world that failed may have frames that wait for a flush */
    mmu_free(w->mmu);
    checker_free(w->checker);
    for (unsigned db = 0; db < WORLD_DBS; db++)
        oracle_fini(&w->space[db].oracle);
    frames_fini(&w->frames);
    emt_host_fini(&w->host);
}
