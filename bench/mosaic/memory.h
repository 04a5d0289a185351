/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory whose frames have one bit each, for terabytes of placement: the architecture's own `place` chooses, asked
 * through the interface as the OS asks it; only the frame allocator behind it is this bitmap.
 */
#ifndef EMT_BENCH_MOSAIC_MEMORY_H
#define EMT_BENCH_MOSAIC_MEMORY_H

#include <sys/mman.h>

#include "core/mm.h"
#include "hw/replacement.h"
#include "mmu/mosaic/tables.h"

struct memory {
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_tdb tdb;
    mosaic_tables random; /* of this run's seed */
    uint64_t frames;      /* of mosaic memory: where pages may lie */
    uint64_t first;
    uint64_t *free; /* a bit for each frame of all memory */
    size_t free_bytes;
    uint64_t used;
};

/* Zeroes for the bench itself, in huge pages where the host has them: most accesses miss its caches. NULL. */
static inline void *memory_of_host(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static inline void memory_to_host(void *p, size_t bytes) {
    if (p)
        munmap(p, bytes);
}

static inline uint64_t memory_table(void *os, unsigned order) {
    (void)os;
    return (uint64_t)EMT_PAGE_BYTES << order; /* the one root node: nothing is ever mapped */
}

static inline void memory_table_back(void *os, uint64_t pa, unsigned order) {
    (void)os;
    (void)pa;
    (void)order;
}

static inline unsigned memory_free_in(void *ctx, uint64_t pfn, unsigned n) {
    const struct memory *m = ctx;

    /* A yard lies within 64 aligned frames. */
    return (unsigned)__builtin_popcountll(m->free[pfn / 64] >> pfn % 64 & (~0ull >> (64 - n)));
}

/* `bytes` of memory, whose hash tables are drawn from `seed`; 0: those of the hardware. 0, -ENOMEM. */
static inline int memory_init(struct memory *m, uint64_t bytes, uint64_t seed) {
    memset(m, 0, sizeof(*m));
    int err = emt_host_init(&m->host, bytes);
    if (err)
        return err;
    m->host.unmovable_frames = bytes / EMT_PAGE_BYTES / 64;
    m->host.frame_alloc = memory_table;
    m->host.frame_free = memory_table_back;
    err = emt_tsvc_init(&m->svc, emt_arch_find("mosaic:4"), &m->host, false);
    if (!err)
        err = emt_tdb_create(&m->tdb, &m->svc, 1);
    if (err)
        return err;
    struct mosaic_service *s = m->svc.priv;
    for (unsigned i = 0; seed && i < sizeof(m->random) / sizeof(uint32_t); i++)
        (&m->random[0][0])[i] = (uint32_t)(hw_random(&seed) >> 32);
    if (seed)
        s->random = (const mosaic_tables *)&m->random;
    m->first = s->memory.first_pfn;
    m->frames = (uint64_t)s->memory.buckets * MOSAIC_BUCKET_FRAMES;
    m->free_bytes = bytes / EMT_PAGE_BYTES / 8;
    m->free = memory_of_host(m->free_bytes);
    if (!m->free)
        return -ENOMEM;
    memset(m->free, 0xff, m->free_bytes);
    return 0;
}

static inline void memory_fini(struct memory *m) {
    if (m->svc.arch) {
        emt_tdb_destroy(&m->tdb);
        emt_tsvc_fini(&m->svc);
    }
    emt_host_fini(&m->host);
    memory_to_host(m->free, m->free_bytes);
}

static inline void memory_ask(struct memory *m, uint64_t page, struct emt_place *place) {
    const struct emt_place_query q = {.va = page << EMT_PAGE_SHIFT,
                                      .bytes = EMT_PAGE_BYTES,
                                      .asid = m->tdb.asid,
                                      .node = -1,
                                      .free_frames = memory_free_in,
                                      .ctx = m};

    emt_tdb_place(&m->tdb, &q, place);
}

static inline void memory_take(struct memory *m, uint64_t pfn) {
    m->free[pfn / 64] &= ~(1ull << pfn % 64);
    m->used++;
}

static inline void memory_give(struct memory *m, uint64_t pfn) {
    m->free[pfn / 64] |= 1ull << pfn % 64;
    m->used--;
}

/* The first free frame of the answer, taken; EMT_NO_PA: a conflict. */
static inline uint64_t memory_take_first(struct memory *m, const struct emt_place *place) {
    for (unsigned i = 0; i < place->runs; i++) {
        const uint64_t pfn = place->run[i].pfn;
        const uint64_t bits = m->free[pfn / 64] >> pfn % 64 & (~0ull >> (64 - place->run[i].frames));
        if (bits) {
            memory_take(m, pfn + (unsigned)__builtin_ctzll(bits));
            return pfn + (unsigned)__builtin_ctzll(bits);
        }
    }
    return EMT_NO_PA;
}

static inline uint64_t memory_place(struct memory *m, uint64_t page) {
    struct emt_place place;

    memory_ask(m, page, &place);
    return memory_take_first(m, &place);
}

#endif
