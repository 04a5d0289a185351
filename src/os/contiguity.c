/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How contiguous an address space is. Objects that follow each other in virtual and in physical memory make a run;
 * within a run, objects of one size make a segment:
 *
 *     virtual    [2M][2M][4K][4K]..[4K]       3 segments, 2 runs when the frames follow as the pages do
 *     physical   [2M][2M][4K][4K]      [4K]
 *
 * What each view makes of them: struct os_contiguity.
 */
#include "os/contiguity.h"

#include <stdlib.h>

#include "os/internal.h"

/* Beyond so many segments only the view by range is made: each takes 32 bytes. */
#define MOST_SEGMENTS (1ull << 20)

const char *const os_view_name[OS_VIEWS] = {"range", "vma", "anchor", "offset", "ideal"};

/* ---- lists of sizes ---- */

static int largest_first(const void *a, const void *b) {
    const struct size *x = a, *y = b;

    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

void sizes_merge(struct sizes *s) {
    uint64_t n = 0;

    for (uint64_t i = 0; i < s->n; i++) {
        if (n && s->size[n - 1].bytes == s->size[i].bytes)
            s->size[n - 1].times += s->size[i].times;
        else
            s->size[n++] = s->size[i];
    }
    s->n = n;
}

/* Largest first, and each size once. */
static void sort_and_merge(struct sizes *s) {
    if (s->n > 1)
        qsort(s->size, s->n, sizeof(*s->size), largest_first);
    sizes_merge(s);
}

bool sizes_add(struct sizes *s, uint64_t bytes, uint64_t times) {
    if (!times)
        return true;
    if (s->n == s->room) {
        if (s->merge)
            sort_and_merge(s);
        /* half empty at least, or else larger: it is not sorted again for each that comes */
        uint64_t room = s->n * 2 > s->room ? s->room * 2 : s->room ? s->room : 1024;
        struct size *more = realloc(s->size, room * sizeof(*more));
        if (!more)
            return false;
        s->size = more;
        s->room = room;
    }
    s->size[s->n++] = (struct size){bytes, times};
    return true;
}

void sizes_cover(struct sizes *s, uint64_t out[OS_SHARES]) {
    static const unsigned percent[OS_SHARES] = {90, 99, 100};
    uint64_t pages = 0, covered = 0, used = 0, i = 0;

    qsort(s->size, s->n, sizeof(*s->size), largest_first);
    for (uint64_t k = 0; k < s->n; k++)
        pages += (s->size[k].bytes >> EMT_PAGE_SHIFT) * s->size[k].times;
    for (unsigned share = 0; share < OS_SHARES; share++) {
        /* In whole pages, so that nothing is rounded away. */
        uint64_t want = pages / 100 * percent[share] + (pages % 100 * percent[share] + 99) / 100;

        while (i < s->n && covered < want) {
            uint64_t each = s->size[i].bytes >> EMT_PAGE_SHIFT, need = (want - covered + each - 1) / each;

            need = min_u64(need, s->size[i].times);
            covered += need * each;
            used += need;
            s->size[i].times -= need;
            i += s->size[i].times == 0;
        }
        out[share] = used;
    }
}

/* ---- collecting ---- */

struct walk {
    struct os_process *below; /* NULL, or whose memory the frames are */
    struct sizes runs, vmas;
    struct segment *segment;
    uint64_t n, room;
    bool too_many;
    uint64_t touched;
};

static bool add_segment(struct walk *w, const struct segment *s) {
    if (w->too_many || w->n == MOST_SEGMENTS) {
        w->too_many = true;
        return true;
    }
    if (w->n == w->room) {
        uint64_t room = w->room ? w->room * 2 : 1024;
        struct segment *more = realloc(w->segment, room * sizeof(*more));
        if (!more)
            return false;
        w->segment = more;
        w->room = room;
    }
    w->segment[w->n++] = *s;
    return true;
}

/* Where a run has got to. */
struct place {
    struct segment last;
    uint64_t run; /* bytes; 0: none has begun */
};

/* A piece that one entry maps comes after what was there before. */
static bool add_piece(struct walk *w, struct place *at, struct segment s) {
    struct segment *last = &at->last;
    bool ok = true;

    s.joined = at->run && last->va + last->pages * PAGE == s.va && last->pfn + last->pages == s.pfn;
    s.object_pages = (uint32_t)s.pages;
    if (s.joined && last->object_pages == s.object_pages) {
        last->pages += s.pages;
    } else {
        ok = !at->run || add_segment(w, last);
        if (ok && at->run && !s.joined) {
            ok = sizes_add(&w->runs, at->run, 1);
            at->run = 0;
        }
        *last = s;
    }
    at->run += s.pages * PAGE;
    return ok;
}

/* The frame below, and how many of `pages` lie in one object there; FRAME_NONE: so many are not there. */
static uint64_t frame_below(struct os_process *below, uint64_t pfn, uint64_t *pages) {
    uint64_t va = pfn << EMT_PAGE_SHIFT;
    struct emt_tobj o;

    if (!below)
        return pfn;
    emt_range_lock(&below->tdb, va, PAGE);
    bool found = emt_tdb_find(&below->tdb, va, &o) == 0 && tobj(below->os, &o, EMT_ATTR_PRESENT);
    emt_range_unlock(&below->tdb, va, PAGE);
    *pages = min_u64(*pages, found ? (o.va + o.bytes - va) >> EMT_PAGE_SHIFT : 1);
    return found ? tobj(below->os, &o, EMT_ATTR_PFN) + ((va - o.va) >> EMT_PAGE_SHIFT) : FRAME_NONE;
}

/* Objects of one VMA, or of what lies between two. false: host memory ran out. */
static bool collect_range(struct os_process *p, uint64_t start, uint64_t end, struct walk *w, struct place *at) {
    struct os *os = p->os;
    struct emt_cursor c;
    uint64_t resident = 0;
    bool ok = true;

    if (emt_cursor_open(&c, &p->tdb, start, end, NULL))
        return false;
    while (ok && emt_cursor_next(&c)) {
        uint64_t pfn = tobj(os, &c.obj, EMT_ATTR_PFN), all = c.obj.bytes >> EMT_PAGE_SHIFT;

        if (!tobj(os, &c.obj, EMT_ATTR_PRESENT))
            continue;
        resident += c.obj.bytes;
        w->touched += tobj(os, &c.obj, EMT_ATTR_ACCESSED) ? c.obj.bytes : 0;
        for (uint64_t i = 0, n; ok && i < all; i += n) {
            n = all - i;
            uint64_t frame = frame_below(w->below, pfn + i, &n);

            if (frame != FRAME_NONE)
                ok = add_piece(w, at, (struct segment){.va = c.obj.va + i * PAGE, .pfn = frame, .pages = n});
        }
    }
    emt_cursor_close(&c);
    return ok && (!resident || sizes_add(&w->vmas, resident, 1));
}

static bool collect(struct os_process *p, struct walk *w) {
    struct place at = {0};

    for (const struct vma *v = p->vmas.first; v; v = v->next)
        if (!collect_range(p, v->start, v->end, w, &at))
            return false;
    return !at.run || (add_segment(w, &at.last) && sizes_add(&w->runs, at.run, 1));
}

/* ---- views ---- */

static int by_offset(const void *a, const void *b) {
    const struct size *x = a, *y = b;

    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* Segments of one offset together. */
static bool view_offset(const struct walk *w, uint64_t out[OS_SHARES]) {
    struct sizes all = {0}, sums = {0};
    bool ok = true;

    /* First as (offset, pages): which is the size comes later. */
    for (uint64_t i = 0; ok && i < w->n; i++)
        ok = sizes_add(&all, (w->segment[i].va >> EMT_PAGE_SHIFT) - w->segment[i].pfn, w->segment[i].pages);
    if (ok && all.n)
        qsort(all.size, all.n, sizeof(*all.size), by_offset);
    for (uint64_t i = 0, next; ok && i < all.n; i = next) {
        uint64_t pages = 0;

        for (next = i; next < all.n && all.size[next].bytes == all.size[i].bytes; next++)
            pages += all.size[next].times;
        ok = sizes_add(&sums, pages * PAGE, 1);
    }
    if (ok)
        sizes_cover(&sums, out);
    free(all.size);
    free(sums.size);
    return ok;
}

/* The entries that the pages [va, va + pages) of a run need without anchors, from segment i on. */
static bool add_pages(const struct walk *w, uint64_t i, uint64_t pages, struct sizes *out) {
    for (; pages; i++) {
        const struct segment *s = &w->segment[i];
        uint64_t n = min_u64(pages, s->pages), object = s->object_pages;

        /* A huge page that an anchor has a part of needs an entry of its own for the rest. */
        if (!sizes_add(out, object * PAGE, n / object) || !sizes_add(out, n % object * PAGE, n % object ? 1 : 0))
            return false;
        pages -= n;
    }
    return true;
}

/* Entries of the TLB with anchors every `distance` pages: those of a run from its first anchor on, pages before. */
static bool anchor_entries(const struct walk *w, uint64_t distance, struct sizes *out) {
    for (uint64_t i = 0, next; i < w->n; i = next) {
        uint64_t pages = w->segment[i].pages, first = w->segment[i].va >> EMT_PAGE_SHIFT;

        for (next = i + 1; next < w->n && w->segment[next].joined; next++)
            pages += w->segment[next].pages;
        uint64_t head = min_u64(round_up(first, distance) - first, pages), rest = pages - head;
        if (!add_pages(w, i, head, out) || !sizes_add(out, distance * PAGE, rest / distance) ||
            !sizes_add(out, rest % distance * PAGE, rest % distance ? 1 : 0))
            return false;
    }
    return true;
}

static uint64_t count(const struct sizes *s) {
    uint64_t n = 0;

    for (uint64_t i = 0; i < s->n; i++)
        n += s->size[i].times;
    return n;
}

/* ISCA'17 chooses the distance from 2 to 2^16 pages. */
static bool view_anchor(const struct walk *w, struct os_contiguity *out) {
    uint64_t fewest = ~0ull;
    struct sizes s = {0};
    bool ok = true;

    for (unsigned shift = 1; ok && shift <= 16; shift++) {
        s.n = 0;
        ok = anchor_entries(w, 1ull << shift, &s);
        if (ok && count(&s) < fewest) {
            fewest = count(&s);
            out->anchor_pages = 1ull << shift;
        }
    }
    s.n = 0;
    ok = ok && anchor_entries(w, out->anchor_pages, &s);
    if (ok)
        sizes_cover(&s, out->mappings[OS_VIEW_ANCHOR]);
    free(s.size);
    return ok;
}

static void all_runs(struct sizes *runs, struct os_contiguity *out) {
    unsigned longest = 0;

    sort_and_merge(runs);
    for (uint64_t i = 0; i < runs->n; i++) {
        const struct size *s = &runs->size[i];

        out->resident_bytes += s->bytes * s->times;
        out->runs += s->times;
        for (uint64_t k = 0; k < s->times && longest < OS_LONGEST; k++)
            out->longest[longest++] = s->bytes;
    }
    out->longest_bytes = out->longest[0];
}

/* Of VMAs in this memory; what that makes of them goes into the memory below. */
static void view_ideal(const struct os_process *p, const struct walk *w, uint64_t out[OS_SHARES]) {
    struct sizes pieces = {0}, below = {0};
    bool ok = contig_ideal(p->os, &w->vmas, &pieces) && (!w->below || contig_ideal(w->below->os, &pieces, &below));

    if (ok)
        sizes_cover(w->below ? &below : &pieces, out);
    free(pieces.size);
    free(below.size);
}

static void views(struct os_process *p, struct walk *w, struct os_contiguity *out) {
    out->touched_bytes = w->touched;
    all_runs(&w->runs, out);
    if (!w->too_many && (!view_offset(w, out->mappings[OS_VIEW_OFFSET]) || !view_anchor(w, out)))
        return;
    view_ideal(p, w, out->mappings[OS_VIEW_IDEAL]);
    sizes_cover(&w->vmas, out->mappings[OS_VIEW_VMA]);
    sizes_cover(&w->runs, out->mappings[OS_VIEW_RANGE]);
    out->runs_99 = out->mappings[OS_VIEW_RANGE][1];
}

static bool look(struct os_process *p, struct walk *w) {
    struct os_peek peek, below;

    os_peek_begin(p->os, &peek);
    if (w->below)
        os_peek_begin(w->below->os, &below);
    bool ok = collect(p, w);
    if (w->below)
        os_peek_end(w->below->os, &below);
    os_peek_end(p->os, &peek);
    return ok;
}

static void forget(struct walk *w) {
    free(w->runs.size);
    free(w->vmas.size);
    free(w->segment);
}

void os_contiguity(struct os_process *p, struct os_contiguity *out) {
    os_contiguity_through(p, NULL, out);
}

void os_contiguity_through(struct os_process *p, struct os_process *below, struct os_contiguity *out) {
    struct walk w = {.below = below, .runs.merge = true};

    *out = (struct os_contiguity){0};
    if (look(p, &w) && w.runs.n)
        views(p, &w, out);
    forget(&w);
}

/* ---- the picture ---- */

struct run {
    uint64_t pfn, pages;
};

static int longest_first(const void *a, const void *b) {
    const struct run *x = a, *y = b;

    if (x->pages != y->pages)
        return x->pages < y->pages ? 1 : -1;
    return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Segments that are joined become one run; returns how many runs there are. */
static uint64_t join_segments(const struct walk *w, struct run *run) {
    uint64_t n = 0;

    for (uint64_t i = 0; i < w->n; i++) {
        if (!n || !w->segment[i].joined)
            run[n++] = (struct run){.pfn = w->segment[i].pfn};
        run[n - 1].pages += w->segment[i].pages;
    }
    qsort(run, n, sizeof(*run), longest_first);
    return n;
}

/* Each run paints the cells that it has more of than any before; small ones what is left. */
static void paint(const struct os *os, const struct run *run, uint64_t runs, uint8_t *rank, unsigned n) {
    uint64_t total = frames_total(os->frames), *most = calloc(n, sizeof(*most));

    for (uint64_t i = 0; most && i < runs; i++) {
        uint64_t pfn = run[i].pfn, end = pfn + run[i].pages;

        while (pfn < end && pfn < total) {
            unsigned cell = (unsigned)((unsigned __int128)pfn * n / total);
            uint64_t stop = (uint64_t)(((unsigned __int128)(cell + 1) * total + n - 1) / n);
            uint64_t pages = min_u64(stop, end) - pfn;

            if (pages > most[cell]) {
                most[cell] = pages;
                rank[cell] = i < OS_RUN_RANKS ? (uint8_t)(i + 1) : OS_RUN_SMALL;
            }
            pfn += pages;
        }
    }
    free(most);
}

void os_run_map(struct os_process *p, uint8_t *rank, unsigned n) {
    struct walk w = {.runs.merge = true};
    struct run *run = NULL;

    for (unsigned i = 0; i < n; i++)
        rank[i] = 0;
    if (look(p, &w) && w.n) {
        run = calloc(w.n, sizeof(*run));
        if (run)
            paint(p->os, run, join_segments(&w, run), rank, n);
    }
    free(run);
    forget(&w);
}
