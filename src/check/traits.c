/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What can an architecture say? It is asked: through emt_caps, and by setting each attribute once. */
#include <inttypes.h>
#include <stdio.h>

#include "check/world.h"

static bool can_set(const struct world *w, struct emt_tobj o, enum emt_attr attr, uint64_t value) {
    return emt_tobj_set(&w->svc, &o, attr, value) == 0 && emt_tobj_get(&w->svc, &o, attr) == value;
}

static bool can_both(const struct world *w, const struct emt_tobj *o, enum emt_attr attr) {
    return can_set(w, *o, attr, 0) && can_set(w, *o, attr, 1);
}

static void ask_attributes(struct traits *t, const struct world *w, const struct emt_tobj *o) {
    t->write = can_both(w, o, EMT_ATTR_WRITE);
    t->exec = can_both(w, o, EMT_ATTR_EXEC);
    t->user = can_both(w, o, EMT_ATTR_USER);
    t->global = t->caps.global && can_both(w, o, EMT_ATTR_GLOBAL);
    t->accessed = can_both(w, o, EMT_ATTR_ACCESSED);
    t->dirty = can_both(w, o, EMT_ATTR_DIRTY);
    t->contig = can_both(w, o, EMT_ATTR_CONTIG);
    t->cache_max = can_set(w, *o, EMT_ATTR_CACHE, 7) ? 7 : can_set(w, *o, EMT_ATTR_CACHE, 1);
    t->pkey_max = can_set(w, *o, EMT_ATTR_PKEY, 15) ? 15 : 0;
    t->soft_max =
        t->caps.soft_bits ? (uint32_t)((1ull << (t->caps.soft_bits > 32 ? 32 : t->caps.soft_bits)) - 1) : 0;
    object_from_tobj(w, o, &t->base);
    struct emt_tobj none = *o;
    t->none = emt_tobj_set(&w->svc, &none, EMT_ATTR_PRESENT, 0) == 0 &&
              emt_tobj_get(&w->svc, &none, EMT_ATTR_PFN) == WORLD_PAGES_PFN;
}

/* Frames beyond the kit's memory: more bits of the format's frame field, where it has one of its own. */
static void ask_frames(struct traits *t, struct world *w) {
    const uint64_t far = 1ull << (t->caps.pa_bits - 1 - EMT_PAGE_SHIFT);
    struct emt_tobj o, old;

    t->pfn_end = WORLD_PAGES_PFN + WORLD_PAGES_COUNT;
    if (t->caps.pa_bits <= 33 || t->restricted || emt_tobj_init(&w->svc, &o, 0, far, EMT_PAGE_BYTES, 0) ||
        emt_tdb_update(&w->space[0].tdb, &o))
        return;
    if (emt_tdb_remove(&w->space[0].tdb, 0, &old) == 0 && emt_tobj_get(&w->svc, &old, EMT_ATTR_PFN) == far)
        t->pfn_end = 2 * far;
}

/* It may say where a page had better lie, and map it elsewhere all the same; two frames can hardly both be places.
 */
static void ask_places(struct traits *t, struct world *w) {
    struct emt_tobj o, old;

    for (uint64_t pfn = WORLD_PAGES_PFN; t->caps.places && pfn < WORLD_PAGES_PFN + 2 && !t->restricted; pfn++)
        t->restricted = emt_tobj_init(&w->svc, &o, 0, pfn, EMT_PAGE_BYTES, 0) ||
                        emt_tdb_update(&w->space[0].tdb, &o) || emt_tdb_remove(&w->space[0].tdb, 0, &old) ||
                        emt_tobj_get(&w->svc, &old, EMT_ATTR_PFN) != pfn;
}

static void ask_sizes(struct traits *t, const struct world *w) {
    struct emt_tobj o;

    for (unsigned shift = EMT_PAGE_SHIFT; shift <= EMT_SHIFT_1G; shift++) {
        const uint64_t bytes = 1ull << shift;
        if (!(t->caps.page_sizes & bytes) || t->nsizes == sizeof(t->sizes) / sizeof(t->sizes[0]))
            continue;
        t->sizes[t->nsizes++] = bytes;
        if (emt_tobj_init_swap(&w->svc, &o, 0, bytes, 512) == 0 && emt_tobj_get(&w->svc, &o, EMT_ATTR_SWAP) == 512)
            t->swap_sizes |= bytes;
    }
}

static bool caps_fine(struct world *w, const struct traits *t) {
    if (!(t->caps.page_sizes & EMT_PAGE_BYTES))
        return world_fail(w, "caps", "emt_caps.page_sizes has no 4 KiB");
    if (t->caps.va_bits < 33 || t->caps.va_bits > 64)
        return world_fail(w, "caps", "emt_caps.va_bits is %u; 33 to 64 is expected", t->caps.va_bits);
    if (t->caps.pa_bits < 32 || t->caps.pa_bits > 64)
        return world_fail(w, "caps", "emt_caps.pa_bits is %u; 32 to 64 is expected", t->caps.pa_bits);
    return true;
}

int traits_ask(struct traits *t, const struct emt_arch *arch, struct finding *finding) {
    struct world *w = calloc(1, sizeof(*w));
    struct emt_tobj o, hole;

    if (!w)
        return -ENOMEM;
    *t = (struct traits){0};
    int err = world_init(w, &(struct world_setup){.arch = arch, .traits = t, .spaces = 1});
    if (!err) {
        emt_tsvc_caps(&w->svc, &t->caps);
        err = caps_fine(w, t) ? 0 : -EINVAL;
    }
    if (!err) {
        err = emt_tobj_init(&w->svc, &o, 0, WORLD_PAGES_PFN, EMT_PAGE_BYTES, EMT_PROT_WRITE | EMT_PROT_USER);
        if (err)
            world_fail(w, "tobj", "tobj_init of a page of 4 KiB at address 0, frame 0x%" PRIx64 ": %s",
                       (uint64_t)WORLD_PAGES_PFN, error_name(err));
    }
    if (!err) {
        ask_attributes(t, w, &o);
        ask_sizes(t, w);
        ask_places(t, w);
        ask_frames(t, w);
        t->void_is_known = emt_tdb_find(&w->space[0].tdb, 1ull << 30, &hole) == -ENOENT && hole.bytes >= 1ull << 21;
    }
    if (!err && !world_end(w))
        err = -EINVAL;
    *finding = w->finding;
    world_fini(w);
    free(w);
    return err;
}
