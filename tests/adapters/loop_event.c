/* Driver of the cases for <resqlite/event.h>. */
#include "loop.h"

#include <resqlite/event.h>

struct watch {
    rsq_event_source source;
};

struct test_loop {
    struct event_base *base;
    struct event *timer;
    bool fired;
};

static void on_timer(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    ((test_loop *)data)->fired = true;
}

test_loop *loop_new(void)
{
    test_loop *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->base = event_base_new();
    l->timer = l->base ? evtimer_new(l->base, on_timer, l) : NULL;
    if (!l->timer) {
        free(l);
        return NULL;
    }
    return l;
}

bool loop_free(test_loop *l)
{
    bool empty;

    event_free(l->timer);
    empty = event_base_get_num_events(l->base, EVENT_BASE_COUNT_ADDED) == 0;
    event_base_free(l->base);
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = calloc(1, sizeof *w);
    int rc = w ? rsq_event_attach(&w->source, l->base, q) : -ENOMEM;

    if (rc != 0) {
        if (w)
            rsq_event_detach(&w->source);
        free(w);
        return rc;
    }
    w->source.max = max;
    *out = w;
    return 0;
}

void loop_detach(test_loop *l, watch *w)
{
    (void)l;
    rsq_event_detach(&w->source);
    rsq_event_detach(&w->source);
    free(w);
}

bool loop_watches(test_loop *l, int fd)
{
    (void)l;
    return loop_epoll_holds(fd);
}

void loop_timer(test_loop *l, unsigned ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};

    l->fired = false;
    (void)evtimer_del(l->timer);
    if (ms > 0)
        (void)evtimer_add(l->timer, &after);
}

bool loop_fired(const test_loop *l)
{
    return l->fired;
}

bool loop_turn(test_loop *l)
{
    return event_base_loop(l->base, EVLOOP_ONCE) == 0;
}
