/*
 * Defects that were found by reading the library, each with the test that would have found it. The comment
 * above a test says what went wrong. Most of them are about the end of something: a database that is closed
 * under its users, a queue that is freed before its streams, a log that never begins anew.
 */
#include "async_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', value)"

static const rsq_call_options AT_ONCE = {.size = sizeof AT_ONCE, .timeout_ms = 1};

static void start(fixture *f)
{
    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, ITEMS);
}

static void start_in_memory(fixture *f)
{
    f->db = fixture_open_path(f, ":memory:", NULL);
    fixture_canary(f);
    EXEC(f, ITEMS);
}

/* The number of the newest commit. */
static uint64_t newest_commit(fixture *f)
{
    rsq_result *r = NULL;
    uint64_t seq;

    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    seq = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    return seq;
}

/* ----------------------------------------------------- closing inside a transaction -- */

/* A transaction that waits until another thread is inside rsq_close(), and then uses the database. */
typedef struct last_words {
    fixture *f;
    rsq_db *db;
    gate inside, go;
    rsq_tx_fn then;
    rsq_code code, close[2], execute, batch, nested, select, json, all, cursor, stream, async;
    int64_t seen;
    rsq_stream_options stream_opts;
    probe *p;
    rsq_op *op;
    rsq_error err;
} last_words;

static rsq_code insert_nested(rsq_tx *tx, void *ctx)
{
    return rsq_tx_execute(tx, ctx, NULL, 0, NULL, NULL, NULL);
}

/* Every call on the database: what can be part of the transaction is, and nothing hangs. */
static rsq_code call_everything(rsq_tx *tx, void *ctx)
{
    static char insert[] = "INSERT INTO items(name) VALUES ('nested')";
    const rsq_value names[] = {rsq_text("batch 1"), rsq_text("batch 2")};
    const rsq_query query = {.sql = "SELECT count(*) FROM items"};
    last_words *w = ctx;
    rsq_cursor *cursor = NULL;
    rsq_result *r = NULL;

    (void)tx;
    w->close[0] = rsq_close(w->db);
    w->execute = rsq_execute(w->db, "INSERT INTO items(name) VALUES ('last')", NULL, 0, NULL, NULL, &w->err);
    w->batch =
        rsq_execute_batch(w->db, "INSERT INTO items(name) VALUES (?)", names, 2, 1, NULL, NULL, &w->err);
    w->nested = rsq_transaction(w->db, insert_nested, insert, NULL, &w->err);
    w->select = rsq_select(w->db, query.sql, NULL, 0, NULL, &r, &w->err);
    if (w->select == RSQ_OK)
        w->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    r = NULL;
    w->json = rsq_select_json(w->db, query.sql, NULL, 0, NULL, &r, &w->err);
    rsq_result_unref(r);
    r = NULL;
    w->all = rsq_select_all(w->db, &query, 1, NULL, &r, &w->err);
    rsq_result_unref(r);
    w->cursor = rsq_cursor_open(w->db, query.sql, NULL, 0, NULL, &cursor, &w->err);
    w->stream = rsq_stream_open(w->db, query.sql, NULL, 0, &w->stream_opts, &w->p->stream, &w->err);
    w->async = rsq_select_async(w->db, query.sql, NULL, 0, NULL, &w->op);
    w->close[1] = rsq_close(w->db);
    return RSQ_OK;
}

static rsq_code wait_and_call(rsq_tx *tx, void *ctx)
{
    last_words *w = ctx;

    gate_open(&w->inside);
    return gate_wait(&w->go) ? w->then(tx, ctx) : RSQ_ETIMEOUT;
}

static void run_last_words(void *ctx)
{
    last_words *w = ctx;

    w->code = rsq_transaction(w->db, wait_and_call, w, NULL, &w->err);
    gate_open(&w->inside); /* if the function was not even called */
}

static void close_it(void *db)
{
    (void)rsq_close(db);
}

/* Return when rsq_close() has begun. */
static void await_closing(rsq_db *db)
{
    uint64_t begun = now_ns();
    rsq_result *r = NULL;

    while (rsq_select(db, "SELECT 1", NULL, 0, &AT_ONCE, &r, NULL) != RSQ_ECLOSED) {
        rsq_result_unref(r);
        r = NULL;
        assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
        sched_yield();
    }
}

/* Run `then` in a transaction while another thread closes the database, which waits for it. */
static void run_while_closing(fixture *f, last_words *w, rsq_tx_fn then)
{
    thread transaction, closer;

    w->f = f;
    w->db = f->db;
    w->then = then;
    w->p = probe_new(f, fixture_queue(f), &w->stream_opts);
    gate_init(&w->inside);
    gate_init(&w->go);
    thread_start(&transaction, run_last_words, w);
    assert_true(gate_wait(&w->inside));
    thread_start(&closer, close_it, f->db);
    await_closing(f->db);
    gate_open(&w->go);
    THREAD_JOIN(&transaction);
    THREAD_JOIN(&closer);
    gate_fini(&w->inside);
    gate_fini(&w->go);
    f->db = NULL;
    f->canary = NULL;
    w->p->abandoned = w->stream != RSQ_OK;
}

static void expect_last_words(fixture *f, last_words *w)
{
    fixture_want(RSQ_OK, w->code, &w->err, "rsq_transaction()", __FILE__, __LINE__);
    WANT_CODE(RSQ_EMISUSE, w->close[0]);
    WANT_CODE(RSQ_EMISUSE, w->close[1]);
    WANT_CODE(RSQ_OK, w->execute);
    WANT_CODE(RSQ_OK, w->batch);
    WANT_CODE(RSQ_OK, w->nested);
    WANT_CODE(RSQ_OK, w->select);
    WANT_CODE(RSQ_OK, w->json);
    WANT_CODE(RSQ_OK, w->all);
    assert_int_equal(w->seen, 4);
    if (w->async == RSQ_OK) {
        (void)op_kept(w->op);
        WANT_CODE(RSQ_OK, rsq_op_wait(w->op, FIXTURE_DEADLINE_MS));
        assert_true(rsq_op_status(w->op) == RSQ_OK || rsq_op_status(w->op) == RSQ_ECLOSED);
        op_freed(w->op);
    } else {
        WANT_CODE(RSQ_ECLOSED, w->async);
    }
    (void)f;
}

/*
 * rsq_close() in a transaction function must be RSQ_EMISUSE. It found that out by pinning the database, which
 * failed once another thread had begun to close it, and then waited for that thread, which waited for the
 * transaction. For the same reason all other calls on the database in that function were refused, though the
 * close waits for the transaction that they belong to.
 */
static void close_inside_while_another_closes(void **state)
{
    fixture *f = *state;
    last_words w = {.code = RSQ_EPENDING};

    start(f);
    run_while_closing(f, &w, call_everything);
    expect_last_words(f, &w);
    WANT_CODE(RSQ_EMISUSE, w.cursor);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'last'\n'batch 1'\n'batch 2'\n'nested'");
}

/* The same with one connection. */
static void close_inside_while_another_closes_in_memory(void **state)
{
    fixture *f = *state;
    last_words w = {.code = RSQ_EPENDING};

    start_in_memory(f);
    run_while_closing(f, &w, call_everything);
    expect_last_words(f, &w);
}

static rsq_code call_nested(rsq_tx *tx, void *ctx)
{
    return rsq_tx_transaction(tx, call_everything, ctx, NULL);
}

/* The same in a transaction inside the transaction. */
static void close_nested_while_another_closes(void **state)
{
    fixture *f = *state;
    last_words w = {.code = RSQ_EPENDING};

    start(f);
    run_while_closing(f, &w, call_nested);
    expect_last_words(f, &w);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "4");
}

static rsq_code close_another(rsq_tx *tx, void *ctx)
{
    last_words *w = ctx;
    rsq_db *other = NULL;

    (void)tx;
    w->execute = rsq_open(":memory:", NULL, &other, &w->err);
    w->close[0] = rsq_close(other);
    w->close[1] = rsq_close(w->db);
    return RSQ_OK;
}

/* It is about this database: another one may be closed in its transactions. */
static void close_another_inside(void **state)
{
    fixture *f = *state;
    last_words w = {.db = NULL};

    start(f);
    w.db = f->db;
    WANT(f, RSQ_OK, rsq_transaction(f->db, close_another, &w, NULL, &f->err));
    WANT_CODE(RSQ_OK, w.execute);
    WANT_CODE(RSQ_OK, w.close[0]);
    WANT_CODE(RSQ_EMISUSE, w.close[1]);
}

/* ------------------------------------------------- queues that go before their streams -- */

/* A live query whose queue will be freed before it: no end event will come. */
static probe *watch_on(fixture *f, rsq_queue *q, const char *sql)
{
    probe *p = probe_open(f, f->db, q, sql, NULL, 0, __FILE__, __LINE__);

    p->abandoned = true;
    return p;
}

static rsq_queue *new_queue(fixture *f)
{
    rsq_queue *q = NULL;

    WANT(f, RSQ_OK, rsq_queue_new(&q, &f->err));
    return q;
}

/*
 * Freeing a queue dropped the streams that deliver to it, though the handles are still their owner's to
 * close: rsq_stream_close() after rsq_close() then used memory that was free. The handle lives until it is
 * closed, in whatever order the three go.
 */
static void queue_database_stream(void **state)
{
    fixture *f = *state;

    for (int with_events = 0; with_events < 2; with_events++) {
        rsq_queue *q;
        probe *p;

        fixture_open(f, NULL);
        q = new_queue(f);
        p = watch_on(f, q, "SELECT 1");
        if (with_events)
            EXPECT_EVENT(p, "1");
        rsq_queue_free(q);
        fixture_close(f);
        rsq_stream_close(p->stream);
        assert_int_equal(p->count, with_events);
    }
}

/* The stream before the database; its counters can be read until it is closed. */
static void queue_stream_database(void **state)
{
    fixture *f = *state;
    rsq_queue *q;
    probe *p;

    start(f);
    q = new_queue(f);
    p = watch_on(f, q, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    rsq_queue_free(q);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    assert_true(probe_stats(p).runs >= 1);
    rsq_stream_close(p->stream);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    fixture_close(f);
    assert_int_equal(p->count, 1);
}

/* The stream first, whose end event then waits in the queue that is freed. */
static void stream_queue_database(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        rsq_queue *q = new_queue(f);
        probe *p = watch_on(f, q, "SELECT count(*) FROM items");

        if (i % 2)
            EXPECT_EVENT(p, "0");
        rsq_stream_close(p->stream);
        rsq_queue_free(q);
        assert_int_equal(p->ends, 0);
    }
}

/* A result that waits, and one that is on its way, when the queue is freed. */
static void queue_is_freed_under_results(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        rsq_queue *q = new_queue(f);
        probe *waits = watch_on(f, q, "SELECT count(*) FROM items");
        probe *comes;

        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        comes = watch_on(f, q, "SELECT sum(value) FROM items");
        rsq_queue_free(q);
        EXEC(f, "INSERT INTO items(value) VALUES (1)");
        rsq_stream_close(comes->stream);
        rsq_stream_close(waits->stream);
        assert_int_equal(waits->count + comes->count, 0);
    }
}

/*
 * The end of a stream whose SQL can never work comes by itself. When its queue was freed with that event in
 * it, the handle went with the event, and the close that its owner still owes used freed memory.
 */
static void queue_is_freed_under_wrong_sql(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 40; i++) {
        rsq_queue *q = new_queue(f);
        probe *p = watch_on(f, q, "SELECT * FORM items");

        if (i % 4 < 2) /* the error and the end wait; else the run is under way */
            WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        rsq_queue_free(q);
        if (i % 2)
            EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        rsq_stream_close(p->stream);
        assert_int_equal(p->count, 0);
    }
}

/* The same with the database closed in between. */
static void queue_is_freed_under_wrong_sql_and_closed(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        rsq_queue *q;
        probe *p;

        fixture_open(f, NULL);
        q = new_queue(f);
        p = watch_on(f, q, "SELECT * FORM items");
        if (i % 2)
            WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        rsq_queue_free(q);
        fixture_close(f);
        rsq_stream_close(p->stream);
        assert_int_equal(p->count, 0);
    }
}

/* ----------------------------------------------------------------- what wakes whom -- */

static rsq_code run_statement(rsq_tx *tx, void *ctx)
{
    return rsq_tx_execute(tx, ctx, NULL, 0, NULL, NULL, NULL);
}

/*
 * Changes of temporary tables were left out of what a commit changed, since readers cannot see them. With one
 * connection everybody sees them, and a live query over one was never woken.
 */
static void temporary_table_in_memory(void **state)
{
    fixture *f = *state;
    static char create[] = "CREATE TEMP TABLE notes(id INTEGER PRIMARY KEY, text)";
    static char insert[] = "INSERT INTO notes(text) VALUES ('in a transaction')";
    probe *p;

    start_in_memory(f);
    WANT(f, RSQ_OK, rsq_transaction(f->db, run_statement, create, NULL, &f->err));
    p = WATCH(f, "SELECT count(*), max(text) FROM notes");
    EXPECT_EVENT(p, "0|NULL");
    EXEC(f, "INSERT INTO notes(text) VALUES ('first')");
    EXPECT_EVENT(p, "1|'first'");
    EXEC(f, "UPDATE notes SET text = 'second'");
    EXPECT_EVENT(p, "1|'second'");
    WANT(f, RSQ_OK, rsq_transaction(f->db, run_statement, insert, NULL, &f->err));
    EXPECT_EVENT(p, "2|'second'");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_QUIET(p);
    EXEC(f, "DELETE FROM temp.notes");
    EXPECT_EVENT(p, "0|NULL");
}

/*
 * A query that reads no table has nothing to meet a change with, and so a change of the schema, which changes
 * what its view is, passed it by.
 */
static void expect_view_is_followed(fixture *f)
{
    probe *p;

    EXEC(f, "CREATE VIEW v AS SELECT 1 AS n");
    p = WATCH(f, "SELECT count(*) FROM v");
    EXPECT_EVENT(p, "1");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_QUIET(p);
    EXEC(f, "DROP VIEW v");
    assert_non_null(strstr(EXPECT_ERROR(p)->message, "no such table"));
    assert_false(p->events[p->taken - 1].ended);
    EXEC(f, "CREATE VIEW v AS SELECT 1 AS n UNION ALL SELECT 2");
    EXPECT_EVENT(p, "2");
    EXEC(f, "DROP VIEW v");
    EXPECT_ERROR(p);
    EXEC(f, "CREATE VIEW v AS SELECT name FROM items");
    EXPECT_EVENT(p, "1");
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(p, "2");
    EXPECT_QUIET(p);
}

/* A view that reads no table, asked through one reader or the only connection, before and after it changes.
 */
static void expect_view_is_read_anew(fixture *f)
{
    rsq_result *r = NULL;

    EXEC(f, "CREATE VIEW v AS SELECT 1 AS n UNION ALL SELECT 2");
    EXPECT_ROWS(f, "SELECT count(*) FROM v", "2");
    EXEC(f, "DROP VIEW v");
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT count(*) FROM v", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_ESQL, rsq_select_json(f->db, "SELECT count(*) FROM v", NULL, 0, NULL, &r, &f->err));
    EXEC(f, "CREATE VIEW v AS SELECT name FROM items");
    EXPECT_ROWS(f, "SELECT count(*) FROM v", "0");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_ROWS(f, "SELECT count(*) FROM v", "1");
}

/*
 * SQLite compares the schema that a statement was compiled in with the file's when the statement touches a
 * table. One that touches none was answered from the statement cache for ever, though its view was another
 * one or gone.
 */
static void view_over_no_table_is_read_anew(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    expect_view_is_read_anew(f);
    fixture_close(f);
    start_in_memory(f);
    expect_view_is_read_anew(f);
}

static void view_over_no_table(void **state)
{
    fixture *f = *state;

    start(f);
    expect_view_is_followed(f);
}

static void view_over_no_table_in_memory(void **state)
{
    fixture *f = *state;

    start_in_memory(f);
    expect_view_is_followed(f);
}

/*
 * What a query reads is found by explaining it, and EXPLAIN was put before the text as it came: before a
 * semicolon it explains nothing. Such queries ended with a syntax error, though rsq_select() ran them.
 */
static void live_query_begins_with_comments(void **state)
{
    fixture *f = *state;
    static const char *const sql[] = {
        ";SELECT count(*) FROM items",
        ";;; ; SELECT count(*) FROM items;",
        "-- the number of them\nSELECT count(*) FROM items",
        "/* ; */ SELECT count(*) FROM items",
        "/**/;/*/ */-- ;\n\n;\tSELECT count(*) FROM items; -- the end",
        "\n\r\f\t SELECT count(*) /* of; */ FROM items /* never closed",
        "--\n--\n;SELECT count(*) FROM items ; ; --",
    };
    probe *p[LENGTH(sql)];
    uint64_t woken;

    start(f);
    for (size_t i = 0; i < LENGTH(sql); i++) {
        p[i] = WATCH(f, sql[i]);
        EXPECT_EVENT(p[i], "0");
        EXPECT_QUIET(p[i]);
        woken = probe_stats(p[i]).woken;
        EXPECT_QUIET(p[i]);
        assert_int_equal(probe_stats(p[i]).woken, woken); /* the canary is not among what it reads */
    }
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    for (size_t i = 0; i < LENGTH(sql); i++)
        EXPECT_EVENT(p[i], "1");
}

static rsq_code fail_quietly(rsq_tx *tx, void *ctx)
{
    rsq_code *rc = ctx;

    *rc = rsq_tx_execute(tx, "INSERT INTO items(id) VALUES (8), (9), (7)", NULL, 0, NULL, NULL, NULL);
    return RSQ_OK;
}

static rsq_code fail_aloud(rsq_tx *tx, void *ctx)
{
    return rsq_tx_execute(tx, ctx, NULL, 0, NULL, NULL, NULL);
}

/* Everything here fails after it changed rows, all of which SQLite takes back. */
static void fail_in_many_ways(fixture *f)
{
    static char insert[] = "INSERT INTO items(id) VALUES (8), (9), (7)";
    const rsq_value ids[] = {rsq_integer(8), rsq_integer(9), rsq_integer(7)};
    static const char *const sql[] = {
        insert,
        "INSERT OR ROLLBACK INTO items(id) VALUES (8), (9), (7)",
        "UPDATE items SET id = 7 WHERE id IN (5, 6)",
        "UPDATE items SET value = abs(CASE id WHEN 7 THEN -9223372036854775808 ELSE 1 END)",
        "INSERT OR FAIL INTO items(id) VALUES (7)",
        "INSERT INTO items(id, name) VALUES (8, 'refused by the trigger')",
    };

    for (size_t i = 0; i < LENGTH(sql); i++)
        WANT(f, RSQ_ESQL, rsq_execute(f->db, sql[i], NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_ESQL,
         rsq_execute_batch(f->db, "INSERT INTO items(id) VALUES (?)", ids, 3, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_ESQL, rsq_transaction(f->db, fail_aloud, insert, NULL, &f->err));
}

static void prepare_to_fail(fixture *f)
{
    EXEC(f, "CREATE TRIGGER refuse AFTER INSERT ON items WHEN new.name LIKE 'refused%' "
            "BEGIN SELECT raise(ABORT, 'refused'); END");
    EXEC(f, "INSERT INTO items(id) VALUES (5), (6), (7)");
}

static void expect_failures_are_nothing(fixture *f)
{
    probe *p = WATCH(f, "SELECT count(*) FROM items");
    uint64_t seq, woken;

    EXPECT_EVENT(p, "3");
    EXPECT_QUIET(p);
    seq = newest_commit(f);
    woken = probe_stats(p).woken;
    fail_in_many_ways(f);
    assert_int_equal(newest_commit(f), seq);
    EXPECT_QUIET(p);
    assert_int_equal(newest_commit(f), seq + 1); /* the canary's */
    assert_int_equal(probe_stats(p).woken, woken);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
}

/*
 * A database without a log has no hook that says whether a commit wrote something, so the rows that the hook
 * before each change had seen were taken for it; but of a statement that failed SQLite takes them back. It
 * raised the number and woke queries.
 */
static void failures_in_memory_are_nothing(void **state)
{
    fixture *f = *state;

    start_in_memory(f);
    prepare_to_fail(f);
    expect_failures_are_nothing(f);
}

/* The same in a file, where it was right. */
static void failures_in_a_file_are_nothing(void **state)
{
    fixture *f = *state;

    start(f);
    prepare_to_fail(f);
    expect_failures_are_nothing(f);
}

/* OR FAIL keeps the rows before the one that failed: that is a commit, with a number, which wakes. */
static void expect_or_fail_is_a_commit(fixture *f)
{
    uint64_t seq;
    probe *p;

    prepare_to_fail(f);
    p = WATCH(f, "SELECT group_concat(id) FROM (SELECT id FROM items ORDER BY id)");
    EXPECT_EVENT(p, "'5,6,7'");
    seq = newest_commit(f);
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT OR FAIL INTO items(id) VALUES (1), (2), (7), (3)", NULL, 0, NULL, NULL,
                     &f->err));
    assert_int_equal(newest_commit(f), seq + 1);
    EXPECT_EVENT(p, "'1,2,5,6,7'");
    assert_int_equal(p->events[p->taken - 1].commit_seq, seq + 1);
    EXPECT_QUIET(p);
}

static void or_fail_in_memory_is_a_commit(void **state)
{
    fixture *f = *state;

    start_in_memory(f);
    expect_or_fail_is_a_commit(f);
}

static void or_fail_in_a_file_is_a_commit(void **state)
{
    fixture *f = *state;

    start(f);
    expect_or_fail_is_a_commit(f);
}

/* A failure inside a transaction that goes on: what is committed later is a commit, and what the failed
 * statement had done is not part of it. */
static void failure_in_a_transaction(void **state)
{
    fixture *f = *state;
    rsq_code inner = RSQ_OK;
    probe *p;

    start_in_memory(f);
    prepare_to_fail(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "3");
    WANT(f, RSQ_OK, rsq_transaction(f->db, fail_quietly, &inner, NULL, &f->err));
    WANT_CODE(RSQ_ESQL, inner);
    EXPECT_QUIET(p);
    EXEC(f, "INSERT INTO items(id) VALUES (8)");
    EXPECT_EVENT(p, "4");
}

/* ------------------------------------------------------------------------- the log -- */

enum { MEGABYTE = 1000 * 1000 };

static size_t megabytes_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (size_t)st.st_size / MEGABYTE : 0;
}

static char *log_of(fixture *f, const char *name)
{
    char file[64];

    snprintf(file, sizeof file, "%s-wal", name);
    return fixture_file(f, file);
}

/* Commit `n` megabytes to eight rows of a table, a megabyte each time, reading in between. The largest size
 * that the log had after a commit. */
static size_t write_megabytes(fixture *f, const char *table, int n, const char *log)
{
    size_t largest = 0;
    char sql[128];

    snprintf(sql, sizeof sql, "REPLACE INTO %s VALUES (?, zeroblob(1000000))", table);
    for (int i = 0; i < n; i++) {
        rsq_value id = rsq_integer(i % 8);
        size_t now;

        WANT(f, RSQ_OK, rsq_execute(f->db, sql, &id, 1, NULL, NULL, &f->err));
        EXPECT_ROWS(f, "SELECT 1 FROM sqlite_schema LIMIT 1", "1");
        now = megabytes_of(log);
        largest = now > largest ? now : largest;
    }
    return largest;
}

/*
 * Only the log of the main database was looked after. That of an attached database which alone is written
 * grew for ever; and both grew for ever while a reader kept a snapshot, since a copied log begins anew only
 * when nobody reads from it.
 */
static void log_of_an_attached_database(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "other.db"), *log = log_of(f, "other.db"), *main_log = log_of(f, "test.db");
    const rsq_attach other = {"other", path};
    rsq_open_options opts = {.size = sizeof opts, .attach = &other, .nattach = 1};
    size_t largest;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE other.blobs(id INTEGER PRIMARY KEY, data)");
    EXEC(f, ITEMS);
    largest = write_megabytes(f, "other.blobs", 64, log);
    EXPECT_ROWS(f, "SELECT count(*), sum(length(data)) FROM blobs", "8|8000000");
    assert_true(largest > 0);
    assert_true(largest < 64);
    assert_true(megabytes_of(main_log) < 64);
    free(path);
    free(log);
    free(main_log);
}

static void log_of_the_main_database(void **state)
{
    fixture *f = *state;
    char *log = log_of(f, "test.db");
    size_t largest;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE blobs(id INTEGER PRIMARY KEY, data)");
    largest = write_megabytes(f, "blobs", 64, log);
    assert_true(largest > 0);
    assert_true(largest < 64);
    free(log);
}

/* Threads that read a row by its key, all the time. */
typedef struct point_readers {
    rsq_db *db;
    fixture *f;
    const char *log;
    atomic_bool done;
    atomic_uint reads[3];
    size_t largest;
    verdict verdict;
} point_readers;

static void read_points(point_readers *pr, size_t index)
{
    while (!atomic_load(&pr->done)) {
        rsq_value id = rsq_integer(atomic_load(&pr->reads[index]) % 8);
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code rc =
            rsq_select(pr->db, "SELECT id, length(data) FROM blobs WHERE id = ?", &id, 1, NULL, &r, &err);

        BLAME(&pr->verdict, rc == RSQ_OK, &err);
        if (rc == RSQ_OK)
            BLAME(&pr->verdict, rsq_result_rows(r) == 1 && rsq_result_int64(r, 0, 1) == MEGABYTE, NULL);
        rsq_result_unref(r);
        atomic_fetch_add(&pr->reads[index], 1);
    }
}

static void write_or_read_points(size_t index, void *ctx)
{
    point_readers *pr = ctx;

    if (index > 0) {
        read_points(pr, index);
        return;
    }
    for (int i = 0; i < 200; i++) {
        rsq_value id = rsq_integer(i % 8);
        rsq_error err;
        rsq_code rc =
            rsq_execute(pr->db, "REPLACE INTO blobs VALUES (?, zeroblob(1000000))", &id, 1, NULL, NULL, &err);
        size_t now = megabytes_of(pr->log);

        BLAME(&pr->verdict, rc == RSQ_OK, &err);
        pr->largest = now > pr->largest ? now : pr->largest;
    }
    atomic_store(&pr->done, true);
}

/* With two threads that read all the time there is no moment without a reader, unless one is made. */
static void log_under_point_readers(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 3};
    char *log = log_of(f, "test.db");
    point_readers pr = {.f = f, .log = log};

    pr.db = fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE blobs(id INTEGER PRIMARY KEY, data)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE i < 7) "
            "INSERT INTO blobs SELECT i, zeroblob(1000000) FROM c");
    atomic_init(&pr.done, false);
    for (size_t i = 0; i < LENGTH(pr.reads); i++)
        atomic_init(&pr.reads[i], 0);
    verdict_init(&pr.verdict);
    crew_run(3, write_or_read_points, &pr);
    VERDICT(&pr.verdict);
    assert_true(atomic_load(&pr.reads[1]) > 0 && atomic_load(&pr.reads[2]) > 0);
    if (pr.largest > 64)
        fail_msg("the log grew to %zu MB", pr.largest);
    free(log);
}

/* ------------------------------------------------------------ attached databases -- */

/* `name` as an identifier in SQL. */
static void quote(char *to, const char *name)
{
    *to++ = '"';
    for (; *name; name++) {
        if (*name == '"')
            *to++ = '"';
        *to++ = *name;
    }
    *to++ = '"';
    *to = '\0';
}

static void use_attached(fixture *f, const char *name)
{
    char schema[200], sql[300], table[100];
    rsq_result *w = NULL;
    probe *p;

    quote(schema, name);
    snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS %s.rows(n)", schema);
    EXEC(f, sql);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s.rows", schema);
    p = WATCH(f, sql);
    EXPECT_EVENT(p, "0");
    snprintf(sql, sizeof sql, "INSERT INTO %s.rows VALUES (1)", schema);
    WANT(f, RSQ_OK, rsq_execute(f->db, sql, NULL, 0, NULL, &w, &f->err));
    snprintf(table, sizeof table, "%s.rows", name);
    assert_true(fixture_changed(w, table));
    rsq_result_unref(w);
    EXPECT_EVENT(p, "1");
    EXEC(f, "INSERT INTO main.rows VALUES (1)");
    EXPECT_QUIET(p);
    snprintf(sql, sizeof sql, "DELETE FROM %s.rows", schema);
    EXEC(f, sql);
    EXPECT_EVENT(p, "0");
    probe_close(p);
}

/*
 * SQL of the library's own that names a schema was written into buffers that hold the usual names. One of 64
 * bytes, each a quote that is doubled, was cut, and the open failed with a syntax error.
 */
static void attach_names(void **state)
{
    fixture *f = *state;
    char letters[65], quotes[65], apostrophes[65], umlauts[65];
    const char *const names[] = {
        letters, quotes, apostrophes, umlauts,        "a\"b'c]d[e`", "x; DROP TABLE rows; --",
        "a.b",   " ",    "select",    "sqlite_schema"};
    rsq_attach attach[LENGTH(names)];
    rsq_open_options opts = {.size = sizeof opts, .attach = attach, .nattach = LENGTH(names)};
    char *paths[LENGTH(names)];

    memset(letters, 'n', 64);
    memset(quotes, '"', 64);
    memset(apostrophes, '\'', 64);
    letters[64] = quotes[64] = apostrophes[64] = '\0';
    for (size_t i = 0; i < 64; i += 2)
        memcpy(umlauts + i, "ü", 3);
    for (size_t i = 0; i < LENGTH(names); i++) {
        char file[16];

        snprintf(file, sizeof file, "att%zu.db", i);
        paths[i] = fixture_file(f, file);
        attach[i] = (rsq_attach){names[i], paths[i]};
    }
    for (int again = 0; again < 2; again++) {
        fixture_open(f, &opts);
        if (!again)
            fixture_canary(f);
        else
            f->canary = NULL;
        EXEC(f, "CREATE TABLE IF NOT EXISTS main.rows(n)");
        for (size_t i = 0; i < LENGTH(names) && !again; i++)
            use_attached(f, names[i]);
        EXPECT_ROWS(f, "SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'", "11");
        fixture_close(f);
    }
    for (size_t i = 0; i < LENGTH(names); i++)
        free(paths[i]);
}

/* A name that is longer is refused before anything is made, in a message that is cut between two characters.
 */
static void attach_names_that_are_too_long(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "att.db");
    static const char *const letters[] = {"n", "é", "語", "🍎"};
    char name[300];

    for (size_t i = 0; i < LENGTH(letters); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            rsq_attach attach = {name, path};
            rsq_open_options opts = {.size = sizeof opts, .attach = &attach, .nattach = 1};
            rsq_db *db = NULL;
            size_t at = (size_t)snprintf(name, sizeof name, "%.*s", (int)shift, "abc");

            while (at < 65)
                at += (size_t)snprintf(name + at, sizeof name - at, "%s", letters[i]);
            WANT(f, RSQ_EINVAL, rsq_open(f->path, &opts, &db, &f->err));
            assert_null(db);
        }
    }
    assert_false(fixture_exists(path));
    assert_false(fixture_exists(f->path));
    free(path);
}

/* The path of an attached database went to SQLite as it came, which takes what begins with "file:" for a URI
 * when it was built to. A path is the name of a file here, also an attached one's. */
static void attach_path_like_a_uri(void **state)
{
    fixture *f = *state;
    const rsq_attach attach = {"other", "file:other.db?mode=memory"};
    rsq_open_options opts = {.size = sizeof opts, .attach = &attach, .nattach = 1};
    char *path = fixture_file(f, attach.path), *other = fixture_file(f, "other.db");
    int here = open(".", O_RDONLY);

    assert_true(here >= 0);
    assert_int_equal(chdir(f->dir), 0);
    for (int again = 0; again < 2; again++) {
        fixture_open(f, &opts);
        if (!again) {
            EXEC(f, "CREATE TABLE other.rows(n)");
            EXEC(f, "INSERT INTO other.rows VALUES (7)");
        }
        EXPECT_ROWS(f, "SELECT n FROM other.rows", "7");
        fixture_close(f);
    }
    assert_int_equal(fchdir(here), 0);
    assert_int_equal(close(here), 0);
    assert_true(fixture_exists(path));
    assert_false(fixture_exists(other));
    free(path);
    free(other);
}

/* ---------------------------------------------------------- limits in transactions -- */

/* What the transaction function of the next tests got. */
typedef struct limited {
    rsq_db *db;
    rsq_code before, select, json, joined, joined_json, all, after;
    rsq_error err;
    double ms;
    int64_t seen;
} limited;

static rsq_code read_without_end(rsq_tx *tx, void *ctx)
{
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 20};
    const rsq_query queries[] = {{.sql = "SELECT 1"}, {.sql = ENDLESS}};
    limited *l = ctx;
    uint64_t begun = now_ns();
    rsq_result *r[2] = {NULL, NULL};

    l->before = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('before')", NULL, 0, NULL, NULL, NULL);
    l->select = rsq_tx_select(tx, ENDLESS, NULL, 0, &opts, &r[0], &l->err);
    l->json = rsq_tx_select_json(tx, ENDLESS, NULL, 0, &opts, &r[0], &l->err);
    l->joined = rsq_select(l->db, ENDLESS, NULL, 0, &opts, &r[0], &l->err);
    l->joined_json = rsq_select_json(l->db, ENDLESS, NULL, 0, &opts, &r[0], &l->err);
    l->all = rsq_select_all(l->db, queries, 2, &opts, r, &l->err);
    l->ms = ms_since(begun);
    l->after = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('after')", NULL, 0, NULL, NULL, NULL);
    if (rsq_tx_select(tx, "SELECT count(*) FROM items", NULL, 0, NULL, &r[0], NULL) == RSQ_OK)
        l->seen = rsq_result_int64(r[0], 0, 0);
    rsq_result_unref(r[0]);
    return RSQ_OK;
}

static void expect_limited(fixture *f)
{
    limited l = {.db = f->db};

    WANT(f, RSQ_OK, rsq_transaction(f->db, read_without_end, &l, NULL, &f->err));
    WANT_CODE(RSQ_OK, l.before);
    WANT_CODE(RSQ_ETIMEOUT, l.select);
    WANT_CODE(RSQ_ETIMEOUT, l.json);
    WANT_CODE(RSQ_ETIMEOUT, l.joined);
    WANT_CODE(RSQ_ETIMEOUT, l.joined_json);
    fixture_want(RSQ_ETIMEOUT, l.all, &l.err, "rsq_select_all()", __FILE__, __LINE__);
    assert_int_equal(l.err.row, 1);
    assert_true(l.ms >= 100);
    assert_true(l.ms < FIXTURE_DEADLINE_MS);
    WANT_CODE(RSQ_OK, l.after);
    assert_int_equal(l.seen, 2);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'before'\n'after'");
}

/*
 * In a transaction the limit of a read was forgotten on the way, so a query without end kept the writer for
 * ever. It is interrupted alone: the transaction goes on, with all that it wrote, and commits.
 */
static void read_in_a_transaction_has_its_limit(void **state)
{
    fixture *f = *state;

    start(f);
    expect_limited(f);
}

static void read_in_a_transaction_has_its_limit_in_memory(void **state)
{
    fixture *f = *state;

    start_in_memory(f);
    expect_limited(f);
}

/* A limit passes many times, at any moment of a call, and no later statement is hit by an interrupt that came
 * too late for the one that it was meant for. */
typedef struct many_limits {
    rsq_code code;
    rsq_error err;
    size_t interrupted, finished;
} many_limits;

static rsq_code read_near_the_limit(rsq_tx *tx, void *ctx)
{
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 1};
    many_limits *m = ctx;

    for (int i = 0; i < 300; i++) {
        rsq_value rounds = rsq_integer(20 * (i % 100));
        rsq_result *r = NULL;
        rsq_code rc = rsq_tx_select(tx,
                                    "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE "
                                    "i < ?) SELECT max(i) FROM c",
                                    &rounds, 1, &opts, &r, &m->err);

        m->finished += rc == RSQ_OK;
        m->interrupted += rc == RSQ_ETIMEOUT;
        rsq_result_unref(r);
        if (rc == RSQ_OK || rc == RSQ_ETIMEOUT)
            rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, &m->err);
        if (rc != RSQ_OK)
            return rc;
    }
    return RSQ_OK;
}

static void late_interrupts_hit_nobody(void **state)
{
    fixture *f = *state;
    many_limits m = {.code = RSQ_OK};

    start(f);
    WANT(f, RSQ_OK, rsq_transaction(f->db, read_near_the_limit, &m, NULL, &f->err));
    assert_int_equal(m.finished + m.interrupted, 300);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "300");
}

/* --------------------------------------------------------- errors of inner functions -- */

/* Which call fails in the innermost function, and how deep that is. */
typedef struct nest {
    rsq_db *db;
    int depth;
    bool by_database; /* nested by rsq_transaction() and not by rsq_tx_transaction() */
    rsq_error inner;  /* what the failing call said */
} nest;

static rsq_code fail_deep_inside(rsq_tx *tx, void *ctx)
{
    nest *n = ctx;

    if (n->depth-- == 0)
        return rsq_tx_execute(tx, "INSERT INTO items(id, name) VALUES (7, 'again')", NULL, 0, NULL, NULL,
                              &n->inner);
    /* Nobody asks for the detail on the way: it must come through all the same. */
    if (n->by_database)
        return rsq_transaction(n->db, fail_deep_inside, n, NULL, NULL);
    return rsq_tx_transaction(tx, fail_deep_inside, n, NULL);
}

/*
 * The detail of a failing call was kept in the transaction that it was made in. When that one was nested by
 * rsq_transaction(), the detail was lost with it: the outer function's caller was told only that the function
 * returned RSQ_ESQL.
 */
static void detail_comes_through(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items(id) VALUES (7)");
    for (int depth = 0; depth <= 3; depth++) {
        for (int by_database = 0; by_database < 2; by_database++) {
            nest n = {.db = f->db, .depth = depth, .by_database = by_database};

            WANT(f, RSQ_ESQL, rsq_transaction(f->db, fail_deep_inside, &n, NULL, &f->err));
            assert_non_null(strstr(f->err.message, "UNIQUE constraint failed: items.id"));
            assert_int_equal(f->err.sqlite_code, 1555);
            assert_memory_equal(&f->err, &n.inner, sizeof f->err);
        }
    }
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "1");
}

static rsq_code fail_in_a_batch(rsq_tx *tx, void *ctx)
{
    const rsq_value ids[] = {rsq_integer(1), rsq_integer(2), rsq_integer(7)};

    (void)ctx;
    return rsq_tx_execute_batch(tx, "INSERT INTO items(id) VALUES (?)", ids, 3, 1, NULL, NULL, NULL);
}

static rsq_code fail_to_compile(rsq_tx *tx, void *ctx)
{
    rsq_result *r = NULL;

    (void)ctx;
    return rsq_tx_select(tx, "SELECT * FORM items", NULL, 0, NULL, &r, NULL);
}

static rsq_code nest_one(rsq_tx *tx, void *ctx)
{
    rsq_tx_fn *inner = ctx;

    return rsq_tx_transaction(tx, *inner, NULL, NULL);
}

/* All of the detail: the row of a batch, the place in the SQL. */
static void all_of_the_detail_comes_through(void **state)
{
    fixture *f = *state;
    rsq_tx_fn batch = fail_in_a_batch, compile = fail_to_compile;

    start(f);
    EXEC(f, "INSERT INTO items(id) VALUES (7)");
    WANT(f, RSQ_ESQL, rsq_transaction(f->db, nest_one, &batch, NULL, &f->err));
    assert_int_equal(f->err.row, 2);
    WANT(f, RSQ_ESQL, rsq_transaction(f->db, nest_one, &compile, NULL, &f->err));
    assert_int_equal(f->err.sql_offset, strlen("SELECT * "));
    assert_int_equal(f->err.row, -1);
}

static rsq_code fail_and_go_on(rsq_tx *tx, void *ctx)
{
    rsq_tx_fn batch = fail_in_a_batch;
    rsq_code rc = nest_one(tx, &batch);

    (void)ctx;
    if (rc != RSQ_ESQL)
        return RSQ_EINVAL;
    return rsq_tx_execute(tx, "INSERT INTO items(id) VALUES (8)", NULL, 0, NULL, NULL, NULL);
}

static rsq_code fail_twice(rsq_tx *tx, void *ctx)
{
    rsq_tx_fn batch = fail_in_a_batch;

    (void)ctx;
    (void)nest_one(tx, &batch);
    return fail_to_compile(tx, NULL);
}

static rsq_code fail_by_itself(rsq_tx *tx, void *ctx)
{
    rsq_tx_fn batch = fail_in_a_batch;

    (void)ctx;
    (void)nest_one(tx, &batch);
    return RSQ_EFULL;
}

/* A failure that was dealt with is not told: neither when the function goes on and commits, nor when another
 * one or the function itself is why it ends. */
static void detail_of_the_last_failure(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items(id) VALUES (7)");
    WANT(f, RSQ_ESQL, rsq_transaction(f->db, fail_twice, NULL, NULL, &f->err));
    assert_non_null(strstr(f->err.message, "syntax error"));
    WANT(f, RSQ_EFULL, rsq_transaction(f->db, fail_by_itself, NULL, NULL, &f->err));
    assert_null(strstr(f->err.message, "UNIQUE"));
    WANT(f, RSQ_OK, rsq_transaction(f->db, fail_and_go_on, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT id FROM items ORDER BY id", "7\n8");
}

/* ------------------------------------------------------------- counting the dispatch -- */

static void await_emitted(probe *p, uint64_t n)
{
    uint64_t begun = now_ns();

    while (probe_stats(p).emitted < n) {
        assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
        sched_yield();
    }
}

/* Dispatch at most `max`; so many were delivered. */
static void expect_dispatched(rsq_queue *q, size_t max, size_t expected)
{
    size_t n = 99;

    WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, max, &n));
    assert_int_equal(n, expected);
}

/* At most `max` of those that wait, however many they are. */
static void dispatch_counts(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);
    probe *p[3];

    fixture_open(f, NULL);
    expect_dispatched(q, 1, 0);
    expect_dispatched(q, 0, 0);
    for (size_t i = 0; i < LENGTH(p); i++) {
        p[i] = WATCH(f, "SELECT 1");
        await_emitted(p[i], 1);
    }
    expect_dispatched(q, 1, 1);
    assert_int_equal(p[0]->count + p[1]->count + p[2]->count, 1);
    expect_dispatched(q, 5, 2);
    expect_dispatched(q, 0, 0);
    assert_int_equal(p[0]->count + p[1]->count + p[2]->count, 3);
}

/*
 * `max` was said to count callbacks, but a stream whose SQL is wrong has an error and an end at the same
 * time, and both were called for a `max` of one. What is counted is ops and live queries; the last answer and
 * the end of one live query are one. The end was also posted by itself: if the error was being dispatched
 * just then, both came with it, and the queue was left with an entry that counted as delivered and called
 * nobody.
 */
static void dispatch_counts_wrong_sql(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);

    fixture_open(f, NULL);
    for (int i = 0; i < 200; i++) {
        probe *p = WATCH(f, "SELECT * FORM items");

        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        expect_dispatched(q, 1, 1);
        assert_int_equal(p->count, 2);
        EXPECT_ERROR(p);
        EXPECT_END(p);
        WANT_CODE(RSQ_ETIMEOUT, rsq_queue_wait(q, 0));
        expect_dispatched(q, 0, 0);
    }
}

/* The same for an answer that is replaced by a newer one while it is dispatched: whatever is counted was a
 * callback. */
static void dispatch_counts_replaced(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);
    size_t counted = 0, n;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    p = WATCH(f, "SELECT count(*) FROM items");
    for (int i = 0; i < 300; i++) {
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, (size_t)i % 2, &n));
        counted += n;
    }
    while (p->count == 0 || rsq_result_int64(p->events[p->count - 1].result, 0, 0) < 300) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, &n));
        counted += n;
    }
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, &n));
    assert_int_equal(counted + n, p->count);
}

/* The answer that waits and the end that follows it are one, and so is an end that has dropped an answer. */
static void dispatch_counts_ends(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);
    probe *dropped, *last;

    fixture_open(f, NULL);
    dropped = WATCH(f, "SELECT 1");
    await_emitted(dropped, 1);
    rsq_stream_close(dropped->stream);
    last = WATCH(f, "SELECT 2");
    await_emitted(last, 1);
    fixture_close(f);
    expect_dispatched(q, 1, 1);
    EXPECT_END(dropped);
    assert_int_equal(dropped->count, 1);
    expect_dispatched(q, 1, 1);
    assert_int_equal(last->count, 2);
    EXPECT_EVENT(last, "2");
    EXPECT_END(last);
    expect_dispatched(q, 0, 0);
}

static void count_call(rsq_op *op, void *ctx)
{
    (void)op;
    ++*(size_t *)ctx;
}

/* Ops and live queries in one queue are counted alike. */
static void dispatch_counts_ops(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);
    size_t calls = 0;
    rsq_op_options opts = {.size = sizeof opts, .queue = q, .done = count_call, .ctx = &calls};
    rsq_op *ops[3];
    probe *p;

    fixture_open(f, NULL);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        ops[i] = op_submitted(f, i == 1 ? "SELECT * FORM items" : "SELECT 1", NULL, 0, &opts);
        EXPECT_OP(ops[i], i == 1 ? RSQ_ESQL : RSQ_OK);
    }
    p = WATCH(f, "SELECT 1");
    await_emitted(p, 1);
    for (size_t left = 4, n = 0; left > 0; left -= n) {
        WANT_CODE(RSQ_OK,
                  rsq_queue_wait(q, FIXTURE_DEADLINE_MS)); /* the queue hears of an op a moment later */
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, left > 3 ? 1 : 0, &n));
        assert_true(n >= 1 && n <= (left > 3 ? 1 : left));
    }
    assert_int_equal(calls, 3);
    assert_int_equal(p->count, 1);
    expect_dispatched(q, 0, 0);
    for (size_t i = 0; i < LENGTH(ops); i++)
        op_freed(ops[i]);
}

/* ------------------------------------------------------------ errors that still wait -- */

/* Close the database with an error in the queue: it comes, and then the end. */
static void expect_error_that_waited(fixture *f, probe *p, bool ended)
{
    WANT_CODE(RSQ_OK, rsq_queue_wait(p->queue, FIXTURE_DEADLINE_MS));
    fixture_close(f);
    EXPECT_ERROR(p);
    assert_int_equal(p->events[p->taken - 1].ended, ended);
    EXPECT_END(p);
}

/*
 * `ended` of an error says that its SQL can never work. It was taken from whether an end waits as well, and
 * so it was true for every error that the close of the database found in the queue.
 */
static void error_waits_while_the_database_closes(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(value) VALUES (5)");
    p = WATCH(f, "SELECT abs(value) FROM items");
    EXPECT_EVENT(p, "5");
    EXEC(f, "UPDATE items SET value = -9223372036854775808");
    expect_error_that_waited(f, p, false);
}

/* The same for an error of the first run, which a change of the row would mend, and for one that nothing
 * mends. */
static void first_error_waits_while_the_database_closes(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(value) VALUES (-9223372036854775808)");
    expect_error_that_waited(f, WATCH(f, "SELECT abs(value) FROM items"), false);
    fixture_open(f, NULL);
    expect_error_that_waited(f, WATCH(f, "SELECT abs(value) FORM items"), true);
}

/* On the default queue the close itself dispatches. */
static void error_waits_on_the_default_queue(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(value) VALUES (-9223372036854775808)");
    p = probe_new(f, rsq_queue_default(f->db), &opts);
    opts.queue = NULL;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT abs(value) FROM items", NULL, 0, &opts, &p->stream, &f->err));
    WANT_CODE(RSQ_OK, rsq_queue_wait(p->queue, FIXTURE_DEADLINE_MS));
    fixture_close(f);
    assert_int_equal(p->count, 2);
    assert_int_equal(p->events[0].kind, RSQ_EVENT_ERROR);
    assert_false(p->events[0].ended);
    assert_int_equal(p->events[1].kind, RSQ_EVENT_END);
}

/* ------------------------------------------------------------------ sizes of options -- */

/* What says that it is this large is no option struct; and what is shorter than its own size is none either.
 */
static const size_t absurd[] = {0, 1, sizeof(size_t) - 1, 4097, 1 << 20, SIZE_MAX / 2, SIZE_MAX};

static rsq_code absurd_inside(rsq_tx *tx, void *ctx)
{
    rsq_call_options opts = {.size = *(size_t *)ctx};
    rsq_result *r = NULL;
    rsq_code bad = RSQ_EINVAL;

    if (rsq_tx_select(tx, "SELECT 1", NULL, 0, &opts, &r, NULL) != RSQ_EINVAL ||
        rsq_tx_select_json(tx, "SELECT 1", NULL, 0, &opts, &r, NULL) != RSQ_EINVAL ||
        rsq_tx_execute(tx, ITEMS, NULL, 0, &opts, NULL, NULL) != RSQ_EINVAL)
        bad = RSQ_EMISUSE;
    rsq_result_unref(r);
    return bad == RSQ_EINVAL ? RSQ_OK : bad;
}

static void expect_call_options_refused(fixture *f, size_t size)
{
    rsq_call_options opts = {.size = size};
    const rsq_query query = {.sql = "SELECT 1"};
    rsq_cursor *cursor = NULL;
    rsq_result *r = NULL;

    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1", NULL, 0, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_json(f->db, "SELECT 1", NULL, 0, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, &query, 1, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, "SELECT 1", NULL, 0, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute(f->db, "CREATE TABLE t(x)", NULL, 0, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, "DELETE FROM items", NULL, 1, 0, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_transaction(f->db, absurd_inside, &size, &opts, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT 1", NULL, 0, &opts, &cursor, &f->err));
    assert_null(r);
    assert_null(cursor);
    WANT(f, RSQ_OK, rsq_transaction(f->db, absurd_inside, &size, NULL, &f->err));
}

static void expect_other_options_refused(fixture *f, size_t size)
{
    rsq_open_options open_opts = {.size = size};
    rsq_op_options op_opts = {.size = size};
    rsq_stream_options stream_opts;
    const rsq_query query = {.sql = "SELECT 1"};
    char *path = fixture_file(f, "none.db");
    probe *p = probe_new(f, fixture_queue(f), &stream_opts);
    rsq_db *db = NULL;
    rsq_op *op = NULL;

    p->abandoned = true;
    stream_opts.size = size;
    WANT(f, RSQ_EINVAL, rsq_open(path, &open_opts, &db, &f->err));
    assert_false(fixture_exists(path));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT 1", NULL, 0, &op_opts, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_json_async(f->db, "SELECT 1", NULL, 0, &op_opts, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_all_async(f->db, &query, 1, &op_opts, &op));
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &stream_opts, &p->stream, &f->err));
    assert_null(db);
    assert_null(op);
    assert_null(p->stream);
    free(path);
}

/*
 * Options that are larger than this version knows may come from a newer header, if the rest of them is zero.
 * To see that, the library read as far as the size said, so a size that was never set was a crash.
 */
static void absurd_sizes(void **state)
{
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(absurd); i++) {
        expect_call_options_refused(f, absurd[i]);
        expect_other_options_refused(f, absurd[i]);
    }
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* What a newer header has is accepted while it is not used. */
static void larger_options(void **state)
{
    fixture *f = *state;
    union {
        rsq_call_options opts;
        unsigned char bytes[4096];
    } newer;
    rsq_result *r = NULL;

    start(f);
    memset(&newer, 0, sizeof newer);
    for (size_t size = sizeof newer.opts + 1; size <= sizeof newer;
         size = size < 4000 ? size + 1000 : size + 1) {
        newer.opts.size = size;
        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1", NULL, 0, &newer.opts, &r, &f->err));
        rsq_result_unref(r);
        newer.bytes[size - 1] = 1;
        WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1", NULL, 0, &newer.opts, &r, &f->err));
        newer.bytes[size - 1] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(close_inside_while_another_closes),
        CASE(close_inside_while_another_closes_in_memory),
        CASE(close_nested_while_another_closes),
        CASE(close_another_inside),
        CASE(queue_database_stream),
        CASE(queue_stream_database),
        CASE(stream_queue_database),
        CASE(queue_is_freed_under_results),
        CASE(queue_is_freed_under_wrong_sql),
        CASE(queue_is_freed_under_wrong_sql_and_closed),
        CASE(temporary_table_in_memory),
        CASE(view_over_no_table_is_read_anew),
        CASE(view_over_no_table),
        CASE(view_over_no_table_in_memory),
        CASE(live_query_begins_with_comments),
        CASE(failures_in_memory_are_nothing),
        CASE(failures_in_a_file_are_nothing),
        CASE(or_fail_in_memory_is_a_commit),
        CASE(or_fail_in_a_file_is_a_commit),
        CASE(failure_in_a_transaction),
        CASE(log_of_an_attached_database),
        CASE(log_of_the_main_database),
        CASE(log_under_point_readers),
        CASE(attach_names),
        CASE(attach_names_that_are_too_long),
        CASE(attach_path_like_a_uri),
        CASE(read_in_a_transaction_has_its_limit),
        CASE(read_in_a_transaction_has_its_limit_in_memory),
        CASE(late_interrupts_hit_nobody),
        CASE(detail_comes_through),
        CASE(all_of_the_detail_comes_through),
        CASE(detail_of_the_last_failure),
        CASE(dispatch_counts),
        CASE(dispatch_counts_wrong_sql),
        CASE(dispatch_counts_replaced),
        CASE(dispatch_counts_ends),
        CASE(dispatch_counts_ops),
        CASE(error_waits_while_the_database_closes),
        CASE(first_error_waits_while_the_database_closes),
        CASE(error_waits_on_the_default_queue),
        CASE(absurd_sizes),
        CASE(larger_options),
    };

    return cmocka_run_group_tests_name("lifetimes", tests, NULL, NULL);
}
