/*
 * Blocks: the memory of results.
 *
 * A result's cells and bytes are written straight into blocks, and the blocks
 * then belong to the result: handing over a large result moves a few pointers
 * and copies nothing. Sizes are powers of two from 4 KiB, and freed blocks are
 * kept for the next result, up to RSQ_BLOCK_KEEP_MAX bytes in the process:
 * fresh memory from the system costs a page fault for each 4 KiB, about as much
 * as filling it.
 *
 * The cache is process-wide because results outlive their database. Thread: any.
 */
#ifndef RSQ_BASE_BLOCK_H
#define RSQ_BASE_BLOCK_H

#include <stddef.h>

#define RSQ_BLOCK_MIN ((size_t)4096)
#define RSQ_BLOCK_KEEP_MAX ((size_t)32 << 20)

typedef struct rsq_block {
    struct rsq_block *next; /* owned: the next block of the same owner */
    size_t capacity;        /* usable bytes */
    size_t used;
    size_t unused_padding; /* keeps the bytes 16-aligned */
} rsq_block;

static inline char *rsq_block_bytes(rsq_block *b)
{
    return (char *)(b + 1);
}

/* A block with room for at least `size` bytes, `used` zero; NULL: no memory. */
rsq_block *rsq_block_new(size_t size);

/* Frees the block and all after it. NULL is a no-op. */
void rsq_block_free_all(rsq_block *first);

#endif
