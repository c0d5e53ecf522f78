/*
 * Handles that were closed, kept for a while: a call that comes too late finds a
 * closed handle and not freed memory. The newest RSQ_GRAVEYARD_MAX stay.
 * Thread: any.
 */
#ifndef RSQ_BASE_GRAVEYARD_H
#define RSQ_BASE_GRAVEYARD_H

#include <stddef.h>

#include "plat/thread.h"

#define RSQ_GRAVEYARD_MAX 1024

/* Has static storage, and begins as RSQ_GRAVEYARD_INIT. */
typedef struct rsq_graveyard {
    rsq_mutex mu;
    size_t oldest;                   /* in the ring */
    void *buried[RSQ_GRAVEYARD_MAX]; /* a ring; owned; NULL: nobody yet */
} rsq_graveyard;

#define RSQ_GRAVEYARD_INIT   \
    {                        \
        .mu = RSQ_MUTEX_INIT \
    }

/* Keep `handle`. Returns who goes for it, the caller's to free; NULL: nobody. */
void *rsq_graveyard_bury(rsq_graveyard *g, void *handle);

#endif
