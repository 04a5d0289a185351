/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The range table as its driver keeps it: a sorted set of ranges, none of which overlap. table.c
 *
 * Locks: the caller's range lock, one for the whole database; so only walkers run beside a function of this file.
 */
#ifndef EMT_MMU_RMM_TABLE_H
#define EMT_MMU_RMM_TABLE_H

#include "emt/host.h"
#include "mmu/rmm/format.h"
#include "mmu/tree/tree.h"

struct rmm_range {
    uint64_t first, last; /* bytes, inclusive */
    uint64_t offset, rights;
};

/* Where a search ended: the way from the root to a leaf, and in it the last range that begins at or before. */
struct rmm_place {
    unsigned depth;           /* nodes on the way */
    uint64_t node[RMM_DEPTH]; /* the root first */
    int slot[RMM_DEPTH];      /* taken there; -1 in the leaf: none begins before */
    unsigned slots;           /* of the leaf */
};

/* tdb->priv */
struct rmm_table {
    uint64_t root;
    uint64_t ranges;
    /* Where the last search ended, and what is there: OS's memory, so to look again costs no table access. */
    struct rmm_place place;
    struct rmm_range left, right; /* in front of (or around) and behind; last < first: none */
    bool known;
    struct tree_path path; /* where pages beside ranges were looked at last */
};

static inline struct rmm_table *rmm_table_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

static inline bool rmm_none(const struct rmm_range *r) {
    return r->last < r->first;
}

/* -ENOMEM. */
int rmm_table_create(struct emt_tdb *tdb);
void rmm_table_destroy(struct emt_tdb *tdb);

/* Find: t->left becomes the last range that begins at or before va, t->right the one behind it. */
void rmm_find(struct emt_tdb *tdb, uint64_t va);
/* Of the last search: change the left or right range, whose neighbours stay apart from it; remove it. */
void rmm_set_left(struct emt_tdb *tdb, const struct rmm_range *r);
void rmm_set_right(struct emt_tdb *tdb, const struct rmm_range *r);
void rmm_remove_left(struct emt_tdb *tdb);
void rmm_remove_right(struct emt_tdb *tdb);
/* Put a range where none is. false: no memory for a node, nothing changed. */
bool rmm_insert(struct emt_tdb *tdb, const struct rmm_range *r);

#endif
