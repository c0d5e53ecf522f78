/* Several statements in one text: rsq_execute_script(), and the same inside a transaction function. */
#include "fixture.h"

static rsq_code run(fixture *f, const char *sql)
{
    return rsq_execute_script(f->db, sql, NULL, &f->err);
}

/* W06: a text of several statements runs all of them, whatever stands in and between them. */
static void all_statements_run(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK,
         run(f, "\xef\xbb\xbf-- a comment; with a semicolon\n"
                ";; CREATE TABLE a(x); /* and; another */ CREATE TABLE b(y);;\n"
                "INSERT INTO a VALUES ('one;two'), (';') ; SELECT * FROM a\n;"
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO b VALUES (new.x); DELETE FROM a; END;"
                "INSERT INTO a VALUES ('three') RETURNING x;\r\n\t"
                "CREATE TABLE \"odd;name\"([s;p]); PRAGMA user_version = 5 ; "
                "WITH n(i) AS (SELECT 1) INSERT INTO b SELECT i FROM n -- the end"));
    EXPECT_ROWS(f, "SELECT y FROM b", "'three'\n1");
    EXPECT_ROWS(f, "SELECT count(*) FROM a", "0");
    EXPECT_ROWS(f, "PRAGMA user_version", "5");
    EXPECT_ROWS(f, "SELECT count(*) FROM \"odd;name\"", "0");
}

/* Text without a statement is a no-op, and no commit. */
static void nothing_to_run(void **state)
{
    static const char *const empty[] = {
        "", " ", ";", "\n;;\t; \r\n", "-- nothing", "/* nothing */;", "/* open", "\xef\xbb\xbf"};
    fixture *f = *state;
    rsq_result *before = NULL, *after = NULL;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM a", NULL, 0, NULL, &before, &f->err));
    for (size_t i = 0; i < LENGTH(empty); i++)
        WANT(f, RSQ_OK, run(f, empty[i]));
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM a", NULL, 0, NULL, &after, &f->err));
    assert_int_equal(rsq_result_commit_seq(before), rsq_result_commit_seq(after));
    rsq_result_unref(before);
    rsq_result_unref(after);
}

#define GOOD "INSERT INTO a VALUES (7); /* ; */ "

/* A statement that fails is named by its index and its place in the whole text, and nothing is done. */
static void all_or_nothing(void **state)
{
    static const struct {
        const char *sql;
        rsq_code code;
        int offset; /* in it */
    } bad[] = {
        {"INSERT INTO a VALUES (1)", RSQ_ESQL, 0},
        {"INSERT OR FAIL INTO a VALUES (3), (1)", RSQ_ESQL, 0},
        {"INSERT OR ROLLBACK INTO a VALUES (3), (1)", RSQ_ESQL, 0},
        {"INSERT INTO a VALUES (3, 4)", RSQ_ESQL, 0},
        {"INSERT INTO nowhere VALUES (1)", RSQ_ESQL, 0},
        {"SELECT nothing FROM a", RSQ_ESQL, 7},
        {"SELECT * FRM a", RSQ_ESQL, 9},
        {"INSERT INTO a VALUES ('open", RSQ_ESQL, 22},
        {"INSERT INTO a VALUES (?)", RSQ_EINVAL, 0},
        {"BEGIN", RSQ_EREFUSED, 0},
        {"COMMIT", RSQ_EREFUSED, 0},
        {"ROLLBACK", RSQ_EREFUSED, 0},
        {"SAVEPOINT x", RSQ_EREFUSED, 0},
        {"ATTACH ':memory:' AS m", RSQ_EREFUSED, 0},
        {"PRAGMA journal_mode = delete", RSQ_EREFUSED, 0},
        {"PRAGMA foreign_keys = off", RSQ_EREFUSED, 0},
        {"VACUUM", RSQ_ESQL, 0},
    };
    static const char *const before[] = {"", "  \n", GOOD, GOOD "DELETE FROM a WHERE x = 7;\n" GOOD};
    static const char *const after[] = {"", "; INSERT INTO a VALUES (8)"};
    static const int64_t index[] = {0, 0, 1, 3};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x UNIQUE)");
    EXEC(f, "INSERT INTO a VALUES (1)");
    for (size_t i = 0; i < LENGTH(bad) * LENGTH(before) * LENGTH(after); i++) {
        size_t b = i / 2 % LENGTH(before), k = i / 2 / LENGTH(before);
        char sql[256];

        if (i % 2 && strstr(bad[k].sql, "'open"))
            continue; /* it would swallow what follows */
        snprintf(sql, sizeof sql, "%s%s%s", before[b], bad[k].sql, after[i % 2]);
        WANT(f, bad[k].code, run(f, sql));
        assert_int_equal(f->err.row, index[b]);
        assert_int_equal(f->err.sql_offset, (int)strlen(before[b]) + bad[k].offset);
        WANT_CODE(bad[k].code, rsq_execute_script(f->db, sql, NULL, NULL));
        EXPECT_ROWS(f, "SELECT * FROM a", "1");
    }
    WANT(f, RSQ_OK, run(f, GOOD));
    EXPECT_ROWS(f, "SELECT * FROM a", "1\n7");
}

/* A length instead of a NUL at the end; a NUL before it is an error, and not the end. */
static void length_given(void **state)
{
    static const char text[] = "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)\0; DELETE FROM a";
    rsq_call_options opts = {.size = sizeof opts, .sql_len = 24};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    WANT(f, RSQ_OK, rsq_execute_script(f->db, text, &opts, &f->err));
    EXPECT_ROWS(f, "SELECT * FROM a", "1");
    opts.sql_len = 50;
    WANT(f, RSQ_OK, rsq_execute_script(f->db, text, &opts, &f->err));
    EXPECT_ROWS(f, "SELECT * FROM a", "1\n1\n2");
    opts.sql_len = sizeof text - 1;
    WANT(f, RSQ_EINVAL, rsq_execute_script(f->db, text, &opts, &f->err));
    assert_int_equal(f->err.sql_offset, 50);
    EXPECT_ROWS(f, "SELECT * FROM a", "1\n1\n2");
}

/* A COMMIT that fails is no statement's fault. */
static void deferred_foreign_key(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK,
         run(f, "CREATE TABLE p(id INTEGER PRIMARY KEY);"
                "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"));
    WANT(f, RSQ_ESQL, run(f, "INSERT INTO c VALUES (5); SELECT 1"));
    assert_int_equal(f->err.sqlite_code, 787);
    assert_int_equal(f->err.row, -1);
    assert_int_equal(f->err.sql_offset, -1);
    WANT(f, RSQ_OK, run(f, "INSERT INTO c VALUES (5); INSERT INTO p VALUES (5)"));
}

/* A long one costs what its statements cost, and not its length for each of them. */
static void long_script(void **state)
{
    enum { COUNT = 20000 };
    static const char one[] = "INSERT INTO a VALUES ('some text that is here for its length');\n";
    char *sql = malloc(COUNT * (sizeof one - 1) + 1);
    fixture *f = *state;

    assert_non_null(sql);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(sql + i * (sizeof one - 1), one, sizeof one);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    WANT(f, RSQ_OK, run(f, sql));
    free(sql);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM a"), COUNT);
}

/* What the writer knows of row ids and of statements it compiled is as after single calls. */
static void calls_after_it(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, run(f, "CREATE TABLE a(x); INSERT INTO a VALUES (1), (2); CREATE TABLE b(y);"));
    WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE a SET x = last_insert_rowid()", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_last_insert_rowid(r), 2);
    rsq_result_unref(r);
    EXPECT_ROWS(f, "SELECT x FROM a", "2\n2");
    EXEC(f, "INSERT INTO b VALUES (1)");
    WANT(f, RSQ_OK, run(f, "DROP TABLE b; CREATE TABLE b(y, z DEFAULT 'new')"));
    EXEC(f, "INSERT INTO b(y) VALUES (1)");
    EXPECT_ROWS(f, "SELECT * FROM b", "1|'new'");
    WANT(f, RSQ_OK, run(f, "CREATE TEMP TABLE part AS SELECT 9 AS n; INSERT INTO b SELECT n, n FROM part"));
    EXPECT_ROWS(f, "SELECT y FROM b", "1\n9");
    WANT(f, RSQ_ESQL, run(f, "SELECT * FROM part"));
}

/* Inside a transaction function it is a part of that transaction, and a unit of its own. */
static rsq_code inside(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    bool right = rsq_execute_script(f->db, "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)", NULL,
                                    &f->err) == RSQ_OK &&
                 rsq_tx_execute_script(tx, "DELETE FROM a; INSERT INTO nowhere VALUES (1)", NULL, &f->err) ==
                     RSQ_ESQL &&
                 f->err.row == 1 && rsq_tx_execute_script(tx, "", NULL, &f->err) == RSQ_OK;

    return right ? RSQ_OK : RSQ_EMISUSE;
}

static void inside_a_transaction(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    WANT(f, RSQ_OK, rsq_transaction(f->db, inside, f, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT * FROM a", "1\n2");
}

/* A live query hears of all of it once; of tables that a script makes as well. */
static void live_query_wakes_once(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    fixture_canary(f);
    p = WATCH(f, "SELECT count(*) FROM a");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_ESQL, run(f, "INSERT INTO a VALUES (1); INSERT INTO nowhere VALUES (1)"));
    EXPECT_QUIET(p);
    WANT(f, RSQ_OK, run(f, "INSERT INTO a VALUES (1); DELETE FROM a; INSERT INTO a VALUES (2), (3)"));
    EXPECT_EVENT(p, "2");
    assert_int_equal(probe_stats(p).woken, 1);
    WANT(f, RSQ_OK, run(f, "DROP TABLE a; CREATE TABLE a(x, y); INSERT INTO a VALUES (1, 1)"));
    EXPECT_EVENT(p, "1");
}

static void bad_arguments(void **state)
{
    rsq_call_options small = {.size = 1};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    WANT(f, RSQ_EINVAL, rsq_execute_script(NULL, "SELECT 1", NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_script(f->db, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_script(f->db, "SELECT 1", &small, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_execute_script(NULL, "SELECT 1", NULL, &f->err));
    fixture_close(f);
    f->db = fixture_open_path(
        f, f->path, &(rsq_open_options){.size = sizeof(rsq_open_options), .flags = RSQ_OPEN_READONLY});
    WANT(f, RSQ_EREADONLY, run(f, "DELETE FROM a"));
    rsq_close(f->db);
    WANT(f, RSQ_ECLOSED, run(f, "DELETE FROM a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_statements_run),    CASE(nothing_to_run), CASE(all_or_nothing), CASE(length_given),
        CASE(deferred_foreign_key),  CASE(long_script),    CASE(calls_after_it), CASE(inside_a_transaction),
        CASE(live_query_wakes_once), CASE(bad_arguments),
    };

    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
