/*
 * What a program does to keep a database running: checkpoints on demand, counters, a poke at the live
 * queries.
 */
#include "fixture.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
#define COUNT "SELECT count(*) FROM items"
#define FOREVER "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"

static rsq_counters stats_of(fixture *f, rsq_db *db)
{
    rsq_counters c = {.size = sizeof c};

    WANT(f, RSQ_OK, rsq_stats(db, &c, &f->err));
    return c;
}

static int64_t size_of_log(fixture *f)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", f->path);
    assert_int_equal(stat(path, &st), 0); /* only looked at: nothing is opened */
    return st.st_size;
}

/* A cursor that holds a snapshot of before the next write. */
static rsq_cursor *hold_snapshot(fixture *f, rsq_db *db, const char *sql)
{
    const rsq_call_options one = {.size = sizeof one, .chunk_rows = 1};
    rsq_cursor *cursor = NULL;
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_cursor_open(db, sql, NULL, 0, &one, &cursor, &f->err));
    WANT(f, RSQ_OK, rsq_cursor_next(cursor, &r, &f->err));
    assert_non_null(r);
    rsq_result_unref(r);
    return cursor;
}

/* ------------------------------------------------------------------ checkpoints -- */

/* Each mode does what it says, and tells how much there was. */
static void a_checkpoint_copies(void **state)
{
    fixture *f = *state;
    rsq_checkpoint_options opts = {.size = sizeof opts};
    rsq_checkpoint_figures done = {.size = sizeof done};
    uint64_t pages;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    for (int i = 0; i < 20; i++)
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_ROWS(f, COUNT, "20"); /* leaves a kept snapshot, which has to be let go */
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, NULL, &done, &f->err));
    pages = stats_of(f, f->db).log_pages;
    assert_true(pages >= 20);
    assert_int_equal(done.log_pages, pages);
    assert_int_equal(done.copied_pages, pages);

    opts.mode = RSQ_CHECKPOINT_RESTART;
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &opts, &done, &f->err));
    assert_int_equal(done.log_pages, done.copied_pages);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    assert_true(stats_of(f, f->db).log_pages < 10); /* begun anew */
    assert_true(size_of_log(f) > 0);

    opts.mode = RSQ_CHECKPOINT_TRUNCATE;
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &opts, &done, &f->err));
    assert_int_equal(done.log_pages, 0);
    assert_int_equal(size_of_log(f), 0);
    EXPECT_ROWS(f, COUNT, "21");
    EXEC(f, "INSERT INTO items(name) VALUES ('z')");
    EXPECT_ROWS(f, COUNT, "22");
    assert_int_equal(stats_of(f, f->db).checkpoints, 3);
    assert_int_equal(stats_of(f, f->db).log_restarts, 2);
}

/* One that cannot be done in time names the read that held the log, and copies what it may; when that read
 * has ended it works. */
static void a_checkpoint_names_who_holds_the_log(void **state)
{
    fixture *f = *state;
    rsq_checkpoint_options opts = {.size = sizeof opts, .mode = RSQ_CHECKPOINT_TRUNCATE, .timeout_ms = 30};
    rsq_checkpoint_figures done = {.size = sizeof done};
    rsq_cursor *cursor;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    cursor = hold_snapshot(f, f->db, "SELECT name AS held FROM items");
    EXEC(f, "DELETE FROM items");
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, NULL, &done, &f->err));
    assert_true(done.copied_pages < done.log_pages);
    WANT(f, RSQ_ETIMEOUT, rsq_checkpoint(f->db, &opts, &done, &f->err));
    assert_non_null(strstr(f->err.message, "SELECT name AS held FROM items"));
    assert_true(stats_of(f, f->db).log_blocked > 0);
    EXPECT_ROWS(f, COUNT, "0"); /* reads go on */
    EXEC(f, "INSERT INTO items(name) VALUES ('d')");
    rsq_cursor_close(cursor);
    opts.timeout_ms = FIXTURE_DEADLINE_MS;
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &opts, &done, &f->err));
    assert_int_equal(size_of_log(f), 0);
    EXPECT_ROWS(f, COUNT, "1");
}

typedef struct waiting {
    fixture *f;
    rsq_db *db;
    rsq_code code;
    rsq_error err;
} waiting;

static void checkpoint_long(void *ctx)
{
    waiting *w = ctx;
    rsq_checkpoint_options opts = {
        .size = sizeof opts, .mode = RSQ_CHECKPOINT_TRUNCATE, .timeout_ms = FIXTURE_DEADLINE_MS};

    w->code = rsq_checkpoint(w->db, &opts, NULL, &w->err);
}

static void await_attempt(fixture *f, rsq_db *db)
{
    while (stats_of(f, db).log_blocked == 0)
        sched_yield();
}

/* It waits for a reader while reads and writes go on, and is done when that one has come back. */
static void a_checkpoint_waits_without_stopping_others(void **state)
{
    fixture *f = *state;
    waiting w = {.f = f};
    rsq_cursor *cursor;
    thread t;

    w.db = fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    cursor = hold_snapshot(f, f->db, "SELECT name FROM items");
    thread_start(&t, checkpoint_long, &w);
    for (int i = 0; i < 50; i++) {
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        assert_int_equal(INTEGER(f, COUNT), 4 + i);
    }
    rsq_cursor_close(cursor);
    THREAD_JOIN(&t);
    assert_int_equal(w.code, RSQ_OK);
    EXPECT_ROWS(f, COUNT, "53");
}

/* L11: a handle that closes does not wait for its checkpoint to come to an end; another one's goes on. */
static void closing_ends_a_checkpoint(void **state)
{
    fixture *f = *state;
    waiting w = {.f = f};
    rsq_cursor *cursor;
    thread t;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    cursor = hold_snapshot(f, f->db, "SELECT name FROM items");
    w.db = fixture_open_path(f, f->path, NULL);
    thread_start(&t, checkpoint_long, &w);
    await_attempt(f, f->db);
    WANT_CODE(RSQ_OK, rsq_close(w.db));
    THREAD_JOIN(&t);
    assert_int_equal(w.code, RSQ_ECLOSED);
    rsq_cursor_close(cursor);
    EXEC(f, "INSERT INTO items(name) VALUES ('d')");
}

static rsq_code checkpoint_inside(rsq_tx *tx, void *ctx)
{
    (void)tx;
    return rsq_checkpoint(ctx, NULL, NULL, NULL);
}

/* Where it makes no sense it says so, and where there is no log there is nothing to do. */
static void a_checkpoint_in_the_wrong_place(void **state)
{
    fixture *f = *state;
    const rsq_checkpoint_options wrong = {.size = sizeof wrong, .mode = 3};
    const rsq_open_options readonly = {.size = sizeof readonly, .flags = RSQ_OPEN_READONLY};
    rsq_checkpoint_figures done = {.size = sizeof done, .log_pages = 7}, sizeless = {0};
    rsq_db *db;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    WANT(f, RSQ_EINVAL, rsq_checkpoint(f->db, &wrong, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_checkpoint(f->db, NULL, &sizeless, &f->err));
    WANT(f, RSQ_EINVAL, rsq_checkpoint(NULL, NULL, NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_transaction(f->db, checkpoint_inside, f->db, NULL, &f->err));
    db = fixture_open_path(f, f->path, &readonly);
    WANT(f, RSQ_EREADONLY, rsq_checkpoint(db, NULL, NULL, &f->err));
    WANT_CODE(RSQ_OK, rsq_close(db));
    WANT(f, RSQ_ECLOSED, rsq_checkpoint(db, NULL, NULL, &f->err));
    db = fixture_open_path(f, ":memory:", NULL);
    WANT(f, RSQ_OK, rsq_checkpoint(db, NULL, &done, &f->err));
    assert_int_equal(done.log_pages, 0);
    WANT_CODE(RSQ_OK, rsq_close(db));
}

/* Another process that reads an old snapshot is in the way of a restart, and is told from a reader of ours.
 */
static void another_process_holds_the_log(void **state)
{
    fixture *f = *state;
    rsq_checkpoint_options opts = {.size = sizeof opts, .mode = RSQ_CHECKPOINT_TRUNCATE, .timeout_ms = 30};
    const char *sql[] = {"BEGIN", COUNT, "-", "COMMIT"};
    foreign other;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    foreign_start(f, &other, f->path, sql, LENGTH(sql));
    foreign_await(&other);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    WANT(f, RSQ_EBUSY, rsq_checkpoint(f->db, &opts, NULL, &f->err));
    assert_non_null(strstr(f->err.message, "another process"));
    foreign_go(&other);
    free(foreign_finish(&other));
    opts.timeout_ms = FIXTURE_DEADLINE_MS;
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &opts, NULL, &f->err));
}

typedef struct long_read {
    rsq_db *db;
    rsq_code code;
    rsq_error err;
} long_read;

static void read_long(void *ctx)
{
    long_read *r = ctx;
    rsq_result *none = NULL;

    r->code = rsq_select(r->db, FOREVER, NULL, 0, NULL, &none, &r->err);
}

/* With a limit, a read that is older ends with its own code when the log must begin anew: a blocking one, and
 * an asynchronous one; afterwards their connections read on. */
static void a_read_that_is_too_old_is_ended(void **state)
{
    fixture *f = *state;
    const rsq_open_options limit = {.size = sizeof limit, .readers = 2, .reader_age_limit_ms = 30};
    const rsq_checkpoint_options restart = {
        .size = sizeof restart, .mode = RSQ_CHECKPOINT_RESTART, .timeout_ms = FIXTURE_DEADLINE_MS};
    rsq_op *op = NULL;
    long_read r;
    thread t;

    r = (long_read){.db = fixture_open(f, &limit)};
    EXEC(f, SCHEMA);
    thread_start(&t, read_long, &r);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, FOREVER, NULL, 0, NULL, &op));
    while (stats_of(f, f->db).readers_leased < 2)
        sched_yield();
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &restart, NULL, &f->err));
    THREAD_JOIN(&t);
    assert_int_equal(r.code, RSQ_ESNAPSHOT);
    assert_non_null(strstr(r.err.message, "30 ms"));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    assert_int_equal(rsq_op_status(op), RSQ_ESNAPSHOT);
    rsq_op_free(op);
    for (int i = 0; i < 4; i++)
        EXPECT_ROWS(f, COUNT, "1");
}

/* P11: by itself, the log is copied in the background as it grows, and begins anew. */
static void the_log_is_kept_short(void **state)
{
    fixture *f = *state;
    rsq_counters c;
    size_t commits = 0;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE big(x)");
    do {
        EXEC(f, "INSERT INTO big VALUES (randomblob(100000))");
        EXPECT_ROWS(f, "SELECT 1", "1");
        c = stats_of(f, f->db);
        commits++;
    } while (c.log_restarts < 2 && commits < 20000);
    assert_true(c.log_restarts >= 2);
    assert_true(c.checkpoints >= c.log_restarts);
    assert_int_equal(c.commits, commits + 1);
    assert_int_equal(c.checkpoint_errors, 0);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM big"), commits);
    assert_true(size_of_log(f) <= 64 << 20);
}

/* --------------------------------------------------------------------- counters -- */

/* Each counter moves by what it counts. */
static void counters_tell_what_happens(void **state)
{
    fixture *f = *state;
    const rsq_open_options opts = {.size = sizeof opts, .readers = 3};
    rsq_op *forever = NULL;
    rsq_cursor *cursor;
    rsq_counters c;
    rsq_db *other;
    parked *p;
    probe *live[2];

    fixture_open(f, &opts);
    c = stats_of(f, f->db);
    assert_int_equal(c.handles, 1);
    assert_int_equal(c.readers_max, 3);
    assert_int_equal(c.readers_open, 0);
    assert_int_equal(c.commits, 0);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('x'), ('y')");
    EXPECT_ROWS(f, COUNT, "2");
    other = fixture_open_path(f, f->path, NULL);
    c = stats_of(f, other);
    assert_int_equal(c.handles, 2);
    assert_int_equal(c.commits, 2);
    assert_true(c.commit_seq >= 2);
    assert_int_equal(c.readers_open, 1);
    assert_int_equal(c.readers_leased, 0);
    assert_int_equal(c.leases, 1);
    assert_true(c.log_pages >= 2 && c.log_bytes > 4096 * c.log_pages);
    assert_true(c.statements >= 2);
    assert_int_equal(c.oldest_read_ms, 0);
    assert_string_equal(c.oldest_read, "");

    cursor = hold_snapshot(f, f->db, "SELECT id FROM items");
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, FOREVER, NULL, 0, NULL, &forever));
    while (stats_of(f, f->db).readers_leased < 2)
        sched_yield();
    p = fixture_park(f, f->db);
    c = stats_of(f, f->db);
    assert_int_equal(c.cursors, 1);
    assert_int_equal(c.ops_running, 1);
    assert_int_equal(c.readers_leased, 2);
    assert_true(c.oldest_read_ms >= 1);
    assert_string_equal(c.oldest_read, "SELECT id FROM items");
    assert_true(c.writer_held_ms >= 1);
    assert_string_not_equal(c.writer_holder, "");
    parked_go(p);
    parked_join(p);
    rsq_cursor_close(cursor);
    rsq_op_cancel(forever);
    WANT_CODE(RSQ_OK, rsq_op_wait(forever, FIXTURE_DEADLINE_MS));
    rsq_op_free(forever);

    live[0] = WATCH(f, COUNT);
    live[1] = WATCH(f, COUNT);
    EXPECT_EVENT(live[0], "4");
    EXPECT_EVENT(live[1], "4");
    c = stats_of(f, f->db);
    assert_int_equal(c.live_queries, 1);
    assert_int_equal(c.streams, 2);
    assert_int_equal(c.cursors, 0);
    WANT_CODE(RSQ_OK, rsq_close(other));
    assert_int_equal(stats_of(f, f->db).handles, 1);
}

/* A struct of an older program is filled as far as it goes; one without a size is refused. */
static void counters_of_an_older_program(void **state)
{
    fixture *f = *state;
    rsq_counters c;

    fixture_open(f, NULL);
    memset(&c, 0xab, sizeof c);
    c.size = offsetof(rsq_counters, readers_open);
    WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
    assert_int_equal(c.handles, 1);
    assert_true(c.readers_open == 0xababababababababu);
    c.size = 0;
    WANT(f, RSQ_EINVAL, rsq_stats(f->db, &c, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stats(f->db, NULL, &f->err));
    fixture_close(f);
}

/* In memory there is no log and no reader, but a writer. */
static void counters_in_memory(void **state)
{
    fixture *f = *state;
    rsq_counters c;

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, SCHEMA);
    c = stats_of(f, f->db);
    assert_int_equal(c.readers_max, 0);
    assert_int_equal(c.log_pages, 0);
    assert_int_equal(c.commits, 1);
}

/* ----------------------------------------------------------------------- notify -- */

/* What another process wrote is seen when somebody says so, by the queries that read it and no others. */
static void a_notification_wakes_its_tables(void **state)
{
    fixture *f = *state;
    const char *items[] = {"ITEMS"}, *both[] = {"main.other", "nothing.here"}, *bad[] = {"items", ""};
    uint64_t runs;
    probe *p, *q;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "CREATE TABLE other(x)");
    p = WATCH(f, COUNT);
    q = WATCH(f, "SELECT count(*) FROM other");
    EXPECT_EVENT(p, "0");
    EXPECT_EVENT(q, "0");
    runs = probe_stats(q).runs;
    free(foreign_sql(f, f->path, "INSERT INTO items(name) VALUES ('x')"));
    WANT(f, RSQ_OK, rsq_notify(f->db, items, 1, &f->err));
    EXPECT_REACHES(p, "1");
    free(foreign_sql(f, f->path, "INSERT INTO other VALUES (1)"));
    WANT(f, RSQ_OK, rsq_notify(f->db, both, 2, &f->err));
    EXPECT_REACHES(q, "1");
    assert_true(probe_stats(q).runs > runs);
    free(foreign_sql(f, f->path, "INSERT INTO other VALUES (2)"));
    WANT(f, RSQ_OK, rsq_notify(f->db, NULL, 0, &f->err));
    EXPECT_REACHES(q, "2");
    WANT(f, RSQ_EINVAL, rsq_notify(f->db, bad, 2, &f->err));
    WANT(f, RSQ_EINVAL, rsq_notify(f->db, NULL, 1, &f->err));
    WANT(f, RSQ_EINVAL, rsq_notify(f->db, items, 0, &f->err));
    fixture_close(f);
    EXPECT_END(p);
    EXPECT_END(q);
}

/* It says nothing of other tables: a commit of another process that was seen, and not told yet, is told
 * still. */
static void a_notification_hides_no_commit(void **state)
{
    fixture *f = *state;
    const char *items[] = {"items"};
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "CREATE TABLE other(x)");
    p = WATCH(f, "SELECT count(*) FROM other");
    EXPECT_EVENT(p, "0");
    for (int i = 1; i <= 20; i++) {
        char count[8];

        snprintf(count, sizeof count, "%d", i);
        free(foreign_sql(f, f->path, "INSERT INTO other VALUES (1)"));
        EXPECT_ROWS(f, "SELECT count(*) FROM other", count);
        WANT(f, RSQ_OK, rsq_notify(f->db, items, 1, &f->err));
        EXPECT_REACHES(p, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_checkpoint_copies),
        CASE(a_checkpoint_names_who_holds_the_log),
        CASE(a_checkpoint_waits_without_stopping_others),
        CASE(closing_ends_a_checkpoint),
        CASE(a_checkpoint_in_the_wrong_place),
        CASE(another_process_holds_the_log),
        CASE(a_read_that_is_too_old_is_ended),
        CASE(the_log_is_kept_short),
        CASE(counters_tell_what_happens),
        CASE(counters_of_an_older_program),
        CASE(counters_in_memory),
        CASE(a_notification_wakes_its_tables),
        CASE(a_notification_hides_no_commit),
    };

    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
