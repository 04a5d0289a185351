/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one table of the system: anchors, entries, chains. And what software keeps beside it, which hardware never
 * reads:
 *
 *   ipt_page[frame / 128]   the page with the entries of these frames; 0: none of them is mapped
 *   alias_free              entries that belong to no frame and are free; a page of them comes when there is none,
 *                           and goes when all of its entries are free
 *   regions (of a tdb)      which 2 MiB of the address space have objects: regions.h
 */
#ifndef EMT_MMU_INVERTED_TABLE_H
#define EMT_MMU_INVERTED_TABLE_H

#include "emt/host.h"
#include "mmu/inverted/format.h"

/* svc->priv. Which databases exist is counted: the first brings the table, the last takes it away. */
struct inverted {
    struct emt_tsvc *svc;
    struct emt_tdb shared; /* on whose account the tables are, which belong to nobody */
    uint64_t anchors;      /* physical address | log2; 0: none yet */
    uint64_t users;        /* databases, and one for boot */
    uint64_t frames;
    uint64_t *ipt_page;
    uint64_t alias_free;              /* first free alias entry, linked by NEXT; 0: none */
    uint64_t objects[INVERTED_SIZES]; /* in the whole system */
    uint64_t aliases, aliases_peak;   /* of them in alias entries */
    uint32_t lock;
};

static inline struct inverted *inverted_of(const struct emt_tdb *tdb) {
    return tdb->svc->priv;
}

static inline uint64_t inverted_read(const struct inverted *t, uint64_t pa, unsigned word) {
    return emt_table_read(t->svc->host, pa + sizeof(uint64_t) * word);
}

/* One user more, one less. -ENOMEM: no memory for the anchors. */
int inverted_get(struct inverted *t);
void inverted_put(struct inverted *t);

/* The entry with this tag; 0: none. */
uint64_t inverted_lookup(const struct inverted *t, uint64_t tag);
/* Put an entry at the head of its chain. -ENOMEM: nothing changed. */
int inverted_link(struct inverted *t, uint64_t tag, uint64_t pte);
/* Take an entry out of its chain; its PTE has been made void before, and was `pte`. */
void inverted_unlink(struct inverted *t, uint64_t tag, uint64_t entry, uint64_t pte);
/* The same with an entry that goes on with another tag and this PTE. */
void inverted_relink(struct inverted *t, uint64_t tag, uint64_t entry, uint64_t to_tag, uint64_t pte);
/* Would an object with `pte` stand in the same entry as one with `old`? */
bool inverted_same_entry(uint64_t old, uint64_t pte, unsigned size);

#endif
