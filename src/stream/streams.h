/*
 * Live queries: the registry of those that are open, and what becomes of them
 * when something is committed.
 *
 *   1. commit   the writer's thread, turn held: rsq_streams_commit() compares
 *               what changed with what each query reads.
 *   2. wake     a query that may have changed is queued for a worker; one that
 *               runs just then is marked, and runs again.
 *   3. run      a worker leases a reader, whose snapshot is at least as new as
 *               the commit, and runs the SQL.
 *   4. compare  equal bytes as before: nothing happens.
 *   5. deliver  the result waits in the stream, newest only, and the stream
 *               waits in its queue; rsq_queue_dispatch() calls the callback.
 *
 *          open            run begins          run ends, not marked
 *   ┌────────────► QUEUED ───────────► RUNNING ─────────────────► IDLE
 *   │                 ▲                   │ marked                  │
 *   │                 └───────────────────┴──────── commit ◄────────┘
 *   any state ── close ──► CLOSED (end event waits) ── dispatched ──► freed
 *
 * No commit is missed: a query is registered before its first run takes its
 * snapshot, and depends on every table until a run has found out what it reads.
 */
#ifndef RSQ_STREAM_STREAMS_H
#define RSQ_STREAM_STREAMS_H

#include "exec/core.h"
#include "exec/queue.h"

typedef enum rsq_stream_state {
    RSQ_STREAM_IDLE,    /* its last result is current, as far as is known */
    RSQ_STREAM_QUEUED,  /* a worker will run it */
    RSQ_STREAM_RUNNING, /* a worker runs it */
    RSQ_STREAM_CLOSED   /* its end event waits, or nothing more */
} rsq_stream_state;

typedef struct rsq_streams {
    /* The database and each stream hold one. Release on drop, acquire by the one that frees. */
    _Atomic uint32_t refs;

    /* Any thread. Comes before a queue's and the workers' mutex; see docs/threads.md. */
    rsq_mutex mu;

    /* Under mu. */
    rsq_core *core;           /* borrowed; NULL before rsq_streams_start() and after rsq_streams_stop() */
    struct rsq_stream *first; /* those that are not closed */
} rsq_streams;

struct rsq_stream {
    /* Immutable after rsq_streams_open(). */
    rsq_streams *owner; /* owned reference */
    rsq_queue *queue;   /* owned reference */
    char *sql;          /* owned */
    size_t sql_len;
    rsq_value *params; /* owned; text and blobs behind the array */
    size_t nparams;
    rsq_stream_event_fn event; /* `ctx` is the caller's, borrowed until the end event */
    void *ctx;

    /*
     * The open handle, a job that waits or runs, and a place in the queue hold
     * one each. Release on drop, acquire by the one that frees.
     */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_stream_state state;
    bool marked; /* something it reads was committed while it ran */
    bool known;  /* `reads` is complete; else it depends on everything */
    bool unsure; /* the schema may have changed while it ran */
    rsq_names reads;
    rsq_result *pending;      /* owned: newest result, not dispatched yet */
    rsq_error *pending_error; /* owned: newest error, not dispatched yet; never both */
    bool pending_ended;       /* the error is why the stream ends */
    bool pending_end;         /* the end event waits */
    bool user_closed;         /* rsq_stream_close() was called: the handle is the stream's own again */
    bool end_lost;            /* its queue was freed: the handle waits for rsq_stream_close() */
    rsq_stream_counters counters;
    struct rsq_stream *prev, *next;

    /* The worker that runs it; there is one at a time, handed on by `state`. */
    bool delivered_once;
    rsq_result *last; /* owned reference: what was handed over last; NULL: nothing or an error */
    char *last_error; /* owned: message of the error handed over last; NULL: none */

    rsq_job job;         /* the workers' while it waits */
    rsq_queue_node node; /* the queue's while it waits */
};

/* NULL: no memory. Streams can be opened after start. */
rsq_streams *rsq_streams_new(void);
void rsq_streams_start(rsq_streams *ss, rsq_core *core);

/* Close every stream and refuse new ones; runs that are under way end in nothing. */
void rsq_streams_stop(rsq_streams *ss);
void rsq_streams_unref(rsq_streams *ss);

/* What a call gives; all of it borrowed and copied. */
typedef struct rsq_stream_spec {
    const char *sql;
    size_t sql_len;
    const rsq_value *params;
    size_t nparams;
    rsq_queue *queue;
    rsq_stream_event_fn event;
    void *ctx;
} rsq_stream_spec;

/* Register a stream and have it run for the first time. `*out` is written before any event can be dispatched.
 */
rsq_code rsq_streams_open(rsq_streams *ss, const rsq_stream_spec *spec, rsq_stream **out, rsq_error *err);

/* The commit sink. */
void rsq_streams_commit(void *streams, const rsq_changes *changes);

/* run.c: the job of one run. */
void rsq_stream_run(rsq_job *job);

/*
 * delivery.c, with the registry's mutex held: hand over the newest outcome of a
 * run, or the end, which closes the stream. What they take is transferred.
 */
void rsq_stream_emit_result_locked(rsq_stream *s, rsq_result *r);
void rsq_stream_emit_error_locked(rsq_stream *s, const rsq_error *why, bool ended);
void rsq_stream_end_locked(rsq_stream *s);

/* delivery.c: forget what waits to be dispatched, but for the end. */
void rsq_stream_drop_locked(rsq_stream *s);

/* delivery.c: rsq_queue_node.run of a stream. */
void rsq_stream_deliver(rsq_queue_node *node, bool deliver);

/* streams.c */
void rsq_stream_queue_locked(rsq_stream *s);
void rsq_stream_unref(rsq_stream *s);

#endif
