/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of redundant memory mappings: radix's tables (mmu/tree), and ranges made of the pages in them.
 *
 *     page comes ──> neighbour of a range, same offset and rights? ──> the range grows (and may join the next one)
 *                └─> else: LEAST pages in a row around it? ──────────> a new range
 *     page changes or goes ──> its range ends before it, and another begins behind it
 *
 * In the paper the operating system makes a range when it allocates (eager paging); here the driver sees that pages
 * are contiguous, whatever policy made them so. A run shorter than LEAST pages is left to the page table: a range
 * for each of many small runs would make the table larger than the page table.
 */
#include "mmu/rmm/table.h"

#define RUNS_BITS RMM_LEAF_RANGE
#include "mmu/tree/runs.h"

/* Pages of 4 KiB. assumed: a line of entries. The paper has ranges of any length, but makes them by allocation */
#define LEAST 8u

#define REGISTER_INSTRUCTIONS 4 /* estimate: one write of a control register, and what leads there */

extern const struct emt_walker_ops rmm_walker; /* walker.c */

/* ---- how pages join ranges ---- */

static bool fits(const struct rmm_range *r, uint64_t offset, uint64_t rights) {
    return !rmm_none(r) && r->offset == offset && r->rights == rights;
}

static uint64_t runs_bits(struct emt_tdb *tdb, const struct emt_tobj *o) {
    const struct rmm_table *t = rmm_table_of(tdb);
    const unsigned level = radix_leaf_level(o->bytes);
    const uint64_t offset = radix_leaf_pa(o->raw[0], level) - o->va, rights = runs_rights(o->raw[0], level);

    if (!rights)
        return 0;
    rmm_find(tdb, o->va);
    if ((fits(&t->left, offset, rights) && t->left.last == o->va - 1) ||
        (fits(&t->right, offset, rights) && t->right.first == o->va + o->bytes) ||
        o->bytes >= LEAST * EMT_PAGE_BYTES)
        return RMM_LEAF_RANGE;
    return 0;
}

/* The RANGE bit of pages that are part of a range only now. A and D that a walker sets meanwhile stay. */
static void mark(struct emt_tdb *tdb, uint64_t first, uint64_t last) {
    for (uint64_t va = first;;) {
        struct tree_slot s = tree_descend(tdb, &rmm_table_of(tdb)->path, va);
        if (RADIX_GET(s.entry, P) && !(s.entry & RMM_LEAF_RANGE))
            tree_slot_replace(tdb, &s, s.entry | RMM_LEAF_RANGE);
        if (s.va + (s.bytes - 1) >= last)
            return;
        va = s.va + s.bytes;
    }
}

/*
 * A range grows over pages beside it that fit, up to the range that is `beside` there, or to `most` bytes. So what
 * came before the range did joins it with the page that closes the gap.
 */
static void absorb(struct emt_tdb *tdb, struct rmm_range *r, bool up, const struct rmm_range *beside,
                   uint64_t most) {
    while (r->last - r->first < most - 1) {
        const uint64_t va = up ? r->last + 1 : r->first - 1;
        if (up ? !va : va > r->first) /* the end of the address space */
            return;
        if (!rmm_none(beside) && beside->first <= va && va <= beside->last)
            return;
        const struct tree_slot s = tree_descend(tdb, &rmm_table_of(tdb)->path, va);
        if (!s.level || runs_rights(s.entry, s.level) != r->rights || runs_offset(&s) != r->offset)
            return;
        if (up)
            r->last = s.va + (s.bytes - 1);
        else
            r->first = s.va;
    }
}

/* A page beside no range that fits: enough of its kind in a row are a new one. */
static void start_range(struct emt_tdb *tdb, const struct tree_slot *s, uint64_t offset, uint64_t rights) {
    const struct rmm_range left = rmm_table_of(tdb)->left, right = rmm_table_of(tdb)->right;
    struct rmm_range r = {s->va, s->va + (s->bytes - 1), offset, rights};

    absorb(tdb, &r, false, &left, LEAST * EMT_PAGE_BYTES);
    absorb(tdb, &r, true, &right, LEAST * EMT_PAGE_BYTES);
    if (r.last - r.first < LEAST * EMT_PAGE_BYTES - 1)
        return;
    absorb(tdb, &r, false, &left, ~0ull);
    absorb(tdb, &r, true, &right, ~0ull);
    if (rmm_insert(tdb, &r)) /* without memory for a node the page table does it alone */
        mark(tdb, r.first, r.last);
}

/* The page joins the range in front of it, or the one behind it, or makes one of both. */
static void join(struct emt_tdb *tdb, const struct tree_slot *s, bool grows, bool precedes) {
    struct rmm_table *t = rmm_table_of(tdb);
    const uint64_t first = s->va, last = s->va + (s->bytes - 1);
    const struct rmm_range left = t->left, right = t->right;
    struct rmm_range r = grows ? left : right;

    if (grows && precedes) {
        r.last = right.last;
        rmm_remove_right(tdb);
        rmm_find(tdb, first);
        rmm_set_left(tdb, &r);
    } else if (grows) {
        r.last = last;
        absorb(tdb, &r, true, &right, ~0ull);
        rmm_set_left(tdb, &r);
        if (r.last > last)
            mark(tdb, last + 1, r.last);
    } else {
        r.first = first;
        absorb(tdb, &r, false, &left, ~0ull);
        rmm_set_right(tdb, &r);
        t->known = false; /* it begins elsewhere now */
        if (r.first < first)
            mark(tdb, r.first, first - 1);
    }
    if (!(s->entry & RMM_LEAF_RANGE))
        mark(tdb, first, last);
}

static void runs_come(struct emt_tdb *tdb, const struct tree_slot *s) {
    struct rmm_table *t = rmm_table_of(tdb);
    const uint64_t offset = runs_offset(s), rights = runs_rights(s->entry, s->level), last = s->va + (s->bytes - 1);

    if (!rights)
        return;
    rmm_find(tdb, s->va);
    const bool left = fits(&t->left, offset, rights), right = fits(&t->right, offset, rights);
    if (left && t->left.last >= last)
        return; /* is in it already */
    const bool grows = left && t->left.last == s->va - 1, precedes = right && t->right.first == last + 1;
    if (grows || precedes)
        join(tdb, s, grows, precedes);
    else
        start_range(tdb, s, offset, rights);
}

/* ---- how they leave ---- */

/* The left range of the last search overlaps [va, last]: what is outside stays. */
static void cut_left(struct emt_tdb *tdb, uint64_t va, uint64_t last) {
    const struct rmm_range whole = rmm_table_of(tdb)->left;
    struct rmm_range front = whole, behind = whole;

    if (whole.first >= va && whole.last <= last) {
        rmm_remove_left(tdb);
        return;
    }
    front.last = va - 1;
    behind.first = last + 1;
    rmm_set_left(tdb, whole.first < va ? &front : &behind);
    if (whole.first < va && whole.last > last)
        rmm_insert(tdb, &behind); /* without memory that part is left to the page table */
    else if (whole.first >= va)
        rmm_table_of(tdb)->known = false; /* it begins behind what was looked for */
}

static void runs_gone(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    const struct rmm_table *t = rmm_table_of(tdb);
    const uint64_t last = va + (bytes - 1);

    if (!bytes)
        return;
    for (;;) {
        /* The range with the highest beginning at or before the end of the stretch. */
        rmm_find(tdb, last);
        if (rmm_none(&t->left) || t->left.last < va)
            return;
        cut_left(tdb, va, last);
    }
}

/* Ranges end where the stretch does, then those in it get the rights. */
static void runs_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot) {
    struct rmm_table *t = rmm_table_of(tdb);
    const uint64_t last = va + (bytes - 1);

    for (uint64_t at = last; bytes;) {
        rmm_find(tdb, at);
        if (rmm_none(&t->left) || t->left.last < va)
            return;
        struct rmm_range inside = t->left;
        inside.first = inside.first < va ? va : inside.first;
        inside.last = inside.last > last ? last : inside.last;
        inside.rights = x86_with_prot(inside.rights, prot);
        if (inside.first == t->left.first && inside.last == t->left.last) {
            rmm_set_left(tdb, &inside);
        } else {
            cut_left(tdb, inside.first, inside.last);
            rmm_insert(tdb, &inside);
        }
        if (inside.first <= va)
            return;
        at = inside.first - 1;
    }
}

/* ---- databases and the service ---- */

static int tdb_create(struct emt_tdb *tdb) {
    int err = rmm_table_create(tdb);

    if (err)
        return err;
    err = tree_tdb_create(tdb);
    if (err)
        rmm_table_destroy(tdb);
    return err;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    tree_tdb_destroy(tdb);
    rmm_table_destroy(tdb);
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    tree_tdb_root(tdb, root);
    root->word[RMM_ROOT_TABLE] = rmm_table_of(tdb)->root;
}

static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    emt_host_work(svc->host, REGISTER_INSTRUCTIONS);
    return tree_tsvc_switch(svc, cpu, tdb);
}

static const struct emt_driver_ops rmm_driver = {
    RUNS_DRIVER_OPS(runs_range_protect, tree_huge_split),
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_root = tdb_root,
    .tsvc_switch = tsvc_switch,
};

extern const struct emt_arch emt_rmm;

const struct emt_arch emt_rmm = {
    .name = "rmm",
    .summary = "redundant memory mappings (ISCA'15): radix4, and ranges of any length in a B-tree and a range TLB",
    .driver = &rmm_driver,
    .walker = &rmm_walker,
    .param = {4, RADIX_PA_BITS},
};
