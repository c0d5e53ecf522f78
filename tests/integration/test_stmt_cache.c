/*
 * The statement cache (issue 3, point 6): whatever happens to the schema, a cached statement gives aligned
 * and current columns at its first call, on every reader; and statements that come and go keep their own
 * answers.
 *
 * A test that says "every reader" means it: all readers are kept busy by queries without an end, one of them
 * is let go, the next read can only run there, and so on around.
 */
#include "async_fixture.h"

#define READERS 4

/* Call `visit` with each reader in turn being the only one that is free. */
static void on_each_reader(fixture *f, void (*visit)(fixture *f, size_t reader, void *ctx), void *ctx)
{
    rsq_op *busy[READERS];

    for (size_t i = 0; i < READERS; i++)
        busy[i] = endless_start(f);
    await_held(f, READERS);
    for (size_t i = 0; i < READERS; i++) {
        endless_stop(busy[i]);
        visit(f, i, ctx);
        busy[i] = endless_start(f);
        await_held(f, READERS);
    }
    for (size_t i = 0; i < READERS; i++)
        endless_stop(busy[i]);
}

static void start(fixture *f, uint32_t readers)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = readers};

    fixture_open(f, &opts);
}

/* --------------------------------------------------------------- changes of the schema -- */

/* One change, and what the query answers after it. */
typedef struct change {
    const char *ddl; /* NULL: nothing happens */
    const char *sql;
    const char *json; /* NULL: the query fails, with RSQ_ESQL */
    const char *rows;
} change;

static void expect_rows(fixture *f, const change *c)
{
    rsq_result *r = NULL;

    if (!c->json) {
        WANT(f, RSQ_ESQL, rsq_select(f->db, c->sql, NULL, 0, NULL, &r, &f->err));
        return;
    }
    WANT(f, RSQ_OK, rsq_select(f->db, c->sql, NULL, 0, NULL, &r, &f->err));
    EXPECT_RESULT(r, c->rows);
    /* The names are those of the JSON, in its order, where there is a row to name. */
    for (size_t i = 0, at = 0; i < rsq_result_columns(r) && rsq_result_rows(r) > 0; i++) {
        char key[64];
        const char *found;

        snprintf(key, sizeof key, "\"%s\":", rsq_result_column_name(r, i));
        found = strstr(c->json + at, key);
        if (!found)
            fail_msg("%s: column %zu is \"%s\"", c->ddl, i, rsq_result_column_name(r, i));
        at = (size_t)(found - c->json) + strlen(key);
    }
    rsq_result_unref(r);
}

static void expect_json(fixture *f, const change *c)
{
    rsq_result *r = NULL;

    if (!c->json) {
        WANT(f, RSQ_ESQL, rsq_select_json(f->db, c->sql, NULL, 0, NULL, &r, &f->err));
        return;
    }
    WANT(f, RSQ_OK, rsq_select_json(f->db, c->sql, NULL, 0, NULL, &r, &f->err));
    assert_string_equal(rsq_result_json(r, NULL), c->json);
    rsq_result_unref(r);
}

/* The first call after the change is for rows on some readers and for JSON on the others. */
static void expect_change(fixture *f, size_t reader, void *ctx)
{
    const change *c = ctx;

    if ((reader + strlen(c->ddl ? c->ddl : "")) % 2)
        expect_json(f, c);
    expect_rows(f, c);
    expect_json(f, c);
    expect_rows(f, c);
}

#define STAR "SELECT * FROM t"
#define JOINED "SELECT u.*, t.* FROM t, u"
#define VIEWED "SELECT * FROM v"

static const change CHANGES[] = {
    {NULL, STAR, "[{\"a\":1,\"b\":2}]", "1|2"},
    {"ALTER TABLE t ADD COLUMN c DEFAULT 'new'", STAR, "[{\"a\":1,\"b\":2,\"c\":\"new\"}]", "1|2|'new'"},
    {"ALTER TABLE t RENAME COLUMN b TO bb", STAR, "[{\"a\":1,\"bb\":2,\"c\":\"new\"}]", "1|2|'new'"},
    {"ALTER TABLE t DROP COLUMN a", STAR, "[{\"bb\":2,\"c\":\"new\"}]", "2|'new'"},
    {"CREATE INDEX i ON t(bb)", STAR, "[{\"bb\":2,\"c\":\"new\"}]", "2|'new'"},
    {"DROP INDEX i", STAR, "[{\"bb\":2,\"c\":\"new\"}]", "2|'new'"},
    {"ALTER TABLE t RENAME TO tt", STAR, NULL, NULL},
    {"CREATE VIEW t AS SELECT c, bb, 3 AS three FROM tt", STAR, "[{\"c\":\"new\",\"bb\":2,\"three\":3}]",
     "'new'|2|3"},
    {"DROP VIEW t", STAR, NULL, NULL},
    {"CREATE TABLE t(c, bb)", STAR, "[]", ""},
    {"INSERT INTO t VALUES ('c', 'bb')", STAR, "[{\"c\":\"c\",\"bb\":\"bb\"}]", "'c'|'bb'"},
    {"CREATE TABLE u(c DEFAULT 5)", JOINED, "[]", ""},
    {"INSERT INTO u DEFAULT VALUES", JOINED, "[{\"c\":5,\"c\":\"c\",\"bb\":\"bb\"}]", "5|'c'|'bb'"},
    {"ALTER TABLE u ADD COLUMN d DEFAULT 6", JOINED, "[{\"c\":5,\"d\":6,\"c\":\"c\",\"bb\":\"bb\"}]",
     "5|6|'c'|'bb'"},
    {"ALTER TABLE u RENAME COLUMN c TO e", JOINED, "[{\"e\":5,\"d\":6,\"c\":\"c\",\"bb\":\"bb\"}]",
     "5|6|'c'|'bb'"},
    {"ALTER TABLE u DROP COLUMN d", JOINED, "[{\"e\":5,\"c\":\"c\",\"bb\":\"bb\"}]", "5|'c'|'bb'"},
    {"CREATE VIEW v AS SELECT * FROM t", VIEWED, "[{\"c\":\"c\",\"bb\":\"bb\"}]", "'c'|'bb'"},
    {"ALTER TABLE t ADD COLUMN z DEFAULT 9", VIEWED, "[{\"c\":\"c\",\"bb\":\"bb\",\"z\":9}]", "'c'|'bb'|9"},
};

/* The statement is in the cache of every reader when the schema changes, and each gives the new columns, with
 * their names and values side by side, at the first call. */
static void changes_on_every_reader(void **state)
{
    fixture *f = *state;

    start(f, READERS);
    EXEC(f, "CREATE TABLE t(a, b)");
    EXEC(f, "INSERT INTO t VALUES (1, 2)");
    for (size_t i = 0; i < LENGTH(CHANGES); i++) {
        change c = CHANGES[i];

        if (c.ddl)
            EXEC(f, c.ddl);
        on_each_reader(f, expect_change, &c);
    }
}

/* The same when another process changes the schema. */
static void changes_by_another_process(void **state)
{
    fixture *f = *state;

    start(f, READERS);
    EXEC(f, "CREATE TABLE t(a, b)");
    EXEC(f, "INSERT INTO t VALUES (1, 2)");
    for (size_t i = 0; i < LENGTH(CHANGES); i++) {
        change c = CHANGES[i];

        if (c.ddl)
            free(foreign_sql(f, f->path, c.ddl));
        on_each_reader(f, expect_change, &c);
    }
}

typedef struct crowd {
    fixture *f;
    verdict verdict;
    pthread_barrier_t meet;
    const char *json; /* of the state that all threads shall see */
    size_t columns;
    size_t rounds;
} crowd;

static void read_star_once(crowd *c, bool json)
{
    rsq_result *r = NULL;
    rsq_error err;
    rsq_code code;

    if (json) {
        code = rsq_select_json(c->f->db, STAR, NULL, 0, NULL, &r, &err);
        BLAME(&c->verdict, code == RSQ_OK, &err);
        BLAME(&c->verdict, code != RSQ_OK || strcmp(rsq_result_json(r, NULL), c->json) == 0, NULL);
    } else {
        code = rsq_select(c->f->db, STAR, NULL, 0, NULL, &r, &err);
        BLAME(&c->verdict, code == RSQ_OK, &err);
        BLAME(&c->verdict, code != RSQ_OK || rsq_result_columns(r) == c->columns, NULL);
    }
    rsq_result_unref(r);
}

static void read_when_told(size_t index, void *ctx)
{
    crowd *c = ctx;
    char sql[96], json[2048] = "[{\"c0\":0}]";

    for (size_t round = 1; round <= c->rounds; round++) {
        if (index == 0) {
            rsq_error err;

            snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN c%zu DEFAULT %zu", round, round);
            BLAME(&c->verdict, rsq_execute(c->f->db, sql, NULL, 0, NULL, NULL, &err) == RSQ_OK, &err);
            snprintf(json + strlen(json) - 2, 40, ",\"c%zu\":%zu}]", round, round);
            c->json = json;
            c->columns = round + 1;
        }
        pthread_barrier_wait(&c->meet);
        for (size_t i = 0; i < 3; i++)
            read_star_once(c, (index + i + round) % 2);
        pthread_barrier_wait(&c->meet);
    }
}

/* As many threads as readers, all let go right after each change. */
static void changes_under_a_crowd(void **state)
{
    fixture *f = *state;
    crowd c = {.f = f, .rounds = 40};

    start(f, READERS);
    EXEC(f, "CREATE TABLE t(c0)");
    EXEC(f, "INSERT INTO t VALUES (0)");
    verdict_init(&c.verdict);
    pthread_barrier_init(&c.meet, NULL, READERS);
    crew_run(READERS, read_when_told, &c);
    pthread_barrier_destroy(&c.meet);
    VERDICT(&c.verdict);
}

/* ------------------------------------------------------- changes while others are reading -- */

typedef struct storm {
    fixture *f;
    verdict verdict;
    atomic_bool over;
    atomic_size_t reads;
} storm;

/* In every state of the table a column's value is the number in its name. */
static bool names_match_cells(const rsq_result *r)
{
    for (size_t i = 0; i < rsq_result_columns(r); i++) {
        if (strtol(rsq_result_column_name(r, i) + 1, NULL, 10) != rsq_result_int64(r, 0, i))
            return false;
    }
    return rsq_result_rows(r) == 1 && rsq_result_columns(r) > 0;
}

static bool names_match_values(const char *json)
{
    size_t pairs = 0;

    for (const char *at = strchr(json, '"'); at; at = strchr(at, '"')) {
        char *end, *after;
        long name = strtol(at + 2, &end, 10); /* past the quote and a letter */

        if (strncmp(end, "\":", 2) != 0 || strtol(end + 2, &after, 10) != name)
            return false;
        at = after;
        pairs++;
    }
    return pairs > 0;
}

static void read_in_the_storm(storm *s, bool json)
{
    rsq_result *r = NULL;
    rsq_error err;

    while (!atomic_load(&s->over)) {
        rsq_code code = json ? rsq_select_json(s->f->db, STAR, NULL, 0, NULL, &r, &err)
                             : rsq_select(s->f->db, STAR, NULL, 0, NULL, &r, &err);

        BLAME(&s->verdict, code == RSQ_OK, &err);
        if (code != RSQ_OK)
            return;
        if (json)
            BLAME(&s->verdict, names_match_values(rsq_result_json(r, NULL)), NULL);
        else
            BLAME(&s->verdict, names_match_cells(r), NULL);
        rsq_result_unref(r);
        atomic_fetch_add(&s->reads, 1);
    }
}

/* Add a column, rename it, drop the one that was renamed two steps ago. */
static void alter_in_the_storm(storm *s)
{
    static const char *const ddl[] = {
        "ALTER TABLE t ADD COLUMN c%d DEFAULT %d",
        "ALTER TABLE t RENAME COLUMN c%d TO r%d",
        "ALTER TABLE t DROP COLUMN r%d",
    };

    for (int i = 0; i < 60; i++) {
        for (int step = 0; step < 3; step++) {
            int which = step == 2 ? i - 2 : i;
            char sql[96];
            rsq_error err;

            if (which < 0)
                continue;
            snprintf(sql, sizeof sql, ddl[step], which, which);
            BLAME(&s->verdict, rsq_execute(s->f->db, sql, NULL, 0, NULL, NULL, &err) == RSQ_OK, &err);
        }
    }
    atomic_store(&s->over, true);
}

static void storm_thread(size_t index, void *ctx)
{
    if (index == 0)
        alter_in_the_storm(ctx);
    else
        read_in_the_storm(ctx, index % 2);
}

/* Whatever the moment, a result is of one state of the schema. */
static void changes_while_others_read(void **state)
{
    fixture *f = *state;
    storm s = {.f = f};

    start(f, READERS);
    EXEC(f, "CREATE TABLE t(x77)");
    EXEC(f, "INSERT INTO t VALUES (77)");
    verdict_init(&s.verdict);
    crew_run(1 + READERS, storm_thread, &s);
    print_message("# %zu reads during 178 changes\n", atomic_load(&s.reads));
    VERDICT(&s.verdict);
}

/* --------------------------------------------------------------------- many statements -- */

#define STATEMENTS 400

static void statement_text(char *sql, size_t size, size_t i)
{
    snprintf(sql, size, "SELECT %zu + ?1 AS column_%zu, 'x%zu' AS same FROM t", i, i, i % 7);
}

typedef struct churn {
    fixture *f;
    verdict verdict;
    uint64_t seed;
} churn;

static void run_statement(churn *c, size_t i, int64_t n, bool json)
{
    char sql[128], expected[128];
    rsq_value v = rsq_integer(n);
    rsq_result *r = NULL;
    rsq_error err;
    rsq_code code;

    statement_text(sql, sizeof sql, i);
    code = json ? rsq_select_json(c->f->db, sql, &v, 1, NULL, &r, &err)
                : rsq_select(c->f->db, sql, &v, 1, NULL, &r, &err);
    BLAME(&c->verdict, code == RSQ_OK, &err);
    if (code != RSQ_OK)
        return;
    if (json) {
        snprintf(expected, sizeof expected, "[{\"column_%zu\":%" PRId64 ",\"same\":\"x%zu\"}]", i,
                 (int64_t)i + n, i % 7);
        BLAME(&c->verdict, strcmp(rsq_result_json(r, NULL), expected) == 0, NULL);
    } else {
        snprintf(expected, sizeof expected, "column_%zu", i);
        BLAME(&c->verdict, strcmp(rsq_result_column_name(r, 0), expected) == 0, NULL);
        BLAME(&c->verdict, rsq_result_int64(r, 0, 0) == (int64_t)i + n, NULL);
    }
    rsq_result_unref(r);
}

static void churn_thread(size_t index, void *ctx)
{
    churn *c = ctx;
    uint64_t seed = c->seed + index;

    for (size_t i = 0; i < STATEMENTS; i++)
        run_statement(c, i, (int64_t)i, i % 2);
    for (size_t i = STATEMENTS; i-- > 0;)
        run_statement(c, i, 1, i % 3 == 0);
    for (size_t i = 0; i < 4 * STATEMENTS; i++) {
        uint64_t dice = fixture_random(&seed);

        run_statement(c, dice % STATEMENTS, (int64_t)(dice >> 32), (dice >> 16) % 2);
    }
}

/* Four hundred statements through a cache of fewer, in order, backwards and at random, from several threads:
 * each keeps its own text, names and parameters. */
static void many_statements(void **state)
{
    fixture *f = *state;
    churn c = {.f = f, .seed = fixture_seed("many_statements")};

    start(f, 3);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "INSERT INTO t VALUES (1)");
    verdict_init(&c.verdict);
    crew_run(4, churn_thread, &c);
    VERDICT(&c.verdict);
}

/* Statements that are nearly the same text: the length given counts, and every byte. */
static void similar_texts(void **state)
{
    fixture *f = *state;
    const char *text = "SELECT 1234567890123456";

    start(f, 1);
    for (int pass = 0; pass < 3; pass++) {
        int64_t expected = 0;

        for (size_t len = strlen("SELECT 1"); len <= strlen(text); len++) {
            rsq_call_options opts = {.size = sizeof opts, .sql_len = len};
            rsq_result *r = NULL;

            expected = expected * 10 + (text[len - 1] - '0');
            WANT(f, RSQ_OK, rsq_select(f->db, text, NULL, 0, &opts, &r, &f->err));
            assert_int_equal(rsq_result_int64(r, 0, 0), expected);
            rsq_result_unref(r);
        }
        EXPECT_ROWS(f, "SELECT 'a' AS x", "'a'");
        EXPECT_ROWS(f, "SELECT 'A' AS x", "'A'");
        EXPECT_ROWS(f, "SELECT 'a'  AS x", "'a'");
        EXPECT_ROWS(f, " SELECT 'a' AS x", "'a'");
        EXPECT_ROWS(f, "SELECT 'a' AS x;", "'a'");
    }
}

/* A statement that was cached while a table was there fails while it is gone, and works again with whatever
 * comes back under the name; also when the parameters differ each time. */
static void table_comes_and_goes(void **state)
{
    fixture *f = *state;

    start(f, 1);
    for (int64_t i = 0; i < 30; i++) {
        rsq_value v = rsq_integer(i);
        rsq_result *r = NULL;
        char sql[96], expected[32];

        snprintf(sql, sizeof sql, "CREATE TABLE t AS SELECT %d AS a%d, %d AS b", (int)i, (int)i, (int)i * 2);
        EXEC(f, sql);
        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT *, ?1 AS p FROM t", &v, 1, NULL, &r, &f->err));
        snprintf(expected, sizeof expected, "%d|%d|%d", (int)i, (int)i * 2, (int)i);
        EXPECT_RESULT(r, expected);
        snprintf(expected, sizeof expected, "a%d", (int)i);
        assert_string_equal(rsq_result_column_name(r, 0), expected);
        rsq_result_unref(r);
        EXEC(f, "DROP TABLE t");
        WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT *, ?1 AS p FROM t", &v, 1, NULL, &r, &f->err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(changes_on_every_reader), CASE(changes_by_another_process),
        CASE(changes_under_a_crowd),   CASE(changes_while_others_read),
        CASE(many_statements),         CASE(similar_texts),
        CASE(table_comes_and_goes),
    };

    return cmocka_run_group_tests_name("the statement cache", tests, NULL, NULL);
}
