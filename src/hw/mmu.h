/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The MMU of one core: TLBs, MMU caches and a walker, put together from a machine's description.
 *
 *     va ──> hint ──> L1 TLBs ──miss──> L2 TLBs ──miss──> MMU caches ──> walker ──> data caches ──> memory
 *
 * The hint is no hardware: it remembers in which entry of an L1 TLB a page was found last, so that a hit needs no
 * search. It is checked against the entry itself and so never changes a result (tests/hw compare with it off).
 */
#ifndef EMT_HW_MMU_H
#define EMT_HW_MMU_H

#include "core/mm.h"
#include "hw/cache.h"
#include "hw/histogram.h"
#include "machine/config.h"

struct mmu_stats {
    uint64_t walks, walk_refs, walk_cycles, walk_faults;
    uint64_t walk_refs_served[4]; /* by L1, L2, LLC, memory; all in [3] without data caches */
    uint64_t tlb_cycles;          /* hits in level 2 */
    uint64_t mmu_cache_hits[CFG_MMU_CACHES], mmu_cache_misses[CFG_MMU_CACHES]; /* by place, see mmu_cache_info() */
    /* Walks of loads and stores with a predictor: guessed right, wrong, not guessed, and guessed for what turned
       out to be a page fault. */
    uint64_t guess_right, guess_wrong, guess_none, guess_fault;
    uint64_t hidden_cycles;                         /* of walks behind right guesses */
    uint64_t range_hits, range_misses, range_fills; /* of the range TLB, asked after misses in level 2 */
    uint64_t handler_instructions, handler_writes;  /* of a software-managed TLB's miss handler */
    uint64_t invalidations, flushes;
    uint64_t violations; /* walks that ended since a second dimension has no translation, or forbids the access */
    uint64_t splintered; /* pages of which a TLB got a piece only, as the second dimension's page is smaller */
    struct hw_histogram walk_latency;
};

/* What a translation gives. */
struct mmu_translation {
    uint64_t pa;           /* of the very byte asked for */
    uint32_t fault;        /* 0, or EMT_PF_ code | MMU_FAULT */
    uint32_t cycles;       /* beyond a first-level hit */
    uint32_t flush_cycles; /* of the pipeline, after a wrong guess; nothing hides them */
    bool walked;
};
#define MMU_FAULT     0x80000000u
#define MMU_VIOLATION 0x40000000u /* with MMU_FAULT: in the second dimension, see mmu_violation() */

struct mmu; /* hw/mmu_private.h for the inline hit path */

struct mmu_shared; /* what cores share: L2 TLBs with `shared` */

/* `caches`: where walker reads go; NULL: each costs cfg->flat_ref_cycles. All pointers stay the caller's. */
int mmu_shared_new(struct mmu_shared **out, const struct emt_config *cfg);
void mmu_shared_free(struct mmu_shared *);
int mmu_new(struct mmu **out, unsigned core, const struct emt_config *cfg, const struct emt_arch *arch,
            struct emt_host *host, struct mmu_shared *shared, struct cache_core *caches);
void mmu_free(struct mmu *);

/* Root registers; `asid` tags what is cached. Without ASIDs (cfg->os.asids) this flushes all but global entries. */
void mmu_load_root(struct mmu *, uint16_t asid, const struct emt_root *);
/* Other values for the address space that the core is in: nothing cached is dropped. */
void mmu_update_root(struct mmu *, const struct emt_root *);
/* Invalidate. Returns the number of single invalidations done (0: a whole flush). */
unsigned mmu_flush(struct mmu *, uint16_t asid, const struct emt_flush *);

/* The whole translation of one access. `type`: enum emt_access_type. The access lies in one page. */
void mmu_translate(struct mmu *, uint64_t va, unsigned type, struct mmu_translation *out);

/*
 * Two dimensions. What this MMU's tables call physical is an address that `second` translates: each read of a walk,
 * and its result. TLB entries hold the result of both. Set once, before the first access; the second MMU stays the
 * caller's, who loads its root and flushes it.
 */
void mmu_set_second(struct mmu *, struct mmu *second);
/* After a fault with MMU_VIOLATION: the address that `second` could not translate, and for which access. */
struct mmu_violation {
    uint64_t pa;
    unsigned type;
};
struct mmu_violation mmu_violation(const struct mmu *);
/* A page `w` of the first dimension, around va, that the second translates by `h`: *w becomes what is common to
 * both. */
void mmu_compose(struct emt_walk *w, uint64_t va, const struct emt_walk *h);

/* What the tables say, with no time, A/D or caches touched: for the checker and `emt explain`. */
int mmu_peek(struct mmu *, uint64_t va, unsigned type, struct emt_walk *out);
/* The same of any tables. */
int mmu_peek_tables(const struct emt_arch *arch, const struct emt_host *host, const struct emt_root *root,
                    uint64_t va, unsigned type, struct emt_walk *out);
/* Only for speed: va will be translated soon, and where tables are large our host may fetch what the walk will
 * read. */
void mmu_expect(const struct mmu *, uint64_t va);
/* An ordinary Linux program's access: user mode, and the control bits that Linux sets; no protection keys in use.
 */
struct emt_access mmu_access_of(uint64_t va, unsigned type);

/* Hits, misses and evictions of cfg->tlb[i], added to *sum; a shared one is counted with core 0. */
struct mmu_tlb_counts {
    uint64_t hits, misses, evictions;
};
void mmu_tlb_counts(const struct mmu *, unsigned i, struct mmu_tlb_counts *sum);

/* The MMU cache in place i of the statistics; *name NULL: none is there. false: nor in any place behind. */
bool mmu_cache_info(const struct mmu *, unsigned i, const char **name, uint32_t *entries);

/* Accesses that a direct segment translated. */
uint64_t mmu_segment_hits(const struct mmu *);

const struct mmu_stats *mmu_stats_of(const struct mmu *);
void mmu_reset_stats(struct mmu *);

#endif
