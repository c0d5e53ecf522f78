/*
 * Rows → JSON, in one pass, straight into one buffer: an array of objects,
 * whose keys were escaped once per statement.
 */
#include "json/json.h"

#include "base/alloc.h"
#include "sql/internal.h"

/* Texts up to here reserve their worst case (six bytes a byte); longer ones are measured first. */
#define BOUND_MAX 4096

/* Room for any number with its brackets and commas. */
#define NUMBER_ROOM (RSQ_JSON_DOUBLE_MAX + 8)

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

static bool write_text(rsq_builder *b, sqlite3_value *v, bool utf8)
{
    const char *text = utf8 ? sqlite3_value_blob(v) : (const void *)sqlite3_value_text(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    char *p;

    if (len && !text) {
        b->failed = RSQ_ENOMEM;
        return false;
    }
    p = rsq_builder_json_room(b, len <= BOUND_MAX ? rsq_json_string_bound(len)
                                                  : rsq_json_string_size(text, len));
    if (!p)
        return false;
    rsq_builder_json_end(b, rsq_json_string(p, text ? text : "", len));
    return true;
}

static bool write_blob(rsq_builder *b, sqlite3_value *v)
{
    const void *bytes = sqlite3_value_blob(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    char *p = rsq_builder_json_room(b, rsq_json_base64_size(len));

    if (!p)
        return false;
    rsq_builder_json_end(b, rsq_json_base64(p, bytes ? bytes : "", len));
    return true;
}

static bool write_cell(rsq_builder *b, const rsq_json_key *key, sqlite3_value *v, bool utf8)
{
    char *p = rsq_builder_json_room(b, key->len + NUMBER_ROOM);

    if (!p)
        return false;
    memcpy(p, key->text, key->len);
    p += key->len;
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        p = rsq_json_int64(p, sqlite3_value_int64(v));
        break;
    case SQLITE_FLOAT:
        p = rsq_json_double(p, sqlite3_value_double(v));
        break;
    case SQLITE_TEXT:
        rsq_builder_json_end(b, p);
        return write_text(b, v, utf8);
    case SQLITE_BLOB:
        rsq_builder_json_end(b, p);
        return write_blob(b, v);
    default:
        memcpy(p, "null", 4);
        p += 4;
        break;
    }
    rsq_builder_json_end(b, p);
    return true;
}

static bool write_char(rsq_builder *b, char ch)
{
    char *p = rsq_builder_json_room(b, 1);

    if (!p)
        return false;
    *p = ch;
    rsq_builder_json_end(b, p + 1);
    return true;
}

static bool write_row(rsq_builder *b, rsq_stmt *s, bool first, bool utf8)
{
    if (!first && !write_char(b, ','))
        return false;
    for (uint32_t i = 0; i < s->columns->count; i++) {
        if (!write_cell(b, &s->keys[i], sqlite3_column_value(s->h, (int)i), utf8))
            return false;
    }
    return write_char(b, '}');
}

static rsq_code out_of(rsq_builder *b, rsq_error *err)
{
    rsq_code code = b->failed == RSQ_ETOOBIG ? RSQ_ETOOBIG : RSQ_ENOMEM;

    rsq_builder_abandon(b);
    return rsq_error_set(err, code, code == RSQ_ETOOBIG ? "the JSON is larger than 2 GiB" : "out of memory");
}

rsq_code rsq_rows_collect_json(rsq_conn *c, rsq_stmt *s, int rc, rsq_result **out, rsq_error *err)
{
    rsq_builder *b = &c->builder;
    bool first = true;
    rsq_result *r;

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rsq_sql_error(c, rc, NULL, err);
    if (!rsq_stmt_refresh(s) || (!s->keys && !build_keys(s)))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (!rsq_builder_begin_json(b, &s->json_hint) || !write_char(b, '['))
        return out_of(b, err);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(s->h)) {
        if (!write_row(b, s, first, c->utf8))
            return out_of(b, err);
        first = false;
    }
    if (rc != SQLITE_DONE) {
        rsq_builder_abandon(b);
        return rsq_sql_error(c, rc, NULL, err);
    }
    r = write_char(b, ']') ? rsq_builder_finish_json(b, &s->json_hint) : NULL;
    if (!r)
        return out_of(b, err);
    *out = r;
    return RSQ_OK;
}
