/*
 * Parts of a read or of a write, seen alone: what the seeds of this library had
 * figures for and no other case measures. Locks and objects of a large read; what
 * it costs the thread that asks for 5,000 rows; BEGIN and COMMIT compiled each time;
 * parameters copied one by one; JSON made of a result instead of directly.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cells.h"
#include "checksum.h"
#include "cores.h"
#include "heap.h"
#include "items.h"
#include "ladder/rows.h"
#include "locks.h"
#include "raw/row.h"

/* bench_peer.variant: what is done, and whether through the library. */
enum {
    READ_ROWS,    /* all rows, in place */
    READ_RECORDS, /* and an object made of each */
    READ_ASYNC,   /* all rows, on a worker */
    READ_JSON_ASYNC,
    READ_JSON,
    READ_THEN_JSON,
    READ_FULLMUTEX /* baseline: as SQLite is by default, with its mutexes on */
};

typedef struct reader {
    const bench_ctx *at;
    rsq_db *db;     /* owned; NULL: the baseline */
    raw_db *raw;    /* owned */
    raw_stmt *stmt; /* owned */
    char *json;     /* owned: the buffer of READ_THEN_JSON */
    size_t room;
    int64_t own_ns; /* of the calling thread, in the last read: in the library, but not waiting */
} reader;

static void reader_close(void *state)
{
    reader *r = state;

    raw_finalize(r->stmt);
    raw_close(r->raw);
    rsq_close(r->db);
    free(r->json);
    free(r);
}

static reader *reader_new(const bench_ctx *at)
{
    reader *r = calloc(1, sizeof *r);

    if (!r) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    r->at = at;
    if (items_make(at, at->of->size))
        return r;
    free(r);
    return NULL;
}

static void *raw_reader_open(const bench_ctx *at)
{
    unsigned flags = at->peer->variant == READ_FULLMUTEX ? RAW_READONLY | RAW_MUTEXES : RAW_READONLY;
    reader *r = reader_new(at);

    if (!r)
        return NULL;
    r->raw = raw_open(at->path, flags);
    if (r->raw && raw_ok(r->raw))
        r->stmt = raw_prepare(r->raw, ITEMS_SQL_ALL);
    if (r->stmt)
        return r;
    bench_fail(at, "open: %s", raw_message(r->raw));
    reader_close(r);
    return NULL;
}

static bool start_worker(const reader *r);

static void *rsq_reader_open(const bench_ctx *at)
{
    reader *r = reader_new(at);
    rsq_error err;
    rsq_code rc;

    if (!r)
        return NULL;
    rc = rsq_open(at->path, NULL, &r->db, &err);
    if (rc == RSQ_OK && start_worker(r))
        return r;
    if (rc != RSQ_OK)
        bench_fail_code(at, "open", rc, &err);
    reader_close(r);
    return NULL;
}

/* ------------------------------------------------------------------- reads -- */

static rsq_code ask(const reader *r, bool json, rsq_op **op)
{
    return json ? rsq_select_json_async(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, op)
                : rsq_select_async(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, op);
}

/* On a worker; the calling thread's own time is noted. */
static rsq_code read_async(reader *r, bool json, rsq_result **out)
{
    int64_t started = bench_now_ns();
    rsq_op *op;
    rsq_code rc = ask(r, json, &op);
    int64_t asked = bench_now_ns();
    int64_t woken;

    if (rc != RSQ_OK)
        return rc;
    (void)rsq_op_wait(op, UINT32_MAX);
    woken = bench_now_ns();
    rc = rsq_op_status(op);
    *out = rsq_op_take_result(op);
    rsq_op_free(op);
    r->own_ns = asked - started + bench_now_ns() - woken;
    return rc;
}

/* The worker stays on the core that its first call comes from. */
static bool start_worker(const reader *r)
{
    reader copy = *r;
    rsq_result *result = NULL;
    rsq_code rc;

    bench_core_take(1);
    rc = read_async(&copy, false, &result);
    bench_core_leave();
    rsq_result_unref(result);
    return rc == RSQ_OK || bench_fail(r->at, "read: %s", rsq_code_name(rc));
}

static bool reserve(reader *r, size_t size)
{
    char *more;

    if (size <= r->room)
        return true;
    more = realloc(r->json, 2 * size);
    if (!more)
        return false;
    r->json = more;
    r->room = 2 * size;
    return true;
}

/* A cell as JSON, behind its name; the texts of these rows need no escapes. */
static size_t write_cell(char *to, const char *name, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return (size_t)sprintf(to, "\"%s\":%lld", name, (long long)v->as.i);
    case RSQ_REAL:
        return (size_t)sprintf(to, "\"%s\":%.15g", name, v->as.d);
    default:
        return (size_t)sprintf(to, "\"%s\":\"%.*s\"", name, (int)v->len, v->as.text);
    }
}

/* The rows of a result as an array of objects; 0: no memory. */
static size_t write_json(reader *r, const rsq_result *result)
{
    /* More than names and numbers of a row take, and a comma for each. */
    enum { ROW_OVERHEAD = 256 };
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(result, &rows, &columns);
    size_t len = 0;

    for (size_t i = 0; i < rows; i++) {
        size_t texts = 0;

        for (size_t k = 0; k < columns; k++)
            texts += cells[i * columns + k].len;
        if (!reserve(r, len + texts + ROW_OVERHEAD))
            return 0;
        r->json[len++] = i == 0 ? '[' : ',';
        for (size_t k = 0; k < columns; k++) {
            r->json[len++] = k == 0 ? '{' : ',';
            len += write_cell(r->json + len, rsq_result_column_name(result, k), &cells[i * columns + k]);
        }
        r->json[len++] = '}';
    }
    r->json[len++] = ']';
    return len;
}

static bool make_records(const rsq_result *result)
{
    static const char *const names[] = {"id", "name", "description", "value", "category", "created_at"};
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(result, &rows, &columns);
    row_set *made = rows_new(ROWS_RECORDS, cells, rows, names, columns);

    rows_free(made);
    return made != NULL;
}

/* One read by the library, and what is made of it. */
static bool read_one(reader *r, rsq_result **out)
{
    uint32_t how = r->at->peer->variant;
    rsq_code rc;

    if (how == READ_ASYNC || how == READ_JSON_ASYNC)
        rc = read_async(r, how == READ_JSON_ASYNC, out);
    else if (how == READ_JSON)
        rc = rsq_select_json(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, out, NULL);
    else
        rc = rsq_select(r->db, ITEMS_SQL_ALL, NULL, 0, NULL, out, NULL);
    if (rc != RSQ_OK)
        return bench_fail(r->at, "read: %s", rsq_code_name(rc));
    return (how != READ_RECORDS || make_records(*out)) || bench_fail(r->at, "out of memory");
}

/* The bytes, or the cells, of what was read. */
static bool visit(reader *r, const rsq_result *result, uint64_t *sum)
{
    size_t len;
    const char *json = rsq_result_json(result, &len);

    if (r->at->peer->variant == READ_THEN_JSON) {
        len = write_json(r, result);
        json = r->json;
        if (len == 0)
            return bench_fail(r->at, "out of memory");
    }
    *sum = json ? visit_bytes(*sum, json, len) : cells_visit(result, *sum);
    return true;
}

static bool read_all(reader *r, uint64_t *sum)
{
    rsq_result *result = NULL;
    bool ok;

    if (r->raw)
        return raw_visit(r->stmt, sum) || bench_fail(r->at, "step: %s", raw_message(r->raw));
    ok = read_one(r, &result) && visit(r, result, sum);
    rsq_result_unref(result);
    return ok;
}

static bool hash_all(void *state, uint64_t *hash)
{
    reader *r = state;
    rsq_result *result;
    size_t len;
    const char *json;

    *hash = HASH_START;
    if (r->raw)
        return raw_hash(r->stmt, NULL, hash) || bench_fail(r->at, "step: %s", raw_message(r->raw));
    if (!read_one(r, &result))
        return false;
    json = rsq_result_json(result, &len);
    if (r->at->peer->variant == READ_THEN_JSON) {
        len = write_json(r, result);
        json = r->json;
    }
    *hash = json ? hash_json(*hash, json, len) : cells_hash(result, *hash);
    rsq_result_unref(result);
    return true;
}

/* --- what is measured of them */

static bool time_run(void *state, bench_block *b)
{
    bool ok = true;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = read_all(state, &b->sum);
    bench_core_leave();
    return ok;
}

static bool own_time_run(void *state, bench_block *b)
{
    reader *r = state;
    int64_t sum_ns = 0;
    bool ok = true;

    bench_core_take(0);
    for (uint64_t i = 0; i < b->count && ok; i++) {
        ok = read_all(r, &b->sum);
        sum_ns += r->own_ns;
    }
    bench_core_leave();
    b->figure = (double)sum_ns / 1000.0;
    return ok;
}

static bool locks_run(void *state, bench_block *b)
{
    uint64_t before = bench_locks();
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = read_all(state, &b->sum);
    b->figure = (double)(bench_locks() - before);
    return ok;
}

static bool objects_run(void *state, bench_block *b)
{
    uint64_t before = bench_heap_allocations();
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = read_all(state, &b->sum);
    b->figure = (double)(bench_heap_allocations() - before);
    return ok;
}

#define READ_OPS(who, what, its_own, kind)                                                     \
    {                                                                                          \
        .answer = (kind), .own_sum = true, .own_figure = (its_own), .open = who##_reader_open, \
        .run = what##_run, .hash = hash_all, .close = reader_close                             \
    }

static const bench_ops raw_time = READ_OPS(raw, time, false, "rows");
static const bench_ops raw_locks = READ_OPS(raw, locks, true, "rows");
static const bench_ops rsq_time = READ_OPS(rsq, time, false, "rows");
static const bench_ops rsq_locks = READ_OPS(rsq, locks, true, "rows");
static const bench_ops rsq_objects = READ_OPS(rsq, objects, true, "rows");
static const bench_ops rsq_own_time = READ_OPS(rsq, own_time, true, "rows");
static const bench_ops rsq_json_time = READ_OPS(rsq, time, false, "json");
static const bench_ops rsq_json_own_time = READ_OPS(rsq, own_time, true, "json");

/* ------------------------------------------------------------ parts of writes -- */

#define SQL_TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define SQL_INSERT "INSERT INTO t(name, value) VALUES (?, ?)"
#define SQL_EMPTY "DELETE FROM t WHERE true"
#define SQL_CONTENT "SELECT * FROM t ORDER BY id"
#define ROWS_MAX 10000

/* bench_peer.variant */
enum { WRITE_KEPT, WRITE_COMPILED /* BEGIN and COMMIT */, WRITE_COPIED /* parameters */ };

typedef struct writer {
    const bench_ctx *at;
    raw_db *raw;    /* owned */
    raw_stmt *stmt; /* owned */
    char names[ROWS_MAX][16];
    raw_pair pairs[ROWS_MAX];
} writer;

static void writer_close(void *state)
{
    writer *w = state;

    raw_finalize(w->stmt);
    raw_close(w->raw);
    free(w);
}

static void *writer_open(const bench_ctx *at)
{
    writer *w = calloc(1, sizeof *w);

    if (!w) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    w->at = at;
    for (int i = 0; i < ROWS_MAX; i++) {
        int len = snprintf(w->names[i], sizeof w->names[i], "item_%d", i);

        w->pairs[i] = (raw_pair){w->names[i], (size_t)len, i * 1.5};
    }
    w->raw = raw_open(at->path, RAW_CREATE);
    if (w->raw && raw_ok(w->raw) && raw_exec(w->raw, SQL_TABLE))
        w->stmt = raw_prepare(w->raw, SQL_INSERT);
    if (w->stmt)
        return w;
    bench_fail(at, "open: %s", raw_message(w->raw));
    writer_close(w);
    return NULL;
}

static bool writer_empty(void *state)
{
    const writer *w = state;

    return raw_exec(w->raw, SQL_EMPTY) || bench_fail(w->at, "empty: %s", raw_message(w->raw));
}

static bool write_batch(const writer *w)
{
    size_t n = w->at->of->size;

    switch (w->at->peer->variant) {
    case WRITE_COMPILED:
        return raw_exec(w->raw, "BEGIN IMMEDIATE") && raw_insert_each(w->stmt, w->pairs, n) &&
               raw_exec(w->raw, "COMMIT");
    case WRITE_COPIED:
        return raw_begin(w->raw) && raw_row_insert_copied(w->stmt, w->pairs, n) && raw_commit(w->raw);
    default:
        return raw_insert_batch(w->raw, w->stmt, w->pairs, n);
    }
}

static bool writer_run(void *state, bench_block *b)
{
    const writer *w = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = write_batch(w);
    b->sum = b->count;
    return ok || bench_fail(w->at, "%s", raw_message(w->raw));
}

static bool writer_hash(void *state, uint64_t *hash)
{
    const writer *w = state;
    raw_stmt *content;
    bool ok = writer_empty(state) && write_batch(w);

    *hash = HASH_START;
    content = ok ? raw_prepare(w->raw, SQL_CONTENT) : NULL;
    ok = content && raw_hash(content, NULL, hash);
    raw_finalize(content);
    return ok || bench_fail(w->at, "%s", raw_message(w->raw));
}

static const bench_ops writes = {
    .answer = "rows",
    .open = writer_open,
    .prepare = writer_empty,
    .run = writer_run,
    .hash = writer_hash,
    .close = writer_close,
};

/* -------------------------------------------------------------------- cases -- */

static const bench_case cases[] = {
    {
        .workload = "parts",
        .name = "locks-20000",
        .unit = "locks/read",
        .size = 20000,
        .peers = {{.name = "raw-mutexes", .ops = &raw_locks, .variant = READ_FULLMUTEX},
                  {.name = "raw", .ops = &raw_locks},
                  {.name = "resqlite", .ops = &rsq_locks}},
    },
    {
        .workload = "parts",
        .name = "objects-20000",
        .unit = "allocations/read",
        .size = 20000,
        .peers = {{.name = "resqlite-records", .ops = &rsq_objects, .variant = READ_RECORDS},
                  {.name = "resqlite", .ops = &rsq_objects}},
    },
    {
        .workload = "parts",
        .name = "wall-5000",
        .unit = "us/read",
        .size = 5000,
        .sample_ms = 20,
        .peers = {{.name = "raw", .ops = &raw_time},
                  {.name = "resqlite", .ops = &rsq_time},
                  {.name = "resqlite-async", .ops = &rsq_time, .variant = READ_ASYNC},
                  {.name = "resqlite-json-async", .ops = &rsq_json_time, .variant = READ_JSON_ASYNC}},
    },
    {
        .workload = "parts",
        .name = "caller-5000",
        .unit = "us of the caller/read",
        .size = 5000,
        .sample_ms = 20,
        .peers = {{.name = "resqlite-async", .ops = &rsq_own_time, .variant = READ_ASYNC},
                  {.name = "resqlite-json-async", .ops = &rsq_json_own_time, .variant = READ_JSON_ASYNC}},
    },
    {
        .workload = "parts",
        .name = "json-10000",
        .unit = "us/read",
        .size = 10000,
        .sample_ms = 20,
        .peers = {{.name = "resqlite-then-json", .ops = &rsq_json_time, .variant = READ_THEN_JSON},
                  {.name = "resqlite", .ops = &rsq_json_time, .variant = READ_JSON}},
    },
    {
        .workload = "parts",
        .name = "control-100",
        .unit = "us/batch",
        .size = 100,
        .sample_ms = 60,
        .peers = {{.name = "raw-compiled", .ops = &writes, .variant = WRITE_COMPILED},
                  {.name = "raw", .ops = &writes}},
    },
    {
        .workload = "parts",
        .name = "parameters-10000",
        .unit = "us/batch",
        .size = 10000,
        .sample_ms = 60,
        .peers = {{.name = "raw-copied", .ops = &writes, .variant = WRITE_COPIED},
                  {.name = "raw", .ops = &writes}},
    },
};

const bench_area bench_area_parts = {cases, BENCH_LENGTH(cases)};
