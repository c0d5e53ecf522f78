/* Writes on the writer's connection: one statement, or one statement for many rows. */
#include "sql/internal.h"

#include <limits.h>

#include "base/alloc.h"

static rsq_code step_once(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, bool want_rows, rsq_result **out,
                          rsq_error *err)
{
    rsq_result *r = NULL;
    rsq_code code = RSQ_OK;
    int rc = sqlite3_step(s->h);

    if (want_rows && sqlite3_column_count(s->h) > 0) {
        code = rsq_rows_collect(c, s, rq, rc, &r, err);
    } else {
        while (rc == SQLITE_ROW)
            rc = sqlite3_step(s->h);
        if (rc != SQLITE_DONE)
            code = rsq_sql_error(c, rc, NULL, err);
    }
    /* A deferred foreign key makes the reset of an autocommit statement fail, not its step. */
    rc = sqlite3_reset(s->h);
    if (code == RSQ_OK && rc != SQLITE_OK)
        code = rsq_sql_error(c, rc, NULL, err);
    if (code != RSQ_OK) {
        rsq_result_unref(r);
        return code;
    }
    *out = r;
    return RSQ_OK;
}

/* Only rows: CREATE TABLE inserts too, into the schema. */
static bool is_dml(const rsq_stmt *s)
{
    return (s->kind & (RSQ_STMT_DML | RSQ_STMT_SCHEMA)) == RSQ_STMT_DML;
}

/* Row ids in the schema are nobody's business, also not that of SQL's last_insert_rowid(). */
static void note_rowid(rsq_conn *c, const rsq_stmt *s)
{
    if (s->kind & RSQ_STMT_SCHEMA)
        sqlite3_set_last_insert_rowid(c->db, c->last_insert_rowid);
    else
        c->last_insert_rowid = sqlite3_last_insert_rowid(c->db);
}

/* `r` (NULL: none yet) with the figures of a write. */
static rsq_result *write_result(rsq_conn *c, rsq_result *r, int64_t changes)
{
    if (!r)
        r = rsq_result_new(0);
    if (!r)
        return NULL;
    r->changes = changes;
    r->last_insert_rowid = c->last_insert_rowid;
    r->changed_tables = c->capture.statement;
    c->capture.statement = (rsq_names){0};
    r->commit_seq = sqlite3_get_autocommit(c->db) ? c->committed.commit_seq : 0;
    return r;
}

static rsq_code no_memory_for_result(rsq_error *err)
{
    return rsq_error_set(err, RSQ_ENOMEM, "the write is done, but there is no memory for its result");
}

rsq_code rsq_conn_execute(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    bool alone = sqlite3_get_autocommit(c->db) != 0;
    int64_t total = sqlite3_total_changes64(c->db);
    rsq_result *r = NULL;
    int64_t changes = 0;
    rsq_stmt *s;
    rsq_code code;

    code = rsq_conn_prepare(c, rq, &s, err);
    if (code == RSQ_OK)
        code = rsq_stmt_bind_request(c, s, rq, err);
    if (code != RSQ_OK)
        return code;

    if (alone)
        rsq_capture_assert(c);
    rsq_capture_statement_begin(c);
    code = step_once(c, s, rq, out != NULL, &r, err);
    rsq_capture_statement_end(c, s->kind);
    note_rowid(c, s);
    /* Also after a failure: OR FAIL keeps the rows before the one that failed. Without a log only this tells.
     */
    if (code != RSQ_OK && alone && !c->wal && sqlite3_total_changes64(c->db) == total)
        rsq_capture_drop(c);
    if (alone)
        rsq_conn_note_commit(c);
    else if (sqlite3_get_autocommit(c->db))
        rsq_capture_drop(c); /* SQLite rolled the transaction back */
    if (code != RSQ_OK)
        return code;

    if (is_dml(s))
        changes = sqlite3_changes64(c->db);
    if (!out)
        return RSQ_OK;
    r = write_result(c, r, changes);
    if (!r)
        return no_memory_for_result(err);
    *out = r;
    return RSQ_OK;
}

static rsq_code run_rows(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, size_t rows, int64_t *changes,
                         rsq_error *err)
{
    rsq_result *none = NULL;

    for (size_t i = 0; i < rows; i++) {
        rsq_code code = rsq_stmt_bind(c, s, rq->params + i * rq->nparams, rq->nparams, err);

        if (code == RSQ_OK)
            code = step_once(c, s, rq, false, &none, err);
        if (code != RSQ_OK) {
            if (err)
                err->row = (int64_t)i;
            return code;
        }
        *changes += sqlite3_changes64(c->db);
    }
    return RSQ_OK;
}

/* A batch inside a transaction is a savepoint of this depth, which no nested transaction reaches. */
#define BATCH_DEPTH UINT_MAX

static rsq_code batch_begin(rsq_conn *c, bool alone, rsq_error *err)
{
    return alone ? rsq_conn_begin(c, err) : rsq_conn_savepoint(c, BATCH_DEPTH, err);
}

static void batch_undo(rsq_conn *c, bool alone)
{
    if (alone)
        rsq_conn_rollback(c);
    else
        rsq_conn_rollback_to(c, BATCH_DEPTH);
}

static rsq_code batch_keep(rsq_conn *c, bool alone, rsq_error *err)
{
    return alone ? rsq_conn_commit(c, err) : rsq_conn_release(c, BATCH_DEPTH, err);
}

rsq_code rsq_conn_execute_batch(rsq_conn *c, const rsq_request *rq, size_t rows, rsq_result **out,
                                rsq_error *err)
{
    bool alone = sqlite3_get_autocommit(c->db) != 0;
    int64_t changes = 0;
    rsq_result *r;
    rsq_stmt *s;
    rsq_code code;

    code = rsq_conn_prepare(c, rq, &s, err);
    if (code != RSQ_OK)
        return code;
    if (!is_dml(s))
        return rsq_error_set(err, RSQ_EINVAL, "a batch takes an INSERT, UPDATE or DELETE");
    if (rq->nparams != (size_t)s->nparams)
        return rsq_stmt_bind(c, s, rq->params, rq->nparams, err);

    rsq_capture_statement_begin(c);
    if (rows > 0) {
        code = batch_begin(c, alone, err);
        if (code != RSQ_OK)
            return code;
        code = run_rows(c, s, rq, rows, &changes, err);
        rsq_capture_statement_end(c, s->kind);
        note_rowid(c, s);
        if (code != RSQ_OK) {
            batch_undo(c, alone);
            return code;
        }
        code = batch_keep(c, alone, err);
        if (code != RSQ_OK)
            return code;
    }
    if (!out)
        return RSQ_OK;
    r = write_result(c, NULL, changes);
    if (!r)
        return no_memory_for_result(err);
    if (rows == 0)
        r->commit_seq = 0;
    *out = r;
    return RSQ_OK;
}
