/* Driver of the cases for <resqlite/sd_event.h>. */
#include "loop.h"

#include <fcntl.h>

#include <resqlite/sd_event.h>

struct watch {
    rsq_sd_source source;
};

struct test_loop {
    sd_event *event;
    sd_event_source *timer;
    bool fired;
};

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
    (void)s;
    (void)usec;
    ((test_loop *)data)->fired = true;
    return 0;
}

test_loop *loop_new(void)
{
    test_loop *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    if (sd_event_new(&l->event) < 0 ||
        sd_event_add_time_relative(l->event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l) < 0) {
        sd_event_unref(l->event);
        free(l);
        return NULL;
    }
    (void)sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
    return l;
}

bool loop_free(test_loop *l)
{
    int fd = sd_event_get_fd(l->event);
    bool empty;

    sd_event_source_disable_unref(l->timer);
    sd_event_unref(l->event);
    /* A source that was forgotten holds the loop, and with it this descriptor. */
    empty = fcntl(fd, F_GETFD) == -1;
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = calloc(1, sizeof *w);
    int rc = w ? rsq_sd_attach(&w->source, l->event, q) : -ENOMEM;

    if (rc != 0) {
        if (w)
            rsq_sd_detach(&w->source);
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
    rsq_sd_detach(&w->source);
    rsq_sd_detach(&w->source);
    free(w);
}

bool loop_watches(test_loop *l, int fd)
{
    (void)l;
    return loop_epoll_holds(fd);
}

void loop_timer(test_loop *l, unsigned ms)
{
    l->fired = false;
    (void)sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
    if (ms > 0) {
        (void)sd_event_source_set_time_relative(l->timer, (uint64_t)ms * 1000);
        (void)sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
    }
}

bool loop_fired(const test_loop *l)
{
    return l->fired;
}

bool loop_turn(test_loop *l)
{
    return sd_event_run(l->event, UINT64_MAX) >= 0;
}
