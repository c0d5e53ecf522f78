/* The peer `resqlite`: the library by plan. A live query tells its answers through the default queue. */
#include <stdlib.h>
#include <string.h>

#include "cores.h"
#include "peers/peers.h"
#include "portable.h"

/* How long a live query may take to tell of a commit. */
#define TELL_MS 5000

typedef struct ours {
    const bench_ctx *at;
    const plan *plan;
    rsq_db *db;         /* owned */
    rsq_stream *stream; /* owned; live plans */
    rsq_result *told;   /* owned: the newest answer; set by the callback */
    peers_values values;
    uint64_t calls;
} ours;

static void ours_close(void *state)
{
    ours *o = state;

    rsq_stream_close(o->stream);
    rsq_result_unref(o->told);
    rsq_close(o->db);
    peers_values_fini(&o->values);
    free(o);
}

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    ours *o = ctx;

    (void)s;
    if (ev->kind != RSQ_EVENT_RESULT)
        return;
    rsq_result_unref(o->told);
    o->told = rsq_result_ref(ev->result);
}

/* Until there is an answer that was not there before; it is in o->told. */
static bool await_answer(ours *o)
{
    rsq_queue *q = rsq_queue_default(o->db);
    rsq_code rc = RSQ_OK;

    while (!o->told && rc == RSQ_OK) {
        rc = rsq_queue_wait(q, TELL_MS);
        if (rc == RSQ_OK)
            rc = rsq_queue_dispatch(q, 1, NULL);
    }
    return rc == RSQ_OK || bench_fail(o->at, "no event: %s", rsq_code_name(rc));
}

static void forget_answer(ours *o)
{
    rsq_result_unref(o->told);
    o->told = NULL;
}

static bool watch(ours *o)
{
    rsq_stream_options opts = {.size = sizeof opts, .event = on_event, .ctx = o};
    rsq_error err;
    rsq_code rc = rsq_stream_open(o->db, o->plan->watch, NULL, 0, &opts, &o->stream, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(o->at, "watch", rc, &err);
    if (!await_answer(o))
        return false;
    forget_answer(o);
    return true;
}

/* The thread that runs the live query has the other core, as in the cases of live queries. */
static bool watch_elsewhere(ours *o)
{
    bool ok;

    bench_core_take(1);
    ok = watch(o);
    bench_core_leave();
    return ok;
}

static void *ours_open(const bench_ctx *at)
{
    ours *o = calloc(1, sizeof *o);
    rsq_error err;
    rsq_code rc;

    if (!o) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    o->at = at;
    o->plan = peers_plan_of(at->of);
    rc = rsq_open(at->path, NULL, &o->db, &err);
    for (size_t i = 0; i < PLAN_STATEMENTS_MAX && o->plan->schema[i] && rc == RSQ_OK; i++)
        rc = rsq_execute_script(o->db, o->plan->schema[i], NULL, &err);
    if (rc != RSQ_OK)
        bench_fail_code(at, "set-up", rc, &err);
    else if (!o->plan->watch || watch_elsewhere(o))
        return o;
    ours_close(o);
    return NULL;
}

static bool ours_prepare(void *state)
{
    const ours *o = state;
    rsq_error err;
    rsq_code rc;

    if (!o->plan->empty)
        return true;
    rc = rsq_execute(o->db, o->plan->empty, NULL, 0, NULL, NULL, &err);
    return rc == RSQ_OK || bench_fail_code(o->at, "empty", rc, &err);
}

static bool read_one(const ours *o, const rsq_value *params, rsq_result **out)
{
    rsq_error err;
    rsq_code rc = o->plan->kind == PLAN_JSON
                      ? rsq_select_json(o->db, o->plan->sql, params, o->plan->nparams, NULL, out, &err)
                      : rsq_select(o->db, o->plan->sql, params, o->plan->nparams, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(o->at, "select", rc, &err);
}

static bool visit_one(const ours *o, const rsq_value *params, double *sum)
{
    rsq_result *result;
    const char *json;
    size_t len;

    if (!read_one(o, params, &result))
        return false;
    if (o->plan->kind == PLAN_JSON) {
        json = rsq_result_json(result, &len);
        *sum = portable_text(*sum, json, len);
    } else {
        *sum = portable_result(*sum, result);
    }
    rsq_result_unref(result);
    return true;
}

/* The value in the first row of the new answer that tells which write it is the answer of. */
static bool is_expected(const ours *o)
{
    ptrdiff_t column = rsq_result_column_index(o->told, o->plan->expect);
    int64_t expected = (int64_t)(o->plan->expect_add + o->calls);

    return column >= 0 && rsq_result_rows(o->told) > 0 &&
           rsq_result_int64(o->told, 0, (size_t)column) == expected;
}

static bool write_watched(ours *o, double *sum)
{
    char texts[PLAN_PARAMS_MAX][PLAN_TEXT_MAX];
    rsq_value params[PLAN_PARAMS_MAX];
    rsq_error err;
    rsq_code rc;

    for (size_t i = 0; i < o->plan->nparams; i++)
        params[i] = plan_value(&o->plan->params[i], 0, &o->calls, texts[i]);
    rc = rsq_execute(o->db, o->plan->sql, params, o->plan->nparams, NULL, NULL, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(o->at, "write", rc, &err);
    if (!await_answer(o))
        return false;
    (void)portable_result(0, o->told);
    if (!is_expected(o))
        return bench_fail(o->at, "an event with another answer");
    forget_answer(o);
    *sum += 1;
    return true;
}

static bool operate(ours *o, const rsq_value *params, double *sum)
{
    const plan *p = o->plan;
    rsq_error err;
    rsq_code rc;

    switch (p->kind) {
    case PLAN_ROWS:
    case PLAN_JSON:
        return visit_one(o, params, sum);
    case PLAN_EXECUTE:
        *sum += 1;
        rc = rsq_execute(o->db, p->sql, params, p->nparams, NULL, NULL, &err);
        return rc == RSQ_OK || bench_fail_code(o->at, "execute", rc, &err);
    case PLAN_BATCH:
        *sum += (double)p->batch;
        rc = rsq_execute_batch(o->db, p->sql, params, p->batch, p->nparams, NULL, NULL, &err);
        return rc == RSQ_OK || bench_fail_code(o->at, "batch", rc, &err);
    case PLAN_LIVE:
    default:
        return write_watched(o, sum);
    }
}

static size_t step_of(const plan *p)
{
    return p->nparams * (p->kind == PLAN_BATCH ? p->batch : 1);
}

static bool ours_run(void *state, bench_block *b)
{
    ours *o = state;
    uint64_t unused = 0;
    int64_t paused = bench_now_ns();
    double sum = 0;
    bool ok = peers_values_fill(&o->values, o->plan, b->first, b->count, &unused) ||
              bench_fail(o->at, "out of memory");

    if (o->plan->watch)
        bench_core_take(0);
    b->paused_ns += bench_now_ns() - paused;
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = operate(o, &o->values.cells[i * step_of(o->plan)], &sum);
    if (o->plan->watch)
        bench_core_leave();
    b->sum = peers_sum(sum);
    return ok;
}

static uint32_t hash_result(const rsq_result *r, uint32_t hash)
{
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);

    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < columns; k++)
            hash = plan_hash_cell(hash, &cells[i * columns + k]);
        hash = plan_hash_row(hash);
    }
    return hash;
}

static bool hash_reads(ours *o, uint32_t *hash)
{
    for (size_t i = 0; i < o->plan->hashed; i++) {
        rsq_result *result;
        size_t len;
        const char *json;

        if (!read_one(o, &o->values.cells[i * o->plan->nparams], &result))
            return false;
        json = rsq_result_json(result, &len);
        *hash = json ? plan_hash_json(*hash, json, len) : hash_result(result, *hash);
        rsq_result_unref(result);
    }
    return true;
}

static bool hash_writes(ours *o, uint32_t *hash)
{
    bool ok = ours_prepare(o);
    rsq_result *result;
    rsq_error err;
    rsq_code rc;

    for (size_t i = 0; i < o->plan->hashed && ok; i++)
        ok = operate(o, &o->values.cells[i * step_of(o->plan)], &(double){0});
    if (!ok)
        return false;
    rc = rsq_select(o->db, o->plan->content, NULL, 0, NULL, &result, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(o->at, "content", rc, &err);
    *hash = hash_result(result, *hash);
    rsq_result_unref(result);
    return true;
}

/* An event must come for each step, with the answer that is hashed. */
static bool hash_steps(ours *o, uint32_t *hash)
{
    for (int i = 0; i < PLAN_STEPS; i++) {
        rsq_query queries[PLAN_STEP_STATEMENTS] = {{0}};
        size_t n = 0;
        rsq_error err;
        rsq_code rc;

        for (; n < PLAN_STEP_STATEMENTS && plan_steps[i][n]; n++)
            queries[n].sql = plan_steps[i][n];
        rc = rsq_execute_all(o->db, queries, n, NULL, NULL, &err);
        if (rc != RSQ_OK)
            return bench_fail_code(o->at, "step", rc, &err);
        if (!await_answer(o))
            return false;
        *hash = hash_result(o->told, *hash);
        forget_answer(o);
    }
    return true;
}

static bool ours_hash(void *state, uint64_t *out)
{
    ours *o = state;
    uint32_t hash = PLAN_HASH_START;
    uint64_t unused = 0;
    bool ok;

    if (!peers_values_fill(&o->values, o->plan, 0, o->plan->hashed, &unused))
        return bench_fail(o->at, "out of memory");
    if (o->plan->kind == PLAN_LIVE)
        ok = hash_steps(o, &hash);
    else
        ok = o->plan->content ? hash_writes(o, &hash) : hash_reads(o, &hash);
    *out = hash;
    return ok;
}

/* JSON is formatted by each in its own way, so the sums over its bytes differ. */
#define OPS(json)                                                                                           \
    {                                                                                                       \
        .answer = "answer", .own_sum = (json), .open = ours_open, .prepare = ours_prepare, .run = ours_run, \
        .hash = ours_hash, .close = ours_close                                                              \
    }

const bench_ops peers_library = OPS(false);
const bench_ops peers_library_json = OPS(true);
