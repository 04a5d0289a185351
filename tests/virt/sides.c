/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* guest.PATH and host.PATH: what they change, how they are kept, and what has no sides. */
#include <errno.h>

#include "os/costs.h"
#include "world.h"

static struct emt_config *load(const char *text) {
    struct emt_config *cfg = calloc(1, sizeof(*cfg));
    char why[1024];

    if (settings_load_memory(cfg, text, strlen(text), "t.yaml", why, sizeof(why)))
        fail_msg("%s", why);
    return cfg;
}

static const char file[] = "tlb:\n  l1: {entries: 64, ways: 4}\n"
                           "mmu_caches:\n  pde: {entries: 32}\n"
                           "memory:\n  bytes: 8G\n"
                           "os:\n  cpi: 2\n"
                           "virt:\n  mode: nested\n  nested_tlb: {entries: 16}\n"
                           "guest:\n  memory:\n    bytes: 4G\n"
                           "host:\n  mmu:\n    name: radix5\n  os:\n    cpi: 3\n    thp: {enabled: never}\n"
                           "  mmu_caches:\n    pde: {entries: 8}\n";

static void a_side_has_its_own_and_the_common_settings(void **state) {
    (void)state;
    struct emt_config *cfg = load(file), *side = calloc(1, sizeof(*side));
    char why[512];

    assert_int_equal(settings_side(cfg, CFG_GUEST, side, why, sizeof(why)), 0);
    assert_string_equal(side->mmu, "radix4");
    assert_true(side->memory.bytes == 4ull << 30 && side->os.cpi == 2 && side->mmu_cache[0].entries == 32);
    assert_int_equal(settings_side(cfg, CFG_HOST, side, why, sizeof(why)), 0);
    assert_string_equal(side->mmu, "radix5");
    assert_true(side->memory.bytes == 8ull << 30 && side->os.cpi == 3 && side->mmu_cache[0].entries == 8);
    assert_int_equal(side->os.thp, CFG_THP_NEVER);
    /* a later value takes the place of an earlier one */
    assert_int_equal(settings_set(cfg, "host.os.cpi=4", why, sizeof(why)), 0);
    assert_int_equal(settings_side(cfg, CFG_HOST, side, why, sizeof(why)), 0);
    assert_true(side->os.cpi == 4);
    free(side);
    free(cfg);
}

static void a_dump_reads_back(void **state) {
    (void)state;
    struct emt_config *cfg = load(file), *again = calloc(1, sizeof(*again));
    char why[512], *text = NULL;
    size_t bytes = 0;

    settings_set(cfg, "host.memory.fragmented=0.5", why, sizeof(why));
    settings_set(cfg, "guest.os.thp.fault=false", why, sizeof(why));
    FILE *f = open_memstream(&text, &bytes);
    settings_dump(cfg, f);
    fclose(f);
    if (settings_load_memory(again, text, bytes, "again.yaml", why, sizeof(why)))
        fail_msg("%s\n%s", why, text);
    assert_memory_equal(cfg->side, again->side, sizeof(cfg->side));
    assert_int_equal(cfg->virt.mode, again->virt.mode);
    free(text);
    free(again);
    free(cfg);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    static const struct {
        const char *assignment, *says;
    } bad[] = {
        {"host.core.count=2", "has no sides"},
        {"host.tlb.l1.entries=8", "has no sides"},
        {"guest.os.cpu=2", "did you mean os.cpi?"},
        {"guest.os.cpi=much", "guest: os.cpi"},
        {"host=radix4", "give one of its settings"},
        {"host.memory.bytes=17M", "the nearest are"},
        {"virt.mode=twice", "none, nested or shadow"},
        {"virt.nested_tlb.ways=5", "16 entries do not divide"},
        {"mmu.software_tlb=true", "no walker to walk twice"},
        {"gust.os.cpi=2", "did you mean guest.os.cpi?"},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct emt_config *cfg = load(file);
        char why[1024] = "";

        assert_int_not_equal(settings_apply(cfg, &bad[i].assignment, 1, why, sizeof(why)), 0);
        if (!strstr(why, bad[i].says))
            fail_msg("%s: %s", bad[i].assignment, why);
        free(cfg);
    }
}

/* Settings of a side are text of limited length. */
static void a_side_that_is_too_long_is_refused(void **state) {
    (void)state;
    struct emt_config *cfg = load(file);
    char why[512], line[96];
    unsigned n = 0;
    int err = 0;

    for (; n < os_cost_count && !err; n++) {
        snprintf(line, sizeof(line), "host.os.cost.%s=%u", os_cost_table[n].name, 100000000u + n);
        err = settings_set(cfg, line, why, sizeof(why));
    }
    static const char *const more[] = {"memory.seed=18446744073709551615",
                                       "memory.occupied=0.123456789",
                                       "memory.fragmented=0.123456789",
                                       "memory.nodes=4",
                                       "os.stack_bytes=1099511623680",
                                       "os.flush_ceiling=4294967295",
                                       "os.thp.scan_pages=4294967295",
                                       "os.thp.max_ptes_none=511",
                                       "os.thp.scan_every_instructions=18446744073709551615",
                                       "os.thp.khugepaged=false",
                                       "os.thp.fault=false",
                                       "os.thp.enabled=madvise",
                                       "os.zero_page=false",
                                       "os.asids=false",
                                       "mmu.basic_only=true",
                                       "mmu_caches.hit_cycles=10000",
                                       "os.fault_around_pages=512"};
    for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]) && !err; i++) {
        snprintf(line, sizeof(line), "host.%s", more[i]);
        err = settings_set(cfg, line, why, sizeof(why));
    }
    assert_int_equal(err, -ENOSPC);
    assert_non_null(strstr(why, "more than 1024 bytes"));
    assert_true(strlen(cfg->side[CFG_HOST]) < sizeof(cfg->side[CFG_HOST]));
    free(cfg);
}

static void a_native_machine_ignores_sides(void **state) {
    (void)state;
    struct world w;

    world_open(&w, "radix4", "radix5", "none", NULL);
    put_mmap(&w, AREA, PAGE);
    put(&w, ev_store(AREA, 3));
    run(&w);
    struct emt_result *r = result_of(&w);
    assert_null(w.m->virt);
    assert_int_equal(r->virt.mode, CFG_NATIVE);
    assert_true(r->cycles_os == r->virt.cycles_guest_os);
    free(r);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_side_has_its_own_and_the_common_settings),
        cmocka_unit_test(a_dump_reads_back),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_side_that_is_too_long_is_refused),
        cmocka_unit_test(a_native_machine_ignores_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
