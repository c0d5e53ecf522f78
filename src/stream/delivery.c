/*
 * A stream keeps at most one outcome that waits (the newest) and one end, so a
 * consumer that is slow costs one result per stream, whatever is committed.
 */
#include "stream/delivery.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/profile.h"
#include "stream/group.h"

/* --- into the queue --- */

/* The group's place in the queue holds a reference, and so does the stream's in the group. */
static bool post_in_group_locked(rsq_stream *s)
{
    rsq_group *g = s->group;
    bool closed;

    rsq_group_ref(g);
    if (!rsq_queue_post(g->queue, &g->node, &closed))
        rsq_group_unref(g); /* the stream holds one */
    if (closed || s->ready)
        return !closed;
    s->ready = true;
    s->ready_next = NULL;
    if (g->ready_last)
        g->ready_last->ready_next = s;
    else
        g->ready = s;
    g->ready_last = s;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return true;
}

/* A place in the queue holds a reference. Returns false if the queue takes no more. */
static bool post_locked(rsq_stream *s)
{
    bool closed;

    if (s->group)
        return post_in_group_locked(s);
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    if (!rsq_queue_post(s->queue, &s->node, &closed))
        rsq_stream_unref(s); /* the caller's own reference is still there */
    return !closed;
}

void rsq_stream_drop_locked(rsq_stream *s)
{
    rsq_outcome_clear(&s->pending);
    rsq_reason_clear(&s->pending_why);
    rsq_diff_unref(s->pending_diff);
    s->pending_diff = NULL;
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
    if (!post_locked(s)) {
        s->pending_end = false; /* its place in a queue that is just being freed must not lose it again */
        lose_end_locked(s);
    }
}

/* What it is told first of a live query, it is told for the sake of that, whatever the query was run for. */
static void add_reason(rsq_reason *to, const rsq_stream *s, const rsq_reason *why)
{
    if (s->told)
        rsq_reason_add(to, why->rules, why->tables);
    else
        rsq_reason_add(to, s->opening_told ? RSQ_WHY_PARAMS : RSQ_WHY_FIRST, NULL);
}

void rsq_stream_emit_locked(rsq_stream *s, const rsq_outcome *o, const rsq_reason *why, rsq_diff *diff)
{
    bool ended = o->failure && o->failure->hopeless && !s->ever_told;
    rsq_reason merged = s->pending_why; /* the consumer was not told of these either */

    assert(s->live);
    s->pending_why = (rsq_reason){0};
    add_reason(&merged, s, why);
    rsq_stream_replace_locked(s);
    s->pending = rsq_outcome_ref(o);
    s->pending_why = merged;
    s->pending_diff = rsq_diff_ref(diff);
    s->pending_ended = ended;
    s->told = s->ever_told = s->opening_told = true;
    if (o->result) {
        s->counters.emitted++;
        s->owner->emitted++;
    }
    /* An error that ends the stream goes with the end, as one: posted by itself, it could be taken in
     * between. */
    if (ended)
        rsq_stream_end_locked(s);
    else if (!post_locked(s))
        rsq_stream_drop_locked(s);
}

/* --- out of it --- */

/* What a dispatch takes out of a stream. */
typedef struct rsq_delivery {
    struct rsq_delivery *next; /* in its group, until it is told */
    rsq_stream *s;             /* owned reference: the queue's */
    rsq_outcome outcome;       /* a reference; none: nothing to tell */
    rsq_outcome before;        /* a reference that is given up */
    rsq_result *shown;         /* owned reference: what a difference begins with; NULL: nothing */
    rsq_diff *diff;            /* owned reference; NULL: not computed */
    rsq_reason why;            /* owned */
    uint64_t commit_seq;       /* of the event of a result */
    bool compares;             /* `outcome` may have the bytes of `before` */
    bool ended;
    bool end;
} delivery;

/*
 * Numbers of events do not fall. After its parameters were set a stream may be
 * given the answer that others have had for long; it is current as of a commit
 * that is not older than the stream's last one (rsq_stream_join_locked()).
 */
static uint64_t number_locked(rsq_stream *s, const rsq_result *r)
{
    if (r && rsq_result_commit_seq(r) > s->last_seq)
        s->last_seq = rsq_result_commit_seq(r);
    return s->last_seq;
}

static delivery take_locked(rsq_stream *s, bool deliver)
{
    delivery d = {.s = s, .ended = s->pending_ended, .end = s->pending_end, .compares = s->compares};

    d.diff = s->pending_diff;
    s->pending_diff = NULL;
    d.why = s->pending_why;
    s->pending_why = (rsq_reason){0};
    if (deliver && !rsq_outcome_is_none(&s->pending)) {
        d.outcome = s->pending;
        d.commit_seq = number_locked(s, d.outcome.result);
        d.before = s->handed;
        s->handed = rsq_outcome_ref(&d.outcome);
        if (s->mode == RSQ_STREAM_DIFFERENCE && d.outcome.result) {
            d.shown = s->shown;
            s->shown = rsq_result_ref(d.outcome.result);
        }
    } else {
        d.before = s->pending;
    }
    s->pending = (rsq_outcome){0};
    s->pending_end = false;
    s->compares = false;
    if (d.end && !deliver)
        lose_end_locked(s);
    return d;
}

static void call_back(rsq_stream *s, rsq_stream_event *ev)
{
    ev->size = sizeof *ev;
    s->event(s, ev, s->ctx);
}

/* The difference that was computed may begin with another answer than the one that is shown, by then. */
static bool find_difference(delivery *d)
{
    rsq_result *after = d->outcome.result;

    if (d->diff && (d->diff->before != d->shown || d->diff->after != after)) {
        rsq_diff_unref(d->diff);
        d->diff = NULL;
    }
    if (!d->diff && d->shown && rsq_diff_is_possible(d->shown, after))
        d->diff = rsq_diff_new(d->shown, after, d->s->key);
    return d->diff != NULL;
}

static void give_reason(const delivery *d, rsq_stream_event *ev)
{
    ev->why = d->why.rules;
    if (!d->why.tables)
        return;
    ev->tables = d->why.tables->names;
    ev->ntables = d->why.tables->count;
}

static void tell_result(delivery *d)
{
    rsq_result *r = d->outcome.result;
    rsq_stream_event ev = {.kind = RSQ_EVENT_RESULT, .commit_seq = d->commit_seq, .result = r};

    give_reason(d, &ev);

    if (d->s->mode == RSQ_STREAM_SIGNAL) {
        ev.kind = RSQ_EVENT_SIGNAL;
        ev.result = NULL;
    } else if (d->s->mode == RSQ_STREAM_DIFFERENCE && find_difference(d)) {
        ev.kind = RSQ_EVENT_DIFFERENCE;
        ev.before = d->shown;
        ev.changes = d->diff->changes;
        ev.nchanges = d->diff->count;
    }
    call_back(d->s, &ev);
}

/* It was emitted, and then seen to be what the consumer has. */
static void count_repeated(const delivery *d)
{
    rsq_mutex_lock(&d->s->owner->mu);
    d->s->counters.suppressed++;
    if (d->outcome.result)
        d->s->counters.replaced++;
    rsq_mutex_unlock(&d->s->owner->mu);
}

/* Returns whether the callback was called. */
static bool tell_outcome(delivery *d)
{
    if (rsq_outcome_is_none(&d->outcome))
        return false;
    if (d->compares && rsq_outcome_equal(&d->before, &d->outcome)) {
        count_repeated(d);
        return false;
    }
    if (d->outcome.result) {
        tell_result(d);
    } else {
        rsq_stream_event ev = {
            .kind = RSQ_EVENT_ERROR, .ended = d->ended, .error = &d->outcome.failure->error};

        give_reason(d, &ev);
        call_back(d->s, &ev);
    }
    return true;
}

/* With no lock held, after it was taken. Returns whether a callback was called. */
static bool carry_out(delivery *d, bool deliver)
{
    int64_t began = rsq_profile_begin();
    bool called = tell_outcome(d);

    if (deliver && d->end) {
        rsq_stream_event ev = {.kind = RSQ_EVENT_END};

        call_back(d->s, &ev);
        called = true;
    }
    rsq_profile_end(RSQ_TIME_STREAM_DELIVER, began);
    rsq_outcome_clear(&d->outcome);
    rsq_outcome_clear(&d->before);
    rsq_result_unref(d->shown);
    rsq_diff_unref(d->diff);
    rsq_reason_clear(&d->why);
    if (d->end && deliver)
        rsq_stream_unref(d->s); /* the handle's */
    rsq_stream_unref(d->s);     /* the queue's */
    return called;
}

bool rsq_stream_deliver(rsq_queue_node *node, bool deliver)
{
    rsq_stream *s = (rsq_stream *)(void *)((char *)node - offsetof(rsq_stream, node));
    delivery d;

    rsq_mutex_lock(&s->owner->mu);
    d = take_locked(s, deliver);
    rsq_mutex_unlock(&s->owner->mu);
    return carry_out(&d, deliver);
}

/* --- a group's streams, together --- */

static rsq_stream *pop_ready_locked(rsq_group *g)
{
    rsq_stream *s = g->ready;

    if (!s)
        return NULL;
    g->ready = s->ready_next;
    if (!g->ready)
        g->ready_last = NULL;
    s->ready = false;
    s->ready_next = NULL;
    return s;
}

void rsq_stream_forget_taken_locked(rsq_stream *s)
{
    for (delivery *d = s->group ? s->group->taken : NULL; d; d = d->next) {
        if (d->s != s)
            continue;
        /* A difference begins with what was told. */
        if (s->mode == RSQ_STREAM_DIFFERENCE && d->outcome.result) {
            rsq_result *shown = d->shown;

            d->shown = s->shown;
            s->shown = shown;
        }
        if (d->outcome.result)
            s->counters.replaced++;
        if (d->why.rules & RSQ_WHY_FIRST)
            s->opening_told = false;
        rsq_outcome_clear(&d->outcome);
    }
}

/* Each is in the list until it is told, so that what its stream has left meanwhile can be forgotten. */
static bool tell_taken(rsq_group *g)
{
    bool called = false;

    for (;;) {
        delivery *d;

        rsq_mutex_lock(&g->owner->mu);
        d = g->taken;
        if (d)
            g->taken = d->next;
        rsq_mutex_unlock(&g->owner->mu);
        if (!d)
            return called;
        called = carry_out(d, true) || called;
    }
}

/* What is ready, as one list. Returns its memory, the caller's; NULL: there is none. */
static delivery *take_ready(rsq_group *g)
{
    size_t ready = 0;
    delivery *all;

    rsq_mutex_lock(&g->owner->mu);
    assert(!g->taken);
    for (const rsq_stream *s = g->ready; s; s = s->ready_next)
        ready++;
    all = rsq_alloc((ready + 1) * sizeof *all);
    for (size_t i = 0; all && i < ready; i++) {
        all[i] = take_locked(pop_ready_locked(g), true);
        all[i].next = i + 1 < ready ? &all[i + 1] : NULL;
    }
    if (all && ready > 0)
        g->taken = all;
    rsq_mutex_unlock(&g->owner->mu);
    return all;
}

/* Without memory for all of them at once they are taken one by one. */
static bool deliver_one_by_one(rsq_group *g, bool deliver)
{
    rsq_stream *s;
    bool called = false;

    for (;;) {
        delivery d;

        rsq_mutex_lock(&g->owner->mu);
        s = pop_ready_locked(g);
        if (s)
            d = take_locked(s, deliver);
        rsq_mutex_unlock(&g->owner->mu);
        if (!s)
            return called;
        called = carry_out(&d, deliver) || called;
    }
}

/*
 * A callback may dispatch its queue again. What the dispatch around it has taken
 * is told first then, so that no stream is told something older afterwards.
 */
bool rsq_group_deliver(rsq_queue_node *node, bool deliver)
{
    rsq_group *g = (rsq_group *)(void *)((char *)node - offsetof(rsq_group, node));
    bool called = deliver && tell_taken(g);
    delivery *all = deliver ? take_ready(g) : NULL;

    if (all)
        called = tell_taken(g) || called;
    else
        called = deliver_one_by_one(g, deliver) || called;
    rsq_free(all);
    rsq_group_unref(g);
    return called;
}
