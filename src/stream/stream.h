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
#include "result/diff.h"
#include "stream/group.h"
#include "stream/live.h"
#include "stream/streams.h"

struct rsq_stream {
    /* Immutable after rsq_streams_open(). */
    rsq_streams *owner;       /* owned reference */
    rsq_queue *queue;         /* owned reference */
    rsq_group *group;         /* owned reference; NULL: it is delivered by itself */
    const rsq_client *client; /* the handle that opened it; only compared */
    uint32_t mode;            /* RSQ_STREAM_… */
    rsq_columns *key;         /* owned reference; of a difference; NULL: the result's own */
    rsq_stream_event_fn event;
    void *ctx; /* the caller's, borrowed until the end event */

    /* The open handle, a place in the queue and one in the group hold one each. Release on drop, acquire by
     * the one that frees. */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_live *live; /* while it is among the live query's streams; NULL: closed */
    struct rsq_stream *prev, *next;
    rsq_outcome pending;           /* newest, not dispatched yet */
    rsq_reason pending_why;        /* owned; of it, and of those whose place it took */
    rsq_diff *pending_diff;        /* owned reference; of the pending result, if it was computed */
    rsq_outcome handed;            /* dispatched last, of this live query */
    rsq_result *shown;             /* owned reference; of a difference: the result dispatched last */
    uint64_t last_seq;             /* number of its last event with a result; 0: none yet */
    bool told;                     /* it was given an outcome of this live query, dispatched or not */
    bool ever_told;                /* or of an earlier one */
    bool opening_told;             /* an event for the sake of its opening waits or was dispatched */
    bool skips_run;                /* the run that goes on was overtaken before the stream joined */
    bool compares;                 /* `pending` may have the bytes of `handed` */
    bool pending_ended;            /* the pending error is why the stream ends */
    bool pending_end;              /* the end event waits */
    bool user_closed;              /* rsq_stream_close() was called: the handle is the stream's own again */
    bool end_lost;                 /* its queue was freed: the handle waits for rsq_stream_close() */
    bool ready;                    /* it has something to deliver, and waits in its group */
    struct rsq_stream *ready_next; /* in its group */
    rsq_stream_counters counters;  /* its own, and those of live queries that it left */
    rsq_live_counters joined_at;   /* the live query's when it joined */

    rsq_queue_node node; /* the queue's while it waits */
};

/* NULL: no memory. */
rsq_stream *rsq_stream_new(rsq_streams *owner, const rsq_stream_spec *spec);
void rsq_stream_unref(rsq_stream *s);

/* With the registry's mutex held. */

/* Become one of the live query's streams: its outcome is handed over at once if it is current. */
void rsq_stream_join_locked(rsq_stream *s, rsq_live *live);

/* The other way round. What it was handed counts no longer, but as what a difference begins with. */
void rsq_stream_leave_locked(rsq_stream *s);

/*
 * Give the stream an outcome, of which another reference is taken; a hopeless one that is its first ends it.
 * `why`: borrowed; the first of a live query has a reason of its own. `diff`: of what is shown and this
 * result, another reference is taken; NULL: it was not computed.
 */
void rsq_stream_emit_locked(rsq_stream *s, const rsq_outcome *o, const rsq_reason *why, rsq_diff *diff);

/* Leave the live query, which closes when it was the last, and post the end. */
void rsq_stream_end_locked(rsq_stream *s);

/* Forget what waits to be dispatched, but for the end. */
void rsq_stream_drop_locked(rsq_stream *s);

/* The same, because something newer takes its place or there is nothing to tell any more. */
void rsq_stream_replace_locked(rsq_stream *s);

/* Forget what a dispatch has taken out of the stream, with others of its group, and not told yet; but for the
 * end. */
void rsq_stream_forget_taken_locked(rsq_stream *s);

#endif
