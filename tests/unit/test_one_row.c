/*
 * Statements that have one row at most are not stepped a second time; see src/sql/one_row.c. Which ones these
 * are is known after many reads, and forgotten when the schema changes. Nobody may miss a row for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn.h"

typedef struct place {
    char path[64];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *writer, *reader; /* owned */
} place;

static void execute(place *p, const char *sql)
{
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql)};

    assert_int_equal(rsq_conn_execute_script(p->writer, &rq, NULL), RSQ_OK);
}

static int setup_with(void **state, uint32_t flags)
{
    place *p = calloc(1, sizeof *p);
    int fd;

    assert_non_null(p);
    snprintf(p->path, sizeof p->path, "/tmp/rsq-one-row-XXXXXX");
    fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    p->config = test_config(p->path, &p->seq);
    p->config.flags = flags;
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_WRITER, &p->writer, NULL), RSQ_OK);
    execute(p, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, u);"
               "CREATE TABLE w(k TEXT PRIMARY KEY, a) WITHOUT ROWID;"
               "CREATE INDEX ta ON t(a); CREATE UNIQUE INDEX tu ON t(u);"
               "INSERT INTO t VALUES (1, 10, 100), (2, 10, 200), (3, 30, 300), (100, 1, 1);"
               "INSERT INTO w VALUES ('1', 1), ('2', 1);");
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_READER, &p->reader, NULL), RSQ_OK);
    *state = p;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_without_shortcuts(void **state)
{
    return setup_with(state, RSQ_OPEN_NO_SHORTCUTS);
}

static int setup_not_kept(void **state)
{
    return setup_with(state, RSQ_OPEN_NO_KEPT_SNAPSHOTS);
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    place *p = *state;

    rsq_conn_close(p->reader);
    rsq_conn_close(p->writer);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char path[80];

        snprintf(path, sizeof path, "%s%s", p->path, suffixes[i]);
        (void)unlink(path);
    }
    free(p);
    return 0;
}

static rsq_request request_of(const char *sql, const rsq_value *key)
{
    return (rsq_request){
        .sql = sql, .sql_len = strlen(sql), .params = key, .nparams = strchr(sql, '?') ? 1 : 0};
}

/* In a snapshot that is opened for this read alone, as a lease opens it, and closed where they are not kept.
 */
static rsq_result *read_as(place *p, const char *sql, int64_t key, rsq_shape shape)
{
    rsq_value value = rsq_integer(key);
    rsq_request rq = request_of(sql, &value);
    rsq_result *r = NULL;

    assert_int_equal(rsq_conn_snapshot_alone(p->reader, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_select(p->reader, &rq, shape, &r, NULL), RSQ_OK);
    if (p->config.flags & RSQ_OPEN_NO_KEPT_SNAPSHOTS)
        assert_true(rsq_conn_snapshot_close(p->reader));
    return r;
}

static size_t rows_of(place *p, const char *sql, int64_t key)
{
    rsq_result *r = read_as(p, sql, key, RSQ_SHAPE_CELLS);
    size_t rows = rsq_result_rows(r);

    rsq_result_unref(r);
    return rows;
}

/* Read often enough that it is looked for one row. */
static bool has_one_row(place *p, const char *sql, int64_t key)
{
    for (int i = 0; i < RSQ_ONE_ROW_READS; i++)
        (void)rows_of(p, sql, key);
    return p->reader->statements.newest->one_row;
}

/* Its first row is its last for any data. */
static const char *const ones[] = {
    "SELECT * FROM t WHERE id = ?", "SELECT * FROM t WHERE u = ?",
    "SELECT * FROM w WHERE k = ?",  "SELECT count(*) FROM t WHERE a = ?",
    "SELECT max(a) FROM t",         "SELECT ?, (SELECT a FROM t)",
    "-- a comment\nSELECT 1;",
};

/* It may have more, though not with these parameters. */
static const char *const others[] = {
    "SELECT * FROM t WHERE a = ?",
    "SELECT * FROM t WHERE id < ?",
    "SELECT * FROM t WHERE id IN (?, 2)",
    "SELECT * FROM t WHERE id = ?1 OR u = ?1",
    "SELECT a FROM t WHERE id = ?1 UNION ALL SELECT a FROM t WHERE id = ?1",
    "SELECT x.id FROM t AS x LEFT JOIN t AS y ON y.a = x.id WHERE x.id = ?",
    "SELECT count(*) FROM t GROUP BY a",
    "VALUES (1), (2)",
};

static void it_is_known_after_a_while(void **state)
{
    place *p = *state;

    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        if (!has_one_row(p, ones[i], 1))
            fail_msg("%s has one row", ones[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (has_one_row(p, others[i], 1))
            fail_msg("%s may have more than one row", others[i]);
    }
}

/* The same answers before and after, in each form; none, where a row is missing. */
static void answers_stay(void **state)
{
    place *p = *state;

    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        for (int64_t key = -1; key <= 101; key += 34) {
            rsq_result *cells = read_as(p, ones[i], key, RSQ_SHAPE_CELLS);
            rsq_result *json = read_as(p, ones[i], key, RSQ_SHAPE_JSON);
            rsq_result *again;

            (void)has_one_row(p, ones[i], key);
            again = read_as(p, ones[i], key, RSQ_SHAPE_CELLS);
            assert_true(rsq_result_equal(cells, again));
            rsq_result_unref(again);
            again = read_as(p, ones[i], key, RSQ_SHAPE_JSON);
            assert_true(rsq_result_equal(json, again));
            rsq_result_unref(again);
            rsq_result_unref(json);
            rsq_result_unref(cells);
        }
    }
}

/* A scan, whose rows come one by one, ends where the read does. */
static void a_scan_ends(void **state)
{
    place *p = *state;
    rsq_value key = rsq_integer(1);
    rsq_request rq = request_of(ones[0], &key);
    rsq_scan_left left = RSQ_SCAN_MORE;
    rsq_result *r = NULL;

    assert_true(has_one_row(p, ones[0], 1));
    assert_int_equal(rsq_conn_snapshot_open(p->reader, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_scan_begin(p->reader, &rq, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_scan_next(p->reader, &rq, 1, RSQ_SHAPE_CELLS, &r, &left, NULL), RSQ_OK);
    assert_int_equal(rsq_result_rows(r), 1);
    assert_int_equal(left, RSQ_SCAN_LAST);
    rsq_result_unref(r);
    rsq_conn_scan_end(p->reader);
    assert_true(rsq_conn_snapshot_close(p->reader));
}

/* What was unique is not any more. */
static void another_schema_is_another_program(void **state)
{
    place *p = *state;
    const char *sql = "SELECT id FROM t WHERE u = ?";

    assert_true(has_one_row(p, sql, 100));
    execute(p, "DROP INDEX tu; INSERT INTO t VALUES (4, 40, 100)");
    assert_int_equal(rows_of(p, sql, 100), 2);
    assert_false(has_one_row(p, sql, 100));
    execute(p, "DELETE FROM t WHERE id = 4; CREATE UNIQUE INDEX tu ON t(u)");
    assert_int_equal(rows_of(p, sql, 100), 1);
    assert_true(has_one_row(p, sql, 100));
}

/* A table in the place of another, and a view in that of a table. */
static void another_table_of_the_name(void **state)
{
    place *p = *state;
    const char *sql = "SELECT a FROM t WHERE id = ?";

    assert_true(has_one_row(p, sql, 1));
    execute(p, "ALTER TABLE t RENAME TO old; CREATE VIEW t AS SELECT a, 1 AS id FROM old");
    assert_int_equal(rows_of(p, sql, 1), 4);
    assert_false(has_one_row(p, sql, 1));
}

/* Each read then begins and ends its own snapshot. */
static void answers_stay_when_not_kept(void **state)
{
    answers_stay(state);
}

static void another_schema_when_not_kept(void **state)
{
    another_schema_is_another_program(state);
}

static void answers_stay_without_shortcuts(void **state)
{
    answers_stay(state);
}

static void not_without_shortcuts(void **state)
{
    place *p = *state;

    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
        assert_false(has_one_row(p, ones[i], 1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_known_after_a_while),
        CASE(answers_stay),
        CASE(a_scan_ends),
        CASE(another_schema_is_another_program),
        CASE(another_table_of_the_name),
        cmocka_unit_test_setup_teardown(answers_stay_when_not_kept, setup_not_kept, teardown),
        cmocka_unit_test_setup_teardown(another_schema_when_not_kept, setup_not_kept, teardown),
        cmocka_unit_test_setup_teardown(answers_stay_without_shortcuts, setup_without_shortcuts, teardown),
        cmocka_unit_test_setup_teardown(not_without_shortcuts, setup_without_shortcuts, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
