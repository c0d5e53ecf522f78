/*
 * A stream keeps at most one outcome that waits (the newest) and one end, so a
 * consumer that is slow costs one result per stream, whatever is committed.
 */
#include "stream/delivery.h"

#include <assert.h>

/* A place in the queue holds a reference. Returns false if the queue takes no more. */
static bool post_locked(rsq_stream *s)
{
    bool closed;

    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    if (!rsq_queue_post(s->queue, &s->node, &closed))
        rsq_stream_unref(s); /* the caller's own reference is still there */
    return !closed;
}

void rsq_stream_drop_locked(rsq_stream *s)
{
    rsq_outcome_clear(&s->pending);
}

void rsq_stream_replace_locked(rsq_stream *s)
{
    if (s->pending.result)
        s->counters.replaced++;
    rsq_stream_drop_locked(s);
}

/* The handle's reference goes with the end event. Without a queue to carry it, it goes when the caller
 * closes. */
static void lose_end_locked(rsq_stream *s)
{
    if (s->user_closed)
        rsq_stream_unref(s);
    else
        s->end_lost = true;
}

void rsq_stream_post_end_locked(rsq_stream *s)
{
    assert(!s->live);
    s->pending_end = true;
    if (!post_locked(s))
        lose_end_locked(s);
}

void rsq_stream_emit_locked(rsq_stream *s, const rsq_outcome *o)
{
    bool ended = o->failure && o->failure->hopeless && !s->told;

    assert(s->live);
    rsq_stream_replace_locked(s);
    s->pending = rsq_outcome_ref(o);
    s->pending_ended = ended;
    s->told = true;
    if (o->result)
        s->counters.emitted++;
    /* An error that ends the stream goes with the end, as one: posted by itself, it could be taken in
     * between. */
    if (ended)
        rsq_stream_end_locked(s);
    else if (!post_locked(s))
        rsq_stream_drop_locked(s);
}

static void call_back(rsq_stream *s, rsq_event_kind kind, const rsq_outcome *o, bool ended)
{
    rsq_stream_event ev = {.size = sizeof ev,
                           .kind = kind,
                           .ended = ended,
                           .commit_seq = o->result ? rsq_result_commit_seq(o->result) : 0,
                           .result = o->result,
                           .error = o->failure ? &o->failure->error : NULL};

    s->event(s, &ev, s->ctx);
}

/* What a dispatch takes out of the stream. */
typedef struct delivery {
    rsq_outcome outcome; /* a reference; none: nothing to tell */
    rsq_outcome before;  /* a reference that is given up */
    bool ended;
    bool end;
} delivery;

static delivery take_locked(rsq_stream *s, bool deliver)
{
    delivery d = {.ended = s->pending_ended, .end = s->pending_end};

    if (deliver && !rsq_outcome_is_none(&s->pending)) {
        d.outcome = s->pending;
        d.before = s->handed;
        s->handed = rsq_outcome_ref(&d.outcome);
    } else {
        d.before = s->pending;
    }
    s->pending = (rsq_outcome){0};
    s->pending_end = false;
    if (d.end && !deliver)
        lose_end_locked(s);
    return d;
}

/* It was emitted, and then seen to be what the consumer has. */
static void count_repeated(rsq_stream *s, const delivery *d)
{
    rsq_mutex_lock(&s->owner->mu);
    s->counters.suppressed++;
    if (d->outcome.result)
        s->counters.replaced++;
    rsq_mutex_unlock(&s->owner->mu);
}

void rsq_stream_deliver(rsq_queue_node *node, bool deliver)
{
    static const rsq_outcome none;
    rsq_stream *s = (rsq_stream *)(void *)((char *)node - offsetof(rsq_stream, node));
    bool repeated;
    delivery d;

    rsq_mutex_lock(&s->owner->mu);
    d = take_locked(s, deliver);
    repeated = s->compares;
    s->compares = false;
    rsq_mutex_unlock(&s->owner->mu);

    repeated = repeated && rsq_outcome_equal(&d.before, &d.outcome);
    if (repeated)
        count_repeated(s, &d);
    if (!repeated && d.outcome.result)
        call_back(s, RSQ_EVENT_RESULT, &d.outcome, false);
    if (!repeated && d.outcome.failure)
        call_back(s, RSQ_EVENT_ERROR, &d.outcome, d.ended);
    if (deliver && d.end)
        call_back(s, RSQ_EVENT_END, &none, false);
    rsq_outcome_clear(&d.outcome);
    rsq_outcome_clear(&d.before);
    if (d.end && deliver)
        rsq_stream_unref(s); /* the handle's */
    rsq_stream_unref(s);     /* the queue's */
}
