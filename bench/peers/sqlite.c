/*
 * Peers `sqlite3` and `sqlite3+json1`: SQLite by hand, with kept statements, on the
 * same build and with the same settings as the library. In live cases the
 * statement is run and then the query again, in place: there is no cheaper way to
 * know the new answer.
 */
#include <stdlib.h>
#include <string.h>

#include "peers/peers.h"
#include "portable.h"
#include "raw/row.h"

typedef struct local {
    const bench_ctx *at;
    const plan *plan;
    raw_db *db;      /* owned */
    raw_stmt *stmt;  /* owned */
    raw_stmt *watch; /* owned; live plans */
    peers_values values;
    uint64_t calls;
} local;

static void local_close(void *state)
{
    local *l = state;

    raw_finalize(l->watch);
    raw_finalize(l->stmt);
    raw_close(l->db);
    peers_values_fini(&l->values);
    free(l);
}

static bool make(local *l)
{
    bool ok;

    l->db = raw_open(l->at->path, RAW_CREATE);
    ok = l->db && raw_ok(l->db);
    for (size_t i = 0; i < PLAN_STATEMENTS_MAX && l->plan->schema[i] && ok; i++)
        ok = raw_exec(l->db, l->plan->schema[i]);
    if (ok)
        l->stmt = raw_prepare(l->db, l->plan->kind == PLAN_JSON ? l->plan->sql_json1 : l->plan->sql);
    if (ok && l->plan->watch)
        l->watch = raw_prepare(l->db, l->plan->watch);
    return (ok && l->stmt && (!l->plan->watch || l->watch)) ||
           bench_fail(l->at, "set-up: %s", raw_message(l->db));
}

static void *local_open(const bench_ctx *at)
{
    local *l = calloc(1, sizeof *l);

    if (!l) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    l->at = at;
    l->plan = peers_plan_of(at->of);
    if (make(l))
        return l;
    local_close(l);
    return NULL;
}

static bool local_prepare(void *state)
{
    const local *l = state;

    return !l->plan->empty || raw_exec(l->db, l->plan->empty) ||
           bench_fail(l->at, "empty: %s", raw_message(l->db));
}

static bool batch(const local *l, const rsq_value *rows)
{
    bool ok = raw_begin(l->db);

    for (size_t i = 0; i < l->plan->batch && ok; i++)
        ok = raw_row_each(l->stmt, &rows[i * l->plan->nparams], l->plan->nparams, NULL, NULL);
    return ok && raw_commit(l->db);
}

/* One operation; `params`: its own, or those of the first row of its batch. */
static bool operate(const local *l, const rsq_value *params, double *sum)
{
    size_t n = l->plan->nparams;

    switch (l->plan->kind) {
    case PLAN_ROWS:
    case PLAN_JSON:
        return raw_row_portable(l->stmt, params, n, sum);
    case PLAN_EXECUTE:
        *sum += 1;
        return raw_row_each(l->stmt, params, n, NULL, NULL);
    case PLAN_BATCH:
        *sum += (double)l->plan->batch;
        return batch(l, params);
    case PLAN_LIVE:
    default:
        return raw_row_each(l->stmt, params, n, NULL, NULL) &&
               raw_row_portable(l->watch, NULL, 0, &(double){0}) && (*sum += 1, true);
    }
}

static bool local_run(void *state, bench_block *b)
{
    local *l = state;
    size_t step = l->plan->nparams * (l->plan->kind == PLAN_BATCH ? l->plan->batch : 1);
    int64_t paused = bench_now_ns();
    double sum = 0;
    bool ok = peers_values_fill(&l->values, l->plan, b->first, b->count, &l->calls);

    b->paused_ns += bench_now_ns() - paused;
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = operate(l, &l->values.cells[i * step], &sum);
    b->sum = peers_sum(sum);
    return ok || bench_fail(l->at, "%s", raw_message(l->db));
}

static void hash_row(void *ctx, const rsq_value *cells, size_t columns)
{
    uint32_t *hash = ctx;

    for (size_t i = 0; i < columns; i++)
        *hash = plan_hash_cell(*hash, &cells[i]);
    *hash = plan_hash_row(*hash);
}

static void hash_json(void *ctx, const rsq_value *cells, size_t columns)
{
    uint32_t *hash = ctx;

    (void)columns;
    *hash = plan_hash_json(*hash, cells[0].as.text, cells[0].len);
}

static bool hash_reads(local *l, uint32_t *hash)
{
    bool ok = peers_values_fill(&l->values, l->plan, 0, l->plan->hashed, &l->calls);

    for (size_t i = 0; i < l->plan->hashed && ok; i++)
        ok = raw_row_each(l->stmt, &l->values.cells[i * l->plan->nparams], l->plan->nparams,
                          l->plan->kind == PLAN_JSON ? hash_json : hash_row, hash);
    return ok;
}

static bool hash_writes(local *l, uint32_t *hash)
{
    size_t step = l->plan->nparams * (l->plan->kind == PLAN_BATCH ? l->plan->batch : 1);
    bool ok = local_prepare(l) && peers_values_fill(&l->values, l->plan, 0, l->plan->hashed, &l->calls);
    raw_stmt *content;

    for (size_t i = 0; i < l->plan->hashed && ok; i++)
        ok = operate(l, &l->values.cells[i * step], &(double){0});
    content = ok ? raw_prepare(l->db, l->plan->content) : NULL;
    ok = content && raw_row_each(content, NULL, 0, hash_row, hash);
    raw_finalize(content);
    return ok;
}

/* After each step the answer. */
static bool hash_steps(const local *l, uint32_t *hash)
{
    bool ok = true;

    for (int i = 0; i < PLAN_STEPS && ok; i++) {
        ok = raw_begin(l->db);
        for (int k = 0; k < PLAN_STEP_STATEMENTS && plan_steps[i][k] && ok; k++)
            ok = raw_exec(l->db, plan_steps[i][k]);
        ok = ok && raw_commit(l->db) && raw_row_each(l->watch, NULL, 0, hash_row, hash);
    }
    return ok;
}

static bool local_hash(void *state, uint64_t *out)
{
    local *l = state;
    uint32_t hash = PLAN_HASH_START;
    bool ok;

    if (l->plan->kind == PLAN_LIVE)
        ok = hash_steps(l, &hash);
    else if (l->plan->content)
        ok = hash_writes(l, &hash);
    else
        ok = hash_reads(l, &hash);
    *out = hash;
    return ok || bench_fail(l->at, "%s", raw_message(l->db));
}

/* JSON is formatted by each in its own way, so the sums over its bytes differ. */
#define OPS(json)                                                                            \
    {                                                                                        \
        .answer = "answer", .own_sum = (json), .open = local_open, .prepare = local_prepare, \
        .run = local_run, .hash = local_hash, .close = local_close                           \
    }

const bench_ops peers_sqlite = OPS(false);
const bench_ops peers_sqlite_json = OPS(true);
