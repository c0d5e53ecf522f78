/*
 * Reads: §3 of the reference's behaviours, and what a read call refuses.
 *
 * A read's result is whole or it is an error: never short, never torn between two commits, never with the
 * columns of a schema that is gone.
 */
#include "fixture.h"

#include <math.h>
#include <stdatomic.h>

/* The table of most of the reference's read tests; row i is ('Item i', 'cat_{i%10}', i * 1.5, i, text). */
#define ITEMS                                                                                    \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT, price REAL, " \
    "quantity INTEGER, description TEXT)"

static void fill_items(fixture *f, int n)
{
    char sql[512];

    EXEC(f, ITEMS);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM c WHERE i+1 < %d) "
             "INSERT INTO items SELECT i+1, 'Item ' || i, 'cat_' || (i %% 10), i * 1.5, i, "
             "'This is a description for item number ' || i || ' with some padding text' FROM c",
             n);
    EXEC(f, sql);
}

static rsq_result *select_with(fixture *f, const char *sql, const rsq_value *params, size_t n)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, sql, params, n, NULL, &r, &f->err));
    return r;
}

/* The read must fail with this code and give no result; the database goes on. */
static void expect_refused(fixture *f, rsq_code code, const char *sql, const rsq_value *params, size_t n)
{
    rsq_result *r = NULL;

    WANT(f, code, rsq_select(f->db, sql, params, n, NULL, &r, &f->err));
    assert_null(r);
    WANT(f, code, rsq_select_json(f->db, sql, params, n, NULL, &r, &f->err));
    assert_null(r);
    WANT_CODE(code, rsq_select(f->db, sql, params, n, NULL, &r, NULL));
}

/* ------------------------------------------------------------ rows and types -- */

/* R01: what was written is read, in order. */
static void two_rows(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
    EXEC(f, "INSERT INTO t(name) VALUES ('hello')");
    EXEC(f, "INSERT INTO t(name) VALUES ('world')");
    EXPECT_ROWS(f, "SELECT * FROM t ORDER BY id", "1|'hello'\n2|'world'");
}

/* R02: the five types of SQLite arrive as such, through cells and through accessors. */
static void all_types(void **state)
{
    fixture *f = *state;
    static const unsigned char blob[] = {1, 2, 3};
    const rsq_value row[] = {rsq_integer(42), rsq_real(3.14), rsq_text("hello"), rsq_blob(blob, 3),
                             rsq_null()};
    rsq_result *r;
    size_t rows, columns, len;
    const rsq_value *cells;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE types(id INTEGER PRIMARY KEY, int_val INTEGER, real_val REAL, text_val TEXT, "
            "blob_val BLOB, null_val TEXT)");
    WANT(f, RSQ_OK,
         rsq_execute(f->db,
                     "INSERT INTO types(int_val, real_val, text_val, blob_val, null_val) VALUES (?,?,?,?,?)",
                     row, 5, NULL, NULL, &f->err));
    r = select_with(f, "SELECT * FROM types", NULL, 0);
    EXPECT_RESULT(r, "1|42|3.1400000000000001|'hello'|x'010203'|NULL");
    cells = rsq_result_cells(r, &rows, &columns);
    assert_int_equal(rows, 1);
    assert_int_equal(columns, 6);
    assert_int_equal(rsq_result_rows(r), 1);
    assert_int_equal(rsq_result_columns(r), 6);
    assert_ptr_equal(rsq_result_cell(r, 0, 3), &cells[3]);
    assert_int_equal(rsq_result_int64(r, 0, 1), 42);
    assert_true(fabs(rsq_result_double(r, 0, 2) - 3.14) < 1e-12);
    assert_string_equal(rsq_result_text(r, 0, 3, &len), "hello");
    assert_int_equal(len, 5);
    assert_memory_equal(rsq_result_blob(r, 0, 4, &len), blob, 3);
    assert_int_equal(len, 3);
    assert_int_equal(rsq_result_type(r, 0, 5), RSQ_NULL);
    rsq_result_unref(r);
}

/* Accessors outside the result, or of another type, give the documented nothing instead of reading beyond. */
static void accessors_outside_the_result(void **state)
{
    fixture *f = *state;
    rsq_result *r;
    size_t n = 7;

    fixture_open(f, NULL);
    r = select_with(f, "SELECT 1 AS a, 'x' AS b, 1e300 AS c, -1e300 AS d, 2.9 AS e", NULL, 0);
    assert_null(rsq_result_cell(r, 1, 0));
    assert_null(rsq_result_cell(r, 0, 5));
    assert_int_equal(rsq_result_type(r, 9, 9), RSQ_NULL);
    assert_null(rsq_result_text(r, 0, 0, NULL));
    assert_null(rsq_result_blob(r, 0, 1, NULL));
    assert_int_equal(rsq_result_int64(r, 0, 1), 0);
    assert_true(rsq_result_int64(r, 0, 2) == INT64_MAX);
    assert_true(rsq_result_int64(r, 0, 3) == INT64_MIN);
    assert_int_equal(rsq_result_int64(r, 0, 4), 2);
    assert_null(rsq_result_column_name(r, 5));
    assert_null(rsq_result_json(r, NULL));
    assert_int_equal(rsq_result_changes(r), 0);
    assert_int_equal(rsq_result_last_insert_rowid(r), 0);
    rsq_result_changed_tables(r, &n);
    assert_int_equal(n, 0);
    assert_ptr_equal(rsq_result_ref(r), r);
    rsq_result_unref(r);
    rsq_result_unref(r);
    rsq_result_unref(NULL);
}

/* R03: no rows is an answer, with its columns, and not an error. */
static void no_rows(void **state)
{
    fixture *f = *state;
    rsq_result *r;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE empty(a, b)");
    r = select_with(f, "SELECT a, b FROM empty", NULL, 0);
    assert_int_equal(rsq_result_rows(r), 0);
    assert_int_equal(rsq_result_columns(r), 2);
    assert_string_equal(rsq_result_column_name(r, 1), "b");
    rsq_result_unref(r);
    fill_items(f, 10);
    EXPECT_ROWS(f, "SELECT * FROM items WHERE id > 9999", "");
}

/* R04: text outside ASCII comes back as it went in. */
static void unicode(void **state)
{
    fixture *f = *state;
    static const char *const texts[] = {"日本語", "emoji 🎉", "مرحبا"};

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)");
    for (size_t i = 0; i < LENGTH(texts); i++) {
        rsq_value v = rsq_text(texts[i]);
        WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO t(name) VALUES (?)", &v, 1, NULL, NULL, &f->err));
    }
    EXPECT_ROWS(f, "SELECT name FROM t ORDER BY id", "'日本語'\n'emoji 🎉'\n'مرحبا'");
}

/* R05: a parameter filters. */
static void parameter_filters(void **state)
{
    fixture *f = *state;
    rsq_value one = rsq_integer(1);
    rsq_result *r;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE users(name TEXT, active INTEGER)");
    EXEC(f, "INSERT INTO users VALUES ('charlie', 1), ('bob', 0), ('alice', 1)");
    r = select_with(f, "SELECT name FROM users WHERE active = ? ORDER BY name", &one, 1);
    EXPECT_RESULT(r, "'alice'\n'charlie'");
    rsq_result_unref(r);
}

/* R06: a cached statement does not remember the parameters of its last use. */
static void no_stale_parameters(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_value v = rsq_text("secret");
    rsq_result *r;

    fixture_open(f, &opts);
    r = select_with(f, "SELECT ? AS value", &v, 1);
    EXPECT_RESULT(r, "'secret'");
    rsq_result_unref(r);
    expect_refused(f, RSQ_EINVAL, "SELECT ? AS value", NULL, 0);
    v = rsq_null();
    r = select_with(f, "SELECT ? AS value", &v, 1);
    EXPECT_RESULT(r, "NULL");
    rsq_result_unref(r);
}

/* R07: text and blob as parameters of a cached statement, again and again. */
static void text_and_blob_parameters(void **state)
{
    fixture *f = *state;
    unsigned char payload[32];
    rsq_value params[2];

    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (unsigned char)(i * 9);
    params[0] = rsq_text("target");
    params[1] = rsq_blob(payload, sizeof payload);
    EXEC(f, "CREATE TABLE t(tag TEXT, payload BLOB)");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO t VALUES (?, ?)", params, 2, NULL, NULL, &f->err));
    EXEC(f, "INSERT INTO t VALUES ('target', x'00'), ('other', NULL)");
    for (int i = 0; i < 10; i++) {
        rsq_result *r = select_with(f, "SELECT tag FROM t WHERE tag = ? AND payload = ?", params, 2);
        EXPECT_RESULT(r, "'target'");
        rsq_result_unref(r);
    }
}

/* R08 in C: names are stored once; by name the last of equal ones is found, by index each one. */
static void column_names(void **state)
{
    fixture *f = *state;
    rsq_result *r;

    fixture_open(f, NULL);
    r = select_with(f, "SELECT 1 AS id, 'test' AS name, 2 AS id, 3 AS \"ünï \"\"q\"\"\"", NULL, 0);
    assert_string_equal(rsq_result_column_name(r, 0), "id");
    assert_string_equal(rsq_result_column_name(r, 1), "name");
    assert_string_equal(rsq_result_column_name(r, 3), "ünï \"q\"");
    assert_int_equal(rsq_result_column_index(r, "name"), 1);
    assert_int_equal(rsq_result_column_index(r, "id"), 2);
    assert_int_equal(rsq_result_column_index(r, "ünï \"q\""), 3);
    assert_int_equal(rsq_result_column_index(r, "NAME"), -1);
    assert_int_equal(rsq_result_column_index(r, "nonexistent"), -1);
    assert_int_equal(rsq_result_int64(r, 0, 0), 1);
    assert_int_equal(rsq_result_int64(r, 0, 2), 2);
    rsq_result_unref(r);
}

/* R22: one row, one column. */
static void single_row(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    fill_items(f, 1);
    EXPECT_ROWS(f, "SELECT name FROM items", "'Item 0'");
    EXPECT_ROWS(f, "SELECT 1", "1");
}

/* R28: the functions that the build promises: full text search, JSON and mathematics. */
static void builtin_functions(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT json_extract('{\"a\":[1,2]}', '$.a[1]')", "2");
    EXPECT_ROWS(f, "SELECT value FROM json_each('[5,6]')", "5\n6");
    if (rsq_features() & RSQ_FEATURE_MATH)
        EXPECT_ROWS(f, "SELECT sqrt(16.0), pow(2, 10), sin(0.0)", "4.0|1024.0|0.0");
    if (rsq_features() & RSQ_FEATURE_FTS5) {
        EXEC(f, "CREATE VIRTUAL TABLE docs USING fts5(body)");
        EXEC(f, "INSERT INTO docs VALUES ('the quick brown fox'), ('a lazy dog')");
        EXPECT_ROWS(f, "SELECT rowid FROM docs WHERE docs MATCH 'quick'", "1");
    }
    if (rsq_features() & RSQ_FEATURE_BUNDLED_SQLITE)
        assert_true((rsq_features() & (RSQ_FEATURE_MATH | RSQ_FEATURE_FTS5)) ==
                    (RSQ_FEATURE_MATH | RSQ_FEATURE_FTS5));
}

/* Text may hold NUL bytes, as parameter and as cell; nothing is cut at them. */
static void embedded_nul(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text_n("a\0b\0", 4);
    rsq_result *r;
    const char *text;
    size_t len = 0;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO t VALUES (?)", &v, 1, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT hex(v), typeof(v) FROM t", "'61006200'|'text'");
    r = select_with(f, "SELECT v FROM t WHERE v = ?", &v, 1);
    text = rsq_result_text(r, 0, 0, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(text, "a\0b\0\0", 5); /* with the terminator of every text cell */
    rsq_result_unref(r);
}

/* Empty text and empty blob are values, and not NULL; a blob's pointer may then be NULL. */
static void empty_is_not_null(void **state)
{
    fixture *f = *state;
    const rsq_value params[] = {rsq_text(""), rsq_blob("", 0), rsq_blob(NULL, 0), rsq_null()};
    rsq_result *r;
    size_t len = 9;

    fixture_open(f, NULL);
    r = select_with(f, "SELECT ?1, ?2, ?3, ?4, typeof(?1), typeof(?2), typeof(?3), typeof(?4)", params, 4);
    EXPECT_RESULT(r, "''|x''|x''|NULL|'text'|'blob'|'blob'|'null'");
    assert_string_equal(rsq_result_text(r, 0, 0, &len), "");
    assert_int_equal(len, 0);
    rsq_result_unref(r);
}

/* Text of a database in UTF-16 is UTF-8 in results and in JSON. */
static void utf16_database(void **state)
{
    fixture *f = *state;
    rsq_result *json = NULL;

    free(
        foreign_sql(f, f->path, "PRAGMA encoding='UTF-16'; CREATE TABLE t(v); INSERT INTO t VALUES ('añ🎉')"));
    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT v, length(v) FROM t", "'añ🎉'|3");
    EXEC(f, "INSERT INTO t VALUES ('ö')");
    EXPECT_ROWS(f, "SELECT v FROM t WHERE v = 'ö'", "'ö'");
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT v FROM t", NULL, 0, NULL, &json, &f->err));
    assert_string_equal(rsq_result_json(json, NULL), "[{\"v\":\"añ🎉\"},{\"v\":\"ö\"}]");
    rsq_result_unref(json);
}

/* ----------------------------------------------------- reads beside writes -- */

/* R09: a committed write is in the next read, on whichever connection that runs. */
static void read_your_writes(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v INTEGER)");
    EXEC(f, "INSERT INTO t VALUES (0)");
    for (int i = 1; i <= 200; i++) {
        rsq_value v = rsq_integer(i);
        rsq_result *w = NULL, *r = NULL;

        WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE t SET v = ?", &v, 1, NULL, &w, &f->err));
        r = select_with(f, "SELECT v FROM t", NULL, 0);
        assert_int_equal(rsq_result_int64(r, 0, 0), i);
        assert_true(rsq_result_commit_seq(r) == rsq_result_commit_seq(w));
        rsq_result_unref(w);
        rsq_result_unref(r);
    }
}

/* R10: ten inserts more than one are eleven. */
static void sequential_inserts(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    fill_items(f, 1);
    for (int i = 0; i < 10; i++)
        EXEC(f, "INSERT INTO items(name) VALUES ('more')");
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 11);
}

/* What the threads of a read test share. */
typedef struct crew {
    rsq_db *db;
    verdict verdict;
    rsq_result *expected; /* the whole table */
} crew;

static int64_t count_items(crew *c)
{
    rsq_result *r = NULL;
    rsq_error err;
    int64_t n = -1;
    rsq_code rc = rsq_select(c->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &err);

    BLAME(&c->verdict, rc == RSQ_OK, &err);
    if (rc == RSQ_OK)
        n = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    return n;
}

static void run_crew(crew *c, fixture *f, size_t n, void (*fn)(size_t index, void *ctx))
{
    c->db = f->db;
    verdict_init(&c->verdict);
    crew_run(n, fn, c);
    VERDICT(&c->verdict);
}

static void count_or_insert(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_error err;

    if (index % 2 == 0)
        BLAME(&c->verdict, count_items(c) >= 100, NULL);
    else
        BLAME(&c->verdict,
              rsq_execute(c->db, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, NULL, &err) == RSQ_OK,
              &err);
}

/* R11: reads and inserts at the same time all succeed. */
static void reads_and_inserts_together(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 100);
    run_crew(&c, f, 5, count_or_insert);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 102);
}

static void batch_beside_counts(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_value names[50];
    rsq_error err;

    if (index > 0) {
        int64_t n = count_items(c);
        BLAME(&c->verdict, n == 100 || n == 150, NULL);
        return;
    }
    for (size_t i = 0; i < LENGTH(names); i++)
        names[i] = rsq_text("batch");
    BLAME(&c->verdict,
          rsq_execute_batch(c->db, "INSERT INTO items(name) VALUES (?)", names, LENGTH(names), 1, NULL, NULL,
                            &err) == RSQ_OK,
          &err);
}

/* R12: readers see a batch whole or not at all. */
static void batch_is_seen_whole(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 100);
    for (int i = 0; i < 10; i++) {
        EXEC(f, "DELETE FROM items WHERE id > 100");
        run_crew(&c, f, 11, batch_beside_counts);
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 150);
    }
}

/* ----------------------------------------------------------- sizes and load -- */

/* R13: results of many sizes are whole: number, first and last row. */
static void large_results(void **state)
{
    fixture *f = *state;
    static const int sizes[] = {2000, 3000, 5000};

    fixture_open(f, NULL);
    fill_items(f, 5000);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        rsq_value n = rsq_integer(sizes[i]);
        rsq_result *r = select_with(f, "SELECT * FROM items ORDER BY id LIMIT ?", &n, 1);
        size_t last = (size_t)sizes[i] - 1;
        char name[32];

        snprintf(name, sizeof name, "Item %zu", last);
        assert_int_equal(rsq_result_rows(r), sizes[i]);
        assert_string_equal(rsq_result_text(r, 0, 1, NULL), "Item 0");
        assert_string_equal(rsq_result_text(r, last, 1, NULL), name);
        assert_true(rsq_result_double(r, last, 3) == (double)last * 1.5);
        rsq_result_unref(r);
    }
}

/* R25: the size of one answer says nothing about the next one of the same SQL. */
static void sizes_up_and_down(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    static const int sizes[] = {4000, 1, 900, 4000, 50, 266, 766, 2766, 4999, 1, 5000,
                                0,    0, 0,   0,    0,  0,   700, 5000, 12,   0};

    fixture_open(f, &opts);
    fill_items(f, 5000);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        rsq_value n = rsq_integer(sizes[i]);
        rsq_result *r = select_with(f, "SELECT * FROM items ORDER BY id LIMIT ?", &n, 1);

        assert_int_equal(rsq_result_rows(r), sizes[i]);
        if (sizes[i] > 0)
            assert_int_equal(rsq_result_int64(r, (size_t)sizes[i] - 1, 0), sizes[i]);
        rsq_result_unref(r);
    }
}

static bool same_cells(const rsq_result *a, const rsq_result *b)
{
    size_t rows, columns;
    const rsq_value *x = rsq_result_cells(a, &rows, &columns);

    if (rsq_result_rows(b) != rows || rsq_result_columns(b) != columns)
        return false;
    for (size_t i = 0; i < rows * columns; i++) {
        const rsq_value *y = rsq_result_cell(b, i / columns, i % columns);

        if (x[i].type != y->type || x[i].len != y->len)
            return false;
        if (x[i].type >= RSQ_TEXT ? memcmp(x[i].as.text, y->as.text, x[i].len) != 0 : x[i].as.i != y->as.i)
            return false;
    }
    return true;
}

static void read_all(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_result *r = NULL;
    rsq_error err;
    (void)index;

    BLAME(&c->verdict,
          rsq_select(c->db, "SELECT * FROM items ORDER BY id", NULL, 0, NULL, &r, &err) == RSQ_OK, &err);
    if (r)
        BLAME(&c->verdict, same_cells(r, c->expected), NULL);
    rsq_result_unref(r);
}

/* R14: a 3,000-row read ten times over and eight at a time is the same one, cell by cell. */
static void repeated_and_parallel_large_reads(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 3000);
    c.expected = select_with(f, "SELECT * FROM items ORDER BY id", NULL, 0);
    for (int i = 0; i < 10; i++) {
        rsq_result *r = select_with(f, "SELECT * FROM items ORDER BY id", NULL, 0);
        assert_true(same_cells(r, c.expected));
        rsq_result_unref(r);
    }
    run_crew(&c, f, 8, read_all);
    rsq_result_unref(c.expected);
}

/* Rows that a read gives, or SIZE_MAX if it fails; `json`: through rsq_select_json(), counted by its objects.
 */
static size_t count_rows(crew *c, const char *sql, const rsq_value *params, size_t n, bool json)
{
    rsq_result *r = NULL;
    rsq_error err;
    size_t rows = SIZE_MAX;
    rsq_code rc = json ? rsq_select_json(c->db, sql, params, n, NULL, &r, &err)
                       : rsq_select(c->db, sql, params, n, NULL, &r, &err);

    BLAME(&c->verdict, rc == RSQ_OK, &err);
    if (rc == RSQ_OK && !json)
        rows = rsq_result_rows(r);
    if (rc == RSQ_OK && json) {
        rows = 0;
        for (const char *at = rsq_result_json(r, NULL); (at = strstr(at, "{\"id\":")); at++)
            rows++;
    }
    rsq_result_unref(r);
    return rows;
}

static void mixed_sizes(size_t index, void *ctx)
{
    crew *c = ctx;

    if (index % 2)
        BLAME(&c->verdict, count_rows(c, "SELECT * FROM items", NULL, 0, false) == 3000, NULL);
    else
        BLAME(&c->verdict, count_rows(c, "SELECT * FROM items LIMIT 50", NULL, 0, false) == 50, NULL);
}

/* R15: small and large reads at the same time do not mix. */
static void mixed_parallel_sizes(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 3000);
    run_crew(&c, f, 12, mixed_sizes);
}

static void one_category(crew *c, size_t index, bool json)
{
    char category[32];
    rsq_value v;
    size_t rows;

    snprintf(category, sizeof category, "cat_%zu", index);
    v = rsq_text(category);
    rows = count_rows(c, "SELECT * FROM items WHERE category = ?", &v, 1, json);
    BLAME(&c->verdict, rows == (index < 10 ? 10u : 0u), NULL);
}

static void category_rows(size_t index, void *ctx)
{
    one_category(ctx, index, false);
}

static void category_json(size_t index, void *ctx)
{
    one_category(ctx, index, true);
}

/* R16, R17: 20 reads on a few readers, each with its own parameter, each with its own answer; rows and JSON.
 */
static void parallel_parameters(void **state)
{
    fixture *f = *state;

    for (uint32_t readers = 2; readers <= 4; readers++) {
        rsq_open_options opts = {.size = sizeof opts, .readers = readers};
        crew c;

        fixture_open(f, &opts);
        if (readers == 2)
            fill_items(f, 100);
        run_crew(&c, f, 20, category_rows);
        run_crew(&c, f, 20, category_json);
        fixture_close(f);
    }
}

static void rows_and_json(size_t index, void *ctx)
{
    crew *c = ctx;

    BLAME(&c->verdict, count_rows(c, "SELECT * FROM items", NULL, 0, index % 2) == 500, NULL);
}

/* R18: ten row reads and ten JSON reads at the same time are all whole. */
static void rows_and_json_in_parallel(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 500);
    run_crew(&c, f, 20, rows_and_json);
}

static void stress(size_t index, void *ctx)
{
    crew *c = ctx;
    static const char *const sql[] = {"SELECT * FROM items LIMIT 10", "SELECT * FROM items",
                                      "SELECT * FROM items LIMIT 100"};
    static const size_t rows[] = {10, 3000, 100};

    BLAME(&c->verdict, count_rows(c, sql[index % 3], NULL, 0, index % 3 == 2) == rows[index % 3], NULL);
}

/* R19: 50 mixed reads at once. */
static void fifty_mixed_reads(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 3000);
    run_crew(&c, f, 50, stress);
}

/* R20: a hundred reads by key, one row each, the right one. */
static void point_reads(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    fill_items(f, 50);
    for (int i = 0; i < 100; i++) {
        rsq_value id = rsq_integer(i % 50 + 1);
        rsq_result *r = select_with(f, "SELECT id, quantity FROM items WHERE id = ?", &id, 1);

        assert_int_equal(rsq_result_rows(r), 1);
        assert_int_equal(rsq_result_int64(r, 0, 0), i % 50 + 1);
        assert_int_equal(rsq_result_int64(r, 0, 1), i % 50);
        rsq_result_unref(r);
    }
}

static void check_predicate(size_t index, void *ctx)
{
    crew *c = ctx;
    char category[32];
    rsq_value params[2];
    rsq_result *r = NULL;
    rsq_error err;
    double limit = (double)index * 50;

    snprintf(category, sizeof category, "cat_%zu", index);
    params[0] = rsq_text(category);
    params[1] = rsq_real(limit);
    BLAME(&c->verdict,
          rsq_select(c->db, "SELECT category, price FROM items WHERE category = ? AND price > ?", params, 2,
                     NULL, &r, &err) == RSQ_OK,
          &err);
    if (!r)
        return;
    BLAME(&c->verdict, rsq_result_rows(r) > 0, NULL);
    for (size_t i = 0; i < rsq_result_rows(r); i++) {
        BLAME(&c->verdict, strcmp(rsq_result_text(r, i, 0, NULL), category) == 0, NULL);
        BLAME(&c->verdict, rsq_result_double(r, i, 1) > limit, NULL);
    }
    rsq_result_unref(r);
}

/* R21: parallel reads with two parameters: every row satisfies its own predicate. */
static void parallel_predicates(void **state)
{
    fixture *f = *state;
    crew c;

    fixture_open(f, NULL);
    fill_items(f, 1000);
    run_crew(&c, f, 10, check_predicate);
}

/* -------------------------------------------------------- the statement cache -- */

/* R26: more distinct statements than any cache holds, over and over, each gets its own rows and names. */
static void statement_cache_pressure(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    for (int cycle = 0; cycle < 3; cycle++) {
        for (int i = 0; i < 400; i++) {
            char sql[160];
            rsq_value params[2] = {rsq_integer(i), rsq_text("second")};
            size_t n = 1 + (size_t)i % 2;
            rsq_result *r;

            if (n == 1)
                snprintf(sql, sizeof sql, "SELECT %d AS narrow, ? /* %d */", i, i);
            else
                snprintf(sql, sizeof sql, "SELECT %d AS wide, ? AS p, ? AS q, 'x' AS last /* %d */", i, i);
            r = select_with(f, sql, params, n);
            assert_int_equal(rsq_result_int64(r, 0, 0), i);
            assert_int_equal(rsq_result_int64(r, 0, 1), i);
            assert_int_equal(rsq_result_columns(r), n == 1 ? 2 : 4);
            assert_string_equal(rsq_result_column_name(r, 0), n == 1 ? "narrow" : "wide");
            if (n == 2)
                assert_string_equal(rsq_result_text(r, 0, 2, NULL), "second");
            rsq_result_unref(r);
        }
    }
}

/* R26: the same on the writer, and a live query that was opened after it still sees an insert. */
static void statement_cache_pressure_on_the_writer(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    fill_items(f, 400);
    for (int i = 1; i <= 400; i++) {
        char sql[96];

        snprintf(sql, sizeof sql, "UPDATE items SET quantity = %d WHERE id = %d", 10000 + i, i);
        EXEC(f, sql);
    }
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items WHERE quantity = 10000 + id"), 400);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "400");
    EXEC(f, "INSERT INTO items(name) VALUES ('after the churn')");
    EXPECT_EVENT(p, "401");
}

/* Statements whose cached plan a change of the schema made wrong give current columns at the first call: on
 * the one reader that has it cached, for rows and for JSON. */
static void alter_table_under_a_cached_statement(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    static const struct {
        const char *ddl, *json;
        size_t columns;
    } steps[] = {
        {"ALTER TABLE t ADD COLUMN c DEFAULT 'new'", "[{\"a\":1,\"b\":2,\"c\":\"new\"}]", 3},
        {"ALTER TABLE t RENAME COLUMN b TO bb", "[{\"a\":1,\"bb\":2,\"c\":\"new\"}]", 3},
        {"ALTER TABLE t DROP COLUMN a", "[{\"bb\":2,\"c\":\"new\"}]", 2},
        {"DROP TABLE t", NULL, 0},
        {"CREATE TABLE t AS SELECT 'other' AS z", "[{\"z\":\"other\"}]", 1},
    };

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(a, b)");
    EXEC(f, "INSERT INTO t VALUES (1, 2)");
    EXPECT_ROWS(f, "SELECT * FROM t", "1|2");
    for (size_t i = 0; i < LENGTH(steps); i++) {
        rsq_result *rows = NULL, *json = NULL;

        EXEC(f, steps[i].ddl);
        if (!steps[i].json) {
            expect_refused(f, RSQ_ESQL, "SELECT * FROM t", NULL, 0);
            continue;
        }
        if (i % 2) { /* whoever comes first after the change */
            WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM t", NULL, 0, NULL, &rows, &f->err));
            WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT * FROM t", NULL, 0, NULL, &json, &f->err));
        } else {
            WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT * FROM t", NULL, 0, NULL, &json, &f->err));
            WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM t", NULL, 0, NULL, &rows, &f->err));
        }
        assert_int_equal(rsq_result_columns(rows), steps[i].columns);
        assert_int_equal(rsq_result_rows(rows), 1);
        assert_string_equal(rsq_result_json(json, NULL), steps[i].json);
        rsq_result_unref(rows);
        rsq_result_unref(json);
    }
}

static void read_star(size_t index, void *ctx)
{
    crew *c = ctx;
    (void)index;

    for (int i = 0; i < 20; i++) {
        rsq_result *r = NULL;
        rsq_error err;

        BLAME(&c->verdict, rsq_select(c->db, "SELECT * FROM t", NULL, 0, NULL, &r, &err) == RSQ_OK, &err);
        if (r)
            BLAME(&c->verdict, same_cells(r, c->expected), NULL);
        rsq_result_unref(r);
    }
}

/* The same for every reader of the pool: after the change, no thread gets the old columns from anywhere. */
static void alter_table_under_all_readers(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 4};
    crew c;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(c0)");
    EXEC(f, "INSERT INTO t VALUES (0)");
    for (int i = 1; i < 10; i++) {
        char sql[64];

        c.expected = select_with(f, "SELECT * FROM t", NULL, 0);
        assert_int_equal(rsq_result_columns(c.expected), i);
        run_crew(&c, f, 4, read_star);
        rsq_result_unref(c.expected);
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN c%d DEFAULT %d", i, i);
        EXEC(f, sql);
    }
}

/* R29: a result is nobody's buffer: it stays as it was whatever runs on the same reader afterwards. */
static void results_do_not_alias(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_result *kept;
    char *before, *after;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(b BLOB, s TEXT)");
    EXEC(f, "INSERT INTO t VALUES (zeroblob(100), 'some text that is longer than a cell')");
    kept = select_with(f, "SELECT * FROM t", NULL, 0);
    before = fixture_dump(kept);
    EXEC(f, "UPDATE t SET b = randomblob(100), s = 'overwritten'");
    for (int i = 0; i < 20; i++) {
        rsq_result_unref(select_with(f, "SELECT * FROM t", NULL, 0));
        rsq_result_unref(select_with(f, "SELECT randomblob(1000)", NULL, 0));
    }
    after = fixture_dump(kept);
    assert_string_equal(before, after);
    free(before);
    free(after);
    rsq_result_unref(kept);
}

/* ------------------------------------------------------------- what is refused -- */

/* Too few parameters, too many, or values that are none: nothing runs. */
static void wrong_parameters(void **state)
{
    fixture *f = *state;
    const rsq_value three[] = {rsq_integer(1), rsq_integer(2), rsq_integer(3)};
    rsq_value bad = rsq_integer(1);

    fixture_open(f, NULL);
    expect_refused(f, RSQ_EINVAL, "SELECT ?, ?", three, 1);
    expect_refused(f, RSQ_EINVAL, "SELECT ?, ?", three, 3);
    expect_refused(f, RSQ_EINVAL, "SELECT ?, ?", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "SELECT 1", three, 1);
    expect_refused(f, RSQ_EINVAL, "SELECT ?3", three, 1); /* has three parameters */
    expect_refused(f, RSQ_EINVAL, "SELECT ?", NULL, 1);
    bad.type = 5;
    expect_refused(f, RSQ_EINVAL, "SELECT ?", &bad, 1);
    bad.type = RSQ_TEXT;
    bad.len = 3;
    bad.as.text = NULL;
    expect_refused(f, RSQ_EINVAL, "SELECT ?", &bad, 1);
    EXPECT_ROWS(f, "SELECT 1", "1");
}

/* One statement is one statement: a second one is refused and does not run; what is no statement may follow.
 */
static void exactly_one_statement(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    expect_refused(f, RSQ_EINVAL, "SELECT 1; SELECT 2", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "SELECT 1; DROP TABLE t", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "SELECT 1; nonsense", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "", NULL, 0);
    expect_refused(f, RSQ_EINVAL, " \t\n", NULL, 0);
    expect_refused(f, RSQ_EINVAL, ";", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "-- only a comment", NULL, 0);
    expect_refused(f, RSQ_EINVAL, "/* only a comment */ ;", NULL, 0);
    expect_refused(f, RSQ_EINVAL, NULL, NULL, 0);
    WANT(f, RSQ_EINVAL, rsq_execute(f->db, "DELETE FROM t; DROP TABLE t", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute(f->db, "-- nothing", NULL, 0, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT 1;", "1");
    EXPECT_ROWS(f, "SELECT 1 ;; ; -- and a comment\n /* and another */ ;", "1");
    EXPECT_ROWS(f, "/* first */ SELECT 1", "1");
    EXPECT_ROWS(f, "SELECT count(*) FROM t", "0");
}

/* A result has to go somewhere, and a database to come from. */
static void null_arguments(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_json(f->db, "SELECT 1", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select(NULL, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_json(NULL, "SELECT 1", NULL, 0, NULL, &r, &f->err));
    WANT_CODE(RSQ_EINVAL, rsq_select(NULL, NULL, NULL, 1, NULL, NULL, NULL));
    assert_null(r);
}

/* The SQL's length may be given; then it ends there, and a NUL inside it cannot hide a second half. */
static void length_of_the_sql(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .sql_len = 8};
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 12345", NULL, 0, &opts, &r, &f->err));
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
    r = NULL;
    opts.sql_len = 13;
    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1\0, 23", NULL, 0, &opts, &r, &f->err));
    assert_null(r);
}

/* Option structs of another size: see sizes_of_the_options() of the open test. */
static void sizes_of_the_call_options(void **state)
{
    fixture *f = *state;
    struct {
        rsq_call_options known;
        uint64_t later;
    } opts;
    rsq_call_options empty;
    rsq_result *r = NULL;

    memset(&opts, 0, sizeof opts);
    memset(&empty, 0, sizeof empty);
    fixture_open(f, NULL);
    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1", NULL, 0, &empty, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute(f->db, "CREATE TABLE t(x)", NULL, 0, &empty, &r, &f->err));
    opts.known.size = sizeof opts;
    opts.later = 1;
    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT 1", NULL, 0, &opts.known, &r, &f->err));
    assert_null(r);
    opts.later = 0;
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT 1", NULL, 0, &opts.known, &r, &f->err));
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
}

/* A read call writes nothing, however the write is dressed. */
static void writes_through_a_read(void **state)
{
    fixture *f = *state;
    static const char *const writes[] = {
        "INSERT INTO t VALUES (2)",
        "INSERT INTO t VALUES (2) RETURNING x",
        "WITH two AS (SELECT 2) INSERT INTO t SELECT * FROM two",
        "REPLACE INTO t VALUES (2)",
        "UPDATE t SET x = 3",
        "UPDATE t SET x = 3 WHERE x = 99",
        "DELETE FROM t",
        "DELETE FROM t RETURNING x",
        "CREATE TABLE u(x)",
        "CREATE INDEX i ON t(x)",
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u",
    };

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    EXEC(f, "INSERT INTO t VALUES (1)");
    for (size_t i = 0; i < LENGTH(writes); i++)
        expect_refused(f, RSQ_EREADONLY, writes[i], NULL, 0);
    EXPECT_ROWS(f, "SELECT x FROM t", "1");
    EXPECT_ROWS(f, "SELECT name FROM sqlite_schema", "'t'");
}

/* SQL that would take the runtime's transactions, files or settings out of its hands: SQLite calls most of it
 * read-only, so it would pass through a read call. The message says what to use. */
static void sql_that_breaks_the_runtime(void **state)
{
    fixture *f = *state;
    static const char *const refused[] = {
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "ROLLBACK TO s",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA main.journal_mode=MEMORY",
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA wal_autocheckpoint=1",
    };

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    for (size_t i = 0; i < LENGTH(refused); i++) {
        rsq_result *r = NULL;

        expect_refused(f, RSQ_EREFUSED, refused[i], NULL, 0);
        WANT(f, RSQ_EREFUSED, rsq_execute(f->db, refused[i], NULL, 0, NULL, &r, &f->err));
        assert_null(r);
    }
    EXEC(f, "INSERT INTO t VALUES (1)");
    EXPECT_ROWS(f, "SELECT x FROM t", "1");
}

/* -------------------------------------------------------------------- errors -- */

/* An error at row k is an error with SQLite's code and text, and never a result of k rows. */
static void error_in_a_later_row(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 1000) "
            "INSERT INTO t SELECT i, CASE i WHEN 700 THEN -9223372036854775808 ELSE i END FROM c");
    expect_refused(f, RSQ_ESQL, "SELECT id, abs(v) FROM t ORDER BY id", NULL, 0);
    assert_int_equal(f->err.sqlite_code, 1);
    assert_non_null(strstr(f->err.message, "integer overflow"));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), 1000);
}

/* What a failure tells: code, SQLite's code, its own text, the place in the SQL. */
static void what_an_error_says(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT abs(-9223372036854775807 - 1)", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(f->err.sqlite_code, 1);
    assert_non_null(strstr(f->err.message, "integer overflow"));
    assert_int_equal(f->err.row, -1);
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT * FORM t", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(f->err.sqlite_code, 1);
    assert_int_equal(f->err.sql_offset, 9);
    assert_non_null(strstr(f->err.message, "near \"FORM\": syntax error"));
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT 1 FROM missing", NULL, 0, NULL, &r, &f->err));
    assert_non_null(strstr(f->err.message, "no such table: missing"));
    WANT(f, RSQ_ESQL, rsq_select_json(f->db, "SELECT absent", NULL, 0, NULL, &r, &f->err));
    assert_non_null(strstr(f->err.message, "no such column: absent"));
    WANT(f, RSQ_EINVAL, rsq_select(f->db, "SELECT ?", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(f->err.sqlite_code, 25); /* SQLITE_RANGE, as the reference says for R06 and W08 */
    assert_null(r);
}

/* Whatever the SQL holds, the message is one line of UTF-8 that ends inside its field: SQLite quotes names as
 * they are, and names may be long and hold anything. */
static void messages_are_one_line(void **state)
{
    fixture *f = *state;
    char sql[1024] = "SELECT * FROM \"";
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    WANT(f, RSQ_ESQL, rsq_select(f->db, "SELECT * FROM \"two\nlines\"", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "DELETE FROM \"a\tb\x01\"", NULL, 0, NULL, NULL, &f->err));
    for (int odd = 0; odd < 2; odd++) { /* one of the two is cut inside a character */
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s", odd ? "x" : "");
        for (int i = 0; i < 400; i++)
            strcat(sql, "é");
        strcat(sql, "\"");
        WANT(f, RSQ_ESQL, rsq_select(f->db, sql, NULL, 0, NULL, &r, &f->err));
    }
}

/* A read that takes its time, in a thread. */
typedef struct slow_read {
    rsq_db *db;
    rsq_code code;
    atomic_bool done;
} slow_read;

static void read_slowly(void *ctx)
{
    slow_read *s = ctx;
    rsq_result *r = NULL;

    s->code = rsq_select(
        s->db,
        "WITH RECURSIVE slowly(x) AS\n(VALUES(1) UNION ALL SELECT x+1 FROM slowly WHERE x < 300000) "
        "SELECT count(*) FROM slowly",
        NULL, 0, NULL, &r, NULL);
    rsq_result_unref(r);
    atomic_store(&s->done, true);
}

/* Whoever waits for a reader for too long is told by whom it is held; in one line, though the SQL has two. */
static void timeout_names_the_holder(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    bool named = false;

    fixture_open(f, &opts);
    while (!named) { /* each round is the same; usually the first one is enough */
        slow_read s = {.db = f->db, .code = RSQ_EINVAL};
        rsq_code rc = RSQ_OK;
        thread t;

        atomic_init(&s.done, false);
        thread_start(&t, read_slowly, &s);
        while (rc == RSQ_OK && !atomic_load(&s.done)) {
            rsq_result *r = NULL;

            rc = rsq_select(f->db, "SELECT 1", NULL, 0, &soon, &r, &f->err);
            rsq_result_unref(r);
        }
        THREAD_JOIN(&t);
        WANT_CODE(RSQ_OK, s.code);
        if (rc != RSQ_OK)
            WANT(f, RSQ_ETIMEOUT, rc);
        /* Nobody is named if the reader came back, or came, at the last moment; the next round names it. */
        named = rc != RSQ_OK && strstr(f->err.message, "held by \"WITH RECURSIVE slowly");
    }
    assert_non_null(strstr(f->err.message, "WITH RECURSIVE slowly"));
}

/* A success leaves the caller's error alone, and a failure leaves the caller's result alone. */
static void out_parameters(void **state)
{
    fixture *f = *state;
    rsq_error err;
    rsq_result *r = (rsq_result *)(uintptr_t)16;

    fixture_open(f, NULL);
    memset(&err, 0x77, sizeof err);
    WANT_CODE(RSQ_ESQL, rsq_select(f->db, "SELECT absent", NULL, 0, NULL, &r, &err));
    assert_true(r == (rsq_result *)(uintptr_t)16);
    assert_int_equal(err.code, RSQ_ESQL);
    assert_int_equal(err.row, -1);
    assert_int_equal(err.system_errno, 0);
    memset(&err, 0x77, sizeof err);
    WANT_CODE(RSQ_OK, rsq_select(f->db, "SELECT 1", NULL, 0, NULL, &r, &err));
    assert_int_equal(err.code, 0x77777777);
    rsq_result_unref(r);
}

/* The writer of another process is seen by the next read, and counts as one commit. */
static void commits_of_another_process(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    for (int i = 1; i <= 5; i++) {
        rsq_result *before = select_with(f, "SELECT count(*) FROM t", NULL, 0), *after;

        free(foreign_sql(f, f->path, "INSERT INTO t VALUES (1)"));
        after = select_with(f, "SELECT count(*) FROM t", NULL, 0);
        assert_int_equal(rsq_result_int64(after, 0, 0), i);
        assert_int_equal(rsq_result_commit_seq(after), rsq_result_commit_seq(before) + 1);
        rsq_result_unref(before);
        rsq_result_unref(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(two_rows),
        CASE(all_types),
        CASE(accessors_outside_the_result),
        CASE(no_rows),
        CASE(unicode),
        CASE(parameter_filters),
        CASE(no_stale_parameters),
        CASE(text_and_blob_parameters),
        CASE(column_names),
        CASE(single_row),
        CASE(builtin_functions),
        CASE(embedded_nul),
        CASE(empty_is_not_null),
        CASE(utf16_database),
        CASE(read_your_writes),
        CASE(sequential_inserts),
        CASE(reads_and_inserts_together),
        CASE(batch_is_seen_whole),
        CASE(large_results),
        CASE(sizes_up_and_down),
        CASE(repeated_and_parallel_large_reads),
        CASE(mixed_parallel_sizes),
        CASE(parallel_parameters),
        CASE(rows_and_json_in_parallel),
        CASE(fifty_mixed_reads),
        CASE(point_reads),
        CASE(parallel_predicates),
        CASE(statement_cache_pressure),
        CASE(statement_cache_pressure_on_the_writer),
        CASE(alter_table_under_a_cached_statement),
        CASE(alter_table_under_all_readers),
        CASE(results_do_not_alias),
        CASE(wrong_parameters),
        CASE(exactly_one_statement),
        CASE(null_arguments),
        CASE(length_of_the_sql),
        CASE(sizes_of_the_call_options),
        CASE(writes_through_a_read),
        CASE(sql_that_breaks_the_runtime),
        CASE(error_in_a_later_row),
        CASE(what_an_error_says),
        CASE(messages_are_one_line),
        CASE(timeout_names_the_holder),
        CASE(out_parameters),
        CASE(commits_of_another_process),
    };

    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
