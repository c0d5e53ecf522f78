/*
 * Peers of the read cases: the library, called as its users call it. SQL text
 * and parameters are passed each time; there is no handle to prepare.
 */
#include "reads.h"

#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "crew.h"
#include "heap.h"
#include "items.h"

#define MEMBERS_MAX 2

/* One thread's share of a block; a cache line each, so that the sums do not share one. */
typedef struct share {
    _Alignas(64) uint64_t sum;
    bool ok;
} share;

typedef struct reader {
    const bench_ctx *at;
    rsq_db *db;       /* owned */
    bench_crew *crew; /* owned; NULL: the calling thread alone */
    bool accessors;
    unsigned texts; /* of `numbered` in turn; 0: ITEMS_SQL_KEY */
    char numbered[ITEMS_NUMBERED_MAX][ITEMS_NUMBERED_LEN];

    /* While a block runs in the crew. */
    const bench_block *block; /* borrowed */
    share shares[MEMBERS_MAX];
} reader;

static void reader_close(void *state)
{
    reader *r = state;

    bench_crew_free(r->crew);
    rsq_close(r->db);
    free(r);
}

static void take_variant(reader *r, uint32_t variant)
{
    r->accessors = (variant & READ_ACCESSORS) != 0;
    if (variant & READ_NUMBERED)
        r->texts = 1;
    if (variant & READ_ROTATION)
        r->texts = ITEMS_NUMBERED_MAX;
    for (unsigned i = 0; i < r->texts; i++)
        items_sql_numbered(i, r->numbered[i]);
}

static void *reader_open(const bench_ctx *at)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    reader *r = aligned_alloc(_Alignof(reader), sizeof *r);
    rsq_error err;
    rsq_code rc;

    if (!r) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    memset(r, 0, sizeof *r);
    r->at = at;
    take_variant(r, at->peer->variant);
    if (!items_make(at, at->of->size))
        goto fail;
    if (at->peer->variant & READ_NOT_KEPT)
        opts.flags |= RSQ_OPEN_NO_KEPT_SNAPSHOTS;
    rc = rsq_open(at->path, &opts, &r->db, &err);
    if (rc != RSQ_OK) {
        bench_fail_code(at, "open", rc, &err);
        goto fail;
    }
    if (at->peer->variant & READ_TWO_THREADS) {
        r->crew = bench_crew_new(2);
        if (!r->crew) {
            bench_fail(at, "no thread");
            goto fail;
        }
    }
    return r;

fail:
    reader_close(r);
    return NULL;
}

static bool read_rows(const reader *r, uint64_t *sum)
{
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(r->at, "select", rc, &err);
    *sum = r->accessors ? cells_visit_accessors(result, *sum) : cells_visit(result, *sum);
    rsq_result_unref(result);
    return true;
}

static bool read_rows_alone(const reader *r, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!read_rows(r, &b->sum))
            return false;
    }
    return true;
}

/* Every second operation of the block. */
static void read_rows_share(void *ctx, unsigned member)
{
    reader *r = ctx;
    uint64_t sum = 0;
    bool ok = true;

    for (uint64_t i = member; i < r->block->count && ok; i += MEMBERS_MAX)
        ok = read_rows(r, &sum);
    r->shares[member].sum = sum;
    r->shares[member].ok = ok;
}

static bool rows_run(void *state, bench_block *b)
{
    reader *r = state;
    bool ok = true;

    if (!r->crew)
        return read_rows_alone(r, b);
    r->block = b;
    bench_crew_run(r->crew, read_rows_share, r);
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        b->sum += r->shares[i].sum;
        ok = ok && r->shares[i].ok;
    }
    return ok;
}

static bool rows_hash(void *state, uint64_t *hash)
{
    const reader *r = state;
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(r->at, "select", rc, &err);
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

const bench_ops reads_rsq_rows = {
    .answer = READS_ANSWER_ROWS,
    .open = reader_open,
    .run = rows_run,
    .hash = rows_hash,
    .close = reader_close,
};

static bool read_json(const reader *r, rsq_result **out)
{
    rsq_error err;
    rsq_code rc = rsq_select_json(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(r->at, "select_json", rc, &err);
}

static bool json_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        rsq_result *result;
        const char *json;
        size_t len;

        if (!read_json(state, &result))
            return false;
        json = rsq_result_json(result, &len);
        b->sum = visit_bytes(b->sum, json, len);
        rsq_result_unref(result);
    }
    return true;
}

static bool json_hash(void *state, uint64_t *hash)
{
    rsq_result *result;
    const char *json;
    size_t len;

    if (!read_json(state, &result))
        return false;
    json = rsq_result_json(result, &len);
    *hash = hash_json(HASH_START, json, len);
    rsq_result_unref(result);
    return true;
}

const bench_ops reads_rsq_json = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = reader_open,
    .run = json_run,
    .hash = json_hash,
    .close = reader_close,
};

static bool read_point(const reader *r, uint64_t op, rsq_result **out)
{
    const char *sql = r->texts > 0 ? r->numbered[op % r->texts] : ITEMS_SQL_KEY;
    rsq_value key = rsq_integer((int64_t)(op % r->at->of->size) + 1);
    rsq_error err;
    rsq_code rc = rsq_select(r->db, sql, &key, 1, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(r->at, "select", rc, &err);
}

static bool point_run(void *state, bench_block *b)
{
    const reader *r = state;

    for (uint64_t i = 0; i < b->count; i++) {
        rsq_result *result;

        if (!read_point(r, b->first + i, &result))
            return false;
        b->sum = r->accessors ? cells_visit_accessors(result, b->sum) : cells_visit(result, b->sum);
        rsq_result_unref(result);
    }
    return true;
}

/* Every key once; every text as well, there being more keys than texts. */
static bool point_hash(void *state, uint64_t *hash)
{
    const reader *r = state;

    *hash = HASH_START;
    for (size_t i = 0; i < r->at->of->size; i++) {
        rsq_result *result;

        if (!read_point(r, i, &result))
            return false;
        *hash = cells_hash(result, *hash);
        rsq_result_unref(result);
    }
    return true;
}

const bench_ops reads_rsq_point = {
    .answer = READS_ANSWER_POINTS,
    .open = reader_open,
    .run = point_run,
    .hash = point_hash,
    .close = reader_close,
};

static bool heap_run(void *state, bench_block *b)
{
    uint64_t before = bench_heap_allocations();
    bool ok = point_run(state, b);

    b->figure = (double)(bench_heap_allocations() - before);
    return ok;
}

const bench_ops reads_rsq_point_heap = {
    .answer = READS_ANSWER_POINTS,
    .own_figure = true,
    .open = reader_open,
    .run = heap_run,
    .hash = point_hash,
    .close = reader_close,
};
