/* Runs of live queries, on workers. */
#include "stream/run.h"

#include <assert.h>

#include "base/error.h"
#include "base/plant.h"
#include "base/profile.h"
#include "sql/clock.h"
#include "stream/stream.h"

#define NS_PER_MS INT64_C(1000000)

/* After an error that may pass the query is run again by itself: soon, then less and less often. */
#define BACKOFF_FIRST_MS 20
#define BACKOFF_LAST_MS 5000

static rsq_live *live_of(rsq_job *job)
{
    return (rsq_live *)(void *)((char *)job - offsetof(rsq_live, job));
}

static bool is_volatile(const rsq_live *live)
{
    return live->key.traits.flags & RSQ_STREAM_VOLATILE;
}

void rsq_run_begin_locked(rsq_run *r, rsq_live *live)
{
    assert(live->state == RSQ_LIVE_QUEUED || live->state == RSQ_LIVE_IDLE || live->state == RSQ_LIVE_WAITING);
    rsq_schedule_remove(&live->owner->schedule, live);
    live->state = RSQ_LIVE_RUNNING;
    live->marked = false;
    live->behind_seq = 0;
    live->unsure = false;
    if (live->key.traits.min_interval_ms)
        live->began_ns = rsq_now_ns();
    /* A volatile one depends on every commit, whatever it reads. */
    *r = (rsq_run){.live = live,
                   .find_reads = !live->known && !is_volatile(live),
                   .why = rsq_live_take_why_locked(live)};
}

/*
 * An error that waiting does not mend: SQL that means nothing, the wrong
 * parameters, a write. An error in some row is mended by the next change of that
 * row. A stream that had an answer before stays all the same.
 */
static bool is_hopeless(const rsq_run *r)
{
    return r->code == RSQ_EINVAL || r->code == RSQ_EREADONLY || r->code == RSQ_EREFUSED ||
           (r->code == RSQ_ESQL && !r->compiled);
}

/* An error that no commit need follow for it to be gone. */
static bool may_pass(rsq_code code)
{
    return code == RSQ_ENOMEM || code == RSQ_EBUSY || code == RSQ_EIO || code == RSQ_EFULL ||
           code == RSQ_ECANTOPEN || code == RSQ_ETIMEOUT;
}

void rsq_run_fail(rsq_run *r, rsq_code code, const rsq_error *err)
{
    r->code = code;
    r->outcome = rsq_outcome_of_error(err, is_hopeless(r));
}

/* No commit tells of a change of the clock: who asks for it must have said so. */
static rsq_code refuse_volatile(const rsq_depends *depends, rsq_error *err)
{
    if (!depends->volatile_by[0])
        return RSQ_OK;
    return rsq_error_set(
        err, RSQ_EREFUSED,
        "the answer depends on %s(), which changes without a commit: use RSQ_STREAM_VOLATILE",
        depends->volatile_by);
}

/* The same for a time that a parameter or a row asked for. The result is given up. */
static rsq_result *refuse_clock(rsq_run *r, rsq_result *result, rsq_error *err)
{
    rsq_result_unref(result);
    r->code = rsq_error_set(err, RSQ_EREFUSED,
                            "the answer depends on the time, since a function of time was given 'now': it "
                            "changes without a commit: use RSQ_STREAM_VOLATILE");
    return NULL;
}

/* Row by row with the last answer, so that nothing is built if it is the same. */
static bool may_compare(const rsq_live *live, rsq_shape shape)
{
    return shape == RSQ_SHAPE_CELLS && !(live->owner->index.flags & RSQ_OPEN_NO_SHORTCUTS) &&
           !RSQ_PLANTED(RSQ_PLANT_ROW_COUNT);
}

/* What it reads is found out in the snapshot that it is read from, so that no schema change falls between. */
static rsq_result *run_sql(rsq_run *r, rsq_conn *conn, rsq_error *err)
{
    rsq_request rq = rsq_run_request(r->live);
    rsq_shape shape = (rsq_shape)r->live->key.traits.shape;
    rsq_result *result = NULL;
    uint64_t asked;

    if (r->find_reads)
        r->code = rsq_conn_depends(conn, &rq, &r->depends, err);
    if (r->find_reads && r->code == RSQ_OK)
        r->code = refuse_volatile(r->depends, err);
    r->compiled = r->code == RSQ_OK;
    if (!r->compiled)
        return NULL;
    if (may_compare(r->live, shape))
        rq.like = r->live->last.result;
    asked = rsq_clock_reads();
    r->code = rsq_conn_select(conn, &rq, shape, &result, err);
    if (r->code == RSQ_OK && rsq_clock_reads() != asked && !is_volatile(r->live))
        return refuse_clock(r, result, err);
    r->compared = r->code == RSQ_OK && rq.like;
    return result;
}

void rsq_run_read(rsq_run *r, rsq_conn *conn)
{
    rsq_error err = {0};
    rsq_result *result = run_sql(r, conn, &err);

    r->seq = rsq_conn_snapshot_seq(conn);
    if (r->code == RSQ_OK)
        r->outcome = rsq_outcome_of_result(result);
    else
        rsq_run_fail(r, r->code, &err);
}

static void learn_reads_locked(rsq_live *live, rsq_run *r)
{
    if (live->unsure || r->code != RSQ_OK) {
        rsq_live_set_reads_locked(live, NULL);
    } else if (r->find_reads) {
        rsq_live_set_reads_locked(live, r->depends);
        r->depends = NULL;
    }
}

/* It is idle: when does it run without a commit? */
static void plan_locked(rsq_live *live, rsq_code code)
{
    uint32_t after_ms = is_volatile(live) ? live->key.traits.refresh_ms : 0;

    if (may_pass(code)) {
        live->backoff_ms = live->backoff_ms ? 2 * live->backoff_ms : BACKOFF_FIRST_MS;
        if (live->backoff_ms > BACKOFF_LAST_MS)
            live->backoff_ms = BACKOFF_LAST_MS;
        after_ms = live->backoff_ms;
    } else {
        live->backoff_ms = 0;
    }
    if (after_ms)
        rsq_streams_schedule_locked(live->owner, live, rsq_now_ns() + after_ms * NS_PER_MS);
}

/*
 * A run that no commit asked for has read another answer, in a snapshot all of
 * whose commits were told: one of them should have woken the query.
 */
static void check_locked(rsq_live *live, rsq_run *r)
{
    if (!live->checking)
        return;
    live->checking = false;
    live->counters.checks++;
    r->why.rules |= RSQ_WHY_CHECK;
    if (!r->repeated && r->code == RSQ_OK && !rsq_live_is_behind_locked(live) &&
        r->seq <= live->owner->told_seq)
        live->counters.missed++;
}

/*
 * What came while it ran, and is in its snapshot or may be, is a reason too; it
 * stays one for the next run, in case it is not.
 */
static void add_late_reasons_locked(const rsq_live *live, rsq_run *r)
{
    uint64_t told_seq = live->owner->told_seq;

    if (live->why_seq && live->why_seq <= r->seq)
        rsq_reason_add(&r->why, live->entry.why.rules, live->entry.why.tables);
    /* A commit that nobody was told of yet is in the snapshot too. */
    if (r->seq > told_seq || !r->why.rules)
        r->why.rules |= RSQ_WHY_OTHER;
}

void rsq_run_end_locked(rsq_run *r, const rsq_comparisons *c)
{
    rsq_live *live = r->live;

    /* A database that closes ends its streams; that is the event, not an error of the query. */
    if (live->state != RSQ_LIVE_RUNNING || r->code == RSQ_ECLOSED)
        return;
    live->counters.runs++;
    live->run_seq = r->seq;
    check_locked(live, r);
    learn_reads_locked(live, r);
    live->state = RSQ_LIVE_IDLE;
    if (r->repeated) {
        live->counters.suppressed++;
        rsq_live_repeat_locked(live);
    } else {
        add_late_reasons_locked(live, r);
        rsq_live_publish_locked(live, &r->outcome, &r->why, c);
    }
    if (live->state == RSQ_LIVE_IDLE && live->marked)
        rsq_live_queue_in_time_locked(live, RSQ_URGENT);
    else if (live->state == RSQ_LIVE_IDLE)
        plan_locked(live, r->code);
}

void rsq_run_fini(rsq_run *r)
{
    rsq_outcome_clear(&r->outcome);
    rsq_reason_clear(&r->why);
    rsq_depends_unref(r->depends);
    rsq_live_unref(r->live);
}

static void read_leased(rsq_run *r, rsq_core *core)
{
    int64_t began = rsq_profile_begin();
    rsq_request rq = rsq_run_request(r->live);
    rsq_lease lease = {0};
    rsq_error err = {0};
    rsq_code code = rsq_core_lease(core, &rq, RSQ_NO_TIMEOUT, &lease, &err);

    if (code != RSQ_OK) {
        rsq_run_fail(r, code, &err);
        return;
    }
    rsq_run_read(r, lease.conn);
    rsq_core_release(core, &lease);
    rsq_profile_end(RSQ_TIME_STREAM_RUN, began);
}

void rsq_run_compare(rsq_run *r)
{
    const rsq_outcome *last = &r->live->last;

    r->repeated = r->compared ? rsq_outcome_same(last, &r->outcome) : rsq_outcome_equal(last, &r->outcome);
}

static void finish(rsq_run *r)
{
    rsq_streams *ss = r->live->owner;
    rsq_comparisons c = {0};
    int64_t began = rsq_profile_begin();

    rsq_run_compare(r);
    rsq_profile_end(RSQ_TIME_STREAM_COMPARE, began);
    rsq_mutex_lock(&ss->mu);
    if (!r->repeated && rsq_comparisons_collect_locked(&c, r->live)) {
        rsq_mutex_unlock(&ss->mu);
        rsq_comparisons_run(&c, &r->outcome);
        rsq_mutex_lock(&ss->mu);
    }
    rsq_run_end_locked(r, &c);
    rsq_mutex_unlock(&ss->mu);
    rsq_comparisons_fini(&c);
}

void rsq_live_run(rsq_job *job)
{
    rsq_live *live = live_of(job);
    rsq_streams *ss = live->owner;
    rsq_core *core = NULL; /* outlives its workers, and this is one of them */
    rsq_run r = {0};

    rsq_mutex_lock(&ss->mu);
    if (live->state != RSQ_LIVE_CLOSED) {
        core = ss->core;
        rsq_run_begin_locked(&r, live);
    }
    rsq_mutex_unlock(&ss->mu);
    if (!core) {
        rsq_live_unref(live);
        return;
    }
    read_leased(&r, core);
    finish(&r);
    rsq_run_fini(&r);
}
