/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A tree of page tables: collapse into a huge page, and split one. mmu/tree/tree.h.
 *
 * Where the huge page has one entry, one store does it: a walker finds the old pages or the new ones. Where it has
 * 512 copies in a folded node, they are stored one after another, and a walker finds at each address the old or the
 * new.
 */
#include "mmu/tree/tree.h"

#define AD (RADIX_MASK(A) | RADIX_MASK(D))

/* ---- collapse ---- */

/* 512 entries of the folded node `node` of level `low` become copies of the leaf; nodes that they led to go. */
static void collapse_copies(struct emt_tdb *tdb, uint64_t node, unsigned low, const struct emt_tobj *huge) {
    const uint64_t first = tree_slot_pa(node, huge->va, low);

    tree_count(tdb, node, first, (int)(RADIX_ENTRIES - tree_counted(tdb, first)));
    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t pa = first + sizeof(uint64_t) * i, old = emt_table_read(tree_host(tdb), pa);

        emt_table_write(tree_host(tdb), pa, tree_leaf_mark(huge->raw[0], 1));
        if (radix_is_table(old, low))
            tree_free(tdb, tree_node_of(old), low - 1 - tree_fold(tree_node_of(old)));
    }
}

/*
 * Only when the huge leaf stands where the entry of the node was, the node and what is below it are freed. A walker
 * that read the old entry before finds the old pages in the node, which nobody touches until the flush. Never needs
 * memory when it replaces something.
 */
int tree_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    const unsigned level = x86_object_level(tdb->svc, huge);
    struct tree_path path = {0};

    if (!level)
        return -EINVAL;
    const struct tree_slot s = tree_descend(tdb, &path, huge->va);
    if (s.level >= level) {
        int err = tree_update(tdb, &path, huge);
        if (!err && s.entry & RADIX_MASK(P))
            x86_gather(g, s.va, s.bytes);
        return err;
    }
    /* The node on the path that has `level`, alone or folded into it. */
    unsigned low = s.low;
    while (low + tree_fold(tree_path_node(tdb, &path, low)) < level)
        low += tree_fold(tree_path_node(tdb, &path, low)) + 1;
    const uint64_t node = tree_path_node(tdb, &path, low);
    if (low < level) {
        collapse_copies(tdb, node, low, huge);
    } else {
        const uint64_t pa = tree_slot_pa(node, huge->va, level);
        const uint64_t below = tree_node_of(emt_table_read(tree_host(tdb), pa));
        emt_table_write(tree_host(tdb), pa, huge->raw[0]);
        tree_free(tdb, below, level - 1 - tree_fold(below));
    }
    x86_gather(g, huge->va, huge->bytes);
    g->stride = EMT_PAGE_BYTES;
    g->tables = true;
    return 0;
}

/* ---- split ---- */

/* An ordinary node of `level`, not linked yet, whose leaves of `leaves` map what the leaf `entry` above it maps.
   EMT_NO_PA. */
static uint64_t split_node(struct emt_tdb *tdb, uint64_t entry, unsigned level, unsigned leaves) {
    const uint64_t node = emt_table_alloc(tdb, 0);

    for (unsigned i = 0; node != EMT_NO_PA && i < RADIX_ENTRIES; i++) {
        uint64_t e = x86_leaf_piece(entry, level + 1, i);
        if (level > leaves) {
            e = split_node(tdb, e, level - 1, leaves);
            if (e == EMT_NO_PA) {
                tree_free(tdb, node, level);
                return EMT_NO_PA;
            }
            e = tree_link(e);
        }
        emt_table_write(tree_host(tdb), node + sizeof(uint64_t) * i, e);
    }
    return node;
}

/*
 * The new nodes are filled to the last entry, then one store replaces the huge leaf by them. When a walker has set
 * A or D in the huge leaf meanwhile, the store does not happen, and the nodes are made anew.
 */
static int split_leaf(struct emt_tdb *tdb, const struct tree_slot *s, unsigned leaves) {
    uint64_t entry = s->entry;

    for (;;) {
        const uint64_t node = split_node(tdb, entry, s->level - 1, leaves);
        if (node == EMT_NO_PA)
            return -ENOMEM;
        const uint64_t found = emt_table_cmpxchg(tree_host(tdb), s->pa, entry, tree_link(node));
        if (found == entry)
            return 0;
        tree_free(tdb, node, s->level - 1);
        entry = found;
    }
}

/* What a walker set in a copy while its pieces were made. */
static void add_bits(const struct emt_tdb *tdb, uint64_t node, uint64_t bits) {
    for (unsigned i = 0; i < RADIX_ENTRIES && bits; i++) {
        const uint64_t pa = node + sizeof(uint64_t) * i;
        emt_table_write(tree_host(tdb), pa, emt_table_read(tree_host(tdb), pa) | bits);
    }
}

/*
 * Of 512 copies each becomes its own piece: a leaf, or, with `node`, a node of smaller ones. What is to be
 * allocated has been.
 */
static void split_copies(const struct emt_tdb *tdb, const struct tree_slot *s, const uint64_t *node) {
    uint64_t expected = tree_leaf_mark(s->entry, 1);

    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t pa = s->pa + sizeof(uint64_t) * i;
        uint64_t desired = node ? tree_link(node[i]) : x86_leaf_piece(s->entry, s->level, i), found;

        while ((found = emt_table_cmpxchg(tree_host(tdb), pa, expected, desired)) != expected) {
            const uint64_t bits = RADIX_GET(found, P) ? found & ~s->entry & AD : 0;
            if (node)
                add_bits(tdb, node[i], bits);
            else
                desired |= bits;
            expected = found;
        }
    }
}

/* Copies become nodes of smaller leaves than their own node has. */
static int split_copies_below(struct emt_tdb *tdb, const struct tree_slot *s, unsigned leaves) {
    uint64_t *node = emt_state_alloc(tree_host(tdb), RADIX_ENTRIES * sizeof(*node));
    unsigned n = 0;

    while (node && n < RADIX_ENTRIES) {
        node[n] = split_node(tdb, x86_leaf_piece(s->entry, s->level, n), s->low - 1, leaves);
        if (node[n] == EMT_NO_PA)
            break;
        n++;
    }
    const bool all = n == RADIX_ENTRIES;
    if (all)
        split_copies(tdb, s, node);
    while (!all && n > 0)
        tree_free(tdb, node[--n], s->low - 1);
    emt_state_free(tree_host(tdb), node);
    return all ? 0 : -ENOMEM;
}

int tree_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    const unsigned leaves = radix_leaf_level(bytes);
    const struct tree_slot s = tree_descend(tdb, &(struct tree_path){0}, va);
    int err = 0;

    if (!s.entry)
        return -ENOENT;
    if (s.bytes <= bytes)
        return 0;
    if (!leaves)
        return -EINVAL;
    if (s.level == s.low)
        err = split_leaf(tdb, &s, leaves);
    else if (leaves < s.low)
        err = split_copies_below(tdb, &s, leaves);
    else
        split_copies(tdb, &s, NULL);
    if (!err && s.entry & RADIX_MASK(P))
        x86_gather(g, s.va, s.bytes);
    return err;
}
