/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of hashed page tables: for each page size that has a table, read the bucket where the search
 * for the address begins; all sizes at once. A bucket with another tag: on to the next one. An empty one: no such
 * page.
 */
#include "emt/driver.h"
#include "mmu/hashed/format.h"
#include "mmu/x86/access.h"

static const char *const names[HASHED_SIZES] = {"4K buckets", "2M buckets", "1G buckets"};

struct search {
    unsigned size;
    uint64_t table, number; /* of the bucket read next */
};

enum verdict { ELSEWHERE, NOT_THERE, THERE };

/* Is the tag's entry in this bucket? *word gets it. */
static enum verdict look(const struct emt_fetch *bucket, uint64_t tag, unsigned index, uint64_t *word) {
    const unsigned state = hashed_state(bucket->data[HASHED_STATE_WORD]);

    if (state != HASHED_USED)
        return state == HASHED_EMPTY ? NOT_THERE : ELSEWHERE;
    for (unsigned i = 0; i < HASHED_STATE_WORD; i++)
        if ((bucket->data[i] & HASHED_TAG_MASK) != hashed_piece(tag, i))
            return ELSEWHERE;
    *word = bucket->data[index];
    return hashed_entry(*word) ? THERE : NOT_THERE;
}

static void prepare(struct emt_fetch *f, const struct search *s) {
    *f = (struct emt_fetch){.pa = hashed_bucket_pa(s->table, s->number),
                            .words = HASHED_WORDS,
                            .level = (uint8_t)(s->size + 1),
                            .table = names[s->size],
                            .index = s->number & (hashed_buckets(s->table) - 1)};
}

/*
 * Invariant: the entry is in none of the buckets before those that `search` names. Each round moves all of them on,
 * so that it ends: a table has an empty bucket. 1: an entry changed while it was being used.
 */
static int probe(const struct emt_arch *arch, const struct emt_access *a, struct emt_port *port,
                 struct search *search, unsigned n, struct emt_walk *out) {
    for (uint64_t rounds = 0; n; rounds++) {
        struct emt_fetch f[HASHED_SIZES];

        for (unsigned i = 0; i < n; i++)
            prepare(&f[i], &search[i]);
        int err = port->fetch(port, f, n);
        if (err < 0)
            return err;
        unsigned left = 0;
        for (unsigned i = 0; i < n; i++) {
            struct search *s = &search[i];
            const unsigned index = hashed_index(s->size, a->va);
            uint64_t word;
            enum verdict v = look(&f[i], hashed_tag(s->size, a->va), index, &word);

            if (v == THERE)
                return x86_use_leaf(arch, a, port, f[i].pa + sizeof(word) * index, word, hashed_entry(word),
                                    s->size + 1, out);
            s->number++;
            if (v == ELSEWHERE && rounds < hashed_buckets(s->table))
                search[left++] = *s;
        }
        n = left;
    }
    return x86_fault(out, x86_access_code(a));
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    int again;

    do {
        struct search search[HASHED_SIZES];
        unsigned n = 0;

        *out = (struct emt_walk){.va = a->va};
        if (!radix_canonical(a->va, HASHED_LEVELS))
            return x86_fault(out, 0);
        for (unsigned size = 0; size < HASHED_SIZES; size++)
            if (root->word[size])
                search[n++] =
                    (struct search){size, root->word[size], hashed_home(root->word[size], hashed_tag(size, a->va))};
        again = probe(arch, a, port, search, n, out);
    } while (again > 0);
    return again;
}

extern const struct emt_walker_ops hashed_walker;

const struct emt_walker_ops hashed_walker = {.walk = walk, .line_pages = 8};
