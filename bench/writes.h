/*
 * The kinds of peers of the write cases, and what they share: the jobs, and the
 * rows that exist before the clock starts.
 */
#ifndef BENCH_WRITES_H
#define BENCH_WRITES_H

#include "bench.h"
#include "raw/raw.h"

/* bench_peer.variant: one job, and how it is done in the bits above. */
enum {
    WRITE_EACH = 0,    /* single inserts, each in a transaction of its own */
    WRITE_ONE,         /* one of them; the order among threads does not count */
    WRITE_BATCH,       /* rows by one batch */
    WRITE_BATCH_IN_TX, /* the same inside a transaction */
    WRITE_WIDE,        /* a batch of rows with 20 columns */
    WRITE_UPDATE,      /* a batch of updates, one for each row of the table */
    WRITE_DIALOGUE,    /* insert, count, delete on a condition: one transaction */
    WRITE_NESTED,      /* savepoints one after the other in one transaction, an insert in each */
    WRITE_NESTED_DEEP, /* each inside the one before */
    WRITE_JOBS,
    WRITE_JOB_MASK = 0xff,

    WRITE_HOOK = 1u << 8,           /* baseline: with a preupdate hook that does nothing */
    WRITE_FULL = 1u << 9,           /* synchronous FULL */
    WRITE_NO_CHECKPOINT = 1u << 10, /* baseline: none inside a block */
    WRITE_WATCHED = 1u << 11,       /* library: 50 live queries on the table */
    WRITE_PARKED = 1u << 12,        /* asynchronous: all threads sleep beforehand */
    WRITE_TAKE_MAX = 1u << 13,      /* the longest of all commits, not the 99.9th percentile */
    WRITE_NO_GROUPS = 1u << 14,     /* library: RSQ_OPEN_NO_GROUP_COMMIT */
    WRITE_EXCLUSIVE = 1u << 15,     /* baseline: nobody else may open the file */
    WRITE_THREADS_SHIFT = 16        /* number of threads, from here up */
};

typedef struct write_job {
    const char *table;   /* makes the table and what is in it */
    const char *sql;     /* the insert, or the update */
    const char *empty;   /* before each block; NULL: the table stays as it is */
    const char *content; /* what is hashed */
} write_job;

const write_job *write_job_of(const bench_ctx *at);

#define WRITE_SQL_COUNT "SELECT count(*) FROM t"
#define WRITE_SQL_REMOVE "DELETE FROM t WHERE value = ?"
#define WRITE_VALUE 999

/*
 * With synchronous FULL the log is made as long as it will ever be before anything is timed: to sync a file
 * that grows takes twice as long, and the baseline, whose log is shorter, would be done with that sooner.
 */
#define WRITE_SQL_FILL "CREATE TABLE filler AS SELECT zeroblob(24 << 20) AS bytes"
#define WRITE_SQL_UNFILL "DROP TABLE filler"
#define WRITE_LIMIT 50

/* Make the table of the peer's job, the same file for every peer. */
bool write_make_table(const bench_ctx *at);

/* Rows that can be inserted. A multiple of every case's size. */
#define WRITE_POOL 10000
#define WRITE_NAME 16
#define WRITE_WIDE_COLUMNS (4 * RAW_QUADS)

/* For the baseline and for the library the same values. */
typedef struct write_rows {
    char names[WRITE_POOL][WRITE_NAME];
    raw_pair pairs[WRITE_POOL + 1]; /* one more, equal to the first */
    rsq_value values[WRITE_POOL * 2];
    rsq_value updates[2][WRITE_POOL * 3]; /* text, real, key; WRITE_UPDATE takes them in turn */
    raw_quad *quads;                      /* owned; WRITE_WIDE */
    rsq_value *wide;                      /* owned; WRITE_WIDE */
} write_rows;

write_rows *write_rows_new(const bench_ctx *at); /* NULL: no memory, said so */
void write_rows_free(write_rows *rows);          /* NULL is a no-op */

/* Index of the first row of an operation: operations go round the pool. */
size_t write_rows_start(const bench_ctx *at, uint64_t op);

/* ----------------------------------------------------------- the library -- */

#define WRITE_WATCHERS 50

typedef struct rsq_writer {
    const bench_ctx *at;
    write_rows *rows; /* owned */
    rsq_db *db;       /* owned */
    rsq_stream *watchers[WRITE_WATCHERS];
} rsq_writer;

void *rsq_writer_open(const bench_ctx *at);
void rsq_writer_close(void *state);
bool rsq_writer_empty(void *state);
bool rsq_writer_content(const rsq_writer *w, uint64_t *hash);
bool rsq_writer_one(const rsq_writer *w, uint64_t op); /* WRITE_ONE */

extern const bench_ops writes_rsq;

/* Asynchronous; see writes_async.c. */
extern const bench_ops writes_rsq_waiting;  /* one at a time */
extern const bench_ops writes_rsq_together; /* all of an operation at once */

/* ---------------------------------------------------------- the baseline -- */

typedef struct raw_writer raw_writer;

void *raw_writer_open(const bench_ctx *at);
void raw_writer_close(void *state);
bool raw_writer_empty(void *state);
bool raw_writer_content(const raw_writer *w, uint64_t *hash);
bool raw_writer_one(const raw_writer *w, uint64_t op); /* WRITE_ONE */

extern const bench_ops writes_raw;

/* -------------------------------------------------- several, and the tail -- */

/* WRITE_ONE by as many threads as the variant says; see writes_threads.c. */
extern const bench_ops writes_rsq_threads;

/* WRITE_ONE, every commit timed; see commits.c. */
extern const bench_ops commits_rsq;
extern const bench_ops commits_raw;

#define WRITE_ANSWER "rows"

/* Operations that a peer of WRITE_ONE hashes. */
#define WRITE_HASHED 96

#endif
