/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* SpOT's table: hw/spot.h has its rules. */
#include "hw/spot.h"

#include <stdlib.h>

int spot_init(struct spot *s, const struct cfg_spot *cfg) {
    const uint32_t ways = cfg->ways ? cfg->ways : cfg->entries;

    *s = (struct spot){.cfg = *cfg};
    s->cfg.ways = ways;
    if (!ways || cfg->entries % ways)
        return -EINVAL;
    s->sets = cfg->entries / ways;
    s->entry = calloc(cfg->entries, sizeof(*s->entry));
    return s->entry ? 0 : -ENOMEM;
}

void spot_fini(struct spot *s) {
    free(s->entry);
    s->entry = NULL;
}

static struct spot_entry *set_of(const struct spot *s, uint64_t pc) {
    return s->entry + pc % s->sets * s->cfg.ways;
}

static struct spot_entry *find(const struct spot *s, uint64_t pc) {
    struct spot_entry *e = set_of(s, pc);

    for (uint32_t way = 0; way < s->cfg.ways; way++)
        if (e[way].used && e[way].pc == pc)
            return e + way;
    return NULL;
}

bool spot_guess(const struct spot *s, uint64_t pc, uint64_t va, bool store, uint64_t *pa) {
    const struct spot_entry *e = find(s, pc);

    if (!e || e->confidence < s->cfg.predict || (store && !e->write))
        return false;
    *pa = va + e->offset;
    return true;
}

/* An empty entry, or the least recently used of those that nobody trusts; NULL: all are trusted. */
static struct spot_entry *victim(const struct spot *s, uint64_t pc) {
    struct spot_entry *e = set_of(s, pc), *best = NULL;

    for (uint32_t way = 0; way < s->cfg.ways; way++) {
        if (!e[way].used)
            return e + way;
        if (!e[way].confidence && (!best || e[way].stamp < best->stamp))
            best = e + way;
    }
    return best;
}

void spot_learn(struct spot *s, uint64_t pc, const struct emt_walk *w) {
    const uint64_t offset = w->pa - w->va;
    const bool may_fill = w->contig || !s->cfg.contiguous_only;
    struct spot_entry *e = find(s, pc);

    if (e && e->offset == offset) {
        e->confidence += e->confidence < s->cfg.max;
    } else if (e && e->confidence) {
        e->confidence--;
        e->stamp = ++s->clock;
        return; /* its rights are those of the old offset */
    }
    if (!e || e->offset != offset) {
        e = may_fill ? e ? e : victim(s, pc) : NULL;
        if (!e)
            return;
        *e = (struct spot_entry){.pc = pc, .offset = offset, .confidence = (uint8_t)s->cfg.initial, .used = true};
    }
    e->write = w->write;
    e->stamp = ++s->clock;
}
