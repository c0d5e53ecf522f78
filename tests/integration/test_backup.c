/*
 * Copies of a database that is in use. What happens while a copy is made happens in the call that tells how
 * far it is, on the same thread, so nothing here depends on time.
 */
#include "async_fixture.h"

#include <errno.h>
#include <unistd.h>

/* Some 4 MiB: several steps. */
static void fill(fixture *f)
{
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, body BLOB)");
    EXEC(f, "INSERT INTO items SELECT value, zeroblob(4000) FROM (WITH RECURSIVE n(value) AS "
            "(VALUES(1) UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT value FROM n)");
}

static void start(fixture *f, const rsq_open_options *opts)
{
    fixture_open(f, opts);
    fill(f);
}

static void expect_no_file(const char *path)
{
    char journal[400];

    snprintf(journal, sizeof journal, "%s-journal", path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(journal, F_OK), 0);
}

static void expect_copy(fixture *f, const char *path, const char *rows)
{
    rsq_db *copy = fixture_open_path(f, path, NULL);

    EXPECT_ROWS_IN(f, copy, "PRAGMA integrity_check", "'ok'");
    EXPECT_ROWS_IN(f, copy, "SELECT count(*), sum(length(body)) FROM items", rows);
    WANT_CODE(RSQ_OK, rsq_close(copy));
}

typedef struct watcher {
    fixture *f;
    unsigned calls;
    uint64_t done, pages;
    bool in_order;
    const char *sql;     /* run at each call; NULL: nothing */
    rsq_code failed;     /* of it */
    unsigned give_up_at; /* the call that says no; 0: none */
} watcher;

static bool watch(uint64_t done, uint64_t pages, void *ctx)
{
    watcher *w = ctx;
    rsq_error err;

    w->calls++;
    w->in_order = (w->calls == 1 || (w->in_order && pages == w->pages)) && done > w->done && done <= pages;
    w->done = done;
    w->pages = pages;
    if (w->sql && w->failed == RSQ_OK)
        w->failed = rsq_execute(w->f->db, w->sql, NULL, 0, NULL, NULL, &err);
    return w->calls != w->give_up_at;
}

/* The copy is of one commit, whatever is written while it is made, and its number is told. */
static void of_one_commit(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db");
    watcher w = {.f = f, .sql = "UPDATE items SET body = x'00'"};
    rsq_backup_options opts = {.size = sizeof opts, .progress = watch, .ctx = &w};
    uint64_t seq = 0, newest;
    rsq_result *r;

    start(f, NULL);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1 FROM items", NULL, 0, NULL, &r, &f->err));
    newest = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_backup(f->db, path, &opts, &seq, &f->err));
    assert_int_equal(w.failed, RSQ_OK);
    assert_true(w.calls > 2);
    assert_true(w.in_order);
    assert_int_equal(w.done, w.pages);
    assert_int_equal(seq, newest);
    expect_copy(f, path, "1000|4000000");
    EXPECT_ROWS(f, "SELECT sum(length(body)) FROM items", "1000");
    free(path);
}

/* An empty one is a database too. */
static void of_nothing(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db");
    rsq_db *copy;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_backup(f->db, path, NULL, NULL, &f->err));
    copy = fixture_open_path(f, path, NULL);
    EXPECT_ROWS_IN(f, copy, "SELECT count(*) FROM sqlite_schema", "0");
    WANT_CODE(RSQ_OK, rsq_close(copy));
    free(path);
}

static void of_memory(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db");

    f->db = fixture_open_path(f, ":memory:", NULL);
    fill(f);
    WANT(f, RSQ_OK, rsq_backup(f->db, path, NULL, NULL, &f->err));
    expect_copy(f, path, "1000|4000000");
    EXEC(f, "DELETE FROM items");
    free(path);
}

/* Nobody's file is written over: neither another one, nor the database itself by whatever name. */
static void over_nothing(void **state)
{
    fixture *f = *state;
    char *other = fixture_file(f, "other"), *name = fixture_file(f, "name");
    FILE *file = fopen(other, "w");

    assert_non_null(file);
    assert_true(fputs("mine", file) >= 0);
    assert_int_equal(fclose(file), 0);
    start(f, NULL);
    assert_int_equal(symlink(f->path, name), 0);
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, other, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, f->path, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, name, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, f->dir, NULL, NULL, &f->err));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 1000);
    free(other);
    free(name);
}

/* One that is given up, or whose time is over, leaves nothing, also when all but its end was done. */
static void given_up(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db");
    watcher w = {.f = f, .give_up_at = 2};
    rsq_backup_options opts = {.size = sizeof opts, .progress = watch, .ctx = &w};

    start(f, NULL);
    WANT(f, RSQ_ECANCELLED, rsq_backup(f->db, path, &opts, NULL, &f->err));
    assert_true(w.done < w.pages);
    expect_no_file(path);
    w = (watcher){.f = f};
    WANT(f, RSQ_OK, rsq_backup(f->db, path, &opts, NULL, &f->err));
    assert_int_equal(unlink(path), 0);
    w = (watcher){.f = f, .give_up_at = w.calls};
    WANT(f, RSQ_ECANCELLED, rsq_backup(f->db, path, &opts, NULL, &f->err));
    assert_int_equal(w.done, w.pages);
    expect_no_file(path);
    EXEC(f, "DELETE FROM items");
    free(path);
}

static bool use_up_time(uint64_t done, uint64_t pages, void *ctx)
{
    fixture *f = ctx;
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 5};
    rsq_result *r;

    (void)done;
    (void)pages;
    return rsq_select(f->db, ENDLESS, NULL, 0, &opts, &r, NULL) == RSQ_ETIMEOUT;
}

static void out_of_time(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db");
    rsq_backup_options opts = {.size = sizeof opts, .timeout_ms = 1, .progress = use_up_time, .ctx = f};

    start(f, NULL);
    WANT(f, RSQ_ETIMEOUT, rsq_backup(f->db, path, &opts, NULL, &f->err));
    expect_no_file(path);
    free(path);
}

static bool restart_log(uint64_t done, uint64_t pages, void *ctx)
{
    fixture *f = ctx;
    rsq_checkpoint_options restart = {
        .size = sizeof restart, .mode = RSQ_CHECKPOINT_RESTART, .timeout_ms = 100};

    (void)done;
    (void)pages;
    (void)rsq_checkpoint(f->db, &restart, NULL, NULL);
    return true;
}

/* Where the age of reads is limited, that of a backup is. */
static void holding_the_log(void **state)
{
    fixture *f = *state;
    const rsq_open_options limit = {.size = sizeof limit, .readers = 2, .reader_age_limit_ms = 1};
    char *path = fixture_file(f, "copy.db");
    rsq_backup_options opts = {.size = sizeof opts, .progress = restart_log, .ctx = f};

    start(f, &limit);
    WANT(f, RSQ_ESNAPSHOT, rsq_backup(f->db, path, &opts, NULL, &f->err));
    expect_no_file(path);
    EXEC(f, "DELETE FROM items");
    free(path);
}

static rsq_code inside(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    char *path = fixture_file(f, "inside.db");
    rsq_code code = rsq_tx_execute(tx, "DELETE FROM items", NULL, 0, NULL, NULL, &f->err);

    if (code == RSQ_OK)
        code = rsq_backup(f->db, path, NULL, NULL, &f->err);
    free(path);
    return code;
}

/* What is not committed is not in it. */
static void in_a_transaction(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "inside.db");
    rsq_db *memory;

    start(f, NULL);
    WANT(f, RSQ_OK, rsq_transaction(f->db, inside, f, NULL, &f->err));
    expect_copy(f, path, "1000|4000000");
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 0);
    fixture_close(f);
    memory = f->db = fixture_open_path(f, ":memory:", NULL);
    fill(f);
    assert_int_equal(unlink(path), 0);
    WANT(f, RSQ_EMISUSE, rsq_transaction(memory, inside, f, NULL, &f->err));
    free(path);
}

static void wrong(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "copy.db"), *nowhere = fixture_file(f, "no/copy.db");
    rsq_backup_options opts = {.size = sizeof opts, .flags = 1};

    start(f, NULL);
    WANT(f, RSQ_EINVAL, rsq_backup(NULL, path, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, NULL, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, "", NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, ":memory:", NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_backup(f->db, path, &opts, NULL, &f->err));
    WANT(f, RSQ_ECANTOPEN, rsq_backup(f->db, nowhere, NULL, NULL, &f->err));
    assert_int_equal(f->err.system_errno, ENOENT);
    expect_no_file(path);
    free(path);
    free(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(of_one_commit),   CASE(of_nothing),       CASE(of_memory),
        CASE(over_nothing),    CASE(given_up),         CASE(out_of_time),
        CASE(holding_the_log), CASE(in_a_transaction), CASE(wrong),
    };

    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
