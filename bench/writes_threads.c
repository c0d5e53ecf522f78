/*
 * Single inserts by several threads of a program, each of which waits for its
 * own: the operations of a block are shared out to them. They are compared with
 * one thread of the baseline, since SQLite has one writer.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "crew.h"
#include "writes.h"

typedef struct team {
    rsq_writer *w;    /* owned */
    bench_crew *crew; /* owned */
    unsigned threads;

    /* Written before a run of the crew, read by its members. */
    uint64_t first, count;

    atomic_bool ok; /* any member; false is final */
} team;

static void team_close(void *state)
{
    team *t = state;

    bench_crew_free(t->crew);
    if (t->w)
        rsq_writer_close(t->w);
    free(t);
}

static void *team_open(const bench_ctx *at)
{
    team *t = calloc(1, sizeof *t);

    if (!t) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    t->threads = at->peer->variant >> WRITE_THREADS_SHIFT;
    atomic_init(&t->ok, true);
    t->w = rsq_writer_open(at);
    if (t->w && !(t->crew = bench_crew_new(t->threads)))
        bench_fail(at, "cannot start threads");
    if (!t->crew) {
        team_close(t);
        return NULL;
    }
    return t;
}

/* Every n-th operation. */
static void share(void *ctx, unsigned member)
{
    team *t = ctx;

    for (uint64_t i = member; i < t->count; i += t->threads) {
        if (!rsq_writer_one(t->w, t->first + i)) {
            atomic_store(&t->ok, false);
            return;
        }
    }
}

static bool share_out(team *t, uint64_t first, uint64_t count)
{
    t->first = first;
    t->count = count;
    bench_crew_run(t->crew, share, t);
    return atomic_load(&t->ok);
}

static bool team_run(void *state, bench_block *b)
{
    b->sum = b->count;
    return share_out(state, b->first, b->count);
}

static bool team_empty(void *state)
{
    const team *t = state;

    return rsq_writer_empty(t->w);
}

static bool team_hash(void *state, uint64_t *out)
{
    team *t = state;

    return rsq_writer_empty(t->w) && share_out(t, 0, WRITE_HASHED) && rsq_writer_content(t->w, out);
}

const bench_ops writes_rsq_threads = {
    .answer = WRITE_ANSWER,
    .open = team_open,
    .prepare = team_empty,
    .run = team_run,
    .hash = team_hash,
    .close = team_close,
};
