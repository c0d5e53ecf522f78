/*
 * Rows → JSON, in one pass, straight into one buffer.
 *
 *            before the rows   a row's cells            between rows   after the rows
 *   objects  [                 {"a":1,"b":2}            ,              ]
 *   arrays   [                 [1,2]                    ,              ]
 *   NDJSON                     {"a":1,"b":2}            newline        newline, if there was a row
 *
 * What comes before a cell (brace or comma, key, colon) is written as one piece,
 * escaped once per statement.
 */
#include "json/json.h"

#include "base/alloc.h"
#include "sql/internal.h"

/* Texts up to here reserve their worst case (six bytes a byte); longer ones are measured first. */
#define BOUND_MAX 4096

/* Room for any number, or for null, with quotes. */
#define NUMBER_ROOM (RSQ_JSON_DOUBLE_MAX + 8)

/* Beyond this a JavaScript number is not exact. */
#define SAFE_INTEGER_MAX (INT64_C(1) << 53)

/* One run of the writer. */
typedef struct json_writer {
    rsq_conn *c;
    rsq_builder *b; /* the connection's */
    rsq_stmt *s;
    uint32_t flags; /* RSQ_JSON_… */
    bool utf8;      /* text is stored as UTF-8 */
} json_writer;

static uint32_t form_of(const json_writer *w)
{
    return w->flags & RSQ_JSON_FORM_MASK;
}

static bool build_keys(rsq_stmt *s)
{
    uint32_t count = s->columns->count;
    size_t room = 0;
    char *p;

    for (uint32_t i = 0; i < count; i++)
        room += rsq_json_string_bound(strlen(s->columns->names[i])) + 2;
    s->keys = rsq_alloc(count * sizeof *s->keys);
    s->key_text = rsq_alloc(room);
    if (!s->keys || !s->key_text) {
        rsq_free(s->keys);
        rsq_free(s->key_text);
        s->keys = NULL;
        s->key_text = NULL;
        return false;
    }
    p = s->key_text;
    for (uint32_t i = 0; i < count; i++) {
        char *start = p;

        *p++ = i == 0 ? '{' : ',';
        p = rsq_json_string(p, s->columns->names[i], strlen(s->columns->names[i]));
        *p++ = ':';
        s->keys[i] = (rsq_json_key){.text = start, .len = (uint32_t)(p - start)};
    }
    return true;
}

static bool put(rsq_builder *b, char ch)
{
    char *p = rsq_builder_json_room(b, 1);

    if (!p)
        return false;
    *p = ch;
    rsq_builder_json_end(b, p + 1);
    return true;
}

static bool write_text(json_writer *w, sqlite3_value *v)
{
    const char *text = w->utf8 ? sqlite3_value_blob(v) : (const void *)sqlite3_value_text(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    char *p;

    if (len && !text) {
        w->b->failed = RSQ_ENOMEM; /* SQLite had no memory to convert the text */
        return false;
    }
    p = rsq_builder_json_room(w->b, len <= BOUND_MAX ? rsq_json_string_bound(len)
                                                     : rsq_json_string_size(text, len));
    if (!p)
        return false;
    rsq_builder_json_end(w->b, rsq_json_string(p, text, len));
    return true;
}

static bool write_blob(json_writer *w, sqlite3_value *v)
{
    const void *bytes = sqlite3_value_blob(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    bool hex = w->flags & RSQ_JSON_BLOB_HEX;
    char *p = rsq_builder_json_room(w->b, hex ? rsq_json_hex_size(len) : rsq_json_base64_size(len));

    if (!p)
        return false;
    rsq_builder_json_end(w->b, hex ? rsq_json_hex(p, bytes, len) : rsq_json_base64(p, bytes, len));
    return true;
}

static char *write_integer(const json_writer *w, char *p, int64_t i)
{
    bool quote = (w->flags & RSQ_JSON_QUOTE_BIG) && (i > SAFE_INTEGER_MAX || i < -SAFE_INTEGER_MAX);

    if (quote)
        *p++ = '"';
    p = rsq_json_int64(p, i);
    if (quote)
        *p++ = '"';
    return p;
}

/* The cell with what comes before it, which is `len` bytes at `before`. */
static bool write_cell(json_writer *w, const char *before, size_t len, sqlite3_value *v)
{
    char *p = rsq_builder_json_room(w->b, len + NUMBER_ROOM);

    if (!p)
        return false;
    memcpy(p, before, len);
    p += len;
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        p = write_integer(w, p, sqlite3_value_int64(v));
        break;
    case SQLITE_FLOAT:
        p = rsq_json_double(p, sqlite3_value_double(v));
        break;
    case SQLITE_TEXT:
        rsq_builder_json_end(w->b, p);
        return write_text(w, v);
    case SQLITE_BLOB:
        rsq_builder_json_end(w->b, p);
        return write_blob(w, v);
    default:
        memcpy(p, "null", 4);
        p += 4;
        break;
    }
    rsq_builder_json_end(w->b, p);
    return true;
}

static bool write_object(json_writer *w)
{
    const rsq_json_key *keys = w->s->keys;
    uint32_t columns = w->s->columns->count;
    rsq_row row = rsq_row_of(w->c, w->s->h, columns);

    for (uint32_t i = 0; i < columns; i++) {
        if (!write_cell(w, keys[i].text, keys[i].len, rsq_row_cell(&row, i)))
            return false;
    }
    return put(w->b, '}');
}

static bool write_array(json_writer *w)
{
    uint32_t columns = w->s->columns->count;
    rsq_row row = rsq_row_of(w->c, w->s->h, columns);

    for (uint32_t i = 0; i < columns; i++) {
        if (!write_cell(w, i == 0 ? "[" : ",", 1, rsq_row_cell(&row, i)))
            return false;
    }
    return put(w->b, ']');
}

static bool write_row(json_writer *w, bool first)
{
    bool lines = form_of(w) == RSQ_JSON_NDJSON;

    if (!first && !lines && !put(w->b, ','))
        return false;
    if (form_of(w) == RSQ_JSON_ARRAYS)
        return write_array(w);
    return write_object(w) && (!lines || put(w->b, '\n'));
}

static rsq_code out_of(rsq_builder *b, rsq_error *err)
{
    rsq_code code = b->failed == RSQ_ETOOBIG ? RSQ_ETOOBIG : RSQ_ENOMEM;

    rsq_builder_abandon(b);
    return rsq_error_set(err, code,
                         code == RSQ_ETOOBIG ? "the JSON is larger than its limit" : "out of memory");
}

rsq_code rsq_rows_take_json(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                            rsq_result **out, rsq_error *err)
{
    json_writer w = {.c = c, .b = &c->builder, .s = s, .flags = rq->json};
    bool lines = form_of(&w) == RSQ_JSON_NDJSON;
    rsq_result *r = NULL;

    if (*rc != SQLITE_ROW && *rc != SQLITE_DONE)
        return rsq_sql_error(c, *rc, NULL, err);
    if (!rsq_stmt_refresh(s) || (!s->keys && !build_keys(s)))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (!c->encoding_known)
        rsq_conn_ask_encoding(c);
    w.utf8 = c->utf8;
    if (!rsq_builder_begin_json(w.b, rq->bytes_max, &s->json_hint) || (!lines && !put(w.b, '[')))
        return out_of(w.b, err);
    for (size_t row = 0; *rc == SQLITE_ROW && row < rows_max; row++) {
        if (!write_row(&w, row == 0))
            return out_of(w.b, err);
        *rc = sqlite3_step(s->h);
    }
    if (*rc != SQLITE_DONE && *rc != SQLITE_ROW) {
        rsq_builder_abandon(w.b);
        return rsq_sql_error(c, *rc, NULL, err);
    }
    if (lines || put(w.b, ']'))
        r = rsq_builder_finish_json(w.b, &s->json_hint);
    if (!r)
        return out_of(w.b, err);
    *out = r;
    return RSQ_OK;
}

rsq_code rsq_rows_collect_json(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int rc, rsq_result **out,
                               rsq_error *err)
{
    return rsq_rows_take_json(c, s, rq, &rc, SIZE_MAX, out, err);
}
