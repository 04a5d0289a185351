/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One TLB: any number of entries and ways, any mix of the three page sizes, ASIDs, global entries.
 *
 * An entry's tag and the key of an access are one word, so that a match is one masked compare, whatever the page
 * size and whether the entry is global:
 *
 *      63    62 61 60                 45 44                              0
 *     +-----+-----+---------------------+---------------------------------+
 *     |valid|  0  |  ASID ^ sign copies |  VPN: va bits 56..12            |
 *     +-----+-----+---------------------+---------------------------------+
 *
 * (va >> 12 has copies of bit 56 in bits 45..51; the ASID is exclusive-ored over them, and bit 44 tells what they
 * were.) The entry's mask leaves out the VPN's low bits for a large page, the ASID for a global one.
 *
 * The set is the page number modulo the number of sets, which need not be a power of two. A TLB that holds several
 * sizes is probed once for each size that it holds at the moment (once in all when fully associative).
 */
#ifndef EMT_HW_TLB_H
#define EMT_HW_TLB_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/replacement.h"
#include "machine/config.h"

/* Classes of page sizes, bit n of CFG_PAGE_ masks. */
enum tlb_class { TLB_4K, TLB_2M, TLB_1G, TLB_CLASSES };

#define TLB_VPN_BITS  45
#define TLB_VPN_MASK  ((1ull << TLB_VPN_BITS) - 1)
#define TLB_ASID_MASK (0xffffull << TLB_VPN_BITS)
#define TLB_VALID     (1ull << 63)

/* The frame word: the page's first byte, flags, size class, and which of a core's level-1 TLBs this is. */
#define TLB_INDEX       0xfull
#define TLB_CLASS_SHIFT 4
#define TLB_CLASS       0x30ull
#define TLB_WRITE       0x100ull
#define TLB_DIRTY       0x200ull
#define TLB_EXEC        0x400ull
#define TLB_CONTIG      0x800ull /* emt_walk.contig: a nested TLB's user wants it */
#define TLB_FLAGS       (TLB_WRITE | TLB_DIRTY | TLB_EXEC | TLB_CONTIG)
static_assert(CFG_TLBS <= TLB_INDEX + 1, "a TLB's index fits");

struct tlb_entry {
    uint64_t tag;   /* 0: empty */
    uint64_t mask;  /* bits of the tag that count; TLB_VALID always does */
    uint64_t frame; /* physical address of the page's first byte | flags | class | index */
    uint64_t stamp; /* the TLB's clock at the last use; kept when the entry is dropped */
};
static_assert(sizeof(struct tlb_entry) == 32, "two entries to a line of the host's cache");

struct mosaic_tlb;

struct tlb {
    uint64_t clock; /* uses: hits and fills */
    uint64_t fills; /* hits are clock - fills */
    uint64_t misses, evictions;
    struct tlb_entry *entry; /* sets * ways */
    uint64_t sets, set_mask; /* set_mask: sets - 1 when that is a mask, else 0 */
    uint32_t ways;
    uint32_t live[TLB_CLASSES]; /* valid entries by page size */
    uint32_t pages, holds;      /* CFG_PAGE_ and CFG_TLB_ masks */
    uint32_t hit_cycles;
    enum cfg_replacement replacement;
    bool inclusive;
    bool several;        /* an entry may hold more than one page: by codes, or coalesced */
    uint8_t index;       /* goes into the entries' frame words */
    uint8_t group_shift; /* log2 of the pages that an entry holds, `entry` has as many (hw/coalesc.h); 0: one */
    uint64_t random;
    uint64_t entries, used;    /* used: valid entries of all sizes */
    struct mosaic_tlb *mosaic; /* entries are mosaic pages, `entry` their slots (hw/mosaic_tlb.h); NULL */
};
static_assert(sizeof(struct tlb) == 128, "the hit path finds a TLB's clock with a shift");

static inline unsigned tlb_class_shift(unsigned class) {
    return 12 + 9 * class;
}

static inline uint64_t tlb_asid_key(uint16_t asid) {
    return TLB_VALID ^ (uint64_t)asid << TLB_VPN_BITS;
}

/* `va` is sign extended from bit 56 at the highest, as input/event.h gives it. */
static inline uint64_t tlb_key(uint64_t asid_key, uint64_t va) {
    return va >> 12 ^ asid_key;
}

static inline bool tlb_match(const struct tlb_entry *e, uint64_t key) {
    return ((e->tag ^ key) & e->mask) == 0;
}

static inline bool tlb_is_global(const struct tlb_entry *e) {
    return !(e->mask & TLB_ASID_MASK);
}

static inline uint16_t tlb_asid_of(const struct tlb_entry *e) {
    uint64_t copies = e->tag >> (TLB_VPN_BITS - 1) & 1 ? 0x7f : 0;
    return (uint16_t)(e->tag >> TLB_VPN_BITS ^ copies);
}

static inline uint64_t tlb_bytes(const struct tlb_entry *e) {
    return ((~e->mask & TLB_VPN_MASK) + 1) << 12;
}

static inline unsigned tlb_class_of(const struct tlb_entry *e) {
    return (unsigned)((e->frame & TLB_CLASS) >> TLB_CLASS_SHIFT);
}

static inline uint64_t tlb_va(const struct tlb_entry *e) {
    return (uint64_t)((int64_t)(e->tag << (64 - TLB_VPN_BITS)) >> (64 - TLB_VPN_BITS - 12)) & -tlb_bytes(e);
}

static inline uint64_t tlb_page_pa(const struct tlb_entry *e) {
    return e->frame & ~0xfffull;
}

static inline uint64_t tlb_pa(const struct tlb_entry *e, uint64_t va) {
    return tlb_page_pa(e) | (va & (tlb_bytes(e) - 1));
}

static inline void tlb_touch(struct tlb *t, struct tlb_entry *e) {
    e->stamp = ++t->clock;
}

/* -EINVAL: entries do not divide by ways, or are 0. -ENOMEM. */
int tlb_init(struct tlb *t, const struct cfg_tlb *cfg, uint8_t index, uint64_t seed);
void tlb_fini(struct tlb *t);

static inline struct tlb_entry *tlb_set_of(struct tlb *t, uint64_t key, unsigned class) {
    uint64_t page = (key & TLB_VPN_MASK) >> (tlb_class_shift(class) - 12);
    uint64_t set = t->set_mask || t->sets == 1 ? page & t->set_mask : page % t->sets;
    return t->entry + set * t->ways;
}

/* A set of few ways is compared whole: an early exit that the host mispredicts costs more than the compares. */
#define TLB_WHOLE_SET 16

static inline struct tlb_entry *tlb_find_in_set(struct tlb *t, uint64_t key, unsigned class) {
    struct tlb_entry *e = tlb_set_of(t, key, class), *end = e + t->ways, *found = NULL;
    if (t->ways <= TLB_WHOLE_SET) {
        for (; e < end; e++)
            found = tlb_match(e, key) ? e : found;
        return found;
    }
    while (e < end && !tlb_match(e, key))
        e++;
    return e < end ? e : NULL;
}

/* The entry that answers for key, or NULL. Not a use: tlb_touch() is. */
static inline __attribute__((always_inline)) struct tlb_entry *tlb_find(struct tlb *t, uint64_t key) {
#pragma GCC unroll 3
    for (unsigned class = 0; class < TLB_CLASSES; class ++) {
        if (!t->live[class])
            continue;
        struct tlb_entry *found = tlb_find_in_set(t, key, class);
        if (found || t->sets == 1) /* one set: that was all of it */
            return found;
    }
    return NULL;
}

static inline void tlb_drop(struct tlb *t, struct tlb_entry *e) {
    t->live[tlb_class_of(e)]--;
    t->used--;
    e->tag = 0;
}

/*
 * Put an entry for the page of `class` around the key's address, which must not be there yet; `frame` has its
 * flags. *old becomes what was evicted (tag 0: nothing).
 */
static inline struct tlb_entry *tlb_insert(struct tlb *t, uint64_t key, unsigned class, uint64_t frame, bool global,
                                           struct tlb_entry *old) {
    struct tlb_entry *set = tlb_set_of(t, key, class), *e = NULL;
    for (unsigned way = 0; __builtin_expect(t->used < t->entries, 0) && way < t->ways && !e; way++)
        if (!set[way].tag)
            e = set + way;
    old->tag = 0;
    if (__builtin_expect(!e, 1)) {
        e = set + hw_victim(t->replacement, &set->stamp, sizeof(*set) / sizeof(set->stamp), t->ways, &t->random);
        *old = *e;
        t->evictions++;
        t->live[tlb_class_of(e)]--;
    } else {
        t->used++;
    }
    e->tag = key;
    e->mask = ~((1ull << (tlb_class_shift(class) - 12)) - 1) & ~(global ? TLB_ASID_MASK : 0);
    e->frame = frame | (uint64_t) class << TLB_CLASS_SHIFT | t->index;
    t->live[class]++;
    t->fills++;
    tlb_touch(t, e);
    return e;
}

/* All entries of the ASID, and global ones, that touch [va, last]. */
void tlb_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last);
/* All entries of the ASID but global ones. */
void tlb_drop_asid(struct tlb *t, uint16_t asid);
void tlb_drop_all(struct tlb *t, bool globals_too);
void tlb_reset_counts(struct tlb *t);

#endif
