/*
 * Experiments on JSON; see trials.h: what a real costs as text, and what it costs
 * to build a result first and to encode that.
 */
#include "raw/trials.h"

#include <stdlib.h>

#include <jansson.h>

#include "checksum.h"
#include "items.h"
#include "reads.h"
#include "trials/trials.h"

#define REALS_COLUMNS "a REAL, b REAL, c REAL, d REAL, e REAL, f REAL"
#define REALS_ALL "SELECT a, b, c, d, e, f FROM reals"
#define REALS_JSON1 \
    "SELECT json_group_array(json_object('a', a, 'b', b, 'c', c, 'd', d, 'e', e, 'f', f)) FROM reals"

/* Bytes of one real with its comma, at most. */
#define REAL_TEXT 26
#define REALS_IN_ROW 6

typedef struct trial {
    const bench_ctx *at;
    rsq_db *rsq;    /* owned; NULL: a peer of SQLite alone */
    raw_db *db;     /* owned; NULL: a peer of the library */
    raw_stmt *stmt; /* owned; likewise */
    char *buffer;   /* owned */
    size_t room;
} trial;

static void trial_close(void *state)
{
    trial *t = state;

    rsq_close(t->rsq);
    raw_finalize(t->stmt);
    raw_close(t->db);
    free(t->buffer);
    free(t);
}

/* Six columns of reals: whole ones, quarters, or any. */
static bool make_reals(const bench_ctx *at)
{
    static const char *const values[] = {
        [TRIALS_WHOLE] = "i * 3.0, i * -7.0, i + 1000.0, i * 11.0, 5.0 - i, i * 100.0",
        [TRIALS_QUARTERS] = "i * 0.25, i * -0.5, i + 0.75, i * 1.25, 5.5 - i, i * 100.25",
        [TRIALS_ANY] = "i / 3.0, i * -0.1, i + 0.7071067811865476, i * 1e-9 / 7, 5 - i * 1.1, i * 1e15 / 9",
    };
    raw_db *db = raw_open(at->path, RAW_CREATE);
    char sql[512];
    bool ok;

    snprintf(sql, sizeof sql,
             "CREATE TABLE reals(id INTEGER PRIMARY KEY, " REALS_COLUMNS ");"
             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %zu) "
             "INSERT INTO reals SELECT i, %s FROM c",
             at->of->size, values[at->peer->variant]);
    ok = db && raw_ok(db) && raw_exec(db, sql);
    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

static trial *trial_new(const bench_ctx *at, bool made)
{
    trial *t = made ? calloc(1, sizeof *t) : NULL;

    if (made && !t)
        bench_fail(at, "out of memory");
    if (t)
        t->at = at;
    return t;
}

static void *open_rsq(const bench_ctx *at, bool made)
{
    trial *t = trial_new(at, made);
    rsq_error err;
    rsq_code rc;

    if (!t)
        return NULL;
    rc = rsq_open(at->path, NULL, &t->rsq, &err);
    if (rc == RSQ_OK)
        return t;
    bench_fail_code(at, "open", rc, &err);
    trial_close(t);
    return NULL;
}

static void *open_raw(const bench_ctx *at, const char *sql)
{
    trial *t = trial_new(at, make_reals(at));

    if (!t)
        return NULL;
    t->room = 16 + at->of->size * REALS_IN_ROW * REAL_TEXT;
    t->buffer = malloc(t->room);
    t->db = raw_open(at->path, RAW_READONLY);
    t->stmt = t->db && raw_ok(t->db) ? raw_prepare(t->db, sql) : NULL;
    if (t->buffer && t->stmt)
        return t;
    bench_fail(at, "open: %s", raw_message(t->db));
    trial_close(t);
    return NULL;
}

/* ------------------------------------------------------------------- reals -- */

static void *reals_rsq_open(const bench_ctx *at)
{
    return open_rsq(at, make_reals(at));
}

static void *reals_json1_open(const bench_ctx *at)
{
    return open_raw(at, REALS_JSON1);
}

static void *reals_printf_open(const bench_ctx *at)
{
    return open_raw(at, REALS_ALL);
}

static bool select_json(const trial *t, rsq_result **out)
{
    rsq_error err;
    rsq_code rc = rsq_select_json(t->rsq, REALS_ALL, NULL, 0, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(t->at, "select_json", rc, &err);
}

static bool reals_rsq_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        rsq_result *result;
        const char *json;
        size_t len;

        if (!select_json(state, &result))
            return false;
        json = rsq_result_json(result, &len);
        b->sum = visit_bytes(b->sum, json, len);
        rsq_result_unref(result);
    }
    return true;
}

/* How many digits a real gets is everybody's own choice where it has many, so answers agree for the others
 * only. */
static bool reals_rsq_hash(void *state, uint64_t *hash)
{
    const trial *t = state;
    rsq_result *result;
    const char *json;
    size_t len;

    if (!select_json(state, &result))
        return false;
    json = rsq_result_json(result, &len);
    *hash = t->at->peer->variant == TRIALS_ANY ? 0 : hash_json(HASH_START, json, len);
    rsq_result_unref(result);
    return true;
}

const bench_ops trials_reals_rsq = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = reals_rsq_open,
    .run = reals_rsq_run,
    .hash = reals_rsq_hash,
    .close = trial_close,
};

static bool reals_json1_run(void *state, bench_block *b)
{
    const trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = raw_visit(t->stmt, &b->sum);
    return ok || bench_fail(t->at, "step: %s", raw_message(t->db));
}

static bool reals_json1_hash(void *state, uint64_t *hash)
{
    const trial *t = state;

    *hash = HASH_START;
    if (!raw_hash_json(t->stmt, hash))
        return bench_fail(t->at, "step: %s", raw_message(t->db));
    if (t->at->peer->variant == TRIALS_ANY)
        *hash = 0;
    return true;
}

const bench_ops trials_reals_json1 = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = reals_json1_open,
    .run = reals_json1_run,
    .hash = reals_json1_hash,
    .close = trial_close,
};

static bool reals_printf_run(void *state, bench_block *b)
{
    const trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = raw_print_reals(t->stmt, t->buffer, t->room, &b->sum);
    return ok || bench_fail(t->at, "step: %s", raw_message(t->db));
}

static bool reals_printf_hash(void *state, uint64_t *hash)
{
    (void)state;
    *hash = 0;
    return true;
}

const bench_ops trials_reals_printf = {
    .answer = "17 digits",
    .own_sum = true,
    .open = reals_printf_open,
    .run = reals_printf_run,
    .hash = reals_printf_hash,
    .close = trial_close,
};

/* ---------------------------------------------------- a result, then JSON -- */

static void *encode_open(const bench_ctx *at)
{
    return open_rsq(at, items_make(at, at->of->size));
}

static bool select_rows(const trial *t, rsq_result **out)
{
    rsq_error err;
    rsq_code rc = rsq_select(t->rsq, ITEMS_SQL_ALL, NULL, 0, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(t->at, "select", rc, &err);
}

/* Room for `more` bytes behind those that are used. */
static bool reserve(trial *t, size_t used, size_t more)
{
    size_t room = t->room ? t->room : 65536;
    char *buffer;

    while (room < used + more)
        room *= 2;
    if (room == t->room)
        return true;
    buffer = realloc(t->buffer, room);
    if (!buffer)
        return bench_fail(t->at, "out of memory");
    t->buffer = buffer;
    t->room = room;
    return true;
}

static size_t put_text(char *to, const char *text, size_t len)
{
    size_t n = 0;

    to[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            to[n++] = '\\';
        if (c < 0x20)
            n += (size_t)sprintf(to + n, "\\u%04x", c);
        else
            to[n++] = (char)c;
    }
    to[n++] = '"';
    return n;
}

static size_t put_value(char *to, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return (size_t)sprintf(to, "%lld", (long long)v->as.i);
    case RSQ_REAL:
        return (size_t)sprintf(to, "%.15g", v->as.d);
    case RSQ_TEXT:
        return put_text(to, v->as.text, v->len);
    default:
        memcpy(to, "null", 4);
        return 4;
    }
}

/* What a program writes that has rows and needs JSON: one pass, its own buffer kept. */
static bool encode(trial *t, const rsq_result *r, size_t *len)
{
    size_t columns = rsq_result_columns(r);
    size_t rows = rsq_result_rows(r);
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);
    size_t used = 0;

    if (!reserve(t, 0, 2))
        return false;
    t->buffer[used++] = '[';
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            const rsq_value *v = &cells[row * columns + column];
            const char *name = rsq_result_column_name(r, column);
            size_t name_len = strlen(name);

            if (!reserve(t, used, 64 + name_len + 6 * (size_t)v->len))
                return false;
            if (column == 0 && row > 0)
                t->buffer[used++] = ',';
            t->buffer[used++] = column == 0 ? '{' : ',';
            used += put_text(t->buffer + used, name, name_len);
            t->buffer[used++] = ':';
            used += put_value(t->buffer + used, v);
        }
        t->buffer[used++] = '}';
    }
    t->buffer[used++] = ']';
    *len = used;
    return true;
}

static bool encoded_run(void *state, bench_block *b)
{
    trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        rsq_result *result;
        size_t len = 0;

        if (!select_rows(t, &result))
            return false;
        ok = encode(t, result, &len);
        if (ok)
            b->sum = visit_bytes(b->sum, t->buffer, len);
        rsq_result_unref(result);
    }
    return ok;
}

static bool encoded_hash(void *state, uint64_t *hash)
{
    trial *t = state;
    rsq_result *result;
    size_t len = 0;
    bool ok;

    if (!select_rows(t, &result))
        return false;
    ok = encode(t, result, &len);
    if (ok)
        *hash = hash_json(HASH_START, t->buffer, len);
    rsq_result_unref(result);
    return ok;
}

const bench_ops trials_json_encoded = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = encode_open,
    .run = encoded_run,
    .hash = encoded_hash,
    .close = trial_close,
};

static json_t *tree_value(const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return json_integer(v->as.i);
    case RSQ_REAL:
        return json_real(v->as.d);
    case RSQ_TEXT:
        return json_stringn(v->as.text, v->len);
    default:
        return json_null();
    }
}

/* The text of a tree of values, from the heap; NULL: said why. */
static char *tree_text(const trial *t, const rsq_result *r)
{
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);
    json_t *all = json_array();
    char *text;

    for (size_t row = 0; row < rows; row++) {
        json_t *object = json_object();

        for (size_t column = 0; column < columns; column++)
            json_object_set_new(object, rsq_result_column_name(r, column),
                                tree_value(&cells[row * columns + column]));
        json_array_append_new(all, object);
    }
    text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(all);
    if (!text)
        bench_fail(t->at, "out of memory");
    return text;
}

static bool tree_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        rsq_result *result;
        char *text;

        if (!select_rows(state, &result))
            return false;
        text = tree_text(state, result);
        rsq_result_unref(result);
        if (!text)
            return false;
        b->sum = visit_bytes(b->sum, text, strlen(text));
        free(text);
    }
    return true;
}

static bool tree_hash(void *state, uint64_t *hash)
{
    rsq_result *result;
    char *text;

    if (!select_rows(state, &result))
        return false;
    text = tree_text(state, result);
    rsq_result_unref(result);
    if (!text)
        return false;
    *hash = hash_json(HASH_START, text, strlen(text));
    free(text);
    return true;
}

const bench_ops trials_json_tree = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = encode_open,
    .run = tree_run,
    .hash = tree_hash,
    .close = trial_close,
};
