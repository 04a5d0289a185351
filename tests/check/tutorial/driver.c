/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The OS side of the tutorial's hashed page table: the sixteen basic functions, and no more. */
#include "emt/host.h"
#include "format.h"

enum { ROOT, FILLED, LIVE }; /* tdb->word[]: the root register; entries that are not zero; those that are in use */

extern const struct emt_walker_ops tutorial_walker; /* walker.c */

/* ---- objects ---- */

static const struct {
    uint8_t shift, bits;
} fields[EMT_ATTR_COUNT] = {
    [EMT_ATTR_PRESENT] = {1, 1},
    [EMT_ATTR_WRITE] = {2, 1},
    [EMT_ATTR_EXEC] = {3, 1},
    [EMT_ATTR_USER] = {4, 1},
    [EMT_ATTR_ACCESSED] = {5, 1},
    [EMT_ATTR_DIRTY] = {6, 1},
    [EMT_ATTR_SOFT] = {HASH_SOFT_SHIFT, HASH_SOFT_BITS},
    [EMT_ATTR_PFN] = {HASH_PFN_SHIFT, HASH_PFN_BITS},
};

static uint64_t tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    return o->raw[0] >> fields[attr].shift & ((1ull << fields[attr].bits) - 1);
}

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    const uint64_t max = (1ull << fields[attr].bits) - 1; /* 0 for what an entry has no place for */

    if (value > max || attr == EMT_ATTR_SWAP)
        return -EINVAL;
    o->raw[0] = (o->raw[0] & ~(max << fields[attr].shift)) | value << fields[attr].shift;
    return 0;
}

static int tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot) {
    (void)svc;
    if (bytes != EMT_PAGE_BYTES || va & (bytes - 1) || !hash_canonical(va) || pfn >> HASH_PFN_BITS)
        return -EINVAL;
    *o = (struct emt_tobj){.va = va, .bytes = bytes, .raw = {hash_key(va) | pfn << HASH_PFN_SHIFT | HASH_P}};
    o->raw[0] |= (prot & EMT_PROT_WRITE ? HASH_W : 0) | (prot & EMT_PROT_EXEC ? HASH_X : 0) |
                 (prot & EMT_PROT_USER ? HASH_U : 0);
    return 0;
}

static bool tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    /* Two objects at different addresses may be the same, too. */
    return !((a->raw[0] ^ b->raw[0]) & ~(HASH_A | HASH_D | HASH_KEY_MASK));
}

/* ---- the table ---- */

/* Where the page's entry is; 0: nowhere, and *room is where it may go (0: the table is full). */
static uint64_t search(struct emt_host *host, uint64_t root, uint64_t va, uint64_t *entry, uint64_t *room) {
    const uint64_t line = hash_line(root, va);

    emt_host_work(host, 5); /* the hash; estimate */
    *entry = *room = 0;
    for (uint64_t n = 0; n < hash_lines(root) * HASH_LINE_WORDS; n++) {
        const uint64_t pa = hash_line_pa(root, line + n / HASH_LINE_WORDS) + 8 * (n % HASH_LINE_WORDS);
        *entry = emt_table_read(host, pa);
        if ((*entry & HASH_KEY_MASK) == hash_key(va))
            return pa;
        if (!(*entry & HASH_USED) && !*room)
            *room = pa;
        if (!*entry)
            return 0;
    }
    *entry = 0;
    return 0;
}

/* Set bits in, or clear them from, an entry that walkers change, too; returns what was there before. */
static uint64_t change(struct emt_host *host, uint64_t pa, uint64_t set, uint64_t clear) {
    uint64_t entry = emt_table_read(host, pa), found;

    while ((found = emt_table_cmpxchg(host, pa, entry, (entry & ~clear) | set)) != entry)
        entry = found;
    return entry;
}

static void load_roots(struct emt_tdb *tdb) {
    const struct emt_root root = {.word = {tdb->word[ROOT]}};

    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++)
        if (tdb->svc->current[cpu] == tdb)
            emt_host_load_root(tdb->svc->host, cpu, tdb->asid, &root);
}

/*
 * A new table with all that is in use, twice as large if that is much. Walkers go on in the old one until each CPU
 * has the new root; what they set there meanwhile is brought over afterwards, when no walker is left in it.
 */
static int grow(struct emt_tdb *tdb) {
    struct emt_host *host = tdb->svc->host;
    const uint64_t old = tdb->word[ROOT], order = (old & 0xfff) + (tdb->word[LIVE] > hash_lines(old) * 4);
    const uint64_t pa = emt_table_alloc(tdb, (unsigned)order), end = hash_line_pa(old, 0) + hash_lines(old) * 64;
    uint64_t entry, found, room;

    if (pa == EMT_NO_PA)
        return -ENOMEM;
    for (uint64_t at = hash_line_pa(old, 0); at < end; at += 8) {
        entry = emt_table_read(host, at);
        if (!(entry & HASH_USED))
            continue;
        search(host, pa | order, entry >> HASH_TAG_SHIFT << EMT_PAGE_SHIFT, &found, &room);
        emt_table_write(host, room, entry);
    }
    tdb->word[FILLED] = tdb->word[LIVE];
    tdb->word[ROOT] = pa | order;
    load_roots(tdb);
    for (uint64_t at = hash_line_pa(old, 0); at < end; at += 8) {
        entry = emt_table_read(host, at);
        if (entry & HASH_USED && entry & (HASH_A | HASH_D))
            change(host, search(host, pa | order, entry >> HASH_TAG_SHIFT << EMT_PAGE_SHIFT, &found, &room),
                   entry & (HASH_A | HASH_D), 0);
    }
    emt_table_free(tdb, old & ~0xfffull, (unsigned)(old & 0xfff));
    return 0;
}

static int tdb_create(struct emt_tdb *tdb) {
    tdb->word[ROOT] = emt_table_alloc(tdb, 0); /* one page: order 0 */
    return tdb->word[ROOT] == EMT_NO_PA ? -ENOMEM : 0;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    emt_table_free(tdb, tdb->word[ROOT] & ~0xfffull, (unsigned)(tdb->word[ROOT] & 0xfff));
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    uint64_t room;

    *out = (struct emt_tobj){.va = va & -EMT_PAGE_BYTES, .bytes = EMT_PAGE_BYTES};
    if (!hash_canonical(va))
        return -ENOENT;
    return search(tdb->svc->host, tdb->word[ROOT], va, &out->raw[0], &room) ? 0 : (out->raw[0] = 0, -ENOENT);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    struct emt_host *host = tdb->svc->host;
    const uint64_t entry = (o->raw[0] & ~HASH_KEY_MASK) | hash_key(o->va); /* it may come from another address */
    uint64_t found, room, pa = search(host, tdb->word[ROOT], o->va, &found, &room);

    /* At most three quarters full; without memory for more, as full as can be. */
    if (!pa && tdb->word[FILLED] >= hash_lines(tdb->word[ROOT]) * HASH_LINE_WORDS / 4 * 3 && grow(tdb) == 0)
        search(host, tdb->word[ROOT], o->va, &found, &room);
    if (!pa && !room)
        return -ENOMEM;
    if (!pa && emt_table_read(host, room) == 0)
        tdb->word[FILLED]++;
    tdb->word[LIVE] += pa == 0;
    emt_table_write(host, pa ? pa : room, entry);
    return 0;
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    uint64_t entry, room, pa = search(tdb->svc->host, tdb->word[ROOT], va, &entry, &room);

    if (!pa)
        return -ENOENT;
    *old = (struct emt_tobj){.va = va & -EMT_PAGE_BYTES, .bytes = EMT_PAGE_BYTES};
    tdb->word[LIVE]--;
    old->raw[0] = change(tdb->svc->host, pa, HASH_GONE, ~0ull); /* the final A and D */
    return 0;
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const uint64_t bits = (mask & EMT_AGE_ACCESSED ? HASH_A : 0) | (mask & EMT_AGE_DIRTY ? HASH_D : 0);
    uint64_t entry, room, pa = search(tdb->svc->host, tdb->word[ROOT], va, &entry, &room);

    if (!pa)
        return -ENOENT;
    entry = change(tdb->svc->host, pa, 0, bits) & bits;
    return (entry & HASH_A ? EMT_AGE_ACCESSED : 0) | (entry & HASH_D ? EMT_AGE_DIRTY : 0);
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    root->word[0] = tdb->word[ROOT];
}

/* ---- the service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    (void)svc;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    (void)svc;
}

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    (void)svc;
    *caps = (struct emt_caps){.page_sizes = EMT_PAGE_BYTES,
                              .va_bits = HASH_VA_BITS,
                              .pa_bits = HASH_PA_BITS,
                              .asid_bits = 12,
                              .soft_bits = HASH_SOFT_BITS,
                              .accessed_dirty = true};
}

static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    const struct emt_root root = {.word = {tdb ? tdb->word[ROOT] : EMT_NO_PA}};

    emt_host_load_root(svc->host, cpu, tdb ? tdb->asid : 0, &root);
    return 0;
}

static void tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush) {
    emt_host_flush(svc->host, flush);
}

static const struct emt_driver_ops driver = {
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

extern const struct emt_arch emt_tutorial;
const struct emt_arch emt_tutorial = {
    .name = "tutorial",
    .summary = "a hashed page table, as simple as one can be",
    .driver = &driver,
    .walker = &tutorial_walker,
};
