/*
 * Reads as JSON: §4 of the reference's behaviours.
 *
 * The judge is YAJL, a parser that shares nothing with the library. It hands over each name and each value as
 * it finds it, and each is compared at once with the cell that rsq_select() gives for the same query, so that
 * names, order, types and every byte count. Integers are compared by their digits, reals by the bits they
 * read back to.
 */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <yajl/yajl_parse.h>

/* ------------------------------------------------- the comparison with the rows -- */

/* Where the parser is in the rows, and the first thing that was not as it should be. */
typedef struct judge {
    const rsq_result *rows;
    size_t row, column;
    int depth;
    char text[256];
} judge;

static int blame(judge *j, const char *what)
{
    if (!j->text[0])
        snprintf(j->text, sizeof j->text, "row %zu, column %zu: %s", j->row, j->column, what);
    return 0;
}

/* The cell that the value just read belongs to; NULL, and blamed, if there is none. */
static const rsq_value *next_cell(judge *j)
{
    const rsq_value *v = j->depth == 2 ? rsq_result_cell(j->rows, j->row, j->column) : NULL;

    if (!v)
        blame(j, "a value without a cell");
    j->column++;
    return v;
}

static int on_null(void *ctx)
{
    judge *j = ctx;
    const rsq_value *v = next_cell(j);

    if (!v)
        return 0;
    if (v->type == RSQ_NULL || (v->type == RSQ_REAL && isinf(v->as.d)))
        return 1;
    return blame(j, "null for a value");
}

static int on_boolean(void *ctx, int value)
{
    (void)value;
    return blame(ctx, "SQLite has no booleans");
}

static int on_number(void *ctx, const char *digits, size_t len)
{
    judge *j = ctx;
    const rsq_value *v = next_cell(j);
    char copy[64], expected[32];
    double d;

    if (!v)
        return 0;
    if (len >= sizeof copy)
        return blame(j, "a number of more than 63 bytes");
    memcpy(copy, digits, len);
    copy[len] = 0;
    if (v->type == RSQ_INTEGER) {
        snprintf(expected, sizeof expected, "%" PRId64, v->as.i);
        return strcmp(copy, expected) == 0 ? 1 : blame(j, "other digits than the integer's");
    }
    if (v->type != RSQ_REAL)
        return blame(j, "a number for another type");
    d = strtod(copy, NULL);
    return memcmp(&d, &v->as.d, sizeof d) == 0 ? 1 : blame(j, "reads back to another double");
}

static int base64_value(unsigned char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Whether `text` is the base64 of the bytes, padded, with nothing else in it. */
static bool is_base64_of(const unsigned char *text, size_t len, const unsigned char *bytes, size_t n)
{
    size_t at = 0;

    if (len != (n + 2) / 3 * 4)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        unsigned group = 0;
        size_t have = n - at < 3 ? n - at : 3;

        for (size_t k = 0; k < 4; k++) {
            int digit = base64_value(text[i + k]);

            if (k > have ? text[i + k] != '=' : digit < 0)
                return false;
            group = group << 6 | (k > have ? 0u : (unsigned)digit);
        }
        for (size_t k = 0; k < have; k++) {
            if (bytes[at++] != (unsigned char)(group >> (16 - 8 * k)))
                return false;
        }
    }
    return at == n;
}

static int on_string(void *ctx, const unsigned char *bytes, size_t len)
{
    judge *j = ctx;
    const rsq_value *v = next_cell(j);

    if (!v)
        return 0;
    if (v->type == RSQ_TEXT)
        return len == v->len && memcmp(bytes, v->as.text, len) == 0 ? 1 : blame(j, "another text");
    if (v->type == RSQ_BLOB)
        return is_base64_of(bytes, len, v->as.blob, v->len) ? 1 : blame(j, "not the base64 of the blob");
    return blame(j, "a string for another type");
}

static int on_start_map(void *ctx)
{
    judge *j = ctx;

    j->column = 0;
    return ++j->depth == 2 ? 1 : blame(j, "an object where none belongs");
}

static int on_map_key(void *ctx, const unsigned char *key, size_t len)
{
    judge *j = ctx;
    const char *name = rsq_result_column_name(j->rows, j->column);

    return name && strlen(name) == len && memcmp(name, key, len) == 0 ? 1 : blame(j, "another name");
}

static int on_end_map(void *ctx)
{
    judge *j = ctx;

    j->depth--;
    j->row++;
    return j->column == rsq_result_columns(j->rows) ? 1 : blame(j, "another number of columns");
}

static int on_start_array(void *ctx)
{
    judge *j = ctx;

    return ++j->depth == 1 ? 1 : blame(j, "an array where none belongs");
}

static int on_end_array(void *ctx)
{
    ((judge *)ctx)->depth--;
    return 1;
}

static const yajl_callbacks CALLBACKS = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* What is wrong with the JSON as the text of these rows goes to `j->text`; empty if nothing. */
static void judge_json(judge *j, const rsq_result *rows, const char *json, size_t len)
{
    yajl_handle parser;

    memset(j, 0, sizeof *j);
    j->rows = rows;
    parser = yajl_alloc(&CALLBACKS, NULL, j);
    if (yajl_parse(parser, (const unsigned char *)json, len) != yajl_status_ok ||
        yajl_complete_parse(parser) != yajl_status_ok)
        blame(j, "not valid JSON");
    if (!j->text[0] && (j->row != rsq_result_rows(rows) || j->depth != 0))
        blame(j, "another number of rows");
    yajl_free(parser);
}

/* Read the query both ways: the JSON must say what the rows say. Returns the JSON result, owned. */
static rsq_result *compare(fixture *f, const char *sql, const rsq_value *params, size_t n)
{
    rsq_result *rows = NULL, *json = NULL;
    const char *bytes;
    size_t len;
    judge j;

    WANT(f, RSQ_OK, rsq_select(f->db, sql, params, n, NULL, &rows, &f->err));
    WANT(f, RSQ_OK, rsq_select_json(f->db, sql, params, n, NULL, &json, &f->err));
    bytes = rsq_result_json(json, &len);
    assert_non_null(bytes);
    assert_int_equal(bytes[len], 0);
    judge_json(&j, rows, bytes, len);
    if (j.text[0])
        fail_msg("%s\n  %s\n  %.500s", sql, j.text, bytes);
    rsq_result_unref(rows);
    return json;
}

static void expect_json(fixture *f, const char *sql, const rsq_value *params, size_t n, const char *expected)
{
    rsq_result *json = compare(f, sql, params, n);

    assert_string_equal(rsq_result_json(json, NULL), expected);
    rsq_result_unref(json);
}

static void compare_only(fixture *f, const char *sql)
{
    rsq_result_unref(compare(f, sql, NULL, 0));
}

/* -------------------------------------------------------------------- the tests -- */

/* J01: an array of one object per row, keys in column order, no white space. */
static void two_objects(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL)");
    EXEC(f, "INSERT INTO t(name, score) VALUES ('alpha', 1.5), ('beta', 2.5)");
    expect_json(f, "SELECT * FROM t ORDER BY id", NULL, 0,
                "[{\"id\":1,\"name\":\"alpha\",\"score\":1.5},{\"id\":2,\"name\":\"beta\",\"score\":2.5}]");
    expect_json(f, "SELECT 1 AS a, 2 AS a", NULL, 0, "[{\"a\":1,\"a\":2}]");
    expect_json(f, "SELECT 1 AS \"quote\"\"\\\n\"", NULL, 0, "[{\"quote\\\"\\\\\\n\":1}]");
}

/* J02: no rows are exactly two bytes. */
static void empty_result(void **state)
{
    fixture *f = *state;
    rsq_result *json = NULL;
    size_t len = 0;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT * FROM t", NULL, 0, NULL, &json, &f->err));
    assert_string_equal(rsq_result_json(json, &len), "[]");
    assert_int_equal(len, 2);
    rsq_result_unref(json);
}

/* J03: what JSON wants escaped comes back unchanged through a parser. */
static void escapes(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text("quote\"slash\\newline\ntab\t");

    fixture_open(f, NULL);
    expect_json(f, "SELECT ? AS v", &v, 1, "[{\"v\":\"quote\\\"slash\\\\newline\\ntab\\t\"}]");
    v = rsq_text("\b\f\r\x01\x1f\x7f/é");
    expect_json(f, "SELECT ? AS v", &v, 1, "[{\"v\":\"\\b\\f\\r\\u0001\\u001f\x7f/é\"}]");
}

/* J04: 50 mixed rows say the same as JSON and as rows. */
static void fifty_mixed_rows(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, category TEXT, price REAL)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM c WHERE i < 49) "
            "INSERT INTO t SELECT i+1, 'Item ' || i, CASE WHEN i % 3 THEN 'cat_' || i END, i * 1.5 FROM c");
    compare_only(f, "SELECT * FROM t ORDER BY id");
}

/* J05: text and blob as parameters, ten times. */
static void text_and_blob_parameters(void **state)
{
    fixture *f = *state;
    unsigned char payload[48];
    rsq_value params[2];

    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (unsigned char)(i % 17);
    params[0] = rsq_text("target");
    params[1] = rsq_blob(payload, sizeof payload);
    EXEC(f, "CREATE TABLE t(tag TEXT, payload BLOB)");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO t VALUES (?, ?)", params, 2, NULL, NULL, &f->err));
    for (int i = 0; i < 10; i++) {
        expect_json(f, "SELECT tag FROM t WHERE tag = ? AND payload = ?", params, 2,
                    "[{\"tag\":\"target\"}]");
        compare_only(f, "SELECT * FROM t");
    }
}

/* J06: base64 of known blobs, the empty one included. */
static void known_blobs(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    expect_json(f, "SELECT x'' AS a, x'DE' AS b, x'DEAD' AS c, x'DEADBE' AS d, x'48656C6C6F21' AS e", NULL, 0,
                "[{\"a\":\"\",\"b\":\"3g==\",\"c\":\"3q0=\",\"d\":\"3q2+\",\"e\":\"SGVsbG8h\"}]");
}

/* J07: base64 for every short length and around the block sizes, over all byte values. */
static void blobs_of_all_lengths(void **state)
{
    fixture *f = *state;
    static const uint32_t lengths[] = {4096, 4097, 65537, 1u << 20};
    unsigned char *bytes = malloc(1u << 20);
    uint64_t seed = 7;

    assert_non_null(bytes);
    for (size_t i = 0; i < 1u << 20; i++)
        bytes[i] = i < 256 ? (unsigned char)i : (unsigned char)fixture_random(&seed);
    fixture_open(f, NULL);
    for (uint32_t n = 0; n <= 260; n++) {
        rsq_value v = rsq_blob(bytes, n);
        rsq_result_unref(compare(f, "SELECT ? AS b", &v, 1));
    }
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        rsq_value v = rsq_blob(bytes, lengths[i]);
        rsq_result_unref(compare(f, "SELECT ? AS b", &v, 1));
    }
    free(bytes);
}

/* Put integers into a table of one column, in one batch. */
static void insert_values(fixture *f, const rsq_value *values, size_t n)
{
    WANT(f, RSQ_OK, rsq_execute_batch(f->db, "INSERT INTO n VALUES (?)", values, n, 1, NULL, NULL, &f->err));
}

/* J08: integers are exact to the digit: the corners, powers of ten, and random ones of every length. */
static void integers(void **state)
{
    fixture *f = *state;
    static const int64_t corners[] = {0,
                                      1,
                                      -1,
                                      9,
                                      10,
                                      99,
                                      100,
                                      -9,
                                      -10,
                                      INT64_MAX,
                                      INT64_MIN,
                                      INT64_MAX - 1,
                                      INT64_MIN + 1,
                                      1020304050607080900,
                                      4294967295,
                                      4294967296,
                                      4294967297,
                                      9007199254740991,
                                      9007199254740992,
                                      9007199254740993};
    enum { RANDOM = 50000 };
    uint64_t seed = fixture_seed("integers");
    rsq_value *values = calloc(LENGTH(corners) + 38 + RANDOM, sizeof *values);
    size_t n = 0;
    int64_t power = 1;

    assert_non_null(values);
    for (size_t i = 0; i < LENGTH(corners); i++)
        values[n++] = rsq_integer(corners[i]);
    for (int i = 0; i < 19; i++, power *= i < 19 ? 10 : 1) {
        values[n++] = rsq_integer(power);
        values[n++] = rsq_integer(power - 1);
    }
    for (int i = 0; i < RANDOM; i++) {
        uint64_t bits = fixture_random(&seed);
        values[n++] = rsq_integer((int64_t)bits >> (fixture_random(&seed) % 64));
    }
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE n(v INTEGER)");
    insert_values(f, values, n);
    compare_only(f, "SELECT v FROM n");
    free(values);
}

/* J14 in its better form: reals in the shortest digits that read back to the same bits, whole ones without a
 * point up to 2^53, minus zero kept, infinities as null. */
static void reals(void **state)
{
    fixture *f = *state;
    enum { RANDOM = 20000 };
    uint64_t seed = fixture_seed("reals");
    rsq_value *values = calloc(RANDOM, sizeof *values);

    assert_non_null(values);
    fixture_open(f, NULL);
    expect_json(f, "SELECT 0.0 AS a, 2.0 AS b, 1.0 AS c, 1.25 AS d, 0.1 AS e, 1e999 AS f, -1e999 AS g", NULL,
                0, "[{\"a\":0,\"b\":2,\"c\":1,\"d\":1.25,\"e\":0.1,\"f\":null,\"g\":null}]");
    values[0] = rsq_real(-0.0);
    expect_json(f, "SELECT ? AS z", values, 1, "[{\"z\":-0}]");
    values[0] = rsq_real(9007199254740992.0);
    expect_json(f, "SELECT ? AS z", values, 1, "[{\"z\":9007199254740992}]");
    EXEC(f, "CREATE TABLE n(v REAL)");
    for (size_t i = 0; i < RANDOM; i++) {
        uint64_t bits = fixture_random(&seed);
        double d;

        memcpy(&d, &bits, sizeof d);
        values[i] = rsq_real(isnan(d) ? (double)i / 7 : i % 3 ? d : (double)(int64_t)(bits >> 40) / 4);
    }
    insert_values(f, values, RANDOM);
    compare_only(f, "SELECT v FROM n");
    free(values);
}

/* A text of valid UTF-8 with everything that is awkward for a JSON writer. */
static uint32_t awkward_text(char *out, uint64_t *seed)
{
    static const char *const pieces[] = {"\"", "\\", "\n",          "\x01", "\x1f", "🎉",
                                         "日", "é",  "plain ascii", "/",    "\x7f"};
    size_t n = (size_t)(fixture_random(seed) % 20), len = 0;

    for (size_t i = 0; i < n; i++) {
        const char *piece = pieces[fixture_random(seed) % LENGTH(pieces)];

        if (fixture_random(seed) % 10 == 0) {
            out[len++] = 0;
            continue;
        }
        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return (uint32_t)len;
}

static rsq_value random_value(char *bytes, uint64_t *seed)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1};
    uint64_t bits = fixture_random(seed);

    switch (bits % 6) {
    case 0:
        return rsq_null();
    case 1:
        return rsq_integer((int64_t)fixture_random(seed));
    case 2:
        return rsq_integer(extremes[(bits >> 8) % LENGTH(extremes)]);
    case 3:
        return rsq_real((double)(int64_t)fixture_random(seed) / 1e6);
    case 4:
        return rsq_text_n(bytes, awkward_text(bytes, seed));
    default:
        return rsq_blob(&"\x00\xff\x80\x7f some bytes"[(bits >> 8) % 4], (uint32_t)(bits >> 16) % 12);
    }
}

/* J09: 200 random rows of 8 columns of all types, five times over. */
static void random_mixed_rows(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("random_mixed_rows");

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(a, b, c, d, e, f, g, h)");
    for (int round = 0; round < 5; round++) {
        EXEC(f, "DELETE FROM t");
        for (int row = 0; row < 200; row++) {
            char bytes[8][320];
            rsq_value values[8];

            for (size_t i = 0; i < 8; i++)
                values[i] = random_value(bytes[i], &seed);
            WANT(
                f, RSQ_OK,
                rsq_execute(f->db, "INSERT INTO t VALUES (?,?,?,?,?,?,?,?)", values, 8, NULL, NULL, &f->err));
        }
        compare_only(f, "SELECT * FROM t");
    }
}

/* J10: awkward bytes at each place around the widths that a vector loop works in. */
static void awkward_bytes_at_block_edges(void **state)
{
    fixture *f = *state;
    static const size_t lengths[] = {0,  1,  15, 16, 17, 31, 32,  33,  47,  48,  49,  63,  64,  65,
                                     79, 80, 81, 95, 96, 97, 127, 128, 129, 255, 256, 257, 1024};
    static const char bytes[] = {'"', '\\', 1};

    fixture_open(f, NULL);
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        size_t n = lengths[i];
        const size_t places[] = {0, 15, 16, n ? n - 1 : 0};

        for (size_t k = 0; k < LENGTH(places) * LENGTH(bytes); k++) {
            char text[1024];
            rsq_value v = rsq_text_n(text, (uint32_t)n);

            memset(text, 'x', sizeof text);
            text[places[k / LENGTH(bytes)]] = bytes[k % LENGTH(bytes)];
            rsq_result_unref(compare(f, "SELECT ? AS v", &v, 1));
        }
    }
    compare_only(f, "SELECT replace(hex(zeroblob(32)), '0', '漢') AS cjk");
}

typedef struct crew {
    rsq_db *db;
    verdict verdict;
    rsq_result *rows;
} crew;

static void read_large_json(size_t index, void *ctx)
{
    crew *c = ctx;
    rsq_result *json = NULL;
    rsq_error err;
    (void)index;

    BLAME(&c->verdict, rsq_select_json(c->db, "SELECT * FROM big", NULL, 0, NULL, &json, &err) == RSQ_OK,
          &err);
    if (json) {
        judge j;
        size_t len;
        const char *bytes = rsq_result_json(json, &len);

        judge_json(&j, c->rows, bytes, len);
        BLAME(&c->verdict, len > 256 * 1024 && !j.text[0], NULL);
    }
    rsq_result_unref(json);
}

/* J11: sizes below and above 256 KB; the large one ten times over, and eight at a time. */
static void sizes_of_the_answer(void **state)
{
    fixture *f = *state;
    crew c;
    rsq_result *small;
    size_t len;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE small(id INTEGER PRIMARY KEY, v TEXT)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 1000) "
            "INSERT INTO small SELECT i, 'row ' || i FROM c");
    EXEC(f, "CREATE TABLE big(id INTEGER PRIMARY KEY, v TEXT)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 2000) "
            "INSERT INTO big SELECT i, i || substr(hex(zeroblob(200)), 1, 300) FROM c");
    small = compare(f, "SELECT * FROM small", NULL, 0);
    rsq_result_json(small, &len);
    assert_true(len < 256 * 1024);
    rsq_result_unref(small);
    for (int i = 0; i < 10; i++)
        compare_only(f, "SELECT * FROM big");
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM big", NULL, 0, NULL, &c.rows, &f->err));
    c.db = f->db;
    verdict_init(&c.verdict);
    crew_run(8, read_large_json, &c);
    rsq_result_unref(c.rows);
    VERDICT(&c.verdict);
}

static rsq_code json_in_body(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *json = NULL;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO t VALUES (5)", NULL, 0, NULL, NULL, &f->err);

    if (rc == RSQ_OK)
        rc = rsq_tx_select_json(tx, "SELECT x FROM t", NULL, 0, NULL, &json, &f->err);
    if (rc == RSQ_OK && strcmp(rsq_result_json(json, NULL), "[{\"x\":5}]") != 0)
        rc = RSQ_EINVAL;
    rsq_result_unref(json);
    json = NULL;
    if (rc == RSQ_OK)
        rc = rsq_select_json(f->db, "SELECT count(*) AS n FROM t", NULL, 0, NULL, &json, &f->err);
    if (rc == RSQ_OK && strcmp(rsq_result_json(json, NULL), "[{\"n\":1}]") != 0)
        rc = RSQ_EINVAL;
    rsq_result_unref(json);
    return rc;
}

/* J12, replaced by something better: inside a transaction JSON sees the transaction's own writes. */
static void inside_a_transaction(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    WANT(f, RSQ_OK, rsq_transaction(f->db, json_in_body, f, NULL, &f->err));
    expect_json(f, "SELECT x FROM t", NULL, 0, "[{\"x\":5}]");
}

/* J13: a NUL byte inside a text is escaped, and what follows it is there. */
static void embedded_nul(void **state)
{
    fixture *f = *state;
    rsq_value v = rsq_text_n("a\0b", 3);

    fixture_open(f, NULL);
    expect_json(f, "SELECT ? AS v", &v, 1, "[{\"v\":\"a\\u0000b\"}]");
    expect_json(f, "SELECT char(0) AS v", NULL, 0, "[{\"v\":\"\\u0000\"}]");
}

/* Text that is not UTF-8 still makes valid JSON: each bad byte sequence becomes U+FFFD. */
static void text_that_is_not_utf8(void **state)
{
    fixture *f = *state;
    static const char *const hex[] = {"FF",       "C3",   "61C328", "E28062", "EDA080",
                                      "F4908080", "C0AF", "80",     "F09F8E"};

    fixture_open(f, NULL);
    for (size_t i = 0; i < LENGTH(hex); i++) {
        char sql[96];
        rsq_result *json = NULL, *parsed = NULL;
        rsq_value v;

        snprintf(sql, sizeof sql, "SELECT CAST(x'%s' AS TEXT) AS v", hex[i]);
        WANT(f, RSQ_OK, rsq_select_json(f->db, sql, NULL, 0, NULL, &json, &f->err));
        assert_non_null(strstr(rsq_result_json(json, NULL), "\xef\xbf\xbd"));
        v = rsq_text(rsq_result_json(json, NULL));
        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT json_valid(?)", &v, 1, NULL, &parsed, &f->err));
        EXPECT_RESULT(parsed, "1");
        rsq_result_unref(json);
        rsq_result_unref(parsed);
    }
}

/* An error in a later row is an error, and never the JSON of the rows before it. */
static void error_in_a_later_row(void **state)
{
    fixture *f = *state;
    rsq_result *json = NULL;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    EXEC(f, "INSERT INTO t VALUES (1), (2), (-9223372036854775808)");
    WANT(f, RSQ_ESQL, rsq_select_json(f->db, "SELECT abs(v) FROM t", NULL, 0, NULL, &json, &f->err));
    assert_null(json);
    assert_int_equal(f->err.sqlite_code, 1);
    expect_json(f, "SELECT v FROM t WHERE v > 0", NULL, 0, "[{\"v\":1},{\"v\":2}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(two_objects),
        CASE(empty_result),
        CASE(escapes),
        CASE(fifty_mixed_rows),
        CASE(text_and_blob_parameters),
        CASE(known_blobs),
        CASE(blobs_of_all_lengths),
        CASE(integers),
        CASE(reals),
        CASE(random_mixed_rows),
        CASE(awkward_bytes_at_block_edges),
        CASE(sizes_of_the_answer),
        CASE(inside_a_transaction),
        CASE(embedded_nul),
        CASE(text_that_is_not_utf8),
        CASE(error_in_a_later_row),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
