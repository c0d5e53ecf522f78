/*
 * Threads, mutexes, condition variables and the clock, as thin names over
 * POSIX. Mutexes are never held across SQLite, files or user code, so a failing
 * lock is a programming error and ends in an assertion.
 */
#ifndef RSQ_PLAT_THREAD_H
#define RSQ_PLAT_THREAD_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef pthread_mutex_t rsq_mutex;
typedef pthread_cond_t rsq_cond; /* waits on the monotonic clock */
typedef pthread_t rsq_thread;

#define RSQ_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define RSQ_COND_INIT PTHREAD_COND_INITIALIZER /* only for waits without a deadline */
#define RSQ_NO_DEADLINE INT64_MAX
#define RSQ_NO_TIMEOUT UINT32_MAX

void rsq_mutex_init(rsq_mutex *m);
void rsq_mutex_fini(rsq_mutex *m);

/* Inline: a point read takes four of them. */
static inline void rsq_mutex_lock(rsq_mutex *m)
{
    int rc = pthread_mutex_lock(m);

    assert(rc == 0);
    (void)rc;
}

static inline void rsq_mutex_unlock(rsq_mutex *m)
{
    int rc = pthread_mutex_unlock(m);

    assert(rc == 0);
    (void)rc;
}

void rsq_cond_init(rsq_cond *c);
void rsq_cond_fini(rsq_cond *c);
void rsq_cond_signal(rsq_cond *c);
void rsq_cond_broadcast(rsq_cond *c);

/* Wait until signalled or until rsq_now_ns() passes `deadline_ns`; false: it passed. */
bool rsq_cond_wait_until(rsq_cond *c, rsq_mutex *m, int64_t deadline_ns);

/* Start a thread with all signals blocked, so that it never takes the program's. 0, or an errno. */
int rsq_thread_start(rsq_thread *t, void *(*fn)(void *), void *ctx);
void rsq_thread_join(rsq_thread t);

/* A number that names the calling thread, and no other one before or after it; never 0. */
uintptr_t rsq_thread_self(void);

/* Monotonic time in nanoseconds. */
int64_t rsq_now_ns(void);

/* The same within a few milliseconds, several times cheaper: for ages in messages. */
int64_t rsq_now_coarse_ns(void);

/* rsq_now_ns() + `ms`; RSQ_NO_DEADLINE for RSQ_NO_TIMEOUT. */
int64_t rsq_deadline_ns(uint32_t ms);

/* The other way round: milliseconds that are left, at least 1, and rounded up, since a limit is not over
 * before its time. */
uint32_t rsq_ms_until(int64_t deadline_ns);

/* Processors this process may run on, at least 1. */
unsigned rsq_processors(void);

#endif
