/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Data caches: hw/cache.h; hw/cache_private.h draws a line.
 *
 * A miss goes down the levels that are there until one has the line, and fills each level on the way back. A dirty
 * line that is pushed out goes to the next level (marked dirty there, or allocated); write-backs take no time of
 * the access and count as neither hit nor miss.
 */
#include "hw/cache_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cache_system {
    struct cache cache[3][CFG_MAX_CORES]; /* shared levels: only [0] */
    unsigned ncache[3];
    struct cache_core *core;
    unsigned ncores;
};

/* ---- one cache ---- */

static bool power_of_two(uint64_t n) {
    return n && !(n & (n - 1));
}

static bool can_be_ordered(const struct cfg_cache *cfg, uint64_t sets, unsigned low) {
    return cfg->replacement == CFG_LRU && cfg->ways <= CACHE_ORDERED_WAYS && sets % (1ull << low) == 0;
}

/* Zeroed; begins with a line of the host's cache. */
static void *array(uint64_t count, uint64_t size_bytes) {
    uint64_t bytes = (count * size_bytes + 63) & ~63ull;
    void *p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static int lines_init(struct cache *c, const struct cfg_cache *cfg) {
    if (c->how == &cache_sets_plain) {
        c->stride = cache_plain_stride(cfg);
        c->word = array(c->sets * c->stride, sizeof(*c->word));
        return c->word ? 0 : -ENOMEM;
    }
    c->stride = cfg->ways <= 8 ? 8 : 16;
    c->tag = array(c->sets * c->stride, sizeof(*c->tag));
    for (uint64_t i = 0; c->tag && i < c->sets * c->stride; i++)
        c->tag[i] = CACHE_NO_LINE;
    return c->tag ? 0 : -ENOMEM;
}

static int front_init(struct cache *c) {
    c->front = array(c->sets, sizeof(*c->front));
    if (!c->front)
        return -ENOMEM;
    memset(c->front, 0xff, c->sets * sizeof(*c->front)); /* no line's word */
    return 0;
}

static int cache_init(struct cache *c, const struct cfg_cache *cfg, uint64_t seed, unsigned low,
                      const struct cache_sets *ordered) {
    uint64_t set_bytes = (uint64_t)cfg->ways * cfg->line_bytes;
    if (!set_bytes || cfg->bytes % set_bytes || (cfg->replacement == CFG_PLRU && cfg->ways > 64))
        return -EINVAL;
    c->sets = cfg->bytes / set_bytes;
    c->how = can_be_ordered(cfg, c->sets, low) ? ordered : &cache_sets_plain;
    c->ways = cfg->ways;
    c->set_mask = c->sets - 1;
    if (low || !power_of_two(c->sets))
        c->reciprocal = c->sets > 1 ? (uint64_t)(((unsigned __int128)1 << 64) / c->sets) : ~0ull;
    c->low = low;
    c->low_mask = low ? ~0ull << (64 - low) : 0;
    c->hit_cycles = cfg->hit_cycles;
    c->replacement = cfg->replacement;
    c->random = seed;
    return lines_init(c, cfg);
}

static void cache_fini(struct cache *c) {
    free(c->word);
    free(c->tag);
    free(c->front);
}

/* ---- one access ---- */

/* A dirty line leaves cache `from`. */
static __attribute__((noinline)) void write_back(struct cache_core *core, unsigned from, uint64_t word) {
    struct cache *c;
    while (word & CACHE_DIRTY) {
        core->cache[from]->counts.writebacks++;
        c = core->cache[++from];
        if (!c || c->how->use(c, word, &word))
            return;
    }
}

/* The cache where it enters does not have the line, and pushed out `old`. */
static __attribute__((noinline)) struct cache_answer miss(struct cache_core *core, uint64_t pa, unsigned enter,
                                                          uint64_t old, enum cache_user user) {
    uint64_t word = cache_word(core, pa, false), out[4] = {[0] = 0};
    struct cache *c;
    unsigned i = enter;

    core->cache[enter]->counts.misses[user]++;
    out[i] = old;
    while ((c = core->cache[++i])) {
        if (c->how->use(c, word, &out[i])) {
            c->counts.hits[user]++;
            break;
        }
        c->counts.misses[user]++;
    }
    struct cache_answer answer = {c ? c->hit_cycles : cache_memory_cycles(core, pa), c ? c->level : CACHE_MEMORY};
    while (i-- > enter) /* what a lower level pushed out has gone before it hears of what this one did */
        if (out[i] & CACHE_DIRTY)
            write_back(core, i, out[i]);
    return answer;
}

struct cache_answer cache_access(struct cache_core *core, uint64_t pa, bool write, enum cache_user user) {
    unsigned enter = core->enter[user];
    struct cache *c = core->cache[enter];
    uint64_t word = cache_word(core, pa, write), old;

    cache_drain(core);
    if (enter == 0)
        *cache_front(core, pa) = (word & ~CACHE_DIRTY) | core->no_front;
    if (__builtin_expect(!c, 0))
        return (struct cache_answer){cache_memory_cycles(core, pa), CACHE_MEMORY};
    if (!c->how->use(c, word, &old))
        return miss(core, pa, enter, old, user);
    c->counts.hits[user]++;
    return (struct cache_answer){c->hit_cycles, c->level};
}

/* ---- all of them ---- */

static void add_cache(struct cache_core *core, struct cache *c, unsigned level) {
    unsigned n = 0;
    while (core->cache[n])
        n++;
    core->cache[n] = c;
    c->level = (enum cache_served)level;
}

static int add_level(struct cache_system *s, unsigned level, const struct cfg_cache *cfg, uint64_t seed,
                     unsigned low, const struct cache_sets *ordered) {
    if (!cfg->bytes)
        return 0;
    unsigned n = cfg->shared ? 1 : s->ncores;
    for (unsigned i = 0; i < n; i++) {
        struct cache *c = &s->cache[level][i];
        int err = cache_init(c, cfg, seed + (uint64_t)level * CFG_MAX_CORES + i, low, ordered);
        if (!err && level == 0)
            err = front_init(c);
        if (err)
            return err;
        s->ncache[level] = i + 1;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        add_cache(&s->core[i], &s->cache[level][cfg->shared ? 0 : i], level);
    return 0;
}

/* What of a line's number does not fit into a tag. */
static unsigned low_bits(const struct emt_config *cfg, uint32_t line_bytes) {
    uint64_t lines = cfg->memory.bytes / line_bytes;
    unsigned low = 0;
    while (low < CACHE_MAX_LOW && lines >> low >= CACHE_NO_LINE)
        low++;
    return low;
}

static void core_init(struct cache_core *core, unsigned number, const struct emt_config *cfg, uint32_t line_bytes) {
    uint32_t lookup = 0;
    const struct cache *l1 = NULL;
    for (unsigned i = 0; core->cache[i]; i++) {
        lookup = core->cache[i]->hit_cycles;
        if (core->cache[i]->level == CACHE_L1)
            l1 = core->cache[i];
    }
    core->line_shift = (uint32_t)__builtin_ctz(line_bytes);
    core->low = low_bits(cfg, line_bytes);
    core->turn = core->line_shift + core->low;
    core->line_mask = (CACHE_DIRTY << core->turn) - line_bytes;
    core->enter[CACHE_WALK] = cfg->walk_level == 2 && l1;
    core->memory_cycles[0] = lookup + cfg->memory.local_cycles;
    core->memory_cycles[1] = lookup + cfg->memory.remote_cycles;
    core->nodes = cfg->memory.nodes > 1 ? cfg->memory.nodes : 1;
    core->node = number * core->nodes / cfg->core.count;
    core->node_bytes = cfg->memory.bytes / core->nodes;
    core->front = &core->nothing;
    core->no_front = ~0ull;
    core->nothing = ~0ull;
    if (l1 && power_of_two(l1->sets)) {
        core->front = l1->front;
        core->front_mask = l1->set_mask;
        core->no_front = 0;
    }
    core->l1_cycles = l1 ? l1->hit_cycles : 0;
}

int cache_system_new_with(struct cache_system **out, const struct emt_config *cfg,
                          const struct cache_sets *ordered) {
    const struct cfg_cache *level[3] = {&cfg->l1d, &cfg->l2, &cfg->llc};
    uint32_t line_bytes = 0;
    *out = NULL;
    for (unsigned i = 0; i < 3; i++) {
        if (!level[i]->bytes)
            continue;
        if (!power_of_two(level[i]->line_bytes) || (line_bytes && line_bytes != level[i]->line_bytes))
            return -EINVAL;
        line_bytes = level[i]->line_bytes;
    }
    line_bytes = line_bytes ? line_bytes : 64;
    if (!cfg->core.count || cfg->core.count > CFG_MAX_CORES ||
        (cfg->memory.nodes > 1 && cfg->memory.bytes < cfg->memory.nodes))
        return -EINVAL;
    struct cache_system *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->ncores = cfg->core.count;
    s->core = calloc(s->ncores, sizeof(*s->core));
    int err = s->core ? 0 : -ENOMEM;
    for (unsigned i = 0; i < 3 && !err; i++)
        err = add_level(s, i, level[i], cfg->seed, low_bits(cfg, line_bytes), ordered);
    if (err) {
        cache_system_free(s);
        return err;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        core_init(&s->core[i], i, cfg, line_bytes);
    *out = s;
    return 0;
}

int cache_system_new(struct cache_system **out, const struct emt_config *cfg) {
    return cache_system_new_with(out, cfg, cache_sets_of_host(0));
}

void cache_system_free(struct cache_system *s) {
    if (!s)
        return;
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < CFG_MAX_CORES; i++)
            cache_fini(&s->cache[level][i]);
    free(s->core);
    free(s);
}

struct cache_core *cache_system_core(struct cache_system *s, unsigned core) {
    return &s->core[core];
}

void cache_core_timing(struct cache_core *core, struct core_timing *timing) {
    core->timing = timing;
}

static void drain_all(const struct cache_system *s) {
    for (unsigned i = 0; i < s->ncores; i++)
        cache_drain(&s->core[i]);
}

void cache_system_counts(const struct cache_system *s, unsigned level, struct cache_counts *sum) {
    drain_all(s);
    *sum = (struct cache_counts){0};
    for (unsigned i = 0; i < s->ncache[level]; i++) {
        const struct cache_counts *counts = &s->cache[level][i].counts;
        for (unsigned user = 0; user < CACHE_USERS; user++) {
            sum->hits[user] += counts->hits[user];
            sum->misses[user] += counts->misses[user];
        }
        sum->writebacks += counts->writebacks;
    }
}

void cache_system_reset_counts(struct cache_system *s) {
    drain_all(s);
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < s->ncache[level]; i++)
            s->cache[level][i].counts = (struct cache_counts){0};
}
