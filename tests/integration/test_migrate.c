/*
 * Migrations: each script once, in order, all or nothing; what is not as expected is refused before anything
 * is changed.
 */
#include "fixture.h"

#define LIST(list) (list), LENGTH(list)
#define RECORDED "SELECT group_concat(name, ',') FROM (SELECT name FROM rsq_migrations ORDER BY position)"

static const rsq_migration steps[] = {
    {.name = "one", .sql = "CREATE TABLE a(x); INSERT INTO a VALUES (1), (2);"},
    {.name = "two", .sql = "CREATE TABLE b(y) -- the next\n; INSERT INTO b SELECT x * 10 FROM a"},
    {.name = "three", .sql = "ALTER TABLE a ADD COLUMN z DEFAULT 7"},
};

/* Run what is missing, then nothing; a longer list goes on where it was. */
static void each_runs_once(void **state)
{
    fixture *f = *state;
    uint64_t commits;
    size_t applied = 9;
    rsq_counters c = {.size = sizeof c};

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, NULL, 0, NULL, &applied, &f->err));
    assert_int_equal(applied, 0);
    EXPECT_ROWS(f, "SELECT count(*) FROM sqlite_schema", "0");
    WANT(f, RSQ_OK, rsq_migrate(f->db, steps, 2, NULL, &applied, &f->err));
    assert_int_equal(applied, 2);
    EXPECT_ROWS(f, "SELECT y FROM b", "10\n20");
    EXPECT_ROWS(f, RECORDED, "'one,two'");
    WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
    commits = c.commits;
    WANT(f, RSQ_OK, rsq_migrate(f->db, steps, 2, NULL, &applied, &f->err));
    assert_int_equal(applied, 0);
    WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
    assert_int_equal(c.commits, commits);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT z FROM a", "7\n7");
    EXPECT_ROWS(f, "SELECT count(*), min(applied_at LIKE '20__-__-__T__:__:%Z') FROM rsq_migrations", "3|1");
    fixture_close(f);
    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, &applied, &f->err));
    assert_int_equal(applied, 0);
}

/* One that fails is undone as a whole, with its name and place in the error; those before it stay, and when
 * it is mended the rest follows. */
static void a_failure_keeps_what_was_before(void **state)
{
    fixture *f = *state;
    const char *broken = "CREATE TABLE c(x); INSERT INTO c VALUES (1); INSERT INTO nothing VALUES (2);";
    const rsq_migration failing[] = {steps[0], {.name = "broken", .sql = broken}, steps[2]};
    const rsq_migration mended[] = {steps[0], {.name = "broken", .sql = "CREATE TABLE c(x)"}, steps[2]};
    size_t applied = 9;

    fixture_open(f, NULL);
    WANT(f, RSQ_ESQL, rsq_migrate(f->db, LIST(failing), NULL, &applied, &f->err));
    assert_int_equal(f->err.row, 1);
    assert_non_null(strstr(f->err.message, "\"broken\""));
    assert_non_null(strstr(f->err.message, "nothing"));
    assert_true(f->err.sql_offset >= strstr(broken, "INSERT INTO nothing") - broken);
    assert_int_equal(applied, 9);
    EXPECT_ROWS(f, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1", "'a'\n'rsq_migrations'");
    EXPECT_ROWS(f, RECORDED, "'one'");
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(mended), NULL, &applied, &f->err));
    assert_int_equal(applied, 2);
    EXPECT_ROWS(f, RECORDED, "'one,broken,three'");
}

/* The very first one fails: not even the table of migrations is left. */
static void a_failure_of_the_first(void **state)
{
    fixture *f = *state;
    const rsq_migration failing[] = {{.name = "broken", .sql = "CREATE TABLE a(x); COMMIT;"}};

    fixture_open(f, NULL);
    WANT(f, RSQ_EREFUSED, rsq_migrate(f->db, LIST(failing), NULL, NULL, &f->err));
    assert_int_equal(f->err.row, 0);
    EXPECT_ROWS(f, "SELECT count(*) FROM sqlite_schema", "0");
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, NULL, &f->err));
}

/* A foreign key that only the commit sees. */
static void a_failure_of_the_commit(void **state)
{
    fixture *f = *state;
    const rsq_migration failing[] = {
        {.name = "keys",
         .sql = "CREATE TABLE p(id INTEGER PRIMARY KEY);"
                "CREATE TABLE q(p REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO q VALUES (1)"}};

    fixture_open(f, NULL);
    WANT(f, RSQ_ESQL, rsq_migrate(f->db, LIST(failing), NULL, NULL, &f->err));
    assert_non_null(strstr(f->err.message, "\"keys\": commit:"));
    EXPECT_ROWS(f, "SELECT count(*) FROM sqlite_schema", "0");
}

/* What the database has and the list has not, or has otherwise. */
static void what_does_not_fit_is_refused(void **state)
{
    fixture *f = *state;
    const rsq_migration changed[] = {steps[0], {.name = "two", .sql = "CREATE TABLE b(y)"}, steps[2]};
    const rsq_migration swapped[] = {steps[1], steps[0], steps[2]};
    const rsq_migration inserted[] = {steps[0], {.name = "new", .sql = "SELECT 1"}, steps[1], steps[2]};
    const rsq_migration other[] = {{.name = "other", .sql = "CREATE TABLE c(x)"}};
    size_t applied = 9;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, NULL, &f->err));
    WANT(f, RSQ_ENEWER, rsq_migrate(f->db, steps, 2, NULL, &applied, &f->err));
    assert_non_null(strstr(f->err.message, "\"three\""));
    assert_int_equal(f->err.row, 2);
    WANT(f, RSQ_ENEWER, rsq_migrate(f->db, NULL, 0, NULL, &applied, &f->err));
    WANT(f, RSQ_ENEWER, rsq_migrate(f->db, LIST(other), NULL, &applied, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(changed), NULL, &applied, &f->err));
    assert_non_null(strstr(f->err.message, "\"two\" was changed"));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(swapped), NULL, &applied, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(inserted), NULL, &applied, &f->err));
    assert_int_equal(applied, 9);
    EXPECT_ROWS(f, RECORDED, "'one,two,three'");
    EXPECT_ROWS(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", "3");
    assert_string_equal(rsq_code_name(RSQ_ENEWER), "RSQ_ENEWER");
}

static rsq_code migrate_inside(rsq_tx *tx, void *ctx)
{
    (void)tx;
    return rsq_migrate(ctx, LIST(steps), NULL, NULL, NULL);
}

/* Bad lists, and places where it cannot be. */
static void wrong_calls_are_refused(void **state)
{
    fixture *f = *state;
    const rsq_migration twice[] = {steps[0], steps[0]}, nameless[] = {{.name = "", .sql = "SELECT 1"}},
                        empty[] = {{.name = "x"}};
    const rsq_open_options readonly = {.size = sizeof readonly, .flags = RSQ_OPEN_READONLY};
    rsq_tx *tx = NULL;
    rsq_db *db;

    fixture_open(f, NULL);
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(twice), NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(nameless), NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, LIST(empty), NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(f->db, NULL, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_migrate(NULL, LIST(steps), NULL, NULL, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_transaction(f->db, migrate_inside, f->db, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    WANT(f, RSQ_EMISUSE, rsq_migrate(f->db, LIST(steps), NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    db = fixture_open_path(f, f->path, &readonly);
    WANT(f, RSQ_EREADONLY, rsq_migrate(db, LIST(steps), NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_migrate(db, LIST(steps), NULL, NULL, &f->err));
    WANT_CODE(RSQ_OK, rsq_close(db));
    WANT(f, RSQ_ECLOSED, rsq_migrate(db, LIST(steps), NULL, NULL, &f->err));
}

static void in_memory_too(void **state)
{
    fixture *f = *state;
    size_t applied = 0;

    f->db = fixture_open_path(f, ":memory:", NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, &applied, &f->err));
    assert_int_equal(applied, 3);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(steps), NULL, &applied, &f->err));
    assert_int_equal(applied, 0);
}

/* Live queries survive: one that could not work until now begins to, one that reads a table that is rebuilt
 * sees the new one, with its new column. */
static void live_queries_survive(void **state)
{
    fixture *f = *state;
    const rsq_migration rebuild[] = {
        steps[0],
        steps[1],
        steps[2],
        {.name = "four",
         .sql = "CREATE TABLE n(x, z, w DEFAULT 'new'); INSERT INTO n(x, z) SELECT x, z FROM a;"
                "DROP TABLE a; ALTER TABLE n RENAME TO a; DELETE FROM a WHERE x = 2"}};
    probe *all, *count;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, rebuild, 1, NULL, NULL, &f->err));
    all = WATCH(f, "SELECT * FROM a");
    count = WATCH(f, "SELECT count(*) FROM a");
    EXPECT_EVENT(all, "1\n2");
    EXPECT_EVENT(count, "2");
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(rebuild), NULL, NULL, &f->err));
    EXPECT_REACHES(all, "1|7|'new'");
    EXPECT_REACHES(count, "1");
    EXEC(f, "INSERT INTO a VALUES (5, 6, 'more')");
    EXPECT_REACHES(all, "1|7|'new'\n5|6|'more'");
}

#define CREW 4
#define MANY 12

typedef struct race {
    fixture *f;
    verdict verdict;
    char sql[MANY][64], names[MANY][16];
    rsq_migration list[MANY];
    size_t applied[CREW];
} race;

static void migrate_many(size_t index, void *ctx)
{
    race *r = ctx;
    rsq_error err;

    BLAME(&r->verdict, rsq_migrate(r->f->db, r->list, MANY, NULL, &r->applied[index], &err) == RSQ_OK, &err);
}

/* Threads that do it at once share the work, and nothing is done twice. */
static void threads_migrate_at_once(void **state)
{
    fixture *f = *state;
    static race r;
    size_t sum = 0;

    r = (race){.f = f};
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE done(n)");
    for (int i = 0; i < MANY; i++) {
        snprintf(r.sql[i], sizeof r.sql[i], "INSERT INTO done VALUES (%d)", i);
        snprintf(r.names[i], sizeof r.names[i], "step %d", i);
        r.list[i] = (rsq_migration){.name = r.names[i], .sql = r.sql[i]};
    }
    verdict_init(&r.verdict);
    crew_run(CREW, migrate_many, &r);
    VERDICT(&r.verdict);
    for (size_t i = 0; i < CREW; i++)
        sum += r.applied[i];
    assert_int_equal(sum, MANY);
    EXPECT_ROWS(f, "SELECT group_concat(n) FROM (SELECT n FROM done ORDER BY rowid)",
                "'0,1,2,3,4,5,6,7,8,9,10,11'");
}

/* Another process has begun the same: this one waits for its commit, and finds the step done. */
static void another_process_migrates(void **state)
{
    fixture *f = *state;
    const rsq_migration list[] = {{.name = "one", .sql = "CREATE TABLE a(x)"}};
    const char *sql[] = {"BEGIN IMMEDIATE", "CREATE TABLE a(x)",
                         "INSERT INTO rsq_migrations VALUES (1, 'one', (SELECT * FROM print), '2026')", "-",
                         "COMMIT"};
    foreign other;
    size_t applied = 9;

    /* What it looks like is taken from a database where it was done. */
    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(list), NULL, NULL, &f->err));
    EXEC(f, "CREATE TABLE print AS SELECT fingerprint FROM rsq_migrations");
    EXEC(f, "DELETE FROM rsq_migrations");
    EXEC(f, "DROP TABLE a");
    foreign_start(f, &other, f->path, sql, LENGTH(sql));
    foreign_await(&other);
    foreign_go(&other);
    WANT(f, RSQ_OK, rsq_migrate(f->db, LIST(list), NULL, &applied, &f->err));
    assert_int_equal(applied, 0);
    free(foreign_finish(&other));
    EXPECT_ROWS(f, RECORDED, "'one'");
    EXPECT_ROWS(f, "SELECT count(*) FROM a", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_runs_once),
        CASE(a_failure_keeps_what_was_before),
        CASE(a_failure_of_the_first),
        CASE(a_failure_of_the_commit),
        CASE(what_does_not_fit_is_refused),
        CASE(wrong_calls_are_refused),
        CASE(in_memory_too),
        CASE(live_queries_survive),
        CASE(threads_migrate_at_once),
        CASE(another_process_migrates),
    };

    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
