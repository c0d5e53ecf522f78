/*
 * Worker threads and the line of jobs they take from, first in first out. A
 * patient job lets others go first, but not for ever: after some of them it is
 * its turn.
 *
 * One worker without work looks for some for a while before it sleeps, so that a
 * job that comes soon costs no system call; the others sleep at once.
 *
 * A job is a struct of its owner's, linked here while it waits: submitting
 * allocates nothing and cannot fail. A thread is started when a job finds none
 * idle, up to a limit; the first is started by rsq_workers_ensure(), which can fail.
 */
#ifndef RSQ_EXEC_WORKERS_H
#define RSQ_EXEC_WORKERS_H

#include <stdatomic.h>

#include "plat/thread.h"
#include "resqlite.h"

#define RSQ_WORKERS_MAX 64

typedef struct rsq_job {
    void (*run)(struct rsq_job *job); /* on a worker thread, exactly once per submit */
    struct rsq_job *next;             /* the line's */
    const void *owner;                /* whose it is, for rsq_workers_finish(); NULL: nobody's alone */
} rsq_job;

/* Jobs in the order in which they came. */
typedef struct rsq_jobs {
    rsq_job *first, *last;
} rsq_jobs;

/* A worker that runs a job, on its stack. */
typedef struct rsq_busy {
    const void *owner; /* the job's */
    struct rsq_busy *next, **link;
} rsq_busy;

typedef struct rsq_workers {
    /* Any thread, under mu. */
    rsq_mutex mu;
    rsq_cond work;
    rsq_cond ended; /* a job has, and somebody waits for that */
    rsq_jobs urgent, patient;
    rsq_busy *busy;
    unsigned finishers; /* wait for `ended` */
    unsigned passed_by; /* urgent jobs taken in a row while a patient one waited */
    unsigned spinning;  /* looks for a job, awake; at most one does */
    unsigned idle;      /* asleep, or signalled and not awake yet */
    unsigned signalled; /* of those: sure to look for a job */
    unsigned starting;  /* threads that have not looked for their first job yet, and will */
    unsigned started;
    int64_t called_ns; /* when somebody asleep was signalled last */
    bool stopping;

    /* Jobs that wait. Written under mu; read without by the one that spins, who then takes mu. */
    _Atomic size_t waiting;

    /* Immutable. */
    unsigned max;
    bool no_spin; /* RSQ_OPEN_NO_SPIN */

    rsq_thread threads[RSQ_WORKERS_MAX]; /* written under mu while starting; joined after stop */
} rsq_workers;

/* `flags`: RSQ_OPEN_… */
void rsq_workers_init(rsq_workers *ws, unsigned max, uint32_t flags);

/* Have at least one thread. RSQ_OK or RSQ_ENOMEM. */
rsq_code rsq_workers_ensure(rsq_workers *ws, rsq_error *err);

/* After rsq_workers_ensure(). The job is transferred until it runs. */
void rsq_workers_submit(rsq_workers *ws, rsq_job *job);

/* The same for a job that lets others go first. */
void rsq_workers_submit_patient(rsq_workers *ws, rsq_job *job);

/*
 * Run what waits of an owner on the calling thread, and wait for what runs of
 * it. Nothing of it is submitted any more, but by its own jobs.
 */
void rsq_workers_finish(rsq_workers *ws, const void *owner);

/* Jobs that wait, and that run. */
void rsq_workers_count(rsq_workers *ws, size_t *waiting, size_t *running);

/* Run what waits, end the threads and wait for them. */
void rsq_workers_fini(rsq_workers *ws);

#endif
