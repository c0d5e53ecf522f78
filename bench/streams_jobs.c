/*
 * What the live query cases do; see streams.h. The tables and the writes are
 * those of the published workloads; all values that are written change from
 * write to write, so that no event is left out for want of a change.
 */
#include <pthread.h>
#include <string.h>

#include "streams.h"

#define TEXTS 10007 /* a prime: a key that comes round again gets another text */

static char texts[TEXTS][16];
static pthread_once_t texts_made = PTHREAD_ONCE_INIT;

static void make_texts(void)
{
    for (unsigned i = 0; i < TEXTS; i++)
        snprintf(texts[i], sizeof texts[i], "value_%u", i);
}

static rsq_value text(uint64_t n)
{
    return rsq_text(texts[n % TEXTS]);
}

/* Any number from any number. */
static uint64_t mix(uint64_t n)
{
    n = (n + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

/* ----------------------------------------------------------------- items -- */

#define ITEMS_TABLE "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value INTEGER NOT NULL)"
#define SERIES "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?1) "
#define ITEMS_ROWS SERIES "INSERT INTO items(name, value) SELECT 'item_' || i, i FROM c"
#define ITEMS_INSERT "INSERT INTO items(name, value) VALUES(?, ?)"

static size_t name_and_value(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)at;
    v[0] = text(write + row);
    v[1] = rsq_integer((int64_t)(write + row));
    return 2;
}

static int64_t hits_all(const bench_ctx *at, uint64_t write)
{
    (void)at;
    (void)write;
    return STREAM_HITS_ALL;
}

static int64_t hits_none(const bench_ctx *at, uint64_t write)
{
    (void)at;
    (void)write;
    return STREAM_HITS_NONE;
}

static int64_t hits_canary(const bench_ctx *at, uint64_t write)
{
    (void)write;
    return (int64_t)stream_count(at) - 1;
}

static size_t batch_100(uint64_t write)
{
    (void)write;
    return 100;
}

/* ----------------------------------------------------------------- by key -- */

#define KEYED_TABLE \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, body TEXT NOT NULL, updated_at INTEGER NOT NULL)"
#define KEYED_ROWS SERIES "INSERT INTO items(body, updated_at) SELECT 'seed_body_' || i, 0 FROM c"
#define KEYED_WATCH "SELECT id, body, updated_at FROM items WHERE id = ?"
#define KEYED_UPDATE "UPDATE items SET body = ?, updated_at = ? WHERE id = ?"

static size_t keyed_values(uint64_t write, uint64_t id, rsq_value *v)
{
    v[0] = text(write);
    v[1] = rsq_integer((int64_t)write);
    v[2] = rsq_integer((int64_t)id);
    return 3;
}

/* A stream for each of the first keys. */
static size_t window_key(const bench_ctx *at, size_t stream, rsq_value *params)
{
    (void)at;
    params[0] = rsq_integer((int64_t)stream + 1);
    return 1;
}

static size_t keyed_hit_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    return keyed_values(write, mix(write) % stream_count(at) + 1, v);
}

static int64_t keyed_hits(const bench_ctx *at, uint64_t write)
{
    return (int64_t)(mix(write) % stream_count(at));
}

/* The last 10,000 rows have no stream. */
static size_t keyed_miss_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    return keyed_values(write, at->of->size - mix(write) % 10000, v);
}

#define SPARSE 200 /* one row of so many has a stream */

static size_t window_sparse(const bench_ctx *at, size_t stream, rsq_value *params)
{
    (void)at;
    params[0] = rsq_integer((int64_t)stream * SPARSE + 1);
    return 1;
}

static size_t sparse_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    return keyed_values(write, mix(write) % at->of->size + 1, v);
}

static int64_t sparse_hits(const bench_ctx *at, uint64_t write)
{
    uint64_t i = mix(write) % at->of->size;

    return i % SPARSE == 0 ? (int64_t)(i / SPARSE) : STREAM_HITS_NONE;
}

/* --------------------------------------------------------------- by owner -- */

#define OWNED 100 /* rows of an owner */

static size_t owner_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    v[0] = rsq_integer((int64_t)write);
    v[1] = rsq_integer((int64_t)(mix(write) % at->of->size) + 1);
    return 2;
}

static int64_t owner_hits(const bench_ctx *at, uint64_t write)
{
    return (int64_t)(mix(write) % at->of->size / OWNED);
}

/* ------------------------------------------------------------- wide tables -- */

#define WIDE_TABLE                                                                                  \
    "CREATE TABLE wide(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL, c TEXT NOT NULL, " \
    "d TEXT NOT NULL, e TEXT NOT NULL, f TEXT NOT NULL, g TEXT NOT NULL, h TEXT NOT NULL, "         \
    "i TEXT NOT NULL, j TEXT NOT NULL, k TEXT NOT NULL, l TEXT NOT NULL, m TEXT NOT NULL, "         \
    "n TEXT NOT NULL, o TEXT NOT NULL, p TEXT NOT NULL, q TEXT NOT NULL, r TEXT NOT NULL, "         \
    "s TEXT NOT NULL, t TEXT NOT NULL)"
#define WIDE_ROWS                                                                                   \
    SERIES "INSERT INTO wide SELECT i, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v " \
           "FROM (SELECT i, 'v' || i AS v FROM c)"
#define WIDE_SAME "SELECT id, a, b FROM wide WHERE id < 1000 ORDER BY id"
#define WIDE_RANGE "SELECT id, a, b FROM wide WHERE id >= ? AND id < ? ORDER BY id"
#define WIDE_UNREAD "UPDATE wide SET c = ? WHERE id = ?"
#define WIDE_READ "UPDATE wide SET a = ? WHERE id = ?"
#define PART 100 /* rows of a range */

static size_t window_range(const bench_ctx *at, size_t stream, rsq_value *params)
{
    (void)at;
    params[0] = rsq_integer((int64_t)stream * PART);
    params[1] = rsq_integer((int64_t)(stream + 1) * PART);
    return 2;
}

static size_t wide_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    v[0] = text(write);
    v[1] = rsq_integer((int64_t)(write % at->of->size));
    return 2;
}

static int64_t range_hits(const bench_ctx *at, uint64_t write)
{
    return (int64_t)(write % at->of->size / PART);
}

static int64_t same_hits(const bench_ctx *at, uint64_t write)
{
    return write % at->of->size < 1000 ? STREAM_HITS_ALL : STREAM_HITS_NONE;
}

/* --------------------------------------------------------------- long rows -- */

#define LONG_TABLE \
    "CREATE TABLE docs(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body TEXT NOT NULL, data BLOB)"
/* The numbers are below all that are written, so that the first write is a change too. */
#define LONG_ROWS(length, blob)                          \
    SERIES "INSERT INTO docs(n, body, data) SELECT -1, " \
           "printf('%.*c', " length ", 'x') || i, " blob " FROM c"

static size_t long_insert_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)at;
    (void)row;
    v[0] = rsq_integer((int64_t)write);
    v[1] = text(write);
    return 2;
}

/* A number, in the first row. */
static size_t number_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)at;
    (void)row;
    v[0] = rsq_integer((int64_t)write);
    v[1] = rsq_integer(1);
    return 2;
}

/* ------------------------------------------------- as many rows as wanted -- */

/* The number of live queries stands for the number of rows of a single one. */
static size_t window_top(const bench_ctx *at, size_t stream, rsq_value *params)
{
    (void)stream;
    params[0] = rsq_integer((int64_t)(at->peer->variant >> STREAMS_SHIFT));
    return 1;
}

static size_t first_row_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)at;
    (void)row;
    return keyed_values(write, 1, v);
}

/* -------------------------------------------------------------------- feed -- */

#define FEED_TABLE                                                                                         \
    "CREATE TABLE posts(id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, created_at INTEGER NOT NULL, " \
    "body TEXT NOT NULL, like_count INTEGER NOT NULL);"                                                    \
    "CREATE INDEX posts_created_at_id ON posts(created_at DESC, id)"

static size_t like_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)row;
    v[0] = rsq_integer((int64_t)(mix(write) % at->of->size) + 1);
    return 1;
}

/* -------------------------------------------------------------------- sync -- */

#define SYNC_BATCHES 100
#define SYNC_WRITES (SYNC_BATCHES + 10)

static size_t sync_batch(uint64_t write)
{
    return write % SYNC_WRITES < SYNC_BATCHES ? 500 : 100;
}

/* External ids that are not there yet. */
static size_t sync_values(const bench_ctx *at, uint64_t write, size_t row, rsq_value *v)
{
    (void)at;
    v[0] = rsq_integer((int64_t)(write * STREAM_BATCH_MAX + row));
    v[1] = text(write * STREAM_BATCH_MAX + row);
    return 2;
}

/* -------------------------------------------------------------------- jobs -- */

#define LONG_WATCH "SELECT id, n, body, data, '%u' AS sid FROM docs WHERE id <= 256 ORDER BY id"

static const stream_job jobs[STREAM_JOBS] = {
    [STREAM_COUNT] = {.tables = ITEMS_TABLE,
                      .rows = ITEMS_ROWS,
                      .watch = "SELECT count(*) FROM items",
                      .write = ITEMS_INSERT,
                      .reset = "DELETE FROM items WHERE id > 100",
                      .content = "SELECT * FROM items",
                      .writes = 1,
                      .values = name_and_value,
                      .hits = hits_all},
    [STREAM_INITIAL] = {.tables = ITEMS_TABLE,
                        .rows = ITEMS_ROWS,
                        .watch = "SELECT * FROM items ORDER BY id",
                        .write = ITEMS_INSERT,
                        .reset = "DELETE FROM items WHERE id > 100",
                        .content = "SELECT * FROM items",
                        .writes = 1,
                        .values = name_and_value,
                        .hits = hits_all},
    [STREAM_FAN_OUT] = {.tables = ITEMS_TABLE,
                        .rows = ITEMS_ROWS,
                        .watch = "SELECT count(*) AS cnt, '%u' AS sid FROM items",
                        .write = ITEMS_INSERT,
                        .reset = "DELETE FROM items WHERE id > 100",
                        .content = "SELECT * FROM items",
                        .writes = 1,
                        .numbered = true,
                        .values = name_and_value,
                        .hits = hits_all},
    [STREAM_UNCHANGED] = {.tables = ITEMS_TABLE,
                          .rows = ITEMS_ROWS,
                          .watch =
                              "SELECT id, name, value, %u AS sid FROM items WHERE id <= 1000 ORDER BY id",
                          .canary = "SELECT count(*) FROM items",
                          .write = ITEMS_INSERT,
                          .reset = "DELETE FROM items WHERE id > 1000",
                          .content = "SELECT * FROM items",
                          .writes = 1,
                          .numbered = true,
                          .values = name_and_value,
                          .hits = hits_canary},
    [STREAM_GROWING] = {.tables = ITEMS_TABLE,
                        .rows = ITEMS_ROWS,
                        .watch = "SELECT * FROM items",
                        .write = ITEMS_INSERT,
                        .reset = "DELETE FROM items WHERE id > 500",
                        .content = "SELECT * FROM items",
                        .writes = 1,
                        .values = name_and_value,
                        .batch = batch_100,
                        .hits = hits_all},
    [STREAM_KEYED] = {.tables = KEYED_TABLE,
                      .rows = KEYED_ROWS,
                      .watch = KEYED_WATCH,
                      .write = KEYED_UPDATE,
                      .content = "SELECT * FROM items",
                      .writes = 1,
                      .window = window_key,
                      .values = keyed_hit_values,
                      .hits = keyed_hits},
    [STREAM_KEYED_MISS] = {.tables = KEYED_TABLE,
                           .rows = KEYED_ROWS,
                           .watch = KEYED_WATCH,
                           .write = KEYED_UPDATE,
                           .content = "SELECT * FROM items",
                           .writes = 1,
                           .window = window_key,
                           .values = keyed_miss_values,
                           .hits = hits_none},
    [STREAM_KEYED_RANDOM] = {.tables = KEYED_TABLE,
                             .rows = KEYED_ROWS,
                             .watch = KEYED_WATCH,
                             .write = KEYED_UPDATE,
                             .content = "SELECT * FROM items",
                             .writes = 200,
                             .window = window_sparse,
                             .values = sparse_values,
                             .hits = sparse_hits},
    [STREAM_OWNER] = {.tables = "CREATE TABLE items(id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, "
                                "value INTEGER NOT NULL); CREATE INDEX items_owner ON items(owner_id)",
                      .rows = SERIES "INSERT INTO items(owner_id, value) SELECT i / 100 + 1, i FROM c",
                      .watch = "SELECT id, value FROM items WHERE owner_id = ? ORDER BY id",
                      .write = "UPDATE items SET value = ? WHERE id = ?",
                      .content = "SELECT * FROM items",
                      .writes = 200,
                      .window = window_key,
                      .values = owner_values,
                      .hits = owner_hits},
    [STREAM_SAME_DISJOINT] = {.tables = WIDE_TABLE,
                              .rows = WIDE_ROWS,
                              .watch = WIDE_SAME,
                              .write = WIDE_UNREAD,
                              .content = "SELECT * FROM wide",
                              .writes = 500,
                              .values = wide_values,
                              .hits = hits_none},
    [STREAM_SAME_OVERLAP] = {.tables = WIDE_TABLE,
                             .rows = WIDE_ROWS,
                             .watch = WIDE_SAME,
                             .write = WIDE_READ,
                             .content = "SELECT * FROM wide",
                             .writes = 500,
                             .values = wide_values,
                             .hits = same_hits},
    [STREAM_RANGE_DISJOINT] = {.tables = WIDE_TABLE,
                               .rows = WIDE_ROWS,
                               .watch = WIDE_RANGE,
                               .write = WIDE_UNREAD,
                               .content = "SELECT * FROM wide",
                               .writes = 500,
                               .window = window_range,
                               .values = wide_values,
                               .hits = hits_none},
    [STREAM_RANGE_OVERLAP] = {.tables = WIDE_TABLE,
                              .rows = WIDE_ROWS,
                              .watch = WIDE_RANGE,
                              .write = WIDE_READ,
                              .content = "SELECT * FROM wide",
                              .writes = 500,
                              .window = window_range,
                              .values = wide_values,
                              .hits = range_hits},
    [STREAM_LONG_UNCHANGED] = {.tables = LONG_TABLE,
                               .rows = LONG_ROWS("4096", "NULL"),
                               .watch = LONG_WATCH,
                               .canary = "SELECT count(*) FROM docs",
                               .write = "INSERT INTO docs(n, body) VALUES(?, ?)",
                               .reset = "DELETE FROM docs WHERE id > 256",
                               .content = "SELECT * FROM docs",
                               .writes = 1,
                               .numbered = true,
                               .values = long_insert_values,
                               .hits = hits_canary},
    [STREAM_LONG_TEXT] = {.tables = LONG_TABLE,
                          .rows = LONG_ROWS("32768", "NULL"),
                          .watch = "SELECT * FROM docs",
                          .write = "UPDATE docs SET n = ? WHERE id = ?",
                          .content = "SELECT * FROM docs",
                          .writes = 1,
                          .values = number_values,
                          .hits = hits_all},
    [STREAM_LONG_BLOB] = {.tables = LONG_TABLE,
                          .rows = LONG_ROWS("16384", "zeroblob(16384)"),
                          .watch = "SELECT * FROM docs",
                          .write = "UPDATE docs SET n = ? WHERE id = ?",
                          .content = "SELECT * FROM docs",
                          .writes = 1,
                          .values = number_values,
                          .hits = hits_all},
    [STREAM_TOP] = {.tables = KEYED_TABLE,
                    .rows = KEYED_ROWS,
                    .watch = "SELECT id, body, updated_at FROM items WHERE id <= ?",
                    .write = KEYED_UPDATE,
                    .content = "SELECT * FROM items",
                    .writes = 1,
                    .window = window_top,
                    .values = first_row_values,
                    .hits = hits_all},
    [STREAM_FEED] = {.tables = FEED_TABLE,
                     .rows = SERIES "INSERT INTO posts(author_id, created_at, body, like_count) "
                                    "SELECT i * 7919 % 500 + 1, i, 'body_' || i, 0 FROM c",
                     .watch = "SELECT id, author_id, created_at, body, like_count FROM posts "
                              "ORDER BY created_at DESC, id DESC LIMIT 50",
                     .write = "UPDATE posts SET like_count = like_count + 1 WHERE id = ?",
                     .content = "SELECT * FROM posts",
                     .writes = 100,
                     .values = like_values,
                     .hits = hits_all},
    [STREAM_SYNC] = {.tables = "CREATE TABLE items(id INTEGER PRIMARY KEY, external_id INTEGER UNIQUE, "
                               "payload TEXT NOT NULL)",
                     .watch = "SELECT count(*) FROM items",
                     .write = "INSERT OR REPLACE INTO items(external_id, payload) VALUES(?, ?)",
                     .reset = "DELETE FROM items",
                     .content = "SELECT * FROM items",
                     .writes = SYNC_WRITES,
                     .values = sync_values,
                     .batch = sync_batch,
                     .hits = hits_all},
};

const stream_job *stream_job_of(const bench_ctx *at)
{
    return &jobs[at->peer->variant & STREAM_JOB_MASK];
}

size_t stream_count(const bench_ctx *at)
{
    size_t n = at->peer->variant >> STREAMS_SHIFT;

    if (n > 0 && (at->peer->variant & STREAM_JOB_MASK) == STREAM_TOP)
        return 1;
    return n > 0 && stream_job_of(at)->canary ? n + 1 : n;
}

static bool is_canary(const bench_ctx *at, size_t i)
{
    return stream_job_of(at)->canary && i + 1 == stream_count(at);
}

void stream_sql(const bench_ctx *at, size_t i, char sql[STREAM_SQL_MAX])
{
    const char *watch = is_canary(at, i) ? stream_job_of(at)->canary : stream_job_of(at)->watch;
    const char *number = strstr(watch, "%u");

    if (number)
        snprintf(sql, STREAM_SQL_MAX, "%.*s%zu%s", (int)(number - watch), watch, i, number + 2);
    else
        snprintf(sql, STREAM_SQL_MAX, "%s", watch);
}

size_t stream_params(const bench_ctx *at, size_t i, rsq_value *params)
{
    const stream_job *job = stream_job_of(at);

    return job->window && !is_canary(at, i) ? job->window(at, i, params) : 0;
}

bool stream_make_tables(const bench_ctx *at)
{
    const stream_job *job = stream_job_of(at);
    rsq_value size = rsq_integer((int64_t)at->of->size);
    raw_db *db = raw_open(at->path, RAW_CREATE);
    raw_stmt *rows = NULL;
    bool ok = db && raw_ok(db) && raw_exec(db, job->tables);

    pthread_once(&texts_made, make_texts);
    if (ok && job->rows) {
        rows = raw_prepare(db, job->rows);
        ok = rows && raw_run_with(rows, &size, 1);
    }
    if (!ok)
        bench_fail(at, "make the tables: %s", raw_message(db));
    raw_finalize(rows);
    raw_close(db);
    return ok;
}
