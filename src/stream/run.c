/* One run of a live query, on a worker. */
#include <assert.h>

#include "base/error.h"
#include "stream/stream.h"

static rsq_live *live_of(rsq_job *job)
{
    return (rsq_live *)(void *)((char *)job - offsetof(rsq_live, job));
}

/* A run, from its begin to its end. */
typedef struct run {
    rsq_core *core;  /* borrowed; outlives its workers, and this is one of them */
    bool find_reads; /* what the query reads is not known */
    bool compiled;   /* the SQL made sense to SQLite */
    rsq_code code;
    rsq_names reads;     /* owned; if they were asked for */
    rsq_outcome outcome; /* owned reference */
} run;

/* False: no stream is left. */
static bool begin(rsq_live *live, run *r)
{
    rsq_streams *ss = live->owner;
    bool open;

    rsq_mutex_lock(&ss->mu);
    open = live->state != RSQ_LIVE_CLOSED;
    if (open) {
        assert(live->state == RSQ_LIVE_QUEUED);
        live->state = RSQ_LIVE_RUNNING;
        live->marked = false;
        live->unsure = false;
        r->find_reads = !live->known;
        r->core = ss->core;
    }
    rsq_mutex_unlock(&ss->mu);
    return open;
}

/* What it reads is found out in the snapshot that it is read from, so that no schema change falls between. */
static rsq_result *run_sql(const rsq_live *live, run *r, rsq_error *err)
{
    const rsq_live_key *key = &live->key;
    rsq_request rq = {
        .sql = key->sql, .sql_len = key->sql_len, .params = key->params, .nparams = key->nparams};
    rsq_result *result = NULL;
    rsq_lease lease = {0};

    r->code = rsq_core_lease(r->core, &rq, RSQ_NO_TIMEOUT, &lease, err);
    if (r->code != RSQ_OK)
        return NULL;
    if (r->find_reads)
        r->code = rsq_conn_reads(lease.conn, &rq, &r->reads, err);
    r->compiled = r->code == RSQ_OK;
    if (r->compiled)
        r->code = rsq_conn_select(lease.conn, &rq, RSQ_SHAPE_CELLS, &result, err);
    rsq_core_release(r->core, &lease);
    return result;
}

/*
 * An error that waiting does not mend: SQL that means nothing, the wrong
 * parameters, a write. An error in some row is mended by the next change of that
 * row. A stream that had an answer before stays all the same.
 */
static bool is_hopeless(const run *r)
{
    return r->code == RSQ_EINVAL || r->code == RSQ_EREADONLY || r->code == RSQ_EREFUSED ||
           (r->code == RSQ_ESQL && !r->compiled);
}

static void execute(const rsq_live *live, run *r)
{
    rsq_error err = {0};
    rsq_result *result = run_sql(live, r, &err);

    if (r->code == RSQ_OK)
        r->outcome = rsq_outcome_of_result(result);
    else
        r->outcome = rsq_outcome_of_error(&err, is_hopeless(r));
}

static void learn_reads_locked(rsq_live *live, run *r)
{
    if (r->find_reads && r->code == RSQ_OK) {
        rsq_names_fini(&live->reads);
        live->reads = r->reads;
        r->reads = (rsq_names){0};
        live->known = true;
    }
    if (live->unsure || r->code != RSQ_OK)
        live->known = false;
}

static void end_locked(rsq_live *live, run *r, bool repeated, const rsq_laggards *lag)
{
    live->counters.runs++;
    if (r->outcome.result)
        live->ran_seq = rsq_result_commit_seq(r->outcome.result);
    learn_reads_locked(live, r);
    live->state = RSQ_LIVE_IDLE;
    if (repeated) {
        live->counters.suppressed++;
        rsq_live_repeat_locked(live);
    } else {
        rsq_live_publish_locked(live, &r->outcome, lag);
    }
    if (live->state == RSQ_LIVE_IDLE && live->marked)
        rsq_live_queue_locked(live);
}

static void finish(rsq_live *live, run *r)
{
    rsq_streams *ss = live->owner;
    rsq_laggards lag = {0};
    bool repeated = rsq_outcome_equal(&live->last, &r->outcome);

    rsq_mutex_lock(&ss->mu);
    if (!repeated && rsq_laggards_collect_locked(&lag, live)) {
        rsq_mutex_unlock(&ss->mu);
        rsq_laggards_compare(&lag, &r->outcome);
        rsq_mutex_lock(&ss->mu);
    }
    /* A database that closes ends its streams; that is the event, not an error of the query. */
    if (live->state == RSQ_LIVE_RUNNING && r->code != RSQ_ECLOSED)
        end_locked(live, r, repeated, &lag);
    rsq_mutex_unlock(&ss->mu);
    rsq_laggards_fini(&lag);
}

void rsq_live_run(rsq_job *job)
{
    rsq_live *live = live_of(job);
    run r = {0};

    if (begin(live, &r)) {
        execute(live, &r);
        finish(live, &r);
        rsq_outcome_clear(&r.outcome);
        rsq_names_fini(&r.reads);
    }
    rsq_live_unref(live);
}
