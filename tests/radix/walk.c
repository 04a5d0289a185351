/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* radix walks: how many fetches, which entries, A and D, paging-structure caches, reserved bits, addresses. */
#include "support/sim.h"
#include "mmu/radix/format.h"

#define VA 0x5c8315cc2016ull /* PML4 0xb9, PDPT 0x0c, PD 0xae, PT 0xc2, offset 0x016 */

static const struct emt_arch *arch(const char *name) {
    const struct emt_arch *a = emt_arch_find(name);

    assert_non_null(a);
    return a;
}

static void map(struct emt_tdb *tdb, uint64_t va, uint64_t pfn, uint64_t bytes, unsigned prot) {
    struct emt_tobj o;

    assert_int_equal(emt_tobj_init(tdb->svc, &o, va, pfn, bytes, prot), 0);
    assert_int_equal(emt_tdb_update(tdb, &o), 0);
}

static uint64_t *word(struct sim *s, uint64_t pa) {
    return (uint64_t *)(void *)(s->host.phys + pa);
}

/* Cold: one fetch a level, each at the place that the address says; then with caches: one. */
static void fetches(void **state) {
    static const unsigned index[] = {0xc2, 0xae, 0x0c, 0xb9, 0};
    static const char *const table[] = {"PT", "PD", "PDPT", "PML4", "PML5"};
    (void)state;

    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            const struct emt_access load = {.va = VA, .type = EMT_LOAD, .user = true, .nx = true};
            const uint64_t bytes = radix_bytes(leaf);
            struct emt_walk w;
            struct emt_tdb tdb;
            struct sim s;

            sim_open(&s, arch(levels == 4 ? "radix4" : "radix5"), false);
            assert_int_equal(emt_tdb_create(&tdb, &s.svc, 7), 0);
            map(&tdb, VA & ~(bytes - 1), 5 * (bytes >> 12), bytes, EMT_PROT_USER);
            sim_port_reset(&s, true);
            assert_int_equal(sim_walk(&s, &tdb, &load, &w), 0);
            assert_false(w.fault);
            assert_int_equal(w.va, VA & ~(bytes - 1));
            assert_int_equal(w.pa, 5 * bytes);
            assert_int_equal(w.bytes, bytes);
            assert_int_equal(s.port.fetches, levels + 1 - leaf);
            for (unsigned i = 0; i < s.port.fetches; i++) {
                assert_int_equal(s.port.log[i].level, levels - i);
                assert_int_equal(s.port.log[i].index, index[levels - i - 1]);
                assert_string_equal(s.port.log[i].table, table[levels - i - 1]);
                assert_int_equal(s.port.log[i].pa & 0xfff, 8 * index[levels - i - 1]);
            }
            /* Filled on the way: what leads to a table, never what maps a page. */
            assert_int_equal(s.port.puts, levels - leaf);
            s.port.fetches = 0;
            assert_int_equal(sim_walk(&s, &tdb, &load, &w), 0);
            assert_int_equal(s.port.fetches, 1);
            assert_int_equal(w.pa, 5 * bytes);
            /* Dropping the longest match costs one fetch more, as many times as there are caches. */
            for (unsigned cache = 0; cache < levels - 1; cache++) {
                memset(s.port.cache[cache], 0, sizeof(s.port.cache[cache]));
                struct emt_access again = load;
                again.va ^= 1; /* same page */
                s.port.fetches = 0;
                s.port.port.cache_put = NULL;
                assert_int_equal(sim_walk(&s, &tdb, &again, &w), 0);
                assert_int_equal(s.port.fetches, cache + 2 < leaf + 1 ? 1 : cache + 2 - (leaf - 1));
            }
            emt_tdb_destroy(&tdb);
            sim_close(&s);
        }
    }
}

static void cache_lists(void **state) {
    static const char *const names[] = {"pde", "pdpte", "pml4e", "pml5e"};
    static const unsigned shifts[] = {21, 30, 39, 48};
    (void)state;

    for (unsigned levels = 4; levels <= 5; levels++) {
        const struct emt_walker_ops *w = arch(levels == 4 ? "radix4" : "radix5")->walker;
        assert_int_equal(w->ncaches, levels - 1);
        for (unsigned i = 0; i < w->ncaches; i++) {
            assert_string_equal(w->caches[i].name, names[i]);
            assert_int_equal(w->caches[i].key_shift, shifts[i]);
            assert_true(w->caches[i].upper);
        }
    }
}

/* A and D: a load sets A, a store D too, a denied access neither in the leaf, a look nothing at all. */
static void accessed_dirty(void **state) {
    struct emt_access a = {.va = VA, .type = EMT_STORE, .user = true, .nx = true, .peek = true};
    struct emt_walk w;
    struct emt_tdb tdb;
    struct emt_tobj o;
    struct sim s;
    (void)state;

    sim_open(&s, arch("radix4"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 0), 0);
    map(&tdb, VA & ~0xfffull, 5, 4096, EMT_PROT_USER | EMT_PROT_WRITE);
    sim_port_reset(&s, true);
    assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
    assert_false(w.fault || w.dirty);
    assert_int_equal(s.port.updates + s.port.puts, 0);
    /* As an OS that does not set A in tables beforehand would leave them. */
    for (unsigned i = 0; i < 3; i++)
        *word(&s, s.port.log[i].pa) &= ~RADIX_MASK(A);
    const uint64_t pml4e = s.port.log[0].pa, pte = s.port.log[3].pa;

    a.peek = false;
    a.type = EMT_FETCH; /* NX: denied, the way to it is marked all the same */
    sim_port_reset(&s, true);
    assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
    assert_true(w.fault);
    assert_int_equal(s.port.updates, 3);
    assert_int_equal(*word(&s, pte) & (RADIX_MASK(A) | RADIX_MASK(D)), 0);
    assert_true(*word(&s, pml4e) & RADIX_MASK(A));

    a.type = EMT_LOAD;
    assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
    assert_false(w.fault || w.dirty);
    assert_int_equal(*word(&s, pte) & (RADIX_MASK(A) | RADIX_MASK(D)), RADIX_MASK(A));
    a.type = EMT_STORE;
    assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
    assert_true(!w.fault && w.dirty);
    assert_int_equal(*word(&s, pte) & (RADIX_MASK(A) | RADIX_MASK(D)), RADIX_MASK(A) | RADIX_MASK(D));
    assert_int_equal(s.port.updates, 5);
    assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
    assert_int_equal(s.port.updates, 5); /* nothing left to set */

    assert_int_equal(emt_tdb_find(&tdb, VA, &o), 0);
    assert_int_equal(emt_tobj_get(&s.svc, &o, EMT_ATTR_DIRTY), 1);
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

/* The entry changes between read and update: the walk must act on what stands there then. */
static void races(void **state) {
    const struct emt_access store = {.va = VA, .type = EMT_STORE, .user = true, .nx = true};
    struct emt_walk w;
    struct emt_tdb tdb;
    struct sim s;
    (void)state;

    sim_open(&s, arch("radix4"), false);
    assert_int_equal(emt_tdb_create(&tdb, &s.svc, 0), 0);
    map(&tdb, VA & ~0xfffull, 5, 4096, EMT_PROT_USER | EMT_PROT_WRITE);
    sim_port_reset(&s, false);
    struct emt_access look = store;
    look.peek = true;
    assert_int_equal(sim_walk(&s, &tdb, &look, &w), 0);
    const uint64_t pte = s.port.log[3].pa, pde = s.port.log[2].pa, old = *word(&s, pte), pd = *word(&s, pde);
    const struct {
        uint64_t pa, value;
        bool fault;
        uint32_t code;
    } cases[] = {
        {pte, 0, true, EMT_PF_WRITE | EMT_PF_USER},                                      /* unmapped */
        {pte, old & ~RADIX_MASK(RW), true, EMT_PF_PRESENT | EMT_PF_WRITE | EMT_PF_USER}, /* write-protected */
        {pte, RADIX_PUT(old, FRAME, 9), false, 0},                                       /* moved */
        {pte, old | RADIX_MASK(A), false, 0},                                            /* another walker */
        {pde, pd & ~RADIX_MASK(P), true, EMT_PF_WRITE | EMT_PF_USER},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        *word(&s, pte) = old;
        *word(&s, pde) = pd & ~RADIX_MASK(A);
        sim_port_reset(&s, true);
        s.port.interfere = true;
        s.port.interfere_pa = cases[i].pa;
        s.port.interfere_value = cases[i].value;
        assert_int_equal(sim_walk(&s, &tdb, &store, &w), 0);
        assert_false(s.port.interfere);
        assert_int_equal(w.fault, cases[i].fault);
        assert_int_equal(w.code, cases[i].code);
        assert_int_equal(*word(&s, cases[i].pa) | RADIX_MASK(A) | RADIX_MASK(D),
                         cases[i].value | RADIX_MASK(A) | RADIX_MASK(D));
        if (cases[i].fault) /* the changed entry stays as it is, and enters no cache */
            assert_int_equal(*word(&s, cases[i].pa), cases[i].value);
        assert_int_equal(s.port.puts, cases[i].pa == pde ? 2 : 3);
        if (!w.fault)
            assert_int_equal(w.pa, cases[i].value & RADIX_MASK(FRAME));
    }
    *word(&s, pde) = pd;
    emt_tdb_destroy(&tdb);
    sim_close(&s);
}

/* Each bit of an entry of each level, alone: is it reserved? */
static void reserved(void **state) {
    const unsigned widths[] = {52, 46, 39};
    (void)state;

    for (unsigned n = 0; n < 3; n++) {
        for (unsigned levels = 4; levels <= 5; levels++) {
            for (unsigned leaf = 1; leaf <= 3; leaf++) {
                struct emt_arch narrow = *arch(levels == 4 ? "radix4" : "radix5");
                struct emt_access a = {.va = VA, .type = EMT_LOAD, .user = true, .peek = true};
                struct emt_walk w;
                struct emt_tdb tdb;
                struct sim s;

                narrow.param[1] = widths[n];
                sim_open(&s, &narrow, false);
                assert_int_equal(emt_tdb_create(&tdb, &s.svc, 0), 0);
                map(&tdb, VA & ~(radix_bytes(leaf) - 1), 0, radix_bytes(leaf), EMT_PROT_USER | EMT_PROT_EXEC);
                sim_port_reset(&s, false);
                assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
                const unsigned steps = s.port.fetches;
                struct emt_fetch way[5];
                memcpy(way, s.port.log, sizeof(way));
                for (unsigned i = 0; i < steps; i++) {
                    const unsigned level = levels - i;
                    for (unsigned bit = 1; bit < 64; bit++) {
                        const bool is_leaf = level == leaf, large = is_leaf && leaf > 1;
                        const bool rsvd = (bit >= widths[n] && bit < 52) || bit == 63 || (bit == 7 && level > 3) ||
                                          (large && bit >= 13 && bit < (leaf == 2 ? 21 : 30));
                        const uint64_t was = way[i].data[0];
                        /* A table's frame bits, or making a leaf of a table, lead elsewhere: not the question here.
                         */
                        if (!rsvd && !is_leaf && ((bit >= 12 && bit < 52) || bit == 7))
                            continue;
                        if (bit == RADIX_US_FIRST || (large && bit == 7))
                            continue;
                        *word(&s, way[i].pa) = was | 1ull << bit;
                        assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
                        assert_int_equal(w.fault, rsvd);
                        assert_int_equal(w.code, rsvd ? EMT_PF_RSVD | EMT_PF_PRESENT | EMT_PF_USER : 0);
                        /* Reserved bits of an entry that is not present mean nothing. */
                        *word(&s, way[i].pa) = (was | 1ull << bit) & ~1ull;
                        assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
                        assert_true(w.fault && w.code == EMT_PF_USER);
                        *word(&s, way[i].pa) = was;
                    }
                }
                emt_tdb_destroy(&tdb);
                sim_close(&s);
            }
        }
    }
}

static void addresses(void **state) {
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        const uint64_t half = 1ull << (levels == 4 ? 47 : 56);
        const uint64_t good[] = {0, half - 1, -half, ~0ull}, bad[] = {half, -half - 1, 1ull << 62, ~0ull / 2};
        struct emt_access a = {.type = EMT_LOAD, .nx = true};
        struct emt_walk w;
        struct emt_tdb tdb;
        struct sim s;

        sim_open(&s, arch(levels == 4 ? "radix4" : "radix5"), false);
        assert_int_equal(emt_tdb_create(&tdb, &s.svc, 0), 0);
        for (unsigned i = 0; i < 4; i++)
            map(&tdb, good[i] & ~0xfffull, i + 1, 4096, 0);
        for (unsigned i = 0; i < 4; i++) {
            sim_port_reset(&s, false);
            a.va = good[i];
            assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
            assert_true(!w.fault && w.pa == (i + 1) * 4096);
            sim_port_reset(&s, false);
            a.va = bad[i];
            assert_int_equal(sim_walk(&s, &tdb, &a, &w), 0);
            assert_true(w.fault && w.code == 0 && s.port.fetches == 0);
        }
        /* No address space: the root leads outside of memory, and the walk says so. */
        struct emt_root none = {.word = {EMT_NO_PA}};
        a.va = 0;
        assert_int_equal(s.svc.arch->walker->walk(s.svc.arch, &none, &a, &s.port.port, &w), -EFAULT);
        emt_tdb_destroy(&tdb);
        sim_close(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetches), cmocka_unit_test(cache_lists), cmocka_unit_test(accessed_dirty),
        cmocka_unit_test(races),   cmocka_unit_test(reserved),    cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
