/*
 * One live query: an SQL text and its parameters, what it reads, its last
 * outcome, and the streams that are handed it. Streams with equal SQL and equal
 * parameters share one, so it runs once for all of them.
 *
 *          first stream       run begins          run ends, not marked
 *   ┌────────────► QUEUED ───────────► RUNNING ─────────────────► IDLE
 *   │                 ▲                   │ marked                  │
 *   │                 └───────────────────┴──────── commit ◄────────┘
 *   any state ── last stream leaves ──► CLOSED ── its job has ended ──► freed
 *
 * There is at most one run at a time. A commit that comes during a run, and may
 * concern the query, marks it: what the run read is still a true answer and is
 * handed over, and then the query runs again.
 */
#ifndef RSQ_STREAM_LIVE_H
#define RSQ_STREAM_LIVE_H

#include "base/names.h"
#include "exec/core.h"
#include "stream/outcome.h"

struct rsq_streams;

typedef enum rsq_live_state {
    RSQ_LIVE_IDLE,    /* its last outcome is current, as far as is known */
    RSQ_LIVE_QUEUED,  /* a worker will run it */
    RSQ_LIVE_RUNNING, /* a worker runs it */
    RSQ_LIVE_CLOSED   /* no stream is left */
} rsq_live_state;

/* What tells live queries apart: every byte of it. */
typedef struct rsq_live_key {
    const char *sql;
    size_t sql_len;
    const rsq_value *params;
    size_t nparams;
} rsq_live_key;

/* What all runs and commits added up to; streams subtract what was there when they joined. */
typedef struct rsq_live_counters {
    uint64_t woken;
    uint64_t runs;
    uint64_t suppressed;
} rsq_live_counters;

typedef struct rsq_live {
    /* Immutable after rsq_live_new(). */
    struct rsq_streams *owner; /* owned reference */
    rsq_live_key key;          /* what it points at lies behind the struct */
    uint64_t hash;             /* of the key */

    /*
     * Its streams together, and a job that waits or runs, hold one each. Release
     * on drop, acquire by the one that frees.
     */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_live_state state;
    bool marked; /* something it reads was committed while it ran */
    bool known;  /* `reads` is complete; else it depends on everything */
    bool unsure; /* the schema may have changed while it ran */
    rsq_names reads;
    rsq_live_counters counters;
    uint64_t ran_seq;             /* number of the newest commit in its last result */
    struct rsq_stream *first;     /* its streams */
    struct rsq_live *prev, *next; /* in the registry */
    struct rsq_live *chain;       /* in its bucket of the table */

    /* Written by the run, under the mutex; so the run itself reads it without. */
    rsq_outcome last;

    rsq_job job; /* the workers' while it waits */
} rsq_live;

/* A live query with copies of what the key points at, and one reference. NULL: no memory. */
rsq_live *rsq_live_new(struct rsq_streams *owner, const rsq_live_key *key, uint64_t hash);
void rsq_live_unref(rsq_live *live);

uint64_t rsq_live_key_hash(const rsq_live_key *key);
bool rsq_live_key_equal(const rsq_live_key *a, const rsq_live_key *b);

/* With the registry's mutex held. */

/* Have a worker run it. */
void rsq_live_queue_locked(rsq_live *live);

/* Something was committed that may change its answer. */
void rsq_live_wake_locked(rsq_live *live);

/* The schema may be another one: what it reads is found out anew. Wake it as well. */
void rsq_live_forget_reads_locked(rsq_live *live);

/*
 * publish.c: hand an outcome that differs from the last one to all its streams.
 *
 * A stream whose consumer is slow may have been handed an older outcome than the
 * last one, and the new one may have the same bytes as that: then it is told
 * nothing. Comparing takes time, so it is done without the mutex, before:
 *
 *   rsq_laggards_collect_locked()   the outcomes that such streams have, if any
 *   rsq_laggards_compare()          with the mutex released
 *   rsq_live_publish_locked()
 *   rsq_laggards_fini()
 */
#define RSQ_LAGGARDS_MAX 8

typedef struct rsq_laggards {
    size_t count;
    rsq_outcome handed[RSQ_LAGGARDS_MAX]; /* shared; a reference each */
    bool equal[RSQ_LAGGARDS_MAX];         /* to the outcome that is about to be published */
} rsq_laggards;

bool rsq_laggards_collect_locked(rsq_laggards *lag, const rsq_live *live);
void rsq_laggards_compare(rsq_laggards *lag, const rsq_outcome *o);
void rsq_laggards_fini(rsq_laggards *lag);

/* `o` differs from the live query's last one, and becomes it; another reference is taken. */
void rsq_live_publish_locked(rsq_live *live, const rsq_outcome *o, const rsq_laggards *lag);

/* `o` equals the last one: only streams that were handed nothing yet get it. */
void rsq_live_repeat_locked(rsq_live *live);

/* run.c: the job of one run. */
void rsq_live_run(rsq_job *job);

#endif
