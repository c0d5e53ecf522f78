/*
 * Transactions: §7 of the reference's behaviours.
 *
 * The body of a transaction is a function, so each test has small functions beside it. They do not assert,
 * since a jump out of a body would leave the transaction open; they return a code, and what they saw is in
 * their notes.
 *
 * A body's handle that is used after its end has no test here: it is borrowed for the length of the body, and
 * after that it is a dangling pointer, which only a sanitizer can judge. What can be tested, and is: after
 * SQLite itself ended the transaction inside the body, the handle says so. Handles of interactive
 * transactions, which may be used after their end, are in test_begin.c.
 */
#include "fixture.h"

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
#define OTHERS "CREATE TABLE others(id INTEGER PRIMARY KEY, item INTEGER)"
#define DEFERRED \
    "CREATE TABLE child(id INTEGER PRIMARY KEY, item REFERENCES items(id) DEFERRABLE INITIALLY DEFERRED)"

/* What a body is given and what it leaves. */
typedef struct notes {
    fixture *f;
    rsq_code give;  /* what the body returns when all its calls were right */
    rsq_code inner; /* what a nested transaction returned */
    int64_t seen, rowid;
    bool called;
    rsq_error err;
} notes;

static rsq_code insert(rsq_tx *tx, const char *name, notes *n)
{
    rsq_value v = rsq_text(name);

    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, NULL, &n->err);
}

static rsq_code count(rsq_tx *tx, const char *sql, notes *n)
{
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_select(tx, sql, NULL, 0, NULL, &r, &n->err);

    if (rc == RSQ_OK)
        n->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    return rc;
}

/* Run a body; it must end with this code. Returns its notes. */
static notes run(fixture *f, rsq_tx_fn body, rsq_code give, rsq_code expected)
{
    notes n = {.f = f, .give = give, .inner = RSQ_EINVAL};

    WANT(f, expected, rsq_transaction(f->db, body, &n, NULL, &f->err));
    return n;
}

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, OTHERS);
}

/* ------------------------------------------------------------------ one level -- */

static rsq_code two_inserts(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "alice", n);

    if (rc == RSQ_OK)
        rc = insert(tx, "bob", n);
    return rc == RSQ_OK ? n->give : rc;
}

/* T01: what a transaction wrote is there after it, also for the next one who opens the file. */
static void commits(void **state)
{
    fixture *f = *state;

    start(f);
    run(f, two_inserts, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'");
    fixture_close(f);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'");
}

/* T02: what the body returns comes back as it is, and all is undone; for every code, known or not. */
static void body_error_rolls_back(void **state)
{
    fixture *f = *state;
    static const rsq_code codes[] = {RSQ_ECANCELLED, RSQ_EMISUSE, RSQ_ENOMEM, RSQ_EINVAL};

    start(f);
    for (size_t i = 0; i < LENGTH(codes); i++) {
        run(f, two_inserts, codes[i], codes[i]);
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    }
    run(f, two_inserts, RSQ_OK, RSQ_OK);
}

static rsq_code insert_and_count(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "second", n);

    return rc == RSQ_OK ? count(tx, "SELECT count(*) FROM items", n) : rc;
}

/* T03: a read inside sees what the transaction wrote; a read outside does not. */
static void reads_own_writes(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items(name) VALUES ('first')");
    assert_int_equal(run(f, insert_and_count, RSQ_OK, RSQ_OK).seen, 2);
}

static rsq_code insert_and_note_id(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, &r, &n->err);

    if (rc == RSQ_OK) {
        n->rowid = rsq_result_last_insert_rowid(r);
        n->seen = (int64_t)rsq_result_commit_seq(r);
    }
    rsq_result_unref(r);
    return rc;
}

/* T04: the body gives values out through its context; a write inside has no commit number yet. */
static void body_gives_values(void **state)
{
    fixture *f = *state;
    notes n;

    start(f);
    n = run(f, insert_and_note_id, RSQ_OK, RSQ_OK);
    assert_int_equal(n.rowid, 1);
    assert_int_equal(n.seen, 0);
}

static rsq_code do_nothing(rsq_tx *tx, void *ctx)
{
    (void)tx;
    ((notes *)ctx)->called = true;
    return ((notes *)ctx)->give;
}

/* T05: an empty transaction commits cleanly, and is not a commit that changed something. */
static void empty_transaction(void **state)
{
    fixture *f = *state;
    rsq_result *before = NULL, *after = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &before, &f->err));
    assert_true(run(f, do_nothing, RSQ_OK, RSQ_OK).called);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &after, &f->err));
    assert_int_equal(rsq_result_commit_seq(before), rsq_result_commit_seq(after));
    rsq_result_unref(before);
    rsq_result_unref(after);
}

/* T06: one after the other. */
static void sequential_transactions(void **state)
{
    fixture *f = *state;

    start(f);
    for (int i = 0; i < 10; i++)
        run(f, two_inserts, i % 2 ? RSQ_OK : RSQ_ECANCELLED, i % 2 ? RSQ_OK : RSQ_ECANCELLED);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "10");
}

static rsq_code two_tables(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert_and_note_id(tx, n);
    rsq_value id = rsq_integer(n->rowid);

    return rc == RSQ_OK
               ? rsq_tx_execute(tx, "INSERT INTO others(item) VALUES (?)", &id, 1, NULL, NULL, &n->err)
               : rc;
}

/* T07: the id of a row in one table goes into another, in one transaction. */
static void id_passed_between_tables(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (41, 'before')");
    run(f, two_tables, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items JOIN others ON items.id = item", "'a'");
}

static rsq_code third_insert_fails(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = two_inserts(tx, n);

    if (rc == RSQ_OK)
        rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES (NULL)", NULL, 0, NULL, NULL, NULL);
    return rc;
}

/* T08: an error that the body passes on undoes all, and the transaction's error is that of the call inside,
 * also when that call was given no rsq_error. */
static void failed_statement_passed_on(void **state)
{
    fixture *f = *state;

    start(f);
    run(f, third_insert_fails, RSQ_OK, RSQ_ESQL);
    assert_int_equal(f->err.sqlite_code, 1299);
    assert_non_null(strstr(f->err.message, "NOT NULL constraint failed: items.name"));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

static rsq_code failure_is_handled(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;

    return third_insert_fails(tx, n) == RSQ_ESQL ? insert(tx, "goes on", n) : RSQ_EINVAL;
}

/* A failed statement is undone alone; a body that handles it goes on and commits the rest. */
static void failed_statement_handled(void **state)
{
    fixture *f = *state;

    start(f);
    run(f, failure_is_handled, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'\n'goes on'");
}

static rsq_code read_500(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_select(tx, "SELECT id, price FROM prices ORDER BY id", NULL, 0, NULL, &r, &n->err);

    if (rc == RSQ_OK)
        n->called = rsq_result_rows(r) == 500 && rsq_result_type(r, 0, 1) == RSQ_REAL &&
                    rsq_result_double(r, 0, 1) == 0.0 && rsq_result_double(r, 499, 1) == 499 * 1.5;
    rsq_result_unref(r);
    return rc;
}

/* T09: 500 rows read inside, with their types. */
static void large_read_inside(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "CREATE TABLE prices(id INTEGER PRIMARY KEY, price REAL)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM c WHERE i < 499) "
            "INSERT INTO prices SELECT i+1, i*1.5 FROM c");
    assert_true(run(f, read_500, RSQ_OK, RSQ_OK).called);
}

static rsq_code write_200_and_read(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = RSQ_OK;

    for (int i = 0; i < 200 && rc == RSQ_OK; i++)
        rc = insert(tx, "many", n);
    return rc == RSQ_OK ? count(tx, "SELECT count(*) FROM items WHERE name = 'many'", n) : rc;
}

/* T10: 200 rows written and read inside. */
static void many_writes_inside(void **state)
{
    fixture *f = *state;

    start(f);
    assert_int_equal(run(f, write_200_and_read, RSQ_OK, RSQ_OK).seen, 200);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "200");
}

static rsq_code unicode_and_blob(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    const rsq_value v[] = {rsq_text("日本語🎉"), rsq_blob("\xde\xad\xbe\xef", 4)};
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO t VALUES (?, ?)", v, 2, NULL, NULL, &n->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_select(tx, "SELECT * FROM t", NULL, 0, NULL, &r, &n->err);
    if (rc == RSQ_OK)
        n->called = strcmp(rsq_result_text(r, 0, 0, NULL), "日本語🎉") == 0 &&
                    memcmp(rsq_result_blob(r, 0, 1, NULL), "\xde\xad\xbe\xef", 4) == 0;
    rsq_result_unref(r);
    return rc;
}

/* T11: text and blob come back inside as they went in. */
static void text_and_blob_inside(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "CREATE TABLE t(a, b)");
    assert_true(run(f, unicode_and_blob, RSQ_OK, RSQ_OK).called);
}

/* Threads that each run a transaction which writes a line at its start and one at its end. */
typedef struct crew {
    rsq_db *db;
    verdict verdict;
} crew;

static rsq_code start_and_end(rsq_tx *tx, void *ctx)
{
    static const char *const lines[] = {"start", "middle", "end"};
    rsq_code rc = RSQ_OK;

    for (size_t i = 0; i < LENGTH(lines) && rc == RSQ_OK; i++) {
        const rsq_value v[] = {rsq_integer(*(int64_t *)ctx), rsq_text(lines[i])};
        rc = rsq_tx_execute(tx, "INSERT INTO lines(tx, what) VALUES (?, ?)", v, 2, NULL, NULL, NULL);
    }
    return rc;
}

static void run_start_and_end(size_t index, void *ctx)
{
    crew *c = ctx;
    int64_t number = (int64_t)index;
    rsq_error err;

    BLAME(&c->verdict, rsq_transaction(c->db, start_and_end, &number, NULL, &err) == RSQ_OK, &err);
}

/* T12: transactions of several threads follow one another; none begins inside another. */
static void concurrent_transactions_do_not_interleave(void **state)
{
    fixture *f = *state;
    crew c;

    c.db = fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE lines(id INTEGER PRIMARY KEY, tx, what)");
    verdict_init(&c.verdict);
    crew_run(8, run_start_and_end, &c);
    VERDICT(&c.verdict);
    EXPECT_ROWS(f, "SELECT count(*) FROM lines", "24");
    EXPECT_ROWS(f, "SELECT tx FROM lines GROUP BY tx HAVING max(id) - min(id) <> 2", "");
}

/* -------------------------------------------------- calls on the database inside -- */

static rsq_code inner_by_database(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "inner", n);

    return rc == RSQ_OK ? n->give : rc;
}

static rsq_code calls_on_the_database(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_db *db = n->f->db;
    rsq_value v = rsq_text("batch");
    rsq_result *r = NULL;
    rsq_code rc = rsq_execute(db, "INSERT INTO items(name) VALUES ('execute')", NULL, 0, NULL, NULL, &n->err);

    if (rc == RSQ_OK)
        rc = rsq_execute_batch(db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, NULL, &n->err);
    if (rc == RSQ_OK)
        rc = rsq_transaction(db, inner_by_database, n, NULL, &n->err);
    if (rc == RSQ_OK)
        rc = rsq_select(db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &n->err);
    if (rc == RSQ_OK)
        n->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    r = NULL;
    if (rc == RSQ_OK)
        rc = rsq_select_json(db, "SELECT count(*) AS n FROM items", NULL, 0, NULL, &r, &n->err);
    if (rc == RSQ_OK)
        n->called = strcmp(rsq_result_json(r, NULL), "[{\"n\":3}]") == 0;
    rsq_result_unref(r);
    return rc == RSQ_OK ? count(tx, "SELECT count(*) FROM items", n) : rc;
}

static rsq_code calls_then_failure(rsq_tx *tx, void *ctx)
{
    rsq_code rc = calls_on_the_database(tx, ctx);

    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

/* T13: calls on the database inside the body join the transaction: they see what is not committed, nest, and
 * are undone with it. They would wait for ever otherwise. */
static void calls_on_the_database_join(void **state)
{
    fixture *f = *state;
    notes n;

    start(f);
    n = run(f, calls_then_failure, RSQ_OK, RSQ_ECANCELLED);
    assert_int_equal(n.seen, 3);
    assert_true(n.called);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    n = run(f, calls_on_the_database, RSQ_OK, RSQ_OK);
    assert_int_equal(n.seen, 3);
    EXPECT_ROWS(f, "SELECT name FROM items", "'execute'\n'batch'\n'inner'");
}

typedef struct reader_outside {
    rsq_db *db;
    int64_t seen;
    rsq_code code;
} reader_outside;

static void read_outside(void *ctx)
{
    reader_outside *o = ctx;
    rsq_result *r = NULL;

    o->code = rsq_select(o->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, NULL);
    if (o->code == RSQ_OK)
        o->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
}

static rsq_code other_thread_reads(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    reader_outside o = {.db = n->f->db, .seen = -1};
    rsq_code rc = insert(tx, "not yet", n);
    thread t;

    if (rc != RSQ_OK)
        return rc;
    thread_start(&t, read_outside, &o);
    pthread_join(t.id, NULL);
    gate_fini(&t.done);
    n->seen = o.seen;
    return o.code;
}

/* T13's other side: a call of another thread does not join; it reads what is committed, without waiting. */
static void other_threads_do_not_join(void **state)
{
    fixture *f = *state;

    start(f);
    assert_int_equal(run(f, other_thread_reads, RSQ_OK, RSQ_OK).seen, 0);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "1");
}

/* A transaction handle in the hands of another thread. */
typedef struct stolen {
    rsq_tx *tx;
    rsq_code execute, select, nested;
} stolen;

static void use_stolen(void *ctx)
{
    stolen *s = ctx;
    notes n = {.give = RSQ_OK};
    rsq_result *r = NULL;

    s->execute = rsq_tx_execute(s->tx, "DELETE FROM items", NULL, 0, NULL, NULL, NULL);
    s->select = rsq_tx_select(s->tx, "SELECT 1", NULL, 0, NULL, &r, NULL);
    s->nested = rsq_tx_transaction(s->tx, insert_and_count, &n, NULL);
}

static rsq_code give_to_another_thread(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    stolen s = {.tx = tx};
    rsq_code rc = insert(tx, "mine", n);
    thread t;

    if (rc != RSQ_OK)
        return rc;
    thread_start(&t, use_stolen, &s);
    pthread_join(t.id, NULL);
    gate_fini(&t.done);
    n->called = s.execute == RSQ_EMISUSE && s.select == RSQ_EMISUSE && s.nested == RSQ_EMISUSE;
    return RSQ_OK;
}

/* The handle belongs to the body's thread; in another one it refuses, since SQLite's connection is not
 * shared. */
static void handle_in_another_thread(void **state)
{
    fixture *f = *state;

    start(f);
    assert_true(run(f, give_to_another_thread, RSQ_OK, RSQ_OK).called);
    EXPECT_ROWS(f, "SELECT name FROM items", "'mine'");
}

static rsq_code use_temporary_table(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc =
        rsq_tx_execute(tx, "CREATE TEMP TABLE IF NOT EXISTS scratch(x)", NULL, 0, NULL, NULL, &n->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_execute(tx, "INSERT INTO scratch VALUES (1)", NULL, 0, NULL, NULL, &n->err);
    return rc == RSQ_OK ? count(tx, "SELECT count(*) FROM scratch", n) : rc;
}

/* Temporary tables belong to one connection, so they exist inside a transaction and are refused outside. */
static void temporary_tables(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    start(f);
    WANT(f, RSQ_EREFUSED, rsq_execute(f->db, "CREATE TEMP TABLE t(x)", NULL, 0, NULL, NULL, &f->err));
    assert_int_equal(run(f, use_temporary_table, RSQ_OK, RSQ_OK).seen, 1);
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT * FROM scratch", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_EREFUSED, rsq_execute(f->db, "CREATE TEMP TABLE t(x)", NULL, 0, NULL, NULL, &f->err));
}

static rsq_code use_another_database(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_db *other = NULL;
    rsq_code rc = rsq_open(":memory:", NULL, &other, &n->err);

    if (rc == RSQ_OK)
        rc = rsq_execute(other, "CREATE TABLE t(x)", NULL, 0, NULL, NULL, &n->err);
    if (rc == RSQ_OK)
        rc = insert(tx, "here", n);
    rsq_close(other);
    return rc;
}

/* Another database has nothing to do with the running transaction. */
static void another_database_does_not_join(void **state)
{
    fixture *f = *state;

    start(f);
    run(f, use_another_database, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT name FROM items", "'here'");
}

/* --------------------------------------------------------------------- nesting -- */

static rsq_code insert_s1(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "inner", n);

    return rc == RSQ_OK ? n->give : rc;
}

static rsq_code outer_with_inner(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "outer", n);

    if (rc == RSQ_OK)
        n->inner = rsq_tx_transaction(tx, insert_s1, n, &n->err);
    return rc == RSQ_OK ? count(tx, "SELECT count(*) FROM items", n) : rc;
}

/* T14: a nested transaction that commits is kept with the outer one. */
static void nested_commit(void **state)
{
    fixture *f = *state;
    notes n;

    start(f);
    n = run(f, outer_with_inner, RSQ_OK, RSQ_OK);
    assert_int_equal(n.inner, RSQ_OK);
    assert_int_equal(n.seen, 2);
    EXPECT_ROWS(f, "SELECT name FROM items", "'outer'\n'inner'");
}

/* T15: an inner one that fails is undone alone, visibly so inside the outer body. */
static void nested_failure_handled(void **state)
{
    fixture *f = *state;
    notes n;

    start(f);
    n = run(f, outer_with_inner, RSQ_ECANCELLED, RSQ_OK);
    assert_int_equal(n.inner, RSQ_ECANCELLED);
    assert_int_equal(n.seen, 1);
    EXPECT_ROWS(f, "SELECT name FROM items", "'outer'");
}

static rsq_code outer_fails_after_inner(rsq_tx *tx, void *ctx)
{
    rsq_code rc = outer_with_inner(tx, ctx);

    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

/* T16: an outer one that fails takes with it what an inner one had finished. */
static void outer_failure_after_nested_commit(void **state)
{
    fixture *f = *state;

    start(f);
    assert_int_equal(run(f, outer_fails_after_inner, RSQ_OK, RSQ_ECANCELLED).inner, RSQ_OK);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* Levels of nesting; each inserts its number, then runs the next; the one at `fail_at` fails after that. */
typedef struct levels {
    int level, depth, fail_at;
} levels;

static rsq_code nest(rsq_tx *tx, void *ctx)
{
    const levels *l = ctx;
    levels next = {l->level + 1, l->depth, l->fail_at};
    rsq_value v = rsq_integer(l->level);
    rsq_code rc =
        rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('level ' || ?)", &v, 1, NULL, NULL, NULL);

    if (rc == RSQ_OK && next.level < l->depth) {
        rc = rsq_tx_transaction(tx, nest, &next, NULL);
        if (rc == RSQ_ECANCELLED && l->fail_at == next.level)
            rc = RSQ_OK; /* handled by the level above the one that failed */
    }
    return rc == RSQ_OK && l->level == l->fail_at ? RSQ_ECANCELLED : rc;
}

/* T17: three levels commit; and so do fifty. */
static void three_levels_commit(void **state)
{
    fixture *f = *state;
    levels three = {0, 3, -1}, fifty = {0, 50, -1};

    start(f);
    WANT(f, RSQ_OK, rsq_transaction(f->db, nest, &three, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'level 0'\n'level 1'\n'level 2'");
    WANT(f, RSQ_OK, rsq_transaction(f->db, nest, &fifty, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "53");
}

/* T18: a middle level that fails after the innermost was finished takes that with it; level 0 is kept. */
static void middle_level_fails(void **state)
{
    fixture *f = *state;
    levels l = {0, 3, 1};

    start(f);
    WANT(f, RSQ_OK, rsq_transaction(f->db, nest, &l, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'level 0'");
}

/* -------------------------------------------------------------- commit that fails -- */

static rsq_code orphan(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = RSQ_OK;

    if (n->give == RSQ_OK)
        rc = rsq_tx_transaction(tx, insert_s1, n, &n->err);
    if (rc == RSQ_OK)
        rc = rsq_tx_execute(tx, "INSERT INTO child(item) VALUES (12345)", NULL, 0, NULL, NULL, &n->err);
    return rc;
}

static rsq_code orphan_only(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;

    n->give = RSQ_ECANCELLED; /* no savepoint before */
    return orphan(tx, n);
}

/* After a failed COMMIT all is undone, and a plain write and a new transaction begin cleanly, nesting
 * included. */
static void expect_commit_failure(fixture *f, rsq_tx_fn body)
{
    run(f, body, RSQ_OK, RSQ_ESQL);
    assert_int_equal(f->err.sqlite_code, 787);
    assert_memory_equal(f->err.message, "commit:", 7);
    EXPECT_ROWS(f, "SELECT (SELECT count(*) FROM child), (SELECT count(*) FROM items)", "0|0");
    EXEC(f, "INSERT INTO items(id, name) VALUES (12345, 'parent')");
    run(f, orphan, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT (SELECT count(*) FROM child), (SELECT count(*) FROM items)", "1|2");
    EXEC(f, "DELETE FROM child");
    EXEC(f, "DELETE FROM items");
}

/* T19, T20, T21: a foreign key that is still violated at COMMIT: the error says "commit" and SQLite's code;
 * with and without a savepoint that was released before; and three times in a row. */
static void deferred_foreign_key_at_commit(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, DEFERRED);
    for (int i = 0; i < 3; i++) {
        expect_commit_failure(f, orphan_only);
        expect_commit_failure(f, orphan);
    }
}

/* T24: foreign keys are on without a PRAGMA, here on a single statement that commits by itself. */
static void deferred_foreign_key_of_one_statement(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, DEFERRED);
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "INSERT INTO child(item) VALUES (9)", NULL, 0, NULL, NULL, &f->err));
    assert_int_equal(f->err.sqlite_code, 787);
    EXPECT_ROWS(f, "SELECT count(*) FROM child", "0");
    run(f, two_inserts, RSQ_OK, RSQ_OK);
}

/* ------------------------------------------------------- transactions that SQLite ends -- */

static rsq_code rolled_back_by_sqlite(rsq_tx *tx, void *ctx)
{
    notes *n = ctx;
    rsq_code rc = insert(tx, "undone", n);

    if (rc != RSQ_OK)
        return rc;
    rc =
        rsq_tx_execute(tx, "INSERT OR ROLLBACK INTO items VALUES (1, 'conflict')", NULL, 0, NULL, NULL, NULL);
    if (rc != RSQ_ESQL)
        return RSQ_EINVAL;
    /* The transaction is gone. Were these to run, each would be committed by itself. */
    n->called = insert(tx, "after the end", n) == RSQ_EMISUSE && count(tx, "SELECT 1", n) == RSQ_EMISUSE &&
                rsq_tx_transaction(tx, insert_s1, n, NULL) == RSQ_EMISUSE &&
                rsq_execute(n->f->db, "DELETE FROM items", NULL, 0, NULL, NULL, NULL) == RSQ_EMISUSE;
    return n->give;
}

/* A handle whose transaction SQLite rolled back refuses each further call, nothing
 * of them reaches the file, and a body that says RSQ_OK does not get a commit. */
static void handle_after_rollback_by_sqlite(void **state)
{
    fixture *f = *state;
    notes n = {.f = f, .give = RSQ_OK};

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'kept')");
    assert_int_not_equal(rsq_transaction(f->db, rolled_back_by_sqlite, &n, NULL, &f->err), RSQ_OK);
    assert_true(n.called);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'kept'");
    n = run(f, rolled_back_by_sqlite, RSQ_ECANCELLED, RSQ_ECANCELLED);
    assert_true(n.called);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'kept'");
    run(f, two_inserts, RSQ_OK, RSQ_OK);
}

/* --------------------------------------------------------------- what is refused -- */

static rsq_code refused_inside(rsq_tx *tx, void *ctx)
{
    static const char *const refused[] = {"COMMIT",
                                          "ROLLBACK",
                                          "END",
                                          "BEGIN",
                                          "SAVEPOINT x",
                                          "ATTACH ':memory:' AS y",
                                          "PRAGMA journal_mode=DELETE"};
    notes *n = ctx;
    rsq_result *r = NULL;

    for (size_t i = 0; i < LENGTH(refused); i++) {
        if (rsq_tx_execute(tx, refused[i], NULL, 0, NULL, NULL, &n->err) != RSQ_EREFUSED)
            return RSQ_EINVAL;
        if (rsq_tx_select(tx, refused[i], NULL, 0, NULL, &r, &n->err) != RSQ_EREFUSED)
            return RSQ_EINVAL;
    }
    if (rsq_tx_select(tx, "DELETE FROM items", NULL, 0, NULL, &r, &n->err) != RSQ_EREADONLY)
        return RSQ_EINVAL;
    if (rsq_tx_select(tx, "SELECT 1; SELECT 2", NULL, 0, NULL, &r, &n->err) != RSQ_EINVAL)
        return RSQ_EMISUSE;
    return two_inserts(tx, n);
}

/* Inside a transaction the same SQL is refused as outside, and the transaction survives it. */
static void refused_sql_inside(void **state)
{
    fixture *f = *state;

    start(f);
    run(f, refused_inside, RSQ_OK, RSQ_OK);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "2");
}

/* Without a function or a database there is no transaction. */
static void null_arguments(void **state)
{
    fixture *f = *state;
    notes n = {.f = f};

    start(f);
    WANT(f, RSQ_EINVAL, rsq_transaction(f->db, NULL, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_transaction(NULL, do_nothing, &n, NULL, &f->err));
    assert_false(n.called);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(commits),
        CASE(body_error_rolls_back),
        CASE(reads_own_writes),
        CASE(body_gives_values),
        CASE(empty_transaction),
        CASE(sequential_transactions),
        CASE(id_passed_between_tables),
        CASE(failed_statement_passed_on),
        CASE(failed_statement_handled),
        CASE(large_read_inside),
        CASE(many_writes_inside),
        CASE(text_and_blob_inside),
        CASE(concurrent_transactions_do_not_interleave),
        CASE(calls_on_the_database_join),
        CASE(other_threads_do_not_join),
        CASE(handle_in_another_thread),
        CASE(temporary_tables),
        CASE(another_database_does_not_join),
        CASE(nested_commit),
        CASE(nested_failure_handled),
        CASE(outer_failure_after_nested_commit),
        CASE(three_levels_commit),
        CASE(middle_level_fails),
        CASE(deferred_foreign_key_at_commit),
        CASE(deferred_foreign_key_of_one_statement),
        CASE(handle_after_rollback_by_sqlite),
        CASE(refused_sql_inside),
        CASE(null_arguments),
    };

    return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
