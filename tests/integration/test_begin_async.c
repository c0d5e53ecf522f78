/*
 * Interactive transactions for threads that must not block: rsq_begin_async(), the asynchronous calls on a
 * transaction, and rsq_commit_async() and rsq_rollback_async().
 *
 * That a begin waits is certain while a transaction of another thread holds the writer (fixture_park()); that
 * the writer is free again is seen without time: another write waits for it, with no deadline, and is served.
 */
#include "async_fixture.h"

#define DEFERRED "CREATE TABLE child(item REFERENCES items(id) DEFERRABLE INITIALLY DEFERRED)"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)");
    EXEC(f, DEFERRED);
}

static rsq_op *begin(fixture *f, const rsq_op_options *opts)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_begin_async(f->db, opts, &op));
    return op_kept(op);
}

static rsq_tx *taken(rsq_op *op)
{
    rsq_tx *tx;

    EXPECT_OP(op, RSQ_OK);
    tx = rsq_op_take_tx(op);
    assert_non_null(tx);
    assert_null(rsq_op_take_tx(op));
    op_freed(op);
    return tx;
}

static rsq_op *insert(rsq_tx *tx, const char *name)
{
    rsq_value v = rsq_text(name);
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_tx_execute_async(tx, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, &op));
    return op_kept(op);
}

static rsq_op *query(rsq_tx *tx, const char *sql)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_tx_select_async(tx, sql, NULL, 0, NULL, &op));
    return op_kept(op);
}

static rsq_op *commit(rsq_tx *tx)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_commit_async(tx, NULL, &op));
    return op_kept(op);
}

static void expect(rsq_op *op, rsq_code code)
{
    EXPECT_OP(op, code);
    op_freed(op);
}

static void expect_integer(rsq_op *op, int64_t wanted)
{
    rsq_result *r;

    EXPECT_OP(op, RSQ_OK);
    r = rsq_op_take_result(op);
    assert_int_equal(rsq_result_int64(r, 0, 0), wanted);
    rsq_result_unref(r);
    op_freed(op);
}

/* Some writer waits for its turn, and gets it. */
static void expect_free(fixture *f)
{
    EXEC(f, "INSERT INTO items(name) VALUES ('free')");
}

/* --- the whole way --- */

/* A blocking commit takes all calls that were asked for before it, or is refused. */
static void commit_overtakes_nobody(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 1; i <= 100; i++) {
        rsq_tx *tx = taken(begin(f, NULL));
        rsq_op *ops[3];
        rsq_code code;

        for (size_t j = 0; j < LENGTH(ops); j++)
            ops[j] = insert(tx, "x");
        code = rsq_commit(tx, NULL);
        assert_true(code == RSQ_OK || code == RSQ_EMISUSE);
        for (size_t j = 0; j < LENGTH(ops); j++)
            expect(ops[j], RSQ_OK);
        if (code != RSQ_OK)
            expect(commit(tx), RSQ_OK);
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 3 * i);
    }
}

/* All calls are submitted at once: they run in that order, and what came in line behind it runs after it. */
static void in_order(void **state)
{
    fixture *f = *state;
    rsq_value names[] = {rsq_text("c"), rsq_text("d")};
    rsq_op *write = NULL, *batch = NULL, *json = NULL, *a, *n, *b, *m, *end;
    rsq_result *r;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    WANT_CODE(RSQ_OK, rsq_execute_async(f->db, "INSERT INTO items(name) SELECT count(*) FROM items", NULL, 0,
                                        NULL, &write));
    op_kept(write);
    a = insert(tx, "a");
    n = query(tx, "SELECT count(*) FROM items");
    b = insert(tx, "b");
    WANT_CODE(RSQ_OK, rsq_tx_execute_batch_async(tx, "INSERT INTO items(name) VALUES (?)", names, 2, 1, NULL,
                                                 &batch));
    op_kept(batch);
    m = query(tx, "SELECT count(*) FROM items");
    WANT_CODE(RSQ_OK, rsq_tx_select_json_async(tx, "SELECT max(id) AS n FROM items", NULL, 0, NULL, &json));
    op_kept(json);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 0);
    end = commit(tx);
    expect(a, RSQ_OK);
    expect_integer(n, 1);
    expect(b, RSQ_OK);
    EXPECT_OP(batch, RSQ_OK);
    r = rsq_op_take_result(batch);
    assert_int_equal(rsq_result_changes(r), 2);
    rsq_result_unref(r);
    op_freed(batch);
    expect_integer(m, 4);
    EXPECT_OP(json, RSQ_OK);
    r = rsq_op_take_result(json);
    assert_string_equal(rsq_result_json(r, NULL), "[{\"n\":4}]");
    rsq_result_unref(r);
    op_freed(json);
    expect(end, RSQ_OK);
    expect(write, RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'a'\n'b'\n'c'\n'd'\n'4'");
}

typedef rsq_code (*step_call)(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);

static rsq_op *step(rsq_tx *tx, step_call call)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, call(tx, NULL, &op));
    return op_kept(op);
}

static rsq_op *script(rsq_tx *tx, const char *sql)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_tx_execute_script_async(tx, sql, NULL, &op));
    return op_kept(op);
}

/* One savepoint is undone, one is kept, and one too many is refused. */
static void savepoints(void **state)
{
    fixture *f = *state;
    rsq_op *ops[8];
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    ops[0] = insert(tx, "a");
    ops[1] = step(tx, rsq_tx_savepoint_async);
    ops[2] = insert(tx, "undone");
    ops[3] = step(tx, rsq_tx_savepoint_async);
    ops[4] = step(tx, rsq_tx_release_async);
    ops[5] = step(tx, rsq_tx_rollback_to_async);
    ops[6] = step(tx, rsq_tx_savepoint_async);
    ops[7] = script(tx, "INSERT INTO items(name) VALUES ('b'); INSERT INTO items(name) VALUES ('c')");
    for (size_t i = 0; i < LENGTH(ops); i++)
        expect(ops[i], RSQ_OK);
    expect(step(tx, rsq_tx_release_async), RSQ_OK);
    expect(step(tx, rsq_tx_release_async), RSQ_EMISUSE);
    expect(step(tx, rsq_tx_rollback_to_async), RSQ_EMISUSE);
    expect(commit(tx), RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'a'\n'b'\n'c'");
}

static void named_values(void **state)
{
    fixture *f = *state;
    rsq_named name = {.name = "name", .value = rsq_text("n")};
    rsq_op *write = NULL, *read = NULL;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    WANT_CODE(RSQ_OK, rsq_tx_execute_async_named(tx, "INSERT INTO items(name) VALUES (:name)", &name, 1, NULL,
                                                 &write));
    WANT_CODE(RSQ_OK, rsq_tx_select_async_named(tx, "SELECT count(*) FROM items WHERE name = :name", &name, 1,
                                                NULL, &read));
    expect(op_kept(write), RSQ_OK);
    expect_integer(op_kept(read), 1);
    expect(commit(tx), RSQ_OK);
}

/* Several statements: a result for each; or the failure of one, which is named, and none of them. */
static void several(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text("x");
    rsq_query good[] = {{.sql = "INSERT INTO items(name) VALUES (?)", .params = &v, .nparams = 1},
                        {.sql = "UPDATE items SET name = name || name"}};
    rsq_query bad[] = {{.sql = "DELETE FROM items"},
                       {.sql = "INSERT INTO items(id) VALUES (1)"},
                       {.sql = "INSERT INTO items(id) VALUES (1)"}};
    rsq_op *all = NULL, *failing = NULL;
    rsq_result *r;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    WANT_CODE(RSQ_OK, rsq_tx_execute_all_async(tx, good, LENGTH(good), NULL, &all));
    WANT_CODE(RSQ_OK, rsq_tx_execute_all_async(tx, bad, LENGTH(bad), NULL, &failing));
    EXPECT_OP(op_kept(all), RSQ_OK);
    for (size_t i = 0; i < LENGTH(good); i++) {
        r = rsq_op_take_result(all);
        assert_int_equal(rsq_result_changes(r), 1);
        rsq_result_unref(r);
    }
    assert_null(rsq_op_take_result(all));
    op_freed(all);
    EXPECT_OP(op_kept(failing), RSQ_ESQL);
    assert_int_equal(rsq_op_error(failing)->row, 2);
    assert_null(rsq_op_take_result(failing));
    op_freed(failing);
    expect(commit(tx), RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items", "'xx'");
}

static void rolled_back(void **state)
{
    fixture *f = *state;
    rsq_op *a, *end = NULL;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    a = insert(tx, "a");
    WANT_CODE(RSQ_OK, rsq_rollback_async(tx, NULL, &end));
    expect(a, RSQ_OK);
    expect(op_kept(end), RSQ_OK);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 0);
    expect_free(f);
}

/* The calls of both kinds are for transactions of both kinds. */
static void beside_blocking_calls(void **state)
{
    fixture *f = *state;
    rsq_tx *tx = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    expect(insert(tx, "a"), RSQ_OK);
    WANT(f, RSQ_OK, rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('b')", NULL, 0, NULL, NULL, &f->err));
    expect(commit(tx), RSQ_OK);
    tx = taken(begin(f, NULL));
    WANT(f, RSQ_OK, rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('c')", NULL, 0, NULL, NULL, &f->err));
    expect_integer(query(tx, "SELECT count(*) FROM items"), 3);
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 3);
}

typedef struct chain {
    fixture *f;
    rsq_tx *tx;
    int step;
} chain;

static void next_step(rsq_op *op, void *ctx)
{
    chain *c = ctx;
    rsq_op_options opts = {.size = sizeof opts, .done = next_step, .ctx = c};

    WANT_CODE(RSQ_OK, rsq_op_status(op));
    switch (c->step++) {
    case 0:
        c->tx = rsq_op_take_tx(op);
        assert_non_null(c->tx);
        WANT_CODE(RSQ_OK,
                  rsq_tx_execute_async(c->tx, "INSERT INTO items(name) VALUES ('x')", NULL, 0, &opts, NULL));
        break;
    case 1:
        WANT_CODE(RSQ_OK, rsq_commit_async(c->tx, &opts, NULL));
        break;
    default:
        break;
    }
}

/* A loop's thread goes all the way by callbacks, without an op to hold. */
static void by_callbacks(void **state)
{
    fixture *f = *state;
    chain c = {.f = f};
    rsq_op_options opts = {.size = sizeof opts, .done = next_step, .ctx = &c};
    rsq_queue *q;

    start(f);
    q = rsq_queue_default(f->db);
    WANT_CODE(RSQ_OK, rsq_begin_async(f->db, &opts, NULL));
    while (c.step < 3) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(q, UINT32_MAX));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, NULL));
    }
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 1);
}

/* In memory there is one connection for everything. */
static void in_memory(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)");
    tx = taken(begin(f, NULL));
    expect(insert(tx, "a"), RSQ_OK);
    expect_integer(query(tx, "SELECT count(*) FROM items"), 1);
    expect(commit(tx), RSQ_OK);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 1);
}

/* --- ends --- */

/* A begin in line is cancelled, or its time is over: at once, and without a trace. */
static void ends_in_line(void **state)
{
    fixture *f = *state;
    rsq_op_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_op *a, *b;
    parked *p;

    start(f);
    p = fixture_park(f, f->db);
    a = begin(f, NULL);
    b = begin(f, &soon);
    rsq_op_cancel(a);
    EXPECT_OP(a, RSQ_ECANCELLED);
    assert_null(rsq_op_take_tx(a));
    op_freed(a);
    expect(b, RSQ_ETIMEOUT);
    parked_go(p);
    parked_join(p);
    expect_free(f);
}

/* Freed while it waits, or after it was begun: nobody can take it, and it keeps the writer from nobody. */
static void not_taken(void **state)
{
    fixture *f = *state;
    rsq_op *op = NULL;
    parked *p;

    start(f);
    p = fixture_park(f, f->db);
    WANT_CODE(RSQ_OK, rsq_begin_async(f->db, NULL, &op));
    rsq_op_free(op);
    parked_go(p);
    parked_join(p);
    expect_free(f);
    op = begin(f, NULL);
    EXPECT_OP(op, RSQ_OK);
    op_freed(op);
    expect_free(f);
}

static void left_idle(void **state)
{
    fixture *f = *state;
    rsq_op_options brief = {.size = sizeof brief, .idle_timeout_ms = 1};
    rsq_op *op = NULL;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, &brief));
    expect_free(f);
    WANT_CODE(RSQ_ETIMEOUT, rsq_tx_execute_async(tx, "DELETE FROM items", NULL, 0, NULL, &op));
    WANT(f, RSQ_ETIMEOUT, rsq_commit(tx, &f->err));
    WANT_CODE(RSQ_EMISUSE, rsq_commit_async(tx, NULL, &op));
}

/* What is in line behind a commit finds the handle given up. */
static void after_the_end(void **state)
{
    fixture *f = *state;
    rsq_op *end, *late = NULL, *op = NULL;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    /* So that all three are in line before the first one runs. */
    op = query(tx, COUNT_TO("200000"));
    end = commit(tx);
    if (rsq_tx_execute_async(tx, "INSERT INTO items(name) VALUES ('late')", NULL, 0, NULL, &late) == RSQ_OK)
        expect(op_kept(late), RSQ_EMISUSE);
    expect(op, RSQ_OK);
    expect(end, RSQ_OK);
    WANT_CODE(RSQ_EMISUSE, rsq_tx_select_async(tx, "SELECT 1", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EMISUSE, rsq_rollback_async(tx, NULL, &op));
    WANT(f, RSQ_EMISUSE, rsq_commit(tx, &f->err));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 0);
    expect_free(f);
}

static void failed_commit(void **state)
{
    fixture *f = *state;
    rsq_op *end, *op = NULL;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    WANT_CODE(RSQ_OK, rsq_tx_execute_async(tx, "INSERT INTO child VALUES (77)", NULL, 0, NULL, &op));
    end = commit(tx);
    expect(op_kept(op), RSQ_OK);
    EXPECT_OP(end, RSQ_ESQL);
    assert_memory_equal(rsq_op_error(end)->message, "commit:", 7);
    op_freed(end);
    expect_free(f);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM child"), 0);
}

/* Of calls that wait one is taken out, a read that runs is interrupted, and the transaction goes on. */
static void cancelled_calls(void **state)
{
    fixture *f = *state;
    rsq_op *endless, *a, *b, *end;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    endless = query(tx, ENDLESS);
    a = insert(tx, "a");
    b = insert(tx, "b");
    end = commit(tx);
    rsq_op_cancel(a);
    expect(a, RSQ_ECANCELLED);
    rsq_op_cancel(end);
    expect(end, RSQ_ECANCELLED);
    rsq_op_cancel(endless);
    expect(endless, RSQ_ECANCELLED);
    expect(b, RSQ_OK);
    expect(commit(tx), RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items", "'b'");
}

/* A close ends the transaction, and completes what waits of it and for it, once each. */
static void closed(void **state)
{
    fixture *f = *state;
    rsq_op *endless, *a, *waiting, *op = NULL;
    rsq_code code;
    rsq_tx *tx;

    start(f);
    tx = taken(begin(f, NULL));
    endless = query(tx, COUNT_TO("200000"));
    a = insert(tx, "a");
    waiting = begin(f, NULL);
    WANT_CODE(RSQ_OK, rsq_close(f->db));
    f->db = NULL;
    code = rsq_op_status(endless);
    assert_true(code == RSQ_OK || code == RSQ_ECLOSED);
    op_freed(endless);
    code = rsq_op_status(a);
    assert_true(code == RSQ_OK || code == RSQ_ECLOSED);
    op_freed(a);
    expect(waiting, RSQ_ECLOSED);
    WANT_CODE(RSQ_ECLOSED, rsq_commit_async(tx, NULL, &op));
    WANT(f, RSQ_ECLOSED, rsq_commit(tx, &f->err));
}

/* --- misuse --- */

static rsq_code in_a_function(rsq_tx *tx, void *ctx)
{
    rsq_op *op = NULL;

    (void)ctx;
    WANT_CODE(RSQ_EMISUSE, rsq_tx_execute_async(tx, "DELETE FROM items", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EMISUSE, rsq_tx_savepoint_async(tx, NULL, &op));
    WANT_CODE(RSQ_EMISUSE, rsq_commit_async(tx, NULL, &op));
    return RSQ_OK;
}

static void bad_arguments(void **state)
{
    fixture *f = *state;
    rsq_op_options chunks = {.size = sizeof chunks, .chunk_rows = 1};
    rsq_op *op = NULL;
    rsq_tx *tx;

    start(f);
    WANT_CODE(RSQ_EINVAL, rsq_begin_async(NULL, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_begin_async(f->db, NULL, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_begin_async(f->db, &chunks, &op));
    WANT_CODE(RSQ_EINVAL, rsq_commit_async(NULL, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_tx_execute_script_async(NULL, "SELECT 1", NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_tx_execute_all_async(NULL, NULL, 0, NULL, &op));
    assert_null(rsq_op_take_tx(NULL));
    tx = taken(begin(f, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_tx_select_async(tx, NULL, NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_tx_select_async(tx, "SELECT 1", NULL, 0, &chunks, &op));
    WANT_CODE(RSQ_EINVAL, rsq_tx_select_async(tx, "SELECT 1", NULL, 0, NULL, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_tx_execute_all_async(tx, NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_tx_execute_script_async(tx, NULL, NULL, &op));
    expect(query(tx, "SELECT nothing"), RSQ_ESQL);
    expect(commit(tx), RSQ_OK);
    WANT(f, RSQ_OK, rsq_transaction(f->db, in_a_function, NULL, NULL, &f->err));
}

static void read_only(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    rsq_op *op = NULL;
    rsq_db *db = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_open(f->path, &opts, &db, &f->err));
    WANT_CODE(RSQ_EREADONLY, rsq_begin_async(db, NULL, &op));
    WANT_CODE(RSQ_OK, rsq_close(db));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(commit_overtakes_nobody),
        CASE(in_order),
        CASE(savepoints),
        CASE(named_values),
        CASE(several),
        CASE(rolled_back),
        CASE(beside_blocking_calls),
        CASE(by_callbacks),
        CASE(in_memory),
        CASE(ends_in_line),
        CASE(not_taken),
        CASE(left_idle),
        CASE(after_the_end),
        CASE(failed_commit),
        CASE(cancelled_calls),
        CASE(closed),
        CASE(bad_arguments),
        CASE(read_only),
    };

    return cmocka_run_group_tests_name("begin-async", tests, NULL, NULL);
}
