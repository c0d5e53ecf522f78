/*
 * Where a call runs: in the transaction of the calling thread if there is one,
 * else on a leased reader, or on the writer when its turn has come.
 */
#include "base/error.h"
#include "exec/tx.h"

rsq_code rsq_core_select(rsq_core *core, const rsq_request *rq, rsq_shape shape, uint32_t timeout_ms,
                         rsq_result **out, rsq_error *err)
{
    rsq_lease lease = {0};
    rsq_code code;

    if (rsq_core_in_tx(core))
        return rsq_tx_run_select(core->writer.tx, rq, shape, out, err);
    code = rsq_core_lease(core, rq, rsq_core_timeout(core, timeout_ms), &lease, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_select(lease.conn, rq, shape, out, err);
    rsq_core_release(core, &lease);
    return code;
}

static rsq_code take_turn(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_error *err)
{
    if (!core->writable)
        return rsq_error_set(err, RSQ_EREADONLY, "the database is open read-only");
    return rsq_writer_acquire(&core->writer, rq->sql, rq->sql_len, rsq_core_timeout(core, timeout_ms), err);
}

rsq_code rsq_core_execute(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                          rsq_error *err)
{
    rsq_code code;

    if (rsq_core_in_tx(core))
        return rsq_tx_run_execute(core->writer.tx, rq, out, err);
    code = take_turn(core, rq, timeout_ms, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute(core->writer.conn, rq, out, err);
    rsq_writer_release(&core->writer);
    return code;
}

rsq_code rsq_core_execute_batch(rsq_core *core, const rsq_request *rq, size_t rows, uint32_t timeout_ms,
                                rsq_result **out, rsq_error *err)
{
    rsq_code code;

    if (rsq_core_in_tx(core))
        return rsq_tx_run_batch(core->writer.tx, rq, rows, out, err);
    code = take_turn(core, rq, timeout_ms, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_batch(core->writer.conn, rq, rows, out, err);
    rsq_writer_release(&core->writer);
    return code;
}
