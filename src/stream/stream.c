#include "stream/stream.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/values.h"
#include "stream/delivery.h"
#include "stream/group.h"

rsq_stream *rsq_stream_new(rsq_streams *owner, const rsq_stream_spec *spec)
{
    rsq_stream *s = rsq_alloc_zero(sizeof *s);

    if (!s)
        return NULL;
    if (spec->nkeys) {
        s->key = rsq_columns_new(spec->keys, (uint32_t)spec->nkeys);
        if (!s->key) {
            rsq_free(s);
            return NULL;
        }
    }
    atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
    s->owner = owner;
    s->queue = rsq_queue_ref(spec->queue);
    s->mode = spec->mode;
    s->client = spec->client;
    s->event = spec->event;
    s->ctx = spec->ctx;
    atomic_init(&s->refs, 1);
    s->node.run = rsq_stream_deliver;
    return s;
}

void rsq_stream_unref(rsq_stream *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!s->live && !s->ready);
    rsq_outcome_clear(&s->pending);
    rsq_outcome_clear(&s->handed);
    rsq_reason_clear(&s->pending_why);
    rsq_diff_unref(s->pending_diff);
    rsq_result_unref(s->shown);
    rsq_columns_unref(s->key);
    rsq_group_unref(s->group);
    rsq_queue_unref(s->queue);
    rsq_streams_unref(s->owner);
    rsq_free(s);
}

static void link_locked(rsq_stream *s, rsq_live *live)
{
    s->next = live->first;
    if (live->first)
        live->first->prev = s;
    live->first = s;
}

static void unlink_locked(rsq_stream *s, rsq_live *live)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        live->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->prev = s->next = NULL;
}

/* Is the answer of an idle live query what a stream may be given that has seen what it has seen? */
static bool is_current_locked(const rsq_live *live, const rsq_stream *s)
{
    return !rsq_live_is_behind_locked(live) &&
           (live->run_seq >= s->last_seq || s->owner->told_seq >= s->last_seq);
}

void rsq_stream_join_locked(rsq_stream *s, rsq_live *live)
{
    const rsq_reason none = {0};

    assert(!s->live && live->state != RSQ_LIVE_CLOSED);
    s->live = live;
    s->told = false;
    s->joined_at = live->counters;
    s->joined_at.spared = rsq_index_spared_of(&live->entry);
    /* The others may be content with an answer that is behind; who comes now is not. */
    if (live->state == RSQ_LIVE_RUNNING && rsq_live_is_behind_locked(live))
        live->marked = true;
    /* What runs may be older than a commit that this thread made before it opened the stream. */
    s->skips_run = live->state == RSQ_LIVE_RUNNING && live->marked;
    link_locked(s, live);
    s->owner->open++;
    if (live->state == RSQ_LIVE_IDLE && is_current_locked(live, s))
        rsq_stream_emit_locked(s, &live->last, &none, NULL);
    else if (live->state == RSQ_LIVE_IDLE || live->state == RSQ_LIVE_WAITING)
        rsq_live_queue_locked(live, RSQ_URGENT);
}

/* A change that was counted for one reason may come to be counted for another. */
static uint64_t risen(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* What the live query did for this stream, added to `c`. */
static void add_shared_locked(const rsq_stream *s, rsq_stream_counters *c)
{
    rsq_index_spared spared = rsq_index_spared_of(&s->live->entry);

    c->woken += s->live->counters.woken - s->joined_at.woken;
    c->runs += s->live->counters.runs - s->joined_at.runs;
    c->suppressed += s->live->counters.suppressed - s->joined_at.suppressed;
    c->skipped += s->live->counters.skipped - s->joined_at.skipped;
    c->checks += s->live->counters.checks - s->joined_at.checks;
    c->missed += s->live->counters.missed - s->joined_at.missed;
    c->spared_by_column += risen(spared.by_column, s->joined_at.spared.by_column);
    c->spared_by_value += risen(spared.by_value, s->joined_at.spared.by_value);
    c->spared_by_key += risen(spared.by_key, s->joined_at.spared.by_key);
}

/* Up to where it is known that nothing was missed: an idle one was told of all commits. */
static uint64_t settled_locked(const rsq_stream *s)
{
    const rsq_live *live = s->live;

    if (!s->told)
        return 0;
    if (live->state == RSQ_LIVE_IDLE && !rsq_live_is_behind_locked(live) &&
        s->owner->told_seq > live->run_seq)
        return s->owner->told_seq;
    return live->run_seq;
}

void rsq_stream_leave_locked(rsq_stream *s)
{
    add_shared_locked(s, &s->counters);
    unlink_locked(s, s->live);
    s->owner->open--;
    s->live = NULL;
    if (s->pending_why.rules & RSQ_WHY_FIRST)
        s->opening_told = false; /* what is dropped was not told */
    rsq_stream_replace_locked(s);
    rsq_stream_forget_taken_locked(s);
    rsq_outcome_clear(&s->handed);
    s->compares = false;
}

void rsq_stream_end_locked(rsq_stream *s)
{
    rsq_live *live = s->live;

    add_shared_locked(s, &s->counters);
    unlink_locked(s, live);
    s->owner->open--;
    s->live = NULL;
    if (!live->first)
        rsq_streams_remove_locked(s->owner, live);
    rsq_stream_post_end_locked(s);
}

rsq_code rsq_stream_set_params(rsq_stream *s, const rsq_value *params, size_t nparams, rsq_error *err)
{
    rsq_code code;

    if (!s)
        return rsq_error_set(err, RSQ_EINVAL, "the stream is NULL");
    code = rsq_values_check(params, nparams, err);
    return code == RSQ_OK ? rsq_streams_move(s->owner, s, params, nparams, err) : code;
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
    rsq_stream_forget_taken_locked(s);
    if (s->live)
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
    if (s->live) {
        add_shared_locked(s, &now);
        now.settled_seq = settled_locked(s);
    }
    rsq_mutex_unlock(&s->owner->mu);
    size = counters->size < sizeof now ? counters->size : sizeof now;
    now.size = counters->size;
    memcpy(counters, &now, size);
    return RSQ_OK;
}
