/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One core's MMU: how its TLBs are put together, the way of an access that the inline path does not answer.
 *
 * Which entry a walk fills. Each level takes one entry for the page that was walked, in its first TLB (in order of
 * the description) for this kind of access and page size:
 *   level 1  the largest size that one of its TLBs holds and that lies wholly in the page: a page larger than that
 * is "smashed", a piece of it around the address is kept (AMD's word for 1 GiB pages) level 2  the page's own size,
 * or else the size that level 1 took, or else nothing A hit in level 2 fills level 1 by the same rule.
 *
 * Permissions. An entry that does not allow the access, or a store through one that is not dirty, is dropped and
 * the page is walked again: faults come from tables, never from an entry (as on x86).
 *
 * TLBs of mosaic pages (hw/mosaic_tlb.h) keep the codes that the walk found as well; one in level 1 gets those that
 * level 2 has. A level 2 that is none gives a page alone.
 *
 * Counting. An access that misses a level counts one miss there: in the TLB that is then filled, or, when none is,
 * in the level's first for this kind of access. So the hits and misses of a level's TLBs add up to its lookups.
 */
#include <errno.h>
#include <stdlib.h>

#include "hw/mmu_private.h"
#include "hw/coalesc.h"
#include "hw/mosaic_tlb.h"

/* ---- construction ---- */

int mmu_shared_new(struct mmu_shared **out, const struct emt_config *cfg) {
    struct mmu_shared *s = calloc(1, sizeof(*s));
    int err = s ? 0 : -ENOMEM;
    for (unsigned i = 0; !err && i < cfg->ntlb; i++)
        if (cfg->tlb[i].shared && cfg->tlb[i].level == 2)
            err = tlb_init(&s->tlb[i], &cfg->tlb[i], (uint8_t)i, cfg->seed + i);
    if (err) {
        mmu_shared_free(s);
        s = NULL;
    }
    *out = s;
    return err;
}

void mmu_shared_free(struct mmu_shared *s) {
    for (unsigned i = 0; s && i < CFG_TLBS; i++)
        tlb_fini(&s->tlb[i]);
    free(s);
}

static void level_add(struct mmu_level *level, struct tlb *t) {
    level->tlb[level->n++] = t;
    for (unsigned class = 0; class < TLB_CLASSES; class ++)
        if (t->pages >> class & 1 && !level->holder[class])
            level->holder[class] = t;
}

static int add_tlb(struct mmu *m, unsigned i) {
    const struct cfg_tlb *cfg = &m->cfg->tlb[i];
    uint64_t seed = m->cfg->seed + i + (uint64_t)CFG_TLBS * (m->core + 1);
    struct tlb *t;
    int err = 0;
    if (cfg->level != 1 && cfg->level != 2)
        return -EINVAL;
    if (cfg->level == 1) {
        t = &m->l1[m->nl1];
        err = tlb_init(t, cfg, (uint8_t)m->nl1++, seed);
    } else if (cfg->shared) {
        if (!m->shared || !m->shared->tlb[i].ways)
            return -EINVAL;
        t = &m->shared->tlb[i];
    } else {
        t = &m->l2[m->nl2];
        err = tlb_init(t, cfg, (uint8_t)m->nl2++, seed);
    }
    m->by_config[i] = t;
    const unsigned arity = m->arch->walker->toc_pages ? m->arch->walker->toc_pages(m->arch) : 1;
    if (!err && arity > 1 && cfg->mosaic && (cfg->pages & CFG_PAGE_4K) && !t->mosaic)
        err = mosaic_tlb_init(t, arity, m->arch);
    m->wants_toc |= t->mosaic != NULL;
    if (!err && cfg->coalesce > 1 && m->arch->walker->line_pages && !t->mosaic && !t->group_shift)
        err = coalesc_init(t, cfg->coalesce);
    m->coalesces |= t->group_shift != 0;
    t->several = t->mosaic || t->group_shift;
    for (unsigned kind = 0; kind < MMU_KINDS; kind++) {
        struct mmu_level *level = &m->level[cfg->level - 1][kind];
        if (cfg->holds & (kind == MMU_FETCH ? CFG_TLB_INSTRUCTION : CFG_TLB_DATA))
            level_add(level, t);
    }
    return err;
}

static int add_spot(struct mmu *m) {
    m->spot = calloc(1, sizeof(*m->spot));
    return m->spot ? spot_init(m->spot, &m->cfg->spot) : -ENOMEM;
}

int mmu_new(struct mmu **out, unsigned core, const struct emt_config *cfg, const struct emt_arch *arch,
            struct emt_host *host, struct mmu_shared *shared, struct cache_core *caches) {
    *out = NULL;
    if (core >= CFG_MAX_CORES || cfg->ntlb > CFG_TLBS || cfg->nmmu_cache > CFG_MMU_CACHES)
        return -EINVAL;
    struct mmu *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->core = core;
    m->cfg = cfg;
    m->arch = arch;
    m->host = host;
    m->shared = shared;
    m->data_caches = caches;
    m->asid_key = tlb_asid_key(0);
    m->nowhere.mask = ~0ull;
    for (unsigned i = 0; i < MMU_KINDS * MMU_HINTS; i++)
        m->hint[i / MMU_HINTS][i % MMU_HINTS] = &m->nowhere;
    for (unsigned i = 0; i < MMU_KINDS * MMU_LARGE_HINTS; i++)
        m->large[i / MMU_LARGE_HINTS][i % MMU_LARGE_HINTS] = &m->nowhere;
    int err = 0;
    for (unsigned i = 0; i < cfg->ntlb && !err; i++)
        err = add_tlb(m, i);
    if (!err)
        err = mmu_caches_init(m);
    if (!err)
        err = mmu_ranges_init(m);
    mmu_walk_init(m);
    if (m->wants_toc)
        m->port.toc = &m->toc;
    if (!err && cfg->predictor == CFG_SPOT)
        err = add_spot(m);
    if (err) {
        mmu_free(m);
        return err;
    }
    if (shared)
        shared->core[core] = m;
    *out = m;
    return 0;
}

void mmu_free(struct mmu *m) {
    if (!m)
        return;
    for (unsigned i = 0; i < CFG_TLBS; i++) {
        tlb_fini(&m->l1[i]);
        tlb_fini(&m->l2[i]);
    }
    mmu_caches_fini(m);
    mmu_ranges_fini(m);
    if (m->spot)
        spot_fini(m->spot);
    free(m->spot);
    if (m->shared && m->shared->core[m->core] == m)
        m->shared->core[m->core] = NULL;
    free(m);
}

/* ---- one access ---- */

/* A page, or the piece of one that a TLB takes. `class`: the largest size that fits around the address. */
struct page {
    uint64_t va, pa, bytes, flags;
    bool global;
    int class;
};

/* What TLBs whose entries hold several pages want to know of those around it. */
struct company {
    struct mosaic_codes codes;
    unsigned run; /* of the aligned eight around it, those that a TLB may coalesce with it; as coalesc_insert() */
};

static bool fits(const struct page *p, uint64_t va, unsigned class) {
    uint64_t bytes = 1ull << tlb_class_shift(class), first = va & -bytes;
    return first >= p->va && bytes <= p->bytes && first - p->va <= p->bytes - bytes &&
           !((p->pa - p->va) & (bytes - 1));
}

/* The largest size that fits and that this level holds; -1: none. */
static int held_class(const struct page *p, const struct mmu_level *level) {
    int class = p->class;
    while (class >= 0 && !level->holder[class])
        class --;
    return class;
}

static struct tlb_entry *insert(struct mmu *m, struct tlb *t, const struct page *p, const struct company *with,
                                uint64_t va, unsigned class, struct tlb_entry *old) {
    uint64_t first = va & -(1ull << tlb_class_shift(class)), frame = (p->pa + (first - p->va)) | p->flags;
    uint64_t key = tlb_key(m->asid_key, va);
    if (__builtin_expect(t->several, 0)) {
        if (!t->mosaic)
            return coalesc_insert(t, key, class, with->run, frame, p->global, old);
        if (class == TLB_4K)
            return mosaic_tlb_insert(t, key, &with->codes, frame, p->global, old);
    }
    return tlb_insert(t, key, class, frame, p->global, old);
}

static void drop_range_in_l1(struct mmu *m, uint16_t asid, uint64_t va, uint64_t last) {
    for (unsigned i = 0; i < m->nl1; i++)
        tlb_drop_range(&m->l1[i], asid, va, last);
}

/* An inclusive TLB lost an entry: no level 1 above it may keep it. */
static void back_invalidate(struct mmu *m, const struct tlb *t, const struct tlb_entry *old) {
    uint64_t va = tlb_va(old), last = va + (tlb_bytes(old) - 1);
    bool shared = m->shared && t >= m->shared->tlb && t < m->shared->tlb + CFG_TLBS;
    for (unsigned core = 0; shared && core < CFG_MAX_CORES; core++)
        if (m->shared->core[core])
            drop_range_in_l1(m->shared->core[core], tlb_asid_of(old), va, last);
    if (!shared)
        drop_range_in_l1(m, tlb_asid_of(old), va, last);
}

static void fill_l2(struct mmu *m, enum mmu_kind kind, const struct page *p, const struct company *with,
                    uint64_t va) {
    const struct mmu_level *level = &m->level[1][kind];
    int class = p->class;
    if (class >= 0 && !level->holder[class])
        class = held_class(p, &m->level[0][kind]);
    struct tlb *t = class < 0 ? NULL : level->holder[class];
    if (level->n)
        (t ? t : level->tlb[0])->misses++;
    if (!t)
        return;
    struct tlb_entry old;
    insert(m, t, p, with, va, (unsigned)class, &old);
    if (t->inclusive && old.tag)
        back_invalidate(m, t, &old);
}

static void set_hint(struct mmu *m, enum mmu_kind kind, uint64_t va, struct tlb_entry *e) {
    if (m->no_hint)
        return;
    m->hint[kind][mmu_hint_of(va)] = e;
    if (tlb_class_of(e) != TLB_4K)
        m->large[kind][(va >> 21) % MMU_LARGE_HINTS] = e;
}

static void fill_l1(struct mmu *m, enum mmu_kind kind, const struct page *p, const struct company *with,
                    uint64_t va) {
    const struct mmu_level *level = &m->level[0][kind];
    int class = held_class(p, level);
    struct tlb *t = class < 0 ? NULL : level->holder[class];
    if (level->n)
        (t ? t : level->tlb[0])->misses++;
    if (!t)
        return;
    struct tlb_entry old, *e = insert(m, t, p, with, va, (unsigned)class, &old);
    set_hint(m, kind, va, e);
}

static inline struct tlb_entry *find(const struct mmu *m, struct tlb *t, uint64_t key) {
    if (__builtin_expect(t->several, 0))
        return t->mosaic ? mosaic_tlb_find(t, key, &m->root) : coalesc_find(t, key);
    return tlb_find(t, key);
}

/* The level's entry that answers for va and allows the access; one that does not allow it is dropped. */
static inline __attribute__((always_inline)) struct tlb_entry *lookup(struct mmu *m, unsigned level, unsigned type,
                                                                      uint64_t va, struct tlb **where) {
    const struct mmu_level *l = &m->level[level - 1][mmu_kind_of(type)];
    uint64_t key = tlb_key(m->asid_key, va), needs = mmu_needs(type);
    for (unsigned i = 0; i < l->n; i++) {
        struct tlb_entry *e = l->tlb[i]->used ? find(m, l->tlb[i], key) : NULL;
        if (!e)
            continue;
        if ((e->frame & needs) != needs) {
            if (l->tlb[i]->mosaic)
                mosaic_tlb_drop(l->tlb[i], e);
            else if (l->tlb[i]->group_shift)
                coalesc_drop(l->tlb[i], e);
            else
                tlb_drop(l->tlb[i], e);
            continue;
        }
        *where = l->tlb[i];
        return e;
    }
    return NULL;
}

/* lookup() in level 2. A large set is long to search, so loads and stores look first where the page was last. */
static struct tlb_entry *lookup_l2(struct mmu *m, unsigned type, uint64_t va, struct tlb **where) {
    struct tlb *first = m->level[1][MMU_DATA].tlb[0];
    uint16_t *hint = &m->l2_hint[(va >> 12 ^ va >> 24) % MMU_L2_HINTS];
    uint64_t needs = mmu_needs(type);

    if (type == EMT_FETCH || m->no_hint || !first || first->mosaic)
        return lookup(m, 2, type, va, where);
    struct tlb_entry *e = first->entry + *hint;
    if (tlb_match(e, tlb_key(m->asid_key, va)) && (e->frame & needs) == needs) {
        *where = first;
        return e;
    }
    e = lookup(m, 2, type, va, where);
    if (e && *where == first)
        *hint = (uint16_t)(e - first->entry); /* of more than 2^16 entries some are searched for each time */
    return e;
}

static void no_fill(struct mmu *m, enum mmu_kind kind) {
    for (unsigned level = 0; level < 2; level++)
        if (m->level[level][kind].n)
            m->level[level][kind].tlb[0]->misses++;
}

/*
 * The predictor was asked before the walk and hears its result after it; asked now it says the same. A page fault
 * ends the speculation by itself: the exception empties the pipeline and pays for that.
 */
static void verify_guess(struct mmu *m, uint64_t va, unsigned type, const struct emt_walk *w,
                         struct mmu_translation *out) {
    uint64_t pa;
    const bool guessed = m->pc && spot_guess(m->spot, m->pc, va, type == EMT_STORE, &pa);

    if (!guessed) {
        m->stats.guess_none++;
    } else if (w->fault) {
        m->stats.guess_fault++;
    } else if (pa == w->pa + (va - w->va)) {
        m->stats.guess_right++;
        m->stats.hidden_cycles += out->cycles;
        out->cycles = 0;
    } else {
        m->stats.guess_wrong++;
        out->flush_cycles = m->cfg->spot.flush_cycles;
    }
    if (!w->fault && m->pc)
        spot_learn(m->spot, m->pc, w);
}

/* What the walk's last line says of the pages beside: which lie at the same distance, with equal attributes? */
static unsigned neighbours(struct mmu *m, uint64_t va, const struct emt_walk *w) {
    unsigned run = 0;

    for (unsigned i = 0; i < COALESC_MAX; i++) {
        const uint64_t at = (va & -(COALESC_MAX * EMT_PAGE_BYTES)) + i * EMT_PAGE_BYTES;
        struct emt_walk n = {0};
        if (at == w->va || mmu_peek(m, at, EMT_LOAD, &n) || n.fault || n.bytes != EMT_PAGE_BYTES || !n.accessed)
            continue;
        run |= (unsigned)(n.pa - n.va == w->pa - w->va && n.write == w->write && n.exec == w->exec &&
                          n.user == w->user && n.global == w->global && n.dirty == w->dirty &&
                          n.cache_mode == w->cache_mode && n.pkey == w->pkey)
               << i;
    }
    return run;
}

static __attribute__((noinline)) void translate_by_walk(struct mmu *m, uint64_t va, unsigned type,
                                                        struct mmu_translation *out, struct page *found) {
    struct emt_walk w = {0};
    enum mmu_kind kind = mmu_kind_of(type);
    out->cycles = mmu_walk(m, va, type, &w);
    out->walked = true;
    if (m->spot && kind == MMU_DATA)
        verify_guess(m, va, type, &w, out);
    if (w.fault) {
        out->fault = w.code | MMU_FAULT;
        no_fill(m, kind);
        return;
    }
    uint64_t flags = (w.write ? TLB_WRITE : 0) | (w.dirty ? TLB_DIRTY : 0) | (w.exec ? TLB_EXEC : 0) |
                     (w.contig ? TLB_CONTIG : 0);
    struct page page = {w.va, w.pa, w.bytes, flags, w.global, TLB_CLASSES - 1};
    struct company with = {{0}, 0};
    if (m->toc.valid)
        with.codes = (struct mosaic_codes){m->toc.valid, m->toc.dirty, m->toc.code};
    while (page.class >= 0 && !fits(&page, va, (unsigned)page.class))
        page.class --;
    if (m->coalesces && w.bytes == EMT_PAGE_BYTES)
        with.run = neighbours(m, va, &w);
    out->pa = w.pa + (va - w.va);
    *found = page;
    fill_l2(m, kind, &page, &with, va); /* first: it may evict, and take level 1's copy along */
    fill_l1(m, kind, &page, &with, va);
}

/* Both were asked at once, and level 2 had nothing. A page of 4 KiB around the address goes into level 1. */
static __attribute__((noinline)) bool translate_by_range(struct mmu *m, uint64_t va, unsigned type,
                                                         struct mmu_translation *out, struct page *found) {
    const struct emt_range *r = range_tlb_find(m->range_tlb, m->asid, va);
    const struct mmu_level *second = &m->level[1][mmu_kind_of(type)];
    uint64_t flags;

    if (!r || !mmu_range_allows(r, type, &flags)) {
        m->stats.range_misses++;
        return false;
    }
    m->stats.range_hits++;
    m->stats.tlb_cycles += m->cfg->range_tlb_cycles;
    out->cycles = m->cfg->range_tlb_cycles;
    out->pa = r->pa + (va - r->va);
    if (second->n)
        second->tlb[0]->misses++;
    const struct page page = {
        va & -EMT_PAGE_BYTES, out->pa & -EMT_PAGE_BYTES, EMT_PAGE_BYTES, flags, r->global, TLB_4K};
    fill_l1(m, mmu_kind_of(type), &page, &(const struct company){{0}, 0}, va);
    *found = (struct page){r->va, r->pa, r->last - r->va + 1, flags};
    return true;
}

static inline struct page page_of(const struct tlb_entry *e) {
    return (struct page){tlb_va(e),        tlb_page_pa(e),      tlb_bytes(e), e->frame & TLB_FLAGS,
                         tlb_is_global(e), (int)tlb_class_of(e)};
}

/* Entries of several pages, or a page that level 1 takes a piece of. */
static __attribute__((noinline)) void fill_l1_otherwise(struct mmu *m, enum mmu_kind kind, const struct tlb *t,
                                                        const struct tlb_entry *e, uint64_t va) {
    const struct page page = page_of(e);
    struct company with = {{0}, 0};

    if (t->mosaic)
        with.codes = mosaic_tlb_codes(t, e);
    if (t->group_shift && !page.class)
        with.run = coalesc_run(t, e);
    fill_l1(m, kind, &page, &with, va);
}

/* What most do that miss level 1: the page of level 2's entry as it is. */
static inline void fill_l1_from_l2(struct mmu *m, enum mmu_kind kind, const struct tlb *t,
                                   const struct tlb_entry *e, uint64_t va) {
    const unsigned class = tlb_class_of(e);
    struct tlb *to = m->level[0][kind].holder[class];
    struct tlb_entry old;

    if (__builtin_expect(!to || to->several || t->several, 0)) {
        fill_l1_otherwise(m, kind, t, e, va);
        return;
    }
    to->misses++;
    set_hint(m, kind, va,
             tlb_insert(to, tlb_key(m->asid_key, va), class, tlb_page_pa(e) | (e->frame & TLB_FLAGS),
                        tlb_is_global(e), &old));
}

/* *found: the page that answered, unless it faults. Inlined: who does not ask for it pays nothing for it. */
static inline __attribute__((always_inline)) void translate_slow(struct mmu *m, uint64_t va, unsigned type,
                                                                 struct mmu_translation *out, struct page *found) {
    enum mmu_kind kind = mmu_kind_of(type);
    struct tlb *t;
    *out = (struct mmu_translation){0};
    if (__builtin_expect(m->has_segment, 0) && !m->second && mmu_segment_hit(m, va, type, &out->pa)) {
        const struct emt_range *r = &m->segment.range;
        uint64_t flags;
        mmu_range_allows(r, type, &flags);
        *found = (struct page){r->va, r->pa, r->last - r->va + 1, flags};
        return;
    }
    struct tlb_entry *e = lookup(m, 1, type, va, &t);
    if (e) {
        tlb_touch(t, e);
        set_hint(m, kind, va, e);
        out->pa = tlb_pa(e, va);
        *found = page_of(e);
        return;
    }
    e = lookup_l2(m, type, va, &t);
    if (!e) {
        if (!m->range_tlb || !translate_by_range(m, va, type, out, found))
            translate_by_walk(m, va, type, out, found);
        return;
    }
    tlb_touch(t, e);
    m->stats.tlb_cycles += t->hit_cycles;
    out->cycles = t->hit_cycles;
    out->pa = tlb_pa(e, va);
    fill_l1_from_l2(m, kind, t, e, va);
    *found = page_of(e);
}

void mmu_translate(struct mmu *m, uint64_t va, unsigned type, struct mmu_translation *out) {
    if (mmu_translate_fast(m, va, type, &out->pa)) {
        out->fault = out->cycles = out->flush_cycles = 0;
        out->walked = false;
        return;
    }
    mmu_translate_slow(m, va, type, out);
}

void mmu_translate_slow(struct mmu *m, uint64_t va, unsigned type, struct mmu_translation *out) {
    struct page page;
    translate_slow(m, va, type, out, &page);
}

void mmu_translate_page(struct mmu *m, uint64_t va, unsigned type, struct mmu_translation *out,
                        struct emt_walk *w) {
    struct page page = {0};
    translate_slow(m, va, type, out, &page);
    *w = (struct emt_walk){.fault = out->fault != 0,
                           .va = page.va,
                           .pa = page.pa,
                           .bytes = page.bytes,
                           .write = page.flags & TLB_WRITE,
                           .dirty = page.flags & TLB_DIRTY,
                           .exec = page.flags & TLB_EXEC,
                           .accessed = true,
                           .contig = page.flags & TLB_CONTIG};
}

struct tlb_entry *mmu_l1_entry(struct mmu *m, uint64_t va, unsigned type) {
    enum mmu_kind kind = mmu_kind_of(type);
    uint64_t key = tlb_key(m->asid_key, va);
    struct tlb_entry *e = m->hint[kind][mmu_hint_of(va)];
    if (tlb_match(e, key))
        return e;
    e = NULL;
    for (unsigned i = 0; i < m->level[0][kind].n && !e; i++)
        e = find(m, m->level[0][kind].tlb[i], key);
    return e;
}

/* ---- roots and flushes ---- */

void mmu_load_root(struct mmu *m, uint16_t asid, const struct emt_root *root) {
    m->root = *root;
    m->asid = asid;
    m->asid_key = tlb_asid_key(asid);
    mmu_segment_load(m, true);
    if (m->cfg->os.asids)
        return;
    for (unsigned i = 0; i < m->cfg->ntlb; i++)
        tlb_drop_all(m->by_config[i], false);
    mmu_caches_drop_all(m);
    if (m->range_tlb)
        range_tlb_drop_all(m->range_tlb, false);
    m->stats.flushes++;
}

void mmu_update_root(struct mmu *m, const struct emt_root *root) {
    m->root = *root;
    mmu_segment_load(m, false);
}

/* A range goes from the TLBs by its addresses; what MMU caches lose is in hw/mmu_caches.c. */
static unsigned flush_range(struct mmu *m, uint16_t asid, const struct emt_flush *f) {
    uint64_t stride = f->stride ? f->stride : EMT_PAGE_BYTES;
    uint64_t last = f->va + (f->bytes - 1), n = (f->bytes - 1) / stride + 1;
    if (!f->bytes)
        return 0;
    if (last < f->va)
        last = ~0ull;
    for (unsigned i = 0; i < m->cfg->ntlb; i++)
        tlb_drop_range(m->by_config[i], asid, f->va, last);
    mmu_caches_drop_range(m, asid, f->va, last);
    if (m->range_tlb)
        range_tlb_drop_range(m->range_tlb, asid, f->va, last);
    m->stats.invalidations += n;
    return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

unsigned mmu_flush(struct mmu *m, uint16_t asid, const struct emt_flush *f) {
    if (f->kind == EMT_FLUSH_RANGE)
        return flush_range(m, asid, f);
    for (unsigned i = 0; i < m->cfg->ntlb; i++) {
        if (f->kind == EMT_FLUSH_ALL)
            tlb_drop_all(m->by_config[i], true);
        else
            tlb_drop_asid(m->by_config[i], asid);
    }
    if (f->kind == EMT_FLUSH_ALL)
        mmu_caches_drop_all(m);
    else
        mmu_caches_drop_asid(m, asid);
    if (m->range_tlb && f->kind == EMT_FLUSH_ALL)
        range_tlb_drop_all(m->range_tlb, true);
    else if (m->range_tlb)
        range_tlb_drop_asid(m->range_tlb, asid);
    m->stats.flushes++;
    return 0;
}

/* ---- statistics ---- */

const struct mmu_stats *mmu_stats_of(const struct mmu *m) {
    return &m->stats;
}

void mmu_tlb_counts(const struct mmu *m, unsigned i, struct mmu_tlb_counts *sum) {
    const struct tlb *t = m->by_config[i];
    if (m->cfg->tlb[i].shared && m->cfg->tlb[i].level == 2 && m->core != 0)
        return;
    sum->hits += t->clock - t->fills;
    sum->misses += t->misses;
    sum->evictions += t->evictions;
}

bool mmu_cache_info(const struct mmu *m, unsigned i, const char **name, uint32_t *entries) {
    if (i >= m->ncache)
        return false;
    *name = m->cache_name[i];
    *entries = m->cache[i].sets * m->cache[i].ways;
    return true;
}

void mmu_reset_stats(struct mmu *m) {
    m->stats = (struct mmu_stats){0};
    m->l1[MMU_SEGMENT_TLB].clock = 0;
    for (unsigned i = 0; i < m->cfg->ntlb; i++)
        tlb_reset_counts(m->by_config[i]);
}
