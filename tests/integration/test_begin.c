/*
 * Interactive transactions: rsq_begin(), rsq_commit(), rsq_rollback(), and savepoints without a function.
 *
 * Such a transaction keeps the writer between two calls, and it ends in many ways: by its commit or rollback,
 * by idleness, by the close of the database, by SQLite. What they have in common is tested for each of them:
 * the writer is free, nothing but a commit leaves a trace, the handle says how it ended, and it is given up
 * once.
 *
 * That the writer is free is seen without time: another writer waits for it, with no deadline, and is served.
 */
#include "async_fixture.h"

#include <sched.h>
#include <stdatomic.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
#define DEFERRED \
    "CREATE TABLE child(id INTEGER PRIMARY KEY, item REFERENCES items(id) DEFERRABLE INITIALLY DEFERRED)"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, ITEMS);
}

static rsq_call_options idle_after(uint32_t ms)
{
    return (rsq_call_options){.size = sizeof(rsq_call_options), .idle_timeout_ms = ms};
}

static rsq_tx *begun(fixture *f, const rsq_call_options *opts)
{
    rsq_tx *tx = NULL;

    WANT(f, RSQ_OK, rsq_begin(f->db, opts, &tx, &f->err));
    assert_non_null(tx);
    return tx;
}

static rsq_code insert(rsq_tx *tx, const char *name, rsq_error *err)
{
    rsq_value v = rsq_text(name);

    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, NULL, err);
}

static int64_t count(fixture *f, rsq_tx *tx)
{
    rsq_result *r = NULL;
    int64_t n;

    WANT(f, RSQ_OK, rsq_tx_select(tx, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &f->err));
    n = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    return n;
}

static rsq_code do_nothing(rsq_tx *tx, void *ctx)
{
    (void)tx;
    *(bool *)ctx = true;
    return RSQ_OK;
}

/* Each call on the handle answers this, and does nothing. */
static void expect_each(fixture *f, rsq_tx *tx, rsq_code code)
{
    rsq_value v = rsq_text("late");
    rsq_query q = {.sql = "DELETE FROM items"};
    rsq_result *r = NULL;
    bool called = false;

    WANT(f, code, insert(tx, "late", &f->err));
    WANT(f, code, rsq_tx_select(tx, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT(f, code, rsq_tx_select_json(tx, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT(f, code,
         rsq_tx_execute_batch(tx, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, code, rsq_tx_execute_all(tx, &q, 1, NULL, &r, &f->err));
    WANT(f, code, rsq_tx_execute_script(tx, "DELETE FROM items;", NULL, &f->err));
    WANT(f, code, rsq_tx_transaction(tx, do_nothing, &called, &f->err));
    WANT(f, code, rsq_tx_savepoint(tx, &f->err));
    WANT(f, code, rsq_tx_release(tx, &f->err));
    WANT(f, code, rsq_tx_rollback_to(tx, &f->err));
    WANT_CODE(code, insert(tx, "late", NULL));
    assert_null(r);
    assert_false(called);
}

/* After it was given up, also by what ends it. */
static void expect_given_up(fixture *f, rsq_tx *tx)
{
    expect_each(f, tx, RSQ_EMISUSE);
    WANT(f, RSQ_EMISUSE, rsq_commit(tx, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_rollback(tx, &f->err));
}

/* --------------------------------------------------------------- a writer that waits -- */

typedef struct waiter {
    rsq_db *db;
    const char *name;
    thread thread;
    gate served;
    rsq_code code;
    rsq_error err;
} waiter;

static void wait_for_the_writer(void *ctx)
{
    waiter *w = ctx;
    rsq_value v = rsq_text(w->name);

    w->code = rsq_execute(w->db, "INSERT INTO items(name) VALUES (?)", &v, 1, NULL, NULL, &w->err);
    gate_open(&w->served);
}

static void waiter_start(waiter *w, rsq_db *db, const char *name)
{
    *w = (waiter){.db = db, .name = name};
    gate_init(&w->served);
    thread_start(&w->thread, wait_for_the_writer, w);
}

static void waiter_join(fixture *f, waiter *w)
{
    THREAD_JOIN(&w->thread);
    f->err = w->err;
    WANT(f, RSQ_OK, w->code);
    gate_fini(&w->served);
}

/* The writer is free: another thread writes, however long it takes it to get there. */
static void expect_free(fixture *f)
{
    waiter w;

    waiter_start(&w, f->db, "other");
    waiter_join(f, &w);
    EXEC(f, "DELETE FROM items WHERE name = 'other'");
}

/* ----------------------------------------------------------------------- commit and rollback -- */

/* What a transaction wrote is seen inside at once, outside after the commit, and is in the file. */
static void commit_keeps(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, insert(tx, "alice", &f->err));
    WANT(f, RSQ_OK, insert(tx, "bob", &f->err));
    assert_int_equal(count(f, tx), 2);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'");
    expect_free(f);
    fixture_close(f);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'");
}

static void rollback_undoes(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    for (int i = 0; i < 3; i++) {
        tx = begun(f, NULL);
        WANT(f, RSQ_OK, insert(tx, "alice", &f->err));
        WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    }
    expect_free(f);
}

/* Nothing written is no commit: the number stays. */
static void empty_transaction(void **state)
{
    fixture *f = *state;
    rsq_result *before = NULL, *after = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &before, &f->err));
    WANT(f, RSQ_OK, rsq_commit(begun(f, NULL), &f->err));
    WANT(f, RSQ_OK, rsq_rollback(begun(f, NULL), &f->err));
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items", NULL, 0, NULL, &after, &f->err));
    assert_int_equal(rsq_result_commit_seq(before), rsq_result_commit_seq(after));
    rsq_result_unref(before);
    rsq_result_unref(after);
}

/* A statement that fails is undone alone. */
static void failed_statement(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, insert(tx, "alice", &f->err));
    WANT(f, RSQ_ESQL,
         rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('x'), (NULL)", NULL, 0, NULL, NULL, &f->err));
    assert_int_equal(f->err.sqlite_code, 1299);
    WANT(f, RSQ_EREFUSED, rsq_tx_execute(tx, "COMMIT", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_OK, insert(tx, "bob", &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'alice'\n'bob'");
}

/* A foreign key that is still violated at COMMIT: the operation and SQLite's code, all undone, the handle
 * given up, and the next transaction begins cleanly; with a savepoint that was open, too. */
static void deferred_foreign_key(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, DEFERRED);
    for (int i = 0; i < 4; i++) {
        rsq_tx *tx = begun(f, NULL);

        if (i % 2)
            WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
        WANT(f, RSQ_OK,
             rsq_tx_execute(tx, "INSERT INTO child(item) VALUES (9)", NULL, 0, NULL, NULL, &f->err));
        WANT(f, RSQ_ESQL, rsq_commit(tx, &f->err));
        assert_int_equal(f->err.sqlite_code, 787);
        assert_memory_equal(f->err.message, "commit:", 7);
        expect_given_up(f, tx);
        tx = begun(f, NULL);
        WANT(f, RSQ_OK, insert(tx, "next", &f->err));
        WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    }
    EXPECT_ROWS(f, "SELECT (SELECT count(*) FROM child), (SELECT count(*) FROM items)", "0|4");
}

/* T22, T23: after its end the handle refuses each call, and nothing of them reaches the file; also when many
 * others have ended since. */
static void handle_after_its_end(void **state)
{
    fixture *f = *state;
    rsq_tx *committed, *rolled_back, *other;

    start(f);
    committed = begun(f, NULL);
    WANT(f, RSQ_OK, insert(committed, "kept", &f->err));
    WANT(f, RSQ_OK, rsq_commit(committed, &f->err));
    rolled_back = begun(f, NULL);
    WANT(f, RSQ_OK, rsq_rollback(rolled_back, &f->err));
    for (int i = 0; i < 3; i++) {
        expect_given_up(f, committed);
        expect_given_up(f, rolled_back);
        other = begun(f, NULL);
        expect_given_up(f, committed);
        WANT(f, RSQ_OK, insert(other, "more", &f->err));
        WANT(f, RSQ_OK, rsq_commit(other, &f->err));
    }
    for (int i = 0; i < 1000; i++)
        WANT(f, RSQ_OK, rsq_rollback(begun(f, NULL), &f->err));
    expect_given_up(f, committed);
    EXPECT_ROWS(f, "SELECT name FROM items", "'kept'\n'more'\n'more'\n'more'");
    fixture_close(f);
    expect_given_up(f, committed);
    /* More than are kept: their memory is used again, not leaked. */
    fixture_open(f, NULL);
    for (int i = 0; i < 1100; i++)
        WANT(f, RSQ_OK, rsq_rollback(begun(f, NULL), &f->err));
}

/* ------------------------------------------------------------------------------- threads -- */

typedef struct step {
    rsq_tx *tx;
    rsq_code (*fn)(rsq_tx *tx, rsq_error *err);
    rsq_code code;
    rsq_error err;
} step;

static void run_step(void *ctx)
{
    step *s = ctx;

    s->code = s->fn(s->tx, &s->err);
}

/* One call, in a thread of its own. */
static void elsewhere(fixture *f, rsq_tx *tx, rsq_code (*fn)(rsq_tx *tx, rsq_error *err))
{
    step s = {.tx = tx, .fn = fn};
    thread t;

    thread_start(&t, run_step, &s);
    THREAD_JOIN(&t);
    f->err = s.err;
    WANT(f, RSQ_OK, s.code);
}

static rsq_code insert_there(rsq_tx *tx, rsq_error *err)
{
    return insert(tx, "there", err);
}

/* Any thread may use it, one after the other. */
static void handed_from_thread_to_thread(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    elsewhere(f, tx, insert_there);
    WANT(f, RSQ_OK, insert(tx, "here", &f->err));
    elsewhere(f, tx, insert_there);
    elsewhere(f, tx, rsq_commit);
    EXPECT_ROWS(f, "SELECT name FROM items", "'there'\n'here'\n'there'");
    elsewhere(f, begun(f, NULL), rsq_rollback);
    expect_free(f);
}

/* A call that stays inside: a nested transaction whose function waits. */
typedef struct stay {
    rsq_db *db;
    rsq_tx *tx;
    gate inside, go;
    thread thread;
    rsq_code joined, code;
    rsq_error err;
} stay;

static rsq_code stay_inside(rsq_tx *tx, void *ctx)
{
    stay *s = ctx;
    rsq_code code = insert(tx, "nested", NULL);

    gate_open(&s->inside);
    if (!gate_wait(&s->go))
        return RSQ_ETIMEOUT;
    s->joined = rsq_execute(s->db, "INSERT INTO items(name) VALUES ('joined')", NULL, 0, NULL, NULL, NULL);
    return code;
}

static void run_stay(void *ctx)
{
    stay *s = ctx;

    s->code = rsq_tx_transaction(s->tx, stay_inside, s, &s->err);
    gate_open(&s->inside);
}

static void stay_start(stay *s, rsq_db *db, rsq_tx *tx)
{
    *s = (stay){.db = db, .tx = tx};
    gate_init(&s->inside);
    gate_init(&s->go);
    thread_start(&s->thread, run_stay, s);
    assert_true(gate_wait(&s->inside));
}

static void stay_join(fixture *f, stay *s)
{
    gate_open(&s->go);
    THREAD_JOIN(&s->thread);
    f->err = s->err;
    WANT(f, RSQ_OK, s->code);
    WANT_CODE(RSQ_OK, s->joined);
    gate_fini(&s->inside);
    gate_fini(&s->go);
}

/* While one thread is in a call on it, every call of another one is refused, and harms nothing. */
static void two_calls_at_once(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;
    stay s;

    start(f);
    tx = begun(f, NULL);
    stay_start(&s, f->db, tx);
    expect_each(f, tx, RSQ_EMISUSE);
    WANT(f, RSQ_EMISUSE, rsq_commit(tx, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_rollback(tx, &f->err));
    stay_join(f, &s);
    WANT(f, RSQ_OK, insert(tx, "after", &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'nested'\n'joined'\n'after'");
}

/* Calls of two threads in a race: each is done, or refused because of the other; what was done is there. */
typedef struct race {
    fixture *f;
    rsq_tx *tx;
    _Atomic int done;
    verdict v;
} race;

static void use_in_a_race(size_t index, void *ctx)
{
    race *r = ctx;
    rsq_error err;

    (void)index;
    for (int i = 0; i < 200; i++) {
        rsq_code code = insert(r->tx, "raced", &err);

        BLAME(&r->v, code == RSQ_OK || code == RSQ_EMISUSE, &err);
        r->done += code == RSQ_OK;
    }
}

static void calls_in_a_race(void **state)
{
    fixture *f = *state;
    race r = {.f = f};

    start(f);
    verdict_init(&r.v);
    r.tx = begun(f, NULL);
    crew_run(3, use_in_a_race, &r);
    assert_int_equal(count(f, r.tx), r.done);
    WANT(f, RSQ_OK, rsq_commit(r.tx, &f->err));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), r.done);
    VERDICT(&r.v);
}

static void add_one_by_one(size_t index, void *ctx)
{
    race *r = ctx;

    (void)index;
    for (int i = 0; i < 50; i++) {
        rsq_result *read = NULL;
        rsq_tx *tx = NULL;
        rsq_value v;
        rsq_error err;

        BLAME(&r->v, rsq_begin(r->f->db, NULL, &tx, &err) == RSQ_OK, &err);
        BLAME(&r->v, rsq_tx_select(tx, "SELECT n FROM c", NULL, 0, NULL, &read, &err) == RSQ_OK, &err);
        v = rsq_integer(rsq_result_int64(read, 0, 0) + 1);
        rsq_result_unref(read);
        BLAME(&r->v, rsq_tx_execute(tx, "UPDATE c SET n = ?", &v, 1, NULL, NULL, &err) == RSQ_OK, &err);
        BLAME(&r->v, (i % 5 ? rsq_commit(tx, &err) : rsq_rollback(tx, &err)) == RSQ_OK, &err);
    }
}

/* Transactions of several threads do not interleave: no addition is lost. */
static void transactions_take_turns(void **state)
{
    fixture *f = *state;
    race r = {.f = f};

    start(f);
    verdict_init(&r.v);
    EXEC(f, "CREATE TABLE c AS SELECT 0 AS n");
    crew_run(4, add_one_by_one, &r);
    EXPECT_ROWS(f, "SELECT n FROM c", "160");
    VERDICT(&r.v);
}

/* ------------------------------------------------------------------------- who waits for it -- */

static rsq_code short_write(rsq_db *db, rsq_error *err)
{
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 20};

    return rsq_execute(db, "INSERT INTO items(name) VALUES ('short')", NULL, 0, &opts, NULL, err);
}

static void write_shortly(void *ctx)
{
    waiter *w = ctx;

    w->code = short_write(w->db, &w->err);
}

/* Others wait with a deadline, whose message names what holds the writer, and are served in order. */
static void others_wait(void **state)
{
    fixture *f = *state;
    waiter w = {0};
    rsq_tx *tx;
    thread t;

    start(f);
    tx = begun(f, NULL);
    w.db = f->db;
    thread_start(&t, write_shortly, &w);
    THREAD_JOIN(&t);
    f->err = w.err;
    WANT(f, RSQ_ETIMEOUT, w.code);
    assert_non_null(strstr(f->err.message, "held by \"a transaction"));
    waiter_start(&w, f->db, "waited");
    WANT(f, RSQ_OK, insert(tx, "first", &f->err));
    assert_false(gate_is_open(&w.served));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    waiter_join(f, &w);
    EXPECT_ROWS(f, "SELECT name FROM items", "'first'\n'waited'");
}

/* The thread that began it would wait for itself: each write says so at once. Reads see what is committed. */
static void writes_of_its_own_thread(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text("x");
    rsq_query q = {.sql = "DELETE FROM items"};
    bool called = false;
    rsq_tx *tx, *second = NULL;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, insert(tx, "inside", &f->err));
    WANT(f, RSQ_EMISUSE, rsq_execute(f->db, "DELETE FROM items", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EMISUSE,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_execute_all(f->db, &q, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_execute_script(f->db, "DELETE FROM items", NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_transaction(f->db, do_nothing, &called, NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_begin(f->db, NULL, &second, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    assert_false(called);
    EXEC(f, "INSERT INTO items(name) VALUES ('again')");
    EXPECT_ROWS(f, "SELECT name FROM items", "'inside'\n'again'");
}

typedef struct beginner {
    rsq_db *db;
    rsq_tx *tx;
    rsq_code code;
} beginner;

static void begin_and_end(void *ctx)
{
    beginner *b = ctx;

    b->code = rsq_begin(b->db, NULL, &b->tx, NULL);
}

/* A thread that comes after the one that began it, and may have its stack and its memory, is another one. */
static void writes_of_a_later_thread(void **state)
{
    fixture *f = *state;
    beginner b = {0};
    waiter w = {0};
    thread t;

    start(f);
    b.db = w.db = f->db;
    thread_start(&t, begin_and_end, &b);
    THREAD_JOIN(&t);
    assert_int_equal(b.code, RSQ_OK);
    thread_start(&t, write_shortly, &w);
    THREAD_JOIN(&t);
    f->err = w.err;
    WANT(f, RSQ_ETIMEOUT, w.code);
    WANT(f, RSQ_OK, rsq_rollback(b.tx, &f->err));
}

/* A transaction that moves between threads may be ended by another one: then a write waits. */
static void writes_beside_one_that_moves(void **state)
{
    fixture *f = *state;
    rsq_call_options moves = {.size = sizeof moves, .flags = RSQ_CALL_MOVES};
    rsq_tx *tx;

    start(f);
    tx = begun(f, &moves);
    WANT(f, RSQ_ETIMEOUT, short_write(f->db, &f->err));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    tx = begun(f, NULL);
    WANT(f, RSQ_EMISUSE, short_write(f->db, &f->err));
    elsewhere(f, tx, insert_there);
    WANT(f, RSQ_ETIMEOUT, short_write(f->db, &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    WANT(f, RSQ_OK, short_write(f->db, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'there'\n'short'");
}

/* In a database with one connection, reads wait as well: of its own thread they are refused. */
static void one_connection(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;
    waiter w;
    rsq_tx *tx;

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, ITEMS);
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, insert(tx, "inside", &f->err));
    assert_int_equal(count(f, tx), 1);
    WANT(f, RSQ_EMISUSE, rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    waiter_start(&w, f->db, "waited");
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    waiter_join(f, &w);
    EXPECT_ROWS(f, "SELECT name FROM items", "'inside'\n'waited'");
}

/* ------------------------------------------------------------------------------ idleness -- */

/* Left idle: it is rolled back, the one who waits is served, each call says why, and so does the commit. */
static void idle_is_rolled_back(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = idle_after(20);

    start(f);
    for (int i = 0; i < 4; i++) {
        rsq_tx *tx = begun(f, &soon);
        rsq_code first = insert(tx, "idle", &f->err); /* on a slow machine it may be late already */
        waiter w;

        assert_true(first == RSQ_OK || first == RSQ_ETIMEOUT);
        waiter_start(&w, f->db, "waited");
        waiter_join(f, &w);
        expect_each(f, tx, RSQ_ETIMEOUT);
        if (i % 2) {
            WANT(f, RSQ_ETIMEOUT, rsq_commit(tx, &f->err));
            assert_non_null(strstr(f->err.message, "idle"));
        } else {
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
        }
        expect_given_up(f, tx);
    }
    EXPECT_ROWS(f, "SELECT DISTINCT name FROM items", "'waited'");
    expect_free(f);
}

/* Time passes, by the clock that idleness is measured with: a read that ends by its deadline alone. */
static void let_pass(fixture *f, uint32_t ms)
{
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = ms};
    rsq_result *r = NULL;

    WANT(f, RSQ_ETIMEOUT,
         rsq_select(f->db,
                    "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
                    NULL, 0, &opts, &r, &f->err));
}

/* Use it for longer than its limit, with pauses that are shorter. False: the machine made one of them longer,
 * and the transaction was rolled back. */
static bool keep_busy(fixture *f, uint32_t limit_ms)
{
    rsq_call_options later = idle_after(limit_ms);
    uint64_t before = now_ns(); /* the call before: the pause is no longer than since then */
    rsq_tx *tx = begun(f, &later);

    for (int i = 0; i < 8; i++) {
        uint64_t now;
        rsq_code code;

        let_pass(f, limit_ms / 6);
        now = now_ns();
        code = insert(tx, "busy", &f->err);
        if (code == RSQ_ETIMEOUT && ms_since(before) >= limit_ms) {
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
            return false;
        }
        WANT(f, RSQ_OK, code);
        before = now;
    }
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    return true;
}

/* A call that runs is not idle, however long it takes; and each call begins the time anew. */
static void calls_keep_it(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = idle_after(20);
    uint32_t limit_ms = 600;
    rsq_tx *tx;
    stay s;

    start(f);
    while (!keep_busy(f, limit_ms) && limit_ms < FIXTURE_DEADLINE_MS)
        limit_ms *= 2;
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "8");
    /* This one may be over before the call: only a call that has begun counts. */
    do {
        tx = begun(f, &soon);
        stay_start(&s, f->db, tx);
        if (s.code == RSQ_ETIMEOUT) {
            THREAD_JOIN(&s.thread);
            gate_fini(&s.inside);
            gate_fini(&s.go);
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
            tx = NULL;
        }
    } while (!tx);
    let_pass(f, 100);
    WANT(f, RSQ_EMISUSE, insert(tx, "other thread", &f->err));
    stay_join(f, &s);
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
}

/* The limit and the calls in a race: a transaction is there as a whole, or it says that it was idle. */
static void idle_limit_in_a_race(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = idle_after(1);
    int committed = 0;

    start(f);
    for (int i = 0; i < 300; i++) {
        rsq_tx *tx = begun(f, &soon);
        rsq_code code = insert(tx, "a", &f->err);

        if (i % 3 == 0)
            let_pass(f, 1);
        if (code == RSQ_OK)
            code = insert(tx, "b", &f->err);
        if (code == RSQ_OK && i % 7 == 0) {
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
            continue;
        }
        code = rsq_commit(tx, &f->err);
        assert_true(code == RSQ_OK || code == RSQ_ETIMEOUT);
        committed += code == RSQ_OK;
    }
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 2 * committed);
    expect_free(f);
}

/* ----------------------------------------------------------------------- the end of the database -- */

/* A close does not wait for it: it is rolled back, and says why. */
static void close_rolls_back(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        rsq_tx *tx;

        fixture_open(f, NULL);
        if (i == 0)
            EXEC(f, ITEMS);
        tx = begun(f, NULL);
        WANT(f, RSQ_OK, insert(tx, "lost", &f->err));
        fixture_close(f);
        expect_each(f, tx, RSQ_ECLOSED);
        if (i)
            WANT(f, RSQ_ECLOSED, rsq_commit(tx, &f->err));
        else
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
        expect_given_up(f, tx);
    }
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

static void close_it(void *ctx)
{
    rsq_close(ctx);
}

/* A call that runs is waited for, with all that it does on the database; then it is rolled back. */
static void close_waits_for_a_call(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;
    thread closer;
    rsq_code code;
    stay s;

    start(f);
    tx = begun(f, NULL);
    stay_start(&s, f->db, tx);
    thread_start(&closer, close_it, f->db);
    do {
        rsq_result *r = NULL;

        code = rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, &f->err);
        rsq_result_unref(r);
        sched_yield();
    } while (code == RSQ_OK);
    WANT(f, RSQ_ECLOSED, code);
    stay_join(f, &s);
    THREAD_JOIN(&closer);
    expect_each(f, tx, RSQ_ECLOSED);
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    fixture_close(f);
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* It could never end inside a function that it waits for. */
static rsq_code close_inside(rsq_tx *tx, void *ctx)
{
    (void)tx;
    return rsq_close(ctx);
}

static void close_inside_a_nested_function(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_EMISUSE, rsq_tx_transaction(tx, close_inside, f->db, &f->err));
    WANT(f, RSQ_OK, insert(tx, "goes on", &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
}

static void begin_until_closed(size_t index, void *ctx)
{
    race *r = ctx;
    rsq_code code = RSQ_OK;
    rsq_error err;

    if (index == 0) {
        while (r->done < 20)
            sched_yield();
        rsq_close(r->f->db);
        return;
    }
    while (code == RSQ_OK) {
        rsq_tx *tx = NULL;

        code = rsq_begin(r->f->db, NULL, &tx, &err);
        if (code == RSQ_OK)
            code = insert(tx, "raced", &err);
        BLAME(&r->v, code == RSQ_OK || code == RSQ_ECLOSED, &err);
        if (tx) {
            code = rsq_commit(tx, &err);
            BLAME(&r->v, code == RSQ_OK || code == RSQ_ECLOSED, &err);
        }
        r->done += code == RSQ_OK;
    }
}

/* A close amid transactions of other threads: each is there as a whole if its commit said so, and no other.
 */
static void close_in_a_race(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 10; i++) {
        race r = {.f = f};

        fixture_open(f, NULL);
        verdict_init(&r.v);
        EXEC(f, i ? "DELETE FROM items" : ITEMS);
        crew_run(4, begin_until_closed, &r);
        fixture_close(f);
        fixture_open(f, NULL);
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), r.done);
        fixture_close(f);
        VERDICT(&r.v);
    }
}

/* ---------------------------------------------------------------------------- ended by SQLite -- */

/* An error that rolls all of it back: the writer is free at once, each call says so, the commit says why. */
static void rolled_back_by_sqlite(void **state)
{
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'kept')");
    for (int i = 0; i < 2; i++) {
        rsq_tx *tx = begun(f, NULL);

        WANT(f, RSQ_OK, insert(tx, "undone", &f->err));
        WANT(f, RSQ_ESQL,
             rsq_tx_execute(tx, "INSERT OR ROLLBACK INTO items VALUES (1, 'x')", NULL, 0, NULL, NULL,
                            &f->err));
        expect_free(f);
        EXEC(f, "UPDATE items SET name = 'kept'");
        expect_each(f, tx, RSQ_EMISUSE);
        if (i) {
            WANT(f, RSQ_ESQL, rsq_commit(tx, &f->err));
            assert_non_null(strstr(f->err.message, "UNIQUE"));
            assert_int_equal(f->err.sqlite_code, 1555);
        } else {
            WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
        }
        expect_given_up(f, tx);
    }
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'kept'");
}

/* ------------------------------------------------------------------------------------ nesting -- */

typedef struct nested {
    fixture *f;
    rsq_tx *outer;
    rsq_code give;
    rsq_code joined, by_outer, commit, rollback, savepoint, begin;
} nested;

static rsq_code nest(rsq_tx *tx, void *ctx)
{
    nested *n = ctx;
    rsq_tx *other = NULL;

    n->joined = rsq_execute(n->f->db, "INSERT INTO items(name) VALUES ('joined')", NULL, 0, NULL, NULL, NULL);
    n->by_outer = insert(n->outer, "by outer", NULL);
    n->commit = rsq_commit(n->outer, NULL);
    n->rollback = rsq_rollback(n->outer, NULL);
    n->savepoint = rsq_tx_savepoint(n->outer, NULL);
    n->begin = rsq_begin(n->f->db, NULL, &other, NULL);
    return insert(tx, "nested", NULL) == RSQ_OK ? n->give : RSQ_EINVAL;
}

/* A function nests in it as in any other: calls on the database join, the outer handle can be used but not
 * ended, and a failure undoes the function alone. */
static void nested_function(void **state)
{
    fixture *f = *state;
    nested n = {.f = f};

    start(f);
    n.outer = begun(f, NULL);
    WANT(f, RSQ_OK, rsq_tx_transaction(n.outer, nest, &n, &f->err));
    WANT_CODE(RSQ_OK, n.joined);
    WANT_CODE(RSQ_OK, n.by_outer);
    WANT_CODE(RSQ_EMISUSE, n.commit);
    WANT_CODE(RSQ_EMISUSE, n.rollback);
    WANT_CODE(RSQ_EMISUSE, n.savepoint);
    WANT_CODE(RSQ_EMISUSE, n.begin);
    assert_int_equal(count(f, n.outer), 3);
    n.give = RSQ_ECANCELLED;
    WANT(f, RSQ_ECANCELLED, rsq_tx_transaction(n.outer, nest, &n, &f->err));
    assert_int_equal(count(f, n.outer), 3);
    WANT(f, RSQ_OK, rsq_commit(n.outer, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'joined'\n'by outer'\n'nested'");
}

/* Savepoints without a function: kept, undone, inside each other, and what is open at the end is kept. */
static void savepoints(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_EMISUSE, rsq_tx_release(tx, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_tx_rollback_to(tx, &f->err));
    WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
    WANT(f, RSQ_OK, insert(tx, "1", &f->err));
    WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
    WANT(f, RSQ_OK, insert(tx, "2 undone", &f->err));
    WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
    WANT(f, RSQ_OK, insert(tx, "3 undone with 2", &f->err));
    WANT(f, RSQ_OK, rsq_tx_release(tx, &f->err));
    WANT(f, RSQ_OK, rsq_tx_rollback_to(tx, &f->err));
    assert_int_equal(count(f, tx), 1);
    WANT(f, RSQ_OK, rsq_tx_release(tx, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_tx_release(tx, &f->err));
    /* Deeper than statements are kept for. */
    for (int i = 0; i < 70; i++) {
        WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
        WANT(f, RSQ_OK, insert(tx, "deep", &f->err));
    }
    WANT(f, RSQ_OK, rsq_tx_rollback_to(tx, &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT name, count(*) FROM items GROUP BY name", "'1'|1\n'deep'|69");
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
    WANT(f, RSQ_OK, insert(tx, "undone", &f->err));
    WANT(f, RSQ_OK, rsq_tx_release(tx, &f->err));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "70");
}

/* Savepoints that a nested function leaves open share its fate, and those around it keep their places. */
static rsq_code leave_open(rsq_tx *tx, void *ctx)
{
    rsq_code code = rsq_tx_savepoint(tx, NULL);

    if (code == RSQ_OK)
        code = insert(tx, "1", NULL);
    if (code == RSQ_OK)
        code = rsq_tx_savepoint(tx, NULL);
    if (code == RSQ_OK)
        code = insert(tx, "2", NULL);
    return code == RSQ_OK ? *(rsq_code *)ctx : RSQ_EINVAL;
}

static void savepoints_of_a_function(void **state)
{
    static rsq_code give[] = {RSQ_OK, RSQ_ECANCELLED};
    fixture *f = *state;

    start(f);
    for (size_t i = 0; i < LENGTH(give); i++) {
        rsq_tx *tx;

        EXEC(f, "DELETE FROM items");
        tx = begun(f, NULL);
        WANT(f, RSQ_OK, rsq_tx_savepoint(tx, &f->err));
        WANT(f, give[i], rsq_tx_transaction(tx, leave_open, &give[i], &f->err));
        assert_int_equal(count(f, tx), i ? 0 : 2);
        WANT(f, RSQ_OK, insert(tx, "outer", &f->err));
        WANT(f, RSQ_OK, rsq_tx_rollback_to(tx, &f->err));
        assert_int_equal(count(f, tx), 0);
        WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
        WANT(f, give[i], rsq_transaction(f->db, leave_open, &give[i], NULL, &f->err));
        EXPECT_ROWS(f, "SELECT name FROM items", i ? "" : "'1'\n'2'");
    }
}

/* A batch and several statements are units of their own inside it. */
static void units_inside(void **state)
{
    fixture *f = *state;
    const rsq_value rows[] = {rsq_text("a"), rsq_null()};
    const rsq_query all[] = {{.sql = "INSERT INTO items(name) VALUES ('b')"},
                             {.sql = "INSERT INTO items(name) VALUES (NULL)"}};
    rsq_result *results[2] = {NULL, NULL};
    rsq_tx *tx;

    start(f);
    tx = begun(f, NULL);
    WANT(f, RSQ_ESQL,
         rsq_tx_execute_batch(tx, "INSERT INTO items(name) VALUES (?)", rows, 2, 1, NULL, NULL, &f->err));
    assert_int_equal(f->err.row, 1);
    WANT(f, RSQ_ESQL, rsq_tx_execute_all(tx, all, 2, NULL, results, &f->err));
    assert_int_equal(f->err.row, 1);
    assert_null(results[0]);
    assert_int_equal(count(f, tx), 0);
    WANT(f, RSQ_OK, rsq_tx_execute_all(tx, all, 1, NULL, results, &f->err));
    assert_int_equal(rsq_result_changes(results[0]), 1);
    assert_int_equal(rsq_result_commit_seq(results[0]), 0);
    rsq_result_unref(results[0]);
    WANT(f, RSQ_OK,
         rsq_tx_execute_script(tx, "INSERT INTO items(name) VALUES ('c'); DELETE FROM items WHERE name = 'b'",
                               NULL, &f->err));
    WANT(
        f, RSQ_ESQL,
        rsq_tx_execute_script(tx, "DELETE FROM items; INSERT INTO items(name) VALUES (NULL)", NULL, &f->err));
    assert_int_equal(f->err.row, 1);
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'c'");
}

/* ------------------------------------------------------------------------------- live queries -- */

/* A live query hears of the whole transaction once, after its commit, and of a rolled back one never. */
static void live_query_wakes_once(void **state)
{
    fixture *f = *state;
    rsq_tx *tx;
    probe *p;

    start(f);
    fixture_canary(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    tx = begun(f, NULL);
    WANT(f, RSQ_OK, insert(tx, "undone", &f->err));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    EXPECT_QUIET(p);
    tx = begun(f, NULL);
    for (int i = 0; i < 100; i++)
        WANT(f, RSQ_OK, insert(tx, "kept", &f->err));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_EVENT(p, "100");
    EXPECT_QUIET(p);
    assert_int_equal(probe_stats(p).woken, 1);
}

/* -------------------------------------------------------------------------------- bad input -- */

static rsq_code end_it_inside(rsq_tx *tx, void *ctx)
{
    rsq_code *codes = ctx;
    rsq_error err;

    codes[0] = rsq_commit(tx, &err);
    codes[1] = rsq_rollback(tx, &err);
    return RSQ_OK;
}

static rsq_code begin_inside(rsq_tx *tx, void *ctx)
{
    rsq_tx *other = NULL;

    (void)tx;
    return rsq_begin(ctx, NULL, &other, NULL);
}

static void bad_arguments(void **state)
{
    fixture *f = *state;
    rsq_call_options small = {.size = 1}, flags = {.size = sizeof flags, .flags = 2};
    rsq_call_options moves = {.size = sizeof moves, .flags = RSQ_CALL_MOVES};
    rsq_code codes[2];
    rsq_tx *tx = NULL;

    start(f);
    WANT(f, RSQ_EINVAL, rsq_begin(NULL, NULL, &tx, &f->err));
    WANT(f, RSQ_EINVAL, rsq_begin(f->db, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_begin(f->db, &small, &tx, &f->err));
    WANT(f, RSQ_EINVAL, rsq_begin(f->db, &flags, &tx, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute(f->db, "DELETE FROM items", NULL, 0, &moves, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_commit(NULL, &f->err));
    WANT(f, RSQ_OK, rsq_rollback(NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_savepoint(NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_release(NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_rollback_to(NULL, &f->err));
    WANT(f, RSQ_OK, rsq_transaction(f->db, end_it_inside, codes, NULL, &f->err));
    WANT_CODE(RSQ_EMISUSE, codes[0]);
    WANT_CODE(RSQ_EMISUSE, codes[1]);
    WANT(f, RSQ_EMISUSE, rsq_transaction(f->db, begin_inside, f->db, NULL, &f->err));
    fixture_close(f);
    f->db = fixture_open_path(
        f, f->path, &(rsq_open_options){.size = sizeof(rsq_open_options), .flags = RSQ_OPEN_READONLY});
    WANT(f, RSQ_EREADONLY, rsq_begin(f->db, NULL, &tx, &f->err));
    rsq_close(f->db);
    WANT(f, RSQ_ECLOSED, rsq_begin(f->db, NULL, &tx, &f->err));
    assert_null(tx);
}

/* Another process has the write lock: no transaction, no handle; and the next one begins. */
static void another_process_writes(void **state)
{
    static const char *const sql[] = {"BEGIN IMMEDIATE", "-", "COMMIT"};
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 10};
    rsq_tx *tx = NULL;
    foreign x;

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    foreign_start(f, &x, f->path, sql, LENGTH(sql));
    foreign_await(&x);
    WANT(f, RSQ_EBUSY, rsq_begin(f->db, NULL, &tx, &f->err));
    assert_null(tx);
    foreign_go(&x);
    free(foreign_finish(&x));
    WANT(f, RSQ_OK, rsq_rollback(begun(f, NULL), &f->err));
    expect_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(commit_keeps),
        CASE(rollback_undoes),
        CASE(empty_transaction),
        CASE(failed_statement),
        CASE(deferred_foreign_key),
        CASE(handle_after_its_end),
        CASE(handed_from_thread_to_thread),
        CASE(two_calls_at_once),
        CASE(calls_in_a_race),
        CASE(transactions_take_turns),
        CASE(others_wait),
        CASE(writes_of_its_own_thread),
        CASE(writes_of_a_later_thread),
        CASE(writes_beside_one_that_moves),
        CASE(one_connection),
        CASE(idle_is_rolled_back),
        CASE(calls_keep_it),
        CASE(idle_limit_in_a_race),
        CASE(close_rolls_back),
        CASE(close_waits_for_a_call),
        CASE(close_inside_a_nested_function),
        CASE(close_in_a_race),
        CASE(rolled_back_by_sqlite),
        CASE(nested_function),
        CASE(savepoints),
        CASE(savepoints_of_a_function),
        CASE(units_inside),
        CASE(live_query_wakes_once),
        CASE(bad_arguments),
        CASE(another_process_writes),
    };

    return cmocka_run_group_tests_name("begin", tests, NULL, NULL);
}
