/*
 * Reads in chunks: rsq_cursor_open(), _next(), _next_json(), _close().
 *
 * A cursor holds a reader between two calls, and it ends in many ways: by its last row, by a failure, by
 * either of its limits, by its own close, by the close of the database. What they have in common is tested
 * for each of them: the reader is back, the cursor says how it ended as often as it is asked, and it is
 * closed once.
 *
 * That a reader is back is seen without time: with two readers there is room for one cursor, so a second one
 * is refused exactly as long as the first one has its reader.
 */
#include "async_fixture.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value)"
#define ALL_ITEMS "SELECT id, name, value FROM items ORDER BY id"

/** Rows without end, the numbers from 0. */
#define ENDLESS_ROWS "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

static void start(fixture *f, uint32_t readers)
{
    rsq_open_options opts = {.size = sizeof opts, .readers = readers};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
}

/* Rows 1 to n, with values of all types. */
static void fill_items(fixture *f, int64_t n)
{
    rsq_value count = rsq_integer(n);

    WANT(f, RSQ_OK,
         rsq_execute(f->db,
                     "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < ?1) "
                     "INSERT INTO items SELECT i, 'item ' || i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN i "
                     "WHEN 2 THEN i / 7.0 WHEN 3 THEN 'text ' || i ELSE zeroblob(i % 50) END FROM c",
                     &count, 1, NULL, NULL, &f->err));
}

static rsq_call_options chunks_of(uint32_t rows)
{
    return (rsq_call_options){.size = sizeof(rsq_call_options), .chunk_rows = rows};
}

static rsq_cursor *opened(fixture *f, const char *sql, const rsq_call_options *opts)
{
    rsq_cursor *cursor = NULL;

    WANT(f, RSQ_OK, rsq_cursor_open(f->db, sql, NULL, 0, opts, &cursor, &f->err));
    assert_non_null(cursor);
    return cursor;
}

/* The next chunk, freed by the caller; NULL after the last row. */
static rsq_result *chunk_of(fixture *f, rsq_cursor *cursor)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_cursor_next(cursor, &r, &f->err));
    return r;
}

/* The next chunk must have these rows; "" stands for the end. */
static void expect_next(fixture *f, rsq_cursor *cursor, const char *rows)
{
    rsq_result *r = chunk_of(f, cursor);

    assert_int_equal(r == NULL, rows[0] == '\0');
    if (r)
        EXPECT_RESULT(r, rows);
    rsq_result_unref(r);
}

/* It has ended in this way, and says so whoever asks, as often as it is asked, in the same words. */
static void expect_ended(fixture *f, rsq_cursor *cursor, rsq_code code)
{
    char *untouched = f->dir;
    rsq_result *r = (rsq_result *)(void *)untouched;
    rsq_error first;

    WANT(f, code, rsq_cursor_next(cursor, &r, &f->err));
    first = f->err;
    for (int i = 0; i < 3; i++) {
        WANT(f, code, rsq_cursor_next(cursor, &r, &f->err));
        assert_memory_equal(&f->err, &first, sizeof first);
        WANT(f, code, rsq_cursor_next_json(cursor, &r, &f->err));
        assert_memory_equal(&f->err, &first, sizeof first);
        WANT_CODE(code, rsq_cursor_next(cursor, &r, NULL));
    }
    assert_ptr_equal(r, untouched);
}

/* Wait until a further cursor can be opened, for which one must have given its reader back. */
static void await_room(fixture *f)
{
    uint64_t begun = now_ns();
    rsq_cursor *cursor = NULL;
    rsq_code rc;

    while ((rc = rsq_cursor_open(f->db, "SELECT 1", NULL, 0, NULL, &cursor, &f->err)) == RSQ_ETOOBIG) {
        assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
        sched_yield();
    }
    WANT(f, RSQ_OK, rc);
    rsq_cursor_close(cursor);
}

/* There is room for a cursor now. */
static void expect_room(fixture *f)
{
    rsq_cursor_close(opened(f, "SELECT 1", NULL));
}

static void expect_no_room(fixture *f)
{
    rsq_cursor *cursor = NULL;

    WANT(f, RSQ_ETOOBIG, rsq_cursor_open(f->db, "SELECT 1", NULL, 0, NULL, &cursor, &f->err));
    assert_null(cursor);
}

/* ------------------------------------------------------------------------- the rows -- */

/* Read to the end: full chunks and a rest that together are the whole answer, all of its commit. `between`
 * (NULL: nothing) is called after each chunk. */
static void expect_whole(fixture *f, rsq_cursor *cursor, size_t chunk_rows, const rsq_result *whole,
                         void (*between)(fixture *f))
{
    size_t rows = rsq_result_rows(whole);
    size_t at = 0;
    rsq_result *r;

    while ((r = chunk_of(f, cursor)) != NULL) {
        size_t left = rows - at;

        assert_int_equal(rsq_result_rows(r), left < chunk_rows ? left : chunk_rows);
        assert_null(rsq_result_json(r, NULL));
        assert_int_equal(rsq_result_commit_seq(r), rsq_result_commit_seq(whole));
        EXPECT_PART(r, whole, at);
        at += rsq_result_rows(r);
        rsq_result_unref(r);
        if (between)
            between(f);
    }
    assert_int_equal(at, rows);
    expect_next(f, cursor, "");
    expect_next(f, cursor, "");
}

static rsq_result *whole_answer(fixture *f, const char *sql)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, sql, NULL, 0, NULL, &r, &f->err));
    return r;
}

/* One row at a time, a size that leaves a rest, a divisor of the number of rows, exactly all, and more than
 * there are: the chunks together are the answer, and only the last one may be short. */
static void chunk_sizes(void **state)
{
    fixture *f = *state;
    static const uint32_t sizes[] = {1, 7, 20, 99, 100, 101, 5000, UINT32_MAX};
    rsq_result *whole;

    start(f, 2);
    fill_items(f, 100);
    whole = whole_answer(f, ALL_ITEMS);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        rsq_call_options opts = chunks_of(sizes[i]);
        rsq_cursor *cursor = opened(f, ALL_ITEMS, &opts);

        expect_whole(f, cursor, sizes[i], whole, NULL);
        rsq_cursor_close(cursor);
    }
    rsq_result_unref(whole);
}

/* Without options a chunk has 1000 rows. */
static void default_chunk(void **state)
{
    fixture *f = *state;
    rsq_call_options zero = {.size = sizeof zero};
    rsq_result *whole;
    rsq_cursor *cursor;

    start(f, 2);
    fill_items(f, 2500);
    whole = whole_answer(f, ALL_ITEMS);
    cursor = opened(f, ALL_ITEMS, NULL);
    expect_whole(f, cursor, 1000, whole, NULL);
    rsq_cursor_close(cursor);
    cursor = opened(f, ALL_ITEMS, &zero);
    expect_whole(f, cursor, 1000, whole, NULL);
    rsq_cursor_close(cursor);
    rsq_result_unref(whole);
}

/* No rows: the first call says so, and so does each one after it. */
static void empty_result(void **state)
{
    fixture *f = *state;
    rsq_result *r;
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, ALL_ITEMS, NULL);
    expect_next(f, cursor, "");
    expect_next(f, cursor, "");
    expect_room(f);
    rsq_cursor_close(cursor);
    cursor = opened(f, ALL_ITEMS, NULL);
    for (int i = 0; i < 3; i++) {
        r = (rsq_result *)(void *)f;
        WANT(f, RSQ_OK, rsq_cursor_next_json(cursor, &r, &f->err));
        assert_null(r);
    }
    rsq_cursor_close(cursor);
}

/* Twenty thousand rows are the same in chunks as at once. */
static void many_rows(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(333);
    rsq_result *whole;
    rsq_cursor *cursor;

    start(f, 2);
    fill_items(f, 20000);
    whole = whole_answer(f, ALL_ITEMS);
    assert_int_equal(rsq_result_rows(whole), 20000);
    cursor = opened(f, ALL_ITEMS, &opts);
    expect_whole(f, cursor, 333, whole, NULL);
    rsq_cursor_close(cursor);
    rsq_result_unref(whole);
}

/* A chunk is a result like any other: it outlives the cursor and the database. */
static void chunks_outlive_all(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(2);
    rsq_result *first, *second;
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, "SELECT 'a long enough text ' || column1 FROM (VALUES (1), (2), (3))", &opts);
    first = chunk_of(f, cursor);
    second = chunk_of(f, cursor);
    expect_next(f, cursor, "");
    rsq_cursor_close(cursor);
    fixture_close(f);
    EXPECT_RESULT(first, "'a long enough text 1'\n'a long enough text 2'");
    EXPECT_RESULT(second, "'a long enough text 3'");
    rsq_result_unref(first);
    rsq_result_unref(second);
}

/* The memory of SQL and parameters is the caller's again when the call returns. */
static void parameters_are_copied(void **state)
{
    fixture *f = *state;
    char sql[] = "SELECT column1, ?1, ?2, ?3, ?4, ?5 FROM (VALUES (1), (2)); all of this is beyond sql_len";
    char text[] = "some text", blob[] = "\x01\x02\x03";
    rsq_value params[] = {rsq_text(text), rsq_blob(blob, 3), rsq_integer(7), rsq_real(0.5),
                          rsq_text_n(NULL, 0)};
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *cursor = NULL;

    start(f, 2);
    opts.sql_len = (size_t)(strchr(sql, ';') - sql);
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, sql, params, LENGTH(params), &opts, &cursor, &f->err));
    memset(sql, 'x', sizeof sql - 1);
    memset(text, 'x', sizeof text - 1);
    memset(blob, 'x', sizeof blob - 1);
    memset(params, 0x77, sizeof params);
    memset(&opts, 0x77, sizeof opts);
    expect_next(f, cursor, "1|'some text'|x'010203'|7|0.5|''");
    expect_next(f, cursor, "2|'some text'|x'010203'|7|0.5|''");
    expect_next(f, cursor, "");
    rsq_cursor_close(cursor);
}

/* The same SQL at the same time, with other parameters: each cursor has its own. */
static void two_of_the_same_sql(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_value ten = rsq_integer(10), twenty = rsq_integer(20);
    const char *sql = "SELECT column1 + ? FROM (VALUES (1), (2))";
    rsq_cursor *a = NULL, *b = NULL;

    start(f, 3);
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, sql, &ten, 1, &opts, &a, &f->err));
    WANT(f, RSQ_OK, rsq_cursor_open(f->db, sql, &twenty, 1, &opts, &b, &f->err));
    expect_next(f, a, "11");
    expect_next(f, b, "21");
    expect_next(f, b, "22");
    expect_next(f, a, "12");
    expect_next(f, a, "");
    expect_next(f, b, "");
    rsq_cursor_close(a);
    rsq_cursor_close(b);
}

/* ----------------------------------------------------------------------- one commit -- */

/* Change what is read and what is not read yet. */
static void write_between(fixture *f)
{
    EXEC(f, "INSERT INTO items(name) VALUES ('new')");
    EXEC(f, "UPDATE items SET value = 'changed'");
    EXEC(f, "DELETE FROM items WHERE id % 17 = 0");
}

/* All chunks are of the commit that was the newest when the cursor was opened, whatever is written between
 * them, also before the first one; and all of them say its number. */
static void all_of_one_commit(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(60);
    rsq_result *before, *after;
    rsq_cursor *cursor;

    start(f, 3);
    fill_items(f, 1000);
    before = whole_answer(f, ALL_ITEMS);
    cursor = opened(f, ALL_ITEMS, &opts);
    write_between(f);
    expect_whole(f, cursor, 60, before, write_between);
    after = whole_answer(f, ALL_ITEMS);
    assert_true(rsq_result_commit_seq(after) > rsq_result_commit_seq(before));
    rsq_cursor_close(cursor);
    rsq_result_unref(before);
    rsq_result_unref(after);
}

/* What the table is dropped for between two chunks is of no concern to a snapshot. */
static void table_is_dropped_between(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(60);
    rsq_result *before;
    rsq_cursor *cursor;
    rsq_result *r;

    start(f, 3);
    fill_items(f, 100);
    before = whole_answer(f, ALL_ITEMS);
    cursor = opened(f, ALL_ITEMS, &opts);
    r = chunk_of(f, cursor);
    EXPECT_PART(r, before, 0);
    rsq_result_unref(r);
    EXEC(f, "DROP TABLE items");
    r = chunk_of(f, cursor);
    EXPECT_PART(r, before, 60);
    rsq_result_unref(r);
    expect_next(f, cursor, "");
    rsq_cursor_close(cursor);
    rsq_result_unref(before);
}

/* A writer that never rests, and what it found wrong. */
typedef struct busy_writer {
    rsq_db *db;
    atomic_bool done;
    verdict verdict;
    uint64_t written;
} busy_writer;

/* Each commit raises the value of all rows by one: a chunk of two commits would hold two values. */
static void write_all_the_time(void *ctx)
{
    busy_writer *w = ctx;

    while (!atomic_load(&w->done)) {
        rsq_error err;
        rsq_code rc = rsq_execute(w->db, "UPDATE items SET value = value + 1", NULL, 0, NULL, NULL, &err);

        BLAME(&w->verdict, rc == RSQ_OK, &err);
        w->written++;
    }
}

/* The number that every row of every chunk has; -1 if there are two, or two commits. */
static int64_t the_one_value(fixture *f, rsq_cursor *cursor, uint64_t *seq)
{
    int64_t value = -1;
    rsq_result *r;

    while ((r = chunk_of(f, cursor)) != NULL) {
        for (size_t i = 0; i < rsq_result_rows(r); i++) {
            if (value < 0) {
                value = rsq_result_int64(r, i, 0);
                *seq = rsq_result_commit_seq(r);
            }
            assert_int_equal(rsq_result_int64(r, i, 0), value);
        }
        assert_int_equal(rsq_result_commit_seq(r), *seq);
        rsq_result_unref(r);
    }
    return value;
}

/* The same under a writer in another thread: each cursor sees one value, the next one no older one, and the
 * numbers of their commits differ as the values do. */
static void under_a_busy_writer(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(9);
    uint64_t seq = 0, last_seq = 0;
    int64_t last = -1;
    busy_writer w;
    thread t;

    start(f, 3);
    fill_items(f, 100);
    EXEC(f, "UPDATE items SET value = 0");
    w = (busy_writer){.db = f->db};
    atomic_init(&w.done, false);
    verdict_init(&w.verdict);
    thread_start(&t, write_all_the_time, &w);
    for (int i = 0; i < 100; i++) {
        rsq_cursor *cursor = opened(f, "SELECT value FROM items ORDER BY id", &opts);
        int64_t value = the_one_value(f, cursor, &seq);

        assert_true(value >= last);
        if (last >= 0)
            assert_int_equal(seq - last_seq, value - last);
        last = value;
        last_seq = seq;
        rsq_cursor_close(cursor);
    }
    atomic_store(&w.done, true);
    THREAD_JOIN(&t);
    VERDICT(&w.verdict);
    assert_int_equal(INTEGER(f, "SELECT max(value) FROM items"), w.written);
}

/* ------------------------------------------------------------------------------ JSON -- */

#define JSON_ROWS \
    "SELECT column1 AS a, column2 AS b FROM (VALUES (1, 'x'), (9007199254740993, NULL), (2.5, x'0aff'))"

/* The next chunk as JSON must be this text; NULL stands for the end. */
static void expect_next_json(fixture *f, rsq_cursor *cursor, const char *json)
{
    rsq_result *r = (rsq_result *)(void *)f;
    size_t len = 0;

    WANT(f, RSQ_OK, rsq_cursor_next_json(cursor, &r, &f->err));
    if (!json) {
        assert_null(r);
        return;
    }
    assert_string_equal(rsq_result_json(r, &len), json);
    assert_int_equal(len, strlen(json));
    rsq_result_unref(r);
}

/* Each chunk is complete JSON in the cursor's form. */
static void json_forms(void **state)
{
    fixture *f = *state;
    static const struct {
        uint32_t json;
        const char *first, *second;
    } forms[] = {
        {RSQ_JSON_OBJECTS, "[{\"a\":1,\"b\":\"x\"},{\"a\":9007199254740993,\"b\":null}]",
         "[{\"a\":2.5,\"b\":\"Cv8=\"}]"},
        {RSQ_JSON_ARRAYS, "[[1,\"x\"],[9007199254740993,null]]", "[[2.5,\"Cv8=\"]]"},
        {RSQ_JSON_NDJSON, "{\"a\":1,\"b\":\"x\"}\n{\"a\":9007199254740993,\"b\":null}\n",
         "{\"a\":2.5,\"b\":\"Cv8=\"}\n"},
        {RSQ_JSON_ARRAYS | RSQ_JSON_QUOTE_BIG | RSQ_JSON_BLOB_HEX, "[[1,\"x\"],[\"9007199254740993\",null]]",
         "[[2.5,\"0aff\"]]"},
    };

    start(f, 2);
    for (size_t i = 0; i < LENGTH(forms); i++) {
        rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 2, .json = forms[i].json};
        rsq_cursor *cursor = opened(f, JSON_ROWS, &opts);

        expect_next_json(f, cursor, forms[i].first);
        expect_next_json(f, cursor, forms[i].second);
        expect_next_json(f, cursor, NULL);
        expect_next_json(f, cursor, NULL);
        rsq_cursor_close(cursor);
    }
}

/* Rows and JSON by turns: both go on where the other one stopped. */
static void json_and_rows_by_turns(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, JSON_ROWS, &opts);
    expect_next(f, cursor, "1|'x'");
    expect_next_json(f, cursor, "[{\"a\":9007199254740993,\"b\":null}]");
    expect_next(f, cursor, "2.5|x'0aff'");
    expect_next_json(f, cursor, NULL);
    expect_next(f, cursor, "");
    rsq_cursor_close(cursor);
}

/* Lines of JSON need no brackets: all chunks after each other are what one read gives. */
static void json_lines_join(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 77, .json = RSQ_JSON_NDJSON};
    rsq_result *whole = NULL, *r = NULL;
    rsq_cursor *cursor;
    const char *text;
    size_t len, n, at = 0;

    start(f, 2);
    fill_items(f, 1000);
    WANT(f, RSQ_OK, rsq_select_json(f->db, ALL_ITEMS, NULL, 0, &opts, &whole, &f->err));
    text = rsq_result_json(whole, &len);
    cursor = opened(f, ALL_ITEMS, &opts);
    for (;;) {
        WANT(f, RSQ_OK, rsq_cursor_next_json(cursor, &r, &f->err));
        if (!r)
            break;
        assert_non_null(rsq_result_json(r, &n));
        assert_true(at + n <= len);
        assert_memory_equal(rsq_result_json(r, NULL), text + at, n);
        assert_int_equal(rsq_result_commit_seq(r), rsq_result_commit_seq(whole));
        at += n;
        rsq_result_unref(r);
    }
    assert_int_equal(at, len);
    rsq_cursor_close(cursor);
    rsq_result_unref(whole);
}

/* --------------------------------------------------------------------------- readers -- */

/* One reader stays for short reads, whatever cursors do; so with one reader there is no cursor. */
static void never_the_last_reader(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *a, *b;
    probe *p;

    start(f, 1);
    expect_no_room(f);
    fixture_close(f);
    fixture_open(f, &(rsq_open_options){.size = sizeof(rsq_open_options), .readers = 3});
    a = opened(f, ENDLESS_ROWS, &opts);
    b = opened(f, ENDLESS_ROWS, &opts);
    expect_no_room(f);
    expect_next(f, a, "0");
    expect_next(f, b, "0");
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "0");
    fill_items(f, 10);
    EXPECT_EVENT(p, "10");
    rsq_cursor_close(a);
    expect_room(f);
    expect_next(f, b, "1");
    rsq_cursor_close(b);
}

/* The reader is back with the last row, not only with the close. */
static void last_row_gives_the_reader_back(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(2);
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, "VALUES (1), (2), (3), (4)", &opts);
    expect_next(f, cursor, "1\n2");
    expect_no_room(f);
    expect_next(f, cursor, "3\n4");
    expect_room(f);
    expect_next(f, cursor, "");
    rsq_cursor_close(cursor);
}

/* R30: closed in mid-read, before the first row, or without being read: the reader serves others, also the
 * same SQL, from its beginning. */
static void close_in_the_middle(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(3);

    start(f, 2);
    fill_items(f, 10);
    rsq_cursor_close(NULL);
    for (int i = 0; i < 50; i++) {
        rsq_cursor *cursor = opened(f, "SELECT id FROM items ORDER BY id", &opts);

        expect_no_room(f);
        if (i % 3 > 0)
            expect_next(f, cursor, "1\n2\n3");
        if (i % 3 > 1)
            expect_next(f, cursor, "4\n5\n6");
        rsq_cursor_close(cursor);
        expect_room(f);
        EXPECT_ROWS(f, "SELECT count(*), min(id) FROM items", "10|1");
    }
}

static void read_two_chunks(void *ctx)
{
    rsq_cursor *cursor = ctx;

    for (int i = 0; i < 2; i++) {
        rsq_result *r = NULL;

        (void)rsq_cursor_next(cursor, &r, NULL);
        rsq_result_unref(r);
    }
}

/* One thread at a time, but not always the same one: opened here, read there, closed here. */
static void goes_from_thread_to_thread(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *cursor;
    thread t;

    start(f, 2);
    cursor = opened(f, ENDLESS_ROWS, &opts);
    expect_next(f, cursor, "0");
    for (int i = 0; i < 3; i++) {
        thread_start(&t, read_two_chunks, cursor);
        THREAD_JOIN(&t);
    }
    expect_next(f, cursor, "7");
    rsq_cursor_close(cursor);
    expect_room(f);
}

/* A read-only database has no writer, but readers. */
static void read_only_database(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .flags = RSQ_OPEN_READONLY};
    rsq_result *whole;
    rsq_cursor *cursor;

    start(f, 2);
    fill_items(f, 1500);
    fixture_close(f);
    fixture_open(f, &opts);
    whole = whole_answer(f, ALL_ITEMS);
    cursor = opened(f, ALL_ITEMS, NULL);
    expect_whole(f, cursor, 1000, whole, NULL);
    rsq_cursor_close(cursor);
    rsq_result_unref(whole);
}

/* ---------------------------------------------------------------------------- limits -- */

/* Left alone for too long it gives its reader back by itself, and the next call says why. */
static void idle_timeout(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .idle_timeout_ms = 5};

    start(f, 2);
    for (int rows = 0; rows < 2; rows++) {
        uint64_t begun = now_ns();
        rsq_cursor *cursor = opened(f, ENDLESS_ROWS, &opts);
        rsq_result *r = NULL;

        if (rows > 0 && rsq_cursor_next(cursor, &r, NULL) == RSQ_OK)
            rsq_result_unref(r);
        await_room(f);
        assert_true(ms_since(begun) >= 5);
        expect_ended(f, cursor, RSQ_ETIMEOUT);
        rsq_cursor_close(cursor);
    }
}

/* One that nobody asks any more is closed like any other, and after the database too. */
static void idle_timeout_then_close(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .idle_timeout_ms = 1};
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, ENDLESS_ROWS, &opts);
    await_room(f);
    rsq_cursor_close(cursor);
    cursor = opened(f, ENDLESS_ROWS, &opts);
    await_room(f);
    fixture_close(f);
    expect_ended(f, cursor, RSQ_ETIMEOUT);
    rsq_cursor_close(cursor);
}

/* Read for longer than the idle limit. False: the machine made a pause between two calls that was as long. */
static bool read_on(fixture *f, uint32_t idle_ms)
{
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .idle_timeout_ms = idle_ms};
    uint64_t begun = now_ns(), before = begun; /* the call before: the pause is no longer than since then */
    rsq_cursor *cursor = opened(f, ENDLESS_ROWS, &opts);
    bool paused = false;

    while (!paused && ms_since(begun) < 3 * idle_ms) {
        uint64_t now = now_ns();
        rsq_result *r = NULL;
        rsq_code code = rsq_cursor_next(cursor, &r, &f->err);

        paused = code == RSQ_ETIMEOUT && ms_since(before) >= idle_ms;
        if (!paused)
            WANT(f, RSQ_OK, code);
        rsq_result_unref(r);
        before = now;
    }
    rsq_cursor_close(cursor);
    return !paused;
}

/* The idle limit is between two calls: who reads on is not ended by it, however long all of it takes. */
static void reading_is_not_idle(void **state)
{
    fixture *f = *state;
    uint32_t idle_ms = 300;

    start(f, 2);
    while (!read_on(f, idle_ms)) {
        idle_ms *= 2;
        assert_true(idle_ms < FIXTURE_DEADLINE_MS);
    }
}

/* A single chunk may take longer than the idle limit. */
static void long_chunk_is_not_idle(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .idle_timeout_ms = 1};
    rsq_cursor *cursor = NULL;
    rsq_result *r = NULL;
    rsq_code rc;

    start(f, 2);
    for (;;) {
        cursor = opened(f, COUNT_TO("300000"), &opts);
        rc = rsq_cursor_next(cursor, &r, &f->err);
        rsq_cursor_close(cursor);
        if (rc == RSQ_OK)
            break;
        WANT(f, RSQ_ETIMEOUT, rc); /* it was idle before the call: a slow machine */
    }
    EXPECT_RESULT(r, "300000");
    rsq_result_unref(r);
}

/* The limit of all of it interrupts a chunk that never ends. */
static void total_timeout_in_a_chunk(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 20};
    uint64_t begun = now_ns();
    rsq_cursor *cursor;

    start(f, 2);
    cursor = opened(f, ENDLESS, &opts);
    expect_ended(f, cursor, RSQ_ETIMEOUT);
    assert_true(ms_since(begun) >= 20);
    assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
    expect_room(f);
    rsq_cursor_close(cursor);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
}

/* It also ends a cursor that rests, and one that is read in small chunks. */
static void total_timeout_between_chunks(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .timeout_ms = 5};
    uint64_t begun = now_ns();
    rsq_cursor *cursor;
    rsq_code rc;

    start(f, 2);
    cursor = opened(f, ENDLESS_ROWS, &opts);
    await_room(f);
    assert_true(ms_since(begun) >= 5);
    expect_ended(f, cursor, RSQ_ETIMEOUT);
    rsq_cursor_close(cursor);
    begun = now_ns();
    cursor = opened(f, ENDLESS_ROWS, &opts);
    do {
        rsq_result *r = NULL;

        rc = rsq_cursor_next(cursor, &r, &f->err);
        rsq_result_unref(r);
        assert_true(ms_since(begun) < FIXTURE_DEADLINE_MS);
    } while (rc == RSQ_OK);
    WANT(f, RSQ_ETIMEOUT, rc);
    assert_true(ms_since(begun) >= 5);
    expect_ended(f, cursor, RSQ_ETIMEOUT);
    rsq_cursor_close(cursor);
}

typedef struct limits_crew {
    rsq_db *db;
    verdict verdict;
} limits_crew;

/* Read until the cursor ends; by one of its limits, or because no reader was left for it. */
static void read_until_it_ends(rsq_db *db, const rsq_call_options *opts, verdict *v)
{
    rsq_cursor *cursor = NULL;
    rsq_error err;
    rsq_code rc = rsq_cursor_open(db, ENDLESS_ROWS, NULL, 0, opts, &cursor, &err);

    BLAME(v, rc == RSQ_OK || rc == RSQ_ETOOBIG || rc == RSQ_ETIMEOUT, &err);
    while (rc == RSQ_OK) {
        rsq_result *r = NULL;

        rc = rsq_cursor_next(cursor, &r, &err);
        BLAME(v, rc == RSQ_OK || rc == RSQ_ETIMEOUT, &err);
        rsq_result_unref(r);
        if (opts->idle_timeout_ms)
            sched_yield();
    }
    rsq_cursor_close(cursor);
}

static void end_by_limits(size_t index, void *ctx)
{
    limits_crew *crew = ctx;
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 1, .timeout_ms = 1};

    for (uint32_t i = 0; i < 200; i++) {
        opts.timeout_ms = 1 + (i + (uint32_t)index) % 3;
        opts.idle_timeout_ms = index % 2 ? 1 : 0;
        read_until_it_ends(crew->db, &opts, &crew->verdict);
    }
}

/* Limits that pass at any moment of a call, many times, under load: each cursor ends once, and at the end all
 * readers are there. */
static void limits_at_any_moment(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *last[4];
    limits_crew crew;

    start(f, 5);
    crew.db = f->db;
    verdict_init(&crew.verdict);
    crew_run(6, end_by_limits, &crew);
    VERDICT(&crew.verdict);
    for (size_t i = 0; i < LENGTH(last); i++) {
        last[i] = opened(f, ENDLESS_ROWS, &opts);
        expect_next(f, last[i], "0");
    }
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "0");
    for (size_t i = 0; i < LENGTH(last); i++)
        rsq_cursor_close(last[i]);
}

/* A limit that passes while the cursor is being opened, for which the first use of a reader takes long
 * enough: it is ended like any other, and no later cursor is the worse for it. */
static void limit_passes_while_it_opens(void **state)
{
    fixture *f = *state;
    rsq_call_options soon = {.size = sizeof soon, .chunk_rows = 1, .timeout_ms = 1};
    rsq_open_options opts = {.size = sizeof opts, .readers = 4};

    start(f, 2);
    fixture_close(f);
    for (int i = 0; i < 200; i++) {
        rsq_cursor *brief[2] = {NULL, NULL}, *lasting;

        fixture_open(f, &opts);
        lasting = opened(f, ENDLESS_ROWS, NULL);
        for (size_t k = 0; k < LENGTH(brief); k++) {
            rsq_code rc = rsq_cursor_open(f->db, ENDLESS_ROWS, NULL, 0, &soon, &brief[k], &f->err);

            assert_true(rc == RSQ_OK || rc == RSQ_ETIMEOUT);
        }
        for (size_t k = 0; k < LENGTH(brief); k++)
            rsq_cursor_close(brief[k]);
        fixture_close(f);
        expect_ended(f, lasting, RSQ_ECLOSED);
        rsq_cursor_close(lasting);
    }
}

/* The limit of bytes is that of a chunk, of rows and of JSON, and not of all of them together. */
static void bytes_of_a_chunk(void **state)
{
    fixture *f = *state;
    static const char *sql = "SELECT id, printf('%.*c', 1000, 'x') FROM items ORDER BY id";
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 10, .max_result_bytes = 12000};
    rsq_result *whole, *r = NULL;
    rsq_cursor *cursor;

    start(f, 2);
    fill_items(f, 100);
    whole = whole_answer(f, sql);
    cursor = opened(f, sql, &opts);
    expect_whole(f, cursor, 10, whole, NULL);
    rsq_cursor_close(cursor);
    rsq_result_unref(whole);
    opts.max_result_bytes = 5000;
    cursor = opened(f, sql, &opts);
    expect_ended(f, cursor, RSQ_ETOOBIG);
    expect_room(f);
    rsq_cursor_close(cursor);
    cursor = opened(f, sql, &opts);
    WANT(f, RSQ_ETOOBIG, rsq_cursor_next_json(cursor, &r, &f->err));
    expect_ended(f, cursor, RSQ_ETOOBIG);
    rsq_cursor_close(cursor);
}

/* The most memory that the process ever had, in megabytes. */
static long peak_mb(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss / 1024;
}

static size_t megabytes_read(fixture *f, bool json)
{
    rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 100, .json = RSQ_JSON_BLOB_HEX};
    rsq_cursor *cursor = opened(f,
                                "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE "
                                "i < 20000) SELECT i, zeroblob(10000) FROM n",
                                &opts);
    size_t bytes = 0, len;
    rsq_result *r = NULL;

    for (;;) {
        if (json)
            WANT(f, RSQ_OK, rsq_cursor_next_json(cursor, &r, &f->err));
        else
            WANT(f, RSQ_OK, rsq_cursor_next(cursor, &r, &f->err));
        if (!r)
            break;
        if (json && rsq_result_json(r, &len))
            bytes += len / 2;
        else
            bytes += rsq_result_rows(r) * 10000;
        rsq_result_unref(r);
    }
    rsq_cursor_close(cursor);
    return bytes / 1000000;
}

/* Commit as many pages of 512 bytes, at least. */
static void write_pages(fixture *f, int pages)
{
    for (int i = 0; i < pages; i += 2000)
        EXEC(f, "INSERT OR REPLACE INTO ballast SELECT 1, zeroblob(1030000)");
}

static int64_t log_bytes(fixture *f)
{
    char path[sizeof f->path + 8];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", f->path);
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_size;
}

/* A cursor holds the log back. Up to 12,000 pages it may; then it is ended with a code of its own that names
 * it, and the log begins anew: it is written over, and grows no more. */
static void log_must_begin_anew(void **state)
{
    fixture *f = *state;
    rsq_open_options open = {.size = sizeof open, .readers = 3, .page_size = 512};
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *cursor, *unread;

    fixture_open(f, &open);
    EXEC(f, ITEMS);
    fill_items(f, 100);
    EXEC(f, "CREATE TABLE ballast(id INTEGER PRIMARY KEY, b)");
    write_pages(f, 2000);
    cursor = opened(f, ALL_ITEMS, &opts);
    unread = opened(f, "SELECT count(*) FROM ballast", &opts);
    expect_next(f, cursor, "1|'item 1'|1");
    write_pages(f, 6000);
    expect_next(f, cursor, "2|'item 2'|0.2857142857142857");
    write_pages(f, 14000);
    expect_ended(f, cursor, RSQ_ESNAPSHOT);
    assert_non_null(strstr(f->err.message, ALL_ITEMS));
    expect_ended(f, unread, RSQ_ESNAPSHOT);
    rsq_cursor_close(unread);
    unread = opened(f, "SELECT count(*) FROM ballast", &opts);
    expect_next(f, unread, "1");
    rsq_cursor_close(unread);
    write_pages(f, 2000);
    assert_true(log_bytes(f) > 12000 * 512);
    /* From 12,000 pages on writers wait for it; on a busy machine not always long enough the first time. */
    write_pages(f, 60000);
    assert_true(log_bytes(f) < 30000 * 512);
    rsq_cursor_close(cursor);
}

/* What it is there for: a result of 200 MB is read in the memory of a chunk. A sanitizer keeps freed memory
 * for a while, so there it is only read. */
static void memory_of_a_chunk(void **state)
{
    fixture *f = *state;
    long before;

    start(f, 2);
    before = peak_mb();
    assert_true(megabytes_read(f, false) >= 200);
    assert_true(megabytes_read(f, true) >= 200);
    if (!UNDER_ASAN && !FIXTURE_UNDER_TSAN)
        assert_true(peak_mb() - before < 32);
}

/* ---------------------------------------------------------------------------- errors -- */

/* An error in some row ends it with SQLite's code; the chunks before it came whole, and the reader is back.
 */
static void error_in_a_row(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(7);
    rsq_cursor *cursor;
    rsq_result *r;

    start(f, 2);
    fill_items(f, 40);
    EXEC(f, "UPDATE items SET value = CASE id WHEN 20 THEN -9223372036854775808 ELSE -id END");
    cursor = opened(f, "SELECT abs(value) FROM items ORDER BY id", &opts);
    for (int64_t from = 0; from < 14; from += 7) {
        r = chunk_of(f, cursor);
        assert_int_equal(rsq_result_rows(r), 7);
        for (size_t i = 0; i < 7; i++)
            assert_int_equal(rsq_result_int64(r, i, 0), from + (int64_t)i + 1);
        rsq_result_unref(r);
    }
    expect_ended(f, cursor, RSQ_ESQL);
    assert_int_equal(f->err.sqlite_code, 1);
    assert_non_null(strstr(f->err.message, "integer overflow"));
    expect_room(f);
    rsq_cursor_close(cursor);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "40");
}

/* The same in the first row, which no row came before. */
static void error_in_the_first_row(void **state)
{
    fixture *f = *state;
    rsq_cursor *cursor;
    rsq_result *r = NULL;

    start(f, 2);
    cursor = opened(f, "SELECT abs(-9223372036854775808)", NULL);
    WANT_CODE(RSQ_ESQL, rsq_cursor_next_json(cursor, &r, NULL));
    expect_ended(f, cursor, RSQ_ESQL);
    rsq_cursor_close(cursor);
    expect_room(f);
}

/* SQL that cannot be read in chunks is refused when it is opened, with the codes of rsq_select(); nothing is
 * changed and no reader lost. */
static void sql_is_refused(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *sql;
        rsq_code code;
    } bad[] = {
        {"INSERT INTO items(name) VALUES ('x')", RSQ_EREADONLY},
        {"INSERT INTO items(name) VALUES ('x') RETURNING id", RSQ_EREADONLY},
        {"DELETE FROM items", RSQ_EREADONLY},
        {"CREATE TABLE other(x)", RSQ_EREADONLY},
        {"DROP TABLE items", RSQ_EREADONLY},
        {"VACUUM", RSQ_EREADONLY},
        {"CREATE TEMP TABLE other(x)", RSQ_EREFUSED},
        {"BEGIN", RSQ_EREFUSED},
        {"PRAGMA journal_mode = delete", RSQ_EREFUSED},
        {"ATTACH 'x' AS y", RSQ_EREFUSED},
        {"", RSQ_EINVAL},
        {"-- nothing", RSQ_EINVAL},
        {"SELECT 1; SELECT 2", RSQ_EINVAL},
        {"SELECT ?", RSQ_EINVAL},
        {"SELECT * FORM items", RSQ_ESQL},
        {"SELECT * FROM missing", RSQ_ESQL},
    };

    start(f, 2);
    fill_items(f, 3);
    for (size_t i = 0; i < LENGTH(bad); i++) {
        rsq_cursor *cursor = NULL;

        WANT(f, bad[i].code, rsq_cursor_open(f->db, bad[i].sql, NULL, 0, NULL, &cursor, &f->err));
        assert_null(cursor);
        expect_room(f);
    }
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
}

static void bad_arguments(void **state)
{
    fixture *f = *state;
    rsq_call_options no_size = {.size = 0}, bad_json = {.size = sizeof bad_json, .json = 3};
    rsq_value unknown = {.type = 5}, at_null = {.type = RSQ_TEXT, .len = 3}, one = rsq_integer(1);
    rsq_cursor *cursor = NULL;
    rsq_result *r = NULL;

    start(f, 2);
    WANT(f, RSQ_EINVAL, rsq_cursor_open(NULL, "SELECT 1", NULL, 0, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, NULL, NULL, 0, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT 1", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT ?", NULL, 1, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT ?", &unknown, 1, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT ?", &at_null, 1, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT 1", &one, 1, NULL, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT 1", NULL, 0, &no_size, &cursor, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_open(f->db, "SELECT 1", NULL, 0, &bad_json, &cursor, &f->err));
    WANT_CODE(RSQ_EINVAL, rsq_cursor_open(NULL, NULL, NULL, 0, NULL, NULL, NULL));
    assert_null(cursor);
    cursor = opened(f, "SELECT 'still there'", NULL);
    WANT(f, RSQ_EINVAL, rsq_cursor_next(NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_next_json(NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_next(cursor, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_cursor_next_json(cursor, NULL, &f->err));
    WANT_CODE(RSQ_EINVAL, rsq_cursor_next(NULL, NULL, NULL));
    assert_null(r);
    expect_next(f, cursor, "'still there'");
    rsq_cursor_close(cursor);
}

/* With one connection a cursor would keep everybody out, so there is none. */
static void one_connection(void **state)
{
    fixture *f = *state;
    static const char *const paths[] = {":memory:", ""};

    for (size_t i = 0; i < LENGTH(paths); i++) {
        rsq_cursor *cursor = NULL;

        f->db = fixture_open_path(f, paths[i], NULL);
        EXEC(f, ITEMS);
        WANT(f, RSQ_EUNSUPPORTED, rsq_cursor_open(f->db, ALL_ITEMS, NULL, 0, NULL, &cursor, &f->err));
        assert_null(cursor);
        fill_items(f, 3);
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
        fixture_close(f);
    }
}

/* What the transaction function of the next test found. */
typedef struct inside_tx {
    fixture *f;
    rsq_cursor *earlier; /* opened before the transaction */
    rsq_cursor *opened;
    rsq_code open, next, insert;
    rsq_error err;
    rsq_result *chunk;
} inside_tx;

static rsq_code use_cursors(rsq_tx *tx, void *ctx)
{
    inside_tx *in = ctx;

    in->insert = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, NULL);
    in->open = rsq_cursor_open(in->f->db, ALL_ITEMS, NULL, 0, NULL, &in->opened, &in->err);
    in->next = rsq_cursor_next(in->earlier, &in->chunk, NULL);
    return RSQ_OK;
}

/* In a transaction function a cursor would not see what was written there, so none is opened; one that was
 * opened before it goes on in its own snapshot. */
static void in_a_transaction(void **state)
{
    fixture *f = *state;
    inside_tx in = {.f = f};

    start(f, 3);
    in.earlier = opened(f, "SELECT count(*) FROM items", NULL);
    WANT(f, RSQ_OK, rsq_transaction(f->db, use_cursors, &in, NULL, &f->err));
    WANT_CODE(RSQ_OK, in.insert);
    fixture_want(RSQ_EMISUSE, in.open, &in.err, "rsq_cursor_open()", __FILE__, __LINE__);
    assert_null(in.opened);
    WANT_CODE(RSQ_OK, in.next);
    EXPECT_RESULT(in.chunk, "0");
    rsq_result_unref(in.chunk);
    rsq_cursor_close(in.earlier);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "1");
}

/* ------------------------------------------------------------- closing the database -- */

/* The database is closed while cursors rest: it does not wait for them, and they say so when they are asked;
 * what ended before keeps its own end. */
static void database_closes_first(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);
    rsq_cursor *fresh, *middle, *finished, *failed, *late = NULL;
    rsq_db *db;

    start(f, 6);
    db = f->db;
    fresh = opened(f, ENDLESS_ROWS, &opts);
    middle = opened(f, ENDLESS_ROWS, &opts);
    finished = opened(f, "SELECT 1", &opts);
    failed = opened(f, "SELECT abs(-9223372036854775808)", &opts);
    expect_next(f, middle, "0");
    expect_next(f, finished, "1");
    expect_ended(f, failed, RSQ_ESQL);
    fixture_close(f);
    WANT(f, RSQ_ECLOSED, rsq_cursor_open(db, "SELECT 1", NULL, 0, NULL, &late, &f->err));
    assert_null(late);
    expect_ended(f, fresh, RSQ_ECLOSED);
    expect_ended(f, middle, RSQ_ECLOSED);
    expect_next(f, finished, "");
    expect_ended(f, failed, RSQ_ESQL);
    rsq_cursor_close(fresh);
    rsq_cursor_close(middle);
    rsq_cursor_close(finished);
    rsq_cursor_close(failed);
}

/* A thread that reads while the database is closed under it. */
typedef struct reading {
    rsq_cursor *cursor;
    gate begun;
    rsq_code code;
    rsq_error err;
    size_t rows;
} reading;

static void read_to_the_end(void *ctx)
{
    reading *rd = ctx;
    bool more = true;

    while (more) {
        rsq_result *r = NULL;

        rd->code = rsq_cursor_next(rd->cursor, &r, &rd->err);
        more = rd->code == RSQ_OK && r;
        if (more)
            rd->rows += rsq_result_rows(r);
        rsq_result_unref(r);
        if (rd->rows >= 3)
            gate_open(&rd->begun);
    }
}

/* The database is closed while another thread is inside rsq_cursor_next(), or between two of them: the close
 * waits for the chunk and not for the rest, which the thread is told is closed. */
static void database_closes_under_a_reader(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = chunks_of(1);

    for (int i = 0; i < 30; i++) {
        reading rd = {.code = RSQ_OK};
        thread t;

        fixture_open(f, NULL);
        rd.cursor = opened(f,
                           "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) "
                           "SELECT i FROM n WHERE i % 1000 = 0",
                           &opts);
        gate_init(&rd.begun);
        thread_start(&t, read_to_the_end, &rd);
        assert_true(gate_wait(&rd.begun));
        fixture_close(f);
        THREAD_JOIN(&t);
        fixture_want(RSQ_ECLOSED, rd.code, &rd.err, "rsq_cursor_next()", __FILE__, __LINE__);
        expect_ended(f, rd.cursor, RSQ_ECLOSED);
        rsq_cursor_close(rd.cursor);
        gate_fini(&rd.begun);
    }
}

static void read_one_chunk(void *ctx)
{
    reading *rd = ctx;
    rsq_result *r = NULL;

    gate_open(&rd->begun);
    rd->code = rsq_cursor_next(rd->cursor, &r, &rd->err);
    rsq_result_unref(r);
}

/* The same for a chunk that its own limit ends, while the close waits for it: whatever the first answer is,
 * the cursor says the same from then on. */
static void database_closes_under_an_endless_chunk(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .timeout_ms = 30};

    for (int i = 0; i < 5; i++) {
        reading rd = {.code = RSQ_OK};
        thread t;

        fixture_open(f, NULL);
        rd.cursor = opened(f, ENDLESS, &opts);
        gate_init(&rd.begun);
        thread_start(&t, read_one_chunk, &rd);
        assert_true(gate_wait(&rd.begun));
        fixture_close(f);
        THREAD_JOIN(&t);
        assert_true(rd.code == RSQ_ETIMEOUT || rd.code == RSQ_ECLOSED);
        expect_ended(f, rd.cursor, rd.code);
        rsq_cursor_close(rd.cursor);
        gate_fini(&rd.begun);
    }
}

/* Threads that open cursors until the database is closed, and keep what they opened last. */
typedef struct opening {
    rsq_db *db;
    gate begun;
    verdict verdict;
    rsq_cursor *kept[2];
} opening;

static void open_until_closed(opening *o, size_t index)
{
    rsq_code rc = RSQ_OK;

    while (rc != RSQ_ECLOSED) {
        rsq_cursor *cursor = NULL;
        rsq_error err;

        rc = rsq_cursor_open(o->db, ENDLESS_ROWS, NULL, 0, NULL, &cursor, &err);
        BLAME(&o->verdict, rc == RSQ_OK || rc == RSQ_ECLOSED, &err);
        if (rc == RSQ_OK) {
            rsq_cursor_close(o->kept[index]);
            o->kept[index] = cursor;
        }
        gate_open(&o->begun);
    }
}

static void open_or_close(size_t index, void *ctx)
{
    opening *o = ctx;

    if (index < LENGTH(o->kept)) {
        open_until_closed(o, index);
        return;
    }
    BLAME(&o->verdict, gate_wait(&o->begun), NULL);
    BLAME(&o->verdict, rsq_close(o->db) == RSQ_OK, NULL);
}

/* Cursors that are opened just when the database is closed are refused or ended: the close waits for none of
 * them to be closed, or to be idle for as long as it may be. */
static void database_closes_while_cursors_open(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 8};

    for (int i = 0; i < 100; i++) {
        opening o = {.kept = {NULL, NULL}};

        o.db = fixture_open_path(f, f->path, &opts);
        gate_init(&o.begun);
        verdict_init(&o.verdict);
        crew_run(3, open_or_close, &o);
        VERDICT(&o.verdict);
        for (size_t k = 0; k < LENGTH(o.kept); k++) {
            if (o.kept[k])
                expect_ended(f, o.kept[k], RSQ_ECLOSED);
            rsq_cursor_close(o.kept[k]);
        }
        gate_fini(&o.begun);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(memory_of_a_chunk), /* first: it compares with the most memory that there ever was */
        CASE(chunk_sizes),
        CASE(default_chunk),
        CASE(empty_result),
        CASE(many_rows),
        CASE(chunks_outlive_all),
        CASE(parameters_are_copied),
        CASE(two_of_the_same_sql),
        CASE(all_of_one_commit),
        CASE(table_is_dropped_between),
        CASE(under_a_busy_writer),
        CASE(json_forms),
        CASE(json_and_rows_by_turns),
        CASE(json_lines_join),
        CASE(never_the_last_reader),
        CASE(last_row_gives_the_reader_back),
        CASE(close_in_the_middle),
        CASE(goes_from_thread_to_thread),
        CASE(read_only_database),
        CASE(idle_timeout),
        CASE(idle_timeout_then_close),
        CASE(reading_is_not_idle),
        CASE(long_chunk_is_not_idle),
        CASE(total_timeout_in_a_chunk),
        CASE(total_timeout_between_chunks),
        CASE(limits_at_any_moment),
        CASE(limit_passes_while_it_opens),
        CASE(bytes_of_a_chunk),
        CASE(log_must_begin_anew),
        CASE(error_in_a_row),
        CASE(error_in_the_first_row),
        CASE(sql_is_refused),
        CASE(bad_arguments),
        CASE(one_connection),
        CASE(in_a_transaction),
        CASE(database_closes_first),
        CASE(database_closes_under_a_reader),
        CASE(database_closes_under_an_endless_chunk),
        CASE(database_closes_while_cursors_open),
    };

    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
