/*
 * A stream: one subscriber of a live query, with its callback and its queue.
 *
 * It keeps the newest outcome that was not dispatched yet, one at most, and the
 * one it was handed last; for all streams that keep up these are the live
 * query's own. The handle lives until the end event was dispatched.
 */
#ifndef RSQ_STREAM_STREAM_H
#define RSQ_STREAM_STREAM_H

#include "exec/queue.h"
#include "stream/live.h"
#include "stream/streams.h"

struct rsq_stream {
    /* Immutable after rsq_stream_new(). */
    rsq_streams *owner;        /* owned reference */
    rsq_queue *queue;          /* owned reference */
    rsq_stream_event_fn event; /* `ctx` is the caller's, borrowed until the end event */
    void *ctx;

    /* The open handle and a place in the queue hold one each. Release on drop, acquire by the one that frees.
     */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_live *live; /* while it is among the live query's streams; NULL: closed */
    struct rsq_stream *prev, *next;
    rsq_outcome pending;          /* newest, not dispatched yet */
    rsq_outcome handed;           /* dispatched last */
    bool told;                    /* it was given an outcome, dispatched or not */
    bool skips_run;               /* the run that goes on was overtaken before the stream joined */
    bool compares;                /* `pending` may have the bytes of `handed` */
    bool pending_ended;           /* the pending error is why the stream ends */
    bool pending_end;             /* the end event waits */
    bool user_closed;             /* rsq_stream_close() was called: the handle is the stream's own again */
    bool end_lost;                /* its queue was freed: the handle waits for rsq_stream_close() */
    rsq_stream_counters counters; /* its own, and those of live queries that it left */
    rsq_live_counters joined_at;  /* the live query's when it joined */

    rsq_queue_node node; /* the queue's while it waits */
};

/* NULL: no memory. */
rsq_stream *rsq_stream_new(rsq_streams *owner, const rsq_stream_spec *spec);
void rsq_stream_unref(rsq_stream *s);

/* With the registry's mutex held. */

/* Become one of the live query's streams: its outcome is handed over at once if it is current. */
void rsq_stream_join_locked(rsq_stream *s, rsq_live *live);

/* Give the stream an outcome, of which another reference is taken; a hopeless one that is its first ends it.
 */
void rsq_stream_emit_locked(rsq_stream *s, const rsq_outcome *o);

/* Leave the live query, which closes when it was the last, and post the end. */
void rsq_stream_end_locked(rsq_stream *s);

/* Forget what waits to be dispatched, but for the end. */
void rsq_stream_drop_locked(rsq_stream *s);

/* The same, because something newer takes its place or there is nothing to tell any more. */
void rsq_stream_replace_locked(rsq_stream *s);

#endif
