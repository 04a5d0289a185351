/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The MMU caches of one core. An architecture brings them by number (emt_walker_ops.caches); mmu_caches.kind says
 * what stands behind the numbers of those that keep upper levels. The walker is the same.
 *
 *            tag                       looked up                              a hit saves
 *     psc    ASID, address   one for   all at once, before the first read     all reads above it (longest match)
 *     utc    ASID, level,    one in    all levels at once, before the first   the same; levels compete for room
 *            address         all       read
 *     pwc    where the       one for   before each read of an upper entry,    that one read
 *            entry lies      each, or  in sequence
 *                            one in all
 *     none
 *
 * psc is what Intel documents (SDM vol. 3, 4.10.3), pwc what AMD built (Bhargava et al., ASPLOS'08). Barr, Cox and
 * Rixner ("Translation Caching: Skip, Don't Walk", ISCA'10) call psc the split translation cache, utc the unified
 * one, and pwc a page table cache: split, or, when the machine has mmu_caches.pwc, unified.
 *
 * What is kept is the same for all kinds: entries that are present, accessed and lead to a table. Caches that do
 * not keep upper levels (ECPT's walk caches) know nothing of kinds.
 *
 * What an invalidation drops:
 *   psc, utc   a range: the whole ASID, as INVLPG drops all entries of the PCID (Intel SDM vol. 3, 4.10.4.1)
 *   pwc        anything: all of it. Its tags know no ASID, and with EFER.TCE clear INVLPG, INVLPGB and INVPCID
 * remove all cached upper-level entries, related or not (AMD APM vol. 2, 3.1.7). A load of the root register with
 * ASIDs drops nothing: what lies at a physical address is the same for all. others     the keys of the range
 */
#include <errno.h>

#include "hw/mmu_private.h"

static const struct cfg_mmu_cache *described(const struct mmu *m, const char *name) {
    for (unsigned k = 0; k < m->cfg->nmmu_cache; k++)
        if (m->cfg->mmu_cache[k].entries && strcmp(m->cfg->mmu_cache[k].name, name) == 0)
            return &m->cfg->mmu_cache[k];
    return NULL;
}

/* The structure that holds all upper levels together; NULL: each has its own. */
static const char *unified(const struct mmu *m) {
    if (m->cfg->mmu_cache_kind == CFG_UTC)
        return "utc";
    return m->cfg->mmu_cache_kind == CFG_PWC && described(m, "pwc") ? "pwc" : NULL;
}

/* Without a size of its own, a unified structure is as large as what it replaces. */
static struct cfg_mmu_cache unified_geometry(const struct mmu *m, const char *name) {
    const struct emt_walker_ops *walker = m->arch->walker;
    const struct cfg_mmu_cache *own = described(m, name), *level;
    struct cfg_mmu_cache sum = {0};

    for (unsigned i = 0; i < walker->ncaches && !own; i++) {
        level = walker->caches[i].upper ? described(m, walker->caches[i].name) : NULL;
        sum.entries += level ? level->entries : 0;
    }
    return own ? *own : sum;
}

static unsigned words(const struct mmu *m, unsigned i) {
    const struct emt_walker_ops *walker = m->arch->walker;
    unsigned most = emt_mmu_cache_words(&walker->caches[i]);

    for (unsigned k = 0; k < walker->ncaches; k++)
        if (m->cache_at[k] == i && emt_mmu_cache_words(&walker->caches[k]) > most)
            most = emt_mmu_cache_words(&walker->caches[k]);
    return most;
}

/* A unified structure stands in the place of the first cache that it replaces. */
static void find_places(struct mmu *m) {
    const struct emt_walker_ops *walker = m->arch->walker;
    const char *one = unified(m);
    unsigned first = m->ncache;

    for (unsigned i = 0; i < m->ncache; i++) {
        bool together = one && walker->caches[i].upper;

        if (together && first == m->ncache)
            first = i;
        m->cache_at[i] = (uint8_t)(together ? first : i);
        if (m->cache_at[i] == i)
            m->cache_name[i] = together ? one : walker->caches[i].name;
    }
}

static int fill_place(struct mmu *m, unsigned i) {
    const bool upper = m->arch->walker->caches[i].upper;
    const char *one = upper ? unified(m) : NULL;
    const struct cfg_mmu_cache *own = described(m, m->cache_name[i]);
    struct cfg_mmu_cache geometry = own ? *own : (struct cfg_mmu_cache){0};

    if (m->cfg->software_tlb || (upper && m->cfg->mmu_cache_kind == CFG_NO_MMU_CACHES))
        return 0;
    if (one)
        geometry = unified_geometry(m, one);
    int err = mmu_cache_init(&m->cache[i], &geometry, m->cfg->seed + 1000 * (m->core + 1) + i);
    return err ? err : mmu_cache_widen(&m->cache[i], words(m, i));
}

static bool physical(const struct mmu *m, unsigned i) {
    return m->cfg->mmu_cache_kind == CFG_PWC && m->arch->walker->caches[i].upper;
}

int mmu_caches_init(struct mmu *m) {
    if (m->arch->walker->ncaches > CFG_MMU_CACHES)
        return -EINVAL;
    m->ncache = m->arch->walker->ncaches;
    find_places(m);
    for (unsigned i = 0; i < m->ncache; i++) {
        int err = m->cache_at[i] == i ? fill_place(m, i) : 0;
        if (err)
            return err;
        m->has_caches |= m->cache[i].entry != NULL;
        if (m->cache[i].entry && !physical(m, i))
            m->lookup_cycles = m->cfg->mmu_cache_cycles;
    }
    return 0;
}

void mmu_caches_fini(struct mmu *m) {
    for (unsigned i = 0; i < CFG_MMU_CACHES; i++)
        mmu_cache_fini(&m->cache[i]);
}

void mmu_caches_drop_all(struct mmu *m) {
    for (unsigned i = 0; i < m->ncache; i++)
        mmu_cache_drop_all(&m->cache[i]);
}

void mmu_caches_drop_asid(struct mmu *m, uint16_t asid) {
    for (unsigned i = 0; i < m->ncache; i++) {
        if (physical(m, i))
            mmu_cache_drop_all(&m->cache[i]);
        else
            mmu_cache_drop_asid(&m->cache[i], asid);
    }
}

void mmu_caches_drop_range(struct mmu *m, uint16_t asid, uint64_t va, uint64_t last) {
    for (unsigned i = 0; i < m->ncache; i++) {
        const struct emt_mmu_cache *c = &m->arch->walker->caches[i];

        if (physical(m, i))
            mmu_cache_drop_all(&m->cache[i]);
        else if (c->upper)
            mmu_cache_drop_asid(&m->cache[i], asid);
        else
            mmu_cache_drop_keys(&m->cache[i], asid, va >> c->key_shift, last >> c->key_shift);
    }
}
