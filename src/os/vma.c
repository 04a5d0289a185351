/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The ordered set of VMAs: see vma.h. */
#include "os/vma.h"

#include <stddef.h>
#include <stdio.h>

/* Free bytes between the VMA before v and v, less the guard gap of a stack. */
static uint64_t gap_below(const struct vma *v) {
    uint64_t low = v->prev ? v->prev->end : 0, high = v->start;

    if (v->flags & VMA_GROWSDOWN)
        high = high > VMA_GUARD_BYTES ? high - VMA_GUARD_BYTES : 0;
    return high > low ? high - low : 0;
}

static void update(struct vma *v) {
    uint64_t gap = gap_below(v);

    if (v->left && v->left->max_gap > gap)
        gap = v->left->max_gap;
    if (v->right && v->right->max_gap > gap)
        gap = v->right->max_gap;
    v->max_gap = gap;
}

/* Everything that starts below `at` goes to *low, the rest to *high. */
static void split(struct vma *n, uint64_t at, struct vma **low, struct vma **high) {
    if (!n) {
        *low = *high = NULL;
    } else if (n->start < at) {
        split(n->right, at, &n->right, high);
        update(n);
        *low = n;
    } else {
        split(n->left, at, low, &n->left);
        update(n);
        *high = n;
    }
}

static struct vma *join(struct vma *low, struct vma *high) {
    if (!low || !high)
        return low ? low : high;
    if (low->priority > high->priority) {
        low->right = join(low->right, high);
        update(low);
        return low;
    }
    high->left = join(low, high->left);
    update(high);
    return high;
}

static struct vma *insert(struct vma *n, struct vma *v) {
    if (!n || v->priority > n->priority) {
        split(n, v->start, &v->left, &v->right);
        update(v);
        return v;
    }
    if (v->start < n->start)
        n->left = insert(n->left, v);
    else
        n->right = insert(n->right, v);
    update(n);
    return n;
}

static struct vma *remove_from(struct vma *n, struct vma *v) {
    if (n == v)
        return join(v->left, v->right);
    if (v->start < n->start)
        n->left = remove_from(n->left, v);
    else
        n->right = remove_from(n->right, v);
    update(n);
    return n;
}

/* The gap below v changed: bring the path to it up to date. */
static void refresh(struct vma *n, const struct vma *v) {
    if (!n)
        return;
    if (n != v)
        refresh(v->start < n->start ? n->left : n->right, v);
    update(n);
}

/* splitmix64: heap priorities that need no entropy and no state but a counter. */
static uint32_t next_priority(struct vma_tree *t) {
    uint64_t z = t->seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)(z >> 32);
}

struct vma *vma_find(struct vma_tree *t, uint64_t va) {
    struct vma *best = NULL;

    if (t->recent && t->recent->start <= va && va < t->recent->end)
        return t->recent;
    for (struct vma *n = t->root; n;) {
        if (n->end <= va) {
            n = n->right;
            continue;
        }
        best = n;
        if (n->start <= va) {
            t->recent = n;
            break;
        }
        n = n->left;
    }
    return best;
}

struct vma *vma_at(struct vma_tree *t, uint64_t va) {
    struct vma *v = vma_find(t, va);

    return v && v->start <= va ? v : NULL;
}

struct vma *vma_overlap(struct vma_tree *t, uint64_t start, uint64_t end) {
    struct vma *v = vma_find(t, start);

    return v && v->start < end ? v : NULL;
}

void vma_insert(struct vma_tree *t, struct vma *v) {
    struct vma *next = vma_find(t, v->start);

    v->next = next;
    v->prev = next ? next->prev : t->last;
    *(v->prev ? &v->prev->next : &t->first) = v;
    *(next ? &next->prev : &t->last) = v;
    v->left = v->right = NULL;
    v->priority = next_priority(t);
    t->root = insert(t->root, v);
    if (next)
        refresh(t->root, next);
    t->count++;
}

void vma_remove(struct vma_tree *t, struct vma *v) {
    struct vma *next = v->next;

    t->root = remove_from(t->root, v);
    *(v->prev ? &v->prev->next : &t->first) = next;
    *(next ? &next->prev : &t->last) = v->prev;
    if (next)
        refresh(t->root, next);
    if (t->recent == v)
        t->recent = NULL;
    t->count--;
}

void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end) {
    v->start = start;
    v->end = end;
    refresh(t->root, v);
    if (v->next)
        refresh(t->root, v->next);
}

/* Highest fit below the VMAs of subtree n. */
static uint64_t room_in(const struct vma *n, uint64_t bytes, uint64_t low, uint64_t high) {
    if (!n || n->max_gap < bytes)
        return 0;
    uint64_t found = n->start < high ? room_in(n->right, bytes, low, high) : 0;
    if (found)
        return found;
    uint64_t gap = gap_below(n), floor = n->prev ? n->prev->end : 0, ceiling = floor + gap;
    if (floor < low)
        floor = low;
    if (ceiling > high)
        ceiling = high;
    if (ceiling > floor && ceiling - floor >= bytes)
        return ceiling - bytes;
    return n->start > low ? room_in(n->left, bytes, low, high) : 0;
}

uint64_t vma_room(const struct vma_tree *t, uint64_t bytes, uint64_t low, uint64_t high) {
    uint64_t floor = t->last && t->last->end > low ? t->last->end : low;

    if (high > floor && high - floor >= bytes)
        return high - bytes;
    return room_in(t->root, bytes, low, high);
}

/* Returns the number of nodes in order from *at, which moves along the list; 0 with *bad set when something is off.
 */
static uint64_t verify_subtree(const struct vma *n, const struct vma **at, bool *bad) {
    if (!n || *bad)
        return 0;
    uint64_t count = verify_subtree(n->left, at, bad);
    uint64_t gap = gap_below(n);
    if (n->left && n->left->max_gap > gap)
        gap = n->left->max_gap;
    if (*at != n || (n->prev && n->prev->end > n->start))
        *bad = true;
    *at = n->next;
    count += verify_subtree(n->right, at, bad) + 1;
    if (n->right && n->right->max_gap > gap)
        gap = n->right->max_gap;
    if (gap != n->max_gap || n->start >= n->end || ((n->start | n->end | n->offset) & 0xfff))
        *bad = true;
    return count;
}

int vma_verify(const struct vma_tree *t) {
    const struct vma *at = t->first;
    bool bad = false;

    if (verify_subtree(t->root, &at, &bad) == t->count && !bad && !at)
        return 0;
    fprintf(stderr, "emt: os: the tree of VMAs is inconsistent\n");
    return -1;
}
