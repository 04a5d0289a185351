/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of skeleton: the sixteen basic functions. `emt check skeleton` tells which one to write next; their
 * contract is in emt/driver.h. Table memory is touched only through emt_table_read() and kin (emt/host.h).
 */
#include "emt/host.h"
#include "mmu/skeleton/format.h"

extern const struct emt_walker_ops skeleton_walker; /* walker.c */

/* ---- translation objects: nothing here touches tables ---- */

/* One field of o->raw[]. What an entry has no place for reads as 0. */
static uint64_t tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    (void)o;
    (void)attr;
    return 0;
}

/* -EINVAL: an entry cannot say this value. */
static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    (void)o;
    (void)attr;
    (void)value;
    return -EINVAL;
}

/* Check size, alignment, address and frame; then set va and bytes, and raw[] as the tables will hold it. */
static int tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot) {
    (void)svc;
    (void)o;
    (void)va;
    (void)pfn;
    (void)bytes;
    (void)prot;
    return -ENOTSUP;
}

/* Equal but for A and D. */
static bool tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    return a->bytes == b->bytes && a->raw[0] == b->raw[0] && a->raw[1] == b->raw[1];
}

/* ---- databases ---- */

/* tdb->word[0] = emt_table_alloc(tdb, order): EMT_NO_PA means -ENOMEM. The frames come zeroed. */
static int tdb_create(struct emt_tdb *tdb) {
    (void)tdb;
    return -ENOTSUP;
}

/* emt_table_free() for each frame that is left. */
static void tdb_destroy(struct emt_tdb *tdb) {
    (void)tdb;
}

/* Nothing there: -ENOENT, and out->va and out->bytes tell the void around va; one page is always right. */
static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    (void)tdb;
    *out = (struct emt_tobj){.va = va & -EMT_PAGE_BYTES, .bytes = EMT_PAGE_BYTES};
    return -ENOENT;
}

/* Insert or replace. Allocate first, then write: -ENOMEM leaves all as it was. Build what is new where no walker
   sees it, and link it with one store. -EEXIST: an object of another size is in the way. */
static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    (void)tdb;
    (void)o;
    return -ENOTSUP;
}

/* Take the entry away with emt_table_cmpxchg(): a walker may set A or D until the last moment, and *old has them.
 */
static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    (void)tdb;
    (void)va;
    (void)old;
    return -ENOTSUP;
}

/* Clear A, D or both with emt_table_cmpxchg(); return those that were set. */
static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    (void)tdb;
    (void)va;
    (void)mask;
    return -ENOTSUP;
}

/* What the walker gets as *root: up to EMT_ROOT_WORDS words. */
static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    root->word[0] = tdb->word[0];
}

/* ---- the service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    (void)svc;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    (void)svc;
}

/* Begin with 4 KiB pages and no more; each size that is added here is checked at once. */
static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    (void)svc;
    *caps = (struct emt_caps){.page_sizes = EMT_PAGE_BYTES,
                              .va_bits = SKELETON_VA_BITS,
                              .pa_bits = SKELETON_PA_BITS,
                              .asid_bits = 12,
                              .accessed_dirty = true};
}

static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    struct emt_root root = {.word = {EMT_NO_PA}};

    if (tdb)
        tdb_root(tdb, &root);
    emt_host_load_root(svc->host, cpu, tdb ? tdb->asid : 0, &root);
    return 0;
}

static void tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush) {
    emt_host_flush(svc->host, flush);
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops skeleton_driver = {
    .tobj_get = tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = tobj_init,
    .tobj_same = tobj_same,
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_find = tdb_find,
    .tdb_update = tdb_update,
    .tdb_remove = tdb_remove,
    .tdb_test_clear = tdb_test_clear,
    .tdb_root = tdb_root,
    .tsvc_init = tsvc_init,
    .tsvc_fini = tsvc_fini,
    .tsvc_caps = tsvc_caps,
    .tsvc_switch = tsvc_switch,
    .tsvc_flush = tsvc_flush,
};

extern const struct emt_arch emt_skeleton;
const struct emt_arch emt_skeleton = {
    .name = "skeleton",
    .summary = "one line for `emt list mmus`",
    .driver = &skeleton_driver,
    .walker = &skeleton_walker,
};
