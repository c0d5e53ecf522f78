/* From SQL text to a prepared statement: cache, compiling, the one-statement rule, columns. */
#include "sql/internal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/plant.h"

size_t rsq_sql_skip(const char *sql, size_t len)
{
    size_t i = 0;

    while (i < len) {
        if (strchr(" \t\n\r\f;", sql[i]) && sql[i]) {
            i++;
        } else if (i + 1 < len && sql[i] == '-' && sql[i + 1] == '-') {
            while (i < len && sql[i] != '\n')
                i++;
        } else if (i + 1 < len && sql[i] == '/' && sql[i + 1] == '*') {
            i += 2;
            while (i < len && !(sql[i] == '*' && i + 1 < len && sql[i + 1] == '/'))
                i++;
            i = i + 2 < len ? i + 2 : len;
        } else {
            break;
        }
    }
    return i;
}

static rsq_code not_one_statement(rsq_error *err, const char *what, size_t offset)
{
    rsq_code code = rsq_error_set(err, RSQ_EINVAL, "%s", what);

    if (err && offset <= INT32_MAX)
        err->sql_offset = (int32_t)offset;
    return code;
}

rsq_code rsq_conn_compile_next(rsq_conn *c, const char *sql, size_t len, unsigned flags, sqlite3_stmt **out,
                               const char **tail, rsq_error *err)
{
    int rc;

    if (len >= INT32_MAX)
        return rsq_error_set(err, RSQ_ETOOBIG, "the SQL is too long");
    c->guard.kind = 0;
    rsq_free(c->guard.target);
    c->guard.target = NULL;
    c->guard.others = false;
    c->guard.refused[0] = '\0';
    c->guard.compiling = true;
    if (RSQ_PLANTED(RSQ_PLANT_LATE_HOOK))
        sqlite3_preupdate_hook(c->db, NULL, NULL);
    rc = sqlite3_prepare_v3(c->db, sql, (int)len, flags, out, tail);
    if (RSQ_PLANTED(RSQ_PLANT_LATE_HOOK) && c->role != RSQ_CONN_READER)
        sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);
    c->guard.compiling = false;
    if (rc != SQLITE_OK && c->guard.refused[0])
        return rsq_error_set(err, RSQ_EREFUSED, "%s", c->guard.refused);
    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, NULL, err);
}

rsq_code rsq_conn_compile(rsq_conn *c, const char *sql, size_t len, unsigned flags, sqlite3_stmt **out,
                          rsq_error *err)
{
    sqlite3_stmt *h = NULL;
    const char *tail = NULL;
    rsq_code code = rsq_conn_compile_next(c, sql, len, flags, &h, &tail, err);
    size_t used;

    if (code != RSQ_OK)
        return code;
    used = (size_t)(tail - sql);
    used += rsq_sql_skip(tail, len - used);
    if (!h)
        return not_one_statement(err, "there is no statement in the SQL", used);
    if (used < len) {
        sqlite3_finalize(h);
        if (sql[used] == '\0')
            return not_one_statement(err, "there is a NUL byte in the SQL", used);
        return not_one_statement(err, "there is more than one statement in the SQL", used);
    }
    *out = h;
    return RSQ_OK;
}

uint32_t rsq_stmt_kind(const rsq_conn *c, sqlite3_stmt *h)
{
    uint32_t kind = c->guard.kind;

    if (sqlite3_stmt_readonly(h))
        kind |= RSQ_STMT_READONLY;
    if (sqlite3_stmt_isexplain(h))
        kind |= RSQ_STMT_EXPLAIN;
    /* VACUUM asks the authorizer nothing; whatever it and its like do, every query may be concerned. */
    else if (!(kind & (RSQ_STMT_READONLY | RSQ_STMT_DML)))
        kind |= RSQ_STMT_SCHEMA;
    return kind;
}

static rsq_code compile_new(rsq_conn *c, const rsq_request *rq, uint64_t hash, rsq_stmt **out, rsq_error *err)
{
    rsq_stmt *s = rsq_alloc_zero(sizeof *s);
    rsq_code code;

    if (!s)
        goto no_memory;
    s->hash = hash;
    s->sql_len = rq->sql_len;
    s->sql = rsq_copy_text(rq->sql, rq->sql_len);
    if (!s->sql)
        goto no_memory;
    code = rsq_conn_compile(c, s->sql, s->sql_len, SQLITE_PREPARE_PERSISTENT, &s->h, err);
    if (code != RSQ_OK) {
        rsq_stmt_free(s);
        return code;
    }
    s->nparams = sqlite3_bind_parameter_count(s->h);
    s->kind = rsq_stmt_kind(c, s->h);
    s->target = rsq_guard_take_target(&c->guard);
    *out = s;
    return RSQ_OK;

no_memory:
    rsq_stmt_free(s);
    return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
}

static rsq_code find_or_compile(rsq_conn *c, const rsq_request *rq, rsq_stmt **out, rsq_error *err)
{
    uint64_t hash = rsq_stmt_hash(rq->sql, rq->sql_len);
    rsq_code code;

    *out = rsq_stmt_cache_find(&c->statements, hash, rq->sql, rq->sql_len);
    if (*out)
        return RSQ_OK;
    code = compile_new(c, rq, hash, out, err);
    if (code == RSQ_OK)
        rsq_stmt_cache_add(&c->statements, *out);
    return code;
}

rsq_code rsq_conn_prepare(rsq_conn *c, const rsq_request *rq, rsq_stmt **out, rsq_error *err)
{
    rsq_code code;
    rsq_stmt *s;

    if (rsq_conn_has_leftover(c))
        return rsq_conn_refuse_leftover(c, err);
    if (c->stale) {
        rsq_stmt_cache_fini(&c->statements);
        c->stale = false;
    }
    s = rsq_stmt_cache_last(&c->statements, rq->sql, rq->sql_len);
    if (!s) {
        code = find_or_compile(c, rq, &s, err);
        if (code != RSQ_OK)
            return code;
    }
    if ((s->kind & RSQ_STMT_TEMP) && !c->guard.may_temp)
        return rsq_error_set(err, RSQ_EREFUSED, RSQ_GUARD_TEMP_TEXT);
    *out = s;
    return RSQ_OK;
}

static bool take_columns(rsq_stmt *s)
{
    uint32_t count = (uint32_t)sqlite3_column_count(s->h);
    const char **names = rsq_alloc(count * sizeof *names);
    rsq_columns *columns = NULL;
    bool complete = names != NULL;

    for (uint32_t i = 0; complete && i < count; i++) {
        names[i] = sqlite3_column_name(s->h, (int)i);
        complete = names[i] != NULL; /* NULL: no memory */
    }
    if (complete)
        columns = rsq_columns_new(names, count);
    if (columns)
        rsq_stmt_mark_key(s, columns);
    rsq_free(names);
    if (!columns)
        return false;
    rsq_columns_unref(s->columns);
    s->columns = columns;
    rsq_free(s->keys);
    rsq_free(s->key_text);
    s->keys = NULL;
    s->key_text = NULL;
    s->reads = 0;
    s->one_row = false;
    return true;
}

bool rsq_stmt_refresh(rsq_stmt *s)
{
    int reprepares = sqlite3_stmt_status(s->h, SQLITE_STMTSTATUS_REPREPARE, 0);

    if (s->columns && s->reprepares == reprepares)
        return true;
    if (!take_columns(s))
        return false;
    s->reprepares = reprepares;
    return true;
}
