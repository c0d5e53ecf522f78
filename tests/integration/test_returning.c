/*
 * Writes that fail late, or that change rows where nobody looks: what is in the table afterwards, what a live
 * query hears of it, and which numbers the commits have.
 *
 * RETURNING: SQLite makes all changes in the first step and hands out the rows after that, so a failure to
 * collect them comes when the changes are made already. OR FAIL: the statement fails and its rows stay. FTS5:
 * the rows of its own tables are written when the transaction commits, or while a query reads, but not by the
 * statement that caused them. In each of these the statement's code alone says nothing of what was committed.
 */
#include "fixture.h"

#include <inttypes.h>

/* Every kind of place where a database lives: it decides who numbers the commits, and how. */
static void open_place(fixture *f, bool in_memory)
{
    if (in_memory)
        f->db = fixture_open_path(f, ":memory:", NULL);
    else
        fixture_open(f, NULL);
    fixture_canary(f);
}

static void reopen_elsewhere(fixture *f)
{
    fixture_close(f);
    for (probe *p = f->probes; p; p = p->next) {
        while (!p->ends)
            probe_await(p, __FILE__, __LINE__);
    }
    open_place(f, true);
}

/* Run a test's body on a file, and then in memory. */
static void in_each_place(void **state, void (*body)(fixture *f))
{
    fixture *f = *state;

    open_place(f, false);
    body(f);
    reopen_elsewhere(f);
    body(f);
}

/* Number of the newest commit, by a read. */
static uint64_t newest_commit(fixture *f)
{
    rsq_result *r = NULL;
    uint64_t seq;

    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT count(*) FROM sqlite_schema", NULL, 0, NULL, &r, &f->err));
    seq = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    return seq;
}

/* The statement commits, and its number is the one after `before`; which is returned. */
static uint64_t write_follows(fixture *f, const char *sql, uint64_t before)
{
    rsq_result *r = NULL;
    uint64_t seq;

    WANT(f, RSQ_OK, rsq_execute(f->db, sql, NULL, 0, NULL, &r, &f->err));
    seq = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    assert_int_equal(seq, before + 1);
    assert_int_equal(newest_commit(f), seq);
    return seq;
}

/* --------------------------------------------- RETURNING with more than may be returned -- */

#define FILL                                                                                               \
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 500) INSERT INTO t SELECT " \
    "i, i * 10 FROM c"

#define WIDE "hex(zeroblob(60))"

typedef struct wide_write {
    const char *sql;
    uint64_t max_result_bytes;
} wide_write;

/* The first row is too much already, or the limit is met somewhere among the rows. */
static const wide_write too_wide[] = {
    {"INSERT INTO t SELECT id + 1000, a + 10000 FROM t RETURNING id, " WIDE, 64},
    {"INSERT INTO t SELECT id + 1000, a + 10000 FROM t RETURNING id, " WIDE, 20000},
    {"INSERT INTO t VALUES (1001, 1) RETURNING id, " WIDE, 64},
    {"INSERT OR REPLACE INTO t SELECT id, a + 1 FROM t RETURNING id, " WIDE, 20000},
    {"INSERT OR FAIL INTO t SELECT id + 1000, a + 10000 FROM t RETURNING id, " WIDE, 20000},
    {"INSERT INTO t VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET a = excluded.a RETURNING id, " WIDE, 64},
    {"UPDATE t SET a = -a RETURNING id, " WIDE, 64},
    {"UPDATE t SET a = -a RETURNING id, " WIDE, 20000},
    {"DELETE FROM t RETURNING id, " WIDE, 64},
    {"DELETE FROM t WHERE id > 100 RETURNING id, " WIDE, 20000},
};

static rsq_call_options limit(uint64_t max_result_bytes)
{
    rsq_call_options opts = RSQ_CALL_OPTIONS_INIT;

    opts.max_result_bytes = max_result_bytes;
    return opts;
}

/* Tables `t` with 500 rows, and `log` that a trigger on it writes to. */
static void make_t(fixture *f)
{
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE)");
    EXEC(f, "CREATE TABLE log(op)");
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, FILL);
    EXEC(f, "CREATE TRIGGER ti AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('i'); END");
    EXEC(f, "CREATE TRIGGER tu AFTER UPDATE ON t BEGIN INSERT INTO log VALUES ('u'); END");
    EXEC(f, "CREATE TRIGGER td AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('d'); END");
}

#define STATE_OF_T \
    "SELECT count(*), sum(id), sum(a), (SELECT count(*) FROM log), (SELECT count(*) FROM other) FROM t"
#define UNTOUCHED "500|125250|1252500|0|0"

static void too_wide_alone(fixture *f)
{
    uint64_t seq;
    probe *p;

    make_t(f);
    seq = newest_commit(f);
    p = WATCH(f, STATE_OF_T);
    EXPECT_EVENT(p, UNTOUCHED);
    for (size_t i = 0; i < LENGTH(too_wide); i++) {
        rsq_call_options opts = limit(too_wide[i].max_result_bytes);
        rsq_result *r = NULL;
        uint64_t woken = probe_stats(p).woken;

        WANT(f, RSQ_ETOOBIG, rsq_execute(f->db, too_wide[i].sql, NULL, 0, &opts, &r, &f->err));
        assert_null(r);
        EXPECT_ROWS(f, STATE_OF_T, UNTOUCHED);
        assert_int_equal(newest_commit(f), seq);
        seq = write_follows(f, "INSERT INTO canary VALUES (2)", seq);
        EXPECT_QUIET(p);
        seq++;
        assert_int_equal(probe_stats(p).woken, woken);
    }
    seq = write_follows(f, "INSERT INTO other VALUES (1)", seq);
    EXPECT_EVENT(p, "500|125250|1252500|0|1");
    assert_int_equal(p->newest, seq);
}

/* A result over its limit changes nothing: "on any failure nothing is changed". */
static void over_the_limit_changes_nothing(void **state)
{
    in_each_place(state, too_wide_alone);
}

/* The limit is inclusive of nothing odd: the same statements with room enough work, after they have failed.
 */
static void enough_room_after_too_little(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = limit(64);
    rsq_result *r = NULL;

    open_place(f, false);
    make_t(f);
    WANT(f, RSQ_ETOOBIG,
         rsq_execute(f->db, "UPDATE t SET a = -a WHERE id < 4 RETURNING id, a, " WIDE, NULL, 0, &opts, &r,
                     &f->err));
    opts.max_result_bytes = 10000;
    WANT(f, RSQ_OK,
         rsq_execute(f->db, "UPDATE t SET a = -a WHERE id < 4 RETURNING id, a, " WIDE, NULL, 0, &opts, &r,
                     &f->err));
    assert_int_equal(rsq_result_rows(r), 3);
    assert_int_equal(rsq_result_changes(r), 3);
    assert_int_equal(rsq_result_int64(r, 2, 1), -30);
    assert_true(fixture_changed(r, "main.t"));
    assert_true(fixture_changed(r, "main.log"));
    rsq_result_unref(r);
    EXPECT_ROWS(f, STATE_OF_T, "500|125250|1252380|3|0");
}

typedef struct wide_tx {
    fixture *f;
    wide_write write;
    const char *before; /* NULL: nothing */
    const char *after;
    bool nested;
    rsq_code codes[3];
    rsq_error why;
} wide_tx;

static rsq_code run_plain(rsq_tx *tx, const char *sql)
{
    return sql ? rsq_tx_execute(tx, sql, NULL, 0, NULL, NULL, NULL) : RSQ_OK;
}

/* Forgives the failure and goes on. */
static rsq_code body_wide(rsq_tx *tx, void *ctx)
{
    wide_tx *x = ctx;
    rsq_call_options opts = limit(x->write.max_result_bytes);
    rsq_result *r = NULL;

    x->codes[0] = run_plain(tx, x->before);
    x->codes[1] = rsq_tx_execute(tx, x->write.sql, NULL, 0, &opts, &r, &x->why);
    rsq_result_unref(r);
    x->codes[2] = run_plain(tx, x->after);
    return RSQ_OK;
}

static rsq_code body_wide_nested(rsq_tx *tx, void *ctx)
{
    return rsq_tx_transaction(tx, body_wide, ctx, NULL);
}

static void run_wide(wide_tx *x)
{
    fixture *f = x->f;

    WANT(f, RSQ_OK, rsq_transaction(f->db, x->nested ? body_wide_nested : body_wide, x, NULL, &f->err));
    WANT_CODE(RSQ_OK, x->codes[0]);
    fixture_want(RSQ_ETOOBIG, x->codes[1], &x->why, x->write.sql, __FILE__, __LINE__);
    WANT_CODE(RSQ_OK, x->codes[2]);
}

static void too_wide_inside(fixture *f)
{
    char expected[64];
    probe *p;

    make_t(f);
    p = WATCH(f, STATE_OF_T);
    EXPECT_EVENT(p, UNTOUCHED);
    for (size_t i = 0; i < 2 * LENGTH(too_wide); i++) {
        wide_tx x = {.f = f, .write = too_wide[i / 2], .nested = i % 2 != 0};

        x.before = "INSERT INTO other VALUES (1)";
        x.after = "INSERT INTO other VALUES (2)";
        run_wide(&x);
        snprintf(expected, sizeof expected, "500|125250|1252500|0|%zu", 2 * (i + 1));
        EXPECT_ROWS(f, STATE_OF_T, expected);
        EXPECT_EVENT(p, expected);
        EXPECT_QUIET(p);
    }
}

/* In a transaction such a statement is undone alone: what came before and after it is committed. */
static void over_the_limit_is_undone_alone(void **state)
{
    in_each_place(state, too_wide_inside);
}

static void too_wide_and_nothing_else(fixture *f)
{
    uint64_t seq;
    probe *p;

    make_t(f);
    p = WATCH(f, STATE_OF_T);
    EXPECT_EVENT(p, UNTOUCHED);
    seq = newest_commit(f);
    for (size_t i = 0; i < 2 * LENGTH(too_wide); i++) {
        wide_tx x = {.f = f, .write = too_wide[i / 2], .nested = i % 2 != 0};

        run_wide(&x);
        EXPECT_ROWS(f, STATE_OF_T, UNTOUCHED);
        seq = write_follows(f, "INSERT INTO canary VALUES (2)", newest_commit(f));
        EXPECT_QUIET(p);
    }
    write_follows(f, "INSERT INTO other VALUES (1)", seq + 1);
    EXPECT_EVENT(p, "500|125250|1252500|0|1");
}

/* A transaction of nothing but such a statement commits, and live queries hear nothing. */
static void over_the_limit_and_nothing_else(void **state)
{
    in_each_place(state, too_wide_and_nothing_else);
}

/* ----------------------------------------------------------------------- OR FAIL -- */

typedef struct failing {
    const char *sql;
    const char *rows;   /* what is in the table afterwards */
    const char *answer; /* of the live query, which counts and adds up */
} failing;

/* What SQLite keeps of each in autocommit; the first rows of `kept` are 1|10, 2|20. */
static const failing keeps_rows[] = {
    {"INSERT OR FAIL INTO kept VALUES (3, 30), (4, 40), (5, 10), (6, 60)", "1|10\n2|20\n3|30\n4|40", "4|100"},
    {"INSERT OR FAIL INTO kept VALUES (3, 30), (4, 40), (5, 10), (6, 60) RETURNING id",
     "1|10\n2|20\n3|30\n4|40", "4|100"},
    {"UPDATE OR FAIL kept SET a = CASE id WHEN 1 THEN 11 ELSE 11 END", "1|11\n2|20", "2|31"},
    {"UPDATE OR FAIL kept SET a = CASE id WHEN 1 THEN 11 ELSE 11 END RETURNING id, a", "1|11\n2|20", "2|31"},
    {"INSERT INTO kept VALUES (3, 30), (4, 99), (5, 50)", "1|10\n2|20\n3|30", "3|60"}, /* RAISE(FAIL) */
    {"INSERT INTO kept VALUES (3, 30), (4, 99), (5, 50) RETURNING id", "1|10\n2|20\n3|30", "3|60"},
};

static const char *const keeps_nothing[] = {
    "INSERT OR FAIL INTO kept VALUES (3, 10), (4, 40)",
    "INSERT OR FAIL INTO kept VALUES (3, 10), (4, 40) RETURNING id",
    "INSERT INTO kept VALUES (3, 30), (4, 10)",
    "INSERT INTO kept VALUES (3, 30), (4, 10) RETURNING id",
    "INSERT OR ROLLBACK INTO kept VALUES (3, 30), (4, 10)",
    "INSERT OR ROLLBACK INTO kept VALUES (3, 30), (4, 10) RETURNING id",
    "UPDATE OR ABORT kept SET a = 11 RETURNING id",
};

static void make_kept(fixture *f)
{
    EXEC(f, "CREATE TABLE kept(id INTEGER PRIMARY KEY, a UNIQUE)");
    EXEC(f, "CREATE TRIGGER no_99 BEFORE INSERT ON kept WHEN new.a = 99 BEGIN SELECT raise(FAIL, 'no'); END");
}

#define ROWS_OF_KEPT "SELECT id, a FROM kept ORDER BY id"
#define SUM_OF_KEPT "SELECT count(*), sum(a) FROM kept"

/* Back to its two rows; the live query that watches is told. */
static void reset_kept(fixture *f, probe *p)
{
    EXEC(f, "DELETE FROM kept");
    EXPECT_EVENT(p, "0|NULL");
    EXEC(f, "INSERT INTO kept VALUES (1, 10), (2, 20)");
    EXPECT_EVENT(p, "2|30");
}

static void or_fail_alone(fixture *f)
{
    probe *p;

    make_kept(f);
    p = WATCH(f, SUM_OF_KEPT);
    EXPECT_EVENT(p, "0|NULL");
    EXEC(f, "INSERT INTO kept VALUES (0, 0)");
    EXPECT_EVENT(p, "1|0");
    for (size_t i = 0; i < LENGTH(keeps_rows); i++) {
        const failing *x = &keeps_rows[i];
        rsq_result *r = NULL;
        uint64_t seq;

        reset_kept(f, p);
        seq = newest_commit(f);
        WANT(f, RSQ_ESQL, rsq_execute(f->db, x->sql, NULL, 0, NULL, &r, &f->err));
        assert_null(r);
        assert_int_equal(newest_commit(f), seq + 1);
        EXPECT_ROWS(f, ROWS_OF_KEPT, x->rows);
        EXPECT_EVENT(p, x->answer);
        assert_int_equal(p->newest, seq + 1);
        write_follows(f, "INSERT INTO canary VALUES (2)", seq + 1);
        EXPECT_QUIET(p);
    }
}

/* The rows before the one that failed are a commit like any other: it has a number, and it is heard of. */
static void or_fail_is_a_commit(void **state)
{
    in_each_place(state, or_fail_alone);
}

static void nothing_kept_alone(fixture *f)
{
    uint64_t seq, woken;
    probe *p;

    make_kept(f);
    EXEC(f, "INSERT INTO kept VALUES (0, 0)");
    p = WATCH(f, SUM_OF_KEPT);
    EXPECT_EVENT(p, "1|0");
    reset_kept(f, p);
    seq = newest_commit(f);
    woken = probe_stats(p).woken;
    for (size_t i = 0; i < LENGTH(keeps_nothing); i++) {
        WANT(f, RSQ_ESQL, rsq_execute(f->db, keeps_nothing[i], NULL, 0, NULL, NULL, &f->err));
        assert_int_equal(newest_commit(f), seq);
        EXPECT_ROWS(f, ROWS_OF_KEPT, "1|10\n2|20");
        seq = write_follows(f, "INSERT INTO canary VALUES (2)", seq);
        EXPECT_QUIET(p);
        seq++;
    }
    assert_int_equal(probe_stats(p).woken, woken);
    write_follows(f, "INSERT INTO kept VALUES (3, 30)", seq);
    EXPECT_EVENT(p, "3|60");
}

/* A statement that fails and keeps nothing is no commit: no number, no event. */
static void failure_is_no_commit(void **state)
{
    in_each_place(state, nothing_kept_alone);
}

/* In a transaction SQLite would leave the row before the one that the table does not take. */
static const char *const not_taken[] = {
    "INSERT INTO ints SELECT 3 UNION ALL SELECT 'x'",
    "INSERT INTO ints SELECT 3 UNION ALL SELECT 'x' RETURNING n",
    "INSERT OR FAIL INTO ints SELECT 3 UNION ALL SELECT 'x' RETURNING n",
    "UPDATE ints SET n = CASE n WHEN 1 THEN 3 ELSE 'x' END RETURNING n",
};

static void nothing_taken_alone(fixture *f)
{
    EXEC(f, "CREATE TABLE ints(n INT) STRICT");
    EXEC(f, "INSERT INTO ints VALUES (1), (2)");
    for (size_t i = 0; i < LENGTH(not_taken); i++) {
        uint64_t seq = newest_commit(f);
        rsq_result *r = NULL;

        WANT(f, RSQ_ESQL, rsq_execute(f->db, not_taken[i], NULL, 0, NULL, &r, &f->err));
        EXPECT_ROWS(f, "SELECT n FROM ints", "1\n2");
        assert_int_equal(newest_commit(f), seq);
    }
}

static void a_value_that_is_not_taken(void **state)
{
    in_each_place(state, nothing_taken_alone);
}

static void or_fail_inside(fixture *f)
{
    probe *p;

    make_kept(f);
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "INSERT INTO kept VALUES (0, 0)");
    p = WATCH(f, SUM_OF_KEPT);
    EXPECT_EVENT(p, "1|0");
    for (size_t i = 0; i < LENGTH(keeps_rows); i++) {
        wide_tx x = {.f = f, .write = {keeps_rows[i].sql, 0}, .nested = i % 2 != 0};
        uint64_t seq;

        x.after = "INSERT INTO other VALUES (1)";
        reset_kept(f, p);
        seq = newest_commit(f);
        WANT(f, RSQ_OK, rsq_transaction(f->db, x.nested ? body_wide_nested : body_wide, &x, NULL, &f->err));
        fixture_want(RSQ_ESQL, x.codes[1], &x.why, x.write.sql, __FILE__, __LINE__);
        WANT_CODE(RSQ_OK, x.codes[2]);
        assert_int_equal(newest_commit(f), seq + 1);
        EXPECT_ROWS(f, ROWS_OF_KEPT, keeps_rows[i].rows);
        EXPECT_EVENT(p, keeps_rows[i].answer);
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM other"), (int64_t)i + 1);
    }
}

/* In a transaction OR FAIL keeps its rows as well, with RETURNING and without. */
static void or_fail_inside_a_transaction(void **state)
{
    in_each_place(state, or_fail_inside);
}

static void or_rollback_inside(fixture *f)
{
    static const char *const statements[] = {
        "INSERT OR ROLLBACK INTO kept VALUES (3, 30), (4, 10)",
        "INSERT OR ROLLBACK INTO kept VALUES (3, 30), (4, 10) RETURNING id",
    };
    probe *p;

    make_kept(f);
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "INSERT INTO kept VALUES (1, 10), (2, 20)");
    p = WATCH(f, SUM_OF_KEPT);
    EXPECT_EVENT(p, "2|30");
    for (size_t i = 0; i < 2 * LENGTH(statements); i++) {
        wide_tx x = {.f = f, .write = {statements[i / 2], 0}, .nested = i % 2 != 0};
        uint64_t seq = newest_commit(f);

        x.before = "INSERT INTO other VALUES (1)";
        x.after = "INSERT INTO other VALUES (2)";
        WANT(f, RSQ_ESQL, rsq_transaction(f->db, x.nested ? body_wide_nested : body_wide, &x, NULL, &f->err));
        fixture_want(RSQ_ESQL, x.codes[1], &x.why, x.write.sql, __FILE__, __LINE__);
        WANT_CODE(RSQ_EMISUSE, x.codes[2]);
        assert_int_equal(newest_commit(f), seq);
        EXPECT_ROWS(f, "SELECT count(*) FROM other", "0");
        EXPECT_ROWS(f, ROWS_OF_KEPT, "1|10\n2|20");
        EXPECT_QUIET(p);
    }
}

/* OR ROLLBACK ends the whole transaction, with RETURNING too: no savepoint of the library's hides it. */
static void or_rollback_ends_the_transaction(void **state)
{
    in_each_place(state, or_rollback_inside);
}

static void deferred_violation(fixture *f)
{
    static const char *const statements[] = {
        "INSERT INTO child VALUES (1, 7)",
        "INSERT INTO child VALUES (1, 7) RETURNING id",
        "DELETE FROM parent RETURNING id",
    };
    uint64_t seq;

    EXEC(f, "CREATE TABLE parent(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    EXEC(f, "INSERT INTO parent VALUES (1)");
    EXEC(f, "INSERT INTO child VALUES (10, 1)");
    seq = newest_commit(f);
    for (size_t i = 0; i < LENGTH(statements); i++) {
        rsq_result *r = NULL;

        WANT(f, RSQ_ESQL, rsq_execute(f->db, statements[i], NULL, 0, NULL, &r, &f->err));
        assert_null(r);
        assert_int_equal(f->err.sqlite_code, 787); /* SQLITE_CONSTRAINT_FOREIGNKEY */
        EXPECT_ROWS(f, "SELECT * FROM parent, child", "1|10|1");
        assert_int_equal(newest_commit(f), seq);
        seq = write_follows(f, "INSERT INTO canary VALUES (2)", seq);
    }
}

/* A deferred foreign key makes the commit of the statement fail, after its rows are there. */
static void deferred_key_with_returning(void **state)
{
    in_each_place(state, deferred_violation);
}

/* ---------------------------------------------------- rows that are written by others -- */

#define MATCHES "SELECT count(*) FROM ft WHERE ft MATCH 'hello'"

/* Without content, and without the sizes of columns, FTS5 writes nothing but its index, at the commit. */
static void make_index(fixture *f)
{
    EXEC(f, "CREATE VIRTUAL TABLE ft USING fts5(a, content = '', columnsize = 0)");
    EXEC(f, "CREATE TABLE other(x)");
}

typedef struct script {
    const char *const *sql; /* ends with NULL; a SELECT is read inside the transaction */
    size_t nested_from;     /* the statements from this one on are in a nested transaction */
    int64_t *row;           /* the next row of the index, which has to be numbered by hand */
    size_t at;
    rsq_code code;
    rsq_error why;
} script;

static rsq_code run_script_here(rsq_tx *tx, script *s, size_t end)
{
    for (; s->code == RSQ_OK && s->sql[s->at] && s->at < end; s->at++) {
        const char *sql = s->sql[s->at];
        rsq_value row = rsq_integer(*s->row);
        rsq_result *r = NULL;

        if (strncmp(sql, "SELECT", 6) == 0)
            s->code = rsq_tx_select(tx, sql, NULL, 0, NULL, &r, &s->why);
        else if (strchr(sql, '?'))
            s->code = rsq_tx_execute(tx, sql, &row, 1, NULL, NULL, &s->why);
        else
            s->code = rsq_tx_execute(tx, sql, NULL, 0, NULL, NULL, &s->why);
        *s->row += strchr(sql, '?') != NULL;
        rsq_result_unref(r);
    }
    return s->code;
}

static rsq_code body_rest(rsq_tx *tx, void *ctx)
{
    return run_script_here(tx, ctx, SIZE_MAX);
}

static rsq_code body_script(rsq_tx *tx, void *ctx)
{
    script *s = ctx;
    rsq_code code = run_script_here(tx, s, s->nested_from);

    return code == RSQ_OK && s->sql[s->at] ? rsq_tx_transaction(tx, body_rest, s, &s->why) : code;
}

#define HELLO "INSERT INTO ft(rowid, a) VALUES (?, 'hello')"
#define OTHER "INSERT INTO other VALUES (1)"

static void index_in_transactions(fixture *f)
{
    static const char *const scripts[][6] = {
        {HELLO},
        {HELLO, OTHER},
        {OTHER, HELLO},
        {HELLO, MATCHES}, /* the query writes the index, since it reads it */
        {HELLO, MATCHES, OTHER},
        {OTHER, HELLO, MATCHES, OTHER},
        {HELLO, OTHER, HELLO},
        {HELLO, OTHER, MATCHES, OTHER, HELLO},
        {HELLO, HELLO, "SELECT 1", OTHER, "SELECT x FROM other"},
    };
    int64_t matches = 0, row = 1;
    probe *p;

    make_index(f);
    p = WATCH(f, MATCHES);
    EXPECT_EVENT(p, "0");
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        for (size_t nested_from = 0; nested_from < 4; nested_from++) {
            script s = {.sql = scripts[i], .nested_from = nested_from, .row = &row};
            char expected[32];

            for (size_t k = 0; scripts[i][k]; k++)
                matches += strcmp(scripts[i][k], HELLO) == 0;
            WANT(f, RSQ_OK, rsq_transaction(f->db, body_script, &s, NULL, &f->err));
            snprintf(expected, sizeof expected, "%" PRId64, matches);
            EXPECT_EVENT(p, expected);
        }
    }
    EXPECT_QUIET(p);
}

/* Rows that FTS5 writes at the commit belong to the transaction. */
static void index_without_content_in_transactions(void **state)
{
    in_each_place(state, index_in_transactions);
}

static rsq_code body_batch(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    const rsq_value rows[] = {rsq_integer(4), rsq_text("hello"),     /* */
                              rsq_integer(5), rsq_text("hello you"), /* */
                              rsq_integer(6), rsq_text("you")};

    return rsq_tx_execute_batch(tx, "INSERT INTO ft(rowid, a) VALUES (?, ?)", rows, 3, 2, NULL, NULL,
                                &f->err);
}

static void index_in_batches(fixture *f)
{
    const rsq_value rows[] = {rsq_integer(1), rsq_text("hello"),     /* */
                              rsq_integer(2), rsq_text("hello you"), /* */
                              rsq_integer(3), rsq_text("you")};
    uint64_t seq;
    probe *p;

    make_index(f);
    p = WATCH(f, MATCHES);
    EXPECT_EVENT(p, "0");
    EXEC(f, "INSERT INTO ft(rowid, a) VALUES (0, 'hello')");
    EXPECT_EVENT(p, "1");
    seq = newest_commit(f);
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO ft(rowid, a) VALUES (?, ?)", rows, 3, 2, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "3");
    assert_int_equal(p->newest, seq + 1);
    WANT(f, RSQ_OK, rsq_transaction(f->db, body_batch, f, NULL, &f->err));
    EXPECT_EVENT(p, "5");
    assert_int_equal(p->newest, seq + 2);
    assert_int_equal(newest_commit(f), seq + 2);
    EXPECT_QUIET(p);
}

/* The same for batches, alone and in a transaction. */
static void index_without_content_in_batches(void **state)
{
    in_each_place(state, index_in_batches);
}

typedef struct two_writes {
    const char *sql[2];
    bool batch;
    rsq_result *results[2];
    rsq_error why;
} two_writes;

static rsq_code body_two_writes(rsq_tx *tx, void *ctx)
{
    const rsq_value one = rsq_integer(1);
    two_writes *w = ctx;
    rsq_code code = RSQ_OK;

    for (size_t i = 0; code == RSQ_OK && i < 2; i++) {
        if (w->batch)
            code = rsq_tx_execute_batch(tx, w->sql[i], &one, 1, 1, NULL, &w->results[i], &w->why);
        else
            code = rsq_tx_execute(tx, w->sql[i], &one, 1, NULL, &w->results[i], &w->why);
    }
    return code;
}

static void written_twice(fixture *f)
{
    EXEC(f, "CREATE TABLE a(x)");
    EXEC(f, "CREATE TABLE log(x)");
    EXEC(f, "CREATE TRIGGER ai AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.x); END");
    for (int i = 0; i < 4; i++) {
        two_writes w = {.sql = {"INSERT INTO a VALUES (?)", "INSERT INTO log VALUES (?)"},
                        .batch = i % 2 != 0};
        bool turned = i >= 2;

        if (turned) {
            w.sql[0] = "INSERT INTO log VALUES (?)";
            w.sql[1] = "INSERT INTO a VALUES (?)";
        }
        WANT(f, RSQ_OK, rsq_transaction(f->db, body_two_writes, &w, NULL, &f->err));
        assert_true(fixture_changed(w.results[0], "main.log"));
        assert_true(fixture_changed(w.results[1], "main.log"));
        assert_true(fixture_changed(w.results[turned], "main.a"));
        assert_false(fixture_changed(w.results[!turned], "main.a"));
        rsq_result_unref(w.results[0]);
        rsq_result_unref(w.results[1]);
    }
}

/* A table that a trigger wrote to last, and the next statement writes to first, is named by both. */
static void a_table_written_twice_is_named_twice(void **state)
{
    in_each_place(state, written_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(over_the_limit_changes_nothing),
        CASE(enough_room_after_too_little),
        CASE(over_the_limit_is_undone_alone),
        CASE(over_the_limit_and_nothing_else),
        CASE(or_fail_is_a_commit),
        CASE(failure_is_no_commit),
        CASE(a_value_that_is_not_taken),
        CASE(or_fail_inside_a_transaction),
        CASE(or_rollback_ends_the_transaction),
        CASE(deferred_key_with_returning),
        CASE(index_without_content_in_transactions),
        CASE(index_without_content_in_batches),
        CASE(a_table_written_twice_is_named_twice),
    };

    return cmocka_run_group_tests_name("returning", tests, NULL, NULL);
}
