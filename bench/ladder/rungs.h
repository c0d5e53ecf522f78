/*
 * The rungs of the dispatch ladder: ways to have another thread do a piece of
 * work and to get its answer back. From a plain call, which is no dispatch at
 * all, to a pool of threads behind a queue.
 *
 * A rung has one worker for each caller, except the pools, which have
 * RUNG_POOL_WORKERS for all of them.
 */
#ifndef BENCH_LADDER_RUNGS_H
#define BENCH_LADDER_RUNGS_H

#include <stdbool.h>
#include <stdint.h>

#define RUNG_CALLERS_MAX 8
#define RUNG_POOL_WORKERS 4
#define RUNG_WORKERS_MAX 8

typedef struct rung_request rung_request;

/* Done by the worker. `worker` counts from 0: one index is never in use by two threads at once. */
typedef void (*rung_work)(rung_request *r, unsigned worker);

/*
 * One request. It belongs to the caller, is the worker's from the call until the
 * answer, and the caller's again after it.
 */
struct rung_request {
    rung_work work;
    void *ctx;
    uint64_t op; /* which of the operations */
    void *(*copy)(
        void *answer); /* NULL: the answer is handed over; else copied by the worker, and this freed */
    void *answer;      /* out: owned by the caller afterwards */
    bool ok;           /* out */
    bool timed;        /* are the next two wanted? Reading the clock costs as much as a plain call */
    int64_t began_ns, ended_ns; /* out: when the worker began and ended the work, copying not included */
};

typedef struct rung {
    const char *name;
    bool same_thread;
    /* Threads that are bound to cores: all but the one that makes a thread for each request. */
    bool bound;
    void *(*start)(unsigned callers); /* NULL: no memory or no thread */
    /* Returns when the answer is there. Thread: caller number `caller`, one at a time for each number. */
    bool (*call)(void *state, unsigned caller, rung_request *r);
    void (*stop)(void *state); /* accepts what start() left behind half-way */
} rung;

extern const rung *const rungs[];
extern const unsigned rungs_count;

/* By name; NULL if there is none. */
const rung *rung_find(const char *name);

#endif
