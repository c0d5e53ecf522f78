/*
 * Writes: §5 and §6 of the reference's behaviours, and what a write's result says about itself: how many
 * rows, which tables, which commit.
 */
#include "fixture.h"

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"

static rsq_result *execute_with(fixture *f, const char *sql, const rsq_value *params, size_t n)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_execute(f->db, sql, params, n, NULL, &r, &f->err));
    assert_non_null(r);
    return r;
}

/* Run a write; its number of rows and last row id must be these. */
static void expect_write(fixture *f, const char *sql, int64_t changes, int64_t last_rowid)
{
    rsq_result *r = execute_with(f, sql, NULL, 0);

    assert_int_equal(rsq_result_changes(r), changes);
    assert_int_equal(rsq_result_last_insert_rowid(r), last_rowid);
    rsq_result_unref(r);
}

/* The write must fail with this code and give no result. */
static void expect_refused(fixture *f, rsq_code code, const char *sql, const rsq_value *params, size_t n)
{
    rsq_result *r = NULL;

    WANT(f, code, rsq_execute(f->db, sql, params, n, NULL, &r, &f->err));
    assert_null(r);
}

/* ------------------------------------------------------------ single writes -- */

/* W01: an INSERT says one row and its row id. */
static void insert_says_its_row(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    expect_write(f, "INSERT INTO items(name) VALUES ('alice')", 1, 1);
    expect_write(f, "INSERT INTO items(name) VALUES ('bob')", 1, 2);
}

/* W02, W03: UPDATE and DELETE say how many rows; the rest of the table is as it was. */
static void update_and_delete_say_how_many(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(name) VALUES ('alice'), ('bob'), ('charlie')");
    expect_write(f, "UPDATE items SET name = name || '!' WHERE id > 1", 2, 3);
    expect_write(f, "DELETE FROM items WHERE id <= 2", 2, 3);
    expect_write(f, "DELETE FROM items WHERE id = 77", 0, 3);
    EXPECT_ROWS(f, "SELECT name FROM items", "'charlie!'");
}

/* W04: a change of the schema changes no rows, also right after a statement that did. */
static void schema_change_says_no_rows(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    expect_write(f, ITEMS, 0, 0);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b')");
    expect_write(f, "CREATE INDEX by_name ON items(name)", 0, 2);
    expect_write(f, "CREATE TABLE copy AS SELECT * FROM items WHERE id = 1", 0, 2);
    expect_write(f, "DROP TABLE copy", 0, 2);
}

/* W05: the same without parameters and with several rows. */
static void several_rows_without_parameters(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    expect_write(f, "INSERT INTO items(name) VALUES ('a')", 1, 1);
    expect_write(f, "INSERT INTO items(id, name) VALUES (40, 'b')", 1, 40);
    expect_write(f, "INSERT INTO items(name) VALUES ('c'), ('d'), ('e')", 3, 43);
    expect_write(f, "DELETE FROM items WHERE id IN (1, 40)", 2, 43);
}

/* W06 in C: a string of several statements is refused, with parameters and without, and none of it runs. */
static void several_statements_are_refused(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_integer(1);

    fixture_open(f, NULL);
    expect_refused(f, RSQ_EINVAL, "CREATE TABLE a(x); CREATE TABLE b(x);", NULL, 0);
    EXEC(f, "CREATE TABLE a(x);");
    expect_refused(f, RSQ_EINVAL, "INSERT INTO a VALUES (?); DELETE FROM a", &v, 1);
    EXPECT_ROWS(f, "SELECT count(*) FROM a", "0");
    EXPECT_ROWS(f, "SELECT name FROM sqlite_schema", "'a'");
}

/* W07: an INSERT into a table that is missing says so. */
static void missing_table(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    expect_refused(f, RSQ_ESQL, "INSERT INTO missing VALUES (1)", NULL, 0);
    assert_int_equal(f->err.sqlite_code, 1);
    assert_non_null(strstr(f->err.message, "no such table: missing"));
    EXEC(f, ITEMS);
}

/* W08: a cached INSERT called with too few parameters is refused; it does not write the parameters of last
 * time. */
static void wrong_number_of_parameters(void **state)
{
    fixture *f = *state;
    const rsq_value v[] = {rsq_text("first"), rsq_text("more")};

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    rsq_result_unref(execute_with(f, "INSERT INTO items(name) VALUES (?)", v, 1));
    expect_refused(f, RSQ_EINVAL, "INSERT INTO items(name) VALUES (?)", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "INSERT INTO items(name) VALUES (?)", v, 2);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'first'");
}

/* W09: a violated constraint has SQLite's extended code and its own text; the next write works. */
static void unique_violation(void **state)
{
    fixture *f = *state;
    const rsq_value v[] = {rsq_integer(1), rsq_text("b")};

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items VALUES (1, 'a')");
    expect_refused(f, RSQ_ESQL, "INSERT INTO items VALUES (?, ?)", v, 2);
    assert_int_equal(f->err.sqlite_code, 1555); /* SQLITE_CONSTRAINT_PRIMARYKEY */
    assert_string_equal(f->err.message, "UNIQUE constraint failed: items.id");
    assert_int_equal(f->err.row, -1);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'a'");
    EXEC(f, "INSERT INTO items VALUES (2, 'c')");
}

/* Each kind of constraint: its code, nothing of the statement is kept, and the connection goes on. */
static void other_violations(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *sql;
        int sqlite_code;
    } cases[] = {
        {"INSERT INTO t(id, positive) VALUES (7, 1), (8, 2), (9, -1)", 275}, /* CHECK */
        {"INSERT INTO t(id, name) VALUES (7, 'x'), (8, NULL)", 1299},        /* NOT NULL */
        {"INSERT INTO t(id, code) VALUES (7, 5), (8, 5)", 2067},             /* UNIQUE */
        {"INSERT INTO t(id, parent) VALUES (7, 1), (8, 99)", 787},           /* FOREIGN KEY */
        {"INSERT INTO t(id, code) VALUES (7, 666)", 1811},                   /* RAISE in a trigger */
        {"UPDATE t SET id = 'text' WHERE id = 1", 20},                       /* MISMATCH */
    };

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', code UNIQUE, "
            "positive CHECK(positive > 0), parent REFERENCES t(id))");
    EXEC(f, "CREATE TRIGGER no_666 BEFORE INSERT ON t WHEN new.code = 666 "
            "BEGIN SELECT raise(ABORT, 'not that one'); END");
    EXEC(f, "INSERT INTO t(id) VALUES (1)");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        expect_refused(f, RSQ_ESQL, cases[i].sql, NULL, 0);
        if (f->err.sqlite_code != cases[i].sqlite_code)
            fail_msg("%s: code %d", cases[i].sql, (int)f->err.sqlite_code);
        EXPECT_ROWS(f, "SELECT id FROM t", "1");
    }
    EXEC(f, "INSERT INTO t(id, code) VALUES (2, 5)");
}

/* ON CONFLICT does what SQL says: FAIL keeps the rows before, ABORT none, IGNORE skips, REPLACE replaces, and
 * ROLLBACK leaves no transaction behind. */
static void conflict_clauses(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    EXEC(f, "INSERT INTO t VALUES (3, 'old')");
    expect_refused(f, RSQ_ESQL, "INSERT OR ABORT INTO t VALUES (1, 'a'), (3, 'b')", NULL, 0);
    EXPECT_ROWS(f, "SELECT * FROM t", "3|'old'");
    expect_refused(f, RSQ_ESQL, "INSERT OR ROLLBACK INTO t VALUES (1, 'a'), (3, 'b')", NULL, 0);
    EXPECT_ROWS(f, "SELECT * FROM t", "3|'old'");
    expect_refused(f, RSQ_ESQL, "INSERT OR FAIL INTO t VALUES (1, 'kept'), (3, 'b')", NULL, 0);
    EXPECT_ROWS(f, "SELECT * FROM t", "1|'kept'\n3|'old'");
    expect_write(f, "INSERT OR IGNORE INTO t VALUES (3, 'b'), (4, 'd')", 1, 4);
    expect_write(f, "INSERT OR REPLACE INTO t VALUES (3, 'new')", 1, 3);
    EXPECT_ROWS(f, "SELECT * FROM t", "1|'kept'\n3|'new'\n4|'d'");
}

typedef struct crew {
    rsq_db *db;
    verdict verdict;
} crew;

static void run_crew(fixture *f, size_t n, void (*fn)(size_t index, void *ctx))
{
    crew c = {.db = f->db};

    verdict_init(&c.verdict);
    crew_run(n, fn, &c);
    VERDICT(&c.verdict);
}

static void insert_one(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_value v = rsq_integer((int64_t)index);
    rsq_result *r = NULL;
    rsq_error err;

    BLAME(&c->verdict, rsq_execute(c->db, "INSERT INTO t(v) VALUES (?)", &v, 1, NULL, &r, &err) == RSQ_OK,
          &err);
    if (r)
        BLAME(&c->verdict, rsq_result_changes(r) == 1 && rsq_result_last_insert_rowid(r) > 0, NULL);
    rsq_result_unref(r);
}

/* W10: 20 threads insert at once, and all rows are there. */
static void concurrent_inserts(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    run_crew(f, 20, insert_one);
    EXPECT_ROWS(f, "SELECT count(*), count(DISTINCT v), max(id) FROM t", "20|20|20");
}

static void insert_many_and_check_own_id(size_t index, void *ctx)
{
    crew *c = ctx;

    for (int i = 0; i < 16; i++) {
        const rsq_value v[] = {rsq_integer((int64_t)index), rsq_integer(i)};
        rsq_value id;
        rsq_result *w = NULL, *r = NULL;
        rsq_error err;

        if (rsq_execute(c->db, "INSERT INTO t(v, i) VALUES (?, ?)", v, 2, NULL, &w, &err) != RSQ_OK) {
            BLAME(&c->verdict, false, &err);
            return;
        }
        id = rsq_integer(rsq_result_last_insert_rowid(w));
        BLAME(&c->verdict,
              rsq_select(c->db, "SELECT v, i FROM t WHERE id = ?", &id, 1, NULL, &r, &err) == RSQ_OK, &err);
        if (r)
            BLAME(&c->verdict, rsq_result_int64(r, 0, 0) == (int64_t)index && rsq_result_int64(r, 0, 1) == i,
                  NULL);
        rsq_result_unref(w);
        rsq_result_unref(r);
    }
}

/* W12: of 64 inserts by several threads, each is told its own row id and not a neighbour's, and the inserts
 * of one thread are in the table in its order. */
static void each_insert_gets_its_own_result(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v, i)");
    run_crew(f, 4, insert_many_and_check_own_id);
    EXPECT_ROWS(f, "SELECT count(*), max(id) FROM t", "64|64");
    EXPECT_ROWS(f,
                "SELECT v, i FROM (SELECT v, i, lag(i, 1, -1) OVER (PARTITION BY v ORDER BY id) AS p FROM t) "
                "WHERE i <> p + 1",
                "");
}

static void insert_or_fail(size_t index, void *ctx)
{
    crew *c = ctx;
    char name[16];
    rsq_value v = rsq_null();
    rsq_error err;
    rsq_code rc;

    snprintf(name, sizeof name, "ok_%zu", index);
    if (index % 2 == 0)
        v = rsq_text(name);
    rc = rsq_execute(c->db, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, NULL, &err);
    BLAME(&c->verdict, rc == (index % 2 ? RSQ_ESQL : RSQ_OK), NULL);
}

/* W13: of ten inserts at once, those that violate NOT NULL fail alone. */
static void failures_are_private(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    run_crew(f, 10, insert_or_fail);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY name", "'ok_0'\n'ok_2'\n'ok_4'\n'ok_6'\n'ok_8'");
}

typedef struct outside_write {
    rsq_db *db;
    rsq_code code;
} outside_write;

static void run_outside(void *ctx)
{
    outside_write *o = ctx;

    o->code = rsq_execute(o->db, "INSERT INTO items(name) VALUES ('outside_tx')", NULL, 0, NULL, NULL, NULL);
}

/* W15: a write that is issued while a transaction is open waits for its end. */
static void write_waits_for_the_open_transaction(void **state)
{
    fixture *f = *state;
    thread other;
    parked *p;
    outside_write o;

    o.db = fixture_open(f, NULL);
    EXEC(f, ITEMS);
    p = fixture_park(f, f->db);
    thread_start(&other, run_outside, &o);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    assert_false(gate_is_open(&other.done));
    parked_go(p);
    parked_join(p);
    THREAD_JOIN(&other);
    WANT_CODE(RSQ_OK, o.code);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'first'\n'second'\n'outside_tx'");
}

static rsq_code body_unreachable(rsq_tx *tx, void *ctx)
{
    (void)tx;
    *(bool *)ctx = true;
    return RSQ_OK;
}

/* A write does not wait for ever: after its deadline it says who holds the writer, and nothing of it happens.
 */
static void deadline_of_a_waiting_write(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 5};
    rsq_value v = rsq_text("late");
    bool called = false;
    parked *p;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    p = fixture_park(f, f->db);
    WANT(f, RSQ_ETIMEOUT,
         rsq_execute(f->db, "INSERT INTO items(name) VALUES ('late')", NULL, 0, &soon, NULL, &f->err));
    assert_non_null(strstr(f->err.message, "a transaction"));
    WANT(f, RSQ_ETIMEOUT,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, &soon, NULL, &f->err));
    WANT(f, RSQ_ETIMEOUT, rsq_transaction(f->db, body_unreachable, &called, &soon, &f->err));
    assert_false(called);
    parked_go(p);
    parked_join(p);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'first'\n'second'");
}

/* The option lease_timeout_ms is the deadline of calls that have none of their own. */
static void default_deadline_of_a_waiting_write(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .lease_timeout_ms = 5};
    parked *p;

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    p = fixture_park(f, f->db);
    expect_refused(f, RSQ_ETIMEOUT, "INSERT INTO items(name) VALUES ('late')", NULL, 0);
    parked_go(p);
    parked_join(p);
    EXEC(f, "INSERT INTO items(name) VALUES ('in time')");
}

/* Another process holds the write lock for longer than the busy timeout: RSQ_EBUSY, nothing done; then it
 * goes on. */
static void write_lock_of_another_process(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 10};
    const char *const sql[] = {"BEGIN IMMEDIATE; INSERT INTO items VALUES (50, 'theirs')", "-", "COMMIT"};
    rsq_value v = rsq_text("ours");
    bool called = false;
    foreign x;

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    foreign_start(f, &x, f->path, sql, LENGTH(sql));
    foreign_await(&x);
    expect_refused(f, RSQ_EBUSY, "INSERT INTO items(name) VALUES ('ours')", NULL, 0);
    assert_int_equal(f->err.sqlite_code & 0xff, 5);
    WANT(f, RSQ_EBUSY,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EBUSY, rsq_transaction(f->db, body_unreachable, &called, NULL, &f->err));
    assert_false(called);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    foreign_go(&x);
    free(foreign_finish(&x));
    expect_write(f, "INSERT INTO items(name) VALUES ('ours')", 1, 51);
    EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id", "'theirs'\n'ours'");
}

/* ------------------------------------------------------------------ the result -- */

/* Rows of RETURNING are in the result, with names, for INSERT, UPDATE and DELETE; triggers' rows are not. */
static void returning(void **state)
{
    fixture *f = *state;
    const rsq_value v[] = {rsq_text("a"), rsq_text("b")};
    rsq_result *r;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    r = execute_with(f, "INSERT INTO items(name) VALUES (?), (?) RETURNING id AS key, upper(name)", v, 2);
    EXPECT_RESULT(r, "1|'A'\n2|'B'");
    assert_string_equal(rsq_result_column_name(r, 0), "key");
    assert_int_equal(rsq_result_changes(r), 2);
    rsq_result_unref(r);
    r = execute_with(f, "UPDATE items SET name = 'c' WHERE id = 2 RETURNING *", NULL, 0);
    EXPECT_RESULT(r, "2|'c'");
    rsq_result_unref(r);
    r = execute_with(f, "DELETE FROM items WHERE id > 100 RETURNING id", NULL, 0);
    EXPECT_RESULT(r, "");
    assert_int_equal(rsq_result_columns(r), 1);
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_execute(f->db, "DELETE FROM items RETURNING id", NULL, 0, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* The changed tables of a statement, sorted and joined by a space; freed by the caller. */
static void expect_changed(fixture *f, const char *sql, const char *expected)
{
    rsq_result *r = execute_with(f, sql, NULL, 0);
    char list[256] = "", copy[256];
    size_t n = 99, expected_n = 0;

    rsq_result_changed_tables(r, &n);
    snprintf(copy, sizeof copy, "%s", expected);
    for (char *name = strtok(copy, " "); name; name = strtok(NULL, " "), expected_n++) {
        if (!fixture_changed(r, name))
            fail_msg("%s: %s is not among the changed tables", sql, name);
    }
    for (size_t i = 0; i < n && strlen(list) < 200; i++) {
        strncat(list, rsq_result_changed_tables(r, &n)[i], 40);
        strcat(list, " ");
    }
    if (n != expected_n)
        fail_msg("%s: changed tables are %s", sql, list);
    rsq_result_unref(r);
}

/* The changed tables include what triggers and foreign-key actions changed and the victims of REPLACE, and
 * nothing that was only read. */
static void changed_tables(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE parent(id INTEGER PRIMARY KEY, code UNIQUE, v)");
    EXEC(f, "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE)");
    EXEC(f, "CREATE TABLE audit(what)");
    EXEC(f, "CREATE TABLE plain(k PRIMARY KEY, v) WITHOUT ROWID");
    EXEC(f, "CREATE TRIGGER log AFTER UPDATE ON parent WHEN new.v = 'log' "
            "BEGIN INSERT INTO audit VALUES (new.id); END");
    expect_changed(f, "INSERT INTO parent VALUES (1, 'a', 0), (2, 'b', 0)", "main.parent");
    expect_changed(f, "INSERT INTO child VALUES (1, 1), (2, 1)", "main.child");
    expect_changed(f, "UPDATE parent SET v = 'quiet'", "main.parent");
    expect_changed(f, "UPDATE parent SET v = 'log' WHERE id = 2", "main.parent main.audit");
    expect_changed(f, "INSERT INTO plain SELECT id, v FROM parent", "main.plain");
    expect_changed(f, "DELETE FROM plain", "main.plain");
    expect_changed(f, "DELETE FROM parent WHERE id = 99", "");
    expect_changed(f, "DELETE FROM parent WHERE id = 1", "main.parent main.child");
    EXEC(f, "INSERT INTO child VALUES (9, 2)");
    /* The row with code 'b' is the victim of a conflict on another column; its child goes with it. */
    expect_changed(f, "REPLACE INTO parent VALUES (7, 'b', 0)", "main.parent main.child");
    EXPECT_ROWS(f, "SELECT count(*) FROM child", "0");
}

/* Statements that are neither rows nor schema: VACUUM works as one statement, PRAGMAs that are stored in the
 * file count as a commit, and a SELECT may be executed, which changes nothing. */
static void other_statements(void **state)
{
    fixture *f = *state;
    rsq_result *r;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(name) VALUES ('a')");
    EXEC(f, "VACUUM");
    EXEC(f, "ANALYZE");
    r = execute_with(f, "PRAGMA user_version = 7", NULL, 0);
    assert_true(rsq_result_commit_seq(r) > 0);
    rsq_result_unref(r);
    EXPECT_ROWS(f, "SELECT user_version FROM pragma_user_version", "7");
    r = execute_with(f, "SELECT name FROM items", NULL, 0);
    EXPECT_RESULT(r, "'a'");
    assert_int_equal(rsq_result_changes(r), 0);
    assert_int_equal(rsq_result_commit_seq(r), 0);
    rsq_result_unref(r);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'a'");
}

/* Numbers of commits: one more for each that changed something, none for those that did not. */
static void commit_numbers(void **state)
{
    fixture *f = *state;
    static const char *const no_ops[] = {
        "UPDATE items SET name = 'x' WHERE id = 12345",
        "DELETE FROM items WHERE id = 12345",
        "INSERT OR IGNORE INTO items VALUES (1, 'again')",
        "CREATE TABLE IF NOT EXISTS items(x)",
    };
    rsq_value v = rsq_text("batch");
    rsq_result *r;
    uint64_t seq;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    r = execute_with(f, "INSERT INTO items VALUES (1, 'a')", NULL, 0);
    seq = rsq_result_commit_seq(r);
    assert_true(seq > 0);
    rsq_result_unref(r);
    for (size_t i = 0; i < LENGTH(no_ops); i++) {
        r = execute_with(f, no_ops[i], NULL, 0);
        assert_int_equal(rsq_result_commit_seq(r), 0);
        rsq_result_unref(r);
        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &r, &f->err));
        assert_int_equal(rsq_result_commit_seq(r), seq);
        rsq_result_unref(r);
    }
    expect_refused(f, RSQ_ESQL, "INSERT INTO items VALUES (1, 'again')", NULL, 0);
    r = execute_with(f, "UPDATE items SET name = 'b'", NULL, 0);
    assert_int_equal(rsq_result_commit_seq(r), seq + 1);
    rsq_result_unref(r);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, &r, &f->err));
    assert_int_equal(rsq_result_commit_seq(r), seq + 2);
    rsq_result_unref(r);
    r = execute_with(f, "CREATE TABLE more(x)", NULL, 0);
    assert_int_equal(rsq_result_commit_seq(r), seq + 3);
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT * FROM items", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_commit_seq(r), seq + 3);
    rsq_result_unref(r);
}

/* ---------------------------------------------------------------------- batches -- */

/* B01, B02: rows of one column and of two, in order. */
static void batch_in_order(void **state)
{
    fixture *f = *state;
    const rsq_value one[] = {rsq_text("alice"), rsq_text("bob"), rsq_text("charlie")};
    const rsq_value two[] = {rsq_integer(10), rsq_text("x"),   rsq_integer(20),
                             rsq_text("y"),   rsq_integer(30), rsq_text("z")};
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", one, 3, 1, NULL, &r, &f->err));
    assert_int_equal(rsq_result_changes(r), 3);
    assert_int_equal(rsq_result_last_insert_rowid(r), 3);
    assert_true(fixture_changed(r, "main.items"));
    rsq_result_unref(r);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items VALUES (?, ?)", two, 3, 2, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'alice'\n2|'bob'\n3|'charlie'\n10|'x'\n20|'y'\n30|'z'");
}

/* B03: a thousand rows, one commit. */
static void batch_of_a_thousand(void **state)
{
    fixture *f = *state;
    rsq_value rows[1000];
    rsq_result *w, *r = NULL;
    uint64_t seq;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    w = execute_with(f, "INSERT INTO t VALUES (-1)", NULL, 0);
    seq = rsq_result_commit_seq(w);
    rsq_result_unref(w);
    for (size_t i = 0; i < LENGTH(rows); i++)
        rows[i] = rsq_integer((int64_t)i);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO t VALUES (?)", rows, LENGTH(rows), 1, NULL, &r, &f->err));
    assert_int_equal(rsq_result_changes(r), 1000);
    assert_int_equal(rsq_result_commit_seq(r), seq + 1);
    rsq_result_unref(r);
    EXPECT_ROWS(f, "SELECT count(*), sum(v) FROM t WHERE v >= 0", "1000|499500");
}

/* B04: no rows are no work, but wrong arguments are still wrong. */
static void batch_without_rows(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", NULL, 0, 1, NULL, &r, &f->err));
    assert_non_null(r);
    assert_int_equal(rsq_result_changes(r), 0);
    assert_int_equal(rsq_result_commit_seq(r), 0);
    rsq_result_unref(r);
    WANT(f, RSQ_EINVAL,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", NULL, 0, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, NULL, NULL, 0, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, "nonsense", NULL, 0, 0, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* B05, B06: a row that fails undoes the batch, and the error names the row. */
static void batch_is_all_or_nothing(void **state)
{
    fixture *f = *state;
    const rsq_value names[] = {rsq_text("alice"), rsq_null(), rsq_text("charlie")};
    const rsq_value keys[] = {rsq_integer(1), rsq_text("a"), rsq_integer(2), rsq_text("b"),
                              rsq_integer(9), rsq_text("c"), rsq_integer(3), rsq_text("d")};

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_ESQL,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, 3, 1, NULL, NULL, &f->err));
    assert_int_equal(f->err.sqlite_code, 1299);
    assert_int_equal(f->err.row, 1);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    EXEC(f, "INSERT INTO items VALUES (9, 'seed')");
    WANT(f, RSQ_ESQL,
         rsq_execute_batch(f->db, "INSERT INTO items VALUES (?, ?)", keys, 4, 2, NULL, NULL, &f->err));
    assert_int_equal(f->err.sqlite_code & 0xff, 19);
    assert_int_equal(f->err.row, 2);
    EXPECT_ROWS(f, "SELECT * FROM items", "9|'seed'");
}

/* B07 in C: a matrix whose width is not the statement's number of parameters, or that is not there, or whose
 * size overflows, is refused before anything runs; a right one follows. */
static void batch_of_the_wrong_width(void **state)
{
    fixture *f = *state;
    const rsq_value v[] = {rsq_integer(1), rsq_text("a"), rsq_integer(2), rsq_text("b")};
    const char *sql = "INSERT INTO items VALUES (?, ?)";

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, sql, v, 4, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, sql, v, 1, 4, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, sql, v, 2, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, sql, NULL, 2, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(NULL, sql, v, 2, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, sql, v, SIZE_MAX / 16, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_batch(f->db, "SELECT ?, ?", v, 2, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL,
         rsq_execute_batch(f->db, "EXPLAIN INSERT INTO items VALUES (?, ?)", v, 2, 2, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    WANT(f, RSQ_OK, rsq_execute_batch(f->db, sql, v, 2, 2, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "2");
}

/* B08: malformed SQL in a batch leaves no transaction open. */
static void batch_of_malformed_sql(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_integer(1);

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, "INSERT INTO items VALUE (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, "INSERT INTO none VALUES (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL,
         rsq_execute_batch(f->db, "DELETE FROM items WHERE id = ?; DELETE FROM items", &v, 1, 1, NULL, NULL,
                           &f->err));
    WANT(f, RSQ_EREFUSED, rsq_execute_batch(f->db, "COMMIT", &v, 1, 0, NULL, NULL, &f->err));
    EXEC(f, "INSERT INTO items(name) VALUES ('next')");
    EXPECT_ROWS(f, "SELECT name FROM items", "'next'");
}

/* What the bodies below look at; a body does not assert, it returns a code. */
static rsq_code count_is(rsq_tx *tx, int64_t expected)
{
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_select(tx, "SELECT count(*) FROM items", NULL, 0, NULL, &r, NULL);

    if (rc == RSQ_OK && rsq_result_int64(r, 0, 0) != expected)
        rc = RSQ_EINVAL;
    rsq_result_unref(r);
    return rc;
}

static rsq_code batch_of_three(rsq_tx *tx, rsq_error *err)
{
    const rsq_value v[] = {rsq_text("a"), rsq_text("b"), rsq_text("c")};

    return rsq_tx_execute_batch(tx, "INSERT INTO items(name) VALUES (?)", v, 3, 1, NULL, NULL, err);
}

static rsq_code batch_body(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc = batch_of_three(tx, &f->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_execute_batch(tx, "INSERT INTO items(name) VALUES (?)", NULL, 0, 1, NULL, NULL, &f->err);
    return rc == RSQ_OK ? count_is(tx, 3) : rc;
}

/* B09, B11, B04 inside: a batch in a transaction is part of it: seen inside, durable with it. */
static void batch_in_a_transaction(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK, rsq_transaction(f->db, batch_body, f, NULL, &f->err));
    fixture_close(f);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items", "'a'\n'b'\n'c'");
}

static rsq_code failing_inner(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc = batch_of_three(tx, &f->err);

    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

static rsq_code outer_of_failing_inner(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code rc =
        rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('outer')", NULL, 0, NULL, NULL, &f->err);

    if (rc == RSQ_OK && rsq_tx_transaction(tx, failing_inner, f, NULL) != RSQ_ECANCELLED)
        rc = RSQ_EINVAL;
    return rc == RSQ_OK ? count_is(tx, 1) : rc;
}

/* B10: of a nested transaction that fails, only its rows vanish. */
static void batch_in_a_failing_savepoint(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK, rsq_transaction(f->db, outer_of_failing_inner, f, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'outer'");
}

static rsq_code failing_batch_body(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    const rsq_value v[] = {rsq_text("a"), rsq_null()};
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('before')", NULL, 0, NULL, NULL, NULL);

    if (rc == RSQ_OK && rsq_tx_execute_batch(tx, "INSERT INTO items(name) VALUES (?)", v, 2, 1, NULL, NULL,
                                             &f->err) != RSQ_ESQL)
        rc = RSQ_EINVAL;
    return rc == RSQ_OK ? count_is(tx, 1) : rc;
}

/* A batch that fails in a transaction is undone alone, all rows of it; the transaction goes on and commits.
 */
static void failing_batch_in_a_transaction(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK, rsq_transaction(f->db, failing_batch_body, f, NULL, NULL));
    assert_int_equal(f->err.row, 1);
    EXPECT_ROWS(f, "SELECT name FROM items", "'before'");
}

/* Parameters are the caller's memory, bound in place: large ones too, and nothing is kept after the call. */
static void large_parameters(void **state)
{
    fixture *f = *state;
    enum { SIZE = 3 << 20 };
    char *bytes = malloc(SIZE);
    rsq_value v;

    assert_non_null(bytes);
    memset(bytes, 'x', SIZE);
    v = rsq_text_n(bytes, SIZE);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    rsq_result_unref(execute_with(f, "INSERT INTO t VALUES (?)", &v, 1));
    memset(bytes, 'y', SIZE);
    v = rsq_blob(bytes, SIZE);
    rsq_result_unref(execute_with(f, "INSERT INTO t VALUES (?)", &v, 1));
    free(bytes);
    EXPECT_ROWS(f, "SELECT typeof(v), length(v), substr(v, -1) FROM t",
                "'text'|3145728|'x'\n'blob'|3145728|x'79'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(insert_says_its_row),
        CASE(update_and_delete_say_how_many),
        CASE(schema_change_says_no_rows),
        CASE(several_rows_without_parameters),
        CASE(several_statements_are_refused),
        CASE(missing_table),
        CASE(wrong_number_of_parameters),
        CASE(unique_violation),
        CASE(other_violations),
        CASE(conflict_clauses),
        CASE(concurrent_inserts),
        CASE(each_insert_gets_its_own_result),
        CASE(failures_are_private),
        CASE(write_waits_for_the_open_transaction),
        CASE(deadline_of_a_waiting_write),
        CASE(default_deadline_of_a_waiting_write),
        CASE(write_lock_of_another_process),
        CASE(returning),
        CASE(changed_tables),
        CASE(other_statements),
        CASE(commit_numbers),
        CASE(batch_in_order),
        CASE(batch_of_a_thousand),
        CASE(batch_without_rows),
        CASE(batch_is_all_or_nothing),
        CASE(batch_of_the_wrong_width),
        CASE(batch_of_malformed_sql),
        CASE(batch_in_a_transaction),
        CASE(batch_in_a_failing_savepoint),
        CASE(failing_batch_in_a_transaction),
        CASE(large_parameters),
    };

    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
