/* Calls in place: check the arguments, pin the database, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "base/error.h"

static rsq_code select_shape(rsq_db *db, const char *sql, rsq_args args, const rsq_call_options *opts,
                             rsq_shape shape, rsq_result **out, rsq_error *err)
{
    rsq_call c;
    rsq_code code;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = rsq_call_read(&c, sql, args, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.request.client = &db->client;
    code = rsq_core_select(db->core, &c.request, shape, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

rsq_code rsq_select(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                    const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return select_shape(db, sql, args, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_select_json(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                         const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return select_shape(db, sql, args, opts, RSQ_SHAPE_JSON, out, err);
}

rsq_code rsq_stream_dependencies(rsq_db *db, const char *sql, const rsq_call_options *opts, rsq_result **out,
                                 rsq_error *err)
{
    rsq_args none = {0};

    return select_shape(db, sql, none, opts, RSQ_SHAPE_DEPENDENCIES, out, err);
}

rsq_code rsq_select_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                          const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.named = named, .count = nnamed};

    return select_shape(db, sql, args, opts, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_select_json_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                               const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.named = named, .count = nnamed};

    return select_shape(db, sql, args, opts, RSQ_SHAPE_JSON, out, err);
}

rsq_code rsq_select_all(rsq_db *db, const rsq_query *queries, size_t count, const rsq_call_options *opts,
                        rsq_result **results, rsq_error *err)
{
    rsq_request *requests = NULL;
    rsq_result **got = NULL;
    uint32_t timeout_ms;
    rsq_code code;

    if (!results)
        return rsq_error_set(err, RSQ_EINVAL, "results is NULL");
    code = rsq_statements_read(queries, count, opts, &timeout_ms, &requests, &got, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_db_pin(db, err);
    if (code == RSQ_OK) {
        rsq_requests_of(requests, count, &db->client);
        code = rsq_core_select_all(db->core, requests, count, timeout_ms, got, err);
        rsq_db_unpin(db);
    }
    return rsq_statements_done(code, count, requests, got, results);
}

static rsq_code execute(rsq_db *db, const char *sql, rsq_args args, const rsq_call_options *opts,
                        rsq_result **out, rsq_error *err)
{
    rsq_call c;
    rsq_code code = rsq_call_read(&c, sql, args, opts, err);

    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.request.client = &db->client;
    code = rsq_core_execute(db->core, &c.request, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

rsq_code rsq_execute(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                     const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};

    return execute(db, sql, args, opts, out, err);
}

rsq_code rsq_execute_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                           const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.named = named, .count = nnamed};

    return execute(db, sql, args, opts, out, err);
}

rsq_code rsq_execute_batch(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows, size_t columns,
                           const rsq_call_options *opts, rsq_result **out, rsq_error *err)
{
    rsq_args args = {.values = matrix, .count = columns};
    rsq_call c;
    rsq_code code = rsq_call_read_batch(&c, sql, args, rows, opts, err);

    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.request.client = &db->client;
    code = rsq_core_execute_batch(db->core, &c.request, rows, c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

rsq_code rsq_execute_all(rsq_db *db, const rsq_query *statements, size_t count, const rsq_call_options *opts,
                         rsq_result **results, rsq_error *err)
{
    rsq_result **got = NULL;
    rsq_request *requests;
    uint32_t timeout_ms;
    rsq_code code;

    code = rsq_statements_read(statements, count, opts, &timeout_ms, &requests, results ? &got : NULL, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_db_pin(db, err);
    if (code == RSQ_OK) {
        rsq_requests_of(requests, count, &db->client);
        code = rsq_core_execute_all(db->core, requests, count, timeout_ms, got, err);
        rsq_db_unpin(db);
    }
    return rsq_statements_done(code, count, requests, got, results);
}

rsq_code rsq_execute_script(rsq_db *db, const char *sql, const rsq_call_options *opts, rsq_error *err)
{
    rsq_args none = {0};
    rsq_call c;
    rsq_code code = rsq_call_read(&c, sql, none, opts, err);

    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.request.client = &db->client;
    code = rsq_core_execute_script(db->core, &c.request, c.timeout_ms, err);
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
    code = rsq_core_transaction(db->core, &db->client, fn, ctx, o.origin, o.timeout_ms, err);
    rsq_db_unpin(db);
    return code;
}
