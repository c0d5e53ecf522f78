/* Asynchronous calls: check the arguments, pin the database for the submission, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "base/values.h"
#include "exec/op.h"

#define IDLE_MS_DEFAULT 30000

/* The requests are checked. */
static rsq_code submit(rsq_db *db, const rsq_request *requests, size_t count, bool several, rsq_shape shape,
                       const rsq_op_options *o, rsq_op **out)
{
    rsq_op_spec spec = {.requests = requests,
                        .count = count,
                        .several = several,
                        .shape = shape,
                        .timeout_ms = o->timeout_ms,
                        .chunk_rows = o->chunk_rows,
                        .idle_ms = o->idle_timeout_ms ? o->idle_timeout_ms : IDLE_MS_DEFAULT,
                        .done = o->done,
                        .ctx = o->ctx};
    rsq_code code;

    if (!out && !o->done)
        return RSQ_EINVAL; /* nobody would hear of it */
    code = rsq_db_pin(db, NULL);
    if (code != RSQ_OK)
        return code;
    spec.queue = o->queue ? o->queue : db->queue;
    code = rsq_op_submit(db->core, &spec, out);
    rsq_db_unpin(db);
    return code;
}

static rsq_code submit_one(rsq_db *db, const char *sql, rsq_args args, rsq_shape shape,
                           const rsq_op_options *opts, rsq_op **out)
{
    rsq_op_options o;
    rsq_request rq = {.sql = sql, .params = args.values, .named = args.named, .nparams = args.count};
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code == RSQ_OK && (!sql || !rsq_json_flags_are_valid(o.json)))
        code = RSQ_EINVAL;
    if (code == RSQ_OK && args.named)
        code = rsq_named_check(args.named, args.count, NULL);
    else if (code == RSQ_OK)
        code = rsq_values_check(args.values, args.count, NULL);
    if (code != RSQ_OK)
        return code;
    rq.sql_len = o.sql_len ? o.sql_len : strlen(sql);
    rq.json = o.json;
    rq.bytes_max = rsq_bytes_max(o.max_result_bytes);
    return submit(db, &rq, 1, false, shape, &o, out);
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
        code = submit(db, requests, count, true, RSQ_SHAPE_CELLS, &o, out);
    rsq_free(requests);
    return code;
}
