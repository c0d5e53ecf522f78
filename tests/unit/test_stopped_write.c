/*
 * A write that is asked to stop while it commits: what it answers is what happened. SQLite looks at the flag
 * each thousand steps of its machine, and once more when a statement is done and may be committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conn.h"

/* More than the thousand steps between two looks, whatever a statement takes. */
#define WRITES 1100

typedef struct place {
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *conn; /* owned */
    _Atomic bool stop;
} place;

static place the_place;

static rsq_code execute_one(place *p, const char *sql)
{
    return execute_sql(p->conn, sql);
}

static rsq_code execute_batch(place *p, const char *sql)
{
    rsq_value none = rsq_null();
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql), .params = &none, .nparams = 1};

    return rsq_conn_execute_batch(p->conn, &rq, 1, NULL, NULL);
}

static rsq_code execute_script(place *p, const char *sql)
{
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql)};

    return rsq_conn_execute_script(p->conn, &rq, NULL);
}

/* SQLite's commit hook: somebody cancels the write just now. */
static int cancel(void *ctx)
{
    place *p = ctx;

    atomic_store(&p->stop, true);
    return 0;
}

static int setup(void **state)
{
    static char memory[] = ":memory:";
    place *p = &the_place;

    *p = (place){.config = test_config(memory, &p->seq)};
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_ONLY, &p->conn, NULL), RSQ_OK);
    assert_int_equal(execute_sql(p->conn, "CREATE TABLE t(v)"), RSQ_OK);
    sqlite3_commit_hook(p->conn->db, cancel, p);
    rsq_conn_watch(p->conn, &p->stop);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;

    rsq_conn_close(p->conn);
    return 0;
}

static int64_t count_rows(place *p)
{
    sqlite3_stmt *s = NULL;
    int64_t n = -1;

    atomic_store(&p->stop, false);
    if (sqlite3_prepare_v2(p->conn->db, "SELECT count(*) FROM t", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void answers_what_happened(place *p, rsq_code (*write)(place *p, const char *sql), const char *sql)
{
    int64_t done = 0;

    for (int i = 0; i < WRITES; i++) {
        atomic_store(&p->stop, false);
        done += write(p, sql) == RSQ_OK;
    }
    assert_int_equal(count_rows(p), done);
    assert_int_equal(done, WRITES); /* too late is too late */
}

static void a_statement_answers_what_happened(void **state)
{
    answers_what_happened(*state, execute_one, "INSERT INTO t VALUES (1)");
}

static void rows_of_returning_answer_what_happened(void **state)
{
    answers_what_happened(*state, execute_one, "INSERT INTO t VALUES (1) RETURNING v");
}

static void a_batch_answers_what_happened(void **state)
{
    answers_what_happened(*state, execute_batch, "INSERT INTO t VALUES (?)");
}

static void a_script_answers_what_happened(void **state)
{
    answers_what_happened(*state, execute_script, "INSERT INTO t VALUES (1)");
}

/* Asked in time, it stops. */
static void one_that_runs_is_stopped(void **state)
{
    place *p = *state;

    atomic_store(&p->stop, true);
    assert_int_equal(execute_sql(p->conn, "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) "
                                          "INSERT INTO t SELECT i FROM c"),
                     RSQ_ECANCELLED);
    assert_int_equal(count_rows(p), 0);
}

/* BEGIN, SAVEPOINT and COMMIT are all or nothing too: what had begun although it was said to be stopped would
 * be joined by the writes after it, which were told that they are done, and would go with it. */
static void no_transaction_is_left(void **state)
{
    place *p = *state;
    int64_t done = 0;

    sqlite3_commit_hook(p->conn->db, NULL, NULL);
    for (int i = 0; i < 3 * WRITES; i++) {
        rsq_unit outer, inner;
        bool kept = false;

        atomic_store(&p->stop, true);
        if (rsq_unit_begin(&outer, p->conn, RSQ_UNIT_STATEMENT, 0, NULL) == RSQ_OK) {
            if (rsq_unit_begin(&inner, p->conn, RSQ_UNIT_LIST, 0, NULL) == RSQ_OK)
                (void)rsq_unit_keep(&inner, NULL);
            atomic_store(&p->stop, false);
            assert_int_equal(execute_sql(p->conn, "INSERT INTO t VALUES (1)"), RSQ_OK);
            atomic_store(&p->stop, true);
            kept = rsq_unit_keep(&outer, NULL) == RSQ_OK;
        }
        assert_true(sqlite3_get_autocommit(p->conn->db));
        done += kept;
    }
    assert_int_equal(count_rows(p), done);
    assert_int_equal(done, 3 * WRITES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_statement_answers_what_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_returning_answer_what_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_answers_what_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(a_script_answers_what_happened, setup, teardown),
        cmocka_unit_test_setup_teardown(no_transaction_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_runs_is_stopped, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
