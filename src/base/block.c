#include "base/block.h"

#include "base/pool.h"

/* 4 KiB … 128 MiB. */
static rsq_pool blocks = RSQ_POOL_INIT(RSQ_BLOCK_MIN, 16, RSQ_BLOCK_KEEP_MAX);

rsq_block *rsq_block_new(size_t size)
{
    size_t total = size + sizeof(rsq_block);
    rsq_block *b;

    if (total < size)
        return NULL;
    b = rsq_pool_take(&blocks, total, &total);
    if (!b)
        return NULL;
    b->next = NULL;
    b->capacity = total - sizeof *b;
    b->used = 0;
    return b;
}

void rsq_block_free_all(rsq_block *first)
{
    while (first) {
        rsq_block *next = first->next;

        rsq_pool_give(&blocks, first, first->capacity + sizeof *first);
        first = next;
    }
}
