/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The ideal that placement policies are measured against: an offline best fit. It knows how much of each VMA the
 * program will touch in the end and all free clusters of memory at boot, frame by frame, and wants no alignment.
 * The largest VMA goes first, into the smallest cluster that holds it; when none does, the largest cluster is
 * filled and the rest goes on. What tables take is left out of account.
 *
 * Under a hypervisor what that makes of the guest's VMAs is fitted once more, into the clusters of the host.
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

/* The first of the ascending sizes that holds `bytes`; s->n: none does. */
static uint64_t smallest_that_holds(const struct sizes *s, uint64_t bytes) {
    uint64_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        if (s->size[mid].bytes < bytes)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* One cluster of size i is used up, */
static void take_one(struct sizes *s, uint64_t i) {
    if (--s->size[i].times)
        return;
    s->n--;
    memmove(&s->size[i], &s->size[i + 1], (s->n - i) * sizeof(*s->size));
}

/* and one is left over, which has its place in the order. */
static bool put_one(struct sizes *s, uint64_t bytes) {
    uint64_t i = smallest_that_holds(s, bytes);

    if (!bytes)
        return true;
    if (i < s->n && s->size[i].bytes == bytes) {
        s->size[i].times++;
        return true;
    }
    if (!sizes_add(s, bytes, 1))
        return false;
    memmove(&s->size[i + 1], &s->size[i], (s->n - 1 - i) * sizeof(*s->size));
    s->size[i] = (struct size){bytes, 1};
    return true;
}

/* One piece goes into the clusters. false: out of host memory. */
static bool fit(struct sizes *clusters, uint64_t bytes, struct sizes *out) {
    while (clusters->n && bytes > clusters->size[clusters->n - 1].bytes) {
        uint64_t part = clusters->size[clusters->n - 1].bytes;

        take_one(clusters, clusters->n - 1);
        if (!sizes_add(out, part, 1))
            return false;
        bytes -= part;
    }
    uint64_t i = smallest_that_holds(clusters, bytes);
    if (bytes && i < clusters->n) {
        uint64_t left = clusters->size[i].bytes - bytes;

        take_one(clusters, i);
        if (!put_one(clusters, left))
            return false;
    }
    return !bytes || sizes_add(out, bytes, 1);
}

/* A copy in ascending order. */
static bool copy_sizes(struct sizes *to, const struct sizes *from) {
    bool ok = true;

    *to = (struct sizes){0};
    for (uint64_t i = 0; ok && i < from->n; i++)
        ok = sizes_add(to, from->size[i].bytes, from->size[i].times);
    if (ok && to->n)
        qsort(to->size, to->n, sizeof(*to->size), smallest_first);
    return ok;
}

bool contig_ideal(const struct os *os, const struct sizes *pieces, struct sizes *out) {
    struct sizes clusters = {0}, order = {0};
    bool ok = os->boot_clusters && copy_sizes(&clusters, os->boot_clusters) && copy_sizes(&order, pieces);

    sizes_merge(&clusters); /* hundreds of thousands of clusters have a few thousand sizes */
    for (uint64_t i = order.n; ok && i-- > 0;)
        for (uint64_t k = 0; ok && k < order.size[i].times; k++)
            ok = fit(&clusters, order.size[i].bytes, out);
    free(order.size);
    free(clusters.size);
    return ok;
}
