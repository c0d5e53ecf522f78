/*
 * Parameters, bound in place: the values' own memory, lengths given, nothing
 * copied. Every call binds every parameter, so that no pointer of an earlier
 * call can be stepped.
 */
#include "sql/internal.h"

#include "base/alloc.h"

static rsq_code bad_parameter(const rsq_value *v, size_t index, rsq_error *err)
{
    if (v->type > RSQ_BLOB)
        return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has the unknown type %u", index + 1, v->type);
    return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has %u bytes at NULL", index + 1, v->len);
}

/* Text or blob. Empty at NULL is empty: SQLite would take the pointer for NULL, which is something else. */
static int bind_bytes(sqlite3_stmt *h, int index, const rsq_value *v)
{
    const char *bytes = v->as.text ? v->as.text : "";

    if (v->type == RSQ_TEXT)
        return sqlite3_bind_text64(h, index, bytes, v->len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(h, index, bytes, v->len, SQLITE_STATIC);
}

static rsq_code bind_one(rsq_conn *c, rsq_stmt *s, int index, const rsq_value *v, rsq_error *err)
{
    int rc;

    switch (v->type) {
    case RSQ_NULL:
        rc = sqlite3_bind_null(s->h, index);
        break;
    case RSQ_INTEGER:
        rc = sqlite3_bind_int64(s->h, index, v->as.i);
        break;
    case RSQ_REAL:
        rc = sqlite3_bind_double(s->h, index, v->as.d);
        break;
    case RSQ_TEXT:
    case RSQ_BLOB:
        if (v->len && !v->as.text)
            return bad_parameter(v, (size_t)index - 1, err);
        rc = bind_bytes(s->h, index, v);
        break;
    default:
        return bad_parameter(v, (size_t)index - 1, err);
    }
    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, NULL, err);
}

static rsq_code out_of_range(rsq_error *err)
{
    if (err)
        err->sqlite_code = SQLITE_RANGE;
    return RSQ_EINVAL;
}

rsq_code rsq_stmt_bind(rsq_conn *c, rsq_stmt *s, const rsq_value *values, size_t n, rsq_error *err)
{
    if (n != (size_t)s->nparams) {
        (void)rsq_error_set(err, RSQ_EINVAL, "the statement has %d parameters, %zu values were given",
                            s->nparams, n);
        return out_of_range(err);
    }
    for (size_t i = 0; i < n; i++) {
        rsq_code code = bind_one(c, s, (int)i + 1, &values[i], err);

        if (code != RSQ_OK)
            return code;
    }
    return RSQ_OK;
}

/* The parameter that is called `name`, with its sign (":id", "?3") or without ("id"); 0: none. */
static int find_parameter(sqlite3_stmt *h, const char *name)
{
    static const char signs[] = ":@$";
    int index = sqlite3_bind_parameter_index(h, name);
    char *with_sign;

    for (size_t i = 0; index == 0 && signs[i]; i++) {
        with_sign = sqlite3_mprintf("%c%s", signs[i], name);
        if (!with_sign)
            return -1;
        index = sqlite3_bind_parameter_index(h, with_sign);
        sqlite3_free(with_sign);
    }
    return index;
}

static rsq_code not_given(const rsq_stmt *s, const unsigned char *given, rsq_error *err)
{
    for (int p = 1; p <= s->nparams; p++) {
        const char *parameter = sqlite3_bind_parameter_name(s->h, p);

        if (given[p - 1])
            continue;
        if (parameter)
            (void)rsq_error_set(err, RSQ_EINVAL, "the parameter \"%.200s\" is not given", parameter);
        else
            (void)rsq_error_set(err, RSQ_EINVAL,
                                "parameter %d has no name, and positional values were not given", p);
        return out_of_range(err);
    }
    return RSQ_OK;
}

static rsq_code bind_one_named(rsq_conn *c, rsq_stmt *s, const rsq_named *named, size_t i,
                               unsigned char *given, rsq_error *err)
{
    int index;

    if (!named[i].name)
        return rsq_error_set(err, RSQ_EINVAL, "named parameter %zu has no name", i + 1);
    index = find_parameter(s->h, named[i].name);
    if (index < 0)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (index == 0) {
        (void)rsq_error_set(err, RSQ_EINVAL, "the statement has no parameter \"%.200s\"", named[i].name);
        return out_of_range(err);
    }
    if (given[index - 1])
        return rsq_error_set(err, RSQ_EINVAL, "the parameter \"%.200s\" is given twice", named[i].name);
    given[index - 1] = 1;
    return bind_one(c, s, index, &named[i].value, err);
}

rsq_code rsq_stmt_bind_named(rsq_conn *c, rsq_stmt *s, const rsq_named *named, size_t n, rsq_error *err)
{
    unsigned char *given = rsq_alloc_zero((size_t)s->nparams);
    rsq_code code = RSQ_OK;

    if (!given)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    for (size_t i = 0; code == RSQ_OK && i < n; i++)
        code = bind_one_named(c, s, named, i, given, err);
    if (code == RSQ_OK && n < (size_t)s->nparams)
        code = not_given(s, given, err);
    rsq_free(given);
    return code;
}

rsq_code rsq_stmt_bind_request(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_error *err)
{
    if (rq->named)
        return rsq_stmt_bind_named(c, s, rq->named, rq->nparams, err);
    return rsq_stmt_bind(c, s, rq->params, rq->nparams, err);
}
