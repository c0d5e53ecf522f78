/*
 * Asynchronous writes and shared commits: order, outcomes, who shares a commit and who does not, and every
 * way in which a write ends without having been done.
 *
 * Which writes wait together is decided by the tests: while a transaction of another thread holds the writer
 * (fixture_park()), all that is submitted waits, and the members of a group show the same commit number.
 */
#include "async_fixture.h"

#define ENDLESS_INSERT                                                                      \
    "INSERT INTO t(name) WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) " \
    "SELECT 'x' FROM n WHERE i < 0"

static void open_with(fixture *f, uint32_t flags)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .flags = flags};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(name TEXT)"); /* fixture_park() writes there */
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
}

static rsq_op *submit(fixture *f, const char *sql, const rsq_value *params, size_t nparams,
                      const rsq_op_options *opts)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_execute_async(f->db, sql, params, nparams, opts, &op));
    return op_kept(op);
}

static rsq_op *insert(fixture *f, const char *name)
{
    rsq_value v = rsq_text(name);

    return submit(f, "INSERT INTO t(name) VALUES (?)", &v, 1, NULL);
}

/* The op must have gone well; the number of its commit. It is freed. */
static uint64_t commit_of(rsq_op *op)
{
    rsq_result *r;
    uint64_t seq;

    EXPECT_OP(op, RSQ_OK);
    r = rsq_op_take_result(op);
    assert_non_null(r);
    seq = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    op_freed(op);
    return seq;
}

static void expect_failed(rsq_op *op, rsq_code code)
{
    EXPECT_OP(op, code);
    assert_null(rsq_op_take_result(op));
    op_freed(op);
}

/* --- one write --- */

static void figures_of_a_write(void **state)
{
    fixture *f = *state;
    rsq_named named = {.name = "n", .value = rsq_text("gamma")};
    rsq_value two[] = {rsq_text("alpha"), rsq_text("beta")};
    rsq_op *op;
    rsq_result *r;

    open_with(f, 0);
    op = submit(f, "INSERT INTO t(name) VALUES (?), (?) RETURNING id, name", two, 2, NULL);
    EXPECT_OP(op, RSQ_OK);
    r = rsq_op_take_result(op);
    EXPECT_RESULT(r, "1|'alpha'\n2|'beta'");
    assert_int_equal(rsq_result_changes(r), 2);
    assert_int_equal(rsq_result_last_insert_rowid(r), 2);
    assert_true(fixture_changed(r, "main.t"));
    assert_true(rsq_result_commit_seq(r) > 0);
    rsq_result_unref(r);
    op_freed(op);
    op = NULL;
    WANT_CODE(RSQ_OK,
              rsq_execute_async_named(f->db, "INSERT INTO t(name) VALUES (:n)", &named, 1, NULL, &op));
    (void)commit_of(op_kept(op));
    EXPECT_ROWS(f, "SELECT * FROM t", "1|'alpha'\n2|'beta'\n3|'gamma'");
}

/* The parameters are the op's own from the submission on. */
static void parameters_are_copied(void **state)
{
    fixture *f = *state;
    char name[] = "before";
    rsq_value v = rsq_text(name);
    rsq_op *op;

    open_with(f, 0);
    fixture_park(f, f->db);
    op = submit(f, "INSERT INTO t(name) VALUES (?)", &v, 1, NULL);
    memcpy(name, "after!", 6);
    parked_go(f->parked);
    (void)commit_of(op);
    EXPECT_ROWS(f, "SELECT name FROM t", "'before'");
}

static void batch(void **state)
{
    fixture *f = *state;
    rsq_value names[] = {rsq_text("a"), rsq_text("b"), rsq_text("a")};
    rsq_op *op = NULL;
    rsq_result *r;

    open_with(f, 0);
    WANT_CODE(RSQ_OK,
              rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (?)", names, 2, 1, NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    r = rsq_op_take_result(op);
    assert_int_equal(rsq_result_changes(r), 2);
    rsq_result_unref(r);
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (? || 'x')", names, 3, 1,
                                              NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_ESQL);
    assert_int_equal(rsq_op_error(op)->row, 2);
    op_freed(op);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'a'\n'b'");
}

static void several_statements(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text("one");
    const rsq_query good[] = {
        {.sql = "INSERT INTO t(name) VALUES (?) RETURNING id", .params = &v, .nparams = 1},
        {.sql = "UPDATE t SET name = name || '!'"}};
    const rsq_query bad[] = {{.sql = "DELETE FROM t"}, {.sql = "DELETE FROM nowhere"}};
    rsq_op *op = NULL;
    rsq_result *r;

    open_with(f, 0);
    WANT_CODE(RSQ_OK, rsq_execute_all_async(f->db, good, LENGTH(good), NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    r = rsq_op_take_result(op);
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
    r = rsq_op_take_result(op);
    assert_int_equal(rsq_result_changes(r), 1);
    rsq_result_unref(r);
    assert_null(rsq_op_take_result(op));
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_execute_all_async(f->db, bad, LENGTH(bad), NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_ESQL);
    assert_int_equal(rsq_op_error(op)->row, 1);
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_execute_script_async(f->db,
                                               "INSERT INTO t(name) VALUES ('a'); UPDATE t SET name = 'b' "
                                               "WHERE name = 'a';",
                                               NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    assert_null(rsq_op_take_result(op));
    op_freed(op);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'one!'\n'b'");
}

/*
 * A group ends after two milliseconds, and on a busy machine its thread may lose
 * that much between two of its members. So what waited together is given several
 * chances to share its commit; what must not share one, or must have one, has none.
 */
static void until_shared(fixture *f, bool (*attempt)(fixture *f))
{
    open_with(f, 0);
    for (int i = 0; i < 100; i++) {
        fixture_unpark(f);
        EXEC(f, "DELETE FROM t");
        EXEC(f, "DROP TABLE IF EXISTS more");
        fixture_park(f, f->db);
        if (attempt(f))
            return;
    }
    fail_msg("what waited together shared no commit in 100 attempts");
}

/* Statements of different origins share no commit. */
static bool try_origins(fixture *f)
{
    rsq_op_options seven = {.size = sizeof seven, .origin = 7};
    rsq_op *a, *b, *c;
    uint64_t seq;

    a = insert(f, "a");
    b = submit(f, "INSERT INTO t(name) VALUES ('b')", NULL, 0, &seven);
    c = submit(f, "INSERT INTO t(name) VALUES ('c')", NULL, 0, &seven);
    parked_go(f->parked);
    seq = commit_of(a);
    assert_int_equal(commit_of(b), seq + 1);
    return commit_of(c) == seq + 1;
}

static void origins_stand_apart(void **state)
{
    until_shared(*state, try_origins);
}

static void errors_come_with_the_completion(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text("twice");
    rsq_op *op;

    open_with(f, 0);
    (void)commit_of(insert(f, "twice"));
    op = insert(f, "twice");
    EXPECT_OP(op, RSQ_ESQL);
    assert_int_equal(rsq_op_error(op)->sqlite_code, 2067);
    op_freed(op);
    expect_failed(submit(f, "INSERT INTO nowhere VALUES (1)", NULL, 0, NULL), RSQ_ESQL);
    expect_failed(submit(f, "INSERT INTO t(name) VALUES (?, ?)", &v, 1, NULL), RSQ_ESQL);
    expect_failed(submit(f, "INSERT INTO t(name) VALUES (?)", NULL, 0, NULL), RSQ_EINVAL);
    expect_failed(submit(f, "BEGIN", NULL, 0, NULL), RSQ_EREFUSED);
    expect_failed(submit(f, "CREATE TEMP TABLE x(y)", NULL, 0, NULL), RSQ_EREFUSED);
    expect_failed(submit(f, "INSERT INTO t(name) VALUES ('a'); DELETE FROM t", NULL, 0, NULL), RSQ_EINVAL);
    EXPECT_ROWS(f, "SELECT name FROM t", "'twice'");
}

static void bad_arguments_are_not_submitted(void **state)
{
    fixture *f = *state;
    rsq_op_options chunks = {.size = sizeof chunks, .chunk_rows = 10};
    rsq_value bad = {.type = 9};
    rsq_op *op = NULL;

    open_with(f, 0);
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(f->db, NULL, NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(NULL, "DELETE FROM t", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(f->db, "DELETE FROM t", NULL, 0, NULL, NULL));
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(f->db, "DELETE FROM t", NULL, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(f->db, "INSERT INTO t(name) VALUES (?)", &bad, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_execute_async(f->db, "DELETE FROM t", NULL, 0, &chunks, &op));
    WANT_CODE(RSQ_EINVAL,
              rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (?)", NULL, 2, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (?)", &bad, SIZE_MAX / 8,
                                                  4, NULL, &op));
    assert_null(op);
}

static void read_only(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    rsq_op *op = NULL;

    open_with(f, 0);
    fixture_close(f);
    fixture_open(f, &opts);
    WANT_CODE(RSQ_EREADONLY, rsq_execute_async(f->db, "DELETE FROM t", NULL, 0, NULL, &op));
    assert_null(op);
}

/* --- shared commits --- */

#define MANY 100

/* Writes that waited together have one commit, and each its own outcome. */
static bool try_many(fixture *f)
{
    rsq_op *ops[MANY];
    bool shared = true;
    uint64_t seq;
    char name[16];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "n%d", i % 90); /* the last ten are there already */
        ops[i] = insert(f, name);
    }
    parked_go(f->parked);
    seq = commit_of(ops[0]);
    for (int i = 1; i < MANY; i++) {
        if (i < 90)
            shared = commit_of(ops[i]) == seq && shared;
        else
            expect_failed(ops[i], RSQ_ESQL);
    }
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), 90);
    return shared;
}

static void those_that_wait_share_a_commit(void **state)
{
    until_shared(*state, try_many);
}

static void not_when_switched_off(void **state)
{
    fixture *f = *state;
    rsq_op *ops[5];
    uint64_t seq, before = 0;
    char name[16];

    open_with(f, RSQ_OPEN_NO_GROUP_COMMIT);
    fixture_park(f, f->db);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        (void)snprintf(name, sizeof name, "n%zu", i);
        ops[i] = insert(f, name);
    }
    parked_go(f->parked);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        seq = commit_of(ops[i]);
        assert_true(seq > before);
        before = seq;
    }
}

/* What is not a plain statement has a commit of its own, in its place in line. */
static bool try_others(fixture *f)
{
    rsq_value names[] = {rsq_text("x"), rsq_text("y")};
    rsq_op *a, *b, *table, *c, *d, *rows = NULL, *e;
    uint64_t first, last, second, third;
    bool shared;

    a = insert(f, "a");
    b = insert(f, "b");
    table = submit(f, "CREATE TABLE more(x)", NULL, 0, NULL);
    c = submit(f, "INSERT INTO more VALUES (1)", NULL, 0, NULL);
    d = insert(f, "d");
    WANT_CODE(RSQ_OK,
              rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (?)", names, 2, 1, NULL, &rows));
    (void)op_kept(rows);
    e = submit(f, "UPDATE t SET name = name || '!'", NULL, 0, NULL);
    parked_go(f->parked);
    first = commit_of(a);
    last = commit_of(b);
    shared = last == first;
    assert_int_equal(commit_of(table), last + 1);
    second = commit_of(c);
    assert_int_equal(second, last + 2);
    last = commit_of(d);
    shared = shared && last == second;
    third = commit_of(rows);
    assert_int_equal(third, last + 1);
    assert_int_equal(commit_of(e), third + 1);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'a!'\n'b!'\n'd!'\n'x!'\n'y!'");
    return shared;
}

static void others_stand_between(void **state)
{
    until_shared(*state, try_others);
}

/* A statement that changes nothing has no commit number, whoever it shared a commit with. */
static bool try_nothing(fixture *f)
{
    rsq_op *a, *none, *b;

    a = insert(f, "a");
    none = submit(f, "DELETE FROM t WHERE id = 99", NULL, 0, NULL);
    b = insert(f, "b");
    parked_go(f->parked);
    assert_int_equal(commit_of(none), 0);
    return commit_of(a) == commit_of(b);
}

static void nothing_changed_has_no_number(void **state)
{
    until_shared(*state, try_nothing);
}

/* One that rolls the transaction back takes nobody with it. */
static void a_rollback_is_its_own(void **state)
{
    fixture *f = *state;
    rsq_op *a, *bad, *b;

    open_with(f, 0);
    EXEC(f, "INSERT INTO t(name) VALUES ('there')");
    fixture_park(f, f->db);
    a = insert(f, "a");
    bad = submit(f, "INSERT OR ROLLBACK INTO t(name) VALUES ('there')", NULL, 0, NULL);
    b = insert(f, "b");
    parked_go(f->parked);
    (void)commit_of(a);
    expect_failed(bad, RSQ_ESQL);
    (void)commit_of(b);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY name", "'a'\n'b'\n'there'");
}

/* A later one may not repair what an earlier one left violated. */
static void a_violation_is_not_repaired(void **state)
{
    fixture *f = *state;
    rsq_op *child, *parent, *a;

    open_with(f, 0);
    EXEC(f, "CREATE TABLE parent(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE child(pid REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
    fixture_park(f, f->db);
    a = insert(f, "a");
    child = submit(f, "INSERT INTO child VALUES (1)", NULL, 0, NULL);
    parent = submit(f, "INSERT INTO parent VALUES (1)", NULL, 0, NULL);
    parked_go(f->parked);
    (void)commit_of(a);
    expect_failed(child, RSQ_ESQL);
    (void)commit_of(parent);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM child"), 0);
}

/* A live query hears of a group once. */
static bool try_event(fixture *f)
{
    rsq_op *ops[10];
    bool shared = true;
    uint64_t seq;
    char name[16];
    probe *p;

    p = WATCH(f, "SELECT count(*) FROM t");
    EXPECT_EVENT(p, "0");
    for (size_t i = 0; i < LENGTH(ops); i++) {
        (void)snprintf(name, sizeof name, "n%zu", i);
        ops[i] = insert(f, name);
    }
    parked_go(f->parked);
    seq = commit_of(ops[0]);
    for (size_t i = 1; i < LENGTH(ops); i++)
        shared = commit_of(ops[i]) == seq && shared;
    if (shared)
        EXPECT_EVENT(p, "10");
    else
        EXPECT_REACHES(p, "10");
    probe_close(p);
    return shared;
}

static void one_event_for_a_group(void **state)
{
    until_shared(*state, try_event);
}

/* --- order --- */

/* A blocking write of a thread runs after the asynchronous ones that it submitted before. */
static void blocking_after_asynchronous(void **state)
{
    fixture *f = *state;

    open_with(f, 0);
    for (int round = 0; round < 200; round++) {
        rsq_op *op = submit(f, "INSERT INTO t(name) SELECT 'n' || count(*) FROM t", NULL, 0, NULL);
        rsq_result *r = NULL;

        WANT(f, RSQ_OK, rsq_execute(f->db, "SELECT count(*) FROM t", NULL, 0, NULL, &r, &f->err));
        assert_int_equal(rsq_result_int64(r, 0, 0), round + 1);
        rsq_result_unref(r);
        EXPECT_OP(op, RSQ_OK);
        op_freed(op);
    }
}

/* W11: each finds what those submitted before it have written. */
static void in_order_of_submission(void **state)
{
    fixture *f = *state;
    rsq_op *ops[300];

    open_with(f, 0);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        rsq_value v = rsq_integer((int64_t)i + 1);

        ops[i] = submit(f, "INSERT INTO t(id, name) SELECT ?1, 'n' || max(id) FROM t", &v, 1, NULL);
    }
    for (size_t i = 0; i < LENGTH(ops); i++)
        (void)commit_of(ops[i]);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t WHERE name = 'n' || (id - 1)"), LENGTH(ops) - 1);
}

typedef struct crew {
    fixture *f;
    verdict verdict;
} crew;

#define ROUNDS (FIXTURE_UNDER_TSAN ? 40 : 200)

/* Blocking single inserts from many threads: the same line, the same groups. */
static void insert_many(size_t index, void *ctx)
{
    crew *c = ctx;
    char name[32];
    uint64_t last = 0;

    for (int i = 0; i < ROUNDS; i++) {
        rsq_value v;
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code code;

        (void)snprintf(name, sizeof name, "%zu-%d", index, i % 150);
        v = rsq_text(name);
        code = rsq_execute(c->f->db, "INSERT INTO t(name) VALUES (?)", &v, 1, NULL, &r, &err);
        BLAME(&c->verdict, code == (i < 150 ? RSQ_OK : RSQ_ESQL), &err);
        BLAME(&c->verdict, code != RSQ_OK || rsq_result_commit_seq(r) > last, &err);
        last = code == RSQ_OK ? rsq_result_commit_seq(r) : last;
        rsq_result_unref(r);
    }
}

#define CREW 8

/* The last of the crew lets the writer go when all others wait for it. */
static void insert_or_let_go(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_counters n = {.size = sizeof n};

    if (index < CREW) {
        insert_many(index, ctx);
        return;
    }
    do {
        sched_yield();
        BLAME(&c->verdict, rsq_stats(c->f->db, &n, NULL) == RSQ_OK, NULL);
    } while (n.writers_waiting < CREW && n.size);
    parked_go(c->f->parked);
}

static void blocking_writes_share_commits(void **state)
{
    fixture *f = *state;
    crew c = {.f = f};
    rsq_result *r = NULL;
    uint64_t first, last;

    verdict_init(&c.verdict);
    open_with(f, 0);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1 FROM t", NULL, 0, NULL, &r, &f->err));
    first = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    fixture_park(f, f->db);
    crew_run(CREW + 1, insert_or_let_go, &c);
    VERDICT(&c.verdict);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1 FROM t", NULL, 0, NULL, &r, &f->err));
    last = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), CREW * (ROUNDS < 150 ? ROUNDS : 150));
    print_message("# %d inserts in %d commits\n", CREW * (ROUNDS < 150 ? ROUNDS : 150), (int)(last - first));
    assert_true(last - first < CREW * (ROUNDS < 150 ? ROUNDS : 150));
}

/* --- what ends early --- */

static bool try_cancelled(fixture *f)
{
    rsq_op *a, *b, *c;
    bool shared;
    uint64_t seq;

    a = insert(f, "a");
    b = insert(f, "b");
    c = insert(f, "c");
    rsq_op_cancel(b);
    expect_failed(b, RSQ_ECANCELLED); /* at once, with the writer still held */
    parked_go(f->parked);
    seq = commit_of(a);
    shared = commit_of(c) == seq;
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'a'\n'c'");
    return shared;
}

static void cancelled_in_line(void **state)
{
    until_shared(*state, try_cancelled);
}

/* A member that is interrupted is undone, and the others are done all the same. */
static void cancelled_in_a_group(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_op *a, *endless, *b;

    open_with(f, 0);
    fixture_park(f, f->db);
    a = insert(f, "a");
    endless = submit(f, ENDLESS_INSERT, NULL, 0, NULL);
    b = insert(f, "b");
    parked_go(f->parked);
    parked_join(f->parked);
    /* The writer is held by the group; its first member names it. */
    do {
        WANT_CODE(RSQ_ETIMEOUT, rsq_execute(f->db, "DELETE FROM t", NULL, 0, &soon, NULL, &f->err));
    } while (!strstr(f->err.message, "INSERT INTO t(name) VALUES"));
    rsq_op_cancel(endless);
    expect_failed(endless, RSQ_ECANCELLED);
    (void)commit_of(a);
    (void)commit_of(b);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY name", "'a'\n'b'");
}

static void deadline(void **state)
{
    fixture *f = *state;
    rsq_op_options soon = {.size = sizeof soon, .timeout_ms = 20};
    rsq_op *waits, *runs;

    open_with(f, 0);
    runs = submit(f, ENDLESS_INSERT, NULL, 0, &soon);
    expect_failed(runs, RSQ_ETIMEOUT);
    fixture_park(f, f->db);
    waits = submit(f, "INSERT INTO t(name) VALUES ('late')", NULL, 0, &soon);
    expect_failed(waits, RSQ_ETIMEOUT);
    parked_go(f->parked);
    parked_join(f->parked);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), 0);
}

static void close_from_a_thread(void *db)
{
    (void)rsq_close(db);
}

/* Those that wait when the database closes are told; nothing of them is done. */
static void closed_while_waiting(void **state)
{
    fixture *f = *state;
    rsq_op *ops[10];
    thread closer;

    open_with(f, 0);
    fixture_park(f, f->db);
    for (size_t i = 0; i < LENGTH(ops); i++)
        ops[i] = insert(f, i % 2 ? "odd" : "even");
    thread_start(&closer, close_from_a_thread, f->db);
    for (size_t i = 0; i < LENGTH(ops); i++)
        expect_failed(ops[i], RSQ_ECLOSED);
    parked_go(f->parked);
    parked_join(f->parked);
    THREAD_JOIN(&closer);
    f->db = NULL;
    fixture_open(f, NULL);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), 0);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 2);
}

static rsq_code wait_inside(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_op *op = insert(f, "inside");
    rsq_error err;

    WANT_CODE(RSQ_EMISUSE, rsq_op_wait(op, UINT32_MAX));
    WANT_CODE(RSQ_EPENDING, rsq_op_status(op));
    return rsq_tx_execute(tx, "INSERT INTO t(name) VALUES ('tx')", NULL, 0, NULL, NULL, &err);
}

/* Inside a transaction of the same thread the wait could never end. */
static void waiting_inside_a_transaction(void **state)
{
    fixture *f = *state;

    open_with(f, 0);
    WANT(f, RSQ_OK, rsq_transaction(f->db, wait_inside, f, NULL, &f->err));
    assert_int_equal(live_ops.count, 1);
    (void)commit_of(live_ops.ops[0]);
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'tx'\n'inside'");
}

/* When a statement is answered, its text may be gone: nobody is told that it still holds the writer, which is
 * kept for a while longer to let the log begin anew. */
static void what_is_answered_holds_nothing(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_call_options rows = {.size = sizeof rows, .chunk_rows = 1};
    rsq_value batch = rsq_integer(20000001);
    rsq_cursor *reads = NULL;
    rsq_op *op;

    open_with(f, 0);
    EXEC(f, "INSERT INTO items VALUES ('a'), ('b')");
    /* With its reader away, the pause after a commit takes all of its 10 ms. */
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, "SELECT * FROM items", NULL, 0, &rows, &reads, &f->err));
    op = submit(f, "INSERT INTO t(name) VALUES (zeroblob(20000000))", NULL, 0, NULL);
    EXPECT_OP(op, RSQ_OK);
    op_freed(op);
    if (rsq_execute(f->db, "DELETE FROM items", NULL, 0, &soon, NULL, &f->err) != RSQ_OK)
        assert_null(strstr(f->err.message, "zeroblob"));
    op = NULL;
    WANT_CODE(RSQ_OK, rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (zeroblob(?))", &batch, 1, 1,
                                              NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    op_freed(op);
    if (rsq_execute(f->db, "DELETE FROM items", NULL, 0, &soon, NULL, &f->err) != RSQ_OK)
        assert_null(strstr(f->err.message, "zeroblob"));
    rsq_cursor_close(reads);
}

/* The same with a transaction that this thread has begun: it would wait until it is left idle for too long.
 */
static void waiting_beside_a_begun_transaction(void **state)
{
    fixture *f = *state;
    rsq_call_options moves = {.size = sizeof moves, .flags = RSQ_CALL_MOVES};
    rsq_op *write, *read = NULL;
    rsq_tx *tx = NULL;

    open_with(f, 0);
    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    write = insert(f, "a");
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, NULL, &read));
    WANT_CODE(RSQ_EMISUSE, rsq_op_wait(write, 1000));
    WANT_CODE(RSQ_ETIMEOUT, rsq_op_wait(write, 0));
    EXPECT_OP(op_kept(read), RSQ_OK);
    op_freed(read);
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    (void)commit_of(write);
    /* Of one that is handed around nothing is known. */
    WANT(f, RSQ_OK, rsq_begin(f->db, &moves, &tx, &f->err));
    write = insert(f, "b");
    WANT_CODE(RSQ_ETIMEOUT, rsq_op_wait(write, 1));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    (void)commit_of(write);
}

static rsq_code read_inside(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_op *op = NULL;

    (void)tx;
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EMISUSE, rsq_op_wait(op_kept(op), 1000));
    return RSQ_OK;
}

/* In memory a read waits for the transaction too. */
static void waiting_in_memory(void **state)
{
    fixture *f = *state;
    rsq_tx *tx = NULL;
    rsq_op *op = NULL;

    f->db = fixture_open_path(f, ":memory:", NULL);
    WANT(f, RSQ_OK, rsq_transaction(f->db, read_inside, f, NULL, &f->err));
    assert_int_equal(live_ops.count, 1);
    EXPECT_OP(live_ops.ops[0], RSQ_OK);
    op_freed(live_ops.ops[0]);
    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EMISUSE, rsq_op_wait(op_kept(op), 1000));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    EXPECT_OP(op, RSQ_OK);
    op_freed(op);
}

/* --- another process --- */

/* Another process holds the lock of a database that the members do not write: a commit of its own would not
 * ask for it. */
static void lock_of_an_attached_database(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "other.db");
    const rsq_attach other = {"other", path};
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 10, .attach = &other, .nattach = 1};
    const char *const sql[] = {"BEGIN IMMEDIATE", "-", "COMMIT"};
    rsq_op *a, *b, *theirs;
    foreign x;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(name TEXT)");
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    EXEC(f, "CREATE TABLE other.o(name TEXT)");
    fixture_park(f, f->db); /* it has all locks, so it comes first */
    a = insert(f, "a");
    theirs = submit(f, "INSERT INTO other.o VALUES ('x')", NULL, 0, NULL);
    b = insert(f, "b");
    parked_go(f->parked);
    (void)commit_of(a);
    (void)commit_of(theirs);
    (void)commit_of(b);
    foreign_start(f, &x, path, sql, LENGTH(sql));
    foreign_await(&x);
    for (int round = 0; round < 10; round++) {
        /* While the first one waits for the lock, the others get in line. */
        theirs = submit(f, "INSERT INTO other.o VALUES ('x')", NULL, 0, NULL);
        a = submit(f, "INSERT INTO t(name) SELECT 'n' || count(*) FROM t", NULL, 0, NULL);
        b = submit(f, "INSERT INTO t(name) SELECT 'n' || count(*) FROM t", NULL, 0, NULL);
        expect_failed(theirs, RSQ_EBUSY);
        (void)commit_of(a);
        (void)commit_of(b);
    }
    foreign_go(&x);
    free(foreign_finish(&x));
    free(path);
}

/* The lock of another process is told to the first of a group as to a statement by itself. */
static void lock_of_another_process(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 10};
    const char *const sql[] = {"BEGIN IMMEDIATE", "-", "COMMIT"};
    rsq_op *ops[6];
    foreign x;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    foreign_start(f, &x, f->path, sql, LENGTH(sql));
    foreign_await(&x);
    WANT(f, RSQ_EBUSY, rsq_execute(f->db, "INSERT INTO t(name) VALUES ('x')", NULL, 0, NULL, NULL, &f->err));
    /* While one waits for the lock, those behind it get in line together. */
    for (size_t i = 0; i < LENGTH(ops); i++)
        ops[i] = submit(f, "INSERT INTO t(name) SELECT 'n' || count(*) FROM t", NULL, 0, NULL);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        EXPECT_OP(ops[i], RSQ_EBUSY);
        assert_string_equal(rsq_op_error(ops[i])->message, f->err.message);
        assert_int_equal(rsq_op_error(ops[i])->sqlite_code, f->err.sqlite_code);
        op_freed(ops[i]);
    }
    foreign_go(&x);
    free(foreign_finish(&x));
    (void)commit_of(insert(f, "then"));
}

/* A limit ends a wait for another process's lock too. */
static void deadline_before_a_foreign_lock(void **state)
{
    fixture *f = *state;
    rsq_op_options soon = {.size = sizeof soon, .timeout_ms = 20};
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 15000};
    const char *const sql[] = {"BEGIN IMMEDIATE", "-", "COMMIT"};
    rsq_value v = rsq_text("late");
    uint64_t start;
    rsq_op *op;
    foreign x;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    foreign_start(f, &x, f->path, sql, LENGTH(sql));
    foreign_await(&x);
    start = now_ns();
    expect_failed(submit(f, "INSERT INTO t(name) VALUES (?)", &v, 1, &soon), RSQ_ETIMEOUT);
    op = submit(f, "INSERT INTO t(name) VALUES (?) RETURNING id", &v, 1, NULL);
    rsq_op_cancel(op);
    expect_failed(op, RSQ_ECANCELLED);
    op = NULL;
    WANT_CODE(RSQ_OK, rsq_execute_batch_async(f->db, "INSERT INTO t(name) VALUES (?)", &v, 1, 1, &soon, &op));
    expect_failed(op_kept(op), RSQ_ETIMEOUT);
    /* All three together, before a single one would have given up by itself. */
    assert_true(ms_since(start) < opts.busy_timeout_ms);
    foreign_go(&x);
    free(foreign_finish(&x));
    (void)commit_of(insert(f, "then"));
}

/* In memory there is one connection for everything. */
static void in_memory(void **state)
{
    fixture *f = *state;
    rsq_op *ops[50];

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    for (size_t i = 0; i < LENGTH(ops); i++)
        ops[i] = submit(f, "INSERT INTO t(name) SELECT 'n' || count(*) FROM t", NULL, 0, NULL);
    for (size_t i = 0; i < LENGTH(ops); i++)
        (void)commit_of(ops[i]);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), LENGTH(ops));
}

static void nothing(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    (void)s;
    (void)ev;
    (void)ctx;
}

/* -1 for "up to the NUL", as SQLite has it, is no length here: it is refused, and not read. */
static void lengths_that_cannot_be(void **state)
{
    fixture *f = *state;
    rsq_call_options blocking = {.size = sizeof blocking, .sql_len = SIZE_MAX};
    rsq_op_options asynchronous = {.size = sizeof asynchronous, .sql_len = SIZE_MAX};
    rsq_stream_options stream = {.size = sizeof stream, .sql_len = SIZE_MAX, .event = nothing};
    rsq_value value = {.type = RSQ_TEXT, .len = UINT32_MAX, .as.text = "text"};
    rsq_query query = {.sql = "DELETE FROM t", .sql_len = SIZE_MAX};
    rsq_migration step = {.name = "step", .sql = "DELETE FROM t", .sql_len = SIZE_MAX};
    static const char insert[] = "INSERT INTO t(name) VALUES (?)";
    rsq_stream *s = NULL;
    rsq_op *op = NULL;

    open_with(f, 0);
    WANT(f, RSQ_ETOOBIG, rsq_execute(f->db, "DELETE FROM t", NULL, 0, &blocking, NULL, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_execute_script(f->db, "DELETE FROM t", &blocking, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_execute_batch(f->db, insert, &value, 1, 1, &blocking, NULL, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_execute_all(f->db, &query, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_migrate(f->db, &step, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &stream, &s, &f->err));
    WANT_CODE(RSQ_ETOOBIG, rsq_execute_async(f->db, "DELETE FROM t", NULL, 0, &asynchronous, &op));
    WANT_CODE(RSQ_ETOOBIG, rsq_execute_all_async(f->db, &query, 1, NULL, &op));
    WANT(f, RSQ_ETOOBIG, rsq_execute(f->db, insert, &value, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_ETOOBIG, rsq_execute_batch(f->db, insert, &value, 1, 1, NULL, NULL, &f->err));
    WANT_CODE(RSQ_ETOOBIG, rsq_execute_async(f->db, insert, &value, 1, NULL, &op));
    WANT_CODE(RSQ_ETOOBIG, rsq_execute_batch_async(f->db, insert, &value, 1, 1, NULL, &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(figures_of_a_write),
        CASE(parameters_are_copied),
        CASE(batch),
        CASE(several_statements),
        CASE(origins_stand_apart),
        CASE(errors_come_with_the_completion),
        CASE(bad_arguments_are_not_submitted),
        CASE(lengths_that_cannot_be),
        CASE(read_only),
        CASE(those_that_wait_share_a_commit),
        CASE(not_when_switched_off),
        CASE(others_stand_between),
        CASE(nothing_changed_has_no_number),
        CASE(a_rollback_is_its_own),
        CASE(a_violation_is_not_repaired),
        CASE(one_event_for_a_group),
        CASE(blocking_after_asynchronous),
        CASE(in_order_of_submission),
        CASE(blocking_writes_share_commits),
        CASE(cancelled_in_line),
        CASE(cancelled_in_a_group),
        CASE(deadline),
        CASE(closed_while_waiting),
        CASE(waiting_inside_a_transaction),
        CASE(what_is_answered_holds_nothing),
        CASE(waiting_beside_a_begun_transaction),
        CASE(waiting_in_memory),
        CASE(lock_of_an_attached_database),
        CASE(lock_of_another_process),
        CASE(deadline_before_a_foreign_lock),
        CASE(in_memory),
    };

    return cmocka_run_group_tests_name("execute-async", tests, NULL, NULL);
}
