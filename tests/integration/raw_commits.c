/*
 * raw_commits DB: commits to a database with plain SQLite, in a process of its own, whenever it is told to.
 *
 * Commands come line by line on standard input, each is answered by one line on standard output, so that the
 * test knows that a commit has happened, and which. The table `foreign_counter` with one row must be there.
 *
 *   +          one more commit: adds 1 to the row of `foreign_counter`; answers its value
 *   * N        N such commits in a row; answers the value
 *   0          a transaction without a change; answers the value
 *   -          a change that is rolled back; answers the value
 *   c          PRAGMA wal_checkpoint(TRUNCATE) once, without waiting; answers 1 if somebody was in its way
 *   C MS       the same again and again until nobody is, at most for MS milliseconds; answers how often it
 *              tried and the time in microseconds; 0 0 if it never succeeded
 *   other      SQL, executed; answers ok
 *
 * The end of the input ends it. An error is an answer that begins with "error:".
 */
#include <sqlite3.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Prepared once: a commit costs the commit. */
typedef struct helper {
    sqlite3 *db;
    sqlite3_stmt *add;
    sqlite3_stmt *value;
} helper;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int prepare(helper *h)
{
    int rc = sqlite3_prepare_v2(h->db, "UPDATE foreign_counter SET n = n + 1", -1, &h->add, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(h->db, "SELECT n FROM foreign_counter", -1, &h->value, NULL);
    return rc;
}

static int add(helper *h, long times)
{
    int rc = SQLITE_OK;

    for (long i = 0; i < times && rc == SQLITE_OK; i++) {
        sqlite3_step(h->add);
        rc = sqlite3_reset(h->add);
    }
    return rc;
}

static int answer_value(helper *h)
{
    int rc = sqlite3_step(h->value);

    if (rc == SQLITE_ROW)
        printf("%lld\n", (long long)sqlite3_column_int64(h->value, 0));
    return sqlite3_reset(h->value);
}

/* Whether a checkpoint was complete; another code than busy is an error. */
static int checkpoint(helper *h, int *rc)
{
    *rc = sqlite3_wal_checkpoint_v2(h->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (*rc == SQLITE_OK)
        return 1;
    if (*rc == SQLITE_BUSY)
        *rc = SQLITE_OK;
    return 0;
}

static int checkpoint_until_done(helper *h, long limit_ms)
{
    int64_t start = now_us();
    long tries = 1;
    int rc;

    sqlite3_busy_timeout(h->db, 0);
    while (!checkpoint(h, &rc) && rc == SQLITE_OK && now_us() - start < limit_ms * 1000) {
        tries++;
        sched_yield();
    }
    sqlite3_busy_timeout(h->db, 10000);
    if (rc == SQLITE_OK && now_us() - start < limit_ms * 1000)
        printf("%ld %" PRId64 "\n", tries, now_us() - start);
    else if (rc == SQLITE_OK)
        printf("0 0\n");
    return rc;
}

static int checkpoint_once(helper *h)
{
    int rc, done;

    sqlite3_busy_timeout(h->db, 0);
    done = checkpoint(h, &rc);
    sqlite3_busy_timeout(h->db, 10000);
    if (rc == SQLITE_OK)
        printf("%d\n", !done);
    return rc;
}

static int execute(helper *h, const char *sql)
{
    int rc = sqlite3_exec(h->db, sql, NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        printf("ok\n");
    return rc;
}

static int run(helper *h, const char *line)
{
    int rc;

    switch (line[0]) {
    case '+':
        rc = add(h, 1);
        return rc == SQLITE_OK ? answer_value(h) : rc;
    case '*':
        rc = add(h, strtol(line + 1, NULL, 10));
        return rc == SQLITE_OK ? answer_value(h) : rc;
    case '0':
        rc = sqlite3_exec(h->db, "BEGIN IMMEDIATE; COMMIT", NULL, NULL, NULL);
        return rc == SQLITE_OK ? answer_value(h) : rc;
    case '-':
        rc = sqlite3_exec(h->db, "BEGIN; UPDATE foreign_counter SET n = n + 1; ROLLBACK", NULL, NULL, NULL);
        return rc == SQLITE_OK ? answer_value(h) : rc;
    case 'c':
        return checkpoint_once(h);
    case 'C':
        return line[1] == ' ' ? checkpoint_until_done(h, strtol(line + 1, NULL, 10)) : execute(h, line);
    default:
        return execute(h, line);
    }
}

int main(int argc, char **argv)
{
    helper h = {0};
    char line[512];
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: raw_commits DB\n");
        return 2;
    }
    rc = sqlite3_open(argv[1], &h.db);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(h.db, 10000);
    if (rc == SQLITE_OK)
        rc = prepare(&h);
    if (rc == SQLITE_OK)
        rc = execute(&h, "PRAGMA synchronous = OFF");
    while (rc == SQLITE_OK && fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        rc = run(&h, line);
    }
    if (rc != SQLITE_OK)
        printf("error: %s\n", sqlite3_errmsg(h.db));
    sqlite3_finalize(h.add);
    sqlite3_finalize(h.value);
    sqlite3_close(h.db);
    return rc == SQLITE_OK ? 0 : 1;
}
