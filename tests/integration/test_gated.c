/*
 * What comes while a live query runs. A function of the test's own holds the run where it is for as long as
 * the test wants, so that nothing here needs luck: which commits a run has seen, which came after its
 * snapshot, and what became of the reasons of all of them.
 */
#include "fixture.h"

#include <stdatomic.h>

#include <sqlite3.h>

/* The next run that meets hold() waits in it. */
static struct {
    atomic_bool armed;
    gate inside, go;
    bool made;
} door;

/* hold(x): x, after a while. */
static void hold(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    (void)n;
    if (atomic_exchange(&door.armed, false)) {
        gate_open(&door.inside);
        (void)gate_wait(&door.go);
    }
    sqlite3_result_value(ctx, v[0]);
}

static int add_functions(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    return sqlite3_create_function(db, "hold", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, hold, NULL, NULL);
}

static int add_to_all(void **state)
{
    (void)state;
    return sqlite3_auto_extension((void (*)(void))add_functions) != SQLITE_OK;
}

/* A test that failed may have left a run waiting, for which the close of the database would wait. */
static int teardown(void **state)
{
    int rc;

    atomic_store(&door.armed, false);
    if (door.made)
        gate_open(&door.go);
    rc = fixture_teardown(state);
    if (door.made) {
        gate_fini(&door.inside);
        gate_fini(&door.go);
        door.made = false;
    }
    return rc;
}

#undef CASE
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

static void door_close(void)
{
    if (door.made) {
        gate_fini(&door.inside);
        gate_fini(&door.go);
    }
    gate_init(&door.inside);
    gate_init(&door.go);
    door.made = true;
    atomic_store(&door.armed, true);
}

static void door_await(void)
{
    assert_true(gate_wait(&door.inside));
}

static void door_open(void)
{
    gate_open(&door.go);
}

static void start(fixture *f, const rsq_open_options *opts)
{
    fixture_open(f, opts);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, a)");
    EXEC(f, "INSERT INTO items VALUES (1, 10), (2, 20)");
    EXEC(f, "CREATE TABLE other(id INTEGER PRIMARY KEY, x)");
    EXEC(f, "INSERT INTO other VALUES (1, 1), (2, 2)");
    EXEC(f, "CREATE TABLE third(x)");
}

#define HELD "SELECT sum(hold(a)) FROM items"
#define BOTH "SELECT (SELECT x FROM other WHERE id = 1), (SELECT count(*) FROM third)"

static void await_runs(probe *p, uint64_t runs)
{
    while (probe_stats(p).runs < runs)
        rsq_queue_wait(p->queue, 1);
    assert_int_equal(probe_stats(p).runs, runs);
}

static void expect_why(probe *p, const char *rows, uint32_t why, const char *tables)
{
    EXPECT_EVENT(p, rows);
    assert_int_equal(p->events[p->count - 1].why, why);
    assert_string_equal(p->events[p->count - 1].tables, tables);
}

/* The same sum, of other values: a run that tells nobody anything. */
#define SWAP "UPDATE items SET a = 30 - a"

/* Commits that come after the snapshot of a run, each for a reason of its own: one more run, and its event
 * has all of them, but not what the run before was for, whose answer was as before. */
static void reasons_of_what_came_meanwhile(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f, NULL);
    p = WATCH(f, "SELECT (SELECT sum(hold(a)) FROM items), (SELECT x FROM other WHERE id = 1), "
                 "(SELECT count(*) FROM third)");
    expect_why(p, "30|1|0", RSQ_WHY_FIRST, "");
    door_close();
    EXEC(f, SWAP);
    door_await();
    EXEC(f, "UPDATE other SET x = 9 WHERE id = 1");
    EXEC(f, "UPDATE other SET x = 8 WHERE id = 2"); /* does not concern it */
    EXEC(f, "INSERT INTO third VALUES (1)");
    door_open();
    await_runs(p, 3);
    assert_int_equal(probe_stats(p).woken, 3);
    expect_why(p, "30|9|1", RSQ_WHY_ROWS | RSQ_WHY_KEY, "main.other main.third");
}

/* The same of a member of a group that is idle when the snapshot is opened, and is woken, twice, while
 * another one is read: it is read in that snapshot too, and for its own reasons in the next. */
static void reasons_of_a_member(void **state)
{
    fixture *f = *state;
    probe *held, *both, *idle;

    start(f, NULL);
    held = probe_in_group(f, HELD);
    both = probe_in_group(f, BOTH);
    idle = probe_in_group(f, "SELECT count(*) FROM other");
    expect_why(held, "30", RSQ_WHY_FIRST, "");
    expect_why(both, "1|0", RSQ_WHY_FIRST, "");
    expect_why(idle, "2", RSQ_WHY_FIRST, "");
    door_close();
    EXEC(f, SWAP);
    door_await();
    EXEC(f, "UPDATE other SET x = 9 WHERE id = 1");
    EXEC(f, "INSERT INTO third VALUES (1)");
    door_open();
    await_runs(both, 3);
    expect_why(both, "9|1", RSQ_WHY_ROWS | RSQ_WHY_KEY, "main.other main.third");
    /* Nothing else had to be read again, and nobody else was told. */
    assert_int_equal(probe_stats(held).runs, 2);
    assert_int_equal(probe_stats(idle).runs, 1);
    EXEC(f, "INSERT INTO other VALUES (3, 3)");
    expect_why(idle, "3", RSQ_WHY_ROWS, "main.other");
    EXEC(f, "INSERT INTO items VALUES (3, 100)");
    expect_why(held, "130", RSQ_WHY_ROWS, "main.items");
}

/* The only reader is out, until the door is opened: a group that is queued waits for it. */
static rsq_op *hold_reader(fixture *f)
{
    rsq_op *op = NULL;

    door_close();
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT hold(1)", NULL, 0, NULL, &op));
    door_await();
    return op;
}

static void let_go(rsq_op *op)
{
    door_open();
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_op_status(op));
    rsq_op_free(op);
}

static void await_waiting(fixture *f)
{
    rsq_counters now = {.size = sizeof now};

    do {
        WANT(f, RSQ_OK, rsq_stats(f->db, &now, &f->err));
    } while (now.readers_waiting == 0);
}

/* A member that is woken after the run was begun, and before its snapshot was opened, is read once: the
 * snapshot has its commit. */
static void woken_before_the_snapshot(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_op *busy;
    probe *held, *both;

    start(f, &opts);
    held = probe_in_group(f, HELD);
    both = probe_in_group(f, BOTH);
    expect_why(held, "30", RSQ_WHY_FIRST, "");
    expect_why(both, "1|0", RSQ_WHY_FIRST, "");
    busy = hold_reader(f);
    EXEC(f, "INSERT INTO items VALUES (3, 100)");
    await_waiting(f);
    EXEC(f, "UPDATE other SET x = 9 WHERE id = 1");
    EXEC(f, "INSERT INTO third VALUES (1)");
    let_go(busy);
    expect_why(held, "130", RSQ_WHY_ROWS, "main.items");
    expect_why(both, "9|1", RSQ_WHY_ROWS | RSQ_WHY_KEY, "main.other main.third");
    assert_int_equal(held->events[1].commit_seq, both->events[1].commit_seq);
    assert_int_equal(probe_stats(held).runs, 2);
    assert_int_equal(probe_stats(both).runs, 2);
}

/* A commit that nobody tells of is in the snapshot: the members that were not woken are read too, or the
 * group would show two states of the database. */
static void untold_in_the_snapshot(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1, .flags = RSQ_OPEN_NO_EXTERNAL_WRITERS};
    rsq_op *busy;
    probe *held, *both;

    start(f, &opts);
    held = probe_in_group(f, HELD);
    both = probe_in_group(f, BOTH);
    expect_why(held, "30", RSQ_WHY_FIRST, "");
    expect_why(both, "1|0", RSQ_WHY_FIRST, "");
    busy = hold_reader(f);
    EXEC(f, "INSERT INTO items VALUES (3, 100)");
    await_waiting(f);
    free(foreign_sql(f, f->path, "UPDATE other SET x = 9 WHERE id = 1"));
    let_go(busy);
    EXPECT_EVENT(held, "130");
    expect_why(both, "9|0", RSQ_WHY_OTHER, "");
    assert_int_equal(held->events[1].commit_seq, both->events[1].commit_seq);
}

/* ------------------------------------------------------------------- one commit for several -- */

#define SHARED \
    "SELECT (SELECT sum(a) FROM items), (SELECT x FROM other WHERE id = 1), (SELECT count(*) FROM third)"

/* Writes to three tables that wait for the writer at the same time. Whether they shared a commit: a group
 * ends after two milliseconds, which a busy machine may take from its thread. */
static bool write_together(fixture *f)
{
    static const char *const sql[] = {"UPDATE items SET a = 11 WHERE id = 1",
                                      "UPDATE other SET x = 9 WHERE id = 1",
                                      "INSERT INTO other VALUES (1, 1)", "INSERT INTO third VALUES (1)"};
    rsq_counters before = {.size = sizeof before}, after = {.size = sizeof after};
    rsq_op *ops[LENGTH(sql)] = {0};
    rsq_tx *tx = NULL;

    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    for (size_t i = 0; i < LENGTH(sql); i++)
        WANT_CODE(RSQ_OK, rsq_execute_async(f->db, sql[i], NULL, 0, NULL, &ops[i]));
    WANT(f, RSQ_OK, rsq_stats(f->db, &before, &f->err));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
    for (size_t i = 0; i < LENGTH(sql); i++) {
        WANT_CODE(RSQ_OK, rsq_op_wait(ops[i], FIXTURE_DEADLINE_MS));
        WANT_CODE(i == 2 ? RSQ_ESQL : RSQ_OK, rsq_op_status(ops[i]));
        rsq_op_free(ops[i]);
    }
    WANT(f, RSQ_OK, rsq_stats(f->db, &after, &f->err));
    return after.commits == before.commits + 1;
}

/* Those that share a commit are one event, with the rule and the table of each. The one that fails has no
 * part in it. */
static void reasons_of_a_shared_commit(void **state)
{
    fixture *f = *state;
    bool shared = false;

    start(f, NULL);
    for (int i = 0; i < 100 && !shared; i++) {
        probe *p;

        EXEC(f, "UPDATE items SET a = 10 WHERE id = 1");
        EXEC(f, "UPDATE other SET x = 1 WHERE id = 1");
        EXEC(f, "DELETE FROM third");
        p = WATCH(f, SHARED);
        expect_why(p, "30|1|0", RSQ_WHY_FIRST, "");
        shared = write_together(f);
        if (shared) {
            expect_why(p, "31|9|1", RSQ_WHY_VALUE | RSQ_WHY_ROWS | RSQ_WHY_KEY,
                       "main.items main.other main.third");
            assert_int_equal(probe_stats(p).woken, 1);
            assert_int_equal(probe_stats(p).runs, 2);
        } else {
            EXPECT_REACHES(p, "31|9|1");
        }
        probe_close(p);
    }
    assert_true(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reasons_of_what_came_meanwhile), CASE(reasons_of_a_member),
        CASE(woken_before_the_snapshot),      CASE(untold_in_the_snapshot),
        CASE(reasons_of_a_shared_commit),
    };

    return cmocka_run_group_tests_name("gated", tests, add_to_all, NULL);
}
