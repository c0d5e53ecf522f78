/* One run of a live query, on a worker. */
#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "result/result.h"
#include "stream/streams.h"

static rsq_stream *stream_of(rsq_job *job)
{
    return (rsq_stream *)(void *)((char *)job - offsetof(rsq_stream, job));
}

/* What a run came to. */
typedef struct outcome {
    bool compiled; /* the SQL made sense to SQLite */
    rsq_code code;
    rsq_result *result; /* owned; RSQ_OK */
    rsq_error error;    /* else */
    rsq_names reads;    /* owned; if they were asked for */
} outcome;

/* What it reads is found out in the snapshot that it is read from, so that no schema change falls between. */
static void run_sql(rsq_core *core, const rsq_stream *s, bool find_reads, outcome *o)
{
    rsq_request rq = {.sql = s->sql, .sql_len = s->sql_len, .params = s->params, .nparams = s->nparams};
    rsq_lease lease = {0};

    o->code = rsq_core_lease(core, &rq, RSQ_NO_TIMEOUT, &lease, &o->error);
    if (o->code != RSQ_OK)
        return;
    if (find_reads)
        o->code = rsq_conn_reads(lease.conn, &rq, &o->reads, &o->error);
    o->compiled = o->code == RSQ_OK;
    if (o->compiled)
        o->code = rsq_conn_select(lease.conn, &rq, RSQ_SHAPE_CELLS, &o->result, &o->error);
    rsq_core_release(core, &lease);
}

/* Is the outcome what the consumer was told last? Looked at without a lock: only the run touches these. */
static bool is_repeated(const rsq_stream *s, const outcome *o)
{
    if (o->code == RSQ_OK)
        return s->last && rsq_result_equal(s->last, o->result);
    return s->last_error && strcmp(s->last_error, o->error.message) == 0;
}

static void remember(rsq_stream *s, const outcome *o)
{
    rsq_result_unref(s->last);
    rsq_free(s->last_error);
    s->last = o->code == RSQ_OK ? rsq_result_ref(o->result) : NULL;
    /* Without memory the same error is told twice. */
    s->last_error = o->code == RSQ_OK ? NULL : rsq_copy_text(o->error.message, strlen(o->error.message));
}

/*
 * A first run that failed for a reason that waiting does not mend: SQL that
 * means nothing, the wrong parameters, a write. An error in some row is mended
 * by the next change of that row.
 */
static bool is_hopeless(const rsq_stream *s, const outcome *o)
{
    if (s->delivered_once)
        return false;
    return o->code == RSQ_EINVAL || o->code == RSQ_EREADONLY || o->code == RSQ_EREFUSED ||
           (o->code == RSQ_ESQL && !o->compiled);
}

static void hand_over_locked(rsq_stream *s, outcome *o)
{
    if (o->code == RSQ_OK) {
        rsq_stream_emit_result_locked(s, o->result);
        o->result = NULL;
        return;
    }
    rsq_stream_emit_error_locked(s, &o->error, is_hopeless(s, o));
}

static void finish_run_locked(rsq_stream *s, bool found_reads, bool repeated, outcome *o)
{
    s->counters.runs++;
    if (found_reads) {
        rsq_names empty = {0};

        rsq_names_fini(&s->reads);
        s->reads = o->reads;
        o->reads = empty;
    }
    s->known = (s->known || found_reads) && !s->unsure && o->code == RSQ_OK;
    s->state = RSQ_STREAM_IDLE;
    if (repeated)
        s->counters.suppressed++;
    else
        hand_over_locked(s, o);
    s->delivered_once = true;
    if (s->state == RSQ_STREAM_IDLE && s->marked)
        rsq_stream_queue_locked(s);
}

void rsq_stream_run(rsq_job *job)
{
    rsq_stream *s = stream_of(job);
    rsq_streams *ss = s->owner;
    outcome o = {0};
    bool find_reads, repeated;
    rsq_core *core;

    rsq_mutex_lock(&ss->mu);
    if (s->state == RSQ_STREAM_CLOSED) {
        rsq_mutex_unlock(&ss->mu);
        rsq_stream_unref(s);
        return;
    }
    assert(s->state == RSQ_STREAM_QUEUED);
    s->state = RSQ_STREAM_RUNNING;
    s->marked = false;
    s->unsure = false;
    find_reads = !s->known;
    core = ss->core; /* outlives its workers, and this is one of them */
    rsq_mutex_unlock(&ss->mu);

    run_sql(core, s, find_reads, &o);
    repeated = is_repeated(s, &o);
    if (!repeated)
        remember(s, &o);

    rsq_mutex_lock(&ss->mu);
    /* A database that closes ends its streams; that is the event, not an error of the query. */
    if (s->state == RSQ_STREAM_RUNNING && o.code != RSQ_ECLOSED)
        finish_run_locked(s, find_reads && o.code == RSQ_OK, repeated, &o);
    rsq_mutex_unlock(&ss->mu);
    rsq_result_unref(o.result);
    rsq_names_fini(&o.reads);
    rsq_stream_unref(s);
}
