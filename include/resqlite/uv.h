/*
 * A queue of resqlite on a libuv loop. Link with libuv, whose header wants POSIX's names: -std=gnu99 or
 * newer, or _POSIX_C_SOURCE as 200809L.
 *
 *     rsq_uv_source source;
 *
 *     rsq_uv_attach(&source, loop, queue);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * The queue keeps the loop alive until it is detached, as a handle of libuv does; uv_unref() on the source's
 * handle changes that. The handle is freed by the loop some time after rsq_uv_detach(), as is libuv's way:
 * run the loop once more before uv_loop_close().
 *
 * Close in this order: rsq_uv_detach(), then what ends the queue, which is rsq_queue_free(), or rsq_close()
 * for the default queue of a database, since that closes the descriptor. Events that a database leaves in a
 * queue of your own when it is closed come as always, so such a queue may stay attached until they have.
 *
 * Thread: all of it on the one that runs the loop, callbacks of the queue included. A callback may detach its
 * own source and give the storage back; other events of the same turn may still come. C99 and C++17.
 */
#ifndef RESQLITE_UV_H
#define RESQLITE_UV_H

#include <stdlib.h>
#include <uv.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue on a libuv loop. Storage of the caller, which must not move; all-zero is a detached one. */
typedef struct rsq_uv_source {
    uv_poll_t *handle; /**< owned; for uv_unref() and the like; NULL: detached */
    rsq_queue *queue;  /**< borrowed until rsq_uv_detach() */
    size_t max;        /**< events a turn at most; 0, as rsq_uv_attach() leaves it: all that wait */
} rsq_uv_source;

/* The functions with a name that ends in _ready or _closed are for the adapter itself. */
static inline void rsq_uv_ready(uv_poll_t *handle, int status, int events)
{
    const rsq_uv_source *source = (const rsq_uv_source *)handle->data;

    (void)events;
    /* An error here says that the descriptor is gone, and the queue with it. The dispatch fails only while
     * another thread dispatches the queue: the events still wait, and the loop comes back for them. */
    if (status == 0)
        (void)rsq_queue_dispatch(source->queue, source->max, NULL);
}

static inline void rsq_uv_closed(uv_handle_t *handle)
{
    free(handle);
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_uv_detach(rsq_uv_source *source)
{
    uv_poll_t *handle = source->handle;

    source->handle = NULL;
    if (handle)
        uv_close((uv_handle_t *)handle, rsq_uv_closed);
}

/**
 * Attach a queue.
 * @param source  written in any case: on failure it is a detached one.
 * @return 0, or an error of libuv: UV_EINVAL (no queue), UV_EMFILE (no descriptor left for the queue),
 *         UV_ENOMEM, UV_EEXIST (the queue is on this loop).
 */
static inline int rsq_uv_attach(rsq_uv_source *source, uv_loop_t *loop, rsq_queue *queue)
{
    int fd = rsq_queue_fd(queue);
    uv_poll_t *handle;
    int rc;

    source->handle = NULL;
    source->queue = queue;
    source->max = 0;
    if (fd < 0)
        return queue ? UV_EMFILE : UV_EINVAL;
    handle = (uv_poll_t *)malloc(sizeof *handle);
    if (!handle)
        return UV_ENOMEM;
    rc = uv_poll_init(loop, handle, fd);
    if (rc != 0) {
        free(handle);
        return rc;
    }
    source->handle = handle;
    handle->data = source;
    rc = uv_poll_start(handle, UV_READABLE, rsq_uv_ready);
    if (rc != 0)
        rsq_uv_detach(source);
    return rc;
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_UV_H */
