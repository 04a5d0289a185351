/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who may do what, and which error code says so: every combination of the bits of a leaf and of the entries above
 * it, of access, of mode and of control bits, against the rules of the Intel SDM (vol. 3, 4.6 and 4.7) written down
 * once more, sentence by sentence.
 */
#include "support/sim.h"
#include "mmu/radix/format.h"

#define VA    0x5c8315cc2000ull
#define RSVD  (1ull << 50) /* above the 46 bits of this test's processor */
#define ROOT  0x1000ull
#define TABLE 0x2000ull /* one table serves as all but the root: its entries are at different places */
#define FRAME 0x40000000ull

struct leaf {
    bool p, rw, us, nx, rsvd;
};

/* Allowed, or the code. The page's rights are those of all levels together. */
static bool oracle(const struct leaf *page, bool any_nx, const struct emt_access *a, unsigned pkey,
                   uint32_t *code) {
    const bool data = a->type != EMT_FETCH, write = a->type == EMT_STORE;
    const bool ad = a->pkru >> 2 * pkey & 1, wd = a->pkru >> (2 * pkey + 1) & 1;
    bool allowed, key_violation;

    *code = (write ? 2 : 0) | (a->user ? 4 : 0) | (!data && (a->nx || a->smep) ? 16 : 0);
    if (!page->p)
        return false;
    *code |= 1;
    if (page->rsvd || (any_nx && !a->nx)) {
        *code |= 8;
        return false;
    }
    if (a->user) {
        /* User mode: user pages only; writes if R/W everywhere; fetches if XD nowhere. */
        if (!page->us)
            allowed = false;
        else if (!data)
            allowed = !page->nx;
        else
            allowed = !write || page->rw;
    } else if (!page->us) {
        /* Supervisor mode, supervisor page. */
        if (!data)
            allowed = !page->nx;
        else
            allowed = !write || page->rw || !a->write_protect;
    } else {
        /* Supervisor mode, user page. */
        if (!data)
            allowed = !a->smep && !page->nx;
        else if (a->smap)
            allowed = false;
        else
            allowed = !write || page->rw || !a->write_protect;
    }
    key_violation = a->pke && data && page->us && (ad || (wd && write && (a->write_protect || a->user)));
    if (key_violation)
        *code |= 32;
    return allowed && !key_violation;
}

struct rig {
    struct emt_arch arch;
    struct sim sim;
    struct emt_root root;
    unsigned leaf_level;
};

static uint64_t *entry(struct rig *r, unsigned level) {
    uint64_t table = level == r->arch.param[0] ? ROOT : TABLE;

    return (uint64_t *)(void *)(r->sim.host.phys + radix_slot(table, VA, level));
}

static void build(struct rig *r, const struct leaf *up, const struct leaf *leaf, unsigned pkey,
                  bool upper_weak_at_root) {
    const unsigned levels = (unsigned)r->arch.param[0];

    for (unsigned level = levels; level > r->leaf_level; level--) {
        /* The restriction stands in one entry of those above the leaf: in the root's, or in the last. */
        const bool here = upper_weak_at_root ? level == levels : level == r->leaf_level + 1;
        uint64_t e = TABLE | 1;
        e |= !here || up->rw ? 2 : 0;
        e |= !here || up->us ? 4 : 0;
        e |= here && up->nx ? 1ull << 63 : 0;
        *entry(r, level) = e;
    }
    *entry(r, r->leaf_level) = FRAME | leaf->p | leaf->rw << 1 | leaf->us << 2 | (uint64_t)leaf->nx << 63 |
                               (leaf->rsvd ? RSVD : 0) | (uint64_t)pkey << 59 | (r->leaf_level > 1 ? 0x80 : 0);
}

static void check(struct rig *r, const struct leaf *up, const struct leaf *leaf, const struct emt_access *a,
                  unsigned pkey) {
    const struct leaf page = {leaf->p, up->rw && leaf->rw, up->us && leaf->us, up->nx || leaf->nx, leaf->rsvd};
    const uint64_t before = *entry(r, r->leaf_level);
    uint32_t code;
    bool allowed = oracle(&page, page.nx, a, pkey, &code);
    struct emt_walk w;

    /* The entry above is read first: XD there is reserved without NXE, whatever the leaf holds. */
    if (up->nx && !a->nx) {
        allowed = false;
        code |= EMT_PF_PRESENT | EMT_PF_RSVD;
        code &= ~EMT_PF_PK;
    }
    assert_int_equal(r->arch.walker->walk(&r->arch, &r->root, a, &r->sim.port.port, &w), 0);
    if (w.fault == allowed || (w.fault && w.code != code))
        fail_msg(
            "leaf p%d rw%d us%d nx%d rsvd%d, above rw%d us%d nx%d, type %d user %d wp%d smep%d smap%d nxe%d pke%d "
            "pkru %#x key %u: fault %d code %#x, expected %d %#x",
            leaf->p, leaf->rw, leaf->us, leaf->nx, leaf->rsvd, up->rw, up->us, up->nx, a->type, a->user,
            a->write_protect, a->smep, a->smap, a->nx, a->pke, a->pkru, pkey, w.fault, w.code, !allowed, code);
    const uint64_t set = allowed ? 0x20 | (a->type == EMT_STORE ? 0x40 : 0) : 0;
    assert_int_equal(*entry(r, r->leaf_level), before | set);
    if (!allowed)
        return;
    *entry(r, r->leaf_level) = before;
    assert_int_equal(w.pa, FRAME);
    assert_true(w.write == page.rw && w.user == page.us && w.exec == !page.nx && w.pkey == pkey);
    assert_true(w.dirty == (a->type == EMT_STORE));
}

/* All control bits and accesses for one set of entries. */
static unsigned accesses(struct rig *r, const struct leaf *up, const struct leaf *leaf) {
    const unsigned pkey = 11;
    unsigned n = 0;

    for (unsigned bits = 0; bits < 1u << 8; bits++) {
        for (unsigned type = EMT_LOAD; type <= EMT_FETCH; type++) {
            const struct emt_access a = {.va = VA,
                                         .type = (uint8_t)type,
                                         .user = bits & 1,
                                         .write_protect = bits & 2,
                                         .smep = bits & 4,
                                         .smap = bits & 8,
                                         .nx = bits & 16,
                                         .pke = bits & 32,
                                         .pkru = bits >> 6 << 2 * pkey};
            check(r, up, leaf, &a, pkey);
            n++;
        }
    }
    return n;
}

static void rights(void **state) {
    unsigned n = 0;
    (void)state;

    for (unsigned levels = 4; levels <= 5; levels++) {
        struct rig r = {.arch = *emt_arch_find(levels == 4 ? "radix4" : "radix5"), .root = {{ROOT}}};
        r.arch.param[1] = 46;
        sim_open(&r.sim, &r.arch, false);
        sim_port_reset(&r.sim, false);
        for (r.leaf_level = 1; r.leaf_level <= 3; r.leaf_level++) {
            for (unsigned bits = 0; bits < 1u << 9; bits++) {
                const struct leaf leaf = {bits & 1, bits & 2, bits & 4, bits & 8, bits & 16};
                const struct leaf up = {true, bits & 32, bits & 64, bits & 128, false};
                build(&r, &up, &leaf, 11, bits & 256);
                n += accesses(&r, &up, &leaf);
            }
        }
        sim_close(&r.sim);
    }
    assert_int_equal(n, 2 * 3 * 512 * 256 * 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rights)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
