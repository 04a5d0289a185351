/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Breadth-first search, top down, on a Kronecker graph (graph.h says what the graph is at which size).
 *
 *      while (head < tail) {
 *          u = queue[head++];                                              13 instructions a vertex,
 *          for (e = &edge[vertex[u].first], end = e + vertex[u].degree; e < end; e++)
 *              if (parent[w = *e] == NONE)                                  8 an edge,
 *                  parent[w] = u, queue[tail++] = w;                        3 a discovery: gcc 12.2 -O2
 *      }
 *
 * Threads take vertices from the one queue, without a barrier between levels. After a search its entries of
 * parent[] are reset by way of the queue (6 instructions each, estimate), and the next one starts at another root.
 *
 * Which vertices are discovered is known exactly. That and the queue need host memory: a search ends when it has
 * discovered DISCOVER_MAX vertices (about 100 MiB), more than a stored graph has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/synth/graph.h"
#include "input/synth/seen.h"
#include "input/synth/workloads.h"

enum { KEY_SCALE = KEY_OWN };
enum { LOOP_VERTEX, LOOP_EDGE, LOOP_FOUND, LOOP_RESET };
enum { AHEAD = 16, DISCOVER_MAX = 1 << 22 };

static const struct workload_key keys[] = {
    {"scale", KIND_COUNT, 6, GRAPH_SCALE_MAX, 0, NULL, "the largest that fits into bytes",
     "log2 of the number of vertices, instead of bytes"},
};

/* A thread's place: the vertex it is at, and neighbours drawn ahead so that `seen` can be prefetched. */
struct walker {
    struct graph_list list;
    uint64_t edge, left; /* left: neighbours not yet drawn */
    uint64_t ahead[AHEAD];
    unsigned at, drawn;
    bool busy;
};

struct bfs {
    struct graph graph;
    struct seen seen;
    uint64_t *queue; /* labels, as in the simulated queue */
    uint64_t head, tail, most, reset;
    uint64_t vertex, edge, parent, queue_base; /* bases */
    uint64_t root_rng;
    unsigned busy; /* threads at a vertex */
    bool resetting, started;
    struct walker walker[SYNTH_THREADS_MAX];
};

/* vertex, edge, parent, queue */
static uint64_t bytes_of(unsigned scale) {
    return (16 + (2 * GRAPH_EDGE_FACTOR + 2) * graph_label_bytes(scale)) << scale;
}

static int setup(struct synth *s) {
    struct bfs *b = calloc(1, sizeof(*b));
    int err;

    if (!b)
        return -ENOMEM;
    s->state = b;
    err = graph_setup(&b->graph, s, KEY_SCALE, bytes_of);
    if (err)
        return err;
    b->most = b->graph.vertices < DISCOVER_MAX ? b->graph.vertices : DISCOVER_MAX;
    b->queue = malloc(b->most * sizeof(*b->queue));
    if (!b->queue || !seen_init(&b->seen, b->most))
        return -ENOMEM;
    b->vertex = synth_region(s, b->graph.vertices * 16, true);
    b->edge = synth_region(s, b->graph.edges << b->graph.edge_shift, true);
    b->parent = synth_region(s, b->graph.vertices << b->graph.edge_shift, true);
    b->queue_base = synth_region(s, b->graph.vertices << b->graph.edge_shift, true);
    b->root_rng = s->key[KEY_SEED].u + 1000;
    return 0;
}

static void teardown(struct synth *s) {
    struct bfs *b = s->state;

    graph_free(&b->graph);
    free(b->queue);
    free(b->seen.slot);
}

static void discover(struct bfs *b, uint64_t *slot, uint64_t label, struct synth_out *o) {
    unsigned shift = b->graph.edge_shift;

    *slot = label + 1;
    out_fetch(o, LOOP(LOOP_FOUND), 3);
    out_store(o, b->parent + (label << shift), shift, INSN(LOOP_FOUND, 0));
    out_store(o, b->queue_base + (b->tail << shift), shift, INSN(LOOP_FOUND, 1));
    b->queue[b->tail++] = label;
}

/* A new search from a vertex with neighbours. */
static void start(struct bfs *b, struct synth_out *o) {
    uint64_t root = 0;

    for (int tries = 0; tries < 64; tries++) {
        root = random_scale(random_next(&b->root_rng), b->graph.vertices);
        if (graph_open(&b->graph, root).degree)
            break;
    }
    b->head = b->tail = 0;
    b->started = true;
    discover(b, seen_slot(&b->seen, root), root, o);
}

static void take_vertex(struct bfs *b, struct walker *w, struct synth_out *o) {
    unsigned shift = b->graph.edge_shift;
    uint64_t u;

    out_fetch(o, LOOP(LOOP_VERTEX), 13);
    out_load(o, b->queue_base + (b->head << shift), shift, INSN(LOOP_VERTEX, 1));
    u = b->queue[b->head++];
    w->list = graph_open(&b->graph, u);
    w->edge = w->list.first;
    w->left = w->list.degree;
    w->at = w->drawn = 0;
    w->busy = true;
    b->busy++;
    out_load_dependent(o, b->vertex + u * 16, 3, INSN(LOOP_VERTEX, 5));
    out_load(o, b->vertex + u * 16 + 8, 3, INSN(LOOP_VERTEX, 6));
}

/* Draws the next neighbours; false when there are none. */
static bool draw_ahead(struct bfs *b, struct walker *w) {
    w->at = 0;
    w->drawn = w->left < AHEAD ? (unsigned)w->left : AHEAD;
    w->left -= w->drawn;
    for (unsigned i = 0; i < w->drawn; i++) {
        w->ahead[i] = graph_next(&b->graph, &w->list);
        seen_prefetch(&b->seen, w->ahead[i]);
    }
    return w->drawn != 0;
}

/* The search has discovered all that it may. */
static bool full(const struct bfs *b) {
    return b->tail == b->most && b->most < b->graph.vertices;
}

static void scan(struct bfs *b, struct walker *w, struct synth_out *out) {
    struct synth_out o = *out;
    unsigned shift = b->graph.edge_shift;

    while (out_room(&o, 10) && !full(b)) {
        uint64_t label, *slot;

        if (w->at == w->drawn && !draw_ahead(b, w)) {
            w->busy = false;
            b->busy--;
            break;
        }
        label = w->ahead[w->at++];
        slot = seen_slot(&b->seen, label);
        out_fetch(&o, LOOP(LOOP_EDGE), 8);
        out_load(&o, b->edge + (w->edge++ << shift), shift, INSN(LOOP_EDGE, 0));
        out_load_dependent(&o, b->parent + (label << shift), shift, INSN(LOOP_EDGE, 3));
        if (!*slot)
            discover(b, slot, label, &o);
    }
    *out = o;
}

/* Empties `seen`. The latest number first: then no chain of the others is interrupted. */
static void forget(struct bfs *b) {
    if (b->tail > b->seen.mask / 16) {
        memset(b->seen.slot, 0, (b->seen.mask + 1) * sizeof(*b->seen.slot));
        return;
    }
    for (uint64_t i = b->tail; i-- > 0;)
        *seen_slot(&b->seen, b->queue[i]) = 0;
}

/* parent[queue[i]] = NONE for all i; whichever thread comes first does the next part. */
static void reset(struct bfs *b, struct synth_out *out) {
    struct synth_out o = *out;
    unsigned shift = b->graph.edge_shift;

    for (; b->reset < b->tail && out_room(&o, 5); b->reset++) {
        out_fetch(&o, LOOP(LOOP_RESET), 6);
        out_load(&o, b->queue_base + (b->reset << shift), shift, INSN(LOOP_RESET, 0));
        out_store(&o, b->parent + (b->queue[b->reset] << shift), shift, INSN(LOOP_RESET, 1));
    }
    if (b->reset == b->tail) {
        forget(b);
        b->resetting = false;
        b->started = false;
    }
    *out = o;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct bfs *b = s->state;
    struct walker *w = &b->walker[thread];

    while (out_room(out, 10)) {
        if (b->resetting && s->once) {
            return SYNTH_END;
        } else if (b->resetting) {
            reset(b, out);
        } else if (!b->started) {
            start(b, out);
        } else if (w->busy && full(b)) {
            w->busy = false;
            b->busy--;
        } else if (w->busy) {
            scan(b, w, out);
        } else if (b->head < b->tail && !full(b)) {
            take_vertex(b, w, out);
        } else if (b->busy) {
            return SYNTH_IDLE;
        } else {
            b->resetting = true;
            b->reset = 0;
        }
    }
    return SYNTH_MORE;
}

const struct workload workload_bfs = {
    .name = "bfs",
    .about = "breadth-first search on a Kronecker graph (Graph500's parameters)",
    .end = "one search (of at most 4,194,304 vertices)",
    .keys = keys,
    .key_count = 1,
    .bytes = 64 << 20,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
    .teardown = teardown,
};
