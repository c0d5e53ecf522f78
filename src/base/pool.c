#include "base/pool.h"

#include <assert.h>

#include "base/alloc.h"

/* Which of the sizes holds so many bytes; `sizes`: none. */
static unsigned size_for(const rsq_pool *p, size_t bytes)
{
    unsigned i = 0;

    assert(p->sizes <= RSQ_POOL_SIZES_MAX);
    while (i < p->sizes && p->smallest << i < bytes)
        i++;
    return i;
}

static void *take_kept(rsq_pool *p, unsigned i)
{
    rsq_pool_free *memory;

    rsq_mutex_lock(&p->mu);
    memory = p->free[i];
    if (memory) {
        p->free[i] = memory->next;
        p->kept -= p->smallest << i;
    }
    rsq_mutex_unlock(&p->mu);
    return memory;
}

void *rsq_pool_take(rsq_pool *p, size_t size, size_t *capacity)
{
    unsigned i = size_for(p, size);
    void *memory = NULL;

    *capacity = size;
    if (i < p->sizes) {
        *capacity = p->smallest << i;
        memory = take_kept(p, i);
    }
    return memory ? memory : rsq_alloc(*capacity);
}

void rsq_pool_give(rsq_pool *p, void *memory, size_t capacity)
{
    unsigned i = size_for(p, capacity);
    rsq_pool_free *m = memory;

    if (i < p->sizes && p->smallest << i == capacity) {
        rsq_mutex_lock(&p->mu);
        if (p->kept + capacity <= p->keep_max) {
            m->next = p->free[i];
            p->free[i] = m;
            p->kept += capacity;
            m = NULL;
        }
        rsq_mutex_unlock(&p->mu);
    }
    rsq_free(m);
}
