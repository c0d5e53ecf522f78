/*
 * Rows of a JSON file, by yajl: one array of objects, or objects one after the
 * other (NDJSON).
 *
 * yajl hands out values without saying where they were; it does say how many
 * bytes it has consumed when it calls back, which is the end of the value. Its
 * beginning is the first byte after the end of the value before that is no
 * white space, comma or colon. The input keeps the bytes of the current row,
 * so a nested value is taken from the file as it is written, and strings are
 * checked there: yajl turns a lone surrogate escape into "?" and accepts
 * overlong UTF-8, both of which are refused here with their place.
 */
#include "import.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "mem.h"
#include "utf8.h"

typedef struct json_reader {
    reader *r; /* borrowed */
    yajl_handle yajl;
    size_t row_depth; /* depth inside the object that is a row: 1, or 2 within the array */
    size_t depth;
    uint64_t fed;      /* offset of the first byte yajl got last */
    uint64_t last_end; /* offset after the last value, key or bracket */
    uint64_t row_start;
    uint64_t nested_start; /* of the nested value that is open at row_depth */

    import_field *fields; /* owned; of the current row */
    size_t count, capacity;
    size_t column;     /* of the value that comes next */
    uint64_t *seen_in; /* owned; for each column, the number of the last row that had it */
    size_t seen_count;
} json_reader;

/* ------------------------------------------------------- where things are -- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static uint64_t skip_spaces(const input *in, uint64_t from, uint64_t end)
{
    while (from < end && is_space(*input_at(in, from)))
        from++;
    return from;
}

/* Offset after the value that yajl is calling back for. At the end of the file yajl feeds itself one byte
 * more. */
static uint64_t token_end(const json_reader *j)
{
    uint64_t end = j->fed + yajl_get_bytes_consumed(j->yajl);

    return end < input_end(j->r->in) ? end : input_end(j->r->in);
}

/* Offset of the value that ends at `end`. */
static uint64_t token_start(const json_reader *j, uint64_t end)
{
    const input *in = j->r->in;
    uint64_t i = skip_spaces(in, j->last_end, end);

    if (i + 1 < end && (*input_at(in, i) == ',' || *input_at(in, i) == ':'))
        i = skip_spaces(in, i + 1, end);
    return i;
}

/* ---------------------------------------------------------------- checks -- */

static unsigned hex4(const char *s)
{
    char digits[5] = {s[0], s[1], s[2], s[3], '\0'};

    return (unsigned)strtoul(digits, NULL, 16);
}

/* Offset in the raw string of the first escape that is half of a pair, or `n`. yajl has checked the syntax.
 */
static size_t lone_surrogate(const char *raw, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        unsigned unit;

        if (raw[i] != '\\')
            continue;
        if (raw[i + 1] != 'u') {
            i++;
            continue;
        }
        unit = hex4(raw + i + 2);
        if (unit >= 0xdc00 && unit <= 0xdfff)
            return i;
        if (unit >= 0xd800 && unit <= 0xdbff) {
            unsigned low = n - i >= 12 && raw[i + 6] == '\\' && raw[i + 7] == 'u' ? hex4(raw + i + 8) : 0;

            if (low < 0xdc00 || low > 0xdfff)
                return i;
            i += 6;
        }
        i += 5;
    }
    return n;
}

/* A string or key, whose `len` bytes without escapes stand in the file at `start`, quotes included. */
static bool check_string(json_reader *j, uint64_t start, uint64_t end, size_t len)
{
    const char *raw = input_at(j->r->in, start);
    size_t n = (size_t)(end - start), bad = utf8_check(raw, n);

    if (bad < n)
        return import_fail_at(j->r, start + bad, "not UTF-8");
    if (n == len + 2)
        return true;
    bad = lone_surrogate(raw, n);
    return bad == n || import_fail_at(j->r, start + bad, "half of a surrogate pair in a \\u escape");
}

/* ------------------------------------------------------------------ rows -- */

static bool add_field(json_reader *j, field_kind kind, const void *text, size_t len, uint64_t offset)
{
    import_field *f;

    if (len > IMPORT_TEXT_MAX)
        return import_fail_at(j->r, offset, "a value of more than %zu bytes", IMPORT_TEXT_MAX);
    if (j->count == j->capacity) {
        j->capacity = mem_grow(j->capacity, 16);
        j->fields = mem_resize(j->fields, j->capacity, sizeof *j->fields);
    }
    f = &j->fields[j->count++];
    f->kind = kind;
    f->column = j->column;
    f->text = arena_copy(j->r->texts, text, len);
    f->len = len;
    f->offset = offset;
    return true;
}

static void start_row(json_reader *j, uint64_t start)
{
    j->row_start = start;
    j->count = 0;
    input_set_mark(j->r->in, start);
}

static bool end_row(json_reader *j)
{
    import_row row = {j->fields, j->count, j->row_start};

    if (!j->r->on_row(j->r->ctx, j->r, &row))
        return false;
    j->r->rows++;
    return true;
}

/* The column that a key names; each only once in a row. */
static bool take_key(json_reader *j, const char *name, size_t len, uint64_t start)
{
    size_t guess = j->count ? j->fields[j->count - 1].column + 1 : 0;

    if (!import_column(j->r, name, len, start, guess, &j->column))
        return false;
    if (j->column >= j->seen_count) {
        size_t more = mem_grow(j->seen_count, j->column + 16);

        j->seen_in = mem_resize(j->seen_in, more, sizeof *j->seen_in);
        memset(j->seen_in + j->seen_count, 0, (more - j->seen_count) * sizeof *j->seen_in);
        j->seen_count = more;
    }
    if (j->seen_in[j->column] == j->r->rows + 1)
        return import_fail_at(j->r, start, "the key \"%s\" appears twice in one object",
                              j->r->columns->names[j->column]);
    j->seen_in[j->column] = j->r->rows + 1;
    return true;
}

/* ------------------------------------------------------ yajl's callbacks -- */

/* What every value goes through first: its place, and whether one may stand here. */
static bool begin_value(json_reader *j, uint64_t *start, bool container)
{
    uint64_t end = token_end(j);

    *start = container ? end - 1 : token_start(j, end);
    if (j->depth >= j->row_depth)
        return true;
    return import_fail_at(j->r, *start, "an object is expected, as each row is one");
}

static int take_scalar(json_reader *j, field_kind kind, const void *text, size_t len)
{
    uint64_t start;

    if (!begin_value(j, &start, false))
        return 0;
    if (kind == FIELD_TEXT && !check_string(j, start, token_end(j), len))
        return 0;
    if (j->depth == j->row_depth && !add_field(j, kind, text, len, start))
        return 0;
    j->last_end = token_end(j);
    return 1;
}

static int on_null(void *ctx)
{
    return take_scalar(ctx, FIELD_NULL, "null", 4);
}

static int on_boolean(void *ctx, int value)
{
    return value ? take_scalar(ctx, FIELD_TRUE, "true", 4) : take_scalar(ctx, FIELD_FALSE, "false", 5);
}

static int on_number(void *ctx, const char *text, size_t len)
{
    return take_scalar(ctx, FIELD_NUMBER, text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return take_scalar(ctx, FIELD_TEXT, text, len);
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    json_reader *j = ctx;
    uint64_t end = token_end(j), start = token_start(j, end);

    if (!check_string(j, start, end, len))
        return 0;
    if (j->depth == j->row_depth && !take_key(j, (const char *)text, len, start))
        return 0;
    j->last_end = end;
    return 1;
}

static int on_start(json_reader *j, bool object)
{
    uint64_t start;

    if (object && j->depth + 1 == j->row_depth) {
        start_row(j, token_end(j) - 1);
    } else if (!object && j->depth == 0 && j->row_depth == 2) {
        /* the array of rows */
    } else if (!object && j->depth == 0) {
        return import_fail_at(j->r, token_end(j) - 1,
                              "an object is expected; for one array of objects, the format is json");
    } else if (object && j->depth == 0) {
        return import_fail_at(j->r, token_end(j) - 1,
                              "an array is expected; for objects without one, the format is ndjson");
    } else {
        if (!begin_value(j, &start, true))
            return 0;
        if (j->depth == j->row_depth)
            j->nested_start = start;
    }
    j->depth++;
    j->last_end = token_end(j);
    return 1;
}

static int on_end(json_reader *j, bool object)
{
    const input *in = j->r->in;
    uint64_t end = token_end(j);

    j->depth--;
    j->last_end = end;
    if (object && j->depth + 1 == j->row_depth) {
        if (!end_row(j))
            return 0;
        input_set_mark(j->r->in, end);
    } else if (j->depth == j->row_depth) {
        size_t len = (size_t)(end - j->nested_start);

        return add_field(j, FIELD_JSON, input_at(in, j->nested_start), len, j->nested_start);
    }
    return 1;
}

static int on_start_map(void *ctx)
{
    return on_start(ctx, true);
}

static int on_end_map(void *ctx)
{
    return on_end(ctx, true);
}

static int on_start_array(void *ctx)
{
    return on_start(ctx, false);
}

static int on_end_array(void *ctx)
{
    return on_end(ctx, false);
}

/* --------------------------------------------------------------- parsing -- */

/* yajl's own message and the place of what it does not like, see the comment on top. */
static bool fail_syntax(json_reader *j, bool at_end)
{
    static const char lexical[] = "lexical error: ", parse[] = "parse error: ";
    unsigned char *error = yajl_get_error(j->yajl, 0, NULL, 0);
    const char *message = error ? (const char *)error : "malformed";
    uint64_t offset, end = token_end(j);
    size_t len;

    if (at_end) {
        offset = input_end(j->r->in);
        message = "the file ends in the middle of a value";
    } else if (strncmp(message, lexical, sizeof lexical - 1) == 0) {
        message += sizeof lexical - 1;
        /* The byte that fits no token is consumed, the one that ends a token too early is not. */
        offset = strncmp(message, "invalid char in", 15) == 0 ? end - 1 : end;
    } else {
        if (strncmp(message, parse, sizeof parse - 1) == 0)
            message += sizeof parse - 1;
        offset = token_start(j, end);
    }
    len = strcspn(message, "\n");
    while (len && message[len - 1] == '.')
        len--;
    import_fail_at(j->r, offset, "malformed JSON: %.*s", (int)len, message);
    if (error)
        yajl_free_error(j->yajl, error);
    return false;
}

static bool feed(json_reader *j, uint64_t from)
{
    size_t n = (size_t)(input_end(j->r->in) - from);
    yajl_status status;

    j->fed = from;
    status = yajl_parse(j->yajl, (const unsigned char *)input_at(j->r->in, from), n);
    if (status == yajl_status_ok)
        return true;
    return status == yajl_status_client_canceled ? false : fail_syntax(j, false);
}

static bool read_all(json_reader *j)
{
    input *in = j->r->in;
    uint64_t from = in->mark.offset;

    j->last_end = from;
    while (from < input_end(in) || input_more(in)) {
        if (!feed(j, from))
            return false;
        from = input_end(in);
        progress_update(j->r->progress, from, j->r->rows);
    }
    if (!import_check_input(j->r))
        return false;
    /* Objects without an array may end anywhere between two of them, yajl would want one more. */
    if (j->row_depth == 1 && j->depth == 0 && skip_spaces(in, j->last_end, from) == from)
        return true;
    j->fed = from;
    return yajl_complete_parse(j->yajl) == yajl_status_ok || j->r->failure->happened || fail_syntax(j, true);
}

bool import_read_json(reader *r, bool lines)
{
    static const yajl_callbacks callbacks = {on_null,    on_boolean,     NULL,         NULL,
                                             on_number,  on_string,      on_start_map, on_key,
                                             on_end_map, on_start_array, on_end_array};
    json_reader j = {.r = r, .row_depth = lines ? 1 : 2};
    bool ok;

    j.yajl = yajl_alloc(&callbacks, NULL, &j);
    if (!j.yajl)
        return import_fail_at(r, 0, "the JSON parser does not start");
    yajl_config(j.yajl, yajl_dont_validate_strings, 1); /* check_string() does, and says where */
    if (lines)
        yajl_config(j.yajl, yajl_allow_multiple_values, 1);
    input_skip_bom(r->in);
    ok = read_all(&j) && !r->failure->happened;
    yajl_free(j.yajl);
    free(j.fields);
    free(j.seen_in);
    return ok;
}
