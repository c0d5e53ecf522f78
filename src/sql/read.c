/* A read: prepare, bind, step, collect. */
#include "sql/internal.h"

rsq_code rsq_conn_select(rsq_conn *c, const rsq_request *rq, rsq_shape shape, rsq_result **out,
                         rsq_error *err)
{
    rsq_result *r = NULL;
    rsq_stmt *s;
    rsq_code code;
    int rc;

    code = rsq_conn_prepare(c, rq, &s, err);
    if (code != RSQ_OK)
        return code;
    if (!(s->kind & RSQ_STMT_READONLY))
        return rsq_error_set(err, RSQ_EREADONLY, "the statement writes: use rsq_execute()");
    code = rsq_stmt_bind_request(c, s, rq, err);
    if (code != RSQ_OK)
        return code;
    rc = sqlite3_step(s->h);
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
