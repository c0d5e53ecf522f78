/*
 * Experiments on threads; see trials.h: how long to wait awake for the other side of
 * a hand-over, and how many connections readers should have.
 */
#define _GNU_SOURCE /* syscall() */

#include "trials/trials.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "crew.h"
#include "items.h"
#include "reads.h"

/* -------------------------------------------------------------- hand-overs -- */

/* A word that one side changes and the other waits for. */
typedef struct bell {
    _Alignas(64) _Atomic uint32_t rung;
    _Atomic uint32_t asleep;
} bell;

typedef struct hand_over {
    const bench_ctx *at;
    bell ask;
    bell answer;
    uint32_t asked;
    _Atomic bool stopping;
    bool started;
    pthread_t thread;
    int64_t spin_ns;
    int64_t gap_ns;
} hand_over;

static void ring(bell *b)
{
    atomic_fetch_add(&b->rung, 1);
    if (atomic_load(&b->asleep) != 0)
        syscall(SYS_futex, &b->rung, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Until the bell has been rung `times` times in all: awake for a while, then asleep. */
static void await(bell *b, uint32_t times, int64_t spin_ns)
{
    int64_t until = bench_now_ns() + spin_ns;
    uint32_t seen;

    while (spin_ns > 0 && atomic_load(&b->rung) != times && bench_now_ns() < until) {
    }
    while ((seen = atomic_load(&b->rung)) != times) {
        atomic_store(&b->asleep, 1);
        if (atomic_load(&b->rung) == seen)
            syscall(SYS_futex, &b->rung, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        atomic_store(&b->asleep, 0);
    }
}

static void *answerer(void *arg)
{
    hand_over *h = arg;

    bench_core_take(1);
    for (uint32_t times = 1;; times++) {
        await(&h->ask, times, h->spin_ns);
        if (atomic_load(&h->stopping))
            return NULL;
        ring(&h->answer);
    }
}

static void hand_over_close(void *state)
{
    hand_over *h = state;

    if (h->started) {
        atomic_store(&h->stopping, true);
        ring(&h->ask);
        pthread_join(h->thread, NULL);
    }
    free(h);
}

static void *hand_over_open(const bench_ctx *at)
{
    hand_over *h = aligned_alloc(_Alignof(hand_over), sizeof *h);

    if (!h) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    memset(h, 0, sizeof *h);
    h->at = at;
    h->spin_ns = (int64_t)at->peer->variant * 1000;
    h->gap_ns = (int64_t)at->of->size * 1000;
    h->started = pthread_create(&h->thread, NULL, answerer, h) == 0;
    if (h->started)
        return h;
    bench_fail(at, "no thread");
    free(h);
    return NULL;
}

/* Work of the asking thread between two questions, not timed. */
static void pause_for(const hand_over *h, bench_block *b)
{
    int64_t from = bench_now_ns();
    int64_t now = from;

    while (now - from < h->gap_ns)
        now = bench_now_ns();
    b->paused_ns += now - from;
}

static bool hand_over_run(void *state, bench_block *b)
{
    hand_over *h = state;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count; i++) {
        if (h->gap_ns > 0)
            pause_for(h, b);
        h->asked++;
        ring(&h->ask);
        await(&h->answer, h->asked, h->spin_ns);
    }
    bench_core_leave();
    return true;
}

static bool hand_over_hash(void *state, uint64_t *hash)
{
    (void)state;
    *hash = 0;
    return true;
}

const bench_ops trials_hand_over = {
    .answer = "nothing",
    .open = hand_over_open,
    .run = hand_over_run,
    .hash = hand_over_hash,
    .close = hand_over_close,
};

/* ----------------------------------------------------------- pool of readers -- */

#define THREADS_MAX 4

typedef struct share {
    _Alignas(64) uint64_t sum;
    bool ok;
} share;

typedef struct pool {
    const bench_ctx *at;
    rsq_db *db;       /* owned */
    bench_crew *crew; /* owned */
    unsigned threads;
    const bench_block *block; /* borrowed while the crew runs it */
    share shares[THREADS_MAX];
} pool;

static void pool_close(void *state)
{
    pool *p = state;

    bench_crew_free(p->crew);
    rsq_close(p->db);
    free(p);
}

static void *pool_open(const bench_ctx *at)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    pool *p = aligned_alloc(_Alignof(pool), sizeof *p);
    rsq_error err;
    rsq_code rc;

    if (!p) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->at = at;
    p->threads = at->peer->variant >> 8;
    opts.readers = at->peer->variant & 0xff;
    if (!items_make(at, at->of->size))
        goto fail;
    rc = rsq_open(at->path, &opts, &p->db, &err);
    if (rc != RSQ_OK) {
        bench_fail_code(at, "open", rc, &err);
        goto fail;
    }
    p->crew = bench_crew_new(p->threads);
    if (p->crew)
        return p;
    bench_fail(at, "no thread");

fail:
    pool_close(p);
    return NULL;
}

static bool pool_read(const pool *p, rsq_result **out)
{
    rsq_error err;
    rsq_code rc = rsq_select(p->db, ITEMS_SQL_ALL, NULL, 0, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(p->at, "select", rc, &err);
}

static void pool_share(void *ctx, unsigned member)
{
    pool *p = ctx;
    share *mine = &p->shares[member];

    mine->sum = 0;
    mine->ok = true;
    for (uint64_t i = member; i < p->block->count && mine->ok; i += p->threads) {
        rsq_result *result;

        mine->ok = pool_read(p, &result);
        if (mine->ok) {
            mine->sum = cells_visit(result, mine->sum);
            rsq_result_unref(result);
        }
    }
}

static bool pool_run(void *state, bench_block *b)
{
    pool *p = state;
    bool ok = true;

    p->block = b;
    bench_crew_run(p->crew, pool_share, p);
    for (unsigned i = 0; i < p->threads; i++) {
        b->sum += p->shares[i].sum;
        ok = ok && p->shares[i].ok;
    }
    return ok;
}

static bool pool_hash(void *state, uint64_t *hash)
{
    rsq_result *result;

    if (!pool_read(state, &result))
        return false;
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

const bench_ops trials_pool = {
    .answer = READS_ANSWER_ROWS,
    .open = pool_open,
    .run = pool_run,
    .hash = pool_hash,
    .close = pool_close,
};
