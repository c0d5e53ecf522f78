/*
 * Parameters, bound in place: the values' own memory, lengths given, nothing
 * copied. Every call binds every parameter, so that no pointer of an earlier
 * call can be stepped.
 */
#include "sql/internal.h"

static int bind_one(sqlite3_stmt *h, int index, const rsq_value *v)
{
    /* A NULL pointer would bind NULL; empty is something else. */
    const char *bytes = v->as.text ? v->as.text : "";

    switch (v->type) {
    case RSQ_NULL:
        return sqlite3_bind_null(h, index);
    case RSQ_INTEGER:
        return sqlite3_bind_int64(h, index, v->as.i);
    case RSQ_REAL:
        return sqlite3_bind_double(h, index, v->as.d);
    case RSQ_TEXT:
        return sqlite3_bind_text64(h, index, bytes, v->len, SQLITE_STATIC, SQLITE_UTF8);
    case RSQ_BLOB:
        return sqlite3_bind_blob64(h, index, bytes, v->len, SQLITE_STATIC);
    default:
        return SQLITE_MISUSE;
    }
}

static rsq_code bad_parameter(const rsq_value *v, size_t index, rsq_error *err)
{
    if (v->type > RSQ_BLOB)
        return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has the unknown type %u", index + 1, v->type);
    return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has %u bytes at NULL", index + 1, v->len);
}

rsq_code rsq_stmt_bind(rsq_conn *c, rsq_stmt *s, const rsq_value *values, size_t n, rsq_error *err)
{
    if (n != (size_t)s->nparams) {
        rsq_code code = rsq_error_set(
            err, RSQ_EINVAL, "the statement has %d parameters, %zu values were given", s->nparams, n);

        if (err)
            err->sqlite_code = SQLITE_RANGE;
        return code;
    }
    for (size_t i = 0; i < n; i++) {
        const rsq_value *v = &values[i];
        int rc;

        if (v->type > RSQ_BLOB || (v->type >= RSQ_TEXT && v->len && !v->as.text))
            return bad_parameter(v, i, err);
        rc = bind_one(s->h, (int)i + 1, v);
        if (rc != SQLITE_OK)
            return rsq_sql_error(c, rc, NULL, err);
    }
    return RSQ_OK;
}
