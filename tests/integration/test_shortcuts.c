/*
 * The writer's shortcuts: a batch that can change one table only goes on without the preupdate hook once all
 * is known of that table, rows side by side are noted as one, and rows of an UPDATE that sets nothing that is
 * read are not looked at; and a reader's: the last answer is read along, row by row. None of that may hide a
 * row from anybody, and with RSQ_OPEN_NO_SHORTCUTS the same queries must be woken.
 */
#include "fixture.h"

#include <inttypes.h>

#define ROWS 10
#define STREAMS 36
#define COMMITS 1000

/* --- what a batch reports though its first rows do not show it --- */

/* The statement with the parameter 1 to ROWS; whoever looks at the result unrefs it. */
static rsq_result *count_up(fixture *f, const char *sql)
{
    rsq_value values[ROWS];
    rsq_result *r = NULL;

    for (int i = 0; i < ROWS; i++)
        values[i] = rsq_integer(i + 1);
    WANT(f, RSQ_OK, rsq_execute_batch(f->db, sql, values, ROWS, 1, NULL, &r, &f->err));
    return r;
}

static void expect_batch_changes(fixture *f, const char *sql, const char *a, const char *b)
{
    rsq_result *r = count_up(f, sql);

    if (!fixture_changed(r, a) || (b && !fixture_changed(r, b)))
        fail_msg("%s does not tell of %s and %s", sql, a, b ? b : a);
    rsq_result_unref(r);
}

/* Only the last row makes the trigger write elsewhere. */
static void a_trigger_of_a_later_row(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
    EXEC(f, "CREATE TABLE audit(a)");
    expect_batch_changes(f, "INSERT INTO t(a) VALUES (?)", "main.t", NULL);
    EXEC(f,
         "CREATE TRIGGER ti AFTER INSERT ON t WHEN new.a = 10 BEGIN INSERT INTO audit VALUES (new.a); END");
    EXEC(f, "CREATE TRIGGER td AFTER DELETE ON t WHEN old.id = 10 BEGIN DELETE FROM audit; END");
    EXEC(f, "CREATE TRIGGER tu AFTER UPDATE ON t WHEN old.id = 10 BEGIN UPDATE audit SET a = a; END");
    expect_batch_changes(f, "INSERT INTO t(a) VALUES (?)", "main.t", "main.audit");
    expect_batch_changes(f, "UPDATE t SET a = a + 1 WHERE id = ?", "main.t", "main.audit");
    expect_batch_changes(f, "DELETE FROM t WHERE id = ?", "main.t", "main.audit");
}

/* Of the parents only the last has a child. */
static void a_foreign_key_of_a_later_row(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE p(id INTEGER PRIMARY KEY, a)");
    EXEC(f, "CREATE TABLE c(p REFERENCES p(id) ON DELETE CASCADE ON UPDATE SET NULL)");
    expect_batch_changes(f, "INSERT INTO p(id) VALUES (?)", "main.p", NULL);
    EXEC(f, "INSERT INTO c VALUES (10)");
    expect_batch_changes(f, "INSERT OR REPLACE INTO p(id) VALUES (?)", "main.p", "main.c");
    EXEC(f, "INSERT INTO c VALUES (10)");
    expect_batch_changes(f, "UPDATE p SET id = id + 100 WHERE id = ?", "main.p", "main.c");
    EXEC(f, "INSERT INTO c VALUES (110)");
    expect_batch_changes(f, "DELETE FROM p WHERE id = ? + 100", "main.p", "main.c");
}

/* Neither a view nor a virtual table is what is changed. */
static void tables_behind_others(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE TABLE u(a)");
    EXEC(f, "CREATE VIEW v AS SELECT a FROM t");
    EXEC(f, "CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.a); "
            "INSERT INTO u SELECT new.a WHERE new.a = 10; END");
    expect_batch_changes(f, "INSERT INTO v VALUES (?)", "main.t", "main.u");
    EXEC(f, "CREATE VIRTUAL TABLE ft USING fts5(x)");
    expect_batch_changes(f, "INSERT INTO ft VALUES (? || ' words')", "main.ft_content", "main.ft_docsize");
}

/* --- the hook comes back --- */

static rsq_code batch_and_more(rsq_tx *tx, void *ctx)
{
    const rsq_value values[] = {rsq_integer(1), rsq_integer(2), rsq_integer(3)};
    fixture *f = ctx;
    rsq_code rc = rsq_tx_execute_batch(tx, "INSERT INTO t(a) VALUES (?)", values, 3, 1, NULL, NULL, &f->err);

    return rc == RSQ_OK ? rsq_tx_execute(tx, "UPDATE u SET a = a + 1", NULL, 0, NULL, NULL, &f->err) : rc;
}

/* After a batch that went well, one that failed, and inside a transaction. */
static void it_is_looked_at_what_comes_next(void **state)
{
    const rsq_value twice[] = {rsq_integer(7), rsq_integer(8), rsq_integer(9), rsq_integer(7)};
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE TABLE u(a UNIQUE)");
    EXEC(f, "INSERT INTO u VALUES (0)");
    p = WATCH(f, "SELECT max(a) FROM u");
    EXPECT_EVENT(p, "0");
    rsq_result_unref(count_up(f, "INSERT INTO t(a) VALUES (?)"));
    EXEC(f, "UPDATE u SET a = 1");
    EXPECT_EVENT(p, "1");
    WANT(f, RSQ_OK, rsq_transaction(f->db, batch_and_more, f, NULL, &f->err));
    EXPECT_EVENT(p, "2");
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, "INSERT INTO u VALUES (?)", twice, 4, 1, NULL, NULL, &f->err));
    assert_int_equal(f->err.row, 3);
    EXEC(f, "UPDATE u SET a = 3");
    EXPECT_EVENT(p, "3");
    rsq_result_unref(count_up(f, "DELETE FROM t WHERE a = ?"));
    EXEC(f, "DELETE FROM u");
    EXPECT_EVENT(p, "NULL");
}

/* Each row's own changes are counted, with and without the hook. */
static void changes_are_counted(void **state)
{
    fixture *f = *state;
    rsq_result *r;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE TABLE u(a)");
    r = count_up(f, "INSERT INTO t VALUES (?)");
    assert_int_equal(rsq_result_changes(r), ROWS);
    rsq_result_unref(r);
    r = count_up(f, "UPDATE t SET a = a + 100 WHERE a < 100 AND a <= 2 * ?");
    assert_int_equal(rsq_result_changes(r), ROWS);
    rsq_result_unref(r);
    EXEC(f, "CREATE TRIGGER ti AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1), (2); END");
    r = count_up(f, "INSERT INTO t VALUES (?)");
    assert_int_equal(rsq_result_changes(r), ROWS);
    rsq_result_unref(r);
    /* What a foreign key does in the same table is not what the statement does. */
    EXEC(f, "CREATE TABLE tree(id INTEGER PRIMARY KEY, up REFERENCES tree(id) ON DELETE CASCADE)");
    rsq_result_unref(count_up(f, "INSERT INTO tree(id) VALUES (?)"));
    rsq_result_unref(count_up(f, "INSERT INTO tree(id, up) SELECT id + 100, id FROM tree WHERE id = ?"));
    r = count_up(f, "DELETE FROM tree WHERE id = ?");
    assert_int_equal(rsq_result_changes(r), ROWS);
    rsq_result_unref(r);
}

/* --- the last answer is read along --- */

/* One row of several is given a value, and the event has it; given it once more, there is no event. */
static void expect_set(fixture *f, probe *p, const char *value, unsigned id)
{
    uint64_t runs = probe_stats(p).runs;
    rsq_result *fresh = NULL;
    char sql[128];
    char *rows;

    snprintf(sql, sizeof sql, "UPDATE v SET x = %s WHERE id = %u", value, id);
    EXEC(f, sql);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT id, x FROM v ORDER BY id", NULL, 0, NULL, &fresh, &f->err));
    rows = fixture_dump(fresh);
    EXPECT_EVENT(p, rows);
    free(rows);
    rsq_result_unref(fresh);
    EXEC(f, sql);
    EXPECT_QUIET(p);
    assert_true(probe_stats(p).runs > runs);
}

static void an_answer_differs_anywhere(void **state)
{
    /* No two neighbours are the same, whatever they look like. */
    static const char *const values[] = {
        "1",
        "1.0",
        "'1'",
        "x'31'",
        "NULL",
        "''",
        "x''",
        "0",
        "0.5",
        "'text'",
        "'tex'",
        "'tent'",
        "'a longer text than any before'",
        "x'0001'",
        "x'0002'",
        "NULL",
        "1 IS 1",
    };
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_VALUE_LEVEL};
    fixture *f = *state;
    probe *p;

    fixture_open(f, &opts);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE v(id INTEGER PRIMARY KEY, x)");
    EXEC(f, "INSERT INTO v VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    p = WATCH(f, "SELECT id, x FROM v ORDER BY id");
    EXPECT_EVENT(p, "1|'a'\n2|'b'\n3|'c'");
    for (unsigned id = 1; id <= 3; id++) {
        for (size_t i = 0; i < LENGTH(values); i++)
            expect_set(f, p, values[i], id);
        EXEC(f, id == 2 ? "UPDATE v SET x = 'c' WHERE id = 2" : "UPDATE v SET x = 'd'");
        probe_await(p, __FILE__, __LINE__);
    }
    EXEC(f, "INSERT INTO v VALUES (4, 'e')");
    EXPECT_EVENT(p, "1|'d'\n2|'d'\n3|'d'\n4|'e'");
    EXEC(f, "DELETE FROM v WHERE id = 4");
    EXPECT_EVENT(p, "1|'d'\n2|'d'\n3|'d'");
    EXEC(f, "DELETE FROM v");
    EXPECT_EVENT(p, "");
}

/* --- with and without --- */

static const char *const schema[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)",
    "CREATE TABLE s(id INTEGER PRIMARY KEY, a, b)",
    "CREATE TABLE m(id INTEGER PRIMARY KEY, a, b)",
    "CREATE INDEX ma ON m(a)",
    "CREATE TRIGGER si AFTER INSERT ON s WHEN new.a > 5 BEGIN UPDATE t SET a = new.a WHERE id = new.id; END",
    /* Nobody reads the last column, nor those that another one is made from or points at. */
    "CREATE TABLE g(id INTEGER PRIMARY KEY, a, b, c, d)",
    "CREATE INDEX g_expression ON g(b + c)",
    "CREATE INDEX g_partial ON g(a) WHERE c > 3",
    "CREATE TABLE h(id INTEGER PRIMARY KEY, a, b, stored AS (a + 1) STORED, unstored AS (b * 2) VIRTUAL)",
    "CREATE TABLE w(k PRIMARY KEY, a, b, c UNIQUE) WITHOUT ROWID",
    ("CREATE TABLE tree(id INTEGER PRIMARY KEY, code UNIQUE, up REFERENCES tree(code) "
     "ON UPDATE CASCADE ON DELETE SET NULL, a)"),
};

/* Of t all keys are intervals of row ids, s is watched without any, m by several. */
static const char *const queries[] = {
    "SELECT id, a FROM t WHERE id > ? AND id <= ? ORDER BY id",
    "SELECT id, b FROM t WHERE id >= ? AND id < ?",
    "SELECT a, b FROM t WHERE id BETWEEN ? AND ?",
    "SELECT count(*) FROM t WHERE id > ? AND id < ?",
    "SELECT max(b) FROM t WHERE ? < ?",
    "SELECT sum(a) FROM s WHERE ? < ?",
    "SELECT count(*) FROM s WHERE ? < ?",
    "SELECT a FROM m WHERE id BETWEEN ? AND ?",
    "SELECT b FROM m WHERE id = ? OR a = ?",
    "SELECT id FROM g WHERE b + c BETWEEN ? AND ?",
    "SELECT count(*) FROM g WHERE c > 3 AND a BETWEEN ? AND ?",
    "SELECT max(stored) FROM h WHERE ? < ?",
    "SELECT sum(unstored) FROM h WHERE id BETWEEN ? AND ?",
    "SELECT k, a FROM w WHERE k BETWEEN ? AND ?",
    "SELECT max(b) FROM w WHERE ? < ?",
    "SELECT id, up FROM tree WHERE ? < ?",
    "SELECT count(*) FROM tree WHERE id BETWEEN ? AND ?",
    "SELECT max(up) FROM tree WHERE id BETWEEN ? AND ?",
};

/* ?1 is a row id, ?2 another value. */
static const char *const writes[] = {
    "INSERT OR REPLACE INTO t(id, a, b) VALUES (?1, ?2, 1)",
    "INSERT OR IGNORE INTO t(id, a) VALUES (?1, ?2)",
    "UPDATE t SET a = ?2 WHERE id = ?1",
    "UPDATE t SET b = ?2 WHERE id = ?1",
    "UPDATE t SET a = a, b = b WHERE id = ?1 + ?2",
    "UPDATE OR REPLACE t SET id = id + ?2 WHERE id = ?1",
    "DELETE FROM t WHERE id = ?1 AND a <> ?2",
    "INSERT OR REPLACE INTO s(id, a, b) VALUES (?1, ?2, 1)",
    "UPDATE s SET b = ?2 WHERE id = ?1",
    "UPDATE s SET a = ?2 WHERE id > ?1",
    "DELETE FROM s WHERE id = ?1 OR id = ?2",
    "INSERT OR REPLACE INTO m(id, a, b) VALUES (?1, ?2, 1)",
    "UPDATE m SET b = ?2 WHERE id = ?1",
    "DELETE FROM m WHERE id = ?1 AND a <> ?2",
    "INSERT INTO g VALUES (?1, ?2, 1, 5, 0) ON CONFLICT(id) DO UPDATE SET d = excluded.a",
    "INSERT INTO g VALUES (?1, 1, ?2, 4, 0) ON CONFLICT(id) DO UPDATE SET a = excluded.b",
    "UPDATE g SET a = ?2 WHERE id = ?1",
    "UPDATE g SET b = ?2 WHERE id = ?1",
    "UPDATE g SET c = ?2 WHERE id = ?1",
    "UPDATE g SET d = ?2 WHERE id >= ?1",
    "UPDATE OR REPLACE g SET id = ?1, d = 1 WHERE id = ?2",
    "UPDATE OR REPLACE g SET d = 2, rowid = ?1 WHERE d = ?2",
    "INSERT OR REPLACE INTO h(id, a, b) VALUES (?1, ?2, 1)",
    "UPDATE h SET a = ?2 WHERE id = ?1",
    "UPDATE h SET b = ?2 WHERE id = ?1",
    "INSERT OR REPLACE INTO w VALUES (?1, ?2, ?1, ?1 + ?2)",
    "UPDATE w SET b = ?2 WHERE k = ?1",
    "UPDATE OR REPLACE w SET c = ?1 + 1 WHERE k = ?2",
    "UPDATE OR REPLACE w SET k = ?2, c = -1 WHERE k = ?1",
    "INSERT OR IGNORE INTO tree VALUES (?1, ?1, (SELECT max(code) FROM tree WHERE id < ?1), ?2)",
    "UPDATE tree SET a = ?2 WHERE id = ?1",
    "UPDATE OR IGNORE tree SET code = ?1 + ?2 WHERE id = ?1",
    "UPDATE OR REPLACE tree SET code = ?1 + ?2 WHERE id = ?1",
    "UPDATE OR IGNORE tree SET id = ?1 + ?2 WHERE id = ?1",
};

/* A batch: row ids side by side, upwards or downwards, or with gaps. */
typedef struct draft {
    const char *sql;
    rsq_value values[2 * ROWS];
    size_t rows;
} draft;

static draft some_batch(uint64_t *seed)
{
    static const int64_t strides[] = {1, 1, 1, -1, 2, 0};
    int64_t at = (int64_t)(fixture_random(seed) % 40), stride = strides[fixture_random(seed) % 6];
    draft d = {.sql = writes[fixture_random(seed) % LENGTH(writes)], .rows = 1 + fixture_random(seed) % ROWS};

    for (size_t i = 0; i < d.rows; i++, at += stride) {
        d.values[2 * i] = rsq_integer(at);
        d.values[2 * i + 1] = rsq_integer((int64_t)(fixture_random(seed) % 8));
    }
    return d;
}

/* Two batches of one transaction. */
static rsq_code run_two(rsq_tx *tx, void *ctx)
{
    const draft *d = ctx;
    rsq_code rc = rsq_tx_execute_batch(tx, d[0].sql, d[0].values, d[0].rows, 2, NULL, NULL, NULL);

    return rc == RSQ_OK ? rsq_tx_execute_batch(tx, d[1].sql, d[1].values, d[1].rows, 2, NULL, NULL, NULL)
                        : rc;
}

static void expect_same_tables(const rsq_result *a, const rsq_result *b, const char *sql)
{
    size_t n, m;
    const char *const *names = rsq_result_changed_tables(a, &n);

    rsq_result_changed_tables(b, &m);
    for (size_t i = 0; i < n; i++) {
        if (!fixture_changed(b, names[i]))
            fail_msg("only with shortcuts %s is changed by %s", names[i], sql);
    }
    if (n != m || rsq_result_changes(a) != rsq_result_changes(b))
        fail_msg("%s: %zu tables, %" PRId64 " rows, or %zu and %" PRId64, sql, n, rsq_result_changes(a), m,
                 rsq_result_changes(b));
}

static rsq_code run_one(fixture *f, rsq_db *db, const draft *d, rsq_result **r)
{
    if (d->rows == 1)
        return rsq_execute(db, d->sql, d->values, 2, NULL, r, &f->err);
    return rsq_execute_batch(db, d->sql, d->values, d->rows, 2, NULL, r, &f->err);
}

/* On both databases; the first takes shortcuts. */
static void write_both(fixture *f, rsq_db *const *dbs, uint64_t *seed, draft *d)
{
    rsq_result *r[2] = {NULL, NULL};
    bool two = fixture_random(seed) % 4 == 0;

    d[0] = some_batch(seed);
    d[1] = some_batch(seed);
    for (size_t i = 0; i < 2 && two; i++)
        WANT(f, RSQ_OK, rsq_transaction(dbs[i], run_two, d, NULL, &f->err));
    if (two)
        return;
    for (size_t i = 0; i < 2; i++)
        WANT(f, RSQ_OK, run_one(f, dbs[i], d, &r[i]));
    expect_same_tables(r[0], r[1], d->sql);
    rsq_result_unref(r[0]);
    rsq_result_unref(r[1]);
}

/* A statement that sets other columns to what they were spares by column, or by key, if it is known which it
 * sets, and by value if not. */
static uint64_t spared(const rsq_stream_counters *c)
{
    return c->spared_by_column + c->spared_by_value + c->spared_by_key;
}

static void expect_same_counters(probe *a, probe *b, const char *query, const char *sql)
{
    rsq_stream_counters x = probe_stats(a), y = probe_stats(b);

    if (x.woken != y.woken || spared(&x) != spared(&y) || x.spared_by_value > y.spared_by_value)
        fail_msg("%s and %s: woken %" PRIu64 " and %" PRIu64 " times, spared by column %" PRIu64
                 " and %" PRIu64 ", value %" PRIu64 " and %" PRIu64 ", key %" PRIu64 " and %" PRIu64,
                 query, sql, x.woken, y.woken, x.spared_by_column, y.spared_by_column, x.spared_by_value,
                 y.spared_by_value, x.spared_by_key, y.spared_by_key);
}

static void the_same_queries_are_woken(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_SHORTCUTS};
    char *path = fixture_file(f, "without.db");
    rsq_db *dbs[2] = {fixture_open(f, NULL), fixture_open_path(f, path, &opts)};
    uint64_t seed = fixture_seed("shortcuts");
    probe *probes[STREAMS][2];
    draft d[2];

    for (size_t i = 0; i < 2 * LENGTH(schema); i++)
        fixture_exec(f, dbs[i % 2], schema[i / 2], __FILE__, __LINE__);
    for (size_t i = 0; i < STREAMS; i++) {
        int64_t low = (int64_t)(fixture_random(&seed) % 40);
        rsq_value range[2] = {rsq_integer(low), rsq_integer(low + 2 + (int64_t)(fixture_random(&seed) % 9))};

        for (size_t j = 0; j < 2; j++) {
            probes[i][j] = probe_open(f, dbs[j], fixture_queue(f), queries[i % LENGTH(queries)], range, 2,
                                      __FILE__, __LINE__);
            assert_int_equal(probe_await(probes[i][j], __FILE__, __LINE__)->kind, RSQ_EVENT_RESULT);
        }
    }
    for (unsigned n = 0; n < COMMITS; n++) {
        write_both(f, dbs, &seed, d);
        for (size_t i = 0; i < STREAMS; i++)
            expect_same_counters(probes[i][0], probes[i][1], queries[i % LENGTH(queries)], d[0].sql);
        if (n % 32 == 0)
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(fixture_queue(f), 0, NULL));
    }
    for (size_t i = 0; i < STREAMS; i++) {
        probe_close(probes[i][0]);
        probe_close(probes[i][1]);
    }
    rsq_close(dbs[1]);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_trigger_of_a_later_row),   CASE(a_foreign_key_of_a_later_row),
        CASE(tables_behind_others),       CASE(it_is_looked_at_what_comes_next),
        CASE(changes_are_counted),        CASE(an_answer_differs_anywhere),
        CASE(the_same_queries_are_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
