/* Other ways; see trials.h. */
#ifndef SQLITE_ENABLE_PREUPDATE_HOOK
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#endif
#include <sqlite3.h>

#include "raw/trials.h"

#include <stdio.h>
#include <stdlib.h>

#include "checksum.h"

#define COLUMNS_MAX 32

/* What the library's cells look like: type, length, value. */
typedef struct cell {
    uint32_t type;
    uint32_t len;
    union {
        int64_t i;
        double d;
        const void *bytes;
    } as;
} cell;

static sqlite3_stmt *stmt_of(raw_stmt *s)
{
    return (sqlite3_stmt *)(void *)s;
}

static uint64_t visit_cell(const cell *c, uint64_t sum)
{
    switch (c->type) {
    case SQLITE_INTEGER:
        return visit_integer(sum, c->as.i);
    case SQLITE_FLOAT:
        return visit_real(sum, c->as.d);
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        return visit_bytes(sum, c->as.bytes, c->len);
    default:
        return sum;
    }
}

/* Not inlined: the calls are what is measured. */
__attribute__((noinline)) static void fetch_cell(sqlite3_stmt *s, int i, cell *out)
{
    out->type = (uint32_t)sqlite3_column_type(s, i);
    out->len = 0;
    switch (out->type) {
    case SQLITE_INTEGER:
        out->as.i = sqlite3_column_int64(s, i);
        break;
    case SQLITE_FLOAT:
        out->as.d = sqlite3_column_double(s, i);
        break;
    case SQLITE_NULL:
        break;
    default:
        out->as.bytes = sqlite3_column_blob(s, i);
        out->len = (uint32_t)sqlite3_column_bytes(s, i);
        break;
    }
}

static void take_value(sqlite3_value *v, cell *out)
{
    out->type = (uint32_t)sqlite3_value_type(v);
    out->len = 0;
    switch (out->type) {
    case SQLITE_INTEGER:
        out->as.i = sqlite3_value_int64(v);
        break;
    case SQLITE_FLOAT:
        out->as.d = sqlite3_value_double(v);
        break;
    case SQLITE_NULL:
        break;
    default:
        out->as.bytes = sqlite3_value_blob(v);
        out->len = (uint32_t)sqlite3_value_bytes(v);
        break;
    }
}

__attribute__((noinline)) static void fetch_row(sqlite3_stmt *s, int columns, cell *out)
{
    for (int i = 0; i < columns; i++)
        take_value(sqlite3_column_value(s, i), &out[i]);
}

bool raw_visit_fetched(raw_stmt *stmt, raw_fetch how, uint64_t *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    cell cells[COLUMNS_MAX];

    while (sqlite3_step(s) == SQLITE_ROW) {
        if (how == RAW_BY_ROW)
            fetch_row(s, columns, cells);
        for (int i = 0; i < columns; i++) {
            if (how == RAW_BY_CELL)
                fetch_cell(s, i, &cells[i]);
            else if (how == RAW_BY_VALUE)
                take_value(sqlite3_column_value(s, i), &cells[i]);
            *sum = visit_cell(&cells[i], *sum);
        }
    }
    return sqlite3_reset(s) == SQLITE_OK;
}

/* ----------------------------------------------------------------- records -- */

typedef struct field {
    char *name; /* owned */
    cell value; /* its bytes are owned */
} field;

typedef struct record {
    struct record *next;
    int n;
    field fields[];
} record;

static void *copy(const void *bytes, size_t len)
{
    char *to = malloc(len + 1);

    if (to) {
        memcpy(to, bytes, len);
        to[len] = '\0';
    }
    return to;
}

static void record_free(record *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->fields[i].name);
        if (r->fields[i].value.type == SQLITE_TEXT || r->fields[i].value.type == SQLITE_BLOB)
            free((void *)(uintptr_t)r->fields[i].value.as.bytes);
    }
    free(r);
}

/* NULL: no memory. */
static record *record_of(sqlite3_stmt *s, int columns)
{
    record *r = calloc(1, sizeof *r + (size_t)columns * sizeof(field));

    for (int i = 0; r && i < columns; i++) {
        const char *name = sqlite3_column_name(s, i);
        field *f = &r->fields[r->n++];
        bool ok;

        f->name = copy(name, strlen(name));
        fetch_cell(s, i, &f->value);
        if (f->value.type == SQLITE_TEXT || f->value.type == SQLITE_BLOB)
            f->value.as.bytes = copy(f->value.as.bytes, f->value.len);
        ok = f->name && (f->value.as.bytes || f->value.len == 0);
        if (!ok) {
            record_free(r);
            return NULL;
        }
    }
    return r;
}

bool raw_visit_records(raw_stmt *stmt, uint64_t *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    record *first = NULL;
    record **last = &first;
    bool ok = true;

    while (ok && sqlite3_step(s) == SQLITE_ROW) {
        *last = record_of(s, columns);
        ok = *last != NULL;
        if (ok)
            last = &(*last)->next;
    }
    for (const record *r = first; r; r = r->next) {
        for (int i = 0; i < r->n; i++)
            *sum = visit_cell(&r->fields[i].value, *sum);
    }
    while (first) {
        record *next = first->next;

        record_free(first);
        first = next;
    }
    return sqlite3_reset(s) == SQLITE_OK && ok;
}

/* ------------------------------------------------------------------ arenas -- */

#define FIRST_ROOM 4096

static bool grow(void **block, size_t *room, size_t need)
{
    size_t more = *room ? *room : FIRST_ROOM;
    void *to;

    while (more < need)
        more *= 2;
    if (more == *room)
        return true;
    to = realloc(*block, more);
    if (!to)
        return false;
    *block = to;
    *room = more;
    return true;
}

void raw_arena_fini(raw_arena *a)
{
    free(a->cells);
    free(a->bytes);
    memset(a, 0, sizeof *a);
}

/* Bytes move when their block grows, so until the end a cell holds where in it they are. */
static bool append(raw_arena *a, size_t n, size_t *used, cell *c)
{
    void *bytes = a->bytes;

    if (!grow(&a->cells, &a->cells_room, (n + 1) * sizeof(cell)))
        return false;
    if (c->type == SQLITE_TEXT || c->type == SQLITE_BLOB) {
        if (!grow(&bytes, &a->bytes_room, *used + c->len + 1))
            return false;
        a->bytes = bytes;
        if (c->len > 0)
            memcpy(a->bytes + *used, c->as.bytes, c->len);
        c->as.i = (int64_t)*used;
        *used += c->len;
    }
    ((cell *)a->cells)[n] = *c;
    return true;
}

bool raw_visit_copied(raw_stmt *stmt, raw_arena *a, bool recycle, uint64_t *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    size_t used = 0;
    size_t n = 0;
    bool ok = true;

    while (ok && sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns && ok; i++) {
            cell c;

            take_value(sqlite3_column_value(s, i), &c);
            ok = append(a, n++, &used, &c);
        }
    }
    for (size_t i = 0; i < n && ok; i++) {
        cell c = ((const cell *)a->cells)[i];

        if (c.type == SQLITE_TEXT || c.type == SQLITE_BLOB)
            c.as.bytes = a->bytes + c.as.i;
        *sum = visit_cell(&c, *sum);
    }
    if (!recycle)
        raw_arena_fini(a);
    return sqlite3_reset(s) == SQLITE_OK && ok;
}

/* -------------------------------------------------------------- parameters -- */

static bool bind_packed(sqlite3_stmt *s, const char *const *texts, const size_t *lens, char **block)
{
    size_t all = 0;
    char *to;
    bool ok = true;

    for (int i = 0; i < RAW_TEXTS; i++)
        all += lens[i];
    *block = to = malloc(all + 1);
    for (int i = 0; i < RAW_TEXTS && to && ok; i++) {
        memcpy(to, texts[i], lens[i]);
        ok = sqlite3_bind_text(s, i + 1, to, (int)lens[i], SQLITE_STATIC) == SQLITE_OK;
        to += lens[i];
    }
    return to && ok;
}

static bool bind_each(sqlite3_stmt *s, const char *const *texts, const size_t *lens, char **blocks)
{
    for (int i = 0; i < RAW_TEXTS; i++) {
        blocks[i] = copy(texts[i], lens[i]);
        if (!blocks[i] || sqlite3_bind_text(s, i + 1, blocks[i], -1, SQLITE_STATIC) != SQLITE_OK)
            return false;
    }
    return true;
}

static bool bind_texts(sqlite3_stmt *s, const char *const *texts, const size_t *lens, raw_binding how)
{
    for (int i = 0; i < RAW_TEXTS; i++) {
        int len = how == RAW_STRLEN ? -1 : (int)lens[i];

        if (sqlite3_bind_text(s, i + 1, texts[i], len,
                              how == RAW_TRANSIENT ? SQLITE_TRANSIENT : SQLITE_STATIC) != SQLITE_OK)
            return false;
    }
    return true;
}

static bool insert_row(sqlite3_stmt *s, const char *const *texts, const size_t *lens, raw_binding how)
{
    char *blocks[RAW_TEXTS] = {NULL};
    bool ok;

    if (how == RAW_PACKED)
        ok = bind_packed(s, texts, lens, blocks);
    else if (how == RAW_EACH)
        ok = bind_each(s, texts, lens, blocks);
    else
        ok = bind_texts(s, texts, lens, how);
    ok = ok && sqlite3_step(s) == SQLITE_DONE;
    ok = sqlite3_reset(s) == SQLITE_OK && ok;
    for (int i = 0; i < RAW_TEXTS; i++)
        free(blocks[i]);
    return ok;
}

bool raw_insert_texts(raw_db *db, raw_stmt *insert, const char *const *texts, const size_t *lens, size_t rows,
                      raw_binding how)
{
    bool ok = raw_exec(db, "BEGIN IMMEDIATE");

    for (size_t i = 0; i < rows && ok; i++)
        ok = insert_row(stmt_of(insert), texts + i * RAW_TEXTS, lens + i * RAW_TEXTS, how);
    return ok && raw_exec(db, "COMMIT");
}

/* ------------------------------------------------------------------- reals -- */

bool raw_print_reals(raw_stmt *stmt, char *buffer, size_t room, uint64_t *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    size_t used = 0;

    buffer[used++] = '[';
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            double value = sqlite3_column_double(s, i);

            used += (size_t)snprintf(buffer + used, room - used, "%.17g,", value);
        }
    }
    buffer[used++] = ']';
    *sum = visit_bytes(*sum, buffer, used);
    return sqlite3_reset(s) == SQLITE_OK;
}
