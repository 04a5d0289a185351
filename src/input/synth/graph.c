/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Kronecker graphs, stored or computed: see the header for what is done at which size. */
#include "input/synth/graph.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A 0.57
#define B 0.19
#define C 0.19
#define D 0.05

/* A word of which each bit is one with probability p / 4096: comparing 12 random bits with p, bit by bit from
 * below. */
static inline uint64_t bits_of(uint64_t *rng, unsigned p) {
    uint64_t word = 0;

    for (int i = 0; i < 12; i++) {
        uint64_t r = random_next(rng);

        word = p >> i & 1 ? word | ~r : word & r;
    }
    return word;
}

#define P4096(x) ((unsigned)((x)*4096 + 0.5))

/* The second vertex of an edge whose first one is u. */
static inline uint64_t draw_neighbour(uint64_t *rng, uint64_t u, uint64_t mask) {
    uint64_t quarter = random_next(rng) & random_next(rng);          /* B / (A + B) = 1/4 */
    uint64_t fewer = quarter & bits_of(rng, P4096(4 * D / (C + D))); /* D / (C + D) = 5/24 */

    return ((quarter & ~u) | (fewer & u)) & mask;
}

/* Edge i of the stored graph, as labels. */
static void draw_edge(const struct graph *g, uint64_t i, uint64_t *from, uint64_t *to) {
    uint64_t rng = mix64(g->seed ^ mix64(i)), mask = g->vertices - 1;
    uint64_t u = bits_of(&rng, P4096(C + D)) & mask;

    *from = perm_forward(&g->label, u);
    *to = perm_forward(&g->label, draw_neighbour(&rng, u, mask));
}

/* Two passes over the same edges: count the degrees, then fill the lists. */
static int store_graph(struct graph *g) {
    uint64_t *at = calloc(g->vertices + 1, sizeof(*at)), from, to;

    g->first = calloc(g->vertices + 1, sizeof(*g->first));
    g->edge = malloc(g->edges * sizeof(*g->edge));
    if (!at || !g->first || !g->edge) {
        free(at);
        graph_free(g);
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < g->edges / 2; i++) {
        draw_edge(g, i, &from, &to);
        g->first[from + 1]++;
        g->first[to + 1]++;
    }
    for (uint64_t v = 0; v < g->vertices; v++)
        g->first[v + 1] += g->first[v];
    memcpy(at, g->first, g->vertices * sizeof(*at));
    for (uint64_t i = 0; i < g->edges / 2; i++) {
        draw_edge(g, i, &from, &to);
        g->edge[at[from]++] = (uint32_t)to;
        g->edge[at[to]++] = (uint32_t)from;
    }
    free(at);
    return 0;
}

/* sum[i][v]: the share of all numbers whose byte i is below v, in 2^-64 of those that agree with it above. */
static void make_sums(struct graph *g) {
    for (int i = 0; i < 5; i++) {
        int bits = (int)g->scale - 8 * i;
        uint64_t sum = 0;

        bits = bits > 8 ? 8 : bits < 0 ? 0 : bits;
        for (int v = 0; v < 1 << bits; v++) {
            int ones = __builtin_popcount((unsigned)v);

            g->sum[i][v] = sum;
            sum += (uint64_t)(pow(A + B, bits - ones) * pow(C + D, ones) * 0x1.fffffp63);
        }
        g->sum[i][1 << bits] = sum;
    }
}

int graph_init(struct graph *g, unsigned scale, uint64_t seed) {
    memset(g, 0, sizeof(*g));
    g->scale = scale;
    g->edge_shift = graph_label_bytes(scale) == 4 ? 2 : 3;
    g->vertices = 1ull << scale;
    g->edges = g->vertices * GRAPH_EDGE_FACTOR * 2;
    g->seed = mix64(seed + 1);
    perm_init(&g->label, g->vertices, seed);
    make_sums(g);
    return scale <= GRAPH_STORED_SCALE ? store_graph(g) : 0;
}

int graph_setup(struct graph *g, struct synth *s, unsigned scale_key, uint64_t (*bytes_of)(unsigned scale)) {
    unsigned scale = (unsigned)s->key[scale_key].u;

    if (s->key[scale_key].given && s->key[KEY_BYTES].given) {
        snprintf(s->why, sizeof(s->why), "give bytes or scale, not both");
        return -EINVAL;
    }
    if (!s->key[scale_key].given)
        for (scale = 6; scale < GRAPH_SCALE_MAX && bytes_of(scale + 1) <= s->key[KEY_BYTES].u;)
            scale++;
    if (bytes_of(scale) > 1ull << 46) {
        snprintf(s->why, sizeof(s->why), "scale=%u: the graph would have more than 64T", scale);
        return -EINVAL;
    }
    if (!s->key[KEY_INIT].given)
        s->key[KEY_INIT].u = bytes_of(scale) <= 1ull << 30;
    return graph_init(g, scale, s->key[KEY_SEED].u);
}

void graph_free(struct graph *g) {
    free(g->first);
    free(g->edge);
    g->first = NULL;
    g->edge = NULL;
}

/*
 * First edge of vertex number u, and its end. From the highest byte down, `weight` is the share of all numbers that
 * agree with u so far. Shares are rounded down, so that floor(x) + floor(y) <= floor(x + y) keeps the lists in
 * order: where one ends, at the latest the next begins.
 */
static void edge_range(const struct graph *g, uint64_t u, uint64_t *first, uint64_t *end) {
    uint64_t weight = UINT64_MAX, below = 0;

    for (int i = (int)(g->scale - 1) / 8; i >= 0; i--) {
        unsigned v = u >> 8 * i & 255;
        uint64_t start = random_scale(g->sum[i][v], weight);

        below += start;
        weight = random_scale(g->sum[i][v + 1] - g->sum[i][v], weight);
    }
    *first = random_scale(below, g->edges);
    *end = random_scale(below + weight, g->edges);
}

struct graph_list graph_open(const struct graph *g, uint64_t label) {
    struct graph_list list = {.next = 0};
    uint64_t end;

    if (g->first) {
        list.first = list.next = g->first[label];
        list.degree = g->first[label + 1] - list.first;
        return list;
    }
    list.number = perm_inverse(&g->label, label);
    list.rng = mix64(g->seed ^ mix64(list.number));
    edge_range(g, list.number, &list.first, &end);
    list.degree = end - list.first;
    return list;
}

uint64_t graph_next(const struct graph *g, struct graph_list *list) {
    if (g->first)
        return g->edge[list->next++];
    return perm_forward(&g->label, draw_neighbour(&list->rng, list->number, g->vertices - 1));
}
