/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What shadow tables show of the guest's memory: which of its frames are tables (and so protected from its writes),
 * and which entries show a frame, so that a change in the host finds them (KVM's rmap). Both are by guest-physical
 * address, in address space of ours that costs memory only where it is used.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "virt/virt_private.h"

#define CHUNK_SHIFT EMT_SHIFT_2M

static void *reserve(uint64_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

int shadow_pages_init(struct virt *v) {
    struct shadow *s = &v->shadow;

    s->frames = v->guest_cfg.memory.bytes >> EMT_PAGE_SHIFT;
    s->chunks = (v->guest_cfg.memory.bytes >> CHUNK_SHIFT) + 1;
    s->table = reserve(s->frames);
    s->use = reserve(s->chunks * sizeof(struct shadow_use *));
    s->room = 16;
    s->pending = malloc(s->room * sizeof(*s->pending));
    return s->table && s->use && s->pending ? 0 : -ENOMEM;
}

static void free_uses(struct shadow *s) {
    for (uint64_t i = 0; i < s->chunks; i++)
        while (s->use[i]) {
            struct shadow_use *u = s->use[i];

            s->use[i] = u->next;
            free(u);
        }
}

void shadow_pages_fini(struct virt *v) {
    struct shadow *s = &v->shadow;

    if (s->use) {
        free_uses(s);
        munmap(s->use, s->chunks * sizeof(struct shadow_use *));
    }
    if (s->table)
        munmap(s->table, s->frames);
    free(s->pending);
    free(s->unsync);
}

/* ---- tables ---- */

/* A frame that cannot be remembered stays protected: then each write to it is an exit. */
static void unprotect(struct virt *v, uint64_t frame) {
    struct shadow *s = &v->shadow;

    if (s->nunsync == s->unsync_room) {
        uint64_t room = s->unsync_room ? 2 * s->unsync_room : 64;
        uint64_t *more = realloc(s->unsync, room * sizeof(*more));

        if (!more)
            return;
        s->unsync = more;
        s->unsync_room = room;
    }
    s->unsync[s->nunsync++] = frame;
    s->table[frame] = SHADOW_UNSYNC;
    v->stats.unsyncs++;
}

void shadow_protect(struct virt *v) {
    struct shadow *s = &v->shadow;

    for (uint64_t i = 0; i < s->nunsync; i++)
        if (s->table[s->unsync[i]] == SHADOW_UNSYNC)
            s->table[s->unsync[i]] = SHADOW_LEAF;
    s->nunsync = 0;
}

void shadow_write(struct virt *v, uint64_t gpa, bool data) {
    uint8_t *table = &v->shadow.table[gpa >> EMT_PAGE_SHIFT];
    uint64_t instructions = v->cfg.virt.emulate_instructions;

    if (*table == SHADOW_NO_TABLE || (*table == SHADOW_UNSYNC && !data))
        return;
    if (*table != SHADOW_UNSYNC) {
        struct virt_account a = virt_begin(v, VIRT_TABLE_WRITE);

        /* A leaf's protection goes; only what stays protected is emulated. */
        virt_end(v, &a, *table == SHADOW_UPPER && !data ? instructions : 0);
    }
    if (data)
        *table = SHADOW_NO_TABLE; /* the guest uses the frame for something else by now */
    else if (*table == SHADOW_LEAF)
        unprotect(v, gpa >> EMT_PAGE_SHIFT);
}

/* ---- uses ---- */

int shadow_use_add(struct virt *v, struct shadow_space *space, uint64_t va, uint64_t gpa, uint64_t bytes) {
    struct shadow_use **first = &v->shadow.use[gpa >> CHUNK_SHIFT], *u = *first;

    while (u && (u->space != space || u->va != va || u->gpa != gpa))
        u = u->next;
    if (!u) {
        u = malloc(sizeof(*u));
        if (!u)
            return -ENOMEM;
        *u = (struct shadow_use){.next = *first, .space = space, .va = va, .gpa = gpa};
        *first = u;
    }
    u->bytes = bytes;
    return 0;
}

bool shadow_use_take(struct virt *v, uint64_t gpa, uint64_t bytes, struct shadow_use *use) {
    struct shadow *s = &v->shadow;
    uint64_t end = gpa + bytes < gpa ? ~0ull : gpa + bytes;
    /* An entry of 1 GiB begins before most of the chunks that it shows. */
    uint64_t first = (gpa & ~((1ull << EMT_SHIFT_1G) - 1)) >> CHUNK_SHIFT;

    for (uint64_t i = first; i < s->chunks && i << CHUNK_SHIFT < end; i++)
        for (struct shadow_use **at = &s->use[i]; *at; at = &(*at)->next) {
            struct shadow_use *u = *at;

            if (u->gpa >= end || u->gpa + u->bytes <= gpa)
                continue;
            *use = *u;
            *at = u->next;
            free(u);
            return true;
        }
    return false;
}

/* ---- changes of the host ---- */

void shadow_host_changed(struct virt *v, uint64_t gpa, uint64_t bytes) {
    struct shadow *s = &v->shadow;

    if (s->npending == s->room) {
        unsigned room = 2 * s->room;
        void *more = realloc(s->pending, room * sizeof(*s->pending));

        if (!more) {
            /* Nothing is lost: all of memory takes the place of what cannot be remembered. */
            s->pending[0].gpa = 0;
            s->pending[0].bytes = ~0ull;
            return;
        }
        s->pending = more;
        s->room = room;
    }
    s->pending[s->npending].gpa = gpa;
    s->pending[s->npending++].bytes = bytes;
}
