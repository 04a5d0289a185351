/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A TLB of mosaic pages (ASPLOS'23): an entry is tagged with a mosaic page and holds a code for each of its pages.
 *
 *     entry  | tag: ASID, mosaic page | W X | code a-1 ... code 1 code 0 |      a code of all ones: not valid
 *                                              |
 *     slots                  [a-1] ... [1] [0] <- an ordinary TLB entry of 4 KiB, once the code was used
 *
 * Hardware makes a frame of the code at each hit, with hashes that it computes beside the look-up. Here that is
 * done at the first hit, and the frame is kept in a slot, an ordinary struct tlb_entry of struct tlb: hints point
 * there, and a hit costs what it does in any TLB. So a slot has the time of its last use, and an entry's is that of
 * its latest slot. Nothing hardware could tell differs from a code that is decoded each time.
 *
 * A page that its tables do not compress (a frame of its own choice, or another architecture's) takes an entry for
 * itself: the whole payload is one ordinary frame number, and the tag has the lowest bits too. It goes into the set
 * of its mosaic page.
 *
 * A miss is a miss of the tag, or of the page alone (`sub_misses`): then the walk's codes replace those in the
 * entry. Invalidating a page takes its code away; an entry without codes is free. Replacement takes whole entries.
 */
#ifndef EMT_HW_MOSAIC_TLB_H
#define EMT_HW_MOSAIC_TLB_H

#include "emt/driver.h"
#include "hw/tlb.h"

struct mosaic_entry {
    uint64_t tag, mask;            /* as in struct tlb_entry; tag 0: empty */
    uint64_t valid, dirty, opened; /* by page: has a code; may be stored to; has a slot in use */
    uint64_t flags;                /* TLB_WRITE, TLB_EXEC */
    uint64_t base;                 /* latest use of slots that were closed since */
    uint64_t known;                /* some use: never later than the latest */
};
_Static_assert(sizeof(struct mosaic_entry) == 64, "one line of the host's cache");

struct mosaic_tlb {
    unsigned shift; /* log2 of the arity */
    const struct emt_arch *arch;
    struct mosaic_entry *entry;
    uint8_t *code;   /* arity for each entry */
    uint32_t *heap;  /* LRU of large sets: ways of a set, a heap by `known`; NULL */
    uint64_t *stamp; /* room for one set's latest uses */
    uint64_t sub_misses;
};

/* What an entry is filled with: the codes of a mosaic page, code NULL: one page that has none. */
struct mosaic_codes {
    uint64_t valid, dirty;
    const uint8_t *code;
};

/* Make a TLB that has no entries yet one of mosaic pages of `arity` (up to 64, a power of two). -ENOMEM. */
int mosaic_tlb_init(struct tlb *t, unsigned arity, const struct emt_arch *arch);
void mosaic_tlb_fini(struct tlb *t);

/* The slot that answers for key, or NULL; `root` is that of the key's address space. Not a use. */
struct tlb_entry *mosaic_tlb_find(struct tlb *t, uint64_t key, const struct emt_root *root);
/* The codes of the entry that a slot belongs to. */
struct mosaic_codes mosaic_tlb_codes(const struct tlb *t, const struct tlb_entry *slot);
/*
 * After a miss: the entry for key, whose page's frame word is `frame` (with flags), is used. *old becomes what was
 * evicted (tag 0: nothing).
 */
struct tlb_entry *mosaic_tlb_insert(struct tlb *t, uint64_t key, const struct mosaic_codes *codes, uint64_t frame,
                                    bool global, struct tlb_entry *old);
/* One page, by its slot; as tlb_drop(). */
void mosaic_tlb_drop(struct tlb *t, struct tlb_entry *slot);
/* As the functions of tlb.h. */
void mosaic_tlb_drop_range(struct tlb *t, uint16_t asid, uint64_t va, uint64_t last);
void mosaic_tlb_drop_asid(struct tlb *t, uint16_t asid);
void mosaic_tlb_drop_all(struct tlb *t, bool globals_too);

#endif
