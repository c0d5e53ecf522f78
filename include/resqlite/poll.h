/*
 * A queue of resqlite in a loop of your own around poll().
 *
 *     rsq_poll_source source;
 *     struct pollfd slots[N];
 *
 *     rsq_poll_attach(&source, queue);
 *     for (;;) {
 *         rsq_poll_fill(&source, &slots[0]);
 *         if (poll(slots, N, -1) > 0)
 *             rsq_poll_dispatch(&source, &slots[0]);
 *     }
 *
 * The slot is filled anew in each turn and not remembered, so that the array may grow and move.
 *
 * Close in this order: rsq_poll_detach(), then what ends the queue, which is rsq_queue_free(), or rsq_close()
 * for the default queue of a database. That closes the descriptor; poll() would report it as invalid at once
 * and for ever, or watch another file once the number is used again. Events that a database leaves in a queue
 * of your own when it is closed come as always, so such a queue may stay attached until they have.
 *
 * Thread: all of it on the one that runs the loop, callbacks of the queue included. C99 and C++17.
 */
#ifndef RESQLITE_POLL_H
#define RESQLITE_POLL_H

#include <errno.h>
#include <poll.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue in a loop around poll(). Storage of the caller; all-zero is a detached one. */
typedef struct rsq_poll_source {
    rsq_queue *queue; /**< borrowed until rsq_poll_detach(); NULL: detached */
    int fd;           /**< borrowed from the queue */
    size_t max;       /**< events a turn at most; 0, as rsq_poll_attach() leaves it: all that wait */
} rsq_poll_source;

/**
 * Attach a queue.
 * @param source  written in any case: on failure it is a detached one.
 * @return 0, -EINVAL (no queue), -EMFILE (no descriptor left for the queue).
 */
static inline int rsq_poll_attach(rsq_poll_source *source, rsq_queue *queue)
{
    int fd = rsq_queue_fd(queue);

    source->queue = fd < 0 ? NULL : queue;
    source->fd = fd;
    source->max = 0;
    if (fd < 0)
        return queue ? -EMFILE : -EINVAL;
    return 0;
}

/** Make a slot for the next poll(); that of a detached source is one that poll() skips. */
static inline void rsq_poll_fill(const rsq_poll_source *source, struct pollfd *slot)
{
    slot->fd = source->queue ? source->fd : -1;
    slot->events = POLLIN;
    slot->revents = 0;
}

/**
 * After poll(): call the callbacks of events that wait, if its slot says so.
 *
 * Nothing happens for a source that was detached after poll() returned. The source is not touched after the
 * first callback has been called, so a callback may detach it and give its storage back.
 *
 * @return as rsq_queue_dispatch(); RSQ_EMISUSE too if the descriptor was closed while the queue was attached.
 */
static inline rsq_code rsq_poll_dispatch(const rsq_poll_source *source, const struct pollfd *slot)
{
    if (!source->queue)
        return RSQ_OK;
    if (slot->revents & POLLNVAL)
        return RSQ_EMISUSE;
    return slot->revents ? rsq_queue_dispatch(source->queue, source->max, NULL) : RSQ_OK;
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_poll_detach(rsq_poll_source *source)
{
    source->queue = NULL;
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_POLL_H */
