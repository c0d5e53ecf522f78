/*
 * A queue of resqlite on an sd-event loop, systemd's. Link with libsystemd 243 or newer.
 *
 *     rsq_sd_source source;
 *
 *     rsq_sd_attach(&source, event, queue);
 *     sd_event_loop(event);
 *
 * Close in this order: rsq_sd_detach(), then what ends the queue, which is rsq_queue_free(), or rsq_close()
 * for the default queue of a database, since that closes the descriptor. Events that a database leaves in a
 * queue of your own when it is closed come as always, so such a queue may stay attached until they have.
 *
 * Thread: all of it on the one that runs the loop, callbacks of the queue included. A callback may detach its
 * own source and give the storage back; other events of the same turn may still come. C99 and C++17.
 */
#ifndef RESQLITE_SD_EVENT_H
#define RESQLITE_SD_EVENT_H

#include <errno.h>
#include <systemd/sd-event.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue on an sd-event loop. Storage of the caller, which must not move; all-zero is a detached one. */
typedef struct rsq_sd_source {
    sd_event_source *source; /**< owned; for sd_event_source_set_priority() and the like; NULL: detached */
    rsq_queue *queue;        /**< borrowed until rsq_sd_detach() */
    size_t max;              /**< events a turn at most; 0, as rsq_sd_attach() leaves it: all that wait */
} rsq_sd_source;

/* For the adapter itself. */
static inline int rsq_sd_ready(sd_event_source *s, int fd, uint32_t events, void *data)
{
    const rsq_sd_source *source = (const rsq_sd_source *)data;

    (void)s;
    (void)fd;
    (void)events;
    /* It fails only while another thread dispatches the queue: the events still wait, and the loop comes back
     * for them. To say so would make the loop drop the source. */
    (void)rsq_queue_dispatch(source->queue, source->max, NULL);
    return 0;
}

/**
 * Attach a queue.
 * @param source  written in any case: on failure it is a detached one.
 * @return 0, -EINVAL (no queue), -EMFILE (no descriptor left for the queue), or what sd_event_add_io() failed
 *         with: -EEXIST (the queue is on this loop), -ECHILD, -ENOMEM, -ENOSPC, -ESTALE.
 */
static inline int rsq_sd_attach(rsq_sd_source *source, sd_event *event, rsq_queue *queue)
{
    int fd = rsq_queue_fd(queue);
    int rc;

    source->source = NULL;
    source->queue = queue;
    source->max = 0;
    if (fd < 0)
        return queue ? -EMFILE : -EINVAL;
    rc = sd_event_add_io(event, &source->source, fd, EPOLLIN, rsq_sd_ready, source);
    return rc < 0 ? rc : 0;
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_sd_detach(rsq_sd_source *source)
{
    source->source = sd_event_source_disable_unref(source->source);
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_SD_EVENT_H */
