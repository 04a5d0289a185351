/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of direct segments: what is outside of the segment is walked as radix does it. What is inside
 * never comes here: registers answer while the L1 TLB is being looked up (hw/mmu_ranges.c).
 */
#include "emt/driver.h"
#include "mmu/segment/format.h"
#include "mmu/tree/walk.h"

static const struct emt_mmu_cache caches[] = {TREE_CACHES};

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    return tree_walk(arch, root, a, port, out, false);
}

static void segment(const struct emt_root *root, struct emt_range *out) {
    const uint64_t rights = root->word[SEGMENT_RIGHTS];

    *out = (struct emt_range){.va = root->word[SEGMENT_BASE],
                              .last = root->word[SEGMENT_LIMIT] - 1,
                              .pa = root->word[SEGMENT_BASE] + root->word[SEGMENT_OFFSET],
                              .write = RADIX_GET(rights, RW),
                              .exec = !RADIX_GET(rights, NX),
                              .user = RADIX_GET(rights, US),
                              .global = RADIX_GET(rights, G),
                              .dirty = RADIX_GET(rights, D),
                              .cache_mode = (uint8_t)radix_cache_mode(rights, 1),
                              .pkey = (uint8_t)RADIX_GET(rights, PK)};
    if (root->word[SEGMENT_BASE] == root->word[SEGMENT_LIMIT])
        *out = (struct emt_range){.va = 1};
}

extern const struct emt_walker_ops segment_walker;

const struct emt_walker_ops segment_walker = {
    .walk = walk, .caches = caches, .ncaches = 3, .line_pages = 8, .segment = segment};
