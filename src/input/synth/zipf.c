/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A key-value store under skewed load: items are chosen with Zipf-distributed popularity; rank and place are
 * unrelated (a permutation scatters them), as in a hashed store.
 *
 *      item = &items[number];
 *      if (item->key != number) continue;
 *      if (write) item->value = i; else sum += item->value;        13 instructions with the loop: gcc 12.2 -O2
 *
 * Default skew 0.99: YCSB's (Cooper et al., SoCC'10).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"
#include "input/synth/zipf_sampler.h"

enum { KEY_ITEM = KEY_OWN, KEY_THETA, KEY_WRITE };

static const struct workload_key keys[] = {
    {"item", KIND_BYTES, 16, 1 << 20, 64, NULL, NULL, "size of an item, a multiple of 8"},
    {"theta", KIND_REAL, 0, 8, 0.99, NULL, NULL, "skew: P(rank k) ~ k^-theta"},
    {"write", KIND_COUNT, 0, 100, 5, NULL, NULL, "percentage of requests that write the value"},
};

struct store {
    uint64_t base, item_bytes, write_below;
    struct zipf zipf;
    struct perm perm; /* rank -> place */
    uint64_t left[SYNTH_THREADS_MAX];
};

static int setup(struct synth *s) {
    struct store *st = calloc(1, sizeof(*st));
    uint64_t items;

    if (!st)
        return -ENOMEM;
    s->state = st;
    st->item_bytes = s->key[KEY_ITEM].u;
    items = s->key[KEY_BYTES].u / st->item_bytes;
    if (st->item_bytes % 8 || !items) {
        snprintf(s->why, sizeof(s->why), "item=%llu: must be a multiple of 8, and bytes hold one item",
                 (unsigned long long)st->item_bytes);
        return -EINVAL;
    }
    st->base = synth_region(s, items * st->item_bytes, true);
    st->write_below = (s->key[KEY_WRITE].u << 32) / 100;
    zipf_init(&st->zipf, items, s->key[KEY_THETA].f);
    perm_init(&st->perm, items, s->key[KEY_SEED].u);
    for (unsigned t = 0; t < s->threads; t++) {
        uint64_t first, end;

        synth_slice(items, t, s->threads, &first, &end);
        st->left[t] = end - first;
    }
    return 0;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct store *st = s->state;
    struct synth_out o = *out;
    uint64_t rng = s->rng[thread], left = s->once ? st->left[thread] : UINT64_MAX;

    for (; left && out_room(&o, 5); left--) {
        uint64_t place = perm_forward(&st->perm, zipf_next(&st->zipf, &rng) - 1);
        uint64_t va = st->base + place * st->item_bytes;

        out_fetch(&o, LOOP(0), 13);
        out_load(&o, va, 3, INSN(0, 5));
        if (random_next(&rng) >> 32 < st->write_below)
            out_store(&o, va + 8, 3, INSN(0, 9));
        else
            out_load(&o, va + 8, 3, INSN(0, 10));
    }
    s->rng[thread] = rng;
    st->left[thread] = left;
    *out = o;
    return left ? SYNTH_MORE : SYNTH_END;
}

const struct workload workload_zipf = {
    .name = "zipf",
    .about = "requests to a key-value store, item popularity by Zipf's law",
    .end = "as many requests as items",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
