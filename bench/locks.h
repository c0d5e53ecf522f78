/*
 * Counting locks of mutexes, of the library, of the baseline and of SQLite alike:
 * the linker sends every reference to pthread_mutex_lock() and its like here
 * (--wrap, see meson.build).
 */
#ifndef BENCH_LOCKS_H
#define BENCH_LOCKS_H

#include <stdint.h>

/* Mutexes that the calling thread has locked so far. */
uint64_t bench_locks(void);

#endif
