/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A pool of blocks: a list of all that were made, and a stack of those that nobody uses. */
#include "input/pool.h"

#include <pthread.h>
#include <stdlib.h>

struct node {
    struct ev_block block; /* first: a block's address is its node's */
    struct node *next_made, *next_free;
};

struct block_pool {
    pthread_mutex_t lock;
    struct node *made, *free;
};

struct block_pool *block_pool_new(void) {
    struct block_pool *pool = calloc(1, sizeof(*pool));

    if (pool)
        pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

struct ev_block *block_pool_get(struct block_pool *pool) {
    struct node *node;

    pthread_mutex_lock(&pool->lock);
    node = pool->free;
    if (node) {
        pool->free = node->next_free;
    } else if ((node = calloc(1, sizeof(*node)))) {
        node->next_made = pool->made;
        pool->made = node;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!node)
        return NULL;
    node->block.process = 1;
    node->block.thread = 0;
    node->block.words = 0;
    return &node->block;
}

void block_pool_put(struct block_pool *pool, const struct ev_block *block) {
    struct node *node = (struct node *)block;

    pthread_mutex_lock(&pool->lock);
    node->next_free = pool->free;
    pool->free = node;
    pthread_mutex_unlock(&pool->lock);
}

void block_pool_free(struct block_pool *pool) {
    if (!pool)
        return;
    while (pool->made) {
        struct node *node = pool->made;

        pool->made = node->next_made;
        free(node);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
