/* Ways to another thread and back; see rungs.h. */
#define _GNU_SOURCE /* syscall() */

#include "ladder/rungs.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "cores.h"

/* Rounds of looking before a spinning thread offers its core: on a single core nobody else could go on. */
#define SPINS 4000

static void serve(rung_request *r, unsigned worker)
{
    if (r->timed)
        r->began_ns = bench_now_ns();
    r->work(r, worker);
    if (r->timed)
        r->ended_ns = bench_now_ns();
    if (r->ok && r->copy) {
        r->answer = r->copy(r->answer);
        r->ok = r->answer != NULL;
    }
}

/* ------------------------------------------------------------- same thread -- */

static void *same_start(unsigned callers)
{
    static char nothing;

    (void)callers;
    return &nothing;
}

static bool same_call(void *state, unsigned caller, rung_request *r)
{
    (void)state;
    serve(r, caller);
    return true;
}

static void same_stop(void *state)
{
    (void)state;
}

static const rung same_thread = {"same-thread", true, true, same_start, same_call, same_stop};

/* -------------------------------------------- a worker for each caller -- */

enum { IDLE, POSTED, STOPPING };

/* Caller and worker, and whatever they need to wait for each other. */
typedef struct pair {
    _Alignas(64) _Atomic uint32_t word; /* any: IDLE, POSTED, STOPPING; what the futexes wait on */
    rung_request *request;              /* written by the caller before POSTED */
    unsigned index;
    pthread_t thread;
    bool started;

    pthread_mutex_t mu; /* condition variables: guards the changes of `word` */
    pthread_cond_t to_worker;
    pthread_cond_t to_caller;

    int worker_fd; /* eventfd */
    int caller_fd;
} pair;

typedef struct pairs {
    unsigned n;
    void *(*main)(void *pair);
    void (*wake)(pair *p); /* the worker, after `word` was set by stop */
    pair at[RUNG_CALLERS_MAX];
} pairs;

static void pairs_free(pairs *all)
{
    for (unsigned i = 0; i < all->n; i++) {
        pair *p = &all->at[i];

        if (p->started) {
            pthread_mutex_lock(&p->mu);
            atomic_store(&p->word, STOPPING);
            pthread_cond_signal(&p->to_worker);
            pthread_mutex_unlock(&p->mu);
            all->wake(p);
            pthread_join(p->thread, NULL);
        }
        pthread_cond_destroy(&p->to_worker);
        pthread_cond_destroy(&p->to_caller);
        pthread_mutex_destroy(&p->mu);
        if (p->worker_fd >= 0)
            close(p->worker_fd);
        if (p->caller_fd >= 0)
            close(p->caller_fd);
    }
    free(all);
}

static void pairs_stop(void *state)
{
    pairs_free(state);
}

static pairs *pairs_start(unsigned callers, void *(*main)(void *), void (*wake)(pair *), bool with_fds)
{
    pairs *all = aligned_alloc(_Alignof(pairs), sizeof *all);

    if (!all)
        return NULL;
    memset(all, 0, sizeof *all);
    all->main = main;
    all->wake = wake;
    while (all->n < callers) {
        pair *p = &all->at[all->n];

        p->index = all->n++;
        pthread_mutex_init(&p->mu, NULL);
        pthread_cond_init(&p->to_worker, NULL);
        pthread_cond_init(&p->to_caller, NULL);
        p->worker_fd = with_fds ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
        p->caller_fd = with_fds ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
        if (with_fds && (p->worker_fd < 0 || p->caller_fd < 0))
            goto fail;
        p->started = pthread_create(&p->thread, NULL, main, p) == 0;
        if (!p->started)
            goto fail;
    }
    return all;

fail:
    pairs_free(all);
    return NULL;
}

static void wake_nobody(pair *p)
{
    (void)p;
}

/* --- futex */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *parked_main(void *arg)
{
    pair *p = arg;
    uint32_t now;

    bench_core_take(p->index + 1);
    while ((now = atomic_load(&p->word)) != STOPPING) {
        if (now == IDLE) {
            futex_wait(&p->word, IDLE);
            continue;
        }
        serve(p->request, p->index);
        atomic_store(&p->word, IDLE);
        futex_wake(&p->word);
    }
    return NULL;
}

static void parked_wake(pair *p)
{
    futex_wake(&p->word);
}

static void *parked_start(unsigned callers)
{
    return pairs_start(callers, parked_main, parked_wake, false);
}

static bool parked_call(void *state, unsigned caller, rung_request *r)
{
    pair *p = &((pairs *)state)->at[caller];

    p->request = r;
    atomic_store(&p->word, POSTED);
    futex_wake(&p->word);
    while (atomic_load(&p->word) == POSTED)
        futex_wait(&p->word, POSTED);
    return true;
}

static const rung futex_parked = {"futex-parked", false, true, parked_start, parked_call, pairs_stop};

static void spin_while(_Atomic uint32_t *word, uint32_t value)
{
    unsigned rounds = 0;

    while (atomic_load_explicit(word, memory_order_acquire) == value) {
        if (++rounds % SPINS == 0)
            sched_yield();
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}

static void *spinning_main(void *arg)
{
    pair *p = arg;

    bench_core_take(p->index + 1);
    for (;;) {
        spin_while(&p->word, IDLE);
        if (atomic_load(&p->word) == STOPPING)
            return NULL;
        serve(p->request, p->index);
        atomic_store_explicit(&p->word, IDLE, memory_order_release);
    }
}

static void *spinning_start(unsigned callers)
{
    return pairs_start(callers, spinning_main, wake_nobody, false);
}

static bool spinning_call(void *state, unsigned caller, rung_request *r)
{
    pair *p = &((pairs *)state)->at[caller];

    p->request = r;
    atomic_store_explicit(&p->word, POSTED, memory_order_release);
    spin_while(&p->word, POSTED);
    return true;
}

static const rung futex_spinning = {"futex-spinning", false, true, spinning_start, spinning_call, pairs_stop};

/* --- condition variable */

static void *condvar_main(void *arg)
{
    pair *p = arg;

    bench_core_take(p->index + 1);
    pthread_mutex_lock(&p->mu);
    for (;;) {
        while (atomic_load(&p->word) == IDLE)
            pthread_cond_wait(&p->to_worker, &p->mu);
        if (atomic_load(&p->word) == STOPPING)
            break;
        pthread_mutex_unlock(&p->mu);
        serve(p->request, p->index);
        pthread_mutex_lock(&p->mu);
        atomic_store(&p->word, IDLE);
        pthread_cond_signal(&p->to_caller);
    }
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

static void *condvar_start(unsigned callers)
{
    return pairs_start(callers, condvar_main, wake_nobody, false);
}

static bool condvar_call(void *state, unsigned caller, rung_request *r)
{
    pair *p = &((pairs *)state)->at[caller];

    pthread_mutex_lock(&p->mu);
    p->request = r;
    atomic_store(&p->word, POSTED);
    pthread_cond_signal(&p->to_worker);
    while (atomic_load(&p->word) == POSTED)
        pthread_cond_wait(&p->to_caller, &p->mu);
    pthread_mutex_unlock(&p->mu);
    return true;
}

static const rung condvar = {"condvar", false, true, condvar_start, condvar_call, pairs_stop};

/* --- eventfd and poll, as a thread waits that has an event loop */

static void fd_signal(int fd)
{
    const uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);

    (void)written; /* fails only if 2^64 - 2 signals were left unread */
}

static void fd_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t count;

    while (read(fd, &count, sizeof count) != sizeof count)
        poll(&p, 1, -1);
}

static void *eventfd_main(void *arg)
{
    pair *p = arg;

    bench_core_take(p->index + 1);
    for (;;) {
        struct pollfd wait = {.fd = p->worker_fd, .events = POLLIN};

        poll(&wait, 1, -1);
        fd_wait(p->worker_fd);
        if (atomic_load(&p->word) == STOPPING)
            return NULL;
        serve(p->request, p->index);
        atomic_store(&p->word, IDLE); /* publishes the answer: the descriptors are not known to do so */
        fd_signal(p->caller_fd);
    }
}

static void eventfd_wake(pair *p)
{
    fd_signal(p->worker_fd);
}

static void *eventfd_start(unsigned callers)
{
    return pairs_start(callers, eventfd_main, eventfd_wake, true);
}

static bool eventfd_call(void *state, unsigned caller, rung_request *r)
{
    pair *p = &((pairs *)state)->at[caller];
    struct pollfd wait = {.fd = p->caller_fd, .events = POLLIN};

    p->request = r;
    atomic_store(&p->word, POSTED);
    fd_signal(p->worker_fd);
    poll(&wait, 1, -1);
    fd_wait(p->caller_fd);
    return atomic_load(&p->word) == IDLE;
}

static const rung eventfd_poll = {"eventfd-poll", false, true, eventfd_start, eventfd_call, pairs_stop};

/* ------------------------------------------------------- a thread for each -- */

typedef struct errand {
    rung_request *request;
    unsigned index;
} errand;

static void *errand_main(void *arg)
{
    const errand *e = arg;

    serve(e->request, e->index);
    return NULL;
}

static bool thread_call(void *state, unsigned caller, rung_request *r)
{
    errand e = {r, caller};
    pthread_t thread;

    (void)state;
    return pthread_create(&thread, NULL, errand_main, &e) == 0 && pthread_join(thread, NULL) == 0;
}

static const rung thread_per_query = {"thread-per-query", false, false, same_start, thread_call, same_stop};

/* ------------------------------------------------------------------- a pool -- */

/* A request in the pool's line; on its caller's stack. */
typedef struct ticket {
    rung_request *request;
    struct ticket *next;       /* under the pool's mu */
    _Atomic uint32_t answered; /* what a futex waits on */
    pthread_mutex_t *mu;       /* of the caller; NULL: it waits by futex */
    pthread_cond_t *cond;
} ticket;

typedef struct pool pool;

typedef struct pool_worker {
    pool *of;
    unsigned index;
    pthread_t thread;
} pool_worker;

/* Where a caller sleeps; made once. */
typedef struct bed {
    _Alignas(64) pthread_mutex_t mu;
    pthread_cond_t cond;
} bed;

struct pool {
    bool by_condvar; /* how answers come back */
    unsigned started;
    pool_worker workers[RUNG_POOL_WORKERS];
    bed beds[RUNG_CALLERS_MAX];

    pthread_mutex_t mu;
    pthread_cond_t work;
    /* Under mu. */
    ticket *first;
    ticket *last;
    bool stopping;
};

static void answer(ticket *t)
{
    /* Once `answered` is seen, the ticket is gone: take from it before. */
    pthread_mutex_t *mu = t->mu;
    pthread_cond_t *cond = t->cond;

    if (!mu) {
        atomic_store(&t->answered, 1);
        /* Waking a word of a ticket that is gone wakes nobody, or somebody who looks again. */
        futex_wake(&t->answered);
        return;
    }
    pthread_mutex_lock(mu);
    atomic_store(&t->answered, 1);
    pthread_cond_signal(cond);
    pthread_mutex_unlock(mu);
}

static void *pool_main(void *arg)
{
    const pool_worker *w = arg;
    pool *p = w->of;

    bench_core_take(w->index + 1);
    pthread_mutex_lock(&p->mu);
    for (;;) {
        ticket *t;

        while (!p->first && !p->stopping)
            pthread_cond_wait(&p->work, &p->mu);
        t = p->first;
        if (!t)
            break;
        p->first = t->next;
        pthread_mutex_unlock(&p->mu);
        serve(t->request, w->index);
        answer(t);
        pthread_mutex_lock(&p->mu);
    }
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

static void pool_stop(void *state)
{
    pool *p = state;

    pthread_mutex_lock(&p->mu);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mu);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->workers[i].thread, NULL);
    for (unsigned i = 0; i < RUNG_CALLERS_MAX; i++) {
        pthread_cond_destroy(&p->beds[i].cond);
        pthread_mutex_destroy(&p->beds[i].mu);
    }
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

static pool *pool_start(bool by_condvar)
{
    pool *p = aligned_alloc(_Alignof(pool), sizeof *p);

    if (!p)
        return NULL;
    memset(p, 0, sizeof *p);
    p->by_condvar = by_condvar;
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->work, NULL);
    for (unsigned i = 0; i < RUNG_CALLERS_MAX; i++) {
        pthread_mutex_init(&p->beds[i].mu, NULL);
        pthread_cond_init(&p->beds[i].cond, NULL);
    }
    while (p->started < RUNG_POOL_WORKERS) {
        pool_worker *w = &p->workers[p->started];

        *w = (pool_worker){.of = p, .index = p->started};
        if (pthread_create(&w->thread, NULL, pool_main, w) != 0) {
            pool_stop(p);
            return NULL;
        }
        p->started++;
    }
    return p;
}

static void *pool_condvar_start(unsigned callers)
{
    (void)callers;
    return pool_start(true);
}

static void *pool_futex_start(unsigned callers)
{
    (void)callers;
    return pool_start(false);
}

static void sleep_in_bed(bed *b, ticket *t)
{
    pthread_mutex_lock(&b->mu);
    while (!atomic_load(&t->answered))
        pthread_cond_wait(&b->cond, &b->mu);
    pthread_mutex_unlock(&b->mu);
}

static bool pool_call(void *state, unsigned caller, rung_request *r)
{
    pool *p = state;
    bed *b = &p->beds[caller];
    ticket t = {.request = r, .mu = p->by_condvar ? &b->mu : NULL, .cond = &b->cond};

    pthread_mutex_lock(&p->mu);
    if (p->first)
        p->last->next = &t;
    else
        p->first = &t;
    p->last = &t;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mu);
    if (p->by_condvar)
        sleep_in_bed(b, &t);
    while (!atomic_load(&t.answered))
        futex_wait(&t.answered, 0);
    return true;
}

static const rung pool_condvar = {"pool-condvar", false, true, pool_condvar_start, pool_call, pool_stop};
static const rung pool_futex = {"pool-futex", false, true, pool_futex_start, pool_call, pool_stop};

/* -------------------------------------------------------------------- all -- */

const rung *const rungs[] = {&same_thread,  &futex_parked,     &futex_spinning, &condvar,
                             &eventfd_poll, &thread_per_query, &pool_condvar,   &pool_futex};
const unsigned rungs_count = BENCH_LENGTH(rungs);

const rung *rung_find(const char *name)
{
    for (unsigned i = 0; i < rungs_count; i++) {
        if (strcmp(rungs[i]->name, name) == 0)
            return rungs[i];
    }
    return NULL;
}
