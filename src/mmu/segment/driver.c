/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of direct segments: radix's tables (mmu/tree), and which stretch of them the registers shall cover.
 *
 *     page comes ──> beside the segment, and fits? ────> the segment grows
 *                ├─> beside the challenger, and fits? ─> it grows; larger than the segment: they change places
 *                └─> else: the new challenger
 *     page changes or goes ──> the larger side of what is left
 *
 * In the paper a program asks for its primary region, and the operating system reserves contiguous memory for all
 * of it beforehand. Here the segment is the largest run of writable pages that the driver has seen grow, whoever
 * made it contiguous: with memory allocated eagerly that is the primary region at once; with demand paging what has
 * been touched of it, without a gap. The page tables stay complete, so the rest of the system needs to know
 * nothing.
 */
#include "mmu/segment/format.h"

#define RUNS_BITS 0ull
#include "mmu/tree/runs.h"

#define REGISTERS             4u
#define REGISTER_INSTRUCTIONS 4u /* estimate: one write of a model-specific register, and what leads there */

extern const struct emt_walker_ops segment_walker; /* walker.c */

struct run {
    uint64_t first, last; /* bytes, inclusive; last < first: none */
    uint64_t offset, rights;
};

struct segment { /* tdb->priv */
    struct run now, challenger;
    struct tree_path path; /* where pages beside them were looked at last */
};

static struct segment *segment_of(const struct emt_tdb *tdb) {
    return tdb->priv;
}

static bool none(const struct run *r) {
    return r->last < r->first;
}

static uint64_t length(const struct run *r) {
    return none(r) ? 0 : r->last - r->first + 1;
}

/* ---- registers ---- */

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    const struct run *r = &segment_of(tdb)->now;

    tree_tdb_root(tdb, root);
    root->word[SEGMENT_BASE] = none(r) ? 0 : r->first;
    root->word[SEGMENT_LIMIT] = none(r) ? 0 : r->last + 1;
    root->word[SEGMENT_OFFSET] = none(r) ? 0 : r->offset;
    root->word[SEGMENT_RIGHTS] = none(r) ? 0 : r->rights;
}

/* The registers of the CPUs that run this address space; those of others get them when they switch to it. */
static void load(const struct emt_tdb *tdb, unsigned registers) {
    const struct emt_tsvc *svc = tdb->svc;
    struct emt_root root = {.word = {0}};

    tdb_root(tdb, &root);
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++) {
        if (svc->current[cpu] != tdb)
            continue;
        emt_host_work(svc->host, registers * REGISTER_INSTRUCTIONS);
        emt_host_update_root(svc->host, cpu, tdb->asid, &root);
    }
}

/* ---- how pages join ---- */

static uint64_t runs_bits(struct emt_tdb *tdb, const struct emt_tobj *o) {
    (void)tdb;
    (void)o;
    return 0;
}

/* Writable data of user mode that is dirty: hardware that uses the segment marks nothing. */
static bool may_join(uint64_t rights) {
    const uint64_t all = RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(D);

    return (rights & all) == all;
}

/* Pages beside a run that came before it. */
static void absorb(struct emt_tdb *tdb, struct run *r) {
    for (unsigned up = 0; up < 2; up++) {
        for (;;) {
            const uint64_t va = up ? r->last + 1 : r->first - 1;
            if (up ? !va : va > r->first) /* the end of the address space */
                break;
            const struct tree_slot s = tree_descend(tdb, &segment_of(tdb)->path, va);
            if (!s.level || runs_rights(s.entry, s.level) != r->rights || runs_offset(&s) != r->offset)
                break;
            if (up)
                r->last = s.va + (s.bytes - 1);
            else
                r->first = s.va;
        }
    }
}

static bool joins(const struct run *r, const struct tree_slot *s, uint64_t offset, uint64_t rights) {
    return !none(r) && r->offset == offset && r->rights == rights &&
           (s->va - 1 == r->last || s->va + s->bytes == r->first);
}

static void grow(struct emt_tdb *tdb, struct run *r, const struct tree_slot *s) {
    if (s->va < r->first)
        r->first = s->va;
    else
        r->last = s->va + (s->bytes - 1);
    absorb(tdb, r);
}

static bool inside(const struct run *r, const struct tree_slot *s) {
    return !none(r) && r->first <= s->va && s->va <= r->last;
}

static void runs_come(struct emt_tdb *tdb, const struct tree_slot *s) {
    struct segment *g = segment_of(tdb);
    const uint64_t offset = runs_offset(s), rights = runs_rights(s->entry, s->level);

    if (!may_join(rights) || inside(&g->now, s) || inside(&g->challenger, s))
        return;
    if (joins(&g->now, s, offset, rights)) {
        grow(tdb, &g->now, s);
        if (inside(&g->now, &(struct tree_slot){.va = g->challenger.first}))
            g->challenger = (struct run){.first = 1};
        load(tdb, 1);
        return;
    }
    if (joins(&g->challenger, s, offset, rights)) {
        grow(tdb, &g->challenger, s);
    } else {
        struct run r = {s->va, s->va + (s->bytes - 1), offset, rights};
        absorb(tdb, &r);
        g->challenger = r;
    }
    if (length(&g->challenger) > length(&g->now)) {
        const struct run old = g->now;
        g->now = g->challenger;
        g->challenger = old;
        load(tdb, REGISTERS);
    }
}

/* ---- how they leave ---- */

/* What is left of a run without [va, last]: the larger side. Returns whether it has changed. */
static bool cut(struct run *r, uint64_t va, uint64_t last) {
    if (none(r) || r->last < va || r->first > last)
        return false;
    const uint64_t front = va > r->first ? va - r->first : 0, behind = r->last > last ? r->last - last : 0;
    if (!front && !behind)
        *r = (struct run){.first = 1};
    else if (front >= behind)
        r->last = va - 1;
    else
        r->first = last + 1;
    return true;
}

static void runs_gone(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct segment *g = segment_of(tdb);

    if (!bytes)
        return;
    cut(&g->challenger, va, va + (bytes - 1));
    if (cut(&g->now, va, va + (bytes - 1)))
        load(tdb, REGISTERS);
}

static void runs_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot) {
    (void)prot; /* one region of one kind of rights: what gets others is no part of it */
    runs_gone(tdb, va, bytes);
}

/* ---- databases ---- */

static int tdb_create(struct emt_tdb *tdb) {
    struct segment *g = emt_state_alloc(tdb->svc->host, sizeof(*g));

    if (!g)
        return -ENOMEM;
    g->now.first = g->challenger.first = 1;
    tdb->priv = g;
    int err = tree_tdb_create(tdb);
    if (!err)
        return 0;
    emt_state_free(tdb->svc->host, g);
    tdb->priv = NULL;
    return err;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    tree_tdb_destroy(tdb);
    emt_state_free(tdb->svc->host, tdb->priv);
    tdb->priv = NULL;
}

static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    emt_host_work(svc->host, REGISTERS * REGISTER_INSTRUCTIONS);
    return tree_tsvc_switch(svc, cpu, tdb);
}

static const struct emt_driver_ops segment_driver = {
    RUNS_DRIVER_OPS(runs_range_protect, tree_huge_split),
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_root = tdb_root,
    .tsvc_switch = tsvc_switch,
};

extern const struct emt_arch emt_segment;

const struct emt_arch emt_segment = {
    .name = "segment",
    .summary = "direct segments (ISCA'13): radix4, and registers that translate the largest contiguous region",
    .driver = &segment_driver,
    .walker = &segment_walker,
    .param = {4, RADIX_PA_BITS},
};
