/* A read: prepare, bind, step, collect; all at once, or as a scan in chunks. */
#include "sql/internal.h"

#include <assert.h>

/* Prepared, bound, and certain to write nothing. */
static rsq_code prepare_read(rsq_conn *c, const rsq_request *rq, rsq_stmt **out, rsq_error *err)
{
    rsq_code code = rsq_conn_prepare(c, rq, out, err);

    if (code != RSQ_OK)
        return code;
    if (!((*out)->kind & RSQ_STMT_READONLY))
        return rsq_error_set(err, RSQ_EREADONLY, "the statement writes: use rsq_execute()");
    return rsq_stmt_bind_request(c, *out, rq, err);
}

/* The first step. `*overtaken`: the statement's snapshot was to be a known one, but a commit came before it.
 */
static rsq_code start(rsq_conn *c, const rsq_request *rq, rsq_stmt **s, int *rc, bool *overtaken,
                      rsq_error *err)
{
    bool alone = c->alone;
    rsq_code code;

    c->alone = false;
    *rc = SQLITE_OK;
    code = prepare_read(c, rq, s, err);
    if (code == RSQ_OK)
        *rc = sqlite3_step((*s)->h);
    /* Then even an error may be one of the last snapshot's schema. */
    *overtaken = alone && !rsq_walindex_unchanged(&c->walindex);
    if (*overtaken && code == RSQ_OK)
        sqlite3_reset((*s)->h);
    return code;
}

/* Looks at the schema by several statements, so it needs a snapshot that is open. */
static rsq_code tell_dependencies(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (c->alone) {
        c->alone = false;
        code = rsq_conn_snapshot_open(c, err);
    }
    return code == RSQ_OK ? rsq_conn_dependencies(c, rq, out, err) : code;
}

rsq_code rsq_conn_select(rsq_conn *c, const rsq_request *rq, rsq_shape shape, rsq_result **out,
                         rsq_error *err)
{
    rsq_result *r = NULL;
    bool overtaken;
    rsq_stmt *s;
    rsq_code code;
    int rc;

    if (shape == RSQ_SHAPE_DEPENDENCIES)
        return tell_dependencies(c, rq, out, err);
    code = start(c, rq, &s, &rc, &overtaken, err);

    if (overtaken) {
        code = rsq_conn_snapshot_open(c, err);
        return code == RSQ_OK ? rsq_conn_select(c, rq, shape, out, err) : code;
    }
    if (code != RSQ_OK)
        return code;
    if (shape == RSQ_SHAPE_JSON)
        code = rsq_rows_collect_json(c, s, rq, rc, &r, err);
    else
        code = rsq_rows_collect(c, s, rq, rc, &r, err);
    sqlite3_reset(s->h);
    if (code != RSQ_OK)
        return code;
    r->commit_seq = c->snapshot_seq;
    *out = r;
    return RSQ_OK;
}

rsq_code rsq_conn_scan_begin(rsq_conn *c, const rsq_request *rq, rsq_error *err)
{
    rsq_stmt *s;
    rsq_code code = prepare_read(c, rq, &s, err);

    assert(!c->scan);
    if (code != RSQ_OK)
        return code;
    c->scan = s;
    c->scan_rc = SQLITE_OK;
    return RSQ_OK;
}

rsq_code rsq_conn_scan_next(rsq_conn *c, const rsq_request *rq, size_t rows_max, rsq_shape shape,
                            rsq_result **out, rsq_scan_left *left, rsq_error *err)
{
    rsq_result *r = NULL;
    bool empty = false;
    rsq_code code;

    assert(c->scan && c->scan_rc != SQLITE_DONE);
    if (c->scan_rc == SQLITE_OK) {
        c->scan_rc = sqlite3_step(c->scan->h);
        empty = c->scan_rc == SQLITE_DONE;
    }
    if (shape == RSQ_SHAPE_JSON)
        code = rsq_rows_take_json(c, c->scan, rq, &c->scan_rc, rows_max, &r, err);
    else
        code = rsq_rows_take(c, c->scan, rq, &c->scan_rc, rows_max, &r, err);
    if (code != RSQ_OK)
        return code;
    r->commit_seq = c->snapshot_seq;
    *left = empty ? RSQ_SCAN_EMPTY : c->scan_rc == SQLITE_ROW ? RSQ_SCAN_MORE : RSQ_SCAN_LAST;
    *out = r;
    return RSQ_OK;
}

void rsq_conn_scan_end(rsq_conn *c)
{
    if (c->scan)
        sqlite3_reset(c->scan->h);
    c->scan = NULL;
}
