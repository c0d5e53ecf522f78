#include "exec/chunks.h"

#include <stddef.h>

#include "base/error.h"

static rsq_chunks *chunks_of_cursor(rsq_cursor *cur)
{
    return (rsq_chunks *)(void *)((char *)cur - offsetof(rsq_chunks, cursor));
}

/*
 * Before the core may go, and with it the timer, and before its default queue
 * is closed, so that the end of a read that rested is told.
 */
static void returned(rsq_cursor *cur, bool rested)
{
    rsq_op *op = chunks_of_cursor(cur)->op;

    rsq_stop_detach(&op->stop);
    if (rested)
        rsq_op_complete(op, (rsq_code)cur->why.code, &cur->why);
}

/* No reader is held any more, and no job comes. */
static void over(rsq_cursor *cur)
{
    rsq_op_unref(chunks_of_cursor(cur)->op);
}

void rsq_chunks_init(rsq_chunks *ch, rsq_op *op, size_t chunk_rows, uint32_t idle_ms)
{
    ch->op = op;
    rsq_cursor_init(&ch->cursor, op->core, &op->requests[0], chunk_rows, idle_ms);
    ch->cursor.returned = returned;
    ch->cursor.cut = over;
    rsq_op_ref(op);
}

void rsq_chunks_fini(rsq_chunks *ch)
{
    rsq_cursor_fini(&ch->cursor);
}

static rsq_code begin(rsq_chunks *ch, rsq_error *err)
{
    rsq_code code = rsq_stop_why(&ch->op->stop);

    if (code != RSQ_OK)
        return rsq_stop_error(code, err);
    code = rsq_cursor_begin(&ch->cursor, RSQ_NO_TIMEOUT, err);
    ch->begun = code == RSQ_OK;
    return code;
}

static rsq_code next_chunk(rsq_chunks *ch, rsq_result **out, rsq_scan_left *left, rsq_error *err)
{
    rsq_cursor *cur = &ch->cursor;
    rsq_stop *stop = &ch->op->stop;
    rsq_code code;
    bool in_time;

    if (!rsq_stop_enter(stop, cur->lease.conn))
        return rsq_stop_error(rsq_stop_why(stop), err);
    code = rsq_conn_scan_next(cur->lease.conn, &cur->request, cur->chunk_rows, ch->op->shape, out, left, err);
    in_time = rsq_stop_rest(stop);
    if (code != RSQ_OK)
        return rsq_stop_verdict(stop, code, err);
    /* Asked while it ran, and too late to be noticed by this chunk: the next one would end at once. */
    return in_time || *left != RSQ_SCAN_MORE ? RSQ_OK : rsq_stop_error(rsq_stop_why(stop), err);
}

void rsq_chunks_run(rsq_chunks *ch)
{
    rsq_scan_left left = RSQ_SCAN_LAST;
    rsq_result *chunk = NULL;
    rsq_op *op = ch->op;
    rsq_error why = {0};
    rsq_code code = ch->begun ? RSQ_OK : begin(ch, &why);

    if (code != RSQ_OK) {
        rsq_op_complete(op, code, &why);
        rsq_stop_detach(&op->stop);
        over(&ch->cursor);
        return;
    }
    code = next_chunk(ch, &chunk, &left, &why);
    if (!rsq_cursor_leave(&ch->cursor, code == RSQ_OK && left != RSQ_SCAN_MORE, &why)) {
        /* From here on somebody else may end it. */
        rsq_op_hand_over(op, chunk, false);
        return;
    }
    if (why.code == 0) {
        rsq_op_hand_over(op, chunk, true);
    } else {
        rsq_result_unref(chunk);
        rsq_op_complete(op, (rsq_code)why.code, &why);
    }
    over(&ch->cursor);
}

void rsq_chunks_go_on(rsq_chunks *ch)
{
    /* BUSY keeps the core: a database that closes waits for its last cursor. */
    if (!rsq_cursor_wake(&ch->cursor))
        return;
    rsq_op_ref(ch->op); /* the job's */
    rsq_workers_submit(&ch->cursor.core->op_workers, &ch->op->job);
}

void rsq_chunks_stopped(rsq_chunks *ch, const rsq_error *why)
{
    rsq_cursor_end(&ch->cursor, why);
}
