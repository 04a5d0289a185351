/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What needs more than one field: geometry of TLBs and caches, memory and its nodes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

/* Largest block of the frame allocator, 4 MiB: each node is a whole number of them. */
#define BLOCK_BYTES (4ull << 20)
/* hw/cache.c keeps a set's PLRU tree in one word */
#define PLRU_WAYS 64

__attribute__((format(printf, 2, 3))) static int found(struct setting_problem *p, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    return -EINVAL;
}

static void blame(struct setting_problem *p, unsigned i, const char *group, const char *name, const char *field) {
    snprintf(p->path[i], SETTING_PATH, "%s%s%s%s%s", group, *name ? "." : "", name, *field ? "." : "", field);
}

/* entries a multiple of ways */
static int check_ways(struct setting_problem *p, const char *group, const char *name, uint32_t entries,
                      uint32_t ways) {
    uint32_t below;

    if (!ways || !entries || entries % ways == 0)
        return 0;
    blame(p, 0, group, name, "ways");
    blame(p, 1, group, name, "entries");
    below = entries - entries % ways;
    if (!below)
        return found(p, "%s is %u, but there are only %u entries; at most %u ways fit, 0 means fully associative",
                     p->path[0], ways, entries, entries);
    return found(p, "%s is %u, but %u entries do not divide by it; the nearest are %u and %u", p->path[0], ways,
                 entries, below, below + ways);
}

static int check_tlb(struct setting_problem *p, const struct cfg_tlb *t) {
    if (!t->entries) {
        blame(p, 0, "tlb", t->name, "entries");
        blame(p, 1, "tlb", t->name, "");
        return found(p, "%s is missing; a TLB has no default size", p->path[0]);
    }
    if (t->level == 1 && (t->shared || t->inclusive)) {
        blame(p, 0, "tlb", t->name, t->shared ? "shared" : "inclusive");
        blame(p, 1, "tlb", t->name, "level");
        return found(p, "%s is true, but only TLBs of level 2 can be %s", p->path[0],
                     t->shared ? "shared" : "inclusive");
    }
    if (t->coalesce & (t->coalesce - 1)) {
        blame(p, 0, "tlb", t->name, "coalesce");
        return found(p, "%s is %u; an entry holds 1, 2, 4 or 8 pages", p->path[0], t->coalesce);
    }
    return check_ways(p, "tlb", t->name, t->entries, t->ways);
}

static int check_tlbs(struct setting_problem *p, const struct emt_config *cfg) {
    uint32_t first_level = 0;
    bool data_4k = false;

    for (uint32_t i = 0; i < cfg->ntlb; i++) {
        const struct cfg_tlb *t = &cfg->tlb[i];
        int err = check_tlb(p, t);
        if (err)
            return err;
        if (t->level != 1)
            continue;
        first_level |= t->holds;
        data_4k |= (t->holds & CFG_TLB_DATA) && (t->pages & CFG_PAGE_4K);
    }
    for (uint32_t i = 0; i < cfg->ntlb; i++) {
        const struct cfg_tlb *t = &cfg->tlb[i];
        uint32_t alone = t->holds & ~first_level;
        if (t->level == 1 || !alone || !(first_level & CFG_TLB_DATA))
            continue;
        blame(p, 0, "tlb", t->name, "holds");
        blame(p, 1, "tlb", t->name, "");
        return found(p, "tlb.%s is a level-2 TLB for instructions, but there is none of level 1", t->name);
    }
    if (data_4k)
        return 0;
    blame(p, 0, "tlb", "", "");
    return found(p, "no level-1 TLB holds data and 4K pages; add one, such as tlb.l1d with entries: 64, ways: 4");
}

static int check_cache(struct setting_problem *p, const char *path, const struct cfg_cache *c) {
    uint64_t set = (uint64_t)c->ways * c->line_bytes, below = c->bytes - c->bytes % set;
    char bytes[SETTING_VALUE], low[SETTING_VALUE], high[SETTING_VALUE];

    if (!c->bytes)
        return 0;
    if (c->line_bytes & (c->line_bytes - 1)) {
        blame(p, 0, path, "", "line_bytes");
        return found(p, "%s is %u; a line is a power of two, such as 64", p->path[0], c->line_bytes);
    }
    if (c->replacement == CFG_PLRU && c->ways > PLRU_WAYS) {
        blame(p, 0, path, "", "replacement");
        blame(p, 1, path, "", "ways");
        return found(p, "%s is plru, but %s.ways is %u; a PLRU tree has at most %d ways", p->path[0], path, c->ways,
                     PLRU_WAYS);
    }
    if (below == c->bytes)
        return 0;
    blame(p, 0, path, "", "bytes");
    blame(p, 1, path, "", "ways");
    blame(p, 2, path, "", "line_bytes");
    setting_format_bytes(c->bytes, bytes);
    setting_format_bytes(below ? below : set, low);
    setting_format_bytes(below + set, high);
    if (!below)
        return found(p, "%s is %s, less than one set of %u ways x %u bytes; the least is %s", p->path[0], bytes,
                     c->ways, c->line_bytes, low);
    return found(p, "%s is %s, but sets of %u ways x %u bytes do not divide it; the nearest are %s and %s",
                 p->path[0], bytes, c->ways, c->line_bytes, low, high);
}

static int check_levels(struct setting_problem *p, const struct emt_config *cfg) {
    if (cfg->l1d.shared) {
        blame(p, 0, "caches.l1d.shared", "", "");
        return found(p, "caches.l1d.shared is true, but a first-level cache belongs to one core");
    }
    if (cfg->l2.bytes && !cfg->l1d.bytes) {
        blame(p, 0, "caches.l2.bytes", "", "");
        blame(p, 1, "caches.l1d.bytes", "", "");
        return found(p, "caches.l2 is there, but caches.l1d is not; give caches.l1d.bytes");
    }
    if (cfg->llc.bytes && !cfg->l2.bytes) {
        blame(p, 0, "caches.llc.bytes", "", "");
        blame(p, 1, "caches.l2.bytes", "", "");
        return found(p, "caches.llc is there, but caches.l2 is not; call the last of two levels caches.l2");
    }
    if (cfg->caches_enabled && !cfg->l1d.bytes) {
        blame(p, 0, "caches.enabled", "", "");
        blame(p, 1, "caches.l1d.bytes", "", "");
        return found(p, "caches.enabled is true, but there is no data cache; give caches.l1d.bytes");
    }
    if (cfg->caches_enabled && cfg->walk_level == 2 && !cfg->l2.bytes) {
        blame(p, 0, "caches.walk_level", "", "");
        blame(p, 1, "caches.l2.bytes", "", "");
        return found(p, "caches.walk_level is 2, but there is no second-level cache; give 1, or caches.l2.bytes");
    }
    return 0;
}

static int check_caches(struct setting_problem *p, const struct emt_config *cfg) {
    const struct cfg_cache *cache[] = {&cfg->l1d, &cfg->l2, &cfg->llc};
    static const char *const path[] = {"caches.l1d", "caches.l2", "caches.llc"};

    for (unsigned i = 0; i < 3; i++) {
        int err = check_cache(p, path[i], cache[i]);
        if (err)
            return err;
        if (!cache[i]->bytes || !cfg->l1d.bytes || cache[i]->line_bytes == cfg->l1d.line_bytes)
            continue;
        blame(p, 0, path[i], "", "line_bytes");
        blame(p, 1, path[0], "", "line_bytes");
        return found(p, "%s is %u, but caches.l1d.line_bytes is %u; all data caches have lines of one size",
                     p->path[0], cache[i]->line_bytes, cfg->l1d.line_bytes);
    }
    return check_levels(p, cfg);
}

static int check_memory(struct setting_problem *p, const struct emt_config *cfg) {
    uint64_t unit = cfg->memory.nodes * BLOCK_BYTES, below = cfg->memory.bytes - cfg->memory.bytes % unit;
    char bytes[SETTING_VALUE], low[SETTING_VALUE], high[SETTING_VALUE];

    if (below == cfg->memory.bytes)
        return 0;
    blame(p, 0, "memory.nodes", "", "");
    blame(p, 1, "memory.bytes", "", "");
    if (cfg->memory.nodes == 1) {
        blame(p, 0, "memory.bytes", "", "");
        p->path[1][0] = '\0';
    }
    setting_format_bytes(cfg->memory.bytes, bytes);
    setting_format_bytes(below ? below : unit, low);
    setting_format_bytes(below + unit, high);
    return found(
        p,
        "memory.bytes is %s, but memory.nodes is %u and each node is a multiple of 4M; the nearest are %s and %s",
        bytes, cfg->memory.nodes, low, high);
}

/* A kind of MMU cache that was chosen, and nothing that would be one. */
static int check_mmu_caches(struct setting_problem *p, const struct emt_config *cfg) {
    static const char *const kind[] = {[CFG_PWC] = "pwc", [CFG_UTC] = "utc"};
    uint32_t entries = 0;

    for (uint32_t i = 0; i < cfg->nmmu_cache; i++) {
        const struct cfg_mmu_cache *c = &cfg->mmu_cache[i];
        int err = check_ways(p, "mmu_caches", c->name, c->entries, c->ways);
        if (err)
            return err;
        entries |= c->entries;
    }
    if (entries || (cfg->mmu_cache_kind != CFG_PWC && cfg->mmu_cache_kind != CFG_UTC))
        return 0;
    blame(p, 0, "mmu_caches.kind", "", "");
    return found(p, "%s is %s, but no MMU cache has entries; a machine file can give mmu_caches.%s.entries",
                 p->path[0], kind[cfg->mmu_cache_kind], kind[cfg->mmu_cache_kind]);
}

static int check_predictor(struct setting_problem *p, const struct emt_config *cfg) {
    const struct cfg_spot *s = &cfg->spot;
    int err = check_ways(p, "mmu", "range_tlb", cfg->range_tlb_entries, cfg->range_tlb_ways);

    if (err)
        return err;
    if (cfg->predictor == CFG_NO_PREDICTOR)
        return 0;
    if (cfg->software_tlb) {
        blame(p, 0, "mmu.predictor", "", "");
        blame(p, 1, "mmu.software_tlb", "", "");
        return found(p, "mmu.predictor is spot, but mmu.software_tlb is true: a trap cannot be speculated past");
    }
    if (s->initial > s->max || s->predict > s->max) {
        blame(p, 0, "mmu.spot", s->initial > s->max ? "initial" : "predict", "");
        blame(p, 1, "mmu.spot.max", "", "");
        return found(p, "%s is %u, but the highest confidence, mmu.spot.max, is %u", p->path[0],
                     s->initial > s->max ? s->initial : s->predict, s->max);
    }
    return check_ways(p, "mmu", "spot", s->entries, s->ways);
}

/* What a finding is about, and the words that say it, belong to one side. */
static int on_side(struct setting_problem *p, enum cfg_side side) {
    char text[sizeof p->text];

    for (unsigned i = 0; i < 3; i++) {
        char path[SETTING_PATH];

        if (!*p->path[i])
            continue;
        snprintf(path, sizeof path, "%s.%.80s", setting_side_name[side], p->path[i]);
        memcpy(p->path[i], path, sizeof path);
    }
    snprintf(text, sizeof text, "%s: %.380s", setting_side_name[side], p->text);
    memcpy(p->text, text, sizeof text);
    return -EINVAL;
}

static int check_sides(struct setting_problem *p, const struct emt_config *cfg) {
    struct emt_config one;

    for (enum cfg_side side = 0; side < CFG_SIDES; side++) {
        char why[sizeof p->text];

        if (settings_side(cfg, side, &one, why, sizeof why)) {
            snprintf(p->path[0], SETTING_PATH, "%s", setting_side_name[side]);
            return found(p, "%.380s", why);
        }
        if (check_mmu_caches(p, &one) || check_memory(p, &one))
            return on_side(p, side);
    }
    return 0;
}

/* A virtual machine: two sides, and a nested TLB between them. */
static int check_virt(struct setting_problem *p, const struct emt_config *cfg) {
    int err = cfg->virt.mode == CFG_NATIVE ? 0 : check_sides(p, cfg);

    if (err)
        return err;
    if (cfg->virt.mode == CFG_NESTED && cfg->software_tlb) {
        blame(p, 0, "mmu.software_tlb", "", "");
        blame(p, 1, "virt.mode", "", "");
        return found(p, "mmu.software_tlb is true, but virt.mode is nested: there is no walker to walk twice; "
                        "virt.mode=shadow needs none");
    }
    return check_ways(p, "virt", "nested_tlb", cfg->virt.nested_tlb_entries, cfg->virt.nested_tlb_ways);
}

int setting_check(const struct emt_config *cfg, struct setting_problem *p) {
    int err;

    memset(p, 0, sizeof *p);
    err = check_tlbs(p, cfg);
    if (!err)
        err = check_mmu_caches(p, cfg);
    if (!err)
        err = check_predictor(p, cfg);
    if (!err)
        err = check_caches(p, cfg);
    if (!err)
        err = check_memory(p, cfg);
    if (!err)
        err = check_virt(p, cfg);
    if (!err && cfg->os.stack_bytes % 4096) {
        blame(p, 0, "os.stack_bytes", "", "");
        err = found(p, "os.stack_bytes is %llu; a stack is a whole number of 4K pages",
                    (unsigned long long)cfg->os.stack_bytes);
    }
    return err;
}

int settings_check(const struct emt_config *cfg, char *why, size_t why_bytes) {
    struct setting_problem p;
    int err = setting_check(cfg, &p);

    if (err)
        snprintf(why, why_bytes, "%s", p.text);
    return err;
}
