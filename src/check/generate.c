/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which operations, where, with what. Shares are chosen by hand so that half of all maps find an empty place. */
#include "check/generate.h"

#define GIB (1ull << 30)
#define MIB (1ull << 20)

static uint64_t below(struct generator *g, uint64_t n) {
    return check_below(&g->random, n);
}

static bool one_in(struct generator *g, uint64_t n) {
    return check_one_in(&g->random, n);
}

/* The middle of a window: an edge that any address-translation scheme may have. */
static uint64_t edge(struct generator *g) {
    const uint64_t half = 1ull << (g->traits->caps.va_bits - 1); /* canonical addresses end here */
    const uint64_t any = below(g, half) & -EMT_PAGE_BYTES;

    switch (below(g, 12)) {
    case 0:
        return 0;
    case 1:
        return half;
    case 2:
        return -half;
    case 3:
        return -EMT_PAGE_BYTES;
    case 4:
        return any & -(2 * MIB);
    case 5:
        return any & -GIB;
    case 6:
        return any & -(512 * GIB);
    case 7:
        return half / 2;
    case 8:
        return -half + (any & -(512 * GIB));
    case 9:
        return GIB;
    case 10:
        return -half + any;
    default:
        return any;
    }
}

void generator_init(struct generator *g, const struct traits *t, uint64_t seed, unsigned spaces, bool globals) {
    *g = (struct generator){.traits = t, .random = seed, .spaces = spaces, .globals = globals && t->global};
    for (unsigned i = 0; i < WINDOWS; i++)
        g->window[i] = edge(g);
}

/* Somewhere in a window, near its middle more often than not. */
static uint64_t address(struct generator *g) {
    static const uint64_t reach[] = {4, 4, 4, 32, 32, 512, 512 + 64};

    for (unsigned attempt = 0; attempt < 64; attempt++) {
        const uint64_t middle = g->window[below(g, WINDOWS)];
        const uint64_t pages = reach[below(g, sizeof(reach) / sizeof(reach[0]))];
        uint64_t va = middle + (below(g, 2 * pages) - pages) * EMT_PAGE_BYTES;

        if (one_in(g, 6))
            va += (below(g, 9) - 4) * 2 * MIB;
        if (one_in(g, 40))
            va += (below(g, 3) - 1) * GIB;
        if (range_valid(g->traits, va, EMT_PAGE_BYTES))
            return va;
    }
    return g->window[0] & -(2 * MIB) & 0x3fffffff;
}

/* A page size: mostly the smallest. */
static uint64_t size(struct generator *g) {
    unsigned i = 0;

    while (i + 1 < g->traits->nsizes && one_in(g, i ? 6 : 4))
        i++;
    return g->traits->sizes[i];
}

static uint64_t length(struct generator *g) {
    const unsigned slow = g->traits->void_is_known ? 1 : 16;

    if (one_in(g, 300 * slow))
        return GIB;
    if (one_in(g, 12 * slow))
        return (1 + below(g, 5)) * 2 * MIB;
    if (one_in(g, 8))
        return (1 + below(g, 600)) * EMT_PAGE_BYTES;
    return (1 + below(g, one_in(g, 3) ? 64 : 8)) * EMT_PAGE_BYTES;
}

#define DENSE_PAGES  40
#define CLOSE_FRAMES (64 * MIB >> EMT_PAGE_SHIFT)

static uint64_t frame(struct generator *g, uint64_t bytes) {
    const struct traits *t = g->traits;
    const uint64_t pages = bytes >> EMT_PAGE_SHIFT, near_end = WORLD_PAGES_PFN + WORLD_PAGES_COUNT;

    /* Few enough that frames are shared; and where tables have an entry for each frame, most of them stay
       untouched, which spares the host a page fault for each. */
    if (bytes <= 2 * MIB && !one_in(g, 8))
        return WORLD_PAGES_PFN + below(g, CLOSE_FRAMES / pages) * pages;
    if (t->pfn_end <= near_end || !one_in(g, 4))
        return WORLD_PAGES_PFN + below(g, WORLD_PAGES_COUNT / pages) * pages;
    return near_end + below(g, (t->pfn_end - near_end) / pages) * pages;
}

static void permissions(struct generator *g, struct object *o) {
    const struct traits *t = g->traits;

    o->write = t->write ? one_in(g, 2) : t->base.write;
    o->exec = t->exec ? one_in(g, 2) : t->base.exec;
    o->user = t->user ? !one_in(g, 4) : t->base.user;
}

static void swap_entry(struct generator *g, struct object *o) {
    const uint64_t slot = 1 + below(g, 1u << 20), pages = o->bytes >> EMT_PAGE_SHIFT;

    *o = (struct object){
        .va = o->va, .bytes = o->bytes, .state = OBJECT_SWAP, .swap = below(g, 3) << 50 | slot * pages};
}

/* Where hardware knows ranges: one of a few pages that, with others like it, become one, or spoil it. */
static void piece_of_range(struct generator *g, struct object *o) {
    const struct traits *t = g->traits;
    const uint64_t start = g->window[0] & -(2 * MIB), page = below(g, DENSE_PAGES);

    *o = t->base;
    o->va = start + page * EMT_PAGE_BYTES;
    o->bytes = EMT_PAGE_BYTES;
    o->pfn = WORLD_PAGES_PFN + 5000 + page + (one_in(g, 24) ? 7 : 0);
    o->write = o->user = true;
    o->accessed = !one_in(g, 32);
    o->dirty = !one_in(g, 32);
}

static void object(struct generator *g, struct object *o, bool huge) {
    const struct traits *t = g->traits;

    if (t->caps.ranges && !huge && !one_in(g, 3)) {
        piece_of_range(g, o);
        return;
    }

    o->bytes = size(g);
    if (huge && t->nsizes > 1 && o->bytes == t->sizes[0])
        o->bytes = t->sizes[1];
    o->va = address(g) & -o->bytes;
    if (!huge && t->swap_sizes & o->bytes && one_in(g, 8)) {
        swap_entry(g, o);
        return;
    }
    permissions(g, o);
    o->pfn = frame(g, o->bytes);
    o->state = t->none && one_in(g, 10) ? OBJECT_NONE : OBJECT_PRESENT;
    o->global = g->globals && o->state == OBJECT_PRESENT && one_in(g, 8);
    if (one_in(g, 2))
        return;
    o->accessed = t->accessed && one_in(g, 2);
    o->dirty = t->dirty && one_in(g, 2);
    o->soft = (uint32_t)check_random(&g->random) & t->soft_max;
    o->contig = t->contig && one_in(g, 2);
    o->cache = (uint8_t)(check_random(&g->random) & t->cache_max);
    o->pkey = (uint8_t)(check_random(&g->random) & t->pkey_max);
}

static void access_of(struct generator *g, struct op *op) {
    op->at.va = address(g) + (below(g, EMT_PAGE_BYTES) & ~7ull);
    if (one_in(g, 200))
        op->at.va ^= 1ull << 63; /* most often not canonical */
    op->type = (uint8_t)below(g, 3);
    op->control = OP_NX | (one_in(g, 4) ? 0 : OP_USER) | (one_in(g, 4) ? 0 : OP_WP);
    if (one_in(g, 4))
        op->control |= (uint8_t)(check_random(&g->random) & (OP_SMEP | OP_SMAP));
    if (g->traits->pkey_max && one_in(g, 8)) {
        op->control |= OP_PKE;
        op->pkru = (uint32_t)check_random(&g->random);
    }
}

/* Of 100 operations. */
static const struct {
    uint8_t kind, share;
} shares[] = {
    {OP_MAP, 24},     {OP_SET, 9},     {OP_REMOVE, 6}, {OP_ERASE, 4},   {OP_UNMAP, 4}, {OP_PROTECT, 5},
    {OP_COPY, 4},     {OP_MOVE, 4},    {OP_AGE, 3},    {OP_VOID, 3},    {OP_SPLIT, 4}, {OP_TEST_CLEAR, 4},
    {OP_COLLAPSE, 3}, {OP_ACCESS, 18}, {OP_SWITCH, 2}, {OP_ITERATE, 3},
};

static uint8_t kind(struct generator *g) {
    uint64_t n = below(g, 100);

    if (one_in(g, 400))
        return OP_RENEW;
    if (one_in(g, 300))
        return OP_SCARCE;
    for (unsigned i = 0;; i++) {
        if (n < shares[i].share)
            return shares[i].kind;
        n -= shares[i].share;
    }
}

void generate(struct generator *g, struct op *op) {
    *op = (struct op){.kind = kind(g), .db = (uint8_t)below(g, g->spaces)};
    op->at.bytes = length(g);
    op->at.va = address(g);
    switch (op->kind) {
    case OP_MAP:
    case OP_SET:
        object(g, &op->at, false);
        break;
    case OP_COLLAPSE:
        object(g, &op->at, true);
        break;
    case OP_PROTECT:
        permissions(g, &op->at);
        break;
    case OP_ITERATE:
        op->seed = check_random(&g->random);
        break;
    case OP_AGE:
        op->mask = (uint8_t)(1 + below(g, 3));
        break;
    case OP_COPY:
        op->seed = check_random(&g->random);
        op->db2 = (uint8_t)below(g, g->spaces);
        break;
    case OP_MOVE:
        op->to = address(g);
        break;
    case OP_SPLIT:
        op->at.bytes = size(g);
        break;
    case OP_ACCESS:
        op->at.bytes = 0;
        access_of(g, op);
        break;
    case OP_TEST_CLEAR:
        op->mask = (uint8_t)(1 + below(g, 3));
        op->at.bytes = 0;
        break;
    case OP_SCARCE:
        op->mask = (uint8_t)(one_in(g, 2) ? 0 : 1 + below(g, 9));
        op->at.bytes = 0;
        break;
    case OP_REMOVE:
    case OP_ERASE:
    case OP_SWITCH:
    case OP_RENEW:
        op->at.bytes = 0;
        break;
    default:
        break;
    }
}
