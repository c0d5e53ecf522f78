/*
 * The inside of an rsq_tx: one level of the transaction that runs. A function's
 * lives on the stack of the call that runs the function, on its thread, and
 * only there; an interactive one is a part of its rsq_begun.
 */
#ifndef RSQ_EXEC_TX_H
#define RSQ_EXEC_TX_H

#include "exec/core.h"

struct rsq_tx {
    rsq_core *core;           /* borrowed; open while the transaction runs */
    const rsq_client *client; /* borrowed: the handle that began it */
    struct rsq_tx
        *around; /* borrowed: the next one that runs on this thread, of whatever database; NULL: none */
    struct rsq_begun *begun; /* borrowed: the interactive transaction that it is; NULL: a function's */
    unsigned depth;          /* 0: the transaction itself, else the newest savepoint's number */
    unsigned points;         /* of these, opened by rsq_tx_savepoint() on this level */
    uintptr_t thread;        /* whose it is, if a function's */
    rsq_error last;          /* of the last call on it that failed, but for RSQ_EMISUSE; code 0: none did */
};

/* The innermost transaction of that database that runs on the calling thread; NULL: none. */
rsq_tx *rsq_tx_here(const rsq_core *core);

/* Is a transaction that this handle began running here? It need not be open. */
bool rsq_tx_runs_for(const rsq_client *client);

/* What to say of a transaction that SQLite rolled back by itself; RSQ_ESQL. */
rsq_code rsq_tx_lost(const rsq_tx *tx, rsq_error *err);

/* Run `fn` in a savepoint inside `tx`. */
rsq_code rsq_tx_run_nested(rsq_tx *tx, rsq_tx_fn fn, void *ctx, rsq_error *err);

/* One call each, on the writer's connection. */
rsq_code rsq_tx_run_select(rsq_tx *tx, const rsq_request *rq, rsq_shape shape, uint32_t timeout_ms,
                           rsq_result **out, rsq_error *err);
rsq_code rsq_tx_run_select_stoppable(rsq_tx *tx, const rsq_request *rq, rsq_shape shape, rsq_stop *stop,
                                     rsq_result **out, rsq_error *err);
rsq_code rsq_tx_run_execute(rsq_tx *tx, const rsq_request *rq, rsq_result **out, rsq_error *err);
rsq_code rsq_tx_run_batch(rsq_tx *tx, const rsq_request *rq, size_t rows, rsq_result **out, rsq_error *err);
rsq_code rsq_tx_run_all(rsq_tx *tx, const rsq_request *requests, size_t count, rsq_result **results,
                        rsq_error *err);
rsq_code rsq_tx_run_script(rsq_tx *tx, const rsq_request *rq, rsq_error *err);

/* Savepoints without a function: open one more, keep the newest, undo it. */
rsq_code rsq_tx_run_savepoint(rsq_tx *tx, rsq_error *err);
rsq_code rsq_tx_run_release(rsq_tx *tx, rsq_error *err);
rsq_code rsq_tx_run_rollback_to(rsq_tx *tx, rsq_error *err);

#endif
