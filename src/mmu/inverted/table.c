/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Anchors, entries and chains: mmu/inverted/table.h.
 *
 * Order of writes. Link: PTE and NEXT, then the tag, then the anchor: a walker finds an entry that is whole.
 * Unlink: the one word that leads to the entry, then its tag. A walker that stands on it goes on by its NEXT; when
 * the entry has a new life by then, its tag tells the walker so.
 */
#include "mmu/inverted/table.h"

static void write(const struct inverted *t, uint64_t pa, unsigned word, uint64_t value) {
    emt_table_write(t->svc->host, pa + sizeof(uint64_t) * word, value);
}

/* ---- the anchors ---- */

/* Anchors for each frame: 2^param[2], as a signed number; rounded up to a power of two. */
static unsigned anchors_log(const struct inverted *t) {
    const int ratio = (int)(int64_t)t->svc->arch->param[2];
    unsigned log = 0;

    while (1ull << log < t->frames)
        log++;
    log = (unsigned)((int)log + ratio);
    return log < 9 ? 9 : log;
}

int inverted_get(struct inverted *t) {
    if (t->users++)
        return 0;
    t->frames = emt_host_frames(t->svc->host);
    const unsigned log = anchors_log(t);
    t->ipt_page = emt_state_alloc(t->svc->host, (t->frames / INVERTED_PER_PAGE + 1) * sizeof(*t->ipt_page));
    const uint64_t pa = t->ipt_page ? emt_table_alloc(&t->shared, log - 9) : EMT_NO_PA;
    if (pa == EMT_NO_PA) {
        emt_state_free(t->svc->host, t->ipt_page);
        t->users = 0;
        return -ENOMEM;
    }
    t->anchors = pa | log;
    return 0;
}

void inverted_put(struct inverted *t) {
    if (--t->users)
        return;
    emt_table_free(&t->shared, t->anchors & ~(EMT_PAGE_BYTES - 1),
                   (unsigned)(t->anchors & (EMT_PAGE_BYTES - 1)) - 9);
    emt_state_free(t->svc->host, t->ipt_page);
    t->ipt_page = NULL;
    t->anchors = 0;
}

/* ---- entries that are free ---- */

/* A page's note: how many of its entries are in use. */
static void count(const struct inverted *t, uint64_t entry, int n) {
    *emt_table_note(t->svc->host, entry) += (uint32_t)n;
}

static uint64_t new_page(struct inverted *t) {
    const uint64_t page = emt_table_alloc(&t->shared, 0);

    if (page != EMT_NO_PA)
        *emt_table_note(t->svc->host, page) = 0;
    return page;
}

/* The entry of a frame, when it is free; 0: it is not, or there is no memory for it. */
static uint64_t frame_entry(struct inverted *t, uint64_t pfn) {
    uint64_t *page = &t->ipt_page[pfn / INVERTED_PER_PAGE];

    if (!*page) {
        const uint64_t fresh = new_page(t);
        if (fresh == EMT_NO_PA)
            return 0;
        *page = fresh;
    }
    const uint64_t entry = *page + pfn % INVERTED_PER_PAGE * INVERTED_ENTRY_BYTES;
    return inverted_read(t, entry, INVERTED_TAG) ? 0 : entry;
}

static uint64_t alias_entry(struct inverted *t) {
    if (!t->alias_free) {
        const uint64_t page = new_page(t);
        if (page == EMT_NO_PA)
            return 0;
        for (unsigned i = INVERTED_PER_PAGE; i-- > 0;) {
            write(t, page + i * INVERTED_ENTRY_BYTES, INVERTED_NEXT, t->alias_free);
            t->alias_free = page + i * INVERTED_ENTRY_BYTES;
        }
    }
    const uint64_t entry = t->alias_free;
    t->alias_free = inverted_read(t, entry, INVERTED_NEXT);
    if (++t->aliases > t->aliases_peak)
        t->aliases_peak = t->aliases;
    return entry;
}

/*
 * The frame's own entry says nothing of a second mapping of the frame, of a swap entry, or of a frame that is no
 * memory: such objects get an alias entry.
 */
static uint64_t entry_for(struct inverted *t, uint64_t tag, uint64_t pte) {
    const uint64_t pfn = radix_leaf_pfn(pte, inverted_level(tag >> 1 & 3));
    const uint64_t own = !radix_is_swap(pte) && pfn < t->frames ? frame_entry(t, pfn) : 0;
    const uint64_t entry = own ? own : alias_entry(t);

    if (entry)
        count(t, entry, 1);
    return entry;
}

static bool is_frame_entry(const struct inverted *t, uint64_t entry, uint64_t pte, unsigned size) {
    const uint64_t pfn = radix_leaf_pfn(pte, inverted_level(size));

    if (radix_is_swap(pte) || pfn >= t->frames || !t->ipt_page[pfn / INVERTED_PER_PAGE])
        return false;
    return entry == t->ipt_page[pfn / INVERTED_PER_PAGE] + pfn % INVERTED_PER_PAGE * INVERTED_ENTRY_BYTES;
}

bool inverted_same_entry(uint64_t old, uint64_t pte, unsigned size) {
    if (radix_is_swap(old) || radix_is_swap(pte))
        return radix_is_swap(old) && radix_is_swap(pte);
    return radix_leaf_pfn(old, inverted_level(size)) == radix_leaf_pfn(pte, inverted_level(size));
}

/* All entries of this page leave the list of free aliases. */
static void forget_aliases(struct inverted *t, uint64_t page) {
    uint64_t before = 0, next;

    for (uint64_t at = t->alias_free; at; at = next) {
        next = inverted_read(t, at, INVERTED_NEXT);
        if ((at & ~(EMT_PAGE_BYTES - 1)) != page) {
            before = at;
            continue;
        }
        if (before)
            write(t, before, INVERTED_NEXT, next);
        else
            t->alias_free = next;
    }
}

/* ---- chains ---- */

static uint64_t anchor_of(const struct inverted *t, uint64_t tag) {
    emt_host_work(t->svc->host, X86_HASH_INSTRUCTIONS);
    return inverted_anchor_pa(t->anchors, tag);
}

uint64_t inverted_lookup(const struct inverted *t, uint64_t tag) {
    if (!t->objects[tag >> 1 & 3])
        return 0;
    uint64_t at = inverted_read(t, anchor_of(t, tag), 0);
    while (at && inverted_read(t, at, INVERTED_TAG) != tag)
        at = inverted_read(t, at, INVERTED_NEXT);
    return at;
}

static void free_entry(struct inverted *t, uint64_t entry, bool alias, uint64_t page_slot) {
    const uint64_t page = entry & ~(EMT_PAGE_BYTES - 1);

    count(t, entry, -1);
    if (alias) {
        t->aliases--;
        write(t, entry, INVERTED_NEXT, t->alias_free);
        t->alias_free = entry;
    }
    if (*emt_table_note(t->svc->host, page))
        return;
    if (alias)
        forget_aliases(t, page);
    else
        t->ipt_page[page_slot] = 0;
    emt_table_free(&t->shared, page, 0);
}

static void leave_chain(struct inverted *t, uint64_t tag, uint64_t entry) {
    uint64_t at = anchor_of(t, tag), next;
    unsigned word = 0;

    while ((next = inverted_read(t, at, word)) != entry) {
        at = next;
        word = INVERTED_NEXT;
    }
    write(t, at, word, inverted_read(t, entry, INVERTED_NEXT));
    write(t, entry, INVERTED_TAG, 0);
}

static void enter_chain(struct inverted *t, uint64_t tag, uint64_t entry, uint64_t pte) {
    const uint64_t anchor = anchor_of(t, tag);

    write(t, entry, INVERTED_PTE, pte);
    write(t, entry, INVERTED_NEXT, inverted_read(t, anchor, 0));
    write(t, entry, INVERTED_TAG, tag);
    write(t, anchor, 0, entry);
}

void inverted_unlink(struct inverted *t, uint64_t tag, uint64_t entry, uint64_t pte) {
    const uint64_t pfn = radix_leaf_pfn(pte, inverted_level(tag >> 1 & 3));

    leave_chain(t, tag, entry);
    t->objects[tag >> 1 & 3]--;
    free_entry(t, entry, !is_frame_entry(t, entry, pte, tag >> 1 & 3), pfn / INVERTED_PER_PAGE);
}

void inverted_relink(struct inverted *t, uint64_t tag, uint64_t entry, uint64_t to_tag, uint64_t pte) {
    leave_chain(t, tag, entry);
    enter_chain(t, to_tag, entry, pte);
}

int inverted_link(struct inverted *t, uint64_t tag, uint64_t pte) {
    const uint64_t entry = entry_for(t, tag, pte);

    if (!entry)
        return -ENOMEM;
    enter_chain(t, tag, entry, pte);
    t->objects[tag >> 1 & 3]++;
    return 0;
}
