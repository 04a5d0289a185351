/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* TLBs of mosaic pages against plain models, in many geometries and arities. */
#include "hw/world.h"

#include "hw/mosaic_tlb.h"
#include "mmu/mosaic/format.h"
#include "hw/naive.h"

#define PAGES     4096
#define FULL(n)   (~0ull >> (64 - (n)))
#define ALL_FLAGS (TLB_WRITE | TLB_EXEC)

static const unsigned arities[] = {4, 8, 16, 32, 64};
static const struct geometry {
    unsigned entries, ways;
} geometries[] = {{1, 1}, {16, 1}, {64, 4}, {21, 7}, {96, 6}, {48, 0}, {128, 0}, {80, 40}};
#define ARITIES    (sizeof(arities) / sizeof(arities[0]))
#define GEOMETRIES (sizeof(geometries) / sizeof(geometries[0]))

static struct emt_root root; /* of mosaic memory from frame 64 on */

static uint64_t key_of(uint16_t asid, uint64_t page) {
    return tlb_key(tlb_asid_key(asid), page << 12);
}

static void make(struct tlb *t, const struct geometry *g, enum cfg_replacement policy, unsigned arity) {
    const struct cfg_tlb cfg = {
        .level = 1, .pages = CFG_PAGE_4K, .entries = g->entries, .ways = g->ways, .replacement = policy};

    root.word[MOSAIC_ROOT_FIRST] = 64;
    root.word[MOSAIC_ROOT_BUCKETS] = 1000;
    assert_int_equal(tlb_init(t, &cfg, 3, 7), 0);
    assert_int_equal(mosaic_tlb_init(t, arity, emt_arch_find("mosaic:4")), 0);
}

static uint64_t frame_of(uint64_t page, unsigned code) {
    const struct mosaic_memory m = mosaic_root_memory(&root);

    return mosaic_frame(mosaic_random, &m, mosaic_key(0, page << 12), code) << 12;
}

/* The code that page has in all tests, so that its frame is known. */
static unsigned code_of(uint64_t page) {
    return (unsigned)(page * 7 % MOSAIC_FRONT);
}

/* An access: true is a hit, and the frame is right. A miss fills with the pages `mapped` of the mosaic page. */
static bool use(struct tlb *t, uint16_t asid, uint64_t page, unsigned arity, uint64_t mapped,
                struct tlb_entry *old) {
    uint8_t code[EMT_TOC_PAGES];
    struct mosaic_codes codes = {mapped, mapped, code};
    struct tlb_entry *slot = mosaic_tlb_find(t, key_of(asid, page), &root);

    old->tag = 0;
    if (slot) {
        assert_int_equal(tlb_page_pa(slot), frame_of(page, code_of(page)));
        assert_true(tlb_match(slot, key_of(asid, page)));
        assert_int_equal(slot->frame & TLB_INDEX, 3);
        tlb_touch(t, slot);
        return true;
    }
    for (unsigned i = 0; i < arity; i++)
        code[i] = (uint8_t)code_of((page & ~(uint64_t)(arity - 1)) + i);
    mosaic_tlb_insert(t, key_of(asid, page), &codes, frame_of(page, code_of(page)) | ALL_FLAGS | TLB_DIRTY, false,
                      old);
    return false;
}

/* Where all pages are mapped, it is a TLB of as many entries for pages that are larger. */
static void full_pages(const struct geometry *g, enum cfg_replacement policy, unsigned arity) {
    struct naive n;
    struct tlb t;
    struct tlb_entry evicted;
    uint64_t random = 42, hits = 0, old;
    bool dirty;

    make(&t, g, policy, arity);
    naive_init(&n, g->entries, t.ways, policy);
    for (unsigned i = 0; i < 6000; i++) {
        const uint64_t page = i & 1 ? skewed(&random, 14) : hw_random_below(&random, PAGES), number = page / arity;
        const bool hit = use(&t, 0, page, arity, FULL(arity), &evicted);
        hits += hit;
        assert_int_equal(hit, naive_use(&n, number, number, false, &old, &dirty));
        assert_int_equal(evicted.tag != 0, old != NAIVE_NONE);
        if (evicted.tag) {
            assert_int_equal(tlb_va(&evicted), old * arity << 12);
            assert_int_equal(tlb_bytes(&evicted), (uint64_t)arity << 12);
        }
        if (i % 16 == 0) {
            tlb_drop_range(&t, 0, number * arity << 12, ((number + 1) * arity << 12) - 1);
            naive_drop(&n, number, number);
        }
    }
    assert_int_equal(t.clock - t.fills, hits);
    assert_int_equal(t.mosaic->sub_misses, 0);
    free(n.set);
    tlb_fini(&t);
}

static void as_larger_pages(void **state) {
    (void)state;
    for (unsigned a = 0; a < ARITIES; a++)
        for (unsigned g = 0; g < GEOMETRIES; g++) {
            full_pages(&geometries[g], CFG_LRU, arities[a]);
            full_pages(&geometries[g], CFG_PLRU, arities[a]);
        }
}

/* ---- pages that come and go: which pages an entry has is kept beside the naive set ---- */

struct model {
    struct naive n;
    uint64_t has[PAGES]; /* by mosaic page */
};

static void model_drop(struct model *m, uint64_t number, uint64_t pages) {
    if (naive_way(&m->n, number, number) < 0)
        return;
    m->has[number] &= ~pages;
    if (!m->has[number])
        naive_drop(&m->n, number, number);
}

static void partial_pages(const struct geometry *g, unsigned arity) {
    static struct model m;
    static uint64_t mapped[PAGES];
    struct tlb t;
    struct tlb_entry evicted;
    uint64_t random = 9, old, misses = 0, sub_misses = 0;
    bool dirty;

    memset(&m, 0, sizeof(m));
    make(&t, g, CFG_LRU, arity);
    naive_init(&m.n, g->entries, t.ways, CFG_LRU);
    for (uint64_t i = 0; i < PAGES; i++)
        mapped[i] = hw_random(&random) & FULL(arity);
    for (unsigned i = 0; i < 8000; i++) {
        const uint64_t page = skewed(&random, 12), number = page / arity, bit = 1ull << page % arity;
        mapped[number] |= bit; /* a page fault maps it, as an access finds */
        const bool there = naive_way(&m.n, number, number) >= 0, expected = there && (m.has[number] & bit);
        assert_int_equal(use(&t, 0, page, arity, mapped[number], &evicted), expected);
        naive_use(&m.n, number, number, false, &old, &dirty);
        if (!expected)
            m.has[number] = mapped[number];
        misses += !expected;
        sub_misses += there && !expected;
        if (i % 8 == 0) { /* unmap a few pages, across mosaic pages */
            const uint64_t first = skewed(&random, 12), n = 1 + hw_random_below(&random, 2 * arity);
            tlb_drop_range(&t, 0, first << 12, ((first + n) << 12) - 1);
            for (uint64_t p = first; p < first + n; p++) {
                mapped[p / arity] &= ~(1ull << p % arity);
                model_drop(&m, p / arity, 1ull << p % arity);
            }
        }
    }
    assert_int_equal(t.fills, misses);
    assert_int_equal(t.mosaic->sub_misses, sub_misses);
    free(m.n.set);
    tlb_fini(&t);
}

static void pages_come_and_go(void **state) {
    (void)state;
    for (unsigned a = 0; a < ARITIES; a++)
        for (unsigned g = 0; g < GEOMETRIES; g++)
            partial_pages(&geometries[g], arities[a]);
}

/* ---- single pages, address spaces, rights ---- */

static void single_pages_beside(void **state) {
    const struct mosaic_codes none = {0};
    struct tlb_entry old;
    struct tlb t;

    (void)state;
    make(&t, &(struct geometry){8, 0}, CFG_LRU, 8);
    /* Two pages of one mosaic page, not compressed: two entries. */
    mosaic_tlb_insert(&t, key_of(0, 16), &none, 0x5000 | ALL_FLAGS, false, &old);
    mosaic_tlb_insert(&t, key_of(0, 17), &none, 0x9000 | ALL_FLAGS, true, &old);
    assert_int_equal(t.used, 2);
    assert_null(mosaic_tlb_find(&t, key_of(0, 18), &root));
    assert_int_equal(tlb_page_pa(mosaic_tlb_find(&t, key_of(0, 16), &root)), 0x5000);
    assert_null(mosaic_tlb_find(&t, key_of(1, 16), &root));
    assert_int_equal(tlb_page_pa(mosaic_tlb_find(&t, key_of(1, 17), &root)), 0x9000); /* global */
    /* And the others of it, compressed, in a third. */
    assert_false(use(&t, 0, 18, 8, 0xfc, &old));
    assert_true(use(&t, 0, 19, 8, 0, &old));
    assert_int_equal(t.used, 3);
    assert_int_equal(t.mosaic->sub_misses, 0);
    assert_null(mosaic_tlb_codes(&t, mosaic_tlb_find(&t, key_of(0, 16), &root)).code);
    assert_int_equal(mosaic_tlb_codes(&t, mosaic_tlb_find(&t, key_of(0, 19), &root)).valid, 0xfc);
    tlb_drop_asid(&t, 0);
    assert_int_equal(t.used, 1);
    tlb_drop_all(&t, true);
    assert_int_equal(t.used, 0);
    tlb_fini(&t);
}

/* A machine: what a store finds clean is walked for again, alone; a code is never taken for another address
 * space's. */
static void clean_pages(void **state) {
    uint8_t code[EMT_TOC_PAGES] = {1, 2, 3, 4};
    const struct mosaic_codes codes = {0xf, 0x2, code};
    struct tlb_entry old;
    struct tlb t;

    (void)state;
    make(&t, &(struct geometry){4, 0}, CFG_LRU, 4);
    mosaic_tlb_insert(&t, key_of(0, 4), &codes, frame_of(4, 1) | ALL_FLAGS, false, &old);
    assert_int_equal(mosaic_tlb_find(&t, key_of(0, 4), &root)->frame & TLB_FLAGS, ALL_FLAGS);
    assert_int_equal(mosaic_tlb_find(&t, key_of(0, 5), &root)->frame & TLB_FLAGS, ALL_FLAGS | TLB_DIRTY);
    mosaic_tlb_drop(&t, mosaic_tlb_find(&t, key_of(0, 4), &root));
    assert_null(mosaic_tlb_find(&t, key_of(0, 4), &root));
    assert_int_equal(tlb_page_pa(mosaic_tlb_find(&t, key_of(0, 7), &root)), frame_of(7, 4));
    assert_null(mosaic_tlb_find(&t, key_of(2, 7), &root));
    tlb_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_larger_pages),
        cmocka_unit_test(pages_come_and_go),
        cmocka_unit_test(single_pages_beside),
        cmocka_unit_test(clean_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
