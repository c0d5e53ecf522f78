#include "base/block.h"

#include "base/alloc.h"
#include "plat/thread.h"

#define CLASSES 16 /* 4 KiB … 128 MiB; larger blocks are never kept */

/* Under `mu`. */
static struct {
    rsq_mutex mu;
    rsq_block *free[CLASSES]; /* owned; stacks linked by `next` */
    size_t kept;
} cache = {.mu = RSQ_MUTEX_INIT};

static size_t class_bytes(unsigned class)
{
    return RSQ_BLOCK_MIN << class;
}

/* The smallest class whose whole allocation holds `total` bytes; CLASSES if none. */
static unsigned class_of(size_t total)
{
    unsigned class = 0;

    while (class < CLASSES && class_bytes(class) < total)
        class ++;
    return class;
}

static rsq_block *take_kept(unsigned class)
{
    rsq_block *b;

    rsq_mutex_lock(&cache.mu);
    b = cache.free[class];
    if (b) {
        cache.free[class] = b->next;
        cache.kept -= class_bytes(class);
    }
    rsq_mutex_unlock(&cache.mu);
    return b;
}

rsq_block *rsq_block_new(size_t size)
{
    size_t total = size + sizeof(rsq_block);
    unsigned class = class_of(total);
    rsq_block *b = NULL;

    if (total < size)
        return NULL;
    if (class < CLASSES) {
        total = class_bytes(class);
        b = take_kept(class);
    }
    if (!b)
        b = rsq_alloc(total);
    if (!b)
        return NULL;
    b->next = NULL;
    b->capacity = total - sizeof *b;
    b->used = 0;
    return b;
}

static void free_one(rsq_block *b)
{
    size_t total = b->capacity + sizeof *b;
    unsigned class = class_of(total);

    if (class < CLASSES && class_bytes(class) == total) {
        rsq_mutex_lock(&cache.mu);
        if (cache.kept + total <= RSQ_BLOCK_KEEP_MAX) {
            b->next = cache.free[class];
            cache.free[class] = b;
            cache.kept += total;
            b = NULL;
        }
        rsq_mutex_unlock(&cache.mu);
    }
    rsq_free(b);
}

void rsq_block_free_all(rsq_block *first)
{
    while (first) {
        rsq_block *next = first->next;

        free_one(first);
        first = next;
    }
}
