/*
 * The self-check of live queries: it finds a commit that woke nobody and should have, and nothing else.
 *
 * The defect is made here: the linker puts a filter in front of SQLite's preupdate hook that leaves out the
 * rows of one table, so that the library does not hear of them. A transaction that also writes to another
 * table then looks like one that wrote to that other table only.
 */
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "fixture.h"

#include <sqlite3.h>
#include <stdatomic.h>

typedef void (*preupdate)(void *ctx, sqlite3 *db, int op, const char *schema, const char *table,
                          sqlite3_int64 a, sqlite3_int64 b);

void *__real_sqlite3_preupdate_hook(sqlite3 *db, preupdate hook, void *ctx);
void *__wrap_sqlite3_preupdate_hook(sqlite3 *db, preupdate hook, void *ctx);

static preupdate behind_filter;
static _Atomic bool defect;

static void filter(void *ctx, sqlite3 *db, int op, const char *schema, const char *table, sqlite3_int64 a,
                   sqlite3_int64 b)
{
    if (!atomic_load(&defect) || strcmp(table, "items") != 0)
        behind_filter(ctx, db, op, schema, table, a, b);
}

void *__wrap_sqlite3_preupdate_hook(sqlite3 *db, preupdate hook, void *ctx)
{
    if (!hook)
        return __real_sqlite3_preupdate_hook(db, NULL, ctx);
    behind_filter = hook;
    return __real_sqlite3_preupdate_hook(db, filter, ctx);
}

static void start(fixture *f, uint32_t every)
{
    rsq_open_options opts = {.size = sizeof opts, .self_check_every = every};

    atomic_store(&defect, false);
    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, value INTEGER)");
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "INSERT INTO other VALUES (0)");
}

static rsq_code write_both(rsq_tx *tx, void *ctx)
{
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(value) VALUES (1)", NULL, 0, NULL, NULL, NULL);

    (void)ctx;
    return rc == RSQ_OK ? rsq_tx_execute(tx, "UPDATE other SET x = x + 1", NULL, 0, NULL, NULL, NULL) : rc;
}

/* A missed commit is found, counted, and its answer handed over. */
static void finds_what_was_missed(void **state)
{
    fixture *f = *state;
    probe *p, *sound;

    start(f, 1);
    p = WATCH(f, "SELECT count(*) FROM items");
    sound = WATCH(f, "SELECT x FROM other");
    EXPECT_EVENT(p, "0");
    EXPECT_EVENT(sound, "0");
    atomic_store(&defect, true);
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_both, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "1");
    assert_int_equal(p->events[1].why, RSQ_WHY_CHECK);
    EXPECT_EVENT(sound, "1");
    assert_int_equal(sound->events[1].why, RSQ_WHY_VALUE);
    atomic_store(&defect, false);
    assert_int_equal(probe_stats(p).missed, 1);
    assert_int_equal(probe_stats(p).woken, 0);
    assert_int_equal(probe_stats(sound).missed, 0);
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_both, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "2");
    EXPECT_EVENT(sound, "2");
    assert_int_equal(probe_stats(p).missed, 1);
}

/* Without it nobody would know. */
static void without_it(void **state)
{
    fixture *f = *state;
    probe *p, *sound;

    start(f, 0);
    p = WATCH(f, "SELECT count(*) FROM items");
    sound = WATCH(f, "SELECT x FROM other");
    EXPECT_EVENT(p, "0");
    EXPECT_EVENT(sound, "0");
    atomic_store(&defect, true);
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_both, NULL, NULL, &f->err));
    EXPECT_EVENT(sound, "1");
    assert_int_equal(p->count, 1);
    assert_int_equal(probe_stats(p).checks, 0);
    atomic_store(&defect, false);
}

/* Commits that follow each other closely, own and others': nothing is found where nothing was missed. */
static void finds_nothing_else(void **state)
{
    fixture *f = *state;
    rsq_call_options mine = {.size = sizeof mine, .origin = 5};
    rsq_stream_options opts;
    uint64_t checks = 0;
    probe *p[5];

    start(f, 3);
    EXEC(f, "CREATE TABLE third(x)");
    EXEC(f, "INSERT INTO third VALUES (0)");
    p[0] = WATCH(f, "SELECT count(*), sum(value) FROM items");
    p[1] = WATCH(f, "SELECT x FROM other");
    p[2] = WATCH(f, "SELECT x FROM third");
    p[3] = probe_new(f, fixture_queue(f), &opts);
    opts.skip_origin = 5;
    WATCH_SET(f, p[3], "SELECT x FROM third", &opts);
    p[4] = probe_new(f, fixture_queue(f), &opts);
    opts.group = 1;
    opts.min_interval_ms = 1;
    WATCH_SET(f, p[4], "SELECT x FROM other", &opts);
    for (int i = 0; i < 600; i++) {
        if (i % 3 == 0)
            EXEC(f, "INSERT INTO items(value) VALUES (1)");
        else if (i % 3 == 1)
            EXEC(f, "UPDATE other SET x = x + 1");
        else
            WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE third SET x = x + 1", NULL, 0, &mine, NULL, &f->err));
        if (i % 200 == 0)
            free(foreign_sql(f, f->path, "UPDATE third SET x = x + 1000"));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    EXPECT_REACHES(p[0], "200|200");
    EXPECT_REACHES(p[1], "200");
    EXPECT_REACHES(p[2], "3200");
    for (size_t i = 0; i < LENGTH(p); i++) {
        assert_int_equal(probe_stats(p[i]).missed, 0);
        checks += probe_stats(p[i]).checks;
    }
    assert_true(checks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(finds_what_was_missed),
        CASE(without_it),
        CASE(finds_nothing_else),
    };

    return cmocka_run_group_tests_name("self-check", tests, NULL, NULL);
}
