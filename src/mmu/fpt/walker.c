/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of flattened page tables. The walk is in mmu/tree/walk.h: at each node it uses as many bits of
 * the address as the pointer it just followed says; a copy of a larger page says itself how large it is.
 */
#include "emt/driver.h"
#include "mmu/fpt/format.h"

static const struct emt_mmu_cache caches[] = {TREE_CACHES};

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    return tree_walk(arch, root, a, port, out, true);
}

extern const struct emt_walker_ops fpt4_walker, fpt5_walker;

const struct emt_walker_ops fpt4_walker = {.walk = walk, .caches = caches, .ncaches = 3, .line_pages = 8};
const struct emt_walker_ops fpt5_walker = {.walk = walk, .caches = caches, .ncaches = 4, .line_pages = 8};
