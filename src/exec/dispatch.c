/*
 * Where a call runs: in the transaction of the calling thread if there is one,
 * else on a leased reader, or on the writer when its turn has come.
 */
#include "base/error.h"
#include "exec/begin.h"
#include "exec/tx.h"
#include "result/result.h"

/* All requests in the snapshot that is open; on failure no result is left. */
static rsq_code select_each(rsq_conn *conn, const rsq_request *requests, size_t count, rsq_shape shape,
                            rsq_result **results, rsq_error *err)
{
    for (size_t i = 0; i < count; i++) {
        rsq_code code = rsq_conn_select(conn, &requests[i], shape, &results[i], err);

        if (code == RSQ_OK)
            continue;
        if (err)
            err->row = (int64_t)i;
        rsq_results_drop(results, i);
        return code;
    }
    return RSQ_OK;
}

rsq_code rsq_core_select_stoppable(rsq_conn *conn, const rsq_request *requests, size_t count, rsq_shape shape,
                                   rsq_stop *stop, rsq_result **results, rsq_error *err)
{
    rsq_code code;

    if (!rsq_stop_enter(stop, conn))
        return rsq_stop_error(rsq_stop_why(stop), err);
    code = select_each(conn, requests, count, shape, results, err);
    rsq_stop_leave(stop);
    return rsq_stop_verdict(stop, code, err);
}

rsq_code rsq_core_select_on(rsq_core *core, rsq_conn *conn, const rsq_request *requests, size_t count,
                            rsq_shape shape, uint32_t timeout_ms, rsq_result **results, rsq_error *err)
{
    rsq_stop stop;
    rsq_code code;

    if (!timeout_ms)
        return select_each(conn, requests, count, shape, results, err);
    /* With a limit of the caller's, the timer's thread interrupts what still runs then. */
    code = rsq_timer_ensure(&core->timer, err);
    if (code != RSQ_OK)
        return code;
    rsq_stop_init(&stop, &core->timer, timeout_ms, NULL);
    code = rsq_core_select_stoppable(conn, requests, count, shape, &stop, results, err);
    rsq_stop_detach(&stop);
    rsq_stop_fini(&stop);
    return code;
}

static rsq_code select_leased(rsq_core *core, const rsq_request *requests, size_t count, rsq_shape shape,
                              uint32_t timeout_ms, rsq_result **results, rsq_error *err)
{
    int64_t deadline_ns = timeout_ms ? rsq_deadline_ns(timeout_ms) : RSQ_NO_DEADLINE;
    uint32_t wait_ms = rsq_core_timeout(core, timeout_ms);
    rsq_lease lease = {0};
    rsq_code code = count == 1 ? rsq_core_lease_alone(core, &requests[0], wait_ms, &lease, err)
                               : rsq_core_lease(core, &requests[0], wait_ms, &lease, err);

    if (code != RSQ_OK)
        return code;
    rsq_core_limit_age(core, &lease);
    code = rsq_core_select_on(core, lease.conn, requests, count, shape,
                              timeout_ms ? rsq_ms_until(deadline_ns) : 0, results, err);
    code = rsq_core_age_verdict(core, &lease, code, err);
    rsq_core_release(core, &lease);
    return code;
}

rsq_code rsq_core_select(rsq_core *core, const rsq_request *rq, rsq_shape shape, uint32_t timeout_ms,
                         rsq_result **out, rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);
    rsq_result *r = NULL;
    rsq_code code;

    if (here)
        code = rsq_tx_run_select(here, rq, shape, timeout_ms, &r, err);
    else
        code = select_leased(core, rq, 1, shape, timeout_ms, &r, err);
    if (code == RSQ_OK)
        *out = r;
    else if (err)
        err->row = -1; /* there is but one */
    return code;
}

/* What the transaction wrote is one state for all of them, since only this thread could change it. */
static rsq_code select_all_in_tx(rsq_tx *tx, const rsq_request *requests, size_t count, uint32_t timeout_ms,
                                 rsq_result **results, rsq_error *err)
{
    for (size_t i = 0; i < count; i++) {
        rsq_code code = rsq_tx_run_select(tx, &requests[i], RSQ_SHAPE_CELLS, timeout_ms, &results[i], err);

        if (code == RSQ_OK)
            continue;
        if (err)
            err->row = (int64_t)i;
        rsq_results_drop(results, i);
        return code;
    }
    return RSQ_OK;
}

rsq_code rsq_core_select_all(rsq_core *core, const rsq_request *requests, size_t count, uint32_t timeout_ms,
                             rsq_result **results, rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);

    if (here)
        return select_all_in_tx(here, requests, count, timeout_ms, results, err);
    return select_leased(core, requests, count, RSQ_SHAPE_CELLS, timeout_ms, results, err);
}

rsq_code rsq_core_may_write(const rsq_client *client, rsq_error *err)
{
    if (client->readonly)
        return rsq_error_set(err, RSQ_EREADONLY, "the database is open read-only");
    return RSQ_OK;
}

static rsq_code take_turn(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_error *err)
{
    return rsq_core_take_turn(core, rq->client, rq->sql, rq->sql_len, rsq_core_timeout(core, timeout_ms),
                              err);
}

rsq_code rsq_core_execute(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_result **out,
                          rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);
    rsq_code code = rsq_core_may_write(rq->client, err);

    if (code != RSQ_OK)
        return code;
    if (here)
        return rsq_tx_run_execute(here, rq, out, err);
    code = rsq_begun_check_wait(core, err);
    if (code != RSQ_OK)
        return code;
    return rsq_writer_execute(&core->writer, rq, rsq_core_timeout(core, timeout_ms), out, err);
}

rsq_code rsq_core_execute_batch(rsq_core *core, const rsq_request *rq, size_t rows, uint32_t timeout_ms,
                                rsq_result **out, rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);
    rsq_code code = rsq_core_may_write(rq->client, err);

    if (code != RSQ_OK)
        return code;
    if (here)
        return rsq_tx_run_batch(here, rq, rows, out, err);
    code = take_turn(core, rq, timeout_ms, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_batch(core->writer.conn, rq, rows, out, err);
    rsq_writer_release(&core->writer);
    return code;
}

rsq_code rsq_core_execute_all(rsq_core *core, const rsq_request *requests, size_t count, uint32_t timeout_ms,
                              rsq_result **results, rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);
    rsq_code code = rsq_core_may_write(requests[0].client, err);

    if (code != RSQ_OK)
        return code;
    if (here)
        return rsq_tx_run_all(here, requests, count, results, err);
    code = take_turn(core, &requests[0], timeout_ms, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_all(core->writer.conn, requests, count, results, err);
    rsq_writer_release(&core->writer);
    return code;
}

rsq_code rsq_core_execute_script(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_error *err)
{
    rsq_tx *here = rsq_tx_here(core);
    rsq_code code = rsq_core_may_write(rq->client, err);

    if (code != RSQ_OK)
        return code;
    if (here)
        return rsq_tx_run_script(here, rq, err);
    code = take_turn(core, rq, timeout_ms, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_execute_script(core->writer.conn, rq, err);
    rsq_writer_release(&core->writer);
    return code;
}
