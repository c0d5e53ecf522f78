/*
 * Write cases: single inserts, each in a transaction of its own, and batches.
 * The table is emptied before each block, outside the timed part.
 *
 * Goals of "writes" are what the write path must reach. A batch has two
 * baselines: one without a preupdate hook, and one with a hook that does nothing,
 * because a writer that knows what it changed cannot be had without the hook.
 */
#include "bench.h"

#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "raw/raw.h"

#define SQL_TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define SQL_INSERT "INSERT INTO t(name, value) VALUES (?, ?)"
/* With a condition, since SQLite empties a table without one in another way when there is no hook, and the
 * peers' files would be left in different states. */
#define SQL_EMPTY "DELETE FROM t WHERE true"
#define SQL_CONTENT "SELECT * FROM t ORDER BY id"
#define COLUMNS 2

/* Rows that can be inserted: names and values. A multiple of every case's size. */
#define POOL_ROWS 10000
#define POOL_NAME 16

typedef struct pool {
    char names[POOL_ROWS][POOL_NAME];
    raw_pair pairs[POOL_ROWS];             /* for the baseline */
    rsq_value values[POOL_ROWS * COLUMNS]; /* the same for the library */
} pool;

static pool *pool_new(void)
{
    pool *p = malloc(sizeof *p);

    if (!p)
        return NULL;
    for (int i = 0; i < POOL_ROWS; i++) {
        int len = snprintf(p->names[i], POOL_NAME, "item_%d", i);

        p->pairs[i] = (raw_pair){p->names[i], (size_t)len, i * 1.5};
        p->values[i * COLUMNS] = rsq_text_n(p->names[i], (uint32_t)len);
        p->values[i * COLUMNS + 1] = rsq_real(i * 1.5);
    }
    return p;
}

/* Index of the first row of an operation: operations go round the pool. */
static size_t pool_start(const bench_ctx *at, uint64_t op)
{
    return (size_t)(op * at->of->size % POOL_ROWS);
}

/* An empty database with the table, the same file for every peer. */
static bool make_table(const bench_ctx *at)
{
    raw_db *db = raw_open(at->path, RAW_CREATE);
    bool ok = db && raw_ok(db) && raw_exec(db, SQL_TABLE);

    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

/* ------------------------------------------------------------ the library -- */

typedef struct rsq_writer {
    const bench_ctx *at;
    pool *rows; /* owned */
    rsq_db *db; /* owned */
} rsq_writer;

static void rsq_writer_close(void *state)
{
    rsq_writer *w = state;

    rsq_close(w->db);
    free(w->rows);
    free(w);
}

static void *rsq_writer_open(const bench_ctx *at)
{
    rsq_writer *w = calloc(1, sizeof *w);
    rsq_error err;
    rsq_code rc;

    if (!w || !(w->rows = pool_new())) {
        bench_fail(at, "out of memory");
        free(w);
        return NULL;
    }
    w->at = at;
    if (!make_table(at))
        goto fail;
    rc = rsq_open(at->path, NULL, &w->db, &err);
    if (rc != RSQ_OK) {
        bench_fail_code(at, "open", rc, &err);
        goto fail;
    }
    return w;

fail:
    rsq_writer_close(w);
    return NULL;
}

static bool rsq_writer_empty(void *state)
{
    const rsq_writer *w = state;
    rsq_error err;
    rsq_code rc = rsq_execute(w->db, SQL_EMPTY, NULL, 0, NULL, NULL, &err);

    return rc == RSQ_OK || bench_fail_code(w->at, "empty the table", rc, &err);
}

static bool rsq_each(const rsq_writer *w, uint64_t op)
{
    const rsq_value *row = &w->rows->values[pool_start(w->at, op) * COLUMNS];

    for (size_t i = 0; i < w->at->of->size; i++, row += COLUMNS) {
        rsq_error err;
        rsq_code rc = rsq_execute(w->db, SQL_INSERT, row, COLUMNS, NULL, NULL, &err);

        if (rc != RSQ_OK)
            return bench_fail_code(w->at, "insert", rc, &err);
    }
    return true;
}

static bool rsq_batch(const rsq_writer *w, uint64_t op)
{
    const rsq_value *matrix = &w->rows->values[pool_start(w->at, op) * COLUMNS];
    rsq_error err;
    rsq_code rc = rsq_execute_batch(w->db, SQL_INSERT, matrix, w->at->of->size, COLUMNS, NULL, NULL, &err);

    return rc == RSQ_OK || bench_fail_code(w->at, "batch", rc, &err);
}

static bool rsq_run(const rsq_writer *w, bool (*once)(const rsq_writer *, uint64_t), bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!once(w, b->first + i))
            return false;
        b->sum += w->at->of->size;
    }
    return true;
}

static bool rsq_each_run(void *state, bench_block *b)
{
    return rsq_run(state, rsq_each, b);
}

static bool rsq_batch_run(void *state, bench_block *b)
{
    return rsq_run(state, rsq_batch, b);
}

static bool rsq_writer_hash(const rsq_writer *w, uint64_t *hash)
{
    rsq_result *result;
    rsq_error err;
    rsq_code rc = rsq_select(w->db, SQL_CONTENT, NULL, 0, NULL, &result, &err);

    if (rc != RSQ_OK)
        return bench_fail_code(w->at, "select", rc, &err);
    *hash = cells_hash(result, HASH_START);
    rsq_result_unref(result);
    return true;
}

static bool rsq_each_hash(void *state, uint64_t *hash)
{
    return rsq_writer_empty(state) && rsq_each(state, 0) && rsq_writer_hash(state, hash);
}

static bool rsq_batch_hash(void *state, uint64_t *hash)
{
    return rsq_writer_empty(state) && rsq_batch(state, 0) && rsq_writer_hash(state, hash);
}

static const bench_ops rsq_each_ops = {
    .answer = "rows",
    .open = rsq_writer_open,
    .prepare = rsq_writer_empty,
    .run = rsq_each_run,
    .hash = rsq_each_hash,
    .close = rsq_writer_close,
};

static const bench_ops rsq_batch_ops = {
    .answer = "rows",
    .open = rsq_writer_open,
    .prepare = rsq_writer_empty,
    .run = rsq_batch_run,
    .hash = rsq_batch_hash,
    .close = rsq_writer_close,
};

/* ----------------------------------------------------------- the baseline -- */

/* Bits of bench_peer.variant. */
enum { WRITE_HOOK = 1u << 0 };

typedef struct raw_writer {
    const bench_ctx *at;
    pool *rows;        /* owned */
    raw_db *db;        /* owned */
    raw_stmt *insert;  /* owned */
    raw_stmt *empty;   /* owned */
    raw_stmt *content; /* owned */
} raw_writer;

static void raw_writer_close(void *state)
{
    raw_writer *w = state;

    raw_finalize(w->insert);
    raw_finalize(w->empty);
    raw_finalize(w->content);
    raw_close(w->db);
    free(w->rows);
    free(w);
}

static bool raw_writer_prepare(raw_writer *w)
{
    w->insert = raw_prepare(w->db, SQL_INSERT);
    w->empty = raw_prepare(w->db, SQL_EMPTY);
    w->content = raw_prepare(w->db, SQL_CONTENT);
    return w->insert && w->empty && w->content;
}

static void *raw_writer_open(const bench_ctx *at)
{
    raw_writer *w = calloc(1, sizeof *w);

    if (!w || !(w->rows = pool_new())) {
        bench_fail(at, "out of memory");
        free(w);
        return NULL;
    }
    w->at = at;
    if (!make_table(at))
        goto fail;
    w->db = raw_open(at->path, at->peer->variant & WRITE_HOOK ? RAW_HOOK : 0);
    if (!w->db || !raw_ok(w->db) || !raw_writer_prepare(w)) {
        bench_fail(at, "open: %s", raw_message(w->db));
        goto fail;
    }
    return w;

fail:
    raw_writer_close(w);
    return NULL;
}

static bool raw_writer_empty(void *state)
{
    const raw_writer *w = state;
    uint64_t none = 0;

    return raw_visit(w->empty, &none) || bench_fail(w->at, "empty the table: %s", raw_message(w->db));
}

static bool raw_each(const raw_writer *w, uint64_t op)
{
    const raw_pair *rows = &w->rows->pairs[pool_start(w->at, op)];

    return raw_insert_each(w->insert, rows, w->at->of->size) ||
           bench_fail(w->at, "insert: %s", raw_message(w->db));
}

static bool raw_batch(const raw_writer *w, uint64_t op)
{
    const raw_pair *rows = &w->rows->pairs[pool_start(w->at, op)];

    return raw_insert_batch(w->db, w->insert, rows, w->at->of->size) ||
           bench_fail(w->at, "batch: %s", raw_message(w->db));
}

static bool raw_run(const raw_writer *w, bool (*once)(const raw_writer *, uint64_t), bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!once(w, b->first + i))
            return false;
        b->sum += w->at->of->size;
    }
    return true;
}

static bool raw_each_run(void *state, bench_block *b)
{
    return raw_run(state, raw_each, b);
}

static bool raw_batch_run(void *state, bench_block *b)
{
    return raw_run(state, raw_batch, b);
}

static bool raw_writer_hash(const raw_writer *w, uint64_t *hash)
{
    *hash = HASH_START;
    return raw_hash(w->content, NULL, hash) || bench_fail(w->at, "select: %s", raw_message(w->db));
}

static bool raw_each_hash(void *state, uint64_t *hash)
{
    return raw_writer_empty(state) && raw_each(state, 0) && raw_writer_hash(state, hash);
}

static bool raw_batch_hash(void *state, uint64_t *hash)
{
    return raw_writer_empty(state) && raw_batch(state, 0) && raw_writer_hash(state, hash);
}

static const bench_ops raw_each_ops = {
    .answer = "rows",
    .open = raw_writer_open,
    .prepare = raw_writer_empty,
    .run = raw_each_run,
    .hash = raw_each_hash,
    .close = raw_writer_close,
};

static const bench_ops raw_batch_ops = {
    .answer = "rows",
    .open = raw_writer_open,
    .prepare = raw_writer_empty,
    .run = raw_batch_run,
    .hash = raw_batch_hash,
    .close = raw_writer_close,
};

/* ------------------------------------------------------------------ cases -- */

/*
 * A checkpoint comes every 1,000 pages and costs as much as hundreds of inserts:
 * a block must be so long that it contains a few, or the samples fall into those
 * with one and those without.
 */
#define WRITE_SAMPLE_MS 60

/* One statement, `n` rows, one transaction. */
#define BATCH_CASE(n)                                                                                   \
    {                                                                                                   \
        .workload = "batch", .name = #n, .unit = "us/batch", .size = (n), .sample_ms = WRITE_SAMPLE_MS, \
        .peers = {{.name = "raw", .ops = &raw_batch_ops},                                               \
                  {.name = "raw-hook", .ops = &raw_batch_ops, .variant = WRITE_HOOK},                   \
                  {.name = "resqlite", .ops = &rsq_batch_ops}},                                         \
        .goals = {BENCH_RATIO("writes", "resqlite", "raw-hook", 1.00),                                  \
                  BENCH_RATIO("writes", "resqlite", "raw", 1.10)},                                      \
    }

static const bench_case cases[] = {
    {
        .workload = "insert",
        .name = "sequential-100",
        .unit = "us/100 inserts",
        .size = 100,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers =
            {
                {.name = "raw", .ops = &raw_each_ops},
                {.name = "raw-hook", .ops = &raw_each_ops, .variant = WRITE_HOOK},
                {.name = "resqlite", .ops = &rsq_each_ops},
            },
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.05)},
    },
    BATCH_CASE(100),
    BATCH_CASE(1000),
    BATCH_CASE(10000),
};

const bench_area bench_area_writes = {cases, BENCH_LENGTH(cases)};
