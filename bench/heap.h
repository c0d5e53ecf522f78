/*
 * Counting heap allocations: of the library, of the baseline and of SQLite alike.
 * The linker sends every reference to malloc(), calloc() and realloc() in the
 * program's own objects here (--wrap, see meson.build); those inside the C library
 * are not seen.
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stdint.h>

/* Allocations that the calling thread has made so far. */
uint64_t bench_heap_allocations(void);

/* The same of all threads, those that have ended included. Exact once they are at rest. */
uint64_t bench_heap_allocations_all(void);

#endif
