/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The contiguity map: see contig.h. Node 1 is the root, the halves of node i are 2i and 2i + 1. */
#include "os/contig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NONE (~0ull)

/* What is missing to the length of this part. */
struct run {
    uint32_t first, last, longest;
};

struct contig {
    struct run *node;
    uint64_t bytes; /* of node[] */
    uint64_t blocks, rover, updates;
};

/* A part of the map: node `i` is blocks [lo, hi). */
struct part {
    uint64_t i, lo, hi;
};

static struct part half(struct part p, unsigned upper) {
    uint64_t mid = p.lo + (p.hi - p.lo) / 2;

    return upper ? (struct part){2 * p.i + 1, mid, p.hi} : (struct part){2 * p.i, p.lo, mid};
}

static struct part whole(const struct contig *m) {
    return (struct part){1, 0, m->blocks};
}

/* The lengths themselves. */
struct lengths {
    uint64_t first, last, longest, all;
};

static struct lengths lengths_of(const struct contig *m, struct part p) {
    const struct run *r = &m->node[p.i];
    uint64_t all = p.hi - p.lo;

    return (struct lengths){all - r->first, all - r->last, all - r->longest, all};
}

static struct lengths concat(struct lengths a, struct lengths b) {
    uint64_t across = a.last + b.first, longest = a.longest > b.longest ? a.longest : b.longest;

    return (struct lengths){.first = a.first == a.all ? a.all + b.first : a.first,
                            .last = b.last == b.all ? b.all + a.last : b.last,
                            .longest = across > longest ? across : longest,
                            .all = a.all + b.all};
}

int contig_new(struct contig **out, uint64_t blocks) {
    struct contig *m = calloc(1, sizeof(*m));
    uint64_t nodes = 2;

    *out = NULL;
    if (!m)
        return -ENOMEM;
    while (nodes < 2 * blocks)
        nodes *= 2;
    m->blocks = blocks;
    m->bytes = nodes * sizeof(*m->node);
    m->node = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->node == MAP_FAILED) {
        free(m);
        return -ENOMEM;
    }
    *out = m;
    return 0;
}

void contig_free(struct contig *m) {
    if (!m)
        return;
    munmap(m->node, m->bytes);
    free(m);
}

uint64_t contig_updates(const struct contig *m) {
    return m->updates;
}

void contig_set(struct contig *m, uint64_t block, bool free) {
    struct part p = whole(m), path[64];
    unsigned depth = 0;

    m->updates++;
    while (p.hi - p.lo > 1) {
        path[depth++] = p;
        p = half(p, block >= half(p, 1).lo);
    }
    m->node[p.i] = free ? (struct run){0, 0, 0} : (struct run){1, 1, 1};
    while (depth--) {
        p = path[depth];
        struct lengths n = concat(lengths_of(m, half(p, 0)), lengths_of(m, half(p, 1)));
        m->node[p.i] =
            (struct run){(uint32_t)(n.all - n.first), (uint32_t)(n.all - n.last), (uint32_t)(n.all - n.longest)};
    }
}

/* Where the first run of `want` free blocks begins at or after `from`. *before: free blocks, counted from `from`
   on, that end where this part begins. */
static uint64_t find(const struct contig *m, struct part p, uint64_t from, uint64_t want, uint64_t *before) {
    if (p.hi <= from)
        return NONE;
    if (p.lo >= from) {
        struct lengths n = lengths_of(m, p);

        if (*before + n.first >= want)
            return p.lo - *before;
        if (n.longest < want || n.all == 1) {
            *before = n.last == n.all ? *before + n.all : n.last;
            return NONE;
        }
    }
    uint64_t at = find(m, half(p, 0), from, want, before);
    return at != NONE ? at : find(m, half(p, 1), from, want, before);
}

static uint64_t find_run(const struct contig *m, uint64_t from, uint64_t want) {
    uint64_t before = 0;

    return find(m, whole(m), from, want, &before);
}

/* The runs within [from, to). */
static struct lengths within(const struct contig *m, struct part p, uint64_t from, uint64_t to) {
    if (p.hi <= from || p.lo >= to)
        return (struct lengths){0, 0, 0, 0};
    if (p.lo >= from && p.hi <= to)
        return lengths_of(m, p);
    return concat(within(m, half(p, 0), from, to), within(m, half(p, 1), from, to));
}

bool contig_next(const struct contig *m, uint64_t from, uint64_t *block, uint64_t *blocks) {
    uint64_t at = from < m->blocks ? find_run(m, from, 1) : NONE;

    if (at == NONE)
        return false;
    *block = at;
    *blocks = within(m, whole(m), at, m->blocks).first;
    return true;
}

bool contig_place(struct contig *m, uint64_t want, uint64_t *block, uint64_t *blocks) {
    uint64_t at = NONE;

    if (want <= lengths_of(m, whole(m)).longest) {
        at = find_run(m, m->rover, want);
        at = at != NONE ? at : find_run(m, 0, want);
    }
    if (at == NONE) { /* the largest; the rover cuts the cluster it stands in */
        uint64_t behind = within(m, whole(m), m->rover, m->blocks).longest;
        uint64_t before = within(m, whole(m), 0, m->rover).longest;

        want = behind >= before ? behind : before;
        if (!want)
            return false;
        at = find_run(m, behind >= before ? m->rover : 0, want);
    }
    *block = at;
    *blocks = want;
    m->rover = at + want < m->blocks ? at + want : 0;
    return true;
}
