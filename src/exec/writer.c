#include "exec/writer.h"

#include <assert.h>

#include "base/error.h"

void rsq_writer_init(rsq_writer *w, const rsq_conn_config *config, rsq_conn *conn, rsq_readers *readers,
                     rsq_commit_sink sink)
{
    *w = (rsq_writer){.config = config, .sink = sink, .readers = readers, .conn = conn};
    rsq_mutex_init(&w->mu);
}

void rsq_writer_stop(rsq_writer *w)
{
    rsq_mutex_lock(&w->mu);
    w->stopping = true;
    rsq_line_dismiss_locked(&w->waiting);
    rsq_mutex_unlock(&w->mu);
}

void rsq_writer_fini(rsq_writer *w)
{
    assert(!w->held);
    rsq_conn_close(w->conn);
    rsq_mutex_fini(&w->mu);
}

static rsq_code not_in_time_locked(const rsq_writer *w, rsq_error *err)
{
    char holder[160] = "";

    if (w->stopping)
        return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    rsq_holder_describe(&w->holder, holder, sizeof holder);
    return rsq_error_set(err, RSQ_ETIMEOUT, "the writer was not free in time%s%s",
                         holder[0] ? "; held by " : "", holder);
}

/* Longest time a commit waits for readers to come back, so that a log that has grown long can begin anew. */
#define PAUSE_MS 10

/*
 * Bound the log. A plain copy needs no reader's help, but the log only begins
 * anew when all of it was copied and no reader uses it: for a moment none is
 * handed out. Afterwards readers read the database file itself, which does not
 * hold the log, so they may go on before the next commit.
 */
static void tend_log(rsq_writer *w)
{
    rsq_log_wish wish = rsq_conn_log_wish(w->conn);

    if (wish == RSQ_LOG_FINE)
        return;
    if (wish == RSQ_LOG_RESTART)
        (void)rsq_readers_pause(w->readers, PAUSE_MS);
    else
        rsq_readers_let_go(w->readers);
    rsq_conn_checkpoint_passive(w->conn);
    if (wish == RSQ_LOG_RESTART)
        rsq_readers_resume(w->readers);
}

static void publish(rsq_writer *w)
{
    rsq_changes changes;

    if (!rsq_conn_take_changes(w->conn, &changes))
        return;
    w->sink.fn(w->sink.ctx, &changes);
    rsq_names_fini(&changes.tables);
    if (w->readers)
        tend_log(w);
}

/* A database in memory lives in its connection, which stays whatever happened to it. */
static void replace_broken(rsq_writer *w)
{
    rsq_changes unknown = {.tables.all = true};
    rsq_conn *fresh;

    if (!w->readers || rsq_conn_open(w->config, RSQ_CONN_WRITER, &fresh, NULL) != RSQ_OK)
        return; /* it is tried again at the next turn's begin and end */
    rsq_conn_close(w->conn);
    w->conn = fresh;
    /* Whether the failed commit happened is not known. */
    unknown.commit_seq = atomic_load_explicit(&w->config->seq->newest, memory_order_relaxed);
    w->sink.fn(w->sink.ctx, &unknown);
}

rsq_code rsq_writer_acquire(rsq_writer *w, const char *sql, size_t sql_len, uint32_t timeout_ms,
                            rsq_error *err)
{
    rsq_code code = RSQ_OK;
    bool mine = false;

    rsq_mutex_lock(&w->mu);
    if (!w->stopping && !w->held)
        mine = w->held = true;
    else if (!w->stopping)
        mine = rsq_line_wait_locked(&w->waiting, &w->mu, timeout_ms) != NULL;
    if (mine)
        rsq_holder_set(&w->holder, sql, sql_len);
    else
        code = not_in_time_locked(w, err);
    rsq_mutex_unlock(&w->mu);
    /* Replacing it at the end of the last turn may have failed for the same reason that broke it. */
    if (code == RSQ_OK && rsq_conn_broken(w->conn))
        replace_broken(w);
    return code;
}

void rsq_writer_release(rsq_writer *w)
{
    publish(w);
    if (rsq_conn_broken(w->conn))
        replace_broken(w);
    rsq_mutex_lock(&w->mu);
    assert(w->held);
    rsq_holder_clear(&w->holder);
    /* Handed from holder to holder: `held` stays true when somebody waits. */
    w->held = rsq_line_grant_locked(&w->waiting, w);
    rsq_mutex_unlock(&w->mu);
}
