/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Active and inactive lists, as Linux 6.1 has them (mm/vmscan.c, mm/workingset.c), for private memory and for
 * files:
 *
 *     fault ──> [head  inactive  tail] ── not used since: evicted
 *                  ^   |      used once: again to the head, REFERENCED;  twice: to the active list
 *      deactivated |   v
 *               [head  active    tail]    only when the inactive list is short, or pages came back too soon
 *
 * How much of each list is looked at follows from swappiness and from what reclaiming each kind has cost lately. A
 * page that comes back before as many others left as the lists are long ("refault distance") becomes active at
 * once.
 *
 * What is simpler than Linux: one set of lists for all nodes; the share of each list is not evened out again once
 * enough was freed; lists that were spared are deactivated by force from priority 2 on instead of in a second
 * round.
 */
#include "os/reclaim.h"

#define BATCH 32

static void add(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f, enum reclaim_join how) {
    struct lru_list *list = &l->list[reclaim_is_file(f)][(f->flags & FRAME_ACTIVE) != 0];

    f->flags |= FRAME_LISTED;
    l->pages += reclaim_pages(f);
    if (how == JOIN_OLD)
        lru_add_tail(os->reclaim->entry, list, pfn, reclaim_pages(f));
    else
        lru_add(os->reclaim->entry, list, pfn, reclaim_pages(f));
}

static void del(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f) {
    f->flags &= (uint16_t)~FRAME_LISTED;
    l->pages -= reclaim_pages(f);
    lru_del(os->reclaim->entry, &l->list[reclaim_is_file(f)][(f->flags & FRAME_ACTIVE) != 0], pfn,
            reclaim_pages(f));
}

/* ---- what it costs ---- */

static void note_cost(struct lruvec *l, unsigned file, uint64_t pages) {
    l->cost[file] += pages;
    if (l->cost[0] + l->cost[1] > l->pages / 4) {
        l->cost[0] /= 2;
        l->cost[1] /= 2;
    }
}

static void refault(struct os *os, struct lruvec *l, struct frame *f, uint32_t shadow) {
    unsigned file = reclaim_is_file(f);
    uint64_t distance = (l->age - (shadow >> 1)) & 0x7fffffff, size = l->list[1][1].pages;

    os->stats.reclaim.refaults++;
    if (!file)
        size += l->list[1][0].pages;
    if (reclaim_can_swap(os))
        size += l->list[0][1].pages + (file ? l->list[0][0].pages : 0);
    if (distance > size)
        return;
    f->flags |= FRAME_ACTIVE;
    l->age++;
    l->activated[file]++;
    os->stats.reclaim.activated++;
    if (shadow & 1) {
        f->flags |= FRAME_WORKINGSET;
        note_cost(l, file, 1);
    }
}

/* ---- the lists ---- */

static uint64_t tail_of(const struct lru_list *list) {
    return list->last ? list->last - 1ull : FRAME_NONE;
}

/* How many times as long as the inactive list the active one may be: 1 below 1 GiB, 3 at 1 GiB, 10 at 10 GiB. */
static bool inactive_is_low(const struct lruvec *l, unsigned file) {
    uint64_t inactive = l->list[file][0].pages, active = l->list[file][1].pages;
    uint64_t gib = (inactive + active) >> (30 - EMT_PAGE_SHIFT), ratio = 1;

    while (gib && (ratio + 1) * (ratio + 1) <= 10 * gib)
        ratio++;
    return inactive * ratio < active;
}

static void shrink_active(struct os *os, struct lruvec *l, unsigned file, uint64_t n) {
    for (uint64_t pfn, i = 0; i < n && (pfn = tail_of(&l->list[file][1])) != FRAME_NONE; i++) {
        struct frame *f = frames_of(os->frames, pfn);
        bool exec;

        account_cost(os, OS_COST_RECLAIM_SCAN, 1);
        os->stats.reclaim.scanned++;
        del(os, l, pfn, f);
        if (rmap_referenced(os, pfn, f, &exec) && exec && file) {
            os->stats.reclaim.rotated++; /* programs' code gets another round */
        } else {
            f->flags &= (uint16_t)~FRAME_ACTIVE;
            f->flags |= FRAME_WORKINGSET;
        }
        add(os, l, pfn, f, JOIN_YOUNG);
    }
}

/* Was it used? Then it joins the right list again. */
static bool keep(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f) {
    bool exec, before = f->flags & FRAME_REFERENCED;
    unsigned used = rmap_referenced(os, pfn, f, &exec);

    f->flags &= (uint16_t)~FRAME_REFERENCED;
    if (!used)
        return false;
    os->stats.reclaim.rotated++;
    if (before || used > 1 || (exec && reclaim_is_file(f))) {
        f->flags |= FRAME_ACTIVE;
        l->age++;
    } else {
        f->flags |= FRAME_REFERENCED;
    }
    add(os, l, pfn, f, JOIN_YOUNG);
    return true;
}

static uint64_t shrink_inactive(struct os *os, struct lruvec *l, unsigned file, uint64_t n) {
    uint64_t got = 0, written = os->stats.reclaim.swapped_out + os->stats.reclaim.written_back;

    for (uint64_t pfn, i = 0; i < n && (pfn = tail_of(&l->list[file][0])) != FRAME_NONE; i++) {
        struct frame *f = frames_of(os->frames, pfn);

        account_cost(os, OS_COST_RECLAIM_SCAN, 1);
        os->stats.reclaim.scanned++;
        del(os, l, pfn, f);
        if (keep(os, l, pfn, f))
            continue;
        enum evicted done = evict(os, pfn);
        if (done == EVICT_DONE) {
            got++;
        } else if (done == EVICT_FAILED) {
            f = frames_of(os->frames, pfn); /* a split may have moved it */
            f->flags |= FRAME_ACTIVE;       /* not again soon */
            add(os, l, pfn, f, JOIN_YOUNG);
        }
    }
    note_cost(l, file, os->stats.reclaim.swapped_out + os->stats.reclaim.written_back - written);
    return got;
}

/* ---- how much of each ---- */

struct scan {
    uint64_t left[2][2]; /* pages to look at, as lruvec.list */
    bool deactivate[2];
};

/* Linux's get_scan_count(). */
static void plan(struct os *os, const struct lruvec *l, int priority, struct scan *s) {
    uint64_t swappiness = os->cfg.os.reclaim.swappiness, total = l->cost[0] + l->cost[1];
    uint64_t anon_cost = total + l->cost[0], file_cost = total + l->cost[1], weight[2], all;
    bool swap = reclaim_can_swap(os);

    for (unsigned file = 0; file < 2; file++)
        s->deactivate[file] =
            priority <= 2 || l->activated[file] != l->seen_activated[file] || inactive_is_low(l, file);
    total = anon_cost + file_cost;
    weight[0] = swappiness * (total + 1) / (anon_cost + 1);
    weight[1] = (200 - swappiness) * (total + 1) / (file_cost + 1);
    if (priority == 0 && swappiness)
        weight[0] = weight[1] = 1;
    if (!swap || (priority && l->list[1][0].pages >> priority && !s->deactivate[1]))
        weight[0] = 0; /* nowhere to go; or there is file cache enough that nobody uses */
    if (!swap && !weight[1])
        weight[1] = 1;
    all = weight[0] + weight[1];
    for (unsigned file = 0; file < 2; file++)
        for (unsigned active = 0; active < 2; active++)
            s->left[file][active] =
                all ? (l->list[file][active].pages >> priority) * weight[file] / all : l->list[file][active].pages;
    if (!swap)
        s->left[0][0] = s->left[0][1] = 0;
}

static uint64_t shrink(struct os *os, struct lruvec *l, uint64_t want, int priority) {
    struct scan s;
    uint64_t got = 0;

    plan(os, l, priority, &s);
    while (got < want && (s.left[0][0] || s.left[1][0] || s.left[1][1]))
        for (unsigned i = 0; i < 4; i++) {
            unsigned file = i / 2, active = i % 2;
            uint64_t n = min_u64(s.left[file][active], got < want ? min_u64(want - got, BATCH) : 0);

            s.left[file][active] -= n;
            if (n && !active)
                got += shrink_inactive(os, l, file, n);
            else if (n && s.deactivate[file])
                shrink_active(os, l, file, n);
        }
    if (reclaim_can_swap(os) && inactive_is_low(l, 0))
        shrink_active(os, l, 0, BATCH);
    for (unsigned file = 0; file < 2; file++)
        l->seen_activated[file] = l->activated[file];
    return got;
}

const struct reclaim_policy reclaim_lru = {.add = add, .del = del, .shrink = shrink, .refault = refault};
