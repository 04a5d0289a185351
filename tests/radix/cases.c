/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The radix driver in cases made on purpose: large splits, swap entries, each attribute's bits, memory that ends at
 * every allocation, a cursor whose tables went. Random operations: driver.c.
 */
#include "support/sim.h"
#include "mmu/radix/format.h"

#define MODES 2 /* 0: customized, 1: basic functions only */

/* 1 GiB into 4 KiB at once: 512 tables, each piece at its place. */
static void deep_split(void **state) {
    (void)state;
    for (unsigned basic = 0; basic < MODES; basic++) {
        struct emt_gather g;
        struct emt_tdb tdb;
        struct emt_tobj o;
        struct sim s;

        sim_open(&s, emt_arch_find("radix4"), basic);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 1ull << 40, 1 << 18, 1ull << 30, EMT_PROT_WRITE), 0);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_CACHE, 5), 0);
        assert_int_equal(emt_tdb_update(&tdb, &o), 0);
        emt_gather_init(&g);
        assert_int_equal(emt_huge_split(&tdb, (1ull << 40) + 12345, 12345, &g), -EINVAL);
        emt_gather_flush(&tdb, &g);
        assert_int_equal(tdb.table_bytes, 2 * EMT_PAGE_BYTES);
        assert_int_equal(emt_huge_split(&tdb, (1ull << 40) + 12345, EMT_PAGE_BYTES, &g), 0);
        emt_gather_flush(&tdb, &g);
        assert_int_equal(tdb.table_bytes, (2 + 1 + 512) * EMT_PAGE_BYTES);
        for (uint64_t i = 0; i < 1 << 18; i += 511) {
            assert_int_equal(emt_tdb_find(&tdb, (1ull << 40) + i * EMT_PAGE_BYTES, &o), 0);
            assert_int_equal(o.bytes, EMT_PAGE_BYTES);
            assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_PFN), (1 << 18) + i);
            assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_CACHE), 5);
        }
        emt_tdb_destroy(&tdb);
        sim_close(&s);
    }
}

/* The pieces of a huge page that was swapped out lie side by side in swap. */
static void swap_split(void **state) {
    const uint64_t va = 1ull << 40, swap = 3ull << 50 | 0x12345600;
    struct emt_gather g;
    struct emt_tdb tdb;
    struct emt_tobj o;
    struct sim s;
    (void)state;

    sim_open(&s, emt_arch_find("radix4"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    assert_int_equal(emt_tobj_init_swap(&s.svc, &o, va, 1 << 21, swap), 0);
    assert_int_equal(emt_tdb_update(&tdb, &o), 0);
    emt_gather_init(&g);
    assert_int_equal(emt_huge_split(&tdb, va + 4096, EMT_PAGE_BYTES, &g), 0);
    assert_true(g.lo >= g.hi); /* hardware never saw it */
    for (unsigned i = 0; i < 512; i++) {
        assert_int_equal(emt_tdb_find(&tdb, va + i * EMT_PAGE_BYTES, &o), 0);
        assert_int_equal(o.bytes, EMT_PAGE_BYTES);
        assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_SWAP), swap + i);
    }
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

/* ---- translation objects, to the bit ---- */

static void bits(void **state) {
    static const uint64_t sizes[] = {1ull << 12, 1ull << 21, 1ull << 30};
    struct emt_caps caps;
    struct emt_tobj o;
    struct sim s;
    (void)state;

    sim_open(&s, emt_arch_find("radix4"), false);
    emt_tsvc_caps(&s.svc, &caps);
    assert_true(caps.va_bits == 48 && caps.pa_bits == 52 && caps.asid_bits == 12 && caps.soft_bits == 9);
    assert_int_equal(caps.page_sizes, 1ull << 12 | 1ull << 21 | 1ull << 30);
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t pfn = 3ull << 18, ps = i ? 0x80 : 0, pat = i ? 1 << 12 : 1 << 7;
        const uint64_t plain = pfn << 12 | ps | 1ull << 63 | 1;
        const struct {
            enum emt_attr attr;
            uint64_t value, raw;
        } set[] = {
            {EMT_ATTR_WRITE, 1, plain | 2},
            {EMT_ATTR_USER, 1, plain | 4},
            {EMT_ATTR_EXEC, 1, plain & ~(1ull << 63)},
            {EMT_ATTR_GLOBAL, 1, plain | 0x100},
            {EMT_ATTR_ACCESSED, 1, plain | 0x20},
            {EMT_ATTR_DIRTY, 1, plain | 0x40},
            {EMT_ATTR_CACHE, 1, plain | 8},
            {EMT_ATTR_CACHE, 2, plain | 0x10},
            {EMT_ATTR_CACHE, 4, plain | pat},
            {EMT_ATTR_PKEY, 9, plain | 9ull << 59},
            {EMT_ATTR_SOFT, 3, plain | 0x600},
            {EMT_ATTR_CONTIG, 1, plain | 0x800},
            {EMT_ATTR_SOFT, 0x1fc, plain | 0x7full << 52},
            /* Linux 6.1: type in the top five bits, offset from bit 9 and inverted */
            {EMT_ATTR_SWAP, 0x1full << 50 | 1, 0x1full << 59 | (~1ull << 9 & ~(0x1full << 59))},
            {EMT_ATTR_SWAP, 5, ~5ull << 9 & ~(0x1full << 59)},
            /* Linux's PROT_NONE: bit 8, frame inverted */
            {EMT_ATTR_PRESENT, 0, ((plain & ~1ull) | 0x100) ^ (((1ull << 52) - 1) & ~(sizes[i] - 1))},
        };
        for (unsigned k = 0; k < sizeof(set) / sizeof(set[0]); k++) {
            assert_int_equal(emt_tobj_init(&s.svc, &o, 0, pfn, sizes[i], 0), 0);
            assert_true(o.raw[0] == plain && o.raw[1] == 0);
            assert_int_equal(emt_tobj_set(&s.svc, &o, set[k].attr, set[k].value), 0);
            assert_int_equal(o.raw[0], set[k].raw);
            assert_int_equal(emt_tobj_get(&s.svc, &o, set[k].attr), set[k].value);
            assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_PFN), set[k].attr == EMT_ATTR_SWAP ? 0 : pfn);
        }
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PRESENT, 1), 0); /* and back */
        assert_int_equal(o.raw[0], plain);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_GLOBAL, 1), 0);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PRESENT, 0), -EINVAL); /* bit 8 cannot say both */
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PKEY, 16), -EINVAL);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SOFT, 512), -EINVAL);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SWAP, 0), -EINVAL);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SWAP, (1ull << 50) - 1), -EINVAL); /* would be a void */
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_SWAP, 1ull << 55), -EINVAL);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PFN, 1ull << 40), -EINVAL);
        assert_int_equal(emt_tobj_set(&s.svc, &o, EMT_ATTR_PFN, 1), i ? -EINVAL : 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 4096, 1, sizes[i], 0), i ? -EINVAL : 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 1ull << 47, 0, sizes[i], 0), -EINVAL);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 0, 1ull << 40, sizes[i], 0), -EINVAL);
    }
    assert_int_equal(emt_tobj_init(&s.svc, &o, 0, 0, 8192, 0), -EINVAL);
    sim_close(&s);
}

/* ---- exhausted memory ---- */

static int op_map_4k(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    struct emt_tobj o;
    (void)other, (void)g;

    assert_int_equal(emt_tobj_init(tdb->svc, &o, 0x700000000000, 5, 4096, 0), 0);
    return emt_tdb_update(tdb, &o);
}

static int op_split_2m(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    (void)other;
    return emt_huge_split(tdb, 0x40000000, 4096, g);
}

static int op_split_1g(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    (void)other;
    return emt_huge_split(tdb, 0x80000000, 1 << 21, g);
}

static int op_split_deep(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    (void)other;
    return emt_huge_split(tdb, 0x80000000, 4096, g);
}

static int op_collapse(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    struct emt_tobj o;
    (void)other;

    assert_int_equal(emt_tobj_init(tdb->svc, &o, 0x6000000000, 512, 1 << 21, 0), 0);
    return emt_huge_collapse(tdb, &o, g);
}

static int op_cursor_set(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    struct emt_cursor c;
    struct emt_tobj o;
    (void)other;

    assert_int_equal(emt_cursor_open(&c, tdb, 0x700000000000, 0x700000001000, g), 0);
    assert_false(emt_cursor_next(&c));
    assert_int_equal(emt_tobj_init(tdb->svc, &o, 0x700000000000, 5, 4096, 0), 0);
    int err = emt_cursor_set(&c, &o);
    emt_cursor_close(&c);
    return err;
}

static int copy_all(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    (void)ctx, (void)src, (void)dst;
    return 1;
}

static int op_copy(struct emt_tdb *tdb, struct emt_tdb *other, struct emt_gather *g) {
    return emt_range_copy(other, tdb, 0, 1ull << 40, copy_all, NULL, g);
}

/* All objects, folded into one number. */
static uint64_t digest(struct emt_tdb *tdb) {
    struct emt_cursor c;
    uint64_t sum = 0;

    assert_int_equal(emt_cursor_open(&c, tdb, 0, 1ull << 47, NULL), 0);
    while (emt_cursor_next(&c)) {
        uint64_t x = sum ^ c.obj.va ^ c.obj.raw[0] << 1 ^ c.obj.bytes;
        sum = sim_random(&x);
    }
    emt_cursor_close(&c);
    return sum;
}

/* Every allocation in turn is the first to fail. Returns how many there are. */
static unsigned fail_each(int (*op)(struct emt_tdb *, struct emt_tdb *, struct emt_gather *), bool basic) {
    for (unsigned n = 1;; n++) {
        struct emt_tdb tdb, other;
        struct emt_gather g;
        struct emt_tobj o;
        struct sim s;

        sim_open(&s, emt_arch_find("radix5"), basic);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
        assert_int_equal(emt_tdb_create(&other, &s.svc, 2), 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 0x40000000, 512, 1 << 21, EMT_PROT_USER), 0);
        assert_int_equal(emt_tdb_update(&tdb, &o), 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 0x80000000, 1 << 18, 1 << 30, EMT_PROT_USER), 0);
        assert_int_equal(emt_tdb_update(&tdb, &o), 0);
        assert_int_equal(emt_tobj_init(&s.svc, &o, 0x5000000000, 77, 4096, EMT_PROT_USER), 0);
        assert_int_equal(emt_tdb_update(&tdb, &o), 0);

        const uint64_t before = digest(&tdb), bytes = tdb.table_bytes;
        emt_gather_init(&g);
        s.host.fail_at = n;
        int err = op(&tdb, &other, &g);
        s.host.fail_at = 0;
        emt_gather_flush(&tdb, &g);
        emt_host_release_freed(&s.host);
        assert_true(err == 0 || err == -ENOMEM);
        if (err) {
            assert_int_equal(digest(&tdb), before);
            assert_int_equal(tdb.table_bytes, bytes);
            /* and it works once there is memory again */
            assert_int_equal(op(&tdb, &other, &g), 0);
            emt_gather_flush(&tdb, &g);
        }
        assert_int_equal(s.live, (tdb.table_bytes + other.table_bytes) / EMT_PAGE_BYTES);
        emt_tdb_destroy(&tdb);
        emt_tdb_destroy(&other);
        sim_close(&s);
        if (!err)
            return n - 1;
    }
}

static void exhausted_memory(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations */
#endif
    (void)state;
    for (unsigned basic = 0; basic < MODES; basic++) {
        assert_int_equal(fail_each(op_map_4k, basic), 3); /* PDPT, PD, PT: the PML4 serves the low addresses too */
        assert_int_equal(fail_each(op_cursor_set, basic), 3);
        assert_int_equal(fail_each(op_split_2m, basic), basic ? 2 : 1); /* the default loses its PD on the way */
        assert_int_equal(fail_each(op_split_1g, basic), 1);
        assert_int_equal(fail_each(op_collapse, basic), 1);
        assert_int_equal(fail_each(op_copy, basic), 5); /* PML4, PDPT, PD; PD, PT of the third object */
    }
    assert_int_equal(fail_each(op_split_deep, false), 1 + 512);
    for (unsigned basic = 0; basic < MODES; basic++) {
        struct emt_tdb tdb;
        struct sim s;

        sim_open(&s, emt_arch_find("radix4"), basic);
        s.host.fail_at = 1;
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), -ENOMEM);
        s.host.fail_at = 0;
        sim_close(&s);
    }
}

/* ---- others change the tables under an open cursor's range; the cursor must notice ---- */

static void stale_cursor(void **state) {
    struct emt_cursor c;
    struct emt_tdb tdb;
    struct emt_tobj o;
    struct sim s;
    (void)state;

    sim_open(&s, emt_arch_find("radix4"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 1), 0);
    assert_int_equal(emt_tobj_init(&s.svc, &o, 0x200000, 1, 4096, 0), 0);
    assert_int_equal(emt_tdb_update(&tdb, &o), 0);
    assert_int_equal(emt_cursor_open(&c, &tdb, 0x200000, 0x400000, NULL), 0);
    assert_true(emt_cursor_next(&c));
    assert_int_equal(emt_tdb_remove(&tdb, 0x200000, &o), 0); /* its table goes */
    emt_host_release_freed(&s.host);                         /* and is somebody else's */
    assert_int_equal(emt_tobj_init(&s.svc, &o, 0x201000, 2, 4096, 0), 0);
    assert_int_equal(emt_cursor_set(&c, &o), 0);
    emt_cursor_close(&c);
    assert_int_equal(emt_tdb_find(&tdb, 0x201000, &o), 0);
    assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_PFN), 2);
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_split),       cmocka_unit_test(swap_split),   cmocka_unit_test(bits),
        cmocka_unit_test(exhausted_memory), cmocka_unit_test(stale_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
