/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walkers in other threads while the driver changes tables. One address space, seen by every walker's CPU:
 *
 *     region   0 1          2 .. 7                      far away
 *              stable       changing                    churn
 *              always mapped: its pages are mapped,     thousands of pages come and go, so that
 *              split and    replaced, protected, moved  tables grow, shrink and are freed
 *              collapsed    and removed one by one
 *
 * What a walker may find:
 *   - a stable page: its frame, always. A fault is forgiven only while the architecture-neutral default splits or
 *     collapses just that region: it removes and inserts, and so does that of protect.
 *   - a changing page: each mapping has a frame of its own, a version. A version found must have been valid at some
 *     moment of the walk, at this address, with a permission that it had then. A fault is forgiven only if the page
 *     was void at some moment of the walk.
 *   - D, once a walker has set it, must come out when the mapping is removed.
 *
 * Time is a counter that the changing thread advances at each event. A walker's CPU is locked during a walk:
 * loading its root waits for that, as an inter-processor interrupt would, and so does reusing a freed table frame.
 *
 * Nobody runs away: a change allows each walker some walks, and the changing thread waits when walkers are behind.
 * A third walker is no thread: every few hundred accesses of a driver to its tables the changing thread stops right
 * there and walks itself, as another CPU would between two stores, half of the time at the place that is changing.
 * So walks fall between any two stores of a driver, on one busy CPU, too. What they cannot do is to begin before a
 * store and end behind it: that is for the threads, which a driver's work is stopped for now and then as well.
 */
#include "check/threads.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define THREADS      2
#define WALKERS      3 /* the last one is the changing thread */
#define STABLE       2
#define CHANGING     6
#define REGIONS      (STABLE + CHANGING)
#define REGION_BYTES (1ull << EMT_SHIFT_2M)
#define REGION_PAGES (REGION_BYTES >> EMT_PAGE_SHIFT)
#define PAGES        24 /* that change, in each region: half at its beginning, half at its end */
#define VERSIONS     65536
#define NEVER        (~0ull)

#define WALKS_PER_CHANGE 8    /* of each walker */
#define WALKS_BEHIND     4096 /* so far may walkers be behind */
#define WALKS_PER_PAUSE  4
#define PAUSE_EVERY      65536 /* table accesses, on average */
#define LOOK_EVERY       256   /* table accesses, on average: the changing thread walks */

/* Frames: the stable regions', then one for each version. */
#define STABLE_PFN(region) (WORLD_PAGES_PFN + (region)*REGION_PAGES)
#define VERSION_PFN        (WORLD_PAGES_PFN + STABLE * REGION_PAGES)

#define LOAD(x)     __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)

/* A page, or a stable region, that may be void. `changes` counts up whenever it becomes so or ceases to be. */
struct place {
    uint32_t changes, is_void;
};

struct version {
    uint64_t page;   /* which page has or had it; a move changes it: then `before` is the one it left */
    uint64_t before; /* page it came from, until `left` */
    uint64_t left;
    uint64_t earlier; /* when the move before that one ended */
    uint64_t born, died;
    uint64_t rights; /* now | before << 1 | time of the change << 2; NEVER >> 2: changing now */
    uint32_t stored; /* a walker has set D */
};

struct walker {
    struct race *race;
    uint64_t random, walks, allowed; /* walks: made; it waits before it makes more than `allowed` */
    uint32_t lock;                   /* held during a walk, and by who loads the root */
    uint32_t wanted;                 /* somebody waits for the lock: no further walk, spin locks are not fair */
    struct emt_root root;
    pthread_t thread;
};

struct race {
    struct world w;
    struct walker walker[WALKERS];
    struct place stable[STABLE], page[CHANGING * PAGES];
    uint64_t mapped[CHANGING * PAGES]; /* the version that is there, + 1; 0: none. The changing thread's own. */
    struct version version[VERSIONS];
    uint64_t next_version;
    uint64_t time;
    uint64_t random;
    uint64_t changing; /* a page that is, or was last */
    uint64_t until_pause, until_look, pause_random;
    bool huge, dirty; /* has 2 MiB pages; hardware sets D */
    bool running;     /* there are walkers */
    uint32_t stop, finding_lock;
};

static uint64_t region_va(unsigned region) {
    return (1ull << EMT_SHIFT_1G) - STABLE * REGION_BYTES + region * REGION_BYTES;
}

static uint64_t page_va(uint64_t page) {
    const uint64_t n = page % PAGES;

    return region_va(STABLE + (unsigned)(page / PAGES)) +
           (n < PAGES / 2 ? n : REGION_PAGES - PAGES + n) * EMT_PAGE_BYTES;
}

static uint64_t tick(struct race *r) {
    return __atomic_add_fetch(&r->time, 1, __ATOMIC_SEQ_CST);
}

static bool fail(struct race *r, const char *kind, const char *text) {
    emt_lock(&r->finding_lock);
    world_fail(&r->w, kind, "%s", text);
    STORE(r->stop, 1);
    emt_unlock(&r->finding_lock);
    return false;
}

/* ---- pace ---- */

/* Wait for another thread, for the n-th time: soon without using the CPU that it may need. */
static void rest(unsigned n) {
    if (n >= 100 && n < 104)
        sched_yield();
    else if (n >= 104)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static void allow(struct race *r, uint64_t walks) {
    for (unsigned i = 0; i < THREADS; i++)
        STORE(r->walker[i].allowed, r->walker[i].allowed + walks);
}

/* Until each walker has at most `behind` of its walks to make. */
static void wait_for_walks(struct race *r, uint64_t behind) {
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned n = 0; LOAD(r->walker[i].walks) + behind < r->walker[i].allowed && !LOAD(r->stop); n++)
            rest(n);
}

/* ---- a walker ---- */

struct port {
    struct emt_port ops; /* first: the walker's pointer is ours */
    struct race *race;
};

static int port_fetch(struct emt_port *port, struct emt_fetch *f, unsigned n) {
    struct emt_host *host = &((struct port *)port)->race->w.host;

    for (unsigned i = 0; i < n; i++) {
        if (f[i].pa & 7 || f[i].pa >= host->phys_bytes || 8ull * f[i].words > host->phys_bytes - f[i].pa)
            return -EFAULT;
        emt_host_read_line(host, f[i].pa, f[i].words, f[i].data);
    }
    return 0;
}

static bool port_update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct emt_host *host = &((struct port *)port)->race->w.host;

    return pa < host->phys_bytes && __atomic_compare_exchange_n(emt_host_word(host, pa), &expected, desired, false,
                                                                __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static int walk(struct walker *me, const struct emt_access *a, struct emt_walk *out) {
    struct port port = {.ops = {.fetch = port_fetch, .update = port_update}, .race = me->race};

    for (unsigned n = 0; LOAD(me->wanted); n++)
        rest(n);
    emt_lock(&me->lock);
    int err = me->race->w.arch->walker->walk(me->race->w.arch, &me->root, a, &port.ops, out);
    emt_unlock(&me->lock);
    return err;
}

static bool wrong(struct race *r, const struct emt_access *a, const struct emt_walk *w, const char *what) {
    char text[400], found[120];

    if (w->fault)
        snprintf(found, sizeof(found), "a fault, error code 0x%x", w->code);
    else
        snprintf(found, sizeof(found), "pfn 0x%" PRIx64 " of 0x%" PRIx64 " bytes, r%s%s", w->pa >> EMT_PAGE_SHIFT,
                 w->bytes, w->write ? "w" : "", w->user ? " user" : "");
    snprintf(text, sizeof(text),
             "a %s%s at 0x%" PRIx64 ", while another thread changes tables: %s\n    found    %s",
             a->type == EMT_STORE ? "store" : "load", a->peek ? " (peek)" : "", a->va, what, found);
    return fail(r, a->va < region_va(STABLE) ? "lost" : "torn", text);
}

/* Void at some moment of the walk? `before`: the place as it was when the walk began. */
static bool was_void(const struct place *p, const struct place *before) {
    return before->is_void || LOAD(p->changes) != before->changes;
}

static struct place look(const struct place *p) {
    struct place now = {.changes = LOAD(p->changes)};

    now.is_void = LOAD(p->is_void);
    return now;
}

static uint64_t pfn_of(const struct emt_access *a, const struct emt_walk *w) {
    return (w->pa + (a->va - w->va)) >> EMT_PAGE_SHIFT;
}

/* Where tables are a cache, a fault may mean no more than that: an OS would refill. */
static bool refills(const struct race *r, const struct emt_walk *w) {
    return r->w.arch->driver->tdb_refill && !(w->code & EMT_PF_PRESENT);
}

static bool walk_stable(struct walker *me, struct emt_access *a) {
    struct race *r = me->race;
    const unsigned region = (unsigned)check_below(&me->random, STABLE);
    const uint64_t page = check_below(&me->random, REGION_PAGES);
    const struct place before = look(&r->stable[region]);
    struct emt_walk w = {0};

    a->va = region_va(region) + page * EMT_PAGE_BYTES;
    int err = walk(me, a, &w);
    if (err)
        return wrong(r, a, &w, "the walk leads outside of memory");
    if (w.fault)
        return was_void(&r->stable[region], &before) || refills(r, &w) ||
               wrong(r, a, &w, "a page that is always mapped is not found");
    if (pfn_of(a, &w) != STABLE_PFN(region) + page || !w.write || !w.user)
        return wrong(r, a, &w, "another translation than the page ever had");
    return true;
}

static bool version_fits(struct race *r, uint64_t page, const struct emt_access *a, const struct emt_walk *w,
                         uint64_t begin, uint64_t end, struct version **out) {
    const uint64_t number = pfn_of(a, w) - VERSION_PFN;

    if (number >= VERSIONS)
        return wrong(r, a, w, "a frame that was never mapped");
    struct version *v = *out = &r->version[number];
    /* A walk that lasted longer than two moves proves nothing. */
    if (LOAD(v->page) != page && (LOAD(v->before) != page || LOAD(v->left) < begin) && LOAD(v->earlier) < begin)
        return wrong(r, a, w, "a frame of another page");
    if (LOAD(v->born) > end || LOAD(v->died) < begin)
        return wrong(r, a, w, "a frame that was not mapped at any moment of the walk");
    const uint64_t rights = LOAD(v->rights);
    if (w->write != (rights & 1) && (rights >> 2 < begin || w->write != (rights >> 1 & 1)))
        return wrong(r, a, w, "a permission that the page did not have at any moment of the walk");
    return true;
}

static bool walk_changing(struct walker *me, struct emt_access *a) {
    struct race *r = me->race;
    const uint64_t page =
        check_one_in(&me->random, 2) ? LOAD(r->changing) : check_below(&me->random, CHANGING * PAGES);
    const uint64_t begin = LOAD(r->time);
    const struct place before = look(&r->page[page]);
    struct emt_walk w = {0};
    struct version *v = NULL;

    a->va = page_va(page);
    int err = walk(me, a, &w);
    const uint64_t end = LOAD(r->time);
    if (err)
        return wrong(r, a, &w, "the walk leads outside of memory");
    /* A store that is forbidden tells nothing of the frame, and rights are looked at when it is allowed. */
    if (w.fault && w.code & EMT_PF_PRESENT)
        return a->type == EMT_STORE || wrong(r, a, &w, "no page here forbids loads");
    if (w.fault)
        return was_void(&r->page[page], &before) || refills(r, &w) || wrong(r, a, &w, "a mapped page is not found");
    if (!version_fits(r, page, a, &w, begin, end, &v))
        return false;
    if (a->type == EMT_STORE && !a->peek)
        STORE(v->stored, 1);
    return true;
}

/* A walk of any kind, anywhere. */
static void walk_once(struct walker *me) {
    struct emt_access a = {.type = check_one_in(&me->random, 3) ? EMT_STORE : EMT_LOAD,
                           .user = true,
                           .write_protect = true,
                           .nx = true,
                           .peek = check_one_in(&me->random, 3)};

    if (check_one_in(&me->random, 2))
        walk_stable(me, &a);
    else
        walk_changing(me, &a);
    STORE(me->walks, me->walks + 1);
}

/* In the middle of whatever the driver is doing. Walkers need no lock that it may hold. */
static uint64_t on_table_access(void *hw, uint64_t pa, bool write) {
    struct race *r = hw;

    frames_touched(&r->w.frames, pa, write);
    if (!r->running)
        return 0;
    if (!r->until_look--) {
        r->until_look = check_below(&r->pause_random, 2 * LOOK_EVERY);
        walk_once(&r->walker[THREADS]);
    }
    if (!r->until_pause--) {
        r->until_pause = check_below(&r->pause_random, 2 * PAUSE_EVERY);
        allow(r, WALKS_PER_PAUSE);
        wait_for_walks(r, 0);
    }
    return 0;
}

static void *walker_main(void *arg) {
    struct walker *me = arg;

    for (unsigned waited = 0; !LOAD(me->race->stop);) {
        if (me->walks >= LOAD(me->allowed)) {
            rest(waited++);
            continue;
        }
        waited = 0;
        walk_once(me);
    }
    return NULL;
}

/* ---- the changing thread ---- */

/* Misuse of frames; walkers may be finding something at the same time. */
static bool frames_fine(struct race *r) {
    return !r->w.frames.wrong[0] || fail(r, "table-frames", r->w.frames.wrong);
}

static bool check_err(struct race *r, const char *what, int err) {
    char text[128];

    if (!err)
        return true;
    snprintf(text, sizeof(text), "%s beside walkers: %s", what, error_name(err));
    return fail(r, "error", text);
}

static void set_void(struct place *p, bool is_void) {
    STORE(p->is_void, is_void);
    __atomic_add_fetch(&p->changes, 1, __ATOMIC_SEQ_CST);
}

static bool put(struct race *r, uint64_t va, uint64_t pfn, uint64_t bytes, bool write, bool collapse) {
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    struct object o = r->w.traits->base;
    struct emt_gather g;
    struct emt_tobj t;
    int err;

    o.va = va;
    o.pfn = pfn;
    o.bytes = bytes;
    o.write = write || !r->w.traits->write;
    if (!object_to_tobj(&r->w, &o, &t))
        return fail(r, "tobj", "tobj_init refuses an object");
    emt_gather_init(&g);
    if (collapse) {
        err = emt_huge_collapse(tdb, &t, &g);
    } else {
        emt_range_lock(tdb, va, bytes);
        err = emt_tdb_update(tdb, &t);
        emt_range_unlock(tdb, va, bytes);
        emt_gather_add(&g, va, bytes);
    }
    emt_gather_flush(tdb, &g);
    return check_err(r, collapse ? "huge_collapse" : "tdb_update", err);
}

/* Map a page, or replace what is there, by a new version. */
static bool map(struct race *r, uint64_t page) {
    const uint64_t number = r->next_version++ % VERSIONS;
    struct version *v = &r->version[number];
    const uint64_t old = r->mapped[page];
    const bool write = check_one_in(&r->random, 2) || !r->w.traits->write;

    STORE(v->died, NEVER);
    STORE(v->stored, 0);
    STORE(v->page, page);
    STORE(v->left, 0);
    STORE(v->earlier, 0);
    STORE(v->before, page);
    STORE(v->rights, (uint64_t)write);
    STORE(v->born, tick(r));
    if (!put(r, page_va(page), VERSION_PFN + number, EMT_PAGE_BYTES, write, false))
        return false;
    if (old)
        STORE(r->version[old - 1].died, tick(r));
    else
        set_void(&r->page[page], false);
    r->mapped[page] = number + 1;
    return true;
}

/* What a removal brought back: D must be there, if a walker had set it before the removal began. */
struct gone {
    struct race *race;
    uint32_t stored[PAGES];
    uint64_t first; /* page */
    bool fine;
};

static void gone(void *ctx, const struct emt_tobj *old) {
    struct gone *g = ctx;
    struct race *r = g->race;
    const uint64_t number = emt_tobj_get(&r->w.svc, old, EMT_ATTR_PFN) - VERSION_PFN;
    char text[128];

    if (number >= VERSIONS || page_va(r->version[number].page) != old->va) {
        g->fine = fail(r, "lost", "a range was unmapped and shows an object that was not there");
        return;
    }
    const uint64_t page = r->version[number].page;
    if (r->dirty && g->stored[page - g->first] && !emt_tobj_get(&r->w.svc, old, EMT_ATTR_DIRTY)) {
        snprintf(text, sizeof(text),
                 "a walker set D of the page at 0x%" PRIx64 ", and D is lost when it is unmapped", old->va);
        g->fine = fail(r, "lost-dirty", text);
    }
    r->mapped[page] = 0;
}

/* Pages first .. first + n - 1 of one region, as one range. */
static bool unmap(struct race *r, uint64_t first, uint64_t n) {
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    struct gone seen = {.race = r, .first = first, .fine = true};
    const uint64_t va = page_va(first), bytes = page_va(first + n - 1) + EMT_PAGE_BYTES - va;
    uint64_t was[PAGES];
    struct emt_gather g;

    for (uint64_t i = 0; i < n; i++) {
        was[i] = r->mapped[first + i];
        if (was[i]) {
            seen.stored[i] = LOAD(r->version[was[i] - 1].stored);
            set_void(&r->page[first + i], true);
        }
    }
    emt_gather_init(&g);
    int err = emt_range_unmap(tdb, va, bytes, gone, &seen, &g);
    emt_gather_flush(tdb, &g);
    for (uint64_t i = 0; i < n; i++) {
        if (was[i])
            STORE(r->version[was[i] - 1].died, tick(r));
        if (was[i] && r->mapped[first + i] && seen.fine)
            seen.fine = fail(r, "lost", "range_unmap did not show a page that was mapped");
    }
    return check_err(r, "range_unmap", err) && seen.fine;
}

static bool protect(struct race *r, uint64_t page) {
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    struct emt_gather g;

    if (!r->mapped[page] || !r->w.traits->write)
        return true;
    struct version *v = &r->version[r->mapped[page] - 1];
    const uint64_t old = v->rights & 1, now = !old;
    const unsigned prot = (now ? EMT_PROT_WRITE : 0) | (r->w.traits->base.user ? EMT_PROT_USER : 0) |
                          (r->w.traits->base.exec ? EMT_PROT_EXEC : 0);
    const bool forgiven = r->w.svc.basic_only || !r->w.arch->driver->range_protect;
    STORE(v->rights, now | old << 1 | NEVER << 2);
    if (forgiven)
        set_void(&r->page[page], true);
    emt_gather_init(&g);
    int err = emt_range_protect(tdb, page_va(page), EMT_PAGE_BYTES, prot, &g);
    emt_gather_flush(tdb, &g);
    if (forgiven)
        set_void(&r->page[page], false);
    STORE(v->rights, now | old << 1 | tick(r) << 2);
    return check_err(r, "range_protect", err);
}

/* All pages of one region to another, which is emptied before. */
static bool move(struct race *r, uint64_t from, uint64_t to) {
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    struct emt_gather g;

    if (from == to)
        return true;
    if (!unmap(r, to, PAGES))
        return false;
    for (uint64_t i = 0; i < PAGES; i++)
        if (r->mapped[from + i]) {
            struct version *v = &r->version[r->mapped[from + i] - 1];
            STORE(v->earlier, v->left);
            STORE(v->left, NEVER);
            STORE(v->before, from + i);
            STORE(v->page, to + i);
            set_void(&r->page[from + i], true);
        }
    emt_gather_init(&g);
    int err = emt_range_move(tdb, page_va(from) & -REGION_BYTES, page_va(to) & -REGION_BYTES, REGION_BYTES, &g);
    emt_gather_flush(tdb, &g);
    for (uint64_t i = 0; i < PAGES; i++) {
        if (r->mapped[from + i])
            STORE(r->version[r->mapped[from + i] - 1].left, tick(r));
        r->mapped[to + i] = r->mapped[from + i];
        r->mapped[from + i] = 0;
        if (r->mapped[to + i])
            set_void(&r->page[to + i], false);
    }
    return check_err(r, "range_move", err);
}

/* Split or collapse a region that is always mapped. */
static bool reshape(struct race *r, unsigned region) {
    const struct emt_driver_ops *driver = r->w.arch->driver;
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    const uint64_t va = region_va(region);
    struct emt_tobj t;
    struct emt_gather g;
    int err = emt_tdb_find(tdb, va, &t);

    if (err || !r->huge)
        return check_err(r, "tdb_find", err);
    const bool split = t.bytes == REGION_BYTES;
    const bool forgiven =
        r->w.svc.basic_only || !(split ? (void *)driver->huge_split : (void *)driver->huge_collapse);
    bool fine = true;

    if (forgiven)
        set_void(&r->stable[region], true);
    if (split) {
        emt_gather_init(&g);
        err = emt_huge_split(tdb, va, EMT_PAGE_BYTES, &g);
        emt_gather_flush(tdb, &g);
        fine = check_err(r, "huge_split", err);
    } else {
        fine = put(r, va, STABLE_PFN(region), REGION_BYTES, true, true);
    }
    if (forgiven)
        set_void(&r->stable[region], false);
    return fine;
}

/* Many pages come and go: tables grow and shrink. */
static bool churn(struct race *r) {
    const uint64_t va = 3ull << EMT_SHIFT_1G, n = 256 + check_below(&r->random, 2048);
    const uint64_t stride = check_one_in(&r->random, 2) ? EMT_PAGE_BYTES : 17 * EMT_PAGE_BYTES;
    struct emt_tdb *tdb = &r->w.space[0].tdb;
    struct emt_gather g;

    for (uint64_t i = 0; i < n; i++)
        if (!put(r, va + i * stride, VERSION_PFN + VERSIONS + i, EMT_PAGE_BYTES, true, false))
            return false;
    emt_gather_init(&g);
    int err = emt_range_unmap(tdb, va, n * stride, NULL, NULL, &g);
    emt_gather_flush(tdb, &g);
    return check_err(r, "range_unmap", err);
}

static bool change(struct race *r) {
    const uint64_t page = check_below(&r->random, CHANGING * PAGES), region = page / PAGES * PAGES;
    const uint64_t choice = check_below(&r->random, 1000);

    STORE(r->changing, page);
    if (choice < 2)
        return churn(r);
    if (choice < 60)
        return reshape(r, (unsigned)check_below(&r->random, STABLE));
    if (choice < 80)
        return move(r, region, check_below(&r->random, CHANGING) * PAGES);
    if (choice < 100)
        return unmap(r, region, PAGES);
    if (choice < 300)
        return protect(r, page);
    if (choice < 500)
        return unmap(r, page, 1);
    return map(r, page);
}

/* ---- from the beginning to the end ---- */

/* Between two walks of a walker; with a new root, or with none. */
static void interrupt(struct walker *walker, const struct emt_root *root) {
    STORE(walker->wanted, 1);
    /* The walker may wait for this very CPU: no long spinning. */
    for (unsigned n = 0; __atomic_exchange_n(&walker->lock, 1, __ATOMIC_ACQUIRE); n++)
        rest(n);
    if (root)
        walker->root = *root;
    emt_unlock(&walker->lock);
    STORE(walker->wanted, 0);
}

static void on_load_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    struct race *r = (struct race *)hw; /* the world is its first member */

    (void)asid;
    if (cpu >= WALKERS)
        return;
    interrupt(&r->walker[cpu], root);
}

/* Whoever was in a walk has left it when this returns. */
static void wait_readers(void *readers) {
    struct race *r = readers;

    for (unsigned i = 0; i < WALKERS; i++)
        interrupt(&r->walker[i], NULL);
}

/* Nor does a walk that began before a flush go on after it. To wait is slow here: only for flushes of large ranges,
   which a driver may make itself between two steps of its own. */
static void on_flush(void *hw, const struct emt_flush *flush) {
    if (flush->tables || flush->kind != EMT_FLUSH_RANGE || flush->bytes >= REGION_BYTES)
        wait_readers(hw);
}

static bool prepare(struct race *r) {
    struct world *w = &r->w;

    w->host.table_access = on_table_access;
    w->host.load_root = on_load_root;
    w->host.update_root = NULL; /* then load_root is called */
    w->host.flush = on_flush;
    w->frames.wait_readers = wait_readers;
    w->frames.readers = r;
    r->huge = w->traits->caps.page_sizes & REGION_BYTES;
    r->dirty = w->traits->caps.accessed_dirty;
    for (unsigned i = 0; i < CHANGING * PAGES; i++)
        r->page[i].is_void = 1;
    for (unsigned region = 0; region < STABLE; region++)
        for (uint64_t i = 0; i < REGION_PAGES; i++)
            if (!put(r, region_va(region) + i * EMT_PAGE_BYTES, STABLE_PFN(region) + i, EMT_PAGE_BYTES, true,
                     false))
                return false;
    for (unsigned cpu = 0; cpu < WALKERS; cpu++)
        if (!check_err(r, "tsvc_switch", emt_tsvc_switch(&w->svc, cpu, &w->space[0].tdb)))
            return false;
    return true;
}

struct request {
    const struct emt_arch *arch;
    const struct traits *traits;
    uint64_t seed, ops;
    bool basic_only;
};

static void race_walkers(struct race *r, uint64_t ops) {
    unsigned started = 0;

    for (; started < THREADS; started++)
        if (pthread_create(&r->walker[started].thread, NULL, walker_main, &r->walker[started]))
            break;
    r->running = started == THREADS;
    for (uint64_t i = 0; i < ops && !LOAD(r->stop) && change(r) && frames_fine(r); i++) {
        r->w.stats.ops++;
        allow(r, WALKS_PER_CHANGE);
        if (r->running)
            wait_for_walks(r, WALKS_BEHIND);
    }
    r->running = false;
    STORE(r->stop, 1);
    for (unsigned i = 0; i < started; i++)
        pthread_join(r->walker[i].thread, NULL);
    for (unsigned i = 0; i < WALKERS; i++)
        r->w.stats.walks += r->walker[i].walks;
}

static void run(void *ctx, void *shared) {
    const struct request *q = ctx;
    struct verdict *v = shared;
    struct race *r = calloc(1, sizeof(*r));

    if (!r)
        return;
    r->random = q->seed;
    r->pause_random = ~q->seed;
    for (unsigned i = 0; i < WALKERS; i++) {
        r->walker[i].race = r;
        r->walker[i].random = q->seed + 1 + i;
    }
    const struct world_setup setup = {
        .arch = q->arch, .traits = q->traits, .spaces = 1, .basic_only = q->basic_only};
    if (world_init(&r->w, &setup) == 0 && prepare(r)) {
        race_walkers(r, q->ops);
        if (!r->w.finding.found)
            world_end(&r->w);
    }
    v->finding = r->w.finding;
    v->stats = r->w.stats;
    world_fini(&r->w);
    free(r);
}

void threads_run(const struct emt_arch *arch, const struct traits *t, uint64_t seed, uint64_t ops, bool basic_only,
                 bool isolate, struct verdict *out) {
    struct request q = {.arch = arch, .traits = t, .seed = seed, .ops = ops, .basic_only = basic_only};

    *out = (struct verdict){0};
    if (!t->restricted) /* else frames cannot be chosen, and so not tell versions apart */
        verdict_of(run, &q, isolate, out);
}
