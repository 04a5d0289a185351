/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How contiguous an address space is: objects that follow each other in virtual and in physical memory make a run.
 * What hardware that coalesces, or uses ranges, could make of it.
 */
#include <stdlib.h>

#include "os/internal.h"

struct runs {
    uint64_t *bytes;
    uint64_t n, room;
};

static bool add(struct runs *r, uint64_t bytes) {
    if (r->n == r->room) {
        uint64_t room = r->room ? r->room * 2 : 1024;
        uint64_t *more = realloc(r->bytes, room * sizeof(*more));
        if (!more)
            return false;
        r->bytes = more;
        r->room = room;
    }
    r->bytes[r->n++] = bytes;
    return true;
}

static int longest_first(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* All runs in order of address; false when host memory ran out. */
static bool collect(struct os_process *p, struct runs *r) {
    uint64_t va_end = 0, pfn_end = 0, run = 0;
    struct emt_cursor c;
    bool ok = true;

    if (emt_cursor_open(&c, &p->tdb, 0, p->os->user_top, NULL))
        return false;
    while (ok && emt_cursor_next(&c)) {
        uint64_t pfn = tobj(p->os, &c.obj, EMT_ATTR_PFN);

        if (run && (c.obj.va != va_end || pfn != pfn_end)) {
            ok = add(r, run);
            run = 0;
        }
        run += c.obj.bytes;
        va_end = c.obj.va + c.obj.bytes;
        pfn_end = pfn + (c.obj.bytes >> EMT_PAGE_SHIFT);
    }
    emt_cursor_close(&c);
    return ok && (!run || add(r, run));
}

void os_contiguity(struct os_process *p, struct os_contiguity *out) {
    struct runs r = {0};
    struct os_peek peek;
    uint64_t covered = 0;

    *out = (struct os_contiguity){0};
    os_peek_begin(p->os, &peek);
    bool ok = collect(p, &r);
    os_peek_end(p->os, &peek);
    if (ok && r.n) {
        for (uint64_t i = 0; i < r.n; i++)
            out->resident_bytes += r.bytes[i];
        qsort(r.bytes, r.n, sizeof(*r.bytes), longest_first);
        out->runs = r.n;
        out->longest_bytes = r.bytes[0];
        /* At least 99 %: compared in whole pages, so that nothing overflows or is rounded away. */
        for (uint64_t pages = out->resident_bytes >> EMT_PAGE_SHIFT; covered * 100 < pages * 99; out->runs_99++)
            covered += r.bytes[out->runs_99] >> EMT_PAGE_SHIFT;
    }
    free(r.bytes);
}
