/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The frame allocator against a naive one (an array that says, for each frame, which allocation holds it), and its
 * promises one by one: buddies join, nodes, grouping by mobility, exhaustion, the picture, the cost in host memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/frames.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct frames *frames(uint64_t bytes, unsigned nodes) {
    struct emt_config cfg = {.memory = {.bytes = bytes, .nodes = nodes}};
    struct frames *f;
    assert_int_equal(frames_new(&f, &cfg), 0);
    return f;
}

static uint64_t rnd(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 29;
}

/* Only order-10 pieces, and all of memory. */
static void assert_all_free(const struct frames *f) {
    uint64_t count[FRAMES_MAX_ORDER + 1];
    frames_free_blocks(f, count);
    for (unsigned o = 0; o < FRAMES_MAX_ORDER; o++)
        assert_int_equal(count[o], 0);
    assert_int_equal(count[FRAMES_MAX_ORDER] << FRAMES_MAX_ORDER, frames_total(f));
    assert_int_equal(frames_free_total(f), frames_total(f));
    assert_int_equal(frames_verify(f), 0);
}

/* ---- against the naive allocator ---- */

#define ORACLE_FRAMES 32768u /* 128 MiB */

struct oracle {
    struct frames *f;
    uint64_t state, owner[ORACLE_FRAMES]; /* of each frame; 0: free */
    uint32_t head[ORACLE_FRAMES];         /* first frame of the allocation */
    uint8_t order[ORACLE_FRAMES];         /* of allocations, by first frame */
    uint32_t live[ORACLE_FRAMES], nlive, free;
    uint64_t serial;
};

static void oracle_taken(struct oracle *o, uint64_t pfn, unsigned order, enum os_use use) {
    assert_true(pfn + (1u << order) <= ORACLE_FRAMES);
    assert_int_equal(pfn % (1u << order), 0);
    struct frame *r = frames_of(o->f, pfn);
    assert_non_null(r);
    assert_true(r->owner == 0 && r->maps == 0 && r->flags == 0 && r->use == use && r->order == order);
    r->owner = ++o->serial;
    r->maps = (uint32_t)o->serial * 3;
    r->flags = (uint16_t)o->serial;
    for (unsigned k = 0; k < 1u << order; k++) {
        assert_int_equal(o->owner[pfn + k], 0);
        o->owner[pfn + k] = r->owner;
        o->head[pfn + k] = (uint32_t)pfn;
    }
    o->order[pfn] = (uint8_t)order;
    o->live[o->nlive++] = (uint32_t)pfn;
    o->free -= 1u << order;
}

static void oracle_record(const struct oracle *o, uint64_t pfn) {
    const struct frame *r = frames_of(o->f, pfn);
    assert_non_null(r);
    assert_int_equal(r->owner, o->owner[pfn]);
    assert_int_equal(r->maps, (uint32_t)r->owner * 3);
    assert_int_equal(r->flags, (uint16_t)r->owner);
    assert_int_equal(r->order, o->order[pfn]);
}

static void oracle_free(struct oracle *o, uint32_t index) {
    uint32_t pfn = o->live[index];
    oracle_record(o, pfn);
    memset(&o->owner[pfn], 0, sizeof(o->owner[0]) << o->order[pfn]);
    o->free += 1u << o->order[pfn];
    o->live[index] = o->live[--o->nlive];
    for (unsigned step = 0; step < FRAMES_SOON_STEPS && o->nlive; step++) /* of what may never be freed, too */
        frames_soon(o->f, o->live[rnd(&o->state) % o->nlive], step);
    frames_free(o->f, pfn);
}

static void oracle_split(struct oracle *o, uint32_t index) {
    uint32_t pfn = o->live[index];
    unsigned order = o->order[pfn];
    if (order == 0)
        return;
    assert_int_equal(frames_split(o->f, pfn), 0);
    for (uint32_t k = 0; k < 1u << order; k++) {
        o->order[pfn + k] = 0;
        o->head[pfn + k] = pfn + k;
        if (k)
            o->live[o->nlive++] = pfn + k;
        oracle_record(o, pfn + k);
    }
}

static bool oracle_range_free(const struct oracle *o, uint64_t pfn, unsigned n) {
    for (unsigned k = 0; k < n; k++)
        if (o->owner[pfn + k])
            return false;
    return true;
}

static void oracle_alloc(struct oracle *o) {
    unsigned r = (unsigned)(rnd(&o->state) % 64), order = r < 40 ? 0 : r < 60 ? r % 9 : 9 + r % 2;
    enum frame_mobility m = rnd(&o->state) % 4 ? FRAME_MOVABLE : FRAME_UNMOVABLE;
    uint64_t at = rnd(&o->state) % ORACLE_FRAMES >> order << order, pfn;
    if (rnd(&o->state) % 3) {
        pfn = frames_alloc(o->f, order, (int)(rnd(&o->state) % 5) - 1, m, OS_USE_4K);
        if (pfn == FRAME_NONE) /* then there is really none */
            for (uint64_t p = 0; p < ORACLE_FRAMES; p += 1u << order)
                assert_false(oracle_range_free(o, p, 1u << order));
    } else {
        bool free = oracle_range_free(o, at, 1u << order);
        pfn = frames_alloc_at(o->f, at, order, m, OS_USE_4K);
        assert_int_equal(pfn, free ? at : FRAME_NONE);
    }
    if (pfn != FRAME_NONE)
        oracle_taken(o, pfn, order, OS_USE_4K);
}

static void oracle_look(struct oracle *o) {
    uint64_t pfn = rnd(&o->state) % ORACLE_FRAMES;
    unsigned n = (unsigned)(rnd(&o->state) % 3000), free = 0;
    for (uint64_t p = pfn; p < pfn + n && p < ORACLE_FRAMES; p++)
        free += o->owner[p] == 0;
    assert_int_equal(frames_free_in(o->f, pfn, n), free);
    assert_int_equal(frames_head(o->f, pfn), o->owner[pfn] ? o->head[pfn] : FRAME_NONE);
    assert_int_equal(frames_of(o->f, pfn) != NULL, o->owner[pfn] && o->head[pfn] == pfn);
    assert_int_equal(frames_free_total(o->f), o->free);
}

static void random_against_oracle(uint64_t seed, unsigned nodes) {
    struct oracle *o = calloc(1, sizeof(*o));
    *o = (struct oracle){.f = frames(ORACLE_FRAMES * 4096ull, nodes), .state = seed, .free = ORACLE_FRAMES};
    for (unsigned step = 0; step < 60000; step++) {
        /* grow for a while, then shrink */
        unsigned grow = step / 6000 % 2 ? 30 : 70, r = (unsigned)(rnd(&o->state) % 100);
        if (r < grow)
            oracle_alloc(o);
        else if (o->nlive && r >= 98)
            oracle_split(o, (uint32_t)(rnd(&o->state) % o->nlive));
        else if (o->nlive)
            oracle_free(o, (uint32_t)(rnd(&o->state) % o->nlive));
        if (step % 8 == 0)
            oracle_look(o);
        if (step % 500 == 0)
            assert_int_equal(frames_verify(o->f), 0);
    }
    while (o->nlive)
        oracle_free(o, (uint32_t)(rnd(&o->state) % o->nlive));
    assert_all_free(o->f);
    frames_free_all(o->f);
    free(o);
}

static void random_sequences(void **unused) {
    (void)unused;
    random_against_oracle(1, 1);
    random_against_oracle(2, 2);
    random_against_oracle(3, 4);
}

/* ---- one promise at a time ---- */

static void fresh_memory_ascends(void **unused) {
    (void)unused;
    struct frames *f = frames(64 * MIB, 1);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K), i);
    assert_int_equal(frames_alloc(f, 9, 0, FRAME_MOVABLE, OS_USE_2M), 5120);
    /* last in, first out; 5 alone waits at the end of its list because its buddy is in use but 6-7 are not */
    frames_free(f, 4000);
    frames_free(f, 100);
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K), 100);
    frames_free(f, 6);
    frames_free(f, 7);
    frames_free(f, 5);
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K), 4000);
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K), 5);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

static void bad_machines(void **unused) {
    (void)unused;
    struct emt_config cfg = {.memory = {.bytes = 16 * MIB, .nodes = 0}};
    struct frames *f;
    assert_int_equal(frames_new(&f, &cfg), -EINVAL);
    cfg.memory.nodes = 8;
    assert_int_equal(frames_new(&f, &cfg), -EINVAL);
    cfg.memory = (typeof(cfg.memory)){.bytes = (64ull << 40) + 4096, .nodes = 1};
    assert_int_equal(frames_new(&f, &cfg), -EINVAL);
    /* rounded down: 11 MiB in two nodes are two of 4 */
    f = frames(11 * MIB, 2);
    assert_int_equal(frames_total(f), 2048);
    assert_int_equal(frames_node(f, 1023), 0);
    assert_int_equal(frames_node(f, 1024), 1);
    assert_int_equal(frames_alloc_at(f, 2048, 0, FRAME_MOVABLE, OS_USE_4K), FRAME_NONE);
    assert_int_equal(frames_alloc_at(f, 1, 1, FRAME_MOVABLE, OS_USE_4K), FRAME_NONE);
    assert_int_equal(frames_alloc(f, 11, -1, FRAME_MOVABLE, OS_USE_4K), FRAME_NONE);
    frames_free_all(f);
}

static void nodes_by_distance(void **unused) {
    (void)unused;
    struct frames *f = frames(64 * MIB, 4); /* 4096 frames each */
    static const int order[] = {2, 1, 3, 0};
    for (unsigned k = 0; k < 4; k++)
        for (unsigned i = 0; i < 4096; i++)
            assert_int_equal(
                frames_node(f, frames_alloc(f, 0, 2, i % 5 ? FRAME_MOVABLE : FRAME_UNMOVABLE, OS_USE_4K)),
                order[k]);
    assert_int_equal(frames_alloc(f, 0, 2, FRAME_MOVABLE, OS_USE_4K), FRAME_NONE);
    frames_free(f, 5000);
    assert_int_equal(frames_alloc(f, 0, -1, FRAME_MOVABLE, OS_USE_4K), 5000);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

static void exhaustion(void **unused) {
    (void)unused;
    struct frames *f = frames(32 * MIB, 1);
    for (unsigned i = 0; i < 8192; i++)
        assert_int_not_equal(frames_alloc(f, 0, 0, i % 2, OS_USE_4K), FRAME_NONE);
    for (unsigned m = 0; m < FRAME_MOBILITIES; m++)
        for (unsigned o = 0; o <= FRAMES_MAX_ORDER; o++)
            assert_int_equal(frames_alloc(f, o, 0, m, OS_USE_4K), FRAME_NONE);
    assert_true(frames_fragmentation(f, 9) == 1);
    assert_int_equal(frames_verify(f), 0);
    for (uint64_t i = 0; i < 8192; i++)
        frames_free(f, i * 5003 % 8192);
    assert_all_free(f);
    frames_free_all(f);
}

/* Blocks of 2 MiB that hold a frame of this use. */
static unsigned blocks_with(const struct frames *f, enum os_use use) {
    unsigned n = (unsigned)(frames_total(f) / 512), with = 0;
    struct os_cell *cells = calloc(n, sizeof(*cells));
    frames_map(f, cells, n);
    for (unsigned i = 0; i < n; i++)
        with += cells[i].bytes[use] != 0;
    free(cells);
    return with;
}

static void mobility_groups(void **unused) {
    (void)unused;
    struct frames *f = frames(256 * MIB, 1); /* 65536 frames, 128 blocks */
    for (unsigned i = 0; i < 16384; i++) {
        frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K);
        frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE);
    }
    assert_int_equal(blocks_with(f, OS_USE_TABLE), 32); /* perfect: 16384 / 512 */
    assert_int_equal(blocks_with(f, OS_USE_4K), 32);
    /* Movable memory fills up all the rest, then half of it goes: tables claim the emptied page blocks, whole. */
    uint64_t pfn;
    while ((pfn = frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K)) != FRAME_NONE)
        ;
    for (pfn = 0; pfn < 65536; pfn++)
        if (frames_of(f, pfn)->use == OS_USE_4K && pfn % 512 >= 200)
            frames_free(f, pfn);
    for (unsigned i = 0; i < 3120; i++)
        assert_int_not_equal(frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE), FRAME_NONE);
    assert_int_equal(blocks_with(f, OS_USE_TABLE), 32 + 10); /* 312 free in each: 3120 / 312 */
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

/* Less than half of a page block is free: it stays movable, and a table takes one frame of it all the same. */
static void mobility_single(void **unused) {
    (void)unused;
    struct frames *f = frames(4 * MIB, 1);
    for (unsigned i = 0; i < 1024; i++)
        frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K);
    for (uint64_t i = 0; i < 255; i++)
        frames_free(f, i);
    uint64_t table = frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE);
    assert_int_equal(table, 254); /* the smallest piece will do */
    /* the rest is still movable: the next table goes to the smallest piece anywhere */
    frames_free(f, 700);
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE), 700);
    assert_int_equal(frames_verify(f), 0);
    frames_free_all(f);
}

/* A page block that was free takes the kind of what is placed in it. */
static void mobility_of_placement(void **unused) {
    (void)unused;
    struct frames *f = frames(64 * MIB, 1);
    assert_int_equal(frames_alloc_at(f, 5000, 0, FRAME_UNMOVABLE, OS_USE_TABLE), 5000);
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_UNMOVABLE, OS_USE_TABLE), 5001);
    assert_int_equal(frames_alloc(f, 9, 0, FRAME_MOVABLE, OS_USE_2M), 4096); /* the other half of its pair */
    assert_int_equal(frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K), 0);
    frames_free_all(f);
}

static void picture(void **unused) {
    (void)unused;
    struct frames *f = frames(64 * MIB, 1);
    frames_alloc_at(f, 0, 10, FRAME_MOVABLE, OS_USE_2M);         /* cells 0 and part of 1 */
    frames_alloc_at(f, 1500, 0, FRAME_MOVABLE, OS_USE_FILE);     /* cell 1 ends at 1489 with 11 cells: cell 1 */
    frames_alloc_at(f, 16383, 0, FRAME_UNMOVABLE, OS_USE_TABLE); /* the last */
    for (unsigned n = 1; n < 40; n++) {
        struct os_cell cells[40];
        uint64_t sum[OS_USES] = {0};
        frames_map(f, cells, n);
        for (unsigned c = 0; c < n; c++) {
            uint64_t start = 16384ull * c / n, end = 16384ull * (c + 1) / n, all = 0;
            for (unsigned u = 0; u < OS_USES; u++) {
                sum[u] += cells[c].bytes[u];
                all += cells[c].bytes[u];
            }
            assert_int_equal(all, (end - start) * 4096);
            uint64_t big = start < 1024 ? (end < 1024 ? end : 1024) - start : 0;
            assert_int_equal(cells[c].bytes[OS_USE_2M], big * 4096);
            assert_int_equal(cells[c].bytes[OS_USE_FILE], start <= 1500 && 1500 < end ? 4096 : 0);
        }
        assert_int_equal(cells[n - 1].bytes[OS_USE_TABLE], 4096);
        assert_int_equal(sum[OS_USE_FREE], 64 * MIB - 4 * MIB - 8192);
    }
    frames_free_all(f);
}

/* ---- cost ---- */

static uint64_t resident_bytes(void) {
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu %llu", &size, &resident), 2);
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(struct frames *f, unsigned order, uint64_t n, double limit_bytes) {
    uint64_t before = resident_bytes(), pfn;
    double start = seconds();
    for (uint64_t i = 0; i < n; i++) {
        pfn = frames_alloc(f, order, 0, FRAME_MOVABLE, order ? OS_USE_2M : OS_USE_4K);
        assert_true(pfn != FRAME_NONE);
        frames_of(f, pfn)->owner = i + 1;
    }
    double each = (double)(resident_bytes() - before) / (double)n, alloc = seconds() - start;
    start = seconds();
    for (pfn = 0; pfn < n << order; pfn += 1u << order)
        frames_free(f, pfn);
    print_message("order %u: %.1f host bytes for each of %llu; %.0f ns to allocate (host page faults included), "
                  "%.0f to free\n",
                  order, each, (unsigned long long)n, alloc / (double)n * 1e9,
                  (seconds() - start) / (double)n * 1e9);
    assert_true(each > 0 && each <= limit_bytes);
    assert_all_free(f);
}

static void host_memory(void **unused) {
    (void)unused;
    struct frames *f = frames(1024 * GIB, 1);
    fill(f, 0, 2000000, 20);
    frames_free_all(f);
    f = frames(16384 * GIB, 2);
    fill(f, 9, 1000000, 40);
    frames_free_all(f);

    uint64_t before = resident_bytes();
    f = frames(65536 * GIB, 8);
    uint64_t end = frames_total(f), pfn = end - 512;
    assert_int_equal(frames_alloc_at(f, pfn, 9, FRAME_MOVABLE, OS_USE_2M), pfn);
    assert_int_equal(frames_alloc_at(f, pfn - 1, 0, FRAME_MOVABLE, OS_USE_4K), pfn - 1);
    assert_int_equal(frames_node(f, frames_alloc(f, 0, 7, FRAME_UNMOVABLE, OS_USE_TABLE)), 7);
    assert_int_equal(frames_verify(f), 0);
    print_message("64 TiB: %llu KiB of host memory\n", (unsigned long long)(resident_bytes() - before) / 1024);
    assert_true(resident_bytes() - before < 16 * MIB);
    frames_free_all(f);
}

/* Order 0 in the steady state: frames of a half-full machine, freed and allocated at random. */
static void churn(void **unused) {
    (void)unused;
    enum { HELD = 1 << 18, ROUNDS = 2000000 };
    struct frames *f = frames(2 * GIB, 1);
    uint64_t *held = malloc(HELD * sizeof(*held)), state = 7;
    for (unsigned i = 0; i < HELD; i++)
        held[i] = frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K);
    double start = seconds();
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* in bursts: a burst of frees lets buddies join and lists grow */
        uint64_t *slot = &held[rnd(&state) % HELD];
        if (*slot != FRAME_NONE) {
            frames_free(f, *slot);
            *slot = FRAME_NONE;
        } else {
            *slot = frames_alloc(f, 0, 0, FRAME_MOVABLE, OS_USE_4K);
        }
    }
    print_message("churn: %.0f ns for an allocation or a free\n", (seconds() - start) / ROUNDS * 1e9);
    assert_int_equal(frames_verify(f), 0);
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != FRAME_NONE)
            frames_free(f, held[i]);
    assert_all_free(f);
    free(held);
    frames_free_all(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences),
        cmocka_unit_test(fresh_memory_ascends),
        cmocka_unit_test(bad_machines),
        cmocka_unit_test(nodes_by_distance),
        cmocka_unit_test(exhaustion),
        cmocka_unit_test(mobility_groups),
        cmocka_unit_test(mobility_single),
        cmocka_unit_test(mobility_of_placement),
        cmocka_unit_test(picture),
        cmocka_unit_test(host_memory),
        cmocka_unit_test(churn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
