/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Words of mosaic pages in a radix tree: four levels of nodes of 512 words (format.h).
 *
 * A node's note (emt_table_note()) counts its entries that are not void; a node that loses the last one goes at
 * once, but the root. A node is filled before the one store that links it and unlinked before it is freed.
 */
#include "mmu/mosaic/tables.h"

struct path {
    uint64_t node[MOSAIC_LEVELS]; /* [level - 1] */
    unsigned low;                 /* the lowest level that has a node */
};

static uint64_t read(const struct emt_tdb *tdb, uint64_t pa) {
    return emt_table_read(mosaic_host(tdb), pa);
}

static uint64_t slot(uint64_t node, uint64_t va, unsigned level) {
    return node + sizeof(uint64_t) * mosaic_index(va, level);
}

static uint32_t *count(const struct emt_tdb *tdb, uint64_t node) {
    return emt_table_note(mosaic_host(tdb), node);
}

/* As mmu/tree: allows all, accessed. */
static uint64_t link_to(uint64_t node) {
    return node | RADIX_MASK(P) | RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(A);
}

static uint64_t new_node(struct emt_tdb *tdb) {
    const uint64_t node = emt_table_alloc(tdb, 0);

    if (node != EMT_NO_PA)
        *count(tdb, node) = 0;
    return node;
}

static void free_node(struct emt_tdb *tdb, uint64_t node) {
    tdb->word[MOSAIC_GENERATION]++;
    emt_table_free(tdb, node, 0);
}

static struct path descend(const struct emt_tdb *tdb, uint64_t va) {
    struct path p = {.low = MOSAIC_LEVELS};

    p.node[MOSAIC_LEVELS - 1] = tdb->word[MOSAIC_TABLE];
    while (p.low > 1) {
        const uint64_t entry = read(tdb, slot(p.node[p.low - 1], va, p.low));
        if (!entry)
            break;
        p.low--;
        p.node[p.low - 1] = radix_table_pa(entry);
    }
    return p;
}

static int create(struct emt_tdb *tdb) {
    tdb->word[MOSAIC_TABLE] = new_node(tdb);
    return tdb->word[MOSAIC_TABLE] == EMT_NO_PA ? -ENOMEM : 0;
}

/* Depth: four levels. */
static void free_below(struct emt_tdb *tdb, uint64_t node, unsigned level) {
    for (unsigned i = 0; level > 1 && i < RADIX_ENTRIES && *count(tdb, node); i++) {
        const uint64_t entry = read(tdb, node + sizeof(uint64_t) * i);
        if (entry)
            free_below(tdb, radix_table_pa(entry), level - 1);
    }
    free_node(tdb, node);
}

static void destroy(struct emt_tdb *tdb) {
    free_below(tdb, tdb->word[MOSAIC_TABLE], MOSAIC_LEVELS);
    tdb->word[MOSAIC_TABLE] = EMT_NO_PA;
}

static void find(const struct emt_tdb *tdb, struct mosaic_place *at, uint64_t va, struct mosaic_group *out) {
    const uint64_t key1 = (va >> mosaic_shift(2)) + 1;

    *out = (struct mosaic_group){.va = va & ~((1ull << MOSAIC_WORD_SHIFT) - 1), .pa = EMT_NO_PA};
    if (at->generation != tdb->word[MOSAIC_GENERATION] || at->key1 != key1) {
        const struct path p = descend(tdb, va);
        if (p.low > 1) {
            out->void_bytes = 1ull << mosaic_shift(p.low);
            return;
        }
        *at = (struct mosaic_place){.generation = tdb->word[MOSAIC_GENERATION], .key1 = key1, .at = p.node[0]};
    }
    out->pa = slot(at->at, va, 1);
    out->raw = read(tdb, out->pa);
    out->void_bytes = 1ull << MOSAIC_WORD_SHIFT;
}

/* Hang the missing nodes together while nobody sees them, then link them with one store. */
static int put(struct emt_tdb *tdb, uint64_t va, uint64_t word) {
    struct path p = descend(tdb, va);
    const unsigned low = p.low;

    for (unsigned level = low; level > 1; level--) {
        p.node[level - 2] = new_node(tdb);
        if (p.node[level - 2] != EMT_NO_PA)
            continue;
        for (unsigned made = level; made < low; made++)
            free_node(tdb, p.node[made - 1]);
        return -ENOMEM;
    }
    emt_table_write(mosaic_host(tdb), slot(p.node[0], va, 1), word);
    ++*count(tdb, p.node[0]);
    for (unsigned level = 2; level <= low; level++) {
        emt_table_write(mosaic_host(tdb), slot(p.node[level - 1], va, level), link_to(p.node[level - 2]));
        ++*count(tdb, p.node[level - 1]);
    }
    return 0;
}

static void gone(struct emt_tdb *tdb, uint64_t va, uint64_t pa) {
    if (--*count(tdb, pa & ~(EMT_PAGE_BYTES - 1)))
        return;
    const struct path p = descend(tdb, va);
    for (unsigned level = 1; level < MOSAIC_LEVELS && !*count(tdb, p.node[level - 1]); level++) {
        emt_table_write(mosaic_host(tdb), slot(p.node[level], va, level + 1), 0);
        --*count(tdb, p.node[level]);
        free_node(tdb, p.node[level - 1]);
    }
}

const struct mosaic_table_ops mosaic_nodes = {create, destroy, find, put, gone};
