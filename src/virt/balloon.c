/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The balloon: every so many instructions the guest takes back what it lent and lends other free memory, which the
 * host unmaps. As virtio_balloon: 256 page numbers in one exit (VIRTIO_BALLOON_ARRAY_PFNS_MAX); runs of them are
 * one call of the host.
 */
#include <stdlib.h>

#include "os/abi.h"
#include "virt/virt_private.h"

#define PAGES_IN_ONE_EXIT 256

static void host_takes(struct virt *v, const uint64_t *pfn, uint64_t n) {
    for (uint64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && pfn[end] == pfn[end - 1] + 1;)
            end++;
        os_madvise(v->vm, pfn[i] << EMT_PAGE_SHIFT, (end - i) << EMT_PAGE_SHIFT, ABI_MADV_DONTNEED);
    }
}

static void turn(struct virt *v, struct os *guest) {
    os_balloon_deflate(guest, v->balloon, v->balloon_pages);
    v->balloon_pages = os_balloon_inflate(guest, v->balloon, v->balloon_room);
    v->stats.balloon_pages += v->balloon_pages;
    for (uint64_t i = 0; i < v->balloon_pages; i += PAGES_IN_ONE_EXIT) {
        uint64_t n = v->balloon_pages - i < PAGES_IN_ONE_EXIT ? v->balloon_pages - i : PAGES_IN_ONE_EXIT;

        v->stats.op[VIRT_BALLOON].calls++;
        host_takes(v, v->balloon + i, n);
    }
}

static void balloon_tick(struct virt *v, struct os *guest, uint64_t instructions) {
    uint64_t period = v->cfg.virt.balloon_every_instructions;

    if (!v->cfg.virt.balloon_bytes)
        return;
    if (!v->next_balloon)
        v->next_balloon = period;
    if (instructions < v->next_balloon)
        return;
    v->next_balloon += (instructions - v->next_balloon) / period * period + period;
    uint64_t bytes = v->guest_cfg.memory.bytes;

    v->balloon_room = (v->cfg.virt.balloon_bytes < bytes ? v->cfg.virt.balloon_bytes : bytes) >> EMT_PAGE_SHIFT;
    if (!v->balloon)
        v->balloon = malloc(v->balloon_room * sizeof(*v->balloon));
    if (v->balloon)
        turn(v, guest);
    else
        v->trouble = "out of memory for virt.balloon.bytes";
}

void virt_tick(struct virt *v, struct os *guest, uint64_t instructions) {
    os_tick(v->os, instructions);
    balloon_tick(v, guest, instructions);
    shadow_settle(v);
}
