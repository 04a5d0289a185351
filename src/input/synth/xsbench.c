/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * XSBench-like: macroscopic cross-section lookups of Monte Carlo neutron transport on a unionized energy grid (J.
 * Tramm et al., PHYSOR 2014; https://github.com/ANL-CESAR/XSBench: structures, material sizes and probabilities are
 * from its openmp-threading version, the "large" Hoogenboom-Martin reactor has 355 nuclides and 11303 grid points
 * each).
 *
 *      energy[nuclides * gridpoints]             8 bytes each, sorted: binary search for the particle's energy
 *      index[nuclides * gridpoints][nuclides]    4 bytes: where that energy lies in each nuclide's grid
 *      grid[nuclides][gridpoints]                48 bytes: energy and five cross-sections; two neighbours are read
 *
 * Differences: which nuclides a material has (only how many is kept), and the index entries: in place of sorting
 * random energies, nuclide n's entry is the expected one plus a fixed deviation, as large as the order statistics'
 * typically is.
 *
 *      binary search   9 instructions a step (8 or 10 by direction);  a nuclide   58: gcc 12.2 -O2
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "input/synth/workloads.h"

enum { KEY_GRIDPOINTS = KEY_OWN, KEY_NUCLIDES, KEY_LOOKUPS };
enum { LOOP_SEARCH, LOOP_NUCLIDE };
enum { MATERIALS = 12, NUCLIDES_MAX = 1024, SMALL_NUCLIDES = 68, SMALL_FUEL = 34 };

static const struct workload_key keys[] = {
    {"gridpoints", KIND_COUNT, 2, 1e8, 11303, NULL, NULL, "grid points a nuclide, instead of bytes"},
    {"nuclides", KIND_COUNT, SMALL_NUCLIDES, NUCLIDES_MAX, 355, NULL, NULL,
     "68: the small reactor, 355: the large"},
    {"lookups", KIND_COUNT, 1, 1e12, 17e6, NULL, NULL,
     "for accesses=0; default: XSBench's 500,000 particles of 34 lookups"},
};

/* Nuclides of each material (the fuel's: 34 of 68, and all further ones), and its share of the lookups. */
static const uint16_t material_nuclides[MATERIALS] = {SMALL_FUEL, 5, 4, 4, 27, 21, 21, 21, 21, 21, 9, 9};
static const double material_share[MATERIALS] = {0.140, 0.052, 0.275, 0.134, 0.154, 0.064,
                                                 0.066, 0.055, 0.008, 0.015, 0.025, 0.013};

struct xs {
    uint64_t energy, index, grid, tables; /* bases */
    uint64_t gridpoints, nuclides, points;
    unsigned fuel;
    double threshold[MATERIALS];    /* a roll below [m], and not below the ones before: material m; else fuel */
    double deviation[NUCLIDES_MAX]; /* in standard deviations */
    struct {
        uint64_t left;
        uint64_t point; /* of the present lookup */
        double spread;  /* standard deviation there, in grid points */
        unsigned material, nuclide, count;
    } thread[SYNTH_THREADS_MAX];
};

static uint64_t bytes_a_gridpoint(uint64_t nuclides) {
    return nuclides * (8 + 4 * nuclides + 48);
}

static int choose_size(struct synth *s, struct xs *x) {
    uint64_t each;

    x->nuclides = s->key[KEY_NUCLIDES].u;
    each = bytes_a_gridpoint(x->nuclides);
    if (s->key[KEY_BYTES].given && s->key[KEY_GRIDPOINTS].given) {
        snprintf(s->why, sizeof(s->why), "give bytes or gridpoints, not both");
        return -EINVAL;
    }
    x->gridpoints = s->key[KEY_BYTES].given ? s->key[KEY_BYTES].u / each : s->key[KEY_GRIDPOINTS].u;
    if (x->gridpoints < 2 || x->gridpoints * each > 1ull << 46) {
        snprintf(s->why, sizeof(s->why),
                 "%llu grid points of %llu nuclides: %llu bytes each, must be from 2 to 64T",
                 (unsigned long long)x->gridpoints, (unsigned long long)x->nuclides, (unsigned long long)each);
        return -EINVAL;
    }
    if (!s->key[KEY_INIT].given)
        s->key[KEY_INIT].u = x->gridpoints * each <= 1ull << 30;
    return 0;
}

static int setup(struct synth *s) {
    struct xs *x = calloc(1, sizeof(*x));
    uint64_t rng = s->key[KEY_SEED].u;
    double sum = 0;
    int err;

    if (!x)
        return -ENOMEM;
    s->state = x;
    err = choose_size(s, x);
    if (err)
        return err;
    x->points = x->nuclides * x->gridpoints;
    x->fuel = SMALL_FUEL + (unsigned)(x->nuclides - SMALL_NUCLIDES);
    x->energy = synth_region(s, x->points * 8, true);
    x->index = synth_region(s, x->points * x->nuclides * 4, true);
    x->grid = synth_region(s, x->points * 48, true);
    x->tables = synth_region(s, MATERIALS * x->fuel * (4ull + 8), true);
    for (int m = 1; m < MATERIALS; m++)
        x->threshold[m] = sum += material_share[m];
    for (uint64_t n = 0; n < x->nuclides; n++) /* twelve uniforms less six: nearly normal */
        for (int i = 0; i < 12; i++)
            x->deviation[n] += random_unit(&rng) - 0.5;
    for (unsigned t = 0; t < s->threads; t++) {
        uint64_t first, end;

        synth_slice(s->key[KEY_LOOKUPS].u, t, s->threads, &first, &end);
        x->thread[t].left = end - first;
    }
    return 0;
}

static unsigned pick_material(const struct xs *x, double roll) {
    for (unsigned m = 1; m < MATERIALS; m++)
        if (roll < x->threshold[m])
            return m;
    return 0;
}

/* A new particle: its energy is found in the unionized grid. */
static void search(struct xs *x, unsigned thread, uint64_t *rng, struct synth_out *o) {
    uint64_t point = random_scale(random_next(rng), x->points - 1), low = 0, up = x->points - 1;
    double share = (double)point / (double)x->points;
    unsigned m = pick_material(x, random_unit(rng));

    for (bool first = true; up - low > 1; first = false) {
        uint64_t middle = low + (up - low) / 2;

        out_fetch(o, LOOP(LOOP_SEARCH), 9);
        out_access(o, ev_load(x->energy + middle * 8, 3) | (first ? 0 : EV_DEPENDENT), INSN(LOOP_SEARCH, 2));
        if (middle > point)
            up = middle;
        else
            low = middle;
    }
    x->thread[thread].point = point;
    x->thread[thread].spread = sqrt(share * (1 - share) * (double)x->gridpoints);
    x->thread[thread].material = m;
    x->thread[thread].nuclide = 0;
    x->thread[thread].count = m ? material_nuclides[m] : x->fuel;
}

/* The j-th nuclide of a material: fuel has the first ones, the others share the rest and some of the fuel's. */
static uint64_t nuclide_of(const struct xs *x, unsigned material, unsigned j) {
    return material ? x->nuclides - 1 - (j + 3 * (material - 1)) % SMALL_NUCLIDES : j;
}

static void add_nuclide(struct xs *x, unsigned thread, struct synth_out *o) {
    unsigned m = x->thread[thread].material, j = x->thread[thread].nuclide++;
    uint64_t n = nuclide_of(x, m, j), entry = m * (uint64_t)x->fuel + j;
    double at = (double)(x->thread[thread].point / x->nuclides) + x->deviation[n] * x->thread[thread].spread;
    double top = (double)(x->gridpoints - 2);
    uint64_t low = x->grid + (n * x->gridpoints + (uint64_t)(at < 0 ? 0 : at > top ? top : at)) * 48;
    uint64_t sums = SYNTH_STACK_END - 0x1000;

    out_fetch(o, LOOP(LOOP_NUCLIDE), 32);
    out_fetch(o, INSN(LOOP_NUCLIDE, 32), 26);
    out_load(o, x->tables + entry * 4, 2, INSN(LOOP_NUCLIDE, 0));
    out_load(o, x->tables + MATERIALS * x->fuel * 4ull + entry * 8, 3, INSN(LOOP_NUCLIDE, 1));
    out_load(o, x->index + (x->thread[thread].point * x->nuclides + n) * 4, 2, INSN(LOOP_NUCLIDE, 2));
    out_load_dependent(o, low + 48, 3, INSN(LOOP_NUCLIDE, 11));
    out_load(o, low, 3, INSN(LOOP_NUCLIDE, 13));
    for (unsigned k = 1; k <= 5; k++) {
        out_load(o, low + 48 + k * 8, 3, INSN(LOOP_NUCLIDE, 8 + 8 * k));
        out_load(o, low + k * 8, 3, INSN(LOOP_NUCLIDE, 10 + 8 * k));
        out_store(o, sums - thread * 64 + k * 8, 3, INSN(LOOP_NUCLIDE, 15 + 8 * k));
    }
}

static enum synth_state fill(struct synth *s, unsigned thread, struct synth_out *out) {
    struct xs *x = s->state;
    struct synth_out o = *out;
    enum synth_state state = SYNTH_MORE;

    while (out_room(&o, 192)) { /* a search of 2^46 / 8 points has 43 steps of 3 words */
        if (x->thread[thread].nuclide < x->thread[thread].count) {
            add_nuclide(x, thread, &o);
            continue;
        }
        if (s->once && x->thread[thread].left-- == 0) {
            x->thread[thread].left = 0;
            state = SYNTH_END;
            break;
        }
        search(x, thread, &s->rng[thread], &o);
    }
    *out = o;
    return state;
}

const struct workload workload_xsbench = {
    .name = "xsbench",
    .about = "cross-section lookups on a unionized energy grid (after XSBench)",
    .end = "`lookups` lookups",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .bytes = 5922545940.0, /* 355 nuclides of 11303 points: 1476 bytes each */
    .bytes_min = 65536,
    .setup = setup,
    .fill = fill,
};
