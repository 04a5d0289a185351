/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * When memory is short, and how much must go (Linux's mm/page_alloc.c and mm/vmscan.c):
 *
 *     free memory
 *        high  ── kswapd stops
 *        low   ── kswapd begins; its writes are queued, and nobody waits unless the queue is full
 *        min   ── whoever wants memory reclaims 32 pages first, and waits
 *        0        tables alone may come down here
 *
 * A limit for some processes has lists of its own and no kswapd. When a whole round over everything frees nothing,
 * the process with the most memory is killed.
 *
 * With Horizon LRU there are no watermarks: a page goes when its frame is needed by another that may live nowhere
 * else.
 */
#include "os/reclaim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PRIORITY 12 /* Linux's DEF_PRIORITY: a 4096th of memory is looked at first */
#define BATCH    32 /* SWAP_CLUSTER_MAX */
#define ROUNDS   16 /* MAX_RECLAIM_RETRIES: over all of memory, before somebody is killed */
#define FAILURES 16 /* the same: kswapd gives up until somebody else has freed something */

/* ---- life ---- */

static uint64_t root(uint64_t v) {
    uint64_t r = 0;

    for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
        if ((r | bit) * (r | bit) <= v)
            r |= bit;
    return r;
}

/* Linux 6.1: min_free_kbytes is 4 sqrt(KiB), between 128 KiB and 256 MiB. */
static void set_watermarks(struct os *os, struct reclaim *r) {
    uint64_t frames = frames_total(os->frames), kib = root(frames * 4 * 16), gap;

    kib = max_u64(128, min_u64(kib, 262144));
    r->min = os->cfg.os.reclaim.min_free_bytes ? os->cfg.os.reclaim.min_free_bytes >> EMT_PAGE_SHIFT : kib / 4;
    r->min = min_u64(r->min, frames / 4);
    gap = max_u64(r->min / 4, frames * os->cfg.os.reclaim.watermark_scale / 10000);
    r->low = r->min + gap;
    r->high = r->low + gap;
    if (r->horizon)
        r->min = r->low = r->high = 0;
    r->calm = r->limit_pages == ~0ull ? r->low : ~0ull / 2;
}

static int choose_policy(struct os *os, struct reclaim *r) {
    enum cfg_reclaim policy = os->cfg.os.reclaim.policy;

    if (policy == CFG_RECLAIM_AUTO)
        policy = os->caps.places ? CFG_RECLAIM_HORIZON : CFG_RECLAIM_LRU;
    r->policy = policy == CFG_RECLAIM_LRU       ? &reclaim_lru
                : policy == CFG_RECLAIM_HORIZON ? &reclaim_horizon
                                                : &reclaim_gens;
    r->horizon = policy == CFG_RECLAIM_HORIZON;
    if (!r->horizon || os->caps.places)
        return 0;
    fprintf(stderr,
            "emt: os.reclaim.policy is horizon, but %s does not restrict where a page may live; lru or "
            "generations will do\n",
            os->svc->arch->name);
    return -EINVAL;
}

int reclaim_new(struct os *os) {
    uint64_t frames = frames_total(os->frames);

    if (os->cfg.os.reclaim.policy == CFG_RECLAIM_NONE)
        return 0;
    if (frames > LRU_MAX_FRAMES) {
        if (os->cfg.os.swap.bytes || os->cfg.os.limit_bytes)
            fprintf(stderr, "emt: note: no reclaim, swap and limit: memory.bytes is more than 16 TiB\n");
        return 0;
    }
    struct reclaim *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    os->reclaim = r;
    int err = choose_policy(os, r);
    if (!err)
        err = swap_init(&r->swap, os->cfg.os.swap.bytes, frames);
    if (err)
        return err;
    void *entry = mmap(NULL, (lru_heads(frames) + frames) * sizeof(*r->entry), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (entry == MAP_FAILED)
        return -ENOMEM;
    r->entry = (union lru_entry *)entry + lru_heads(frames);
    r->frames = frames;
    r->hardware_dirty = os->caps.accessed_dirty;
    r->limit_pages = os->cfg.os.limit_bytes ? os->cfg.os.limit_bytes >> EMT_PAGE_SHIFT : ~0ull;
    r->victim = FRAME_NONE;
    r->random = os->cfg.seed;
    r->last_slot = ~0ull - 1;
    r->swap_immediate = device_presets[os->cfg.os.swap.timing.device].immediate;
    device_init(&r->swap_device, &os->cfg.os.swap.timing, os->cfg.core.frequency_mhz, os->cfg.seed,
                &os->stats.reclaim.swap);
    device_init(&r->file_device, &os->cfg.os.file.timing, os->cfg.core.frequency_mhz, os->cfg.seed + 1,
                &os->stats.reclaim.file);
    for (unsigned i = 0; i < 2; i++)
        r->vec[i].max_seq = 3; /* MGLRU begins with min_seq 0 and MIN_NR_GENS + 1 generations above */
    set_watermarks(os, r);
    return 0;
}

void reclaim_free(struct os *os) {
    struct reclaim *r = os->reclaim;

    if (!r)
        return;
    swap_fini(&r->swap);
    if (r->entry)
        munmap(r->entry - lru_heads(r->frames), (lru_heads(r->frames) + r->frames) * sizeof(*r->entry));
    free(r->map);
    free(r->disk);
    free(r);
    os->reclaim = NULL;
}

void os_set_clock(struct os *os, uint64_t (*now)(void *ctx), void *ctx) {
    if (os->reclaim) {
        os->reclaim->now = now;
        os->reclaim->now_ctx = ctx;
    }
}

void os_fail_io(struct os *os, uint64_t nth, uint64_t every) {
    if (os->reclaim) {
        os->reclaim->fail_at = nth;
        os->reclaim->fail_every = every;
    }
}

uint64_t os_alive(const struct os *os) {
    uint64_t n = 0;

    for (uint64_t i = 0; i < os->nprocess; i++)
        n += !os->process[i]->killed;
    return n;
}

/* ---- frames come and go ---- */

void reclaim_added(struct os *os, uint64_t pfn, bool limited) {
    struct frame *f = frames_of(os->frames, pfn);

    f->flags = (uint16_t)((f->use != OS_USE_FILE ? FRAME_SWAPBACKED : 0) | (limited ? FRAME_LIMITED : 0));
    os->reclaim->policy->add(os, reclaim_vec(os, f), pfn, f, JOIN_YOUNG);
}

void reclaim_forget(struct os *os, uint64_t pfn, struct frame *f) {
    struct reclaim *r = os->reclaim;

    if (f->flags & FRAME_LISTED)
        r->policy->del(os, reclaim_vec(os, f), pfn, f);
    if (f->flags & FRAME_CACHED) {
        f->flags &= (uint16_t)~FRAME_CACHED;
        swap_uncache(&r->swap, pfn);
        os->stats.reclaim.swap_used_bytes = r->swap.used * PAGE;
    }
    r->kswapd_failures = 0;
}

void reclaim_lazyfree(struct os *os, const struct emt_tobj *old) {
    uint64_t pfn = tobj(os, old, EMT_ATTR_PFN), n = old->bytes >> EMT_PAGE_SHIFT, step;

    for (uint64_t i = 0; i < n; i += step) {
        struct frame *f = frames_of(os->frames, pfn + i);

        step = f ? 1ull << f->order : n;
        if (!f || page_is_zero(os, pfn + i))
            continue;
        if (f->flags & FRAME_CACHED && !os->reclaim->swap.count[os->reclaim->swap.slot[pfn + i]]) {
            f->flags &= (uint16_t)~FRAME_CACHED; /* what is in the slot may be older: it must not come back */
            swap_uncache(&os->reclaim->swap, pfn + i);
        }
        bool alone = f->maps == 1 && !(f->flags & FRAME_CACHED) && f->use != OS_USE_FILE;
        f->flags = (uint16_t)(alone ? (f->flags & ~FRAME_DIRTY) | FRAME_LAZYFREE : f->flags | FRAME_DIRTY);
    }
}

void reclaim_never(struct os *os, uint64_t pfn) {
    if (os->reclaim)
        reclaim_forget(os, pfn, frames_of(os->frames, pfn));
}

void reclaim_filled(struct os *os, uint64_t pfn, const struct os_file *file, uint64_t known) {
    const struct reclaim_policy *policy = os->reclaim->policy;
    struct frame *f = frames_of(os->frames, pfn);
    struct lruvec *l = reclaim_vec(os, f);

    if (file->id && known == FILE_NONE)
        return;
    if (known == FILE_HOLE)
        f->flags |= FRAME_HOLE;
    policy->del(os, l, pfn, f);
    if (!file->id)
        f->flags |= FRAME_SWAPBACKED;
    else if (file_is_evicted(known))
        policy->refault(os, l, f, (uint32_t)known);
    policy->add(os, l, pfn, f, JOIN_YOUNG);
}

bool reclaim_must_read(const struct os *os, uint64_t known) {
    return file_is_evicted(known) || (os->cfg.os.file.cold && known == FILE_NONE);
}

void reclaim_exchange(struct os *os, uint64_t a, uint64_t b, bool before) {
    for (unsigned i = 0; i < 2; i++) {
        struct frame *f = frames_of(os->frames, i ? b : a);

        if (before)
            reclaim_forget(os, i ? b : a, f); /* nobody has their slots but they: not needed any more */
        else
            os->reclaim->policy->add(os, reclaim_vec(os, f), i ? b : a, f, JOIN_YOUNG);
    }
}

void reclaim_split_begin(struct os *os, uint64_t pfn) {
    struct frame *f = frames_of(os->frames, pfn);

    os->reclaim->whole_old = !(f->flags & FRAME_LISTED);
    if (f->flags & FRAME_LISTED)
        os->reclaim->policy->del(os, reclaim_vec(os, f), pfn, f);
}

void reclaim_split_end(struct os *os, uint64_t pfn, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        struct frame *f = frames_of(os->frames, pfn + i);

        os->reclaim->policy->add(os, reclaim_vec(os, f), pfn + i, f,
                                 os->reclaim->whole_old ? JOIN_OLD : JOIN_YOUNG);
    }
}

/* ---- who is killed ---- */

/* Pages that a process has in memory and in swap. */
static uint64_t pages_of(struct os_process *p) {
    struct os_peek peek;
    struct emt_cursor c;
    uint64_t pages = 0;

    os_peek_begin(p->os, &peek);
    if (emt_cursor_open(&c, &p->tdb, 0, p->os->user_top, NULL) == 0) {
        while (emt_cursor_next(&c))
            pages += c.obj.bytes >> EMT_PAGE_SHIFT;
        emt_cursor_close(&c);
    }
    os_peek_end(p->os, &peek);
    return pages;
}

/* false: nobody has anything to give. */
static bool kill_largest(struct os *os, bool limited) {
    struct os_process *victim = NULL;
    uint64_t most = 0;

    for (uint64_t i = 0; i < os->nprocess; i++) {
        struct os_process *p = os->process[i];
        uint64_t pages = p->killed || (limited && !p->limited) ? 0 : pages_of(p);

        if (pages > most) {
            most = pages;
            victim = p;
        }
    }
    if (!victim)
        return false;
    victim->killed = true;
    os->stats.reclaim.oom_kills++;
    os->stats.reclaim.oom_last = victim->id;
    account_cost(os, OS_COST_SIGNAL, 1);
    os_drop_space(victim);
    return true;
}

/* ---- reclaiming ---- */

static uint64_t free_frames(const struct os *os) {
    return frames_free_total(os->frames);
}

static uint64_t shrink_all(struct os *os, uint64_t want, int priority) {
    struct reclaim *r = os->reclaim;
    uint64_t got = 0;

    for (unsigned i = 0; i < 2 && got < want; i++)
        if (r->vec[i].pages)
            got += r->policy->shrink(os, &r->vec[i], want - got, priority);
    return got;
}

static void kswapd(struct os *os) {
    struct reclaim *r = os->reclaim;
    struct account saved;
    uint64_t total = 0;

    account_save(os, &saved);
    account_begin(os, OS_KSWAPD);
    account_cost(os, OS_COST_KSWAPD, 1);
    os->stats.reclaim.kswapd++;
    for (int priority = PRIORITY; priority >= 1 && free_frames(os) < r->high;) {
        uint64_t want = max_u64(r->high - free_frames(os), BATCH), got = shrink_all(os, want, priority);

        total += got;
        if (got < want)
            priority--;
    }
    r->kswapd_failures = total ? 0 : r->kswapd_failures + 1;
    account_end(os);
    account_restore(os, &saved);
}

/* Returns how many pages were freed: at least one when that is possible at all. `l`: of these lists; NULL: all. */
static uint64_t direct(struct os *os, struct lruvec *l, uint64_t want) {
    struct reclaim *r = os->reclaim;
    struct account saved;
    uint64_t got = 0;

    account_save(os, &saved);
    account_begin(os, OS_RECLAIM);
    os->stats.reclaim.direct++;
    for (unsigned round = 0; round < ROUNDS && got == 0; round++) {
        uint64_t before = os->stats.reclaim.scanned;

        for (int priority = PRIORITY; priority >= 0 && got < want; priority--)
            got += l ? r->policy->shrink(os, l, want - got, priority) : shrink_all(os, want - got, priority);
        if (os->stats.reclaim.scanned == before)
            break; /* there is nothing on the lists */
    }
    account_end(os);
    account_restore(os, &saved);
    return got;
}

/* No memory at all. 0: somebody was killed, but not p. */
static int out_of_memory(struct os_process *p, bool limited) {
    struct os *os = p->os;
    struct account saved;

    account_save(os, &saved);
    account_begin(os, OS_RECLAIM);
    bool killed = kill_largest(os, limited);
    account_end(os);
    account_restore(os, &saved);
    return p->killed ? -ESRCH : killed ? 0 : -ENOMEM;
}

static int stay_below_limit(struct os_process *p, uint64_t pages) {
    struct reclaim *r = p->os->reclaim;
    struct lruvec *l = &r->vec[1];

    pages = min_u64(pages, r->limit_pages);
    if (l->pages + pages <= r->limit_pages)
        return 0;
    p->os->stats.reclaim.limit_hits++;
    while (l->pages + pages > r->limit_pages) {
        uint64_t over = l->pages + pages - r->limit_pages, before = l->pages;

        if (direct(p->os, l, max_u64(over, BATCH)) == 0 && l->pages >= before) {
            int err = out_of_memory(p, true);
            if (err)
                return err == -ENOMEM ? 0 : err; /* nothing of it belongs to anybody: let it be */
        }
    }
    return 0;
}

int reclaim_before_slow(struct os_process *p, uint64_t pages) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;

    if (p->killed)
        return -ESRCH;
    if (p->limited && r->limit_pages != ~0ull) {
        int err = stay_below_limit(p, pages);
        if (err)
            return err;
    }
    if (free_frames(os) >= r->low + pages || r->horizon)
        return 0;
    if (r->kswapd_failures < FAILURES)
        kswapd(os);
    while (free_frames(os) < r->min + pages)
        if (direct(os, NULL, BATCH) == 0) {
            int err = out_of_memory(p, false);
            if (err)
                return err == -ENOMEM ? 0 : err; /* what is left below the watermark must do */
        }
    return 0;
}

bool reclaim_allows_slow(const struct os_process *p, uint64_t pages) {
    const struct reclaim *r = p->os->reclaim;

    if (p->limited && r->limit_pages != ~0ull && r->vec[1].pages + pages > r->limit_pages)
        return false;
    return free_frames(p->os) >= r->min + pages;
}

/* The frame that must leave, by Horizon LRU's choice. */
static int evict_victim(struct os *os, unsigned *tries) {
    struct reclaim *r = os->reclaim;
    struct account saved;
    uint64_t pfn = r->victim;

    r->victim = FRAME_NONE;
    account_save(os, &saved);
    account_begin(os, OS_RECLAIM);
    os->stats.reclaim.direct++;
    enum evicted done = evict_listed(os, pfn); /* what cannot go counts as used now, and another is chosen */
    account_end(os);
    account_restore(os, &saved);
    return done == EVICT_DONE || ++*tries < 1000 ? 0 : -ENOMEM;
}

int reclaim_again(struct os_process *p, unsigned *tries) {
    struct os *os = p->os;
    struct reclaim *r = os->reclaim;

    if (!r)
        return -ENOMEM;
    if (p->killed)
        return -ESRCH;
    if (r->victim != FRAME_NONE && evict_victim(os, tries) == 0)
        return 0;
    bool conflict = r->conflict;
    r->conflict = false;
    r->victim = FRAME_NONE;
    if (conflict) /* one page after another, the oldest first, until one of the candidates is free */
        return direct(os, NULL, 1) ? 0 : out_of_memory(p, false);
    /* With memory left it is not for want of it: a table in one piece, or a test's hook. */
    if (++*tries > (free_frames(os) > r->low ? 1 : 16))
        return -ENOMEM;
    return direct(os, NULL, BATCH) || free_frames(os) > r->low ? 0 : out_of_memory(p, false);
}

bool reclaim_more(struct os_process *p, unsigned *tries) {
    const struct reclaim *r = p->os->reclaim;

    if (!r || p->killed || free_frames(p->os) >= max_u64(r->low, BATCH) || ++*tries > 4)
        return false;
    return direct(p->os, NULL, BATCH) > 0;
}

void reclaim_tick(struct os *os, uint64_t instructions) {
    if (os->reclaim && os->reclaim->horizon)
        reclaim_horizon_tick(os, instructions);
}
