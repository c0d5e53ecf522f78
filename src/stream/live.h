/*
 * One live query: an SQL text and its parameters, what it reads, its last
 * outcome, and the streams that are handed it. Streams with equal SQL, equal
 * parameters and equal traits share one, so it runs once for all of them.
 *
 *          first stream       run begins          run ends, not marked
 *   ┌────────────► QUEUED ───────────► RUNNING ─────────────────► IDLE
 *   │               ▲  ▲                  │ marked                  │
 *   │   its time or │  └──────────────────┴──────── commit ◄────────┤
 *   │   a new stream│                     ▼ too soon                │
 *   │               └───────────────── WAITING ◄────────────────────┘
 *   any state ── last stream leaves ──► CLOSED ── its job has ended ──► freed
 *
 * There is at most one run at a time. A commit that comes during a run, and may
 * concern the query, marks it: what the run read is still a true answer and is
 * handed over, and then the query runs again.
 */
#ifndef RSQ_STREAM_LIVE_H
#define RSQ_STREAM_LIVE_H

#include "exec/core.h"
#include "stream/index.h"
#include "stream/outcome.h"

struct rsq_streams;
struct rsq_group;

/* How soon it is run: those that one commit concerns go before those that must all be looked at. */
typedef enum rsq_urgency { RSQ_URGENT, RSQ_PATIENT } rsq_urgency;

typedef enum rsq_live_state {
    RSQ_LIVE_IDLE,    /* its last outcome is current, as far as is known */
    RSQ_LIVE_WAITING, /* it will run, but its last run was begun too short a time ago */
    RSQ_LIVE_QUEUED,  /* a worker will run it */
    RSQ_LIVE_RUNNING, /* a worker runs it */
    RSQ_LIVE_CLOSED   /* no stream is left */
} rsq_live_state;

/* What else tells live queries apart, when and how they are run. Compared as bytes: no holes. */
typedef struct rsq_live_traits {
    uint32_t shape; /* rsq_shape */
    uint32_t json;  /* RSQ_JSON_… */
    uint32_t flags; /* RSQ_STREAM_VOLATILE */
    uint32_t min_interval_ms;
    uint32_t refresh_ms;
    uint32_t skip_origin;
    uint32_t group;
    uint32_t client; /* with a group: whose it is, since the numbers are of one handle; else 0 */
} rsq_live_traits;

/* What tells live queries apart: every byte of it. */
typedef struct rsq_live_key {
    const char *sql;
    size_t sql_len;
    const rsq_value *params;
    size_t nparams;
    rsq_live_traits traits;
} rsq_live_key;

/* What all runs and commits added up to; streams subtract what was there when they joined. */
typedef struct rsq_live_counters {
    uint64_t woken;
    uint64_t runs;
    uint64_t suppressed;
    uint64_t skipped;
    uint64_t checks;
    uint64_t missed;
    rsq_index_spared spared; /* only in a copy: the index counts */
} rsq_live_counters;

typedef struct rsq_live {
    /* Immutable after rsq_live_new(). */
    struct rsq_streams *owner; /* owned reference */
    struct rsq_group *group;   /* owned reference; NULL: it runs by itself */
    rsq_live_key key;          /* what it points at lies behind the struct */
    uint64_t hash;             /* of the key */

    /*
     * Its streams together, and a job that waits or runs, hold one each. Release
     * on drop, acquire by the one that frees.
     */
    _Atomic uint32_t refs;

    /* Any thread, under the registry's mutex. */
    rsq_live_state state;
    bool marked;         /* something it reads was committed while it ran */
    bool checking;       /* it is queued or runs because of a self-check, and nothing has woken it since */
    bool known;          /* `depends` is what it reads; else it depends on everything */
    bool unsure;         /* the schema may have changed while it ran */
    uint32_t backoff_ms; /* after an error that may pass: when it is tried again; 0: there was none */
    uint64_t run_seq;    /* the newest commit in the snapshot of its last run; 0: not known */
    uint64_t
        behind_seq; /* the newest commit left out since its last run began, because of its origin; 0: none */
    uint64_t why_seq;      /* the oldest commit that `entry.why` tells of; 0: it tells of none */
    int64_t began_ns;      /* its last run; 0: none yet. Kept if there is a min_interval_ms */
    int64_t due_ns;        /* when it is run, if it has a place in the schedule */
    size_t place;          /* in the schedule, from 1; 0: none */
    rsq_depends *depends;  /* shared reference; NULL: never known */
    rsq_index_entry entry; /* in the registry's index, unless it is closed */
    rsq_live_counters counters;
    struct rsq_stream *first;     /* its streams */
    struct rsq_live *prev, *next; /* in the registry */
    struct rsq_live *chain;       /* in its bucket of the table */
    struct rsq_live *group_next;  /* in its group */

    /* Written by the run, under the mutex; so the run itself reads it without. */
    rsq_outcome last;

    rsq_job job; /* the workers' while it waits */
} rsq_live;

/* A live query with copies of what the key points at, and one reference. NULL: no memory. */
rsq_live *rsq_live_new(struct rsq_streams *owner, struct rsq_group *group, const rsq_live_key *key,
                       uint64_t hash);
void rsq_live_unref(rsq_live *live);

uint64_t rsq_live_key_hash(const rsq_live_key *key);
bool rsq_live_key_equal(const rsq_live_key *a, const rsq_live_key *b);

/* With the registry's mutex held. */

/* Was a commit left out that its last answer does not hold? While it runs: it may be. */
static inline bool rsq_live_is_behind_locked(const rsq_live *live)
{
    return live->behind_seq > live->run_seq;
}

/* Have a worker run it now: it is idle or waits. */
void rsq_live_queue_locked(rsq_live *live, rsq_urgency urgency);

/* The same, or not before it may run again. */
void rsq_live_queue_in_time_locked(rsq_live *live, rsq_urgency urgency);

/* It is queued, but there was no memory to run it: try again in a moment. */
void rsq_live_postpone_locked(rsq_live *live);

/*
 * One more reason to run it, of a commit with that number; 0: of none, or it is not known which. What the
 * index found has been added by it already. `tables`: borrowed; NULL: none more.
 */
void rsq_live_note_locked(rsq_live *live, uint32_t rules, rsq_table_set *tables, uint64_t seq);

/* The reasons so far, which the run that begins takes along. Transferred. */
rsq_reason rsq_live_take_why_locked(rsq_live *live);

/* Something was committed that may change its answer. */
void rsq_live_wake_locked(rsq_live *live, rsq_urgency urgency);

/* The same, with an origin whose commits it leaves out. */
void rsq_live_skip_locked(rsq_live *live, uint64_t commit_seq);

/* What it reads, of which the reference is taken over; NULL: not known, so everything. */
void rsq_live_set_reads_locked(rsq_live *live, rsq_depends *depends);

/* A commit concerns it not: if it is idle, run it to see whether that is so. */
void rsq_live_check_locked(rsq_live *live);

/* The schema may be another one: what it reads is found out anew. Wake it as well. */
void rsq_live_forget_reads_locked(rsq_live *live);

/*
 * publish.c: hand an outcome that differs from the last one to all its streams.
 *
 * A stream whose consumer is slow may have been handed an older outcome than the
 * last one, and the new one may have the same bytes as that: then it is told
 * nothing. And streams may want the difference to what they were handed.
 * Comparing takes time, so it is done without the mutex, before:
 *
 *   rsq_comparisons_collect_locked()   what streams were handed
 *   rsq_comparisons_run()              with the mutex released
 *   rsq_live_publish_locked()
 *   rsq_comparisons_fini()
 *
 * What was not compared here, because it was too much or has changed meanwhile,
 * is compared by the dispatch.
 */
#define RSQ_LAGGARDS_MAX 8
#define RSQ_DIFFS_MAX 8

/* One difference that streams want. */
typedef struct rsq_wanted_diff {
    rsq_result *before;      /* owned reference */
    struct rsq_columns *key; /* owned reference; NULL: the result's own */
    struct rsq_diff *diff;   /* owned reference; NULL: not computed */
} rsq_wanted_diff;

typedef struct rsq_comparisons {
    size_t laggards;
    rsq_outcome handed[RSQ_LAGGARDS_MAX]; /* shared; a reference each */
    bool equal[RSQ_LAGGARDS_MAX];         /* to the outcome that is about to be published */
    size_t diffs;
    rsq_wanted_diff wanted[RSQ_DIFFS_MAX];
} rsq_comparisons;

/* False: there is nothing to compare. */
bool rsq_comparisons_collect_locked(rsq_comparisons *c, const rsq_live *live);
void rsq_comparisons_run(rsq_comparisons *c, const rsq_outcome *o);
void rsq_comparisons_fini(rsq_comparisons *c);

/* `o` differs from the live query's last one, and becomes it; another reference is taken. `why` is borrowed.
 */
void rsq_live_publish_locked(rsq_live *live, const rsq_outcome *o, const rsq_reason *why,
                             const rsq_comparisons *c);

/* `o` equals the last one: only streams that were handed nothing yet get it. */
void rsq_live_repeat_locked(rsq_live *live);

/* run.c: the job of one run. */
void rsq_live_run(rsq_job *job);

#endif
