/*
 * Why there is an event: the rules that matched and the tables that changed, one test for each rule, and what
 * becomes of them when several commits are behind one event.
 */
#include "fixture.h"

#include <unistd.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, a, b)"
#define ROWS "INSERT INTO items VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z')"

static void start(fixture *f, uint32_t flags)
{
    rsq_open_options opts = {.size = sizeof opts, .flags = flags};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, ROWS);
    EXEC(f, "CREATE TABLE other(x)");
}

static void add_names(uint32_t rules, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < 32 && len < size; i++) {
        uint32_t rule = (uint32_t)1 << i;

        if (rules & rule)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "",
                                    rsq_why_name(rule) ? rsq_why_name(rule) : "?");
    }
}

/* The next event has these rules, in the order of their bits, and these tables. */
#define EXPECT_WHY(p, rules, tables) expect_why((p), (rules), (tables), __FILE__, __LINE__)

static const probe_event *expect_why(probe *p, const char *rules, const char *tables, const char *file,
                                     int line)
{
    const probe_event *e = probe_await(p, file, line);
    char names[256];

    add_names(e->why, names, sizeof names);
    _assert_string_equal(names, rules, file, line);
    _assert_string_equal(e->tables, tables, file, line);
    return e;
}

typedef struct why_case {
    uint32_t flags; /* of rsq_open() */
    const char *query;
    const char *write;
    const char *rules;
    const char *tables;
} why_case;

static const why_case cases[] = {
    {0, "SELECT a FROM items", "UPDATE items SET a = a + 1", "value", "main.items"},
    {0, "SELECT a FROM items", "INSERT INTO items(a) VALUES (5)", "rows", "main.items"},
    {0, "SELECT a FROM items", "DELETE FROM items WHERE id = 2", "rows", "main.items"},
    {0, "SELECT count(*) FROM items", "INSERT INTO items(a) VALUES (5)", "rows", "main.items"},
    {0, "SELECT a FROM items WHERE id = 2", "UPDATE items SET a = 99 WHERE id = 2", "key", "main.items"},
    {0, "SELECT a FROM items WHERE id IN (1, 2)", "DELETE FROM items", "key", "main.items"},
    {0, "SELECT a FROM items WHERE id BETWEEN 2 AND 3", "UPDATE items SET a = 99", "interval", "main.items"},
    {0, "SELECT a FROM items WHERE id = 1 OR id > 2", "UPDATE items SET a = 99", "key interval",
     "main.items"},
    {0, "SELECT rows FROM (SELECT count(*) AS rows FROM sqlite_schema)", "CREATE TABLE more(x)", "schema",
     ""},
    {0, "SELECT (SELECT count(*) FROM items) FROM pragma_table_info('items')", "DELETE FROM items",
     "everything", "main.items"},
    {0, "SELECT x, a FROM items LEFT JOIN other", "INSERT INTO other VALUES (1)", "rows", "main.other"},
    {0, "SELECT * FROM items", "ALTER TABLE items ADD COLUMN c", "schema", ""},
    {RSQ_OPEN_NO_COLUMN_LEVEL, "SELECT a FROM items", "UPDATE items SET a = 1", "table", "main.items"},
    {RSQ_OPEN_NO_VALUE_LEVEL, "SELECT a FROM items", "UPDATE items SET a = 1", "column", "main.items"},
    {RSQ_OPEN_NO_KEY_LEVEL, "SELECT a FROM items WHERE id = 2", "UPDATE items SET a = 1", "value",
     "main.items"},
};

static void each_rule_of_a_commit(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        const why_case *c = &cases[i];
        probe *p;

        print_message("# %s; %s\n", c->query, c->write);
        start(f, c->flags);
        p = WATCH(f, c->query);
        EXPECT_WHY(p, "first", "");
        EXEC(f, c->write);
        EXPECT_WHY(p, c->rules, c->tables);
        probe_close(p);
        fixture_close(f);
        assert_int_equal(unlink(f->path), 0);
    }
}

static rsq_code write_three_tables(rsq_tx *tx, void *ctx)
{
    static const char *const sql[] = {"UPDATE items SET a = 7 WHERE id = 1", "INSERT INTO other VALUES (1)",
                                      "INSERT INTO third VALUES (1)"};
    rsq_code rc = RSQ_OK;

    (void)ctx;
    for (size_t i = 0; rc == RSQ_OK && i < LENGTH(sql); i++)
        rc = rsq_tx_execute(tx, sql[i], NULL, 0, NULL, NULL, NULL);
    return rc;
}

/* One commit, three tables, of which the query reads two, each at its own level. */
static void tables_of_one_commit(void **state)
{
    fixture *f = *state;
    probe *p, *all;

    start(f, 0);
    EXEC(f, "CREATE TABLE third(x)");
    p = WATCH(f, "SELECT a, (SELECT count(*) FROM other) FROM items WHERE id = 1");
    all = WATCH(f, "SELECT count(*), (SELECT sum(x) FROM third) FROM pragma_table_info('items')");
    EXPECT_WHY(p, "first", "");
    EXPECT_WHY(all, "first", "");
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_three_tables, NULL, NULL, &f->err));
    EXPECT_WHY(p, "rows key", "main.items main.other");
    EXPECT_WHY(all, "everything", "main.items main.other main.third");
}

/* Wait until the live query has run so often, and what it came to waits to be dispatched. */
static void await_runs(probe *p, uint64_t runs)
{
    while (probe_stats(p).runs < runs)
        rsq_queue_wait(p->queue, 1);
}

/* A consumer that does not dispatch gets one event for several commits, with the reasons of all; but not
 * those of a commit after which the answer was as before. */
static void commits_are_merged(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f, 0);
    p = WATCH(f, "SELECT sum(a), (SELECT count(*) FROM other) FROM items");
    EXPECT_WHY(p, "first", "");
    EXEC(f, "UPDATE items SET a = a + 1 WHERE id = 1");
    await_runs(p, 2);
    EXEC(f, "INSERT INTO other VALUES (1)");
    await_runs(p, 3);
    EXPECT_WHY(p, "rows value", "main.items main.other");
    EXEC(f, "DELETE FROM other WHERE x = 1");
    EXPECT_WHY(p, "rows", "main.other");
    /* Two values change place: a wake-up, a run, and no event. */
    EXEC(f, "UPDATE items SET a = CASE id WHEN 1 THEN 20 WHEN 2 THEN 11 ELSE a END");
    await_runs(p, 5);
    EXEC(f, "INSERT INTO other VALUES (1)");
    EXPECT_WHY(p, "rows", "main.other");
}

/* The same in a group: an answer that takes the place of another has the reasons of both, and a member that
 * was read for the others' sake, or not at all, has its own. */
static void commits_are_merged_in_a_group(void **state)
{
    fixture *f = *state;
    probe *both, *items, *other;

    start(f, 0);
    both = probe_in_group(f, "SELECT sum(a), (SELECT count(*) FROM other) FROM items");
    items = probe_in_group(f, "SELECT sum(a) FROM items");
    other = probe_in_group(f, "SELECT count(*) FROM other");
    EXPECT_WHY(both, "first", "");
    EXPECT_WHY(items, "first", "");
    EXPECT_WHY(other, "first", "");
    EXEC(f, "UPDATE items SET a = a + 1 WHERE id = 1");
    await_runs(both, 2);
    await_runs(items, 2);
    EXEC(f, "INSERT INTO other VALUES (1)");
    await_runs(both, 3);
    await_runs(other, 2);
    EXPECT_WHY(both, "rows value", "main.items main.other");
    EXPECT_WHY(items, "value", "main.items");
    EXPECT_WHY(other, "rows", "main.other");
}

/* The first event that was not dispatched, and what came then, are one. */
static void first_and_more(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f, 0);
    p = WATCH(f, "SELECT sum(a) FROM items");
    await_runs(p, 1);
    EXEC(f, "UPDATE items SET a = 5");
    await_runs(p, 2);
    EXPECT_WHY(p, "first value", "main.items");
}

static void a_moved_window(void **state)
{
    fixture *f = *state;
    rsq_value one = rsq_integer(1), two = rsq_integer(2);
    rsq_stream_options opts;
    probe *p, *late;

    start(f, 0);
    p = probe_new(f, fixture_queue(f), &opts);
    p->may_repeat = true;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT a FROM items WHERE id = ?", &one, 1, &opts, &p->stream, &f->err));
    EXPECT_WHY(p, "first", "");
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &two, 1, &f->err));
    EXPECT_WHY(p, "params", "");
    EXEC(f, "UPDATE items SET a = 5");
    EXPECT_WHY(p, "key", "main.items");
    /* One that joins is handed the last answer for its own reason, not for that of the run. */
    late = WATCH_WITH(f, "SELECT a FROM items WHERE id = ?", &two, 1);
    EXPECT_WHY(late, "first", "");
}

/* What was not dispatched was not told: the answer that takes its place is the first. */
static void moved_before_the_first(void **state)
{
    fixture *f = *state;
    rsq_value one = rsq_integer(1), two = rsq_integer(2);
    rsq_stream_options opts;
    probe *p;

    start(f, 0);
    p = probe_new(f, fixture_queue(f), &opts);
    p->may_repeat = true;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT a FROM items WHERE id = ?", &one, 1, &opts, &p->stream, &f->err));
    await_runs(p, 1);
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &two, 1, &f->err));
    EXPECT_WHY(p, "first", "");
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &one, 1, &f->err));
    EXPECT_WHY(p, "params", "");
}

/* The same with parameters that do not fit: an error, and the stream stays. */
static void moved_to_an_error_before_the_first(void **state)
{
    fixture *f = *state;
    rsq_value one = rsq_integer(1);
    rsq_stream_options opts;
    probe *p;

    start(f, 0);
    p = probe_new(f, fixture_queue(f), &opts);
    p->may_repeat = true;
    WANT(f, RSQ_OK,
         rsq_stream_open(f->db, "SELECT a FROM items WHERE id = ?", &one, 1, &opts, &p->stream, &f->err));
    await_runs(p, 1);
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, NULL, 0, &f->err));
    assert_int_equal(EXPECT_WHY(p, "first", "")->kind, RSQ_EVENT_ERROR);
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &one, 1, &f->err));
    assert_int_equal(EXPECT_WHY(p, "params", "")->kind, RSQ_EVENT_RESULT);
}

static void errors_have_reasons(void **state)
{
    fixture *f = *state;
    probe *p, *wrong;

    start(f, 0);
    p = WATCH(f, "SELECT x FROM other");
    wrong = WATCH(f, "SELECT nothing FROM other");
    EXPECT_WHY(p, "first", "");
    EXPECT_WHY(wrong, "first", "");
    EXPECT_END(wrong);
    EXEC(f, "DROP TABLE other");
    assert_int_equal(EXPECT_WHY(p, "schema", "")->kind, RSQ_EVENT_ERROR);
    EXEC(f, "CREATE TABLE other(x)");
    EXPECT_WHY(p, "schema", "");
}

static probe *watch_volatile(fixture *f, const char *sql, uint32_t refresh_ms)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    p->may_repeat = true;
    opts.flags = RSQ_STREAM_VOLATILE;
    opts.refresh_ms = refresh_ms;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

static void volatile_and_refreshed(void **state)
{
    fixture *f = *state;
    probe *p, *clock;

    start(f, 0);
    p = watch_volatile(f, "SELECT random()", 0);
    EXPECT_WHY(p, "first", "");
    EXEC(f, "INSERT INTO other VALUES (1)");
    EXPECT_WHY(p, "volatile", "main.other");
    probe_close(p);
    clock = watch_volatile(f, "SELECT random()", 5);
    EXPECT_WHY(clock, "first", "");
    EXPECT_WHY(clock, "refresh", "");
}

static void told_by_the_program(void **state)
{
    fixture *f = *state;
    static const char *const tables[] = {"items"};
    probe *p, *wide;

    start(f, 0);
    p = watch_volatile(f, "SELECT random() FROM items", 0);
    wide = WATCH(f, "SELECT a FROM items");
    EXPECT_WHY(p, "first", "");
    EXPECT_WHY(wide, "first", "");
    WANT(f, RSQ_OK, rsq_notify(f->db, tables, 1, &f->err));
    EXPECT_WHY(p, "volatile notify", "main.items");
    await_runs(wide, 2);
    WANT(f, RSQ_OK, rsq_notify(f->db, NULL, 0, &f->err));
    EXPECT_WHY(p, "notify", "");
    /* It was run for nothing, and what it was run for is forgotten. */
    await_runs(wide, 3);
    EXEC(f, "UPDATE items SET a = 1");
    EXPECT_WHY(wide, "value", "main.items");
}

static void another_process(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f, 0);
    p = WATCH(f, "SELECT a FROM items WHERE id = 1");
    EXPECT_WHY(p, "first", "");
    free(foreign_sql(f, f->path, "UPDATE items SET a = 98"));
    /* If nobody has looked before, it is not known whether the schema is the same. */
    assert_true(probe_await(p, __FILE__, __LINE__)->why & RSQ_WHY_FOREIGN);
    free(foreign_sql(f, f->path, "UPDATE items SET a = 99"));
    EXPECT_WHY(p, "foreign", "");
    EXEC(f, "UPDATE items SET a = 98 WHERE id = 1");
    EXPECT_WHY(p, "key", "main.items");
}

/* What a stream leaves out is in its next answer, and in the reasons of that. */
static void left_out_by_origin(void **state)
{
    fixture *f = *state;
    rsq_call_options mine = {.size = sizeof mine, .origin = 7};
    rsq_stream_options opts;
    probe *p;

    start(f, 0);
    p = probe_new(f, fixture_queue(f), &opts);
    opts.skip_origin = 7;
    WATCH_SET(f, p, "SELECT sum(a), (SELECT count(*) FROM other) FROM items", &opts);
    EXPECT_WHY(p, "first", "");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO other VALUES (1)", NULL, 0, &mine, NULL, &f->err));
    EXEC(f, "UPDATE items SET a = 1");
    EXPECT_WHY(p, "rows value", "main.other main.items");
}

/* Two lives share a reason, and one that is merged is another one's: each is freed once. For sanitizers. */
static void shared_reasons(void **state)
{
    fixture *f = *state;
    probe *p[8];

    start(f, 0);
    for (size_t i = 0; i < LENGTH(p); i++)
        p[i] = WATCH(f, i % 2 ? "SELECT a, (SELECT count(*) FROM other) FROM items" : "SELECT a FROM items");
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_WHY(p[i], "first", "");
    EXEC(f, "UPDATE items SET a = 1");
    EXEC(f, "INSERT INTO other VALUES (1)");
    EXEC(f, "DROP TABLE other");
    for (size_t i = 0; i < LENGTH(p); i++)
        probe_close(p[i]);
}

/* More tables than are told by name. */
static void very_many_tables(void **state)
{
    fixture *f = *state;
    char sql[8192] = "SELECT 0", script[8192] = "", one[64];
    const probe_event *e;
    char names[256];
    probe *p;

    start(f, 0);
    for (int i = 0; i < 70; i++) {
        snprintf(one, sizeof one, "CREATE TABLE t%d(x)", i);
        EXEC(f, one);
        snprintf(one, sizeof one, " + (SELECT count(*) FROM t%d)", i);
        strcat(sql, one);
        snprintf(one, sizeof one, "INSERT INTO t%d VALUES (1);", i);
        strcat(script, one);
    }
    p = WATCH(f, sql);
    EXPECT_WHY(p, "first", "");
    WANT(f, RSQ_OK, rsq_execute_script(f->db, script, NULL, &f->err));
    e = probe_await(p, __FILE__, __LINE__);
    add_names(e->why, names, sizeof names);
    assert_string_equal(names, "rows other");
}

static void names_of_rules(void **state)
{
    (void)state;
    assert_string_equal(rsq_why_name(RSQ_WHY_FIRST), "first");
    assert_string_equal(rsq_why_name(RSQ_WHY_INTERVAL), "interval");
    assert_string_equal(rsq_why_name(RSQ_WHY_OTHER), "other");
    assert_null(rsq_why_name(0));
    assert_null(rsq_why_name(RSQ_WHY_KEY | RSQ_WHY_ROWS));
    assert_null(rsq_why_name(RSQ_WHY_OTHER << 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_rule_of_a_commit),  CASE(tables_of_one_commit),
        CASE(commits_are_merged),     CASE(commits_are_merged_in_a_group),
        CASE(first_and_more),         CASE(a_moved_window),
        CASE(moved_before_the_first), CASE(moved_to_an_error_before_the_first),
        CASE(errors_have_reasons),    CASE(volatile_and_refreshed),
        CASE(told_by_the_program),    CASE(another_process),
        CASE(left_out_by_origin),     CASE(shared_reasons),
        CASE(very_many_tables),       cmocka_unit_test(names_of_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
