/*
 * Several handles of one file: they share a core, so the process has one writer of it, one set of readers,
 * and live queries that hear of each other's commits; and each of them ends alone.
 *
 * That two handles share is shown by descriptors: a second open of the same file opens none.
 */
#include "fixture.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
#define COUNT "SELECT count(*) FROM items"
#define FOREVER "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"

static void execute(fixture *f, rsq_db *db, const char *sql)
{
    fixture_exec(f, db, sql, __FILE__, __LINE__);
}

static probe *watch(fixture *f, rsq_db *db, rsq_queue *q, const char *sql)
{
    return probe_open(f, db, q, sql, NULL, 0, __FILE__, __LINE__);
}

/* ---------------------------------------------------------------- what is shared -- */

/* By the same path, another spelling, a symbolic link, a hard link, from another folder: one file, one core.
 */
static void each_path_leads_to_one_core(void **state)
{
    fixture *f = *state;
    char *paths[] = {fixture_file(f, "test.db"), fixture_file(f, ".//./test.db"), fixture_file(f, "symbolic"),
                     fixture_file(f, "hard.db"), strdup("test.db")};
    char *folder = fixture_file(f, "");
    size_t fds;
    rsq_db *db[LENGTH(paths)];
    char *cwd = getcwd(NULL, 0);

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    assert_int_equal(symlink("test.db", paths[2]), 0);
    assert_int_equal(link(paths[0], paths[3]), 0);
    assert_int_equal(chdir(folder), 0);
    fds = fixture_descriptors();
    for (size_t i = 0; i < LENGTH(paths); i++)
        db[i] = fixture_open_path(f, paths[i], NULL);
    assert_int_equal(chdir(cwd), 0);
    assert_int_equal(fixture_descriptors(), fds);
    for (size_t i = 0; i < LENGTH(paths); i++) {
        char count[8];

        execute(f, db[i], "INSERT INTO items(name) VALUES ('x')");
        snprintf(count, sizeof count, "%zu", i + 1);
        for (size_t j = 0; j < LENGTH(paths); j++)
            EXPECT_ROWS_IN(f, db[j], COUNT, count);
    }
    for (size_t i = 0; i < LENGTH(paths); i++) {
        WANT_CODE(RSQ_OK, rsq_close(db[i]));
        free(paths[i]);
    }
    EXPECT_ROWS(f, COUNT, "5");
    free(cwd);
    free(folder);
}

/* A connection that opens later opens the same file, wherever the program has gone meanwhile. */
static void a_relative_path_is_of_the_folder_of_its_open(void **state)
{
    fixture *f = *state;
    char *cwd = getcwd(NULL, 0);

    assert_int_equal(chdir(f->dir), 0);
    f->db = fixture_open_path(f, "relative.db", NULL);
    assert_int_equal(chdir(cwd), 0);
    EXEC(f, SCHEMA);
    EXPECT_ROWS(f, COUNT, "0");
    free(cwd);
}

/* A commit through one handle wakes the live queries of all. */
static void live_queries_hear_of_every_handle(void **state)
{
    fixture *f = *state;
    rsq_db *other;
    probe *mine, *theirs;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    other = fixture_open_path(f, f->path, NULL);
    mine = WATCH(f, COUNT);
    theirs = watch(f, other, fixture_queue(f), COUNT " WHERE name = 'x'");
    EXPECT_EVENT(mine, "0");
    EXPECT_EVENT(theirs, "0");
    execute(f, other, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(mine, "1");
    EXPECT_EVENT(theirs, "1");
    EXEC(f, "DELETE FROM items");
    EXPECT_EVENT(mine, "0");
    EXPECT_EVENT(theirs, "0");
    WANT_CODE(RSQ_OK, rsq_close(other));
    EXPECT_END(theirs);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(mine, "1");
}

/* Commit numbers are those of the file, not of the handle. */
static void commits_are_numbered_together(void **state)
{
    fixture *f = *state;
    rsq_db *both[2];
    uint64_t last = 0;

    both[0] = fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    both[1] = fixture_open_path(f, f->path, NULL);
    for (size_t i = 0; i < 6; i++) {
        rsq_result *r = NULL;

        WANT(f, RSQ_OK,
             rsq_execute(both[i % 2], "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, &r, &f->err));
        assert_true(last == 0 || rsq_result_commit_seq(r) == last + 1);
        last = rsq_result_commit_seq(r);
        rsq_result_unref(r);
    }
    WANT_CODE(RSQ_OK, rsq_close(both[1]));
}

static void databases_in_memory_are_never_shared(void **state)
{
    fixture *f = *state;
    const char *paths[] = {":memory:", ""};

    for (size_t i = 0; i < LENGTH(paths); i++) {
        rsq_db *one = fixture_open_path(f, paths[i], NULL);
        rsq_db *two = fixture_open_path(f, paths[i], NULL);

        execute(f, one, SCHEMA);
        execute(f, two, SCHEMA);
        execute(f, one, "INSERT INTO items(name) VALUES ('x')");
        EXPECT_ROWS_IN(f, two, COUNT, "0");
        WANT_CODE(RSQ_OK, rsq_close(one));
        EXPECT_ROWS_IN(f, two, COUNT, "0");
        WANT_CODE(RSQ_OK, rsq_close(two));
    }
}

/* After the file was moved its name may be another one's. Both are known apart, and no connection that opens
 * later opens the wrong one. */
static void a_moved_file_is_not_mixed_up(void **state)
{
    fixture *f = *state;
    const char *suffixes[] = {"", "-wal", "-shm"};
    const rsq_call_options one = {.size = sizeof one, .chunk_rows = 1};
    char *away = fixture_file(f, "away.db");
    rsq_cursor *busy = NULL;
    rsq_result *r = NULL;
    rsq_db *other;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXPECT_ROWS(f, COUNT, "0");
    for (size_t i = 0; i < LENGTH(suffixes); i++) {
        char from[400], to[400];

        snprintf(from, sizeof from, "%s%s", f->path, suffixes[i]);
        snprintf(to, sizeof to, "%s%s", away, suffixes[i]);
        assert_int_equal(rename(from, to), 0);
    }
    other = fixture_open_path(f, f->path, NULL);
    EXPECT_ROWS_IN(f, other, "SELECT count(*) FROM sqlite_schema", "0");
    WANT_CODE(RSQ_OK, rsq_close(other));
    other = fixture_open_path(f, away, NULL);
    EXPECT_ROWS_IN(f, other, COUNT, "0");
    WANT(f, RSQ_OK, rsq_cursor_open(other, "VALUES (1), (2)", NULL, 0, &one, &busy, &f->err));
    WANT(f, RSQ_ECANTOPEN, rsq_select(f->db, COUNT, NULL, 0, NULL, &r, &f->err));
    assert_non_null(strstr(f->err.message, "replaced"));
    rsq_cursor_close(busy);
    WANT_CODE(RSQ_OK, rsq_close(other));
    free(away);
}

/* ---------------------------------------------------------------------- options -- */

static rsq_code write_inside(rsq_tx *tx, void *ctx)
{
    rsq_db *readonly = ctx;
    rsq_error err;

    (void)tx;
    if (rsq_execute(readonly, "INSERT INTO items(name) VALUES ('no')", NULL, 0, NULL, NULL, &err) !=
        RSQ_EREADONLY)
        return RSQ_EINVAL;
    return rsq_transaction(readonly, write_inside, readonly, NULL, &err) == RSQ_EREADONLY ? RSQ_OK
                                                                                          : RSQ_EINVAL;
}

/* Read-only is the handle, whatever the others may do; inside another one's transaction too. */
static void a_readonly_handle_beside_one_that_writes(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    const rsq_value x = rsq_text("x");
    rsq_db *readonly;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    readonly = fixture_open_path(f, f->path, &opts);
    p = watch(f, readonly, fixture_queue(f), COUNT);
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_EREADONLY,
         rsq_execute(readonly, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EREADONLY,
         rsq_execute_batch(readonly, "INSERT INTO items(name) VALUES (?)", &x, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EREADONLY, rsq_transaction(readonly, write_inside, NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_inside, readonly, NULL, &f->err));
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
    WANT_CODE(RSQ_OK, rsq_close(readonly));
    EXPECT_END(p);
    EXPECT_ROWS(f, COUNT, "1");
}

/* The first handle may be read-only and a later one not: the file gets its writer then, and the first hears
 * of its commits; it may go before or after. */
static void a_writer_comes_later(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    rsq_open_options full = {.size = sizeof full, .synchronous = RSQ_SYNC_FULL};
    rsq_open_options off = {.size = sizeof off, .synchronous = RSQ_SYNC_OFF};
    rsq_db *readonly, *other = NULL;
    rsq_result *r = NULL;
    probe *p;

    free(foreign_sql(f, f->path, SCHEMA));
    readonly = fixture_open_path(f, f->path, &opts);
    p = watch(f, readonly, fixture_queue(f), COUNT);
    EXPECT_EVENT(p, "0");
    fixture_open(f, &full);
    WANT(f, RSQ_OK, rsq_execute(f->db, "PRAGMA synchronous", NULL, 0, NULL, &r, &f->err)); /* the writer's */
    EXPECT_RESULT(r, "2");
    rsq_result_unref(r);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
    WANT(f, RSQ_EREADONLY, rsq_execute(readonly, "DELETE FROM items", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_open(f->path, &off, &other, &f->err));
    fixture_close(f);
    EXPECT_ROWS_IN(f, readonly, COUNT, "1");
    fixture_open(f, NULL);
    EXEC(f, "INSERT INTO items(name) VALUES ('y')");
    EXPECT_EVENT(p, "2");
    WANT_CODE(RSQ_OK, rsq_close(readonly));
    EXPECT_END(p);
    EXEC(f, "INSERT INTO items(name) VALUES ('z')");
    EXPECT_ROWS(f, COUNT, "3");
}

/* What is asked for and cannot be had is refused by name; what is not asked for is no wish. */
static void contradicting_options_are_refused(void **state)
{
    fixture *f = *state;
    char *attached = fixture_file(f, "attached.db"), *another = fixture_file(f, "another.db");
    char *linked = fixture_file(f, "linked.db");
    rsq_attach first[] = {{"side", attached}}, second[] = {{"side", another}},
               third[] = {{"other", attached}}, same[] = {{"SIDE", linked}};
    rsq_open_options is = {.size = sizeof is,
                           .readers = 3,
                           .busy_timeout_ms = 1000,
                           .synchronous = RSQ_SYNC_FULL,
                           .keep_snapshot_ms = 50,
                           .lease_timeout_ms = 2000,
                           .reader_age_limit_ms = 60000,
                           .mmap_bytes = -1,
                           .cache_bytes = 1 << 20,
                           .attach = first,
                           .nattach = 1};
    const struct {
        rsq_open_options opts;
        const char *name; /* NULL: it fits */
    } cases[] = {
        {{.readers = 4}, "readers"},
        {{.busy_timeout_ms = 1001}, "busy_timeout_ms"},
        {{.synchronous = RSQ_SYNC_NORMAL}, "synchronous"},
        {{.keep_snapshot_ms = 51}, "keep_snapshot_ms"},
        {{.lease_timeout_ms = 2001}, "lease_timeout_ms"},
        {{.mmap_bytes = 1 << 20}, "mmap_bytes"},
        {{.reader_age_limit_ms = 60001}, "reader_age_limit_ms"},
        {{.cache_bytes = 2 << 20}, "cache_bytes"},
        {{.attach = second, .nattach = 1}, "attach"},
        {{.attach = third, .nattach = 1}, "attach"},
        {{.flags = RSQ_OPEN_NO_FOREIGN_KEYS}, "RSQ_OPEN_NO_FOREIGN_KEYS"},
        {{.flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS}, "RSQ_OPEN_NO_KEPT_SNAPSHOTS"},
        {{.flags = RSQ_OPEN_NO_GROUP_COMMIT}, "RSQ_OPEN_NO_GROUP_COMMIT"},
        {{.flags = RSQ_OPEN_NO_EXTERNAL_WRITERS}, "RSQ_OPEN_NO_EXTERNAL_WRITERS"},
        {{.readers = 0}, NULL},
        {{.readers = 3, .cache_bytes = 1 << 20, .mmap_bytes = -1, .synchronous = RSQ_SYNC_FULL}, NULL},
        {{.attach = same, .nattach = 1}, NULL},
        {{.flags = RSQ_OPEN_NO_CREATE, .page_size = 8192}, NULL},
        {{.flags = RSQ_OPEN_READONLY | RSQ_OPEN_NO_FOREIGN_KEYS, .synchronous = RSQ_SYNC_OFF}, NULL},
    };

    free(foreign_sql(f, another, "CREATE TABLE t(x)"));
    free(foreign_sql(f, attached, "CREATE TABLE t(x)"));
    assert_int_equal(symlink("attached.db", linked), 0);
    fixture_open(f, &is);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        rsq_open_options opts = cases[i].opts;
        rsq_db *db = NULL;

        opts.size = sizeof opts;
        if (cases[i].name) {
            WANT(f, RSQ_EINVAL, rsq_open(f->path, &opts, &db, &f->err));
            assert_non_null(strstr(f->err.message, cases[i].name));
            assert_null(db);
        } else {
            WANT(f, RSQ_OK, rsq_open(f->path, &opts, &db, &f->err));
            WANT_CODE(RSQ_OK, rsq_close(db));
        }
    }
    EXEC(f, SCHEMA);
    free(attached), free(another), free(linked);
}

/* A program that says nothing of syncing relies on the default, which is safe. */
static void no_wish_is_not_unsafe(void **state)
{
    fixture *f = *state;
    rsq_open_options off = {.size = sizeof off, .synchronous = RSQ_SYNC_OFF};
    rsq_db *other = NULL;

    fixture_open(f, &off);
    WANT(f, RSQ_EINVAL, rsq_open(f->path, NULL, &other, &f->err));
    assert_non_null(strstr(f->err.message, "synchronous"));
    other = fixture_open_path(f, f->path, &off);
    WANT_CODE(RSQ_OK, rsq_close(other));
}

/* ------------------------------------------------------------------ ending alone -- */

/* Its own live queries end, in its own queue and in others; the other handle's go on. */
static void a_close_ends_its_own_live_queries(void **state)
{
    fixture *f = *state;
    rsq_db *other;
    probe *mine, *theirs, *by_default;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    other = fixture_open_path(f, f->path, NULL);
    assert_ptr_not_equal(rsq_queue_default(other), rsq_queue_default(f->db));
    mine = watch(f, f->db, rsq_queue_default(f->db), COUNT);
    theirs = watch(f, other, fixture_queue(f), COUNT);
    by_default = watch(f, other, rsq_queue_default(other), COUNT);
    EXPECT_EVENT(mine, "0");
    EXPECT_EVENT(theirs, "0");
    EXPECT_EVENT(by_default, "0");
    WANT_CODE(RSQ_OK, rsq_close(other));
    EXPECT_END(by_default);
    EXPECT_END(theirs);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(mine, "1");
}

/* Its own asynchronous calls complete, also those that wait behind a long one of another handle's, which runs
 * on and is not waited for. */
static void a_close_completes_its_own_calls(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_op *longer = NULL, *ours[3] = {0};
    rsq_db *other;

    fixture_open(f, &opts);
    other = fixture_open_path(f, f->path, NULL);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, FOREVER, NULL, 0, NULL, &longer));
    for (size_t i = 0; i < LENGTH(ours); i++)
        WANT_CODE(RSQ_OK, rsq_select_async(other, "SELECT 1", NULL, 0, NULL, &ours[i]));
    WANT_CODE(RSQ_OK, rsq_close(other));
    for (size_t i = 0; i < LENGTH(ours); i++) {
        assert_int_equal(rsq_op_status(ours[i]), RSQ_ECLOSED);
        rsq_op_free(ours[i]);
    }
    assert_int_equal(rsq_op_status(longer), RSQ_EPENDING);
    rsq_op_cancel(longer);
    WANT_CODE(RSQ_OK, rsq_op_wait(longer, FIXTURE_DEADLINE_MS));
    assert_int_equal(rsq_op_status(longer), RSQ_ECANCELLED);
    rsq_op_free(longer);
    EXPECT_ROWS(f, "SELECT 1", "1");
}

/* Its own cursors end; the other handle's read on. */
static void a_close_ends_its_own_cursors(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 4};
    const rsq_call_options two = {.size = sizeof two, .chunk_rows = 2};
    const char *three = "VALUES (1), (2), (3)";
    rsq_cursor *mine = NULL, *theirs = NULL;
    rsq_result *r = NULL;
    rsq_db *other;

    fixture_open(f, &opts);
    other = fixture_open_path(f, f->path, NULL);
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, three, NULL, 0, &two, &mine, &f->err));
    WANT(f, RSQ_OK, rsq_cursor_open(other, three, NULL, 0, &two, &theirs, &f->err));
    WANT_CODE(RSQ_OK, rsq_close(other));
    WANT(f, RSQ_ECLOSED, rsq_cursor_next(theirs, &r, &f->err));
    rsq_cursor_close(theirs);
    for (int64_t rows = 2; rows >= 0; rows--) {
        WANT(f, RSQ_OK, rsq_cursor_next(mine, &r, &f->err));
        assert_int_equal(r ? rsq_result_rows(r) : 0, rows);
        rsq_result_unref(r);
        r = NULL;
    }
    rsq_cursor_close(mine);
}

typedef struct late_write {
    rsq_db *db;
    rsq_code code;
} late_write;

static void write_late(void *ctx)
{
    late_write *w = ctx;

    w->code = rsq_execute(w->db, "INSERT INTO items(name) VALUES ('late')", NULL, 0, NULL, NULL, NULL);
}

/* Who waits in line for the writer by the handle that closes is sent away, nobody else. */
static void a_close_sends_its_own_away(void **state)
{
    fixture *f = *state;
    late_write ours = {0}, theirs = {0};
    thread threads[2];
    parked *p;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    ours.db = f->db;
    theirs.db = fixture_open_path(f, f->path, NULL);
    p = fixture_park(f, f->db);
    thread_start(&threads[0], write_late, &theirs);
    thread_start(&threads[1], write_late, &ours);
    WANT_CODE(RSQ_OK, rsq_close(theirs.db));
    THREAD_JOIN(&threads[0]);
    assert_int_equal(theirs.code, RSQ_ECLOSED);
    parked_go(p);
    parked_join(p);
    THREAD_JOIN(&threads[1]);
    assert_int_equal(ours.code, RSQ_OK);
    EXPECT_ROWS(f, "SELECT count(*) FROM items WHERE name = 'late'", "1");
}

/* Asynchronous writes too: those in line behind a transaction of another handle's are answered, and the
 * other's own wait on. */
static void a_close_completes_its_own_writes(void **state)
{
    fixture *f = *state;
    const char *insert = "INSERT INTO items(name) VALUES ('async')";
    rsq_op *ours = NULL, *theirs[3] = {0};
    rsq_db *other;
    parked *p;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    other = fixture_open_path(f, f->path, NULL);
    p = fixture_park(f, f->db);
    for (size_t i = 0; i < LENGTH(theirs); i++) {
        WANT_CODE(RSQ_OK, rsq_execute_async(other, insert, NULL, 0, NULL, &theirs[i]));
        if (i == 0)
            WANT_CODE(RSQ_OK, rsq_execute_async(f->db, insert, NULL, 0, NULL, &ours));
    }
    WANT_CODE(RSQ_OK, rsq_close(other));
    for (size_t i = 0; i < LENGTH(theirs); i++) {
        assert_int_equal(rsq_op_status(theirs[i]), RSQ_ECLOSED);
        rsq_op_free(theirs[i]);
    }
    assert_int_equal(rsq_op_status(ours), RSQ_EPENDING);
    parked_go(p);
    parked_join(p);
    WANT_CODE(RSQ_OK, rsq_op_wait(ours, FIXTURE_DEADLINE_MS));
    assert_int_equal(rsq_op_status(ours), RSQ_OK);
    rsq_op_free(ours);
    EXPECT_ROWS(f, "SELECT count(*) FROM items WHERE name = 'async'", "1");
}

/* An interactive transaction is rolled back with its handle, and stays when another one closes. */
static void a_close_rolls_its_own_transaction_back(void **state)
{
    fixture *f = *state;
    const char *insert = "INSERT INTO items(name) VALUES ('x')";
    rsq_db *other, *third;
    rsq_tx *tx = NULL;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    other = fixture_open_path(f, f->path, NULL);
    third = fixture_open_path(f, f->path, NULL);
    WANT(f, RSQ_OK, rsq_begin(other, NULL, &tx, &f->err));
    WANT(f, RSQ_OK, rsq_tx_execute(tx, insert, NULL, 0, NULL, NULL, &f->err));
    WANT_CODE(RSQ_OK, rsq_close(third));
    WANT(f, RSQ_OK, rsq_tx_execute(tx, insert, NULL, 0, NULL, NULL, &f->err));
    WANT_CODE(RSQ_OK, rsq_close(other));
    WANT(f, RSQ_ECLOSED, rsq_commit(tx, &f->err));
    EXPECT_ROWS(f, COUNT, "0");
    EXEC(f, insert);
    EXPECT_ROWS(f, COUNT, "1");
}

typedef struct inside {
    rsq_db *outer, *inner, *third;
    const char *path;
    rsq_code nested, close_outer, close_inner, close_third;
    int64_t seen;
} inside;

static rsq_code body_nested(rsq_tx *tx, void *ctx)
{
    inside *in = ctx;

    in->close_inner = rsq_close(in->inner);
    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('nested')", NULL, 0, NULL, NULL, NULL);
}

static rsq_code body_outer(rsq_tx *tx, void *ctx)
{
    inside *in = ctx;
    rsq_result *r = NULL;

    (void)tx;
    if (rsq_open(in->path, NULL, &in->third, NULL) != RSQ_OK)
        return RSQ_EINVAL;
    in->nested = rsq_transaction(in->inner, body_nested, in, NULL, NULL);
    if (rsq_select(in->third, COUNT, NULL, 0, NULL, &r, NULL) != RSQ_OK)
        return RSQ_EINVAL;
    in->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    in->close_third = rsq_close(in->third);
    in->close_outer = rsq_close(in->outer);
    return RSQ_OK;
}

/* Inside a transaction function calls by any handle of the file join it; to open the file and to close
 * handles without a transaction there is allowed. */
static void calls_by_another_handle_join_the_transaction(void **state)
{
    fixture *f = *state;
    inside in = {.path = f->path};

    in.outer = fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    in.inner = fixture_open_path(f, f->path, NULL);
    WANT(f, RSQ_OK, rsq_transaction(in.outer, body_outer, &in, NULL, &f->err));
    assert_int_equal(in.nested, RSQ_OK);
    assert_int_equal(in.seen, 1);
    assert_int_equal(in.close_inner, RSQ_EMISUSE);
    assert_int_equal(in.close_outer, RSQ_EMISUSE);
    assert_int_equal(in.close_third, RSQ_OK);
    WANT_CODE(RSQ_OK, rsq_close(in.inner));
    EXPECT_ROWS(f, COUNT, "1");
}

typedef struct reopener {
    fixture *f;
    rsq_db *again;
    rsq_code code;
} reopener;

static void reopen_at_the_end(probe *p, const probe_event *ev, void *ctx)
{
    reopener *r = ctx;

    (void)p;
    if (ev->kind == RSQ_EVENT_END)
        r->code = rsq_open(r->f->path, NULL, &r->again, NULL);
}

/* A callback that the last rsq_close() delivers may open the file again, which keeps what is there open. */
static void reopened_while_it_closes(void **state)
{
    fixture *f = *state;
    static reopener r;
    size_t fds;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    r = (reopener){.f = f, .code = RSQ_EINVAL};
    p = watch(f, f->db, rsq_queue_default(f->db), "SELECT 1");
    p->then = reopen_at_the_end;
    p->then_ctx = &r;
    EXPECT_EVENT(p, "1");
    fds = fixture_descriptors();
    fixture_close(f);
    EXPECT_END(p);
    assert_int_equal(r.code, RSQ_OK);
    assert_true(fixture_descriptors() <= fds);
    f->db = r.again;
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_ROWS(f, COUNT, "1");
}

/* ------------------------------------------------------------------------- races -- */

#define CREW 4
#define ROUNDS (FIXTURE_UNDER_TSAN ? 20 : 60)

typedef struct race {
    const char *path;
    verdict verdict;
    rsq_db *db[CREW];
} race;

static void open_write_close(size_t index, void *ctx)
{
    race *r = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        rsq_open_options readonly = {.size = sizeof readonly, .flags = RSQ_OPEN_READONLY};
        bool reads = (index + (size_t)i) % 3 == 0;
        rsq_result *rows = NULL;
        rsq_db *db = NULL;
        rsq_error err = {0};
        rsq_code code = rsq_open(r->path, reads ? &readonly : NULL, &db, &err);

        BLAME(&r->verdict, code == RSQ_OK, &err);
        if (code != RSQ_OK)
            return;
        code = rsq_execute(db, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, &err);
        BLAME(&r->verdict, code == (reads ? RSQ_EREADONLY : RSQ_OK), &err);
        BLAME(&r->verdict, rsq_select(db, COUNT, NULL, 0, NULL, &rows, &err) == RSQ_OK, &err);
        rsq_result_unref(rows);
        BLAME(&r->verdict, rsq_close(db) == RSQ_OK, NULL);
    }
}

/* Threads that open, write, read and close one file as they like: each open finds the core, gives it its
 * writer, or waits for the end of the one that just closes; no write is lost, none fails. */
static void threads_open_and_close_one_file(void **state)
{
    fixture *f = *state;
    race r = {.path = f->path};
    int64_t expected = 0;

    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    fixture_close(f);
    verdict_init(&r.verdict);
    crew_run(CREW, open_write_close, &r);
    VERDICT(&r.verdict);
    for (size_t index = 0; index < CREW; index++) {
        for (int i = 0; i < ROUNDS; i++)
            expected += (index + (size_t)i) % 3 != 0;
    }
    fixture_open(f, NULL);
    assert_int_equal(INTEGER(f, COUNT), expected);
}

static void open_new(size_t index, void *ctx)
{
    race *r = ctx;
    rsq_error err;

    BLAME(&r->verdict, rsq_open(r->path, NULL, &r->db[index], &err) == RSQ_OK, &err);
}

/* A file that is not there yet is made by one of those that open it at once, and shared by all: its
 * descriptors are those of one writer. */
static void threads_make_one_file(void **state)
{
    fixture *f = *state;
    size_t fds = fixture_descriptors(), one;
    race r = {0};

    fixture_open(f, NULL);
    one = fixture_descriptors() - fds;
    fixture_close(f);
    verdict_init(&r.verdict);
    for (int i = 0; i < ROUNDS / 3; i++) {
        char name[32];
        char *path;

        snprintf(name, sizeof name, "born%d.db", i);
        path = fixture_file(f, name);
        r.path = path;
        crew_run(CREW, open_new, &r);
        assert_int_equal(fixture_descriptors() - fds, one);
        for (size_t k = 0; k < CREW; k++)
            WANT_CODE(RSQ_OK, rsq_close(r.db[k]));
        assert_int_equal(fixture_descriptors(), fds);
        free(path);
    }
    VERDICT(&r.verdict);
}

typedef struct bystander {
    race race;
    atomic_bool stop;
} bystander;

static void open_and_close(size_t index, void *ctx)
{
    bystander *b = ctx;
    rsq_error err;

    if (index == 0) {
        for (int i = 0; i < ROUNDS; i++)
            BLAME(&b->race.verdict,
                  rsq_execute(b->race.db[0], "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL,
                              &err) == RSQ_OK,
                  &err);
        atomic_store(&b->stop, true);
        return;
    }
    while (!atomic_load(&b->stop)) {
        rsq_op *op = NULL, *write = NULL;
        rsq_db *db = NULL;

        BLAME(&b->race.verdict, rsq_open(b->race.path, NULL, &db, &err) == RSQ_OK, &err);
        BLAME(&b->race.verdict, rsq_select_async(db, COUNT, NULL, 0, NULL, &op) == RSQ_OK, NULL);
        BLAME(&b->race.verdict,
              rsq_execute_async(db, "DELETE FROM items WHERE id < 0", NULL, 0, NULL, &write) == RSQ_OK, NULL);
        BLAME(&b->race.verdict, rsq_close(db) == RSQ_OK, NULL);
        BLAME(&b->race.verdict, rsq_op_status(write) == RSQ_OK || rsq_op_status(write) == RSQ_ECLOSED, NULL);
        rsq_op_free(write);
        BLAME(&b->race.verdict, rsq_op_status(op) == RSQ_OK || rsq_op_status(op) == RSQ_ECLOSED, NULL);
        rsq_op_free(op);
    }
}

/* Handles that come and go, with calls pending, do not disturb the one that stays. */
static void handles_come_and_go(void **state)
{
    fixture *f = *state;
    bystander b = {.race = {.path = f->path}};
    probe *p;

    b.race.db[0] = fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    p = WATCH(f, COUNT);
    verdict_init(&b.race.verdict);
    crew_run(3, open_and_close, &b);
    VERDICT(&b.race.verdict);
    EXPECT_REACHES(p, FIXTURE_UNDER_TSAN ? "20" : "60");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_path_leads_to_one_core),
        CASE(a_relative_path_is_of_the_folder_of_its_open),
        CASE(live_queries_hear_of_every_handle),
        CASE(commits_are_numbered_together),
        CASE(databases_in_memory_are_never_shared),
        CASE(a_moved_file_is_not_mixed_up),
        CASE(a_readonly_handle_beside_one_that_writes),
        CASE(a_writer_comes_later),
        CASE(contradicting_options_are_refused),
        CASE(no_wish_is_not_unsafe),
        CASE(a_close_ends_its_own_live_queries),
        CASE(a_close_completes_its_own_calls),
        CASE(a_close_ends_its_own_cursors),
        CASE(a_close_sends_its_own_away),
        CASE(a_close_completes_its_own_writes),
        CASE(a_close_rolls_its_own_transaction_back),
        CASE(calls_by_another_handle_join_the_transaction),
        CASE(reopened_while_it_closes),
        CASE(threads_open_and_close_one_file),
        CASE(threads_make_one_file),
        CASE(handles_come_and_go),
    };

    return cmocka_run_group_tests_name("handles", tests, NULL, NULL);
}
