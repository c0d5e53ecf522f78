/* Interactive transactions: check the arguments, pin the database while one begins, pass on. */
#include "exec/begin.h"

#include "api/db.h"
#include "api/options.h"
#include "base/error.h"

rsq_code rsq_begin(rsq_db *db, const rsq_call_options *opts, rsq_tx **out, rsq_error *err)
{
    rsq_call_options o;
    rsq_code code;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK && (o.flags & ~(uint32_t)RSQ_CALL_MOVES))
        code = rsq_option_refuse("flags", err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_begun_start(db->core, &db->client, (o.flags & RSQ_CALL_MOVES) != 0, o.origin,
                           rsq_option_idle_ms(o.idle_timeout_ms), o.timeout_ms, out, err);
    rsq_db_unpin(db);
    return code;
}

static rsq_code check_handle(const rsq_tx *tx, rsq_error *err)
{
    if (!tx)
        return rsq_error_set(err, RSQ_EINVAL, "the transaction is NULL");
    if (!tx->begun)
        return rsq_error_set(err, RSQ_EMISUSE,
                             "a transaction function ends its transaction by what it returns");
    return RSQ_OK;
}

rsq_code rsq_commit(rsq_tx *tx, rsq_error *err)
{
    rsq_code code = check_handle(tx, err);

    return code == RSQ_OK ? rsq_begun_commit(tx->begun, false, err) : code;
}

rsq_code rsq_rollback(rsq_tx *tx, rsq_error *err)
{
    rsq_code code = tx ? check_handle(tx, err) : RSQ_OK;

    return tx && code == RSQ_OK ? rsq_begun_rollback(tx->begun, err) : code;
}
