/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tables of a hashed page table: mmu/hashed/table.h.
 *
 * A table grows before more than LOAD of its buckets are taken, and shrinks when few are used. It is rebuilt as a
 * whole:
 *
 *     1. allocate the new array; none: the old one serves on, with longer searches, until it is full
 *     2. copy the buckets; walkers use the old array, which nobody changes but they
 *     3. load the new root registers; from here on no walker is in the old array
 *     4. take over A and D that walkers set in it since 2
 *     5. free it
 *
 * Each step keeps every translation in an array that is whole.
 */
#include "mmu/hashed/table.h"

/* A table is rebuilt above 6/10 (facts of SIGMETRICS'16 as models use them), and made smaller below 1/8 (assumed).
 */
#define LOAD_NUMERATOR   6
#define LOAD_DENOMINATOR 10
#define SPARSE           8

static void write(const struct emt_tdb *tdb, uint64_t bucket, unsigned word, uint64_t value) {
    emt_table_write(tdb->svc->host, bucket + sizeof(value) * word, value);
}

static uint64_t read(const struct emt_tdb *tdb, uint64_t bucket, unsigned word) {
    return hashed_read(tdb, bucket + sizeof(uint64_t) * word);
}

static unsigned state_of(const struct emt_tdb *tdb, uint64_t bucket) {
    return hashed_state(read(tdb, bucket, HASHED_STATE_WORD));
}

static uint64_t home(const struct emt_tdb *tdb, uint64_t table, uint64_t tag) {
    emt_host_work(tdb->svc->host, X86_HASH_INSTRUCTIONS);
    return hashed_home(table, tag);
}

/* ---- to find a bucket ---- */

static bool has_tag(const struct emt_tdb *tdb, uint64_t bucket, uint64_t tag) {
    for (unsigned i = 0; i < HASHED_STATE_WORD; i++)
        if ((read(tdb, bucket, i) & HASHED_TAG_MASK) != hashed_piece(tag, i))
            return false;
    return true;
}

static uint64_t lookup_in(const struct emt_tdb *tdb, uint64_t table, uint64_t tag) {
    if (!table)
        return EMT_NO_PA;
    /* Ends: a table has an empty bucket. */
    for (uint64_t number = home(tdb, table, tag);; number++) {
        const uint64_t bucket = hashed_bucket_pa(table, number);
        const unsigned state = state_of(tdb, bucket);

        if (state == HASHED_EMPTY)
            return EMT_NO_PA;
        if (state == HASHED_USED && has_tag(tdb, bucket, tag))
            return bucket;
    }
}

uint64_t hashed_lookup(const struct emt_tdb *tdb, unsigned size, uint64_t tag) {
    return lookup_in(tdb, tdb->word[size], tag);
}

uint64_t hashed_bucket_tag(const struct emt_tdb *tdb, uint64_t bucket) {
    uint64_t tag = 0;

    for (unsigned i = 0; i < HASHED_STATE_WORD; i++)
        tag |= (read(tdb, bucket, i) & HASHED_TAG_MASK) >> HASHED_TAG_FIRST << HASHED_TAG_WIDTH * i;
    return tag;
}

/* The first bucket on a tag's way that is not used. Its old state tells whether it is one more that is taken. */
static uint64_t first_free(const struct emt_tdb *tdb, uint64_t table, uint64_t tag, unsigned *state) {
    for (uint64_t number = home(tdb, table, tag);; number++) {
        const uint64_t bucket = hashed_bucket_pa(table, number);

        *state = state_of(tdb, bucket);
        if (*state != HASHED_USED)
            return bucket;
    }
}

/* ---- to rebuild ---- */

static void load_root(struct emt_tdb *tdb) {
    struct emt_root root = {{0}};

    tdb->svc->arch->driver->tdb_root(tdb, &root);
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++)
        if (tdb->svc->current[cpu] == tdb)
            emt_host_update_root(tdb->svc->host, cpu, tdb->asid, &root);
}

static void free_table(struct emt_tdb *tdb, uint64_t table) {
    emt_table_free(tdb, hashed_table_pa(table), hashed_table_log(table) - HASHED_MIN_LOG);
}

static void copy_buckets(const struct emt_tdb *tdb, uint64_t from, uint64_t to) {
    for (uint64_t i = 0; i < hashed_buckets(from); i++) {
        const uint64_t bucket = hashed_bucket_pa(from, i);
        unsigned state;

        if (state_of(tdb, bucket) != HASHED_USED)
            continue;
        const uint64_t copy = first_free(tdb, to, hashed_bucket_tag(tdb, bucket), &state);
        for (unsigned k = 0; k < HASHED_WORDS; k++)
            write(tdb, copy, k, read(tdb, bucket, k));
    }
}

/* Nobody uses `from` any more; walkers use `to`. */
static void take_over_ad(const struct emt_tdb *tdb, uint64_t from, uint64_t to) {
    const uint64_t ad = hashed_state_of(tdb)->walker_bits;

    for (uint64_t i = 0; i < hashed_buckets(from); i++) {
        const uint64_t bucket = hashed_bucket_pa(from, i);

        if (state_of(tdb, bucket) != HASHED_USED)
            continue;
        const uint64_t copy = lookup_in(tdb, to, hashed_bucket_tag(tdb, bucket));
        for (unsigned k = 0; k < HASHED_WORDS; k++) {
            const uint64_t old = read(tdb, bucket, k);
            uint64_t word = read(tdb, copy, k), found;
            while (RADIX_GET(old, P) && (old & ~word & ad) &&
                   (found = emt_table_cmpxchg(tdb->svc->host, copy + sizeof(word) * k, word, word | (old & ad))) !=
                       word)
                word = found;
        }
    }
}

static int rebuild(struct emt_tdb *tdb, unsigned size, unsigned log) {
    const uint64_t old = tdb->word[size], pa = emt_table_alloc(tdb, log - HASHED_MIN_LOG);
    struct hashed_counts *counts = &hashed_state_of(tdb)->size[size];

    if (pa == EMT_NO_PA)
        return -ENOMEM;
    const uint64_t table = pa | log;
    copy_buckets(tdb, old, table);
    tdb->word[size] = table;
    tdb->word[HASHED_GENERATION]++;
    load_root(tdb);
    take_over_ad(tdb, old, table);
    if (old)
        free_table(tdb, old);
    counts->taken = counts->used;
    return 0;
}

static uint64_t limit(unsigned log) {
    return (1ull << log) * LOAD_NUMERATOR / LOAD_DENOMINATOR;
}

int hashed_reserve(struct emt_tdb *tdb, unsigned size, uint64_t buckets) {
    const struct hashed_counts *counts = &hashed_state_of(tdb)->size[size];
    const uint64_t table = tdb->word[size];

    if (table && counts->taken + buckets <= limit(hashed_table_log(table)))
        return 0;
    /* Of graves alone the same size gets rid; but then there shall be room for a while. */
    unsigned log = table ? hashed_table_log(table) : HASHED_MIN_LOG;
    while (counts->used + buckets > limit(log) || (table && counts->used > limit(log) / 2))
        log++;
    int err = rebuild(tdb, size, log);
    if (!err || counts->taken + buckets < hashed_buckets(table))
        return 0;
    /* Without graves there may be room yet. */
    if (counts->used == counts->taken || counts->used + buckets >= hashed_buckets(table))
        return err;
    return rebuild(tdb, size, hashed_table_log(table));
}

/* ---- buckets that come and go ---- */

int hashed_insert(struct emt_tdb *tdb, unsigned size, uint64_t tag, const uint64_t entry[HASHED_WORDS]) {
    struct hashed_counts *counts = &hashed_state_of(tdb)->size[size];
    int err = hashed_reserve(tdb, size, 1);
    unsigned state = HASHED_EMPTY;
    uint64_t bucket = EMT_NO_PA;

    if (tdb->word[size])
        bucket = first_free(tdb, tdb->word[size], tag, &state);
    /* A grave may be used in a full table that cannot grow: so what was just removed finds its place again. */
    if (err && state != HASHED_GRAVE)
        return err;
    for (unsigned i = 0; i < HASHED_WORDS; i++)
        write(tdb, bucket, i, hashed_word(entry[i], hashed_piece(tag, i)));
    counts->used++;
    counts->taken += state == HASHED_EMPTY;
    tdb->word[HASHED_GENERATION]++;
    return 0;
}

/* A bucket before an empty one is on nobody's way: it and the graves before it become empty too. */
static void clear_back(struct emt_tdb *tdb, unsigned size, uint64_t bucket) {
    const uint64_t table = tdb->word[size];
    uint64_t number = (bucket - hashed_table_pa(table)) / HASHED_BUCKET_BYTES;

    if (state_of(tdb, hashed_bucket_pa(table, number + 1)) != HASHED_EMPTY)
        return;
    for (; state_of(tdb, bucket) == HASHED_GRAVE; bucket = hashed_bucket_pa(table, --number)) {
        write(tdb, bucket, HASHED_STATE_WORD, 0);
        hashed_state_of(tdb)->size[size].taken--;
    }
}

void hashed_retire(struct emt_tdb *tdb, unsigned size, uint64_t bucket) {
    struct hashed_counts *counts = &hashed_state_of(tdb)->size[size];
    const uint64_t table = tdb->word[size];

    counts->used--;
    tdb->word[HASHED_GENERATION]++;
    if (!counts->used) {
        tdb->word[size] = 0;
        counts->taken = 0;
        load_root(tdb);
        free_table(tdb, table);
        return;
    }
    write(tdb, bucket, HASHED_STATE_WORD, (uint64_t)HASHED_GRAVE << HASHED_TAG_FIRST);
    clear_back(tdb, size, bucket);
    if (counts->used * SPARSE < hashed_buckets(table) && hashed_table_log(table) > HASHED_MIN_LOG)
        rebuild(tdb, size, hashed_table_log(table) - 1); /* without memory it stays large */
}

uint64_t hashed_next(const struct emt_tdb *tdb, unsigned size, uint64_t first, uint64_t tags,
                     struct hashed_scan *scan) {
    const uint64_t table = tdb->word[size], n = hashed_buckets(table);
    const bool by_tag = tags <= n;

    if (scan->table != table && !(by_tag && scan->by_tag))
        *scan = (struct hashed_scan){.by_tag = by_tag}; /* everything may be elsewhere */
    scan->table = table;
    while (table && scan->at < (scan->by_tag ? tags : n)) {
        const uint64_t at = scan->at++;
        const uint64_t bucket = scan->by_tag ? hashed_lookup(tdb, size, first + at) : hashed_bucket_pa(table, at);
        if (scan->by_tag ? bucket != EMT_NO_PA
                         : state_of(tdb, bucket) == HASHED_USED && hashed_bucket_tag(tdb, bucket) - first < tags)
            return bucket;
    }
    return EMT_NO_PA;
}

void hashed_free_all(struct emt_tdb *tdb) {
    for (unsigned size = 0; size < HASHED_SIZES; size++)
        if (tdb->word[size]) {
            free_table(tdb, tdb->word[size]);
            tdb->word[size] = 0;
        }
}
