/*
 * A reader keeps its memory map over commits, and forgets nothing by it: the file grows, is cut off, grows
 * again, by this process or another one, and each answer is the one of a reader that maps the file anew. Live
 * queries of one text share what they read, and it is found out anew when the schema is another one.
 */
#include "fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 100
#define ROUNDS 120 /* more than a map is kept in a row */

/* Every row says what all rows of the round say, over some pages. */
static void fill(fixture *f, int round, int rows)
{
    char sql[256];

    EXEC(f, "DELETE FROM t");
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
             "INSERT INTO t SELECT i, %d, printf('%%.*c', 3000, 'x') FROM c",
             rows, round);
    EXEC(f, sql);
}

static void expect_round(fixture *f, int round, int rows)
{
    char expected[64];

    snprintf(expected, sizeof expected, "%d|%d|%d|%d", rows, round, round, rows * 3000);
    EXPECT_ROWS(f, "SELECT count(*), min(round), max(round), sum(length(body)) FROM t", expected);
    snprintf(expected, sizeof expected, "%d", rows);
    EXPECT_ROWS(f, "SELECT id FROM t ORDER BY id DESC LIMIT 1", expected);
}

static void copy_log(fixture *f)
{
    rsq_checkpoint_options opts = {.size = sizeof opts, .mode = RSQ_CHECKPOINT_TRUNCATE};

    WANT(f, RSQ_OK, rsq_checkpoint(f->db, &opts, NULL, &f->err));
}

/* The file is short, long, and short again; now and then the log is in it, now and then it is not. */
static void grow_and_shrink(fixture *f, uint32_t flags)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = 1, .flags = flags};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, round INTEGER, body TEXT)");
    for (int round = 0; round < ROUNDS; round++) {
        int rows = round % 3 == 0 ? 3 : round % 3 == 1 ? ROWS : ROWS / 4;

        fill(f, round, rows);
        expect_round(f, round, rows);
        if (round % 3 == 2)
            EXEC(f, "VACUUM");
        if (round % 2 == 0)
            copy_log(f);
        expect_round(f, round, rows);
    }
    fixture_close(f);
}

static void a_file_that_grows_and_shrinks(void **state)
{
    grow_and_shrink(*state, 0);
}

static void the_same_mapped_anew(void **state)
{
    grow_and_shrink(*state, RSQ_OPEN_NO_KEPT_MAPPING);
}

/* ------------------------------------------------------------------- another process -- */

static int64_t file_size(const fixture *f)
{
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    return (int64_t)st.st_size;
}

/* As `fill`, and after it the file is as long as its rows are: the log is copied, and VACUUM gives back the
 * rest. Our own readers let go of their snapshots after keep_snapshot_ms, for which the other process waits.
 */
static void fill_elsewhere(fixture *f, int round, int rows)
{
    char sql[512], *answer;

    snprintf(sql, sizeof sql,
             "DELETE FROM t; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
             "INSERT INTO t SELECT i, %d, printf('%%.*c', 3000, 'x') FROM c; VACUUM; "
             "PRAGMA wal_checkpoint(TRUNCATE)",
             rows, round);
    answer = foreign_sql(f, f->path, sql);
    assert_string_equal(answer, "0|0|0");
    free(answer);
}

/* It could not do it, and ends saying so. */
static void expect_locked(foreign *x)
{
    char said[256];
    size_t len = 0;
    ssize_t n;
    int status = -1;

    while (len < sizeof said - 1 && (n = read(x->from, said + len, sizeof said - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    close(x->to);
    close(x->from);
    assert_int_equal(waitpid(x->pid, &status, 0), x->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(said, "database is locked"));
}

static void expect_next(fixture *f, rsq_cursor *c, int round)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_cursor_next(c, &r, &f->err));
    assert_non_null(r);
    assert_int_equal(rsq_result_int64(r, 0, 0), round);
    rsq_result_unref(r);
}

/* The file is cut off and grows below the map of a reader that knows of it only by the log's index. Between
 * two rounds the reader's map is older than the file is long, and its last page may be gone. */
static void cut_off_by_another_process(void **state)
{
    static const uint32_t flags[] = {0, RSQ_OPEN_NO_KEPT_MAPPING};
    fixture *f = *state;

    for (size_t i = 0; i < LENGTH(flags); i++) {
        rsq_open_options opts = {.size = sizeof opts, .readers = 1, .keep_snapshot_ms = 1, .flags = flags[i]};
        int64_t longest = 0, shortest = INT64_MAX;

        fixture_open(f, &opts);
        EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, round INTEGER, body TEXT)");
        for (int round = 0; round < 12; round++) {
            int rows = round % 2 ? 3 : ROWS;

            fill_elsewhere(f, round, rows);
            expect_round(f, round, rows);
            longest = file_size(f) > longest ? file_size(f) : longest;
            shortest = file_size(f) < shortest ? file_size(f) : shortest;
        }
        assert_true(longest > 3000 * ROWS && shortest < 10 * 4096);
        fixture_close(f);
        assert_int_equal(unlink(f->path), 0);
    }
}

/* The log goes with the last connection of all processes, and ours are open: one that closes between two
 * reads takes nothing away, nor does one that wants another journal. */
static void the_log_of_a_guest_stays(void **state)
{
    static const char *const other_journal[] = {"PRAGMA busy_timeout = 0", "PRAGMA journal_mode = DELETE"};
    fixture *f = *state;
    char *log = fixture_file(f, "test.db-wal");

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, round INTEGER, body TEXT)");
    for (int round = 0; round < 8; round++) {
        char sql[64];
        foreign x;

        snprintf(sql, sizeof sql, "INSERT INTO t(round, body) VALUES (%d, 'x')", round);
        free(foreign_sql(f, f->path, sql));
        assert_true(fixture_exists(log));
        assert_int_equal(INTEGER(f, "SELECT max(round) FROM t"), round);
        foreign_start(f, &x, f->path, other_journal, LENGTH(other_journal));
        expect_locked(&x);
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), round + 1);
    }
    free(log);
}

/* The last one of all takes the log with it, and who opens the file again finds all that was in it. */
static void the_log_goes_with_the_last(void **state)
{
    static const char *const stay[] = {"SELECT count(*) FROM t", "-", "INSERT INTO t VALUES (2)"};
    fixture *f = *state;
    char *log = fixture_file(f, "test.db-wal");
    foreign guest;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    EXEC(f, "INSERT INTO t VALUES (1)");
    EXPECT_ROWS(f, "SELECT * FROM t", "1");
    foreign_start(f, &guest, f->path, stay, LENGTH(stay));
    foreign_await(&guest);
    fixture_close(f);
    assert_true(fixture_exists(log));
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT * FROM t", "1");
    fixture_close(f);
    foreign_go(&guest);
    free(foreign_finish(&guest));
    assert_false(fixture_exists(log));
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT * FROM t", "1\n2");
    free(log);
}

/* ------------------------------------------------------------------- the map's end -- */

/*
 * SQLite reads a few bytes beyond a record, which may stand at the end of the last page. Behind that was the
 * map of a page that the file had before it was cut off, and the process got SIGBUS. The index was made last,
 * so after VACUUM its page is the last one, and a record with a number stands at its end.
 */
static void last_page_of_a_file_that_was_cut_off(void **state)
{
    static const uint32_t flags[] = {0, RSQ_OPEN_NO_KEPT_MAPPING};
    fixture *f = *state;

    for (size_t i = 0; i < LENGTH(flags); i++) {
        rsq_open_options opts = {.size = sizeof opts, .readers = 1, .flags = flags[i]};

        fixture_open(f, &opts);
        EXEC(f, "CREATE TABLE ballast(b)");
        EXEC(f, "CREATE TABLE t(k INTEGER, v TEXT)");
        EXEC(f, "CREATE INDEX by_k ON t(k)");
        EXEC(f, "INSERT INTO t VALUES (1000, 'x')");
        EXEC(f, "INSERT INTO ballast VALUES (zeroblob(100000))");
        copy_log(f);
        EXPECT_ROWS(f, "SELECT v FROM t WHERE k = 1000", "'x'");
        EXEC(f, "DELETE FROM ballast");
        EXEC(f, "VACUUM");
        copy_log(f);
        assert_true(file_size(f) < 100000);
        EXPECT_ROWS(f, "SELECT v FROM t WHERE k = 1000", "'x'");
        fixture_close(f);
        assert_int_equal(unlink(f->path), 0);
    }
}

/* The file outgrows the map that is allowed, and a reader's map is shorter than the file for a while. */
static void a_file_longer_than_the_map(void **state)
{
    static const struct {
        int64_t map;
        uint32_t flags;
    } settings[] = {{16 * 4096, 0}, {16 * 4096, RSQ_OPEN_NO_KEPT_MAPPING}, {1, 0}, {-1, 0}};
    fixture *f = *state;

    for (size_t i = 0; i < LENGTH(settings); i++) {
        rsq_open_options opts = {
            .size = sizeof opts, .readers = 2, .mmap_bytes = settings[i].map, .flags = settings[i].flags};

        fixture_open(f, &opts);
        EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, round INTEGER, body TEXT)");
        for (int round = 1; round <= ROUNDS; round++) {
            EXEC(f, "INSERT INTO t(round, body) VALUES (7, printf('%.*c', 3000, 'x'))");
            expect_round(f, 7, round);
            if (round % 5 == 0)
                copy_log(f);
        }
        assert_true(file_size(f) > 16 * 4096);
        fixture_close(f);
        assert_int_equal(unlink(f->path), 0);
    }
}

/* A reader in the middle of its rows has an old snapshot while the log is copied as far as that allows,
 * begins anew behind it, and is copied again: what it reads is what was there, and all others read what there
 * is. */
static void the_log_begins_anew(void **state)
{
    static const uint32_t modes[] = {RSQ_CHECKPOINT_PASSIVE, RSQ_CHECKPOINT_RESTART, RSQ_CHECKPOINT_TRUNCATE};
    const rsq_call_options in_chunks = {.size = sizeof in_chunks, .chunk_rows = 1};
    rsq_open_options opts = {.size = sizeof opts, .readers = 2};
    fixture *f = *state;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, round INTEGER, body TEXT)");
    for (int round = 0; round < 40; round++) {
        rsq_checkpoint_options passive = {.size = sizeof passive, .mode = RSQ_CHECKPOINT_PASSIVE};
        rsq_checkpoint_options some = {.size = sizeof some, .mode = modes[(size_t)round % LENGTH(modes)]};
        rsq_cursor *old = NULL;

        fill(f, round, ROWS / 4);
        WANT(f, RSQ_OK,
             rsq_cursor_open(f->db, "SELECT round FROM t ORDER BY id", NULL, 0, &in_chunks, &old, &f->err));
        expect_next(f, old, round);
        fill(f, round + 1000, ROWS / 4);
        WANT(f, RSQ_OK, rsq_checkpoint(f->db, &passive, NULL, &f->err));
        expect_round(f, round + 1000, ROWS / 4);
        for (int row = 1; row < ROWS / 4; row++)
            expect_next(f, old, round);
        rsq_cursor_close(old);
        WANT(f, RSQ_OK, rsq_checkpoint(f->db, &some, NULL, &f->err));
        expect_round(f, round + 1000, ROWS / 4);
    }
}

/* A view stands for another table: what the text reads is no more what it was. */
static void a_text_that_reads_another_table(void **state)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = 2};
    const char *text = "SELECT v FROM shown WHERE id = ?";
    rsq_value one = rsq_integer(1), two = rsq_integer(2);
    fixture *f = *state;
    probe *p, *q;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE a(id INTEGER PRIMARY KEY, v)");
    EXEC(f, "CREATE TABLE b(id INTEGER PRIMARY KEY, v)");
    EXEC(f, "INSERT INTO a VALUES (1, 10), (2, 20)");
    EXEC(f, "INSERT INTO b VALUES (1, 100), (2, 200)");
    EXEC(f, "CREATE VIEW shown AS SELECT id, v FROM a");
    fixture_canary(f);
    p = WATCH_WITH(f, text, &one, 1);
    EXPECT_EVENT(p, "10");
    q = WATCH_WITH(f, text, &two, 1);
    EXPECT_EVENT(q, "20");
    EXEC(f, "UPDATE b SET v = v + 1");
    EXPECT_QUIET(p);
    EXEC(f, "UPDATE a SET v = v + 1 WHERE id = 2");
    EXPECT_EVENT(q, "21");
    EXPECT_QUIET(p);
    WANT(f, RSQ_OK,
         rsq_execute_script(f->db, "DROP VIEW shown; CREATE VIEW shown AS SELECT id, v FROM b", NULL,
                            &f->err));
    EXPECT_EVENT(p, "101");
    EXPECT_EVENT(q, "201");
    EXEC(f, "UPDATE a SET v = v + 1");
    EXPECT_QUIET(p);
    EXPECT_QUIET(q);
    EXEC(f, "UPDATE b SET v = v + 1 WHERE id = 1");
    EXPECT_EVENT(p, "102");
    EXPECT_QUIET(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_that_grows_and_shrinks),   CASE(the_same_mapped_anew),
        CASE(cut_off_by_another_process),      CASE(the_log_of_a_guest_stays),
        CASE(the_log_goes_with_the_last),      CASE(last_page_of_a_file_that_was_cut_off),
        CASE(a_file_longer_than_the_map),      CASE(the_log_begins_anew),
        CASE(a_text_that_reads_another_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
