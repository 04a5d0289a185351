/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Translation objects as x86-64 leaf entries: mmu/x86/object.h. */
#include "mmu/x86/object.h"

#define LOW_BITS(n) ((1ull << (n)) - 1)

/* Where an attribute lies, and the values that it can have: 0 .. max. EXEC reads inverted; those without a place of
   their own have a case in x86_tobj_get() and x86_tobj_set(). */
#define FIELD(name)                                                                                                \
    { RADIX_##name##_FIRST, LOW_BITS(RADIX_##name##_WIDTH) }
static const struct {
    unsigned first;
    uint64_t max;
} attrs[EMT_ATTR_COUNT] = {
    [EMT_ATTR_PRESENT] = FIELD(P),
    [EMT_ATTR_PFN] = FIELD(FRAME),
    [EMT_ATTR_WRITE] = FIELD(RW),
    [EMT_ATTR_EXEC] = FIELD(NX),
    [EMT_ATTR_USER] = FIELD(US),
    [EMT_ATTR_GLOBAL] = FIELD(G),
    [EMT_ATTR_ACCESSED] = FIELD(A),
    [EMT_ATTR_DIRTY] = FIELD(D),
    [EMT_ATTR_CACHE] = {0, LOW_BITS(3)},
    [EMT_ATTR_PKEY] = FIELD(PK),
    [EMT_ATTR_SOFT] = {0, LOW_BITS(RADIX_SOFT_BITS)},
    [EMT_ATTR_CONTIG] = FIELD(CONTIG),
    [EMT_ATTR_SWAP] = {0, LOW_BITS(RADIX_SWAP_TYPE_WIDTH + RADIX_SWAP_OFFSET_WIDTH)},
};

uint64_t x86_tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    const uint64_t e = o->raw[0];

    if (attr == EMT_ATTR_SWAP)
        return radix_is_swap(e) ? radix_swap_decode(e) : 0;
    if (attr >= EMT_ATTR_COUNT || !e || radix_is_swap(e))
        return 0;
    const uint64_t field = e >> attrs[attr].first & attrs[attr].max;
    switch (attr) {
    case EMT_ATTR_PFN:
        return radix_leaf_pfn(e, radix_leaf_level(o->bytes));
    case EMT_ATTR_CACHE:
        return radix_cache_mode(e, radix_leaf_level(o->bytes));
    case EMT_ATTR_SOFT:
        return radix_soft(e);
    case EMT_ATTR_GLOBAL:
        return field && RADIX_GET(e, P);
    case EMT_ATTR_EXEC:
        return !field;
    default:
        return field;
    }
}

/* Present, or a page without access: then bit 8, which is G otherwise, says so, and the frame lies inverted. */
static int set_present(struct emt_tobj *o, unsigned level, bool present) {
    const uint64_t e = o->raw[0];

    if (present == RADIX_GET(e, P))
        return 0;
    if (!present && RADIX_GET(e, G))
        return -EINVAL;
    o->raw[0] = RADIX_PUT(RADIX_PUT(e, P, present), NONE, !present) ^ radix_frame_mask(level);
    return 0;
}

static int set_pfn(struct emt_tobj *o, unsigned level, uint64_t pfn) {
    const uint64_t pa = pfn << EMT_PAGE_SHIFT, mask = radix_frame_mask(level);

    if (pa & ~mask)
        return -EINVAL;
    o->raw[0] = (o->raw[0] & ~mask) | (RADIX_GET(o->raw[0], P) ? pa : ~pa & mask);
    return 0;
}

static int set_swap(struct emt_tobj *o, uint64_t swap) {
    const uint64_t e = radix_swap_encode(swap);

    /* 0 means no swap entry, and the last offset of type 0 would look like a void. */
    if (!swap || !e)
        return -EINVAL;
    o->raw[0] = e;
    return 0;
}

int x86_tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    const unsigned level = radix_leaf_level(o->bytes);
    uint64_t *const e = &o->raw[0];

    if (attr >= EMT_ATTR_COUNT || value > attrs[attr].max || !level)
        return -EINVAL;
    if (attr == EMT_ATTR_SWAP)
        return set_swap(o, value);
    if (!*e || radix_is_swap(*e)) /* has no other attribute: each of them reads as 0 */
        return value ? -EINVAL : 0;
    switch (attr) {
    case EMT_ATTR_PRESENT:
        return set_present(o, level, value);
    case EMT_ATTR_PFN:
        return set_pfn(o, level, value);
    case EMT_ATTR_CACHE:
        *e = radix_put_cache_mode(*e, level, value);
        return 0;
    case EMT_ATTR_SOFT:
        *e = radix_put_soft(*e, value);
        return 0;
    case EMT_ATTR_GLOBAL:
        if (!RADIX_GET(*e, P)) /* the bit says something else */
            return value ? -EINVAL : 0;
        break;
    case EMT_ATTR_EXEC:
        value = !value;
        break;
    default:
        break;
    }
    *e = (*e & ~(attrs[attr].max << attrs[attr].first)) | value << attrs[attr].first;
    return 0;
}

uint64_t x86_with_prot(uint64_t e, unsigned prot) {
    e = RADIX_PUT(e, RW, (prot & EMT_PROT_WRITE) != 0);
    e = RADIX_PUT(e, US, (prot & EMT_PROT_USER) != 0);
    return RADIX_PUT(e, NX, !(prot & EMT_PROT_EXEC));
}

int x86_tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                  unsigned prot) {
    const unsigned level = radix_leaf_level(bytes), levels = (unsigned)svc->arch->param[0];
    const uint64_t pa = pfn << EMT_PAGE_SHIFT;

    if (!level || va & (bytes - 1) || !radix_canonical(va, levels))
        return -EINVAL;
    if (pfn > attrs[EMT_ATTR_PFN].max || pa & ~radix_frame_mask(level) || pa >> svc->arch->param[1])
        return -EINVAL;
    uint64_t e = x86_with_prot(pa | RADIX_MASK(P), prot);
    e = RADIX_PUT(e, PS, level > 1);
    e = RADIX_PUT(e, G, (prot & EMT_PROT_GLOBAL) != 0);
    *o = (struct emt_tobj){.va = va, .bytes = bytes, .raw = {e}};
    return 0;
}

bool x86_tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    const uint64_t ad = RADIX_MASK(A) | RADIX_MASK(D); /* always 0 in swap entries */

    return a->bytes == b->bytes && !((a->raw[0] ^ b->raw[0]) & ~ad);
}

uint64_t x86_leaf_piece(uint64_t e, unsigned level, unsigned i) {
    const uint64_t pages = radix_bytes(level - 1) >> EMT_PAGE_SHIFT;
    struct emt_tobj o = {.bytes = radix_bytes(level - 1)};

    if (radix_is_swap(e))
        return radix_swap_encode(radix_swap_decode(e) + i * pages);
    o.raw[0] = RADIX_PUT(e & ~RADIX_MASK(FRAME), PS, level - 1 > 1);
    o.raw[0] = radix_put_cache_mode(o.raw[0], level - 1, radix_cache_mode(e, level));
    set_pfn(&o, level - 1, radix_leaf_pfn(e, level) + i * pages);
    return o.raw[0];
}

bool x86_needs_flush(uint64_t old, uint64_t now, unsigned level) {
    const uint64_t granted = RADIX_MASK(RW) | RADIX_MASK(US) | RADIX_MASK(D);
    const uint64_t exact = radix_frame_mask(level) | RADIX_MASK(G) | RADIX_MASK(PK);

    if (!(old & RADIX_MASK(P)))
        return false;
    return !(now & RADIX_MASK(P)) || (old & ~now & granted) || (now & ~old & RADIX_MASK(NX)) ||
           ((old ^ now) & exact) || radix_cache_mode(old, level) != radix_cache_mode(now, level);
}

unsigned x86_object_level(const struct emt_tsvc *svc, const struct emt_tobj *o) {
    const unsigned level = radix_leaf_level(o->bytes);

    if (!level || o->va & (o->bytes - 1) || !o->raw[0] || !radix_canonical(o->va, (unsigned)svc->arch->param[0]))
        return 0;
    return radix_is_table(o->raw[0], level) ? 0 : level;
}

void x86_gather(struct emt_gather *g, uint64_t va, uint64_t bytes) {
    if (va < g->lo)
        g->lo = va;
    if (va + bytes > g->hi)
        g->hi = va + bytes;
    if (bytes < g->stride)
        g->stride = bytes;
}
