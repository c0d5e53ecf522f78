/*
 * The cases that every adapter passes; loop.h says how a loop is seen here.
 *
 * No case sleeps: a loop is run until what it waits for has come, with a deadline. Where nothing may come,
 * the loop runs until a timer of its own fires, and its turns are counted: a descriptor that stays readable,
 * or was forgotten in the loop, shows as thousands of turns.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* A turn for the timer and one for an event that is there; a loop may take a few more, begin with an empty
 * one and round its time-out down. */
#define IDLE_TURNS 10
#define IDLE_MS 50

/* What callbacks write to, which must outlive a test that failed. */
static struct {
    size_t reads; /* that were answered */
    bool bad;     /* one of them with an error */
    test_loop *l;
    watch *watches[2];
    rsq_db *db;
} seen;

static void read_is_done(rsq_op *op, void *ctx)
{
    (void)ctx;
    seen.bad = seen.bad || rsq_op_status(op) != RSQ_OK;
    rsq_result_unref(rsq_op_take_result(op));
    seen.reads++;
}

static rsq_code submit_read(rsq_db *db, rsq_queue *q, rsq_op **out)
{
    rsq_op_options opts = {.size = sizeof opts, .queue = q, .done = read_is_done};

    return rsq_select_async(db, "SELECT count(*) FROM a", NULL, 0, &opts, out);
}

/* The loop, and a database with two empty tables. */
static test_loop *begin(fixture *f)
{
    memset(&seen, 0, sizeof seen);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE a(x)");
    EXEC(f, "CREATE TABLE b(x)");
    seen.l = loop_new();
    assert_non_null(seen.l);
    return seen.l;
}

static watch *attach(test_loop *l, rsq_queue *q)
{
    watch *w = NULL;

    assert_int_equal(loop_attach(l, q, 0, &w), 0);
    return w;
}

static rsq_queue *new_queue(fixture *f)
{
    rsq_queue *q = NULL;

    WANT(f, RSQ_OK, rsq_queue_new(&q, &f->err));
    return q;
}

static probe *watch_table(fixture *f, rsq_queue *q, const char *sql)
{
    return probe_open(f, f->db, q, sql, NULL, 0, __FILE__, __LINE__);
}

/* Run the loop until the counter has got there. */
static void run_until(test_loop *l, const size_t *counter, size_t target)
{
    bool good = true;

    loop_timer(l, FIXTURE_DEADLINE_MS);
    while (good && *counter < target && !loop_fired(l))
        good = loop_turn(l);
    loop_timer(l, 0);
    assert_true(good);
    assert_true(*counter >= target);
}

/* Run the loop until its timer fires: it must have slept until then. */
static void run_idle(test_loop *l)
{
    size_t turns = 0;

    loop_timer(l, IDLE_MS);
    while (!loop_fired(l)) {
        assert_true(loop_turn(l));
        turns++;
    }
    loop_timer(l, 0);
    assert_in_range(turns, 1, IDLE_TURNS);
}

static bool is_readable(rsq_queue *q)
{
    struct pollfd slot = {.fd = rsq_queue_fd(q), .events = POLLIN};

    return poll(&slot, 1, 0) == 1 && slot.revents == POLLIN;
}

/* ------------------------------------------------------------------ cases -- */

static void live_queries_and_reads_come_to_the_loop(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    watch *w = attach(l, fixture_queue(f));
    probe *p = WATCH(f, "SELECT count(*) FROM a");

    run_until(l, &p->count, 1);
    EXPECT_EVENT(p, "0");
    WANT_CODE(RSQ_OK, submit_read(f->db, f->queue, NULL));
    run_until(l, &seen.reads, 1);
    EXEC(f, "INSERT INTO a VALUES (1)");
    run_until(l, &p->count, 2);
    EXPECT_EVENT(p, "1");
    assert_false(seen.bad);
    loop_detach(l, w);
    assert_true(loop_free(l));
}

/* The level, and not an edge that was missed, wakes the loop. */
static void what_waited_before_attaching_comes(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_op *op;
    watch *w;

    for (int i = 0; i < 3; i++) {
        WANT_CODE(RSQ_OK, submit_read(f->db, fixture_queue(f), &op));
        WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
        rsq_op_free(op);
    }
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    w = attach(l, f->queue);
    run_until(l, &seen.reads, 3);
    loop_detach(l, w);
    assert_true(loop_free(l));
}

/* Closing the database leaves an end for each live query in a queue of the program's own; all three are there
 * when rsq_close() returns. */
static void one_event_a_turn_leaves_the_descriptor_readable(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    probe *probes[] = {WATCH(f, "SELECT 1"), WATCH(f, "SELECT 2"), WATCH(f, "SELECT 3")};
    size_t ends = 0, before;
    watch *w;

    EXPECT_EVENT(probes[0], "1");
    EXPECT_EVENT(probes[1], "2");
    EXPECT_EVENT(probes[2], "3");
    fixture_close(f);
    assert_int_equal(loop_attach(l, f->queue, 1, &w), 0);
    loop_timer(l, FIXTURE_DEADLINE_MS);
    while (ends < 3) {
        assert_true(is_readable(f->queue));
        before = ends;
        assert_true(loop_turn(l));
        assert_false(loop_fired(l));
        ends = probes[0]->ends + probes[1]->ends + probes[2]->ends;
        assert_in_range(ends, before, before + 1);
    }
    loop_timer(l, 0);
    assert_false(is_readable(f->queue));
    run_idle(l);
    loop_detach(l, w);
    assert_true(loop_free(l));
}

static void two_queues_share_a_loop(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *other = new_queue(f);
    watch *first = attach(l, fixture_queue(f));
    watch *second = attach(l, other);
    probe *a = watch_table(f, f->queue, "SELECT count(*) FROM a");
    probe *b = watch_table(f, other, "SELECT count(*) FROM b");

    run_until(l, &a->count, 1);
    run_until(l, &b->count, 1);
    EXEC(f, "INSERT INTO a VALUES (1)");
    run_until(l, &a->count, 2);
    assert_int_equal(b->count, 1);

    loop_detach(l, first);
    EXEC(f, "INSERT INTO a VALUES (2)");
    EXEC(f, "INSERT INTO b VALUES (1)");
    run_until(l, &b->count, 2);
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    run_idle(l);
    assert_int_equal(a->count, 2);
    first = attach(l, f->queue);
    run_until(l, &a->count, 3);

    fixture_close(f);
    run_until(l, &a->ends, 1);
    run_until(l, &b->ends, 1);
    loop_detach(l, first);
    loop_detach(l, second);
    rsq_queue_free(other);
    assert_true(loop_free(l));
}

/* Not even when the descriptor is closed and its number names something else that is readable. */
static void a_detached_queue_leaves_nothing_in_the_loop(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *q = new_queue(f);
    watch *w = attach(l, q);
    probe *p = watch_table(f, q, "SELECT count(*) FROM a");
    int fd = rsq_queue_fd(q);
    int loud = eventfd(1, EFD_CLOEXEC);

    run_until(l, &p->count, 1);
    assert_true(loop_watches(l, fd));
    loop_detach(l, w);
    assert_false(loop_watches(l, fd));
    EXEC(f, "INSERT INTO a VALUES (1)");
    WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
    run_idle(l);
    assert_int_equal(p->count, 1);
    fixture_close(f);
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, NULL));
    rsq_queue_free(q);
    assert_int_equal(dup2(loud, fd), fd);
    run_idle(l);
    close(fd);
    close(loud);
    assert_true(loop_free(l));
}

static void an_idle_loop_sleeps(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *other = new_queue(f);
    watch *first = attach(l, fixture_queue(f));
    watch *second = attach(l, other);
    probe *a, *b;

    run_idle(l);
    a = watch_table(f, f->queue, "SELECT count(*) FROM a");
    b = watch_table(f, other, "SELECT count(*) FROM b");
    run_until(l, &a->count, 1);
    run_until(l, &b->count, 1);
    run_idle(l);
    fixture_close(f);
    run_until(l, &a->ends, 1);
    run_until(l, &b->ends, 1);
    run_idle(l);
    loop_detach(l, first);
    loop_detach(l, second);
    rsq_queue_free(other);
    assert_true(loop_free(l));
}

static void detach_me(probe *p, const probe_event *ev, void *ctx)
{
    (void)p;
    (void)ev;
    (void)ctx;
    loop_detach(seen.l, seen.watches[0]);
}

static void a_callback_detaches_its_own_queue(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    probe *p = WATCH(f, "SELECT count(*) FROM a");
    int fd = rsq_queue_fd(f->queue);

    p->then = detach_me;
    seen.watches[0] = attach(l, f->queue);
    run_until(l, &p->count, 1);
    p->then = NULL;
    assert_false(loop_watches(l, fd));
    EXEC(f, "INSERT INTO a VALUES (1)");
    run_idle(l);
    assert_int_equal(p->count, 1);
    assert_true(loop_free(l));
    EXPECT_EVENT(p, "0");
    EXPECT_EVENT(p, "1");
}

static void detach_and_close(probe *p, const probe_event *ev, void *ctx)
{
    p->then = NULL; /* the end of this live query is called back in here */
    detach_me(p, ev, ctx);
    seen.bad = rsq_close(seen.db) != RSQ_OK;
}

/* Which closes the descriptor while the loop is still in the turn that it woke for. */
static void a_callback_closes_the_database_of_its_default_queue(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *q = rsq_queue_default(f->db);
    probe *p = watch_table(f, q, "SELECT count(*) FROM a");
    int fd = rsq_queue_fd(q);

    p->then = detach_and_close;
    seen.db = f->db;
    seen.watches[0] = attach(l, q);
    run_until(l, &p->ends, 1);
    assert_false(seen.bad);
    assert_false(loop_watches(l, fd));
    run_idle(l);
    assert_true(loop_free(l));
}

static void detach_the_other(probe *p, const probe_event *ev, void *ctx)
{
    watch **other = ctx;

    (void)p;
    (void)ev;
    if (*other)
        loop_detach(seen.l, *other);
    *other = NULL;
}

/* The loop found both descriptors readable in one turn, and must not come back to the one that was detached.
 */
static void a_callback_detaches_the_other_queue(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *other = new_queue(f);
    probe *a = watch_table(f, fixture_queue(f), "SELECT count(*) FROM a");
    probe *b = watch_table(f, other, "SELECT count(*) FROM b");

    a->then = b->then = detach_the_other;
    a->then_ctx = &seen.watches[1];
    b->then_ctx = &seen.watches[0];
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_queue_wait(other, FIXTURE_DEADLINE_MS));
    seen.watches[0] = attach(l, f->queue);
    seen.watches[1] = attach(l, other);
    run_idle(l);
    assert_int_equal(a->count + b->count, 1);
    assert_true((seen.watches[0] == NULL) != (seen.watches[1] == NULL));
    loop_detach(l, seen.watches[0] ? seen.watches[0] : seen.watches[1]);
    a->then = b->then = NULL;
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    assert_true(loop_free(l));
    fixture_close(f);
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(other, 0, NULL));
    rsq_queue_free(other);
}

static void attaching_fails_without_a_queue_or_a_descriptor(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    rsq_queue *q = fixture_queue(f);
    struct rlimit limit, none;
    watch *w = NULL;
    int rc;

    assert_int_equal(loop_attach(l, NULL, 0, &w), -EINVAL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    rc = loop_attach(l, q, 0, &w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, -EMFILE);
    assert_null(w);
    w = attach(l, q);
    WANT_CODE(RSQ_OK, submit_read(f->db, q, NULL));
    run_until(l, &seen.reads, 1);
    loop_detach(l, w);
    assert_true(loop_free(l));
}

#define MANY 300

static struct {
    fixture *f;
    verdict found;
    size_t newest; /* answer of the live query */
} crowd;

static void write_and_read(void *ctx)
{
    rsq_error err;

    (void)ctx;
    for (int i = 0; i < MANY; i++) {
        rsq_code rc = rsq_execute(crowd.f->db, "INSERT INTO a VALUES (1)", NULL, 0, NULL, NULL, &err);

        BLAME(&crowd.found, rc == RSQ_OK, &err);
        BLAME(&crowd.found, submit_read(crowd.f->db, crowd.f->queue, NULL) == RSQ_OK, NULL);
    }
}

static void note_newest(probe *p, const probe_event *ev, void *ctx)
{
    (void)p;
    (void)ctx;
    if (ev->result)
        crowd.newest = (size_t)rsq_result_int64(ev->result, 0, 0);
}

/* The queue gets empty and not empty again all the time, while the loop falls asleep and wakes: no wake-up
 * may be lost. */
static void no_wake_up_is_lost(void **state)
{
    fixture *f = *state;
    test_loop *l = begin(f);
    watch *w = attach(l, fixture_queue(f));
    probe *p = WATCH(f, "SELECT count(*) FROM a");
    thread t;

    crowd.f = f;
    crowd.newest = 0;
    verdict_init(&crowd.found);
    p->then = note_newest;
    thread_start(&t, write_and_read, NULL);
    run_until(l, &seen.reads, MANY);
    run_until(l, &crowd.newest, MANY);
    THREAD_JOIN(&t);
    VERDICT(&crowd.found);
    assert_false(seen.bad);
    run_idle(l);
    loop_detach(l, w);
    assert_true(loop_free(l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(live_queries_and_reads_come_to_the_loop),
        CASE(what_waited_before_attaching_comes),
        CASE(one_event_a_turn_leaves_the_descriptor_readable),
        CASE(two_queues_share_a_loop),
        CASE(a_detached_queue_leaves_nothing_in_the_loop),
        CASE(an_idle_loop_sleeps),
        CASE(a_callback_detaches_its_own_queue),
        CASE(a_callback_closes_the_database_of_its_default_queue),
        CASE(a_callback_detaches_the_other_queue),
        CASE(attaching_fails_without_a_queue_or_a_descriptor),
        CASE(no_wake_up_is_lost),
    };
    test_loop *first = loop_new();

    /* Some loops keep descriptors for the whole process once there was one; no test is to be blamed for them.
     */
    if (!first || !loop_free(first))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
