/* The library in the write cases, called in place; see writes.h. */
#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "writes.h"

/* The rows that one live query watches; together they watch the whole pool. */
#define WATCHED_ROWS (WRITE_POOL / WRITE_WATCHERS)
#define SQL_WATCH "SELECT id, name FROM t WHERE id > ? AND id <= ? ORDER BY id"

static void ignore(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    (void)s;
    (void)ev;
    (void)ctx;
}

void rsq_writer_close(void *state)
{
    rsq_writer *w = state;

    rsq_close(w->db); /* ends the live queries */
    write_rows_free(w->rows);
    free(w);
}

static bool watch(rsq_writer *w)
{
    for (int64_t i = 0; i < WRITE_WATCHERS; i++) {
        rsq_stream_options opts = {.size = sizeof opts, .event = ignore};
        rsq_value range[2] = {rsq_integer(i * WATCHED_ROWS), rsq_integer((i + 1) * WATCHED_ROWS)};
        rsq_error err;
        rsq_code rc = rsq_stream_open(w->db, SQL_WATCH, range, 2, &opts, &w->watchers[i], &err);

        if (rc != RSQ_OK)
            return bench_fail_code(w->at, "watch", rc, &err);
    }
    return true;
}

static bool fill_log(const rsq_writer *w)
{
    rsq_checkpoint_options restart = {.size = sizeof restart, .mode = RSQ_CHECKPOINT_RESTART};
    rsq_error err;
    rsq_code rc = rsq_execute(w->db, WRITE_SQL_FILL, NULL, 0, NULL, NULL, &err);

    if (rc == RSQ_OK)
        rc = rsq_execute(w->db, WRITE_SQL_UNFILL, NULL, 0, NULL, NULL, &err);
    if (rc == RSQ_OK)
        rc = rsq_checkpoint(w->db, &restart, NULL, &err);
    return rc == RSQ_OK || bench_fail_code(w->at, "fill the log", rc, &err);
}

void *rsq_writer_open(const bench_ctx *at)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_writer *w = calloc(1, sizeof *w);
    rsq_error err;
    rsq_code rc;

    if (!w) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    w->at = at;
    w->rows = write_rows_new(at);
    if (!w->rows || !write_make_table(at))
        goto fail;
    opts.synchronous = at->peer->variant & WRITE_FULL ? RSQ_SYNC_FULL : RSQ_SYNC_DEFAULT;
    opts.flags = RSQ_OPEN_NO_EXTERNAL_WRITERS;
    opts.flags |= at->peer->variant & WRITE_NO_GROUPS ? (uint32_t)RSQ_OPEN_NO_GROUP_COMMIT : 0;
    rc = rsq_open(at->path, &opts, &w->db, &err);
    if (rc != RSQ_OK) {
        bench_fail_code(at, "open", rc, &err);
        goto fail;
    }
    if ((at->peer->variant & WRITE_FULL) && !fill_log(w))
        goto fail;
    if ((at->peer->variant & WRITE_WATCHED) && !watch(w))
        goto fail;
    return w;

fail:
    rsq_writer_close(w);
    return NULL;
}

/* Until the live queries have seen all commits, so that they do not run in another peer's block. */
static bool settle(const rsq_writer *w)
{
    rsq_queue *q = rsq_queue_default(w->db);
    rsq_result *newest;
    rsq_error err;
    rsq_code rc;

    if (!(w->at->peer->variant & WRITE_WATCHED))
        return true;
    rc = rsq_select(w->db, "SELECT 1", NULL, 0, NULL, &newest, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(w->at, "select", rc, &err);
    for (size_t i = 0; i < WRITE_WATCHERS && rc == RSQ_OK;) {
        rsq_stream_counters c = {.size = sizeof c};

        rc = rsq_stream_stats(w->watchers[i], &c);
        if (rc == RSQ_OK && c.settled_seq >= rsq_result_commit_seq(newest))
            i++;
        else if (rc == RSQ_OK && rsq_queue_wait(q, 1) == RSQ_OK)
            rc = rsq_queue_dispatch(q, 0, NULL);
    }
    rsq_result_unref(newest);
    return rc == RSQ_OK || bench_fail(w->at, "settle: %s", rsq_code_name(rc));
}

bool rsq_writer_empty(void *state)
{
    const rsq_writer *w = state;
    const write_job *job = write_job_of(w->at);
    rsq_error err;
    rsq_code rc = job->empty ? rsq_execute(w->db, job->empty, NULL, 0, NULL, NULL, &err) : RSQ_OK;

    if (rc != RSQ_OK)
        return bench_fail_code(w->at, "empty the table", rc, &err);
    return settle(w);
}

/* ------------------------------------------------------------------- jobs -- */

/* What the functions of a transaction need. */
typedef struct act {
    const rsq_writer *w;
    const rsq_value *values; /* of the operation's first row */
    rsq_error *err;
    size_t left; /* savepoints to go, WRITE_NESTED_DEEP */
} act;

static rsq_code each(const act *a)
{
    const char *sql = write_job_of(a->w->at)->sql;
    const rsq_value *row = a->values;
    rsq_code rc = RSQ_OK;

    for (size_t i = 0; i < a->w->at->of->size && rc == RSQ_OK; i++, row += 2)
        rc = rsq_execute(a->w->db, sql, row, 2, NULL, NULL, a->err);
    return rc;
}

static rsq_code batch(const act *a, const rsq_value *matrix, size_t columns)
{
    return rsq_execute_batch(a->w->db, write_job_of(a->w->at)->sql, matrix, a->w->at->of->size, columns, NULL,
                             NULL, a->err);
}

static rsq_code batch_inside(rsq_tx *tx, void *ctx)
{
    const act *a = ctx;

    return rsq_tx_execute_batch(tx, write_job_of(a->w->at)->sql, a->values, a->w->at->of->size, 2, NULL, NULL,
                                a->err);
}

static rsq_code converse(rsq_tx *tx, void *ctx)
{
    const act *a = ctx;
    rsq_value value = rsq_integer(WRITE_VALUE);
    rsq_result *counted;
    int64_t count;
    rsq_code rc = rsq_tx_execute(tx, write_job_of(a->w->at)->sql, &value, 1, NULL, NULL, a->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_select(tx, WRITE_SQL_COUNT, NULL, 0, NULL, &counted, a->err);
    if (rc != RSQ_OK)
        return rc;
    count = rsq_result_int64(counted, 0, 0);
    rsq_result_unref(counted);
    return count > WRITE_LIMIT ? rsq_tx_execute(tx, WRITE_SQL_REMOVE, &value, 1, NULL, NULL, a->err) : RSQ_OK;
}

static rsq_code insert_inside(rsq_tx *tx, void *ctx)
{
    act *a = ctx;
    const rsq_value *row = a->values;

    a->values += 2;
    return rsq_tx_execute(tx, write_job_of(a->w->at)->sql, row, 2, NULL, NULL, a->err);
}

static rsq_code nested(rsq_tx *tx, void *ctx)
{
    act *a = ctx;
    rsq_code rc = RSQ_OK;

    for (size_t i = 0; i < a->w->at->of->size && rc == RSQ_OK; i++)
        rc = rsq_tx_transaction(tx, insert_inside, a, a->err);
    return rc;
}

static rsq_code nested_deep(rsq_tx *tx, void *ctx)
{
    act *a = ctx;
    rsq_code rc = insert_inside(tx, a);

    if (rc == RSQ_OK && --a->left > 0)
        rc = rsq_tx_transaction(tx, nested_deep, a, a->err);
    return rc;
}

/* The transaction itself is no savepoint. */
static rsq_code nested_first(rsq_tx *tx, void *ctx)
{
    act *a = ctx;

    return rsq_tx_transaction(tx, nested_deep, a, a->err);
}

static rsq_code do_job(act *a, uint64_t op, size_t start)
{
    rsq_db *db = a->w->db;

    switch (a->w->at->peer->variant & WRITE_JOB_MASK) {
    case WRITE_BATCH:
        return batch(a, a->values, 2);
    case WRITE_BATCH_IN_TX:
        return rsq_transaction(db, batch_inside, a, NULL, a->err);
    case WRITE_WIDE:
        return batch(a, &a->w->rows->wide[start * WRITE_WIDE_COLUMNS], WRITE_WIDE_COLUMNS);
    case WRITE_UPDATE:
        return batch(a, a->w->rows->updates[op % 2], 3);
    case WRITE_DIALOGUE:
        return rsq_transaction(db, converse, a, NULL, a->err);
    case WRITE_NESTED:
        return rsq_transaction(db, nested, a, NULL, a->err);
    case WRITE_NESTED_DEEP:
        return rsq_transaction(db, nested_first, a, NULL, a->err);
    default:
        return each(a);
    }
}

bool rsq_writer_one(const rsq_writer *w, uint64_t op)
{
    size_t start = write_rows_start(w->at, op);
    rsq_error err;
    act a = {.w = w, .values = &w->rows->values[2 * start], .err = &err, .left = w->at->of->size};
    rsq_code rc = do_job(&a, op, start);

    return rc == RSQ_OK || bench_fail_code(w->at, "write", rc, &err);
}

/* With live queries each operation is followed by a pause until they have seen it. */
static bool run(void *state, bench_block *b)
{
    const rsq_writer *w = state;

    for (uint64_t i = 0; i < b->count; i++) {
        if (!rsq_writer_one(w, b->first + i))
            return false;
        if (w->at->peer->variant & WRITE_WATCHED) {
            int64_t paused = bench_now_ns();

            if (!settle(w))
                return false;
            b->paused_ns += bench_now_ns() - paused;
        }
        b->sum += w->at->of->size;
    }
    return true;
}

bool rsq_writer_content(const rsq_writer *w, uint64_t *hash)
{
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(w->db, write_job_of(w->at)->content, NULL, 0, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(w->at, "select", rc, &err);
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

static bool hash(void *state, uint64_t *out)
{
    return rsq_writer_empty(state) && rsq_writer_one(state, 0) && rsq_writer_content(state, out);
}

const bench_ops writes_rsq = {
    .answer = WRITE_ANSWER,
    .open = rsq_writer_open,
    .prepare = rsq_writer_empty,
    .run = run,
    .hash = hash,
    .close = rsq_writer_close,
};
