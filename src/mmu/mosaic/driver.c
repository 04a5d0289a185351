/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of mosaic pages: objects, places, and the interface's ways to them. Tables: mosaic/tables.h.
 *
 * Places. The hash's input is the address space (its ASID) and the page's number. What address spaces share lies
 * where the first of them placed it; for the others it is a frame like any other, and mapped by a link. So are
 * pages that mremap has moved, and a page whose attributes differ from those of the word's others.
 *
 * Memory. The first frames are the OS's for page tables and what else cannot move (emt_host_unmovable()); the frame
 * allocator puts them there by itself, as it gives out low frames first. The rest is buckets. Where the first
 * frames do not do, tables lie in buckets too, and pages go around them.
 */
#include "mmu/mosaic/tables.h"

extern const struct emt_walker_ops mosaic_radix_walker, mosaic_hashed_walker; /* walker.c */

/* ---- translation objects: radix's of 4 KiB, with fewer bits for the OS ---- */

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    if (attr == EMT_ATTR_SOFT && value >> MOSAIC_SOFT_BITS)
        return -EINVAL;
    return x86_tobj_set(o, attr, value);
}

static int tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot) {
    return bytes == EMT_PAGE_BYTES ? x86_tobj_init(svc, o, va, pfn, bytes, prot) : -EINVAL;
}

/* ---- places ---- */

/* The back yards by how many of their frames are free, most first; of equal ones the later choice, as the paper's
   patch for Linux has it. */
static void sort_yards(unsigned *choice, const unsigned *nfree) {
    for (unsigned i = 1; i < MOSAIC_CHOICES; i++)
        for (unsigned k = i; k > 0 && nfree[choice[k]] >= nfree[choice[k - 1]]; k--) {
            const unsigned later = choice[k];
            choice[k] = choice[k - 1];
            choice[k - 1] = later;
        }
}

/* The front yard, then the back yards, the emptiest first. What `free_frames` counts as free is the caller's. */
static void place(struct emt_tdb *tdb, const struct emt_place_query *q, struct emt_place *out) {
    struct mosaic_service *s = mosaic_service_of(tdb);
    const uint64_t key = mosaic_key(tdb->asid, q->va);
    unsigned choice[MOSAIC_CHOICES], nfree[MOSAIC_CHOICES], any = 0;
    uint64_t first[MOSAIC_CHOICES + 1];

    *out = (struct emt_place){.kind = EMT_PLACE_REQUIRE};
    if (q->bytes != EMT_PAGE_BYTES || !s->memory.buckets)
        return;
    for (unsigned k = 0; k <= MOSAIC_CHOICES; k++)
        first[k] = s->memory.first_pfn +
                   (uint64_t)mosaic_bucket(*s->random, &s->memory, key, k) * MOSAIC_BUCKET_FRAMES +
                   (k ? MOSAIC_FRONT : 0);
    for (unsigned k = 0; k < MOSAIC_CHOICES; k++) {
        choice[k] = k;
        nfree[k] = q->free_frames(q->ctx, first[k + 1], MOSAIC_BACK);
        any |= nfree[k];
    }
    sort_yards(choice, nfree);
    out->runs = MOSAIC_CHOICES + 1;
    out->turn = (unsigned)(q->va >> EMT_PAGE_SHIFT);
    out->run[0].pfn = first[0];
    out->run[0].frames = MOSAIC_FRONT;
    for (unsigned k = 0; k < MOSAIC_CHOICES; k++) {
        out->run[k + 1].pfn = first[choice[k] + 1];
        out->run[k + 1].frames = MOSAIC_BACK;
    }
    s->conflicts += !any && !q->free_frames(q->ctx, first[0], MOSAIC_FRONT);
    emt_host_work(mosaic_host(tdb), (MOSAIC_CHOICES + 1) * MOSAIC_HASH_INSTRUCTIONS);
}

static unsigned place_groups(const struct emt_tsvc *svc, struct emt_place_group out[EMT_PLACE_GROUPS]) {
    const struct mosaic_memory *m = &((const struct mosaic_service *)svc->priv)->memory;

    out[0] = (struct emt_place_group){.name = "front yards",
                                      .pfn = m->first_pfn,
                                      .groups = m->buckets,
                                      .frames = MOSAIC_FRONT,
                                      .every = MOSAIC_BUCKET_FRAMES,
                                      .choices = 1};
    out[1] = (struct emt_place_group){.name = "back yards",
                                      .pfn = m->first_pfn + MOSAIC_FRONT,
                                      .groups = m->buckets,
                                      .frames = MOSAIC_BACK,
                                      .every = MOSAIC_BUCKET_FRAMES,
                                      .choices = MOSAIC_CHOICES};
    return 2;
}

/* ---- basic: database ---- */

static int tdb_create(struct emt_tdb *tdb) {
    tdb->priv = emt_state_alloc(mosaic_host(tdb), sizeof(struct mosaic_db));
    if (!tdb->priv)
        return -ENOMEM;
    int err = mosaic_table(tdb)->create(tdb);
    if (err)
        emt_state_free(mosaic_host(tdb), tdb->priv);
    return err;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    mosaic_table(tdb)->destroy(tdb);
    mosaic_regions_free(tdb);
    emt_state_free(mosaic_host(tdb), tdb->priv);
    tdb->priv = NULL;
}

/* The largest aligned block around va without a canonical address; 0: va is one. */
static uint64_t hole(uint64_t va) {
    uint64_t bytes = 1ull << 47;

    if (radix_canonical(va, MOSAIC_VA_LEVELS))
        return 0;
    while ((va & ~(2 * bytes - 1)) && (va | (2 * bytes - 1)) != ~0ull)
        bytes *= 2;
    return bytes;
}

/* Where a void is known to reach. */
static struct emt_tobj void_around(uint64_t va, uint64_t bytes) {
    return (struct emt_tobj){.va = va & ~(bytes - 1), .bytes = bytes};
}

static int find_at(const struct emt_tdb *tdb, struct mosaic_place *at, uint64_t va, struct emt_tobj *out,
                   struct mosaic_group *g) {
    const uint64_t none = hole(va);

    if (none) {
        *out = void_around(va, none);
        return -ENOENT;
    }
    mosaic_table(tdb)->find(tdb, at, va, g);
    const uint64_t leaf = mosaic_read(tdb, g, va);
    *out = (struct emt_tobj){.va = va & ~(EMT_PAGE_BYTES - 1), .bytes = EMT_PAGE_BYTES, .raw = {leaf}};
    if (leaf)
        return 0;
    if (!mosaic_plain(g->raw))
        *out = void_around(va, g->void_bytes);
    return -ENOENT;
}

static int update_at(struct emt_tdb *tdb, struct mosaic_place *at, const struct emt_tobj *o) {
    struct mosaic_group g;

    if (x86_object_level(tdb->svc, o) != 1)
        return -EINVAL;
    mosaic_table(tdb)->find(tdb, at, o->va, &g);
    return mosaic_write(tdb, &g, o->va, o->raw[0]);
}

static int remove_at(struct emt_tdb *tdb, struct mosaic_place *at, uint64_t va, struct emt_tobj *old) {
    struct mosaic_group g;

    if (find_at(tdb, at, va, old, &g))
        return -ENOENT;
    old->raw[0] = mosaic_remove(tdb, &g, va);
    return 0;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    struct mosaic_group g;

    return find_at(tdb, &(struct mosaic_place){0}, va, out, &g);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return update_at(tdb, &(struct mosaic_place){0}, o);
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    return remove_at(tdb, &(struct mosaic_place){0}, va, old);
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    struct mosaic_group g;
    struct emt_tobj o;

    if (find_at(tdb, &(struct mosaic_place){0}, va, &o, &g))
        return -ENOENT;
    return (int)mosaic_test_clear(tdb, &g, va, mask);
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    const struct mosaic_service *s = mosaic_service_of(tdb);

    root->word[MOSAIC_ROOT_TABLE] = tdb->word[MOSAIC_TABLE];
    root->word[MOSAIC_ROOT_FIRST] = s->memory.first_pfn;
    root->word[MOSAIC_ROOT_BUCKETS] = s->memory.buckets;
    root->word[MOSAIC_ROOT_ASID] = tdb->asid;
}

/* ---- basic: service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    struct mosaic_service *s = emt_state_alloc(svc->host, sizeof(*s));
    const uint64_t frames = emt_host_frames(svc->host), unit = 4ull << 20 >> EMT_PAGE_SHIFT;

    svc->priv = s;
    if (!s)
        return -ENOMEM;
    /* The frame allocator's largest piece is 4 MiB: the border lies between two of them. */
    s->memory.first_pfn = (emt_host_unmovable(svc->host) + unit - 1) & ~(unit - 1);
    if (s->memory.first_pfn < frames)
        s->memory.buckets = (uint32_t)((frames - s->memory.first_pfn) / MOSAIC_BUCKET_FRAMES);
    s->random = &mosaic_random;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    emt_state_free(svc->host, svc->priv);
    svc->priv = NULL;
}

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    *caps = (struct emt_caps){.page_sizes = EMT_PAGE_BYTES,
                              .va_bits = (uint8_t)radix_va_bits(MOSAIC_VA_LEVELS),
                              .pa_bits = (uint8_t)svc->arch->param[1],
                              .asid_bits = RADIX_PCID_BITS,
                              .soft_bits = MOSAIC_SOFT_BITS,
                              .accessed_dirty = true,
                              .global = true,
                              .places = true};
}

/* Without an address space the root leads outside of memory, or to no table. */
static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    struct emt_root root = {{0}};

    if (tdb)
        tdb_root(tdb, &root);
    else if (svc->arch->param[MOSAIC_PARAM_TABLE] == MOSAIC_RADIX)
        root.word[MOSAIC_ROOT_TABLE] = EMT_NO_PA;
    emt_host_load_root(svc->host, cpu, tdb ? tdb->asid : 0, &root);
    return 0;
}

static void tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush) {
    emt_host_flush(svc->host, flush);
}

/* ---- customized ---- */

static struct mosaic_place *cursor_place(struct emt_cursor *c) {
    return (struct mosaic_place *)(void *)c->drv;
}

static int cursor_find(struct emt_cursor *c) {
    struct mosaic_group g;

    return find_at(c->tdb, cursor_place(c), c->va, &c->obj, &g);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return update_at(c->tdb, cursor_place(c), o);
}

static int cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    return remove_at(c->tdb, cursor_place(c), c->obj.va, old);
}

static int range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                     struct emt_gather *g) {
    struct mosaic_place at = {0};
    struct mosaic_group group;
    struct emt_tobj o;

    for (uint64_t end = va + bytes, next; va != end; va = next) {
        const bool found = find_at(tdb, &at, va, &o, &group) == 0;
        next = o.va + (o.bytes - 1) >= end - 1 ? end : o.va + o.bytes;
        const unsigned ad = found && (o.raw[0] & RADIX_MASK(P)) ? mosaic_test_clear(tdb, &group, va, mask) : 0;
        if (!ad)
            continue;
        x86_gather(g, o.va, o.bytes);
        aged(ctx, &o, ad);
    }
    return 0;
}

static unsigned stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]) {
    const struct mosaic_service *s = svc->priv;

    out[0] = (struct emt_stat){"front", s->front};
    out[1] = (struct emt_stat){"back", s->back};
    out[2] = (struct emt_stat){"conventional", s->conventional};
    out[3] = (struct emt_stat){"conflicts", s->conflicts};
    return 4;
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops mosaic_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = tobj_init,
    .tobj_same = x86_tobj_same,
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
    .cursor_find = cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = cursor_erase,
    .range_age = range_age,
    .place = place,
    .place_groups = place_groups,
    .stats = stats,
};

#define MOSAIC(id, registered, text, arity, table, table_walker)                                                   \
    extern const struct emt_arch id;                                                                               \
    const struct emt_arch id = {                                                                                   \
        .name = registered,                                                                                        \
        .summary = text,                                                                                           \
        .driver = &mosaic_driver,                                                                                  \
        .walker = &table_walker,                                                                                   \
        .param = {MOSAIC_VA_LEVELS, RADIX_PA_BITS, arity, table},                                                  \
    }

MOSAIC(emt_mosaic_4, "mosaic:4", "mosaic pages of 4 pages each, 104 frames for a page (ASPLOS'23)", 4, MOSAIC_RADIX,
       mosaic_radix_walker);
MOSAIC(emt_mosaic_8, "mosaic:8", "mosaic pages of 8 pages", 8, MOSAIC_RADIX, mosaic_radix_walker);
MOSAIC(emt_mosaic_16, "mosaic:16", "mosaic pages of 16 pages", 16, MOSAIC_RADIX, mosaic_radix_walker);
MOSAIC(emt_mosaic_32, "mosaic:32", "mosaic pages of 32 pages", 32, MOSAIC_RADIX, mosaic_radix_walker);
MOSAIC(emt_mosaic_64, "mosaic:64", "mosaic pages of 64 pages", 64, MOSAIC_RADIX, mosaic_radix_walker);
MOSAIC(emt_mosaic_4_hashed, "mosaic:4-hashed", "mosaic pages of 4 pages in a hashed table", 4, MOSAIC_HASHED,
       mosaic_hashed_walker);
MOSAIC(emt_mosaic_32_hashed, "mosaic:32-hashed", "mosaic pages of 32 pages in a hashed table", 32, MOSAIC_HASHED,
       mosaic_hashed_walker);
