/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Pointer chase: each load gives the address of the next, along one random cycle through all nodes. The node
 * visited as number i lies at perm(i), so the cycle is perm(0), perm(1), ..., perm(n-1), and back: nothing is
 * stored.
 *
 *      while (n--)
 *          p = p->next;        3 instructions: gcc 12.2 -O2
 *
 * Thread t of T starts at the t-th T-th of the cycle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_NODE = KEY_OWN };

static const struct workload_key keys[] = {
    {"node", KIND_BYTES, 8, 1 << 20, 64, NULL, NULL, "distance of nodes, a multiple of 8"},
};

struct chase {
    uint64_t base, node_bytes;
    struct perm perm;
    struct {
        uint64_t i, left;
    } thread[SYNTH_THREADS_MAX];
};

static int setup(struct synth *s) {
    struct chase *c = calloc(1, sizeof(*c));
    uint64_t nodes;

    if (!c)
        return -ENOMEM;
    s->state = c;
    c->node_bytes = s->key[KEY_NODE].u;
    nodes = s->key[KEY_BYTES].u / c->node_bytes;
    if (c->node_bytes % 8 || nodes < 2) {
        snprintf(s->why, sizeof(s->why), "node=%llu: must be a multiple of 8, and bytes hold two nodes",
                 (unsigned long long)c->node_bytes);
        return -EINVAL;
    }
    c->base = synth_region(s, nodes * c->node_bytes, true);
    perm_init(&c->perm, nodes, s->key[KEY_SEED].u);
    for (unsigned t = 0; t < s->threads; t++) {
        uint64_t end;

        synth_slice(nodes, t, s->threads, &c->thread[t].i, &end);
        c->thread[t].left = end - c->thread[t].i;
    }
    return 0;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct chase *c = s->state;
    struct synth_out o = *out;
    uint64_t i = c->thread[thread].i, left = s->once ? c->thread[thread].left : UINT64_MAX;

    for (; left && out_room(&o, 3); left--) {
        out_fetch(&o, LOOP(0), 3);
        out_load_dependent(&o, c->base + perm_forward(&c->perm, i) * c->node_bytes, 3, INSN(0, 0));
        if (++i == c->perm.n)
            i = 0;
    }
    c->thread[thread].i = i;
    c->thread[thread].left = left;
    *out = o;
    return left ? SYNTH_MORE : SYNTH_END;
}

const struct workload workload_chase = {
    .name = "chase",
    .about = "pointer chase along one random cycle; every load depends on the one before",
    .end = "one cycle (each thread: its part)",
    .keys = keys,
    .key_count = 1,
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
