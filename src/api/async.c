/* Asynchronous calls: check the arguments, pin the database for the submission, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "base/values.h"
#include "exec/begin.h"
#include "exec/op.h"

/* --- what all of them do: `spec` says what, with checked requests; the options say the rest --- */

static void fill_spec(rsq_op_spec *spec, rsq_db *db, const rsq_op_options *o)
{
    spec->timeout_ms = o->timeout_ms;
    spec->idle_ms = rsq_option_idle_ms(o->idle_timeout_ms);
    spec->chunk_rows = o->chunk_rows;
    spec->queue = o->queue ? o->queue : db->queue;
    spec->done = o->done;
    spec->ctx = o->ctx;
    spec->client = &db->client;
}

static rsq_code submit_to(rsq_db *db, rsq_op_spec *spec, const rsq_op_options *o, rsq_op **out)
{
    rsq_code code = rsq_db_pin(db, NULL);

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

/* An open transaction has no pin of its own: that it has not ended keeps its handle open, see
 * rsq_begun_ask().
 */
static rsq_code submit_in(rsq_tx *tx, rsq_op_spec *spec, const rsq_op_options *o, rsq_op **out)
{
    rsq_code code;

    if (!tx->begun)
        return RSQ_EMISUSE; /* a function's is its thread's */
    code = rsq_begun_ask(tx->begun);
    if (code != RSQ_OK)
        return code;
    fill_spec(spec, (rsq_db *)(uintptr_t)((const char *)tx->client - offsetof(rsq_db, client)), o);
    code = rsq_op_submit(tx->core, spec, out);
    if (code != RSQ_OK)
        rsq_begun_unask(tx->begun);
    return code;
}

/* Of several queries there would be no telling whose chunk it is. */
static bool may_come_in_chunks(const rsq_op_spec *spec)
{
    return spec->kind == RSQ_OP_READ && !spec->several && !spec->tx;
}

static rsq_code submit(rsq_db *db, rsq_op_spec *spec, const rsq_op_options *o, rsq_op **out)
{
    if (!out && !o->done)
        return RSQ_EINVAL; /* nobody would hear of it */
    if (o->reserved)
        return RSQ_EINVAL;
    if (o->chunk_rows && !may_come_in_chunks(spec))
        return RSQ_EINVAL;
    return spec->tx ? submit_in(spec->tx, spec, o, out) : submit_to(db, spec, o, out);
}

/* --- one text, with `spec.rows` rows of parameters --- */

static rsq_code read_request(const char *sql, rsq_args args, size_t rows, const rsq_op_options *o,
                             rsq_request *rq)
{
    size_t sql_len;
    rsq_code code;

    if (!sql || !rsq_json_flags_are_valid(o->json))
        return RSQ_EINVAL;
    if (args.count && rows > SIZE_MAX / sizeof *args.values / args.count)
        return RSQ_EINVAL;
    code = rsq_sql_measure(sql, o->sql_len, &sql_len, NULL);
    if (code != RSQ_OK)
        return code;
    if (args.named)
        code = rsq_named_check(args.named, args.count, NULL);
    else
        code = rsq_values_check(args.values, rows * args.count, NULL);
    *rq = (rsq_request){.sql = sql,
                        .sql_len = sql_len,
                        .params = args.values,
                        .named = args.named,
                        .nparams = args.count,
                        .json = o->json,
                        .origin = o->origin,
                        .bytes_max = rsq_bytes_max(o->max_result_bytes)};
    return code;
}

static rsq_code submit_sql(rsq_db *db, rsq_op_spec spec, const char *sql, rsq_args args,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK)
        code = read_request(sql, args, spec.rows, &o, &rq);
    spec.requests = &rq;
    spec.count = 1;
    return code == RSQ_OK ? submit(db, &spec, &o, out) : code;
}

rsq_code rsq_select_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                          const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_CELLS, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_select_json_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                               const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_JSON, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_select_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_CELLS, .rows = 1};
    rsq_args args = {.named = named, .count = nnamed};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_select_json_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                     const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_JSON, .rows = 1};
    rsq_args args = {.named = named, .count = nnamed};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_execute_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_EXECUTE, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_execute_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                 const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_EXECUTE, .rows = 1};
    rsq_args args = {.named = named, .count = nnamed};

    return submit_sql(db, spec, sql, args, opts, out);
}

rsq_code rsq_execute_script_async(rsq_db *db, const char *sql, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_SCRIPT, .rows = 1};
    rsq_args none = {.count = 0};

    return submit_sql(db, spec, sql, none, opts, out);
}

rsq_code rsq_execute_batch_async(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows,
                                 size_t columns, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_BATCH, .rows = rows};
    rsq_args args = {.values = matrix, .count = columns};

    return submit_sql(db, spec, sql, args, opts, out);
}

/* --- several texts --- */

static rsq_code submit_all(rsq_db *db, rsq_op_spec spec, const rsq_query *queries, size_t count,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_request *requests = NULL;
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK)
        code = rsq_requests_read(queries, count, o.json, o.max_result_bytes, &requests, NULL);
    if (code == RSQ_OK) {
        requests[0].origin = o.origin; /* that of them all */
        spec.requests = requests;
        spec.count = count;
        spec.several = true;
        code = submit(db, &spec, &o, out);
    }
    rsq_free(requests);
    return code;
}

rsq_code rsq_select_all_async(rsq_db *db, const rsq_query *queries, size_t count, const rsq_op_options *opts,
                              rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ};

    return submit_all(db, spec, queries, count, opts, out);
}

rsq_code rsq_execute_all_async(rsq_db *db, const rsq_query *statements, size_t count,
                               const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_ALL};

    return submit_all(db, spec, statements, count, opts, out);
}

/* --- transactions --- */

/* What has no SQL has a name, which says who holds the writer. */
static rsq_code submit_named(rsq_db *db, rsq_op_spec spec, const char *name, const rsq_op_options *opts,
                             rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq = {.sql = name, .sql_len = strlen(name)};
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code != RSQ_OK)
        return code;
    rq.origin = o.origin;
    spec.requests = &rq;
    spec.count = 1;
    return submit(db, &spec, &o, out);
}

rsq_code rsq_begin_async(rsq_db *db, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_BEGIN};

    return submit_named(db, spec, "a transaction (rsq_begin_async)", opts, out);
}

/* --- on a transaction --- */

static rsq_code submit_step(rsq_tx *tx, rsq_op_kind kind, const char *name, const rsq_op_options *opts,
                            rsq_op **out)
{
    rsq_op_spec spec = {.kind = kind, .tx = tx};

    return tx ? submit_named(NULL, spec, name, opts, out) : RSQ_EINVAL;
}

rsq_code rsq_tx_savepoint_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_step(tx, RSQ_OP_SAVEPOINT, "rsq_tx_savepoint_async", opts, out);
}

rsq_code rsq_tx_release_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_step(tx, RSQ_OP_RELEASE, "rsq_tx_release_async", opts, out);
}

rsq_code rsq_tx_rollback_to_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_step(tx, RSQ_OP_ROLLBACK_TO, "rsq_tx_rollback_to_async", opts, out);
}

rsq_code rsq_commit_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_step(tx, RSQ_OP_COMMIT, "rsq_commit_async", opts, out);
}

rsq_code rsq_rollback_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out)
{
    return submit_step(tx, RSQ_OP_ROLLBACK, "rsq_rollback_async", opts, out);
}

static rsq_code submit_statement(rsq_tx *tx, rsq_op_spec spec, const char *sql, rsq_args args,
                                 const rsq_op_options *opts, rsq_op **out)
{
    spec.tx = tx;
    return tx ? submit_sql(NULL, spec, sql, args, opts, out) : RSQ_EINVAL;
}

rsq_code rsq_tx_select_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                             const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_CELLS, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_select_json_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                  const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_JSON, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_select_async_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                                   const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_READ, .shape = RSQ_SHAPE_CELLS, .rows = 1};
    rsq_args args = {.named = named, .count = nnamed};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_execute_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                              const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_EXECUTE, .rows = 1};
    rsq_args args = {.values = params, .count = nparams};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_execute_async_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                                    const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_EXECUTE, .rows = 1};
    rsq_args args = {.named = named, .count = nnamed};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_execute_batch_async(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                                    size_t columns, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_BATCH, .rows = rows};
    rsq_args args = {.values = matrix, .count = columns};

    return submit_statement(tx, spec, sql, args, opts, out);
}

rsq_code rsq_tx_execute_script_async(rsq_tx *tx, const char *sql, const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_SCRIPT, .rows = 1};
    rsq_args none = {.count = 0};

    return submit_statement(tx, spec, sql, none, opts, out);
}

rsq_code rsq_tx_execute_all_async(rsq_tx *tx, const rsq_query *statements, size_t count,
                                  const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_spec spec = {.kind = RSQ_OP_ALL, .tx = tx};

    return tx ? submit_all(NULL, spec, statements, count, opts, out) : RSQ_EINVAL;
}
