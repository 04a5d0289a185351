/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How frames are kept, for frames*.c and fragment.c alone. Memory is cut into pieces, aligned powers of two of
 * frames, free or allocated; each piece has one 16-byte record, found by the way below, depending on how its 2 MiB
 * block is used.
 *
 *   pfn >> 9                       whole: the record of a free or allocated 2 or 4 MiB piece
 *      |                         /
 *      v                        /    split: free[512 bits]   this frame is free
 *   block[]  24 bytes each  ---+----------> head[512 bits]   a piece begins here
 *   (untouched ones cost nothing)           first[8]         records of frames 0, 64, 128, ...
 *                                           group[8] ------> 63 records: the other frames of these 64
 *
 * A group exists only where 64 frames are cut into pieces smaller than order 6. So a block that is full of single
 * frames costs 16.4 bytes a frame, and one with a single hole 1.3 KiB rather than 8: fragmented terabytes stay
 * cheap.
 *
 * Blocks come in pairs (4 MiB, order 10). A pair that was never touched has state BLOCK_FRESH (zero) and counts as
 * a free piece of order 10 at the very end of the movable list; nothing is initialised for it.
 */
#ifndef EMT_OS_FRAMES_PRIVATE_H
#define EMT_OS_FRAMES_PRIVATE_H

#include <assert.h>

#include "os/contig.h"
#include "os/frames.h"

#define BLOCK_FRAMES  512u
#define PAIR_FRAMES   1024u
#define GROUP_FRAMES  64u
#define GROUP_ORDER   6u
#define GROUPS        (BLOCK_FRAMES / GROUP_FRAMES)
#define ORDERS        (FRAMES_MAX_ORDER + 1)
#define REGION_BLOCKS 1024u        /* granule in which we remember where any block was touched: 2 GiB */
#define MAX_FRAMES    (1ull << 34) /* 64 TiB */

/* What is known of a piece, at its first frame. A free one holds the links of its list instead of owner and maps;
   both are pfn + 1, 0: none. */
union record {
    struct frame frame;
    struct {
        uint64_t next;
        uint32_t prev_low;
        uint16_t prev_high;
        uint8_t use; /* OS_USE_FREE */
        uint8_t order;
    } link;
};
_Static_assert(sizeof(union record) == sizeof(struct frame), "links must fit into a record");

enum block_state {
    BLOCK_FRESH, /* never touched; free */
    BLOCK_FREE,  /* first block of a free piece of order 9 or 10 */
    BLOCK_USED,  /* first block of an allocated one */
    BLOCK_TAIL,  /* second block of a piece of order 10 */
    BLOCK_SPLIT, /* made of smaller pieces */
};

struct block {
    union {
        union record whole; /* BLOCK_FREE, BLOCK_USED */
        uint32_t split;     /* BLOCK_SPLIT: number in the pool */
    };
    uint16_t nfree; /* BLOCK_SPLIT: free frames */
    uint8_t state;
    uint8_t mobility; /* all free pieces in it are on lists of this mobility */
    uint8_t node;
};
_Static_assert(sizeof(struct block) <= 32, "one for each 2 MiB of 64 TiB");

struct split {
    uint64_t free[GROUPS], head[GROUPS];
    union record first[GROUPS];
    uint32_t group[GROUPS];
};

struct group {
    union record rec[GROUP_FRAMES - 1];
};

/* Equal items in one sparse mapping; those given back are used again first. */
struct pool {
    uint8_t *base;
    size_t item_bytes, bytes;
    uint32_t used;  /* items ever taken: the mapping is touched up to here */
    uint32_t nfree; /* of them, given back */
    uint32_t free;  /* number + 1 of the first one given back, linked through their first word */
};

struct list {
    uint64_t first, last; /* pfn + 1 */
    uint64_t count;
};

struct node {
    struct list list[FRAME_MOBILITIES][ORDERS];
    uint32_t avail[FRAME_MOBILITIES]; /* bit o: list o is not empty */
    uint64_t next_fresh;              /* no fresh block of the node lies before this one */
    uint64_t fresh_pairs;
    uint64_t free; /* frames */
};

struct frames {
    uint64_t total, node_frames;
    unsigned nodes;
    struct node node[CFG_NODES];
    struct block *block;
    size_t block_bytes;
    uint8_t *touched; /* for each region */
    struct pool splits, groups;
    struct contig *contig[CFG_NODES]; /* NULL: nobody asked for the map */
};

static inline struct block *block_of(const struct frames *f, uint64_t pfn) {
    return &f->block[pfn / BLOCK_FRAMES];
}

static inline struct split *split_of(const struct frames *f, const struct block *b) {
    return (struct split *)(void *)(f->splits.base + (size_t)b->split * sizeof(struct split));
}

static inline union record *split_record(const struct frames *f, struct split *s, unsigned i) {
    unsigned g = i / GROUP_FRAMES, r = i % GROUP_FRAMES;
    if (r == 0)
        return &s->first[g];
    struct group *group = (struct group *)(void *)(f->groups.base + (size_t)s->group[g] * sizeof(struct group));
    return &group->rec[r - 1];
}

/* Of the piece that begins at pfn. */
static inline union record *record_of(const struct frames *f, uint64_t pfn) {
    struct block *b = block_of(f, pfn);
    return b->state == BLOCK_SPLIT ? split_record(f, split_of(f, b), pfn % BLOCK_FRAMES) : &b->whole;
}

static inline bool bit_get(const uint64_t *bits, unsigned i) {
    return bits[i / 64] >> i % 64 & 1;
}

static inline uint64_t link_prev(const union record *r) {
    return r->link.prev_low | (uint64_t)r->link.prev_high << 32;
}

/* Of a split block: is [i, i + 2^order) one free piece? */
static inline bool piece_is_free(const struct frames *f, struct split *s, unsigned i, unsigned order) {
    return bit_get(s->free, i) && bit_get(s->head, i) && split_record(f, s, i)->link.order == order;
}

/* A block of the largest order is free now, or is not any more. */
static inline void contig_note(struct frames *f, uint64_t pfn, bool free) {
    uint64_t node = pfn / f->node_frames;

    if (__builtin_expect(f->contig[node] != NULL, 0))
        contig_set(f->contig[node], (pfn - node * f->node_frames) / PAIR_FRAMES, free);
}

/* Is pfn the first frame of an allocation? */
static inline bool is_allocation(const struct frames *f, uint64_t pfn) {
    if (pfn >= f->total)
        return false;
    const struct block *b = block_of(f, pfn);
    if (b->state != BLOCK_SPLIT)
        return b->state == BLOCK_USED && pfn % BLOCK_FRAMES == 0;
    const struct split *s = split_of(f, b);
    return bit_get(s->head, pfn % BLOCK_FRAMES) && !bit_get(s->free, pfn % BLOCK_FRAMES);
}

/* First frame, within its block, of the piece that holds frame i. */
static inline unsigned piece_head(const struct split *s, unsigned i) {
    unsigned w = i / 64;
    uint64_t bits = s->head[w] & (~0ull >> (63 - i % 64));
    while (!bits)
        bits = s->head[--w]; /* bit 0 is always set */
    return w * 64 + 63 - (unsigned)__builtin_clzll(bits);
}

/* Order of the free piece that holds pfn, and its first frame; -1: pfn is not free. */
static inline int free_piece(const struct frames *f, uint64_t pfn, uint64_t *piece) {
    const struct block *b = block_of(f, pfn);
    unsigned i = pfn % BLOCK_FRAMES;

    *piece = pfn - i;
    switch (b->state) {
    case BLOCK_FRESH:
        *piece = pfn - pfn % PAIR_FRAMES;
        return FRAMES_MAX_ORDER;
    case BLOCK_FREE:
        return b->whole.link.order;
    case BLOCK_TAIL:
        *piece -= BLOCK_FRAMES;
        return b[-1].state == BLOCK_FREE ? (int)FRAMES_MAX_ORDER : -1;
    case BLOCK_SPLIT: {
        struct split *s = split_of(f, b);

        if (!bit_get(s->free, i))
            return -1;
        i = piece_head(s, i);
        *piece += i;
        return split_record(f, s, i)->link.order;
    }
    default:
        return -1;
    }
}

/* The next touched block at or after `b`; the number of blocks when there is none. */
static inline uint64_t next_touched(const struct frames *f, uint64_t b) {
    uint64_t blocks = f->total / BLOCK_FRAMES;
    while (b < blocks) {
        if (!f->touched[b / REGION_BLOCKS])
            b = (b / REGION_BLOCKS + 1) * REGION_BLOCKS;
        else if (f->block[b].state == BLOCK_FRESH)
            b++;
        else
            return b;
    }
    return blocks;
}

#endif
