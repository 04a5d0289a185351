/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A walker between any two table accesses of the driver. It uses the registers as the driver has loaded them, not
 * as the driver knows them, and must find every live page at any moment with its first probes, not when it looks
 * again: while lines are kicked and rehashed, tables grow and shrink, pages are split and collapsed. Stores set D,
 * which must still be there at the end; most go to the line that is being moved. No line ever has a tag that nobody
 * mapped.
 */
#include "support/sim.h"

#include "mmu/ecpt/table.h"

#define PAGES 1200
#define LOOKS 6 /* walks after each access */

/* Of the pages that come and go: a line each. */
#define BASE   0x40000000ull
#define STRIDE 0x35000000ull

struct page {
    bool live, stored;
    uint64_t va, pfn;
};

struct world {
    struct sim s;
    struct emt_tdb tdb;
    struct emt_root root; /* what the CPU has */
    struct page page[PAGES];
    unsigned live;
    uint64_t random, walks;
    bool looking, store, strided;
};

/* One store at most: a later one would set D again where it was lost. */
static void look(struct world *w, struct page *p, bool may_store) {
    const struct emt_access a = {.va = p->va + 0x123,
                                 .type = may_store && w->store && !p->stored ? EMT_STORE : EMT_LOAD,
                                 .user = true,
                                 .write_protect = true,
                                 .nx = true};
    const unsigned sizes = (unsigned)__builtin_popcountll(w->root.word[ECPT_ROOT_SIZES]);
    struct emt_walk out;

    w->s.port.fetches = 0;

    assert_int_equal(w->s.svc.arch->walker->walk(w->s.svc.arch, &w->root, &a, &w->s.port.port, &out), 0);
    assert_false(out.fault);
    assert_true(w->s.port.fetches <= sizes * w->s.svc.arch->param[0]);
    assert_int_equal(out.pa + (a.va - out.va), (p->pfn << 12) + 0x123);
    p->stored |= a.type == EMT_STORE;
    w->walks++;
}

/* The page in the line of the PTE table at pa; NULL: there is none. */
static struct page *page_in(struct world *w, uint64_t pa) {
    const uint64_t *line = emt_host_word(&w->s.host, pa & ~63ull);
    const struct ecpt_set *s = &ecpt_of(&w->tdb)->set[ECPT_PTE];

    for (unsigned i = 0; i < 2 * s->ways; i++) {
        const uint64_t array = i < s->ways ? s->way[i].array : s->way[i - s->ways].fresh;

        if (pa - ecpt_array_pa(array) >= 64 * ecpt_array_lines(array) || !ecpt_is_line(ECPT_PTE, line[ECPT_GATE]))
            continue;
        const uint64_t va = ecpt_line_key(ECPT_PTE, line) << 15, n = (va - BASE) / STRIDE;
        assert_true(n < PAGES && va == BASE + n * STRIDE);
        return &w->page[n];
    }
    return NULL;
}

static uint64_t on_access(void *hw, uint64_t pa, bool write) {
    struct world *w = hw;

    (void)write;
    if (!w->looking)
        return 0;
    w->looking = false;
    struct page *here = w->strided ? page_in(w, pa) : NULL;
    if (here && here->live && sim_random(&w->random) % 8 == 0)
        look(w, here, true);
    for (unsigned i = 0; i < LOOKS; i++) {
        struct page *p = &w->page[sim_random(&w->random) % PAGES];
        if (p->live)
            look(w, p, !w->strided && sim_random(&w->random) % 4 == 0);
    }
    w->looking = true;
    return 0;
}

static void on_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    (void)cpu;
    (void)asid;
    ((struct world *)hw)->root = *root;
}

static void begin(struct world *w, const char *arch) {
    memset(w, 0, sizeof(*w));
    sim_open(&w->s, emt_arch_find(arch), false);
    w->s.host.hw = w;
    w->s.host.table_access = on_access;
    w->s.host.load_root = on_root;
    assert_int_equal(emt_tdb_create(&w->tdb, &w->s.svc, 1), 0);
    assert_int_equal(emt_tsvc_switch(&w->s.svc, 0, &w->tdb), 0);
    w->random = 7;
    w->looking = w->store = true;
}

static void end(struct world *w) {
    w->looking = false;
    emt_tdb_destroy(&w->tdb);
    sim_close(&w->s);
}

static void map(struct world *w, struct page *p, uint64_t va) {
    struct emt_tobj o;

    p->va = va;
    p->pfn = sim_random(&w->random) & 0xfffff;
    p->stored = false;
    assert_int_equal(emt_tobj_init(&w->s.svc, &o, va, p->pfn, 4096, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(&w->tdb, &o), 0);
    p->live = true;
    w->live++;
}

static void unmap(struct world *w, struct page *p) {
    struct emt_tobj old;

    p->live = false;
    w->live--;
    assert_int_equal(emt_tdb_remove(&w->tdb, p->va, &old), 0);
    assert_int_equal(emt_tobj_get(&w->s.svc, &old, EMT_ATTR_PFN), p->pfn);
    if (p->stored)
        assert_int_equal(emt_tobj_get(&w->s.svc, &old, EMT_ATTR_DIRTY), 1);
}

static void churn(const char *arch) {
    struct world *w = calloc(1, sizeof(*w));

    begin(w, arch);
    struct ecpt *e = ecpt_of(&w->tdb);
    w->strided = true;
    for (unsigned i = 0; i < PAGES; i++)
        map(w, &w->page[i], BASE + i * STRIDE);
    for (unsigned i = 0; i < PAGES; i++) {
        struct page *p = &w->page[sim_random(&w->random) % PAGES];
        if (p->live)
            unmap(w, p);
        else
            map(w, p, p->va);
    }
    /* The last resort, whatever is under way. */
    for (unsigned t = 0; t < ECPT_TABLES; t++)
        if (e->set[t].lines)
            assert_true(ecpt_rebuild(e, (enum ecpt_table)t, 12));
    for (unsigned i = 0; i < PAGES; i++)
        if (w->page[i].live)
            unmap(w, &w->page[i]);
    assert_true(e->set[ECPT_PTE].upsizes >= 1 && e->set[ECPT_PTE].downsizes >= 1);
    assert_true(e->set[ECPT_PTE].kicks > 0 && e->set[ECPT_PTE].rehashed > 0);
    assert_true(e->set[ECPT_PMD_CWT].upsizes >= 1);
    for (unsigned t = 0; t < ECPT_TABLES; t++)
        assert_int_equal(e->set[t].lines, 0);
    assert_true(w->walks > 100000);
    end(w);
    free(w);
}

static void churn_3way(void **state) {
    (void)state;
    churn("ecpt");
}

static void churn_others(void **state) {
    (void)state;
    churn("ecpt:2way");
    churn("ecpt:murmur");
    churn("ecpt:x2");
}

/* A huge page's pieces are pages of the test: they are there before, while and after it is split and collapsed. */
static void huge(uint64_t bytes, uint64_t piece) {
    struct world *w = calloc(1, sizeof(*w));
    const uint64_t va = 0x7f0040000000ull, pfn = 0x40000, n = bytes / 4096;
    struct emt_gather g;
    struct emt_tobj o;

    begin(w, "ecpt");
    assert_int_equal(emt_tobj_init(&w->s.svc, &o, va, pfn, bytes, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(&w->tdb, &o), 0);
    for (unsigned i = 0; i < PAGES; i++) {
        const uint64_t k = sim_random(&w->random) % n;
        w->page[i] = (struct page){true, false, va + (k << 12), pfn + k};
    }
    emt_gather_init(&g);
    assert_int_equal(emt_huge_split(&w->tdb, va + 0x5000, piece, &g), 0);
    assert_int_equal(g.lo, va);
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(emt_tdb_find(&w->tdb, w->page[i].va, &o), 0);
        assert_int_equal(o.bytes, piece);
        if (w->page[i].stored)
            assert_int_equal(emt_tobj_get(&w->s.svc, &o, EMT_ATTR_DIRTY), 1);
    }
    w->store = false; /* an OS has made the pages clean and read-only before it collapses them */
    assert_int_equal(emt_tobj_init(&w->s.svc, &o, va, pfn, bytes, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_huge_collapse(&w->tdb, &o, &g), 0);
    assert_int_equal(ecpt_of(&w->tdb)->set[ECPT_PTE].lines, 0);
    assert_int_equal(emt_tdb_find(&w->tdb, va + bytes / 2, &o), 0);
    assert_int_equal(o.bytes, bytes);
    end(w);
    free(w);
}

static void huge_pages(void **state) {
#ifdef EMT_BASIC_ONLY
    skip(); /* what is tested here are customizations */
#endif
    (void)state;
    huge(1 << 21, 4096);
    huge(1 << 30, 1 << 21);
}

/* Every allocation fails in turn: what was there is there, and found; then it works. */
static void out_of_memory(void **state) {
    (void)state;
    struct world *w = calloc(1, sizeof(*w));
    unsigned failed = 0;

    begin(w, "ecpt");
    for (unsigned i = 0; i < 700; i++) {
        struct page *p = &w->page[i];
        struct emt_tobj o, found;

        p->va = (uint64_t)i * 0x35000000;
        p->pfn = i;
        assert_int_equal(emt_tobj_init(&w->s.svc, &o, p->va, i, 4096, EMT_PROT_WRITE | EMT_PROT_USER), 0);
        for (unsigned at = 1;; at++) {
            w->s.host.fail_at = at;
            int err = emt_tdb_update(&w->tdb, &o);
            const bool used = w->s.host.fail_at == 1; /* the budget was spent */
            w->s.host.fail_at = 0;
            if (!err)
                break;
            assert_int_equal(err, -ENOMEM);
            assert_true(used);
            assert_int_equal(emt_tdb_find(&w->tdb, p->va, &found), -ENOENT);
            assert_true(emt_range_void(&w->tdb, p->va, 1 << 21));
            failed++;
        }
        p->live = true;
    }
    assert_true(failed > 10);
    /* Memory ran out at each size, and the table filled up until a line found no place: not before 0.6. */
    for (unsigned i = 0; i < 700; i++)
        look(w, &w->page[i], false);
    end(w);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(churn_3way),
        cmocka_unit_test(churn_others),
        cmocka_unit_test(huge_pages),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
