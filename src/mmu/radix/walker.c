/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of x86-64 paging: how a processor translates one address.
 *
 *     63 ... 57  56 ... 48  47 ... 39  38 ... 30  29 ... 21  20 ... 12  11 ... 0
 *    +----------+----------+----------+----------+----------+----------+----------+
 *    |   sign   |  PML5    |  PML4    |   PDPT   |    PD    |    PT    |  offset  |
 *    +----------+----------+----------+----------+----------+----------+----------+
 *         CR3 ──> [PML5] ───> [PML4] ───> [PDPT] ───> [PD] ────> [PT] ────> page
 *     level          5          4           3          2          1
 *
 * radix4 starts at the PML4, and its sign begins at bit 48. A set PS bit ends the walk at the PD (2 MiB) or the
 * PDPT (1 GiB). Paging-structure caches keep the table below a PDE, PDPTE, PML4E or PML5E; a walk starts behind
 * the longest match (Intel SDM vol. 3, 4.10.3).
 *
 * Choices where the manual leaves them open, and what is not modelled: README.md of this folder.
 */
#include "emt/driver.h"
#include "mmu/radix/format.h"

/* Cache number n keeps entries of level n + 2: what stands above a PT, a PD, ... */
#define FIRST_CACHED_LEVEL 2

static const struct emt_mmu_cache caches[] = {
    {.name = "pde", .key_shift = 21, .upper = true},
    {.name = "pdpte", .key_shift = 30, .upper = true},
    {.name = "pml4e", .key_shift = 39, .upper = true},
    {.name = "pml5e", .key_shift = 48, .upper = true},
};

static const char *const table_names[RADIX_MAX_LEVELS] = {"PT", "PD", "PDPT", "PML4", "PML5"};

/* Rights on the way so far, at their places in an entry: RW and US as every entry grants them, NX as any sets it.
 */
#define GRANTED (RADIX_MASK(RW) | RADIX_MASK(US))

static uint64_t combine(uint64_t rights, uint64_t entry) {
    return (rights & entry & GRANTED) | ((rights | entry) & RADIX_MASK(NX));
}

/* What an error code says about the access itself (SDM vol. 3, 4.7). */
static uint32_t access_code(const struct emt_access *a) {
    uint32_t code = 0;

    if (a->type == EMT_STORE)
        code |= EMT_PF_WRITE;
    if (a->user)
        code |= EMT_PF_USER;
    if (a->type == EMT_FETCH && (a->nx || a->smep))
        code |= EMT_PF_FETCH;
    return code;
}

static int fault(struct emt_walk *out, uint32_t code) {
    out->fault = true;
    out->code = code;
    return 0;
}

/* Do the protection keys deny it? Only data accesses to user pages have a key (SDM vol. 3, 4.6.2). */
static bool key_denies(const struct emt_access *a, const struct emt_walk *page) {
    bool access_disable = a->pkru >> (2 * page->pkey) & 1, write_disable = a->pkru >> (2 * page->pkey + 1) & 1;

    if (!a->pke || !page->user || a->type == EMT_FETCH)
        return false;
    return access_disable || (write_disable && a->type == EMT_STORE && (a->user || a->write_protect));
}

/* Do the rights deny it? (SDM vol. 3, 4.6.1) */
static bool rights_deny(const struct emt_access *a, const struct emt_walk *page) {
    if (a->user && !page->user)
        return true;
    if (!a->user && page->user && (a->type == EMT_FETCH ? a->smep : a->smap))
        return true;
    if (a->type == EMT_STORE)
        return !page->write && (a->user || a->write_protect);
    return a->type == EMT_FETCH && !page->exec;
}

static void fill_page(struct emt_walk *out, const struct emt_access *a, uint64_t entry, uint64_t rights,
                      unsigned level) {
    out->bytes = radix_bytes(level);
    out->va = a->va & ~(out->bytes - 1);
    out->pa = radix_leaf_pa(entry, level);
    out->write = rights & RADIX_MASK(RW);
    out->user = rights & RADIX_MASK(US);
    out->exec = !(rights & RADIX_MASK(NX));
    out->global = RADIX_GET(entry, G);
    out->dirty = RADIX_GET(entry, D);
    out->cache_mode = (uint8_t)radix_cache_mode(entry, level);
    out->pkey = (uint8_t)RADIX_GET(entry, PK);
}

/* Where a walk stands: the table it reads next, and what the entries above it allow. */
struct position {
    unsigned level;
    uint64_t table, rights;
};

/* Behind the longest match in the paging-structure caches, or at the root. */
static struct position start(unsigned levels, const struct emt_root *root, const struct emt_access *a,
                             struct emt_port *port) {
    struct position at = {levels, radix_table_pa(root->word[0]), GRANTED};
    uint64_t value[2];

    if (a->peek || !port->cache_get)
        return at;
    for (unsigned level = FIRST_CACHED_LEVEL; level <= levels; level++) {
        unsigned cache = level - FIRST_CACHED_LEVEL;

        if (port->cache_get(port, cache, a->va >> caches[cache].key_shift, value))
            return (struct position){level - 1, value[0], value[1]};
    }
    return at;
}

/* Only entries that are present, without reserved bits, accessed, and that lead to a table get here. */
static void remember(const struct position *below, const struct emt_access *a, struct emt_port *port) {
    unsigned cache = below->level + 1 - FIRST_CACHED_LEVEL;

    if (!a->peek && port->cache_put)
        port->cache_put(port, cache, a->va >> caches[cache].key_shift, (uint64_t[2]){below->table, below->rights});
}

/*
 * Invariant: `at` is the table of its level on the way to a->va. An entry that changes between its read and the
 * setting of A or D is read again; every such turn needs somebody else's store, so the loop ends.
 */
static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    const unsigned levels = (unsigned)arch->param[0], pa_bits = (unsigned)arch->param[1];

    *out = (struct emt_walk){.va = a->va};
    if (!radix_canonical(a->va, levels))
        return fault(out, 0); /* hardware raises #GP(0) here, not a page fault: no bit of a code fits */

    struct position at = start(levels, root, a, port);
    for (;;) {
        struct emt_fetch f = {.pa = radix_slot(at.table, a->va, at.level),
                              .words = 1,
                              .level = (uint8_t)at.level,
                              .table = table_names[at.level - 1],
                              .index = radix_index(a->va, at.level)};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;

        const uint64_t entry = f.data[0], rights = combine(at.rights, entry);
        if (!(entry & RADIX_MASK(P)))
            return fault(out, access_code(a));
        if (radix_reserved(entry, at.level, pa_bits, a->nx))
            return fault(out, access_code(a) | EMT_PF_PRESENT | EMT_PF_RSVD);

        const bool leaf = !radix_is_table(entry, at.level);
        uint64_t used = entry | RADIX_MASK(A);
        if (leaf) {
            if (a->type == EMT_STORE)
                used |= RADIX_MASK(D);
            fill_page(out, a, entry, rights, at.level);
            const bool key = key_denies(a, out);
            if (key || rights_deny(a, out))
                return fault(out, access_code(a) | EMT_PF_PRESENT | (key ? EMT_PF_PK : 0));
        }
        if (used != entry && !a->peek && !port->update(port, f.pa, entry, used))
            continue;
        if (leaf) {
            out->dirty = !a->peek ? RADIX_GET(used, D) : RADIX_GET(entry, D);
            return 0;
        }
        at = (struct position){at.level - 1, radix_table_pa(entry), rights};
        remember(&at, a, port);
    }
}

const struct emt_walker_ops radix4_walker = {.walk = walk, .caches = caches, .ncaches = 3};
const struct emt_walker_ops radix5_walker = {.walk = walk, .caches = caches, .ncaches = 4};
