/*
 * Events: from a run, through the queue, to the callback.
 *
 * A stream keeps at most one outcome that waits (the newest) and one end, so a
 * consumer that is slow costs one result per stream, whatever is committed.
 */
#include <assert.h>

#include "base/alloc.h"
#include "stream/streams.h"

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
    rsq_result_unref(s->pending);
    rsq_free(s->pending_error);
    s->pending = NULL;
    s->pending_error = NULL;
}

void rsq_stream_emit_result_locked(rsq_stream *s, rsq_result *r)
{
    assert(s->state != RSQ_STREAM_CLOSED);
    if (s->pending)
        s->counters.replaced++;
    rsq_stream_drop_locked(s);
    s->pending = r;
    s->counters.emitted++;
    if (!post_locked(s))
        rsq_stream_drop_locked(s);
}

static void unregister_locked(rsq_stream *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->owner->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->prev = s->next = NULL;
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

void rsq_stream_end_locked(rsq_stream *s)
{
    assert(s->state != RSQ_STREAM_CLOSED);
    s->state = RSQ_STREAM_CLOSED;
    unregister_locked(s);
    s->pending_end = true;
    if (!post_locked(s))
        lose_end_locked(s);
}

void rsq_stream_emit_error_locked(rsq_stream *s, const rsq_error *why, bool ended)
{
    rsq_error *copy = rsq_alloc(sizeof *copy);

    assert(s->state != RSQ_STREAM_CLOSED);
    if (!copy) {
        if (ended)
            rsq_stream_end_locked(s);
        return;
    }
    *copy = *why;
    rsq_stream_drop_locked(s);
    s->pending_error = copy;
    s->pending_ended = ended;
    /* An error that ends the stream goes with the end, as one: posted by itself, it could be taken in
     * between. */
    if (ended)
        rsq_stream_end_locked(s);
    else if (!post_locked(s))
        rsq_stream_drop_locked(s);
}

static void call_back(rsq_stream *s, rsq_event_kind kind, rsq_result *result, const rsq_error *error,
                      bool ended)
{
    rsq_stream_event ev = {.size = sizeof ev,
                           .kind = kind,
                           .ended = ended,
                           .commit_seq = result ? rsq_result_commit_seq(result) : 0,
                           .result = result,
                           .error = error};

    s->event(s, &ev, s->ctx);
}

void rsq_stream_deliver(rsq_queue_node *node, bool deliver)
{
    rsq_stream *s = (rsq_stream *)(void *)((char *)node - offsetof(rsq_stream, node));
    rsq_result *result;
    rsq_error *error;
    bool ended, end;

    rsq_mutex_lock(&s->owner->mu);
    result = s->pending;
    error = s->pending_error;
    ended = s->pending_ended;
    end = s->pending_end;
    s->pending = NULL;
    s->pending_error = NULL;
    s->pending_end = false;
    if (end && !deliver)
        lose_end_locked(s);
    rsq_mutex_unlock(&s->owner->mu);

    if (deliver && result)
        call_back(s, RSQ_EVENT_RESULT, result, NULL, false);
    if (deliver && error)
        call_back(s, RSQ_EVENT_ERROR, NULL, error, ended);
    if (deliver && end)
        call_back(s, RSQ_EVENT_END, NULL, NULL, false);
    rsq_result_unref(result);
    rsq_free(error);
    if (end && deliver)
        rsq_stream_unref(s); /* the handle's */
    rsq_stream_unref(s);     /* the queue's */
}
