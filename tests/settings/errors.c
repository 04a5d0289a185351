/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Each mistake in a machine file has its line, to the letter, with the line and column of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "machine/settings.h"

/* The smallest machine that is complete; files below add to it. */
#define TLB "tlb: {l1d: {entries: 64, ways: 4}}\n"
#define L1D "caches:\n  enabled: true\n  walk_level: 1\n  l1d: {bytes: 32K, ways: 8}\n"

static const struct {
    const char *text, *message;
} cases[] = {
    /* not YAML, or not a mapping */
    {"", "t.yaml:1:1: the file is empty; a machine file is a mapping of settings"},
    {"- a\n- b\n", "t.yaml:1:1: the file is a list; a machine file is a mapping of settings"},
    {"hello\n", "t.yaml:1:1: the file is a value; a machine file is a mapping of settings"},
    {"core:\n  count: [1\n", "t.yaml:3:1: not YAML: did not find expected ',' or ']'"},
    {"core:\n\tcount: 1\n", "t.yaml:2:1: not YAML: found character that cannot start any token"},
    {"core:\n  about: \xff\n", "t.yaml:2:10: not YAML: invalid leading UTF-8 octet"},
    {"core: {count: *x}\n", "t.yaml:1:15: not YAML: found undefined alias"},
    {TLB "---\ncore: {count: 2}\n", "t.yaml:3:1: a second document; a machine file is one"},
    {TLB "core: {count: !big 2}\n", "t.yaml:2:15: machine files have no tags (such as !x); remove it"},
    {TLB "mmu: {name: \"rad\\0ix\"}\n", "t.yaml:2:13: the value contains a NUL character"},
    {"a: &a {core: *a}\n", "t.yaml:1:1: unknown setting a; in a machine there are: mmu, core, tlb, mmu_caches, "
                           "caches, memory, os, virt, check, seed, guest, host"},
    {"core: &a {count: *a}\n", "t.yaml:1:7: core.count is a mapping; expected a whole number from 1 to 64 cores"},

    {"[[[[[[[[[[[[[[[[[[[[[[[[", "t.yaml:1:17: nested more than 16 deep"},

    /* keys */
    {"core:\n  bse_cpi: 1\n", "t.yaml:2:3: unknown setting core.bse_cpi; did you mean core.base_cpi?"},
    {"cores:\n  count: 1\n", "t.yaml:1:1: unknown setting cores; did you mean core?"},
    {"sorces: []\n", "t.yaml:1:1: unknown setting sorces; did you mean sources?"},
    {"tlb:\n  l2:\n    entires: 5\n", "t.yaml:3:5: unknown setting tlb.l2.entires; did you mean tlb.l2.entries?"},
    {"os:\n  cost: {sycall: 1}\n", "t.yaml:2:10: unknown setting os.cost.sycall; did you mean os.cost.syscall?"},
    {"os:\n  xyzzy: 1\n",
     "t.yaml:2:3: unknown setting os.xyzzy; in os there are: thp, zero_page, fault_around_pages, "
     "asids, flush_ceiling, stack_bytes, placement, contig_pages, ca, eager, ranger, contiguity_every, reclaim, swap, "
     "file, limit, cpi, cost"},
    {"core: {count: 1}\nmemory: {nodes: 1}\ncore: {count: 2}\n",
     "t.yaml:3:1: core is there twice; the first is at line 1"},
    {"core:\n  count: 1\n  count: 1\n", "t.yaml:3:3: core.count is there twice; the first is at line 2"},
    {"core.count: 1\n", "t.yaml:1:1: \"core.count\" is no key; a key is one name, without dots"},
    {"core: {[a]: 1}\n", "t.yaml:1:8: a list is no key; a key is one name"},
    {"tlb: {-x: {entries: 1}}\n",
     "t.yaml:1:7: a name in tlb has at most 31 letters, digits, - and _, and begins with a letter or digit"},
    {"tlb: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}, i: {}, j: {}, k: {}, l: {}, m: {}}\n",
     "t.yaml:1:91: tlb.m is one too many; there is room for 12 in tlb"},

    /* types */
    {"core: 5\n", "t.yaml:1:7: core is a value; expected a group of settings"},
    {"mmu: radix4\n", "t.yaml:1:6: mmu is a value; expected a group of settings"},
    {"tlb: {l2: 5}\n", "t.yaml:1:11: tlb.l2 is a value; expected a group of settings, or none to remove it"},
    {"core:\n  count: [1]\n", "t.yaml:2:10: core.count is a list; expected a whole number from 1 to 64 cores"},
    {"core:\n  count: four\n", "t.yaml:2:10: core.count is \"four\"; expected a whole number from 1 to 64 cores"},
    {"core:\n  fault_cycles: 1.5\n",
     "t.yaml:2:17: core.fault_cycles is \"1.5\"; expected a whole number from 0 to 1000000 cycles"},
    {"core:\n  base_cpi: fast\n",
     "t.yaml:2:13: core.base_cpi is \"fast\"; expected a number from 0.01 to 100 cycles per instruction"},
    {"memory:\n  bytes: 64X\n",
     "t.yaml:2:10: memory.bytes is \"64X\"; expected a size in bytes from 16M to 64T, such as 64K, 22M or 1.5G"},
    {"os: {zero_page: perhaps}\n", "t.yaml:1:17: os.zero_page is \"perhaps\"; expected true or false"},
    {"os:\n  thp:\n    enabled: alwys\n", "t.yaml:3:14: os.thp.enabled is \"alwys\"; expected never, madvise or "
                                          "always (did you mean always?)"},
    {"tlb: {l1: {pages: [4K, 16K]}}\n",
     "t.yaml:1:24: tlb.l1.pages: no architecture has pages of 16K; expected one or more of 4K, 2M and 1G"},
    {"tlb: {l1: {pages: []}}\n",
     "t.yaml:1:19: tlb.l1.pages is an empty list; expected one or more of 4K, 2M and 1G"},
    {"tlb: {l1: {holds: [data, code]}}\n",
     "t.yaml:1:26: tlb.l1.holds is \"code\"; expected one or more of data and instruction"},
    {"tlb: {l1: {pages: [[4K]]}}\n",
     "t.yaml:1:20: tlb.l1.pages has a list in its list; expected one or more of 4K, 2M and 1G"},
    {"about: [a]\n" TLB, "t.yaml:1:8: about is a list; expected a text"},
    {"about: \"a\\nb\"\n" TLB, "t.yaml:1:8: about must be one line of at most 255 bytes"},
    {"sources: me\n" TLB, "t.yaml:1:10: sources is a value; expected a list"},
    {TLB "assumed:\n  - core.cuont\n", "t.yaml:3:5: assumed: unknown setting core.cuont; did you mean core.count?"},
    {TLB "assumed: [tlb.l2.ways]\n", "t.yaml:2:11: assumed: unknown TLB tlb.l2.ways; in tlb there are: l1d"},

    /* ranges */
    {"core:\n  count: 0\n", "t.yaml:2:10: core.count is 0; it must be from 1 to 64 cores"},
    {"core:\n  count: 65\n", "t.yaml:2:10: core.count is 65; it must be from 1 to 64 cores"},
    {"core:\n  count: -1\n", "t.yaml:2:10: core.count is -1; it must be from 1 to 64 cores"},
    {"memory:\n  bytes: 15M\n", "t.yaml:2:10: memory.bytes is 15M; it must be from 16M to 64T"},
    {"memory:\n  bytes: 65TiB\n", "t.yaml:2:10: memory.bytes is 65TiB; it must be from 16M to 64T"},
    {"memory:\n  bytes: 999999999999999999999999\n",
     "t.yaml:2:10: memory.bytes is 999999999999999999999999; it must be from 16M to 64T"},
    {"core:\n  data_hidden: 1.1\n", "t.yaml:2:16: core.data_hidden is 1.1; it must be from 0 to 1"},

    /* geometry */
    {"core: {count: 1}\n", "t.yaml:1:1: no level-1 TLB holds data and 4K pages; add one, such as tlb.l1d with "
                           "entries: 64, ways: 4"},
    {"\ntlb: {l1i: {holds: [instruction], entries: 4}}\n",
     "t.yaml:2:1: no level-1 TLB holds data and 4K pages; add one, such as tlb.l1d with entries: 64, ways: 4"},
    {"tlb: {l1: {ways: 4}}\n", "t.yaml:1:7: tlb.l1.entries is missing; a TLB has no default size"},
    {"tlb:\n  l2:\n    entries: 1000\n    ways: 12\n",
     "t.yaml:4:11: tlb.l2.ways is 12, but 1000 entries do not divide by it; the nearest are 996 and 1008"},
    {"tlb:\n  l1:\n    entries: 8\n    ways: 12\n",
     "t.yaml:4:11: tlb.l1.ways is 12, but there are only 8 entries; at most 8 ways fit, 0 means fully associative"},
    {"tlb: {l1: {entries: 8, shared: true}}\n",
     "t.yaml:1:32: tlb.l1.shared is true, but only TLBs of level 2 can be shared"},
    {"tlb: {l1: {entries: 8, inclusive: true}}\n",
     "t.yaml:1:35: tlb.l1.inclusive is true, but only TLBs of level 2 can be inclusive"},
    {"tlb:\n  l1d: {entries: 8}\n  l2: {level: 2, holds: [data, instruction], entries: 8}\n",
     "t.yaml:3:25: tlb.l2 is a level-2 TLB for instructions, but there is none of level 1"},
    {TLB "mmu_caches:\n  pde: {entries: 24, ways: 5}\n",
     "t.yaml:3:28: mmu_caches.pde.ways is 5, but 24 entries do not divide by it; the nearest are 20 and 25"},
    {TLB "caches:\n  l1d: {bytes: 1000, ways: 8}\n", "t.yaml:3:16: caches.l1d.bytes is 1000, but sets of 8 ways x "
                                                     "64 bytes do not divide it; the nearest are 512 and 1K"},
    {TLB "caches:\n  l1d: {bytes: 256, ways: 8}\n",
     "t.yaml:3:16: caches.l1d.bytes is 256, less than one set of 8 ways x 64 bytes; the least is 512"},
    {TLB "caches:\n  l1d: {bytes: 32K, line_bytes: 48}\n",
     "t.yaml:3:33: caches.l1d.line_bytes is 48; a line is a power of two, such as 64"},
    {TLB L1D "  l2: {bytes: 1M, line_bytes: 128}\n",
     "t.yaml:6:31: caches.l2.line_bytes is 128, but caches.l1d.line_bytes is 64; all data caches have lines of one "
     "size"},
    {TLB "caches:\n  l1d: {bytes: 64K, ways: 128, replacement: plru}\n",
     "t.yaml:3:45: caches.l1d.replacement is plru, but caches.l1d.ways is 128; a PLRU tree has at most 64 ways"},
    {TLB L1D "  llc: {bytes: 1M}\n",
     "t.yaml:6:16: caches.llc is there, but caches.l2 is not; call the last of two levels caches.l2"},
    {TLB "caches: {l2: {bytes: 1M}}\n",
     "t.yaml:2:22: caches.l2 is there, but caches.l1d is not; give caches.l1d.bytes"},
    {TLB "caches: {l1d: {bytes: 32K, shared: true}}\n",
     "t.yaml:2:36: caches.l1d.shared is true, but a first-level cache belongs to one core"},
    {TLB "caches: {enabled: true}\n",
     "t.yaml:2:19: caches.enabled is true, but there is no data cache; give caches.l1d.bytes"},
    {TLB "caches:\n  enabled: true\n  walk_level: 2\n  l1d: {bytes: 32K}\n",
     "t.yaml:4:15: caches.walk_level is 2, but there is no second-level cache; give 1, or caches.l2.bytes"},
    {TLB "memory: {nodes: 3}\n", "t.yaml:2:17: memory.bytes is 64G, but memory.nodes is 3 and each node is a "
                                 "multiple of 4M; the nearest are 65532M and 65544M"},
    {TLB "memory: {bytes: 18M}\n", "t.yaml:2:17: memory.bytes is 18M, but memory.nodes is 1 and each node is a "
                                   "multiple of 4M; the nearest are 16M and 20M"},
    {TLB "os: {stack_bytes: 5000}\n", "t.yaml:2:19: os.stack_bytes is 5000; a stack is a whole number of 4K pages"},

    /* base */
    {"core: {count: 1}\nbase: [x]\n", "t.yaml:2:7: base is a list; expected a text"},
    {"base: /nonexistent/x.yaml\n",
     "t.yaml:1:7: base: /nonexistent/x.yaml: cannot be read: No such file or directory"},
    {"base: /\n", "t.yaml:1:7: base: /: is not a regular file; a machine file is"},
};

static void each_message(void **state) {
    struct emt_config *cfg = malloc(sizeof *cfg);
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[1024] = "no message";
        int err = settings_load_memory(cfg, cases[i].text, strlen(cases[i].text), "t.yaml", why, sizeof why);
        if (err >= 0 || strcmp(why, cases[i].message)) {
            print_error("%s\n  gives    %s\n  expected %s\n", cases[i].text, why, cases[i].message);
            wrong++;
        }
    }
    free(cfg);
    assert_int_equal(wrong, 0);
}

/* A message never writes past its buffer, however short. */
static void short_buffers(void **state) {
    struct emt_config *cfg = malloc(sizeof *cfg);

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t bytes = 1; bytes < 200; bytes += 13) {
            char *why = malloc(bytes);
            assert_true(settings_load_memory(cfg, cases[i].text, strlen(cases[i].text), "t.yaml", why, bytes) < 0);
            assert_true(strlen(why) < bytes);
            assert_memory_equal(why, cases[i].message, strlen(why));
            free(why);
        }
    free(cfg);
}

/* Aliases that would unfold to 9^9 values end soon. */
static void alias_bomb(void **state) {
    struct emt_config *cfg = malloc(sizeof *cfg);
    char text[4096] = "sources: &a [x,x,x,x,x,x,x,x,x]\n", why[1024];
    static const char *const keys[] = {"core", "caches", "memory"};

    (void)state;
    for (unsigned k = 0; k < 3; k++) /* the same mapping many times, and lists of lists */
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s: {x: [*a,*a,*a]}\n", keys[k]);
    assert_true(settings_load_memory(cfg, text, strlen(text), "t.yaml", why, sizeof why) < 0);
    free(cfg);
}

static void many_values(void **state) {
    struct emt_config *cfg = malloc(sizeof *cfg);
    size_t bytes = 200000;
    char *text = malloc(bytes), why[1024];
    size_t n = (size_t)sprintf(text, TLB "sources: [");

    (void)state;
    while (n + 8 < bytes)
        n += (size_t)sprintf(text + n, "x, ");
    n += (size_t)sprintf(text + n, "x]\n");
    assert_true(settings_load_memory(cfg, text, n, "t.yaml", why, sizeof why) < 0);
    assert_non_null(strstr(why, "the file has more than 20000 values, aliases included"));
    free(text);
    free(cfg);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message),
        cmocka_unit_test(short_buffers),
        cmocka_unit_test(alias_bomb),
        cmocka_unit_test(many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
