#include "exec/op_tx.h"

#include <assert.h>
#include <stddef.h>

#include "base/error.h"
#include "exec/begin.h"
#include "exec/tx.h"

/* Once it is the transaction's turn, and not at all if it was asked to stop before. */
static rsq_code run_write(rsq_op *op, rsq_error *err)
{
    const rsq_request *rq = &op->requests[0];

    switch (op->kind) {
    case RSQ_OP_EXECUTE:
        return rsq_tx_run_execute(op->tx, rq, &op->results[0], err);
    case RSQ_OP_BATCH:
        return rsq_tx_run_batch(op->tx, rq, op->rows, &op->results[0], err);
    case RSQ_OP_ALL:
        return rsq_tx_run_all(op->tx, rq, op->count, op->results, err);
    case RSQ_OP_SCRIPT:
        return rsq_tx_run_script(op->tx, rq, err);
    case RSQ_OP_SAVEPOINT:
        return rsq_tx_run_savepoint(op->tx, err);
    case RSQ_OP_RELEASE:
        return rsq_tx_run_release(op->tx, err);
    case RSQ_OP_ROLLBACK_TO:
        return rsq_tx_run_rollback_to(op->tx, err);
    case RSQ_OP_COMMIT:
        return rsq_begun_commit(op->tx->begun, true, err);
    default:
        assert(op->kind == RSQ_OP_ROLLBACK);
        return rsq_begun_rollback(op->tx->begun, err);
    }
}

static rsq_code run(rsq_op *op, rsq_error *err)
{
    if (op->kind == RSQ_OP_READ)
        return rsq_tx_run_select_stoppable(op->tx, &op->requests[0], op->shape, &op->stop, &op->results[0],
                                           err);
    /* Interrupted, a write would take the transaction with it: one that has begun runs to its end. */
    if (!rsq_stop_begin(&op->stop))
        return rsq_stop_error(rsq_stop_why(&op->stop), err);
    return run_write(op, err);
}

void rsq_op_tx_run(rsq_job *job)
{
    rsq_op *op = (rsq_op *)(void *)((char *)job - offsetof(rsq_op, job));
    rsq_begun *b = op->tx->begun;
    rsq_core *core = op->core;
    rsq_client *client = (rsq_client *)(uintptr_t)b->tx.client;
    bool runs = rsq_stop_why(&op->stop) == RSQ_OK;
    rsq_code code = RSQ_OK;
    rsq_error error;

    if (runs)
        code = run(op, &error);
    rsq_begun_ran(b); /* only now: until it has run a blocking commit would overtake it */
    if (runs) {
        if (code != RSQ_OK && op->kind != RSQ_OP_BATCH && op->kind != RSQ_OP_ALL)
            error.row = -1; /* there is but one */
        rsq_op_complete(op, code, &error);
    }
    rsq_stop_detach(&op->stop);
    rsq_op_unref(op);
    rsq_begun_unref(b);
    rsq_writer_answered(&core->writer, client);
}
