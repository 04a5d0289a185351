/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the files that measure contiguity share. For users: os_contiguity() in os/os.h. */
#ifndef EMT_OS_CONTIGUITY_H
#define EMT_OS_CONTIGUITY_H

#include "os/os.h"

/* So many mappings of so many bytes. */
struct size {
    uint64_t bytes, times;
};
struct sizes {
    bool merge;        /* equal sizes may become one entry, in any order: few, however many there are */
    struct size *size; /* malloc()ed */
    uint64_t n, room;
};
/* One from contig_clusters(), or NULL. */
void sizes_free(struct sizes *s);
/* false: out of host memory. Nothing is added for 0 times. */
bool sizes_add(struct sizes *s, uint64_t bytes, uint64_t times);
/* Equal sizes that follow each other become one entry. */
void sizes_merge(struct sizes *s);
/* Sorts, largest first, and counts how many cover 90, 99 and 100 %. Uses `times` up. */
void sizes_cover(struct sizes *s, uint64_t out[OS_SHARES]);

/* Objects of one size that follow each other, virtually and physically. */
struct segment {
    uint64_t va, pfn, pages;
    uint32_t object_pages;
    bool joined; /* follows the one before likewise */
};

/* Free runs of frames, smallest first, as memory is now: taken at boot. NULL: out of host memory. */
struct sizes *contig_clusters(const struct os *os);
/* An offline best fit of pieces of these sizes into the clusters of boot: what it makes of them is added to *out.
   false: not known, or out of host memory. */
bool contig_ideal(const struct os *os, const struct sizes *pieces, struct sizes *out);

#endif
