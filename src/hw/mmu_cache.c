/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* MMU caches: hw/mmu_cache.h. */
#include "hw/mmu_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/replacement.h"

int mmu_cache_init(struct mmu_cache *c, const struct cfg_mmu_cache *cfg, uint64_t seed) {
    *c = (struct mmu_cache){0};
    if (!cfg->entries)
        return 0;
    uint32_t ways = cfg->ways ? cfg->ways : cfg->entries;
    if (cfg->entries % ways)
        return -EINVAL;
    c->ways = ways;
    c->sets = cfg->entries / ways;
    c->replacement = cfg->replacement;
    c->random = seed;
    c->entry = calloc(cfg->entries, sizeof(*c->entry));
    return c->entry ? 0 : -ENOMEM;
}

void mmu_cache_fini(struct mmu_cache *c) {
    free(c->entry);
    free(c->extra);
    c->entry = NULL;
    c->extra = NULL;
}

int mmu_cache_widen(struct mmu_cache *c, unsigned words) {
    if (words <= 2 || !c->entry)
        return 0;
    c->extra_words = words - 2;
    c->extra = calloc((size_t)c->sets * c->ways, c->extra_words * sizeof(*c->extra));
    return c->extra ? 0 : -ENOMEM;
}

static uint64_t *extra_of(const struct mmu_cache *c, const struct mmu_cache_entry *e) {
    return c->extra + (size_t)(e - c->entry) * c->extra_words;
}

static struct mmu_cache_entry *set_of(struct mmu_cache *c, uint64_t key) {
    return c->entry + (c->sets == 1 ? 0 : key % c->sets * c->ways);
}

static struct mmu_cache_entry *find(struct mmu_cache *c, uint16_t asid, uint64_t key) {
    struct mmu_cache_entry *e = set_of(c, key);
    for (struct mmu_cache_entry *end = e + c->ways; e < end; e++)
        if (e->key == key && e->asid == (asid | MMU_CACHE_VALID))
            return e;
    return NULL;
}

bool mmu_cache_get(struct mmu_cache *c, uint16_t asid, uint64_t key, uint64_t value[2]) {
    struct mmu_cache_entry *e = find(c, asid, key);
    if (!e)
        return false;
    e->stamp = ++c->clock;
    value[0] = e->value[0];
    value[1] = e->value[1];
    if (c->extra)
        memcpy(value + 2, extra_of(c, e), c->extra_words * sizeof(*value));
    return true;
}

void mmu_cache_put(struct mmu_cache *c, uint16_t asid, uint64_t key, const uint64_t value[2]) {
    struct mmu_cache_entry *set = set_of(c, key), *e = find(c, asid, key);
    for (unsigned way = 0; way < c->ways && !e; way++)
        if (!set[way].asid)
            e = set + way;
    if (!e)
        e = set + hw_victim(c->replacement, &set->stamp, sizeof(*set) / sizeof(set->stamp), c->ways, &c->random);
    e->key = key;
    e->value[0] = value[0];
    e->value[1] = value[1];
    if (c->extra)
        memcpy(extra_of(c, e), value + 2, c->extra_words * sizeof(*value));
    e->asid = asid | MMU_CACHE_VALID;
    e->stamp = ++c->clock;
}

void mmu_cache_drop_keys(struct mmu_cache *c, uint16_t asid, uint64_t first, uint64_t last) {
    for (struct mmu_cache_entry *e = c->entry, *end = e + (size_t)c->sets * c->ways; e < end; e++)
        if (e->asid == (asid | MMU_CACHE_VALID) && first <= e->key && e->key <= last)
            e->asid = 0;
}

void mmu_cache_drop_asid(struct mmu_cache *c, uint16_t asid) {
    mmu_cache_drop_keys(c, asid, 0, ~0ull);
}

void mmu_cache_drop_all(struct mmu_cache *c) {
    for (struct mmu_cache_entry *e = c->entry, *end = e + (size_t)c->sets * c->ways; e < end; e++)
        e->asid = 0;
}
