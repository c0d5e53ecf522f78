/*
 * An asynchronous write: an op that waits in the writer's line. The writer's
 * thread, or whoever has the turn, runs it and completes the op after the commit.
 */
#ifndef RSQ_EXEC_OP_WRITE_H
#define RSQ_EXEC_OP_WRITE_H

#include "exec/op.h"

typedef struct rsq_op_write {
    rsq_op *op; /* borrowed: it holds this */
    rsq_op_kind kind;
    rsq_write write;
    size_t rows;      /* of a batch */
    uint32_t idle_ms; /* of a transaction that is begun */
} rsq_op_write;

/* Zeroed before; after the op's requests were copied. When the write is done, it drops the op's reference of
 * the job. */
void rsq_op_write_init(rsq_op_write *ow, rsq_op *op, const rsq_op_spec *spec);

#endif
