/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A pool of blocks for sources: given back ones are used again. Safe for any number of threads. */
#ifndef EMT_INPUT_POOL_H
#define EMT_INPUT_POOL_H

#include "input/event.h"

struct block_pool;

struct block_pool *block_pool_new(void); /* NULL: out of memory */
/* A block with process 1, thread 0 and no words; NULL when out of memory. */
struct ev_block *block_pool_get(struct block_pool *);
void block_pool_put(struct block_pool *, const struct ev_block *);
/* Frees all blocks, those not given back as well. */
void block_pool_free(struct block_pool *);

#endif
