/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Horizon LRU with ghosts (K. Gosakan et al., "Mosaic Pages", ASPLOS'23, section 3.4, in the order of its Linux
 * prototype), for architectures where a page may live in few frames only. Each page has a stamp: the number of
 * allocations when it was last seen used. The horizon is the highest stamp of any page that was ever evicted though
 * its place was the only one left: a true LRU over all memory would have evicted everything older by now. Those
 * pages are ghosts: they stay, and come to life again when they are used, but their places are as good as free.
 *
 *     candidates   [ first choice: 56 frames ] [8] [8] [8] [8] [8] [8]   runs in the order that placement prefers
 *     1  a free frame of the first choice; else its oldest ghost goes
 *     2  a free frame of the others, in their order (the emptiest first)
 *     3  of the others the one with the fewest live pages, if it has a ghost: its oldest page goes
 *     4  the oldest page of all candidates goes, and the horizon rises to its stamp
 *
 * A daemon keeps a history of accessed bits and from it a mean, as the prototype does; of pages that are mostly
 * used it looks at one of five and takes the others for used. It runs while less than an eighth of memory is free.
 */
#include "os/reclaim.h"

#define HISTORY_HOT 480 /* a page is hot when its mean is above 4.8 of the last eight scans */
#define LOOK_SHARE  5
#define SAMPLE      104 /* candidates of a page in the paper; for what may have any frame */

/* A page that could leave. NULL: a table's, an occupied or a free frame, or the middle of something larger. */
static struct frame *movable(const struct os *os, uint64_t pfn) {
    struct frame *f = frames_of(os->frames, pfn);

    return f && f->flags & FRAME_LISTED ? f : NULL;
}

static uint32_t stamp_of(const struct os *os, uint64_t pfn) {
    return lru_at(os->reclaim->entry, pfn)->use.stamp;
}

static bool is_ghost(const struct os *os, uint64_t pfn) {
    return stamp_of(os, pfn) < os->reclaim->horizon_stamp;
}

static void add(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f, enum reclaim_join how) {
    struct reclaim *r = os->reclaim;

    f->flags |= FRAME_LISTED;
    l->pages += reclaim_pages(f);
    if (how != JOIN_OLD)
        lru_at(r->entry, pfn)->use.stamp = ++r->clock;
    lru_at(r->entry, pfn)->use.freq = 0;
    lru_at(r->entry, pfn)->use.history = 1;
}

static void del(struct os *os, struct lruvec *l, uint64_t pfn, struct frame *f) {
    (void)os;
    (void)pfn;
    f->flags &= (uint16_t)~FRAME_LISTED;
    l->pages -= reclaim_pages(f);
}

static void refault(struct os *os, struct lruvec *l, struct frame *f, uint32_t shadow) {
    (void)shadow;
    os->stats.reclaim.refaults++;
    l->refaulted[reclaim_is_file(f)]++;
}

/* ---- placement ---- */

/* The oldest of a run's pages; FRAME_NONE. *live: how many are no ghosts. */
static uint64_t oldest_in(const struct os *os, uint64_t pfn, uint64_t frames, uint64_t *live) {
    uint64_t oldest = FRAME_NONE;

    *live = 0;
    for (uint64_t end = pfn + frames; pfn < end; pfn++) {
        if (!movable(os, pfn)) {
            ++*live; /* it stays for ever */
            continue;
        }
        *live += !is_ghost(os, pfn);
        if (oldest == FRAME_NONE || stamp_of(os, pfn) < stamp_of(os, oldest))
            oldest = pfn;
    }
    return oldest;
}

static uint64_t take_free(struct os *os, const struct emt_place *place, unsigned run, enum os_use use) {
    if (!frames_free_in(os->frames, place->run[run].pfn, (unsigned)place->run[run].frames))
        return FRAME_NONE;
    return page_alloc_in_run(os, place, run, 0, use);
}

static uint64_t must_go(struct os *os, uint64_t pfn, bool ghost) {
    struct reclaim *r = os->reclaim;

    r->victim = pfn;
    os->stats.reclaim.ghosts_evicted += ghost;
    return FRAME_NONE;
}

uint64_t reclaim_place(struct os *os, const struct emt_place *place, enum os_use use) {
    struct reclaim *r = os->reclaim;
    uint64_t oldest[EMT_PLACE_RUNS], live, fewest = ~0ull, all = FRAME_NONE;
    unsigned yard = 0;

    if (!place->runs)
        return FRAME_NONE;
    uint64_t pfn = take_free(os, place, 0, use);
    if (pfn != FRAME_NONE)
        return pfn;
    oldest[0] = oldest_in(os, place->run[0].pfn, place->run[0].frames, &live);
    if (oldest[0] != FRAME_NONE && is_ghost(os, oldest[0]))
        return must_go(os, oldest[0], true);
    for (unsigned i = 1; i < place->runs && pfn == FRAME_NONE; i++)
        pfn = take_free(os, place, i, use);
    if (pfn != FRAME_NONE)
        return pfn;
    os->stats.reclaim.conflicts++;
    for (unsigned i = 1; i < place->runs; i++) {
        oldest[i] = oldest_in(os, place->run[i].pfn, place->run[i].frames, &live);
        if (live < place->run[i].frames && live < fewest) {
            fewest = live;
            yard = i;
        }
    }
    if (yard)
        return must_go(os, oldest[yard], true);
    for (unsigned i = 0; i < place->runs; i++)
        if (oldest[i] != FRAME_NONE && (all == FRAME_NONE || stamp_of(os, oldest[i]) < stamp_of(os, all)))
            all = oldest[i];
    if (all == FRAME_NONE)
        return FRAME_NONE; /* only what cannot move */
    r->horizon_stamp = stamp_of(os, all) > r->horizon_stamp ? stamp_of(os, all) : r->horizon_stamp;
    return must_go(os, all, false);
}

/* ---- frames for what may lie anywhere, and limits ---- */

/* The oldest of the next pages, going round; looks at all memory at most once. */
static uint64_t next_oldest(struct os *os, const struct lruvec *l) {
    struct reclaim *r = os->reclaim;
    uint64_t oldest = FRAME_NONE;

    for (uint64_t i = 0, found = 0; i < r->frames && found < SAMPLE; i++) {
        uint64_t pfn = r->hand;
        struct frame *f = movable(os, pfn);

        r->hand = r->hand + 1 == r->frames ? 0 : r->hand + 1;
        if (!f || reclaim_vec(os, f) != l)
            continue;
        found++;
        account_cost(os, OS_COST_SCAN_PAGE, 1);
        os->stats.reclaim.scanned++;
        if (oldest == FRAME_NONE || stamp_of(os, pfn) < stamp_of(os, oldest))
            oldest = pfn;
    }
    return oldest;
}

static uint64_t shrink(struct os *os, struct lruvec *l, uint64_t want, int priority) {
    struct reclaim *r = os->reclaim;
    uint64_t got = 0;

    (void)priority; /* any page will do: there is no second look */
    for (uint64_t tries = 0; got < want && tries < want + 8; tries++) {
        uint64_t pfn = next_oldest(os, l);

        if (pfn == FRAME_NONE)
            break;
        uint32_t stamp = stamp_of(os, pfn);
        if (evict_listed(os, pfn) != EVICT_DONE)
            continue;
        got++;
        r->horizon_stamp = stamp > r->horizon_stamp ? stamp : r->horizon_stamp;
    }
    return got;
}

/* ---- the daemon ---- */

/* splitmix64 (S. Vigna) */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void look_at(struct os *os, uint64_t pfn, struct frame *f) {
    struct reclaim *r = os->reclaim;
    union lru_entry *e = lru_at(r->entry, pfn);
    bool hot = e->use.freq >= 0, used = true, exec;

    if (!hot || next_random(&r->random) % LOOK_SHARE == 0) {
        account_cost(os, OS_COST_SCAN_PAGE, 1);
        os->stats.reclaim.scanned++;
        used = rmap_referenced(os, pfn, f, &exec) > 0;
    }
    e->use.history = (uint8_t)(e->use.history << 1 | used);
    e->use.freq =
        (int16_t)((70 * e->use.freq + 30 * (100 * __builtin_popcount(e->use.history) - HISTORY_HOT)) / 100);
    if (used)
        e->use.stamp = r->clock;
}

void reclaim_horizon_tick(struct os *os, uint64_t instructions) {
    struct reclaim *r = os->reclaim;
    uint64_t period = os->cfg.os.reclaim.scan_every_instructions;

    if (!period || instructions < r->next_scan)
        return;
    r->next_scan = instructions - instructions % period + period;
    if (frames_free_total(os->frames) > r->frames / 8)
        return;
    account_begin(os, OS_KSWAPD);
    os->stats.reclaim.kswapd++;
    for (uint64_t pfn = 0; pfn < r->frames; pfn++) {
        struct frame *f = movable(os, pfn);
        if (f)
            look_at(os, pfn, f);
    }
    account_end(os);
}

const struct reclaim_policy reclaim_horizon = {.add = add, .del = del, .shrink = shrink, .refault = refault};
