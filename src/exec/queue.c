#include "exec/queue.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/profile.h"
#include "plat/wakeup.h"

rsq_queue *rsq_queue_make(void)
{
    rsq_queue *q = rsq_alloc_zero(sizeof *q);

    if (!q)
        return NULL;
    atomic_init(&q->refs, 1);
    rsq_mutex_init(&q->mu);
    rsq_cond_init(&q->changed);
    q->fd = -1;
    return q;
}

rsq_queue *rsq_queue_ref(rsq_queue *q)
{
    atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
    return q;
}

void rsq_queue_unref(rsq_queue *q)
{
    if (!q || atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!q->first);
    rsq_wakeup_close(q->fd);
    rsq_cond_fini(&q->changed);
    rsq_mutex_fini(&q->mu);
    rsq_free(q);
}

/* True: it was called now. Who dispatches looks again at its end. */
static bool call_wakeup_locked(rsq_queue *q)
{
    if (!q->wakeup || q->woken || q->count == 0 || q->depth > 0)
        return false;
    q->woken = true;
    q->wakeup(q, q->wakeup_ctx);
    return true;
}

/* `count` nodes that are linked by `next`. */
static void splice_locked(rsq_queue *q, rsq_queue_node *first, rsq_queue_node *last, size_t count)
{
    bool was_empty = q->count == 0;
    bool wakes = (was_empty && q->fd >= 0) || q->sleepers > 0;

    for (rsq_queue_node *node = first; node; node = node->next)
        node->linked = true;
    if (q->last)
        q->last->next = first;
    else
        q->first = first;
    q->last = last;
    q->count += count;
    /* The descriptor is a level: only the step from empty to not empty is a system call. */
    if (was_empty && q->fd >= 0)
        rsq_wakeup_set(q->fd);
    if (q->sleepers > 0) {
        q->called_ns = rsq_now_ns();
        rsq_cond_broadcast(&q->changed);
    }
    wakes = call_wakeup_locked(q) || wakes;
    rsq_profile_count(wakes ? RSQ_COUNT_QUEUE_WAKES_SENT : RSQ_COUNT_QUEUE_WAKES_SAVED, 1);
}

bool rsq_queue_post(rsq_queue *q, rsq_queue_node *node, bool *closed)
{
    bool posted;

    rsq_mutex_lock(&q->mu);
    *closed = q->closed;
    posted = !q->closed && !node->linked;
    if (posted) {
        node->next = NULL;
        splice_locked(q, node, node, 1);
    }
    rsq_mutex_unlock(&q->mu);
    return posted;
}

void rsq_posts_add(rsq_posts *ps, rsq_queue *q, rsq_queue_node *node)
{
    if (ps->queue != q) {
        rsq_posts_flush(ps);
        ps->queue = rsq_queue_ref(q);
    }
    assert(!node->linked);
    node->next = NULL;
    if (ps->last)
        ps->last->next = node;
    else
        ps->first = node;
    ps->last = node;
    ps->count++;
}

static void drop_all(rsq_queue_node *node)
{
    while (node) {
        rsq_queue_node *next = node->next;

        (void)node->run(node, false);
        node = next;
    }
}

void rsq_posts_flush(rsq_posts *ps)
{
    rsq_posts all = *ps;
    bool closed;

    if (!all.queue)
        return;
    *ps = (rsq_posts){0};
    rsq_mutex_lock(&all.queue->mu);
    closed = all.queue->closed;
    if (!closed)
        splice_locked(all.queue, all.first, all.last, all.count);
    rsq_mutex_unlock(&all.queue->mu);
    if (closed)
        drop_all(all.first);
    rsq_queue_unref(all.queue);
}

static rsq_queue_node *take_locked(rsq_queue *q)
{
    rsq_queue_node *node = q->first;

    q->first = node->next;
    if (!q->first)
        q->last = NULL;
    node->linked = false;
    q->count--;
    if (q->count == 0 && q->fd >= 0)
        rsq_wakeup_clear(q->fd);
    return node;
}

static void enter_locked(rsq_queue *q)
{
    assert(!q->dispatching || q->dispatching == rsq_thread_self());
    q->dispatching = rsq_thread_self();
    q->depth++;
    q->woken = false;
}

static void leave_locked(rsq_queue *q)
{
    if (--q->depth > 0)
        return;
    q->dispatching = 0;
    rsq_cond_broadcast(&q->changed);
    (void)call_wakeup_locked(q);
}

/* There is a first. Returns whether a callback was called. */
static bool run_first_locked(rsq_queue *q, bool deliver)
{
    rsq_queue_node *node = take_locked(q);
    bool called;

    rsq_mutex_unlock(&q->mu);
    called = node->run(node, deliver);
    rsq_mutex_lock(&q->mu);
    return called;
}

static bool is_elsewhere_locked(const rsq_queue *q)
{
    return q->dispatching && q->dispatching != rsq_thread_self();
}

rsq_code rsq_queue_dispatch(rsq_queue *q, size_t max, size_t *dispatched)
{
    size_t done = 0, left;

    if (!q)
        return RSQ_EINVAL;
    /* A callback may free nothing that is used here: the queue itself is kept. */
    rsq_queue_ref(q);
    rsq_mutex_lock(&q->mu);
    if (is_elsewhere_locked(q)) {
        rsq_mutex_unlock(&q->mu);
        rsq_queue_unref(q);
        return RSQ_EMISUSE;
    }
    enter_locked(q);
    /* What callbacks add waits for the next call, so that this one ends. */
    left = q->count;
    if (max == 0)
        max = left;
    for (; done < max && left > 0 && q->first; left--) {
        if (run_first_locked(q, true))
            done++;
    }
    leave_locked(q);
    rsq_mutex_unlock(&q->mu);
    rsq_queue_unref(q);
    if (dispatched)
        *dispatched = done;
    return RSQ_OK;
}

bool rsq_queue_is_mine(rsq_queue *q)
{
    bool mine;

    rsq_mutex_lock(&q->mu);
    mine = q->dispatching == rsq_thread_self();
    rsq_mutex_unlock(&q->mu);
    return mine;
}

/* Streams and ops may hold the queue's memory for longer, but its descriptor goes now. */
static void close_locked(rsq_queue *q)
{
    q->closed = true;
    q->wakeup = NULL;
    rsq_wakeup_close(q->fd);
    q->fd = -1;
    rsq_cond_broadcast(&q->changed);
}

void rsq_queue_finish(rsq_queue *q)
{
    rsq_mutex_lock(&q->mu);
    q->wakeup = NULL; /* what waits is delivered here */
    for (;;) {
        if (is_elsewhere_locked(q)) {
            q->sleepers++;
            (void)rsq_cond_wait_until(&q->changed, &q->mu, RSQ_NO_DEADLINE);
            q->sleepers--;
            continue;
        }
        if (!q->first)
            break;
        enter_locked(q);
        (void)run_first_locked(q, true);
        leave_locked(q);
    }
    close_locked(q);
    rsq_mutex_unlock(&q->mu);
}

/* Until there is something, awake at first. */
static void wait_locked(rsq_queue *q, uint32_t timeout_ms)
{
    int64_t deadline = timeout_ms == UINT32_MAX ? RSQ_NO_DEADLINE : rsq_deadline_ns(timeout_ms);
    int64_t began = rsq_profile_begin();
    bool looks = q->sleepers == 0 && !q->no_spin; /* awake, before it sleeps */
    bool in_time = true;

    if (looks) {
        rsq_spin spin = q->spin;

        rsq_mutex_unlock(&q->mu);
        looks = !rsq_spin_while_zero(&spin, &q->count);
        rsq_mutex_lock(&q->mu);
        q->spin = spin;
    }
    while (!q->first && !q->closed && in_time) {
        q->sleepers++;
        in_time = rsq_cond_wait_until(&q->changed, &q->mu, deadline);
        q->sleepers--;
    }
    if (looks)
        rsq_spin_slept(&q->spin, q->called_ns); /* in vain */
    rsq_profile_end(RSQ_TIME_QUEUE_WAIT, began);
}

rsq_code rsq_queue_wait(rsq_queue *q, uint32_t timeout_ms)
{
    rsq_code code;

    if (!q)
        return RSQ_EINVAL;
    rsq_mutex_lock(&q->mu);
    if (q->dispatching == rsq_thread_self()) {
        rsq_mutex_unlock(&q->mu);
        return RSQ_EMISUSE;
    }
    /* A wait whose time is over would still be a system call. */
    if (!q->first && !q->closed && timeout_ms > 0)
        wait_locked(q, timeout_ms);
    code = q->first ? RSQ_OK : q->closed ? RSQ_ECLOSED : RSQ_ETIMEOUT;
    rsq_mutex_unlock(&q->mu);
    return code;
}

int rsq_queue_fd(rsq_queue *q)
{
    int fd;

    if (!q)
        return -1;
    rsq_mutex_lock(&q->mu);
    if (q->fd < 0 && !q->closed) {
        q->fd = rsq_wakeup_open();
        if (q->fd >= 0 && q->count > 0)
            rsq_wakeup_set(q->fd);
    }
    fd = q->fd;
    rsq_mutex_unlock(&q->mu);
    return fd;
}

rsq_code rsq_queue_set_wakeup(rsq_queue *q, rsq_wakeup_fn wakeup, void *ctx)
{
    rsq_code code;

    if (!q)
        return RSQ_EINVAL;
    rsq_mutex_lock(&q->mu);
    code = q->closed ? RSQ_ECLOSED : RSQ_OK;
    if (code == RSQ_OK) {
        q->wakeup = wakeup;
        q->wakeup_ctx = ctx;
        q->woken = false;
        (void)call_wakeup_locked(q);
    }
    rsq_mutex_unlock(&q->mu);
    return code;
}

rsq_code rsq_queue_new(rsq_queue **out, rsq_error *err)
{
    rsq_queue *q;

    if (!out)
        return rsq_error_set(err, RSQ_EINVAL, "out is NULL");
    q = rsq_queue_make();
    if (!q)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    *out = q;
    return RSQ_OK;
}

void rsq_queue_free(rsq_queue *q)
{
    if (!q)
        return;
    rsq_mutex_lock(&q->mu);
    close_locked(q);
    while (q->first)
        (void)run_first_locked(q, false);
    rsq_mutex_unlock(&q->mu);
    rsq_queue_unref(q);
}
