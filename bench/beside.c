/*
 * Reads beside a writer; see beside.h.
 *
 * The thread works only while a block of its own peer runs, so that it disturbs
 * nobody else's. It writes at fixed times, one a millisecond, and makes up for
 * those that it was too late for. It writes to a table that nobody reads, in the
 * same file: the answers stay the same, but no snapshot stays the newest.
 *
 * Reader and writer have a core each.
 */
#define _POSIX_C_SOURCE 200809L /* clock_nanosleep() */

#include "beside.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cores.h"
#include "raw/raw.h"
#include "reads.h"

#define SQL_TABLE \
    "CREATE TABLE ticks(id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO ticks VALUES(1, 0)"
#define SQL_TICK "UPDATE ticks SET n = n + 1 WHERE id = 1"
#define TICK_NS 1000000

typedef struct pair {
    const bench_ctx *at;
    const bench_ops *reads;
    void *reader;   /* owned: reads->close() */
    rsq_db *db;     /* owned; the writer's, NULL if it is `raw` */
    raw_db *raw;    /* owned */
    raw_stmt *tick; /* owned */
    pthread_t thread;
    bool started;

    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* Under mu. */
    bool active; /* a block runs */
    bool stopping;
    bool failed;
    uint64_t ticks; /* of this block */
} pair;

static bool write_one(pair *p)
{
    uint64_t none = 0;

    if (p->db)
        return rsq_execute(p->db, SQL_TICK, NULL, 0, NULL, NULL, NULL) == RSQ_OK;
    return raw_visit(p->tick, &none);
}

static void sleep_until(struct timespec *t)
{
    t->tv_nsec += TICK_NS;
    if (t->tv_nsec >= 1000000000) {
        t->tv_nsec -= 1000000000;
        t->tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, t, NULL);
}

/* While a block runs. Called and left with the mutex held. */
static void write_steadily(pair *p)
{
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    while (p->active && !p->stopping && !p->failed) {
        bool ok;

        pthread_mutex_unlock(&p->mu);
        ok = write_one(p);
        sleep_until(&next);
        pthread_mutex_lock(&p->mu);
        p->failed = !ok;
        p->ticks++;
    }
}

static void *writer_main(void *arg)
{
    pair *p = arg;

    bench_core_take(1);
    pthread_mutex_lock(&p->mu);
    while (!p->stopping) {
        while (!p->stopping && (!p->active || p->failed))
            pthread_cond_wait(&p->changed, &p->mu);
        write_steadily(p);
    }
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

static void pair_stop(pair *p)
{
    if (!p->started)
        return;
    pthread_mutex_lock(&p->mu);
    p->stopping = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mu);
    pthread_join(p->thread, NULL);
}

static void pair_close(void *state)
{
    pair *p = state;

    pair_stop(p);
    if (p->reader)
        p->reads->close(p->reader);
    raw_finalize(p->tick);
    raw_close(p->raw);
    rsq_close(p->db);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

static bool open_writer(pair *p, bool library)
{
    rsq_error err;
    rsq_code rc;

    p->raw = raw_open(p->at->path, 0);
    if (!p->raw || !raw_ok(p->raw) || !raw_exec(p->raw, SQL_TABLE))
        return bench_fail(p->at, "open the writer: %s", raw_message(p->raw));
    if (library) {
        raw_close(p->raw);
        p->raw = NULL;
        rc = rsq_open(p->at->path, NULL, &p->db, &err);
        return rc == RSQ_OK || bench_fail_code(p->at, "open the writer", rc, &err);
    }
    p->tick = raw_prepare(p->raw, SQL_TICK);
    return p->tick || bench_fail(p->at, "prepare: %s", raw_message(p->raw));
}

static void *pair_open(const bench_ctx *at, const bench_ops *reads, bool library)
{
    pair *p = calloc(1, sizeof *p);

    if (!p) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    p->at = at;
    p->reads = reads;
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->reader = reads->open(at);
    if (!p->reader || !open_writer(p, library))
        goto fail;
    p->started = pthread_create(&p->thread, NULL, writer_main, p) == 0;
    if (p->started)
        return p;
    bench_fail(at, "no thread");

fail:
    pair_close(p);
    return NULL;
}

static void *rsq_pair_open(const bench_ctx *at)
{
    return pair_open(at, &reads_rsq_point, true);
}

static void *raw_pair_open(const bench_ctx *at)
{
    return pair_open(at, &reads_raw_point, false);
}

static void set_active(pair *p, bool active, uint64_t *ticks, bool *failed)
{
    pthread_mutex_lock(&p->mu);
    *ticks = p->ticks;
    *failed = p->failed;
    p->ticks = 0;
    p->active = active;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mu);
}

static bool pair_run(void *state, bench_block *b)
{
    pair *p = state;
    int64_t started = bench_now_ns();
    uint64_t due;
    uint64_t ticks;
    bool failed;
    bool ok;

    set_active(p, true, &ticks, &failed);
    bench_core_take(0);
    ok = p->reads->run(p->reader, b);
    bench_core_leave();
    due = (uint64_t)(bench_now_ns() - started) / TICK_NS;
    set_active(p, false, &ticks, &failed);
    if (failed)
        return bench_fail(p->at, "the writer failed");
    /* Beside a writer that was not there it is another case. */
    if (due >= 10 && ticks < due / 2)
        return bench_fail(p->at, "only %llu of %llu writes in time", (unsigned long long)ticks,
                          (unsigned long long)due);
    return ok;
}

static bool pair_hash(void *state, uint64_t *hash)
{
    pair *p = state;

    return p->reads->hash(p->reader, hash);
}

const bench_ops beside_rsq_point = {
    .answer = READS_ANSWER_POINTS,
    .open = rsq_pair_open,
    .run = pair_run,
    .hash = pair_hash,
    .close = pair_close,
};

const bench_ops beside_raw_point = {
    .answer = READS_ANSWER_POINTS,
    .open = raw_pair_open,
    .run = pair_run,
    .hash = pair_hash,
    .close = pair_close,
};
