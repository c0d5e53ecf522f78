/* Asynchronous calls: check the arguments, pin the database for the submission, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/alloc.h"
#include "exec/op.h"

static rsq_code submit(rsq_db *db, const rsq_query *queries, size_t count, bool several, rsq_shape shape,
                       const rsq_op_options *o, rsq_op **out)
{
    rsq_op_spec spec = {.count = count,
                        .several = several,
                        .shape = shape,
                        .timeout_ms = o->timeout_ms,
                        .done = o->done,
                        .ctx = o->ctx};
    rsq_request *requests = NULL;
    rsq_code code;

    if (!out && !o->done)
        return RSQ_EINVAL; /* nobody would hear of it */
    code = rsq_requests_read(queries, count, o->json, o->max_result_bytes, &requests, NULL);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, NULL);
    if (code == RSQ_OK) {
        spec.requests = requests;
        spec.queue = o->queue ? o->queue : db->queue;
        code = rsq_op_submit(db->core, &spec, out);
        rsq_db_unpin(db);
    }
    rsq_free(requests);
    return code;
}

static rsq_code submit_one(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                           rsq_shape shape, const rsq_op_options *opts, rsq_op **out)
{
    rsq_query query = {.sql = sql, .params = params, .nparams = nparams};
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    if (code != RSQ_OK)
        return code;
    query.sql_len = o.sql_len;
    return submit(db, &query, 1, false, shape, &o, out);
}

rsq_code rsq_select_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                          const rsq_op_options *opts, rsq_op **out)
{
    return submit_one(db, sql, params, nparams, RSQ_SHAPE_CELLS, opts, out);
}

rsq_code rsq_select_json_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                               const rsq_op_options *opts, rsq_op **out)
{
    return submit_one(db, sql, params, nparams, RSQ_SHAPE_JSON, opts, out);
}

rsq_code rsq_select_all_async(rsq_db *db, const rsq_query *queries, size_t count, const rsq_op_options *opts,
                              rsq_op **out)
{
    rsq_op_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, NULL);

    return code == RSQ_OK ? submit(db, queries, count, true, RSQ_SHAPE_CELLS, &o, out) : code;
}
