/*
 * Asynchronous calls (issue 3, point 2): an op completes exactly once, its callback runs in a dispatch of its
 * queue and nowhere else, and its handle may be freed whenever its owner likes.
 *
 * Callbacks never assert, since a failed assertion jumps: they note what they saw in a tally that outlives
 * them, and the test looks at it. Cancelling and deadlines have their own file, test_cancel.c.
 */
#include "async_fixture.h"

#include <poll.h>

/* ------------------------------------------------------------------- callbacks -- */

/* What the callbacks of a test's ops saw. One thread dispatches at a time, so only `calls` is atomic. */
typedef struct tally {
    atomic_size_t calls;
    size_t failed;      /* of those, not RSQ_OK */
    size_t cancelled;   /* RSQ_ECANCELLED */
    size_t closed;      /* RSQ_ECLOSED */
    size_t pending;     /* RSQ_EPENDING, which none may be */
    int64_t sum;        /* of the first cells of all results that were there */
    pthread_t thread;   /* of the last call */
    rsq_op *op;         /* of the last call */
    bool take, free_it; /* what to do in the callback */
    void (*then)(struct tally *t, rsq_op *op);
    void *then_ctx;
} tally;

static void take_first_cell(tally *t, rsq_op *op)
{
    rsq_result *r = rsq_op_take_result(op);

    if (r)
        t->sum += rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
}

static void note_done(rsq_op *op, void *ctx)
{
    tally *t = ctx;
    rsq_code code = rsq_op_status(op);

    t->failed += code != RSQ_OK;
    t->cancelled += code == RSQ_ECANCELLED;
    t->closed += code == RSQ_ECLOSED;
    t->pending += code == RSQ_EPENDING;
    t->thread = pthread_self();
    t->op = op;
    if (t->take)
        take_first_cell(t, op);
    if (t->then)
        t->then(t, op);
    if (t->free_it)
        rsq_op_free(op);
    atomic_fetch_add(&t->calls, 1);
}

/* Options whose callback notes in `t`, on the fixture's queue. */
static rsq_op_options noting(fixture *f, tally *t)
{
    return (rsq_op_options){
        .size = sizeof(rsq_op_options), .queue = fixture_queue(f), .done = note_done, .ctx = t};
}

/* Dispatch until the tally has counted so many calls. */
static void dispatch_until(rsq_queue *q, tally *t, size_t calls)
{
    while (atomic_load(&t->calls) < calls) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, NULL));
    }
    assert_int_equal(atomic_load(&t->calls), calls);
}

/* Dispatch what waits; it must be so many callbacks. */
static void dispatch_exactly(rsq_queue *q, size_t expected)
{
    size_t n = SIZE_MAX;

    WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 0, &n));
    assert_int_equal(n, expected);
}

static void start(fixture *f, uint32_t readers)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = readers};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)");
    EXEC(f, "INSERT INTO t(name) VALUES ('alpha'), ('beta'), ('gamma')");
}

/* ------------------------------------------------------------- results and errors -- */

/* The answer of an op is the answer of rsq_select(); it can be taken once, and belongs to whoever took it,
 * also when the op and the database are gone. */
static void rows(void **state)
{
    fixture *f = *state;
    rsq_value id = rsq_integer(2);
    rsq_result *r;
    rsq_op *op;

    start(f, 2);
    op = op_submitted(f, "SELECT id, name FROM t WHERE id >= ? ORDER BY id", &id, 1, NULL);
    EXPECT_OP(op, RSQ_OK);
    r = rsq_op_take_result(op);
    assert_non_null(r);
    assert_null(rsq_op_take_result(op));
    assert_null(rsq_op_take_result(op));
    WANT_CODE(RSQ_OK, rsq_op_status(op));
    op_freed(op);
    fixture_close(f);
    EXPECT_RESULT(r, "2|'beta'\n3|'gamma'");
    assert_string_equal(rsq_result_column_name(r, 1), "name");
    rsq_result_unref(r);
}

/* JSON in each of its forms, and several queries in one snapshot, whose results come in order. */
static void json_and_several_queries(void **state)
{
    fixture *f = *state;
    rsq_op_options lines = {.size = sizeof lines, .json = RSQ_JSON_NDJSON};
    rsq_value two = rsq_integer(2);
    const rsq_query queries[] = {
        {.sql = "SELECT count(*) FROM t"},
        {.sql = "SELECT name FROM t WHERE id = ?", .params = &two, .nparams = 1},
        {.sql = "SELECT 3 WHERE 0 and so on", .sql_len = 16},
    };
    rsq_op *json = NULL, *all = NULL;
    rsq_result *r;

    start(f, 2);
    WANT_CODE(RSQ_OK, rsq_select_json_async(f->db, "SELECT * FROM t WHERE id < 3", NULL, 0, &lines, &json));
    WANT_CODE(RSQ_OK, rsq_select_all_async(f->db, queries, LENGTH(queries), NULL, &all));
    EXPECT_OP(op_kept(json), RSQ_OK);
    r = rsq_op_take_result(json);
    assert_string_equal(rsq_result_json(r, NULL),
                        "{\"id\":1,\"name\":\"alpha\"}\n{\"id\":2,\"name\":\"beta\"}\n");
    rsq_result_unref(r);
    op_freed(json);
    EXPECT_OP(op_kept(all), RSQ_OK);
    r = rsq_op_take_result(all);
    EXPECT_RESULT(r, "3");
    rsq_result_unref(r);
    r = rsq_op_take_result(all);
    EXPECT_RESULT(r, "'beta'");
    rsq_result_unref(r);
    op_freed(all); /* with the third, which nobody took */
}

/* Errors of the SQL come with the completion and are those of the blocking call; the same single reader
 * serves the next op. */
static void errors_come_with_the_completion(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *sql;
        rsq_code code;
    } wrong[] = {
        {"SELECT absent FROM t", RSQ_ESQL},
        {"SELECT", RSQ_ESQL},
        {"", RSQ_EINVAL},
        {"SELECT 1; SELECT 2", RSQ_EINVAL},
        {"SELECT ?", RSQ_EINVAL},
        {"INSERT INTO t(name) VALUES ('x')", RSQ_EREADONLY},
        {"BEGIN", RSQ_EREFUSED},
        {"ATTACH 'x' AS y", RSQ_EREFUSED},
        {"SELECT id, abs(CASE id WHEN 3 THEN -9223372036854775808 ELSE id END) FROM t", RSQ_ESQL},
        {"SELECT zeroblob(2000000000)", RSQ_ETOOBIG},
    };

    start(f, 1);
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        rsq_result *r = NULL;
        rsq_op *op = op_submitted(f, wrong[i].sql, NULL, 0, NULL);
        const rsq_error *error;

        EXPECT_OP(op, wrong[i].code);
        error = rsq_op_error(op);
        WANT(f, wrong[i].code, rsq_select(f->db, wrong[i].sql, NULL, 0, NULL, &r, &f->err));
        assert_string_equal(error->message, f->err.message);
        assert_int_equal(error->sqlite_code, f->err.sqlite_code);
        assert_int_equal(error->sql_offset, f->err.sql_offset);
        assert_null(rsq_op_take_result(op));
        op_freed(op);
        EXPECT_OP_ROWS(op_submitted(f, "SELECT count(*) FROM t", NULL, 0, NULL), "3");
    }
}

/* What is wrong with the call itself is said at once, and nothing is submitted. */
static void wrong_arguments(void **state)
{
    fixture *f = *state;
    const rsq_value unknown = {.type = 7}, nowhere = {.type = RSQ_TEXT, .len = 3};
    const rsq_query no_sql = {.sql = NULL}, query = {.sql = "SELECT 1"};
    rsq_op_options no_size = {.size = 0}, form = {.size = sizeof form, .json = 77};
    rsq_op_options of_later = {.size = sizeof of_later, .reserved = 1};
    tally t = {.calls = 0};
    rsq_op *op = NULL;

    start(f, 1);
    WANT_CODE(RSQ_EINVAL, rsq_select_async(NULL, "SELECT 1", NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, NULL, NULL, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT ?", NULL, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT ?", &unknown, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT ?", &nowhere, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT 1", NULL, 0, &no_size, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT 1", NULL, 0, &of_later, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT 1", NULL, 0, NULL, NULL)); /* nobody would know */
    WANT_CODE(RSQ_EINVAL, rsq_select_json_async(f->db, "SELECT 1", NULL, 0, &form, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_all_async(f->db, NULL, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_all_async(f->db, &query, 0, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_all_async(f->db, &no_sql, 1, NULL, &op));
    assert_null(op);

    WANT_CODE(RSQ_EINVAL, rsq_op_wait(NULL, 0));
    WANT_CODE(RSQ_EINVAL, rsq_op_status(NULL));
    assert_null(rsq_op_error(NULL));
    assert_null(rsq_op_take_result(NULL));
    rsq_op_cancel(NULL);
    rsq_op_free(NULL);

    no_size = noting(f, &t);
    fixture_close(f);
    WANT_CODE(RSQ_EINVAL, rsq_select_async(f->db, "SELECT 1", NULL, 0, &no_size, &op));
    dispatch_exactly(f->queue, 0);
}

/* A database that is closed takes no more ops, and calls nobody for those it refused. */
static void submitted_after_the_close(void **state)
{
    fixture *f = *state;
    const rsq_query query = {.sql = "SELECT 1"};
    tally t = {.calls = 0};
    rsq_op_options opts;
    rsq_op *op = NULL;

    start(f, 1);
    opts = noting(f, &t);
    WANT_CODE(RSQ_OK, rsq_close(f->db));
    WANT_CODE(RSQ_ECLOSED, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, &op));
    WANT_CODE(RSQ_ECLOSED, rsq_select_json_async(f->db, "SELECT 1", NULL, 0, &opts, &op));
    WANT_CODE(RSQ_ECLOSED, rsq_select_all_async(f->db, &query, 1, &opts, &op));
    assert_null(op);
    dispatch_exactly(f->queue, 0);
    assert_int_equal(atomic_load(&t.calls), 0);
}

/* SQL and parameters are copied: the caller's memory is his again at once. The length of the SQL counts. */
static void arguments_are_copied(void **state)
{
    fixture *f = *state;
    rsq_op *ops[50];

    start(f, 1);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        char *sql = strdup("SELECT ?1 || '!', length(?2), ?3, ?4, ?5 garbage");
        char *text = strdup("some text"), *blob = strdup("12345");
        rsq_value *params = calloc(5, sizeof *params);
        rsq_op_options opts = {.size = sizeof opts, .sql_len = strlen(sql) - strlen(" garbage")};

        params[0] = rsq_text_n(text, 4 + (uint32_t)(i % 2) * 5);
        params[1] = rsq_blob(blob, 5);
        params[2] = rsq_integer((int64_t)i);
        params[3] = rsq_real(0.5);
        ops[i] = op_submitted(f, sql, params, 5, &opts);
        memset(sql, '?', strlen(sql));
        memset(text, '?', strlen(text));
        memset(blob, '?', strlen(blob));
        memset(params, 0x77, 5 * sizeof *params);
        free(sql);
        free(text);
        free(blob);
        free(params);
    }
    for (size_t i = 0; i < LENGTH(ops); i++) {
        char expected[64];

        snprintf(expected, sizeof expected, "'%s!'|5|%zu|0.5|NULL", i % 2 ? "some text" : "some", i);
        EXPECT_OP_ROWS(ops[i], expected);
    }
}

/* ------------------------------------------------------------------- the callback -- */

/* A completed op calls nobody until its queue is dispatched, then its callback once, on that thread. */
static void done_is_called_by_the_dispatch(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0};
    rsq_op_options opts;
    rsq_op *op;

    start(f, 2);
    opts = noting(f, &t);
    op = op_submitted(f, "SELECT 42", NULL, 0, &opts);
    EXPECT_OP(op, RSQ_OK);
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    assert_int_equal(atomic_load(&t.calls), 0);
    dispatch_exactly(f->queue, 1);
    assert_int_equal(atomic_load(&t.calls), 1);
    assert_true(pthread_equal(t.thread, pthread_self()));
    assert_ptr_equal(t.op, op);
    assert_int_equal(t.failed, 0);
    dispatch_exactly(f->queue, 0);
    EXPECT_OP_ROWS(op, "42"); /* the callback took nothing: it is still here */
    dispatch_exactly(f->queue, 0);
}

/* Without a queue of its own an op is delivered by the database's; at most `max` of them in one dispatch. */
static void default_queue(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts = {.size = sizeof opts, .done = note_done, .ctx = &t};
    rsq_queue *q;
    rsq_op *ops[3];
    size_t n = 0;

    start(f, 2);
    q = rsq_queue_default(f->db);
    for (size_t i = 0; i < LENGTH(ops); i++)
        ops[i] = op_submitted(f, "SELECT 7", NULL, 0, &opts);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        EXPECT_OP(ops[i], RSQ_OK);
        op_freed(ops[i]);
    }
    while (n < 2) {
        size_t now = 0;

        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 1, &now));
        assert_true(now <= 1);
        n += now;
        assert_int_equal(atomic_load(&t.calls), n);
    }
    dispatch_until(q, &t, 3);
    assert_int_equal(t.sum, 21);
}

/* The queue's descriptor is readable from the completion to the dispatch, and not before or after. */
static void descriptor_is_a_level(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;
    struct pollfd p = {.events = POLLIN};

    start(f, 2);
    opts = noting(f, &t);
    p.fd = rsq_queue_fd(f->queue);
    assert_true(p.fd >= 0);
    for (size_t i = 1; i <= 100; i++) {
        assert_int_equal(poll(&p, 1, 0), 0);
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
        assert_int_equal(poll(&p, 1, (int)FIXTURE_DEADLINE_MS), 1);
        assert_int_equal(poll(&p, 1, 0), 1);
        dispatch_exactly(f->queue, 1);
        assert_int_equal(atomic_load(&t.calls), i);
    }
    assert_int_equal(poll(&p, 1, 0), 0);
}

/* ---------------------------------------------------------------- a loop of messages -- */

/* A mailbox as the loops of GUI toolkits have one. It outlives the test, as all that callbacks touch. */
static struct mailbox {
    pthread_mutex_t mu;
    pthread_cond_t came;
    size_t messages; /* that wait, */
    size_t sent;     /* and all there were */
} box = {.mu = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void send_message(rsq_queue *q, void *ctx)
{
    struct mailbox *b = ctx;

    (void)q;
    pthread_mutex_lock(&b->mu);
    b->messages++;
    b->sent++;
    pthread_cond_signal(&b->came);
    pthread_mutex_unlock(&b->mu);
}

/* Returns false if none came in time. */
static bool take_message(struct mailbox *b)
{
    struct timespec until;
    bool came;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FIXTURE_DEADLINE_MS / 1000;
    pthread_mutex_lock(&b->mu);
    while (b->messages == 0 && pthread_cond_timedwait(&b->came, &b->mu, &until) == 0)
        ;
    came = b->messages > 0;
    b->messages -= came;
    pthread_mutex_unlock(&b->mu);
    return came;
}

/* No answer is lost, and there is at most one message for each. */
static void loop_of_messages(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;

    start(f, 3);
    opts = noting(f, &t);
    box.messages = box.sent = 0;
    WANT_CODE(RSQ_OK, rsq_queue_set_wakeup(f->queue, send_message, &box));
    for (size_t i = 1; i <= 500; i++) {
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
        if (i % 3 == 0)
            continue; /* so that some wait together */
        assert_true(take_message(&box));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, i % 2, NULL));
    }
    while (atomic_load(&t.calls) < 500) {
        assert_true(take_message(&box));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_int_equal(t.sum, 500);
    assert_true(box.sent > 0 && box.sent <= 1000);
    /* From here on nobody calls it, whoever is still busy. */
    for (int i = 0; i < 50; i++)
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
    WANT_CODE(RSQ_OK, rsq_queue_set_wakeup(f->queue, NULL, NULL));
    box.sent = 0;
    dispatch_until(f->queue, &t, 550);
    assert_int_equal(box.sent, 0);
}

/* Fire and forget: without a handle the op lives until its callback returns, which can take the result. */
static void without_a_handle(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;
    int64_t sum = 0;

    start(f, 3);
    opts = noting(f, &t);
    for (int64_t i = 1; i <= 500; i++) {
        rsq_value v = rsq_integer(i);

        sum += i;
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT ?", &v, 1, &opts, NULL));
    }
    dispatch_until(f->queue, &t, 500);
    dispatch_exactly(f->queue, 0);
    assert_int_equal(t.failed, 0);
    assert_int_equal(t.sum, sum);
}

/* A handle may be freed before the completion: the op goes on, and its callback is called with an op that is
 * good until it returns. Without a callback nobody hears of it, and nothing is left. */
static void freed_before_the_completion(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;

    start(f, 2);
    opts = noting(f, &t);
    for (int i = 0; i < 300; i++) {
        rsq_op *op = NULL;

        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 2", NULL, 0, i % 3 ? &opts : NULL, &op));
        rsq_op_free(op);
    }
    dispatch_until(f->queue, &t, 200);
    assert_int_equal(t.sum, 400);
    assert_int_equal(t.failed, 0);
    EXPECT_ROWS(f, "SELECT count(*) FROM t", "3");
}

/* A handle may be freed by its own callback. */
static void freed_inside_done(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true, .free_it = true};
    rsq_op_options opts;

    start(f, 2);
    opts = noting(f, &t);
    for (int i = 0; i < 300; i++) {
        rsq_op *op = NULL;

        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 2", NULL, 0, &opts, &op));
    }
    dispatch_until(f->queue, &t, 300);
    assert_int_equal(t.sum, 600);
    assert_int_equal(t.failed, 0);
}

/* The calls of a callback: a submission, a wait for another op (whose callback is on the same queue), a
 * blocking read and a write. */
static void call_from_done(tally *t, rsq_op *op)
{
    fixture *f = t->then_ctx;
    rsq_op_options opts;
    rsq_result *r = NULL;
    rsq_op *inner = NULL;

    (void)op;
    t->then = NULL;
    opts = noting(f, t);
    if (rsq_select_async(f->db, "SELECT 20", NULL, 0, &opts, &inner) != RSQ_OK)
        return;
    if (rsq_op_wait(inner, FIXTURE_DEADLINE_MS) == RSQ_OK && rsq_op_status(inner) == RSQ_OK)
        t->sum += 1;
    if (rsq_queue_wait(f->queue, 0) == RSQ_EMISUSE)
        t->sum += 2;
    if (rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, NULL) == RSQ_OK)
        t->sum += 4;
    rsq_result_unref(r);
    if (rsq_execute(f->db, "INSERT INTO t VALUES (9, 'nine')", NULL, 0, NULL, NULL, NULL) == RSQ_OK)
        t->sum += 8;
    rsq_op_free(inner);
}

static void calls_in_a_callback(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true, .then = call_from_done, .then_ctx = f};
    rsq_op_options opts;

    start(f, 1);
    opts = noting(f, &t);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 100", NULL, 0, &opts, NULL));
    dispatch_until(f->queue, &t, 2);
    assert_int_equal(t.sum, 100 + 1 + 2 + 4 + 8 + 20);
    EXPECT_ROWS(f, "SELECT name FROM t WHERE id = 9", "'nine'");
}

/* A callback that submits the next op, again and again; none of the calls is inside another. */
static void submit_next(tally *t, rsq_op *op)
{
    fixture *f = t->then_ctx;
    rsq_op_options opts = noting(f, t);

    (void)op;
    if (atomic_load(&t->calls) + 1 < 1000 &&
        rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL) != RSQ_OK)
        t->failed++;
}

static void chain_of_callbacks(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true, .then = submit_next, .then_ctx = f};
    rsq_op_options opts;

    start(f, 2);
    opts = noting(f, &t);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
    dispatch_until(f->queue, &t, 1000);
    assert_int_equal(t.sum, 1000);
    assert_int_equal(t.failed, 0);
}

/* ----------------------------------------------------------------- waits and order -- */

static void wait_for_op(size_t index, void *ctx)
{
    void **args = ctx;
    verdict *v = args[1];
    uint32_t limit = index % 2 ? FIXTURE_DEADLINE_MS : UINT32_MAX;

    if (index == 0) { /* the one that ends the waiting of the others */
        BLAME(v, rsq_op_wait(args[0], 5) == RSQ_ETIMEOUT, NULL);
        rsq_op_cancel(args[0]);
    }
    BLAME(v, rsq_op_wait(args[0], limit) == RSQ_OK, NULL);
    BLAME(v, rsq_op_status(args[0]) == RSQ_ECANCELLED, NULL);
}

/* A wait ends at its limit or with the op; all threads that wait are woken; a later wait returns at once. */
static void waits_with_limits(void **state)
{
    fixture *f = *state;
    uint64_t began;
    verdict v;
    rsq_op *op;
    void *args[2];

    start(f, 1);
    op = endless_start(f);
    WANT_CODE(RSQ_ETIMEOUT, rsq_op_wait(op, 0));
    began = now_ns();
    WANT_CODE(RSQ_ETIMEOUT, rsq_op_wait(op, 30));
    assert_true(ms_since(began) >= 30);
    WANT_CODE(RSQ_EPENDING, rsq_op_status(op));
    assert_null(rsq_op_error(op));
    assert_null(rsq_op_take_result(op));
    args[0] = op;
    args[1] = &v;
    verdict_init(&v);
    crew_run(5, wait_for_op, args);
    VERDICT(&v);
    WANT_CODE(RSQ_OK, rsq_op_wait(op, 0));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, UINT32_MAX));
    EXPECT_OP(op, RSQ_ECANCELLED);
    op_freed(op);
}

/* Ops complete in their own time: one that takes long holds up none but those that need its reader. Each time
 * with a new database, whose threads are just starting, spin, or have gone to sleep. */
static void order_of_completion(void **state)
{
    fixture *f = *state;

    for (int round = 0; round < 60; round++) {
        rsq_op *slow, *quick[40];

        start(f, 2);
        slow = endless_start(f);
        for (size_t i = 0; i < LENGTH(quick); i++)
            quick[i] = op_submitted(f, "SELECT count(*) FROM t", NULL, 0, NULL);
        for (size_t i = 0; i < LENGTH(quick); i++)
            EXPECT_OP_ROWS(quick[i], "3");
        WANT_CODE(RSQ_EPENDING, rsq_op_status(slow));
        endless_stop(slow);
        fixture_close(f);
        remove(f->path);
    }
}

/* R24: as many slow ops as there are readers run at the same time, also when all workers were asleep. */
static void all_readers_are_used(void **state)
{
    fixture *f = *state;
    rsq_op *ops[4];

    start(f, LENGTH(ops));
    for (int round = 0; round < 25; round++) {
        for (size_t i = 0; i < LENGTH(ops); i++)
            ops[i] = endless_start(f);
        await_held(f, LENGTH(ops));
        for (size_t i = 0; i < LENGTH(ops); i++)
            endless_stop(ops[i]);
        WANT_CODE(RSQ_ETIMEOUT, rsq_queue_wait(fixture_queue(f), (uint32_t)round % 2));
    }
}

/* An op that was submitted after a write returned reads what was written, and its number says so. */
static void reads_after_writes(void **state)
{
    fixture *f = *state;

    start(f, 3);
    for (int64_t i = 1; i <= 300; i++) {
        rsq_value v[2] = {rsq_integer(100), rsq_integer(i)};
        rsq_result *w = NULL, *r;
        rsq_op *op;

        WANT(f, RSQ_OK,
             rsq_execute(f->db, "INSERT OR REPLACE INTO t VALUES (?, ?)", v, 2, NULL, &w, &f->err));
        op = op_submitted(f, "SELECT CAST(name AS INTEGER) FROM t WHERE id = 100", NULL, 0, NULL);
        EXPECT_OP(op, RSQ_OK);
        r = rsq_op_take_result(op);
        assert_int_equal(rsq_result_int64(r, 0, 0), i);
        assert_true(rsq_result_commit_seq(r) == rsq_result_commit_seq(w));
        rsq_result_unref(r);
        rsq_result_unref(w);
        op_freed(op);
    }
}

static rsq_code read_beside_the_transaction(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r = NULL;
    rsq_op *op = NULL;
    rsq_code code = rsq_tx_execute(tx, "DELETE FROM t", NULL, 0, NULL, NULL, &f->err);

    if (code == RSQ_OK)
        code = rsq_select_async(f->db, "SELECT count(*) FROM t", NULL, 0, NULL, &op);
    if (code == RSQ_OK)
        code = rsq_op_wait(op, FIXTURE_DEADLINE_MS);
    if (code == RSQ_OK) {
        r = rsq_op_take_result(op);
        code = r && rsq_result_int64(r, 0, 0) == 3 ? RSQ_OK : RSQ_EINVAL;
    }
    rsq_result_unref(r);
    rsq_op_free(op);
    return code;
}

/* An op submitted inside a transaction function runs on a reader, beside the transaction: it sees what is
 * committed. */
static void beside_a_transaction(void **state)
{
    fixture *f = *state;

    start(f, 2);
    WANT(f, RSQ_OK, rsq_transaction(f->db, read_beside_the_transaction, f, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT count(*) FROM t", "0");
}

/* The one connection of a database in memory serves ops as well, in turn with all other calls. */
static void memory_database(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;

    f->db = fixture_open_path(f, ":memory:", NULL);
    opts = noting(f, &t);
    EXEC(f, "CREATE TABLE t(x)");
    for (int i = 0; i < 200; i++) {
        EXEC(f, "INSERT INTO t VALUES (1)");
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT count(*) > 0 FROM t", NULL, 0, &opts, NULL));
    }
    EXPECT_OP_ROWS(op_submitted(f, "SELECT count(*) FROM t", NULL, 0, NULL), "200");
    dispatch_until(f->queue, &t, 200);
    assert_int_equal(t.sum, 200);
}

/* ------------------------------------------------------------------- exactly once -- */

#define QUEUES 3
#define SUBMITTERS 4
#define WINDOW 50

/* What becomes of an op of the great mix. */
enum {
    PLAIN,
    AS_JSON,
    SEVERAL,
    FAILING,
    NO_HANDLE,
    FREED_EARLY,
    FREED_IN_DONE,
    CANCELLED,
    IN_A_HURRY,
    KINDS
};

typedef struct mixed_op {
    struct mix *mix;
    size_t queue;
    unsigned kind;
    int64_t value;
    rsq_op *op;
    atomic_int completions;
} mixed_op;

typedef struct mix {
    fixture *f;
    verdict verdict;
    size_t per_thread;
    uint64_t seed;
    mixed_op *ops; /* SUBMITTERS times per_thread */
    rsq_queue *queues[QUEUES];
    pthread_t dispatchers[QUEUES];
    atomic_size_t expected[QUEUES]; /* callbacks that are still to come, and one for the end of submitting */
    atomic_size_t finished;         /* submitters */
    atomic_size_t outcomes[3];      /* of ops that were cancelled or in a hurry: well, so, neither */
} mix;

static bool is_value(rsq_result *r, int64_t value)
{
    bool same = r && rsq_result_rows(r) == 1 && rsq_result_int64(r, 0, 0) == value;

    rsq_result_unref(r);
    return same;
}

static bool is_json_value(rsq_result *r, int64_t value)
{
    char expected[64];
    bool same;

    snprintf(expected, sizeof expected, "[{\"v\":%" PRId64 "}]", value);
    same = r && strcmp(rsq_result_json(r, NULL), expected) == 0;
    rsq_result_unref(r);
    return same;
}

/* A completed op must have come out as its kind says; takes the result. */
static void check_outcome(mixed_op *m, rsq_op *op)
{
    verdict *v = &m->mix->verdict;
    rsq_code code = rsq_op_status(op);
    rsq_code either = m->kind == CANCELLED ? RSQ_ECANCELLED : RSQ_ETIMEOUT;

    if (m->kind == FAILING) {
        BLAME(v, code == RSQ_ESQL && rsq_op_error(op), rsq_op_error(op));
        BLAME(v, !rsq_op_take_result(op), NULL);
        return;
    }
    if (m->kind == CANCELLED || m->kind == IN_A_HURRY) {
        atomic_fetch_add(&m->mix->outcomes[code == RSQ_OK ? 0 : code == either ? 1 : 2], 1);
        BLAME(v, code == RSQ_OK || code == either, rsq_op_error(op));
        if (code != RSQ_OK)
            return;
    }
    BLAME(v, code == RSQ_OK, rsq_op_error(op));
    if (m->kind == AS_JSON)
        BLAME(v, is_json_value(rsq_op_take_result(op), m->value), NULL);
    else
        BLAME(v, is_value(rsq_op_take_result(op), m->value), NULL);
    if (m->kind == SEVERAL)
        BLAME(v, is_value(rsq_op_take_result(op), m->value + 1), NULL);
    BLAME(v, !rsq_op_take_result(op), NULL);
}

static void mixed_done(rsq_op *op, void *ctx)
{
    mixed_op *m = ctx;
    verdict *v = &m->mix->verdict;

    BLAME(v, pthread_equal(pthread_self(), m->mix->dispatchers[m->queue]), NULL);
    BLAME(v, atomic_fetch_add(&m->completions, 1) == 0, NULL);
    /* Written before the first callback can run, so reading it here is no race. */
    BLAME(v, m->kind == NO_HANDLE || m->op == op, NULL);
    if (m->kind >= NO_HANDLE && m->kind <= FREED_IN_DONE)
        check_outcome(m, op);
    if (m->kind == FREED_IN_DONE)
        rsq_op_free(op);
    atomic_fetch_sub(&m->mix->expected[m->queue], 1);
}

static rsq_code submit_mixed(mixed_op *m)
{
    rsq_db *db = m->mix->f->db;
    rsq_value params[2] = {rsq_integer(m->value), rsq_integer(m->value + 1)};
    rsq_op_options opts = {
        .size = sizeof opts, .queue = m->mix->queues[m->queue], .done = mixed_done, .ctx = m};
    const rsq_query queries[] = {
        {.sql = "SELECT ?", .params = &params[0], .nparams = 1},
        {.sql = "SELECT ?", .params = &params[1], .nparams = 1},
    };

    switch (m->kind) {
    case AS_JSON:
        return rsq_select_json_async(db, "SELECT ? AS v", params, 1, &opts, &m->op);
    case SEVERAL:
        return rsq_select_all_async(db, queries, 2, &opts, &m->op);
    case FAILING:
        return rsq_select_async(db, "SELECT abs(-9223372036854775808)", NULL, 0, &opts, &m->op);
    case NO_HANDLE:
        return rsq_select_async(db, "SELECT ?", params, 1, &opts, NULL);
    case IN_A_HURRY:
        opts.timeout_ms = 1;
        break;
    default:
        break;
    }
    return rsq_select_async(db, "SELECT ? FROM (SELECT count(*) FROM t)", params, 1, &opts, &m->op);
}

static void submit_some(mix *x, uint64_t *seed, mixed_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mixed_op *m = &ops[i];
        uint64_t dice = fixture_random(seed);

        m->mix = x;
        m->queue = dice % QUEUES;
        m->kind = (unsigned)(dice >> 8) % KINDS;
        m->value = (int64_t)(dice >> 16);
        atomic_fetch_add(&x->expected[m->queue], 1);
        BLAME(&x->verdict, submit_mixed(m) == RSQ_OK, NULL);
        if (m->kind == FREED_EARLY)
            rsq_op_free(m->op);
        if (m->kind == CANCELLED)
            rsq_op_cancel(m->op);
    }
    for (size_t i = 0; i < n; i++) {
        mixed_op *m = &ops[i];

        if (m->kind >= NO_HANDLE && m->kind <= FREED_IN_DONE)
            continue;
        BLAME(&x->verdict, rsq_op_wait(m->op, FIXTURE_DEADLINE_MS) == RSQ_OK, NULL);
        check_outcome(m, m->op);
        rsq_op_free(m->op);
    }
}

static void dispatch_all(mix *x, size_t queue)
{
    x->dispatchers[queue] = pthread_self();
    while (atomic_load(&x->expected[queue]) > 0) {
        rsq_code code = rsq_queue_wait(x->queues[queue], FIXTURE_DEADLINE_MS);

        BLAME(&x->verdict, code == RSQ_OK, NULL);
        if (code != RSQ_OK || rsq_queue_dispatch(x->queues[queue], 0, NULL) != RSQ_OK)
            return;
    }
}

static void mix_thread(size_t index, void *ctx)
{
    mix *x = ctx;
    uint64_t seed = x->seed + index;

    if (index < QUEUES) {
        dispatch_all(x, index);
        return;
    }
    for (size_t done = 0; done < x->per_thread; done += WINDOW)
        submit_some(x, &seed, &x->ops[(index - QUEUES) * x->per_thread + done], WINDOW);
}

/* The op that lets a queue's dispatcher end: submitted by nobody, counted from the start. */
static void mix_ended(rsq_op *op, void *ctx)
{
    (void)op;
    atomic_fetch_sub((atomic_size_t *)ctx, 1);
}

static void submit_thread(size_t index, void *ctx)
{
    mix *x = ctx;

    mix_thread(index, ctx);
    if (index < QUEUES)
        return;
    if (atomic_fetch_add(&x->finished, 1) + 1 < SUBMITTERS)
        return;
    /* All are submitted: one last op for each queue, so that its dispatcher wakes and sees that. */
    for (size_t q = 0; q < QUEUES; q++) {
        rsq_op_options opts = {
            .size = sizeof opts, .queue = x->queues[q], .done = mix_ended, .ctx = &x->expected[q]};

        BLAME(&x->verdict, rsq_select_async(x->f->db, "SELECT 1", NULL, 0, &opts, NULL) == RSQ_OK, NULL);
    }
}

/* Thousands of ops of all kinds, submitted by several threads for several queues, each with its own
 * dispatching thread: every one completes exactly once, on its queue's thread, with its own outcome. */
static void every_op_completes_once(void **state)
{
    fixture *f = *state;
    mix x = {.f = f, .per_thread = 40 * WINDOW};

    start(f, 3);
    x.seed = fixture_seed("every_op_completes_once");
    x.ops = calloc(SUBMITTERS * x.per_thread, sizeof *x.ops);
    assert_non_null(x.ops);
    verdict_init(&x.verdict);
    for (size_t q = 0; q < QUEUES; q++) {
        WANT(f, RSQ_OK, rsq_queue_new(&x.queues[q], &f->err));
        atomic_init(&x.expected[q], 1);
    }
    crew_run(QUEUES + SUBMITTERS, submit_thread, &x);
    VERDICT(&x.verdict);
    for (size_t i = 0; i < SUBMITTERS * x.per_thread; i++)
        assert_int_equal(atomic_load(&x.ops[i].completions), 1);
    fixture_close(f);
    for (size_t q = 0; q < QUEUES; q++) {
        dispatch_exactly(x.queues[q], 0);
        rsq_queue_free(x.queues[q]);
    }
    print_message("# cancelled or in a hurry: %zu well, %zu stopped\n", atomic_load(&x.outcomes[0]),
                  atomic_load(&x.outcomes[1]));
    free(x.ops);
}

/* ------------------------------------------------------------------------- the end -- */

#if FIXTURE_UNDER_TSAN
#define COUNTED "150000"
#else
#define COUNTED "600000"
#endif

/* Ops that run long enough to be caught running, all `n` of them and so on all `n` readers, but do end. On a
 * busy machine they may have ended before anybody looked; then it is tried again. */
static void start_together(fixture *f, rsq_op **ops, size_t n, const rsq_op_options *opts)
{
    for (int tries = 0; tries < 50; tries++) {
        bool all_run = true, held = false;

        for (size_t i = 0; i < n; i++)
            ops[i] = op_submitted(f, COUNT_TO(COUNTED), NULL, 0, opts);
        while (all_run && !held) {
            held = readers_are_held(f, n);
            for (size_t i = 0; i < n; i++)
                all_run = all_run && rsq_op_status(ops[i]) == RSQ_EPENDING;
        }
        if (all_run)
            return;
        for (size_t i = 0; i < n; i++)
            EXPECT_OP_ROWS(ops[i], COUNTED);
    }
    fail_msg("the ops never ran together");
}

/* Ops of a database that is closed: those that run finish, those that wait get RSQ_ECLOSED, each completes
 * once. With the default queue the callbacks run inside rsq_close(), on its thread. */
static void close_with_ops_on_the_default_queue(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0};
    rsq_op_options opts = {.size = sizeof opts, .done = note_done, .ctx = &t};
    rsq_op *running[2], *queued[40];
    size_t before;

    start(f, 2);
    start_together(f, running, LENGTH(running), &opts);
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(rsq_queue_default(f->db), 0, NULL));
    before = atomic_load(&t.calls); /* those of a start that was not together */
    for (size_t i = 0; i < LENGTH(queued); i++)
        queued[i] = op_submitted(f, "SELECT 1", NULL, 0, &opts);
    fixture_close(f);
    assert_int_equal(atomic_load(&t.calls), before + LENGTH(running) + LENGTH(queued));
    assert_true(pthread_equal(t.thread, pthread_self()));
    for (size_t i = 0; i < LENGTH(running); i++)
        EXPECT_OP_ROWS(running[i], COUNTED);
    for (size_t i = 0; i < LENGTH(queued); i++) {
        EXPECT_OP(queued[i], RSQ_ECLOSED);
        rsq_op_cancel(queued[i]); /* too late to matter */
        EXPECT_OP(queued[i], RSQ_ECLOSED);
        op_freed(queued[i]);
    }
    assert_int_equal(t.closed, LENGTH(queued));
    assert_int_equal(t.failed, LENGTH(queued));
}

/* On a queue of the program's own they wait to be dispatched, and the results live on. */
static void close_with_ops_on_an_own_queue(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;
    rsq_op *running;

    start(f, 1);
    opts = noting(f, &t);
    start_together(f, &running, 1, NULL);
    for (size_t i = 0; i < 20; i++)
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
    fixture_close(f);
    assert_int_equal(atomic_load(&t.calls), 0);
    dispatch_exactly(f->queue, 20);
    assert_int_equal(t.closed, 20);
    assert_int_equal(t.failed, 20);
    dispatch_exactly(f->queue, 0);
    EXPECT_OP_ROWS(running, COUNTED);
}

static void close_in_done(tally *t, rsq_op *op)
{
    (void)op;
    t->then = NULL;
    if (rsq_close(t->then_ctx) != RSQ_OK)
        t->pending++;
}

/* The database may be closed by a callback: on its own queue the other callbacks run inside that close. */
static void close_in_a_callback(void **state)
{
    fixture *f = *state;

    for (int own = 0; own < 2; own++) {
        tally t = {.calls = 0, .take = true, .then = close_in_done};
        rsq_op_options opts;
        rsq_queue *q;

        start(f, 2);
        opts = noting(f, &t);
        q = own ? f->queue : rsq_queue_default(f->db);
        opts.queue = own ? q : NULL;
        t.then_ctx = f->db;
        for (int i = 0; i < 30; i++)
            WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 1", NULL, 0, &opts, NULL));
        WANT_CODE(RSQ_OK, rsq_queue_wait(q, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(q, 1, NULL));
        if (own)
            dispatch_exactly(q, 29);
        assert_int_equal(atomic_load(&t.calls), 30);
        assert_int_equal(t.pending, 0);
        assert_int_equal(t.failed, t.closed);
        assert_int_equal(t.sum, 30 - (int64_t)t.closed);
        fixture_close(f);
        remove(f->path);
    }
}

/* A wait for an op that another thread's close completes ends with it. */
typedef struct closing {
    fixture *f;
    rsq_op *op;
    verdict verdict;
} closing;

static void wait_or_close(size_t index, void *ctx)
{
    closing *c = ctx;

    if (index == 0) {
        BLAME(&c->verdict, rsq_close(c->f->db) == RSQ_OK, NULL);
        return;
    }
    BLAME(&c->verdict, rsq_op_wait(c->op, FIXTURE_DEADLINE_MS) == RSQ_OK, NULL);
    BLAME(&c->verdict, rsq_op_status(c->op) == RSQ_ECLOSED, rsq_op_error(c->op));
}

static void waiting_while_closed(void **state)
{
    fixture *f = *state;
    closing c = {.f = f};
    rsq_op *running;

    start(f, 1);
    start_together(f, &running, 1, NULL);
    c.op = op_submitted(f, "SELECT 1", NULL, 0, NULL);
    verdict_init(&c.verdict);
    crew_run(4, wait_or_close, &c);
    VERDICT(&c.verdict);
    EXPECT_OP_ROWS(running, COUNTED);
    op_freed(c.op);
}

/* A queue that is freed drops what waits in it and what would come: the callbacks are not called, the ops
 * complete all the same, and freed ones leave nothing behind. */
static void queue_freed_first(void **state)
{
    fixture *f = *state;
    tally t = {.calls = 0, .take = true};
    rsq_op_options opts;
    rsq_op *running, *queued, *completed;

    start(f, 1);
    opts = noting(f, &t);
    completed = op_submitted(f, "SELECT 5", NULL, 0, &opts);
    EXPECT_OP(completed, RSQ_OK);
    running = op_submitted(f, ENDLESS, NULL, 0, &opts);
    await_held(f, 1);
    queued = op_submitted(f, "SELECT 6", NULL, 0, &opts);
    WANT_CODE(RSQ_OK, rsq_select_async(f->db, "SELECT 7", NULL, 0, &opts, NULL));
    rsq_queue_free(f->queue);
    f->queue = NULL;
    endless_stop(running);
    EXPECT_OP_ROWS(queued, "6");
    EXPECT_OP_ROWS(completed, "5");
    fixture_close(f);
    assert_int_equal(atomic_load(&t.calls), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows),
        CASE(json_and_several_queries),
        CASE(errors_come_with_the_completion),
        CASE(wrong_arguments),
        CASE(submitted_after_the_close),
        CASE(arguments_are_copied),
        CASE(done_is_called_by_the_dispatch),
        CASE(default_queue),
        CASE(descriptor_is_a_level),
        CASE(loop_of_messages),
        CASE(without_a_handle),
        CASE(freed_before_the_completion),
        CASE(freed_inside_done),
        CASE(calls_in_a_callback),
        CASE(chain_of_callbacks),
        CASE(waits_with_limits),
        CASE(order_of_completion),
        CASE(all_readers_are_used),
        CASE(reads_after_writes),
        CASE(beside_a_transaction),
        CASE(memory_database),
        CASE(every_op_completes_once),
        CASE(close_with_ops_on_the_default_queue),
        CASE(close_with_ops_on_an_own_queue),
        CASE(close_in_a_callback),
        CASE(waiting_while_closed),
        CASE(queue_freed_first),
    };

    return cmocka_run_group_tests_name("asynchronous calls", tests, NULL, NULL);
}
