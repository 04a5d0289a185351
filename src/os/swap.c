/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Swap slots and the swap cache: see swap.h. */
#include "os/swap.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void *sparse(uint64_t items, size_t item_bytes) {
    void *p =
        mmap(NULL, items * item_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, uint64_t items, size_t item_bytes) {
    if (p)
        munmap(p, items * item_bytes);
}

int swap_init(struct swap *s, uint64_t bytes, uint64_t frames) {
    *s = (struct swap){0};
    if (bytes >> 12 == 0)
        return 0;
    s->slots = (bytes >> 12) + 1;
    s->frames = frames;
    s->clusters = (s->slots + SWAP_CLUSTER - 1) / SWAP_CLUSTER;
    s->next = s->end = 1;
    s->cluster = sparse(s->clusters, sizeof(*s->cluster));
    s->count = sparse(s->slots, sizeof(*s->count));
    s->cached = sparse(s->slots, sizeof(*s->cached));
    s->shadow = sparse(s->slots, sizeof(*s->shadow));
    s->slot = sparse(frames, sizeof(*s->slot));
    s->content = sparse(s->slots, sizeof(*s->content));
    if (s->cluster && s->count && s->cached && s->shadow && s->slot && s->content)
        return 0;
    swap_fini(s);
    return -ENOMEM;
}

void swap_fini(struct swap *s) {
    release(s->cluster, s->clusters, sizeof(*s->cluster));
    release(s->count, s->slots, sizeof(*s->count));
    release(s->cached, s->slots, sizeof(*s->cached));
    release(s->shadow, s->slots, sizeof(*s->shadow));
    release(s->slot, s->frames, sizeof(*s->slot));
    release(s->content, s->slots, sizeof(*s->content));
    *s = (struct swap){0};
}

/* A cluster with no used slot, or, when there is none, the next one with a free slot, going round. */
static void next_cluster(struct swap *s) {
    uint64_t partly = s->clusters;

    for (uint64_t i = 0; i < s->clusters; i++) {
        uint64_t c = (s->cluster_hint + i) % s->clusters;
        uint64_t first = c * SWAP_CLUSTER, end = first + SWAP_CLUSTER < s->slots ? first + SWAP_CLUSTER : s->slots;
        uint64_t all = end - first - (c == 0); /* slot 0 is none */

        if (s->cluster[c] == 0 && all) {
            partly = c;
            break;
        }
        if (partly == s->clusters && s->cluster[c] < all)
            partly = c;
    }
    s->next = partly * SWAP_CLUSTER;
    s->end = s->next + SWAP_CLUSTER < s->slots ? s->next + SWAP_CLUSTER : s->slots;
    if (s->next == 0)
        s->next = 1;
    s->cluster_hint = (partly + 1) % s->clusters;
}

uint64_t swap_alloc(struct swap *s) {
    if (s->slots == 0 || s->used == s->slots - 1)
        return SWAP_NONE;
    for (;;) {
        while (s->next < s->end) {
            uint64_t slot = s->next++;

            if (swap_in_use(s, slot))
                continue;
            s->used++;
            s->cluster[slot / SWAP_CLUSTER]++;
            return slot;
        }
        next_cluster(s); /* there is a free slot: it finds a cluster that has one */
    }
}

void swap_free(struct swap *s, uint64_t slot) {
    assert(!swap_in_use(s, slot));
    s->used--;
    s->cluster[slot / SWAP_CLUSTER]--;
}

void swap_get(struct swap *s, uint64_t slot) {
    s->count[slot]++;
}

bool swap_put(struct swap *s, uint64_t slot) {
    assert(slot < s->slots && s->count[slot]);
    if (--s->count[slot] || s->cached[slot])
        return false;
    swap_free(s, slot);
    return true;
}

void swap_cache(struct swap *s, uint64_t slot, uint64_t pfn) {
    s->cached[slot] = (uint32_t)pfn + 1;
    s->slot[pfn] = (uint32_t)slot;
}

void swap_uncache(struct swap *s, uint64_t pfn) {
    uint64_t slot = s->slot[pfn];

    s->slot[pfn] = SWAP_NONE;
    s->cached[slot] = 0;
    if (!s->count[slot])
        swap_free(s, slot);
}
