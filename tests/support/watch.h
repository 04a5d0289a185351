/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A database under watch: before each store that the driver makes to tables, and so after each one before, the
 * walker must find every page that the test declares live. And a memory that can run out of large pieces.
 */
#ifndef EMT_TESTS_SUPPORT_WATCH_H
#define EMT_TESTS_SUPPORT_WATCH_H

#include "support/sim.h"

#define K4   EMT_PAGE_BYTES
#define M2   (2ull << 20)
#define G1   (1ull << 30)
#define PROT (EMT_PROT_WRITE | EMT_PROT_USER)

/* ---- a world with a memory that can run out of large pieces, and pages that must always be found ---- */

#define LIVE 64

struct live {
    uint64_t va, pa;
};

struct world {
    struct sim sim;
    struct emt_tdb tdb;
    bool fragmented; /* no piece of more than one frame is free */
    struct live live[LIVE];
    unsigned nlive, looks;
    bool looking, in_driver;
};

static inline uint64_t alloc(void *os, unsigned order) {
    struct world *w = (struct world *)os;

    return order && w->fragmented ? EMT_NO_PA : sim_frame_alloc(&w->sim, order);
}

static inline void give_back(void *os, uint64_t pa, unsigned order) {
    sim_frame_free(&((struct world *)os)->sim, pa, order);
}

static inline struct emt_walk walk(struct world *w, uint64_t va, unsigned type, bool peek) {
    const struct emt_access a = {
        .va = va, .type = (uint8_t)type, .user = true, .write_protect = true, .nx = true, .peek = peek};
    struct emt_walk out;

    assert_int_equal(sim_walk(&w->sim, &w->tdb, &a, &out), 0);
    if (out.fault && !(out.code & EMT_PF_PRESENT) && !w->in_driver && !emt_tdb_refill(&w->tdb, va))
        assert_int_equal(sim_walk(&w->sim, &w->tdb, &a, &out), 0);
    return out;
}

/* Called before each access: what the last store left must be right for every page that is not being changed. */
static inline uint64_t look(void *hw, uint64_t pa, bool write) {
    struct world *w = hw;

    (void)pa;
    if (!w->looking || !write)
        return 0;
    w->looking = false;
    w->in_driver = true;
    for (unsigned i = 0; i < w->nlive; i++) {
        const struct emt_walk out = walk(w, w->live[i].va, EMT_LOAD, true);
        assert_false(out.fault);
        assert_int_equal(out.pa + (w->live[i].va - out.va), w->live[i].pa);
    }
    w->looks++;
    w->in_driver = false;
    w->looking = true;
    return 0;
}

static inline void begin_arch(struct world *w, const struct emt_arch *arch) {
    memset(w, 0, sizeof(*w));
    sim_open(&w->sim, arch, false);
    w->sim.host.frame_alloc = alloc;
    w->sim.host.frame_free = give_back;
    w->sim.host.os = w;
    w->sim.host.table_access = look;
    w->sim.host.hw = w;
    assert_int_equal(emt_tdb_create(&w->tdb, &w->sim.svc, 1), 0);
}

static inline void begin(struct world *w, const char *arch) {
    begin_arch(w, emt_arch_find(arch));
}

static inline void end(struct world *w) {
    w->looking = false;
    emt_tdb_destroy(&w->tdb);
    sim_close(&w->sim);
}

static inline void map(struct world *w, uint64_t va, uint64_t pfn, uint64_t bytes) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(&w->sim.svc, &o, va, pfn, bytes, PROT), 0);
    assert_int_equal(emt_tdb_update(&w->tdb, &o), 0);
}

static inline void unmap(struct world *w, uint64_t va, uint64_t bytes) {
    struct emt_gather g;

    emt_gather_init(&g);
    assert_int_equal(emt_range_unmap(&w->tdb, va, bytes, NULL, NULL, &g), 0);
    emt_gather_flush(&w->tdb, &g);
}

static inline void keep(struct world *w, uint64_t va, uint64_t pa) {
    assert_true(w->nlive < LIVE);
    w->live[w->nlive++] = (struct live){va, pa};
}

static inline unsigned refs(struct world *w, uint64_t va) {
    sim_port_reset(&w->sim, false);
    assert_false(walk(w, va, EMT_LOAD, false).fault);
    return w->sim.port.fetches;
}

#endif
