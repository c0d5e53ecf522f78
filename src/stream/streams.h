/*
 * Live queries: the registry of those that are open, and what becomes of them
 * when something is committed.
 *
 *   1. commit   the writer's thread, turn held: rsq_streams_commit() compares
 *               what changed with what each live query reads.
 *   2. wake     one that may have changed is queued for a worker; one that runs
 *               just then is marked, and runs again. See live.h.
 *   3. run      a worker leases a reader, whose snapshot is at least as new as
 *               the commit, and runs the SQL. See run.c.
 *   4. compare  equal bytes as before: nothing happens.
 *   5. publish  the outcome goes to each stream of the live query. See publish.c.
 *   6. deliver  it waits in the stream, newest only, and the stream waits in its
 *               queue; rsq_queue_dispatch() calls the callback. See stream.h.
 *
 * No commit is missed: a live query is registered before its first run takes its
 * snapshot, and depends on every table until a run has found out what it reads.
 * A stream that joins later is handed the last outcome at once if the query is
 * idle: nothing that could change it was committed since it ran.
 */
#ifndef RSQ_STREAM_STREAMS_H
#define RSQ_STREAM_STREAMS_H

#include "exec/core.h"
#include "exec/queue.h"
#include "stream/foreign.h"
#include "stream/live.h"
#include "stream/schedule.h"
#include "stream/table.h"

struct rsq_group;

typedef struct rsq_streams {
    /* The file's handles together, each live query and each stream hold one. Release on drop, acquire by the
     * one that frees. */
    _Atomic uint32_t refs;

    /* Any thread. Comes before a queue's and the workers' mutex; see docs/threads.md. */
    rsq_mutex mu;

    /* Under mu. */
    rsq_core *core;  /* borrowed; NULL before rsq_streams_start() and after rsq_streams_stop() */
    rsq_live *first; /* those that are not closed */
    rsq_live_table table;
    struct rsq_group *groups; /* that have members; borrowed from them */
    rsq_schedule schedule;
    rsq_index index;        /* of all that are not closed, by what they read */
    uint64_t told_seq;      /* number of the newest commit that was told */
    size_t open;            /* streams that are not closed */
    uint64_t emitted;       /* results, to all streams there were */
    rsq_live_counters gone; /* of live queries that have ended */

    uint32_t check_every; /* commits between two self-checks; 0: none are made */
    uint32_t unchecked;   /* since the last one */
    bool watches;         /* foreign commits are looked for while there are streams */
    int64_t look_ns;      /* when; RSQ_NO_DEADLINE: not at all */

    /* The timer's thread; see foreign.h. */
    rsq_foreign foreign;

    /* The timer's while it is there: due when the first of the schedule is, or it is time to look. */
    rsq_timer_entry clock;
} rsq_streams;

/* NULL: no memory. Streams can be opened after start. */
rsq_streams *rsq_streams_new(void);
void rsq_streams_start(rsq_streams *ss, rsq_core *core, uint32_t check_every);

/* Close every stream of a client that closes; runs that are under way end in nothing. */
void rsq_streams_close_all(rsq_streams *ss, const rsq_client *client);

/* The core goes; with no client left. Waits for the timer if it is just looking. */
void rsq_streams_stop(rsq_streams *ss);
void rsq_streams_unref(rsq_streams *ss);

/* What a call gives; all of it borrowed and copied. */
typedef struct rsq_stream_spec {
    rsq_live_key key;
    const rsq_client *client;
    rsq_queue *queue;
    uint32_t mode;           /* RSQ_STREAM_… */
    const char *const *keys; /* names of columns; `nkeys` of them */
    size_t nkeys;
    rsq_stream_event_fn event;
    void *ctx;
} rsq_stream_spec;

/* Open a stream, on the live query that there is or on a new one. `*out` is written before any event can be
 * dispatched. */
rsq_code rsq_streams_open(rsq_streams *ss, const rsq_stream_spec *spec, rsq_stream **out, rsq_error *err);

/* Give a stream other parameters. RSQ_OK, RSQ_ECLOSED, RSQ_ENOMEM; on failure it stays as it was. */
rsq_code rsq_streams_move(rsq_streams *ss, rsq_stream *s, const rsq_value *params, size_t nparams,
                          rsq_error *err);

/* How many live queries there are, and streams on them; and what all of them did since the file was opened,
 * those that have ended too. */
typedef struct rsq_streams_figures {
    size_t queries, streams;
    rsq_live_counters lives;
    uint64_t emitted;
} rsq_streams_figures;

/* Looks at each of them. */
void rsq_streams_count(rsq_streams *ss, rsq_streams_figures *out);

/* The commit sink. */
void rsq_streams_commit(void *streams, const rsq_changes *changes);

/* The newest commit that was told. */
uint64_t rsq_streams_told(rsq_streams *ss);

/* With the mutex held: have a live query run at a certain time. */
void rsq_streams_schedule_locked(rsq_streams *ss, rsq_live *live, int64_t due_ns);

/* With the mutex held: a live query whose last stream has left. Drops the streams' reference. */
void rsq_streams_remove_locked(rsq_streams *ss, rsq_live *live);

#endif
