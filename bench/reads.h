/* The kinds of peers of the read cases. */
#ifndef BENCH_READS_H
#define BENCH_READS_H

#include "bench.h"

/* Bits of bench_peer.variant. */
enum {
    READ_ACCESSORS = 1u << 0,   /* library: cells through the accessors */
    READ_NOT_KEPT = 1u << 1,    /* library: RSQ_OPEN_NO_KEPT_SNAPSHOTS */
    READ_IN_TX = 1u << 2,       /* baseline: in a read transaction that is already open */
    READ_TYPED = 1u << 3,       /* baseline: knows the columns' types and does not ask */
    READ_TWO_THREADS = 1u << 4, /* the operations of a block are shared out to two threads */
    READ_NUMBERED = 1u << 5,    /* one text of items_sql_numbered() */
    READ_ROTATION = 1u << 6,    /* all texts of items_sql_numbered(), in turn */
    READ_MUTEXES = 1u << 7,     /* baseline: with SQLite's own mutexes */
    READ_EXCLUSIVE = 1u << 8    /* baseline: nobody else may open the file */
};

/* The library; see reads_rsq.c. */
extern const bench_ops reads_rsq_rows;
extern const bench_ops reads_rsq_json;
extern const bench_ops reads_rsq_point;
extern const bench_ops reads_rsq_point_heap; /* counts heap allocations, SQLite's too */

/* The baseline; see reads_raw.c. */
extern const bench_ops reads_raw_rows;
extern const bench_ops reads_raw_json1;
extern const bench_ops reads_raw_point;

/* What peers of equal answer hash; see bench_ops.answer. */
#define READS_ANSWER_ROWS "rows"
#define READS_ANSWER_JSON "json"
#define READS_ANSWER_POINTS "points"

#endif
