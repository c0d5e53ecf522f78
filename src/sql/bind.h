/* One parameter, bound in place; inline, since a batch binds thousands. See bind.c. */
#ifndef RSQ_SQL_BIND_H
#define RSQ_SQL_BIND_H

#include "sql/internal.h"

/* Longer than what SQLite's usual functions take: it refuses that in its own way. */
static inline int rsq_bind_long(sqlite3_stmt *h, int index, const rsq_value *v)
{
    return sqlite3_bind_blob64(h, index, v->as.blob, v->len, SQLITE_STATIC);
}

/* SQLite's code; SQLITE_MISUSE if the value is bad. */
static inline int rsq_bind_value(sqlite3_stmt *h, int index, const rsq_value *v)
{
    const char *bytes;

    switch (v->type) {
    case RSQ_NULL:
        return sqlite3_bind_null(h, index);
    case RSQ_INTEGER:
        return sqlite3_bind_int64(h, index, v->as.i);
    case RSQ_REAL:
        return sqlite3_bind_double(h, index, v->as.d);
    case RSQ_TEXT:
    case RSQ_BLOB:
        bytes = v->as.text;
        if (!bytes) {
            if (v->len)
                return SQLITE_MISUSE;
            bytes = ""; /* for SQLite the pointer would mean NULL, and empty is something else */
        }
        if (v->len > INT32_MAX)
            return rsq_bind_long(h, index, v);
        if (v->type == RSQ_TEXT)
            return sqlite3_bind_text(h, index, bytes, (int)v->len, SQLITE_STATIC);
        return sqlite3_bind_blob(h, index, bytes, (int)v->len, SQLITE_STATIC);
    default:
        return SQLITE_MISUSE;
    }
}

#endif
