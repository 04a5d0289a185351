/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of struct mmu, and the inline path of a first-level hit: one load from the hint, one masked compare, the
 * stamp of the last use. No lock, no allocation, no call.
 */
#ifndef EMT_HW_MMU_PRIVATE_H
#define EMT_HW_MMU_PRIVATE_H

#include "hw/mmu.h"
#include "hw/mmu_cache.h"
#include "hw/range_tlb.h"
#include "hw/spot.h"
#include "hw/tlb.h"

#define MMU_HINTS       256 /* by 4 KiB page */
#define MMU_LARGE_HINTS 64  /* by 2 MiB, for entries of large pages */
#define MMU_L2_HINTS    4096

/* Place behind the L1 TLBs: what counts hits of the segment. */
#define MMU_SEGMENT_TLB CFG_TLBS
static_assert(MMU_SEGMENT_TLB <= TLB_INDEX, "its index fits into an entry");

enum mmu_kind { MMU_DATA, MMU_FETCH, MMU_KINDS };

/* The TLBs of one level that one kind of access looks into. */
struct mmu_level {
    struct tlb *tlb[CFG_TLBS]; /* in the order of the description */
    unsigned n;
    struct tlb *holder[TLB_CLASSES]; /* the first of them that holds pages of this size; NULL: none */
};

/* The reads of a walk that were made together last and waited for; one without company is a group too. */
#define GROUP_READS 16
struct read_group {
    unsigned n;
    uint32_t slowest; /* cycles */
    struct {
        uint64_t pa;
        uint32_t bytes, cycles;
    } read[GROUP_READS]; /* the first n of them */
};

struct mmu {
    uint64_t asid_key;                            /* of the current address space, see tlb_key() */
    struct tlb_entry *hint[MMU_KINDS][MMU_HINTS]; /* where the page was last; checked, so may be out of date */
    struct tlb_entry *large[MMU_KINDS][MMU_LARGE_HINTS];
    uint16_t l2_hint[MMU_L2_HINTS]; /* likewise, number of an entry in the first second-level TLB for data */
    struct tlb l1[CFG_TLBS + 1];    /* by tlb.index; the last is no TLB, see MMU_SEGMENT_TLB */
    struct tlb l2[CFG_TLBS];
    unsigned nl1, nl2;
    struct mmu_level level[2][MMU_KINDS];
    struct tlb *by_config[CFG_TLBS]; /* of cfg->tlb[i] */
    struct tlb_entry nowhere;        /* matches nothing: where unused hints point */
    bool coalesces;   /* a TLB whose entries hold several pages is there, and the tables are for it */
    bool wants_toc;   /* a TLB of mosaic pages is there */
    bool has_segment; /* the architecture translates by registers as well */
    bool no_hint;     /* test: search each time */

    struct mmu_cache cache[CFG_MMU_CACHES];
    const char *cache_name[CFG_MMU_CACHES]; /* NULL: nothing is kept in this place */
    uint8_t cache_at[CFG_MMU_CACHES]; /* place of number n in arch->walker->caches; its own, or a shared one */
    unsigned ncache;                  /* arch->walker->ncaches */
    bool has_caches;                  /* one of them has entries */
    uint32_t lookup_cycles;           /* of those that are looked up at once, before the first read */
    struct emt_port port;             /* how this machine walks */
    struct mmu *second;               /* NULL: addresses in the tables are those of memory */
    struct mmu_violation violation;   /* the last one in `second` */
    bool violated;                    /* in this walk */
    uint32_t violation_cycles;        /* of the read that it ended in */
    struct emt_walk second_page;      /* where this walk's last read was; bytes 0: nowhere yet */

    struct read_group group;     /* of this walk */
    struct emt_toc toc;          /* where walks put what they learn of neighbours, if a TLB wants it */
    struct range_tlb *range_tlb; /* NULL: there is none */
    struct {
        struct emt_range range;            /* what registers translate */
        struct tlb_entry entry[MMU_HINTS]; /* of no TLB: pieces of it for the hints, by mmu_hint_of() */
    } segment;

    struct spot *spot; /* NULL: nobody guesses */
    uint64_t pc;       /* of the access that mmu_translate() is asked for; 0: not known. Only predictors look */

    unsigned core;
    uint16_t asid;
    struct emt_root root;
    const struct emt_config *cfg;
    const struct emt_arch *arch;
    struct emt_host *host;
    struct cache_core *data_caches;
    struct mmu_shared *shared;
    struct mmu_stats stats;
};

struct mmu_shared {
    struct tlb tlb[CFG_TLBS]; /* by index in cfg->tlb; ways == 0: not a shared one */
    struct mmu *core[CFG_MAX_CORES];
};

/* Arrays that lie a power of two apart are common and used together: the VPN's upper bits keep them apart here. */
static inline unsigned mmu_hint_of(uint64_t va) {
    return (unsigned)(va >> 12 ^ va >> 19 ^ va >> 25) % MMU_HINTS;
}

static inline enum mmu_kind mmu_kind_of(unsigned type) {
    return type == EMT_FETCH ? MMU_FETCH : MMU_DATA;
}

/* What an entry must allow. A store also needs the dirty bit: the first one to a clean page walks and sets it. */
static inline uint64_t mmu_needs(unsigned type) {
    /* No branch: loads and stores alternate in ways that the host cannot predict. */
    uint64_t store = -(uint64_t)(type == EMT_STORE), fetch = -(uint64_t)(type == EMT_FETCH);

    return (store & (TLB_WRITE | TLB_DIRTY)) | (fetch & TLB_EXEC);
}

/*
 * A hit in a first-level TLB whose place the hint knows; *pa (unless pa is NULL) gets the physical address. false
 * means that mmu_translate_slow() must do it; nothing has changed then. Pass a constant `type`.
 */
static inline bool mmu_translate_fast(struct mmu *m, uint64_t va, unsigned type, uint64_t *pa) {
    struct tlb_entry *e = m->hint[mmu_kind_of(type)][mmu_hint_of(va)];
    uint64_t key = tlb_key(m->asid_key, va);
    if (__builtin_expect(!tlb_match(e, key), 0)) {
        e = m->large[mmu_kind_of(type)][(va >> 21) % MMU_LARGE_HINTS];
        if (!tlb_match(e, key))
            return false;
        m->hint[mmu_kind_of(type)][mmu_hint_of(va)] = e;
    }
    uint64_t needs = mmu_needs(type);
    if (needs && __builtin_expect((e->frame & needs) != needs, 0))
        return false;
    tlb_touch(&m->l1[e->frame & TLB_INDEX], e);
    if (pa)
        *pa = tlb_pa(e, va);
    return true;
}

/* mmu_translate() for an access that the inline path did not answer. */
void mmu_translate_slow(struct mmu *m, uint64_t va, unsigned type, struct mmu_translation *out);

/* hw/mmu_caches.c; m->cfg, arch and core are set. -EINVAL, -ENOMEM; fini also after an error. */
int mmu_caches_init(struct mmu *m);
void mmu_caches_fini(struct mmu *m);
void mmu_caches_drop_all(struct mmu *m);
void mmu_caches_drop_asid(struct mmu *m, uint16_t asid);
void mmu_caches_drop_range(struct mmu *m, uint16_t asid, uint64_t va, uint64_t last);

/* hw/mmu_ranges.c; m->cfg, arch and core are set. -ENOMEM; fini also after an error. */
int mmu_ranges_init(struct mmu *m);
void mmu_ranges_fini(struct mmu *m);
/* Does a range allow this access? *flags: TLB_FLAGS of a page of it. */
bool mmu_range_allows(const struct emt_range *r, unsigned type, uint64_t *flags);
/* m->root is new. `switched`: of another address space, perhaps. */
void mmu_segment_load(struct mmu *m, bool switched); /* and how a range TLB chooses sets */
/* The segment answers for this access: then *pa is the answer. */
bool mmu_segment_hit(struct mmu *m, uint64_t va, unsigned type, uint64_t *pa);

/* After mmu_caches_init() and mmu_ranges_init(): choose how walks read. */
void mmu_walk_init(struct mmu *m);
/* One walk over the tables; fills *w and adds time and references to the statistics. Returns cycles. */
uint32_t mmu_walk(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *w);

/* mmu_second.c: an address of the tables becomes one of memory. false: a violation, which ends the walk. */
bool mmu_second_address(struct mmu *m, uint64_t *pa, unsigned type, uint32_t *cycles);
/* mmu_second.c: the page that a walk found becomes one of memory, or a violation. */
void mmu_second_page(struct mmu *m, uint64_t va, unsigned type, struct emt_walk *w, uint32_t *cycles);
/* mmu.c: as mmu_translate(), past the inline path; also tells the page, or the piece of one that a TLB holds. */
void mmu_translate_page(struct mmu *m, uint64_t va, unsigned type, struct mmu_translation *out,
                        struct emt_walk *page);

/* The first-level entry that answers for va now, or NULL. Not a use. */
struct tlb_entry *mmu_l1_entry(struct mmu *m, uint64_t va, unsigned type);

#endif
