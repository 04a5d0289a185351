/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The OS side of hashed page tables: objects, and ways over ranges of them. Buckets and tables: table.c.
 *
 * To iterate, a finder stays in a bucket for its eight pages, without a new hash. Where nothing is it would have to
 * ask for every 32 KiB; when it has asked in vain as often as there are buckets, it reads them all once instead,
 * and then knows the whole hole. So a range costs at most twice the cheaper of the two, and to unmap a large and
 * empty one at exit does not take a search for each 32 KiB of it.
 *
 * Locks: the default range lock, one for the whole database; so only walkers run beside a function of this file.
 */
#include "mmu/hashed/table.h"
#include "mmu/x86/object.h"
#include "mmu/x86/service.h"

#define AD      (RADIX_MASK(A) | RADIX_MASK(D))
#define VA_MASK (~0ull >> 16)
#define HALF    (1ull << 47) /* addresses with the same highest bit */

extern const struct emt_walker_ops hashed_walker; /* walker.c */

/* ---- translation objects: radix's, with fewer bits for the OS and for swap ---- */

static int tobj_set(struct emt_tobj *o, enum emt_attr attr, uint64_t value) {
    if (attr == EMT_ATTR_SOFT && value >> HASHED_SOFT_BITS)
        return -EINVAL;
    if (attr == EMT_ATTR_SWAP && (value & ((1ull << RADIX_SWAP_OFFSET_WIDTH) - 1)) >> HASHED_SWAP_BITS)
        return -EINVAL;
    return x86_tobj_set(o, attr, value);
}

/* ---- to find ---- */

/* What is known from before; all zero: nothing. A cursor keeps one. Of no use when the generation has changed. */
struct finder {
    uint64_t generation;
    uint64_t tag1, bucket; /* of 4 KiB pages: tag + 1, and its bucket */
    uint64_t lo, hi;       /* nothing is there; addresses without their sign */
    uint64_t misses;       /* searches that found no bucket */
};
_Static_assert(sizeof(struct finder) == sizeof(((struct emt_cursor *)NULL)->drv), "a cursor keeps a finder");

/* Where an object is, or would be; word 0: a void. */
struct slot {
    uint64_t va, bytes;
    uint64_t pa, word, bucket;
    unsigned size;
};

static uint64_t entry_of(const struct slot *s) {
    return hashed_entry(s->word);
}

static struct emt_tobj slot_tobj(const struct slot *s) {
    return (struct emt_tobj){.va = s->va, .bytes = s->bytes, .raw = {entry_of(s)}};
}

static void refresh(const struct emt_tdb *tdb, struct finder *f) {
    if (f->generation != tdb->word[HASHED_GENERATION])
        *f = (struct finder){.generation = tdb->word[HASHED_GENERATION]};
}

static uint64_t find_bucket(const struct emt_tdb *tdb, struct finder *f, unsigned size, uint64_t va) {
    const uint64_t tag = hashed_tag(size, va);

    if (size == 0 && f->tag1 == tag + 1)
        return f->bucket;
    const uint64_t bucket = hashed_lookup(tdb, size, tag);
    if (size == 0) {
        f->tag1 = tag + 1;
        f->bucket = bucket;
        f->misses += bucket == EMT_NO_PA;
    }
    return bucket;
}

/* Narrow [*lo, *hi) to what no bucket of this size reaches into; false: one covers `v`. */
static bool sweep_size(const struct emt_tdb *tdb, unsigned size, uint64_t v, uint64_t *lo, uint64_t *hi) {
    const uint64_t span = 1ull << hashed_bucket_shift(size);

    for (uint64_t i = 0; i < hashed_buckets(tdb->word[size]); i++) {
        const uint64_t bucket = hashed_bucket_pa(tdb->word[size], i);
        if (hashed_state(hashed_read(tdb, bucket + sizeof(uint64_t) * HASHED_STATE_WORD)) != HASHED_USED)
            continue;
        const uint64_t base = hashed_bucket_tag(tdb, bucket) << hashed_bucket_shift(size);
        if (v - base < span)
            return false;
        if (base < v && base + span > *lo)
            *lo = base + span;
        if (base > v && base < *hi)
            *hi = base;
    }
    return true;
}

/* Read all buckets, when searches have cost as much: how far does the void around va reach? */
static void sweep(const struct emt_tdb *tdb, struct finder *f, uint64_t va) {
    const uint64_t v = va & VA_MASK;
    uint64_t lo = v & HALF, hi = lo + HALF, buckets = 0;

    for (unsigned size = 0; size < HASHED_SIZES; size++)
        buckets += hashed_buckets(tdb->word[size]);
    if (f->misses < buckets)
        return;
    f->misses = 0;
    for (unsigned size = 0; size < HASHED_SIZES; size++)
        if (!sweep_size(tdb, size, v, &lo, &hi))
            return;
    f->lo = lo;
    f->hi = hi;
}

/* The largest aligned block around va within [lo, hi). */
static struct slot void_slot(uint64_t va, uint64_t lo, uint64_t hi) {
    const uint64_t v = va & VA_MASK;
    uint64_t bytes = EMT_PAGE_BYTES;

    while (bytes < HALF && (v & ~(2 * bytes - 1)) >= lo && (v | (2 * bytes - 1)) < hi)
        bytes *= 2;
    return (struct slot){.va = va & ~(bytes - 1), .bytes = bytes};
}

/* Narrow [*lo, *hi) to the void around v in a bucket, or around the bucket that is not there. */
static void narrow(const struct emt_tdb *tdb, unsigned size, uint64_t bucket, uint64_t v, uint64_t *lo,
                   uint64_t *hi) {
    const unsigned shift = hashed_entry_shift(size);
    const uint64_t base = v >> hashed_bucket_shift(size) << hashed_bucket_shift(size);
    unsigned first = 0, end = HASHED_WORDS, index = hashed_index(size, v);

    for (unsigned i = index; bucket != EMT_NO_PA && i-- > 0 && !first;)
        if (hashed_entry(hashed_read(tdb, bucket + sizeof(uint64_t) * i)))
            first = i + 1;
    for (unsigned i = index + 1; bucket != EMT_NO_PA && i < end; i++)
        if (hashed_entry(hashed_read(tdb, bucket + sizeof(uint64_t) * i)))
            end = i;
    if (base + ((uint64_t)first << shift) > *lo)
        *lo = base + ((uint64_t)first << shift);
    if (base + ((uint64_t)end << shift) < *hi)
        *hi = base + ((uint64_t)end << shift);
}

/* The object that answers for va; else a slot with word 0 and nothing more. bucket[] gets where it was looked for.
 */
static struct slot locate(const struct emt_tdb *tdb, struct finder *f, uint64_t va, uint64_t bucket[HASHED_SIZES]) {
    for (unsigned size = 0; size < HASHED_SIZES; size++) {
        bucket[size] = tdb->word[size] ? find_bucket(tdb, f, size, va) : EMT_NO_PA;
        if (bucket[size] == EMT_NO_PA)
            continue;
        const uint64_t bytes = 1ull << hashed_entry_shift(size),
                       pa = bucket[size] + sizeof(uint64_t) * hashed_index(size, va);
        const struct slot s = {va & ~(bytes - 1), bytes, pa, hashed_read(tdb, pa), bucket[size], size};
        if (entry_of(&s))
            return s;
    }
    return (struct slot){.va = va};
}

/* The object that answers for va, or the void around it. */
static struct slot find(const struct emt_tdb *tdb, struct finder *f, uint64_t va) {
    const uint64_t v = va & VA_MASK;
    uint64_t lo = v & HALF, hi = lo + HALF, bucket[HASHED_SIZES];

    if (!radix_canonical(va, HASHED_LEVELS))
        return void_slot(va, 0, 0);
    refresh(tdb, f);
    if (f->lo <= v && v < f->hi)
        return void_slot(va, f->lo, f->hi);
    const struct slot s = locate(tdb, f, va, bucket);
    if (entry_of(&s))
        return s;
    for (unsigned size = 0; size < HASHED_SIZES; size++)
        if (tdb->word[size])
            narrow(tdb, size, bucket[size], v, &lo, &hi);
    sweep(tdb, f, va);
    if (f->lo <= v && v < f->hi)
        return void_slot(va, f->lo, f->hi);
    return void_slot(va, lo, hi);
}

/* ---- to change ---- */

/*
 * Replace an entry that was read before; 0 removes it. A walker may have set A or D since: s->word gets them, so
 * that it says in the end what was there, and so does the new entry.
 */
static void replace(struct emt_tdb *tdb, struct slot *s, uint64_t entry) {
    const uint64_t piece = s->word & HASHED_TAG_MASK;
    uint64_t found;

    while ((found = emt_table_cmpxchg(tdb->svc->host, s->pa, s->word, hashed_word(entry, piece))) != s->word) {
        if (entry)
            entry |= found & ~s->word & AD;
        s->word = found;
    }
    if (entry)
        return;
    /* Is it the last one? Its neighbours know first. */
    const unsigned index = hashed_index(s->size, s->va);
    for (unsigned i = 1; i < HASHED_WORDS; i++)
        if (hashed_entry(hashed_read(tdb, s->bucket + sizeof(uint64_t) * ((index + i) & (HASHED_WORDS - 1)))))
            return;
    hashed_retire(tdb, s->size, s->bucket);
}

static unsigned test_clear(struct emt_tdb *tdb, const struct slot *s, unsigned mask) {
    const uint64_t bits = RADIX_GET(s->word, P) || RADIX_GET(s->word, NONE) ? x86_age_bits(mask) : 0;
    uint64_t word = s->word;

    while (word & bits) {
        const uint64_t found = emt_table_cmpxchg(tdb->svc->host, s->pa, word, word & ~bits);
        if (found == word)
            break;
        word = found;
    }
    return x86_age_mask(word & bits);
}

static uint64_t next_bucket(const struct emt_tdb *tdb, unsigned size, uint64_t va, uint64_t bytes,
                            struct hashed_scan *scan) {
    return hashed_next(tdb, size, hashed_tag(size, va), bytes >> hashed_bucket_shift(size), scan);
}

/* Put an entry where nothing of its size is. */
static int put(struct emt_tdb *tdb, struct finder *f, unsigned size, uint64_t va, uint64_t entry) {
    const unsigned index = hashed_index(size, va);

    refresh(tdb, f);
    const uint64_t bucket = find_bucket(tdb, f, size, va), pa = bucket + sizeof(uint64_t) * index;
    if (bucket == EMT_NO_PA) {
        uint64_t entries[HASHED_WORDS] = {0};
        entries[index] = entry;
        return hashed_insert(tdb, size, hashed_tag(size, va), entries);
    }
    emt_table_write(tdb->svc->host, pa, hashed_word(entry, hashed_read(tdb, pa) & HASHED_TAG_MASK));
    return 0;
}

static int update(struct emt_tdb *tdb, struct finder *f, const struct emt_tobj *o) {
    const unsigned level = x86_object_level(tdb->svc, o);

    if (!level)
        return -EINVAL;
    const unsigned size = level - 1;
    uint64_t bucket[HASHED_SIZES];
    refresh(tdb, f);
    const struct slot s = locate(tdb, f, o->va, bucket);
    if (entry_of(&s)) {
        if (s.size != size)
            return -EEXIST;
        emt_table_write(tdb->svc->host, s.pa, hashed_word(o->raw[0], s.word & HASHED_TAG_MASK));
        return 0;
    }
    for (unsigned smaller = 0; smaller < size; smaller++)
        if (next_bucket(tdb, smaller, o->va, o->bytes, &(struct hashed_scan){0}) != EMT_NO_PA)
            return -EEXIST;
    f->lo = f->hi = 0;
    return put(tdb, f, size, o->va, o->raw[0]);
}

/* ---- basic: database ---- */

static int tdb_create(struct emt_tdb *tdb) {
    tdb->priv = emt_state_alloc(tdb->svc->host, sizeof(struct hashed_state));
    if (!tdb->priv)
        return -ENOMEM;
    hashed_state_of(tdb)->walker_bits = AD;
    return 0;
}

static void tdb_destroy(struct emt_tdb *tdb) {
    hashed_free_all(tdb);
    emt_state_free(tdb->svc->host, tdb->priv);
    tdb->priv = NULL;
}

static int find_at(const struct emt_tdb *tdb, struct finder *f, uint64_t va, struct emt_tobj *out) {
    const struct slot s = find(tdb, f, va);

    *out = slot_tobj(&s);
    return entry_of(&s) ? 0 : -ENOENT;
}

static int tdb_find(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *out) {
    return find_at(tdb, &(struct finder){0}, va, out);
}

static int tdb_update(struct emt_tdb *tdb, const struct emt_tobj *o) {
    return update(tdb, &(struct finder){0}, o);
}

static int remove_at(struct emt_tdb *tdb, struct finder *f, uint64_t va, struct emt_tobj *old) {
    struct slot s = find(tdb, f, va);

    if (!entry_of(&s))
        return -ENOENT;
    replace(tdb, &s, 0);
    *old = slot_tobj(&s);
    return 0;
}

static int tdb_remove(struct emt_tdb *tdb, uint64_t va, struct emt_tobj *old) {
    return remove_at(tdb, &(struct finder){0}, va, old);
}

static int tdb_test_clear(struct emt_tdb *tdb, uint64_t va, unsigned mask) {
    const struct slot s = find(tdb, &(struct finder){0}, va);

    return entry_of(&s) ? (int)test_clear(tdb, &s, mask) : -ENOENT;
}

/* A register for each page size; and the ASID, which tags what the CPU caches. */
static void tdb_root(const struct emt_tdb *tdb, struct emt_root *root) {
    for (unsigned size = 0; size < HASHED_SIZES; size++)
        root->word[size] = tdb->word[size];
    root->word[HASHED_SIZES] = tdb->asid;
}

/* ---- basic: service ---- */

static void tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    x86_tsvc_caps(svc, caps);
    caps->soft_bits = HASHED_SOFT_BITS;
}

/* ---- customized: cursor and ranges ---- */

static struct finder *cursor_finder(struct emt_cursor *c) {
    return (struct finder *)(void *)c->drv;
}

static int cursor_find(struct emt_cursor *c) {
    return find_at(c->tdb, cursor_finder(c), c->va, &c->obj);
}

static int cursor_set(struct emt_cursor *c, const struct emt_tobj *o) {
    return update(c->tdb, cursor_finder(c), o);
}

static int cursor_erase(struct emt_cursor *c, struct emt_tobj *old) {
    return remove_at(c->tdb, cursor_finder(c), c->obj.va, old);
}

/* The objects of [next, last] in order. */
struct span {
    struct emt_tdb *tdb;
    uint64_t next, last;
    bool done;
    struct finder finder;
    struct slot slot;
};

static struct span span_of(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    return (struct span){.tdb = tdb, .next = va, .last = va + bytes - 1, .done = bytes == 0};
}

static bool span_next(struct span *w) {
    while (!w->done) {
        w->slot = find(w->tdb, &w->finder, w->next);
        w->next = w->slot.va + w->slot.bytes;
        w->done = w->next - 1 >= w->last;
        if (entry_of(&w->slot))
            return true;
    }
    return false;
}

static int range_unmap(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, emt_gone_fn gone, void *ctx,
                       struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        replace(tdb, &w.slot, 0);
        if (RADIX_GET(w.slot.word, P))
            x86_gather(g, w.slot.va, w.slot.bytes);
        const struct emt_tobj old = slot_tobj(&w.slot);
        if (gone)
            gone(ctx, &old);
    }
    return 0;
}

static int range_protect(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        const uint64_t old = entry_of(&w.slot), now = x86_with_prot(old, prot);
        if (!RADIX_GET(old, P) || now == old)
            continue;
        if (x86_needs_flush(old, now, w.slot.size + 1))
            x86_gather(g, w.slot.va, w.slot.bytes);
        replace(tdb, &w.slot, now);
    }
    return 0;
}

static int range_copy(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn copy,
                      void *ctx, struct emt_gather *src_gather) {
    struct finder to_finder = {0};

    for (struct span w = span_of(src, va, bytes); span_next(&w);) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        struct emt_tobj from = old, to = old;
        int err = copy(ctx, &from, &to);

        if (err < 0)
            return err;
        if (err == 0)
            continue;
        /* The source first: once write-protected it cannot change behind the copy. */
        if (!x86_tobj_same(&from, &old)) {
            if (from.va != old.va || x86_object_level(src->svc, &from) != w.slot.size + 1)
                return -EINVAL;
            if (x86_needs_flush(old.raw[0], from.raw[0], w.slot.size + 1))
                x86_gather(src_gather, w.slot.va, w.slot.bytes);
            replace(src, &w.slot, from.raw[0]);
        }
        err = update(dst, &to_finder, &to);
        if (err)
            return err;
    }
    return 0;
}

static int range_age(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn aged, void *ctx,
                     struct emt_gather *g) {
    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        const struct emt_tobj old = slot_tobj(&w.slot);
        const unsigned ad = RADIX_GET(w.slot.word, P) ? test_clear(tdb, &w.slot, mask) : 0;

        if (!ad)
            continue;
        x86_gather(g, w.slot.va, w.slot.bytes);
        aged(ctx, &old, ad);
    }
    return 0;
}

static bool range_void(struct emt_tdb *tdb, uint64_t va, uint64_t bytes) {
    struct span w = span_of(tdb, va, bytes);

    return !span_next(&w);
}

/* ---- customized: what moves; copy first, clear after ---- */

/* What walkers set in the old place after the entry had been copied. */
static void add_ad(struct emt_tdb *tdb, struct finder *f, uint64_t va, uint64_t bits) {
    struct slot s = find(tdb, f, va);

    if (bits && (s.word & bits) != bits)
        replace(tdb, &s, entry_of(&s) | bits);
}

/* Buckets that the objects of [va, va + bytes) need at `to`, for each size. */
static void count_buckets(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, uint64_t to, uint64_t n[HASHED_SIZES]) {
    uint64_t last[HASHED_SIZES];

    for (struct span w = span_of(tdb, va, bytes); span_next(&w);) {
        const unsigned size = w.slot.size;
        const uint64_t tag = hashed_tag(size, w.slot.va - va + to);
        if (!n[size] || last[size] != tag)
            n[size]++;
        last[size] = tag;
    }
}

/* Both places hold the object for a moment; nobody uses the new one yet. */
static int range_move(struct emt_tdb *tdb, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *g) {
    uint64_t buckets[HASHED_SIZES] = {0};
    struct finder to_finder = {0};
    int err = 0;

    if (!range_void(tdb, to, bytes))
        return -EEXIST;
    count_buckets(tdb, from, bytes, to, buckets);
    for (unsigned size = 0; size < HASHED_SIZES && !err; size++)
        if (buckets[size])
            err = hashed_reserve(tdb, size, buckets[size]);
    for (struct span w = span_of(tdb, from, bytes); !err && span_next(&w);) {
        const uint64_t va = w.slot.va - from + to, entry = entry_of(&w.slot);
        err = put(tdb, &to_finder, w.slot.size, va, entry);
        if (err)
            break;
        /* The table may have been rebuilt. */
        w.slot = find(tdb, &w.finder, w.slot.va);
        replace(tdb, &w.slot, 0);
        if (RADIX_GET(entry, P))
            x86_gather(g, w.slot.va, w.slot.bytes);
        add_ad(tdb, &to_finder, va, w.slot.word & ~entry & AD & (RADIX_GET(entry, P) ? ~0ull : 0));
    }
    return err;
}

/* All entries of one bucket go. */
static void clear_bucket(struct emt_tdb *tdb, unsigned size, uint64_t bucket) {
    const uint64_t base = hashed_bucket_tag(tdb, bucket) << hashed_bucket_shift(size), table = tdb->word[size];

    for (unsigned i = 0; i < HASHED_WORDS; i++) {
        const uint64_t bytes = 1ull << hashed_entry_shift(size), pa = bucket + sizeof(uint64_t) * i;
        struct slot s = {base + i * bytes, bytes, pa, hashed_read(tdb, pa), bucket, size};
        if (entry_of(&s))
            replace(tdb, &s, 0);
        if (tdb->word[size] != table)
            return; /* that was the last one, and the table has been rebuilt since */
    }
}

/*
 * A walk reads several tables, and what moves from one to the other between its reads could escape it. So what is
 * new comes first; then a flush, after which no walk is under way that began before; and then the old goes.
 */
static void let_walks_end(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, uint64_t stride) {
    emt_host_flush(
        tdb->svc->host,
        &(struct emt_flush){.kind = EMT_FLUSH_RANGE, .tdb = tdb, .va = va, .bytes = bytes, .stride = stride});
}

static int huge_collapse(struct emt_tdb *tdb, const struct emt_tobj *huge, struct emt_gather *g) {
    const unsigned level = x86_object_level(tdb->svc, huge);
    struct finder f = {0};
    uint64_t bucket;

    if (!level)
        return -EINVAL;
    const struct slot s = find(tdb, &f, huge->va);
    int err = entry_of(&s) && s.size + 1 >= level ? update(tdb, &f, huge)
                                                  : put(tdb, &f, level - 1, huge->va, huge->raw[0]);
    if (err)
        return err;
    x86_gather(g, huge->va, huge->bytes);
    g->stride = EMT_PAGE_BYTES;
    if (entry_of(&s) && s.size + 1 >= level)
        return 0;
    let_walks_end(tdb, huge->va, huge->bytes, EMT_PAGE_BYTES);
    for (unsigned size = 0; size + 1 < level; size++) {
        struct hashed_scan scan = {0};
        while ((bucket = next_bucket(tdb, size, huge->va, huge->bytes, &scan)) != EMT_NO_PA)
            clear_bucket(tdb, size, bucket);
    }
    return 0;
}

/* Piece number i, of so many levels lower, of a leaf of `level`. */
static uint64_t piece(uint64_t entry, unsigned level, unsigned lower, uint64_t i) {
    for (unsigned l = 0; l < lower; l++)
        entry = x86_leaf_piece(entry, level - l, i >> RADIX_INDEX_BITS * (lower - l - 1) & (RADIX_ENTRIES - 1));
    return entry;
}

static int huge_split(struct emt_tdb *tdb, uint64_t va, uint64_t bytes, struct emt_gather *g) {
    const unsigned level = radix_leaf_level(bytes);
    struct finder f = {0};
    struct slot huge = find(tdb, &f, va);

    if (!entry_of(&huge))
        return -ENOENT;
    if (huge.bytes <= bytes)
        return 0;
    if (!level)
        return -EINVAL;
    const unsigned size = level - 1, lower = huge.size - size;
    const uint64_t first = hashed_tag(size, huge.va), n = huge.bytes >> hashed_bucket_shift(size);
    const uint64_t entry = entry_of(&huge);
    int err = hashed_reserve(tdb, size, n);
    for (uint64_t k = 0; k < n && !err; k++) {
        uint64_t entries[HASHED_WORDS];
        for (unsigned i = 0; i < HASHED_WORDS; i++)
            entries[i] = piece(entry, huge.size + 1, lower, k * HASHED_WORDS + i);
        err = hashed_insert(tdb, size, first + k, entries);
    }
    if (err)
        return err;
    let_walks_end(tdb, huge.va, huge.bytes, huge.bytes);
    replace(tdb, &huge, 0);
    const uint64_t late = RADIX_GET(entry, P) ? huge.word & ~entry & AD : 0;
    for (uint64_t at = 0; at < huge.bytes && late; at += bytes)
        add_ad(tdb, &f, huge.va + at, late);
    if (RADIX_GET(entry, P))
        x86_gather(g, huge.va, huge.bytes);
    return 0;
}

/* ---- what the registry gets ---- */

static const struct emt_driver_ops hashed_driver = {
    .tobj_get = x86_tobj_get,
    .tobj_set = tobj_set,
    .tobj_init = x86_tobj_init,
    .tobj_same = x86_tobj_same,
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
    .tsvc_switch = x86_tsvc_switch,
    .tsvc_flush = x86_tsvc_flush,
    .cursor_find = cursor_find,
    .cursor_set = cursor_set,
    .cursor_erase = cursor_erase,
    .range_unmap = range_unmap,
    .range_protect = range_protect,
    .range_copy = range_copy,
    .range_age = range_age,
    .range_void = range_void,
    .range_move = range_move,
    .huge_collapse = huge_collapse,
    .huge_split = huge_split,
};

extern const struct emt_arch emt_hashed;

const struct emt_arch emt_hashed = {
    .name = "hashed",
    .summary = "clustered hashed table for each process, open addressing (Hash, Don't Cache, SIGMETRICS'16)",
    .driver = &hashed_driver,
    .walker = &hashed_walker,
    .param = {HASHED_LEVELS, RADIX_PA_BITS},
};
