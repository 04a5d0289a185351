/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The translation checker: hw/checker.h says what a finding is. */
#include "hw/checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/mmu_private.h"
#include "report/result.h"

#define SMALL_PAGES 16
#define PAGE_SLOTS  65536
#define RING_SLOTS  4096
#define MEMO_SLOTS  1024

struct note {
    uint64_t va, last; /* first and last byte; last == 0: empty */
    const char *what;
    uint64_t when, order;
    uint16_t asid;
};

/* A page whose tables were looked at, as user mode sees them; valid as long as nothing was written to any table. */
struct memo {
    uint64_t key; /* tlb_key() */
    uint64_t writes, epoch;
    bool mapped;
    struct emt_walk walk;
};

struct checker {
    struct checker_truth truth; /* look NULL: the MMU's tables */
    uint64_t checked, wrong;
    char first[sizeof(((struct result_checker *)0)->first)], last[256];
    uint64_t epoch;
    struct memo memo[MEMO_SLOTS];
    struct note page[PAGE_SLOTS], ring[RING_SLOTS];
    uint64_t notes, ring_notes, displaced;
};

int checker_new(struct checker **out) {
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    (*out)->epoch = 1;
    return 0;
}

void checker_free(struct checker *c) {
    free(c);
}

void checker_set_truth(struct checker *c, const struct checker_truth *truth) {
    c->truth = *truth;
    c->epoch++;
}

void checker_forget(struct checker *c) {
    c->epoch++;
}

/* ---- the journal ---- */

static struct note *page_slot(struct checker *c, uint16_t asid, uint64_t vpn) {
    uint64_t hash = (vpn ^ (uint64_t)asid << 48) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio (Knuth) */
    return &c->page[hash >> 48];
}

void checker_note(struct checker *c, uint16_t asid, uint64_t va, uint64_t bytes, const char *what, uint64_t when) {
    if (!bytes)
        return;
    struct note note = {va, va + (bytes - 1), what, when, ++c->notes, asid};
    uint64_t first = va >> 12, last = note.last >> 12;
    c->epoch++;
    if (note.last < va || last - first >= SMALL_PAGES) {
        if (note.last < va)
            note.last = ~0ull;
        struct note *slot = &c->ring[c->ring_notes++ % RING_SLOTS];
        c->displaced += slot->last != 0;
        *slot = note;
        return;
    }
    for (uint64_t vpn = first; vpn <= last; vpn++) {
        struct note *slot = page_slot(c, asid, vpn);
        c->displaced += slot->last && (slot->asid != asid || slot->va >> 12 != vpn);
        *slot = note;
        slot->va = vpn << 12;
        slot->last = slot->va | 0xfff;
    }
}

static const struct note *last_change(struct checker *c, uint16_t asid, uint64_t va) {
    const struct note *best = page_slot(c, asid, va >> 12);
    if (!best->last || best->asid != asid || best->va >> 12 != va >> 12)
        best = NULL;
    for (unsigned i = 0; i < RING_SLOTS; i++) {
        const struct note *n = &c->ring[i];
        if (n->last && n->asid == asid && n->va <= va && va <= n->last && (!best || n->order > best->order))
            best = n;
    }
    return best;
}

/* ---- the comparison ---- */

/* What the hardware answered: from the entry where there is one, else (no TLB holds this size) the bare address. */
struct answer {
    uint64_t pa;
    uint64_t flags; /* TLB_FLAGS */
};

static bool agrees(const struct memo *m, const struct answer *a, uint64_t va) {
    const struct emt_walk *w = &m->walk;
    return m->mapped && a->pa == w->pa + (va - w->va) && (w->write || !(a->flags & TLB_WRITE)) &&
           (w->exec || !(a->flags & TLB_EXEC)) && (w->dirty || !(a->flags & TLB_DIRTY));
}

static uint64_t writes(const struct checker *c, const struct mmu *mmu) {
    return c->truth.look ? c->truth.writes(c->truth.ctx) : mmu->host->table_writes;
}

static void look(struct checker *c, struct memo *m, struct mmu *mmu, uint64_t key, uint64_t va) {
    m->key = key;
    m->writes = writes(c, mmu);
    m->epoch = c->epoch;
    int err =
        c->truth.look ? c->truth.look(c->truth.ctx, mmu, va, &m->walk) : mmu_peek(mmu, va, EMT_LOAD, &m->walk);
    m->mapped = err == 0 && !m->walk.fault;
}

static void describe(struct checker *c, const struct memo *m, const struct answer *a, uint16_t asid, uint64_t va,
                     bool walked) {
    const struct note *n = last_change(c, asid, va);
    char tables[56], change[64];
    if (m->mapped)
        snprintf(tables, sizeof(tables), "pa 0x%llx r%s%s%s", (unsigned long long)(m->walk.pa + (va - m->walk.va)),
                 m->walk.write ? "w" : "", m->walk.exec ? "x" : "", m->walk.dirty ? " dirty" : "");
    else
        snprintf(tables, sizeof(tables), "not mapped");
    if (n)
        snprintf(change, sizeof(change), "%.24s at instruction %llu", n->what, (unsigned long long)n->when);
    else
        snprintf(change, sizeof(change), "%s", c->displaced ? "no longer in the journal" : "none noted");
    snprintf(c->last, sizeof(c->last),
             "asid %u va 0x%llx: %s says pa 0x%llx r%s%s%s, tables say %s; last change: %s", asid,
             (unsigned long long)va, walked ? "walk" : "TLB", (unsigned long long)a->pa,
             a->flags & TLB_WRITE ? "w" : "", a->flags & TLB_EXEC ? "x" : "", a->flags & TLB_DIRTY ? " dirty" : "",
             tables, change);
}

bool checker_check(struct checker *c, struct mmu *mmu, uint16_t asid, uint64_t va, unsigned type,
                   const struct mmu_translation *t) {
    if (t->fault)
        return true;
    const struct tlb_entry *e = mmu_l1_entry(mmu, va, type);
    struct answer a = {t->pa, mmu_needs(type) | (e ? e->frame & TLB_FLAGS : 0)};
    uint64_t key = tlb_key(tlb_asid_key(asid), va);
    struct memo *m = &c->memo[(va >> 12) % MEMO_SLOTS];
    c->checked++;
    if (m->key == key && m->writes == writes(c, mmu) && m->epoch == c->epoch && agrees(m, &a, va))
        return true;
    look(c, m, mmu, key, va);
    if (agrees(m, &a, va))
        return true;
    describe(c, m, &a, asid, va, t->walked);
    if (c->wrong++ == 0)
        memcpy(c->first, c->last, sizeof(c->first));
    return false;
}

void checker_result(const struct checker *c, struct result_checker *r) {
    r->checked = c->checked;
    r->wrong = c->wrong;
    memcpy(r->first, c->first, sizeof(r->first));
}

const char *checker_last_finding(const struct checker *c) {
    return c->last;
}
