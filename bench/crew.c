/*
 * Threads that stand ready; see crew.h.
 *
 * They sleep between blocks, so the first operation of a block waits for a
 * wake-up. Blocks of cases with threads are long enough (see sample_ms) that it
 * does not count, and a sleeping thread disturbs no other peer's block.
 * Every member has a core of its own while it works; see cores.h.
 */
#define _POSIX_C_SOURCE 200809L /* pthread_cond_t */

#include "crew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cores.h"

typedef struct member {
    bench_crew *crew;
    unsigned index;
    pthread_t thread;
} member;

struct bench_crew {
    unsigned started; /* helpers that exist; written before any run */

    pthread_mutex_t mu;
    pthread_cond_t go;
    pthread_cond_t done;
    /* Under mu. */
    unsigned run; /* counts the runs; a change of it starts the helpers */
    unsigned busy;
    bool stopping;
    bench_crew_fn fn;
    void *ctx;

    member members[];
};

static void *member_main(void *arg)
{
    member *m = arg;
    bench_crew *c = m->crew;
    unsigned seen = 0;

    bench_core_take(m->index);
    pthread_mutex_lock(&c->mu);
    for (;;) {
        while (c->run == seen && !c->stopping)
            pthread_cond_wait(&c->go, &c->mu);
        if (c->stopping)
            break;
        seen = c->run;
        pthread_mutex_unlock(&c->mu);
        c->fn(c->ctx, m->index);
        pthread_mutex_lock(&c->mu);
        if (--c->busy == 0)
            pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->mu);
    return NULL;
}

bench_crew *bench_crew_new(unsigned members)
{
    bench_crew *c = calloc(1, sizeof *c + members * sizeof(member));

    if (!c)
        return NULL;
    pthread_mutex_init(&c->mu, NULL);
    pthread_cond_init(&c->go, NULL);
    pthread_cond_init(&c->done, NULL);
    for (unsigned i = 1; i < members; i++) {
        member *m = &c->members[c->started];

        m->crew = c;
        m->index = i;
        if (pthread_create(&m->thread, NULL, member_main, m) != 0) {
            bench_crew_free(c);
            return NULL;
        }
        c->started++;
    }
    return c;
}

void bench_crew_run(bench_crew *c, bench_crew_fn fn, void *ctx)
{
    bench_core_take(0);
    pthread_mutex_lock(&c->mu);
    c->fn = fn;
    c->ctx = ctx;
    c->busy = c->started;
    c->run++;
    pthread_cond_broadcast(&c->go);
    pthread_mutex_unlock(&c->mu);

    fn(ctx, 0);

    pthread_mutex_lock(&c->mu);
    while (c->busy > 0)
        pthread_cond_wait(&c->done, &c->mu);
    pthread_mutex_unlock(&c->mu);
    bench_core_leave();
}

void bench_crew_free(bench_crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mu);
    c->stopping = true;
    pthread_cond_broadcast(&c->go);
    pthread_mutex_unlock(&c->mu);
    for (unsigned i = 0; i < c->started; i++)
        pthread_join(c->members[i].thread, NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->go);
    pthread_mutex_destroy(&c->mu);
    free(c);
}
