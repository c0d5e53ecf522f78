/*
 * A queue of resqlite on a GLib main loop, GTK's included. Link with GLib 2.58 or newer.
 *
 *     rsq_glib_source source;
 *
 *     rsq_glib_attach(&source, NULL, queue);
 *     g_main_loop_run(loop);
 *
 * Events come with G_PRIORITY_DEFAULT. A program that draws and gets events without a pause gives the source
 * a lower one, with g_source_set_priority(), or a `max`. Inside a callback of the queue a nested main loop
 * does not dispatch this queue, unless g_source_set_can_recurse() was called.
 *
 * Close in this order: rsq_glib_detach(), then what ends the queue, which is rsq_queue_free(), or rsq_close()
 * for the default queue of a database. That closes the descriptor; the loop would find it invalid at once and
 * for ever, or watch another file once the number is used again. Events that a database leaves in a queue of
 * your own when it is closed come as always, so such a queue may stay attached until they have.
 *
 * Thread: all of it on the one that runs the main context, callbacks of the queue included. A callback may
 * detach its own source and give the storage back; other events of the same turn may still come. C99 and
 * C++17.
 */
#ifndef RESQLITE_GLIB_H
#define RESQLITE_GLIB_H

#include <errno.h>
#include <glib-unix.h>
#include <glib.h>

#include <resqlite.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue on a main context. Storage of the caller, which must not move; all-zero is a detached one. */
typedef struct rsq_glib_source {
    GSource *source;  /**< owned; for g_source_set_priority() and the like; NULL: detached */
    rsq_queue *queue; /**< borrowed until rsq_glib_detach() */
    size_t max;       /**< events a turn at most; 0, as rsq_glib_attach() leaves it: all that wait */
} rsq_glib_source;

/* For the adapter itself. */
static inline gboolean rsq_glib_ready(gint fd, GIOCondition condition, gpointer data)
{
    const rsq_glib_source *source = (const rsq_glib_source *)data;

    (void)fd;
    (void)condition;
    /* It fails only while another thread dispatches the queue: the events still wait, and the loop comes back
     * for them. */
    (void)rsq_queue_dispatch(source->queue, source->max, NULL);
    return G_SOURCE_CONTINUE;
}

/**
 * Attach a queue.
 * @param source   written in any case: on failure it is a detached one.
 * @param context  borrowed for the call; NULL: the default main context.
 * @return 0, -EINVAL (no queue), -EMFILE (no descriptor left for the queue).
 */
static inline int rsq_glib_attach(rsq_glib_source *source, GMainContext *context, rsq_queue *queue)
{
    int fd = rsq_queue_fd(queue);

    source->source = NULL;
    source->queue = queue;
    source->max = 0;
    if (fd < 0)
        return queue ? -EMFILE : -EINVAL;
    source->source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source->source, G_SOURCE_FUNC(rsq_glib_ready), source, NULL);
    (void)g_source_attach(source->source, context);
    return 0;
}

/** Detach. Events that wait stay in the queue. A source that is detached is left alone. */
static inline void rsq_glib_detach(rsq_glib_source *source)
{
    GSource *attached = source->source;

    source->source = NULL;
    if (!attached)
        return;
    g_source_destroy(attached);
    g_source_unref(attached);
}

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_GLIB_H */
