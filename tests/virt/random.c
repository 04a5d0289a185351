/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Random sequences of what programs do, while the host takes memory away, collapses huge pages and turns its
 * balloon: no translation may ever differ from what both databases say together, and both operating systems stay
 * whole.
 */
#include "virt/virt_private.h"
#include "world.h"

#define SPAN (16 * MIB)
#define OPS  120

static uint64_t random_of(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele, Lea, Flood: OOPSLA'14) */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* [*va, *va + *bytes) somewhere in the span, at times of some huge pages. */
static void some_range(uint64_t *state, uint64_t *va, uint64_t *bytes) {
    uint64_t r = random_of(state);
    uint64_t pages = r % 8 == 0 ? 512 + r / 8 % 1024 : 1 + r / 8 % 40;

    *va = AREA + random_of(state) % (SPAN / PAGE - pages) * PAGE;
    *bytes = pages * PAGE;
}

static void put_accesses(struct world *w, uint64_t *state, unsigned n) {
    uint64_t base = random_of(state) % (SPAN / PAGE);

    for (unsigned i = 0; i < n; i++) {
        uint64_t r = random_of(state), page = r & 1 ? r / 16 % (SPAN / PAGE) : (base + r / 16 % 64) % (SPAN / PAGE);
        uint64_t va = AREA + page * PAGE + (r >> 40 & 0xff8);

        put(w, r & 2 ? ev_store(va, 3) : ev_load(va, 3));
        if (i % 8 == 0)
            put(w, ev_fetch(0x400000, 2000));
    }
}

static void guest_does(struct world *w, uint64_t *state, uint32_t *children) {
    uint64_t va, bytes, r = random_of(state);

    some_range(state, &va, &bytes);
    switch (r % 8) {
    case 0:
        put_event(w, EV_MUNMAP, 2, (const uint64_t[]){va, bytes});
        put_mmap(w, va, bytes);
        break;
    case 1:
        put_event(w, EV_MPROTECT, 3, (const uint64_t[]){va, bytes, PROT_READ});
        break;
    case 2:
        put_event(w, EV_MPROTECT, 3, (const uint64_t[]){va, bytes, PROT_READ | PROT_WRITE});
        break;
    case 3:
        put_event(w, EV_MADVISE, 3, (const uint64_t[]){va, bytes, MADV_DONTNEED});
        break;
    case 4:
        put_event(w, EV_MADVISE, 3, (const uint64_t[]){va, bytes, 8 /* MADV_FREE */});
        break;
    case 5:
        if (*children >= 3)
            break;
        put_event(w, EV_FORK, 1, (const uint64_t[]){2 + (*children)++});
        break;
    default:
        break;
    }
}

/* A child runs, and sometimes ends. */
static void child_does(struct world *w, uint64_t *state, uint32_t *children) {
    if (!*children)
        return;
    w->b->process = 1 + *children;
    w->b->thread = 1;
    put_accesses(w, state, 60);
    if (random_of(state) % 4 == 0) {
        put(w, ev_event(EV_EXIT, 0));
        (*children)--;
    }
    run(w);
    w->b->process = 1;
    w->b->thread = 0;
}

/* Less memory in the host than the guest uses: reclaim and swap take frames from under it. */
static const char *const tight[] = {"host.memory.bytes=16M", "host.os.swap.bytes=64M", "guest.memory.bytes=64M",
                                    NULL};

static void one_sequence(const char *guest, const char *host, const char *mode, const char *const *more,
                         uint64_t seed) {
    struct world w;
    uint32_t children = 0;

    world_open(&w, guest, host, mode, more);
    put_mmap(&w, AREA, SPAN);
    put_mmap(&w, AREA + SPAN, SPAN);
    for (uint64_t va = AREA + SPAN; more == tight && va < AREA + 2 * SPAN; va += PAGE) {
        put(&w, ev_store(va, 3));
        if (w.b->words > 2000)
            run(&w);
    }
    for (unsigned i = 0; i < OPS; i++) {
        put_accesses(&w, &seed, 40);
        guest_does(&w, &seed, &children);
        put_accesses(&w, &seed, 40);
        run(&w);
        child_does(&w, &seed, &children);
        if (random_of(&seed) % 3 == 0) {
            uint64_t pages = 1 + random_of(&seed) % 600;

            host_drops(&w, random_of(&seed) % (48 * MIB / PAGE) * PAGE, pages * PAGE);
        }
    }
    struct emt_result *r = result_of(&w);
    if (r->checker.wrong)
        fail_msg("%s on %s, %s: %llu wrong, the first: %s", guest, host, mode, (unsigned long long)r->checker.wrong,
                 r->checker.first);
    assert_true(r->checker.checked > OPS * 20);
    assert_true(r->virt.stats.host_changes > 0);
    assert_true(more != tight || r->virt.os.reclaim.swapped_out > 0);
    assert_int_equal(os_verify(w.m->os), 0);
    assert_int_equal(os_verify(virt_os(w.m->virt)), 0);
    free(r);
    world_close(&w);
}

static const char *const small[] = {"core.count=2", "virt.balloon.bytes=1M",
                                    "virt.balloon.every_instructions=500000", NULL};
static const char *const huge[] = {"core.count=2",
                                   "os.thp.enabled=always",
                                   "host.os.thp.fault=false",
                                   "os.thp.scan_every_instructions=300000",
                                   "virt.nested_tlb.entries=8",
                                   NULL};
static const char *const plain[] = {"os.asids=false", "os.zero_page=false", "mmu_caches.kind=pwc",
                                    "os.thp.enabled=always", NULL};

/* Placement on both sides: ranger moves pages of the guest, and the guest's memory in the host, all the time; SpOT
   guesses what both say together. */
static const char *const placed[] = {"guest.os.placement=ca",
                                     "host.os.placement=ranger",
                                     "os.ranger.every_instructions=200000",
                                     "os.thp.enabled=always",
                                     "memory.fragmented=0.3",
                                     "mmu.predictor=spot",
                                     NULL};
static const char *const moved[] = {"guest.os.placement=ranger", "host.os.placement=eager",
                                    "os.ranger.every_instructions=200000", "memory.fragmented=0.3", NULL};

static void sequences(const char *mode) {
    static const char *const pair[][2] = {
        {"radix4", "radix4"}, {"radix5", "radix4"},          {"ecpt", "radix4"},   {"radix4", "ecpt"},
        {"ecpt", "ecpt"},     {"fpt:l4l3-l2l1", "fpt:l3l2"}, {"hashed", "radix4"}, {"radix4", "hashed"},
        {"inverted", "htab"}, {"htab", "inverted"},          {"anchor", "rmm"},    {"mosaic:4", "segment"},
        {"rmm", "anchor"},    {"segment", "radix4"},
    };
    for (unsigned i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
#ifdef EMT_BASIC_ONLY
        if (strcmp(pair[i][0], "hashed") == 0 || strcmp(pair[i][1], "hashed") == 0)
            continue; /* its default ranges look at each page of the holes in an address space: hours */
#endif
        one_sequence(pair[i][0], pair[i][1], mode, small, 3 * i + 1);
        one_sequence(pair[i][0], pair[i][1], mode, huge, 3 * i + 2);
        one_sequence(pair[i][0], pair[i][1], mode, plain, 3 * i + 3);
        one_sequence(pair[i][0], pair[i][1], mode, i % 2 ? placed : moved, 3 * i + 5);
        one_sequence(pair[i][0], pair[i][1], mode, tight, 3 * i + 4);
    }
}

static void nested_tables_are_right(void **state) {
    (void)state;
    sequences("nested");
}

static void shadow_tables_are_right(void **state) {
    (void)state;
    sequences("shadow");
}

/* The same without the flush that follows a change in the host: the checker must see it. */
static void a_flush_that_is_missing_is_seen(void **state) {
    static const char *const mode[] = {"nested", "shadow"};
    static const char *const pair[][2] = {{"radix4", "radix4"}, {"ecpt", "radix4"}, {"radix4", "ecpt"}};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct world w;

        world_open(&w, pair[i / 2][0], pair[i / 2][1], mode[i % 2], NULL);
        put_mmap(&w, AREA, MIB);
        for (uint64_t va = AREA; va < AREA + MIB; va += PAGE)
            put(&w, ev_store(va, 3));
        run(&w);
        w.m->virt->host.flush = NULL;
        for (uint64_t gpa = 0; gpa < 16 * MIB; gpa += PAGE)
            os_madvise(virt_process(w.m->virt), gpa, PAGE, MADV_DONTNEED);
        for (uint64_t va = AREA; va < AREA + MIB; va += PAGE)
            put(&w, ev_load(va, 3));
        machine_feed(w.m, w.b); /* whatever comes of it */
        struct emt_result *r = result_of(&w);
        if (!r->checker.wrong && !machine_trouble(w.m))
            fail_msg("%s on %s, %s: nobody saw it", pair[i / 2][0], pair[i / 2][1], mode[i % 2]);
        free(r);
        world_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_tables_are_right),
        cmocka_unit_test(shadow_tables_are_right),
        cmocka_unit_test(a_flush_that_is_missing_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
