/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How full does memory get when a page may live only in some frames? Until the first page that finds no free frame,
 * and in the steady state of programs larger than memory; theory beside it.
 *
 *     bench/mosaic/utilisation [--bytes 4G] [--seeds 10] [--steady] [--iceberg] [--svg FILE]
 *
 * Iceberg is the architecture's own `place`, asked through the interface. Pages come in order, as programs touch
 * memory for the first time; each seed has other hash tables. The others hash with a random function.
 */
#include <getopt.h>
#include <stdio.h>

#include "mosaic/horizon.h"
#include "mosaic/theory.h"

#include "machine/settings.h"

#define CUCKOO_SLOTS 4
#define CUCKOO_MOVES 500 /* tried before an insertion counts as failed */

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
    uint64_t *taken = calloc(frames / 64 + 1, sizeof(*taken)), used = 0;

    for (;; used++) {
        const uint64_t at = hw_random(&seed) % frames;
        if (!taken || taken[at / 64] >> at % 64 & 1)
            break;
        taken[at / 64] |= 1ull << at % 64;
    }
    free(taken);
    return (double)used / (double)frames;
}

static double sets_of_8(uint64_t frames, uint64_t seed) {
    const uint64_t sets = frames / 8;
    uint8_t *n = calloc(sets, 1);
    uint64_t used = 0;

    for (;; used++) {
        const uint64_t at = hw_random(&seed) % sets;
        if (!n || n[at]++ == 8)
            break;
    }
    free(n);
    return (double)used / (double)frames;
}

/* Two buckets of four for each page; a full pair moves a random page to its other bucket, and so on. */
static double cuckoo(uint64_t frames, uint64_t seed, double *moves) {
    const uint64_t buckets = frames / CUCKOO_SLOTS;
    uint32_t(*slot)[CUCKOO_SLOTS] = calloc(buckets, sizeof(*slot)); /* the other bucket + 1; 0: free */
    uint64_t used = 0, moved = 0;

    for (bool fits = slot != NULL; fits; used += fits) {
        uint64_t at = hw_random(&seed) % buckets, other = hw_random(&seed) % buckets;
        fits = false;
        for (unsigned tries = 0; !fits && tries < CUCKOO_MOVES; tries++) {
            for (unsigned i = 0; i < 2 * CUCKOO_SLOTS && !fits; i++) {
                uint32_t *s = &slot[i < CUCKOO_SLOTS ? at : other][i % CUCKOO_SLOTS];
                if (*s)
                    continue;
                *s = (uint32_t)(i < CUCKOO_SLOTS ? other : at) + 1;
                fits = true;
            }
            if (fits)
                break;
            uint32_t *s = &slot[at][hw_random_below(&seed, CUCKOO_SLOTS)];
            const uint64_t away = *s - 1;
            *s = (uint32_t)other + 1;
            other = at;
            at = away;
            moved++;
        }
    }
    free(slot);
    *moves = used ? (double)moved / (double)used : 0;
    return (double)used / (double)frames;
}

/* ---- Iceberg ---- */

struct tails {
    double back[MOSAIC_BACK + 1], front[MOSAIC_FRONT + 1];
    unsigned n;
};

static void note_tails(struct memory *m, struct tails *t) {
    const uint64_t buckets = m->frames / MOSAIC_BUCKET_FRAMES;

    for (uint64_t b = 0; b < buckets; b++) {
        const uint64_t pfn = m->first + b * MOSAIC_BUCKET_FRAMES;
        const unsigned back = MOSAIC_BACK - memory_free_in(m, pfn + MOSAIC_FRONT, MOSAIC_BACK);
        const unsigned front = MOSAIC_FRONT - memory_free_in(m, pfn, MOSAIC_FRONT);
        for (unsigned i = 0; i <= back; i++)
            t->back[i] += 1.0 / (double)buckets;
        for (unsigned i = 0; i <= front; i++)
            t->front[i] += 1.0 / (double)buckets;
    }
    t->n++;
}

static int first_conflict(uint64_t bytes, uint64_t seed, struct figure *f, struct tails *t) {
    struct memory m;
    int err = memory_init(&m, bytes, seed);

    for (uint64_t page = 0; !err && memory_place(&m, page) != EMT_NO_PA; page++)
        ;
    if (!err) {
        note(f, (double)m.used / (double)m.frames);
        note_tails(&m, t);
    }
    memory_fini(&m);
    return err;
}

/* More rounds change nothing: at 101.5 % of memory it is 98.7 % after 3, 99.20 after 12, 99.20 after 40. */
#define ROUNDS 12

/* A program of so many times mosaic memory: all pages once in order, then random ones, as many as ROUNDS - 1 times
   the pages; the mean utilisation of the last round. */
static int steady(uint64_t bytes, uint64_t seed, double footprint, struct figure *first, struct figure *f) {
    struct memory m;
    struct horizon h = {0};
    int err = memory_init(&m, bytes, seed);
    const uint64_t pages = (uint64_t)(footprint * (double)m.frames);
    double sum = 0;
    bool conflict = false;

    err = err ? err : horizon_init(&h, &m, pages);
    for (uint64_t i = 0; !err && i < ROUNDS * pages; i++) {
        const uint64_t page = i < pages ? i : (hw_random(&seed) >> 32) * pages >> 32;
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
