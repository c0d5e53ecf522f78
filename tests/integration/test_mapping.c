/*
 * A reader keeps its memory map over commits, and forgets nothing by it: the file grows, is cut off, grows
 * again, and each answer is the one of a reader that maps the file anew. Live queries of one text share what
 * they read, and it is found out anew when the schema is another one.
 */
#include "fixture.h"

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
        CASE(a_file_that_grows_and_shrinks),
        CASE(the_same_mapped_anew),
        CASE(a_text_that_reads_another_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
