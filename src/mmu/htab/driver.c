/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of a hashed page table in groups, as Linux keeps it on PowerPC:
 *
 *     tree of this database ── leaf: HASHED, where ──> PTE in a group <── walker
 *
 * The tree (mmu/tree) is the truth; the HTAB is a cache of it, and of everybody's. To change an object is to take
 * its PTE out of the HTAB first, with the A and D that hardware has set in it, and then to change the leaf. A new
 * object gets a PTE at once; one that has lost it (changed, or evicted from full groups) when hardware asks next:
 * refill().
 *
 * Locks: one for the service, inside of every range lock: a victim may be of any database.
 */
#include "mmu/htab/format.h"
#include "mmu/tree/tree.h"

#define AD         (RADIX_MASK(A) | RADIX_MASK(D))
#define ASIDS      (1u << 16)
#define MEMORY_LOG 7u /* bytes of memory for one of the table: Linux 6.1, arch/powerpc, htab_get_table_size() */

#define HASH_INSTRUCTIONS 40 /* estimate: multiply, a remainder, shifts, masks */

extern const struct emt_walker_ops htab_walker; /* walker.c */

struct htab {              /* svc->priv */
    struct emt_tdb shared; /* on whose account the table is, which belongs to nobody */
    uint64_t table;        /* physical address | log2 of the groups; 0: none yet */
    uint64_t users;        /* databases, and one for boot */
    uint64_t sizes;        /* bit n: pages of size n have been in it */
    uint64_t evictions, refills;
    unsigned next_victim;
    uint32_t lock;
    struct emt_tdb *by_asid[ASIDS];
};

static struct htab *htab_of(const struct emt_tdb *tdb) {
    return tdb->svc->priv;
}

static struct emt_host *host_of(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

/* ---- translation objects: radix's, with fewer bits for the OS ---- */

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    if (attr == EMT_ATTR_SOFT && value >> HTAB_SOFT_BITS)
        return -EINVAL;
    return x86_tobj_set(o, attr, value);
}

/* ---- the table comes and goes ---- */

static int htab_get(struct htab *t) {
    const struct emt_tsvc *svc = t->shared.svc;
    const uint64_t bytes = emt_host_frames(svc->host) << EMT_PAGE_SHIFT >> svc->arch->param[3];
    unsigned order = 0;

    if (t->users++)
        return 0;
    while (EMT_PAGE_BYTES << order < bytes)
        order++;
    const uint64_t pa = emt_table_alloc(&t->shared, order);
    if (pa == EMT_NO_PA) {
        t->users = 0;
        return -ENOMEM;
    }
    t->table = pa | (order + emt_log2(EMT_PAGE_BYTES / HTAB_GROUP_BYTES));
    return 0;
}

static void htab_put(struct htab *t) {
    const unsigned log = (unsigned)(t->table & (EMT_PAGE_BYTES - 1));

    if (--t->users)
        return;
    emt_table_free(&t->shared, t->table & ~(EMT_PAGE_BYTES - 1), log - emt_log2(EMT_PAGE_BYTES / HTAB_GROUP_BYTES));
    t->table = 0;
}

/* ---- PTEs ---- */

static bool is_hashed(uint64_t leaf) {
    return RADIX_GET(leaf, P) && leaf & HTAB_LEAF_HASHED;
}

static uint64_t group_of(const struct emt_tdb *tdb, uint64_t va, unsigned level, bool secondary) {
    emt_host_work(host_of(tdb), HASH_INSTRUCTIONS);
    return htab_group(htab_of(tdb)->table, htab_hash(tdb->asid, va, level - 1), secondary);
}

/* Where the PTE of a leaf is. */
static uint64_t pte_of(const struct emt_tdb *tdb, const struct tree_slot *s) {
    return group_of(tdb, s->va, s->level, s->entry & HTAB_LEAF_SECONDARY) +
           HTAB_PTE_BYTES * (s->entry >> HTAB_LEAF_PTE_FIRST & (HTAB_PTES - 1));
}

/* The PTE goes; what hardware set in it goes into the leaf. Caches are flushed by the caller. */
static void unhash(const struct emt_tdb *tdb, struct tree_slot *s) {
    const uint64_t pte = pte_of(tdb, s);
    uint64_t word = emt_table_read(host_of(tdb), pte + sizeof(uint64_t)), found;

    while ((found = emt_table_cmpxchg(host_of(tdb), pte + sizeof(uint64_t), word, 0)) != word)
        word = found;
    emt_table_write(host_of(tdb), pte, 0);
    tree_slot_replace(tdb, s, (s->entry & ~HTAB_LEAF_BITS) | (word & AD));
    s->entry = (s->entry & ~HTAB_LEAF_BITS) | (word & AD);
}

/* All PTEs of a range; they are owed a flush, as the table does not have any more what TLBs may know. */
static void unhash_range(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    const uint64_t last = va + (bytes - 1);
    struct tree_path path = {0};

    for (uint64_t at = va; bytes;) {
        struct tree_slot s = tree_descend(tdb, &path, at);
        if (is_hashed(s.entry)) {
            unhash(tdb, &s);
            if (g)
                x86_gather(g, s.va, s.bytes);
        }
        at = s.va + s.bytes;
        if (at - 1 >= last)
            return;
    }
}

/* A PTE of full groups makes room: of the primary one, each in turn. */
static unsigned evict(const struct emt_tdb *tdb, uint64_t group) {
    struct htab *t = htab_of(tdb);
    const unsigned i = t->next_victim++ % HTAB_PTES;
    const uint64_t tag = emt_table_read(host_of(tdb), group + HTAB_PTE_BYTES * i);
    struct emt_tdb *owner = t->by_asid[tag >> 12 & (ASIDS - 1)];
    const uint64_t low = tag >> 28 << EMT_PAGE_SHIFT, sign = low >> 47 ? ~0ull << 47 : 0;
    struct tree_slot s = tree_descend(owner, &(struct tree_path){0}, low | sign);

    unhash(owner, &s);
    emt_host_flush(host_of(tdb),
                   &(struct emt_flush){
                       .kind = EMT_FLUSH_RANGE, .tdb = owner, .va = s.va, .bytes = s.bytes, .stride = s.bytes});
    t->evictions++;
    return i;
}

/* A free PTE of a group; HTAB_PTES: none is. */
static unsigned free_pte(const struct emt_tdb *tdb, uint64_t group) {
    unsigned i = 0;

    while (i < HTAB_PTES && emt_table_read(host_of(tdb), group + HTAB_PTE_BYTES * i))
        i++;
    return i;
}

static void load_roots(struct emt_tsvc *svc) {
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++) {
        struct emt_root root = {{0}};

        if (!svc->current[cpu])
            continue;
        svc->arch->driver->tdb_root(svc->current[cpu], &root);
        emt_host_update_root(svc->host, cpu, svc->current[cpu]->asid, &root);
    }
}

/* Give a leaf without a PTE one. Cannot fail. Word 1 first: word 0 makes the PTE valid. */
static void hash(struct emt_tdb *tdb, struct tree_slot *s) {
    struct htab *t = htab_of(tdb);
    uint64_t group = group_of(tdb, s->va, s->level, false);
    bool secondary = false;
    unsigned i = free_pte(tdb, group);

    if (i == HTAB_PTES) {
        const uint64_t other = group_of(tdb, s->va, s->level, true);
        i = free_pte(tdb, other);
        secondary = i < HTAB_PTES;
        if (secondary)
            group = other;
        else
            i = evict(tdb, group);
    }
    const uint64_t pte = group + HTAB_PTE_BYTES * i, tag = htab_tag(tdb->asid, s->va, s->level - 1);
    const uint64_t where =
        HTAB_LEAF_HASHED | (secondary ? HTAB_LEAF_SECONDARY : 0) | (uint64_t)i << HTAB_LEAF_PTE_FIRST;
    emt_table_write(host_of(tdb), pte + sizeof(uint64_t), s->entry);
    emt_table_write(host_of(tdb), pte, tag | (secondary ? HTAB_SECONDARY : 0));
    tree_slot_replace(tdb, s, s->entry | where);
    if (t->sizes >> (s->level - 1) & 1)
        return;
    t->sizes |= 1ull << (s->level - 1);
    load_roots(tdb->svc);
}

/* ---- basic: database; the names of the tree's functions, with the HTAB in front ---- */

static int tdb_create(struct emt_tdb *tdb) {
    struct htab *t = htab_of(tdb);
    int err = htab_get(t);

    if (err)
        return err;
    err = tree_tdb_create(tdb);
    if (err)
        htab_put(t);
    else
        t->by_asid[tdb->asid] = tdb;
    return err;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    const uint64_t half = 1ull << (radix_va_bits(HTAB_LEVELS) - 1);
    struct htab *t = htab_of(tdb);

    emt_lock(&t->lock);
    unhash_range(tdb, 0, half, NULL);
    unhash_range(tdb, -half, half, NULL);
    t->by_asid[tdb->asid] = NULL;
    emt_unlock(&t->lock);
    tree_tdb_destroy(tdb);
    htab_put(t);
}

static int find_at(struct emt_tdb *tdb, struct tree_path *path, uint64_t va, struct emt_tobj *out) {
    struct htab *t = htab_of(tdb);

    emt_lock(&t->lock);
    struct tree_slot s = tree_descend(tdb, path, va);
    if (is_hashed(s.entry)) {
        s.entry |= emt_table_read(host_of(tdb), pte_of(tdb, &s) + sizeof(uint64_t)) & AD;
        s.entry &= ~HTAB_LEAF_BITS;
    }
    emt_unlock(&t->lock);
    *out = tree_slot_tobj(&s);
    return s.entry ? 0 : -ENOENT;
}

/* Take the PTE of the object at va, if it has one, and its leaf is what stands there. */
static struct tree_slot unhash_at(struct emt_tdb *tdb, struct tree_path *path, uint64_t va) {
    struct tree_slot s = tree_descend(tdb, path, va);

    if (is_hashed(s.entry))
        unhash(tdb, &s);
    return s;
}

static int update_at(struct emt_tdb *tdb, struct tree_path *path, const struct emt_tobj *o) {
    struct htab *t = htab_of(tdb);

    emt_lock(&t->lock);
    struct tree_slot s = tree_descend(tdb, path, o->va);
    if (is_hashed(s.entry) && s.bytes == o->bytes)
        unhash(tdb, &s);
    int err = tree_update(tdb, path, o);
    if (!err && RADIX_GET(o->raw[0], P)) {
        s = tree_descend(tdb, path, o->va);
        hash(tdb, &s);
    }
    emt_unlock(&t->lock);
    return err;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return find_at(tdb, &(struct tree_path){0}, va, out);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return update_at(tdb, &(struct tree_path){0}, o);
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    struct htab *t = htab_of(tdb);

    emt_lock(&t->lock);
    unhash_at(tdb, &(struct tree_path){0}, va);
    int err = tree_tdb_remove(tdb, va, old);
    emt_unlock(&t->lock);
    return err;
}

/* Clear A and D in a PTE; returns which of `bits` were set. */
static uint64_t pte_test_clear(const struct emt_tdb *tdb, uint64_t pte, uint64_t bits) {
    const uint64_t pa = pte + sizeof(uint64_t);
    uint64_t word = emt_table_read(host_of(tdb), pa);

    while (word & bits) {
        const uint64_t found = emt_table_cmpxchg(host_of(tdb), pa, word, word & ~bits);
        if (found == word)
            break;
        word = found;
    }
    return word & bits;
}

/* The PTE stays, as a caller flushes only what was used: in the PTE, and in the leaf, which had them when the PTE
   was made. */
static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    struct htab *t = htab_of(tdb);
    uint64_t was = 0;
    int ad = -ENOENT;

    emt_lock(&t->lock);
    const struct tree_slot s = tree_descend(tdb, &(struct tree_path){0}, va);
    if (is_hashed(s.entry))
        was = pte_test_clear(tdb, pte_of(tdb, &s), x86_age_bits(mask));
    if (s.entry)
        ad = (int)(tree_slot_test_clear(tdb, &s, mask) | x86_age_mask(was));
    emt_unlock(&t->lock);
    return ad;
}

/* Hardware found no PTE for va. */
static int tdb_refill(struct emt_tdb *tdb, uint64_t va) {
    struct htab *t = htab_of(tdb);

    emt_lock(&t->lock);
    struct tree_slot s = tree_descend(tdb, &(struct tree_path){0}, va);
    const bool there = RADIX_GET(s.entry, P), missing = there && !is_hashed(s.entry);
    if (missing) {
        hash(tdb, &s);
        t->refills++;
    }
    emt_unlock(&t->lock);
    return there ? 0 : -ENOENT;
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    root->word[0] = htab_of(tdb)->table;
    root->word[1] = tdb->asid;
    root->word[2] = htab_of(tdb)->sizes;
}

/* ---- basic: service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    struct htab *t = emt_state_alloc(svc->host, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->shared.svc = svc;
    svc->priv = t;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    emt_state_free(svc->host, svc->priv);
    svc->priv = NULL;
}

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    x86_tsvc_caps(svc, caps);
    caps->soft_bits = HTAB_SOFT_BITS;
}

static int tsvc_boot(struct emt_tsvc *svc) {
    return htab_get(svc->priv);
}

static void tsvc_shutdown(struct emt_tsvc *svc) {
    htab_put(svc->priv);
}

static unsigned stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]) {
    const struct htab *t = svc->priv;

    out[0] = (struct emt_stat){"evictions", t->evictions};
    out[1] = (struct emt_stat){"refills", t->refills};
    return 2;
}

/* ---- customized ---- */

static int cursor_find(struct emt_cursor *c) {
    return find_at(c->tdb, tree_cursor_path(c), c->va, &c->obj);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return update_at(c->tdb, tree_cursor_path(c), o);
}

static int cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    struct htab *t = htab_of(c->tdb);

    emt_lock(&t->lock);
    unhash_at(c->tdb, tree_cursor_path(c), c->obj.va);
    int err = tree_cursor_erase(c, old);
    emt_unlock(&t->lock);
    return err;
}

/* A range operation of the tree, on a range without PTEs. */
#define WITHOUT_PTES(tdb, va, bytes, g, operation)                                                                 \
    do {                                                                                                           \
        struct htab *t = htab_of(tdb);                                                                             \
        emt_lock(&t->lock);                                                                                        \
        unhash_range(tdb, va, bytes, g);                                                                           \
        int err = operation;                                                                                       \
        emt_unlock(&t->lock);                                                                                      \
        return err;                                                                                                \
    } while (0)

static int range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                       struct emt_gather *g) {
    WITHOUT_PTES(tdb, va, bytes, g, tree_range_unmap(tdb, va, bytes, gone, ctx, g));
}

static int range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    WITHOUT_PTES(tdb, va, bytes, g, tree_range_protect(tdb, va, bytes, prot, g));
}

static int range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                      void *ctx, struct emt_gather *src_gather) {
    WITHOUT_PTES(src, va, bytes, src_gather, tree_range_copy(dst, src, va, bytes, copy, ctx, src_gather));
}

static int huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    WITHOUT_PTES(tdb, huge->va, huge->bytes, g, tree_huge_collapse(tdb, huge, g));
}

static int huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    WITHOUT_PTES(tdb, va, EMT_PAGE_BYTES, g, tree_huge_split(tdb, va, bytes, g));
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops htab_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = x86_tobj_init,
    .tobj_same = x86_tobj_same,
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_find = tdb_find,
    .tdb_update = tdb_update,
    .tdb_remove = tdb_remove,
    .tdb_test_clear = tdb_test_clear,
    .tdb_refill = tdb_refill,
    .tdb_root = tdb_root,
    .tsvc_init = tsvc_init,
    .tsvc_fini = tsvc_fini,
    .tsvc_caps = tsvc_caps,
    .tsvc_switch = x86_tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .tsvc_boot = tsvc_boot,
    .tsvc_shutdown = tsvc_shutdown,
    .cursor_find = cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = cursor_erase,
    .range_unmap = range_unmap,
    .range_protect = range_protect,
    .range_copy = range_copy,
    .range_void = tree_range_void,
    .huge_collapse = huge_collapse,
    .huge_split = huge_split,
    .stats = stats,
};

/* param[3]: log2 of the bytes of memory for which the table has one byte. */
extern const struct emt_arch emt_htab;

const struct emt_arch emt_htab = {
    .name = "htab",
    .summary = "PowerPC's hashed page table in groups: a cache of the OS's own tree, refilled by faults",
    .driver = &htab_driver,
    .walker = &htab_walker,
    .param = {HTAB_LEVELS, RADIX_PA_BITS, 0, MEMORY_LOG},
};
