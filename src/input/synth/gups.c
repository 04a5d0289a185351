/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * GUPS: read-modify-write of random 8-byte words of one large table (RandomAccess of the HPC Challenge benchmarks,
 * https://hpcchallenge.org; our generator differs from theirs, the count of 4 updates a word is theirs).
 *
 *      for (; updates; updates--) {
 *          x ^= x << 13, x ^= x >> 7, x ^= x << 17;
 *          table[(unsigned __int128)x * words >> 64] ^= x;      14 instructions: gcc 12.2 -O2
 *      }
 *
 * With pages=N only N pages, spread over the whole table by a permutation, are used: each is written once at the
 * start, and then the updates stay within them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_PAGES = KEY_OWN, KEY_WRITE };
enum { LOOP_TOUCH, LOOP_UPDATE };

static const struct workload_key keys[] = {
    {"pages", KIND_COUNT, 0, 1e10, 0, NULL, NULL,
     "touch exactly so many distinct 4 KiB pages in random order, then update only these; 0: all"},
    {"write", KIND_COUNT, 0, 100, 100, NULL, NULL, "percentage of updates that store"},
};

struct gups {
    uint64_t table, words, pages, write_below;
    struct perm perm; /* number of a used page -> its place in the table */
    struct {
        uint64_t touched, touch_end, left;
    } thread[SYNTH_THREADS_MAX];
};

static int setup(struct synth *s) {
    struct gups *g = calloc(1, sizeof(*g));
    uint64_t bytes = s->key[KEY_BYTES].u & ~4095ull;

    if (!g)
        return -ENOMEM;
    s->state = g;
    g->pages = s->key[KEY_PAGES].u;
    if (g->pages > bytes / 4096) {
        snprintf(s->why, sizeof(s->why), "pages=%llu: bytes has only %llu pages of 4 KiB",
                 (unsigned long long)g->pages, (unsigned long long)(bytes / 4096));
        return -EINVAL;
    }
    g->words = bytes / 8;
    g->table = synth_region(s, bytes, g->pages == 0);
    g->write_below = (s->key[KEY_WRITE].u << 32) / 100;
    perm_init(&g->perm, bytes / 4096, s->key[KEY_SEED].u);
    for (unsigned t = 0; t < s->threads; t++) {
        uint64_t first, end;

        synth_slice(4 * (g->pages ? g->pages * 512 : g->words), t, s->threads, &first, &end);
        g->thread[t].left = end - first;
        synth_slice(g->pages, t, s->threads, &g->thread[t].touched, &g->thread[t].touch_end);
    }
    return 0;
}

static bool touch(struct synth *s, unsigned thread, struct synth_out *out) {
    struct gups *g = s->state;
    struct synth_out o = *out;
    uint64_t i = g->thread[thread].touched, end = g->thread[thread].touch_end;

    for (; i < end && out_room(&o, 3); i++) {
        out_fetch(&o, LOOP(LOOP_TOUCH), 14);
        out_store(&o, g->table + perm_forward(&g->perm, i) * 4096, 3, INSN(LOOP_TOUCH, 11));
    }
    g->thread[thread].touched = i;
    *out = o;
    return i == end;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct gups *g = s->state;
    struct synth_out o = *out;
    uint64_t rng = s->rng[thread], left = s->once ? g->thread[thread].left : UINT64_MAX;

    while (left && out_room(&o, 5)) {
        uint64_t x = random_next(&rng), va = g->table;

        if (g->pages)
            va += perm_forward(&g->perm, random_scale(x, g->pages)) * 4096 + (x & 511) * 8;
        else
            va += random_scale(x, g->words) * 8;
        out_fetch(&o, LOOP(LOOP_UPDATE), 14);
        out_load(&o, va, 3, INSN(LOOP_UPDATE, 11));
        if ((x >> 9 & UINT32_MAX) < g->write_below)
            out_store(&o, va, 3, INSN(LOOP_UPDATE, 11));
        left--;
    }
    s->rng[thread] = rng;
    g->thread[thread].left = left;
    *out = o;
    return left ? SYNTH_MORE : SYNTH_END;
}

const struct workload workload_gups = {
    .name = "gups",
    .about = "random updates of a table (HPCC RandomAccess)",
    .end = "4 updates a word",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .init = touch,
    .fill = fill,
};
