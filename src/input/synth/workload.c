/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The registry of synthetic workloads, and what reads a spec such as "gups:bytes=1T,accesses=100M,seed=1": the
 * tables of keys here and in each workload's file serve the parser, its messages and the list for people.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/input.h"
#include "input/synth/synth.h"
#include "input/synth/workloads.h"
#include "machine/settings.h"

static const struct workload *const registry[] = {
    &workload_gups,     &workload_stream,   &workload_chase, &workload_zipf,    &workload_bfs,
    &workload_pagerank, &workload_hashjoin, &workload_btree, &workload_xsbench,
};
#define WORKLOADS (sizeof(registry) / sizeof(registry[0]))

static const struct workload_key common_keys[KEY_OWN] = {
    [KEY_BYTES] = {"bytes", KIND_BYTES, 65536, 0x1p46, 0, NULL, NULL, "footprint of the data"},
    [KEY_ACCESSES] = {"accesses", KIND_COUNT, 0, 1e15, 10e6, NULL, NULL,
                      "loads and stores after the init phase, over all threads; 0: until the algorithm's end"},
    [KEY_SEED] = {"seed", KIND_COUNT, 0, 1e15, 1, NULL, NULL, "of everything random"},
    [KEY_THREADS] = {"threads", KIND_COUNT, 1, SYNTH_THREADS_MAX, 1, NULL, NULL, "blocks of each thread in turn"},
    [KEY_INIT] =
        {"init", KIND_COUNT, 0, 2, 0, NULL, "1 up to bytes=1G, then 0",
         "1: first write all data, 64 bytes a store, as the program's initialisation would; 2: one store in "
         "each 4 KiB page"},
    [KEY_MADVISE] = {"madvise", KIND_COUNT, 0, 1, 0, NULL, NULL, "1: madvise(MADV_HUGEPAGE) on all data"},
};

static int fail(char *why, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *why, size_t bytes, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(why, bytes, format, args);
    va_end(args);
    return -EINVAL;
}

static const struct workload_key *key_of(const struct workload *w, unsigned i) {
    return i < KEY_OWN ? &common_keys[i] : &w->keys[i - KEY_OWN];
}
static unsigned keys_of(const struct workload *w) {
    return KEY_OWN + w->key_count;
}
static double key_min(const struct workload *w, unsigned i) {
    return i == KEY_BYTES ? w->bytes_min : key_of(w, i)->min;
}
static double key_fallback(const struct workload *w, unsigned i) {
    return i == KEY_BYTES ? w->bytes : key_of(w, i)->fallback;
}

/* A number as a user writes it: sizes in powers of 1024, counts in powers of 1000. */
static void print_number(char *out, size_t bytes, enum key_kind kind, double value) {
    double step = kind == KIND_BYTES ? 1024 : 1000;
    const char *unit = "";

    if (kind != KIND_REAL)
        for (const char *units = "KMGTP"; *units && value >= step && fmod(value, step) == 0; units++) {
            value /= step;
            unit = units;
        }
    snprintf(out, bytes, "%.15g%.1s", value, unit);
}

/* "100M" to 100,000,000. */
static int parse_count(const char *text, uint64_t *count) {
    static const char units[] = "kmgtp";
    char *end;
    double value, scaled;
    const char *unit;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    *count = strtoull(text, &end, 10);
    if (errno)
        return -ERANGE;
    if (!*end)
        return 0;
    value = strtod(text, &end);
    unit = *end ? strchr(units, *end | 0x20) : NULL;
    if (!unit || end[1])
        return -EINVAL;
    scaled = value * pow(1000, (double)(unit - units + 1));
    if (!(scaled < 0x1p63) || scaled != floor(scaled))
        return -EINVAL;
    *count = (uint64_t)scaled;
    return 0;
}

static int parse_choice(const struct workload_key *key, const char *text, uint64_t *value) {
    for (*value = 0; key->choices[*value]; ++*value)
        if (!strcmp(key->choices[*value], text))
            return 0;
    return -EINVAL;
}

static int fail_value(const struct workload *w, unsigned i, const char *text, char *why, size_t bytes) {
    const struct workload_key *key = key_of(w, i);
    char low[32], high[32];
    int n;

    if (key->kind != KIND_CHOICE) {
        print_number(low, sizeof(low), key->kind, key_min(w, i));
        print_number(high, sizeof(high), key->kind, key->max);
        return fail(why, bytes, "workload %s: %s=%s: must be %s from %s to %s", w->name, key->name, text,
                    key->kind == KIND_BYTES   ? "a size such as 64M,"
                    : key->kind == KIND_COUNT ? "a whole number such as 8 or 10M,"
                                              : "a number",
                    low, high);
    }
    n = snprintf(why, bytes, "workload %s: %s=%s: must be one of", w->name, key->name, text);
    for (unsigned c = 0; key->choices[c] && n > 0 && (size_t)n < bytes; c++)
        n += snprintf(why + n, bytes - (size_t)n, " %s", key->choices[c]);
    return -EINVAL;
}

static int parse_value(struct synth *s, unsigned i, const char *text, char *why, size_t bytes) {
    const struct workload_key *key = key_of(s->workload, i);
    char *end;
    int err = 0;

    if (s->key[i].given)
        return fail(why, bytes, "workload %s: %s stands twice", s->workload->name, key->name);
    s->key[i].given = true;
    switch (key->kind) {
    case KIND_BYTES:
        err = settings_parse_bytes(text, &s->key[i].u);
        break;
    case KIND_COUNT:
        err = parse_count(text, &s->key[i].u);
        break;
    case KIND_CHOICE:
        err = parse_choice(key, text, &s->key[i].u);
        break;
    case KIND_REAL:
        s->key[i].f = strtod(text, &end);
        if (!*text || *end)
            err = -EINVAL;
        break;
    }
    if (key->kind == KIND_BYTES || key->kind == KIND_COUNT)
        s->key[i].f = (double)s->key[i].u;
    if (err)
        return fail_value(s->workload, i, text, why, bytes);
    if (key->kind != KIND_CHOICE && !(s->key[i].f >= key_min(s->workload, i) && s->key[i].f <= key->max))
        return fail_value(s->workload, i, text, why, bytes);
    return 0;
}

/* One "key=value" (modified in place). */
static int parse_assignment(struct synth *s, char *item, char *why, size_t bytes) {
    const struct workload *w = s->workload;
    const char *names[SYNTH_KEYS_MAX], *near;
    char *equals = strchr(item, '=');

    if (equals)
        *equals = '\0';
    for (unsigned i = 0; i < keys_of(w); i++) {
        names[i] = key_of(w, i)->name;
        if (strcmp(names[i], item))
            continue;
        if (!equals)
            return fail(why, bytes, "workload %s: %s needs a value: %s=...", w->name, item, item);
        return parse_value(s, i, equals + 1, why, bytes);
    }
    near = settings_nearest(item, names, keys_of(w));
    return fail(why, bytes, "workload %s has no key '%s'%s%s%s; emt list workloads shows its keys", w->name, item,
                near ? "; the nearest is '" : "", near ? near : "", near ? "'" : "");
}

static const struct workload *find_workload(const char *name, char *why, size_t bytes) {
    const char *near;

    for (unsigned i = 0; i < WORKLOADS; i++)
        if (!strcmp(registry[i]->name, name))
            return registry[i];
    near = settings_nearest(name, workload_names(), WORKLOADS);
    fail(why, bytes, "no workload '%s'%s%s%s; emt list workloads shows all", name, near ? "; the nearest is '" : "",
         near ? near : "", near ? "'" : "");
    return NULL;
}

int synth_parse(struct synth *s, const char *spec, char *why, size_t bytes) {
    char *text = strdup(spec), *rest, *item;
    int err = 0;

    if (!text)
        return -ENOMEM;
    rest = strchr(text, ':');
    if (rest)
        *rest++ = '\0';
    s->workload = find_workload(text, why, bytes);
    if (!s->workload) {
        err = -EINVAL;
        goto out;
    }
    for (unsigned i = 0; i < keys_of(s->workload); i++) {
        s->key[i].f = key_fallback(s->workload, i);
        s->key[i].u = (uint64_t)s->key[i].f;
    }
    while (!err && (item = strsep(&rest, ",")))
        if (*item)
            err = parse_assignment(s, item, why, bytes);
    if (err)
        goto out;
    if (!s->key[KEY_INIT].given)
        s->key[KEY_INIT].u = s->key[KEY_BYTES].u <= 1ull << 30;
    s->threads = (unsigned)s->key[KEY_THREADS].u;
    s->once = s->key[KEY_ACCESSES].u == 0;
    s->mmap_top = SYNTH_MMAP_TOP;
    for (unsigned t = 0; t < SYNTH_THREADS_MAX; t++)
        s->rng[t] = mix64(mix64(s->key[KEY_SEED].u + 1) + t);
    err = s->workload->setup(s);
    if (err)
        fail(why, bytes, "workload %s: %s", s->workload->name, s->why[0] ? s->why : strerror(-err));
out:
    free(text);
    return err;
}

void synth_free(struct synth *s) {
    if (!s)
        return;
    if (s->state && s->workload->teardown)
        s->workload->teardown(s);
    free(s->state);
    free(s);
}

uint64_t synth_region(struct synth *s, uint64_t bytes, bool init) {
    uint64_t align = bytes >= 1ull << 21 ? 1ull << 21 : 4096;
    struct synth_region *r = &s->region[s->regions++];

    r->bytes = (bytes + 4095) & ~4095ull;
    r->base = (s->mmap_top - r->bytes) & ~(align - 1);
    r->init = init;
    s->mmap_top = r->base;
    return r->base;
}

int workload_footprint(const char *spec, uint64_t *data_bytes, char *why, size_t bytes) {
    struct synth *s = calloc(1, sizeof(*s));

    *data_bytes = 0;
    if (!s)
        return -ENOMEM;
    int err = synth_parse(s, spec, why, bytes);
    for (unsigned i = 0; i < s->regions; i++)
        *data_bytes += s->region[i].bytes;
    synth_free(s);
    return err;
}

int workload_open(struct ev_source **out, const char *spec, char *why, size_t bytes) {
    struct synth *s = calloc(1, sizeof(*s));
    int err;

    if (!s) {
        snprintf(why, bytes, "workload %s: out of memory", spec);
        return -ENOMEM;
    }
    if (bytes)
        why[0] = '\0';
    err = synth_parse(s, spec, why, bytes);
    if (!err)
        err = synth_source(out, s, spec, why, bytes);
    if (err) {
        if (bytes && !why[0])
            snprintf(why, bytes, "workload %s: %s", spec, strerror(-err));
        synth_free(s);
    }
    return err;
}

static void list_key(FILE *out, const struct workload *w, unsigned i) {
    const struct workload_key *key = key_of(w, i);
    char low[32], high[32], fallback[32];

    print_number(low, sizeof(low), key->kind, key_min(w, i));
    print_number(high, sizeof(high), key->kind, key->max);
    print_number(fallback, sizeof(fallback), key->kind, key_fallback(w, i));
    fprintf(out, "    %-11s %s", key->name, key->about);
    if (key->kind == KIND_CHOICE) {
        fprintf(out, ":");
        for (unsigned c = 0; key->choices[c]; c++)
            fprintf(out, " %s", key->choices[c]);
        fprintf(out, " (default %s)\n", key->choices[(int)key->fallback]);
    } else {
        fprintf(out, " (%s..%s, default %s)\n", low, high, key->fallback_text ? key->fallback_text : fallback);
    }
}

void workload_list(FILE *out) {
    fprintf(out, "Usage: --workload NAME[:key=value,...]\n\nKeys of every workload:\n");
    for (unsigned i = 1; i < KEY_OWN; i++)
        list_key(out, registry[0], i);
    for (unsigned i = 0; i < WORKLOADS; i++) {
        fprintf(out, "\n%s: %s\n", registry[i]->name, registry[i]->about);
        list_key(out, registry[i], KEY_BYTES);
        for (unsigned k = KEY_OWN; k < keys_of(registry[i]); k++)
            list_key(out, registry[i], k);
        fprintf(out, "    accesses=0 ends after %s\n", registry[i]->end);
    }
}

const char *const *workload_names(void) {
    static const char *const names[WORKLOADS + 1] = {"gups",     "stream",   "chase", "zipf",   "bfs",
                                                     "pagerank", "hashjoin", "btree", "xsbench"};

    return names;
}
