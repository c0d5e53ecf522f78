/* Opening a live query: check the arguments, pin the database, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "base/error.h"
#include "base/values.h"

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
        code = rsq_values_check(params, nparams, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    spec = (rsq_stream_spec){.key = {.sql = sql,
                                     .sql_len = o.sql_len ? o.sql_len : strlen(sql),
                                     .params = params,
                                     .nparams = nparams},
                             .queue = o.queue ? o.queue : db->queue,
                             .event = o.event,
                             .ctx = o.ctx};
    code = rsq_streams_open(db->streams, &spec, out, err);
    rsq_db_unpin(db);
    return code;
}
