/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The buddy allocator (K. Knowlton, CACM 1965): allocate, free, split. A piece of 2^k frames is cut in halves until
 * it has the size asked for, and a freed piece joins its other half ("buddy", whose address differs in bit k)
 * whenever that is free as a whole, up to order 10. Which free piece is taken follows Linux:
 *
 *  - Lists are last in, first out; a freed piece goes to the end instead when the buddy of the piece it would
 *    next become part of is free, for it had better wait there for the rest. Memory never used before comes last
 * and in ascending order: a fresh machine gives out ascending frames. Linux's per-CPU lists in front are not
 * modelled.
 *  - Each 2 MiB page block is movable (all are, at first) or unmovable, and its free pieces are on lists of that
 * kind. When the lists of one kind are empty, we look through those of the other, largest piece first: a piece of 2
 * MiB or more changes sides with its page blocks; a page block at least half of which is free changes sides with
 * all free pieces in it. Movable requests try this only with pieces of 64 KiB or more. When no block changes sides,
 * one piece is taken from it, the smallest that will do. So tables lie close together. (Linux also counts allocated
 * pages of the wanted kind towards the half; we have no such count.)
 *  - Nodes: the preferred one first, with both kinds, then the others by distance, of two equally far the lower.
 */
#include "os/frames_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- pools ---- */

static void *map_sparse(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static int pool_init(struct pool *p, size_t item_bytes, uint64_t items) {
    *p = (struct pool){.item_bytes = item_bytes, .bytes = item_bytes * items};
    p->base = map_sparse(p->bytes);
    if (!p->base)
        return -ENOMEM;
    madvise(p->base, p->bytes, MADV_HUGEPAGE); /* used densely from the start; only for speed */
    return 0;
}

static uint32_t pool_get(struct pool *p) {
    if (!p->free)
        return p->used++;
    uint32_t item = p->free - 1;
    memcpy(&p->free, p->base + item * p->item_bytes, sizeof(p->free));
    p->nfree--;
    return item;
}

static void pool_put(struct pool *p, uint32_t item) {
    memcpy(p->base + item * p->item_bytes, &p->free, sizeof(p->free));
    p->free = item + 1;
    p->nfree++;
}

/* ---- free lists ---- */

static void link_set_prev(union record *r, uint64_t prev) {
    r->link.prev_low = (uint32_t)prev;
    r->link.prev_high = (uint16_t)(prev >> 32);
}

static void list_add(struct frames *f, uint64_t pfn, unsigned order, bool at_end) {
    const struct block *b = block_of(f, pfn);
    struct node *n = &f->node[b->node];
    struct list *l = &n->list[b->mobility][order];
    union record *r = record_of(f, pfn);

    r->link.use = OS_USE_FREE;
    r->link.order = (uint8_t)order;
    r->link.next = at_end ? 0 : l->first;
    link_set_prev(r, at_end ? l->last : 0);
    if (!l->count)
        l->first = l->last = pfn + 1;
    else if (at_end) {
        record_of(f, l->last - 1)->link.next = pfn + 1;
        l->last = pfn + 1;
    } else {
        link_set_prev(record_of(f, l->first - 1), pfn + 1);
        l->first = pfn + 1;
    }
    l->count++;
    n->avail[b->mobility] |= 1u << order;
    if (order == FRAMES_MAX_ORDER)
        contig_note(f, pfn, true);
}

static void list_del(struct frames *f, uint64_t pfn, unsigned order) {
    const struct block *b = block_of(f, pfn);
    struct node *n = &f->node[b->node];
    struct list *l = &n->list[b->mobility][order];
    const union record *r = record_of(f, pfn);
    uint64_t next = r->link.next, prev = link_prev(r);

    if (prev)
        record_of(f, prev - 1)->link.next = next;
    else
        l->first = next;
    if (next)
        link_set_prev(record_of(f, next - 1), prev);
    else
        l->last = prev;
    if (!--l->count)
        n->avail[b->mobility] &= ~(1u << order);
    if (order == FRAMES_MAX_ORDER)
        contig_note(f, pfn, false);
}

/* ---- bitmaps of a split block ---- */

/* Bits [i, i + 2^order) of `bits` become ones or zeros; i is aligned to 2^order, order <= 9. */
static void bits_fill(uint64_t *bits, unsigned i, unsigned order, bool ones) {
    if (order >= 6) {
        memset(&bits[i / 64], ones ? 0xff : 0, 8u << (order - 6));
        return;
    }
    uint64_t mask = ((1ull << (1u << order)) - 1) << i % 64;
    if (ones)
        bits[i / 64] |= mask;
    else
        bits[i / 64] &= ~mask;
}

static void bit_set(uint64_t *bits, unsigned i) {
    bits[i / 64] |= 1ull << i % 64;
}

static void bit_clear(uint64_t *bits, unsigned i) {
    bits[i / 64] &= ~(1ull << i % 64);
}

/* ---- cutting ---- */

/* A whole block becomes a split one that is still one piece, all free or all allocated. */
static struct split *block_split(struct frames *f, struct block *b, bool free) {
    b->split = pool_get(&f->splits);
    b->state = BLOCK_SPLIT;
    b->nfree = free ? BLOCK_FRAMES : 0;
    struct split *s = split_of(f, b);
    bits_fill(s->free, 0, FRAMES_HUGE_ORDER, free);
    bits_fill(s->head, 0, FRAMES_HUGE_ORDER, false);
    bit_set(s->head, 0);
    return s;
}

/* Room for the records of the two halves, of `order`, of the piece at pfn. */
static void halve(struct frames *f, uint64_t pfn, unsigned order) {
    struct block *b = block_of(f, pfn);
    if (order == FRAMES_HUGE_ORDER) {
        b[1].state = BLOCK_FREE;
        return;
    }
    unsigned i = pfn % BLOCK_FRAMES;
    struct split *s = order == FRAMES_HUGE_ORDER - 1 ? block_split(f, b, true) : split_of(f, b);
    bit_set(s->head, i + (1u << order));
    if (order == GROUP_ORDER - 1)
        s->group[i / GROUP_FRAMES] = pool_get(&f->groups);
}

/* Cut the free piece of order `from` at pfn, which is on no list, down to the one of order `to` that holds
   `target`; what is left over goes on the lists, first or last. */
static uint64_t carve(struct frames *f, uint64_t pfn, unsigned from, uint64_t target, unsigned to, bool last) {
    while (from > to) {
        from--;
        uint64_t upper = pfn + (1u << from);
        halve(f, pfn, from);
        if (target < upper) {
            list_add(f, upper, from, last);
        } else {
            list_add(f, pfn, from, last);
            pfn = upper;
        }
    }
    return pfn;
}

/* The free piece at pfn, which is on no list, is now allocated. */
static uint64_t take(struct frames *f, uint64_t pfn, unsigned order, enum os_use use) {
    struct block *b = block_of(f, pfn);
    assert(use != OS_USE_FREE);
    if (b->state == BLOCK_SPLIT) {
        bits_fill(split_of(f, b)->free, pfn % BLOCK_FRAMES, order, false);
        b->nfree -= 1u << order;
    } else {
        b->state = BLOCK_USED;
    }
    f->node[b->node].free -= 1u << order;
    record_of(f, pfn)->frame = (struct frame){.use = (uint8_t)use, .order = (uint8_t)order};
    return pfn;
}

/* ---- choosing a piece ---- */

/* A fresh pair becomes a free movable piece of order 10 that is on no list. */
static uint64_t pair_touch(struct frames *f, uint64_t pfn) {
    pfn -= pfn % PAIR_FRAMES;
    struct block *b = block_of(f, pfn);
    uint8_t node = (uint8_t)(pfn / f->node_frames);
    b[0] = (struct block){.state = BLOCK_FREE, .mobility = FRAME_MOVABLE, .node = node};
    b[1] = (struct block){.state = BLOCK_TAIL, .mobility = FRAME_MOVABLE, .node = node};
    f->touched[pfn / BLOCK_FRAMES / REGION_BLOCKS] = 1;
    f->node[node].fresh_pairs--;
    contig_note(f, pfn, false);
    return pfn;
}

static uint32_t available(const struct node *n, enum frame_mobility m) {
    return n->avail[m] | (m == FRAME_MOVABLE && n->fresh_pairs ? 1u << FRAMES_MAX_ORDER : 0);
}

/* The first piece of a list that is not empty, fresh memory included, leaves it. */
static uint64_t pop(struct frames *f, struct node *n, enum frame_mobility m, unsigned order) {
    uint64_t first = n->list[m][order].first;
    if (first) {
        list_del(f, first - 1, order);
        return first - 1;
    }
    while (f->block[n->next_fresh].state != BLOCK_FRESH)
        n->next_fresh += 2;
    return pair_touch(f, n->next_fresh * BLOCK_FRAMES);
}

static uint64_t take_smallest(struct frames *f, struct node *n, enum frame_mobility m, unsigned order) {
    uint32_t orders = available(n, m) >> order;
    if (!orders)
        return FRAME_NONE;
    unsigned from = order + (unsigned)__builtin_ctz(orders);
    uint64_t pfn = pop(f, n, m, from);
    return carve(f, pfn, from, pfn, order, false);
}

/* The page blocks of a whole piece that is on no list change sides. */
static void set_mobility(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m) {
    struct block *b = block_of(f, pfn);
    b[0].mobility = (uint8_t)m;
    if (order > FRAMES_HUGE_ORDER)
        b[1].mobility = (uint8_t)m;
}

/* A split page block changes sides with all its free pieces. */
static void claim_split(struct frames *f, uint64_t block, enum frame_mobility m) {
    struct block *b = &f->block[block];
    struct split *s = split_of(f, b);
    uint64_t base = block * BLOCK_FRAMES;
    uint8_t old = b->mobility;

    for (unsigned g = 0; g < GROUPS; g++) {
        for (uint64_t bits = s->head[g] & s->free[g]; bits; bits &= bits - 1) {
            uint64_t pfn = base + g * 64 + (unsigned)__builtin_ctzll(bits);
            unsigned order = record_of(f, pfn)->link.order;
            b->mobility = old;
            list_del(f, pfn, order);
            b->mobility = (uint8_t)m;
            list_add(f, pfn, order, false);
        }
    }
    b->mobility = (uint8_t)m;
}

/* Make a page block change sides to `m` so that a piece of `order` can be had from it. */
static bool claim(struct frames *f, struct node *n, enum frame_mobility m, unsigned order) {
    enum frame_mobility other = m == FRAME_MOVABLE ? FRAME_UNMOVABLE : FRAME_MOVABLE;
    unsigned least = m == FRAME_MOVABLE && order < FRAMES_HUGE_ORDER / 2 ? FRAMES_HUGE_ORDER / 2 : order;

    for (uint32_t orders = available(n, other) >> least; orders;) {
        unsigned bit = 31 - (unsigned)__builtin_clz(orders), o = least + bit;
        if (o >= FRAMES_HUGE_ORDER) {
            uint64_t pfn = pop(f, n, other, o);
            set_mobility(f, pfn, o, m);
            list_add(f, pfn, o, false);
            return true;
        }
        uint64_t block = (n->list[other][o].first - 1) / BLOCK_FRAMES;
        if (f->block[block].nfree >= BLOCK_FRAMES / 2) {
            claim_split(f, block, m);
            return true;
        }
        orders &= ~(1u << bit);
    }
    return false;
}

static uint64_t node_take(struct frames *f, struct node *n, enum frame_mobility m, unsigned order) {
    uint64_t pfn = take_smallest(f, n, m, order);
    if (pfn != FRAME_NONE || n->free < 1u << order)
        return pfn;
    if (claim(f, n, m, order))
        return take_smallest(f, n, m, order);
    return take_smallest(f, n, m == FRAME_MOVABLE ? FRAME_UNMOVABLE : FRAME_MOVABLE, order);
}

uint64_t frames_alloc(struct frames *f, unsigned order, int node, enum frame_mobility m, enum os_use use) {
    if (order > FRAMES_MAX_ORDER)
        return FRAME_NONE;
    int nodes = (int)f->nodes, near = node < 0 || node >= nodes ? 0 : node;
    uint64_t pfn = node_take(f, &f->node[near], m, order);
    for (int d = 1; d < nodes && pfn == FRAME_NONE; d++) {
        if (near - d >= 0)
            pfn = node_take(f, &f->node[near - d], m, order);
        if (pfn == FRAME_NONE && near + d < nodes)
            pfn = node_take(f, &f->node[near + d], m, order);
    }
    return pfn == FRAME_NONE ? pfn : take(f, pfn, order, use);
}

static uint64_t alloc_at(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m, enum os_use use,
                         bool last) {
    if (order > FRAMES_MAX_ORDER || pfn % (1u << order) || pfn >= f->total)
        return FRAME_NONE;
    /* Buddies that are free have joined: aligned frames that are all free lie in one piece. */
    uint64_t piece;
    int found = free_piece(f, pfn, &piece);
    if (found < (int)order)
        return FRAME_NONE;

    unsigned from = (unsigned)found;
    if (block_of(f, pfn)->state == BLOCK_FRESH)
        pair_touch(f, pfn);
    else
        list_del(f, piece, from);
    if (from >= FRAMES_HUGE_ORDER) { /* a page block that was free is of our kind from now on */
        unsigned whole = order > FRAMES_HUGE_ORDER ? order : FRAMES_HUGE_ORDER;
        piece = carve(f, piece, from, pfn, whole, last);
        set_mobility(f, piece, whole, m);
        from = whole;
    }
    return take(f, carve(f, piece, from, pfn, order, last), order, use);
}

uint64_t frames_alloc_at(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m, enum os_use use) {
    return alloc_at(f, pfn, order, m, use, false);
}

uint64_t frames_alloc_target(struct frames *f, uint64_t pfn, unsigned order, enum frame_mobility m,
                             enum os_use use) {
    return alloc_at(f, pfn, order, m, use, true);
}

/* ---- giving back ---- */

/* Would a free piece of `order` at i soon become part of a larger one? */
static bool likely_to_merge(const struct frames *f, const struct block *b, uint64_t block, unsigned i,
                            unsigned order) {
    if (order == FRAMES_HUGE_ORDER - 1)
        return f->block[block ^ 1].state == BLOCK_FREE;
    unsigned larger = i & ~(1u << order);
    return piece_is_free(f, split_of(f, b), larger ^ (2u << order), order + 1);
}

static void free_whole(struct frames *f, uint64_t block, unsigned order) {
    f->block[block].state = BLOCK_FREE;
    if (order == FRAMES_HUGE_ORDER && f->block[block ^ 1].state == BLOCK_FREE) {
        struct block *buddy = &f->block[block ^ 1];
        list_del(f, (block ^ 1) * BLOCK_FRAMES, order);
        buddy->mobility = f->block[block].mobility;
        f->block[block | 1].state = BLOCK_TAIL;
        block &= ~1ull;
        order++;
    }
    list_add(f, block * BLOCK_FRAMES, order, false);
}

static void free_small(struct frames *f, uint64_t pfn, unsigned order) {
    struct block *b = block_of(f, pfn);
    struct split *s = split_of(f, b);
    uint64_t block = pfn / BLOCK_FRAMES, base = block * BLOCK_FRAMES;
    unsigned i = pfn % BLOCK_FRAMES;

    bits_fill(s->free, i, order, true);
    b->nfree += 1u << order;
    while (order < FRAMES_HUGE_ORDER) {
        unsigned buddy = i ^ 1u << order;
        if (!piece_is_free(f, s, buddy, order)) {
            list_add(f, base + i, order, likely_to_merge(f, b, block, i, order));
            return;
        }
        list_del(f, base + buddy, order);
        bit_clear(s->head, i | buddy);
        i &= buddy;
        if (++order == GROUP_ORDER)
            pool_put(&f->groups, s->group[i / GROUP_FRAMES]);
    }
    pool_put(&f->splits, b->split);
    free_whole(f, block, order);
}

void frames_free(struct frames *f, uint64_t pfn) {
    assert(is_allocation(f, pfn)); /* else: freed before, or never an allocation's first frame */
    struct block *b = block_of(f, pfn);
    unsigned order = record_of(f, pfn)->frame.order;
    f->node[b->node].free += 1u << order;
    if (b->state == BLOCK_SPLIT)
        free_small(f, pfn, order);
    else
        free_whole(f, pfn / BLOCK_FRAMES, order);
}

/* ---- splitting an allocation ---- */

/* [i, i + 2^order) of a split block, one allocation until now, become single ones. */
static void scatter(struct frames *f, struct split *s, unsigned i, unsigned order, const struct frame *rec) {
    unsigned end = i + (1u << order);
    if (order >= GROUP_ORDER)
        for (unsigned g = i / GROUP_FRAMES; g < end / GROUP_FRAMES; g++)
            s->group[g] = pool_get(&f->groups);
    bits_fill(s->head, i, order, true);
    for (; i < end; i++)
        split_record(f, s, i)->frame = *rec;
}

int frames_split(struct frames *f, uint64_t pfn) {
    assert(is_allocation(f, pfn));
    struct block *b = block_of(f, pfn);
    struct frame rec = record_of(f, pfn)->frame;
    unsigned order = rec.order;

    rec.order = 0;
    if (b->state == BLOCK_SPLIT) {
        scatter(f, split_of(f, b), pfn % BLOCK_FRAMES, order, &rec);
        return 0;
    }
    for (unsigned k = 0; k < 1u << (order - FRAMES_HUGE_ORDER); k++)
        scatter(f, block_split(f, &b[k], false), 0, FRAMES_HUGE_ORDER, &rec);
    return 0;
}

/* ---- beginning and end ---- */

int frames_new(struct frames **out, const struct emt_config *cfg) {
    uint32_t nodes = cfg->memory.nodes;
    uint64_t bytes = cfg->memory.bytes;
    *out = NULL;
    if (nodes < 1 || nodes > CFG_NODES) {
        fprintf(stderr, "emt: memory.nodes is %u; it must be 1 to %d\n", nodes, CFG_NODES);
        return -EINVAL;
    }
    uint64_t node_frames = bytes / nodes / EMT_PAGE_BYTES / PAIR_FRAMES * PAIR_FRAMES;
    if (!node_frames || bytes / EMT_PAGE_BYTES > MAX_FRAMES) {
        fprintf(stderr, "emt: memory.bytes is %llu; with memory.nodes %u it must be %u MiB to 64 TiB\n",
                (unsigned long long)bytes, nodes, nodes * 4);
        return -EINVAL;
    }
    struct frames *f = calloc(1, sizeof(*f));
    if (!f)
        return -ENOMEM;
    f->nodes = nodes;
    f->node_frames = node_frames;
    f->total = node_frames * nodes;
    if (f->total * EMT_PAGE_BYTES != bytes)
        fprintf(stderr,
                "emt: note: the last %llu bytes of memory.bytes stay unused: each of %u nodes has a multiple of "
                "4 MiB\n",
                (unsigned long long)(bytes - f->total * EMT_PAGE_BYTES), nodes);
    for (unsigned n = 0; n < nodes; n++) {
        f->node[n].next_fresh = n * (node_frames / BLOCK_FRAMES);
        f->node[n].fresh_pairs = node_frames / PAIR_FRAMES;
        f->node[n].free = node_frames;
    }

    uint64_t blocks = f->total / BLOCK_FRAMES;
    f->block_bytes = blocks * sizeof(struct block);
    f->block = map_sparse(f->block_bytes);
    f->touched = calloc(blocks / REGION_BLOCKS + 1, 1);
    if (!f->block || !f->touched || pool_init(&f->splits, sizeof(struct split), blocks) ||
        pool_init(&f->groups, sizeof(struct group), blocks * GROUPS)) {
        frames_free_all(f);
        return -ENOMEM;
    }
    *out = f;
    return 0;
}

void frames_free_all(struct frames *f) {
    if (!f)
        return;
    if (f->block)
        munmap(f->block, f->block_bytes);
    if (f->splits.base)
        munmap(f->splits.base, f->splits.bytes);
    if (f->groups.base)
        munmap(f->groups.base, f->groups.bytes);
    for (unsigned n = 0; n < CFG_NODES; n++)
        contig_free(f->contig[n]);
    free(f->touched);
    free(f);
}

int frames_contig(struct frames *f) {
    int err = 0;

    for (unsigned n = 0; n < f->nodes && !err; n++) {
        assert(f->node[n].free == f->node_frames); /* the map begins with everything free */
        if (!f->contig[n])
            err = contig_new(&f->contig[n], f->node_frames / PAIR_FRAMES);
    }
    return err;
}

struct contig *frames_contig_of(const struct frames *f, int node) {
    return node >= 0 && node < (int)f->nodes ? f->contig[node] : NULL;
}
