#include "exec/timer.h"

#include <assert.h>

#include "base/error.h"

void rsq_timer_init(rsq_timer *t)
{
    *t = (rsq_timer){.wakes_at_ns = RSQ_NO_DEADLINE};
    rsq_mutex_init(&t->mu);
    rsq_cond_init(&t->changed);
    rsq_cond_init(&t->called);
}

static void link_locked(rsq_timer *t, rsq_timer_entry *entry)
{
    rsq_timer_entry *before = t->last;

    while (before && before->at_ns > entry->at_ns)
        before = before->prev;
    entry->prev = before;
    entry->next = before ? before->next : t->first;
    if (before)
        before->next = entry;
    else
        t->first = entry;
    if (entry->next)
        entry->next->prev = entry;
    else
        t->last = entry;
    entry->linked = true;
}

static void unlink_locked(rsq_timer *t, rsq_timer_entry *entry)
{
    if (entry->prev)
        entry->prev->next = entry->next;
    else
        t->first = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    else
        t->last = entry->prev;
    entry->linked = false;
}

static void call_first_locked(rsq_timer *t)
{
    rsq_timer_entry *entry = t->first;
    int64_t again;

    unlink_locked(t, entry);
    t->calling = entry;
    rsq_mutex_unlock(&t->mu);
    again = entry->due(entry);
    rsq_mutex_lock(&t->mu);
    /* Meanwhile it may have been added anew; whoever removes it waits for `calling` and unlinks then. */
    if (again != RSQ_NO_DEADLINE && !entry->linked && !entry->removing) {
        entry->at_ns = again;
        link_locked(t, entry);
    }
    t->calling = NULL;
    rsq_cond_broadcast(&t->called);
}

static void *timer_main(void *timer)
{
    rsq_timer *t = timer;

    rsq_mutex_lock(&t->mu);
    t->self = rsq_thread_self();
    while (!t->stopping) {
        if (t->first && t->first->at_ns <= rsq_now_ns()) {
            call_first_locked(t);
            continue;
        }
        t->wakes_at_ns = t->first ? t->first->at_ns : RSQ_NO_DEADLINE;
        (void)rsq_cond_wait_until(&t->changed, &t->mu, t->wakes_at_ns);
    }
    rsq_mutex_unlock(&t->mu);
    return NULL;
}

rsq_code rsq_timer_ensure(rsq_timer *t, rsq_error *err)
{
    bool started;

    rsq_mutex_lock(&t->mu);
    if (!t->started)
        t->started = rsq_thread_start(&t->thread, timer_main, t) == 0;
    started = t->started;
    rsq_mutex_unlock(&t->mu);
    return started ? RSQ_OK : rsq_error_set(err, RSQ_ENOMEM, "cannot start a thread");
}

void rsq_timer_add(rsq_timer *t, rsq_timer_entry *entry, int64_t at_ns)
{
    rsq_mutex_lock(&t->mu);
    assert(t->started);
    if (!entry->linked || at_ns < entry->at_ns) {
        if (entry->linked)
            unlink_locked(t, entry);
        entry->at_ns = at_ns;
        link_locked(t, entry);
        if (at_ns < t->wakes_at_ns)
            rsq_cond_signal(&t->changed);
    }
    rsq_mutex_unlock(&t->mu);
}

void rsq_timer_remove(rsq_timer *t, rsq_timer_entry *entry)
{
    rsq_mutex_lock(&t->mu);
    entry->removing = true;
    while (t->calling == entry && t->self != rsq_thread_self())
        (void)rsq_cond_wait_until(&t->called, &t->mu, RSQ_NO_DEADLINE);
    if (entry->linked)
        unlink_locked(t, entry);
    entry->removing = false;
    rsq_mutex_unlock(&t->mu);
}

void rsq_timer_fini(rsq_timer *t)
{
    rsq_mutex_lock(&t->mu);
    assert(!t->first);
    t->stopping = true;
    rsq_cond_signal(&t->changed);
    rsq_mutex_unlock(&t->mu);
    if (t->started)
        rsq_thread_join(t->thread);
    rsq_cond_fini(&t->called);
    rsq_cond_fini(&t->changed);
    rsq_mutex_fini(&t->mu);
}
