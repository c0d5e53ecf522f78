/*
 * The library in the live query cases; see streams.h.
 *
 * The thread that measures writes in place, and consumes the events: it has a
 * core, and the worker that runs the queries has the other. Every event is
 * visited, as the baseline visits what it reads.
 *
 * Nothing is left to hope. A peer knows which events a write must cause; a block
 * in which one is missing, or one comes too many, or a query was run for nothing,
 * fails.
 */
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "streams.h"

#define WAIT_MS 20000 /* an event that takes so long does not come */
#define LOOKS 1000    /* between two looks at the counters */
#define PEER_MAX_CHECKED 10000

/* ---------------------------------------------------------------- events -- */

/* Commits of that viewer up to that number have been told. */
static void note_latency(stream_peer *p, const stream_viewer *v, uint64_t seq)
{
    int64_t now = bench_now_ns();

    for (size_t i = 0; i < p->nopen;) {
        const stream_commit *c = &p->open_commits[i];

        if (c->concerns != v || c->seq > seq) {
            i++;
            continue;
        }
        p->took_ns[p->ntook++] = now - c->at_ns;
        p->open_commits[i] = p->open_commits[--p->nopen];
    }
}

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    stream_viewer *v = ctx;
    stream_peer *p = v->of;

    (void)s;
    if (ev->kind == RSQ_EVENT_END)
        return;
    if (ev->kind != RSQ_EVENT_RESULT) {
        p->failed = true;
        return;
    }
    v->events++;
    p->events++;
    if (p->keeps) {
        rsq_result_unref(v->newest);
        v->newest = rsq_result_ref(ev->result);
    }
    if (p->nopen > 0)
        note_latency(p, v, ev->commit_seq);
    if (!(p->at->peer->variant & STREAM_CPU))
        p->sum = cells_visit(ev->result, p->sum);
}

static bool wait_for_any(const stream_peer *p)
{
    struct pollfd fd = {.events = POLLIN};

    if (p->at->peer->variant & STREAM_POLL) {
        fd.fd = rsq_queue_fd(p->queue);
        return poll(&fd, 1, WAIT_MS) == 1;
    }
    if (p->at->peer->variant & STREAM_CPU) {
        int64_t until = bench_now_ns() + WAIT_MS * (int64_t)1000000;

        while (rsq_queue_wait(p->queue, 0) != RSQ_OK && bench_now_ns() < until)
            ;
    }
    return rsq_queue_wait(p->queue, WAIT_MS) == RSQ_OK;
}

static bool dispatch(stream_peer *p)
{
    bool timed = p->at->peer->variant & STREAM_CPU;
    int64_t started = timed ? bench_now_ns() : 0;
    rsq_code rc = rsq_queue_dispatch(p->queue, 0, NULL);

    if (timed)
        p->own_ns += bench_now_ns() - started;
    if (rc != RSQ_OK || p->failed)
        return bench_fail(p->at, "dispatch: %s", p->failed ? "an error event" : rsq_code_name(rc));
    return true;
}

bool stream_turn(stream_peer *p)
{
    return (wait_for_any(p) || bench_fail(p->at, "no event")) && dispatch(p);
}

/* Until all events that are due have come. */
static bool await_due(stream_peer *p)
{
    while (p->events < p->due) {
        if (!stream_turn(p))
            return false;
    }
    return true;
}

/* Each viewer's events up to now are all it should have got. */
static void begin_anew(stream_peer *p)
{
    for (size_t i = 0; i < p->nviewers; i++)
        p->viewers[i].due = p->viewers[i].events;
    p->due = p->events;
}

static bool is_settled(const stream_viewer *v, uint64_t commit_seq)
{
    rsq_stream_counters c = {.size = sizeof c};

    return rsq_stream_stats(v->stream, &c) == RSQ_OK && c.settled_seq >= commit_seq;
}

/* Not so often that the looks themselves are in the way. */
static void look_away(void)
{
    for (volatile int i = 0; i < LOOKS; i++)
        ;
}

bool stream_settle(stream_peer *p, uint64_t commit_seq)
{
    int64_t until = bench_now_ns() + WAIT_MS * (int64_t)1000000;

    for (size_t i = 0; i < p->nviewers;) {
        if (is_settled(&p->viewers[i], commit_seq)) {
            i++;
            continue;
        }
        if (bench_now_ns() > until)
            return bench_fail(p->at, "a live query is not run");
        if (!dispatch(p))
            return false;
        look_away();
    }
    return dispatch(p);
}

bool stream_runs(const stream_peer *p, uint64_t *runs)
{
    *runs = 0;
    for (size_t i = 0; i < p->nviewers; i++) {
        rsq_stream_counters c = {.size = sizeof c};

        if (rsq_stream_stats(p->viewers[i].stream, &c) != RSQ_OK)
            return bench_fail(p->at, "no counters");
        *runs += c.runs;
    }
    return true;
}

/* ---------------------------------------------------------- open and close -- */

void stream_close(void *state)
{
    stream_peer *p = state;

    for (size_t i = 0; i < p->nviewers; i++)
        rsq_result_unref(p->viewers[i].newest);
    rsq_close(p->db); /* ends the live queries; the viewers are still there */
    free(p->viewers);
    free(p->matrix);
    free(p->open_commits);
    free(p->took_ns);
    free(p);
}

static bool open_stream(stream_peer *p, size_t i)
{
    rsq_stream_options opts = {.size = sizeof opts, .event = on_event, .ctx = &p->viewers[i]};
    rsq_value params[STREAM_PARAMS_MAX];
    char sql[STREAM_SQL_MAX];
    rsq_error err;
    rsq_code rc;

    p->viewers[i].of = p;
    stream_sql(p->at, i, sql);
    rc = rsq_stream_open(p->db, sql, params, stream_params(p->at, i, params), &opts, &p->viewers[i].stream,
                         &err);
    return rc == RSQ_OK || bench_fail_code(p->at, "open a live query", rc, &err);
}

/* Bytes in use, in all of the allocator's arenas. */
static double heap_in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return (double)m.uordblks + (double)m.hblkhd;
}

static bool open_streams(stream_peer *p)
{
    double before;

    p->viewers = calloc(p->nviewers + 1, sizeof *p->viewers);
    if (!p->viewers)
        return bench_fail(p->at, "out of memory");
    before = heap_in_use();
    for (size_t i = 0; i < p->nviewers; i++) {
        if (!open_stream(p, i))
            return false;
    }
    p->due = p->nviewers;
    if (!await_due(p))
        return false;
    begin_anew(p);
    p->bytes = p->nviewers ? (heap_in_use() - before) / (double)p->nviewers : 0;
    return true;
}

static bool allocate(stream_peer *p)
{
    p->matrix = malloc(STREAM_BATCH_MAX * STREAM_PARAMS_MAX * sizeof *p->matrix);
    if (p->at->peer->variant & STREAM_LATENCY) {
        p->open_commits = malloc(p->job->writes * sizeof *p->open_commits);
        p->took_ns = malloc(p->job->writes * sizeof *p->took_ns);
        return p->matrix && p->open_commits && p->took_ns;
    }
    return p->matrix != NULL;
}

static bool open_database(stream_peer *p)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_error err;
    rsq_code rc;

    /* One worker, which has a core to itself. */
    opts.readers = 2;
    opts.flags |= p->at->peer->variant & STREAM_NO_KEYS ? (uint32_t)RSQ_OPEN_NO_KEY_LEVEL : 0;
    opts.flags |= p->at->peer->variant & STREAM_REMAP ? (uint32_t)RSQ_OPEN_NO_KEPT_MAPPING : 0;
    rc = rsq_open(p->at->path, &opts, &p->db, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(p->at, "open", rc, &err);
    p->queue = rsq_queue_default(p->db);
    return true;
}

void *stream_open(const bench_ctx *at)
{
    stream_peer *p = calloc(1, sizeof *p);
    bool ok;

    if (!p) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    p->at = at;
    p->job = stream_job_of(at);
    p->nviewers = stream_count(at);
    /* Measured without the results that are kept to be hashed. */
    p->keeps = !(at->peer->variant & STREAM_MEMORY);
    ok = (allocate(p) || bench_fail(at, "out of memory")) && stream_make_tables(at) && open_database(p);
    /* Threads that are started from here on have the other core. */
    bench_core_take(1);
    ok = ok && open_streams(p);
    bench_core_leave();
    if (!ok) {
        stream_close(p);
        return NULL;
    }
    return p;
}

/* ---------------------------------------------------------------- writes -- */

/* `*seq`: the number of its commit; NULL: it is not asked for, which saves a result. */
static bool write_one(stream_peer *p, uint64_t write, uint64_t *seq)
{
    size_t rows = p->job->batch ? p->job->batch(write) : 1;
    rsq_result *result = NULL;
    size_t columns = 0;
    rsq_error err;
    rsq_code rc;

    for (size_t i = 0; i < rows; i++)
        columns = p->job->values(p->at, write, i, p->matrix + i * columns);
    if (p->job->batch)
        rc = rsq_execute_batch(p->db, p->job->write, p->matrix, rows, columns, NULL, seq ? &result : NULL,
                               &err);
    else
        rc = rsq_execute(p->db, p->job->write, p->matrix, columns, NULL, seq ? &result : NULL, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(p->at, "write", rc, &err);
    if (seq)
        *seq = rsq_result_commit_seq(result);
    rsq_result_unref(result);
    return true;
}

/* Is it known which events there must be? Where queries may be overtaken, it is not. */
static bool is_exact(const stream_peer *p)
{
    return !(p->at->peer->variant & STREAM_SETTLE) || (p->at->peer->variant & STREAM_NO_KEYS);
}

/* The events that the write must cause. */
static void expect(stream_peer *p, int64_t hit)
{
    if (p->nviewers == 0 || hit == STREAM_HITS_NONE)
        return;
    if (hit == STREAM_HITS_ALL) {
        p->due += p->nviewers;
        return;
    }
    p->viewers[hit].due++;
    p->due++;
}

/* An event of that query is still on its way: it would be one with the next. */
static bool is_awaited(const stream_peer *p, int64_t hit)
{
    return p->nviewers > 0 && hit >= 0 && p->viewers[hit].due > p->viewers[hit].events;
}

static void note_commit(stream_peer *p, int64_t hit, uint64_t seq)
{
    if (p->open_commits && hit >= 0)
        p->open_commits[p->nopen++] =
            (stream_commit){.concerns = &p->viewers[hit], .seq = seq, .at_ns = bench_now_ns()};
}

static bool operate(stream_peer *p, uint64_t op)
{
    uint32_t how = p->at->peer->variant;

    for (uint64_t i = 0; i < p->job->writes; i++) {
        uint64_t write = op * p->job->writes + i;
        int64_t hit = p->job->hits(p->at, write);
        bool asks = (how & STREAM_LATENCY) || ((how & STREAM_SETTLE) && i + 1 == p->job->writes);

        if (is_exact(p) && is_awaited(p, hit) && !await_due(p))
            return false;
        if (!write_one(p, write, asks ? &p->commit_seq : NULL))
            return false;
        note_commit(p, hit, p->commit_seq);
        if (is_exact(p))
            expect(p, hit);
        if (!(how & (STREAM_SETTLE | STREAM_LATER)) && !await_due(p))
            return false;
        /* As a program's loop does, that has written and looks what has happened meanwhile. */
        if ((how & (STREAM_SETTLE | STREAM_LATER)) && !dispatch(p))
            return false;
    }
    return how & STREAM_SETTLE ? stream_settle(p, p->commit_seq) : await_due(p);
}

/* ---------------------------------------------------------------- blocks -- */

bool stream_reset(void *state)
{
    stream_peer *p = state;
    rsq_result *result = NULL;
    rsq_error err;
    rsq_code rc;

    if (p->job->reset) {
        rc = rsq_execute(p->db, p->job->reset, NULL, 0, NULL, &result, &err);
        if (rc != RSQ_OK)
            return bench_fail_code(p->at, "reset", rc, &err);
        rc = stream_settle(p, rsq_result_commit_seq(result)) ? RSQ_OK : RSQ_EINVAL;
        rsq_result_unref(result);
        if (rc != RSQ_OK)
            return false;
        begin_anew(p);
    }
    return true;
}

/* Of a stream that emits at most every second time it runs somebody is kept waiting. */
static bool check_liveness(const stream_peer *p)
{
    for (size_t i = 0; i < p->nviewers; i++) {
        rsq_stream_counters c = {.size = sizeof c};

        if (rsq_stream_stats(p->viewers[i].stream, &c) != RSQ_OK || 2 * c.emitted + 1 < c.runs - c.suppressed)
            return bench_fail(p->at, "live query %zu: %llu runs, %llu events", i, (unsigned long long)c.runs,
                              (unsigned long long)c.emitted);
    }
    return true;
}

/* After a block: no event too many, and no run for nothing. `before`: runs until then. */
static bool check(stream_peer *p, uint64_t before, uint64_t due_before, uint64_t writes)
{
    uint64_t expected = p->due - due_before;
    uint64_t runs;

    if (!is_exact(p))
        return check_liveness(p);
    if (p->events != p->due)
        return bench_fail(p->at, "%llu events instead of %llu", (unsigned long long)p->events,
                          (unsigned long long)p->due);
    /* Every one is run, and what is the same as before is kept back. */
    if (p->at->peer->variant & STREAM_NO_KEYS)
        expected = writes * p->nviewers;
    if (p->nviewers > PEER_MAX_CHECKED)
        return true;
    if (!stream_runs(p, &runs))
        return false;
    return runs - before == expected ||
           bench_fail(p->at, "%llu runs instead of %llu", (unsigned long long)(runs - before),
                      (unsigned long long)expected);
}

static bool run(void *state, bench_block *b)
{
    stream_peer *p = state;
    uint64_t due = p->due, runs = 0;
    bool ok = true;
    int64_t paused = bench_now_ns();

    if (p->nviewers <= PEER_MAX_CHECKED)
        ok = stream_runs(p, &runs);
    p->sum = 0;
    p->own_ns = 0;
    bench_core_take(0);
    b->paused_ns = bench_now_ns() - paused;
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = operate(p, b->first + i);
    paused = bench_now_ns();
    bench_core_leave();
    ok = ok && check(p, runs, due, b->count * p->job->writes);
    /* How many answers there are on the way to the last one is a matter of luck. */
    b->sum = is_exact(p) ? p->sum : 0;
    b->paused_ns += bench_now_ns() - paused;
    return ok;
}

/* ---------------------------------------------------- figures of their own -- */

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Of each operation by itself, in microseconds. */
static bool run_latency(stream_peer *p, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        bench_block one = {.first = b->first + i, .count = 1};

        p->ntook = 0;
        p->nopen = 0;
        if (!run(p, &one))
            return false;
        if (p->nopen > 0 || p->ntook < p->job->writes)
            return bench_fail(p->at, "%zu commits without an event", p->nopen);
        qsort(p->took_ns, p->ntook, sizeof *p->took_ns, compare);
        b->figure += (double)p->took_ns[p->ntook - 1 - p->ntook / 100] / 1000.0;
    }
    return true;
}

static bool run_figure(void *state, bench_block *b)
{
    stream_peer *p = state;

    if (p->at->peer->variant & STREAM_LATENCY)
        return run_latency(p, b);
    if (!run(state, b))
        return false;
    b->figure =
        p->at->peer->variant & STREAM_MEMORY ? p->bytes * (double)b->count : (double)p->own_ns / 1000.0;
    return true;
}

/* -------------------------------------------------------------- the answer -- */

bool stream_hash_query(const stream_peer *p, const char *sql, const rsq_value *params, size_t n,
                       uint64_t *out)
{
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(p->db, sql, params, n, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(p->at, "select", rc, &err);
    *out = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

/* What each live query handed over last is what the same query answers now. */
bool stream_answers_are_true(stream_peer *p)
{
    for (size_t i = 0; i < p->nviewers; i++) {
        stream_viewer *v = &p->viewers[i];
        rsq_value params[STREAM_PARAMS_MAX];
        char sql[STREAM_SQL_MAX];
        uint64_t fresh;

        stream_sql(p->at, i, sql);
        if (!stream_hash_query(p, sql, params, stream_params(p->at, i, params), &fresh))
            return false;
        if (!v->newest || cells_hash(v->newest, HASH_START) != fresh)
            return bench_fail(p->at, "live query %zu was handed another answer than there is", i);
        rsq_result_unref(v->newest);
        v->newest = NULL;
    }
    return true;
}

static bool hash(void *state, uint64_t *out)
{
    stream_peer *p = state;
    bool ok;

    bench_core_take(1);
    ok = stream_reset(state) && operate(p, STREAM_HASHED_OP);
    bench_core_leave();
    ok = ok && (!p->keeps || stream_answers_are_true(p));
    p->keeps = false;
    p->nopen = p->ntook = 0;
    return ok && stream_hash_query(p, p->job->content, NULL, 0, out);
}

const bench_ops streams_rsq = {
    .answer = STREAM_ANSWER,
    .open = stream_open,
    .prepare = stream_reset,
    .run = run,
    .hash = hash,
    .close = stream_close,
};

/* With nobody watching, nothing is visited. */
const bench_ops streams_rsq_none = {
    .answer = STREAM_ANSWER,
    .own_sum = true,
    .open = stream_open,
    .prepare = stream_reset,
    .run = run,
    .hash = hash,
    .close = stream_close,
};

const bench_ops streams_rsq_figure = {
    .answer = STREAM_ANSWER,
    .own_sum = true,
    .own_figure = true,
    .open = stream_open,
    .prepare = stream_reset,
    .run = run_figure,
    .hash = hash,
    .close = stream_close,
};
