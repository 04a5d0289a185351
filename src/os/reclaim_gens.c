/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Generations: Linux 6.1's multi-generation LRU. Pages are in two to four generations, private memory and files
 * apart; a fault puts a page into the youngest.
 *
 *     aging     scans the tables of all processes: what was used since last time joins the youngest generation, and
 *               then a younger one begins
 *     eviction  takes from the oldest generation of the kind that refaults less; a page that turns out to be used
 * is promoted, and so are those of the 64 pages around it that were used as well
 *
 * Aging is due when no more than two generations are left, or when they have become too unequal (should_age).
 *
 * What is simpler than Linux: no tiers (they concern files read through descriptors, which we do not see), no Bloom
 * filter before scanning tables again, no working-set protection by time.
 */
#include "os/reclaim.h"

#define MIN_GENS    2
#define BATCH       64
#define LOOK_AROUND 64 /* BITS_PER_LONG pages */

static unsigned gen_of(const struct frame *f) {
    return f->flags >> FRAME_GEN_SHIFT & (GENS - 1);
}

static void set_gen(struct frame *f, uint64_t seq) {
    f->flags = (uint16_t)((f->flags & ~((GENS - 1) << FRAME_GEN_SHIFT)) | (seq % GENS) << FRAME_GEN_SHIFT);
}

static void join(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f, uint64_t seq, bool tail) {
    struct lru_list *list = &l->gen[seq % GENS][reclaim_is_file(f)];

    set_gen(f, seq);
    f->flags |= FRAME_LISTED;
    l->pages += reclaim_pages(f);
    if (tail)
        lru_add_tail(os->reclaim->entry, list, pfn, reclaim_pages(f));
    else
        lru_add(os->reclaim->entry, list, pfn, reclaim_pages(f));
}

static void add(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f, enum reclaim_join how) {
    unsigned file = reclaim_is_file(f);

    join(os, l, pfn, f, how == JOIN_YOUNG ? l->max_seq : l->min_seq[file], how == JOIN_OLD);
}

static void del(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f) {
    f->flags &= (uint16_t)~FRAME_LISTED;
    l->pages -= reclaim_pages(f);
    lru_del(os->reclaim->entry, &l->gen[gen_of(f)][reclaim_is_file(f)], pfn, reclaim_pages(f));
}

static void refault(struct os *os, struct lruvec *l, struct frame *f, uint32_t shadow) {
    (void)shadow; /* it was evicted: it joins the youngest generation whenever that was */
    os->stats.reclaim.refaults++;
    l->refaulted[reclaim_is_file(f)]++;
}

/* ---- aging ---- */

/* Frames behind an object that was used are in the youngest generation from now on. */
static void promote(void *ctx, const struct emt_tobj *o, unsigned ad) {
    struct os *os = ctx;
    uint64_t pfn = tobj(os, o, EMT_ATTR_PFN), n = o->bytes >> EMT_PAGE_SHIFT, step;

    (void)ad;
    account_cost(os, OS_COST_SCAN_PAGE, 1);
    for (uint64_t i = 0; i < n; i += step) {
        struct frame *f = frames_of(os->frames, pfn + i);

        step = f ? 1ull << f->order : n;
        if (!f || !(f->flags & FRAME_LISTED))
            continue;
        struct lruvec *l = reclaim_vec(os, f);
        if (gen_of(f) == l->max_seq % GENS)
            continue;
        del(os, l, pfn + i, f);
        join(os, l, pfn + i, f, l->max_seq, false);
        os->stats.reclaim.rotated++;
    }
}

/* Only accessed bits are cleared, and as Linux on x86 does not flush for that, we do not. */
static void age_range(struct os_process *p, uint64_t start, uint64_t end) {
    struct emt_gather g;

    emt_gather_init(&g);
    emt_range_age(&p->tdb, start, end - start, EMT_AGE_ACCESSED, promote, p->os, &g);
}

static bool usable(const struct os *os, unsigned file) {
    return file || (reclaim_can_swap(os) && os->cfg.os.reclaim.swappiness);
}

/* The oldest generation's pages join the end of the next: there must be room for a new one. */
static void merge_oldest(struct os *os, struct lruvec *l, unsigned file) {
    struct lru_list *old = &l->gen[l->min_seq[file] % GENS][file];

    while (old->last) {
        uint64_t pfn = old->last - 1ull;
        struct frame *f = frames_of(os->frames, pfn);
        del(os, l, pfn, f);
        join(os, l, pfn, f, l->min_seq[file] + 1, true);
    }
    l->min_seq[file]++;
}

/* Oldest generations that have become empty are none any more. */
static void drop_empty(struct lruvec *l, unsigned file) {
    while (l->min_seq[file] + MIN_GENS <= l->max_seq && !l->gen[l->min_seq[file] % GENS][file].pages) {
        l->mean_refaulted[file] = (l->mean_refaulted[file] + l->refaulted[file]) / 2;
        l->mean_total[file] = (l->mean_total[file] + l->evicted[file]) / 2;
        l->refaulted[file] = l->evicted[file] = 0;
        l->min_seq[file]++;
    }
}

static void age(struct os *os, struct lruvec *l) {
    for (uint64_t i = 0; i < os->nprocess; i++)
        for (struct vma *v = os->process[i]->vmas.first; v; v = v->next)
            age_range(os->process[i], v->start, v->end);
    for (unsigned file = 0; file < 2; file++)
        if (l->max_seq - l->min_seq[file] + 1 == GENS)
            merge_oldest(os, l, file);
    l->max_seq++;
}

/* Linux's should_run_aging(). */
static bool should_age(const struct os *os, const struct lruvec *l) {
    uint64_t young = 0, old = 0, total = 0;

    for (unsigned file = !usable(os, 0); file < 2; file++)
        for (uint64_t seq = l->min_seq[file]; seq <= l->max_seq; seq++) {
            uint64_t pages = l->gen[seq % GENS][file].pages;

            total += pages;
            young += seq == l->max_seq ? pages : 0;
            old += seq + MIN_GENS == l->max_seq ? pages : 0;
        }
    uint64_t min = l->min_seq[!usable(os, 0)];
    if (min + MIN_GENS > l->max_seq)
        return true;
    if (min + MIN_GENS < l->max_seq)
        return false;
    return young * MIN_GENS > total || old * (MIN_GENS + 2) < total;
}

/* ---- eviction ---- */

/* The kind whose pages come back less often for what was evicted (Linux's get_type_to_scan, its one tier). */
static unsigned choose_kind(const struct os *os, const struct lruvec *l) {
    uint64_t swappiness = os->cfg.os.reclaim.swappiness, refaulted[2], total[2];

    if (!usable(os, 0))
        return 1;
    if (l->min_seq[0] < l->min_seq[1])
        return 0;
    for (unsigned file = 0; file < 2; file++) {
        refaulted[file] = l->mean_refaulted[file] + l->refaulted[file];
        total[file] = l->mean_total[file] + l->evicted[file];
    }
    return refaulted[1] < BATCH ||
           refaulted[1] * (total[0] + BATCH) * swappiness <= (refaulted[0] + 1) * total[1] * (200 - swappiness);
}

static void look_around(struct os *os) {
    const struct rmap m = os->reclaim->map[0];
    uint64_t start = round_down(m.va, LOOK_AROUND * PAGE), end = start + LOOK_AROUND * PAGE;

    start = max_u64(start, m.v->start);
    end = min_u64(end, m.v->end);
    if (start < end)
        age_range(m.p, start, end);
}

static uint64_t evict_some(struct os *os, struct lruvec *l, unsigned file, uint64_t want, uint64_t *budget) {
    struct lru_list *old = &l->gen[l->min_seq[file] % GENS][file];
    uint64_t got = 0;

    for (unsigned i = 0; i < BATCH && *budget && got < want && old->last; i++, --*budget) {
        uint64_t pfn = old->last - 1ull;
        struct frame *f = frames_of(os->frames, pfn);
        bool exec;

        account_cost(os, OS_COST_RECLAIM_SCAN, 1);
        os->stats.reclaim.scanned++;
        del(os, l, pfn, f);
        if (rmap_referenced(os, pfn, f, &exec)) {
            os->stats.reclaim.rotated++;
            join(os, l, pfn, f, l->max_seq, false);
            if (os->reclaim->nmap == 1 && os->reclaim->map[0].bytes == PAGE)
                look_around(os);
            continue;
        }
        enum evicted done = evict(os, pfn);
        if (done == EVICT_DONE)
            got++;
        else if (done == EVICT_FAILED)
            join(os, l, pfn, frames_of(os->frames, pfn), l->max_seq, false); /* a split may have moved its record */
    }
    return got;
}

static uint64_t shrink(struct os *os, struct lruvec *l, uint64_t want, int priority) {
    uint64_t budget = max_u64(l->pages >> priority, BATCH), got = 0;
    unsigned aged = 0;

    while (got < want && budget) {
        if (should_age(os, l)) {
            if (aged++ == GENS)
                break; /* everything is used all the time, or nothing is left */
            age(os, l);
        }
        for (unsigned file = 0; file < 2; file++)
            drop_empty(l, file);
        unsigned kind = choose_kind(os, l);
        if (!l->gen[l->min_seq[kind] % GENS][kind].pages)
            kind = !kind;
        if (!usable(os, kind) || !l->gen[l->min_seq[kind] % GENS][kind].pages) {
            if (aged++ == GENS)
                break;
            age(os, l);
            continue;
        }
        got += evict_some(os, l, kind, want - got, &budget);
    }
    return got;
}

const struct reclaim_policy reclaim_gens = {.add = add, .del = del, .shrink = shrink, .refault = refault};
