/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of redundant memory mappings: radix's walk answers the access; then, when the page says that it
 * belongs to a range, the range table is searched off the critical path, for the range TLB.
 *
 *     CR3 ──> PML4 ──> PDPT ──> PD ──> PT: pa, RANGE           the access goes on
 *     CR-RT ──> B-tree ──> leaf: range around va ··········> range TLB         nobody waits
 *
 * A search reads the header of each node, then slots by halves: the reads of a linear scan of 4 KiB would be 64.
 */
#include "emt/driver.h"
#include "mmu/rmm/format.h"
#include "mmu/tree/walk.h"

static const struct emt_mmu_cache caches[] = {TREE_CACHES};

/* A header or a slot, as `what` says. */
static int fetch(struct emt_port *port, const char *what, uint64_t pa, unsigned level, uint64_t index,
                 uint64_t out[RMM_SLOT_WORDS]) {
    struct emt_fetch f = {.pa = pa,
                          .words = RMM_SLOT_WORDS,
                          .level = (uint8_t)(level + 1),
                          .table = what,
                          .index = index,
                          .background = true};
    int err = port->fetch(port, &f, 1);

    for (unsigned i = 0; !err && i < RMM_SLOT_WORDS; i++)
        out[i] = f.data[i];
    return err;
}

/* The last slot of a node that begins at or before va, by halves. 1: found; 0: none. */
static int search(struct emt_port *port, uint64_t node, uint64_t header, uint64_t va,
                  uint64_t slot[RMM_SLOT_WORDS]) {
    unsigned low = 0, high = rmm_slots(header); /* the answer is in [low - 1, high - 1] */
    uint64_t words[RMM_SLOT_WORDS];
    bool found = false;

    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        int err = fetch(port, "range slot", rmm_slot_pa(node, middle), rmm_level(header), middle, words);
        if (err < 0)
            return err;
        if (words[RMM_FIRST] > va) {
            high = middle;
            continue;
        }
        for (unsigned i = 0; i < RMM_SLOT_WORDS; i++)
            slot[i] = words[i];
        found = true;
        low = middle + 1;
    }
    return found;
}

/* The range around va. 1: found; 0: none, or the table was changing. */
static int find_range(struct emt_port *port, uint64_t root, uint64_t va, uint64_t slot[RMM_SLOT_WORDS]) {
    uint64_t node = root, header[RMM_SLOT_WORDS], again[RMM_SLOT_WORDS];

    for (unsigned depth = 0; depth < RMM_DEPTH; depth++) {
        int err = fetch(port, "range node", node, 0, 0, header);
        if (err < 0)
            return err;
        if (rmm_version(header[0]) & 1 || rmm_slots(header[0]) > RMM_SLOTS)
            return 0;
        err = search(port, node, header[0], va, slot);
        if (err <= 0)
            return err;
        err = fetch(port, "range node", node, 0, 0, again);
        if (err < 0)
            return err;
        if (again[0] != header[0])
            return 0;
        if (!rmm_level(header[0]))
            return va <= slot[RMM_LAST];
        node = slot[RMM_NODE];
    }
    return 0;
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    uint64_t leaf = 0, slot[RMM_SLOT_WORDS] = {0};
    int err = tree_walk_leaf(arch, root, a, port, out, false, &leaf);

    if (err < 0 || out->fault || !(leaf & RMM_LEAF_RANGE) || a->peek || !port->range_put)
        return err;
    err = find_range(port, root->word[RMM_ROOT_TABLE], a->va, slot);
    if (err <= 0)
        return err;
    const uint64_t rights = slot[RMM_RIGHTS];
    port->range_put(port, &(struct emt_range){.va = slot[RMM_FIRST],
                                              .last = slot[RMM_LAST],
                                              .pa = slot[RMM_FIRST] + slot[RMM_OFFSET],
                                              .write = RADIX_GET(rights, RW),
                                              .exec = !RADIX_GET(rights, NX),
                                              .user = RADIX_GET(rights, US),
                                              .global = RADIX_GET(rights, G),
                                              .dirty = RADIX_GET(rights, D),
                                              .cache_mode = (uint8_t)radix_cache_mode(rights, 1),
                                              .pkey = (uint8_t)RADIX_GET(rights, PK)});
    return 0;
}

extern const struct emt_walker_ops rmm_walker;

const struct emt_walker_ops rmm_walker = {
    .walk = walk, .caches = caches, .ncaches = 3, .line_pages = 8, .ranges = true};
