/*
 * The kinds of peers of the live query cases, and what they share: the jobs.
 *
 * A job is a table, live queries on it, and writes. The baseline has no live
 * queries: it writes, and reads anew what the program would have to show, on the
 * same thread, knowing which queries a write concerns.
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "bench.h"
#include "raw/raw.h"

/* bench_peer.variant: a job, how it is done, and how many live queries there are. */
enum {
    STREAM_COUNT = 0,      /* one count, an insert */
    STREAM_INITIAL,        /* 100 rows in order */
    STREAM_FAN_OUT,        /* counts that differ in a constant, an insert */
    STREAM_UNCHANGED,      /* windows on the first 1,000 rows and a count, an insert behind them */
    STREAM_GROWING,        /* the whole table, a batch of inserts */
    STREAM_KEYED,          /* a row each, an update of one of these rows */
    STREAM_KEYED_MISS,     /* the same, of another row */
    STREAM_KEYED_RANDOM,   /* 50 rows of 10,000, updates of any */
    STREAM_OWNER,          /* the 100 rows of an owner each, updates of any row */
    STREAM_SAME_DISJOINT,  /* equal SQL on 1,000 of 5,000 rows; updates of a column that is not read */
    STREAM_SAME_OVERLAP,   /* of one that is read */
    STREAM_RANGE_DISJOINT, /* 50 times 100 rows by key; updates of a column that is not read */
    STREAM_RANGE_OVERLAP,  /* of one that is read */
    STREAM_LONG_UNCHANGED, /* 256 rows of 4 KB; an insert behind them */
    STREAM_LONG_TEXT,      /* 64 rows of 32 KB text; an update of a number in one */
    STREAM_LONG_BLOB,      /* the same as text and blob */
    STREAM_TOP,            /* rows of a table by key, as many as the peer says; an update in the first */
    STREAM_FEED,           /* the newest 50 of 100,000; updates of any */
    STREAM_SYNC,           /* a count; 100 batches of 500 inserts, then 10 of 100 */
    STREAM_JOBS,
    STREAM_JOB_MASK = 0x3f,

    STREAM_POLL = 1u << 6,     /* library: the consumer sleeps in poll() */
    STREAM_LATER = 1u << 7,    /* library: waits at the end of an operation, not after each write */
    STREAM_SETTLE = 1u << 8,   /* library: until each query is up to date, however many events that takes */
    STREAM_NO_KEYS = 1u << 9,  /* library: RSQ_OPEN_NO_KEY_LEVEL */
    STREAM_ALL = 1u << 10,     /* baseline: reads all its queries anew, as one that does not know */
    STREAM_CPU = 1u << 11,     /* library: the figure is the time of dispatching an event */
    STREAM_LATENCY = 1u << 12, /* library: the figure is the 99th percentile from commit to event */
    STREAM_MEMORY = 1u << 13,  /* library: the figure is the memory of a live query */
    STREAM_REMAP = 1u << 14,   /* library: RSQ_OPEN_NO_KEPT_MAPPING */
    STREAMS_SHIFT = 15         /* number of live queries, from here up */
};
#define STREAMS(n) ((uint32_t)(n) << STREAMS_SHIFT)

/* Which live query a write concerns, besides an index. */
enum { STREAM_HITS_NONE = -1, STREAM_HITS_ALL = -2 };

#define STREAM_PARAMS_MAX 4

typedef struct stream_job {
    const char *tables;  /* makes them */
    const char *rows;    /* makes the rows; the case's size is its first parameter. NULL: none */
    const char *watch;   /* a live query; with `numbered`, "%u" in it is its number */
    const char *canary;  /* one more, which comes last; NULL: none */
    const char *write;   /* one write, or one row of a batch */
    const char *reset;   /* before each block; NULL: the table stays as it is */
    const char *content; /* what is hashed */
    unsigned writes;     /* of an operation */
    bool numbered;
    /* Parameters of a live query: how many. NULL: none. */
    size_t (*window)(const bench_ctx *at, size_t stream, rsq_value *params);
    /* Values of a write, or of a row of it, by its number: how many. */
    size_t (*values)(const bench_ctx *at, uint64_t write, size_t row, rsq_value *values);
    size_t (*batch)(uint64_t write); /* its rows; NULL: it is no batch */
    int64_t (*hits)(const bench_ctx *at, uint64_t write);
} stream_job;

const stream_job *stream_job_of(const bench_ctx *at);

/* Live queries of a peer, the canary included. */
size_t stream_count(const bench_ctx *at);

/* SQL of the i-th. */
#define STREAM_SQL_MAX 256
void stream_sql(const bench_ctx *at, size_t i, char sql[STREAM_SQL_MAX]);
size_t stream_params(const bench_ctx *at, size_t i, rsq_value *params);

/* Make the database of the peer's job, the same file for every peer. */
bool stream_make_tables(const bench_ctx *at);

/* Rows in a batch at most. */
#define STREAM_BATCH_MAX 500

/* An operation that no block has. */
#define STREAM_HASHED_OP ((uint64_t)1 << 34)

#define STREAM_ANSWER "rows"

/* ----------------------------------------------------------- the library -- */

typedef struct stream_peer stream_peer;

/* One live query of a peer. */
typedef struct stream_viewer {
    stream_peer *of;
    rsq_stream *stream; /* borrowed: closed with the database */
    rsq_result *newest; /* owned; kept until the answers have been hashed */
    uint64_t events;    /* it was handed */
    uint64_t due;       /* it should have been handed by now */
    uint64_t runs;      /* when the block began */
} stream_viewer;

/* A commit whose event has not come yet. */
typedef struct stream_commit {
    const stream_viewer *concerns;
    uint64_t seq;
    int64_t at_ns;
} stream_commit;

struct stream_peer {
    const bench_ctx *at;
    const stream_job *job;
    rsq_db *db;             /* owned */
    rsq_queue *queue;       /* borrowed from `db` */
    stream_viewer *viewers; /* owned */
    size_t nviewers;
    rsq_value *matrix;           /* owned; values of a batch */
    uint64_t sum;                /* over the values that were handed over */
    uint64_t events;             /* all together */
    uint64_t due;                /* all together */
    uint64_t commit_seq;         /* of the last write of an operation */
    int64_t own_ns;              /* STREAM_CPU: spent in dispatches since the block began */
    double bytes;                /* STREAM_MEMORY: of a live query */
    bool keeps;                  /* `newest` of each viewer */
    bool failed;                 /* an event that should not come */
    stream_commit *open_commits; /* owned; STREAM_LATENCY */
    size_t nopen;
    int64_t *took_ns; /* owned; STREAM_LATENCY */
    size_t ntook;
};

void *stream_open(const bench_ctx *at);
void stream_close(void *state);
bool stream_reset(void *state); /* bench_ops.prepare */

/* Dispatch what waits, after waiting for it if there is nothing. */
bool stream_turn(stream_peer *p);

/* Until every live query is up to date with that commit and its event was dispatched. */
bool stream_settle(stream_peer *p, uint64_t commit_seq);

/* Hash of what a query answers now. */
bool stream_hash_query(const stream_peer *p, const char *sql, const rsq_value *params, size_t n,
                       uint64_t *out);

/* What each live query handed over last is what the same query answers now. The answers are let go. */
bool stream_answers_are_true(stream_peer *p);

/* Runs of all live queries since they were made. */
bool stream_runs(const stream_peer *p, uint64_t *runs);

extern const bench_ops streams_rsq;
extern const bench_ops streams_rsq_none;
extern const bench_ops streams_rsq_figure;  /* STREAM_CPU, _LATENCY, _MEMORY */
extern const bench_ops streams_rsq_churn;   /* open, first event, close; see streams_churn.c */
extern const bench_ops streams_rsq_initial; /* open, first event */
extern const bench_ops streams_rsq_foreign; /* commits of another connection; see streams_foreign.c */
extern const bench_ops streams_rsq_beside;  /* the figure is a foreground read's */

/* ---------------------------------------------------------- the baseline -- */

extern const bench_ops streams_raw;
extern const bench_ops streams_raw_all;  /* STREAM_ALL */
extern const bench_ops streams_raw_read; /* reads each query once an operation, writes nothing */

#endif
