/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The contiguity map of CA paging (ISCA'20, section III): the clusters of free memory of one NUMA node. A cluster
 * is a maximal run of free blocks of the buddy allocator's largest order (4 MiB); it has any length and any
 * alignment. The allocator tells the map when such a block appears or goes, which is rare, and nothing else.
 *
 *      block   0 1 2 3 4 5 6 7            inner nodes know, of their part, the free blocks at its beginning and
 *              . . # . . . # .            at its end and the longest run within, each as what is missing to the
 *              \_/   \___/   \            whole: a zeroed node is all free, and costs no host memory.
 *             clusters 2, 3, 1
 *
 * The artifact keeps a list of clusters in order of address, and a pointer from each free block into it, and scans
 * the list for a placement. A tree finds the same cluster in logarithmic time.
 */
#ifndef EMT_OS_CONTIG_H
#define EMT_OS_CONTIG_H

#include <stdbool.h>
#include <stdint.h>

struct contig;

/* All of `blocks` blocks are free. -ENOMEM. */
int contig_new(struct contig **out, uint64_t blocks);
void contig_free(struct contig *);
/* Block number `block` is free now, or is not free any more. */
void contig_set(struct contig *, uint64_t block, bool free);
/* How often contig_set() was called: what keeping the map takes. */
uint64_t contig_updates(const struct contig *);
/* The first cluster with a free block at or after `from`, cut there. false: none. */
bool contig_next(const struct contig *, uint64_t from, uint64_t *block, uint64_t *blocks);
/*
 * Next fit: the first place for `want` blocks (at least 1) after what was given out last, around the end if need
 * be; when no cluster is so large, the largest one, of the one that was given out last only the part behind. The
 * rover moves behind what is given out. Nothing is allocated: later searches only prefer other places. false: no
 * block is free.
 */
bool contig_place(struct contig *, uint64_t want, uint64_t *block, uint64_t *blocks);

#endif
