/*
 * Reads of 1,000 rows that are asked for together: one, two, four and eight. The
 * baseline and `resqlite-threads` have a thread for each, `resqlite` asks for all
 * of them from one thread, asynchronously, and visits the results itself as they
 * come. An operation is all reads of one time.
 */
#include <stdlib.h>

#include "bench.h"
#include "cells.h"
#include "checksum.h"
#include "crew.h"
#include "items.h"
#include "raw/raw.h"
#include "reads.h"

#define TOGETHER_MAX 8

/* bench_peer.variant: how many together. */

/* One thread's; a cache line each. */
typedef struct lane {
    _Alignas(64) raw_db *db; /* owned; NULL: the library */
    raw_stmt *stmt;          /* owned */
    uint64_t sum;
    bool ok;
} lane;

typedef struct group {
    const bench_ctx *at;
    unsigned n;
    rsq_db *db;       /* owned */
    bench_crew *crew; /* owned; NULL: asynchronous */
    lane lanes[TOGETHER_MAX];
} group;

static void group_close(void *state)
{
    group *g = state;

    bench_crew_free(g->crew);
    for (unsigned i = 0; i < g->n; i++) {
        raw_finalize(g->lanes[i].stmt);
        raw_close(g->lanes[i].db);
    }
    rsq_close(g->db);
    free(g);
}

static group *group_new(const bench_ctx *at, bool with_threads)
{
    group *g = aligned_alloc(_Alignof(group), sizeof *g);

    if (!g) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    memset(g, 0, sizeof *g);
    g->at = at;
    g->n = at->peer->variant;
    g->crew = with_threads ? bench_crew_new(g->n) : NULL;
    if (with_threads && !g->crew)
        bench_fail(at, "no thread");
    else if (items_make(at, at->of->size))
        return g;
    group_close(g);
    return NULL;
}

/* ----------------------------------------------------------- the baseline -- */

static bool lane_open(const group *g, lane *l)
{
    l->db = raw_open(g->at->path, RAW_READONLY);
    if (l->db && raw_ok(l->db))
        l->stmt = raw_prepare(l->db, ITEMS_SQL_ALL);
    return l->stmt || bench_fail(g->at, "open: %s", raw_message(l->db));
}

static void *raw_group_open(const bench_ctx *at)
{
    group *g = group_new(at, true);
    bool ok = g != NULL;

    for (unsigned i = 0; ok && i < g->n; i++)
        ok = lane_open(g, &g->lanes[i]);
    if (ok)
        return g;
    if (g)
        group_close(g);
    return NULL;
}

static void raw_read(void *ctx, unsigned member)
{
    lane *l = &((group *)ctx)->lanes[member];

    l->sum = 0;
    l->ok = raw_visit(l->stmt, &l->sum);
}

static bool crew_run(group *g, bench_crew_fn read, bench_block *b)
{
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        bench_crew_run(g->crew, read, g);
        for (unsigned k = 0; k < g->n; k++) {
            b->sum += g->lanes[k].sum;
            ok = ok && g->lanes[k].ok;
        }
    }
    return ok || bench_fail(g->at, "a read failed");
}

static bool raw_run(void *state, bench_block *b)
{
    return crew_run(state, raw_read, b);
}

static bool raw_group_hash(void *state, uint64_t *hash)
{
    const group *g = state;

    *hash = HASH_START;
    return raw_hash(g->lanes[0].stmt, NULL, hash) ||
           bench_fail(g->at, "step: %s", raw_message(g->lanes[0].db));
}

static const bench_ops raw_group = {
    .answer = READS_ANSWER_ROWS,
    .open = raw_group_open,
    .run = raw_run,
    .hash = raw_group_hash,
    .close = group_close,
};

/* ------------------------------------------------------------ the library -- */

static void *rsq_group_open(const bench_ctx *at, bool with_threads)
{
    group *g = group_new(at, with_threads);
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_error err;
    rsq_code rc;

    if (!g)
        return NULL;
    opts.readers = g->n;
    rc = rsq_open(at->path, &opts, &g->db, &err);
    if (rc == RSQ_OK)
        return g;
    bench_fail_code(at, "open", rc, &err);
    group_close(g);
    return NULL;
}

static void *threads_open(const bench_ctx *at)
{
    return rsq_group_open(at, true);
}

static void *async_open(const bench_ctx *at)
{
    return rsq_group_open(at, false);
}

static void rsq_read(void *ctx, unsigned member)
{
    group *g = ctx;
    lane *l = &g->lanes[member];
    rsq_result *result = NULL;

    l->sum = 0;
    l->ok = rsq_select(g->db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, NULL) == RSQ_OK;
    if (l->ok)
        l->sum = cells_visit(result, 0);
    rsq_result_unref(result);
}

static bool threads_run(void *state, bench_block *b)
{
    return crew_run(state, rsq_read, b);
}

static bool take_one(const group *g, rsq_op *op, uint64_t *sum)
{
    rsq_result *result;
    rsq_code rc;

    (void)rsq_op_wait(op, UINT32_MAX);
    rc = rsq_op_status(op);
    result = rsq_op_take_result(op);
    if (result)
        *sum = cells_visit(result, *sum);
    rsq_result_unref(result);
    rsq_op_free(op);
    return rc == RSQ_OK || bench_fail(g->at, "read: %s", rsq_code_name(rc));
}

static bool ask_together(const group *g, uint64_t *sum)
{
    rsq_op *ops[TOGETHER_MAX];
    unsigned asked = 0;
    rsq_code rc = RSQ_OK;
    bool ok = true;

    while (asked < g->n && rc == RSQ_OK) {
        rc = rsq_select_async(g->db, ITEMS_SQL_ALL, NULL, 0, NULL, &ops[asked]);
        asked += rc == RSQ_OK;
    }
    for (unsigned i = 0; i < asked; i++)
        ok = take_one(g, ops[i], sum) && ok;
    return ok && (rc == RSQ_OK || bench_fail(g->at, "submit: %s", rsq_code_name(rc)));
}

static bool async_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!ask_together(state, &b->sum))
            return false;
    }
    return true;
}

static bool rsq_group_hash(void *state, uint64_t *hash)
{
    const group *g = state;
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(g->db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(g->at, "select", rc, &err);
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

static const bench_ops rsq_threads = {
    .answer = READS_ANSWER_ROWS,
    .open = threads_open,
    .run = threads_run,
    .hash = rsq_group_hash,
    .close = group_close,
};

static const bench_ops rsq_async = {
    .answer = READS_ANSWER_ROWS,
    .open = async_open,
    .run = async_run,
    .hash = rsq_group_hash,
    .close = group_close,
};

/* ------------------------------------------------------------------ cases -- */

#define TOGETHER_CASE(n)                                                                                \
    {                                                                                                   \
        .workload = "concurrent", .name = #n, .unit = "us/" #n " reads", .size = 1000, .sample_ms = 20, \
        .peers = {{.name = "raw", .ops = &raw_group, .variant = (n)},                                   \
                  {.name = "resqlite", .ops = &rsq_async, .variant = (n)},                              \
                  {.name = "resqlite-threads", .ops = &rsq_threads, .variant = (n)}},                   \
    }

static const bench_case cases[] = {TOGETHER_CASE(1), TOGETHER_CASE(2), TOGETHER_CASE(4), TOGETHER_CASE(8)};

const bench_area bench_area_concurrent = {cases, BENCH_LENGTH(cases)};
