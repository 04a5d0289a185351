/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of x86-64 paging: a tree of tables, of 4 or 5 levels, in the format of format.h.
 *
 *     tdb->word[TREE_ROOT] ──> root ──> ... ──> PD ──> PT ──> page
 *                                                └──────────> page of 2 MiB
 *
 * The tree's code is in mmu/tree, which flattened page tables share: here each node has one level.
 */
#include "mmu/tree/tree.h"

extern const struct emt_walker_ops radix4_walker, radix5_walker; /* walker.c */

static const struct emt_driver_ops radix_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = x86_tobj_set,
    .tobj_init = x86_tobj_init,
    .tobj_same = x86_tobj_same,
    .tdb_create = tree_tdb_create,
    .tdb_destroy = tree_tdb_destroy,
    .tdb_find = tree_tdb_find,
    .tdb_update = tree_tdb_update,
    .tdb_remove = tree_tdb_remove,
    .tdb_test_clear = tree_tdb_test_clear,
    .tdb_root = tree_tdb_root,
    .tsvc_init = x86_tsvc_init,
    .tsvc_fini = x86_tsvc_fini,
    .tsvc_caps = x86_tsvc_caps,
    .tsvc_switch = tree_tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .cursor_find = tree_cursor_find,
    .cursor_set = tree_cursor_set,
    .cursor_erase = tree_cursor_erase,
    .range_unmap = tree_range_unmap,
    .range_protect = tree_range_protect,
    .range_copy = tree_range_copy,
    .range_age = tree_range_age,
    .range_void = tree_range_void,
    .huge_collapse = tree_huge_collapse,
    .huge_split = tree_huge_split,
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
