/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walkers as QEMU-EMT has them: compiled freestanding, linked with qemu/'s host that has no operating system,
 * chosen through qemu/'s arch.h. Tables are written here by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emt/hardware.h"
#include "qemu/files/target/i386/emt/arch.h"

#define P      0x01ull
#define RW     0x02ull
#define US     0x04ull
#define A      0x20ull
#define D      0x40ull
#define PS     0x80ull
#define FRAMES 16

void emt_no_driver_here(void);
void emt_no_driver_here(void) {
    fail_msg("a driver touched tables");
    abort();
}

struct memory {
    struct emt_port ops;
    uint64_t word[FRAMES * 512];
    unsigned reads, updates;
    unsigned interfere; /* the n-th update finds that the word has just changed */
};

static int fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n) {
    struct memory *m = (struct memory *)ops;

    for (unsigned i = 0; i < n; i++) {
        if (f[i].pa / 8 + f[i].words > FRAMES * 512)
            return -EFAULT;
        memcpy(f[i].data, &m->word[f[i].pa / 8], 8ul * f[i].words);
        m->reads++;
    }
    return 0;
}

static bool update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct memory *m = (struct memory *)ops;

    m->updates++;
    if (m->updates == m->interfere)
        m->word[pa / 8] |= 1ull << 9; /* a software bit */
    if (m->word[pa / 8] != expected)
        return false;
    m->word[pa / 8] = desired;
    return true;
}

static uint64_t index_of(uint64_t va, unsigned level) {
    return va >> (12 + 9 * (level - 1)) & 511;
}

/* Tables from frame 1 on, down to `leaf`; the page lies at 1 TiB. Returns where the last entry is. */
static uint64_t map(struct memory *m, unsigned levels, uint64_t va, unsigned leaf) {
    uint64_t table = 4096, slot = 0;

    *m = (struct memory){.ops = {.fetch = fetch, .update = update}};
    for (unsigned level = levels; level >= leaf; level--) {
        slot = table / 8 + index_of(va, level);
        table += 4096;
        m->word[slot] = level == leaf ? 1ull << 40 | P | RW | US | (leaf > 1 ? PS : 0) : table | P | RW | US;
    }
    return slot;
}

static struct emt_walk walk(struct memory *m, const struct emt_arch *arch, uint64_t va, unsigned type) {
    struct emt_root root = {.word = {4096}};
    struct emt_access access = {.va = va, .type = (uint8_t)type, .user = true, .write_protect = true, .nx = true};
    struct emt_walk w;

    assert_int_equal(arch->walker->walk(arch, &root, &access, &m->ops, &w), 0);
    return w;
}

static void radix(void **state) {
    const struct emt_arch *arch[] = {&emt_radix4, &emt_radix5};
    static struct memory m;
    (void)state;

    for (unsigned i = 0; i < 2; i++)
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            const uint64_t va = i ? 0x00ab123456789abcull : 0x0000723456789abcull;
            const uint64_t slot = map(&m, 4 + i, va, leaf), page = 4096ull << 9 * (leaf - 1);
            struct emt_walk w = walk(&m, arch[i], va, EMT_LOAD);

            assert_false(w.fault);
            assert_int_equal(w.bytes, page);
            assert_int_equal(w.va, va & ~(page - 1));
            assert_int_equal(w.pa, 1ull << 40);
            assert_int_equal(m.reads, 4 + i - (leaf - 1));
            assert_int_equal(m.updates, m.reads); /* A of each entry */
            assert_int_equal(m.word[slot] & (A | D), A);
            w = walk(&m, arch[i], va, EMT_STORE);
            assert_int_equal(m.word[slot] & (A | D), A | D);
            assert_true(w.dirty);
            m.word[slot] = 0;
            w = walk(&m, arch[i], va, EMT_STORE);
            assert_true(w.fault);
            assert_int_equal(w.code, EMT_PF_WRITE | EMT_PF_USER);
        }
}

/* Another CPU changes an entry between its read and the setting of A: the walk looks again and loses nothing. */
static void atomic(void **state) {
    static struct memory m;
    (void)state;

    for (unsigned n = 1; n <= 4; n++) {
        const uint64_t va = 0x723456789000ull, slot = map(&m, 4, va, 1);

        m.interfere = n;
        assert_false(walk(&m, &emt_radix4, va, EMT_STORE).fault);
        assert_int_equal(m.word[slot] & (A | D), A | D);
        assert_int_equal(m.updates, 5);
        unsigned kept = 0;
        for (unsigned i = 0; i < FRAMES * 512; i++)
            kept += (m.word[i] >> 9 & 1);
        assert_int_equal(kept, 1);
    }
}

/* Every architecture is there, is found by its number, and says what CPUID tells. */
static void all_of_them(void **state) {
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);
    (void)state;

    assert_true(n >= 2);
    assert_null(emt_arch_of(0));
    assert_null(emt_arch_of(n + 1));
    for (unsigned i = 0; i < n; i++) {
        const struct emt_caps caps = emt_arch_caps(all[i]);

        assert_ptr_equal(emt_arch_of(i + 1), all[i]);
        assert_true(caps.va_bits >= 48 && caps.va_bits <= 57);
        assert_true(caps.page_sizes >> 12 & 1);
        assert_true(caps.page_sizes >> 32 == 0);
        assert_true(strlen(all[i]->name) <= 16 * EMT_CPUID_NAMES);
    }
    assert_true(emt_arch_is_tree(&emt_radix4));
    assert_true(emt_arch_is_tree(&emt_radix5));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(radix), cmocka_unit_test(atomic),
                                       cmocka_unit_test(all_of_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
