/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of elastic cuckoo page tables: what an object's bits say, and the functions of the interface.
 *
 *     driver.c    objects, databases, the service, the cursor
 *     ranges.c    ranges and huge pages
 *     entries.c   one entry: find, insert, remove; which size answers for an address
 *     cwt.c       cuckoo walk tables: what the hardware's hints are made of
 *     table.c     elastic cuckoo tables of lines: kicks, resizing, registers
 *
 * Each file calls those below it. Locks: the default range lock, one for the whole database, since a kick may move
 * any line; so only walkers run beside a function of this folder.
 */
#include "mmu/ecpt/table.h"
#include "mmu/x86/service.h"

extern const struct emt_walker_ops ecpt_walker; /* walker.c */

#define LOW_BITS(n) ((1ull << (n)) - 1)

/* ---- basic: translation objects ---- */

/* Where an attribute lies, and the values that it can have: 0 .. max. EXEC reads inverted; those without a place of
   their own have a case in tobj_get() and tobj_set(). */
#define FIELD(name)                                                                                                \
    { ECPT_##name##_FIRST, LOW_BITS(ECPT_##name##_WIDTH) }
static const struct {
    unsigned first;
    uint64_t max;
} attrs[EMT_ATTR_COUNT] = {
    [EMT_ATTR_PRESENT] = FIELD(P),       [EMT_ATTR_PFN] = FIELD(FRAME), [EMT_ATTR_WRITE] = FIELD(RW),
    [EMT_ATTR_EXEC] = FIELD(NX),         [EMT_ATTR_USER] = FIELD(US),   [EMT_ATTR_GLOBAL] = FIELD(G),
    [EMT_ATTR_ACCESSED] = FIELD(A),      [EMT_ATTR_DIRTY] = FIELD(D),   [EMT_ATTR_CACHE] = {0, LOW_BITS(3)},
    [EMT_ATTR_PKEY] = FIELD(PK),         [EMT_ATTR_SOFT] = FIELD(SOFT), [EMT_ATTR_CONTIG] = FIELD(CONTIG),
    [EMT_ATTR_SWAP] = {0, LOW_BITS(55)}, /* as the interface has them: type << 50 | offset */
};

#define SWAP_TYPE_SHIFT 50

static uint64_t swap_of(uint64_t e) {
    return ECPT_GET(e, SWAP_TYPE) << SWAP_TYPE_SHIFT | ECPT_GET(e, SWAP_OFFSET);
}

static uint64_t tobj_get(const struct emt_tobj *o, enum emt_attr attr) {
    const uint64_t e = o->raw[0];

    if (attr == EMT_ATTR_SWAP)
        return ecpt_is_swap(e) ? swap_of(e) : 0;
    if (attr >= EMT_ATTR_COUNT || !ecpt_is_object(e) || ecpt_is_swap(e))
        return 0;
    const uint64_t field = e >> attrs[attr].first & attrs[attr].max;
    switch (attr) {
    case EMT_ATTR_CACHE:
        return ecpt_cache_mode(e);
    case EMT_ATTR_GLOBAL:
        return field && ECPT_GET(e, P);
    case EMT_ATTR_EXEC:
        return !field;
    default:
        return field;
    }
}

/* Present, or a page without access: then bit 8, which is G otherwise, says so. */
static int set_present(struct emt_tobj *o, bool present) {
    const uint64_t e = o->raw[0];

    if (present == ECPT_GET(e, P))
        return 0;
    if (!present && ECPT_GET(e, G))
        return -EINVAL;
    o->raw[0] = ECPT_PUT(ECPT_PUT(e, P, present), NONE, !present);
    return 0;
}

static int set_swap(struct emt_tobj *o, uint64_t swap) {
    const uint64_t offset = swap & LOW_BITS(SWAP_TYPE_SHIFT);

    if (!swap || offset >> ECPT_SWAP_OFFSET_WIDTH)
        return -EINVAL;
    o->raw[0] = ECPT_PUT(offset << ECPT_SWAP_OFFSET_FIRST, SWAP_TYPE, swap >> SWAP_TYPE_SHIFT);
    return 0;
}

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    const enum ecpt_table t = ecpt_table_of(o->bytes);
    uint64_t *const e = &o->raw[0];

    if (attr >= EMT_ATTR_COUNT || value > attrs[attr].max || t == ECPT_TABLES)
        return -EINVAL;
    if (attr == EMT_ATTR_SWAP)
        return set_swap(o, value);
    if (!ecpt_is_object(*e) || ecpt_is_swap(*e)) /* has no other attribute: each of them reads as 0 */
        return value ? -EINVAL : 0;
    switch (attr) {
    case EMT_ATTR_PRESENT:
        return set_present(o, value);
    case EMT_ATTR_PFN:
        if (value << EMT_PAGE_SHIFT & ~ecpt_frame_mask(t))
            return -EINVAL;
        break;
    case EMT_ATTR_CACHE:
        *e = ECPT_PUT(ECPT_PUT(*e, CACHE_LOW, value & 3), PAT, value >> 2);
        return 0;
    case EMT_ATTR_GLOBAL:
        if (!ECPT_GET(*e, P)) /* the bit says something else */
            return value ? -EINVAL : 0;
        break;
    case EMT_ATTR_EXEC:
        value = !value;
        break;
    default:
        break;
    }
    *e = (*e & ~(attrs[attr].max << attrs[attr].first)) | value << attrs[attr].first;
    return 0;
}

uint64_t ecpt_with_prot(uint64_t e, unsigned prot) {
    e = ECPT_PUT(e, RW, (prot & EMT_PROT_WRITE) != 0);
    e = ECPT_PUT(e, US, (prot & EMT_PROT_USER) != 0);
    return ECPT_PUT(e, NX, !(prot & EMT_PROT_EXEC));
}

static int tobj_init(const struct emt_tsvc *svc, struct emt_tobj *o, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot) {
    const enum ecpt_table t = ecpt_table_of(bytes);

    (void)svc;
    if (t == ECPT_TABLES || va & (bytes - 1) || !ecpt_canonical(va))
        return -EINVAL;
    if (pfn > attrs[EMT_ATTR_PFN].max || pfn << EMT_PAGE_SHIFT & ~ecpt_frame_mask(t))
        return -EINVAL;
    uint64_t e = ecpt_with_prot(pfn << EMT_PAGE_SHIFT | ECPT_MASK(P), prot);
    e = ECPT_PUT(e, G, (prot & EMT_PROT_GLOBAL) != 0);
    *o = (struct emt_tobj){.va = va, .bytes = bytes, .raw = {e}};
    return 0;
}

static bool tobj_same(const struct emt_tobj *a, const struct emt_tobj *b) {
    const uint64_t ad = ECPT_MASK(A) | ECPT_MASK(D); /* always 0 in swap entries */

    return a->bytes == b->bytes && !((a->raw[0] ^ b->raw[0]) & ~ad);
}

uint64_t ecpt_piece(uint64_t object, enum ecpt_table from, enum ecpt_table to, uint64_t i) {
    const uint64_t pages = i << (ecpt_entry_shift(to) - EMT_PAGE_SHIFT);

    (void)from; /* an entry looks the same in all three tables */
    if (ecpt_is_swap(object))
        return object + (pages << ECPT_SWAP_OFFSET_FIRST);
    return object + (pages << ECPT_FRAME_FIRST);
}

/* ---- basic: database ---- */

/* log2 of a way's lines when a table comes to be. */
struct sizes {
    uint8_t log[ECPT_TABLES];
};

/* Small: 8 KiB a way for 4 KiB pages, one frame a way for the others (assumed). */
static const struct sizes small = {{7, 6, 6, 6, 6}};
/* ASPLOS'20, table 2: 16384, 16384, 8192; walk tables 4096, 2048 */
static const struct sizes paper = {{14, 14, 13, 12, 11}};

static int tdb_create(struct emt_tdb *tdb) {
    const struct emt_arch *arch = tdb->svc->arch;
    const struct sizes *sizes = arch->param[ECPT_PARAM_PAPER] ? &paper : &small;
    struct ecpt *e = emt_state_alloc(tdb->svc->host, sizeof(*e));

    if (!e)
        return -ENOMEM;
    e->tdb = tdb;
    e->random = 1;
    for (enum ecpt_table t = 0; t < ECPT_TABLES; t++)
        ecpt_set_init(&e->set[t], t, t < ECPT_SIZES ? (unsigned)arch->param[0] : ECPT_CWT_WAYS, sizes->log[t]);
    tdb->priv = e;
    return 0;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    struct ecpt *e = ecpt_of(tdb);

    for (unsigned t = 0; t < ECPT_TABLES; t++)
        ecpt_set_fini(e, &e->set[t]);
    emt_state_free(tdb->svc->host, e);
    tdb->priv = NULL;
}

static int find_at(struct emt_tdb *tdb, struct ecpt_near *near, uint64_t va, struct emt_tobj *out) {
    const struct ecpt_slot s = ecpt_look(tdb, near, va);

    *out = ecpt_slot_tobj(&s);
    return ecpt_slot_object(&s) ? 0 : -ENOENT;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return find_at(tdb, &(struct ecpt_near){.line = {0}}, va, out);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return ecpt_update(tdb, &(struct ecpt_near){.line = {0}}, o);
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    return ecpt_remove(tdb, &(struct ecpt_near){.line = {0}}, va, old);
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const struct ecpt_slot s = ecpt_look(tdb, &(struct ecpt_near){.line = {0}}, va);

    return ecpt_slot_object(&s) ? (int)ecpt_test_clear(tdb, &s, mask) : -ENOENT;
}

static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    ecpt_root(ecpt_of(tdb), root);
}

/* ---- basic: service ---- */

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    (void)svc;
    *caps = (struct emt_caps){.page_sizes = 1ull << EMT_SHIFT_4K | 1ull << EMT_SHIFT_2M | 1ull << EMT_SHIFT_1G,
                              .va_bits = ECPT_VA_BITS,
                              .pa_bits = ECPT_PA_BITS,
                              .asid_bits = ECPT_PCID_BITS,
                              .soft_bits = ECPT_SOFT_WIDTH,
                              .accessed_dirty = true,
                              .global = true};
}

/* Without an address space no way has an array. */
static int tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    emt_host_work(svc->host, ECPT_ROOT_PCID * ECPT_COST_REGISTER);
    return x86_tsvc_switch(svc, cpu, tdb);
}

/* ---- customized: cursor ---- */

_Static_assert(sizeof(struct ecpt_near) <= sizeof(((struct emt_cursor *)NULL)->drv), "a cursor keeps its lines");

/* The cursor's own words: all zero after open, which is right. */
static struct ecpt_near *cursor_near(struct emt_cursor *c) {
    return (struct ecpt_near *)(void *)c->drv;
}

static int cursor_find(struct emt_cursor *c) {
    return find_at(c->tdb, cursor_near(c), c->va, &c->obj);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return ecpt_update(c->tdb, cursor_near(c), o);
}

static int cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    return ecpt_remove(c->tdb, cursor_near(c), c->obj.va, old);
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops ecpt_driver = {
    .tobj_get = tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = tobj_init,
    .tobj_same = tobj_same,
    .tdb_create = tdb_create,
    .tdb_destroy = tdb_destroy,
    .tdb_find = tdb_find,
    .tdb_update = tdb_update,
    .tdb_remove = tdb_remove,
    .tdb_test_clear = tdb_test_clear,
    .tdb_root = tdb_root,
    .tsvc_init = x86_tsvc_init,
    .tsvc_fini = x86_tsvc_fini,
    .tsvc_caps = tsvc_caps,
    .tsvc_switch = tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .cursor_find = cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = cursor_erase,
    .range_unmap = ecpt_range_unmap,
    .range_protect = ecpt_range_protect,
    .range_copy = ecpt_range_copy,
    .range_move = ecpt_range_move,
    .range_age = ecpt_range_age,
    .range_void = ecpt_range_void,
    .huge_collapse = ecpt_huge_collapse,
    .huge_split = ecpt_huge_split,
};

#define ECPT_ARCH(id, label, text, ways, hash, growth, as_paper)                                                   \
    extern const struct emt_arch id;                                                                               \
    const struct emt_arch id = {.name = label,                                                                     \
                                .summary = text,                                                                   \
                                .driver = &ecpt_driver,                                                            \
                                .walker = &ecpt_walker,                                                            \
                                .param = {ways, ECPT_PA_BITS, growth, as_paper, hash}}

ECPT_ARCH(emt_ecpt, "ecpt", "elastic cuckoo page tables (ASPLOS'20): three ways, CRC, growing fourfold from small",
          3, ECPT_HASH_CRC, 4, 0);
ECPT_ARCH(emt_ecpt_2way, "ecpt:2way", "elastic cuckoo page tables with two ways", 2, ECPT_HASH_CRC, 4, 0);
ECPT_ARCH(emt_ecpt_murmur, "ecpt:murmur", "elastic cuckoo page tables with Murmur's finaliser in place of the CRC",
          3, ECPT_HASH_MURMUR, 4, 0);
ECPT_ARCH(emt_ecpt_x2, "ecpt:x2", "elastic cuckoo page tables that grow twofold, as in HPCA'23", 3, ECPT_HASH_CRC,
          2, 0);
ECPT_ARCH(emt_ecpt_paper, "ecpt:paper", "elastic cuckoo page tables with the first sizes of ASPLOS'20", 3,
          ECPT_HASH_CRC, 4, 1);
