/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of x86-64 paging. The walk is in mmu/tree/walk.h: here it runs with nodes of one level each.
 *
 * Choices where the manual leaves them open, and what is not modelled: README.md of this folder.
 */
#include "emt/driver.h"
#include "mmu/tree/walk.h"

static const struct emt_mmu_cache caches[] = {TREE_CACHES};

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    return tree_walk(arch, root, a, port, out, false);
}

extern const struct emt_walker_ops radix4_walker, radix5_walker;

const struct emt_walker_ops radix4_walker = {.walk = walk, .caches = caches, .ncaches = 3, .line_pages = 8};
const struct emt_walker_ops radix5_walker = {.walk = walk, .caches = caches, .ncaches = 4, .line_pages = 8};
