/*
 * A reader keeps its memory map over commits, and forgets nothing by it: the file grows, is cut off, grows
 * again, and each answer is the one of a reader that maps the file anew.
 */
#include "fixture.h"

#define ROWS 400
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
        int rows = round % 3 == 0 ? 3 : round % 3 == 1 ? ROWS : 40;

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_that_grows_and_shrinks),
        CASE(the_same_mapped_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
