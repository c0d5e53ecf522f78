/* Peers that are programs of their own, as peers of the frame: their own clocks tell their times. */
#include <stdlib.h>

#include "peers/peers.h"
#include "peers/process.h"

typedef struct remote {
    const bench_ctx *at;
    const plan *plan;
    process *process; /* owned */
} remote;

static void remote_close(void *state)
{
    remote *r = state;

    process_stop(r->process);
    free(r);
}

static void *remote_open(const bench_ctx *at)
{
    char why[512] = "";
    remote *r = calloc(1, sizeof *r);

    if (!r) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    r->at = at;
    r->plan = peers_plan_of(at->of);
    r->process = process_start((int)at->peer->variant, r->plan, at->path, why, sizeof why);
    if (r->process)
        return r;
    bench_fail(at, "%s", why);
    free(r);
    return NULL;
}

static bool remote_prepare(void *state)
{
    const remote *r = state;

    return process_prepare(r->process) || bench_fail(r->at, "%s", process_why(r->process));
}

static bool remote_run(void *state, bench_block *b)
{
    const remote *r = state;
    double sum;

    if (!process_run(r->process, b->first, b->count, &b->figure, &sum, NULL))
        return bench_fail(r->at, "%s", process_why(r->process));
    b->sum = peers_sum(sum);
    return true;
}

static bool remote_hash(void *state, uint64_t *hash)
{
    const remote *r = state;

    return process_hash(r->process, r->plan->hashed, hash) ||
           bench_fail(r->at, "%s", process_why(r->process));
}

/* JSON is formatted by each in its own way, so the sums over its bytes differ. */
#define OPS(json)                                                                                          \
    {                                                                                                      \
        .answer = "answer", .own_sum = (json), .own_figure = true, .elsewhere = true, .open = remote_open, \
        .prepare = remote_prepare, .run = remote_run, .hash = remote_hash, .close = remote_close           \
    }

const bench_ops peers_process = OPS(false);
const bench_ops peers_process_json = OPS(true);
