/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Data caches: hw/cache.h; hw/cache_private.h draws a line.
 *
 * A miss goes down the levels that are there until one has the line, and fills each level on the way back. A dirty
 * line that is pushed out goes to the next level (marked dirty there, or allocated); write-backs take no time of
 * the access and count as neither hit nor miss.
 */
#include "hw/cache_ranked.h"

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

static bool ranked(const struct cfg_cache *cfg) {
    return CACHE_HAS_RANKED && cfg->replacement == CFG_LRU && cfg->ways <= CACHE_RANKED_WAYS;
}

/* Zeroed; begins with a line of the host's cache. */
static void *array(uint64_t count, uint64_t size_bytes) {
    uint64_t bytes = (count * size_bytes + 63) & ~63ull;
    void *p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static int cache_init(struct cache *c, const struct cfg_cache *cfg, uint64_t seed, bool plain, bool l1) {
    uint64_t set_bytes = (uint64_t)cfg->ways * cfg->line_bytes;
    if (!set_bytes || cfg->bytes % set_bytes || (cfg->replacement == CFG_PLRU && cfg->ways > 64))
        return -EINVAL;
    plain = plain || !ranked(cfg);
    c->ways = cfg->ways;
    c->ways_mask = plain ? 0 : (1u << cfg->ways) - 1;
    c->stride = plain ? cache_plain_stride(cfg) : cfg->ways;
    c->sets = cfg->bytes / set_bytes;
    c->set_mask = power_of_two(c->sets) ? c->sets - 1 : 0;
    c->reciprocal = c->sets > 1 ? (uint64_t)(((unsigned __int128)1 << 64) / c->sets) : 0;
    c->hit_cycles = cfg->hit_cycles;
    c->replacement = cfg->replacement;
    c->random = seed;
    c->word = array(c->sets * c->stride, sizeof(*c->word));
    c->front = l1 ? array(c->sets, sizeof(*c->front)) : NULL;
    if (!c->word || (l1 && !c->front))
        return -ENOMEM;
    if (plain)
        return 0;
    c->ranks = array(c->sets, sizeof(*c->ranks));
    if (!c->ranks)
        return -ENOMEM;
    ranked_init(c);
    return 0;
}

static void cache_fini(struct cache *c) {
    free(c->word);
    free(c->ranks);
    free(c->front);
}

static inline uint64_t *find(struct cache *c, uint64_t set, uint64_t line, cache_hash hash) {
    if (__builtin_expect(c->ranks != NULL, 1))
        return ranked_find(c, set, line, hash);
    return cache_plain_find(c, set, line);
}

static inline uint64_t fill(struct cache *c, uint64_t set, uint64_t line, cache_hash hash, bool dirty) {
    if (__builtin_expect(c->ranks != NULL, 1))
        return ranked_fill(c, set, line, hash, dirty);
    return cache_plain_fill(c, set, line, dirty);
}

/* ---- one access ---- */

/* A dirty line leaves cache `from`. */
static __attribute__((noinline)) void write_back(struct cache_core *core, unsigned from, uint64_t word) {
    while (word & CACHE_DIRTY) {
        core->cache[from]->counts.writebacks++;
        struct cache *c = core->cache[++from];
        if (!c)
            return;
        uint64_t line = word >> 2, set = cache_set_of(c, line);
        cache_hash hash = ranked_hash(line);
        uint64_t *found = find(c, set, line, hash);
        if (found) {
            *found |= CACHE_DIRTY;
            return;
        }
        word = fill(c, set, line, hash, true);
    }
}

/* The cache where it enters does not have the line. */
static __attribute__((noinline)) struct cache_answer miss(struct cache_core *core, uint64_t pa, bool write,
                                                          enum cache_user user) {
    unsigned enter = core->enter[user], i;
    uint64_t line = pa >> core->line_shift, set[4], old;
    cache_hash hash = ranked_hash(line);
    struct cache *c, *first = core->cache[enter];

    for (i = enter + 1; (c = core->cache[i]); i++) {
        set[i] = cache_set_of(c, line);
        cache_prefetch(c, set[i]); /* all levels at once, before the first is waited for */
    }
    first->counts.misses[user]++;
    for (i = enter + 1; (c = core->cache[i]); i++) {
        if (find(c, set[i], line, hash)) {
            c->counts.hits[user]++;
            break;
        }
        c->counts.misses[user]++;
    }
    struct cache_answer answer = {c ? c->hit_cycles : cache_memory_cycles(core, pa), c ? c->level : CACHE_MEMORY};
    while (--i > enter) {
        old = fill(core->cache[i], set[i], line, hash, false);
        if (old & CACHE_DIRTY)
            write_back(core, i, old);
    }
    old = fill(first, cache_set_of(first, line), line, hash, write);
    if (old & CACHE_DIRTY)
        write_back(core, enter, old);
    return answer;
}

/* Where no first candidate is the line: several have its hash, or the sets are plain, or there is no cache. */
static __attribute__((noinline)) struct cache_answer search(struct cache_core *core, uint64_t pa, bool write,
                                                            enum cache_user user) {
    struct cache *c = core->cache[core->enter[user]];
    uint64_t line = pa >> core->line_shift, *found;
    if (!c)
        return (struct cache_answer){cache_memory_cycles(core, pa), CACHE_MEMORY};
    found = find(c, cache_set_of(c, line), line, ranked_hash(line));
    if (!found)
        return miss(core, pa, write, user);
    c->counts.hits[user]++;
    *found |= write ? CACHE_DIRTY : 0;
    return (struct cache_answer){c->hit_cycles, c->level};
}

/* The common case, a hit in the first way that has the line's hash, in as few instructions as can be. */
struct cache_answer cache_access(struct cache_core *core, uint64_t pa, bool write, enum cache_user user) {
    struct cache *c = core->cache[core->enter[user]];
    cache_drain(core);
    if (core->enter[user] == 0)
        *cache_front(core, pa >> core->line_shift) = cache_word(pa >> core->line_shift, false) & core->keep;
    if (__builtin_expect(!c || !c->ranks, 0))
        return search(core, pa, write, user);
    uint64_t line = pa >> core->line_shift, set = cache_set_of(c, line);
    unsigned ways = ranked_ways(c, set, ranked_hash(line));
    if (!ways)
        return miss(core, pa, write, user);
    unsigned way = (unsigned)__builtin_ctz(ways);
    if (__builtin_expect(!cache_word_is(c->word[set * c->stride + way], line), 0))
        return search(core, pa, write, user);
    *ranked_use(c, set, way) |= write ? CACHE_DIRTY : 0;
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
                     bool plain) {
    if (!cfg->bytes)
        return 0;
    unsigned n = cfg->shared ? 1 : s->ncores;
    for (unsigned i = 0; i < n; i++) {
        int err =
            cache_init(&s->cache[level][i], cfg, seed + (uint64_t)level * CFG_MAX_CORES + i, plain, level == 0);
        if (err)
            return err;
        s->ncache[level] = i + 1;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        add_cache(&s->core[i], &s->cache[level][cfg->shared ? 0 : i], level);
    return 0;
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
    core->enter[CACHE_WALK] = cfg->walk_level == 2 && l1;
    core->memory_cycles[0] = lookup + cfg->memory.local_cycles;
    core->memory_cycles[1] = lookup + cfg->memory.remote_cycles;
    core->nodes = cfg->memory.nodes > 1 ? cfg->memory.nodes : 1;
    core->node = number * core->nodes / cfg->core.count;
    core->node_bytes = cfg->memory.bytes / core->nodes;
    core->front = &core->nothing;
    if (l1 && power_of_two(l1->sets)) {
        core->front = l1->front;
        core->front_mask = l1->set_mask;
        core->keep = ~0ull;
    }
    core->l1_cycles = l1 ? l1->hit_cycles : 0;
    for (unsigned i = 0; i < CACHE_QUEUE; i++)
        core->ops[0].access[i] = (uint16_t)i;
}

static int system_new(struct cache_system **out, const struct emt_config *cfg, bool plain) {
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
        err = add_level(s, i, level[i], cfg->seed, plain);
    if (err) {
        cache_system_free(s);
        return err;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        core_init(&s->core[i], i, cfg, line_bytes ? line_bytes : 64);
    *out = s;
    return 0;
}

int cache_system_new(struct cache_system **out, const struct emt_config *cfg) {
    return system_new(out, cfg, false);
}

int cache_system_new_plain(struct cache_system **out, const struct emt_config *cfg) {
    return system_new(out, cfg, true);
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
