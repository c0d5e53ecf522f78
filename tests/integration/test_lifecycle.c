/*
 * Opening and closing: §1 of the reference's behaviours (L01 to L09).
 *
 * Closing is where a runtime with threads shows whether it knows who owns what. Each test here makes one
 * thing run or wait, proves that it does, and closes the database under it. "Runs" and "waits" are proven
 * without time: a call with a deadline of 1 ms that gets RSQ_ETIMEOUT shows that the connection is held, one
 * that gets RSQ_ECLOSED shows that closing has begun.
 */
#include "fixture.h"

#include <sched.h>
#include <stdatomic.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"

static const rsq_call_options AT_ONCE = {.size = sizeof AT_ONCE, .timeout_ms = 1};

/* Ask until the answer is `code`; each question waits at most 1 ms for a connection. */
static bool await_code(rsq_db *db, rsq_code code, const atomic_bool *give_up)
{
    rsq_code rc;

    do {
        rsq_result *r = NULL;

        rc = rsq_select(db, "SELECT 1", NULL, 0, &AT_ONCE, &r, NULL);
        if (rc == RSQ_OK) {
            rsq_result_unref(r);
            sched_yield();
        }
    } while (rc != code && !(give_up && atomic_load(give_up)));
    return rc == code;
}

static void event_ignored(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    (void)s;
    (void)ev;
    (void)ctx;
}

static rsq_code body_unreachable(rsq_tx *tx, void *ctx)
{
    (void)tx;
    *(bool *)ctx = true;
    return RSQ_OK;
}

/* L02: after rsq_close() every call says so by its code, at once, with a message, and calls nobody's
 * function. */
static void expect_closed(fixture *f, rsq_db *db)
{
    const rsq_value one = rsq_integer(1);
    rsq_stream_options opts = {.size = sizeof opts, .event = event_ignored};
    rsq_result *r = NULL;
    rsq_stream *s = NULL;
    bool called = false;

    WANT(f, RSQ_ECLOSED, rsq_select(db, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_select_json(db, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_execute(db, "CREATE TABLE late(x)", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_execute(db, "CREATE TABLE late(x)", NULL, 0, NULL, NULL, NULL));
    WANT(f, RSQ_ECLOSED, rsq_execute_batch(db, "SELECT ?", &one, 1, 1, NULL, &r, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_transaction(db, body_unreachable, &called, NULL, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_stream_open(db, "SELECT 1", NULL, 0, &opts, &s, &f->err));
    assert_null(rsq_queue_default(db));
    assert_false(called);
    assert_null(r);
    assert_null(s);
    WANT_CODE(RSQ_OK, rsq_close(db));
}

/* L01: opening and closing leaves nothing behind in the process, and a second close is a no-op. The fixture
 * counts descriptors and threads. */
static void open_close_five_times(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        char name[32];
        char *path;
        rsq_db *db;
        rsq_result *r = NULL;

        snprintf(name, sizeof name, "new%d.db", i);
        path = fixture_file(f, name);
        db = fixture_open_path(f, path, NULL);
        free(path);
        WANT_CODE(RSQ_OK, rsq_close(db));
        WANT_CODE(RSQ_OK, rsq_close(db));
        WANT(f, RSQ_ECLOSED, rsq_select(db, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    }
}

/* L02: the use of a closed database is an error code and not a crash, because the last user often learns
 * late. */
static void calls_after_close_are_refused(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open(f, NULL);

    EXEC(f, SCHEMA);
    fixture_close(f);
    expect_closed(f, db);
}

/* L02: the same for a database that was used by nothing but rsq_open(), and for one in memory. */
static void calls_after_close_are_refused_in_memory(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open_path(f, ":memory:", NULL);

    WANT_CODE(RSQ_OK, rsq_close(db));
    expect_closed(f, db);
    db = fixture_open_path(f, "", NULL);
    WANT_CODE(RSQ_OK, rsq_close(db));
    expect_closed(f, db);
    WANT_CODE(RSQ_OK, rsq_close(NULL));
}

/* A closed handle says so until 1,024 further databases were closed: a promise of the header. */
static void closed_handle_answers_for_long(void **state)
{
    fixture *f = *state;
    rsq_db *first = fixture_open_path(f, ":memory:", NULL);
    const int further = FIXTURE_UNDER_TSAN ? 100 : 1000;
    rsq_result *r = NULL;

    WANT_CODE(RSQ_OK, rsq_close(first));
    for (int i = 0; i < further; i++) {
        rsq_db *db = fixture_open_path(f, ":memory:", NULL);
        WANT_CODE(RSQ_OK, rsq_close(db));
    }
    WANT(f, RSQ_ECLOSED, rsq_select(first, "SELECT 1", NULL, 0, NULL, &r, &f->err));
}

static void close_in_crew(size_t index, void *ctx)
{
    (void)index;
    rsq_close(ctx);
}

/* L03: whoever closes waits until it is done, also if another thread was first; nobody hangs, nothing is
 * freed twice. */
static void close_from_three_threads(void **state)
{
    fixture *f = *state;
    const int rounds = 20;

    for (int i = 0; i < rounds; i++) {
        rsq_db *db = fixture_open(f, NULL);

        f->db = db;
        EXEC(f, "CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY)");
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
        crew_run(3, close_in_crew, db);
        f->db = NULL;
        WANT(f, RSQ_ECLOSED, rsq_execute(db, "DELETE FROM items", NULL, 0, NULL, NULL, &f->err));
    }
}

/* L04: closing while nothing has been used yet, so that whatever opens late or starts late meets the end. */
static void close_at_once(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 50; i++) {
        rsq_db *db = fixture_open(f, NULL);

        fixture_close(f);
        WANT(f, RSQ_ECLOSED, rsq_execute(db, SCHEMA, NULL, 0, NULL, NULL, &f->err));
    }
}

typedef struct long_select {
    rsq_db *db;
    rsq_result *result;
    rsq_code code;
    rsq_error err;
    atomic_bool done;
} long_select;

static void run_long_select(void *ctx)
{
    long_select *s = ctx;

    s->code = rsq_select(s->db,
                         "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x < 300000) "
                         "SELECT items.* FROM items WHERE (SELECT count(*) FROM c) = 300000 ORDER BY id",
                         NULL, 0, NULL, &s->result, &s->err);
    atomic_store(&s->done, true);
}

static void insert_items(fixture *f, size_t n)
{
    rsq_value *rows = calloc(n, sizeof *rows);

    assert_non_null(rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = rsq_text("some item");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", rows, n, 1, NULL, NULL, &f->err));
    free(rows);
}

/* L05: a read that runs when the database is closed is finished and whole. With one reader, a second read
 * that cannot get it shows that the first one runs. */
static void close_waits_for_running_select(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    long_select s = {.code = RSQ_EINVAL};
    thread t;

    s.db = fixture_open(f, &opts);
    EXEC(f, SCHEMA);
    insert_items(f, 5000);
    EXPECT_ROWS(f, "SELECT 1", "1");
    thread_start(&t, run_long_select, &s);
    await_code(s.db, RSQ_ETIMEOUT, &s.done);
    fixture_close(f);
    THREAD_JOIN(&t);
    WANT(f, RSQ_OK, s.code);
    assert_int_equal(rsq_result_rows(s.result), 5000);
    assert_string_equal(rsq_result_text(s.result, 4999, 1, NULL), "some item");
    rsq_result_unref(s.result);
}

static void close_in_thread(void *ctx)
{
    rsq_close(ctx);
}

/* L06: a transaction whose function is parked when the database is closed goes on, commits, and only then is
 * the database closed; what it wrote is in the file. */
static void close_waits_for_parked_transaction(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open(f, NULL);
    thread closer;
    parked *p;

    EXEC(f, SCHEMA);
    p = fixture_park(f, db);
    thread_start(&closer, close_in_thread, db);
    assert_true(await_code(db, RSQ_ECLOSED, NULL));
    assert_false(gate_is_open(&closer.done));
    parked_go(p);
    parked_join(p);
    THREAD_JOIN(&closer);
    f->db = NULL;
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'first'\n'second'");
}

/* A call that waits for its turn while the connection is held. */
typedef struct waiter {
    rsq_db *db;
    bool reads;
    thread thread;
    rsq_code code;
    rsq_error err;
} waiter;

static void run_waiter(void *ctx)
{
    waiter *w = ctx;
    rsq_result *r = NULL;

    if (w->reads)
        w->code = rsq_select(w->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &w->err);
    else
        w->code = rsq_execute(w->db, "INSERT INTO items(name) VALUES ('late')", NULL, 0, NULL, &r, &w->err);
    rsq_result_unref(r);
}

/* Waiters behind a parked transaction are answered while it is still parked, and nothing of theirs is done.
 */
static void close_with_waiters(fixture *f, rsq_db *db, bool reads)
{
    waiter waiters[3];
    thread closer;
    parked *p = fixture_park(f, db);

    for (size_t i = 0; i < LENGTH(waiters); i++) {
        memset(&waiters[i], 0, sizeof waiters[i]);
        waiters[i].db = db;
        waiters[i].reads = reads;
        thread_start(&waiters[i].thread, run_waiter, &waiters[i]);
    }
    thread_start(&closer, close_in_thread, db);
    for (size_t i = 0; i < LENGTH(waiters); i++) {
        THREAD_JOIN(&waiters[i].thread);
        fixture_want(RSQ_ECLOSED, waiters[i].code, &waiters[i].err, "a waiter", __FILE__, __LINE__);
    }
    parked_go(p);
    parked_join(p);
    THREAD_JOIN(&closer);
    f->db = NULL;
}

/* L07: writers that wait when the database is closed are refused, and not a row of them is written. */
static void close_refuses_waiting_writers(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open(f, NULL);

    EXEC(f, SCHEMA);
    close_with_waiters(f, db, false);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'first'\n'second'");
}

/* L07: the same for readers; a database in memory has one connection, so a parked transaction makes them
 * wait. */
static void close_refuses_waiting_readers(void **state)
{
    fixture *f = *state;

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, SCHEMA);
    close_with_waiters(f, f->db, true);
}

typedef struct two_databases {
    rsq_db *db[2];
    verdict verdict;
} two_databases;

typedef struct ten_inserts {
    char letter;
    verdict *verdict;
} ten_inserts;

static rsq_code insert_ten(rsq_tx *tx, void *ctx)
{
    ten_inserts *in = ctx;
    rsq_error err;

    for (int i = 0; i < 10; i++) {
        char name[16];
        rsq_value v;
        rsq_code rc;

        snprintf(name, sizeof name, "%c_%d", in->letter, i);
        v = rsq_text(name);
        rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, NULL, &err);
        BLAME(in->verdict, rc == RSQ_OK, &err);
        if (rc != RSQ_OK)
            return rc;
    }
    return RSQ_OK;
}

static void insert_into_one(size_t index, void *ctx)
{
    two_databases *two = ctx;
    ten_inserts in = {index == 0 ? 'A' : 'B', &two->verdict};
    rsq_error err;

    BLAME(&two->verdict, rsq_transaction(two->db[index], insert_ten, &in, NULL, &err) == RSQ_OK, &err);
}

/* L08: two databases in one process know nothing of each other: no lock, no transaction context is shared. */
static void two_databases_do_not_mix(void **state)
{
    fixture *f = *state;
    char *other = fixture_file(f, "other.db");
    two_databases two;

    two.db[0] = fixture_open(f, NULL);
    two.db[1] = fixture_open_path(f, other, NULL);
    verdict_init(&two.verdict);
    EXEC(f, SCHEMA);
    fixture_exec(f, two.db[1], SCHEMA, __FILE__, __LINE__);
    crew_run(2, insert_into_one, &two);
    VERDICT(&two.verdict);
    EXPECT_ROWS(f, "SELECT group_concat(name) FROM (SELECT name FROM items ORDER BY id)",
                "'A_0,A_1,A_2,A_3,A_4,A_5,A_6,A_7,A_8,A_9'");
    EXPECT_ROWS_IN(f, two.db[1], "SELECT group_concat(name) FROM (SELECT name FROM items ORDER BY id)",
                   "'B_0,B_1,B_2,B_3,B_4,B_5,B_6,B_7,B_8,B_9'");
    WANT_CODE(RSQ_OK, rsq_close(two.db[1]));
    free(other);
}

/* L09: each live query gets its one end event, on the default queue inside rsq_close(), on another queue as
 * an event that waits there; closing such a stream afterwards is still legal. */
static void close_ends_streams(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open(f, NULL);
    probe *mine[2], *by_default_queue;

    EXEC(f, SCHEMA);
    mine[0] = WATCH(f, "SELECT count(*) FROM items");
    mine[1] = WATCH(f, "SELECT name FROM items");
    by_default_queue = probe_open(f, db, rsq_queue_default(db), "SELECT 42", NULL, 0, __FILE__, __LINE__);
    EXPECT_EVENT(mine[0], "0");
    EXPECT_EVENT(mine[1], "");
    EXPECT_EVENT(by_default_queue, "42");
    fixture_close(f);
    EXPECT_END(by_default_queue);
    assert_int_equal(mine[0]->ends, 0);
    rsq_stream_close(mine[0]->stream);
    EXPECT_END(mine[0]);
    EXPECT_END(mine[1]);
}

/* L09: also for a stream whose first answer has not come yet, and for one that nobody ever dispatched. */
static void close_ends_streams_that_just_opened(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 20; i++) {
        probe *p;

        fixture_open(f, NULL);
        p = WATCH(f, "SELECT 1");
        fixture_close(f);
        while (!p->ends)
            probe_await(p, __FILE__, __LINE__);
    }
}

/* The events of a stream that is closed with the database by its own callback. */
static void close_database_in_callback(probe *p, const probe_event *ev, void *ctx)
{
    if (ev->kind == RSQ_EVENT_RESULT && rsq_close(ctx) != RSQ_OK)
        snprintf(p->blame, sizeof p->blame, "closing inside the callback failed");
}

/* Closing inside a callback is legal: an event loop has no other place to do it. */
static void close_inside_a_callback(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    probe *p;

    for (int by_default = 0; by_default < 2; by_default++) {
        rsq_db *db = fixture_open(f, NULL);

        p = probe_new(f, by_default ? rsq_queue_default(db) : fixture_queue(f), &opts);
        p->then = close_database_in_callback;
        p->then_ctx = db;
        WANT(f, RSQ_OK, rsq_stream_open(db, "SELECT 'x'", NULL, 0, &opts, &p->stream, &f->err));
        EXPECT_EVENT(p, "'x'");
        EXPECT_END(p);
        assert_int_equal(p->results, 1);
        f->db = NULL;
        expect_closed(f, db);
    }
}

static rsq_code close_in_body(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('kept')", NULL, 0, NULL, NULL, &f->err);

    if (rc == RSQ_OK && rsq_close(f->db) != RSQ_EMISUSE)
        return RSQ_EINVAL;
    return rc;
}

/* Closing inside a transaction's own function could never end; it is refused and changes nothing. */
static void close_inside_a_transaction_is_misuse(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    WANT(f, RSQ_OK, rsq_transaction(f->db, close_in_body, f, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'kept'");
    EXEC(f, "INSERT INTO items(name) VALUES ('and goes on')");
}

/* A result is independent of the database it came from: it can be read after the close. */
static void results_outlive_the_database(void **state)
{
    fixture *f = *state;
    rsq_result *rows = NULL, *json = NULL;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    insert_items(f, 100);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &rows, &f->err));
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT 1 AS one", NULL, 0, NULL, &json, &f->err));
    fixture_close(f);
    assert_int_equal(rsq_result_rows(rows), 100);
    assert_string_equal(rsq_result_text(rows, 99, 1, NULL), "some item");
    assert_string_equal(rsq_result_column_name(rows, 1), "name");
    assert_string_equal(rsq_result_json(json, NULL), "[{\"one\":1}]");
    rsq_result_unref(rows);
    rsq_result_unref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(open_close_five_times),
        CASE(calls_after_close_are_refused),
        CASE(calls_after_close_are_refused_in_memory),
        CASE(closed_handle_answers_for_long),
        CASE(close_from_three_threads),
        CASE(close_at_once),
        CASE(close_waits_for_running_select),
        CASE(close_waits_for_parked_transaction),
        CASE(close_refuses_waiting_writers),
        CASE(close_refuses_waiting_readers),
        CASE(two_databases_do_not_mix),
        CASE(close_ends_streams),
        CASE(close_ends_streams_that_just_opened),
        CASE(close_inside_a_callback),
        CASE(close_inside_a_transaction_is_misuse),
        CASE(results_outlive_the_database),
    };

    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
