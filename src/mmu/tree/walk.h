/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of x86-64 paging and of its flattened relatives: how a processor translates one address.
 *
 *     63 ... 57  56 ... 48  47 ... 39  38 ... 30  29 ... 21  20 ... 12  11 ... 0
 *    +----------+----------+----------+----------+----------+----------+----------+
 *    |   sign   |  PML5    |  PML4    |   PDPT   |    PD    |    PT    |  offset  |
 *    +----------+----------+----------+----------+----------+----------+----------+
 *         CR3 ──> [PML5] ───> [PML4] ───> [PDPT] ───> [PD] ────> [PT] ────> page
 *     level          5          4           3          2          1
 *
 * With four levels it starts at the PML4, and the sign begins at bit 48. A set PS bit ends the walk at the PD (2
 * MiB) or the PDPT (1 GiB). Paging-structure caches keep the table below a PDE, PDPTE, PML4E or PML5E; a walk
 * starts behind the longest match (Intel SDM vol. 3, 4.10.3). With `folds`, what leads to a node tells how many
 * levels it holds (mmu/tree/node.h): 9, 18 or 27 bits choose its entry.
 *
 * Included by walkers, so that each has its own copy in which `folds` is a constant.
 */
#ifndef EMT_MMU_TREE_WALK_H
#define EMT_MMU_TREE_WALK_H

#include "mmu/tree/node.h"
#include "mmu/x86/access.h"

/* Where the root register says how the root is folded. */
#define TREE_ROOT_FOLD_FIRST 62

/* Cache number n keeps entries of level n + 2: what stands above a PT, a PD, ... */
#define TREE_FIRST_CACHED_LEVEL 2

#define TREE_CACHES                                                                                                \
    {.name = "pde", .key_shift = 21, .upper = true}, {.name = "pdpte", .key_shift = 30, .upper = true},            \
        {.name = "pml4e", .key_shift = 39, .upper = true}, {.name = "pml5e", .key_shift = 48, .upper = true},

static const char *const tree_names[][RADIX_MAX_LEVELS] = {
    {"PT", "PD", "PDPT", "PML4", "PML5"},
    {"PD+PT", "PDPT+PD", "PML4+PDPT", "PML5+PML4"},
    {"PDPT+PD+PT", "PML4+PDPT+PD", "PML5+PML4+PDPT"},
    {""},
};

/* Where a walk stands: the node it reads next, and what the entries above it allow. */
struct tree_position {
    unsigned level;
    uint64_t node, rights;
};

static inline unsigned tree_cache_shift(unsigned cache) {
    return radix_shift(cache + TREE_FIRST_CACHED_LEVEL);
}

/* Behind the longest match in the paging-structure caches, or at the root. */
static inline struct tree_position tree_start(unsigned levels, const struct emt_root *root,
                                              const struct emt_access *a, struct emt_port *port, bool folds) {
    const unsigned fold = folds ? root->word[0] >> TREE_ROOT_FOLD_FIRST & TREE_FOLD_MASK : 0;
    uint64_t value[2];

    for (unsigned level = TREE_FIRST_CACHED_LEVEL; level <= levels && !a->peek && port->cache_get; level++) {
        unsigned cache = level - TREE_FIRST_CACHED_LEVEL;

        if (port->cache_get(port, cache, a->va >> tree_cache_shift(cache), value))
            return (struct tree_position){level - 1 - tree_fold(value[0]), value[0], value[1]};
    }
    return (struct tree_position){levels - fold, radix_table_pa(root->word[0]) | fold, X86_GRANTED};
}

/* Only entries that are present, without reserved bits, accessed, and that lead to a table get here. */
static inline void tree_remember(unsigned level, const struct tree_position *below, const struct emt_access *a,
                                 struct emt_port *port) {
    const unsigned cache = level - TREE_FIRST_CACHED_LEVEL;

    if (!a->peek && port->cache_put)
        port->cache_put(port, cache, a->va >> tree_cache_shift(cache), (uint64_t[2]){below->node, below->rights});
}

/* The level of the leaf in an entry of a folded node; 0: the entry says nonsense. */
static inline unsigned tree_leaf_level(const struct tree_position *at, uint64_t entry) {
    const unsigned rise = tree_leaf_rise(entry), level = at->level + rise;

    if (rise > tree_fold(at->node) || level > RADIX_LEAF_LEVELS || (rise && !RADIX_GET(entry, PS)))
        return 0;
    return level;
}

/* Where a link leads; level 0: nowhere, it says nonsense. */
static inline struct tree_position tree_below(const struct tree_position *at, uint64_t entry, uint64_t rights,
                                              bool folds) {
    const uint64_t node = folds ? tree_node_of(entry) : radix_table_pa(entry);

    return (struct tree_position){at->level > tree_fold(node) + 1 ? at->level - 1 - tree_fold(node) : 0, node,
                                  rights};
}

/*
 * Is any of the copies dirty in which a page of `level` stands in a folded node? A walk sees only the copy that it
 * reads, and makes that one dirty for a store: the page is then dirty, and another copy of it may still be clean.
 * Who only looks wants to know of the page.
 */
static inline int tree_peek_dirty(const struct tree_position *at, uint64_t va, unsigned level,
                                  struct emt_port *port, bool *dirty) {
    const unsigned words = sizeof(((struct emt_fetch *)0)->data) / sizeof(uint64_t);

    for (uint64_t page = va & ~(radix_bytes(level) - 1), end = page + (radix_bytes(level) - 1);
         page < end && !*dirty; page += radix_bytes(at->level) * words) {
        struct emt_fetch f = {.pa = tree_slot_pa(at->node, page, at->level), .words = (uint8_t)words};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;
        for (unsigned i = 0; i < words; i++)
            *dirty |= RADIX_GET(f.data[i], D);
    }
    return 0;
}

/*
 * Invariant: `at` is the node of its level on the way to a->va. An entry that changes between its read and the
 * setting of A or D is read again; every such turn needs somebody else's store, so the loop ends. *found gets the
 * leaf as it was read, unless it is NULL.
 */
static inline __attribute__((always_inline)) int tree_walk_leaf(const struct emt_arch *arch,
                                                                const struct emt_root *root,
                                                                const struct emt_access *a, struct emt_port *port,
                                                                struct emt_walk *out, bool folds, uint64_t *found) {
    const unsigned levels = (unsigned)arch->param[0], pa_bits = (unsigned)arch->param[1];

    *out = (struct emt_walk){.va = a->va};
    if (!radix_canonical(a->va, levels))
        return x86_fault(out, 0); /* hardware raises #GP(0) here, not a page fault: no bit of a code fits */

    struct tree_position at = tree_start(levels, root, a, port, folds);
    for (;;) {
        struct emt_fetch f = {.pa = tree_slot_pa(at.node, a->va, at.level),
                              .words = 1,
                              .level = (uint8_t)at.level,
                              .table = tree_names[tree_fold(at.node)][at.level - 1],
                              .index = tree_index(at.node, a->va, at.level)};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;

        const uint64_t entry = f.data[0], rights = x86_combine(at.rights, entry);
        if (!(entry & RADIX_MASK(P)))
            return x86_fault(out, x86_access_code(a));

        const bool leaf = !radix_is_table(entry, at.level);
        const struct tree_position next = tree_below(&at, entry, rights, folds);
        const unsigned level = !leaf                ? (next.level ? at.level : 0)
                               : tree_fold(at.node) ? tree_leaf_level(&at, entry)
                                                    : at.level;
        if (!level || radix_reserved(entry, level, pa_bits, a->nx))
            return x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);

        uint64_t used = entry | RADIX_MASK(A);
        if (leaf) {
            if (found)
                *found = entry;
            if (a->type == EMT_STORE)
                used |= RADIX_MASK(D);
            x86_fill_page(out, a, entry, rights, level);
            if (x86_denies(out, a))
                return 0;
        }
        if (used != entry && !a->peek && !port->update(port, f.pa, entry, used))
            continue;
        if (leaf) {
            out->dirty = !a->peek ? RADIX_GET(used, D) : RADIX_GET(entry, D);
            return a->peek && level > at.level ? tree_peek_dirty(&at, a->va, level, port, &out->dirty) : 0;
        }
        tree_remember(at.level, &next, a, port);
        at = next;
    }
}

static inline __attribute__((always_inline)) int tree_walk(const struct emt_arch *arch, const struct emt_root *root,
                                                           const struct emt_access *a, struct emt_port *port,
                                                           struct emt_walk *out, bool folds) {
    return tree_walk_leaf(arch, root, a, port, out, folds, NULL);
}

#endif
