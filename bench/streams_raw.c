/* The baseline of the live query cases: writes, and reads anew on the same thread; see streams.h. */
#include <stdlib.h>

#include "checksum.h"
#include "streams.h"

typedef struct raw_peer {
    const bench_ctx *at;
    const stream_job *job;
    raw_db *db;      /* owned */
    raw_stmt *write; /* owned, like all statements */
    raw_stmt *reset; /* NULL where the job has none */
    raw_stmt *content;
    raw_stmt **reads; /* one, or of queries with a text of their own one each */
    size_t nreads;
    rsq_value *matrix; /* owned; values of a batch */
} raw_peer;

static void raw_peer_close(void *state)
{
    raw_peer *p = state;

    for (size_t i = 0; p->reads && i < p->nreads; i++)
        raw_finalize(p->reads[i]);
    free(p->reads);
    raw_finalize(p->write);
    raw_finalize(p->reset);
    raw_finalize(p->content);
    raw_close(p->db);
    free(p->matrix);
    free(p);
}

/* Of the i-th live query. */
static size_t statement_of(const raw_peer *p, size_t i)
{
    return p->job->numbered ? i : 0;
}

static bool prepare_reads(raw_peer *p)
{
    size_t n = stream_count(p->at);

    p->nreads = p->job->numbered ? n : n > 0;
    p->reads = calloc(p->nreads + 1, sizeof(raw_stmt *));
    for (size_t i = 0; p->reads && i < p->nreads; i++) {
        char sql[STREAM_SQL_MAX];

        stream_sql(p->at, i, sql);
        p->reads[i] = raw_prepare(p->db, sql);
        if (!p->reads[i])
            return false;
    }
    return p->reads != NULL;
}

static bool prepare(raw_peer *p)
{
    p->write = raw_prepare(p->db, p->job->write);
    p->reset = p->job->reset ? raw_prepare(p->db, p->job->reset) : NULL;
    p->content = raw_prepare(p->db, p->job->content);
    return p->write && p->content && (!p->job->reset || p->reset) && prepare_reads(p);
}

static void *raw_peer_open(const bench_ctx *at)
{
    raw_peer *p = calloc(1, sizeof *p);

    if (!p) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    p->at = at;
    p->job = stream_job_of(at);
    p->matrix = malloc(STREAM_BATCH_MAX * STREAM_PARAMS_MAX * sizeof *p->matrix);
    if (!p->matrix || !stream_make_tables(at))
        goto fail;
    p->db = raw_open(at->path, 0);
    if (!p->db || !raw_ok(p->db) || !prepare(p)) {
        bench_fail(at, "open: %s", raw_message(p->db));
        goto fail;
    }
    return p;

fail:
    raw_peer_close(p);
    return NULL;
}

static bool reset(void *state)
{
    const raw_peer *p = state;

    return !p->reset || raw_run_with(p->reset, NULL, 0) || bench_fail(p->at, "reset: %s", raw_message(p->db));
}

static bool read_one(const raw_peer *p, size_t i, uint64_t *sum)
{
    rsq_value params[STREAM_PARAMS_MAX];

    return raw_visit_with(p->reads[statement_of(p, i)], params, stream_params(p->at, i, params), sum);
}

static bool read_all(const raw_peer *p, uint64_t *sum)
{
    bool ok = true;

    for (size_t i = 0; i < stream_count(p->at) && ok; i++)
        ok = read_one(p, i, sum);
    return ok;
}

static bool read_concerned(const raw_peer *p, uint64_t write, uint64_t *sum)
{
    int64_t hit = stream_count(p->at) > 0 ? p->job->hits(p->at, write) : STREAM_HITS_NONE;

    if (hit == STREAM_HITS_ALL || (p->at->peer->variant & STREAM_ALL))
        return read_all(p, sum);
    return hit == STREAM_HITS_NONE || read_one(p, (size_t)hit, sum);
}

static bool write_one(const raw_peer *p, uint64_t write)
{
    size_t rows = p->job->batch ? p->job->batch(write) : 1;
    size_t columns = 0;

    for (size_t i = 0; i < rows; i++)
        columns = p->job->values(p->at, write, i, p->matrix + i * columns);
    if (p->job->batch)
        return raw_run_batch(p->db, p->write, p->matrix, rows, columns);
    return raw_run_with(p->write, p->matrix, columns);
}

static bool operate(const raw_peer *p, uint64_t op, uint64_t *sum)
{
    for (uint64_t i = 0; i < p->job->writes; i++) {
        uint64_t write = op * p->job->writes + i;

        if (!write_one(p, write) || !read_concerned(p, write, sum))
            return bench_fail(p->at, "write: %s", raw_message(p->db));
    }
    return true;
}

static bool run(void *state, bench_block *b)
{
    const raw_peer *p = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = operate(p, b->first + i, &b->sum);
    /* Where the library may leave answers out, there is nothing to compare. */
    if (p->at->peer->variant & STREAM_SETTLE)
        b->sum = 0;
    return ok;
}

static bool hash(void *state, uint64_t *out)
{
    const raw_peer *p = state;
    uint64_t ignored = 0;

    *out = HASH_START;
    if (!reset(state) || !operate(p, STREAM_HASHED_OP, &ignored))
        return false;
    return raw_hash(p->content, NULL, out) || bench_fail(p->at, "select: %s", raw_message(p->db));
}

/* An operation is a single read of the first query. */
static bool read_run(void *state, bench_block *b)
{
    const raw_peer *p = state;

    for (uint64_t i = 0; i < b->count; i++) {
        if (!read_one(p, 0, &b->sum))
            return bench_fail(p->at, "read: %s", raw_message(p->db));
    }
    return true;
}

const bench_ops streams_raw = {
    .answer = STREAM_ANSWER,
    .open = raw_peer_open,
    .prepare = reset,
    .run = run,
    .hash = hash,
    .close = raw_peer_close,
};

const bench_ops streams_raw_all = {
    .answer = STREAM_ANSWER,
    .own_sum = true,
    .open = raw_peer_open,
    .prepare = reset,
    .run = run,
    .hash = hash,
    .close = raw_peer_close,
};

const bench_ops streams_raw_read = {
    .answer = STREAM_ANSWER,
    .open = raw_peer_open,
    .prepare = reset,
    .run = read_run,
    .hash = hash,
    .close = raw_peer_close,
};
