/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which addresses of a database have objects: 2 MiB regions in order, and in each a bit for every 4 KiB page. An
 * inverted table cannot tell it, as it holds everybody's pages in the order of a hash; every OS on one keeps
 * something like this. Hardware never reads it; what it costs is told to the host in instructions.
 */
#ifndef EMT_MMU_INVERTED_REGIONS_H
#define EMT_MMU_INVERTED_REGIONS_H

#include "emt/host.h"

struct region {
    uint64_t start; /* va */
    uint64_t bytes; /* of one object that begins here and fills it, 2 MiB or 1 GiB; 0: pages of 4 KiB, see map */
    uint64_t map[8];
    struct region *next_spare;
};

struct regions {
    struct region **at;
    size_t n, room;
    struct region *spare;
};

/* What stands at va: an object of the size that is returned, or (0) a void, [*lo, *hi]. */
uint64_t regions_look(const struct regions *r, struct emt_host *host, uint64_t va, uint64_t *lo, uint64_t *hi);
/* An object will be there; nothing else is in its way. -ENOMEM. */
int regions_add(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes);
void regions_remove(struct regions *r, struct emt_host *host, uint64_t va);
/* The huge object at va becomes objects of `bytes`. -ENOMEM: it does not. */
int regions_split(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes);
/* All objects of [va, va + bytes), of which there is one, become one. */
void regions_join(struct regions *r, struct emt_host *host, uint64_t va, uint64_t bytes);
void regions_free(struct regions *r, struct emt_host *host);

#endif
