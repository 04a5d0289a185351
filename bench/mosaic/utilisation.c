/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How full does memory get when a page may live only in some frames? Until the first page that finds no free frame,
 * and in the steady state of programs larger than memory; theory beside it.
 *
 *     bench/mosaic/utilisation [--bytes 4G] [--seeds 10] [--steady] [--iceberg] [--svg FILE]
 *
 * Iceberg is the architecture's own `place`, asked through the interface; for first conflicts its counterpart over
 * counters (mosaic/counters.h), which comes to the same frames. Pages come in order, as programs touch memory for
 * the first time; each seed has other hash tables. The others hash with a random function.
 */
#include <getopt.h>
#include <stdio.h>

#include "mosaic/counters.h"
#include "mosaic/horizon.h"
#include "mosaic/theory.h"

#include "machine/settings.h"

#define CUCKOO_SLOTS 4
#define CUCKOO_MOVES 500 /* tried before an insertion counts as failed */
#define CUCKOO_AHEAD 16

struct figure {
    double sum, squares;
    unsigned n;
};

static void note(struct figure *f, double x) {
    f->sum += x;
    f->squares += x * x;
    f->n++;
}

static double mean(const struct figure *f) {
    return f->sum / f->n;
}

static double deviation(const struct figure *f) {
    const double m = mean(f), variance = f->squares / f->n - m * m;

    return f->n > 1 && variance > 0 ? sqrt(variance * f->n / (f->n - 1)) : 0;
}

/* ---- the others ---- */

static double random_place(uint64_t frames, uint64_t seed) {
    const size_t bytes = (frames / 64 + 1) * sizeof(uint64_t);
    uint64_t *taken = memory_of_host(bytes), used = 0;

    for (;; used++) {
        const uint64_t at = hw_random(&seed) % frames;
        if (!taken || taken[at / 64] >> at % 64 & 1)
            break;
        taken[at / 64] |= 1ull << at % 64;
    }
    memory_to_host(taken, bytes);
    return (double)used / (double)frames;
}

static double sets_of_8(uint64_t frames, uint64_t seed) {
    const uint64_t sets = frames / 8;
    uint8_t *n = memory_of_host(sets);
    uint64_t used = 0;

    for (;; used++) {
        const uint64_t at = hw_random(&seed) % sets;
        if (!n || n[at]++ == 8)
            break;
    }
    memory_to_host(n, sets);
    return (double)used / (double)frames;
}

typedef uint32_t cuckoo_bucket[CUCKOO_SLOTS]; /* of each page the other bucket + 1; 0: free */

/* The two buckets of pages to come, so that the host fetches them while others are placed. */
struct cuckoo_ahead {
    uint64_t seed;
    struct {
        uint32_t at, other;
    } pair[CUCKOO_AHEAD];
};

static void cuckoo_draw(struct cuckoo_ahead *a, cuckoo_bucket *slot, uint64_t buckets, uint64_t i) {
    const uint32_t at = (uint32_t)(hw_random(&a->seed) % buckets),
                   other = (uint32_t)(hw_random(&a->seed) % buckets);

    a->pair[i % CUCKOO_AHEAD].at = at;
    a->pair[i % CUCKOO_AHEAD].other = other;
    __builtin_prefetch(&slot[at], 1);
    __builtin_prefetch(&slot[other], 1);
}

/* A page into one of its two buckets; a full pair moves a random page to its other bucket, and so on. false: that
   went on too long. */
static bool cuckoo_insert(cuckoo_bucket *slot, uint64_t at, uint64_t other, uint64_t *seed, uint64_t *moved) {
    for (unsigned tries = 0; tries < CUCKOO_MOVES; tries++) {
        for (unsigned i = 0; i < 2 * CUCKOO_SLOTS; i++) {
            uint32_t *s = &slot[i < CUCKOO_SLOTS ? at : other][i % CUCKOO_SLOTS];
            if (*s)
                continue;
            *s = (uint32_t)(i < CUCKOO_SLOTS ? other : at) + 1;
            return true;
        }
        uint32_t *s = &slot[at][hw_random_below(seed, CUCKOO_SLOTS)];
        const uint64_t away = *s - 1;
        *s = (uint32_t)other + 1;
        other = at;
        at = away;
        ++*moved;
    }
    return false;
}

static double cuckoo(uint64_t frames, uint64_t seed, double *moves) {
    const uint64_t buckets = frames / CUCKOO_SLOTS;
    cuckoo_bucket *slot = memory_of_host(buckets * sizeof(*slot));
    struct cuckoo_ahead ahead = {.seed = seed};
    uint64_t used = 0, moved = 0;

    seed += 1ull << 32; /* what is moved is drawn apart */
    for (uint64_t i = 0; slot && i < CUCKOO_AHEAD; i++)
        cuckoo_draw(&ahead, slot, buckets, i);
    for (bool fits = slot != NULL; fits; used += fits) {
        const uint64_t at = ahead.pair[used % CUCKOO_AHEAD].at, other = ahead.pair[used % CUCKOO_AHEAD].other;
        cuckoo_draw(&ahead, slot, buckets, used);
        fits = cuckoo_insert(slot, at, other, &seed, &moved);
    }
    memory_to_host(slot, buckets * sizeof(*slot));
    *moves = used ? (double)moved / (double)used : 0;
    return (double)used / (double)frames;
}

/* ---- Iceberg ---- */

struct tails {
    double back[MOSAIC_BACK + 1], front[MOSAIC_FRONT + 1];
    unsigned n;
};

static void note_tails(const struct counters *c, struct tails *t) {
    const uint32_t buckets = c->memory.buckets;

    for (uint32_t b = 0; b < buckets; b++) {
        for (unsigned i = 0; i <= c->back[b]; i++)
            t->back[i] += 1.0 / buckets;
        for (unsigned i = 0; i <= c->front[b]; i++)
            t->front[i] += 1.0 / buckets;
    }
    t->n++;
}

static int first_conflict(uint64_t bytes, uint64_t seed, struct figure *f, struct tails *t) {
    struct memory m;
    struct counters c = {0};
    int err = memory_init(&m, bytes, seed);

    err = err ? err : counters_init(&c, &m);
    for (uint64_t page = 0; !err && counters_place_row(&c, page); page += COUNTERS_ROW)
        ;
    if (!err) {
        note(f, (double)c.used / (double)m.frames);
        note_tails(&c, t);
    }
    counters_fini(&c);
    memory_fini(&m);
    return err;
}

/* More rounds change nothing: at 101.5 % of memory it is 98.7 % after 3, 99.20 after 12, 99.20 after 40. */
#define ROUNDS 12

#define AHEAD 32 /* pages drawn before they are used, half of that before their frames are fetched */

/* Page i of a program's accesses: all in order, then random ones. */
static uint64_t next_page(const struct horizon *h, uint64_t i, uint64_t *seed) {
    const uint64_t page = i < h->pages ? i : (hw_random(seed) >> 32) * h->pages >> 32;

    horizon_prefetch(h, page);
    return page;
}

/* A program of so many times mosaic memory: all pages once, then random ones, as many as ROUNDS - 1 times the
   pages; the mean utilisation of the last round. */
static int steady(uint64_t bytes, uint64_t seed, double footprint, struct figure *first, struct figure *f) {
    struct memory m;
    struct horizon h = {0};
    int err = memory_init(&m, bytes, seed);
    const uint64_t pages = (uint64_t)(footprint * (double)m.frames);
    uint64_t ahead[AHEAD];
    double sum = 0;
    bool conflict = false;

    if (!err && ROUNDS * pages > UINT32_MAX)
        err = -ERANGE; /* the clock has 32 bits */
    err = err ? err : horizon_init(&h, &m, pages);
    for (uint64_t i = 0; !err && i < AHEAD; i++)
        ahead[i] = next_page(&h, i, &seed);
    for (uint64_t i = 0; !err && i < ROUNDS * pages; i++) {
        const uint64_t page = ahead[i % AHEAD];
        ahead[i % AHEAD] = next_page(&h, i + AHEAD, &seed);
        horizon_prefetch_frame(&h, ahead[(i + AHEAD / 2) % AHEAD]);
        if (horizon_use(&h, page) && !conflict) {
            conflict = true;
            note(first, (double)m.used / (double)m.frames);
        }
        if (i >= (ROUNDS - 1) * pages)
            sum += (double)m.used / (double)pages;
    }
    if (!err)
        note(f, sum / (double)m.frames);
    horizon_fini(&h);
    memory_fini(&m);
    return err;
}

/* ---- the tail, as a picture ---- */

#define LEFT    70.0
#define TOP     30.0
#define WIDTH   520.0
#define HEIGHT  300.0
#define DECADES 6.0

static double y_of(double share) {
    const double log = share > 0 ? -log10(share) : DECADES;

    return TOP + HEIGHT * (log < DECADES ? log : DECADES) / DECADES;
}

static void curve(FILE *out, const double *tail, double scale, const char *style) {
    fprintf(out, "<polyline fill='none' %s points='", style);
    for (unsigned i = 0; i <= MOSAIC_BACK; i++)
        fprintf(out, "%.1f,%.1f ", LEFT + WIDTH * i / MOSAIC_BACK, y_of(tail[i] * scale));
    fprintf(out, "'/>\n");
}

/* Share of back yards that have at most i pages less than full: what is left of room as it becomes rare. */
static int draw(const char *file, const char *bytes, const struct tails *t, const struct theory *theory) {
    FILE *out = fopen(file, "w");
    double room[MOSAIC_BACK + 1], expected[MOSAIC_BACK + 1];

    if (!out) {
        perror(file);
        return -EINVAL;
    }
    for (unsigned i = 0; i <= MOSAIC_BACK; i++) {
        room[i] = i ? t->n - t->back[MOSAIC_BACK - i + 1] : t->n;
        expected[i] = i ? 1 - theory->tail[MOSAIC_BACK - i + 1] : 1;
    }
    fprintf(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 400' font-family='sans-serif' font-size='12'>\n"
        "<rect width='640' height='400' fill='white'/>\n"
        "<text x='%.0f' y='18'>Back yards with at least i free frames at the first conflict, %s</text>\n",
        LEFT, bytes);
    for (unsigned d = 0; d <= (unsigned)DECADES; d++)
        fprintf(out,
                "<line x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f' stroke='#ddd'/><text x='%.0f' y='%.1f' "
                "text-anchor='end'>1e-%u</text>\n",
                LEFT, LEFT + WIDTH, y_of(pow(10, -(double)d)), y_of(pow(10, -(double)d)), LEFT - 6,
                y_of(pow(10, -(double)d)) + 4, d);
    for (unsigned i = 0; i <= MOSAIC_BACK; i++)
        fprintf(out, "<text x='%.1f' y='%.0f' text-anchor='middle'>%u</text>\n", LEFT + WIDTH * i / MOSAIC_BACK,
                TOP + HEIGHT + 18, i);
    curve(out, expected, 1, "stroke='#888' stroke-dasharray='6 4' stroke-width='2'");
    curve(out, room, 1.0 / t->n, "stroke='#0060a0' stroke-width='2'");
    fprintf(out,
            "<text x='%.0f' y='%.0f' fill='#0060a0'>measured, mean of %u seeds</text>\n"
            "<text x='%.0f' y='%.0f' fill='#666'>theory (dashed)</text>\n</svg>\n",
            LEFT, TOP + HEIGHT + 44, t->n, LEFT + 260, TOP + HEIGHT + 44);
    return fclose(out) ? -EINVAL : 0;
}

/* ---- the table ---- */

static void row(const char *name, const struct figure *f, double theory, const char *remark) {
    printf("  %-34s %8.4f %% +- %.4f", name, 100 * mean(f), 100 * deviation(f));
    if (theory > 0)
        printf("   theory %8.4f %%", 100 * theory);
    printf("%s\n", remark);
}

static int run(const char *text, uint64_t bytes, unsigned seeds, bool with_steady, bool iceberg_only,
               const char *svg) {
    static const double footprints[] = {1.015, 1.077, 1.139, 1.202}; /* 4158, 4413, 4669, 4924 MiB on 4096 */
    const uint64_t frames = bytes / EMT_PAGE_BYTES / 64 * 63;
    const struct theory theory = theory_iceberg((double)frames / MOSAIC_BUCKET_FRAMES);
    struct figure ice = {0}, rnd = {0}, sets = {0}, cuckoos = {0};
    struct tails tails = {0};
    double moves = 0;
    char remark[80];
    int err = 0;

    for (uint64_t seed = 1; seed <= seeds && !err; seed++) {
        err = first_conflict(bytes, seed, &ice, &tails);
        if (iceberg_only)
            continue;
        note(&rnd, random_place(frames, seed));
        note(&sets, sets_of_8(frames, seed));
        note(&cuckoos, cuckoo(frames, seed, &moves));
    }
    if (err)
        return err;
    printf("%s of memory, %u seeds: utilisation when the first page finds no free frame\n", text, seeds);
    row("Iceberg, 104 frames (mosaic)", &ice, theory.first_conflict, "   published, 4 GiB: 98.00 to 98.07 %");
    if (!iceberg_only) {
        row("random, 1 frame", &rnd, theory_random((double)frames), "");
        row("8-way sets, 8 frames", &sets, theory_sets((double)frames, 8), "");
        snprintf(remark, sizeof(remark), "   and moves %.2f pages for each", moves);
        row("cuckoo, 2 buckets of 4, 8 frames", &cuckoos, 0.9804, remark);
    }
    printf("  back yards with at least 8, 7, 6, 5 pages: %.4f %.4f %.6f %.6f, theory %.4f %.4f %.6f %.6f\n",
           tails.back[8] / tails.n, tails.back[7] / tails.n, tails.back[6] / tails.n, tails.back[5] / tails.n,
           theory.tail[8], theory.tail[7], theory.tail[6], theory.tail[5]);
    for (unsigned i = 0; with_steady && !err && i < sizeof(footprints) / sizeof(footprints[0]); i++) {
        struct figure first = {0}, f = {0};
        for (uint64_t seed = 1; seed <= seeds && !err; seed++)
            err = steady(bytes, seed, footprints[i], &first, &f);
        if (!err)
            printf("  footprint %.1f %%: first conflict %.2f %%, steady state with Horizon LRU %.2f %% +- %.3f\n",
                   100 * footprints[i], 100 * mean(&first), 100 * mean(&f), 100 * deviation(&f));
    }
    return err ? err : svg ? draw(svg, text, &tails, &theory) : 0;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"bytes", required_argument, NULL, 'b'}, {"seeds", required_argument, NULL, 's'},
        {"steady", no_argument, NULL, 't'},      {"iceberg", no_argument, NULL, 'i'},
        {"svg", required_argument, NULL, 'p'},   {0}};
    const char *text = "4G", *svg = NULL;
    uint64_t bytes = 4ull << 30;
    unsigned long seeds = 10;
    bool with_steady = false, iceberg_only = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'b' && settings_parse_bytes(optarg, &bytes) == 0 && bytes >= 1ull << 28 && bytes <= 1ull << 42)
            text = optarg;
        else if (c == 's' && (seeds = strtoul(optarg, NULL, 10)) > 0 && seeds <= 1000)
            continue;
        else if (c == 't')
            with_steady = true;
        else if (c == 'i')
            iceberg_only = true;
        else if (c == 'p')
            svg = optarg;
        else {
            fprintf(
                stderr,
                "usage: utilisation [--bytes 256M..4T] [--seeds 1..1000] [--steady] [--iceberg] [--svg FILE]\n");
            return 2;
        }
    }
    int err = run(text, bytes, (unsigned)seeds, with_steady, iceberg_only, svg);
    if (err)
        fprintf(stderr, "utilisation: %s\n", strerror(-err));
    return err ? 1 : 0;
}
