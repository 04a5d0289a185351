/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lookups of uniformly random keys in a bulk-loaded B+-tree. A node is `fanout` keys, then `fanout` children (or
 * values in a leaf), 8 bytes each; the levels lie one after the other, the root first. Node and slot follow from
 * the key's number, so the tree is not stored:
 *
 *      level 0      [ root ]                         node = key / fanout^(levels - level)
 *      level 1      [ 0 ] [ 1 ] ...                  slot = key / fanout^(levels - level - 1) % fanout
 *      leaves       [ 0 ] [ 1 ] [ 2 ] ...
 *
 *      for (;;) {                                              8 instructions a node and
 *          for (lo = 0, len = fanout; len > 1; len -= half)    8 a step of the binary search: gcc 12.2 -O2
 *              half = len / 2, lo = node->key[lo + half] <= key ? lo + half : lo;
 *          next = node->child[lo];
 *          if (!--level) return next;
 *          node = next;
 *      }
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_FANOUT = KEY_OWN, KEY_KEYS, KEY_WRITE };
enum { LEVELS_MAX = 48 };

static const struct workload_key keys[] = {
    {"fanout", KIND_COUNT, 2, 4096, 64, NULL, NULL, "keys a node"},
    {"keys", KIND_COUNT, 2, 4e12, 0, NULL, "as fit into bytes", "keys in the tree, instead of bytes"},
    {"write", KIND_COUNT, 0, 100, 0, NULL, NULL, "percentage of lookups that also write the value"},
};

struct btree {
    uint64_t fanout, keys, write_below;
    unsigned levels;
    uint64_t level_base[LEVELS_MAX]; /* address of a level's first node */
    uint64_t span[LEVELS_MAX];       /* keys below one child of a node of this level */
    uint64_t left[SYNTH_THREADS_MAX];
};

/* Nodes of a tree with so many leaves. */
static uint64_t tree_nodes(uint64_t leaves, uint64_t fanout) {
    uint64_t nodes = leaves;

    while (leaves > 1) {
        leaves = (leaves + fanout - 1) / fanout;
        nodes += leaves;
    }
    return nodes;
}

/* Keys of the largest tree with full leaves that fits. */
static uint64_t keys_in(uint64_t bytes, uint64_t fanout) {
    uint64_t room = bytes / (16 * fanout), leaves = room, nodes;

    while (leaves > 1 && (nodes = tree_nodes(leaves, fanout)) > room)
        leaves -= (nodes - room) / 2 + 1;
    return leaves * fanout;
}

static void lay_out(struct btree *b, uint64_t base) {
    uint64_t count[LEVELS_MAX], span = 1;

    for (unsigned l = b->levels; l-- > 0; span *= b->fanout) {
        b->span[l] = span;
        count[l] = (b->keys - 1) / (span * b->fanout) + 1;
    }
    for (unsigned l = 0; l < b->levels; l++) {
        b->level_base[l] = base;
        base += count[l] * 16 * b->fanout;
    }
}

static int setup(struct synth *s) {
    struct btree *b = calloc(1, sizeof(*b));
    uint64_t leaves, bytes;

    if (!b)
        return -ENOMEM;
    s->state = b;
    if (s->key[KEY_KEYS].given && s->key[KEY_BYTES].given) {
        snprintf(s->why, sizeof(s->why), "give bytes or keys, not both");
        return -EINVAL;
    }
    b->fanout = s->key[KEY_FANOUT].u;
    b->keys = s->key[KEY_KEYS].given ? s->key[KEY_KEYS].u : keys_in(s->key[KEY_BYTES].u, b->fanout);
    leaves = (b->keys - 1) / b->fanout + 1;
    bytes = tree_nodes(leaves, b->fanout) * 16 * b->fanout;
    if (bytes > 1ull << 46) {
        snprintf(s->why, sizeof(s->why), "keys=%llu: the tree would have more than 64T",
                 (unsigned long long)b->keys);
        return -EINVAL;
    }
    if (!s->key[KEY_BYTES].given && !s->key[KEY_INIT].given)
        s->key[KEY_INIT].u = bytes <= 1ull << 30;
    for (b->levels = 1; leaves > 1; b->levels++)
        leaves = (leaves - 1) / b->fanout + 1;
    lay_out(b, synth_region(s, bytes, true));
    b->write_below = (s->key[KEY_WRITE].u << 32) / 100;
    for (unsigned t = 0; t < s->threads; t++) {
        uint64_t first, end;

        synth_slice(b->keys, t, s->threads, &first, &end);
        b->left[t] = end - first;
    }
    return 0;
}

/* Finds `slot` in the node at va. The root's first key is the only load whose address no load gave. */
static void visit(struct synth_out *o, const struct btree *b, uint64_t va, uint64_t slot, bool root) {
    uint64_t lo = 0;

    out_fetch(o, LOOP(0), 4);
    for (uint64_t len = b->fanout, half; len > 1; len -= half) {
        half = len / 2;
        out_fetch(o, INSN(0, 4), 8);
        if (root && len == b->fanout)
            out_load(o, va + (lo + half) * 8, 3, INSN(0, 7));
        else
            out_load_dependent(o, va + (lo + half) * 8, 3, INSN(0, 7));
        if (slot >= lo + half)
            lo += half;
    }
    out_fetch(o, INSN(0, 12), 4);
    out_load_dependent(o, va + (b->fanout + lo) * 8, 3, INSN(0, 13));
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct btree *b = s->state;
    struct synth_out o = *out;
    uint64_t rng = s->rng[thread], left = s->once ? b->left[thread] : UINT64_MAX;

    for (; left && out_room(&o, LEVELS_MAX * 12); left--) { /* fanout 2 has the longest lookups: 9 words a level */
        uint64_t key = random_scale(random_next(&rng), b->keys), rest = key, va = 0, slot = 0, node = 0;

        for (unsigned l = 0; l < b->levels; l++) {
            va = b->level_base[l] + node * 16 * b->fanout;
            slot = rest / b->span[l];
            rest -= slot * b->span[l];
            node = node * b->fanout + slot;
            visit(&o, b, va, slot, l == 0);
        }
        if (random_next(&rng) >> 32 < b->write_below)
            out_store(&o, va + (b->fanout + slot) * 8, 3, INSN(0, 16));
    }
    s->rng[thread] = rng;
    b->left[thread] = left;
    *out = o;
    return left ? SYNTH_MORE : SYNTH_END;
}

const struct workload workload_btree = {
    .name = "btree",
    .about = "lookups of random keys in a B+-tree",
    .end = "as many lookups as keys",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
