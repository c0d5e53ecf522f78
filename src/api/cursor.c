/* Reads in chunks: check the arguments, pin the database, pass on. */
#include "exec/cursor.h"

#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/error.h"
#include "base/values.h"
#include "exec/tx.h"

#define CHUNK_ROWS_DEFAULT 1000
rsq_code rsq_cursor_open(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                         const rsq_call_options *opts, rsq_cursor **out, rsq_error *err)
{
    rsq_args args = {.values = params, .count = nparams};
    rsq_call_options o;
    rsq_code code;
    rsq_call c;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = rsq_call_read(&c, sql, args, opts, err);
    if (code == RSQ_OK)
        code = rsq_values_check(params, nparams, err);
    if (code == RSQ_OK)
        code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.request.client = &db->client;
    if (rsq_tx_here(db->core))
        code = rsq_error_set(err, RSQ_EMISUSE, "a cursor would not see what the transaction wrote");
    else
        code = rsq_cursor_start(db->core, &c.request, o.chunk_rows ? o.chunk_rows : CHUNK_ROWS_DEFAULT,
                                rsq_option_idle_ms(o.idle_timeout_ms), c.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

static rsq_code next_shape(rsq_cursor *cursor, rsq_shape shape, rsq_result **out, rsq_error *err)
{
    if (!cursor || !out)
        return rsq_error_set(err, RSQ_EINVAL, "the cursor or out is NULL");
    return rsq_cursor_run(cursor, shape, out, err);
}

rsq_code rsq_cursor_next(rsq_cursor *cursor, rsq_result **out, rsq_error *err)
{
    return next_shape(cursor, RSQ_SHAPE_CELLS, out, err);
}

rsq_code rsq_cursor_next_json(rsq_cursor *cursor, rsq_result **out, rsq_error *err)
{
    return next_shape(cursor, RSQ_SHAPE_JSON, out, err);
}

void rsq_cursor_close(rsq_cursor *cursor)
{
    if (cursor)
        rsq_cursor_finish(cursor);
}
