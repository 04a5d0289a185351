/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A small world for tests of the hardware: physical memory, x86-64 page tables written by hand (no driver, no OS:
 * what the MMU sees is only bytes), a description to change, and streams of addresses.
 */
#ifndef EMT_TESTS_HW_WORLD_H
#define EMT_TESTS_HW_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/mm.h"
#include "hw/mmu_private.h"
#include "hw/replacement.h"

#define P   0x1ull
#define RW  0x2ull
#define US  0x4ull
#define A   0x20ull
#define D   0x40ull
#define PS  0x80ull
#define G   0x100ull
#define NX  (1ull << 63)
#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define WORLD_ROOTS 4

struct world {
    struct emt_host host;
    struct emt_config cfg;
    const struct emt_arch *arch;
    struct emt_root root[WORLD_ROOTS]; /* address space n has ASID n */
    uint64_t next_table;
};

static inline uint64_t world_table(struct world *w) {
    uint64_t pa = w->next_table;
    w->next_table += 4096;
    return pa;
}

static inline void world_init(struct world *w) {
    memset(w, 0, sizeof(*w));
    assert_int_equal(emt_host_init(&w->host, 4 * GIB), 0);
    w->arch = emt_arch_find("radix4");
    assert_non_null(w->arch);
    w->next_table = MIB;
    for (unsigned i = 0; i < WORLD_ROOTS; i++)
        w->root[i].word[0] = world_table(w);
    w->cfg.core.count = 2;
    w->cfg.flat_ref_cycles = 10;
    w->cfg.walk_level = 1;
    w->cfg.os.asids = true;
    w->cfg.memory.bytes = 4 * GIB;
    w->cfg.memory.nodes = 1;
    w->cfg.seed = 1;
}

static inline void world_fini(struct world *w) {
    emt_host_fini(&w->host);
}

/* The entry of a level (1: PTE) that answers for va; tables above it are made. */
static inline uint64_t *world_entry(struct world *w, unsigned as, uint64_t va, unsigned level) {
    uint64_t table = w->root[as].word[0];
    for (unsigned l = 4;; l--) {
        uint64_t *e = emt_host_word(&w->host, table + 8 * (va >> (12 + 9 * (l - 1)) & 511));
        if (l == level)
            return e;
        if (!(*e & P))
            *e = world_table(w) | P | RW | US | A;
        table = *e & 0x000ffffffffff000ull;
    }
}

/* As a driver would, the write is counted; there is no flush. */
static inline void world_map(struct world *w, unsigned as, uint64_t va, uint64_t pa, unsigned level,
                             uint64_t flags) {
    *world_entry(w, as, va, level) = flags ? pa | flags | (level > 1 ? PS : 0) : 0;
    w->host.table_writes++;
}

static inline void world_map_pages(struct world *w, unsigned as, uint64_t va, uint64_t pa, unsigned n,
                                   uint64_t flags) {
    for (unsigned i = 0; i < n; i++)
        world_map(w, as, va + 4096ull * i, pa + 4096ull * i, 1, flags);
}

static inline struct cfg_tlb *world_tlb(struct world *w, uint32_t level, uint32_t holds, uint32_t pages,
                                        uint32_t entries, uint32_t ways) {
    struct cfg_tlb *t = &w->cfg.tlb[w->cfg.ntlb++];
    *t = (struct cfg_tlb){.level = level, .holds = holds, .pages = pages, .entries = entries, .ways = ways};
    if (level == 2)
        t->hit_cycles = 7;
    return t;
}

static inline void world_mmu_cache(struct world *w, const char *name, uint32_t entries) {
    struct cfg_mmu_cache *c = &w->cfg.mmu_cache[w->cfg.nmmu_cache++];
    *c = (struct cfg_mmu_cache){.entries = entries};
    strcpy(c->name, name);
}

static inline struct mmu *world_mmu(struct world *w, unsigned core, struct mmu_shared *shared,
                                    struct cache_core *caches) {
    struct mmu *m = NULL;
    assert_int_equal(mmu_new(&m, core, &w->cfg, w->arch, &w->host, shared, caches), 0);
    mmu_load_root(m, 1, &w->root[1]);
    return m;
}

static inline void world_flush(struct mmu *m, uint16_t asid, enum emt_flush_kind kind, uint64_t va,
                               uint64_t bytes) {
    struct emt_flush f = {.kind = kind, .va = va, .bytes = bytes, .stride = 4096};
    mmu_flush(m, asid, &f);
}

/* Translate, expect success and this address; returns whether it walked. */
static inline bool world_access(struct mmu *m, uint64_t va, unsigned type, uint64_t pa) {
    struct mmu_translation t;
    mmu_translate(m, va, type, &t);
    assert_int_equal(t.fault, 0);
    assert_int_equal(t.pa, pa);
    return t.walked;
}

static inline struct mmu_tlb_counts world_counts(const struct mmu *m, unsigned i) {
    struct mmu_tlb_counts c = {0};
    mmu_tlb_counts(m, i, &c);
    return c;
}

/* Skewed: small numbers are much likelier than large ones. */
static inline uint64_t skewed(uint64_t *random, unsigned bits) {
    return hw_random(random) >> (64 - bits) >> hw_random_below(random, bits);
}

#endif
