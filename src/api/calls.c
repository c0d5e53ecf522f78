/* Calls in place: check the arguments, pin the database, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "base/error.h"
#include "exec/tx.h"

/* A call after its arguments were checked. */
typedef struct call {
    rsq_request request;
    uint32_t timeout_ms;
} call;

static rsq_code read_call(call *c, const char *sql, const rsq_value *params, size_t nparams,
                          const rsq_call_options *opts, rsq_error *err)
{
    rsq_call_options o;
    rsq_code code;

    if (!sql)
        return rsq_error_set(err, RSQ_EINVAL, "the SQL is NULL");
    if (nparams && !params)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", nparams);
    c->request = (rsq_request){.sql = sql, .params = params, .nparams = nparams};
    c->timeout_ms = 0;
    if (opts) {
        code = rsq_options_read(&o, sizeof o, opts, err);
        if (code != RSQ_OK)
            return code;
        if (!rsq_json_flags_are_valid(o.json))
            return rsq_error_set(err, RSQ_EINVAL, "the option json is out of range");
        c->request.sql_len = o.sql_len;
        c->request.json = o.json;
        c->request.bytes_max = rsq_bytes_max(o.max_result_bytes);
        c->timeout_ms = o.timeout_ms;
    }
    if (!c->request.sql_len)
        c->request.sql_len = strlen(sql);
    return RSQ_OK;
}

static rsq_code select_shape(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                             const rsq_call_options *opts, rsq_shape shape, rsq_result **out, rsq_error *err)
{
    rsq_code code;
    call c;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = read_call(&c, sql, params, nparams, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_select(db->core, &c.request, shape, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

rsq_code rsq_select(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                    const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    return select_shape(db, sql, params, nparams, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_select_json(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                         const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    return select_shape(db, sql, params, nparams, opts, RSQ_SHAPE_JSON, out, err);
}

rsq_code rsq_select_all(rsq_db *db, const rsq_query *queries, size_t count, const rsq_call_options *opts,
                        rsq_result **results, rsq_error *err)
{
    rsq_request *requests = NULL;
    rsq_call_options o;
    rsq_code code;

    if (!results)
        return rsq_error_set(err, RSQ_EINVAL, "results is NULL");
    code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK)
        code = rsq_requests_read(queries, count, 0, o.max_result_bytes, &requests, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code == RSQ_OK) {
        code = rsq_core_select_all(db->core, requests, count, o.timeout_ms, results, err);
        rsq_db_unpin(db);
    }
    rsq_free(requests);
    return code;
}

rsq_code rsq_execute(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                     const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_code code;
    call c;

    code = read_call(&c, sql, params, nparams, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_execute(db->core, &c.request, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

static rsq_code read_batch(call *c, const char *sql, const rsq_value *matrix, size_t rows, size_t columns,
                           const rsq_call_options *opts, rsq_error *err)
{
    if (columns && rows > SIZE_MAX / sizeof *matrix / columns)
        return rsq_error_set(err, RSQ_EINVAL, "the matrix is larger than memory");
    if (rows && columns && !matrix)
        return rsq_error_set(err, RSQ_EINVAL, "the matrix is NULL");
    /* A matrix without rows has nothing to point at. */
    return read_call(c, sql, matrix ? matrix : &(rsq_value){0}, columns, opts, err);
}

rsq_code rsq_execute_batch(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows, size_t columns,
                           const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_code code;
    call c;

    code = read_batch(&c, sql, matrix, rows, columns, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_execute_batch(db->core, &c.request, rows, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

rsq_code rsq_transaction(rsq_db *db, rsq_tx_fn fn, void *ctx, const rsq_call_options *opts, rsq_error *err)
{
    rsq_call_options o;
    rsq_code code;

    if (!fn)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction function is NULL");
    code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_transaction(db->core, fn, ctx, o.timeout_ms, err);
    rsq_db_unpin(db);
    return code;
}

static rsq_code read_tx_call(call *c, rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                             const rsq_call_options *opts, rsq_error *err)
{
    if (!tx)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction is NULL");
    return read_call(c, sql, params, nparams, opts, err);
}

static rsq_code tx_select_shape(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                const rsq_call_options *opts, rsq_shape shape, rsq_result **out,
                                rsq_error *err)
{
    rsq_code code;
    call c;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = read_tx_call(&c, tx, sql, params, nparams, opts, err);
    return code == RSQ_OK ? rsq_tx_run_select(tx, &c.request, shape, out, err) : code;
}

rsq_code rsq_tx_select(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                       const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    return tx_select_shape(tx, sql, params, nparams, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_tx_select_json(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                            const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    return tx_select_shape(tx, sql, params, nparams, opts, RSQ_SHAPE_JSON, out, err);
}

rsq_code rsq_tx_execute(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                        const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    call c;
    rsq_code code = read_tx_call(&c, tx, sql, params, nparams, opts, err);

    return code == RSQ_OK ? rsq_tx_run_execute(tx, &c.request, out, err) : code;
}

rsq_code rsq_tx_execute_batch(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                              size_t columns, const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    call c;
    rsq_code code;

    if (!tx)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction is NULL");
    code = read_batch(&c, sql, matrix, rows, columns, opts, err);
    return code == RSQ_OK ? rsq_tx_run_batch(tx, &c.request, rows, out, err) : code;
}

rsq_code rsq_tx_transaction(rsq_tx *tx, rsq_tx_fn fn, void *ctx, rsq_error *err)
{
    rsq_error why;
    rsq_code code;

    if (!tx || !fn)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction or its function is NULL");
    code = rsq_tx_check(tx, &why);
    if (code == RSQ_OK)
        code = rsq_tx_nested(tx, fn, ctx, &why);
    if (code != RSQ_OK && err)
        *err = why;
    return rsq_tx_note(tx, code, &why);
}
