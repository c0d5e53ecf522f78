#include "stream/streams.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/values.h"

rsq_streams *rsq_streams_new(void)
{
    rsq_streams *ss = rsq_alloc_zero(sizeof *ss);

    if (!ss)
        return NULL;
    atomic_init(&ss->refs, 1);
    rsq_mutex_init(&ss->mu);
    return ss;
}

void rsq_streams_unref(rsq_streams *ss)
{
    if (!ss || atomic_fetch_sub_explicit(&ss->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!ss->first);
    rsq_mutex_fini(&ss->mu);
    rsq_free(ss);
}

void rsq_streams_start(rsq_streams *ss, rsq_core *core)
{
    rsq_mutex_lock(&ss->mu);
    ss->core = core;
    rsq_mutex_unlock(&ss->mu);
}

void rsq_streams_stop(rsq_streams *ss)
{
    rsq_mutex_lock(&ss->mu);
    while (ss->first)
        rsq_stream_end_locked(ss->first);
    ss->core = NULL;
    rsq_mutex_unlock(&ss->mu);
}

static void free_stream(rsq_stream *s)
{
    if (!s)
        return;
    rsq_free(s->sql);
    rsq_free(s->params);
    rsq_names_fini(&s->reads);
    rsq_result_unref(s->pending);
    rsq_free(s->pending_error);
    rsq_result_unref(s->last);
    rsq_free(s->last_error);
    rsq_queue_unref(s->queue);
    rsq_streams_unref(s->owner);
    rsq_free(s);
}

void rsq_stream_unref(rsq_stream *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        free_stream(s);
}

/* NULL: no memory. */
static rsq_value *copy_params(const rsq_value *params, size_t n)
{
    rsq_value *copy = rsq_alloc(rsq_values_size(params, n));

    if (copy)
        (void)rsq_values_pack(copy, params, n);
    return copy;
}

static rsq_stream *make_stream(rsq_streams *ss, const rsq_stream_spec *spec)
{
    rsq_stream *s = rsq_alloc_zero(sizeof *s);

    if (!s)
        return NULL;
    s->sql = rsq_copy_text(spec->sql, spec->sql_len);
    s->params = copy_params(spec->params, spec->nparams);
    if (!s->sql || !s->params) {
        free_stream(s);
        return NULL;
    }
    atomic_fetch_add_explicit(&ss->refs, 1, memory_order_relaxed);
    s->owner = ss;
    s->queue = rsq_queue_ref(spec->queue);
    s->sql_len = spec->sql_len;
    s->nparams = spec->nparams;
    s->event = spec->event;
    s->ctx = spec->ctx;
    atomic_init(&s->refs, 1);
    s->job.run = rsq_stream_run;
    s->node.run = rsq_stream_deliver;
    return s;
}

static void register_locked(rsq_streams *ss, rsq_stream *s)
{
    s->next = ss->first;
    if (ss->first)
        ss->first->prev = s;
    ss->first = s;
}

rsq_code rsq_streams_open(rsq_streams *ss, const rsq_stream_spec *spec, rsq_stream **out, rsq_error *err)
{
    rsq_stream *s = make_stream(ss, spec);
    rsq_code code;

    if (!s)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    rsq_mutex_lock(&ss->mu);
    if (ss->core)
        code = rsq_workers_ensure(&ss->core->workers, err);
    else
        code = rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    if (code == RSQ_OK) {
        *out = s;
        register_locked(ss, s);
        rsq_stream_queue_locked(s);
    }
    rsq_mutex_unlock(&ss->mu);
    if (code != RSQ_OK)
        rsq_stream_unref(s);
    return code;
}

/* The job holds a reference until it has run. */
void rsq_stream_queue_locked(rsq_stream *s)
{
    s->state = RSQ_STREAM_QUEUED;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    rsq_workers_submit(&s->owner->core->workers, &s->job);
}

static void wake_locked(rsq_stream *s)
{
    s->counters.woken++;
    if (s->state == RSQ_STREAM_RUNNING)
        s->marked = true;
    else if (s->state == RSQ_STREAM_IDLE)
        rsq_stream_queue_locked(s);
}

void rsq_streams_commit(void *streams, const rsq_changes *changes)
{
    rsq_streams *ss = streams;
    const rsq_names *changed = &changes->tables;

    rsq_mutex_lock(&ss->mu);
    for (rsq_stream *s = ss->first; s; s = s->next) {
        if (s->known && !changed->all && !rsq_names_meet(&s->reads, changed))
            continue;
        if (changed->all) {
            /* The schema may be another one: what it reads is found out anew. */
            s->known = false;
            s->unsure = true;
        }
        wake_locked(s);
    }
    rsq_mutex_unlock(&ss->mu);
}

void rsq_stream_close(rsq_stream *s)
{
    rsq_streams *ss;

    if (!s)
        return;
    ss = s->owner;
    rsq_mutex_lock(&ss->mu);
    if (s->user_closed) {
        rsq_mutex_unlock(&ss->mu);
        return;
    }
    /* What follows may drop the last reference to the stream, and with it the registry's. */
    atomic_fetch_add_explicit(&ss->refs, 1, memory_order_relaxed);
    s->user_closed = true;
    rsq_stream_drop_locked(s);
    if (s->state != RSQ_STREAM_CLOSED)
        rsq_stream_end_locked(s);
    else if (s->end_lost)
        rsq_stream_unref(s);
    rsq_mutex_unlock(&ss->mu);
    rsq_streams_unref(ss);
}

rsq_code rsq_stream_stats(const rsq_stream *s, rsq_stream_counters *counters)
{
    rsq_stream_counters now;
    size_t size;

    if (!s || !counters || counters->size < sizeof(size_t))
        return RSQ_EINVAL;
    rsq_mutex_lock(&s->owner->mu);
    now = s->counters;
    rsq_mutex_unlock(&s->owner->mu);
    size = counters->size < sizeof now ? counters->size : sizeof now;
    now.size = counters->size;
    memcpy(counters, &now, size);
    return RSQ_OK;
}
