/* Asynchronous calls: check the arguments, pin the database for the submission, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "base/values.h"
#include "exec/begin.h"
#include "exec/op.h"

static void fill_spec(rsq_op_spec *spec, rsq_db *db, const rsq_op_options *o)
{
    spec->timeout_ms = o->timeout_ms;
    spec->queue = o->queue ? o->queue : db->queue;
    spec->done = o->done;
    spec->ctx = o->ctx;
    spec->client = &db->client;
}

/* `spec` says what, with checked requests; the options say the rest. */
static rsq_code submit(rsq_db *db, rsq_op_spec *spec, const rsq_op_options *o, rsq_op **out)
{
    rsq_code code;

    if (!out && !o->done)
        return RSQ_EINVAL; /* nobody would hear of it */
    code = rsq_db_pin(db, NULL);
    if (code != RSQ_OK)
        return code;
    fill_spec(spec, db, o);
    if (spec->kind != RSQ_OP_READ)
        code = rsq_core_may_write(&db->client, NULL);
    if (code == RSQ_OK)
        code = rsq_op_submit(db->core, spec, out);
    rsq_db_unpin(db);
    return code;
}

static rsq_code read_request(const char *sql, rsq_args args, size_t rows, const rsq_op_options *o,
                             rsq_request *rq)
{
    rsq_code code;

    if (!sql || !rsq_json_flags_are_valid(o->json))
        return RSQ_EINVAL;
    if (args.named)
        code = rsq_named_check(args.named, args.count, NULL);
    else
        code = rsq_values_check(args.values, rows * args.count, NULL);
    *rq = (rsq_request){.sql = sql,
                        .sql_len = o->sql_len ? o->sql_len : strlen(sql),
                        .params = args.values,
                        .named = args.named,
                        .nparams = args.count,
                        .json = o->json,
                        .origin = o->origin,
                        .bytes_max = rsq_bytes_max(o->max_result_bytes)};
    return code;
}

static rsq_code submit_one(rsq_db *db, const char *sql, rsq_args args, rsq_shape shape,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK)
        code = read_request(sql, args, 1, &o, &rq);
    if (code == RSQ_OK) {
        rsq_op_spec spec = {.requests = &rq, .count = 1, .shape = shape, .chunk_rows = o.chunk_rows};

        spec.idle_ms = rsq_option_idle_ms(o.idle_timeout_ms);
        code = submit(db, &spec, &o, out);
    }
    return code;
}

static rsq_code submit_write(rsq_db *db, rsq_op_kind kind, const char *sql, rsq_args args, size_t rows,
                             const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && o.chunk_rows)
        code = RSQ_EINVAL;
    if (code == RSQ_OK && args.count && rows > SIZE_MAX / sizeof *args.values / args.count)
        code = RSQ_EINVAL;
    if (code == RSQ_OK)
        code = read_request(sql, args, rows, &o, &rq);
    if (code == RSQ_OK) {
        rsq_op_spec spec = {.kind = kind, .rows = rows, .requests = &rq, .count = 1};

        code = submit(db, &spec, &o, out);
    }
    return code;
}

rsq_code rsq_select_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                          const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_one(db, sql, args, RSQ_SHAPE_CELLS, opts, out);
}

rsq_code rsq_select_json_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                               const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_one(db, sql, args, RSQ_SHAPE_JSON, opts, out);
}

rsq_code rsq_select_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.named = named, .count = nnamed};

    return submit_one(db, sql, args, RSQ_SHAPE_CELLS, opts, out);
}

rsq_code rsq_select_json_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                     const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.named = named, .count = nnamed};

    return submit_one(db, sql, args, RSQ_SHAPE_JSON, opts, out);
}

static rsq_code submit_all(rsq_db *db, const rsq_request *requests, size_t count, const rsq_op_options *o,
                           rsq_op **out)
{
    rsq_op_spec spec = {.requests = requests, .count = count, .several = true};

    return submit(db, &spec, o, out);
}

rsq_code rsq_select_all_async(rsq_db *db, const rsq_query *queries, size_t count, const rsq_op_options *opts,
                              rsq_op **out)
{
    rsq_request *requests = NULL;
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && o.chunk_rows)
        code = RSQ_EINVAL; /* of several queries there would be no telling whose chunk it is */
    if (code == RSQ_OK)
        code = rsq_requests_read(queries, count, o.json, o.max_result_bytes, &requests, NULL);
    if (code == RSQ_OK)
        code = submit_all(db, requests, count, &o, out);
    rsq_free(requests);
    return code;
}

rsq_code rsq_execute_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_write(db, RSQ_OP_EXECUTE, sql, args, 1, opts, out);
}

rsq_code rsq_execute_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                 const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.named = named, .count = nnamed};

    return submit_write(db, RSQ_OP_EXECUTE, sql, args, 1, opts, out);
}

rsq_code rsq_execute_all_async(rsq_db *db, const rsq_query *statements, size_t count,
                               const rsq_op_options *opts, rsq_op **out)
{
    rsq_request *requests = NULL;
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && o.chunk_rows)
        code = RSQ_EINVAL;
    if (code == RSQ_OK)
        code = rsq_requests_read(statements, count, o.json, o.max_result_bytes, &requests, NULL);
    if (code == RSQ_OK) {
        rsq_op_spec spec = {.kind = RSQ_OP_ALL, .requests = requests, .count = count, .several = true};

        requests[0].origin = o.origin; /* that of them all */
        code = submit(db, &spec, &o, out);
    }
    rsq_free(requests);
    return code;
}

rsq_code rsq_execute_script_async(rsq_db *db, const char *sql, const rsq_op_options *opts, rsq_op **out)
{
    rsq_args none = {.count = 0};

    return submit_write(db, RSQ_OP_SCRIPT, sql, none, 1, opts, out);
}

rsq_code rsq_execute_batch_async(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows,
                                 size_t columns, const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = matrix, .count = columns};

    return submit_write(db, RSQ_OP_BATCH, sql, args, rows, opts, out);
}

/* --- transactions --- */

/* What has no SQL has a name. */
static rsq_request named_request(const char *name, const rsq_op_options *o)
{
    return (rsq_request){.sql = name, .sql_len = strlen(name), .origin = o->origin};
}

rsq_code rsq_begin_async(rsq_db *db, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && o.chunk_rows)
        code = RSQ_EINVAL;
    if (code == RSQ_OK) {
        rsq_request rq = named_request("a transaction (rsq_begin_async)", &o);
        rsq_op_spec spec = {.kind = RSQ_OP_BEGIN, .requests = &rq, .count = 1};

        spec.idle_ms = rsq_option_idle_ms(o.idle_timeout_ms);
        code = submit(db, &spec, &o, out);
    }
    return code;
}

/* An open transaction has no pin of its own: that it has not ended keeps its handle open, see
 * rsq_begun_ask().
 */
static rsq_code submit_in(rsq_tx *tx, rsq_op_spec *spec, const rsq_op_options *o, rsq_op **out)
{
    rsq_code code;
    rsq_db *db;

    if (!tx || (!out && !o->done) || o->chunk_rows)
        return RSQ_EINVAL;
    if (!tx->begun)
        return RSQ_EMISUSE; /* a function's is its thread's */
    code = rsq_begun_ask(tx->begun);
    if (code != RSQ_OK)
        return code;
    db = (rsq_db *)(uintptr_t)((const char *)tx->client - offsetof(rsq_db, client));
    fill_spec(spec, db, o);
    spec->tx = tx;
    code = rsq_op_submit(tx->core, spec, out);
    if (code != RSQ_OK)
        rsq_begun_unask(tx->begun);
    return code;
}

static rsq_code submit_statement(rsq_tx *tx, rsq_op_kind kind, rsq_shape shape, const char *sql,
                                 rsq_args args, size_t rows, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && args.count && rows > SIZE_MAX / sizeof *args.values / args.count)
        code = RSQ_EINVAL;
    if (code == RSQ_OK)
        code = read_request(sql, args, rows, &o, &rq);
    if (code == RSQ_OK) {
        rsq_op_spec spec = {.kind = kind, .shape = shape, .rows = rows, .requests = &rq, .count = 1};

        code = submit_in(tx, &spec, &o, out);
    }
    return code;
}

static rsq_code submit_end(rsq_tx *tx, rsq_op_kind kind, const char *name, const rsq_op_options *opts,
                           rsq_op **out)
{
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK) {
        rsq_request rq = named_request(name, &o);
        rsq_op_spec spec = {.kind = kind, .requests = &rq, .count = 1};

        code = submit_in(tx, &spec, &o, out);
    }
    return code;
}

rsq_code rsq_tx_select_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                             const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, RSQ_OP_READ, RSQ_SHAPE_CELLS, sql, args, 1, opts, out);
}

rsq_code rsq_tx_select_json_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                  const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, RSQ_OP_READ, RSQ_SHAPE_JSON, sql, args, 1, opts, out);
}

rsq_code rsq_tx_execute_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                              const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, RSQ_OP_EXECUTE, RSQ_SHAPE_CELLS, sql, args, 1, opts, out);
}

rsq_code rsq_tx_execute_batch_async(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                                    size_t columns, const rsq_op_options *opts, rsq_op **out)
{
    rsq_args args = {.values = matrix, .count = columns};

    return submit_statement(tx, RSQ_OP_BATCH, RSQ_SHAPE_CELLS, sql, args, rows, opts, out);
}

rsq_code rsq_commit_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_end(tx, RSQ_OP_COMMIT, "rsq_commit_async", opts, out);
}

rsq_code rsq_rollback_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_end(tx, RSQ_OP_ROLLBACK, "rsq_rollback_async", opts, out);
}
