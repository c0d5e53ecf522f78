/* Counting locks; see locks.h. The names with __wrap_ and __real_ are the linker's. */
#define _POSIX_C_SOURCE 200809L /* pthread_mutex_t */

#include "locks.h"

#include <pthread.h>

static _Thread_local uint64_t locks;

int __real_pthread_mutex_lock(pthread_mutex_t *mu);
int __real_pthread_mutex_trylock(pthread_mutex_t *mu);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mu);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mu);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mu)
{
    locks++;
    return __real_pthread_mutex_lock(mu);
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mu)
{
    locks++;
    return __real_pthread_mutex_trylock(mu);
}

uint64_t bench_locks(void)
{
    return locks;
}
