/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * SpOT: closed forms on mappings made by hand, what a guess costs and saves, and the table against a naive one.
 */
#include "hw/spot.h"
#include "world.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "emt/emt.h"

#define C     0x800ull /* the contiguity bit, radix/format.h */
#define DATA  (P | RW | US | A | D)
#define PAGES 512u
#define PC    0x401000ull
#define WALK  40u /* four references of 10 cycles, no MMU caches */
#define FLUSH 20u

/* One TLB entry: each access to another page walks. */
static struct mmu *spot_machine(struct world *w, uint32_t initial) {
    world_init(w);
    world_tlb(w, 1, CFG_TLB_DATA, CFG_PAGE_4K, 1, 1);
    w->cfg.predictor = CFG_SPOT;
    w->cfg.spot = (struct cfg_spot){.entries = 32,
                                    .ways = 4,
                                    .max = 3,
                                    .initial = initial,
                                    .predict = 2,
                                    .flush_cycles = FLUSH,
                                    .contiguous_only = true};
    return world_mmu(w, 0, NULL, NULL);
}

static void end(struct world *w, struct mmu *m) {
    mmu_free(m);
    world_fini(w);
}

static struct mmu_translation access_at(struct mmu *m, uint64_t pc, uint64_t va, unsigned type) {
    struct mmu_translation t;

    m->pc = pc;
    mmu_translate(m, va, type, &t);
    return t;
}

static void sweep(struct mmu *m, uint64_t va, unsigned pages) {
    for (unsigned i = 0; i < pages; i++)
        assert_int_equal(access_at(m, PC, va + 4096ull * i, EMT_LOAD).fault, 0);
}

/* One contiguous mapping: each miss after the first is guessed, and right; with counters that begin below the
   threshold, each after as many as it takes to reach it. */
static void contiguous_mapping(void **state) {
    (void)state;
    for (uint32_t initial = 0; initial <= 2; initial++) {
        struct world w;
        struct mmu *m = spot_machine(&w, initial);
        const unsigned warm = 3 - initial;

        world_map_pages(&w, 1, GIB, 64 * MIB, PAGES, DATA | C);
        sweep(m, GIB, PAGES);
        assert_int_equal(m->stats.walks, PAGES);
        assert_int_equal(m->stats.guess_none, warm);
        assert_int_equal(m->stats.guess_right, PAGES - warm);
        assert_int_equal(m->stats.guess_wrong, 0);
        assert_int_equal(m->stats.hidden_cycles, (PAGES - warm) * WALK);
        assert_int_equal(m->stats.walk_cycles, PAGES * WALK);
        end(&w, m);
    }
}

/* Every offset another one: nothing is guessed, whether the pages are marked or not. */
static void random_mapping(void **state) {
    (void)state;
    for (unsigned marked = 0; marked < 2; marked++) {
        struct world w;
        struct mmu *m = spot_machine(&w, 1);

        for (unsigned i = 0; i < PAGES; i++) /* pa - va never repeats: frames come backwards */
            world_map(&w, 1, GIB + 4096ull * i, 64 * MIB + 4096ull * (PAGES - i), 1, DATA | (marked ? C : 0));
        sweep(m, GIB, PAGES);
        assert_int_equal(m->stats.guess_none, PAGES);
        assert_int_equal(m->stats.guess_right + m->stats.guess_wrong + m->stats.guess_fault, 0);
        end(&w, m);
    }
}

/* Contiguous but not marked: the table stays empty, unless it is told not to look. */
static void unmarked(void **state) {
    (void)state;
    for (unsigned strict = 0; strict < 2; strict++) {
        struct world w;
        struct mmu *m = spot_machine(&w, 2);

        m->spot->cfg.contiguous_only = strict;
        world_map_pages(&w, 1, GIB, 64 * MIB, PAGES, DATA);
        sweep(m, GIB, PAGES);
        assert_int_equal(m->stats.guess_right, strict ? 0 : PAGES - 1);
        end(&w, m);
    }
}

/* Two runs. Going over to the other costs a flush as long as the old offset is trusted: 3, 2, then no more. */
static void wrong_guess(void **state) {
    struct world w;
    struct mmu *m = spot_machine(&w, 2);
    struct mmu_translation t;

    (void)state;
    world_map_pages(&w, 1, GIB, 64 * MIB, 16, DATA | C);
    world_map_pages(&w, 1, 2 * GIB, 512 * MIB, 16, DATA | C);
    sweep(m, GIB, 16);
    t = access_at(m, PC, GIB, EMT_LOAD);
    assert_true(t.cycles == 0 && t.flush_cycles == 0 && t.pa == 64 * MIB);
    for (unsigned i = 0; i < 2; i++) {
        t = access_at(m, PC, 2 * GIB + 4096 * i, EMT_LOAD);
        assert_true(t.cycles == WALK && t.flush_cycles == FLUSH && t.pa == 512 * MIB + 4096 * i);
    }
    assert_int_equal(m->stats.guess_wrong, 2);
    t = access_at(m, PC, 2 * GIB + 4096 * 2, EMT_LOAD); /* 1 -> 0: not trusted, the old offset still */
    assert_true(t.cycles == WALK && t.flush_cycles == 0);
    t = access_at(m, PC, 2 * GIB + 4096 * 3, EMT_LOAD); /* at 0: learns the new one */
    assert_true(t.cycles == WALK && t.flush_cycles == 0);
    t = access_at(m, PC, 2 * GIB + 4096 * 4, EMT_LOAD);
    assert_true(t.cycles == 0 && t.walked);
    assert_int_equal(m->stats.guess_wrong, 2);
    end(&w, m);
}

/* A store is not guessed with an entry learnt from a read-only page; nor is anything without a PC, nor a fetch. */
static void not_guessed(void **state) {
    struct world w;
    struct mmu *m = spot_machine(&w, 2);
    struct mmu_translation t;

    (void)state;
    world_map_pages(&w, 1, GIB, 64 * MIB, 8, P | US | A | C);
    world_map_pages(&w, 1, GIB + 8 * 4096, 64 * MIB + 8 * 4096, 8, DATA | C);
    sweep(m, GIB, 8);
    assert_int_equal(m->stats.guess_right, 7);
    t = access_at(m, PC, GIB + 8 * 4096, EMT_STORE);
    assert_true(!t.fault && t.cycles == WALK);
    t = access_at(m, PC, GIB + 9 * 4096, EMT_STORE); /* the walk has told it better */
    assert_int_equal(t.cycles, 0);
    t = access_at(m, 0, GIB + 10 * 4096, EMT_LOAD);
    assert_int_equal(t.cycles, WALK);
    t = access_at(m, PC, GIB + 11 * 4096, EMT_FETCH);
    assert_int_equal(t.cycles, WALK);
    assert_int_equal(m->stats.guess_right + m->stats.guess_none, 8 + 3); /* not the fetch */
    end(&w, m);
}

/* A guess for a page that is not there: the exception flushes, and pays. What was learnt stays. */
static void page_fault(void **state) {
    struct world w;
    struct mmu *m = spot_machine(&w, 2);
    struct mmu_translation t;

    (void)state;
    world_map_pages(&w, 1, GIB, 64 * MIB, 4, DATA | C);
    sweep(m, GIB, 4);
    t = access_at(m, PC, GIB + 4 * 4096, EMT_LOAD);
    assert_true(t.fault && t.flush_cycles == 0 && t.cycles == WALK);
    assert_int_equal(m->stats.guess_fault, 1);
    world_map_pages(&w, 1, GIB + 4 * 4096, 64 * MIB + 4 * 4096, 1, DATA | C);
    t = access_at(m, PC, GIB + 4 * 4096, EMT_LOAD);
    assert_true(!t.fault && t.cycles == 0);
    end(&w, m);
}

/* ---- the table against a naive one ---- */

#define SETS 3u
#define WAYS 2u

struct naive {
    uint64_t pc, offset, used; /* used 0: empty */
    int confidence;
    bool write;
};

static struct naive *naive_find(struct naive *n, uint64_t pc) {
    for (unsigned i = 0; i < SETS * WAYS; i++)
        if (n[i].used && n[i].pc == pc)
            return n + i;
    return NULL;
}

static struct naive *naive_place(struct naive *n, uint64_t pc) {
    struct naive *oldest = NULL;

    for (unsigned i = pc % SETS * WAYS; i < (pc % SETS + 1) * WAYS; i++)
        if (!n[i].used)
            return n + i;
    for (unsigned i = pc % SETS * WAYS; i < (pc % SETS + 1) * WAYS; i++)
        if (n[i].confidence == 0 && (!oldest || n[i].used < oldest->used))
            oldest = n + i;
    return oldest;
}

static void naive_learn(struct naive *n, uint64_t now, uint64_t pc, uint64_t offset, bool write, bool contig) {
    struct naive *e = naive_find(n, pc), *place;

    if (e && e->offset != offset && e->confidence > 0) {
        e->confidence--;
        e->used = now;
        return;
    }
    if (e && e->offset == offset) {
        e->confidence = e->confidence == 3 ? 3 : e->confidence + 1;
        e->write = write;
        e->used = now;
        return;
    }
    place = e ? e : naive_place(n, pc);
    if (contig && place)
        *place = (struct naive){pc, offset, now, 1, write};
}

static void against_naive(void **state) {
    const struct cfg_spot cfg = {
        .entries = SETS * WAYS, .ways = WAYS, .max = 3, .initial = 1, .predict = 2, .contiguous_only = true};
    struct naive n[SETS * WAYS] = {{0}};
    uint64_t random = 7, guesses = 0;
    struct spot s;

    (void)state;
    assert_int_equal(spot_init(&s, &cfg), 0);
    for (uint64_t now = 1; now < 200000; now++) {
        const uint64_t pc = 100 + skewed(&random, 5), va = hw_random_below(&random, 64) << 12;
        const uint64_t offset = (hw_random_below(&random, 8) == 0) << 12;
        const bool store = hw_random_below(&random, 3) == 0, write = hw_random_below(&random, 4) != 0;
        const struct naive *e = naive_find(n, pc);
        uint64_t pa = 0;

        assert_int_equal(spot_guess(&s, pc, va, store, &pa), e && e->confidence >= 2 && (e->write || !store));
        if (pa) {
            assert_int_equal(pa, va + e->offset);
            guesses++;
        }
        const struct emt_walk walk = {
            .va = va, .pa = va + offset, .bytes = 4096, .write = write, .contig = hw_random_below(&random, 4) != 0};
        spot_learn(&s, pc, &walk);
        naive_learn(n, now, pc, offset, write, walk.contig);
    }
    assert_true(guesses > 20000);
    spot_fini(&s);
}

/* ---- a whole machine ---- */

static void refused(const char *a, const char *b, const char *message) {
    const char *const settings[] = {"mmu.predictor=spot", a, b, NULL};
    char why[512] = "";
    struct emt *emt = emt_new("default", "radix4", settings, why, sizeof(why));

    assert_null(emt);
    if (!strstr(why, message))
        fail_msg("'%s' does not say '%s'", why, message);
}

static void settings(void **state) {
    (void)state;
    refused("mmu.software_tlb=true", NULL, "mmu.software_tlb is true");
    refused("mmu.spot.ways=5", NULL, "mmu.spot.ways is 5, but 32 entries do not divide by it");
    refused("mmu.spot.predict=4", NULL, "mmu.spot.predict is 4, but the highest confidence, mmu.spot.max, is 3");
    refused("mmu.spot.initial=9", NULL, "mmu.spot.initial is 9");
}

static int64_t figure(struct emt *emt, const char *group, const char *key) {
    char *text = emt_results_json(emt);
    json_t *document = json_loads(text, 0, NULL);
    const json_t *result = json_array_get(json_object_get(document, "results"), 0);
    const json_t *value = json_object_get(json_object_get(result, group), key);

    assert_true(json_is_integer(value));
    const int64_t n = json_integer_value(value);
    json_decref(document);
    free(text);
    return n;
}

/* Guesses add up, time is saved, and what is translated does not change. */
static void machine(void **state) {
    static const char *const predictor[] = {"mmu.predictor=none", "mmu.predictor=spot"};
    uint64_t cycles[2] = {0}, hash[2] = {0};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const char *const set[] = {predictor[i],
                                   "mmu.spot.contiguous_only=false",
                                   "os.thp.enabled=never",
                                   "memory.bytes=256M",
                                   "check.translations=true",
                                   "tlb.l2.entries=24",
                                   "caches.enabled=false",
                                   NULL};
        char why[512];
        struct emt *emt = emt_new("default", "radix4", set, why, sizeof(why));
        uint64_t va = 0x7e0000000000ull, random = 3;

        assert_non_null(emt);
        assert_int_equal(emt_mmap(emt, 1, &va, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
        for (unsigned k = 0; k < 20000; k++) {
            struct emt_answer a;

            emt_pc(emt, PC + hw_random_below(&random, 8) * 4);
            assert_int_equal(emt_access(emt, 1, 0,
                                        va + (k < 16384 ? k * 4096ull : hw_random_below(&random, 64 * MIB / 8) * 8),
                                        8, EMT_KIND_STORE, &a),
                             0);
            cycles[i] += a.translation_cycles;
            hash[i] = (hash[i] ^ a.pa) * 0x9e3779b97f4a7c15ull;
        }
        const int64_t right = figure(emt, "prediction", "right"), wrong = figure(emt, "prediction", "wrong");
        assert_int_equal(figure(emt, "prediction", "guesses"), right + wrong + figure(emt, "prediction", "fault"));
        assert_int_equal(figure(emt, "checker", "wrong"), 0);
        if (i) {
            assert_true(right > 1000);
            assert_int_equal(cycles[0] - cycles[1],
                             (uint64_t)(figure(emt, "prediction", "hidden_cycles") - wrong * FLUSH));
            assert_int_equal(figure(emt, "walks", "count"), right + wrong + figure(emt, "prediction", "fault") +
                                                                figure(emt, "prediction", "none"));
        } else {
            assert_int_equal(right + wrong, 0);
        }
        emt_free(emt);
    }
    assert_int_equal(hash[0], hash[1]);
    assert_true(cycles[1] < cycles[0]);
}

/*
 * CA paging and SpOT, native and under a hypervisor with CA paging in both: one region, so one offset of the final
 * translation. Two instructions, each of which learns from its first two walks into it; all other walks are
 * guessed, and right. With frames that are scattered on one side nothing can be.
 */
static void contiguous_memory(void **state) {
    static const struct {
        const char *set[4];
        bool contiguous;
    } runs[] = {
        {{"os.placement=ca"}, true},
        {{"virt.mode=nested", "guest.os.placement=ca", "host.os.placement=ca"}, true},
        {{"virt.mode=nested", "guest.os.placement=ca", "host.os.contig_pages=0"}, false}, /* host says nothing */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        const char *set[16] = {"mmu.predictor=spot", "os.thp.enabled=never", "memory.bytes=512M",
                               "check.translations=true", "caches.enabled=false"};
        char why[512];
        uint64_t va = 0x7e0000000000ull, random = 3;

        for (unsigned k = 0; k < 4; k++)
            set[5 + k] = runs[i].set[k];
        struct emt *emt = emt_new("default", "radix4", set, why, sizeof(why));
        if (!emt)
            fail_msg("%s", why);
        assert_int_equal(emt_mmap(emt, 1, &va, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
        int64_t before = 0, none = 0;
        for (unsigned k = 0; k < 40000; k++) {
            const uint64_t page = k < 16384 ? k : hw_random_below(&random, 16384);
            struct emt_answer a;

            if (k == 20000) {
                before = figure(emt, "prediction", "right");
                none = figure(emt, "prediction", "none");
            }
            emt_pc(emt, PC + 4 * (page & 1));
            assert_int_equal(emt_access(emt, 1, 0, va + page * 4096, 8, EMT_KIND_STORE, &a), 0);
        }
        if (runs[i].contiguous) {
            assert_true(figure(emt, "prediction", "right") - before > 5000);
            assert_int_equal(figure(emt, "prediction", "none"), none);
            assert_int_equal(figure(emt, "prediction", "wrong"), 0);
        } else {
            assert_int_equal(figure(emt, "prediction", "guesses"), 0);
        }
        assert_int_equal(figure(emt, "checker", "wrong"), 0);
        emt_free(emt);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contiguous_mapping), cmocka_unit_test(random_mapping), cmocka_unit_test(unmarked),
        cmocka_unit_test(wrong_guess),        cmocka_unit_test(not_guessed),    cmocka_unit_test(page_fault),
        cmocka_unit_test(against_naive),      cmocka_unit_test(settings),       cmocka_unit_test(machine),
        cmocka_unit_test(contiguous_memory),
    };

    return cmocka_run_group_tests_name("spot", tests, NULL, NULL);
}
