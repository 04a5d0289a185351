/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the OS calls: translation objects, databases and services of whatever architecture. Dispatch to the
 * driver's function, or to the architecture-neutral default where the driver has none or basic_only is set.
 * The contract of each call (locks, errors) is that of the function of the same name in emt/driver.h.
 */
#ifndef EMT_CORE_MM_H
#define EMT_CORE_MM_H

#include "emt/driver.h"
#include "emt/host.h"

/* ---- translation objects ---- */

static inline uint64_t emt_tobj_get(const struct emt_tsvc *svc, const struct emt_tobj *o, enum emt_attr a) {
    return svc->arch->driver->tobj_get(o, a);
}
static inline int emt_tobj_set(const struct emt_tsvc *svc, struct emt_tobj *o, enum emt_attr a, uint64_t v) {
    return svc->arch->driver->tobj_set(o, a, v);
}
static inline int emt_tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn,
                                uint64_t bytes, unsigned prot) {
    return svc->arch->driver->tobj_init(svc, o, va, pfn, bytes, prot);
}
static inline bool emt_tobj_same(const struct emt_tsvc *svc, const struct emt_tobj *a, const struct emt_tobj *b) {
    return svc->arch->driver->tobj_same(a, b);
}
/* A swap entry (not present) of base-page or larger size at va. */
int emt_tobj_init_swap(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t bytes, uint64_t swap);

/* ---- services ---- */

int emt_tsvc_init(struct emt_tsvc *svc, const struct emt_arch *arch, struct emt_host *host, bool basic_only);
void emt_tsvc_fini(struct emt_tsvc *svc);
void emt_tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps);
/* What the driver counts of itself; returns how many. */
unsigned emt_tsvc_stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]);
/* Memory begins and ends; shutdown only after a boot that returned 0. */
int emt_tsvc_boot(struct emt_tsvc *svc);
void emt_tsvc_shutdown(struct emt_tsvc *svc);
int emt_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb);
/* The database that CPU uses, or NULL. */
struct emt_tdb *emt_tsvc_current(const struct emt_tsvc *svc, unsigned cpu);
/* Flush, then return table frames that waited for it. */
void emt_tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush);

/* ---- databases ---- */

int emt_tdb_create(struct emt_tdb *tdb, struct emt_tsvc *svc, uint16_t asid);
/* Flushes the ASID, frees everything. The objects' own frames are the caller's business, before. */
void emt_tdb_destroy(struct emt_tdb *tdb);
int emt_tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out);
int emt_tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o);
int emt_tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old);
/* Insert what was just removed, or an object of its address and size. When memory has run out, pay the flush that
   is owed in *g, which returns what the removal freed, and try again: emt_driver_ops.tdb_remove promises that this
   does.
 */
int emt_tdb_put_back(struct emt_tdb *tdb, const struct emt_tobj *o, struct emt_gather *g);
int emt_tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask);
/* A walk has faulted for want of a translation: is it the hardware's only? 0: it may walk again. */
int emt_tdb_refill(struct emt_tdb *tdb, uint64_t va);
void emt_tdb_root(const struct emt_tdb *tdb, struct emt_root *root);
uint64_t emt_tdb_table_bytes(const struct emt_tdb *tdb);
unsigned emt_tsvc_place_groups(const struct emt_tsvc *svc, struct emt_place_group out[EMT_PLACE_GROUPS]);
void emt_tdb_place(struct emt_tdb *tdb, const struct emt_place_query *q, struct emt_place *out);

/* ---- cursor over a locked range ---- */

/* `gather`: where flushes that are owed are collected; NULL: the cursor's own, paid at close. */
int emt_cursor_open(struct emt_cursor *c, struct emt_tdb *tdb, uint64_t start, uint64_t end,
                    struct emt_gather *gather);
/* To the next object at or after c->va; false at the end. Afterwards c->va is behind the object. */
bool emt_cursor_next(struct emt_cursor *c);
/* Look at exactly va: true when an object answers for it; else c->obj is the void. */
bool emt_cursor_seek(struct emt_cursor *c, uint64_t va);
/* Insert or replace at o->va; gathers a flush when a translation that may be cached changed. */
int emt_cursor_set(struct emt_cursor *c, const struct emt_tobj *o);
/* Replace the object under the cursor by *o, of the same address and size, without losing an A or D that hardware
   sets meanwhile: *o gets it. Other CPUs may find nothing for a moment. */
int emt_cursor_change(struct emt_cursor *c, struct emt_tobj *o);
/* Remove the object under the cursor; c->obj stays as the removed copy. */
int emt_cursor_erase(struct emt_cursor *c);
void emt_cursor_close(struct emt_cursor *c);

/* ---- ranges; each takes the range lock itself ---- */

int emt_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                    struct emt_gather *g);
int emt_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g);
int emt_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                   void *ctx, struct emt_gather *src_gather);
int emt_range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g);
int emt_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                  struct emt_gather *g);
bool emt_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);
void emt_range_lock(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);
void emt_range_unlock(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);

/* ---- huge pages; each takes the range lock itself ---- */

bool emt_huge_possible(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);
int emt_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g);
int emt_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g);

/* ---- gathered flushes ---- */

void emt_gather_init(struct emt_gather *g);
void emt_gather_add(struct emt_gather *g, uint64_t va, uint64_t bytes);
void emt_gather_flush(struct emt_tdb *tdb, struct emt_gather *g);

/* ---- registry ---- */

/* All architectures, in order; *n gets their number. */
const struct emt_arch *const *emt_arch_all(unsigned *n);
const struct emt_arch *emt_arch_find(const char *name);

#endif
