/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Services and databases: the basic functions, and what every architecture needs around them. */
#include "core/dispatch.h"

/* ---- services ---- */

int emt_tsvc_init(struct emt_tsvc *svc, const struct emt_arch *arch, struct emt_host *host, bool basic_only) {
#ifdef EMT_BASIC_ONLY
    /* The build in which the test suite shows that basic functions and defaults do. */
    basic_only = true;
#endif
    *svc = (struct emt_tsvc){.arch = arch, .host = host, .basic_only = basic_only};
    return BASIC(svc, tsvc_init)(svc);
}

void emt_tsvc_fini(struct emt_tsvc *svc) {
    BASIC(svc, tsvc_fini)(svc);
}

void emt_tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    *caps = (struct emt_caps){0};
    BASIC(svc, tsvc_caps)(svc, caps);
}

unsigned emt_tsvc_stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]) {
    return CUSTOM(svc, stats) ? CUSTOM(svc, stats)(svc, out) : 0;
}

int emt_tsvc_boot(struct emt_tsvc *svc) {
    return CUSTOM(svc, tsvc_boot) ? CUSTOM(svc, tsvc_boot)(svc) : 0;
}

void emt_tsvc_shutdown(struct emt_tsvc *svc) {
    if (CUSTOM(svc, tsvc_shutdown))
        CUSTOM(svc, tsvc_shutdown)(svc);
    emt_host_release_freed(svc->host);
}

int emt_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    int err = BASIC(svc, tsvc_switch)(svc, cpu, tdb);

    if (!err)
        svc->current[cpu] = tdb;
    return err;
}

struct emt_tdb *emt_tsvc_current(const struct emt_tsvc *svc, unsigned cpu) {
    return svc->current[cpu];
}

void emt_tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush) {
    BASIC(svc, tsvc_flush)(svc, flush);
    emt_host_release_freed(svc->host);
}

/* ---- databases ---- */

int emt_tdb_create(struct emt_tdb *tdb, struct emt_tsvc *svc, uint16_t asid) {
    *tdb = (struct emt_tdb){.svc = svc, .asid = asid};
    return BASIC(svc, tdb_create)(tdb);
}

void emt_tdb_destroy(struct emt_tdb *tdb) {
    struct emt_tsvc *svc = tdb->svc;

    emt_tsvc_flush(svc, &(struct emt_flush){.kind = EMT_FLUSH_ASID, .tdb = tdb, .tables = true});
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++)
        if (svc->current[cpu] == tdb)
            emt_tsvc_switch(svc, cpu, NULL);
    BASIC(svc, tdb_destroy)(tdb);
    /* Nothing can be cached any more of a database that was flushed and that no CPU uses. */
    emt_host_release_freed(svc->host);
}

int emt_tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return BASIC(tdb->svc, tdb_find)(tdb, va, out);
}

int emt_tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return BASIC(tdb->svc, tdb_update)(tdb, o);
}

int emt_tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    return BASIC(tdb->svc, tdb_remove)(tdb, va, old);
}

int emt_tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    return BASIC(tdb->svc, tdb_test_clear)(tdb, va, mask);
}

int emt_tdb_refill(struct emt_tdb *tdb, uint64_t va) {
    return BASIC(tdb->svc, tdb_refill) ? BASIC(tdb->svc, tdb_refill)(tdb, va) : -ENOENT;
}

void emt_tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    *root = (struct emt_root){{0}};
    BASIC(tdb->svc, tdb_root)(tdb, root);
}

uint64_t emt_tdb_table_bytes(const struct emt_tdb *tdb) {
    return CUSTOM(tdb->svc, table_bytes) ? CUSTOM(tdb->svc, table_bytes)(tdb) : tdb->table_bytes;
}

void emt_tdb_place(struct emt_tdb *tdb, const struct emt_place_query *q, struct emt_place *out) {
    out->kind = EMT_PLACE_ANY;
    out->runs = 0;
    if (tdb->svc->arch->driver->place) /* hardware's law, not a faster way: also with basic functions only */
        tdb->svc->arch->driver->place(tdb, q, out);
}

unsigned emt_tsvc_place_groups(const struct emt_tsvc *svc, struct emt_place_group out[EMT_PLACE_GROUPS]) {
    return svc->arch->driver->place_groups ? svc->arch->driver->place_groups(svc, out) : 0;
}

int emt_tobj_init_swap(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t bytes, uint64_t swap) {
    int err = emt_tobj_init(svc, o, va, 0, bytes, 0);

    return err ? err : emt_tobj_set(svc, o, EMT_ATTR_SWAP, swap);
}

/* ---- gathered flushes ---- */

void emt_gather_init(struct emt_gather *g) {
    *g = (struct emt_gather){.lo = ~0ull, .hi = 0, .stride = ~0ull};
}

void emt_gather_add(struct emt_gather *g, uint64_t va, uint64_t bytes) {
    if (va < g->lo)
        g->lo = va;
    if (va + bytes > g->hi)
        g->hi = va + bytes;
    if (bytes < g->stride)
        g->stride = bytes;
}

void emt_gather_object(struct emt_gather *g, const struct emt_tobj *o) {
    emt_gather_add(g, o->va, o->bytes);
}

void emt_gather_flush(struct emt_tdb *tdb, struct emt_gather *g) {
    struct emt_flush flush = {.kind = EMT_FLUSH_RANGE,
                              .tdb = tdb,
                              .va = g->lo,
                              .bytes = g->hi - g->lo,
                              .stride = g->stride,
                              .tables = g->tables};

    if (CUSTOM(tdb->svc, gather_flush)) {
        CUSTOM(tdb->svc, gather_flush)(tdb, g);
    } else if (g->lo < g->hi) {
        emt_tsvc_flush(tdb->svc, &flush);
    } else if (g->tables) {
        flush.kind = EMT_FLUSH_ASID;
        emt_tsvc_flush(tdb->svc, &flush);
    }
    emt_gather_init(g);
}

int emt_tdb_put_back(struct emt_tdb *tdb, const struct emt_tobj *o, struct emt_gather *g) {
    int err = emt_tdb_update(tdb, o);

    if (err != -ENOMEM)
        return err;
    /* Frames that removals freed wait for a flush, and so do those of a failed attempt. */
    g->tables = true;
    emt_gather_flush(tdb, g);
    return emt_tdb_update(tdb, o);
}
