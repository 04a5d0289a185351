/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The program that speed is measured on: breadth-first searches over a Kronecker graph (the initiator of Graph500:
 * A = 0.57, B = C = 0.19, D = 0.05), edge factor 16, undirected, in compressed rows. Deterministic.
 *
 *     bfs [SCALE=18 [ROOTS=32]]
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EDGE_FACTOR 16

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct graph {
    uint32_t vertices;
    uint64_t edges; /* each in both directions */
    uint64_t *row;
    uint32_t *neighbour;
};

struct edge {
    uint32_t from, to;
};

/* One edge: at each bit a quadrant of the adjacency matrix is chosen. */
static struct edge draw_edge(unsigned scale, uint64_t *random) {
    const uint64_t a = 57, ab = 76, abc = 95; /* percent */
    struct edge e = {0, 0};
    for (unsigned bit = 0; bit < scale; bit++) {
        uint64_t r = (splitmix64(random) >> 32) * 100 >> 32;
        e.from = e.from << 1 | (r >= ab);
        e.to = e.to << 1 | ((r >= a && r < ab) || r >= abc);
    }
    return e;
}

/* Low numbers have many edges: spread them, with an invertible function of the number. */
static uint32_t scramble(uint32_t v, unsigned scale) {
    uint32_t mask = (uint32_t)((1ull << scale) - 1);
    v = v * 0x9e3779b1u & mask;
    v ^= v >> (scale + 1) / 2;
    return v * 0x85ebca6bu & mask;
}

static void *allocate(uint64_t count, size_t bytes) {
    void *p = calloc(count, bytes);
    if (!p) {
        fprintf(stderr, "bfs: not enough memory\n");
        exit(1);
    }
    return p;
}

static struct graph build(unsigned scale) {
    struct graph g = {.vertices = 1u << scale, .edges = 2ull * EDGE_FACTOR << scale};
    uint64_t drawn = g.edges / 2, random = 1;
    struct edge *edge = allocate(drawn, sizeof(*edge));
    g.row = allocate(g.vertices + 1ull, sizeof(*g.row));
    g.neighbour = allocate(g.edges, sizeof(*g.neighbour));
    for (uint64_t i = 0; i < drawn; i++) {
        struct edge e = draw_edge(scale, &random);
        edge[i] = (struct edge){scramble(e.from, scale), scramble(e.to, scale)};
        g.row[edge[i].from]++;
        g.row[edge[i].to]++;
    }
    uint64_t sum = 0;
    for (uint32_t v = 0; v <= g.vertices; v++) {
        sum += g.row[v];
        g.row[v] = sum; /* the end of each row; filling moves it to the start */
    }
    for (uint64_t i = 0; i < drawn; i++) {
        g.neighbour[--g.row[edge[i].from]] = edge[i].to;
        g.neighbour[--g.row[edge[i].to]] = edge[i].from;
    }
    free(edge);
    return g;
}

/* The sum of the distances of all vertices that the root reaches. */
static uint64_t search(const struct graph *g, uint32_t root, uint32_t *distance, uint32_t *queue) {
    for (uint32_t v = 0; v < g->vertices; v++)
        distance[v] = UINT32_MAX;
    uint64_t sum = 0, head = 0, tail = 0;
    queue[tail++] = root;
    distance[root] = 0;
    while (head < tail) {
        uint32_t v = queue[head++];
        sum += distance[v];
        for (uint64_t i = g->row[v]; i < g->row[v + 1]; i++) {
            uint32_t to = g->neighbour[i];
            if (distance[to] != UINT32_MAX)
                continue;
            distance[to] = distance[v] + 1;
            queue[tail++] = to;
        }
    }
    return sum + tail;
}

int main(int argc, char **argv) {
    unsigned scale = argc > 1 ? (unsigned)atoi(argv[1]) : 18;
    unsigned roots = argc > 2 ? (unsigned)atoi(argv[2]) : 32;
    if (scale < 2 || scale > 30) {
        fprintf(stderr, "bfs: SCALE must be 2 to 30\n");
        return 2;
    }
    struct graph g = build(scale);
    uint32_t *distance = allocate(g.vertices, sizeof(*distance));
    uint32_t *queue = allocate(g.vertices, sizeof(*queue));
    uint64_t checksum = 0, random = 2;
    for (unsigned i = 0; i < roots;) {
        uint32_t root = (uint32_t)(splitmix64(&random) & (g.vertices - 1));
        if (g.row[root] == g.row[root + 1])
            continue; /* no edges */
        checksum = checksum * 31 + search(&g, root, distance, queue);
        i++;
    }
    printf("bfs: 2^%u vertices, %" PRIu64 " edges, %u searches, checksum %016" PRIx64 "\n", scale, g.edges / 2,
           roots, checksum);
    return 0;
}
