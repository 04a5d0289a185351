/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A source of blocks from a workload: first its memory and threads are announced, then (init=1) every thread writes
 * its share of the regions, then the threads' loops take turns, a block each, until enough accesses were made.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "input/pool.h"
#include "input/synth/synth.h"

#define INIT_STORE_SHIFT 6 /* one 64-byte store a cache line */
#define INIT_LOOP        60
#define INIT_INSNS       4 /* store, add, cmp, jne */
#define IMAGE_FILE       1

enum phase { PHASE_ANNOUNCE, PHASE_INIT, PHASE_RUN, PHASE_DONE };

struct cursor {
    unsigned region;
    uint64_t line; /* absolute in the region; 0 with started == false: at the slice's start */
    bool own_done, started, done;
};

struct source {
    struct ev_source pub;
    struct synth *synth;
    struct block_pool *pool;
    enum phase phase;
    unsigned turn; /* thread of the next block */
    struct cursor init[SYNTH_THREADS_MAX];
    bool ended[SYNTH_THREADS_MAX];
    uint64_t made; /* accesses of the run phase so far */
    char *what;
};

static uint64_t *put_event(uint64_t *at, enum ev_event event, const uint64_t *operand) {
    unsigned n = ev_operand_count[event];

    *at++ = ev_event(event, n);
    memcpy(at, operand, n * sizeof(*at));
    return at + n;
}

static uint64_t *put_image(uint64_t *at) {
    uint64_t text = SYNTH_TEXT_BYTES, image = 0x1000 + text;

    at = put_event(at, EV_FILE, (uint64_t[]){IMAGE_FILE, image});
    at = put_event(at, EV_MMAP, (uint64_t[]){SYNTH_IMAGE, 0x1000, PROT_READ, MAP_PRIVATE, IMAGE_FILE, 0});
    at = put_event(at, EV_MMAP,
                   (uint64_t[]){SYNTH_TEXT, text, PROT_READ | PROT_EXEC, MAP_PRIVATE, IMAGE_FILE, 0x1000});
    return put_event(at, EV_STACK, (uint64_t[]){SYNTH_STACK, SYNTH_STACK_END});
}

static void announce(struct source *src, struct ev_block *block) {
    const struct synth *s = src->synth;
    uint64_t *at = put_image(block->word);

    for (unsigned i = 0; i < s->regions; i++) {
        const struct synth_region *r = &s->region[i];

        at = put_event(at, EV_MMAP,
                       (uint64_t[]){r->base, r->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0, 0});
        if (s->key[KEY_MADVISE].u)
            at = put_event(at, EV_MADVISE, (uint64_t[]){r->base, r->bytes, MADV_HUGEPAGE});
    }
    for (unsigned t = 1; t < s->threads; t++)
        at = put_event(at, EV_THREAD, (uint64_t[]){t});
    block->words = (uint32_t)(at - block->word);
}

/* One thread's stores to its share of all regions, as far as the block goes. */
static void fill_init(struct source *src, unsigned thread, struct synth_out *out) {
    const struct synth *s = src->synth;
    struct cursor *c = &src->init[thread];
    struct synth_out o;

    if (s->workload->init && !c->own_done)
        c->own_done = s->workload->init(src->synth, thread, out);
    else
        c->own_done = true;
    if (!c->own_done)
        return;
    o = *out;
    if (!s->key[KEY_INIT].u)
        c->region = s->regions;
    for (; c->region < s->regions; c->region++, c->started = false) {
        const struct synth_region *r = &s->region[c->region];
        uint64_t first, end;

        if (!r->init)
            continue;
        synth_slice(r->bytes / 4096, thread, s->threads, &first, &end);
        if (!c->started)
            c->line = first * (4096 >> INIT_STORE_SHIFT);
        c->started = true;
        end *= 4096 >> INIT_STORE_SHIFT;
        for (; c->line < end; c->line += s->key[KEY_INIT].u == 2 ? 4096 >> INIT_STORE_SHIFT : 1) {
            if (!out_room(&o, 3))
                goto full;
            out_fetch(&o, LOOP(INIT_LOOP), INIT_INSNS);
            out_store(&o, r->base + (c->line << INIT_STORE_SHIFT), INIT_STORE_SHIFT, LOOP(INIT_LOOP));
        }
    }
    c->done = true;
full:
    *out = o;
}

/* Keeps the first `accesses` of a block, each with what precedes it. */
static void cut(struct ev_block *block, uint64_t accesses) {
    uint32_t i = 0, end = 0;

    while (i < block->words && accesses) {
        uint64_t word = block->word[i++];

        if ((word & EV_KIND_MASK) <= EV_STORE) {
            i += (word & EV_HAS_PC) != 0;
            end = i;
            accesses--;
        }
    }
    block->words = end;
}

static void fill_run(struct source *src, unsigned thread, struct ev_block *block, struct synth_out *out) {
    struct synth *s = src->synth;
    uint64_t left;

    if (s->workload->fill(s, thread, out) == SYNTH_END)
        src->ended[thread] = true;
    block->words = (uint32_t)(out->at - block->word);
    left = s->key[KEY_ACCESSES].u - src->made;
    if (!s->once && out->accesses >= left) {
        cut(block, left);
        out->accesses = left;
        src->phase = PHASE_DONE;
    }
    src->made += out->accesses;
}

/* The phase after this one, when every thread is through with it. */
static void advance(struct source *src) {
    const struct synth *s = src->synth;
    bool all = true;

    if (src->phase == PHASE_INIT) {
        for (unsigned t = 0; t < s->threads; t++)
            all = all && src->init[t].done;
        if (all) {
            src->phase = PHASE_RUN;
            src->turn = 0;
        }
    } else if (src->phase == PHASE_RUN) {
        for (unsigned t = 0; t < s->threads; t++)
            all = all && src->ended[t];
        if (all)
            src->phase = PHASE_DONE;
    }
}

static int synth_next(struct ev_source *pub, const struct ev_block **out_block) {
    struct source *src = (struct source *)pub;
    struct ev_block *block = block_pool_get(src->pool);

    if (!block) {
        snprintf(pub->error, sizeof(pub->error), "%s: out of memory", pub->what);
        return -ENOMEM;
    }
    if (src->phase == PHASE_ANNOUNCE) {
        announce(src, block);
        src->phase = PHASE_INIT;
    }
    while (!block->words) {
        struct synth_out out = {block->word, block->word + EV_BLOCK_WORDS, 0, pub->want_pc ? EV_HAS_PC : 0};

        advance(src);
        if (src->phase == PHASE_DONE) {
            block_pool_put(src->pool, block);
            return 0;
        }
        block->thread = src->turn;
        src->turn = (src->turn + 1) % src->synth->threads;
        if (src->phase == PHASE_INIT) {
            fill_init(src, block->thread, &out);
            block->words = (uint32_t)(out.at - block->word);
        } else if (!src->ended[block->thread]) {
            fill_run(src, block->thread, block, &out);
        }
    }
    *out_block = block;
    return 1;
}

static void synth_release(struct ev_source *pub, const struct ev_block *block) {
    block_pool_put(((struct source *)pub)->pool, block);
}

static void synth_close(struct ev_source *pub) {
    struct source *src = (struct source *)pub;

    block_pool_free(src->pool);
    synth_free(src->synth);
    free(src->what);
    free(src);
}

/* Of the run phase: the init phase counts as nothing done. */
static double synth_progress(const struct ev_source *pub) {
    const struct source *src = (const struct source *)pub;

    if (src->synth->once)
        return -1;
    return (double)src->made / (double)src->synth->key[KEY_ACCESSES].u;
}

int synth_source(struct ev_source **out, struct synth *s, const char *spec, char *why, size_t bytes) {
    struct source *src = calloc(1, sizeof(*src));

    if (src) {
        src->pool = block_pool_new();
        src->what = strdup(spec);
    }
    if (!src || !src->pool || !src->what) {
        if (src) {
            block_pool_free(src->pool);
            free(src->what);
        }
        free(src);
        snprintf(why, bytes, "workload %s: out of memory", spec);
        return -ENOMEM;
    }
    src->synth = s;
    src->pub = (struct ev_source){.next = synth_next,
                                  .release = synth_release,
                                  .close = synth_close,
                                  .progress = synth_progress,
                                  .what = src->what};
    *out = &src->pub;
    return 0;
}
