/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of mosaic pages: find the mosaic page's table of contents, read all of it, and make a frame
 * number of the code of the page asked for.
 *
 *     radix     PML4 ──> PDPT ──> PD ──> ToC ──> page        MMU caches keep the three above
 *     hashed    hash(tag) ──> bucket that holds the ToC ──> page
 *                                          └ link ──> PT ──> page (not compressed)
 */
#include "emt/driver.h"
#include "mmu/mosaic/format.h"
#include "mmu/x86/access.h"

#define FETCH_WORDS 8u /* at most, in one read */

/* A ToC as read: `own` is the number of the word that answers for the address. */
struct toc {
    uint64_t word[MOSAIC_MAX_ARITY / MOSAIC_WORD_PAGES];
    unsigned words, own;
    uint64_t pa; /* of the own word */
};

static unsigned arity(const struct emt_arch *arch) {
    return (unsigned)arch->param[MOSAIC_PARAM_ARITY];
}

/* ---- what a TLB gets ---- */

static void tell(const struct emt_arch *arch, const struct emt_access *a, const struct toc *t,
                 struct emt_toc *out) {
    const uint64_t attrs = t->word[t->own] & MOSAIC_ATTRS;

    out->va = a->va & ~((uint64_t)arity(arch) * EMT_PAGE_BYTES - 1);
    out->valid = out->dirty = 0;
    for (unsigned w = 0; w < t->words; w++) {
        const uint64_t word = t->word[w];
        if (!mosaic_is_toc(word) || (word & MOSAIC_ATTRS) != attrs || (mosaic_plain(word) & MOSAIC_RESERVED))
            continue;
        for (unsigned sub = 0; sub < MOSAIC_WORD_PAGES; sub++) {
            const unsigned page = w * MOSAIC_WORD_PAGES + sub;
            const uint64_t field = mosaic_field(word, sub);
            out->code[page] = field & MOSAIC_CPFN_MASK;
            if (out->code[page] == MOSAIC_NO_PAGE || !(field & MOSAIC_A))
                continue;
            out->valid |= 1ull << page;
            out->dirty |= (uint64_t)(field & MOSAIC_D ? 1 : 0) << page;
        }
    }
}

/* ---- the end of a walk. 1: a word changed meanwhile, walk again ---- */

static int use_link(const struct emt_arch *arch, const struct emt_access *a, struct emt_port *port, struct toc *t,
                    struct emt_walk *out) {
    const uint64_t link = t->word[t->own];
    struct emt_fetch pte = {.words = 1, .level = 1, .table = "PT", .index = radix_index(a->va, 1)};

    if (mosaic_plain(link) & ~(RADIX_MASK(P) | MOSAIC_LINK | RADIX_MASK(FRAME)))
        return x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);
    pte.pa = radix_slot(radix_table_pa(link), a->va, 1);
    int err = port->fetch(port, &pte, 1);
    if (err < 0)
        return err;
    return x86_use_leaf(arch, a, port, pte.pa, pte.data[0], pte.data[0], 1, out);
}

static int use_toc(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                   struct emt_port *port, struct toc *t, struct emt_walk *out) {
    const uint64_t raw = t->word[t->own];
    const unsigned sub = mosaic_sub(a->va), code = mosaic_cpfn(raw, sub);
    const struct mosaic_memory memory = mosaic_root_memory(root);

    if (!mosaic_is_toc(raw))
        return raw & RADIX_MASK(P) ? use_link(arch, a, port, t, out) : x86_fault(out, x86_access_code(a));
    if (code == MOSAIC_NO_PAGE)
        return x86_fault(out, x86_access_code(a));
    const uint64_t key = mosaic_key((uint16_t)root->word[MOSAIC_ROOT_ASID], a->va);
    const uint64_t leaf = mosaic_leaf(raw, sub, mosaic_frame(mosaic_random, &memory, key, code));
    if ((mosaic_plain(raw) & MOSAIC_RESERVED) || radix_reserved(leaf, 1, (unsigned)arch->param[1], a->nx))
        return x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);
    x86_fill_page(out, a, leaf, x86_combine(X86_GRANTED, leaf), 1);
    if (x86_denies(out, a) || a->peek)
        return 0;
    const uint64_t used = raw | (MOSAIC_A | (a->type == EMT_STORE ? MOSAIC_D : 0)) << mosaic_field_shift(sub);
    if (used != raw && !port->update(port, t->pa, raw, used))
        return 1;
    t->word[t->own] = used;
    out->dirty |= a->type == EMT_STORE;
    if (port->toc)
        tell(arch, a, t, port->toc);
    return 0;
}

/* ---- radix ---- */

/* Cache number n keeps entries of level n + 2. */
#define FIRST_CACHED_LEVEL 2

static const struct emt_mmu_cache caches[] = {
    {.name = "pde", .key_shift = 23, .upper = true},
    {.name = "pdpte", .key_shift = 32, .upper = true},
    {.name = "pml4e", .key_shift = 41, .upper = true},
};
static const char *const names[MOSAIC_LEVELS] = {"ToC", "PD", "PDPT", "PML4"};

static unsigned cache_shift(unsigned level) {
    return caches[level - FIRST_CACHED_LEVEL].key_shift;
}

/* Down to the node of ToCs. 1: there is none, *out is the fault. */
static int descend(const struct emt_root *root, const struct emt_access *a, struct emt_port *port, uint64_t *node,
                   struct emt_walk *out) {
    unsigned level = MOSAIC_LEVELS;
    uint64_t value[2];

    *node = root->word[MOSAIC_ROOT_TABLE];
    for (unsigned l = FIRST_CACHED_LEVEL; l <= MOSAIC_LEVELS && !a->peek && port->cache_get; l++)
        if (port->cache_get(port, l - FIRST_CACHED_LEVEL, a->va >> cache_shift(l), value)) {
            *node = value[0];
            level = l - 1;
            break;
        }
    for (; level > 1; level--) {
        struct emt_fetch f = {.words = 1, .level = (uint8_t)level, .table = names[level - 1]};
        f.index = mosaic_index(a->va, level);
        f.pa = *node + sizeof(uint64_t) * f.index;
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;
        if (!radix_is_table(f.data[0], level)) {
            x86_fault(out, x86_access_code(a));
            return 1;
        }
        *node = radix_table_pa(f.data[0]);
        if (!a->peek && port->cache_put)
            port->cache_put(port, level - FIRST_CACHED_LEVEL, a->va >> cache_shift(level),
                            (uint64_t[2]){*node, X86_GRANTED});
    }
    return 0;
}

/* All of the ToC at once: up to 16 words, which are two lines. */
static int read_toc(const struct emt_arch *arch, const struct emt_access *a, struct emt_port *port, uint64_t node,
                    struct toc *t) {
    struct emt_fetch f[MOSAIC_MAX_ARITY / MOSAIC_WORD_PAGES / FETCH_WORDS];
    const unsigned index = mosaic_index(a->va, 1);

    t->words = arity(arch) / MOSAIC_WORD_PAGES;
    t->own = index % t->words;
    t->pa = node + sizeof(uint64_t) * index;
    const unsigned each = t->words < FETCH_WORDS ? t->words : FETCH_WORDS, n = t->words / each;
    for (unsigned i = 0; i < n; i++)
        f[i] = (struct emt_fetch){.pa = node + sizeof(uint64_t) * (index - t->own + i * each),
                                  .words = (uint8_t)each,
                                  .level = 1,
                                  .table = names[0],
                                  .index = (index - t->own) / t->words};
    int err = port->fetch(port, f, n);
    for (unsigned w = 0; !err && w < t->words; w++)
        t->word[w] = f[w / each].data[w % each];
    return err;
}

static int radix_walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                      struct emt_port *port, struct emt_walk *out) {
    uint64_t node;
    struct toc t;
    int err;

    do {
        *out = (struct emt_walk){.va = a->va};
        if (!radix_canonical(a->va, MOSAIC_VA_LEVELS))
            return x86_fault(out, 0);
        err = descend(root, a, port, &node, out);
        if (err)
            return err > 0 ? 0 : err;
        err = read_toc(arch, a, port, node, &t);
        if (err >= 0)
            err = use_toc(arch, root, a, port, &t, out);
    } while (err > 0);
    return err;
}

/* ---- hashed ---- */

static bool is_bucket_of(const uint64_t *word, uint64_t tag) {
    if (hashed_state(word[HASHED_STATE_WORD]) != HASHED_USED)
        return false;
    for (unsigned i = 0; i < HASHED_STATE_WORD; i++)
        if ((word[i] & HASHED_TAG_MASK) != hashed_piece(tag, i))
            return false;
    return true;
}

/* The ToC is a part of its bucket. 1: there is no such bucket, *out is the fault. */
static int probe(const struct emt_arch *arch, uint64_t table, const struct emt_access *a, struct emt_port *port,
                 struct toc *t, struct emt_walk *out) {
    const uint64_t tag = mosaic_tag(a->va);

    for (uint64_t number = table ? hashed_home(table, tag) : 0, n = 0; n < hashed_buckets(table); n++, number++) {
        struct emt_fetch f = {.pa = hashed_bucket_pa(table, number),
                              .words = HASHED_WORDS,
                              .level = 1,
                              .table = "ToC bucket",
                              .index = number & (hashed_buckets(table) - 1)};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;
        if (hashed_state(f.data[HASHED_STATE_WORD]) == HASHED_EMPTY)
            break;
        if (!is_bucket_of(f.data, tag))
            continue;
        const unsigned index = mosaic_bucket_index(a->va);
        t->words = arity(arch) / MOSAIC_WORD_PAGES;
        t->own = index % t->words;
        t->pa = f.pa + sizeof(uint64_t) * index;
        for (unsigned w = 0; w < t->words; w++)
            t->word[w] = f.data[index - t->own + w];
        return 0;
    }
    x86_fault(out, x86_access_code(a));
    return 1;
}

static int hashed_walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                       struct emt_port *port, struct emt_walk *out) {
    struct toc t;
    int err;

    do {
        *out = (struct emt_walk){.va = a->va};
        if (!radix_canonical(a->va, MOSAIC_VA_LEVELS))
            return x86_fault(out, 0);
        err = probe(arch, root->word[MOSAIC_ROOT_TABLE], a, port, &t, out);
        if (err)
            return err > 0 ? 0 : err;
        err = use_toc(arch, root, a, port, &t, out);
    } while (err > 0);
    return err;
}

/* ---- what the registry gets ---- */

static uint64_t toc_frame(const struct emt_arch *arch, const struct emt_root *root, uint64_t va, unsigned code) {
    const struct mosaic_memory memory = mosaic_root_memory(root);

    (void)arch;
    return mosaic_frame(mosaic_random, &memory, mosaic_key((uint16_t)root->word[MOSAIC_ROOT_ASID], va), code)
           << EMT_PAGE_SHIFT;
}

extern const struct emt_walker_ops mosaic_radix_walker, mosaic_hashed_walker;

const struct emt_walker_ops mosaic_radix_walker = {
    .walk = radix_walk, .caches = caches, .ncaches = 3, .toc_pages = arity, .toc_frame = toc_frame};
const struct emt_walker_ops mosaic_hashed_walker = {
    .walk = hashed_walk, .toc_pages = arity, .toc_frame = toc_frame};
