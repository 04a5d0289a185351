/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Looking at physical memory without changing it: records, what is free, a picture of it all, and the check of
 * every invariant. Walks over memory skip 2 GiB regions that were never touched.
 */
#include "os/frames_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct frame *frames_of(const struct frames *f, uint64_t pfn) {
    return is_allocation(f, pfn) ? &record_of(f, pfn)->frame : NULL;
}

uint64_t frames_head(const struct frames *f, uint64_t pfn) {
    if (pfn >= f->total)
        return FRAME_NONE;
    const struct block *b = block_of(f, pfn);
    uint64_t base = pfn - pfn % BLOCK_FRAMES;
    if (b->state == BLOCK_SPLIT)
        base += piece_head(split_of(f, b), pfn % BLOCK_FRAMES);
    else if (b->state == BLOCK_TAIL)
        base -= BLOCK_FRAMES;
    return is_allocation(f, base) ? base : FRAME_NONE;
}

/* Free frames among [i, end) of a block. */
static unsigned block_free_in(const struct frames *f, const struct block *b, unsigned i, unsigned end) {
    switch (b->state) {
    case BLOCK_USED:
        return 0;
    case BLOCK_TAIL:
        return b[-1].state == BLOCK_FREE ? end - i : 0;
    case BLOCK_SPLIT:
        break;
    default:
        return end - i;
    }
    if (end - i == BLOCK_FRAMES)
        return b->nfree;
    const uint64_t *bits = split_of(f, b)->free;
    unsigned n = 0;
    while (i < end) {
        unsigned stop = i / 64 * 64 + 64 < end ? i / 64 * 64 + 64 : end;
        uint64_t mask = ~0ull >> (64 - (stop - i)) << i % 64;
        n += (unsigned)__builtin_popcountll(bits[i / 64] & mask);
        i = stop;
    }
    return n;
}

unsigned frames_free_in(const struct frames *f, uint64_t pfn, unsigned n) {
    unsigned found = 0;
    uint64_t end = pfn + n < f->total ? pfn + n : f->total;
    while (pfn < end) {
        unsigned i = pfn % BLOCK_FRAMES;
        unsigned stop = end - pfn < BLOCK_FRAMES - i ? i + (unsigned)(end - pfn) : BLOCK_FRAMES;
        found += block_free_in(f, block_of(f, pfn), i, stop);
        pfn += stop - i;
    }
    return found;
}

uint64_t frames_free_total(const struct frames *f) {
    uint64_t n = 0;
    for (unsigned i = 0; i < f->nodes; i++)
        n += f->node[i].free;
    return n;
}

uint64_t frames_total(const struct frames *f) {
    return f->total;
}

int frames_node(const struct frames *f, uint64_t pfn) {
    return (int)(pfn / f->node_frames);
}

/* Free runs that end within a split block go to `each`; returns what runs on beyond its end. */
static bool split_clusters(const struct split *s, bool (*each)(void *ctx, uint64_t frames), void *ctx,
                           uint64_t *run) {
    for (unsigned i = 0; i < BLOCK_FRAMES;) {
        uint64_t bits = s->free[i / 64] >> i % 64;
        unsigned left = 64 - i % 64, n;

        if (bits & 1) {
            n = ~bits ? (unsigned)__builtin_ctzll(~bits) : left;
            n = n < left ? n : left;
            *run += n;
        } else {
            if (*run && !each(ctx, *run))
                return false;
            *run = 0;
            n = bits ? (unsigned)__builtin_ctzll(bits) : left;
        }
        i += n;
    }
    return true;
}

bool frames_clusters(const struct frames *f, bool (*each)(void *ctx, uint64_t frames), void *ctx) {
    uint64_t blocks = f->total / BLOCK_FRAMES, run = 0, b = 0;

    while (b < blocks) {
        uint64_t touched = next_touched(f, b);

        run += (touched - b) * BLOCK_FRAMES; /* fresh */
        b = touched;
        if (b == blocks)
            break;
        if (f->block[b].state == BLOCK_SPLIT) {
            if (!split_clusters(split_of(f, &f->block[b]), each, ctx, &run))
                return false;
        } else if (block_free_in(f, &f->block[b], 0, BLOCK_FRAMES)) {
            run += BLOCK_FRAMES;
        } else if (run) {
            if (!each(ctx, run))
                return false;
            run = 0;
        }
        b++;
    }
    return !run || each(ctx, run);
}

uint64_t frames_node_start(const struct frames *f, int node) {
    return (uint64_t)node * f->node_frames;
}

uint64_t frames_node_frames(const struct frames *f) {
    return f->node_frames;
}

int frames_free_order(const struct frames *f, uint64_t pfn) {
    uint64_t piece;

    return pfn < f->total ? free_piece(f, pfn, &piece) : -1;
}

/* The lowest aligned run of free blocks of order 10, by the contiguity map. */
static uint64_t peek_large(const struct frames *f, unsigned order, int node) {
    const struct contig *map = frames_contig_of(f, node);
    uint64_t start = frames_node_start(f, node), frames = 1ull << order, block = 0, blocks;

    for (; map && contig_next(map, block, &block, &blocks); block += blocks) {
        uint64_t pfn = (start + block * PAIR_FRAMES + frames - 1) & ~(frames - 1);
        if (pfn + frames <= start + (block + blocks) * PAIR_FRAMES)
            return pfn;
    }
    return FRAME_NONE;
}

uint64_t frames_peek(const struct frames *f, unsigned order, int node) {
    const struct node *n = &f->node[node];

    if (order > FRAMES_MAX_ORDER)
        return peek_large(f, order, node);
    for (unsigned o = order; o <= FRAMES_MAX_ORDER; o++)
        if (n->list[FRAME_MOVABLE][o].first)
            return n->list[FRAME_MOVABLE][o].first - 1;
    uint64_t b = n->next_fresh;
    if (!n->fresh_pairs)
        return FRAME_NONE;
    while (f->block[b].state != BLOCK_FRESH)
        b += 2;
    return b * BLOCK_FRAMES;
}

void frames_free_blocks(const struct frames *f, uint64_t count[FRAMES_MAX_ORDER + 1]) {
    for (unsigned o = 0; o < ORDERS; o++) {
        count[o] = 0;
        for (unsigned n = 0; n < f->nodes; n++) {
            for (unsigned m = 0; m < FRAME_MOBILITIES; m++)
                count[o] += f->node[n].list[m][o].count;
            if (o == FRAMES_MAX_ORDER)
                count[o] += f->node[n].fresh_pairs;
        }
    }
}

double frames_fragmentation(const struct frames *f, unsigned order) {
    uint64_t count[ORDERS], usable = 0, free = frames_free_total(f);
    frames_free_blocks(f, count);
    for (unsigned o = order; o < ORDERS; o++)
        usable += count[o] << o;
    return free ? (double)(free - usable) / (double)free : 1;
}

/* ---- the picture ---- */

struct painter {
    struct os_cell *cells;
    unsigned n, cell;
    uint64_t total, end; /* frames; end of the current cell */
};

static uint64_t cell_end(const struct painter *p, unsigned cell) {
    return p->total * (cell + 1) / p->n;
}

/* Frames [pfn, pfn + count) were free in the picture and have `use` now; calls come in ascending order. */
static void paint(struct painter *p, uint64_t pfn, uint64_t count, unsigned use) {
    while (count) {
        while (pfn >= p->end)
            p->end = cell_end(p, ++p->cell);
        uint64_t here = count < p->end - pfn ? count : p->end - pfn;
        p->cells[p->cell].bytes[OS_USE_FREE] -= here * EMT_PAGE_BYTES;
        p->cells[p->cell].bytes[use] += here * EMT_PAGE_BYTES;
        pfn += here;
        count -= here;
    }
}

void frames_map(const struct frames *f, struct os_cell *cells, unsigned n) {
    if (!n)
        return;
    struct painter p = {.cells = cells, .n = n, .total = f->total};
    for (unsigned c = 0; c < n; c++) {
        uint64_t start = c ? cell_end(&p, c - 1) : 0;
        cells[c] = (struct os_cell){.bytes[OS_USE_FREE] = (cell_end(&p, c) - start) * EMT_PAGE_BYTES};
    }
    p.end = cell_end(&p, 0);
    uint64_t blocks = f->total / BLOCK_FRAMES;
    for (uint64_t b = next_touched(f, 0); b < blocks; b = next_touched(f, b + 1)) {
        const struct block *block = &f->block[b];
        if (block->state == BLOCK_USED)
            paint(&p, b * BLOCK_FRAMES, 1u << block->whole.frame.order, block->whole.frame.use);
        if (block->state != BLOCK_SPLIT)
            continue;
        struct split *s = split_of(f, block);
        for (unsigned g = 0; g < GROUPS; g++) {
            for (uint64_t bits = s->head[g] & ~s->free[g]; bits; bits &= bits - 1) {
                unsigned i = g * 64 + (unsigned)__builtin_ctzll(bits);
                const struct frame *r = &split_record(f, s, i)->frame;
                paint(&p, b * BLOCK_FRAMES + i, 1u << r->order, r->use);
            }
        }
    }
}

/* ---- the check ---- */

__attribute__((format(printf, 1, 2))) static int broken(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "emt: frames: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    return -EINVAL;
}

typedef unsigned long long ull;

/* What a walk over all blocks finds, to be compared with lists and counts. */
struct census {
    uint64_t pieces[CFG_NODES][FRAME_MOBILITIES][ORDERS];
    uint64_t free[CFG_NODES], touched_pairs[CFG_NODES];
    uint64_t splits, groups;
};

static void count_free(struct census *c, const struct block *b, unsigned order) {
    c->pieces[b->node][b->mobility][order]++;
    c->free[b->node] += 1u << order;
}

/* The pieces of a split block tile it; free bits agree with them; free buddies are joined. */
static int verify_split(const struct frames *f, uint64_t block, struct census *c) {
    const struct block *b = &f->block[block];
    struct split *s = split_of(f, b);
    unsigned nfree = 0;
    c->splits++;
    for (unsigned i = 0; i < BLOCK_FRAMES;) {
        ull pfn = block * BLOCK_FRAMES + i;
        if (!bit_get(s->head, i))
            return broken("frame %llu belongs to no piece", pfn);
        const union record *r = split_record(f, s, i);
        unsigned order = r->frame.order, size = 1u << order;
        bool free = bit_get(s->free, i);
        if (order >= FRAMES_HUGE_ORDER || i % size)
            return broken("frame %llu has order %u", pfn, order);
        if (free != (r->frame.use == OS_USE_FREE))
            return broken("frame %llu: use %u, but its bit says %s", pfn, r->frame.use, free ? "free" : "used");
        for (unsigned k = 0; k < size; k++)
            if (bit_get(s->free, i + k) != free || (k && bit_get(s->head, i + k)))
                return broken("frame %llu disagrees with its piece at %llu", pfn + k, pfn);
        if (free && (i ^ size) > i && bit_get(s->head, i ^ size) && bit_get(s->free, i ^ size) &&
            split_record(f, s, i ^ size)->link.order == order)
            return broken("frames %llu and %llu, order %u, are free and apart", pfn, pfn + size, order);
        if (free) {
            count_free(c, b, order);
            nfree += size;
        }
        c->groups += i % GROUP_FRAMES == 0 && order < GROUP_ORDER;
        i += size;
    }
    return nfree == b->nfree ? 0 : broken("block %llu has %u free frames, not %u", (ull)block, nfree, b->nfree);
}

static int verify_block(const struct frames *f, uint64_t block, struct census *c) {
    const struct block *b = &f->block[block], *buddy = &f->block[block ^ 1];
    unsigned order = b->whole.frame.order;
    if (b->node != block * BLOCK_FRAMES / f->node_frames || b->mobility >= FRAME_MOBILITIES)
        return broken("block %llu has node %u and mobility %u", (ull)block, b->node, b->mobility);
    if (buddy->state == BLOCK_FRESH)
        return broken("block %llu is touched, its buddy is not", (ull)block);
    c->touched_pairs[b->node] += block % 2 == 0;
    if (b->state == BLOCK_SPLIT)
        return verify_split(f, block, c);
    if (b->state == BLOCK_TAIL) {
        bool whole = block % 2 && (buddy->state == BLOCK_FREE || buddy->state == BLOCK_USED) &&
                     buddy->whole.frame.order == FRAMES_MAX_ORDER;
        return whole ? 0 : broken("block %llu is the tail of nothing", (ull)block);
    }
    if (order != FRAMES_HUGE_ORDER && (order != FRAMES_MAX_ORDER || buddy->state != BLOCK_TAIL || block % 2))
        return broken("block %llu has order %u", (ull)block, order);
    if (b->state == BLOCK_USED)
        return b->whole.frame.use != OS_USE_FREE ? 0 : broken("block %llu is in use as free", (ull)block);
    if (order == FRAMES_HUGE_ORDER && buddy->state == BLOCK_FREE)
        return broken("block %llu and its buddy are free and apart", (ull)block);
    if (order == FRAMES_MAX_ORDER && buddy->mobility != b->mobility)
        return broken("free blocks %llu and %llu differ in mobility", (ull)block, (ull)block + 1);
    count_free(c, b, order);
    return 0;
}

static int verify_list(const struct frames *f, unsigned node, unsigned m, unsigned order, const struct census *c) {
    const struct list *l = &f->node[node].list[m][order];
    uint64_t n = 0, prev = 0;
    for (uint64_t link = l->first; link; n++) {
        ull pfn = link - 1;
        if (pfn >= f->total || n >= l->count)
            return broken("list %u.%u.%u runs astray at %llu", node, m, order, pfn);
        const struct block *b = block_of(f, pfn);
        const union record *r = record_of(f, pfn);
        if (b->node != node || b->mobility != m || r->link.order != order ||
            frames_free_in(f, pfn, 1u << order) != 1u << order)
            return broken("frame %llu is on list %u.%u.%u by mistake", pfn, node, m, order);
        if ((r->link.prev_low | (uint64_t)r->link.prev_high << 32) != prev)
            return broken("frame %llu does not link back", pfn);
        prev = link;
        link = r->link.next;
    }
    if (n != l->count || l->last != prev || n != c->pieces[node][m][order])
        return broken("list %u.%u.%u has %llu pieces, should have %llu, and there are %llu", node, m, order, (ull)n,
                      (ull)l->count, (ull)c->pieces[node][m][order]);
    if ((f->node[node].avail[m] >> order & 1) != (n != 0))
        return broken("list %u.%u.%u has %llu pieces, but is marked otherwise", node, m, order, (ull)n);
    return 0;
}

static int verify_counts(const struct frames *f, const struct census *c) {
    for (unsigned n = 0; n < f->nodes; n++) {
        const struct node *node = &f->node[n];
        if (node->fresh_pairs + c->touched_pairs[n] != f->node_frames / PAIR_FRAMES)
            return broken("node %u: %llu fresh pairs and %llu touched ones", n, (ull)node->fresh_pairs,
                          (ull)c->touched_pairs[n]);
        uint64_t free = c->free[n] + node->fresh_pairs * PAIR_FRAMES;
        if (node->free != free)
            return broken("node %u has %llu free frames, not %llu", n, (ull)free, (ull)node->free);
        for (uint64_t b = n * f->node_frames / BLOCK_FRAMES; b < node->next_fresh; b++)
            if (f->block[b].state == BLOCK_FRESH)
                return broken("node %u: block %llu was passed over", n, (ull)b);
    }
    if (c->splits != f->splits.used - f->splits.nfree || c->groups != f->groups.used - f->groups.nfree)
        return broken("%llu split blocks and %llu groups are in use, but %u and %u are taken", (ull)c->splits,
                      (ull)c->groups, f->splits.used - f->splits.nfree, f->groups.used - f->groups.nfree);
    return 0;
}

/* The contiguity map has exactly the free blocks of order 10, in clusters that do not touch. */
static int verify_contig(const struct frames *f, unsigned n) {
    const struct contig *map = f->contig[n];
    uint64_t start = frames_node_start(f, (int)n), pairs = f->node_frames / PAIR_FRAMES, block = pairs, blocks = 0;

    if (!map)
        return 0;
    for (uint64_t i = 0; i < pairs; i++) {
        if (i == 0 || i > block + blocks)
            if (!contig_next(map, i, &block, &blocks))
                block = pairs, blocks = 0;
        bool free = frames_free_order(f, start + i * PAIR_FRAMES) == (int)FRAMES_MAX_ORDER;
        if (free != (i >= block && i < block + blocks))
            return broken("node %u: the contiguity map is wrong about block %llu", n, (ull)i);
    }
    return 0;
}

int frames_verify(const struct frames *f) {
    struct census *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    int err = 0;
    uint64_t blocks = f->total / BLOCK_FRAMES;
    for (uint64_t b = next_touched(f, 0); b < blocks && !err; b = next_touched(f, b + 1))
        err = verify_block(f, b, c);
    for (unsigned n = 0; n < f->nodes; n++)
        for (unsigned m = 0; m < FRAME_MOBILITIES; m++)
            for (unsigned o = 0; o < ORDERS && !err; o++)
                err = verify_list(f, n, m, o, c);
    if (!err)
        err = verify_counts(f, c);
    for (unsigned n = 0; n < f->nodes && !err; n++)
        err = verify_contig(f, n);
    free(c);
    return err;
}
