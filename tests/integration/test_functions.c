/*
 * Live queries with functions whose answer may change without a commit, and functions of the program's own,
 * which are added to every connection: random ones, exact ones, and one that writes to a blob.
 */
#include "fixture.h"

#include <sqlite3.h>

static void give_one(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    (void)n;
    (void)v;
    sqlite3_result_int(ctx, 1);
}

/* poke(table, column, rowid, bytes): sqlite3_blob_write() over what is there. */
static void poke(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    sqlite3 *db = sqlite3_context_db_handle(ctx);
    sqlite3_blob *blob = NULL;
    int rc = sqlite3_blob_open(db, "main", (const char *)sqlite3_value_text(v[0]),
                               (const char *)sqlite3_value_text(v[1]), sqlite3_value_int64(v[2]), 1, &blob);

    (void)n;
    if (rc == SQLITE_OK)
        rc = sqlite3_blob_write(blob, sqlite3_value_blob(v[3]), sqlite3_value_bytes(v[3]), 0);
    sqlite3_blob_close(blob);
    if (rc == SQLITE_OK)
        sqlite3_result_int(ctx, 1);
    else
        sqlite3_result_error_code(ctx, rc);
}

/* ask(x): x, and it asks for the time; said to be exact, which it is not. */
static void ask(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_int(v[0]) && sqlite3_exec(sqlite3_context_db_handle(ctx), "SELECT julianday('now')",
                                                NULL, NULL, NULL) != SQLITE_OK)
        sqlite3_result_error(ctx, "no time", -1);
    else
        sqlite3_result_value(ctx, v[0]);
}

/* Which thread runs a call? */
static pthread_t tester;

static void is_here(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    (void)n;
    (void)v;
    sqlite3_result_int(ctx, pthread_equal(pthread_self(), tester) != 0);
}

static int add_functions(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    int exact = SQLITE_UTF8 | SQLITE_DETERMINISTIC;

    (void)message;
    (void)api;
    sqlite3_create_function(db, "noise", 0, SQLITE_UTF8, NULL, give_one, NULL, NULL);
    sqlite3_create_function(db, "exact", 0, exact, NULL, give_one, NULL, NULL);
    /* Of two forms one is exact. */
    sqlite3_create_function(db, "either", 0, exact, NULL, give_one, NULL, NULL);
    sqlite3_create_function(db, "either", 1, SQLITE_UTF8, NULL, give_one, NULL, NULL);
    sqlite3_create_function(db, "is_here", 0, SQLITE_UTF8, NULL, is_here, NULL, NULL);
    sqlite3_create_function(db, "ask", 1, exact, NULL, ask, NULL, NULL);
    return sqlite3_create_function(db, "poke", 4, SQLITE_UTF8, NULL, poke, NULL, NULL);
}

static int add_to_all(void **state)
{
    (void)state;
    return sqlite3_auto_extension((void (*)(void))add_functions) != SQLITE_OK;
}

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, due, value)");
    EXEC(f, "INSERT INTO items VALUES (1, '2024-05-06', 'abc'), (2, '2025-01-01', 'def')");
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "INSERT INTO other VALUES (0)");
    EXEC(f, "CREATE TABLE fresh(x, at DEFAULT CURRENT_TIMESTAMP, r DEFAULT (random()), "
            "d DEFAULT (date('now')), n DEFAULT 'now')");
    EXEC(f, "CREATE VIEW late AS SELECT id FROM items WHERE due < date()");
    EXEC(f, "CREATE VIEW later AS SELECT * FROM other WHERE x IN (SELECT id FROM late)");
}

static void expect_refused(probe *p, const char *what)
{
    const rsq_error *err = EXPECT_ERROR(p);

    if (err->code != RSQ_EREFUSED || !strstr(err->message, "RSQ_STREAM_VOLATILE"))
        fail_msg("%s: %s", what, err->message);
}

/* Older ones have no timediff() and take "subsec" for a date that means nothing. */
static bool is_known(const char *text)
{
    bool recent = strtol(rsq_sqlite_version() + 2, NULL, 10) >= 43; /* 3.43 */

    return recent || !(strstr(text, "subsec") || strstr(text, "timediff"));
}

static void what_is_refused(void **state)
{
    static const char *const refused[] = {
        "SELECT random()",
        "SELECT hex(randomblob(4))",
        "SELECT changes()",
        "SELECT total_changes()",
        "SELECT last_insert_rowid()",
        "SELECT CURRENT_DATE",
        "SELECT CURRENT_TIME",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT date()",
        "SELECT time()",
        "SELECT datetime()",
        "SELECT julianday()",
        "SELECT unixepoch()",
        "SELECT strftime('%s')",
        "SELECT date('now', 'start of year')",
        "SELECT unixepoch('subsec')",
        "SELECT strftime('%Y', 'NOW')",
        "SELECT timediff('now', '2024-01-01')",
        "SELECT id FROM items WHERE due < datetime('now', '-1 day')",
        "SELECT date('n' || 'ow')",
        "SELECT date(substr(value, 1, 0) || 'now') FROM items",
        "SELECT count(*) FROM late",
        "WITH t(x) AS (SELECT unixepoch()) SELECT x IS NULL FROM t",
        "SELECT id FROM items WHERE due < (SELECT CURRENT_TIMESTAMP)",
        "SELECT id FROM items WHERE EXISTS (SELECT 1 FROM other WHERE x < CURRENT_TIME)",
        "SELECT id FROM items WHERE due IN (SELECT x FROM other UNION SELECT CURRENT_DATE)",
        "SELECT id FROM items ORDER BY due < CURRENT_TIMESTAMP",
        "SELECT count(*) FILTER (WHERE due < CURRENT_DATE) OVER () FROM items",
        "SELECT id FROM items LIMIT (SELECT unixepoch() > 0)",
        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < unixepoch() % 2) SELECT i FROM n",
        "SELECT * FROM later",
        "SELECT random() FROM pragma_table_info('items')",
        "SELECT id FROM items WHERE id = (SELECT max(at) FROM fresh WHERE random() > 0)",
        "SELECT noise()",
        "SELECT id FROM items ORDER BY noise()",
        "SELECT either()",
    };
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(refused); i++) {
        probe *p;

        if (!is_known(refused[i]))
            continue;
        p = WATCH(f, refused[i]);
        expect_refused(p, refused[i]);
        EXPECT_END(p);
    }
}

static void what_is_accepted(void **state)
{
    static const char *const accepted[] = {
        "SELECT date('2024-05-06', '+1 day')",
        "SELECT date(due), strftime('%Y', due), unixepoch(due) FROM items",
        "SELECT julianday(due) - julianday('2024-01-01') FROM items",
        "SELECT timediff(due, '2024-01-01') FROM items",
        "SELECT date(NULL), time('12:00'), datetime(value) FROM items",
        "SELECT 'now', 'random()'",
        "SELECT sqlite_version(), sqlite_source_id()",
        "SELECT sqlite_compileoption_used('THREADSAFE')",
        "SELECT abs(id), lower(value), coalesce(due, 1), count(*) OVER () FROM items",
        "SELECT json_group_array(value), sum(id), group_concat(due) FROM items",
        "SELECT exact() FROM items",
        "SELECT x, at, r, d, n FROM fresh WHERE n <> 'now'",
        "SELECT count(*) FROM fresh WHERE at > '2020' AND date(d) > '2020'",
    };
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(accepted); i++) {
        if (is_known(accepted[i]))
            EXPECT_KIND(WATCH(f, accepted[i]), RSQ_EVENT_RESULT);
    }
}

/* Bound at the same place as a date that is exact. */
static void a_parameter_asks_for_the_time(void **state)
{
    static const char *const queries[] = {"SELECT date(?)", "SELECT strftime('%Y', ?)",
                                          "SELECT unixepoch(?1, ?1)",
                                          "SELECT id FROM items WHERE due < datetime(?)",
                                          "SELECT (SELECT julianday(?) - julianday(due) FROM items)"};
    static const char *const times[] = {"now", "NOW", "subsec"};
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(queries); i++) {
        rsq_value day = rsq_text("2024-02-03");

        EXPECT_KIND(WATCH_WITH(f, queries[i], &day, 1), RSQ_EVENT_RESULT);
        for (size_t j = 0; j < LENGTH(times); j++) {
            rsq_value time = rsq_text(times[j]);
            probe *p;

            if (!is_known(times[j]))
                continue;
            p = WATCH_WITH(f, queries[i], &time, 1);
            expect_refused(p, queries[i]);
            EXPECT_END(p);
        }
    }
}

/* A stream that is open already hears of it, and goes on when the row is another one. */
static void a_row_asks_for_the_time(void **state)
{
    fixture *f = *state;
    probe *p, *late;

    start(f);
    p = WATCH(f, "SELECT date(due) FROM items WHERE id = 1");
    EXPECT_EVENT(p, "'2024-05-06'");
    EXEC(f, "UPDATE items SET due = 'now' WHERE id = 1");
    expect_refused(p, "now");
    late = WATCH(f, "SELECT max(date(due)) FROM items");
    expect_refused(late, "now");
    EXPECT_END(late);
    EXEC(f, "UPDATE items SET due = '2024-07-08' WHERE id = 1");
    EXPECT_EVENT(p, "'2024-07-08'");
    EXEC(f, "UPDATE items SET due = '2024-07-09' WHERE id = 1");
    EXPECT_EVENT(p, "'2024-07-09'");
}

static void moved_to_the_time(void **state)
{
    fixture *f = *state;
    rsq_value day = rsq_text("2024-02-03"), now = rsq_text("now");
    probe *p;

    start(f);
    p = WATCH_WITH(f, "SELECT date(?)", &day, 1);
    p->may_repeat = true;
    EXPECT_EVENT(p, "'2024-02-03'");
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &now, 1, &f->err));
    expect_refused(p, "now");
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &day, 1, &f->err));
    EXPECT_EVENT(p, "'2024-02-03'");
}

/* Two streams of one text read the same tables, and one of them the clock. */
static void only_some_parameters_ask(void **state)
{
    static const char *const text = "SELECT CASE WHEN ?1 THEN date(?2) ELSE due END FROM items WHERE id = 1";
    const rsq_value quiet[] = {rsq_integer(0), rsq_text("now")},
                    day[] = {rsq_integer(1), rsq_text("2024-02-03")},
                    now[] = {rsq_integer(1), rsq_text("now")};
    fixture *f = *state;
    probe *p, *q, *wrong;

    start(f);
    p = WATCH_WITH(f, text, quiet, 2);
    EXPECT_EVENT(p, "'2024-05-06'");
    q = WATCH_WITH(f, text, day, 2);
    EXPECT_EVENT(q, "'2024-02-03'");
    wrong = WATCH_WITH(f, text, now, 2);
    expect_refused(wrong, text);
    EXPECT_END(wrong);
    EXEC(f, "UPDATE items SET due = '2024-07-08' WHERE id = 1");
    EXPECT_EVENT(p, "'2024-07-08'");
}

/* A branch that is not taken asks for nothing, until a row takes it. */
static void a_branch_asks_for_the_time(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT CASE WHEN value = 'abc' THEN 1 ELSE date(value) END FROM items WHERE id = 1");
    EXPECT_EVENT(p, "1");
    EXEC(f, "UPDATE items SET value = '2024-01-02' WHERE id = 1");
    EXPECT_EVENT(p, "'2024-01-02'");
    EXEC(f, "UPDATE items SET value = 'now' WHERE id = 1");
    expect_refused(p, "now");
    EXEC(f, "UPDATE items SET value = 'abc' WHERE id = 1");
    EXPECT_EVENT(p, "1");
}

/* Whatever a stream wants to be told. */
static void in_every_mode(void **state)
{
    static const uint32_t modes[] = {RSQ_STREAM_RESULT, RSQ_STREAM_JSON, RSQ_STREAM_DIFFERENCE,
                                     RSQ_STREAM_SIGNAL};
    fixture *f = *state;

    start(f);
    EXEC(f, "UPDATE items SET due = 'now' WHERE id = 1");
    for (size_t i = 0; i < LENGTH(modes); i++) {
        rsq_stream_options opts;
        probe *p = probe_new(f, fixture_queue(f), &opts);

        opts.mode = modes[i];
        WATCH_SET(f, p, "SELECT id, date(due) FROM items ORDER BY id", &opts);
        expect_refused(p, "a row");
        EXPECT_END(p);
    }
}

/* What one query of a group asks for is not another's, though one thread reads them on one connection. */
static void a_neighbour_asks_for_the_time(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    probe *clock = probe_new(f, fixture_queue(f), &opts), *p;

    start(f);
    clock->may_repeat = true;
    opts.group = 1;
    opts.flags = RSQ_STREAM_VOLATILE;
    WATCH_SET(f, clock, "SELECT date(due), unixepoch() > 0 FROM items WHERE id = 1", &opts);
    p = probe_in_group(f, "SELECT date(due) FROM items WHERE id = 2");
    EXPECT_EVENT(clock, "'2024-05-06'|1");
    EXPECT_EVENT(p, "'2025-01-01'");
    for (int day = 10; day < 20; day++) {
        char sql[80], expected[32];

        snprintf(sql, sizeof sql, "UPDATE items SET due = '2024-11-%d'", day);
        EXEC(f, sql);
        snprintf(expected, sizeof expected, "'2024-11-%d'", day);
        EXPECT_EVENT(p, expected);
    }
}

/* Who writes may ask for the time: what is stored then is a value like any other. */
static void writes_that_ask_for_the_time(void **state)
{
    fixture *f = *state;
    probe *p, *log;

    start(f);
    EXEC(f, "CREATE TABLE log(id INTEGER PRIMARY KEY, at DEFAULT CURRENT_TIMESTAMP, what)");
    EXEC(f, "CREATE TRIGGER noted AFTER UPDATE ON items WHEN new.due < date('now') "
            "BEGIN INSERT INTO log(what) VALUES (new.id); END");
    p = WATCH(f, "SELECT count(*), min(at > '2020') FROM log");
    log = WATCH(f, "SELECT what FROM log");
    EXPECT_EVENT(p, "0|NULL");
    EXPECT_EVENT(log, "");
    EXEC(f, "UPDATE items SET due = '1999-01-01' WHERE id = 1");
    EXPECT_EVENT(p, "1|1");
    EXPECT_EVENT(log, "1");
    EXEC(f, "UPDATE items SET due = '9999-01-01' WHERE id = 1");
    EXEC(f, "INSERT INTO log(what, at) VALUES (5, datetime('now', '+1 day'))");
    EXPECT_EVENT(p, "2|1");
    EXPECT_EVENT(log, "1\n5");
}

/* SQLite itself refuses a clock in a generated column, and a row that makes one of it. */
static void generated_columns(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "CREATE TABLE g(a, b AS (CURRENT_TIMESTAMP))", NULL, 0, NULL, NULL, &f->err));
    EXEC(f, "CREATE TABLE g(a, b AS (date(a)))");
    EXEC(f, "INSERT INTO g(a) VALUES ('2024-01-02 03:04')");
    p = WATCH(f, "SELECT b FROM g");
    EXPECT_EVENT(p, "'2024-01-02'");
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "UPDATE g SET a = 'now'", NULL, 0, NULL, NULL, &f->err));
    EXEC(f, "UPDATE g SET a = '2024-02-03'");
    EXPECT_EVENT(p, "'2024-02-03'");
}

/* A function of the program's own may say what it likes of itself: that the time was asked for is seen. */
static void a_function_asks_for_the_time(void **state)
{
    fixture *f = *state;
    rsq_value no = rsq_integer(0), yes = rsq_integer(1);
    probe *p;

    start(f);
    EXPECT_EVENT(WATCH_WITH(f, "SELECT ask(?)", &no, 1), "0");
    p = WATCH_WITH(f, "SELECT ask(?)", &yes, 1);
    expect_refused(p, "ask()");
    EXPECT_END(p);
}

/* Whoever says so may. */
static void volatile_ones_are_run(void **state)
{
    static const char *const queries[] = {"SELECT date()", "SELECT noise()", "SELECT unixepoch('now')"};
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(queries); i++) {
        rsq_stream_options opts;
        probe *p = probe_new(f, fixture_queue(f), &opts);

        opts.flags = RSQ_STREAM_VOLATILE;
        WATCH_SET(f, p, queries[i], &opts);
        EXPECT_KIND(p, RSQ_EVENT_RESULT);
    }
}

static rsq_code write_and_read(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r = NULL;
    rsq_code code =
        rsq_tx_execute(tx, "INSERT INTO log VALUES ('transaction', is_here())", NULL, 0, NULL, NULL, &f->err);

    if (code == RSQ_OK)
        code = rsq_tx_select(tx, "SELECT is_here()", NULL, 0, NULL, &r, &f->err);
    if (code == RSQ_OK && rsq_result_int64(r, 0, 0) != 1)
        code = RSQ_EPENDING;
    rsq_result_unref(r);
    return code;
}

/* A blocking call hands nothing to another thread: it runs where it is called, an asynchronous one elsewhere.
 */
static void blocking_calls_stay_where_they_are(void **state)
{
    const rsq_value names[] = {rsq_text("batch"), rsq_text("batch")};
    const rsq_query several[] = {{.sql = "INSERT INTO log VALUES ('all', is_here())"}};
    rsq_cursor *cursor = NULL;
    fixture *f = *state;
    rsq_result *r = NULL;
    rsq_op *op = NULL;
    rsq_tx *tx = NULL;

    tester = pthread_self();
    start(f);
    EXEC(f, "CREATE TABLE log(what, here)");
    assert_int_equal(INTEGER(f, "SELECT is_here()"), 1);
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT is_here() AS a", NULL, 0, NULL, &r, &f->err));
    assert_string_equal(rsq_result_json(r, NULL), "[{\"a\":1}]");
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, "SELECT is_here()", NULL, 0, NULL, &cursor, &f->err));
    WANT(f, RSQ_OK, rsq_cursor_next(cursor, &r, &f->err));
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
    rsq_cursor_close(cursor);
    EXEC(f, "INSERT INTO log VALUES ('one', is_here())");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO log VALUES (?, is_here())", names, 2, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_execute_all(f->db, several, LENGTH(several), NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_execute_script(f->db, "INSERT INTO log VALUES ('script', is_here())", NULL, &f->err));
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_and_read, f, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    WANT(f, RSQ_OK, write_and_read(tx, f));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT count(*), sum(here) FROM log", "7|7");
    WANT_CODE(RSQ_OK,
              rsq_execute_async(f->db, "INSERT INTO log VALUES ('async', is_here())", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_op_status(op));
    rsq_op_free(op);
    EXPECT_ROWS(f, "SELECT here FROM log WHERE what = 'async'", "0");
}

/* blob-write: a change of the table, whatever row it was. */
static void a_blob_is_written(void **state)
{
    fixture *f = *state;
    probe *one, *two, *count, *other;

    start(f);
    one = WATCH(f, "SELECT value FROM items WHERE id = 1");
    two = WATCH(f, "SELECT value FROM items WHERE id = 2");
    count = WATCH(f, "SELECT count(*) FROM items");
    other = WATCH(f, "SELECT count(*) FROM other");
    EXPECT_EVENT(one, "'abc'");
    EXPECT_EVENT(two, "'def'");
    EXPECT_EVENT(count, "2");
    EXPECT_EVENT(other, "1");
    EXEC(f, "UPDATE other SET x = poke('items', 'value', 1, 'xyz')");
    assert_int_equal(probe_stats(one).woken, 1);
    assert_int_equal(probe_stats(two).woken, 1);
    assert_int_equal(probe_stats(count).woken, 1);
    assert_int_equal(probe_stats(other).woken, 0);
    EXPECT_EVENT(one, "'xyz'");
    assert_int_equal(one->events[1].why, RSQ_WHY_TABLE);
    assert_string_equal(one->events[1].tables, "main.items");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_refused),
        CASE(what_is_accepted),
        CASE(a_parameter_asks_for_the_time),
        CASE(a_row_asks_for_the_time),
        CASE(moved_to_the_time),
        CASE(only_some_parameters_ask),
        CASE(a_branch_asks_for_the_time),
        CASE(in_every_mode),
        CASE(a_neighbour_asks_for_the_time),
        CASE(writes_that_ask_for_the_time),
        CASE(generated_columns),
        CASE(a_function_asks_for_the_time),
        CASE(volatile_ones_are_run),
        CASE(blocking_calls_stay_where_they_are),
        CASE(a_blob_is_written),
    };

    return cmocka_run_group_tests_name("functions", tests, add_to_all, NULL);
}
