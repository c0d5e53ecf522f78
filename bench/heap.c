/*
 * Counting heap allocations; see heap.h. The names with __wrap_ and __real_ are the
 * linker's.
 *
 * A thread counts in a line of its own, so that counting costs an addition and no
 * thread waits for another's cache line. Lines are handed out once and never come
 * back; the threads after the last share it.
 */
#include "heap.h"

#include <stdatomic.h>
#include <stddef.h>

#define LINES 256

typedef struct line {
    _Alignas(64) _Atomic uint64_t allocations; /* written by its thread, but for the last; read by any */
} line;

static line lines[LINES];
static _Atomic unsigned handed_out;
static _Thread_local line *mine;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

static line *own_line(void)
{
    if (!mine) {
        unsigned i = atomic_fetch_add_explicit(&handed_out, 1, memory_order_relaxed);

        mine = &lines[i < LINES ? i : LINES - 1];
    }
    return mine;
}

static void count(void)
{
    line *l = own_line();
    uint64_t so_far = atomic_load_explicit(&l->allocations, memory_order_relaxed);

    if (l == &lines[LINES - 1])
        atomic_fetch_add_explicit(&l->allocations, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&l->allocations, so_far + 1, memory_order_relaxed);
}

void *__wrap_malloc(size_t size)
{
    count();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    count();
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    count();
    return __real_realloc(p, size);
}

uint64_t bench_heap_allocations(void)
{
    return atomic_load_explicit(&own_line()->allocations, memory_order_relaxed);
}

uint64_t bench_heap_allocations_all(void)
{
    uint64_t all = 0;

    for (size_t i = 0; i < LINES; i++)
        all += atomic_load_explicit(&lines[i].allocations, memory_order_relaxed);
    return all;
}
