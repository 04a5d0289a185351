/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of flattened page tables ("Every Walk's a Hit: Making Page Walks Single-Access Cache Hits",
 * ASPLOS'22). The tree itself is mmu/tree; here is only what flattening adds: which levels, the two bits, and to
 * come back to it.
 *
 *     no 2 MiB of memory free            later, when there are
 *
 *     link ──> PD ──> PT ──> page        link ──> PD+PT ──> page
 *                └──> PT ──> page
 *
 * Where a node should be folded but no 2 MiB were free, ordinary nodes stand. Whenever one of them gets a new node
 * below it, the driver tries again, and after a failure leaves out the next chances (TREE_PATIENCE_CHANCES): memory
 * does not come back within a few faults. It leaves a node alone that holds more than LARGE_PAGES pages as large as
 * its entries, as each would take 512.
 */
#include "mmu/tree/tree.h"
#include "mmu/fpt/format.h"

#define LARGE_PAGES 64 /* of 512. assumed: the paper says only not to flatten where there are "many" */
#define AD          (RADIX_MASK(A) | RADIX_MASK(D))

extern const struct emt_walker_ops fpt4_walker, fpt5_walker; /* walker.c */

/* ---- translation objects: radix's, with fewer bits for the OS ---- */

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    if (attr == EMT_ATTR_SOFT && value >> FPT_SOFT_BITS)
        return -EINVAL;
    return x86_tobj_set(o, attr, value);
}

/* ---- to fold what is not ---- */

static uint64_t entry_at(const struct emt_tdb *tdb, uint64_t node, unsigned i) {
    return emt_table_read(tree_host(tdb), tree_node_pa(node) + sizeof(uint64_t) * i);
}

/* Is an ordinary node of `level` worth folding with those below it? All of them must be ordinary too. */
static bool worth_folding(const struct emt_tdb *tdb, uint64_t node, unsigned level) {
    unsigned large = 0;

    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t entry = entry_at(tdb, node, i);
        if (radix_is_table(entry, level)) {
            if (tree_fold(tree_node_of(entry)))
                return false;
        } else if (entry && ++large > LARGE_PAGES) {
            return false;
        }
    }
    return true;
}

/* What of entry i of `node` belongs into place k of its piece of the folded node. */
static uint64_t folded_entry(const struct emt_tdb *tdb, uint64_t entry, unsigned level, unsigned k) {
    if (radix_is_table(entry, level))
        return entry_at(tdb, tree_node_of(entry), k);
    return entry ? tree_leaf_mark(entry, 1) : 0;
}

static void copy_into(const struct emt_tdb *tdb, uint64_t folded, uint64_t node, unsigned level) {
    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t entry = entry_at(tdb, node, i), piece = tree_node_pa(folded) + i * EMT_PAGE_BYTES;
        int used = 0;

        for (unsigned k = 0; entry && k < RADIX_ENTRIES; k++) {
            const uint64_t e = folded_entry(tdb, entry, level, k);
            if (!e)
                continue;
            emt_table_write(tree_host(tdb), piece + sizeof(uint64_t) * k, e);
            used++;
        }
        tree_count(tdb, folded, piece, used);
    }
}

/* What walkers set in the old nodes after those had been copied. Nobody can reach them any more. */
static void collect_ad(const struct emt_tdb *tdb, uint64_t folded, uint64_t node, unsigned level) {
    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t entry = entry_at(tdb, node, i), piece = tree_node_pa(folded) + i * EMT_PAGE_BYTES;
        const bool below = radix_is_table(entry, level);

        for (unsigned k = 0; RADIX_GET(entry, P) && k < (below ? RADIX_ENTRIES : 1); k++) {
            const uint64_t pa = piece + sizeof(uint64_t) * k, old = folded_entry(tdb, entry, level, k);
            uint64_t e = emt_table_read(tree_host(tdb), pa), found;
            while (RADIX_GET(old, P) && (old & ~e & AD) &&
                   (found = emt_table_cmpxchg(tree_host(tdb), pa, e, e | (old & AD))) != e)
                e = found;
        }
    }
}

/* Put the folded node where `node` of `level` was. */
static void link_folded(struct emt_tdb *tdb, const struct tree_path *path, unsigned level, uint64_t folded) {
    struct emt_root root = {{0}};

    if (level < tree_levels(tdb)) {
        const uint64_t parent = tree_path_node(tdb, path, level + 1);
        emt_table_write(tree_host(tdb), tree_slot_pa(parent, path->va, level + 1), tree_link(folded));
        return;
    }
    tdb->word[TREE_ROOT] = folded;
    tdb->svc->arch->driver->tdb_root(tdb, &root);
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++)
        if (tdb->svc->current[cpu] == tdb)
            emt_host_update_root(tree_host(tdb), cpu, tdb->asid, &root);
}

static void free_ordinary(struct emt_tdb *tdb, uint64_t node, unsigned level) {
    for (unsigned i = 0; i < RADIX_ENTRIES; i++) {
        const uint64_t entry = entry_at(tdb, node, i);
        if (radix_is_table(entry, level))
            tree_free_node(tdb, tree_node_of(entry));
    }
    tree_free_node(tdb, node);
}

/*
 * Replace the ordinary node of `level` on the path, and all below it, by a folded one. That is filled first, then
 * linked with one store: a walker finds the old nodes or the new one, which say the same. After the flush no walker
 * is in the old ones any more, and what A and D they got in the meantime is final.
 */
static void fold(struct emt_tdb *tdb, struct tree_path *path, unsigned level) {
    const uint64_t node = tree_path_node(tdb, path, level), folded = tree_new_folded(tdb);
    struct tree_stats *stats = tdb->svc->priv;

    if (folded == EMT_NO_PA)
        return;
    copy_into(tdb, folded, node, level);
    link_folded(tdb, path, level, folded);
    emt_host_flush(tree_host(tdb), &(struct emt_flush){.kind = EMT_FLUSH_ASID, .tdb = tdb, .tables = true});
    collect_ad(tdb, folded, node, level);
    free_ordinary(tdb, node, level);
    stats->refolded++;
}

/* A node has come on the path: fold the lowest one that should be. */
static void try_fold(struct emt_tdb *tdb, struct tree_path *path) {
    for (unsigned level = path->low, above; level <= tree_levels(tdb); level = above) {
        const uint64_t node = tree_path_node(tdb, path, level);

        above = level + tree_fold(node) + 1;
        if (level == path->low || tree_fold(node) || !tree_folds(tdb, level))
            continue;
        if (tdb->word[TREE_PATIENCE]) {
            tdb->word[TREE_PATIENCE]--;
            return;
        }
        const uint64_t frees = tdb->word[TREE_FREES];
        if (worth_folding(tdb, node, level))
            fold(tdb, path, level);
        if (tdb->word[TREE_FREES] == frees)
            tdb->word[TREE_PATIENCE] = TREE_PATIENCE_CHANCES;
        return;
    }
}

static int update(struct emt_tdb *tdb, struct tree_path *path, const struct emt_tobj *o) {
    const uint64_t bytes = tdb->table_bytes;
    int err = tree_update(tdb, path, o);

    if (!err && tdb->table_bytes != bytes)
        try_fold(tdb, path);
    return err;
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return update(tdb, &(struct tree_path){0}, o);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return update(c->tdb, tree_cursor_path(c), o);
}

/* ---- basic: service ---- */

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    tree_tdb_root(tdb, root);
    root->word[0] |= (uint64_t)tree_fold(tdb->word[TREE_ROOT]) << TREE_ROOT_FOLD_FIRST;
}

static int tsvc_init(struct emt_tsvc *svc) {
    svc->priv = emt_state_alloc(svc->host, sizeof(struct tree_stats));
    return svc->priv ? 0 : -ENOMEM;
}

static void tsvc_fini(struct emt_tsvc *svc) {
    emt_state_free(svc->host, svc->priv);
    svc->priv = NULL;
}

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    x86_tsvc_caps(svc, caps);
    caps->soft_bits = FPT_SOFT_BITS;
}

static unsigned stats(const struct emt_tsvc *svc, struct emt_stat out[EMT_STATS]) {
    const struct tree_stats *s = svc->priv;

    out[0] = (struct emt_stat){"folded", s->folded};
    out[1] = (struct emt_stat){"fallbacks", s->fallback};
    out[2] = (struct emt_stat){"refolded", s->refolded};
    return 3;
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops fpt_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = x86_tobj_init,
    .tobj_same = x86_tobj_same,
    .tdb_create = tree_tdb_create,
    .tdb_destroy = tree_tdb_destroy,
    .tdb_find = tree_tdb_find,
    .tdb_update = tdb_update,
    .tdb_remove = tree_tdb_remove,
    .tdb_test_clear = tree_tdb_test_clear,
    .tdb_root = tdb_root,
    .tsvc_init = tsvc_init,
    .tsvc_fini = tsvc_fini,
    .tsvc_caps = tsvc_caps,
    .tsvc_switch = tree_tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .cursor_find = tree_cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = tree_cursor_erase,
    .range_unmap = tree_range_unmap,
    .range_protect = tree_range_protect,
    .range_copy = tree_range_copy,
    .range_age = tree_range_age,
    .range_void = tree_range_void,
    .huge_collapse = tree_huge_collapse,
    .huge_split = tree_huge_split,
    .stats = stats,
};

/* param[2]: which levels are folded with the one below (mmu/tree/tree.h). */
#define FPT(id, registered, text, levels, folds)                                                                   \
    extern const struct emt_arch id;                                                                               \
    const struct emt_arch id = {                                                                                   \
        .name = registered,                                                                                        \
        .summary = text,                                                                                           \
        .driver = &fpt_driver,                                                                                     \
        .walker = &fpt##levels##_walker,                                                                           \
        .param = {levels, RADIX_PA_BITS, folds},                                                                   \
    }

FPT(emt_fpt_l4l3_l2l1, "fpt:l4l3-l2l1", "flattened page tables, L4+L3 and L2+L1 in one node each (ASPLOS'22)", 4,
    1 << 4 | 1 << 2);
FPT(emt_fpt_l3l2, "fpt:l3l2", "flattened page tables, L3+L2 in one node", 4, 1 << 3);
FPT(emt_fpt_l4l3, "fpt:l4l3", "flattened page tables, L4+L3 in one node", 4, 1 << 4);
FPT(emt_fpt5_l5l4_l3l2, "fpt5:l5l4-l3l2", "flattened five-level page tables, L5+L4 and L3+L2 in one node each", 5,
    1 << 5 | 1 << 3);
FPT(emt_fpt5_l4l3_l2l1, "fpt5:l4l3-l2l1", "flattened five-level page tables, L4+L3 and L2+L1 in one node each", 5,
    1 << 4 | 1 << 2);
