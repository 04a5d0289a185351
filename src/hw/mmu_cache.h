/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An MMU cache: what an architecture keeps beside its walker (radix: paging-structure caches; hashed tables: caches
 * of their hints). A set-associative array from (ASID, key) to two words or more; what they mean is the walker's
 * business.
 * The set is the key modulo the number of sets, which need not be a power of two.
 */
#ifndef EMT_HW_MMU_CACHE_H
#define EMT_HW_MMU_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/config.h"

struct mmu_cache_entry {
    uint64_t key, value[2];
    uint64_t stamp; /* clock at the last use */
    uint32_t asid;  /* | MMU_CACHE_VALID */
};
#define MMU_CACHE_VALID 0x10000u

struct mmu_cache {
    struct mmu_cache_entry *entry; /* NULL: this machine does not have the cache */
    uint64_t *extra;               /* words of values beyond two, `extra_words` for each entry; NULL: none */
    unsigned extra_words;
    uint64_t clock, random;
    uint32_t sets, ways;
    enum cfg_replacement replacement;
};

/* -EINVAL: entries do not divide by ways. -ENOMEM. cfg->entries == 0 makes an absent cache. */
int mmu_cache_init(struct mmu_cache *c, const struct cfg_mmu_cache *cfg, uint64_t seed);
void mmu_cache_fini(struct mmu_cache *c);
/* After init: values have so many words, if more than two. -ENOMEM. */
int mmu_cache_widen(struct mmu_cache *c, unsigned words);

bool mmu_cache_get(struct mmu_cache *c, uint16_t asid, uint64_t key, uint64_t value[2]);
void mmu_cache_put(struct mmu_cache *c, uint16_t asid, uint64_t key, const uint64_t value[2]);

/* Keys first..last of the ASID. */
void mmu_cache_drop_keys(struct mmu_cache *c, uint16_t asid, uint64_t first, uint64_t last);
void mmu_cache_drop_asid(struct mmu_cache *c, uint16_t asid);
void mmu_cache_drop_all(struct mmu_cache *c);

#endif
