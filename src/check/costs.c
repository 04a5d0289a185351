/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What operations cost: table words read and written, and the driver's own instructions (emt_host_work), as means
 * over one fixed scene, so that architectures can be put side by side. No verdict.
 */
#include "check/costs.h"

#include <inttypes.h>
#include <stdlib.h>

#include "check/world.h"

#define PAGES 4096ull
#define BASE  (1ull << EMT_SHIFT_1G)
#define HUGE  (1ull << EMT_SHIFT_2M)
#define SMALL EMT_PAGE_BYTES

struct scene {
    struct world w;
    struct emt_tdb *tdb;
    struct costs *costs;
    uint64_t reads, writes, instructions; /* when the measure began */
    int err;
};

static const char *const names[COSTS] = {
    [COST_FIND] = "find a page",
    [COST_FIND_VOID] = "find nothing",
    [COST_MAP_NEXT] = "map the next page",
    [COST_MAP_RANDOM] = "map a page anywhere",
    [COST_REMOVE] = "remove a page",
    [COST_ITERATE] = "iterate, a page",
    [COST_PROTECT] = "protect, a page",
    [COST_AGE] = "age, a page",
    [COST_COPY] = "copy for fork, a page",
    [COST_MOVE] = "move, a page",
    [COST_UNMAP] = "unmap a range, a page",
    [COST_VOID] = "is a void 2 MiB void?",
    [COST_VOID_NEAR] = "  between used ones",
    [COST_VOID_DEFAULT] = "  by default, cursor",
    [COST_VOID_BASIC] = "  by default, find",
    [COST_VOID_PAGES] = "  page by page",
    [COST_MAP_HUGE] = "map 2 MiB",
    [COST_SPLIT] = "split 2 MiB",
    [COST_COLLAPSE] = "collapse 2 MiB",
    [COST_DESTROY] = "destroy, a page",
};

const char *cost_name(enum cost cost) {
    return names[cost];
}

static void begin(struct scene *s) {
    s->reads = s->w.host.table_reads;
    s->writes = s->w.host.table_writes;
    s->instructions = s->w.host.work_instructions;
}

static void end(struct scene *s, enum cost cost, uint64_t operations) {
    struct cost_row *row = &s->costs->row[cost];

    row->reads = (double)(s->w.host.table_reads - s->reads) / (double)operations;
    row->writes = (double)(s->w.host.table_writes - s->writes) / (double)operations;
    row->instructions = (double)(s->w.host.work_instructions - s->instructions) / (double)operations;
    row->known = true;
}

static void put(struct scene *s, uint64_t va, uint64_t bytes, bool collapse) {
    struct object o = s->w.traits->base;
    struct emt_gather g;
    struct emt_tobj t;

    o.va = va;
    o.bytes = bytes;
    o.pfn = WORLD_PAGES_PFN + ((va - BASE) >> EMT_PAGE_SHIFT) % WORLD_PAGES_COUNT;
    if (s->err || !object_to_tobj(&s->w, &o, &t)) {
        s->err = s->err ? s->err : -EINVAL;
        return;
    }
    emt_gather_init(&g);
    s->err = collapse ? emt_huge_collapse(s->tdb, &t, &g) : emt_tdb_update(s->tdb, &t);
    emt_gather_flush(s->tdb, &g);
}

static void nobody(void *ctx, const struct emt_tobj *old, unsigned ad) {
    (void)ctx;
    (void)old;
    (void)ad;
}

static int all(void *ctx, struct emt_tobj *src, struct emt_tobj *dst) {
    (void)ctx;
    (void)src;
    (void)dst;
    return 1;
}

static void one_by_one(struct scene *s) {
    struct emt_tobj t;
    uint64_t random = 1;

    begin(s);
    for (uint64_t i = 0; i < PAGES; i++)
        put(s, BASE + i * SMALL, SMALL, false);
    end(s, COST_MAP_NEXT, PAGES);
    begin(s);
    for (uint64_t i = 0; i < PAGES; i++)
        emt_tdb_find(s->tdb, BASE + check_below(&random, PAGES) * SMALL, &t);
    end(s, COST_FIND, PAGES);
    begin(s);
    for (uint64_t i = 0; i < PAGES; i++)
        emt_tdb_find(s->tdb, 2 * BASE + check_below(&random, PAGES) * SMALL, &t);
    end(s, COST_FIND_VOID, PAGES);
    begin(s);
    for (uint64_t i = 0; i < PAGES; i++)
        put(s, 4 * BASE + i * 67 * SMALL, SMALL, false);
    end(s, COST_MAP_RANDOM, PAGES);
    begin(s);
    for (uint64_t i = 0; i < PAGES; i++)
        emt_tdb_remove(s->tdb, 4 * BASE + i * 67 * SMALL, &t);
    end(s, COST_REMOVE, PAGES);
}

static void ranges(struct scene *s) {
    struct emt_tdb *child = &s->w.space[1].tdb;
    const uint64_t bytes = PAGES * SMALL;
    struct emt_gather g;
    struct emt_cursor c;

    emt_gather_init(&g);
    begin(s);
    s->err = emt_cursor_open(&c, s->tdb, BASE, BASE + bytes, &g);
    if (!s->err) {
        while (emt_cursor_next(&c))
            ;
        emt_cursor_close(&c);
    }
    end(s, COST_ITERATE, PAGES);
    begin(s);
    s->err |= emt_range_protect(s->tdb, BASE, bytes, EMT_PROT_USER, &g);
    end(s, COST_PROTECT, PAGES);
    begin(s);
    s->err |= emt_range_age(s->tdb, BASE, bytes, EMT_AGE_ACCESSED, nobody, NULL, &g);
    end(s, COST_AGE, PAGES);
    if (!s->w.traits->restricted) {
        begin(s);
        s->err |= emt_range_copy(child, s->tdb, BASE, bytes, all, NULL, &g);
        end(s, COST_COPY, PAGES);
        begin(s);
        s->err |= emt_range_move(s->tdb, BASE, 8 * BASE, bytes, &g);
        end(s, COST_MOVE, PAGES);
    }
    begin(s);
    s->err |= emt_range_unmap(s->tdb, s->w.traits->restricted ? BASE : 8 * BASE, bytes, NULL, NULL, &g);
    end(s, COST_UNMAP, PAGES);
    emt_gather_flush(s->tdb, &g);
}

#define HUGE_PAGES 16ull

static void ask_void(struct scene *s, enum cost cost) {
    begin(s);
    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        if (!emt_range_void(s->tdb, 32 * BASE + (2 * i + 1) * HUGE, HUGE))
            s->err = -EEXIST;
    end(s, cost, HUGE_PAGES);
}

/*
 * Each fault that wants a huge page asks whether its 2 MiB are void. Here they lie between others that are used.
 * The driver's own answer; the default over the driver's cursor; over tdb_find alone; and 512 look-ups, as when
 * nothing were known of voids.
 */
static void voids(struct scene *s) {
    const struct emt_arch *arch = s->w.svc.arch;
    struct emt_driver_ops driver = *arch->driver;
    struct emt_arch without = *arch;
    const bool basic_only = s->w.svc.basic_only;
    struct emt_gather g;
    struct emt_tobj t;

    for (uint64_t i = 0; i <= HUGE_PAGES; i++)
        for (uint64_t page = 0; page < 64; page++)
            put(s, 32 * BASE + 2 * i * HUGE + page * SMALL, SMALL, false);
    ask_void(s, COST_VOID_NEAR);
    driver.range_void = NULL;
    without.driver = &driver;
    s->w.svc.arch = &without;
    ask_void(s, COST_VOID_DEFAULT);
    s->w.svc.arch = arch;
    s->w.svc.basic_only = true;
    ask_void(s, COST_VOID_BASIC);
    s->w.svc.basic_only = basic_only;
    begin(s);
    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        for (uint64_t at = 0; at < HUGE; at += SMALL)
            emt_tdb_find(s->tdb, 32 * BASE + (2 * i + 1) * HUGE + at, &t);
    end(s, COST_VOID_PAGES, HUGE_PAGES);
    emt_gather_init(&g);
    s->err |= emt_range_unmap(s->tdb, 32 * BASE, (2 * HUGE_PAGES + 1) * HUGE, NULL, NULL, &g);
    emt_gather_flush(s->tdb, &g);
}

static void huge_pages(struct scene *s) {
    struct emt_gather g;

    begin(s);
    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        if (!emt_range_void(s->tdb, 16 * BASE + i * HUGE, HUGE))
            s->err = -EEXIST;
    end(s, COST_VOID, HUGE_PAGES);
    if (!(s->w.traits->caps.page_sizes & HUGE))
        return;
    begin(s);
    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        put(s, 16 * BASE + i * HUGE, HUGE, false);
    end(s, COST_MAP_HUGE, HUGE_PAGES);
    begin(s);
    for (uint64_t i = 0; !s->err && i < HUGE_PAGES; i++) {
        emt_gather_init(&g);
        s->err = emt_huge_split(s->tdb, 16 * BASE + i * HUGE, SMALL, &g);
        emt_gather_flush(s->tdb, &g);
    }
    end(s, COST_SPLIT, HUGE_PAGES);
    begin(s);
    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        put(s, 16 * BASE + i * HUGE, HUGE, true);
    end(s, COST_COLLAPSE, HUGE_PAGES);
}

int costs_measure(const struct emt_arch *arch, struct costs *out) {
    struct traits traits;
    struct finding finding;
    struct scene *s = calloc(1, sizeof(*s));

    *out = (struct costs){.name = arch->name};
    if (!s)
        return -ENOMEM;
    int err = traits_ask(&traits, arch, &finding);
    if (!err)
        err = world_init(&s->w, &(struct world_setup){.arch = arch, .traits = &traits, .spaces = 2});
    if (!err) {
        s->tdb = &s->w.space[0].tdb;
        s->costs = out;
        one_by_one(s);
        if (!s->err)
            ranges(s);
        if (!s->err)
            huge_pages(s);
        if (!s->err)
            voids(s);
        for (uint64_t i = 0; i < PAGES; i++)
            put(s, BASE + i * SMALL, SMALL, false);
        begin(s);
        space_destroy(&s->w, 0);
        end(s, COST_DESTROY, PAGES);
        world_end(&s->w);
        err = s->err;
    }
    world_fini(&s->w);
    free(s);
    return err;
}

/* ---- print ---- */

void costs_print(FILE *out, const struct costs *all_costs, unsigned n) {
    fprintf(out, "Table words read, written; instructions of the driver's own. Means of a fixed scene.\n\n%-22s",
            "");
    for (unsigned i = 0; i < n; i++)
        fprintf(out, " %26s", all_costs[i].name);
    for (unsigned cost = 0; cost < COSTS; cost++) {
        fprintf(out, "\n%-22s", names[cost]);
        for (unsigned i = 0; i < n; i++) {
            const struct cost_row *row = &all_costs[i].row[cost];
            if (row->known)
                fprintf(out, " %8.2f %8.2f %8.1f", row->reads, row->writes, row->instructions);
            else
                fprintf(out, " %26s", "-");
        }
    }
    fputc('\n', out);
}

void costs_json(FILE *out, const struct costs *all_costs, unsigned n) {
    fputs("{\"costs\": [", out);
    for (unsigned i = 0; i < n; i++) {
        fprintf(out, "%s\n  {\"mmu\": \"%s\", \"operations\": {", i ? "," : "", all_costs[i].name);
        bool first = true;
        for (unsigned cost = 0; cost < COSTS; cost++) {
            const struct cost_row *row = &all_costs[i].row[cost];
            if (!row->known)
                continue;
            fprintf(out, "%s\n    \"%s\": {\"table_reads\": %.4f, \"table_writes\": %.4f, \"instructions\": %.4f}",
                    first ? "" : ",", names[cost], row->reads, row->writes, row->instructions);
            first = false;
        }
        fputs("}}", out);
    }
    fputs("]}\n", out);
}
