/*
 * rsq_profile(): the names of the counters, what each of them counts, reset and
 * difference. The counters belong to the process, so each test begins with a
 * reset. In a library that was built without them, all of them stay 0.
 */
#include "fixture.h"

#include <sched.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)"

static const char *const names[] = {
    "reader_wait.count",
    "reader_wait.total_ns",
    "reader_wait.longest_ns",
    "reader_prepare.count",
    "reader_prepare.total_ns",
    "reader_prepare.longest_ns",
    "reader_step.count",
    "reader_step.total_ns",
    "reader_step.longest_ns",
    "reader_build.count",
    "reader_build.total_ns",
    "reader_build.longest_ns",
    "reader_json.count",
    "reader_json.total_ns",
    "reader_json.longest_ns",
    "writer_wait.count",
    "writer_wait.total_ns",
    "writer_wait.longest_ns",
    "writer_request.count",
    "writer_request.total_ns",
    "writer_request.longest_ns",
    "writer_step.count",
    "writer_step.total_ns",
    "writer_step.longest_ns",
    "writer_capture.count",
    "writer_capture.total_ns",
    "writer_capture.longest_ns",
    "writer_commit.count",
    "writer_commit.total_ns",
    "writer_commit.longest_ns",
    "stream_invalidate.count",
    "stream_invalidate.total_ns",
    "stream_invalidate.longest_ns",
    "stream_handoff.count",
    "stream_handoff.total_ns",
    "stream_handoff.longest_ns",
    "stream_run.count",
    "stream_run.total_ns",
    "stream_run.longest_ns",
    "stream_compare.count",
    "stream_compare.total_ns",
    "stream_compare.longest_ns",
    "stream_diff.count",
    "stream_diff.total_ns",
    "stream_diff.longest_ns",
    "stream_emit.count",
    "stream_emit.total_ns",
    "stream_emit.longest_ns",
    "stream_deliver.count",
    "stream_deliver.total_ns",
    "stream_deliver.longest_ns",
    "queue_wait.count",
    "queue_wait.total_ns",
    "queue_wait.longest_ns",
    "workers_asleep.count",
    "workers_asleep.total_ns",
    "workers_asleep.longest_ns",
    "workers_spinning.count",
    "workers_spinning.total_ns",
    "workers_spinning.longest_ns",
    "reader_rows",
    "reader_cells",
    "writer_groups",
    "writer_grouped",
    "stream_candidates",
    "queue_wakes_sent",
    "queue_wakes_saved",
    "parked_total",
    "parked_paused",
    "parked_wake_retries",
    "workers_spin_hits",
    "writer_group_largest",
    "parked_longest_queue",
};

static rsq_profile_counters now(void)
{
    rsq_profile_counters p;

    memset(&p, 0xa5, sizeof p);
    p.size = sizeof p;
    WANT_CODE(RSQ_OK, rsq_profile(&p));
    return p;
}

static bool all_zero(const rsq_profile_counters *p)
{
    for (size_t i = 0; i < LENGTH(names); i++) {
        if (rsq_profile_value(p, i) != 0) {
            print_error("%s is %llu\n", names[i], (unsigned long long)rsq_profile_value(p, i));
            return false;
        }
    }
    return true;
}

static bool is_built_in(void)
{
    return rsq_features() & RSQ_FEATURE_PROFILE;
}

/* Of what there is to count in a library that can. */
static void count_from_zero(void)
{
    WANT_CODE(RSQ_OK, rsq_profile_enable(true));
    rsq_profile_reset();
}

/* A duration that was counted so often is one. */
static void expect_time(const rsq_profile_time *t, uint64_t count)
{
    assert_int_equal(t->count, count);
    assert_true(t->longest_ns <= t->total_ns);
    if (count)
        assert_true(t->total_ns <= count * t->longest_ns);
    else
        assert_int_equal(t->total_ns, 0);
}

/* Programs store and plot them by name: one that is renamed or missing is found here. (I10) */
static void the_names_are_fixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++)
        assert_string_equal(rsq_profile_name(i), names[i]);
    assert_null(rsq_profile_name(LENGTH(names)));
    assert_null(rsq_profile_name(SIZE_MAX));
    assert_int_equal(rsq_profile_value(NULL, 0), 0);
}

/* The list and the struct are the same counters. */
static void a_value_is_that_of_its_field(void **state)
{
    rsq_profile_counters p = {.size = sizeof p};
    uint64_t in_order[LENGTH(names)];

    (void)state;
    assert_int_equal(sizeof p, sizeof p.size + sizeof in_order);
    for (size_t i = 0; i < LENGTH(names); i++)
        in_order[i] = 1000 + i;
    memcpy((char *)&p + sizeof p.size, in_order, sizeof in_order);
    for (size_t i = 0; i < LENGTH(names); i++)
        assert_int_equal(rsq_profile_value(&p, i), 1000 + i);
    assert_int_equal(rsq_profile_value(&p, LENGTH(names)), 0);
    assert_int_equal(p.reader_wait.count, 1000);
    assert_int_equal(p.parked_longest_queue, 1000 + LENGTH(names) - 1);
}

static void use_everything(fixture *f)
{
    rsq_result *r;
    probe *p;

    EXEC(f, SCHEMA);
    p = WATCH(f, "SELECT name FROM items ORDER BY id");
    EXPECT_EVENT(p, "");
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b')");
    EXPECT_EVENT(p, "'a'\n'b'");
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "2");
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT name FROM items", NULL, 0, NULL, &r, &f->err));
    rsq_result_unref(r);
}

/* Nobody pays for what he did not ask for; and a library without it says so. */
static void it_is_off_at_first(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;

    WANT_CODE(RSQ_OK, rsq_profile_enable(false));
    rsq_profile_reset();
    fixture_open(f, NULL);
    use_everything(f);
    p = now();
    assert_true(all_zero(&p));
    WANT_CODE(is_built_in() ? RSQ_OK : RSQ_EUNSUPPORTED, rsq_profile_enable(true));
    EXEC(f, "DELETE FROM items");
    p = now();
    assert_true(is_built_in() == !all_zero(&p));
}

static void a_read_is_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    rsq_result *r;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    count_from_zero();
    EXPECT_ROWS(f, "SELECT id, name FROM items", "1|'a'\n2|'b'\n3|'c'");
    p = now();
    expect_time(&p.reader_prepare, 1);
    expect_time(&p.reader_step, 1);
    expect_time(&p.reader_build, 1);
    expect_time(&p.reader_json, 0);
    expect_time(&p.reader_wait, 0);
    assert_true(p.reader_prepare.total_ns > 0 && p.reader_step.total_ns > 0);
    assert_int_equal(p.reader_rows, 3);
    assert_int_equal(p.reader_cells, 6);

    rsq_profile_reset();
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT id FROM items", NULL, 0, NULL, &r, &f->err));
    rsq_result_unref(r);
    p = now();
    expect_time(&p.reader_prepare, 1);
    expect_time(&p.reader_step, 1);
    expect_time(&p.reader_build, 0);
    expect_time(&p.reader_json, 1);
    assert_int_equal(p.reader_cells, 0);
}

/* A read in chunks is prepared before, and each chunk is a step and a build. */
static void chunks_are_counted(void **state)
{
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 2};
    fixture *f = *state;
    rsq_profile_counters p;
    rsq_cursor *c;
    rsq_result *r;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    count_from_zero();
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, "SELECT name FROM items", NULL, 0, &opts, &c, &f->err));
    for (int i = 0; i < 2; i++) {
        WANT(f, RSQ_OK, rsq_cursor_next(c, &r, &f->err));
        rsq_result_unref(r);
    }
    rsq_cursor_close(c);
    p = now();
    expect_time(&p.reader_step, 2);
    expect_time(&p.reader_build, 2);
    assert_int_equal(p.reader_rows, 3);
}

static void a_write_is_counted(void **state)
{
    const rsq_value matrix[] = {rsq_text("x"), rsq_text("y"), rsq_text("z")};
    fixture *f = *state;
    rsq_profile_counters p;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    count_from_zero();
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b')");
    p = now();
    expect_time(&p.writer_request, 1);
    expect_time(&p.writer_step, 1);
    expect_time(&p.writer_capture, 1);
    expect_time(&p.writer_commit, 1);
    expect_time(&p.stream_invalidate, 1);
    expect_time(&p.writer_wait, 0);
    assert_true(p.writer_step.total_ns + p.writer_capture.total_ns + p.writer_commit.total_ns +
                    p.stream_invalidate.total_ns <=
                p.writer_request.total_ns);

    rsq_profile_reset();
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", matrix, 3, 1, NULL, NULL, &f->err));
    p = now();
    expect_time(&p.writer_request, 1);
    expect_time(&p.writer_step, 1);
    expect_time(&p.writer_capture, 1);
    expect_time(&p.writer_commit, 1);

    /* What measures is in place for one statement only: live queries see the next one as before. */
    WANT_CODE(RSQ_OK, rsq_profile_enable(false));
    EXEC(f, "DELETE FROM items");
    p = now();
    expect_time(&p.writer_request, 1);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* A statement that fails is measured, and leaves nothing in place. */
static void a_failed_write_is_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    probe *live;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items VALUES (1, 'a')");
    live = WATCH(f, "SELECT name FROM items");
    EXPECT_EVENT(live, "'a'");
    count_from_zero();
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "INSERT INTO items VALUES (1, 'b')", NULL, 0, NULL, NULL, &f->err));
    p = now();
    expect_time(&p.writer_request, 1);
    expect_time(&p.writer_step, 1);
    expect_time(&p.writer_commit, 0);
    EXEC(f, "UPDATE items SET name = 'c'");
    EXPECT_EVENT(live, "'c'");
}

static rsq_code insert_two(rsq_tx *tx, void *ctx)
{
    rsq_code code = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, NULL, ctx);

    if (code == RSQ_OK)
        code = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('b')", NULL, 0, NULL, NULL, ctx);
    return code;
}

static void a_transaction_is_one_request(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    count_from_zero();
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_two, &f->err, NULL, &f->err));
    p = now();
    expect_time(&p.writer_request, 1);
    expect_time(&p.writer_step, 2);
    expect_time(&p.writer_capture, 2);
    expect_time(&p.writer_commit, 1);

    rsq_profile_reset();
    WANT(f, RSQ_OK,
         rsq_execute_script(f->db, "DELETE FROM items; INSERT INTO items(name) VALUES ('a')", NULL, &f->err));
    p = now();
    expect_time(&p.writer_request, 1);
    expect_time(&p.writer_step, 2);
    expect_time(&p.writer_capture, 2);
    expect_time(&p.writer_commit, 1);
}

static rsq_counters stats(fixture *f)
{
    rsq_counters c = {.size = sizeof c};

    WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
    return c;
}

/* Eight writes that wait until a transaction has ended. */
static void write_together(fixture *f)
{
    rsq_op *ops[8];
    parked *holder = fixture_park(f, f->db);

    for (size_t i = 0; i < LENGTH(ops); i++)
        WANT_CODE(RSQ_OK,
                  rsq_execute_async(f->db, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, &ops[i]));
    parked_go(holder);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        WANT_CODE(RSQ_OK, rsq_op_wait(ops[i], FIXTURE_DEADLINE_MS));
        rsq_op_free(ops[i]);
    }
    parked_join(holder);
}

/* How many share a commit is a matter of time; what is told of it is not. */
static void groups_are_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    rsq_counters c;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    count_from_zero();
    write_together(f);
    fixture_canary(f); /* a write behind them: they are counted by now */
    p = now();
    c = stats(f);
    assert_int_equal(p.writer_groups, c.groups);
    assert_int_equal(p.writer_grouped, c.grouped);
    assert_true(p.writer_group_largest <= 8 && p.writer_group_largest <= p.writer_grouped);
    assert_true((p.writer_groups > 0) == (p.writer_group_largest > 1));
}

static void wait_for_the_turn(void *ctx)
{
    fixture *f = ctx;

    f->err.code = (int32_t)rsq_execute(f->db, "DELETE FROM items", NULL, 0, NULL, NULL, NULL);
}

static void waiting_for_the_writer_is_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    parked *holder;
    thread t;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    holder = fixture_park(f, f->db);
    count_from_zero();
    thread_start(&t, wait_for_the_turn, f);
    while (stats(f).writers_waiting == 0)
        sched_yield();
    parked_go(holder);
    THREAD_JOIN(&t);
    parked_join(holder);
    assert_int_equal(f->err.code, RSQ_OK);
    p = now();
    expect_time(&p.writer_wait, 1);
}

static void a_live_query_is_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    probe *live;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "CREATE TABLE other(x)");
    live = WATCH(f, "SELECT name FROM items");
    EXPECT_EVENT(live, "");
    count_from_zero();
    EXEC(f, "INSERT INTO items(name) VALUES ('a')");
    EXPECT_EVENT(live, "'a'");
    p = now();
    expect_time(&p.stream_invalidate, 1);
    expect_time(&p.stream_handoff, 1);
    expect_time(&p.stream_run, 1);
    expect_time(&p.stream_compare, 1);
    expect_time(&p.stream_emit, 1);
    expect_time(&p.stream_deliver, 1);
    assert_int_equal(p.stream_candidates, 1);
    assert_int_equal(p.reader_rows, 1);
    /* One that is not concerned is no candidate. */
    EXEC(f, "INSERT INTO other VALUES (1)");
    p = now();
    expect_time(&p.stream_invalidate, 2);
    assert_int_equal(p.stream_candidates, 1);
}

static void a_difference_is_counted(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    rsq_profile_counters p;
    probe *live;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b')");
    live = probe_new(f, fixture_queue(f), &opts);
    opts.mode = RSQ_STREAM_DIFFERENCE;
    WATCH_SET(f, live, "SELECT id, name FROM items", &opts);
    EXPECT_EVENT(live, "1|'a'\n2|'b'");
    count_from_zero();
    EXEC(f, "INSERT INTO items(name) VALUES ('c')");
    (void)EXPECT_KIND(live, RSQ_EVENT_DIFFERENCE);
    p = now();
    expect_time(&p.stream_diff, 1);
}

static void no_op(rsq_op *op, void *ctx)
{
    (void)op;
    (void)ctx;
}

/* The descriptor is set once for all that waits; without one, nobody is woken who does not sleep. */
static void wakes_are_counted(void **state)
{
    fixture *f = *state;
    rsq_op_options opts = {.size = sizeof opts, .queue = fixture_queue(f), .done = no_op};
    rsq_profile_counters p;
    rsq_op *op;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    assert_true(rsq_queue_fd(f->queue) >= 0);
    count_from_zero();
    for (int i = 0; i < 3; i++) {
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, &op));
        WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
        rsq_op_free(op);
        p = now();
        assert_true(p.queue_wakes_sent <= 1);
    }
    /* The last one may have been told to us before it was posted. */
    while (p.queue_wakes_sent + p.queue_wakes_saved < 3)
        p = now();
    assert_int_equal(p.queue_wakes_sent, 1);
    assert_int_equal(p.queue_wakes_saved, 2);
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    expect_time(&p.queue_wait, 0);
    WANT_CODE(RSQ_ETIMEOUT, rsq_queue_wait(f->queue, 1));
    p = now();
    expect_time(&p.queue_wait, 1);
}

typedef struct waiter {
    fixture *f;
    rsq_code code;
} waiter;

static void wait_for_a_reader(void *ctx)
{
    waiter *w = ctx;
    rsq_result *r;

    w->code = rsq_select(w->f->db, "SELECT 1", NULL, 0, NULL, &r, NULL);
    if (w->code == RSQ_OK)
        rsq_result_unref(r);
}

#define SQL_ENDLESS "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"

/* The one figure that says that there are too few readers. */
static void parked_callers_are_counted(void **state)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    fixture *f = *state;
    waiter waiters[2] = {{f, RSQ_OK}, {f, RSQ_OK}};
    rsq_profile_counters p;
    thread threads[2];
    rsq_op *op;

    if (!is_built_in())
        return;
    opts.readers = 1;
    fixture_open(f, &opts);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, SQL_ENDLESS, NULL, 0, NULL, &op));
    while (stats(f).readers_leased == 0)
        sched_yield();
    count_from_zero();
    for (size_t i = 0; i < 2; i++) {
        thread_start(&threads[i], wait_for_a_reader, &waiters[i]);
        while (stats(f).readers_waiting <= i)
            sched_yield();
    }
    p = now();
    assert_int_equal(p.parked_total, 2);
    assert_int_equal(p.parked_longest_queue, 2);
    expect_time(&p.reader_wait, 0); /* not over */
    rsq_op_cancel(op);
    rsq_op_free(op);
    for (size_t i = 0; i < 2; i++) {
        THREAD_JOIN(&threads[i]);
        assert_int_equal(waiters[i].code, RSQ_OK);
    }
    p = now();
    expect_time(&p.reader_wait, 2);
    assert_int_equal(p.parked_total, 2);
    assert_int_equal(p.parked_paused, 0);
}

static void idle_workers_are_counted(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;
    rsq_op *op;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    count_from_zero();
    do {
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, NULL, &op));
        WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
        rsq_op_free(op);
        p = now();
    } while (p.workers_spinning.count == 0);
    assert_true(p.workers_spin_hits <= p.workers_spinning.count);
}

/* All are 0, and it goes on counting. (I10) */
static void reset_begins_anew(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    count_from_zero();
    use_everything(f);
    fixture_close(f); /* no thread of the library is left */
    p = now();
    assert_false(all_zero(&p));
    rsq_profile_reset();
    p = now();
    assert_true(all_zero(&p));
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT 1", "1");
    p = now();
    expect_time(&p.reader_step, 1);
    /* Switching it off keeps what was counted. */
    WANT_CODE(RSQ_OK, rsq_profile_enable(false));
    EXPECT_ROWS(f, "SELECT 1", "1");
    p = now();
    expect_time(&p.reader_step, 1);
}

static void a_difference_of_two_readings(void **state)
{
    rsq_profile_counters before = {.size = sizeof before}, after = {.size = sizeof after};
    rsq_profile_counters out = {.size = sizeof out};

    (void)state;
    before.reader_step = (rsq_profile_time){2, 100, 60};
    after.reader_step = (rsq_profile_time){5, 180, 60};
    before.parked_total = 1;
    after.parked_total = 4;
    after.parked_longest_queue = 2;
    before.reader_rows = 10; /* a reset came in between */
    after.reader_rows = 3;
    WANT_CODE(RSQ_OK, rsq_profile_difference(&before, &after, &out));
    assert_int_equal(out.reader_step.count, 3);
    assert_int_equal(out.reader_step.total_ns, 80);
    assert_int_equal(out.reader_step.longest_ns, 60);
    assert_int_equal(out.parked_total, 3);
    assert_int_equal(out.parked_longest_queue, 2);
    assert_int_equal(out.reader_rows, 3);
    /* In place. */
    WANT_CODE(RSQ_OK, rsq_profile_difference(&before, &after, &after));
    assert_memory_equal(&after, &out, sizeof out);
    WANT_CODE(RSQ_EINVAL, rsq_profile_difference(NULL, &after, &out));
    WANT_CODE(RSQ_EINVAL, rsq_profile_difference(&before, NULL, &out));
    WANT_CODE(RSQ_EINVAL, rsq_profile_difference(&before, &after, NULL));
}

/* The struct grows at its end: a program that knows less of it is not written beyond. */
static void a_program_that_knows_less(void **state)
{
    rsq_profile_counters p, zero;

    (void)state;
    memset(&zero, 0, sizeof zero);
    memset(&p, 0xa5, sizeof p);
    p.size = sizeof p.size + sizeof(rsq_profile_time);
    WANT_CODE(RSQ_OK, rsq_profile(&p));
    assert_true(p.reader_prepare.count == UINT64_C(0xa5a5a5a5a5a5a5a5));
    assert_int_equal(rsq_profile_value(&p, 3), 0); /* not known to it */
    p.size = 0;
    WANT_CODE(RSQ_EINVAL, rsq_profile(&p));
    WANT_CODE(RSQ_EINVAL, rsq_profile(NULL));
    zero.size = sizeof zero;
    WANT_CODE(RSQ_EINVAL, rsq_profile_difference(&p, &zero, &zero));
}

static void read_often(size_t index, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r;

    (void)index;
    for (int i = 0; i < 50; i++) {
        if (rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, NULL) == RSQ_OK)
            rsq_result_unref(r);
    }
}

/* Threads count together, and none is lost. */
static void threads_count_together(void **state)
{
    fixture *f = *state;
    rsq_profile_counters p;

    if (!is_built_in())
        return;
    fixture_open(f, NULL);
    count_from_zero();
    crew_run(4, read_often, f);
    p = now();
    assert_int_equal(p.reader_step.count, 200);
    assert_int_equal(p.reader_rows, 200);
    assert_int_equal(p.reader_wait.count, p.parked_total + p.parked_paused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_names_are_fixed),
        CASE(a_value_is_that_of_its_field),
        CASE(it_is_off_at_first),
        CASE(a_read_is_counted),
        CASE(chunks_are_counted),
        CASE(a_write_is_counted),
        CASE(a_failed_write_is_counted),
        CASE(a_transaction_is_one_request),
        CASE(groups_are_counted),
        CASE(waiting_for_the_writer_is_counted),
        CASE(a_live_query_is_counted),
        CASE(a_difference_is_counted),
        CASE(wakes_are_counted),
        CASE(parked_callers_are_counted),
        CASE(idle_workers_are_counted),
        CASE(reset_begins_anew),
        CASE(a_difference_of_two_readings),
        CASE(a_program_that_knows_less),
        CASE(threads_count_together),
    };

    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
