/*
 * How answers are handed over: whole, as JSON, as differences, as signals; not too often; from moving
 * windows; in groups; without what the consumer wrote itself; and again after an error that passed.
 */
#include "fixture.h"

#include <sched.h>

#include <stdatomic.h>
#include <time.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, value INTEGER)"
#define HOUR_MS 3600000u

static void start(fixture *f)
{
    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, ITEMS);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static probe *watch_mode(fixture *f, const char *sql, uint32_t mode)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.mode = mode;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

/* ----------------------------------------------------------------------- JSON, signals -- */

static void expect_json(probe *p, const char *json)
{
    const probe_event *e = EXPECT_KIND(p, RSQ_EVENT_RESULT);

    assert_non_null(rsq_result_json(e->result, NULL));
    assert_string_equal(rsq_result_json(e->result, NULL), json);
}

/* JSON bytes as an answer; equal bytes are no event, and other forms are other queries. */
static void json_answers(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT id, name FROM items ORDER BY id";
    rsq_stream_options opts;
    probe *objects, *arrays;

    start(f);
    objects = watch_mode(f, sql, RSQ_STREAM_JSON);
    arrays = probe_new(f, fixture_queue(f), &opts);
    opts.mode = RSQ_STREAM_JSON;
    opts.json = RSQ_JSON_ARRAYS;
    WATCH_SET(f, arrays, sql, &opts);
    expect_json(objects, "[]");
    expect_json(arrays, "[]");
    EXEC(f, "INSERT INTO items(id, name) VALUES (1, 'a')");
    expect_json(objects, "[{\"id\":1,\"name\":\"a\"}]");
    expect_json(arrays, "[[1,\"a\"]]");
    EXEC(f, "UPDATE items SET value = 5");
    EXPECT_QUIET(objects);
    EXPECT_QUIET(arrays);
}

/* A signal says that there is a new answer and of which commit; what changes nothing is none. */
static void signals(void **state)
{
    fixture *f = *state;
    rsq_result *w = NULL;
    const probe_event *e;
    probe *p;

    start(f);
    p = watch_mode(f, "SELECT name FROM items", RSQ_STREAM_SIGNAL);
    EXPECT_KIND(p, RSQ_EVENT_SIGNAL);
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO items(name) VALUES ('a')", NULL, 0, NULL, &w, &f->err));
    e = EXPECT_KIND(p, RSQ_EVENT_SIGNAL);
    assert_true(e->commit_seq == rsq_result_commit_seq(w));
    rsq_result_unref(w);
    EXEC(f, "UPDATE items SET name = 'a', value = 1");
    EXPECT_QUIET(p);
    EXEC(f, "DROP TABLE items");
    EXPECT_ERROR(p);
    EXEC(f, ITEMS);
    EXPECT_KIND(p, RSQ_EVENT_SIGNAL);
}

static void wrong_options(void **state)
{
    fixture *f = *state;
    static const char *const keys[] = {"id", NULL};
    rsq_stream_options opts[7];
    probe *p = NULL;

    start(f);
    for (size_t i = 0; i < LENGTH(opts); i++) {
        p = probe_new(f, fixture_queue(f), &opts[i]);
        p->abandoned = true;
    }
    opts[0].mode = 4;
    opts[1].flags = 2;
    opts[2].json = RSQ_JSON_ARRAYS; /* of cells */
    opts[3].refresh_ms = 10;        /* of what is not volatile */
    opts[4].nkeys = 1;
    opts[4].keys = keys; /* of what is no difference */
    opts[5].nkeys = 2;
    opts[5].keys = keys;
    opts[5].mode = RSQ_STREAM_DIFFERENCE;
    opts[6].nkeys = 1;
    opts[6].mode = RSQ_STREAM_DIFFERENCE;
    for (size_t i = 0; i < LENGTH(opts); i++)
        WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &opts[i], &p->stream, &f->err));
}

/* ------------------------------------------------------------------------- differences -- */

/* "i2 d0 u1>2(1) m3>0()" */
static void describe(const probe_event *e, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < e->nchanges && at < size; i++) {
        const rsq_change *c = &e->changes[i];
        const char *gap = i ? " " : "";

        if (c->kind == RSQ_CHANGE_INSERT)
            at += (size_t)snprintf(text + at, size - at, "%si%zu", gap, c->to);
        else if (c->kind == RSQ_CHANGE_DELETE)
            at += (size_t)snprintf(text + at, size - at, "%sd%zu", gap, c->from);
        else
            at += (size_t)snprintf(text + at, size - at, "%s%c%zu>%zu(", gap,
                                   c->kind == RSQ_CHANGE_MOVE ? 'm' : 'u', c->from, c->to);
        for (uint32_t k = 0; k < c->ncolumns; k++)
            at += (size_t)snprintf(text + at, size - at, "%s%u", k ? "," : "", c->columns[k]);
        if (c->kind == RSQ_CHANGE_UPDATE || c->kind == RSQ_CHANGE_MOVE)
            at += (size_t)snprintf(text + at, size - at, ")");
    }
}

static void expect_difference(probe *p, const char *expected)
{
    const probe_event *e = EXPECT_KIND(p, RSQ_EVENT_DIFFERENCE);
    char text[512];

    describe(e, text, sizeof text);
    assert_string_equal(text, expected);
}

/* Rows are known by the primary key that is among the columns. */
static void differences_by_primary_key(void **state)
{
    fixture *f = *state;
    const probe_event *e;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)");
    p = watch_mode(f, "SELECT name, value, id FROM items ORDER BY value", RSQ_STREAM_DIFFERENCE);
    EXPECT_EVENT(p, "'a'|10|1\n'b'|20|2\n'c'|30|3");
    EXEC(f, "INSERT INTO items VALUES (4, 'd', 15)");
    expect_difference(p, "i1");
    EXEC(f, "UPDATE items SET name = 'bb', value = 21 WHERE id = 2");
    expect_difference(p, "u2>2(0,1)");
    EXEC(f, "UPDATE items SET value = 5 WHERE id = 3");
    expect_difference(p, "m3>0(1)");
    EXEC(f, "DELETE FROM items WHERE id IN (1, 4)");
    expect_difference(p, "d2 d1");
    e = &p->events[p->taken - 1];
    EXPECT_RESULT(e->before, "'c'|5|3\n'a'|10|1\n'd'|15|4\n'bb'|21|2");
    EXPECT_RESULT(e->result, "'c'|5|3\n'bb'|21|2");
    EXEC(f, "UPDATE items SET id = 9 WHERE id = 2");
    expect_difference(p, "d1 i1");
    EXPECT_QUIET(p);
}

static probe *watch_keys(fixture *f, const char *sql, const char *const *keys, size_t nkeys)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.mode = RSQ_STREAM_DIFFERENCE;
    opts.keys = keys;
    opts.nkeys = nkeys;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

/* Or by the columns that the consumer names; without any, a row with other values is another row. Three
 * consumers of one query, each with its own idea. */
static void differences_by_named_columns(void **state)
{
    fixture *f = *state;
    static const char *const by_name[] = {"name"}, *const by_nothing[] = {"no such column"};
    const char *sql = "SELECT id, name, value FROM items ORDER BY id";
    probe *p[3];

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'a', 10), (2, 'b', 20)");
    p[0] = watch_keys(f, sql, by_name, 1);
    p[1] = watch_keys(f, sql, by_nothing, 1);
    p[2] = watch_keys(f, sql, NULL, 0);
    for (size_t i = 0; i < LENGTH(p); i++)
        EXPECT_EVENT(p[i], "1|'a'|10\n2|'b'|20");
    EXEC(f, "UPDATE items SET id = 3, value = 11 WHERE id = 1");
    expect_difference(p[0], "m1>0() u0>1(0,2)");
    expect_difference(p[1], "d0 i1");
    expect_difference(p[2], "d0 i1");
    EXEC(f, "UPDATE items SET value = 12 WHERE id = 3");
    expect_difference(p[0], "u1>1(2)");
    expect_difference(p[1], "d1 i1");
    expect_difference(p[2], "u1>1(2)");
    assert_ptr_equal(p[0]->events[2].result, p[2]->events[2].result);
}

/* Keys of WITHOUT ROWID tables, of views and of row ids are found too; an aggregate has none. */
static void where_keys_are_found(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *sql, *expected;
    } cases[] = {
        {"SELECT b, a, v FROM w ORDER BY a", "u0>0(2)"},
        {"SELECT rowid, v FROM r", "u0>0(1)"},
        {"SELECT * FROM view_of_w", "u0>0(2)"},
        {"SELECT w.a, w.b, w.v, r.rowid, r.v FROM w, r", "u0>0(2,4)"},
        {"SELECT sum(v) AS total FROM w", "d0 i0"},
        {"SELECT a + 0, v FROM w", "d0 i0"},
    };
    probe *p[LENGTH(cases)];

    start(f);
    EXEC(f, "CREATE TABLE w(a, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID");
    EXEC(f, "CREATE TABLE r(v)");
    EXEC(f, "CREATE VIEW view_of_w AS SELECT a, b, v AS value FROM w");
    EXEC(f, "INSERT INTO w VALUES (1, 2, 3)");
    EXEC(f, "INSERT INTO r VALUES (3)");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        p[i] = watch_mode(f, cases[i].sql, RSQ_STREAM_DIFFERENCE);
        EXPECT_KIND(p[i], RSQ_EVENT_RESULT);
    }
    EXEC(f, "CREATE TRIGGER both AFTER UPDATE ON w BEGIN UPDATE r SET v = new.v; END");
    EXEC(f, "UPDATE w SET v = 4");
    for (size_t i = 0; i < LENGTH(cases); i++)
        expect_difference(p[i], cases[i].expected);
}

/* One that was away is told one difference: from what it was handed last to the newest. */
static void merged_for_a_slow_consumer(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT id, value FROM items ORDER BY id";
    rsq_stream_options opts;
    rsq_queue *away = NULL;
    probe *fast, *slow;

    start(f);
    WANT(f, RSQ_OK, rsq_queue_new(&away, &f->err));
    slow = probe_new(f, away, &opts);
    opts.mode = RSQ_STREAM_DIFFERENCE;
    WATCH_SET(f, slow, sql, &opts);
    fast = watch_mode(f, sql, RSQ_STREAM_DIFFERENCE);
    EXPECT_EVENT(fast, "");
    EXPECT_EVENT(slow, "");
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 1), (2, 2)");
    expect_difference(fast, "i0 i1");
    EXEC(f, "UPDATE items SET value = 5 WHERE id = 1");
    expect_difference(fast, "u0>0(1)");
    EXEC(f, "DELETE FROM items WHERE id = 2");
    expect_difference(fast, "d1");
    expect_difference(slow, "i0");
    EXPECT_RESULT(slow->events[1].result, "1|5");
    EXPECT_RESULT(slow->events[1].before, "");
    probe_close(slow);
    rsq_queue_free(away);
}

/* Other columns come whole; and after an error the difference is still to what was shown last. */
static void whole_again(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'a', 10)");
    p = watch_mode(f, "SELECT * FROM items", RSQ_STREAM_DIFFERENCE);
    EXPECT_EVENT(p, "1|'a'|10");
    EXEC(f, "ALTER TABLE items ADD COLUMN extra DEFAULT 7");
    EXPECT_EVENT(p, "1|'a'|10|7");
    EXEC(f, "ALTER TABLE items RENAME TO hidden");
    EXPECT_ERROR(p);
    EXEC(f, "UPDATE hidden SET value = 11");
    EXEC(f, "ALTER TABLE hidden RENAME TO items");
    expect_difference(p, "u0>0(2)");
}

/* Rows as a consumer keeps them, by differences only. */
typedef struct mirror {
    char **rows;
    size_t count;
} mirror;

static char *row_text(const rsq_result *r, size_t row)
{
    size_t columns;
    const rsq_value *cells = rsq_result_cells(r, NULL, &columns);
    char *text = calloc(1, 256);
    size_t at = 0;

    for (size_t c = 0; text && c < columns && at < 200; c++) {
        const rsq_value *v = &cells[row * columns + c];

        if (v->type == RSQ_TEXT)
            at += (size_t)snprintf(text + at, 256 - at, "%s|", v->as.text);
        else if (v->type == RSQ_INTEGER)
            at += (size_t)snprintf(text + at, 256 - at, "%lld|", (long long)v->as.i);
        else
            at += (size_t)snprintf(text + at, 256 - at, "NULL|");
    }
    return text;
}

static void mirror_clear(mirror *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->rows[i]);
    free(m->rows);
    *m = (mirror){0};
}

/* Take out, put in; an update's row is written anew from its columns. */
static void mirror_apply(mirror *m, const probe_event *e)
{
    size_t rows = rsq_result_rows(e->result);
    mirror next = {.rows = calloc(rows + 1, sizeof(char *)), .count = rows};
    bool *out = calloc(m->count + 1, sizeof *out);
    size_t kept = 0, i = 0;

    assert_true(next.rows && out);
    for (size_t k = 0; k < e->nchanges; k++) {
        if (e->changes[k].kind == RSQ_CHANGE_DELETE || e->changes[k].kind == RSQ_CHANGE_MOVE)
            out[e->changes[k].from] = true;
    }
    while (i < e->nchanges && e->changes[i].kind == RSQ_CHANGE_DELETE)
        i++;
    for (size_t to = 0; to < rows; to++) {
        const rsq_change *c = i < e->nchanges && e->changes[i].to == to ? &e->changes[i++] : NULL;
        size_t from = c && c->kind == RSQ_CHANGE_MOVE ? c->from : kept;

        if (c && (c->kind == RSQ_CHANGE_INSERT || c->ncolumns)) {
            next.rows[to] = row_text(e->result, to);
            if (c->kind == RSQ_CHANGE_INSERT)
                continue;
        }
        if (!c || c->kind == RSQ_CHANGE_UPDATE) {
            while (kept < m->count && out[kept])
                kept++;
            from = kept++;
        }
        assert_true(from < m->count);
        if (!next.rows[to]) {
            next.rows[to] = m->rows[from];
            m->rows[from] = NULL;
        }
    }
    free(out);
    mirror_clear(m);
    *m = next;
}

static void mirror_take(mirror *m, const probe_event *e)
{
    size_t rows = rsq_result_rows(e->result);

    if (e->kind == RSQ_EVENT_DIFFERENCE) {
        mirror_apply(m, e);
    } else {
        mirror_clear(m);
        m->rows = calloc(rows + 1, sizeof(char *));
        assert_non_null(m->rows);
        for (; m->count < rows; m->count++)
            m->rows[m->count] = row_text(e->result, m->count);
    }
    assert_int_equal(m->count, rows);
    for (size_t i = 0; i < rows; i++) {
        char *expected = row_text(e->result, i);

        assert_string_equal(m->rows[i], expected);
        free(expected);
    }
}

static void random_write(fixture *f, uint64_t *seed)
{
    static const char *const forms[] = {
        "INSERT OR REPLACE INTO items VALUES (%d, 'n%d', %d)",
        "DELETE FROM items WHERE id = %d AND %d < %d + 100",
        "UPDATE items SET value = %d WHERE id %% 7 = %d %% 7 AND %d >= 0",
        "UPDATE OR IGNORE items SET id = %d WHERE id = %d AND %d >= 0",
        "DELETE FROM items WHERE id %% 5 = %d %% 5 AND %d >= 0 AND %d >= 0",
    };
    const char *form = forms[fixture_random(seed) % LENGTH(forms)];
    char sql[160];

    snprintf(sql, sizeof sql, form, (int)(fixture_random(seed) % 40), (int)(fixture_random(seed) % 40),
             (int)(fixture_random(seed) % 40));
    EXEC(f, sql);
}

/* A consumer that keeps its rows by differences alone has the rows of each answer, whenever it looks. */
static void differences_add_up(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("differences_add_up");
    static const char *const sql[] = {
        "SELECT id, name, value FROM items ORDER BY value, id",
        "SELECT value, name FROM items ORDER BY name DESC, id",
        "SELECT value, count(*) FROM items GROUP BY value",
    };
    mirror m[LENGTH(sql)] = {0};
    probe *p[LENGTH(sql)];

    start(f);
    for (size_t i = 0; i < LENGTH(sql); i++)
        p[i] = watch_mode(f, sql[i], RSQ_STREAM_DIFFERENCE);
    for (int n = 0; n < 2000; n++) {
        random_write(f, &seed);
        if (fixture_random(&seed) % 4 == 0)
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
        for (size_t i = 0; i < LENGTH(sql); i++) {
            while (p[i]->taken < p[i]->count)
                mirror_take(&m[i], probe_await(p[i], __FILE__, __LINE__));
        }
    }
    for (size_t i = 0; i < LENGTH(sql); i++) {
        rsq_result *r = NULL;

        EXPECT_QUIET(f->canary);
        while (p[i]->taken < p[i]->count)
            mirror_take(&m[i], probe_await(p[i], __FILE__, __LINE__));
        WANT(f, RSQ_OK, rsq_select(f->db, sql[i], NULL, 0, NULL, &r, &f->err));
        assert_int_equal(rsq_result_rows(r), m[i].count);
        for (size_t row = 0; row < m[i].count; row++) {
            char *expected = row_text(r, row);

            assert_string_equal(m[i].rows[row], expected);
            free(expected);
        }
        rsq_result_unref(r);
        mirror_clear(&m[i]);
    }
}

/* ---------------------------------------------------------------------------- not too often -- */

static probe *watch_every(fixture *f, const char *sql, uint32_t min_interval_ms)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.min_interval_ms = min_interval_ms;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

/* It runs at most once in the interval, and ends at the newest answer. */
static void runs_are_kept_apart(void **state)
{
    enum { INTERVAL_MS = 50 };
    fixture *f = *state;
    int64_t began = now_ms();
    probe *p;

    start(f);
    p = watch_every(f, "SELECT count(*) FROM items", INTERVAL_MS);
    EXPECT_EVENT(p, "0");
    for (int i = 0; i < 300; i++)
        EXEC(f, "INSERT INTO items(value) VALUES (1)");
    EXPECT_REACHES(p, "300");
    assert_true((int64_t)probe_stats(p).runs <= (now_ms() - began) / INTERVAL_MS + 1);
}

/* While a query waits for its time, who joins it is not made to wait. */
static void a_joiner_does_not_wait(void **state)
{
    fixture *f = *state;
    probe *first, *second;

    start(f);
    first = watch_every(f, "SELECT count(*) FROM items", HOUR_MS);
    EXPECT_EVENT(first, "0");
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    EXPECT_QUIET(first);
    second = watch_every(f, "SELECT count(*) FROM items", HOUR_MS);
    EXPECT_EVENT(second, "1");
    EXPECT_EVENT(first, "1");
    EXEC(f, "INSERT INTO items(value) VALUES (1)");
    EXPECT_QUIET(first);
    probe_close(first);
    probe_close(second);
}

typedef struct endless {
    rsq_db *db;
    _Atomic bool stop;
    _Atomic int writes;
    rsq_code code;
} endless;

static void write_endlessly(void *ctx)
{
    endless *e = ctx;

    while (!atomic_load(&e->stop) && e->code == RSQ_OK) {
        e->code = rsq_execute(e->db, "UPDATE items SET value = value + 1", NULL, 0, NULL, NULL, NULL);
        atomic_fetch_add(&e->writes, 1);
    }
}

/* Whatever is written, and though no run ends before the next commit, every stream goes on being told: slow
 * ones and fast ones, those in a group, and each answer that was read is handed over. */
static void nobody_starves(void **state)
{
    static const char slow[] = "WITH RECURSIVE slowly(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM slowly "
                               "WHERE x < 20000) SELECT value FROM items WHERE (SELECT count(*) FROM slowly)";
    fixture *f = *state;
    endless e = {.code = RSQ_OK};
    rsq_stream_options opts;
    probe *p[6];
    thread t;

    start(f);
    EXEC(f, "INSERT INTO items VALUES (1, 'a', 0)");
    e.db = f->db;
    thread_start(&t, write_endlessly, &e);
    p[0] = WATCH(f, "SELECT value FROM items");
    p[1] = WATCH(f, slow);
    p[2] = watch_every(f, "SELECT value FROM items", 20);
    p[3] = watch_mode(f, slow, RSQ_STREAM_DIFFERENCE);
    for (size_t i = 4; i < LENGTH(p); i++) {
        p[i] = probe_new(f, fixture_queue(f), &opts);
        opts.group = 1;
        WATCH_SET(f, p[i], i == 4 ? slow : "SELECT value FROM items", &opts);
    }
    for (size_t i = 0; i < LENGTH(p); i++) {
        for (int n = 0; n < 20; n++)
            probe_await(p[i], __FILE__, __LINE__);
    }
    atomic_store(&e.stop, true);
    THREAD_JOIN(&t);
    WANT_CODE(RSQ_OK, e.code);
    for (size_t i = 0; i < LENGTH(p); i++) {
        rsq_stream_counters c = probe_stats(p[i]);

        /* No run was for nothing but those that ended where the one before did. */
        assert_true(c.runs <= c.emitted + c.suppressed + 1);
    }
    print_message("# %d writes\n", atomic_load(&e.writes));
}

/* ---------------------------------------------------------------------------------- windows -- */

static void set_params(fixture *f, probe *p, int64_t low)
{
    rsq_value v = rsq_integer(low);

    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, &v, 1, &f->err));
}

#define WINDOW "SELECT id, value FROM items WHERE id >= ? ORDER BY id LIMIT 2"

static probe *watch_window(fixture *f, uint32_t mode, int64_t low)
{
    rsq_value v = rsq_integer(low);
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    p->may_repeat = true;
    opts.mode = mode;
    WANT(f, RSQ_OK, rsq_stream_open(f->db, WINDOW, &v, 1, &opts, &p->stream, &f->err));
    return p;
}

static void fill(fixture *f)
{
    EXEC(f, "INSERT INTO items(id, value) VALUES (1, 10), (2, 20), (3, 30), (4, 40)");
}

/* Each new window is told once, also when it has the same rows; the old one no more; and commits between are
 * in it. */
static void a_window_moves(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    fill(f);
    p = watch_window(f, RSQ_STREAM_RESULT, 1);
    EXPECT_EVENT(p, "1|10\n2|20");
    set_params(f, p, 3);
    EXPECT_EVENT(p, "3|30\n4|40");
    EXEC(f, "UPDATE items SET value = 11 WHERE id = 1");
    EXPECT_QUIET(p);
    EXEC(f, "UPDATE items SET value = 31 WHERE id = 3");
    EXPECT_EVENT(p, "3|31\n4|40");
    set_params(f, p, 3);
    EXPECT_EVENT(p, "3|31\n4|40");
    for (int i = 0; i < 50; i++) {
        EXEC(f, "UPDATE items SET value = value + 1");
        set_params(f, p, i % 2 ? 3 : 1);
    }
    EXPECT_REACHES(p, "3|81\n4|90");
    EXPECT_QUIET(p);
    set_params(f, p, 100);
    EXPECT_EVENT(p, "");
    probe_close(p);
}

/* As a difference a window moves like any other change. */
static void a_window_moves_by_differences(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    fill(f);
    p = watch_window(f, RSQ_STREAM_DIFFERENCE, 1);
    EXPECT_EVENT(p, "1|10\n2|20");
    set_params(f, p, 2);
    expect_difference(p, "d0 i1");
    set_params(f, p, 2);
    expect_difference(p, "");
    EXEC(f, "UPDATE items SET value = 21 WHERE id = 2");
    expect_difference(p, "u0>0(1)");
}

/* Parameters that do not fit are an error, and the stream stays; one that has ended has none. */
static void wrong_windows(void **state)
{
    fixture *f = *state;
    rsq_value v[2] = {rsq_integer(1), rsq_integer(2)}, bad = rsq_integer(1);
    probe *p;

    start(f);
    fill(f);
    p = watch_window(f, RSQ_STREAM_RESULT, 1);
    EXPECT_EVENT(p, "1|10\n2|20");
    WANT(f, RSQ_OK, rsq_stream_set_params(p->stream, v, 2, &f->err));
    EXPECT_ERROR(p);
    assert_false(p->events[p->taken - 1].ended);
    set_params(f, p, 2);
    EXPECT_EVENT(p, "2|20\n3|30");
    bad.type = 77;
    WANT(f, RSQ_EINVAL, rsq_stream_set_params(p->stream, &bad, 1, &f->err));
    WANT(f, RSQ_EINVAL, rsq_stream_set_params(NULL, v, 1, &f->err));
    rsq_stream_close(p->stream);
    WANT(f, RSQ_ECLOSED, rsq_stream_set_params(p->stream, v, 1, &f->err));
    EXPECT_END(p);
}

static void move_on(probe *p, const probe_event *e, void *ctx)
{
    int64_t *left = ctx;
    rsq_value v = rsq_integer(--*left);

    (void)e;
    if (*left >= 0 && p->stream && rsq_stream_set_params(p->stream, &v, 1, NULL) != RSQ_OK)
        *left = -1000;
}

/* Inside its own callback. */
static void a_window_moved_by_its_callback(void **state)
{
    fixture *f = *state;
    int64_t left = 5;
    probe *p;

    start(f);
    fill(f);
    p = watch_window(f, RSQ_STREAM_RESULT, 3);
    p->then = move_on;
    p->then_ctx = &left;
    for (int i = 0; i < 6; i++)
        EXPECT_KIND(p, RSQ_EVENT_RESULT);
    EXPECT_RESULT(p->events[5].result, "1|10\n2|20");
    EXPECT_QUIET(p);
    p->then = NULL;
}

/* ----------------------------------------------------------------------------------- groups -- */

static probe *watch_group(fixture *f, const char *sql, uint32_t group, uint32_t mode)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.group = group;
    opts.mode = mode;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

static rsq_code move_amount(rsq_tx *tx, void *ctx)
{
    rsq_value v = rsq_integer(*(int64_t *)ctx);
    rsq_code rc = rsq_tx_execute(tx, "UPDATE a SET v = v - ?", &v, 1, NULL, NULL, NULL);

    return rc == RSQ_OK ? rsq_tx_execute(tx, "UPDATE b SET v = v + ?", &v, 1, NULL, NULL, NULL) : rc;
}

static void move_amounts(void *ctx)
{
    endless *e = ctx;
    int64_t amount = 0;

    while (!atomic_load(&e->stop) && e->code == RSQ_OK) {
        amount = (amount + 7) % 23 + 1;
        e->code = rsq_transaction(e->db, move_amount, &amount, NULL, NULL);
        if (e->code == RSQ_OK)
            e->code = rsq_execute(e->db, "UPDATE a SET other = other + 1", NULL, 0, NULL, NULL, NULL);
    }
}

static int64_t newest_value(const probe *p)
{
    return rsq_result_int64(p->events[p->count - 1].result, 0, 0);
}

/* After each dispatch, of one at a time, what the streams of a group were handed last belongs to one commit:
 * amounts move between two tables, and their sum never changes. */
static void a_group_shows_one_commit(void **state)
{
    fixture *f = *state;
    endless e = {.code = RSQ_OK};
    probe *a, *b, *sum;
    thread t;

    start(f);
    EXEC(f, "CREATE TABLE a(v, other)");
    EXEC(f, "CREATE TABLE b(v)");
    EXEC(f, "INSERT INTO a VALUES (100000, 0)");
    EXEC(f, "INSERT INTO b VALUES (0)");
    a = watch_group(f, "SELECT v FROM a", 7, RSQ_STREAM_RESULT);
    b = watch_group(f, "SELECT v FROM b", 7, RSQ_STREAM_RESULT);
    sum = watch_group(f, "SELECT (SELECT v FROM a) - (SELECT v FROM b)", 7, RSQ_STREAM_RESULT);
    e.db = f->db;
    while (!a->count || !b->count || !sum->count) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 1, NULL));
    }
    thread_start(&t, move_amounts, &e);
    while (a->count < 300) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 1, NULL));
        if (newest_value(a) + newest_value(b) != 100000 ||
            newest_value(a) - newest_value(b) != newest_value(sum))
            break;
    }
    atomic_store(&e.stop, true);
    THREAD_JOIN(&t);
    WANT_CODE(RSQ_OK, e.code);
    assert_int_equal(newest_value(a) + newest_value(b), 100000);
    assert_int_equal(newest_value(a) - newest_value(b), newest_value(sum));
    assert_true(a->count >= 300);
}

/* One dispatch delivers the whole group; members that are not concerned are silent. */
static void a_group_is_one_dispatch(void **state)
{
    fixture *f = *state;
    probe *names, *count, *other;
    size_t dispatched = 0;

    start(f);
    EXEC(f, "CREATE TABLE other(x)");
    names = watch_group(f, "SELECT name FROM items ORDER BY id", 1, RSQ_STREAM_JSON);
    count = watch_group(f, "SELECT count(*) FROM items", 1, RSQ_STREAM_DIFFERENCE);
    other = watch_group(f, "SELECT count(*) FROM other", 1, RSQ_STREAM_RESULT);
    expect_json(names, "[]");
    EXPECT_EVENT(count, "0");
    EXPECT_EVENT(other, "0");
    EXPECT_QUIET(other);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 1, &dispatched));
    assert_int_equal(dispatched, 1);
    assert_int_equal(names->count, 2);
    assert_int_equal(count->count, 2);
    assert_int_equal(other->count, 1);
    assert_true(names->events[1].commit_seq == count->events[1].commit_seq);
    expect_json(names, "[{\"name\":\"x\"}]");
    expect_difference(count, "d0 i0");
    EXPECT_QUIET(other);
}

static void close_other(probe *p, const probe_event *ev, void *ctx)
{
    probe *other = ctx;

    (void)p;
    if (ev->kind == RSQ_EVENT_RESULT && other->stream)
        rsq_stream_close(other->stream);
}

/* A member that a sibling's callback closes gets no answer any more that was taken with the sibling's. */
static void closed_inside_a_group(void **state)
{
    fixture *f = *state;
    probe *a, *b;

    start(f);
    a = watch_group(f, "SELECT count(*) FROM items", 1, RSQ_STREAM_RESULT);
    b = watch_group(f, "SELECT count(*) + 1 FROM items", 1, RSQ_STREAM_RESULT);
    EXPECT_EVENT(a, "0");
    EXPECT_EVENT(b, "1");
    a->then = b->then = close_other;
    a->then_ctx = b;
    b->then_ctx = a;
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    while (a->ends + b->ends == 0) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_int_equal(a->results + b->results, 3);
    assert_int_equal(a->ends + b->ends, 1);
}

/* Two streams of a group, both with an event on the way: the first one that is told does something. */
typedef struct pair {
    probe *a, *b;
    bool done;
} pair;

static probe *watch_in_pair(fixture *f, pair *both, const char *sql, uint32_t mode,
                            void (*then)(probe *p, const probe_event *ev, void *ctx))
{
    const rsq_value one = rsq_integer(1);
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    p->may_repeat = true;
    p->then = then;
    p->then_ctx = both;
    opts.group = 5;
    opts.mode = mode;
    WANT(f, RSQ_OK, rsq_stream_open(f->db, sql, &one, 1, &opts, &p->stream, &f->err));
    return p;
}

static void move_the_other(probe *p, const probe_event *ev, void *ctx)
{
    const rsq_value two = rsq_integer(2);
    pair *both = ctx;

    (void)ev;
    if (!p->taken || both->done)
        return;
    both->done = true;
    (void)rsq_stream_set_params(p == both->a ? both->b->stream : both->a->stream, &two, 1, NULL);
}

/* What waits for the old parameters is dropped, also when the group's events are being delivered; and a
 * difference begins with what was told. */
static void a_callback_moves_another_of_its_group(void **state)
{
    fixture *f = *state;
    pair both = {0};
    probe *moved;

    start(f);
    EXEC(f, "CREATE TABLE v(k INTEGER PRIMARY KEY, n)");
    EXEC(f, "INSERT INTO v VALUES (1, 10), (2, 20)");
    both.a = watch_in_pair(f, &both, "SELECT n FROM v WHERE k = ?", RSQ_STREAM_DIFFERENCE, move_the_other);
    both.b =
        watch_in_pair(f, &both, "SELECT n + 0 FROM v WHERE k = ?", RSQ_STREAM_DIFFERENCE, move_the_other);
    EXPECT_EVENT(both.a, "10");
    EXPECT_EVENT(both.b, "10");
    EXEC(f, "UPDATE v SET n = 11 WHERE k = 1");
    while (both.a->count < 2 || both.b->count < 2) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_true(both.done);
    moved = newest_value(both.a) == 20 ? both.a : both.b;
    EXPECT_KIND(moved, RSQ_EVENT_DIFFERENCE);
    EXPECT_RESULT(moved->events[1].before, "10");
    EXPECT_RESULT(moved->events[1].result, "20");
    both.a->then = both.b->then = NULL;
    EXPECT_QUIET(moved);
}

static bool is_settled(const probe *p, uint64_t seq)
{
    rsq_stream_counters c = {.size = sizeof c};

    return rsq_stream_stats(p->stream, &c) != RSQ_OK || c.settled_seq >= seq;
}

/* Writes, and takes what comes of it in a dispatch of its own. */
static void dispatch_within(probe *p, const probe_event *ev, void *ctx)
{
    pair *both = ctx;
    rsq_result *r = NULL;

    (void)ev;
    if (!p->taken || both->done)
        return;
    both->done = true;
    if (rsq_execute(p->f->db, "UPDATE v SET n = 12 WHERE k = 1", NULL, 0, NULL, &r, NULL) != RSQ_OK)
        return;
    while (!is_settled(both->a, rsq_result_commit_seq(r)) || !is_settled(both->b, rsq_result_commit_seq(r)))
        sched_yield();
    rsq_result_unref(r);
    (void)rsq_queue_dispatch(p->queue, 0, NULL);
}

/* Nobody is told something older after that: the probes see that numbers rise, and how differences begin. */
static void a_callback_dispatches_its_group_again(void **state)
{
    fixture *f = *state;
    pair both = {0};

    start(f);
    EXEC(f, "CREATE TABLE v(k INTEGER PRIMARY KEY, n)");
    EXEC(f, "INSERT INTO v VALUES (1, 10)");
    both.a = watch_in_pair(f, &both, "SELECT n FROM v WHERE k = ?", RSQ_STREAM_DIFFERENCE, dispatch_within);
    both.b = watch_in_pair(f, &both, "SELECT n + 0 FROM v WHERE k = ?", RSQ_STREAM_RESULT, dispatch_within);
    both.a->may_repeat = both.b->may_repeat = false;
    EXPECT_EVENT(both.a, "10");
    EXPECT_EVENT(both.b, "10");
    EXEC(f, "UPDATE v SET n = 11 WHERE k = 1");
    EXPECT_KIND(both.a, RSQ_EVENT_DIFFERENCE);
    assert_true(both.done);
    EXPECT_RESULT(both.a->events[1].before, "10");
    EXPECT_RESULT(both.a->events[1].result, "11");
    EXPECT_KIND(both.a, RSQ_EVENT_DIFFERENCE);
    EXPECT_RESULT(both.a->events[2].before, "11");
    EXPECT_RESULT(both.a->events[2].result, "12");
    EXPECT_EVENT(both.b, "11");
    EXPECT_EVENT(both.b, "12");
    both.a->then = both.b->then = NULL;
    EXPECT_QUIET(both.b);
}

/* A group has one queue; its errors are its members' own; and it comes and goes with its members. */
static void members_of_a_group(void **state)
{
    fixture *f = *state;
    rsq_stream_options opts;
    rsq_queue *another = NULL;
    probe *p, *bad, *refused;

    start(f);
    WANT(f, RSQ_OK, rsq_queue_new(&another, &f->err));
    p = watch_group(f, "SELECT count(*) FROM items", 3, RSQ_STREAM_RESULT);
    bad = watch_group(f, "SELECT * FORM items", 3, RSQ_STREAM_RESULT);
    EXPECT_EVENT(p, "0");
    EXPECT_ERROR(bad);
    EXPECT_END(bad);
    refused = probe_new(f, another, &opts);
    refused->abandoned = true;
    opts.group = 3;
    WANT(f, RSQ_EINVAL, rsq_stream_open(f->db, "SELECT 1", NULL, 0, &opts, &refused->stream, &f->err));
    probe_close(p);
    refused->abandoned = false;
    WATCH_SET(f, refused, "SELECT 1", &opts);
    EXPECT_EVENT(refused, "1");
    p = watch_group(f, "SELECT count(*) FROM items", 4, RSQ_STREAM_RESULT);
    EXPECT_EVENT(p, "0");
    probe_close(refused);
    rsq_queue_free(another);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
}

/* A group whose queue is freed, with something waiting in it. */
static void a_group_loses_its_queue(void **state)
{
    fixture *f = *state;
    rsq_queue *away = NULL;
    rsq_stream *streams[2];
    rsq_stream_options opts;
    probe *p = probe_new(f, NULL, &opts);

    p->abandoned = true;
    start(f);
    WANT(f, RSQ_OK, rsq_queue_new(&away, &f->err));
    opts.queue = away;
    opts.group = 1;
    for (size_t i = 0; i < LENGTH(streams); i++)
        WANT(f, RSQ_OK,
             rsq_stream_open(f->db, i ? "SELECT 1" : "SELECT 2", NULL, 0, &opts, &streams[i], &f->err));
    WANT_CODE(RSQ_OK, rsq_queue_wait(away, FIXTURE_DEADLINE_MS));
    rsq_queue_free(away);
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_QUIET(f->canary);
    rsq_stream_close(streams[0]);
    rsq_stream_close(streams[1]);
    assert_int_equal(p->count, 0);
}

/* ------------------------------------------------------------------------------------ origin -- */

static probe *watch_without(fixture *f, const char *sql, uint32_t origin)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.skip_origin = origin;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

static void execute_as(fixture *f, uint32_t origin, const char *sql)
{
    rsq_call_options opts = {.size = sizeof opts, .origin = origin};

    WANT(f, RSQ_OK, rsq_execute(f->db, sql, NULL, 0, &opts, NULL, &f->err));
}

static rsq_code insert_in_tx(rsq_tx *tx, void *ctx)
{
    (void)ctx;
    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('tx')", NULL, 0, NULL, NULL, NULL);
}

/* Every way to write carries the origin; what another one wrote comes, with what was left out before. */
static void own_commits_are_left_out(void **state)
{
    fixture *f = *state;
    rsq_call_options mine = {.size = sizeof mine, .origin = 7};
    rsq_op_options mine_too = {.size = sizeof mine_too, .origin = 7};
    const rsq_value names[] = {rsq_text("a"), rsq_text("b")};
    const rsq_query several[] = {{.sql = "INSERT INTO items(name) VALUES ('q')"}};
    rsq_tx *tx = NULL;
    rsq_op *op = NULL;
    probe *p, *late;

    start(f);
    p = watch_without(f, "SELECT count(*) FROM items", 7);
    EXPECT_EVENT(p, "0");
    execute_as(f, 7, "INSERT INTO items(name) VALUES ('x')");
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_in_tx, NULL, &mine, &f->err));
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, 2, 1, &mine, NULL, &f->err));
    WANT_CODE(RSQ_OK, rsq_execute_async(f->db, "INSERT INTO items(name) VALUES ('y') RETURNING id", NULL, 0,
                                        &mine_too, &op));
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_op_status(op));
    rsq_op_free(op);
    WANT(f, RSQ_OK, rsq_execute_all(f->db, several, LENGTH(several), &mine, NULL, &f->err));
    WANT(f, RSQ_OK, rsq_execute_script(f->db, "DELETE FROM items WHERE name = 'y';", &mine, &f->err));
    WANT(f, RSQ_OK, rsq_begin(f->db, &mine, &tx, &f->err));
    WANT(f, RSQ_OK, insert_in_tx(tx, NULL));
    WANT(f, RSQ_OK, rsq_commit(tx, &f->err));
    EXPECT_QUIET(p);
    assert_int_equal(probe_stats(p).woken, 0);
    assert_int_equal(probe_stats(p).skipped, 7);
    late = watch_without(f, "SELECT count(*) FROM items", 7);
    EXPECT_EVENT(late, "6");
    execute_as(f, 8, "INSERT INTO items(name) VALUES ('z')");
    EXPECT_REACHES(p, "7");
    EXPECT_EVENT(late, "7");
    execute_as(f, 0, "INSERT INTO items(name) VALUES ('z')");
    EXPECT_EVENT(p, "8");
    execute_as(f, 7, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_QUIET(p);
    WANT(f, RSQ_OK, rsq_transaction(f->db, insert_in_tx, NULL, NULL, &f->err));
    EXPECT_EVENT(p, "10");
}

/* Wait until so many calls have a reader and so many wait for one. */
static void await_readers(fixture *f, uint64_t leased, uint64_t waiting)
{
    rsq_counters now = {.size = sizeof now};

    do {
        WANT(f, RSQ_OK, rsq_stats(f->db, &now, &f->err));
    } while (now.readers_leased < leased || now.readers_waiting < waiting);
}

/* A commit that is left out comes while the query waits for the reader, and is in the snapshot that it gets:
 * then the answer is not behind, and commits that do not concern it settle it. */
static void left_out_while_it_runs(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_result *r = NULL;
    rsq_op *op = NULL;
    probe *p;

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, "CREATE TABLE other(x)");
    EXEC(f, "INSERT INTO items(name) VALUES ('a'), ('b'), ('c')");
    p = watch_without(f, "SELECT count(*) FROM items", 7);
    EXPECT_EVENT(p, "3");
    WANT_CODE(RSQ_OK, rsq_select_async(f->db,
                                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                                       "SELECT count(*) FROM n",
                                       NULL, 0, NULL, &op));
    await_readers(f, 1, 0);
    EXEC(f, "INSERT INTO items(name) VALUES ('d')");
    await_readers(f, 1, 1);
    execute_as(f, 7, "INSERT INTO items(name) VALUES ('e')");
    assert_int_equal(probe_stats(p).skipped, 1);
    rsq_op_cancel(op);
    rsq_op_free(op);
    EXPECT_EVENT(p, "5");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO other VALUES (1)", NULL, 0, NULL, &r, &f->err));
    assert_true(probe_stats(p).settled_seq >= rsq_result_commit_seq(r));
    rsq_result_unref(r);
    execute_as(f, 7, "INSERT INTO items(name) VALUES ('f')");
    assert_int_equal(probe_stats(p).skipped, 2);
    EXEC(f, "INSERT INTO items(name) VALUES ('g')");
    EXPECT_EVENT(p, "7");
}

/* A failed statement's origin is not the next one's, and a change of the schema is noted though it is left
 * out. */
static void origins_do_not_stick(void **state)
{
    fixture *f = *state;
    rsq_call_options mine = {.size = sizeof mine, .origin = 7};
    probe *p, *star;

    start(f);
    p = watch_without(f, "SELECT count(*) FROM items", 7);
    star = watch_without(f, "SELECT * FROM v", 7);
    EXPECT_EVENT(p, "0");
    EXPECT_ERROR(star);
    EXPECT_END(star);
    EXEC(f, "CREATE VIEW v AS SELECT 1");
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT INTO items(id) VALUES ('x')", NULL, 0, &mine, NULL, &f->err));
    EXEC(f, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(p, "1");
    star = watch_without(f, "SELECT * FROM v", 7);
    EXPECT_EVENT(star, "1");
    execute_as(f, 7, "DROP VIEW v");
    execute_as(f, 7, "CREATE VIEW v AS SELECT count(*) FROM items");
    assert_int_equal(probe_stats(star).woken, 0);
    assert_int_equal(probe_stats(star).skipped, 2);
    execute_as(f, 8, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_EVENT(star, "2");
}

/* Another process wrote before one's own commit: that one is not left out. */
static void not_by_losing_anothers(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = watch_without(f, "SELECT count(*) FROM items", 7);
    EXPECT_EVENT(p, "0");
    free(foreign_sql(f, f->path, "INSERT INTO items(name) VALUES ('from elsewhere')"));
    execute_as(f, 7, "INSERT INTO items(name) VALUES ('x')");
    EXPECT_REACHES(p, "2");
}

typedef struct author {
    rsq_db *db;
    uint32_t origin;
    rsq_code code;
} author;

static void write_much(size_t index, void *ctx)
{
    author *a = (author *)ctx + index;
    rsq_call_options opts = {.size = sizeof opts, .origin = a->origin};

    for (int i = 0; i < 200 && a->code == RSQ_OK; i++)
        a->code = rsq_execute(a->db, "INSERT INTO items(name) VALUES ('x')", NULL, 0, &opts, NULL, NULL);
}

/* Two write at the same time, so that their statements wait together: each of them hears of the other. */
static void two_authors_at_once(void **state)
{
    fixture *f = *state;
    author a[2] = {{.origin = 1}, {.origin = 2}};
    probe *p[2];

    start(f);
    for (size_t i = 0; i < 2; i++) {
        a[i].db = f->db;
        p[i] = watch_without(f, "SELECT count(*) FROM items", a[i].origin);
        EXPECT_EVENT(p[i], "0");
    }
    crew_run(2, write_much, a);
    WANT_CODE(RSQ_OK, a[0].code);
    WANT_CODE(RSQ_OK, a[1].code);
    execute_as(f, 3, "DELETE FROM items WHERE id = 1");
    for (size_t i = 0; i < 2; i++) {
        rsq_stream_counters c;

        EXPECT_REACHES(p[i], "399");
        c = probe_stats(p[i]);
        assert_true(c.woken >= 2 && c.skipped >= 1);
    }
}

/* ---------------------------------------------------------------------------------- volatile -- */

static probe *watch_volatile(fixture *f, const char *sql, uint32_t refresh_ms)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    p->may_repeat = true;
    opts.flags = RSQ_STREAM_VOLATILE;
    opts.refresh_ms = refresh_ms;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

/* Whoever does not say so is told at once. */
static void volatile_without_saying_so(void **state)
{
    static const char *const refused[] = {
        "SELECT random()",
        "SELECT count(*) FROM items WHERE value < julianday('now')",
        "SELECT datetime('Now')",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT last_insert_rowid()",
        "SELECT * FROM by_chance",
    };
    static const char *const accepted[] = {
        "SELECT date(value) FROM items",
        "SELECT 'random()', 'now'",
        "SELECT abs(value) FROM items",
    };
    fixture *f = *state;

    start(f);
    EXEC(f, "CREATE VIEW by_chance AS SELECT id FROM items ORDER BY random()");
    for (size_t i = 0; i < LENGTH(refused); i++) {
        probe *p = WATCH(f, refused[i]);
        const rsq_error *err = EXPECT_ERROR(p);

        assert_int_equal(err->code, RSQ_EREFUSED);
        assert_non_null(strstr(err->message, "RSQ_STREAM_VOLATILE"));
        EXPECT_END(p);
    }
    for (size_t i = 0; i < LENGTH(accepted); i++)
        EXPECT_KIND(WATCH(f, accepted[i]), RSQ_EVENT_RESULT);
}

/* What depends on more than tables runs after every commit, or all the time. */
static void volatile_queries(void **state)
{
    fixture *f = *state;
    probe *p, *clock;

    start(f);
    p = watch_volatile(f, "SELECT random()", 0);
    EXPECT_KIND(p, RSQ_EVENT_RESULT);
    for (int i = 0; i < 3; i++) {
        EXEC(f, "INSERT INTO items(name) VALUES ('x')");
        EXPECT_KIND(p, RSQ_EVENT_RESULT);
    }
    assert_int_equal(probe_stats(p).woken, 3);
    clock = watch_volatile(f, "SELECT random(), count(*) FROM items", 2);
    for (int i = 0; i < 5; i++)
        EXPECT_KIND(clock, RSQ_EVENT_RESULT);
    assert_int_equal(probe_stats(clock).woken, 0);
    probe_close(clock);
}

/* -------------------------------------------------------------------------------- together -- */

/* Streams that are opened between every two steps of a transaction: each of them ends with what was
 * committed.
 */
typedef struct steps {
    fixture *f;
    probe *p[12];
    size_t opened;
} steps;

static void open_one(steps *st)
{
    rsq_stream_options opts;
    probe *p = probe_new(st->f, fixture_queue(st->f), &opts);

    opts.group = st->opened % 3 == 2 ? 9 : 0;
    opts.mode = st->opened % 2 ? RSQ_STREAM_DIFFERENCE : RSQ_STREAM_RESULT;
    if (rsq_stream_open(st->f->db, "SELECT id, value FROM items ORDER BY id", NULL, 0, &opts, &p->stream,
                        NULL) == RSQ_OK)
        st->p[st->opened++] = p;
    else
        p->abandoned = true;
}

static rsq_code write_in_steps(rsq_tx *tx, void *ctx)
{
    static const char *const sql[] = {
        "INSERT INTO items(id, value) VALUES (1, 1)", "INSERT INTO items(id, value) VALUES (2, 2)",
        "UPDATE items SET value = value + 10",        "DELETE FROM items WHERE id = 1",
        "INSERT INTO items(id, value) VALUES (3, 3)",
    };
    rsq_code rc = RSQ_OK;

    open_one(ctx);
    for (size_t i = 0; i < LENGTH(sql) && rc == RSQ_OK; i++) {
        rc = rsq_tx_execute(tx, sql[i], NULL, 0, NULL, NULL, NULL);
        open_one(ctx);
    }
    return rc;
}

static void opened_between_steps(void **state)
{
    fixture *f = *state;
    steps st = {.f = f};

    start(f);
    open_one(&st);
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_in_steps, &st, NULL, &f->err));
    open_one(&st);
    assert_int_equal(st.opened, 8);
    for (size_t i = 0; i < st.opened; i++) {
        const char *committed = "2|12\n3|3";

        for (;;) {
            const probe_event *e = probe_await(st.p[i], __FILE__, __LINE__);
            char *rows = fixture_dump(e->result);
            bool all = strcmp(rows, committed) == 0, none = rows[0] == '\0';

            free(rows);
            if (all)
                break;
            assert_true(none);
        }
    }
}

/* One of the streams that come and go below. */
typedef struct subscriber {
    probe *p;
    mirror m;
    int64_t param;
    bool differs;
} subscriber;

#define MIXED "SELECT id, name, value FROM items WHERE value >= ? ORDER BY value, id"

static void open_mixed(fixture *f, subscriber *sub, uint64_t *seed)
{
    rsq_stream_options opts;
    rsq_value v;

    sub->param = (int64_t)(fixture_random(seed) % 4) * 10;
    v = rsq_integer(sub->param);
    sub->p = probe_new(f, fixture_queue(f), &opts);
    sub->p->may_repeat = true;
    sub->differs = fixture_random(seed) % 2;
    opts.mode = sub->differs ? RSQ_STREAM_DIFFERENCE : RSQ_STREAM_RESULT;
    opts.group = (uint32_t)(fixture_random(seed) % 3);
    opts.min_interval_ms = (uint32_t)(fixture_random(seed) % 3);
    WANT(f, RSQ_OK, rsq_stream_open(f->db, MIXED, &v, 1, &opts, &sub->p->stream, &f->err));
}

static void take_mixed(subscriber *sub)
{
    while (sub->p && sub->p->taken < sub->p->count) {
        const probe_event *e = probe_await(sub->p, __FILE__, __LINE__);

        if (e->result && sub->differs)
            mirror_take(&sub->m, e);
    }
}

static void change_mixed(fixture *f, subscriber *sub, uint64_t *seed)
{
    rsq_value v;

    if (!sub->p) {
        open_mixed(f, sub, seed);
    } else if (fixture_random(seed) % 4 == 0) {
        rsq_stream_close(sub->p->stream);
        sub->p = NULL;
        mirror_clear(&sub->m);
    } else {
        sub->param = (int64_t)(fixture_random(seed) % 4) * 10;
        v = rsq_integer(sub->param);
        WANT(f, RSQ_OK, rsq_stream_set_params(sub->p->stream, &v, 1, &f->err));
    }
}

static void write_randomly(void *ctx)
{
    static const char *const sql[] = {
        "INSERT OR REPLACE INTO items VALUES (abs(random()) % 30, 'x', abs(random()) % 40)",
        "DELETE FROM items WHERE id = abs(random()) % 30",
        "UPDATE items SET value = (value + 7) % 40 WHERE id % 5 = abs(random()) % 5",
        "UPDATE items SET name = 'y' WHERE id = abs(random()) % 30",
    };
    endless *e = ctx;

    for (size_t n = 0; !atomic_load(&e->stop) && e->code == RSQ_OK; n++)
        e->code = rsq_execute(e->db, sql[n % LENGTH(sql)], NULL, 0, NULL, NULL, NULL);
}

/* Streams of all kinds come, move and go while two threads and another process write. In the end each of them
 * has the rows of a fresh read, by differences or whole. */
static void everything_at_once(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("everything_at_once");
    endless e[2] = {{.code = RSQ_OK}, {.code = RSQ_OK}};
    subscriber subs[24] = {{0}};
    thread t[2];

    start(f);
    for (size_t i = 0; i < LENGTH(t); i++) {
        e[i].db = f->db;
        thread_start(&t[i], write_randomly, &e[i]);
    }
    for (int n = 0; n < 1500; n++) {
        change_mixed(f, &subs[fixture_random(&seed) % LENGTH(subs)], &seed);
        if (n % 250 == 0)
            free(foreign_sql(f, f->path, "PRAGMA busy_timeout = 10000; UPDATE items SET value = value + 1"));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, fixture_random(&seed) % 4, NULL));
        for (size_t i = 0; i < LENGTH(subs); i++)
            take_mixed(&subs[i]);
    }
    for (size_t i = 0; i < LENGTH(t); i++)
        atomic_store(&e[i].stop, true);
    for (size_t i = 0; i < LENGTH(t); i++) {
        THREAD_JOIN(&t[i]);
        WANT_CODE(RSQ_OK, e[i].code);
    }
    for (size_t i = 0; i < LENGTH(subs); i++) {
        rsq_value v = rsq_integer(subs[i].param);
        rsq_result *fresh = NULL;
        char *expected, *got = NULL;

        if (!subs[i].p)
            continue;
        WANT(f, RSQ_OK, rsq_select(f->db, MIXED, &v, 1, NULL, &fresh, &f->err));
        expected = fixture_dump(fresh);
        do {
            free(got);
            take_mixed(&subs[i]);
            got = subs[i].p->count ? fixture_dump(subs[i].p->events[subs[i].p->count - 1].result) : NULL;
            if (got && strcmp(got, expected) == 0)
                break;
            WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
        } while (true);
        free(got);
        free(expected);
        rsq_result_unref(fresh);
    }
    EXPECT_QUIET(f->canary);
    for (size_t i = 0; i < LENGTH(subs); i++)
        mirror_clear(&subs[i].m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(json_answers),
        CASE(signals),
        CASE(wrong_options),
        CASE(differences_by_primary_key),
        CASE(differences_by_named_columns),
        CASE(where_keys_are_found),
        CASE(merged_for_a_slow_consumer),
        CASE(whole_again),
        CASE(differences_add_up),
        CASE(runs_are_kept_apart),
        CASE(a_joiner_does_not_wait),
        CASE(nobody_starves),
        CASE(a_window_moves),
        CASE(a_window_moves_by_differences),
        CASE(wrong_windows),
        CASE(a_window_moved_by_its_callback),
        CASE(a_group_shows_one_commit),
        CASE(a_group_is_one_dispatch),
        CASE(closed_inside_a_group),
        CASE(a_callback_moves_another_of_its_group),
        CASE(a_callback_dispatches_its_group_again),
        CASE(members_of_a_group),
        CASE(a_group_loses_its_queue),
        CASE(own_commits_are_left_out),
        CASE(left_out_while_it_runs),
        CASE(origins_do_not_stick),
        CASE(not_by_losing_anothers),
        CASE(two_authors_at_once),
        CASE(volatile_without_saying_so),
        CASE(volatile_queries),
        CASE(opened_between_steps),
        CASE(everything_at_once),
    };

    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
