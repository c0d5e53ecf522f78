/*
 * What the stream oracle (tests/oracle) has found: each failure that it made small is a case here, so that it
 * is tried in each run and not only when a seed comes by.
 */
#include "fixture.h"

/*
 * A statement that fails when it commits, by a deferred foreign key, after a trigger of its has changed rows:
 * nothing was committed, and it must not be counted as a commit. Otherwise the next commit of another process
 * is taken for that one, and nobody hears of it.
 */
static void failed_commit_hides_no_other_process(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;
    uint64_t before;
    probe *p;

    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE parent(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE child(pid REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    EXEC(f, "CREATE TABLE journal(n)");
    EXEC(f, "CREATE TABLE other(n)");
    EXEC(f, "CREATE TRIGGER note AFTER INSERT ON child BEGIN INSERT INTO journal VALUES (1); END");
    p = WATCH(f, "SELECT count(*) FROM other");
    EXPECT_EVENT(p, "0");
    before = p->newest;

    WANT(f, RSQ_ESQL, rsq_execute(f->db, "INSERT INTO child VALUES (7)", NULL, 0, NULL, NULL, &f->err));
    free(foreign_sql(f, f->path, "INSERT INTO other VALUES (1)"));
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO parent VALUES (1)", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_commit_seq(r), before + 2);
    rsq_result_unref(r);
    EXPECT_REACHES(p, "1");
}

/* OR FAIL keeps the rows before the one that failed, and commits them: whoever reads the table hears of it.
 */
static void what_or_fail_keeps_is_told(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    EXEC(f, "INSERT INTO t VALUES (3)");
    p = WATCH(f, "SELECT id FROM t ORDER BY id");
    EXPECT_EVENT(p, "3");
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT OR FAIL INTO t VALUES (1), (3)", NULL, 0, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "1\n3");
    free(foreign_sql(f, f->path, "INSERT INTO t VALUES (9)"));
    EXEC(f, "INSERT INTO canary(n) VALUES (1)");
    EXPECT_REACHES(p, "1\n3\n9");
}

/*
 * The same in an attached database. SQLite tells of the log that grew by it with the next statement that
 * succeeds, whatever that writes to, and that commit must not be counted as two: then the next commit of
 * another process would be taken for the second one.
 */
static void what_or_fail_keeps_is_counted_once(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "attached.db");
    rsq_attach side = {"side", path};
    rsq_open_options o = {.size = sizeof o, .attach = &side, .nattach = 1};
    rsq_result *r = NULL;
    uint64_t before;
    probe *p;

    fixture_open(f, &o);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE side.t(id INTEGER PRIMARY KEY)");
    EXEC(f, "INSERT INTO side.t VALUES (3)");
    EXEC(f, "CREATE TABLE main.other(n)");
    p = WATCH(f, "SELECT id FROM side.t ORDER BY id");
    EXPECT_EVENT(p, "3");
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT OR FAIL INTO side.t VALUES (1), (3)", NULL, 0, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "1\n3");
    before = p->newest;
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO other VALUES (1)", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_commit_seq(r), before + 1);
    rsq_result_unref(r);
    free(foreign_sql(f, path, "INSERT INTO t VALUES (9)"));
    EXPECT_REACHES(p, "1\n3\n9");
    free(path);
}

static rsq_code fail_and_go_on(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    assert_int_equal(
        rsq_tx_execute(tx, "UPDATE OR FAIL t SET k = 5 WHERE k = 6", NULL, 0, NULL, NULL, &f->err), RSQ_ESQL);
    return rsq_tx_execute(tx, "INSERT INTO other VALUES (1)", NULL, 0, NULL, NULL, &f->err);
}

/*
 * In a transaction: what a trigger did before another trigger of it failed is kept by OR FAIL, though SQLite
 * does not count it among the changes.
 */
static void what_a_trigger_did_before_or_fail_is_told(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE t(k PRIMARY KEY, a)");
    EXEC(f, "CREATE TABLE notes(a, b)");
    EXEC(f, "CREATE TABLE journal(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE other(n)");
    EXEC(f, "CREATE TRIGGER note BEFORE UPDATE ON t BEGIN INSERT INTO notes VALUES (new.a, 1); END");
    EXEC(f, "CREATE TRIGGER also AFTER INSERT ON notes BEGIN INSERT INTO journal VALUES (new.b); END");
    EXEC(f, "INSERT INTO t VALUES (5, 5), (6, 6)");
    EXEC(f, "INSERT INTO journal VALUES (1)");
    p = WATCH(f, "SELECT a, count(*) FROM notes GROUP BY a");
    EXPECT_EVENT(p, "");
    WANT(f, RSQ_OK, rsq_transaction(f->db, fail_and_go_on, f, NULL, &f->err));
    EXPECT_REACHES(p, "6|1");
}

static rsq_code leave_and_go_on(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    assert_int_equal(
        rsq_tx_execute(tx, "INSERT INTO t(n) SELECT 1 UNION ALL SELECT 'x'", NULL, 0, NULL, NULL, &f->err),
        RSQ_ESQL);
    return rsq_tx_execute(tx, "INSERT INTO other VALUES (1)", NULL, 0, NULL, NULL, &f->err);
}

/* In a transaction SQLite leaves the rows before one that a STRICT table does not take, and counts none. */
static void what_a_failed_statement_leaves_is_told(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(n INT) STRICT");
    EXEC(f, "CREATE TABLE other(n)");
    p = WATCH(f, "SELECT count(*) FROM t");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_transaction(f->db, leave_and_go_on, f, NULL, &f->err));
    if (INTEGER(f, "SELECT count(*) FROM t") == 0)
        skip(); /* another SQLite may know better */
    EXPECT_REACHES(p, "1");
}

static rsq_code insert_again(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    return rsq_tx_execute(tx, "INSERT OR ROLLBACK INTO r VALUES (1, 3, 4)", NULL, 0, NULL, NULL, &f->err);
}

/* A write that fails leaves nothing behind that makes the next one fail, if another process commits in
 * between. */
static void failed_write_leaves_no_snapshot(void **state)
{
    fixture *f = *state;

    if (!(rsq_features() & RSQ_FEATURE_RTREE))
        skip();
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(n)");
    EXEC(f, "CREATE VIRTUAL TABLE r USING rtree(id, low, high)");
    EXEC(f, "INSERT INTO r VALUES (1, 1, 2), (2, 1, 2), (3, 1, 2)");
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "UPDATE r SET id = 3 WHERE id < 3", NULL, 0, NULL, NULL, &f->err));
    free(foreign_sql(f, f->path, "INSERT INTO t VALUES (1)"));
    EXEC(f, "INSERT INTO t VALUES (2)");
    WANT(f, RSQ_ESQL, rsq_transaction(f->db, insert_again, f, NULL, &f->err));
    free(foreign_sql(f, f->path, "INSERT INTO t VALUES (3)"));
    EXEC(f, "INSERT INTO t VALUES (4)");
    EXPECT_ROWS(f, "SELECT n FROM t ORDER BY n", "1\n2\n3\n4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(failed_commit_hides_no_other_process),   CASE(what_or_fail_keeps_is_told),
        CASE(what_or_fail_keeps_is_counted_once),     CASE(what_a_trigger_did_before_or_fail_is_told),
        CASE(what_a_failed_statement_leaves_is_told), CASE(failed_write_leaves_no_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
