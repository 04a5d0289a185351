/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * PageRank, pull, on a Kronecker graph (graph.h says what the graph is at which size).
 *
 *      gather  for (u = 0; u < n; u++) {                                       14 instructions a vertex,
 *                  for (sum = 0, e = &edge[vertex[u].first], end = e + vertex[u].degree; e < end; e++)
 *                      sum += share[*e];                                        5 an edge,
 *                  next[u] = base + damping * sum;
 *              }
 *      share   for (u = 0; u < n; u++)
 *                  share[u] = next[u] / vertex[u].degree;                      11 a vertex: gcc 12.2 -O2
 *
 * Threads take 64 vertices at a time, and wait for each other between the two loops.
 */
#include <errno.h>
#include <stdlib.h>

#include "input/synth/graph.h"
#include "input/synth/workloads.h"

enum { KEY_SCALE = KEY_OWN, KEY_ITERATIONS };
enum { LOOP_VERTEX, LOOP_EDGE, LOOP_NEXT, LOOP_SHARE };
enum { CHUNK = 64 };

static const struct workload_key keys[] = {
    {"scale", KIND_COUNT, 6, GRAPH_SCALE_MAX, 0, NULL, "the largest that fits into bytes",
     "log2 of the number of vertices, instead of bytes"},
    {"iterations", KIND_COUNT, 1, 1e6, 20, NULL, NULL, "for accesses=0"},
};

struct worker {
    struct graph_list list;
    uint64_t u, end; /* of the chunk */
    uint64_t edge, left;
    bool in_list, busy;
};

struct pagerank {
    struct graph graph;
    uint64_t vertex, edge, share, next; /* bases */
    uint64_t taken;                     /* vertices given out in this pass */
    uint64_t passes;                    /* done: gather and share are one each */
    unsigned busy;
    struct worker worker[SYNTH_THREADS_MAX];
};

/* vertex, edge, share, next */
static uint64_t bytes_of(unsigned scale) {
    return (16 + 2 * GRAPH_EDGE_FACTOR * graph_label_bytes(scale) + 16) << scale;
}

static int setup(struct synth *s) {
    struct pagerank *p = calloc(1, sizeof(*p));
    int err;

    if (!p)
        return -ENOMEM;
    s->state = p;
    err = graph_setup(&p->graph, s, KEY_SCALE, bytes_of);
    if (err)
        return err;
    p->vertex = synth_region(s, p->graph.vertices * 16, true);
    p->edge = synth_region(s, p->graph.edges << p->graph.edge_shift, true);
    p->share = synth_region(s, p->graph.vertices * 8, true);
    p->next = synth_region(s, p->graph.vertices * 8, true);
    return 0;
}

static void teardown(struct synth *s) {
    graph_free(&((struct pagerank *)s->state)->graph);
}

/* The loop over one vertex's list, as far as there is room. */
static void gather_edges(struct pagerank *p, struct worker *w, struct synth_out *out) {
    struct synth_out o = *out;
    unsigned shift = p->graph.edge_shift;

    for (; w->left && out_room(&o, 5); w->left--) {
        out_fetch(&o, LOOP(LOOP_EDGE), 5);
        out_load(&o, p->edge + (w->edge++ << shift), shift, INSN(LOOP_EDGE, 0));
        out_load_dependent(&o, p->share + graph_next(&p->graph, &w->list) * 8, 3, INSN(LOOP_EDGE, 2));
    }
    *out = o;
}

static void gather(struct pagerank *p, struct worker *w, struct synth_out *o) {
    if (!w->in_list) {
        w->list = graph_open(&p->graph, w->u);
        w->edge = w->list.first;
        w->left = w->list.degree;
        w->in_list = true;
        out_fetch(o, LOOP(LOOP_VERTEX), 7);
        out_load(o, p->vertex + w->u * 16, 3, INSN(LOOP_VERTEX, 0));
        out_load(o, p->vertex + w->u * 16 + 8, 3, INSN(LOOP_VERTEX, 1));
    }
    gather_edges(p, w, o);
    if (w->left || !out_room(o, 3))
        return;
    out_fetch(o, LOOP(LOOP_NEXT), 7);
    out_store(o, p->next + w->u * 8, 3, INSN(LOOP_NEXT, 4));
    w->in_list = false;
    w->u++;
}

static void share(struct pagerank *p, struct worker *w, struct synth_out *o) {
    out_fetch(o, LOOP(LOOP_SHARE), 11);
    out_load(o, p->vertex + w->u * 16 + 8, 3, INSN(LOOP_SHARE, 0));
    out_load(o, p->next + w->u * 8, 3, INSN(LOOP_SHARE, 5));
    out_store(o, p->share + w->u * 8, 3, INSN(LOOP_SHARE, 7));
    w->u++;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct pagerank *p = s->state;
    struct worker *w = &p->worker[thread];

    while (out_room(out, 10)) {
        if (s->once && p->passes >= 2 * s->key[KEY_ITERATIONS].u)
            return SYNTH_END;
        if (w->busy && w->u == w->end) {
            w->busy = false;
            p->busy--;
        }
        if (w->busy && p->passes % 2 == 0) {
            gather(p, w, out);
        } else if (w->busy) {
            share(p, w, out);
        } else if (p->taken < p->graph.vertices) {
            w->u = p->taken;
            p->taken = w->end = w->u + CHUNK;
            w->busy = true;
            p->busy++;
        } else if (p->busy) {
            return SYNTH_IDLE;
        } else {
            p->passes++;
            p->taken = 0;
        }
    }
    return SYNTH_MORE;
}

const struct workload workload_pagerank = {
    .name = "pagerank",
    .about = "PageRank on a Kronecker graph (Graph500's parameters)",
    .end = "`iterations` iterations",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .bytes = 64 << 20,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
    .teardown = teardown,
};
