#include "exec/line.h"

#include <stddef.h>

#include "base/profile.h"

static void append(rsq_line *l, rsq_waiter *w)
{
    w->next = NULL;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
}

static rsq_waiter *pop_first(rsq_line *l)
{
    rsq_waiter *w = l->first;

    if (!w)
        return NULL;
    l->first = w->next;
    if (!l->first)
        l->last = NULL;
    return w;
}

static void leave(rsq_line *l, rsq_waiter *w)
{
    rsq_waiter *before = NULL;
    rsq_waiter *at = l->first;

    while (at != w) {
        before = at;
        at = at->next;
    }
    if (before)
        before->next = w->next;
    else
        l->first = w->next;
    if (l->last == w)
        l->last = before;
}

void *rsq_line_wait_locked(rsq_line *l, rsq_mutex *mu, const void *owner, uint32_t timeout_ms)
{
    int64_t deadline_ns = rsq_deadline_ns(timeout_ms);
    rsq_waiter self = {.owner = owner};
    bool in_time = true;

    rsq_cond_init(&self.cond);
    append(l, &self);
    while (!self.granted && !self.dismissed && in_time) {
        in_time = rsq_cond_wait_until(&self.cond, mu, deadline_ns);
        if (!self.granted && !self.dismissed && in_time)
            rsq_profile_count(RSQ_COUNT_PARKED_WAKE_RETRIES, 1);
    }
    /* Granted or dismissed means taken out of the line by the other side. */
    if (!self.granted && !self.dismissed)
        leave(l, &self);
    rsq_cond_fini(&self.cond);
    return self.granted;
}

bool rsq_line_grant_locked(rsq_line *l, void *thing)
{
    rsq_waiter *w = pop_first(l);

    if (!w)
        return false;
    w->granted = thing;
    rsq_cond_signal(&w->cond);
    return true;
}

void rsq_line_dismiss_locked(rsq_line *l, const void *owner)
{
    rsq_line all = *l;
    rsq_waiter *w;

    *l = (rsq_line){0};
    while ((w = pop_first(&all)) != NULL) {
        if (owner && w->owner != owner) {
            append(l, w);
            continue;
        }
        w->dismissed = true;
        rsq_cond_signal(&w->cond);
    }
}

unsigned rsq_line_length(const rsq_line *l)
{
    unsigned n = 0;

    for (const rsq_waiter *w = l->first; w; w = w->next)
        n++;
    return n;
}
