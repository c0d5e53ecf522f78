/* Tables and rows of the write cases; see writes.h. */
#include <stdlib.h>

#include "writes.h"

#define TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define INSERT "INSERT INTO t(name, value) VALUES (?, ?)"
/* With a condition, since SQLite empties a table without one in another way when there is no hook, and the
 * peers' files would be left in different states. */
#define EMPTY "DELETE FROM t WHERE true"
#define CONTENT "SELECT * FROM t ORDER BY id"

#define FOUR(n) "a" #n " INTEGER, b" #n " REAL, c" #n " TEXT, d" #n " INTEGER"
#define TABLE_WIDE \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, " FOUR(1) ", " FOUR(2) ", " FOUR(3) ", " FOUR(4) ", " FOUR(5) ")"
#define INSERT_WIDE "INSERT INTO t VALUES (NULL, ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"

#define NUMBERS(n) "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ") "
#define TABLE_FULL TABLE ";" NUMBERS(10000) "INSERT INTO t SELECT i, 'item', i FROM c"
#define TABLE_DIALOGUE                                                         \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, value INTEGER NOT NULL);" NUMBERS( \
        100) "INSERT INTO t SELECT i, i FROM c"

static const write_job jobs[WRITE_JOBS] = {
    [WRITE_EACH] = {TABLE, INSERT, EMPTY, CONTENT},
    [WRITE_ONE] = {TABLE, INSERT, EMPTY, "SELECT name, value FROM t ORDER BY name"},
    [WRITE_BATCH] = {TABLE, INSERT, EMPTY, CONTENT},
    [WRITE_BATCH_IN_TX] = {TABLE, INSERT, EMPTY, CONTENT},
    [WRITE_WIDE] = {TABLE_WIDE, INSERT_WIDE, EMPTY, CONTENT},
    [WRITE_UPDATE] = {TABLE_FULL, "UPDATE t SET name = ?, value = ? WHERE id = ?", NULL, CONTENT},
    [WRITE_DIALOGUE] = {TABLE_DIALOGUE, "INSERT INTO t(value) VALUES (?)", NULL, CONTENT},
    [WRITE_NESTED] = {TABLE, INSERT, EMPTY, CONTENT},
    [WRITE_NESTED_DEEP] = {TABLE, INSERT, EMPTY, CONTENT},
};

const write_job *write_job_of(const bench_ctx *at)
{
    return &jobs[at->peer->variant & WRITE_JOB_MASK];
}

bool write_make_table(const bench_ctx *at)
{
    raw_db *db = raw_open(at->path, RAW_CREATE);
    bool ok = db && raw_ok(db) && raw_exec(db, write_job_of(at)->table);

    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

/* The n-th four columns of wide row `i`. */
static void fill_quad(write_rows *rows, size_t i, size_t n)
{
    const raw_pair *pair = &rows->pairs[i];
    raw_quad *q = &rows->quads[i * RAW_QUADS + n];
    rsq_value *v = &rows->wide[i * WRITE_WIDE_COLUMNS + 4 * n];

    *q = (raw_quad){(int64_t)(i * n), pair->real + (double)n, pair->text, pair->len, (int64_t)i - 5000};
    v[0] = rsq_integer(q->first);
    v[1] = rsq_real(q->real);
    v[2] = rsq_text_n(q->text, (uint32_t)q->len);
    v[3] = rsq_integer(q->last);
}

static bool fill_wide(write_rows *rows)
{
    rows->quads = malloc(WRITE_POOL * RAW_QUADS * sizeof *rows->quads);
    rows->wide = malloc(WRITE_POOL * WRITE_WIDE_COLUMNS * sizeof *rows->wide);
    if (!rows->quads || !rows->wide)
        return false;
    for (size_t i = 0; i < WRITE_POOL; i++) {
        for (size_t n = 0; n < RAW_QUADS; n++)
            fill_quad(rows, i, n);
    }
    return true;
}

/* Row i of the k-th matrix has the values of pair i + k. */
static void fill_updates(write_rows *rows)
{
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < WRITE_POOL; i++) {
            const raw_pair *pair = &rows->pairs[i + k];
            rsq_value *v = &rows->updates[k][3 * i];

            v[0] = rsq_text_n(pair->text, (uint32_t)pair->len);
            v[1] = rsq_real(pair->real);
            v[2] = rsq_integer((int64_t)i + 1);
        }
    }
}

write_rows *write_rows_new(const bench_ctx *at)
{
    write_rows *rows = malloc(sizeof *rows);

    if (!rows) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    rows->quads = NULL;
    rows->wide = NULL;
    for (int i = 0; i < WRITE_POOL; i++) {
        int len = snprintf(rows->names[i], WRITE_NAME, "item_%d", i);

        rows->pairs[i] = (raw_pair){rows->names[i], (size_t)len, i * 1.5};
        rows->values[2 * i] = rsq_text_n(rows->names[i], (uint32_t)len);
        rows->values[2 * i + 1] = rsq_real(i * 1.5);
    }
    rows->pairs[WRITE_POOL] = rows->pairs[0];
    fill_updates(rows);
    if ((at->peer->variant & WRITE_JOB_MASK) == WRITE_WIDE && !fill_wide(rows)) {
        bench_fail(at, "out of memory");
        write_rows_free(rows);
        return NULL;
    }
    return rows;
}

void write_rows_free(write_rows *rows)
{
    if (!rows)
        return;
    free(rows->quads);
    free(rows->wide);
    free(rows);
}

size_t write_rows_start(const bench_ctx *at, uint64_t op)
{
    return (size_t)(op * at->of->size % WRITE_POOL);
}
