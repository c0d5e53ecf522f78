/* The cases of apps.h, and their peers. */
#include "apps.h"

#include <stdlib.h>

#include "cells.h"
#include "checksum.h"

typedef struct app_peer {
    const bench_ctx *at;
    const app *app;
    rsq_db *db;                               /* owned; NULL: it is the baseline */
    raw_db *raw;                              /* owned; NULL: it is the library */
    raw_stmt *statements[APP_STATEMENTS_MAX]; /* owned, like the next */
    raw_stmt *content;
    int64_t timed_ns; /* of the statement that is timed by itself */
    uint64_t timed;
} app_peer;

static void app_close(void *state)
{
    app_peer *p = state;

    for (size_t i = 0; i < APP_STATEMENTS_MAX; i++)
        raw_finalize(p->statements[i]);
    raw_finalize(p->content);
    raw_close(p->raw);
    rsq_close(p->db);
    free(p);
}

static bool open_raw(app_peer *p)
{
    p->raw = raw_open(p->at->path, 0);
    if (!p->raw || !raw_ok(p->raw))
        return bench_fail(p->at, "open: %s", raw_message(p->raw));
    p->content = raw_prepare(p->raw, p->app->content);
    for (size_t i = 0; i < APP_STATEMENTS_MAX && p->app->statements[i]; i++) {
        p->statements[i] = raw_prepare(p->raw, p->app->statements[i]);
        if (!p->statements[i])
            return bench_fail(p->at, "prepare: %s", raw_message(p->raw));
    }
    return p->content || bench_fail(p->at, "prepare: %s", raw_message(p->raw));
}

static bool open_library(app_peer *p)
{
    rsq_error err;
    rsq_code rc = rsq_open(p->at->path, NULL, &p->db, &err);

    return rc == RSQ_OK || bench_fail_code(p->at, "open", rc, &err);
}

static void *app_open(const bench_ctx *at, bool (*open)(app_peer *))
{
    app_peer *p = calloc(1, sizeof *p);

    if (!p) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    p->at = at;
    p->app = app_of(at);
    if (app_make(at) && open(p))
        return p;
    app_close(p);
    return NULL;
}

static void *raw_app_open(const bench_ctx *at)
{
    return app_open(at, open_raw);
}

static void *rsq_app_open(const bench_ctx *at)
{
    return app_open(at, open_library);
}

static bool raw_step(app_peer *p, unsigned statement, const rsq_value *params, size_t n, uint64_t *sum)
{
    raw_stmt *s = p->statements[statement];
    bool ok =
        p->app->writes & 1u << statement ? raw_run_with(s, params, n) : raw_visit_with(s, params, n, sum);

    return ok || bench_fail(p->at, "step: %s", raw_message(p->raw));
}

static bool rsq_step(app_peer *p, unsigned statement, const rsq_value *params, size_t n, uint64_t *sum)
{
    const char *sql = p->app->statements[statement];
    rsq_result *result;
    rsq_error err;
    rsq_code rc;

    if (p->app->writes & 1u << statement) {
        rc = rsq_execute(p->db, sql, params, n, NULL, NULL, &err);
        return rc == RSQ_OK || bench_fail_code(p->at, "step", rc, &err);
    }
    rc = rsq_select(p->db, sql, params, n, NULL, &result, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(p->at, "step", rc, &err);
    *sum = cells_visit(result, *sum);
    rsq_result_unref(result);
    return true;
}

static bool operate(app_peer *p, uint64_t op, uint64_t *sum)
{
    int timed = app_timed(p->at);
    rsq_value params[APP_PARAMS_MAX];
    bool ok = true;

    for (unsigned i = 0; i < p->app->steps && ok; i++) {
        unsigned statement;
        size_t n = p->app->step(p->at, op, i, &statement, params);
        int64_t started = timed == (int)statement ? bench_now_ns() : 0;

        ok = p->db ? rsq_step(p, statement, params, n, sum) : raw_step(p, statement, params, n, sum);
        if (timed == (int)statement) {
            p->timed_ns += bench_now_ns() - started;
            p->timed++;
        }
    }
    return ok;
}

static bool run(void *state, bench_block *b)
{
    app_peer *p = state;
    bool ok = true;

    p->timed_ns = 0;
    p->timed = 0;
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = operate(p, b->first + i, &b->sum);
    if (p->timed > 0)
        b->figure = (double)p->timed_ns / 1000.0 / (double)p->timed * (double)b->count;
    return ok;
}

static bool hash(void *state, uint64_t *out)
{
    app_peer *p = state;
    uint64_t ops = 200 / p->app->steps + 1;
    uint64_t sum = 0;
    rsq_result *result;
    rsq_error err;
    rsq_code rc;

    for (uint64_t i = 0; i < ops; i++) {
        if (!operate(p, APP_HASHED_OP + i, &sum))
            return false;
    }
    *out = hash_bytes(HASH_START, &sum, sizeof sum);
    if (!p->db)
        return raw_hash(p->content, NULL, out) || bench_fail(p->at, "select: %s", raw_message(p->raw));
    rc = rsq_select(p->db, p->app->content, NULL, 0, NULL, &result, &err);
    if (rc != RSQ_OK)
        return bench_fail_code(p->at, "select", rc, &err);
    *out = cells_hash(result, *out);
    rsq_result_unref(result);
    return true;
}

/* Blocks that are not recorded are not equally many for all peers, and their messages stay: so sums differ.
 */
#define OPS(opener, timed_alone)                                                                         \
    {                                                                                                    \
        .answer = "answers", .own_sum = true, .own_figure = (timed_alone), .open = (opener), .run = run, \
        .hash = hash, .close = app_close,                                                                \
    }

const bench_ops apps_raw = OPS(raw_app_open, false);
const bench_ops apps_rsq = OPS(rsq_app_open, false);
const bench_ops apps_raw_timed = OPS(raw_app_open, true);
const bench_ops apps_rsq_timed = OPS(rsq_app_open, true);

#define SAMPLE_MS 40

#define WHOLE(app_job)                                                 \
    .peers = {{.name = "raw", .ops = &apps_raw, .variant = (app_job)}, \
              {.name = "resqlite", .ops = &apps_rsq, .variant = (app_job)}}

/* One kind of statement, timed in the midst of the others. */
#define CHAT_CASE(title, statement)                                                                          \
    {                                                                                                        \
        .workload = "chat", .name = (title), .unit = "us/statement", .size = 10000, .sample_ms = SAMPLE_MS,  \
        .peers = {{.name = "raw", .ops = &apps_raw_timed, .variant = APP_CHAT | APP_TIMED(statement)},       \
                  {.name = "resqlite", .ops = &apps_rsq_timed, .variant = APP_CHAT | APP_TIMED(statement)}}, \
    }

static const bench_case cases[] = {
    {.workload = "chat",
     .name = "mix",
     .unit = "us/operation",
     .size = 10000,
     .sample_ms = SAMPLE_MS,
     WHOLE(APP_CHAT)},
    CHAT_CASE("insert", 0),
    CHAT_CASE("update", 1),
    CHAT_CASE("last-20", 2),
    CHAT_CASE("user", 3),
    {.workload = "feed", .name = "pages-20", .unit = "us/20 pages", .size = 100000, WHOLE(APP_FEED)},
};

const bench_area bench_area_apps = {cases, BENCH_LENGTH(cases)};

/* Two files of a gigabyte, so only for who asks for it. */
static const bench_case large[] = {
    {.workload = "large",
     .name = "5000000",
     .unit = "us/1000 rows and 10 ranges",
     .size = 5000000,
     .sample_ms = SAMPLE_MS,
     WHOLE(APP_LARGE)},
};

const bench_area bench_area_large = {large, BENCH_LENGTH(large)};
