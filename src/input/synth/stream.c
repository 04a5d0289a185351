/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * STREAM: sequential loops over three arrays of doubles (J. McCalpin, https://www.cs.virginia.edu/stream/).
 * Each thread has one contiguous part of each array, as OpenMP's static schedule gives.
 *
 *      copy   for (i = 0; i < n; i++) c[i] = a[i];                5 instructions: gcc 12.2 -O2 -fno-tree-vectorize
 *      scale  for (i = 0; i < n; i++) b[i] = s * c[i];            6
 *      add    for (i = 0; i < n; i++) c[i] = a[i] + b[i];         6
 *      triad  for (i = 0; i < n; i++) a[i] = b[i] + s * c[i];     7
 */
#include <errno.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_KERNEL = KEY_OWN };
enum { COPY, SCALE, ADD, TRIAD, ALL };

static const char *const kernels[] = {"copy", "scale", "add", "triad", "all", NULL};
static const struct workload_key keys[] = {
    {"kernel", KIND_CHOICE, 0, ALL, TRIAD, kernels, NULL, "which loop (all: one after the other)"},
};

enum { A, B, C, NONE };
static const struct {
    uint8_t from, from2, to, instructions;
} kernel_of[] = {[COPY] = {A, NONE, C, 5}, [SCALE] = {C, NONE, B, 6}, [ADD] = {A, B, C, 6}, [TRIAD] = {B, C, A, 7}};

struct stream {
    uint64_t base[3];
    unsigned first_kernel, last_kernel;
    struct {
        uint64_t first, end, i;
        unsigned kernel;
    } thread[SYNTH_THREADS_MAX];
};

static int setup(struct synth *s) {
    struct stream *st = calloc(1, sizeof(*st));
    uint64_t n = s->key[KEY_BYTES].u / 24;

    if (!st)
        return -ENOMEM;
    s->state = st;
    for (int i = 0; i < 3; i++)
        st->base[i] = synth_region(s, n * 8, true);
    st->first_kernel = s->key[KEY_KERNEL].u == ALL ? COPY : (unsigned)s->key[KEY_KERNEL].u;
    st->last_kernel = s->key[KEY_KERNEL].u == ALL ? TRIAD : (unsigned)s->key[KEY_KERNEL].u;
    for (unsigned t = 0; t < s->threads; t++) {
        synth_slice(n, t, s->threads, &st->thread[t].first, &st->thread[t].end);
        st->thread[t].i = st->thread[t].first;
        st->thread[t].kernel = st->first_kernel;
    }
    return 0;
}

static void run_kernel(const struct stream *st, unsigned kernel, uint64_t *i, uint64_t end, struct synth_out *out) {
    struct synth_out o = *out;
    uint64_t from = st->base[kernel_of[kernel].from], to = st->base[kernel_of[kernel].to], n;
    unsigned second = kernel_of[kernel].from2, instructions = kernel_of[kernel].instructions;

    for (n = *i; n < end && out_room(&o, 7); n++) {
        out_fetch(&o, LOOP(kernel), instructions);
        out_load(&o, from + n * 8, 3, INSN(kernel, 0));
        if (second != NONE)
            out_load(&o, st->base[second] + n * 8, 3, INSN(kernel, 1));
        out_store(&o, to + n * 8, 3, INSN(kernel, 3));
    }
    *i = n;
    *out = o;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct stream *st = s->state;
    uint64_t first = st->thread[thread].first, end = st->thread[thread].end;

    while (out_room(out, 7)) {
        unsigned *kernel = &st->thread[thread].kernel;

        run_kernel(st, *kernel, &st->thread[thread].i, end, out);
        if (st->thread[thread].i < end)
            break;
        st->thread[thread].i = first;
        if (++*kernel > st->last_kernel) {
            *kernel = st->first_kernel;
            if (s->once)
                return SYNTH_END;
        }
    }
    return SYNTH_MORE;
}

const struct workload workload_stream = {
    .name = "stream",
    .about = "sequential loops over three arrays (STREAM)",
    .end = "one pass",
    .keys = keys,
    .key_count = 1,
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
