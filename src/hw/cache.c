/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Data caches: hw/cache.h; hw/cache_private.h draws a set.
 *
 * A miss goes down the levels that are there until one has the line, and fills each level on the way back. A dirty
 * line that is pushed out goes to the next level (marked dirty there, or allocated); write-backs take no time of
 * the access and count as neither hit nor miss.
 */
#include "hw/cache_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/replacement.h"

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

static int cache_init(struct cache *c, const struct cfg_cache *cfg, uint64_t seed) {
    uint64_t set_bytes = (uint64_t)cfg->ways * cfg->line_bytes;
    if (!set_bytes || cfg->bytes % set_bytes || (cfg->replacement == CFG_PLRU && cfg->ways > 64))
        return -EINVAL;
    c->ways = cfg->ways;
    c->stride = cfg->ways + (cfg->replacement == CFG_PLRU ? 3 : cfg->replacement == CFG_LRU ? cfg->ways : 0);
    c->sets = cfg->bytes / set_bytes;
    c->set_mask = power_of_two(c->sets) ? c->sets - 1 : 0;
    c->hit_cycles = cfg->hit_cycles;
    c->replacement = cfg->replacement;
    c->random = seed;
    /* aligned: a set of eight ways is one line of the host */
    uint64_t bytes = (c->sets * c->stride * sizeof(*c->word) + 63) & ~63ull;
    c->word = aligned_alloc(64, bytes);
    if (!c->word)
        return -ENOMEM;
    memset(c->word, 0, bytes);
    return 0;
}

static inline uint64_t *set_of(const struct cache *c, uint64_t line) {
    uint64_t set = c->set_mask || c->sets == 1 ? line & c->set_mask : line % c->sets;
    return c->word + set * c->stride;
}

/* Point the tree's bits on the way's path away from it. Node n parts the ways below n from the others; a node over
   k ways puts ceil(k / 2) of them on the left, as in hw/replacement.h. */
static void tree_touch(uint64_t *tree, unsigned ways, unsigned way) {
    for (unsigned first = 0, n = ways; n > 1;) {
        unsigned left = (n + 1) / 2, node = first + left;
        if (way < node) {
            *tree |= 1ull << node;
            n = left;
        } else {
            *tree &= ~(1ull << node);
            first = node;
            n -= left;
        }
    }
}

static unsigned tree_victim(uint64_t tree, unsigned ways) {
    unsigned first = 0;
    for (unsigned n = ways; n > 1;) {
        unsigned left = (n + 1) / 2;
        bool right = tree >> (first + left) & 1;
        first += right ? left : 0;
        n = right ? n - left : left;
    }
    return first;
}

/* PLRU: make this way the one used last, and give the former one its dirty bit back. */
static void plru_front(const struct cache *c, uint64_t *set, unsigned way) {
    uint64_t *tree = &set[c->ways + 1], *front = &set[c->ways + 2];
    if (set[0])
        set[1 + *front] = set[0];
    set[0] = set[1 + way];
    *front = way;
    tree_touch(tree, c->ways, way);
}

/* Where the line is, or `ways`. No early exit: the host would mispredict it, which costs more than all the
 * compares. */
static inline unsigned search(const uint64_t *tag, unsigned ways, uint64_t line) {
    uint64_t want = line << 2 | CACHE_VALID;
    unsigned found = ways;
    for (unsigned way = 0; way < ways; way++)
        found = (tag[way] & ~CACHE_DIRTY) == want ? way : found;
    return found;
}

/* LRU and random: the line of this way becomes the first word, the first one takes its place. */
static inline void swap_front(struct cache *c, uint64_t *set, unsigned way, uint64_t word) {
    set[way] = set[0];
    set[0] = word;
    if (c->replacement == CFG_LRU) {
        uint64_t *stamp = set + c->ways;
        stamp[way] = stamp[0];
        stamp[0] = ++c->clock;
    }
}

/* Looks the line up and, when it is there, makes it the one used last. NULL: miss. */
static inline uint64_t *find(struct cache *c, uint64_t *set, uint64_t line) {
    bool plru = c->replacement == CFG_PLRU;
    unsigned way = search(set + plru, c->ways, line);
    if (__builtin_expect(way == c->ways, 0))
        return NULL;
    if (__builtin_expect(plru, 0))
        plru_front(c, set, way);
    else
        swap_front(c, set, way, set[way]);
    return set;
}

static uint64_t plru_fill(struct cache *c, uint64_t *set, uint64_t word) {
    unsigned way = 0;
    if (set[0])
        set[1 + set[c->ways + 2]] = set[0]; /* its dirty bit, should it be the one to go */
    while (way < c->ways && set[1 + way])
        way++;
    if (way == c->ways)
        way = tree_victim(set[c->ways + 1], c->ways);
    uint64_t old = set[1 + way];
    set[1 + way] = word;
    set[0] = 0;
    plru_front(c, set, way);
    return old;
}

/* Put a line that is not there; returns the word of what it pushed out, 0: nothing. */
static uint64_t fill(struct cache *c, uint64_t line, bool dirty) {
    uint64_t *set = set_of(c, line), word = line << 2 | (dirty ? CACHE_DIRTY : 0) | CACHE_VALID, old;
    unsigned way = 0;
    if (c->replacement == CFG_PLRU)
        return plru_fill(c, set, word);
    if (c->replacement == CFG_LRU)
        way = hw_victim(CFG_LRU, set + c->ways, 1, c->ways, NULL); /* an empty one has stamp 0 */
    else if (set[c->ways - 1])
        way = hw_random_below(&c->random, c->ways);
    else
        while (set[way])
            way++;
    old = set[way];
    swap_front(c, set, way, word);
    return old;
}

/* ---- one access ---- */

/* A dirty line leaves level `from`. */
static void write_back(struct cache_core *core, unsigned from, uint64_t word) {
    while (word & CACHE_DIRTY) {
        core->level[from]->counts.writebacks++;
        do
            from++;
        while (from < 3 && !core->level[from]);
        if (from == 3)
            return;
        uint64_t line = word >> 2, *first = find(core->level[from], set_of(core->level[from], line), line);
        if (first) {
            *first |= CACHE_DIRTY;
            return;
        }
        word = fill(core->level[from], line, true);
    }
}

static uint32_t memory_cycles(const struct cache_core *core, uint64_t pa) {
    uint64_t node = core->nodes > 1 ? pa / core->node_bytes : 0;
    if (node >= core->nodes)
        node = core->nodes - 1;
    return core->memory_cycles[node != core->node];
}

/* The first level it entered does not have the line. */
static struct cache_answer miss(struct cache_core *core, uint64_t pa, bool write, enum cache_user user,
                                unsigned top) {
    uint64_t line = pa >> core->line_shift, *first = NULL;
    unsigned level;
    for (level = top + 1; level < 3; level++) {
        struct cache *c = core->level[level];
        if (!c)
            continue;
        first = find(c, set_of(c, line), line);
        if (first) {
            c->counts.hits[user]++;
            break;
        }
        c->counts.misses[user]++;
    }
    for (unsigned l = first ? level : 3; l-- > top;)
        if (core->level[l])
            write_back(core, l, fill(core->level[l], line, write && l == top));
    if (first)
        return (struct cache_answer){core->level[level]->hit_cycles, (uint8_t)level};
    return (struct cache_answer){memory_cycles(core, pa), CACHE_MEMORY};
}

struct cache_answer cache_access(struct cache_core *core, uint64_t pa, bool write, enum cache_user user) {
    unsigned top = user == CACHE_WALK ? core->walk_top : core->top;
    if (top < 3) {
        struct cache *c = core->level[top];
        uint64_t line = pa >> core->line_shift, *first = find(c, set_of(c, line), line);
        if (first) {
            c->counts.hits[user]++;
            *first |= write ? CACHE_DIRTY : 0;
            return (struct cache_answer){c->hit_cycles, (uint8_t)top};
        }
        c->counts.misses[user]++;
    }
    return miss(core, pa, write, user, top);
}

/* ---- all of them ---- */

static int add_level(struct cache_system *s, unsigned level, const struct cfg_cache *cfg, uint64_t seed) {
    if (!cfg->bytes)
        return 0;
    unsigned n = cfg->shared ? 1 : s->ncores;
    for (unsigned i = 0; i < n; i++) {
        int err = cache_init(&s->cache[level][i], cfg, seed + (uint64_t)level * CFG_MAX_CORES + i);
        if (err)
            return err;
        s->ncache[level] = i + 1;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        s->core[i].level[level] = &s->cache[level][cfg->shared ? 0 : i];
    return 0;
}

static void core_init(struct cache_core *core, unsigned number, const struct emt_config *cfg, uint32_t line_bytes) {
    uint32_t lookup = 0;
    for (unsigned level = 0; level < 3; level++)
        if (core->level[level])
            lookup = core->level[level]->hit_cycles;
    core->line_shift = (uint32_t)__builtin_ctz(line_bytes);
    while (core->top < 3 && !core->level[core->top])
        core->top++;
    core->walk_top = cfg->walk_level == 2 ? 1 : 0;
    while (core->walk_top < 3 && !core->level[core->walk_top])
        core->walk_top++;
    core->memory_cycles[0] = lookup + cfg->memory.local_cycles;
    core->memory_cycles[1] = lookup + cfg->memory.remote_cycles;
    core->nodes = cfg->memory.nodes > 1 ? cfg->memory.nodes : 1;
    core->node = number * core->nodes / cfg->core.count;
    core->node_bytes = cfg->memory.bytes / core->nodes;
    core->l1_word = &core->nothing;
    const struct cache *l1 = core->level[0];
    if (l1 && power_of_two(l1->sets)) {
        core->l1_word = l1->word;
        core->l1_set_mask = l1->set_mask;
        core->l1_stride = l1->stride;
    }
}

int cache_system_new(struct cache_system **out, const struct emt_config *cfg) {
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
        err = add_level(s, i, level[i], cfg->seed);
    if (err) {
        cache_system_free(s);
        return err;
    }
    for (unsigned i = 0; i < s->ncores; i++)
        core_init(&s->core[i], i, cfg, line_bytes ? line_bytes : 64);
    *out = s;
    return 0;
}

void cache_system_free(struct cache_system *s) {
    if (!s)
        return;
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < CFG_MAX_CORES; i++)
            free(s->cache[level][i].word);
    free(s->core);
    free(s);
}

struct cache_core *cache_system_core(struct cache_system *s, unsigned core) {
    return &s->core[core];
}

void cache_system_counts(const struct cache_system *s, unsigned level, struct cache_counts *sum) {
    *sum = (struct cache_counts){0};
    for (unsigned i = 0; i < s->ncache[level]; i++) {
        const struct cache_counts *counts = &s->cache[level][i].counts;
        for (unsigned user = 0; user < CACHE_USERS; user++) {
            sum->hits[user] += counts->hits[user];
            sum->misses[user] += counts->misses[user];
        }
        sum->writebacks += counts->writebacks;
    }
    for (unsigned i = 0; level == 0 && i < s->ncores; i++)
        for (unsigned user = 0; user < CACHE_USERS; user++)
            sum->hits[user] += s->core[i].l1_hits[user];
}

void cache_system_reset_counts(struct cache_system *s) {
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < s->ncache[level]; i++)
            s->cache[level][i].counts = (struct cache_counts){0};
    for (unsigned i = 0; i < s->ncores; i++)
        memset(s->core[i].l1_hits, 0, sizeof(s->core[i].l1_hits));
}
