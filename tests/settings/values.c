/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* --set: each setting of the table at its ends, beyond them and with nonsense; sizes; "did you mean"; the blame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

static struct emt_config cfg;
static char why[1024];

static void load(const char *text) {
    if (settings_load_memory(&cfg, text, strlen(text), "t.yaml", why, sizeof why))
        fail_msg("%s", why);
}

#define TLB "tlb: {a: {entries: 64, ways: 4}}\nmmu_caches: {a: {entries: 4}}\n"

/* A path of this machine for a row of the table. */
static void concrete(const char *pattern, char *path) {
    const char *star = strchr(pattern, '*');
    const char *name = strncmp(pattern, "os.cost", 7) ? "a" : "syscall";

    if (star)
        sprintf(path, "%.*s%s%s", (int)(star - pattern), pattern, name, star + 1);
    else
        strcpy(path, pattern);
}

static int set(const char *path, const char *value) {
    char assignment[256];

    snprintf(assignment, sizeof assignment, "%s=%s", path, value);
    return settings_set(&cfg, assignment, why, sizeof why);
}

/* What is read back is what was written. */
static void accepts(const char *path, const char *value, const char *shown) {
    const struct setting *row;
    char out[SETTING_VALUE];
    void *field;

    if (set(path, value))
        fail_msg("%s", why);
    field = setting_field(&cfg, path, &row);
    assert_non_null(field);
    setting_format(row, field, out);
    assert_string_equal(out, shown);
}

/* The message names the assignment and the path, and nothing changes. */
static void refuses(const char *path, const char *value, int expected) {
    static struct emt_config before;
    char head[256];
    size_t n = (size_t)snprintf(head, sizeof head, "--set %.*s", (int)strlen(path), path);

    before = cfg;
    assert_int_equal(set(path, value), expected);
    assert_memory_equal(why, head, n < 46 ? n : 46);
    assert_non_null(strstr(why, expected == -ERANGE ? "it must be from" : "expected"));
    assert_memory_equal(&before, &cfg, sizeof cfg);
}

static void ends_of_numbers(const struct setting *s, const char *path) {
    char beyond[64];
    uint64_t max;

    accepts(path, s->min, s->min);
    accepts(path, s->max, s->max);
    refuses(path, "-1", s->type == SETTING_U32 || s->type == SETTING_NUMBER ? -ERANGE : -EINVAL);
    refuses(path, "99999999999999999999999999", s->type == SETTING_NUMBER ? -EINVAL : -ERANGE);
    if (s->type == SETTING_NUMBER) {
        snprintf(beyond, sizeof beyond, "%s.000000001", s->max);
        refuses(path, beyond, -ERANGE);
        refuses(path, "1e0", -EINVAL);
        refuses(path, "nan", -EINVAL);
        return;
    }
    assert_int_equal(settings_parse_bytes(s->max, &max), 0);
    if (max < UINT64_MAX) {
        snprintf(beyond, sizeof beyond, "%llu", (unsigned long long)max + 1);
        refuses(path, beyond, -ERANGE);
    }
    if (strcmp(s->min, "0")) {
        assert_int_equal(settings_parse_bytes(s->min, &max), 0);
        snprintf(beyond, sizeof beyond, "%llu", (unsigned long long)max - 1);
        refuses(path, beyond, -ERANGE);
    }
    refuses(path, "0x10", -EINVAL);
    refuses(path, "1.5x", -EINVAL);
}

static void each_setting(void **state) {
    char path[SETTING_PATH];

    (void)state;
    load(TLB);
    for (unsigned i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        concrete(s->path, path);
        refuses(path, "", -EINVAL);
        refuses(path, " 1", -EINVAL);
        refuses(path, "\x01nonsense!", -EINVAL);
        switch (s->type) {
        case SETTING_BOOL:
            accepts(path, "true", "true");
            accepts(path, "no", "false");
            refuses(path, "2", -EINVAL);
            break;
        case SETTING_ENUM:
        case SETTING_SET:
            for (const struct setting_word *w = s->words; w->name; w++)
                accepts(path, w->name, w->name);
            refuses(path, "all", -EINVAL);
            break;
        case SETTING_NAME:
            accepts(path, "a-name_of-31-characters-3456789", "a-name_of-31-characters-3456789");
            break;
        default:
            ends_of_numbers(s, path);
        }
    }
}

/* The table itself: defaults in range, sources and meanings there, and each assumed default is told to users. */
static void table(void **state) {
    static struct emt_config defaults;
    char field[CFG_NAME * 2], line[2100];

    (void)state;
    settings_defaults(&defaults);
    for (unsigned i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        assert_true(*s->meaning);
        if (*s->fallback && setting_parse(s, s->path, s->fallback, field, why, sizeof why))
            fail_msg("%s", why);
        if (strncmp(s->source, "assumed", 7) || strchr(s->path, '*'))
            continue;
        snprintf(line, sizeof line, "\n%s\n", defaults.assumed);
        snprintf(why, sizeof why, "\n%s\n", s->path);
        assert_non_null(strstr(line, why));
    }
}

static void sets_of_words(void **state) {
    (void)state;
    load(TLB);
    accepts("tlb.a.pages", "1G,4K", "4K,1G");
    accepts("tlb.a.holds", "instruction,data", "data,instruction");
    refuses("tlb.a.pages", "4K,,2M", -EINVAL);
    refuses("tlb.a.pages", "4K,", -EINVAL);
}

static const struct {
    const char *set[3], *message;
} blames[] = {
    {{"nonsense"},
     "--set nonsense: expected PATH=VALUE, such as core.count=4; `emt list settings` shows all paths"},
    {{"tlb.b.ways=2"}, "--set tlb.b.ways=2: unknown TLB tlb.b.ways; in tlb there are: a"},
    {{"mmu_caches.pde.ways=2"},
     "--set mmu_caches.pde.ways=2: unknown MMU cache mmu_caches.pde.ways; in mmu_caches there are: a"},
    {{"tlb.b=none"}, "--set tlb.b=none: unknown TLB tlb.b; in tlb there are: a"},
    {{"tlb.a=gone"},
     "--set tlb.a=gone: tlb.a is a group of settings, not a value such as \"gone\"; only none removes it"},
    {{"check=1"}, "--set check=1: check is a group of settings; set one of: check.translations"},
    {{"os.thp.enbled=always"},
     "--set os.thp.enbled=always: unknown setting os.thp.enbled; did you mean os.thp.enabled?"},
    {{"sed=1"}, "--set sed=1: unknown setting sed; did you mean seed?"},
    {{"tlb.a.ways=7"},
     "--set tlb.a.ways=7: tlb.a.ways is 7, but 64 entries do not divide by it; the nearest are 63 and 70"},
    {{"core.count=2", "tlb.a.entries=66", "seed=3"},
     "--set tlb.a.entries=66: tlb.a.ways is 4, but 66 entries do not divide by it; the nearest are 64 and 68"},
    {{"tlb.a=none", "seed=3"},
     "--set tlb.a=none: no level-1 TLB holds data and 4K pages; add one, such as tlb.l1d "
     "with entries: 64, ways: 4"},
    {{"tlb.a.pages=2M"},
     "--set tlb.a.pages=2M: no level-1 TLB holds data and 4K pages; add one, such as tlb.l1d with "
     "entries: 64, ways: 4"},
    {{"memory.nodes=3"},
     "--set memory.nodes=3: memory.bytes is 64G, but memory.nodes is 3 and each node is a "
     "multiple of 4M; the nearest are 65532M and 65544M"},
    {{"memory.nodes=3", "memory.bytes=24M"}, NULL},
    {{"tlb.a.entries=70", "tlb.a.ways=7"}, NULL},
};

static void blame(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof blames / sizeof *blames; i++) {
        unsigned n = 0;
        int err;
        while (n < 3 && blames[i].set[n])
            n++;
        load(TLB);
        strcpy(why, "");
        err = settings_apply(&cfg, blames[i].set, n, why, sizeof why);
        assert_string_equal(why, blames[i].message ? blames[i].message : "");
        assert_int_equal(err != 0, blames[i].message != NULL);
    }
}

/* What a user sets is no longer an assumption. */
static void no_longer_assumed(void **state) {
    (void)state;
    load(TLB "assumed: [tlb.a.ways]\n");
    assert_non_null(strstr(cfg.assumed, "os.cpi"));
    assert_non_null(strstr(cfg.assumed, "tlb.a.ways"));
    assert_int_equal(set("os.cpi", "0.8"), 0);
    assert_null(strstr(cfg.assumed, "os.cpi"));
    assert_int_equal(set("tlb.a", "none"), 0);
    assert_null(strstr(cfg.assumed, "tlb.a.ways"));
    assert_int_equal(cfg.ntlb, 0);
}

static void bytes(void **state) {
    static const struct {
        const char *text;
        int err;
        uint64_t bytes;
    } sizes[] = {
        {"0", 0, 0},
        {"1", 0, 1},
        {"64B", 0, 64},
        {"4K", 0, 4096},
        {"4k", 0, 4096},
        {"4KB", 0, 4096},
        {"4KiB", 0, 4096},
        {"1.5G", 0, 3ull << 29},
        {"0.5K", 0, 512},
        {"16TiB", 0, 16ull << 40},
        {"2P", 0, 2ull << 50},
        {"15E", 0, 15ull << 60},
        {"18446744073709551615", 0, UINT64_MAX},
        {"16E", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999K", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"K", -EINVAL, 0},
        {"4X", -EINVAL, 0},
        {"4KK", -EINVAL, 0},
        {"4 K", -EINVAL, 0},
        {"-4K", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"0.3K", -EINVAL, 0},
        {"1.", -EINVAL, 0},
        {".5K", -EINVAL, 0},
        {"1.5.5G", -EINVAL, 0},
        {"4m", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"4Ki", -EINVAL, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t got = 0;
        int err = settings_parse_bytes(sizes[i].text, &got);
        if (err != sizes[i].err || got != sizes[i].bytes)
            fail_msg("%s gives %d, %llu", sizes[i].text, err, (unsigned long long)got);
    }
}

static void nearest(void **state) {
    static const char *const words[] = {"run", "compare", "explain", "list", "record", "report"};

    (void)state;
    assert_string_equal(settings_nearest("comapre", words, 6), "compare"); /* a swap costs one */
    assert_string_equal(settings_nearest("rnu", words, 6), "run");
    assert_string_equal(settings_nearest("LIST", words, 6), "list");
    assert_string_equal(settings_nearest("reprot", words, 6), "report");
    assert_string_equal(settings_nearest("repord", words, 6), "record"); /* a tie with report: the first */
    assert_null(settings_nearest("xyzzy", words, 6));
    assert_null(settings_nearest("", words, 6));
    assert_null(settings_nearest("run", words, 0));
    assert_null(settings_nearest("a-word-that-is-far-longer-than-sixty-four-characters-cannot-be-meant", words, 6));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting),
        cmocka_unit_test(table),
        cmocka_unit_test(sets_of_words),
        cmocka_unit_test(blame),
        cmocka_unit_test(bytes),
        cmocka_unit_test(nearest),
        cmocka_unit_test(no_longer_assumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
