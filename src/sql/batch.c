/*
 * One statement for many rows: a transaction, or inside one a savepoint; all rows or none.
 */
#include "base/profile.h"
#include "sql/bind.h"

/* One that runs. */
typedef struct batch {
    rsq_conn *conn;
    rsq_stmt *stmt;
    const rsq_request *rq;
    size_t rows;
    int64_t changes;
    bool resting; /* the preupdate hook is away; see rsq_capture_rest() */
} batch;

/* SQLite's code. */
static inline int bind_row(sqlite3_stmt *h, const rsq_value *row, size_t n)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
        rc = rsq_bind_value(h, (int)i + 1, &row[i]);
    return rc;
}

/* Whatever rows it returns are dropped. SQLite's code, the statement is reset. */
static int step_row(sqlite3_stmt *h)
{
    int rc = sqlite3_step(h);

    while (rc == SQLITE_ROW)
        rc = sqlite3_step(h);
    if (rc == SQLITE_DONE)
        return sqlite3_reset(h);
    sqlite3_reset(h);
    return rc;
}

static inline rsq_code run_row(const batch *b, const rsq_value *row, rsq_error *err)
{
    size_t n = b->rq->nparams;
    rsq_code code = RSQ_OK;
    int rc;

    /* Once more, for the error. */
    if (bind_row(b->stmt->h, row, n) != SQLITE_OK)
        code = rsq_stmt_bind(b->conn, b->stmt, row, n, err);
    if (code != RSQ_OK)
        return code;
    rc = step_row(b->stmt->h);
    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(b->conn, rc, NULL, err);
}

/* After the first row, the second, the fourth and so on: could the hook rest? */
static void try_to_rest(batch *b, size_t rows_done)
{
    if (!b->resting && (rows_done & (rows_done - 1)) == 0)
        b->resting = rsq_capture_rest(b->conn, b->stmt);
}

static rsq_code run_rows(batch *b, rsq_error *err)
{
    const rsq_value *row = b->rq->params;

    for (size_t i = 0; i < b->rows; i++, row += b->rq->nparams) {
        rsq_code code = run_row(b, row, err);

        if (code != RSQ_OK) {
            if (err)
                err->row = (int64_t)i;
            return code;
        }
        b->changes += sqlite3_changes64(b->conn->db);
        try_to_rest(b, i + 1);
    }
    return RSQ_OK;
}

static rsq_code run_batch(batch *b, rsq_error *err)
{
    bool timed = rsq_profile_on();
    rsq_conn *c = b->conn;
    rsq_unit unit;
    rsq_code code = rsq_unit_begin(&unit, c, RSQ_UNIT_STATEMENT, b->rq->origin, err);

    if (code != RSQ_OK)
        return code;
    rsq_capture_statement_begin(c);
    rsq_capture_statement_is(c, b->stmt);
    if (timed)
        rsq_write_times_begin(c);
    code = run_rows(b, err);
    if (timed)
        rsq_write_times_end(c);
    if (b->resting)
        rsq_capture_resume(c);
    rsq_capture_statement_end(c, b->stmt->kind);
    rsq_conn_note_rowid(c, b->stmt->kind);
    if (code != RSQ_OK) {
        rsq_unit_undo(&unit);
        return code;
    }
    return rsq_unit_keep(&unit, err);
}

rsq_code rsq_conn_execute_batch(rsq_conn *c, const rsq_request *rq, size_t rows, rsq_result **out,
                                rsq_error *err)
{
    batch b = {.conn = c, .rq = rq, .rows = rows};
    rsq_result *r = NULL;
    rsq_code code = rsq_conn_prepare(c, rq, &b.stmt, err);

    if (code != RSQ_OK)
        return code;
    if (!rsq_stmt_is_dml(b.stmt))
        return rsq_error_set(err, RSQ_EINVAL, "a batch takes an INSERT, UPDATE or DELETE");
    if (rq->nparams != (size_t)b.stmt->nparams)
        return rsq_stmt_bind(c, b.stmt, rq->params, rq->nparams, err);
    if (out && !(r = rsq_result_new(RSQ_RESULT_NAMES_ROOM)))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    rsq_capture_statement_begin(c);
    if (rows > 0)
        code = run_batch(&b, err);
    if (code != RSQ_OK || !out) {
        rsq_result_unref(r);
        return code;
    }
    rsq_conn_fill_result(c, r, RSQ_RESULT_NAMES_ROOM, b.changes);
    if (rows == 0)
        r->commit_seq = 0;
    *out = r;
    return RSQ_OK;
}
