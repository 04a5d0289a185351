/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of anchors: radix's walk answers the access; then the line of the anchor in front of the page
 * is read off the critical path, and when the anchor tells of the page too, what it tells goes into the TLB of
 * anchors.
 *
 *     CR3 ──> PML4 ──> PDPT ──> PD ──> PT: page                        the access goes on
 *                 └ caches ─> PD ──> PT: line of the anchor ··> anchor, pages     nobody waits
 */
#include "emt/driver.h"
#include "mmu/anchor/format.h"
#include "mmu/tree/walk.h"

static const struct emt_mmu_cache caches[] = {TREE_CACHES};

/* The line that begins with the entry of va. 1: it is there; 0: not, or a larger page is. */
static int read_line(const struct emt_arch *arch, const struct emt_root *root, uint64_t va, struct emt_port *port,
                     uint64_t line[ANCHOR_WORDS]) {
    const struct emt_access a = {.va = va, .type = EMT_LOAD};
    struct tree_position at = tree_start((unsigned)arch->param[0], root, &a, port, false);

    for (;; at.level--) {
        struct emt_fetch f = {.pa = tree_slot_pa(at.node, va, at.level),
                              .words = at.level == 1 ? ANCHOR_WORDS : 1,
                              .level = (uint8_t)at.level,
                              .table = at.level == 1 ? "anchor" : tree_names[0][at.level - 1],
                              .index = tree_index(at.node, va, at.level),
                              .background = true};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;
        if (at.level == 1) {
            for (unsigned i = 0; i < ANCHOR_WORDS; i++)
                line[i] = f.data[i];
            return 1;
        }
        if (!radix_is_table(f.data[0], at.level))
            return 0;
        at.node = radix_table_pa(f.data[0]);
    }
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    const unsigned log = (unsigned)root->word[ANCHOR_ROOT_LOG];
    const uint64_t va = anchor_of(a->va, log);
    uint64_t line[ANCHOR_WORDS];
    int err = tree_walk(arch, root, a, port, out, false);

    if (err < 0 || out->fault || out->bytes != EMT_PAGE_BYTES || a->peek || !port->range_put)
        return err;
    err = read_line(arch, root, va, port, line);
    if (err <= 0)
        return err;
    const unsigned value = anchor_value(line);
    const uint64_t pages = anchor_pages(value);
    if ((a->va - va) >> EMT_PAGE_SHIFT >= pages || pages > 1ull << log)
        return 0;
    port->range_put(port, &(struct emt_range){.va = va,
                                              .last = va + (pages * EMT_PAGE_BYTES - 1),
                                              .pa = radix_leaf_pa(line[0], 1),
                                              .write = RADIX_GET(line[0], RW),
                                              .exec = !RADIX_GET(line[0], NX),
                                              .user = RADIX_GET(line[0], US),
                                              .global = RADIX_GET(line[0], G),
                                              .dirty = value & ANCHOR_DIRTY,
                                              .cache_mode = (uint8_t)radix_cache_mode(line[0], 1),
                                              .pkey = (uint8_t)RADIX_GET(line[0], PK)});
    return 0;
}

static unsigned range_shift(const struct emt_root *root) {
    return EMT_PAGE_SHIFT + (unsigned)root->word[ANCHOR_ROOT_LOG];
}

extern const struct emt_walker_ops anchor_walker;

const struct emt_walker_ops anchor_walker = {
    .walk = walk, .caches = caches, .ncaches = 3, .line_pages = 8, .ranges = true, .range_shift = range_shift};
