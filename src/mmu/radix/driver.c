/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of x86-64 paging: keeps a tree of tables, of 4 or 5 levels, in the format of format.h.
 *
 *     tdb->word[WORD_ROOT] ──> root ──> ... ──> PD ──> PT ──> page
 *                                                └──────────> page of 2 MiB
 *
 * Invariants, which hold whenever nobody is inside a function of this file:
 *   - every table but the root has at least one entry that is not void, so "there is a table" means "there is an
 *     object", and a table that loses its last entry goes at once;
 *   - a table is filled before the one store that links it, and unlinked before it is freed; so a walker finds the
 *     old tree or the new one. The host keeps a freed table untouched until the flush.
 *
 * How does a driver know that a table has become empty? A count for each table, in ignored bits of the entry
 * above it, would cost one more locked write on every fault and every removal, in an entry that walkers write
 * too. Instead the neighbours of the removed entry are read, outwards from it: removals in either order meet a live
 * neighbour with the first read or two, random ones after about seven (a full table: the sum of 512/k, by 512), and
 * a range that covers a whole table needs none. Inserting, which is the page fault's way, pays nothing.
 *
 * Locks: the default range lock, one for the whole database; so only walkers run beside a function of this file.
 */
#include "emt/host.h"
#include "mmu/radix/format.h"

enum { WORD_ROOT, WORD_FREES }; /* tdb->word[]: root table; how often a table was freed */

extern const struct emt_walker_ops radix4_walker, radix5_walker; /* walker.c */

#define LOW_BITS(n) ((1ull << (n)) - 1)

static unsigned levels_of(const struct emt_tdb *tdb) {
    return (unsigned)tdb->svc->arch->param[0];
}

static struct emt_host *host_of(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

/* ---- basic: translation objects ---- */

/* Where an attribute lies, and the values that it can have: 0 .. max. EXEC reads inverted; those without a place of
   their own have a case in tobj_get() and tobj_set(). */
#define FIELD(name)                                                                                                \
    { RADIX_##name##_FIRST, LOW_BITS(RADIX_##name##_WIDTH) }
static const struct {
    unsigned first;
    uint64_t max;
} attrs[EMT_ATTR_COUNT] = {
    [EMT_ATTR_PRESENT] = FIELD(P),
    [EMT_ATTR_PFN] = FIELD(FRAME),
    [EMT_ATTR_WRITE] = FIELD(RW),
    [EMT_ATTR_EXEC] = FIELD(NX),
    [EMT_ATTR_USER] = FIELD(US),
    [EMT_ATTR_GLOBAL] = FIELD(G),
    [EMT_ATTR_ACCESSED] = FIELD(A),
    [EMT_ATTR_DIRTY] = FIELD(D),
    [EMT_ATTR_CACHE] = {0, LOW_BITS(3)},
    [EMT_ATTR_PKEY] = FIELD(PK),
    [EMT_ATTR_SOFT] = {0, LOW_BITS(RADIX_SOFT_BITS)},
    [EMT_ATTR_SWAP] = {0, LOW_BITS(RADIX_SWAP_TYPE_WIDTH + RADIX_SWAP_OFFSET_WIDTH)},
};

static uint64_t tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    const uint64_t e = o->raw[0];

    if (attr == EMT_ATTR_SWAP)
        return radix_is_swap(e) ? radix_swap_decode(e) : 0;
    if (attr >= EMT_ATTR_COUNT || !e || radix_is_swap(e))
        return 0;
    const uint64_t field = e >> attrs[attr].first & attrs[attr].max;
    switch (attr) {
    case EMT_ATTR_PFN:
        return radix_leaf_pfn(e, radix_leaf_level(o->bytes));
    case EMT_ATTR_CACHE:
        return radix_cache_mode(e, radix_leaf_level(o->bytes));
    case EMT_ATTR_SOFT:
        return radix_soft(e);
    case EMT_ATTR_GLOBAL:
        return field && RADIX_GET(e, P);
    case EMT_ATTR_EXEC:
        return !field;
    default:
        return field;
    }
}

/* Present, or a page without access: then bit 8, which is G otherwise, says so, and the frame lies inverted. */
static int set_present(struct emt_tobj *o, unsigned level, bool present) {
    const uint64_t e = o->raw[0];

    if (present == RADIX_GET(e, P))
        return 0;
    if (!present && RADIX_GET(e, G))
        return -EINVAL;
    o->raw[0] = RADIX_PUT(RADIX_PUT(e, P, present), NONE, !present) ^ radix_frame_mask(level);
    return 0;
}

static int set_pfn(struct emt_tobj *o, unsigned level, uint64_t pfn) {
    const uint64_t pa = pfn << EMT_PAGE_SHIFT, mask = radix_frame_mask(level);

    if (pa & ~mask)
        return -EINVAL;
    o->raw[0] = (o->raw[0] & ~mask) | (RADIX_GET(o->raw[0], P) ? pa : ~pa & mask);
    return 0;
}

static int set_swap(struct emt_tobj *o, uint64_t swap) {
    const uint64_t e = radix_swap_encode(swap);

    /* 0 means no swap entry, and the last offset of type 0 would look like a void. */
    if (!swap || !e)
        return -EINVAL;
    o->raw[0] = e;
    return 0;
}

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    const unsigned level = radix_leaf_level(o->bytes);
    uint64_t *const e = &o->raw[0];

    if (attr >= EMT_ATTR_COUNT || value > attrs[attr].max || !level)
        return -EINVAL;
    if (attr == EMT_ATTR_SWAP)
        return set_swap(o, value);
    if (!*e || radix_is_swap(*e)) /* has no other attribute: each of them reads as 0 */
        return value ? -EINVAL : 0;
    switch (attr) {
    case EMT_ATTR_PRESENT:
        return set_present(o, level, value);
    case EMT_ATTR_PFN:
        return set_pfn(o, level, value);
    case EMT_ATTR_CACHE:
        *e = radix_put_cache_mode(*e, level, value);
        return 0;
    case EMT_ATTR_SOFT:
        *e = radix_put_soft(*e, value);
        return 0;
    case EMT_ATTR_GLOBAL:
        if (!RADIX_GET(*e, P)) /* the bit says something else */
            return value ? -EINVAL : 0;
        break;
    case EMT_ATTR_EXEC:
        value = !value;
        break;
    default:
        break;
    }
    *e = (*e & ~(attrs[attr].max << attrs[attr].first)) | value << attrs[attr].first;
    return 0;
}

static uint64_t with_prot(uint64_t e, unsigned prot) {
    e = RADIX_PUT(e, RW, (prot & EMT_PROT_WRITE) != 0);
    e = RADIX_PUT(e, US, (prot & EMT_PROT_USER) != 0);
    return RADIX_PUT(e, NX, !(prot & EMT_PROT_EXEC));
}

static int tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot) {
    const unsigned level = radix_leaf_level(bytes), levels = (unsigned)svc->arch->param[0];
    const uint64_t pa = pfn << EMT_PAGE_SHIFT;

    if (!level || va & (bytes - 1) || !radix_canonical(va, levels))
        return -EINVAL;
    if (pfn > attrs[EMT_ATTR_PFN].max || pa & ~radix_frame_mask(level) || pa >> svc->arch->param[1])
        return -EINVAL;
    uint64_t e = with_prot(pa | RADIX_MASK(P), prot);
    e = RADIX_PUT(e, PS, level > 1);
    e = RADIX_PUT(e, G, (prot & EMT_PROT_GLOBAL) != 0);
    *o = (struct emt_tobj){.va = va, .bytes = bytes, .raw = {e}};
    return 0;
}

static bool tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    const uint64_t ad = RADIX_MASK(A) | RADIX_MASK(D); /* always 0 in swap entries */

    return a->bytes == b->bytes && !((a->raw[0] ^ b->raw[0]) & ~ad);
}

/* Piece number i of a leaf of `level`, as a leaf of the level below. Swap entries' pieces lie side by side. */
static uint64_t leaf_piece(uint64_t e, unsigned level, unsigned i) {
    const uint64_t pages = radix_bytes(level - 1) >> EMT_PAGE_SHIFT;
    struct emt_tobj o = {.bytes = radix_bytes(level - 1)};

    if (radix_is_swap(e))
        return radix_swap_encode(radix_swap_decode(e) + i * pages);
    o.raw[0] = RADIX_PUT(e & ~RADIX_MASK(FRAME), PS, level - 1 > 1);
    o.raw[0] = radix_put_cache_mode(o.raw[0], level - 1, radix_cache_mode(e, level));
    set_pfn(&o, level - 1, radix_leaf_pfn(e, level) + i * pages);
    return o.raw[0];
}

/* ---- the way to an entry ---- */

/*
 * The tables on the way to `va`, from the root down to level `low`. All zero: only the root is known. Forgotten
 * when a table has been freed by others since.
 */
struct path {
    uint64_t va;
    uint32_t low, frees;
    uint64_t table[RADIX_MAX_LEVELS - 1]; /* [level - 1]; the root is in the database */
};
_Static_assert(sizeof(struct path) == sizeof(((struct emt_cursor *)NULL)->drv), "a cursor keeps a path");

/* The entry that decides about an address: an object, or a void. */
struct slot {
    uint64_t pa, entry;
    uint64_t va, bytes; /* what it stands for */
    unsigned level;     /* 0: not canonical, there is no entry */
};

static uint64_t path_table(const struct emt_tdb *tdb, const struct path *path, unsigned level) {
    return level == levels_of(tdb) ? tdb->word[WORD_ROOT] : path->table[level - 1];
}

/* The largest aligned block around va without a canonical address. */
static struct slot hole(uint64_t va, unsigned levels) {
    uint64_t bytes = 1ull << (radix_va_bits(levels) - 1);

    /* A block of twice the size has some when it begins at 0 or ends at the top. */
    while ((va & ~(2 * bytes - 1)) && (va | (2 * bytes - 1)) != ~0ull)
        bytes *= 2;
    return (struct slot){.va = va & ~(bytes - 1), .bytes = bytes};
}

/* Invariant of the loop: `table` is the table of `level` on the way to va, and path knows it and all above it. */
static struct slot descend(const struct emt_tdb *tdb, struct path *path, uint64_t va) {
    const unsigned levels = levels_of(tdb);
    unsigned level = path->low && path->frees == (uint32_t)tdb->word[WORD_FREES] ? path->low : levels;

    if (!radix_canonical(va, levels))
        return hole(va, levels);
    while (level < levels && (va ^ path->va) >> radix_shift(level + 1))
        level++;
    uint64_t table = path_table(tdb, path, level), pa, entry;
    for (;;) {
        pa = radix_slot(table, va, level);
        entry = emt_table_read(host_of(tdb), pa);
        if (!radix_is_table(entry, level))
            break;
        table = radix_table_pa(entry);
        level--;
        path->table[level - 1] = table;
    }
    path->va = va;
    path->low = level;
    path->frees = (uint32_t)tdb->word[WORD_FREES];
    return (struct slot){pa, entry, va & ~(radix_bytes(level) - 1), radix_bytes(level), level};
}

static struct emt_tobj slot_tobj(const struct slot *s) {
    return (struct emt_tobj){.va = s->va, .bytes = s->bytes, .raw = {s->entry}};
}

/*
 * Replace a leaf that was read before; 0 removes it. A walker may have set A or D since: s->entry gets them, so
 * that it says in the end what was there, and so does the new leaf.
 */
static void slot_replace(const struct emt_tdb *tdb, struct slot *s, uint64_t desired) {
    const uint64_t ad = RADIX_MASK(A) | RADIX_MASK(D);
    uint64_t found;

    while ((found = emt_table_cmpxchg(host_of(tdb), s->pa, s->entry, desired)) != s->entry) {
        if (desired)
            desired |= found & ~s->entry & ad;
        s->entry = found;
    }
}

/* ---- tables that come and go ---- */

/* What points to a table: allows all, the leaf decides. A is set beforehand and saves the walker's store, as Linux
   does it (_PAGE_TABLE in arch/x86/include/asm/pgtable_types.h). */
static uint64_t link_entry(uint64_t table) {
    return table | RADIX_MASK(P) | RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(A);
}

static void free_table(struct emt_tdb *tdb, uint64_t table) {
    tdb->word[WORD_FREES]++;
    emt_table_free(tdb, table, 0);
}

/* Free a table and all below it; what pointed to it is the caller's. Depth: at most the number of levels. */
static void free_tree(struct emt_tdb *tdb, uint64_t table, unsigned level) {
    for (unsigned i = 0; level > 1 && i < RADIX_ENTRIES; i++) {
        uint64_t entry = emt_table_read(host_of(tdb), table + sizeof(uint64_t) * i);
        if (radix_is_table(entry, level))
            free_tree(tdb, radix_table_pa(entry), level - 1);
    }
    free_table(tdb, table);
}

/* Is all of a table void, if entries lo..hi are? Looks outwards from them. */
static bool table_void(const struct emt_tdb *tdb, uint64_t table, unsigned lo, unsigned hi) {
    for (unsigned up = hi + 1, down = lo; up < RADIX_ENTRIES || down > 0;) {
        if (up < RADIX_ENTRIES && emt_table_read(host_of(tdb), table + sizeof(uint64_t) * up++))
            return false;
        if (down > 0 && emt_table_read(host_of(tdb), table + sizeof(uint64_t) * --down))
            return false;
    }
    return true;
}

/*
 * [first, last], to which the path leads, has no object any more: free the tables on the path, below level `top`,
 * that became void with it; unlink first, then free. Returns whether a table was freed.
 */
static bool prune(struct emt_tdb *tdb, struct path *path, uint64_t first, uint64_t last, unsigned top) {
    bool freed = false;

    for (unsigned level = path->low; level && level < top; level++) {
        const uint64_t span = radix_bytes(level + 1), base = path->va & ~(span - 1);
        const unsigned hi = last - base < span ? radix_index(last, level) : RADIX_ENTRIES - 1;
        unsigned lo = 0;

        /* An entry that begins before `first` may hold something in front of it. */
        if (first > base)
            lo = (unsigned)((first - base + radix_bytes(level) - 1) >> radix_shift(level));
        const uint64_t table = path_table(tdb, path, level);
        if (!table_void(tdb, table, lo, hi))
            break;
        emt_table_write(host_of(tdb), radix_slot(path_table(tdb, path, level + 1), path->va, level + 1), 0);
        free_table(tdb, table);
        path->low = level + 1;
        path->frees = (uint32_t)tdb->word[WORD_FREES];
        freed = true;
    }
    return freed;
}

/*
 * Store a leaf of `level` at va, where nothing is from the slot down: chain the missing tables while nobody sees
 * them, then link the chain with one store. -ENOMEM: nothing changed.
 */
static int insert(struct emt_tdb *tdb, struct path *path, const struct slot *slot, unsigned level, uint64_t va,
                  uint64_t leaf) {
    uint64_t entry = leaf;

    for (unsigned l = level; l < slot->level; l++) {
        const uint64_t table = emt_table_alloc(tdb, 0);
        if (table == EMT_NO_PA) {
            while (l-- > level)
                free_table(tdb, path->table[l - 1]);
            return -ENOMEM;
        }
        path->table[l - 1] = table;
        emt_table_write(host_of(tdb), radix_slot(table, va, l), entry);
        entry = link_entry(table);
    }
    emt_table_write(host_of(tdb), slot->pa, entry);
    path->low = level;
    return 0;
}

/* ---- what basic functions and the cursor share ---- */

static int find_at(const struct emt_tdb *tdb, struct path *path, uint64_t va, struct emt_tobj *out) {
    const struct slot s = descend(tdb, path, va);

    *out = slot_tobj(&s);
    return s.entry ? 0 : -ENOENT;
}

/* Level of an object that may stand in the tables, 0: it may not. */
static unsigned object_level(const struct emt_tdb *tdb, const struct emt_tobj *o) {
    const unsigned level = radix_leaf_level(o->bytes);

    if (!level || o->va & (o->bytes - 1) || !o->raw[0] || !radix_canonical(o->va, levels_of(tdb)))
        return 0;
    return radix_is_table(o->raw[0], level) ? 0 : level;
}

static int update_at(struct emt_tdb *tdb, struct path *path, const struct emt_tobj *o) {
    const unsigned level = object_level(tdb, o);

    if (!level)
        return -EINVAL;
    const struct slot s = descend(tdb, path, o->va);
    if (s.level < level || (s.level > level && s.entry))
        return -EEXIST;
    return insert(tdb, path, &s, level, o->va, o->raw[0]);
}

/* *freed is set when a table went. */
static int remove_at(struct emt_tdb *tdb, struct path *path, uint64_t va, struct emt_tobj *old, bool *freed) {
    struct slot s = descend(tdb, path, va);

    if (!s.entry)
        return -ENOENT;
    slot_replace(tdb, &s, 0);
    *old = slot_tobj(&s);
    if (prune(tdb, path, s.va, s.va + s.bytes - 1, levels_of(tdb)))
        *freed = true;
    return 0;
}

/* Clear A, D or both in one atomic step; returns which were set. A swap entry has neither. */
static unsigned slot_test_clear(const struct emt_tdb *tdb, const struct slot *s, unsigned mask) {
    const uint64_t bits = radix_is_swap(s->entry) ? 0
                                                  : (mask & EMT_AGE_ACCESSED ? RADIX_MASK(A) : 0) |
                                                        (mask & EMT_AGE_DIRTY ? RADIX_MASK(D) : 0);
    uint64_t entry = s->entry;

    while (entry & bits) {
        uint64_t found = emt_table_cmpxchg(host_of(tdb), s->pa, entry, entry & ~bits);
        if (found == entry)
            break;
        entry = found;
    }
    return (entry & bits & RADIX_MASK(A) ? EMT_AGE_ACCESSED : 0) |
           (entry & bits & RADIX_MASK(D) ? EMT_AGE_DIRTY : 0);
}

/* ---- basic: database ---- */

static int tdb_create(struct emt_tdb *tdb) {
    const uint64_t root = emt_table_alloc(tdb, 0);

    if (root == EMT_NO_PA)
        return -ENOMEM;
    tdb->word[WORD_ROOT] = root;
    tdb->word[WORD_FREES] = 0;
    return 0;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    free_tree(tdb, tdb->word[WORD_ROOT], levels_of(tdb));
    tdb->word[WORD_ROOT] = EMT_NO_PA;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return find_at(tdb, &(struct path){0}, va, out);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return update_at(tdb, &(struct path){0}, o);
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    bool freed; /* the caller flushes in any case */

    return remove_at(tdb, &(struct path){0}, va, old, &freed);
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const struct slot s = descend(tdb, &(struct path){0}, va);

    return s.entry ? (int)slot_test_clear(tdb, &s, mask) : -ENOENT;
}

/* CR3: the root's frame and, with CR4.PCIDE, the PCID (SDM vol. 3, 4.5). */
static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    root->word[0] = tdb->word[WORD_ROOT] | (tdb->asid & LOW_BITS(RADIX_PCID_BITS));
}

/* ---- basic: service ---- */

static int tsvc_init(struct emt_tsvc *svc) {
    (void)svc;
    return 0;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    (void)svc;
}

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    *caps = (struct emt_caps){.page_sizes = radix_bytes(1) | radix_bytes(2) | radix_bytes(3),
                              .va_bits = (uint8_t)radix_va_bits((unsigned)svc->arch->param[0]),
                              .pa_bits = (uint8_t)svc->arch->param[1],
                              .asid_bits = RADIX_PCID_BITS,
                              .soft_bits = RADIX_SOFT_BITS,
                              .accessed_dirty = true,
                              .global = true};
}

/* Without an address space the root points outside of memory, not at a table that may soon be another's. */
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

/* ---- customized: cursor ---- */

/* The cursor's own words are a path: all zero after open, which is right. */
static struct path *cursor_path(struct emt_cursor *c) {
    return (struct path *)(void *)c->drv;
}

static int cursor_find(struct emt_cursor *c) {
    return find_at(c->tdb, cursor_path(c), c->va, &c->obj);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return update_at(c->tdb, cursor_path(c), o);
}

static int cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    return remove_at(c->tdb, cursor_path(c), c->obj.va, old, &c->gather->tables);
}

/* ---- customized: ranges ---- */

/*
 * The one walk over a range, which all range functions share. It gives the objects of [first, last] in order:
 * within a table by one read for each entry, over a missing subtree in one step.
 *
 *     struct span w = span_of(tdb, va, bytes);
 *     while (span_next(&w))
 *         ... w.slot ...
 */
struct span {
    struct emt_tdb *tdb;
    uint64_t first, last; /* inclusive: a range may end at the top of the address space */
    uint64_t next;        /* nothing in [first, next) is left to visit */
    bool started, done;
    bool erases; /* the user removes all that it gets: free the tables that became void when leaving them */
    bool freed;  /* some table was */
    struct path path;
    struct slot slot;
};

static struct span span_of(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return (struct span){.tdb = tdb, .first = va, .last = va + bytes - 1, .next = va, .done = bytes == 0};
}

/* The tables that the next step leaves are those below level `top`. */
static void span_leave(struct span *w) {
    const unsigned levels = levels_of(w->tdb);
    unsigned top = w->done ? levels : w->path.low;

    while (top < levels && (w->next ^ w->path.va) >> radix_shift(top + 1))
        top++;
    if (prune(w->tdb, &w->path, w->first, w->next - 1, top))
        w->freed = true;
}

static bool span_next(struct span *w) {
    for (;;) {
        if (w->erases && w->started)
            span_leave(w);
        if (w->done)
            return false;
        w->slot = descend(w->tdb, &w->path, w->next);
        w->started = true;
        w->next = w->slot.va + w->slot.bytes;
        w->done = w->next - 1 >= w->last;
        if (w->slot.entry)
            return true;
    }
}

static void gather(struct emt_gather *g, const struct slot *s) {
    if (s->va < g->lo)
        g->lo = s->va;
    if (s->va + s->bytes > g->hi)
        g->hi = s->va + s->bytes;
    if (s->bytes < g->stride)
        g->stride = s->bytes;
}

static int range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                       struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    w.erases = true;
    while (span_next(&w)) {
        slot_replace(tdb, &w.slot, 0);
        if (w.slot.entry & RADIX_MASK(P))
            gather(g, &w.slot);
        const struct emt_tobj old = slot_tobj(&w.slot);
        if (gone)
            gone(ctx, &old);
    }
    if (w.freed)
        g->tables = true;
    return 0;
}

/*
 * May a TLB that knows `old` do what `now` forbids, or find another page? A right that is only in `now` costs it at
 * worst one fault (SDM vol. 3, 4.10.4.3).
 */
static bool needs_flush(uint64_t old, uint64_t now, unsigned level) {
    const uint64_t granted = RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(D);
    const uint64_t exact = radix_frame_mask(level) | RADIX_MASK(G) | RADIX_MASK(PK);

    if (!(old & RADIX_MASK(P)))
        return false;
    return !(now & RADIX_MASK(P)) || (old & ~now & granted) || (now & ~old & RADIX_MASK(NX)) ||
           ((old ^ now) & exact) || radix_cache_mode(old, level) != radix_cache_mode(now, level);
}

static int range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const uint64_t now = with_prot(w.slot.entry, prot);
        if (!(w.slot.entry & RADIX_MASK(P)) || now == w.slot.entry)
            continue;
        if (needs_flush(w.slot.entry, now, w.slot.level))
            gather(g, &w.slot);
        slot_replace(tdb, &w.slot, now);
    }
    return 0;
}

static int range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                      void *ctx, struct emt_gather *src_gather) {
    struct span w = span_of(src, va, bytes);
    struct path to_path = {0};

    while (span_next(&w)) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        struct emt_tobj from = old, to = old;
        int err = copy(ctx, &from, &to);

        if (err < 0)
            return err;
        if (err == 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if (!tobj_same(&from, &old)) {
            if (from.va != old.va || object_level(src, &from) != w.slot.level)
                return -EINVAL;
            if (needs_flush(old.raw[0], from.raw[0], w.slot.level))
                gather(src_gather, &w.slot);
            slot_replace(src, &w.slot, from.raw[0]);
        }
        err = update_at(dst, &to_path, &to);
        if (err)
            return err;
    }
    return 0;
}

static int range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                     struct emt_gather *g) {
    struct span w = span_of(tdb, va, bytes);

    while (span_next(&w)) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        const unsigned ad = w.slot.entry & RADIX_MASK(P) ? slot_test_clear(tdb, &w.slot, mask) : 0;

        if (!ad)
            continue;
        gather(g, &w.slot);
        aged(ctx, &old, ad);
    }
    return 0;
}

static bool range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct span w = span_of(tdb, va, bytes);

    return !span_next(&w);
}

/* ---- customized: huge pages ---- */

/* The entry that points to a table of the level below `level` on the way to va. It exists. */
static struct slot link_above(const struct emt_tdb *tdb, const struct path *path, uint64_t va, unsigned level) {
    const uint64_t pa = radix_slot(path_table(tdb, path, level), va, level);

    return (struct slot){pa, emt_table_read(host_of(tdb), pa), va, radix_bytes(level), level};
}

/*
 * One store puts the huge leaf where the entry of the table was; only then the table and what is below it are
 * freed. A walker that read the old entry before finds the old pages in the table, which nobody touches until the
 * flush. Never needs memory when it replaces something.
 */
static int huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    const unsigned level = object_level(tdb, huge);
    struct path path = {0};

    if (!level)
        return -EINVAL;
    struct slot s = descend(tdb, &path, huge->va);
    if (s.level >= level) {
        int err = update_at(tdb, &path, huge);
        if (!err && s.entry & RADIX_MASK(P))
            gather(g, &s);
        return err;
    }
    s = link_above(tdb, &path, huge->va, level);
    emt_table_write(host_of(tdb), s.pa, huge->raw[0]);
    free_tree(tdb, radix_table_pa(s.entry), level - 1);
    gather(g, &s);
    g->stride = EMT_PAGE_BYTES;
    g->tables = true;
    return 0;
}

/* A table of `level`, not linked yet, whose leaves of `leaves` map what the leaf `entry` above it maps. EMT_NO_PA.
 */
static uint64_t split_table(struct emt_tdb *tdb, uint64_t entry, unsigned level, unsigned leaves) {
    const uint64_t table = emt_table_alloc(tdb, 0);

    for (unsigned i = 0; table != EMT_NO_PA && i < RADIX_ENTRIES; i++) {
        uint64_t e = leaf_piece(entry, level + 1, i);
        if (level > leaves) {
            e = split_table(tdb, e, level - 1, leaves);
            if (e == EMT_NO_PA) {
                free_tree(tdb, table, level);
                return EMT_NO_PA;
            }
            e = link_entry(e);
        }
        emt_table_write(host_of(tdb), table + sizeof(uint64_t) * i, e);
    }
    return table;
}

/*
 * The new tables are filled to the last entry, then one store replaces the huge leaf by them. When a walker has set
 * A or D in the huge leaf meanwhile, the store does not happen, and the tables are made anew.
 */
static int huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    const unsigned leaves = radix_leaf_level(bytes);
    struct slot s = descend(tdb, &(struct path){0}, va);

    if (!s.entry)
        return -ENOENT;
    if (s.bytes <= bytes)
        return 0;
    if (!leaves)
        return -EINVAL;
    for (;;) {
        const uint64_t table = split_table(tdb, s.entry, s.level - 1, leaves);
        if (table == EMT_NO_PA)
            return -ENOMEM;
        const uint64_t found = emt_table_cmpxchg(host_of(tdb), s.pa, s.entry, link_entry(table));
        if (found == s.entry)
            break;
        free_tree(tdb, table, s.level - 1);
        s.entry = found;
    }
    if (s.entry & RADIX_MASK(P))
        gather(g, &s);
    return 0;
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops radix_driver = {
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
    .cursor_find = cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = cursor_erase,
    .range_unmap = range_unmap,
    .range_protect = range_protect,
    .range_copy = range_copy,
    .range_age = range_age,
    .range_void = range_void,
    .huge_collapse = huge_collapse,
    .huge_split = huge_split,
};

/* param[0]: levels; param[1]: physical address bits, above which an entry's bits are reserved. */
extern const struct emt_arch emt_radix4, emt_radix5;

const struct emt_arch emt_radix4 = {
    .name = "radix4",
    .summary = "x86-64 four-level paging: 48-bit addresses, pages of 4 KiB, 2 MiB and 1 GiB",
    .driver = &radix_driver,
    .walker = &radix4_walker,
    .param = {4, RADIX_PA_BITS},
};

const struct emt_arch emt_radix5 = {
    .name = "radix5",
    .summary = "x86-64 five-level paging: 57-bit addresses, pages of 4 KiB, 2 MiB and 1 GiB",
    .driver = &radix_driver,
    .walker = &radix5_walker,
    .param = {5, RADIX_PA_BITS},
};
