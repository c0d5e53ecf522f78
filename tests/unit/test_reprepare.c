/*
 * A cached statement is compiled once: what is bound to it never has SQLite compile it anew, though there are
 * statistics that the values could be looked up in. (The schema may; tests/integration/test_stmt_cache.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "conn.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Plans of these may depend on a value, were it looked at. */
static const char *const queries[] = {
    "SELECT id FROM items WHERE name LIKE ?1",
    "SELECT id FROM items WHERE name GLOB ?1",
    "SELECT id FROM items WHERE kind = ?2",
    "SELECT id FROM items WHERE kind = ?2 AND size = ?3",
    "SELECT id FROM items WHERE size > ?2 AND size < ?3",
    "SELECT id FROM items WHERE size BETWEEN ?2 AND ?3 ORDER BY kind",
    "SELECT id FROM items WHERE kind = ?2 OR size = ?3",
    "SELECT id FROM items WHERE kind IN (?2, ?3)",
    "SELECT id FROM items ORDER BY size LIMIT ?2 OFFSET ?3",
    "SELECT a.id FROM items AS a JOIN items AS b ON a.kind = b.size WHERE a.name LIKE ?1 AND b.kind < ?2",
};

typedef struct place {
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *conn; /* owned */
} place;

static place the_place;

/* A table whose values are spread unevenly, with its statistics; those of single values too where SQLite
 * keeps them. */
static int setup(void **state)
{
    static char memory[] = ":memory:";
    place *p = &the_place;

    *p = (place){.config = test_config(memory, &p->seq)};
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_ONLY, &p->conn, NULL), RSQ_OK);
    assert_int_equal(execute_sql(p->conn,
                                 "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, "
                                 "kind INTEGER, size INTEGER)"),
                     RSQ_OK);
    assert_int_equal(execute_sql(p->conn,
                                 "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE "
                                 "i < 500) INSERT INTO items SELECT i, 'item ' || i, i % 5 * (i % 7 = 0), "
                                 "i * i % 97 FROM c"),
                     RSQ_OK);
    assert_int_equal(execute_sql(p->conn, "CREATE INDEX by_name ON items(name)"), RSQ_OK);
    assert_int_equal(execute_sql(p->conn, "CREATE INDEX by_kind ON items(kind)"), RSQ_OK);
    assert_int_equal(execute_sql(p->conn, "CREATE INDEX by_size ON items(size)"), RSQ_OK);
    assert_int_equal(execute_sql(p->conn, "ANALYZE"), RSQ_OK);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;

    rsq_conn_close(p->conn);
    return 0;
}

/* Values of all types and sizes, other ones in each round. */
static void values_of(int round, char *text, size_t size, rsq_value *values)
{
    /* As prefix, suffix, without a wildcard, with one in front. */
    static const char *const around[][2] = {{"item ", "%"}, {"%", ""}, {"item ", ""}, {"_tem ", "*"}};
    const char *const *affix = around[(size_t)round % LENGTH(around)];

    snprintf(text, size, "%s%d%s", affix[0], round, affix[1]);
    values[0] = round % 11 == 0 ? rsq_null() : rsq_text(text);
    values[1] = rsq_integer(round % 13 - 2);
    values[2] = rsq_integer(round % 101);
}

static void run_all(rsq_conn *c, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < LENGTH(queries); i++) {
            rsq_request rq = {.sql = queries[i], .sql_len = strlen(queries[i])};
            rsq_value values[3];
            rsq_result *r = NULL;
            char text[32];

            values_of(round, text, sizeof text, values);
            rq.params = values;
            /* ?1 alone is one parameter, else they count to the highest number. */
            rq.nparams = i < 2 ? 1 : i == 2 || i + 1 == LENGTH(queries) ? 2 : 3;
            assert_int_equal(rsq_conn_select(c, &rq, RSQ_SHAPE_CELLS, &r, NULL), RSQ_OK);
            rsq_result_unref(r);
        }
    }
}

/* How often SQLite compiled a cached statement anew. */
static int reprepares(rsq_conn *c)
{
    int sum = 0;

    for (rsq_stmt *s = c->statements.newest; s; s = s->older)
        sum += sqlite3_stmt_status(s->h, SQLITE_STMTSTATUS_REPREPARE, 0);
    return sum;
}

static void values_never_compile_anew(void **state)
{
    place *p = *state;

    run_all(p->conn, 1000);
    assert_int_equal(reprepares(p->conn), 0);
}

/* What the first case sees can happen: without the setting that forbids it, it does. */
static void they_would_without_the_setting(void **state)
{
    place *p = *state;

    assert_int_equal(sqlite3_db_config(p->conn->db, SQLITE_DBCONFIG_ENABLE_QPSG, 0, (int *)NULL), SQLITE_OK);
    run_all(p->conn, 10);
    assert_true(reprepares(p->conn) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_never_compile_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(they_would_without_the_setting, setup, teardown),
    };

    return cmocka_run_group_tests_name("reprepare", tests, NULL, NULL);
}
