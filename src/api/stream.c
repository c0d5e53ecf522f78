/* Opening a live query: check the arguments, pin the database, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "base/error.h"

static rsq_code check_params(const rsq_value *params, size_t nparams, rsq_error *err)
{
    if (nparams && !params)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", nparams);
    for (size_t i = 0; i < nparams; i++) {
        if (params[i].type > RSQ_BLOB)
            return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has the unknown type %u", i + 1,
                                 params[i].type);
        if (params[i].type >= RSQ_TEXT && params[i].len && !params[i].as.blob)
            return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has %u bytes at NULL", i + 1, params[i].len);
    }
    return RSQ_OK;
}

rsq_code rsq_stream_open(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                         const rsq_stream_options *opts, rsq_stream **out, rsq_error *err)
{
    rsq_stream_options o;
    rsq_stream_spec spec;
    rsq_code code;

    if (!sql || !opts || !out)
        return rsq_error_set(err, RSQ_EINVAL, "the SQL, the options or out is NULL");
    code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK && !o.event)
        code = rsq_error_set(err, RSQ_EINVAL, "the option event is NULL");
    if (code == RSQ_OK)
        code = check_params(params, nparams, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    spec = (rsq_stream_spec){.sql = sql,
                             .sql_len = o.sql_len ? o.sql_len : strlen(sql),
                             .params = params,
                             .nparams = nparams,
                             .queue = o.queue ? o.queue : db->queue,
                             .event = o.event,
                             .ctx = o.ctx};
    code = rsq_streams_open(db->streams, &spec, out, err);
    rsq_db_unpin(db);
    return code;
}
