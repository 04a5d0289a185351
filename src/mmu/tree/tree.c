/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A tree of page tables: nodes that come and go, the way to an entry, single objects. mmu/tree/tree.h. */
#include "mmu/tree/tree.h"

#define LOW_BITS(n) ((1ull << (n)) - 1)
#define AD          (RADIX_MASK(A) | RADIX_MASK(D))

/* A note of a folded node: entries in these 4 KiB that are not void; in the node's first one also, above, how many
   of the node's pieces of 4 KiB are not empty. */
#define NOTE_USED_MASK   0xffffu
#define NOTE_PIECES_UNIT 0x10000u

/* ---- the way to an entry ---- */

static unsigned root_level(const struct emt_tdb *tdb) {
    return tree_levels(tdb) - tree_fold(tdb->word[TREE_ROOT]);
}

uint64_t tree_path_node(const struct emt_tdb *tdb, const struct tree_path *path, unsigned level) {
    return level == root_level(tdb) ? tdb->word[TREE_ROOT] : path->node[level - 1];
}

/* The largest aligned block around va without a canonical address. */
static struct tree_slot hole(uint64_t va, unsigned levels) {
    uint64_t bytes = 1ull << (radix_va_bits(levels) - 1);

    /* A block of twice the size has some when it begins at 0 or ends at the top. */
    while ((va & ~(2 * bytes - 1)) && (va | (2 * bytes - 1)) != ~0ull)
        bytes *= 2;
    return (struct tree_slot){.va = va & ~(bytes - 1), .bytes = bytes};
}

unsigned tree_counted(const struct emt_tdb *tdb, uint64_t pa) {
    return *emt_table_note(tree_host(tdb), pa) & NOTE_USED_MASK;
}

/*
 * In a folded node the entry at s->pa may be one of 512 copies of a larger page. A walker has set A and D in those
 * that it used: all must be read for what the object has.
 */
static void widen(const struct emt_tdb *tdb, struct tree_slot *s, uint64_t va) {
    const unsigned rise = s->entry ? tree_leaf_rise(s->entry) : tree_counted(tdb, s->pa) == 0;

    if (!rise)
        return;
    s->level += rise;
    s->bytes = radix_bytes(s->level);
    s->va = va & ~(s->bytes - 1);
    s->pa &= ~(EMT_PAGE_BYTES - 1);
    s->entry = tree_leaf_plain(s->entry);
    for (unsigned i = 0; RADIX_GET(s->entry, P) && i < RADIX_ENTRIES && (s->entry & AD) != AD; i++)
        s->entry |= emt_table_read(tree_host(tdb), s->pa + sizeof(uint64_t) * i) & AD;
}

/* Invariant of the loop: `node` is the node of `level` on the way to va, and path knows it and all above it. */
struct tree_slot tree_descend(const struct emt_tdb *tdb, struct tree_path *path, uint64_t va) {
    const unsigned levels = tree_levels(tdb);
    unsigned level = path->low && path->frees == (uint32_t)tdb->word[TREE_FREES] ? path->low : root_level(tdb);

    if (!radix_canonical(va, levels))
        return hole(va, levels);
    uint64_t node = tree_path_node(tdb, path, level), pa, entry;
    while (level + tree_fold(node) < levels && (va ^ path->va) >> radix_shift(level + tree_fold(node) + 1)) {
        level += tree_fold(node) + 1;
        node = tree_path_node(tdb, path, level);
    }
    for (;;) {
        pa = tree_slot_pa(node, va, level);
        entry = emt_table_read(tree_host(tdb), pa);
        if (!radix_is_table(entry, level))
            break;
        node = tree_node_of(entry);
        level -= 1 + tree_fold(node);
        path->node[level - 1] = node;
    }
    path->va = va;
    path->low = level;
    path->frees = (uint32_t)tdb->word[TREE_FREES];
    struct tree_slot s = {pa, entry, va & ~(radix_bytes(level) - 1), radix_bytes(level), level, level, node};
    if (tree_fold(node))
        widen(tdb, &s, va);
    return s;
}

struct emt_tobj tree_slot_tobj(const struct tree_slot *s) {
    return (struct emt_tobj){.va = s->va, .bytes = s->bytes, .raw = {s->entry}};
}

/* ---- changing a slot ---- */

static unsigned copies(const struct tree_slot *s) {
    return s->level > s->low ? RADIX_ENTRIES : 1;
}

/* The walker may meet some copies changed and some not: each is the old or the new translation. */
static void replace_copies(const struct emt_tdb *tdb, struct tree_slot *s, uint64_t desired) {
    uint64_t expected = tree_leaf_mark(s->entry, s->level - s->low), was = s->entry;
    const uint64_t mark = desired ? tree_leaf_mark(desired, s->level - s->low) ^ desired : 0;

    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t pa = s->pa + sizeof(uint64_t) * i;
        uint64_t found;
        while ((found = emt_table_cmpxchg(tree_host(tdb), pa, expected, desired | mark)) != expected) {
            if (desired)
                desired |= found & ~was & AD;
            s->entry |= found & (RADIX_GET(was, P) ? AD : 0);
            expected = found;
        }
    }
}

void tree_slot_replace(const struct emt_tdb *tdb, struct tree_slot *s, uint64_t desired) {
    uint64_t found;

    if (!desired)
        tree_count(tdb, s->node, s->pa, -(int)copies(s));
    if (s->level > s->low) {
        replace_copies(tdb, s, desired);
        return;
    }
    while ((found = emt_table_cmpxchg(tree_host(tdb), s->pa, s->entry, desired)) != s->entry) {
        if (desired)
            desired |= found & ~s->entry & AD;
        s->entry = found;
    }
}

unsigned tree_slot_test_clear(const struct emt_tdb *tdb, const struct tree_slot *s, unsigned mask) {
    const uint64_t bits = radix_is_swap(s->entry) ? 0 : x86_age_bits(mask);
    const unsigned n = bits ? copies(s) : 0;
    uint64_t was = 0;

    for (unsigned i = 0; i < n; i++) {
        const uint64_t pa = s->pa + sizeof(uint64_t) * i;
        uint64_t entry = n == 1 ? s->entry : emt_table_read(tree_host(tdb), pa);
        while (entry & bits) {
            uint64_t found = emt_table_cmpxchg(tree_host(tdb), pa, entry, entry & ~bits);
            if (found == entry)
                break;
            entry = found;
        }
        was |= entry & bits;
    }
    return x86_age_mask(was);
}

/* ---- nodes that come and go ---- */

/* A is set beforehand and saves the walker's store, as Linux does it (_PAGE_TABLE in
   arch/x86/include/asm/pgtable_types.h). */
uint64_t tree_link(uint64_t node) {
    return tree_node_pa(node) | (uint64_t)tree_fold(node) << TREE_FOLD_FIRST | RADIX_MASK(P) | RADIX_MASK(RW) |
           RADIX_MASK(US) | RADIX_MASK(A);
}

void tree_count(const struct emt_tdb *tdb, uint64_t node, uint64_t pa, int entries) {
    if (!tree_fold(node))
        return;
    uint32_t *first = emt_table_note(tree_host(tdb), tree_node_pa(node)),
             *note = emt_table_note(tree_host(tdb), pa);
    const bool before = *note & NOTE_USED_MASK;
    *note += (uint32_t)entries;
    const bool after = *note & NOTE_USED_MASK;
    if (after != before)
        *first += after ? NOTE_PIECES_UNIT : -NOTE_PIECES_UNIT;
}

uint64_t tree_new_folded(struct emt_tdb *tdb) {
    const uint64_t node = emt_table_alloc(tdb, RADIX_INDEX_BITS);

    if (node == EMT_NO_PA)
        return EMT_NO_PA;
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        *emt_table_note(tree_host(tdb), node + i * EMT_PAGE_BYTES) = 0;
    return node | 1;
}

uint64_t tree_new_node(struct emt_tdb *tdb, unsigned top, unsigned leaf) {
    if (tree_folds(tdb, top) && leaf < top) {
        struct tree_stats *stats = tdb->svc->priv;
        const uint64_t node = tree_new_folded(tdb);

        if (node != EMT_NO_PA) {
            stats->folded++;
            return node;
        }
        stats->fallback++;
        tdb->word[TREE_PATIENCE] = TREE_PATIENCE_CHANCES;
    }
    return emt_table_alloc(tdb, 0);
}

void tree_free_node(struct emt_tdb *tdb, uint64_t node) {
    tdb->word[TREE_FREES]++;
    emt_table_free(tdb, tree_node_pa(node), tree_order(node));
}

/* Depth: at most the number of levels. */
void tree_free(struct emt_tdb *tdb, uint64_t node, unsigned level) {
    for (unsigned i = 0; level > 1 && i < tree_entries(node); i++) {
        const uint64_t pa = tree_node_pa(node) + sizeof(uint64_t) * i;
        if (tree_fold(node) && i % RADIX_ENTRIES == 0 && !tree_counted(tdb, pa)) {
            i += RADIX_ENTRIES - 1;
            continue;
        }
        uint64_t entry = emt_table_read(tree_host(tdb), pa);
        if (radix_is_table(entry, level)) {
            const uint64_t below = tree_node_of(entry);
            tree_free(tdb, below, level - 1 - tree_fold(below));
        }
    }
    tree_free_node(tdb, node);
}

/* Is all of a node void, if entries lo..hi are? Looks outwards from them. */
static bool node_void(const struct emt_tdb *tdb, uint64_t node, unsigned lo, unsigned hi) {
    if (tree_fold(node))
        return *emt_table_note(tree_host(tdb), tree_node_pa(node)) < NOTE_PIECES_UNIT;
    for (unsigned up = hi + 1, down = lo; up < RADIX_ENTRIES || down > 0;) {
        if (up < RADIX_ENTRIES && emt_table_read(tree_host(tdb), node + sizeof(uint64_t) * up++))
            return false;
        if (down > 0 && emt_table_read(tree_host(tdb), node + sizeof(uint64_t) * --down))
            return false;
    }
    return true;
}

bool tree_prune(struct emt_tdb *tdb, struct tree_path *path, uint64_t first, uint64_t last, unsigned top) {
    bool freed = false;

    for (unsigned level = path->low, above; level; level = above) {
        const uint64_t node = tree_path_node(tdb, path, level);
        above = level + tree_fold(node) + 1;
        if (above > top)
            break;
        const uint64_t span = radix_bytes(above), base = path->va & ~(span - 1);
        const unsigned hi = last - base < span ? tree_index(node, last, level) : tree_entries(node) - 1;
        unsigned lo = 0;

        /* An entry that begins before `first` may hold something in front of it. */
        if (first > base)
            lo = (unsigned)((first - base + radix_bytes(level) - 1) >> radix_shift(level));
        if (!node_void(tdb, node, lo, hi))
            break;
        const uint64_t parent = tree_path_node(tdb, path, above), link = tree_slot_pa(parent, path->va, above);
        emt_table_write(tree_host(tdb), link, 0);
        tree_count(tdb, parent, link, -1);
        tree_free_node(tdb, node);
        path->low = above;
        path->frees = (uint32_t)tdb->word[TREE_FREES];
        freed = true;
    }
    return freed;
}

/* Store a leaf into the node of `low`; in the copies that it needs there. */
static void store_leaf(const struct emt_tdb *tdb, uint64_t node, unsigned low, uint64_t va, unsigned level,
                       uint64_t leaf) {
    const uint64_t pa = tree_slot_pa(node, va, low);

    if (level == low) {
        emt_table_write(tree_host(tdb), pa, leaf);
        return;
    }
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        emt_table_write(tree_host(tdb), pa + sizeof(uint64_t) * i, tree_leaf_mark(leaf, level - low));
}

/*
 * Store a leaf of `level` at va, where nothing is from the slot down: chain the missing nodes while nobody sees
 * them, then link the chain with one store. -ENOMEM: nothing changed.
 */
static int insert(struct emt_tdb *tdb, struct tree_path *path, const struct tree_slot *slot, unsigned level,
                  uint64_t va, uint64_t leaf) {
    uint64_t node = slot->node, first = 0;
    unsigned low = slot->low;

    while (low > level) {
        const uint64_t below = tree_new_node(tdb, low - 1, level);
        if (below == EMT_NO_PA) {
            /* What was allocated hangs in one chain, from `first` down. */
            if (first)
                tree_free(tdb, tree_node_of(first), slot->low - 1 - tree_fold(tree_node_of(first)));
            return -ENOMEM;
        }
        if (!first) {
            first = tree_link(below);
        } else {
            emt_table_write(tree_host(tdb), tree_slot_pa(node, va, low), tree_link(below));
            tree_count(tdb, node, tree_slot_pa(node, va, low), 1);
        }
        low -= 1 + tree_fold(below);
        node = below;
        path->node[low - 1] = node;
    }
    store_leaf(tdb, node, low, va, level, leaf);
    if (!slot->entry)
        tree_count(tdb, node, tree_slot_pa(node, va, low), level > low ? (int)RADIX_ENTRIES : 1);
    if (first) {
        emt_table_write(tree_host(tdb), tree_slot_pa(slot->node, va, slot->low), first);
        tree_count(tdb, slot->node, tree_slot_pa(slot->node, va, slot->low), 1);
    }
    path->low = low;
    path->frees = (uint32_t)tdb->word[TREE_FREES];
    return 0;
}

/* ---- what basic functions and the cursor share ---- */

static int find_at(const struct emt_tdb *tdb, struct tree_path *path, uint64_t va, struct emt_tobj *out) {
    const struct tree_slot s = tree_descend(tdb, path, va);

    *out = tree_slot_tobj(&s);
    return s.entry ? 0 : -ENOENT;
}

int tree_update(struct emt_tdb *tdb, struct tree_path *path, const struct emt_tobj *o) {
    const unsigned level = x86_object_level(tdb->svc, o);

    if (!level)
        return -EINVAL;
    const struct tree_slot s = tree_descend(tdb, path, o->va);
    if (s.level < level || (s.level > level && s.entry))
        return -EEXIST;
    return insert(tdb, path, &s, level, o->va, o->raw[0]);
}

/* *freed is set when a node went. */
static int remove_at(struct emt_tdb *tdb, struct tree_path *path, uint64_t va, struct emt_tobj *old, bool *freed) {
    struct tree_slot s = tree_descend(tdb, path, va);

    if (!s.entry)
        return -ENOENT;
    tree_slot_replace(tdb, &s, 0);
    *old = tree_slot_tobj(&s);
    if (tree_prune(tdb, path, s.va, s.va + s.bytes - 1, tree_levels(tdb)))
        *freed = true;
    return 0;
}

/* ---- basic: database ---- */

int tree_tdb_create(struct emt_tdb *tdb) {
    const uint64_t root = tree_new_node(tdb, tree_levels(tdb), 0);

    if (root == EMT_NO_PA)
        return -ENOMEM;
    tdb->word[TREE_ROOT] = root;
    tdb->word[TREE_FREES] = 0;
    return 0;
}

void tree_tdb_destroy(struct emt_tdb *tdb) {
    tree_free(tdb, tdb->word[TREE_ROOT], root_level(tdb));
    tdb->word[TREE_ROOT] = EMT_NO_PA;
}

int tree_tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return find_at(tdb, &(struct tree_path){0}, va, out);
}

int tree_tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return tree_update(tdb, &(struct tree_path){0}, o);
}

int tree_tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    bool freed; /* the caller flushes in any case */

    return remove_at(tdb, &(struct tree_path){0}, va, old, &freed);
}

int tree_tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const struct tree_slot s = tree_descend(tdb, &(struct tree_path){0}, va);

    return s.entry ? (int)tree_slot_test_clear(tdb, &s, mask) : -ENOENT;
}

void tree_tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    root->word[0] = tree_node_pa(tdb->word[TREE_ROOT]) | (tdb->asid & LOW_BITS(RADIX_PCID_BITS));
}

/* ---- basic: service ---- */

/* Without an address space the root points outside of memory, not at a table that may soon be another's. */
int tree_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    struct emt_root root = {.word = {EMT_NO_PA}};

    if (tdb)
        svc->arch->driver->tdb_root(tdb, &root);
    emt_host_load_root(svc->host, cpu, tdb ? tdb->asid : 0, &root);
    return 0;
}

/* ---- customized: cursor ---- */

/* The cursor's own words are a path: all zero after open, which is right. */
int tree_cursor_find(struct emt_cursor *c) {
    return find_at(c->tdb, tree_cursor_path(c), c->va, &c->obj);
}

int tree_cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return tree_update(c->tdb, tree_cursor_path(c), o);
}

int tree_cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    return remove_at(c->tdb, tree_cursor_path(c), c->obj.va, old, &c->gather->tables);
}
