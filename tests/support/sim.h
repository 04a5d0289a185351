/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A small world for tests of an architecture: simulated memory with a trivial frame allocator, a translation
 * service, and a walker's port that reads that memory, counts, and keeps MMU caches without limit of size.
 *
 *     struct sim sim;
 *     sim_open(&sim, arch, false);
 *     ... emt_tdb_create(&tdb, &sim.svc, asid) ... sim_walk(&sim, &tdb, &access, &walk) ...
 *     sim_close(&sim);        checks that all table frames came back
 */
#ifndef EMT_TESTS_SUPPORT_SIM_H
#define EMT_TESTS_SUPPORT_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/mm.h"

#define SIM_PHYS_BYTES  (1ull << 32)
#define SIM_ORDERS      16
#define SIM_LOG         16
#define SIM_CACHES      8
#define SIM_CACHE_LINES 64

struct sim_cache_line {
    bool valid;
    uint64_t key, value[EMT_MMU_CACHE_WORDS];
};

struct sim_port {
    struct emt_port port;
    struct emt_host *host;
    const struct emt_walker_ops *walker;
    unsigned fetches, updates, puts;
    struct emt_fetch log[SIM_LOG];          /* the first ones since sim_port_reset() */
    uint64_t interfere_pa, interfere_value; /* once, before an update of this word: somebody else's store */
    bool interfere;
    struct sim_cache_line cache[SIM_CACHES][SIM_CACHE_LINES];
};

struct sim {
    struct emt_host host;
    struct emt_tsvc svc;
    struct sim_port port;
    uint64_t next;              /* frames from here on were never used */
    uint64_t live;              /* frames that are out */
    uint64_t *free[SIM_ORDERS]; /* stacks of physical addresses */
    size_t nfree[SIM_ORDERS], room[SIM_ORDERS];
};

/* splitmix64 (Steele, Lea, Flood: OOPSLA'14) */
static inline uint64_t sim_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline uint64_t sim_frame_alloc(void *os, unsigned order) {
    struct sim *s = os;
    uint64_t bytes = EMT_PAGE_BYTES << order, pa;

    if (order >= SIM_ORDERS)
        return EMT_NO_PA;
    if (s->nfree[order]) {
        pa = s->free[order][--s->nfree[order]];
    } else {
        pa = (s->next + bytes - 1) & ~(bytes - 1);
        if (pa + bytes > s->host.phys_bytes)
            return EMT_NO_PA;
        s->next = pa + bytes;
    }
    s->live += 1ull << order;
    return pa;
}

static inline void sim_frame_free(void *os, uint64_t pa, unsigned order) {
    struct sim *s = os;

    if (s->nfree[order] == s->room[order]) {
        s->room[order] = s->room[order] ? 2 * s->room[order] : 64;
        s->free[order] = realloc(s->free[order], s->room[order] * sizeof(uint64_t));
        assert_non_null(s->free[order]);
    }
    /* Whoever reads a freed table finds nonsense, not yesterday's entries. */
    memset(s->host.phys + pa, 0xa5, EMT_PAGE_BYTES << order);
    s->free[order][s->nfree[order]++] = pa;
    s->live -= 1ull << order;
}

/* ---- the walker's port ---- */

static inline int sim_fetch(struct emt_port *port, struct emt_fetch *f, unsigned n) {
    struct sim_port *p = (struct sim_port *)port;

    for (unsigned i = 0; i < n; i++) {
        uint64_t bytes = 8ull * f[i].words;
        if (f[i].pa % bytes || f[i].pa > p->host->phys_bytes - bytes)
            return -EFAULT;
        memcpy(f[i].data, p->host->phys + f[i].pa, bytes);
        if (p->fetches < SIM_LOG)
            p->log[p->fetches] = f[i];
        p->fetches++;
    }
    return 0;
}

static inline bool sim_update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct sim_port *p = (struct sim_port *)port;
    uint64_t *word = (uint64_t *)(void *)(p->host->phys + pa);

    if (p->interfere && pa == p->interfere_pa) {
        p->interfere = false;
        *word = p->interfere_value;
    }
    if (*word != expected)
        return false;
    *word = desired;
    p->updates++;
    return true;
}

static inline bool sim_cache_get(struct emt_port *port, unsigned cache, uint64_t key, uint64_t value[2]) {
    const struct sim_port *p = (struct sim_port *)port;
    const struct sim_cache_line *l = &p->cache[cache][key % SIM_CACHE_LINES];

    if (!l->valid || l->key != key)
        return false;
    memcpy(value, l->value, 8 * emt_mmu_cache_words(&p->walker->caches[cache]));
    return true;
}

static inline void sim_cache_put(struct emt_port *port, unsigned cache, uint64_t key, const uint64_t value[2]) {
    struct sim_port *p = (struct sim_port *)port;

    p->puts++;
    struct sim_cache_line *l = &p->cache[cache][key % SIM_CACHE_LINES];
    *l = (struct sim_cache_line){.valid = true, .key = key};
    memcpy(l->value, value, 8 * emt_mmu_cache_words(&p->walker->caches[cache]));
}

/* Forget counts and caches. `caches`: whether walks from now on have MMU caches at all. */
static inline void sim_port_reset(struct sim *s, bool caches) {
    s->port = (struct sim_port){
        .port = {.fetch = sim_fetch, .update = sim_update},
        .host = &s->host,
        .walker = s->svc.arch->walker,
    };
    if (caches) {
        s->port.port.cache_get = sim_cache_get;
        s->port.port.cache_put = sim_cache_put;
    }
}

static inline int sim_walk(struct sim *s, const struct emt_tdb *tdb, const struct emt_access *access,
                           struct emt_walk *out) {
    struct emt_root root;

    emt_tdb_root(tdb, &root);
    return s->svc.arch->walker->walk(s->svc.arch, &root, access, &s->port.port, out);
}

/* ---- the whole ---- */

static inline void sim_open(struct sim *s, const struct emt_arch *arch, bool basic_only) {
    memset(s, 0, sizeof(*s));
    assert_int_equal(emt_host_init(&s->host, SIM_PHYS_BYTES), 0);
    s->host.frame_alloc = sim_frame_alloc;
    s->host.frame_free = sim_frame_free;
    s->host.os = s;
    s->next = EMT_PAGE_BYTES;
    assert_int_equal(emt_tsvc_init(&s->svc, arch, &s->host, basic_only), 0);
    sim_port_reset(s, false);
}

static inline void sim_close(struct sim *s) {
    emt_tsvc_fini(&s->svc);
    emt_host_release_freed(&s->host);
    assert_int_equal(s->host.table_bytes, 0);
    assert_int_equal(s->live, 0);
    emt_host_fini(&s->host);
    for (unsigned i = 0; i < SIM_ORDERS; i++)
        free(s->free[i]);
}

#endif
