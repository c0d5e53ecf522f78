/*
 * Memory for ops: one block for an op and all that it copies, recycled, so that
 * submitting a call with small parameters allocates nothing once the program
 * runs. Process-wide, since an op may outlive its database. Thread: any.
 */
#ifndef RSQ_EXEC_OP_POOL_H
#define RSQ_EXEC_OP_POOL_H

#include <stdbool.h>
#include <stddef.h>

/* At least `size` bytes; NULL: no memory. `recycled` false: a plain allocation of just that. */
void *rsq_op_block_new(size_t size, bool recycled, size_t *capacity);

/* `capacity` as it was told. */
void rsq_op_block_free(void *block, size_t capacity);

#endif
