/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of elastic cuckoo page tables (ASPLOS'20, sections 4.4 and 5).
 *
 *     va ──> CWCs: which sizes, which way? ──> one group of parallel probes ──> a line with the tag ──> entry ──>
 * page │ do not know: all ways of all sizes         │ no line └─ fetched afterwards, in the background <── └─>
 * everything not probed yet ──> fault
 *
 *     direct walk    one probe: the way of a huge page's line is known
 *     size walk      the d ways of one size
 *     partial walk   of some sizes: direct for the one, by size for the other
 *     complete walk  the d ways of all sizes that the process uses
 *
 * The cuckoo walk caches (CWC) are not coherent: what they say decides where to look first, never that there is
 * nothing. Two equal lines may exist while one is moved; the walker takes either.
 */
#include "emt/driver.h"
#include "mmu/ecpt/format.h"
#include "mmu/x86/access.h"

extern const struct emt_walker_ops ecpt_walker;

enum { CWC_PMD, CWC_PUD };

static const struct emt_mmu_cache caches[] = {
    [CWC_PMD] = {.name = "cwc-pmd", .key_shift = 30, .words = ECPT_CWT_PLANES},
    [CWC_PUD] = {.name = "cwc-pud", .key_shift = 39, .words = ECPT_CWT_PLANES},
};
_Static_assert(ECPT_CWT_PLANES <= EMT_MMU_CACHE_WORDS, "a walk cache keeps all planes of a line");

#define NAMES(table)                                                                                               \
    {                                                                                                              \
        {table " way 0", table " way 1", table " way 2", table " way 3"}, {                                        \
            table " new way 0", table " new way 1", table " new way 2", table " new way 3"                         \
        }                                                                                                          \
    }
static const char *const names[ECPT_TABLES][2][ECPT_MAX_WAYS] = {NAMES("PTE"), NAMES("PMD"), NAMES("PUD"),
                                                                 NAMES("PMD-CWT"), NAMES("PUD-CWT")};

#define MAX_PROBES (ECPT_SIZES * ECPT_MAX_WAYS * 2)

/* A walk under way. */
struct walk {
    const struct emt_arch *arch;
    const struct emt_root *root;
    const struct emt_access *a;
    struct emt_port *port;
    unsigned asked[ECPT_SIZES]; /* bit way, | bit 4 + way for new arrays: probed already */
    enum ecpt_table table;      /* ECPT_TABLES: no line has an object for the address */
    uint64_t pa, word;          /* where it is, and what it says */
    unsigned digested;          /* bit 2 x table + bank: there is a */
    uint64_t digest[ECPT_TABLES][2];
};

/* ---- probes ---- */

static uint64_t slot_in(struct walk *w, uint64_t array, enum ecpt_table t, unsigned way) {
    const uint64_t family = w->arch->param[ECPT_PARAM_HASH];
    const unsigned bank = ecpt_array_bank(array), bit = 1u << (2 * t + bank);

    if (!(w->digested & bit))
        w->digest[t][bank] = ecpt_digest(family, bank, ecpt_key(t, w->a->va));
    w->digested |= bit;
    return ecpt_array_slot(array, family, way, w->digest[t][bank]);
}

/* The array in which a tag is looked up; `other`: also, when the registers may be older than the tables. Returns
   whether it is the new one. */
static bool probe(struct walk *w, enum ecpt_table t, unsigned way, bool other, struct emt_fetch *f) {
    const uint64_t *reg = &w->root->word[t * ECPT_REGISTERS];
    const uint64_t p = reg[2 * ECPT_MAX_WAYS + way / 2] >> 32 * (way % 2) & 0xffffffff;
    uint64_t array = reg[way], slot = slot_in(w, array, t, way);
    const bool fresh = (slot < p) != other;

    if (fresh) {
        array = reg[ECPT_MAX_WAYS + way];
        slot = array ? slot_in(w, array, t, way) : 0;
    }
    /* One by one: to clear the data first takes longer than the rest. */
    f->pa = array ? ecpt_array_pa(array) + slot * ECPT_LINE_BYTES : EMT_NO_PA;
    f->words = ECPT_WORDS;
    f->level = (uint8_t)(t % ECPT_SIZES + 1);
    f->table = names[t][fresh][way];
    f->index = slot;
    f->background = false;
    return fresh;
}

static bool has_array(const struct walk *w, enum ecpt_table t) {
    return w->root->word[t * ECPT_REGISTERS] != 0;
}

/* No resize, so one array, and that is not the other one, or was probed before: known without the hash function. */
static bool nothing_new(const struct walk *w, enum ecpt_table t, unsigned way, bool other) {
    return !w->root->word[t * ECPT_REGISTERS + ECPT_MAX_WAYS + way] && (other || w->asked[t] >> way & 1);
}

/*
 * Probe the ways in `plan`, a mask for each size; `other`: those arrays that the registers do not point to now.
 * What has been probed before is left out. One group.
 */
static int probe_group(struct walk *w, const unsigned plan[ECPT_SIZES], bool other) {
    struct emt_fetch f[MAX_PROBES];
    enum ecpt_table table[MAX_PROBES];
    unsigned n = 0;

    for (enum ecpt_table t = 0; t < ECPT_SIZES; t++) {
        for (unsigned way = 0; way < w->arch->param[0] && has_array(w, t); way++) {
            if (!(plan[t] >> way & 1) || nothing_new(w, t, way, other))
                continue;
            const bool fresh = probe(w, t, way, other, &f[n]);
            const unsigned bit = 1u << (way + (fresh ? ECPT_MAX_WAYS : 0));
            if (f[n].pa == EMT_NO_PA || w->asked[t] & bit)
                continue;
            w->asked[t] |= bit;
            table[n++] = t;
        }
    }
    int err = n ? w->port->fetch(w->port, f, n) : 0;
    for (unsigned i = 0; i < n && err >= 0; i++) {
        const uint64_t word = f[i].data[ecpt_index(table[i], w->a->va)];

        if (!ecpt_line_is(table[i], f[i].data, ecpt_key(table[i], w->a->va)) || !ecpt_is_object(word))
            continue;
        w->table = table[i];
        w->pa = f[i].pa + 8 * ecpt_index(table[i], w->a->va);
        w->word = word;
    }
    return err;
}

/* ---- cuckoo walk caches ---- */

/* What the CWCs know. */
struct hints {
    bool pmd, pud; /* hit */
    unsigned plan[ECPT_SIZES];
};

static unsigned all_ways(const struct walk *w) {
    return (1u << w->arch->param[0]) - 1;
}

/* All ways of all sizes that the process uses: a complete walk. */
static void plan_complete(const struct walk *w, unsigned plan[ECPT_SIZES]) {
    for (unsigned t = 0; t < ECPT_SIZES; t++)
        plan[t] = w->root->word[ECPT_ROOT_SIZES] >> t & 1 ? all_ways(w) : 0;
}

static bool cached(const struct walk *w, unsigned cache, enum ecpt_table cwt, struct ecpt_header *h) {
    uint64_t value[ECPT_CWT_PLANES];

    if (w->a->peek || !w->port->cache_get ||
        !w->port->cache_get(w->port, cache, w->a->va >> caches[cache].key_shift, value))
        return false;
    *h = ecpt_header(value, ecpt_section(cwt, w->a->va));
    return true;
}

/* ASPLOS'20, section 5.2: both caches at once; a section with 4 KiB pages alone needs no PMD-CWC. */
static struct hints ask_caches(const struct walk *w) {
    struct ecpt_header pud, pmd;
    struct hints h = {.pud = cached(w, CWC_PUD, ECPT_PUD_CWT, &pud), .pmd = cached(w, CWC_PMD, ECPT_PMD_CWT, &pmd)};

    plan_complete(w, h.plan);
    if (h.pud) {
        h.plan[ECPT_PUD] = pud.has >> ECPT_PUD & 1 ? 1u << pud.way : 0;
        h.plan[ECPT_PMD] = pud.has >> ECPT_PMD & 1 ? all_ways(w) : 0;
        h.plan[ECPT_PTE] = pud.has >> ECPT_PTE & 1 ? all_ways(w) : 0;
        if (pud.has == 1u << ECPT_PTE) {
            h.pmd = true; /* nobody misses it */
            return h;
        }
    }
    if (h.pmd) {
        if (!h.pud)
            h.plan[ECPT_PUD] = 0;
        h.plan[ECPT_PMD] = pmd.has >> ECPT_PMD & 1 ? 1u << pmd.way : 0;
        h.plan[ECPT_PTE] = pmd.has >> ECPT_PTE & 1 ? all_ways(w) : 0;
    }
    return h;
}

/* After the walk, while nobody waits: the lines that were missed, or that proved out of date. */
static int refill(struct walk *w, bool pmd, bool pud) {
    static const enum ecpt_table cwt[] = {[CWC_PMD] = ECPT_PMD_CWT, [CWC_PUD] = ECPT_PUD_CWT};
    struct emt_fetch f[2 * ECPT_CWT_WAYS];
    unsigned cache[2 * ECPT_CWT_WAYS], n = 0;

    if (w->a->peek || !w->port->cache_put)
        return 0;
    for (unsigned c = CWC_PMD; c <= CWC_PUD; c++) {
        for (unsigned way = 0; way < ECPT_CWT_WAYS && (c == CWC_PMD ? pmd : pud) && has_array(w, cwt[c]); way++) {
            probe(w, cwt[c], way, false, &f[n]);
            f[n].background = true;
            cache[n++] = c;
        }
    }
    int err = n ? w->port->fetch(w->port, f, n) : 0;
    for (unsigned i = 0; i < n && err >= 0; i++)
        if (ecpt_line_is(cwt[cache[i]], f[i].data, ecpt_key(cwt[cache[i]], w->a->va)))
            w->port->cache_put(w->port, cache[i], w->a->va >> caches[cache[i]].key_shift, f[i].data);
    return err;
}

/* Everything that was not probed yet: first where the registers point, then the other arrays of a resize. */
static int probe_rest(struct walk *w) {
    unsigned all[ECPT_SIZES];

    plan_complete(w, all);
    int err = probe_group(w, all, false);
    return err < 0 || w->table != ECPT_TABLES ? err : probe_group(w, all, true);
}

/*
 * Where is the translation? Fills table, pa and word of the walk. The probes of a group do not happen in one
 * moment: a line that another processor kicks from a way that is probed late to one that was probed early is
 * missed. So a walk faults only when a second complete probe finds nothing either.
 */
static int find(struct walk *w) {
    struct hints h = ask_caches(w);
    const bool guided = h.pmd || h.pud;

    int err = probe_group(w, h.plan, false);
    const bool stale = guided && w->table == ECPT_TABLES;
    if (err >= 0 && w->table == ECPT_TABLES)
        err = probe_rest(w);
    if (err >= 0 && w->table == ECPT_TABLES) {
        for (unsigned t = 0; t < ECPT_SIZES; t++)
            w->asked[t] = 0;
        err = probe_rest(w);
    }
    if (err < 0)
        return err;
    const bool huge = w->root->word[ECPT_ROOT_SIZES] >> ECPT_PUD & 1;
    return refill(w, stale || !h.pmd, stale || (!h.pud && (huge || !h.pmd)));
}

/* ---- what it allows ---- */

static void fill_page(struct emt_walk *out, const struct walk *w) {
    out->bytes = 1ull << ecpt_entry_shift(w->table);
    out->va = w->a->va & ~(out->bytes - 1);
    out->pa = w->word & ecpt_frame_mask(w->table);
    out->write = ECPT_GET(w->word, RW);
    out->user = ECPT_GET(w->word, US);
    out->exec = !ECPT_GET(w->word, NX);
    out->global = ECPT_GET(w->word, G);
    out->dirty = ECPT_GET(w->word, D);
    out->contig = ECPT_GET(w->word, CONTIG);
    out->accessed = ECPT_GET(w->word, A);
    out->cache_mode = (uint8_t)ecpt_cache_mode(w->word);
    out->pkey = (uint8_t)ECPT_GET(w->word, PK);
    out->entry = w->pa;
}

/* Bits that must be zero in a present entry. */
static uint64_t reserved(const struct walk *w) {
    const uint64_t low = ECPT_MASK(FRAME) & ~ecpt_frame_mask(w->table);

    return w->word & (low | (w->a->nx ? 0 : ECPT_MASK(NX)));
}

/*
 * An entry that changes between its read and the setting of A or D, or that is elsewhere by then, is looked for
 * again; every such turn needs somebody else's store, so the loop ends.
 */
static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    *out = (struct emt_walk){.va = a->va};
    if (!ecpt_canonical(a->va))
        return x86_fault(out, 0); /* as x86-64, which raises #GP(0) here: no bit of a code fits */
    for (;;) {
        struct walk w = {.arch = arch, .root = root, .a = a, .port = port, .table = ECPT_TABLES};
        int err = find(&w);

        if (err < 0)
            return err;
        if (w.table == ECPT_TABLES || !(w.word & ECPT_MASK(P)))
            return x86_fault(out, x86_access_code(a));
        if (reserved(&w))
            return x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);
        fill_page(out, &w);
        if (x86_denies(out, a))
            return 0;
        const uint64_t used = w.word | ECPT_MASK(A) | (a->type == EMT_STORE ? ECPT_MASK(D) : 0);
        if (a->peek)
            return 0;
        out->dirty = ECPT_GET(used, D);
        if (used == w.word || port->update(port, w.pa, w.word, used))
            return 0;
    }
}

const struct emt_walker_ops ecpt_walker = {.walk = walk, .caches = caches, .ncaches = 2, .line_pages = 8};
