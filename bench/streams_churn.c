/*
 * Live queries that come and go; see streams.h. One is opened, its first event
 * is waited for, it is closed, and its end is waited for; the next one is opened
 * when nothing of it is left. The worker and the consumer are awake: they have
 * just done the same.
 */
#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "streams.h"

/* A live query from its opening to its end. */
typedef struct visit {
    stream_peer *of;
    rsq_stream *stream;
    uint64_t answers;
    bool ended;
} visit;

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    visit *v = ctx;

    (void)s;
    if (ev->kind == RSQ_EVENT_END) {
        v->ended = true;
    } else if (ev->kind == RSQ_EVENT_RESULT) {
        v->answers++;
        v->of->sum = cells_visit(ev->result, v->of->sum);
    } else {
        v->of->failed = true;
    }
}

static bool begin(visit *v, const char *sql)
{
    rsq_stream_options opts = {.size = sizeof opts, .event = on_event, .ctx = v};
    rsq_error err;
    rsq_code rc = rsq_stream_open(v->of->db, sql, NULL, 0, &opts, &v->stream, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(v->of->at, "open a live query", rc, &err);
    while (v->answers == 0) {
        if (!stream_turn(v->of))
            return false;
    }
    return true;
}

static bool end(visit *v)
{
    rsq_stream_close(v->stream);
    while (!v->ended) {
        if (!stream_turn(v->of))
            return false;
    }
    return v->answers == 1 || bench_fail(v->of->at, "%llu answers", (unsigned long long)v->answers);
}

/* With STREAM_ALL each has a text of its own. */
static bool come_and_go(stream_peer *p, uint64_t op, int64_t *end_ns)
{
    visit v = {.of = p};
    char sql[STREAM_SQL_MAX];
    int64_t started;

    if (p->at->peer->variant & STREAM_ALL)
        snprintf(sql, sizeof sql, "%s /* %llu */", p->job->watch, (unsigned long long)op);
    else
        snprintf(sql, sizeof sql, "%s", p->job->watch);
    if (!begin(&v, sql))
        return false;
    started = bench_now_ns();
    if (!end(&v))
        return false;
    *end_ns += bench_now_ns() - started;
    return true;
}

static bool run_all(stream_peer *p, bench_block *b, int64_t *end_ns)
{
    bool ok = true;

    bench_core_take(0);
    p->sum = 0;
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = come_and_go(p, b->first + i, end_ns);
    bench_core_leave();
    b->sum = p->sum;
    return ok;
}

static bool churn_run(void *state, bench_block *b)
{
    int64_t ignored = 0;

    return run_all(state, b, &ignored);
}

static bool initial_run(void *state, bench_block *b)
{
    return run_all(state, b, &b->paused_ns);
}

/* Threads that are started by the first live query have the other core. */
static bool hash(void *state, uint64_t *out)
{
    int64_t ignored = 0;
    stream_peer *p = state;
    bool ok;

    bench_core_take(1);
    ok = come_and_go(p, STREAM_HASHED_OP, &ignored);
    bench_core_leave();
    return ok && streams_rsq.hash(state, out);
}

const bench_ops streams_rsq_churn = {
    .answer = STREAM_ANSWER,
    .open = stream_open,
    .prepare = stream_reset,
    .run = churn_run,
    .hash = hash,
    .close = stream_close,
};

const bench_ops streams_rsq_initial = {
    .answer = STREAM_ANSWER,
    .open = stream_open,
    .prepare = stream_reset,
    .run = initial_run,
    .hash = hash,
    .close = stream_close,
};
