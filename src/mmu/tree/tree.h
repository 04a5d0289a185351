/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of a tree of page tables in the format of radix/format.h, with nodes of one level (radix) or of
 * several (flattened: tree/node.h). An architecture is its parameters, and what it does otherwise:
 *
 *     emt_arch.param[0]   levels, 4 or 5
 *     emt_arch.param[1]   bits of a physical address
 *     emt_arch.param[2]   bit n set: a node that hangs at level n shall be folded with level n - 1. 0 for radix
 *
 * Invariants, which hold whenever nobody is inside a function declared here:
 *   - every node but the root has at least one entry that is not void, so "there is a node" means "there is an
 *     object", and a node that loses its last entry goes at once;
 *   - a node is filled before the one store that links it, and unlinked before it is freed; so a walker finds the
 *     old tree or the new one. The host keeps a freed node untouched until the flush.
 *
 * How does a driver know that a node has become empty? A count for each table, in ignored bits of the entry above
 * it, would cost one more locked write on every fault and every removal, in an entry that walkers write too.
 * Instead the neighbours of the removed entry are read, outwards from it: removals in either order meet a live
 * neighbour with the first read or two, random ones after about seven (a full table: the sum of 512/k, by 512), and
 * a range that covers a whole table needs none. Inserting, which is the page fault's way, pays nothing. In a folded
 * node of 262144 entries that does not do; there each 4 KiB of entries has a count in the note of its frame
 * (emt_table_note()).
 *
 * Locks: the default range lock, one for the whole database; so only walkers run beside a function of this folder.
 */
#ifndef EMT_MMU_TREE_TREE_H
#define EMT_MMU_TREE_TREE_H

#include "emt/host.h"
#include "mmu/tree/node.h"
#include "mmu/x86/object.h"
#include "mmu/x86/service.h"

/* tdb->word[]: the root node; how often a node was freed; how many chances to fold are left out after a failure. */
enum { TREE_ROOT, TREE_FREES, TREE_PATIENCE };
/* assumed: a 2 MiB piece of memory does not become free within a few page tables */
#define TREE_PATIENCE_CHANCES 16

/* How often the order of memory allowed to fold, in svc->priv of an architecture that folds. */
struct tree_stats {
    uint64_t folded;   /* nodes made folded at once */
    uint64_t fallback; /* nodes that should have been, but no 2 MiB of memory were free */
    uint64_t refolded; /* ordinary nodes that were replaced by a folded one later */
};

/*
 * The nodes on the way to `va`, from the root down to level `low`. All zero: only the root is known. Forgotten
 * when a node has been freed by others since. A cursor keeps one in its own words.
 */
struct tree_path {
    uint64_t va;
    uint32_t low, frees;
    uint64_t node[RADIX_MAX_LEVELS - 1]; /* [level - 1]; the root is in the database */
};
_Static_assert(sizeof(struct tree_path) == sizeof(((struct emt_cursor *)NULL)->drv), "a cursor keeps a path");

/* The entry that decides about an address: an object, or a void. */
struct tree_slot {
    uint64_t pa;    /* of the entry; of the first copy, when the object stands in several */
    uint64_t entry; /* without FOLD; of several copies A and D are joined */
    uint64_t va, bytes;
    unsigned level; /* of the object, or of the void as far as it is known; 0: not canonical, there is no entry */
    unsigned low;   /* of the node's entries; the object stands in 512 copies when its level is above */
    uint64_t node;
};

static inline unsigned tree_levels(const struct emt_tdb *tdb) {
    return (unsigned)tdb->svc->arch->param[0];
}

static inline struct emt_host *tree_host(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

/* Shall a node that hangs at `level` be folded? */
static inline bool tree_folds(const struct emt_tdb *tdb, unsigned level) {
    return tdb->svc->arch->param[2] >> level & 1;
}

static inline struct tree_path *tree_cursor_path(struct emt_cursor *c) {
    return (struct tree_path *)(void *)c->drv;
}

/* ---- nodes and slots (tree.c) ---- */

/* The node of `level` on a path. */
uint64_t tree_path_node(const struct emt_tdb *tdb, const struct tree_path *path, unsigned level);
struct tree_slot tree_descend(const struct emt_tdb *tdb, struct tree_path *path, uint64_t va);
struct emt_tobj tree_slot_tobj(const struct tree_slot *s);
/*
 * Replace a leaf that was read before; 0 removes it. A walker may have set A or D since: s->entry gets them, so
 * that it says in the end what was there, and so does the new leaf.
 */
void tree_slot_replace(const struct emt_tdb *tdb, struct tree_slot *s, uint64_t desired);
/* Clear A, D or both (EMT_AGE_ mask); returns which were set. A swap entry has neither. */
unsigned tree_slot_test_clear(const struct emt_tdb *tdb, const struct tree_slot *s, unsigned mask);

/* What points to a node: allows all, the leaf decides. */
uint64_t tree_link(uint64_t node);
/*
 * An empty node for the level `top` on the way to a leaf, or EMT_NO_PA. When that leaf is as large as an entry of
 * that level, the node stays ordinary: where large pages come first, they are taken to be many, and in a folded
 * node each costs 512 entries.
 */
uint64_t tree_new_node(struct emt_tdb *tdb, unsigned top, unsigned leaf);
/* An empty folded node, or EMT_NO_PA. */
uint64_t tree_new_folded(struct emt_tdb *tdb);
/* Entries that are not void have come to, or gone from, a piece of a node. Of a folded node that is counted. */
void tree_count(const struct emt_tdb *tdb, uint64_t node, uint64_t pa, int entries);
/* Entries that are not void among the 512 around pa, an entry of a folded node. */
unsigned tree_counted(const struct emt_tdb *tdb, uint64_t pa);
void tree_free_node(struct emt_tdb *tdb, uint64_t node);
/* Free a node of `level` and all below it; what pointed to it is the caller's. */
void tree_free(struct emt_tdb *tdb, uint64_t node, unsigned level);
/*
 * [first, last], to which the path leads, has no object any more: free the nodes on the path, below level `top`,
 * that became void with it; unlink first, then free. Returns whether a node was freed.
 */
bool tree_prune(struct emt_tdb *tdb, struct tree_path *path, uint64_t first, uint64_t last, unsigned top);

/* As tdb_update(), with a path that is known. */
int tree_update(struct emt_tdb *tdb, struct tree_path *path, const struct emt_tobj *o);

/* ---- functions of emt_driver_ops, of the same names ---- */

int tree_tdb_create(struct emt_tdb *tdb);
void tree_tdb_destroy(struct emt_tdb *tdb);
int tree_tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out);
int tree_tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o);
int tree_tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old);
int tree_tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask);
/* CR3: the root's frame and, with CR4.PCIDE, the PCID (SDM vol. 3, 4.5). */
void tree_tdb_root(const struct emt_tdb *tdb, struct emt_root *root);
int tree_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb);

int tree_cursor_find(struct emt_cursor *c);
int tree_cursor_set(struct emt_cursor *c, const struct emt_tobj *o);
int tree_cursor_erase(struct emt_cursor *c, struct emt_tobj *old);

/* range.c */
int tree_range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                     struct emt_gather *g);
int tree_range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g);
int tree_range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                    void *ctx, struct emt_gather *src_gather);
int tree_range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                   struct emt_gather *g);
bool tree_range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes);

/* huge.c */
int tree_huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g);
int tree_huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g);

#endif
