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
#include "base/profile.h"
#include "sql/internal.h"

/* Texts up to here reserve their worst case (six bytes a byte); longer ones are measured first. */
#define BOUND_MAX 4096

/* Room for any number, or for null, with quotes. */
#define NUMBER_ROOM (RSQ_JSON_DOUBLE_MAX + 8)

/* Beyond this a JavaScript number is not exact. */
#define SAFE_INTEGER_MAX (INT64_C(1) << 53)

/* Written before a cell in one go, whatever its length: keys up to this size are copied without a loop. */
#define KEY_CHUNK 16

/*
 * One run of the writer. Where the next byte goes is passed from function to
 * function: NULL is a failure, and why is in the builder.
 *
 * At the start of a row, and after each text or blob, there is room for all that a
 * row can have besides texts and blobs. So numbers and keys are written without a
 * look at the room.
 */
typedef struct json_writer {
    rsq_conn *c;
    rsq_builder *b; /* the connection's */
    rsq_stmt *s;
    uint32_t flags; /* RSQ_JSON_… */
    bool utf8;      /* text is stored as UTF-8 */
    size_t row_room;
    const char *limit;     /* the end of the buffer */
    rsq_read_times *times; /* borrowed; NULL: not measured */
} json_writer;

static uint32_t form_of(const json_writer *w)
{
    return w->flags & RSQ_JSON_FORM_MASK;
}

static bool build_keys(rsq_stmt *s)
{
    uint32_t count = s->columns->count;
    size_t room = KEY_CHUNK; /* the last key is read as a chunk too */
    char *p;

    for (uint32_t i = 0; i < count; i++)
        room += rsq_json_string_bound(strlen(s->columns->names[i])) + 2;
    s->keys = rsq_alloc(count * sizeof *s->keys);
    s->key_text = rsq_alloc_zero(room);
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

static size_t row_room(const rsq_stmt *s)
{
    size_t room = KEY_CHUNK + 4; /* the brackets and what parts two rows */

    for (uint32_t i = 0; i < s->columns->count; i++)
        room += s->keys[i].len + NUMBER_ROOM;
    return room;
}

/* The buffer is full at `p`: where to go on, with room for `size` bytes. */
static char *grow(json_writer *w, char *p, size_t size)
{
    rsq_builder_json_end(w->b, p);
    p = rsq_builder_json_room(w->b, size);
    if (p)
        w->limit = rsq_block_bytes(w->b->bytes) + w->b->bytes->capacity;
    return p;
}

static inline char *reserve(json_writer *w, char *p, size_t size)
{
    return (size_t)(w->limit - p) >= size ? p : grow(w, p, size);
}

static char *write_text(json_writer *w, char *p, sqlite3_value *v)
{
    const char *text = w->utf8 ? sqlite3_value_blob(v) : (const void *)sqlite3_value_text(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    size_t most;

    if (len && !text) {
        w->b->failed = RSQ_ENOMEM; /* SQLite had no memory to convert the text */
        return NULL;
    }
    most = len <= BOUND_MAX ? rsq_json_string_bound(len) : rsq_json_string_size(text, len);
    p = reserve(w, p, most + w->row_room);
    return p ? rsq_json_string(p, text, len) : NULL;
}

static char *write_blob(json_writer *w, char *p, sqlite3_value *v)
{
    const void *bytes = sqlite3_value_blob(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    bool hex = w->flags & RSQ_JSON_BLOB_HEX;

    p = reserve(w, p, (hex ? rsq_json_hex_size(len) : rsq_json_base64_size(len)) + w->row_room);
    if (!p)
        return NULL;
    return hex ? rsq_json_hex(p, bytes, len) : rsq_json_base64(p, bytes, len);
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

static inline char *write_value(json_writer *w, char *p, sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        return write_integer(w, p, sqlite3_value_int64(v));
    case SQLITE_FLOAT:
        return rsq_json_double(p, sqlite3_value_double(v));
    case SQLITE_TEXT:
        return write_text(w, p, v);
    case SQLITE_BLOB:
        return write_blob(w, p, v);
    default:
        memcpy(p, "null", 4);
        return p + 4;
    }
}

static inline char *write_key(char *p, const rsq_json_key *key)
{
    if (key->len <= KEY_CHUNK)
        memcpy(p, key->text, KEY_CHUNK); /* what is too much is written over */
    else
        memcpy(p, key->text, key->len);
    return p + key->len;
}

static char *write_object(json_writer *w, char *p)
{
    const rsq_json_key *keys = w->s->keys;
    uint32_t columns = w->s->columns->count;
    rsq_row row = rsq_row_of(w->c, w->s->h, columns);

    for (uint32_t i = 0; p && i < columns; i++)
        p = write_value(w, write_key(p, &keys[i]), rsq_row_cell(&row, i));
    if (p)
        *p++ = '}';
    return p;
}

static char *write_array(json_writer *w, char *p)
{
    uint32_t columns = w->s->columns->count;
    rsq_row row = rsq_row_of(w->c, w->s->h, columns);

    for (uint32_t i = 0; p && i < columns; i++) {
        *p = i == 0 ? '[' : ',';
        p = write_value(w, p + 1, rsq_row_cell(&row, i));
    }
    if (p)
        *p++ = ']';
    return p;
}

static char *write_row(json_writer *w, char *p, bool first)
{
    bool lines = form_of(w) == RSQ_JSON_NDJSON;

    p = reserve(w, p, w->row_room);
    if (!p)
        return NULL;
    if (!first && !lines)
        *p++ = ',';
    p = form_of(w) == RSQ_JSON_ARRAYS ? write_array(w, p) : write_object(w, p);
    if (p && lines)
        *p++ = '\n';
    return p;
}

/* The rows, from the one that the statement stands on. */
static char *write_rows(json_writer *w, char *p, int *rc, size_t rows_max)
{
    for (size_t row = 0; p && *rc == SQLITE_ROW && row < rows_max; row++) {
        p = write_row(w, p, row == 0);
        if (p)
            *rc = rsq_stmt_next(w->s, w->times);
    }
    return p;
}

/* Open the bracket, write the rows, close it. False: the builder says why. */
static bool write_all(json_writer *w, int *rc, size_t rows_max)
{
    bool lines = form_of(w) == RSQ_JSON_NDJSON;
    char *p = grow(w, rsq_block_bytes(w->b->bytes), w->row_room);

    if (p && !lines)
        *p++ = '[';
    if (p)
        p = write_rows(w, p, rc, rows_max);
    if (p && !lines)
        p = reserve(w, p, 1);
    if (p && !lines)
        *p++ = ']';
    if (p)
        rsq_builder_json_end(w->b, p);
    return p != NULL;
}

static rsq_code out_of(rsq_builder *b, rsq_error *err)
{
    rsq_code code = b->failed == RSQ_ETOOBIG ? RSQ_ETOOBIG : RSQ_ENOMEM;

    rsq_builder_abandon(b);
    return rsq_error_set(err, code,
                         code == RSQ_ETOOBIG ? "the JSON is larger than its limit" : "out of memory");
}

rsq_code rsq_rows_take_json(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                            rsq_read_times *times, rsq_result **out, rsq_error *err)
{
    json_writer w = {.c = c, .b = &c->builder, .s = s, .flags = rq->json, .times = times};
    rsq_result *r;

    if (*rc != SQLITE_ROW && *rc != SQLITE_DONE)
        return rsq_sql_error(c, *rc, NULL, err);
    if (!rsq_stmt_refresh(s) || (!s->keys && !build_keys(s)))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (!c->encoding_known)
        rsq_conn_ask_encoding(c);
    w.utf8 = c->utf8;
    w.row_room = row_room(s);
    if (!rsq_builder_begin_json(w.b, rq->bytes_max, &s->json_hint) || !write_all(&w, rc, rows_max))
        return out_of(w.b, err);
    if (*rc != SQLITE_DONE && *rc != SQLITE_ROW) {
        rsq_builder_abandon(w.b);
        return rsq_sql_error(c, *rc, NULL, err);
    }
    r = rsq_builder_finish_json(w.b, &s->json_hint);
    if (!r)
        return out_of(w.b, err);
    *out = r;
    return RSQ_OK;
}
