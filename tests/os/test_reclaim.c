/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reclaim, step by step: when a page is written and when not, what sharers see, what errors leave behind, which
 * page Horizon LRU chooses, how long devices take. What random sequences of calls do to it: test_pressure.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "os/reclaim.h"

#define VA  0x40000000ull
#define RW  (ABI_PROT_READ | ABI_PROT_WRITE)
#define MIB (1ull << 20)

struct world {
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_config cfg;
    struct os *os;
    struct os_process *p;
};

static struct world *open_with(const struct emt_arch *arch, enum cfg_reclaim policy, uint64_t bytes,
                               uint64_t limit) {
    struct world *w = calloc(1, sizeof(*w));
    struct emt_config *c = &w->cfg;

    c->core.count = 1;
    c->core.frequency_mhz = 1000; /* a cycle is a nanosecond */
    c->memory.bytes = bytes;
    c->memory.nodes = 1;
    c->os.zero_page = true;
    c->os.fault_around_pages = 1;
    c->os.stack_bytes = 1 << 20;
    c->os.reclaim.policy = policy;
    c->os.reclaim.swappiness = 60;
    c->os.reclaim.watermark_scale = 10;
    c->os.swap.bytes = 64 * MIB;
    c->os.swap.timing.device = CFG_DEVICE_SSD;
    c->os.file.timing.device = CFG_DEVICE_SSD;
    c->os.limit_bytes = limit;
    c->os.limit_process = 1;
    for (unsigned i = 0; i < os_cost_count; i++)
        c->os.cost[i] = os_cost_table[i].instructions;
    assert_int_equal(emt_host_init(&w->host, bytes), 0);
    assert_int_equal(emt_tsvc_init(&w->svc, arch, &w->host, false), 0);
    assert_int_equal(os_new(&w->os, c, &w->svc), 0);
    os_track_content(w->os);
    assert_int_equal(os_process_new(w->os, 1, &w->p), 0);
    return w;
}

static struct world *open_world(enum cfg_reclaim policy) {
    return open_with(emt_arch_find("radix4"), policy, 16 * MIB, 0);
}

static void close_world(struct world *w) {
    assert_int_equal(os_verify(w->os), 0);
    os_free(w->os);
    emt_tsvc_fini(&w->svc);
    emt_host_fini(&w->host);
    free(w);
}

static void map(struct world *w, uint64_t va, uint64_t pages, int flags, uint64_t file) {
    assert_int_equal(os_mmap(w->p, &va, pages * PAGE, RW, flags | ABI_MAP_FIXED, file, 0), 0);
}

static uint64_t frame_of(struct os_process *p, uint64_t va) {
    struct emt_tobj o;

    if (emt_tdb_find(&p->tdb, va, &o) || !tobj(p->os, &o, EMT_ATTR_PRESENT))
        return FRAME_NONE;
    return tobj(p->os, &o, EMT_ATTR_PFN) + ((va - o.va) >> EMT_PAGE_SHIFT);
}

/* What a load sees, faults included; negative: its error. */
static int64_t load(struct os_process *p, uint64_t va) {
    uint64_t content = 0;

    while (os_content(p, va, &content)) {
        int err = os_fault(p, 0, va, EMT_LOAD, EMT_PF_USER);
        if (err)
            return err;
    }
    return (int64_t)content;
}

static enum evicted push_out(struct world *w, struct os_process *p, uint64_t va) {
    struct account saved;

    account_save(w->os, &saved);
    account_begin(w->os, OS_RECLAIM);
    enum evicted done = evict_listed(w->os, frame_of(p, va));
    account_end(w->os);
    account_restore(w->os, &saved);
    return done;
}

static const struct os_reclaim_stats *stats(const struct world *w) {
    return &os_stats_of(w->os)->reclaim;
}

/* ---- private memory ---- */

static void written_when_dirty(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);

    (void)state;
    map(w, VA, 4, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w->p, VA, 7), 0);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    assert_int_equal(stats(w)->swapped_out, 1);
    assert_int_equal(load(w->p, VA), 7);
    assert_int_equal(stats(w)->swapped_in, 1);
    assert_int_equal(w->os->stats.op[OS_FAULT_SWAP].calls, 1);
    /* Unchanged: its slot is still good. */
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    assert_int_equal(stats(w)->swapped_out, 1);
    assert_int_equal(load(w->p, VA), 7);
    /* Changed: it must be written again. */
    assert_int_equal(os_store(w->p, VA, 8), 0);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    assert_int_equal(stats(w)->swapped_out, 2);
    /* A write brings it back for good: the slot goes. */
    assert_int_equal(os_store(w->p, VA, 9), 0);
    assert_int_equal(w->os->reclaim->swap.used, 0);
    assert_int_equal(load(w->p, VA), 9);
    close_world(w);
}

static void shared_by_fork(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);
    struct os_process *child;

    (void)state;
    map(w, VA, 4, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w->p, VA, 7), 0);
    assert_int_equal(os_fork(w->p, 2, &child), 0);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE); /* both mappings go, one page is written */
    assert_int_equal(stats(w)->swapped_out, 1);
    assert_int_equal(frame_of(child, VA), FRAME_NONE);
    assert_int_equal(load(w->p, VA), 7);
    /* In the swap cache, and the child still refers to the slot: a write must not reach it. */
    assert_int_equal(os_store(w->p, VA, 8), 0);
    assert_int_equal(os_verify(w->os), 0);
    assert_int_equal(load(child, VA), 7);
    assert_int_equal(load(w->p, VA), 8);
    assert_int_equal(stats(w)->swapped_in, 1);
    /* A third one inherits an entry. */
    assert_int_equal(push_out(w, child, VA), EVICT_DONE);
    struct os_process *grandchild;
    assert_int_equal(os_fork(child, 3, &grandchild), 0);
    os_exit(child);
    assert_int_equal(load(grandchild, VA), 7);
    os_exit(grandchild);
    assert_int_equal(w->os->reclaim->swap.used, 0);
    close_world(w);
}

static void given_up(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);

    (void)state;
    map(w, VA, 4, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(os_store(w->p, VA + i * PAGE, 7 + i), 0);
    /* Page 2 has an old copy in its slot, which must not come back. */
    assert_int_equal(push_out(w, w->p, VA + 2 * PAGE), EVICT_DONE);
    assert_int_equal(load(w->p, VA + 2 * PAGE), 9);
    assert_int_equal(os_store(w->p, VA + 2 * PAGE, 10), 0);
    assert_int_equal(os_madvise(w->p, VA, 3 * PAGE, ABI_MADV_FREE), 0);
    assert_int_equal(os_store(w->p, VA + PAGE, 20), 0); /* used again */
    uint64_t written = stats(w)->swapped_out;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(push_out(w, w->p, VA + i * PAGE), EVICT_DONE);
    assert_int_equal(stats(w)->discarded, 2);
    assert_int_equal(stats(w)->swapped_out, written + 1);
    assert_int_equal(load(w->p, VA), 0);
    assert_int_equal(load(w->p, VA + PAGE), 20);
    assert_int_equal(load(w->p, VA + 2 * PAGE), 0);
    close_world(w);
}

static void huge_in_pieces(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);

    (void)state;
    w->os->cfg.os.thp = CFG_THP_ALWAYS;
    w->os->cfg.os.thp_on_fault = true;
    map(w, VA, 512, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w->p, VA + 5 * PAGE, 7), 0);
    assert_int_equal(w->os->stats.op[OS_FAULT_HUGE].calls, 1);
    assert_int_equal(push_out(w, w->p, VA), EVICT_SPLIT);
    assert_int_equal(os_verify(w->os), 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(push_out(w, w->p, VA + i * PAGE), EVICT_DONE);
    assert_int_equal(w->os->user_frames, 0);
    assert_int_equal(load(w->p, VA + 5 * PAGE), 7);
    assert_int_equal(load(w->p, VA + 6 * PAGE), 0);
    close_world(w);
}

/* ---- files and shared memory ---- */

static void files(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);

    (void)state;
    assert_int_equal(os_file(w->os, 5, 8 * PAGE), 0);
    map(w, VA, 8, ABI_MAP_SHARED, 5);
    uint64_t before = (uint64_t)load(w->p, VA + PAGE);
    assert_int_equal(before, os_content_file(5, 1));
    assert_int_equal(push_out(w, w->p, VA + PAGE), EVICT_DONE); /* clean: dropped */
    assert_int_equal(stats(w)->written_back, 0);
    assert_int_equal(load(w->p, VA + PAGE), before);
    assert_int_equal(stats(w)->refaults, 1);
    assert_int_equal(stats(w)->file.reads, 1);
    assert_int_equal(os_store(w->p, VA + PAGE, 7), 0);
    assert_int_equal(push_out(w, w->p, VA + PAGE), EVICT_DONE); /* dirty: written */
    assert_int_equal(stats(w)->written_back, 1);
    assert_int_equal(load(w->p, VA + PAGE), 7);
    assert_int_equal(push_out(w, w->p, VA + PAGE), EVICT_DONE); /* clean again */
    assert_int_equal(stats(w)->written_back, 1);
    /* What an unmapped table knew of writes is not forgotten. */
    assert_int_equal(os_store(w->p, VA + PAGE, 8), 0);
    uint64_t pfn = frame_of(w->p, VA + PAGE);
    assert_int_equal(os_munmap(w->p, VA, 8 * PAGE), 0);
    account_begin(w->os, OS_RECLAIM);
    assert_int_equal(evict_listed(w->os, pfn), EVICT_DONE);
    account_end(w->os);
    assert_int_equal(stats(w)->written_back, 2);
    map(w, VA, 8, ABI_MAP_SHARED, 5);
    assert_int_equal(load(w->p, VA + PAGE), 8);
    /* A hole that nobody has written to is one again. */
    assert_int_equal(os_madvise(w->p, VA + 2 * PAGE, PAGE, ABI_MADV_REMOVE), 0);
    assert_int_equal(load(w->p, VA + 2 * PAGE), 0);
    assert_int_equal(push_out(w, w->p, VA + 2 * PAGE), EVICT_DONE);
    assert_int_equal(load(w->p, VA + 2 * PAGE), 0);
    close_world(w);
}

static void shared_memory(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);
    struct os_process *child;

    (void)state;
    map(w, VA, 8, ABI_MAP_SHARED | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w->p, VA, 7), 0);
    assert_int_equal(os_fork(w->p, 2, &child), 0);
    assert_int_equal(load(child, VA), 7);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    assert_int_equal(frame_of(child, VA), FRAME_NONE);
    assert_int_equal(os_store(child, VA, 8), 0);
    assert_int_equal(load(w->p, VA), 8);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    os_exit(child);
    assert_int_equal(os_munmap(w->p, VA, 8 * PAGE), 0);
    assert_int_equal(w->os->reclaim->swap.used, 0);
    close_world(w);
}

/* ---- errors ---- */

static void device_errors(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);

    (void)state;
    map(w, VA, 4, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w->p, VA, 7), 0);
    assert_int_equal(os_store(w->p, VA + PAGE, 8), 0);
    os_fail_io(w->os, 1, 0);
    assert_int_equal(push_out(w, w->p, VA), EVICT_FAILED); /* cannot be written: stays */
    assert_int_equal(load(w->p, VA), 7);
    assert_int_equal(w->os->reclaim->swap.used, 0);
    assert_int_equal(push_out(w, w->p, VA), EVICT_DONE);
    os_fail_io(w->os, 1, 0);
    assert_int_equal(load(w->p, VA), -EIO); /* cannot be read: SIGBUS */
    assert_int_equal(load(w->p, VA + PAGE), 8);
    assert_int_equal(os_verify(w->os), 0);
    assert_int_equal(load(w->p, VA), 7); /* and the next time it can */
    assert_int_equal(stats(w)->swap.errors, 2);
    close_world(w);
}

/* ---- limits and watermarks ---- */

static void limit(void **state) {
    const enum cfg_reclaim policy[] = {CFG_RECLAIM_LRU, CFG_RECLAIM_GENERATIONS};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world *w = open_with(emt_arch_find("radix4"), policy[i], 64 * MIB, MIB);
        struct os_process *other;

        map(w, VA, 1024, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
        for (unsigned k = 0; k < 1024; k++) {
            assert_int_equal(os_store(w->p, VA + k * PAGE, k + 1), 0);
            assert_true(w->os->reclaim->vec[1].pages <= MIB / PAGE);
        }
        assert_true(stats(w)->limit_hits > 0 && stats(w)->swapped_out >= 1024 - MIB / PAGE);
        assert_int_equal(os_process_new(w->os, 2, &other), 0); /* another one has none */
        uint64_t addr = VA, before = stats(w)->swapped_out;
        assert_int_equal(
            os_mmap(other, &addr, 1024 * PAGE, RW, ABI_MAP_FIXED | ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0, 0), 0);
        for (unsigned k = 0; k < 1024; k++)
            assert_int_equal(os_store(other, VA + k * PAGE, k + 1), 0);
        assert_int_equal(stats(w)->swapped_out, before);
        for (unsigned k = 0; k < 1024; k++)
            assert_int_equal(load(w->p, VA + k * PAGE), k + 1);
        close_world(w);
    }
}

static void watermarks(void **state) {
    /* sqrt(16 x KiB), at least 128 KiB and at most 256 MiB; the others a quarter, or a thousandth of memory, above
     */
    static const struct {
        uint64_t bytes, min, low;
    } want[] = {{16 * MIB, 128, 160}, {4096 * MIB, 2048, 3096}, {1048576 * MIB, 32768, 301203}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = open_with(emt_arch_find("radix4"), CFG_RECLAIM_LRU, want[i].bytes, 0);

        assert_int_equal(w->os->reclaim->min, want[i].min);
        assert_int_equal(w->os->reclaim->low, want[i].low);
        close_world(w);
    }
}

/* kswapd begins when free memory is below the low watermark, not before, and ends at the high one, not much later:
   then nobody reclaims for himself. */
static void kswapd_between_two_marks(void **state) {
    const enum cfg_reclaim policy[] = {CFG_RECLAIM_LRU, CFG_RECLAIM_GENERATIONS};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world *w = open_with(emt_arch_find("radix4"), policy[i], 16 * MIB, 0);
        const struct reclaim *r = w->os->reclaim;
        uint64_t runs = 0, reached = 0;

        map(w, VA, 8192, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
        for (unsigned k = 0; k < 8192; k++) {
            const uint64_t before = frames_free_total(w->os->frames);

            assert_int_equal(os_store(w->p, VA + k * PAGE, k + 1), 0);
            runs += before < r->low + 1;
            assert_int_equal(stats(w)->kswapd, runs);
            const uint64_t after = frames_free_total(w->os->frames);
            reached += before < r->low + 1 && after + 2 >= r->high; /* the page and a table are taken afterwards */
            assert_true(after <= r->high + 32 || before > r->high + 32);
        }
        /* Not all: when each page was used since it was looked at last, a run finds out only that. */
        assert_true(runs > 50 && reached * 10 >= runs * 9);
        assert_int_equal(stats(w)->direct, 0);
        close_world(w);
    }
}

/* Below the lowest mark whoever wants memory takes it from the lists himself, when kswapd has given up. */
static void below_the_lowest_mark(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);
    const struct reclaim *r = w->os->reclaim;
    uint64_t gone = 0;

    (void)state;
    map(w, VA, 8192, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    for (unsigned k = 0; k < 8192; k++) {
        const uint64_t before = frames_free_total(w->os->frames), direct = stats(w)->direct;

        w->os->reclaim->kswapd_failures = 16; /* as after so many rounds that freed nothing */
        assert_int_equal(os_store(w->p, VA + k * PAGE, k + 1), 0);
        assert_int_equal(stats(w)->direct > direct, before < r->min + 1);
        assert_true(frames_free_total(w->os->frames) + 2 >= r->min);
        gone += stats(w)->direct - direct;
    }
    assert_true(gone > 50);
    assert_int_equal(stats(w)->kswapd, 0);
    close_world(w);
}

/* Nobody is left: killed, and all memory is free again. */
static void out_of_memory(void **state) {
    struct world *w = open_world(CFG_RECLAIM_LRU);
    int err = 0;

    (void)state;
    map(w, VA, 65536, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    for (unsigned k = 0; k < 65536 && !err; k++)
        err = os_store(w->p, VA + k * PAGE, k + 1);
    assert_int_equal(err, -ESRCH);
    assert_int_equal(stats(w)->oom_kills, 1);
    assert_int_equal(os_alive(w->os), 0);
    assert_int_equal(w->os->reclaim->swap.used, 0);
    assert_true(stats(w)->swap_peak_bytes == 64 * MIB);
    assert_int_equal(os_munmap(w->p, VA, PAGE), -ESRCH);
    close_world(w);
}

/* ---- Horizon LRU, with few frames that can be told apart ---- */

/* Pages of each gigabyte may live in 4 + 2 + 2 frames. */
static void few_places(struct emt_tdb *tdb, const struct emt_place_query *q, struct emt_place *out) {
    uint64_t base = 1024 + (q->va >> 30) % 2 * 8;
    bool second = q->free_frames(q->ctx, base + 6, 2) > q->free_frames(q->ctx, base + 4, 2);

    (void)tdb;
    *out = (struct emt_place){.kind = EMT_PLACE_REQUIRE, .runs = 3};
    out->run[0].pfn = base;
    out->run[0].frames = 4;
    out->run[1].pfn = base + (second ? 6 : 4);
    out->run[2].pfn = base + (second ? 4 : 6);
    out->run[1].frames = out->run[2].frames = 2;
}

static void caps_with_places(const struct emt_tsvc *svc, struct emt_caps *caps) {
    emt_arch_find("radix4")->driver->tsvc_caps(svc, caps);
    caps->places = true;
    caps->page_sizes = PAGE;
}

static void fill(struct world *w, uint64_t va, unsigned first, unsigned n) {
    for (unsigned i = first; i < first + n; i++)
        assert_int_equal(os_store(w->p, va + i * PAGE, va + i), 0);
}

static bool resident(struct world *w, uint64_t va, unsigned i) {
    return frame_of(w->p, va + i * PAGE) != FRAME_NONE;
}

static void horizon_order(void **state) {
    const uint64_t a = VA, b = VA + (1ull << 30);
    struct emt_driver_ops ops = *emt_arch_find("radix4")->driver;
    struct emt_arch arch = *emt_arch_find("radix4");

    (void)state;
    ops.place = few_places;
    ops.tsvc_caps = caps_with_places;
    arch.driver = &ops;
    struct world *w = open_with(&arch, CFG_RECLAIM_HORIZON, 16 * MIB, 0);
    const struct reclaim *r = w->os->reclaim;
    map(w, a, 16, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    map(w, b, 16, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);

    fill(w, a, 0, 8); /* stamps 1 to 8: 4 in front, then the yards by turns */
    assert_int_equal(frame_of(w->p, a + 3 * PAGE), 1024 + 8 * 1 % 16 + 3 - 8 + ((a >> 30) % 2 ? 8 : 0));
    fill(w, b, 0, 8); /* 9 to 16 */
    assert_int_equal(stats(w)->conflicts, 0);
    assert_int_equal(r->horizon_stamp, 0);

    fill(w, b, 8, 1); /* no free frame, no ghost: the oldest of all eight goes, and draws the horizon */
    assert_int_equal(stats(w)->conflicts, 1);
    assert_false(resident(w, b, 0));
    assert_int_equal(r->horizon_stamp, 9);
    assert_int_equal(stats(w)->ghosts_evicted, 0);

    /* All of a are ghosts now. The front's oldest goes although a yard has a free frame. */
    uint64_t yard = frame_of(w->p, a + 7 * PAGE);
    assert_int_equal(os_munmap(w->p, a + 7 * PAGE, PAGE), 0);
    fill(w, a, 8, 1);
    assert_false(resident(w, a, 0));
    assert_int_equal(stats(w)->ghosts_evicted, 1);
    assert_int_equal(stats(w)->conflicts, 1);

    /* With a front that lives, the yard's free frame. */
    for (unsigned i = 0; i < 4; i++)
        w->os->reclaim->entry[frame_of(w->p, a + (i ? i : 8) * PAGE)].use.stamp = 100 + i;
    fill(w, a, 9, 1);
    assert_int_equal(frame_of(w->p, a + 9 * PAGE), yard);

    /* No free frame: the yard with fewer live pages loses its oldest, though the other has an older ghost. */
    uint64_t of = 1024 + ((a >> 30) % 2) * 8;
    w->os->reclaim->entry[of + 4].use.stamp = 1; /* first yard: a ghost, and one that lives */
    w->os->reclaim->entry[of + 5].use.stamp = 50;
    w->os->reclaim->entry[of + 6].use.stamp = 3; /* second: two ghosts */
    w->os->reclaim->entry[of + 7].use.stamp = 2;
    fill(w, a, 10, 1);
    assert_int_equal(frame_of(w->p, a + 10 * PAGE), of + 7);
    assert_int_equal(stats(w)->conflicts, 2);
    assert_int_equal(r->horizon_stamp, 9); /* a ghost's place moves no horizon */

    /* What comes back finds its content. */
    for (unsigned i = 0; i < 11; i++)
        if (i != 7)
            assert_int_equal(load(w->p, a + i * PAGE), a + i);
    close_world(w);
}

/* The same placement with a plain global LRU: it evicts all the older pages of others before it gets a frame. */
static void global_lru_over_few_places(void **state) {
    struct emt_driver_ops ops = *emt_arch_find("radix4")->driver;
    struct emt_arch arch = *emt_arch_find("radix4");

    (void)state;
    ops.place = few_places;
    ops.tsvc_caps = caps_with_places;
    arch.driver = &ops;
    struct world *w = open_with(&arch, CFG_RECLAIM_LRU, 16 * MIB, 0);
    map(w, VA, 16, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    map(w, VA + (1ull << 30), 16, ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS, 0);
    fill(w, VA, 0, 8);
    fill(w, VA + (1ull << 30), 0, 8);
    fill(w, VA + (1ull << 30), 8, 1);
    for (unsigned i = 0; i < 8; i++)
        assert_false(resident(w, VA, i));
    assert_int_equal(stats(w)->reclaimed, 9);
    close_world(w);
}

/* ---- slots and devices ---- */

static void slots(void **state) {
    struct swap s;

    (void)state;
    assert_int_equal(swap_init(&s, 2 * SWAP_CLUSTER * PAGE, 1024), 0);
    for (uint64_t i = 1; i <= 2 * SWAP_CLUSTER; i++) {
        assert_int_equal(swap_alloc(&s), i); /* side by side */
        swap_get(&s, i);
    }
    assert_int_equal(swap_alloc(&s), SWAP_NONE);
    assert_true(swap_put(&s, 17));
    assert_int_equal(swap_alloc(&s), 17);
    swap_cache(&s, 17, 3);
    swap_get(&s, 17);
    assert_false(swap_put(&s, 17)); /* the frame keeps it */
    swap_uncache(&s, 3);
    assert_int_equal(s.used, 2 * SWAP_CLUSTER - 1);
    swap_fini(&s);
}

static void device_time(void **state) {
    const struct cfg_device_timing hdd = {
        .device = CFG_DEVICE_HDD, .read_ns = 50, .seek_ns = 1000, .read_mb_s = 4096, .write_mb_s = 4096};
    struct os_device_stats s = {0};
    struct device d;

    (void)state;
    device_init(&d, &hdd, 1000, 1, &s); /* a page takes 1000 ns, a cycle is one */
    assert_int_equal(device_io(&d, 0, 100, 1, false), 1000 + 1000 + 50);
    assert_int_equal(device_io(&d, 5000, 101, 4, false), 4000 + 50);      /* goes on where it was: no seek */
    assert_int_equal(device_io(&d, 5000, 7, 1, false), 4000 + 2000 + 50); /* behind the one before */
    assert_int_equal(device_io(&d, 20000, 8, 1, true), 0);                /* nobody waits for a write */
    assert_int_equal(s.busy_cycles, 2000 + 4000 + 2000 + 1000);
    assert_int_equal(s.reads, 3);
    assert_int_equal(s.write_bytes, 4096);
    uint64_t waited = 0;
    for (unsigned i = 0; i < 1000; i++)
        waited = device_io(&d, 30000, 9 + i, 1, true);
    assert_int_equal(waited, 1000 * 1000 - 270000 - 1000); /* until the last one has its place in the queue */
}

static void without(void **state) {
    struct world *w = open_with(emt_arch_find("radix4"), CFG_RECLAIM_NONE, 16 * MIB, 0);

    (void)state;
    assert_null(w->os->reclaim);
    close_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_when_dirty),
        cmocka_unit_test(shared_by_fork),
        cmocka_unit_test(given_up),
        cmocka_unit_test(huge_in_pieces),
        cmocka_unit_test(files),
        cmocka_unit_test(shared_memory),
        cmocka_unit_test(device_errors),
        cmocka_unit_test(limit),
        cmocka_unit_test(watermarks),
        cmocka_unit_test(kswapd_between_two_marks),
        cmocka_unit_test(below_the_lowest_mark),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(horizon_order),
        cmocka_unit_test(global_lru_over_few_places),
        cmocka_unit_test(slots),
        cmocka_unit_test(device_time),
        cmocka_unit_test(without),
    };
    return cmocka_run_group_tests_name("os/reclaim", tests, NULL, NULL);
}
