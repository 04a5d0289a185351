/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Kronecker (R-MAT) graphs with Graph500's parameters: 2^scale vertices, 16 edges a vertex, each kept in both
 * directions, A = 0.57, B = C = 0.19, D = 0.05, vertices relabelled by a random permutation (https://graph500.org,
 * specification section 3.3; Leskovec et al., "Kronecker graphs", JMLR 2010).
 *
 * In the simulated program's memory the graph always looks like this:
 *
 *      vertex[label]   { first edge, degree }             16 bytes each
 *      edge[]          label of the neighbour             4 bytes, 8 from scale 32 on
 *
 * Up to GRAPH_STORED_SCALE the graph is really made and held in host memory. Beyond, it is computed where it is
 * looked at:
 *
 *   - Each vertex has its expected degree in the Kronecker graph, rounded: a vertex whose number has o one bits of
 *     `scale` has a share of (A + B)^(scale - o) * (C + D)^o of the edges. First edges are the prefix sums of
 * these, which the number's bits give directly; lists do not overlap.
 *   - Neighbour j of a vertex is drawn bit by bit as in the Kronecker graph, given the vertex's bits: a one follows
 * a zero with probability B / (A + B), a one with D / (C + D); the generator is seeded by vertex and seed, so that
 * a list is the same whenever it is read. Unlike in the stored graph the reverse edge need not exist.
 *
 * Probabilities are multiples of 2^-12.
 */
#ifndef EMT_SYNTH_GRAPH_H
#define EMT_SYNTH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "input/synth/synth.h"

#define GRAPH_STORED_SCALE 20
#define GRAPH_EDGE_FACTOR  16
#define GRAPH_SCALE_MAX    40

struct graph {
    unsigned scale, edge_shift;     /* log2 of an edge's bytes */
    uint64_t vertices, edges, seed; /* edges: entries of edge[] */
    struct perm label;              /* vertex number -> label */
    uint64_t *first;                /* stored: first edge of each label, and the end */
    uint32_t *edge;                 /* stored: labels */
    uint64_t sum[5][257];           /* else: prefix sums of the shares of a byte's values, in 2^-64 */
};

/* A vertex's list: neighbours come one after the other. */
struct graph_list {
    uint64_t first, degree, next; /* next: of graph_next() */
    uint64_t number, rng;
};

static inline uint64_t graph_label_bytes(unsigned scale) {
    return scale < 32 ? 4 : 8;
}

int graph_init(struct graph *g, unsigned scale, uint64_t seed); /* 0 or -ENOMEM */
/* The graph of a workload: of its key `scale_key`, or the largest of which bytes_of(scale) fits into `bytes`. */
int graph_setup(struct graph *g, struct synth *s, unsigned scale_key, uint64_t (*bytes_of)(unsigned scale));
void graph_free(struct graph *g);
/* The list of the vertex with this label, at its first neighbour. */
struct graph_list graph_open(const struct graph *g, uint64_t label);
/* The label of the next neighbour; call it at most degree times. */
uint64_t graph_next(const struct graph *g, struct graph_list *list);

#endif
