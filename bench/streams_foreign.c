/*
 * Commits that the library does not make; see streams.h. A connection of plain
 * SQLite writes to the same file, to a row that no live query shows. The library
 * cannot know that, so it runs all of them anew; nobody is told anything.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep() */

#include <stdlib.h>
#include <time.h>

#include "cells.h"
#include "cores.h"
#include "streams.h"

#define LOOK_NS 50000
#define LOOKS_MAX 1000000
#define READS_MAX 100000
#define READ_SQL "SELECT id, body, updated_at FROM items WHERE id = ?"

typedef struct foreigner {
    stream_peer *p;   /* owned */
    raw_db *db;       /* owned */
    raw_stmt *write;  /* owned */
    int64_t *took_ns; /* owned; of the reads of an operation */
    size_t nreads;
} foreigner;

static void foreigner_close(void *state)
{
    foreigner *f = state;

    raw_finalize(f->write);
    raw_close(f->db);
    if (f->p)
        stream_close(f->p);
    free(f->took_ns);
    free(f);
}

static void *foreigner_open(const bench_ctx *at)
{
    foreigner *f = calloc(1, sizeof *f);

    if (!f) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    f->took_ns = malloc(READS_MAX * sizeof *f->took_ns);
    f->p = f->took_ns ? stream_open(at) : NULL;
    f->db = f->p ? raw_open(at->path, 0) : NULL;
    f->write = f->db && raw_ok(f->db) ? raw_prepare(f->db, f->p->job->write) : NULL;
    if (f->write)
        return f;
    bench_fail(at, "open: %s", raw_message(f->db));
    foreigner_close(f);
    return NULL;
}

static bool write_one(foreigner *f, uint64_t write)
{
    rsq_value values[STREAM_PARAMS_MAX];
    size_t n = f->p->job->values(f->p->at, write, 0, values);

    return raw_run_with(f->write, values, n) || bench_fail(f->p->at, "write: %s", raw_message(f->db));
}

static bool was_run(const stream_viewer *v)
{
    rsq_stream_counters c = {.size = sizeof c};

    return rsq_stream_stats(v->stream, &c) == RSQ_OK && c.runs > v->runs;
}

static bool read_one(foreigner *f, uint64_t op)
{
    rsq_value key = rsq_integer((int64_t)((op + f->nreads) % f->p->at->of->size) + 1);
    int64_t started = bench_now_ns();
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(f->p->db, READ_SQL, &key, 1, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(f->p->at, "read", rc, &err);
    f->p->sum = cells_visit(result, f->p->sum);
    rsq_result_unref(result);
    if (f->nreads < READS_MAX)
        f->took_ns[f->nreads++] = bench_now_ns() - started;
    return true;
}

static void sleep_a_little(void)
{
    struct timespec t = {.tv_nsec = LOOK_NS};

    nanosleep(&t, NULL);
}

/* Until all have been run; meanwhile this thread reads, or sleeps. */
static bool await_runs(foreigner *f, uint64_t op, bool reads)
{
    size_t looks = 0;

    for (size_t i = 0; i < f->p->nviewers;) {
        if (was_run(&f->p->viewers[i])) {
            i++;
            continue;
        }
        if (++looks == LOOKS_MAX)
            return bench_fail(f->p->at, "live query %zu is not run", i);
        if (!reads)
            sleep_a_little();
        else if (!read_one(f, op))
            return false;
    }
    return true;
}

static bool note_runs(stream_peer *p)
{
    for (size_t i = 0; i < p->nviewers; i++) {
        rsq_stream_counters c = {.size = sizeof c};

        if (rsq_stream_stats(p->viewers[i].stream, &c) != RSQ_OK)
            return bench_fail(p->at, "no counters");
        p->viewers[i].runs = c.runs;
    }
    return true;
}

static bool operate(foreigner *f, uint64_t op, bool reads)
{
    if (!write_one(f, op) || !await_runs(f, op, reads))
        return false;
    /* Nobody is told anything. */
    return rsq_queue_wait(f->p->queue, 0) == RSQ_ETIMEOUT || bench_fail(f->p->at, "an event for nothing");
}

static bool run_block(foreigner *f, bench_block *b, bool reads, bool (*after)(foreigner *, bench_block *))
{
    bool ok = true;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count && ok; i++) {
        int64_t paused = bench_now_ns();

        f->nreads = 0;
        ok = note_runs(f->p);
        b->paused_ns += bench_now_ns() - paused;
        ok = ok && operate(f, b->first + i, reads) && after(f, b);
    }
    bench_core_leave();
    return ok;
}

static bool nothing_after(foreigner *f, bench_block *b)
{
    (void)f;
    (void)b;
    return true;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static bool take_percentile(foreigner *f, bench_block *b)
{
    int64_t paused = bench_now_ns();

    qsort(f->took_ns, f->nreads, sizeof *f->took_ns, compare);
    b->figure += (double)f->took_ns[f->nreads - 1 - f->nreads / 100] / 1000.0;
    b->paused_ns += bench_now_ns() - paused;
    return true;
}

static bool foreign_run(void *state, bench_block *b)
{
    return run_block(state, b, false, nothing_after);
}

static bool beside_run(void *state, bench_block *b)
{
    return run_block(state, b, true, take_percentile);
}

static bool hash(void *state, uint64_t *out)
{
    foreigner *f = state;
    stream_peer *p = f->p;
    bool ok = note_runs(p) && operate(f, STREAM_HASHED_OP, false) && stream_answers_are_true(p);

    p->keeps = false;
    return ok && stream_hash_query(p, p->job->content, NULL, 0, out);
}

const bench_ops streams_rsq_foreign = {
    .answer = STREAM_ANSWER,
    .own_sum = true,
    .open = foreigner_open,
    .run = foreign_run,
    .hash = hash,
    .close = foreigner_close,
};

const bench_ops streams_rsq_beside = {
    .answer = STREAM_ANSWER,
    .own_sum = true,
    .own_figure = true,
    .open = foreigner_open,
    .run = beside_run,
    .hash = hash,
    .close = foreigner_close,
};
