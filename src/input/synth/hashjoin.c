/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A no-partitioning hash join of R and S (S. Blanas et al., SIGMOD'11; C. Balkesen et al., ICDE'13): R's keys are
 * the numbers 0..|R|-1 in random order, S's refer to them at random. Buckets hold two tuples and, as keys are dense
 * and a key hashes to its number modulo |R|/2, each bucket gets exactly two: nothing is stored, and no chain
 * exists.
 *
 *      build   k = &bucket[hash(r->key)]; k->tuple[k->count++] = *r;             16 instructions: gcc 12.2 -O2, of
 *      probe   k = &bucket[hash(s->key)];                                        which 3 for the modulo (cmp, sub,
 * cmov) for (j = 0; j < k->count; j++) if (k->tuple[j].key == s->key) { sum += k->tuple[j].payload; break; } 19,
 * second tuple 24
 *
 *      bucket, 64 bytes:  [ latch 4 | count 4 | key 8 | payload 8 | key 8 | payload 8 | next 8 | - 16 ]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_RATIO = KEY_OWN };
enum { LOOP_BUILD, LOOP_PROBE };
enum { BUCKET = 64, TUPLE = 16 };

static const struct workload_key keys[] = {
    {"ratio", KIND_COUNT, 1, 256, 4, NULL, NULL, "tuples of S for each of R"},
};

struct join {
    uint64_t r, s, bucket; /* bases */
    uint64_t r_tuples, s_tuples, buckets, seed;
    struct perm key;   /* place in R -> key */
    unsigned building; /* threads not yet through with their part of the build */
    struct {
        uint64_t i, end;
        uint64_t s_first, s_end;
        bool probing;
    } thread[SYNTH_THREADS_MAX];
};

static int setup(struct synth *s) {
    struct join *j = calloc(1, sizeof(*j));
    uint64_t ratio = s->key[KEY_RATIO].u;

    if (!j)
        return -ENOMEM;
    s->state = j;
    j->buckets = s->key[KEY_BYTES].u / (BUCKET + 2 * TUPLE * (1 + ratio));
    j->r_tuples = 2 * j->buckets;
    j->s_tuples = ratio * j->r_tuples;
    j->seed = mix64(s->key[KEY_SEED].u + 77);
    j->r = synth_region(s, j->r_tuples * TUPLE, true);
    j->s = synth_region(s, j->s_tuples * TUPLE, true);
    j->bucket = synth_region(s, j->buckets * BUCKET, true);
    perm_init(&j->key, j->r_tuples, s->key[KEY_SEED].u);
    j->building = s->threads;
    for (unsigned t = 0; t < s->threads; t++) {
        synth_slice(j->r_tuples, t, s->threads, &j->thread[t].i, &j->thread[t].end);
        synth_slice(j->s_tuples, t, s->threads, &j->thread[t].s_first, &j->thread[t].s_end);
    }
    return 0;
}

/* The bucket of a key, and which of its two tuples this one is: the one earlier in R came first. */
static uint64_t bucket_of(const struct join *j, uint64_t key, uint64_t place, unsigned *slot) {
    bool upper = key >= j->buckets;
    uint64_t other = upper ? key - j->buckets : key + j->buckets;

    *slot = perm_inverse(&j->key, other) < place;
    return j->bucket + (upper ? other : key) * BUCKET;
}

static bool build(struct join *j, unsigned thread, struct synth_out *out) {
    struct synth_out o = *out;
    uint64_t i = j->thread[thread].i, end = j->thread[thread].end;

    for (; i < end && out_room(&o, 11); i++) {
        unsigned slot;
        uint64_t va = bucket_of(j, perm_forward(&j->key, i), i, &slot);

        out_fetch(&o, LOOP(LOOP_BUILD), 16);
        out_load(&o, j->r + i * TUPLE, 3, INSN(LOOP_BUILD, 0));
        out_load(&o, j->r + i * TUPLE, 4, INSN(LOOP_BUILD, 1));
        out_load(&o, va + 4, 2, INSN(LOOP_BUILD, 9));
        out_store(&o, va + 4, 2, INSN(LOOP_BUILD, 12));
        out_store(&o, va + 8 + slot * TUPLE, 4, INSN(LOOP_BUILD, 13));
    }
    j->thread[thread].i = i;
    *out = o;
    return i == end;
}

static bool probe(struct join *j, unsigned thread, struct synth_out *out) {
    struct synth_out o = *out;
    uint64_t i = j->thread[thread].i, end = j->thread[thread].end;

    for (; i < end && out_room(&o, 11); i++) {
        uint64_t key = random_scale(mix64(j->seed + i * SPLITMIX_STEP), j->r_tuples);
        unsigned slot;
        uint64_t va = bucket_of(j, key, perm_inverse(&j->key, key), &slot);

        out_fetch(&o, LOOP(LOOP_PROBE), slot ? 24 : 19);
        out_load(&o, j->s + i * TUPLE, 3, INSN(LOOP_PROBE, 0));
        out_load_dependent(&o, va + 4, 2, INSN(LOOP_PROBE, 8));
        out_load(&o, va + 8, 3, INSN(LOOP_PROBE, 11));
        if (slot)
            out_load(&o, va + 24, 3, INSN(LOOP_PROBE, 15));
        out_load(&o, va + 16 + slot * TUPLE, 3, INSN(LOOP_PROBE, 21));
    }
    j->thread[thread].i = i;
    *out = o;
    return i == end;
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct join *j = s->state;

    if (!j->thread[thread].probing) {
        if (!build(j, thread, out))
            return SYNTH_MORE;
        j->building--;
        j->thread[thread].probing = true;
        j->thread[thread].i = j->thread[thread].s_first;
        j->thread[thread].end = j->thread[thread].s_end;
    }
    if (j->building)
        return SYNTH_IDLE;
    while (probe(j, thread, out)) {
        if (s->once)
            return SYNTH_END;
        j->thread[thread].i = j->thread[thread].s_first;
        if (j->thread[thread].i == j->thread[thread].end)
            return SYNTH_IDLE;
    }
    return SYNTH_MORE;
}

const struct workload workload_hashjoin = {
    .name = "hashjoin",
    .about = "a hash join without partitioning: builds a table from R, then probes it for each tuple of S",
    .end = "the join",
    .keys = keys,
    .key_count = 1,
    .bytes = 1ull << 30,
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
