/*
 * Streams that share a live query: §8 of the reference's behaviours (S07, S15, S32) and what follows from
 * sharing. Runs are counted, so that a stream that was served by another one's run shows.
 */
#include "fixture.h"

#include <malloc.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', value INTEGER)"
#define COUNT "SELECT count(*) FROM items"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, ITEMS);
}

/* One run serves all streams of a query, and each of them keeps its own counts. */
static void equal_queries_run_once(void **state)
{
    fixture *f = *state;
    probe *p[5];

    start(f);
    for (size_t i = 0; i < LENGTH(p); i++)
        p[i] = WATCH(f, COUNT);
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_EVENT(p[i], "0");
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_EVENT(p[i], "1");
    EXPECT_QUIET(p[0]);
    for (size_t i = 0; i < LENGTH(p); i++) {
        /* The very same object, so it was made once. */
        assert_ptr_equal(p[i]->events[1].result, p[0]->events[1].result);
        assert_int_equal(probe_stats(p[i]).woken, 1);
        assert_int_equal(probe_stats(p[i]).emitted, 2);
        assert_true(probe_stats(p[i]).runs <= 2);
    }
}

/* Who joins a query whose answer is current gets that answer in the call, without a run. */
static void late_joiner_gets_the_answer_at_once(void **state)
{
    fixture *f = *state;
    rsq_stream_counters c;
    probe *a, *b;

    start(f);
    EXEC(f, "CREATE TABLE other(x)");
    a = WATCH(f, COUNT);
    EXPECT_EVENT(a, "0");
    EXEC(f, "INSERT INTO other VALUES (1)");
    EXPECT_QUIET(a);
    b = WATCH(f, COUNT);
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, 0));
    EXPECT_EVENT(b, "0");
    assert_ptr_equal(b->events[0].result, a->events[0].result);
    c = probe_stats(b);
    assert_int_equal(c.runs, 0);
    assert_int_equal(c.emitted, 1);
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    EXPECT_EVENT(a, "1");
    EXPECT_EVENT(b, "1");
    assert_int_equal(probe_stats(b).runs, 1);
}

static void set_value(fixture *f, int i)
{
    rsq_value v = rsq_integer(i);

    WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE items SET value = ?", &v, 1, NULL, NULL, &f->err));
}

/* Return when the only reader is busy, or when an event is there already. */
static void await_run(fixture *f)
{
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_code rc;

    do {
        rsq_result *r = NULL;

        rc = rsq_select(f->db, "SELECT 1", NULL, 0, &soon, &r, NULL);
        rsq_result_unref(r);
    } while (rc == RSQ_OK && rsq_queue_wait(f->queue, 0) != RSQ_OK);
}

/* A commit that the joiner's own thread made before is in the joiner's first event, whatever runs just then:
 * also when the query is being run, with a snapshot that is older. */
static void late_joiner_never_gets_an_older_answer(void **state)
{
    static const char slow[] =
        "WITH RECURSIVE slowly(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM slowly "
        "WHERE x < 50000) SELECT value FROM items WHERE (SELECT count(*) FROM slowly) > 0";
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    probe *a;

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 0)");
    a = WATCH(f, slow);
    EXPECT_EVENT(a, "0");
    for (int i = 2; i <= 20; i += 2) {
        char expected[16];
        probe *b;

        set_value(f, i - 1);
        await_run(f);
        set_value(f, i);
        b = WATCH(f, slow);
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_EVENT(b, expected);
        EXPECT_REACHES(a, expected);
        probe_close(b);
    }
}

/* S32: SQL and parameters tell queries apart, byte by byte and type by type. */
static void what_is_not_equal_is_not_shared(void **state)
{
    fixture *f = *state;
    const rsq_value values[] = {rsq_integer(1),    rsq_real(1.0),  rsq_text("1"),
                                rsq_blob("1", 1),  rsq_null(),     rsq_integer(2),
                                rsq_real(0.0),     rsq_real(-0.0), rsq_text_n("1\0002", 3),
                                rsq_text_n("", 0), rsq_blob("", 0)};
    probe *p[LENGTH(values)], *spaced;

    start(f);
    for (size_t i = 0; i < LENGTH(values); i++) {
        p[i] = WATCH_WITH(f, "SELECT typeof(?), (SELECT count(*) FROM items)", &values[i], 1);
        probe_await(p[i], __FILE__, __LINE__);
    }
    for (size_t i = 0; i < LENGTH(values); i++) {
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(p[i]->events[0].result, p[j]->events[0].result);
        assert_int_equal(probe_stats(p[i]).runs, 1);
    }
    EXPECT_RESULT(p[0]->events[0].result, "'integer'|0");
    EXPECT_RESULT(p[1]->events[0].result, "'real'|0");
    EXPECT_RESULT(p[4]->events[0].result, "'null'|0");
    spaced = WATCH(f, COUNT);
    probe_await(spaced, __FILE__, __LINE__);
    spaced = WATCH(f, COUNT " ");
    probe_await(spaced, __FILE__, __LINE__);
    assert_int_equal(probe_stats(spaced).runs, 1);
}

/* Equal parameters share, though their bytes lie somewhere else. */
static void equal_parameters_are_shared(void **state)
{
    fixture *f = *state;
    char one[] = "same", two[] = "same";
    rsq_value a = rsq_text(one), b = rsq_text(two);
    probe *p, *q;

    start(f);
    p = WATCH_WITH(f, "SELECT ? || count(*) FROM items", &a, 1);
    EXPECT_EVENT(p, "'same0'");
    memcpy(one, "gone", 4);
    q = WATCH_WITH(f, "SELECT ? || count(*) FROM items", &b, 1);
    EXPECT_EVENT(q, "'same0'");
    assert_ptr_equal(p->events[0].result, q->events[0].result);
}

/* S15: the others go on when one is closed, and after the last one a new one starts from the beginning. */
static void the_last_one_ends_it(void **state)
{
    fixture *f = *state;
    probe *a, *b;

    start(f);
    a = WATCH(f, COUNT);
    b = WATCH(f, COUNT);
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    probe_close(a);
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    EXPECT_EVENT(b, "1");
    probe_close(b);
    a = WATCH(f, COUNT);
    EXPECT_EVENT(a, "1");
    assert_int_equal(probe_stats(a).runs, 1);
}

/* What a consumer was handed is what its next event is compared with: there and back again is no event for
 * one that was away, and two for one that looked. */
static void there_and_back_again(void **state)
{
    fixture *f = *state;
    rsq_queue *away = NULL;
    rsq_stream_counters c;
    probe *fast, *slow;

    start(f);
    WANT(f, RSQ_OK, rsq_queue_new(&away, &f->err));
    fast = WATCH(f, COUNT);
    slow = probe_open(f, f->db, away, COUNT, NULL, 0, __FILE__, __LINE__);
    EXPECT_EVENT(fast, "0");
    EXPECT_EVENT(slow, "0");
    EXEC(f, "INSERT INTO items(id) VALUES (1)");
    EXPECT_EVENT(fast, "1");
    EXEC(f, "DELETE FROM items");
    EXPECT_EVENT(fast, "0");
    c = probe_stats(slow);
    assert_int_equal(c.emitted - c.replaced, 1);
    assert_int_equal(c.suppressed, 1);
    EXEC(f, "INSERT INTO items(id) VALUES (1), (2)");
    EXPECT_EVENT(fast, "2");
    EXPECT_EVENT(slow, "2");
    assert_int_equal(slow->count, 2);
    probe_close(slow);
    rsq_queue_free(away);
}

/* More consumers that are away, each since another answer, than are remembered while a run ends. */
static void there_and_back_again_for_many(void **state)
{
    fixture *f = *state;
    rsq_queue *away[24];
    probe *fast, *slow[LENGTH(away)];

    start(f);
    fast = WATCH(f, COUNT);
    EXPECT_EVENT(fast, "0");
    /* The i-th was handed the answer i. */
    for (int i = 0; i < (int)LENGTH(away); i++) {
        char expected[16];

        WANT(f, RSQ_OK, rsq_queue_new(&away[i], &f->err));
        slow[i] = probe_open(f, f->db, away[i], COUNT, NULL, 0, __FILE__, __LINE__);
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_EVENT(slow[i], expected);
        EXEC(f, "INSERT INTO items(value) VALUES (1)");
        snprintf(expected, sizeof expected, "%d", i + 1);
        EXPECT_EVENT(fast, expected);
    }
    for (int i = (int)LENGTH(away) - 1; i >= 0; i--) {
        char expected[16];

        EXEC(f, "DELETE FROM items WHERE id = (SELECT max(id) FROM items)");
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_EVENT(fast, expected);
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(away[i], 0, NULL));
        assert_int_equal(slow[i]->count, 1);
    }
    for (size_t i = 0; i < LENGTH(away); i++) {
        probe_close(slow[i]);
        rsq_queue_free(away[i]);
    }
}

/* An error reaches all streams. One that had an answer before stays; for one that comes now the SQL can never
 * work, as if it were alone. */
static void an_error_for_all(void **state)
{
    fixture *f = *state;
    probe *a, *b, *late;

    start(f);
    a = WATCH(f, COUNT);
    b = WATCH(f, COUNT);
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    EXEC(f, "DROP TABLE items");
    EXPECT_ERROR(a);
    EXPECT_ERROR(b);
    late = WATCH(f, COUNT);
    EXPECT_ERROR(late);
    assert_true(late->events[0].ended);
    EXPECT_END(late);
    EXEC(f, ITEMS);
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    EXPECT_QUIET(a);
}

/* All streams of a query that can never work end with the one error. */
static void a_hopeless_query_for_all(void **state)
{
    fixture *f = *state;
    probe *p[4];

    start(f);
    for (size_t i = 0; i < LENGTH(p); i++)
        p[i] = WATCH(f, "SELECT * FORM items");
    for (size_t i = 0; i < LENGTH(p); i++) {
        EXPECT_ERROR(p[i]);
        assert_true(p[i]->events[0].ended);
        EXPECT_END(p[i]);
    }
}

static void close_other(probe *p, const probe_event *ev, void *ctx)
{
    probe *other = ctx;

    (void)p;
    if (ev->kind == RSQ_EVENT_RESULT)
        rsq_stream_close(other->stream);
}

/* A callback may close another stream of its query; that one gets nothing but its end. */
static void closed_by_its_sibling(void **state)
{
    fixture *f = *state;
    probe *a, *b;

    start(f);
    a = WATCH(f, COUNT);
    b = WATCH(f, COUNT);
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "0");
    a->then = close_other;
    a->then_ctx = b;
    b->then = close_other;
    b->then_ctx = a;
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    while (a->ends + b->ends == 0) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_int_equal(a->results + b->results, 3);
    assert_int_equal(a->ends + b->ends, 1);
}

#define MANY 20000

static void count_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    size_t *counts = ctx;

    (void)s;
    counts[ev->kind]++;
}

/* Twenty thousand streams with a parameter each cost less than two KiB each, results included. */
static void many_streams_are_small(void **state)
{
    fixture *f = *state;
    rsq_stream **streams = calloc(MANY, sizeof *streams);
    size_t counts[4] = {0};
    rsq_stream_options opts = {.size = sizeof opts, .event = count_event, .ctx = counts};
    struct mallinfo2 before, after;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items(id, name, value) VALUES (1, 'one', 1)");
    assert_non_null(streams);
    opts.queue = fixture_queue(f);
    before = mallinfo2();
    for (int i = 0; i < MANY; i++) {
        rsq_value v = rsq_integer(i);

        WANT(f, RSQ_OK,
             rsq_stream_open(f->db, "SELECT name, value FROM items WHERE id = ?", &v, 1, &opts, &streams[i],
                             &f->err));
    }
    while (counts[RSQ_EVENT_RESULT] < MANY) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    after = mallinfo2();
    /* A sanitizer's allocator says 0. */
    if (after.uordblks > 0) {
        print_message("# %zu bytes a stream\n", (after.uordblks - before.uordblks) / MANY);
        assert_true(after.uordblks - before.uordblks < (size_t)2048 * MANY);
    }
    for (int i = 0; i < MANY; i++)
        rsq_stream_close(streams[i]);
    while (counts[RSQ_EVENT_END] < MANY) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(equal_queries_run_once),
        CASE(late_joiner_gets_the_answer_at_once),
        CASE(late_joiner_never_gets_an_older_answer),
        CASE(what_is_not_equal_is_not_shared),
        CASE(equal_parameters_are_shared),
        CASE(the_last_one_ends_it),
        CASE(there_and_back_again),
        CASE(there_and_back_again_for_many),
        CASE(an_error_for_all),
        CASE(a_hopeless_query_for_all),
        CASE(closed_by_its_sibling),
        CASE(many_streams_are_small),
    };

    return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
