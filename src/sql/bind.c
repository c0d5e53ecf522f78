/*
 * Parameters, bound in place: the values' own memory, lengths given, nothing
 * copied. Every call binds every parameter, so that no pointer of an earlier
 * call can be stepped.
 */
#include "sql/bind.h"

#include "base/alloc.h"

static bool is_bad(const rsq_value *v)
{
    return v->type > RSQ_BLOB || (v->type >= RSQ_TEXT && v->len && !v->as.text);
}

/* Why `v` was not bound: SQLite said `rc`, or it was not asked. */
static rsq_code not_bound(rsq_conn *c, const rsq_value *v, int index, int rc, rsq_error *err)
{
    if (!is_bad(v))
        return rsq_sql_error(c, rc, NULL, err);
    if (v->type > RSQ_BLOB)
        return rsq_error_set(err, RSQ_EINVAL, "parameter %d has the unknown type %u", index, v->type);
    return rsq_error_set(err, RSQ_EINVAL, "parameter %d has %u bytes at NULL", index, v->len);
}

static rsq_code bind_one(rsq_conn *c, rsq_stmt *s, int index, const rsq_value *v, rsq_error *err)
{
    int rc = rsq_bind_value(s->h, index, v);

    return rc == SQLITE_OK ? RSQ_OK : not_bound(c, v, index, rc, err);
}

static rsq_code out_of_range(rsq_error *err)
{
    if (err)
        err->sqlite_code = SQLITE_RANGE;
    return RSQ_EINVAL;
}

rsq_code rsq_stmt_bind(rsq_conn *c, rsq_stmt *s, const rsq_value *values, size_t n, rsq_error *err)
{
    sqlite3_stmt *h = s->h;

    if (n != (size_t)s->nparams) {
        (void)rsq_error_set(err, RSQ_EINVAL, "the statement has %d parameter%s, %zu value%s given",
                            s->nparams, s->nparams == 1 ? "" : "s", n, n == 1 ? " was" : "s were");
        return out_of_range(err);
    }
    for (size_t i = 0; i < n; i++) {
        int rc = rsq_bind_value(h, (int)i + 1, &values[i]);

        if (rc != SQLITE_OK)
            return not_bound(c, &values[i], (int)i + 1, rc, err);
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
