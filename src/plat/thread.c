#include "plat/thread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static void must_be_zero(int rc)
{
    assert(rc == 0);
    (void)rc;
}

void rsq_mutex_init(rsq_mutex *m)
{
    must_be_zero(pthread_mutex_init(m, NULL));
}

void rsq_mutex_fini(rsq_mutex *m)
{
    must_be_zero(pthread_mutex_destroy(m));
}

void rsq_cond_init(rsq_cond *c)
{
    pthread_condattr_t attr;

    must_be_zero(pthread_condattr_init(&attr));
    must_be_zero(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must_be_zero(pthread_cond_init(c, &attr));
    must_be_zero(pthread_condattr_destroy(&attr));
}

void rsq_cond_fini(rsq_cond *c)
{
    must_be_zero(pthread_cond_destroy(c));
}

void rsq_cond_signal(rsq_cond *c)
{
    must_be_zero(pthread_cond_signal(c));
}

void rsq_cond_broadcast(rsq_cond *c)
{
    must_be_zero(pthread_cond_broadcast(c));
}

bool rsq_cond_wait_until(rsq_cond *c, rsq_mutex *m, int64_t deadline_ns)
{
    struct timespec until;
    int rc;

    if (deadline_ns == RSQ_NO_DEADLINE) {
        must_be_zero(pthread_cond_wait(c, m));
        return true;
    }
    until.tv_sec = (time_t)(deadline_ns / 1000000000);
    until.tv_nsec = (long)(deadline_ns % 1000000000);
    rc = pthread_cond_timedwait(c, m, &until);
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

int rsq_thread_start(rsq_thread *t, void *(*fn)(void *), void *ctx)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    must_be_zero(pthread_sigmask(SIG_SETMASK, &all, &before));
    rc = pthread_create(t, NULL, fn, ctx);
    must_be_zero(pthread_sigmask(SIG_SETMASK, &before, NULL));
    return rc;
}

void rsq_thread_join(rsq_thread t)
{
    must_be_zero(pthread_join(t, NULL));
}

uintptr_t rsq_thread_self(void)
{
    static _Atomic uintptr_t last;
    static _Thread_local uintptr_t self;

    if (!self)
        self = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return self;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    must_be_zero(clock_gettime(clock, &now));
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t rsq_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t rsq_now_coarse_ns(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return clock_ns(CLOCK_MONOTONIC_COARSE);
#else
    return clock_ns(CLOCK_MONOTONIC);
#endif
}

int64_t rsq_deadline_ns(uint32_t ms)
{
    return ms == RSQ_NO_TIMEOUT ? RSQ_NO_DEADLINE : rsq_now_ns() + (int64_t)ms * 1000000;
}

uint32_t rsq_ms_until(int64_t deadline_ns)
{
    int64_t ms;

    if (deadline_ns == RSQ_NO_DEADLINE)
        return RSQ_NO_TIMEOUT;
    ms = (deadline_ns - rsq_now_ns() + 999999) / 1000000;
    return ms > 0 ? (uint32_t)ms : 1;
}

unsigned rsq_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : (unsigned)n;
}
