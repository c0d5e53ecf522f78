/*
 * Transactions: the function runs on its caller's thread, beside the writer's
 * connection, so a statement inside costs no hand-over.
 */
#include "exec/tx.h"

#include "base/error.h"
#include "exec/begin.h"

/*
 * The transactions that run on this thread, innermost first. So a call on the
 * database from inside a function finds the one that it belongs to, and no
 * other thread can.
 */
static _Thread_local rsq_tx *innermost;

rsq_tx *rsq_tx_here(const rsq_core *core)
{
    rsq_tx *tx = innermost;

    while (tx && tx->core != core)
        tx = tx->around;
    return tx;
}

bool rsq_tx_runs_for(const rsq_client *client)
{
    const rsq_tx *tx = innermost;

    while (tx && tx->client != client)
        tx = tx->around;
    return tx != NULL;
}

static rsq_conn *conn_of(const rsq_tx *tx)
{
    return tx->core->writer.conn;
}

/* For one call: is it usable, here and now? RSQ_OK: leave() follows. */
static rsq_code enter(rsq_tx *tx, rsq_error *err)
{
    if (tx->begun) {
        rsq_code code = rsq_begun_enter(tx->begun, err);

        if (code != RSQ_OK)
            return code;
    } else if (tx->thread != rsq_thread_self()) {
        return rsq_error_set(err, RSQ_EMISUSE, "the transaction belongs to another thread");
    }
    if (rsq_conn_in_transaction(conn_of(tx)))
        return RSQ_OK;
    if (tx->begun)
        rsq_begun_leave(tx->begun);
    return rsq_error_set(err, RSQ_EMISUSE, "SQLite has rolled the transaction back");
}

/* The end of a call: keep its failure for the end of the transaction, and hand it on. */
static rsq_code leave(rsq_tx *tx, rsq_code code, const rsq_error *why, rsq_error *err)
{
    /* That the transaction is gone is told by each call; what ended it was told once. */
    if (code != RSQ_OK && code != RSQ_EMISUSE)
        tx->last = *why;
    if (tx->begun)
        rsq_begun_leave(tx->begun);
    if (code != RSQ_OK && err)
        *err = *why;
    return code;
}

/* What the function returned, with the detail of the call that returned the same to it. */
static rsq_code fn_failed(const rsq_tx *tx, rsq_code code, rsq_error *err)
{
    if (tx->last.code == (int32_t)code) {
        if (err)
            *err = tx->last;
        return code;
    }
    return rsq_error_set(err, code, "the transaction function returned %s", rsq_code_name(code));
}

rsq_code rsq_tx_lost(const rsq_tx *tx, rsq_error *err)
{
    const char *why = tx->last.code ? tx->last.message : "an error inside it";
    rsq_code code = rsq_error_set(err, RSQ_ESQL, "SQLite rolled the transaction back: %s", why);

    if (err)
        err->sqlite_code = tx->last.sqlite_code;
    return code;
}

static rsq_code run_level(rsq_tx *tx, rsq_tx_fn fn, void *ctx)
{
    rsq_code code;

    tx->around = innermost;
    innermost = tx;
    code = fn(tx, ctx);
    innermost = tx->around;
    return code;
}

/* Of a function. The rest of `last`, half a kilobyte, is not looked at while its code is 0. */
static void start_level(rsq_tx *tx, rsq_core *core, const rsq_client *client, unsigned depth)
{
    tx->core = core;
    tx->client = client;
    tx->begun = NULL;
    tx->depth = depth;
    tx->points = 0;
    tx->thread = rsq_thread_self();
    tx->last.code = RSQ_OK;
    tx->last.sqlite_code = 0;
}

static rsq_code run_savepoint(rsq_tx *outer, const rsq_client *client, rsq_tx_fn fn, void *ctx,
                              rsq_error *err)
{
    unsigned depth = outer->depth + 1;
    rsq_code code = rsq_conn_savepoint(conn_of(outer), depth, err);
    rsq_tx tx;

    if (code != RSQ_OK)
        return code;
    start_level(&tx, outer->core, client, depth);
    code = run_level(&tx, fn, ctx);
    if (code != RSQ_OK) {
        rsq_conn_rollback_to(conn_of(&tx), depth); /* and with it those that the function left open */
        return fn_failed(&tx, code, err);
    }
    if (!rsq_conn_in_transaction(conn_of(&tx)))
        return rsq_tx_lost(&tx, err);
    return rsq_conn_release(conn_of(&tx), depth, err);
}

/* `client`: the handle by which it was asked for. */
static rsq_code run_nested(rsq_tx *tx, const rsq_client *client, rsq_tx_fn fn, void *ctx, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = run_savepoint(tx, client, fn, ctx, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_nested(rsq_tx *tx, rsq_tx_fn fn, void *ctx, rsq_error *err)
{
    return run_nested(tx, tx->client, fn, ctx, err);
}

static rsq_code run_transaction(rsq_core *core, const rsq_client *client, rsq_tx_fn fn, void *ctx,
                                uint32_t origin, rsq_error *err)
{
    rsq_conn *conn = core->writer.conn;
    rsq_code code = rsq_conn_begin(conn, origin, err);
    rsq_tx tx;

    if (code != RSQ_OK)
        return code;
    start_level(&tx, core, client, 0);
    code = run_level(&tx, fn, ctx);
    if (code != RSQ_OK) {
        rsq_conn_rollback(conn);
        return fn_failed(&tx, code, err);
    }
    if (!rsq_conn_in_transaction(conn)) {
        rsq_conn_rollback(conn);
        return rsq_tx_lost(&tx, err);
    }
    return rsq_conn_commit(conn, err);
}

rsq_code rsq_core_transaction(rsq_core *core, const rsq_client *client, rsq_tx_fn fn, void *ctx,
                              uint32_t origin, uint32_t timeout_ms, rsq_error *err)
{
    static const char name[] = "a transaction";
    rsq_tx *here = rsq_tx_here(core);
    rsq_code code = rsq_core_may_write(client, err);

    if (code != RSQ_OK)
        return code;
    if (here)
        return run_nested(here, client, fn, ctx, err);
    code = rsq_core_take_turn(core, client, name, sizeof name - 1, rsq_core_timeout(core, timeout_ms), err);
    if (code != RSQ_OK)
        return code;
    code = run_transaction(core, client, fn, ctx, origin, err);
    rsq_writer_release(&core->writer);
    return code;
}

rsq_code rsq_tx_run_select(rsq_tx *tx, const rsq_request *rq, rsq_shape shape, uint32_t timeout_ms,
                           rsq_result **out, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_core_select_on(tx->core, conn_of(tx), rq, 1, shape, timeout_ms, out, &why);
    if (code != RSQ_OK)
        why.row = -1; /* there is but one */
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_select_stoppable(rsq_tx *tx, const rsq_request *rq, rsq_shape shape, rsq_stop *stop,
                                     rsq_result **out, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_core_select_stoppable(conn_of(tx), rq, 1, shape, stop, out, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_execute(rsq_tx *tx, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute(conn_of(tx), rq, out, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_batch(rsq_tx *tx, const rsq_request *rq, size_t rows, rsq_result **out, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_batch(conn_of(tx), rq, rows, out, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_all(rsq_tx *tx, const rsq_request *requests, size_t count, rsq_result **results,
                        rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_all(conn_of(tx), requests, count, results, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_script(rsq_tx *tx, const rsq_request *rq, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_script(conn_of(tx), rq, &why);
    return leave(tx, code, &why, err);
}

/* enter(), for what concerns the newest savepoint: of a nested function that runs it would be the one. */
static rsq_code enter_newest(rsq_tx *tx, rsq_error *err)
{
    rsq_code code = enter(tx, err);

    if (code != RSQ_OK || rsq_tx_here(tx->core) == (tx->begun ? NULL : tx))
        return code;
    if (tx->begun)
        rsq_begun_leave(tx->begun);
    return rsq_error_set(err, RSQ_EMISUSE, "a nested transaction runs: use its handle");
}

rsq_code rsq_tx_run_savepoint(rsq_tx *tx, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter_newest(tx, err);

    if (code != RSQ_OK)
        return code;
    code = rsq_conn_savepoint(conn_of(tx), tx->depth + 1, &why);
    if (code == RSQ_OK) {
        tx->depth++;
        tx->points++;
    }
    return leave(tx, code, &why, err);
}

/* The newest savepoint has an end, well or not. */
static rsq_code end_savepoint(rsq_tx *tx, bool keep, rsq_error *err)
{
    unsigned depth = tx->depth;

    if (!tx->points)
        return rsq_error_set(err, RSQ_EMISUSE, "no savepoint is open");
    tx->points--;
    tx->depth--;
    if (keep)
        return rsq_conn_release(conn_of(tx), depth, err);
    rsq_conn_rollback_to(conn_of(tx), depth);
    return RSQ_OK;
}

static rsq_code run_end(rsq_tx *tx, bool keep, rsq_error *err)
{
    rsq_error why;
    rsq_code code = enter_newest(tx, err);

    if (code != RSQ_OK)
        return code;
    code = end_savepoint(tx, keep, &why);
    return leave(tx, code, &why, err);
}

rsq_code rsq_tx_run_release(rsq_tx *tx, rsq_error *err)
{
    return run_end(tx, true, err);
}

rsq_code rsq_tx_run_rollback_to(rsq_tx *tx, rsq_error *err)
{
    return run_end(tx, false, err);
}
