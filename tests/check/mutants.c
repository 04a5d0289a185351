/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Does the conformance kit find bugs? Each mutant is an architecture made from radix4 with one function that does
 * wrong. The kit must report each of them, in the part that is meant for it, and must pass what is not mutated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "check/check.h"
#include "check/random.h"

extern const struct emt_arch emt_radix4;

#define REAL (emt_radix4.driver)

/* True for one address in n: the same ones in each run. */
static bool unlucky(uint64_t va, unsigned n) {
    uint64_t state = va >> EMT_PAGE_SHIFT;

    return check_one_in(&state, n);
}

static struct emt_host *host_of(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

/* ---- flushes ---- */

static int unmap_without_flush(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                               struct emt_gather *g) {
    struct emt_gather lost = {.lo = ~0ull, .stride = ~0ull};
    int err = REAL->range_unmap(tdb, va, bytes, gone, ctx, &lost);

    g->tables |= lost.tables;
    return err;
}

static int unmap_one_page_short(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                                struct emt_gather *g) {
    int err = REAL->range_unmap(tdb, va, bytes, gone, ctx, g);

    if (g->hi > g->lo + EMT_PAGE_BYTES)
        g->hi -= EMT_PAGE_BYTES;
    return err;
}

static int protect_without_flush(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot,
                                 struct emt_gather *g) {
    struct emt_gather lost = {.lo = ~0ull, .stride = ~0ull};

    (void)g;
    return REAL->range_protect(tdb, va, bytes, prot, &lost);
}

/* Tables went, and the caches of the upper levels are not told, unless a page went too. */
static void flush_without_tables(struct emt_tdb *tdb, struct emt_gather *g) {
    struct emt_flush flush = {
        .kind = EMT_FLUSH_RANGE, .tdb = tdb, .va = g->lo, .bytes = g->hi - g->lo, .stride = g->stride};

    if (g->lo < g->hi)
        emt_host_flush(host_of(tdb), &flush);
    emt_host_release_freed(host_of(tdb));
}

static int switch_without_root(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    return tdb && tdb->asid % 3 == 0 ? 0 : REAL->tsvc_switch(svc, cpu, tdb);
}

static int age_without_flush(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged,
                             void *ctx, struct emt_gather *g) {
    struct emt_gather lost = {.lo = ~0ull, .stride = ~0ull};

    (void)g;
    return REAL->range_age(tdb, va, bytes, mask, aged, ctx, &lost);
}

/* ---- objects ---- */

/* After a right split: one attribute of the piece at va becomes another. */
static int split_and(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g, enum emt_attr attr,
                     bool only_clear) {
    struct emt_tobj huge = {0}, piece;
    int err = REAL->tdb_find(tdb, va, &huge);

    if (!err)
        err = REAL->huge_split(tdb, va, bytes, g);
    if (err || huge.bytes <= bytes || REAL->tdb_find(tdb, va, &piece))
        return err;
    if (!only_clear || REAL->tobj_get(&piece, attr)) {
        REAL->tobj_set(&piece, attr, !REAL->tobj_get(&piece, attr));
        REAL->tdb_update(tdb, &piece);
    }
    return 0;
}

static int split_loses_dirty(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    return split_and(tdb, va, bytes, g, EMT_ATTR_DIRTY, true);
}

static int split_changes_permission(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    return split_and(tdb, va, bytes, g, EMT_ATTR_WRITE, false);
}

/* The error of half a split is right, and the object is gone. */
static int split_fails_dirty(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    struct emt_tobj old;
    int err = REAL->huge_split(tdb, va, bytes, g);

    if (err == -ENOMEM)
        REAL->tdb_remove(tdb, va, &old);
    return err;
}

static int remove_leaves_entry(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    return unlucky(va, 4) ? REAL->tdb_find(tdb, va, old) : REAL->tdb_remove(tdb, va, old);
}

static int update_swallows_error(struct emt_tdb *tdb, const struct emt_tobj *o) {
    int err = REAL->tdb_update(tdb, o);

    return err == -EEXIST ? 0 : err;
}

static int update_swallows_enomem(struct emt_tdb *tdb, const struct emt_tobj *o) {
    int err = REAL->tdb_update(tdb, o);

    return err == -ENOMEM ? 0 : err;
}

static int update_loses_soft(struct emt_tdb *tdb, const struct emt_tobj *o) {
    struct emt_tobj other = *o;

    if (unlucky(o->va, 8))
        REAL->tobj_set(&other, EMT_ATTR_SOFT, 0);
    return REAL->tdb_update(tdb, &other);
}

static int update_loses_contig(struct emt_tdb *tdb, const struct emt_tobj *o) {
    struct emt_tobj other = *o;

    if (unlucky(o->va, 8))
        REAL->tobj_set(&other, EMT_ATTR_CONTIG, 0);
    return REAL->tdb_update(tdb, &other);
}

static int void_too_large(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    int err = REAL->tdb_find(tdb, va, out);

    if (err == -ENOENT && out->bytes < 1ull << EMT_SHIFT_1G) {
        out->bytes *= 2;
        out->va &= -out->bytes;
    }
    return err;
}

static int test_clear_other_bit(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    return REAL->tdb_test_clear(tdb, va, mask == 3 ? 3 : mask ^ 3);
}

static int test_clear_keeps(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    struct emt_tobj o;

    if (REAL->tdb_find(tdb, va, &o))
        return -ENOENT;
    return (int)(mask & ((REAL->tobj_get(&o, EMT_ATTR_ACCESSED) ? EMT_AGE_ACCESSED : 0) |
                         (REAL->tobj_get(&o, EMT_ATTR_DIRTY) ? EMT_AGE_DIRTY : 0)));
}

static int set_spoils_another(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    int err = REAL->tobj_set(o, attr, value);

    if (!err && attr == EMT_ATTR_SOFT && value == 37)
        REAL->tobj_set(o, EMT_ATTR_PKEY, 9);
    return err;
}

/* ---- ranges and cursors ---- */

struct forgetful {
    emt_copy_fn copy;
    void *ctx;
    unsigned n;
};

static int forget_fifth(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    struct forgetful *f = ctx;
    int verdict = f->copy(f->ctx, src, dst);

    return verdict > 0 && ++f->n % 5 == 0 ? 0 : verdict;
}

static int copy_forgets(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                        void *ctx, struct emt_gather *g) {
    struct forgetful f = {.copy = copy, .ctx = ctx};

    return REAL->range_copy(dst, src, va, bytes, forget_fifth, &f, g);
}

static int move_loses_attributes(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes,
                                 struct emt_gather *g) {
    struct emt_tobj o, moved;

    for (uint64_t va = from; va < from + bytes; va = o.va + o.bytes) {
        if (REAL->tdb_find(tdb, va, &o))
            continue;
        moved = o;
        moved.va = o.va - from + to;
        REAL->tobj_set(&moved, EMT_ATTR_PKEY, 0);
        int err = REAL->tdb_update(tdb, &moved);
        if (err)
            return err;
        REAL->tdb_remove(tdb, o.va, &o);
        emt_gather_add(g, o.va, o.bytes);
        g->tables = true;
    }
    return 0;
}

static int cursor_skips(struct emt_cursor *c) {
    int err = REAL->cursor_find(c);

    return !err && c->obj.bytes == EMT_PAGE_BYTES && unlucky(c->obj.va, 16) ? -ENOENT : err;
}

static bool range_void_looks_at_the_ends(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct emt_tobj o;

    return REAL->tdb_find(tdb, va, &o) && REAL->tdb_find(tdb, va + bytes - 1, &o);
}

/* ---- tables ---- */

static int create_leaks(struct emt_tdb *tdb) {
    int err = REAL->tdb_create(tdb);

    if (!err)
        emt_table_alloc(tdb, 0);
    return err;
}

static int collapse_leaks(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    emt_table_alloc(tdb, 0);
    return REAL->huge_collapse(tdb, huge, g);
}

/* The table below is freed twice, as where two paths think that it is theirs. */
static void destroy_frees_twice(struct emt_tdb *tdb) {
    struct emt_root root;

    REAL->tdb_root(tdb, &root);
    emt_table_free(tdb, root.word[0] & -EMT_PAGE_BYTES, 0);
    REAL->tdb_destroy(tdb);
}

/* Writes into a table that it has given back: the frame after its own root may be anybody's. */
static void destroy_writes_late(struct emt_tdb *tdb) {
    struct emt_root root;

    REAL->tdb_root(tdb, &root);
    REAL->tdb_destroy(tdb);
    emt_host_release_freed(host_of(tdb));
    emt_table_write(host_of(tdb), root.word[0] & -EMT_PAGE_BYTES, 0);
}

static int update_crashes(struct emt_tdb *tdb, const struct emt_tobj *o) {
    if (o->bytes > EMT_PAGE_BYTES && unlucky(o->va, 3))
        abort();
    return REAL->tdb_update(tdb, o);
}

/* ---- walkers ---- */

#define REAL_WALK(access) emt_radix4.walker->walk(&emt_radix4, root, access, port, out)

static int walk_ignores_nx(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                           struct emt_port *port, struct emt_walk *out) {
    struct emt_access other = *a;

    (void)arch;
    if (a->type == EMT_FETCH)
        other.type = EMT_LOAD;
    return REAL_WALK(&other);
}

static int walk_ignores_us(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                           struct emt_port *port, struct emt_walk *out) {
    struct emt_access other = *a;

    (void)arch;
    other.user = false;
    return REAL_WALK(&other);
}

static int walk_sets_no_ad(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                           struct emt_port *port, struct emt_walk *out) {
    struct emt_access other = *a;

    (void)arch;
    other.peek = true;
    return REAL_WALK(&other);
}

static int peek_sets_ad(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                        struct emt_port *port, struct emt_walk *out) {
    struct emt_access other = *a;

    (void)arch;
    other.peek = false;
    return REAL_WALK(&other);
}

static int walk_wrong_code(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                           struct emt_port *port, struct emt_walk *out) {
    int err = REAL_WALK(a);

    (void)arch;
    if (!a->user)
        out->code &= ~EMT_PF_WRITE;
    return err;
}

/* ---- beside walkers ---- */

/* Long enough for a walker, on a busy machine too: so it sleeps. */
static void dawdle(void) {
    usleep(20);
}

/* Replacing by taking away and putting: for a moment there is nothing. */
static int update_with_a_gap(struct emt_tdb *tdb, const struct emt_tobj *o) {
    struct emt_tobj old;

    if (REAL->tdb_find(tdb, o->va, &old) == 0 && old.va == o->va && old.bytes == o->bytes) {
        REAL->tdb_remove(tdb, o->va, &old);
        dawdle();
    }
    return REAL->tdb_update(tdb, o);
}

static int split_with_a_gap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    struct emt_tobj huge;
    int err = REAL->tdb_find(tdb, va, &huge);

    if (err || huge.bytes <= bytes)
        return err;
    REAL->tdb_remove(tdb, va, &huge);
    dawdle();
    err = REAL->tdb_update(tdb, &huge);
    return err ? err : REAL->huge_split(tdb, va, bytes, g);
}

/* Reads an entry, thinks, and writes it back without what hardware set in between. */
static int protect_loses_dirty(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot,
                               struct emt_gather *g) {
    struct emt_tobj o;

    for (uint64_t at = va; at < va + bytes; at = o.va + o.bytes) {
        if (REAL->tdb_find(tdb, at, &o) || !REAL->tobj_get(&o, EMT_ATTR_PRESENT))
            continue;
        dawdle();
        REAL->tobj_set(&o, EMT_ATTR_WRITE, !!(prot & EMT_PROT_WRITE));
        REAL->tobj_set(&o, EMT_ATTR_EXEC, !!(prot & EMT_PROT_EXEC));
        REAL->tobj_set(&o, EMT_ATTR_USER, !!(prot & EMT_PROT_USER));
        REAL->tdb_update(tdb, &o);
        emt_gather_add(g, o.va, o.bytes);
    }
    return 0;
}

/* ---- the list ---- */

struct mutant {
    const char *name;
    enum check_part part; /* must find it */
    bool basic;           /* only basic functions: the customized ones would go round the mutated one */
    size_t offset;        /* in emt_driver_ops; NOT_DRIVER: walk is the mutated one */
    void (*function)(void);
};

#define NOT_DRIVER  (~(size_t)0)
#define IN(member)  offsetof(struct emt_driver_ops, member)
#define F(function) ((void (*)(void))(function))
#define CUSTOM(p, m, f)                                                                                            \
    { #f, CHECK_##p, false, IN(m), F(f) }
#define ONLY_BASIC(p, m, f)                                                                                        \
    { #f, CHECK_##p, true, IN(m), F(f) }
#define WALKER(p, f)                                                                                               \
    { #f, CHECK_##p, false, NOT_DRIVER, F(f) }

static const struct mutant mutants[] = {
    CUSTOM(FLUSHES, range_unmap, unmap_without_flush),
    CUSTOM(FLUSHES, range_unmap, unmap_one_page_short),
    CUSTOM(FLUSHES, range_protect, protect_without_flush),
    CUSTOM(FLUSHES, range_age, age_without_flush),
    CUSTOM(FLUSHES, gather_flush, flush_without_tables),
    CUSTOM(FLUSHES, tsvc_switch, switch_without_root),
    CUSTOM(SEQUENCES, huge_split, split_loses_dirty),
    CUSTOM(SEQUENCES, huge_split, split_changes_permission),
    CUSTOM(SEQUENCES, tobj_set, set_spoils_another),
    CUSTOM(SEQUENCES, tdb_remove, remove_leaves_entry),
    CUSTOM(SEQUENCES, tdb_update, update_swallows_error),
    ONLY_BASIC(BASIC, tdb_update, update_loses_soft),
    ONLY_BASIC(BASIC, tdb_update, update_loses_contig),
    CUSTOM(SEQUENCES, tdb_find, void_too_large),
    CUSTOM(SEQUENCES, tdb_test_clear, test_clear_other_bit),
    CUSTOM(SEQUENCES, tdb_test_clear, test_clear_keeps),
    CUSTOM(SEQUENCES, range_copy, copy_forgets),
    CUSTOM(SEQUENCES, range_move, move_loses_attributes),
    CUSTOM(SEQUENCES, cursor_find, cursor_skips),
    CUSTOM(SEQUENCES, range_void, range_void_looks_at_the_ends),
    CUSTOM(SEQUENCES, tdb_create, create_leaks),
    CUSTOM(SEQUENCES, huge_collapse, collapse_leaks),
    CUSTOM(SEQUENCES, tdb_destroy, destroy_frees_twice),
    CUSTOM(SEQUENCES, tdb_destroy, destroy_writes_late),
    CUSTOM(SEQUENCES, tdb_update, update_crashes),
    CUSTOM(MEMORY, huge_split, split_fails_dirty),
    CUSTOM(MEMORY, tdb_update, update_swallows_enomem),
    WALKER(SEQUENCES, walk_ignores_nx),
    WALKER(SEQUENCES, walk_ignores_us),
    WALKER(SEQUENCES, walk_sets_no_ad),
    WALKER(SEQUENCES, peek_sets_ad),
    WALKER(SEQUENCES, walk_wrong_code),
    ONLY_BASIC(THREADS, tdb_update, update_with_a_gap),
    CUSTOM(THREADS, huge_split, split_with_a_gap),
    CUSTOM(THREADS, range_protect, protect_loses_dirty),
};
#define MUTANTS (sizeof(mutants) / sizeof(mutants[0]))

static void report_of(const struct emt_arch *arch, unsigned parts, bool no_shrink, struct check_report *report) {
    /* Races need time: what is lost between two instructions of the driver. */
    const bool races = parts == 1u << CHECK_THREADS;
    const struct check_options options = {
        .ops = races ? 400000 : 30000, .seed = 1, .parts = parts, .no_shrink = no_shrink};

    assert_int_equal(check_arch(arch, &options, report), 0);
}

/* The control: what is not mutated passes. */
static void radix_passes(void **state) {
    struct check_report report;

    (void)state;
    report_of(&emt_radix4, (1u << CHECK_PARTS) - 1, true, &report);
    if (report.failed)
        print_error("%s\n", report.text);
    assert_false(report.failed);
    for (unsigned part = 0; part < CHECK_PARTS; part++)
        assert_true(report.part[part].ran && report.part[part].ops > 0);
    check_report_fini(&report);
}

static void found(void **state) {
    const struct mutant *m = *state;
    struct emt_driver_ops driver = *REAL;
    struct emt_walker_ops walker = *emt_radix4.walker;
    struct emt_arch arch = emt_radix4;
    struct check_report report;

    if (m->basic)
        driver.cursor_set = NULL, driver.cursor_erase = NULL, driver.cursor_find = NULL;
    if (m->offset == NOT_DRIVER)
        memcpy(&walker.walk, &m->function, sizeof(m->function));
    else
        memcpy((char *)&driver + m->offset, &m->function, sizeof(m->function));
    arch.name = m->name;
    arch.driver = &driver;
    arch.walker = &walker;
    report_of(&arch, 1u << m->part, true, &report);
    if (!report.part[m->part].failed)
        print_error("%s was not found\n", m->name);
    assert_true(report.part[m->part].failed);
    assert_non_null(strstr(report.text, m->name));
    check_report_fini(&report);
}

/* A failure becomes short, and its program still fails when it is read back, on the mutant alone. */
static void shrinks_and_replays(void **state) {
    struct emt_driver_ops driver = *REAL;
    struct emt_arch arch = emt_radix4;
    struct check_report report;
    char why[256], found_text[2048] = "";

    (void)state;
    driver.huge_split = split_loses_dirty;
    arch.driver = &driver;
    report_of(&arch, 1u << CHECK_FLUSHES, false, &report);
    assert_true(report.failed);
    char *program = strstr(report.text, "setup ");
    assert_non_null(program);
    unsigned lines = 0;
    for (const char *p = program; (p = strchr(p, '\n')) && p[1] != '#'; p++)
        lines++;
    assert_in_range(lines, 2, 6); /* map with D, or map and store; split */
    FILE *in = fmemopen(program, strlen(program), "r"), *out = fmemopen(found_text, sizeof(found_text), "w");
    assert_int_equal(check_replay(&arch, in, out, why), 1);
    rewind(in);
    assert_int_equal(check_replay(&emt_radix4, in, out, why), 0);
    fclose(in);
    fclose(out);
    assert_non_null(strstr(found_text, "another dirty"));
    check_report_fini(&report);
}

int main(void) {
    struct CMUnitTest tests[MUTANTS + 2];
    const char *only = getenv("EMT_CHECK_QUICK"); /* sanitizers: a third of the mutants */
    size_t n = 0;

    tests[n++] = (struct CMUnitTest){"radix_passes", radix_passes, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"shrinks_and_replays", shrinks_and_replays, NULL, NULL, NULL};
    for (size_t i = 0; i < MUTANTS; i++)
        if (!only || i % 3 == 0)
            tests[n++] = (struct CMUnitTest){mutants[i].name, found, NULL, NULL, (void *)(uintptr_t)&mutants[i]};
    return _cmocka_run_group_tests("mutants", tests, n, NULL, NULL);
}
