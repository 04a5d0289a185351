/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A sorted array of objects. Running out of memory here ends the program: there is nothing left to compare with. */
#include "check/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void oracle_fini(struct oracle *o) {
    free(o->object);
    *o = (struct oracle){0};
}

/* Is i the index that oracle_from() looks for? */
static bool is_from(const struct oracle *o, size_t i, uint64_t va) {
    return i <= o->n && (i == o->n || object_last(&o->object[i]) >= va) &&
           (i == 0 || object_last(&o->object[i - 1]) < va);
}

size_t oracle_from(struct oracle *o, uint64_t va) {
    size_t lo = 0, hi = o->n;

    for (size_t i = o->last; i < o->last + 2; i++)
        if (is_from(o, i, va))
            return o->last = i;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (object_last(&o->object[mid]) < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return o->last = lo;
}

struct object *oracle_find(struct oracle *o, uint64_t va) {
    size_t i = oracle_from(o, va);

    return i < o->n && o->object[i].va <= va ? &o->object[i] : NULL;
}

bool oracle_overlaps(struct oracle *o, uint64_t va, uint64_t last) {
    size_t i = oracle_from(o, va);

    return i < o->n && o->object[i].va <= last;
}

/* Room for n objects in place of the `old` ones from i on; what they hold is the caller's to say. */
static struct object *make_room(struct oracle *o, size_t i, size_t old, size_t n) {
    if (o->n - old + n > o->room) {
        while (o->n - old + n > o->room)
            o->room = o->room ? 2 * o->room : 256;
        o->object = realloc(o->object, o->room * sizeof(*o->object));
        if (!o->object) {
            fputs("emt: check: out of memory\n", stderr);
            abort();
        }
    }
    if (o->n > i + old)
        memmove(o->object + i + n, o->object + i + old, (o->n - i - old) * sizeof(*o->object));
    o->n = o->n - old + n;
    return o->object + i;
}

void oracle_put(struct oracle *o, const struct object *object) {
    const size_t i = oracle_from(o, object->va);

    *make_room(o, i, i < o->n && o->object[i].va == object->va, 1) = *object;
}

void oracle_remove(struct oracle *o, uint64_t va, uint64_t last) {
    size_t i = oracle_from(o, va), end = i;

    while (end < o->n && o->object[end].va <= last)
        end++;
    if (end > i)
        make_room(o, i, end - i, 0);
}

void oracle_sweep(struct oracle *o, uint64_t va, uint64_t last) {
    size_t i = oracle_from(o, va), kept = i;

    for (; i < o->n && o->object[i].va <= last; i++)
        if (!o->object[i].gone)
            o->object[kept++] = o->object[i];
    if (i > kept)
        make_room(o, kept, i - kept, 0);
}

/* Piece i of `bytes` of a larger object. */
static struct object piece_of(const struct object *huge, uint64_t bytes, uint64_t i) {
    struct object piece = *huge;

    piece.va += i * bytes;
    piece.bytes = bytes;
    if (huge->state == OBJECT_SWAP)
        piece.swap += i * (bytes >> 12);
    else
        piece.pfn += i * (bytes >> 12);
    return piece;
}

void oracle_split(struct oracle *o, uint64_t va, uint64_t bytes) {
    const size_t at = oracle_from(o, va);
    const struct object huge = o->object[at];
    const uint64_t n = huge.bytes / bytes;
    struct object *piece = make_room(o, at, 1, n);

    for (uint64_t i = 0; i < n; i++)
        piece[i] = piece_of(&huge, bytes, i);
}
