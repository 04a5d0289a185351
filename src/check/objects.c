/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Between the oracle's objects and the driver's. */
#include <inttypes.h>
#include <stdarg.h>

#include "check/world.h"

/* Attributes of a present object but the frame, and where the oracle's object has them. */
#define ATTRIBUTES(X)                                                                                              \
    X(EMT_ATTR_WRITE, write, "write")                                                                              \
    X(EMT_ATTR_EXEC, exec, "exec")                                                                                 \
    X(EMT_ATTR_USER, user, "user")                                                                                 \
    X(EMT_ATTR_GLOBAL, global, "global")                                                                           \
    X(EMT_ATTR_ACCESSED, accessed, "accessed")                                                                     \
    X(EMT_ATTR_DIRTY, dirty, "dirty")                                                                              \
    X(EMT_ATTR_CACHE, cache, "cache mode")                                                                         \
    X(EMT_ATTR_PKEY, pkey, "protection key")                                                                       \
    X(EMT_ATTR_SOFT, soft, "soft bits")                                                                            \
    X(EMT_ATTR_CONTIG, contig, "contiguity bit")

static int fill(const struct emt_tsvc *svc, const struct object *o, struct emt_tobj *out) {
    const unsigned prot = (o->write ? EMT_PROT_WRITE : 0) | (o->exec ? EMT_PROT_EXEC : 0) |
                          (o->user ? EMT_PROT_USER : 0) | (o->global ? EMT_PROT_GLOBAL : 0);
    static const enum emt_attr late[] = {EMT_ATTR_ACCESSED, EMT_ATTR_DIRTY, EMT_ATTR_CACHE,
                                         EMT_ATTR_PKEY,     EMT_ATTR_SOFT,  EMT_ATTR_CONTIG};
    const uint64_t value[] = {o->accessed, o->dirty, o->cache, o->pkey, o->soft, o->contig};

    if (o->state == OBJECT_SWAP)
        return emt_tobj_init_swap(svc, out, o->va, o->bytes, o->swap);
    int err = emt_tobj_init(svc, out, o->va, o->pfn, o->bytes, prot);
    for (unsigned i = 0; !err && i < sizeof(late) / sizeof(late[0]); i++)
        if (value[i])
            err = emt_tobj_set(svc, out, late[i], value[i]);
    if (!err && o->state == OBJECT_NONE)
        err = emt_tobj_set(svc, out, EMT_ATTR_PRESENT, 0);
    return err;
}

bool object_to_tobj(struct world *w, const struct object *o, struct emt_tobj *out) {
    char text[256];
    int err = fill(&w->svc, o, out);

    if (!err)
        return true;
    object_describe(o, text, sizeof(text));
    return world_fail(w, "tobj", "tobj_init or tobj_set refused, with error %d, what it took when asked: %s", -err,
                      text);
}

void object_from_tobj(const struct world *w, const struct emt_tobj *t, struct object *out) {
    *out = (struct object){.va = t->va, .bytes = t->bytes, .swap = emt_tobj_get(&w->svc, t, EMT_ATTR_SWAP)};
    if (out->swap) {
        out->state = OBJECT_SWAP;
        return;
    }
    out->state = emt_tobj_get(&w->svc, t, EMT_ATTR_PRESENT) ? OBJECT_PRESENT : OBJECT_NONE;
    out->pfn = emt_tobj_get(&w->svc, t, EMT_ATTR_PFN);
#define READ(attr, member, name) out->member = emt_tobj_get(&w->svc, t, attr);
    ATTRIBUTES(READ)
#undef READ
}

void object_describe(const struct object *o, char *text, size_t room) {
    int n = snprintf(text, room, "va 0x%" PRIx64 " bytes 0x%" PRIx64, o->va, o->bytes);

    if (n < 0 || (size_t)n >= room)
        return;
    text += n;
    room -= (size_t)n;
    if (o->state == OBJECT_SWAP)
        snprintf(text, room, " swap entry 0x%" PRIx64, o->swap);
    else
        snprintf(text, room, "%s pfn 0x%" PRIx64 " r%s%s%s%s%s%s%s cache %u pkey %u soft 0x%x",
                 o->state == OBJECT_NONE ? " not present," : "", o->pfn, o->write ? "w" : "", o->exec ? "x" : "",
                 o->user ? " user" : "", o->global ? " global" : "", o->accessed ? " A" : "", o->dirty ? " D" : "",
                 o->contig ? " C" : "", o->cache, o->pkey, o->soft);
}

static const char *first_difference(const struct object *a, const struct object *b) {
    if (a->va != b->va || a->bytes != b->bytes)
        return "address or size";
    if (a->state != b->state)
        return "presence";
    if (a->swap != b->swap)
        return "swap entry";
    if (a->pfn != b->pfn)
        return "frame";
#define DIFFER(attr, member, name)                                                                                 \
    if (a->member != b->member)                                                                                    \
        return name;
    ATTRIBUTES(DIFFER)
#undef DIFFER
    return NULL;
}

/* As object_from_tobj(). Most objects are seen many times: twelve calls of the driver take longer than the rest. */
static const struct object *decode(struct world *w, const struct emt_tobj *t) {
    const uint64_t bits = t->va ^ t->raw[0] ^ t->raw[1] << 1;
    struct decoded *slot = &w->decoded[bits * 0x9e3779b97f4a7c15u >> (64 - DECODED_LOG)];

    if (slot->obj.va != t->va || slot->obj.bytes != t->bytes || slot->obj.raw[0] != t->raw[0] ||
        slot->obj.raw[1] != t->raw[1]) {
        slot->obj = *t;
        object_from_tobj(w, t, &slot->is);
    }
    return &slot->is;
}

bool object_same(struct world *w, struct object *expected, const struct emt_tobj *t) {
    const struct object *is = decode(w, t);

    if (expected->maybe_accessed)
        expected->accessed = is->accessed;
    return !first_difference(expected, is);
}

bool object_wrong(struct world *w, const struct object *expected, const struct emt_tobj *t, const char *format,
                  ...) {
    struct object is;
    char where[128], want[256], got[256];
    va_list args;

    va_start(args, format);
    vsnprintf(where, sizeof(where), format, args);
    va_end(args);
    object_from_tobj(w, t, &is);
    object_describe(expected, want, sizeof(want));
    object_describe(&is, got, sizeof(got));
    return world_fail(w, "object", "%s gives another %s\n    expected %s\n    found    %s", where,
                      first_difference(expected, &is), want, got);
}
