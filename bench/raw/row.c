/* The baseline for statements of any shape; see row.h. */
#include <sqlite3.h>

#include "raw/row.h"

#include "portable.h"

static sqlite3_stmt *stmt_of(raw_stmt *s)
{
    return (sqlite3_stmt *)(void *)s;
}

static int bind_one(sqlite3_stmt *s, int at, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return sqlite3_bind_int64(s, at, v->as.i);
    case RSQ_REAL:
        return sqlite3_bind_double(s, at, v->as.d);
    case RSQ_TEXT:
        return sqlite3_bind_text(s, at, v->as.text, (int)v->len, SQLITE_STATIC);
    case RSQ_BLOB:
        return sqlite3_bind_blob(s, at, v->as.blob, (int)v->len, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(s, at);
    }
}

static bool bind_all(sqlite3_stmt *s, const rsq_value *params, size_t nparams)
{
    for (size_t i = 0; i < nparams; i++) {
        if (bind_one(s, (int)i + 1, &params[i]) != SQLITE_OK)
            return false;
    }
    return true;
}

static rsq_value cell_of(sqlite3_stmt *s, int column)
{
    const void *bytes;

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        return rsq_integer(sqlite3_column_int64(s, column));
    case SQLITE_FLOAT:
        return rsq_real(sqlite3_column_double(s, column));
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(s, column);
        return rsq_text_n(bytes, (uint32_t)sqlite3_column_bytes(s, column));
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(s, column);
        return rsq_blob(bytes, (uint32_t)sqlite3_column_bytes(s, column));
    default:
        return rsq_null();
    }
}

bool raw_row_each(raw_stmt *stmt, const rsq_value *params, size_t nparams, raw_row_fn each, void *ctx)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    rsq_value cells[RAW_ROW_COLUMNS_MAX];

    if (columns > RAW_ROW_COLUMNS_MAX || !bind_all(s, params, nparams))
        return false;
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            cells[i] = cell_of(s, i);
        if (each)
            each(ctx, cells, (size_t)columns);
    }
    return sqlite3_reset(s) == SQLITE_OK;
}

bool raw_row_visit(raw_stmt *stmt, const rsq_value *params, size_t nparams, uint64_t *sum)
{
    return bind_all(stmt_of(stmt), params, nparams) && raw_visit(stmt, sum);
}

static double portable_column(sqlite3_stmt *s, int i, double sum)
{
    const void *bytes;

    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return sum + (double)sqlite3_column_int64(s, i);
    case SQLITE_FLOAT:
        return sum + sqlite3_column_double(s, i);
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(s, i);
        return portable_text(sum, bytes, (size_t)sqlite3_column_bytes(s, i));
    default:
        return sum;
    }
}

bool raw_row_portable(raw_stmt *stmt, const rsq_value *params, size_t nparams, double *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);
    double all = *sum;

    if (!bind_all(s, params, nparams))
        return false;
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            all = portable_column(s, i, all);
    }
    *sum = all;
    return sqlite3_reset(s) == SQLITE_OK;
}

bool raw_row_insert_copied(raw_stmt *insert, const raw_pair *rows, size_t count)
{
    sqlite3_stmt *s = stmt_of(insert);

    for (size_t i = 0; i < count; i++) {
        if (sqlite3_bind_text(s, 1, rows[i].text, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
            sqlite3_bind_double(s, 2, rows[i].real) != SQLITE_OK || sqlite3_step(s) != SQLITE_DONE ||
            sqlite3_reset(s) != SQLITE_OK)
            return false;
    }
    return true;
}
