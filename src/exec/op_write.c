#include "exec/op_write.h"

#include <assert.h>

#include "base/error.h"
#include "exec/begin.h"

static rsq_op_write *of_write(rsq_write *write)
{
    return (rsq_op_write *)(void *)((char *)write - offsetof(rsq_op_write, write));
}

static rsq_op_write *of_member(rsq_member *m)
{
    return of_write((rsq_write *)(void *)((char *)m - offsetof(rsq_write, member)));
}

static bool enter(rsq_member *m, rsq_conn *conn)
{
    return rsq_stop_enter(&of_member(m)->op->stop, conn);
}

static void leave(rsq_member *m)
{
    rsq_stop_leave(&of_member(m)->op->stop);
}

/* What is not one statement fills in its outcome like one. */
static rsq_code run_kind(rsq_op_write *ow, rsq_conn *conn, rsq_error *err)
{
    rsq_op *op = ow->op;
    rsq_member *m = &ow->write.member;

    switch (ow->kind) {
    case RSQ_OP_BATCH:
        return rsq_conn_execute_batch(conn, m->rq, ow->rows, &m->result, err);
    case RSQ_OP_ALL:
        /* Nobody looks at the results before the op is complete. */
        return rsq_conn_execute_all(conn, op->requests, op->count, op->results, err);
    default:
        assert(ow->kind == RSQ_OP_SCRIPT);
        return rsq_conn_execute_script(conn, m->rq, err);
    }
}

static void run_alone(rsq_write *write, rsq_conn *conn)
{
    rsq_op_write *ow = of_write(write);
    rsq_member *m = &write->member;
    rsq_error error;

    if (!enter(m, conn)) {
        m->code = RSQ_ECANCELLED;
        return;
    }
    if (ow->kind == RSQ_OP_BEGIN) {
        /* Here another process's lock may be waited for, which the op's end ends too. */
        m->code = rsq_conn_begin(conn, m->rq->origin, &error);
        /* What comes from here on is an end of the transaction, and no end of the op. */
        leave(m);
        if (m->code == RSQ_OK)
            m->code = rsq_begun_adopt(ow->op->core, write->client, ow->idle_ms, &ow->op->begun, &error);
        write->keeps_turn = m->code == RSQ_OK;
        if (m->code != RSQ_OK)
            m->error = rsq_error_copy(&error);
        return;
    }
    m->code = run_kind(ow, conn, &error);
    leave(m);
    if (m->code != RSQ_OK)
        m->error = rsq_error_copy(&error);
}

/* With the turn held or given back, after the commit: nothing here may wait. */
static void done(rsq_write *write, rsq_posts *posts)
{
    rsq_op_write *ow = of_write(write);
    rsq_member *m = &write->member;
    rsq_op *op = ow->op;
    rsq_error error;
    bool tell;

    if (write->state == RSQ_WRITE_DISMISSED) {
        m->code = rsq_error_set(&error, RSQ_ECLOSED, "the database is closed");
    } else if (m->code != RSQ_OK) {
        m->code = rsq_stop_verdict(&op->stop, rsq_member_take_error(m, &error), &error);
    }
    if (m->result)
        op->results[0] = m->result;
    tell = rsq_op_settle(op, m->code, &error);
    rsq_stop_detach(&op->stop);
    if (tell)
        rsq_posts_add(posts, op->queue, &op->node); /* and the job's reference goes with it */
    else
        rsq_op_unref(op);
}

void rsq_op_write_init(rsq_op_write *ow, rsq_op *op, const rsq_op_spec *spec)
{
    const rsq_request *rq = &op->requests[0];

    ow->op = op;
    ow->kind = spec->kind;
    ow->rows = spec->rows;
    ow->idle_ms = spec->idle_ms;
    ow->write.client = spec->client;
    ow->write.kind = spec->kind == RSQ_OP_EXECUTE ? RSQ_WRITE_STATEMENT : RSQ_WRITE_WORK;
    ow->write.sql = rq->sql;
    ow->write.sql_len = rq->sql_len;
    ow->write.run = run_alone;
    ow->write.done = done;
    ow->write.member = (rsq_member){.rq = rq, .wants_result = true, .enter = enter, .leave = leave};
}
