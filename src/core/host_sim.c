/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The simulator's host: simulated physical memory, frames for tables, and frames that wait for a flush. */
#include "core/host_sim.h"

#include <sys/mman.h>

/*
 * Where tables fill a quarter of 2 MiB, one page of the host holds them all: walks over many tables then miss the
 * host's own TLB less, and it costs at most four times what is used. The OS keeps tables together, so most are
 * there.
 */
#define BLOCK_SHIFT 21
#define CROWD       128
#define CROWDED     UINT16_MAX
#define BLOCK_BYTES (1ull << BLOCK_SHIFT)

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

/* Address space from a multiple of 2 MiB on that costs memory only where it is touched; NULL. */
static void *reserve(uint64_t bytes) {
    const uint64_t room = bytes + BLOCK_BYTES;
    char *got = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (got == MAP_FAILED)
        return NULL;
    char *at = got + (-(uintptr_t)got & (BLOCK_BYTES - 1)), *end = at + ((bytes + 4095) & ~4095ull);
    if (at > got)
        munmap(got, (size_t)(at - got));
    munmap(end, (size_t)(got + room - end));
    /* A table page is 4 KiB: a huge page of the host behind each would cost 512 times that. */
    madvise(at, bytes, MADV_NOHUGEPAGE);
    return at;
}

static uint64_t notes_bytes(const struct emt_host *host) {
    return (host->phys_bytes >> EMT_PAGE_SHIFT) * sizeof(*host->notes);
}

static uint64_t crowd_bytes(const struct emt_host *host) {
    return ((host->phys_bytes >> BLOCK_SHIFT) + 1) * sizeof(*host->crowd);
}

/* Frames of one block get tables. Only for speed: a host that cannot do it goes on as before. */
static void note_tables(struct emt_host *host, uint64_t pa, uint64_t frames) {
    uint16_t *crowd = &host->crowd[pa >> BLOCK_SHIFT];

    if (host->short_lived || *crowd == CROWDED || frames >= 1u << (BLOCK_SHIFT - EMT_PAGE_SHIFT))
        return;
    *crowd += (uint16_t)frames;
    if (*crowd < CROWD || host->phys_bytes >> BLOCK_SHIFT <= pa >> BLOCK_SHIFT)
        return;
    *crowd = CROWDED;
    uint8_t *block = host->phys + (pa >> BLOCK_SHIFT << BLOCK_SHIFT);
    if (!madvise(block, BLOCK_BYTES, MADV_HUGEPAGE))
        madvise(block, BLOCK_BYTES, MADV_COLLAPSE);
}

static void forget_tables(struct emt_host *host, uint64_t pa, uint64_t frames) {
    uint16_t *crowd = &host->crowd[pa >> BLOCK_SHIFT];

    if (!host->short_lived && *crowd != CROWDED && frames < 1u << (BLOCK_SHIFT - EMT_PAGE_SHIFT))
        *crowd -= (uint16_t)frames;
}

int emt_host_init(struct emt_host *host, uint64_t phys_bytes) {
    memset(host, 0, sizeof(*host));
    host->phys_bytes = phys_bytes;
    host->phys = reserve(phys_bytes);
    host->notes = reserve(notes_bytes(host));
    host->crowd = reserve(crowd_bytes(host));
    if (!host->phys || !host->notes || !host->crowd) {
        emt_host_fini(host);
        return -ENOMEM;
    }
    return 0;
}

void emt_host_fini(struct emt_host *host) {
    emt_host_release_freed(host);
    free(host->freed);
    if (host->phys)
        munmap(host->phys, host->phys_bytes);
    if (host->notes)
        munmap(host->notes, notes_bytes(host));
    if (host->crowd)
        munmap(host->crowd, crowd_bytes(host));
    memset(host, 0, sizeof(*host));
}

/* A test's budget of allocations: fail_at - 1 are left, and what is given back may be had again. */
static bool must_fail(struct emt_host *host) {
    if (host->fail_at == 1)
        return true;
    if (host->fail_at)
        host->fail_at--;
    return false;
}

/* Large tables, of which most may never be used, cost memory of ours only where they are. */
static void clear(struct emt_host *host, uint64_t pa, uint64_t bytes) {
    if (bytes < EMT_PAGE_BYTES << 5 || madvise(host->phys + pa, bytes, MADV_DONTNEED))
        memset(host->phys + pa, 0, bytes);
}

uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned order) {
    struct emt_host *host = tdb->svc->host;
    uint64_t bytes = EMT_PAGE_BYTES << order;

    if (must_fail(host))
        return EMT_NO_PA;
    uint64_t pa = host->frame_alloc(host->os, order);
    if (pa == EMT_NO_PA) {
        if (host->fail_at)
            host->fail_at++; /* what memory refuses takes nothing from the budget */
        return EMT_NO_PA;
    }
    note_tables(host, pa, 1ull << order);
    clear(host, pa, bytes);
    emt_host_touch(host, pa, bytes, true);
    tdb->table_bytes += bytes;
    host->table_bytes += bytes;
    if (host->table_bytes > host->table_bytes_peak)
        host->table_bytes_peak = host->table_bytes;
    return pa;
}

void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned order) {
    struct emt_host *host = tdb->svc->host;

    tdb->table_bytes -= EMT_PAGE_BYTES << order;
    host->table_bytes -= EMT_PAGE_BYTES << order;
    if (host->nfreed == host->freed_room) {
        size_t room = host->freed_room ? host->freed_room * 2 : 64;
        struct emt_host_freed *more = realloc(host->freed, room * sizeof(*more));
        if (!more) {
            /* No memory to remember the frame: a flush of everything makes it free at once. */
            emt_host_flush(host, &(struct emt_flush){.kind = EMT_FLUSH_ALL, .tables = true});
            emt_host_release_freed(host);
            forget_tables(host, pa, 1ull << order);
            host->frame_free(host->os, pa, order);
            return;
        }
        host->freed = more;
        host->freed_room = room;
    }
    host->freed[host->nfreed++] = (struct emt_host_freed){.pa = pa, .order = order};
}

void emt_host_release_freed(struct emt_host *host) {
    for (size_t i = 0; i < host->nfreed; i++) {
        forget_tables(host, host->freed[i].pa, 1ull << host->freed[i].order);
        host->frame_free(host->os, host->freed[i].pa, host->freed[i].order);
        if (host->fail_at)
            host->fail_at += 1ull << host->freed[i].order;
    }
    host->nfreed = 0;
}

void *emt_state_alloc(struct emt_host *host, size_t bytes) {
    return must_fail(host) ? NULL : calloc(1, bytes);
}

void emt_state_free(struct emt_host *host, void *state) {
    if (state && host->fail_at)
        host->fail_at++;
    free(state);
}
