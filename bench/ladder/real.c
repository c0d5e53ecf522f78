/*
 * Look-ups and inserts on the rungs of the ladder; see jobs.h. The workers of a
 * rung run kept statements on connections of SQLite; the library is called as its
 * users call it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "items.h"
#include "ladder/jobs.h"
#include "portable.h"
#include "raw/row.h"

#define SQL_TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define SQL_INSERT "INSERT INTO t(name, value) VALUES (?, ?)"
/* With a condition, so that it empties the table row by row, hook or no hook. */
#define SQL_EMPTY "DELETE FROM t WHERE true"
#define SQL_CONTENT "SELECT * FROM t ORDER BY id"

enum { COLUMNS = 6 };

static const char *const names[COLUMNS] = {"id", "name", "description", "value", "category", "created_at"};

/* For bench_fail() and for what makes tables. */
static const bench_case ladder_case = {.workload = "ladder", .name = "real", .size = LOOK_UP_ROWS};
static const bench_peer ladder_peer = {.name = "set-up"};

static bool open_library(const bench_ctx *at, rsq_db **db)
{
    rsq_error err;
    rsq_code rc = rsq_open(at->path, NULL, db, &err);

    return rc == RSQ_OK || bench_fail_code(at, "open", rc, &err);
}

/* What an asynchronous call left behind, taken by its callback. */
typedef struct arrival {
    rsq_code code;
    rsq_result *result; /* owned by whoever waits */
} arrival;

static void on_done(rsq_op *op, void *ctx)
{
    arrival *a = ctx;

    a->code = rsq_op_status(op);
    a->result = rsq_op_take_result(op);
}

static rsq_code await_op(rsq_op *op, rsq_result **out)
{
    (void)rsq_op_wait(op, UINT32_MAX);
    *out = rsq_op_take_result(op);
    return *out ? RSQ_OK : rsq_op_status(op);
}

static rsq_code await_queue(rsq_db *db, const arrival *a, rsq_result **out)
{
    rsq_queue *q = rsq_queue_default(db);
    rsq_code rc = rsq_queue_wait(q, UINT32_MAX);

    if (rc == RSQ_OK)
        rc = rsq_queue_dispatch(q, 1, NULL);
    if (rc != RSQ_OK)
        return rc;
    *out = a->result;
    return a->code;
}

/* ------------------------------------------------------------------ look-ups -- */

struct look_ups {
    bench_ctx at;
    rsq_db *db;                        /* owned */
    raw_db *raws[RUNG_WORKERS_MAX];    /* owned; worker i uses raws[i] */
    raw_stmt *stmts[RUNG_WORKERS_MAX]; /* owned */
};

void look_ups_close(look_ups *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < RUNG_WORKERS_MAX; i++) {
        raw_finalize(l->stmts[i]);
        raw_close(l->raws[i]);
    }
    rsq_close(l->db);
    bench_place_remove(l->at.path);
    free(l);
}

static bool open_connections(look_ups *l)
{
    for (unsigned i = 0; i < RUNG_WORKERS_MAX; i++) {
        l->raws[i] = raw_open(l->at.path, RAW_READONLY);
        if (!l->raws[i] || !raw_ok(l->raws[i]))
            return bench_fail(&l->at, "open: %s", raw_message(l->raws[i]));
        l->stmts[i] = raw_prepare(l->raws[i], ITEMS_SQL_KEY);
        if (!l->stmts[i])
            return bench_fail(&l->at, "prepare: %s", raw_message(l->raws[i]));
    }
    return true;
}

/* The library's first worker stays on the core that its first asynchronous call comes from. */
static bool start_worker(rsq_db *db)
{
    rsq_result *result = NULL;
    rsq_op *op;
    rsq_code rc;

    bench_core_take(1);
    rc = rsq_select_async(db, "SELECT 1", NULL, 0, NULL, &op);
    if (rc == RSQ_OK) {
        rc = await_op(op, &result);
        rsq_result_unref(result);
        rsq_op_free(op);
    }
    bench_core_leave();
    return rc == RSQ_OK;
}

look_ups *look_ups_open(const bench_place *place)
{
    look_ups *l = calloc(1, sizeof *l);

    if (!l) {
        fprintf(stderr, "rsq-bench: ladder: out of memory\n");
        return NULL;
    }
    l->at.of = &ladder_case;
    l->at.peer = &ladder_peer;
    bench_place_database(place, 0, l->at.path);
    if (items_make(&l->at, LOOK_UP_ROWS) && open_connections(l) && open_library(&l->at, &l->db) &&
        start_worker(l->db))
        return l;
    look_ups_close(l);
    return NULL;
}

/* What a worker of a rung needs besides the request. */
typedef struct finder {
    const look_up *by;
    row_set *found; /* owned; out */
} finder;

static void keep_row(void *ctx, const rsq_value *cells, size_t columns)
{
    finder *f = ctx;

    f->found = rows_new(f->by->form, cells, 1, names, columns);
}

static rsq_value key_of(uint64_t op)
{
    return rsq_integer((int64_t)(op % LOOK_UP_ROWS) + 1);
}

static void find(rung_request *r, unsigned worker)
{
    finder f = {.by = r->ctx};
    rsq_value key = key_of(r->op);

    r->ok = raw_row_each(f.by->in->stmts[worker], &key, 1, keep_row, &f) && f.found;
    r->answer = f.found;
}

static bool find_by_rung(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum)
{
    look_up *u = state;
    rung_request r = {.work = find, .ctx = u, .op = op};

    if (!job_send(u->rung, u->state, caller, &r, phases))
        return false;
    job_take_rows(&r, sum);
    return true;
}

static rsq_code find_waiting(rsq_db *db, const rsq_value *key, rsq_result **out)
{
    rsq_op *op;
    rsq_code rc = rsq_select_async(db, ITEMS_SQL_KEY, key, 1, NULL, &op);

    if (rc != RSQ_OK)
        return rc;
    rc = await_op(op, out);
    rsq_op_free(op);
    return rc;
}

static rsq_code find_queued(rsq_db *db, const rsq_value *key, rsq_result **out)
{
    arrival a = {RSQ_OK, NULL};
    rsq_op_options opts = {.size = sizeof opts, .done = on_done, .ctx = &a};
    rsq_code rc = rsq_select_async(db, ITEMS_SQL_KEY, key, 1, &opts, NULL);

    return rc == RSQ_OK ? await_queue(db, &a, out) : rc;
}

static bool find_by_library(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum)
{
    const look_up *u = state;
    rsq_result *result = NULL;
    rsq_value key = key_of(op);
    rsq_code rc;

    (void)caller;
    (void)phases;
    if (u->way == LOOK_UP_WAIT)
        rc = find_waiting(u->in->db, &key, &result);
    else if (u->way == LOOK_UP_QUEUE)
        rc = find_queued(u->in->db, &key, &result);
    else
        rc = rsq_select(u->in->db, ITEMS_SQL_KEY, &key, 1, NULL, &result, NULL);
    if (rc != RSQ_OK)
        return false;
    *sum = portable_result(*sum, result);
    rsq_result_unref(result);
    return true;
}

bool look_up_open(look_up *u, look_ups *in, unsigned callers, contestant *c)
{
    static const char *const ways[] = {
        [LOOK_UP_SELECT] = "resqlite", [LOOK_UP_WAIT] = "resqlite-wait", [LOOK_UP_QUEUE] = "resqlite-queue"};

    u->in = in;
    if (!u->rung) {
        *c = (contestant){.state = u, .call = find_by_library};
        snprintf(c->name, sizeof c->name, "%s", ways[u->way]);
        return true;
    }
    u->state = u->rung->start(callers);
    if (!u->state)
        return bench_fail(&in->at, "%s: no memory or no thread", u->rung->name);
    *c = (contestant){.state = u, .call = find_by_rung, .phased = true, .unbound = !u->rung->bound};
    snprintf(c->name, sizeof c->name, "%s", u->rung->name);
    return true;
}

void look_up_close(look_up *u)
{
    if (u->state)
        u->rung->stop(u->state);
    u->state = NULL;
}

/* ------------------------------------------------------------------- inserts -- */

/* Texts that are inserted; more than the calls of a round. */
#define TEXTS 512
#define TEXT_MAX 16

struct inserts {
    bench_ctx at;         /* SQLite's */
    bench_ctx library_at; /* the library's */
    rsq_db *db;           /* owned */
    raw_db *raw;          /* owned; used by one worker after the other */
    raw_stmt *insert;     /* owned */
    char texts[TEXTS][TEXT_MAX];
};

void inserts_close(inserts *s)
{
    if (!s)
        return;
    raw_finalize(s->insert);
    raw_close(s->raw);
    rsq_close(s->db);
    bench_place_remove(s->at.path);
    bench_place_remove(s->library_at.path);
    free(s);
}

static bool make_table(const bench_ctx *at)
{
    raw_db *db = raw_open(at->path, RAW_CREATE);
    bool ok = db && raw_ok(db) && raw_exec(db, SQL_TABLE);

    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

static bool open_writers(inserts *s)
{
    if (!make_table(&s->at) || !make_table(&s->library_at))
        return false;
    s->raw = raw_open(s->at.path, 0);
    if (!s->raw || !raw_ok(s->raw))
        return bench_fail(&s->at, "open: %s", raw_message(s->raw));
    s->insert = raw_prepare(s->raw, SQL_INSERT);
    if (!s->insert)
        return bench_fail(&s->at, "prepare: %s", raw_message(s->raw));
    return open_library(&s->library_at, &s->db) && start_worker(s->db);
}

inserts *inserts_open(const bench_place *place)
{
    inserts *s = calloc(1, sizeof *s);

    if (!s) {
        fprintf(stderr, "rsq-bench: ladder: out of memory\n");
        return NULL;
    }
    s->at.of = s->library_at.of = &ladder_case;
    s->at.peer = s->library_at.peer = &ladder_peer;
    bench_place_database(place, 1, s->at.path);
    bench_place_database(place, 2, s->library_at.path);
    for (int i = 0; i < TEXTS; i++)
        snprintf(s->texts[i], sizeof s->texts[i], "item_%d", i);
    if (open_writers(s))
        return s;
    inserts_close(s);
    return NULL;
}

static void insert_row(rung_request *r, unsigned worker)
{
    const insert_by *u = r->ctx;
    const char *text = u->in->texts[r->op % TEXTS];
    raw_pair row = {text, strlen(text), (double)(r->op % TEXTS) * 1.5};

    (void)worker;
    r->ok = raw_insert_each(u->in->insert, &row, 1);
}

static bool insert_by_prepare(void *state)
{
    const insert_by *u = state;

    if (u->rung)
        return raw_exec(u->in->raw, SQL_EMPTY) || bench_fail(&u->in->at, "%s", raw_message(u->in->raw));
    return rsq_execute(u->in->db, SQL_EMPTY, NULL, 0, NULL, NULL, NULL) == RSQ_OK ||
           bench_fail(&u->in->at, "cannot empty the table");
}

/* Every insert changes one row; the sum is over those. */
static bool insert_by_rung(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum)
{
    insert_by *u = state;
    rung_request r = {.work = insert_row, .ctx = u, .op = op};

    *sum += 1;
    return job_send(u->rung, u->state, caller, &r, phases);
}

static rsq_code insert_async(const insert_by *u, const rsq_value *row, rsq_result **out)
{
    arrival a = {RSQ_OK, NULL};
    rsq_op_options opts = {.size = sizeof opts, .done = on_done, .ctx = &a};
    rsq_op *op;
    rsq_code rc;

    if (u->way == INSERT_QUEUE) {
        rc = rsq_execute_async(u->in->db, SQL_INSERT, row, 2, &opts, NULL);
        return rc == RSQ_OK ? await_queue(u->in->db, &a, out) : rc;
    }
    rc = rsq_execute_async(u->in->db, SQL_INSERT, row, 2, NULL, &op);
    if (rc != RSQ_OK)
        return rc;
    rc = await_op(op, out);
    rsq_op_free(op);
    return rc;
}

static bool insert_by_library(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum)
{
    const insert_by *u = state;
    rsq_value row[] = {rsq_text(u->in->texts[op % TEXTS]), rsq_real((double)(op % TEXTS) * 1.5)};
    rsq_result *result = NULL;
    rsq_code rc;

    (void)caller;
    (void)phases;
    if (u->way == INSERT_EXECUTE)
        rc = rsq_execute(u->in->db, SQL_INSERT, row, 2, NULL, &result, NULL);
    else
        rc = insert_async(u, row, &result);
    if (rc == RSQ_OK)
        *sum += (double)rsq_result_changes(result);
    rsq_result_unref(result);
    return rc == RSQ_OK;
}

bool insert_by_open(insert_by *u, inserts *in, contestant *c)
{
    static const char *const ways[] = {
        [INSERT_EXECUTE] = "resqlite", [INSERT_WAIT] = "resqlite-wait", [INSERT_QUEUE] = "resqlite-queue"};

    u->in = in;
    if (!u->rung) {
        *c = (contestant){.state = u, .prepare = insert_by_prepare, .call = insert_by_library};
        snprintf(c->name, sizeof c->name, "%s", ways[u->way]);
        return true;
    }
    u->state = u->rung->start(1);
    if (!u->state)
        return bench_fail(&in->at, "%s: no memory or no thread", u->rung->name);
    *c = (contestant){.state = u,
                      .prepare = insert_by_prepare,
                      .call = insert_by_rung,
                      .phased = true,
                      .unbound = !u->rung->bound};
    snprintf(c->name, sizeof c->name, "%s", u->rung->name);
    return true;
}

void insert_by_close(insert_by *u)
{
    if (u->state)
        u->rung->stop(u->state);
    u->state = NULL;
}

/* Enough that rows in another order would show. */
#define CHECKED 16

static bool library_content(const inserts *s, uint64_t *hash)
{
    rsq_result *result;

    if (rsq_select(s->db, SQL_CONTENT, NULL, 0, NULL, &result, NULL) != RSQ_OK)
        return false;
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

static bool raw_content(const inserts *s, uint64_t *hash)
{
    raw_stmt *content = raw_prepare(s->raw, SQL_CONTENT);
    bool ok;

    *hash = HASH_START;
    ok = content && raw_hash(content, NULL, hash);
    raw_finalize(content);
    return ok;
}

bool insert_by_content(insert_by *u, const contestant *c, uint64_t *hash)
{
    bool ok = insert_by_prepare(u);
    double sum = 0;

    for (uint64_t op = 0; op < CHECKED && ok; op++)
        ok = c->call(u, 0, op, NULL, &sum);
    ok = ok && (u->rung ? raw_content(u->in, hash) : library_content(u->in, hash));
    return ok || bench_fail(&u->in->at, "%s: cannot read back what was inserted", c->name);
}
