/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of anchors: radix's tables (mmu/tree), what the anchors in them say, and how far apart they are.
 *
 *     page comes ──> continues what its anchor tells of? ───────> the anchor tells of more
 *                └─> its anchor says nothing: 8 in a row by now? ─> it does
 *     page changes or goes ──> the anchor tells of those before it
 *
 * Order of writes: an anchor that tells of more is written from the low bits up, so that what stands there
 * meanwhile is less than either; one that tells of less first becomes invalid.
 *
 * The distance is chosen for the runs that there are: whenever twice as many pages have come as at the last choice,
 * all of them are looked at, and that distance is taken with which the fewest TLB entries cover them. Then all
 * anchors are written anew, and cached translations go.
 */
#include "mmu/anchor/format.h"

#define RUNS_BITS ANCHOR_LEAF_BITS
#include "mmu/tree/runs.h"

#define FIRST_LOG             6u   /* assumed: before anything is known */
#define FIRST_CHOICE          512u /* pages. assumed */
#define REGISTER_INSTRUCTIONS 4u   /* estimate: one write of a control register, and what leads there */
#define CHOICE_INSTRUCTIONS   100u /* estimate: of one run, for twelve distances */

extern const struct emt_walker_ops anchor_walker; /* walker.c */

struct anchors { /* tdb->priv */
    unsigned log;
    uint64_t pages, next_choice; /* that have come so far; when to choose again */
    struct tree_path path;
};

static struct anchors *anchors_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

/* ---- what an anchor says ---- */

static struct tree_slot look(struct emt_tdb *tdb, uint64_t va) {
    return tree_descend(tdb, &anchors_of(tdb)->path, va);
}

static bool is_page(const struct tree_slot *s) {
    return s->level == 1 && RADIX_GET(s->entry, P);
}

/* The value at an anchor's entry; 0: nothing. */
static unsigned read_value(const struct emt_tdb *tdb, const struct tree_slot *anchor) {
    const uint64_t gate_pa = anchor->pa + sizeof(uint64_t) * (ANCHOR_WORDS - 1);
    uint64_t line[ANCHOR_WORDS];

    if (!is_page(anchor))
        return 0;
    line[ANCHOR_WORDS - 1] = emt_table_read(tree_host(tdb), gate_pa);
    if (!RADIX_GET(line[ANCHOR_WORDS - 1], P) || !(line[ANCHOR_WORDS - 1] >> ANCHOR_FIRST & 2))
        return 0;
    line[0] = anchor->entry;
    for (unsigned i = 1; i < ANCHOR_WORDS - 1; i++)
        line[i] = emt_table_read(tree_host(tdb), anchor->pa + sizeof(uint64_t) * i);
    return anchor_value(line);
}

static void write_part(const struct emt_tdb *tdb, uint64_t line, unsigned value, unsigned i) {
    const uint64_t pa = line + sizeof(uint64_t) * i;
    uint64_t entry = emt_table_read(tree_host(tdb), pa), found;

    while (RADIX_GET(entry, P) && anchor_entry(entry, value, i) != entry) {
        found = emt_table_cmpxchg(tree_host(tdb), pa, entry, anchor_entry(entry, value, i));
        if (found == entry)
            return;
        entry = found; /* a walker has set A or D */
    }
}

/* `now`: what is there. */
static void write_value(const struct emt_tdb *tdb, const struct tree_slot *anchor, unsigned now, unsigned value) {
    if (now && (!value || (value & ANCHOR_PAGES) < (now & ANCHOR_PAGES) || (value ^ now) & ANCHOR_DIRTY)) {
        write_part(tdb, anchor->pa, now & ~ANCHOR_VALID, ANCHOR_WORDS - 1);
        now = 0;
    }
    for (unsigned i = 0; value && i < ANCHOR_WORDS; i++)
        if (!now || (value ^ now) >> 2 * i & 3)
            write_part(tdb, anchor->pa, value, i);
}

static unsigned value_of(uint64_t pages, uint64_t rights) {
    if (pages < ANCHOR_WORDS)
        return 0;
    return ANCHOR_VALID | (RADIX_GET(rights, D) ? ANCHOR_DIRTY : 0) | (unsigned)(pages - 1);
}

/* ---- how pages join ---- */

static uint64_t runs_bits(struct emt_tdb *tdb, const struct emt_tobj *o) {
    (void)tdb;
    (void)o;
    return 0; /* the anchor is told afterwards */
}

/* Pages from the anchor on that fit it; `known` of them do. */
static uint64_t count(struct emt_tdb *tdb, const struct tree_slot *anchor, uint64_t known) {
    const uint64_t rights = runs_rights(anchor->entry, 1), offset = runs_offset(anchor);
    const uint64_t most = 1ull << anchors_of(tdb)->log;
    uint64_t pages = known;

    while (pages < most) {
        const struct tree_slot s = look(tdb, anchor->va + pages * EMT_PAGE_BYTES);
        if (!is_page(&s) || runs_rights(s.entry, 1) != rights || runs_offset(&s) != offset)
            break;
        pages++;
    }
    return pages;
}

static void tell(struct emt_tdb *tdb, uint64_t va) {
    const struct tree_slot anchor = look(tdb, anchor_of(va, anchors_of(tdb)->log));
    const unsigned now = read_value(tdb, &anchor);

    if (!is_page(&anchor) || !runs_rights(anchor.entry, 1))
        return;
    if (now && va != anchor.va + anchor_pages(now) * EMT_PAGE_BYTES)
        return;
    const uint64_t rights = runs_rights(anchor.entry, 1) & ~RADIX_MASK(D);
    const struct tree_slot page = look(tdb, va);
    /* D of the anchor's own page may be set since: what all pages have is in its value. */
    if (now && ((runs_rights(page.entry, 1) & ~RADIX_MASK(D)) != rights ||
                runs_offset(&page) != runs_offset(&anchor) || (now & ANCHOR_DIRTY && !RADIX_GET(page.entry, D))))
        return;
    const uint64_t pages = count(tdb, &anchor, now ? anchor_pages(now) + 1 : 1);
    unsigned value = value_of(pages, anchor.entry);
    if (now)
        value = (value & ~ANCHOR_DIRTY) | (now & ANCHOR_DIRTY);
    if (value && value != now)
        write_value(tdb, &anchor, now, value);
}

static void choose(struct emt_tdb *tdb);

static void runs_come(struct emt_tdb *tdb, const struct tree_slot *s) {
    struct anchors *a = anchors_of(tdb);

    if (s->level != 1 || !runs_rights(s->entry, 1))
        return;
    if (++a->pages >= a->next_choice) {
        a->next_choice = 2 * a->pages;
        choose(tdb);
    }
    tell(tdb, s->va);
}

/* ---- how they leave ---- */

static void runs_gone(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    const uint64_t last = va + (bytes - 1), distance = EMT_PAGE_BYTES << anchors_of(tdb)->log;

    for (uint64_t at = anchor_of(va, anchors_of(tdb)->log); bytes;) {
        const struct tree_slot s = look(tdb, at);
        const unsigned now = read_value(tdb, &s);
        const uint64_t left = va > at ? (va - at) >> EMT_PAGE_SHIFT : 0;
        if (now && left < anchor_pages(now)) {
            const unsigned less = left < ANCHOR_WORDS ? 0 : (now & ~ANCHOR_PAGES) | (unsigned)(left - 1);
            write_value(tdb, &s, now, less);
        }
        const uint64_t end = s.va + (s.bytes - 1), step = at + (distance - 1);
        const uint64_t behind = end > step ? end : step;
        if (behind >= last)
            return;
        at = anchor_of(behind + distance, anchors_of(tdb)->log); /* the first anchor behind */
    }
}

static void runs_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot) {
    (void)prot; /* rescanned when the pages have them: range_protect() */
    runs_gone(tdb, va, bytes);
}

static int range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    int err = runs_range_protect(tdb, va, bytes, prot, g);

    runs_rescan(tdb, va, bytes);
    return err;
}

/* ---- the distance ---- */

typedef void (*run_fn)(struct emt_tdb *, uint64_t va, uint64_t pages, void *ctx);

/* Each run of pages of 4 KiB, whatever anchors say. */
static void each_run(struct emt_tdb *tdb, run_fn fn, void *ctx) {
    uint64_t first = 0, pages = 0, rights = 0, offset = 0, at = 0;

    do {
        const struct tree_slot s = look(tdb, at);
        const uint64_t r = is_page(&s) ? runs_rights(s.entry, 1) : 0;
        if (pages && (!r || r != rights || runs_offset(&s) != offset)) {
            fn(tdb, first, pages, ctx);
            pages = 0;
        }
        if (r && !pages++) {
            first = s.va;
            rights = r;
            offset = runs_offset(&s);
        }
        at = s.va + s.bytes;
    } while (at);
    if (pages)
        fn(tdb, first, pages, ctx);
}

/* TLB entries that a run takes with each distance: anchors, and pages that none tells of. */
static void count_entries(struct emt_tdb *tdb, uint64_t va, uint64_t pages, void *ctx) {
    uint64_t *entries = ctx;

    emt_host_work(tree_host(tdb), CHOICE_INSTRUCTIONS);
    for (unsigned log = ANCHOR_LOG_MIN; log <= ANCHOR_LOG_MAX; log++) {
        const uint64_t distance = 1ull << log, number = va >> EMT_PAGE_SHIFT;
        uint64_t head = -number & (distance - 1);
        head = head < pages ? head : pages;
        const uint64_t full = (pages - head) >> log, tail = (pages - head) & (distance - 1);
        entries[log] += head + full + (tail >= ANCHOR_WORDS ? 1 : tail);
    }
}

struct sweep {
    unsigned log;
    bool write;
};

/* Write the anchors of a run for a distance, or make them say nothing. */
static void sweep_run(struct emt_tdb *tdb, uint64_t va, uint64_t pages, void *ctx) {
    const struct sweep *w = ctx;
    const uint64_t distance = EMT_PAGE_BYTES << w->log, end = va + pages * EMT_PAGE_BYTES;

    for (uint64_t at = va + (-va & (distance - 1)); at >= va && at - va < pages * EMT_PAGE_BYTES; at += distance) {
        const struct tree_slot s = look(tdb, at);
        const uint64_t left = (end - at) >> EMT_PAGE_SHIFT, most = 1ull << w->log;
        write_value(tdb, &s, read_value(tdb, &s), w->write ? value_of(left < most ? left : most, s.entry) : 0);
    }
}

static void choose(struct emt_tdb *tdb) {
    struct anchors *a = anchors_of(tdb);
    struct emt_tsvc *svc = tdb->svc;
    uint64_t entries[ANCHOR_LOG_MAX + 1] = {0};
    struct emt_root root = {.word = {0}};
    unsigned best = a->log;

    each_run(tdb, count_entries, entries);
    for (unsigned log = ANCHOR_LOG_MIN; log <= ANCHOR_LOG_MAX; log++)
        if (entries[log] < entries[best])
            best = log;
    if (best == a->log)
        return;
    each_run(tdb, sweep_run, &(struct sweep){a->log, false});
    a->log = best;
    svc->arch->driver->tdb_root(tdb, &root);
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++) {
        if (svc->current[cpu] != tdb)
            continue;
        emt_host_work(svc->host, REGISTER_INSTRUCTIONS);
        emt_host_update_root(svc->host, cpu, tdb->asid, &root);
    }
    emt_host_flush(svc->host, &(struct emt_flush){.kind = EMT_FLUSH_ASID, .tdb = tdb});
    each_run(tdb, sweep_run, &(struct sweep){best, true});
}

/* ---- databases and the service ---- */

static int tdb_create(struct emt_tdb *tdb) {
    struct anchors *a = emt_state_alloc(tdb->svc->host, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->log = FIRST_LOG;
    a->next_choice = FIRST_CHOICE;
    tdb->priv = a;
    int err = tree_tdb_create(tdb);
    if (!err)
        return 0;
    emt_state_free(tdb->svc->host, a);
    tdb->priv = NULL;
    return err;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    tree_tdb_destroy(tdb);
    emt_state_free(tdb->svc->host, tdb->priv);
    tdb->priv = NULL;
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    tree_tdb_root(tdb, root);
    root->word[ANCHOR_ROOT_LOG] = anchors_of(tdb)->log;
}

/* The pieces of a page of 2 MiB are pages that anchors may tell of. */
static int huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    int err = tree_huge_split(tdb, va, bytes, g);

    if (!err)
        runs_rescan(tdb, va & -(1ull << EMT_SHIFT_2M), 1ull << EMT_SHIFT_2M);
    return err;
}

static const struct emt_driver_ops anchor_driver = {
    RUNS_DRIVER_OPS(range_protect, huge_split),
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_root = tdb_root,
    .tsvc_switch = tree_tsvc_switch,
};

extern const struct emt_arch emt_anchor;

const struct emt_arch emt_anchor = {
    .name = "anchor",
    .summary =
        "hybrid TLB coalescing (ISCA'17): radix4, every N-th entry tells how many pages are contiguous from it on",
    .driver = &anchor_driver,
    .walker = &anchor_walker,
    .param = {4, RADIX_PA_BITS},
};
