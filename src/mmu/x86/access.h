/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a walker decides once it has found an entry in the format of radix/format.h: x86-64's rights, protection
 * keys and error codes (Intel SDM vol. 3, 4.6 and 4.7). Walkers of trees and of hash tables share it: their tables
 * differ, the last entry does not.
 */
#ifndef EMT_MMU_X86_ACCESS_H
#define EMT_MMU_X86_ACCESS_H

#include "emt/driver.h"
#include "mmu/radix/format.h"

/* Rights on the way so far, at their places in an entry: RW and US as every entry grants them, NX as any sets it.
 */
#define X86_GRANTED (RADIX_MASK(RW) | RADIX_MASK(US))

static inline uint64_t x86_combine(uint64_t rights, uint64_t entry) {
    return (rights & entry & X86_GRANTED) | ((rights | entry) & RADIX_MASK(NX));
}

/* What an error code says about the access itself (SDM vol. 3, 4.7). */
static inline uint32_t x86_access_code(const struct emt_access *a) {
    uint32_t code = 0;

    if (a->type == EMT_STORE)
        code |= EMT_PF_WRITE;
    if (a->user)
        code |= EMT_PF_USER;
    if (a->type == EMT_FETCH && (a->nx || a->smep))
        code |= EMT_PF_FETCH;
    return code;
}

static inline int x86_fault(struct emt_walk *out, uint32_t code) {
    out->fault = true;
    out->code = code;
    return 0;
}

/* Do the protection keys deny it? Only data accesses to user pages have a key (SDM vol. 3, 4.6.2). */
static inline bool x86_key_denies(const struct emt_access *a, const struct emt_walk *page) {
    bool access_disable = a->pkru >> (2 * page->pkey) & 1, write_disable = a->pkru >> (2 * page->pkey + 1) & 1;

    if (!a->pke || !page->user || a->type == EMT_FETCH)
        return false;
    return access_disable || (write_disable && a->type == EMT_STORE && (a->user || a->write_protect));
}

/* Do the rights deny it? (SDM vol. 3, 4.6.1) */
static inline bool x86_rights_deny(const struct emt_access *a, const struct emt_walk *page) {
    if (a->user && !page->user)
        return true;
    if (!a->user && page->user && (a->type == EMT_FETCH ? a->smep : a->smap))
        return true;
    if (a->type == EMT_STORE)
        return !page->write && (a->user || a->write_protect);
    return a->type == EMT_FETCH && !page->exec;
}

/* The page that a leaf of `level` maps, with the rights that all entries on the way to it grant together. */
static inline void x86_fill_page(struct emt_walk *out, const struct emt_access *a, uint64_t entry, uint64_t rights,
                                 unsigned level) {
    out->bytes = radix_bytes(level);
    out->va = a->va & ~(out->bytes - 1);
    out->pa = radix_leaf_pa(entry, level);
    out->write = rights & RADIX_MASK(RW);
    out->user = rights & RADIX_MASK(US);
    out->exec = !(rights & RADIX_MASK(NX));
    out->global = RADIX_GET(entry, G);
    out->dirty = RADIX_GET(entry, D);
    out->contig = RADIX_GET(entry, CONTIG);
    out->accessed = RADIX_GET(entry, A);
    out->cache_mode = (uint8_t)radix_cache_mode(entry, level);
    out->pkey = (uint8_t)RADIX_GET(entry, PK);
}

/* Does the page deny the access? Then *out is the fault. */
static inline bool x86_denies(struct emt_walk *out, const struct emt_access *a) {
    const bool key = x86_key_denies(a, out);

    if (!key && !x86_rights_deny(a, out))
        return false;
    x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | (key ? EMT_PF_PK : 0));
    return true;
}

/*
 * The end of a walk that has found `entry`, a leaf of `level`, in the word `stored` at `pa` (the entry, perhaps
 * with bits of the table's own): rights, then A and D. 1: the word has changed meanwhile, read it again. Otherwise
 * 0, and *out is the page or the fault.
 */
static inline int x86_use_leaf(const struct emt_arch *arch, const struct emt_access *a, struct emt_port *port,
                               uint64_t pa, uint64_t stored, uint64_t entry, unsigned level, struct emt_walk *out) {
    const uint64_t ad = RADIX_MASK(A) | (a->type == EMT_STORE ? RADIX_MASK(D) : 0);

    if (!(entry & RADIX_MASK(P)))
        return x86_fault(out, x86_access_code(a));
    if (radix_reserved(entry, level, (unsigned)arch->param[1], a->nx))
        return x86_fault(out, x86_access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);
    x86_fill_page(out, a, entry, x86_combine(X86_GRANTED, entry), level);
    out->entry = pa;
    if (x86_denies(out, a) || a->peek)
        return 0;
    if ((stored & ad) != ad && !port->update(port, pa, stored, stored | ad))
        return 1;
    out->dirty |= a->type == EMT_STORE;
    return 0;
}

#endif
