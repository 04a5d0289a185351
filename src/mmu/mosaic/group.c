/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The four pages of a word, and how it changes its form (format.h):
 *
 *            all that are present: compressed, alike          one is not
 *     void ─────────────────────────────> ToC <──────────────────────────> link
 *       └──> side (none is present)        └── SIDE: those not present        └── all four are in the page table
 *
 * What walkers may see between two stores. To link: the page table gets all four leaves, then one exchange replaces
 * the ToC; if a walker has set A or D in it meanwhile, the leaves get them and it is tried again. To compress: one
 * store replaces the link; a flush, after which no walk is under way that followed it, as its leaf says the same
 * until then; and then each leaf is exchanged for zero, and what A and D it got in the meantime goes into the ToC.
 */
#include "mmu/mosaic/tables.h"

#define AD (RADIX_MASK(A) | RADIX_MASK(D))

/* ---- words ---- */

static uint64_t cas(const struct emt_tdb *tdb, uint64_t pa, uint64_t expected, uint64_t desired) {
    return emt_table_cmpxchg(mosaic_host(tdb), pa, expected, desired);
}

/* Keep these bits of the word and set those; the tag stays. Returns the word that was replaced. */
static uint64_t change(const struct emt_tdb *tdb, struct mosaic_group *g, uint64_t keep, uint64_t set) {
    for (;;) {
        const uint64_t was = g->raw, now = (was & (keep | HASHED_TAG_MASK)) | set;
        const uint64_t found = cas(tdb, g->pa, was, now);

        g->raw = found == was ? now : found;
        if (found == was)
            return was;
    }
}

static uint64_t field_mask(unsigned sub) {
    return MOSAIC_FIELD_MASK << mosaic_field_shift(sub);
}

static uint64_t field_of(uint64_t leaf, unsigned cpfn) {
    return cpfn | (leaf & RADIX_MASK(A) ? MOSAIC_A : 0) | (leaf & RADIX_MASK(D) ? MOSAIC_D : 0);
}

static uint64_t attrs_of(uint64_t leaf) {
    return leaf & MOSAIC_ATTRS;
}

/* Has the word a page with a CPFN, but this one? */
static bool has_others(uint64_t word, unsigned sub) {
    return mosaic_is_toc(word) && ((word ^ MOSAIC_NO_PAGES) & MOSAIC_FIELDS & ~field_mask(sub));
}

static bool in_toc(uint64_t word, unsigned sub) {
    return mosaic_is_toc(word) && mosaic_cpfn(word, sub) != MOSAIC_NO_PAGE;
}

/* ---- frames and their codes ---- */

static uint64_t leaf_in(const struct emt_tdb *tdb, uint64_t word, uint64_t va) {
    const struct mosaic_service *s = mosaic_service_of(tdb);
    const unsigned sub = mosaic_sub(va);

    emt_host_work(mosaic_host(tdb), MOSAIC_HASH_INSTRUCTIONS);
    return mosaic_leaf(word, sub,
                       mosaic_frame(*s->random, &s->memory, mosaic_key(tdb->asid, va), mosaic_cpfn(word, sub)));
}

/* The code that the page's frame has; MOSAIC_NO_PAGE: it must be linked, or is not present. */
static unsigned code_of(const struct emt_tdb *tdb, uint64_t va, uint64_t leaf) {
    const struct mosaic_service *s = mosaic_service_of(tdb);

    if (!(leaf & RADIX_MASK(P)) || RADIX_GET(leaf, G) || RADIX_GET(leaf, SOFT_HIGH))
        return MOSAIC_NO_PAGE;
    emt_host_work(mosaic_host(tdb), MOSAIC_HASH_INSTRUCTIONS);
    return mosaic_compress(*s->random, &s->memory, mosaic_key(tdb->asid, va), radix_leaf_pfn(leaf, 1));
}

/* ---- the page table beside ---- */

/* Where the leaf of va is in it; the word has a link or SIDE. */
static uint64_t beside(const struct emt_tdb *tdb, uint64_t word, uint64_t va) {
    const uint64_t pt = word & MOSAIC_LINK ? radix_table_pa(word) : mosaic_region_find(tdb, va)->pt;

    return radix_slot(pt, va, 1);
}

static uint64_t read_beside(const struct emt_tdb *tdb, uint64_t pa) {
    return emt_table_read(mosaic_host(tdb), pa);
}

/* Exchange a leaf; returns the old one with its last A and D. */
static uint64_t swap_leaf(const struct emt_tdb *tdb, uint64_t pa, uint64_t now) {
    uint64_t was = read_beside(tdb, pa), found;

    while (was != now && (found = cas(tdb, pa, was, now)) != was)
        was = found;
    return was;
}

uint64_t mosaic_read(const struct emt_tdb *tdb, const struct mosaic_group *g, uint64_t va) {
    if (g->pa == EMT_NO_PA || !mosaic_plain(g->raw))
        return 0;
    if (in_toc(g->raw, mosaic_sub(va)))
        return leaf_in(tdb, g->raw, va);
    return g->raw & (MOSAIC_LINK | MOSAIC_SIDE) ? read_beside(tdb, beside(tdb, g->raw, va)) : 0;
}

/* The word has become void, or not. */
static void settle(struct emt_tdb *tdb, const struct mosaic_group *g) {
    if (!mosaic_plain(g->raw))
        mosaic_table(tdb)->gone(tdb, g->va, g->pa);
}

/* A leaf has gone from the page table beside a word that is no link: was it the last of the word? */
static void settle_side(struct emt_tdb *tdb, struct mosaic_group *g) {
    const uint64_t first = beside(tdb, g->raw, g->va);

    for (unsigned i = 0; i < MOSAIC_WORD_PAGES; i++)
        if (read_beside(tdb, first + sizeof(uint64_t) * i))
            return;
    change(tdb, g, ~MOSAIC_SIDE, 0);
    mosaic_side_drop(tdb, g->va);
    settle(tdb, g);
}

/* ---- from a link to something else, when its four leaves allow it ---- */

/* What the word would be; with MOSAIC_LINK: it must stay one. */
static uint64_t compressed(const struct emt_tdb *tdb, uint64_t va, const uint64_t leaf[MOSAIC_WORD_PAGES]) {
    uint64_t word = 0;

    for (unsigned i = 0; i < MOSAIC_WORD_PAGES; i++) {
        if (!(leaf[i] & RADIX_MASK(P))) {
            word |= leaf[i] ? MOSAIC_SIDE : 0;
            continue;
        }
        const unsigned code = code_of(tdb, va + i * EMT_PAGE_BYTES, leaf[i]);
        const uint64_t same = attrs_of(leaf[i]) | RADIX_MASK(P);
        if (code == MOSAIC_NO_PAGE || (mosaic_is_toc(word) && (word & (MOSAIC_ATTRS | RADIX_MASK(P))) != same))
            return MOSAIC_LINK;
        if (!mosaic_is_toc(word))
            word |= same | MOSAIC_NO_PAGES;
        word = (word & ~field_mask(i)) | field_of(leaf[i], code) << mosaic_field_shift(i);
    }
    return word;
}

/* When this returns, no walk is under way that followed the link. */
static void let_walks_end(struct emt_tdb *tdb, uint64_t va) {
    emt_host_flush(mosaic_host(tdb), &(struct emt_flush){.kind = EMT_FLUSH_RANGE,
                                                         .tdb = tdb,
                                                         .va = va,
                                                         .bytes = 1ull << MOSAIC_WORD_SHIFT,
                                                         .stride = EMT_PAGE_BYTES,
                                                         .tables = true});
}

/* The link becomes a ToC, or void, if it can. */
static void try_compress(struct emt_tdb *tdb, struct mosaic_group *g) {
    const uint64_t first = beside(tdb, g->raw, g->va);
    uint64_t leaf[MOSAIC_WORD_PAGES];

    for (unsigned i = 0; i < MOSAIC_WORD_PAGES; i++)
        leaf[i] = read_beside(tdb, first + sizeof(uint64_t) * i);
    const uint64_t word = compressed(tdb, g->va, leaf);
    if (word & MOSAIC_LINK)
        return;
    change(tdb, g, 0, word);
    if (mosaic_is_toc(word))
        let_walks_end(tdb, g->va);
    for (unsigned i = 0; i < MOSAIC_WORD_PAGES; i++) {
        if (!in_toc(word, i))
            continue;
        const uint64_t late = swap_leaf(tdb, first + sizeof(uint64_t) * i, 0) & ~leaf[i] & AD;
        if (late)
            change(tdb, g, ~0ull, field_of(late, 0) << mosaic_field_shift(i));
    }
    if (!(word & MOSAIC_SIDE))
        mosaic_side_drop(tdb, g->va);
    settle(tdb, g);
}

/* ---- from something else to a link ---- */

/* All four leaves into the page table, `leaf` for va; then the link. The page table is held. */
static int make_link(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va, uint64_t leaf) {
    const uint64_t pt = mosaic_region_find(tdb, va)->pt, link = pt | RADIX_MASK(P) | MOSAIC_LINK;
    const uint64_t first = radix_slot(pt, g->va, 1);

    emt_table_write(mosaic_host(tdb), first + sizeof(uint64_t) * mosaic_sub(va), leaf);
    if (g->pa == EMT_NO_PA || !mosaic_plain(g->raw)) {
        int err = mosaic_table(tdb)->put(tdb, va, link);
        if (err)
            emt_table_write(mosaic_host(tdb), first + sizeof(uint64_t) * mosaic_sub(va), 0);
        return err;
    }
    for (uint64_t found = g->raw;; g->raw = found) {
        for (unsigned i = 0; i < MOSAIC_WORD_PAGES; i++)
            if (i != mosaic_sub(va) && in_toc(g->raw, i))
                emt_table_write(mosaic_host(tdb), first + sizeof(uint64_t) * i,
                                leaf_in(tdb, g->raw, g->va + i * EMT_PAGE_BYTES));
        found = cas(tdb, g->pa, g->raw, link | (g->raw & HASHED_TAG_MASK));
        if (found == g->raw)
            return 0;
    }
}

/* ---- to write ---- */

/* A page with a code goes into a word that is no link, and agrees with it. */
static int write_code(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va, uint64_t leaf, unsigned code) {
    const unsigned sub = mosaic_sub(va);
    const uint64_t field = field_of(leaf, code) << mosaic_field_shift(sub);
    const uint64_t alone = attrs_of(leaf) | RADIX_MASK(P) | (MOSAIC_NO_PAGES & ~field_mask(sub)) | field;

    if (g->pa == EMT_NO_PA || !mosaic_plain(g->raw))
        return mosaic_table(tdb)->put(tdb, va, alone);
    const bool others = has_others(g->raw, sub), was_beside = (g->raw & MOSAIC_SIDE) && !in_toc(g->raw, sub);
    if (others)
        change(tdb, g, ~field_mask(sub), field);
    else
        change(tdb, g, MOSAIC_SIDE, alone);
    if (was_beside && swap_leaf(tdb, beside(tdb, g->raw, va), 0))
        settle_side(tdb, g);
    return 0;
}

/* What is not present goes beside a word that is no link. */
static int write_beside(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va, uint64_t leaf) {
    const unsigned sub = mosaic_sub(va);
    const bool nothing = g->pa == EMT_NO_PA || !mosaic_plain(g->raw);
    const uint64_t pa = beside(tdb, MOSAIC_SIDE, va);

    emt_table_write(mosaic_host(tdb), pa, leaf);
    if (nothing) {
        int err = mosaic_table(tdb)->put(tdb, va, MOSAIC_SIDE);
        if (err)
            emt_table_write(mosaic_host(tdb), pa, 0);
        return err;
    }
    if (has_others(g->raw, sub))
        change(tdb, g, ~field_mask(sub), MOSAIC_SIDE | (uint64_t)MOSAIC_NO_PAGE << mosaic_field_shift(sub));
    else
        change(tdb, g, 0, MOSAIC_SIDE);
    return 0;
}

int mosaic_write(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va, uint64_t leaf) {
    struct mosaic_service *s = mosaic_service_of(tdb);
    const unsigned sub = mosaic_sub(va), code = code_of(tdb, va, leaf);
    const bool present = leaf & RADIX_MASK(P);
    int err = 0;

    if (g->pa == EMT_NO_PA)
        g->raw = 0;
    const bool agrees =
        code != MOSAIC_NO_PAGE && (!has_others(g->raw, sub) || (g->raw & MOSAIC_ATTRS) == attrs_of(leaf));
    if (g->raw & MOSAIC_LINK) {
        emt_table_write(mosaic_host(tdb), beside(tdb, g->raw, va), leaf);
        if (code != MOSAIC_NO_PAGE || !present)
            try_compress(tdb, g);
    } else if (agrees) {
        err = write_code(tdb, g, va, leaf, code);
    } else {
        const bool held = g->raw & MOSAIC_SIDE;
        err = held ? 0 : mosaic_side_hold(tdb, va);
        if (err)
            return err;
        err = present ? make_link(tdb, g, va, leaf) : write_beside(tdb, g, va, leaf);
        if (err && !held)
            mosaic_side_drop(tdb, va);
    }
    if (err || !present)
        return err;
    *(code == MOSAIC_NO_PAGE ? &s->conventional : code & MOSAIC_BACK_BIT ? &s->back : &s->front) += 1;
    return 0;
}

/* ---- to remove, to age ---- */

uint64_t mosaic_remove(struct emt_tdb *tdb, struct mosaic_group *g, uint64_t va) {
    const unsigned sub = mosaic_sub(va);

    if (in_toc(g->raw, sub)) {
        const uint64_t none = (uint64_t)MOSAIC_NO_PAGE << mosaic_field_shift(sub);
        const uint64_t was =
            has_others(g->raw, sub) ? change(tdb, g, ~field_mask(sub), none) : change(tdb, g, MOSAIC_SIDE, 0);
        settle(tdb, g);
        return leaf_in(tdb, was, va);
    }
    const uint64_t was = swap_leaf(tdb, beside(tdb, g->raw, va), 0);
    if (g->raw & MOSAIC_LINK)
        try_compress(tdb, g);
    else
        settle_side(tdb, g);
    return was;
}

unsigned mosaic_test_clear(const struct emt_tdb *tdb, const struct mosaic_group *g, uint64_t va, unsigned mask) {
    const unsigned shift = mosaic_field_shift(mosaic_sub(va));
    const bool toc = in_toc(g->raw, mosaic_sub(va));
    const uint64_t a = toc ? MOSAIC_A << shift : RADIX_MASK(A), d = toc ? MOSAIC_D << shift : RADIX_MASK(D);
    const uint64_t bits = (mask & EMT_AGE_ACCESSED ? a : 0) | (mask & EMT_AGE_DIRTY ? d : 0);
    const uint64_t pa = toc ? g->pa : beside(tdb, g->raw, va);
    uint64_t entry = toc ? g->raw : read_beside(tdb, pa), found;

    if (!toc && radix_is_swap(entry))
        return 0;
    while ((entry & bits) && (found = cas(tdb, pa, entry, entry & ~bits)) != entry)
        entry = found;
    return (entry & bits & a ? EMT_AGE_ACCESSED : 0) | (entry & bits & d ? EMT_AGE_DIRTY : 0);
}
