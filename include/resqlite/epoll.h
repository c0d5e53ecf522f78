/*
 * A queue of resqlite in a loop of your own around epoll_wait().
 *
 *     rsq_epoll_source source;
 *     struct epoll_event event;
 *     epoll_data_t data;
 *
 *     data.ptr = &source;
 *     rsq_epoll_attach(&source, epfd, queue, data);
 *     while (epoll_wait(epfd, &event, 1, -1) == 1)
 *         if (event.data.ptr == &source)
 *             rsq_epoll_dispatch(&source);
 *
 * Close in this order: rsq_epoll_detach(), then what ends the queue, which is rsq_queue_free(), or
 * rsq_close() for the default queue of a database, since that closes the descriptor. Events that a database
 * leaves in a queue of your own when it is closed come as always, so such a queue may stay attached until
 * they have.
 *
 * Thread: all of it on the one that runs the loop, callbacks of the queue included. C99 and C++17.
 */
#ifndef RESQLITE_EPOLL_H
#define RESQLITE_EPOLL_H

#include <errno.h>
#include <sys/epoll.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue in a loop around epoll_wait(). Storage of the caller; all-zero is a detached one. */
typedef struct rsq_epoll_source {
    rsq_queue *queue; /**< borrowed until rsq_epoll_detach(); NULL: detached */
    int fd;           /**< borrowed from the queue */
    int epfd;         /**< borrowed until rsq_epoll_detach() */
    size_t max;       /**< events a turn at most; 0, as rsq_epoll_attach() leaves it: all that wait */
} rsq_epoll_source;

/**
 * Attach a queue, level-triggered.
 * @param source  written in any case: on failure it is a detached one.
 * @param epfd    the epoll instance; borrowed until rsq_epoll_detach().
 * @param data    what epoll_wait() gives back when events wait; yours to choose.
 * @return 0, -EINVAL (no queue), -EMFILE (no descriptor left for the queue), or what epoll_ctl() failed with:
 *         -EEXIST (the queue is in this instance), -EBADF, -ENOMEM, -ENOSPC.
 */
static inline int rsq_epoll_attach(rsq_epoll_source *source, int epfd, rsq_queue *queue, epoll_data_t data)
{
    struct epoll_event event;
    int fd = rsq_queue_fd(queue);

    source->queue = NULL;
    source->fd = fd;
    source->epfd = epfd;
    source->max = 0;
    if (fd < 0)
        return queue ? -EMFILE : -EINVAL;
    event.events = EPOLLIN;
    event.data = data;
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -errno;
    source->queue = queue;
    return 0;
}

/**
 * After epoll_wait() gave the source's data back: call the callbacks of events that wait.
 *
 * Nothing happens for a source that was detached since; as epoll_wait() may have returned several events,
 * keep its storage until they are through. The source is not touched after the first callback has been
 * called.
 *
 * @return as rsq_queue_dispatch().
 */
static inline rsq_code rsq_epoll_dispatch(const rsq_epoll_source *source)
{
    return source->queue ? rsq_queue_dispatch(source->queue, source->max, NULL) : RSQ_OK;
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_epoll_detach(rsq_epoll_source *source)
{
    struct epoll_event unused; /* for kernels that want one */

    if (!source->queue)
        return;
    source->queue = NULL;
    /* It fails only if the instance or the descriptor was closed before, and then there is nothing to remove.
     */
    (void)epoll_ctl(source->epfd, EPOLL_CTL_DEL, source->fd, &unused);
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_EPOLL_H */
