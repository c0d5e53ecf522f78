/*
 * Several statements as one unit, all or nothing: a list of requests with a
 * result for each, or a script without any.
 */
#include "sql/internal.h"

#include "base/alloc.h"
#include "base/profile.h"

/* --- a list --- */

static rsq_code run_list(rsq_conn *c, const rsq_request *requests, size_t count, rsq_result **results,
                         rsq_error *err)
{
    for (size_t i = 0; i < count; i++) {
        rsq_code code = rsq_conn_execute(c, &requests[i], results ? &results[i] : NULL, err);

        if (code == RSQ_OK)
            continue;
        if (err)
            err->row = (int64_t)i;
        return code;
    }
    return RSQ_OK;
}

rsq_code rsq_conn_execute_all(rsq_conn *c, const rsq_request *requests, size_t count, rsq_result **results,
                              rsq_error *err)
{
    rsq_unit unit;
    rsq_code code = rsq_unit_begin(&unit, c, RSQ_UNIT_LIST, requests[0].origin, err);

    if (code != RSQ_OK)
        return code;
    if (results)
        memset(results, 0, count * sizeof(rsq_result *));
    code = run_list(c, requests, count, results, err);
    if (code == RSQ_OK)
        code = rsq_unit_keep(&unit, err);
    else
        rsq_unit_undo(&unit);
    if (!results)
        return code;
    if (code != RSQ_OK)
        rsq_results_drop(results, count);
    /* Only now there is a number. Nobody else has seen them yet. */
    for (size_t i = 0; code == RSQ_OK && unit.alone && i < count; i++)
        results[i]->commit_seq = c->committed.commit_seq;
    return code;
}

/* --- a script --- */

/* Where a script is: `text` has a NUL behind its `len` bytes. */
typedef struct script {
    const char *text;
    size_t len;
    size_t at;         /* where the statement that runs begins, or the next one */
    int64_t statement; /* its index */
} script;

/* The next statement, which may be none: `*h` is NULL at the end. `at` stays at its beginning. */
static rsq_code compile_next(rsq_conn *c, script *s, sqlite3_stmt **h, const char **tail, rsq_error *err)
{
    *h = NULL;
    for (;;) {
        size_t left = s->len - s->at;
        rsq_code code;

        s->at += rsq_sql_skip(s->text + s->at, left);
        left = s->len - s->at;
        if (left == 0)
            return RSQ_OK;
        if (s->text[s->at] == '\0')
            return rsq_error_set(err, RSQ_EINVAL, "there is a NUL byte in the SQL");
        /* With its NUL, or SQLite would copy all that is left for each statement. */
        code = rsq_conn_compile_next(c, s->text + s->at, left + 1, 0, h, tail, err);
        if (code != RSQ_OK || *h)
            return code;
        s->at = (size_t)(*tail - s->text); /* white space that only SQLite takes for some */
    }
}

static rsq_code step_to_end(rsq_conn *c, sqlite3_stmt *h, rsq_error *err)
{
    int rc;

    do
        rc = sqlite3_step(h);
    while (rc == SQLITE_ROW);
    return rc == SQLITE_DONE ? RSQ_OK : rsq_sql_error(c, rc, NULL, err);
}

/* Run and free it. */
static rsq_code run_statement(rsq_conn *c, sqlite3_stmt *h, rsq_error *err)
{
    uint32_t kind = rsq_stmt_kind(c, h);
    bool timed = rsq_profile_on();
    rsq_code code;

    if (sqlite3_bind_parameter_count(h) > 0) {
        sqlite3_finalize(h);
        return rsq_error_set(err, RSQ_EINVAL, "a script has no values for parameters");
    }
    if (kind & RSQ_STMT_SCHEMA)
        c->stale = c->has_temp = true; /* as in rsq_conn_execute() */
    rsq_capture_statement_begin(c);
    if (timed)
        rsq_write_times_begin(c);
    code = step_to_end(c, h, err);
    if (timed)
        rsq_write_times_end(c);
    sqlite3_finalize(h);
    rsq_capture_statement_end(c, kind);
    rsq_conn_note_rowid(c, kind);
    return code;
}

static rsq_code run_script(rsq_conn *c, script *s, rsq_error *err)
{
    for (;;) {
        sqlite3_stmt *h = NULL;
        const char *tail = NULL;
        rsq_code code = compile_next(c, s, &h, &tail, err);

        if (code == RSQ_OK && !h)
            return RSQ_OK;
        if (code == RSQ_OK)
            code = run_statement(c, h, err);
        if (code != RSQ_OK)
            return code;
        s->at = (size_t)(tail - s->text);
        s->statement++;
    }
}

/* In the whole script, where SQLite or the guard spoke of one statement. */
static void place_error(const script *s, rsq_error *err)
{
    if (!err)
        return;
    err->row = s->statement;
    err->sql_offset = (int32_t)s->at + (err->sql_offset > 0 ? err->sql_offset : 0);
}

static rsq_code run_unit(rsq_conn *c, script *s, uint32_t origin, rsq_error *err)
{
    rsq_unit unit;
    rsq_code code = rsq_unit_begin(&unit, c, RSQ_UNIT_LIST, origin, err);

    if (code != RSQ_OK)
        return code;
    code = run_script(c, s, err);
    if (code == RSQ_OK)
        return rsq_unit_keep(&unit, err);
    rsq_unit_undo(&unit);
    place_error(s, err);
    return code;
}

rsq_code rsq_conn_execute_script(rsq_conn *c, const rsq_request *rq, rsq_error *err)
{
    script s = {.len = rq->sql_len};
    rsq_code code;
    char *text;

    if (rq->sql_len >= INT32_MAX)
        return rsq_error_set(err, RSQ_ETOOBIG, "the SQL is too long");
    text = rsq_copy_text(rq->sql, rq->sql_len);
    if (!text)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    s.text = text;
    code = run_unit(c, &s, rq->origin, err);
    rsq_free(text);
    return code;
}
