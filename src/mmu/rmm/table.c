/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A B-tree of ranges: mmu/rmm/format.h says how it lies in memory. The root stays where it is: when it is full, its
 * slots go to a new node below it. A node goes when it is empty; half-empty ones are not joined, since a range
 * table is small and removals come with the end of a process.
 */
#include "mmu/rmm/table.h"

#define FIND_INSTRUCTIONS 20 /* estimate: a binary search of 7 steps, less the reads */

static struct emt_host *host_of(const struct emt_tdb *tdb) {
    return tdb->svc->host;
}

static uint64_t header_of(const struct emt_tdb *tdb, uint64_t node) {
    return emt_table_read(host_of(tdb), node);
}

static uint64_t read_word(const struct emt_tdb *tdb, uint64_t node, unsigned slot, unsigned word) {
    return emt_table_read(host_of(tdb), rmm_slot_pa(node, slot) + 8 * word);
}

static void write_word(const struct emt_tdb *tdb, uint64_t node, unsigned slot, unsigned word, uint64_t value) {
    emt_table_write(host_of(tdb), rmm_slot_pa(node, slot) + 8 * word, value);
}

static struct rmm_range read_range(const struct emt_tdb *tdb, uint64_t node, unsigned slot) {
    return (struct rmm_range){read_word(tdb, node, slot, RMM_FIRST), read_word(tdb, node, slot, RMM_LAST),
                              read_word(tdb, node, slot, RMM_OFFSET), read_word(tdb, node, slot, RMM_RIGHTS)};
}

/* Bracket of all changes to a node: a walker in between finds nothing. */
static uint64_t begin(const struct emt_tdb *tdb, uint64_t node) {
    const uint64_t header = header_of(tdb, node);

    emt_table_write(host_of(tdb), node, rmm_header(rmm_version(header) + 1, rmm_level(header), rmm_slots(header)));
    return header;
}

static void end(const struct emt_tdb *tdb, uint64_t node, uint64_t was, unsigned level, unsigned slots) {
    emt_table_write(host_of(tdb), node, rmm_header((rmm_version(was) + 2) & 0xffffffff, level, slots));
}

static void write_range(const struct emt_tdb *tdb, uint64_t node, unsigned slot, const struct rmm_range *r) {
    write_word(tdb, node, slot, RMM_FIRST, r->first);
    write_word(tdb, node, slot, RMM_LAST, r->last);
    write_word(tdb, node, slot, RMM_OFFSET, r->offset);
    write_word(tdb, node, slot, RMM_RIGHTS, r->rights);
}

static void copy_slot(const struct emt_tdb *tdb, uint64_t to, unsigned to_slot, uint64_t from, unsigned from_slot) {
    for (unsigned word = 0; word < RMM_SLOT_WORDS; word++)
        write_word(tdb, to, to_slot, word, read_word(tdb, from, from_slot, word));
}

/* ---- to find ---- */

/* The last slot that begins at or before va; -1: none. */
static int search(const struct emt_tdb *tdb, uint64_t node, unsigned slots, uint64_t va) {
    int low = -1, high = (int)slots;

    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (read_word(tdb, node, (unsigned)middle, RMM_FIRST) <= va)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void descend(const struct emt_tdb *tdb, uint64_t va, struct rmm_place *p) {
    uint64_t node = rmm_table_of(tdb)->root;

    for (p->depth = 0;; p->depth++) {
        const uint64_t header = header_of(tdb, node);
        int slot = search(tdb, node, rmm_slots(header), va);
        p->node[p->depth] = node;
        if (rmm_level(header) && slot < 0)
            slot = 0; /* va is in front of everything */
        p->slot[p->depth] = slot;
        if (!rmm_level(header)) {
            p->slots = rmm_slots(header);
            p->depth++;
            return;
        }
        node = read_word(tdb, node, (unsigned)slot, RMM_NODE);
    }
}

/* The place behind p: false, there is none. */
static bool next_place(const struct emt_tdb *tdb, const struct rmm_place *p, struct rmm_place *next) {
    const unsigned leaf = p->depth - 1;

    *next = *p;
    if ((unsigned)(p->slot[leaf] + 1) < p->slots) {
        next->slot[leaf]++;
        return true;
    }
    for (unsigned d = leaf; d-- > 0;) {
        if ((unsigned)(p->slot[d] + 1) >= rmm_slots(header_of(tdb, p->node[d])))
            continue;
        next->slot[d]++;
        for (unsigned below = d + 1; below <= leaf; below++) {
            next->node[below] = read_word(tdb, next->node[below - 1], (unsigned)next->slot[below - 1], RMM_NODE);
            next->slot[below] = 0;
        }
        next->slots = rmm_slots(header_of(tdb, next->node[leaf]));
        return true;
    }
    return false;
}

void rmm_find(struct emt_tdb *tdb, uint64_t va) {
    struct rmm_table *t = rmm_table_of(tdb);
    const struct rmm_range none = {.first = 1};
    struct rmm_place next;

    if (t->known && (rmm_none(&t->left) || t->left.first <= va) && (rmm_none(&t->right) || va < t->right.first))
        return;
    emt_host_work(host_of(tdb), FIND_INSTRUCTIONS);
    descend(tdb, va, &t->place);
    const unsigned leaf = t->place.depth - 1;
    const int slot = t->place.slot[leaf];
    t->left = slot < 0 ? none : read_range(tdb, t->place.node[leaf], (unsigned)slot);
    t->right = none;
    if (next_place(tdb, &t->place, &next))
        t->right = read_range(tdb, next.node[next.depth - 1], (unsigned)next.slot[next.depth - 1]);
    t->known = true;
}

/* ---- to change ---- */

/* The first slot of the leaf has another beginning now: so has each slot above it that leads there first. */
static void fix_keys(const struct emt_tdb *tdb, const struct rmm_place *p, uint64_t first) {
    for (unsigned d = p->depth - 1; d-- > 0 && p->slot[d + 1] == 0;) {
        const uint64_t was = begin(tdb, p->node[d]);
        write_word(tdb, p->node[d], (unsigned)p->slot[d], RMM_FIRST, first);
        end(tdb, p->node[d], was, rmm_level(was), rmm_slots(was));
    }
}

static void set_at(const struct emt_tdb *tdb, const struct rmm_place *p, const struct rmm_range *old,
                   const struct rmm_range *r) {
    const uint64_t node = p->node[p->depth - 1];
    const unsigned slot = (unsigned)p->slot[p->depth - 1];

    if (old->first == r->first && old->offset == r->offset && old->rights == r->rights) {
        write_word(tdb, node, slot, RMM_LAST, r->last); /* one store: a walker finds the one or the other */
        return;
    }
    const uint64_t was = begin(tdb, node);
    write_range(tdb, node, slot, r);
    end(tdb, node, was, 0, rmm_slots(was));
    if (old->first != r->first && slot == 0)
        fix_keys(tdb, p, r->first);
}

void rmm_set_left(struct emt_tdb *tdb, const struct rmm_range *r) {
    struct rmm_table *t = rmm_table_of(tdb);

    set_at(tdb, &t->place, &t->left, r);
    t->left = *r;
}

void rmm_set_right(struct emt_tdb *tdb, const struct rmm_range *r) {
    struct rmm_table *t = rmm_table_of(tdb);
    struct rmm_place next;

    if (!next_place(tdb, &t->place, &next))
        return;
    set_at(tdb, &next, &t->right, r);
    t->right = *r;
}

/* Take a slot out of the node at depth d; a node that is empty goes, and its slot above. */
static void remove_slot(struct emt_tdb *tdb, struct rmm_place *p, unsigned d) {
    const uint64_t node = p->node[d];
    const unsigned slot = (unsigned)p->slot[d], slots = rmm_slots(header_of(tdb, node));

    if (slots == 1 && d > 0) {
        remove_slot(tdb, p, d - 1);
        emt_table_free(tdb, node, 0);
        return;
    }
    const uint64_t was = begin(tdb, node);
    for (unsigned i = slot; i + 1 < slots; i++)
        copy_slot(tdb, node, i, node, i + 1);
    end(tdb, node, was, slots > 1 ? rmm_level(was) : 0, slots - 1); /* an empty root is a leaf */
    if (slot || slots == 1)
        return;
    const uint64_t first = read_word(tdb, node, 0, RMM_FIRST);
    struct rmm_place above = *p;
    above.depth = d + 1;
    fix_keys(tdb, &above, first);
}

void rmm_remove_left(struct emt_tdb *tdb) {
    struct rmm_table *t = rmm_table_of(tdb);

    remove_slot(tdb, &t->place, t->place.depth - 1);
    t->ranges--;
    t->known = false;
}

void rmm_remove_right(struct emt_tdb *tdb) {
    struct rmm_table *t = rmm_table_of(tdb);
    struct rmm_place next;

    if (!next_place(tdb, &t->place, &next))
        return;
    remove_slot(tdb, &next, next.depth - 1);
    t->ranges--;
    t->known = false;
}

/* The root is full: its slots move to a new node below it. */
static bool grow(struct emt_tdb *tdb) {
    const uint64_t root = rmm_table_of(tdb)->root, node = emt_table_alloc(tdb, 0);

    if (node == EMT_NO_PA)
        return false;
    const uint64_t was = begin(tdb, root);
    for (unsigned i = 0; i < rmm_slots(was); i++)
        copy_slot(tdb, node, i, root, i);
    emt_table_write(host_of(tdb), node, rmm_header(0, rmm_level(was), rmm_slots(was)));
    write_word(tdb, root, 0, RMM_NODE, node);
    write_word(tdb, root, 0, RMM_OFFSET, 0);
    write_word(tdb, root, 0, RMM_RIGHTS, 0);
    end(tdb, root, was, rmm_level(was) + 1, 1);
    return true;
}

/* Put a slot behind slot `at` of a node that has room. */
static void put_slot(const struct emt_tdb *tdb, uint64_t node, int at, const struct rmm_range *words) {
    const uint64_t was = begin(tdb, node);
    const unsigned slots = rmm_slots(was);

    for (unsigned i = slots; i > (unsigned)(at + 1); i--)
        copy_slot(tdb, node, i, node, i - 1);
    write_range(tdb, node, (unsigned)(at + 1), words);
    end(tdb, node, was, rmm_level(was), slots + 1);
}

/* The node at depth d > 0 is full, the one above it is not: half of its slots move to a new one beside it. */
static bool split(struct emt_tdb *tdb, const struct rmm_place *p, unsigned d) {
    const uint64_t node = p->node[d], sibling = emt_table_alloc(tdb, 0);
    const unsigned half = RMM_SLOTS / 2;

    if (sibling == EMT_NO_PA)
        return false;
    const uint64_t was = begin(tdb, node);
    for (unsigned i = half; i < RMM_SLOTS; i++)
        copy_slot(tdb, sibling, i - half, node, i);
    emt_table_write(host_of(tdb), sibling, rmm_header(0, rmm_level(was), RMM_SLOTS - half));
    end(tdb, node, was, rmm_level(was), half);
    const struct rmm_range above = {read_word(tdb, sibling, 0, RMM_FIRST), sibling, 0, 0};
    put_slot(tdb, p->node[d - 1], p->slot[d - 1], &above);
    return true;
}

/* Room in the leaf at p, one step nearer. false: no memory. */
static bool make_room(struct emt_tdb *tdb, const struct rmm_place *p) {
    unsigned d = p->depth - 1;

    while (d > 0 && rmm_slots(header_of(tdb, p->node[d - 1])) == RMM_SLOTS)
        d--;
    if (d > 0)
        return split(tdb, p, d);
    return p->depth < RMM_DEPTH && grow(tdb);
}

bool rmm_insert(struct emt_tdb *tdb, const struct rmm_range *r) {
    struct rmm_table *t = rmm_table_of(tdb);

    rmm_find(tdb, r->first);
    while (t->place.slots == RMM_SLOTS) {
        const bool room = make_room(tdb, &t->place);
        t->known = false;
        if (!room)
            return false;
        rmm_find(tdb, r->first);
    }
    const unsigned leaf = t->place.depth - 1;
    put_slot(tdb, t->place.node[leaf], t->place.slot[leaf], r);
    t->place.slot[leaf]++;
    t->place.slots++;
    if (t->place.slot[leaf] == 0)
        fix_keys(tdb, &t->place, r->first);
    t->left = *r;
    t->ranges++;
    return true;
}

/* ---- from the beginning to the end ---- */

int rmm_table_create(struct emt_tdb *tdb) {
    struct rmm_table *t = emt_state_alloc(host_of(tdb), sizeof(*t));
    const uint64_t root = t ? emt_table_alloc(tdb, 0) : EMT_NO_PA;

    if (root == EMT_NO_PA) {
        emt_state_free(host_of(tdb), t);
        return -ENOMEM;
    }
    t->root = root;
    tdb->priv = t;
    return 0;
}

static void free_below(struct emt_tdb *tdb, uint64_t node) {
    const uint64_t header = header_of(tdb, node);

    for (unsigned i = 0; rmm_level(header) && i < rmm_slots(header); i++)
        free_below(tdb, read_word(tdb, node, i, RMM_NODE));
    emt_table_free(tdb, node, 0);
}

void rmm_table_destroy(struct emt_tdb *tdb) {
    free_below(tdb, rmm_table_of(tdb)->root);
    emt_state_free(host_of(tdb), tdb->priv);
    tdb->priv = NULL;
}
