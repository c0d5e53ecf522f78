/*
 * A plan: all that one episode does, as plain data that a seed was turned into
 * beforehand. So it can be run again, and run again with parts left out, which
 * is how a failure is made small.
 *
 * A plan is a list of commits, each a run of steps. What does not fit together
 * any more when parts are missing (a savepoint's end, a table that was never
 * made) is skipped, or fails as a statement; it is never an error of the plan.
 */
#ifndef ORACLE_PLAN_H
#define ORACLE_PLAN_H

#include <stdio.h>

#include "resqlite.h"

#define PARAMS_MAX 4

/* Some commits have it, and some streams skip those. */
#define ORACLE_ORIGIN 7

/* How sure the order of a query's rows is, when SQLite may choose another plan. */
typedef enum order_kind {
    ORDER_TOTAL,  /* one order is right */
    ORDER_NONE,   /* the same rows in any order */
    ORDER_CHOOSES /* which rows, or what they hold, depends on the order in which they are found */
} order_kind;

typedef struct query {
    char *sql; /* owned */
    rsq_value params[PARAMS_MAX];
    unsigned char kinds[PARAMS_MAX]; /* value_kind, for other values of the same kind */
    size_t nparams;
    order_kind order;
    uint32_t mode;        /* RSQ_STREAM_RESULT or _DIFFERENCE */
    uint32_t group;       /* 0: none */
    uint32_t skip_origin; /* 0: none */
    bool gated;           /* it calls gate() */
    size_t twin; /* of a group: it is the same as that query, counted from 1, which is in the group too; 0: it
                    is not */
    bool dropped; /* left out by the shrinker */
} query;

typedef enum step_kind {
    STEP_SQL,
    STEP_BATCH, /* `sql` with one integer parameter, once for each of `values` */
    STEP_SAVEPOINT,
    STEP_RELEASE,
    STEP_ROLLBACK_TO
} step_kind;

#define BATCH_MAX 6

typedef struct step {
    step_kind kind;
    char *sql; /* owned; NULL for savepoints */
    int64_t values[BATCH_MAX];
    size_t nvalues;
    bool dropped;
} step;

typedef enum commit_kind {
    COMMIT_ALONE,     /* each step by itself */
    COMMIT_TX,        /* one transaction */
    COMMIT_TX_UNDONE, /* the same, rolled back at the end */
    COMMIT_ASYNC,     /* all steps submitted at once: they may share a transaction */
    COMMIT_FOREIGN,   /* each step by another process */
    COMMIT_OPEN,      /* not a commit: opens the stream of query `query` */
    COMMIT_CLOSE,     /* closes it */
    COMMIT_MOVE       /* gives it other parameters */
} commit_kind;

typedef struct commit {
    commit_kind kind;
    size_t first, count; /* steps */
    size_t query;
    rsq_value params[PARAMS_MAX]; /* of COMMIT_MOVE; texts are static */
    uint32_t origin;
    bool dropped;      /* left out by the shrinker: of COMMIT_MOVE and COMMIT_CLOSE */
    bool hasty;        /* the next one comes before the streams have settled: at once, */
    unsigned after_us; /* or so much later, when some of them run */
    bool meets_run;    /* the next one comes when a query that this one woke is at the gate, if one is */
} commit;

typedef struct plan {
    uint64_t seed;
    bool analyzes;  /* statistics change, so plans may differ */
    bool attaches;  /* there is a second file, under the name "aux" */
    uint32_t flags; /* RSQ_OPEN_…: levels that are off, and whether other processes are looked for */
    query *queries;
    size_t nqueries, queries_room;
    bool gated; /* one of them */
    /* No luck is needed: each statement is waited for, and runs are met by commits at the gate only. */
    bool steady;
    step *steps;
    size_t nsteps, steps_room;
    commit *commits;
    size_t ncommits, commits_room;
} plan;

/* Fill an empty plan: a schema, live queries, and about `commits` commits. */
void plan_generate(plan *p, uint64_t seed, size_t commits);

/* What the generators add to. SQL is transferred. */
void plan_begin(plan *p, commit_kind kind);
void plan_add_step(plan *p, step_kind kind, char *sql);
step *plan_last_step(plan *p);
size_t plan_add_query(plan *p, const query *q);
void plan_add_opening(plan *p, commit_kind kind, size_t query);

/* The statements that are not dropped, as SQL with comments. Returns how many there are, queries included. */
size_t plan_print(const plan *p, size_t ncommits, FILE *out);

/* One of its commits. */
void plan_print_commit(const plan *p, size_t number, FILE *out);

/* How many statements plan_print() would print. */
size_t plan_count(const plan *p, size_t ncommits);

void plan_fini(plan *p);

#endif
