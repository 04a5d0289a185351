/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The ideal that placement policies are measured against: an offline best fit. It knows how much of each VMA the
 * program will touch in the end and all free clusters of memory at boot, frame by frame, and wants no alignment.
 * The largest VMA goes first, into the smallest cluster that holds it; when none does, the largest cluster is
 * filled and the rest goes on. What tables take is left out of account.
 */
#include <stdlib.h>
#include <string.h>

#include "os/contiguity.h"
#include "os/internal.h"

void sizes_free(struct sizes *s) {
    if (s)
        free(s->size);
    free(s);
}

static int smallest_first(const void *a, const void *b) {
    const struct size *x = a, *y = b;

    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static bool add_cluster(void *ctx, uint64_t frames) {
    return sizes_add(ctx, frames * PAGE, 1);
}

struct sizes *contig_clusters(const struct os *os) {
    struct sizes *s = calloc(1, sizeof(*s));

    if (!s || !frames_clusters(os->frames, add_cluster, s)) {
        sizes_free(s);
        return NULL;
    }
    if (s->n)
        qsort(s->size, s->n, sizeof(*s->size), smallest_first);
    return s;
}

/* The first of n ascending clusters that holds `bytes`; n: none does. */
static uint64_t smallest_that_holds(const struct size *c, uint64_t n, uint64_t bytes) {
    uint64_t lo = 0, hi = n;

    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (c[mid].bytes < bytes)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What is left of cluster i takes its place in the order. */
static void shrink(struct size *c, uint64_t i, uint64_t left) {
    uint64_t to = smallest_that_holds(c, i, left);

    memmove(&c[to + 1], &c[to], (i - to) * sizeof(*c));
    c[to].bytes = left;
}

/* One VMA goes into *n ascending clusters. false: out of host memory. */
static bool fit(struct size *c, uint64_t *n, uint64_t bytes, struct sizes *out) {
    while (*n && bytes > c[*n - 1].bytes) {
        uint64_t part = c[--*n].bytes;

        if (part && !sizes_add(out, part, 1))
            return false;
        bytes -= part;
    }
    uint64_t i = smallest_that_holds(c, *n, bytes);
    if (i < *n)
        shrink(c, i, c[i].bytes - bytes);
    return !bytes || sizes_add(out, bytes, 1);
}

void contig_ideal(const struct os *os, const struct sizes *vmas, uint64_t out[OS_SHARES]) {
    const struct sizes *boot = os->boot_clusters;
    struct size *c = boot && boot->n ? malloc(boot->n * sizeof(*c)) : NULL;
    struct sizes order = {0}, maps = {0};
    uint64_t n = c ? boot->n : 0;
    bool ok = c != NULL;

    for (uint64_t i = 0; ok && i < vmas->n; i++)
        ok = sizes_add(&order, vmas->size[i].bytes, vmas->size[i].times);
    if (ok) {
        memcpy(c, boot->size, boot->n * sizeof(*c));
        qsort(order.size, order.n, sizeof(*order.size), smallest_first);
        for (uint64_t i = order.n; ok && i-- > 0;)
            ok = fit(c, &n, order.size[i].bytes, &maps);
    }
    if (ok)
        sizes_cover(&maps, out);
    free(order.size);
    free(maps.size);
    free(c);
}
