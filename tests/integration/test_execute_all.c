/* Several statements in one transaction: rsq_execute_all(), and the same inside a transaction function. */
#include "fixture.h"

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
#define INSERT "INSERT INTO items(name) VALUES (?)"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, ITEMS);
}

static void unref_all(rsq_result **results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rsq_result_unref(results[i]);
        results[i] = NULL;
    }
}

/* P01: each statement has its own result: changes, row id, tables, rows; all have the number of the one
 * commit. */
static void a_result_for_each(void **state)
{
    fixture *f = *state;
    const rsq_value names[] = {rsq_text("a"), rsq_text("b")};
    const rsq_query all[] = {
        {.sql = "INSERT INTO items(name) VALUES (?), (?)", .params = names, .nparams = 2},
        {.sql = "CREATE TABLE log(item, what)"},
        {.sql = "INSERT INTO log SELECT id, 'made' FROM items"},
        {.sql = "UPDATE items SET name = name || '!' WHERE id = ? and more",
         .sql_len = 48,
         .params = (const rsq_value[]){rsq_integer(2)},
         .nparams = 1},
        {.sql = "SELECT count(*) FROM log"},
        {.sql = "DELETE FROM items WHERE id = 1 RETURNING name"},
        {.sql = "UPDATE items SET name = 'x' WHERE id = 77"},
    };
    rsq_result *r[LENGTH(all)] = {NULL};
    uint64_t before, commit;

    start(f);
    WANT(f, RSQ_OK,
         rsq_execute(f->db, "INSERT INTO items VALUES (9, 'nine')", NULL, 0, NULL, &r[0], &f->err));
    before = rsq_result_commit_seq(r[0]);
    rsq_result_unref(r[0]);
    EXEC(f, "DELETE FROM items");
    WANT(f, RSQ_OK, rsq_execute_all(f->db, all, LENGTH(all), NULL, r, &f->err));
    commit = rsq_result_commit_seq(r[0]);
    assert_int_equal(commit, before + 2);
    for (size_t i = 0; i < LENGTH(all); i++)
        assert_int_equal(rsq_result_commit_seq(r[i]), commit);
    assert_int_equal(rsq_result_changes(r[0]), 2);
    assert_int_equal(rsq_result_last_insert_rowid(r[0]), 2);
    assert_true(fixture_changed(r[0], "main.items"));
    assert_false(fixture_changed(r[0], "main.log"));
    assert_int_equal(rsq_result_changes(r[1]), 0);
    assert_int_equal(rsq_result_changes(r[2]), 2);
    assert_true(fixture_changed(r[2], "main.log"));
    assert_int_equal(rsq_result_changes(r[3]), 1);
    EXPECT_RESULT(r[4], "2");
    EXPECT_RESULT(r[5], "'a'");
    assert_int_equal(rsq_result_changes(r[6]), 0);
    unref_all(r, LENGTH(all));
    EXPECT_ROWS(f, "SELECT * FROM items", "2|'b!'");
    EXPECT_ROWS(f, "SELECT * FROM log", "1|'made'\n2|'made'");
    WANT(f, RSQ_OK, rsq_execute_all(f->db, &all[5], 2, NULL, NULL, &f->err));
}

/* P01: a statement that fails, wherever it is and however, is named, and nothing is done; OR FAIL keeps
 * nothing here, and OR ROLLBACK leaves nothing open. */
static void all_or_nothing(void **state)
{
    static const struct {
        const char *sql;
        rsq_code code;
    } bad[] = {
        {"INSERT INTO items(name) VALUES (NULL)", RSQ_ESQL},
        {"INSERT INTO items VALUES (50, 'x'), (1, 'y')", RSQ_ESQL},
        {"INSERT OR FAIL INTO items VALUES (50, 'x'), (1, 'y')", RSQ_ESQL},
        {"INSERT OR ROLLBACK INTO items VALUES (50, 'x'), (1, 'y')", RSQ_ESQL},
        {"INSERT INTO items VALUES (50, 'x'), (51, raise_it()) ", RSQ_ESQL},
        {"INSERT INTO nowhere VALUES (1)", RSQ_ESQL},
        {"INSRT", RSQ_ESQL},
        {"", RSQ_EINVAL},
        {"SELECT 1; SELECT 2", RSQ_EINVAL},
        {"INSERT INTO items(name) VALUES (?)", RSQ_EINVAL},
        {"COMMIT", RSQ_EREFUSED},
        {"ATTACH ':memory:' AS a", RSQ_EREFUSED},
        {"PRAGMA journal_mode = delete", RSQ_EREFUSED},
        {"VACUUM", RSQ_ESQL},
    };
    fixture *f = *state;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'kept')");
    for (size_t i = 0; i < LENGTH(bad); i++) {
        for (size_t at = 0; at < 3; at++) {
            const rsq_value name = rsq_text("new");
            rsq_query all[] = {{.sql = INSERT, .params = &name, .nparams = 1},
                               {.sql = "DELETE FROM items WHERE id = 1 RETURNING name"},
                               {.sql = "UPDATE items SET name = 'changed'"}};
            rsq_result *untouched = (rsq_result *)(void *)f->dir;
            rsq_result *r[] = {untouched, untouched, untouched};

            all[at] = (rsq_query){.sql = bad[i].sql};
            if (bad[i].code == RSQ_ESQL && strstr(bad[i].sql, "(1,") && at > 1)
                all[1] = (rsq_query){.sql = "SELECT 1"}; /* leave the row that is in its way */
            WANT(f, bad[i].code, rsq_execute_all(f->db, all, 3, NULL, r, &f->err));
            assert_int_equal(f->err.row, at);
            for (size_t k = 0; k < 3; k++)
                assert_ptr_equal(r[k], untouched);
            WANT_CODE(bad[i].code, rsq_execute_all(f->db, all, 3, NULL, NULL, NULL));
            EXPECT_ROWS(f, "SELECT * FROM items", "1|'kept'");
        }
    }
    EXEC(f, "INSERT INTO items VALUES (2, 'goes on')");
}

/* A deferred foreign key is judged by the COMMIT: statements may repair each other, and if none does, no
 * statement is blamed. */
static void deferred_foreign_key(void **state)
{
    const rsq_query all[] = {{.sql = "INSERT INTO child VALUES (1, 7)"},
                             {.sql = "INSERT INTO items VALUES (7, 'seven')"}};
    fixture *f = *state;
    rsq_result *r[2] = {NULL, NULL};

    start(f);
    EXEC(f,
         "CREATE TABLE child(id INTEGER PRIMARY KEY, item REFERENCES items DEFERRABLE INITIALLY DEFERRED)");
    WANT(f, RSQ_ESQL, rsq_execute_all(f->db, all, 1, NULL, r, &f->err));
    assert_int_equal(f->err.sqlite_code, 787);
    assert_int_equal(f->err.row, -1);
    assert_memory_equal(f->err.message, "commit:", 7);
    assert_null(r[0]);
    WANT(f, RSQ_OK, rsq_execute_all(f->db, all, 2, NULL, r, &f->err));
    unref_all(r, 2);
    EXPECT_ROWS(f, "SELECT count(*) FROM child", "1");
}

/* Arguments that cannot be are refused before anything is done. */
static void bad_arguments(void **state)
{
    const rsq_query one = {.sql = "DELETE FROM items"};
    const rsq_query bad[] = {one, {.sql = NULL}}, no_params[] = {one, {.sql = INSERT, .nparams = 1}};
    rsq_call_options small = {.size = 1}, tiny = {.size = sizeof tiny, .max_result_bytes = 1};
    const rsq_query rows[] = {one,
                              {.sql = "INSERT INTO items(name) VALUES ('long text') RETURNING name, id"}};
    rsq_query *many = calloc(4097, sizeof *many);
    fixture *f = *state;
    rsq_result *r[2] = {NULL, NULL};

    assert_non_null(many);
    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'kept')");
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, NULL, 1, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, &one, 0, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, many, 4097, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_all(NULL, &one, 1, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, &one, 1, &small, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, bad, 2, NULL, r, &f->err));
    assert_int_equal(f->err.row, 1);
    WANT(f, RSQ_EINVAL, rsq_execute_all(f->db, no_params, 2, NULL, r, &f->err));
    assert_int_equal(f->err.row, 1);
    WANT(f, RSQ_ETOOBIG, rsq_execute_all(f->db, rows, 2, &tiny, r, &f->err));
    assert_int_equal(f->err.row, 1);
    EXPECT_ROWS(f, "SELECT * FROM items", "1|'kept'");
    free(many);
    fixture_close(f);
    f->db = fixture_open_path(
        f, f->path, &(rsq_open_options){.size = sizeof(rsq_open_options), .flags = RSQ_OPEN_READONLY});
    WANT(f, RSQ_EREADONLY, rsq_execute_all(f->db, &one, 1, NULL, r, &f->err));
    rsq_close(f->db);
    WANT(f, RSQ_ECLOSED, rsq_execute_all(f->db, &one, 1, NULL, r, &f->err));
    assert_null(r[0]);
}

/* On the database inside a function it is a part of that transaction, and a unit of its own. */
static rsq_code inside(rsq_tx *tx, void *ctx)
{
    const rsq_query good[] = {{.sql = "INSERT INTO items(name) VALUES ('1')"},
                              {.sql = "INSERT INTO items(name) VALUES ('2') RETURNING id"}};
    const rsq_query bad[] = {{.sql = "DELETE FROM items"}, {.sql = "INSERT INTO items(name) VALUES (NULL)"}};
    rsq_result *r[2] = {NULL, NULL};
    fixture *f = ctx;
    bool right;

    right = rsq_execute_all(f->db, good, 2, NULL, r, &f->err) == RSQ_OK && rsq_result_rows(r[1]) == 1 &&
            rsq_result_commit_seq(r[0]) == 0;
    unref_all(r, 2);
    right = right && rsq_execute_all(f->db, bad, 2, NULL, r, &f->err) == RSQ_ESQL && f->err.row == 1;
    right = right && rsq_tx_execute_all(tx, bad, 2, NULL, NULL, &f->err) == RSQ_ESQL && f->err.row == 1;
    return right && !r[0] ? RSQ_OK : RSQ_EMISUSE;
}

/* P01: inside a transaction it is a part of that. */
static void inside_a_transaction(void **state)
{
    fixture *f = *state;

    start(f);
    WANT(f, RSQ_OK, rsq_transaction(f->db, inside, f, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'1'\n'2'");
}

/* Temporary tables belong to it as to any transaction, and are gone afterwards. */
static void temporary_tables(void **state)
{
    const rsq_query all[] = {{.sql = "CREATE TEMP TABLE part AS SELECT 'x' AS name"},
                             {.sql = "INSERT INTO items(name) SELECT name FROM part"}};
    fixture *f = *state;

    start(f);
    WANT(f, RSQ_OK, rsq_execute_all(f->db, all, 2, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name FROM items", "'x'");
    WANT(f, RSQ_ESQL, rsq_execute_all(f->db, &all[1], 1, NULL, NULL, &f->err));
}

/* P01: a live query hears of all of it once. */
static void live_query_wakes_once(void **state)
{
    rsq_query all[50];
    fixture *f = *state;
    probe *p;

    for (size_t i = 0; i < LENGTH(all); i++)
        all[i] = (rsq_query){.sql = "INSERT INTO items(name) SELECT 'n' || count(*) FROM items"};
    start(f);
    fixture_canary(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    WANT(f, RSQ_OK, rsq_execute_all(f->db, all, LENGTH(all), NULL, NULL, &f->err));
    EXPECT_EVENT(p, "50");
    EXPECT_QUIET(p);
    assert_int_equal(probe_stats(p).woken, 1);
}

typedef struct transfers {
    rsq_db *db;
    verdict v;
} transfers;

static void transfer(size_t index, void *ctx)
{
    const rsq_query there[] = {{.sql = "UPDATE account SET money = money - 1 WHERE id = 1"},
                               {.sql = "UPDATE account SET money = money + 1 WHERE id = 2"}};
    const rsq_query broken[] = {there[0], {.sql = "INSERT INTO account VALUES (1, 0)"}};
    transfers *t = ctx;
    rsq_error err;

    for (int i = 0; i < 50; i++) {
        if ((size_t)i % 4 == index)
            BLAME(&t->v, rsq_execute_all(t->db, broken, 2, NULL, NULL, &err) == RSQ_ESQL, &err);
        BLAME(&t->v, rsq_execute_all(t->db, there, 2, NULL, NULL, &err) == RSQ_OK, &err);
    }
}

/* Threads do it at the same time, and none sees or leaves a half. */
static void from_several_threads(void **state)
{
    fixture *f = *state;
    transfers t;

    start(f);
    t.db = f->db;
    verdict_init(&t.v);
    EXEC(f, "CREATE TABLE account(id INTEGER PRIMARY KEY, money)");
    EXEC(f, "INSERT INTO account VALUES (1, 1000), (2, 0)");
    crew_run(4, transfer, &t);
    EXPECT_ROWS(f, "SELECT money FROM account", "800\n200");
    VERDICT(&t.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_result_for_each),     CASE(all_or_nothing),       CASE(deferred_foreign_key),
        CASE(bad_arguments),         CASE(inside_a_transaction), CASE(temporary_tables),
        CASE(live_query_wakes_once), CASE(from_several_threads),
    };

    return cmocka_run_group_tests_name("execute-all", tests, NULL, NULL);
}
