/*
 * A group: live queries that are read in one snapshot and whose streams are
 * delivered by one dispatch, so that a consumer sees one commit in all of them.
 *
 * Its job runs those that were woken. When it has read them, it looks whether
 * every commit of its snapshot has been told by then: a member that one of them
 * woke is read in the same snapshot. If the snapshot holds a commit that was
 * not told yet, all members are. So what is not read has its answer of before.
 *
 * Streams with something to deliver wait in the group, and the group in the
 * queue.
 */
#ifndef RSQ_STREAM_GROUP_H
#define RSQ_STREAM_GROUP_H

#include "exec/queue.h"
#include "stream/live.h"

typedef struct rsq_group {
    /* Immutable after rsq_group_new(). */
    uint32_t number;
    uint32_t client;           /* whose number it is */
    struct rsq_streams *owner; /* owned reference */
    rsq_queue *queue;          /* owned reference; of all its streams */

    /*
     * Its live queries, its streams, a job that waits or runs, and a place in the
     * queue hold one each. Release on drop, acquire by the one that frees.
     */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_live *lives;          /* its members; NULL: it is not in the registry any more */
    struct rsq_group *next;   /* in the registry */
    bool active;              /* its job waits or runs */
    struct rsq_stream *ready; /* those with something to deliver, a reference each, in order */
    struct rsq_stream *ready_last;
    struct rsq_delivery *taken; /* by the thread that dispatches, and not told yet, in order; borrowed */

    rsq_job job;         /* the workers' while it waits */
    rsq_queue_node node; /* the queue's while it waits */
} rsq_group;

/* One reference, of the caller's. NULL: no memory. */
rsq_group *rsq_group_new(struct rsq_streams *owner, uint32_t client, uint32_t number, rsq_queue *queue);
rsq_group *rsq_group_ref(rsq_group *g); /* NULL is a no-op */
void rsq_group_unref(rsq_group *g);     /* NULL is a no-op */

/* With the registry's mutex held. */

/* One of its live queries is queued. */
void rsq_group_queue_locked(rsq_group *g);

/* Members come and go. */
void rsq_group_add_locked(rsq_group *g, rsq_live *live);
void rsq_group_remove_locked(rsq_group *g, rsq_live *live);

#endif
