/*
 * Reads of other tables than that of items.c: narrow, wide, mostly text, mostly
 * numbers, half of it NULL; a query with a parameter and an index; a table read
 * inside a transaction. And `items` in sizes between those of reads.c.
 *
 * What differs between these cases is text: the schema, the rows, the query. So
 * there is one kind of peer for the baseline and one for the library, and a job
 * for each text.
 */
#include <stdlib.h>

#include "bench.h"
#include "cells.h"
#include "checksum.h"
#include "raw/row.h"
#include "reads.h"

/* Rows 0 … n - 1, as i. The size of the case is put in. */
#define NUMBERS "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < %zu) "

typedef struct query_job {
    const char *table;
    const char *rows; /* with one %zu */
    const char *sql;
    bool by_category; /* has a parameter: one of ten categories in turn */
    bool in_transaction;
} query_job;

/* bench_peer.variant */
enum { JOB_NARROW, JOB_WIDE, JOB_TEXT, JOB_NUMERIC, JOB_NULLABLE, JOB_CATEGORY, JOB_IN_TRANSACTION, JOBS };

#define CATEGORIES 10
#define TABLE_CATEGORIES                                                                   \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL, " \
    "category TEXT NOT NULL);"
#define ROWS_CATEGORIES \
    NUMBERS "INSERT INTO items SELECT i + 1, 'Item ' || i, i * 1.5, 'cat_' || (i %% 10) FROM c"

static const query_job jobs[JOBS] = {
    [JOB_NARROW] =
        {
            .table = "CREATE TABLE t(id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
            .rows = NUMBERS "INSERT INTO t SELECT i + 1, i * 7 FROM c",
            .sql = "SELECT * FROM t",
        },
    [JOB_WIDE] =
        {
            .table =
                "CREATE TABLE t(id INTEGER PRIMARY KEY, c1 INTEGER, c2 INTEGER, c3 INTEGER, c4 INTEGER, "
                "c5 REAL, c6 REAL, c7 REAL, c8 REAL, c9 TEXT, c10 TEXT, c11 TEXT, c12 TEXT, c13 INTEGER, "
                "c14 REAL, c15 TEXT, c16 INTEGER, c17 TEXT, c18 REAL, c19 INTEGER)",
            .rows = NUMBERS
            "INSERT INTO t SELECT i + 1, i, i + 1, i + 2, i + 3, i * .1, i * .2, i * .3, i * .4, "
            "'str_' || i, 'text_' || (i %% 100), 'val_' || (i %% 50), 'data_' || i, i * 10, i * .5, "
            "'more_' || i, i * 100, 'field_' || (i %% 20), i * 1.1, i * 3 FROM c",
            .sql = "SELECT * FROM t",
        },
    [JOB_TEXT] =
        {
            .table =
                "CREATE TABLE t(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, "
                "summary TEXT NOT NULL, notes TEXT NOT NULL, score REAL NOT NULL, count INTEGER NOT NULL)",
            .rows = NUMBERS
            "INSERT INTO t SELECT i + 1, "
            "'The title of item number ' || i || ', a heading that is as long as headings often are', "
            "'This is the body text for item ' || i || '. It contains multiple sentences, as texts that "
            "people "
            "write do. There is a second one, and there is a third one, so that the whole of it is at least "
            "200 "
            "characters long, which is more than a cell of a number needs.', "
            "'The summary of item ' || i || ', which says in one line what its body says in several', "
            "'Notes about item ' || i || ': category=' || (i %% 10) || ', priority=' || (i %% 5) || "
            "', status=active, last_updated=2026-01-01', i * 1.5, i * 3 FROM c",
            .sql = "SELECT * FROM t",
        },
    [JOB_NUMERIC] =
        {
            .table = "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL, c REAL "
                     "NOT NULL, "
                     "d REAL NOT NULL, e INTEGER NOT NULL, label TEXT NOT NULL)",
            .rows = NUMBERS
            "INSERT INTO t SELECT i + 1, i * 7, i * 13, i * .333, i * 1.414, i * 99, 'n' || i FROM c",
            .sql = "SELECT * FROM t",
        },
    [JOB_NULLABLE] =
        {
            .table = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, value REAL, tag TEXT, count INTEGER, "
                     "note TEXT, score REAL)",
            .rows =
                NUMBERS "INSERT INTO t SELECT i + 1, iif(i %% 2 = 0, 'name_' || i, NULL), iif(i %% 3 = 0, i "
                        "* 1.5, NULL), "
                        "iif(i %% 4 = 0, 'tag_' || (i %% 10), NULL), iif(i %% 2 = 1, i * 2, NULL), "
                        "iif(i %% 5 = 0, 'note for row ' || i, NULL), iif(i %% 3 <> 0, i * .7, NULL) FROM c",
            .sql = "SELECT * FROM t",
        },
    [JOB_CATEGORY] =
        {
            .table = TABLE_CATEGORIES "CREATE INDEX idx_category ON items(category)",
            .rows = ROWS_CATEGORIES,
            .sql = "SELECT * FROM items WHERE category = ?",
            .by_category = true,
        },
    [JOB_IN_TRANSACTION] =
        {
            .table = TABLE_CATEGORIES,
            .rows = ROWS_CATEGORIES,
            .sql = "SELECT * FROM items ORDER BY id",
            .in_transaction = true,
        },
};

static const char *const categories[CATEGORIES] = {"cat_0", "cat_1", "cat_2", "cat_3", "cat_4",
                                                   "cat_5", "cat_6", "cat_7", "cat_8", "cat_9"};

/* Either the library or the baseline. */
typedef struct asker {
    const bench_ctx *at;
    const query_job *job;
    rsq_db *db;     /* owned */
    raw_db *raw;    /* owned */
    raw_stmt *stmt; /* owned */
    rsq_value params[CATEGORIES];
    size_t nparams; /* of the query */
} asker;

static void asker_close(void *state)
{
    asker *a = state;

    raw_finalize(a->stmt);
    raw_close(a->raw);
    rsq_close(a->db);
    free(a);
}

static bool make_table(const bench_ctx *at, const query_job *job)
{
    char rows[1536];
    raw_db *db = raw_open(at->path, RAW_CREATE);
    int len = snprintf(rows, sizeof rows, job->rows, at->of->size);
    bool ok = len > 0 && (size_t)len < sizeof rows && db && raw_ok(db) && raw_exec(db, job->table) &&
              raw_exec(db, rows);

    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

static asker *asker_new(const bench_ctx *at)
{
    asker *a = calloc(1, sizeof *a);

    if (!a) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    a->at = at;
    a->job = &jobs[at->peer->variant];
    a->nparams = a->job->by_category ? 1 : 0;
    for (size_t i = 0; i < CATEGORIES; i++)
        a->params[i] = rsq_text(categories[i]);
    if (make_table(at, a->job))
        return a;
    asker_close(a);
    return NULL;
}

/* Whether all categories are hashed, or the one query. */
static uint64_t hashed(const asker *a)
{
    return a->job->by_category ? CATEGORIES : 1;
}

/* ------------------------------------------------------------ the library -- */

static void *rsq_asker_open(const bench_ctx *at)
{
    asker *a = asker_new(at);
    rsq_error err;
    rsq_code rc;

    if (!a)
        return NULL;
    rc = rsq_open(at->path, NULL, &a->db, &err);
    if (rc == RSQ_OK)
        return a;
    bench_fail_code(at, "open", rc, &err);
    asker_close(a);
    return NULL;
}

/* What the function of a transaction needs. */
typedef struct tx_read {
    const query_job *job;
    rsq_result *result; /* out: owned */
} tx_read;

static rsq_code read_in_tx(rsq_tx *tx, void *ctx)
{
    tx_read *r = ctx;

    return rsq_tx_select(tx, r->job->sql, NULL, 0, NULL, &r->result, NULL);
}

static bool ask(const asker *a, uint64_t op, rsq_result **out)
{
    tx_read in_tx = {.job = a->job};
    rsq_error err;
    rsq_code rc;

    if (a->job->in_transaction) {
        rc = rsq_transaction(a->db, read_in_tx, &in_tx, NULL, &err);
        *out = in_tx.result;
    } else {
        rc = rsq_select(a->db, a->job->sql, &a->params[op % CATEGORIES], a->nparams, NULL, out, &err);
    }
    return rc == RSQ_OK || bench_fail_code(a->at, "select", rc, &err);
}

static bool rsq_asker_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        rsq_result *result;

        if (!ask(state, b->first + i, &result))
            return false;
        b->sum = cells_visit(result, b->sum);
        rsq_result_unref(result);
    }
    return true;
}

static bool rsq_asker_hash(void *state, uint64_t *hash)
{
    *hash = HASH_START;
    for (uint64_t i = 0; i < hashed(state); i++) {
        rsq_result *result;

        if (!ask(state, i, &result))
            return false;
        *hash = cells_hash(result, *hash);
        rsq_result_unref(result);
    }
    return true;
}

static const bench_ops rsq_asker = {
    .answer = READS_ANSWER_ROWS,
    .open = rsq_asker_open,
    .run = rsq_asker_run,
    .hash = rsq_asker_hash,
    .close = asker_close,
};

/* ----------------------------------------------------------- the baseline -- */

static void *raw_asker_open(const bench_ctx *at)
{
    asker *a = asker_new(at);

    if (!a)
        return NULL;
    /* A transaction of the library is the writer's, and may write. */
    a->raw = raw_open(at->path, a->job->in_transaction ? 0 : RAW_READONLY);
    if (a->raw && raw_ok(a->raw))
        a->stmt = raw_prepare(a->raw, a->job->sql);
    if (a->stmt)
        return a;
    bench_fail(at, "open: %s", raw_message(a->raw));
    asker_close(a);
    return NULL;
}

static bool raw_asker_run(void *state, bench_block *b)
{
    const asker *a = state;
    bool in_tx = a->job->in_transaction;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        const rsq_value *params = &a->params[(b->first + i) % CATEGORIES];

        ok = (!in_tx || raw_begin(a->raw)) && raw_row_visit(a->stmt, params, a->nparams, &b->sum) &&
             (!in_tx || raw_commit(a->raw));
    }
    return ok || bench_fail(a->at, "step: %s", raw_message(a->raw));
}

static void hash_row(void *ctx, const rsq_value *cells, size_t columns)
{
    uint64_t *hash = ctx;

    for (size_t i = 0; i < columns; i++)
        *hash = cells_hash_one(&cells[i], *hash);
}

static bool raw_asker_hash(void *state, uint64_t *hash)
{
    const asker *a = state;
    bool ok = true;

    *hash = HASH_START;
    for (uint64_t i = 0; i < hashed(a) && ok; i++)
        ok = raw_row_each(a->stmt, &a->params[i], a->nparams, hash_row, hash);
    return ok || bench_fail(a->at, "step: %s", raw_message(a->raw));
}

static const bench_ops raw_asker = {
    .answer = READS_ANSWER_ROWS,
    .open = raw_asker_open,
    .run = raw_asker_run,
    .hash = raw_asker_hash,
    .close = asker_close,
};

/* ------------------------------------------------------------------ cases -- */

#define QUERY_CASE(of, as, rows, job)                                         \
    {                                                                         \
        .workload = (of), .name = (as), .unit = "us/read", .size = (rows),    \
        .peers = {{.name = "raw", .ops = &raw_asker, .variant = (job)},       \
                  {.name = "resqlite", .ops = &rsq_asker, .variant = (job)}}, \
    }

#define SCALING_CASE(n)                                                                               \
    {                                                                                                 \
        .workload = "rows", .name = #n, .unit = "us/read", .size = (n),                               \
        .peers = {{.name = "raw", .ops = &reads_raw_rows},                                            \
                  {.name = "resqlite", .ops = &reads_rsq_rows},                                       \
                  {.name = "resqlite-accessors", .ops = &reads_rsq_rows, .variant = READ_ACCESSORS}}, \
    }

#define SCALING_JSON_CASE(n)                                            \
    {                                                                   \
        .workload = "json", .name = #n, .unit = "us/read", .size = (n), \
        .peers = {{.name = "raw", .ops = &reads_raw_rows},              \
                  {.name = "raw-json1", .ops = &reads_raw_json1},       \
                  {.name = "resqlite", .ops = &reads_rsq_json}},        \
    }

static const bench_case cases[] = {
    SCALING_CASE(50),
    SCALING_CASE(500),
    SCALING_CASE(2000),
    SCALING_JSON_CASE(50),
    SCALING_JSON_CASE(500),
    SCALING_JSON_CASE(2000),
    QUERY_CASE("shape", "narrow", 1000, JOB_NARROW),
    QUERY_CASE("shape", "wide", 1000, JOB_WIDE),
    QUERY_CASE("shape", "text", 1000, JOB_TEXT),
    QUERY_CASE("shape", "numeric", 1000, JOB_NUMERIC),
    QUERY_CASE("shape", "nullable", 1000, JOB_NULLABLE),
    QUERY_CASE("parameterised", "category", 5000, JOB_CATEGORY),
    QUERY_CASE("transaction-read", "500", 500, JOB_IN_TRANSACTION),
    QUERY_CASE("transaction-read", "1000", 1000, JOB_IN_TRANSACTION),
};

const bench_area bench_area_queries = {cases, BENCH_LENGTH(cases)};
