/*
 * Asynchronous reads in chunks: rsq_select_async() and its like with `chunk_rows`.
 *
 * The chunks must be the answer, in order and of one commit; the consumer sets the pace; and the read ends in
 * many ways: its last row, a failure, either limit, a cancel, the freeing of its handle, the close of the
 * database. For each of them: it completes exactly once, with its own code, and its reader is back, which is
 * seen without time: with two readers a second read in chunks is refused as long as the first one has its.
 *
 * Callbacks never assert; see async_fixture.h.
 */
#include "async_fixture.h"

#include <sys/resource.h>

#define ALL_ITEMS "SELECT id, name, value FROM items ORDER BY id"

/** Rows without end, the numbers from 0. */
#define ENDLESS_ROWS "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

/** Three rows, and then none for ever: the second chunk of two rows has no end. */
#define ENDLESS_CHUNK                                                   \
    "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) " \
    "SELECT i FROM n WHERE i < 3"

static void start(fixture *f, uint32_t readers)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = readers};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value)");
}

/* Rows 1 to n. */
static void fill_items(fixture *f, int64_t n)
{
    rsq_value count = rsq_integer(n);

    WANT(f, RSQ_OK,
         rsq_execute(f->db,
                     "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < ?1) "
                     "INSERT INTO items SELECT i, 'item ' || i, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN i "
                     "ELSE i / 7.0 END FROM c",
                     &count, 1, NULL, NULL, &f->err));
}

static rsq_op_options chunks_of(uint32_t rows)
{
    return (rsq_op_options){.size = sizeof(rsq_op_options), .chunk_rows = rows};
}

static rsq_op *submitted(fixture *f, const char *sql, rsq_op_options opts)
{
    return op_submitted(f, sql, NULL, 0, &opts);
}

/* The next chunk, freed by the caller; NULL: it has completed, and there is none left. */
static rsq_result *next_of(rsq_op *op)
{
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    return rsq_op_take_result(op);
}

static void expect_next(rsq_op *op, const char *rows)
{
    rsq_result *r = next_of(op);

    assert_non_null(r);
    EXPECT_RESULT(r, rows);
    rsq_result_unref(r);
}

/* It ended in this way and stays so, with no chunk left. */
static void expect_ended(rsq_op *op, rsq_code code)
{
    assert_null(next_of(op));
    EXPECT_OP(op, code);
    rsq_op_cancel(op);
    EXPECT_OP(op, code);
    assert_null(rsq_op_take_result(op));
}

/* A read in chunks that is begun now; whether there was a reader for it. */
static bool has_room(fixture *f)
{
    rsq_op *op = submitted(f, "SELECT 1", chunks_of(1));
    rsq_code code;

    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    code = rsq_op_status(op);
    op_freed(op);
    assert_true(code == RSQ_OK || code == RSQ_ETOOBIG);
    return code == RSQ_OK;
}

static void await_room(fixture *f)
{
    uint64_t begun = now_ns();

    while (!has_room(f))
        assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
}

/* --------------------------------------------------------------------- callbacks -- */

/* What the callbacks of one op saw, and what they are to do. One thread dispatches at a time. */
typedef struct consumer {
    size_t calls, chunks;
    size_t ends;       /* calls with the op complete */
    size_t changed;    /* the op looked different after the taking */
    size_t waited;     /* rsq_op_wait() inside was not RSQ_EMISUSE though no more could come */
    int64_t sum, rows; /* of the first column */
    rsq_code code;     /* at the end */
    bool take_nothing;
    size_t cancel_at, free_at; /* in the call with that number */
    rsq_db *close;             /* in the first call */
} consumer;

static void consume_chunk(consumer *c, rsq_op *op)
{
    rsq_code before = rsq_op_status(op);
    rsq_result *r = rsq_op_take_result(op);

    c->chunks += r != NULL;
    for (size_t i = 0; r && i < rsq_result_rows(r); i++, c->rows++)
        c->sum += rsq_result_int64(r, i, 0);
    rsq_result_unref(r);
    c->changed += rsq_op_status(op) != before;
    c->changed += rsq_op_take_result(op) != NULL;
    if (before == RSQ_EPENDING)
        c->waited += rsq_op_wait(op, FIXTURE_DEADLINE_MS) != RSQ_EMISUSE;
}

static void consume(rsq_op *op, void *ctx)
{
    consumer *c = ctx;
    rsq_code code = rsq_op_status(op);

    c->calls++;
    if (!c->take_nothing)
        consume_chunk(c, op);
    if (code != RSQ_EPENDING) {
        c->ends++;
        c->code = code;
    }
    if (c->calls == c->cancel_at)
        rsq_op_cancel(op);
    if (c->calls == c->free_at)
        rsq_op_free(op);
    if (c->calls == 1 && c->close)
        (void)rsq_close(c->close);
}

static rsq_op_options consuming(fixture *f, consumer *c, uint32_t rows)
{
    rsq_op_options opts = chunks_of(rows);

    opts.queue = fixture_queue(f);
    opts.done = consume;
    opts.ctx = c;
    return opts;
}

/* Dispatch until the op has ended. */
static void dispatch_to_the_end(fixture *f, consumer *c)
{
    while (c->ends == 0) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
}

/* No call follows the end; what else must hold of every op. */
static void expect_ended_once(fixture *f, const consumer *c, rsq_code code)
{
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->code, code);
    assert_int_equal(c->changed, 0);
    assert_int_equal(c->waited, 0);
}

/* ---------------------------------------------------------------------- the rows -- */

/* One row at a time, a size that leaves a rest, a divisor of the number of rows, exactly all, and more than
 * there are; commits come in between. */
static void chunks_are_the_answer(void **state)
{
    fixture *f = *state;
    static const uint32_t sizes[] = {1, 7, 20, 99, 100, 101, UINT32_MAX};
    rsq_result *whole = NULL, *r;

    start(f, 2);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        size_t at = 0;
        rsq_op *op;

        EXEC(f, "DELETE FROM items");
        fill_items(f, 100);
        WANT(f, RSQ_OK, rsq_select(f->db, ALL_ITEMS, NULL, 0, NULL, &whole, &f->err));
        op = submitted(f, ALL_ITEMS, chunks_of(sizes[i]));
        while ((r = next_of(op)) != NULL) {
            size_t left = 100 - at;

            assert_int_equal(rsq_result_rows(r), left < sizes[i] ? left : sizes[i]);
            EXPECT_PART(r, whole, at);
            assert_int_equal(rsq_result_commit_seq(r), rsq_result_commit_seq(whole));
            at += rsq_result_rows(r);
            rsq_result_unref(r);
            EXEC(f, "UPDATE items SET value = 0 WHERE id = abs(random() % 100)");
        }
        assert_int_equal(at, 100);
        expect_ended(op, RSQ_OK);
        op_freed(op);
        rsq_result_unref(whole);
    }
    assert_true(has_room(f));
}

/* The last chunk comes with the completion, as the result of any op. */
static void last_chunk_completes(void **state)
{
    fixture *f = *state;
    rsq_op *op;

    start(f, 2);
    op = submitted(f, "VALUES (1), (2), (3), (4)", chunks_of(2));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    assert_int_equal(rsq_op_status(op), RSQ_EPENDING);
    assert_null(rsq_op_error(op));
    expect_next(op, "1\n2");
    EXPECT_OP(op, RSQ_OK);
    expect_next(op, "3\n4");
    expect_ended(op, RSQ_OK);
    op_freed(op);
}

/* No rows: one chunk without rows, with the names of its columns; in JSON too. */
static void empty_answer(void **state)
{
    fixture *f = *state;
    rsq_op_options opts = chunks_of(5);
    rsq_op *op;
    rsq_result *r;

    start(f, 2);
    op = submitted(f, ALL_ITEMS, opts);
    EXPECT_OP(op, RSQ_OK);
    r = rsq_op_take_result(op);
    assert_non_null(r);
    assert_int_equal(rsq_result_rows(r), 0);
    assert_string_equal(rsq_result_column_name(r, 1), "name");
    rsq_result_unref(r);
    expect_ended(op, RSQ_OK);
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_select_json_async(f->db, ALL_ITEMS, NULL, 0, &opts, &op));
    op_kept(op);
    r = next_of(op);
    assert_string_equal(rsq_result_json(r, NULL), "[]");
    rsq_result_unref(r);
    expect_ended(op, RSQ_OK);
    op_freed(op);
}

/* Each chunk of JSON is complete. */
static void json_chunks(void **state)
{
    fixture *f = *state;
    static const char *const expected[] = {"[[1],[2]]", "[[3],[4]]", "[[5]]"};
    rsq_op_options opts = chunks_of(2);
    rsq_op *op;

    start(f, 2);
    opts.json = RSQ_JSON_ARRAYS;
    WANT_CODE(RSQ_OK, rsq_select_json_async(f->db, "VALUES (1), (2), (3), (4), (5)", NULL, 0, &opts, &op));
    op_kept(op);
    for (size_t i = 0; i < LENGTH(expected); i++) {
        rsq_result *r = next_of(op);

        assert_non_null(r);
        assert_string_equal(rsq_result_json(r, NULL), expected[i]);
        rsq_result_unref(r);
    }
    expect_ended(op, RSQ_OK);
    op_freed(op);
}

/* `done` is called for each chunk and sees an op that holds still: it is pending before and after the taking,
 * and whoever waits inside for the next one is told that it cannot come. The last call has the last chunk. */
static void done_for_each_chunk(void **state)
{
    fixture *f = *state;
    consumer c = {0};

    start(f, 2);
    fill_items(f, 1000);
    for (int handle = 0; handle < 2; handle++) {
        rsq_op_options opts = consuming(f, &c, 7);
        rsq_op *op = NULL;

        c = (consumer){0};
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, ALL_ITEMS, NULL, 0, &opts, handle ? &op : NULL));
        if (handle)
            op_kept(op);
        dispatch_to_the_end(f, &c);
        expect_ended_once(f, &c, RSQ_OK);
        assert_int_equal(c.calls, 143);
        assert_int_equal(c.chunks, 143);
        assert_int_equal(c.rows, 1000);
        assert_int_equal(c.sum, 500500);
        if (handle)
            op_freed(op);
    }
}

/* A chunk may be taken outside of `done`, which then is not called for it; for the end it is, once. */
static void taken_elsewhere(void **state)
{
    fixture *f = *state;
    consumer c = {.take_nothing = true};
    rsq_op *op;

    start(f, 2);
    op = submitted(f, "VALUES (1), (2), (3), (4), (5)", consuming(f, &c, 2));
    expect_next(op, "1\n2");
    expect_next(op, "3\n4");
    expect_next(op, "5");
    dispatch_to_the_end(f, &c);
    expect_ended_once(f, &c, RSQ_OK);
    assert_true(c.calls <= 1 + 2);
    op_freed(op);

    /* Called for a chunk and not taken: it stays to be taken. */
    c = (consumer){.take_nothing = true};
    op = submitted(f, "VALUES (1), (2), (3)", consuming(f, &c, 2));
    while (c.calls == 0) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.ends, 0);
    expect_next(op, "1\n2");
    dispatch_to_the_end(f, &c);
    expect_next(op, "3");
    expect_ended_once(f, &c, RSQ_OK);
    assert_int_equal(c.calls, 2);
    op_freed(op);
}

/* SQL, names and values are copied; names are looked up by the statement. */
static void parameters_are_copied(void **state)
{
    fixture *f = *state;
    rsq_op_options opts = chunks_of(2);
    char sql[32], name[] = "a", two[] = "?2", text[] = "text ";
    rsq_named named[] = {{two, rsq_integer(1)}, {name, rsq_text(text)}};
    rsq_op *op = NULL;

    start(f, 2);
    /* It cannot run before a reader is free, by when the memory is surely overwritten. */
    for (int chunked = 0; chunked < 2; chunked++) {
        rsq_op *busy[2] = {endless_start(f), endless_start(f)};

        await_held(f, 2);
        snprintf(sql, sizeof sql, "SELECT $a || ?2, ?2");
        opts.chunk_rows = chunked ? 2 : 0;
        snprintf(name, sizeof name, "a");
        snprintf(two, sizeof two, "?2");
        snprintf(text, sizeof text, "text ");
        WANT_CODE(RSQ_OK, rsq_select_async_named(f->db, sql, named, 2, &opts, &op));
        op_kept(op);
        memset(sql, 'x', sizeof sql - 1);
        memset(name, 'x', sizeof name - 1);
        memset(two, 'x', sizeof two - 1);
        memset(text, 'x', sizeof text - 1);
        endless_stop(busy[0]);
        EXPECT_OP_ROWS(op, "'text 1'|1");
        endless_stop(busy[1]);
    }
}

/* By name: what is wrong with the call is said at once, what is wrong with a name by the completion. */
static void named_parameters(void **state)
{
    fixture *f = *state;
    const rsq_named two[] = {{":b", rsq_integer(20)}, {"a", rsq_text("x")}};
    const rsq_named nameless = {NULL, rsq_integer(1)}, unknown = {"a", {.type = 9}};
    const rsq_named nowhere = {"a", {.type = RSQ_TEXT, .len = 3}};
    rsq_op *op = NULL;
    rsq_result *r;

    start(f, 2);
    WANT_CODE(RSQ_OK, rsq_select_async_named(f->db, "SELECT $a, :b, $a", two, 2, NULL, &op));
    EXPECT_OP_ROWS(op_kept(op), "'x'|20|'x'");
    WANT_CODE(RSQ_OK, rsq_select_json_async_named(f->db, "SELECT $a AS a, :b AS b", two, 2, NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    r = rsq_op_take_result(op);
    assert_string_equal(rsq_result_json(r, NULL), "[{\"a\":\"x\",\"b\":20}]");
    rsq_result_unref(r);
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_select_async_named(f->db, "SELECT 1", NULL, 0, NULL, &op));
    EXPECT_OP_ROWS(op_kept(op), "1");
    WANT_CODE(RSQ_OK, rsq_select_async_named(f->db, "SELECT :c, :b", two, 2, NULL, &op));
    EXPECT_OP(op_kept(op), RSQ_EINVAL);
    assert_non_null(strstr(rsq_op_error(op)->message, "\"a\""));
    op_freed(op);
    op = NULL;
    WANT_CODE(RSQ_EINVAL, rsq_select_async_named(f->db, "SELECT :a", NULL, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async_named(f->db, "SELECT :a", &nameless, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async_named(f->db, "SELECT :a", &unknown, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_json_async_named(f->db, "SELECT :a", &nowhere, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async_named(f->db, NULL, two, 1, NULL, &op));
    WANT_CODE(RSQ_EINVAL, rsq_select_async_named(NULL, "SELECT 1", NULL, 0, NULL, &op));
    assert_null(op);
}

/* Chunks of several queries could not be told apart. */
static void several_queries(void **state)
{
    fixture *f = *state;
    const rsq_query query = {.sql = "SELECT 1"};
    rsq_op_options opts = chunks_of(1);
    rsq_op *op = NULL;

    start(f, 2);
    WANT_CODE(RSQ_EINVAL, rsq_select_all_async(f->db, &query, 1, &opts, &op));
    assert_null(op);
}

/* -------------------------------------------------------------------- the readers -- */

static long peak_mb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

/* The consumer sets the pace: of 200 MB and of rows without end two chunks are there at a time. A sanitizer
 * keeps freed memory for a while, so there it is only read. */
static void memory_of_two_chunks(void **state)
{
    fixture *f = *state;
    long before;
    size_t rows = 0;
    rsq_result *r;
    rsq_op *op, *endless;

    start(f, 3);
    before = peak_mb();
    endless = submitted(f, ENDLESS_ROWS, chunks_of(1));
    op = submitted(f,
                   "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                   "SELECT i, zeroblob(10000) FROM n",
                   chunks_of(100));
    while ((r = next_of(op)) != NULL) {
        rows += rsq_result_rows(r);
        rsq_result_unref(r);
    }
    assert_int_equal(rows, 20000);
    expect_ended(op, RSQ_OK);
    op_freed(op);
    for (int64_t i = 0; i < 1000; i++) {
        r = next_of(endless);
        assert_int_equal(rsq_result_int64(r, 0, 0), i);
        rsq_result_unref(r);
    }
    endless_stop(endless);
    if (!UNDER_ASAN && !FIXTURE_UNDER_TSAN)
        assert_true(peak_mb() - before < 32);
}

/* The last reader is left to short reads, however many such reads there are; and they need no worker between
 * chunks, so other calls go on. */
static void never_the_last_reader(void **state)
{
    fixture *f = *state;
    rsq_op *held[3], *op;

    start(f, 3);
    for (size_t i = 0; i < 3; i++) {
        held[i] = submitted(f, ENDLESS_ROWS, chunks_of(2));
        WANT_CODE(RSQ_OK, rsq_op_wait(held[i], FIXTURE_DEADLINE_MS));
    }
    EXPECT_OP(held[2], RSQ_ETOOBIG);
    assert_non_null(strstr(rsq_op_error(held[2])->message, "last reader"));
    for (int i = 0; i < 10; i++) {
        op = submitted(f, "SELECT 5", (rsq_op_options){.size = sizeof(rsq_op_options)});
        EXPECT_OP_ROWS(op, "5");
    }
    EXPECT_ROWS(f, "SELECT 6", "6");
    expect_next(held[0], "0\n1");
    expect_next(held[1], "0\n1");
    expect_next(held[0], "2\n3");
    endless_stop(held[0]);
    await_room(f);
    endless_stop(held[1]);
    op_freed(held[2]);
}

static void one_connection(void **state)
{
    fixture *f = *state;
    rsq_db *db = fixture_open_path(f, ":memory:", NULL);
    rsq_op_options opts = chunks_of(1);
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_select_async(db, "SELECT 1", NULL, 0, &opts, &op));
    EXPECT_OP(op_kept(op), RSQ_EUNSUPPORTED);
    op_freed(op);
    fixture_open(f, &(rsq_open_options){.size = sizeof(rsq_open_options), .readers = 1});
    op = submitted(f, "SELECT 1", opts);
    EXPECT_OP(op, RSQ_ETOOBIG); /* the one reader is the last one */
    op_freed(op);
    WANT_CODE(RSQ_OK, rsq_close(db));
}

/* ------------------------------------------------------------------------- the ends -- */

/* Errors: before the first row, in some row (the chunks before it came), and a chunk over its limit. */
static void errors(void **state)
{
    fixture *f = *state;
    rsq_op_options opts = chunks_of(2);
    consumer c = {0};
    rsq_op *op;

    start(f, 2);
    op = submitted(f, "SELECT nothing FROM nowhere", opts);
    expect_ended(op, RSQ_ESQL);
    op_freed(op);
    op = submitted(f, "DELETE FROM items", opts);
    expect_ended(op, RSQ_EREADONLY);
    op_freed(op);
    fill_items(f, 10);
    EXEC(f, "UPDATE items SET value = CASE id WHEN 6 THEN -9223372036854775808 ELSE -id END");
    op = submitted(f, "SELECT abs(value) FROM items ORDER BY id", opts);
    expect_next(op, "1\n2");
    expect_next(op, "3\n4");
    expect_ended(op, RSQ_ESQL);
    assert_int_equal(rsq_op_error(op)->sqlite_code, 1);
    assert_int_equal(rsq_op_error(op)->row, -1);
    op_freed(op);
    opts = consuming(f, &c, 2);
    WANT_CODE(RSQ_OK,
              rsq_select_async(f->db, "SELECT abs(value) FROM items ORDER BY id", NULL, 0, &opts, NULL));
    dispatch_to_the_end(f, &c);
    expect_ended_once(f, &c, RSQ_ESQL);
    assert_int_equal(c.chunks, 2);
    opts = chunks_of(2);
    opts.max_result_bytes = 1000;
    op = submitted(f, "SELECT zeroblob(CASE id WHEN 3 THEN 1000 ELSE 10 END) FROM items", opts);
    rsq_result_unref(next_of(op));
    expect_ended(op, RSQ_ETOOBIG);
    op_freed(op);
    assert_true(has_room(f));
}

/* A chunk that nobody takes gives its reader back, and is dropped. */
static void idle_timeout(void **state)
{
    fixture *f = *state;

    start(f, 2);
    for (int taken = 0; taken < 2; taken++) {
        consumer c = {.take_nothing = true};
        rsq_op_options opts = consuming(f, &c, 2);
        uint64_t begun = now_ns();
        rsq_op *op;

        opts.idle_timeout_ms = 5;
        op = submitted(f, ENDLESS_ROWS, opts);
        if (taken)
            rsq_result_unref(next_of(op));
        dispatch_to_the_end(f, &c);
        assert_true(ms_since(begun) >= 5);
        expect_ended_once(f, &c, RSQ_ETIMEOUT);
        expect_ended(op, RSQ_ETIMEOUT);
        assert_non_null(strstr(rsq_op_error(op)->message, "idle"));
        await_room(f);
        op_freed(op);
    }
}

/* The limit of all of it passes while a chunk waits, while one is read, and before the first one. */
static void total_timeout(void **state)
{
    fixture *f = *state;
    rsq_op_options opts = chunks_of(2);
    rsq_op *op, *busy[2];

    start(f, 2);
    opts.timeout_ms = 5;
    op = submitted(f, ENDLESS_ROWS, opts);
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS)); /* else the next one may begin first */
    await_room(f);
    expect_ended(op, RSQ_ETIMEOUT);
    op_freed(op);
    op = submitted(f, ENDLESS_CHUNK, opts);
    rsq_result_unref(next_of(op));
    expect_ended(op, RSQ_ETIMEOUT);
    await_room(f);
    op_freed(op);
    busy[0] = endless_start(f);
    busy[1] = endless_start(f);
    await_held(f, 2);
    op = submitted(f, ENDLESS_ROWS, opts);
    expect_ended(op, RSQ_ETIMEOUT);
    op_freed(op);
    endless_stop(busy[0]);
    endless_stop(busy[1]);
    await_room(f);
}

/* Cancelled while a chunk waits, while one is read, before the first one, and after the last. */
static void cancelled(void **state)
{
    fixture *f = *state;
    consumer c = {.take_nothing = true};
    rsq_op *op, *busy[2];

    start(f, 2);
    op = submitted(f, ENDLESS_ROWS, consuming(f, &c, 2));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    rsq_op_cancel(op);
    assert_int_equal(rsq_op_status(op), RSQ_ECANCELLED); /* at once, and the reader is back */
    assert_true(has_room(f));
    expect_ended(op, RSQ_ECANCELLED);
    dispatch_to_the_end(f, &c);
    expect_ended_once(f, &c, RSQ_ECANCELLED);
    op_freed(op);

    op = submitted(f, ENDLESS_CHUNK, chunks_of(2));
    expect_next(op, "0\n1");
    rsq_op_cancel(op);
    expect_ended(op, RSQ_ECANCELLED);
    op_freed(op);
    await_room(f);

    busy[0] = endless_start(f);
    busy[1] = endless_start(f);
    await_held(f, 2);
    op = submitted(f, ENDLESS_ROWS, chunks_of(2));
    rsq_op_cancel(op);
    assert_int_equal(rsq_op_status(op), RSQ_ECANCELLED);
    op_freed(op);
    endless_stop(busy[0]);
    endless_stop(busy[1]);
    await_room(f);

    op = submitted(f, "SELECT 1", chunks_of(2));
    EXPECT_OP(op, RSQ_OK);
    rsq_op_cancel(op);
    EXPECT_OP_ROWS(op, "1");
    await_room(f);
}

/* Inside `done`: the end comes with a call of its own after it. Freed inside, it ends the same way. */
static void cancelled_inside_done(void **state)
{
    fixture *f = *state;

    start(f, 2);
    for (int i = 0; i < 4; i++) {
        consumer c = {.take_nothing = i % 2 != 0, .cancel_at = i < 2 ? 1 : 0, .free_at = i < 2 ? 0 : 1};
        rsq_op_options opts = consuming(f, &c, 2);
        rsq_op *op = NULL;

        WANT_CODE(RSQ_OK, rsq_select_async(f->db, ENDLESS_ROWS, NULL, 0, &opts, &op));
        dispatch_to_the_end(f, &c);
        expect_ended_once(f, &c, RSQ_ECANCELLED);
        assert_int_equal(c.calls, 2);
        assert_int_equal(c.chunks, i % 2 == 0);
        if (i < 2)
            rsq_op_free(op);
        await_room(f);
    }
}

/* Given up before the end: cancelled, and `done` hears of it. Without a `done` it just goes. */
static void freed_before_the_end(void **state)
{
    fixture *f = *state;
    consumer c = {.take_nothing = true};
    rsq_op *op;

    start(f, 2);
    op = submitted(f, ENDLESS_ROWS, consuming(f, &c, 2));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    op_freed(op);
    assert_true(has_room(f));
    dispatch_to_the_end(f, &c);
    expect_ended_once(f, &c, RSQ_ECANCELLED);
    assert_int_equal(c.calls, 1);

    op = submitted(f, ENDLESS_CHUNK, chunks_of(2));
    expect_next(op, "0\n1");
    op_freed(op);
    await_room(f);
    op_freed(submitted(f, ENDLESS_ROWS, chunks_of(2)));
    await_room(f);
}

/* The database is closed while a chunk waits: the op ends with RSQ_ECLOSED, once, and its handle is good for
 * as long as its owner likes. The default queue is dispatched by the close. */
static void database_closes_first(void **state)
{
    fixture *f = *state;

    for (int own = 0; own < 2; own++) {
        consumer c = {.take_nothing = true};
        rsq_op_options opts;
        rsq_op *op;

        start(f, 2);
        if (own)
            EXEC(f, "DELETE FROM items");
        opts = consuming(f, &c, 2);
        if (!own)
            opts.queue = NULL;
        op = submitted(f, ENDLESS_ROWS, opts);
        WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
        fixture_close(f);
        if (own)
            dispatch_to_the_end(f, &c);
        expect_ended_once(f, &c, RSQ_ECLOSED);
        expect_ended(op, RSQ_ECLOSED);
        op_freed(op);
        (void)remove(f->path);
    }
}

/* Closed while a chunk is read, which ends by itself: it may be the last thing that is read. */
static void database_closes_under_a_chunk(void **state)
{
    fixture *f = *state;
    rsq_op *op;

    start(f, 2);
    op = submitted(f,
                   "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) "
                   "SELECT i FROM n WHERE i < 2 OR i % 300000 = 0",
                   chunks_of(2));
    expect_next(op, "0\n1");
    fixture_close(f);
    expect_ended(op, RSQ_ECLOSED);
    op_freed(op);
}

/* Closed inside `done`: the end is told after that call, also when the queue was the database's and has
 * closed with it. */
static void database_closes_inside_done(void **state)
{
    fixture *f = *state;

    for (int own = 0; own < 2; own++) {
        consumer c = {0};
        rsq_op_options opts;

        start(f, 2);
        c.close = f->db;
        opts = consuming(f, &c, 2);
        opts.queue = own ? f->queue : rsq_queue_default(f->db);
        WANT_CODE(RSQ_OK, rsq_select_async(f->db, ENDLESS_ROWS, NULL, 0, &opts, NULL));
        while (c.ends == 0) {
            WANT_CODE(RSQ_OK, rsq_queue_wait(opts.queue, FIXTURE_DEADLINE_MS));
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(opts.queue, 0, NULL));
        }
        expect_ended_once(f, &c, RSQ_ECLOSED);
        assert_int_equal(c.calls, 2);
        assert_int_equal(c.chunks, 1);
        fixture_close(f);
        (void)remove(f->path);
    }
}

typedef struct ending {
    fixture *f;
    rsq_op *op;
} ending;

static void end_it(size_t index, void *ctx)
{
    ending *e = ctx;

    if (index == 0)
        (void)rsq_close(e->f->db);
    else if (index == 1)
        rsq_op_cancel(e->op);
    else
        rsq_result_unref(rsq_op_take_result(e->op));
}

/* The close, a cancel, the idle limit and the taking of the chunk at the same moment: whoever comes first,
 * the end is told once, on the default queue before it is gone. */
static void all_ends_at_once(void **state)
{
    fixture *f = *state;
    uint64_t rounds = rounds_of(FIXTURE_UNDER_TSAN ? 60 : 200);

    for (uint64_t i = 0; i < rounds; i++) {
        consumer c = {.take_nothing = true};
        ending e = {.f = f};
        rsq_op_options opts;

        start(f, 2);
        opts = consuming(f, &c, 2);
        opts.queue = NULL;
        opts.idle_timeout_ms = i % 2 ? 1 : 0;
        e.op = submitted(f, ENDLESS_ROWS, opts);
        WANT_CODE(RSQ_OK, rsq_op_wait(e.op, FIXTURE_DEADLINE_MS));
        crew_run(3, end_it, &e);
        assert_int_equal(c.ends, 1);
        assert_true(c.code == RSQ_ECLOSED || c.code == RSQ_ECANCELLED || c.code == RSQ_ETIMEOUT);
        op_freed(e.op);
        fixture_close(f);
        (void)remove(f->path);
    }
}

/* The log must begin anew, which a chunk that waits holds back; and so does one that waits for its callback
 * to return, in which the pages are written. */
static void write_in_done(rsq_op *op, void *ctx)
{
    rsq_db *db = *(rsq_db **)ctx;
    static const char sql[] = "INSERT OR REPLACE INTO ballast SELECT 1, zeroblob(1030000)";

    rsq_result_unref(rsq_op_take_result(op));
    for (int i = 0; i < 10 && rsq_op_status(op) == RSQ_EPENDING; i++)
        (void)rsq_execute(db, sql, NULL, 0, NULL, NULL, NULL);
}

static void log_must_begin_anew(void **state)
{
    fixture *f = *state;
    rsq_open_options open = {.size = sizeof open, .readers = 2, .page_size = 512};
    consumer c = {.take_nothing = true};
    rsq_op_options opts;
    rsq_op *op;

    fixture_open(f, &open);
    EXEC(f, "CREATE TABLE ballast(id INTEGER PRIMARY KEY, b)");
    op = submitted(f, ENDLESS_ROWS, consuming(f, &c, 2));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    for (int i = 0; i < 10; i++)
        EXEC(f, "INSERT OR REPLACE INTO ballast SELECT 1, zeroblob(1030000)");
    assert_int_equal(rsq_op_status(op), RSQ_ESNAPSHOT);
    assert_true(has_room(f));
    dispatch_to_the_end(f, &c);
    expect_ended_once(f, &c, RSQ_ESNAPSHOT);
    expect_ended(op, RSQ_ESNAPSHOT);
    assert_non_null(strstr(rsq_op_error(op)->message, ENDLESS_ROWS));
    op_freed(op);

    opts = chunks_of(2);
    opts.queue = f->queue;
    opts.done = write_in_done;
    opts.ctx = &f->db;
    op = submitted(f, ENDLESS_ROWS, opts);
    while (rsq_op_status(op) == RSQ_EPENDING) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    expect_ended(op, RSQ_ESNAPSHOT);
    op_freed(op);
}

/* The queue is freed: nobody is called any more, and whoever has the handle may go on by itself. */
static void queue_freed_first(void **state)
{
    fixture *f = *state;
    consumer c = {0};
    rsq_op_options opts = chunks_of(2);
    rsq_op *op;

    start(f, 2);
    WANT(f, RSQ_OK, rsq_queue_new(&opts.queue, &f->err));
    opts.done = consume;
    opts.ctx = &c;
    op = submitted(f, "VALUES (1), (2), (3)", opts);
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    rsq_queue_free(opts.queue);
    expect_next(op, "1\n2");
    expect_next(op, "3");
    expect_ended(op, RSQ_OK);
    op_freed(op);
    assert_int_equal(c.calls, 0);
}

/* ------------------------------------------------------------------- any moment -- */

#define MIXED_OPS 300

/* One of many reads that are ended at any moment by several threads. */
typedef struct mixed_op {
    rsq_op *op;
    atomic_size_t ends;
    int64_t expected; /* the next row */
    bool wrong;       /* a row that does not follow */
} mixed_op;

typedef struct mix {
    fixture *f;
    mixed_op ops[MIXED_OPS];
    atomic_size_t ended;
    atomic_size_t outcomes[RSQ_EPENDING + 1];
    uint64_t seed;
    verdict verdict;
} mix;

static mix *the_mix;

static void mixed_done(rsq_op *op, void *ctx)
{
    mixed_op *m = ctx;
    rsq_code code = rsq_op_status(op);
    rsq_result *r = rsq_op_take_result(op);

    for (size_t i = 0; r && i < rsq_result_rows(r); i++)
        m->wrong |= rsq_result_int64(r, i, 0) != m->expected++;
    rsq_result_unref(r);
    if (code == RSQ_EPENDING)
        return;
    atomic_fetch_add(&the_mix->outcomes[code], 1);
    atomic_fetch_add(&m->ends, 1);
    atomic_fetch_add(&the_mix->ended, 1);
}

/* Up to 200 rows in chunks of some rows, some with limits. */
static rsq_code submit_mixed(mix *x, mixed_op *m, uint64_t *seed)
{
    rsq_op_options opts = chunks_of(1 + (uint32_t)(fixture_random(seed) % 60));
    rsq_value rows = rsq_integer((int64_t)(fixture_random(seed) % 200));

    opts.queue = x->f->queue;
    opts.done = mixed_done;
    opts.ctx = m;
    if (fixture_random(seed) % 8 == 0)
        opts.timeout_ms = 1 + (uint32_t)(fixture_random(seed) % 3);
    if (fixture_random(seed) % 8 == 0)
        opts.idle_timeout_ms = 1;
    return rsq_select_async(x->f->db,
                            "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                            "SELECT i FROM n",
                            &rows, 1, &opts, &m->op);
}

static void submit_all(mix *x)
{
    uint64_t seed = x->seed;

    for (size_t i = 0; i < MIXED_OPS; i++) {
        mixed_op *m = &x->ops[i];

        BLAME(&x->verdict, submit_mixed(x, m, &seed) == RSQ_OK, NULL);
        switch (fixture_random(&seed) % 4) {
        case 0:
            rsq_op_cancel(m->op);
            break;
        case 1:
            (void)rsq_op_wait(m->op, 1);
            rsq_op_cancel(m->op);
            break;
        default:
            break;
        }
        if (fixture_random(&seed) % 3 == 0) {
            rsq_op_free(m->op);
            m->op = NULL;
        }
    }
}

static void mix_thread(size_t index, void *ctx)
{
    mix *x = ctx;

    if (index == 0) {
        submit_all(x);
        return;
    }
    /* A queue may wake for a chunk that is gone. */
    while (atomic_load(&x->ended) < MIXED_OPS) {
        BLAME(&x->verdict, rsq_queue_wait(x->f->queue, FIXTURE_DEADLINE_MS) == RSQ_OK, NULL);
        BLAME(&x->verdict, rsq_queue_dispatch(x->f->queue, 0, NULL) == RSQ_OK, NULL);
        if (x->verdict.text[0])
            return;
    }
}

/* Cancelled, freed, timed out and read to the end at any moment: each one ends once, and what came of it came
 * in order. */
static void ends_at_any_moment(void **state)
{
    fixture *f = *state;
    mix *x = calloc(1, sizeof *x);

    assert_non_null(x);
    start(f, 3);
    fixture_queue(f);
    x->f = f;
    x->seed = fixture_seed("ends_at_any_moment");
    verdict_init(&x->verdict);
    the_mix = x;
    crew_run(2, mix_thread, x);
    VERDICT(&x->verdict);
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    for (size_t i = 0; i < MIXED_OPS; i++) {
        assert_int_equal(atomic_load(&x->ops[i].ends), 1);
        assert_false(x->ops[i].wrong);
        rsq_op_free(x->ops[i].op);
    }
    print_message("# %zu well, %zu cancelled, %zu in time-out, %zu without a reader\n",
                  atomic_load(&x->outcomes[RSQ_OK]), atomic_load(&x->outcomes[RSQ_ECANCELLED]),
                  atomic_load(&x->outcomes[RSQ_ETIMEOUT]), atomic_load(&x->outcomes[RSQ_ETOOBIG]));
    await_room(f);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(chunks_are_the_answer),
        CASE(last_chunk_completes),
        CASE(empty_answer),
        CASE(json_chunks),
        CASE(done_for_each_chunk),
        CASE(taken_elsewhere),
        CASE(parameters_are_copied),
        CASE(named_parameters),
        CASE(several_queries),
        CASE(memory_of_two_chunks),
        CASE(never_the_last_reader),
        CASE(one_connection),
        CASE(errors),
        CASE(idle_timeout),
        CASE(total_timeout),
        CASE(cancelled),
        CASE(cancelled_inside_done),
        CASE(freed_before_the_end),
        CASE(database_closes_first),
        CASE(database_closes_under_a_chunk),
        CASE(database_closes_inside_done),
        CASE(all_ends_at_once),
        CASE(log_must_begin_anew),
        CASE(queue_freed_first),
        CASE(ends_at_any_moment),
    };

    return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}
