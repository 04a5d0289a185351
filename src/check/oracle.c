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

size_t oracle_from(const struct oracle *o, uint64_t va) {
    size_t lo = 0, hi = o->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (object_last(&o->object[mid]) < va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct object *oracle_find(const struct oracle *o, uint64_t va) {
    size_t i = oracle_from(o, va);

    return i < o->n && o->object[i].va <= va ? &o->object[i] : NULL;
}

bool oracle_overlaps(const struct oracle *o, uint64_t va, uint64_t last) {
    size_t i = oracle_from(o, va);

    return i < o->n && o->object[i].va <= last;
}

void oracle_put(struct oracle *o, const struct object *object) {
    size_t i = oracle_from(o, object->va);

    if (i < o->n && o->object[i].va == object->va) {
        o->object[i] = *object;
        return;
    }
    if (o->n == o->room) {
        o->room = o->room ? 2 * o->room : 256;
        o->object = realloc(o->object, o->room * sizeof(*o->object));
        if (!o->object) {
            fputs("emt: check: out of memory\n", stderr);
            abort();
        }
    }
    memmove(o->object + i + 1, o->object + i, (o->n - i) * sizeof(*o->object));
    o->object[i] = *object;
    o->n++;
}

void oracle_remove(struct oracle *o, uint64_t va, uint64_t last) {
    size_t i = oracle_from(o, va), end = i;

    while (end < o->n && o->object[end].va <= last)
        end++;
    if (end > i)
        memmove(o->object + i, o->object + end, (o->n - end) * sizeof(*o->object));
    o->n -= end - i;
}

struct object oracle_piece(const struct object *huge, uint64_t bytes, uint64_t i) {
    struct object piece = *huge;

    piece.va += i * bytes;
    piece.bytes = bytes;
    if (huge->state == OBJECT_SWAP)
        piece.swap += i * (bytes >> 12);
    else
        piece.pfn += i * (bytes >> 12);
    return piece;
}
