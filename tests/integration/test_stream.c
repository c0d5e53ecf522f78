/*
 * Live queries and queues: §8, §10 and §13 of the reference's behaviours, at the precision that there is now.
 *
 * That nothing comes is never shown by waiting for a while: EXPECT_QUIET() passes a barrier through the same
 * queue and compares the counters, and then the test makes a change that does matter and looks at the very
 * next event. Where the reference is silent because the change was in another column, the result has equal
 * bytes here and is suppressed: the consumer cannot tell, and the test does not ask why.
 */
#include "fixture.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

#define ITEMS                                                                                           \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', value INTEGER NOT NULL " \
    "DEFAULT 0)"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, ITEMS);
}

static void fill_items(fixture *f, int n)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < %d) "
             "INSERT INTO items SELECT i, 'item ' || i, 0 FROM c",
             n);
    EXEC(f, sql);
}

/* -------------------------------------------------------------- first and next events -- */

/* S01, S02: the first event is the current answer, also when that is no rows. */
static void first_event(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT name FROM items ORDER BY id");
    EXPECT_EVENT(p, "");
    probe_close(p);
    EXEC(f, "INSERT INTO items(name) VALUES ('alice'), ('bob')");
    p = WATCH(f, "SELECT name FROM items ORDER BY id");
    EXPECT_EVENT(p, "'alice'\n'bob'");
    EXPECT_QUIET(p);
}

/* S03: an insert gives a second event with both rows, and no third. */
static void insert_gives_an_event(void **state)
{
    fixture *f = *state;
    rsq_result *w = NULL;
    const probe_event *e;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(name) VALUES ('alice')");
    p = WATCH(f, "SELECT name FROM items ORDER BY id");
    EXPECT_EVENT(p, "'alice'");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO items(name) VALUES ('bob')", NULL, 0, NULL, &w, &f->err));
    EXPECT_EVENT(p, "'alice'\n'bob'");
    e = &p->events[p->taken - 1];
    assert_true(e->commit_seq == rsq_result_commit_seq(w));
    assert_true(rsq_result_commit_seq(e->result) == e->commit_seq);
    rsq_result_unref(w);
    EXPECT_QUIET(p);
    assert_int_equal(p->count, 2);
}

/* S04, D05's core: a write to another table does not even wake the query. */
static void other_table_is_silent(void **state)
{
    fixture *f = *state;
    rsq_stream_counters before, after;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE other(x)");
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    EXPECT_QUIET(p);
    before = probe_stats(p);
    for (int i = 0; i < 5; i++)
        EXEC(f, "INSERT INTO other VALUES (1)");
    EXPECT_QUIET(p);
    after = probe_stats(p);
    assert_int_equal(after.woken, before.woken);
    assert_int_equal(after.runs, before.runs);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
    assert_int_equal(probe_stats(p).woken, before.woken + 1);
}

/* S05: parameters of a live query. */
static void parameters(void **state)
{
    fixture *f = *state;
    rsq_value one = rsq_integer(1);
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(name, value) VALUES ('charlie', 1), ('bob', 2), ('alice', 1)");
    p = WATCH_WITH(f, "SELECT name FROM items WHERE value = ? ORDER BY name", &one, 1);
    EXPECT_EVENT(p, "'alice'\n'charlie'");
}

/* S06: the same SQL opened again with another parameter still knows what it reads, though it was cached. */
static void same_sql_after_close(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT value FROM items WHERE id = ?";

    start(f);
    fill_items(f, 2);
    for (int id = 1; id <= 2; id++) {
        rsq_value v = rsq_integer(id);
        probe *p = WATCH_WITH(f, sql, &v, 1);

        EXPECT_EVENT(p, "0");
        WANT(f, RSQ_OK,
             rsq_execute(f->db, "UPDATE items SET value = 5 WHERE id = ?", &v, 1, NULL, NULL, &f->err));
        EXPECT_EVENT(p, "5");
        probe_close(p);
    }
}

/* S07: two live queries of the same SQL both get everything; S15: one goes on when the other is closed. */
static void two_of_the_same_sql(void **state)
{
    fixture *f = *state;
    probe *a, *b;

    start(f);
    a = WATCH(f, "SELECT count(*) FROM items");
    b = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(a, "1");
    EXPECT_EVENT(b, "1");
    probe_close(a);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(b, "2");
    assert_int_equal(a->count, 3);
}

/* S08, K04: a batch is one event, a small one too. */
static void batch_is_one_event(void **state)
{
    fixture *f = *state;
    const rsq_value names[] = {rsq_text("a"), rsq_text("b"), rsq_text("c")};
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, 3, 1, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "3");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, 2, 1, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "5");
    EXPECT_QUIET(p);
}

static rsq_code insert_two(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, NULL, &f->err);

    return rc == RSQ_OK
               ? rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('b')", NULL, 0, NULL, NULL, &f->err)
               : rc;
}

/* S09: a transaction is one event, however many statements it has. */
static void transaction_is_one_event(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_two, f, NULL, &f->err));
    EXPECT_EVENT(p, "2");
    EXPECT_QUIET(p);
    assert_int_equal(probe_stats(p).emitted, 2);
}

static rsq_code insert_and_read(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, NULL, &f->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_select(tx, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &f->err);
    rsq_result_unref(r);
    return rc;
}

/* S10: a transaction that also runs the live query's own SQL gives the events 0 and 1, no others. */
static void transaction_that_reads_the_same_sql(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_and_read, f, NULL, &f->err));
    EXPECT_EVENT(p, "1");
    EXPECT_QUIET(p);
}

/* S11, S12: an UPDATE that sets what is there already is no event; the next one that changes it is the
 * second. */
static void update_without_change_is_silent(void **state)
{
    fixture *f = *state;
    rsq_stream_counters c;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, name, value) VALUES (1, 'a', 10)");
    p = WATCH(f, "SELECT value FROM items WHERE id = 1");
    EXPECT_EVENT(p, "10");
    EXEC(f, "UPDATE items SET value = value WHERE id = 1");
    EXPECT_QUIET(p);
    EXEC(f, "UPDATE items SET value = 99 WHERE id = 1");
    EXPECT_EVENT(p, "99");
    EXPECT_QUIET(p);
    c = probe_stats(p);
    assert_int_equal(p->count, 2);
    assert_int_equal(c.emitted, 2);
    assert_int_equal(c.runs, c.emitted + c.suppressed);
}

/* S13: fifteen different live queries over 50 rows: one insert reaches them all. */
static void fifteen_streams(void **state)
{
    fixture *f = *state;
    probe *p[15];

    start(f);
    fill_items(f, 50);
    for (size_t i = 0; i < LENGTH(p); i++) {
        char sql[96];

        snprintf(sql, sizeof sql, "SELECT count(*) + %zu FROM items", 1000 * i);
        p[i] = WATCH(f, sql);
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < LENGTH(p); i++) {
            char expected[32];

            snprintf(expected, sizeof expected, "%zu", 50 + (size_t)round + 1000 * i);
            EXPECT_EVENT(p[i], expected);
        }
        EXEC(f, "INSERT INTO items(name) VALUES ('one more')");
    }
}

/* S14, S16: closing gives one end event and then silence, however much is written; opening again works, also
 * many times. Closing twice before the end event is a no-op. */
static void close_gives_one_end_event(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        probe *p = WATCH(f, "SELECT count(*) FROM items");

        if (i % 2) {
            char expected[16];

            snprintf(expected, sizeof expected, "%d", i);
            EXPECT_EVENT(p, expected);
        }
        rsq_stream_close(p->stream);
        rsq_stream_close(p->stream);
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        EXPECT_END(p);
    }
    rsq_stream_close(NULL);
}

static rsq_code insert_and_fail(rsq_tx *tx, void *ctx)
{
    rsq_code rc = insert_two(tx, ctx);

    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

/* S17: a transaction that is rolled back is no event, and neither is a statement that fails. */
static void rollback_is_silent(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, name) VALUES (7, 'x')");
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "1");
    WANT(f, RSQ_ECANCELLED, rsq_transaction(f->db, insert_and_fail, f, NULL, &f->err));
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT INTO items(id) VALUES (8), (9), (7)", NULL, 0, NULL, NULL, &f->err));
    EXPECT_QUIET(p);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(p, "2");
    EXPECT_QUIET(p);
}

/* S18: twenty inserts one after the other: the counts never fall, and the last is 20. Steps may be skipped,
 * since the newest answer is what counts. */
static void counts_never_fall(void **state)
{
    fixture *f = *state;
    int64_t last = -1;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    for (int i = 0; i < 20; i++)
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_REACHES(p, "20");
    for (size_t i = 0; i < p->count; i++) {
        int64_t n = rsq_result_int64(p->events[i].result, 0, 0);

        assert_true(n > last);
        last = n;
    }
    EXPECT_QUIET(p);
}

/* G03: writes that change nothing leave nothing behind: what follows is seen. */
static void nothing_then_something(void **state)
{
    fixture *f = *state;
    rsq_value ids[50];
    probe *p;

    start(f);
    fill_items(f, 10);
    for (size_t i = 0; i < LENGTH(ids); i++)
        ids[i] = rsq_integer((int64_t)i + 1000);
    p = WATCH(f, "SELECT count(*), sum(value) FROM items");
    probe_await(p, __FILE__, __LINE__);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "UPDATE items SET value = 7 WHERE id = ?", ids, LENGTH(ids), 1, NULL, NULL,
                           &f->err));
    EXPECT_QUIET(p);
    WANT(f, RSQ_OK,
         rsq_execute_script(f->db, "UPDATE items SET value = 1; UPDATE items SET value = value + 1", NULL,
                            &f->err));
    EXPECT_EVENT(p, "10|20");
}

/* L10: a stream, or the database, that is closed right behind a write: one end, no error, and no run that
 * nobody waits for. */
static void closed_right_after_a_write(void **state)
{
    fixture *f = *state;
    rsq_counters c = {.size = sizeof c};

    start(f);
    for (int i = 0; i < 50; i++) {
        probe *p = WATCH(f, "SELECT count(*) FROM items");

        if (i % 2)
            probe_await(p, __FILE__, __LINE__);
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        rsq_stream_close(p->stream);
        while (!p->ends)
            assert_int_not_equal(probe_await(p, __FILE__, __LINE__)->kind, RSQ_EVENT_ERROR);
    }
    do {
        WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
    } while (c.runs_waiting + c.runs_running > 0);
    assert_int_equal(c.live_queries, 1); /* the canary */
    assert_int_equal(c.streams, 1);
    for (int i = 0; i < 10; i++) {
        probe *p = WATCH(f, "SELECT count(*) FROM items");

        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        fixture_close(f);
        while (!p->ends)
            assert_int_not_equal(probe_await(p, __FILE__, __LINE__)->kind, RSQ_EVENT_ERROR);
        fixture_open(f, NULL);
    }
}

/* S19: a batch of 50 rows is reached. */
static void batch_of_fifty(void **state)
{
    fixture *f = *state;
    rsq_value names[50];
    probe *p;

    start(f);
    for (size_t i = 0; i < LENGTH(names); i++)
        names[i] = rsq_text("x");
    p = WATCH(f, "SELECT count(*) FROM items");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, 50, 1, NULL, NULL, &f->err));
    EXPECT_REACHES(p, "50");
}

/* ------------------------------------------------------------------------ errors -- */

/* S20, S21: SQL that can never work is one error event, then the end; opening itself does not look at the
 * SQL. */
static void sql_that_can_never_work(void **state)
{
    fixture *f = *state;
    static const char *const bad[] = {
        "SELECT * FORM items", "SELECT 1; SELECT 2", "", "INSERT INTO items VALUES (1)", "BEGIN", "SELECT ?"};

    start(f);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        probe *p = WATCH(f, bad[i]);
        const rsq_error *err = EXPECT_ERROR(p);

        assert_int_not_equal(err->code, RSQ_OK);
        assert_true(p->events[0].ended);
        EXPECT_END(p);
    }
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* S20: a table that is missing is an error event and not a hang; if the query stays, it comes to life with
 * its table, and if it does not, it ends. */
static void missing_table(void **state)
{
    fixture *f = *state;
    const rsq_error *err;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM missing");
    err = EXPECT_ERROR(p);
    assert_int_equal(err->code, RSQ_ESQL);
    assert_non_null(strstr(err->message, "no such table: missing"));
    if (p->events[0].ended) {
        EXPECT_END(p);
        return;
    }
    EXEC(f, "CREATE TABLE missing(x)");
    EXPECT_EVENT(p, "0");
    EXEC(f, "INSERT INTO missing VALUES (1)");
    EXPECT_EVENT(p, "1");
}

/* Await the first result after any number of errors. */
static const probe_event *await_result(probe *p)
{
    const probe_event *e;

    do {
        e = probe_await(p, __FILE__, __LINE__);
        assert_int_not_equal(e->kind, RSQ_EVENT_END);
    } while (e->kind != RSQ_EVENT_RESULT);
    return e;
}

/* S22: a query whose table is dropped gives an error and no data, stays, and recovers when it works again. */
static void error_and_recovery(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE picks(item)");
    EXEC(f, "INSERT INTO items(id, name) VALUES (1, 'alice'), (2, 'bob')");
    EXEC(f, "INSERT INTO picks VALUES (1)");
    p = WATCH(f, "SELECT name FROM items WHERE id IN (SELECT item FROM picks) ORDER BY id");
    EXPECT_EVENT(p, "'alice'");
    EXEC(f, "DROP TABLE picks");
    EXEC(f, "UPDATE items SET value = 1");
    EXPECT_ERROR(p);
    assert_false(p->events[p->taken - 1].ended);
    EXEC(f, "CREATE TABLE picks(item)");
    EXPECT_RESULT(await_result(p)->result, "");
    EXEC(f, "INSERT INTO picks VALUES (1), (2)");
    EXPECT_EVENT(p, "'alice'\n'bob'");
    EXPECT_QUIET(p);
}

/* The same for a column that is renamed away and back. */
static void renamed_column(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, name) VALUES (1, 'alice')");
    p = WATCH(f, "SELECT name FROM items");
    EXPECT_EVENT(p, "'alice'");
    EXEC(f, "ALTER TABLE items RENAME COLUMN name TO title");
    EXEC(f, "UPDATE items SET value = 1");
    EXPECT_ERROR(p);
    EXEC(f, "ALTER TABLE items RENAME COLUMN title TO name");
    EXEC(f, "INSERT INTO items(id, name) VALUES (2, 'bob')");
    for (;;) {
        char *rows = fixture_dump(await_result(p)->result);
        bool both = strcmp(rows, "'alice'\n'bob'") == 0;

        free(rows);
        if (both)
            break;
    }
    EXPECT_QUIET(p);
}

/* A change of the schema that changes the columns of a SELECT * is an event with the new columns. */
static void new_column_appears(void **state)
{
    fixture *f = *state;
    const probe_event *e;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, name, value) VALUES (1, 'a', 2)");
    p = WATCH(f, "SELECT * FROM items");
    EXPECT_EVENT(p, "1|'a'|2");
    EXEC(f, "ALTER TABLE items ADD COLUMN extra DEFAULT 'new'");
    EXPECT_EVENT(p, "1|'a'|2|'new'");
    e = &p->events[p->taken - 1];
    assert_string_equal(rsq_result_column_name(e->result, 3), "extra");
    EXPECT_QUIET(p);
}

/* An error while running, not while preparing, is an event too, with the values that caused it. */
static void error_in_a_row(void **state)
{
    fixture *f = *state;
    const rsq_error *err;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 5)");
    p = WATCH(f, "SELECT abs(value) FROM items");
    EXPECT_EVENT(p, "5");
    EXEC(f, "UPDATE items SET value = -9223372036854775808");
    err = EXPECT_ERROR(p);
    assert_int_equal(err->sqlite_code, 1);
    assert_non_null(strstr(err->message, "integer overflow"));
    EXEC(f, "UPDATE items SET value = -6");
    EXPECT_EVENT(p, "6");
    EXEC(f, "UPDATE items SET value = -9223372036854775808");
    EXPECT_ERROR(p);
    EXEC(f,
         "UPDATE items SET value = 6"); /* the answer is the one before the error, and is news all the same */
    EXPECT_EVENT(p, "6");
}

/* An error that the data cause is not the SQL's fault, also when it comes first: the query stays and
 * recovers. */
static void error_at_the_first_run(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, -9223372036854775808)");
    p = WATCH(f, "SELECT abs(value) FROM items");
    EXPECT_ERROR(p);
    assert_false(p->events[0].ended);
    EXEC(f, "UPDATE items SET value = -6");
    EXPECT_EVENT(p, "6");
}

/* S23: closing the database gives every live query its end. */
static void database_close_ends_all(void **state)
{
    fixture *f = *state;
    probe *p[5];

    start(f);
    for (size_t i = 0; i < LENGTH(p); i++) {
        p[i] = WATCH(f, "SELECT count(*) FROM items");
        EXPECT_EVENT(p[i], "0");
    }
    fixture_close(f);
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_END(p[i]);
}

/* ------------------------------------------------------------------ transactions -- */

static rsq_code nested_insert(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('inner')", NULL, 0, NULL, NULL, &f->err);
}

static rsq_code insert_and_nest(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc =
        rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('outer')", NULL, 0, NULL, NULL, &f->err);

    return rc == RSQ_OK ? rsq_tx_transaction(tx, nested_insert, f, &f->err) : rc;
}

/* S24: a nested transaction's commit is part of the outer one's event. */
static void nested_transaction_is_one_event(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT name FROM items ORDER BY id");
    EXPECT_EVENT(p, "");
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_and_nest, f, NULL, &f->err));
    EXPECT_EVENT(p, "'outer'\n'inner'");
    EXPECT_QUIET(p);
}

typedef struct big_batch {
    rsq_db *db;
    size_t rows;
    rsq_code code;
} big_batch;

static void run_big_batch(void *ctx)
{
    big_batch *b = ctx;
    rsq_value *v = calloc(b->rows, sizeof *v);

    for (size_t i = 0; v && i < b->rows; i++)
        v[i] = rsq_text("x");
    b->code =
        v ? rsq_execute_batch(b->db, "INSERT INTO items(name) VALUES (?)", v, b->rows, 1, NULL, NULL, NULL)
          : RSQ_ENOMEM;
    free(v);
}

/* S25: live queries that are opened while a batch runs see none of it or all of it, and in the end all. */
static void opened_during_a_batch(void **state)
{
    fixture *f = *state;
    big_batch b = {.rows = 5000, .code = RSQ_EINVAL};
    probe *p[8];
    thread t;

    start(f);
    b.db = f->db;
    thread_start(&t, run_big_batch, &b);
    for (size_t i = 0; i < LENGTH(p); i++) {
        p[i] = WATCH(f, "SELECT count(*) FROM items");
        probe_await(p[i], __FILE__, __LINE__);
        p[i]->taken = 0;
    }
    THREAD_JOIN(&t);
    WANT_CODE(RSQ_OK, b.code);
    for (size_t i = 0; i < LENGTH(p); i++) {
        int64_t first;

        EXPECT_REACHES(p[i], "5000");
        first = rsq_result_int64(p[i]->events[0].result, 0, 0);
        assert_true(first == 0 || first == 5000);
    }
}

/* S26, S27: writes right behind the opening of a query over many rows lose nothing: an event comes, the last
 * one has all; and a query that finds nothing still says so. */
static void written_right_after_opening(void **state)
{
    fixture *f = *state;
    probe *all, *none;

    start(f);
    fill_items(f, 40000);
    all = WATCH(f, "SELECT count(*), sum(length(name)) > 0 FROM items");
    none = WATCH(f, "SELECT id FROM items WHERE name = 'not there'");
    for (int i = 0; i < 8; i++)
        EXEC(f, "INSERT INTO items(name) VALUES ('late')");
    EXPECT_REACHES(all, "40008|1");
    EXPECT_EVENT(none, "");
    EXPECT_QUIET(none);
}

/* Return when the only reader is busy, or when the answer is there already. */
static void await_run(fixture *f)
{
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_code rc;

    do {
        rsq_result *r = NULL;

        rc = rsq_select(f->db, "SELECT 1", NULL, 0, &soon, &r, NULL);
        rsq_result_unref(r);
    } while (rc == RSQ_OK && rsq_queue_wait(f->queue, 0) != RSQ_OK);
}

/* A commit that comes while the query runs, and is not in its snapshot, must run it again: the change that
 * would be missed if a running query were simply told to wait. With one reader, a read that cannot get it in
 * time shows that the query runs. */
static void commit_during_a_run(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 0)");
    for (int i = 1; i <= 5; i++) {
        rsq_value v = rsq_integer(i);
        char expected[16];
        probe *p =
            WATCH(f, "WITH RECURSIVE slowly(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM slowly "
                     "WHERE x < 50000) SELECT value FROM items WHERE (SELECT count(*) FROM slowly) > 0");

        await_run(f);
        WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE items SET value = ?", &v, 1, NULL, NULL, &f->err));
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_REACHES(p, expected);
        probe_close(p);
    }
}

static rsq_code redefine_view(rsq_tx *tx, void *ctx)
{
    rsq_code rc = rsq_tx_execute(tx, "DROP VIEW v", NULL, 0, NULL, NULL, NULL);

    return rc == RSQ_OK ? rsq_tx_execute(tx, ctx, NULL, 0, NULL, NULL, NULL) : rc;
}

/* After a change of the schema the same SQL may read another table; the query follows that one. */
static void view_reads_another_table(void **state)
{
    fixture *f = *state;
    static char view[] = "CREATE VIEW v AS SELECT count(*) FROM other";
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "CREATE VIEW v AS SELECT count(*) FROM items");
    EXEC(f, "INSERT INTO other VALUES (1), (2), (3)");
    p = WATCH(f, "SELECT * FROM v");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, redefine_view, view, NULL, &f->err));
    EXPECT_EVENT(p, "3");
    EXEC(f, "INSERT INTO other VALUES (4)");
    EXPECT_EVENT(p, "4");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_QUIET(p);
}

/* What a text depends on is kept with the statement, and is not what it was before the schema changed: by
 * this database's connection, and by another process, of whose commit nobody has told yet. */
static void same_sql_in_another_schema(void **state)
{
    static char views[2][56] = {"CREATE VIEW v AS SELECT count(*) FROM items",
                                "CREATE VIEW v AS SELECT count(*) FROM other"};
    static const char *const foreign_views[2] = {
        "BEGIN; DROP VIEW v; CREATE VIEW v AS SELECT count(*) FROM items; COMMIT",
        "BEGIN; DROP VIEW v; CREATE VIEW v AS SELECT count(*) FROM other; COMMIT"};
    static const char *const writes[] = {"INSERT INTO items(name) VALUES ('x')",
                                         "INSERT INTO other VALUES (1)"};
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    int counts[2] = {0, 0};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, views[0]);
    for (int i = 0; i < 12; i++) {
        int at = i % 2;
        char expected[16];
        probe *p;

        if (i % 4 < 2)
            WANT(f, RSQ_OK, rsq_transaction(f->db, redefine_view, views[at], NULL, &f->err));
        else
            free(foreign_sql(f, f->path, foreign_views[at]));
        p = WATCH(f, "SELECT * FROM v");
        snprintf(expected, sizeof expected, "%d", counts[at]);
        EXPECT_EVENT(p, expected);
        EXEC(f, writes[at]);
        snprintf(expected, sizeof expected, "%d", ++counts[at]);
        EXPECT_REACHES(p, expected);
        EXEC(f, writes[1 - at]);
        counts[1 - at]++;
        probe_close(p);
    }
}

/* A change of the schema that comes while the query runs: what the query reads was found out in the old
 * schema and must be found out anew, or writes to the table that it reads now would wake nobody. */
static void schema_change_during_a_run(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    static char views[2][48] = {"CREATE VIEW v AS SELECT n FROM a", "CREATE VIEW v AS SELECT n FROM b"};
    static const char *const writes[] = {"UPDATE a SET n = n + 1", "UPDATE b SET n = n + 1"};
    int n[2] = {100, 200};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE a(n)");
    EXEC(f, "CREATE TABLE b(n)");
    EXEC(f, "INSERT INTO a VALUES (100)");
    EXEC(f, "INSERT INTO b VALUES (200)");
    EXEC(f, views[1]);
    for (int i = 0; i < 6; i++) {
        char expected[16];
        probe *p = WATCH(f, "WITH RECURSIVE slowly(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM slowly "
                            "WHERE x < 50000) SELECT n FROM v WHERE (SELECT count(*) FROM slowly) > 0");

        await_run(f);
        WANT(f, RSQ_OK, rsq_transaction(f->db, redefine_view, views[i % 2], NULL, &f->err));
        snprintf(expected, sizeof expected, "%d", n[i % 2]);
        EXPECT_REACHES(p, expected);
        EXEC(f, writes[i % 2]);
        snprintf(expected, sizeof expected, "%d", ++n[i % 2]);
        EXPECT_REACHES(p, expected);
        probe_close(p);
    }
}

/* The same in a group, of a member that is idle when the snapshot is opened: it is read in that snapshot for
 * the others' sake, and so once more in the old schema, after everybody was told of the new one. */
static void schema_change_during_a_run_of_a_group(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    static char views[2][48] = {"CREATE VIEW v AS SELECT n FROM a", "CREATE VIEW v AS SELECT n FROM b"};
    static const char *const writes[] = {"UPDATE a SET n = n + 1", "UPDATE b SET n = n + 1"};
    int n[2] = {100, 200};
    probe *slow, *p;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE a(n)");
    EXEC(f, "CREATE TABLE b(n)");
    EXEC(f, "CREATE TABLE c(n)");
    EXEC(f, "INSERT INTO a VALUES (100)");
    EXEC(f, "INSERT INTO b VALUES (200)");
    EXEC(f, "INSERT INTO c VALUES (0)");
    EXEC(f, views[1]);
    slow = probe_in_group(f, "WITH RECURSIVE slowly(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM slowly "
                             "WHERE x < 50000) SELECT n FROM c WHERE (SELECT count(*) FROM slowly) > 0");
    p = probe_in_group(f, "SELECT n FROM v");
    EXPECT_REACHES(slow, "0");
    EXPECT_REACHES(p, "200");
    for (int i = 0; i < 6; i++) {
        char expected[16];

        EXEC(f, "UPDATE c SET n = n + 1");
        await_run(f);
        WANT(f, RSQ_OK, rsq_transaction(f->db, redefine_view, views[i % 2], NULL, &f->err));
        snprintf(expected, sizeof expected, "%d", n[i % 2]);
        EXPECT_REACHES(p, expected);
        EXEC(f, writes[i % 2]);
        snprintf(expected, sizeof expected, "%d", ++n[i % 2]);
        EXPECT_REACHES(p, expected);
        snprintf(expected, sizeof expected, "%d", i + 1);
        EXPECT_REACHES(slow, expected);
    }
}

static rsq_code set_99_and_fail(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc = rsq_tx_execute(tx, "UPDATE items SET value = 99", NULL, 0, NULL, NULL, &f->err);

    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

/* S31: what is not committed is never shown: the events are 1 and 2. */
static void uncommitted_is_never_shown(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 1)");
    p = WATCH(f, "SELECT value FROM items");
    EXPECT_EVENT(p, "1");
    EXEC(f, "UPDATE items SET value = 2");
    EXPECT_EVENT(p, "2");
    WANT(f, RSQ_ECANCELLED, rsq_transaction(f->db, set_99_and_fail, f, NULL, &f->err));
    EXPECT_QUIET(p);
    assert_int_equal(p->count, 2);
}

/* -------------------------------------------------------------- equal or not equal -- */

/* S28, S29, S30: a change of one byte anywhere in a long text or blob is an event; the same bytes again are
 * not. */
static void long_values(void **state)
{
    fixture *f = *state;
    enum { SIZE = 400 * 1024 };
    static const size_t places[] = {0, 31, 32, 48, 64, 4095, 4096, SIZE / 2, SIZE - 1};
    char *bytes = calloc(1, SIZE); /* NUL bytes, as a text may hold them too */
    probe *p;

    assert_non_null(bytes);
    start(f);
    EXEC(f, "CREATE TABLE long(v)");
    EXEC(f, "INSERT INTO long VALUES (NULL)");
    p = WATCH(f, "SELECT v FROM long");
    EXPECT_EVENT(p, "NULL");
    for (size_t i = 0; i < 2 * LENGTH(places); i++) {
        bool blob = i >= LENGTH(places);
        rsq_value v = blob ? rsq_blob(bytes, SIZE) : rsq_text_n(bytes, SIZE);
        const rsq_value *cell;

        bytes[places[i % LENGTH(places)]]++;
        for (int twice = 0; twice < 2; twice++)
            WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE long SET v = ?", &v, 1, NULL, NULL, &f->err));
        cell = rsq_result_cell(probe_await(p, __FILE__, __LINE__)->result, 0, 0);
        assert_int_equal(cell->type, v.type);
        assert_int_equal(cell->len, SIZE);
        assert_memory_equal(cell->as.blob, bytes, SIZE);
    }
    EXPECT_QUIET(p);
    free(bytes);
}

/* S29 small: 96 bytes, a change in the middle third only. */
static void change_in_the_middle(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE b(v)");
    EXEC(f, "INSERT INTO b VALUES (zeroblob(32) || x'01' || zeroblob(63))");
    EXEC(f, "UPDATE b SET v = CAST(v AS BLOB)");
    p = WATCH(f, "SELECT hex(v) FROM b");
    probe_await(p, __FILE__, __LINE__);
    EXEC(f, "UPDATE b SET v = CAST(zeroblob(48) || x'02' || zeroblob(47) AS BLOB)");
    assert_int_equal(probe_await(p, __FILE__, __LINE__)->kind, RSQ_EVENT_RESULT);
    EXEC(f, "UPDATE b SET v = CAST(zeroblob(48) || x'02' || zeroblob(47) AS BLOB)");
    EXPECT_QUIET(p);
}

/* Values that are equal for SQL but of another type are another answer: 1 and 1.0, 'x' and x'78', '' and
 * NULL. */
static void type_changes_are_events(void **state)
{
    fixture *f = *state;
    static const char *const values[] = {"1", "1.0", "'x'", "x'78'", "''", "x''", "NULL", "0"};
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE any(v)");
    EXEC(f, "INSERT INTO any VALUES ('start')");
    p = WATCH(f, "SELECT v FROM any");
    EXPECT_EVENT(p, "'start'");
    for (size_t i = 0; i < LENGTH(values); i++) {
        char sql[64];

        snprintf(sql, sizeof sql, "UPDATE any SET v = %s", values[i]);
        EXEC(f, sql);
        EXPECT_EVENT(p, values[i]);
        EXEC(f, sql);
        EXPECT_QUIET(p);
    }
}

/* S32: integer 1 and real 1.0 are different queries, and the caller's parameters are copied. */
static void parameters_are_copied_and_typed(void **state)
{
    fixture *f = *state;
    rsq_value v[2] = {rsq_integer(1), rsq_real(1.0)};
    char text[] = "text";
    rsq_value t = rsq_text(text);
    probe *p[3];

    start(f);
    p[0] = WATCH_WITH(f, "SELECT typeof(?), count(*) FROM items", &v[0], 1);
    p[1] = WATCH_WITH(f, "SELECT typeof(?), count(*) FROM items", &v[1], 1);
    p[2] = WATCH_WITH(f, "SELECT ?, count(*) FROM items", &t, 1);
    v[0] = rsq_null();
    v[1] = rsq_null();
    memcpy(text, "gone", 4);
    EXPECT_EVENT(p[0], "'integer'|0");
    EXPECT_EVENT(p[1], "'real'|0");
    EXPECT_EVENT(p[2], "'text'|0");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p[0], "'integer'|1");
    EXPECT_EVENT(p[1], "'real'|1");
    EXPECT_EVENT(p[2], "'text'|1");
}

/* S33: after the answer grew, equal runs are still known as equal. */
static void grow_then_equal(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items WHERE value = 0");
    EXPECT_EVENT(p, "0");
    fill_items(f, 500);
    EXPECT_EVENT(p, "500");
    for (int i = 0; i < 3; i++) {
        EXEC(f, "INSERT INTO items(value) VALUES (1)");
        EXPECT_QUIET(p);
    }
    EXEC(f, "DELETE FROM items");
    EXPECT_EVENT(p, "0");
}

/* ---------------------------------------------------------------------- under load -- */

/* K01: a hundred updates in a row: the last event is the last value. */
static void hundred_updates(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 0)");
    p = WATCH(f, "SELECT value FROM items WHERE id = 1");
    EXPECT_EVENT(p, "0");
    for (int i = 1; i <= 100; i++) {
        rsq_value v = rsq_integer(i);
        WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE items SET value = ?", &v, 1, NULL, NULL, &f->err));
    }
    EXPECT_REACHES(p, "100");
    EXPECT_QUIET(p);
}

/* K02: after 50 updates under 20 live queries, 20 new ones get their first answer; nothing of the old ones is
 * in their way. */
static void new_streams_after_load(void **state)
{
    fixture *f = *state;
    probe *p[20];
    rsq_value group;

    start(f);
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM c WHERE i < 199) "
            "INSERT INTO items SELECT i+1, 'x', i % 20 FROM c");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < LENGTH(p); i++) {
            group = rsq_integer((int64_t)i);
            p[i] = WATCH_WITH(f, "SELECT count(*) FROM items WHERE value = ?", &group, 1);
        }
        for (size_t i = 0; i < LENGTH(p); i++)
            EXPECT_EVENT(p[i], "10");
        for (int i = 0; i < 50; i++)
            EXEC(f, "UPDATE items SET name = name || 'y' WHERE id = 1");
        for (size_t i = 0; i < LENGTH(p); i++)
            rsq_stream_close(p[i]->stream);
        for (size_t i = 0; i < LENGTH(p); i++)
            EXPECT_END(p[i]);
    }
}

static void update_in_crew(size_t index, void *ctx)
{
    rsq_value v = rsq_integer((int64_t)index + 1);

    rsq_execute(ctx, "UPDATE items SET value = value + ?1 WHERE id = ?1", &v, 1, NULL, NULL, NULL);
}

/* K05: three waves of 20 updates at once under 20 live queries: each one's last event is what a fresh read
 * says. */
static void waves_of_updates(void **state)
{
    fixture *f = *state;
    probe *p[20], *counted;

    start(f);
    fill_items(f, 20);
    counted = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(counted, "20");
    for (size_t i = 0; i < LENGTH(p); i++) {
        rsq_value id = rsq_integer((int64_t)i + 1);
        p[i] = WATCH_WITH(f, "SELECT value FROM items WHERE id = ?", &id, 1);
        EXPECT_EVENT(p[i], "0");
    }
    for (int wave = 0; wave < 3; wave++)
        crew_run(20, update_in_crew, f->db);
    for (size_t i = 0; i < LENGTH(p); i++) {
        char expected[16];

        snprintf(expected, sizeof expected, "%zu", 3 * (i + 1));
        EXPECT_REACHES(p[i], expected);
    }
    EXPECT_QUIET(counted);
    assert_int_equal(counted->count, 1);
}

/* A consumer that does not look gets the newest answer in one event, and the counters say what it missed. */
static void slow_consumer_gets_the_newest(void **state)
{
    fixture *f = *state;
    rsq_queue *slow = NULL;
    rsq_stream_counters c;
    probe *p;

    start(f);
    WANT(f, RSQ_OK, rsq_queue_new(&slow, &f->err));
    p = probe_open(f, f->db, slow, "SELECT count(*) FROM items", NULL, 0, __FILE__, __LINE__);
    EXPECT_EVENT(p, "0");
    for (int i = 0; i < 30; i++) {
        probe *passing;

        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        passing = WATCH(f, "SELECT count(*) FROM items"); /* its answer shows that the commit was handled */
        probe_await(passing, __FILE__, __LINE__);
        probe_close(passing);
    }
    EXPECT_REACHES(p, "30");
    assert_true(p->count <= 3); /* the one that waited, and one that came while it was dispatched */
    c = probe_stats(p);
    assert_int_equal(c.emitted - c.replaced, p->results);
    probe_close(p);
    rsq_queue_free(slow);
}

/* ------------------------------------------------------------------ what a query reads -- */

/* Each of the writes must change the answer of the query and be seen. */
typedef struct shape {
    const char *query, *first;
    const char *writes[3], *answers[3];
} shape;

static void expect_shape(fixture *f, const shape *s)
{
    probe *p = WATCH(f, s->query);

    EXPECT_EVENT(p, s->first);
    EXEC(f, "INSERT INTO audit VALUES ('unrelated')");
    EXPECT_QUIET(p);
    for (size_t i = 0; i < LENGTH(s->writes) && s->writes[i]; i++) {
        EXEC(f, s->writes[i]);
        EXPECT_EVENT(p, s->answers[i]);
        EXPECT_QUIET(p);
    }
    probe_close(p);
}

/* D01, D02, D03, D04, D05: joins, subqueries, views, CTEs follow every table that they read, and no other.
 * Among them are the joins whose tables SQLite's authorizer does not report: USING and NATURAL with nothing
 * read from one side. */
static void dependency_shapes(void **state)
{
    fixture *f = *state;
    static const shape shapes[] = {
        {"SELECT u.name, o.what FROM users u JOIN orders o ON o.user = u.id ORDER BY o.id",
         "'ann'|'pen'",
         {"INSERT INTO orders VALUES (2, 1, 'ink')", "UPDATE users SET name = 'anna' WHERE id = 1"},
         {"'ann'|'pen'\n'ann'|'ink'", "'anna'|'pen'\n'anna'|'ink'"}},
        {"SELECT name FROM users WHERE id IN (SELECT user FROM orders) ORDER BY id",
         "'anna'",
         {"INSERT INTO orders VALUES (3, 2, 'cup')", "DELETE FROM orders WHERE id > 1"},
         {"'anna'\n'ben'", "'anna'"}},
        {"SELECT * FROM names", "'anna'\n'ben'", {"DELETE FROM users WHERE id = 2"}, {"'anna'"}},
        {"WITH w AS (SELECT what FROM orders) SELECT count(*) FROM w",
         "1",
         {"INSERT INTO orders VALUES (4, 1, 'cap')"},
         {"2"}},
        {"SELECT count(*) FROM a JOIN b USING (x)",
         "1",
         {"INSERT INTO b VALUES (1)", "DELETE FROM a"},
         {"2", "0"}},
        {"SELECT 1 FROM a NATURAL JOIN b", "", {"INSERT INTO a VALUES (1)"}, {"1\n1"}},
        {"SELECT EXISTS (SELECT 1 FROM a)", "1", {"DELETE FROM a"}, {"0"}},
        {"SELECT x FROM a UNION ALL SELECT x FROM b", "1\n1", {"INSERT INTO a VALUES (7)"}, {"7\n1\n1"}},
        {"SELECT max(x) OVER () FROM b LIMIT 1", "1", {"UPDATE b SET x = 9"}, {"9"}},
        {"SELECT k, v FROM pairs ORDER BY k", "'k'|1", {"UPDATE pairs SET v = 2"}, {"'k'|2"}},
        {"SELECT twice FROM generated", "10", {"UPDATE generated SET x = 6"}, {"12"}},
        {"SELECT value FROM json_each((SELECT doc FROM docs))",
         "1\n2",
         {"UPDATE docs SET doc = '[3]'"},
         {"3"}},
    };

    start(f);
    EXEC(f, "CREATE TABLE users(id INTEGER PRIMARY KEY, name)");
    EXEC(f, "CREATE TABLE orders(id INTEGER PRIMARY KEY, user, what)");
    EXEC(f, "CREATE TABLE audit(what)");
    EXEC(f, "CREATE VIEW names AS SELECT name FROM users");
    EXEC(f, "CREATE TABLE a(x)");
    EXEC(f, "CREATE TABLE b(x)");
    EXEC(f, "CREATE TABLE pairs(k PRIMARY KEY, v) WITHOUT ROWID");
    EXEC(f, "CREATE TABLE generated(x, twice AS (2 * x))");
    EXEC(f, "CREATE TABLE docs(doc)");
    EXEC(f, "INSERT INTO users VALUES (1, 'ann'), (2, 'ben')");
    EXEC(f, "INSERT INTO orders VALUES (1, 1, 'pen')");
    EXEC(f, "INSERT INTO a VALUES (1)");
    EXEC(f, "INSERT INTO b VALUES (1)");
    EXEC(f, "INSERT INTO pairs VALUES ('k', 1)");
    EXEC(f, "INSERT INTO generated(x) VALUES (5)");
    EXEC(f, "INSERT INTO docs VALUES ('[1,2]')");
    for (size_t i = 0; i < LENGTH(shapes); i++)
        expect_shape(f, &shapes[i]);
}

/* Full text search: a write through the virtual table reaches a query on it, though the rows are in its
 * shadows. */
static void full_text_search(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    if (!(rsq_features() & RSQ_FEATURE_FTS5))
        return;
    EXEC(f, "CREATE VIRTUAL TABLE docs USING fts5(body)");
    p = WATCH(f, "SELECT body FROM docs WHERE docs MATCH 'fox'");
    EXPECT_EVENT(p, "");
    EXEC(f, "INSERT INTO docs VALUES ('the fox')");
    EXPECT_EVENT(p, "'the fox'");
    EXEC(f, "UPDATE docs SET body = 'the dog'");
    EXPECT_EVENT(p, "");
}

/* Kinds of write that libraries like this one miss: DELETE without WHERE, REPLACE and its victim, UPSERT, a
 * changed row id, INSERT from another table, CREATE TABLE AS, DROP. */
static void kinds_of_writes(void **state)
{
    fixture *f = *state;
    static const char *const steps[][2] = {
        {"INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", "1|'a'\n2|'b'\n3|'c'"},
        {"REPLACE INTO t VALUES (9, 'b')", "1|'a'\n3|'c'\n9|'b'"},
        {"INSERT INTO t VALUES (3, 'x') ON CONFLICT DO UPDATE SET v = 'upsert'", "1|'a'\n3|'upsert'\n9|'b'"},
        {"UPDATE t SET id = 5 WHERE id = 9", "1|'a'\n3|'upsert'\n5|'b'"},
        {"DELETE FROM t", ""},
        {"INSERT INTO t SELECT * FROM source", "7|'s'"},
        {"INSERT INTO t VALUES (8, 'r') RETURNING id", "7|'s'\n8|'r'"},
        {"DELETE FROM t WHERE id = 8 RETURNING v", "7|'s'"},
        {"WITH w(i) AS (VALUES (20)) INSERT INTO t SELECT i, 'w' FROM w", "7|'s'\n20|'w'"},
    };
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)");
    EXEC(f, "CREATE TABLE source(id INTEGER PRIMARY KEY, v UNIQUE)");
    EXEC(f, "INSERT INTO source VALUES (7, 's')");
    p = WATCH(f, "SELECT * FROM t ORDER BY id");
    EXPECT_EVENT(p, "");
    for (size_t i = 0; i < LENGTH(steps); i++) {
        EXEC(f, steps[i][0]);
        EXPECT_EVENT(p, steps[i][1]);
    }
    EXPECT_QUIET(p);
}

/* ----------------------------------------------------------------- triggers, cascades -- */

/* G01: a trigger on one table writes another; a query on that one follows. */
static void trigger_on_another_table(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE target(id INTEGER PRIMARY KEY, n)");
    EXEC(f, "INSERT INTO target VALUES (1, 0)");
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 1)");
    EXEC(f,
         "CREATE TRIGGER tr AFTER UPDATE ON items BEGIN UPDATE target SET n = new.value WHERE id = 1; END");
    p = WATCH(f, "SELECT n FROM target");
    EXPECT_EVENT(p, "0");
    EXEC(f, "UPDATE items SET value = 555 WHERE id = 1");
    EXPECT_EVENT(p, "555");
    EXPECT_QUIET(p);
}

static rsq_code conditional_batch(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    const rsq_value rows[] = {rsq_integer(5), rsq_integer(12345), rsq_integer(6),
                              rsq_integer(1), rsq_integer(100),   rsq_integer(1)};
    rsq_code rc = rsq_tx_execute(tx, "UPDATE items SET name = 'touched'", NULL, 0, NULL, NULL, &f->err);

    return rc == RSQ_OK ? rsq_tx_execute_batch(tx, "UPDATE items SET value = ? WHERE id = ?", rows, 3, 2,
                                               NULL, NULL, &f->err)
                        : rc;
}

/* G02: in a transaction that touched something else first, a batch whose first row matches nothing, whose
 * second does not fire the conditional trigger and whose third does. */
static void conditional_trigger_in_a_batch(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE target(n)");
    EXEC(f, "INSERT INTO target VALUES (0)");
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 1)");
    EXEC(f, "CREATE TRIGGER tr AFTER UPDATE OF value ON items WHEN new.value >= 100 "
            "BEGIN UPDATE target SET n = n + 1; END");
    p = WATCH(f, "SELECT n FROM target");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, conditional_batch, f, NULL, &f->err));
    EXPECT_EVENT(p, "1");
    EXPECT_QUIET(p);
}

static rsq_code failing_savepoint(rsq_tx *tx, void *ctx)
{
    const rsq_value rows[] = {rsq_integer(1), rsq_integer(77), rsq_integer(2), rsq_integer(77)};

    (void)ctx;
    return rsq_tx_execute_batch(tx, "UPDATE numbers SET n = ?2 WHERE id = ?1", rows, 2, 2, NULL, NULL, NULL);
}

static rsq_code savepoint_then_update(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    if (rsq_tx_transaction(tx, failing_savepoint, NULL, NULL) != RSQ_ESQL)
        return RSQ_EINVAL;
    return rsq_tx_execute(tx, "UPDATE items SET value = 1", NULL, 0, NULL, NULL, &f->err);
}

/* G04: a batch that fails in a savepoint and is handled: its values are restored and give no event, the outer
 * transaction's own change does. */
static void failing_savepoint_then_change(void **state)
{
    fixture *f = *state;
    probe *numbers, *items;

    start(f);
    EXEC(f, "CREATE TABLE numbers(id INTEGER PRIMARY KEY, n UNIQUE)");
    EXEC(f, "INSERT INTO numbers VALUES (1, 10), (2, 20)");
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 0)");
    numbers = WATCH(f, "SELECT n FROM numbers ORDER BY id");
    items = WATCH(f, "SELECT value FROM items");
    EXPECT_EVENT(numbers, "10\n20");
    EXPECT_EVENT(items, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, savepoint_then_update, f, NULL, &f->err));
    EXPECT_EVENT(items, "1");
    EXPECT_QUIET(numbers);
    EXPECT_QUIET(items);
}

/* G05: a trigger that writes another column of the same table; the event has both changes. */
static void trigger_on_the_same_table(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)");
    EXEC(f, "INSERT INTO t VALUES (1, 1, 2)");
    EXEC(f,
         "CREATE TRIGGER tr AFTER UPDATE OF a ON t BEGIN UPDATE t SET b = new.a * 2 WHERE id = new.id; END");
    p = WATCH(f, "SELECT b FROM t");
    EXPECT_EVENT(p, "2");
    EXEC(f, "UPDATE t SET a = 42");
    EXPECT_EVENT(p, "84");
    EXPECT_QUIET(p);
}

/* G06: deleting a parent empties a query on the children that ON DELETE CASCADE takes with it. */
static void foreign_key_cascade(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "CREATE TABLE child(id INTEGER PRIMARY KEY, item REFERENCES items(id) ON DELETE CASCADE)");
    EXEC(f, "INSERT INTO items(id) VALUES (1)");
    EXEC(f, "INSERT INTO child VALUES (1, 1), (2, 1)");
    p = WATCH(f, "SELECT id FROM child ORDER BY id");
    EXPECT_EVENT(p, "1\n2");
    EXEC(f, "DELETE FROM items WHERE id = 1");
    EXPECT_EVENT(p, "");
    EXPECT_QUIET(p);
}

enum { MANY = 70 };

/* "head item-0 separator item-1 ... tail", where an item is the pattern with its number. */
static char *repeated(const char *head, const char *pattern, const char *separator, const char *tail)
{
    size_t size = strlen(head) + strlen(tail) + MANY * (strlen(pattern) + strlen(separator) + 8) + 1;
    size_t len;
    char *out = malloc(size);

    assert_non_null(out);
    len = (size_t)snprintf(out, size, "%s", head);
    for (int i = 0; i < MANY; i++) {
        char item[96];
        const char *number = strchr(pattern, '#');

        snprintf(item, sizeof item, "%.*s%d%s", (int)(number - pattern), pattern, i, number + 1);
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? separator : "", item);
    }
    snprintf(out + len, size - len, "%s", tail);
    return out;
}

static void exec_repeated(fixture *f, const char *head, const char *pattern, const char *tail)
{
    char *sql = repeated(head, pattern, ", ", tail);

    EXEC(f, sql);
    free(sql);
}

static int64_t awaited_cell(probe *p, size_t row, size_t column)
{
    const probe_event *e = probe_await(p, __FILE__, __LINE__);

    assert_int_equal(e->kind, RSQ_EVENT_RESULT);
    return rsq_result_int64(e->result, row, column);
}

/* O01, O02, O05: no number of columns after which a change is missed: one column of 70, all 70 of them, and
 * again for a query that was opened before and is cached. */
static void many_columns(void **state)
{
    fixture *f = *state;

    start(f);
    exec_repeated(f, "CREATE TABLE wide(id INTEGER PRIMARY KEY, ", "c# DEFAULT 0", ")");
    EXEC(f, "INSERT INTO wide(id) VALUES (1)");
    for (int round = 1; round <= 3; round++) {
        probe *p = WATCH(f, "SELECT * FROM wide");

        probe_await(p, __FILE__, __LINE__);
        EXEC(f, "UPDATE wide SET c69 = c69 + 1");
        assert_int_equal(awaited_cell(p, 0, 70), 2 * round - 1);
        exec_repeated(f, "UPDATE wide SET ", "c# = c69 + 1", "");
        assert_int_equal(awaited_cell(p, 0, 1), 2 * round);
        probe_close(p);
    }
}

static rsq_code touch_all_tables(rsq_tx *tx, void *ctx)
{
    rsq_code rc = RSQ_OK;
    (void)ctx;

    for (int i = 0; i < MANY && rc == RSQ_OK; i++) {
        char sql[64];

        snprintf(sql, sizeof sql, "INSERT INTO t%d VALUES (1)", i);
        rc = rsq_tx_execute(tx, sql, NULL, 0, NULL, NULL, NULL);
    }
    return rc;
}

/* O03, O04, O06, O07: no number of tables either: one query that reads 70, opened twice; one transaction that
 * writes 70; and beside them a small query still knows what concerns it. */
static void many_tables(void **state)
{
    fixture *f = *state;
    char *sql = repeated("", "SELECT count(*) FROM t#", " UNION ALL ", "");
    probe *last, *unrelated;

    start(f);
    for (int i = 0; i < MANY; i++) {
        char create[64];

        snprintf(create, sizeof create, "CREATE TABLE t%d(x)", i);
        EXEC(f, create);
    }
    last = WATCH(f, "SELECT count(*) FROM t69");
    unrelated = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(last, "0");
    EXPECT_EVENT(unrelated, "0");
    for (int round = 1; round <= 2; round++) {
        probe *all = WATCH(f, sql);

        probe_await(all, __FILE__, __LINE__);
        EXEC(f, "INSERT INTO t68 VALUES (1)");
        assert_int_equal(awaited_cell(all, 68, 0), 2 * round - 1);
        EXPECT_QUIET(last);
        WANT(f, RSQ_OK, rsq_transaction(f->db, touch_all_tables, NULL, NULL, &f->err));
        assert_int_equal(awaited_cell(all, 0, 0), round);
        assert_int_equal(awaited_cell(last, 0, 0), round);
        EXPECT_QUIET(unrelated);
        probe_close(all);
    }
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(unrelated, "1");
    free(sql);
}

/* R23: an ordinary read on the reader that ran a live query's SQL just before is as right as any. */
static void select_after_stream_on_one_reader(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    fill_items(f, 3);
    for (int i = 0; i < 20; i++) {
        probe *p = WATCH(f, "SELECT name FROM items ORDER BY id");

        EXPECT_EVENT(p, "'item 1'\n'item 2'\n'item 3'");
        EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'item 1'\n'item 2'\n'item 3'");
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
        probe_close(p);
    }
}

static void insert_in_crew(size_t index, void *ctx)
{
    (void)index;
    rsq_execute(ctx, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, NULL);
}

/* W14: eight inserts at once: a live count reaches eight. */
static void concurrent_inserts_reach_the_count(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    crew_run(8, insert_in_crew, f->db);
    EXPECT_REACHES(p, "8");
    EXPECT_QUIET(p);
}

/* ------------------------------------------------------------------------------ queues -- */

static bool readable(rsq_queue *q, int timeout_ms)
{
    struct pollfd fd = {.fd = rsq_queue_fd(q), .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1 && (fd.revents & POLLIN);
}

/* Return when so many results were handed to the stream's queue. */
static void await_emitted(probe *p, uint64_t n)
{
    while (probe_stats(p).emitted < n)
        sched_yield();
}

/* The queue's descriptor is readable exactly while it is not empty: an event loop needs nothing else. */
static void queue_descriptor_is_a_level(void **state)
{
    fixture *f = *state;
    rsq_queue *q = fixture_queue(f);
    size_t dispatched = 99;
    probe *p[3];

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    assert_false(readable(q, 0));
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, &dispatched));
    assert_int_equal(dispatched, 0);
    WANT_CODE(RSQ_ETIMEOUT, rsq_queue_wait(q, 0));
    for (size_t i = 0; i < LENGTH(p); i++)
        p[i] = WATCH(f, "SELECT count(*) FROM items");
    for (size_t i = 0; i < LENGTH(p); i++)
        await_emitted(p[i], 1);
    for (size_t left = LENGTH(p); left > 0; left--) {
        assert_true(readable(q, (int)FIXTURE_DEADLINE_MS));
        assert_true(readable(q, 0)); /* looking does not make it empty */
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 1, &dispatched));
        assert_int_equal(dispatched, 1);
    }
    assert_false(readable(q, 0));
    WANT_CODE(RSQ_ETIMEOUT, rsq_queue_wait(q, 1));
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
    assert_true(readable(q, 0));
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_REACHES(p[i], "1");
    assert_false(readable(q, 0));
}

/* What the callback of the next test found. */
typedef struct inside_callback {
    fixture *f;
    probe *opened;
    rsq_code wait, dispatch, select, execute;
    int64_t seen;
} inside_callback;

static void call_everything(probe *p, const probe_event *ev, void *ctx)
{
    inside_callback *in = ctx;
    rsq_stream_options opts;
    rsq_result *r = NULL;

    if (ev->kind != RSQ_EVENT_RESULT || in->opened)
        return;
    in->wait = rsq_queue_wait(p->queue, UINT32_MAX);
    in->dispatch = rsq_queue_dispatch(p->queue, 1, NULL);
    in->execute =
        rsq_execute(in->f->db, "INSERT INTO items(name) VALUES ('inside')", NULL, 0, NULL, NULL, NULL);
    in->select = rsq_select(in->f->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, NULL);
    if (in->select == RSQ_OK)
        in->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    in->opened = probe_new(in->f, p->queue, &opts);
    if (rsq_stream_open(in->f->db, "SELECT 'opened inside'", NULL, 0, &opts, &in->opened->stream, NULL) !=
        RSQ_OK)
        in->opened->abandoned = true;
    rsq_stream_close(p->stream);
}

/* Every call is legal inside a callback, closing the own stream included, except waiting on the same queue.
 */
static void calls_inside_a_callback(void **state)
{
    fixture *f = *state;
    inside_callback in = {.f = f};
    rsq_stream_options opts;
    probe *p;

    start(f);
    p = probe_new(f, fixture_queue(f), &opts);
    p->then = call_everything;
    p->then_ctx = &in;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT count(*) FROM items", NULL, 0, &opts, &p->stream, &f->err));
    EXPECT_EVENT(p, "0");
    EXPECT_END(p);
    WANT_CODE(RSQ_EMISUSE, in.wait);
    assert_true(in.dispatch == RSQ_EMISUSE || in.dispatch == RSQ_OK);
    WANT_CODE(RSQ_OK, in.execute);
    WANT_CODE(RSQ_OK, in.select);
    assert_int_equal(in.seen, 1);
    EXPECT_EVENT(in.opened, "'opened inside'");
}

/* A thread that sleeps in rsq_queue_wait() is woken by an event. */
typedef struct sleeper {
    rsq_queue *queue;
    rsq_code code;
    gate about_to_wait;
} sleeper;

static void sleep_in_wait(void *ctx)
{
    sleeper *s = ctx;

    gate_open(&s->about_to_wait);
    s->code = rsq_queue_wait(s->queue, UINT32_MAX);
}

/* Waiting without limit ends with an event, also when the waiter was there first. */
static void waiter_is_woken(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        sleeper s = {.queue = fixture_queue(f), .code = RSQ_EINVAL};
        thread t;
        probe *p;

        gate_init(&s.about_to_wait);
        thread_start(&t, sleep_in_wait, &s);
        assert_true(gate_wait(&s.about_to_wait));
        p = WATCH(f, "SELECT 1");
        THREAD_JOIN(&t);
        WANT_CODE(RSQ_OK, s.code);
        EXPECT_EVENT(p, "1");
        probe_close(p);
        gate_fini(&s.about_to_wait);
    }
}

/* Live queries whose queue is freed deliver nothing more, not even an end, and stay the caller's to close,
 * also after the database; the others go on. */
static void freed_queue_silences_its_streams(void **state)
{
    fixture *f = *state;
    rsq_queue *q = NULL;
    probe *p[3], *other;

    start(f);
    other = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(other, "0");
    WANT(f, RSQ_OK, rsq_queue_new(&q, &f->err));
    for (size_t i = 0; i < LENGTH(p); i++) {
        p[i] = probe_open(f, f->db, q, "SELECT count(*) FROM items", NULL, 0, __FILE__, __LINE__);
        p[i]->abandoned = true;
        if (i > 0)
            EXPECT_EVENT(p[i], "0");
    }
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    rsq_queue_free(q);
    rsq_stream_close(p[0]->stream);
    EXPECT_EVENT(other, "1");
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(other, "2");
    rsq_stream_close(p[1]->stream);
    fixture_close(f);
    EXPECT_END(other);
    rsq_stream_close(p[2]->stream);
    for (size_t i = 0; i < LENGTH(p); i++)
        assert_int_equal(p[i]->ends, 0);
    rsq_queue_free(NULL);
}

/* The queue's descriptor goes with the queue and not with the database: nothing of the streams keeps it. */
static void freed_queue_lets_its_descriptor_go(void **state)
{
    fixture *f = *state;
    rsq_queue *q = NULL;
    /* A second reader, or the one that looks for others, could open in between. */
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_EXTERNAL_WRITERS, .readers = 1};
    size_t before;
    probe *p;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(name TEXT)");
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 0);
    before = fixture_descriptors();
    for (int i = 0; i < 3; i++) {
        WANT(f, RSQ_OK, rsq_queue_new(&q, &f->err));
        assert_true(rsq_queue_fd(q) >= 0);
        p = probe_open(f, f->db, q, "SELECT count(*) FROM items", NULL, 0, __FILE__, __LINE__);
        p->abandoned = true;
        EXPECT_EVENT(p, "0");
        rsq_queue_free(q);
        assert_int_equal(fixture_descriptors(), before);
        rsq_stream_close(p->stream);
    }
}

/* The default queue needs no set-up. */
static void default_queue(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    probe *p;

    start(f);
    p = probe_new(f, rsq_queue_default(f->db), &opts);
    opts.queue = NULL;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT count(*) FROM items", NULL, 0, &opts, &p->stream, &f->err));
    EXPECT_EVENT(p, "0");
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
    probe_close(p);
}

/* Wrong arguments are codes, at the call; no event follows. */
static void bad_arguments(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts, bad;
    rsq_stream_counters c = {.size = sizeof c}, empty = {.size = 0};
    rsq_value v = rsq_integer(1);
    rsq_stream *s = NULL;
    probe *p;

    start(f);
    p = probe_new(f, fixture_queue(f), &opts);
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, NULL, &s, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, NULL, NULL, 0, &opts, &s, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &opts, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT ?", NULL, 1, &opts, &s, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stream_open(NULL, "SELECT 1", NULL, 0, &opts, &s, &f->err));
    v.type = 77;
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT ?", &v, 1, &opts, &s, &f->err));
    bad = opts;
    bad.event = NULL;
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &bad, &s, &f->err));
    bad = opts;
    bad.size = 0;
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &bad, &s, &f->err));
    assert_null(s);
    WANT_CODE(RSQ_EINVAL, rsq_stream_stats(NULL, &c));
    WANT_CODE(RSQ_EINVAL, rsq_stream_stats(f->canary->stream, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_stream_stats(f->canary->stream, &empty));
    WANT_CODE(RSQ_EINVAL, rsq_queue_dispatch(NULL, 0, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_queue_wait(NULL, 0));
    WANT(f, RSQ_EINVAL, rsq_queue_new(NULL, &f->err));
    opts.sql_len = 8;
    WANT(f, RSQ_OK, rsq_stream_open(f->db, "SELECT 12345", NULL, 0, &opts, &p->stream, &f->err));
    EXPECT_EVENT(p, "1");
}

/* Closing drops the event that waits: only the end comes. */
static void close_drops_the_waiting_event(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    p = WATCH(f, "SELECT 1");
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    rsq_stream_close(p->stream);
    EXPECT_END(p);
    assert_int_equal(p->count, 1);
}

/* A callback that closes another stream of the same queue, whose event may be waiting. */
static void close_the_other(probe *p, const probe_event *ev, void *ctx)
{
    probe *other = ctx;

    (void)p;
    if (ev->kind == RSQ_EVENT_RESULT && other->stream)
        rsq_stream_close(other->stream);
}

/* The same when another stream's callback closes, in the middle of a dispatch. */
static void close_from_another_callback(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        probe *a = WATCH(f, "SELECT count(*) FROM items"), *b;

        b = WATCH(f, "SELECT count(*) FROM items");
        probe_await(a, __FILE__, __LINE__);
        probe_await(b, __FILE__, __LINE__);
        a->then = close_the_other;
        a->then_ctx = b;
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        assert_int_equal(probe_await(a, __FILE__, __LINE__)->kind, RSQ_EVENT_RESULT);
        while (!b->ends)
            probe_await(b, __FILE__, __LINE__);
        assert_true(b->results <= 2);
        a->then = NULL;
        probe_close(a);
    }
}

/* What the threads of the next test share; each counts the end events of its own streams. */
typedef struct open_and_close {
    rsq_db *db;
    rsq_queue *shared;
    verdict verdict;
    atomic_size_t ends[4];
} open_and_close;

enum { OPENED_BY_EACH = 30 };

static void count_end(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    (void)s;
    if (ev->kind == RSQ_EVENT_END)
        atomic_fetch_add((atomic_size_t *)ctx, 1);
}

/* Dispatch until so many streams ended; false if one never does. */
static bool dispatch_until(rsq_queue *q, const atomic_size_t *ends, size_t n)
{
    while (atomic_load(ends) < n) {
        if (rsq_queue_wait(q, FIXTURE_DEADLINE_MS) != RSQ_OK || rsq_queue_dispatch(q, 0, NULL) != RSQ_OK)
            return false;
    }
    return true;
}

static void open_and_close_in_crew(size_t index, void *ctx)
{
    open_and_close *oc = ctx;
    rsq_stream_options opts = {.size = sizeof opts, .event = count_end, .ctx = &oc->ends[index]};
    rsq_queue *own = NULL;
    rsq_error err;

    if (index % 2)
        BLAME(&oc->verdict, rsq_queue_new(&own, &err) == RSQ_OK, &err);
    opts.queue = own ? own : oc->shared;
    for (int i = 0; i < OPENED_BY_EACH; i++) {
        rsq_stream *s = NULL;

        BLAME(&oc->verdict,
              rsq_stream_open(oc->db, "SELECT count(*) FROM items", NULL, 0, &opts, &s, &err) == RSQ_OK,
              &err);
        BLAME(&oc->verdict,
              rsq_execute(oc->db, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, &err) ==
                  RSQ_OK,
              &err);
        if (own)
            BLAME(&oc->verdict, rsq_queue_dispatch(own, i % 3 == 0 ? 1 : 0, NULL) == RSQ_OK, NULL);
        rsq_stream_close(s);
    }
    if (own)
        BLAME(&oc->verdict, dispatch_until(own, &oc->ends[index], OPENED_BY_EACH), NULL);
    rsq_queue_free(own);
}

/* Streams that are opened, written under and closed by many threads at once each end
 * once. */
static void open_and_close_from_many_threads(void **state)
{
    fixture *f = *state;
    open_and_close oc;

    start(f);
    oc.db = f->db;
    oc.shared = fixture_queue(f);
    for (size_t i = 0; i < LENGTH(oc.ends); i++)
        atomic_init(&oc.ends[i], 0);
    verdict_init(&oc.verdict);
    crew_run(LENGTH(oc.ends), open_and_close_in_crew, &oc);
    fixture_close(f);
    VERDICT(&oc.verdict);
    for (size_t i = 0; i < LENGTH(oc.ends); i++) {
        assert_true(dispatch_until(f->queue, &oc.ends[i], OPENED_BY_EACH));
        assert_int_equal(atomic_load(&oc.ends[i]), OPENED_BY_EACH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(first_event),
        CASE(insert_gives_an_event),
        CASE(other_table_is_silent),
        CASE(parameters),
        CASE(same_sql_after_close),
        CASE(two_of_the_same_sql),
        CASE(batch_is_one_event),
        CASE(transaction_is_one_event),
        CASE(transaction_that_reads_the_same_sql),
        CASE(update_without_change_is_silent),
        CASE(fifteen_streams),
        CASE(close_gives_one_end_event),
        CASE(rollback_is_silent),
        CASE(counts_never_fall),
        CASE(nothing_then_something),
        CASE(closed_right_after_a_write),
        CASE(batch_of_fifty),
        CASE(sql_that_can_never_work),
        CASE(missing_table),
        CASE(error_and_recovery),
        CASE(renamed_column),
        CASE(new_column_appears),
        CASE(error_in_a_row),
        CASE(error_at_the_first_run),
        CASE(database_close_ends_all),
        CASE(nested_transaction_is_one_event),
        CASE(opened_during_a_batch),
        CASE(written_right_after_opening),
        CASE(commit_during_a_run),
        CASE(view_reads_another_table),
        CASE(same_sql_in_another_schema),
        CASE(schema_change_during_a_run),
        CASE(schema_change_during_a_run_of_a_group),
        CASE(uncommitted_is_never_shown),
        CASE(long_values),
        CASE(change_in_the_middle),
        CASE(type_changes_are_events),
        CASE(parameters_are_copied_and_typed),
        CASE(grow_then_equal),
        CASE(hundred_updates),
        CASE(new_streams_after_load),
        CASE(waves_of_updates),
        CASE(slow_consumer_gets_the_newest),
        CASE(dependency_shapes),
        CASE(full_text_search),
        CASE(kinds_of_writes),
        CASE(trigger_on_another_table),
        CASE(conditional_trigger_in_a_batch),
        CASE(failing_savepoint_then_change),
        CASE(trigger_on_the_same_table),
        CASE(foreign_key_cascade),
        CASE(many_columns),
        CASE(many_tables),
        CASE(select_after_stream_on_one_reader),
        CASE(concurrent_inserts_reach_the_count),
        CASE(queue_descriptor_is_a_level),
        CASE(calls_inside_a_callback),
        CASE(waiter_is_woken),
        CASE(freed_queue_silences_its_streams),
        CASE(freed_queue_lets_its_descriptor_go),
        CASE(default_queue),
        CASE(bad_arguments),
        CASE(close_drops_the_waiting_event),
        CASE(close_from_another_callback),
        CASE(open_and_close_from_many_threads),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
