/*
 * A queue of resqlite on a libevent 2 loop. Link with libevent_core.
 *
 *     rsq_event_source source;
 *
 *     rsq_event_attach(&source, base, queue);
 *     event_base_dispatch(base);
 *
 * The queue keeps the loop alive until it is detached, as an event that was added does.
 *
 * Close in this order: rsq_event_detach(), then what ends the queue, which is rsq_queue_free(), or
 * rsq_close() for the default queue of a database, since that closes the descriptor. Events that a database
 * leaves in a queue of your own when it is closed come as always, so such a queue may stay attached until
 * they have.
 *
 * Thread: all of it on the one that runs the loop, callbacks of the queue included. A callback may detach its
 * own source and give the storage back; other events of the same turn may still come. C99 and C++17.
 */
#ifndef RESQLITE_EVENT_H
#define RESQLITE_EVENT_H

#include <errno.h>
#include <event2/event.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue on an event base. Storage of the caller, which must not move; all-zero is a detached one. */
typedef struct rsq_event_source {
    struct event *event; /**< owned; for event_priority_set() and the like; NULL: detached */
    rsq_queue *queue;    /**< borrowed until rsq_event_detach() */
    size_t max;          /**< events a turn at most; 0, as rsq_event_attach() leaves it: all that wait */
} rsq_event_source;

/* For the adapter itself. */
static inline void rsq_event_ready(evutil_socket_t fd, short what, void *data)
{
    const rsq_event_source *source = (const rsq_event_source *)data;

    (void)fd;
    (void)what;
    /* It fails only while another thread dispatches the queue: the events still wait, and the loop comes back
     * for them. */
    (void)rsq_queue_dispatch(source->queue, source->max, NULL);
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_event_detach(rsq_event_source *source)
{
    struct event *event = source->event;

    source->event = NULL;
    if (event)
        event_free(event);
}

/**
 * Attach a queue.
 * @param source  written in any case: on failure it is a detached one.
 * @return 0, -EINVAL (no queue), -EMFILE (no descriptor left for the queue), -ENOMEM, or -EIO when libevent
 *         could not add the event, which it has reported through its log.
 */
static inline int rsq_event_attach(rsq_event_source *source, struct event_base *base, rsq_queue *queue)
{
    int fd = rsq_queue_fd(queue);

    source->event = NULL;
    source->queue = queue;
    source->max = 0;
    if (fd < 0)
        return queue ? -EMFILE : -EINVAL;
    source->event = event_new(base, fd, EV_READ | EV_PERSIST, rsq_event_ready, source);
    if (!source->event)
        return -ENOMEM;
    if (event_add(source->event, NULL) != 0) {
        rsq_event_detach(source);
        return -EIO;
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_EVENT_H */
