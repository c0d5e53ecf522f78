/*
 * Asynchronous read cases: what a read on a worker costs the thread that asks for
 * it, and what the way there and back adds.
 *
 * The workers are awake throughout, as the goals say: a block begins with a read
 * that is not counted. The asking thread and the worker have a core each.
 */
#include "bench.h"

#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "items.h"
#include "reads.h"

#define SQL_SOME "SELECT * FROM items LIMIT ?"
/* The same, but it takes about as long as MANY rows do. */
#define SQL_SLOWLY                                                                     \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) " \
    "SELECT * FROM items WHERE (SELECT count(*) FROM c) > 0 LIMIT ?"

/* How many rows the peers of the case `caller` read. */
enum { FEW = 10, MANY = 20000 };

/* bench_peer.variant */
enum {
    ASYNC_FEW = 0,
    ASYNC_FEW_SLOWLY,
    ASYNC_MANY,
    ASYNC_BLOCKING, /* rsq_select(), to compare with */
    ASYNC_WAIT,     /* rsq_op_wait() */
    ASYNC_QUEUE     /* rsq_queue_wait() and a callback */
};

typedef struct asker {
    const bench_ctx *at;
    rsq_db *db;       /* owned */
    rsq_queue *queue; /* borrowed from `db` */
    rsq_op_options opts;
    rsq_result *result; /* owned; what the callback took */
    rsq_code code;      /* how the last op ended */
} asker;

/*
 * Of every op, none of which is asked for at its submission: it goes when this
 * returns. The result is kept for the visit, which is not part of what is measured.
 */
static void on_done(rsq_op *op, void *ctx)
{
    asker *a = ctx;

    a->code = rsq_op_status(op);
    a->result = rsq_op_take_result(op);
}

static void asker_close(void *state)
{
    asker *a = state;

    rsq_close(a->db);
    free(a);
}

static void *asker_open(const bench_ctx *at)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    asker *a = calloc(1, sizeof *a);
    rsq_error err;
    rsq_code rc;

    if (!a) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    a->at = at;
    a->opts = (rsq_op_options){.size = sizeof a->opts, .done = on_done, .ctx = a};
    /* One worker, so that a read that is asked for while another one runs starts no second thread. */
    opts.readers = 1;
    if (!items_make(at, at->of->size))
        goto fail;
    rc = rsq_open(at->path, &opts, &a->db, &err);
    if (rc != RSQ_OK) {
        bench_fail_code(at, "open", rc, &err);
        goto fail;
    }
    a->queue = rsq_queue_default(a->db);
    return a;

fail:
    asker_close(a);
    return NULL;
}

static void drop(asker *a)
{
    rsq_result_unref(a->result);
    a->result = NULL;
}

/* --------------------------------------------------- the asking thread's time -- */

/* This thread does not sleep while it waits. */
static rsq_code wait_awake(rsq_queue *q)
{
    rsq_code rc;

    while ((rc = rsq_queue_wait(q, 0)) == RSQ_ETIMEOUT)
        ;
    return rc;
}

/* Ask for a read. `*own_ns`: time of this thread in the call. */
static bool submit(asker *a, int64_t *own_ns)
{
    const char *sql = a->at->peer->variant == ASYNC_FEW_SLOWLY ? SQL_SLOWLY : SQL_SOME;
    rsq_value rows = rsq_integer(a->at->peer->variant == ASYNC_MANY ? MANY : FEW);
    int64_t started = bench_now_ns();
    rsq_code rc = rsq_select_async(a->db, sql, &rows, 1, &a->opts, NULL);

    *own_ns = bench_now_ns() - started;
    return rc == RSQ_OK || bench_fail(a->at, "submit: %s", rsq_code_name(rc));
}

/* Wait for the oldest read and dispatch it. `*own_ns`: time of this thread in the dispatch. */
static bool finish(asker *a, int64_t *own_ns)
{
    size_t dispatched = 0;
    rsq_code rc = wait_awake(a->queue);
    int64_t started = bench_now_ns();

    if (rc == RSQ_OK)
        rc = rsq_queue_dispatch(a->queue, 1, &dispatched);
    *own_ns = bench_now_ns() - started;
    if (rc == RSQ_OK && dispatched == 1)
        rc = a->code;
    return rc == RSQ_OK || bench_fail(a->at, "read: %s", rsq_code_name(rc));
}

/* Instead of a visit, after which this thread would find cold caches. */
static uint64_t look_at(const rsq_result *r)
{
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);

    return (uint64_t)cells[(rows - 1) * columns].as.i;
}

/*
 * The submission and the dispatch are counted (the callback takes the result, the
 * op is freed), by two readings of the clock each. Neither waits, so their time is
 * processor time. There is always one read asked for while another one runs, so
 * the worker does not fall asleep.
 *
 * A thread that comes back to the library after the milliseconds of a long read
 * takes several times as long for the same instructions, however many rows there
 * are. So the large result is compared with a small one that took as long.
 */
static bool caller_run(void *state, bench_block *b)
{
    asker *a = state;
    int64_t sum_ns = 0;
    int64_t ns;
    bool ok;

    bench_core_take(0);
    /* The first one wakes the worker. */
    ok = submit(a, &ns) && finish(a, &ns);
    drop(a);
    ok = ok && submit(a, &ns);
    for (uint64_t i = 0; i < b->count && ok; i++) {
        ok = submit(a, &ns);
        sum_ns += ns;
        ok = ok && finish(a, &ns);
        sum_ns += ns;
        if (ok)
            b->sum += look_at(a->result);
        drop(a);
    }
    ok = ok && finish(a, &ns);
    drop(a);
    bench_core_leave();
    b->figure = (double)sum_ns / 1000.0;
    return ok;
}

/* The worker inherits the core of the thread that makes the first asynchronous call. */
static bool start_worker(asker *a)
{
    int64_t ns;
    bool ok;

    bench_core_take(1);
    ok = submit(a, &ns) && finish(a, &ns);
    bench_core_leave();
    return ok;
}

static bool caller_hash(void *state, uint64_t *hash)
{
    asker *a = state;
    bool ok = start_worker(a);

    if (ok)
        *hash = cells_hash(a->result, HASH_START);
    drop(a);
    return ok;
}

static const bench_ops few_ops = {
    .answer = "10 rows",
    .own_figure = true,
    .open = asker_open,
    .run = caller_run,
    .hash = caller_hash,
    .close = asker_close,
};

static const bench_ops many_ops = {
    .answer = "20000 rows",
    .own_figure = true,
    .open = asker_open,
    .run = caller_run,
    .hash = caller_hash,
    .close = asker_close,
};

/* ----------------------------------------------------------- the way and back -- */

static bool read_blocking(asker *a, const rsq_value *key)
{
    rsq_error err;
    rsq_code rc = rsq_select(a->db, ITEMS_SQL_KEY, key, 1, NULL, &a->result, &err);

    return rc == RSQ_OK || bench_fail_code(a->at, "select", rc, &err);
}

static bool read_waiting(asker *a, const rsq_value *key)
{
    rsq_op *op;
    rsq_code rc = rsq_select_async(a->db, ITEMS_SQL_KEY, key, 1, NULL, &op);

    if (rc == RSQ_OK) {
        (void)rsq_op_wait(op, UINT32_MAX);
        a->result = rsq_op_take_result(op);
        rc = a->result ? RSQ_OK : rsq_op_status(op);
        rsq_op_free(op);
    }
    return rc == RSQ_OK || bench_fail(a->at, "read: %s", rsq_code_name(rc));
}

static bool read_queued(asker *a, const rsq_value *key)
{
    rsq_code rc = rsq_select_async(a->db, ITEMS_SQL_KEY, key, 1, &a->opts, NULL);

    if (rc == RSQ_OK)
        rc = rsq_queue_wait(a->queue, UINT32_MAX);
    if (rc == RSQ_OK)
        rc = rsq_queue_dispatch(a->queue, 1, NULL);
    if (rc == RSQ_OK)
        rc = a->code;
    return rc == RSQ_OK || bench_fail(a->at, "read: %s", rsq_code_name(rc));
}

static bool read_point(asker *a, uint64_t op)
{
    rsq_value key = rsq_integer((int64_t)(op % a->at->of->size) + 1);

    switch (a->at->peer->variant) {
    case ASYNC_WAIT:
        return read_waiting(a, &key);
    case ASYNC_QUEUE:
        return read_queued(a, &key);
    default:
        return read_blocking(a, &key);
    }
}

static bool point_run(void *state, bench_block *b)
{
    asker *a = state;
    bool ok = true;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count && ok; i++) {
        ok = read_point(a, b->first + i);
        if (ok)
            b->sum = cells_visit(a->result, b->sum);
        drop(a);
    }
    bench_core_leave();
    return ok;
}

/* Wakes the worker. */
static bool point_prepare(void *state)
{
    asker *a = state;
    bool ok = read_point(a, 0);

    drop(a);
    return ok;
}

static bool point_hash(void *state, uint64_t *hash)
{
    asker *a = state;
    bool ok = start_worker(a);

    drop(a);
    *hash = HASH_START;
    for (size_t i = 0; i < a->at->of->size && ok; i++) {
        ok = read_point(a, i);
        if (ok)
            *hash = cells_hash(a->result, *hash);
        drop(a);
    }
    return ok;
}

static const bench_ops point_ops = {
    .answer = READS_ANSWER_POINTS,
    .open = asker_open,
    .prepare = point_prepare,
    .run = point_run,
    .hash = point_hash,
    .close = asker_close,
};

/* -------------------------------------------------------------------- cases -- */

static const bench_case cases[] = {
    {
        /* The asking thread's time must not grow with the result. */
        .workload = "async",
        .name = "caller",
        .unit = "us of the caller/read",
        .size = MANY,
        .sample_ms = 40,
        .peers = {{.name = "resqlite-10", .ops = &few_ops, .variant = ASYNC_FEW},
                  {.name = "resqlite-10-slowly", .ops = &few_ops, .variant = ASYNC_FEW_SLOWLY},
                  {.name = "resqlite-20000", .ops = &many_ops, .variant = ASYNC_MANY}},
        .goals = {BENCH_RATIO("reads", "resqlite-20000", "resqlite-10-slowly", 1.30),
                  BENCH_VALUE("reads", "resqlite-10", 1.00)},
    },
    {
        .workload = "async",
        .name = "point",
        .unit = "us/query",
        .size = 1000,
        .peers = {{.name = "resqlite", .ops = &point_ops, .variant = ASYNC_BLOCKING},
                  {.name = "resqlite-wait", .ops = &point_ops, .variant = ASYNC_WAIT},
                  {.name = "resqlite-queue", .ops = &point_ops, .variant = ASYNC_QUEUE}},
        .goals = {BENCH_EXCESS("reads", "resqlite-wait", "resqlite", 1.00),
                  BENCH_EXCESS("reads", "resqlite-queue", "resqlite", 1.00)},
    },
};

const bench_area bench_area_async = {cases, BENCH_LENGTH(cases)};
