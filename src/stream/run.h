/*
 * One run of a live query, from its begin to its end. A live query by itself is
 * run by rsq_live_run(), those of a group by group.c, in one snapshot.
 *
 * Thread: a worker's, which is the only one that runs that live query.
 */
#ifndef RSQ_STREAM_RUN_H
#define RSQ_STREAM_RUN_H

#include "stream/live.h"

typedef struct rsq_run {
    rsq_live *live;  /* an owned reference */
    bool find_reads; /* what the query reads is not known */
    bool compiled;   /* the SQL made sense to SQLite */
    rsq_code code;
    uint64_t seq;         /* the newest commit in the snapshot; 0: there was none */
    rsq_depends *depends; /* owned reference; if it was asked for */
    rsq_outcome outcome;  /* owned reference */
    rsq_reason why;       /* owned; for which it is run */
    bool compared;        /* the result is the last one itself, or another one */
    bool repeated;        /* the outcome equals the last one */
} rsq_run;

/* The live query, which is queued, idle or waits, runs from here on. Takes ownership of a reference. */
void rsq_run_begin_locked(rsq_run *r, rsq_live *live);

/* Read the answer in the snapshot that is open. */
void rsq_run_read(rsq_run *r, rsq_conn *conn);

/* There is no snapshot to read it in. */
void rsq_run_fail(rsq_run *r, rsq_code code, const rsq_error *err);

/* Is the outcome the last one once more? With no lock held. */
void rsq_run_compare(rsq_run *r);

/* The run has ended, unless the live query has: learn, hand over, and see when it runs again. */
void rsq_run_end_locked(rsq_run *r, const rsq_comparisons *c);

void rsq_run_fini(rsq_run *r);

static inline rsq_request rsq_run_request(const rsq_live *live)
{
    const rsq_live_key *key = &live->key;

    return (rsq_request){.sql = key->sql,
                         .sql_len = key->sql_len,
                         .params = key->params,
                         .nparams = key->nparams,
                         .json = key->traits.json};
}

#endif
