/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed words become plain ones: the difference between two counts of retired instructions is told by fetch words
 * in front of the second one's load or store.
 */
#include "input/live/packed.h"

#include <errno.h>
#include <stdlib.h>

#define ITEM_WORDS 16 /* of the longest item: an event and its operands */

struct unpacked_thread {
    uint64_t page;    /* from which it is fetched; 0: not known yet */
    uint64_t pending; /* instructions that no fetch word has told yet */
};

struct unpacker {
    struct unpacked_thread *thread; /* by number */
    uint32_t threads;
    const struct ev_block *in;
    uint32_t at; /* next word */
    uint64_t retired;
    bool counted; /* the word's instructions are in `pending` */
};

struct unpacker *unpacker_new(void) {
    return calloc(1, sizeof(struct unpacker));
}

void unpacker_free(struct unpacker *u) {
    if (u)
        free(u->thread);
    free(u);
}

int unpacker_begin(struct unpacker *u, const struct ev_block *packed) {
    if (packed->thread >= u->threads) {
        uint32_t n = packed->thread + 64;
        struct unpacked_thread *thread = realloc(u->thread, n * sizeof(*thread));
        if (!thread)
            return -ENOMEM;
        for (uint32_t i = u->threads; i < n; i++)
            thread[i] = (struct unpacked_thread){0};
        u->thread = thread;
        u->threads = n;
    }
    u->in = packed;
    u->at = 0;
    u->retired = packed->retired_from;
    u->counted = false;
    return 0;
}

static uint32_t item_words(uint64_t word) {
    unsigned kind = word & EV_KIND_MASK;
    return kind == EV_EVENT ? 1 + ev_operands(word) : kind == EV_FETCH ? 1 : 1 + ((word & EV_HAS_PC) != 0);
}

/* Tell of the pending instructions; false: no room for all. */
static bool tell_fetches(struct unpacked_thread *t, struct ev_block *out) {
    while (t->pending && t->page) {
        uint64_t n = t->pending < EV_FETCH_MAX ? t->pending : EV_FETCH_MAX;
        if (out->words >= EV_BLOCK_WORDS)
            return false;
        out->word[out->words++] = ev_fetch(t->page, (unsigned)n);
        t->pending -= n;
    }
    return true;
}

static void tell_access(uint64_t word, const uint64_t *pc, struct ev_block *out) {
    const uint64_t same = EV_KIND_MASK | 7u << EV_SIZE_SHIFT | EV_HAS_PC;
    out->word[out->words++] = ev_packed_address(word) << EV_ADDRESS_SHIFT | (word & same);
    if (word & EV_HAS_PC)
        out->word[out->words++] = *pc;
}

/* Instructions up to this point of the block. */
static void count(struct unpacker *u, struct unpacked_thread *t, uint64_t instructions) {
    if (!u->counted) {
        u->retired += instructions;
        t->pending += instructions;
    }
    u->counted = true;
}

bool unpacker_next(struct unpacker *u, struct ev_block *out) {
    const struct ev_block *in = u->in;
    struct unpacked_thread *t = &u->thread[in->thread];
    out->process = in->process;
    out->thread = in->thread;
    out->words = 0;
    while (u->at < in->words && out->words + ITEM_WORDS <= EV_BLOCK_WORDS) {
        uint64_t word = in->word[u->at];
        unsigned kind = word & EV_KIND_MASK;
        uint32_t n = item_words(word);
        if (n > in->words - u->at)
            n = in->words - u->at; /* cut in two by the end of its process: the reader says so */
        if (kind == EV_FETCH) {
            t->page = ev_packed_address(word);
        } else if (kind == EV_EVENT) {
            for (uint32_t i = 0; i < n; i++)
                out->word[out->words++] = in->word[u->at + i];
        } else {
            count(u, t, ev_retired_since(word, u->retired));
            if (!tell_fetches(t, out) || out->words + ITEM_WORDS > EV_BLOCK_WORDS)
                return true;
            tell_access(word, &in->word[u->at + n - 1], out);
        }
        u->counted = false;
        u->at += n;
    }
    if (u->at >= in->words && in->retired_to >= u->retired) {
        count(u, t, in->retired_to - u->retired);
        tell_fetches(t, out);
    }
    return out->words > 0;
}

uint64_t packed_retired(const struct ev_block *b) {
    uint64_t retired = b->retired_from;
    for (uint32_t i = 0; i < b->words; i += item_words(b->word[i]))
        if ((b->word[i] & EV_KIND_MASK) <= EV_STORE)
            retired += ev_retired_since(b->word[i], retired);
    return retired;
}
