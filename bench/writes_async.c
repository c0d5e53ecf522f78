/*
 * Asynchronous writes; see writes.h.
 *
 * The asking thread and the writer's thread have a core each. Awake means that
 * both have just worked: the writer's thread looks for work for up to 100 us
 * before it sleeps, and the asking thread waits in rsq_queue_wait() or
 * rsq_op_wait(), which look for a while too. Parked means that the asking thread
 * stays away for a millisecond before each operation, not timed, so the writer's
 * thread sleeps, and that it then waits in poll() of the queue's descriptor.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep() */

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "cores.h"
#include "writes.h"

#define PARK_NS 1000000

typedef struct submitter {
    rsq_writer *w; /* owned */
    rsq_queue *queue;
    rsq_op_options opts;
    size_t done;
    rsq_code code; /* of the first that failed */
} submitter;

static void on_done(rsq_op *op, void *ctx)
{
    submitter *s = ctx;
    rsq_code rc = rsq_op_status(op);

    s->done++;
    if (s->code == RSQ_OK)
        s->code = rc;
}

static void submitter_close(void *state)
{
    submitter *s = state;

    if (s->w)
        rsq_writer_close(s->w);
    free(s);
}

static void *submitter_open(const bench_ctx *at)
{
    submitter *s = calloc(1, sizeof *s);

    if (!s) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    s->w = rsq_writer_open(at);
    if (!s->w) {
        submitter_close(s);
        return NULL;
    }
    s->queue = rsq_queue_default(s->w->db);
    s->opts = (rsq_op_options){.size = sizeof s->opts, .done = on_done, .ctx = s};
    return s;
}

static const rsq_value *row_of(const submitter *s, uint64_t op, size_t i)
{
    return &s->w->rows->values[2 * (write_rows_start(s->w->at, op) + i)];
}

static bool failed(const submitter *s, rsq_code rc)
{
    return bench_fail(s->w->at, "insert: %s", rsq_code_name(rc));
}

static bool each_waiting(submitter *s, uint64_t op)
{
    for (size_t i = 0; i < s->w->at->of->size; i++) {
        rsq_op *insert;
        rsq_code rc =
            rsq_execute_async(s->w->db, write_job_of(s->w->at)->sql, row_of(s, op, i), 2, NULL, &insert);

        if (rc == RSQ_OK) {
            (void)rsq_op_wait(insert, UINT32_MAX);
            rc = rsq_op_status(insert);
            rsq_op_free(insert);
        }
        if (rc != RSQ_OK)
            return failed(s, rc);
    }
    return true;
}

static bool await(const submitter *s)
{
    struct pollfd fd = {.fd = rsq_queue_fd(s->queue), .events = POLLIN};

    if (s->w->at->peer->variant & WRITE_PARKED)
        return poll(&fd, 1, -1) == 1;
    return rsq_queue_wait(s->queue, UINT32_MAX) == RSQ_OK;
}

static bool all_together(submitter *s, uint64_t op)
{
    rsq_code rc = RSQ_OK;

    s->done = 0;
    s->code = RSQ_OK;
    for (size_t i = 0; i < s->w->at->of->size && rc == RSQ_OK; i++)
        rc = rsq_execute_async(s->w->db, write_job_of(s->w->at)->sql, row_of(s, op, i), 2, &s->opts, NULL);
    while (s->done < s->w->at->of->size && rc == RSQ_OK) {
        if (!await(s))
            return bench_fail(s->w->at, "wait for the queue");
        rc = rsq_queue_dispatch(s->queue, 0, NULL);
    }
    if (rc == RSQ_OK)
        rc = s->code;
    return rc == RSQ_OK || failed(s, rc);
}

/* Time enough for all threads to fall asleep. */
static void park(bench_block *b)
{
    struct timespec a_while = {.tv_nsec = PARK_NS};
    int64_t started = bench_now_ns();

    nanosleep(&a_while, NULL);
    b->paused_ns += bench_now_ns() - started;
}

static bool run(submitter *s, bool (*once)(submitter *, uint64_t), bench_block *b)
{
    bool ok = true;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count && ok; i++) {
        if (s->w->at->peer->variant & WRITE_PARKED)
            park(b);
        ok = once(s, b->first + i);
        b->sum += s->w->at->of->size;
    }
    bench_core_leave();
    return ok;
}

static bool waiting_run(void *state, bench_block *b)
{
    return run(state, each_waiting, b);
}

static bool together_run(void *state, bench_block *b)
{
    return run(state, all_together, b);
}

static bool submitter_empty(void *state)
{
    const submitter *s = state;

    return rsq_writer_empty(s->w);
}

/* The writer's thread inherits the core of the thread that makes the first call. */
static bool hash(submitter *s, bool (*once)(submitter *, uint64_t), uint64_t *out)
{
    bool ok = rsq_writer_empty(s->w);

    bench_core_take(1);
    ok = ok && once(s, 0);
    bench_core_leave();
    return ok && rsq_writer_content(s->w, out);
}

static bool waiting_hash(void *state, uint64_t *out)
{
    return hash(state, each_waiting, out);
}

static bool together_hash(void *state, uint64_t *out)
{
    return hash(state, all_together, out);
}

const bench_ops writes_rsq_waiting = {
    .answer = WRITE_ANSWER,
    .open = submitter_open,
    .prepare = submitter_empty,
    .run = waiting_run,
    .hash = waiting_hash,
    .close = submitter_close,
};

const bench_ops writes_rsq_together = {
    .answer = WRITE_ANSWER,
    .open = submitter_open,
    .prepare = submitter_empty,
    .run = together_run,
    .hash = together_hash,
    .close = submitter_close,
};
