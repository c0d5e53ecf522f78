/*
 * The forms of JSON, and the limit of a result's size (issue 3, points 4 and 5).
 *
 * The judge is YAJL, which shares nothing with the library and refuses strings that are not UTF-8. Each value
 * it finds is compared with the cell of rsq_select() for the same query: type, digits, bits, bytes. What
 * becomes of text that is not UTF-8 is worked out here once more, from the table of well-formed sequences in
 * the Unicode standard.
 */
#include "async_fixture.h"

#include <math.h>
#include <yajl/yajl_parse.h>

#define SAFE_INTEGER (INT64_C(1) << 53)

/* -------------------------------------------------------------- repaired text, by the book -- */

/* Lower and upper limit of the second byte after each first byte; zero: no sequence begins so. */
static size_t sequence_length(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Bytes at the start of `s` that are a whole sequence, or else the start of one, or else 1. */
static size_t next_sequence(const unsigned char *s, size_t n, bool *whole)
{
    unsigned char low, high;
    size_t len = sequence_length(s[0], &low, &high);
    size_t i = 1;

    while (i < len && i < n && s[i] >= low && s[i] <= high) {
        low = 0x80;
        high = 0xbf;
        i++;
    }
    *whole = len > 0 && i == len;
    return i;
}

/* The text with U+FFFD for whatever is no UTF-8; `out` has room for three times its bytes. */
static size_t repair(unsigned char *out, const unsigned char *s, size_t n)
{
    size_t used = 0;

    for (size_t at = 0; at < n;) {
        bool whole;
        size_t len = next_sequence(s + at, n - at, &whole);

        if (whole) {
            memcpy(out + used, s + at, len);
            used += len;
        } else {
            memcpy(out + used, "\xef\xbf\xbd", 3);
            used += 3;
        }
        at += len;
    }
    return used;
}

static bool is_repaired(const unsigned char *got, size_t len, const char *text, size_t n)
{
    unsigned char *expected = malloc(3 * n + 1);
    bool same;

    assert_non_null(expected);
    same = repair(expected, (const unsigned char *)text, n) == len && memcmp(expected, got, len) == 0;
    free(expected);
    return same;
}

/* ------------------------------------------------------------------------- the judge -- */

/* Where the parser is in the rows, and the first thing that was not as it should be. */
typedef struct judge {
    const rsq_result *rows;
    uint32_t flags;
    int row_depth; /* at which a row's values are */
    int depth;
    size_t row, column;
    char text[256];
} judge;

static int blame(judge *j, const char *what)
{
    if (!j->text[0])
        snprintf(j->text, sizeof j->text, "row %zu, column %zu: %s", j->row, j->column, what);
    return 0;
}

static uint32_t form(const judge *j)
{
    return j->flags & RSQ_JSON_FORM_MASK;
}

static bool is_quoted(const judge *j, const rsq_value *v)
{
    return (j->flags & RSQ_JSON_QUOTE_BIG) && (v->as.i > SAFE_INTEGER || v->as.i < -SAFE_INTEGER);
}

/* The cell that the value just read belongs to; NULL, and blamed, if there is none. */
static const rsq_value *next_cell(judge *j)
{
    const rsq_value *v = j->depth == j->row_depth ? rsq_result_cell(j->rows, j->row, j->column) : NULL;

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
    return v->type == RSQ_NULL || (v->type == RSQ_REAL && isinf(v->as.d)) ? 1 : blame(j, "null for a value");
}

static int on_boolean(void *ctx, int value)
{
    (void)value;
    return blame(ctx, "SQLite has no booleans");
}

static int on_real(judge *j, const char *digits, double expected)
{
    double d = strtod(digits, NULL);

    if (memcmp(&d, &expected, sizeof d) != 0)
        return blame(j, "reads back to another double");
    if (d == floor(d) && fabs(d) <= (double)SAFE_INTEGER && strpbrk(digits, ".eE"))
        return blame(j, "a whole number with a point");
    return 1;
}

static int on_number(void *ctx, const char *digits, size_t len)
{
    judge *j = ctx;
    const rsq_value *v = next_cell(j);
    char copy[64], expected[32];

    if (!v)
        return 0;
    if (len >= sizeof copy)
        return blame(j, "a number of more than 63 bytes");
    memcpy(copy, digits, len);
    copy[len] = 0;
    if (v->type == RSQ_REAL)
        return on_real(j, copy, v->as.d);
    if (v->type != RSQ_INTEGER)
        return blame(j, "a number for another type");
    snprintf(expected, sizeof expected, "%" PRId64, v->as.i);
    if (is_quoted(j, v))
        return blame(j, "a large integer that is not quoted");
    return strcmp(copy, expected) == 0 ? 1 : blame(j, "other digits than the integer's");
}

static char base64_digit(unsigned six)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[six];
}

/* Encodes again and compares: six bits at a time, from the bytes as one long number. */
static bool is_base64(const unsigned char *text, size_t len, const unsigned char *bytes, size_t n)
{
    if (len != (n + 2) / 3 * 4)
        return false;
    for (size_t i = 0; i < len; i++) {
        size_t bit = 6 * i;
        unsigned high = bit / 8 < n ? bytes[bit / 8] : 0u;
        unsigned low = bit / 8 + 1 < n ? bytes[bit / 8 + 1] : 0u;
        unsigned six = (high << 8 | low) >> (10 - bit % 8) & 63;

        if (text[i] != (bit < 8 * n ? (unsigned char)base64_digit(six) : '='))
            return false;
    }
    return true;
}

static bool is_hex(const unsigned char *text, size_t len, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n && len == 2 * n; i++) {
        if (text[2 * i] != "0123456789abcdef"[bytes[i] >> 4] ||
            text[2 * i + 1] != "0123456789abcdef"[bytes[i] & 15])
            return false;
    }
    return len == 2 * n;
}

static int on_string(void *ctx, const unsigned char *bytes, size_t len)
{
    judge *j = ctx;
    const rsq_value *v = next_cell(j);
    char digits[32];
    bool same;

    if (!v)
        return 0;
    switch (v->type) {
    case RSQ_TEXT:
        return is_repaired(bytes, len, v->as.text, v->len) ? 1 : blame(j, "another text");
    case RSQ_BLOB:
        same = j->flags & RSQ_JSON_BLOB_HEX ? is_hex(bytes, len, v->as.blob, v->len)
                                            : is_base64(bytes, len, v->as.blob, v->len);
        return same ? 1 : blame(j, "another blob");
    case RSQ_INTEGER:
        snprintf(digits, sizeof digits, "%" PRId64, v->as.i);
        same = is_quoted(j, v) && strlen(digits) == len && memcmp(bytes, digits, len) == 0;
        return same ? 1 : blame(j, "an integer that is not to be quoted, or another one");
    default:
        return blame(j, "a string for another type");
    }
}

static int on_map_key(void *ctx, const unsigned char *key, size_t len)
{
    judge *j = ctx;
    const char *name = rsq_result_column_name(j->rows, j->column);

    return name && is_repaired(key, len, name, strlen(name)) ? 1 : blame(j, "another name");
}

static int begin_row(judge *j)
{
    j->column = 0;
    return 1;
}

static int end_row(judge *j)
{
    j->row++;
    return j->column == rsq_result_columns(j->rows) ? 1 : blame(j, "another number of columns");
}

static int on_start_map(void *ctx)
{
    judge *j = ctx;

    if (++j->depth != j->row_depth || form(j) == RSQ_JSON_ARRAYS)
        return blame(j, "an object where none belongs");
    return begin_row(j);
}

static int on_end_map(void *ctx)
{
    judge *j = ctx;

    j->depth--;
    return end_row(j);
}

static int on_start_array(void *ctx)
{
    judge *j = ctx;

    if (++j->depth == 1 && form(j) != RSQ_JSON_NDJSON)
        return 1;
    if (j->depth != j->row_depth || form(j) != RSQ_JSON_ARRAYS)
        return blame(j, "an array where none belongs");
    return begin_row(j);
}

static int on_end_array(void *ctx)
{
    judge *j = ctx;

    return j->depth-- == j->row_depth ? end_row(j) : 1;
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

static void judge_document(judge *j, const char *json, size_t len)
{
    yajl_handle parser = yajl_alloc(&CALLBACKS, NULL, j);

    if (yajl_parse(parser, (const unsigned char *)json, len) != yajl_status_ok ||
        yajl_complete_parse(parser) != yajl_status_ok)
        blame(j, "not valid JSON");
    yajl_free(parser);
}

/* Each line is a document; no line feed is inside one, since JSON escapes them. */
static void judge_lines(judge *j, const char *json, size_t len)
{
    while (len > 0 && !j->text[0]) {
        const char *end = memchr(json, '\n', len);

        if (!end) {
            blame(j, "a line without an end");
            return;
        }
        judge_document(j, json, (size_t)(end - json));
        len -= (size_t)(end - json) + 1;
        json = end + 1;
    }
}

/* The JSON must say what the rows say. */
static void judge_json(const char *sql, const rsq_result *rows, const rsq_result *json, uint32_t flags)
{
    judge j = {.rows = rows, .flags = flags};
    const char *bytes;
    size_t len;

    bytes = rsq_result_json(json, &len);
    assert_non_null(bytes);
    assert_int_equal(bytes[len], 0);
    j.row_depth = form(&j) == RSQ_JSON_NDJSON ? 1 : 2;
    if (form(&j) == RSQ_JSON_NDJSON)
        judge_lines(&j, bytes, len);
    else
        judge_document(&j, bytes, len);
    if (!j.text[0] && (j.row != rsq_result_rows(rows) || j.depth != 0))
        blame(&j, "another number of rows");
    if (j.text[0])
        fail_msg("%s, flags %x\n  %s\n  %.500s", sql, (unsigned)flags, j.text, bytes);
}

/* Read the query as rows and as JSON of each form, with other flags for each. */
static void compare_forms(fixture *f, const char *sql, const rsq_value *params, size_t n, uint64_t dice)
{
    rsq_result *rows = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, sql, params, n, NULL, &rows, &f->err));
    for (uint32_t of = RSQ_JSON_OBJECTS; of <= RSQ_JSON_NDJSON; of++) {
        rsq_call_options opts = {.size = sizeof opts, .json = of};
        rsq_result *json = NULL;

        opts.json |= dice & 1 ? RSQ_JSON_QUOTE_BIG : 0;
        opts.json |= dice & 2 ? RSQ_JSON_BLOB_HEX : 0;
        dice >>= 2;
        WANT(f, RSQ_OK, rsq_select_json(f->db, sql, params, n, &opts, &json, &f->err));
        judge_json(sql, rows, json, opts.json);
        rsq_result_unref(json);
    }
    rsq_result_unref(rows);
}

/* --------------------------------------------------------------------- what a form is -- */

static void expect_json(fixture *f, const char *sql, const rsq_value *params, size_t n, uint32_t flags,
                        const char *expected)
{
    rsq_call_options opts = {.size = sizeof opts, .json = flags};
    rsq_op_options async = {.size = sizeof async, .json = flags};
    rsq_result *json = NULL;
    rsq_op *op = NULL;
    size_t len;

    WANT(f, RSQ_OK, rsq_select_json(f->db, sql, params, n, &opts, &json, &f->err));
    assert_string_equal(rsq_result_json(json, &len), expected);
    assert_int_equal(len, strlen(expected));
    assert_int_equal(rsq_result_rows(json), 0);
    rsq_result_unref(json);
    WANT_CODE(RSQ_OK, rsq_select_json_async(f->db, sql, params, n, &async, &op));
    EXPECT_OP(op_kept(op), RSQ_OK);
    json = rsq_op_take_result(op);
    assert_string_equal(rsq_result_json(json, NULL), expected);
    rsq_result_unref(json);
    op_freed(op);
}

/* No row, one row and two rows in each form, byte by byte; blocking and asynchronous. */
static void each_form(void **state)
{
    fixture *f = *state;
    const char *none = "SELECT 1 AS a WHERE 0", *one = "SELECT 1 AS a, 'x' AS b",
               *two = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL";

    fixture_open(f, NULL);
    expect_json(f, none, NULL, 0, RSQ_JSON_OBJECTS, "[]");
    expect_json(f, none, NULL, 0, RSQ_JSON_ARRAYS, "[]");
    expect_json(f, none, NULL, 0, RSQ_JSON_NDJSON, "");
    expect_json(f, one, NULL, 0, RSQ_JSON_OBJECTS, "[{\"a\":1,\"b\":\"x\"}]");
    expect_json(f, one, NULL, 0, RSQ_JSON_ARRAYS, "[[1,\"x\"]]");
    expect_json(f, one, NULL, 0, RSQ_JSON_NDJSON, "{\"a\":1,\"b\":\"x\"}\n");
    expect_json(f, two, NULL, 0, RSQ_JSON_OBJECTS, "[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":null}]");
    expect_json(f, two, NULL, 0, RSQ_JSON_ARRAYS, "[[1,\"x\"],[2,null]]");
    expect_json(f, two, NULL, 0, RSQ_JSON_NDJSON, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n");
    expect_json(f, "SELECT 1 AS a, 2 AS b, 3 AS a", NULL, 0, RSQ_JSON_OBJECTS, "[{\"a\":1,\"b\":2,\"a\":3}]");
    expect_json(f, "SELECT 1 AS a, 2 AS b, 3 AS a", NULL, 0, RSQ_JSON_ARRAYS, "[[1,2,3]]");
    expect_json(f, "SELECT 'a' || char(10) || 'b' AS \"x\ny\"", NULL, 0, RSQ_JSON_NDJSON,
                "{\"x\\ny\":\"a\\nb\"}\n");
}

/* The same statement in another form the next time: what is cached for one form is not used for another. */
static void forms_in_turn(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    static const char *const expected[] = {"[{\"a\":1}]", "[[1]]", "{\"a\":1}\n"};

    fixture_open(f, &opts);
    for (uint32_t i = 0; i < 27; i++)
        expect_json(f, "SELECT 1 AS a", NULL, 0, (i + i / 3) % 3, expected[(i + i / 3) % 3]);
}

/* Integers are exact; those that a double cannot count beyond are strings if asked for. Reals never are. */
static void large_integers(void **state)
{
    fixture *f = *state;
    const rsq_value v[] = {
        rsq_integer(SAFE_INTEGER),
        rsq_integer(SAFE_INTEGER + 1),
        rsq_integer(-SAFE_INTEGER),
        rsq_integer(-SAFE_INTEGER - 1),
        rsq_integer(INT64_MAX),
        rsq_integer(INT64_MIN),
        rsq_real(1e17),
        rsq_integer(0),
    };
    const char *sql = "SELECT ?,?,?,?,?,?,?,?";

    fixture_open(f, NULL);
    expect_json(f, sql, v, LENGTH(v), RSQ_JSON_ARRAYS,
                "[[9007199254740992,9007199254740993,-9007199254740992,-9007199254740993,"
                "9223372036854775807,-9223372036854775808,100000000000000000,0]]");
    expect_json(f, sql, v, LENGTH(v), RSQ_JSON_ARRAYS | RSQ_JSON_QUOTE_BIG,
                "[[9007199254740992,\"9007199254740993\",-9007199254740992,\"-9007199254740993\","
                "\"9223372036854775807\",\"-9223372036854775808\",100000000000000000,0]]");
}

/* What JSON has no word for, and what it has several for. */
static void special_values(void **state)
{
    fixture *f = *state;
    const rsq_value reals[] = {rsq_real(-0.0), rsq_real(0.0), rsq_real(INFINITY), rsq_real(-INFINITY),
                               rsq_real(NAN),  rsq_real(2.0), rsq_real(-1.5)};
    const rsq_value texts[] = {rsq_text_n("a\0b", 3),
                               rsq_text_n("\xff"
                                          "a\xc3",
                                          3),
                               rsq_text_n("", 0), rsq_blob("", 0), rsq_blob("\x00\xff\x10", 3)};

    fixture_open(f, NULL);
    expect_json(f, "SELECT ?,?,?,?,?,?,?", reals, LENGTH(reals), RSQ_JSON_ARRAYS,
                "[[-0,0,null,null,null,2,-1.5]]");
    expect_json(f, "SELECT ?,?,?,?,?", texts, LENGTH(texts), RSQ_JSON_ARRAYS,
                "[[\"a\\u0000b\",\"\xef\xbf\xbd"
                "a\xef\xbf\xbd\",\"\",\"\",\"AP8Q\"]]");
    expect_json(f, "SELECT ?,?,?,?,?", texts, LENGTH(texts), RSQ_JSON_ARRAYS | RSQ_JSON_BLOB_HEX,
                "[[\"a\\u0000b\",\"\xef\xbf\xbd"
                "a\xef\xbf\xbd\",\"\",\"\",\"00ff10\"]]");
}

static rsq_code read_in_a_transaction(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_call_options opts = {.size = sizeof opts, .json = RSQ_JSON_NDJSON | RSQ_JSON_BLOB_HEX};
    rsq_result *r = NULL;
    rsq_code code = rsq_tx_select_json(tx, "SELECT 1 AS a, x'ab' AS b", NULL, 0, &opts, &r, &f->err);

    if (code == RSQ_OK && strcmp(rsq_result_json(r, NULL), "{\"a\":1,\"b\":\"ab\"}\n") != 0)
        code = RSQ_EPENDING;
    rsq_result_unref(r);
    return code;
}

/* Inside a transaction, in a database in memory, and a form that there is not. */
static void where_forms_are_known(void **state)
{
    fixture *f = *state;
    const uint32_t wrong[] = {3, 0xff, 1 << 10, 1u << 31, RSQ_JSON_ARRAYS | 1 << 12};
    rsq_db *memory;

    fixture_open(f, NULL);
    WANT_CODE(RSQ_OK, rsq_transaction(f->db, read_in_a_transaction, f, NULL, NULL));
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        rsq_call_options opts = {.size = sizeof opts, .json = wrong[i]};
        rsq_op_options async = {.size = sizeof async, .json = wrong[i]};
        rsq_result *r = NULL;
        rsq_op *op = NULL;

        WANT(f, RSQ_EINVAL, rsq_select_json(f->db, "SELECT 1", NULL, 0, &opts, &r, &f->err));
        WANT_CODE(RSQ_EINVAL, rsq_select_json_async(f->db, "SELECT 1", NULL, 0, &async, &op));
    }
    memory = f->db;
    f->db = fixture_open_path(f, ":memory:", NULL);
    expect_json(f, "SELECT 1 AS a", NULL, 0, RSQ_JSON_ARRAYS, "[[1]]");
    fixture_close(f);
    f->db = memory;
}

/* ----------------------------------------------------------------------- random values -- */

#define COLUMNS 8
#define ROWS 250

static rsq_value random_integer(uint64_t *seed)
{
    static const int64_t edges[] = {0, SAFE_INTEGER, -SAFE_INTEGER, INT64_MAX, INT64_MIN, 1000000000};
    uint64_t dice = fixture_random(seed);

    switch (dice % 4) {
    case 0:
        return rsq_integer((int64_t)fixture_random(seed));
    case 1: /* around an edge; beyond the ends it comes round */
        return rsq_integer((int64_t)((uint64_t)edges[dice / 4 % LENGTH(edges)] + dice / 64 % 5 - 2));
    case 2:
        return rsq_integer((int64_t)(fixture_random(seed) >> (dice >> 8) % 64));
    default:
        return rsq_integer(-(int64_t)(dice >> 40));
    }
}

static rsq_value random_real(uint64_t *seed)
{
    uint64_t dice = fixture_random(seed), bits = fixture_random(seed);
    double d;

    switch (dice % 6) {
    case 0:
    case 1:
        memcpy(&d, &bits, sizeof d); /* any bits: infinities and not-a-number too */
        return rsq_real(d);
    case 2: /* a few decimals */
        return rsq_real((double)(bits % 2000001) / 1000.0 - 1000.0);
    case 3: /* whole, also where the doubles stop being exact */
        return rsq_real((double)(int64_t)(bits >> (dice >> 8) % 64));
    case 4:
        d = pow(10.0, (double)(dice >> 8 & 0x3f) - 25.0);
        return rsq_real(nextafter(d, bits % 3 == 0 ? 0.0 : bits % 3 == 1 ? d : INFINITY));
    default:
        return rsq_real(bits % 4 == 0   ? -0.0
                        : bits % 4 == 1 ? INFINITY
                        : bits % 4 == 2 ? 5e-324
                                        : -1.7976931348623157e308);
    }
}

static uint32_t add_code_point(unsigned char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (unsigned char)(0xc0 | c >> 6);
        p[1] = (unsigned char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (unsigned char)(0xe0 | c >> 12);
        p[1] = (unsigned char)(0x80 | (c >> 6 & 63));
        p[2] = (unsigned char)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | c >> 18);
    p[1] = (unsigned char)(0x80 | (c >> 12 & 63));
    p[2] = (unsigned char)(0x80 | (c >> 6 & 63));
    p[3] = (unsigned char)(0x80 | (c & 63));
    return 4;
}

/* Of any length of UTF-8; surrogates are none. SQLite makes U+FFFD of U+FFFE and U+FFFF when it changes the
 * encoding of a text, so those do not come back from a database in UTF-16. */
static uint32_t random_code_point(uint64_t dice, bool utf16)
{
    uint32_t c = (uint32_t)(dice >> 8) >> (11 + dice % 4 * 5);

    if (c > 0x10ffff)
        c %= 0x110000;
    if (utf16 && (c & ~1u) == 0xfffe)
        return 0xfffd;
    return c >= 0xd800 && c < 0xe000 ? c - 0x800 : c;
}

static uint32_t random_length(uint64_t dice)
{
    return (uint32_t)(dice % 300 == 0 ? 3000 + dice / 300 % 6000 : dice / 300 % 40);
}

/* Text of `len` bytes or nearly so: plain, with much to escape, UTF-8, or any bytes. `room` for four more. */
static rsq_value random_text(uint64_t *seed, char *room, bool valid)
{
    static const char awkward[] = "\"\\/\b\f\n\r\t\x01\x1f\x7f<>&' ";
    uint64_t dice = fixture_random(seed);
    uint32_t len = random_length(dice >> 8), at = 0;
    unsigned kind = (unsigned)(dice & 3);

    while (at < len) {
        uint64_t next = fixture_random(seed);

        if (kind == 0)
            room[at++] = (char)(' ' + next % 95);
        else if (kind == 1)
            room[at++] = awkward[next % sizeof awkward]; /* the NUL at its end too */
        else if (kind == 2 || valid)
            at += add_code_point((unsigned char *)room + at, random_code_point(next, valid));
        else
            room[at++] = (char)(next >> 8); /* any byte */
    }
    if (kind == 2 && !valid && at > 1 && dice >> 60 == 0)
        at--; /* cut, perhaps inside a character */
    return rsq_text_n(room, at);
}

static rsq_value random_value(uint64_t *seed, char *room, bool valid)
{
    uint64_t dice = fixture_random(seed);
    uint32_t len;

    switch (dice % 8) {
    case 0:
        return rsq_null();
    case 1:
    case 2:
        return random_integer(seed);
    case 3:
    case 4:
        return random_real(seed);
    case 5:
        len = random_length(dice >> 8);
        for (uint32_t i = 0; i < len; i++)
            room[i] = (char)fixture_random(seed);
        return rsq_blob(room, len);
    default:
        return random_text(seed, room, valid);
    }
}

#define ROOM 9100 /* for the longest value */

/* Fill the table `v` with new random rows. */
static void fill_random(fixture *f, uint64_t *seed, rsq_value *values, char *room, bool valid)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = random_value(seed, room + i * ROOM, valid);
    EXEC(f, "DELETE FROM v");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO v VALUES (?,?,?,?,?,?,?,?)", values, ROWS, COLUMNS, NULL, NULL,
                           &f->err));
}

/* Random values of all types, from a table and straight from parameters, in every form: what the parser reads
 * is what the cells say. */
static void random_values(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("random_values"), done = 0;
    uint64_t count = rounds_of(FIXTURE_UNDER_TSAN ? 20000 : 200000);
    rsq_value *values = calloc(ROWS * COLUMNS, sizeof *values);
    char *room = malloc(ROWS * COLUMNS * (size_t)ROOM);

    assert_true(values && room);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE v(a, b, c, d, e, f, g, h)");
    for (; done < count; done += ROWS * COLUMNS) {
        fill_random(f, &seed, values, room, false);
        compare_forms(f,
                      "SELECT a, b AS same, c AS same, d AS \"q\"\"\\\n\x01\", e AS \"añ🎉\", f AS \"\", g, h "
                      "FROM v",
                      NULL, 0, fixture_random(&seed));
        for (size_t row = 0; row < ROWS; row += 25)
            compare_forms(f, "SELECT ?,?,?,?,?,?,?,?", values + row * COLUMNS, COLUMNS,
                          fixture_random(&seed));
    }
    print_message("# %" PRIu64 " values in three forms each\n", done);
    free(room);
    free(values);
}

/* ---------------------------------------------------------------------- UTF-16 databases -- */

/* All that was written must come back, byte by byte. */
static void expect_same_rows(fixture *f, const rsq_value *values)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM v ORDER BY rowid", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_rows(r), ROWS);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        const rsq_value *in = &values[i], *out = &rsq_result_cells(r, NULL, NULL)[i];

        if (in->type != RSQ_TEXT)
            continue;
        if (out->type != RSQ_TEXT || out->len != in->len || memcmp(out->as.text, in->as.text, in->len) != 0 ||
            out->as.text[out->len] != 0)
            fail_msg("text %zu of %u bytes comes back with %u: \"%.40s\" for \"%.40s\"", i, in->len, out->len,
                     out->as.text, in->as.text);
    }
    rsq_result_unref(r);
}

static rsq_code read_utf16_in_a_transaction(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r = NULL;
    rsq_code code =
        rsq_tx_execute(tx, "INSERT INTO n(\"ñame\") VALUES ('жук')", NULL, 0, NULL, NULL, &f->err);

    if (code == RSQ_OK)
        code = rsq_tx_select(tx, "SELECT \"ñame\" FROM n WHERE \"ñame\" = 'жук'", NULL, 0, NULL, &r, &f->err);
    if (code == RSQ_OK && (rsq_result_rows(r) != 1 || strcmp(rsq_result_text(r, 0, 0, NULL), "жук") != 0))
        code = RSQ_EPENDING;
    rsq_result_unref(r);
    return code;
}

static void check_utf16(fixture *f, uint64_t *seed, rsq_value *values, char *room)
{
    rsq_value param = rsq_text("añ🎉");
    rsq_result *r = NULL;
    rsq_op *op;

    EXPECT_ROWS(f, "PRAGMA encoding", strstr(f->path, "le.db") ? "'UTF-16le'" : "'UTF-16be'");
    EXPECT_ROWS(f, "SELECT * FROM n", "'añ🎉'");
    WANT(f, RSQ_OK,
         rsq_select(f->db,
                    "SELECT \"ñame\", upper('ab'), typeof(\"ñame\") AS \"ü\" FROM n "
                    "WHERE \"ñame\" = ?1",
                    &param, 1, NULL, &r, &f->err));
    EXPECT_RESULT(r, "'añ🎉'|'AB'|'text'");
    assert_string_equal(rsq_result_column_name(r, 0), "ñame");
    assert_int_equal(rsq_result_column_index(r, "ü"), 2);
    rsq_result_unref(r);
    expect_json(f, "SELECT * FROM n", NULL, 0, RSQ_JSON_OBJECTS, "[{\"ñame\":\"añ🎉\"}]");
    op = op_submitted(f, "SELECT \"ñame\" || ?1 FROM n", &param, 1, NULL);
    EXPECT_OP_ROWS(op, "'añ🎉añ🎉'");
    WANT_CODE(RSQ_OK, rsq_transaction(f->db, read_utf16_in_a_transaction, f, NULL, NULL));
    EXPECT_ROWS(f, "SELECT * FROM n WHERE rowid = 2", "'жук'");
    EXEC(f, "INSERT INTO n VALUES ('\uFEFFmark'), (char(0xfeff) || 'mark')");
    EXPECT_ROWS(f, "SELECT * FROM n WHERE rowid > 2", "'\uFEFFmark'\n'\uFEFFmark'");
    for (int i = 0; i < 4; i++) {
        fill_random(f, seed, values, room, true);
        expect_same_rows(f, values);
        compare_forms(f, "SELECT * FROM v", NULL, 0, fixture_random(seed));
        compare_forms(f, "SELECT a || 'ñ', b, c || d, e, f, substr(g, 2), h FROM v", NULL, 0,
                      fixture_random(seed));
        compare_forms(f, "SELECT ?,?,?,?,?,?,?,?", values, COLUMNS, fixture_random(seed));
    }
}

/* A database in UTF-16 of either order takes and gives UTF-8: cells, JSON, names, inside and outside of
 * transactions, blocking and asynchronous. */
static void utf16_databases(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("utf16_databases");
    rsq_value *values = calloc(ROWS * COLUMNS, sizeof *values);
    char *room = malloc(ROWS * COLUMNS * (size_t)ROOM);

    assert_true(values && room);
    for (int big = 0; big < 2; big++) {
        char sql[160];

        snprintf(f->path, sizeof f->path, "%s/%s.db", f->dir, big ? "be" : "le");
        snprintf(sql, sizeof sql,
                 "PRAGMA encoding = 'UTF-16%s'; CREATE TABLE v(a, b, c, d, e, f, g, h);"
                 "CREATE TABLE n(\"ñame\"); INSERT INTO n VALUES ('añ🎉')",
                 big ? "be" : "le");
        free(foreign_sql(f, f->path, sql));
        fixture_open(f, NULL);
        check_utf16(f, &seed, values, room);
        fixture_close(f);
    }
    free(room);
    free(values);
}

/* A file that was empty when it was opened gets its encoding from whoever makes the first table: here from
 * another process, later. */
static void encoding_that_comes_later(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXPECT_ROWS(f, "SELECT 'ñ'", "'ñ'");
    free(foreign_sql(f, f->path,
                     "PRAGMA encoding = 'UTF-16'; CREATE TABLE n(x); INSERT INTO n VALUES ('añ🎉')"));
    EXPECT_ROWS(f, "SELECT x, length(x), 'ñ' FROM n", "'añ🎉'|3|'ñ'");
    expect_json(f, "SELECT x FROM n", NULL, 0, RSQ_JSON_ARRAYS, "[[\"añ🎉\"]]");
    EXEC(f, "INSERT INTO n VALUES ('ü')");
    EXPECT_ROWS(f, "SELECT x FROM n WHERE x = 'ü'", "'ü'");
}

/* ------------------------------------------------------------------------ max_result_bytes -- */

/* Results of all shapes that the building of one tells apart: in one small block, in several, few large
 * texts, many small ones, none at all. */
static const char *const SHAPES[] = {
    "SELECT 1",
    "SELECT 1, 2.5, NULL, 'ten bytes.'",
    "SELECT 'a' WHERE 0",
    "SELECT ''",
    "SELECT zeroblob(300000)",
    "SELECT printf('%.*c', 5000, 'x')",
    "SELECT printf('%.*c', 5000, char(1))",
    "SELECT printf('%.*c', 700000, '\"')",
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 100) SELECT i, i * 2 FROM c",
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 5000) SELECT i, i, i FROM c",
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 300) "
    "SELECT i, printf('%.*c', i, 'y') FROM c",
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 60) "
    "SELECT zeroblob(i * 100), 'text' || i FROM c",
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 3000) SELECT 'x' || i, 1.0 / "
    "i FROM c",
};

/* Sixteen bytes a cell, and each text or blob with the byte after it. */
static uint64_t bytes_of(const rsq_result *r)
{
    size_t rows, columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);
    uint64_t sum = rows * columns * sizeof *cells;

    for (size_t i = 0; i < rows * columns; i++)
        sum += cells[i].type >= RSQ_TEXT ? (uint64_t)cells[i].len + 1 : 0;
    return sum;
}

/* With this limit the query must end so; the next one works. */
static void with_limit(fixture *f, const char *sql, bool json, uint32_t flags, uint64_t limit, rsq_code code)
{
    rsq_call_options opts = {.size = sizeof opts, .json = flags, .max_result_bytes = limit};
    rsq_op_options async = {.size = sizeof async, .json = flags, .max_result_bytes = limit};
    rsq_result *r = NULL;
    rsq_op *op = NULL;
    rsq_code got = json ? rsq_select_json(f->db, sql, NULL, 0, &opts, &r, &f->err)
                        : rsq_select(f->db, sql, NULL, 0, &opts, &r, &f->err);

    if (got != code)
        fail_msg("%s%s with %" PRIu64 " bytes gives %s, not %s", sql, json ? " as JSON" : "", limit,
                 rsq_code_name(got), rsq_code_name(code));
    rsq_result_unref(r);
    WANT_CODE(RSQ_OK, json ? rsq_select_json_async(f->db, sql, NULL, 0, &async, &op)
                           : rsq_select_async(f->db, sql, NULL, 0, &async, &op));
    EXPECT_OP(op_kept(op), code);
    op_freed(op);
    EXPECT_ROWS(f, "SELECT 'works'", "'works'");
}

/* A result may have exactly as many bytes as its limit, and not one more; whether the statement runs for the
 * first time or knows how large its last result was, small or large. */
static void limit_of_rows(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    for (size_t i = 0; i < LENGTH(SHAPES); i++) {
        for (int pass = 0; pass < 2; pass++) {
            rsq_result *r = NULL;
            uint64_t bytes;

            WANT(f, RSQ_OK, rsq_select(f->db, SHAPES[i], NULL, 0, NULL, &r, &f->err));
            bytes = bytes_of(r);
            rsq_result_unref(r);
            if (bytes > 1) /* a limit of 0 is none */
                with_limit(f, SHAPES[i], false, 0, bytes - 1, RSQ_ETOOBIG);
            with_limit(f, SHAPES[i], false, 0, bytes, RSQ_OK);
            with_limit(f, SHAPES[i], false, 0, bytes + 1, RSQ_OK);
            with_limit(f, SHAPES[i], false, 0, UINT64_MAX, RSQ_OK);
        }
    }
}

/* The same for JSON, whose bytes are what rsq_result_json() counts. */
static void limit_of_json(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    for (size_t i = 0; i < LENGTH(SHAPES); i++) {
        for (uint32_t flags = RSQ_JSON_OBJECTS; flags <= RSQ_JSON_NDJSON; flags++) {
            rsq_call_options call = {.size = sizeof call, .json = flags};
            rsq_result *r = NULL;
            size_t len;

            WANT(f, RSQ_OK, rsq_select_json(f->db, SHAPES[i], NULL, 0, &call, &r, &f->err));
            (void)rsq_result_json(r, &len);
            rsq_result_unref(r);
            if (len > 1)
                with_limit(f, SHAPES[i], true, flags, len - 1, RSQ_ETOOBIG);
            with_limit(f, SHAPES[i], true, flags, len, RSQ_OK);
            with_limit(f, SHAPES[i], true, flags, len + 1, RSQ_OK);
        }
    }
}

/* The first run of a statement, when nothing is known of its size, is measured like all others: on a reader
 * that was just opened, with every limit around the right one. */
static void limit_of_the_first_run(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    for (uint32_t len = 100; len < 9000; len += 811) {
        for (uint64_t limit = len; limit <= len + 8; limit++) {
            char sql[128];

            snprintf(sql, sizeof sql, "SELECT printf('%%.*c', %u, 'x') -- %" PRIu64, len, limit);
            with_limit(f, sql, true, RSQ_JSON_ARRAYS, limit, limit < len + 6 ? RSQ_ETOOBIG : RSQ_OK);
        }
    }
}

/* A query without an end stops at its limit instead of filling the memory. */
static void limit_of_an_endless_query(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    const char *sql =
        "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) SELECT i, 'x' || i FROM n";

    fixture_open(f, &opts);
    for (int i = 0; i < 3; i++) {
        with_limit(f, sql, false, 0, 1000000, RSQ_ETOOBIG);
        with_limit(f, sql, true, RSQ_JSON_OBJECTS, 1000000, RSQ_ETOOBIG);
        with_limit(f, sql, true, RSQ_JSON_NDJSON, 1000000, RSQ_ETOOBIG);
    }
}

/* Of several queries each result has the limit for itself. */
static void limit_of_several_queries(void **state)
{
    fixture *f = *state;
    rsq_call_options opts = {.size = sizeof opts, .max_result_bytes = 64};
    rsq_query queries[] = {{.sql = "SELECT 1, 2, 3, 4"}, {.sql = "SELECT 1, 2, 3, 4"}, {.sql = "SELECT 1"}};
    rsq_result *r[3] = {0};

    fixture_open(f, NULL);
    WANT(f, RSQ_OK, rsq_select_all(f->db, queries, 3, &opts, r, &f->err));
    for (size_t i = 0; i < 3; i++)
        rsq_result_unref(r[i]);
    queries[2].sql = "SELECT 1, 2, 3, 4, 5";
    WANT(f, RSQ_ETOOBIG, rsq_select_all(f->db, queries, 3, &opts, r, &f->err));
    assert_int_equal(f->err.row, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_form),
        CASE(forms_in_turn),
        CASE(large_integers),
        CASE(special_values),
        CASE(where_forms_are_known),
        CASE(random_values),
        CASE(utf16_databases),
        CASE(encoding_that_comes_later),
        CASE(limit_of_rows),
        CASE(limit_of_json),
        CASE(limit_of_the_first_run),
        CASE(limit_of_an_endless_query),
        CASE(limit_of_several_queries),
    };

    return cmocka_run_group_tests_name("forms of JSON", tests, NULL, NULL);
}
