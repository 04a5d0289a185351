/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory that has been up for long: single frames stay allocated in 2 MiB blocks that are otherwise free, so that
 * no huge page can be had from these. They stand for what compaction cannot move (pinned pages, kernel objects that
 * ended up in movable page blocks): their page blocks stay movable and 4 KiB pages go into the holes.
 *
 * Wholly free blocks are visited in a random order (memory.fragment_bytes: aligned pieces of so many bytes are, and
 * within one its blocks in order: free memory between the pieces stays whole, as where a system groups what cannot
 * move), which also shuffles the free lists, as age does. Each gets 1,
 * 2, 4, 8 or 16 frames with probability 1/2, 1/4, ... 1/32, or 32 with the last 1/32, at random places: 3.5 on
 * average, and free runs of every length (assumed; measured distributions vary from machine to machine). With k of
 * N blocks visited and h frames taken in each, the unusable free space index at order 9 is
 *
 *                   k (512 - h)
 *        -------------------------------        and we stop as soon as it is nearest to what was asked for:
 *        k (512 - h)  +  (N - k) 512            within 1/2N, that is 0.01 from 100 MiB on.
 */
#include "os/frames_private.h"

/* splitmix64 (S. Vigna) */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* A permutation of [0, 2^bits): multiplications by odd numbers and shifts down are one-to-one. */
static uint64_t shuffle(uint64_t x, unsigned bits, const uint64_t key[3]) {
    uint64_t mask = (1ull << bits) - 1;
    for (unsigned i = 0; i < 3; i++) {
        x = (x * (key[i] | 1) + (key[i] >> 32)) & mask;
        x ^= x >> (bits / 2 + 1);
    }
    return x;
}

static unsigned draw_holes(uint64_t *state) {
    unsigned zeros = (unsigned)__builtin_ctzll(next_random(state) | 1u << 5);
    return 1u << zeros;
}

/* Occupy n frames of a free block, at different places. */
static void poke(struct frames *f, uint64_t base, unsigned n, uint64_t *state) {
    while (n) {
        uint64_t pfn = base + next_random(state) % BLOCK_FRAMES;
        if (frames_alloc_at(f, pfn, 0, FRAME_MOVABLE, OS_USE_OCCUPIED) != FRAME_NONE)
            n--;
    }
}

double frames_fragment(struct frames *f, double degree, double occupied, uint64_t piece_bytes, uint64_t seed) {
    uint64_t state = seed, key[3], blocks = f->total / BLOCK_FRAMES, count[ORDERS];
    uint64_t piece = piece_bytes / EMT_PAGE_BYTES / BLOCK_FRAMES; /* in blocks */
    unsigned bits = 1;
    piece = piece ? piece : 1;
    while (1ull << bits < (blocks + piece - 1) / piece)
        bits++;
    for (unsigned i = 0; i < 3; i++)
        key[i] = next_random(&state);

    frames_free_blocks(f, count);
    uint64_t usable = count[9] * BLOCK_FRAMES + count[10] * PAIR_FRAMES, left = 0;
    if (occupied > 0)
        left = (uint64_t)((occupied < 1 ? occupied : 1) * (double)f->total);
    for (uint64_t i = 0; i < (1ull << bits) * piece && usable && left; i++) {
        /* What one more block would add is at most BLOCK_FRAMES; half of that decides which side is nearer. */
        double free = (double)frames_free_total(f), want = degree * free;
        double unusable = free - (double)usable;
        if (unusable + BLOCK_FRAMES / 2.0 > want)
            break;
        uint64_t b = shuffle(i / piece, bits, key) * piece + i % piece;
        if (b >= blocks || frames_free_in(f, b * BLOCK_FRAMES, BLOCK_FRAMES) != BLOCK_FRAMES)
            continue;
        /* Keep a frame for each block yet to come: better fewer holes than a lower degree. */
        uint64_t later = (uint64_t)((want - unusable) / BLOCK_FRAMES);
        unsigned holes = draw_holes(&state);
        if (holes + later > left)
            holes = later < left ? (unsigned)(left - later) : 1;
        poke(f, b * BLOCK_FRAMES, holes, &state);
        left -= holes;
        usable -= BLOCK_FRAMES;
    }
    return frames_fragmentation(f, FRAMES_HUGE_ORDER);
}
