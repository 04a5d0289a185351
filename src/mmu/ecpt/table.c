/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Elastic cuckoo tables (ASPLOS'20, section 4; cuckoo hashing: Pagh and Rodler, ESA'01).
 *
 *     old way i  [ gone ... gone | P_i  live ...        ]      a tag x belongs to
 *                     |                                           new way i at H'_i(x)  when H_i(x) < P_i
 *     new way i  [  .. v ..         ..          ..      ...]      old way i at H_i(x)   otherwise
 *
 * Every line is in one of d places at any moment, resize or not. The order of stores that keeps this true for
 * walkers:
 *
 *   kick     The path is found first, to a free place; then lines move from its end backwards, each by "copy, then
 *            clear". So a line is never nowhere; for a moment it is at two places, equal.
 *   rehash   A batch of lines is copied into the new array, where no walker looks for them yet; then every CPU that
 * uses the tables gets the new P; then the old places are cleared. Meanwhile a place that P's old and new value
 *            disagree about is closed for kicks.
 *   A and D  set by hardware in the old copy after it was copied are taken from it with the exchange that clears
 * it.
 *
 * Policy. Ways are drawn at random, as the paper does. A table grows when 0.6 of it is used, by the factor of the
 * architecture, or by 2 where memory does not suffice, or not at all: then it fills up, until an insertion fails,
 * which is reported before anything has changed. It shrinks by that factor when this leaves 0.4 of it used
 * (assumed: the paper names the threshold but no value), never below its first size. One resize at a time. While it
 * goes on, each insertion and removal of a line pays one rehash step, and three more while the old arrays' live
 * part is fuller than 0.7 (assumed); steps are made eight at a time, so that a register update is paid for eight.
 */
#include "mmu/ecpt/table.h"

enum {
    GROW_PERCENT = 60, /* ASPLOS'20: r_t */
    LEAVE_PERCENT = 40,
    FULL_PERCENT = 70,
    EXTRA_STEPS = 3,
    BATCH = 8,
    MORE_STEPS = 64, /* when an insertion fails during a resize */
    PATIENCE = 64,
    MORE_DOUBLINGS = 4,
    MAX_LOG = 24, /* a way of 1 GiB */
};

/* A place of a tag in one way. */
struct spot {
    uint64_t pa;
    bool old;    /* in the old array, or the only one */
    bool closed; /* walkers look elsewhere until the registers are loaded */
};

static uint64_t family_of(const struct ecpt *e) {
    return e->tdb->svc->arch->param[ECPT_PARAM_HASH];
}

static uint64_t factor_log(const struct ecpt *e) {
    return emt_log2(e->tdb->svc->arch->param[ECPT_PARAM_GROWTH]);
}

static void charge_hashes(const struct ecpt *e, const struct ecpt_set *s) {
    unsigned values = s->resizing ? 2 : 1;

    if (family_of(e) == ECPT_HASH_MURMUR)
        values *= s->ways;
    emt_host_work(ecpt_host(e), values * (family_of(e) == ECPT_HASH_MURMUR ? ECPT_COST_MURMUR : ECPT_COST_CRC));
}

static unsigned draw(struct ecpt *e, unsigned below) {
    uint64_t z = e->random += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele, Lea, Flood: OOPSLA'14) */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (unsigned)((z ^ z >> 31) % below);
}

/* A tag with its digest for the arrays that are there, or are the old ones: all ways of a set have one bank. */
struct tag {
    uint64_t key, digest;
};

static struct tag tag_of(const struct ecpt *e, const struct ecpt_set *s, uint64_t key) {
    return (struct tag){key, ecpt_digest(family_of(e), ecpt_array_bank(s->way[0].array), key)};
}

static struct spot spot_of(const struct ecpt *e, const struct ecpt_set *s, unsigned way, struct tag tag) {
    const struct ecpt_way *w = &s->way[way];
    const uint64_t family = family_of(e), slot = ecpt_array_slot(w->array, family, way, tag.digest);

    if (slot >= w->p)
        return (struct spot){ecpt_array_pa(w->array) + slot * ECPT_LINE_BYTES, true, false};
    const uint64_t fresh = ecpt_digest(family, ecpt_array_bank(w->fresh), tag.key);
    const uint64_t to = ecpt_array_slot(w->fresh, family, way, fresh);
    return (struct spot){ecpt_array_pa(w->fresh) + to * ECPT_LINE_BYTES, false, slot >= w->p_loaded};
}

/* ---- lines ---- */

static void line_read(struct emt_host *host, uint64_t pa, uint64_t line[ECPT_WORDS]) {
    for (unsigned i = 0; i < ECPT_WORDS; i++)
        line[i] = emt_table_read(host, pa + 8 * i);
}

/* Where no line is. */
static void line_write(struct emt_host *host, uint64_t pa, const uint64_t line[ECPT_WORDS]) {
    for (unsigned i = 0; i < ECPT_WORDS; i++)
        emt_table_write(host, pa + 8 * i, line[i]);
}

/* Most lines of another tag differ in the first word that is read. */
static bool line_matches(struct emt_host *host, enum ecpt_table t, uint64_t pa, uint64_t key) {
    const uint64_t gate = emt_table_read(host, pa + 8 * ECPT_GATE);

    if (!ecpt_is_line(t, gate) || (gate & ecpt_tag_mask(t, ECPT_GATE)) != ecpt_tag_piece(t, ECPT_GATE, key))
        return false;
    for (unsigned i = 0; i < ECPT_GATE && t < ECPT_SIZES; i++) {
        const uint64_t word = emt_table_read(host, pa + 8 * i);
        if ((word & ecpt_tag_mask(t, i)) != ecpt_tag_piece(t, i, key))
            return false;
    }
    return true;
}

void ecpt_merge(struct emt_host *host, uint64_t pa, uint64_t gone) {
    const uint64_t ad = gone & (ECPT_MASK(A) | ECPT_MASK(D));
    uint64_t word = emt_table_read(host, pa);

    while (ad & ~word) {
        const uint64_t found = emt_table_cmpxchg(host, pa, word, word | ad);
        if (found == word)
            break;
        word = found;
    }
}

/* The line at `from` is at `to` as well, and walkers look there: clear it. Word 7 first. */
static void line_retire(struct emt_host *host, enum ecpt_table t, uint64_t from, uint64_t to) {
    for (unsigned k = 0; k < ECPT_WORDS; k++) {
        const unsigned i = k ? k - 1 : ECPT_GATE;
        uint64_t word = emt_table_read(host, from + 8 * i), found;

        if (t >= ECPT_SIZES || !(word & ECPT_MASK(P))) {
            if (i == ECPT_GATE)
                emt_table_write(host, from + 8 * i, 0);
            continue;
        }
        while ((found = emt_table_cmpxchg(host, from + 8 * i, word, 0)) != word)
            word = found;
        ecpt_merge(host, to + 8 * i, word);
    }
}

/* ---- registers ---- */

void ecpt_root(const struct ecpt *e, struct emt_root *root) {
    for (unsigned t = 0; t < ECPT_TABLES; t++) {
        uint64_t *reg = &root->word[t * ECPT_REGISTERS];

        for (unsigned w = 0; w < e->set[t].ways; w++) {
            const struct ecpt_way *way = &e->set[t].way[w];
            reg[w] = way->array;
            reg[ECPT_MAX_WAYS + w] = way->fresh;
            reg[2 * ECPT_MAX_WAYS + w / 2] |= way->p_loaded << 32 * (w % 2);
        }
    }
    root->word[ECPT_ROOT_PCID] = e->tdb->asid & ((1u << ECPT_PCID_BITS) - 1);
    for (unsigned size = 0; size < ECPT_SIZES; size++)
        root->word[ECPT_ROOT_SIZES] |= (uint64_t)(e->sections[size] != 0) << size;
}

void ecpt_load(const struct ecpt *e, unsigned changed) {
    const struct emt_tsvc *svc = e->tdb->svc;
    struct emt_root root = {.word = {0}};

    ecpt_root(e, &root);
    for (unsigned cpu = 0; cpu < EMT_MAX_CPUS; cpu++) {
        if (svc->current[cpu] != e->tdb)
            continue;
        emt_host_work(svc->host, changed * ECPT_COST_REGISTER);
        emt_host_update_root(svc->host, cpu, e->tdb->asid, &root);
    }
}

/* ---- arrays ---- */

static void arrays_free(struct ecpt *e, const uint64_t *array, unsigned n) {
    for (unsigned w = 0; w < n; w++)
        emt_table_free(e->tdb, ecpt_array_pa(array[w]), ecpt_array_log(array[w]) - ECPT_MIN_LOG_LINES);
}

/* All ways or none: false. */
static bool arrays_alloc(struct ecpt *e, unsigned n, unsigned bank, unsigned log, uint64_t *array) {
    for (unsigned w = 0; w < n; w++) {
        const uint64_t pa = log > MAX_LOG ? EMT_NO_PA : emt_table_alloc(e->tdb, log - ECPT_MIN_LOG_LINES);

        if (pa == EMT_NO_PA) {
            arrays_free(e, array, w);
            return false;
        }
        array[w] = ecpt_array(pa, bank, log);
    }
    return true;
}

static uint64_t capacity(const struct ecpt_set *s) {
    return s->ways * ecpt_array_lines(s->way[0].array);
}

void ecpt_set_init(struct ecpt_set *s, enum ecpt_table table, unsigned ways, unsigned min_log) {
    *s = (struct ecpt_set){.table = table, .ways = ways, .min_log = min_log};
}

void ecpt_set_fini(struct ecpt *e, struct ecpt_set *s) {
    for (unsigned w = 0; w < s->ways; w++) {
        if (s->way[w].array)
            arrays_free(e, &s->way[w].array, 1);
        if (s->way[w].fresh)
            arrays_free(e, &s->way[w].fresh, 1);
    }
    ecpt_set_init(s, s->table, s->ways, s->min_log);
}

static bool first_arrays(struct ecpt *e, struct ecpt_set *s) {
    uint64_t array[ECPT_MAX_WAYS];

    unsigned log = s->min_log;
    while (!arrays_alloc(e, s->ways, 0, log, array))
        if (log-- == ECPT_MIN_LOG_LINES)
            return false;
    for (unsigned w = 0; w < s->ways; w++)
        s->way[w].array = array[w];
    ecpt_load(e, s->ways);
    return true;
}

/* ---- kicks ---- */

struct path {
    unsigned n; /* kicks */
    struct spot spot[ECPT_MAX_KICKS + 1];
    uint64_t key[ECPT_MAX_KICKS + 1]; /* of the line there */
    unsigned way[ECPT_MAX_KICKS + 1];
};

static bool path_has(const struct path *path, uint64_t pa) {
    for (unsigned i = 0; i < path->n; i++)
        if (path->spot[i].pa == pa)
            return true;
    return false;
}

/*
 * From the place of `key` in `way` to a free one: the line there goes to another of its ways, drawn at random, the
 * one that is there to yet another, ... `rehash`: the line comes from the old array of this very way, to a place
 * that is closed until its batch is done.
 */
static bool find_path(struct ecpt *e, const struct ecpt_set *s, uint64_t key, unsigned way, bool rehash,
                      struct path *path) {
    uint64_t line[ECPT_WORDS];
    struct tag tag = tag_of(e, s, key);

    for (path->n = 0;; path->n++) {
        struct spot spot = spot_of(e, s, way, tag);

        if ((spot.closed && !(rehash && path->n == 0)) || path_has(path, spot.pa))
            return false;
        path->spot[path->n] = spot;
        path->way[path->n] = way;
        if (!ecpt_is_line(s->table, emt_table_read(ecpt_host(e), spot.pa + 8 * ECPT_GATE)))
            return true;
        if (path->n == ECPT_MAX_KICKS)
            return false;
        line_read(ecpt_host(e), spot.pa, line);
        path->key[path->n] = ecpt_line_key(s->table, line);
        tag = tag_of(e, s, path->key[path->n]);
        charge_hashes(e, s);
        emt_host_work(ecpt_host(e), ECPT_COST_KICK);
        if (spot_of(e, s, way, tag).closed) /* has come with this batch */
            return false;
        way = (way + 1 + draw(e, s->ways - 1)) % s->ways;
    }
}

/* Backwards from the free place; afterwards the first one is free. */
static void follow_path(struct ecpt *e, struct ecpt_set *s, const struct path *path) {
    struct emt_host *host = ecpt_host(e);
    uint64_t line[ECPT_WORDS];

    for (unsigned i = path->n; i > 0; i--) {
        const struct spot *from = &path->spot[i - 1], *to = &path->spot[i];

        line_read(host, from->pa, line);
        line_write(host, to->pa, line);
        if (!s->hidden)
            ecpt_cwt_moved(e, s->table, path->key[i - 1], path->way[i]);
        line_retire(host, s->table, from->pa, to->pa);
        s->old_lines += (uint64_t)to->old - (uint64_t)from->old;
    }
    s->kicks += path->n;
    s->moves += path->n != 0;
}

/* A place for `key`, freed by kicks; each way is tried once as the first. */
static bool make_room(struct ecpt *e, struct ecpt_set *s, uint64_t key, struct spot *spot, unsigned *way) {
    const unsigned first = draw(e, s->ways);
    struct path path;

    charge_hashes(e, s);
    for (unsigned i = 0; i < s->ways; i++) {
        *way = (first + i) % s->ways;
        if (!find_path(e, s, key, *way, false, &path))
            continue;
        follow_path(e, s, &path);
        *spot = path.spot[0];
        return true;
    }
    return false;
}

/* ---- resizing ---- */

static bool start_resize(struct ecpt *e, struct ecpt_set *s, unsigned log) {
    const unsigned bank = !ecpt_array_bank(s->way[0].array);
    uint64_t array[ECPT_MAX_WAYS];

    if (!arrays_alloc(e, s->ways, bank, log, array)) {
        s->patience = PATIENCE;
        return false;
    }
    for (unsigned w = 0; w < s->ways; w++)
        s->way[w].fresh = array[w];
    s->resizing = true;
    s->old_lines = s->lines;
    s->owed = 0;
    if (log > ecpt_array_log(s->way[0].array))
        s->upsizes++;
    else
        s->downsizes++;
    ecpt_load(e, s->ways);
    return true;
}

static bool grow(struct ecpt *e, struct ecpt_set *s) {
    const unsigned log = ecpt_array_log(s->way[0].array);

    for (unsigned more = (unsigned)factor_log(e); more; more--)
        if (start_resize(e, s, log + more))
            return true;
    return false;
}

/* All lines have moved: the new arrays are the only ones, in one update of the registers. */
static void finish_resize(struct ecpt *e, struct ecpt_set *s) {
    uint64_t old[ECPT_MAX_WAYS];

    for (unsigned w = 0; w < s->ways; w++) {
        old[w] = s->way[w].array;
        s->way[w] = (struct ecpt_way){.array = s->way[w].fresh};
    }
    s->resizing = false;
    s->old_lines = 0;
    ecpt_load(e, 3 * s->ways);
    arrays_free(e, old, s->ways);
}

/* Up to BATCH lines of one way. false: not one of them found a place. */
static bool rehash_batch(struct ecpt *e, struct ecpt_set *s, unsigned way) {
    struct emt_host *host = ecpt_host(e);
    struct ecpt_way *w = &s->way[way];
    const uint64_t lines = ecpt_array_lines(w->array);
    uint64_t from[BATCH], to[BATCH], line[ECPT_WORDS];
    unsigned n = 0;
    struct path path;

    for (unsigned step = 0; step < BATCH && w->p < lines; step++) {
        const uint64_t pa = ecpt_array_pa(w->array) + w->p * ECPT_LINE_BYTES;

        w->p++; /* from here on its place is in the new array */
        if (!ecpt_is_line(s->table, emt_table_read(host, pa + 8 * ECPT_GATE)))
            continue;
        line_read(host, pa, line);
        charge_hashes(e, s);
        if (!find_path(e, s, ecpt_line_key(s->table, line), way, true, &path)) {
            w->p--;
            break;
        }
        follow_path(e, s, &path);
        line_write(host, path.spot[0].pa, line);
        from[n] = pa;
        to[n++] = path.spot[0].pa;
    }
    if (w->p == w->p_loaded)
        return false;
    w->p_loaded = w->p;
    ecpt_load(e, 1);
    for (unsigned i = 0; i < n; i++)
        line_retire(host, s->table, from[i], to[i]);
    s->old_lines -= n;
    s->rehashed += n;
    s->moves += n != 0;
    return true;
}

/* `steps` or a few more; the way that is behind goes first. false: no progress at all. */
static bool rehash(struct ecpt *e, struct ecpt_set *s, unsigned steps) {
    bool any = false;

    for (unsigned done = 0; s->resizing && done < steps; done += BATCH) {
        unsigned way = 0;

        for (unsigned w = 1; w < s->ways; w++)
            if (s->way[w].p < s->way[way].p)
                way = w;
        if (s->way[way].p == ecpt_array_lines(s->way[way].array)) {
            finish_resize(e, s);
            return true;
        }
        for (unsigned i = 0; !rehash_batch(e, s, way); i++) {
            /* A walk at random found no place: another may, and other ways may have one. */
            way = (way + 1) % s->ways;
            if (i == 4 * s->ways)
                return any;
        }
        any = true;
    }
    return any;
}

/* Old arrays' places that are still in use. */
static uint64_t live_places(const struct ecpt_set *s) {
    uint64_t n = 0;

    for (unsigned w = 0; w < s->ways; w++)
        n += ecpt_array_lines(s->way[w].array) - s->way[w].p;
    return n;
}

/* After an insertion or a removal. */
static void pay_steps(struct ecpt *e, struct ecpt_set *s) {
    if (!s->resizing)
        return;
    s->owed++;
    if (s->old_lines * 100 > live_places(s) * FULL_PERCENT)
        s->owed += EXTRA_STEPS;
    if (s->owed < BATCH)
        return;
    rehash(e, s, s->owed);
    s->owed = 0;
}

/* ---- the last resort ---- */

static bool put(struct ecpt *e, struct ecpt_set *s, uint64_t key, const uint64_t line[ECPT_WORDS],
                struct ecpt_place *at) {
    struct spot spot;

    if (!make_room(e, s, key, &spot, &at->way))
        return false;
    at->pa = spot.pa;
    line_write(ecpt_host(e), spot.pa, line);
    s->old_lines += s->resizing && spot.old;
    s->lines++;
    return true;
}

static struct ecpt_place find_in(struct ecpt *e, const struct ecpt_set *s, uint64_t key);

/* For each line of an array: copy it into `into`, or, when it is there, clear it. false: no place for one. */
static bool each_line(struct ecpt *e, uint64_t array, struct ecpt_set *into, bool retire) {
    struct emt_host *host = ecpt_host(e);
    uint64_t line[ECPT_WORDS];

    for (uint64_t i = 0; i < ecpt_array_lines(array); i++) {
        const uint64_t pa = ecpt_array_pa(array) + i * ECPT_LINE_BYTES;
        struct ecpt_place at;

        if (!ecpt_is_line(into->table, emt_table_read(host, pa + 8 * ECPT_GATE)))
            continue;
        line_read(host, pa, line);
        const uint64_t key = ecpt_line_key(into->table, line);
        if (!retire && !put(e, into, key, line, &at))
            return false;
        if (!retire)
            continue;
        at = find_in(e, into, key);
        ecpt_cwt_moved(e, into->table, key, at.way);
        line_retire(host, into->table, pa, at.pa);
    }
    return true;
}

/*
 * Not gradual: everything is copied into a third set of arrays, which no walker knows; one update of the registers
 * makes it the table; A and D that hardware set in the old copies follow.
 */
bool ecpt_rebuild(struct ecpt *e, enum ecpt_table t, unsigned log) {
    struct ecpt_set *s = &e->set[t], next = {.table = t, .ways = s->ways, .min_log = s->min_log, .hidden = true};
    uint64_t array[ECPT_MAX_WAYS], old[2 * ECPT_MAX_WAYS];
    unsigned n = 0;
    bool fits = true;

    if (!arrays_alloc(e, s->ways, 0, log, array))
        return false;
    for (unsigned w = 0; w < s->ways; w++) {
        next.way[w].array = array[w];
        old[n++] = s->way[w].array;
        if (s->way[w].fresh)
            old[n++] = s->way[w].fresh;
    }
    for (unsigned i = 0; i < n && fits; i++)
        fits = each_line(e, old[i], &next, false);
    if (!fits) {
        arrays_free(e, array, s->ways);
        return false;
    }
    for (unsigned w = 0; w < s->ways; w++)
        s->way[w] = next.way[w];
    s->resizing = false;
    s->old_lines = 0;
    s->rebuilds++;
    s->moves++;
    ecpt_load(e, 3 * s->ways);
    for (unsigned i = 0; i < n; i++)
        each_line(e, old[i], s, true);
    arrays_free(e, old, n);
    return true;
}

/* Twice as large does as a rule; with two ways, whose places fill up at half, once in a while it does not. */
static bool rebuild_larger(struct ecpt *e, struct ecpt_set *s) {
    unsigned log = ecpt_array_log(s->way[0].array), fresh = ecpt_array_log(s->way[0].fresh);

    if (fresh > log)
        log = fresh;
    for (unsigned more = 1; more <= MORE_DOUBLINGS; more++)
        if (ecpt_rebuild(e, s->table, log + more))
            return true;
    return ecpt_rebuild(e, s->table, log);
}

/* ---- what the driver calls ---- */

static struct ecpt_place find_in(struct ecpt *e, const struct ecpt_set *s, uint64_t key) {
    const struct tag tag = tag_of(e, s, key);

    for (unsigned way = 0; way < s->ways; way++) {
        const struct spot spot = spot_of(e, s, way, tag);

        if (line_matches(ecpt_host(e), s->table, spot.pa, key))
            return (struct ecpt_place){spot.pa, way};
    }
    return (struct ecpt_place){.pa = EMT_NO_PA};
}

struct ecpt_place ecpt_find(struct ecpt *e, enum ecpt_table t, uint64_t key) {
    const struct ecpt_set *s = &e->set[t];

    if (!s->lines)
        return (struct ecpt_place){.pa = EMT_NO_PA};
    charge_hashes(e, s);
    emt_host_work(ecpt_host(e), s->ways * ECPT_COST_WAY);
    return find_in(e, s, key);
}

int ecpt_insert(struct ecpt *e, enum ecpt_table t, uint64_t key, const uint64_t line[ECPT_WORDS],
                struct ecpt_place *at) {
    struct ecpt_set *s = &e->set[t];

    if (!s->way[0].array && !first_arrays(e, s))
        return -ENOMEM;
    if (s->patience)
        s->patience--;
    else if (!s->resizing && !e->moving && (s->lines + 1) * 100 > capacity(s) * GROW_PERCENT)
        grow(e, s);
    while (!put(e, s, key, line, at)) {
        /* During a resize: make it go on, or end at once. Otherwise begin one. */
        if (s->resizing ? !rehash(e, s, MORE_STEPS) && !rebuild_larger(e, s) : !grow(e, s))
            return -ENOMEM;
    }
    s->inserts++;
    const uint32_t moves = s->moves;
    pay_steps(e, s);
    if (s->moves != moves)
        *at = find_in(e, s, key);
    return 0;
}

static bool in_old(const struct ecpt_set *s, uint64_t pa) {
    for (unsigned w = 0; w < s->ways; w++)
        if (pa - ecpt_array_pa(s->way[w].array) < ecpt_array_lines(s->way[w].array) * ECPT_LINE_BYTES)
            return true;
    return false;
}

void ecpt_removed(struct ecpt *e, enum ecpt_table t, uint64_t pa) {
    struct ecpt_set *s = &e->set[t];

    s->lines--;
    s->moves++;
    s->old_lines -= s->resizing && in_old(s, pa);
    pay_steps(e, s); /* may end a resize */
    const unsigned log = ecpt_array_log(s->way[0].array), less = (unsigned)factor_log(e);
    if (s->resizing || log <= s->min_log)
        return;
    if (s->patience)
        s->patience--;
    else if ((s->lines << less) * 100 < capacity(s) * LEAVE_PERCENT)
        start_resize(e, s, log > s->min_log + less ? log - less : s->min_log);
}
