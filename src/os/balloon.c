/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A balloon: free memory that the OS lends to who is below it (Waldspurger, OSDI'02; Linux's virtio_balloon). */
#include <stdlib.h>

#include "os/internal.h"

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

uint64_t os_balloon_inflate(struct os *os, uint64_t *pfn, uint64_t frames) {
    uint64_t n = 0;

    account_begin(os, OS_BALLOON);
    while (n < frames) {
        pfn[n] = frames_alloc(os->frames, 0, -1, FRAME_MOVABLE, OS_USE_OCCUPIED);
        if (pfn[n] == FRAME_NONE)
            break;
        n++;
    }
    os->reserved_frames += n;
    account_cost(os, OS_COST_FRAME_ALLOC, n);
    account_end(os);
    qsort(pfn, n, sizeof(*pfn), ascending);
    return n;
}

void os_balloon_deflate(struct os *os, const uint64_t *pfn, uint64_t frames) {
    account_begin(os, OS_BALLOON);
    for (uint64_t i = 0; i < frames; i++)
        frames_free(os->frames, pfn[i]);
    os->reserved_frames -= frames;
    account_cost(os, OS_COST_FRAME_FREE, frames);
    account_end(os);
}
