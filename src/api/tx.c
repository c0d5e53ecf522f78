/* Calls inside a transaction: check the arguments, pass on. The transaction itself holds the pin. */
#include "exec/tx.h"

#include "api/request.h"
#include "base/error.h"

static rsq_code no_tx(rsq_error *err)
{
    return rsq_error_set(err, RSQ_EINVAL, "the transaction is NULL");
}

static rsq_code select_shape(rsq_tx *tx, const char *sql, rsq_args args, const rsq_call_options *opts,
                             rsq_shape shape, rsq_result **out, rsq_error *err)
{
    rsq_call c;
    rsq_code code;

    if (!tx)
        return no_tx(err);
    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = rsq_call_read(&c, sql, args, opts, err);
    return code == RSQ_OK ? rsq_tx_run_select(tx, &c.request, shape, c.timeout_ms, out, err) : code;
}

rsq_code rsq_tx_select(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                       const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return select_shape(tx, sql, args, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_tx_select_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                             const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.named = named, .count = nnamed};

    return select_shape(tx, sql, args, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_tx_select_json(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                            const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return select_shape(tx, sql, args, opts, RSQ_SHAPE_JSON, out, err);
}

static rsq_code execute(rsq_tx *tx, const char *sql, rsq_args args, const rsq_call_options *opts,
                        rsq_result **out, rsq_error *err)
{
    rsq_call c;
    rsq_code code;

    if (!tx)
        return no_tx(err);
    code = rsq_call_read(&c, sql, args, opts, err);
    return code == RSQ_OK ? rsq_tx_run_execute(tx, &c.request, out, err) : code;
}

rsq_code rsq_tx_execute(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                        const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return execute(tx, sql, args, opts, out, err);
}

rsq_code rsq_tx_execute_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                              const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.named = named, .count = nnamed};

    return execute(tx, sql, args, opts, out, err);
}

rsq_code rsq_tx_execute_batch(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                              size_t columns, const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = matrix, .count = columns};
    rsq_call c;
    rsq_code code;

    if (!tx)
        return no_tx(err);
    code = rsq_call_read_batch(&c, sql, args, rows, opts, err);
    return code == RSQ_OK ? rsq_tx_run_batch(tx, &c.request, rows, out, err) : code;
}

rsq_code rsq_tx_transaction(rsq_tx *tx, rsq_tx_fn fn, void *ctx, rsq_error *err)
{
    if (!tx || !fn)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction or its function is NULL");
    return rsq_tx_run_nested(tx, fn, ctx, err);
}

rsq_code rsq_tx_execute_all(rsq_tx *tx, const rsq_query *statements, size_t count,
                            const rsq_call_options *opts, rsq_result **results, rsq_error *err)
{
    rsq_result **got = NULL;
    rsq_request *requests;
    rsq_code code;

    if (!tx)
        return no_tx(err);
    code = rsq_statements_read(statements, count, opts, NULL, &requests, results ? &got : NULL, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_tx_run_all(tx, requests, count, got, err);
    return rsq_statements_done(code, count, requests, got, results);
}

rsq_code rsq_tx_execute_script(rsq_tx *tx, const char *sql, const rsq_call_options *opts, rsq_error *err)
{
    rsq_args none = {0};
    rsq_call c;
    rsq_code code;

    if (!tx)
        return no_tx(err);
    code = rsq_call_read(&c, sql, none, opts, err);
    return code == RSQ_OK ? rsq_tx_run_script(tx, &c.request, err) : code;
}

rsq_code rsq_tx_savepoint(rsq_tx *tx, rsq_error *err)
{
    return tx ? rsq_tx_run_savepoint(tx, err) : no_tx(err);
}

rsq_code rsq_tx_release(rsq_tx *tx, rsq_error *err)
{
    return tx ? rsq_tx_run_release(tx, err) : no_tx(err);
}

rsq_code rsq_tx_rollback_to(rsq_tx *tx, rsq_error *err)
{
    return tx ? rsq_tx_run_rollback_to(tx, err) : no_tx(err);
}
