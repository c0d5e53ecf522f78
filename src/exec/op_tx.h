/*
 * An asynchronous call on an interactive transaction: an op that the writer's
 * thread runs, which has nothing else to do while such a transaction has the
 * turn. It is one thread, so they run in the order in which they were submitted.
 */
#ifndef RSQ_EXEC_OP_TX_H
#define RSQ_EXEC_OP_TX_H

#include "exec/op.h"

/* The job of such an op. */
void rsq_op_tx_run(rsq_job *job);

#endif
