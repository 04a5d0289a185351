/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The presets; files and the folders they are found in; bases; what is dumped reads back equal; the documentation.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "machine/settings.h"

static struct emt_config cfg, again;
static char why[2048];
static char folder[] = "/tmp/emt-settings-XXXXXX";

#define TLB "tlb: {l1d: {entries: 64, ways: 4}}\n"

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    return setenv("EMT_MACHINES", folder, 1);
}

static int remove_folder(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *write_file(const char *name, const char *text) {
    static char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* Loads, fails, and says this; FOLDER in `message` stands for the folder of this test. */
static void says(const char *machine, int expected, const char *message) {
    char want[2048];
    size_t n = 0;

    for (const char *at = message; *at; at++)
        if (!strncmp(at, "FOLDER", 6)) {
            n += (size_t)snprintf(want + n, sizeof want - n, "%s", folder);
            at += 5;
        } else {
            want[n++] = *at;
        }
    want[n] = '\0';

    strcpy(why, "");
    assert_int_equal(settings_load(&cfg, machine, why, sizeof why), expected);
    assert_string_equal(why, want);
}

/* ---- presets ------------------------------------------------------------------------------------------- */

static void round_trip(const struct emt_config *from) {
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    settings_dump(from, f);
    fclose(f);
    if (settings_load_memory(&again, text, bytes, "dump.yaml", why, sizeof why))
        fail_msg("%s in\n%s", why, text);
    if (memcmp(from, &again, sizeof again))
        fail_msg("%s is not the same after a dump:\n%s", from->name, text);
    free(text);
}

static void one_preset(void *ctx, const char *name, const char *about, const char *path) {
    static const char *const needed[] = {"default",      "skylake-sp",    "zen2",      "cortex-a76",
                                         "emt-osdi25",   "ecpt-asplos20", "haswell",   "mosaic-asplos23",
                                         "fpt-asplos22", "dmt-asplos24",  "htc-isca17"};
    unsigned *found = ctx;

    if (settings_load(&cfg, path, why, sizeof why) || settings_check(&cfg, why, sizeof why))
        fail_msg("%s", why);
    assert_string_equal(cfg.about, about);
    assert_string_equal(cfg.name, name);
    assert_true(*cfg.about && *cfg.sources && *cfg.assumed);
    round_trip(&cfg);
    for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++)
        *found |= (unsigned)!strcmp(needed[i], name) << i;
}

static void presets(void **state) {
    unsigned found = 0;

    (void)state;
    assert_true(settings_machines(one_preset, &found) >= 11);
    assert_int_equal(found, (1u << 11) - 1);
}

/* Figures that papers print, so that an edit of a preset shows. */
static void published(void **state) {
    static const struct {
        const char *machine, *path, *value;
    } figures[] = {
        {"default", "tlb.l2.entries", "1536"},
        {"skylake-sp", "caches.llc.bytes", "22M"},
        {"skylake-sp", "caches.llc.ways", "11"},
        {"skylake-sp", "memory.local_cycles", "200"},
        {"emt-osdi25", "core.base_cpi", "0.5"},
        {"emt-osdi25", "memory.local_cycles", "180"},
        {"emt-osdi25", "core.walk_hidden", "0"},
        {"emt-osdi25", "core.data_overlap", "0"},
        {"ecpt-asplos20", "mmu_caches.pde.entries", "32"},
        {"ecpt-asplos20", "mmu_caches.cwc-pmd.entries", "16"},
        {"mosaic-asplos23", "tlb.l1d.entries", "1024"},
        {"cortex-a76", "tlb.l2.ways", "5"},
        {"cortex-a76", "tlb.l1d.entries", "48"},
        {"zen2", "tlb.l2d.entries", "2048"},
        {"fpt-asplos22", "mmu_caches.pde.entries", "24"},
        {"htc-isca17", "tlb.l2.hit_cycles", "7"},
        {"dmt-asplos24", "mmu_caches.pml4e.entries", "2"},
        {"haswell", "tlb.l2.entries", "1024"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof figures / sizeof *figures; i++) {
        char want[128];
        assert_int_equal(settings_load(&cfg, figures[i].machine, why, sizeof why), 0);
        again = cfg;
        snprintf(want, sizeof want, "%s=%s", figures[i].path, figures[i].value);
        assert_int_equal(settings_set(&again, want, why, sizeof why), 0);
        memcpy(again.assumed, cfg.assumed, sizeof cfg.assumed);
        if (memcmp(&again, &cfg, sizeof cfg))
            fail_msg("%s: %s is not %s", figures[i].machine, figures[i].path, figures[i].value);
    }
}

static void odd_texts(void **state) {
    static const char text[] = "name: \"it's: # a 'name'\"\nabout: \"tab-less \\\" \\\\ {x} \xc3\xa9\"\n"
                               "sources: ['', \"'\", '- a', 'b: c']\n" TLB "assumed: [seed, core.count]\n";

    (void)state;
    assert_int_equal(settings_load_memory(&cfg, text, sizeof text - 1, "t.yaml", why, sizeof why), 0);
    assert_string_equal(cfg.name, "it's: # a 'name'");
    assert_string_equal(cfg.sources, "'\n- a\nb: c");
    round_trip(&cfg);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static void unknown_names(void **state) {
    char list[] =
        "cortex-a76, default, dmt-asplos24, ecpt-asplos20, emt-osdi25, fpt-asplos22, haswell, htc-isca17, "
        "mosaic-asplos23, skylake-sp, zen2";
    char message[512];

    (void)state;
    snprintf(message, sizeof message, "unknown machine \"skylke-sp\"; did you mean skylake-sp? There are: %s",
             list);
    says("skylke-sp", -ENOENT, message);
    snprintf(message, sizeof message, "unknown machine \"pdp11\"; there are: %s", list);
    says("pdp11", -ENOENT, message);
    says("/nonexistent.yaml", -ENOENT, "/nonexistent.yaml: cannot be read: No such file or directory");
    says("/dev/null", -EINVAL, "/dev/null: is not a regular file; a machine file is");
}

static void first_folder_wins(void **state) {
    (void)state;
    write_file("haswell.yaml", "about: mine\n" TLB);
    assert_int_equal(settings_load(&cfg, "haswell", why, sizeof why), 0);
    assert_string_equal(cfg.about, "mine");
    assert_string_equal(cfg.name, "haswell");
    unlink(write_file("haswell.yaml", ""));
}

static void bases(void **state) {
    const char *path;

    (void)state;
    write_file("low.yaml",
               "about: low\nsources: [s1]\ntlb: {l1d: {entries: 64, ways: 4}, l2: {level: 2, entries: 8}}\n"
               "core: {count: 3}\nassumed: [tlb.l1d.ways, core.count, tlb.l2.entries]\n");
    path = write_file("high.yaml", "tlb: {l1d: {entries: 32}, l2: none}\nbase: ./low.yaml\ncore: {count: 5}\n"
                                   "sources: [s2]\n");
    assert_int_equal(settings_load(&cfg, path, why, sizeof why), 0);
    assert_string_equal(cfg.name, "high");
    assert_string_equal(cfg.about, "low");
    assert_string_equal(cfg.sources, "s1\ns2");
    assert_int_equal(cfg.core.count, 5);
    assert_int_equal(cfg.ntlb, 1);
    assert_int_equal(cfg.tlb[0].entries, 32);
    assert_int_equal(cfg.tlb[0].ways, 4);
    assert_non_null(strstr(cfg.assumed, "tlb.l1d.ways"));
    assert_null(strstr(cfg.assumed, "core.count"));
    assert_null(strstr(cfg.assumed, "tlb.l2"));

    /* The place of a mistake is where the value is, be it in the base. */
    path = write_file("wrong.yaml", "base: low\ntlb: {l1d: {ways: 5}}\n");
    says(path, -EINVAL,
         "FOLDER/wrong.yaml:2:19: tlb.l1d.ways is 5, but 64 entries do not divide by it; the nearest "
         "are 60 and 65");
    path = write_file("wrong.yaml", "base: low\ntlb: {l1d: {entries: 65}}\n");
    says(path, -EINVAL,
         "FOLDER/wrong.yaml:2:22: tlb.l1d.ways is 4, but 65 entries do not divide by it; the nearest "
         "are 64 and 68");
}

static void circles(void **state) {
    char name[32], text[64];

    (void)state;
    write_file("self.yaml", "base: self\n");
    says("self", -EINVAL, "FOLDER/self.yaml:1:7: base: self is based on itself");
    write_file("tick.yaml", "base: tock\n");
    write_file("tock.yaml", "base: ./tick.yaml\n");
    says("tick", -EINVAL, "FOLDER/tock.yaml:1:7: base: ./tick.yaml is based on itself");
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "chain%u.yaml", i);
        snprintf(text, sizeof text, "base: chain%u\n", i + 1);
        write_file(name, text);
    }
    says("chain0", -EINVAL, "FOLDER/chain7.yaml:1:7: base: more than 8 machines, one based on the other");
}

static void strange_files(void **state) {
    const char *path = write_file("big.yaml", "");
    char name[64];
    FILE *f = fopen(path, "w");

    (void)state;
    for (unsigned i = 0; i < 65536 + 1; i++)
        fputs("# 16 characters\n", f);
    fclose(f);
    says("big", -EINVAL, "FOLDER/big.yaml: is larger than 1 MiB, the limit for machine files");
    snprintf(name, sizeof name, "%s/dir.yaml", folder);
    assert_int_equal(mkdir(name, 0700), 0);
    says("dir", -EINVAL, "FOLDER/dir.yaml: is not a regular file; a machine file is");
    if (geteuid() != 0) {
        chmod(path = write_file("secret.yaml", TLB), 0);
        says("secret", -EACCES, "FOLDER/secret.yaml: cannot be read: Permission denied");
    }
}

/* ---- documentation ------------------------------------------------------------------------------------- */

static char *read_whole(FILE *f) {
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

/* docs/machine-files.md has the table of `emt list settings` to the letter; the OS's costs have a list of their
 * own. */
static void documentation(void **state) {
    char *list = NULL, *doc = read_whole(fopen(SOURCE_ROOT "/docs/machine-files.md", "r")), *costs;
    size_t bytes;
    FILE *f = open_memstream(&list, &bytes);

    (void)state;
    settings_list(f);
    fclose(f);
    costs = strstr(list, "\nThe routines of os.cost");
    assert_non_null(costs);
    *costs = '\0';
    if (!strstr(doc, list))
        fail_msg("docs/machine-files.md lacks what `emt list settings` prints; put it in:\n%s", list);
    free(list);
    free(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published), cmocka_unit_test(odd_texts),         cmocka_unit_test(unknown_names),
        cmocka_unit_test(presets),   cmocka_unit_test(first_folder_wins), cmocka_unit_test(bases),
        cmocka_unit_test(circles),   cmocka_unit_test(strange_files),     cmocka_unit_test(documentation),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
