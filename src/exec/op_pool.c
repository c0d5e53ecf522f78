#include "exec/op_pool.h"

#include "base/alloc.h"
#include "plat/thread.h"

/* Sizes of blocks: powers of two. The largest holds an op with 64 KiB of parameters and some SQL. */
#define SMALLEST ((size_t)512)
#define CLASSES 9

/* Bytes in free blocks at most. */
#define KEEP_MAX ((size_t)16 << 20)

typedef struct free_block {
    struct free_block *next;
} free_block;

/* Under `mu`. */
static struct {
    rsq_mutex mu;
    free_block *free[CLASSES]; /* owned */
    size_t kept;
} pool = {.mu = RSQ_MUTEX_INIT};

static unsigned class_of(size_t size)
{
    unsigned class = 0;

    while (class < CLASSES && SMALLEST << class < size)
        class ++;
    return class;
}

void *rsq_op_block_new(size_t size, bool recycled, size_t *capacity)
{
    unsigned class = recycled ? class_of(size) : CLASSES;
    free_block *block = NULL;

    *capacity = class < CLASSES ? SMALLEST << class : size;
    if (class < CLASSES) {
        rsq_mutex_lock(&pool.mu);
        block = pool.free[class];
        if (block) {
            pool.free[class] = block->next;
            pool.kept -= *capacity;
        }
        rsq_mutex_unlock(&pool.mu);
    }
    return block ? block : rsq_alloc(*capacity);
}

void rsq_op_block_free(void *block, size_t capacity)
{
    unsigned class = class_of(capacity);
    free_block *b = block;

    if (class < CLASSES && SMALLEST << class == capacity) {
        rsq_mutex_lock(&pool.mu);
        if (pool.kept + capacity <= KEEP_MAX) {
            b->next = pool.free[class];
            pool.free[class] = b;
            pool.kept += capacity;
            b = NULL;
        }
        rsq_mutex_unlock(&pool.mu);
    }
    rsq_free(b);
}
