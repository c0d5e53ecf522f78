/*
 * The tail of commits: every single insert is timed, and a block's figure is the
 * 99.9th percentile of its own, or the longest. A mean would hide that now and
 * then one of them copies the log into the database.
 */
#include <stdlib.h>

#include "writes.h"

#define TIMED_MAX ((uint64_t)1 << 17) /* of a block; what comes after is not timed */

typedef struct clerk {
    const bench_ctx *at;
    void *writer;     /* owned; rsq_writer or raw_writer */
    int64_t *took_ns; /* owned */
} clerk;

typedef bool (*write_fn)(const void *writer, uint64_t op);

static bool rsq_one(const void *writer, uint64_t op)
{
    return rsq_writer_one(writer, op);
}

static bool raw_one(const void *writer, uint64_t op)
{
    return raw_writer_one(writer, op);
}

static clerk *clerk_open(const bench_ctx *at, void *writer)
{
    clerk *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->at = at;
    c->writer = writer;
    c->took_ns = malloc(TIMED_MAX * sizeof *c->took_ns);
    return c;
}

static void clerk_free(clerk *c)
{
    free(c->took_ns);
    free(c);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* In microseconds. */
static double tail(const clerk *c, uint64_t n)
{
    uint64_t rank = c->at->peer->variant & WRITE_TAKE_MAX ? n - 1 : n - 1 - n / 1000;

    qsort(c->took_ns, (size_t)n, sizeof *c->took_ns, compare);
    return (double)c->took_ns[rank] / 1000.0;
}

static bool run(clerk *c, write_fn one, bench_block *b)
{
    uint64_t n = b->count < TIMED_MAX ? b->count : TIMED_MAX;
    int64_t before = bench_now_ns();
    int64_t sorted;

    for (uint64_t i = 0; i < b->count; i++) {
        int64_t now;

        if (!one(c->writer, b->first + i))
            return false;
        now = bench_now_ns();
        if (i < n)
            c->took_ns[i] = now - before;
        before = now;
    }
    b->sum = b->count;
    sorted = bench_now_ns();
    /* A sample is the figure by operation. */
    b->figure = tail(c, n) * (double)b->count;
    b->paused_ns = bench_now_ns() - sorted;
    return true;
}

static bool hash_ops(clerk *c, write_fn one)
{
    bool ok = true;

    for (uint64_t op = 0; op < WRITE_HASHED && ok; op++)
        ok = one(c->writer, op);
    return ok;
}

static void rsq_close_all(void *state)
{
    clerk *c = state;

    rsq_writer_close(c->writer);
    clerk_free(c);
}

static void raw_close_all(void *state)
{
    clerk *c = state;

    raw_writer_close(c->writer);
    clerk_free(c);
}

static void *rsq_open_all(const bench_ctx *at)
{
    void *writer = rsq_writer_open(at);
    clerk *c = writer ? clerk_open(at, writer) : NULL;

    if (writer && !c)
        rsq_writer_close(writer);
    if (c && !c->took_ns) {
        rsq_close_all(c);
        c = NULL;
    }
    if (writer && !c)
        bench_fail(at, "out of memory");
    return c;
}

static void *raw_open_all(const bench_ctx *at)
{
    void *writer = raw_writer_open(at);
    clerk *c = writer ? clerk_open(at, writer) : NULL;

    if (writer && !c)
        raw_writer_close(writer);
    if (c && !c->took_ns) {
        raw_close_all(c);
        c = NULL;
    }
    if (writer && !c)
        bench_fail(at, "out of memory");
    return c;
}

static bool rsq_empty(void *state)
{
    const clerk *c = state;

    return rsq_writer_empty(c->writer);
}

static bool raw_empty(void *state)
{
    const clerk *c = state;

    return raw_writer_empty(c->writer);
}

static bool rsq_run(void *state, bench_block *b)
{
    return run(state, rsq_one, b);
}

static bool raw_run(void *state, bench_block *b)
{
    return run(state, raw_one, b);
}

static bool rsq_hash(void *state, uint64_t *out)
{
    clerk *c = state;

    return rsq_empty(state) && hash_ops(c, rsq_one) && rsq_writer_content(c->writer, out);
}

static bool raw_hash_all(void *state, uint64_t *out)
{
    clerk *c = state;

    return raw_empty(state) && hash_ops(c, raw_one) && raw_writer_content(c->writer, out);
}

const bench_ops commits_rsq = {
    .answer = WRITE_ANSWER,
    .own_figure = true,
    .open = rsq_open_all,
    .prepare = rsq_empty,
    .run = rsq_run,
    .hash = rsq_hash,
    .close = rsq_close_all,
};

const bench_ops commits_raw = {
    .answer = WRITE_ANSWER,
    .own_figure = true,
    .open = raw_open_all,
    .prepare = raw_empty,
    .run = raw_run,
    .hash = raw_hash_all,
    .close = raw_close_all,
};
