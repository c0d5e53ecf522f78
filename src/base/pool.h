/*
 * A pool of freed memory, in sizes that are powers of two: what is given back is
 * kept for whoever next wants that size, up to a limit in bytes. Pools live as
 * long as the process, since what is taken from one may outlive its database.
 * Thread: any.
 */
#ifndef RSQ_BASE_POOL_H
#define RSQ_BASE_POOL_H

#include <stddef.h>

#include "plat/thread.h"

#define RSQ_POOL_SIZES_MAX 16

typedef struct rsq_pool_free {
    struct rsq_pool_free *next;
} rsq_pool_free;

typedef struct rsq_pool {
    /* Immutable. */
    size_t smallest; /* bytes */
    unsigned sizes;  /* how many, each twice the one before; what is larger is never kept */
    size_t keep_max; /* bytes */

    rsq_mutex mu;
    rsq_pool_free *free[RSQ_POOL_SIZES_MAX]; /* owned; stacks */
    size_t kept;                             /* bytes */
} rsq_pool;

/* For a variable with static storage. */
#define RSQ_POOL_INIT(smallest_, sizes_, keep_max_)                                               \
    {                                                                                             \
        .smallest = (smallest_), .sizes = (sizes_), .keep_max = (keep_max_), .mu = RSQ_MUTEX_INIT \
    }

/* `size` bytes or more, `*capacity` says how many; owned by the caller. NULL: no memory. */
void *rsq_pool_take(rsq_pool *p, size_t size, size_t *capacity);

/* `capacity` as it was told; or any memory of rsq_alloc(), of which that many bytes are the whole. */
void rsq_pool_give(rsq_pool *p, void *memory, size_t capacity);

#endif
