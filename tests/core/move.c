/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The architecture-neutral move, with hardware at work in the middle of it: what it sets at the old address and at
 * the new one must both be there at the end. Found by emt check as "D is lost when it is unmapped".
 */
#include "support/sim.h"

#define FROM 0x40000000ull
#define TO   0x7f0000000000ull

/* Accesses between the moment in which the object is at both addresses and the one in which the old one goes. */
static struct {
    struct sim *sim;
    const struct emt_tdb *tdb;
    uint64_t store, load; /* addresses */
    unsigned made;
} hardware;

static void access_now(uint64_t va, uint8_t type) {
    const struct emt_access a = {.va = va, .type = type, .user = true, .write_protect = true, .nx = true};
    struct emt_walk w = {0};

    assert_int_equal(sim_walk(hardware.sim, hardware.tdb, &a, &w), 0);
    assert_false(w.fault);
    hardware.made++;
}

static int remove_while_used(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    if (va == FROM) {
        access_now(hardware.store, EMT_STORE);
        access_now(hardware.load, EMT_LOAD);
    }
    return emt_arch_find("radix4")->driver->tdb_remove(tdb, va, old);
}

static void move_between(uint64_t store, uint64_t load) {
    const struct emt_arch *radix = emt_arch_find("radix4");
    struct emt_driver_ops driver = *radix->driver;
    struct emt_arch arch = *radix;
    struct sim sim;
    struct emt_tdb tdb;
    struct emt_tobj o;
    struct emt_gather g;

    driver.tdb_remove = remove_while_used;
    arch.driver = &driver;
    sim_open(&sim, &arch, true);
    assert_int_equal(emt_tdb_create(&tdb, &sim.svc, 1), 0);
    hardware.sim = &sim;
    hardware.tdb = &tdb;
    hardware.store = store;
    hardware.load = load;
    hardware.made = 0;
    assert_int_equal(emt_tobj_init(&sim.svc, &o, FROM, 77, EMT_PAGE_BYTES, EMT_PROT_WRITE | EMT_PROT_USER), 0);
    assert_int_equal(emt_tdb_update(&tdb, &o), 0);
    emt_gather_init(&g);
    assert_int_equal(emt_range_move(&tdb, FROM, TO, EMT_PAGE_BYTES, &g), 0);
    emt_gather_flush(&tdb, &g);
    assert_int_equal(hardware.made, 2);
    assert_int_equal(emt_tdb_find(&tdb, FROM, &o), -ENOENT);
    assert_int_equal(emt_tdb_find(&tdb, TO, &o), 0);
    assert_int_equal(emt_tobj_get(&sim.svc, &o, EMT_ATTR_PFN), 77);
    assert_true(emt_tobj_get(&sim.svc, &o, EMT_ATTR_ACCESSED));
    assert_true(emt_tobj_get(&sim.svc, &o, EMT_ATTR_DIRTY));
    emt_tdb_destroy(&tdb);
    sim_close(&sim);
}

static void stored_at_the_old_address(void **state) {
    (void)state;
    move_between(FROM, FROM);
}

/* The old address is read, so that A must be brought over; the new one keeps its D. */
static void stored_at_the_new_address(void **state) {
    (void)state;
    move_between(TO, FROM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_at_the_old_address),
        cmocka_unit_test(stored_at_the_new_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
